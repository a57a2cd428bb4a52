//! Checked settings: what `config/` makes of the operator's files, and what every room is given. Value types only.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::caller::Numbering;
use crate::comfort::Comfort;
use crate::demand::Widening;
use crate::ids::{AgentId, ExpertId, Language, PlanId, QueueId, ServiceId, Skill, TrunkId};
use crate::record::RecordingKind;
pub use crate::security::IceSide;

/// The whole configuration after every check has passed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    pub sip: Sip,
    pub rtp: Rtp,
    pub web: Web,
    pub data: PathBuf,
    pub prompts: PathBuf,
    /// The folder of the weights by which bots understand other words than those of their examples.
    pub sentence_encoder: Option<PathBuf>,
    /// Take the configuration anew when its files change.
    pub watch: bool,
    /// The centre's language: what a caller hears where no plan says otherwise.
    pub language: Language,
    /// The languages prompts are kept in, `language` first.
    pub languages: Vec<Language>,
    pub pause_reasons: Vec<String>,
    /// What agents may say that a call came to.
    pub dispositions: Vec<String>,
    pub trunks: Vec<Trunk>,
    pub agents: Vec<Agent>,
    pub queues: Vec<Queue>,
    pub experts: Vec<Expert>,
    /// The centre's own time zone, an IANA name: when its days begin.
    pub time_zone: String,
    pub numbering: Numbering,
    /// HTTP services that plans may ask and tell.
    pub services: Vec<Service>,
    /// Engines of speech recognition, in order of preference.
    pub speech: Vec<Speech>,
    /// The file of known customers.
    pub customers: Option<PathBuf>,
    /// Where the queue says nothing else.
    #[serde(default)]
    pub supervision: SupervisionNotice,
    #[serde(default)]
    pub recordings: Recordings,
}

impl Settings {
    /// How long a recording is kept: by the rule of its queue, else of the queue whose mailbox it is in, else of the
    /// centre. `None`: until somebody deletes it.
    pub fn keeps(&self, kind: RecordingKind, queue: Option<&QueueId>, mailbox: Option<&str>) -> Option<Duration> {
        let named = |name: &str| self.queues.iter().find(|known| known.id.as_str() == name);
        let mut queues = queue.map(QueueId::as_str).into_iter().chain(mailbox).filter_map(named);
        queues.find_map(|queue| queue.keep.of(kind)).or_else(|| self.recordings.keep.of(kind))
    }

    /// The shortest time after which any recording is deleted.
    pub fn shortest_keep(&self) -> Option<Duration> {
        let all = self.queues.iter().map(|queue| &queue.keep).chain([&self.recordings.keep]);
        all.flat_map(|keep| [keep.calls, keep.messages]).flatten().min()
    }
}

/// What is done with recordings. Their keys are in the file alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recordings {
    pub key_file: Option<PathBuf>,
    pub keep: Keep,
}

/// How long recordings are kept, where something is said of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    pub calls: Option<Duration>,
    pub messages: Option<Duration>,
}

impl Keep {
    fn of(&self, kind: RecordingKind) -> Option<Duration> {
        match kind {
            RecordingKind::Call => self.calls,
            RecordingKind::Voicemail => self.messages,
        }
    }
}

/// How those who talk learn that a supervisor is on the line, where the law or custom wants it. It is mixed into what they
/// hear, and takes no word of it away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisionNotice {
    /// A prompt, said once.
    pub announcement: Option<String>,
    /// A beep so often, from then on; none when zero.
    pub beep_every: Duration,
}

/// What a person may do who logs in with a password; each role may do all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UserRole {
    Agent,
    Supervisor,
    Operator,
    Admin,
}

impl UserRole {
    pub const ALL: [UserRole; 4] = [UserRole::Agent, UserRole::Supervisor, UserRole::Operator, UserRole::Admin];

    pub fn name(self) -> &'static str {
        match self {
            UserRole::Agent => "agent",
            UserRole::Supervisor => "supervisor",
            UserRole::Operator => "operator",
            UserRole::Admin => "admin",
        }
    }
}

/// Somebody of the configuration who may log in to the web pages. No part of `Settings`: what runs has no use for the
/// password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: String,
    pub name: String,
    pub role: UserRole,
    /// Set for the role agent, and for no other.
    pub agent: Option<AgentId>,
    pub language: Option<Language>,
    pub password: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
    /// SIP over a WebSocket (RFC 7118): whoever is there is a browser, or speaks as one.
    Ws,
    /// The same over TLS, which may end at a proxy before us.
    Wss,
}

