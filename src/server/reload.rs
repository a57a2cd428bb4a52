//! Taking the configuration anew: by signal, by the API, or when its files change. One thread does it, one attempt
//! after the other: it reads and checks everything first, and what has a fault is refused whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::ears::Hall;
use super::engine_loop::Clock;
use crate::caller::CallerNumber;
use crate::config::{self, Fingerprint, Loaded, Overrides};
use crate::engine::Input;
use crate::findings::{Finding, Severity};
use crate::ids::CallId;
use crate::net::Net;
use crate::outbox::Outbox;
use crate::prompts::Shelf;
use crate::record::CallRecord;
use crate::settings::Settings;
use crate::store;
use crate::vault::Vault;
use crate::views::{CentreView, Change, ReloadAttempt, ReloadBy, ReloadView};
use crate::web::metrics::Meters;
use crate::web::{self, Busy, Office, RecordQuery, Users, Views};

/// Attempts that may wait for their turn.
const WAITING: usize = 16;
/// How often the files are looked at. They are taken when they have stood still from one look to the next.
const LOOK: Duration = Duration::from_secs(1);
/// The API tells its client by then that it takes long.
const PATIENCE: Duration = Duration::from_secs(14);
/// Reading sound files leaves the cores to the calls.
const NICENESS: i32 = 10;

/// Somebody asks, and may wait for what becomes of it.
struct Ask {
    by: ReloadBy,
    reply: Option<Sender<ReloadView>>,
}

/// The way to the thread that reloads.
pub struct Reloads {
    asks: Sender<Ask>,
    state: Arc<ArcSwap<ReloadView>>,
    running: Arc<ArcSwap<Settings>>,
    data: PathBuf,
}

/// What a reload reads, and what it hands to.
pub struct Reloader {
    pub config: PathBuf,
    /// From before they were first read.
    pub watcher: Watcher,
    pub overrides: Overrides,
    /// As they run: sockets, data folder and media threads stay as they were bound at the start.
    pub running: Arc<Settings>,
    /// As it was last taken, for those who compare with it.
    pub live: Arc<ArcSwap<Loaded>>,
    pub control: Outbox<Input>,
    pub prompts: Arc<Shelf>,
    pub hall: Arc<Hall>,
    pub views: Arc<Views>,
    pub users: Arc<Users>,
    pub vault: Vault,
    pub net: Arc<Net>,
    /// Where pages are served by TLS.
    pub web: Option<web::Keys>,
    pub meters: Meters,
    pub clock: Clock,
}

impl Reloader {
    /// Starts the thread. It ends with the process.
    pub fn start(self) -> std::io::Result<Reloads> {
        let (asks, asked) = bounded(WAITING);
        let first = ReloadView { generation: 1, running_since: self.clock.now().wall, last: None };
        let state = Arc::new(ArcSwap::from_pointee(first));
        let running = Arc::new(ArcSwap::new(self.running.clone()));
        let data = self.running.data.clone();
        let reloads = Reloads { asks, state: state.clone(), running: running.clone(), data };
        std::thread::Builder::new().name("reload".to_owned()).spawn(move || self.run(&asked, &state, &running))?;
        Ok(reloads)
    }

