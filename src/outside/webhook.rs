//! Telling services what happened: each event is sent until its service takes it, at the latest for a day. A service that
//! does not answer holds up its own events only.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use metrics::{counter, gauge};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::client::{Services, describe, headers};
use crate::engine::{Input, Told};
use crate::ids::ServiceId;
use crate::outbox::Outbox;
use crate::time::Wall;
use crate::web::metrics::{WEBHOOKS, WEBHOOKS_WAITING};

/// Events on their way from the engine's thread, and waiting for their services in all.
const QUEUE: usize = 1_000;
pub(super) const MOST_WAITING: usize = 10_000;
/// Requests of one service at once.
const CONCURRENT: usize = 4;
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// After a failure it is tried again, first after this time, then after ever longer ones.
const RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(300);
/// The longest pause that a service may ask for by Retry-After.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
const GIVE_UP: Duration = Duration::from_secs(86_400);

/// The way in.
pub(super) struct Webhooks {
    queue: mpsc::Sender<Told>,
    answers: Outbox<Input>,
}

impl Webhooks {
    pub fn start(
        runtime: &Handle,
        services: Arc<ArcSwap<Services>>,
        answers: Outbox<Input>,
        untold: Vec<String>,
    ) -> Webhooks {
        let (queue, events) = mpsc::channel(QUEUE);
        let mut teller = Teller::new(services, answers.clone());
        for event in untold {
            match serde_json::from_str::<Told>(&event) {
                Ok(told) => teller.take(told),
                Err(error) => tracing::error!("an event for a webhook cannot be read and is left out: {error}"),
            }
        }
        runtime.spawn(teller.run(events));
        Webhooks { queue, answers }
    }

    /// Never waits.
    pub fn tell(&self, told: Told) {
        if let Err(error) = self.queue.try_send(told) {
            let told = error.into_inner();
            drop_event(&told, "too many events are under way", &self.answers);
        }
    }
}

fn drop_event(told: &Told, why: &str, answers: &Outbox<Input>) {
    let service = &told.webhook.request.service;
    count(service, "dropped");
    tracing::error!(%service, id = told.id, event = told.webhook.event, "webhook dropped: {why}");
    let _ = answers.try_send(Input::ToldOf(told.id.clone()));
}

fn count(service: &ServiceId, result: &'static str) {
    counter!(WEBHOOKS, "service" => service.to_string(), "result" => result).increment(1);
}

/// An event with what was tried.
struct Event {
    told: Told,
    attempts: u32,
    give_up_at: Instant,
}

/// The events of one service.
#[derive(Default)]
struct Line {
    /// By the time they are due; the number keeps their order.
    waiting: BTreeMap<(Instant, u64), Event>,
    under_way: usize,
}

/// Why an attempt failed.
struct Failure {
    reason: String,
    /// The service wants no such event any more.
    gone: bool,
    pause: Option<Duration>,
}

struct Teller {
    services: Arc<ArcSwap<Services>>,
    answers: Outbox<Input>,
    lines: HashMap<ServiceId, Line>,
    waiting: usize,
    next: u64,
    under_way: JoinSet<(Event, Result<(), Failure>)>,
}

impl Teller {
    fn new(services: Arc<ArcSwap<Services>>, answers: Outbox<Input>) -> Teller {
        let (lines, under_way) = (HashMap::new(), JoinSet::new());
        Teller { services, answers, lines, waiting: 0, next: 0, under_way }
    }

