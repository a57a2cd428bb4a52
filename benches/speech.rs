//! How long a caller waits for an engine: from the end of speech to its words, with two streams at once, and what an
//! utterance costs in processor time.
//!
//! `deploy/bench/speech` makes the sentences and runs it: `cargo bench --bench speech -- ENGINE LANGUAGE MODEL WORKER FILE…`
//! with ENGINE vosk or whisper, and WAV files at 8 kHz with a text file of the same name beside each.

// A measurement asks the clock.
#![allow(clippy::disallowed_methods)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use relais::heard::{Heard, Hearing, Hints, Pauses};
use relais::settings::{Speech, SpeechChild, SpeechEngine, SpeechPlace};
use relais::speech::{Recognisers, Request, State};

#[path = "../tests/support/audio.rs"]
#[allow(dead_code)]
mod audio;

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
    let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    for (line, noisy) in [("clean", None), ("white noise at 15 dB", Some(-38.0))] {
        let before = processor_time(process);
        let heard = listen(&recognisers, language, &files, noisy);
        let spent = processor_time(process) - before;
        report(line, &heard, spent);
    }
    println!("{} MB at the end", memory_mb(process));
}

/// Two callers take turns with the files until each has been said once.
fn listen(recognisers: &Recognisers, language: &str, files: &[PathBuf], noisy: Option<f64>) -> Vec<(String, Heard)> {
    let half = files.len().div_ceil(2);
    let caller = |files: &[PathBuf]| {
        let (tell, told) = channel();
        let request = Request {
            language: language.into(),
            sample_rate_hz: audio::RATE_HZ,
            hints: Hints::default(),
            pauses: Pauses::default(),
        };
        let stream = recognisers.open(request, move |hearing| {
            let _ = tell.send(hearing);
        });
        let stream = stream.expect("a stream");
        let mut heard = Vec::new();
        for (seed, file) in files.iter().enumerate() {
            let voice = at_level(&audio::read(file), -23.0);
            let mut line = [silence(0.3), voice, silence(1.1)].concat();
            if let Some(db) = noisy {
                line = mixed(&line, &noise(20.0, db, seed as u64));
            }
            say(&stream, &telephone(&line));
            let text = std::fs::read_to_string(file.with_extension("txt")).unwrap_or_default();
            loop {
                match told.recv_timeout(Duration::from_secs(20)) {
                    Ok(Hearing::Final(words)) => break heard.push((text, words)),
                    Ok(Hearing::Failed(failure)) => panic!("{failure}"),
                    Ok(_) => {}
                    Err(_) => break println!("nothing was heard of {}", file.display()),
                }
            }
        }
        heard
    };
    std::thread::scope(|scope| {
        let callers: Vec<_> = files.chunks(half.max(1)).map(|files| scope.spawn(|| caller(files))).collect();
        callers.into_iter().flat_map(|caller| caller.join().expect("a caller")).collect()
    })
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

fn report(line: &str, heard: &[(String, Heard)], spent: Duration) {
    let mut latencies: Vec<u128> = heard.iter().map(|(_, heard)| heard.latency.as_millis()).collect();
    latencies.sort_unstable();
    let at = |share: usize| latencies.get((latencies.len() * share / 100).min(latencies.len().saturating_sub(1)));
    let (mut errors, mut words) = (0, 0);
    for (text, heard) in heard {
        let (wrong, of) = word_errors(text, &heard.text);
        errors += wrong;
        words += of;
        if wrong > 0 {
            println!("  {} -> {} ({:.2})", text.trim(), heard.text, heard.confidence);
        }
    }
    let count = heard.len().max(1);
    println!(
        "{line}: {count} utterances; words wrong {errors} of {words}; silence seen to words, ms: median {:?}, p95 {:?}, worst \
         {:?}; {:.2} core-seconds an utterance",
        at(50),
        at(95),
        latencies.last(),
        spent.as_secs_f64() / count as f64
    );
}

/// Words that are not as said, by edit distance, and how many were said.
fn word_errors(said: &str, heard: &str) -> (usize, usize) {
    let words = |text: &str| -> Vec<String> {
        let letters = text.to_lowercase().replace(|c: char| !c.is_alphanumeric() && c != '\'', " ");
        letters.split_whitespace().map(str::to_owned).collect()
    };
    let (said, heard) = (words(said), words(heard));
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (index, word) in said.iter().enumerate() {
        let mut before = std::mem::replace(&mut row[0], index + 1);
        for (at, other) in heard.iter().enumerate() {
            let cost = (before + usize::from(word != other)).min(row[at] + 1).min(row[at + 1] + 1);
            before = std::mem::replace(&mut row[at + 1], cost);
        }
    }
    (row[heard.len()], said.len())
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
