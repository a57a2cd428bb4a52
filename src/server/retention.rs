//! Recordings that are too old are deleted: one thread of low priority reads the index and asks the engine, which deletes
//! them as if somebody had asked for it, so that index, mailboxes and lamps know. Each leaves a line in the log. What is
//! held stays.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::reload::Reloads;
use crate::ids::RecordingId;
use crate::settings::Settings;
use crate::store::{Old, StoreError, read_old_recordings};
use crate::time::Wall;
use crate::views::ApiRequest;
use crate::web::{Asked, Requests};

/// After the start, and then again and again: what is kept for days need not go to the minute.
const FIRST: Duration = Duration::from_secs(60);
const EVERY: Duration = Duration::from_secs(3_600);
/// Read at once.
const PAGE: usize = 500;
/// Between two deletions: calls go first.
const PACE: Duration = Duration::from_millis(20);
/// When the engine's queue is full, and how often it is tried again before the next time.
const PAUSE: Duration = Duration::from_secs(1);
const TRIES: u32 = 30;
const NICENESS: i32 = 10;

/// Who knows the settings as they are now.
pub trait Current: Send + Sync {
    fn settings(&self) -> Arc<Settings>;
}

impl Current for Reloads {
    fn settings(&self) -> Arc<Settings> {
        Reloads::settings(self)
    }
}

pub struct Sweeper {
    pub data: PathBuf,
    pub settings: Arc<dyn Current>,
    pub ask: Requests,
}

/// Why a sweep did not come to its end.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the index cannot be read: {0}")]
    Store(#[from] StoreError),
    #[error("the engine takes no requests")]
    Engine,
}

impl Sweeper {
    /// Starts the thread. It ends with the process.
    pub fn start(self) -> std::io::Result<()> {
        std::thread::Builder::new().name("retention".to_owned()).spawn(move || self.run())?;
        Ok(())
    }

    fn run(self) {
        // Only this thread's; where it is refused, it reads at the calls' priority.
        let _ = rustix::process::setpriority_process(None, NICENESS);
        std::thread::sleep(FIRST);
        loop {
            match self.sweep(Wall::now()) {
                Ok(0) => {}
                Ok(deleted) => tracing::info!("{deleted} recordings were too old and are deleted"),
                Err(error) => tracing::error!("recordings that are too old stay for now: {error}"),
            }
            std::thread::sleep(EVERY);
        }
    }

    /// Deletes what is too old; gives how many.
    fn sweep(&self, now: Wall) -> Result<usize, Broken> {
        let settings = self.settings.settings();
        let Some(shortest) = settings.shortest_keep() else { return Ok(0) };
        let mut after = None;
        let mut deleted = 0;
        loop {
            let page = read_old_recordings(&self.data, ago(now, shortest), after, PAGE)?;
            for old in &page {
                let keep = settings.keeps(old.kind, old.queue.as_ref(), old.mailbox.as_deref());
                if let Some(keep) = keep.filter(|keep| old.started_at <= ago(now, *keep))
                    && self.delete(old, keep)?
                {
                    deleted += 1;
                    std::thread::sleep(PACE);
                }
            }
            after = page.last().map(|old| old.recording_id);
            if page.len() < PAGE {
                return Ok(deleted);
            }
        }
    }

    /// `false` where the engine refuses it: it is held since a moment ago.
    fn delete(&self, old: &Old, keep: Duration) -> Result<bool, Broken> {
        let days = keep.as_secs() / 86_400;
        let by = format!("retention: it began at {}, and is kept for {days} days", old.started_at);
        for _ in 0..TRIES {
            let Some(result) = self.ask_once(old.recording_id, by.clone()) else {
                std::thread::sleep(PAUSE);
                continue;
            };
            if let Err(refused) = &result {
                tracing::info!("recording {} stays: {refused}", old.recording_id);
            }
            return Ok(result.is_ok());
        }
        Err(Broken::Engine)
    }

    /// `None`: there was no room, or no answer.
    fn ask_once(&self, recording: RecordingId, by: String) -> Option<Result<(), String>> {
        let (reply, answer) = oneshot::channel();
        (self.ask)(Asked { request: ApiRequest::DeleteRecording { recording, by }, reply }).ok()?;
        let result = answer.blocking_recv().ok()?;
        Some(result.map(|_| ()).map_err(|refused| refused.message))
    }
}

