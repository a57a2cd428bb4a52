//! Every prompt in every codec, ready to send.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::decode::{Pcm, decode_file};
use super::{Finding, Index, PromptError};
use crate::audio::{Encoder, Resampler, sample_rate_hz};
use crate::ids::Language;
use crate::settings::Codec;

pub(super) const MAX_LIBRARY_OCTETS: usize = 512 * 1024 * 1024;

const CODECS: [Codec; 3] = [Codec::Pcmu, Codec::Pcma, Codec::G722];

/// Prompts end on a whole packet of 20 ms.
const BLOCK: Duration = Duration::from_millis(20);

/// A prompt in one codec, shared by all calls that hear it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    pub codec: Codec,
    /// Code words without headers, whole blocks of 20 ms; any slice at a multiple of `bytes_per_ms` can be sent.
    pub frames: Bytes,
    pub bytes_per_ms: usize,
}

impl Encoded {
    pub fn duration(&self) -> Duration {
        Duration::from_millis((self.frames.len() / self.bytes_per_ms.max(1)) as u64)
    }
}

/// One recording in all codecs, in the order of `CODECS`.
type Take = [Arc<Encoded>; 3];

/// What tells that a file was written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    octets: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Stamp> {
        let about = std::fs::metadata(path).ok()?;
        Some(Stamp { modified: about.modified().ok()?, octets: about.len() })
    }
}

/// A file that was read.
#[derive(Debug)]
struct Source {
    stamp: Option<Stamp>,
    take: Take,
}

/// All prompts, decoded and encoded. Immutable: a reload builds a new one and puts it in the place of the old, whose
/// sounds live on as long as a call plays them.
#[derive(Debug, Default)]
pub struct Library {
    default: Option<Language>,
    prompts: HashMap<String, Takes>,
    sources: HashMap<PathBuf, Source>,
}

#[derive(Debug, Default)]
struct Takes {
    neutral: Option<Take>,
    by_language: Vec<(Language, Take)>,
}

impl Library {
    /// Reads every prompt of `folders` (the later folder wins) in `languages` (the first is the default). What is
    /// missing or unreadable is told in the findings and left out. Takes all cores until it is done.
    pub fn load(folders: &[PathBuf], languages: &[Language]) -> (Library, Vec<Finding>) {
        let (index, mut findings) = Index::scan(folders, languages);
        let (library, unreadable) = Library::fill(&index);
        findings.extend(unreadable);
        findings.sort();
        (library, findings)
    }

    /// Decodes and encodes the files of an index.
    pub fn fill(index: &Index) -> (Library, Vec<Finding>) {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Library::fill_with(index, threads, None)
    }

    /// The same folders read again: only files that were written anew are decoded, one after the other, so that calls
    /// are not disturbed. A file that cannot be read any more is found, and its old sound stays.
    pub fn refresh(&self, folders: &[PathBuf], languages: &[Language]) -> (Library, Vec<Finding>) {
        let (index, mut findings) = Index::scan(folders, languages);
        let (library, unreadable) = Library::fill_with(&index, 1, Some(self));
        findings.extend(unreadable);
        findings.sort();
        (library, findings)
    }

    fn fill_with(index: &Index, threads: usize, before: Option<&Library>) -> (Library, Vec<Finding>) {
        let jobs: Vec<_> = index.files().collect();
        let next = AtomicUsize::new(0);
        let room = AtomicUsize::new(MAX_LIBRARY_OCTETS);
        let work = || {
            let mut done = Vec::new();
            while let Some(&(name, language, path)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                // Looked at before the file is read: what is written meanwhile is noticed the next time.
                let stamp = Stamp::of(path);
                let known = before.and_then(|before| before.sources.get(path));
                let take = match known.filter(|known| stamp.is_some() && known.stamp == stamp) {
                    Some(known) => take_room(&room, octets_of(&known.take)).map(|()| known.take.clone()),
                    None => read_take(path, &room),
                };
                done.push((name, language, path, stamp, take));
            }
            done
        };
        let threads = threads.min(jobs.len());
        let done = std::thread::scope(|scope| {
            let workers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut done = work();
            // A worker cannot panic: decoders are caught. Were it to, its prompts would be missing and nothing else.
            done.extend(workers.into_iter().filter_map(|worker| worker.join().ok()).flatten());
            done
        });
        let default = index.languages().first().cloned();
        let mut library = Library { default, prompts: HashMap::new(), sources: HashMap::new() };
        let mut findings = Vec::new();
        for (name, language, path, stamp, take) in done {
            let known = before.and_then(|before| before.sources.get(path));
            let (stamp, take) = match (take, known) {
                (Ok(take), _) => (stamp, take),
                (Err(error), known) => {
                    findings.push(finding(path, &error));
                    let Some(known) = known else { continue };
                    (known.stamp, known.take.clone())
                }
            };
            library.insert(name, language, take.clone());
            library.sources.insert(path.to_owned(), Source { stamp, take });
        }
        findings.sort();
        (library, findings)
    }

