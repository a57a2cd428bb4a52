//! A recogniser on a thread of its own: free speech takes its time, and who has a sure answer already need not wait for it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use relais::speech::serve::Words;
use vosk::{DecodingState, Recognizer};

use crate::grammar::Grammar;
use crate::said::Said;
use crate::{Shared, Warm, add, recognizer, warm};

/// What is so far said is looked at every so many pieces: it costs as much as the decoding of a few frames.
pub const PIECES: u32 = 5;
/// Seconds after which a recogniser is not used any more: its clock grows coarse.
const TIRED: u64 = 36_000;
/// Pieces that it may be behind before who brings more has to wait.
const MOST_BEHIND: usize = 100;

/// The stream's side.
pub struct Decoder {
    orders: Option<SyncSender<Order>>,
    told: Arc<Told>,
    thread: Option<JoinHandle<Result<(), String>>>,
    is_ready: bool,
}

/// What both sides know.
#[derive(Default)]
struct Told(Mutex<SoFar>);

#[derive(Default)]
struct SoFar {
    /// The utterance that counts: the audio of earlier ones is not worth its while any more.
    utterance: u64,
    text: String,
}

impl Told {
    fn lock(&self) -> MutexGuard<'_, SoFar> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_utterance(&self) {
        let mut so_far = self.lock();
        so_far.utterance += 1;
        so_far.text.clear();
    }
}

enum Order {
    /// Of an utterance.
    Audio(u64, Vec<i16>),
    /// To say when all before is done.
    CatchUp(SyncSender<()>),
    /// To say what was said until now, in an utterance.
    Conclude(u64, SyncSender<Words>),
    GetReady,
}

impl Decoder {
    /// Of free speech, or of a grammar and nothing else.
    pub fn new(model: &Shared, rate: u32, grammar: Option<Grammar>) -> Result<Decoder, String> {
        let told = Arc::new(Told::default());
        let spare = grammar.is_none().then(|| model.0.decoders.take(&rate)).flatten();
        let is_ready = spare.is_some();
        let Warm { recognizer, samples } = match spare {
            Some(spare) => spare,
            None => Warm { recognizer: recognizer(&model.read(), rate, grammar.as_ref())?, samples: 0 },
        };
        let decoding = Decoding {
            model: model.clone(),
            recognizer,
            grammar,
            rate,
            told: told.clone(),
            utterance: 0,
            samples,
            said: Said::starting_at(samples as f32 / rate as f32),
            pieces: 0,
        };
        let (orders, to_thread) = sync_channel(MOST_BEHIND);
        let thread = Builder::new().name("decoder".to_owned()).spawn(move || decoding.run(&to_thread));
        let thread = thread.map_err(|error| format!("no thread can be started: {error}"))?;
        Ok(Decoder { orders: Some(orders), told, thread: Some(thread), is_ready })
    }

    pub fn audio(&mut self, pcm: &[i16]) -> Result<(), String> {
        self.is_ready = true;
        let utterance = self.told.lock().utterance;
        self.order(Order::Audio(utterance, pcm.to_vec()))
    }

    /// The words so far, as far as it has come.
    pub fn so_far(&self) -> String {
        self.told.lock().text.clone()
    }

    /// The words so far, of all that it was given.
    pub fn caught_up(&mut self) -> Result<String, String> {
        let caught_up = self.ask(Order::CatchUp)?;
        self.answer(&caught_up)?;
        Ok(self.so_far())
    }

    /// Where the words of the utterance until now, which may be all, will be told.
    pub fn conclude(&mut self) -> Result<Receiver<Words>, String> {
        let utterance = self.told.lock().utterance;
        self.ask(|answer| Order::Conclude(utterance, answer))
    }

    /// What it was asked, once it is there.
    pub fn answer<T>(&mut self, asked: &Receiver<T>) -> Result<T, String> {
        asked.recv().map_err(|_| self.fault())
    }

    /// What it was asked, if it is there in time.
    pub fn answer_within<T>(&mut self, asked: &Receiver<T>, patience: Duration) -> Result<Option<T>, String> {
        match asked.recv_timeout(patience) {
            Ok(answer) => Ok(Some(answer)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(self.fault()),
        }
    }

    /// The next utterance begins; what is left of this one is dropped.
    pub fn forget(&mut self) {
        self.told.next_utterance();
    }

    pub fn get_ready(&mut self) -> Result<(), String> {
        if std::mem::replace(&mut self.is_ready, true) { Ok(()) } else { self.order(Order::GetReady) }
    }

    fn order(&mut self, order: Order) -> Result<(), String> {
        let sent = self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok());
        if sent { Ok(()) } else { Err(self.fault()) }
    }

