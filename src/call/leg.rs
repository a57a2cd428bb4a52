//! One party of a call: its SIP session, its media port and what was agreed between them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::clock::{Activity, LegClock};
use crate::bridge::{Latch, MediaCommand, MediaPort, PlayItem, RtpStats, Sources, Stream};
use crate::ids::{AgentId, LegId, PlayId, SessionId};
use crate::record::{LegRecord, Party};
use crate::sdp::{Agreed, Negotiator};
use crate::time::{Now, Wall};
use crate::views::LegView;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LegState {
    /// Its INVITE has no final answer yet, in either direction.
    Ringing,
    Up,
    /// Gone; kept for the record until the call ends.
    Gone,
}

/// What a leg hears by the call's own wiring (not counting prompts that the dialplan plays).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ear {
    pub sources: Sources,
    /// Hold music, queue music or ring-back, over and over.
    pub music: Option<PlayItem>,
}

/// How those who talk are told that a supervisor is on the line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notice {
    /// Said once.
    pub announcement: Option<PlayItem>,
    /// Over and over, from then on.
    pub beep: Option<PlayItem>,
}

/// How far a leg has been told so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Noticed {
    /// The announcement is being said.
    Announcing(PlayId),
    /// The beep goes on.
    Beeping(PlayId),
    Told,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Leg {
    pub id: LegId,
    pub role: Party,
    pub agent: Option<AgentId>,
    /// The far end as people write it: a number or a SIP URI.
    pub address: String,
    pub session: SessionId,
    pub port: MediaPort,
    pub negotiator: Negotiator,
    /// Our answer to the caller's offer, until the 200 takes it.
    pub answer: Option<Bytes>,
    /// RTP from another port of the signalling address is taken for a phone behind NAT.
    pub latch: Latch,
    pub state: LegState,
    pub held_by_peer: bool,
    /// Neither its connection nor its voice is there; it may come back.
    #[serde(default)]
    pub astray: bool,
    /// Nobody hears this leg.
    pub muted: bool,
    pub joined_at: Option<Wall>,
    pub left_at: Option<Wall>,
    pub clock: LegClock,
    pub rtp: Option<RtpStats>,
    ear: Ear,
    /// The music that plays now.
    music_play: Option<PlayId>,
    /// A prompt of the engine's own (a position announcement) that plays now instead of the music.
    announcement: Option<PlayId>,
    /// A supervisor is on the line, and this leg hears that.
    noticed: Option<Noticed>,
}

/// What a new leg is made of.
pub struct NewLeg {
    pub id: LegId,
    pub role: Party,
    pub agent: Option<AgentId>,
    pub address: String,
    pub session: SessionId,
    pub port: MediaPort,
    pub negotiator: Negotiator,
    pub latch: Latch,
}

impl Leg {
    pub fn new(new: NewLeg) -> Leg {
        Leg {
            id: new.id,
            role: new.role,
            agent: new.agent,
            address: new.address,
            session: new.session,
            port: new.port,
            negotiator: new.negotiator,
            answer: None,
            latch: new.latch,
            state: LegState::Ringing,
            held_by_peer: false,
            astray: false,
            muted: false,
            joined_at: None,
            left_at: None,
            clock: LegClock::default(),
            rtp: None,
            ear: Ear::default(),
            music_play: None,
            announcement: None,
            noticed: None,
        }
    }

    pub fn is_up(&self) -> bool {
        self.state == LegState::Up
    }

    pub fn join(&mut self, now: Now) {
        self.state = LegState::Up;
        self.joined_at = Some(now.wall);
    }

    /// The leg is over. What it was doing is counted up to now.
    pub fn leave(&mut self, now: Now) {
        if self.state != LegState::Gone {
            self.clock.switch(Activity::Apart, now.instant);
            self.state = LegState::Gone;
            self.left_at = Some(now.wall);
        }
    }

    /// The leg goes over to another call, where it begins anew but for its session and media. This one stays for the record.
    pub fn move_away(&mut self, now: Now) -> Leg {
        let moved = Leg { clock: LegClock::default(), joined_at: Some(now.wall), ..self.clone() };
        self.leave(now);
        // Its figures are those of the other call.
        self.rtp = Some(RtpStats::default());
        moved
    }

    /// Takes over what offer and answer agreed on.
    pub fn configure(&mut self, agreed: &Agreed) -> MediaCommand {
        self.held_by_peer = agreed.held_by_peer;
        MediaCommand::Configure { leg: self.id, stream: Box::new(stream_of(agreed, self.latch)) }
    }

    /// Whether this leg hears that one.
    pub fn hears(&self, other: LegId) -> bool {
        self.is_up() && self.ear.sources.contains(&other)
    }

    /// Changes what this leg hears; gives out only the commands that make the difference.
    pub fn hear(&mut self, wanted: Ear, next_play: &mut u64, out: &mut Vec<MediaCommand>) {
        if wanted.sources != self.ear.sources {
            out.push(MediaCommand::Hear { leg: self.id, sources: wanted.sources.clone() });
        }
        if wanted.music != self.ear.music {
            self.stop_music(out);
            if wanted.music.is_none() {
                self.stop_announcement(out);
            }
        }
        self.ear = wanted;
        self.play_music(next_play, out);
    }

