//! Registration at the provider (RFC 3261 §10.2): at the best server of the trunk that answers.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::super::{Engine, LogLevel, Timer};
use super::{Asked, RETRY, TargetId, describe, named, shows_down, sip_uri};
use crate::ids::TrunkId;
use crate::settings::Credentials;
use crate::sip::message::{Contacts, Headers, Method, NameAddr, Response, Uri};
use crate::sip::refresh::refresh_after;
use crate::sip::ua::SingleRequest;
use crate::time::Now;

/// Asked for in REGISTER, unless the provider wants longer.
const EXPIRES: Duration = Duration::from_secs(3_600);
/// A provider that wants a longer interval than this wants nonsense.
const LONGEST_EXPIRES: Duration = Duration::from_secs(86_400);
/// A refused registration is tried again ever more seldom: who goes on trying locks the account.
const LONGEST_RETRY: Duration = Duration::from_secs(3_600);

/// How a trunk's registration stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Registration {
    credentials: Credentials,
    /// Where we are registered, as far as the last answer told.
    at: Option<TargetId>,
    /// What to ask for; a 423 may have raised it (§10.2.8).
    expires: Duration,
    /// Refusals in a row.
    refusals: u32,
}

impl Registration {
    fn new(credentials: Credentials) -> Registration {
        Registration { credentials, at: None, expires: EXPIRES, refusals: 0 }
    }

    /// 30 s, a minute, two, four, … an hour.
    fn patience(&self) -> Duration {
        (RETRY * 2u32.saturating_pow(self.refusals.saturating_sub(1).min(10))).min(LONGEST_RETRY)
    }
}

impl Engine {
    /// Begins registrations that are new in the settings, and forgets those that are no longer there.
    pub(super) fn keep_registered(&mut self, now: Now) {
        let settings = self.settings.clone();
        let wanted = |id: &TrunkId| settings.trunks.iter().find(|trunk| trunk.id == *id)?.register.as_ref();
        let gone: Vec<_> = self
            .trunks
            .registrations
            .iter()
            .filter(|(id, registration)| wanted(id) != Some(&registration.credentials))
            .map(|(id, _)| id.clone())
            .collect();
        for trunk in gone {
            self.trunks.registrations.remove(&trunk);
            self.timers.clear(&Timer::Register(trunk));
        }
        for trunk in &settings.trunks {
            let Some(credentials) = &trunk.register else { continue };
            if !self.trunks.registrations.contains_key(&trunk.id) {
                self.trunks.registrations.insert(trunk.id.clone(), Registration::new(credentials.clone()));
            }
            self.register_where_best(&trunk.id, now);
        }
    }

    /// Registers at once where that is elsewhere than now: at the start, when the server is down, or a better one is up
    /// again. What was refused waits for its time.
    pub(super) fn register_where_best(&mut self, trunk: &TrunkId, now: Now) {
        let best = self.trunks.ways_out(trunk, now.instant).into_iter().next();
        let Some(registration) = self.trunks.registrations.get(trunk) else { return };
        if best.is_some() && registration.at != best && registration.refusals == 0 {
            self.timers.set(Timer::Register(trunk.clone()), now.instant);
        }
    }

    pub(in super::super) fn register_at(&mut self, trunk: &TrunkId, now: Now) {
        // Without an address yet: the look-up's answer leads here again.
        let Some(target) = self.trunks.ways_out(trunk, now.instant).into_iter().next() else { return };
        if self.trunks.is_asked(&Asked::Register(target.clone())) {
            return;
        }
        let Some(registration) = self.trunks.registrations.get_mut(trunk) else { return };
        registration.at.take_if(|at| *at != target);
        let (credentials, expires) = (registration.credentials.clone(), registration.expires);
        let Ok(Uri::Sip(own)) = credentials.aor.parse::<Uri>() else { return };
        let mut headers = Headers::default();
        headers.push("Contact", self.ua.contact(target.to, own.user.clone()).to_string());
        headers.push("Expires", expires.as_secs().to_string());
        let request = SingleRequest {
            method: Method::Register,
            to: target.to,
            // §10.2: "The Request-URI names the domain of the location service […] The 'userinfo' and '@' components of
            // the SIP URI MUST NOT be present."
            request_uri: sip_uri(None, own.host.clone(), own.port),
            from: named(Uri::Sip(own.clone())),
            to_header: named(Uri::Sip(own)),
            headers,
            body: Bytes::new(),
            credentials: Some(credentials),
        };
        let ticket = self.ua.request(request, now.instant);
        self.trunks.asked.insert(ticket, Asked::Register(target));
    }

