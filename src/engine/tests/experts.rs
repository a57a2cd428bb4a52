//! The presence of experts, against a telephony whose every message is the test's.

use super::consult::{EXPERT, PLAN, centre};
use super::dial_out::acme;
use super::*;
use crate::settings::Expert;
use crate::sip::message::Uri;
use crate::views::{ApiRequest, ExpertSource, ExpertView, Presence, Steering};

/// Where its phones are: it grants what is in `packages`, for `expires` seconds, and tells of `state`.
struct Telephony {
    bench: Bench,
    packages: Vec<&'static str>,
    expires: u32,
    state: &'static str,
    subscriptions: Vec<Subscription>,
    /// A machine that is dead takes nothing and says nothing.
    dead: bool,
    /// The status of its answer to OPTIONS.
    options: u16,
    /// SUBSCRIBEs that came, as `presence 300`; with a `+` in a dialog.
    asked: Vec<String>,
    /// What we answered to its NOTIFYs.
    answers: Vec<u16>,
}

struct Subscription {
    subscribe: Request,
    package: String,
    cseq: u32,
    version: u32,
}

fn settings() -> Settings {
    let expert =
        Expert { competence: vec!["tax".to_owned()], ..Expert::new("301".into(), format!("sip:301@{EXPERT}")) };
    Settings { experts: vec![expert], ..acme() }
}

fn pidf(state: &str) -> String {
    let basic = if state == "offline" { "closed" } else { "open" };
    let activity = match state {
        "busy" => "<rpid:on-the-phone/>",
        "away" => "<rpid:away/>",
        _ => "",
    };
    format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' \
         xmlns:rpid='urn:ietf:params:xml:ns:pidf:rpid' entity='sip:301@example.com'><tuple id='t'><status><basic>{basic}\
         </basic></status></tuple><dm:person id='p'><rpid:activities>{activity}</rpid:activities></dm:person></presence>"
    )
}

fn dialog_info(version: u32, kind: &str, state: &str) -> String {
    let dialog = if state == "busy" { "<dialog id='d'><state>confirmed</state></dialog>" } else { "" };
    format!(
        "<dialog-info xmlns='urn:ietf:params:xml:ns:dialog-info' version='{version}' state='{kind}' \
         entity='sip:301@example.com'>{dialog}</dialog-info>"
    )
}

