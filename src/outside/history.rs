//! What is known of a caller: earlier contacts from the store, and what the customers' file says.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use metrics::{counter, histogram};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::caller::{CallerFacts, Numbering};
use crate::config::Customers;
use crate::engine::HistoryQuestion;
use crate::findings::has_errors;
use crate::settings::Settings;
use crate::store;
use crate::web::metrics::{HISTORY, HISTORY_TIME};

/// The plan waits 200 ms; what the customers' file says is to reach it also when the database does not answer.
const TIME_LIMIT: Duration = Duration::from_millis(150);
/// Questions at once; a database that stands still must not gather more.
const CONCURRENT: usize = 64;

pub(super) struct Histories {
    store: store::History,
    permits: Semaphore,
    known: ArcSwap<Known>,
}

/// What the configuration says.
struct Known {
    numbering: Numbering,
    customers: Arc<Customers>,
}

impl Known {
    /// A file that cannot be read leaves the customers of `before`.
    fn read(settings: &Settings, before: Option<&Known>) -> Known {
        let numbering = settings.numbering.clone();
        let customers = match &settings.customers {
            Some(path) => {
                let (customers, found) = Customers::read(path, &numbering);
                found.iter().for_each(|finding| tracing::warn!("{finding}"));
                let kept = before.filter(|_| has_errors(&found)).map(|before| before.customers.clone());
                kept.unwrap_or_else(|| Arc::new(customers))
            }
            None => Arc::default(),
        };
        Known { numbering, customers }
    }
}

impl Histories {
    pub fn new(settings: &Settings, store: store::History) -> Histories {
        let known = ArcSwap::from_pointee(Known::read(settings, None));
        Histories { store, permits: Semaphore::new(CONCURRENT), known }
    }

    /// Reads the customers' file anew.
    pub fn configure(&self, settings: &Settings) {
        let before = self.known.load_full();
        self.known.store(Arc::new(Known::read(settings, Some(&before))));
    }

    pub async fn answer(&self, question: &HistoryQuestion) -> CallerFacts {
        let known = self.known.load();
        let mut facts = self.contacts(question, &known.numbering).await;
        facts.number = question.number.clone();
        if let Some(customer) = known.customers.get(&question.number) {
            facts.known = true;
            facts.value = customer.value;
            facts.segment = customer.segment.to_string();
            facts.name = customer.name.to_string();
            facts.language = customer.language.to_string();
        }
        facts
    }

    async fn contacts(&self, question: &HistoryQuestion, numbering: &Numbering) -> CallerFacts {
        let began = Instant::now();
        let (result, facts) = match self.permits.try_acquire() {
            Err(_) => ("busy", None),
            Ok(_permit) => {
                let asked = self.store.of(&question.number, numbering, question.at, question.today);
                match timeout(TIME_LIMIT, asked).await {
                    Err(_) => ("timed_out", None),
                    Ok(Err(error)) => {
                        tracing::warn!("history of a caller: {error}");
                        ("failed", None)
                    }
                    Ok(Ok(facts)) => ("ok", Some(facts)),
                }
            }
        };
        counter!(HISTORY, "result" => result).increment(1);
        histogram!(HISTORY_TIME).record(began.elapsed());
        facts.unwrap_or_default()
    }
}
