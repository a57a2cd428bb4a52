//! `conference`: a room for all who name it, whatever number they dialled.
//!
//! The caller is alone with music until another comes; from then on everybody hears all the others. Each call goes its own
//! way: whoever leaves by a key goes on in their own plan, and a full room is told to the plan as well.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Action, Activity, Event, Inputs, Started, Value};
use crate::bridge::{Digit, PlayItem};
use crate::ids::PlayId;

pub const SPEC: Spec = Spec {
    name: "conference",
    summary: "A room in which all who name it hear each other.",
    inputs: &[
        Input {
            name: "room",
            kind: Kind::Text,
            need: Need::Required,
            doc: "the room's name, as { cel = \"call.digits\" }: 1 to 64 characters; whoever names the same one meets there",
        },
        Input {
            name: "most",
            kind: Kind::Integer { min: 2, max: MOST_OF_A_ROOM as i64 },
            need: Need::Integer(MOST_OF_A_ROOM as i64),
            doc: "nobody comes in who would be one more than this",
        },
        Input {
            name: "greeting",
            kind: Kind::Prompt,
            need: Need::Optional,
            doc: "said to the caller before they come in, as \"conference-welcome\"; a key ends it",
        },
        Input {
            name: "music",
            kind: Kind::Prompt,
            need: Need::Optional,
            doc: "what a caller hears who is alone there; music/default where it is not given. Of a list the first",
        },
        Input {
            name: "signal",
            kind: Kind::Flag,
            need: Need::Flag(true),
            doc: "whether it is heard that the caller comes, and goes: two short tones, rising and falling, over what is said",
        },
        Input {
            name: "joined",
            kind: Kind::Prompt,
            need: Need::Optional,
            doc: "said over the talk instead of the rising tones, as \"conference-joined\"",
        },
        Input {
            name: "left",
            kind: Kind::Prompt,
            need: Need::Optional,
            doc: "said over the talk instead of the falling tones, as \"conference-left\"",
        },
        Input {
            name: "leave",
            kind: Kind::Keys,
            need: Need::Optional,
            doc: "keys by which the caller leaves the room; the next level runs",
        },
        Input {
            name: "max_s",
            kind: Kind::Integer { min: 1, max: 86_400 },
            need: Need::Integer(14_400),
            doc: "how long before the next level runs",
        },
    ],
    outputs: &[
        Output {
            name: "result",
            kind: OutputKind::Word(&["left", "full", "timed_out", "no_such_room"]),
            doc: "`left` by a key, `full`, `timed_out`, or `no_such_room` where the name is empty or too long",
        },
        Output { name: "key", kind: OutputKind::Text, doc: "the key the caller left by, or an empty text" },
    ],
    ends: Ends::Never,
    free_inputs: false,
};

/// More do not fit into a room: 32 voices are more than anybody can tell apart.
pub const MOST_OF_A_ROOM: usize = 32;

/// Characters of a room's name.
const LONGEST_NAME: usize = 64;

/// Pitches of the two tones, and how long each sounds.
const SIGNAL_HZ: [u16; 2] = [620, 825];
const SIGNAL: Duration = Duration::from_millis(120);

/// How a caller takes part in a room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meeting {
    /// Who names the same one meet.
    pub room: String,
    /// Nobody comes in who would be one more than this.
    pub most: usize,
    /// Keys that leave, reported as `Left`.
    pub leave: Vec<Digit>,
    /// What is heard by one who is alone.
    pub music: PlayItem,
    /// What is heard over the talk when the caller comes, and when they go.
    pub joined: Vec<PlayItem>,
    pub left: Vec<PlayItem>,
}

/// What became of `Meet`. One whose time is over leaves by `Part`, which reports nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MeetOutcome {
    Full,
    /// The caller pressed one of the keys that leave.
    Left(Digit),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Conference {
    meeting: Meeting,
    longest: Duration,
    /// What is said first.
    greeting: Option<PlayId>,
}

pub(super) fn start(inputs: &Inputs, step: &mut Step<'_>) -> Started {
    let room = inputs.text("room").unwrap_or_default().trim();
    if room.is_empty() || room.chars().count() > LONGEST_NAME {
        return Started::Done(done("no_such_room", ""));
    }
    step.answer();
    let signal = inputs.flag("signal").unwrap_or(true);
    let [low, high] = SIGNAL_HZ;
    let meeting = Meeting {
        room: room.to_owned(),
        most: inputs.count("most").clamp(2, MOST_OF_A_ROOM),
        leave: inputs.keys("leave"),
        music: music(inputs, step),
        joined: if signal { said(inputs.prompts("joined"), [low, high], step) } else { Vec::new() },
        left: if signal { said(inputs.prompts("left"), [high, low], step) } else { Vec::new() },
    };
    let greeting = Some(inputs.prompts("greeting")).filter(|prompts| !prompts.is_empty());
    let greeting = greeting.map(|prompts| step.play(&prompts, false));
    let conference = Conference { meeting, longest: inputs.seconds("max_s").unwrap_or_default(), greeting };
    if greeting.is_none() {
        conference.enter(step);
    }
    Started::Running(Activity::Conference(Box::new(conference)))
}

fn music(inputs: &Inputs, step: &Step<'_>) -> PlayItem {
    let prompts = inputs.prompts("music");
    PlayItem::prompt(prompts.first().map_or("music/default", String::as_str), &step.desk.language)
}

fn said(prompts: Vec<String>, tones_hz: [u16; 2], step: &Step<'_>) -> Vec<PlayItem> {
    if !prompts.is_empty() {
        return prompts.iter().map(|prompt| PlayItem::prompt(prompt, &step.desk.language)).collect();
    }
    let tone = |hz| PlayItem::Tone { frequencies_hz: [hz, 0], on: SIGNAL, off: Duration::ZERO };
    tones_hz.map(tone).into()
}

impl Conference {
    fn enter(&self, step: &mut Step<'_>) {
        step.desk.served = true;
        step.ask(Action::Meet(Box::new(self.meeting.clone())));
        step.wait(self.longest);
    }

    pub(super) fn handle(&mut self, event: &Event, step: &mut Step<'_>) -> Option<Done> {
        if let Some(play) = self.greeting {
            let pressed = matches!(event, Event::Digit(_));
            if pressed {
                step.stop(play);
            }
            if pressed || step.is_end_of(play, event) {
                self.greeting = None;
                self.enter(step);
            }
            return None;
        }
        match event {
            Event::Met(MeetOutcome::Left(key)) => {
                step.desk.chose = true;
                Some(done("left", &key.key().to_string()))
            }
            Event::Met(MeetOutcome::Full) => {
                step.desk.served = false;
                Some(done("full", ""))
            }
            Event::Timeout => {
                step.ask(Action::Part);
                Some(done("timed_out", ""))
            }
            _ => None,
        }
    }
}

fn done(result: &str, key: &str) -> Done {
    Done::Next { result: result.to_owned(), outputs: vec![("result", result.into()), ("key", Value::from(key))] }
}
