//! Single rules, with messages written by hand.

use super::*;
use crate::ids::ConnectionId;
use crate::sip::message::Request;

/// One user agent and a peer whose every byte is ours.
struct Bench {
    agent: UserAgent,
    now: Instant,
    flow: Flow,
}

impl Bench {
    fn new() -> Self {
        let flow = Flow { transport: Transport::Udp, local: address(BOB), remote: address(ALICE), connection: None };
        Bench { agent: UserAgent::new(settings(BOB), [9; 32]), now: Instant(1_000_000_000), flow }
    }

    fn receive(&mut self, text: &str) {
        let text = text.trim_start().replace('\n', "\r\n");
        let message = Message::parse(&Bytes::from(text.clone())).unwrap_or_else(|error| panic!("{error:?} in\n{text}"));
        self.agent.handle_message(self.flow, message, self.now);
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.agent.poll_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.agent.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn sent(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.agent.poll_transmit()).map(|sent| Message::parse(&sent.bytes).unwrap()).collect()
    }

    fn lines(&mut self) -> Vec<String> {
        self.sent().iter().map(|message| describe(BOB, message).split_off(5)).collect()
    }

    fn told(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.agent.poll_event()).map(|event| tell(&event)).collect()
    }

    fn session(&mut self) -> SessionId {
        match self.agent.poll_event() {
            Some(Event::Incoming { session, .. }) => session,
            other => panic!("no call but {other:?}"),
        }
    }

    /// A call from the peer that has been answered; the request line and To of requests in its dialog.
    fn answered(&mut self, invite: &str) -> (SessionId, String) {
        self.receive(invite);
        let session = self.session();
        self.agent.accept(session, sdp("answer"), Headers::default(), self.now);
        let tag = self.our_tag();
        self.receive(&request("ACK", 1, "ack", &tag, ""));
        self.told();
        (session, tag)
    }

    /// Our tag in the last response.
    fn our_tag(&mut self) -> String {
        match self.sent().pop() {
            Some(Message::Response(response)) => response.core.to.tag().unwrap().to_owned(),
            other => panic!("no response but {other:?}"),
        }
    }

    fn next_request(&mut self) -> (Destination, Request) {
        let sent = self.agent.poll_transmit().expect("a request");
        match Message::parse(&sent.bytes) {
            Ok(Message::Request(request)) => (sent.to, request),
            other => panic!("no request but {other:?}"),
        }
    }
}

fn request(method: &str, cseq: u32, branch: &str, tag: &str, more: &str) -> String {
    let to = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    format!(
        "{method} sip:100@127.0.0.2 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK{branch}
Max-Forwards: 70
From: <sip:alice@example.com>;tag=a1
To: <sip:100@example.com>{to}
Call-ID: call
CSeq: {cseq} {method}
Contact: <sip:alice@127.0.0.1>
{more}Content-Length: 0

"
    )
}

fn with_sdp(text: &str) -> String {
    text.replace("Content-Length: 0\n\n", "Content-Type: application/sdp\nContent-Length: 11\n\nv=0 offer\n")
}

fn invite() -> String {
    with_sdp(&request("INVITE", 1, "i", "", ""))
}

#[test]
fn what_is_not_for_us_is_refused_as_section_8_2_says() {
    let cases = [
        (request("BYE", 1, "b", "", ""), "481 BYE"),
        (request("BYE", 1, "b", "nobody", ""), "481 BYE"),
        (request("INVITE", 1, "b", "nobody", ""), "481 INVITE"),
        (request("CANCEL", 1, "b", "", ""), "481 CANCEL"),
        (request("UPDATE", 1, "b", "", ""), "481 UPDATE"),
        (request("INVITE", 1, "b", "", "Require: nothingWeKnow\n"), "420 INVITE"),
        (request("OPTIONS", 1, "b", "", ""), "200 OPTIONS"),
        (invite().replace("application/sdp", "text/plain"), "415 INVITE"),
        (request("INVITE", 1, "b", "", "Supported: timer\nSession-Expires: 60\n"), "422 INVITE"),
    ];
    for (text, expected) in cases {
        let mut bench = Bench::new();
        bench.receive(&text);
        assert_eq!(bench.lines(), [expected], "{text}");
        assert_eq!(bench.told(), [] as [&str; 0]);
        assert_eq!(bench.agent.counts(), UaCounts::default(), "a refusal is forgotten at once");
    }
}

