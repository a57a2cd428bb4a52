//! What the API asks for and is not there: the nearest is named.

use super::decisions::centre;
use super::*;

fn refused(bench: &mut Bench, request: ApiRequest) -> ApiError {
    bench.other.clear();
    bench.input(Input::Api { id: RequestId(1), request });
    let reply = bench.other.iter().find_map(|command| match command {
        Command::Reply { result, .. } => Some(result.clone()),
        _ => None,
    });
    reply.expect("a reply").expect_err("a refusal")
}

#[test]
fn unknown_agents_reasons_and_queues_are_told_with_the_nearest() {
    let reasons = ["break", "lunch"].map(str::to_owned).to_vec();
    let mut bench = Bench::new(Settings { pause_reasons: reasons, ..centre() });
    let pause = |agent: &str, reason: Option<&str>| ApiRequest::SetAgentState {
        agent: agent.into(),
        state: crate::views::AgentState::Paused,
        reason: reason.map(str::to_owned),
    };
    let call_back =
        |queue: &str| ApiRequest::CallBack { number: "+33155501234".to_owned(), queue: queue.into(), not_before: None };
    for (request, status, code, message) in [
        (pause("2O1", Some("lunch")), 404, "unknown_agent", "agent '2O1' does not exist; did you mean '201'?"),
        (
            pause("201", Some("lunsh")),
            422,
            "unknown_reason",
            "pause reason 'lunsh' is not configured; did you mean 'lunch'? Use one of break, lunch",
        ),
        (
            pause("201", Some("holidays in the sun")),
            422,
            "unknown_reason",
            "pause reason 'holidays in the sun' is not configured; use one of break, lunch",
        ),
        (pause("201", None), 422, "unknown_reason", "a pause needs a reason; use one of break, lunch"),
        (call_back("salse"), 422, "unknown_queue", "there is no queue 'salse' (did you mean 'sales'?)"),
    ] {
        let refusal = refused(&mut bench, request);
        assert_eq!((refusal.status, refusal.code.as_str(), refusal.message.as_str()), (status, code, message));
    }
}

#[test]
fn where_no_pause_reason_is_configured_the_remedy_is_told() {
    let mut bench = Bench::new(centre());
    let state = crate::views::AgentState::Paused;
    let reason = Some("lunch".to_owned());
    let refusal = refused(&mut bench, ApiRequest::SetAgentState { agent: "201".into(), state, reason });
    assert!(refusal.message.ends_with("list them in relais.toml: pause_reasons = [\"break\"]"), "{}", refusal.message);
}
