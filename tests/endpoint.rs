//! The end-pointer on voices of the stock prompts as the telephone carries them, in noise, and on what is no voice.

#[path = "support/audio.rs"]
mod audio;

use std::path::Path;
use std::time::Duration;

use audio::{at_level, cough, key, level_db, mixed, noise, prompt, share, silence, street, telephone};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use relais::audio::{EndPointer, Turn};

const END: Duration = Duration::from_millis(600);
/// Of babble, as in a hall of people: the voice of one who stands near is a voice.
const VOICES: usize = 30;
/// In ms.
const NEVER: i64 = i64::MAX / 2;

#[derive(Clone, Copy, Debug)]
struct Utterance {
    /// When it was noticed, when it began by what was said then, and when it was over; ms.
    noticed: i64,
    began: i64,
    ended: i64,
    voiced: i64,
}

/// What the end-pointer finds, with `played` the audio that the speaker hears meanwhile.
fn utterances_of(pcm: &[i16], played: &[i16]) -> Vec<Utterance> {
    let mut pointer = EndPointer::new(audio::RATE_HZ, END, Duration::from_secs(15));
    let mut found = Vec::new();
    let mut begun = None;
    let played = played.chunks(160).map(Some).chain(std::iter::repeat(None));
    for (index, (piece, played)) in pcm.chunks(160).zip(played).enumerate() {
        let now = (index as i64 + 1) * 20;
        match pointer.hear(piece, played.map_or(0.0, relais::audio::level)) {
            Some(Turn::Began { ago }) => begun = Some((now, now - ago.as_millis() as i64)),
            Some(Turn::Ended { voiced, .. }) => {
                let (noticed, began) = begun.take().expect("it began");
                found.push(Utterance { noticed, began, ended: now, voiced: voiced.as_millis() as i64 });
            }
            None => {}
        }
    }
    // One that goes on when the audio is over has no end in time.
    found.extend(begun.map(|(noticed, began)| Utterance { noticed, began, ended: NEVER, voiced: 0 }));
    found
}

fn utterances(pcm: &[i16]) -> Vec<Utterance> {
    utterances_of(pcm, &[])
}

/// Where the voice itself starts and ends, by level; ms.
fn loud_part(pcm: &[i16]) -> (i64, i64) {
    let loud = |piece: &&[i16]| level_db(piece) > -42.0;
    let first = pcm.chunks(160).position(|piece| loud(&piece)).expect("a voice");
    let last = pcm.chunks(160).rposition(|piece| loud(&piece)).expect("a voice");
    (first as i64 * 20, (last as i64 + 1) * 20)
}

fn surrounded(pcm: &[i16]) -> Vec<i16> {
    telephone(&[silence(1.0), pcm.to_vec(), silence(1.2)].concat())
}

/// Prompts that are one sentence: no pause in them is as long as between sentences.
fn sentences() -> Vec<(String, Vec<i16>)> {
    let mut found = Vec::new();
    for language in ["en", "fr"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts").join(language);
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .expect("the stock prompts")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".flac").map(str::to_owned))
            .collect();
        names.sort();
        for name in names.into_iter().filter(|name| !name.contains("bench")) {
            let pcm = at_level(&prompt(language, &name), -23.0);
            let quiet = |piece: &[i16]| level_db(piece) < -45.0;
            let mut run = 0;
            let longest = pcm
                .chunks(160)
                .map(|piece| {
                    if quiet(piece) {
                        run += 1;
                        run
                    } else {
                        run = 0;
                        0
                    }
                })
                .max();
            if longest.unwrap_or(0) < 15 && pcm.len() > 8_000 {
                found.push((format!("{language}/{name}"), pcm));
            }
        }
    }
    assert!(found.len() >= 30, "{} sentences", found.len());
    found
}

