//! One stream's connection to a worker: orders in, reports out, and the pulse that notices a worker which is stuck.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::codec::{Decoder, Encoder};

use super::connection::{Place, Socket};
use super::message::{self, Ask, PROTOCOL, Tell, Words};
use super::wire::{Frame, Wire};
use crate::heard::{Hints, SpeechFailure};

pub const PING: Duration = Duration::from_millis(500);
/// A worker of which nothing is heard for so long is dead, whatever its socket says.
pub const SILENT: Duration = Duration::from_millis(1_500);
/// The worker answers `hello` and `open` at once; the engine's own preparations come before it listens.
const GREETING: Duration = Duration::from_secs(2);
/// So long is listened to one that takes nothing more.
const LAST_WORD: Duration = Duration::from_millis(100);
/// Orders on their way: 4 s of audio in pieces of 20 ms.
pub const ORDERS: usize = 200;
const REPORTS: usize = 64;

#[derive(Clone, Debug)]
pub enum Order {
    Audio(Vec<i16>),
    Hints(Hints),
    /// The speaker has paused, perhaps for good.
    Pause,
    /// And speaks again.
    GoOn,
    Finish(u64),
    Discard,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    Partial(String),
    Final(Words),
    Failed(SpeechFailure),
}

/// Dropping it closes the connection.
#[derive(Debug)]
pub struct Link {
    pub orders: mpsc::Sender<Order>,
    pub reports: mpsc::Receiver<Report>,
}

impl Link {
    /// Both ends of a link: the other one is served by a task of its own.
    pub fn pair() -> (Link, mpsc::Receiver<Order>, mpsc::Sender<Report>) {
        let (orders, from_stream) = mpsc::channel(ORDERS);
        let (to_stream, reports) = mpsc::channel(REPORTS);
        (Link { orders, reports }, from_stream, to_stream)
    }
}

/// What a worker says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    pub engine: String,
    pub languages: Vec<String>,
    pub streams: usize,
}

/// Frames over a socket, each way at its own pace.
pub struct Framed {
    socket: Box<dyn Socket>,
    input: BytesMut,
    output: BytesMut,
}

impl Framed {
    pub fn new(socket: Box<dyn Socket>) -> Framed {
        Framed { socket, input: BytesMut::new(), output: BytesMut::new() }
    }

