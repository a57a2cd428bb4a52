//! Callers: each says one sentence over the greeting and hears how long the answer takes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use serde_json::Value;

use super::appliance::Appliance;
use super::audio::{at_level, level_db, mixed, share, silence};
use super::calling::{Call, Telephones};
use super::eventually;
use super::line::{Line, VOICE_DB};
use super::rtp::{FRAME, Packet};
use super::sound;

/// Callers at once.
const AT_ONCE: usize = 2;
/// Longer is not waited for an answer.
const PATIENCE: Duration = Duration::from_secs(8);
/// A prompt that was heard so shortly before the end of speech has not been stopped by it.
const STILL: Duration = Duration::from_millis(100);
/// What is louder is to be heard, in dB below full scale.
const AUDIBLE: f64 = -50.0;
/// The voice's own softest part that counts as said, below `VOICE_DB`: as in `tests/endpoint.rs`.
const SOFTEST: f64 = 19.0;

/// What somebody is to say.
#[derive(Clone)]
pub struct Said {
    pub text: String,
    pub intent: String,
    pub voice: Vec<i16>,
}

/// How a call is led up to its sentence.
#[derive(Clone, Copy)]
pub struct Part<'p> {
    pub number: &'p str,
    /// Pressed first.
    pub key: Option<char>,
    pub line: Line,
    pub seed: u64,
}

/// What became of it.
pub struct Heard {
    pub said: Said,
    /// What the recogniser wrote, utterance by utterance.
    pub texts: Vec<String>,
    pub intent: String,
    /// The bot was not sure of it and asked.
    pub asked_back: bool,
    /// From the first voiced sample to the last one of the prompt; `None` where it went on to the end of speech.
    pub silenced: Option<Duration>,
    /// From the last voiced sample to the first one of the answer; `None` where none came in time, or sooner.
    pub answered: Option<Duration>,
}

/// How the demo's prompts begin by which the bot asks back.
const ASKS: &str = "bot-confirm-";

/// Every sentence in a call of its own.
pub fn speak(appliance: &Appliance, part: Part<'_>, sentences: &[Said]) -> Vec<Heard> {
    let telephones = Telephones::open(appliance.sip);
    let people: Vec<Vec<i16>> = sentences.iter().map(|said| said.voice.clone()).collect();
    let next = AtomicUsize::new(0);
    let one = || {
        let mut heard = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(said) = sentences.get(index) else { return heard };
            let from = format!("{}{index:04}", part.number);
            heard.push((from, converse(&telephones, part, index, said, &people)));
        }
    };
    let calls: Vec<(String, Heard)> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(one)).collect();
        callers.into_iter().flat_map(|caller| caller.join().expect("a caller")).collect()
    });
    appliance.await_quiet();
    let told = transcripts(appliance, part.number);
    let complete = calls.into_iter().map(|(from, mut heard)| {
        let said = told.iter().find(|(caller, _)| caller.contains(&from)).map(|(_, turns)| turns.clone());
        let Turns { caller, asked_back } = said.unwrap_or_default();
        heard.intent = caller.iter().rev().find_map(|turn| turn.1.clone()).unwrap_or_else(|| "none".to_owned());
        heard.texts = caller.into_iter().map(|turn| turn.0).collect();
        heard.asked_back = asked_back;
        heard
    });
    complete.collect()
}

/// What a caller said, and what it was taken for; whether the bot asked back.
#[derive(Clone, Default)]
struct Turns {
    caller: Vec<(String, Option<String>)>,
    asked_back: bool,
}

/// The last conversation of every caller whose address contains this.
fn transcripts(appliance: &Appliance, whose: &str) -> BTreeMap<String, Turns> {
    let records = eventually(Duration::from_secs(5), "the records", || Some(appliance.records()));
    let by_speech = |turn: &Value| turn["who"] == "caller" && turn["by"] == "speech";
    let turn = |turn: &Value| {
        let text = turn["text"].as_str().unwrap_or_default().to_owned();
        (text, turn["intent"][0].as_str().map(str::to_owned))
    };
    let turns = |record: Value| {
        let from = record["from"].as_str().filter(|from| from.contains(whose))?.to_owned();
        let said = record["conversations"].as_array()?.last()?["transcript"].as_array()?.clone();
        let caller = said.iter().filter(|turn| by_speech(turn)).map(turn).collect();
        let asked_back =
            said.iter().filter_map(|turn| turn["prompts"][0].as_str()).any(|first| first.starts_with(ASKS));
        Some((from, Turns { caller, asked_back }))
    };
    records.into_iter().filter_map(turns).collect()
}

