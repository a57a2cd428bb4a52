//! Our side as the caller, with responses made by hand: forks, challenges, intervals too small, streams that break.

use super::*;
use crate::ids::ConnectionId;
use crate::settings::Credentials;
use crate::sip::message::{Request, Response, StatusCode};

struct Caller {
    agent: UserAgent,
    now: Instant,
    flow: Flow,
    first_word_within: Option<Duration>,
}

impl Caller {
    fn new() -> Self {
        let flow = Flow { transport: Transport::Udp, local: address(ALICE), remote: address(BOB), connection: None };
        Caller {
            agent: UserAgent::new(settings(ALICE), [3; 32]),
            now: Instant(1_000_000_000),
            flow,
            first_word_within: None,
        }
    }

    fn call(&mut self, offer: Option<Bytes>) -> (SessionId, Request) {
        let credentials = Credentials { user: "alice".into(), password: "secret".into(), aor: "sip:alice@x".into() };
        let invite = Invite {
            to: Destination::Address { transport: Transport::Udp, address: address(BOB) },
            request_uri: "sip:100@127.0.0.2".parse().unwrap(),
            from: name_addr("<sip:alice@example.com>"),
            to_header: name_addr("<sip:100@example.com>"),
            headers: Headers::default(),
            sdp: offer,
            credentials: Some(credentials),
            max_forwards: 70,
            first_word_within: self.first_word_within,
        };
        let session = self.agent.invite(invite, self.now);
        (session, self.request())
    }

    fn request(&mut self) -> Request {
        let sent = self.agent.poll_transmit().expect("a request");
        match Message::parse(&sent.bytes) {
            Ok(Message::Request(request)) => request,
            other => panic!("no request but {other:?}"),
        }
    }

    /// The methods of what is sent.
    fn methods(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.agent.poll_transmit())
            .map(|sent| match Message::parse(&sent.bytes).unwrap() {
                Message::Request(request) => {
                    format!("{} {}", request.method, request.core.to.tag().unwrap_or_default()).trim_end().to_owned()
                }
                Message::Response(response) => response.status.code().to_string(),
            })
            .collect()
    }

    fn receive(&mut self, response: Response) {
        self.agent.handle_message(self.flow, Message::Response(response), self.now);
    }

    fn respond(&mut self, request: &Request, status: u16, tag: &str, body: &str, more: &[(&str, &str)]) {
        let mut response = request.response(StatusCode::from(status), Some(tag));
        response.headers.push("Contact", format!("<sip:{tag}@127.0.0.2>"));
        for (name, value) in more {
            response.headers.push(name, *value);
        }
        if !body.is_empty() {
            response.headers.push("Content-Type", "application/sdp");
            response.body = sdp(body);
        }
        self.receive(response);
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.agent.poll_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.agent.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn told(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.agent.poll_event()).map(|event| tell(&event)).collect()
    }
}

#[test]
fn the_first_2xx_wins_and_the_other_forks_get_ack_and_bye() {
    let mut caller = Caller::new();
    let (session, invite) = caller.call(Some(sdp("offer")));
    caller.respond(&invite, 180, "red", "", &[]);
    caller.respond(&invite, 183, "blue", "early", &[]);
    caller.respond(&invite, 200, "blue", "answer", &[]);
    assert_eq!(caller.told(), ["progress 180", "progress 183 answer(early)", "answered answer(answer)"]);
    assert_eq!(caller.methods(), ["ACK blue"]);
    caller.respond(&invite, 200, "red", "answer", &[]);
    assert_eq!(caller.methods(), ["ACK red", "BYE red"]);
    caller.respond(&invite, 200, "red", "answer", &[]);
    caller.respond(&invite, 200, "blue", "answer", &[]);
    assert_eq!(caller.methods(), ["ACK red", "ACK blue"], "each repetition is acknowledged again");
    assert_eq!(caller.told(), [] as [&str; 0]);
    caller.agent.hang_up(session, Headers::default(), caller.now);
    assert_eq!(caller.methods(), ["BYE blue"]);
    caller.wait(Duration::from_secs(70));
    assert_eq!(caller.agent.counts(), UaCounts::default());
}

