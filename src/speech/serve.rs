//! The worker's side: takes connections, counts streams, answers pings whatever the engine does, and gives each stream a
//! thread in which its engine may block. A worker's binary brings an `Engine` and calls `run`.

use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use subtle::ConstantTimeEq;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;

use super::connection::{Socket, read_token};
use super::link::Framed;
use super::message::{self, Ask, LONGEST_PHRASE, MOST_PHRASES, PROTOCOL, Refusal, Tell};
pub use super::message::{Word, Words};
pub use super::vosk_server::mean;
use super::wire::{self, Frame};
use crate::heard::Hints;

/// Audio that an engine may be behind, in ms.
const MOST_BEHIND_MS: u64 = 4_000;
/// A connection that says nothing for so long is closed; one that has opened nothing and does not ping, as well.
const SILENT: Duration = Duration::from_secs(30);
const FIRST_WORD: Duration = Duration::from_secs(10);
/// Connections at once beyond those with a stream: pulses, and those that are told "busy".
const SPARE_CONNECTIONS: usize = 64;
const ORDERS: usize = 2_048;
const ANSWERS: usize = 64;

/// What a worker knows to do.
pub trait Engine: Send + Sync + 'static {
    /// Name and model, for the log of the server.
    fn name(&self) -> String;

    /// Called on the stream's own thread, and may take its time.
    fn open(&self, language: &str, sample_rate_hz: u32, hints: &Hints) -> Result<Box<dyn Session>, String>;
}

/// One stream at an engine. It stays on its thread.
pub trait Session {
    /// The words so far, when they have changed and the engine follows along.
    fn audio(&mut self, pcm: &[i16]) -> Result<Option<String>, String>;
    /// The speaker has paused: what was said may be all. An engine of whole utterances can begin with it now, for what
    /// comes until `finish` is silence, unless `go_on` is called before. The words so far.
    fn pause(&mut self) -> Result<Option<String>, String>;
    /// It was not all.
    fn go_on(&mut self) -> Result<(), String>;
    /// The utterance is over.
    fn finish(&mut self) -> Result<Words, String>;
    /// The utterance was none.
    fn discard(&mut self);
    /// From the next utterance on.
    fn hint(&mut self, hints: &Hints) -> Result<(), String>;
    /// Nothing waits: what the next utterance would wait for can be done beforehand.
    fn get_ready(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// What every worker is told on its command line.
#[derive(Clone, Debug, Parser)]
pub struct Arguments {
    /// Where to listen: unix:PATH, tcp:ADDRESS:PORT or tls:ADDRESS:PORT
    #[arg(long)]
    pub listen: String,
    /// The folder of the model
    #[arg(long)]
    pub model: PathBuf,
    /// The languages it understands, with commas between them
    #[arg(long, value_delimiter = ',', required = true)]
    pub languages: Vec<String>,
    /// Streams at once
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub streams: u32,
    /// Memory that it may hold, in bytes; allocating more fails
    #[arg(long)]
    pub memory_bytes: Option<u64>,
    /// How far it stands back for other processes
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(i32).range(0..=19))]
    pub nice: i32,
    /// For tls: the certificate chain and its key, PEM
    #[arg(long, requires = "key")]
    pub certificate: Option<PathBuf>,
    #[arg(long, requires = "certificate")]
    pub key: Option<PathBuf>,
    /// A file with the token that the server must know; needed on other than loopback addresses
    #[arg(long)]
    pub token_file: Option<PathBuf>,
    /// End when standard input closes: the server that started it is gone
    #[arg(long)]
    pub child: bool,
}

enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener, Option<TlsAcceptor>),
}

