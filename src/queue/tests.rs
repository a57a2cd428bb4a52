//! One rule a test, on a virtual clock. `histories` tries their combinations.

mod at_once;
mod choice;
mod cold;
mod order;
mod schedules;
mod shifts;
mod skilled;
mod widening;

use std::time::Duration;

use super::*;
use crate::demand::{Demand, PreferredAgent};
use crate::settings::Codec;
use crate::trace::{Candidate, Rule, rounded};
use crate::views::AgentState;

pub fn queue(id: &str) -> settings::Queue {
    settings::Queue {
        ring_timeout: Duration::from_secs(15),
        wrap_up: Duration::from_secs(5),
        announce_position: Duration::ZERO,
        ..settings::Queue::new(id.into())
    }
}

pub fn agent(id: &str, queues: &[&str]) -> settings::Agent {
    settings::Agent {
        id: AgentId::from(id),
        name: format!("Agent {id}"),
        password: None,
        contact: None,
        queues: queues.iter().map(|queue| QueueId::from(*queue)).collect(),
        schedules: Default::default(),
        call_preference: Default::default(),
        skills: Skills::new(),
        srtp: Default::default(),
        codecs: vec![Codec::Pcmu],
        language: "en".into(),
    }
}

/// A centre with a clock.
struct Centre {
    acd: Acd,
    now: Now,
    queues: Vec<settings::Queue>,
    agents: Vec<settings::Agent>,
}

impl Centre {
    /// All agents have a phone, registered one second after the other.
    fn new(queues: Vec<settings::Queue>, agents: Vec<settings::Agent>) -> Centre {
        let now =
            Now { instant: Instant(0) + Duration::from_secs(1_000), wall: "2026-11-25T10:00:00Z".parse().unwrap() };
        let acd = Acd::new(&queues, &agents, [7; 32], now);
        let mut centre = Centre { acd, now, queues, agents };
        for id in centre.agents.iter().map(|agent| agent.id.clone()).collect::<Vec<_>>() {
            centre.acd.set_reachable(&id, true, centre.now);
            centre.pass(1.0);
        }
        centre.events();
        centre
    }

    fn sales(agents: &[&str]) -> Centre {
        Centre::new(vec![queue("sales")], agents.iter().map(|id| agent(id, &["sales"])).collect())
    }

    /// Time passes, stopping at every deadline.
    fn pass(&mut self, seconds: f64) {
        let end = self.now.instant + Duration::from_secs_f64(seconds);
        loop {
            let next = self.acd.poll_timeout().filter(|at| *at <= end);
            let at = next.unwrap_or(end);
            self.now.wall += jiff::SignedDuration::try_from(at.since(self.now.instant)).unwrap();
            self.now.instant = at.max(self.now.instant);
            if next.is_none() {
                return;
            }
            self.acd.handle_timeout(self.now);
        }
    }

    fn calls(&mut self, contact: u128) {
        self.calls_for(contact, "sales");
    }

    fn calls_for(&mut self, contact: u128, queue: &str) {
        self.acd
            .enqueue(CallId(contact), &QueueId::from(queue), &Demand::default(), self.now.instant, self.now)
            .unwrap();
    }

    /// The first of those who are rung.
    fn answers(&mut self, contact: u128) {
        let agents = self.acd.offered_agents(CallId(contact));
        assert!(self.answers_by(contact, agents.first().expect("an offer").as_str()));
    }

    fn answers_by(&mut self, contact: u128, agent: &str) -> bool {
        self.acd.agent_answered(CallId(contact), &AgentId::from(agent), self.now)
    }

    fn fails(&mut self, contact: u128, agent: &str, why: NoAnswer) {
        self.acd.agent_failed(CallId(contact), &AgentId::from(agent), why, self.now);
    }

    fn ends(&mut self, contact: u128) {
        self.acd.talk_ended(CallId(contact), self.now);
    }

    fn leaves(&mut self, contact: u128) {
        self.acd.leave(CallId(contact), self.now);
    }

    fn asks(&mut self, agent: &str, wanted: Wanted) {
        self.acd.set_state(&AgentId::from(agent), wanted, self.now).unwrap();
    }

    fn phone(&mut self, agent: &str, reachable: bool) {
        self.acd.set_reachable(&AgentId::from(agent), reachable, self.now);
    }

    fn state(&self, agent: &str) -> AgentState {
        self.acd.agent_view(&AgentId::from(agent)).unwrap().state
    }

