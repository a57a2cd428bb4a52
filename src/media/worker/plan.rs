//! Who hears whom, made into the two ways of carrying it out: relaying packets, and rooms that mix on the tick.

use crate::bridge::Group;
use crate::ids::LegId;
use crate::media::io::MediaIo;
use crate::media::leg::{Hearing, Keys, Leg};
use crate::media::voice::{Ear, Frame, Voice, WIDE, is_wide};

use super::{TURN, Worker, room_entry};

/// Legs that share sources, and so a slot of the wheel: every voice is decoded once a tick, whoever hears it.
pub(super) struct Room {
    group: Group,
    pub wide: bool,
    pub voices: Vec<u32>,
    /// The legs of `voices`, then those of `gone`.
    names: Vec<LegId>,
    /// Voices that were heard here and are no longer, for the one tick that fades them out. They are handed on as their legs
    /// had them: a voice is large.
    #[allow(clippy::vec_box)]
    pub gone: Vec<Box<Voice>>,
    /// As long as `names`: this tick's audio, and whether there is any.
    pub frames: Vec<Frame>,
    pub spoke: Vec<bool>,
    pub seats: Vec<Seat>,
    /// The next tick is the one of `gone`.
    pub fading: bool,
}

/// One who listens in a room.
pub(super) struct Seat {
    pub place: u32,
    leg: LegId,
    pub mix: Mix,
    /// What was heard before the last plan, by numbers of `names`.
    pub before: Vec<usize>,
    /// The next tick goes over from that to `mix`.
    pub fades: bool,
}

/// What one ear hears, by numbers of the room's voices.
pub(super) enum Mix {
    One(usize),
    All,
    /// Everyone but this one: most often oneself.
    AllBut(usize),
    Some(Vec<usize>),
}

/// Whom a leg heard by mixing until now.
struct Before {
    leg: LegId,
    wide: bool,
    heard: Vec<LegId>,
}

/// What a plan finds of the one before it.
struct Past {
    ears: Vec<Before>,
    /// Voices that nobody mixes any more.
    gone: Vec<(LegId, Box<Voice>)>,
}

impl<Io: MediaIo> Worker<Io> {
    /// Makes the plans of all groups that commands have changed, and frees what ticks have finished with.
    pub fn settle(&mut self) {
        self.ended.clear();
        while let Some(group) = self.changed.pop() {
            self.changed.retain(|other| *other != group);
            self.plan(group);
        }
        self.leaving.clear();
    }

    fn plan(&mut self, group: Group) {
        let places = match self.groups.get(&group) {
            Some(places) if !places.is_empty() => places.to_vec(),
            _ => {
                self.groups.remove(&group);
                Vec::new()
            }
        };
        let old_rooms = self.rooms_of(group);
        for place in &places {
            if let Some(leg) = self.leg_mut(*place) {
                leg.relay_to.clear();
                leg.hearing = Hearing::Nothing;
                leg.over.take_if(|over| over.is_over());
            }
        }
        let mut edges: Vec<(u32, Vec<u32>)> = Vec::new();
        for &place in &places {
            let sources = self.sources_of(place, group);
            let over = self.leg(place).is_some_and(|leg| leg.over.is_some() && leg.stream.is_some());
            let relays = !over && matches!(group, Group::Call(_));
            match sources.as_slice() {
                [] if !over => {}
                [source] if relays && self.same_codec(place, *source) => self.plan_relay(place, *source),
                _ => edges.push((place, sources)),
            }
        }
        let past = self.past(&old_rooms, &edges);
        self.plan_rooms(group, connected(edges), old_rooms, past);
        self.drop_unused(&places);
    }

    /// What was heard in the rooms until now, and the voices among them that are mixed for nobody from now on.
    fn past(&mut self, old_rooms: &[u32], edges: &[(u32, Vec<u32>)]) -> Past {
        let mut past = Past { ears: Vec::new(), gone: Vec::new() };
        let mut voices: Vec<(u32, LegId)> = Vec::new();
        for at in old_rooms {
            let Some(room) = self.rooms.get_mut(*at as usize).and_then(Option::as_deref_mut) else { continue };
            past.ears.extend(room.seats.iter().map(|seat| room.before(seat)));
            voices.extend(room.voices.iter().copied().zip(room.names.iter().copied()));
            // No tick has come since the plan before this one: what that was to fade out still is.
            if room.fading {
                let names = room.names.split_off(room.voices.len().min(room.names.len()));
                past.gone.extend(names.into_iter().zip(room.gone.drain(..)));
            }
        }
        for (place, id) in voices {
            if let Some(at) = self.leaving.iter().position(|(leaving, _)| *leaving == id) {
                past.gone.push(self.leaving.swap_remove(at));
                continue;
            }
            let used = edges.iter().any(|(_, sources)| sources.contains(&place));
            let leg = self.leg_mut(place).filter(|leg| leg.id == id && !used);
            past.gone.extend(leg.and_then(|leg| leg.voice.take()).map(|voice| (id, voice)));
        }
        past
    }

