//! A worker with an engine of words by count, in this process, and both sides of the protocol against it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener, UnixStream};

use super::connection::Place;
use super::link::{self, Framed, Link, Order, Report};
use super::message::{Ask, PROTOCOL, Tell, frame};
use super::serve::{Arguments, Engine, Session, Word, Words, listen_for_test};
use super::wire::Frame;
use crate::heard::{Hints, SpeechFailure};
use crate::settings::{SpeechRemote, SpeechScheme};

/// Audio of these samples makes the engine fail, or block for a while.
const BREAKS: i16 = 13;
const BLOCKS: i16 = 14;

struct Counting;

struct Counted {
    samples: usize,
    /// How many there were at the last pause.
    paused: Option<usize>,
    hinted: Vec<String>,
}

impl Engine for Counting {
    fn name(&self) -> String {
        "counting".to_owned()
    }

    fn open(&self, language: &str, _rate: u32, hints: &Hints) -> Result<Box<dyn Session>, String> {
        if language == "zz" {
            return Err("the model of zz is broken".to_owned());
        }
        Ok(Box::new(Counted { samples: 0, paused: None, hinted: hints.phrases.clone() }))
    }
}

impl Session for Counted {
    fn audio(&mut self, pcm: &[i16]) -> Result<Option<String>, String> {
        match pcm.first() {
            Some(&BREAKS) => return Err("the engine broke".to_owned()),
            Some(&BLOCKS) => std::thread::sleep(Duration::from_millis(2_500)),
            _ => {}
        }
        self.samples += pcm.len();
        Ok((self.samples == 320).then(|| "two pieces".to_owned()))
    }

    fn pause(&mut self) -> Result<Option<String>, String> {
        self.paused = Some(self.samples);
        Ok(Some(format!("{} so far", self.samples)))
    }

    fn go_on(&mut self) -> Result<(), String> {
        self.paused = None;
        Ok(())
    }

    fn finish(&mut self) -> Result<Words, String> {
        let all = std::mem::take(&mut self.samples);
        let count = self.paused.take().unwrap_or(all);
        let word = Word { word: count.to_string(), confidence: 0.75, start_ms: 0, end_ms: count as u64 / 8 };
        let text = format!("{count} samples {}", self.hinted.join(" "));
        Ok(Words { text: text.trim().to_owned(), confidence: 0.75, words: vec![word], ..Words::default() })
    }

    fn discard(&mut self) {
        self.samples = 0;
        self.paused = None;
    }

    fn hint(&mut self, hints: &Hints) -> Result<(), String> {
        self.hinted.clone_from(&hints.phrases);
        Ok(())
    }
}

fn arguments(listen: &str, streams: u32) -> Arguments {
    Arguments {
        listen: listen.to_owned(),
        model: PathBuf::new(),
        languages: vec!["en".to_owned(), "zz".to_owned()],
        streams,
        memory_bytes: None,
        nice: 0,
        certificate: None,
        key: None,
        token_file: None,
        child: false,
    }
}

/// A worker in this runtime, and its folder.
async fn worker(streams: u32) -> (Place, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("worker.sock");
    listen_for_test(&arguments(&format!("unix:{}", path.display()), streams), Counting).await.unwrap();
    (Place::Unix(path), folder)
}

async fn open(place: &Place) -> Result<Link, SpeechFailure> {
    link::open("test", place, "en", 8_000, Hints::default()).await
}

async fn report(link: &mut Link) -> Report {
    let reported = tokio::time::timeout(Duration::from_secs(5), link.reports.recv()).await;
    reported.expect("a report in time").expect("a report")
}

async fn order(link: &Link, order: Order) {
    link.orders.send(order).await.expect("an open link");
}

