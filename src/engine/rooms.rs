//! Conference rooms: callers of different calls meet. Each keeps its own call, plan and record; the room is nothing but the
//! list of who is there, and what each of them hears follows from it. Their legs go over to the room's group, so that the
//! media threads bring them together, and back when they leave.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Engine;
use crate::bridge::{Group, MediaCommand, PlayItem, Sources};
use crate::call::{Phase, Seat};
use crate::dialplan::{MeetOutcome, Meeting, RunInput};
use crate::ids::{CallId, LegId, PlayId, RoomId};
use crate::time::Now;

/// The rooms in which somebody is, by name.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Rooms(BTreeMap<String, Room>);

#[derive(Serialize, Deserialize)]
struct Room {
    id: RoomId,
    /// In the order in which they came.
    there: Vec<Participant>,
}

#[derive(Serialize, Deserialize)]
struct Participant {
    call: CallId,
    leg: LegId,
    /// What the others hear when they go.
    left: Vec<PlayItem>,
}

impl Rooms {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn there(&self, room: &str) -> Vec<(CallId, LegId)> {
        let there = self.0.get(room).into_iter().flat_map(|room| &room.there);
        there.map(|participant| (participant.call, participant.leg)).collect()
    }

    /// `None` where the call was not there. The room is gone with the last one.
    fn take_out(&mut self, room: &str, call: CallId) -> Option<Participant> {
        let there = &mut self.0.get_mut(room)?.there;
        let at = there.iter().position(|participant| participant.call == call)?;
        let participant = there.remove(at);
        if there.is_empty() {
            self.0.remove(room);
        }
        Some(participant)
    }
}

impl Engine {
    /// The caller comes into a room, or the plan is told that it is full.
    pub(super) fn enter_room(&mut self, id: CallId, meeting: Meeting, now: Now) {
        let Meeting { room, most, leave, music, joined, left } = meeting;
        if self.rooms.there(&room).len() >= most {
            return self.run_plan(id, RunInput::Met(MeetOutcome::Full), now);
        }
        let bits = self.random_bits();
        let Some(live) = self.calls.get_mut(&id).filter(|live| live.call.ending.is_none()) else { return };
        let leg = live.call.caller;
        let seat = Seat { room: room.clone(), leave, music, company: false, others: Sources::new() };
        live.call.phase = Phase::Meeting(Box::new(seat));
        let new = || Room { id: RoomId::new(now.wall.as_millisecond(), bits), there: Vec::new() };
        let entered = self.rooms.0.entry(room.clone()).or_insert_with(new);
        entered.there.push(Participant { call: id, leg, left });
        let group = Group::Room(entered.id);
        self.media(MediaCommand::Move { leg, group });
        self.wire_room(&room, now);
        self.signal(&room, &joined);
        self.unwritten.insert(id);
    }

    /// The caller leaves the room and is in the hands of the plan again.
    pub(super) fn leave_room(&mut self, id: CallId, now: Now) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        let Some(room) = live.call.seat().map(|seat| seat.room.clone()) else { return };
        let leg = live.call.caller;
        live.call.phase = Phase::Plan;
        self.media(MediaCommand::Move { leg, group: Group::Call(id) });
        self.wire(id, now);
        self.gone_from_room(id, &room, now);
    }

    /// A key leaves the room where it is one of those; any other does nothing.
    pub(super) fn pressed_in_room(&mut self, id: CallId, key: crate::bridge::Digit, now: Now) {
        let leaves =
            self.calls.get(&id).is_some_and(|live| live.call.seat().is_some_and(|seat| seat.leave.contains(&key)));
        if leaves {
            self.leave_room(id, now);
            self.run_plan(id, RunInput::Met(MeetOutcome::Left(key)), now);
        }
    }

    /// One is there no longer, by whatever way; the others hear each other.
    pub(super) fn gone_from_room(&mut self, id: CallId, room: &str, now: Now) {
        let Some(participant) = self.rooms.take_out(room, id) else { return };
        self.wire_room(room, now);
        self.signal(room, &participant.left);
    }

    /// Everybody there hears all the others who can be heard.
    pub(super) fn wire_room(&mut self, room: &str, now: Now) {
        let there = self.rooms.there(room);
        let heard: Vec<LegId> = there
            .iter()
            .filter(|(call, _)| self.calls.get(call).is_some_and(|live| live.call.is_heard()))
            .map(|(_, leg)| *leg)
            .collect();
        for (call, leg) in &there {
            if let Some(seat) = self.live(*call).and_then(|live| live.call.seat_mut()) {
                seat.company = there.len() > 1;
                seat.others = heard.iter().copied().filter(|other| other != leg).collect();
            }
            self.wire_alone(*call, now);
        }
    }

    /// Something is heard over the talk of a room by all who are there; not by one who is alone.
    fn signal(&mut self, room: &str, items: &[PlayItem]) {
        let there = self.rooms.there(room);
        if items.is_empty() || there.len() < 2 {
            return;
        }
        for (_, leg) in there {
            let play = PlayId(self.next_play);
            self.next_play += 1;
            self.media(MediaCommand::MixIn { leg, play, items: items.to_vec(), repeat: false });
        }
    }
}
