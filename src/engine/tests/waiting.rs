//! What a caller hears who waits, when the estimate takes them elsewhere, and what counts as waiting.

use super::decisions::{PHONES, centre};
use super::dial_out::{CALLER, from_caller, sdp};
use super::*;
use crate::bridge::PlayItem;
use crate::demand::Demand;
use crate::ids::PlayId;
use crate::record::{QueueVisit, VisitEnd};

/// Through queues until nobody comes.
fn plan(levels: &[&str]) -> String {
    let level = |(nth, rule): (usize, &&str)| format!("[[level]]\nname = 'level {nth}'\n[[level.rule]]\n{rule}\n");
    let levels: String = levels.iter().enumerate().map(level).collect();
    format!("name = 'front'\nnumbers = ['700']\n{levels}[[level]]\nname = 'end'\n[[level.rule]]\nmodule = 'hangup'\n")
}

fn distribute(inputs: &str) -> String {
    format!("module = 'distribute'\nin = {{ {inputs} }}")
}

fn announced() -> &'static str {
    "module = 'announce'\nin = { prompt = 'greeting' }"
}

/// What the caller hears, told as it is begun: `play music/default`, `say please-wait`, `stop`.
#[derive(Debug, Default)]
struct Ear {
    /// What is set aside, what plays, and what is said.
    music: Option<PlayId>,
    said: Option<PlayId>,
    heard: Vec<(u64, String)>,
}

impl Bench {
    /// A caller is answered, and says so. Gives our tag.
    fn dials(&mut self) -> String {
        self.calls_700("70");
        let tag = self.told().1;
        self.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
        tag
    }

    /// Agents are with somebody else: contacts of the queue whom nobody ever hears.
    fn busy(&mut self, queue: &str) -> Vec<CallId> {
        let mut busy = Vec::new();
        for n in 1..=2 {
            busy.push(CallId(n));
            self.engine.acd.enqueue(CallId(n), &queue.into(), &Demand::default(), self.now.instant, self.now).unwrap();
            self.answered_by_some(CallId(n));
        }
        busy
    }

    fn answered_by_some(&mut self, contact: CallId) {
        let agent = self.engine.acd.offered_agents(contact).first().expect("an offer").clone();
        assert!(self.engine.acd.agent_answered(contact, &agent, self.now));
        while self.engine.acd.poll_event().is_some() {}
    }

    /// Agents have been taking a caller every `every` seconds, and are with one now.
    fn flow(&mut self, queue: &str, every: f64) {
        let mut talks: VecDeque<CallId> = self.busy(queue).into();
        for n in 101..=108 {
            self.engine.acd.enqueue(CallId(n), &queue.into(), &Demand::default(), self.now.instant, self.now).unwrap();
            self.advance(self.now.instant + seconds(every));
            self.engine.acd.handle_timeout(self.now);
            self.engine.acd.talk_ended(talks.pop_front().unwrap(), self.now);
            self.answered_by_some(CallId(n));
            talks.push_back(CallId(n));
        }
    }

    /// More who stand before the caller, by their priority.
    fn push_in(&mut self, queue: &str, ids: std::ops::RangeInclusive<u128>) {
        let demand = Demand { priority: 50, ..Demand::default() };
        for n in ids {
            self.engine.acd.enqueue(CallId(n), &queue.into(), &demand, self.now.instant, self.now).unwrap();
        }
        while self.engine.acd.poll_event().is_some() {}
    }

    fn call(&self) -> &Call {
        &self.engine.calls.values().next().expect("a call").call
    }

    /// Takes in what the media threads were told since the last look. Everything said takes three seconds.
    fn listen(&mut self, ear: &mut Ear, since: Instant) {
        let at = self.now.instant.since(since).as_secs();
        let name = |items: &[PlayItem]| {
            let names = items.iter().map(|item| match item {
                PlayItem::Prompt { name, language } => format!("{language}:{name}"),
                other => format!("{other:?}"),
            });
            names.collect::<Vec<_>>().join(" ")
        };
        for command in self.media.drain(..) {
            match command {
                MediaCommand::Play { play, items, repeat: true, .. } => {
                    assert_eq!((ear.music, ear.said), (None, None), "music over something else");
                    ear.music = Some(play);
                    ear.heard.push((at, format!("play {}", name(&items))));
                }
                MediaCommand::Play { play, items, .. } => {
                    assert_eq!(ear.said, None, "said over what is being said");
                    (ear.music, ear.said) = (None, Some(play));
                    ear.heard.push((at, format!("say {}", name(&items))));
                }
                MediaCommand::Interject { play, items, .. } => {
                    assert!(ear.said.is_none() && ear.music.is_some());
                    ear.said = Some(play);
                    ear.heard.push((at, format!("say over it {}", name(&items))));
                }
                MediaCommand::StopPlay { play, .. } => {
                    assert!(ear.music.take_if(|music| *music == play).is_some() || ear.said.take() == Some(play));
                }
                _ => {}
            }
        }
    }

