//! Lamps: a phone of an agent that watches a colleague's line.

use super::consult::{AGENT, PLAN, centre};
use super::dial_out::{CALLER, from_caller, sdp};
use super::*;

const PHONE: &str = "192.0.2.80:5060";

fn settings() -> Settings {
    let mut settings = centre();
    settings.agents.push(settings::Agent {
        id: "209".into(),
        password: Some("secret".to_owned()),
        contact: None,
        queues: Vec::new(),
        ..settings.agents[0].clone()
    });
    settings
}

/// A SUBSCRIBE of the phone; `to` has our tag in a dialog.
fn subscribe(whom: &str, cseq: u32, tag: &str, more: &str) -> Message {
    let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    let text = format!(
        "SUBSCRIBE sip:{whom}@relais.test SIP/2.0\r\nVia: SIP/2.0/UDP {PHONE};branch=z9hG4bKs{cseq}{whom}\r\n\
         From: <sip:209@relais.test>;tag=p\r\nTo: <sip:{whom}@relais.test>{tag}\r\nCall-ID: lamp-{whom}\r\n\
         CSeq: {cseq} SUBSCRIBE\r\nContact: <sip:209@{PHONE}>\r\nEvent: dialog\r\n{more}Content-Length: 0\r\n\r\n"
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
