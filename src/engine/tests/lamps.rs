//! Lamps: a phone of an agent that watches a colleague's line, a queue, a mailbox.

use super::consult::{AGENT, PLAN, centre};
use super::dial_out::{CALLER, from_caller, sdp};
use super::*;
use crate::ids::RecordingId;
use crate::record::KeptRecording;
use crate::views::{AgentState, ApiRequest};

const PHONE: &str = "192.0.2.80:5060";

fn settings() -> Settings {
    let mut settings = centre();
    settings.agents.push(settings::Agent {
        id: "209".into(),
        password: Some("secret".to_owned()),
        contact: None,
        queues: vec!["sales".into()],
        ..settings.agents[0].clone()
    });
    settings
}

/// A SUBSCRIBE of the phone; `to` has our tag in a dialog.
fn subscribe(whom: &str, cseq: u32, tag: &str, more: &str) -> Message {
    let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    let event = if more.contains("Event: ") { "" } else { "Event: dialog\r\n" };
    let text = format!(
        "SUBSCRIBE sip:{whom}@relais.test SIP/2.0\r\nVia: SIP/2.0/UDP {PHONE};branch=z9hG4bKs{cseq}{whom}\r\n\
         From: <sip:209@relais.test>;tag=p\r\nTo: <sip:{whom}@relais.test>{tag}\r\nCall-ID: lamp-{whom}\r\n\
         CSeq: {cseq} SUBSCRIBE\r\nContact: <sip:209@{PHONE}>\r\n{event}{more}Content-Length: 0\r\n\r\n"
    );
    Message::parse(text.as_bytes()).unwrap()
}

struct Phone {
    bench: Bench,
    cseq: u32,
    tag: String,
}

impl Phone {
    fn new() -> Phone {
        Phone { bench: Bench::with_plan(settings(), PLAN), cseq: 0, tag: String::new() }
    }

    /// The last response to it.
    fn response(&mut self) -> Response {
        let mut last = None;
        self.bench.sent.retain(|(to, message)| match message {
            Message::Response(response) if *to == address(PHONE) => {
                last = Some(response.clone());
                false
            }
            _ => true,
        });
        last.expect("a response")
    }

    /// Subscribes with a password; what it is answered in the end.
    fn subscribes(&mut self, whom: &str, more: &str) -> Response {
        self.cseq += 1;
        self.bench.receive(PHONE, subscribe(whom, self.cseq, "", more));
        let challenge = self.response();
        assert_eq!(challenge.code(), 401);
        self.cseq += 1;
        let Message::Request(mut request) = subscribe(whom, self.cseq, "", more) else { unreachable!() };
        let credentials = Credentials { user: "209".to_owned(), password: "secret".to_owned(), aor: String::new() };
        assert!(crate::sip::auth::authorize(&mut request, &challenge, &credentials, "c"));
        self.bench.receive(PHONE, Message::Request(request));
        let response = self.response();
        self.tag = response.core.to.tag().unwrap_or_default().to_owned();
        response
    }

    /// The state in the NOTIFY that came, which is answered; with the subscription's.
    fn notified(&mut self, status: u16) -> (String, String) {
        let (to, notify) = self.bench.request(Method::Notify);
        assert_eq!(to, PHONE);
        self.bench.respond(PHONE, &notify, status, &[]);
        let body = String::from_utf8(notify.body.to_vec()).unwrap();
        let state = body.split("<state>").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default().to_owned();
        (state, notify.headers.get("Subscription-State").unwrap().to_owned())
    }

    /// The counts and the subscription's state in the NOTIFY that came.
    fn counted(&mut self) -> (String, String) {
        let (_, notify) = self.bench.request(Method::Notify);
        self.bench.respond(PHONE, &notify, 200, &[]);
        assert_eq!(notify.headers.content_type().as_deref(), Some("application/simple-message-summary"));
        let body = String::from_utf8(notify.body.to_vec()).unwrap();
        let mut lines = body.split("\r\n");
        let (waiting, _, counts) = (lines.next().unwrap(), lines.next().unwrap(), lines.next().unwrap());
        assert!(body.ends_with("\r\n") && waiting.starts_with("Messages-Waiting: "), "{body}");
        let yes = waiting.ends_with(": yes");
        let counts = counts.strip_prefix("Voice-Message: ").unwrap().to_owned();
        assert_eq!(yes, !counts.starts_with("0/"), "{body}");
        (counts, notify.headers.get("Subscription-State").unwrap().to_owned())
    }

