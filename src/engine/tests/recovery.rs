//! Callers who gave up and are called back, and callers who lost their place.

use super::decisions::{PHONES, centre};
use super::dial_out::{CALLER, FIRST, from_caller, sdp};
use super::*;
use crate::bridge::{Digit, DigitSource};
use crate::callback::{CallbackState, Wished};
use crate::record::{Outcome, Party};
use crate::settings::AbandonedRule;

const PLAN: &str = "name = 'front'\nnumbers = ['700']\n[[level]]\nname = 'wait'\n[[level.rule]]\nmodule = 'distribute'\n\
    in = { queue = 'sales' }\n[[level]]\nname = 'end'\n[[level.rule]]\nmodule = 'hangup'\n";
const NUMBER: &str = "+33612345";

/// Sales without agents; who gives up after 30 s is called back in office hours.
fn settings() -> Settings {
    let mut settings = centre();
    settings.agents.clear();
    let abandoned = AbandonedRule { after: seconds(30.0), calendar: Some("office".to_owned()) };
    settings.queues[0].callback.abandoned = Some(abandoned);
    settings
}

/// It is eleven on a Wednesday.
fn bench(settings: Settings) -> Bench {
    Bench::begin(settings, PLAN, &[("office", hours("mon-fri", "09:00-18:00"))], "2026-11-25T10:00:00Z")
}

/// The n-th call of a test: a message of its own dialog.
fn of_call(n: u32, from: &str, mut message: Message) -> Message {
    if let Message::Request(request) = &mut message {
        request.core.call_id = format!("call{n}").into();
        request.core.from.uri = format!("sip:{from}@example.com").parse().unwrap();
        let branch = request.core.via[0].params.get("branch").unwrap_or_default().to_owned();
        request.core.via[0].params.set("branch", Some(format!("{branch}{n}")));
    }
    message
}

impl Bench {
    /// Rings, and is answered with music; our tag.
    fn rings(&mut self, n: u32, from: &str) -> String {
        let more = "Max-Forwards: 70\r\nContent-Type: application/sdp\r\n";
        self.rings_by(n, from, from_caller("INVITE", 1, "", more, &sdp(4_000, "sendrecv")))
    }

    fn rings_by(&mut self, n: u32, from: &str, invite: Message) -> String {
        self.receive(CALLER, of_call(n, from, invite));
        let tag = self.told().1;
        self.receive(CALLER, of_call(n, from, from_caller("ACK", 1, &tag, "", "")));
        tag
    }

    fn gives_up(&mut self, n: u32, from: &str, tag: &str) {
        self.receive(CALLER, of_call(n, from, from_caller("BYE", 2, tag, "", "")));
    }

    /// Rings, waits and gives up.
    fn abandons(&mut self, n: u32, from: &str, wait: f64) -> CallRecord {
        let tag = self.rings(n, from);
        self.wait(seconds(wait));
        self.gives_up(n, from, &tag);
        let record = self.record();
        assert_eq!((record.outcome, record.ended_by), (Some(Outcome::Abandoned), Some(Party::Caller)));
        record
    }

    fn promised(&self) -> Vec<(String, Wished, CallbackState)> {
        let promised = self.engine.callbacks.iter();
        promised.map(|callback| (callback.number.clone(), callback.wished, callback.state)).collect()
    }

    /// An agent comes to work, whose phone always stands at `PHONES[0]`.
    fn agent_comes(&mut self) {
        let mut settings = settings();
        settings.agents = vec![centre().agents.remove(0)];
        self.reload(settings);
    }

    fn figures(&self) -> (u64, u64, u64) {
        let view = self.engine.acd.queue_view(&"sales".into()).unwrap();
        (view.offered, view.handled, view.abandoned)
    }

    fn invites(&mut self, to: &str) -> Option<Request> {
        let at = self.sent.iter().position(|(at, message)| {
            *at == address(to) && matches!(message, Message::Request(request) if request.method == Method::Invite)
        })?;
        match self.sent.remove(at)? {
            (_, Message::Request(request)) => Some(request),
            _ => None,
        }
    }
}

