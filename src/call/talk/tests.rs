//! Every state meets every event: the table in the room's own documentation is what is tested.

use super::*;

const CALLER: LegId = LegId(1);
const AGENT: LegId = LegId(2);
const ASKED: LegId = LegId(3);
const OTHERS: [LegId; 2] = [LegId(4), LegId(5)];

fn expert(leg: LegId) -> Member {
    Member { leg, agent: false }
}

fn agent(leg: LegId) -> Member {
    Member { leg, agent: true }
}

/// A talk with so many others brought in before.
fn talk(others: usize) -> Talk {
    let mut talk = Talk::new(CALLER, agent(AGENT));
    for other in &OTHERS[..others] {
        walk(&mut talk, &[Event::Consult, Event::Answered(expert(*other)), Event::Join]);
    }
    talk
}

fn walk(talk: &mut Talk, events: &[Event]) {
    for event in events {
        talk.on(*event).unwrap_or_else(|refused| panic!("{event:?}: {refused}"));
    }
}

/// The talk in this state, with so many others; `None` where there is no such thing.
fn talk_in(state: &str, others: usize) -> Option<Talk> {
    let answered = Event::Answered(expert(ASKED));
    let steps: &[Event] = match state {
        "talk" | "conference" => &[],
        "held" => &[Event::Hold],
        "calling" => &[Event::Consult],
        "briefing" => &[Event::Consult, Event::Listens(expert(ASKED))],
        "private" => &[Event::Consult, answered],
        "swapped" => &[Event::Consult, answered, Event::Swap],
        "handing" => &[Event::Transfer],
        "warming" => &[Event::Transfer, Event::Listens(expert(ASKED))],
        "handed" if others > 0 => &[Event::Left(AGENT, Leave::HungUp)],
        "handed" => return None,
        other => panic!("there is no state {other}"),
    };
    let mut talk = talk(others);
    walk(&mut talk, steps);
    (name_of(&talk) == state).then_some(talk)
}

fn name_of(talk: &Talk) -> String {
    serde_json::to_value(talk.state()).unwrap().as_str().unwrap().to_owned()
}

fn event_named(name: &str, others: usize) -> Option<Event> {
    Some(match name {
        "`Consult`" => Event::Consult,
        "`Transfer`" => Event::Transfer,
        "`Answered`" => Event::Answered(expert(ASKED)),
        "`Listens`" => Event::Listens(expert(ASKED)),
        "`Briefed`" => Event::Briefed,
        "`Adopt`" => Event::Adopt(expert(ASKED)),
        "`Failed`" => Event::Failed,
        "`Swap`" => Event::Swap,
        "`Complete`" => Event::Complete,
        "`Cancel`" => Event::Cancel,
        "`Join`" => Event::Join,
        "`Hold`" => Event::Hold,
        "`Resume`" => Event::Resume,
        "asked leaves" => Event::Left(ASKED, Leave::HungUp),
        "agent hangs up" => Event::Left(AGENT, Leave::HungUp),
        "agent is lost" => Event::Left(AGENT, Leave::Lost),
        "another hangs up" if others > 0 => Event::Left(OTHERS[0], Leave::HungUp),
        "another is lost" if others > 0 => Event::Left(OTHERS[0], Leave::Lost),
        "another hangs up" | "another is lost" => return None,
        "caller leaves" => Event::Left(CALLER, Leave::Lost),
        other => panic!("there is no event {other}"),
    })
}

/// What came of an event, in the table's words.
fn outcome(talk: &Talk, effects: &Result<Effects, Refused>) -> String {
    let Ok(effects) = effects else { return "–".to_owned() };
    let mut said = if effects.iter().any(|effect| matches!(effect, Effect::Over(_))) {
        "over".to_owned()
    } else if effects.contains(&Effect::Alone) {
        "alone".to_owned()
    } else if effects.contains(&Effect::Recall) {
        "recall".to_owned()
    } else if effects.iter().any(|effect| matches!(effect, Effect::Joined(_))) {
        "joins".to_owned()
    } else {
        name_of(talk)
    };
    for effect in effects {
        match effect {
            Effect::End(AGENT) => said.push_str(" ⌫a"),
            Effect::End(ASKED) => said.push_str(" ⌫x"),
            Effect::Silence => said.push_str(" ⌫r"),
            _ => {}
        }
    }
    said
}