/// How many of the sentences are found as one utterance, noticed and ended in time. In noise a soft beginning is not heard.
fn share_found(within_ms: i64, change: impl Fn(&[i16], u64) -> Vec<i16>) -> f64 {
    let sentences = sentences();
    let mut missed = Vec::new();
    let mut late = Vec::new();
    for (index, (name, pcm)) in sentences.iter().enumerate() {
        let line = change(&surrounded(pcm), index as u64);
        let (first, last) = loud_part(&surrounded(pcm));
        let found = utterances(&line);
        late.extend(found.first().map(|utterance| utterance.noticed - first));
        let fine = match found.as_slice() {
            [one] => one.noticed - first <= within_ms && one.ended - last <= 900 && one.began <= one.noticed,
            _ => false,
        };
        if !fine {
            missed.push(format!("{name}: voice from {first} to {last}, found {found:?}"));
        }
    }
    late.sort_unstable();
    println!("noticed after ms: median {:?}, p95 {:?}", late.get(late.len() / 2), late.get(late.len() * 95 / 100));
    println!("{} of {} missed\n{}", missed.len(), sentences.len(), missed.join("\n"));
    1.0 - missed.len() as f64 / sentences.len() as f64
}

#[test]
fn sentences_on_a_clean_line_are_found_whole() {
    let share = share_found(300, |line, _| line.to_vec());
    assert!(share >= 0.95, "{share}");
}

#[test]
fn sentences_in_white_noise_at_15_db_are_found() {
    let share = share_found(400, |line, seed| mixed(line, &noise(20.0, -38.0, seed)));
    assert!(share >= 0.9, "{share}");
}

/// Many people at once, 15 dB below one who stands near.
fn babble() -> Vec<i16> {
    let sentences = sentences();
    let apart = sentences.len() / VOICES;
    let voices: Vec<Vec<i16>> = sentences.into_iter().step_by(apart).take(VOICES).map(|(_, pcm)| pcm).collect();
    let longest = voices.iter().map(Vec::len).max().unwrap_or(0);
    let all = voices.iter().fold(vec![0; longest * 2], |sum: Vec<i16>, voice| mixed(&sum, &at_level(voice, -40.0)));
    at_level(&all, -38.0)
}

/// Few of them: their voices come through one by one.
fn a_few(voices: &[Vec<i16>], seed: u64) -> Vec<i16> {
    let place = |person: usize| (seed as usize * 7 + person * 11) % voices.len();
    let person = |person: usize| -> Vec<i16> {
        let said = (0..4).flat_map(|turn| [at_level(&voices[place(person + turn * 5)], -40.0), silence(0.3)].concat());
        said.skip(person * 3_000).collect()
    };
    at_level(&(0..7).fold(vec![0; 96_000], |room: Vec<i16>, one| mixed(&room, &person(one))), -38.0)
}

#[test]
fn sentences_in_babble_at_15_db_are_found() {
    let babble = babble();
    let share = share_found(400, |line, _| mixed(line, &babble));
    assert!(share >= 0.85, "{share}");
}

/// How long after the voice its end is seen, ms: the median of the sentences, and of the worst twentieth the best.
fn ends_late(change: impl Fn(&[i16], u64) -> Vec<i16>) -> (i64, i64) {
    let sentences = sentences();
    let late = sentences.iter().enumerate().filter_map(|(index, (_, pcm))| {
        let line = surrounded(pcm);
        let last = loud_part(&line).1;
        // The noise goes on.
        let line = change(&[line, silence(4.0)].concat(), index as u64);
        // One that was cut by a pause has its end elsewhere.
        utterances(&line).iter().map(|utterance| utterance.ended - last).find(|late| *late > 0)
    });
    let mut late: Vec<i64> = late.collect();
    late.sort_unstable();
    println!(
        "its end is seen after ms: median {:?}, p95 {:?}",
        late.get(late.len() / 2),
        late.get(late.len() * 95 / 100)
    );
    let at = |percent: usize| late.get(late.len() * percent / 100).copied().unwrap_or(NEVER);
    (at(50), at(95))
}

