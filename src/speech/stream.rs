//! One conversation's ear: audio in, `Hearing` out. Finds the utterances, gives them to an engine, and makes sure that
//! after every `Ended` something comes in bounded time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::link::{Link, Order, Report};
use super::message::{MOST_ALTERNATIVES, Words};
use super::sounds::{FromMedia, Sound};
use super::{Ready, Request};
use crate::audio::{EndPointer, Turn};
use crate::heard::{Heard, HeardWord, Hearing, Hints, Pauses, SpeechFailure};
use crate::web::metrics::{SPEECH_FAILED, SPEECH_TIME};

pub const CONTROLS: usize = 16;
/// Audio before the start of speech that an engine is given as well: the first word is often soft, and over a prompt only a
/// voice that is louder than its echo counts.
const BEFORE: Duration = Duration::from_millis(400);
const PIECE: Duration = Duration::from_millis(20);
/// Pieces that are kept for that: what the end-pointer needs to be sure comes on top.
const KEPT: usize = 32;
/// Audio that waits for an engine which is still starting: 4 s.
const WAITING: usize = 200;
/// Utterances whose words are awaited at once. A caller does not speak faster than that.
const AWAITED: usize = 4;
/// Silence after which an utterance that is one of the hinted phrases, whole, is over.
const COMPLETE: Duration = Duration::from_millis(240);
/// Silence after which an engine is told that this may have been all. Between the words of a sentence it is seldom as long;
/// where it is, an engine of whole utterances has worked in vain.
const PAUSE: Duration = Duration::from_millis(240);

#[derive(Clone, Debug)]
pub enum Control {
    Hints(Hints),
    Pauses(Pauses),
    /// Forget the utterance under way.
    Discard,
}

/// What the task is given at its start.
pub struct Inputs {
    pub sounds: FromMedia,
    pub controls: mpsc::Receiver<Control>,
}

pub type Tell = Box<dyn Fn(Hearing) + Send>;

/// An utterance that has ended and whose words are awaited.
struct Awaited {
    utterance: u64,
    ended: Instant,
    duration: Duration,
    /// Of the audio that the engine was given, this lies before the start of speech.
    before: Duration,
}

pub struct Ear {
    request: Request,
    pointer: EndPointer,
    pauses: Pauses,
    tell: Tell,
    /// The latest pieces, for the start of an utterance.
    kept: VecDeque<Vec<i16>>,
    /// Orders for an engine that is not there yet.
    waiting: Vec<Order>,
    link: Option<(Ready, Link)>,
    utterance: u64,
    /// Audio of the utterance under way that the engine was given, and how much of it came before speech.
    given: Duration,
    before: Duration,
    /// The engine was told of the silence that lasts.
    paused: bool,
    partial: String,
    awaited: VecDeque<Awaited>,
}

impl Ear {
    pub fn new(request: Request, tell: Tell) -> Ear {
        let pauses = request.pauses;
        Ear {
            pointer: EndPointer::new(request.sample_rate_hz, pauses.end, pauses.longest),
            pauses,
            request,
            tell,
            kept: VecDeque::with_capacity(KEPT),
            waiting: Vec::new(),
            link: None,
            utterance: 0,
            given: Duration::ZERO,
            before: Duration::ZERO,
            paused: false,
            partial: String::new(),
            awaited: VecDeque::new(),
        }
    }

    /// Until the stream is dropped or nothing can be heard any more. `connect` gives the link, or says why there is none.
    pub async fn listen(
        mut self,
        mut inputs: Inputs,
        connect: impl Future<Output = Result<(Ready, Link), SpeechFailure>>,
    ) {
        let mut connect = std::pin::pin!(connect);
        let failure = loop {
            let deadline = self.deadline();
            let step = tokio::select! {
                biased;
                connected = &mut connect, if self.link.is_none() => match connected {
                    Ok((ready, link)) => self.connected(ready, link),
                    Err(failure) => Err(failure),
                },
                report = next(&mut self.link) => self.reported(report),
                () = at(deadline) => Err(self.late()),
                control = inputs.controls.recv() => match control {
                    None => return,
                    Some(control) => self.control(control),
                },
                sound = inputs.sounds.next() => match sound {
                    None => return,
                    Some(sound) => self.hear(&sound),
                },
            };
            if let Err(failure) = step {
                break failure;
            }
        };
        metrics::counter!(SPEECH_FAILED, "reason" => failure.name()).increment(1);
        (self.tell)(Hearing::Failed(failure));
    }

