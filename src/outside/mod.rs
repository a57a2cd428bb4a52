//! What plans ask of the world outside and tell it: HTTP services, webhooks, the history of a caller. Everything here is
//! bounded in time, in number and in size; the engine waits for nothing of it.

mod cache;
mod client;
mod history;
mod lookup;
mod sign;
mod webhook;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;

use crate::engine::{HistoryQuestion, Input, Told};
use crate::ids::CallId;
use crate::ivr::LookUp;
use crate::outbox::Outbox;
use crate::settings::Settings;
use crate::store;

use client::Services;
pub use client::install_crypto;
use history::Histories;
use webhook::Webhooks;

/// The shell; the engine's thread owns it and never waits in it.
pub struct Outside {
    runtime: Handle,
    shared: Arc<Shared>,
    webhooks: Webhooks,
}

struct Shared {
    services: Arc<ArcSwap<Services>>,
    histories: Histories,
    /// The way back. What finds no room is dropped: the engine's own timers go on.
    answers: Outbox<Input>,
}

impl Outside {
    /// `untold` are the events that an earlier process did not get rid of.
    pub fn start(
        settings: &Settings,
        history: store::History,
        untold: Vec<String>,
        answers: Outbox<Input>,
        runtime: Handle,
    ) -> Outside {
        let services = Arc::new(ArcSwap::from_pointee(Services::new(&settings.services, None)));
        let webhooks = Webhooks::start(&runtime, services.clone(), answers.clone(), untold);
        let histories = Histories::new(settings, history);
        let shared = Arc::new(Shared { services, histories, answers });
        Outside { runtime, shared, webhooks }
    }

    pub fn ask_history(&self, call: CallId, question: HistoryQuestion) {
        let shared = self.shared.clone();
        self.runtime.spawn(async move {
            let facts = Box::new(shared.histories.answer(&question).await);
            let _ = shared.answers.try_send(Input::History { call, facts });
        });
    }

    pub fn look_up(&self, call: CallId, look_up: u64, question: LookUp) {
        let shared = self.shared.clone();
        self.runtime.spawn(async move {
            let answer = Box::new(lookup::answer(&shared.services.load_full(), question).await);
            let _ = shared.answers.try_send(Input::LookedUp { call, look_up, answer });
        });
    }

    pub fn tell(&self, told: Told) {
        self.webhooks.tell(told);
    }

    /// New settings: services with their secrets, and the customers' file, are read anew. Those that cannot be read stay
    /// as they were.
    pub fn configure(&self, settings: Arc<Settings>) {
        let shared = self.shared.clone();
        self.runtime.spawn_blocking(move || {
            let before = shared.services.load_full();
            shared.services.store(Arc::new(Services::new(&settings.services, Some(&before))));
            shared.histories.configure(&settings);
        });
    }
}
