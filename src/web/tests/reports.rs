//! Reports over HTTP, and the figures of today.

use super::*;
use crate::record::{CallRecord, QueueVisit, VisitEnd};
use crate::time::Wall;

#[tokio::test]
async fn a_report_is_json_or_csv_with_names_in_two_languages() {
    let server = Server::start().await;
    let token = server.token(Role::Supervisor);
    let get = async |query: &str| server.get(&format!("/api/v1/reports?{query}"), Some(&token)).await;
    let day = "from=2026-11-23&to=2026-11-24";
    let report = get(&format!("{day}&interval=30")).await.json();
    assert_eq!(report["from"], "2026-11-23T00:00:00+01:00");
    assert_eq!(report["rows"].as_array().map(Vec::len), Some(1), "{report}");
    let row = &report["rows"][0];
    assert_eq!(
        (row["from"].as_str(), row["to"].as_str()),
        (Some("2026-11-23T11:00:00+01:00"), Some("2026-11-23T11:30:00+01:00"))
    );
    assert_eq!((&row["queue"], &row["offered"], &row["handled"]), (&"sales".into(), &1.into(), &1.into()));
    assert_eq!((&row["aht_ms"], &row["asa_ms"]), (&30_000.into(), &1_200.into()));
    assert_eq!((&row["consultations"], &row["csat"]), (&0.into(), &Value::Null));
    assert_eq!(report["totals"][0]["service_level"], 1.0);
    let defined = report["figures"].as_array().unwrap();
    let level = defined.iter().find(|figure| figure["name"] == "service_level").unwrap();
    assert_eq!(level["fr"], "qualité de service (QS)");
    assert!(level["formula"].as_str().unwrap().starts_with("answered_in_time / "));

    let csv = get(&format!("{day}&format=csv&heading=fr")).await;
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    let mut lines = csv.body.lines();
    assert!(lines.next().unwrap().starts_with("from,to,queue,présentés,traités,"), "{}", csv.body);
    assert!(lines.next().unwrap().starts_with("2026-11-23T00:00:00+01:00,2026-11-24T00:00:00+01:00,sales,1,1,0,"));
    assert_eq!(lines.next(), None);
}

#[tokio::test]
async fn what_is_not_understood_is_named_with_the_nearest() {
    let server = Server::start().await;
    let token = server.token(Role::Supervisor);
    for (query, status, code, says) in [
        ("from=yesterday", 400, "bad_from", "2026-11-25T10:00"),
        ("to=2026-13-01", 400, "bad_to", "'to' is '2026-13-01'"),
        ("from=2026-11-24&to=2026-11-23", 400, "bad_time", "must be later"),
        ("interval=45", 400, "bad_interval", "15, 30, 60, day"),
        ("interval=dai", 400, "bad_interval", "did you mean 'day'?"),
        ("by=queu", 400, "bad_by", "did you mean 'queue'?"),
        ("format=xml", 400, "bad_format", "json, csv"),
        ("format=csv&heading=de", 400, "bad_heading", "name, en, fr"),
        ("within=-1", 400, "bad_within", "from 0 to 86400"),
        ("short=NaN", 400, "bad_short", "from 0 to 86400"),
        ("form=2026-11-23", 400, "bad_query", "form"),
        ("by=agent&queue=sales", 400, "bad_filter", "leave one of them out"),
        ("queue=sales&agent=201", 400, "bad_filter", "no more"),
        ("queue=salse", 404, "unknown_queue", "did you mean 'sales'?"),
        ("skill=frensh", 404, "unknown_skill", "did you mean 'french'?"),
        ("agent=2O1", 404, "unknown_agent", "did you mean '201'?"),
        ("to=2027-01-010", 400, "bad_to", "'to' is '2027-01-010'"),
        ("from=2024-01-01&to=2026-01-01&interval=15", 422, "report_too_large", "interval=day"),
    ] {
        let answer = server.get(&format!("/api/v1/reports?{query}"), Some(&token)).await;
        let (got, message) = answer.refusal();
        assert_eq!((answer.status, got.as_str()), (status, code), "{query}: {message}");
        assert!(message.contains(says), "{query}: {message}");
    }
    for fine in
        ["", "queue=sales", "by=all", "number=999", "interval=1h", "interval=15m", "from=2026-11-23T10:00:00%2B01:00"]
    {
        assert_eq!(server.get(&format!("/api/v1/reports?{fine}"), Some(&token)).await.status, 200, "{fine}");
    }
}

#[tokio::test]
async fn queues_show_the_figures_of_today() {
    let server = Server::start().await;
    let token = server.token(Role::Agent);
    let row = async || server.get("/api/v1/queues", Some(&token)).await.json()["queues"][0].clone();
    let before = row().await;
    assert_eq!((&before["offered"], &before["today"]["offered"]), (&10.into(), &0.into()));
    assert_eq!(before["today"]["service_level"], Value::Null);
    let now = Wall::now();
    let visit = QueueVisit {
        queue: "sales".into(),
        waiting_since: now,
        counted_ms: 0,
        wait_ms: Some(21_000),
        end: Some(VisitEnd::Answered),
        agent: Some("201".into()),
        target_ms: 20_000,
        skills: Default::default(),
        estimate_ms: None,
    };
    let record = CallRecord { started_at: now, visits: vec![visit], ..sample::record(&sample::call(2)) };
    server.today.ended(&record);
    let after = row().await;
    assert_eq!((&after["today"]["offered"], &after["today"]["handled"]), (&1.into(), &1.into()));
    assert_eq!((&after["today"]["service_level"], &after["today"]["asa_ms"]), (&0.0.into(), &21_000.into()));
    let agents = server.get("/api/v1/agents", Some(&token)).await.json();
    let agent = agents["agents"].as_array().unwrap().iter().find(|agent| agent["id"] == "201").unwrap();
    assert_eq!(agent["today"]["offers"], 0);
}
