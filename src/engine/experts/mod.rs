//! The presence of experts: subscriptions at their telephony, a watch by OPTIONS, what is told by the API, and what all of it
//! comes to for the agents.

mod asking;
mod dialog_info;
mod knowledge;
mod pidf;
mod watch;
mod xml;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::agents::{Phone, fixed_phone};
use super::api::refusal;
use super::trunks::TargetId;
use super::{Command, Engine, Timer};
use crate::findings::suggest;
use crate::ids::ExpertId;
use crate::settings::{Expert, Trunk};
use crate::sip::message::{NameAddr, Uri};
use crate::sip::ua::{RequestTicket, SubscriptionId};
use crate::time::Now;
use crate::views::{ApiError, Change, ExpertView, Presence};
pub(super) use asking::Package;
use asking::Subscribed;
use knowledge::Knowledge;
use watch::Far;

/// Experts are asked one after the other at the start, so that their telephony is not asked everything at once.
const STAGGER: Duration = Duration::from_millis(5);
/// And the last of them no later than this.
const LATEST_START: Duration = Duration::from_secs(8);
/// Hours begin and end on the minute.
const HOURS_EVERY: Duration = Duration::from_secs(60);

/// What is known of every expert.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Experts {
    watched: BTreeMap<ExpertId, Watched>,
    subscriptions: BTreeMap<u64, (ExpertId, Package)>,
    asked: BTreeMap<u64, ExpertId>,
}

/// One expert.
#[derive(Debug, Serialize, Deserialize)]
struct Watched {
    /// As they were configured when the watch began.
    settings: Expert,
    known: Knowledge,
    presence: Subscribed,
    dialog: Subscribed,
    far: Far,
    /// The view that was published last.
    shown: Option<ExpertView>,
}

impl Watched {
    fn new(settings: Expert) -> Watched {
        let known = Knowledge::none(settings.subscribe);
        let (presence, dialog, far) = Default::default();
        Watched { settings, known, presence, dialog, far, shown: None }
    }

    fn package(&mut self, package: Package) -> &mut Subscribed {
        match package {
            Package::Presence => &mut self.presence,
            Package::Dialog => &mut self.dialog,
        }
    }
}

/// The way to an expert, and who we are there.
struct ExpertWay {
    phone: Phone,
    from: NameAddr,
    credentials: Option<crate::settings::Credentials>,
}

impl Experts {
    /// The views that were published last.
    pub fn shown(&self) -> impl Iterator<Item = ExpertView> {
        self.watched.values().filter_map(|watched| watched.shown.clone())
    }

    fn expert_of(&self, subscription: SubscriptionId) -> Option<(ExpertId, Package)> {
        self.subscriptions.get(&subscription.0).cloned()
    }

    fn asked_by(&mut self, ticket: RequestTicket) -> Option<ExpertId> {
        self.asked.remove(&ticket.0)
    }
}

impl Engine {
    /// Begins to watch every expert of the settings, and lets go of those who are there no more. Who has not changed is
    /// watched on.
    pub(super) fn watch_experts(&mut self, now: Now) {
        let settings = self.settings.clone();
        let stays = |watched: &Watched| settings.experts.contains(&watched.settings);
        let gone: Vec<ExpertId> =
            self.experts.watched.iter().filter(|(_, watched)| !stays(watched)).map(|(id, _)| id.clone()).collect();
        for id in gone {
            self.let_go(&id, now);
            if settings.experts.iter().all(|expert| expert.id != id) {
                self.commands.push_back(Command::Publish(Change::ExpertGone { id }));
            }
        }
        let mut begins = now.instant;
        for expert in &settings.experts {
            if !self.experts.watched.contains_key(&expert.id) {
                self.experts.watched.insert(expert.id.clone(), Watched::new(expert.clone()));
                if expert.subscribe {
                    for package in Package::ALL {
                        self.timers.set(Timer::Subscribe(expert.id.clone(), package), begins);
                    }
                }
                if !expert.options_interval.is_zero() {
                    self.timers.set(Timer::ExpertOptions(expert.id.clone()), begins);
                }
                begins = (begins + STAGGER).min(now.instant + LATEST_START);
            }
            self.show_expert(&expert.id, now);
        }
        self.watch_hours(now);
    }

    fn let_go(&mut self, id: &ExpertId, now: Now) {
        let Some(watched) = self.experts.watched.remove(id) else { return };
        for subscription in [watched.presence.subscription, watched.dialog.subscription].into_iter().flatten() {
            self.experts.subscriptions.remove(&subscription.0);
            self.ua.unsubscribe(subscription, now.instant);
        }
        for package in Package::ALL {
            self.timers.clear(&Timer::Subscribe(id.clone(), package));
        }
        for timer in [Timer::ExpertOptions(id.clone()), Timer::ExpertSilent(id.clone()), Timer::ToldStale(id.clone())] {
            self.timers.clear(&timer);
        }
    }

