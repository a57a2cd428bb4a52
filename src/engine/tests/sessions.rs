//! What offers, answers and provisional responses make of a call: hold in its three forms, late offers, PRACK, early
//! media of several forks, glare.

use super::dial_out::{CALLER, FIRST, TRANSFERS, acme, from_caller, sdp};
use super::*;
use crate::call::Phase;
use crate::views::Change;

/// The number 700 is answered, and greeted.
const ANSWERS: &str = "name = 'front'\nnumbers = ['700']\n[[level]]\nname = 'hello'\n[[level.rule]]\nmodule = 'announce'\n\
    in = { prompt = 'greeting' }\n[[level]]\nname = 'end'\n[[level.rule]]\nmodule = 'hangup'\n";

/// What leg hears whom: its sources, and whether music plays.
fn ear(bench: &Bench, leg: LegId) -> (Vec<LegId>, bool) {
    let mut heard = (Vec::new(), false);
    for command in &bench.media {
        match command {
            MediaCommand::Hear { leg: ear, sources } if *ear == leg => heard.0 = sources.to_vec(),
            MediaCommand::Play { leg: ear, .. } if *ear == leg => heard.1 = true,
            MediaCommand::StopPlay { leg: ear, .. } if *ear == leg => heard.1 = false,
            _ => {}
        }
    }
    heard
}

fn legs(bench: &Bench) -> (LegId, LegId) {
    let mut legs: Vec<LegId> = bench.engine.legs.keys().copied().collect();
    legs.sort();
    (legs[0], legs[1])
}

pub(super) fn with_body(method: &str, cseq: u32, tag: &str, body: &str) -> Message {
    from_caller(method, cseq, tag, "Content-Type: application/sdp\r\n", body)
}

pub(super) fn body_of_last(bench: &Bench, status: u16) -> String {
    let last = bench.sent.iter().rev().find_map(|(to, message)| match message {
        Message::Response(response) if *to == address(CALLER) && response.code() == status => Some(response),
        _ => None,
    });
    String::from_utf8(last.unwrap_or_else(|| panic!("no {status}")).body.to_vec()).unwrap()
}

#[test]
fn a_caller_who_is_answered_finds_the_call_published() {
    let mut bench = Bench::with_plan(acme(), ANSWERS);
    let flow = Flow { transport: Transport::Udp, local: address(HERE), remote: address(CALLER), connection: None };
    let invite = with_body("INVITE", 1, "", &sdp(4_000, "sendrecv"));
    bench.engine.handle_input(Input::Sip { flow, message: Box::new(invite) }, bench.now);
    let commands: Vec<Command> = std::iter::from_fn(|| bench.engine.poll_command()).collect();
    let published = commands
        .iter()
        .position(|command| matches!(command, Command::Publish(Change::Call(view)) if view.answered_at.is_some()));
    let answered = commands.iter().position(
        |command| matches!(command, Command::Send(Transmit { bytes, .. }) if bytes.starts_with(b"SIP/2.0 200")),
    );
    let (published, answered) = (published.expect("published"), answered.expect("answered"));
    assert!(published < answered, "published {published}., answered {answered}. of {}", commands.len());
}

#[test]
fn hold_in_its_three_forms_gives_the_other_music_and_the_holder_silence() {
    let black_hole = sdp(4_000, "sendrecv").replace("c=IN IP4 192.0.2.9", "c=IN IP4 0.0.0.0");
    for (form, answered) in
        [(sdp(4_000, "sendonly"), "a=recvonly"), (sdp(4_000, "inactive"), "a=inactive"), (black_hole, "")]
    {
        let (mut bench, tag, _) = Bench::talking(acme());
        let (caller, far) = legs(&bench);
        assert_eq!((ear(&bench, caller), ear(&bench, far)), ((vec![far], false), (vec![caller], false)));
        bench.receive(CALLER, with_body("INVITE", 2, &tag, &form));
        let answer = body_of_last(&bench, 200);
        assert!(answer.contains(answered), "{form}\n{answer}");
        bench.receive(CALLER, from_caller("ACK", 2, &tag, "", ""));
        assert_eq!((ear(&bench, caller), ear(&bench, far)), ((vec![far], false), (vec![], true)), "{form}");
        let held = bench.engine.calls.values().next().unwrap().call.on_hold();
        assert!(held, "{form}");
        bench.receive(CALLER, with_body("INVITE", 3, &tag, &sdp(4_000, "sendrecv")));
        bench.receive(CALLER, from_caller("ACK", 3, &tag, "", ""));
        assert_eq!((ear(&bench, caller), ear(&bench, far)), ((vec![far], false), (vec![caller], false)), "{form}");
        bench.wait(seconds(1.0));
        bench.receive(CALLER, from_caller("BYE", 4, &tag, "", ""));
        assert_eq!(bench.record().talk_ms, Some(1_000), "{form}");
    }
}

