//! What is said is what is understood.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use relais::heard::{Hearing, Hints};
use relais::settings::{Speech, SpeechEngine, SpeechPlace, SpeechRemote, SpeechScheme};

use crate::audio::{at_level, silence, telephone};
use crate::centre::{Centre, english, french, korean};
use crate::support::skip;
use crate::voices::{QUICKLY, espeak, espeak_in_the_room, models, piper, recorded};
use crate::word_errors::word_errors;

/// What this model understands of espeak-ng, which is not much: it takes free speech of it for something else.
const KOREAN: [&str; 3] = ["상담원 연결", "예약 변경", "영업 시간"];

const ENGLISH: [&str; 8] = [
    "I would like to speak to a real person please.",
    "What time do you open on Saturday?",
    "My internet is not working since yesterday evening.",
    "I have moved house and need to change my address.",
    "Please cancel my subscription.",
    "I want to pay my bill with a card.",
    "Could you tell me if you are open on Christmas Eve?",
    "I need to move my appointment to next week.",
];

#[test]
fn korean_spoken_by_espeak_is_understood_by_vosk() {
    let name = "korean_spoken_by_espeak_is_understood_by_vosk";
    let engine = match korean() {
        Ok(engine) => engine,
        Err(missing) => return skip(name, &missing),
    };
    let centre = Centre::ready(engine);
    let caller = centre.call("ko", korean_hints()).expect("a stream");
    for text in KOREAN {
        let pcm = match espeak("ko+f3", text) {
            Ok(pcm) => pcm,
            Err(missing) => return skip(name, &missing),
        };
        let heard = caller.sentence(&pcm, 1.0).expect("words");
        println!("{text} -> {} ({:.2}, {} ms)", heard.text, heard.confidence, heard.latency.as_millis());
        assert_eq!((heard.engine.as_str(), heard.text.as_str()), ("vosk-ko", text));
        let seconds = heard.duration.as_secs_f64();
        assert!((seconds - pcm.len() as f64 / 8_000.0).abs() < 0.7, "{seconds} s of {} samples", pcm.len());
        let mut last = Duration::ZERO;
        for word in &heard.words {
            assert!(word.start >= last && word.end > word.start && word.end < heard.duration + END, "{heard:?}");
            last = word.start;
        }
    }
}

const END: Duration = Duration::from_millis(700);

/// Whole phrases and nothing else.
pub fn korean_hints() -> Hints {
    let phrases = KOREAN.into_iter().chain(["네", "아니요"]).map(str::to_owned);
    Hints { phrases: phrases.collect(), only: true, ..Hints::default() }
}

#[test]
fn a_korean_grammar_is_kept_to_and_ends_the_utterance_sooner() {
    let name = "a_korean_grammar_is_kept_to_and_ends_the_utterance_sooner";
    let (engine, yes) = match (korean(), espeak("ko", "네")) {
        (Ok(engine), Ok(yes)) => (engine, yes),
        (Err(missing), _) | (_, Err(missing)) => return skip(name, &missing),
    };
    let centre = Centre::ready(engine);
    let hints = Hints { phrases: vec!["네".to_owned(), "아니요".to_owned()], only: true, ..Hints::default() };
    let caller = centre.call("ko", hints).expect("a stream");
    let no = espeak("ko", "아니요").expect("it spoke before");
    for (pcm, said) in [(&yes, "네"), (&no, "아니요"), (&yes, "네")] {
        let heard = caller.sentence(pcm, 1.0).expect("words");
        println!("{said} -> {heard:?}");
        assert_eq!(heard.text, said);
    }
}

#[test]
fn who_goes_on_after_half_a_second_is_heard_whole() {
    let name = "who_goes_on_after_half_a_second_is_heard_whole";
    let voices: Result<Vec<_>, _> = KOREAN.iter().map(|text| espeak("ko+f3", text)).collect();
    let (engine, voices) = match (korean(), voices) {
        (Ok(engine), Ok(voices)) => (engine, voices),
        (Err(missing), _) | (_, Err(missing)) => return skip(name, &missing),
    };
    let both = format!("{} {}", KOREAN[0], KOREAN[1]);
    let phrases = KOREAN.into_iter().chain([both.as_str()]).map(str::to_owned).collect();
    let hints = Hints { phrases, groups: vec![1; 4], near: true, ..Hints::default() };
    let centre = Centre::ready(engine);
    let caller = centre.call("ko", hints).expect("a stream");
    // espeak-ng is silent for 0.4 s at its end. After 0.34 s it is concluded what was said, after 0.6 s the utterance is over.
    let heard =
        caller.sentence(&[&voices[0], &silence(0.06), &voices[1]].map(Vec::as_slice).concat(), 1.0).expect("words");
    assert_eq!(heard.text, both, "{heard:?}");
    let heard = caller.sentence(&voices[2], 1.0).expect("words");
    assert_eq!(heard.text, KOREAN[2], "{heard:?}");
}

