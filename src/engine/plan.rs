//! Carrying out what a call's dialplan run asks for.

use super::calls::EndReason;
use super::recordings::Message;
use super::waiting::WaitTerms;
use super::{Engine, LogLevel, LostPlace, PLACE_KEPT, Timer};
use crate::bridge::{Digit, MediaCommand, RecordTerms, Sources};
use crate::call::{Call, Phase, millis};
use crate::demand::Demand;
use crate::dialplan::{QueueFigures, QueueOutcome, Queues, RunAction, RunInput, Target};
use crate::ids::{CallId, QueueId};
use crate::queue::{Acd, EnqueueError};
use crate::record::{Party, QueueVisit, SurveyAnswer, VisitEnd};
use crate::settings::Settings;
use crate::time::{Instant, Now, Wall};

/// How the distributor's queues are now, as plans ask.
struct Figures<'a> {
    acd: &'a Acd,
    now: Now,
}

impl Queues for Figures<'_> {
    fn figures(&self, queue: &str) -> Option<QueueFigures> {
        let load = self.acd.load(queue, self.now)?;
        Some(QueueFigures {
            waiting: load.waiting,
            longest_wait_s: load.longest_wait.as_secs(),
            agents_available: load.agents_available,
            agents_logged_in: load.agents_logged_in,
            estimate_s: load.estimate.map(|(least, most)| (least.as_secs(), most.as_secs())),
            service_level: load.service_level,
        })
    }
}

