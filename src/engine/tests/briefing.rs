//! Warm words, and the notice of a supervisor: what is said to whom, and when it ends.

use super::consult::{AGENT, EXPERT, PLAN, SUPERVISOR, Talk, centre};
use super::dial_out::sdp;
use super::*;
use crate::bridge::{Digit, DigitSource, PlayItem};
use crate::call::talk::State;
use crate::record::HandOverKind;
use crate::settings::SupervisionNotice;
use crate::views::{Briefing, CallState, ConsultState, Steering, SupervisionMode};

fn consult(briefing: Briefing) -> Steering {
    Steering::Consult { to: "expert:301".to_owned(), briefing: Some(briefing) }
}

fn transfer(briefing: Briefing) -> Steering {
    Steering::Transfer { to: "expert:301".to_owned(), priority: None, briefing: Some(briefing) }
}

impl Talk {
    /// The expert answers; what they are told, by the names of prompts.
    fn told(&mut self, action: Steering) -> (LegId, PlayId, Vec<String>) {
        self.does(action);
        self.asked = Some(self.bench.invited(EXPERT));
        self.answers(EXPERT);
        let said = self.bench.media.iter().rev().find_map(|command| match command {
            MediaCommand::Play { leg, play, items, repeat: false } => Some((*leg, *play, items.clone())),
            _ => None,
        });
        let (leg, play, items) = said.expect("something is said");
        let name = |item: PlayItem| match item {
            PlayItem::Prompt { name, .. } => name,
            other => panic!("{other:?}"),
        };
        (leg, play, items.into_iter().map(name).collect())
    }

    fn says_no_more(&self, play: PlayId) -> bool {
        self.bench.media.iter().any(|command| matches!(command, MediaCommand::StopPlay { play: of, .. } if *of == play))
    }

    fn presses(&mut self, leg: LegId) {
        let digit = Digit::new('1').unwrap();
        self.bench.input(Input::Media(MediaEvent::Digit { leg, digit, source: DigitSource::TelephoneEvent }));
    }

    fn steps_of_briefing(&self) -> (bool, bool) {
        let id = self.id();
        let live = &self.bench.engine.calls[&id];
        (live.briefing.is_some(), self.bench.engine.timers.get(&Timer::Briefing(id)).is_some())
    }
}

#[test]
fn the_expert_is_told_who_calls_and_why_before_the_agent_is_heard() {
    let mut talk = Talk::new();
    let (leg, play, said) = talk.told(consult(Briefing::Why("greeting".to_owned())));
    assert_eq!(said, ["briefing-caller", "greeting"]);
    assert_eq!((talk.state(), talk.ears().as_str()), (State::Briefing, "caller:music 201:ring-back 301:"));
    let view = talk.bench.engine.calls.values().next().unwrap().view();
    assert_eq!(
        (view.state, view.consult.map(|consult| consult.state)),
        (CallState::Consulting, Some(ConsultState::Briefing))
    );
    let refused = talk.steer(Steering::Conference).unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (409, "is_briefed"));
    talk.bench.wait(seconds(4.0));
    talk.bench.restore();
    talk.bench.input(Input::Media(MediaEvent::PlayEnded { leg, play }));
    assert_eq!((talk.state(), talk.ears().as_str()), (State::Private, "caller:music 201:301 301:201"));
    assert_eq!(talk.steps_of_briefing(), (false, false));
    talk.bench.wait(seconds(3.0));
    let record = talk.caller_hangs_up();
    let expert = record.legs.iter().find(|leg| leg.address == "301").unwrap();
    assert_eq!(expert.consult_ms, 7_000, "the time of the words is one of the consultation");
}

#[test]
fn a_key_of_the_expert_ends_the_words() {
    let mut talk = Talk::new();
    let (leg, play, said) = talk.told(consult(Briefing::Wanted(true)));
    assert_eq!(said, ["briefing-caller"]);
    talk.presses(leg);
    assert_eq!((talk.state(), talk.says_no_more(play)), (State::Private, true));
    assert_eq!(talk.steps_of_briefing(), (false, false));
    talk.presses(leg);
    assert_eq!(talk.state(), State::Private);
}

