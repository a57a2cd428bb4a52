//! Who hears whom, made into the two ways of carrying it out: relaying packets, and rooms that mix on the tick.

use crate::ids::CallId;
use crate::media::io::MediaIo;
use crate::media::leg::{Hearing, Keys, Leg};
use crate::media::voice::{Ear, Frame, Voice, WIDE, is_wide};

use super::{TURN, Worker, room_entry};

/// Legs that share sources, and so a slot of the wheel: every voice is decoded once a tick, whoever hears it.
pub(super) struct Room {
    call: CallId,
    pub wide: bool,
    pub voices: Vec<u32>,
    /// As long as `voices`: this tick's audio, and whether there is any.
    pub frames: Vec<Frame>,
    pub spoke: Vec<bool>,
    pub ears: Vec<(u32, Mix)>,
}

/// What one ear hears, by numbers of the room's voices.
pub(super) enum Mix {
    One(usize),
    All,
    /// Everyone but this one: most often oneself.
    AllBut(usize),
    Some(Vec<usize>),
}

impl<Io: MediaIo> Worker<Io> {
    /// Makes the plans of all calls that commands have changed, and frees what ticks have finished with.
    pub fn settle(&mut self) {
        self.ended.clear();
        while let Some(call) = self.changed.pop() {
            self.changed.retain(|other| *other != call);
            self.plan(call);
        }
    }

    fn plan(&mut self, call: CallId) {
        let places = match self.calls.get(&call) {
            Some(places) if !places.is_empty() => places.to_vec(),
            _ => {
                self.calls.remove(&call);
                Vec::new()
            }
        };
        let old_rooms = self.rooms_of(call);
        for place in &places {
            if let Some(leg) = self.leg_mut(*place) {
                leg.relay_to.clear();
                leg.hearing = Hearing::Nothing;
            }
        }
        let mut edges: Vec<(u32, Vec<u32>)> = Vec::new();
        for &place in &places {
            let sources = self.sources_of(place, call);
            match sources.as_slice() {
                [] => {}
                [source] if self.same_codec(place, *source) => self.plan_relay(place, *source),
                _ => edges.push((place, sources)),
            }
        }
        let groups = connected(edges);
        self.plan_rooms(call, groups, old_rooms);
        self.drop_unused(&places);
    }

    /// The configured legs of the same call that a leg is to hear, each once.
    fn sources_of(&self, place: u32, call: CallId) -> Vec<u32> {
        let Some(leg) = self.leg(place).filter(|leg| leg.stream.is_some()) else { return Vec::new() };
        let mut sources = Vec::new();
        for id in &leg.sources {
            let Some(&source) = self.places.get(id) else { continue };
            let fits = self.leg(source).is_some_and(|other| other.call == call && other.stream.is_some());
            if fits && !sources.contains(&source) {
                sources.push(source);
            }
        }
        sources
    }

    fn same_codec(&self, a: u32, b: u32) -> bool {
        let codec = |place| self.leg(place).and_then(|leg: &Leg| leg.stream.as_ref()).map(|stream| stream.codec);
        codec(a) == codec(b)
    }

    fn plan_relay(&mut self, place: u32, source: u32) {
        let Some(leg) = self.leg_mut(place) else { return };
        leg.hearing = Hearing::Relay(source);
        // A key that the far end cannot be sent as it comes is made anew; the path of packets does not allocate.
        if let Some(stream) = leg.stream.as_ref().filter(|stream| stream.send_event_type.is_none()) {
            let codec = stream.codec;
            leg.keys.get_or_insert_with(|| Box::new(Keys::new(codec)));
        }
        if let Some(source) = self.leg_mut(source) {
            source.relay_to.push(place);
        }
    }

    fn rooms_of(&self, call: CallId) -> Vec<u32> {
        let of_call = |room: &Option<Box<Room>>| room.as_ref().is_some_and(|room| room.call == call);
        (0u32..).zip(&self.rooms).filter(|(_, room)| of_call(room)).map(|(place, _)| place).collect()
    }

    /// Builds the rooms of a call; rooms that were there keep their slot on the wheel.
    fn plan_rooms(&mut self, call: CallId, groups: Vec<Vec<(u32, Vec<u32>)>>, old_rooms: Vec<u32>) {
        let mut old_rooms = old_rooms.into_iter();
        for group in groups {
            let room = self.furnish(call, &group);
            let place = match old_rooms.next() {
                Some(place) => place,
                None => self.free_room(),
            };
            for (ear, _) in &room.ears {
                if let Some(leg) = self.leg_mut(*ear) {
                    leg.hearing = Hearing::Room(place);
                }
            }
            self.rooms[place as usize] = Some(Box::new(room));
            self.wheel.grow(2 * self.rooms.len());
            if !self.wheel.is_scheduled(room_entry(place)) {
                self.wheel.schedule_where_idle(room_entry(place), TURN);
            }
        }
        for place in old_rooms {
            self.rooms[place as usize] = None;
            self.wheel.cancel(room_entry(place));
        }
    }