    /// Begins the music where there is to be some and nothing is heard.
    pub fn play_music(&mut self, next_play: &mut u64, out: &mut Vec<MediaCommand>) {
        let Some(item) = self.ear.music.clone() else { return };
        if self.music_play.is_some() || self.announcement.is_some() {
            return;
        }
        let play = take_play(next_play);
        out.push(MediaCommand::Play { leg: self.id, play, items: vec![item], repeat: true });
        self.music_play = Some(play);
    }

    fn stop_music(&mut self, out: &mut Vec<MediaCommand>) {
        if let Some(play) = self.music_play.take() {
            out.push(MediaCommand::StopPlay { leg: self.id, play });
        }
    }

    fn stop_announcement(&mut self, out: &mut Vec<MediaCommand>) {
        if let Some(play) = self.announcement.take() {
            out.push(MediaCommand::StopPlay { leg: self.id, play });
        }
    }

    /// A supervisor is on the line, of which the leg is told so, or none is any more.
    pub fn notice(&mut self, wanted: Option<&Notice>, next_play: &mut u64, out: &mut Vec<MediaCommand>) {
        match (self.noticed, wanted) {
            (None, Some(notice)) => {
                let said = notice.announcement.as_ref().map(|item| (item, false));
                self.mix_in(said.or(notice.beep.as_ref().map(|item| (item, true))), next_play, out);
            }
            (Some(noticed), None) => {
                self.noticed = None;
                if let Noticed::Announcing(play) | Noticed::Beeping(play) = noticed {
                    out.push(MediaCommand::StopPlay { leg: self.id, play });
                }
            }
            _ => {}
        }
    }

    /// The announcement has been said, and the beep follows. `false` where the play was another.
    pub fn notice_ended(
        &mut self,
        play: PlayId,
        notice: &Notice,
        next_play: &mut u64,
        out: &mut Vec<MediaCommand>,
    ) -> bool {
        let announced = self.noticed == Some(Noticed::Announcing(play));
        if announced {
            self.mix_in(notice.beep.as_ref().map(|item| (item, true)), next_play, out);
        }
        announced
    }

    fn mix_in(&mut self, sound: Option<(&PlayItem, bool)>, next_play: &mut u64, out: &mut Vec<MediaCommand>) {
        let Some((item, repeat)) = sound else {
            self.noticed = Some(Noticed::Told);
            return;
        };
        let play = take_play(next_play);
        out.push(MediaCommand::MixIn { leg: self.id, play, items: vec![item.clone()], repeat });
        self.noticed = Some(if repeat { Noticed::Beeping(play) } else { Noticed::Announcing(play) });
    }

    /// Whether something can be said over the music: there is some, and nothing else is being said.
    pub fn listens_to_music(&self) -> bool {
        self.is_up() && self.ear.music.is_some() && self.announcement.is_none()
    }

    /// Whether something is being said over the music.
    pub fn is_told(&self) -> bool {
        self.announcement.is_some()
    }

    /// Says something over the music, which afterwards goes on from where it was where it `resumes`; else `play_music`
    /// is to follow.
    pub fn announce(&mut self, items: Vec<PlayItem>, resumes: bool, next_play: &mut u64, out: &mut Vec<MediaCommand>) {
        let play = take_play(next_play);
        if resumes && self.music_play.is_some() {
            out.push(MediaCommand::Interject { leg: self.id, play, items });
        } else {
            out.push(MediaCommand::Play { leg: self.id, play, items, repeat: false });
            self.music_play = None;
        }
        self.announcement = Some(play);
    }

    /// A play has ended. `true` when it was an announcement of ours.
    pub fn play_ended(&mut self, play: PlayId) -> bool {
        self.announcement.take_if(|announcement| *announcement == play).is_some()
    }

    pub fn record(&self) -> LegRecord {
        LegRecord {
            leg_id: self.id,
            role: self.role,
            address: self.address.clone(),
            joined_at: self.joined_at,
            left_at: self.left_at,
            rtp: self.rtp,
            talk_ms: self.clock.talk_ms(),
            hold_ms: self.clock.hold_ms(),
            consult_ms: self.clock.consult_ms(),
            conference_ms: self.clock.conference_ms(),
        }
    }

    pub fn view(&self) -> LegView {
        LegView {
            leg_id: self.id,
            role: self.role,
            address: self.address.clone(),
            on_hold: self.held_by_peer,
            muted: self.muted,
        }
    }
}

/// Plays of the engine count from here; a dialplan run's own ids stay below.
pub const FIRST_ENGINE_PLAY: u64 = 1 << 32;

fn take_play(next: &mut u64) -> PlayId {
    let play = PlayId(*next);
    *next += 1;
    play
}

fn stream_of(agreed: &Agreed, latch: Latch) -> Stream {
    Stream {
        remote: agreed.remote,
        remote_rtcp: agreed.remote_rtcp,
        rtcp_mux: agreed.rtcp_mux,
        codec: agreed.codec,
        send_payload_type: agreed.send_payload_type,
        receive_payload_type: agreed.receive_payload_type,
        send_event_type: agreed.send_event_type,
        receive_event_type: agreed.receive_event_type,
        ptime: agreed.ptime,
        send: agreed.direction.send,
        receive: agreed.direction.receive,
        latch,
        security: agreed.security.clone(),
    }
}
