//! The shipped bot: thousands of conversations with random callers, recognisers that mishear and die, services that do not
//! answer. None may panic, none may hang: each ends, or a person takes over, within the bounds of the bot's file.
//! `RELAIS_SEED=n` plays one conversation and prints it; `RELAIS_RUNS=n` plays so many instead of 500.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use relais::bridge::Digit;
use relais::callbot::bot::Bot;
use relais::callbot::dialogue::{Action, Conversation, Dialogue, Ending, Event, Mind, Utterance};
use relais::callbot::understanding::{Understanding, Understood};
use relais::config::{Loaded, Overrides, load};
use relais::dialplan::driver::Minds;
use relais::ids::Language;
use relais::time::{Instant, Now};

const CONVERSATIONS: u64 = 500;

/// Far above what the bot's bounds allow.
const MOST_EVENTS: usize = 2_000;

fn demo() -> Loaded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/demo/relais.toml");
    load(&path, &Overrides::default()).expect("the demo's configuration is right")
}

/// The shipped bot with every sixth example: what it understands matters less here than what follows.
fn small_bot(loaded: &Loaded) -> Bot {
    let mut bot = loaded.bots.iter().find(|described| described.bot.name == "service-desk").expect("a bot").bot.clone();
    for examples in bot.examples.values_mut() {
        *examples = examples.iter().step_by(6).cloned().collect();
    }
    bot
}

struct Caller<'a> {
    rng: ChaCha8Rng,
    mind: Mind<'a>,
    texts: &'a BTreeMap<Language, Vec<String>>,
    dialogue: Dialogue,
    now: Now,
    saying: Option<u64>,
    asked: Option<u64>,
    listening: bool,
    recording_paused: bool,
    end: Option<(Ending, Conversation)>,
    ladder: Vec<String>,
}