impl Transport {
    pub const ALL: [Transport; 5] = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];

    /// In any case of letters.
    pub fn of_name(name: &str) -> Option<Transport> {
        Transport::ALL.into_iter().find(|transport| transport.name().eq_ignore_ascii_case(name))
    }

    pub fn is_web_socket(self) -> bool {
        matches!(self, Transport::Ws | Transport::Wss)
    }

    /// A stream keeps order and never retransmits (RFC 3261 §17).
    pub fn is_reliable(self) -> bool {
        self != Transport::Udp
    }

    /// As written in configuration and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Ws => "ws",
            Transport::Wss => "wss",
        }
    }

    /// As a Via names it (RFC 3261 §20.42, RFC 7118 §5.2).
    pub fn in_via(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        }
    }

    /// As the parameter `transport` of a SIP URI names it; UDP needs none. RFC 7118 §5.2 has one name for both kinds of
    /// WebSocket.
    pub fn in_uri(self) -> Option<&'static str> {
        match self {
            Transport::Udp => None,
            Transport::Tcp => Some("tcp"),
            Transport::Tls => Some("tls"),
            Transport::Ws | Transport::Wss => Some("ws"),
        }
    }

    /// The port where a URI names none (RFC 3261 §19.1.2, RFC 6455 §3).
    pub fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
            Transport::Ws => 80,
            Transport::Wss => 443,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listen {
    pub transport: Transport,
    pub address: SocketAddr,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sip {
    pub listen: Vec<Listen>,
    /// The host name of this centre: the realm of digest authentication and the host of its own URIs.
    pub domain: String,
    /// Written into Contact, Via and SDP instead of the bound address, for a machine behind a one-to-one NAT.
    pub public_address: Option<IpAddr>,
    /// RFC 4028: the session interval asked for; at least 90 s.
    pub session_expires: Duration,
    /// Calls at once; the next one gets 503 with Retry-After.
    pub max_calls: usize,
    /// Shortest and longest registration granted (RFC 3261 §10.3); a shorter wish gets 423 with Min-Expires.
    pub min_expires: Duration,
    pub max_expires: Duration,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rtp {
    pub address: IpAddr,
    /// Lowest and highest UDP port; RTP takes the even ones, RTCP the next.
    pub ports: (u16, u16),
    /// A leg that should be sending and is silent this long is ended.
    pub dead_leg: Duration,
    /// Media threads; the number of cores when `None`.
    pub threads: Option<usize>,
    #[serde(default)]
    pub ice: IceSide,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Web {
    pub listen: SocketAddr,
    /// It speaks HTTPS and nothing else. By which certificate is no part of the settings.
    #[serde(default)]
    pub tls: bool,
    /// Pages of other hosts whose softphones may connect, as browsers write an `Origin` (RFC 6454 §6.2).
    #[serde(default)]
    pub origins: Vec<String>,
    #[serde(default)]
    pub turn: Option<Turn>,
}

/// A TURN server (RFC 8656), by which browsers reach us that cannot otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// As RFC 7065 writes them.
    pub urls: Vec<String>,
    /// What it shares with us.
    pub secret_file: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    Pcmu,
    Pcma,
    G722,
    /// To far ends alone: within, the voice of such a leg is `carried`.
    Opus,
}

impl Codec {
    /// What a leg's voice is while it is relayed, mixed, recorded and recognised.
    #[must_use]
    pub fn carried(self) -> Codec {
        if self == Codec::Opus { Codec::G722 } else { self }
    }
}

/// A way to the outside: who may send us calls as this trunk, what they may dial, and where calls go out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trunk {
    pub id: TrunkId,
    /// Source addresses whose INVITEs are this trunk's.
    pub addresses: Vec<IpNet>,
    /// Where calls out are sent, best first; the next is tried when one is down.
    pub servers: Vec<TrunkServer>,
    /// Registration at the provider, where it asks for one.
    pub register: Option<Credentials>,
    pub codecs: Vec<Codec>,
    /// Plans whose numbers this trunk offers; empty means every plan.
    pub plans: Vec<PlanId>,
    /// OPTIONS to every server this often; never when zero.
    pub options_interval: Duration,
    /// Number prefixes a plan may dial out through this trunk.
    pub allow: Vec<String>,
    /// The number that calls out show; the caller's own when `None`.
    pub caller_id: Option<String>,
    #[serde(default)]
    pub srtp: Srtp,
}

impl Trunk {
    /// How long the longest prefix is by which a number may be dialled out here; `None` where it may not.
    pub fn offers(&self, number: &str) -> Option<usize> {
        self.allows(number).filter(|_| !self.servers.is_empty())
    }

    /// The same, whether or not there is a server to send it to.
    pub fn allows(&self, number: &str) -> Option<usize> {
        let prefixes = self.allow.iter().filter(|prefix| number.starts_with(prefix.as_str()));
        prefixes.map(String::len).max()
    }
}

/// A host name (looked up by NAPTR, SRV, then A/AAAA) or an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TrunkServer {
    pub host: String,
    pub port: Option<u16>,
    /// `None` leaves the choice to DNS (RFC 3263 §4.1), and is UDP where DNS says nothing.
    pub transport: Option<Transport>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Credentials {
    pub user: String,
    pub password: String,
    /// Our address of record at the far end: `sip:user@host`.
    pub aor: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).field("aor", &self.aor).finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    pub id: AgentId,
    pub name: String,
    /// `None`: this agent cannot register (a static contact is used).
    pub password: Option<String>,
    /// A phone that is always at this SIP URI and never registers.
    pub contact: Option<String>,
    /// Queues in order of preference.
    pub queues: Vec<QueueId>,
    /// Of those, the ones they serve in the hours of a calendar only, each with its name.
    pub schedules: BTreeMap<QueueId, String>,
    pub call_preference: CallPreference,
    /// With a level each, from 1 (a beginner) to 5.
    pub skills: BTreeMap<Skill, u8>,
    pub codecs: Vec<Codec>,
    pub language: Language,
    #[serde(default)]
    pub srtp: Srtp,
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent").field("id", &self.id).field("queues", &self.queues).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    pub id: QueueId,
    /// How long one agent's phone rings before the next is tried.
    pub ring_timeout: Duration,
    pub wrap_up: Duration,
    /// The target of the service level: an answer within this time is in time.
    pub answer_within: Duration,
    /// A step of priority is worth so much waiting: who has priority 2 stands where an ordinary caller would who had
    /// come two steps earlier. Three times `answer_within` when `None`; when zero no wait makes up for a priority.
    pub priority_step: Option<Duration>,
    /// How less is asked of the agent as time goes by, for those of whom the plan says nothing else.
    pub widen: Vec<Widening>,
    pub choice: Choice,
    /// So many agents are rung at once for a caller who comes, as far as they are free.
    pub ring_at_once: usize,
    /// Unanswered calls in a row after which the agent is `not_responding`.
    pub max_no_answer: u32,
    /// An agent who could not be reached, was busy or refused is not offered the same call again for this long.
    pub retry_delay: Duration,
    /// Prompt played in a loop to those who wait.
    pub music: String,
    /// The position is announced this often; never when zero.
    pub announce_position: Duration,
    /// What else is said to those who wait, where the plan says nothing else.
    pub comfort: Vec<Comfort>,
    /// After something was said the music goes on from where it was; from its beginning where not.
    pub music_resumes: bool,
    /// Callers waiting at once; the next one leaves the queue with result `full`.
    pub max_waiting: Option<usize>,
    /// In percent: what share of their time agents may well handle contacts. Above it they are worn out, and get no cold
    /// work.
    pub occupancy_band: (u8, u8),
    pub callback: CallbackRules,
    /// Of its recordings; as the centre's where it says nothing.
    #[serde(default)]
    pub keep: Keep,
    /// The centre's when `None`.
    #[serde(default)]
    pub supervision: Option<SupervisionNotice>,
    /// What agents say to its callers, by language: they read it at their desk.
    #[serde(default)]
    pub script: BTreeMap<Language, String>,
}

