//! Callers who speak with a bot: their recogniser is opened and closed, what it hears goes to the plan, and what was said
//! stays with the call.

use serde::{Deserialize, Serialize};

use super::{Command, Engine};
use crate::bridge::{Listening, MediaCommand};
use crate::callbot::dialogue::Utterance;
use crate::callbot::understanding::Understood;
use crate::conversation::Conversation;
use crate::dialplan::{RunInput, Speech};
use crate::heard::{Hearing, Hints};
use crate::ids::{CallId, Language, LegId};
use crate::time::Now;
use crate::views::Change;

/// How a caller is listened to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Listens {
    listen: u64,
    language: Language,
}

impl Engine {
    /// Listens to the caller. A recogniser that is open for the language already is told what to expect from now on.
    pub(super) fn listen(&mut self, id: CallId, bot: String, language: Language, hints: Hints) {
        let Some(live) = self.calls.get(&id) else { return };
        let leg = live.call.caller;
        match &live.listens {
            Some(listens) if listens.language == language => self.media(MediaCommand::Expect { leg, hints }),
            _ => {
                self.next_listen += 1;
                let listen = self.next_listen;
                if let Some(live) = self.live(id) {
                    live.listens = Some(Listens { listen, language: language.clone() });
                }
                let listening = Box::new(Listening { listen, bot, language, hints });
                self.media(MediaCommand::Listen { leg, listening });
            }
        }
    }

    pub(super) fn stop_listening(&mut self, id: CallId) {
        let Some(live) = self.live(id) else { return };
        if live.listens.take().is_some() {
            let leg = live.call.caller;
            self.media(MediaCommand::StopListening { leg });
        }
    }

    /// What a recogniser tells. One that was closed before is passed over.
    pub(super) fn heard(&mut self, leg: LegId, listen: u64, hearing: Hearing, found: Option<Understood>, now: Now) {
        let Some(id) = self.legs.get(&leg).copied() else { return };
        let Some(live) = self.live(id) else { return };
        if live.listens.as_ref().is_none_or(|listens| listens.listen != listen) {
            return;
        }
        let speech = match hearing {
            Hearing::Started => Speech::Started,
            Hearing::Nothing => Speech::Nothing,
            Hearing::Final(words) => Speech::Heard {
                utterance: Utterance {
                    text: words.text,
                    confidence: Some(words.confidence),
                    alternatives: words.alternatives,
                },
                understood: found,
            },
            Hearing::Failed(_) => {
                live.listens = None;
                self.media(MediaCommand::StopListening { leg });
                Speech::Gone
            }
            Hearing::Ready { .. } | Hearing::Partial { .. } | Hearing::Ended => return,
        };
        self.run_plan(id, RunInput::Speech(Box::new(speech)), now);
    }

    /// A conversation with a bot is over.
    pub(super) fn conversed(&mut self, id: CallId, conversation: Conversation) {
        let Some(live) = self.live(id) else { return };
        if live.call.conversations.len() >= MOST_CONVERSATIONS {
            return;
        }
        live.call.conversations.push(conversation.clone());
        self.changed.insert(id);
        let conversation = Box::new(conversation);
        self.commands.push_back(Command::Publish(Change::Conversation { call_id: id, conversation }));
    }

    /// The caller has hung up in the middle of one.
    pub(super) fn conversation_breaks_off(&mut self, id: CallId, now: Now) {
        let Some(live) = self.calls.get(&id) else { return };
        let conversation = live.run.as_ref().and_then(|run| run.conversation(&live.plans, now));
        if let Some(conversation) = conversation {
            self.conversed(id, conversation);
        }
    }
}

/// Of one call; further ones are not kept.
const MOST_CONVERSATIONS: usize = 8;