#[test]
fn the_end_of_speech_is_seen_in_noise_as_soon_as_without() {
    let voices: Vec<Vec<i16>> = sentences().into_iter().map(|(_, pcm)| pcm).collect();
    let clean = ends_late(|line, _| line.to_vec());
    let street = ends_late(|line, seed| mixed(line, &at_level(&street(line.len(), seed), -38.0)));
    let people = ends_late(|line, seed| mixed(line, &a_few(&voices, seed)));
    assert!(clean.1 <= 700, "on a clean line {clean:?}");
    assert!(street.1 <= 800, "in a street {street:?}");
    // Now and then one of a few comes through as loud as whoever has just ended.
    assert!(people.0 <= 700, "among people {people:?}");
}

/// How long after its start speech is noticed while the greeting is played, ms: the best of the worst twentieth.
fn noticed_late(behind: impl Fn(usize, u64) -> Vec<i16>) -> i64 {
    let greeting = at_level(&prompt("en", "bot-greeting"), -20.0);
    let mut late: Vec<i64> = Vec::new();
    for (index, (_, pcm)) in sentences().into_iter().enumerate() {
        // Anywhere in it.
        let clean = [silence(0.5 + 0.04 * index as f64), pcm, silence(1.2)].concat();
        let (first, _) = loud_part(&telephone(&clean));
        let line = telephone(&mixed(&clean, &behind(clean.len(), index as u64)));
        // Not at all, or before there was anything, is as bad.
        let noticed = utterances_of(&line, &greeting).first().map(|utterance| utterance.noticed - first);
        late.push(noticed.filter(|late| *late > 0).unwrap_or(NEVER));
    }
    late.sort_unstable();
    let p95 = late[late.len() * 95 / 100];
    println!("noticed after ms: median {}, p95 {p95}, worst {:?}", late[late.len() / 2], late.last());
    p95
}

#[test]
fn speech_over_a_prompt_is_noticed_within_200_ms_of_its_start() {
    let p95 = noticed_late(|samples, _| vec![0; samples]);
    assert!(p95 <= 200, "p95 {p95} ms");
}

#[test]
fn speech_over_a_prompt_is_noticed_within_200_ms_in_noise_too() {
    let babble = babble();
    let white = noticed_late(|samples, seed| noise(samples as f64 / 8_000.0, -38.0, seed));
    let street = noticed_late(|samples, seed| at_level(&street(samples, seed), -38.0));
    let people = noticed_late(|samples, _| mixed(&vec![0; samples], &babble));
    assert!(white <= 200 && street <= 200 && people <= 200, "p95 {white}, {street} and {people} ms");
}

#[test]
fn what_is_no_voice_is_no_utterance() {
    let line = |pieces: &[Vec<i16>]| telephone(&pieces.concat());
    let coughs: usize = (0..20)
        .map(|seed| {
            let found = utterances(&line(&[silence(1.0), cough(seed), silence(1.5)]));
            found.iter().filter(|utterance| utterance.voiced >= 160).count()
        })
        .sum();
    assert!(coughs <= 1, "{coughs} of 20 coughs were taken for speech");
    for event in 0..16 {
        let keys = line(&[silence(0.5), key(event, 0.12), silence(0.1), key(event, 0.4), silence(1.0)]);
        assert!(utterances(&keys).is_empty(), "key {event}: {:?}", utterances(&keys));
    }
    for (what, pcm) in [
        ("noise at -35 dB", noise(10.0, -35.0, 1)),
        ("noise at -25 dB", noise(10.0, -25.0, 2)),
        ("noise that comes and goes", [noise(1.0, -60.0, 3), noise(2.0, -30.0, 4), noise(2.0, -60.0, 5)].concat()),
        ("silence with an offset", vec![900; 40_000]),
    ] {
        assert!(utterances(&line(std::slice::from_ref(&pcm))).is_empty(), "{what}");
    }
}

