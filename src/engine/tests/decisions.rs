//! Why which agent was rung, as the trace of a call and its record tell.

use super::dial_out::{CALLER, acme, from_caller, sdp};
use super::*;
use crate::trace::{Decision, Rule};
use crate::views::CallTrace;

pub(super) const PHONES: [&str; 2] = ["192.0.2.61:5060", "192.0.2.62:5060"];
const PLAN: &str = "name = 'front'\nnumbers = ['700']\n[[level]]\nname = 'wait'\n[[level.rule]]\n\
    module = 'distribute'\nin = { queue = 'sales', priority = 3, prefer_agent = '202' }\n[[level]]\nname = 'end'\n[[level.rule]]\n\
    module = 'hangup'\n";

/// Agents 201 and 202 of the queue `sales`, whose phones always stand at `PHONES`.
pub(super) fn centre() -> Settings {
    let queue = settings::Queue {
        ring_timeout: seconds(15.0),
        wrap_up: Duration::ZERO,
        announce_position: Duration::ZERO,
        ..settings::Queue::new("sales".into())
    };
    let agent = |(id, phone): (&str, &str)| settings::Agent {
        id: id.into(),
        name: format!("Agent {id}"),
        password: None,
        contact: Some(format!("sip:{id}@{phone}")),
        queues: vec!["sales".into()],
        schedules: Default::default(),
        call_preference: Default::default(),
        srtp: Default::default(),
        skills: Default::default(),
        codecs: vec![Codec::Pcmu],
        language: "en".into(),
    };
    Settings { queues: vec![queue], agents: [("201", PHONES[0]), ("202", PHONES[1])].map(agent).into(), ..acme() }
}

fn told(decisions: &[Decision]) -> Vec<(&str, Rule)> {
    decisions.iter().map(|decision| (decision.agent.as_str(), decision.rule)).collect()
}

/// The phones that are sent this, with what is sent.
fn sent(bench: &mut Bench, method: &Method) -> Vec<(String, Request)> {
    let mut found = Vec::new();
    bench.sent.retain(|(to, message)| match message {
        Message::Request(request) if request.method == *method => {
            found.push((to.to_string(), request.clone()));
            false
        }
        _ => true,
    });
    found
}

#[test]
fn of_two_who_are_rung_at_once_the_first_to_answer_talks_and_the_other_is_told() {
    let mut settings = centre();
    settings.queues[0].ring_at_once = 2;
    let mut bench = Bench::with_plan(settings, &PLAN.replace(", prefer_agent = '202'", ""));
    bench.calls_700("70");
    let invited = sent(&mut bench, &Method::Invite);
    let to = |phone: &str| invited.iter().find(|(to, _)| to == phone).map(|(_, invite)| invite.clone());
    let (Some(rings), Some(answers)) = (to(PHONES[0]), to(PHONES[1])) else { panic!("invited are {invited:?}") };
    bench.restore();
    bench.answer(PHONES[0], &rings, 180, "");
    bench.answer(PHONES[1], &answers, 200, &sdp(5_000, "sendrecv"));
    let cancelled = sent(&mut bench, &Method::Cancel);
    let [(to, cancel)] = &cancelled[..] else { panic!("cancelled are {cancelled:?}") };
    assert_eq!(to, PHONES[0]);
    let reasons: Vec<&str> = cancel.headers.get_all("Reason").collect();
    assert_eq!(reasons, ["Q.850;cause=26", "SIP;cause=200;text=\"Call completed elsewhere\""]);
    bench.answer(PHONES[0], &rings, 487, "");
    let call = bench.engine.calls.values().next().unwrap();
    assert_eq!((call.call.agent.clone(), call.call.offers.len()), (Some("202".into()), 0));
    let tag = bench.told().1;
    bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
    bench.receive(CALLER, from_caller("BYE", 2, &tag, "", ""));
    let record = bench.record();
    let rules: Vec<Rule> = record.trace.decisions.iter().map(|decision| decision.rule).collect();
    assert_eq!(rules, [Rule::Lot, Rule::OnlyOne]);
    assert_eq!(record.legs.len(), 2, "who did not answer was never there");
}

#[test]
fn the_trace_of_a_call_and_its_record_say_why_each_agent_was_rung() {
    let mut bench = Bench::with_plan(centre(), PLAN);
    bench.calls_700("70");
    let (to, invite) = bench.request(Method::Invite);
    assert_eq!(to, PHONES[1], "the preferred one");
    bench.restore();
    bench.answer(PHONES[1], &invite, 603, "");
    let (to, invite) = bench.request(Method::Invite);
    assert_eq!(to, PHONES[0]);
    bench.answer(PHONES[0], &invite, 200, &sdp(5_000, "sendrecv"));
    let call = *bench.engine.calls.keys().next().unwrap();
    bench.input(Input::Api { id: RequestId(1), request: ApiRequest::Trace { call } });
    let reply = bench.other.iter().find_map(|command| match command {
        Command::Reply { result, .. } => result.clone().ok(),
        _ => None,
    });
    let trace: CallTrace = serde_json::from_value(reply.expect("a reply")).unwrap();
    let rang = [("202", Rule::PreferredAgent), ("201", Rule::OnlyOne)];
    assert_eq!(told(&trace.trace.decisions), rang);
    assert_eq!(trace.trace.decisions[0].runners_up.len(), 1, "201 was free too");
    let tag = bench.told().1;
    bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
    bench.receive(CALLER, from_caller("BYE", 2, &tag, "", ""));
    assert_eq!(told(&bench.record().trace.decisions), rang);
}