impl Telephony {
    fn new(packages: &[&'static str]) -> Telephony {
        Telephony::with(settings(), packages)
    }

    fn with(settings: Settings, packages: &[&'static str]) -> Telephony {
        let bench = Bench::with_plan(settings, "");
        let (subscriptions, asked, answers) = Default::default();
        let packages = packages.to_vec();
        Telephony {
            bench,
            packages,
            expires: 120,
            state: "free",
            subscriptions,
            dead: false,
            options: 200,
            asked,
            answers,
        }
    }

    /// Answers what was sent to it.
    fn answer(&mut self) {
        while let Some((to, message)) = self.bench.sent.pop_front() {
            let at = to.to_string();
            match message {
                _ if self.dead => {}
                Message::Request(request) if request.method == Method::Options => {
                    self.bench.respond(&at, &request, self.options, &[]);
                }
                Message::Request(request) if request.method == Method::Subscribe => self.subscribed(&at, request),
                Message::Request(_) => {}
                Message::Response(response) => self.answers.push(response.code()),
            }
        }
    }

    fn subscribed(&mut self, at: &str, request: Request) {
        let package = request.headers.get("Event").unwrap().to_owned();
        let wanted = request.headers.expires().unwrap();
        let inside = if request.core.to.tag().is_some() { "+" } else { "" };
        self.asked.push(format!("{package} {wanted}{inside}"));
        if !self.packages.contains(&package.as_str()) {
            return self.bench.respond(at, &request, 489, &[("Allow-Events", "nothing")]);
        }
        let granted = wanted.min(self.expires);
        let known = self.subscriptions.iter().position(|known| known.subscribe.core.call_id == request.core.call_id);
        if known.is_none() && !inside.is_empty() {
            return self.bench.respond(at, &request, 481, &[]);
        }
        self.bench.respond(
            at,
            &request,
            200,
            &[("Expires", &granted.to_string()), ("Contact", "<sip:301@192.0.2.71>")],
        );
        let index = known.unwrap_or(self.subscriptions.len());
        if known.is_none() {
            self.subscriptions.push(Subscription { subscribe: request, package, cseq: 0, version: 0 });
        }
        let state =
            if granted == 0 { "terminated;reason=timeout".to_owned() } else { format!("active;expires={granted}") };
        self.tell(index, &state);
        if granted == 0 {
            self.subscriptions.remove(index);
        }
    }

    fn tell(&mut self, index: usize, state: &str) {
        let subscription = &mut self.subscriptions[index];
        let (kind, body) = match subscription.package.as_str() {
            "dialog" => ("application/dialog-info+xml", dialog_info(subscription.version, "full", self.state)),
            _ => ("application/pidf+xml", pidf(self.state)),
        };
        subscription.version += 1;
        self.notify(index, state, kind, &body);
    }

    fn notify(&mut self, index: usize, state: &str, kind: &str, body: &str) {
        let text = self.notification(index, state, kind, body);
        self.bench.receive(EXPERT, Message::parse(text.as_bytes()).unwrap());
        self.answer();
    }

    /// The next NOTIFY, as text that a test may spoil.
    fn notification(&mut self, index: usize, state: &str, kind: &str, body: &str) -> String {
        let subscription = &mut self.subscriptions[index];
        subscription.cseq += 1;
        let (core, cseq) = (&subscription.subscribe.core, subscription.cseq);
        format!(
            "NOTIFY sip:relais@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {EXPERT};branch=z9hG4bK{}{cseq}\r\n\
             From: {};tag=peer\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} NOTIFY\r\nContact: <sip:301@{EXPERT}>\r\n\
             Event: {}\r\nSubscription-State: {state}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            subscription.package,
            core.to,
            core.from,
            core.call_id,
            subscription.package,
            body.len()
        )
    }

    /// The state changes, and every subscriber is told.
    fn change(&mut self, state: &'static str) {
        self.state = state;
        for index in 0..self.subscriptions.len() {
            self.tell(index, "active");
        }
    }

    fn run(&mut self, time: f64) {
        let end = self.bench.now.instant + seconds(time);
        self.answer();
        while self.bench.now.instant < end {
            self.bench.wait(seconds(0.1));
            self.answer();
        }
    }

    fn view(&self) -> ExpertView {
        self.bench.engine.expert_view(&"301".into(), self.bench.now).unwrap()
    }

    /// The presence, and whose word it is.
    fn known(&self) -> (Presence, Option<ExpertSource>) {
        (self.view().presence, self.view().source)
    }

    /// What was published of the expert since the last look.
    fn published(&mut self) -> Vec<Presence> {
        let mut seen = Vec::new();
        self.bench.other.retain(|command| match command {
            Command::Publish(Change::Expert(view)) => {
                seen.push(view.presence);
                false
            }
            _ => true,
        });
        seen
    }

    fn told(&mut self, state: Presence) -> Result<serde_json::Value, ApiError> {
        let id = RequestId(1);
        self.bench.other.clear();
        let request = ApiRequest::SetPresence { expert: "301".into(), presence: state };
        self.bench.input(Input::Api { id, request });
        let reply = self.bench.other.iter().find_map(|command| match command {
            Command::Reply { result, .. } => Some(result.clone()),
            _ => None,
        });
        reply.expect("a reply")
    }
}

const FREE: (Presence, Option<ExpertSource>) = (Presence::Free, Some(ExpertSource::Presence));
const IDLE: (Presence, Option<ExpertSource>) = (Presence::Free, Some(ExpertSource::Dialog));
const ON_THE_LINE: (Presence, Option<ExpertSource>) = (Presence::Busy, Some(ExpertSource::Dialog));
const UNKNOWN: (Presence, Option<ExpertSource>) = (Presence::Unknown, None);

#[test]
fn presence_documents_reach_the_view_and_the_stream_with_the_notify_itself() {
    let mut far = Telephony::new(&["presence"]);
    assert_eq!(far.known(), UNKNOWN);
    assert_eq!(far.view().presence_age_ms, None);
    assert_eq!(far.published(), [Presence::Unknown], "those who begin to look see that nothing is known");
    far.run(1.0);
    assert_eq!(far.known(), FREE);
    far.published();
    for (state, presence) in
        [("busy", Presence::Busy), ("away", Presence::Away), ("offline", Presence::Offline), ("free", Presence::Free)]
    {
        far.change(state);
        assert_eq!(far.published(), [presence], "in the same input");
        far.bench.restore();
        assert_eq!(far.known(), (presence, Some(ExpertSource::Presence)));
    }
    far.run(3.0);
    let view = far.view();
    assert_eq!((view.presence_age_ms, view.reachable, view.open), (Some(3_000), Some(true), true));
    assert_eq!((view.name.as_str(), view.competence), ("Expert 301", vec!["tax".to_owned()]));
    assert!(far.answers.iter().all(|status| *status == 200), "{:?}", far.answers);
}

#[test]
fn where_only_the_line_is_told_that_is_used() {
    let mut far = Telephony::new(&["dialog"]);
    far.run(1.0);
    assert_eq!(far.known(), IDLE);
    far.change("busy");
    assert_eq!(far.known(), ON_THE_LINE);
    far.change("free");
    assert_eq!(far.known(), IDLE);
    far.run(300.0);
    let refused = far.asked.iter().filter(|asked| asked.starts_with("presence")).count();
    assert_eq!(refused, 1, "what is not offered is not asked for every few seconds");
}

#[test]
fn an_idle_line_hides_nothing_and_one_that_is_missing_is_never_free() {
    let mut far = Telephony::new(&["presence", "dialog"]);
    far.run(1.0);
    assert_eq!(far.known(), IDLE);
    far.change("away");
    assert_eq!(far.known(), (Presence::Away, Some(ExpertSource::Presence)));
    far.change("busy");
    assert_eq!(far.known(), ON_THE_LINE);
    far.change("free");
    assert_eq!(far.known(), IDLE);
    // The presence is lost: the idle line alone does not say that the expert is not away.
    let presence = far.subscriptions.iter().position(|known| known.package == "presence").unwrap();
    far.notify(presence, "terminated;reason=giveup", "application/pidf+xml", "");
    assert_eq!(far.known().0, Presence::Unknown);
    far.subscriptions.remove(presence);
    far.run(10.0);
    assert_eq!(far.known(), IDLE, "subscribed to again");
}

#[test]
fn a_subscription_is_refreshed_in_its_dialog_before_it_expires() {
    let mut far = Telephony::new(&["presence"]);
    far.expires = 20;
    far.run(61.0);
    let presence: Vec<&String> = far.asked.iter().filter(|asked| asked.starts_with("presence")).collect();
    assert_eq!(
        presence,
        [
            "presence 300",
            "presence 300+",
            "presence 300+",
            "presence 300+",
            "presence 300+",
            "presence 300+",
            "presence 300+"
        ]
    );
    assert_eq!((far.known(), far.subscriptions.len()), (FREE, 1));
    assert!(far.view().presence_age_ms.unwrap() <= 10_000, "each refresh confirms it");
}

#[test]
fn a_death_shows_within_a_minute_and_a_return_at_once() {
    for expires in [20, 3_600] {
        let mut far = Telephony::new(&["presence", "dialog"]);
        far.expires = expires;
        far.run(33.0);
        assert_eq!(far.known(), IDLE);
        far.dead = true;
        let died = far.bench.now.instant;
        while far.known() != UNKNOWN {
            far.run(0.5);
            assert!(far.bench.now.instant.since(died) <= seconds(60.0), "still {:?}", far.known());
        }
        let age = far.view().presence_age_ms.unwrap();
        assert!(age >= 8_000, "the age is that of the last word: {age}");
        assert_eq!(
            far.view().warning(),
            Some(format!("the presence of expert 301 has been unknown for {} s", age / 1_000))
        );
        far.run(600.0);
        assert_eq!((far.known(), far.view().reachable), (UNKNOWN, Some(false)));
        (far.dead, far.state) = (false, "busy");
        far.subscriptions.clear();
        far.run(30.0);
        assert_eq!((far.known(), far.view().reachable), (ON_THE_LINE, Some(true)));
    }
}

#[test]
fn without_options_a_death_shows_by_the_expiry() {
    let mut settings = settings();
    settings.experts[0].options_interval = Duration::ZERO;
    let mut far = Telephony::with(settings, &["presence"]);
    far.run(100.0);
    assert_eq!((far.known(), far.asked[0].as_str()), (FREE, "presence 60"));
    far.dead = true;
    far.run(61.0);
    assert_eq!(far.known(), UNKNOWN);
}

#[test]
fn a_telephony_that_ignores_options_is_watched_by_refreshes() {
    let mut far = Telephony::new(&["presence"]);
    far.expires = 3_600;
    for _ in 0..600 {
        far.bench.wait(seconds(0.1));
        far.bench
            .sent
            .retain(|(_, message)| !matches!(message, Message::Request(request) if request.method == Method::Options));
        far.answer();
    }
    assert_eq!(far.known(), FREE);
    let before = far.published();
    let mut since_known = before.iter().skip_while(|presence| **presence == Presence::Unknown);
    assert!(since_known.all(|presence| *presence == Presence::Free), "it never flaps: {before:?}");
    far.dead = true;
    far.run(60.0);
    assert_eq!(far.known(), UNKNOWN);
}

#[test]
fn a_notifier_that_insists_on_longer_is_obeyed() {
    let mut far = Telephony::new(&[]);
    let (_, first) = far.bench.request(Method::Subscribe);
    far.bench.sent.clear();
    far.bench.respond(EXPERT, &first, 423, &[("Min-Expires", "1800")]);
    let again = far.bench.request(Method::Subscribe).1;
    assert_eq!((again.headers.get("Event"), again.headers.get("Expires")), (first.headers.get("Event"), Some("1800")));
    assert_eq!((&again.core.call_id, again.core.cseq.number), (&first.core.call_id, first.core.cseq.number + 1));
    far.bench.sent.clear();
    far.bench.respond(EXPERT, &again, 423, &[("Min-Expires", "1800")]);
    far.bench.wait(seconds(4.0));
    let presence = far.bench.sent.iter().filter(|(_, message)| match message {
        Message::Request(request) => request.headers.get("Event") == Some("presence"),
        Message::Response(_) => false,
    });
    assert_eq!(presence.count(), 0, "who says it twice is not asked in a circle");
}

#[test]
fn a_notify_is_answered_in_the_right_dialog_alone() {
    let mut far = Telephony::new(&["presence"]);
    far.run(1.0);
    far.answers.clear();
    let good = |far: &mut Telephony| far.notification(0, "active", "application/pidf+xml", &pidf("busy"));
    let spoil: [(&str, &str, u16); 6] = [
        ("Call-ID: ", "Call-ID: x", 481),
        (";tag=peer", ";tag=other", 481),
        ("Event: presence", "Event: dialog", 489),
        ("Subscription-State: active\r\n", "", 400),
        ("Content-Type: application/pidf+xml", "Content-Type: text/plain", 415),
        ("NOTIFY", "MESSAGE", 405),
    ];
    for (what, with, status) in spoil {
        let text = good(&mut far).replace(what, with);
        far.bench.receive(EXPERT, Message::parse(text.as_bytes()).unwrap());
        far.answer();
        assert_eq!((far.answers.pop(), far.known()), (Some(status), FREE), "{what} {with}");
    }
    // One that comes late says what was.
    let late = good(&mut far);
    far.change("away");
    far.answers.clear();
    far.bench.receive(EXPERT, Message::parse(late.as_bytes()).unwrap());
    far.answer();
    assert_eq!((far.answers.pop(), far.known().0), (Some(500), Presence::Away));
    // A repetition is answered again and taken once.
    far.published();
    let text = good(&mut far);
    for _ in 0..2 {
        far.bench.receive(EXPERT, Message::parse(text.as_bytes()).unwrap());
        far.answer();
    }
    assert_eq!(far.published(), [Presence::Busy]);
    assert_eq!(far.answers, [200, 200]);
}

#[test]
fn what_is_terminated_is_begun_again_at_once_or_ever_later() {
    let mut far = Telephony::new(&["presence"]);
    far.run(40.0);
    // A notifier that moves: at once.
    far.asked.clear();
    let text = far.notification(0, "terminated;reason=deactivated", "application/pidf+xml", "");
    far.subscriptions.clear();
    far.bench.receive(EXPERT, Message::parse(text.as_bytes()).unwrap());
    assert_eq!(far.known().0, Presence::Unknown);
    far.run(0.2);
    assert_eq!((far.asked.as_slice(), far.known()), (&["presence 300".to_owned()][..], FREE));
    // One that ends every subscription as soon as it has begun is not asked in a circle.
    far.asked.clear();
    for _ in 0..6_000 {
        far.run(0.1);
        while !far.subscriptions.is_empty() {
            far.notify(0, "terminated;reason=deactivated", "application/pidf+xml", "");
            far.subscriptions.remove(0);
        }
    }
    let asked = far.asked.iter().filter(|asked| asked.starts_with("presence")).count();
    assert!((4..=10).contains(&asked), "{asked} in ten minutes");
    // It says when.
    let mut far = Telephony::new(&["presence"]);
    far.run(1.0);
    far.asked.clear();
    far.notify(0, "terminated;reason=probation;retry-after=90", "application/pidf+xml", "");
    far.subscriptions.clear();
    far.run(89.0);
    assert_eq!(far.asked, [] as [&str; 0]);
    far.run(2.0);
    assert_eq!(far.known(), FREE);
}

#[test]
fn a_notifier_that_has_forgotten_us_is_subscribed_to_anew() {
    let mut far = Telephony::new(&["presence"]);
    far.run(50.0);
    far.subscriptions.clear();
    far.asked.clear();
    far.run(60.0);
    let presence: Vec<&String> = far.asked.iter().filter(|asked| asked.starts_with("presence")).collect();
    assert_eq!(presence, ["presence 300+", "presence 300"], "481 in the dialog, then outside of it");
    assert_eq!(far.known(), FREE);
}

#[test]
fn what_nobody_has_allowed_yet_and_what_cannot_be_read_is_not_known() {
    let mut far = Telephony::new(&["presence"]);
    far.run(1.0);
    let kind = "application/pidf+xml";
    far.notify(0, "pending", kind, &pidf("free"));
    assert_eq!(far.known().0, Presence::Unknown, "pending");
    let lol = "<!DOCTYPE a [<!ENTITY a 'x'><!ENTITY b '&a;&a;'>]><presence>&b;</presence>";
    for body in [lol, "<presence", "<dialog-info version='0' state='full'/>", "\u{1f600}"] {
        far.notify(0, "active", kind, &pidf("free"));
        assert_eq!(far.known(), FREE);
        far.notify(0, "active", kind, body);
        assert_eq!(far.known().0, Presence::Unknown, "{body}");
        assert!(
            far.bench.logs.iter().any(|line| line.contains("document of their telephony is not read")),
            "{:?}",
            far.bench.logs
        );
    }
    far.notify(0, "active", kind, "");
    assert_eq!(far.known().0, Presence::Unknown, "a document that says nothing");
}

#[test]
fn missing_changes_of_a_line_are_asked_for_once() {
    let mut far = Telephony::new(&["dialog"]);
    far.run(1.0);
    let kind = "application/dialog-info+xml";
    far.notify(0, "active", kind, &dialog_info(1, "partial", "busy"));
    assert_eq!(far.known(), ON_THE_LINE);
    far.asked.clear();
    // Version 2 was lost. The whole comes with the refresh.
    far.subscriptions[0].version = 9;
    far.dead = true;
    far.notify(0, "active", kind, &dialog_info(3, "partial", "free"));
    assert_eq!(far.known().0, Presence::Unknown);
    far.dead = false;
    far.run(1.0);
    assert_eq!(far.known(), IDLE);
    // A device that never tells the whole is not asked in a circle.
    far.asked.clear();
    far.packages.clear();
    for version in 20..30 {
        far.notify(0, "active", kind, &dialog_info(version * 2, "partial", "busy"));
    }
    assert!(far.asked.len() <= 1, "{:?}", far.asked);
}

#[test]
fn where_nothing_is_granted_options_tells_what_it_can_and_never_free() {
    for (status, presence, reachable) in [
        (200, Presence::Unknown, true),
        (405, Presence::Unknown, true),
        (486, Presence::Busy, true),
        (480, Presence::Offline, true),
        (404, Presence::Offline, true),
    ] {
        let mut far = Telephony::new(&[]);
        far.options = status;
        far.run(30.0);
        assert_eq!(far.known(), (presence, Some(ExpertSource::Options)), "{status}");
        assert_eq!(far.view().reachable, Some(reachable));
        far.dead = true;
        far.run(60.0);
        assert_eq!((far.known(), far.view().reachable), (UNKNOWN, Some(false)));
    }
}

#[test]
fn what_the_api_tells_counts_until_it_is_stale() {
    let mut settings = settings();
    settings.experts[0] = Expert { told_stale: seconds(600.0), subscribe: false, ..settings.experts[0].clone() };
    settings.experts[0].options_interval = Duration::ZERO;
    let mut far = Telephony::with(settings, &[]);
    let told = far.told(Presence::Free).unwrap();
    assert_eq!((told["presence"].as_str(), told["source"].as_str()), (Some("free"), Some("api")));
    assert_eq!(told["presence_age_ms"], 0);
    far.run(599.0);
    assert_eq!(far.known(), (Presence::Free, Some(ExpertSource::Api)));
    far.bench.restore();
    far.run(2.0);
    assert_eq!((far.known(), far.view().presence_age_ms), (UNKNOWN, Some(601_000)), "stale is never free");
    far.told(Presence::Busy).unwrap();
    assert_eq!(far.known().0, Presence::Busy);
    far.told(Presence::Unknown).unwrap();
    assert_eq!(far.known().0, Presence::Unknown, "taken back");
    let request = ApiRequest::SetPresence { expert: "310".into(), presence: Presence::Busy };
    far.bench.input(Input::Api { id: RequestId(2), request });
    let refused = far.bench.other.iter().find_map(|command| match command {
        Command::Reply { result: Err(error), .. } => Some((error.status, error.message.clone())),
        _ => None,
    });
    let (status, message) = refused.unwrap();
    assert!(status == 404 && message.contains("did you mean '301'"), "{message}");
}

#[test]
fn an_expert_who_is_gone_from_the_configuration_is_unsubscribed_from() {
    let mut far = Telephony::new(&["presence", "dialog"]);
    far.run(1.0);
    far.asked.clear();
    let mut without = settings();
    without.experts.clear();
    far.bench.reload(without);
    far.answer();
    far.asked.sort();
    assert_eq!(far.asked, ["dialog 0+", "presence 0+"]);
    assert!(far.bench.other.contains(&Command::Publish(Change::ExpertGone { id: "301".into() })));
    far.run(60.0);
    let counts = far.bench.engine.counts();
    assert_eq!((counts.ua.subscriptions, counts.ua.requests, counts.ua.transactions), (0, 0, 0), "{counts:?}");
    far.bench.reload(settings());
    far.run(1.0);
    assert_eq!(far.known(), IDLE);
}

#[test]
fn an_expert_at_a_host_name_is_reached_by_the_servers_of_their_trunk() {
    let mut settings = acme();
    let credentials =
        Credentials { user: "u".to_owned(), password: "p".to_owned(), aor: "sip:centre@pbx.test".to_owned() };
    settings.trunks[1].register = Some(credentials);
    let address = "sip:ada@pbx.test".to_owned();
    settings.experts = vec![Expert { trunk: Some("acme".into()), ..Expert::new("301".into(), address) }];
    let mut bench = Bench::with_plan(settings, "");
    let (to, subscribe) = bench.request(Method::Subscribe);
    assert_eq!((to.as_str(), subscribe.uri.to_string()), ("192.0.2.1:5060", "sip:ada@pbx.test".to_owned()));
    let Uri::Sip(from) = &subscribe.core.from.uri else { panic!("{}", subscribe.core.from) };
    assert_eq!(from.user.as_deref(), Some("centre"));
    let asks = ("WWW-Authenticate", "Digest realm=\"pbx\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"");
    bench.sent.clear();
    bench.respond("192.0.2.1:5060", &subscribe, 401, &[asks]);
    let (_, proved) = bench.request(Method::Subscribe);
    assert!(proved.headers.get("Authorization").is_some_and(|proof| proof.contains("username=\"u\"")));
    assert_eq!(proved.core.cseq.number, 2);
}

#[test]
fn an_agent_who_asks_a_busy_expert_or_one_out_of_hours_is_told_so() {
    let mut settings = centre();
    settings.experts[0].subscribe = true;
    // No calendar of this name is known here, so it is never open.
    settings.experts[0].calendar = Some("never".to_owned());
    let mut far = Telephony::with(settings, &["dialog"]);
    far.state = "busy";
    far.run(1.0);
    assert_eq!((far.known(), far.view().open), (ON_THE_LINE, false));
    assert_eq!(far.view().warning().unwrap(), "expert 301 is busy, as of 1 s ago; expert 301 is out of hours");

    let mut settings = centre();
    settings.experts[0].calendar = Some("never".to_owned());
    let mut talk = super::consult::Talk::with(settings);
    let reply = talk.steer(Steering::Consult { to: "expert:301".to_owned(), briefing: None }).unwrap();
    let consult = &reply["consult"];
    assert_eq!((consult["state"].as_str(), consult["presence"].as_str()), (Some("ringing"), Some("unknown")));
    assert_eq!(consult["open"], false);
    assert_eq!(consult["warning"], "the presence of expert 301 is unknown; expert 301 is out of hours");
}

#[test]
fn hours_of_experts_open_and_close_on_the_minute() {
    let mut settings = settings();
    settings.experts[0].calendar = Some("office".to_owned());
    let mut far = Telephony::with(settings, &["presence"]);
    assert!(!far.view().open, "a calendar that is not known is closed");
    let mut bench = far.bench.engine.plans.names().clone();
    let mut office = crate::ivr::Calendar { time_zone: "UTC".to_owned(), ..Default::default() };
    for day in crate::ivr::Calendar::days("mon-fri").unwrap() {
        office.weekly[day] = vec![crate::ivr::Hours::parse("10:02-10:05").unwrap()];
    }
    bench.calendars.insert("office".to_owned(), office);
    let source = Source { path: "plans/front.toml".to_owned(), text: PLAN.replace("sales", "x") };
    bench.queues.insert("x".into());
    let plans = Arc::new(Plans::load(vec![source], bench).unwrap());
    let settings = far.bench.engine.settings.clone();
    far.bench.input(Input::Reload { settings, plans });
    // The clock of the bench begins at ten.
    far.run(119.0);
    assert!(!far.view().open);
    far.published();
    far.run(2.0);
    assert!(far.view().open);
    assert_eq!(far.published(), [Presence::Free], "told to those who look");
    far.run(180.0);
    assert!(!far.view().open);
}
