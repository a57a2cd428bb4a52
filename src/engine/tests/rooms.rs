//! Conference rooms: callers of different calls meet, hear each other, leave by themselves, and each keeps a record of its own.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::dial_out::{CALLER, acme, sdp};
use super::*;
use crate::bridge::{Digit, DigitSource, Group, PlayItem, RtpStats};
use crate::record::Outcome;
use crate::views::CallState;

/// 8NNNN is a room for three each; `#` leaves it, and after a silence of five seconds the call ends.
const PLAN: &str = "name = 'rooms'\nnumbers = ['8NNNN']\n[[level]]\nname = 'room'\n[[level.rule]]\n\
    module = 'conference'\nin = { room = { cel = 'call.digits' }, leave = '#', most = 3 }\n[[level]]\nname = 'after'\n\
    [[level.rule]]\nmodule = 'silence'\nin = { max_s = 5 }\n[[level]]\nname = 'end'\n[[level.rule]]\nmodule = 'hangup'\n";
/// Run in every test; `RELAIS_RUNS` says another number.
const WALKS: u64 = 200;
const STEPS: u32 = 40;
const MOST: usize = 3;

/// One who has dialled a room.
struct Caller {
    number: u32,
    dials: &'static str,
    tag: String,
    cseq: u32,
    holds: bool,
}

struct Scene {
    bench: Bench,
    callers: Vec<Caller>,
    dialled: u32,
}

impl Scene {
    fn new() -> Scene {
        let mut bench = Bench::with_plan(acme(), PLAN);
        let ports = (50..80).map(|n| MediaPort(SocketAddr::from(([127, 0, 0, 1], 30_000 + 2 * n)))).collect();
        bench.input(Input::Media(MediaEvent::Ports(ports)));
        Scene { bench, callers: Vec::new(), dialled: 0 }
    }