    fn asks(&mut self, request: ApiRequest) -> Result<serde_json::Value, ApiError> {
        let id = RequestId(77);
        self.bench.other.clear();
        self.bench.input(Input::Api { id, request });
        let reply = self.bench.other.iter().find_map(|command| match command {
            Command::Reply { result, .. } => Some(result.clone()),
            _ => None,
        });
        reply.expect("a reply")
    }

    fn is_told(&self) -> bool {
        self.bench
            .sent
            .iter()
            .any(|(_, message)| matches!(message, Message::Request(request) if request.method == Method::Notify))
    }
}

#[test]
fn a_lamp_follows_the_line_of_a_colleague() {
    let mut phone = Phone::new();
    let granted = phone.subscribes("201", "Accept: application/dialog-info+xml\r\nExpires: 600\r\n");
    assert_eq!((granted.code(), granted.headers.get("Expires")), (200, Some("600")));
    assert_eq!(phone.notified(200), ("terminated".to_owned(), "active;expires=600".to_owned()));
    phone.bench.calls_700("70");
    let invite = phone.bench.invited(AGENT);
    phone.bench.respond(AGENT, &invite, 180, &[]);
    assert_eq!(phone.notified(200).0, "early", "it rings there");
    phone.bench.restore();
    phone.bench.answer(AGENT, &invite, 200, &sdp(5_000, "sendrecv"));
    let tag = phone.bench.told().1;
    assert_eq!(phone.notified(200).0, "confirmed");
    phone.bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
    phone.bench.wait(seconds(5.0));
    assert!(!phone.is_told(), "nothing has changed");
    phone.bench.receive(CALLER, from_caller("BYE", 2, &tag, "", ""));
    assert_eq!(phone.notified(200).0, "terminated");
}

#[test]
fn the_last_word_waits_for_the_answer_to_the_one_before() {
    let mut phone = Phone::new();
    phone.subscribes("201", "Expires: 600\r\n");
    let (_, first) = phone.bench.request(Method::Notify);
    phone.bench.calls_700("70");
    let invite = phone.bench.invited(AGENT);
    phone.bench.respond(AGENT, &invite, 180, &[]);
    assert!(!phone.is_told(), "one at a time");
    phone.bench.respond(PHONE, &first, 200, &[]);
    assert_eq!(phone.notified(200).0, "early");
}

#[test]
fn a_subscription_to_us_is_refreshed_taken_back_and_runs_out() {
    let mut phone = Phone::new();
    phone.subscribes("201", "Expires: 600\r\n");
    phone.notified(200);
    phone.bench.wait(seconds(500.0));
    let tag = phone.tag.clone();
    phone.bench.receive(PHONE, subscribe("201", 10, &tag, "Expires: 700\r\n"));
    assert_eq!((phone.response().code(), phone.notified(200).1.as_str()), (200, "active;expires=700"));
    phone.bench.receive(PHONE, subscribe("201", 11, &tag, "Expires: 5\r\n"));
    let short = phone.response();
    assert_eq!((short.code(), short.headers.get("Min-Expires")), (423, Some("60")));
    phone.bench.receive(PHONE, subscribe("201", 9, &tag, "Expires: 700\r\n"));
    assert_eq!(phone.response().code(), 500, "out of order");
    phone.bench.receive(PHONE, subscribe("201", 12, &tag, "Expires: 0\r\n"));
    assert_eq!((phone.response().code(), phone.notified(200).1.as_str()), (200, "terminated;reason=timeout"));
    phone.bench.receive(PHONE, subscribe("201", 13, &tag, "Expires: 600\r\n"));
    assert_eq!(phone.response().code(), 481);

    phone.cseq = 20;
    phone.subscribes("205", "Expires: 60\r\n");
    phone.notified(200);
    phone.bench.wait(seconds(61.0));
    assert_eq!(phone.notified(200).1, "terminated;reason=timeout");
    // One whose phone has gone.
    phone.cseq = 30;
    phone.subscribes("201", "Expires: 600\r\n");
    phone.notified(481);
    phone.cseq = 40;
    phone.subscribes("201", "Expires: 600\r\n");
    phone.bench.wait(seconds(80.0));
    assert_eq!(phone.bench.engine.counts().ua.subscriptions, 0, "its NOTIFY was not answered");
    assert!(phone.bench.engine.lamps.is_dark());
}