    /// Lets the time pass second by second, each thing that is said taking three.
    fn hear(&mut self, ear: &mut Ear, time: u64, since: Instant) {
        let mut said: Option<(PlayId, Instant)> = None;
        for _ in 0..time {
            self.wait(seconds(1.0));
            self.input(Input::Time);
            if let Some((play, _)) = said.take_if(|(_, ends)| *ends <= self.now.instant)
                && ear.said.take_if(|running| *running == play).is_some()
            {
                let leg = self.call().caller;
                self.input(Input::Media(MediaEvent::PlayEnded { leg, play }));
            }
            self.listen(ear, since);
            if let Some(play) = ear.said.filter(|play| said.is_none_or(|(known, _)| known != *play)) {
                said = Some((play, self.now.instant + seconds(3.0)));
            }
        }
    }
}

fn list(entries: &str) -> Vec<crate::comfort::Comfort> {
    let table: BTreeMap<String, crate::ivr::Value> = toml::from_str(&format!("comfort = [{entries}]")).unwrap();
    crate::ivr::comforts(&table["comfort"]).unwrap()
}

fn heard(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    expected.iter().map(|(at, what)| (*at, (*what).to_owned())).collect()
}

#[test]
fn messages_come_at_their_own_times_one_after_the_other_over_the_music_until_an_agent_answers() {
    let mut settings = centre();
    settings.queues[0].announce_position = seconds(20.0);
    settings.queues[0].comfort = list(
        "{ prompt = 'please-wait', after_s = 10, every_s = 20 }, { prompt = ['greeting', 'goodbye'], after_s = 19 }",
    );
    let mut bench = Bench::with_plan(settings, &plan(&[&distribute("queue = 'sales'")]));
    let busy = bench.busy("sales");
    let since = bench.now.instant;
    let tag = bench.dials();
    let mut ear = Ear::default();
    bench.listen(&mut ear, since);
    bench.hear(&mut ear, 31, since);
    assert_eq!(
        ear.heard,
        heard(&[
            (0, "play en:music/default"),
            (0, "say over it en:spoken-first"),
            (10, "say over it en:please-wait"),
            (19, "say over it en:greeting en:goodbye"),
            // Due at 20, while the last thing was said.
            (22, "say over it en:spoken-first"),
            (30, "say over it en:please-wait"),
        ])
    );
    bench.restore();
    // In the middle of the message an agent answers: it is cut, and so is the music under it.
    bench.engine.acd.talk_ended(busy[0], bench.now);
    bench.input(Input::Time);
    let (phone, invite) = bench.request(Method::Invite);
    assert!(PHONES.contains(&phone.as_str()));
    bench.listen(&mut ear, since);
    assert!(ear.said.is_some() && ear.music.is_some(), "still heard while the phone rings");
    bench.answer(&phone, &invite, 200, &sdp(5_000, "sendrecv"));
    bench.listen(&mut ear, since);
    assert_eq!((ear.said, ear.music), (None, None));
    ear.heard.clear();
    bench.hear(&mut ear, 60, since);
    assert_eq!(ear.heard, []);
    bench.receive(CALLER, from_caller("BYE", 2, &tag, "", ""));
    bench.record();
    assert!(!bench.engine.timers.keys().any(|timer| matches!(timer, Timer::Comfort(_) | Timer::Look(_))));
}

#[test]
fn music_begins_anew_after_a_message_where_the_queue_says_so() {
    let mut settings = centre();
    settings.queues[0].comfort =
        list("{ prompt = 'please-wait', after_s = 5 }, { prompt = 'fr:greeting', after_s = 6 }");
    settings.queues[0].music_resumes = false;
    let mut bench = Bench::with_plan(settings, &plan(&[&distribute("queue = 'sales'")]));
    bench.busy("sales");
    let since = bench.now.instant;
    bench.dials();
    let mut ear = Ear::default();
    bench.hear(&mut ear, 15, since);
    assert_eq!(
        ear.heard,
        heard(&[
            (1, "play en:music/default"),
            (5, "say en:please-wait"),
            (8, "say fr:greeting"),
            (11, "play en:music/default"),
        ])
    );
}

