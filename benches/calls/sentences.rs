//! Sentences and the figures of what became of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::appliance::project;
use super::figures::{Share, Times};
use super::line::Line;
use super::speakers::{Heard, Part, Said, speak};
use super::{Arguments, demo, voices, words};

#[derive(Deserialize)]
struct File {
    sentence: Vec<Sentence>,
}

#[derive(Clone, Deserialize)]
struct Sentence {
    text: String,
    intent: String,
}

fn read(path: &Path, most: usize) -> Result<Vec<Sentence>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let file: File = toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let all = file.sentence.len();
    let wanted = most.min(all);
    // Evenly: the files go intent by intent.
    let is_chosen = |index: usize| (index + 1) * wanted / all.max(1) > index * wanted / all.max(1);
    let chosen = file.sentence.into_iter().enumerate().filter(|(index, _)| is_chosen(*index));
    Ok(chosen.map(|(_, sentence)| sentence).collect())
}

/// Spoken by Piper, which takes a third of a second a sentence: what it has said is kept beside what is built.
fn by_piper(sentences: Vec<Sentence>) -> Result<Vec<Said>, String> {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("said");
    std::fs::create_dir_all(&kept).map_err(|error| format!("{}: {error}", kept.display()))?;
    let place = |text: &str| kept.join(hex::encode(&Sha256::digest(text)[..12]));
    let new: Vec<&str> =
        sentences.iter().map(|sentence| sentence.text.as_str()).filter(|text| !place(text).is_file()).collect();
    if !new.is_empty() {
        for (text, voice) in new.iter().zip(voices::piper_in_the_room(&new)?) {
            let bytes: Vec<u8> = voice.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            std::fs::write(place(text), bytes).map_err(|error| format!("{}: {error}", kept.display()))?;
        }
    }
    let voiced = |sentence: Sentence| {
        let path: PathBuf = place(&sentence.text);
        let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let voice = bytes.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
        Ok(Said { text: sentence.text, intent: sentence.intent, voice })
    };
    sentences.into_iter().map(voiced).collect()
}

/// 602, with Whisper tiny.en.
pub fn english(arguments: &Arguments) -> Result<(), String> {
    let apart = project().join("tests/bot/kept-apart/en.toml");
    let said = by_piper(read(arguments.sentences.as_deref().unwrap_or(&apart), arguments.most)?)?;
    let appliance = demo();
    for line in &arguments.lines {
        let heard = speak(&appliance, Part { number: "602", key: None, line: *line, seed: arguments.seed }, &said);
        report("en", *line, &heard, arguments.misses);
    }
    Ok(())
}

/// 603, with Vosk: wishes in few words by two voices of espeak-ng; then an answer with yes or no.
pub fn korean(arguments: &Arguments) -> Result<(), String> {
    let file = project().join("deploy/bench/sentences/ko-wishes.toml");
    let said = |voice: &str, sentences: Vec<Sentence>| -> Result<Vec<Said>, String> {
        let spoken = |Sentence { text, intent }| {
            voices::espeak_in_the_room(voice, voices::QUICKLY, &text).map(|voice| Said { text, intent, voice })
        };
        sentences.into_iter().map(spoken).collect()
    };
    let appliance = demo();
    for (voice, line) in
        ["ko", "ko+f3"].into_iter().flat_map(|voice| arguments.lines.iter().map(move |line| (voice, line)))
    {
        println!("{voice}:");
        let wishes = said(voice, read(arguments.sentences.as_deref().unwrap_or(&file), arguments.most)?)?;
        let part = Part { number: "603", key: None, line: *line, seed: arguments.seed };
        report("ko", *line, &speak(&appliance, part, &wishes), arguments.misses);
    }
    let answers = ["네", "아니요"].map(|text| Sentence { text: text.to_owned(), intent: "none".to_owned() });
    let answers = said("ko+f3", answers.into_iter().cycle_to(arguments.most.min(20)))?;
    // 6 is a breakdown; its answer ends with a question.
    let part = Part { number: "603", key: Some('6'), line: Line::Clean, seed: arguments.seed + 7 };
    println!("yes or no:");
    report("ko", Line::Clean, &speak(&appliance, part, &answers), arguments.misses);
    Ok(())
}

