//! How long a caller waits for an engine: from the end of speech to its words, with two streams at once, and what an
//! utterance costs in processor time.
//!
//! `deploy/bench/speech` makes the sentences and runs it: `cargo bench --bench speech -- ENGINE LANGUAGE MODEL WORKER FILE…`
//! with ENGINE vosk or whisper, and WAV files at 8 kHz with a text file of the same name beside each.

// A measurement asks the clock.
#![allow(clippy::disallowed_methods)]

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use relais::heard::{Heard, Hearing, Hints, Pauses};
use relais::settings::{Speech, SpeechChild, SpeechEngine, SpeechPlace};
use relais::speech::{Recognisers, Request, State};

#[path = "../tests/support/audio.rs"]
#[allow(dead_code)]
mod audio;
#[path = "../tests/support/words.rs"]
mod words;

use audio::{at_level, mixed, noise, silence, telephone};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [engine, language, model, worker, files @ ..] = words.as_slice() else {
        eprintln!("usage: ENGINE LANGUAGE MODEL WORKER FILE…");
        return;
    };
    let engine = if engine == "vosk" { SpeechEngine::Vosk } else { SpeechEngine::Whisper };
    let child = SpeechChild { program: Some(worker.into()), model: model.into(), memory: 3_000 << 20, nice: 0 };
    let speech = Speech {
        id: "measured".to_owned(),
        engine,
        languages: vec![language.as_str().into()],
        streams: 2,
        place: SpeechPlace::Child(child),
        answer_within: Duration::from_secs(20),
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let recognisers = Arc::new(Recognisers::new(&[speech], runtime.handle().clone()).expect("a folder"));
    recognisers.prepare(&language.as_str().into());
    let began = Instant::now();
    let process = loop {
        match recognisers.views().remove(0).state {
            State::Ready { process } => break process.expect("a worker of ours"),
            State::Down { reason } => panic!("{reason}"),
            _ => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    println!("ready after {:.1} s, {} MB", began.elapsed().as_secs_f64(), memory_mb(process));
    let sentences: Vec<(Vec<i16>, String)> = files.iter().map(|file| sentence(Path::new(file))).collect();
    let phrases = sentences.iter().map(|(_, text)| text.trim().to_owned()).collect();
    let request = Request {
        language: language.as_str().into(),
        sample_rate_hz: audio::RATE_HZ,
        // A grammar of them all, for the engine that can use one.
        hints: Hints { phrases, only: true, ..Hints::default() },
        pauses: Pauses::default(),
    };
    let voices: Vec<Vec<i16>> = sentences.iter().map(|(voice, _)| voice.clone()).collect();
    let (hiss, others) = (noise(20.0, -38.0, 1), babble(&voices));
    for (line, behind) in [("clean", None), ("white noise at 15 dB", Some(&hiss)), ("babble at 15 dB", Some(&others))] {
        let before = processor_time(process);
        let said = listen(&recognisers, &request, &sentences, behind.map(Vec::as_slice));
        report(line, language, &said, processor_time(process) - before);
    }
    println!("{} MB at the end", memory_mb(process));
}

fn sentence(file: &Path) -> (Vec<i16>, String) {
    let text = std::fs::read_to_string(file.with_extension("txt")).unwrap_or_default();
    (at_level(&audio::read(file), -23.0), text)
}

/// A sentence that was said, and what came back.
struct Said {
    text: String,
    heard: Vec<Heard>,
}

/// The other callers in the room, all at once.
fn babble(voices: &[Vec<i16>]) -> Vec<i16> {
    let longest = voices.iter().map(Vec::len).max().unwrap_or(0);
    let room =
        voices.iter().take(7).fold(vec![0; longest], |room: Vec<i16>, voice| mixed(&room, &at_level(voice, -40.0)));
    at_level(&room, -38.0)
}

/// Two callers take turns with the files until each has been said once.
fn listen(
    recognisers: &Recognisers,
    request: &Request,
    sentences: &[(Vec<i16>, String)],
    behind: Option<&[i16]>,
) -> Vec<Said> {
    let caller = |sentences: &[(Vec<i16>, String)]| -> Vec<Said> {
        let (tell, told) = channel();
        let stream = recognisers.open(request.clone(), move |hearing| {
            let _ = tell.send(hearing);
        });
        let stream = stream.expect("a stream");
        let said = sentences.iter().map(|(voice, text)| {
            let line = [silence(0.3), voice.clone(), silence(1.1)].concat();
            say(&stream, &telephone(&behind.map_or_else(|| line.clone(), |behind| mixed(&line, behind))));
            Said { text: text.clone(), heard: finals(&told) }
        });
        said.collect()
    };
    let half = sentences.len().div_ceil(2).max(1);
    std::thread::scope(|scope| {
        let callers: Vec<_> = sentences.chunks(half).map(|some| scope.spawn(|| caller(some))).collect();
        callers.into_iter().flat_map(|caller| caller.join().expect("a caller")).collect()
    })
}

/// The words of every utterance that has ended.
fn finals(told: &Receiver<Hearing>) -> Vec<Heard> {
    let mut heard = Vec::new();
    let mut awaited = 0;
    loop {
        let patience = if awaited == 0 { Duration::from_millis(200) } else { Duration::from_secs(20) };
        match told.recv_timeout(patience) {
            Ok(Hearing::Ended) => awaited += 1,
            Ok(Hearing::Final(words)) => {
                awaited -= 1;
                heard.push(words);
            }
            Ok(Hearing::Failed(failure)) => panic!("{failure}"),
            Ok(_) => {}
            Err(_) => return heard,
        }
    }
}

fn say(stream: &relais::speech::Stream, pcm: &[i16]) {
    let start = Instant::now();
    for (index, piece) in pcm.chunks(160).enumerate() {
        std::thread::sleep(
            (start + Duration::from_millis(20) * index as u32).saturating_duration_since(Instant::now()),
        );
        assert!(stream.hear(piece, 0.0), "the stream is over");
    }
}

fn report(line: &str, language: &str, said: &[Said], spent: Duration) {
    let mut latencies: Vec<u128> =
        said.iter().flat_map(|said| &said.heard).map(|heard| heard.latency.as_millis()).collect();
    latencies.sort_unstable();
    let at = |share: usize| latencies.get((latencies.len() * share / 100).min(latencies.len().saturating_sub(1)));
    let (mut errors, mut words) = (0, 0);
    for Said { text, heard } in said {
        let heard = heard.iter().map(|heard| heard.text.as_str()).collect::<Vec<_>>().join(" ");
        let (wrong, of) = words::word_errors(language, text, &heard);
        errors += wrong;
        words += of;
        if wrong > 0 {
            println!("  {} -> {heard}", text.trim());
        }
    }
    println!(
        "{line}: {} utterances; words wrong {errors} of {words}; silence seen to words, ms: median {:?}, p95 {:?}, worst {:?}; \
         {:.2} core-seconds an utterance",
        latencies.len(),
        at(50),
        at(95),
        latencies.last(),
        spent.as_secs_f64() / latencies.len().max(1) as f64
    );
}

/// User and system time of a process (proc(5), stat; a tick is 10 ms).
fn processor_time(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("the worker lives");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

fn memory_mb(process: u32) -> u64 {
    let status =
        std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) >> 10
}
