//! Golden ladders: who sends what in the flows of RFC 3665, RFC 3262, RFC 3311, RFC 4028.

use super::*;
use crate::sip::message::Params;
use crate::sip::ua::{EndCause, SingleRequest};

#[test]
fn a_call_is_answered_and_ended_by_the_caller() {
    let mut pair = Pair::new();
    let a = pair.invite(ALICE, Some(sdp("offer")));
    pair.run_for(ms(100));
    let b = pair.incoming(BOB);
    let now = pair.now;
    pair.agents[BOB].progress(b, 180, None, now);
    pair.run_for(ms(100));
    let now = pair.now;
    pair.agents[BOB].accept(b, sdp("answer"), Headers::default(), now);
    pair.run_for(ms(100));
    let now = pair.now;
    pair.agents[ALICE].hang_up(a, Headers::default(), now);
    pair.settle();
    assert_eq!(
        pair.ladder(),
        [
            "A->B INVITE offer",
            "B->A 100 INVITE",
            "B->A 180 INVITE",
            "B->A 200 INVITE answer",
            "A->B ACK",
            "A->B BYE",
            "B->A 200 BYE",
        ]
    );
    assert_eq!(pair.told(ALICE), ["progress 180", "answered answer(answer)", "ended Local"]);
    assert_eq!(pair.told(BOB), ["incoming", "confirmed", "ended Bye { q850: None }"]);
    pair.assert_nothing_left();
}

#[test]
fn the_called_side_ends_the_call_and_says_why() {
    let (mut pair, _, b) = Pair::established();
    let mut headers = Headers::default();
    headers.push("Reason", "Q.850;cause=16;text=\"Normal\"");
    let now = pair.now;
    pair.agents[BOB].hang_up(b, headers, now);
    pair.settle();
    assert_eq!(pair.ladder(), ["B->A BYE", "A->B 200 BYE"]);
    assert_eq!(pair.told(ALICE), ["ended Bye { q850: Some(16) }"]);
    assert_eq!(pair.told(BOB), ["ended Local"]);
    pair.assert_nothing_left();
}

#[test]
fn over_tcp_nothing_is_repeated_and_nothing_lingers() {
    let mut pair = Pair::new();
    pair.transport = Transport::Tcp;
    let (a, _) = pair.establish();
    let now = pair.now;
    pair.agents[ALICE].hang_up(a, Headers::default(), now);
    pair.run_for(ms(100));
    assert_eq!(pair.ladder(), ["A->B BYE", "B->A 200 BYE"]);
    pair.settle();
    pair.assert_nothing_left();
}

#[test]
fn a_refused_call_fails_with_status_reason_and_cause() {
    let mut pair = Pair::new();
    pair.invite(ALICE, Some(sdp("offer")));
    pair.run_for(ms(100));
    let b = pair.incoming(BOB);
    let mut headers = Headers::default();
    headers.push("Reason", "Q.850;cause=17");
    let now = pair.now;
    pair.agents[BOB].reject(b, 486, Some("Gone to lunch"), headers, now);
    pair.run_for(ms(100));
    assert_eq!(pair.ladder(), ["A->B INVITE offer", "B->A 100 INVITE", "B->A 486 INVITE", "A->B ACK"]);
    let Some(Event::Failed { status, reason, q850, .. }) = pair.events[ALICE].last() else {
        panic!("{:?}", pair.events[ALICE])
    };
    assert_eq!((*status, reason.as_str(), *q850), (486, "Gone to lunch", Some(17)));
    assert_eq!(pair.told(BOB), ["incoming", "ended Local"]);
    pair.settle();
    pair.assert_nothing_left();
}

#[test]
fn a_cancelled_call_is_answered_487() {
    let mut pair = Pair::new();
    let a = pair.invite(ALICE, Some(sdp("offer")));
    pair.run_for(ms(100));
    let now = pair.now;
    pair.agents[ALICE].hang_up(a, Headers::default(), now);
    pair.settle();
    assert_eq!(
        pair.ladder(),
        ["A->B INVITE offer", "B->A 100 INVITE", "A->B CANCEL", "B->A 200 CANCEL", "B->A 487 INVITE", "A->B ACK",]
    );
    assert_eq!(pair.told(ALICE), ["ended Local"]);
    assert_eq!(pair.told(BOB), ["incoming", "ended Cancelled"]);
    pair.assert_nothing_left();
}

