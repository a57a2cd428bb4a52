//! The form of `relais.toml`, for editors. The readers of this folder decide; a test holds the two together.
#![expect(dead_code, reason = "these types are only described, never made")]

use std::collections::BTreeMap;

use schemars::JsonSchema;

/// The configuration of Relais: one centre, its trunks, queues and people. Paths start at the folder of this file.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Configuration {
    /// Folder for records, recordings and tokens.
    data: Option<String>,
    /// Folder that holds `en/`, `fr/`, `music/` … with the sound files.
    prompts: Option<String>,
    /// The languages callers may hear; the first one is the centre's.
    languages: Option<Vec<Language>>,
    /// Plan files, by name or with `*`.
    plans: Option<Vec<String>>,
    /// Files of callbots, by name or with `*`.
    bots: Option<Vec<String>>,
    /// Folder of the sentence encoder's weights; bots understand less without.
    sentence_encoder: Option<String>,
    /// What agents may give as the reason of a pause.
    pause_reasons: Option<Vec<String>>,
    /// What agents may say that a call came to, after it or during it.
    dispositions: Option<Vec<String>>,
    /// Take the configuration anew when its files change. Off where it is not given: a change is often more than one
    /// file, and half of it may pass every check.
    watch: Option<bool>,
    /// The centre's own clock, as "Europe/Paris"; that of the first calendar where it is not given.
    time_zone: Option<String>,
    sip: Option<Sip>,
    rtp: Option<Rtp>,
    web: Option<Web>,
    recordings: Option<Recordings>,
    trunk: Option<Vec<Trunk>>,
    queue: Option<Vec<Queue>>,
    calendar: Option<Vec<Calendar>>,
    agent: Option<Vec<Agent>>,
    expert: Option<Vec<Expert>>,
    user: Option<Vec<User>>,
    numbering: Option<Numbering>,
    list: Option<Vec<List>>,
    customers: Option<Customers>,
    service: Option<Vec<Service>>,
    /// In order of preference for each language.
    speech: Option<Vec<Speech>>,
    /// Where a queue says nothing else.
    supervision: Option<Supervision>,
}