#[test]
fn a_200_without_sdp_is_answered_by_its_own_early_media_only() {
    let mut caller = Caller::new();
    let (_, invite) = caller.call(Some(sdp("offer")));
    caller.respond(&invite, 183, "red", "red", &[]);
    caller.respond(&invite, 183, "blue", "blue", &[]);
    caller.respond(&invite, 200, "red", "", &[]);
    assert_eq!(caller.told().last().unwrap(), "answered answer(red)");
}

#[test]
fn at_most_32_early_dialogs_are_followed() {
    let mut caller = Caller::new();
    let (_, invite) = caller.call(Some(sdp("offer")));
    for n in 0..100 {
        caller.respond(&invite, 180, &format!("fork{n}"), "", &[]);
    }
    assert_eq!(caller.told().len(), 32);
    for n in 0..100 {
        caller.respond(&invite, 200, &format!("fork{n}"), "answer", &[]);
    }
    let acks = caller.methods().iter().filter(|line| line.starts_with("ACK")).count();
    assert_eq!(acks, 32);
}

#[test]
fn reliable_responses_out_of_order_are_neither_told_nor_acknowledged() {
    let mut caller = Caller::new();
    let (_, invite) = caller.call(Some(sdp("offer")));
    let reliable = |rseq| [("Require", "100rel"), ("RSeq", rseq)];
    caller.respond(&invite, 180, "b", "", &reliable("7"));
    let prack = caller.request();
    assert_eq!(prack.headers.get("RAck"), Some("7 1 INVITE"));
    assert_eq!(prack.core.cseq.number, 2);
    caller.respond(&invite, 180, "b", "", &reliable("7"));
    caller.respond(&invite, 183, "b", "", &reliable("9"));
    assert_eq!(caller.told(), ["progress 180"]);
    assert_eq!(caller.methods(), [] as [&str; 0]);
    caller.respond(&invite, 183, "b", "", &reliable("8"));
    let prack = caller.request();
    assert_eq!((prack.headers.get("RAck"), prack.core.cseq.number), (Some("8 1 INVITE"), 3));
    assert_eq!(caller.told(), ["progress 183"]);
}