    fn engine(&self) -> String {
        self.link.as_ref().map_or_else(String::new, |(ready, _)| ready.engine.clone())
    }

    fn connected(&mut self, ready: Ready, link: Link) -> Result<(), SpeechFailure> {
        (self.tell)(Hearing::Ready { engine: ready.engine.clone() });
        self.link = Some((ready, link));
        // The hints went with the request; later ones wait among the orders.
        for order in std::mem::take(&mut self.waiting) {
            self.order(order)?;
        }
        Ok(())
    }

    fn order(&mut self, order: Order) -> Result<(), SpeechFailure> {
        let Some((ready, link)) = &self.link else {
            if self.waiting.len() < WAITING {
                self.waiting.push(order);
                return Ok(());
            }
            let reason = "still starting while the caller speaks".to_owned();
            return Err(SpeechFailure::Unavailable { engine: self.engine(), reason });
        };
        match link.orders.try_send(order) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(SpeechFailure::TooSlow { engine: ready.engine.clone() }),
            // Why, is among the reports.
            Err(TrySendError::Closed(_)) => Ok(()),
        }
    }

    fn control(&mut self, control: Control) -> Result<(), SpeechFailure> {
        match control {
            Control::Hints(hints) => {
                self.request.hints = hints.clone();
                self.order(Order::Hints(hints))
            }
            Control::Pauses(pauses) => {
                self.pauses = pauses;
                self.pointer.set_pauses(pauses.end, pauses.longest);
                Ok(())
            }
            Control::Discard => {
                let speaking = self.pointer.is_speaking();
                self.pointer.discard();
                if speaking { self.order(Order::Discard) } else { Ok(()) }
            }
        }
    }

    fn hear(&mut self, sound: &Sound) -> Result<(), SpeechFailure> {
        let was_speaking = self.pointer.is_speaking();
        let turn = self.pointer.hear(sound.samples(), sound.played);
        if was_speaking {
            self.given += PIECE;
            self.order(Order::Audio(sound.samples().to_vec()))?;
        } else {
            if self.kept.len() == KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back(sound.samples().to_vec());
        }
        match turn {
            Some(Turn::Began { ago }) => self.began(ago),
            Some(Turn::Ended { voiced, .. }) => self.ended(voiced),
            None if was_speaking && self.is_complete() => {
                let voiced = self.pointer.finish();
                self.ended(voiced)
            }
            None if was_speaking => self.pause_or_go_on(),
            None => Ok(()),
        }
    }

    /// Everything that was hinted has been said, and a breath after it.
    fn is_complete(&self) -> bool {
        let Hints { phrases, only, whole, .. } = &self.request.hints;
        (*only || *whole)
            && self.pointer.silence() >= COMPLETE
            && phrases.iter().any(|phrase| is(phrase, &self.partial))
    }

    /// Tells the engine when the speaker falls silent, and when that was only a pause.
    fn pause_or_go_on(&mut self) -> Result<(), SpeechFailure> {
        let pauses = self.pointer.silence() >= PAUSE;
        if pauses == self.paused {
            return Ok(());
        }
        self.paused = pauses;
        self.order(if pauses { Order::Pause } else { Order::GoOn })
    }

    fn began(&mut self, ago: Duration) -> Result<(), SpeechFailure> {
        (self.tell)(Hearing::Started);
        self.utterance += 1;
        self.paused = false;
        self.partial.clear();
        let pieces = (ago + BEFORE).as_millis().div_ceil(PIECE.as_millis());
        let first = self.kept.len().saturating_sub(usize::try_from(pieces).unwrap_or(KEPT));
        let kept: Vec<Vec<i16>> = self.kept.drain(..).skip(first).collect();
        self.given = PIECE * u32::try_from(kept.len()).unwrap_or(0);
        self.before = self.given.saturating_sub(ago);
        kept.into_iter().try_for_each(|pcm| self.order(Order::Audio(pcm)))
    }

    fn ended(&mut self, voiced: Duration) -> Result<(), SpeechFailure> {
        if voiced < self.pauses.shortest {
            (self.tell)(Hearing::Nothing);
            return self.order(Order::Discard);
        }
        (self.tell)(Hearing::Ended);
        let duration = self.given.saturating_sub(self.before).saturating_sub(self.pointer.last_silence());
        let awaited = Awaited { utterance: self.utterance, ended: Instant::now(), duration, before: self.before };
        self.awaited.push_back(awaited);
        if self.awaited.len() > AWAITED {
            return Err(SpeechFailure::TooSlow { engine: self.engine() });
        }
        self.order(Order::Finish(self.utterance))
    }

    fn reported(&mut self, report: Option<Report>) -> Result<(), SpeechFailure> {
        match report {
            None => Err(SpeechFailure::Died { engine: self.engine() }),
            Some(Report::Failed(failure)) => Err(failure),
            Some(Report::Partial(text)) => {
                if text != self.partial && self.pointer.is_speaking() {
                    self.partial.clone_from(&text);
                    (self.tell)(Hearing::Partial { text });
                }
                Ok(())
            }
            Some(Report::Final(words)) => {
                self.finished(words);
                Ok(())
            }
        }
    }

    fn finished(&mut self, words: Words) {
        // An engine answers in order; what it passed over will not come.
        while let Some(awaited) = self.awaited.pop_front() {
            if awaited.utterance == words.utterance {
                let latency = awaited.ended.elapsed();
                metrics::histogram!(SPEECH_TIME, "engine" => self.engine()).record(latency.as_secs_f64());
                (self.tell)(Hearing::Final(heard(words, &awaited, latency, self.engine())));
                return;
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let within = self.link.as_ref().map_or(super::STARTS_WITHIN, |(ready, _)| ready.answer_within);
        self.awaited.front().map(|awaited| awaited.ended + within)
    }

    fn late(&self) -> SpeechFailure {
        let waited = self.awaited.front().map_or(Duration::ZERO, |awaited| awaited.ended.elapsed());
        SpeechFailure::Late { engine: self.engine(), after_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX) }
    }
}

