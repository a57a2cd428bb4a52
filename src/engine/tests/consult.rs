//! An agent who asks another, hands over and brings in: what the phones are told, who hears whom, what the record says.

use super::dial_out::{CALLER, acme, from_caller, sdp};
use super::*;
use crate::bridge::{Group, PlayItem};
use crate::call::Phase;
use crate::call::talk::State;
use crate::record::{CallRecord, HandOverKind, Outcome, Party};
use crate::settings::{Choice, Expert};
use crate::shift::Cause;
use crate::views::{AgentState, ApiRequest, Steering, SupervisionMode};

pub(super) const AGENT: &str = "192.0.2.61:5060";
pub(super) const COLLEAGUE: &str = "192.0.2.62:5060";
pub(super) const EXPERT: &str = "192.0.2.71:5060";
pub(super) const PLAN: &str = "name = 'front'\nnumbers = ['700']\n[[level]]\nname = 'wait'\n[[level.rule]]\n\
    module = 'distribute'\nin = { queue = 'sales' }\n[[level]]\nname = 'end'\n[[level.rule]]\nmodule = 'hangup'\n";

/// An expert whose telephony is asked nothing.
pub(super) fn unwatched(id: &str, address: &str) -> Expert {
    Expert { subscribe: false, options_interval: Duration::ZERO, ..Expert::new(id.into(), address.to_owned()) }
}

pub(super) fn centre() -> Settings {
    let queue = |id: &str| settings::Queue {
        wrap_up: seconds(30.0),
        choice: Choice::LongestIdle,
        ..settings::Queue::new(id.into())
    };
    let agent = |id: &str, phone: &str, queue: &str| settings::Agent {
        id: id.into(),
        name: format!("Agent {id}"),
        password: None,
        contact: Some(format!("sip:{id}@{phone}")),
        queues: vec![queue.into()],
        skills: Default::default(),
        codecs: vec![Codec::Pcmu],
        language: "en".into(),
        schedules: Default::default(),
        call_preference: Default::default(),
        srtp: Default::default(),
    };
    let expert = unwatched("301", &format!("sip:301@{EXPERT}"));
    Settings {
        queues: vec![queue("sales"), queue("support")],
        agents: vec![agent("201", AGENT, "sales"), agent("205", COLLEAGUE, "support")],
        experts: vec![expert],
        ..acme()
    }
}

/// What a leg hears: `music`, `ring-back`, nothing, or the roles of others.
fn ear(bench: &Bench, of: LegId) -> String {
    let (mut heard, mut played) = (Vec::new(), None);
    for command in &bench.media {
        match command {
            MediaCommand::Hear { leg, sources } if *leg == of => heard = sources.to_vec(),
            MediaCommand::Play { leg, items, repeat: true, .. } if *leg == of => {
                let ringing = matches!(items[0], crate::bridge::PlayItem::Tone { .. });
                played = Some(if ringing { "ring-back" } else { "music" });
            }
            MediaCommand::StopPlay { leg, .. } if *leg == of => played = None,
            _ => {}
        }
    }
    let mut names: Vec<String> = heard.iter().map(|leg| name_of(bench, *leg)).collect();
    names.extend(played.map(str::to_owned));
    names.join("+")
}

fn name_of(bench: &Bench, leg: LegId) -> String {
    let call = &bench.engine.calls.values().next().unwrap().call;
    let leg = &call.legs[&leg];
    if leg.role == Party::Caller { "caller".to_owned() } else { leg.address.clone() }
}

pub(super) struct Talk {
    pub bench: Bench,
    tag: String,
    /// The INVITE to the agent.
    pub agent: Request,
    /// The INVITE to the one asked, when there is one.
    pub asked: Option<Request>,
    cseq: u32,
    requests: u64,
}

impl Talk {
    /// The caller talks with agent 201, out of the queue `sales`.
    pub fn new() -> Talk {
        Talk::with(centre())
    }

    pub fn with(settings: Settings) -> Talk {
        Talk::through(settings, PLAN)
    }

    pub fn through(settings: Settings, plan: &str) -> Talk {
        let mut bench = Bench::with_plan(settings, plan);
        bench.calls_700("70");
        let agent = bench.invited(AGENT);
        bench.answer(AGENT, &agent, 200, &sdp(5_000, "sendrecv"));
        let tag = bench.told().1;
        bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
        bench.wait(seconds(10.0));
        Talk { bench, tag, agent, asked: None, cseq: 1, requests: 0 }
    }

    pub fn id(&self) -> CallId {
        *self.bench.engine.calls.keys().next().unwrap()
    }

    pub fn steer(&mut self, action: Steering) -> Result<serde_json::Value, ApiError> {
        self.requests += 1;
        let (id, call) = (RequestId(self.requests), self.id());
        let request = ApiRequest::Steer { call, by: Some("201".into()), leg: None, action };
        self.bench.input(Input::Api { id, request });
        let reply = self.bench.other.iter().find_map(|command| match command {
            Command::Reply { id: of, result } if *of == id => Some(result.clone()),
            _ => None,
        });
        reply.expect("a reply")
    }

