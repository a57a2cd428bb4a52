//! `relais cdr`: call records, the oldest first, also while the server runs.

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use super::plain;
use crate::record::{CallRecord, Outcome, Party};
use crate::store::{StoreError, read_records};

/// Prints every ended call once: a JSON object a line, or a table. Exit code 2 where there is no such folder, 1 where
/// the records cannot be read.
pub fn run(data: &Path, json: bool) -> ExitCode {
    let mut out = BufWriter::new(io::stdout().lock());
    match print(data, json, &mut out) {
        Ok(Ok(0)) => ExitCode::SUCCESS,
        Ok(Ok(unreadable)) => {
            eprintln!("{unreadable} records are not understood; a newer relais wrote them, or the database is damaged");
            ExitCode::FAILURE
        }
        // The reader of a pipe has seen enough.
        Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            eprintln!("cannot write: {error}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(if matches!(error, StoreError::NoFolder { .. }) { 2 } else { 1 })
        }
    }
}

/// Gives the number of records that were not understood, or why `out` took no more.
fn print(data: &Path, json: bool, out: &mut impl Write) -> Result<io::Result<u64>, StoreError> {
    let mut written = if json { Ok(()) } else { heading(out) };
    let unreadable = read_records(data, |record| {
        if written.is_ok() {
            written = if json { line(out, &record) } else { row(out, &record) };
        }
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(written.and_then(|()| out.flush()).map(|()| unreadable))
}

fn line(out: &mut impl Write, record: &CallRecord) -> io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")
}

fn heading(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{:<20} {:<16} {:<8} {:<12} {:<8} {:<12} {:<10} {:>8} {:>8} {:>8}  call_id",
        "started (UTC)", "from", "to", "queue", "agent", "outcome", "ended by", "wait", "talk", "wrap-up"
    )
}

fn row(out: &mut impl Write, record: &CallRecord) -> io::Result<()> {
    writeln!(
        out,
        "{:<20} {:<16} {:<8} {:<12} {:<8} {:<12} {:<10} {:>8} {:>8} {:>8}  {}",
        record.started_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        plain(&record.from),
        plain(&record.to),
        record.queue.as_ref().map_or("-", |queue| queue.as_str()),
        record.agent.as_ref().map_or("-", |agent| agent.as_str()),
        record.outcome.map_or("-", outcome),
        record.ended_by.map_or("-", party),
        seconds(record.wait_ms),
        seconds(record.talk_ms),
        seconds(record.acw_ms),
        record.call_id,
    )
}

fn seconds(ms: Option<u64>) -> String {
    ms.map_or_else(|| "-".to_owned(), |ms| format!("{}.{} s", ms / 1_000, ms % 1_000 / 100))
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Handled => "handled",
        Outcome::Abandoned => "abandoned",
        Outcome::Deterred => "deterred",
        Outcome::Overflowed => "overflowed",
        Outcome::Callback => "callback",
        Outcome::Voicemail => "voicemail",
        Outcome::SelfService => "self-service",
        Outcome::Failed => "failed",
    }
}

fn party(party: Party) -> &'static str {
    match party {
        Party::Caller => "caller",
        Party::Agent => "agent",
        Party::Expert => "expert",
        Party::Supervisor => "supervisor",
        Party::Outside => "outside",
        Party::System => "system",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Entry, Store};
    use crate::time::Wall;

    fn store_with_one_call(data: &Path) -> (Store, CallRecord) {
        let started_at: Wall = "2025-11-25T10:00:00.5Z".parse().unwrap();
        let record = CallRecord {
            trunk: Some("acme".into()),
            ended_at: Some(started_at),
            outcome: Some(Outcome::Abandoned),
            ended_by: Some(Party::Caller),
            sip_status: Some(487),
            queue: Some("sales".into()),
            wait_ms: Some(12_345),
            ..CallRecord::new(
                crate::ids::CallId::new(started_at.as_millisecond(), 1),
                "+331555\u{1b}[2J",
                "610",
                started_at,
            )
        };
        let (mut store, _) = Store::open(data).unwrap();
        store.append(Entry::Ended(Box::new(record.clone())));
        (store, record)
    }

    fn printed(data: &Path, json: bool) -> String {
        let mut out = Vec::new();
        assert_eq!(print(data, json, &mut out).unwrap().unwrap(), 0);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_is_one_object_a_line_with_every_field() {
        let data = tempfile::tempdir().unwrap();
        let (_store, record) = store_with_one_call(data.path());
        let text = printed(data.path(), true);
        assert_eq!(text.lines().count(), 1);
        assert_eq!(serde_json::from_str::<CallRecord>(&text).unwrap(), record);
        let fields: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(fields["started_at"], "2025-11-25T10:00:00.500Z");
        assert_eq!(fields.get("acw_ms"), Some(&serde_json::Value::Null));
    }

    #[test]
    fn the_table_steers_no_terminal() {
        let data = tempfile::tempdir().unwrap();
        let (_store, record) = store_with_one_call(data.path());
        let text = printed(data.path(), false);
        let row = text.lines().nth(1).unwrap();
        assert!(row.starts_with("2025-11-25 10:00:00  +331555?[2J"), "{row}");
        assert!(
            row.contains("abandoned") && row.contains("12.3 s") && row.ends_with(&record.call_id.to_string()),
            "{row}"
        );
    }

    #[test]
    fn a_reader_who_goes_away_is_told_to_the_caller() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let data = tempfile::tempdir().unwrap();
        let (_store, _) = store_with_one_call(data.path());
        assert_eq!(print(data.path(), true, &mut Gone).unwrap().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