/// Whether a phrase is what was said, whatever the engine thinks of capitals and full stops.
fn is(phrase: &str, said: &str) -> bool {
    let letters = |text: &str| -> Vec<String> {
        let plain = text.to_lowercase().replace(|letter: char| !letter.is_alphanumeric() && letter != '\'', " ");
        plain.split_whitespace().map(str::to_owned).collect()
    };
    let said = letters(said);
    !said.is_empty() && letters(phrase) == said
}

fn heard(words: Words, awaited: &Awaited, latency: Duration, engine: String) -> Heard {
    let words_heard = words.words.into_iter().map(|word| {
        let mut word = HeardWord::from(word);
        word.start = word.start.saturating_sub(awaited.before);
        word.end = word.end.saturating_sub(awaited.before);
        word
    });
    let mut alternatives = words.alternatives;
    alternatives.truncate(MOST_ALTERNATIVES);
    Heard {
        text: words.text,
        alternatives,
        confidence: words.confidence.clamp(0.0, 1.0),
        words: words_heard.collect(),
        engine,
        duration: awaited.duration,
        latency,
    }
}

async fn next(link: &mut Option<(Ready, Link)>) -> Option<Report> {
    match link {
        Some((_, link)) => link.reports.recv().await,
        None => std::future::pending().await,
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