impl Engine {
    /// Hands the run what happened, then does what it asks for.
    pub(super) fn run_plan(&mut self, id: CallId, input: RunInput, now: Now) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        let Some(run) = &mut live.run else { return };
        if live.call.ending.is_some() {
            return;
        }
        run.handle(&live.plans, input, &Figures { acd: &self.acd, now }, now);
        let actions: Vec<RunAction> = std::iter::from_fn(|| run.poll_action()).collect();
        live.call.language = run.language().clone();
        if run.path().len() > live.call.path.len() {
            self.unwritten.insert(id);
        }
        live.call.path = run.path().to_vec();
        match run.poll_timeout() {
            Some(at) => self.timers.set(Timer::Plan(id), at),
            None => self.timers.clear(&Timer::Plan(id)),
        }
        for action in actions {
            self.act(id, action, now);
        }
    }

    /// What the call waits for has not come in time.
    pub(super) fn plan_timed_out(&mut self, id: CallId, now: Now) {
        if !self.question_timed_out(id, now) {
            self.run_plan(id, RunInput::Timeout, now);
        }
    }

    fn act(&mut self, id: CallId, action: RunAction, now: Now) {
        let Some(live) = self.calls.get(&id) else { return };
        let leg = live.call.caller;
        match action {
            RunAction::Answer => self.answer_caller(id, now),
            RunAction::Play { play, items, repeat } => self.media(MediaCommand::Play { leg, play, items, repeat }),
            RunAction::StopPlay(play) => self.media(MediaCommand::StopPlay { leg, play }),
            RunAction::Echo(on) => {
                let sources = if on { Sources::from_slice(&[leg]) } else { Sources::new() };
                self.media(MediaCommand::Hear { leg, sources });
            }
            RunAction::Distribute { queue, demand, max_wait, max_estimate, leave, comfort } => {
                let terms = WaitTerms { max_wait, max_estimate, leave, comfort };
                self.distribute(id, &queue, demand, terms, now);
            }
            RunAction::Transfer { to: Target::Agent(agent), ring_timeout } => {
                self.dial_agent(id, &agent, ring_timeout, now);
            }
            RunAction::Meet(meeting) => self.enter_room(id, *meeting, now),
            RunAction::Part => self.leave_room(id, now),
            RunAction::RecordCall(wish) => self.record_call(id, wish, now),
            RunAction::RecordMessage { mailbox, longest, shortest, silence, tell } => {
                let terms = RecordTerms { both: false, longest, silence: Some(silence) };
                self.record_message(id, Message { mailbox, shortest, tell }, terms, now);
            }
            RunAction::Listen { bot, language, hints } => self.listen(id, bot, language, hints),
            RunAction::StopListening => self.stop_listening(id),
            RunAction::PauseRecording(pause) => self.pause_for_privacy(id, pause),
            RunAction::Conversed(conversation) => self.conversed(id, *conversation),
            RunAction::StopMessage => self.stop_message(id),
            RunAction::DropMessage => self.drop_message(id, now),
            RunAction::Surveyed { name, score, lowest, highest } => {
                let answer = SurveyAnswer { name, score, min: lowest, max: highest, at: now.wall };
                self.surveyed(id, answer);
            }
            RunAction::LookUp { look_up, question } => self.look_up_for_plan(id, look_up, question),
            RunAction::Webhook(webhook) => self.tell(id, *webhook, now),
            RunAction::CallBack { queue, number } => self.plan_promises(id, &queue, number, now),
            RunAction::Transfer { to: Target::Outside(number), ring_timeout } => {
                self.dial_outside(id, &number, ring_timeout, now);
            }
            RunAction::HangUp { status, q850, outcome } => {
                self.end_call(id, EndReason { outcome, by: Party::System, q850, status }, now);
            }
        }
    }

    pub(super) fn distribute(&mut self, id: CallId, queue: &QueueId, mut demand: Demand, terms: WaitTerms, now: Now) {
        let promised = self.take_back_promise(id, queue, now);
        let regained = self.regained_place(id, queue, now).into_iter().chain(promised).min();
        let waiting = self.waiting(id, queue, &terms, now);
        let Some(live) = self.calls.get_mut(&id) else { return };
        let since = live.call.queued_at.or(regained).unwrap_or(now.instant);
        let stands_since = stands_since(&live.call, since, &mut demand, now);
        live.call.visits.push(visit(&self.acd, &self.settings, queue, &demand, since, now));
        live.call.enter_queue(waiting, demand.clone(), now);
        live.wait_terms = terms;
        self.wire(id, now);
        match self.acd.enqueue(id, queue, &demand, stands_since, now) {
            Ok(()) if self.is_too_long_at_entry(id, now) => self.leave_by_estimate(id, now),
            Ok(()) => {
                let waited = i64::try_from(millis(now.instant.since(stands_since))).unwrap_or(0);
                let since = now.wall - jiff::SignedDuration::from_millis(waited);
                if let Some(live) = self.live(id) {
                    live.written.place = Some((queue.clone(), since));
                }
                self.unwritten.insert(id);
                self.watch_wait(id, now);
            }
            Err(error) => {
                let outcome = match error {
                    EnqueueError::Full { .. } => QueueOutcome::Full,
                    _ => QueueOutcome::NoSuchQueue,
                };
                self.log(LogLevel::Warn, format!("call {id}: {error}"));
                self.leave_queue(id, outcome, now);
            }
        }
    }

    /// The plan's longest wait is over.
    pub(super) fn wait_is_over(&mut self, id: CallId, now: Now) {
        if self.calls.get(&id).is_some_and(|live| matches!(live.call.phase, Phase::Queued(_))) {
            self.leave_queue(id, QueueOutcome::TimedOut, now);
        }
    }

    /// A key of the caller: it may leave the queue, else it is the plan's.
    pub(super) fn caller_digit(&mut self, id: CallId, digit: Digit, now: Now) {
        let Some(live) = self.calls.get(&id) else { return };
        match &live.call.phase {
            Phase::Queued(waiting) if waiting.leave.contains(&digit) => {
                self.leave_queue(id, QueueOutcome::Left(digit), now);
            }
            Phase::Plan => self.run_plan(id, RunInput::Digit(digit), now),
            Phase::Meeting(_) => self.pressed_in_room(id, digit, now),
            Phase::Confirming { .. } => self.customer_pressed(id, digit, now),
            _ => {}
        }
    }

    /// The call is out of its queue unanswered; the plan goes on.
    pub(super) fn leave_queue(&mut self, id: CallId, outcome: QueueOutcome, now: Now) {
        self.wait_no_longer(id);
        self.acd.overflow(id, now);
        if let Some(live) = self.live(id) {
            live.call.phase = Phase::Plan;
            live.call.leave_visit(VisitEnd::Overflowed, now);
        }
        self.wire(id, now);
        self.run_plan(id, RunInput::Queued(outcome), now);
    }

    /// When the same caller lost a place in this queue by a crash, within the last five minutes.
    fn regained_place(&mut self, id: CallId, queue: &QueueId, now: Now) -> Option<Instant> {
        let from = self.number_of(&self.calls.get(&id)?.call);
        let kept = jiff::SignedDuration::try_from(PLACE_KEPT).ok()?;
        self.lost_places.retain(|place| now.wall.duration_since(place.lost_at) <= kept);
        // Who withholds the number may be anybody.
        let theirs = |place: &LostPlace| {
            !from.is_empty() && self.settings.numbering.read(&place.from).into_text() == from && place.queue == *queue
        };
        let at = self.lost_places.iter().position(theirs)?;
        let place = self.lost_places.remove(at);
        let waited = now.wall.duration_since(place.waiting_since).unsigned_abs();
        Some(now.instant - waited)
    }

    /// Puts a caller who lost their agent by a fault back into the queue, at the place they had. What the plan says of the
    /// wait holds as before; its longest time begins anew.
    pub(super) fn requeue(&mut self, id: CallId, lost: Lost, now: Now) -> bool {
        let Some(live) = self.calls.get(&id).filter(|live| live.call.agent.is_some()) else { return false };
        let (call, terms) = (&live.call, live.wait_terms.clone());
        let (Some(queue), demand) = (call.queue.clone(), call.demand.clone()) else { return false };
        self.supervision_ends(id, now);
        let why = match lost {
            Lost::Phone => {
                self.acd.talk_ended(id, now);
                "the agent's phone was lost"
            }
            Lost::AtOnce => {
                self.acd.gone_at_once(id, now);
                "the agent's phone answered and hung up at once"
            }
        };
        self.log(LogLevel::Warn, format!("call {id}: {why}; the caller is back in queue {queue}"));
        self.distribute(id, &queue, demand, terms, now);
        true
    }
}