    pub fn does(&mut self, action: Steering) {
        self.steer(action).unwrap_or_else(|error| panic!("{error:?}"));
        self.bench.restore();
    }

    pub fn consults(&mut self, to: &str, phone: &str) {
        self.does(Steering::Consult { to: to.to_owned(), briefing: None });
        self.asked = Some(self.bench.invited(phone));
    }

    pub fn answers(&mut self, phone: &str) {
        let asked = self.asked.clone().unwrap();
        self.bench.answer(phone, &asked, 200, &sdp(6_000, "sendrecv"));
    }

    /// In private with the expert for four seconds.
    pub fn private(&mut self) {
        self.consults("expert:301", EXPERT);
        self.bench.wait(seconds(2.0));
        self.answers(EXPERT);
        self.bench.wait(seconds(4.0));
    }

    pub fn state(&self) -> State {
        self.bench.engine.calls.values().next().unwrap().call.talking().unwrap().state()
    }

    /// The ears of all who are up: `caller:201 201:caller`.
    pub fn ears(&self) -> String {
        let call = &self.bench.engine.calls.values().next().unwrap().call;
        let up = call.legs.values().filter(|leg| leg.is_up());
        up.map(|leg| format!("{}:{}", name_of(&self.bench, leg.id), ear(&self.bench, leg.id)))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The far end of a phone that we rang hangs up.
    pub fn hangs_up(&mut self, phone: &str, invite: &Request) {
        self.cseq += 1;
        let text = format!(
            "BYE sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {phone};branch=z9hG4bKbye{}\r\nFrom: {};tag=far\r\n\
             To: {}\r\nCall-ID: {}\r\nCSeq: {} BYE\r\nContent-Length: 0\r\n\r\n",
            self.cseq, invite.core.to, invite.core.from, invite.core.call_id, self.cseq
        );
        self.bench.receive(phone, Message::parse(text.as_bytes()).unwrap());
    }

    pub fn caller_hangs_up(&mut self) -> CallRecord {
        self.cseq += 1;
        let (tag, cseq) = (self.tag.clone(), self.cseq);
        self.bench.receive(CALLER, from_caller("BYE", cseq, &tag, "", ""));
        self.bench.record()
    }

    pub fn agent_state(&self, id: &str) -> AgentState {
        self.bench.engine.acd.agent_view(&id.into()).unwrap().state
    }

    /// To whom this was sent since the last look.
    pub fn sent(&mut self, method: Method) -> Vec<String> {
        let mut to: Vec<String> = Vec::new();
        self.bench.sent.retain(|(address, message)| match message {
            Message::Request(request) if request.method == method => {
                to.push(address.to_string());
                false
            }
            _ => true,
        });
        to.dedup();
        to
    }
}

#[test]
fn a_consultation_is_private_and_can_be_swapped_and_cancelled() {
    let mut talk = Talk::new();
    assert_eq!(talk.ears(), "caller:201 201:caller");
    talk.consults("expert:301", EXPERT);
    assert_eq!((talk.state(), talk.ears().as_str()), (State::Calling, "caller:music 201:ring-back"));
    assert_eq!(talk.agent_state("201"), AgentState::Holding);
    talk.answers(EXPERT);
    assert_eq!((talk.state(), talk.ears().as_str()), (State::Private, "caller:music 201:301 301:201"));
    talk.does(Steering::Swap);
    assert_eq!(talk.ears(), "caller:201 201:caller 301:music");
    talk.does(Steering::Swap);
    assert_eq!(talk.ears(), "caller:music 201:301 301:201");
    talk.does(Steering::Cancel);
    assert_eq!((talk.ears().as_str(), talk.sent(Method::Bye)), ("caller:201 201:caller", vec![EXPERT.to_owned()]));
    assert_eq!(talk.agent_state("201"), AgentState::Talking);
}

#[test]
fn complete_gives_the_caller_to_the_expert_and_what_follows_is_not_the_agents() {
    let mut talk = Talk::new();
    talk.private();
    talk.does(Steering::Complete);
    assert_eq!((talk.ears().as_str(), talk.sent(Method::Bye)), ("caller:301 301:caller", vec![AGENT.to_owned()]));
    assert_eq!(talk.agent_state("201"), AgentState::WrapUp);
    talk.bench.wait(seconds(20.0));
    let record = talk.caller_hangs_up();
    assert!(talk.sent(Method::Bye).contains(&EXPERT.to_owned()));
    assert_eq!((record.outcome, record.ended_by), (Some(Outcome::Handled), Some(Party::Caller)));
    assert_eq!((record.agent.as_ref().map(AgentId::as_str), record.transfers, record.consults), (Some("201"), 1, 1));
    assert_eq!((record.talk_ms, record.hold_ms), (Some(10_000), Some(6_000)));
    let legs: Vec<_> = record.legs.iter().map(|leg| (leg.role, leg.talk_ms, leg.hold_ms, leg.consult_ms)).collect();
    let expected =
        [(Party::Caller, 30_000, 6_000, 0), (Party::Agent, 10_000, 0, 6_000), (Party::Expert, 20_000, 0, 4_000)];
    assert_eq!(legs, expected);
    let [hand_over] = &record.handed_over[..] else { panic!("{record:?}") };
    assert_eq!((hand_over.kind, hand_over.to.as_deref()), (HandOverKind::Supervised, Some("expert:301")));
}

#[test]
fn in_a_conference_all_hear_all_and_two_stay_when_the_agent_leaves() {
    let mut talk = Talk::new();
    talk.private();
    talk.does(Steering::Conference);
    assert_eq!(talk.ears(), "caller:201+301 201:caller+301 301:caller+201");
    talk.bench.wait(seconds(5.0));
    let invite = talk.agent.clone();
    talk.hangs_up(AGENT, &invite);
    assert_eq!((talk.state(), talk.ears().as_str()), (State::Handed, "caller:301 301:caller"));
    assert_eq!(talk.agent_state("201"), AgentState::WrapUp);
    let asked = talk.asked.clone().unwrap();
    talk.hangs_up(EXPERT, &asked);
    let record = talk.bench.record();
    assert_eq!((record.ended_by, record.handed_over[0].kind), (Some(Party::Expert), HandOverKind::Conference));
    let conference: Vec<u64> = record.legs.iter().map(|leg| leg.conference_ms).collect();
    assert_eq!((conference, record.talk_ms), (vec![5_000; 3], Some(15_000)));
}

#[test]
fn whoever_refuses_or_does_not_answer_brings_the_agent_back_to_the_caller() {
    for status in [486, 603, 480, 404, 500] {
        let mut talk = Talk::new();
        talk.consults("expert:301", EXPERT);
        let asked = talk.asked.clone().unwrap();
        talk.bench.answer(EXPERT, &asked, 180, "");
        talk.bench.respond(EXPERT, &asked, status, &[]);
        assert_eq!((talk.state(), talk.ears().as_str()), (State::Talk, "caller:201 201:caller"), "{status}");
    }
    let mut talk = Talk::new();
    talk.consults("expert:301", EXPERT);
    let asked = talk.asked.clone().unwrap();
    talk.bench.answer(EXPERT, &asked, 180, "");
    talk.bench.wait(seconds(31.0));
    assert_eq!((talk.ears().as_str(), talk.sent(Method::Cancel)), ("caller:201 201:caller", vec![EXPERT.to_owned()]));
    assert!(talk.bench.engine.calls.values().all(|live| live.asked.is_none() && live.outgoing.is_none()));
}

#[test]
fn while_it_rings_complete_lets_the_caller_hear_it_and_silence_rings_the_agent_again() {
    let mut talk = Talk::new();
    talk.consults("expert:301", EXPERT);
    let asked = talk.asked.clone().unwrap();
    talk.bench.answer(EXPERT, &asked, 180, "");
    talk.does(Steering::Complete);
    assert_eq!((talk.ears().as_str(), talk.sent(Method::Bye)), ("caller:ring-back", vec![AGENT.to_owned()]));
    assert_eq!(talk.agent_state("201"), AgentState::WrapUp);
    talk.bench.respond(EXPERT, &asked, 486, &[]);
    let again = talk.bench.invited(AGENT);
    assert_eq!((talk.ears().as_str(), talk.agent_state("201")), ("caller:ring-back", AgentState::Reserved));
    talk.bench.answer(AGENT, &again, 200, &sdp(5_000, "sendrecv"));
    assert_eq!((talk.state(), talk.ears().as_str()), (State::Talk, "caller:201 201:caller"));
    let view = talk.bench.engine.acd.agent_view(&"201".into()).unwrap();
    assert_eq!((view.state, view.call_id), (AgentState::Talking, Some(talk.id())));
    talk.caller_hangs_up();
    assert_eq!(talk.agent_state("201"), AgentState::WrapUp, "by the rule of the queue");
    assert!(talk.bench.engine.tickets.is_empty());
}

#[test]
fn a_caller_whom_nobody_takes_gets_back_the_place_they_had() {
    let mut talk = Talk::new();
    talk.does(Steering::Transfer { to: "expert:301".to_owned(), priority: None, briefing: None });
    let asked = talk.bench.invited(EXPERT);
    talk.bench.respond(EXPERT, &asked, 486, &[]);
    let again = talk.bench.invited(AGENT);
    talk.bench.respond(AGENT, &again, 486, &[]);
    let call = &talk.bench.engine.calls.values().next().unwrap().call;
    assert!(matches!(&call.phase, Phase::Queued(waiting) if waiting.queue.as_str() == "sales"), "{:?}", call.phase);
    assert_eq!(talk.ears(), "caller:music");
    assert_eq!(call.handed_over.len(), 1);
}

#[test]
fn a_colleague_is_asked_and_takes_over() {
    let mut talk = Talk::new();
    talk.consults("agent:205", COLLEAGUE);
    assert_eq!(talk.agent_state("205"), AgentState::Reserved);
    talk.answers(COLLEAGUE);
    assert_eq!((talk.ears().as_str(), talk.agent_state("205")), ("caller:music 201:205 205:201", AgentState::Talking));
    let refused = talk.steer(Steering::Consult { to: "expert:301".to_owned(), briefing: None }).unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (409, "asked_already"));
    talk.does(Steering::Complete);
    assert_eq!((talk.agent_state("201"), talk.agent_state("205")), (AgentState::WrapUp, AgentState::Talking));
    assert_eq!(talk.bench.engine.acd.cause(&"205".into()), Some(Cause::HandedOver));
    let refused = talk.steer(Steering::Hold).unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (409, "not_steering"), "201 has it no more");
    let record = talk.caller_hangs_up();
    assert_eq!((talk.agent_state("205"), record.transfers), (AgentState::WrapUp, 1));
    assert_eq!(talk.bench.engine.counts().acd.contacts, 0);
}

