//! Who talks with whom, from two parties to a conference, and the agent who asks another, hands over or brings in.
//!
//! The caller and those who are together with them are *present*. The agent who steers may call another (the one who is
//! *asked*) and talk with them apart. One is asked at a time; whoever was brought in before stays present.
//!
//! | state | who hears whom |
//! |---|---|
//! | `talk` | caller and agent hear each other |
//! | `conference` | all who are present hear all the others |
//! | `calling` | the agent hears it ring at the one asked; those who stayed hear each other, one alone hears music |
//! | `briefing` | as `calling`; the one asked has answered and is told who calls and why |
//! | `private` | agent and asked hear each other; those who stayed as above |
//! | `swapped` | those present, the agent among them, hear each other; the asked hears music |
//! | `handing` | the agent has gone while it rang: the caller alone hears ring-back, several hear each other |
//! | `warming` | as `handing`; the one asked has answered and is told who calls and why |
//! | `handed` | no agent steers: those present hear each other |
//! | `held` | as `calling`, but nobody is called and the agent hears nothing |
//!
//! | event | talk | conference | calling | briefing | private | swapped | handing | warming | handed | held |
//! |---|---|---|---|---|---|---|---|---|---|---|
//! | `Consult` | calling | calling | – | – | – | – | – | – | – | calling |
//! | `Transfer` | handing ⌫a | handing ⌫a | – | – | – | – | – | – | – | handing ⌫a |
//! | `Answered` | – | – | private | – | – | – | joins | – | – | – |
//! | `Listens` | – | – | briefing | – | – | – | warming | – | – | – |
//! | `Briefed` | – | – | – | private | – | – | – | joins | – | – |
//! | `Adopt` | private | private | – | – | – | – | – | – | – | private |
//! | `Failed` | – | – | back | – | – | – | recall / back | – | – | – |
//! | `Swap` | – | – | – | – | swapped | private | – | – | – | – |
//! | `Complete` | – | – | handing ⌫a | warming ⌫a | joins ⌫a | joins ⌫a | – | – | – | – |
//! | `Cancel` | – | – | back ⌫r | back ⌫x | back ⌫x | back ⌫x | – | – | – | – |
//! | `Join` | – | – | – | – | joins | joins | – | – | – | – |
//! | `Hold` | held | held | – | – | – | – | – | – | – | held |
//! | `Resume` | back | back | – | – | – | – | – | – | – | back |
//! | asked leaves | – | – | – | back | back | back | – | recall / back | – | – |
//! | agent hangs up | over | handed | handing | warming | joins | joins | – | – | – | over / handed |
//! | agent is lost | alone | handed | alone ⌫r / handed ⌫r | alone ⌫x / handed ⌫x | alone ⌫x / handed ⌫x | alone ⌫x / handed ⌫x | – | – | – | alone / handed |
//! | another hangs up | – | back | calling | briefing | private | swapped | handing | warming | over / handed | held |
//! | another is lost | – | back | calling | briefing | private | swapped | handing | warming | alone / handed | held |
//! | caller leaves | over | over | over | over | over | over | over | over | over | over |
//!
//! – is refused, or cannot be. Two outcomes: where the caller is left alone, and where others are present. *Back* is `talk`,
//! `conference` or `handed`, by who is present. *Joins*: the one asked is present from then on; an agent who joins steers where
//! none does. ⌫a: the agent's leg is ended, they wrap up. ⌫x: the leg of the one asked is ended. ⌫r: it rings there no
//! longer. *Alone*: the caller has lost everybody by a fault, and gets the place back that they had. *Recall*: the agent who
//! handed over is rung again. *Over*: the talk has ended by will.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::clock::Activity;
use crate::bridge::Sources;
use crate::ids::LegId;

/// A room has no more parties than this.
pub const MOST_PARTIES: usize = 32;

/// Somebody who is with the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub leg: LegId,
    /// May steer the talk: an agent's leg.
    pub agent: bool,
}