#[test]
fn words_have_an_end_even_where_the_media_threads_tell_none() {
    let mut talk = Talk::new();
    talk.told(consult(Briefing::Wanted(true)));
    talk.bench.wait(seconds(61.0));
    assert_eq!(talk.state(), State::Private);
}

#[test]
fn the_plan_gives_words_in_a_variable() {
    let set = "name = 'front'\nnumbers = ['700']\n[[level]]\nname = 'why'\n[[level.rule]]\nmodule = 'set'\n\
        in = { briefing = ['goodbye', 'no-such-prompt', 'please-wait'] }\n";
    let plan = PLAN.replacen("name = 'front'\nnumbers = ['700']\n", set, 1);
    let mut talk = Talk::through(centre(), &plan);
    let (_, _, said) = talk.told(consult(Briefing::Wanted(true)));
    assert_eq!(said, ["briefing-caller", "goodbye", "please-wait"]);
}

#[test]
fn who_does_not_want_words_gets_none_and_a_prompt_that_is_not_there_is_refused() {
    let mut talk = Talk::new();
    let refused = talk.steer(consult(Briefing::Why("greetin".to_owned()))).unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (422, "unknown_prompt"));
    assert!(refused.message.contains("did you mean 'greeting'"), "{}", refused.message);
    assert!(talk.sent(Method::Invite).is_empty());
    assert_eq!(talk.state(), State::Talk);
    talk.does(consult(Briefing::Wanted(false)));
    talk.asked = Some(talk.bench.invited(EXPERT));
    talk.answers(EXPERT);
    assert_eq!(talk.state(), State::Private);
}

#[test]
fn a_caller_who_is_handed_over_hears_it_ring_until_the_words_are_said() {
    let mut talk = Talk::new();
    let (leg, play, _) = talk.told(transfer(Briefing::Wanted(true)));
    assert_eq!((talk.state(), talk.ears().as_str()), (State::Warming, "caller:ring-back 301:"));
    talk.bench.input(Input::Media(MediaEvent::PlayEnded { leg, play }));
    assert_eq!((talk.state(), talk.ears().as_str()), (State::Handed, "caller:301 301:caller"));
    talk.bench.wait(seconds(5.0));
    let record = talk.caller_hangs_up();
    assert_eq!((record.transfers, record.handed_over[0].kind), (1, HandOverKind::Blind));
    assert_eq!(record.talk_ms, Some(10_000), "what the expert does is not the agent's");
}

#[test]
fn an_agent_may_go_while_the_expert_is_told() {
    let mut talk = Talk::new();
    let (leg, play, _) = talk.told(consult(Briefing::Wanted(true)));
    talk.does(Steering::Complete);
    assert_eq!((talk.state(), talk.ears().as_str()), (State::Warming, "caller:ring-back 301:"));
    assert_eq!(talk.steps_of_briefing(), (true, true), "the words go on");
    talk.bench.input(Input::Media(MediaEvent::PlayEnded { leg, play }));
    assert_eq!(talk.ears(), "caller:301 301:caller");
}

#[test]
fn an_expert_who_goes_while_they_are_told_leaves_nobody_alone() {
    let mut talk = Talk::new();
    let (_, _, _) = talk.told(consult(Briefing::Wanted(true)));
    let expert = talk.asked.clone().unwrap();
    talk.hangs_up(EXPERT, &expert);
    assert_eq!((talk.state(), talk.ears().as_str()), (State::Talk, "caller:201 201:caller"));
    assert_eq!(talk.steps_of_briefing(), (false, false));
    let (_, _, _) = talk.told(transfer(Briefing::Wanted(true)));
    let expert = talk.asked.clone().unwrap();
    talk.sent(Method::Invite);
    talk.hangs_up(EXPERT, &expert);
    assert_eq!(talk.ears(), "caller:ring-back");
    assert_eq!(talk.sent(Method::Invite), [AGENT], "the agent who handed over is rung again");
    assert_eq!(talk.steps_of_briefing(), (false, false));
}

