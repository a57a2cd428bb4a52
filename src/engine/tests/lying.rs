//! Agents' phones that do what no phone should: whatever they answer, the caller is served by the next one.

use super::decisions::{PHONES, centre};
use super::dial_out::{CALLER, from_caller, sdp};
use super::*;
use crate::bridge::{Digit, DigitSource};
use crate::call::Phase;
use crate::record::{LegRecord, Outcome, Party};
use crate::views::AgentState;

const PLAN: &str = "name = 'front'\nnumbers = ['700']\n[[level]]\nname = 'wait'\n[[level.rule]]\nmodule = 'distribute'\n\
    in = { queue = 'sales' }\n";

/// A caller who waits, and the phone that is rung first.
fn ringing(settings: Settings) -> (Bench, &'static str, Request) {
    let mut bench = Bench::with_plan(settings, PLAN);
    bench.calls_700("70");
    let (to, invite) = bench.request(Method::Invite);
    let phone = PHONES.into_iter().find(|phone| *phone == to).expect("an agent's phone");
    (bench, phone, invite)
}

/// What the caller's dialog is known by at our end.
fn our_tag(bench: &Bench) -> String {
    let tag = bench.sent.iter().rev().find_map(|(to, message)| match message {
        Message::Response(response) if *to == address(CALLER) => response.core.to.tag(),
        _ => None,
    });
    tag.expect("a response with a tag").to_owned()
}

fn other(phone: &str) -> &'static str {
    if phone == PHONES[0] { PHONES[1] } else { PHONES[0] }
}

/// A request of a phone within the dialog that `invite` began.
fn from_phone(phone: &str, invite: &Request, method: &str, cseq: u32) -> Message {
    let text = format!(
        "{method} sip:us@{HERE} SIP/2.0\r\nVia: SIP/2.0/UDP {phone};branch=z9hG4bK{method}{cseq}\r\n\
         From: <sip:agent@{phone}>;tag=far\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
         Content-Length: 0\r\n\r\n",
        invite.core.from, invite.core.call_id
    );
    Message::parse(text.as_bytes()).unwrap()
}

/// Requests of this method that were sent to a phone and not looked at yet.
fn requests_to(bench: &mut Bench, phone: &str, method: &Method) -> Vec<Request> {
    let mut found = Vec::new();
    bench.sent.retain(|(to, message)| match message {
        Message::Request(request) if request.method == *method && *to == address(phone) => {
            found.push(request.clone());
            false
        }
        _ => true,
    });
    found
}

fn count_to(bench: &mut Bench, phone: &str, method: &Method) -> usize {
    requests_to(bench, phone, method).len()
}

/// The other phone is rung and answers; caller and agent talk, the caller hangs up, and nothing is left of it all.
fn is_served_by(mut bench: Bench, phone: &str) -> CallRecord {
    assert_eq!(bench.engine.counts().calls, 1, "the caller is lost; log: {:?}", bench.logs);
    assert_eq!(count_to(&mut bench, CALLER, &Method::Bye), 0, "the caller was hung up on");
    let (to, invite) = bench.request(Method::Invite);
    assert_eq!(to, phone);
    bench.answer(phone, &invite, 200, &sdp(6_000, "sendrecv"));
    let live = bench.engine.calls.values().next().expect("the call");
    assert!(matches!(live.call.phase, Phase::Talking { .. }), "{:?}", live.call.phase);
    let (statuses, tag) = bench.told();
    assert!(statuses.iter().all(|status| [100, 200].contains(status)), "the caller was told {statuses:?}");
    bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
    bench.wait(seconds(2.0));
    bench.receive(CALLER, from_caller("BYE", 2, &tag, "", ""));
    let record = bench.record();
    assert_eq!(record.outcome, Some(Outcome::Handled));
    bench.wait(seconds(120.0));
    let counts = bench.engine.counts();
    assert_eq!((counts.sessions, counts.legs, counts.ua.sessions, counts.acd.contacts), (0, 0, 0, 0), "{counts:?}");
    record
}

fn agents(record: &CallRecord) -> Vec<&LegRecord> {
    record.legs.iter().filter(|leg| leg.role == Party::Agent).collect()
}