#[test]
fn a_late_offer_is_ours_and_its_answer_comes_in_the_ack() {
    for answered in [true, false] {
        let mut bench = Bench::with_plan(acme(), TRANSFERS);
        bench.receive(CALLER, from_caller("INVITE", 1, "", "", ""));
        let invite = bench.invited(FIRST);
        bench.answer(FIRST, &invite, 200, &sdp(5_000, "sendrecv"));
        let offer = body_of_last(&bench, 200);
        assert!(offer.contains("m=audio 30000 RTP/AVP 0"), "{offer}");
        let (_, tag) = bench.told();
        let (caller, _) = legs(&bench);
        let configured = |bench: &Bench| {
            let of = |command: &MediaCommand| matches!(command, MediaCommand::Configure { leg, .. } if *leg == caller);
            bench.media.iter().any(of)
        };
        assert!(!configured(&bench), "nothing is agreed yet");
        if answered {
            bench.receive(CALLER, with_body("ACK", 1, &tag, &sdp(4_000, "sendrecv")));
            assert!(configured(&bench));
            assert!(matches!(bench.engine.calls.values().next().unwrap().call.phase, Phase::Talking { .. }));
        } else {
            // RFC 3264 §4: an offer that the ACK does not answer leaves nothing to talk by.
            bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
            assert!(bench.lines().contains(&format!("{FIRST} BYE")));
            assert_eq!(bench.record().q850, Some(88));
        }
    }
}

#[test]
fn a_caller_who_requires_it_hears_of_the_ringing_reliably() {
    let mut bench = Bench::with_plan(acme(), TRANSFERS);
    let more = "Require: 100rel\r\nContent-Type: application/sdp\r\n";
    bench.receive(CALLER, from_caller("INVITE", 1, "", more, &sdp(4_000, "sendrecv")));
    let invite = bench.invited(FIRST);
    bench.answer(FIRST, &invite, 180, "");
    let ringing = bench.sent.iter().find_map(|(_, message)| match message {
        Message::Response(response) if response.code() == 180 => Some(response.clone()),
        _ => None,
    });
    let ringing = ringing.expect("180");
    assert!(ringing.headers.lists("Require", "100rel"), "{ringing:?}");
    let rack = format!("RAck: {} 1 INVITE\r\n", ringing.headers.get("RSeq").expect("RSeq"));
    let tag = ringing.core.to.tag().unwrap().to_owned();
    bench.told();
    bench.receive(CALLER, from_caller("PRACK", 2, &tag, &rack, ""));
    assert_eq!(bench.lines(), [format!("{CALLER} 200 PRACK")]);
    bench.receive(CALLER, from_caller("PRACK", 3, &tag, &rack, ""));
    assert_eq!(bench.lines(), [format!("{CALLER} 481 PRACK")]);
    bench.answer(FIRST, &invite, 200, &sdp(5_000, "sendrecv"));
    assert_eq!(bench.told().0, [200]);
}

#[test]
fn of_several_forks_with_early_media_the_one_that_answers_is_talked_with() {
    let mut bench = Bench::with_plan(acme(), TRANSFERS);
    bench.calls_700("70");
    let invite = bench.invited(FIRST);
    for (tag, port) in [("red", 5_002), ("blue", 5_004)] {
        let mut early: Response = invite.response(183.into(), Some(tag));
        early.headers.push("Contact", format!("<sip:{tag}@{FIRST}>"));
        early.headers.push("Content-Type", "application/sdp");
        early.body = sdp(port, "sendrecv").into();
        bench.receive(FIRST, Message::Response(early));
    }
    assert_eq!(bench.told().0, [100, 180], "told once that it rings");
    let mut answer: Response = invite.response(200.into(), Some("red"));
    answer.headers.push("Contact", format!("<sip:red@{FIRST}>"));
    // The 200 need not say again what the early answer of the same fork said.
    bench.receive(FIRST, Message::Response(answer));
    let (_, far) = legs(&bench);
    let remotes: Vec<_> = bench
        .media
        .iter()
        .filter_map(|command| match command {
            MediaCommand::Configure { leg, stream } if *leg == far => stream.remote.map(|remote| remote.port()),
            _ => None,
        })
        .collect();
    assert_eq!(remotes, [5_002]);
    let (to, ack) = bench.request(Method::Ack);
    assert_eq!((to.as_str(), ack.uri.to_string()), (FIRST, format!("sip:red@{FIRST}")));
}

#[test]
fn a_cancel_that_crosses_our_200_changes_nothing_and_the_bye_after_it_ends_the_call() {
    let mut bench = Bench::with_plan(acme(), TRANSFERS);
    bench.calls_700("70");
    let invite = bench.invited(FIRST);
    bench.answer(FIRST, &invite, 200, &sdp(5_000, "sendrecv"));
    let (_, tag) = bench.told();
    let mut cancel = from_caller("CANCEL", 1, "", "", "");
    if let Message::Request(request) = &mut cancel {
        request.core.via[0].params.set("branch", Some("z9hG4bKINVITE1".to_owned()));
    }
    bench.receive(CALLER, cancel);
    assert_eq!(bench.told().0, [200], "the CANCEL is answered");
    assert_eq!(bench.engine.counts().calls, 1, "and has no effect");
    bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
    bench.receive(CALLER, from_caller("BYE", 2, &tag, "", ""));
    assert_eq!(bench.record().outcome, Some(crate::record::Outcome::Handled));
}