/// 604, with Whisper base and what people said: no wishes, so what counts is the words.
pub fn french(arguments: &Arguments) -> Result<(), String> {
    let recorded = |name: &str| {
        let (voice, text) = voices::recorded_in_the_room("fr", name)?;
        Ok(Said { text: text.trim().to_owned(), intent: "none".to_owned(), voice })
    };
    let said: Result<Vec<Said>, String> = ["bonjour_monde", "comptage", "pangrama"].map(recorded).into_iter().collect();
    let said = said?.into_iter().cycle_to(arguments.most.min(12));
    let appliance = demo();
    for line in &arguments.lines {
        let part = Part { number: "604", key: None, line: *line, seed: arguments.seed };
        report("fr", *line, &speak(&appliance, part, &said), arguments.misses);
    }
    Ok(())
}

/// The same ones over and over, until there are so many.
trait CycleTo<T> {
    fn cycle_to(self, count: usize) -> Vec<T>;
}

impl<T: Clone, I: Iterator<Item = T>> CycleTo<T> for I {
    fn cycle_to(self, count: usize) -> Vec<T> {
        let all: Vec<T> = self.collect();
        all.iter().cycle().take(count).cloned().collect()
    }
}

/// With a grammar the answer is to be there before.
const LATE: Duration = Duration::from_millis(700);
/// And the prompt over which somebody speaks is to be silent.
const LATE_SILENCE: Duration = Duration::from_millis(200);

fn report(language: &str, line: Line, heard: &[Heard], misses: bool) {
    println!("{language}, {}:", line.name());
    let (wishes, nonsense): (Vec<&Heard>, Vec<&Heard>) = heard.iter().partition(|heard| heard.said.intent != "none");
    let is_right = |heard: &Heard| heard.intent == heard.said.intent;
    let asked_back = |heard: &&Heard| heard.asked_back;
    if !wishes.is_empty() {
        println!("  understood: {}", Share::of(&wishes, |heard| is_right(heard)));
        println!("    after asking back: {}", Share::of(&wishes, |heard| is_right(heard) && heard.asked_back));
        let other = |heard: &&Heard| !is_right(heard) && heard.intent != "none";
        println!("  taken for another: {}", Share::of(&wishes, other));
        println!("    asked back: {}", Share::of(&wishes, |heard| other(heard) && heard.asked_back));
    }
    if !nonsense.is_empty() {
        println!("  no wish, taken for one: {}", Share::of(&nonsense, |heard| !is_right(heard)));
        println!("    asked back: {}", Share::of(&nonsense, asked_back));
    }
    let (mut wrong, mut of) = (0, 0);
    for heard in heard {
        let (errors, words) = words::word_errors(language, &heard.said.text, &heard.texts.join(" "));
        wrong += errors;
        of += words;
        if misses && (!is_right(heard) || heard.answered.is_none_or(|took| took > LATE)) {
            let (said, texts, took) = (&heard.said, heard.texts.join(" | "), heard.answered);
            let asked_back = if heard.asked_back { ", asked back" } else { "" };
            println!("    {}: {} -> {texts}: {}{asked_back} {took:?}", said.intent, said.text, heard.intent);
        }
        if let Some(took) = heard.silenced.filter(|took| misses && *took > LATE_SILENCE) {
            println!("    heard the prompt for {took:?}: {}", heard.said.text);
        }
    }
    println!("  words wrong: {}", Share(wrong, of));
    println!("  cut in two by a pause: {}", Share::of(heard, |heard| heard.texts.len() > 1));
    println!("  end of speech to answer: {}", Times::new(heard.iter().filter_map(|heard| heard.answered)));
    println!("  no answer, or before the end: {}", Share::of(heard, |heard| heard.answered.is_none()));
    println!("  start of speech to silence: {}", Times::new(heard.iter().filter_map(|heard| heard.silenced)));
    println!("  talked on: {}", Share::of(heard, |heard| heard.silenced.is_none()));
}
