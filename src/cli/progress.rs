//! How far a long run has come, on standard error: nothing is said of what takes less than two seconds.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

const SILENT: Duration = Duration::from_secs(2);

pub struct Progress {
    what: &'static str,
    began: Instant,
    next: Instant,
    /// On a terminal one line is written over and over; elsewhere, as in a log, there are few.
    terminal: bool,
    written: bool,
}

impl Progress {
    pub fn new(what: &'static str) -> Progress {
        let began = Instant::now();
        Progress { what, began, next: began + SILENT, terminal: std::io::stderr().is_terminal(), written: false }
    }

    /// `done` goes from 0 to 1.
    pub fn tell(&mut self, done: f64) {
        self.say(|passed| {
            let left = passed.as_secs_f64() * (1.0 / done.max(1e-6) - 1.0);
            format!("{:.0} %, about {left:.0} s left", (done * 100.0).floor())
        });
    }

    /// Where nobody knows how many there are.
    pub fn tell_count(&mut self, count: u64, of: &str) {
        self.say(|_| format!("{count} {of}"));
    }

    fn say(&mut self, words: impl FnOnce(Duration) -> String) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + if self.terminal { Duration::from_millis(250) } else { Duration::from_secs(10) };
        let (before, after) = if self.terminal { ("\r", "\u{1b}[K") } else { ("", "\n") };
        // Nobody may be reading.
        let _ = write!(std::io::stderr(), "{before}{}: {}{after}", self.what, words(now - self.began));
        self.written = true;
    }
}

/// Whatever is printed next begins on a clean line.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal && self.written {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }
}
