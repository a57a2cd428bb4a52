//! Identifiers. Each is a type of its own so that a leg's number is never taken for a call's.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! long_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Unique across restarts: 48 bits of Unix milliseconds, 80 random bits.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u128);

        impl $name {
            /// Joins a wall clock time in milliseconds and random bits; ids made later sort later.
            pub fn new(unix_ms: i64, random: u128) -> Self {
                let high = (unix_ms.max(0) as u128) << 80;
                $name(high | (random & ((1 << 80) - 1)))
            }

            /// When it was made, in Unix milliseconds.
            pub fn unix_ms(self) -> i64 {
                (self.0 >> 80) as i64
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(s: &str) -> Result<Self, Self::Err> {
                u128::from_str_radix(s, 16).map($name)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

long_id!(
    /// One contact, from the trunk to its last leg.
    CallId
);
long_id!(
    /// One recording; its file is named by it.
    RecordingId
);
long_id!(
    /// A promise to call somebody back.
    CallbackId
);
long_id!(
    /// A conference room, from the first who enters to the last who leaves.
    RoomId
);

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(
    /// One party's connection to Relais within a call: a SIP dialog and its media.
    LegId
);
number_id!(
    /// One run of a prompt list on a leg.
    PlayId
);
number_id!(
    /// One INVITE usage of the SIP user agent.
    SessionId
);
number_id!(
    /// A request of the web shell that waits for the engine's answer.
    RequestId
);
number_id!(
    /// A TCP, TLS or WebSocket connection of the net shell.
    ConnectionId
);

macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                $name(Arc::from(name))
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                $name(Arc::from(name))
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_id!(
    /// An agent, by the number of their phone: `201`.
    AgentId
);
name_id!(
    /// A queue, by its configured name: `sales`.
    QueueId
);
name_id!(
    /// An expert outside the centre: `301`.
    ExpertId
);
name_id!(
    /// What an agent is good at: `billing`.
    Skill
);
name_id!(
    /// A trunk, by its configured name.
    TrunkId
);
name_id!(
    /// A dialplan, by its configured name.
    PlanId
);
name_id!(
    /// An HTTP service outside, by its configured name: `crm`.
    ServiceId
);
name_id!(
    /// A language tag as configured: `en`, `fr`, `ko`.
    Language
);
