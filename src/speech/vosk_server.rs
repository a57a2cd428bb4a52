//! A client for vosk-server's WebSocket (alphacep/vosk-server, `websocket/asr_server.py`): a `config` message, binary
//! frames of PCM, `{"partial"}` and `{"text", "result"}` back, and `{"eof"}` that asks for the last words.
//!
//! After `eof` the server closes, so each utterance has a connection of its own; the next one is made as soon as one
//! ends, so that it is there when the caller speaks.

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::connection::{CONNECT, Socket, remote_socket};
use super::link::{Link, Order, Report, SILENT};
use super::message::{self, Word, Words};
use super::written;
use crate::heard::{Hints, SpeechFailure};
use crate::settings::SpeechRemote;

/// Its answers are a few hundred bytes; one with every word of a minute is below this.
const LARGEST: usize = 256 << 10;

type Socketed = WebSocketStream<Box<dyn Socket>>;

/// What it sends. Alternatives and speaker vectors are never asked for.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Told {
    Final {
        text: String,
        #[serde(default)]
        result: Vec<SpokenWord>,
    },
    Partial {
        partial: String,
    },
}

#[derive(Debug, Deserialize)]
struct SpokenWord {
    word: String,
    #[serde(default)]
    conf: f32,
    #[serde(default)]
    start: f64,
    #[serde(default)]
    end: f64,
}

/// One utterance: the server ends segments by pauses of its own, so there may be several.
#[derive(Debug, Default)]
struct Utterance {
    texts: Vec<String>,
    words: Vec<Word>,
}

impl Utterance {
    fn add(&mut self, text: String, result: Vec<SpokenWord>) {
        let ms = |seconds: f64| (seconds.clamp(0.0, 3_600.0) * 1_000.0) as u64;
        if !text.is_empty() {
            self.texts.push(text);
        }
        self.words.extend(result.into_iter().map(|word| Word {
            word: word.word,
            confidence: word.conf,
            start_ms: ms(word.start),
            end_ms: ms(word.end),
        }));
    }

    fn so_far(&self, partial: &str) -> String {
        let pieces = self.texts.iter().map(String::as_str).chain([partial]);
        pieces.filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join(" ")
    }

    fn finish(self, utterance: u64) -> Words {
        let confidence = mean(&self.words);
        Words { utterance, text: self.so_far(""), confidence, words: self.words, ..Words::default() }
    }
}

/// Of the words; 0 where there are none.
pub fn mean(words: &[Word]) -> f32 {
    if words.is_empty() {
        return 0.0;
    }
    words.iter().map(|word| word.confidence).sum::<f32>() / words.len() as f32
}

struct Client {
    engine: String,
    remote: SpeechRemote,
    sample_rate_hz: u32,
    hints: Hints,
}

/// Connects once, so that a server which is not there is known at once, and serves the stream in a task of its own.
pub async fn open(
    engine: &str,
    remote: &SpeechRemote,
    sample_rate_hz: u32,
    hints: &Hints,
) -> Result<Link, SpeechFailure> {
    let hints = message::bounded(hints.clone());
    let mut client = Client { engine: engine.to_owned(), remote: remote.clone(), sample_rate_hz, hints };
    let socket = client.connect().await?;
    let (link, orders, reports) = Link::pair();
    tokio::spawn(async move {
        if let Err(failure) = client.serve(socket, orders, &reports).await {
            let _ = reports.send(Report::Failed(failure)).await;
        }
    });
    Ok(link)
}

