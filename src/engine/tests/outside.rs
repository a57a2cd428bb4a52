//! What plans ask of the world outside: the answer comes, comes late, or never.

use super::*;
use crate::bridge::{Recorded, RecordingEvent, RtpStats};
use crate::caller::{CallerFacts, Numbering};
use crate::dialplan::Answer;
use crate::ids::ServiceId;
use crate::ivr::{LookUpResult, Value};

const ASKING: &str = "numbers = ['1']\n[[level]]\nname = 'a'\n[[level.rule]]\nwhen = \"caller.contacts_30d > 0\"\n\
                      module = 'hangup'\nin = { status = 486 }\n[[level.rule]]\nmodule = 'hangup'\nin = { status = 404 }\n";

const LOOKING: &str = "numbers = ['1']\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'lookup'\n\
                       in = { service = 'crm', url = '/{call.from}', timeout_ms = 700, fields = { tier = 'tier' } }\n\
                       out = { tier = 'tier' }\n[[level]]\nname = 'b'\n[[level.rule]]\nwhen = \"tier == 'gold'\"\n\
                       module = 'hangup'\nin = { status = 486 }\n[[level.rule]]\nmodule = 'hangup'\nin = { status = 404 }\n";

/// An engine with one plan, and what it asked outside.
struct Centre {
    bench: Bench,
    calls: u32,
}

impl Centre {
    fn new(plan: &str) -> Centre {
        let mut provider = trunk("acme");
        provider.addresses = vec!["192.0.2.0/24".parse().unwrap()];
        let numbering = Numbering { country_code: "33".to_owned(), ..Numbering::default() };
        let settings = Settings { trunks: vec![provider], numbering, ..settings() };
        let source = crate::findings::Source { path: "a.toml".to_owned(), text: plan.to_owned() };
        let names = Names { services: [(ServiceId::from("crm"), false)].into(), ..Names::default() };
        let plans = Plans::load(vec![source], names).unwrap_or_else(|found| panic!("{found:?}"));
        let mut bench = Bench::new(settings);
        let settings = bench.engine.settings.clone();
        bench.input(Input::Reload { settings, plans: Arc::new(plans) });
        bench.other.clear();
        Centre { bench, calls: 0 }
    }

