//! Writing a recording: the engine's thread hands over what it takes in, and never waits; a thread of its own writes.
//! When that does not keep up, or the disk refuses, the recording ends and says so.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};

use super::secrets::Secrets;
use super::{End, Entry, Happening, Heading, Start, VERSION};
use crate::engine::Input;
use crate::time::Now;

/// Inputs that may wait for the disk.
const WAITING: usize = 8_192;

/// How large a recording may become.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Octets; the last entry may go beyond.
    pub most: u64,
    /// Inputs that may wait to be written.
    pub waiting: usize,
}

/// Why there is no recording.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    #[error("{} is there already and is not overwritten; move it away, or name another file", .0.display())]
    Present(PathBuf),
    #[error("cannot record inputs in {}: {error}; name a file in a folder that the service may write to", .path.display())]
    File { path: PathBuf, error: io::Error },
}

/// A recording under way.
pub struct InputLog {
    entries: Sender<(Now, Happening)>,
    overrun: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl InputLog {
    /// Makes the file, readable by its owner alone, of at most about `most` octets.
    pub fn begin(path: &Path, most: u64, start: Start, at: Now) -> Result<InputLog, BeginError> {
        let file = File::options().write(true).create_new(true).mode(0o600).open(path).map_err(|error| match error
            .kind()
        {
            io::ErrorKind::AlreadyExists => BeginError::Present(path.to_owned()),
            _ => BeginError::File { path: path.to_owned(), error },
        })?;
        InputLog::to(file, path.display().to_string(), Bounds { most, waiting: WAITING }, start, at)
            .map_err(|error| BeginError::File { path: path.to_owned(), error })
    }

    /// To anything that can be written to; `name` is for the log.
    pub fn to(
        out: impl Write + Send + 'static,
        name: String,
        bounds: Bounds,
        start: Start,
        at: Now,
    ) -> io::Result<InputLog> {
        let (entries, waiting) = bounded(bounds.waiting);
        let overrun = Arc::new(AtomicBool::new(false));
        let too_slow = overrun.clone();
        let out = Lines { out: BufWriter::with_capacity(1 << 16, out), written: 0, line: Vec::new() };
        let write = move || match out.write(&waiting, bounds.most, start, at, &too_slow) {
            Ok(End::Stopped) => tracing::info!("the recording of inputs in {name} has ended with the process"),
            Ok(End::Full) => tracing::warn!("the recording of inputs in {name} has ended: it has the size allowed"),
            Ok(End::TooSlow) => tracing::warn!("the recording of inputs in {name} has ended: the disk is too slow"),
            Err(error) => tracing::warn!("the recording of inputs in {name} has ended: {error}"),
        };
        let thread = std::thread::Builder::new().name("input-log".to_owned()).spawn(write)?;
        Ok(InputLog { entries, overrun, thread })
    }

    /// Never waits. False: the recording has ended, and the log says why.
    pub fn take(&self, input: &Input, at: Now) -> bool {
        match self.entries.try_send((at, Happening::Input(input.clone()))) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.overrun.store(true, Ordering::Release);
                false
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }

    /// Waits until everything is written.
    pub fn close(self) {
        drop(self.entries);
        // A panic of that thread has been printed.
        let _ = self.thread.join();
    }
}

struct Lines<W: Write> {
    out: BufWriter<W>,
    written: u64,
    line: Vec<u8>,
}

impl<W: Write> Lines<W> {
    fn write(
        mut self,
        waiting: &Receiver<(Now, Happening)>,
        most: u64,
        start: Start,
        mut at: Now,
        too_slow: &AtomicBool,
    ) -> io::Result<End> {
        let heading = Heading { relais_inputs: VERSION, relais: env!("CARGO_PKG_VERSION").to_owned() };
        self.put(&heading)?;
        let mut secrets = Secrets::default();
        let mut n = 1;
        let what = secrets.remove(Happening::Start(Box::new(start)));
        self.put(&Entry { n, at, what })?;
        let end = loop {
            if self.written >= most {
                break End::Full;
            }
            let Some((then, happening)) = self.next(waiting)? else {
                break if too_slow.load(Ordering::Acquire) { End::TooSlow } else { End::Stopped };
            };
            at = then;
            n += 1;
            self.put(&Entry { n, at, what: secrets.remove(happening) })?;
        };
        self.put(&Entry { n: n + 1, at, what: Happening::End(end) })?;
        self.out.flush()?;
        Ok(end)
    }

    /// Whoever waits finds all that came before in the file.
    fn next(&mut self, waiting: &Receiver<(Now, Happening)>) -> io::Result<Option<(Now, Happening)>> {
        match waiting.try_recv() {
            Ok(entry) => Ok(Some(entry)),
            Err(TryRecvError::Disconnected) => Ok(None),
            Err(TryRecvError::Empty) => {
                self.out.flush()?;
                Ok(waiting.recv().ok())
            }
        }
    }

    fn put(&mut self, line: &impl serde::Serialize) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line)?;
        self.line.push(b'\n');
        self.written += self.line.len() as u64;
        self.out.write_all(&self.line)
    }
}