#[test]
fn who_gave_up_after_a_long_wait_is_called_back_and_each_call_counts_once() {
    let mut bench = bench(settings());
    let record = bench.abandons(1, NUMBER, 40.0);
    assert_eq!((record.queue, record.wait_ms), (Some("sales".into()), Some(40_000)));
    assert_eq!(bench.promised(), [(NUMBER.to_owned(), Wished::Abandoned, CallbackState::Waiting)]);
    assert_eq!(bench.figures(), (1, 0, 1));
    bench.restore();
    bench.agent_comes();
    bench.wait(seconds(2.9));
    assert!(bench.invites(FIRST).is_none(), "cold work: the agent has not been idle for three seconds");
    bench.wait(seconds(1.2));
    let invite = bench.invites(FIRST).expect("the customer is rung");
    assert_eq!(invite.uri.to_string(), format!("sip:{NUMBER}@192.0.2.1"));
    bench.answer(FIRST, &invite, 200, &sdp(5_000, "sendrecv"));
    let leg = bench.engine.calls.values().next().unwrap().call.caller;
    let digit = Digit::new('1').unwrap();
    bench.input(Input::Media(MediaEvent::Digit { leg, digit, source: DigitSource::TelephoneEvent }));
    let invite = bench.invites(PHONES[0]).expect("the agent is rung");
    bench.answer(PHONES[0], &invite, 200, &sdp(5_002, "sendrecv"));
    assert_eq!(bench.promised(), []);
    assert_eq!(bench.figures(), (2, 1, 1), "one abandoned, and one call-back that was handled");
}

#[test]
fn nobody_is_called_back_who_left_early_or_has_no_usable_number_or_where_no_rule_says_so() {
    let unruled = || {
        let mut settings = settings();
        settings.queues[0].callback.abandoned = None;
        settings
    };
    for (settings, from, wait, why) in [
        (settings(), NUMBER, 29.9, "too early"),
        (settings(), "anonymous", 40.0, "withheld"),
        (settings(), "alice", 40.0, "no number"),
        (settings(), "+44155501", 40.0, "no trunk may dial it"),
        (unruled(), NUMBER, 40.0, "no rule"),
    ] {
        let mut bench = bench(settings);
        bench.abandons(1, from, wait);
        assert_eq!(bench.promised(), [], "{why}");
    }
}

#[test]
fn nobody_is_rung_out_of_hours_who_did_not_ask_for_it() {
    let mut bench = bench(settings());
    bench.now.wall = "2026-11-25T16:59:00Z".parse().unwrap();
    bench.abandons(1, NUMBER, 70.0);
    assert_eq!(bench.promised()[0].2, CallbackState::Scheduled, "it is past six in Paris");
    bench.wait(seconds(14.0 * 3_600.0));
    assert_eq!(bench.promised()[0].2, CallbackState::Scheduled);
    bench.wait(seconds(2.0 * 3_600.0));
    assert_eq!(bench.promised()[0].2, CallbackState::Waiting, "in the morning");
}

#[test]
fn who_rings_again_and_is_answered_is_not_called_back() {
    let mut bench = bench(settings());
    bench.abandons(1, NUMBER, 40.0);
    bench.rings(2, NUMBER);
    assert_eq!(bench.promised(), [], "they are here");
    let place = bench.engine.acd.queue_view(&"sales".into()).unwrap().longest_waiting_since;
    assert_eq!(place, Some(bench.now.wall), "who gave up has no place to come back to");
    bench.agent_comes();
    let invite = bench.invites(PHONES[0]).expect("the agent is rung");
    bench.answer(PHONES[0], &invite, 200, &sdp(5_002, "sendrecv"));
    assert_eq!(bench.promised(), []);
    assert_eq!(bench.figures(), (2, 1, 1));
}

#[test]
fn who_rings_again_and_gives_up_at_once_is_still_called_back_and_once_only() {
    let mut bench = bench(settings());
    bench.abandons(1, NUMBER, 40.0);
    bench.abandons(2, NUMBER, 2.0);
    assert_eq!(bench.promised(), [(NUMBER.to_owned(), Wished::Abandoned, CallbackState::Waiting)]);
    bench.abandons(3, NUMBER, 40.0);
    assert_eq!(bench.promised().len(), 1);
    assert_eq!(bench.figures(), (3, 0, 3));
}

