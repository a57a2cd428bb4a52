//! The one thread that owns the engine: it gathers inputs, tells the time, and has every command carried out in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::execute::Shells;
use crate::bridge::MediaEvent;
use crate::engine::{Engine, Input};
use crate::inputs::InputLog;
use crate::net::NetEvent;
use crate::outbox::Bell;
use crate::time::{Instant, Now};
use crate::web::Asked;
use crate::web::metrics::Meters;

/// How long before the process the monotonic clock begins: who regains a place after a restart has waited since before.
const BEFORE: Duration = Duration::from_hours(24);

/// The real clocks. The monotonic one stands at `BEFORE` when the process starts.
#[derive(Clone, Copy)]
pub struct Clock {
    start: std::time::Instant,
}

impl Clock {
    pub fn start() -> Clock {
        Clock { start: std::time::Instant::now() }
    }

    pub fn now(&self) -> Now {
        Now { instant: Instant::default() + BEFORE + self.start.elapsed(), wall: jiff::Timestamp::now() }
    }
}

/// Everything that can happen, each kind in a bounded channel of its own.
pub struct Inputs {
    pub bell: Arc<Bell>,
    pub control: Receiver<Input>,
    pub media: Receiver<MediaEvent>,
    /// Answers from outside.
    pub outside: Receiver<Input>,
    pub api: Receiver<Asked>,
    pub net: Receiver<NetEvent>,
}

/// Inputs taken from one channel before the others get their turn.
const BATCH: usize = 64;
/// Wake at least this often, so that a stop is noticed.
const IDLE: Duration = Duration::from_millis(500);

pub struct EngineLoop {
    pub engine: Engine,
    pub inputs: Inputs,
    pub shells: Shells,
    pub clock: Clock,
    pub meters: Meters,
    pub stop: Arc<AtomicBool>,
    /// Where what comes in is recorded, as long as it is.
    pub recorded: Option<InputLog>,
}

impl EngineLoop {
    /// Runs until a drain is over or `stop` is set.
    pub fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            self.wait();
            self.take_turns();
            if self.engine.poll_timeout().is_some_and(|at| at <= self.clock.now().instant) {
                self.handle(Input::Time);
            }
        }
        self.shells.close();
        self.recorded.into_iter().for_each(InputLog::close);
    }

    /// Sleeps until a channel has something or the engine wants to be called.
    fn wait(&self) {
        let now = self.clock.now().instant;
        let due = self.engine.poll_timeout().map_or(IDLE, |at| at.since(now).min(IDLE));
        self.inputs.bell.wait(due);
    }

    fn take_turns(&mut self) {
        loop {
            let mut taken = 0;
            while let Ok(input) = self.inputs.control.try_recv() {
                self.handle(input);
                taken += 1;
            }
            for _ in 0..BATCH {
                let Ok(event) = self.inputs.media.try_recv() else { break };
                self.handle(Input::Media(event));
                taken += 1;
            }
            for _ in 0..BATCH {
                let Ok(answer) = self.inputs.outside.try_recv() else { break };
                self.handle(answer);
                taken += 1;
            }
            for _ in 0..BATCH {
                let Ok(call) = self.inputs.api.try_recv() else { break };
                let id = self.shells.replies.expect(call.reply);
                self.handle(Input::Api { id, request: call.request });
                taken += 1;
            }
            for _ in 0..BATCH {
                let Ok(event) = self.inputs.net.try_recv() else { break };
                self.handle(match event {
                    NetEvent::Message { flow, message } => Input::Sip { flow, message },
                    NetEvent::TransportError { to } => Input::TransportError { to },
                });
                taken += 1;
            }
            if taken == 0 {
                return;
            }
        }
    }

    pub fn handle(&mut self, input: Input) {
        let now = self.clock.now();
        if self.recorded.as_ref().is_some_and(|log| !log.take(&input, now)) {
            self.recorded = None;
        }
        self.engine.handle_input(input, now);
        self.carry_out();
        self.meters.engine_turn.record(self.clock.now().instant.since(now.instant));
    }

    fn carry_out(&mut self) {
        let wall = self.clock.now().wall;
        while let Some(command) = self.engine.poll_command() {
            if self.shells.execute(command, wall) {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_tells_apart_moments_before_its_process() {
        let now = Clock::start().now().instant;
        let (earlier, later) = (now - Duration::from_mins(10), now - Duration::from_mins(9));
        assert_eq!(later.since(earlier), Duration::from_mins(1));
    }
}
