//! What is no speech must not stop a prompt: coughs, a street, people far away.

use std::time::{Duration, Instant};

use super::audio::{cough, level_db, mixed, prompt, silence};
use super::calling::Telephones;
use super::figures::Share;
use super::line::Line;
use super::rtp::linear;
use super::{Arguments, demo, voices};

const CALLS: usize = 15;
/// A prompt that stops sooner than this before its end was stopped.
const SHORT: Duration = Duration::from_millis(200);

/// What is heard on a line, by seed.
type Sounds<'s> = &'s dyn Fn(u64) -> Vec<i16>;

/// Calls to the English bot in which nobody says a word.
pub fn measure(arguments: &Arguments) -> Result<(), String> {
    let appliance = demo();
    let telephones = Telephones::open(appliance.sip);
    let people = voices::piper_in_the_room(&PEOPLE)?;
    let greeting = prompt("en", "bot-greeting");
    let lasts = Duration::from_secs_f64(last_sound(&greeting) as f64 / 8_000.0);
    let heard_out = |line: &[i16], number: usize| {
        let call = telephones.dial(&format!("609{number:04}"), "602");
        call.answered();
        call.endpoint.speak(line);
        call.endpoint.await_audio();
        let began = Instant::now();
        std::thread::sleep(lasts + Duration::from_millis(400));
        let heard = linear(&call.endpoint.received(began.checked_sub(Duration::from_millis(100)).unwrap_or(began)));
        Duration::from_secs_f64(last_sound(&heard) as f64 / 8_000.0) + SHORT > lasts
    };
    let coughs = |seed: u64| [silence(0.8), cough(seed), silence(0.5), cough(seed + 1_000), silence(4.0)].concat();
    let behind = |line: Line, seed: u64| line.behind(40_000, &people, seed);
    let lines: [(&str, Sounds<'_>); 4] = [
        ("two coughs", &coughs),
        ("a cough in the street", &|seed| mixed(&coughs(seed), &behind(Line::Street, seed))),
        ("a street", &|seed| behind(Line::Street, seed)),
        ("people far away", &|seed| behind(Line::Babble, seed)),
    ];
    for (row, (name, line)) in lines.iter().enumerate() {
        let stopped =
            (0..CALLS).filter(|call| !heard_out(&line(arguments.seed * 100 + *call as u64), row * 100 + call)).count();
        println!("{name}: the prompt was stopped in {}", Share(stopped, CALLS));
    }
    Ok(())
}

/// The sample behind the last audible piece.
fn last_sound(pcm: &[i16]) -> usize {
    pcm.chunks(160).rposition(|piece| level_db(piece) > -50.0).map_or(0, |piece| (piece + 1) * 160)
}

const PEOPLE: [&str; 8] = [
    "Did you see the match last night?",
    "The bus was late again this morning.",
    "I think we should go there in the spring.",
    "Two coffees and a glass of water please.",
    "She told me about it on the telephone.",
    "They have painted the whole house blue.",
    "It was raining when we came out of the station.",
    "My brother works in the new building over there.",
];