/// The sentences of a table of the demo's bot, with what they stand for.
fn of_the_bot(table: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("dialplans/bots/service-desk/ko.toml")).expect("the examples");
    let file: toml::Table = text.parse().expect("TOML");
    let lists = file[table].as_table().expect("sentences by intent").iter();
    lists
        .flat_map(|(intent, list)| {
            let list = list.as_array().expect("a list").iter().map(|text| text.as_str().expect("a text").to_owned());
            list.map(|text| (text, intent.clone())).collect::<Vec<_>>()
        })
        .collect()
}

/// What is none stands behind, in no group.
fn by_intent(sentences: &[(String, String)]) -> (Vec<String>, Vec<usize>) {
    let mut sorted: Vec<&(String, String)> = sentences.iter().collect();
    sorted.sort_by_key(|(_, intent)| (intent == "none", intent));
    let intents = sorted.iter().filter(|(_, intent)| intent != "none");
    let mut sizes: BTreeMap<&String, usize> = BTreeMap::new();
    intents.for_each(|(_, intent)| *sizes.entry(intent).or_default() += 1);
    (sorted.into_iter().map(|(text, _)| text.clone()).collect(), sizes.into_values().collect())
}

#[test]
fn the_wish_nearest_to_korean_by_espeak_is_told_beside_free_speech() {
    let name = "the_wish_nearest_to_korean_by_espeak_is_told_beside_free_speech";
    let engine = match korean() {
        Ok(engine) => engine,
        Err(missing) => return skip(name, &missing),
    };
    let wishes = of_the_bot("listen_for");
    let others: Vec<_> = of_the_bot("examples").into_iter().filter(|(text, _)| text.chars().count() <= 20).collect();
    let is_none = |(_, intent): &&(String, String)| intent == "none";
    let said = wishes.iter().filter(|wish| !is_none(wish)).step_by(8);
    // What the recogniser is not told of.
    let nonsense = others.iter().skip(1).step_by(3).filter(is_none).step_by(12);
    let also: Vec<_> = others.iter().step_by(3).cloned().collect();
    let intents: BTreeMap<&String, &String> = wishes.iter().chain(&also).map(|(text, intent)| (text, intent)).collect();
    let ((phrases, groups), (also, also_groups)) = (by_intent(&wishes), by_intent(&also));
    let centre = Centre::ready(engine);
    assert_eq!(groups.len(), also_groups.len(), "an intent without sentences");
    let hints = Hints { phrases, groups, also, also_groups, near: true, ..Hints::default() };
    let caller = centre.call("ko", hints).expect("a stream");
    let (mut right, mut wrong, mut others) = (Told::default(), Told::default(), Told::default());
    for (text, intent) in said.chain(nonsense) {
        let pcm = match espeak_in_the_room("ko+f3", QUICKLY, text) {
            Ok(voice) => telephone(&at_level(&voice, -23.0)),
            Err(missing) => return skip(name, &missing),
        };
        let heard = caller.sentence(&pcm, 1.0).expect("words");
        println!("{text} -> {} or {:?} ({} ms)", heard.text, heard.alternatives, heard.latency.as_millis());
        let is_wish = |phrase: &&String| intents.get(phrase).filter(|near| **near != "none").copied();
        let (told, perhaps) = (is_wish(&&heard.text), heard.alternatives.first().as_ref().and_then(is_wish));
        if intent == "none" {
            others.add(told.is_some(), perhaps.is_some());
        } else {
            right.add(told == Some(intent), perhaps == Some(intent));
            wrong.add(told.is_some_and(|told| told != intent), perhaps.is_some_and(|perhaps| perhaps != intent));
        }
    }
    println!("right: {right:?}, wrong: {wrong:?}, others taken for a wish: {others:?}");
    // The voice is a robot's, and free speech makes other words of nearly all it says.
    assert!((right.told + right.perhaps) * 2 >= right.of && right.told * 3 >= right.of, "{right:?}");
    assert!(wrong.told * 10 <= wrong.of && (wrong.told + wrong.perhaps) * 4 <= wrong.of, "{wrong:?}");
    assert!(others.told * 10 <= others.of && (others.told + others.perhaps) * 5 <= others.of * 3, "{others:?}");
}

/// How many there were, and were told as what was said, or as what it may have been instead.
#[derive(Debug, Default)]
struct Told {
    of: usize,
    told: usize,
    perhaps: usize,
}

impl Told {
    fn add(&mut self, told: bool, perhaps: bool) {
        self.of += 1;
        self.told += usize::from(told);
        self.perhaps += usize::from(perhaps);
    }
}