    /// May be given up between frames.
    pub async fn receive(&mut self) -> Result<Option<Frame>, String> {
        loop {
            if let Some(frame) = Wire.decode(&mut self.input).map_err(|error| error.to_string())? {
                return Ok(Some(frame));
            }
            match self.socket.read_buf(&mut self.input).await {
                Ok(0) => return Wire.decode_eof(&mut self.input).map_err(|error| error.to_string()),
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// A peer that takes nothing for `SILENT` is given up.
    pub async fn send(&mut self, frame: Frame) -> Result<(), String> {
        self.output.clear();
        Wire.encode(frame, &mut self.output).map_err(|error| error.to_string())?;
        match tokio::time::timeout(SILENT, self.socket.write_all(&self.output)).await {
            Ok(written) => written.map_err(|error| error.to_string()),
            Err(_) => Err(format!("takes nothing for {} ms", SILENT.as_millis())),
        }
    }

    /// The next message of a worker; `None` at the end. Audio from it means nothing.
    async fn told(&mut self) -> Result<Option<Tell>, String> {
        loop {
            match self.receive().await? {
                None => return Ok(None),
                Some(Frame::Audio(_)) => {}
                Some(Frame::Message(text)) => {
                    return serde_json::from_slice(&text)
                        .map(Some)
                        .map_err(|error| format!("a message that is not understood: {error}"));
                }
            }
        }
    }

    async fn answered(&mut self) -> Result<Tell, String> {
        match tokio::time::timeout(GREETING, self.told()).await {
            Ok(Ok(Some(told))) => Ok(told),
            Ok(Ok(None)) => Err("it closed the connection".to_owned()),
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err(format!("no answer within {} ms", GREETING.as_millis())),
        }
    }
}

/// Connects and exchanges `hello`.
pub async fn greet(place: &Place) -> Result<(Framed, Greeting), String> {
    let token = place.token()?;
    let mut framed = Framed::new(place.dial().await?);
    framed.send(message::frame(&Ask::Hello { protocol: PROTOCOL, token })).await?;
    match framed.answered().await? {
        Tell::Hello { protocol: PROTOCOL, engine, languages, streams } => {
            Ok((framed, Greeting { engine, languages, streams }))
        }
        Tell::Hello { protocol, .. } => Err(format!("speaks protocol {protocol}; this is {PROTOCOL}")),
        Tell::Refused { message, .. } => Err(message),
        other => Err(format!("answers hello with {other:?}")),
    }
}

/// Opens a stream at a worker and serves it in a task of its own.
pub async fn open(
    engine: &str,
    place: &Place,
    language: &str,
    sample_rate_hz: u32,
    hints: Hints,
) -> Result<Link, SpeechFailure> {
    let unavailable = |reason: String| SpeechFailure::Unavailable { engine: engine.to_owned(), reason };
    let (mut framed, greeting) = greet(place).await.map_err(unavailable)?;
    let ask = Ask::Open { language: language.to_owned(), sample_rate_hz, hints: message::bounded(hints) };
    framed.send(message::frame(&ask)).await.map_err(unavailable)?;
    match framed.answered().await.map_err(unavailable)? {
        Tell::Opened => {}
        Tell::Refused { reason: message::Refusal::Busy, .. } => {
            return Err(SpeechFailure::Busy { engine: engine.to_owned(), streams: greeting.streams });
        }
        Tell::Refused { message, .. } | Tell::Failed { message } => return Err(unavailable(message)),
        other => return Err(unavailable(format!("answers open with {other:?}"))),
    }
    let (link, orders, reports) = Link::pair();
    tokio::spawn(serve(engine.to_owned(), framed, orders, reports));
    Ok(link)
}

async fn serve(engine: String, mut framed: Framed, mut orders: mpsc::Receiver<Order>, reports: mpsc::Sender<Report>) {
    let mut pulse = Pulse::new();
    let died = |_: String| SpeechFailure::Died { engine: engine.clone() };
    let failure = loop {
        tokio::select! {
            order = orders.recv() => {
                let frame = match order {
                    None => return,
                    Some(Order::Audio(pcm)) => Frame::audio(&pcm),
                    Some(Order::Hints(hints)) => message::frame(&Ask::Hints(message::bounded(hints))),
                    Some(Order::Pause) => message::frame(&Ask::Pause),
                    Some(Order::GoOn) => message::frame(&Ask::GoOn),
                    Some(Order::Finish(utterance)) => message::frame(&Ask::Finish { utterance }),
                    Some(Order::Discard) => message::frame(&Ask::Discard),
                };
                if framed.send(frame).await.is_err() {
                    break last_word(&engine, &mut framed).await;
                }
            }
            told = framed.told() => {
                pulse.heard();
                let report = match told {
                    Ok(None) => break died(String::new()),
                    Err(fault) => break died(fault),
                    Ok(Some(Tell::Partial { text })) => Report::Partial(text),
                    Ok(Some(Tell::Final(words))) => Report::Final(words),
                    Ok(Some(Tell::Failed { message })) => break SpeechFailure::Engine { engine: engine.clone(), message },
                    Ok(Some(_)) => continue,
                };
                if reports.send(report).await.is_err() {
                    return;
                }
            }
            beat = pulse.beat() => match beat {
                Ok(ping) => {
                    if framed.send(ping).await.is_err() {
                        break last_word(&engine, &mut framed).await;
                    }
                }
                Err(silent_ms) => break SpeechFailure::Silent { engine: engine.clone(), silent_ms },
            }
        }
    };
    let _ = reports.send(Report::Failed(failure)).await;
}

/// Why a worker takes nothing more: it may have said so before it closed.
async fn last_word(engine: &str, framed: &mut Framed) -> SpeechFailure {
    let told = async {
        while let Ok(Some(told)) = framed.told().await {
            if let Tell::Failed { message } = told {
                return Some(message);
            }
        }
        None
    };
    match tokio::time::timeout(LAST_WORD, told).await {
        Ok(Some(message)) => SpeechFailure::Engine { engine: engine.to_owned(), message },
        _ => SpeechFailure::Died { engine: engine.to_owned() },
    }
}

/// Only listens whether the worker is alive, until it is not; says why.
pub async fn watch(framed: &mut Framed) -> String {
    let mut pulse = Pulse::new();
    loop {
        tokio::select! {
            told = framed.told() => {
                pulse.heard();
                match told {
                    Ok(None) => return "the worker ended".to_owned(),
                    Err(fault) => return fault,
                    Ok(Some(_)) => {}
                }
            }
            beat = pulse.beat() => match beat {
                Ok(ping) => {
                    if let Err(fault) = framed.send(ping).await {
                        return fault;
                    }
                }
                Err(silent_ms) => return format!("nothing was heard of it for {silent_ms} ms"),
            }
        }
    }
}

/// Pings, and the time since anything was heard.
struct Pulse {
    ticks: tokio::time::Interval,
    last: Instant,
    n: u64,
}

impl Pulse {
    fn new() -> Pulse {
        let mut ticks = tokio::time::interval(PING);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Pulse { ticks, last: Instant::now(), n: 0 }
    }

    fn heard(&mut self) {
        self.last = Instant::now();
    }

    /// At each tick the next ping, or how long it has been silent, in ms, when that is too long.
    async fn beat(&mut self) -> Result<Frame, u64> {
        self.ticks.tick().await;
        let silent = self.last.elapsed();
        if silent >= SILENT {
            return Err(u64::try_from(silent.as_millis()).unwrap_or(u64::MAX));
        }
        self.n += 1;
        Ok(message::frame(&Ask::Ping { n: self.n }))
    }
}