/// A burst of noise that rings in the throat at one frequency, twice.
fn ringing_cough(seed: u64) -> Vec<i16> {
    let (hz, bandwidth_hz) = (250.0 + 70.0 * (seed % 10) as f64, 150.0);
    let burst = |seconds: f64, seed: u64| {
        let keeps = (-std::f64::consts::PI * bandwidth_hz / 8_000.0).exp();
        let turns = 2.0 * keeps * (std::f64::consts::TAU * hz / 8_000.0).cos();
        let (mut last, mut before) = (0.0, 0.0);
        let rung = noise(seconds, -30.0, seed).into_iter().enumerate().map(|(at, sample)| {
            let rings = f64::from(sample) + turns * last - keeps * keeps * before;
            (last, before) = (rings, last);
            let time = at as f64 / 8_000.0;
            ((0.7 * rings + 0.3 * f64::from(sample)) * (-time / seconds * 3.5).exp() * (time / 0.005).min(1.0)) as i16
        });
        at_level(&rung.collect::<Vec<_>>(), -18.0)
    };
    let seconds = 0.15 + 0.03 * (seed % 8) as f64;
    [silence(0.8), burst(seconds, seed), silence(0.12), burst(seconds * 0.8, seed + 500), silence(1.5)].concat()
}

#[test]
fn a_cough_that_rings_is_seldom_speech() {
    let taken = |behind: &dyn Fn(usize, u64) -> Vec<i16>| {
        let found = |seed: u64| {
            let cough = ringing_cough(seed);
            utterances(&telephone(&mixed(&cough, &behind(cough.len(), seed))))
        };
        (0..80).filter(|seed| !found(*seed).is_empty()).count()
    };
    let clean = taken(&|samples, _| vec![0; samples]);
    let outside = taken(&|samples, seed| at_level(&street(samples, seed), -38.0));
    println!("{clean} of 80 on a clean line, {outside} in a street");
    assert!(clean <= 8 && outside <= 4, "{clean} of 80, in a street {outside}");
}

#[test]
fn hold_music_from_another_line_is_mostly_no_voice() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts/music/default.flac");
    let music = telephone(&[at_level(&audio::read(&path), -23.0), silence(1.0)].concat());
    let voiced: i64 = utterances(&music).iter().map(|utterance| utterance.voiced).sum();
    let share = voiced as f64 / (music.len() as f64 / 8.0);
    println!("{:.1} % of the music is taken for voice", share * 100.0);
    assert!(share < 0.1, "{share}");
}

#[test]
fn a_prompts_echo_is_no_speech_and_a_caller_over_it_is() {
    let played = at_level(&prompt("en", "menu"), -20.0);
    let played = [silence(0.5), played].concat();
    // 20 dB weaker and 120 ms later.
    let echo = [silence(0.12), at_level(&played, level_db(&played) - 20.0)].concat();
    let line = telephone(&[echo.clone(), silence(1.0)].concat());
    assert!(utterances_of(&line, &played).is_empty(), "{:?}", utterances_of(&line, &played));
    let mut over = echo;
    over.resize(played.len().max(48_000), 0);
    let caller = [silence(2.0), at_level(&prompt("en", "goodbye"), -20.0)].concat();
    let line = telephone(&[mixed(&over, &[caller, silence(20.0)].concat()), silence(1.5)].concat());
    let found = utterances_of(&line, &played);
    assert!(found.first().is_some_and(|first| (2_000..2_400).contains(&first.noticed)), "{found:?}");
}

#[test]
fn no_echo_of_any_prompt_is_speech_however_loud_and_late_it_comes_back() {
    for name in ["menu", "bot-keypad", "bot-greeting", "bot-breakdown", "hours"] {
        let played = [silence(0.3), at_level(&prompt("en", name), -20.0), silence(0.8)].concat();
        let played = [played.clone(), played].concat();
        for (loss, delay) in [(14.0, 0.06), (20.0, 0.3), (30.0, 0.02)] {
            let echo = [silence(delay), at_level(&played, level_db(&played) - loss)].concat();
            let found = utterances_of(&telephone(&echo), &played);
            assert!(found.is_empty(), "{name}, {loss} dB weaker, {delay} s later: {found:?}");
        }
    }
}