impl Queue {
    /// A queue of which the configuration says no more than its name.
    pub fn new(id: QueueId) -> Queue {
        Queue {
            id,
            ring_timeout: Duration::from_secs(20),
            wrap_up: Duration::from_secs(10),
            answer_within: Duration::from_secs(20),
            priority_step: None,
            widen: Vec::new(),
            choice: Choice::default(),
            ring_at_once: 1,
            max_no_answer: 2,
            retry_delay: Duration::from_secs(10),
            music: "music/default".to_owned(),
            announce_position: Duration::from_secs(60),
            comfort: Vec::new(),
            music_resumes: true,
            max_waiting: None,
            occupancy_band: OCCUPANCY_BAND,
            callback: CallbackRules::default(),
            keep: Keep::default(),
            supervision: None,
            script: BTreeMap::new(),
        }
    }
}

/// 60 to 80 % is what the trade calls healthy.
pub const OCCUPANCY_BAND: (u8, u8) = (60, 80);

/// What an agent who serves several queues goes by, of calls of the same priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallPreference {
    /// Who needs it most: the call that has waited longest, measured by its queue's target.
    #[default]
    GreatestNeed,
    /// The order of their queues.
    QueueOrder,
}

impl CallPreference {
    pub const ALL: [CallPreference; 2] = [CallPreference::GreatestNeed, CallPreference::QueueOrder];