/// A language tag, as "en" or "pt-BR".
#[derive(JsonSchema)]
struct Language(#[schemars(regex(pattern = r"^[A-Za-z][A-Za-z0-9-]{1,15}$"))] String);

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Sip {
    /// Where SIP is listened for: "udp:127.0.0.1:5060", "tcp:[::1]:5060", "tls:127.0.0.1:5061".
    #[schemars(length(min = 1))]
    listen: Option<Vec<String>>,
    /// The host name of this centre: realm of digest authentication and host of its own addresses.
    domain: Option<String>,
    /// The address the outside sees, behind a one-to-one NAT.
    public_address: Option<String>,
    /// RFC 4028: the session interval asked for.
    #[schemars(range(min = 90, max = 86_400))]
    session_expires_s: Option<u32>,
    /// Shortest registration granted.
    #[schemars(range(min = 10, max = 3_600))]
    min_expires_s: Option<u32>,
    /// Longest registration granted.
    #[schemars(range(min = 60, max = 86_400))]
    max_expires_s: Option<u32>,
    /// Calls at once; the next one gets 503.
    #[schemars(range(min = 1, max = 1_000_000))]
    max_calls: Option<u32>,
    tls: Option<Tls>,
}

/// SIP over TLS. The files are read anew when the configuration is.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Tls {
    /// The certificate of this centre, in PEM, and after it those that vouch for it.
    certificate: Option<String>,
    /// The certificate's private key, in PEM, which not everybody may read.
    key: Option<String>,
    /// Those who vouch for the trunks we call, in PEM; those whom this system trusts where it is not given.
    ca_file: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Rtp {
    /// The address RTP is sent from and received at.
    address: Option<String>,
    /// The lowest and the highest port.
    #[schemars(length(equal = 2))]
    ports: Option<Vec<u16>>,
    /// A leg that should be sending and is silent this long is ended.
    #[schemars(range(min = 5, max = 86_400))]
    dead_leg_s: Option<u32>,
    /// Media threads; the number of cores where it is not given.
    #[schemars(range(min = 1, max = 256))]
    threads: Option<u32>,
    /// How browsers, and phones that speak ICE, are found: "lite" answers their checks, "full" sends checks as well, which
    /// also opens what stands in the way on this side. "lite" where it is not given.
    ice: Option<Ice>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Ice {
    Lite,
    Full,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Web {
    /// Where HTTP is listened for, and SIP of browsers at /sip: "127.0.0.1:8080".
    listen: Option<String>,
    tls: Option<WebTls>,
    /// Pages of other hosts whose softphones may connect: "https://desk.example.com".
    origins: Option<Vec<String>>,
    turn: Option<Turn>,
}

/// The web's port speaks HTTPS, and WebSockets over TLS. The files are read anew when the configuration is.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct WebTls {
    /// The certificate for the name that browsers go to, in PEM, and after it those that vouch for it.
    certificate: String,
    /// The certificate's private key, in PEM, which not everybody may read.
    key: String,
}

/// A TURN server (RFC 8656), for agents whose networks let their voice through by no other way.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Turn {
    /// Where it is: "turn:turn.example.com:3478", "turns:turn.example.com:443?transport=tcp".
    urls: Vec<String>,
    /// A file with the secret that it shares with us (coturn: use-auth-secret and static-auth-secret). Agents' pages are
    /// given names and passwords made of it, which are good for some hours.
    secret_file: String,
}

/// Recordings of calls and messages.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Recordings {
    /// A file of keys, one a line, of mode 600: `relais recording new-key FILE` makes it. What is recorded from then on is
    /// sealed on the disk with the first one; the others open what was sealed before.
    key_file: Option<String>,
    /// The recordings of calls are deleted after so many days; kept until somebody deletes them where it is not given.
    #[schemars(range(min = 1, max = 36_500))]
    keep_days: Option<u32>,
    /// The same of messages.
    #[schemars(range(min = 1, max = 36_500))]
    keep_messages_days: Option<u32>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Codec {
    Pcmu,
    Pcma,
    G722,
    Opus,
}

/// A way to the outside.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Trunk {
    id: Name,
    /// Who may call in as this trunk: addresses and networks.
    addresses: Option<Vec<String>>,
    /// Where calls out are sent, best first: "sip.example.com;tcp".
    servers: Option<Vec<String>>,
    register: Option<Register>,
    codecs: Option<Vec<Codec>>,
    /// The plans whose numbers it offers; every plan where it is not given.
    plans: Option<Vec<String>>,
    /// OPTIONS to every server this often; never when 0.
    #[schemars(range(min = 0, max = 86_400))]
    options_interval_s: Option<u32>,
    /// Beginnings of numbers that plans may dial through it: "+33".
    allow: Option<Vec<String>>,
    /// The number that calls out show, as the provider wants it; the caller's own where it is not given.
    #[schemars(regex(pattern = r"^[A-Za-z0-9+_.-]{1,32}$"))]
    caller_id: Option<String>,
    /// Keys for SRTP in session descriptions; where it is not given, preferred over TLS and off else.
    srtp: Option<Srtp>,
}

/// Registration at the provider.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Register {
    user: Name,
    password: Name,
    /// "sip:user@provider.example"
    aor: Name,
}