/// What a loudspeaker and the walls about it make of a sound: a path a few ms long each, and weaker with time.
fn in_a_room(played: &[i16], seed: u64) -> Vec<i16> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let paths = (0..40).map(|path| (path as f64 * 0.007 + 0.003 * share(&mut random), share(&mut random)));
    paths.fold(vec![0; played.len()], |room, (delay, gain)| {
        let level = level_db(played) - 20.0 * delay / 0.1 - 10.0 * gain;
        mixed(&room, &[silence(delay), at_level(played, level), silence(1.0)].concat())
    })
}

#[test]
fn no_echo_of_a_room_is_speech_nor_in_a_street() {
    for (seed, name) in ["menu", "bot-keypad", "bot-greeting", "bot-breakdown", "hours"].into_iter().enumerate() {
        let played = [silence(0.3), at_level(&prompt("en", name), -20.0), silence(0.8)].concat();
        let played = [played.clone(), played].concat();
        for loss in [15.0, 20.0, 30.0] {
            let echo = at_level(&in_a_room(&played, seed as u64), level_db(&played) - loss);
            let found = utterances_of(&telephone(&echo), &played);
            assert!(found.is_empty(), "{name}, {loss} dB weaker: {found:?}");
            let outside = at_level(&street(echo.len(), seed as u64), -38.0);
            let found = utterances_of(&telephone(&mixed(&echo, &outside)), &played);
            assert!(found.is_empty(), "{name}, {loss} dB weaker in a street: {found:?}");
        }
    }
}

#[test]
fn a_few_people_far_away_are_seldom_taken_for_the_caller() {
    let voices: Vec<Vec<i16>> = sentences().into_iter().map(|(_, pcm)| pcm).collect();
    let taken = (0..60).filter(|seed| !utterances(&telephone(&a_few(&voices, *seed))).is_empty()).count();
    println!("{taken} of 60 rooms");
    assert!(taken <= 12, "{taken} of 60 rooms");
}

#[test]
fn on_a_line_without_echo_a_soft_voice_stops_a_loud_prompt() {
    let played = [at_level(&prompt("en", "bot-keypad"), -20.0), silence(2.0)].concat();
    let voice = at_level(&prompt("en", "goodbye"), -33.0);
    let caller = [silence(1.5), voice, silence(20.0)].concat();
    let line = telephone(&caller[..played.len().min(caller.len())]);
    let found = utterances_of(&line, &played);
    assert!(found.first().is_some_and(|first| (1_500..1_900).contains(&first.noticed)), "{found:?}");
}

#[test]
fn a_monologue_is_cut_where_the_longest_utterance_ends() {
    let sentence = at_level(&prompt("en", "greeting"), -23.0);
    let line = telephone(&[silence(0.5), sentence.repeat(12)].concat());
    let mut pointer = EndPointer::new(audio::RATE_HZ, Duration::from_secs(2), Duration::from_secs(5));
    let ends: Vec<(i64, bool)> = line
        .chunks(160)
        .enumerate()
        .filter_map(|(at, piece)| match pointer.hear(piece, 0.0)? {
            Turn::Ended { cut, .. } => Some((at as i64 * 20, cut)),
            Turn::Began { .. } => None,
        })
        .collect();
    let (first, cut) = *ends.first().expect("an end");
    assert!(cut && (5_300..5_900).contains(&first), "{ends:?}");
}

#[test]
fn audio_at_16_khz_is_judged_alike() {
    let voice = at_level(&prompt("en", "goodbye"), -23.0);
    let line = [silence(1.0), voice, silence(1.2)].concat();
    let wide = relais::audio::Resampler::convert(&line, 8_000, 16_000).expect("both rates");
    let mut pointer = EndPointer::new(16_000, END, Duration::from_secs(15));
    let turns: Vec<Turn> = wide.chunks(320).filter_map(|piece| pointer.hear(piece, 0.0)).collect();
    assert!(matches!(turns.as_slice(), [Turn::Began { .. }, Turn::Ended { .. }]), "{turns:?}");
}
