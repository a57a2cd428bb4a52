//! Session timers (RFC 4028): who refreshes a session, how often, and when it is dead.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::message::Headers;

/// RFC 4028 §5: "The absolute minimum for the Min-SE header field is 90 seconds."
const LEAST: Duration = Duration::from_secs(90);
/// RFC 4028 §10: a side that does not refresh gives up this long before the end, or a third of the interval if shorter.
const GRACE: Duration = Duration::from_secs(32);

/// `Session-Expires: 1800;refresher=uac`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionExpires {
    pub interval: Duration,
    pub refresher: Option<Refresher>,
}

/// A role in the transaction that carries the header, not in the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refresher {
    Uac,
    Uas,
}

impl SessionExpires {
    pub fn of(headers: &Headers) -> Option<Self> {
        let value = headers.get("Session-Expires")?;
        let mut parts = value.split(';');
        let interval = Duration::from_secs(parts.next()?.trim().parse::<u32>().ok()?.into());
        let refresher = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            match value.trim() {
                _ if !name.trim().eq_ignore_ascii_case("refresher") => None,
                value if value.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
                value if value.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
                _ => None,
            }
        });
        Some(SessionExpires { interval, refresher })
    }
}

impl std::fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.interval.as_secs())?;
        match self.refresher {
            Some(Refresher::Uac) => f.write_str(";refresher=uac"),
            Some(Refresher::Uas) => f.write_str(";refresher=uas"),
            None => Ok(()),
        }
    }
}

/// The smallest interval a message allows; never below 90 s.
pub fn min_se(headers: &Headers) -> Option<Duration> {
    let value = headers.get("Min-SE")?;
    let seconds: u32 = value.split(';').next()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.into()).max(LEAST))
}

/// What the two sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub interval: Duration,
    pub we_refresh: bool,
}

impl Terms {
    /// RFC 4028 §10: "It is RECOMMENDED that this refresh be sent once half the session interval has elapsed."
    pub fn until_refresh(&self) -> Duration {
        self.interval / 2
    }

    /// RFC 4028 §10: who sees no refresh "SHOULD send a BYE request to terminate the session, slightly before the session
    /// expiration. The minimum of 32 seconds and one third of the session interval is RECOMMENDED."
    pub fn until_expiry(&self) -> Duration {
        self.interval.saturating_sub(GRACE.min(self.interval / 3))
    }
}

/// RFC 4028 §9: what a UAS makes of a session refresh request. `Err` is the 422 it must answer with: our Min-SE.
///
/// `supported` says whether the request supports `timer`; `wish` is our own interval, `floor` our minimum. The second
/// value is the header for the 2xx, absent where the peer does not know it.
pub fn answer(
    request: &Headers,
    supported: bool,
    wish: Duration,
    floor: Duration,
) -> Result<(Terms, Option<SessionExpires>), Duration> {
    let floor = floor.max(LEAST);
    let asked = SessionExpires::of(request);
    // "If an incoming request contains a Supported header field with a value 'timer' and a Session Expires header field,
    // the UAS MAY reject the INVITE request with a 422 (Session Interval Too Small) response if the session interval in
    // the Session-Expires header field is smaller than the minimum interval defined by the UAS' local policy."
    if supported && asked.is_some_and(|asked| asked.interval < floor) {
        return Err(floor);
    }
    // "The UAS MUST NOT increase the value of the Session-Expires header field"; and it "MUST NOT [be] lower than the
    // value of the Min-SE header field in the request".
    let lowest = min_se(request).unwrap_or(LEAST);
    let interval = match asked {
        Some(asked) => asked.interval.min(wish.max(lowest)).max(LEAST),
        None => wish.max(lowest),
    };
    // Table 2: a UAC that does not support timers leaves the refresh to us; one that does may have chosen, else it is
    // the UAC.
    let refresher = match (supported, asked.and_then(|asked| asked.refresher)) {
        (false, _) | (true, Some(Refresher::Uas)) => Refresher::Uas,
        (true, Some(Refresher::Uac) | None) => Refresher::Uac,
    };
    let terms = Terms { interval, we_refresh: refresher == Refresher::Uas };
    Ok((terms, supported.then_some(SessionExpires { interval, refresher: Some(refresher) })))
}