    fn position(&self, contact: u128) -> Option<usize> {
        self.acd.position(CallId(contact))
    }

    /// What happened since the last look, short: `offer 1 to 201`.
    fn events(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        while let Some(event) = self.acd.poll_event() {
            told.extend(match event {
                AcdEvent::Offer { contact, agent, .. } => Some(format!("offer {} to {agent}", contact.0)),
                AcdEvent::Withdraw { contact, agent } => Some(format!("withdraw {} from {agent}", contact.0)),
                AcdEvent::Announce { contact, position } => Some(format!("tell {} position {position}", contact.0)),
                AcdEvent::WrappedUp { contact, acw } => Some(format!("{} wrapped up in {acw:?}", contact.0)),
                AcdEvent::Entered(_) | AcdEvent::AgentChanged(_) | AcdEvent::QueueChanged(_) => None,
            });
        }
        told
    }
}

#[test]
fn the_longest_idle_agent_is_offered_the_contact() {
    let mut centre = Centre::sales(&["201", "202", "203"]);
    centre.calls(1);
    centre.answers(1);
    centre.pass(10.0);
    centre.ends(1);
    centre.pass(6.0);
    centre.calls(2);
    centre.calls(3);
    centre.calls(4);
    assert_eq!(
        centre.events(),
        ["offer 1 to 201", "1 wrapped up in 5s", "offer 2 to 202", "offer 3 to 203", "offer 4 to 201"]
    );
}

#[test]
fn idle_time_counts_across_queues() {
    let mut centre = Centre::new(
        vec![queue("sales"), queue("support")],
        vec![agent("201", &["sales", "support"]), agent("202", &["sales"])],
    );
    centre.calls_for(1, "support");
    centre.answers(1);
    centre.ends(1);
    centre.pass(5.0);
    centre.calls_for(2, "sales");
    assert_eq!(centre.events(), ["offer 1 to 201", "1 wrapped up in 5s", "offer 2 to 202"]);
}

#[test]
fn an_agent_who_comes_free_takes_the_longest_waiting_of_all_their_queues() {
    let mut centre = Centre::new(vec![queue("sales"), queue("support")], vec![agent("201", &["sales", "support"])]);
    centre.calls_for(1, "sales");
    centre.answers(1);
    centre.calls_for(2, "support");
    centre.pass(1.0);
    centre.calls_for(3, "sales");
    centre.ends(1);
    centre.events();
    centre.pass(5.0);
    let reason = std::iter::from_fn(|| centre.acd.poll_event()).find_map(|event| match event {
        AcdEvent::Offer { reason, .. } => Some(reason),
        _ => None,
    });
    let waits = |contact, queue: &str, waited_s: u64| Candidate::Contact {
        call_id: CallId(contact),
        queue: queue.into(),
        priority: rounded(waited_s as f64 / 60.0),
        ratio: rounded(waited_s as f64 / 20.0),
        waited_ms: waited_s * 1_000,
    };
    let reason = reason.unwrap();
    assert_eq!((reason.queue, reason.agent, reason.rule), ("support".into(), "201".into(), Rule::ServiceLevel));
    assert_eq!((reason.chosen, reason.runners_up), (waits(2, "support", 6), vec![waits(3, "sales", 5)]));
}

#[test]
fn every_kind_of_failure_goes_to_the_next_agent_at_once_and_keeps_the_place() {
    for why in
        [NoAnswer::Timeout, NoAnswer::Busy, NoAnswer::Declined, NoAnswer::HungUpWhileRinging, NoAnswer::Unreachable]
    {
        let mut centre = Centre::sales(&["201", "202"]);
        centre.calls(1);
        centre.calls(2);
        centre.calls(3);
        centre.fails(2, "202", why);
        assert_eq!((centre.position(1), centre.position(2), centre.position(3)), (Some(1), Some(2), Some(3)));
        centre.events();
        centre.fails(1, "201", why);
        assert_eq!(centre.position(1), Some(1), "{why:?} lost the place");
        let events = centre.events();
        assert!(!events.contains(&"offer 1 to 201".to_owned()), "{why:?}: {events:?}");
    }
    let mut centre = Centre::sales(&["201", "202"]);
    centre.calls(1);
    centre.fails(1, "201", NoAnswer::Declined);
    assert_eq!(centre.events(), ["offer 1 to 201", "offer 1 to 202"]);
}