    fn free_room(&mut self) -> u32 {
        let free = self.rooms.iter().position(Option::is_none);
        let place = free.unwrap_or_else(|| {
            self.rooms.push(None);
            self.rooms.len() - 1
        });
        place as u32
    }

    fn furnish(&mut self, call: CallId, group: &[(u32, Vec<u32>)]) -> Room {
        let mut voices: Vec<u32> = group.iter().flat_map(|(_, sources)| sources.iter().copied()).collect();
        voices.sort_unstable();
        voices.dedup();
        let codec_of = |place: u32| self.leg(place)?.stream.as_ref().map(|stream| stream.codec);
        let wide = voices.iter().chain(group.iter().map(|(ear, _)| ear)).filter_map(|p| codec_of(*p)).any(is_wide);
        for place in &voices {
            let Some(leg) = self.leg_mut(*place) else { continue };
            let Some(codec) = leg.stream.as_ref().map(|stream| stream.codec) else { continue };
            if leg.voice.as_ref().is_none_or(|voice| (voice.codec, voice.wide) != (codec, wide)) {
                leg.voice = Some(Box::new(Voice::new(codec, wide)));
            }
        }
        let mut ears = Vec::new();
        for (place, sources) in group {
            let Some(leg) = self.leg_mut(*place) else { continue };
            let Some(codec) = leg.stream.as_ref().map(|stream| stream.codec) else { continue };
            if leg.ear.as_ref().is_none_or(|ear| (ear.codec, ear.wide) != (codec, wide)) {
                leg.ear = Some(Box::new(Ear::new(codec, wide)));
            }
            leg.keys.get_or_insert_with(|| Box::new(Keys::new(codec)));
            ears.push((*place, mix(&voices, sources)));
        }
        let frames = vec![[0; WIDE]; voices.len()];
        let spoke = vec![false; voices.len()];
        Room { call, wide, voices, frames, spoke, ears }
    }

    /// Lets go of decoders and encoders that no room uses any more.
    fn drop_unused(&mut self, places: &[u32]) {
        let used: Vec<u32> = match places.first().and_then(|place| self.leg(*place)) {
            Some(leg) => {
                let rooms = self.rooms_of(leg.call);
                rooms
                    .iter()
                    .filter_map(|room| self.rooms.get(*room as usize)?.as_ref())
                    .flat_map(|room| room.voices.iter().copied())
                    .collect()
            }
            None => return,
        };
        for place in places {
            let Some(leg) = self.leg_mut(*place) else { continue };
            if !used.contains(place) {
                leg.voice = None;
            }
            if !matches!(leg.hearing, Hearing::Room(_)) {
                leg.ear = None;
            }
        }
    }
}

/// The cheapest way to make an ear's mix: the sum less one, or the few voices themselves.
fn mix(voices: &[u32], sources: &[u32]) -> Mix {
    let number = |source: &u32| voices.iter().position(|voice| voice == source);
    if let [source] = sources {
        return number(source).map_or(Mix::Some(Vec::new()), Mix::One);
    }
    let mut missing = (0..voices.len()).filter(|at| voices.get(*at).is_some_and(|voice| !sources.contains(voice)));
    match (missing.next(), missing.next()) {
        (None, _) => Mix::All,
        (Some(one), None) => Mix::AllBut(one),
        _ => Mix::Some(sources.iter().filter_map(number).collect()),
    }
}

/// Ears that share a source, directly or through others, belong together.
fn connected(edges: Vec<(u32, Vec<u32>)>) -> Vec<Vec<(u32, Vec<u32>)>> {
    let mut groups: Vec<Vec<(u32, Vec<u32>)>> = Vec::new();
    for edge in edges {
        let shares = |group: &Vec<(u32, Vec<u32>)>| {
            group.iter().any(|(_, sources)| sources.iter().any(|source| edge.1.contains(source)))
        };
        let (with, without): (Vec<_>, Vec<_>) = groups.into_iter().partition(shares);
        groups = without;
        let mut group: Vec<_> = with.into_iter().flatten().collect();
        group.push(edge);
        groups.push(group);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ears_that_share_a_source_share_a_room() {
        let groups = connected(vec![(1, vec![2]), (3, vec![4]), (2, vec![1]), (5, vec![4, 2])]);
        let mut ears: Vec<Vec<u32>> = groups.iter().map(|group| group.iter().map(|(ear, _)| *ear).collect()).collect();
        ears.iter_mut().for_each(|ears| ears.sort_unstable());
        ears.sort();
        assert_eq!(ears, [vec![1, 3, 5], vec![2]]);
    }

    #[test]
    fn a_mix_is_made_the_cheapest_way() {
        let voices = [10, 11, 12, 13];
        assert!(matches!(mix(&voices, &[11]), Mix::One(1)));
        assert!(matches!(mix(&voices, &[10, 11, 12, 13]), Mix::All));
        assert!(matches!(mix(&voices, &[13, 10, 11]), Mix::AllBut(2)));
        assert!(matches!(mix(&voices, &[13, 10]), Mix::Some(some) if some == [3, 0]));
    }
}