    fn message(caller: &Caller, method: &str, body: &str) -> Message {
        let Caller { number, dials, tag, cseq, .. } = caller;
        let to = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
        let text = format!(
            "{method} sip:{dials}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bK{method}{number}x{cseq}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{number}@example.com>;tag=c{number}\r\nTo: <sip:{dials}@127.0.0.1>{to}\r\n\
             Call-ID: c{number}\r\nCSeq: {cseq} {method}\r\nContact: <sip:c@{CALLER}>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    /// Somebody dials; their number.
    fn dial(&mut self, dials: &'static str) -> u32 {
        self.dialled += 1;
        let number = self.dialled;
        let mut caller = Caller { number, dials, tag: String::new(), cseq: 1, holds: false };
        self.bench.receive(CALLER, Scene::message(&caller, "INVITE", &sdp(4_000, "sendrecv")));
        caller.tag = self.bench.told().1;
        self.bench.receive(CALLER, Scene::message(&caller, "ACK", ""));
        self.callers.push(caller);
        number
    }

    fn hangs_up(&mut self, number: u32) {
        let at = self.callers.iter().position(|caller| caller.number == number).unwrap();
        let mut caller = self.callers.remove(at);
        caller.cseq += 1;
        self.bench.receive(CALLER, Scene::message(&caller, "BYE", ""));
    }

    fn holds(&mut self, number: u32, holds: bool) {
        let caller = self.callers.iter_mut().find(|caller| caller.number == number).unwrap();
        caller.cseq += 1;
        caller.holds = holds;
        let offer = sdp(4_000, if holds { "sendonly" } else { "sendrecv" });
        let (invite, ack) = (Scene::message(caller, "INVITE", &offer), Scene::message(caller, "ACK", ""));
        self.bench.receive(CALLER, invite);
        self.bench.receive(CALLER, ack);
    }

    fn presses(&mut self, number: u32, key: char) {
        let Some(leg) = self.leg(number) else { return };
        let event = MediaEvent::Digit { leg, digit: Digit::new(key).unwrap(), source: DigitSource::TelephoneEvent };
        self.bench.input(Input::Media(event));
    }

    fn call(&self, number: u32) -> Option<&Live> {
        let from = number.to_string();
        self.bench.engine.calls.values().map(Box::as_ref).find(|live| live.call.from == from)
    }

    fn leg(&self, number: u32) -> Option<LegId> {
        self.call(number).map(|live| live.call.caller)
    }

    /// What a caller hears: the numbers of others, `music`, or nothing.
    fn ear(&self, number: u32) -> String {
        let of = self.leg(number).unwrap();
        let (mut heard, mut play) = (Vec::new(), "");
        for command in &self.bench.media {
            match command {
                MediaCommand::Hear { leg, sources } if *leg == of => heard = sources.to_vec(),
                MediaCommand::Play { leg, repeat: true, .. } if *leg == of => play = "music",
                MediaCommand::StopPlay { leg, .. } if *leg == of => play = "",
                _ => {}
            }
        }
        let name = |leg: &LegId| {
            let caller = self.callers.iter().find(|caller| self.leg(caller.number) == Some(*leg));
            caller.map_or_else(|| format!("leg {leg}"), |caller| caller.number.to_string())
        };
        let names: BTreeSet<String> = heard.iter().map(name).collect();
        names.into_iter().chain((!play.is_empty()).then(|| play.to_owned())).collect::<Vec<_>>().join("+")
    }

    fn ears(&self) -> String {
        let ear = |caller: &Caller| format!("{}:{}", caller.number, self.ear(caller.number));
        self.callers.iter().map(ear).collect::<Vec<_>>().join(" ")
    }

    /// In whose company the media threads have each leg that is open.
    fn groups(&self) -> BTreeMap<LegId, Group> {
        let mut groups = BTreeMap::new();
        for command in &self.bench.media {
            match command {
                MediaCommand::Open { leg, call, .. } => drop(groups.insert(*leg, Group::Call(*call))),
                MediaCommand::Move { leg, group } => drop(groups.insert(*leg, *group)),
                MediaCommand::Close { leg } => drop(groups.remove(leg)),
                _ => {}
            }
        }
        groups
    }

    /// To which legs these tones were sounded since the last look.
    fn signalled(&mut self, hz: [u16; 2]) -> Vec<LegId> {
        let tones = |items: &[PlayItem]| {
            let hz = |item: &PlayItem| match item {
                PlayItem::Tone { frequencies_hz: [hz, 0], .. } => Some(*hz),
                _ => None,
            };
            items.iter().filter_map(hz).collect::<Vec<_>>()
        };
        let legs = self.bench.media.iter().filter_map(|command| match command {
            MediaCommand::MixIn { leg, items, repeat: false, .. } if tones(items) == hz => Some(*leg),
            _ => None,
        });
        let legs = legs.collect();
        self.bench.media.retain(|command| !matches!(command, MediaCommand::MixIn { .. }));
        legs
    }

    fn legs(&self, numbers: &[u32]) -> Vec<LegId> {
        numbers.iter().filter_map(|number| self.leg(*number)).collect()
    }
}

#[test]
fn callers_meet_and_each_leaves_by_themselves() {
    let mut scene = Scene::new();
    let first = scene.dial("80017");
    assert_eq!(scene.ears(), "1:music");
    assert_eq!(scene.call(first).unwrap().view().state, CallState::Ivr);
    scene.bench.wait(seconds(10.0));
    let second = scene.dial("80017");
    assert_eq!(scene.ears(), "1:2 2:1");
    assert_eq!(scene.signalled([620, 825]), scene.legs(&[1, 2]));
    scene.bench.wait(seconds(4.0));
    scene.bench.restore();
    let third = scene.dial("80017");
    let other = scene.dial("80018");
    assert_eq!(scene.ears(), "1:2+3 2:1+3 3:1+2 4:music");
    assert_eq!(scene.call(third).unwrap().view().state, CallState::Conference);
    let groups = scene.groups();
    let together = scene.legs(&[1, 2, 3]).into_iter().map(|leg| groups[&leg]).collect::<BTreeSet<_>>();
    assert_eq!(together.len(), 1);
    assert!(!together.contains(&groups[&scene.leg(other).unwrap()]));
    scene.bench.wait(seconds(2.0));
    scene.signalled([0, 0]);
    scene.presses(second, '5');
    scene.presses(second, '#');
    assert_eq!(scene.ears(), "1:3 2: 3:1 4:music");
    assert_eq!(scene.signalled([825, 620]), scene.legs(&[1, 3]));
    let call = scene.call(second).unwrap().call.id;
    assert_eq!(scene.groups()[&scene.leg(second).unwrap()], Group::Call(call), "their leg is their own call's again");
    scene.bench.wait(seconds(1.0));
    scene.hangs_up(first);
    assert_eq!(scene.ears(), "2: 3:music 4:music");
    let record = scene.bench.record();
    assert_eq!((record.outcome, record.legs[0].conference_ms), (Some(Outcome::SelfService), 7_000), "not while alone");
    assert_eq!((record.talk_ms, record.path[0].module.as_str()), (None, "conference"));
    scene.bench.wait(seconds(5.0));
    let record = scene.bench.record();
    assert_eq!((record.path[0].result.as_deref(), record.legs[0].conference_ms), (Some("left"), 6_000));
    scene.callers.retain(|caller| caller.number != second);
    scene.hangs_up(third);
    scene.hangs_up(other);
    scene.bench.wait(seconds(40.0));
    let counts = scene.bench.engine.counts();
    assert_eq!((counts.calls, counts.legs, counts.sessions, counts.rooms), (0, 0, 0, 0));
}

#[test]
fn a_full_room_is_told_to_the_plan() {
    let mut scene = Scene::new();
    let inside = [(); MOST].map(|()| scene.dial("80001"));
    let late = scene.dial("80001");
    assert_eq!(scene.ears(), "1:2+3 2:1+3 3:1+2 4:");
    let group = scene.groups()[&scene.leg(late).unwrap()];
    assert_eq!(group, Group::Call(scene.call(late).unwrap().call.id));
    scene.hangs_up(late);
    let record = scene.bench.record();
    assert_eq!(record.path[0].result.as_deref(), Some("full"));
    assert_eq!((record.outcome, record.legs[0].conference_ms), (Some(Outcome::Abandoned), 0));
    scene.hangs_up(inside[1]);
    let fifth = scene.dial("80001");
    assert_eq!(scene.ear(fifth), "1+3", "there is room again");
}

#[test]
fn who_holds_is_not_heard_and_hold_is_counted_as_such() {
    let mut scene = Scene::new();
    let (first, second) = (scene.dial("80001"), scene.dial("80001"));
    scene.bench.wait(seconds(3.0));
    scene.holds(second, true);
    assert_eq!(scene.ears(), "1:music 2:1");
    scene.bench.wait(seconds(2.0));
    scene.holds(second, false);
    assert_eq!(scene.ears(), "1:2 2:1");
    scene.bench.wait(seconds(1.0));
    scene.hangs_up(second);
    let record = scene.bench.record();
    assert_eq!((record.legs[0].conference_ms, record.legs[0].hold_ms), (4_000, 2_000));
    scene.hangs_up(first);
    assert_eq!(scene.bench.record().legs[0].conference_ms, 6_000);
}

#[test]
fn a_leg_that_dies_leaves_the_room() {
    let mut scene = Scene::new();
    let (first, second) = (scene.dial("80001"), scene.dial("80001"));
    let leg = scene.leg(first).unwrap();
    scene.bench.input(Input::Media(MediaEvent::Dead { leg }));
    scene.callers.retain(|caller| caller.number != first);
    assert_eq!(scene.ear(second), "music");
    assert!(scene.bench.media.contains(&MediaCommand::Close { leg }));
}

/// After every step: who is in a room hears all the others of it who do not hold, and nobody else; nobody hears who is in
/// another group.
fn check(scene: &Scene) -> Result<(), String> {
    let groups = scene.groups();
    let mut rooms: BTreeMap<&str, Vec<&Caller>> = BTreeMap::new();
    for caller in &scene.callers {
        let Some(live) = scene.call(caller.number) else { continue };
        if let Some(seat) = live.call.seat() {
            rooms.entry(seat.room.as_str()).or_default().push(caller);
        } else if live.call.ending.is_none() {
            let (ear, group) = (scene.ear(caller.number), groups.get(&live.call.caller));
            if !ear.is_empty() || group != Some(&Group::Call(live.call.id)) {
                return Err(format!("{} is in no room, hears '{ear}' and is in {group:?}", caller.number));
            }
        }
    }
    if rooms.len() != scene.bench.engine.counts().rooms {
        return Err(format!(
            "{} rooms are known, and somebody is in {}",
            scene.bench.engine.counts().rooms,
            rooms.len()
        ));
    }
    for (room, there) in rooms {
        if there.len() > MOST {
            return Err(format!("{} are in room {room}", there.len()));
        }
        for caller in &there {
            let others = there.iter().filter(|other| other.number != caller.number && !other.holds);
            let truth: BTreeSet<String> = others.map(|other| other.number.to_string()).collect();
            let truth = if truth.is_empty() { "music".to_owned() } else { Vec::from_iter(truth).join("+") };
            let heard = scene.ear(caller.number);
            if heard != truth {
                return Err(format!("{} in room {room} hears {heard} and should hear {truth}", caller.number));
            }
        }
        let legs = there.iter().filter_map(|caller| scene.leg(caller.number));
        let together: BTreeSet<Option<Group>> = legs.map(|leg| groups.get(&leg).copied()).collect();
        if together.len() != 1 || !matches!(together.first(), Some(Some(Group::Room(_)))) {
            return Err(format!("those in room {room} are in {together:?}"));
        }
    }
    Ok(())
}

fn step(scene: &mut Scene, rng: &mut ChaCha12Rng) {
    let mut below = |n: usize| rng.next_u32() as usize % n.max(1);
    let at = below(scene.callers.len());
    let number = scene.callers.get(at).map(|caller| caller.number);
    match (below(12), number) {
        (0..=4, _) if scene.callers.len() < 9 => drop(scene.dial(["80001", "80002"][below(2)])),
        (5 | 6, Some(number)) => scene.hangs_up(number),
        (7, Some(number)) => scene.holds(number, below(2) == 0),
        (8, Some(number)) => scene.presses(number, ['#', '*', '1'][below(3)]),
        (9, Some(number)) => {
            if let Some(leg) = scene.leg(number) {
                scene.bench.input(Input::Media(MediaEvent::Dead { leg }));
            }
        }
        _ => scene.bench.wait(seconds([0.02, 1.0, 6.0][below(3)])),
    }
    settle(scene);
}

/// BYEs of ours are answered, and figures told of legs that are closed; who is gone is forgotten.
fn settle(scene: &mut Scene) {
    let byes: Vec<Request> = scene
        .bench
        .sent
        .drain(..)
        .filter_map(|(_, message)| match message {
            Message::Request(request) if request.method == Method::Bye => Some(request),
            _ => None,
        })
        .collect();
    byes.iter().for_each(|bye| scene.bench.respond(CALLER, bye, 200, &[]));
    let closed: Vec<LegId> = scene
        .bench
        .media
        .iter()
        .filter_map(|command| match command {
            MediaCommand::Close { leg } => Some(*leg),
            _ => None,
        })
        .filter(|leg| scene.bench.engine.legs.contains_key(leg))
        .collect();
    for leg in closed {
        scene.bench.input(Input::Media(MediaEvent::Closed { leg, stats: RtpStats::default() }));
    }
    let alive: BTreeSet<String> = scene.bench.engine.calls.values().map(|live| live.call.from.clone()).collect();
    scene.callers.retain(|caller| alive.contains(&caller.number.to_string()));
}

#[test]
fn whatever_callers_do_everybody_hears_those_in_the_same_room() {
    let walks = std::env::var("RELAIS_RUNS").ok().and_then(|walks| walks.parse().ok()).unwrap_or(WALKS);
    let one = std::env::var("RELAIS_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    for seed in one.map_or(0..walks, |seed| seed..seed + 1) {
        let (mut scene, mut rng) = (Scene::new(), ChaCha12Rng::seed_from_u64(seed));
        for at in 0..STEPS {
            step(&mut scene, &mut rng);
            if at % 8 == 0 {
                scene.bench.restore();
            }
            check(&scene).unwrap_or_else(|fault| panic!("seed {seed}, step {at}: {fault}\n{:?}", scene.bench.logs));
        }
        while let Some(caller) = scene.callers.first() {
            let number = caller.number;
            scene.hangs_up(number);
            settle(&mut scene);
        }
        scene.bench.wait(seconds(40.0));
        let counts = scene.bench.engine.counts();
        assert_eq!((counts.calls, counts.legs, counts.sessions, counts.rooms), (0, 0, 0, 0), "seed {seed}");
        assert_eq!(scene.bench.records.len(), scene.dialled as usize, "seed {seed}: a record each");
        for record in &scene.bench.records {
            let leg = &record.legs[0];
            let there = leg.left_at.zip(leg.joined_at).map(|(left, joined)| left.duration_since(joined).as_millis());
            let counted = i128::from(leg.conference_ms + leg.hold_ms);
            assert!(counted <= there.unwrap_or(0) + 2 && leg.talk_ms == 0, "seed {seed}: {leg:?}");
        }
    }
}