/// The table of the documentation: event, state, what may come of it.
fn table() -> Vec<(String, String, Vec<String>)> {
    let text = include_str!("../talk.rs");
    let rows = text.lines().skip_while(|line| !line.starts_with("//! | event |")).take_while(|line| line.len() > 3);
    let cells = |row: &str| -> Vec<String> {
        row.trim_start_matches("//! |").trim_end_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    let rows: Vec<Vec<String>> = rows.map(cells).collect();
    let states = rows[0].clone();
    let mut table = Vec::new();
    for row in &rows[2..] {
        assert_eq!(row.len(), states.len(), "{row:?}");
        for (state, cell) in states.iter().zip(row).skip(1) {
            let outcomes = cell.split(" / ").map(str::to_owned).collect();
            table.push((row[0].clone(), state.clone(), outcomes));
        }
    }
    table
}

/// Who is with the caller by the outcome, and who is apart with the agent, worked out without the machine.
fn truth(state: &str, present: &[LegId]) -> Vec<(LegId, Hears)> {
    let apart = matches!(state, "calling" | "briefing" | "private" | "held");
    let together: Vec<LegId> = present.iter().copied().filter(|leg| !(apart && *leg == AGENT)).collect();
    let mut ears: Vec<(LegId, Hears)> = together
        .iter()
        .map(|leg| {
            let others: Sources = together.iter().copied().filter(|other| other != leg).collect();
            let alone = if matches!(state, "handing" | "warming") { Hears::RingBack } else { Hears::Music };
            (*leg, if others.is_empty() { alone } else { Hears::Voices(others) })
        })
        .collect();
    match state {
        "calling" => ears.push((AGENT, Hears::RingBack)),
        "briefing" => ears.extend([(AGENT, Hears::RingBack), (ASKED, Hears::Nothing)]),
        "warming" => ears.push((ASKED, Hears::Nothing)),
        "held" => ears.push((AGENT, Hears::Nothing)),
        "private" => {
            ears.push((AGENT, Hears::Voices(Sources::from_slice(&[ASKED]))));
            ears.push((ASKED, Hears::Voices(Sources::from_slice(&[AGENT]))));
        }
        "swapped" => ears.push((ASKED, Hears::Music)),
        _ => {}
    }
    ears
}

#[test]
fn every_event_in_every_state_does_what_the_table_says() {
    let mut walked = 0;
    let mut seen: std::collections::BTreeSet<(String, String, String)> = Default::default();
    for (event_name, state, outcomes) in table() {
        for others in 0..=OTHERS.len() {
            let Some(mut talk) = talk_in(&state, others) else { continue };
            let Some(event) = event_named(&event_name, others) else { continue };
            let before = talk.clone();
            let effects = talk.on(event);
            let found = outcome(&talk, &effects);
            let back = |said: &str| {
                let to = name_of(&talk);
                let is_back = matches!(to.as_str(), "talk" | "conference" | "handed");
                is_back && said.strip_prefix("back").is_some_and(|rest| found == format!("{to}{rest}"))
            };
            let fits = outcomes.iter().find(|said| **said == found || back(said));
            let what = format!("{event_name} in {state} with {others} others: {found}");
            let fits = fits.unwrap_or_else(|| panic!("{what}, and the table says {outcomes:?}"));
            seen.insert((event_name.clone(), state.clone(), fits.clone()));
            if effects.is_err() {
                assert_eq!(talk, before, "{what}: what is refused changes nothing");
            }
            hears_what_it_should(&talk, &what);
            walked += 1;
        }
    }
    assert!(walked > 250, "{walked} pairs");
    for (event, state, outcomes) in table() {
        let reached = |said: &String| seen.contains(&(event.clone(), state.clone(), said.clone()));
        let cannot_be = outcomes == ["–"];
        assert!(cannot_be || outcomes.iter().all(reached), "{event} in {state}: {outcomes:?} were not all seen");
    }
}

fn hears_what_it_should(talk: &Talk, what: &str) {
    let present: Vec<LegId> = talk.present.iter().map(|member| member.leg).collect();
    let truth = truth(&name_of(talk), &present);
    assert_eq!(truth.len(), talk.parties().count(), "{what}");
    for (leg, hears) in truth {
        assert_eq!(talk.hears(leg, |_| false), hears, "{what}: the ear of leg {leg}");
    }
    for leg in [AGENT, ASKED, OTHERS[0], OTHERS[1]].into_iter().filter(|leg| !talk.has(*leg)) {
        assert_eq!(talk.hears(leg, |_| false), Hears::Nothing, "{what}: leg {leg} has no part in it");
    }
}

#[test]
fn a_phone_that_holds_is_heard_by_nobody() {
    let pair = talk(0);
    let holds = |leg: LegId| leg == AGENT;
    assert_eq!(pair.hears(CALLER, holds), Hears::Music);
    assert_eq!(pair.hears(AGENT, holds), Hears::Voices(Sources::from_slice(&[CALLER])));
    assert_eq!((pair.activity(CALLER, holds), pair.on_hold(holds)), (Activity::Hold, true));
    let three = talk(1);
    assert_eq!(three.hears(CALLER, holds), Hears::Voices(Sources::from_slice(&[OTHERS[0]])));
    assert_eq!((three.activity(CALLER, holds), three.activity(AGENT, holds)), (Activity::Conference, Activity::Hold));
    assert!(!three.on_hold(holds) && three.agent_holds(holds));
}

#[test]
fn an_agent_who_is_brought_in_steers_when_the_first_is_gone() {
    let mut talk = talk(0);
    walk(&mut talk, &[Event::Consult, Event::Answered(agent(ASKED))]);
    let effects = talk.on(Event::Complete).unwrap();
    let told = [Effect::HandedOver(AGENT), Effect::End(AGENT), Effect::Joined(ASKED), Effect::Steers(ASKED)];
    assert_eq!((effects.as_slice(), talk.state(), talk.agent()), (&told[..], State::Talk, Some(ASKED)));
    walk(&mut talk, &[Event::Consult, Event::Answered(expert(OTHERS[0])), Event::Join]);
    assert_eq!(talk.state(), State::Conference);
    let effects = talk.on(Event::Left(ASKED, Leave::HungUp)).unwrap();
    assert_eq!((effects.as_slice(), talk.state()), (&[Effect::HandedOver(ASKED)][..], State::Handed));
}

#[test]
fn time_is_counted_by_what_each_does() {
    let asked = |events: &[Event]| {
        let mut talk = talk(0);
        walk(&mut talk, events);
        [CALLER, AGENT, ASKED].map(|leg| talk.activity(leg, |_| false))
    };
    use Activity::{Apart, Conference, Consult, Hold, Talk};
    let answered = Event::Answered(expert(ASKED));
    assert_eq!(asked(&[]), [Talk, Talk, Apart]);
    assert_eq!(asked(&[Event::Hold]), [Hold, Hold, Apart]);
    assert_eq!(asked(&[Event::Consult]), [Hold, Consult, Apart]);
    assert_eq!(asked(&[Event::Consult, answered]), [Hold, Consult, Consult]);
    let listens = Event::Listens(expert(ASKED));
    assert_eq!(asked(&[Event::Consult, listens]), [Hold, Consult, Consult]);
    assert_eq!(asked(&[Event::Consult, listens, Event::Complete]), [Hold, Apart, Consult]);
    assert_eq!(asked(&[Event::Consult, listens, Event::Briefed]), [Hold, Consult, Consult]);
    assert_eq!(asked(&[Event::Consult, answered, Event::Swap]), [Talk, Talk, Hold]);
    assert_eq!(asked(&[Event::Consult, answered, Event::Join]), [Conference; 3]);
    assert_eq!(asked(&[Event::Consult, answered, Event::Complete]), [Talk, Apart, Talk]);
}

#[test]
fn a_room_has_an_end() {
    let mut talk = Talk::new(CALLER, agent(AGENT));
    for leg in 100..98 + MOST_PARTIES as u64 {
        walk(&mut talk, &[Event::Consult, Event::Answered(expert(LegId(leg))), Event::Join]);
    }
    assert_eq!((talk.parties().count(), talk.on(Event::Consult)), (MOST_PARTIES, Err(Refused::Full)));
}
