//! The appliance as a process: the real clock, the engine's thread, the shells around it, and how it starts, drains,
//! reloads and stops.

mod archive;
mod browsers;
mod ears;
mod engine_loop;
mod execute;
mod figures;
mod reload;
mod reports;
mod retention;
mod signals;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, bounded};
use tokio::sync::oneshot;

use crate::bench::Bench;
use crate::config::{self, Overrides};
use crate::engine::{Engine, Input, LostPlace};
use crate::findings::Finding;
use crate::inputs::{BeginError, InputLog, Start};
use crate::media::{Media, MediaSettings};
use crate::net::{Net, Resolver};
use crate::outbox::{Bell, Outbox};
use crate::outside::Outside;
use crate::prompts::{Library, Shelf};
use crate::settings::Settings;
use crate::store::{History, Store};
use crate::time::Now;
use crate::vault::Vault;
use crate::views::ReloadBy;
use crate::web::metrics::Meters;
use crate::web::{self, Shared, Today, Tokens, Users, Views};
use archive::Recordings;
pub use archive::{folder as recordings_folder, open as open_recording};
use browsers::Browsers;
use ears::Hall;
use engine_loop::{Clock, EngineLoop, Inputs};
use execute::{Replies, Shells};
use reload::{Reloader, Reloads, Watcher};
use reports::Reports;
use retention::Sweeper;
use signals::{Signals, Wish};

/// Inputs that may wait for the engine before the shells refuse or drop more (each shell says which).
const SIP_QUEUE: usize = 4_096;
const MEDIA_QUEUE: usize = 16_384;
const REQUEST_QUEUE: usize = 256;
const OUTSIDE_QUEUE: usize = 4_096;
const CONTROL_QUEUE: usize = 64;

/// Why the appliance does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Wrong configuration: exit code 2.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Config(Vec<Finding>),
    /// Anything else at run time: exit code 1.
    #[error("{0}")]
    Runtime(String),
}

impl ServerError {
    fn runtime(error: impl std::fmt::Display) -> ServerError {
        ServerError::Runtime(error.to_string())
    }

    pub fn exit_code(&self) -> u8 {
        match self {
            ServerError::Config(_) => 2,
            ServerError::Runtime(_) => 1,
        }
    }
}

/// Where all that goes into the engine is to be written, for a replay.
#[derive(Clone, Debug)]
pub struct Recording {
    pub file: PathBuf,
    /// Its largest size, in octets.
    pub most: u64,
}