#[test]
fn english_spoken_by_piper_is_understood_by_whisper() {
    let name = "english_spoken_by_piper_is_understood_by_whisper";
    let (engine, voices) = match (english(), piper(&ENGLISH)) {
        (Ok(engine), Ok(voices)) => (engine, voices),
        (Err(missing), _) | (_, Err(missing)) => return skip(name, &missing),
    };
    let centre = Centre::ready(engine);
    let caller = centre.call("en", Hints::default()).expect("a stream");
    let (mut errors, mut words) = (0, 0);
    for (text, pcm) in ENGLISH.iter().zip(&voices) {
        let heard = caller.sentence(pcm, 1.0).expect("words");
        let (wrong, of) = word_errors("en", text, &heard.text);
        println!("{text} -> {} ({:.2}, {} ms)", heard.text, heard.confidence, heard.latency.as_millis());
        assert_eq!(heard.words.len(), heard.text.split_whitespace().count(), "{heard:?}");
        assert!(heard.words.iter().all(|word| word.end <= heard.duration + END), "{heard:?}");
        errors += wrong;
        words += of;
    }
    assert!(errors * 10 <= words, "{errors} of {words} words are wrong");
}

#[test]
fn french_spoken_by_people_is_understood_by_whisper() {
    let name = "french_spoken_by_people_is_understood_by_whisper";
    let engine = match french() {
        Ok(engine) => engine,
        Err(missing) => return skip(name, &missing),
    };
    let centre = Centre::ready(engine);
    let caller = centre.call("fr", Hints::default()).expect("a stream");
    let (mut errors, mut words) = (0, 0);
    for sample in ["bonjour_monde", "comptage", "pangrama"] {
        let (pcm, text) = match recorded("fr", sample) {
            Ok(recorded) => recorded,
            Err(missing) => return skip(name, &missing),
        };
        let heard = caller.sentence(&pcm, 1.0).expect("words");
        let (wrong, of) = word_errors("fr", &text, &heard.text);
        println!("{text} -> {} ({:.2}, {} ms): {wrong}", heard.text, heard.confidence, heard.latency.as_millis());
        errors += wrong;
        words += of;
    }
    // Through the telephone this model has little French: the pangram is half of it.
    assert!(errors * 3 <= words, "{errors} of {words} words are wrong");
}

/// A vosk-server of the tests' own: the real recogniser behind the real protocol.
struct Server(Child, u16);

impl Server {
    fn start(model: &Path) -> Result<Server, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let venv = std::env::var_os("RELAIS_VOSK_PYTHON");
        let python = venv.map_or_else(|| root.join("target/vosk-server/bin/python"), Into::into);
        let started = Command::new(&python)
            .arg(root.join("tests/oracles/vosk_server.py"))
            .arg(model)
            .stdout(Stdio::piped())
            .spawn();
        let mut child = started.map_err(|error| format!("{}: {error}", python.display()))?;
        let mut line = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a line");
        match line.trim().parse() {
            Ok(port) => Ok(Server(child, port)),
            Err(_) => Err(format!("{} cannot run tests/oracles/vosk_server.py", python.display())),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_vosk_server_elsewhere_is_used_and_its_death_is_noticed() {
    let name = "a_vosk_server_elsewhere_is_used_and_its_death_is_noticed";
    // RELAIS_VOSK_SERVER is the port of one that runs, such as alphacep's own.
    let running = std::env::var("RELAIS_VOSK_SERVER").ok().and_then(|port| port.parse().ok());
    let folder = models().join("vosk-ko");
    let (server, pcm) =
        match (running.map_or_else(|| Server::start(&folder).map(Some), |_| Ok(None)), espeak("ko+f3", KOREAN[0])) {
            (Ok(server), Ok(pcm)) => (server, pcm),
            (Err(missing), _) | (_, Err(missing)) => return skip(name, &missing),
        };
    let port = running.or(server.as_ref().map(|server| server.1)).expect("a port");
    let remote =
        SpeechRemote { scheme: SpeechScheme::Ws, host: "127.0.0.1".to_owned(), port, ca_file: None, token_file: None };
    let centre = Centre::new(&[Speech {
        id: "server".to_owned(),
        engine: SpeechEngine::VoskServer,
        languages: vec!["ko".into()],
        streams: 2,
        place: SpeechPlace::Remote(remote),
        answer_within: Duration::from_secs(10),
    }]);
    let caller = centre.call("ko", korean_hints()).expect("a stream");
    for round in 0..3 {
        let heard = caller.sentence(&pcm, 1.0).expect("words");
        println!("{heard:?}");
        assert_eq!(heard.text, KOREAN[0], "round {round}: {heard:?}");
        assert!(!heard.words.is_empty() && heard.confidence > 0.3, "{heard:?}");
    }
    let Some(server) = server else { return };
    drop(server);
    caller.say(&[silence(0.3), pcm].concat(), 1.0);
    let mut failed = false;
    while let Some(hearing) = caller.next(Duration::from_secs(2)) {
        failed |= matches!(hearing, Hearing::Failed(_));
    }
    assert!(failed, "its death was not told");
    let again = centre.call("ko", Hints::default()).expect("a stream, for nobody knows yet");
    let Some(Hearing::Failed(failure)) = again.next(Duration::from_secs(3)) else { panic!("no failure") };
    assert!(failure.to_string().contains("refused"), "{failure}");
}
