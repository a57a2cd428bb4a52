//! A call-back: the promise to ring a caller who does not want to wait on the line. It keeps the caller's place.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::ids::{CallId, CallbackId, Language, QueueId, TrunkId};
use crate::record::millis;
use crate::settings::Transport;
use crate::time::Wall;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallbackState {
    /// For later: not before a time, within opening hours, or until the next attempt.
    Scheduled,
    /// Stands in the queue.
    Waiting,
    /// An agent is reserved and the customer is being rung.
    Dialling,
    /// An agent has talked to the customer.
    Done,
    /// Given up after the last attempt.
    Failed,
    /// The customer rang in first, or somebody took it back.
    Cancelled,
}

impl CallbackState {
    /// Nothing more will come of it.
    pub fn is_final(self) -> bool {
        matches!(self, CallbackState::Done | CallbackState::Failed | CallbackState::Cancelled)
    }
}

/// Why an attempt came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptFailure {
    Busy,
    NoAnswer,
    Declined,
    /// The number does not exist, or no trunk is up.
    Unreachable,
    /// Somebody or something answered, and no key was pressed.
    NotConfirmed,
}

/// Where the caller's own call came from: the way back where a trunk has no servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub transport: Transport,
    pub address: SocketAddr,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Callback {
    pub id: CallbackId,
    /// The call in which it was asked for; `None` for one asked for on the web.
    pub call_id: Option<CallId>,
    pub number: String,
    pub queue: QueueId,
    pub language: Language,
    /// The trunk the caller came by; any that may dial the number when `None`.
    pub trunk: Option<TrunkId>,
    pub origin: Option<Origin>,
    /// The number the caller had dialled; the customer sees it.
    pub dialled: Option<String>,
    #[serde(with = "millis")]
    pub asked_at: Wall,
    /// The place in the queue: since when the caller has waited.
    #[serde(with = "millis")]
    pub waiting_since: Wall,
    #[serde(with = "millis")]
    pub not_before: Wall,
    pub attempts: u32,
    pub state: CallbackState,
    pub last_failure: Option<AttemptFailure>,
}

/// A telephone number without what people write between its digits (RFC 3966 §3): digits, a `+` before them.
/// `None`: it is none, or longer than any (ITU-T E.164: 15 digits, and a prefix).
pub fn plain_number(text: &str) -> Option<String> {
    let text = text.trim();
    let (plus, rest) = text.strip_prefix('+').map_or(("", text), |rest| ("+", rest));
    let fine = rest.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')' | '/'));
    let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
    (fine && (2..=18).contains(&digits.len())).then(|| format!("{plus}{digits}"))
}

/// Whether two numbers are one person's: `00` stands for `+`.
pub fn same_number(one: &str, other: &str) -> bool {
    let international = |number: &str| match number.strip_prefix("00") {
        Some(rest) => format!("+{rest}"),
        None => number.to_owned(),
    };
    match (plain_number(one), plain_number(other)) {
        (Some(one), Some(other)) => international(&one) == international(&other),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, plain) in [
            ("+33 1 55 50 12 34", Some("+33155501234")),
            ("(01) 55-50.12/34", Some("0155501234")),
            ("201", Some("201")),
            ("0", None),
            ("", None),
            ("anonymous", None),
            ("+33x", None),
            ("1+2", None),
            ("sip:201@127.0.0.1", None),
            ("1234567890123456789", None),
        ] {
            assert_eq!(plain_number(text).as_deref(), plain, "{text}");
        }
    }

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        assert!(same_number("+33 155501234", "0033155501234"));
        assert!(same_number("201", "201"));
        assert!(!same_number("+33155501234", "0155501234"), "which country that is nobody says");
        assert!(!same_number("anonymous", "anonymous"));
    }
}