    /// As it is configured.
    pub fn name(self) -> &'static str {
        match self {
            CallPreference::GreatestNeed => "greatest_need",
            CallPreference::QueueOrder => "queue_order",
        }
    }
}

/// Whether the media to and from a trunk or phone is protected with keys in the session description (RFC 4568). Browsers
/// agree on theirs in another way, and always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Srtp {
    /// As `Prefer` where the signalling is by TLS, else as `Off`.
    #[default]
    ByTransport,
    /// Not offered and not agreed to.
    Off,
    /// Offered so that the answer may leave it (RFC 8643), and agreed to.
    Prefer,
    /// Nothing else is spoken.
    Require,
}

impl Srtp {
    /// Those that can be configured.
    pub const ALL: [Srtp; 3] = [Srtp::Off, Srtp::Prefer, Srtp::Require];

    /// As it is configured; the default has no word.
    pub fn name(self) -> &'static str {
        match self {
            Srtp::ByTransport => "",
            Srtp::Off => "off",
            Srtp::Prefer => "prefer",
            Srtp::Require => "require",
        }
    }
}

/// Which of the agents who could take a contact is rung.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Who has had nothing to do for the longest time.
    #[default]
    LongestIdle,
    /// Who has handled contacts for the smallest part of the last time.
    LeastOccupied,
    /// Who has the highest levels in the skills asked for.
    BestSkill,
    /// One after the other, as the configuration names them.
    RoundRobin,
}

impl Choice {
    pub const ALL: [Choice; 4] = [Choice::LongestIdle, Choice::LeastOccupied, Choice::BestSkill, Choice::RoundRobin];

    /// As it is configured.
    pub fn name(self) -> &'static str {
        match self {
            Choice::LongestIdle => "longest_idle",
            Choice::LeastOccupied => "least_occupied",
            Choice::BestSkill => "best_skill",
            Choice::RoundRobin => "round_robin",
        }
    }
}

/// When and how often a queue calls back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallbackRules {
    /// Customers are rung within these hours only; at any time when `None`.
    pub calendar: Option<String>,
    /// Attempts that reach nobody before it is given up.
    pub attempts: u32,
    /// Until the next attempt.
    pub retry: Duration,
    /// The same where the line was busy.
    pub retry_busy: Duration,
    pub ring_timeout: Duration,
    /// Promises at once; the next caller hears that there can be none.
    pub most: usize,
    /// Which of them are cold work.
    pub cold: Cold,
    /// Cold work goes to agents who have been idle for so long.
    pub idle: Duration,
    /// Cold work is held back for so long at most, from the time it comes into line; then it is served like any caller.
    pub hold_back: Duration,
    /// Callers who gave up are called back.
    pub abandoned: Option<AbandonedRule>,
}

/// Cold work is what nobody waits for on the line. It is done when agents have little else to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cold {
    /// Every call-back stands in line like a caller.
    None,
    /// Those asked for on the web, and those of callers who gave up; who asked for it in a call keeps the place.
    #[default]
    Unplaced,
    All,
}

impl Cold {
    pub const ALL: [Cold; 3] = [Cold::None, Cold::Unplaced, Cold::All];

    /// As it is configured.
    pub fn name(self) -> &'static str {
        match self {
            Cold::None => "none",
            Cold::Unplaced => "unplaced",
            Cold::All => "all",
        }
    }
}

/// Who hangs up in the queue is called back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbandonedRule {
    /// After so long a wait; who leaves sooner had no need.
    pub after: Duration,
    /// The hours in which people who did not ask for it may be rung, besides those of all call-backs.
    pub calendar: Option<String>,
}