/// Runs until it is told to stop and the last call has ended.
pub fn run(config: &Path, overrides: &Overrides, recording: Option<&Recording>) -> Result<(), ServerError> {
    let watcher = Watcher::new(config);
    let loaded = config::load(config, overrides).map_err(ServerError::Config)?;
    std::fs::create_dir_all(&loaded.settings.data)
        .map_err(|error| ServerError::Runtime(format!("data folder {}: {error}", loaded.settings.data.display())))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(ServerError::runtime)?;
    let served = runtime.block_on(serve(config, overrides, recording, loaded, watcher));
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

async fn serve(
    config: &Path,
    overrides: &Overrides,
    recording: Option<&Recording>,
    loaded: config::Loaded,
    watcher: Watcher,
) -> Result<(), ServerError> {
    let clock = Clock::start();
    let live = Arc::new(ArcSwap::from_pointee(loaded.for_comparison()));
    let settings = Arc::new(loaded.settings);
    let mut signals = Signals::new().map_err(ServerError::runtime)?;
    let metrics = web::metrics::install().map_err(ServerError::runtime)?;
    let meters = Meters::register();

    let bell = Arc::new(Bell::default());
    let (control, control_inputs) = queue(CONTROL_QUEUE, &bell);
    let (media_events, media_inputs) = queue(MEDIA_QUEUE, &bell);
    let (requests, request_inputs) = queue(REQUEST_QUEUE, &bell);
    let (answers, outside_inputs) = queue(OUTSIDE_QUEUE, &bell);
    let (net_events, net_inputs) = queue(SIP_QUEUE, &bell);
    let net_waiting = net_inputs.clone();

    let net = Arc::new(Net::bind(&settings.sip.listen, loaded.tls, net_events).await.map_err(ServerError::runtime)?);
    let listener = web::bind(settings.web.listen).await.map_err(ServerError::runtime)?;
    let web_address = listener.local_addr().map_err(ServerError::runtime)?;
    let (library, missing) = Library::load(std::slice::from_ref(&settings.prompts), &settings.languages);
    for finding in missing {
        tracing::warn!("{finding}");
    }
    let prompts = Arc::new(Shelf::new(library));
    let runtime = tokio::runtime::Handle::current();
    let hall = Hall::open(&settings, loaded.bots, answers.clone(), runtime.clone()).map_err(ServerError::runtime)?;
    let hall = Arc::new(hall);
    let vault = Vault::new(loaded.keys);
    let media = Media::start(media_settings(&settings, vault.clone()), prompts.clone(), hall.clone(), media_events)
        .map_err(ServerError::runtime)?;
    let media = Arc::new(media);
    let data = settings.data.clone();
    // The store drives its database by a runtime of its own.
    let opened = tokio::task::spawn_blocking(move || Store::open(&data)).await.map_err(ServerError::runtime)?;
    let (store, recovered) = opened.map_err(ServerError::runtime)?;
    let tokens = Arc::new(Tokens::open(&settings.data, clock.now().wall).map_err(ServerError::runtime)?);
    let users = Arc::new(Users::open(&settings.data).map_err(ServerError::runtime)?);
    users.configure(loaded.users);
    let started = clock.now().wall;
    let views = Arc::new(Views::new(started, web::live::EVENTS_KEPT));
    let keys = loaded.https.map(web::Keys::new);
    let zone = jiff::tz::TimeZone::get(&settings.time_zone).map_err(ServerError::runtime)?;
    let today = Arc::new(Today::new(zone.clone()));

    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(ServerError::runtime)?;
    let mut listening = (*settings).clone();
    listening.sip.listen = net.listening().to_vec();
    let settings = Arc::new(listening);
    let start = Start { settings: settings.clone(), plans: Arc::new(loaded.plans), seed };
    let now = clock.now();
    let mut engine = Engine::new(start.settings.clone(), start.plans.clone(), start.seed, now);
    engine.publish_all();
    let recorded = recording.map(|wanted| record(wanted, start, now)).transpose()?.flatten();
    let lost = recovered.lost_places.into_iter().map(|place| LostPlace {
        from: place.from,
        queue: place.queue,
        waiting_since: place.waiting_since,
        lost_at: place.lost_at,
    });
    let left = [
        Input::LostPlaces(lost.collect()),
        Input::Callbacks(recovered.callbacks),
        Input::Agents(recovered.agents),
        Input::Kept(recovered.kept),
    ];

    let stop = Arc::new(AtomicBool::new(false));
    let counted =
        figures::Counted { net: net.clone(), media: media.clone(), store: store.counters(), waiting: net_waiting };
    tokio::spawn(figures::gather(counted, meters.clone()));
    let history = History::open(&settings.data);
    let outside = Outside::start(&settings, history, recovered.untold, answers, runtime.clone());
    let shells = Shells {
        net: net.clone(),
        media: media.clone(),
        store,
        views: views.clone(),
        today: today.clone(),
        resolver: Arc::new(Resolver::from_system()),
        control: control.clone(),
        outside,
        runtime,
        replies: Replies::default(),
    };
    let inputs = Inputs {
        bell,
        control: control_inputs,
        media: media_inputs,
        outside: outside_inputs,
        api: request_inputs,
        net: net_inputs,
    };
    let (ended, mut engine_ended) = oneshot::channel();
    let mut engine_loop = EngineLoop { engine, inputs, shells, clock, meters: meters.clone(), stop, recorded };
    // What the last process left is seen by the first who asks.
    left.into_iter().for_each(|input| engine_loop.handle(input));
    let thread = std::thread::Builder::new()
        .name("engine".to_owned())
        .spawn(move || {
            engine_loop.run();
            // The receiver waits as long as the process lives.
            let _ = ended.send(());
        })
        .map_err(ServerError::runtime)?;

    let reloader = Reloader {
        config: config.to_owned(),
        watcher,
        overrides: overrides.clone(),
        running: settings.clone(),
        live: live.clone(),
        control: control.clone(),
        prompts,
        hall,
        views: views.clone(),
        users: users.clone(),
        vault: vault.clone(),
        net: net.clone(),
        web: keys.clone(),
        meters,
        clock,
    };
    let reloads = Arc::new(reloader.start().map_err(ServerError::runtime)?);
    let bench = Arc::new(Bench {
        config: config.to_owned(),
        overrides: overrides.clone(),
        data: settings.data.clone(),
        live,
        reload: again(&reloads),
        writing: std::sync::Mutex::default(),
    });
    let reports = Reports { data: settings.data.clone(), zone };
    reports.seed(&today, started).map_err(ServerError::runtime)?;
    let asks = requests.clone();
    let ask = Box::new(move |asked: web::Asked| asks.try_send(asked).map_err(|_| web::Busy));
    Sweeper { data: settings.data.clone(), settings: reloads.clone(), ask }.start().map_err(ServerError::runtime)?;
    let turn = settings.web.turn.as_ref().map(web::Turn::open).transpose().map_err(ServerError::runtime)?;
    let ready = Arc::new(AtomicBool::new(true));
    let shared = Shared {
        views,
        office: reloads.clone(),
        requests: Box::new(move |asked| requests.try_send(asked).map_err(|_| web::Busy)),
        ready: ready.clone(),
        tokens,
        users,
        metrics,
        archive: Arc::new(Recordings { data: settings.data.clone(), vault }),
        archives: Arc::new(reports),
        bench,
        today,
        phones: Arc::new(Browsers(net.clone())),
        origins: settings.web.origins.clone(),
        turn,
        keys,
    };
    let (stop_web, web_stops) = oneshot::channel::<()>();
    let web = tokio::spawn(web::serve(listener, shared, async {
        // A dropped sender stops it as well.
        let _ = web_stops.await;
    }));

    say_ready(&net, web_address);
    loop {
        tokio::select! {
            wish = signals.next() => follow(wish, &reloads, &control, &ready),
            _ = &mut engine_ended => break,
        }
    }
    drop(stop_web);
    // What still reads the API is given the web shell's own time to end.
    let _ = tokio::time::timeout(Duration::from_secs(2), web).await;
    thread.join().map_err(|_| ServerError::Runtime("the engine's thread panicked; see the log above".to_owned()))
}

/// What the bench asks for when files were written.
fn again(reloads: &Arc<Reloads>) -> crate::bench::Reload {
    let reloads = reloads.clone();
    Box::new(move || web::Office::reload(&*reloads).ok())
}

/// A file that is there already is no reason not to take calls: a restart by a supervisor comes with the same arguments.
fn record(wanted: &Recording, start: Start, now: Now) -> Result<Option<InputLog>, ServerError> {
    let file = wanted.file.display();
    match InputLog::begin(&wanted.file, wanted.most, start, now) {
        Ok(log) => {
            let most = wanted.most >> 20;
            tracing::warn!("all inputs are recorded in {file}, up to {most} MiB: callers' numbers and keys among them");
            Ok(Some(log))
        }
        Err(error @ BeginError::Present(_)) => {
            tracing::warn!("inputs are not recorded: {error}");
            Ok(None)
        }
        Err(error) => Err(ServerError::runtime(error)),
    }
}

/// A bounded queue into the engine's thread.
fn queue<T>(capacity: usize, bell: &Arc<Bell>) -> (Outbox<T>, Receiver<T>) {
    let (sender, receiver) = bounded(capacity);
    (Outbox::new(sender, bell.clone()), receiver)
}

/// One line on standard output: calls are taken from now on.
fn say_ready(net: &Net, web: std::net::SocketAddr) {
    let sip: Vec<String> =
        net.listening().iter().map(|listen| format!("{}:{}", listen.transport.name(), listen.address)).collect();
    let mut out = std::io::stdout().lock();
    // Nobody may be reading.
    let _ = writeln!(out, "ready sip={} web={web}", sip.join(","));
    let _ = out.flush();
}

fn follow(wish: Wish, reloads: &Reloads, control: &Outbox<Input>, ready: &AtomicBool) {
    let input = match wish {
        Wish::Drain => {
            tracing::info!("draining: new calls get 503, running ones go on; a second signal stops at once");
            ready.store(false, Ordering::Relaxed);
            Input::Drain
        }
        Wish::Stop => {
            tracing::info!("stopping: running calls are ended");
            Input::Stop
        }
        Wish::Reload => return reloads.ask(ReloadBy::Signal),
    };
    if control.try_send(input).is_err() {
        tracing::warn!("the engine is too busy for this signal; send it again");
    }
}

fn media_settings(settings: &Settings, vault: Vault) -> MediaSettings {
    MediaSettings {
        address: settings.rtp.address,
        ports: settings.rtp.ports,
        dead_leg: settings.rtp.dead_leg,
        threads: settings.rtp.threads,
        recordings: archive::folder(&settings.data),
        vault,
    }
}