#[test]
fn options_is_answered_with_what_we_can_do() {
    let mut bench = Bench::new();
    bench.receive(&request("OPTIONS", 1, "o", "", ""));
    let Some(Message::Response(response)) = bench.sent().pop() else { panic!("no response") };
    for name in ["Allow", "Accept", "Supported", "Server"] {
        assert!(response.headers.get(name).is_some(), "{name}");
    }
    assert!(response.core.to.tag().is_some());
}

#[test]
fn equal_requests_get_equal_tags_though_we_keep_nothing() {
    let mut bench = Bench::new();
    bench.receive(&request("OPTIONS", 1, "o", "", ""));
    let first = bench.our_tag();
    bench.receive(&request("OPTIONS", 1, "o", "", ""));
    assert_eq!(bench.our_tag(), first);
    bench.receive(&request("OPTIONS", 1, "other", "", ""));
    assert_ne!(bench.our_tag(), first);
}

#[test]
fn an_ack_and_a_response_to_nothing_are_dropped() {
    let mut bench = Bench::new();
    bench.receive(&request("ACK", 1, "a", "", ""));
    bench.receive(&request("ACK", 1, "a", "nobody", ""));
    bench.receive(&request("OPTIONS", 1, "r", "t", "").replacen(
        "OPTIONS sip:100@127.0.0.2 SIP/2.0",
        "SIP/2.0 200 OK",
        1,
    ));
    assert_eq!(bench.lines(), [] as [&str; 0]);
    assert_eq!(bench.told(), [] as [&str; 0]);
}

#[test]
fn a_second_copy_by_another_path_gets_482() {
    let mut bench = Bench::new();
    bench.receive(&invite());
    bench.session();
    assert_eq!(bench.lines(), ["100 INVITE"]);
    bench.receive(&invite().replace("z9hG4bKi", "z9hG4bKj"));
    assert_eq!(bench.lines(), ["482 INVITE"]);
    assert_eq!(bench.told(), [] as [&str; 0]);
}

#[test]
fn a_request_out_of_order_gets_500() {
    let mut bench = Bench::new();
    bench.answered(&with_sdp(&request("INVITE", 10, "i", "", "")).replace("CSeq: 1 ACK", "CSeq: 10 ACK"));
    let mut bench = Bench::new();
    let (_, tag) = bench.answered(&invite());
    bench.receive(&request("OPTIONS", 7, "o7", &tag, ""));
    bench.receive(&request("OPTIONS", 6, "o6", &tag, ""));
    bench.receive(&request("OPTIONS", 8, "o8", &tag, ""));
    assert_eq!(bench.lines(), ["200 OPTIONS", "500 OPTIONS", "200 OPTIONS"]);
}

#[test]
fn a_reinvite_over_an_unanswered_one_gets_500_with_retry_after() {
    let mut bench = Bench::new();
    let (session, tag) = bench.answered(&invite());
    bench.receive(&with_sdp(&request("INVITE", 2, "i2", &tag, "")));
    bench.receive(&with_sdp(&request("INVITE", 3, "i3", &tag, "")));
    assert_eq!(bench.told(), ["reoffered offer(offer)"]);
    let messages = bench.sent();
    let Some(Message::Response(response)) = messages.last() else { panic!("no response") };
    assert_eq!(response.status.code(), 500);
    let seconds: u64 = response.headers.get("Retry-After").unwrap().trim().parse().unwrap();
    assert!(seconds <= 10);
    bench.agent.answer(session, sdp("answer"), bench.now);
    assert_eq!(bench.lines(), ["200 INVITE answer"]);
}

#[test]
fn an_update_with_an_offer_before_ours_is_answered_gets_491_and_over_theirs_500() {
    let mut bench = Bench::new();
    let (session, tag) = bench.answered(&invite());
    bench.agent.offer(session, sdp("ours"), bench.now);
    bench.sent();
    bench.receive(&with_sdp(&request("UPDATE", 2, "u2", &tag, "")));
    assert_eq!(bench.lines(), ["491 UPDATE"]);
    let mut bench = Bench::new();
    let (_, tag) = bench.answered(&invite());
    bench.receive(&with_sdp(&request("UPDATE", 2, "u2", &tag, "")));
    bench.receive(&with_sdp(&request("UPDATE", 3, "u3", &tag, "")));
    assert_eq!(bench.lines(), ["500 UPDATE"]);
    assert_eq!(bench.told(), ["reoffered offer(offer)"]);
}

#[test]
fn methods_we_do_not_take_in_a_dialog_get_405_with_allow() {
    let mut bench = Bench::new();
    let (_, tag) = bench.answered(&invite());
    bench.receive(&request("SUBSCRIBE", 2, "s", &tag, ""));
    let Some(Message::Response(response)) = bench.sent().pop() else { panic!("no response") };
    assert_eq!(response.status.code(), 405);
    assert!(response.headers.get("Allow").is_some());
}

