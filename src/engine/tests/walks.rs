//! Random walks through talks of three to six legs: whatever agents, phones and the network do, nobody hears whom they should
//! not, nobody is left in silence, and when all is over nothing is left and the times add up.

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::consult::{PLAN, SUPERVISOR, centre};
use super::dial_out::{CALLER, from_caller, sdp};
use super::*;
use crate::bridge::{Digit, DigitSource, PlayItem, RtpStats};
use crate::call::talk::State;
use crate::record::{CallRecord, Party};
use crate::views::{ApiRequest, Briefing, CallState, CallView, ConsultState, LegView, Steering, SupervisionMode};

const SECOND_EXPERT: &str = "192.0.2.72:5060";
/// Run in every test; `RELAIS_RUNS` says another number.
const WALKS: u64 = 600;
const STEPS: u32 = 25;

/// An INVITE of ours to a phone.
struct Rung {
    phone: String,
    invite: Request,
    answered: bool,
}

struct Walk {
    bench: Bench,
    rng: ChaCha12Rng,
    tag: String,
    rung: Vec<Rung>,
    cseq: u32,
    requests: u64,
    said: Vec<String>,
}

#[derive(Default)]
struct Ear {
    sources: Vec<LegId>,
    play: Option<&'static str>,
}

impl Walk {
    fn new(seed: u64) -> Walk {
        let mut settings = centre();
        settings.experts.push(super::consult::unwatched("302", &format!("sip:302@{SECOND_EXPERT}")));
        let mut bench = Bench::with_plan(settings, PLAN);
        bench.calls_700("70");
        let mut walk = Walk {
            bench,
            rng: ChaCha12Rng::seed_from_u64(seed),
            tag: String::new(),
            rung: Vec::new(),
            cseq: 1,
            requests: 0,
            said: Vec::new(),
        };
        walk.look();
        walk.answer(0);
        walk.look();
        let tag = walk.tag.clone();
        walk.bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
        walk
    }

    fn below(&mut self, n: usize) -> usize {
        self.rng.next_u32() as usize % n.max(1)
    }

    /// Takes note of the INVITEs that went out, and of BYEs and CANCELs; these are answered.
    fn look(&mut self) {
        loop {
            let Some((to, message)) = self.bench.sent.pop_front() else { return };
            let to = to.to_string();
            let request = match message {
                Message::Request(request) => request,
                Message::Response(response) => {
                    if to == CALLER {
                        self.tag = response.core.to.tag().unwrap_or_default().to_owned();
                    }
                    continue;
                }
            };
            match request.method {
                Method::Invite if request.core.to.tag().is_none() => {
                    let known = self.rung.iter().any(|rung| rung.invite.core.call_id == request.core.call_id);
                    if !known {
                        self.bench.respond(&to, &request, 180, &[("Contact", &format!("<sip:far@{to}>"))]);
                        self.rung.push(Rung { phone: to, invite: request, answered: false });
                    }
                }
                Method::Cancel => {
                    let at = self.rung.iter().position(|rung| rung.invite.core.call_id == request.core.call_id);
                    self.bench.respond(&to, &request, 200, &[]);
                    if let Some(rung) = at.map(|at| self.rung.remove(at)) {
                        self.bench.respond(&to, &rung.invite, 487, &[]);
                    }
                }
                Method::Bye => {
                    self.rung.retain(|rung| rung.invite.core.call_id != request.core.call_id);
                    self.bench.respond(&to, &request, 200, &[]);
                }
                Method::Ack => {}
                _ => self.bench.respond(&to, &request, 200, &[]),
            }
        }
    }

    fn answer(&mut self, at: usize) {
        let Some(rung) = self.rung.get_mut(at) else { return };
        rung.answered = true;
        let (phone, invite) = (rung.phone.clone(), rung.invite.clone());
        self.bench.answer(&phone, &invite, 200, &sdp(5_000, "sendrecv"));
    }

    fn in_dialog(&mut self, at: usize, method: &str, body: &str) {
        self.cseq += 1;
        let Some(rung) = self.rung.get(at) else { return };
        let (cseq, phone) = (self.cseq, &rung.phone);
        let more =
            if method == "REFER" { "Refer-To: <sip:302@relais.test>\r\n" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{method} sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {phone};branch=z9hG4bK{method}{cseq}\r\nFrom: {};tag=far\r\n\
             To: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\nContact: <sip:far@{phone}>\r\n{more}Content-Length: {}\r\n\r\n\
             {body}",
            rung.invite.core.to,
            rung.invite.core.from,
            rung.invite.core.call_id,
            body.len()
        );
        let phone = phone.clone();
        self.bench.receive(&phone, Message::parse(text.as_bytes()).unwrap());
        if method == "INVITE" {
            let ack = text.replacen("INVITE", "ACK", 1).replace(&format!("{cseq} INVITE"), &format!("{cseq} ACK"));
            let ack = ack.replace("z9hG4bKINVITE", "z9hG4bKACK");
            self.bench.receive(&phone, Message::parse(ack.as_bytes()).unwrap());
        }
    }

