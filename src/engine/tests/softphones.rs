//! A page as an agent's phone: what it registers with, and a call that outlives its connection.

use super::consult::{PLAN, centre};
use super::dial_out::{CALLER, from_caller, sdp};
use super::*;
use crate::call::Phase;
use crate::ids::ConnectionId;
use crate::record::Party;
use crate::views::{AgentState, ApiRequest, PhoneLoan};

const BROWSER: &str = "192.0.2.90";

/// The connections of a page, each from a port of its own.
fn flow(connection: u64) -> Flow {
    let remote = address(&format!("{BROWSER}:{}", 40_000 + connection));
    Flow {
        transport: Transport::Ws,
        local: address("127.0.0.1:8080"),
        remote,
        connection: Some(ConnectionId(connection)),
    }
}

struct Page {
    bench: Bench,
    cseq: u32,
    connection: u64,
    /// The user part of its contact, new with each page.
    contact: &'static str,
}

impl Page {
    /// Of agent 201, who has no phone besides.
    fn new() -> Page {
        let mut settings = centre();
        settings.agents[0].contact = None;
        Page { bench: Bench::with_plan(settings, PLAN), cseq: 0, connection: 1, contact: "first" }
    }

    fn asks(&mut self, request: ApiRequest) -> Result<serde_json::Value, ApiError> {
        self.bench.other.clear();
        self.bench.input(Input::Api { id: RequestId(1), request });
        let reply = self.bench.other.iter().find_map(|command| match command {
            Command::Reply { result, .. } => Some(result.clone()),
            _ => None,
        });
        reply.expect("a reply")
    }

    fn is_lent(&mut self, agent: &str, lasts: f64) -> Result<serde_json::Value, ApiError> {
        let loan = PhoneLoan {
            agent: agent.into(),
            user: "201.session".to_owned(),
            password: "lent".to_owned(),
            lasts: seconds(lasts),
        };
        self.asks(ApiRequest::LendPhone(loan))
    }

    fn sends(&mut self, message: Message) {
        self.bench.input(Input::Sip { flow: flow(self.connection), message: Box::new(message) });
    }

    /// The last response to it.
    fn response(&mut self) -> Response {
        let to = flow(self.connection).remote;
        let found = self.bench.sent.iter().rev().find_map(|(sent_to, message)| match message {
            Message::Response(response) if *sent_to == to => Some(response.clone()),
            _ => None,
        });
        found.expect("a response")
    }

