//! Transfers to the outside: what may be dialled, by which server it goes, and what becomes of the caller.

use super::*;
use crate::record::{CallRecord, Disposition, Outcome, Party};
use crate::views::{ApiRequest, Change};

pub(super) const CALLER: &str = "192.0.2.50:5060";
pub(super) const FIRST: &str = "192.0.2.1:5060";
const SECOND: &str = "192.0.2.2:5060";
const NUMBER: &str = "+33155501";

/// The number 700 rings a number outside for ten seconds; what is not answered is written into the record's path, and
/// the call is refused.
pub(super) const TRANSFERS: &str = "name = 'front'\nnumbers = ['700']\n[[level]]\nname = 'out'\n[[level.rule]]\n\
    module = 'transfer'\nin = { to = 'tel:+33155501', ring_timeout_s = 10 }\n[[level]]\nname = 'end'\n[[level.rule]]\n\
    module = 'hangup'\n";
/// The same with a greeting before it.
const GREETS: &str = "name = 'front'\nnumbers = ['700']\n[[level]]\nname = 'hello'\n[[level.rule]]\nmodule = 'announce'\n\
    in = { prompt = 'greeting' }\n[[level]]\nname = 'out'\n[[level.rule]]\nmodule = 'transfer'\n\
    in = { to = 'tel:+33155501' }\n[[level]]\nname = 'end'\n[[level.rule]]\nmodule = 'hangup'\n";

pub(super) fn acme() -> Settings {
    let mut acme = trunk("acme");
    acme.servers = vec![server("192.0.2.1"), server("192.0.2.2")];
    acme.allow = vec!["+33".to_owned()];
    let mut callers = trunk("callers");
    callers.addresses = vec!["192.0.2.50/32".parse().unwrap()];
    Settings { trunks: vec![callers, acme], ..settings() }
}

pub(super) fn sdp(port: u16, direction: &str) -> String {
    format!(
        "v=0\r\no=- 1 {port} IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n\
         a={direction}\r\n"
    )
}