    fn call(&self) -> Option<CallView> {
        let live = self.bench.engine.calls.values().find(|live| live.call.from == "+33612345")?;
        Some(live.view())
    }

    fn ask(&mut self, request: ApiRequest) {
        self.requests += 1;
        let id = RequestId(self.requests);
        self.bench.input(Input::Api { id, request });
    }

    /// One thing happens.
    fn step(&mut self) {
        let what = self.below(26);
        let Some(call) = self.call().map(|call| call.call_id) else { return };
        let phones = self.rung.len();
        let at = self.below(phones);
        let steer = |action: Steering| ApiRequest::Steer { call, by: None, leg: None, action };
        let to = ["expert:301", "expert:302", "agent:205", "agent:201", "tel:+33155501"][self.below(5)].to_owned();
        let said = format!("{what} at {at} of {phones}, to {to}");
        self.said.push(said);
        match what {
            0..=2 => {
                let briefing = self.wants_words();
                self.ask(steer(Steering::Consult { to, briefing }));
            }
            3 => self.ask(steer(Steering::Swap)),
            4 => self.ask(steer(Steering::Complete)),
            5 => self.ask(steer(Steering::Cancel)),
            6 | 7 => self.ask(steer(Steering::Conference)),
            8 => self.ask(steer(Steering::Hold)),
            9 => self.ask(steer(Steering::Resume)),
            10 => {
                let briefing = self.wants_words();
                self.ask(steer(Steering::Transfer { to, priority: None, briefing }));
            }
            11 => {
                let on = self.below(3) == 0;
                self.ask(steer(Steering::Mute(on)));
            }
            12..=15 => {
                if let Some(at) = self.rung.iter().position(|rung| !rung.answered) {
                    self.answer(at);
                }
            }
            16 => {
                if let Some(at) = self.rung.iter().position(|rung| !rung.answered) {
                    let rung = self.rung.remove(at);
                    self.bench.respond(&rung.phone, &rung.invite, 486, &[]);
                }
            }
            17 if self.rung.get(at).is_some_and(|rung| rung.answered) => {
                self.in_dialog(at, "BYE", "");
                self.rung.remove(at);
            }
            18 if self.rung.get(at).is_some_and(|rung| rung.answered) => {
                let direction = ["sendonly", "sendrecv", "inactive"][self.below(3)];
                self.in_dialog(at, "INVITE", &sdp(5_000, direction));
            }
            19 => {
                let legs: Vec<LegId> = self.bench.engine.legs.keys().copied().collect();
                let leg = legs[self.below(legs.len())];
                if self.below(4) == 0 {
                    self.bench.input(Input::Media(MediaEvent::Dead { leg }));
                } else {
                    let digit = Digit::new("*12345#".chars().nth(self.below(7)).unwrap()).unwrap();
                    let source = DigitSource::TelephoneEvent;
                    self.bench.input(Input::Media(MediaEvent::Digit { leg, digit, source }));
                }
            }
            20 => {
                let mode = [SupervisionMode::Listen, SupervisionMode::Whisper, SupervisionMode::Barge][self.below(3)];
                self.ask(ApiRequest::Supervise { call, mode, phone: format!("sip:boss@{SUPERVISOR}") });
            }
            21 if self.rung.get(at).is_some_and(|rung| rung.answered) => self.in_dialog(at, "REFER", ""),
            22 => {
                let time = [0.02, 1.0, 6.0, 31.0][self.below(4)];
                self.bench.wait(seconds(time));
            }
            23 if self.below(6) == 0 => {
                let direction = ["sendonly", "sendrecv"][self.below(2)];
                self.cseq += 1;
                let (cseq, tag) = (self.cseq, self.tag.clone());
                let more = "Content-Type: application/sdp\r\n";
                self.bench.receive(CALLER, from_caller("INVITE", cseq, &tag, more, &sdp(4_000, direction)));
                self.bench.receive(CALLER, from_caller("ACK", cseq, &tag, "", ""));
            }
            24 | 25 => self.words_end(),
            _ => {}
        }
        self.settle();
    }

