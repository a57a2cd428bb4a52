//! What is left of a conversation with a bot: for the person who takes over, for the record, for those who look after the bot.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::Language;
use crate::time::Wall;

/// Why a person is to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = HandOverReason)]
pub enum Reason {
    /// As many misses in a row as the bot allows.
    Misses,
    /// The caller asked for a person.
    Agent,
    /// By the key 0.
    Key,
    Anger,
    /// The caller asked again for what the bot had just answered.
    Repeated,
    /// Nobody spoke.
    Silence,
    /// Speech recognition is down or slow, and the keypad does not lead on.
    Recogniser,
    /// The conversation went on for too long.
    TooLong,
    /// What was wanted is a person's business.
    Intent,
}

impl Reason {
    pub const ALL: [Reason; 9] = [
        Reason::Misses,
        Reason::Agent,
        Reason::Key,
        Reason::Anger,
        Reason::Repeated,
        Reason::Silence,
        Reason::Recogniser,
        Reason::TooLong,
        Reason::Intent,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Reason::Misses => "misses",
            Reason::Agent => "agent",
            Reason::Key => "key",
            Reason::Anger => "anger",
            Reason::Repeated => "repeated",
            Reason::Silence => "silence",
            Reason::Recogniser => "recogniser",
            Reason::TooLong => "too_long",
            Reason::Intent => "intent",
        }
    }
}

/// How a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The caller has what they wanted.
    Served,
    HandOver(Reason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SpokenOrTyped)]
pub enum By {
    Speech,
    Keys,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "who", rename_all = "snake_case")]
pub enum Turn {
    Caller {
        /// Since the conversation began.
        at_ms: u64,
        by: By,
        /// What was heard, without what is private.
        text: String,
        /// The recogniser's own, 0 to 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        confidence: Option<f32>,
        /// What it was taken for, and how likely that is.
        #[serde(skip_serializing_if = "Option::is_none")]
        intent: Option<(String, f32)>,
    },
    Bot {
        at_ms: u64,
        /// The names of the prompts.
        prompts: Vec<String>,
    },
}

/// The whole of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Conversation {
    pub bot: String,
    #[schema(value_type = String)]
    pub language: Language,
    /// The caller got what they wanted, or hung up after an answer.
    #[serde(default)]
    pub served: bool,
    /// Why a person goes on; `None` where nobody does.
    pub reason: Option<Reason>,
    /// The last intent that was understood.
    pub intent: Option<String>,
    pub confidence: Option<f32>,
    /// What was asked for and given; private values are hidden.
    pub slots: BTreeMap<String, String>,
    /// What was not understood.
    pub misses: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    pub began: Wall,
    pub lasted_ms: u64,
    pub transcript: Vec<Turn>,
    /// Turns beyond those that are kept.
    pub omitted: u32,
}
