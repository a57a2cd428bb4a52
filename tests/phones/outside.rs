//! Plans that ask and tell systems outside: an HTTP server of the test's own, which answers, hangs, or notes what it is told.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::appliance::{Appliance, demo_anywhere};
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
    let config =
        demo_anywhere().replace("plans = [\"plans/*.toml\"]", "plans = [\"plan.toml\"]\ntime_zone = \"Europe/Paris\"");
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

/// Sends an INVITE of the test's own making and gives the final status.
fn invite(appliance: &Appliance, from: &str, to: &str, headers: &str) -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let (here, there) = (socket.local_addr().expect("an address"), appliance.sip);
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
    let text = format!(
        "INVITE sip:{to}@{there} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{0}\r\nMax-Forwards: 70\r\n\
         From: {from};tag=1\r\nTo: <sip:{to}@{there}>\r\nCall-ID: {0}\r\nCSeq: 1 INVITE\r\nContact: <sip:{here}>\r\n\
         {headers}Content-Type: application/sdp\r\nContent-Length: {1}\r\n\r\n{sdp}",
        here.port(),
        sdp.len()
    );
    socket.send_to(text.as_bytes(), there).expect("sent");
    let mut buffer = [0; 65_535];
    loop {
        let length = socket.recv(&mut buffer).expect("an answer");
        let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let status: u16 = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        if status >= 200 {
            return status;
        }
    }
}

#[test]
fn hostile_values_reach_conditions_http_records_and_pages_without_harm() {
    const PLAN: &str = r#"
numbers = ["693"]
[[level]]
name = "ask"
[[level.rule]]
module = "lookup"
in = { service = "crm", method = "post", url = "/c/{call.headers['x-name']}", headers = { X-Name = { cel = "call.headers['x-name']" } }, body = { name = { cel = "call.headers['x-name']" }, from = { cel = "call.from" } } }
out = { result = "asked" }
[[level]]
name = "tell"
[[level.rule]]
module = "webhook"
in = { service = "crm", url = "/told", event = "came", data = { name = { cel = "call.headers['x-name']" } } }
[[level]]
name = "end"
[[level.rule]]
when = "call.headers['x-name'].contains('<script>') && asked == 'ok'"
module = "hangup"
in = { status = 486 }
[[level.rule]]
module = "hangup"
in = { status = 404 }
"#;
    let server = Server::start();
    let (_folder, appliance) = centre(&server, PLAN, "");
    let values = [
        ("\"a\\\"b\\\\c\" '", 404),
        ("<script>alert('x')</script>", 486),
        ("' || true || '", 404),
        ("../../admin?x=1#y", 404),
        ("%0d%0aX-Evil: 1", 404),
        ("{call.from} {{x}} {cel}", 404),
        ("\u{202e}é\u{1f600}", 404),
    ];
    for (value, status) in values {
        let from = "\"<script>\\\"\\\\ x\" <sip:%22%3Cscript%3E%5C%00@127.0.0.1>";
        let headers = format!("X-Name: {value}\r\n");
        assert_eq!(invite(&appliance, from, "693", &headers), status, "{value}");
        let asked = eventually(Duration::from_secs(5), "the question", || server.asked("/c/").pop());
        let body: Value = serde_json::from_str(&asked.body).expect("JSON");
        assert_eq!(body["name"], value, "as it was");
        assert!(asked.path.bytes().skip(3).all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
        assert!(!asked.headers.contains_key("x-evil"), "{:?}", asked.headers);
    }
    let told = eventually(Duration::from_secs(5), "every event", || {
        Some(server.asked("/told")).filter(|told| told.len() >= values.len())
    });
    for event in told {
        let body: Value = serde_json::from_str(&event.body).expect("JSON");
        let name = body["data"]["name"].as_str().expect("a name");
        assert!(values.iter().any(|(value, _)| *value == name), "{name}");
    }
    let huge = format!("X-Name: {}\r\n", "x".repeat(60_000));
    assert_eq!(invite(&appliance, "<sip:+33155699@127.0.0.1>", "693", &huge), 404);
    let records = eventually(Duration::from_secs(5), "every record", || {
        Some(appliance.records()).filter(|records| records.len() > values.len())
    });
    assert_eq!(records.len(), values.len() + 1);
    assert!(records.iter().all(|record| record["path"][0]["module"] == "lookup"), "{records:?}");
    let log = appliance.log();
    assert!(log.lines().all(|line| !line.starts_with("X-Evil") && !line.contains('\u{202e}')), "{log}");
}