/// What an utterance of so many samples comes to.
async fn words_of(link: &mut Link, samples: usize) -> String {
    order(link, Order::Audio(vec![1; samples])).await;
    order(link, Order::Finish(samples as u64)).await;
    match report(link).await {
        Report::Final(words) => {
            assert_eq!(words.utterance, samples as u64);
            words.text
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn utterances_come_back_as_words_one_after_the_other() {
    let (place, _folder) = worker(1).await;
    let mut link = open(&place).await.unwrap();
    order(&link, Order::Audio(vec![1; 160])).await;
    order(&link, Order::Audio(vec![1; 160])).await;
    assert_eq!(report(&mut link).await, Report::Partial("two pieces".to_owned()));
    order(&link, Order::Discard).await;
    assert_eq!(words_of(&mut link, 800).await, "800 samples", "what was discarded is not in it");
    order(&link, Order::Hints(Hints { phrases: vec!["yes".to_owned()], only: true, ..Hints::default() })).await;
    assert_eq!(words_of(&mut link, 801).await, "801 samples yes");
}

#[tokio::test]
async fn what_was_understood_at_a_pause_is_taken_where_nothing_more_was_said() {
    let (place, _folder) = worker(1).await;
    let mut link = open(&place).await.unwrap();
    for (goes_on, all) in [(false, "160 samples"), (true, "240 samples")] {
        order(&link, Order::Audio(vec![1; 160])).await;
        order(&link, Order::Pause).await;
        assert_eq!(report(&mut link).await, Report::Partial("160 so far".to_owned()));
        if goes_on {
            order(&link, Order::GoOn).await;
        }
        order(&link, Order::Audio(vec![1; 80])).await;
        order(&link, Order::Finish(1)).await;
        let Report::Final(words) = report(&mut link).await else { panic!("no words") };
        assert_eq!(words.text, all);
    }
}

#[tokio::test]
async fn an_engine_at_work_passes_over_a_pause_that_is_over() {
    let (place, _folder) = worker(1).await;
    let mut link = open(&place).await.unwrap();
    for ask in [Order::Audio(vec![BLOCKS; 160]), Order::Pause, Order::GoOn, Order::Audio(vec![1; 80]), Order::Finish(1)]
    {
        order(&link, ask).await;
    }
    let Report::Final(words) = report(&mut link).await else { panic!("the pause was worked on") };
    assert_eq!(words.text, "240 samples");
}

#[tokio::test]
async fn a_worker_takes_so_many_streams_and_says_busy_at_once() {
    let (place, _folder) = worker(2).await;
    let (mut first, second) = (open(&place).await.unwrap(), open(&place).await.unwrap());
    let asked = Instant::now();
    let refused = open(&place).await.unwrap_err();
    assert_eq!(refused, SpeechFailure::Busy { engine: "test".to_owned(), streams: 2 });
    assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
    assert_eq!(words_of(&mut first, 80).await, "80 samples", "the others notice nothing");
    drop(second);
    for _ in 0..200 {
        if open(&place).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the place of a stream that ended does not come back");
}

#[tokio::test]
async fn what_a_worker_cannot_do_is_said_with_the_reason() {
    // A place that was taken in vain comes back a little later.
    let (place, _folder) = worker(4).await;
    for (language, rate, expected) in [
        ("fr", 8_000, "'fr' is not understood here; en, zz is"),
        ("en", 44_100, "44100 samples a second; 8000 and 16000 are taken"),
        ("zz", 8_000, "the model of zz is broken"),
    ] {
        let failure = link::open("test", &place, language, rate, Hints::default()).await.unwrap_err();
        assert!(failure.to_string().contains(expected), "{failure}");
    }
    let regional = link::open("test", &place, "en-GB", 8_000, Hints::default()).await;
    assert!(regional.is_ok(), "a region is understood by its language");
}

#[tokio::test]
async fn a_broken_engine_fails_its_stream_and_no_other() {
    let (place, _folder) = worker(2).await;
    let (mut broken, mut fine) = (open(&place).await.unwrap(), open(&place).await.unwrap());
    order(&broken, Order::Audio(vec![BREAKS; 160])).await;
    let failure =
        Report::Failed(SpeechFailure::Engine { engine: "test".to_owned(), message: "the engine broke".to_owned() });
    assert_eq!(report(&mut broken).await, failure);
    assert_eq!(words_of(&mut fine, 80).await, "80 samples");
}

#[tokio::test]
async fn an_engine_at_work_is_alive_and_one_that_falls_behind_is_given_up() {
    let (place, _folder) = worker(1).await;
    let mut link = open(&place).await.unwrap();
    let began = Instant::now();
    order(&link, Order::Audio(vec![BLOCKS; 160])).await;
    assert_eq!(words_of(&mut link, 80).await, "240 samples");
    assert!(began.elapsed() >= Duration::from_millis(2_400), "longer than a silent worker is waited for");
    order(&link, Order::Audio(vec![BLOCKS; 160])).await;
    for _ in 0..5 {
        order(&link, Order::Audio(vec![1; 8_000])).await;
    }
    let Report::Failed(SpeechFailure::Engine { message, .. }) = report(&mut link).await else { panic!("no failure") };
    assert!(message.contains("more than 4000 ms behind"), "{message}");
}

/// A peer that greets, opens, and then does as it is told here.
async fn odd_worker(then: impl AsyncFnOnce(UnixStream) + 'static) -> (Place, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::task::spawn_local(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let hello = Tell::Hello { protocol: PROTOCOL, engine: "odd".to_owned(), languages: Vec::new(), streams: 1 };
        for tell in [hello, Tell::Opened] {
            let mut first = [0; 4];
            stream.read_exact(&mut first).await.unwrap();
            let mut rest = vec![0; u32::from_be_bytes(first) as usize];
            stream.read_exact(&mut rest).await.unwrap();
            let Frame::Message(text) = frame(&tell) else { panic!("no message") };
            stream.write_u32(text.len() as u32 + 1).await.unwrap();
            stream.write_u8(b'J').await.unwrap();
            stream.write_all(&text).await.unwrap();
        }
        then(stream).await;
    });
    (Place::Unix(path), folder)
}

#[tokio::test]
async fn a_worker_that_says_nothing_more_is_noticed_within_two_seconds() {
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let (place, _folder) = odd_worker(async |stream| {
                std::future::pending::<()>().await;
                drop(stream);
            })
            .await;
            let mut link = open(&place).await.unwrap();
            let since = Instant::now();
            let Report::Failed(SpeechFailure::Silent { silent_ms, .. }) = report(&mut link).await else {
                panic!("not silent")
            };
            assert!(silent_ms >= 1_500 && since.elapsed() < Duration::from_millis(2_200), "{silent_ms} ms");
        })
        .await;
}

