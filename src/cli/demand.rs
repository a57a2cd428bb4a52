//! How calls, times and targets are written on the command line, and in files of counts.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

use super::plain;
use crate::staffing::Target;

/// Of a file of counts.
const LARGEST_FILE: u64 = 4 << 20;
const MOST_INTERVALS: usize = 50_000;

/// So many calls in such a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub calls: f64,
    pub per: Duration,
}

impl Rate {
    pub fn per_second(&self) -> f64 {
        self.calls / self.per.as_secs_f64()
    }
}

/// A rate, or a file of counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Demand {
    Rate(Rate),
    File(PathBuf),
}

/// The calls of one interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    /// As the file names it; its line's number where it does not.
    pub interval: String,
    pub calls: f64,
}

/// `240s`, `4m`, `1h30m`: from a second to a day.
pub fn parse_time(text: &str) -> Result<Duration, String> {
    let how = "write a number and its unit, as in 240s, 4m or 1h30m, from 1s to 24h";
    let span = text.parse::<Span>().ok();
    let time = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    let time = time.and_then(|time| Duration::try_from(time).ok());
    let fits = |time: &Duration| (Duration::from_secs(1)..=Duration::from_secs(86_400)).contains(time);
    time.filter(fits).ok_or_else(|| format!("'{}' is no such length of time; {how}", plain(text)))
}

/// How long a waiting caller stays on average; `None`: until the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience(pub Option<Duration>);

/// `90s`, or `none` where nobody gives up.
pub fn parse_patience(text: &str) -> Result<Patience, String> {
    match text {
        "none" => Ok(Patience(None)),
        _ => parse_time(text)
            .map(|mean| Patience(Some(mean)))
            .map_err(|message| format!("{message}, or none where nobody gives up")),
    }
}

/// `300/h`, `150/30m`.
pub fn parse_rate(text: &str) -> Result<Rate, String> {
    let how = || format!("'{}' is no number of calls in a time; write 300/h or 150/30m", plain(text));
    let (calls, per) = text.split_once('/').ok_or_else(how)?;
    let calls = parse_count(calls).filter(|calls| *calls > 0.0).ok_or_else(how)?;
    let per =
        if per.starts_with(|c: char| c.is_ascii_digit()) { parse_time(per) } else { parse_time(&format!("1{per}")) };
    Ok(Rate { calls, per: per.map_err(|_| how())? })
}

/// What begins like a rate is one; anything else names a file.
pub fn parse_demand(text: &str) -> Result<Demand, String> {
    match text.split_once('/').map(|(calls, _)| parse_count(calls)) {
        Some(Some(_)) => parse_rate(text).map(Demand::Rate),
        _ if parse_count(text).is_some() => parse_rate(text).map(Demand::Rate),
        _ => Ok(Demand::File(text.into())),
    }
}

/// `80/20`: 80 % of the calls within 20 seconds.
pub fn parse_target(text: &str) -> Result<Target, String> {
    let how =
        "write 80/20 for 80 % of the calls within 20 seconds; the share is from 1 to 99.9, the time from 0 to 3600";
    let (share, within) = text.split_once('/').ok_or(how)?;
    let share = parse_count(share.trim_end_matches('%')).filter(|share| (1.0..=99.9).contains(share)).ok_or(how)?;
    let within = parse_count(within.trim_end_matches('s')).filter(|within| *within <= 3_600.0).ok_or(how)?;
    Ok(Target { share: share / 100.0, within })
}

fn parse_count(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|count: &f64| count.is_finite() && *count >= 0.0)
}

/// Reads a CSV file with a line for each interval. The count stands in the column `calls`, or in the last one where the
/// first line is no header; the first column, if it is another, names the interval.
pub fn read_counts(path: &Path) -> Result<Vec<Count>, String> {
    let name = path.display();
    let unreadable = |error: &dyn std::fmt::Display| format!("{name}: cannot be read: {error}");
    let mut text = String::new();
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    file.take(LARGEST_FILE + 1).read_to_string(&mut text).map_err(|error| unreadable(&error))?;
    if text.len() as u64 > LARGEST_FILE {
        return Err(format!("{name}: is larger than {LARGEST_FILE} bytes; a file of counts has one line an interval"));
    }
    counts(&text).map_err(|message| format!("{name}:{message}"))
}