#[derive(JsonSchema)]
struct Name(#[schemars(length(min = 1))] String);

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Queue {
    id: Name,
    /// How long one agent's phone rings before the next is tried.
    #[schemars(range(min = 3, max = 300))]
    ring_timeout_s: Option<u32>,
    /// Time after a talk before the next.
    #[schemars(range(min = 0, max = 3_600))]
    wrap_up_s: Option<u32>,
    /// An agent who could not be had is not offered the same call again for this long.
    #[schemars(range(min = 1, max = 600))]
    retry_delay_s: Option<u32>,
    /// The position is announced this often; never when 0.
    #[schemars(range(min = 0, max = 3_600))]
    announce_position_s: Option<u32>,
    /// What else is said to those who wait, each thing for the first time after so long and then again and again. One at a
    /// time: [{ prompt = "please-wait", after_s = 20, every_s = 60 }, { say = "estimate", after_s = 45 }].
    #[schemars(length(max = 10))]
    comfort: Option<Vec<Comfort>>,
    /// After something was said the music goes on from where it was; from its beginning when false.
    music_resumes: Option<bool>,
    /// Unanswered calls in a row after which an agent counts as not responding.
    #[schemars(range(min = 1, max = 100))]
    max_no_answer: Option<u32>,
    /// The service level is the share of answered callers who were answered within this time.
    #[schemars(range(min = 1, max = 3_600))]
    answer_within_s: Option<u32>,
    /// A step of a caller's priority is worth so much waiting; three times answer_within_s where it is not given. When
    /// 0, no wait makes up for a higher priority.
    #[schemars(range(min = 0, max = 86_400))]
    priority_step_s: Option<u32>,
    /// How less is asked of the agent as a caller waits, where the plan says nothing else: after 30 s every skill at
    /// level 2 at most, after 60 s none: [{ after_s = 30, level = 2 }, { after_s = 60, level = 0 }].
    #[schemars(length(max = 10))]
    widen: Option<Vec<Widening>>,
    /// Which of the agents who could take a caller is rung; "longest_idle" where it is not given.
    choice: Option<Choice>,
    /// So many agents are rung at once for a caller who comes, as far as they are free; the first to answer talks, the
    /// others stop ringing. One where it is not given.
    #[schemars(range(min = 1, max = 20))]
    ring_at_once: Option<u32>,
    /// A prompt played over and over to those who wait.
    music: Option<String>,
    /// Callers waiting at once; the next one leaves with result `full`.
    #[schemars(range(min = 1, max = 1_000_000))]
    max_waiting: Option<u32>,
    /// What share of their time, in percent, the queue's agents may well handle contacts: [60, 80]. Above it they get no
    /// cold work.
    #[schemars(length(equal = 2))]
    occupancy_band: Option<Vec<Percent>>,
    /// The recordings of its calls are deleted after so many days; as [recordings] says where it is not given.
    #[schemars(range(min = 1, max = 36_500))]
    keep_recordings_days: Option<u32>,
    /// The same of the messages of its callers, and of its own mailbox.
    #[schemars(range(min = 1, max = 36_500))]
    keep_messages_days: Option<u32>,
    callback: Option<Callback>,
    /// The centre's where it is not given.
    supervision: Option<Supervision>,
    /// What agents say to its callers, by language; they read it at their desk: { en = "…", fr = "…" }.
    script: Option<BTreeMap<String, String>>,
}

/// How those who talk learn that a supervisor is on the line, where the law wants it. It is mixed into what they hear.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Supervision {
    /// A prompt, said once.
    announcement: Option<String>,
    /// A beep this often, from then on; none when 0 or where it is not given.
    #[schemars(range(min = 0, max = 3_600))]
    beep_every_s: Option<u32>,
}