    /// The appliance stops: telephony need not tell it anything any more.
    pub(super) fn leave_experts(&mut self, now: Now) {
        let ids: Vec<ExpertId> = self.experts.watched.keys().cloned().collect();
        ids.iter().for_each(|id| self.let_go(id, now));
        self.timers.clear(&Timer::ExpertHours);
    }

    /// Looks at the calendars of experts on every full minute, where there are any.
    fn watch_hours(&mut self, now: Now) {
        if self.settings.experts.iter().all(|expert| expert.calendar.is_none()) {
            return self.timers.clear(&Timer::ExpertHours);
        }
        let minute = i64::try_from(HOURS_EVERY.as_millis()).unwrap_or(60_000);
        let into = now.wall.as_millisecond().rem_euclid(minute);
        let left = Duration::from_millis(u64::try_from(minute - into).unwrap_or(60_000));
        self.timers.set(Timer::ExpertHours, now.instant + left);
    }

    pub(super) fn hours_passed(&mut self, now: Now) {
        let ids: Vec<ExpertId> = self.experts.watched.keys().cloned().collect();
        ids.iter().for_each(|id| self.show_expert(id, now));
        self.watch_hours(now);
    }

    /// An expert as agents see them now.
    pub(super) fn expert_view(&self, id: &ExpertId, now: Now) -> Option<ExpertView> {
        let watched = self.experts.watched.get(id)?;
        let Expert { name, competence, calendar, .. } = &watched.settings;
        let verdict = watched.known.verdict();
        let calendars = &self.plans.names().calendars;
        let open = calendar.as_ref().is_none_or(|name| calendars.get(name).is_some_and(|days| days.is_open(now.wall)));
        let since = watched.shown.as_ref().filter(|shown| shown.presence == verdict.presence).map(|shown| shown.since);
        Some(ExpertView {
            id: id.clone(),
            name: name.clone(),
            competence: competence.clone(),
            presence: verdict.presence,
            presence_age_ms: verdict.at.map(|at| ExpertView::age_ms(at, now.wall)),
            heard_at: verdict.at,
            since: since.unwrap_or(now.wall),
            source: verdict.source,
            reachable: watched.far.reachable,
            open,
        })
    }

    /// Publishes an expert, where anything but the age is new.
    fn show_expert(&mut self, id: &ExpertId, now: Now) {
        let Some(view) = self.expert_view(id, now) else { return };
        let Some(watched) = self.experts.watched.get_mut(id) else { return };
        let shown =
            watched.shown.as_ref().map(|shown| ExpertView { presence_age_ms: view.presence_age_ms, ..shown.clone() });
        if shown.as_ref() != Some(&view) {
            watched.shown = Some(view.clone());
            self.commands.push_back(Command::Publish(Change::Expert(Box::new(view))));
        }
    }

    /// By which ways an expert is reached: the servers of their trunk, best first, else the address itself.
    pub(super) fn expert_targets(&self, expert: &Expert, now: Now) -> Option<(&Trunk, Vec<TargetId>)> {
        let trunk = expert.trunk.as_ref()?;
        let trunk = self.settings.trunks.iter().find(|known| known.id == *trunk)?;
        Some((trunk, self.trunks.ways_out(&trunk.id, now.instant)))
    }

    fn expert_way(&self, expert: &Expert, now: Now) -> Option<ExpertWay> {
        if expert.trunk.is_none() {
            let phone = fixed_phone(&expert.address)?;
            return Some(ExpertWay { phone, from: self.own_address("relais"), credentials: None });
        }
        let (trunk, targets) = self.expert_targets(expert, now)?;
        let uri: Uri = expert.address.parse().ok()?;
        let phone = Phone { uri, to: targets.first()?.to };
        let credentials = trunk.register.clone();
        let account = credentials.as_ref().and_then(|account| account.aor.parse().ok()).map(NameAddr::new);
        Some(ExpertWay { phone, from: account.unwrap_or_else(|| self.own_address("relais")), credentials })
    }

    /// What a telephony with an API says of an expert; `unknown` takes back what it said.
    pub(super) fn api_presence(&mut self, id: &ExpertId, presence: Presence, now: Now) -> Result<Value, ApiError> {
        let Some(watched) = self.experts.watched.get_mut(id) else {
            let known = self.experts.watched.keys().map(ExpertId::as_str);
            let hint = suggest(id.as_str(), known).map(|hint| format!(" ({hint})")).unwrap_or_default();
            return Err(refusal(
                404,
                "unknown_expert",
                format!("there is no expert '{id}'{hint}; GET /experts lists them"),
            ));
        };
        let timer = Timer::ToldStale(id.clone());
        if presence == Presence::Unknown {
            watched.known.told = None;
            self.timers.clear(&timer);
        } else {
            watched.known.told = Some(watched.known.word(presence, now));
            self.timers.set(timer, now.instant + watched.settings.told_stale);
        }
        self.show_expert(id, now);
        Ok(json!(self.expert_view(id, now)))
    }

    pub(super) fn told_is_stale(&mut self, id: &ExpertId, now: Now) {
        if let Some(watched) = self.experts.watched.get_mut(id) {
            watched.known.told = None;
        }
        self.show_expert(id, now);
    }
}