#[test]
fn who_may_not_watch_is_refused() {
    let mut phone = Phone::new();
    assert_eq!(phone.subscribes("299", "").code(), 404);
    assert_eq!(phone.subscribes("201", "Accept: text/plain\r\n").code(), 406);
    assert_eq!(phone.subscribes("201", "Expires: 5\r\n").code(), 423);
    assert!(!phone.is_told());
    let Message::Request(mut other) = subscribe("205", 50, "", "") else { unreachable!() };
    other.headers.set("Event", "presence");
    phone.bench.receive(PHONE, Message::Request(other));
    assert_eq!(phone.response().code(), 401, "a stranger is not told what is offered");
    assert_eq!(phone.bench.engine.counts().ua.subscriptions, 0);
}

#[test]
fn the_lamp_of_a_queue_blinks_while_a_caller_waits_and_is_lit_while_one_is_served() {
    let mut phone = Phone::new();
    let away = ApiRequest::LogOut { agent: "201".into() };
    phone.asks(away).unwrap();
    assert_eq!(phone.subscribes("sales", "Expires: 600\r\n").code(), 200);
    assert_eq!(phone.notified(200).0, "terminated");
    phone.bench.calls_700("70");
    assert_eq!(phone.notified(200).0, "early", "a caller waits");
    let back = ApiRequest::SetAgentState { agent: "201".into(), state: AgentState::Available, reason: None };
    phone.asks(back).unwrap();
    let invite = phone.bench.invited(AGENT);
    phone.bench.answer(AGENT, &invite, 200, &sdp(5_000, "sendrecv"));
    let tag = phone.bench.told().1;
    assert_eq!(phone.notified(200).0, "confirmed", "an agent talks to the queue's caller");
    phone.bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
    phone.bench.restore();
    phone.bench.receive(CALLER, from_caller("BYE", 2, &tag, "", ""));
    assert_eq!(phone.notified(200).0, "terminated");
    phone.bench.wait(seconds(60.0));
    assert!(!phone.is_told());
}

#[test]
fn a_queue_is_watched_by_the_number_that_callers_dial_as_well() {
    let mut phone = Phone::new();
    assert_eq!(phone.subscribes("700", "Expires: 600\r\n").code(), 200);
    let (_, first) = phone.bench.request(Method::Notify);
    let body = String::from_utf8(first.body.to_vec()).unwrap();
    assert!(body.contains("entity=\"sip:700@"), "the phone knows it by what it asked for: {body}");
    phone.bench.respond(PHONE, &first, 200, &[]);
    phone.asks(ApiRequest::LogOut { agent: "201".into() }).unwrap();
    phone.bench.calls_700("70");
    assert_eq!(phone.notified(200).0, "early");
    assert_eq!(phone.subscribes("701", "Expires: 600\r\n").code(), 404, "no plan has this number");
}

#[test]
fn a_number_that_leads_to_several_queues_is_no_lamp() {
    let other = "[[level]]\nname = 'late'\n[[level.rule]]\nmodule = 'distribute'\nin = { queue = 'support' }\n";
    let plan = PLAN.replace("[[level]]\nname = 'end'", &format!("{other}[[level]]\nname = 'end'"));
    let mut settings = settings();
    settings.queues.push(settings::Queue { id: "support".into(), ..settings.queues[0].clone() });
    let mut phone = Phone { bench: Bench::with_plan(settings, &plan), cseq: 0, tag: String::new() };
    assert_eq!(phone.subscribes("700", "Expires: 600\r\n").code(), 404);
}