    pub(super) fn register_answered(&mut self, id: &TargetId, response: &Response, now: Now) {
        let trunk = &id.server.trunk;
        let status = response.code();
        let Some(registration) = self.trunks.registrations.get_mut(trunk) else { return };
        let user = registration.credentials.aor.parse().ok().and_then(|uri| match uri {
            Uri::Sip(uri) => uri.user,
            _ => None,
        });
        let granted = granted(response, &self.ua.contact(id.to, user), registration.expires);
        let next = match (status, granted) {
            (200..=299, Some(granted)) => {
                let elsewhere = registration.at.as_ref() != Some(id);
                registration.at = Some(id.clone());
                registration.refusals = 0;
                if elsewhere {
                    let text = format!("{}: registered for {} s", describe(id), granted.as_secs());
                    self.log(LogLevel::Info, text);
                }
                refresh_after(granted)
            }
            (423, _) if registration.raise_expires(response) => Duration::ZERO,
            (status, _) if shows_down(status) => {
                // A late word of a server that we have left already changes nothing here.
                let here = registration.at.take_if(|at| at == id).is_some() || registration.at.is_none();
                self.target_is_down(id, now);
                if !here {
                    return;
                }
                self.retry_elsewhere(id, now)
            }
            _ => self.refused(id, status),
        };
        self.timers.set(Timer::Register(id.server.trunk.clone()), now.instant + next);
    }

    /// At once at another server, where one may be up.
    fn retry_elsewhere(&self, id: &TargetId, now: Now) -> Duration {
        let best = self.trunks.ways_out(&id.server.trunk, now.instant).into_iter().next();
        let other = best.filter(|best| best != id && !self.trunks.is_down(best, now.instant));
        if other.is_some() { Duration::ZERO } else { RETRY }
    }

    fn refused(&mut self, id: &TargetId, status: u16) -> Duration {
        let Some(registration) = self.trunks.registrations.get_mut(&id.server.trunk) else { return RETRY };
        registration.at = None;
        registration.refusals = registration.refusals.saturating_add(1);
        let patience = registration.patience();
        let what = match status {
            200..=299 => "took our contact out again".to_owned(),
            401 | 403 | 407 => format!("refused the user or password ({status}); see register in the configuration"),
            status => format!("answered {status}"),
        };
        let text = format!("{}: REGISTER: the provider {what}; next try in {} s", describe(id), patience.as_secs());
        self.log(LogLevel::Warn, text);
        patience
    }
}

impl Registration {
    /// §10.2.8: "If a UA receives a 423 (Interval Too Brief) response, it MAY retry the registration after making the
    /// expiration interval of all contact addresses in the REGISTER request equal to or greater than the expiration
    /// interval within the Min-Expires header field". Once, for it must grow.
    fn raise_expires(&mut self, response: &Response) -> bool {
        let least = response.headers.get("Min-Expires").and_then(|text| text.trim().parse().ok());
        let least = least.map_or(Duration::ZERO, Duration::from_secs);
        let fits = least > self.expires && least <= LONGEST_EXPIRES;
        if fits {
            self.expires = least;
        }
        fits
    }
}

/// §10.2.4: what a 2xx says about our own contact among those it lists, else its Expires header, else what we asked for.
/// `None` where our contact is not registered.
fn granted(response: &Response, own: &NameAddr, asked: Duration) -> Option<Duration> {
    let listed = match response.headers.contacts() {
        Ok(Contacts::List(list)) => list,
        _ => Vec::new(),
    };
    // A provider may rewrite our contact, behind NAT for one; a list of one can only be ours.
    let ours = listed.iter().find(|contact| is_same(&contact.uri, &own.uri)).or(match &listed[..] {
        [only] => Some(only),
        _ => None,
    });
    let seconds = ours.and_then(|contact| contact.params.get("expires")?.trim().parse().ok());
    let granted = seconds.or(response.headers.expires()).map_or(asked, |s| Duration::from_secs(s.into()));
    (!granted.is_zero()).then_some(granted)
}

fn is_same(one: &Uri, other: &Uri) -> bool {
    match (one, other) {
        (Uri::Sip(one), Uri::Sip(other)) => one.user == other.user && one.host == other.host && one.port == other.port,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_tried_again_ever_more_seldom() {
        let credentials = Credentials { user: "u".into(), password: "p".into(), aor: "sip:u@h".into() };
        let mut registration = Registration::new(credentials);
        let mut waits = Vec::new();
        for refusals in [1, 2, 3, 7, 8, 4_000_000_000] {
            registration.refusals = refusals;
            waits.push(registration.patience().as_secs());
        }
        assert_eq!(waits, [30, 60, 120, 1_920, 3_600, 3_600]);
    }
}
