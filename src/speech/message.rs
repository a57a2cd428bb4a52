//! What the server and a worker say to each other, as JSON. PROTOCOL.md has the meaning.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::wire::Frame;
use crate::heard::{HeardWord, Hints};

/// The one version there is.
pub const PROTOCOL: u32 = 1;
/// Other texts of one utterance.
pub const MOST_ALTERNATIVES: usize = 4;
/// Phrases of one hint, and bytes of one of them.
pub const MOST_PHRASES: usize = 4_000;
const MOST_GROUPS: usize = 1_000;
pub const LONGEST_PHRASE: usize = 200;

/// From the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Ask {
    Hello {
        protocol: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
    },
    Open {
        language: String,
        sample_rate_hz: u32,
        #[serde(default)]
        hints: Hints,
    },
    Hints(Hints),
    Pause,
    GoOn,
    Finish {
        utterance: u64,
    },
    Discard,
    Ping {
        n: u64,
    },
    #[serde(other)]
    Unknown,
}

/// From the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Tell {
    Hello {
        protocol: u32,
        engine: String,
        languages: Vec<String>,
        streams: usize,
    },
    Opened,
    Refused {
        reason: Refusal,
        message: String,
    },
    Partial {
        text: String,
    },
    Final(Words),
    Failed {
        message: String,
    },
    Pong {
        n: u64,
        behind_ms: u64,
    },
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    Protocol,
    Token,
    Busy,
    Language,
    Rate,
    Engine,
    #[serde(other)]
    Other,
}

/// The words of one utterance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Words {
    pub utterance: u64,
    pub text: String,
    /// Likeliest first; what is beyond `MOST_ALTERNATIVES` is passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<String>,
    pub confidence: f32,
    #[serde(default)]
    pub words: Vec<Word>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Word {
    pub word: String,
    pub confidence: f32,
    pub start_ms: u64,
    pub end_ms: u64,
}

impl From<Word> for HeardWord {
    fn from(word: Word) -> HeardWord {
        HeardWord {
            word: word.word,
            confidence: word.confidence.clamp(0.0, 1.0),
            start: Duration::from_millis(word.start_ms),
            end: Duration::from_millis(word.end_ms),
        }
    }
}

/// As a frame. What is too large for one becomes too large in the encoder, which says so.
pub fn frame(message: &impl Serialize) -> Frame {
    // These types have no keys that JSON cannot write.
    Frame::Message(Bytes::from(serde_json::to_vec(message).unwrap_or_default()))
}

/// Cuts hints to what one frame holds.
pub fn bounded(mut hints: Hints) -> Hints {
    hints.groups.truncate(MOST_GROUPS);
    hints.also_groups.truncate(MOST_GROUPS);
    // A size has up to four digits, and a comma.
    let sizes = (hints.groups.len() + hints.also_groups.len()) * 5;
    let mut room = super::wire::LARGEST - 1_024 - sizes;
    cut(&mut hints.phrases, &mut hints.groups, &mut room);
    cut(&mut hints.also, &mut hints.also_groups, &mut room);
    hints
}

/// Each group keeps what is left of it.
fn cut(phrases: &mut Vec<String>, groups: &mut Vec<usize>, room: &mut usize) {
    let mut ends: Vec<usize> = Vec::with_capacity(groups.len());
    for size in groups.iter() {
        ends.push(ends.last().copied().unwrap_or(0_usize).saturating_add(*size));
    }
    let (mut place, mut kept, mut left) = (0, 0, vec![0; groups.len()]);
    phrases.retain(|phrase| {
        let group = ends.partition_point(|end| *end <= place);
        place += 1;
        // Escapes make a byte up to six; quotes and a comma are three.
        let length = serde_json::to_string(phrase).map_or(LONGEST_PHRASE * 6, |text| text.len()) + 1;
        let fits = !phrase.is_empty() && phrase.len() <= LONGEST_PHRASE && kept < MOST_PHRASES && length <= *room;
        if fits {
            kept += 1;
            *room -= length;
            left.get_mut(group).into_iter().for_each(|left| *left += 1);
        }
        fits
    });
    *groups = left;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_side_is_understood_as_far_as_it_is_known() {
        let read = |text: &str| serde_json::from_str::<Tell>(text).unwrap();
        assert_eq!(read(r#"{"type":"mood","value":3}"#), Tell::Unknown);
        assert_eq!(read(r#"{"type":"partial","text":"hi","mood":3}"#), Tell::Partial { text: "hi".to_owned() });
        let refused = read(r#"{"type":"refused","reason":"weather","message":"rain"}"#);
        assert_eq!(refused, Tell::Refused { reason: Refusal::Other, message: "rain".to_owned() });
        let opened: Ask = serde_json::from_str(r#"{"type":"open","language":"ko","sample_rate_hz":8000}"#).unwrap();
        assert_eq!(opened, Ask::Open { language: "ko".to_owned(), sample_rate_hz: 8000, hints: Hints::default() });
    }

    #[test]
    fn the_forms_of_the_page_on_the_protocol_are_the_ones_sent() {
        let text = |ask: &Ask| serde_json::to_string(ask).unwrap();
        assert_eq!(text(&Ask::Hello { protocol: 1, token: None }), r#"{"type":"hello","protocol":1}"#);
        assert_eq!(text(&Ask::Discard), r#"{"type":"discard"}"#);
        assert_eq!(text(&Ask::Pause), r#"{"type":"pause"}"#);
        assert_eq!(text(&Ask::GoOn), r#"{"type":"go_on"}"#);
        let hints = Hints { phrases: vec!["yes".to_owned()], only: true, ..Hints::default() };
        assert_eq!(
            text(&Ask::Hints(hints)),
            r#"{"type":"hints","phrases":["yes"],"only":true,"whole":false,"near":false}"#
        );
        let words = Words { utterance: 2, text: "yes".to_owned(), confidence: 0.5, ..Words::default() };
        let words = Tell::Final(words);
        assert_eq!(
            serde_json::to_string(&words).unwrap(),
            r#"{"type":"final","utterance":2,"text":"yes","confidence":0.5,"words":[]}"#
        );
    }

    #[test]
    fn hints_are_cut_to_one_frame() {
        let hints = |phrases, also| Hints { phrases, also, ..Hints::default() };
        let many = || vec!["\u{1}".repeat(200); 2_000];
        assert_eq!(bounded(hints(many(), many())).also, [""; 0], "there is no room left");
        let cut = bounded(hints(vec!["a".to_owned()], many()));
        assert!(cut.phrases == ["a"] && !cut.also.is_empty());
        let fits = |cut: Hints| {
            let Frame::Message(bytes) = frame(&Ask::Hints(cut)) else { panic!("no message") };
            assert!(bytes.len() < super::super::wire::LARGEST, "{} bytes", bytes.len());
        };
        fits(cut);
        fits(bounded(Hints { groups: vec![1; 9_000], also_groups: vec![1; 9_000], ..hints(many(), many()) }));
        let long = || vec!["a".repeat(201), String::new(), "b".to_owned()];
        let cut = bounded(hints(long(), long()));
        assert_eq!((cut.phrases, cut.also), (vec!["b".to_owned()], vec!["b".to_owned()]));
        let groups = vec![2, 0, 1, usize::MAX, 9];
        let cut = bounded(Hints { also_groups: groups.clone(), groups, ..hints(long(), long()) });
        assert_eq!((cut.groups, cut.also_groups), (vec![0, 0, 1, 0, 0], vec![0, 0, 1, 0, 0]));
    }
}
