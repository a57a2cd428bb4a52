//! What must survive the death of the process, told as it happens: each input's news of a call in one entry.

use serde::{Deserialize, Serialize};

use super::{Command, Engine, LostPlace};
use crate::call::{Call, LegState};
use crate::callback::Callback;
use crate::ids::{CallId, LegId, QueueId, RecordingId};
use crate::record::{CallRecord, Disposition, Progress, Recording, SurveyAnswer};
use crate::shift::AgentChange;
use crate::time::Wall;
use crate::views::{CallbackView, Change};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Journal {
    /// A call is up, as far as its first input brought it.
    Began(Box<CallRecord>),
    /// What a call has come to since.
    Progress {
        call: CallId,
        progress: Box<Progress>,
    },
    Queued {
        call: CallId,
        queue: QueueId,
        from: String,
        since: Wall,
    },
    /// Who waits when everything is stopped.
    LostPlace(LostPlace),
    Ended(Box<CallRecord>),
    /// The agent's wrap-up for this call is over.
    WrapUp {
        call: CallId,
        acw_ms: u64,
    },
    /// A recording begins, or has ended: what is known of it now.
    Recording(Box<Recording>),
    RecordingDeleted(RecordingId),
    /// A message was listened to, or is new again; a recording is held, or no longer.
    RecordingNoted {
        recording: RecordingId,
        heard: Option<bool>,
        held: Option<bool>,
    },
    Surveyed {
        call: CallId,
        answer: SurveyAnswer,
    },
    /// An agent has said what the call came to.
    Disposed {
        call: CallId,
        disposition: Disposition,
    },
    /// A call-back was promised, or has gone on.
    Callback(Box<Callback>),
    /// An event that `Command::Tell` wrote down is done.
    Told(String),
    /// The states that agents went into, in order.
    Agents(Vec<AgentChange>),
}

/// How much of a call has been written down.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Written {
    began: bool,
    answered: bool,
    waited: bool,
    queue: Option<QueueId>,
    steps: usize,
    /// Legs that joined; true once they have left as well.
    legs: Vec<(LegId, bool)>,
    /// A place in a queue that is still to be written.
    pub(super) place: Option<(QueueId, Wall)>,
}

impl Written {
    /// The news of the call since the last time. `None`: nothing that a record would show.
    fn news(&mut self, call: &Call) -> Option<Progress> {
        let mut news = Progress {
            answered_at: call.answered_at.filter(|_| !self.answered),
            wait_ms: call.wait_ms.filter(|_| !self.waited),
            queue: call.queue.clone().filter(|queue| self.queue.as_ref() != Some(queue)),
            ..Progress::default()
        };
        if call.path.len() > self.steps {
            // The last one told may have got its result since.
            news.path_from = self.steps.saturating_sub(1);
            news.path = call.path.get(news.path_from..).unwrap_or_default().to_vec();
        }
        for leg in call.legs.values().filter(|leg| leg.joined_at.is_some()) {
            let state = (leg.id, leg.state == LegState::Gone);
            if !self.legs.contains(&state) {
                news.legs.push(leg.record());
            }
        }
        self.take_in(call);
        if news == Progress::default() {
            return None;
        }
        news.agent.clone_from(&call.agent);
        Some(news)
    }

    fn take_in(&mut self, call: &Call) {
        self.answered = call.answered_at.is_some();
        self.waited = call.wait_ms.is_some();
        self.queue.clone_from(&call.queue);
        self.steps = call.path.len();
        let joined = call.legs.values().filter(|leg| leg.joined_at.is_some());
        self.legs = joined.map(|leg| (leg.id, leg.state == LegState::Gone)).collect();
    }
}

impl Engine {
    pub(super) fn journal(&mut self, entry: Journal) {
        self.commands.push_back(Command::Journal(entry));
    }

    /// What this input did to agents.
    pub(super) fn tell_agent_changes(&mut self) {
        if !self.entered.is_empty() {
            let changes = std::mem::take(&mut self.entered);
            self.journal(Journal::Agents(changes));
        }
    }

    /// Promises are written down before the caller is told of them.
    pub(super) fn tell_callbacks(&mut self) {
        while let Some(callback) = self.callbacks.poll_change() {
            let view = CallbackView::from(&callback);
            self.journal(Journal::Callback(Box::new(callback)));
            self.commands.push_back(Command::Publish(Change::Callback(view)));
        }
    }

    /// Before anything is sent: what this input did to calls. The end of a call is told by its record.
    pub(super) fn write_down_changes(&mut self) {
        for id in std::mem::take(&mut self.unwritten) {
            self.write_down(id);
        }
    }

    pub(super) fn write_down(&mut self, id: CallId) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        let (call, written) = (&live.call, &mut live.written);
        if !written.began {
            written.began = true;
            written.take_in(call);
            let record = Box::new(call.record());
            self.commands.push_back(Command::Journal(Journal::Began(record)));
        } else if call.ending.is_none()
            && let Some(progress) = written.news(call)
        {
            let progress = Box::new(progress);
            self.commands.push_back(Command::Journal(Journal::Progress { call: id, progress }));
        }
        if let Some((queue, since)) = written.place.take() {
            let from = call.from.clone();
            self.commands.push_back(Command::Journal(Journal::Queued { call: id, queue, from, since }));
        }
    }
}
