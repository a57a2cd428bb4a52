//! Workers that die, stop, are overrun or are not there: callers are told in time.

use std::process::Command;
use std::time::{Duration, Instant};

use relais::heard::{Hearing, SpeechFailure};
use relais::settings::SpeechPlace;
use relais::speech::State;

use crate::audio::silence;
use crate::centre::{Caller, Centre, korean};
use crate::support::skip;
use crate::voices::espeak;
use crate::words::korean_hints;

const SENTENCE: &str = "상담원 연결";

fn signal(process: u32, name: &str) {
    let sent = Command::new("kill").args([name, &process.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill {name} {process}");
}

/// The failure that ends the stream and how long it took from now.
fn failure(caller: &Caller, limit: Duration) -> (SpeechFailure, Duration) {
    let since = Instant::now();
    while let Some(hearing) = caller.next(limit.saturating_sub(since.elapsed())) {
        if let Hearing::Failed(failure) = hearing {
            return (failure, since.elapsed());
        }
    }
    panic!("no failure within {limit:?}");
}

#[test]
fn a_worker_killed_in_mid_sentence_twenty_times_fails_its_streams_at_once_and_comes_back() {
    let name = "a_worker_killed_in_mid_sentence_twenty_times_fails_its_streams_at_once_and_comes_back";
    let (engine, pcm) = match (korean(), espeak("ko+f3", SENTENCE)) {
        (Ok(engine), Ok(pcm)) => (engine, pcm),
        (Err(missing), _) | (_, Err(missing)) => return skip(name, &missing),
    };
    let half = [silence(0.3), pcm.iter().take(pcm.len() / 2).copied().collect()].concat();
    let mut slowest = Duration::ZERO;
    // The waits before a new start double, so the twenty deaths are those of five centres.
    for _ in 0..5 {
        let centre = Centre::ready(engine.clone());
        let mut dead = None;
        for death in 0..4 {
            let process = centre.until_ready_after(dead);
            let callers = [(); 2].map(|()| centre.call("ko", korean_hints()).expect("a stream"));
            callers.iter().for_each(|caller| caller.say(&half, 2.0));
            signal(process, "-KILL");
            dead = Some(process);
            for caller in &callers {
                let (failure, took) = failure(caller, Duration::from_secs(2));
                assert!(matches!(failure, SpeechFailure::Died { .. }), "death {death}: {failure}");
                slowest = slowest.max(took);
            }
            // Until it is back, callers are told at once, or wait no longer than a start may take.
            let asked = Instant::now();
            match centre.call("ko", korean_hints()) {
                Err(failure) => assert!(asked.elapsed() < Duration::from_millis(100), "{failure}"),
                Ok(caller) => {
                    let first = caller.next(Duration::from_secs(3)).expect("an answer");
                    assert!(matches!(first, Hearing::Ready { .. } | Hearing::Failed(_)), "{first:?}");
                }
            }
        }
        centre.until_ready_after(dead);
        let caller = centre.call("ko", korean_hints()).expect("a stream");
        let heard = caller.sentence(&pcm, 1.0).expect("words");
        assert!(heard.text == SENTENCE, "{heard:?}");
    }
    println!("slowest notice of a death: {slowest:?}");
}

#[test]
fn a_worker_that_is_stopped_is_noticed_within_two_seconds_and_replaced() {
    let name = "a_worker_that_is_stopped_is_noticed_within_two_seconds_and_replaced";
    let (engine, pcm) = match (korean(), espeak("ko+f3", SENTENCE)) {
        (Ok(engine), Ok(pcm)) => (engine, pcm),
        (Err(missing), _) | (_, Err(missing)) => return skip(name, &missing),
    };
    let centre = Centre::ready(engine);
    let process = centre.until_ready();
    let caller = centre.call("ko", korean_hints()).expect("a stream");
    caller.say(&[silence(0.3), pcm.iter().take(pcm.len() / 2).copied().collect()].concat(), 1.0);
    signal(process, "-STOP");
    let (failure, took) = failure(&caller, Duration::from_millis(2_300));
    println!("{failure} after {took:?}");
    centre.until_ready_after(Some(process));
    assert!(!std::path::Path::new(&format!("/proc/{process}")).exists(), "the stopped worker is still there");
}

#[test]
fn two_callers_are_understood_and_the_others_are_told_busy_at_once() {
    let name = "two_callers_are_understood_and_the_others_are_told_busy_at_once";
    let (engine, pcm) = match (korean(), espeak("ko+f3", SENTENCE)) {
        (Ok(engine), Ok(pcm)) => (engine, pcm),
        (Err(missing), _) | (_, Err(missing)) => return skip(name, &missing),
    };
    let centre = Centre::ready(engine);
    let callers = [(); 2].map(|()| centre.call("ko", korean_hints()).expect("a stream"));
    let asked = Instant::now();
    for _ in 0..98 {
        let Err(failure) = centre.call("ko", korean_hints()) else { panic!("a third stream was taken") };
        assert_eq!(failure, SpeechFailure::Busy { engine: "vosk-ko".to_owned(), streams: 2 });
    }
    assert!(asked.elapsed() < Duration::from_millis(200), "{:?}", asked.elapsed());
    let pcm = &pcm;
    std::thread::scope(|scope| {
        for caller in callers {
            scope.spawn(move || {
                let heard = caller.sentence(pcm, 1.0).expect("words");
                assert!(heard.text == SENTENCE, "{heard:?}");
            });
        }
    });
    let since = Instant::now();
    while centre.call("ko", korean_hints()).is_err() {
        assert!(since.elapsed() < Duration::from_secs(2), "the places do not come back");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_worker_that_takes_too_much_memory_is_ended() {
    let name = "a_worker_that_takes_too_much_memory_is_ended";
    let mut engine = match korean() {
        Ok(engine) => engine,
        Err(missing) => return skip(name, &missing),
    };
    if let SpeechPlace::Child(child) = &mut engine.place {
        // The model alone is larger.
        child.memory = 120 << 20;
    }
    let centre = Centre::new(&[engine]);
    centre.recognisers.prepare(&"ko".into());
    let since = Instant::now();
    while !matches!(centre.state(), State::Down { .. }) {
        assert!(since.elapsed() < Duration::from_secs(30), "{:?}", centre.state());
        std::thread::sleep(Duration::from_millis(20));
    }
    let State::Down { reason } = centre.state() else { panic!("it is up again") };
    assert!(reason.contains("memory_mb allows 120"), "{reason}");
}

#[test]
fn where_no_engine_is_installed_callers_are_told_why() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut engine = relais::settings::Speech {
        id: "nothing".to_owned(),
        engine: relais::settings::SpeechEngine::Vosk,
        languages: vec!["ko".into()],
        streams: 2,
        place: SpeechPlace::Child(relais::settings::SpeechChild {
            program: Some(folder.path().join("no-such-worker")),
            model: folder.path().join("no-model"),
            memory: 1 << 30,
            nice: 0,
        }),
        answer_within: Duration::from_secs(1),
    };
    let told = |engine: &relais::settings::Speech| {
        let centre = Centre::new(std::slice::from_ref(engine));
        // Nobody has looked for it yet: the first caller finds out, within bounds.
        let first = centre.call("ko", korean_hints()).expect("a stream");
        let (first, took) = failure(&first, Duration::from_secs(2));
        assert!(took < Duration::from_secs(2), "{took:?}");
        let Err(second) = centre.call("ko", korean_hints()) else { panic!("it came from nowhere") };
        assert_eq!(second, first);
        first.to_string()
    };
    assert!(told(&engine).contains("there is no model at"), "{}", told(&engine));
    if let SpeechPlace::Child(child) = &mut engine.place {
        child.model = folder.path().to_owned();
    }
    assert!(told(&engine).contains("cannot be started"), "{}", told(&engine));
    let centre = Centre::new(&[]);
    let Err(none) = centre.call("fr", korean_hints()) else { panic!("it came from nowhere") };
    assert_eq!(none, SpeechFailure::NoEngine { language: "fr".to_owned() });
}
