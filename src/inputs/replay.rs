//! The engine once more, on what was recorded.

use super::{End, Entry, Happening};
use crate::engine::{Command, Engine, Input, Journal};
use crate::ids::CallId;
use crate::record::CallRecord;
use crate::time::{Now, Wall};

/// What a replay came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    pub inputs: u64,
    /// From the first entry to the last.
    pub span: Option<(Wall, Wall)>,
    /// Calls that were still up at the end.
    pub up: Vec<CallId>,
    /// `None`: the recording breaks off.
    pub end: Option<End>,
}

/// Runs a recording through an engine and hands over each call's record as it ends; what the engine wants done is done
/// by nobody. Ends with the first entry that cannot be read.
pub fn replay<E>(
    entries: impl IntoIterator<Item = Result<Entry, E>>,
    mut ended: impl FnMut(Box<CallRecord>),
) -> Result<Replayed, E> {
    let mut engine: Option<Engine> = None;
    let mut replayed = Replayed::default();
    for entry in entries {
        let Entry { at, what, .. } = entry?;
        let from = replayed.span.map_or(at.wall, |(from, _)| from);
        replayed.span = Some((from, at.wall));
        match (what, &mut engine) {
            (Happening::Start(start), _) => engine = Some(Engine::new(start.settings, start.plans, start.seed, at)),
            (Happening::Input(input), Some(engine)) => {
                replayed.inputs += 1;
                step(engine, input, at, &mut ended);
            }
            // A reader lets nothing through before the start.
            (Happening::Input(_), None) => {}
            (Happening::End(end), _) => replayed.end = Some(end),
        }
    }
    replayed.up = engine.map(|engine| engine.calls().collect()).unwrap_or_default();
    Ok(replayed)
}

fn step(engine: &mut Engine, input: Input, at: Now, ended: &mut impl FnMut(Box<CallRecord>)) {
    engine.handle_input(input, at);
    while let Some(command) = engine.poll_command() {
        if let Command::Journal(Journal::Ended(record)) = command {
            ended(record);
        }
    }
}