#[test]
fn a_colleague_who_leaves_a_conference_is_free_at_once() {
    let mut talk = Talk::new();
    talk.consults("agent:205", COLLEAGUE);
    talk.answers(COLLEAGUE);
    talk.does(Steering::Conference);
    assert_eq!(talk.ears(), "caller:201+205 201:caller+205 205:caller+201");
    let asked = talk.asked.clone().unwrap();
    talk.hangs_up(COLLEAGUE, &asked);
    assert_eq!((talk.ears().as_str(), talk.agent_state("205")), ("caller:201 201:caller", AgentState::Available));
}

#[test]
fn the_caller_who_leaves_ends_it_for_all() {
    for answered in [false, true] {
        let mut talk = Talk::new();
        talk.consults("expert:301", EXPERT);
        let asked = talk.asked.clone().unwrap();
        talk.bench.answer(EXPERT, &asked, 180, "");
        if answered {
            talk.answers(EXPERT);
        }
        let record = talk.caller_hangs_up();
        let told = if answered { Method::Bye } else { Method::Cancel };
        assert_eq!(record.ended_by, Some(Party::Caller));
        let byes = talk.sent(Method::Bye);
        assert!(byes.contains(&AGENT.to_owned()), "{byes:?}");
        let all: Vec<String> = byes.into_iter().chain(talk.sent(Method::Cancel)).collect();
        assert!(all.contains(&EXPERT.to_owned()), "{told} was not sent: {all:?}");
        talk.bench.wait(seconds(40.0));
        assert_eq!((talk.bench.engine.counts().calls, talk.bench.engine.counts().legs), (0, 0));
    }
}