#[test]
fn one_that_answers_and_hangs_up_at_once_leaves_the_caller_at_their_place() {
    for acknowledged in [true, false] {
        let (mut bench, phone, invite) = ringing(centre());
        bench.answer(phone, &invite, 180, "");
        bench.wait(seconds(3.0));
        bench.answer(phone, &invite, 200, &sdp(5_000, "sendrecv"));
        if acknowledged {
            let tag = our_tag(&bench);
            bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
        }
        bench.wait(seconds(0.2));
        bench.receive(phone, from_phone(phone, &invite, "BYE", 1));
        let record = is_served_by(bench, other(phone));
        assert_eq!(agents(&record).len(), 2, "both have answered");
        let waits: Vec<_> = record.visits.iter().map(|visit| visit.wait_ms).collect();
        assert_eq!(waits, [Some(3_000), Some(3_200)], "the second wait began with the first");
    }
}

#[test]
fn one_that_always_hangs_up_at_once_is_not_rung_without_a_pause() {
    let mut settings = centre();
    settings.agents.truncate(1);
    let (mut bench, phone, invite) = ringing(settings);
    bench.answer(phone, &invite, 200, &sdp(5_000, "sendrecv"));
    bench.receive(phone, from_phone(phone, &invite, "BYE", 1));
    bench.wait(seconds(9.9));
    assert_eq!(count_to(&mut bench, phone, &Method::Invite), 0, "retry_delay is 10 s");
    bench.wait(seconds(0.2));
    assert_eq!(count_to(&mut bench, phone, &Method::Invite), 1);
    assert_eq!(bench.engine.counts().calls, 1);
}

#[test]
fn one_that_hangs_up_at_once_twice_in_a_row_is_not_responding() {
    let mut settings = centre();
    settings.agents.truncate(1);
    let (mut bench, phone, mut invite) = ringing(settings);
    for (n, state) in [(1, AgentState::WrapUp), (2, AgentState::NotResponding)] {
        bench.answer(phone, &invite, 200, &sdp(5_000, "sendrecv"));
        if n == 1 {
            let tag = our_tag(&bench);
            bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
        }
        bench.receive(phone, from_phone(phone, &invite, "BYE", 1));
        let view = bench.engine.acd.agent_view(&"201".into()).expect("an agent");
        assert_eq!(view.state, state, "after {n}");
        bench.wait(seconds(10.1));
        if n == 1 {
            invite = bench.request(Method::Invite).1;
        }
    }
    bench.wait(seconds(60.0));
    assert_eq!(count_to(&mut bench, phone, &Method::Invite), 0);
    assert_eq!(bench.engine.counts().calls, 1, "the caller waits");
}

#[test]
fn a_caller_who_lost_the_agent_waits_on_by_the_terms_of_the_plan() {
    let plan = PLAN.replace("queue = 'sales'", "queue = 'sales', leave = '*', max_wait_s = 30");
    let plan = format!("{plan}[[level]]\nname = 'end'\n[[level.rule]]\nmodule = 'hangup'\n");
    for by_key in [true, false] {
        let mut bench = Bench::with_plan(centre(), &plan);
        bench.calls_700("70");
        let (phone, invite) = bench.request(Method::Invite);
        bench.answer(&phone, &invite, 180, "");
        bench.wait(seconds(10.0));
        bench.answer(&phone, &invite, 200, &sdp(5_000, "sendrecv"));
        let tag = our_tag(&bench);
        bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
        bench.receive(&phone, from_phone(&phone, &invite, "BYE", 1));
        let leg = bench.engine.calls.values().next().expect("the call").call.caller;
        if by_key {
            let digit = Digit::new('*').expect("a key");
            bench.input(Input::Media(MediaEvent::Digit { leg, digit, source: DigitSource::TelephoneEvent }));
        } else {
            bench.wait(seconds(29.0));
            assert_eq!(count_to(&mut bench, CALLER, &Method::Bye), 0, "the longest wait begins anew");
            bench.wait(seconds(1.1));
        }
        assert_eq!(count_to(&mut bench, CALLER, &Method::Bye), 1, "the next level ends the call");
    }
}

#[test]
fn an_agent_who_hangs_up_after_a_word_has_ended_the_call() {
    let (mut bench, phone, invite) = ringing(centre());
    bench.answer(phone, &invite, 200, &sdp(5_000, "sendrecv"));
    let tag = bench.told().1;
    bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
    bench.wait(seconds(0.6));
    bench.receive(phone, from_phone(phone, &invite, "BYE", 1));
    assert_eq!(count_to(&mut bench, CALLER, &Method::Bye), 1);
    assert_eq!(bench.record().ended_by, Some(Party::Agent));
}