#[derive(JsonSchema)]
struct Percent(#[schemars(range(min = 0, max = 100))] u8);

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum Choice {
    LongestIdle,
    LeastOccupied,
    BestSkill,
    RoundRobin,
}

/// With `prompt` or with `say`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Comfort {
    /// A prompt, or several, one after the other.
    prompt: Option<Prompts>,
    /// The place in the queue, or how long the rest of the wait will probably be.
    say: Option<Said>,
    #[schemars(range(min = 0, max = 86_400))]
    after_s: u32,
    /// Only once where it is not given.
    #[schemars(range(min = 5, max = 86_400))]
    every_s: Option<u32>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Prompts {
    One(String),
    Several(#[schemars(length(min = 1, max = 10))] Vec<String>),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum Said {
    Position,
    Estimate,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Widening {
    #[schemars(range(min = 0, max = 86_400))]
    after_s: u32,
    /// 0: whoever is in the queue.
    #[schemars(range(min = 0, max = 5))]
    level: u8,
}

/// How promised call-backs are kept.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Callback {
    /// Tries before the call-back is given up.
    #[schemars(range(min = 1, max = 20))]
    attempts: Option<u32>,
    /// Until the next try after one that reached nobody.
    #[schemars(range(min = 10, max = 86_400))]
    retry_s: Option<u32>,
    /// Until the next try after a busy line.
    #[schemars(range(min = 10, max = 86_400))]
    retry_busy_s: Option<u32>,
    /// How long the customer's phone rings.
    #[schemars(range(min = 5, max = 120))]
    ring_timeout_s: Option<u32>,
    /// Call-backs that are promised at once.
    #[schemars(range(min = 0, max = 10_000))]
    most: Option<u32>,
    /// Customers are rung within the hours of this calendar; at any time where none is named.
    calendar: Option<Name>,
    /// Which call-backs are cold work; "unplaced" where it is not given: those asked for on the web and those of callers
    /// who gave up. With "all" also those that keep a caller's place, with "none" no call-back is.
    cold: Option<Cold>,
    /// Cold work goes to agents who have been idle for so long.
    #[schemars(range(min = 0, max = 3_600))]
    idle_s: Option<u32>,
    /// Cold work is held back for so long at most; then it is served like any caller.
    #[schemars(range(min = 0, max = 86_400))]
    hold_back_s: Option<u32>,
    abandoned: Option<Abandoned>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum Cold {
    None,
    Unplaced,
    All,
}

/// Callers who gave up are called back. One of the two calendars is needed.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Abandoned {
    /// Who waited for so long.
    #[schemars(range(min = 1, max = 3_600))]
    after_s: u32,
    /// The hours in which people may be rung who have not asked for it, besides those of all call-backs.
    calendar: Option<Name>,
}

/// Opening hours.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Calendar {
    id: Name,
    /// As "Europe/Paris".
    time_zone: Name,
    /// Hours by day: { mon-fri = "09:00-18:00", sat = ["09:00-12:00", "14:00-16:00"] }.
    hours: Option<BTreeMap<String, Hours>>,
    /// Days on which it is closed, as "2026-12-25".
    closed: Option<Vec<String>>,
    /// Days with hours of their own.
    exceptions: Option<BTreeMap<String, Hours>>,
    /// Countries whose legal holidays are days off: ["fr"].
    holidays: Option<Vec<String>>,
    /// Of those, the ones on which this centre works, by name.
    worked: Option<Vec<String>>,
    /// Yearly days of one's own.
    holiday: Option<Vec<Holiday>>,
}

/// A day of every year: by `date`, by `easter`, or by `weekday`, `nth` and `month`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Holiday {
    name: Name,
    /// Month and day: "12-24".
    date: Option<String>,
    /// Days after Easter Sunday: 1 is Easter Monday.
    #[schemars(range(min = -90, max = 200))]
    easter: Option<i32>,
    /// "mon" to "sun"
    weekday: Option<String>,
    /// Which of its weekday in the month; -1 is the last.
    #[schemars(range(min = -5, max = 5))]
    nth: Option<i32>,
    #[schemars(range(min = 1, max = 12))]
    month: Option<u8>,
    /// A day off where it has none.
    hours: Option<Hours>,
}

/// "09:00-18:00", or a list of such.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Hours {
    One(#[schemars(regex(pattern = r"^ *\d{1,2}:\d{2} *- *\d{1,2}:\d{2} *$"))] String),
    Several(Vec<String>),
}

/// Somebody who may log in to the web pages, or many: id = "201..209", where {id} stands for each one's own id. The users'
/// file, which `relais user add` writes, goes before them.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct User {
    id: Name,
    name: Option<String>,
    role: UserRole,
    /// The number of an agent; the id where it is not given.
    agent: Option<Name>,
    language: Option<Language>,
    password: Name,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum UserRole {
    Agent,
    Supervisor,
    Operator,
    Admin,
}