#[test]
fn a_phone_that_rings_too_long_is_stopped_and_the_next_one_rings() {
    let mut centre = Centre::sales(&["201", "202"]);
    centre.calls(1);
    centre.acd.agent_ringing(CallId(1), &"201".into(), centre.now);
    assert_eq!(centre.state("201"), AgentState::Ringing);
    centre.pass(14.9);
    assert_eq!(centre.events(), ["offer 1 to 201"]);
    centre.pass(0.1);
    assert_eq!(centre.events(), ["withdraw 1 from 201", "offer 1 to 202"]);
    assert!(!centre.answers_by(2, "201"), "an unknown contact was answered");
    centre.answers(1);
    assert_eq!((centre.state("201"), centre.state("202")), (AgentState::Available, AgentState::Talking));
}

#[test]
fn two_unanswered_contacts_in_a_row_make_an_agent_not_responding_until_they_ask() {
    let mut centre = Centre::sales(&["201"]);
    centre.calls(1);
    centre.pass(15.0);
    assert_eq!(centre.state("201"), AgentState::Available);
    assert_eq!(centre.events(), ["offer 1 to 201", "withdraw 1 from 201"]);
    centre.pass(10.0);
    assert_eq!(centre.events(), ["offer 1 to 201"], "nobody else is there: it comes back after retry_delay");
    centre.fails(1, "201", NoAnswer::Declined);
    assert_eq!(centre.state("201"), AgentState::NotResponding);
    centre.phone("201", false);
    centre.phone("201", true);
    centre.pass(1_000.0);
    assert_eq!((centre.state("201"), centre.events().len()), (AgentState::NotResponding, 0));
    centre.asks("201", Wanted::Available);
    assert_eq!(centre.events(), ["offer 1 to 201"]);
    centre.fails(1, "201", NoAnswer::Timeout);
    assert_eq!(centre.state("201"), AgentState::Available, "the count begins anew");
}

#[test]
fn an_answer_in_between_starts_the_count_of_unanswered_contacts_anew() {
    let mut centre = Centre::sales(&["201"]);
    for contact in 1..5 {
        centre.calls(contact);
        centre.fails(contact, "201", NoAnswer::Timeout);
        assert_eq!(centre.state("201"), AgentState::Available);
        centre.pass(10.0);
        centre.answers(contact);
        centre.ends(contact);
        centre.pass(5.0);
    }
}

#[test]
fn a_busy_or_unreachable_phone_rests_and_is_not_held_against_the_agent() {
    for why in [NoAnswer::Busy, NoAnswer::Unreachable] {
        let mut centre = Centre::sales(&["201"]);
        centre.calls(1);
        centre.calls(2);
        centre.events();
        for _ in 0..5 {
            centre.fails(1, "201", why);
            centre.pass(9.9);
            assert_eq!(centre.events(), [] as [&str; 0], "{why:?}: another contact was sent to the same phone");
            centre.pass(0.1);
            assert_eq!(centre.events(), ["offer 1 to 201"]);
        }
    }
}

#[test]
fn one_who_declines_is_offered_others_at_once_but_the_same_contact_only_later() {
    let mut centre = Centre::sales(&["201"]);
    centre.calls(1);
    centre.calls(2);
    centre.fails(1, "201", NoAnswer::Declined);
    assert_eq!(centre.events(), ["offer 1 to 201", "offer 2 to 201"]);
    centre.answers(2);
    centre.ends(2);
    centre.pass(5.0);
    assert_eq!(centre.events(), ["2 wrapped up in 5s"]);
    centre.pass(5.0);
    assert_eq!(centre.events(), ["offer 1 to 201"]);
}

#[test]
fn the_caller_may_leave_at_any_moment_and_the_agent_is_free_for_the_next() {
    let mut centre = Centre::sales(&["201"]);
    centre.calls(1);
    centre.calls(2);
    centre.calls(3);
    centre.leaves(2);
    centre.leaves(1);
    assert_eq!(centre.events(), ["offer 1 to 201", "withdraw 1 from 201", "offer 3 to 201"]);
    centre.answers(3);
    centre.leaves(3);
    assert_eq!(centre.state("201"), AgentState::WrapUp);
    let view = centre.acd.queue_view(&"sales".into()).unwrap();
    assert_eq!((view.offered, view.handled, view.abandoned, view.waiting), (3, 1, 2, 0));
}