impl Caller<'_> {
    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound.max(1)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pass(&mut self, time: Duration) {
        self.now.instant = self.now.instant + time;
        self.now.wall = self.now.wall.checked_add(jiff::SignedDuration::try_from(time).unwrap()).unwrap();
    }

    /// Something that a caller of any kind may say, as a recogniser of any kind may hear it.
    fn words(&mut self) -> String {
        let answers = [
            "yes",
            "no",
            "oui",
            "non",
            "네",
            "아니요",
            "one moment please",
            "un instant",
            "잠깐만요",
            "pardon",
            "agent",
            "conseiller",
            "상담원",
            "four seven one one two",
            "A 4 7 1 1 2",
            "quatre sept un un deux",
            "사칠일일이",
            "tomorrow",
            "on Tuesday at ten",
            "mardi à dix heures",
            "화요일 세 시",
            "half past two",
            "no thank you",
            "that's all",
            "4111 1111 1111 1111",
            "bullshit",
            "",
            " ",
            "uh",
            "99999999999999999999999999999999",
        ];
        let text = if self.chance(45) {
            answers[self.below(answers.len() as u64) as usize].to_owned()
        } else {
            let all = self.texts;
            let languages: Vec<&Language> = all.keys().collect();
            let language = if self.chance(80) {
                self.dialogue.language().clone()
            } else {
                languages[self.below(3) as usize].clone()
            };
            let texts = &all[&language];
            let at = self.below(texts.len() as u64) as usize;
            all[&language][at].clone()
        };
        if self.chance(40) { self.misheard(&text) } else { text }
    }

    /// Words dropped, doubled, exchanged, letters changed.
    fn misheard(&mut self, text: &str) -> String {
        let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        for _ in 0..=self.below(3) {
            let at = self.below(words.len() as u64) as usize;
            match self.below(4) {
                0 => drop(words.remove(at)),
                1 => words.insert(at, words[at].clone()),
                2 => words[at] = words[at].chars().rev().collect(),
                _ => words[at].push(char::from_u32(0x61 + self.below(26) as u32).unwrap_or('x')),
            }
            if words.is_empty() {
                break;
            }
        }
        words.join(" ")
    }

    fn event(&mut self) -> Event {
        if let Some(look_up) = self.asked
            && self.chance(70)
        {
            self.asked = None;
            let states = ["shipped", "preparing", "delivered", "unknown", "strange"];
            let state = states[self.below(5) as usize].to_owned();
            let fields =
                BTreeMap::from([("state".to_owned(), state), ("delivery_day".to_owned(), "2026-12-01".to_owned())]);
            self.pass(Duration::from_millis(200));
            return Event::LookedUp { look_up, fields: if self.chance(70) { Some(fields) } else { None } };
        }
        match self.below(100) {
            0..=44 => {
                self.pass(Duration::from_millis(500 + self.now.instant.0 % 2_000));
                let confidence = if self.chance(50) { None } else { Some(self.below(101) as f32 / 100.0) };
                Event::Heard(Utterance { text: self.words(), confidence, ..Utterance::default() })
            }
            45..=54 => Event::SpeechStarted,
            55..=64 => {
                let keys = "0123456789*#";
                let key = keys.chars().nth(self.below(12) as usize).unwrap();
                Event::Digit(Digit::new(key).unwrap())
            }
            65..=79 => match self.saying {
                Some(say) => {
                    self.pass(Duration::from_secs(2));
                    self.saying = None;
                    Event::Said(say)
                }
                None => Event::Said(self.below(100)),
            },
            80..=93 => {
                let at = self.dialogue.poll_timeout().expect("a dialogue that goes on has a deadline");
                self.pass(at.since(self.now.instant));
                Event::Timeout
            }
            94..=95 => Event::Recogniser { there: false },
            96..=97 => Event::Recogniser { there: true },
            98 => Event::LookedUp { look_up: self.below(5), fields: None },
            // A time-out that comes too early is none.
            _ => Event::Timeout,
        }
    }

    fn drain(&mut self) {
        while let Some(action) = self.dialogue.poll_action() {
            self.ladder.push(format!("          {action:?}"));
            assert!(self.end.is_none(), "nothing comes behind the end");
            match action {
                Action::Say { say, .. } => self.saying = Some(say),
                Action::StopSaying(say) => {
                    if self.saying == Some(say) {
                        self.saying = None;
                    }
                }
                Action::Listen { .. } => self.listening = true,
                Action::StopListening => self.listening = false,
                Action::LookUp { look_up, .. } => self.asked = Some(look_up),
                Action::PauseRecording(paused) => self.recording_paused = paused,
                Action::End { ending, packet } => self.end = Some((ending, *packet)),
            }
        }
    }
}

/// Plays one conversation to its end and judges it; `Err` says what is wrong with it.
fn play(mind: Mind<'_>, texts: &BTreeMap<Language, Vec<String>>, seed: u64, ladder: &mut Vec<String>) -> Ending {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let start = Now { instant: Instant(1_000_000_000), wall: "2026-11-28T10:00:00Z".parse().unwrap() };
    let languages: Vec<Language> = mind.bot.languages.clone();
    let language = languages[(rng.next_u64() % 3) as usize].clone();
    let there = rng.next_u64() % 10 != 0;
    let dialogue = Dialogue::start(mind, &language, there, start);
    let mut caller = Caller {
        rng,
        mind,
        texts,
        dialogue,
        now: start,
        saying: None,
        asked: None,
        listening: false,
        recording_paused: false,
        end: None,
        ladder: std::mem::take(ladder),
    };
    caller.drain();
    let mut events = 0;
    while caller.end.is_none() {
        events += 1;
        assert!(events < MOST_EVENTS, "the conversation does not end");
        let event = caller.event();
        let at = caller.now.instant.since(start.instant).as_secs_f32();
        caller.ladder.push(format!("{at:8.1} {event:?}"));
        caller.dialogue.handle(event, caller.mind, caller.now);
        caller.drain();
        // Restored from a snapshot it goes on as before.
        if events % 50 == 7 {
            let text = serde_json::to_string(&caller.dialogue).expect("a dialogue can be written down");
            caller.dialogue = serde_json::from_str(&text).expect("and read back");
        }
        let lasted = caller.now.instant.since(start.instant);
        let longest = mind.bot.times.longest + Duration::from_secs(200);
        assert!(lasted < longest, "the conversation has lasted {lasted:?}");
    }
    assert!(caller.dialogue.is_over() && caller.dialogue.poll_timeout().is_none());
    assert!(!caller.recording_paused, "the recording goes on after the end");
    let (ending, packet) = caller.end.take().expect("an end");
    match ending {
        Ending::HandOver(reason) => assert_eq!(packet.reason, Some(reason)),
        Ending::Served => assert_eq!(packet.reason, None),
    }
    let whole = serde_json::to_string(&packet).expect("a packet is JSON");
    assert!(!whole.contains("4111 1111 1111 1111"), "a card number stands in the packet: {whole}");
    *ladder = std::mem::take(&mut caller.ladder);
    ending
}