#[test]
fn a_transfer_to_a_queue_makes_the_caller_wait_there_from_now_on() {
    let mut talk = Talk::new();
    talk.does(Steering::Transfer { to: "queue:support".to_owned(), priority: Some(2), briefing: None });
    assert_eq!((talk.sent(Method::Bye), talk.agent_state("201")), (vec![AGENT.to_owned()], AgentState::WrapUp));
    let invite = talk.bench.invited(COLLEAGUE);
    talk.bench.answer(COLLEAGUE, &invite, 200, &sdp(6_000, "sendrecv"));
    assert_eq!(talk.ears(), "caller:205 205:caller");
    let record = talk.caller_hangs_up();
    let queues: Vec<&str> = record.visits.iter().map(|visit| visit.queue.as_str()).collect();
    assert_eq!((queues, record.transfers), (vec!["sales", "support"], 1));
    assert_eq!(record.handed_over[0].to.as_deref(), Some("queue:support"));
}

#[test]
fn the_agents_keys_do_the_same_and_reach_nobody() {
    let mut talk = Talk::new();
    let agent_leg = talk.bench.engine.calls.values().next().unwrap().call.talking().unwrap().agent().unwrap();
    assert!(talk.bench.media.contains(&MediaCommand::KeepKeys { leg: agent_leg }));
    let press = |talk: &mut Talk, keys: &str| {
        for key in keys.chars() {
            let digit = crate::bridge::Digit::new(key).unwrap();
            let source = crate::bridge::DigitSource::TelephoneEvent;
            talk.bench.input(Input::Media(MediaEvent::Digit { leg: agent_leg, digit, source }));
        }
    };
    let passed_on = |talk: &Talk| {
        let sent = talk.bench.media.iter().filter_map(|command| match command {
            MediaCommand::SendDigit { digit, .. } => Some(digit.key()),
            _ => None,
        });
        sent.collect::<String>()
    };
    press(&mut talk, "*1301#");
    talk.asked = Some(talk.bench.invited(EXPERT));
    talk.answers(EXPERT);
    assert_eq!(talk.ears(), "caller:music 201:301 301:201");
    press(&mut talk, "*5");
    assert_eq!(talk.ears(), "caller:201 201:caller 301:music");
    press(&mut talk, "*3");
    assert_eq!(talk.ears(), "caller:201+301 201:caller+301 301:caller+201");
    assert_eq!(passed_on(&talk), "");
    press(&mut talk, "7");
    assert_eq!(passed_on(&talk), "77", "to both others");
    press(&mut talk, "*");
    assert_eq!(passed_on(&talk), "77");
    talk.bench.wait(seconds(6.0));
    assert_eq!(passed_on(&talk), "77**", "no command came of it");
    press(&mut talk, "*2");
    assert_eq!(talk.state(), State::Conference, "nobody is asked: refused, and nothing is changed");
}