#[test]
fn a_cancel_after_the_200_changes_nothing() {
    let mut bench = Bench::new();
    bench.receive(&invite());
    let session = bench.session();
    bench.agent.accept(session, sdp("answer"), Headers::default(), bench.now);
    bench.sent();
    bench.receive(&request("CANCEL", 1, "i", "", ""));
    assert_eq!(bench.lines(), ["200 CANCEL"]);
    assert_eq!(bench.told(), [] as [&str; 0]);
}

#[test]
fn a_cancelled_reinvite_gets_487_and_the_session_goes_on() {
    let mut bench = Bench::new();
    let (session, tag) = bench.answered(&invite());
    bench.receive(&with_sdp(&request("INVITE", 2, "i2", &tag, "")));
    bench.sent();
    bench.receive(&request("CANCEL", 2, "i2", &tag, ""));
    assert_eq!(bench.lines(), ["200 CANCEL", "487 INVITE"]);
    bench.agent.answer(session, sdp("too late"), bench.now);
    assert_eq!(bench.lines(), [] as [&str; 0]);
    bench.receive(&request("BYE", 3, "b", &tag, ""));
    assert_eq!(bench.told(), ["reoffered offer(offer)", "ended Bye { q850: None }"]);
}

#[test]
fn an_invitation_expires() {
    let mut bench = Bench::new();
    bench.receive(&with_sdp(&request("INVITE", 1, "i", "", "Expires: 20\n")));
    bench.session();
    assert_eq!(bench.lines(), ["100 INVITE"]);
    bench.wait(ms(19_999));
    assert_eq!(bench.told(), [] as [&str; 0]);
    bench.wait(ms(1));
    assert_eq!(bench.told(), ["ended Cancelled"]);
    assert_eq!(bench.lines(), ["487 INVITE"]);
}

/// RFC 3261 §17.2.1: a 100 is for the caller who would otherwise hear nothing for 200 ms.
#[test]
fn who_is_answered_at_once_gets_no_100_before() {
    let mut bench = Bench::new();
    bench.receive(&invite());
    let session = bench.session();
    bench.agent.accept(session, sdp("answer"), Headers::default(), bench.now);
    assert_eq!(bench.lines(), ["200 INVITE answer"]);
}

#[test]
fn a_call_that_rings_long_says_so_every_minute() {
    let mut bench = Bench::new();
    bench.receive(&invite());
    let session = bench.session();
    bench.agent.progress(session, 180, None, bench.now);
    bench.wait(Duration::from_secs(125));
    assert_eq!(bench.lines(), ["180 INVITE", "180 INVITE", "180 INVITE"]);
    bench.agent.accept(session, sdp("answer"), Headers::default(), bench.now);
    bench.wait(Duration::from_secs(125));
    assert!(!bench.lines().contains(&"180 INVITE".to_owned()));
}

#[test]
fn an_offer_of_ours_that_the_ack_does_not_answer_is_refused() {
    let mut bench = Bench::new();
    let (session, tag) = bench.answered(&invite());
    bench.receive(&request("INVITE", 2, "i2", &tag, ""));
    bench.agent.answer(session, sdp("ours"), bench.now);
    assert_eq!(bench.lines(), ["100 INVITE", "200 INVITE ours"]);
    bench.receive(&request("ACK", 2, "a2", &tag, ""));
    assert_eq!(bench.told(), ["reoffered", "refused 488"]);
}