const SUMMARY: &str = "Event: message-summary\r\nExpires: 600\r\n";

fn message(number: u128) -> RecordingId {
    RecordingId::new(1_764_328_000_000, number)
}

#[test]
fn a_mailbox_is_counted_as_messages_come_are_heard_and_go() {
    let mut phone = Phone::new();
    let kept = |number, heard| KeptRecording {
        recording_id: message(number),
        mailbox: Some("sales".to_owned()),
        heard,
        held: false,
    };
    phone.bench.input(Input::Kept(vec![kept(1, false), kept(2, true)]));
    let granted = phone.subscribes("sales", &format!("{SUMMARY}Accept: application/simple-message-summary\r\n"));
    assert_eq!(granted.code(), 200);
    assert_eq!(phone.counted(), ("1/1".to_owned(), "active;expires=600".to_owned()));
    let now = phone.bench.now;
    phone.bench.engine.message_came("sales", message(3), now);
    phone.bench.input(Input::Time);
    assert_eq!(phone.counted().0, "2/1");
    let note = |number, heard, held| ApiRequest::NoteRecording {
        recording: message(number),
        heard,
        held,
        by: "token t".to_owned(),
    };
    phone.asks(note(3, Some(true), None)).unwrap();
    assert_eq!(phone.counted().0, "1/2");
    phone.asks(note(3, Some(true), None)).unwrap();
    assert!(!phone.is_told() && phone.bench.other.len() == 1, "that is no news: {:?}", phone.bench.other);
    phone.bench.restore();
    phone.asks(note(3, Some(false), Some(true))).unwrap();
    assert_eq!(phone.counted().0, "2/1");
    let delete = |number| ApiRequest::DeleteRecording { recording: message(number), by: "token t".to_owned() };
    assert_eq!(phone.asks(delete(3)).unwrap_err().code, "recording_held");
    phone.asks(note(3, None, Some(false))).unwrap();
    phone.asks(delete(3)).unwrap();
    assert_eq!(phone.counted().0, "1/1");
    phone.asks(delete(1)).unwrap();
    phone.asks(delete(2)).unwrap();
    assert_eq!(phone.counted().0, "0/1");
    assert_eq!(phone.counted().0, "0/0");
    assert_eq!(phone.asks(note(1, Some(true), None)).unwrap_err().code, "no_message");
}

#[test]
fn a_mailbox_is_its_owners_and_a_member_who_leaves_hears_no_more() {
    let mut phone = Phone::new();
    for (whom, status) in [("209", 200), ("201", 403), ("sales", 200), ("support", 403), ("700", 200), ("nobody", 404)]
    {
        phone.cseq += 10;
        assert_eq!(phone.subscribes(whom, SUMMARY).code(), status, "{whom}");
        if status == 200 {
            assert_eq!(phone.counted().0, "0/0", "{whom}");
        }
    }
    phone.cseq += 10;
    let refused = phone.subscribes("sales", "Event: presence\r\n");
    assert_eq!((refused.code(), refused.headers.get("Allow-Events")), (489, Some("dialog, message-summary")));
    let mut fewer = settings();
    fewer.agents[2].queues.clear();
    phone.bench.reload(fewer);
    let (_, notify) = phone.bench.request(Method::Notify);
    assert_eq!(notify.headers.get("Subscription-State"), Some("terminated;reason=timeout"));
    phone.bench.respond(PHONE, &notify, 200, &[]);
    let now = phone.bench.now;
    phone.bench.engine.message_came("sales", message(1), now);
    phone.bench.input(Input::Time);
    assert!(!phone.is_told(), "of a queue that they serve no longer");
    assert_eq!(phone.bench.engine.counts().ua.subscriptions, 2);
}