    fn wants_words(&mut self) -> Option<Briefing> {
        [None, None, Some(Briefing::Wanted(true)), Some(Briefing::Why("greeting".to_owned()))][self.below(4)].clone()
    }

    /// What is said to one who has answered has been said.
    fn words_end(&mut self) {
        let told = self.bench.engine.calls.values().find_map(|live| live.briefing);
        if let Some((leg, play)) = told {
            self.bench.input(Input::Media(MediaEvent::PlayEnded { leg, play }));
        }
    }

    /// Everything that is sent is looked at, and the media threads tell the last figures of closed legs.
    fn settle(&mut self) {
        for _ in 0..8 {
            self.look();
            let closed: Vec<LegId> = self
                .bench
                .media
                .iter()
                .filter_map(|command| match command {
                    MediaCommand::Close { leg } => Some(*leg),
                    _ => None,
                })
                .collect();
            let open: Vec<LegId> = closed.into_iter().filter(|leg| self.bench.engine.legs.contains_key(leg)).collect();
            for leg in open {
                self.bench.input(Input::Media(MediaEvent::Closed { leg, stats: RtpStats::default() }));
            }
        }
    }

    fn ear(&self, of: LegId) -> Ear {
        let mut ear = Ear::default();
        for command in &self.bench.media {
            match command {
                MediaCommand::Hear { leg, sources } if *leg == of => ear.sources = sources.to_vec(),
                MediaCommand::Play { leg, items, repeat: true, .. } if *leg == of => {
                    ear.play = Some(if matches!(items[0], PlayItem::Tone { .. }) { "ring-back" } else { "music" });
                }
                MediaCommand::StopPlay { leg, .. } if *leg == of => ear.play = None,
                _ => {}
            }
        }
        ear
    }

    /// What must hold now.
    fn check(&self) -> Result<(), String> {
        let Some(view) = self.call() else { return Ok(()) };
        if view.state == CallState::Ending {
            return Ok(());
        }
        let call = &self.bench.engine.calls[&view.call_id].call;
        let up: Vec<&LegView> = view.legs.iter().filter(|leg| call.legs[&leg.leg_id].is_up()).collect();
        let listens = |leg: LegId| call.listeners.iter().find(|listener| listener.leg == leg);
        let asked = call.talking().and_then(|talk| talk.asked());
        let steers = call.talking().and_then(|talk| talk.agent());
        for leg in &up {
            let ear = self.ear(leg.leg_id);
            for source in &ear.sources {
                let Some(heard) = up.iter().find(|other| other.leg_id == *source) else {
                    return Err(format!("leg {} hears leg {source}, which is not up", leg.leg_id));
                };
                if *source == leg.leg_id {
                    return Err(format!("leg {source} hears itself"));
                }
                if heard.muted || (heard.on_hold && listens(leg.leg_id).is_none()) {
                    return Err(format!("leg {} hears leg {source}, which is muted or holds", leg.leg_id));
                }
                match listens(*source).map(|listener| listener.mode) {
                    Some(SupervisionMode::Listen) => return Err(format!("leg {} hears a listener", leg.leg_id)),
                    Some(SupervisionMode::Whisper) if steers != Some(leg.leg_id) => {
                        return Err(format!("leg {} hears a whisper to the agent", leg.leg_id));
                    }
                    _ => {}
                }
                let apart = |one: LegId, other: LegId| Some(one) == asked && Some(other) != steers;
                let supervised = listens(leg.leg_id).is_some() || listens(*source).is_some();
                if !supervised && (apart(leg.leg_id, *source) || apart(*source, leg.leg_id)) {
                    return Err(format!("leg {} and the one asked hear each other past the agent", leg.leg_id));
                }
            }
            if leg.role == Party::Caller
                && ear.sources.is_empty()
                && ear.play.is_none()
                && !self.may_be_silent(&up, leg)
            {
                return Err(format!("the caller hears nothing in {view:?}"));
            }
        }
        let apart = view.consult.as_ref().is_some_and(|consult| {
            matches!(consult.state, ConsultState::Ringing | ConsultState::Briefing | ConsultState::Private)
        });
        let caller = up.iter().find(|leg| leg.role == Party::Caller);
        let live = &self.bench.engine.calls[&view.call_id];
        let rings = matches!(call.talking().map(|talk| talk.state()), Some(State::Calling | State::Handing));
        if live.asked.is_some() != rings {
            return Err(format!("it rings for one who is asked: {}, in {view:?}", live.asked.is_some()));
        }
        let told = call.talking().and_then(|talk| talk.briefed());
        let clock = self.bench.engine.timers.get(&Timer::Briefing(view.call_id)).is_some();
        if (live.briefing.map(|(leg, _)| leg), clock) != (told, told.is_some()) {
            return Err(format!("leg {told:?} is to be told why, and {:?} is, in {view:?}", live.briefing));
        }
        if let Some(leg) =
            told.filter(|leg| up.iter().any(|other| !self.ear(other.leg_id).sources.is_empty() && other.leg_id == *leg))
        {
            return Err(format!("leg {leg} hears somebody while it is told why"));
        }
        let has_a_part =
            |leg: &LegView| leg.leg_id == call.caller || call.is_partner(leg.leg_id) || listens(leg.leg_id).is_some();
        if let Some(leg) = up.iter().find(|leg| !has_a_part(leg)) {
            return Err(format!("leg {} is up and has no part in {view:?}", leg.leg_id));
        }
        let hear = |one: LegId, other: LegId| self.ear(one).sources.contains(&other);
        if let (true, Some(caller), Some(agent)) = (apart, caller, steers)
            && (hear(caller.leg_id, agent) || hear(agent, caller.leg_id))
        {
            return Err("caller and agent hear each other though the agent is apart".to_owned());
        }
        Ok(())
    }