fn ago(now: Wall, time: Duration) -> Wall {
    now.checked_sub(time).unwrap_or(Wall::MIN)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::ids::{CallId, QueueId};
    use crate::record::{Recording, RecordingKind, RecordingState};
    use crate::settings::{Keep, Queue};
    use crate::store::{Entry, Store};
    use crate::views::ApiError;
    use crate::web::Busy;

    struct Fixed(Arc<Settings>);

    impl Current for Fixed {
        fn settings(&self) -> Arc<Settings> {
            self.0.clone()
        }
    }

    fn days(days: u64) -> Duration {
        Duration::from_hours(24 * days)
    }

    fn settings() -> Settings {
        let project = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(project.path().join("prompts/music")).unwrap();
        std::fs::create_dir_all(project.path().join("prompts/en")).unwrap();
        std::fs::create_dir_all(project.path().join("plans")).unwrap();
        let plan = "name = 'a'\nnumbers = ['600']\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'hangup'\n";
        std::fs::write(project.path().join("plans/a.toml"), plan).unwrap();
        let file = project.path().join("relais.toml");
        std::fs::write(&file, "[recordings]\nkeep_days = 100\n").unwrap();
        let mut settings = crate::config::load(&file, &Default::default()).unwrap().settings;
        let keep = Keep { calls: Some(days(10)), messages: Some(days(300)) };
        settings.queues = vec![Queue { keep, ..Queue::new("sales".into()) }];
        settings
    }

    fn recording(number: u128, kind: RecordingKind, queue: Option<&str>, age: u64, now: Wall) -> Recording {
        let started_at = now - days(age);
        Recording {
            recording_id: RecordingId::new(started_at.as_millisecond(), number),
            kind,
            state: RecordingState::Complete,
            call_id: CallId(number),
            mailbox: (kind == RecordingKind::Voicemail).then(|| "sales".to_owned()),
            queue: queue.map(QueueId::from),
            from: "33155701".into(),
            to: "610".into(),
            started_at,
            duration_ms: Some(1_000),
            voiced_ms: Some(1_000),
            octets: Some(1_000),
            heard: false,
            held: false,
        }
    }

    #[test]
    fn each_goes_by_the_rule_of_its_queue_and_what_is_held_stays() {
        let data = tempfile::tempdir().unwrap();
        let now = Wall::now();
        let (mut store, _) = Store::open(data.path()).unwrap();
        let put =
            |store: &mut Store, recording: &Recording| store.append(Entry::Recording(Box::new(recording.clone())));
        use RecordingKind::{Call, Voicemail};
        let all = [
            recording(1, Call, Some("sales"), 11, now),
            recording(2, Call, Some("sales"), 9, now),
            recording(3, Call, Some("support"), 11, now),
            recording(4, Call, None, 101, now),
            recording(5, Voicemail, None, 200, now),
            recording(6, Voicemail, None, 301, now),
            recording(7, Call, Some("sales"), 400, now),
            recording(8, Call, Some("sales"), 401, now),
        ];
        all.iter().for_each(|recording| put(&mut store, recording));
        let held = all[6].recording_id;
        store.append(Entry::RecordingNoted { recording_id: held, heard: None, held: Some(true) });
        store.close();
        let asked: Arc<Mutex<Vec<(RecordingId, String)>>> = Arc::default();
        let (noted, refused) = (asked.clone(), all[7].recording_id);
        let ask = move |asked: Asked| {
            let ApiRequest::DeleteRecording { recording, by } = asked.request else { return Err(Busy) };
            noted.lock().unwrap().push((recording, by));
            let refusal = ApiError { status: 409, code: "recording_held".to_owned(), message: "it is held".to_owned() };
            let _ = asked.reply.send(if recording == refused { Err(refusal) } else { Ok(serde_json::Value::Null) });
            Ok(())
        };
        let sweeper = Sweeper {
            data: data.path().to_owned(),
            settings: Arc::new(Fixed(Arc::new(settings()))),
            ask: Box::new(ask),
        };
        assert_eq!(sweeper.sweep(now).unwrap(), 3);
        let asked = asked.lock().unwrap();
        let mut ids: Vec<_> = asked.iter().map(|(id, _)| *id).collect();
        ids.sort();
        let mut wanted = [0, 3, 5, 7].map(|at: usize| all[at].recording_id);
        wanted.sort();
        assert_eq!(ids, wanted, "too old by their own rules, and not known to be held");
        assert!(asked.iter().any(|(_, by)| by.ends_with("is kept for 10 days")), "{asked:?}");
    }

    #[test]
    fn without_a_rule_nothing_is_read() {
        let mut settings = settings();
        settings.recordings.keep = Keep::default();
        settings.queues.clear();
        let ask = |_| -> Result<(), Busy> { panic!("nothing is too old") };
        let sweeper =
            Sweeper { data: "/nowhere".into(), settings: Arc::new(Fixed(Arc::new(settings))), ask: Box::new(ask) };
        assert_eq!(sweeper.sweep(Wall::now()).unwrap(), 0);
    }
}