#[test]
fn a_late_answer_to_a_withdrawn_offer_is_refused() {
    let mut centre = Centre::sales(&["201"]);
    centre.calls(1);
    centre.leaves(1);
    assert!(!centre.answers_by(1, "201"));
    centre.calls(2);
    centre.answers(2);
    assert!(!centre.answers_by(2, "201"), "a second 200 is not a second answer");
    centre.fails(2, "201", NoAnswer::Unreachable);
    assert_eq!(centre.state("201"), AgentState::Talking);
}

#[test]
fn wrap_up_lasts_its_time_and_can_be_ended_by_the_agent() {
    let mut centre = Centre::sales(&["201"]);
    centre.calls(1);
    centre.calls(2);
    centre.answers(1);
    centre.ends(1);
    centre.events();
    centre.pass(4.9);
    assert_eq!((centre.state("201"), centre.events().len()), (AgentState::WrapUp, 0));
    centre.pass(0.1);
    assert_eq!(centre.events(), ["1 wrapped up in 5s", "offer 2 to 201"]);
    centre.answers(2);
    centre.ends(2);
    centre.pass(2.0);
    centre.asks("201", Wanted::Paused("lunch".to_owned()));
    assert_eq!((centre.state("201"), centre.events()), (AgentState::Paused, vec!["2 wrapped up in 2s".to_owned()]));
}

#[test]
fn a_wrap_up_can_be_made_longer_and_is_the_contacts_until_it_ends() {
    let mut centre = Centre::sales(&["201"]);
    let agent = AgentId::from("201");
    let longer = Duration::from_secs(60);
    let refused = centre.acd.extend_wrap_up(&agent, longer, centre.now).unwrap_err();
    assert_eq!((refused.status(), refused.code()), (409, "agent_not_in_wrap_up"));
    centre.calls(1);
    centre.answers(1);
    assert_eq!(centre.acd.wraps_up(CallId(1)), None);
    centre.ends(1);
    centre.events();
    centre.pass(4.0);
    centre.acd.extend_wrap_up(&agent, longer, centre.now).unwrap();
    assert_eq!(centre.acd.wraps_up(CallId(1)), Some(&agent));
    centre.pass(59.9);
    assert_eq!((centre.state("201"), centre.events().len()), (AgentState::WrapUp, 0));
    centre.pass(0.1);
    assert_eq!((centre.state("201"), centre.events()), (AgentState::Available, vec!["1 wrapped up in 64s".to_owned()]));
    assert_eq!(centre.acd.wraps_up(CallId(1)), None);
}

#[test]
fn a_pause_or_log_out_asked_for_during_a_talk_takes_effect_after_it() {
    for (wanted, state) in
        [(Wanted::Paused("lunch".to_owned()), AgentState::Paused), (Wanted::LoggedOut, AgentState::LoggedOut)]
    {
        let mut centre = Centre::sales(&["201"]);
        centre.calls(1);
        centre.answers(1);
        centre.calls(2);
        centre.asks("201", wanted);
        assert_eq!(centre.state("201"), AgentState::Talking);
        centre.ends(1);
        assert_eq!(centre.state("201"), AgentState::WrapUp);
        centre.pass(5.0);
        assert_eq!(centre.state("201"), state);
        assert_eq!(centre.events(), ["offer 1 to 201", "1 wrapped up in 5s"]);
        centre.asks("201", Wanted::Available);
        assert_eq!(centre.events(), ["offer 2 to 201"]);
    }
}

#[test]
fn a_pause_during_ringing_sends_the_caller_to_the_next_agent() {
    let mut centre = Centre::sales(&["201", "202"]);
    centre.calls(1);
    centre.asks("201", Wanted::Paused("break".to_owned()));
    assert_eq!(centre.events(), ["offer 1 to 201", "withdraw 1 from 201", "offer 1 to 202"]);
    assert_eq!(centre.acd.agent_view(&"201".into()).unwrap().reason.as_deref(), Some("break"));
}

#[test]
fn a_lost_phone_logs_out_and_a_registration_logs_in() {
    let mut centre = Centre::sales(&["201"]);
    centre.phone("201", false);
    assert_eq!(centre.state("201"), AgentState::LoggedOut);
    centre.calls(1);
    assert!(centre.events().is_empty());
    centre.phone("201", true);
    assert_eq!((centre.state("201"), centre.events()), (AgentState::Reserved, vec!["offer 1 to 201".to_owned()]));
    assert_eq!(centre.acd.cause(&"201".into()), Some(Cause::Offered));
}

