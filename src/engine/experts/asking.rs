//! Subscriptions to an expert's `presence` and `dialog`: begun, taken in, begun again after a loss.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::super::{Engine, LogLevel, Timer};
use super::dialog_info::{Line, Taken};
use super::knowledge::Standing;
use super::{ExpertWay, Watched, pidf};
use crate::ids::ExpertId;
use crate::sip::message::NameAddr;
use crate::sip::ua::{Subscribe, SubscriptionEnd, SubscriptionId};
use crate::time::{Instant, Now};
use crate::views::Presence;

/// Asked for where the far end is watched by OPTIONS as well.
const EXPIRES: Duration = Duration::from_secs(300);
/// And where its silence shows by the expiry alone: unknown no more than a minute after its death.
const EXPIRES_UNWATCHED: Duration = Duration::from_secs(60);
/// After a loss: 5 s, 10, 20, … five minutes.
const RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(300);
/// A subscription that lived so long was none that failed; its successor is begun at once.
const LASTED: Duration = Duration::from_secs(30);
/// What is not offered may be so one day: ten minutes, 20, an hour.
const REFUSED_RETRY: Duration = Duration::from_secs(600);
const LONGEST_REFUSED: Duration = Duration::from_secs(3_600);

/// The event packages that tell of an expert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(in super::super) enum Package {
    /// RFC 3856.
    Presence,
    /// RFC 4235.
    Dialog,
}

impl Package {
    pub const ALL: [Package; 2] = [Package::Presence, Package::Dialog];

    fn name(self) -> &'static str {
        match self {
            Package::Presence => "presence",
            Package::Dialog => "dialog",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Package::Presence => "application/pidf+xml",
            Package::Dialog => "application/dialog-info+xml",
        }
    }
}

/// One package of one expert.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Subscribed {
    pub subscription: Option<SubscriptionId>,
    began: Instant,
    /// Losses or refusals in a row.
    failures: u32,
    line: Line,
    /// Changes were missing, and the whole has been asked for. Asked again it is not, before it has come: who answers with
    /// changes alone would be asked for ever.
    whole_asked: bool,
}

impl Watched {
    fn standing(&mut self, package: Package) -> &mut Standing {
        match package {
            Package::Presence => &mut self.known.presence,
            Package::Dialog => &mut self.known.dialog,
        }
    }
}

impl Engine {
    pub(in super::super) fn subscribe(&mut self, id: &ExpertId, package: Package, now: Now) {
        let Some(watched) = self.experts.watched.get(id) else { return };
        let settings = watched.settings.clone();
        let Some(ExpertWay { phone, from, credentials }) = self.expert_way(&settings, now) else {
            // The trunk's servers have no address yet.
            return self.ask_again(id, package, None, now);
        };
        let watched_too = !settings.options_interval.is_zero();
        let wish = Subscribe {
            to: phone.to,
            to_header: NameAddr::new(phone.uri.clone()),
            request_uri: phone.uri,
            from,
            event: package.name().to_owned(),
            accept: package.media_type().to_owned(),
            expires: if watched_too { EXPIRES } else { EXPIRES_UNWATCHED },
            credentials,
        };
        let Some(watched) = self.experts.watched.get_mut(id) else { return };
        let slot = watched.package(package);
        if slot.subscription.is_some() {
            return;
        }
        let subscription = self.ua.subscribe(wish, now.instant);
        slot.subscription = Some(subscription);
        (slot.began, slot.line, slot.whole_asked) = (now.instant, Line::default(), false);
        self.experts.subscriptions.insert(subscription.0, (id.clone(), package));
    }

    /// Later, and ever later: a far end that is gone is not to be flooded when it comes back.
    fn ask_again(&mut self, id: &ExpertId, package: Package, after: Option<Duration>, now: Now) {
        let Some(watched) = self.experts.watched.get_mut(id) else { return };
        let refused = *watched.standing(package) == Standing::Refused;
        let (first, longest) = if refused { (REFUSED_RETRY, LONGEST_REFUSED) } else { (RETRY, LONGEST_RETRY) };
        let slot = watched.package(package);
        let wait = (first * 2u32.saturating_pow(slot.failures.min(10))).min(longest);
        slot.failures = slot.failures.saturating_add(1);
        let wait = wait.max(after.unwrap_or_default()).min(LONGEST_REFUSED);
        self.timers.set(Timer::Subscribe(id.clone(), package), now.instant + wait);
    }

