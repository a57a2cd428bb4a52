//! Agents become and cease to be members of their queues at the right moment.

use super::decisions::centre;
use super::dial_out::{CALLER, from_caller};
use super::*;
use crate::views::Change;

/// 202 is of sales in the hours of "early".
fn extended() -> Settings {
    let mut settings = centre();
    settings.agents[1].schedules = [("sales".into(), "early".to_owned())].into();
    settings
}

fn is_member(bench: &Bench) -> bool {
    let view = bench.engine.acd.agent_view(&"202".into()).unwrap();
    view.queues.iter().any(|queue| queue.as_str() == "sales")
}

impl Bench {
    /// Up to this time of the wall clock.
    fn wait_until(&mut self, at: &str) {
        let at: Wall = at.parse().unwrap();
        self.wait(at.duration_since(self.now.wall).unsigned_abs());
    }
}

/// On Sunday 25 October 2026 the hour from two to three comes twice in Paris: hours from one to half past two begin at one,
/// end at half past two, begin again when it is two once more, and end again.
#[test]
fn hours_begin_and_end_to_the_moment_also_when_the_clocks_change() {
    let early = hours("sun", "01:00-02:30");
    let mut bench = Bench::begin(extended(), "", &[("early", early)], "2026-10-24T20:00:00Z");
    let mut expected = false;
    for change in ["2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"] {
        let change: Wall = change.parse().unwrap();
        bench.wait_until(&(change - jiff::SignedDuration::from_millis(1)).to_string());
        assert_eq!(is_member(&bench), expected, "before {change}");
        bench.restore();
        bench.other.clear();
        bench.wait_until(&change.to_string());
        bench.input(Input::Time);
        expected = !expected;
        assert_eq!(is_member(&bench), expected, "at {change}");
        let told = bench.other.iter().any(|command| {
            matches!(command, Command::Publish(Change::Agent(view))
                if view.id.as_str() == "202" && view.schedules[0].member == expected)
        });
        assert!(told, "at {change}: {:?}", bench.other);
    }
    // The next Sunday is in winter.
    bench.wait_until("2026-10-31T23:59:59Z");
    assert!(!is_member(&bench));
    bench.wait_until("2026-11-01T00:00:00Z");
    bench.input(Input::Time);
    assert!(is_member(&bench));
}

#[test]
fn a_reload_counts_from_its_moment_on() {
    let calendars = [("early", hours("mon-fri", "08:00-12:00")), ("late", hours("mon-fri", "12:00-18:00"))];
    let mut bench = Bench::begin(extended(), "", &calendars, "2026-11-25T08:00:00Z");
    assert!(is_member(&bench));
    let mut late = extended();
    late.agents[1].schedules = [("sales".into(), "late".to_owned())].into();
    bench.reload(late);
    assert!(!is_member(&bench));
    bench.wait_until("2026-11-25T11:00:00Z");
    bench.input(Input::Time);
    assert!(is_member(&bench), "at noon, which is eleven in Greenwich");
    bench.reload(centre());
    assert!(is_member(&bench));
    bench.wait_until("2026-11-25T23:00:00Z");
    assert!(is_member(&bench), "always, without a schedule");
    assert_eq!(bench.engine.counts().timers, 0);
}

#[test]
fn a_wall_clock_that_is_set_is_noticed_within_a_minute() {
    let calendars = [("early", hours("mon-fri", "08:00-12:00"))];
    let mut bench = Bench::begin(extended(), "", &calendars, "2026-11-25T08:00:00Z");
    bench.now.wall += jiff::SignedDuration::from_hours(5);
    bench.wait(seconds(61.0));
    assert!(!is_member(&bench));
    bench.now.wall -= jiff::SignedDuration::from_hours(5);
    bench.wait(seconds(61.0));
    assert!(is_member(&bench));
}

#[test]
fn a_caller_waits_for_the_hours_to_begin() {
    let mut settings = extended();
    settings.agents.remove(0);
    let plan = "name = 'front'\nnumbers = ['700']\n[[level]]\nname = 'wait'\n[[level.rule]]\nmodule = 'distribute'\n\
                in = { queue = 'sales' }\n[[level]]\nname = 'end'\n[[level.rule]]\nmodule = 'hangup'\n";
    let calendars = [("early", hours("mon-fri", "08:00-12:00"))];
    let mut bench = Bench::begin(settings, plan, &calendars, "2026-11-25T06:58:00Z");
    bench.calls_700("70");
    let tag = bench.told().1;
    bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
    bench.wait(seconds(119.0));
    let rung = |bench: &Bench| {
        let to = address(super::decisions::PHONES[1]);
        bench.sent.iter().any(|(at, message)| *at == to && matches!(message, Message::Request(_)))
    };
    assert!(!rung(&bench));
    assert_eq!(bench.engine.acd.load("sales", bench.now).unwrap().agents_logged_in, 0);
    bench.wait(seconds(2.0));
    assert!(rung(&bench), "{:?}", bench.lines());
}
