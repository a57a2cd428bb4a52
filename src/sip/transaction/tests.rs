//! The four machines against the RFC's sentences. Times are in milliseconds from the start.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Closed, Received, Timing, TransactionId, Transactions, Why};
use crate::sip::message::{
    CSeq, Core, Headers, Host, Method, NameAddr, Params, Request, Response, SipUri, StatusCode, Uri, Via,
};
use crate::sip::{Destination, Transport};
use crate::time::Instant;

type Table = Transactions<&'static str, &'static str>;

fn at(ms: u64) -> Instant {
    Instant(0) + Duration::from_millis(ms)
}

fn address() -> SocketAddr {
    "127.0.0.9:5060".parse().unwrap()
}

fn by(transport: Transport) -> Destination {
    Destination::Address { transport, address: address() }
}

fn params(list: &[(&str, &str)]) -> Params {
    Params(list.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect())
}

fn name_addr(user: &str, list: &[(&str, &str)]) -> NameAddr {
    let uri = SipUri {
        secure: false,
        user: Some(user.to_owned()),
        password: None,
        host: Host::Name("example.com".into()),
        port: None,
        params: Params::default(),
        headers: None,
    };
    NameAddr { display: None, uri: Uri::Sip(uri), params: params(list) }
}

fn core(method: Method, branch: &str) -> Core {
    Core {
        via: vec![Via {
            transport: "UDP".into(),
            host: Host::Name("client.example.com".into()),
            port: None,
            params: params(&[("branch", branch)]),
        }],
        from: name_addr("alice", &[("tag", "a1")]),
        to: name_addr("bob", &[]),
        call_id: Arc::from("call"),
        cseq: CSeq { number: 1, method },
    }
}

fn request(method: Method, branch: &str) -> Request {
    let core = core(method, branch);
    let uri = core.to.uri.clone();
    Request { method, uri, core, max_forwards: Some(70), headers: Headers::default(), body: Bytes::new() }
}

fn response(status: u16, method: Method, branch: &str) -> Response {
    let core = core(method, branch);
    let headers = Headers::default();
    Response { status: StatusCode::from(status), reason: String::new(), core, headers, body: Bytes::new() }
}

fn table() -> Table {
    Transactions::new(Timing::default())
}

fn receive(table: &mut Table, response: &Response, now: Instant) -> Option<TransactionId> {
    table.receive_response(response, |_| Some(Bytes::from_static(b"ACK")), now)
}

fn sent(table: &mut Table) -> Vec<Bytes> {
    std::iter::from_fn(|| table.poll_transmit()).map(|transmit| transmit.bytes).collect()
}

/// Runs every timer up to `end` (ms) and says when (ms) what was sent.
fn run(table: &mut Table, end: u64) -> Vec<(u64, Bytes)> {
    let mut log = Vec::new();
    while let Some(next) = table.poll_timeout().filter(|next| *next <= at(end)) {
        table.handle_timeout(next);
        let ms = u64::try_from(next.since(Instant(0)).as_millis()).unwrap();
        log.extend(sent(table).into_iter().map(|bytes| (ms, bytes)));
    }
    log
}

fn times(log: &[(u64, Bytes)]) -> Vec<u64> {
    log.iter().map(|(ms, _)| *ms).collect()
}

fn assert_empty(table: &Table) {
    assert!(table.is_empty());
}

fn start(table: &mut Table, method: Method, transport: Transport) -> TransactionId {
    let id = table.request(method, "z9hG4bKx", by(transport), Bytes::from_static(b"REQUEST"), "user", at(0));
    assert_eq!(sent(table), [&b"REQUEST"[..]]);
    id
}

mod client_invite {
    use super::*;