/// An agent, or many: id = "201..209", where {id} stands for each one's own id.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Agent {
    id: Name,
    name: Option<String>,
    /// The phone's password; or give `contact`.
    password: Option<String>,
    /// A phone that always stands at this SIP address and never registers.
    contact: Option<String>,
    /// In order of preference.
    queues: Option<Vec<String>>,
    /// The calendar in whose hours they are a member of their queues, as "mornings"; or for some of them only:
    /// { sales = "mornings" }. Always where none is given.
    schedule: Option<Schedule>,
    /// What they go by, of calls of the same priority: "greatest_need" (whoever has waited longest, measured by the
    /// queue's target) where it is not given, or "queue_order" (the queue that stands first in queues).
    call_preference: Option<CallPreference>,
    /// ["billing"], or with levels from 1 to 5: { billing = 3 }.
    skills: Option<Skills>,
    codecs: Option<Vec<Codec>>,
    language: Option<Language>,
    /// Keys for SRTP in session descriptions; where it is not given, preferred over TLS and off else. Browsers need none.
    srtp: Option<Srtp>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Schedule {
    All(Name),
    Queues(BTreeMap<String, Name>),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum Srtp {
    Off,
    Prefer,
    Require,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum CallPreference {
    GreatestNeed,
    QueueOrder,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Skills {
    Names(Vec<String>),
    Levels(BTreeMap<String, Level>),
}

#[derive(JsonSchema)]
struct Level(#[schemars(range(min = 1, max = 5))] u8);

/// Somebody on the company's own telephony, whom agents consult.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Expert {
    id: Name,
    name: Option<String>,
    /// "sip:301@192.0.2.20", or "sip:301@pbx.example.com" with a trunk.
    address: Name,
    /// What they know about: ["tax", "inheritance"].
    competence: Option<Vec<String>>,
    /// The calendar of their hours. Agents may ask them at other times too, and are told so.
    calendar: Option<Name>,
    /// The trunk whose servers lead to them; needed where the address is a host name.
    trunk: Option<Name>,
    /// Whether their telephony is asked for their presence (SUBSCRIBE); true where nothing is said.
    subscribe: Option<bool>,
    /// How often their telephony is asked whether it is there (OPTIONS); 0 for never, 20 where nothing is said.
    #[schemars(range(max = 40))]
    options_interval_s: Option<u32>,
    /// How long the API's word on their presence counts; 3600 where nothing is said.
    #[schemars(range(min = 10, max = 604_800))]
    told_stale_s: Option<u32>,
}

/// How numbers are dialled where the centre stands.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Numbering {
    /// The country's calling code without `+`: "33".
    #[schemars(regex(pattern = r"^\d{0,3}$"))]
    country_code: Option<String>,
    /// What is dialled before a national number: "0" in most countries.
    #[schemars(regex(pattern = r"^\d{0,4}$"))]
    national_prefix: Option<String>,
    /// What is dialled before an international number: "00".
    #[schemars(regex(pattern = r"^\d{0,5}$"))]
    international_prefix: Option<String>,
}

/// Numbers to deny or allow.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct List {
    id: Name,
    /// "+33155501234", or "+33899*" for every number that begins so.
    numbers: Option<Vec<String>>,
    /// A text file with such a number a line.
    file: Option<String>,
}

/// A CSV file of known callers, with the columns number, value, segment, name, language.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Customers {
    file: Name,
}

/// An HTTP service outside that plans may ask and tell.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Service {
    id: Name,
    /// "https://crm.example.com/api"
    base_url: Option<String>,
    /// Plans give whole URLs.
    any_url: Option<bool>,
    /// Sent with every request.
    headers: Option<BTreeMap<String, String>>,
    /// A file that holds a bearer token.
    token_file: Option<String>,
    /// A file that holds the secret that webhooks are signed with.
    secret_file: Option<String>,
    /// Certificates that are trusted besides the system's.
    ca_file: Option<String>,
    /// Look-ups at once.
    #[schemars(range(min = 1, max = 1_000))]
    max_concurrent: Option<u32>,
    /// Answers kept for look-ups with `cache_s`.
    #[schemars(range(min = 0, max = 100_000))]
    cache_entries: Option<u32>,
}