#[test]
fn a_cancel_waits_for_the_first_provisional_response() {
    let mut pair = Pair::new();
    let a = pair.invite(ALICE, Some(sdp("offer")));
    let now = pair.now;
    pair.agents[ALICE].hang_up(a, Headers::default(), now);
    pair.run_for(ms(15));
    assert_eq!(pair.ladder(), ["A->B INVITE offer"]);
    pair.settle();
    assert_eq!(pair.ladder(), ["B->A 100 INVITE", "A->B CANCEL", "B->A 200 CANCEL", "B->A 487 INVITE", "A->B ACK"]);
    pair.assert_nothing_left();
}

#[test]
fn a_cancel_that_crosses_the_200_is_followed_by_ack_and_bye() {
    let mut pair = Pair::new();
    let a = pair.invite(ALICE, Some(sdp("offer")));
    pair.run_for(ms(100));
    let b = pair.incoming(BOB);
    let now = pair.now;
    pair.agents[BOB].accept(b, sdp("answer"), Headers::default(), now);
    pair.agents[ALICE].hang_up(a, Headers::default(), now);
    pair.settle();
    let mut ladder = pair.ladder().split_off(2);
    ladder.sort();
    assert_eq!(
        ladder,
        ["A->B ACK", "A->B BYE", "A->B CANCEL", "B->A 200 BYE", "B->A 200 CANCEL", "B->A 200 INVITE answer"]
    );
    assert_eq!(pair.told(ALICE), ["ended Local"]);
    assert_eq!(pair.told(BOB), ["incoming", "confirmed", "ended Bye { q850: None }"]);
    pair.assert_nothing_left();
}

#[test]
fn nobody_answers_at_all() {
    let mut pair = Pair::new();
    pair.drop = Some(|_| true);
    pair.invite(ALICE, Some(sdp("offer")));
    pair.run_for(ms(31_990));
    assert_eq!(pair.told(ALICE), [] as [&str; 0]);
    pair.run_for(ms(20));
    assert_eq!(pair.told(ALICE), ["failed 408"]);
    pair.assert_nothing_left();
}

#[test]
fn the_far_end_is_unreachable() {
    let mut pair = Pair::new();
    pair.invite(ALICE, Some(sdp("offer")));
    let to = Destination::Address { transport: Transport::Udp, address: address(BOB) };
    let now = pair.now;
    pair.agents[ALICE].handle_transport_error(&to, now);
    assert_eq!(pair.told(ALICE), ["failed 503"]);
}

#[test]
fn late_offer_the_200_offers_and_the_ack_answers() {
    let mut pair = Pair::new();
    let a = pair.invite(ALICE, None);
    pair.run_for(ms(100));
    let b = pair.incoming(BOB);
    let now = pair.now;
    pair.agents[BOB].accept(b, sdp("bob"), Headers::default(), now);
    pair.run_for(ms(700));
    assert_eq!(pair.told(ALICE), ["answered offer(bob)"]);
    let now = pair.now;
    pair.agents[ALICE].answer(a, sdp("alice"), now);
    pair.run_for(ms(100));
    assert_eq!(
        pair.ladder(),
        ["A->B INVITE", "B->A 100 INVITE", "B->A 200 INVITE bob", "B->A 200 INVITE bob", "A->B ACK alice"]
    );
    assert_eq!(pair.told(BOB), ["incoming", "confirmed answer(alice)"]);
}

#[test]
fn a_200_is_repeated_until_its_ack_and_the_ack_for_each_200() {
    let mut pair = Pair::new();
    pair.drop = Some(|line| is(line, Method::Ack));
    pair.invite(ALICE, Some(sdp("offer")));
    pair.run_for(ms(100));
    let b = pair.incoming(BOB);
    let now = pair.now;
    pair.agents[BOB].accept(b, sdp("answer"), Headers::default(), now);
    pair.run_for(ms(3_600));
    pair.drop = None;
    pair.run_for(ms(10_000));
    let ladder = pair.ladder();
    assert_eq!(ladder.iter().filter(|line| *line == "B->A 200 INVITE answer").count(), 5, "{ladder:?}");
    assert_eq!(ladder.iter().filter(|line| *line == "A->B ACK").count(), 1);
    assert_eq!(pair.told(ALICE), ["answered answer(answer)"]);
    assert_eq!(pair.told(BOB), ["incoming", "confirmed"]);
}