#[test]
fn a_registration_undoes_no_log_out_by_the_api() {
    let mut centre = Centre::sales(&["201"]);
    centre.asks("201", Wanted::LoggedOut);
    centre.phone("201", true);
    assert_eq!(centre.state("201"), AgentState::LoggedOut);
    centre.phone("201", false);
    centre.phone("201", true);
    assert_eq!(centre.state("201"), AgentState::LoggedOut);
    centre.asks("201", Wanted::Available);
    assert_eq!(centre.state("201"), AgentState::Available);
}

#[test]
fn a_registration_that_lapses_ends_no_pause() {
    let mut centre = Centre::sales(&["201"]);
    centre.asks("201", Wanted::Paused("lunch".to_owned()));
    centre.phone("201", false);
    assert_eq!(centre.state("201"), AgentState::LoggedOut);
    centre.phone("201", true);
    let view = centre.acd.agent_view(&"201".into()).unwrap();
    assert_eq!((view.state, view.reason.as_deref()), (AgentState::Paused, Some("lunch")));
}

#[test]
fn a_phone_lost_during_a_talk_ends_neither_talk_nor_wrap_up() {
    let mut centre = Centre::sales(&["201"]);
    centre.calls(1);
    centre.answers(1);
    centre.acd.hold(CallId(1), true, centre.now);
    centre.phone("201", false);
    assert_eq!(centre.state("201"), AgentState::Holding);
    centre.ends(1);
    assert_eq!(centre.state("201"), AgentState::WrapUp);
    centre.pass(5.0);
    assert_eq!(centre.state("201"), AgentState::LoggedOut);
    centre.phone("201", true);
    assert_eq!(centre.state("201"), AgentState::Available);
}

#[test]
fn a_phone_lost_while_ringing_sends_the_caller_to_the_next_agent() {
    let mut centre = Centre::sales(&["201", "202"]);
    centre.calls(1);
    centre.phone("201", false);
    assert_eq!(centre.events(), ["offer 1 to 201", "withdraw 1 from 201", "offer 1 to 202"]);
}

#[test]
fn a_regained_place_comes_before_those_who_came_meanwhile() {
    let mut centre = Centre::sales(&[]);
    centre.calls(1);
    centre.pass(60.0);
    centre.calls(2);
    let since = centre.now.instant - Duration::from_secs(90);
    centre.acd.enqueue(CallId(3), &"sales".into(), &Demand::default(), since, centre.now).unwrap();
    assert_eq!((centre.position(3), centre.position(1), centre.position(2)), (Some(1), Some(2), Some(3)));
    assert_eq!(centre.acd.front(&"sales".into(), 2), [CallId(3), CallId(1)]);
    let head = centre.acd.queue_view(&"sales".into()).unwrap().longest_waiting_since.unwrap();
    assert_eq!(centre.now.wall.duration_since(head), jiff::SignedDuration::from_secs(90));
}

#[test]
fn the_position_is_told_on_entry_and_at_its_interval_while_waiting() {
    let settings = settings::Queue { announce_position: Duration::from_secs(30), ..queue("sales") };
    let mut centre = Centre::new(vec![settings], vec![agent("201", &["sales"])]);
    centre.calls(1);
    centre.calls(2);
    assert_eq!(centre.events(), ["offer 1 to 201", "tell 2 position 2"]);
    centre.answers(1);
    centre.pass(60.0);
    assert_eq!(centre.events(), ["tell 2 position 1", "tell 2 position 1"]);
}

#[test]
fn an_unknown_or_full_queue_and_a_contact_that_waits_already_are_refused() {
    let settings = settings::Queue { max_waiting: Some(1), ..queue("sales") };
    let mut centre = Centre::new(vec![settings], vec![]);
    let enqueue = |centre: &mut Centre, contact, queue: &str| {
        centre
            .acd
            .enqueue(CallId(contact), &queue.into(), &Demand::default(), centre.now.instant, centre.now)
            .map_err(|e| e.to_string())
    };
    assert_eq!(enqueue(&mut centre, 1, "sale"), Err("queue 'sale' does not exist; did you mean 'sales'?".to_owned()));
    assert_eq!(enqueue(&mut centre, 1, "sales"), Ok(()));
    assert_eq!(enqueue(&mut centre, 2, "sales"), Err("queue 'sales' is full: 1 wait, and max_waiting is 1".to_owned()));
    assert!(enqueue(&mut centre, 1, "sales").unwrap_err().contains("already in a queue"));
}