const CHALLENGE: (&str, &str) = ("WWW-Authenticate", "Digest realm=\"x\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"");
const STALE: (&str, &str) =
    ("WWW-Authenticate", "Digest realm=\"x\", nonce=\"n2\", algorithm=MD5, qop=\"auth\", stale=true");

#[test]
fn a_challenge_is_answered_with_credentials_the_next_cseq_and_a_new_branch() {
    let mut caller = Caller::new();
    let (_, invite) = caller.call(Some(sdp("offer")));
    caller.respond(&invite, 401, "b", "", &[CHALLENGE]);
    assert_eq!(caller.request().method, Method::Ack);
    let again = caller.request();
    assert_eq!(again.core.cseq.number, 2);
    assert_eq!(again.core.call_id, invite.core.call_id);
    assert_eq!(again.core.from.tag(), invite.core.from.tag());
    assert_eq!(again.core.to.tag(), None);
    assert_ne!(again.core.via[0].branch(), invite.core.via[0].branch());
    assert_eq!(again.core.via.len(), 1);
    assert_eq!(again.body, invite.body);
    let authorization = again.headers.get("Authorization").unwrap();
    assert!(authorization.starts_with("Digest username=\"alice\""), "{authorization}");
    caller.respond(&again, 200, "b", "answer", &[]);
    assert_eq!(caller.told(), ["answered answer(answer)"]);
    let ack = caller.request();
    assert_eq!(ack.core.cseq.number, 2, "the ACK is to the second INVITE");
    assert_eq!(ack.headers.get("Authorization"), Some(authorization), "§22.1: with the same credentials");
}

#[test]
fn refused_credentials_are_not_tried_again_and_stale_nonces_not_for_ever() {
    let mut caller = Caller::new();
    let (_, invite) = caller.call(Some(sdp("offer")));
    caller.respond(&invite, 401, "b", "", &[CHALLENGE]);
    caller.request();
    let again = caller.request();
    caller.respond(&again, 401, "b", "", &[CHALLENGE]);
    assert_eq!(caller.told(), ["failed 401"]);

    let mut caller = Caller::new();
    let (_, mut invite) = caller.call(Some(sdp("offer")));
    let mut tries = 0;
    while caller.told().is_empty() {
        caller.respond(&invite, 401, "b", "", &[STALE]);
        tries += 1;
        if let Some(Message::Request(request)) = std::iter::from_fn(|| caller.agent.poll_transmit())
            .map(|sent| Message::parse(&sent.bytes).unwrap())
            .find(|message| matches!(message, Message::Request(request) if request.method == Method::Invite))
        {
            invite = request;
        }
    }
    assert_eq!(tries, 3);
}

#[test]
fn a_challenged_bye_is_sent_again_with_credentials() {
    let mut caller = Caller::new();
    let (session, invite) = caller.call(Some(sdp("offer")));
    caller.respond(&invite, 200, "b", "answer", &[]);
    caller.request();
    caller.agent.hang_up(session, Headers::default(), caller.now);
    let bye = caller.request();
    caller.respond(&bye, 407, "b", "", &[("Proxy-Authenticate", CHALLENGE.1)]);
    let again = caller.request();
    assert_eq!((again.method, again.core.cseq.number), (Method::Bye, bye.core.cseq.number + 1));
    assert!(again.headers.contains("Proxy-Authorization"));
}

#[test]
fn a_422_is_obeyed() {
    let mut caller = Caller::new();
    let (_, invite) = caller.call(Some(sdp("offer")));
    caller.respond(&invite, 422, "b", "", &[("Min-SE", "3600")]);
    assert_eq!(caller.request().method, Method::Ack);
    let again = caller.request();
    assert_eq!(again.headers.get("Session-Expires"), Some("3600"));
    assert_eq!(again.headers.get("Min-SE"), Some("3600"));
    caller.respond(&again, 422, "b", "", &[("Min-SE", "7200")]);
    caller.request();
    let again = caller.request();
    caller.respond(&again, 422, "b", "", &[("Min-SE", "9000")]);
    assert_eq!(caller.told(), ["failed 422"]);
}

#[test]
fn a_cancelled_call_that_never_gets_its_487_is_given_up_after_64_t1() {
    let mut caller = Caller::new();
    let (session, invite) = caller.call(Some(sdp("offer")));
    caller.respond(&invite, 180, "b", "", &[]);
    caller.agent.hang_up(session, Headers::default(), caller.now);
    let cancel = caller.request();
    assert_eq!(cancel.method, Method::Cancel);
    assert_eq!(cancel.core.via, invite.core.via);
    caller.respond(&cancel, 200, "b", "", &[]);
    caller.wait(ms(31_999));
    assert_eq!(caller.agent.counts().sessions, 1);
    caller.wait(ms(10));
    assert_eq!(caller.agent.counts(), UaCounts::default());
    assert_eq!(caller.told(), ["progress 180", "ended Local"]);
}

#[test]
fn a_route_set_is_the_responses_record_route_from_its_end() {
    let mut caller = Caller::new();
    let (session, invite) = caller.call(Some(sdp("offer")));
    let routes = [("Record-Route", "<sip:127.0.0.8;lr>"), ("Record-Route", "<sip:127.0.0.2;lr>")];
    caller.respond(&invite, 200, "b", "answer", &routes);
    let ack = caller.request();
    caller.agent.hang_up(session, Headers::default(), caller.now);
    for request in [ack, caller.request()] {
        let route: Vec<_> = request.headers.get_all("Route").map(str::to_owned).collect();
        assert_eq!(route, ["<sip:127.0.0.2;lr>", "<sip:127.0.0.8;lr>"]);
        assert_eq!(request.uri.to_string(), "sip:b@127.0.0.2");
    }
}

#[test]
fn a_refusal_of_an_offer_with_408_or_481_ends_the_session() {
    for status in [408, 481] {
        let mut caller = Caller::new();
        let (session, invite) = caller.call(Some(sdp("offer")));
        caller.respond(&invite, 200, "b", "answer", &[]);
        caller.request();
        caller.agent.offer(session, sdp("hold"), caller.now);
        let reinvite = caller.request();
        assert_eq!(reinvite.core.cseq.number, 2);
        caller.respond(&reinvite, status, "b", "", &[]);
        assert_eq!(caller.methods(), ["ACK b", "BYE b"]);
        assert_eq!(caller.told(), ["answered answer(answer)", "ended Timeout"]);
    }
}

#[test]
fn a_request_that_a_broken_stream_did_not_deliver_goes_to_the_peers_own_address() {
    let mut caller = Caller::new();
    caller.flow.transport = Transport::Tcp;
    caller.flow.connection = Some(ConnectionId(7));
    let (session, invite) = caller.call(Some(sdp("offer")));
    let mut response = invite.response(StatusCode::OK, Some("b"));
    response.headers.push("Contact", "<sip:b@127.0.0.9:5075;transport=tcp>");
    caller.receive(response);
    caller.request();
    caller.agent.hang_up(session, Headers::default(), caller.now);
    let first = caller.agent.poll_transmit().unwrap();
    assert_eq!(first.to, Destination::Flow(caller.flow));
    caller.agent.handle_transport_error(&first.to, caller.now);
    let second = caller.agent.poll_transmit().unwrap();
    let address = "127.0.0.9:5075".parse().unwrap();
    assert_eq!(second.to, Destination::Address { transport: Transport::Tcp, address });
    caller.agent.handle_transport_error(&second.to, caller.now);
    assert!(caller.agent.poll_transmit().is_none());
    caller.wait(Duration::from_secs(70));
    assert_eq!(caller.agent.counts(), UaCounts::default());
}

#[test]
fn a_call_without_a_first_word_fails_sooner_where_that_is_wished_and_is_cancelled_if_it_arrived() {
    let mut caller = Caller::new();
    caller.first_word_within = Some(Duration::from_secs(5));
    let (_, invite) = caller.call(Some(sdp("offer")));
    caller.wait(ms(4_999));
    assert_eq!(caller.told(), [] as [&str; 0]);
    caller.wait(ms(2));
    assert_eq!(caller.told(), ["failed 408"]);
    caller.methods();
    caller.respond(&invite, 180, "b", "", &[]);
    assert_eq!(caller.methods(), ["CANCEL"]);
    caller.respond(&invite, 487, "b", "", &[]);
    caller.wait(Duration::from_secs(70));
    assert_eq!(caller.agent.counts(), UaCounts::default());

    caller.methods();
    let (_, invite) = caller.call(Some(sdp("offer")));
    caller.respond(&invite, 100, "", "", &[]);
    caller.wait(Duration::from_secs(100));
    assert_eq!(caller.told(), [] as [&str; 0], "100 is a word");
    caller.respond(&invite, 200, "b", "answer", &[]);
    assert_eq!(caller.told(), ["answered answer(answer)"]);
}

#[test]
fn a_phone_that_says_so_is_asked_to_answer_and_no_other() {
    let mut caller = Caller::new();
    let (session, invite) = caller.call(Some(sdp("offer")));
    assert!(!caller.agent.ask_to_answer(session, caller.now), "nothing rings yet");
    caller.respond(&invite, 180, "plain", "", &[]);
    assert!(!caller.agent.ask_to_answer(session, caller.now));
    caller.respond(&invite, 180, "desk", "", &[("Allow-Events", "hold, talk")]);
    assert!(caller.agent.ask_to_answer(session, caller.now));
    let notify = caller.request();
    assert_eq!((notify.method, notify.core.to.tag()), (Method::Notify, Some("desk")));
    assert_eq!((notify.headers.get("Event"), notify.headers.get("Subscription-State")), (Some("talk"), Some("active")));
    assert!(notify.body.is_empty() && notify.core.cseq.number > invite.core.cseq.number);
    let mut refused = notify.response(StatusCode::from(401), None);
    refused.headers.push("WWW-Authenticate", "Digest realm=\"x\", nonce=\"y\"");
    caller.receive(refused);
    caller.respond(&invite, 200, "desk", "answer", &[]);
    assert_eq!(caller.methods(), ["ACK desk"]);
    assert!(!caller.agent.ask_to_answer(session, caller.now), "it has been answered");
}