/// A talk that the caller's phone holds, and the leg of its agent.
fn held_by_the_caller() -> (Talk, LegId) {
    let mut talk = Talk::new();
    let agent_leg = talk.bench.engine.calls.values().next().unwrap().call.talking().unwrap().agent().unwrap();
    talk.bench.receive(
        CALLER,
        from_caller("INVITE", 2, &talk.tag, "Content-Type: application/sdp\r\n", &sdp(4_000, "sendonly")),
    );
    talk.bench.receive(CALLER, from_caller("ACK", 2, &talk.tag, "", ""));
    (talk, agent_leg)
}

#[test]
fn keys_that_come_to_nothing_are_told_so_over_the_music_and_it_goes_on() {
    let (mut talk, agent_leg) = held_by_the_caller();
    assert_eq!(ear(&talk.bench, agent_leg), "music", "the caller's phone holds");
    for key in ['*', '2'] {
        let (digit, source) = (crate::bridge::Digit::new(key).unwrap(), crate::bridge::DigitSource::TelephoneEvent);
        talk.bench.input(Input::Media(MediaEvent::Digit { leg: agent_leg, digit, source }));
    }
    let last = talk.bench.media.iter().rev().find(|command| command.leg() == Some(agent_leg));
    assert!(matches!(last, Some(MediaCommand::Interject { .. })), "{last:?}");
}

#[test]
fn music_that_changes_while_a_key_is_refused_is_heard_afterwards() {
    let (mut talk, agent_leg) = held_by_the_caller();
    talk.consults("expert:301", EXPERT);
    for key in ['*', '3'] {
        let (digit, source) = (crate::bridge::Digit::new(key).unwrap(), crate::bridge::DigitSource::TelephoneEvent);
        talk.bench.input(Input::Media(MediaEvent::Digit { leg: agent_leg, digit, source }));
    }
    let last = talk.bench.media.iter().rev().find(|command| command.leg() == Some(agent_leg));
    let Some(MediaCommand::Interject { play: refusal, .. }) = last.cloned() else {
        panic!("it rings, and a conference must wait: {last:?}")
    };
    let asked = talk.asked.clone().unwrap();
    talk.bench.answer(EXPERT, &asked, 603, "");
    talk.bench.input(Input::Media(MediaEvent::PlayEnded { leg: agent_leg, play: refusal }));
    let last = talk.bench.media.iter().rev().find(|command| command.leg() == Some(agent_leg));
    let is_music = matches!(last, Some(MediaCommand::Play { repeat: true, items, .. })
        if matches!(items.as_slice(), [PlayItem::Prompt { name, .. }] if name == "music/default"));
    assert!(is_music, "the caller's phone holds, the agent hears the ringing no more: {last:?}");
}

#[test]
fn who_cannot_be_asked_leaves_the_talk_as_it_is() {
    let mut talk = Talk::new();
    for (to, status, code) in [
        ("expert:399", 404, "unknown_party"),
        ("agent:299", 404, "unknown_party"),
        ("agent:201", 409, "there_already"),
        ("queue:sales", 422, "not_a_person"),
        ("tel:0900", 403, "not_allowed"),
        ("tel:0900 1", 422, "invalid_party"),
        ("sip:a@b", 422, "invalid_party"),
        ("", 422, "invalid_party"),
    ] {
        let refused = talk.steer(Steering::Consult { to: to.to_owned(), briefing: None }).unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (status, code), "{to}: {}", refused.message);
        assert_eq!((talk.state(), talk.ears().as_str()), (State::Talk, "caller:201 201:caller"), "{to}");
    }
    for action in [Steering::Swap, Steering::Complete, Steering::Cancel, Steering::Conference] {
        let refused = talk.steer(action.clone()).unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (409, "nobody_asked"), "{action:?}");
    }
    assert!(talk.sent(Method::Invite).is_empty());
    talk.does(Steering::Consult { to: "tel:+33155501".to_owned(), briefing: None });
    assert_eq!(talk.state(), State::Calling);
}

#[test]
fn hold_and_mute_by_the_api() {
    let mut talk = Talk::new();
    talk.does(Steering::Hold);
    assert_eq!((talk.ears().as_str(), talk.agent_state("201")), ("caller:music 201:", AgentState::Holding));
    talk.bench.wait(seconds(3.0));
    talk.does(Steering::Resume);
    assert_eq!((talk.ears().as_str(), talk.agent_state("201")), ("caller:201 201:caller", AgentState::Talking));
    talk.does(Steering::Mute(true));
    assert_eq!(talk.ears(), "caller: 201:caller");
    talk.does(Steering::Mute(false));
    assert_eq!(talk.ears(), "caller:201 201:caller");
    let record = talk.caller_hangs_up();
    assert_eq!((record.talk_ms, record.hold_ms), (Some(10_000), Some(3_000)));
}

