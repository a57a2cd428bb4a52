//! What is written down as it happens.

use serde::{Deserialize, Serialize};

use crate::callback::Callback;
use crate::ids::{CallId, QueueId, RecordingId};
use crate::record::{CallRecord, Disposition, LegRecord, Progress, Recording, RecordingState, SurveyAnswer};
use crate::shift::AgentChange;
use crate::time::Wall;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A call is up; the record holds what is known so far.
    Began(Box<CallRecord>),
    /// What it has come to since.
    Progress {
        call_id: CallId,
        progress: Box<Progress>,
    },
    /// A call waits in a queue, for the caller to regain the place if the process dies.
    Queued {
        call_id: CallId,
        queue: QueueId,
        from: String,
        since: Wall,
    },
    /// Who waited in a queue when the process was stopped: the next one gives the place back.
    LostPlace {
        queue: QueueId,
        from: String,
        waiting_since: Wall,
        lost_at: Wall,
    },
    /// A call is over.
    Ended(Box<CallRecord>),
    /// An agent has wrapped up a call; several wrap-ups of one call add up. May come before `Ended`.
    Completed {
        call_id: CallId,
        acw_ms: u64,
    },
    /// What is known of a recording now.
    Recording(Box<Recording>),
    RecordingDeleted {
        recording_id: RecordingId,
    },
    /// A message was listened to, or is new again; a recording is held, or no longer.
    RecordingNoted {
        recording_id: RecordingId,
        heard: Option<bool>,
        held: Option<bool>,
    },
    /// A caller has given a score. May come before `Ended`.
    Surveyed {
        call_id: CallId,
        answer: SurveyAnswer,
    },
    /// What a call came to, as its agent says; the last one counts. May come before `Ended`.
    Disposed {
        call_id: CallId,
        disposition: Disposition,
    },
    /// A call-back, as it is now.
    Callback(Box<Callback>),
    /// An event for a service outside, to be sent until it is taken; also by the next process.
    Told {
        id: String,
        event: String,
    },
    /// It was taken, or given up.
    ToldOf {
        id: String,
    },
    /// The states that agents went into, in order.
    Agents(Vec<AgentChange>),
}

impl Entry {
    /// Says something about a call that a user would miss; the others only serve recovery.
    pub(super) fn ends_something(&self) -> bool {
        match self {
            Entry::Began(_) | Entry::Progress { .. } | Entry::Queued { .. } | Entry::ToldOf { .. } => false,
            Entry::Recording(recording) => recording.state != RecordingState::Open,
            Entry::Ended(_)
            | Entry::LostPlace { .. }
            | Entry::Completed { .. }
            | Entry::Callback(_)
            | Entry::Told { .. }
            | Entry::RecordingDeleted { .. }
            | Entry::RecordingNoted { .. }
            | Entry::Agents(_)
            | Entry::Disposed { .. }
            | Entry::Surveyed { .. } => true,
        }
    }

    /// JSON has no infinity and no NaN: as null they could be written, but not be read again.
    pub(super) fn make_finite(&mut self) {
        let legs: &mut [LegRecord] = match self {
            Entry::Began(record) | Entry::Ended(record) => &mut record.legs,
            Entry::Progress { progress, .. } => &mut progress.legs,
            Entry::Queued { .. }
            | Entry::LostPlace { .. }
            | Entry::Completed { .. }
            | Entry::Recording(_)
            | Entry::RecordingDeleted { .. }
            | Entry::RecordingNoted { .. }
            | Entry::Surveyed { .. }
            | Entry::Disposed { .. }
            | Entry::Callback(_)
            | Entry::Told { .. }
            | Entry::ToldOf { .. }
            | Entry::Agents(_) => return,
        };
        for rtp in legs.iter_mut().filter_map(|leg| leg.rtp.as_mut()) {
            if !rtp.jitter_ms.is_finite() {
                rtp.jitter_ms = 0.0;
            }
            rtp.mos = rtp.mos.filter(|mos| mos.is_finite());
        }
    }
}