#[test]
fn a_plan_gives_its_own_list_and_a_reload_changes_only_that_of_the_queue() {
    let own = "queue = 'sales', comfort = [{ prompt = 'greeting', after_s = 12 }]";
    for (inputs, expected) in
        [("queue = 'sales'", (14, "say over it en:goodbye")), (own, (12, "say over it en:greeting"))]
    {
        let mut settings = centre();
        settings.queues[0].comfort = list("{ prompt = 'please-wait', after_s = 20 }");
        let mut bench = Bench::with_plan(settings.clone(), &plan(&[&distribute(inputs)]));
        bench.busy("sales");
        let since = bench.now.instant;
        bench.dials();
        let mut ear = Ear::default();
        bench.hear(&mut ear, 10, since);
        // What would have been said before is not.
        settings.queues[0].comfort =
            list("{ prompt = 'please-wait', after_s = 9 }, { prompt = 'goodbye', after_s = 14 }");
        bench.reload(settings);
        bench.hear(&mut ear, 40, since);
        assert_eq!(ear.heard[1..], heard(&[expected]));
    }
}

#[test]
fn the_rest_of_the_wait_is_told_where_it_is_known_and_nothing_where_not() {
    let mut settings = centre();
    settings.queues[0].comfort = list("{ say = 'estimate', after_s = 5 }, { say = 'position', after_s = 5 }");
    let plan = plan(&[&distribute("queue = 'sales'")]);
    let mut bench = Bench::with_plan(settings.clone(), &plan);
    bench.flow("sales", 150.0);
    let since = bench.now.instant;
    bench.dials();
    bench.push_in("sales", 501..=506);
    let call = *bench.engine.calls.keys().next().unwrap();
    let (least, most) = bench.engine.acd.remaining(call, bench.now).unwrap();
    let minutes = |minutes: u64| ["none", "one", "two", "three", "many"][minutes.min(4) as usize];
    let told = format!(
        "say over it en:wait-between en:spoken-{} en:spoken-minutes en:wait-and en:spoken-{} en:spoken-minutes",
        minutes(least.as_secs() / 60),
        minutes(most.as_secs().div_ceil(60))
    );
    let mut ear = Ear::default();
    bench.hear(&mut ear, 9, since);
    assert_eq!(ear.heard[1..], [(5, told), (8, "say over it en:spoken-place en:spoken-many".to_owned())]);
    let mut bench = Bench::with_plan(settings, &plan);
    bench.busy("sales");
    let since = bench.now.instant;
    bench.dials();
    let mut ear = Ear::default();
    bench.hear(&mut ear, 9, since);
    assert_eq!(ear.heard[1..], heard(&[(5, "say over it en:spoken-first")]), "not known");
}

/// The centre with a second queue of the same agents.
fn two_queues() -> Settings {
    let mut settings = centre();
    let support = settings::Queue { id: "support".into(), ..settings.queues[0].clone() };
    settings.queues.push(support);
    settings.agents.iter_mut().for_each(|agent| agent.queues.push("support".into()));
    settings
}

#[test]
fn an_estimate_that_is_too_long_at_the_entry_sends_the_caller_on_at_once() {
    // An answer a minute.
    for (limit, goes_on) in [(30, true), (300, false)] {
        let inputs = format!("queue = 'sales', max_estimate_s = {limit}");
        let mut bench = Bench::with_plan(two_queues(), &plan(&[&distribute(&inputs), announced()]));
        bench.flow("sales", 60.0);
        bench.dials();
        assert_eq!(bench.call().path.len(), if goes_on { 2 } else { 1 }, "{limit}");
        if goes_on {
            assert_eq!(bench.call().path[0].result.as_deref(), Some("too_long"));
            let visit = &bench.call().visits[0];
            assert_eq!((visit.end, visit.wait_ms), (Some(VisitEnd::Overflowed), Some(0)));
        }
    }
}

#[test]
fn what_is_not_known_never_sends_anybody_on() {
    let mut bench =
        Bench::with_plan(centre(), &plan(&[&distribute("queue = 'sales', max_estimate_s = 1"), announced()]));
    bench.busy("sales");
    bench.dials();
    bench.push_in("sales", 500..=520);
    bench.wait(seconds(800.0));
    assert_eq!(bench.call().path.len(), 1);
}

#[test]
fn an_estimate_that_grows_and_stays_sends_the_caller_on_after_a_while() {
    let mut bench =
        Bench::with_plan(centre(), &plan(&[&distribute("queue = 'sales', max_estimate_s = 100"), announced()]));
    bench.flow("sales", 60.0);
    bench.dials();
    bench.wait(seconds(30.0));
    assert_eq!(bench.call().path.len(), 1);
    // Four more before the caller; two of them soon give up: the estimate is back before it has stood for 15 s.
    bench.push_in("sales", 501..=504);
    bench.wait(seconds(11.0));
    (501..=504).for_each(|n| bench.engine.acd.overflow(CallId(n), bench.now));
    bench.wait(seconds(60.0));
    assert_eq!(bench.call().path.len(), 1, "it was over the limit for less than 15 s");
    bench.push_in("sales", 601..=604);
    bench.restore();
    bench.wait(seconds(14.0));
    assert_eq!(bench.call().path.len(), 1);
    bench.wait(seconds(7.0));
    assert_eq!(bench.call().path[0].result.as_deref(), Some("too_long"));
}