/// A REFER of the agent's phone.
fn refers(talk: &mut Talk, to: &str) {
    talk.cseq += 1;
    let text = format!(
        "REFER sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {AGENT};branch=z9hG4bKrefer{}\r\nFrom: {};tag=far\r\n\
         To: {}\r\nCall-ID: {}\r\nCSeq: {} REFER\r\nContact: <sip:201@{AGENT}>\r\nRefer-To: {to}\r\n\
         Content-Length: 0\r\n\r\n",
        talk.cseq, talk.agent.core.to, talk.agent.core.from, talk.agent.core.call_id, talk.cseq
    );
    talk.bench.receive(AGENT, Message::parse(text.as_bytes()).unwrap());
}

/// What the agent's phone was told of its REFERs: statuses of responses, and of NOTIFYs.
fn told_of_refer(talk: &mut Talk) -> Vec<String> {
    let mut told = Vec::new();
    talk.bench.sent.retain(|(to, message)| match message {
        Message::Response(response) if *to == address(AGENT) && response.core.cseq.method == Method::Refer => {
            told.push(response.code().to_string());
            false
        }
        Message::Request(request) if *to == address(AGENT) && request.method == Method::Notify => {
            let state = request.headers.get("Subscription-State").unwrap().split(';').next().unwrap().to_owned();
            told.push(format!("{state} {}", String::from_utf8_lossy(&request.body).trim()));
            false
        }
        _ => true,
    });
    told.dedup();
    told
}

#[test]
fn a_blind_refer_rings_for_the_caller_and_the_phone_is_told_how_it_went() {
    let mut talk = Talk::new();
    refers(&mut talk, "<sip:301@relais.test>");
    let asked = talk.bench.invited(EXPERT);
    assert_eq!(told_of_refer(&mut talk), ["202", "active SIP/2.0 100 Trying"]);
    assert_eq!((talk.state(), talk.ears().as_str()), (State::Calling, "caller:ring-back 201:ring-back"));
    talk.bench.restore();
    talk.bench.answer(EXPERT, &asked, 200, &sdp(6_000, "sendrecv"));
    assert_eq!(told_of_refer(&mut talk), ["terminated SIP/2.0 200 OK"]);
    assert_eq!((talk.ears().as_str(), talk.sent(Method::Bye)), ("caller:301 301:caller", vec![AGENT.to_owned()]));
    let record = talk.caller_hangs_up();
    assert_eq!(record.handed_over[0].kind, HandOverKind::Blind);
}

#[test]
fn a_blind_refer_that_nobody_answers_leaves_the_agent_with_the_caller() {
    let mut talk = Talk::new();
    refers(&mut talk, "<sip:301@relais.test>");
    let asked = talk.bench.invited(EXPERT);
    told_of_refer(&mut talk);
    talk.bench.respond(EXPERT, &asked, 486, &[]);
    assert_eq!(told_of_refer(&mut talk), ["terminated SIP/2.0 480 Temporarily Unavailable"]);
    assert_eq!((talk.state(), talk.ears().as_str()), (State::Talk, "caller:201 201:caller"));
    refers(&mut talk, "<sip:301@relais.test>");
    assert_eq!(told_of_refer(&mut talk)[0], "202", "and may try again");
}

#[test]
fn a_refer_to_the_outside_is_refused_and_the_talk_goes_on() {
    let mut talk = Talk::new();
    for (to, status) in [
        ("<sip:0900@192.0.2.99>", "403"),
        ("<sip:0900@relais.test>", "403"),
        ("<tel:0900>", "403"),
        ("<sip:399@relais.test>", "403"),
        ("<sip:abc@relais.test>", "422"),
        ("<http://example.com>", "403"),
        ("<sip:301@relais.test?Replaces=x%3Bto-tag%3Da%3Bfrom-tag%3Db>", "481"),
        ("<sip:301@relais.test?Replaces=x>", "400"),
    ] {
        refers(&mut talk, to);
        assert_eq!(told_of_refer(&mut talk), [status], "{to}");
        assert_eq!((talk.state(), talk.ears().as_str()), (State::Talk, "caller:201 201:caller"), "{to}");
    }
    assert!(talk.sent(Method::Invite).is_empty());
}