    /// The sound of a prompt: in the language asked for, else the one that is the same in all, else in the default
    /// language. Only looks up: it is called on the media tick.
    pub fn encoded(&self, name: &str, language: &Language, codec: Codec) -> Option<Arc<Encoded>> {
        let takes = self.prompts.get(name)?;
        let default = || self.default.as_ref().and_then(|default| takes.in_language(default));
        let take = takes.in_language(language).or(takes.neutral.as_ref()).or_else(default)?;
        take.iter().find(|encoded| encoded.codec == codec).cloned()
    }

    /// Prompts held, each counted once whatever its languages.
    pub fn len(&self) -> usize {
        self.prompts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.prompts.is_empty()
    }

    fn insert(&mut self, name: &str, language: Option<&Language>, take: Take) {
        let takes = self.prompts.entry(name.to_owned()).or_default();
        match language {
            Some(language) => takes.by_language.push((language.clone(), take)),
            None => takes.neutral = Some(take),
        }
    }
}

impl Takes {
    fn in_language(&self, language: &Language) -> Option<&Take> {
        self.by_language.iter().find(|(known, _)| known == language).map(|(_, take)| take)
    }
}

fn finding(path: &Path, error: &PromptError) -> Finding {
    Finding::of_file(path, format!("the prompt {error}"), error.hint())
}

/// Decodes a file and encodes it in every codec, if that still fits into `room` octets.
fn read_take(path: &Path, room: &AtomicUsize) -> Result<Take, PromptError> {
    let pcm = decode_file(path)?;
    let seconds = pcm.samples.len() / pcm.rate_hz.max(1) as usize + 1;
    let octets = seconds * 1000 * CODECS.iter().map(|codec| bytes_per_ms(*codec)).sum::<usize>();
    take_room(room, octets)?;
    let narrow = Resampler::convert(&pcm.samples, pcm.rate_hz, 8000)?;
    let wide = Resampler::convert(&pcm.samples, pcm.rate_hz, 16_000)?;
    let narrow = Pcm { rate_hz: 8000, samples: narrow };
    let wide = Pcm { rate_hz: 16_000, samples: wide };
    Ok(CODECS.map(|codec| {
        let pcm = if sample_rate_hz(codec) == wide.rate_hz { &wide } else { &narrow };
        Arc::new(encode(pcm, codec))
    }))
}

fn take_room(room: &AtomicUsize, octets: usize) -> Result<(), PromptError> {
    let taken = room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| room.checked_sub(octets));
    taken.map(|_| ()).map_err(|_| PromptError::LibraryFull)
}

fn octets_of(take: &Take) -> usize {
    take.iter().map(|encoded| encoded.frames.len()).sum()
}

/// 64 kbit/s in each of the three; Opus is carried in one of them.
fn bytes_per_ms(codec: Codec) -> usize {
    match codec {
        Codec::Pcmu | Codec::Pcma | Codec::G722 | Codec::Opus => 8,
    }
}

fn encode(pcm: &Pcm, codec: Codec) -> Encoded {
    let bytes_per_ms = bytes_per_ms(codec);
    let block_samples = pcm.rate_hz as usize * BLOCK.as_millis() as usize / 1000;
    let blocks = pcm.samples.len().div_ceil(block_samples);
    let mut samples = pcm.samples.clone();
    samples.resize(blocks * block_samples, 0);
    let mut octets = vec![0; blocks * bytes_per_ms * BLOCK.as_millis() as usize];
    let written = Encoder::new(codec).encode(&samples, &mut octets);
    octets.truncate(written);
    Encoded { codec, frames: Bytes::from(octets), bytes_per_ms }
}
