//! Plans that ask and tell systems outside: an HTTP server of the test's own, which answers, hangs, or notes what it is told.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::appliance::{Appliance, project};
use super::eventually;
use super::sipp::{self, Sipp};

#[derive(Clone, Debug)]
struct Asked {
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Answers `/customers/…` with a tier, hangs on `/hang…`, takes everything else.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("its address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let log = log.clone();
                std::thread::spawn(move || serve(stream, &log));
            }
        });
        Server { address, asked }
    }

    fn asked(&self, path: &str) -> Vec<Asked> {
        let asked = self.asked.lock().expect("the log");
        asked.iter().filter(|asked| asked.path.starts_with(path)).cloned().collect()
    }
}

/// One request a connection.
fn serve(mut stream: TcpStream, log: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).is_ok().then(|| line.trim_end().to_owned())
    };
    let Some(path) = line().and_then(|line| line.split(' ').nth(1).map(str::to_owned)) else { return };
    let mut headers = BTreeMap::new();
    while let Some(line) = line().filter(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    let _ = reader.read_exact(&mut body);
    let body = String::from_utf8_lossy(&body).into_owned();
    log.lock().expect("the log").push(Asked { path: path.clone(), headers, body });
    if path.starts_with("/hang") {
        std::thread::sleep(Duration::from_secs(30));
        return;
    }
    let tier = if path.starts_with("/customers/%2B33155691") { "gold" } else { "plain" };
    let answer = format!("{{\"customer\":{{\"tier\":\"{tier}\"}}}}");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
    let _ = stream.write_all(format!("{head}{answer}").as_bytes());
}

/// The demo with a service and a plan more.
fn centre(server: &Server, plan: &str, more: &str) -> (tempfile::TempDir, Appliance) {
    let folder = tempfile::tempdir().expect("a folder");
    let demo = project().join("deploy/demo");
    let config = fs::read_to_string(demo.join("relais.toml")).expect("the demo");
    let prompts = format!("prompts = \"{}\"", project().join("prompts").display());
    let config = config
        .replace("prompts = \"../../prompts\"", &prompts)
        .replace("plans = [\"plans/*.toml\"]", "plans = [\"plan.toml\"]\ntime_zone = \"Europe/Paris\"");
    let services = format!(
        "\n[[service]]\nid = \"crm\"\nbase_url = \"http://{}\"\n[numbering]\ncountry_code = \"33\"\n{more}\n",
        server.address
    );
    fs::write(folder.path().join("plan.toml"), plan).expect("a plan");
    let path = folder.path().join("relais.toml");
    fs::write(&path, config + &services).expect("a configuration");
    let appliance = Appliance::start(&path);
    (folder, appliance)
}

const BY_TIER: &str = r#"
numbers = ["690"]

[[level]]
name = "customer"
[[level.rule]]
module = "lookup"
in = { service = "crm", url = "PATH/{call.from}", timeout_ms = 600, fields = { tier = { path = "customer.tier", default = "unknown" } } }
out = { tier = "tier", result = "crm" }

[[level]]
name = "route"
[[level.rule]]
when = "tier == 'gold'"
module = "distribute"
in = { queue = "support" }
[[level.rule]]
module = "distribute"
in = { queue = "sales" }
"#;

fn millis_between(record: &Value, from: &str, to: &str) -> i64 {
    let at = |field: &str| -> i64 {
        let text = record[field].as_str().unwrap_or_else(|| panic!("no {field} in {record}"));
        text.parse::<jiff::Timestamp>().expect("a time").as_millisecond()
    };
    at(to) - at(from)
}

#[test]
fn a_call_is_routed_by_what_a_service_says_of_its_caller() {
    if sipp::missing("a_call_is_routed_by_what_a_service_says_of_its_caller") {
        return;
    }
    let server = Server::start();
    let (_folder, appliance) = centre(&server, &BY_TIER.replace("PATH", "/customers"), "");
    for (caller, queue) in [("+33155691", "support"), ("+33155692", "sales")] {
        Sipp::caller(caller, "690", Duration::from_millis(500)).start(&appliance).succeeds(Duration::from_secs(10));
        let record = appliance.record_from(caller);
        assert_eq!(record["queue"], queue, "{record}");
        assert_eq!((&record["path"][0]["module"], &record["path"][0]["result"]), (&"lookup".into(), &"ok".into()));
    }
    assert_eq!(server.asked("/customers/%2B33155691").len(), 1);
    let metrics = appliance.metrics();
    assert!(metrics.contains("relais_lookups_total{service=\"crm\",result=\"ok\"} 2"), "{metrics}");
}