/// How a caller comes to be without an agent though neither ended the talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// It sends nothing any more, or cannot be reached.
    Phone,
    /// It answered and hung up before anybody can have said a word.
    AtOnce,
}

/// Since when the caller stands in line, who has been in queues since `since`: what came before counts as far as the plan
/// says, once, and not what a regained place has in it already. `demand` then says how much that is.
fn stands_since(call: &Call, since: Instant, demand: &mut Demand, now: Now) -> Instant {
    let counted = match call.queued_at {
        Some(_) => demand.counted.max(call.demand.counted),
        None => demand.counted.saturating_sub(now.instant.since(since)),
    };
    let stands_since = since - counted;
    demand.counted = since.since(stands_since);
    stands_since
}

/// The entry into a queue, for the record.
pub(super) fn visit(
    acd: &Acd,
    settings: &Settings,
    queue: &QueueId,
    demand: &Demand,
    since: Instant,
    now: Now,
) -> QueueVisit {
    let waited = i64::try_from(millis(now.instant.since(since))).unwrap_or(0);
    // To the millisecond, as it is written down.
    let waiting_since = now.wall.as_millisecond().saturating_sub(waited);
    let known = settings.queues.iter().find(|known| known.id == *queue);
    let estimate = acd.load(queue.as_str(), now).and_then(|load| load.estimate);
    QueueVisit {
        queue: queue.clone(),
        waiting_since: Wall::from_millisecond(waiting_since).unwrap_or(now.wall),
        counted_ms: millis(demand.counted),
        wait_ms: None,
        end: None,
        agent: None,
        target_ms: known.map_or(0, |queue| millis(queue.answer_within)),
        skills: demand.skills.clone(),
        estimate_ms: estimate.map(|(least, most)| (millis(least), millis(most))),
    }
}