    fn run(mut self, asked: &Receiver<Ask>, state: &ArcSwap<ReloadView>, running: &ArcSwap<Settings>) {
        // Only this thread's; where it is refused, it reads at the calls' priority.
        let _ = rustix::process::setpriority_process(None, NICENESS);
        loop {
            let ask = match asked.recv_timeout(LOOK) {
                Ok(ask) => ask,
                Err(RecvTimeoutError::Timeout) => {
                    if !self.running.watch || !self.watcher.has_news(&self.config) {
                        continue;
                    }
                    Ask { by: ReloadBy::Files, reply: None }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.watcher.taken = Fingerprint::of(&self.config);
            let view = Arc::new(self.attempt(ask.by, &state.load()));
            running.store(self.running.clone());
            state.store(view.clone());
            self.views.publish(Change::Reload(Box::new((*view).clone())), self.clock.now().wall);
            if let Some(reply) = ask.reply {
                // The one who asked may have gone.
                let _ = reply.send((*view).clone());
            }
        }
    }

    fn attempt(&mut self, by: ReloadBy, before: &ReloadView) -> ReloadView {
        let start = Instant::now();
        let at = self.clock.now().wall;
        let outcome = config::load(&self.config, &self.overrides).and_then(|loaded| self.take(loaded));
        let taken = outcome.is_ok();
        let (findings, after_restart) = match outcome {
            Ok((warnings, after_restart)) => (warnings, after_restart),
            Err(findings) => (findings, Vec::new()),
        };
        let took_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let attempt = ReloadAttempt { at, by, taken, took_ms, findings, after_restart };
        self.tell(&attempt);
        ReloadView {
            generation: before.generation + u64::from(taken),
            running_since: if taken { at } else { before.running_since },
            last: Some(attempt),
        }
    }

    /// Prompts first, so that a new plan finds those it names. Gives the warnings, and what waits for a restart.
    fn take(&mut self, loaded: Loaded) -> Result<(Vec<Finding>, Vec<String>), Vec<Finding>> {
        let taken = Arc::new(loaded.for_comparison());
        let Loaded { mut settings, plans, bots, users, keys, tls, https, mut warnings, .. } = loaded;
        let after_restart = keep_bound(&mut settings, &self.running);
        let folders = std::slice::from_ref(&settings.prompts);
        let (library, missing) = self.prompts.library().refresh(folders, &settings.languages);
        warnings.extend(missing.into_iter().map(|finding| Finding { severity: Severity::Warning, ..finding.into() }));
        self.prompts.replace(library);
        self.hall.configure(&settings, bots);
        let settings = Arc::new(settings);
        let input = Input::Reload { settings: settings.clone(), plans: Arc::new(plans) };
        if self.control.try_send(input).is_err() {
            return Err(vec![about(&self.config, "the engine has too much to do; reload again")]);
        }
        self.users.configure(users);
        self.vault.replace(keys);
        self.net.replace_keys(tls);
        if let (Some(web), Some(https)) = (&self.web, https) {
            web.replace(https);
        }
        self.running = settings;
        self.live.store(taken);
        Ok((warnings, after_restart))
    }

    fn tell(&self, attempt: &ReloadAttempt) {
        for finding in &attempt.findings {
            match attempt.taken {
                true => tracing::warn!("{finding}"),
                false => tracing::error!("{finding}"),
            }
        }
        for what in &attempt.after_restart {
            tracing::warn!("{what}");
        }
        if attempt.taken {
            self.meters.reloads_taken.increment(1);
            self.meters.files_refused.set(0.0);
            tracing::info!("configuration reloaded in {} ms", attempt.took_ms);
        } else {
            self.meters.reloads_refused.increment(1);
            self.meters.files_refused.set(1.0);
            tracing::error!("not reloaded: {} findings; what was running goes on", attempt.findings.len());
        }
    }
}

/// What is bound at the start stays; says which changes wait for a restart.
fn keep_bound(settings: &mut Settings, running: &Settings) -> Vec<String> {
    let mut waiting = Vec::new();
    let mut keep = |what: &str, changed: bool| {
        if changed {
            waiting.push(format!("{what} changed: it takes a restart"));
        }
    };
    // A port of 0 was given a number when it was bound.
    let same_place = |a: &crate::settings::Listen, b: &crate::settings::Listen| {
        a.transport == b.transport
            && a.address.ip() == b.address.ip()
            && (a.address.port() == b.address.port() || a.address.port() == 0)
    };
    let listen = (&settings.sip.listen, &running.sip.listen);
    let same = listen.0.len() == listen.1.len() && listen.0.iter().zip(listen.1).all(|(a, b)| same_place(a, b));
    keep("sip.listen", !same);
    keep("[rtp]", settings.rtp != running.rtp);
    keep("[web]", settings.web != running.web);
    keep("data", settings.data != running.data);
    settings.sip.listen = running.sip.listen.clone();
    settings.rtp = running.rtp.clone();
    settings.web = running.web.clone();
    settings.data = running.data.clone();
    waiting
}

fn about(config: &Path, message: &str) -> Finding {
    Finding {
        file: config.display().to_string(),
        line: 1,
        column: 1,
        severity: Severity::Error,
        message: message.to_owned(),
        hint: None,
    }
}

/// Notices that the files changed and then stood still: an editor may write them piece by piece.
pub struct Watcher {
    /// When they were last read.
    taken: Fingerprint,
    last: Fingerprint,
}

impl Watcher {
    pub fn new(config: &Path) -> Watcher {
        let taken = Fingerprint::of(config);
        Watcher { last: taken.clone(), taken }
    }

    fn has_news(&mut self, config: &Path) -> bool {
        let now = Fingerprint::of(config);
        let still = now == self.last;
        self.last = now;
        still && self.last != self.taken
    }
}

impl Reloads {
    /// As they are now.
    pub fn settings(&self) -> Arc<Settings> {
        self.running.load_full()
    }

    /// Asks and does not wait.
    pub fn ask(&self, by: ReloadBy) {
        // When so many wait already, one of them reads what is there now.
        let _ = self.asks.try_send(Ask { by, reply: None });
    }
}

impl Office for Reloads {
    fn record(&self, call: CallId) -> Result<Option<CallRecord>, String> {
        store::read_record(&self.data, call).map_err(|error| error.to_string())
    }

    fn records(&self, query: &RecordQuery) -> Result<Vec<CallRecord>, String> {
        store::read_latest(&self.data, query.before, query.limit, |record| query.takes(record))
            .map_err(|error| error.to_string())
    }

    fn contacts(&self, number: &str, limit: usize) -> Result<Vec<CallRecord>, String> {
        let numbering = &self.running.load().numbering;
        let caller = numbering.read(number);
        if !matches!(caller, CallerNumber::Known(_)) {
            return Ok(Vec::new());
        }
        store::read_contacts(&self.data, number, limit, |other| numbering.read(other) == caller)
            .map_err(|error| error.to_string())
    }

    fn centre(&self) -> CentreView {
        CentreView::from(&**self.running.load())
    }

    fn reload(&self) -> Result<ReloadView, Busy> {
        let (reply, answer) = bounded(1);
        self.asks.try_send(Ask { by: ReloadBy::Api, reply: Some(reply) }).map_err(|_| Busy)?;
        answer.recv_timeout(PATIENCE).map_err(|_| Busy)
    }

    fn reload_state(&self) -> ReloadView {
        ReloadView::clone(&self.state.load())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> Settings {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/demo/relais.toml");
        config::load(&config, &Overrides::default()).unwrap().settings
    }

    #[test]
    fn what_is_bound_stays_and_is_told() {
        let running = demo();
        let mut changed = demo();
        changed.web.listen.set_port(1);
        changed.sip.max_calls = 7;
        assert_eq!(keep_bound(&mut changed, &running), ["[web] changed: it takes a restart"]);
        assert_eq!((changed.web, changed.sip.max_calls), (running.web, 7));
    }

    #[test]
    fn a_port_that_was_chosen_at_the_start_has_not_changed() {
        let (mut running, mut again) = (demo(), demo());
        again.sip.listen[0].address.set_port(0);
        running.sip.listen[0].address.set_port(40_000);
        assert_eq!(keep_bound(&mut again, &running), Vec::<String>::new());
        assert_eq!(again.sip.listen, running.sip.listen);
    }

    #[test]
    fn files_are_taken_when_they_stand_still() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("relais.toml");
        std::fs::write(&config, "a").unwrap();
        let mut watcher = Watcher::new(&config);
        assert!(!watcher.has_news(&config), "nothing changed");
        std::fs::write(&config, "ab").unwrap();
        assert!(!watcher.has_news(&config), "it may still be written");
        std::fs::write(&config, "abc").unwrap();
        assert!(!watcher.has_news(&config), "it was");
        assert!(watcher.has_news(&config), "now it stands still");
        watcher.taken = Fingerprint::of(&config);
        assert!(!watcher.has_news(&config), "it has been read");
    }
}