    /// Runs as long as somebody may tell something.
    async fn run(mut self, mut events: mpsc::Receiver<Told>) {
        loop {
            self.send_what_is_due();
            gauge!(WEBHOOKS_WAITING).set((self.waiting + self.under_way.len()) as f64);
            let due = self.next_due();
            tokio::select! {
                told = events.recv() => match told {
                    Some(told) => self.take(told),
                    None => return,
                },
                Some(done) = self.under_way.join_next() => match done {
                    Ok((event, result)) => self.done(event, result),
                    Err(error) => tracing::error!("a webhook's task failed: {error}"),
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
        }
    }

    fn take(&mut self, told: Told) {
        if self.waiting >= MOST_WAITING {
            return drop_event(&told, "too many events wait for their services", &self.answers);
        }
        let age = Wall::now().duration_since(told.at).unsigned_abs();
        let now = Instant::now();
        let event = Event { told, attempts: 0, give_up_at: now + GIVE_UP.saturating_sub(age) };
        self.wait(event, now);
    }

    fn wait(&mut self, event: Event, until: Instant) {
        let line = self.lines.entry(event.told.webhook.request.service.clone()).or_default();
        line.waiting.insert((until, self.next), event);
        self.next += 1;
        self.waiting += 1;
    }

    /// The earliest time at which a line that is not busy has something to send.
    fn next_due(&self) -> Option<Instant> {
        let free = self.lines.values().filter(|line| line.under_way < CONCURRENT);
        free.filter_map(|line| line.waiting.keys().next().map(|(at, _)| *at)).min()
    }

    fn send_what_is_due(&mut self) {
        let now = Instant::now();
        for line in self.lines.values_mut() {
            while line.under_way < CONCURRENT
                && let Some(first) = line.waiting.first_entry()
                && first.key().0 <= now
            {
                let event = first.remove();
                self.waiting -= 1;
                line.under_way += 1;
                let services = self.services.load_full();
                self.under_way.spawn(async move {
                    let result = send(&services, &event.told).await;
                    (event, result)
                });
            }
        }
        self.lines.retain(|_, line| line.under_way > 0 || !line.waiting.is_empty());
    }

    fn done(&mut self, mut event: Event, result: Result<(), Failure>) {
        let service = event.told.webhook.request.service.clone();
        if let Some(line) = self.lines.get_mut(&service) {
            line.under_way -= 1;
        }
        let Err(failure) = result else {
            count(&service, "delivered");
            // Where there is no room for this, the event is sent once more by the next process.
            let _ = self.answers.try_send(Input::ToldOf(event.told.id));
            return;
        };
        count(&service, "failed");
        event.attempts += 1;
        let again = Instant::now() + failure.pause.unwrap_or_default().max(pause(&event));
        if failure.gone || again >= event.give_up_at {
            return drop_event(&event.told, &failure.reason, &self.answers);
        }
        let (id, attempts) = (&event.told.id, event.attempts);
        tracing::warn!(%service, id, attempts, "webhook not delivered, will be tried again: {}", failure.reason);
        self.wait(event, again);
    }
}

/// Doubled with every attempt, and a little different for each event, so that they do not come all at once.
fn pause(event: &Event) -> Duration {
    let doubled = RETRY.saturating_mul(1 << event.attempts.saturating_sub(1).min(16)).min(LONGEST_RETRY);
    let mut hasher = DefaultHasher::new();
    (&event.told.id, event.attempts).hash(&mut hasher);
    let parts = u32::try_from(hasher.finish() % 250).unwrap_or(0);
    doubled - doubled * parts / 1_000
}

async fn send(services: &Services, told: &Told) -> Result<(), Failure> {
    let failed = |reason: String| Failure { reason, gone: false, pause: None };
    let request = &told.webhook.request;
    let service = services.get(&request.service).ok_or_else(|| failed("the service is not there".to_owned()))?;
    let url = service.url(request).map_err(failed)?;
    let body = json!({
        "id": told.id,
        "type": told.webhook.event,
        "timestamp": format!("{:.3}", told.at),
        "call_id": told.call,
        "data": told.webhook.data,
    })
    .to_string();
    let timestamp = Wall::now().as_second();
    let mut builder = service
        .client
        .post(url)
        .headers(headers(request).map_err(failed)?)
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", &told.id)
        .header("webhook-timestamp", timestamp)
        .timeout(TIME_LIMIT);
    if let Some(secret) = &service.secret {
        builder = builder.header("webhook-signature", secret.signature(&told.id, timestamp, &body));
    }
    let response = builder.body(body).send().await.map_err(|error| failed(describe(error)))?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    // RFC 9110 §10.2.3; dates are passed over.
    let pause = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let pause = pause.map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE));
    Err(Failure { reason: status.to_string(), gone: status.as_u16() == 410, pause })
}