fn converse(telephones: &Telephones, part: Part<'_>, index: usize, said: &Said, people: &[Vec<i16>]) -> Heard {
    let mut random = ChaCha8Rng::seed_from_u64(part.seed * 100_000 + index as u64);
    let call = telephones.dial(&format!("{}{index:04}", part.number), part.number);
    call.answered();
    call.endpoint.await_audio();
    if let Some(key) = part.key {
        std::thread::sleep(Duration::from_millis(400));
        call.endpoint.press(key);
        std::thread::sleep(Duration::from_millis(1_200));
    }
    let voice = at_level(&said.voice, VOICE_DB);
    let lead = silence(0.7 + 0.6 * share(&mut random));
    let clean = [lead, voice, silence(PATIENCE.as_secs_f64() + 2.0)].concat();
    // A line's noise is there before and behind the voice; nobody else says the same.
    let others: Vec<Vec<i16>> = people.iter().filter(|voice| **voice != said.voice).cloned().collect();
    let behind = part.line.behind(clean.len(), &others, part.seed * 1_000 + index as u64);
    let began = Instant::now();
    call.endpoint.speak(&mixed(&clean, &behind));
    let (first, last) = voiced(&clean);
    let sent = |frame: usize| {
        let patience = Duration::from_secs(60);
        eventually(patience, "what is said is sent", || call.endpoint.sent(began).get(frame).map(|sent| sent.0))
    };
    let (from, to) = (sent(first), sent(last) + Duration::from_millis(20));
    let answered = answer(&call, to);
    // What it was taken for is known when the answer is heard.
    std::thread::sleep(Duration::from_millis(100));
    let heard = call.endpoint.received(began);
    Heard {
        said: said.clone(),
        texts: Vec::new(),
        intent: String::new(),
        asked_back: false,
        silenced: silenced(&heard, from, to),
        answered,
    }
}

/// The frames in which the voice begins and ends.
fn voiced(clean: &[i16]) -> (usize, usize) {
    let frames = clean.chunks(FRAME).map(|frame| level_db(frame) > VOICE_DB - SOFTEST);
    let voiced: Vec<usize> = frames.enumerate().filter_map(|(index, voiced)| voiced.then_some(index)).collect();
    (voiced.first().copied().unwrap_or(0), voiced.last().copied().unwrap_or(0))
}

fn is_audible(packet: &Packet) -> bool {
    let pcm: Vec<i16> = packet.payload.iter().map(|octet| sound::decode(*octet)).collect();
    level_db(&pcm) > AUDIBLE
}

/// How long after `to` something is heard again; `None` where something was heard then.
fn answer(call: &Call<'_>, to: Instant) -> Option<Duration> {
    loop {
        let heard = call.endpoint.received(to);
        if let Some(first) = heard.iter().find(|packet| is_audible(packet)) {
            let before = call.endpoint.received(to.checked_sub(STILL)?);
            let talks_on = before.iter().any(|packet| packet.at < to && is_audible(packet));
            return (!talks_on).then(|| first.at - to);
        }
        if to.elapsed() > PATIENCE {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How long after `from` the prompt that was heard then was heard last.
fn silenced(heard: &[Packet], from: Instant, to: Instant) -> Option<Duration> {
    let audible = || heard.iter().filter(|packet| is_audible(packet));
    audible().rfind(|packet| packet.at <= from)?;
    let last = audible().rfind(|packet| packet.at <= to)?;
    let goes_on = to.saturating_duration_since(last.at) < STILL;
    (!goes_on).then(|| last.at.saturating_duration_since(from))
}