impl Default for CallbackRules {
    fn default() -> CallbackRules {
        CallbackRules {
            calendar: None,
            attempts: 3,
            retry: Duration::from_secs(600),
            retry_busy: Duration::from_secs(180),
            ring_timeout: Duration::from_secs(30),
            most: 200,
            cold: Cold::default(),
            idle: Duration::from_secs(3),
            hold_back: Duration::from_secs(15 * 60),
            abandoned: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expert {
    pub id: ExpertId,
    pub name: String,
    /// SIP URI on the company's own telephony.
    pub address: String,
    /// What they know about.
    pub competence: Vec<String>,
    /// The calendar of their hours; always there when `None`.
    pub calendar: Option<String>,
    /// Reached by the servers of this trunk; by the address itself when `None`.
    pub trunk: Option<TrunkId>,
    /// Their telephony is subscribed to, for `presence` and `dialog`.
    pub subscribe: bool,
    /// Their telephony is asked by OPTIONS this often; never when zero.
    pub options_interval: Duration,
    /// What is told of them by the API counts for so long.
    pub told_stale: Duration,
}

/// An HTTP service outside. Its secrets stay in their files: only the shell that sends reads them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub id: ServiceId,
    /// `https://crm.example.com/api`, without a slash at its end; what plans ask for begins after it.
    pub base_url: String,
    /// A plan may name a whole URL of any host.
    pub any_url: bool,
    /// Sent with every request.
    pub headers: BTreeMap<String, String>,
    /// A file with a token: sent as `Authorization: Bearer`.
    pub token_file: Option<PathBuf>,
    /// A file with the secret that webhooks are signed by.
    pub secret_file: Option<PathBuf>,
    /// Certificates (PEM) trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Look-ups under way at once; the next one is `busy`.
    pub max_concurrent: usize,
    /// Answers kept for look-ups that say `cache_s`.
    pub cache_entries: usize,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("id", &self.id).field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl Expert {
    /// An expert of whom the configuration says no more than where they are.
    pub fn new(id: ExpertId, address: String) -> Expert {
        Expert {
            name: format!("Expert {id}"),
            id,
            address,
            competence: Vec::new(),
            calendar: None,
            trunk: None,
            subscribe: true,
            options_interval: Duration::from_secs(20),
            told_stale: Duration::from_secs(3_600),
        }
    }

    /// Whether a number is this expert's: the id, or the user part of the address.
    pub fn is_dialled_by(&self, number: &str) -> bool {
        self.id.as_str() == number || user_of(&self.address) == Some(number)
    }
}

/// The user part of a SIP URI as it is written in configuration.
pub fn user_of(address: &str) -> Option<&str> {
    Some(address.split_once(':')?.1.split_once('@')?.0)
}

/// An engine of speech recognition and where it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Speech {
    pub id: String,
    pub engine: SpeechEngine,
    /// What it understands.
    pub languages: Vec<Language>,
    /// Conversations at once; the next one goes to another engine or is told that all are busy.
    pub streams: usize,
    pub place: SpeechPlace,
    /// From the end of speech to its words; an engine that takes longer has failed.
    pub answer_within: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpeechEngine {
    Vosk,
    Whisper,
    /// Somebody else's vosk-server.
    VoskServer,
}

impl SpeechEngine {
    /// As written in configuration.
    pub fn name(self) -> &'static str {
        match self {
            SpeechEngine::Vosk => "vosk",
            SpeechEngine::Whisper => "whisper",
            SpeechEngine::VoskServer => "vosk-server",
        }
    }

    /// Our worker for it.
    pub fn program(self) -> Option<&'static str> {
        match self {
            SpeechEngine::Vosk => Some("relais-speech"),
            SpeechEngine::Whisper => Some("relais-whisper"),
            SpeechEngine::VoskServer => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SpeechPlace {
    /// A worker that we start.
    Child(SpeechChild),
    /// One that somebody else runs.
    Remote(SpeechRemote),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpeechChild {
    /// The worker's program; the one beside our own where it is `None`.
    pub program: Option<PathBuf>,
    /// The folder of the model.
    pub model: PathBuf,
    /// A worker that needs more bytes is ended and started anew.
    pub memory: u64,
    /// How far it stands back for other processes: 0 to 19.
    pub nice: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpeechRemote {
    pub scheme: SpeechScheme,
    /// A name or an address.
    pub host: String,
    pub port: u16,
    /// Whom TLS trusts; the web's authorities where it is `None`.
    pub ca_file: Option<PathBuf>,
    /// Holds the worker's token.
    pub token_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpeechScheme {
    Tcp,
    Tls,
    Ws,
    Wss,
}

impl SpeechScheme {
    pub fn name(self) -> &'static str {
        match self {
            SpeechScheme::Tcp => "tcp",
            SpeechScheme::Tls => "tls",
            SpeechScheme::Ws => "ws",
            SpeechScheme::Wss => "wss",
        }
    }

    pub fn is_encrypted(self) -> bool {
        matches!(self, SpeechScheme::Tls | SpeechScheme::Wss)
    }
}