/// A request of the caller; `tag` is ours, once there is one.
pub(super) fn from_caller(method: &str, cseq: u32, tag: &str, more: &str, body: &str) -> Message {
    let to = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    let text = format!(
        "{method} sip:700@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bK{method}{cseq}\r\n\
         From: <sip:+33612345@example.com>;tag=c\r\nTo: <sip:700@127.0.0.1>{to}\r\nCall-ID: call\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:c@{CALLER}>\r\n{more}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Message::parse(text.as_bytes()).unwrap()
}

impl Bench {
    pub(super) fn calls_700(&mut self, max_forwards: &str) {
        let more = format!("Max-Forwards: {max_forwards}\r\nContent-Type: application/sdp\r\n");
        self.receive(CALLER, from_caller("INVITE", 1, "", &more, &sdp(4_000, "sendrecv")));
    }

    /// The INVITE to the outside, which has gone to `server`.
    pub(super) fn invited(&mut self, server: &str) -> Request {
        let (to, invite) = self.request(Method::Invite);
        assert_eq!(to, server);
        invite
    }

    pub(super) fn answer(&mut self, from: &str, request: &Request, status: u16, body: &str) {
        let mut response: Response = request.response(status.into(), Some("far"));
        response.headers.push("Contact", format!("<sip:far@{from}>"));
        response.headers.push("Content-Type", "application/sdp");
        response.body = body.to_owned().into();
        self.receive(from, Message::Response(response));
    }

    /// The statuses that the caller has been sent, with our tag in the last.
    pub(super) fn told(&mut self) -> (Vec<u16>, String) {
        let mut statuses = Vec::new();
        let mut tag = String::new();
        self.sent.retain(|(to, message)| match message {
            Message::Response(response) if *to == address(CALLER) => {
                statuses.push(response.code());
                tag = response.core.to.tag().unwrap_or_default().to_owned();
                false
            }
            _ => true,
        });
        statuses.dedup();
        (statuses, tag)
    }

    /// What the media threads would tell of the legs that were closed; the record follows.
    pub(super) fn record(&mut self) -> CallRecord {
        self.wait(seconds(0.3));
        self.records.pop().unwrap_or_else(|| panic!("no record; log: {:?}", self.logs))
    }

    /// A caller who talks with the number; our tag to the caller, and the INVITE that was answered.
    pub(super) fn talking(settings: Settings) -> (Bench, String, Request) {
        let mut bench = Bench::with_plan(settings, TRANSFERS);
        bench.calls_700("70");
        let invite = bench.invited(FIRST);
        bench.answer(FIRST, &invite, 200, &sdp(5_000, "sendrecv"));
        let (told, tag) = bench.told();
        assert_eq!(told, [100, 200]);
        bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
        (bench, tag, invite)
    }

    fn result(&mut self) -> (Option<String>, Vec<u16>) {
        let told = self.told().0;
        let record = self.record();
        assert_eq!(record.outcome, Some(Outcome::Failed), "{record:?}");
        assert_eq!(record.path.len(), 2, "the next level runs: {record:?}");
        (record.path[0].result.clone(), told)
    }
}

#[test]
fn a_number_is_rung_answered_and_talked_with() {
    let mut bench = Bench::with_plan(acme(), TRANSFERS);
    bench.calls_700("70");
    let invite = bench.invited(FIRST);
    assert_eq!(invite.uri.to_string(), "sip:+33155501@192.0.2.1");
    assert_eq!(invite.core.to.uri.to_string(), "sip:+33155501@192.0.2.1");
    assert_eq!(invite.core.from.uri.to_string(), "sip:+33612345@relais.test", "the caller's own number");
    assert_eq!(invite.max_forwards, Some(69), "RFC 7332: the count goes on");
    bench.answer(FIRST, &invite, 180, "");
    assert_eq!(bench.told().0, [100, 180]);
    bench.answer(FIRST, &invite, 200, &sdp(5_000, "sendrecv"));
    let (told, tag) = bench.told();
    assert_eq!(told, [200]);
    assert_eq!(bench.request(Method::Ack).0, "192.0.2.1:5060");
    let legs: Vec<LegId> = bench.engine.legs.keys().copied().collect();
    let hears = |from: LegId, to: LegId| move |command: &MediaCommand| matches!(command, MediaCommand::Hear { leg, sources } if *leg == to && sources[..] == [from]);
    let (one, other) = (*legs.iter().min().unwrap(), *legs.iter().max().unwrap());
    assert!(
        bench.media.iter().any(hears(one, other)) && bench.media.iter().any(hears(other, one)),
        "{:?}",
        bench.media
    );
    bench.wait(seconds(20.0));
    bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
    bench.receive(CALLER, from_caller("BYE", 2, &tag, "", ""));
    assert_eq!(bench.request(Method::Bye).0, "192.0.2.1:5060");
    let record = bench.record();
    assert_eq!((record.outcome, record.ended_by), (Some(Outcome::Handled), Some(Party::Caller)));
    assert_eq!((record.agent.clone(), record.talk_ms), (None, Some(20_000)));
    let legs: Vec<_> = record.legs.iter().map(|leg| (leg.role, leg.address.as_str(), leg.talk_ms)).collect();
    assert_eq!(legs, [(Party::Caller, "+33612345", 20_000), (Party::Outside, NUMBER, 20_000)]);
}

#[test]
fn the_one_outside_may_hang_up_and_hold() {
    let (mut bench, tag, invite) = Bench::talking(acme());
    let ours = invite.core.from.tag().unwrap().to_owned();
    let from_far = |method: &str, cseq: u32, body: &str| {
        let text = format!(
            "{method} sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {FIRST};branch=z9hG4bK{method}{cseq}\r\n\
             From: {};tag=far\r\nTo: <sip:us@relais.test>;tag={ours}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:far@{FIRST}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            invite.core.to,
            invite.core.call_id,
            body.len()
        );
        Message::parse(text.as_bytes()).unwrap()
    };
    bench.wait(seconds(5.0));
    bench.receive(FIRST, from_far("INVITE", 1, &sdp(5_000, "sendonly")));
    bench.receive(FIRST, from_far("ACK", 1, ""));
    bench.wait(seconds(3.0));
    bench.receive(FIRST, from_far("BYE", 2, ""));
    let (to, bye) = bench.request(Method::Bye);
    assert_eq!((to.as_str(), bye.core.from.tag()), (CALLER, Some(tag.as_str())));
    let record = bench.record();
    assert_eq!((record.outcome, record.ended_by), (Some(Outcome::Handled), Some(Party::Outside)));
    assert_eq!((record.talk_ms, record.hold_ms), (Some(5_000), Some(3_000)));
}

#[test]
fn what_is_not_answered_is_told_to_the_plan_and_the_next_level_runs() {
    for (status, result, refusal) in [
        (486, "busy", 486),
        (600, "busy", 486),
        (603, "declined", 603),
        (404, "unreachable", 480),
        (480, "unreachable", 480),
        (484, "declined", 603),
    ] {
        let mut bench = Bench::with_plan(acme(), TRANSFERS);
        bench.calls_700("70");
        let invite = bench.invited(FIRST);
        bench.answer(FIRST, &invite, 180, "");
        bench.respond(FIRST, &invite, status, &[]);
        assert_eq!(bench.result(), (Some(result.to_owned()), vec![100, 180, refusal]), "{status}");
        assert_eq!(bench.lines(), [format!("{FIRST} ACK")], "{status}: no other server is asked");
    }
}

#[test]
fn a_number_that_rings_too_long_is_given_up() {
    let mut bench = Bench::with_plan(acme(), TRANSFERS);
    bench.calls_700("70");
    let invite = bench.invited(FIRST);
    bench.answer(FIRST, &invite, 180, "");
    bench.wait(seconds(9.9));
    assert_eq!(bench.told().0, [100, 180]);
    bench.wait(seconds(0.2));
    assert_eq!(bench.request(Method::Cancel).0, FIRST);
    assert_eq!(bench.result(), (Some("no_answer".to_owned()), vec![480]));
}

#[test]
fn a_caller_who_gives_up_takes_the_call_out_with_them() {
    let mut bench = Bench::with_plan(acme(), TRANSFERS);
    bench.calls_700("70");
    let invite = bench.invited(FIRST);
    bench.answer(FIRST, &invite, 180, "");
    bench.receive(CALLER, from_caller("CANCEL", 1, "", "", "").on_branch_of_invite());
    assert_eq!(bench.request(Method::Cancel).0, FIRST);
    let record = bench.record();
    assert_eq!((record.outcome, record.ended_by), (Some(Outcome::Abandoned), Some(Party::Caller)));
    bench.respond(FIRST, &invite, 487, &[]);
    bench.wait(seconds(200.0));
    let counts = bench.engine.counts();
    assert_eq!((counts.calls, counts.legs, counts.sessions, counts.ua.sessions, counts.timers), (0, 0, 0, 0, 0));
}

trait OnBranch {
    fn on_branch_of_invite(self) -> Message;
}

impl OnBranch for Message {
    fn on_branch_of_invite(mut self) -> Message {
        if let Message::Request(request) = &mut self {
            request.core.via[0].params.set("branch", Some("z9hG4bKINVITE1".to_owned()));
        }
        self
    }
}

#[test]
fn a_server_that_says_no_word_is_left_for_the_next_and_passed_over_after_that() {
    let mut bench = Bench::with_plan(acme(), TRANSFERS);
    bench.calls_700("70");
    let first = bench.invited(FIRST);
    bench.wait(seconds(4.9));
    assert!(bench.sent.iter().all(|(to, _)| *to != address(SECOND)), "five seconds are not over");
    bench.sent.retain(|(to, _)| *to != address(FIRST));
    bench.wait(seconds(0.2));
    let second = bench.invited(SECOND);
    assert_eq!(second.body, first.body, "the same offer, by the same port");
    assert_ne!(second.core.call_id, first.core.call_id);
    bench.answer(SECOND, &second, 200, &sdp(5_000, "sendrecv"));
    assert_eq!(bench.told().0, [100, 200]);
    // The first server had the INVITE all the same, and rings: it is told to stop.
    bench.lines();
    bench.respond(FIRST, &first, 180, &[]);
    assert_eq!(bench.lines(), [format!("{FIRST} CANCEL")]);
    assert!(bench.logs.iter().any(|line| line.contains("server 1 (udp:192.0.2.1:5060) does not answer")));

    let mut another = from_caller("INVITE", 1, "", "Content-Type: application/sdp\r\n", &sdp(4_002, "sendrecv"));
    if let Message::Request(request) = &mut another {
        request.core.call_id = "another".into();
        request.core.via[0].params.set("branch", Some("z9hG4bKanother".to_owned()));
    }
    bench.receive(CALLER, another);
    bench.invited(SECOND);
}

#[test]
fn a_server_that_fails_is_left_at_once_but_not_one_behind_which_it_rang() {
    for status in [500, 502, 503, 504] {
        let mut bench = Bench::with_plan(acme(), TRANSFERS);
        bench.calls_700("70");
        let invite = bench.invited(FIRST);
        bench.respond(FIRST, &invite, status, &[]);
        let again = bench.invited(SECOND);
        bench.respond(SECOND, &again, status, &[]);
        assert_eq!(bench.result().0.as_deref(), Some("unreachable"), "{status}: there is no third");

        let mut bench = Bench::with_plan(acme(), TRANSFERS);
        bench.calls_700("70");
        let invite = bench.invited(FIRST);
        bench.answer(FIRST, &invite, 183, "");
        bench.respond(FIRST, &invite, status, &[]);
        assert_eq!(bench.result().0.as_deref(), Some("unreachable"), "{status}");
        assert_eq!(bench.lines(), [format!("{FIRST} ACK")], "{status}");
    }
}

#[test]
fn a_way_that_is_broken_leads_to_the_next_server() {
    let mut bench = Bench::with_plan(acme(), TRANSFERS);
    bench.calls_700("70");
    bench.invited(FIRST);
    bench.input(Input::TransportError {
        to: Destination::Address { transport: Transport::Udp, address: address(FIRST) },
    });
    bench.invited(SECOND);
}

#[test]
fn a_provider_that_asks_who_we_are_is_told() {
    let mut settings = acme();
    let (user, password) = ("auth-user".to_owned(), "secret".to_owned());
    settings.trunks[1].register = Some(Credentials { user, password, aor: "sip:33155500@acme.test".to_owned() });
    settings.trunks[1].caller_id = Some("+33155500".to_owned());
    let mut bench = Bench::with_plan(settings, TRANSFERS);
    bench.calls_700("70");
    let invite = bench.invited(FIRST);
    assert_eq!(invite.core.from.uri.to_string(), "sip:+33155500@acme.test");
    let asks = ("Proxy-Authenticate", "Digest realm=\"acme\", nonce=\"n1\", algorithm=SHA-256, qop=\"auth\"");
    bench.respond(FIRST, &invite, 407, &[asks]);
    let proved = bench.invited(FIRST);
    let proof = proved.headers.get("Proxy-Authorization").unwrap();
    assert!(proof.contains("username=\"auth-user\"") && proof.contains("uri=\"sip:+33155501@192.0.2.1\""), "{proof}");
    bench.respond(FIRST, &proved, 407, &[asks]);
    assert_eq!(bench.result().0.as_deref(), Some("declined"));
}

/// The number that is dialled here is the caller's own, whatever it is.
fn dials(from: &str, max_forwards: &str, change: impl Fn(&mut Settings)) -> (Option<String>, Vec<String>) {
    let plan = TRANSFERS.replace("'tel:+33155501'", "{ cel = 'call.from' }");
    let mut settings = acme();
    settings.trunks[1].allow = vec!["+33".to_owned(), "7".to_owned(), "3".to_owned(), "sip".to_owned()];
    settings.experts = vec![super::consult::unwatched("301", "sip:+33155599@pbx.test")];
    let mut bench = Bench::with_plan(settings.clone(), &plan);
    change(&mut settings);
    bench.reload(settings);
    let more = format!("Max-Forwards: {max_forwards}\r\nContent-Type: application/sdp\r\n");
    let mut invite = from_caller("INVITE", 1, "", &more, &sdp(4_000, "sendrecv"));
    if let Message::Request(request) = &mut invite {
        request.core.from.uri = from.parse().unwrap();
    }
    bench.receive(CALLER, invite);
    let out =
        bench.lines().into_iter().filter(|line| line.ends_with("INVITE")).filter(|line| !line.starts_with(CALLER));
    let out: Vec<String> = out.filter(|line| !line.contains(" 100 ") && !line.contains(" 4")).collect();
    let result = if out.is_empty() { bench.record().path[0].result.clone() } else { None };
    (result, out)
}

#[test]
fn what_may_not_be_dialled_is_refused_when_it_comes_to_it() {
    let unchanged = |_: &mut Settings| {};
    assert_eq!(dials("sip:+33155501@x.test", "70", unchanged), (None, vec![format!("{FIRST} INVITE")]));
    let refused = (Some("refused".to_owned()), Vec::new());
    for from in [
        "sip:+44155501@x.test",
        "sip:expert%3A301@x.test",
        "sip:301@x.test",
        "sip:+33155599@x.test",
        "sip:700@x.test",
        "sip:sip%3A+33155501%40192.0.2.9@x.test",
        "sip:*21*%2333@x.test",
        "sip:x.test",
    ] {
        assert_eq!(dials(from, "70", unchanged), refused, "{from}");
    }
    // The configuration of now counts, not that with which the plan was checked.
    assert_eq!(dials("sip:+33155501@x.test", "70", |settings| settings.trunks[1].allow.clear()), refused);
    let expert = |settings: &mut Settings| settings.experts[0].address = "sip:+33155501@pbx.test".to_owned();
    assert_eq!(dials("sip:+33155501@x.test", "70", expert), refused);
    for (max_forwards, expected) in [("2", None), ("1", Some("refused".to_owned()))] {
        assert_eq!(dials("sip:+33155501@x.test", max_forwards, unchanged).0, expected, "Max-Forwards: {max_forwards}");
    }
}

#[test]
fn the_trunk_that_offers_most_of_the_number_is_taken_and_never_ourselves() {
    let mut settings = acme();
    let mut mobile = trunk("mobile");
    mobile.servers = vec![server("127.0.0.1"), server("192.0.2.7")];
    mobile.allow = vec!["+331555".to_owned()];
    settings.trunks.push(mobile);
    let mut bench = Bench::with_plan(settings, TRANSFERS);
    bench.calls_700("70");
    bench.invited("192.0.2.7:5060");
    assert!(bench.logs.iter().any(|line| line.contains("trunk mobile: server 1 is ourselves")), "{:?}", bench.logs);
}

#[test]
fn a_caller_who_has_been_answered_hears_ring_back_and_then_the_number() {
    let mut bench = Bench::with_plan(acme(), GREETS);
    bench.calls_700("70");
    let play = bench.media.iter().find_map(|command| match command {
        MediaCommand::Play { leg, play, .. } => Some((*leg, *play)),
        _ => None,
    });
    let (leg, play) = play.expect("a greeting");
    bench.input(Input::Media(MediaEvent::PlayEnded { leg, play }));
    let invite = bench.invited(FIRST);
    let rings = |command: &MediaCommand| {
        matches!(command, MediaCommand::Play { leg: ear, items, repeat: true, .. }
            if *ear == leg && matches!(items[..], [crate::bridge::PlayItem::Tone { .. }]))
    };
    assert!(bench.media.iter().any(rings), "{:?}", bench.media);
    bench.media.clear();
    bench.answer(FIRST, &invite, 200, &sdp(5_000, "sendrecv"));
    let stops = |command: &MediaCommand| matches!(command, MediaCommand::StopPlay { leg: ear, .. } if *ear == leg);
    assert!(bench.media.iter().any(stops), "{:?}", bench.media);
    assert_eq!(bench.told().0, [200], "answered once");
}

#[test]
fn a_number_that_rings_survives_a_snapshot() {
    let mut bench = Bench::with_plan(acme(), TRANSFERS);
    bench.calls_700("70");
    let first = bench.invited(FIRST);
    bench.restore();
    bench.respond(FIRST, &first, 503, &[]);
    let second = bench.invited(SECOND);
    bench.restore();
    bench.answer(SECOND, &second, 200, &sdp(5_000, "sendrecv"));
    assert_eq!(bench.told().0, [100, 200]);
}

#[test]
fn what_a_call_came_to_is_written_down_while_somebody_has_it() {
    let says = |bench: &mut Bench, call: CallId, code: &str| {
        let disposition = Disposition { code: code.to_owned(), resolved: Some(true), note: None };
        bench.other.clear();
        bench.input(Input::Api { id: RequestId(1), request: ApiRequest::Dispose { call, disposition } });
        let written = bench.other.iter().any(|command| matches!(command, Command::Journal(Journal::Disposed { .. })));
        let told = bench.other.iter().any(|command| {
            matches!(command, Command::Publish(Change::Disposition { disposition, .. }) if disposition == code)
        });
        assert_eq!(written, told);
        let reply = bench.other.iter().find_map(|command| match command {
            Command::Reply { result, .. } => Some(result.clone()),
            _ => None,
        });
        match reply.expect("an answer") {
            Ok(_) => assert!(written),
            Err(refused) => {
                assert!(!written);
                return (refused.status, refused.message);
            }
        }
        (200, String::new())
    };
    let dispositions = vec!["sale".to_owned(), "complaint".to_owned()];
    let (mut bench, ..) = Bench::talking(Settings { dispositions, ..acme() });
    let call = *bench.engine.calls.keys().next().unwrap();
    assert_eq!(says(&mut bench, call, "sale").0, 200);
    let (status, message) = says(&mut bench, call, "sael");
    assert!(status == 422 && message.contains("did you mean 'sale'?"), "{status} {message}");
    let (status, message) = says(&mut bench, CallId(77), "sale");
    assert!(status == 409 && message.contains("wrap-up"), "{status} {message}");
}