/// 701 leads to support. They rang 700 first, and gave up.
#[test]
fn a_promise_of_another_queue_waits_while_they_are_here_and_goes_when_they_are_answered() {
    let mut settings = settings();
    settings.queues.push(settings::Queue { id: "support".into(), ..settings.queues[0].clone() });
    let plan = PLAN.replace("'700'", "'700', '701'").replace(
        "[[level.rule]]\nmodule = 'distribute'",
        "[[level.rule]]\nwhen = \"call.to == '701'\"\nmodule = 'distribute'\nin = { queue = 'support' }\n\
         [[level.rule]]\nmodule = 'distribute'",
    );
    let office = [("office", hours("mon-fri", "09:00-18:00"))];
    let mut bench = Bench::begin(settings.clone(), &plan, &office, "2026-11-25T10:00:00Z");
    bench.abandons(1, NUMBER, 40.0);
    let mut invite = from_caller("INVITE", 1, "", "Content-Type: application/sdp\r\n", &sdp(4_000, "sendrecv"));
    if let Message::Request(request) = &mut invite {
        request.uri = "sip:701@127.0.0.1".parse().unwrap();
    }
    bench.rings_by(2, NUMBER, invite);
    assert_eq!(bench.promised().len(), 1, "of sales");
    settings.agents = vec![centre().agents.remove(0)];
    bench.reload(settings.clone());
    bench.wait(seconds(10.0));
    assert_eq!(bench.promised()[0].2, CallbackState::Scheduled, "201 has time, but they are on the line");
    assert!(bench.invites(FIRST).is_none());
    settings.agents[0].queues.push("support".into());
    bench.reload(settings);
    let invite = bench.invites(PHONES[0]).expect("the agent is rung");
    bench.answer(PHONES[0], &invite, 200, &sdp(5_002, "sendrecv"));
    assert_eq!(bench.promised(), []);
}

#[test]
fn who_waits_when_everything_is_stopped_has_the_place_written_down() {
    let mut bench = bench(settings());
    bench.rings(1, NUMBER);
    let since = bench.now.wall;
    bench.wait(seconds(33.0));
    bench.input(Input::Stop);
    let written: Vec<LostPlace> = bench
        .other
        .iter()
        .filter_map(|command| match command {
            Command::Journal(Journal::LostPlace(place)) => Some(place.clone()),
            _ => None,
        })
        .collect();
    let (from, queue, lost_at) = (NUMBER.to_owned(), "sales".into(), bench.now.wall);
    assert_eq!(written, [LostPlace { from, queue, waiting_since: since, lost_at }]);
}

#[test]
fn who_lost_their_place_by_a_crash_regains_it_within_five_minutes() {
    let lost = |bench: &Bench, from: &str| LostPlace {
        from: from.to_owned(),
        queue: "sales".into(),
        waiting_since: bench.now.wall - jiff::SignedDuration::from_secs(120),
        lost_at: bench.now.wall,
    };
    let since = |bench: &Bench| bench.engine.acd.queue_view(&"sales".into()).unwrap().longest_waiting_since;
    for (after, from, regains) in [
        (299.0, NUMBER, true),
        (301.0, NUMBER, false),
        (10.0, "+33155599", false),
        // The same caller, as another trunk writes the number.
        (10.0, "0612345", true),
    ] {
        let mut settings = settings();
        settings.numbering.country_code = "33".to_owned();
        let mut bench = bench(settings);
        // The clock of a process begins long before it.
        bench.wait(seconds(1_000.0));
        let place = lost(&bench, NUMBER);
        bench.input(Input::LostPlaces(vec![place.clone()]));
        bench.restore();
        bench.wait(seconds(after));
        let tag = bench.rings(1, from);
        let expected = if regains { place.waiting_since } else { bench.now.wall };
        assert_eq!(since(&bench), Some(expected), "{from} after {after} s");
        bench.rings(2, from);
        bench.gives_up(1, from, &tag);
        assert_eq!(since(&bench), Some(bench.now.wall), "it is regained once");
    }
    let mut bench = bench(settings());
    bench.wait(seconds(1_000.0));
    let place = lost(&bench, "anonymous");
    bench.input(Input::LostPlaces(vec![place]));
    bench.wait(seconds(10.0));
    bench.rings(1, "anonymous");
    assert_eq!(since(&bench), Some(bench.now.wall), "who withholds the number may be anybody");
}