    fn invite(&mut self, from: &str) {
        self.calls += 1;
        let n = self.calls;
        let sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
        let text = format!(
            "INVITE sip:1@{HERE} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\n\
             From: <sip:{from}@192.0.2.1>;tag={n}\r\nTo: <sip:1@{HERE}>\r\nCall-ID: {n}\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:192.0.2.1>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        );
        self.bench.receive("192.0.2.1:5060", Message::parse(text.as_bytes()).unwrap());
    }

    /// The final status that the caller has got, if any.
    fn status(&mut self) -> Option<u16> {
        let codes = self.bench.sent.drain(..).filter_map(|(_, message)| match message {
            Message::Response(response) => Some(response.code()),
            Message::Request(_) => None,
        });
        codes.filter(|code| *code >= 200).last()
    }

    fn asked(&mut self) -> Option<(CallId, HistoryQuestion)> {
        self.bench.other.drain(..).find_map(|command| match command {
            Command::AskHistory { call, question } => Some((call, question)),
            _ => None,
        })
    }

    fn looked_up(&mut self) -> Option<(CallId, u64)> {
        self.bench.other.drain(..).find_map(|command| match command {
            Command::LookUp { call, look_up, .. } => Some((call, look_up)),
            _ => None,
        })
    }

    fn tell_history(&mut self, call: CallId, contacts_30d: i64) {
        let facts = Box::new(CallerFacts { known: true, contacts_30d, ..CallerFacts::default() });
        self.bench.input(Input::History { call, facts });
    }

    fn tell_answer(&mut self, call: CallId, look_up: u64, tier: &str) {
        let values = [("tier".to_owned(), Value::from(tier))].into();
        let answer = Box::new(Answer { result: LookUpResult::Ok, status: 200, values, reason: String::new() });
        self.bench.input(Input::LookedUp { call, look_up, answer });
    }
}

#[test]
fn a_plan_begins_with_the_callers_history() {
    let mut centre = Centre::new(ASKING);
    centre.invite("0155501234");
    let (call, question) = centre.asked().expect("a question");
    assert_eq!(question.number, "+33155501234");
    let midnight: Wall = "2026-11-25T00:00:00+01:00".parse().unwrap();
    assert_eq!((question.at, question.today), (centre.bench.now.wall, midnight));
    centre.bench.wait(seconds(0.199));
    assert_eq!(centre.status(), None, "the plan waits");
    centre.bench.restore();
    centre.tell_history(call, 1);
    assert_eq!(centre.status(), Some(486));
}

#[test]
fn after_200_ms_a_plan_begins_without_history_and_what_comes_later_changes_nothing() {
    let mut centre = Centre::new(ASKING);
    centre.invite("0155501234");
    let (call, _) = centre.asked().expect("a question");
    centre.bench.wait(seconds(0.2));
    assert_eq!(centre.status(), Some(404));
    centre.tell_history(call, 1);
    assert_eq!(centre.status(), None);
    // This caller never acknowledges, and is told the same again until timer H ends it.
    centre.bench.wait(seconds(60.0));
    assert_eq!(centre.status(), Some(404));
    assert_eq!((centre.bench.engine.counts().calls, centre.bench.engine.counts().timers), (0, 0));
}

#[test]
fn nobody_is_asked_where_the_plan_or_the_number_says_nothing() {
    let mut plain = Centre::new(
        "numbers = ['1']\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'hangup'\nin = { status = 404 }\n",
    );
    plain.invite("0155501234");
    assert_eq!((plain.asked(), plain.status()), (None, Some(404)));
    for from in ["anonymous", "alice"] {
        let mut centre = Centre::new(ASKING);
        centre.invite(from);
        assert_eq!((centre.asked(), centre.status()), (None, Some(404)), "{from}");
    }
}

#[test]
fn a_caller_who_hangs_up_while_history_is_asked_leaves_nothing() {
    let mut centre = Centre::new(ASKING);
    centre.invite("0155501234");
    let (call, _) = centre.asked().expect("a question");
    let text = format!(
        "CANCEL sip:1@{HERE} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         From: <sip:0155501234@192.0.2.1>;tag=1\r\nTo: <sip:1@{HERE}>\r\nCall-ID: 1\r\nCSeq: 1 CANCEL\r\n\
         Content-Length: 0\r\n\r\n"
    );
    centre.bench.receive("192.0.2.1:5060", Message::parse(text.as_bytes()).unwrap());
    assert_eq!(centre.status(), Some(487));
    centre.tell_history(call, 1);
    centre.bench.wait(seconds(60.0));
    let counts = centre.bench.engine.counts();
    assert_eq!((counts.calls, counts.timers, counts.ua.sessions), (0, 0, 0));
}

#[test]
fn a_look_up_routes_the_call_by_its_answer() {
    for (tier, status) in [("gold", 486), ("plain", 404)] {
        let mut centre = Centre::new(LOOKING);
        centre.invite("0155501234");
        let (call, look_up) = centre.looked_up().expect("a look-up");
        assert_eq!(centre.status(), None);
        centre.tell_answer(call, look_up + 1, "gold");
        assert_eq!(centre.status(), None, "the answer to another question");
        centre.tell_answer(call, look_up, tier);
        assert_eq!(centre.status(), Some(status), "{tier}");
    }
}

#[test]
fn a_look_up_that_nobody_answers_ends_in_time_also_in_an_engine_that_was_restored() {
    let mut centre = Centre::new(LOOKING);
    centre.invite("0155501234");
    let (call, look_up) = centre.looked_up().expect("a look-up");
    centre.bench.wait(seconds(0.3));
    centre.bench.restore();
    centre.bench.wait(seconds(0.399));
    assert_eq!(centre.status(), None);
    centre.bench.wait(seconds(0.001));
    assert_eq!(centre.status(), Some(404));
    centre.tell_answer(call, look_up, "gold");
    assert_eq!(centre.status(), None);
}

#[test]
fn a_webhook_has_an_id_of_its_own_and_is_written_off_when_it_is_done() {
    let plan = "numbers = ['1']\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'webhook'\n\
                in = { service = 'crm', event = 'came', data = { from = { cel = 'call.from' } } }\n\
                [[level]]\nname = 'b'\n[[level.rule]]\nmodule = 'hangup'\nin = { status = 404 }\n";
    let mut centre = Centre::new(plan);
    let mut ids = Vec::new();
    for _ in 0..2 {
        centre.invite("0155501234");
        assert_eq!(centre.status(), Some(404), "the call does not wait");
        ids.extend(centre.bench.other.drain(..).filter_map(|command| match command {
            Command::Tell(told) => Some(told.id),
            _ => None,
        }));
    }
    assert!(ids.len() == 2 && ids[0] != ids[1], "{ids:?}");
    centre.bench.input(Input::ToldOf(ids[0].clone()));
    assert!(centre.bench.other.contains(&Command::Journal(Journal::Told(ids[0].clone()))));
}

#[test]
fn the_shells_are_told_of_new_settings() {
    let mut bench = Bench::new(settings());
    let changed = Settings { time_zone: "Asia/Seoul".to_owned(), ..settings() };
    bench.reload(changed.clone());
    assert!(bench.other.contains(&Command::Configured(Arc::new(changed))));
}

#[test]
fn frequent_callers_are_counted_where_a_plan_screens() {
    let plan = "numbers = ['1']\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'screen'\n\
                in = { most_calls = 2, window_s = 60 }\nout = { verdict = 'verdict' }\n[[level]]\nname = 'b'\n\
                [[level.rule]]\nwhen = \"verdict == 'spam'\"\nmodule = 'hangup'\nin = { status = 486 }\n\
                [[level.rule]]\nmodule = 'hangup'\nin = { status = 404 }\n";
    let mut centre = Centre::new(plan);
    let call = |centre: &mut Centre, from: &str| {
        centre.invite(from);
        centre.status()
    };
    assert_eq!(call(&mut centre, "0155501234"), Some(404));
    assert_eq!(call(&mut centre, "+33155501234"), Some(404));
    assert_eq!(call(&mut centre, "0033155501234"), Some(486), "the third call of one number");
    assert_eq!(call(&mut centre, "0155509999"), Some(404), "another caller");
    centre.bench.restore();
    assert_eq!(call(&mut centre, "0155501234"), Some(486));
    centre.bench.wait(seconds(61.0));
    assert_eq!(call(&mut centre, "0155501234"), Some(404), "a minute later");
}

const LEAVING: &str = "numbers = ['1']\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'voicemail'\n\
                       in = { mailbox = 'desk', service = 'crm', url = '/messages/{call.from}' }\n";

/// A caller leaves a message of so long; what was told outside.
fn told_of_a_message(voiced: Duration) -> Vec<crate::engine::Told> {
    let mut centre = Centre::new(LEAVING);
    centre.invite("0155501234");
    let mut recorded = false;
    // The greeting with its beep, the message, and the last words.
    for _ in 0..12 {
        for command in std::mem::take(&mut centre.bench.media) {
            let event = match command {
                MediaCommand::Play { leg, play, .. } => MediaEvent::PlayEnded { leg, play },
                MediaCommand::Record { recording, .. } => {
                    recorded = true;
                    let figures = Recorded { duration: voiced, voiced, octets: 800 };
                    MediaEvent::Recording { recording, event: RecordingEvent::Ended(figures) }
                }
                MediaCommand::Close { leg } => MediaEvent::Closed { leg, stats: RtpStats::default() },
                _ => continue,
            };
            centre.bench.input(Input::Media(event));
        }
    }
    assert!(recorded);
    centre.bench.wait(seconds(60.0));
    let waiting = centre.bench.engine.mailboxes.waiting("desk");
    assert_eq!((waiting.fresh, waiting.heard), (usize::from(voiced > seconds(1.0)), 0));
    let told = centre.bench.other.drain(..).filter_map(|command| match command {
        Command::Tell(told) => Some(*told),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_service_is_told_of_a_message_and_of_none_that_is_too_short() {
    let told = told_of_a_message(seconds(4.0));
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((told.webhook.event.as_str(), told.webhook.request.url.as_str()), ("voicemail", "/messages/0155501234"));
    let data = serde_json::to_value(&told.webhook.data).unwrap();
    assert_eq!(
        (&data["mailbox"], &data["from"], &data["duration_ms"]),
        (&"desk".into(), &"0155501234".into(), &4_000.into())
    );
    assert_eq!(data["recording_id"].as_str().map(str::len), Some(32));
    assert_eq!(told_of_a_message(seconds(0.2)), []);
}