/// The message begins with the line.
fn counts(text: &str) -> Result<Vec<Count>, String> {
    let text = text.trim_start_matches('\u{feff}');
    // Spreadsheets of some countries write semicolons.
    let semicolons = text.lines().next().is_some_and(|line| line.contains(';') && !line.contains(','));
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(if semicolons { b';' } else { b',' })
        .from_reader(text.as_bytes());
    let mut counts = Vec::new();
    let mut column = None;
    for (nth, record) in reader.records().enumerate() {
        let record = record.map_err(|error| format!("1: {error}"))?;
        let line = record.position().map_or(1, csv::Position::line);
        if nth == 0 && record.get(record.len().saturating_sub(1)).is_none_or(|last| parse_count(last).is_none()) {
            let named = record.iter().position(|name| name.eq_ignore_ascii_case("calls"));
            column = Some(
                named.ok_or_else(|| format!("{line}: no column is named 'calls'; name the one with the counts so"))?,
            );
            continue;
        }
        let at = column.unwrap_or(record.len().saturating_sub(1));
        let calls = record.get(at).and_then(parse_count).ok_or_else(|| {
            let found = record.get(at).unwrap_or_default();
            format!("{line}: '{}' is no number of calls; write a number that is not negative", plain(found))
        })?;
        let label = record.get(0).filter(|_| at > 0).map_or_else(|| line.to_string(), str::to_owned);
        counts.push(Count { interval: label, calls });
        if counts.len() > MOST_INTERVALS {
            return Err(format!("{line}: more than {MOST_INTERVALS} intervals; split the file"));
        }
    }
    match counts.iter().any(|count| count.calls > 0.0) {
        true => Ok(counts),
        false => {
            Err("1: no call is counted; write a line 'interval,calls' and one with a count for each interval".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, f64)>, String> {
        counts(text).map(|counts| counts.into_iter().map(|count| (count.interval, count.calls)).collect())
    }

    #[test]
    fn rates_times_and_targets_are_read_as_people_write_them() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        assert_eq!(parse_time("240s"), Ok(minutes(4)));
        assert_eq!(parse_time("1h30m"), Ok(minutes(90)));
        assert_eq!(parse_patience("90s"), Ok(Patience(Some(Duration::from_secs(90)))));
        assert_eq!(parse_patience("none"), Ok(Patience(None)));
        assert_eq!(parse_rate("300/h"), Ok(Rate { calls: 300.0, per: minutes(60) }));
        assert_eq!(parse_rate("150.5/30m"), Ok(Rate { calls: 150.5, per: minutes(30) }));
        assert_eq!(parse_rate("1000000/d").map(|rate| rate.per), Ok(minutes(24 * 60)));
        assert_eq!(parse_target("80/20"), Ok(Target { share: 0.8, within: 20.0 }));
        assert_eq!(parse_target("99.5%/10s"), Ok(Target { share: 0.995, within: 10.0 }));
        assert_eq!(parse_demand("days/monday.csv"), Ok(Demand::File("days/monday.csv".into())));
        assert!(matches!(parse_demand("300/h"), Ok(Demand::Rate(_))));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_remedy() {
        for text in ["", "240", "-4m", "0s", "25h", "4 parsecs", "999999999999999999h"] {
            assert!(parse_time(text).unwrap_err().contains("as in 240s"), "{text}");
        }
        assert!(parse_patience("nobody").unwrap_err().ends_with("or none where nobody gives up"));
        for text in ["300", "/h", "0/h", "-3/h", "nan/h", "inf/h", "300/x", "300/0s", "1e400/h"] {
            assert!(parse_rate(text).unwrap_err().contains("write 300/h"), "{text}");
        }
        for text in ["80", "0/20", "100/20", "80/-1", "80/x", "eighty/20", "80/4000"] {
            assert!(parse_target(text).unwrap_err().contains("write 80/20"), "{text}");
        }
        assert!(parse_demand("300").is_err() && parse_demand("300/x").is_err());
    }

    #[test]
    fn counts_stand_in_the_column_calls_or_the_last_one() {
        let expected = vec![("08:00".to_owned(), 12.0), ("08:30".to_owned(), 40.5)];
        for text in [
            "interval,calls\n08:00,12\n08:30,40.5\n",
            "\u{feff}Interval;Calls\r\n08:00;12\r\n08:30;40.5\r\n",
            "from,calls,note\n08:00, 12 ,\n08:30,40.5,fair",
            "08:00,12\n08:30,40.5",
        ] {
            assert_eq!(read(text), Ok(expected.clone()), "{text}");
        }
        assert_eq!(read("12\n40"), Ok(vec![("1".into(), 12.0), ("2".into(), 40.0)]));
        assert_eq!(read("calls\n12"), Ok(vec![("2".into(), 12.0)]));
    }

    #[test]
    fn a_bad_line_is_named() {
        assert_eq!(
            read("interval,calls\n08:00,many\n"),
            Err("2: 'many' is no number of calls; write a number that is not negative".into())
        );
        assert!(read("08:00,12\n08:30,-1\n").unwrap_err().starts_with("2: '-1' is no number"));
        assert!(read("when,how many\n08:00,12\n").unwrap_err().contains("no column is named 'calls'"));
        for text in ["", "calls\n", "calls\n0\n"] {
            assert!(read(text).unwrap_err().contains("no call is counted"), "{text}");
        }
    }
}
