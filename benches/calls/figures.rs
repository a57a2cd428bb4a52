//! Shares and quantiles with their intervals at 95 %.

use std::fmt;
use std::time::Duration;

const Z: f64 = 1.959_964;

/// So many of so many.
pub struct Share(pub usize, pub usize);

impl Share {
    pub fn of<T>(all: &[T], which: impl Fn(&T) -> bool) -> Share {
        Share(all.iter().filter(|one| which(one)).count(), all.len())
    }
}

impl fmt::Display for Share {
    /// With Wilson's interval.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (some, n) = (self.0 as f64, self.1.max(1) as f64);
        let p = some / n;
        let whole = 1.0 + Z * Z / n;
        let middle = (p + Z * Z / (2.0 * n)) / whole;
        let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt() / whole;
        let [p, low, high] = [p, middle - half, middle + half].map(|share| 100.0 * share);
        write!(f, "{p:.1} % ({} of {}; {low:.1} to {high:.1})", self.0, self.1)
    }
}

/// Times, for their median and 95th percentile.
pub struct Times(Vec<Duration>);

impl Times {
    pub fn new(times: impl IntoIterator<Item = Duration>) -> Times {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort_unstable();
        Times(times)
    }

    /// The quantile, and the order statistics between which it lies at 95 % (normal approximation of the binomial).
    fn quantile(&self, q: f64) -> Option<[Duration; 3]> {
        let last = self.0.len().checked_sub(1)?;
        let n = self.0.len() as f64;
        let half = Z * (n * q * (1.0 - q)).sqrt();
        let at = |rank: f64| self.0.get((rank.max(0.0) as usize).min(last)).copied();
        Some([at(n * q)?, at(n * q - half)?, at(n * q + half)?])
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, q) in [("p50", 0.5), ("p95", 0.95)] {
            let Some(found) = self.quantile(q) else { return write!(f, "no figures") };
            let [ms, low, high] = found.map(|time| time.as_millis());
            write!(f, "{name} {ms} ms ({low} to {high}), ")?;
        }
        let worst = self.0.last().copied().unwrap_or_default().as_millis();
        write!(f, "worst {worst} ms, of {}", self.0.len())
    }
}