    /// The configured legs of the same group that a leg is to hear, each once.
    fn sources_of(&self, place: u32, group: Group) -> Vec<u32> {
        let Some(leg) = self.leg(place).filter(|leg| leg.stream.is_some()) else { return Vec::new() };
        let mut sources = Vec::new();
        for id in &leg.sources {
            let Some(&source) = self.places.get(id) else { continue };
            let fits = self.leg(source).is_some_and(|other| other.group == group && other.stream.is_some());
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

    fn rooms_of(&self, group: Group) -> Vec<u32> {
        let theirs = |room: &Option<Box<Room>>| room.as_ref().is_some_and(|room| room.group == group);
        (0u32..).zip(&self.rooms).filter(|(_, room)| theirs(room)).map(|(place, _)| place).collect()
    }

    /// Builds the rooms of a group; rooms that were there keep their slot on the wheel.
    fn plan_rooms(&mut self, of: Group, groups: Vec<Vec<(u32, Vec<u32>)>>, old_rooms: Vec<u32>, mut past: Past) {
        let mut old_rooms = old_rooms.into_iter();
        for group in groups {
            let room = self.furnish(of, &group, &mut past);
            let place = match old_rooms.next() {
                Some(place) => place,
                None => self.free_room(),
            };
            for seat in &room.seats {
                if let Some(leg) = self.leg_mut(seat.place) {
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

    fn furnish(&mut self, of: Group, group: &[(u32, Vec<u32>)], past: &mut Past) -> Room {
        let mut voices: Vec<u32> = group.iter().flat_map(|(_, sources)| sources.iter().copied()).collect();
        voices.sort_unstable();
        voices.dedup();
        let codec_of = |place: u32| self.leg(place)?.stream.as_ref().map(|stream| stream.codec);
        let wide = voices.iter().chain(group.iter().map(|(ear, _)| ear)).filter_map(|p| codec_of(*p)).any(is_wide);
        for place in &voices {
            let Some(leg) = self.leg_mut(*place) else { continue };
            let Some(codec) = leg.stream.as_ref().map(|stream| stream.codec) else { continue };
            match &mut leg.voice {
                Some(voice) if voice.codec == codec => voice.set_wide(wide),
                voice => *voice = Some(Box::new(Voice::new(codec, wide, leg.came.as_deref()))),
            }
        }
        let names = voices.iter().filter_map(|place| self.leg(*place)).map(|leg| leg.id).collect();
        let mut room = Room {
            group: of,
            wide,
            voices,
            names,
            gone: Vec::new(),
            frames: Vec::new(),
            spoke: Vec::new(),
            seats: Vec::new(),
            fading: true,
        };
        for (place, sources) in group {
            let seat = self.take_seat(*place, sources, &mut room, past);
            room.seats.extend(seat);
        }
        room.frames = vec![[0; WIDE]; room.names.len()];
        room.spoke = vec![false; room.names.len()];
        room
    }

    /// One ear of a room: what it needs, and what it goes over from.
    fn take_seat(&mut self, place: u32, sources: &[u32], room: &mut Room, past: &mut Past) -> Option<Seat> {
        let wide = room.wide;
        let mix = mix(&room.voices, sources);
        let heard: Vec<LegId> = sources.iter().filter_map(|place| self.leg(*place)).map(|leg| leg.id).collect();
        let Worker { legs, studio, prompts, .. } = self;
        let leg = legs.get_mut(place as usize)?.as_deref_mut()?;
        let codec = leg.stream.as_ref()?.codec;
        match &mut leg.ear {
            Some(ear) if ear.codec == codec => ear.set_wide(wide),
            ear => *ear = Some(Box::new(Ear::new(codec, wide))),
        }
        leg.keys.get_or_insert_with(|| Box::new(Keys::new(codec)));
        if let Some(over) = &mut leg.over {
            over.set_wide(wide, studio, prompts.as_ref());
        }
        let before = past.ears.iter().find(|before| before.leg == leg.id);
        let (was_heard, was_wide) = before.map_or((&[][..], wide), |before| (&before.heard, before.wide));
        let same = was_heard.len() == heard.len() && was_heard.iter().all(|leg| heard.contains(leg));
        let before: Vec<usize> = was_heard.iter().filter_map(|leg| room.number_of(*leg, &mut past.gone)).collect();
        // What cannot be faded, since another room has the voice now or the rate is another, is at least without a step.
        if before.len() < was_heard.len() || was_wide != wide {
            leg.seam.tear();
        }
        Some(Seat { place, leg: leg.id, mix, before, fades: !same })
    }

    /// Lets go of decoders and encoders that no room uses any more.
    fn drop_unused(&mut self, places: &[u32]) {
        let used: Vec<u32> = match places.first().and_then(|place| self.leg(*place)) {
            Some(leg) => {
                let rooms = self.rooms_of(leg.group);
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

impl Room {
    /// Whom a seat hears, or heard when the last tick came.
    fn before(&self, seat: &Seat) -> Before {
        let name = |at: usize| self.names.get(at).copied();
        if seat.fades {
            let heard = seat.before.iter().filter_map(|at| name(*at)).collect();
            return Before { leg: seat.leg, wide: self.wide, heard };
        }
        let voices = self.voices.len();
        let heard = |at: &usize| match &seat.mix {
            Mix::One(one) => at == one,
            Mix::All => true,
            Mix::AllBut(own) => at != own,
            Mix::Some(some) => some.contains(at),
        };
        let heard = (0..voices).filter(heard).filter_map(name).collect();
        Before { leg: seat.leg, wide: self.wide, heard }
    }

    /// The number of a leg's voice here; one that is gone is taken in, to be faded out.
    fn number_of(&mut self, leg: LegId, gone: &mut Vec<(LegId, Box<Voice>)>) -> Option<usize> {
        if let Some(at) = self.names.iter().position(|name| *name == leg) {
            return Some(at);
        }
        let at = gone.iter().position(|(name, _)| *name == leg)?;
        let (_, mut voice) = gone.swap_remove(at);
        voice.set_wide(self.wide);
        self.names.push(leg);
        self.gone.push(voice);
        Some(self.names.len() - 1)
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
