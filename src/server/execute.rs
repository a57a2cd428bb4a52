//! Carrying out the engine's commands: each goes to the shell that does it. Nothing here waits.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::engine::{Command, Journal, LogLevel};
use crate::ids::RequestId;
use crate::media::Media;
use crate::net::Net;
use crate::store::{Entry, Store};
use crate::time::Wall;
use crate::views::ApiError;
use crate::web::Views;

pub type Reply = oneshot::Sender<Result<serde_json::Value, ApiError>>;

pub struct Shells {
    pub net: Arc<Net>,
    pub media: Media,
    pub store: Store,
    pub views: Arc<Views>,
    replies: HashMap<RequestId, Reply>,
    next_request: u64,
}

impl Shells {
    pub fn new(net: Arc<Net>, media: Media, store: Store, views: Arc<Views>) -> Shells {
        Shells { net, media, store, views, replies: HashMap::new(), next_request: 1 }
    }

    /// Keeps where the answer to a request of the web shell goes.
    pub fn expect_reply(&mut self, reply: Reply) -> RequestId {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.replies.insert(id, reply);
        id
    }

    /// `true` when the engine says that a drain is over.
    pub fn execute(&mut self, command: Command, at: Wall) -> bool {
        match command {
            Command::Send(transmit) => self.net.send(transmit),
            Command::Media(command) => self.media.send(command),
            Command::Journal(entry) => self.store.append(entry_of(entry)),
            Command::Publish(change) => self.views.publish(change, at),
            Command::Reply { id, result } => {
                if let Some(reply) = self.replies.remove(&id) {
                    // The one who asked may have gone.
                    let _ = reply.send(result);
                }
            }
            Command::Log { level: LogLevel::Info, text } => tracing::info!("{text}"),
            Command::Log { level: LogLevel::Warn, text } => tracing::warn!("{text}"),
            Command::Drained => return true,
        }
        false
    }

    /// Writes what is still under way and ends the threads.
    pub fn close(self) {
        self.media.stop();
        self.store.close();
    }
}

fn entry_of(entry: Journal) -> Entry {
    match entry {
        Journal::Began(record) => Entry::Began(record),
        Journal::Queued { call, queue, from, since } => Entry::Queued { call_id: call, queue, from, since },
        Journal::Ended(record) => Entry::Ended(record),
        Journal::WrapUp { call, acw_ms } => Entry::Completed { call_id: call, acw_ms },
    }
}