#[test]
fn thousands_of_conversations_end_within_bounds() {
    let loaded = demo();
    let bot = small_bot(&loaded);
    let understanding = Understanding::new(&bot, None, None);
    let mind = Mind { bot: &bot, understanding: &understanding, spoken: &loaded.plans.names().spoken };
    let texts: BTreeMap<Language, Vec<String>> = bot
        .examples
        .iter()
        .map(|(language, examples)| (language.clone(), examples.iter().map(|(text, _)| text.clone()).collect()))
        .collect();
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    if let Some(seed) = number("RELAIS_SEED") {
        let mut ladder = Vec::new();
        let ending = play(mind, &texts, seed, &mut ladder);
        println!("{}\n{ending:?}", ladder.join("\n"));
        return;
    }
    let mut endings: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..number("RELAIS_RUNS").unwrap_or(CONVERSATIONS) {
        let played =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| play(mind, &texts, seed, &mut Vec::new())));
        match played {
            Ok(ending) => *endings.entry(format!("{ending:?}")).or_default() += 1,
            Err(_) => panic!("conversation {seed} failed: RELAIS_SEED={seed} shows it"),
        }
    }
    println!("{endings:?}");
    let seen: BTreeSet<&str> = endings.keys().map(String::as_str).collect();
    for reason in
        ["Served", "HandOver(Misses)", "HandOver(Agent)", "HandOver(Key)", "HandOver(Anger)", "HandOver(Silence)"]
    {
        assert!(seen.contains(reason), "no conversation ended as {reason}: the callers are too tame: {endings:?}");
    }
}

/// Of the whole demo's bots, without the encoder, which not every machine has.
struct Demo<'l> {
    loaded: &'l Loaded,
    understanding: Understanding,
}

impl Minds for Demo<'_> {
    fn understand(&self, bot: &str, language: &Language, text: &str) -> Option<Understood> {
        let described = self.loaded.bots.iter().find(|described| described.bot.name == bot)?;
        Some(Understood::find(&self.understanding, &described.bot, language, text))
    }
}

#[test]
fn the_cases_of_the_demos_bots_hold() {
    let loaded = demo();
    let bot = loaded.bots.iter().find(|described| described.bot.name == "service-desk").expect("a bot");
    let minds = Demo { loaded: &loaded, understanding: Understanding::new(&bot.bot, None, None) };
    let mut cases = 0;
    for plan in loaded.plans.iter().filter(|plan| plan.id.as_str().starts_with("bot-")) {
        for case in plan.cases() {
            let scenario = case.scenario(&loaded.settings.language, None);
            let (_, misses) = case.run(&loaded.plans, &plan.id, &scenario, &minds);
            assert!(misses.is_empty(), "{}: {}: {misses:?}", case.file, case.name);
            cases += 1;
        }
    }
    assert!(cases >= 8, "{cases}");
}