/// RFC 4028 §7.2: what a 2xx to our session refresh request means. Without the header the peer runs no timer, and we
/// refresh by ourselves.
pub fn agreed(response: &Headers, wish: Duration) -> Terms {
    match SessionExpires::of(response) {
        Some(said) => Terms { interval: said.interval.max(LEAST), we_refresh: said.refresher != Some(Refresher::Uas) },
        None => Terms { interval: wish.max(LEAST), we_refresh: true },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISH: Duration = Duration::from_secs(1800);
    const FLOOR: Duration = Duration::from_secs(90);

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        Headers::from_pairs(pairs.iter().map(|(name, value)| (*name, *value)))
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_header_is_read_whatever_its_parameters_and_blanks() {
        for (text, interval, refresher) in [
            ("1800", 1800, None),
            (" 90 ;refresher=uac", 90, Some(Refresher::Uac)),
            ("300;x=y; Refresher = UAS", 300, Some(Refresher::Uas)),
            ("300;refresher=nobody", 300, None),
        ] {
            let expected = SessionExpires { interval: seconds(interval), refresher };
            assert_eq!(SessionExpires::of(&headers(&[("Session-Expires", text)])), Some(expected), "{text}");
        }
        for text in ["", "soon", "-1", "99999999999"] {
            assert_eq!(SessionExpires::of(&headers(&[("Session-Expires", text)])), None, "{text}");
        }
    }

    /// RFC 4028 table 2.
    #[test]
    fn the_refresher_is_chosen_as_table_2_says() {
        for (supported, asked, header, we_refresh) in [
            (false, None, None, true),
            (false, Some("600"), None, true),
            (true, None, Some("1800;refresher=uac"), false),
            (true, Some("600"), Some("600;refresher=uac"), false),
            (true, Some("600;refresher=uac"), Some("600;refresher=uac"), false),
            (true, Some("600;refresher=uas"), Some("600;refresher=uas"), true),
        ] {
            let request = headers(&asked.map(|value| ("Session-Expires", value)).into_iter().collect::<Vec<_>>());
            let (terms, said) = answer(&request, supported, WISH, FLOOR).unwrap();
            assert_eq!(said.map(|said| said.to_string()).as_deref(), header, "{supported} {asked:?}");
            assert_eq!(terms.we_refresh, we_refresh, "{supported} {asked:?}");
        }
    }

    #[test]
    fn the_interval_is_never_raised_and_never_below_the_callers_min_se() {
        for (asked, min_se, interval) in [("600", "90", 600), ("7200", "90", 1800), ("7200", "3600", 3600)] {
            let request = headers(&[("Session-Expires", asked), ("Min-SE", min_se)]);
            let (terms, _) = answer(&request, true, WISH, FLOOR).unwrap();
            assert_eq!(terms.interval, seconds(interval), "{asked} {min_se}");
        }
    }

    #[test]
    fn an_interval_below_our_minimum_gets_422_only_where_the_caller_understands_it() {
        let request = headers(&[("Session-Expires", "100")]);
        assert_eq!(answer(&request, true, WISH, seconds(120)), Err(seconds(120)));
        assert!(answer(&request, false, WISH, seconds(120)).is_ok());
    }

    #[test]
    fn a_2xx_without_the_header_leaves_the_refresh_to_us() {
        assert_eq!(agreed(&headers(&[]), WISH), Terms { interval: WISH, we_refresh: true });
        let uas = headers(&[("Session-Expires", "600;refresher=uas")]);
        assert_eq!(agreed(&uas, WISH), Terms { interval: seconds(600), we_refresh: false });
    }

    #[test]
    fn the_session_is_given_up_before_its_end_and_refreshed_at_half() {
        let terms = Terms { interval: seconds(1800), we_refresh: true };
        assert_eq!(terms.until_refresh(), seconds(900));
        assert_eq!(terms.until_expiry(), seconds(1768));
        assert_eq!(Terms { interval: seconds(90), we_refresh: false }.until_expiry(), seconds(60));
    }
}