#[test]
fn an_agent_who_takes_it_back_ends_the_words() {
    let mut talk = Talk::new();
    let (_, play, _) = talk.told(consult(Briefing::Wanted(true)));
    talk.does(Steering::Cancel);
    assert_eq!((talk.state(), talk.ears().as_str()), (State::Talk, "caller:201 201:caller"));
    assert!(talk.says_no_more(play));
    assert_eq!(talk.steps_of_briefing(), (false, false));
    let (_, _, _) = talk.told(consult(Briefing::Wanted(true)));
    talk.caller_hangs_up();
    let counts = talk.bench.engine.counts();
    assert_eq!((counts.calls, counts.legs, counts.sessions), (0, 0, 0));
}

/// What is mixed into whose ear now: `201:announcement`, `caller:beep`.
fn mixed(talk: &Talk) -> Vec<String> {
    let mut mixed = std::collections::BTreeMap::new();
    for command in &talk.bench.media {
        match command {
            MediaCommand::MixIn { leg, play, items, .. } => {
                let what = match &items[0] {
                    PlayItem::Tone { frequencies_hz: [1_400, 0], .. } => "beep",
                    PlayItem::Prompt { .. } => "announcement",
                    other => panic!("{other:?}"),
                };
                mixed.insert(*leg, (*play, what));
            }
            MediaCommand::StopPlay { leg, play } if mixed.get(leg).is_some_and(|(of, _)| of == play) => {
                mixed.remove(leg);
            }
            _ => {}
        }
    }
    let call = &talk.bench.engine.calls.values().next().unwrap().call;
    let up = mixed.into_iter().filter(|(leg, _)| call.legs[leg].is_up());
    up.map(|(leg, (_, what))| format!("{}:{what}", call.legs[&leg].address)).collect()
}

fn announced(talk: &mut Talk) {
    let plays = talk.bench.media.iter().filter_map(|command| match command {
        MediaCommand::MixIn { leg, play, repeat: false, .. } => Some((*leg, *play)),
        _ => None,
    });
    let plays: Vec<_> = plays.collect();
    for (leg, play) in plays {
        talk.bench.input(Input::Media(MediaEvent::PlayEnded { leg, play }));
    }
}

#[test]
fn those_who_talk_are_told_of_a_supervisor_as_long_as_one_is_there() {
    let mut settings = centre();
    let beep_every = seconds(15.0);
    settings.supervision = SupervisionNotice { announcement: Some("greeting".to_owned()), beep_every };
    let mut talk = Talk::with(settings);
    talk.supervise(SupervisionMode::Listen).unwrap();
    let boss = talk.bench.invited(SUPERVISOR);
    assert!(mixed(&talk).is_empty(), "it rings there");
    talk.bench.answer(SUPERVISOR, &boss, 200, &sdp(7_000, "sendrecv"));
    assert_eq!(mixed(&talk), ["+33612345:announcement", "201:announcement"]);
    talk.bench.restore();
    announced(&mut talk);
    assert_eq!(mixed(&talk), ["+33612345:beep", "201:beep"]);
    talk.supervise(SupervisionMode::Barge).unwrap();
    assert_eq!(mixed(&talk).len(), 2, "a change of mode is no news");
    talk.consults("expert:301", EXPERT);
    talk.answers(EXPERT);
    assert_eq!(mixed(&talk), ["+33612345:beep", "201:beep", "301:announcement"], "who comes is told as well");
    talk.hangs_up(SUPERVISOR, &boss);
    assert!(mixed(&talk).is_empty());
}

#[test]
fn the_queue_has_the_last_word_on_the_notice() {
    let mut settings = centre();
    settings.supervision.beep_every = seconds(15.0);
    settings.queues[0].supervision = Some(SupervisionNotice::default());
    let mut talk = Talk::with(settings);
    talk.supervise(SupervisionMode::Listen).unwrap();
    let boss = talk.bench.invited(SUPERVISOR);
    talk.bench.answer(SUPERVISOR, &boss, 200, &sdp(7_000, "sendrecv"));
    assert!(mixed(&talk).is_empty());
}