    fn ask<T>(&mut self, order: impl FnOnce(SyncSender<T>) -> Order) -> Result<Receiver<T>, String> {
        let (answer, answered) = sync_channel(1);
        self.order(order(answer))?;
        Ok(answered)
    }

    /// Why the thread has ended.
    fn fault(&mut self) -> String {
        self.orders = None;
        let ended = self.thread.take().map(JoinHandle::join);
        match ended {
            Some(Ok(Err(fault))) => fault,
            _ => "the decoder has ended".to_owned(),
        }
    }
}

impl Drop for Decoder {
    /// Once it is gone its processor is free.
    fn drop(&mut self) {
        self.told.next_utterance();
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's side.
struct Decoding {
    model: Shared,
    recognizer: Recognizer,
    /// What the recogniser is kept to, where it is.
    grammar: Option<Grammar>,
    rate: u32,
    told: Arc<Told>,
    /// The utterance that the recogniser is in.
    utterance: u64,
    /// Samples since the recogniser was made: its clock.
    samples: u64,
    said: Said,
    /// Pieces of audio of which the recogniser has not concluded what was said.
    pieces: u32,
}

impl Decoding {
    fn run(mut self, orders: &Receiver<Order>) -> Result<(), String> {
        for order in orders {
            match order {
                Order::Audio(utterance, pcm) if self.begin(utterance) => self.audio(&pcm)?,
                Order::Audio(..) => {}
                Order::CatchUp(answer) => {
                    self.tell();
                    let _ = answer.send(());
                }
                Order::Conclude(utterance, answer) => {
                    self.begin(utterance);
                    let _ = answer.send(self.conclude());
                }
                Order::GetReady => {
                    self.samples += warm(&mut self.recognizer, self.rate);
                    self.begin_anew();
                }
            }
        }
        self.rest();
        Ok(())
    }

    /// Free speech is what the next caller wants too; nothing of this one is left in it.
    fn rest(mut self) {
        if self.grammar.is_some() || self.samples > TIRED * u64::from(self.rate) {
            return;
        }
        self.conclude();
        let Decoding { model, recognizer, samples, rate, .. } = self;
        model.0.decoders.give(rate, Warm { recognizer, samples });
    }

    /// Whether the audio of this utterance is wanted still; forgets what came of another.
    fn begin(&mut self, utterance: u64) -> bool {
        let wanted = utterance == self.told.lock().utterance;
        if wanted && utterance != self.utterance {
            self.utterance = utterance;
            if self.pieces > 0 {
                self.recognizer.reset();
            }
            self.begin_anew();
        }
        wanted
    }

    fn begin_anew(&mut self) {
        self.said = Said::starting_at(self.samples as f32 / self.rate as f32);
        self.pieces = 0;
    }

    fn audio(&mut self, pcm: &[i16]) -> Result<(), String> {
        self.samples += pcm.len() as u64;
        self.pieces += 1;
        match self.recognizer.accept_waveform(pcm).map_err(|error| error.to_string())? {
            DecodingState::Failed => return Err("Vosk cannot decode this audio".to_owned()),
            DecodingState::Finalized => add(&mut self.said, self.recognizer.result()),
            DecodingState::Running if !self.pieces.is_multiple_of(PIECES) => return Ok(()),
            DecodingState::Running => {}
        }
        self.tell();
        Ok(())
    }

    /// The words so far, unless their utterance is over.
    fn tell(&mut self) {
        let text = self.said.so_far(self.recognizer.partial_result().partial);
        let text = self.as_hinted(text);
        let mut so_far = self.told.lock();
        if so_far.utterance == self.utterance {
            so_far.text = text;
        }
    }

    fn conclude(&mut self) -> Words {
        if std::mem::take(&mut self.pieces) > 0 {
            add(&mut self.said, self.recognizer.final_result());
        }
        let mut words = self.said.clone().finish();
        words.text = self.as_hinted(words.text);
        words
    }

    /// A phrase that is all that is listened for, as it was hinted.
    fn as_hinted(&self, text: String) -> String {
        self.grammar.as_ref().and_then(|grammar| grammar.whole(&text)).map(str::to_owned).unwrap_or(text)
    }
}