#[test]
fn a_200_never_acknowledged_ends_the_session_with_bye_after_64_t1() {
    let mut pair = Pair::new();
    pair.drop = Some(|line| is(line, Method::Ack));
    pair.invite(ALICE, Some(sdp("offer")));
    pair.run_for(ms(100));
    let b = pair.incoming(BOB);
    let now = pair.now;
    pair.agents[BOB].accept(b, sdp("answer"), Headers::default(), now);
    pair.run_for(ms(31_990));
    assert_eq!(pair.told(BOB), ["incoming"]);
    pair.run_for(ms(100));
    assert_eq!(pair.told(BOB), ["ended Timeout"]);
    assert_eq!(pair.told(ALICE), ["answered answer(answer)", "ended Bye { q850: None }"]);
    pair.settle();
    pair.assert_nothing_left();
}

#[test]
fn a_bye_of_the_called_side_waits_for_the_ack() {
    let mut pair = Pair::new();
    pair.drop = Some(|line| is(line, Method::Ack));
    pair.invite(ALICE, Some(sdp("offer")));
    pair.run_for(ms(100));
    let b = pair.incoming(BOB);
    let now = pair.now;
    pair.agents[BOB].accept(b, sdp("answer"), Headers::default(), now);
    pair.agents[BOB].hang_up(b, Headers::default(), now);
    pair.run_for(ms(400));
    assert!(!pair.ladder().contains(&"B->A BYE".to_owned()));
    assert_eq!(pair.told(BOB), ["incoming", "ended Local"]);
    pair.drop = None;
    pair.run_for(ms(1_000));
    assert_eq!(pair.ladder(), ["B->A 200 INVITE answer", "A->B ACK", "B->A BYE", "A->B 200 BYE"]);
    assert_eq!(pair.told(ALICE), ["answered answer(answer)", "ended Bye { q850: None }"]);
    pair.settle();
    pair.assert_nothing_left();
}

#[test]
fn hold_and_resume_by_either_side() {
    let (mut pair, a, b) = Pair::established();
    for (side, session, peer) in [(ALICE, a, b), (BOB, b, a)] {
        let now = pair.now;
        pair.agents[side].offer(session, sdp("hold"), now);
        pair.run_for(ms(100));
        assert_eq!(pair.told(1 - side), ["reoffered offer(hold)"]);
        let now = pair.now;
        pair.agents[1 - side].answer(peer, sdp("held"), now);
        pair.run_for(ms(100));
        assert_eq!(pair.told(side), ["reanswered(held)"]);
        assert_eq!(pair.told(1 - side), [] as [&str; 0]);
        let expected = ["> INVITE hold", "< 100 INVITE", "< 200 INVITE held", "> ACK"];
        let arrows = [["A->B", "B->A"], ["B->A", "A->B"]][side];
        let expected = expected.map(|line| line.replace('>', arrows[0]).replace('<', arrows[1]));
        assert_eq!(pair.ladder(), expected);
    }
}

#[test]
fn a_refused_offer_leaves_the_session_as_it_was() {
    let (mut pair, a, b) = Pair::established();
    let now = pair.now;
    pair.agents[ALICE].offer(a, sdp("video"), now);
    pair.run_for(ms(100));
    let now = pair.now;
    pair.agents[BOB].refuse(b, 488, now);
    pair.run_for(ms(100));
    assert_eq!(pair.told(ALICE), ["refused 488"]);
    let now = pair.now;
    pair.agents[BOB].offer(b, sdp("next"), now);
    pair.run_for(ms(100));
    assert_eq!(pair.told(ALICE), ["reoffered offer(next)"]);
}

#[test]
fn an_offer_waits_for_the_exchange_that_runs_and_a_newer_one_replaces_it() {
    let (mut pair, a, b) = Pair::established();
    let now = pair.now;
    for name in ["one", "two", "three"] {
        pair.agents[ALICE].offer(a, sdp(name), now);
    }
    pair.run_for(ms(100));
    assert_eq!(pair.told(BOB), ["reoffered offer(one)"]);
    let now = pair.now;
    pair.agents[BOB].answer(b, sdp("yes"), now);
    pair.run_for(ms(100));
    assert_eq!(pair.told(BOB), ["reoffered offer(three)"]);
    let now = pair.now;
    pair.agents[BOB].answer(b, sdp("yes"), now);
    pair.run_for(ms(100));
    assert_eq!(pair.told(ALICE), ["reanswered(yes)", "reanswered(yes)"]);
}