/// Where the agent's question to another stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Asking {
    Nobody,
    Held,
    Calling,
    /// Has answered, and is told who calls and why.
    Briefing(Member),
    Private(Member),
    Swapped(Member),
    Handing,
    /// The same, with the agent gone.
    Warming(Member),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Talk,
    Conference,
    Held,
    Calling,
    Briefing,
    Private,
    Swapped,
    Handing,
    Warming,
    Handed,
}

/// What happens to a talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The agent calls another.
    Consult,
    /// The agent hands the caller to another without a word, and is gone.
    Transfer,
    /// The one who is called has answered.
    Answered(Member),
    /// The one who is called has answered, and is first told who calls and why.
    Listens(Member),
    /// That has been told.
    Briefed,
    /// The agent talks with this one already, in another call.
    Adopt(Member),
    /// The one who is called cannot be had.
    Failed,
    /// The agent goes from the one asked to the caller, or back.
    Swap,
    /// The agent hands over and is gone.
    Complete,
    /// The agent goes back to the caller; the one asked is let go.
    Cancel,
    /// The one asked is brought in: the conference.
    Join,
    Hold,
    Resume,
    /// A leg is gone, by will or by a fault.
    Left(LegId, Leave),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Leave {
    HungUp,
    Lost,
}

/// What is to be done after an event, in order. The wiring is to be made anew after every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The one who is called does not ring any more.
    Silence,
    /// This leg is ended.
    End(LegId),
    /// The agent who steered has handed over, and is out.
    HandedOver(LegId),
    /// The agent who steered is gone, and nothing was handed over.
    AgentGone(LegId),
    /// The one asked is now with the caller.
    Joined(LegId),
    /// This leg steers from now on.
    Steers(LegId),
    /// Nobody came to the one who was handed over: the agent who did it is rung again.
    Recall,
    /// The caller has lost everybody by a fault.
    Alone,
    /// The talk is over: this leg has ended it.
    Over(LegId),
}

pub type Effects = SmallVec<[Effect; 4]>;

/// Why something cannot be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("nobody is being consulted; POST /calls/ID/consult first")]
    NobodyAsked,
    #[error("somebody is being consulted already; complete, cancel or bring them in first")]
    AskedAlready,
    #[error("it still rings there; wait for an answer, complete or cancel")]
    StillRings,
    #[error("who was called is still being told why; they can end that by a key")]
    IsBriefed,
    #[error("no agent is on this call any more")]
    NoAgent,
    #[error("the caller is not on hold")]
    NotHeld,
    #[error("the conference is full: {MOST_PARTIES} parties")]
    Full,
    #[error("nothing of the kind is under way")]
    Unexpected,
}

/// What a leg hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hears {
    Voices(Sources),
    Music,
    RingBack,
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Talk {
    /// The caller first, then the others in the order in which they came; the agent also while they are apart.
    present: SmallVec<[Member; 3]>,
    /// The agent who steers.
    agent: Option<LegId>,
    asking: Asking,
}

impl Talk {
    pub fn new(caller: LegId, other: Member) -> Talk {
        let caller = Member { leg: caller, agent: false };
        Talk {
            present: SmallVec::from_slice(&[caller, other]),
            agent: other.agent.then_some(other.leg),
            asking: Asking::Nobody,
        }
    }

    pub fn state(&self) -> State {
        match self.asking {
            Asking::Held => State::Held,
            Asking::Calling => State::Calling,
            Asking::Briefing(_) => State::Briefing,
            Asking::Private(_) => State::Private,
            Asking::Swapped(_) => State::Swapped,
            Asking::Handing => State::Handing,
            Asking::Warming(_) => State::Warming,
            Asking::Nobody if self.agent.is_none() => State::Handed,
            Asking::Nobody if self.present.len() > 2 => State::Conference,
            Asking::Nobody => State::Talk,
        }
    }