    /// Those whom the caller would hear are muted.
    fn may_be_silent(&self, up: &[&LegView], caller: &LegView) -> bool {
        up.iter().any(|leg| leg.leg_id != caller.leg_id && leg.muted)
    }

    /// Everybody hangs up; then nothing may be left.
    fn end(&mut self) -> Result<(), String> {
        if self.call().is_some() {
            self.cseq += 1;
            let (cseq, tag) = (self.cseq, self.tag.clone());
            self.bench.receive(CALLER, from_caller("BYE", cseq, &tag, "", ""));
        }
        self.settle();
        for _ in 0..3 {
            self.bench.wait(seconds(40.0));
            self.settle();
        }
        let counts = self.bench.engine.counts();
        if (counts.calls, counts.legs, counts.sessions, counts.acd.contacts, counts.acd.busy_agents) != (0, 0, 0, 0, 0)
        {
            return Err(format!("left over: {counts:?}"));
        }
        if !self.bench.engine.tickets.is_empty() {
            return Err("a ticket is left over".to_owned());
        }
        let records: Vec<&CallRecord> = self.bench.records.iter().collect();
        let [record] = records[..] else { return Err(format!("not one record: {records:#?}")) };
        adds_up(record)
    }
}

/// Each leg's times are no more than it was there, and an agent's or caller's no less than they talked.
fn adds_up(record: &CallRecord) -> Result<(), String> {
    for leg in &record.legs {
        let (Some(joined), Some(left)) = (leg.joined_at, leg.left_at) else {
            if leg.joined_at.is_none() {
                continue;
            }
            return Err(format!("a leg without an end: {leg:?}"));
        };
        let there = u64::try_from(left.duration_since(joined).as_millis()).unwrap_or(0);
        let counted = leg.talk_ms + leg.hold_ms + leg.consult_ms + leg.conference_ms;
        let fits = match leg.role {
            Party::Supervisor => counted == 0,
            // A caller also waits, which is no time of the talk.
            Party::Caller => counted <= there + 2,
            _ => counted.abs_diff(there) <= 4,
        };
        if !fits {
            return Err(format!("{counted} ms counted of {there}: {leg:?}"));
        }
    }
    if record.transfers as usize != record.handed_over.len() {
        return Err("transfers are not those that are told".to_owned());
    }
    Ok(())
}

#[test]
fn whatever_happens_in_a_talk_nobody_hears_whom_they_should_not_and_nothing_is_left() {
    let walks = std::env::var("RELAIS_RUNS").ok().and_then(|walks| walks.parse().ok()).unwrap_or(WALKS);
    let one = std::env::var("RELAIS_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let seeds = one.map_or(0..walks, |seed| seed..seed + 1);
    let mut conferences = 0;
    for seed in seeds {
        let mut walk = Walk::new(seed);
        let mut outcome = Ok(());
        for step in 0..STEPS {
            walk.step();
            outcome = walk.check();
            if step % 8 == 0 {
                walk.bench.restore();
            }
            conferences += usize::from(walk.call().is_some_and(|call| call.state == CallState::Conference));
            if outcome.is_err() {
                break;
            }
        }
        let outcome = outcome.and_then(|()| walk.end());
        if let Err(fault) = outcome {
            panic!("seed {seed}: {fault}\nsteps: {:#?}\nlog: {:#?}", walk.said, walk.bench.logs);
        }
    }
    assert!(one.is_some() || conferences > walks as usize / 5, "only {conferences} steps in conferences");
}