#[test]
fn glare_is_answered_491_both_ways_and_resolved_by_the_owner_of_the_call_id_waiting_longer() {
    let (mut pair, a, b) = Pair::established();
    let now = pair.now;
    pair.agents[ALICE].offer(a, sdp("alice"), now);
    pair.agents[BOB].offer(b, sdp("bob"), now);
    pair.run_for(ms(50));
    let ladder = pair.ladder();
    for line in ["A->B 491 INVITE", "B->A 491 INVITE"] {
        assert!(ladder.contains(&line.to_owned()), "{ladder:?}");
    }
    assert_eq!(pair.told(ALICE), [] as [&str; 0]);
    pair.run_for(ms(2_050));
    assert_eq!(pair.told(ALICE), ["reoffered offer(bob)"], "the callee tries again within 2 s");
    let now = pair.now;
    pair.agents[ALICE].answer(a, sdp("yes"), now);
    pair.run_for(ms(2_000));
    assert_eq!(pair.told(BOB), ["reanswered(yes)", "reoffered offer(alice)"]);
    let now = pair.now;
    pair.agents[BOB].answer(b, sdp("yes"), now);
    pair.run_for(ms(100));
    assert_eq!(pair.told(ALICE), ["reanswered(yes)"]);
}

#[test]
fn a_session_is_refreshed_by_update_before_half_of_its_interval_is_past_and_lives_on() {
    let (mut pair, a, _) = Pair::established();
    pair.run_for(Duration::from_secs(4 * 1800 + 60));
    let ladder = pair.ladder();
    assert_eq!(ladder.iter().filter(|line| line.ends_with("200 UPDATE")).count(), 8, "{ladder:?}");
    assert!(pair.told(ALICE).is_empty() && pair.told(BOB).is_empty());
    let now = pair.now;
    pair.agents[ALICE].hang_up(a, Headers::default(), now);
    pair.settle();
    pair.assert_nothing_left();
}

#[test]
fn a_session_that_nobody_refreshes_ends_on_both_sides() {
    let (mut pair, _, _) = Pair::established();
    pair.drop = Some(|_| true);
    pair.run_for(Duration::from_secs(1900));
    let (alice, bob) = (pair.told(ALICE), pair.told(BOB));
    assert_eq!(alice, ["ended Timeout"], "the refresher's UPDATE is never answered");
    assert_eq!(bob, ["ended Expired"]);
    pair.settle();
    pair.assert_nothing_left();
}

#[test]
fn info_is_answered_and_told() {
    let (mut pair, a, _) = Pair::established();
    let now = pair.now;
    pair.agents[ALICE].info(a, "application/dtmf-relay", Bytes::from_static(b"Signal=5\r\nDuration=160\r\n"), now);
    pair.run_for(ms(100));
    assert_eq!(pair.ladder(), ["A->B INFO", "B->A 200 INFO"]);
    assert_eq!(pair.told(BOB), ["info application/dtmf-relay"]);
}

#[test]
fn single_requests_are_told_answered_and_timed_out() {
    let mut pair = Pair::new();
    let single = |method| SingleRequest {
        method,
        to: Destination::Address { transport: Transport::Udp, address: address(BOB) },
        request_uri: "sip:127.0.0.2".parse().unwrap(),
        from: name_addr("<sip:alice@example.com>"),
        to_header: name_addr("<sip:alice@example.com>"),
        headers: Headers::default(),
        body: Bytes::new(),
        credentials: None,
    };
    let now = pair.now;
    pair.agents[ALICE].request(single(Method::Options), now);
    pair.agents[ALICE].request(single(Method::Register), now);
    pair.run_for(ms(100));
    assert_eq!(pair.told(ALICE), ["response 200"]);
    let Some(Event::Request { ticket, request, .. }) = pair.events[BOB].pop() else { panic!("no request") };
    let mut response = request.response(crate::sip::message::StatusCode::OK, None);
    response.core.to.params = Params::default();
    let now = pair.now;
    pair.agents[BOB].respond(ticket, response, now);
    pair.run_for(ms(100));
    assert_eq!(pair.told(ALICE), ["response 200"]);
    pair.drop = Some(|_| true);
    let now = pair.now;
    pair.agents[ALICE].request(single(Method::Message), now);
    pair.settle();
    assert_eq!(pair.told(ALICE), ["response 408"]);
    pair.assert_nothing_left();
}

#[test]
fn a_broken_stream_ends_the_session_that_needs_it() {
    let mut pair = Pair::new();
    pair.transport = Transport::Tcp;
    let (a, _) = pair.establish();
    let now = pair.now;
    pair.agents[ALICE].offer(a, sdp("hold"), now);
    for _ in 0..2 {
        let to = pair.agents[ALICE].poll_transmit().expect("a re-INVITE").to;
        pair.agents[ALICE].handle_transport_error(&to, now);
    }
    let Some(Event::Ended { cause, .. }) = pair.agents[ALICE].poll_event() else { panic!("not ended") };
    assert_eq!(cause, EndCause::TransportError);
}