#[test]
fn two_calls_of_an_agent_are_joined_by_a_refer_with_replaces() {
    let mut settings = centre();
    settings.agents[0].password = Some("secret".to_owned());
    let mut talk = Talk::with(settings);
    // The phone's own call to the expert, which proves who it is.
    let invite = |more: &str, cseq: u32| {
        let body = sdp(5_002, "sendrecv");
        let text = format!(
            "INVITE sip:301@relais.test SIP/2.0\r\nVia: SIP/2.0/UDP {AGENT};branch=z9hG4bKown{cseq}\r\n\
             From: <sip:201@relais.test>;tag=own\r\nTo: <sip:301@relais.test>\r\nCall-ID: own\r\nCSeq: {cseq} INVITE\r\n\
             Contact: <sip:201@{AGENT}>\r\n{more}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Message::parse(text.as_bytes()).unwrap()
    };
    talk.bench.receive(AGENT, invite("", 1));
    let challenge = talk.bench.sent.iter().rev().find_map(|(_, message)| match message {
        Message::Response(response) if response.code() == 401 => Some(response.clone()),
        _ => None,
    });
    let Message::Request(mut proven) = invite("", 2) else { unreachable!() };
    let credentials = Credentials { user: "201".to_owned(), password: "secret".to_owned(), aor: String::new() };
    assert!(crate::sip::auth::authorize(&mut proven, &challenge.unwrap(), &credentials, "cnonce"));
    talk.bench.receive(AGENT, Message::Request(proven));
    let asked = talk.bench.invited(EXPERT);
    talk.bench.answer(EXPERT, &asked, 200, &sdp(6_000, "sendrecv"));
    let tag = talk.bench.sent.iter().rev().find_map(|(_, message)| match message {
        Message::Response(response) if response.code() == 200 && response.core.call_id.as_ref() == "own" => {
            response.core.to.tag().map(str::to_owned)
        }
        _ => None,
    });
    let tag = tag.expect("the phone's call is answered");
    talk.bench.wait(seconds(2.0));
    assert_eq!(talk.bench.engine.calls.len(), 2);
    refers(&mut talk, &format!("<sip:301@relais.test?Replaces=own%3Bto-tag%3D{tag}%3Bfrom-tag%3Down>"));
    assert_eq!(told_of_refer(&mut talk), ["202", "active SIP/2.0 100 Trying", "terminated SIP/2.0 200 OK"]);
    talk.bench.wait(seconds(1.0));
    assert_eq!(talk.bench.engine.calls.len(), 1, "the phone's own call is over");
    assert_eq!(talk.ears(), "caller:301 301:caller");
    let to = Group::Call(talk.id());
    let moved =
        talk.bench.media.iter().any(|command| matches!(command, MediaCommand::Move { group, .. } if *group == to));
    assert!(moved);
    talk.bench.records.clear();
    let record = talk.caller_hangs_up();
    let roles: Vec<Party> = record.legs.iter().map(|leg| leg.role).collect();
    assert_eq!((roles, record.transfers), (vec![Party::Caller, Party::Agent, Party::Expert], 1));
    assert_eq!(record.handed_over[0].to.as_deref(), Some("expert:301"));
    let counts = talk.bench.engine.counts();
    assert_eq!((counts.calls, counts.legs, counts.sessions), (0, 0, 0));
}

pub(super) const SUPERVISOR: &str = "192.0.2.50:5070";

impl Talk {
    pub fn supervise(&mut self, mode: SupervisionMode) -> Result<serde_json::Value, ApiError> {
        self.requests += 1;
        let id = RequestId(self.requests);
        let request = ApiRequest::Supervise { call: self.id(), mode, phone: format!("sip:boss@{SUPERVISOR}") };
        self.bench.input(Input::Api { id, request });
        let reply = self.bench.other.iter().find_map(|command| match command {
            Command::Reply { id: of, result } if *of == id => Some(result.clone()),
            _ => None,
        });
        reply.expect("a reply")
    }

    /// The ears, with the supervisor as `boss`.
    fn all_ears(&self) -> String {
        self.ears().replace(&format!("sip:boss@{SUPERVISOR}"), "boss")
    }
}

#[test]
fn a_supervisor_listens_whispers_and_joins_and_goes_unnoticed() {
    use SupervisionMode::{Barge, Listen, Whisper};
    let mut talk = Talk::new();
    talk.supervise(Listen).unwrap();
    let invite = talk.bench.invited(SUPERVISOR);
    assert_eq!(talk.ears(), "caller:201 201:caller", "it rings there");
    talk.bench.answer(SUPERVISOR, &invite, 200, &sdp(7_000, "sendrecv"));
    assert_eq!(talk.all_ears(), "caller:201 201:caller boss:caller+201");
    talk.supervise(Whisper).unwrap();
    assert_eq!(talk.all_ears(), "caller:201 201:caller+boss boss:caller+201");
    talk.supervise(Barge).unwrap();
    assert_eq!(talk.all_ears(), "caller:201+boss 201:caller+boss boss:caller+201");
    assert!(talk.sent(Method::Invite).is_empty(), "the phone is not rung again");
    talk.supervise(Listen).unwrap();
    assert_eq!(talk.all_ears(), "caller:201 201:caller boss:caller+201");
    talk.hangs_up(SUPERVISOR, &invite);
    assert_eq!(talk.ears(), "caller:201 201:caller");
    let record = talk.caller_hangs_up();
    assert_eq!(record.ended_by, Some(Party::Caller));
    assert_eq!((record.talk_ms, record.legs.len()), (Some(10_000), 3));
}

#[test]
fn a_listeners_microphone_reaches_nobody_in_any_state_of_the_talk() {
    let mut talk = Talk::new();
    talk.supervise(SupervisionMode::Listen).unwrap();
    let invite = talk.bench.invited(SUPERVISOR);
    talk.bench.answer(SUPERVISOR, &invite, 200, &sdp(7_000, "sendrecv"));
    let mut seen = vec![talk.all_ears()];
    talk.consults("expert:301", EXPERT);
    seen.push(talk.all_ears());
    talk.answers(EXPERT);
    seen.push(talk.all_ears());
    for action in [Steering::Swap, Steering::Conference, Steering::Hold, Steering::Resume] {
        talk.does(action);
        seen.push(talk.all_ears());
    }
    let agent = talk.agent.clone();
    talk.hangs_up(AGENT, &agent);
    seen.push(talk.all_ears());
    let heard_by = |line: &str| line.split(' ').filter(|ear| !ear.starts_with("boss:") && ear.contains("boss")).count();
    assert_eq!(seen.iter().map(|line| heard_by(line)).sum::<usize>(), 0, "{seen:#?}");
    assert_eq!(seen[2], "caller:music 201:301 boss:201+301 301:201", "the supervisor stays with the agent");
    assert_eq!(seen[7], "caller:301 boss:caller+301 301:caller");
}

#[test]
fn a_supervisors_phone_must_be_one_of_ours() {
    let mut talk = Talk::new();
    for (phone, status) in [
        ("sip:boss@203.0.113.9:5060", 403),
        ("sip:boss@example.com", 422),
        ("tel:0900", 422),
        ("boss", 422),
        ("sip:209@relais.test", 409),
    ] {
        talk.requests += 1;
        let id = RequestId(talk.requests);
        let request = ApiRequest::Supervise { call: talk.id(), mode: SupervisionMode::Listen, phone: phone.to_owned() };
        talk.bench.input(Input::Api { id, request });
        let reply = talk.bench.other.iter().find_map(|command| match command {
            Command::Reply { id: of, result: Err(error) } if *of == id => Some(error.status),
            _ => None,
        });
        assert_eq!(reply, Some(status), "{phone}");
    }
    assert!(talk.sent(Method::Invite).is_empty());
}

#[test]
fn another_phone_of_the_agent_takes_the_place_of_the_one_that_talks() {
    let mut settings = centre();
    settings.agents[0].password = Some("secret".to_owned());
    let mut talk = Talk::with(settings);
    let ours = talk.agent.core.from.tag().unwrap().to_owned();
    let replaces = |tag: &str| format!("{};to-tag={tag};from-tag=far", talk.agent.core.call_id);
    let (good, bad) = (replaces(&ours), replaces("wrong"));
    let other_phone = "192.0.2.63:5060";
    let invite = |replaces: &str, call_id: &str| {
        let body = sdp(5_004, "sendrecv");
        let text = format!(
            "INVITE sip:201@relais.test SIP/2.0\r\nVia: SIP/2.0/UDP {other_phone};branch=z9hG4bK{call_id}\r\n\
             From: <sip:201@relais.test>;tag=other\r\nTo: <sip:201@relais.test>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:201@{other_phone}>\r\nReplaces: {replaces}\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Message::parse(text.as_bytes()).unwrap()
    };
    let sends = |talk: &mut Talk, replaces: &str, call_id: &str| {
        talk.bench.receive(other_phone, invite(replaces, call_id));
        let challenge = talk.bench.sent.iter().rev().find_map(|(_, message)| match message {
            Message::Response(response) if response.code() == 401 => Some(response.clone()),
            _ => None,
        });
        let Message::Request(mut proven) = invite(replaces, call_id) else { unreachable!() };
        proven.core.cseq.number = 2;
        proven.core.via[0].params.set("branch", Some(format!("z9hG4bK{call_id}2")));
        let credentials = Credentials { user: "201".to_owned(), password: "secret".to_owned(), aor: String::new() };
        assert!(crate::sip::auth::authorize(&mut proven, &challenge.unwrap(), &credentials, "cnonce"));
        talk.bench.receive(other_phone, Message::Request(proven));
        talk.bench.sent.iter().rev().find_map(|(to, message)| match message {
            Message::Response(response) if *to == address(other_phone) => Some(response.code()),
            _ => None,
        })
    };
    assert_eq!(sends(&mut talk, &bad, "b"), Some(481));
    assert_eq!(talk.ears(), "caller:201 201:caller");
    assert_eq!(sends(&mut talk, &good, "a"), Some(200));
    assert_eq!((talk.ears().as_str(), talk.sent(Method::Bye)), ("caller:201 201:caller", vec![AGENT.to_owned()]));
    assert_eq!(talk.agent_state("201"), AgentState::Talking);
    talk.bench.wait(seconds(5.0));
    let record = talk.caller_hangs_up();
    assert_eq!((record.legs.len(), record.talk_ms, record.transfers), (3, Some(15_000), 0));
}