    /// NOTIFY: the far end lives, and says something, or cannot be understood.
    pub(in super::super) fn expert_notified(
        &mut self,
        subscription: SubscriptionId,
        active: bool,
        body: &Bytes,
        now: Now,
    ) {
        let Some((id, package)) = self.experts.expert_of(subscription) else { return };
        self.expert_heard(&id, now);
        let Some(watched) = self.experts.watched.get_mut(&id) else { return };
        let slot = watched.package(package);
        let said = match package {
            Package::Presence => pidf::read(body),
            Package::Dialog if body.is_empty() => Ok(None),
            Package::Dialog => match slot.line.take(body) {
                Ok(Taken::Known { busy }) => {
                    slot.whole_asked = false;
                    Ok(Some(if busy { Presence::Busy } else { Presence::Free }))
                }
                Ok(Taken::Old) => return,
                Ok(Taken::Gap) => {
                    // Changes are missing; until the whole is told nothing is known of the line.
                    slot.line = Line::default();
                    if !std::mem::replace(&mut slot.whole_asked, true) {
                        self.ua.refresh_subscription(subscription, now.instant);
                    }
                    *watched.standing(package) = Standing::Missing;
                    return self.show_expert(&id, now);
                }
                Err(why) => Err(why),
            },
        };
        let standing = match said {
            // §3.3.3 of RFC 3856: as long as nobody has allowed it, nothing that is told is the truth.
            Ok(_) if !active => Standing::Missing,
            Ok(said) => Standing::Live(said.map(|presence| watched.known.word(presence, now))),
            Err(why) => {
                let text =
                    format!("expert {id}: the {} document of their telephony is not read: {why}", package.name());
                self.log(LogLevel::Warn, text);
                Standing::Missing
            }
        };
        if let Some(watched) = self.experts.watched.get_mut(&id) {
            *watched.standing(package) = standing;
            watched.known.granted |= matches!(standing, Standing::Live(_));
        }
        self.show_expert(&id, now);
    }

    /// A subscription is over: what it said counts no more.
    pub(in super::super) fn expert_unsubscribed(
        &mut self,
        subscription: SubscriptionId,
        why: &SubscriptionEnd,
        now: Now,
    ) {
        let Some((id, package)) = self.experts.subscriptions.remove(&subscription.0) else { return };
        let Some(watched) = self.experts.watched.get_mut(&id) else { return };
        let was = *watched.standing(package);
        let slot = watched.package(package);
        slot.subscription = None;
        let lasted = now.instant.since(slot.began) >= LASTED;
        if lasted {
            slot.failures = 0;
        }
        let standing = if is_refusal(why) { Standing::Refused } else { Standing::Missing };
        *watched.standing(package) = standing;
        if standing == Standing::Refused && was != Standing::Refused {
            watched.package(package).failures = 0;
            let text = format!("expert {id}: no subscription to {}: {}", package.name(), describe(why));
            self.log(LogLevel::Info, text);
        } else if matches!(was, Standing::Live(_)) {
            let text = format!("expert {id}: the subscription to {} is over: {}", package.name(), describe(why));
            self.log(LogLevel::Info, text);
        }
        match why {
            // RFC 6665 §4.1.3: "the subscriber SHOULD retry immediately".
            SubscriptionEnd::Terminated { reason, .. }
                if lasted && matches!(reason.as_str(), "deactivated" | "timeout") =>
            {
                self.timers.set(Timer::Subscribe(id.clone(), package), now.instant);
            }
            // What ended in the dialog begins anew outside of it.
            SubscriptionEnd::Refused { status: 481, .. } if lasted => {
                self.timers.set(Timer::Subscribe(id.clone(), package), now.instant);
            }
            SubscriptionEnd::Terminated { retry_after, .. } | SubscriptionEnd::Refused { retry_after, .. } => {
                self.ask_again(&id, package, *retry_after, now);
            }
            SubscriptionEnd::Lost => self.ask_again(&id, package, None, now),
        }
        self.show_expert(&id, now);
    }

    /// The far end is gone: its subscriptions with it.
    pub(super) fn subscriptions_gone(&mut self, id: &ExpertId, now: Now) {
        for package in Package::ALL {
            let Some(watched) = self.experts.watched.get_mut(id) else { return };
            let Some(subscription) = watched.package(package).subscription.take() else { continue };
            *watched.standing(package) = Standing::Missing;
            self.experts.subscriptions.remove(&subscription.0);
            self.ua.drop_subscription(subscription);
            self.ask_again(id, package, None, now);
        }
    }

    /// It is there again: asked at once for what is missing.
    pub(super) fn subscribe_to_missing(&mut self, id: &ExpertId, now: Now) {
        for package in Package::ALL {
            let Some(watched) = self.experts.watched.get_mut(id) else { return };
            if *watched.standing(package) == Standing::Missing && watched.package(package).subscription.is_none() {
                self.timers.set(Timer::Subscribe(id.clone(), package), now.instant);
            }
        }
    }
}

/// Whether the far end does not offer the package, or not to us; else it is lost for now.
fn is_refusal(why: &SubscriptionEnd) -> bool {
    match why {
        SubscriptionEnd::Refused { status, .. } => {
            matches!(status, 400..=407 | 410..=422 | 424..=479 | 482..=489 | 501 | 505..=599 | 600..=699)
        }
        SubscriptionEnd::Terminated { reason, .. } => {
            matches!(reason.as_str(), "rejected" | "noresource" | "invariant")
        }
        SubscriptionEnd::Lost => false,
    }
}

fn describe(why: &SubscriptionEnd) -> String {
    match why {
        SubscriptionEnd::Refused { status: 489, .. } => "it is not offered (489)".to_owned(),
        SubscriptionEnd::Refused { status, .. } => format!("refused by {status}"),
        SubscriptionEnd::Terminated { reason, .. } => format!("terminated, reason '{}'", reason.escape_default()),
        SubscriptionEnd::Lost => "no answer".to_owned(),
    }
}