#[test]
fn a_call_goes_on_in_time_when_the_service_hangs() {
    if sipp::missing("a_call_goes_on_in_time_when_the_service_hangs") {
        return;
    }
    let server = Server::start();
    let (_folder, appliance) = centre(&server, &BY_TIER.replace("PATH", "/hang"), "");
    Sipp::caller("+33155691", "690", Duration::from_millis(500)).start(&appliance).succeeds(Duration::from_secs(10));
    let record = appliance.record_from("+33155691");
    assert_eq!((&record["queue"], &record["path"][0]["result"]), (&"sales".into(), &"timed_out".into()), "{record}");
    let waited = millis_between(&record, "started_at", "answered_at");
    assert!((600..1_000).contains(&waited), "answered after {waited} ms, the plan waits 600");
}

#[test]
fn a_caller_who_calls_again_is_known_and_a_customer_from_the_first_time() {
    if sipp::missing("a_caller_who_calls_again_is_known_and_a_customer_from_the_first_time") {
        return;
    }
    const PLAN: &str = r#"
numbers = ["691"]
[[level]]
name = "route"
[[level.rule]]
when = "caller.value >= 80 || caller.contacts_30d > 0"
module = "distribute"
in = { queue = "support" }
[[level.rule]]
module = "distribute"
in = { queue = "sales" }
"#;
    let server = Server::start();
    let folder = tempfile::tempdir().expect("a folder");
    let customers = folder.path().join("customers.csv");
    fs::write(&customers, "number;value;name\n0155500693;90;Zoé\n").expect("customers");
    let more = format!("[customers]\nfile = \"{}\"", customers.display());
    let (_folder, appliance) = centre(&server, PLAN, &more);
    let call = |caller: &str| {
        let earlier = appliance.records().len();
        Sipp::caller(caller, "691", Duration::from_millis(300)).start(&appliance).succeeds(Duration::from_secs(10));
        eventually(Duration::from_secs(5), "its record", || appliance.records().into_iter().nth(earlier))
    };
    assert_eq!(call("+33155500692")["queue"], "sales");
    // The database takes records a few times a second.
    std::thread::sleep(Duration::from_secs(1));
    let again = call("0155500692");
    assert_eq!(again["queue"], "support", "the same caller, as dialled in the country: {again}");
    assert_eq!(call("0033155500693")["queue"], "support", "a customer");
    let metrics = appliance.metrics();
    assert!(metrics.contains("relais_history_total{result=\"ok\"} 3"), "{metrics}");
}

#[test]
fn a_webhook_is_told_once_more_after_a_crash_and_a_hanging_service_holds_no_call_up() {
    if sipp::missing("a_webhook_is_told_once_more_after_a_crash_and_a_hanging_service_holds_no_call_up") {
        return;
    }
    const PLAN: &str = r#"
numbers = ["692"]
[[level]]
name = "tell"
[[level.rule]]
module = "webhook"
in = { service = "crm", url = "/hang", event = "call.came", data = { from = { cel = "call.from" } } }
[[level]]
name = "route"
[[level.rule]]
module = "distribute"
in = { queue = "sales" }
"#;
    let server = Server::start();
    let (_folder, mut appliance) = centre(&server, PLAN, "");
    let begin = Instant::now();
    Sipp::caller("+33155692", "692", Duration::from_millis(300)).start(&appliance).succeeds(Duration::from_secs(10));
    assert!(begin.elapsed() < Duration::from_secs(5), "the call waited for the service");
    let record = appliance.record_from("+33155692");
    assert!(millis_between(&record, "started_at", "answered_at") < 200, "{record}");
    eventually(Duration::from_secs(5), "the event is sent", || server.asked("/hang").pop());
    appliance.kill();
    appliance.restart();
    let again =
        eventually(Duration::from_secs(10), "the event is sent again", || server.asked("/hang").get(1).cloned());
    let first = &server.asked("/hang")[0];
    assert_eq!(first.headers["webhook-id"], again.headers["webhook-id"]);
    assert_eq!(first.body, again.body);
    let body: Value = serde_json::from_str(&again.body).expect("JSON");
    assert_eq!((&body["type"], &body["data"]["from"]), (&"call.came".into(), &"+33155692".into()));
}