/// Both queues are far over the limit, and the plan goes from each to the other for ever.
#[test]
fn nobody_goes_to_and_fro_between_two_queues() {
    let to = |queue: &str| distribute(&format!("queue = '{queue}', max_estimate_s = 20"));
    let back = "module = 'jump'\nin = { level = 'level 0', times = 50 }";
    let mut bench = Bench::with_plan(two_queues(), &plan(&[&to("sales"), &to("support"), back]));
    bench.flow("sales", 60.0);
    bench.push_in("sales", 501..=510);
    // The support queue has a flow of its own.
    for n in 701..=706 {
        bench
            .engine
            .acd
            .enqueue(CallId(n), &"support".into(), &Demand::default(), bench.now.instant, bench.now)
            .unwrap();
    }
    let demand = Demand { priority: 90, ..Demand::default() };
    let mut talks: VecDeque<CallId> = [CallId(107), CallId(108)].into();
    for n in 801..=806 {
        bench.engine.acd.enqueue(CallId(n), &"support".into(), &demand, bench.now.instant, bench.now).unwrap();
        bench.advance(bench.now.instant + seconds(60.0));
        bench.engine.acd.handle_timeout(bench.now);
        bench.engine.acd.talk_ended(talks.pop_front().unwrap(), bench.now);
        bench.answered_by_some(CallId(n));
        talks.push_back(CallId(n));
    }
    let began = bench.now.instant;
    bench.dials();
    bench.wait(seconds(600.0));
    let path: Vec<_> = bench.call().path.iter().map(|step| (step.level.as_str(), step.result.as_deref())).collect();
    assert_eq!(
        path,
        [
            ("level 0", Some("too_long")),
            ("level 1", Some("too_long")),
            ("level 2", Some("level 0")),
            // Each queue only once: here the caller waits.
            ("level 0", None),
        ]
    );
    let visits: Vec<&QueueVisit> = bench.call().visits.iter().collect();
    assert_eq!(visits.iter().map(|visit| visit.queue.as_str()).collect::<Vec<_>>(), ["sales", "support", "sales"]);
    assert_eq!(bench.call().queued_at, Some(began), "the waiting time is kept");
}

#[test]
fn time_before_the_queue_counts_for_the_place_and_not_for_the_wait() {
    let slow = announced();
    for (more, counted) in [
        ("", 0),
        (", waited_since = 'answer'", 40),
        (", waited_s = 300", 300),
        (", waited_since = 'call', waited_s = 7", 40),
    ] {
        let mut bench = Bench::with_plan(centre(), &plan(&[slow, &distribute(&format!("queue = 'sales'{more}"))]));
        let busy = bench.busy("sales");
        bench.advance(bench.now.instant + seconds(1_000.0));
        let tag = bench.dials();
        let leg = bench.call().caller;
        let play = bench.media.iter().find_map(|command| match command {
            MediaCommand::Play { play, .. } => Some(*play),
            _ => None,
        });
        bench.wait(seconds(30.0));
        // One who comes now stands before a caller whose time with the greeting does not count.
        bench
            .engine
            .acd
            .enqueue(CallId(50), &"sales".into(), &Demand::default(), bench.now.instant, bench.now)
            .unwrap();
        while bench.engine.acd.poll_event().is_some() {}
        bench.wait(seconds(10.0));
        bench.input(Input::Media(MediaEvent::PlayEnded { leg, play: play.unwrap() }));
        let call = bench.call().id;
        assert_eq!(bench.engine.acd.position(call), Some(if counted > 10 { 1 } else { 2 }), "{more}");
        assert_eq!(bench.call().visits[0].counted_ms, counted * 1_000, "{more}");
        bench.restore();
        bench.wait(seconds(5.0));
        bench.engine.acd.overflow(CallId(50), bench.now);
        bench.engine.acd.talk_ended(busy[0], bench.now);
        bench.input(Input::Time);
        let (phone, invite) = bench.request(Method::Invite);
        bench.answer(&phone, &invite, 200, &sdp(5_000, "sendrecv"));
        bench.receive(CALLER, from_caller("BYE", 2, &tag, "", ""));
        let record = bench.record();
        assert_eq!((record.wait_ms, record.visits[0].wait_ms), (Some(5_000), Some(5_000)), "{more}");
        let given = &record.trace.levels[1].inputs;
        assert_eq!(given.contains_key("waited_since"), more.contains("since"), "{given:?}");
    }
}