#[test]
fn sdp_inside_a_multipart_is_found() {
    let body = "--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x\r\nContent-Type: application/sdp\r\n\r\nv=0 inner\r\n\r\n--x--\r\n";
    let head = request("INVITE", 1, "i", "", "Content-Type: multipart/mixed;boundary=x\n");
    let head = head.replace("Content-Length: 0\n\n", &format!("Content-Length: {}\n\n", body.len()));
    let mut bench = Bench::new();
    bench.receive(&format!("{}{}", head, body.replace("\r\n", "\n")));
    match bench.agent.poll_event() {
        Some(Event::Incoming { request, .. }) => {
            assert_eq!(&request.body[..], b"v=0 inner\r\n");
            assert_eq!(request.headers.get("Content-Type"), Some("application/sdp"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_response_goes_where_its_request_came_from_and_says_where_that_was() {
    let mut bench = Bench::new();
    bench.flow.remote = "127.0.0.77:40000".parse().unwrap();
    bench.receive(&request("OPTIONS", 1, "o", "", "").replace(";branch", ";rport;branch"));
    let sent = bench.agent.poll_transmit().unwrap();
    assert_eq!(sent.to, Destination::Flow(bench.flow));
    let Ok(Message::Response(response)) = Message::parse(&sent.bytes) else { panic!("no response") };
    let via = &response.core.via[0];
    assert_eq!(via.params.get("rport"), Some("40000"));
    assert_eq!(via.params.get("received"), Some("127.0.0.77"));
}

#[test]
fn requests_in_the_dialog_follow_the_record_route() {
    let routes = "Record-Route: <sip:127.0.0.5:5062;lr>, <sip:127.0.0.6;lr>\n";
    let mut bench = Bench::new();
    let (session, _) = bench.answered(&with_sdp(&request("INVITE", 1, "i", "", routes)));
    bench.sent();
    bench.agent.hang_up(session, Headers::default(), bench.now);
    let (to, bye) = bench.next_request();
    assert_eq!(bye.uri.to_string(), "sip:alice@127.0.0.1");
    let route: Vec<_> = bye.headers.get_all("Route").collect();
    assert_eq!(route, ["<sip:127.0.0.5:5062;lr>", "<sip:127.0.0.6;lr>"]);
    let flow = Flow { remote: "127.0.0.5:5062".parse().unwrap(), ..bench.flow };
    assert_eq!(to, Destination::Flow(flow));
}

#[test]
fn a_strict_router_gets_its_own_uri_and_the_target_last() {
    let routes = "Record-Route: <sip:127.0.0.5;method=BYE>, <sip:127.0.0.6;lr>\n";
    let mut bench = Bench::new();
    let (session, _) = bench.answered(&with_sdp(&request("INVITE", 1, "i", "", routes)));
    bench.sent();
    bench.agent.hang_up(session, Headers::default(), bench.now);
    let (_, bye) = bench.next_request();
    assert_eq!(bye.uri.to_string(), "sip:127.0.0.5");
    let route: Vec<_> = bye.headers.get_all("Route").collect();
    assert_eq!(route, ["<sip:127.0.0.6;lr>", "<sip:alice@127.0.0.1>"]);
}

#[test]
fn a_request_goes_by_the_path_of_the_peer_where_its_contact_cannot_be_reached() {
    let natted = "203.0.113.7:40000";
    let cases = [
        ("sip:alice@127.0.0.1", "127.0.0.1:5060", None, "127.0.0.1:5060"),
        ("sip:alice@198.51.100.9:5070", natted, None, "198.51.100.9:5070"),
        ("sip:alice@192.168.1.5", natted, None, natted),
        ("sip:alice@phone.example.com", natted, None, natted),
        ("sip:x@abc.invalid;transport=ws", natted, None, natted),
        ("sip:alice@198.51.100.9;transport=tcp", natted, Some(ConnectionId(4)), natted),
    ];
    for (contact, remote, connection, expected) in cases {
        let mut bench = Bench::new();
        bench.flow.remote = remote.parse().unwrap();
        if connection.is_some() {
            bench.flow.transport = Transport::Tcp;
            bench.flow.connection = connection;
        }
        let (session, _) = bench.answered(&invite().replace("sip:alice@127.0.0.1", contact));
        bench.sent();
        bench.agent.hang_up(session, Headers::default(), bench.now);
        match bench.next_request().0 {
            Destination::Flow(flow) => assert_eq!(flow.remote.to_string(), expected, "{contact}"),
            Destination::Address { address, .. } => assert_eq!(address.to_string(), expected, "{contact}"),
        }
    }
}

#[test]
fn a_peer_without_update_is_refreshed_by_a_reinvite_that_changes_nothing() {
    let mut bench = Bench::new();
    let more = "Supported: timer\nSession-Expires: 100;refresher=uas\n";
    bench.answered(&with_sdp(&request("INVITE", 1, "i", "", more)));
    bench.sent();
    bench.wait(Duration::from_secs(51));
    assert_eq!(bench.lines()[0], "INVITE answer");
}

#[test]
fn the_200_names_the_refresher_and_requires_the_timer_of_a_refreshing_caller() {
    let mut bench = Bench::new();
    bench.receive(&with_sdp(&request("INVITE", 1, "i", "", "Supported: timer\nSession-Expires: 300\n")));
    let session = bench.session();
    bench.agent.accept(session, sdp("answer"), Headers::default(), bench.now);
    let Some(Message::Response(response)) = bench.sent().pop() else { panic!("no response") };
    assert_eq!(response.headers.get("Session-Expires"), Some("300;refresher=uac"));
    assert_eq!(response.headers.get("Require"), Some("timer"));
}
