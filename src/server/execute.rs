//! Carrying out the engine's commands: each goes to the shell that does it. Nothing here waits.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::engine::{Command, Input, Journal, LogLevel, LostPlace, ServerId, Told};
use crate::ids::RequestId;
use crate::media::Media;
use crate::net::{Net, Resolver};
use crate::outbox::Outbox;
use crate::outside::Outside;
use crate::settings::TrunkServer;
use crate::store::{Entry, Store};
use crate::time::Wall;
use crate::views::{ApiError, Change};
use crate::web::{Today, Views};

pub type Reply = oneshot::Sender<Result<serde_json::Value, ApiError>>;

/// The shells that carry commands out.
pub struct Shells {
    pub net: Arc<Net>,
    pub media: Arc<Media>,
    pub store: Store,
    pub views: Arc<Views>,
    pub today: Arc<Today>,
    pub resolver: Arc<Resolver>,
    pub outside: Outside,
    /// Where answers that take their time come back.
    pub control: Outbox<Input>,
    pub runtime: tokio::runtime::Handle,
    pub replies: Replies,
}

/// Where the answers to requests of the web shell go.
#[derive(Default)]
pub struct Replies {
    waiting: HashMap<RequestId, Reply>,
    last: u64,
}

impl Replies {
    pub fn expect(&mut self, reply: Reply) -> RequestId {
        self.last += 1;
        let id = RequestId(self.last);
        self.waiting.insert(id, reply);
        id
    }

    fn give(&mut self, id: RequestId, result: Result<serde_json::Value, ApiError>) {
        if let Some(reply) = self.waiting.remove(&id) {
            // The one who asked may have gone.
            let _ = reply.send(result);
        }
    }
}

impl Shells {
    /// Writes what is still under way and ends the threads.
    pub fn close(self) {
        self.media.stop();
        self.store.close();
    }

    /// `true` when the engine says that a drain is over.
    pub fn execute(&mut self, command: Command, at: Wall) -> bool {
        match command {
            Command::Send(transmit) => self.net.send(transmit),
            Command::Media(command) => self.media.send(command),
            Command::Journal(entry) => {
                if let Journal::Agents(changes) = &entry {
                    self.today.agents(changes);
                }
                self.store.append(entry_of(entry));
            }
            Command::Publish(change) => {
                if let Change::Ended(record) = &change {
                    self.today.ended(record);
                }
                self.views.publish(change, at);
            }
            Command::Reply { id, result } => self.replies.give(id, result),
            Command::Resolve { id, server } => self.resolve(id, server),
            Command::AskHistory { call, question } => self.outside.ask_history(call, question),
            Command::LookUp { call, look_up, question } => self.outside.look_up(call, look_up, *question),
            Command::Tell(told) => {
                self.store.append(written(&told));
                self.outside.tell(*told);
            }
            Command::Configured(settings) => self.outside.configure(settings),
            Command::Log { level: LogLevel::Info, text } => tracing::info!("{text}"),
            Command::Log { level: LogLevel::Warn, text } => tracing::warn!("{text}"),
            Command::Drained => return true,
        }
        false
    }

    fn resolve(&self, id: ServerId, server: TrunkServer) {
        let (resolver, control, net) = (self.resolver.clone(), self.control.clone(), self.net.clone());
        self.runtime.spawn(async move {
            let targets = resolver.targets(&server).await;
            net.found(&server.host, &targets);
            // Dropped when the engine has no room for it; the name is looked up again soon.
            let _ = control.try_send(Input::Resolved { id, targets });
        });
    }
}

fn entry_of(entry: Journal) -> Entry {
    match entry {
        Journal::Began(record) => Entry::Began(record),
        Journal::Progress { call, progress } => Entry::Progress { call_id: call, progress },
        Journal::Queued { call, queue, from, since } => Entry::Queued { call_id: call, queue, from, since },
        Journal::LostPlace(LostPlace { from, queue, waiting_since, lost_at }) => {
            Entry::LostPlace { from, queue, waiting_since, lost_at }
        }
        Journal::Ended(record) => Entry::Ended(record),
        Journal::Recording(recording) => Entry::Recording(recording),
        Journal::RecordingDeleted(recording_id) => Entry::RecordingDeleted { recording_id },
        Journal::RecordingNoted { recording, heard, held } => {
            Entry::RecordingNoted { recording_id: recording, heard, held }
        }
        Journal::Surveyed { call, answer } => Entry::Surveyed { call_id: call, answer },
        Journal::Disposed { call, disposition } => Entry::Disposed { call_id: call, disposition },
        Journal::Callback(callback) => Entry::Callback(callback),
        Journal::Told(id) => Entry::ToldOf { id },
        Journal::Agents(changes) => Entry::Agents(changes),
        Journal::WrapUp { call, acw_ms } => Entry::Completed { call_id: call, acw_ms },
    }
}

/// What survives the process until the service has taken it.
fn written(told: &Told) -> Entry {
    // Texts, numbers and tables of them: nothing that JSON cannot hold.
    Entry::Told { id: told.id.clone(), event: serde_json::to_string(told).unwrap_or_default() }
}