#[test]
fn one_that_answers_twice_is_talked_with_once() {
    let (mut bench, phone, invite) = ringing(centre());
    bench.answer(phone, &invite, 200, &sdp(5_000, "sendrecv"));
    let tag = bench.told().1;
    bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
    assert_eq!(count_to(&mut bench, phone, &Method::Ack), 1);
    // The same again: our ACK was lost. RFC 3261 §13.2.2.4: it is acknowledged again.
    bench.answer(phone, &invite, 200, &sdp(5_000, "sendrecv"));
    assert_eq!(count_to(&mut bench, phone, &Method::Ack), 1);
    // Another answer of another phone behind the same address: acknowledged, and hung up on.
    let mut second: Response = invite.response(200.into(), Some("another"));
    second.headers.push("Contact", format!("<sip:another@{phone}>"));
    second.headers.push("Content-Type", "application/sdp");
    second.body = sdp(5_500, "sendrecv").into();
    bench.receive(phone, Message::Response(second));
    assert_eq!(count_to(&mut bench, phone, &Method::Ack), 1);
    let (to, bye) = bench.request(Method::Bye);
    assert_eq!((to.as_str(), bye.core.to.tag()), (phone, Some("another")));
    bench.answer(phone, &bye, 200, "");
    bench.wait(seconds(1.0));
    let live = bench.engine.calls.values().next().expect("the call");
    assert!(matches!(live.call.phase, Phase::Talking { .. }), "the talk goes on");
    bench.receive(CALLER, from_caller("BYE", 2, &tag, "", ""));
    assert_eq!(agents(&bench.record()).len(), 1);
}

#[test]
fn one_that_answers_after_the_cancel_is_hung_up_on() {
    let (mut bench, phone, invite) = ringing(centre());
    bench.answer(phone, &invite, 180, "");
    bench.wait(seconds(15.1));
    let cancel = requests_to(&mut bench, phone, &Method::Cancel).pop().expect("a CANCEL");
    bench.answer(phone, &cancel, 200, "");
    bench.answer(phone, &invite, 200, &sdp(5_000, "sendrecv"));
    assert_eq!(count_to(&mut bench, phone, &Method::Ack), 1, "RFC 3261 §9.1: the 200 has won");
    let bye = requests_to(&mut bench, phone, &Method::Bye).pop().expect("a BYE");
    bench.answer(phone, &bye, 200, "");
    assert_eq!(agents(&is_served_by(bench, other(phone))).len(), 1);
}

#[test]
fn one_that_rings_for_ever_and_answers_no_cancel_is_forgotten() {
    let (mut bench, phone, invite) = ringing(centre());
    for _ in 0..15 {
        bench.answer(phone, &invite, 180, "");
        bench.wait(seconds(1.0));
    }
    bench.wait(seconds(0.1));
    assert!(count_to(&mut bench, phone, &Method::Cancel) > 0);
    for _ in 0..5 {
        bench.answer(phone, &invite, 180, "");
    }
    assert_eq!(agents(&is_served_by(bench, other(phone))).len(), 1);
}

#[test]
fn an_answer_that_cannot_be_used_is_hung_up_on_and_the_next_is_rung() {
    let without_media = sdp(0, "sendrecv");
    let other_codec = sdp(5_000, "sendrecv").replace("RTP/AVP 0", "RTP/AVP 97\r\na=rtpmap:97 opus/48000/2");
    for body in ["", &without_media, &other_codec, "v=0\r\nnonsense", "\u{0}\u{1}"] {
        let (mut bench, phone, invite) = ringing(centre());
        bench.answer(phone, &invite, 180, "");
        bench.answer(phone, &invite, 200, body);
        assert_eq!(count_to(&mut bench, phone, &Method::Ack), 1, "{body}");
        assert_eq!(count_to(&mut bench, phone, &Method::Bye), 1, "{body}");
        assert_eq!(agents(&is_served_by(bench, other(phone))).len(), 1, "{body}");
    }
}

#[test]
fn one_that_is_busy_and_then_answers_has_refused() {
    for status in [486, 603, 480, 500] {
        let (mut bench, phone, invite) = ringing(centre());
        bench.answer(phone, &invite, 180, "");
        bench.answer(phone, &invite, status, "");
        bench.answer(phone, &invite, 200, &sdp(5_000, "sendrecv"));
        bench.answer(phone, &invite, status, "");
        assert_eq!(agents(&is_served_by(bench, other(phone))).len(), 1, "{status}");
    }
}