    #[test]
    fn is_retransmitted_at_doubling_intervals_and_times_out_after_64_t1() {
        let mut table = table();
        let id = start(&mut table, Method::Invite, Transport::Udp);
        let log = run(&mut table, 60_000);
        assert_eq!(times(&log), [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
        assert_eq!(
            table.poll_closed(),
            Some(Closed { id, owner: "user", request: Bytes::from_static(b"REQUEST"), why: Why::Timeout })
        );
        assert_eq!(table.poll_closed(), None);
        assert_empty(&table);
    }

    #[test]
    fn is_sent_once_over_a_stream() {
        let mut table = table();
        start(&mut table, Method::Invite, Transport::Tcp);
        assert_eq!(run(&mut table, 31_999), []);
        assert_eq!(table.poll_closed(), None);
        run(&mut table, 32_000);
        assert_eq!(table.poll_closed().map(|closed| closed.why), Some(Why::Timeout));
    }

    #[test]
    fn a_provisional_response_stops_retransmission_and_the_time_out() {
        let mut table = table();
        let id = start(&mut table, Method::Invite, Transport::Udp);
        for status in [100, 180, 180] {
            assert_eq!(receive(&mut table, &response(status, Method::Invite, "z9hG4bKx"), at(100)), Some(id));
        }
        assert_eq!(run(&mut table, 600_000), []);
        assert_eq!(table.poll_closed(), None);
    }

    #[test]
    fn every_2xx_is_passed_up_until_timer_m() {
        let mut table = table();
        let id = start(&mut table, Method::Invite, Transport::Udp);
        for ms in [100, 600, 32_099] {
            run(&mut table, ms);
            assert_eq!(receive(&mut table, &response(200, Method::Invite, "z9hG4bKx"), at(ms)), Some(id));
        }
        assert_eq!(receive(&mut table, &response(486, Method::Invite, "z9hG4bKx"), at(32_099)), None);
        assert!(sent(&mut table).is_empty(), "the ACK to a 2xx is the user's");
        run(&mut table, 32_100);
        assert_eq!(
            table.poll_closed(),
            Some(Closed { id, owner: "user", request: Bytes::from_static(b"REQUEST"), why: Why::Done })
        );
        assert_eq!(receive(&mut table, &response(200, Method::Invite, "z9hG4bKx"), at(32_101)), None);
        assert_empty(&table);
    }

    #[test]
    fn a_refusal_is_passed_up_once_and_acknowledged_each_time() {
        let mut table = table();
        let id = start(&mut table, Method::Invite, Transport::Udp);
        assert_eq!(receive(&mut table, &response(486, Method::Invite, "z9hG4bKx"), at(100)), Some(id));
        assert_eq!(sent(&mut table), [&b"ACK"[..]]);
        assert_eq!(receive(&mut table, &response(486, Method::Invite, "z9hG4bKx"), at(600)), None);
        assert_eq!(sent(&mut table), [&b"ACK"[..]]);
        assert_eq!(receive(&mut table, &response(180, Method::Invite, "z9hG4bKx"), at(700)), None);
        run(&mut table, 32_099);
        assert_eq!(table.poll_closed(), None, "Timer D is at least 32 s");
        run(&mut table, 32_100);
        assert_eq!(
            table.poll_closed(),
            Some(Closed { id, owner: "user", request: Bytes::from_static(b"REQUEST"), why: Why::Done })
        );
    }

    #[test]
    fn timer_d_is_zero_over_a_stream() {
        let mut table = table();
        start(&mut table, Method::Invite, Transport::Tcp);
        receive(&mut table, &response(486, Method::Invite, "z9hG4bKx"), at(100));
        run(&mut table, 100);
        assert_eq!(table.poll_closed().map(|closed| closed.why), Some(Why::Done));
        assert_empty(&table);
    }

    #[test]
    fn a_dead_destination_fails_it() {
        let mut table = table();
        start(&mut table, Method::Invite, Transport::Udp);
        table.fail(&by(Transport::Tcp));
        assert_eq!(table.poll_closed(), None);
        table.fail(&by(Transport::Udp));
        assert_eq!(table.poll_closed().map(|closed| closed.why), Some(Why::TransportError));
        assert_empty(&table);
    }

    #[test]
    fn it_can_be_abandoned_until_it_has_a_final_response() {
        let mut table = table();
        let id = start(&mut table, Method::Invite, Transport::Udp);
        receive(&mut table, &response(180, Method::Invite, "z9hG4bKx"), at(1));
        table.abandon(id);
        assert_eq!(table.poll_closed().map(|closed| closed.why), Some(Why::Abandoned));
        let id = start(&mut table, Method::Invite, Transport::Udp);
        receive(&mut table, &response(200, Method::Invite, "z9hG4bKx"), at(2));
        table.abandon(id);
        assert_eq!(table.poll_closed(), None);
    }
}

mod client_non_invite {
    use super::*;

    #[test]
    fn is_retransmitted_at_intervals_capped_at_t2_and_times_out_after_64_t1() {
        let mut table = table();
        start(&mut table, Method::Options, Transport::Udp);
        let log = run(&mut table, 60_000);
        assert_eq!(times(&log), [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
        assert_eq!(table.poll_closed().map(|closed| closed.why), Some(Why::Timeout));
        assert_empty(&table);
    }

    #[test]
    fn in_proceeding_it_is_retransmitted_every_t2() {
        let mut table = table();
        start(&mut table, Method::Options, Transport::Udp);
        run(&mut table, 600);
        assert!(receive(&mut table, &response(100, Method::Options, "z9hG4bKx"), at(600)).is_some());
        let log = run(&mut table, 60_000);
        assert_eq!(times(&log), [1_500, 5_500, 9_500, 13_500, 17_500, 21_500, 25_500, 29_500]);
        assert_eq!(table.poll_closed().map(|closed| closed.why), Some(Why::Timeout));
    }

    #[test]
    fn the_final_response_is_passed_up_once_and_repetitions_are_absorbed_for_t4() {
        let mut table = table();
        let id = start(&mut table, Method::Bye, Transport::Udp);
        assert_eq!(receive(&mut table, &response(200, Method::Bye, "z9hG4bKx"), at(100)), Some(id));
        assert_eq!(receive(&mut table, &response(200, Method::Bye, "z9hG4bKx"), at(200)), None);
        assert_eq!(run(&mut table, 5_099), []);
        assert_eq!(table.poll_closed(), None);
        run(&mut table, 5_100);
        assert_eq!(table.poll_closed().map(|closed| closed.why), Some(Why::Done));
        assert_empty(&table);
    }

    #[test]
    fn a_response_with_another_method_or_branch_is_not_its() {
        let mut table = table();
        start(&mut table, Method::Bye, Transport::Udp);
        assert_eq!(receive(&mut table, &response(200, Method::Invite, "z9hG4bKx"), at(1)), None);
        assert_eq!(receive(&mut table, &response(200, Method::Cancel, "z9hG4bKx"), at(1)), None);
        assert_eq!(receive(&mut table, &response(200, Method::Bye, "z9hG4bKy"), at(1)), None);
    }

    #[test]
    fn a_cancel_lives_beside_its_invite_on_one_branch() {
        let mut table = table();
        let invite = start(&mut table, Method::Invite, Transport::Udp);
        let cancel = start(&mut table, Method::Cancel, Transport::Udp);
        assert_eq!(receive(&mut table, &response(200, Method::Cancel, "z9hG4bKx"), at(1)), Some(cancel));
        assert_eq!(receive(&mut table, &response(487, Method::Invite, "z9hG4bKx"), at(1)), Some(invite));
    }
}

mod server_invite {
    use super::*;

    fn serve(table: &mut Table, transport: Transport) -> TransactionId {
        let invite = request(Method::Invite, "z9hG4bKx");
        assert_eq!(table.receive_request(&invite, at(0)), Received::New);
        table.serve(&invite, by(transport), "call", at(0))
    }

    #[test]
    fn a_retransmitted_invite_gets_the_last_provisional_response() {
        let mut table = table();
        let id = serve(&mut table, Transport::Udp);
        let invite = request(Method::Invite, "z9hG4bKx");
        assert_eq!(table.receive_request(&invite, at(1)), Received::Absorbed);
        assert!(sent(&mut table).is_empty());
        table.respond(id, 100, Bytes::from_static(b"100"), at(2));
        table.respond(id, 180, Bytes::from_static(b"180"), at(2));
        sent(&mut table);
        assert_eq!(table.receive_request(&invite, at(3)), Received::Absorbed);
        assert_eq!(sent(&mut table), [&b"180"[..]]);
    }

    #[test]
    fn a_refusal_is_repeated_up_to_t2_until_timer_h() {
        let mut table = table();
        let id = serve(&mut table, Transport::Udp);
        table.respond(id, 486, Bytes::from_static(b"486"), at(0));
        assert_eq!(sent(&mut table), [&b"486"[..]]);
        let log = run(&mut table, 60_000);
        assert_eq!(times(&log), [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
        assert_empty(&table);
    }

    #[test]
    fn the_ack_ends_repetition_and_later_acks_are_absorbed_for_t4() {
        let mut table = table();
        let id = serve(&mut table, Transport::Udp);
        table.respond(id, 486, Bytes::from_static(b"486"), at(0));
        sent(&mut table);
        let mut ack = request(Method::Ack, "z9hG4bKx");
        ack.core.to = name_addr("bob", &[("tag", "b1")]);
        assert_eq!(table.receive_request(&ack, at(100)), Received::Absorbed);
        assert_eq!(run(&mut table, 5_099), []);
        assert_eq!(table.receive_request(&ack, at(5_099)), Received::Absorbed);
        assert_eq!(table.receive_request(&request(Method::Invite, "z9hG4bKx"), at(5_099)), Received::Absorbed);
        assert!(sent(&mut table).is_empty());
        run(&mut table, 5_100);
        assert_empty(&table);
    }

    #[test]
    fn over_a_stream_the_ack_ends_it_at_once() {
        let mut table = table();
        let id = serve(&mut table, Transport::Tcp);
        table.respond(id, 486, Bytes::from_static(b"486"), at(0));
        assert_eq!(times(&run(&mut table, 30_000)), [] as [u64; 0]);
        table.receive_request(&request(Method::Ack, "z9hG4bKx"), at(30_000));
        assert_empty(&table);
    }

    #[test]
    fn after_a_2xx_invites_are_absorbed_and_acks_passed_up_until_timer_l() {
        let mut table = table();
        let id = serve(&mut table, Transport::Udp);
        table.respond(id, 200, Bytes::from_static(b"200"), at(0));
        sent(&mut table);
        assert_eq!(table.receive_request(&request(Method::Invite, "z9hG4bKx"), at(1)), Received::Absorbed);
        assert!(sent(&mut table).is_empty(), "the user repeats a 2xx");
        assert_eq!(table.receive_request(&request(Method::Ack, "z9hG4bKx"), at(2)), Received::Ack);
        table.respond(id, 486, Bytes::from_static(b"486"), at(3));
        assert!(sent(&mut table).is_empty(), "a second final response is not sent");
        assert_eq!(run(&mut table, 32_000), []);
        assert_empty(&table);
    }

    #[test]
    fn a_cancel_finds_its_invite_by_branch_and_sent_by() {
        let mut table = table();
        let id = serve(&mut table, Transport::Udp);
        let cancel = request(Method::Cancel, "z9hG4bKx");
        assert_eq!(table.receive_request(&cancel, at(1)), Received::New);
        assert_eq!(table.cancelled_by(&cancel), Some((&"call", true)));
        table.respond(id, 200, Bytes::from_static(b"200"), at(1));
        assert_eq!(table.cancelled_by(&cancel), Some((&"call", false)));
        let mut other = cancel.clone();
        other.core.via[0].port = Some(5070);
        assert_eq!(table.cancelled_by(&other), None);
    }

    #[test]
    fn a_copy_by_another_path_is_merged() {
        let mut table = table();
        serve(&mut table, Transport::Udp);
        assert_eq!(table.receive_request(&request(Method::Invite, "z9hG4bKother"), at(1)), Received::Merged);
        let mut in_dialog = request(Method::Invite, "z9hG4bKother");
        in_dialog.core.to = name_addr("bob", &[("tag", "b1")]);
        assert_eq!(table.receive_request(&in_dialog, at(1)), Received::New);
        let mut later = request(Method::Invite, "z9hG4bKother");
        later.core.cseq.number = 2;
        assert_eq!(table.receive_request(&later, at(1)), Received::New);
    }

    #[test]
    fn branches_without_the_cookie_are_matched_as_rfc_2543_says() {
        for branch in ["1", "z9hG4bK"] {
            let mut table = table();
            let invite = request(Method::Invite, branch);
            table.serve(&invite, by(Transport::Udp), "first", at(0));
            let mut second = invite.clone();
            second.core.cseq.number = 2;
            assert_eq!(table.receive_request(&invite, at(1)), Received::Absorbed, "{branch}");
            assert_eq!(table.receive_request(&second, at(1)), Received::New, "{branch}");
            let id = table.serve(&second, by(Transport::Udp), "second", at(1));
            table.respond(id, 486, Bytes::from_static(b"486"), at(1));
            let mut ack = second.clone();
            ack.method = Method::Ack;
            ack.core.cseq.method = Method::Ack;
            ack.core.to = name_addr("bob", &[("tag", "b1")]);
            assert_eq!(table.receive_request(&ack, at(2)), Received::Absorbed, "{branch}");
        }
    }
}

mod server_non_invite {
    use super::*;

    fn serve(table: &mut Table, transport: Transport) -> TransactionId {
        table.serve(&request(Method::Options, "z9hG4bKx"), by(transport), "options", at(0))
    }

    #[test]
    fn retransmissions_are_discarded_until_there_is_a_response_then_answered_with_it() {
        let mut table = table();
        let id = serve(&mut table, Transport::Udp);
        let again = request(Method::Options, "z9hG4bKx");
        assert_eq!(table.receive_request(&again, at(1)), Received::Absorbed);
        assert!(sent(&mut table).is_empty());
        table.respond(id, 200, Bytes::from_static(b"200"), at(2));
        assert_eq!(sent(&mut table), [&b"200"[..]]);
        assert_eq!(table.receive_request(&again, at(3)), Received::Absorbed);
        assert_eq!(sent(&mut table), [&b"200"[..]]);
        table.respond(id, 500, Bytes::from_static(b"500"), at(4));
        assert!(sent(&mut table).is_empty(), "a second final response is not sent");
    }

    /// RFC 4475 §3.1.2.13 and others after it: one branch, host after host and call after call.
    #[test]
    fn another_call_with_the_same_branch_is_no_retransmission() {
        let mut table = table();
        serve(&mut table, Transport::Udp);
        let mut other = request(Method::Options, "z9hG4bKx");
        other.core.call_id = Arc::from("another call");
        assert_eq!(table.receive_request(&other, at(1)), Received::New);
    }

    #[test]
    fn timer_j_ends_it_after_64_t1_and_at_once_over_a_stream() {
        let mut table = table();
        let id = serve(&mut table, Transport::Udp);
        table.respond(id, 200, Bytes::from_static(b"200"), at(0));
        run(&mut table, 31_999);
        assert_eq!(table.counts(), (1, 1));
        run(&mut table, 32_000);
        assert_empty(&table);
        let id = serve(&mut table, Transport::Tcp);
        table.respond(id, 200, Bytes::from_static(b"200"), at(40_000));
        assert_empty(&table);
    }
}

#[test]
fn the_table_survives_serialisation() {
    let mut table: Transactions<String, String> = Transactions::new(Timing::default());
    let bytes = Bytes::from_static(b"REQUEST");
    table.request(Method::Invite, "z9hG4bKx", by(Transport::Udp), bytes, "user".into(), at(0));
    table.serve(&request(Method::Options, "z9hG4bKo"), by(Transport::Udp), "options".into(), at(0));
    let text = serde_json::to_string(&table).unwrap();
    let mut back: Transactions<String, String> = serde_json::from_str(&text).unwrap();
    assert_eq!(back.counts(), (2, 2));
    assert_eq!(back.receive_request(&request(Method::Options, "z9hG4bKo"), at(1)), Received::Absorbed);
    back.fail(&by(Transport::Udp));
    assert_eq!(back.poll_closed().map(|closed| closed.why), Some(Why::TransportError));
}
