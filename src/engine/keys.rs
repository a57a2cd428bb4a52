//! An agent's keys: `*1` number `#` consults, `*2` completes, `*3` makes the conference, `*4` cancels, `*5` swaps. `**` is one
//! star. Every other key is passed on to those who hear the agent, at once, or when it is clear that no command comes.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{Engine, LogLevel, Timer};
use crate::bridge::{Digit, MediaCommand, PlayItem};
use crate::call::talk::Event;
use crate::ids::{CallId, LegId, PlayId};
use crate::time::Now;

/// A command that has not come further for this long is no command.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a key sounds that is passed on.
const KEY: Duration = Duration::from_millis(120);
const LONGEST: usize = 24;

/// What an agent hears whose command cannot be done.
const REFUSED: PlayItem =
    PlayItem::Tone { frequencies_hz: [425, 0], on: Duration::from_millis(200), off: Duration::from_millis(50) };

type Keys = SmallVec<[Digit; 16]>;

/// The keys of a command that is not complete.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Typed(Keys);

#[derive(Clone, Debug, PartialEq)]
enum Said {
    /// More must come.
    Part,
    Command(Command),
    /// No command: these are for the others.
    Keys(Keys),
}

#[derive(Clone, Debug, PartialEq)]
enum Command {
    Consult(String),
    Event(Event),
}

impl Typed {
    fn press(&mut self, key: Digit) -> Said {
        self.0.push(key);
        let text: String = self.0.iter().map(|key| key.key()).collect();
        let said = match text.as_bytes() {
            [b'*'] => Said::Part,
            [b'*', b'1', number @ .., b'#'] if !number.is_empty() => {
                Said::Command(Command::Consult(text[2..text.len() - 1].to_owned()))
            }
            [b'*', b'1', number @ ..] if number.len() < LONGEST && number.iter().all(u8::is_ascii_digit) => Said::Part,
            b"*2" => Said::Command(Command::Event(Event::Complete)),
            b"*3" => Said::Command(Command::Event(Event::Join)),
            b"*4" => Said::Command(Command::Event(Event::Cancel)),
            b"*5" => Said::Command(Command::Event(Event::Swap)),
            b"**" => Said::Keys(self.0.iter().take(1).copied().collect()),
            _ => Said::Keys(self.0.clone()),
        };
        if said != Said::Part {
            self.0.clear();
        }
        said
    }
}

impl Engine {
    /// From now on the media threads tell this leg's keys to us alone.
    pub(super) fn keep_keys(&mut self, id: CallId, leg: LegId, agent: bool) {
        let is_agent = agent || self.calls.get(&id).is_some_and(|live| live.call.is_agent(leg));
        if is_agent {
            self.media(MediaCommand::KeepKeys { leg });
        }
    }

    pub(super) fn agent_key(&mut self, id: CallId, leg: LegId, key: Digit, now: Now) {
        let Some(live) = self.live(id) else { return };
        let typed = live.typed.entry(leg).or_default();
        let said = typed.press(key);
        match said {
            Said::Part => self.timers.set(Timer::Keys(id, leg), now.instant + PAUSE),
            Said::Keys(keys) => self.pass_on(id, leg, &keys),
            Said::Command(command) => self.command(id, leg, command, now),
        }
    }

    /// Nothing more has come: what there is was no command.
    pub(super) fn keys_timed_out(&mut self, id: CallId, leg: LegId) {
        let keys = self.live(id).and_then(|live| live.typed.remove(&leg));
        self.pass_on(id, leg, &keys.unwrap_or_default().0);
    }

    fn command(&mut self, id: CallId, leg: LegId, command: Command, now: Now) {
        self.timers.clear(&Timer::Keys(id, leg));
        let steers =
            self.calls.get(&id).is_some_and(|live| live.call.talking().is_some_and(|talk| talk.agent() == Some(leg)));
        let done = match command {
            _ if !steers => Err("the agent does not steer this talk".to_owned()),
            Command::Consult(number) => match self.asking(&number) {
                Ok(to) => self.consult(id, &to, None, now).map_err(|why| format!("{why:?}")),
                Err(why) => Err(format!("{why:?}")),
            },
            Command::Event(event) => self.steer(id, event, now).map_err(|why| format!("{why:?}")),
        };
        if let Err(why) = done {
            self.log(LogLevel::Info, format!("call {id}: the keys of leg {leg} did nothing: {why}"));
            self.refuse_keys(id, leg);
        }
    }

    /// The agent hears that nothing came of their keys. Music that they hear goes on afterwards.
    fn refuse_keys(&mut self, id: CallId, leg: LegId) {
        let (items, mut out) = (vec![REFUSED, REFUSED], Vec::new());
        let Some(live) = self.calls.get_mut(&id) else { return };
        let Some(found) = live.call.legs.get_mut(&leg) else { return };
        if found.listens_to_music() {
            found.announce(items, true, &mut self.next_play, &mut out);
        } else if !found.is_told() {
            let play = PlayId(self.next_play);
            self.next_play += 1;
            out.push(MediaCommand::Play { leg, play, items, repeat: false });
        }
        out.into_iter().for_each(|command| self.media(command));
    }

    /// Sends keys on to those who hear this leg.
    pub(super) fn pass_on(&mut self, id: CallId, leg: LegId, keys: &[Digit]) {
        let Some(live) = self.calls.get(&id) else { return };
        let ears: Vec<LegId> = live.call.legs.values().filter(|ear| ear.hears(leg)).map(|ear| ear.id).collect();
        for ear in ears {
            for digit in keys {
                self.media(MediaCommand::SendDigit { leg: ear, digit: *digit, duration: KEY });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(keys: &str) -> Vec<Said> {
        let mut typed = Typed::default();
        keys.chars().map(|key| typed.press(Digit::new(key).unwrap())).collect()
    }

    fn keys(text: &str) -> Said {
        Said::Keys(text.chars().map(|key| Digit::new(key).unwrap()).collect())
    }

    #[test]
    fn commands_are_told_from_keys() {
        let consult = |number: &str| Said::Command(Command::Consult(number.to_owned()));
        assert_eq!(press("*1301#").last(), Some(&consult("301")));
        assert_eq!(press("*10033155#").last(), Some(&consult("0033155")));
        let event = |event| Some(Said::Command(Command::Event(event)));
        assert_eq!(press("*2").last().cloned(), event(Event::Complete));
        assert_eq!(press("*3").last().cloned(), event(Event::Join));
        assert_eq!(press("*4").last().cloned(), event(Event::Cancel));
        assert_eq!(press("*5").last().cloned(), event(Event::Swap));
        assert_eq!(press("12#"), [keys("1"), keys("2"), keys("#")]);
        assert_eq!(press("**"), [Said::Part, keys("*")]);
        assert_eq!(press("*7"), [Said::Part, keys("*7")]);
        assert_eq!(press("*1#").last(), Some(&keys("*1#")));
        assert_eq!(press("*13*").last(), Some(&keys("*13*")));
        assert_eq!(press("*2*3").last().cloned(), event(Event::Join));
    }

    #[test]
    fn a_number_without_end_is_no_command() {
        let said = press(&format!("*1{}", "5".repeat(60)));
        assert!(said.iter().any(|said| matches!(said, Said::Keys(keys) if keys.len() > LONGEST)));
    }
}