/// An engine of speech recognition: a worker that Relais starts (`model`), or one that runs elsewhere (`address`).
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Speech {
    id: Name,
    engine: SpeechEngine,
    /// What it understands.
    #[schemars(length(min = 1))]
    languages: Vec<Language>,
    /// Conversations at once.
    #[schemars(range(min = 1, max = 1_000))]
    streams: Option<u32>,
    /// From the end of speech to its words; an engine that takes longer has failed.
    #[schemars(range(min = 500, max = 30_000))]
    answer_within_ms: Option<u32>,
    /// The folder of the model.
    model: Option<String>,
    /// The worker's program; the one beside `relais` where it is not given.
    program: Option<String>,
    /// A worker that needs more is ended and started anew.
    #[schemars(range(min = 100, max = 1_000_000))]
    memory_mb: Option<u32>,
    /// How far it stands back for other processes.
    #[schemars(range(min = 0, max = 19))]
    nice: Option<u8>,
    /// "tls:speech.example.com:7400", "tcp:127.0.0.1:7400"; "ws://host:2700" for vosk-server.
    address: Option<String>,
    /// Certificates that are trusted instead of the system's.
    ca_file: Option<String>,
    /// A file that holds the worker's token.
    token_file: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum SpeechEngine {
    Vosk,
    Whisper,
    VoskServer,
}

/// The JSON Schema (draft 7, which editors of TOML know) of a configuration file.
pub fn schema() -> serde_json::Value {
    draft_7::<Configuration>()
}

/// The schema of a type, as editors of TOML know it.
pub(super) fn draft_7<T: JsonSchema>() -> serde_json::Value {
    let generator = schemars::generate::SchemaSettings::draft07()
        .with_transform(schemars::transform::RecursiveTransform(without_null))
        .into_generator();
    generator.into_root_schema_for::<T>().to_value()
}

/// TOML knows no null: what may be missing is missing.
fn without_null(schema: &mut schemars::Schema) {
    let Some(schema) = schema.as_object_mut() else { return };
    if let Some(serde_json::Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(serde_json::Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::config::{Overrides, load};
    use crate::dialplan::reader::asked;

    /// Every kind of table.
    const WHOLE: &str = "[sip]\n[sip.tls]\n[rtp]\n[web]\n[web.tls]\n[recordings]\n[[trunk]]\nid = 'a'\nservers = ['sip.example.com']\n[trunk.register]\n\
        [numbering]\n[[list]]\nid = 'a'\n[customers]\n[[service]]\nid = 'a'\n[[speech]]\nid = 'a'\n[[queue]]\nid = 'a'\n[queue.callback]\n[queue.callback.abandoned]\n[[calendar]]\nid = 'a'\n[[calendar.holiday]]\n[[agent]]\nid = '1'\n[[expert]]\nid = '2'\n";

    const PLAN: &str = "name = 'a'\n[[number]]\nnumber = '1'\n[inputs]\nx = { type = 'text' }\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'hangup'\n[[test]]\nname = 'a'\n\
        expect = {}\n";

    /// The definition that describes a kind of table.
    fn definition<'s>(
        kind: &str,
        configuration: &'s serde_json::Value,
        plan: &'s serde_json::Value,
    ) -> &'s serde_json::Value {
        let (schema, pointer) = match kind {
            "configuration" => (configuration, String::new()),
            "plan" => (plan, String::new()),
            "level" => (plan, "/properties/level/items".to_owned()),
            "rule" => (plan, "/definitions/rule".to_owned()),
            "test" => (plan, "/definitions/test".to_owned()),
            "number" => (plan, "/properties/number/items".to_owned()),
            "inputs: x" => (plan, "/definitions/declaration".to_owned()),
            "calendar: holiday" => (configuration, "/definitions/Holiday".to_owned()),
            "queue: callback" => (configuration, "/definitions/Callback".to_owned()),
            "queue: callback: abandoned" => (configuration, "/definitions/Abandoned".to_owned()),
            "web.tls" => (configuration, "/definitions/WebTls".to_owned()),
            "trunk: register" => (configuration, "/definitions/Register".to_owned()),
            kind => {
                let (first, rest) = kind.split_at(1);
                (configuration, format!("/definitions/{}{rest}", first.to_uppercase()))
            }
        };
        let found = schema.pointer(&format!("{pointer}/properties"));
        found.unwrap_or_else(|| {
            panic!("'{kind}' is read and described by no schema: add it to config/schema.rs or dialplan/schema.rs")
        })
    }

    #[test]
    fn the_schemas_know_every_key_that_is_read_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("plans")).unwrap();
        std::fs::write(folder.path().join("plans/a.toml"), PLAN).unwrap();
        std::fs::write(folder.path().join("relais.toml"), WHOLE).unwrap();
        asked::all();
        let _ = load(&folder.path().join("relais.toml"), &Overrides::default());
        let (configuration, plan) = (super::schema(), crate::dialplan::schema(None));
        let asked = asked::all();
        assert!(asked.len() >= 12, "{asked:?}");
        for (kind, keys) in asked {
            let described = definition(&kind, &configuration, &plan);
            let described: BTreeSet<&str> = described.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(keys, described, "the keys of '{kind}' as read, and as its schema says");
        }
    }
}