#[test]
fn requests_about_agents_are_refused_with_status_and_remedy() {
    let mut centre = Centre::sales(&["201"]);
    let unknown = centre.acd.set_state(&"2011".into(), Wanted::Available, centre.now).unwrap_err();
    assert_eq!((unknown.status(), unknown.code()), (404, "unknown_agent"));
    assert_eq!(unknown.to_string(), "agent '2011' does not exist; did you mean '201'?");
    centre.phone("201", false);
    let no_phone = centre.acd.set_state(&"201".into(), Wanted::Available, centre.now).unwrap_err();
    assert_eq!((no_phone.status(), no_phone.code()), (409, "agent_without_phone"));
    let logged_out = centre.acd.seize(&"201".into(), CallId(1), centre.now).unwrap_err();
    assert_eq!((logged_out.status(), logged_out.code()), (409, "agent_not_available"));
    assert_eq!(centre.acd.counts(), AcdCounts::default());
}

#[test]
fn a_direct_call_reserves_the_agent_and_needs_no_wrap_up() {
    let mut centre = Centre::sales(&["201"]);
    centre.acd.seize(&"201".into(), CallId(1), centre.now).unwrap();
    centre.calls(2);
    assert_eq!((centre.state("201"), centre.events().len()), (AgentState::Reserved, 0));
    assert!(centre.acd.seize(&"201".into(), CallId(3), centre.now).is_err());
    centre.answers(1);
    centre.ends(1);
    assert_eq!(centre.events(), ["offer 2 to 201"]);
}

#[test]
fn a_direct_call_that_fails_is_not_held_against_the_agent() {
    let mut centre = Centre::sales(&["201"]);
    for contact in 1..5 {
        centre.acd.seize(&"201".into(), CallId(contact), centre.now).unwrap();
        centre.fails(contact, "201", NoAnswer::Timeout);
        assert_eq!(centre.state("201"), AgentState::Available);
    }
    assert_eq!(centre.acd.counts(), AcdCounts::default());
}

#[test]
fn a_deleted_queue_is_served_until_it_is_empty() {
    let mut centre = Centre::new(vec![queue("sales"), queue("old")], vec![agent("201", &["sales", "old"])]);
    centre.calls_for(1, "sales");
    centre.answers(1);
    centre.calls_for(2, "old");
    let (queues, agents) = (vec![queue("sales")], vec![agent("201", &["sales"])]);
    centre.acd.configure(&queues, &agents, centre.now);
    assert!(centre.acd.enqueue(CallId(3), &"old".into(), &Demand::default(), centre.now.instant, centre.now).is_err());
    centre.ends(1);
    centre.pass(5.0);
    assert_eq!(centre.events(), ["offer 1 to 201", "1 wrapped up in 5s", "offer 2 to 201"]);
    centre.answers(2);
    centre.ends(2);
    assert_eq!(centre.acd.queues().map(QueueId::as_str).collect::<Vec<_>>(), ["sales"]);
    centre.pass(5.0);
    assert_eq!(centre.events(), ["2 wrapped up in 5s"]);
    assert_eq!(centre.acd.counts(), AcdCounts::default());
}

#[test]
fn a_reload_keeps_states_and_brings_new_agents_to_those_who_wait() {
    let mut centre = Centre::sales(&["201"]);
    centre.asks("201", Wanted::Paused("lunch".to_owned()));
    centre.calls(1);
    centre.agents.push(agent("202", &["sales"]));
    centre.acd.configure(&centre.queues, &centre.agents, centre.now);
    assert_eq!((centre.state("201"), centre.position(1)), (AgentState::Paused, Some(1)));
    centre.phone("202", true);
    assert_eq!(centre.events(), ["offer 1 to 202"]);
}

#[test]
fn a_deleted_agent_ends_the_talk_and_is_gone_after_the_wrap_up() {
    let mut centre = Centre::sales(&["201", "202"]);
    centre.calls(1);
    centre.answers(1);
    centre.calls(2);
    centre.acd.configure(&centre.queues, &[], centre.now);
    assert_eq!(centre.events(), ["offer 1 to 201", "offer 2 to 202", "withdraw 2 from 202"]);
    assert_eq!(centre.acd.agents().map(AgentId::as_str).collect::<Vec<_>>(), ["201"]);
    assert_eq!(centre.state("201"), AgentState::Talking);
    centre.ends(1);
    centre.pass(5.0);
    assert_eq!((centre.acd.agents().count(), centre.position(2)), (0, Some(1)));
}