#[tokio::test]
async fn a_worker_that_goes_away_is_noticed_at_once() {
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let (place, _folder) = odd_worker(async |stream| drop(stream)).await;
            let mut link = open(&place).await.unwrap();
            let since = Instant::now();
            assert_eq!(report(&mut link).await, Report::Failed(SpeechFailure::Died { engine: "test".to_owned() }));
            assert!(since.elapsed() < Duration::from_millis(500));
        })
        .await;
}

#[tokio::test]
async fn any_bytes_of_a_worker_end_the_stream_and_nothing_else() {
    let local = tokio::task::LocalSet::new();
    for seed in 0..50 {
        let noise = async move |mut stream: UnixStream| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut bytes = vec![0; 512];
            random.fill_bytes(&mut bytes);
            if random.next_u32().is_multiple_of(2) {
                bytes[..5].copy_from_slice(&[0, 0, 0, 9, b'J']);
            }
            let _ = stream.write_all(&bytes).await;
        };
        local
            .run_until(async {
                let (place, _folder) = odd_worker(noise).await;
                let mut link = open(&place).await.unwrap();
                let report = report(&mut link).await;
                assert!(matches!(report, Report::Failed(_)), "seed {seed}: {report:?}");
            })
            .await;
    }
}

#[tokio::test]
async fn any_bytes_of_a_server_end_their_connection_and_the_worker_goes_on() {
    let (place, _folder) = worker(1).await;
    let Place::Unix(path) = &place else { panic!("no path") };
    for seed in 0..200 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut framed = Framed::new(Box::new(UnixStream::connect(path).await.unwrap()));
        if !seed.is_multiple_of(3) {
            framed.send(frame(&Ask::Hello { protocol: PROTOCOL, token: None })).await.unwrap();
        }
        for _ in 0..random.next_u32() % 6 {
            let mut payload = vec![0; (random.next_u32() % 64) as usize * 2];
            random.fill_bytes(&mut payload);
            let sent = match random.next_u32() % 4 {
                0 => Frame::Audio(payload.into()),
                1 => Frame::Message(payload.into()),
                2 => Frame::Message(br#"{"type":"open","language":"en","sample_rate_hz":8000}"#[..].into()),
                _ => Frame::Message(br#"{"type":"finish","utterance":18446744073709551615}"#[..].into()),
            };
            if framed.send(sent).await.is_err() {
                break;
            }
        }
    }
    for _ in 0..200 {
        if let Ok(mut link) = open(&place).await {
            assert_eq!(words_of(&mut link, 80).await, "80 samples");
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the worker takes no stream any more");
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/speech").join(name)
}

/// A port that is free now.
async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

fn remote(scheme: SpeechScheme, host: &str, port: u16, token_file: Option<PathBuf>) -> Place {
    let ca_file = scheme.is_encrypted().then(|| data("ca.pem"));
    Place::Remote(SpeechRemote { scheme, host: host.to_owned(), port, ca_file, token_file })
}

#[tokio::test]
async fn a_worker_elsewhere_is_reached_by_tcp_with_its_token_only() {
    let folder = tempfile::tempdir().unwrap();
    let (right, wrong) = (folder.path().join("right"), folder.path().join("wrong"));
    std::fs::write(&right, "a token of more than sixteen bytes\n").unwrap();
    std::fs::write(&wrong, "another token of such a length\n").unwrap();
    let port = free_port().await;
    let mut arguments = arguments(&format!("tcp:127.0.0.1:{port}"), 1);
    arguments.token_file = Some(right.clone());
    listen_for_test(&arguments, Counting).await.unwrap();
    for token in [None, Some(wrong)] {
        let failure = open(&remote(SpeechScheme::Tcp, "127.0.0.1", port, token)).await.unwrap_err();
        assert!(failure.to_string().contains("the token is missing or wrong"), "{failure}");
    }
    let mut link = open(&remote(SpeechScheme::Tcp, "127.0.0.1", port, Some(right))).await.unwrap();
    assert_eq!(words_of(&mut link, 80).await, "80 samples");
}

#[tokio::test]
async fn a_worker_behind_tls_is_verified() {
    let port = free_port().await;
    let mut arguments = arguments(&format!("tls:127.0.0.1:{port}"), 1);
    (arguments.certificate, arguments.key) = (Some(data("cert.pem")), Some(data("key.pem")));
    listen_for_test(&arguments, Counting).await.unwrap();
    let mut link = open(&remote(SpeechScheme::Tls, "localhost", port, None)).await.unwrap();
    assert_eq!(words_of(&mut link, 80).await, "80 samples");
    drop(link);
    // Its own certificate is no authority, and the web knows it not.
    for ca_file in [None, Some(data("cert.pem"))] {
        let stranger =
            SpeechRemote { scheme: SpeechScheme::Tls, host: "localhost".to_owned(), port, ca_file, token_file: None };
        let failure = open(&Place::Remote(stranger)).await.unwrap_err();
        assert!(failure.to_string().contains("TLS"), "{failure}");
    }
}

#[tokio::test]
async fn a_worker_is_not_open_to_the_world_without_a_token() {
    for (listen, expected) in [
        ("tcp:0.0.0.0:7400", "give --token-file"),
        ("tls:127.0.0.1:0", "tls needs --certificate and --key"),
        ("udp:127.0.0.1:7400", "none of unix:PATH"),
        ("tcp:localhost:7400", "no address with a port"),
    ] {
        let fault = listen_for_test(&arguments(listen, 1), Counting).await.unwrap_err();
        assert!(fault.contains(expected), "{listen}: {fault}");
    }
}