    fn text(&self, method: &str, agent: &str, more: &str, body: &str) -> Message {
        let Page { cseq, contact, .. } = self;
        let text = format!(
            "{method} sip:relais.test SIP/2.0\r\nVia: SIP/2.0/WS page.invalid;branch=z9hG4bK{contact}{cseq}\r\n\
             From: <sip:{agent}@relais.test>;tag={contact}\r\nTo: <sip:{agent}@relais.test>\r\nCall-ID: {contact}{method}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:{contact}@page.invalid;transport=ws>\r\n{more}Content-Length: {}\r\n\r\n\
             {body}",
            body.len()
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    /// Sends a request and proves itself by what it was lent; the status in the end.
    fn proves(&mut self, method: &str, agent: &str, more: &str, body: &str) -> u16 {
        self.cseq += 1;
        let request = self.text(method, agent, more, body);
        self.sends(request);
        let challenge = self.response();
        assert_eq!(challenge.code(), 401, "a page is always challenged");
        self.cseq += 1;
        let Message::Request(mut request) = self.text(method, agent, more, body) else { unreachable!() };
        let credentials =
            Credentials { user: "201.session".to_owned(), password: "lent".to_owned(), aor: String::new() };
        assert!(crate::sip::auth::authorize(&mut request, &challenge, &credentials, "c"));
        self.sends(Message::Request(request));
        self.response().code()
    }

    fn registers(&mut self) {
        assert_eq!(self.proves("REGISTER", "201", "Expires: 300\r\n", ""), 200);
    }

    fn is_reachable(&self) -> bool {
        self.bench.engine.acd.agent_view(&"201".into()).unwrap().reachable
    }

    /// The caller talks with the agent in the page; the INVITE to the page.
    fn talks(&mut self) -> Request {
        self.is_lent("201", 600.0).unwrap();
        self.registers();
        self.bench.calls_700("70");
        let invite = self.bench.invited(&flow(1).remote.to_string());
        let mut response: Response = invite.response(200.into(), Some("far"));
        response.headers.push("Contact", "<sip:first@page.invalid;transport=ws>");
        response.headers.push("Content-Type", "application/sdp");
        response.body = sdp(5_000, "sendrecv").into();
        self.sends(Message::Response(response));
        let tag = self.bench.told().1;
        self.bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
        self.bench.wait(seconds(10.0));
        assert_eq!(self.hears(), "voice");
        invite
    }

    fn leg(&self) -> LegId {
        let call = &self.bench.engine.calls.values().next().unwrap().call;
        call.legs.values().find(|leg| leg.agent.is_some() && leg.is_up()).unwrap().id
    }

    /// The connection is gone, and then the voice too.
    fn goes(&mut self) {
        let (gone, leg) = (flow(self.connection), self.leg());
        self.bench.input(Input::TransportError { to: Destination::Flow(gone) });
        let watched = self
            .bench
            .media
            .iter()
            .any(|command| matches!(command, MediaCommand::Watch { leg: of, silence: Some(_) } if *of == leg));
        assert!(watched, "the media threads are to say when the voice stops");
        self.bench.wait(seconds(2.0));
        self.bench.input(Input::Media(MediaEvent::Dead { leg }));
    }

    /// What the caller hears.
    fn hears(&self) -> &'static str {
        let caller = self.bench.engine.calls.values().next().unwrap().call.caller;
        let mut music = false;
        for command in &self.bench.media {
            match command {
                MediaCommand::Play { leg, .. } if *leg == caller => music = true,
                MediaCommand::StopPlay { leg, .. } if *leg == caller => music = false,
                _ => {}
            }
        }
        if music { "music" } else { "voice" }
    }
}

#[test]
fn what_was_lent_registers_this_agent_alone_and_ends_with_the_session() {
    let mut page = Page::new();
    let lent = page.is_lent("201", 600.0).unwrap();
    assert_eq!(lent["address"], "sip:201@relais.test");
    assert_eq!(page.proves("REGISTER", "205", "", ""), 403, "somebody else's number");
    page.registers();
    assert!(page.is_reachable());
    page.asks(ApiRequest::TakePhoneBack { user: "201.session".to_owned() }).unwrap();
    assert!(!page.is_reachable(), "logged out");
    assert_eq!(page.proves("REGISTER", "201", "", ""), 403);
}

#[test]
fn a_session_that_is_not_renewed_is_no_phone_any_more() {
    let mut page = Page::new();
    page.is_lent("201", 100.0).unwrap();
    page.registers();
    let contact = page.response().headers.get("Contact").unwrap().to_owned();
    assert!(contact.ends_with(";expires=100"), "no longer than what was lent: {contact}");
    page.bench.wait(seconds(60.0));
    page.is_lent("201", 100.0).unwrap();
    page.registers();
    page.bench.restore();
    page.bench.wait(seconds(99.0));
    assert!(page.is_reachable());
    page.bench.wait(seconds(2.0));
    assert!(!page.is_reachable());
    assert_eq!(page.proves("REGISTER", "201", "", ""), 403);
    assert!(page.bench.engine.loans.is_empty());
}

#[test]
fn an_agent_with_a_fixed_phone_is_lent_none() {
    let mut page = Page::new();
    let refusal = page.is_lent("205", 600.0).unwrap_err();
    assert_eq!((refusal.status, refusal.code.as_str()), (409, "fixed_phone"));
    assert_eq!(page.is_lent("999", 600.0).unwrap_err().status, 404);
}

#[test]
fn a_browser_is_no_trunk_whatever_its_address() {
    let mut page = Page::new();
    let from_trunk = Flow { remote: address(CALLER), ..flow(1) };
    let message = from_caller("INVITE", 1, "", "Content-Type: application/sdp\r\n", &sdp(4_000, "sendrecv"));
    page.bench.input(Input::Sip { flow: from_trunk, message: Box::new(message) });
    assert_eq!(page.bench.told().0, [403]);
}

#[test]
fn while_the_voice_comes_a_lost_connection_changes_nothing() {
    let mut page = Page::new();
    page.talks();
    page.bench.input(Input::TransportError { to: Destination::Flow(flow(1)) });
    page.bench.wait(seconds(60.0));
    assert_eq!(page.hears(), "voice");
    assert!(!page.is_reachable(), "nobody else is put through");
}

#[test]
fn the_same_page_by_a_new_connection_goes_on_where_it_was() {
    let mut page = Page::new();
    page.talks();
    page.goes();
    assert_eq!(page.hears(), "music");
    page.bench.restore();
    page.bench.wait(seconds(3.0));
    page.connection = 2;
    page.registers();
    assert_eq!(page.hears(), "voice");
    page.bench.wait(seconds(60.0));
    page.bench.sent.clear();
    let hung_up = page.bench.engine.calls.keys().next().copied().unwrap();
    let request = ApiRequest::HangUp { call: hung_up, leg: Some(page.leg()), by: Party::Agent };
    page.asks(request).unwrap();
    let (to, _) = page.bench.request(Method::Bye);
    assert_eq!(to, flow(2).remote.to_string(), "by the new connection");
}

#[test]
fn a_page_loaded_anew_takes_the_call_back() {
    let mut page = Page::new();
    let invite = page.talks();
    page.goes();
    page.bench.wait(seconds(1.0));
    page.connection = 2;
    page.contact = "second";
    page.registers();
    assert_eq!(page.hears(), "music", "this page has no call yet");
    let replaces = format!(
        "Replaces: {};to-tag={};from-tag=far\r\nContent-Type: application/sdp\r\n",
        invite.core.call_id,
        invite.core.from.tag().unwrap()
    );
    assert_eq!(page.proves("INVITE", "201", &replaces, &sdp(5_004, "sendrecv")), 200);
    let tag = page.response().core.to.tag().unwrap().to_owned();
    let Message::Request(mut ack) = page.text("INVITE", "201", "", "") else { unreachable!() };
    (ack.method, ack.core.cseq.method) = (Method::Ack, Method::Ack);
    ack.core.to.set_tag(&tag);
    ack.core.via[0].params.set("branch", Some("z9hG4bKack".to_owned()));
    page.sends(Message::Request(ack));
    assert_eq!(page.hears(), "voice");
    assert_eq!(page.bench.engine.acd.agent_view(&"201".into()).unwrap().state, AgentState::Talking);
    page.bench.wait(seconds(60.0));
    assert_eq!(page.hears(), "voice", "nothing of the old page is waited for");
    assert!(page.bench.engine.astray.is_empty());
}

#[test]
fn a_caller_whose_agents_browser_does_not_come_back_has_their_place_again() {
    let mut page = Page::new();
    page.talks();
    page.goes();
    page.bench.wait(seconds(14.0));
    let phase = |page: &Page| page.bench.engine.calls.values().next().unwrap().call.phase.clone();
    assert!(matches!(phase(&page), Phase::Talking(_)));
    page.bench.wait(seconds(2.0));
    assert!(matches!(phase(&page), Phase::Queued(_)), "{:?}", phase(&page));
    assert!(page.bench.engine.astray.is_empty());
}