/// Loads the engine, limits itself, and serves until it is killed. The worker's `main`.
pub fn run<E: Engine>(arguments: &Arguments, load: impl FnOnce(&Arguments) -> Result<E, String>) -> ExitCode {
    if arguments.nice > 0 {
        let _ = rustix::process::setpriority_process(None, arguments.nice);
    }
    if arguments.child {
        end_with_standard_input();
    }
    let served = load(arguments).and_then(|engine| {
        limit(arguments)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
        runtime.block_on(async {
            let listener = listen(arguments).await?;
            Served::new(arguments, Arc::new(engine))?.accept(listener).await
        })
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            let program = std::env::args().next().unwrap_or_default();
            eprintln!("{}: {fault}", program.rsplit('/').next().unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

/// Serves in this runtime instead of a process of its own.
#[cfg(test)]
pub(super) async fn listen_for_test<E: Engine>(arguments: &Arguments, engine: E) -> Result<(), String> {
    let listener = listen(arguments).await?;
    tokio::spawn(Served::new(arguments, Arc::new(engine))?.accept(listener));
    Ok(())
}

/// Once the model is read: what it takes until then is looked at by who started us, for an engine that is refused memory
/// while it reads may try for ever.
fn limit(arguments: &Arguments) -> Result<(), String> {
    let Some(bytes) = arguments.memory_bytes else { return Ok(()) };
    let limit = Rlimit { current: Some(bytes), maximum: getrlimit(Resource::Data).maximum };
    setrlimit(Resource::Data, limit).map_err(|error| format!("memory cannot be limited to {bytes} bytes: {error}"))
}

fn end_with_standard_input() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}

async fn listen(arguments: &Arguments) -> Result<Listener, String> {
    let said = |error: std::io::Error| format!("cannot listen on {}: {error}", arguments.listen);
    match arguments.listen.split_once(':') {
        Some(("unix", path)) => UnixListener::bind(path).map(Listener::Unix).map_err(said),
        Some((scheme @ ("tcp" | "tls"), address)) => {
            let address: SocketAddr =
                address.parse().map_err(|_| format!("'{address}' is no address with a port, as 10.0.0.5:7400"))?;
            if !address.ip().is_loopback() && arguments.token_file.is_none() {
                return Err(format!("{address} is open to others: give --token-file, and better tls: than tcp:"));
            }
            let tls = if scheme == "tls" { Some(acceptor(arguments)?) } else { None };
            let listener = TcpListener::bind(address).await.map_err(said)?;
            Ok(Listener::Tcp(listener, tls))
        }
        _ => Err(format!("'{}' is none of unix:PATH, tcp:ADDRESS:PORT, tls:ADDRESS:PORT", arguments.listen)),
    }
}

fn acceptor(arguments: &Arguments) -> Result<TlsAcceptor, String> {
    let (Some(certificate), Some(key)) = (&arguments.certificate, &arguments.key) else {
        return Err("tls needs --certificate and --key".to_owned());
    };
    let said = |file: &PathBuf, error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| said(certificate, &error))?;
    let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| said(key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key_der))
        .map_err(|error| said(certificate, &error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What all connections share.
struct Served<E> {
    engine: Arc<E>,
    languages: Vec<String>,
    streams: usize,
    token: Option<String>,
    permits: Arc<Semaphore>,
    connections: Arc<Semaphore>,
}

impl<E> Clone for Served<E> {
    fn clone(&self) -> Self {
        Served {
            engine: self.engine.clone(),
            languages: self.languages.clone(),
            streams: self.streams,
            token: self.token.clone(),
            permits: self.permits.clone(),
            connections: self.connections.clone(),
        }
    }
}

impl<E: Engine> Served<E> {
    fn new(arguments: &Arguments, engine: Arc<E>) -> Result<Self, String> {
        let streams = arguments.streams as usize;
        Ok(Served {
            engine,
            languages: arguments.languages.clone(),
            streams,
            token: arguments.token_file.as_deref().map(read_token).transpose()?,
            permits: Arc::new(Semaphore::new(streams)),
            connections: Arc::new(Semaphore::new(streams + SPARE_CONNECTIONS)),
        })
    }

    async fn accept(self, listener: Listener) -> Result<(), String> {
        loop {
            let accepted = match &listener {
                Listener::Unix(listener) => {
                    listener.accept().await.map(|(stream, _)| (Box::new(stream) as Box<dyn Socket>, None))
                }
                Listener::Tcp(listener, tls) => listener.accept().await.map(|(stream, _)| {
                    let _ = stream.set_nodelay(true);
                    (Box::new(stream) as Box<dyn Socket>, tls.clone())
                }),
            };
            let Ok((socket, tls)) = accepted else {
                // Out of file descriptors: some may come back.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let Ok(connection) = self.connections.clone().try_acquire_owned() else { continue };
            let served = self.clone();
            tokio::spawn(async move {
                if let Some(socket) = served.encrypted(socket, tls).await {
                    served.converse(Framed::new(socket)).await;
                }
                drop(connection);
            });
        }
    }

    async fn encrypted(&self, socket: Box<dyn Socket>, tls: Option<TlsAcceptor>) -> Option<Box<dyn Socket>> {
        let Some(tls) = tls else { return Some(socket) };
        let accepted = tokio::time::timeout(FIRST_WORD, tls.accept(socket)).await.ok()?.ok()?;
        Some(Box::new(accepted))
    }

    /// One connection, from `hello` to its end.
    async fn converse(&self, mut framed: Framed) {
        let greeted = tokio::time::timeout(FIRST_WORD, framed.receive()).await;
        let Ok(Ok(Some(Frame::Message(text)))) = greeted else { return };
        match serde_json::from_slice(&text) {
            Ok(Ask::Hello { protocol: PROTOCOL, token }) if self.knows(token.as_deref()) => {}
            Ok(Ask::Hello { protocol: PROTOCOL, .. }) => {
                let message = "the token is missing or wrong: give both sides the same token file".to_owned();
                return refuse(&mut framed, Refusal::Token, message).await;
            }
            Ok(Ask::Hello { protocol, .. }) => {
                let message = format!("this worker speaks protocol {PROTOCOL}, not {protocol}");
                return refuse(&mut framed, Refusal::Protocol, message).await;
            }
            _ => return,
        }
        let hello = Tell::Hello {
            protocol: PROTOCOL,
            engine: self.engine.name(),
            languages: self.languages.clone(),
            streams: self.streams,
        };
        if framed.send(message::frame(&hello)).await.is_err() {
            return;
        }
        self.before_the_stream(&mut framed).await;
    }

    /// Without a token of ours every caller is known.
    fn knows(&self, token: Option<&str>) -> bool {
        match &self.token {
            None => true,
            Some(ours) => token.is_some_and(|token| ours.as_bytes().ct_eq(token.as_bytes()).into()),
        }
    }

    /// Pings, until a stream is opened.
    async fn before_the_stream(&self, framed: &mut Framed) {
        loop {
            let received = tokio::time::timeout(FIRST_WORD, framed.receive()).await;
            let Ok(Ok(Some(Frame::Message(text)))) = received else { return };
            match serde_json::from_slice(&text) {
                Ok(Ask::Ping { n }) => {
                    if framed.send(message::frame(&Tell::Pong { n, behind_ms: 0 })).await.is_err() {
                        return;
                    }
                }
                Ok(Ask::Open { language, sample_rate_hz, hints }) => {
                    return self.open(framed, language, sample_rate_hz, hints).await;
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }

    async fn open(&self, framed: &mut Framed, language: String, sample_rate_hz: u32, hints: Hints) {
        if let Err((reason, message)) = self.acceptable(&language, sample_rate_hz, &hints) {
            return refuse(framed, reason, message).await;
        }
        let Ok(permit) = self.permits.clone().try_acquire_owned() else {
            let message = format!("all {} streams are in use", self.streams);
            return refuse(framed, Refusal::Busy, message).await;
        };
        let (orders, to_session) = sync_channel(ORDERS);
        let (answers, mut answered) = mpsc::channel(ANSWERS);
        let (behind, turn) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let worker = Worker { answers, behind: behind.clone(), turn: turn.clone(), permit };
        let engine = self.engine.clone();
        let opening = move || worker.run(engine.as_ref(), &language, sample_rate_hz, &hints, &to_session);
        if std::thread::Builder::new().name("stream".to_owned()).spawn(opening).is_err() {
            return refuse(framed, Refusal::Engine, "no thread can be started".to_owned()).await;
        }
        let stream = Streaming { orders, behind, turn, sample_rate_hz };
        stream.serve(framed, &mut answered).await;
    }

    fn acceptable(&self, language: &str, rate: u32, hints: &Hints) -> Result<(), (Refusal, String)> {
        let base = language.split('-').next().unwrap_or_default();
        if !self.languages.iter().any(|known| known == "*" || known == language || known == base) {
            let known = self.languages.join(", ");
            return Err((Refusal::Language, format!("'{language}' is not understood here; {known} is")));
        }
        if !matches!(rate, 8_000 | 16_000) {
            return Err((Refusal::Rate, format!("{rate} samples a second; 8000 and 16000 are taken")));
        }
        check_hints(hints).map_err(|message| (Refusal::Engine, message))
    }
}

fn check_hints(hints: &Hints) -> Result<(), String> {
    let too_much = |phrases: &Vec<String>| {
        phrases.len() > MOST_PHRASES || phrases.iter().any(|phrase| phrase.len() > LONGEST_PHRASE)
    };
    if too_much(&hints.phrases) || too_much(&hints.also) {
        return Err(format!("hints may have {MOST_PHRASES} phrases of {LONGEST_PHRASE} bytes"));
    }
    Ok(())
}

async fn refuse(framed: &mut Framed, reason: Refusal, message: String) {
    let _ = framed.send(message::frame(&Tell::Refused { reason, message })).await;
}

enum Order {
    Audio(Vec<i16>),
    Hints(Hints),
    /// With its number: one that is over when the engine comes to it is not worth its while.
    Pause(u64),
    GoOn,
    Finish(u64),
    Discard,
}

/// The connection's side of an open stream.
struct Streaming {
    orders: SyncSender<Order>,
    /// Samples that the engine has not taken yet.
    behind: Arc<AtomicU64>,
    /// Counts pauses, and their ends.
    turn: Arc<AtomicU64>,
    sample_rate_hz: u32,
}

impl Streaming {
    async fn serve(self, framed: &mut Framed, answered: &mut mpsc::Receiver<Tell>) {
        loop {
            tokio::select! {
                answer = answered.recv() => {
                    // The session's thread has ended after a failure that it told before.
                    let Some(answer) = answer else { return };
                    let last = matches!(answer, Tell::Failed { .. } | Tell::Refused { .. });
                    if framed.send(message::frame(&answer)).await.is_err() || last {
                        return;
                    }
                }
                received = tokio::time::timeout(SILENT, framed.receive()) => {
                    let Ok(Ok(Some(frame))) = received else { return };
                    match self.take(frame) {
                        Ok(None) => {}
                        Ok(Some(answer)) => {
                            if framed.send(message::frame(&answer)).await.is_err() {
                                return;
                            }
                        }
                        Err(message) => {
                            let _ = framed.send(message::frame(&Tell::Failed { message })).await;
                            return;
                        }
                    }
                }
            }
        }
    }

    fn behind_ms(&self) -> u64 {
        self.behind.load(Ordering::Relaxed) * 1_000 / u64::from(self.sample_rate_hz)
    }

    /// The number of the pause that begins, or is over.
    fn next_turn(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The answer that needs no engine, where there is one.
    fn take(&self, frame: Frame) -> Result<Option<Tell>, String> {
        let order = match frame {
            Frame::Audio(audio) => {
                let pcm = wire::samples(&audio);
                self.behind.fetch_add(pcm.len() as u64, Ordering::Relaxed);
                if self.behind_ms() > MOST_BEHIND_MS {
                    return Err(format!("the engine is more than {MOST_BEHIND_MS} ms behind the audio"));
                }
                Order::Audio(pcm)
            }
            Frame::Message(text) => match serde_json::from_slice(&text) {
                Ok(Ask::Ping { n }) => return Ok(Some(Tell::Pong { n, behind_ms: self.behind_ms() })),
                Ok(Ask::Hints(hints)) => {
                    check_hints(&hints)?;
                    Order::Hints(hints)
                }
                Ok(Ask::Pause) => Order::Pause(self.next_turn()),
                Ok(Ask::GoOn) => {
                    self.next_turn();
                    Order::GoOn
                }
                Ok(Ask::Finish { utterance }) => Order::Finish(utterance),
                Ok(Ask::Discard) => {
                    self.next_turn();
                    Order::Discard
                }
                Ok(Ask::Open { .. } | Ask::Hello { .. }) => return Err("the stream is open already".to_owned()),
                Ok(Ask::Unknown) => return Ok(None),
                Err(error) => return Err(format!("a message that is not understood: {error}")),
            },
        };
        self.orders.try_send(order).map(|()| None).map_err(|_| "too many orders at once".to_owned())
    }
}

/// `None` when the connection has ended.
fn next_order(session: &mut dyn Session, orders: &Receiver<Order>) -> Result<Option<Order>, String> {
    match orders.try_recv() {
        Ok(order) => Ok(Some(order)),
        Err(TryRecvError::Disconnected) => Ok(None),
        Err(TryRecvError::Empty) => {
            session.get_ready()?;
            Ok(orders.recv().ok())
        }
    }
}

/// The engine's side of a stream: a thread. It ends when the connection has.
struct Worker {
    answers: mpsc::Sender<Tell>,
    behind: Arc<AtomicU64>,
    turn: Arc<AtomicU64>,
    permit: OwnedSemaphorePermit,
}

impl Worker {
    fn run<E: Engine>(self, engine: &E, language: &str, rate: u32, hints: &Hints, orders: &Receiver<Order>) {
        match engine.open(language, rate, hints) {
            Ok(mut session) => {
                let _ = self.answers.blocking_send(Tell::Opened);
                if let Err(message) = self.serve(session.as_mut(), orders) {
                    let _ = self.answers.blocking_send(Tell::Failed { message });
                }
            }
            Err(message) => {
                let _ = self.answers.blocking_send(Tell::Refused { reason: Refusal::Engine, message });
            }
        }
        // Only now is there room for another stream: until here the engine was at work.
        drop(self.permit);
    }

    fn serve(&self, session: &mut dyn Session, orders: &Receiver<Order>) -> Result<(), String> {
        while let Some(order) = next_order(session, orders)? {
            let answer = match order {
                Order::Audio(pcm) => {
                    let partial = session.audio(&pcm)?;
                    self.behind.fetch_sub(pcm.len() as u64, Ordering::Relaxed);
                    partial.map(|text| Tell::Partial { text })
                }
                Order::Pause(turn) if turn != self.turn.load(Ordering::Relaxed) => None,
                Order::Pause(_) => session.pause()?.map(|text| Tell::Partial { text }),
                Order::GoOn => {
                    session.go_on()?;
                    None
                }
                Order::Finish(utterance) => {
                    let words = session.finish()?;
                    Some(Tell::Final(Words { utterance, ..words }))
                }
                Order::Hints(hints) => {
                    session.hint(&hints)?;
                    None
                }
                Order::Discard => {
                    session.discard();
                    None
                }
            };
            if let Some(answer) = answer
                && self.answers.blocking_send(answer).is_err()
            {
                return Ok(());
            }
        }
        Ok(())
    }
}