#[test]
fn equal_agents_are_told_apart_by_log_in_and_then_by_the_seed() {
    let agents: Vec<settings::Agent> = ["201", "202", "203", "204"].map(|id| agent(id, &["sales"])).into();
    let now = Now { instant: Instant(0), wall: "2026-11-25T10:00:00Z".parse().unwrap() };
    let first = |seed: u8| {
        let mut acd = Acd::new(&[queue("sales")], &agents, [seed; 32], now);
        agents.iter().for_each(|agent| acd.set_reachable(&agent.id, true, now));
        acd.enqueue(CallId(1), &"sales".into(), &Demand::default(), now.instant, now).unwrap();
        std::iter::from_fn(|| acd.poll_event()).find_map(|event| match event {
            AcdEvent::Offer { agent, .. } => Some(agent),
            _ => None,
        })
    };
    let chosen: BTreeSet<AgentId> = (0..40).filter_map(first).collect();
    assert_eq!(chosen.len(), 4, "the seed must decide");
    assert_eq!(first(3), first(3));
}

#[test]
fn a_call_back_keeps_its_place_and_its_agent_is_reserved_until_the_customer_is_there() {
    let mut centre = Centre::sales(&["201"]);
    centre.calls(1);
    centre.answers(1);
    let place = centre.now.instant;
    centre.pass(10.0);
    centre.calls(2);
    centre.acd.enqueue_callback(CallId(9), &QueueId::from("sales"), &Demand::default(), place, centre.now).unwrap();
    assert_eq!((centre.position(9), centre.position(2)), (Some(1), Some(2)));
    let view = centre.acd.queue_view(&QueueId::from("sales")).unwrap();
    assert_eq!((view.waiting, view.callbacks, view.offered), (1, 1, 2), "a promise is no caller");
    centre.ends(1);
    centre.pass(5.0);
    assert_eq!(centre.state("201"), AgentState::Reserved);
    // Ringing a customer takes as long as it takes.
    centre.pass(60.0);
    assert_eq!(centre.state("201"), AgentState::Reserved);
    assert!(!centre.answers_by(9, "201"), "nobody has rung the agent");
    assert_eq!(centre.acd.reached(CallId(9), centre.now), Some(AgentId::from("201")));
    centre.answers(9);
    assert_eq!(centre.state("201"), AgentState::Talking);
    let view = centre.acd.queue_view(&QueueId::from("sales")).unwrap();
    assert_eq!((view.waiting, view.callbacks, view.offered, view.handled), (1, 0, 3, 2));
}

#[test]
fn a_call_back_whose_customer_is_not_there_frees_its_agent_and_is_no_abandoned_call() {
    let mut centre = Centre::sales(&["201"]);
    centre
        .acd
        .enqueue_callback(CallId(9), &QueueId::from("sales"), &Demand::default(), centre.now.instant, centre.now)
        .unwrap();
    assert_eq!(centre.state("201"), AgentState::Reserved);
    centre.calls(1);
    centre.leaves(9);
    assert_eq!(centre.state("201"), AgentState::Reserved, "for the caller who waits");
    centre.answers(1);
    let view = centre.acd.queue_view(&QueueId::from("sales")).unwrap();
    assert_eq!((view.offered, view.handled, view.abandoned, view.overflowed), (1, 1, 0, 0));
}

#[test]
fn a_customer_who_hangs_up_before_the_agent_answers_has_not_abandoned() {
    let mut centre = Centre::sales(&["201"]);
    centre
        .acd
        .enqueue_callback(CallId(9), &QueueId::from("sales"), &Demand::default(), centre.now.instant, centre.now)
        .unwrap();
    assert!(centre.acd.reached(CallId(9), centre.now).is_some());
    centre.pass(15.0);
    assert_eq!(centre.position(9), Some(1), "the agent did not answer, and the customer waits on");
    centre.leaves(9);
    let view = centre.acd.queue_view(&QueueId::from("sales")).unwrap();
    assert_eq!((view.offered, view.abandoned, view.overflowed), (1, 0, 1));
}