    /// The agent who steers.
    pub fn agent(&self) -> Option<LegId> {
        self.agent
    }

    /// The one who is consulted, or is to have the caller, once they have answered.
    pub fn asked(&self) -> Option<LegId> {
        match self.asking {
            Asking::Briefing(asked) | Asking::Private(asked) | Asking::Swapped(asked) | Asking::Warming(asked) => {
                Some(asked.leg)
            }
            _ => None,
        }
    }

    /// The one who is being told who calls and why.
    pub fn briefed(&self) -> Option<LegId> {
        match self.asking {
            Asking::Briefing(asked) | Asking::Warming(asked) => Some(asked.leg),
            _ => None,
        }
    }

    /// Whether the leg has a part in it, apart or with the caller.
    pub fn has(&self, leg: LegId) -> bool {
        self.present.iter().any(|member| member.leg == leg) || self.asked() == Some(leg)
    }

    pub fn parties(&self) -> impl Iterator<Item = LegId> + '_ {
        self.present.iter().map(|member| member.leg).chain(self.asked())
    }

    fn caller(&self) -> Option<LegId> {
        self.present.first().map(|member| member.leg)
    }

    /// The agent is not with the caller.
    fn agent_is_apart(&self) -> bool {
        matches!(self.asking, Asking::Held | Asking::Calling | Asking::Briefing(_) | Asking::Private(_))
    }

    /// Those who are with the caller at this moment.
    fn together(&self) -> impl Iterator<Item = LegId> + '_ {
        let apart = self.agent.filter(|_| self.agent_is_apart());
        self.present.iter().map(|member| member.leg).filter(move |leg| Some(*leg) != apart)
    }

    /// The same party on another leg.
    pub fn substitute(&mut self, old: LegId, new: LegId) {
        let swap = |leg: &mut LegId| {
            if *leg == old {
                *leg = new;
            }
        };
        self.present.iter_mut().for_each(|member| swap(&mut member.leg));
        self.agent.iter_mut().for_each(swap);
        if let Asking::Briefing(asked) | Asking::Private(asked) | Asking::Swapped(asked) | Asking::Warming(asked) =
            &mut self.asking
        {
            swap(&mut asked.leg);
        }
    }

    /// Those whom the agent who steers hears, and the agent; without one, those who are with the caller.
    pub fn agents_room(&self) -> Sources {
        match (self.agent, self.asking) {
            (Some(agent), Asking::Private(asked)) => Sources::from_slice(&[agent, asked.leg]),
            (Some(agent), Asking::Calling | Asking::Briefing(_) | Asking::Held) => Sources::from_slice(&[agent]),
            _ => self.together().collect(),
        }
    }

    pub fn together_count(&self) -> usize {
        self.together().count()
    }

    /// Takes in what happened; nothing is changed by what is refused.
    pub fn on(&mut self, event: Event) -> Result<Effects, Refused> {
        match event {
            Event::Consult => self.consult(),
            Event::Transfer => self.transfer(),
            Event::Answered(member) => self.answered(member),
            Event::Listens(member) => self.listens(member),
            Event::Briefed => self.briefing_ended(),
            Event::Adopt(member) => self.adopt(member),
            Event::Failed => self.failed(),
            Event::Swap => self.swap(),
            Event::Complete => self.complete(),
            Event::Cancel => self.cancel(),
            Event::Join => self.join(),
            Event::Hold => self.hold(),
            Event::Resume => self.resume(),
            Event::Left(leg, how) => self.left(leg, how),
        }
    }

    fn consult(&mut self) -> Result<Effects, Refused> {
        self.agent.ok_or(Refused::NoAgent)?;
        if !matches!(self.asking, Asking::Nobody | Asking::Held) {
            return Err(Refused::AskedAlready);
        }
        if self.present.len() >= MOST_PARTIES {
            return Err(Refused::Full);
        }
        self.asking = Asking::Calling;
        Ok(Effects::new())
    }

    fn transfer(&mut self) -> Result<Effects, Refused> {
        let agent = self.agent.ok_or(Refused::NoAgent)?;
        if !matches!(self.asking, Asking::Nobody | Asking::Held) {
            return Err(Refused::AskedAlready);
        }
        self.asking = Asking::Handing;
        Ok(self.agent_goes(agent, Effect::HandedOver(agent)))
    }

    fn answered(&mut self, member: Member) -> Result<Effects, Refused> {
        match self.asking {
            Asking::Calling => {
                self.asking = Asking::Private(member);
                Ok(Effects::new())
            }
            Asking::Handing => {
                self.asking = Asking::Nobody;
                Ok(self.joins(member))
            }
            _ => Err(Refused::Unexpected),
        }
    }

    fn listens(&mut self, member: Member) -> Result<Effects, Refused> {
        self.asking = match self.asking {
            Asking::Calling => Asking::Briefing(member),
            Asking::Handing => Asking::Warming(member),
            _ => return Err(Refused::Unexpected),
        };
        Ok(Effects::new())
    }

    fn briefing_ended(&mut self) -> Result<Effects, Refused> {
        match self.asking {
            Asking::Briefing(asked) => {
                self.asking = Asking::Private(asked);
                Ok(Effects::new())
            }
            Asking::Warming(asked) => {
                self.asking = Asking::Nobody;
                Ok(self.joins(asked))
            }
            _ => Err(Refused::Unexpected),
        }
    }

    fn adopt(&mut self, member: Member) -> Result<Effects, Refused> {
        self.consult()?;
        self.asking = Asking::Private(member);
        Ok(Effects::new())
    }

    fn failed(&mut self) -> Result<Effects, Refused> {
        match self.asking {
            Asking::Calling => {
                self.asking = Asking::Nobody;
                Ok(Effects::new())
            }
            // The rest of a conference go on without.
            Asking::Handing if self.present.len() > 1 => {
                self.asking = Asking::Nobody;
                Ok(Effects::new())
            }
            Asking::Handing => Ok(Effects::from_slice(&[Effect::Recall])),
            _ => Err(Refused::Unexpected),
        }
    }

    fn swap(&mut self) -> Result<Effects, Refused> {
        self.asking = match self.asking {
            Asking::Private(asked) => Asking::Swapped(asked),
            Asking::Swapped(asked) => Asking::Private(asked),
            _ => return Err(self.without_asked()),
        };
        Ok(Effects::new())
    }

    fn complete(&mut self) -> Result<Effects, Refused> {
        let agent = self.agent.ok_or(Refused::NoAgent)?;
        match self.asking {
            Asking::Calling => {
                self.asking = Asking::Handing;
                Ok(self.agent_goes(agent, Effect::HandedOver(agent)))
            }
            Asking::Briefing(asked) => {
                self.asking = Asking::Warming(asked);
                Ok(self.agent_goes(agent, Effect::HandedOver(agent)))
            }
            Asking::Private(asked) | Asking::Swapped(asked) => {
                self.asking = Asking::Nobody;
                let mut effects = self.agent_goes(agent, Effect::HandedOver(agent));
                effects.extend(self.joins(asked));
                Ok(effects)
            }
            _ => Err(self.without_asked()),
        }
    }

    fn cancel(&mut self) -> Result<Effects, Refused> {
        self.agent.ok_or(Refused::NoAgent)?;
        let effect = match self.asking {
            Asking::Calling => Effect::Silence,
            Asking::Briefing(asked) | Asking::Private(asked) | Asking::Swapped(asked) => Effect::End(asked.leg),
            _ => return Err(self.without_asked()),
        };
        self.asking = Asking::Nobody;
        Ok(Effects::from_slice(&[effect]))
    }

    fn join(&mut self) -> Result<Effects, Refused> {
        let asked = match self.asking {
            Asking::Private(asked) | Asking::Swapped(asked) => asked,
            _ => return Err(self.without_asked()),
        };
        self.asking = Asking::Nobody;
        Ok(self.joins(asked))
    }

    fn hold(&mut self) -> Result<Effects, Refused> {
        self.agent.ok_or(Refused::NoAgent)?;
        match self.asking {
            Asking::Nobody | Asking::Held => self.asking = Asking::Held,
            _ => return Err(Refused::AskedAlready),
        }
        Ok(Effects::new())
    }

    fn resume(&mut self) -> Result<Effects, Refused> {
        self.agent.ok_or(Refused::NoAgent)?;
        match self.asking {
            Asking::Nobody | Asking::Held => self.asking = Asking::Nobody,
            _ => return Err(Refused::NotHeld),
        }
        Ok(Effects::new())
    }

    fn without_asked(&self) -> Refused {
        match self.asking {
            _ if self.agent.is_none() => Refused::NoAgent,
            Asking::Calling => Refused::StillRings,
            Asking::Briefing(_) => Refused::IsBriefed,
            _ => Refused::NobodyAsked,
        }
    }

    fn left(&mut self, leg: LegId, how: Leave) -> Result<Effects, Refused> {
        if !self.has(leg) {
            return Err(Refused::Unexpected);
        }
        if self.caller() == Some(leg) {
            return Ok(Effects::from_slice(&[Effect::Over(leg)]));
        }
        if self.asked() == Some(leg) {
            return Ok(self.asked_left());
        }
        if self.agent == Some(leg) {
            return Ok(self.agent_left(leg, how));
        }
        self.present.retain(|member| member.leg != leg);
        Ok(self.end_if_alone(leg, how))
    }

    /// Who was to have the caller and has gone before they had them is one who could not be had.
    fn asked_left(&mut self) -> Effects {
        let alone = self.present.len() < 2;
        if matches!(self.asking, Asking::Warming(_)) && alone {
            self.asking = Asking::Handing;
            return Effects::from_slice(&[Effect::Recall]);
        }
        self.asking = Asking::Nobody;
        Effects::new()
    }

    /// One who hangs up while somebody is asked has handed over; one who is lost has not.
    fn agent_left(&mut self, agent: LegId, how: Leave) -> Effects {
        if how == Leave::HungUp {
            match self.asking {
                Asking::Calling => {
                    self.asking = Asking::Handing;
                    return self.agent_gone(agent, Effect::HandedOver(agent));
                }
                Asking::Briefing(asked) => {
                    self.asking = Asking::Warming(asked);
                    return self.agent_gone(agent, Effect::HandedOver(agent));
                }
                Asking::Private(asked) | Asking::Swapped(asked) => {
                    self.asking = Asking::Nobody;
                    let mut effects = self.agent_gone(agent, Effect::HandedOver(agent));
                    effects.extend(self.joins(asked));
                    return effects;
                }
                _ => {}
            }
        }
        let mut effects = Effects::new();
        match self.asking {
            Asking::Calling => effects.push(Effect::Silence),
            Asking::Briefing(asked) | Asking::Private(asked) | Asking::Swapped(asked) => {
                effects.push(Effect::End(asked.leg));
            }
            _ => {}
        }
        self.asking = Asking::Nobody;
        if self.present.len() > 2 {
            let told = if how == Leave::HungUp { Effect::HandedOver(agent) } else { Effect::AgentGone(agent) };
            effects.extend(self.agent_gone(agent, told));
        } else {
            self.present.retain(|member| member.leg != agent);
            self.agent = None;
            effects.extend(self.end_if_alone(agent, how));
        }
        effects
    }

    /// The caller who is left alone is told what the last one's leaving means; not while somebody is rung for them.
    fn end_if_alone(&self, last: LegId, how: Leave) -> Effects {
        if self.present.len() > 1 || self.asking != Asking::Nobody {
            return Effects::new();
        }
        Effects::from_slice(&[if how == Leave::HungUp { Effect::Over(last) } else { Effect::Alone }])
    }

    /// We end the leg of an agent who steers no longer.
    fn agent_goes(&mut self, agent: LegId, told: Effect) -> Effects {
        let mut effects = self.agent_gone(agent, told);
        effects.push(Effect::End(agent));
        effects
    }

    fn agent_gone(&mut self, agent: LegId, told: Effect) -> Effects {
        self.present.retain(|member| member.leg != agent);
        self.agent = None;
        let mut effects = Effects::from_slice(&[told]);
        effects.extend(self.find_agent());
        effects
    }

    fn joins(&mut self, member: Member) -> Effects {
        self.present.push(member);
        let mut effects = Effects::from_slice(&[Effect::Joined(member.leg)]);
        effects.extend(self.find_agent());
        effects
    }

    /// The first agent who is present steers, where none does.
    fn find_agent(&mut self) -> Option<Effect> {
        if self.agent.is_some() {
            return None;
        }
        let next = self.present.iter().skip(1).find(|member| member.agent)?.leg;
        self.agent = Some(next);
        Some(Effect::Steers(next))
    }

    /// What a leg hears. `holds` says who has put the others on hold by their own phone: nobody hears them.
    pub fn hears(&self, leg: LegId, holds: impl Fn(LegId) -> bool) -> Hears {
        if !self.has(leg) {
            return Hears::Nothing;
        }
        let steers = self.agent == Some(leg);
        let sources: Sources = match self.asking {
            Asking::Held if steers => return Hears::Nothing,
            Asking::Calling | Asking::Briefing(_) if steers => return Hears::RingBack,
            Asking::Briefing(asked) | Asking::Warming(asked) if asked.leg == leg => return Hears::Nothing,
            Asking::Private(asked) if steers => Sources::from_slice(&[asked.leg]),
            Asking::Private(asked) if asked.leg == leg => self.agent.into_iter().collect(),
            Asking::Swapped(asked) if asked.leg == leg => Sources::new(),
            _ => self.together().filter(|other| *other != leg).collect(),
        };
        let nobody = sources.is_empty();
        let voices: Sources = sources.into_iter().filter(|other| !holds(*other)).collect();
        if !voices.is_empty() {
            Hears::Voices(voices)
        } else if nobody && matches!(self.asking, Asking::Handing | Asking::Warming(_)) {
            Hears::RingBack
        } else {
            Hears::Music
        }
    }

    /// What a leg is doing, for its clock.
    pub fn activity(&self, leg: LegId, holds: impl Fn(LegId) -> bool) -> Activity {
        let steers = self.agent == Some(leg);
        match self.asking {
            _ if !self.has(leg) => Activity::Apart,
            Asking::Held if steers => Activity::Hold,
            Asking::Calling | Asking::Briefing(_) | Asking::Private(_) if steers => Activity::Consult,
            Asking::Briefing(asked) | Asking::Private(asked) | Asking::Warming(asked) if asked.leg == leg => {
                Activity::Consult
            }
            Asking::Swapped(asked) if asked.leg == leg => Activity::Hold,
            _ => match self.together().count() {
                0 | 1 => Activity::Hold,
                2 if self.together().any(&holds) => Activity::Hold,
                2 => Activity::Talk,
                _ if holds(leg) => Activity::Hold,
                _ => Activity::Conference,
            },
        }
    }

    /// Whether the caller hears nobody.
    pub fn on_hold(&self, holds: impl Fn(LegId) -> bool) -> bool {
        self.caller().is_some_and(|caller| self.activity(caller, &holds) == Activity::Hold)
    }

    /// Whether the agent who steers is kept from the caller, by themselves or by a hold.
    pub fn agent_holds(&self, holds: impl Fn(LegId) -> bool) -> bool {
        let does = self.agent.map(|agent| self.activity(agent, holds));
        !matches!(does, None | Some(Activity::Talk | Activity::Conference))
    }
}

#[cfg(test)]
mod tests;