impl Client {
    async fn connect(&self) -> Result<Socketed, SpeechFailure> {
        let unavailable = |reason: String| SpeechFailure::Unavailable { engine: self.engine.clone(), reason };
        let dialled = async {
            let socket = remote_socket(&self.remote).await?;
            // Inside it TLS is done already, so the handshake is told "ws".
            let url = format!("ws://{}:{}/", self.remote.host, self.remote.port);
            let config = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
            tokio_tungstenite::client_async_with_config(url, socket, Some(config))
                .await
                .map_err(|error| error.to_string())
        };
        let (mut socket, _) = match tokio::time::timeout(CONNECT, dialled).await {
            Ok(dialled) => dialled.map_err(unavailable)?,
            Err(_) => {
                let place = written(self.remote.scheme, &self.remote.host, self.remote.port);
                return Err(unavailable(format!("{place}: no answer within {} ms", CONNECT.as_millis())));
            }
        };
        let mut config = json!({ "sample_rate": self.sample_rate_hz, "words": true });
        // It knows only grammars, so a list that limits nothing is not told.
        if self.hints.only {
            let phrases = self.hints.phrases.iter().map(String::as_str).chain(["[unk]"]);
            config["phrase_list"] = phrases.collect();
        }
        self.send(&mut socket, Message::text(json!({ "config": config }).to_string())).await?;
        Ok(socket)
    }

    async fn send(&self, socket: &mut Socketed, message: Message) -> Result<(), SpeechFailure> {
        match tokio::time::timeout(SILENT, socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(SpeechFailure::Died { engine: self.engine.clone() }),
            Err(_) => {
                let silent_ms = u64::try_from(SILENT.as_millis()).unwrap_or(u64::MAX);
                Err(SpeechFailure::Silent { engine: self.engine.clone(), silent_ms })
            }
        }
    }

    /// Until the stream is dropped.
    async fn serve(
        &mut self,
        mut socket: Socketed,
        mut orders: mpsc::Receiver<Order>,
        reports: &mpsc::Sender<Report>,
    ) -> Result<(), SpeechFailure> {
        let mut utterance = Utterance::default();
        let mut used = false;
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    None => return Ok(()),
                    Some(Order::Audio(pcm)) => {
                        let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
                        used = true;
                        self.send(&mut socket, Message::binary(bytes)).await?;
                    }
                    Some(Order::Hints(hints)) => {
                        self.hints = message::bounded(hints);
                        if !used {
                            socket = self.connect().await?;
                        }
                    }
                    // It follows along.
                    Some(Order::Pause | Order::GoOn) => {}
                    Some(Order::Discard) => {
                        utterance = Utterance::default();
                        used = false;
                        socket = self.connect().await?;
                    }
                    Some(Order::Finish(number)) => {
                        self.finish(&mut socket, &mut utterance).await?;
                        let words = std::mem::take(&mut utterance).finish(number);
                        if reports.send(Report::Final(words)).await.is_err() {
                            return Ok(());
                        }
                        used = false;
                        socket = self.connect().await?;
                    }
                },
                told = self.told(&mut socket) => {
                    let text = match told? {
                        Told::Final { text, result } => {
                            utterance.add(text, result);
                            utterance.so_far("")
                        }
                        Told::Partial { partial } => utterance.so_far(&partial),
                    };
                    if !text.is_empty() && reports.send(Report::Partial(text)).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Asks for the last words and takes what comes until the server closes.
    async fn finish(&self, socket: &mut Socketed, utterance: &mut Utterance) -> Result<(), SpeechFailure> {
        self.send(socket, Message::text(r#"{"eof" : 1}"#)).await?;
        let mut finals = 0;
        while let Some(received) = socket.next().await {
            match received {
                Ok(Message::Text(text)) => {
                    if let Told::Final { text, result } = self.understand(&text)? {
                        utterance.add(text, result);
                        finals += 1;
                    }
                }
                Ok(Message::Close(_)) => break,
                Ok(_) => {}
                // Some versions drop the connection without the closing handshake.
                Err(_) if finals > 0 => break,
                Err(_) => return Err(SpeechFailure::Died { engine: self.engine.clone() }),
            }
        }
        Ok(())
    }

    async fn told(&self, socket: &mut Socketed) -> Result<Told, SpeechFailure> {
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => return self.understand(&text),
                Some(Ok(Message::Close(_)) | Err(_)) | None => {
                    return Err(SpeechFailure::Died { engine: self.engine.clone() });
                }
                Some(Ok(_)) => {}
            }
        }
    }

    fn understand(&self, text: &str) -> Result<Told, SpeechFailure> {
        serde_json::from_str(text).map_err(|error| SpeechFailure::Engine {
            engine: self.engine.clone(),
            message: format!("a message that is not understood: {error}"),
        })
    }
}
