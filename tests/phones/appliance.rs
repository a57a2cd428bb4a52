//! The appliance as a process: free ports, a data folder of its own, its API and its records.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::eventually;

/// One appliance at a time: what is measured here is time.
static ALONE: Mutex<()> = Mutex::new(());

pub struct Appliance {
    pub sip: SocketAddr,
    /// Where phones come by TLS, if they may.
    pub tls: Option<SocketAddr>,
    pub web: SocketAddr,
    pub data: PathBuf,
    arguments: Vec<String>,
    child: Option<Child>,
    folder: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// A port free for UDP and TCP on 127.0.0.1, as is the next one. Below the ephemeral range, so that nobody is given it
/// before it is used, and never the same twice in a run.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 4000) as u16 * 2;
    for _ in 0..4000 {
        let port = 20_000 + (start + NEXT.fetch_add(2, Ordering::Relaxed)) % 8000;
        let free = |port| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
        };
        if free(port) && free(port + 1) {
            return port;
        }
    }
    panic!("no free port from 20000 to 28000");
}

/// The project's folder.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The binary under test: what RELAIS_BIN names (a release build is quicker to start and keeps better time), else the one
/// that was built with the tests.
pub fn binary() -> PathBuf {
    std::env::var_os("RELAIS_BIN").map_or_else(|| env!("CARGO_BIN_EXE_relais").into(), PathBuf::from)
}

/// How an appliance is to be started.
pub struct Setup {
    config: PathBuf,
    rtp_ports: u16,
    tls: bool,
    data: Option<PathBuf>,
    record_inputs: Option<PathBuf>,
}

impl Setup {
    pub fn new(config: &Path) -> Setup {
        Setup { config: config.to_owned(), rtp_ports: 2000, tls: false, data: None, record_inputs: None }
    }

    /// An even number: each leg takes two.
    pub fn rtp_ports(self, rtp_ports: u16) -> Setup {
        Setup { rtp_ports, ..self }
    }

    /// Phones may come by TLS; the configuration names the certificate.
    pub fn tls(self) -> Setup {
        Setup { tls: true, ..self }
    }

    /// A folder of the test's own.
    pub fn data(self, data: &Path) -> Setup {
        Setup { data: Some(data.to_owned()), ..self }
    }

    /// For `relais replay`.
    pub fn record_inputs(self, file: &Path) -> Setup {
        Setup { record_inputs: Some(file.to_owned()), ..self }
    }

    /// Starts it and waits for `ready`.
    pub fn start(self) -> Appliance {
        Appliance::with(self)
    }
}

impl Appliance {
    /// The demo.
    pub fn demo() -> Appliance {
        Appliance::start(&project().join("deploy/demo/relais.toml"))
    }

    /// Starts with a configuration and waits for `ready`.
    pub fn start(config: &Path) -> Appliance {
        Setup::new(config).start()
    }

    fn with(setup: Setup) -> Appliance {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = setup.data.unwrap_or_else(|| folder.path().join("data"));
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (sip, web) = (local(free_port()), local(free_port()));
        let tls = setup.tls.then(|| local(free_port()));
        // Far from the ports above and from the ephemeral ones; the appliance goes round those in use.
        let low = 10_000 + (std::process::id() % 4000) as u16 * 2;
        let mut arguments = vec![
            "run".into(),
            format!("--config={}", setup.config.display()),
            format!("--sip=udp:{sip}"),
            format!("--sip=tcp:{sip}"),
            format!("--rtp=127.0.0.1:{low}-{}", low + setup.rtp_ports - 1),
            format!("--web={web}"),
            format!("--data={}", data.display()),
        ];
        arguments.extend(tls.map(|address| format!("--sip=tls:{address}")));
        arguments.extend(setup.record_inputs.map(|file| format!("--record-inputs={}", file.display())));
        let mut appliance = Appliance { sip, tls, web, data, arguments, child: None, folder, _alone: alone };
        appliance.spawn();
        appliance
    }

    /// The same again on the same data, after `kill`.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "it still runs");
        self.spawn();
    }

    fn spawn(&mut self) {
        let log = File::options().create(true).append(true).open(self.log_path()).expect("a log file");
        let mut child = Command::new(binary())
            .args(&self.arguments)
            .current_dir(project())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        let output = child.stdout.take().expect("its standard output");
        self.child = Some(child);
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let line = lines.recv_timeout(Duration::from_secs(90));
        let line = line.unwrap_or_else(|_| panic!("no ready line: {}", self.log_end()));
        let tls = self.tls.map(|address| format!(",tls:{address}")).unwrap_or_default();
        let wanted = format!("ready sip=udp:{0},tcp:{0}{tls} web={1}", self.sip, self.web);
        assert_eq!(line, wanted);
    }

    /// kill -9.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("a running appliance");
        child.kill().expect("our own child");
        child.wait().expect("our own child");
    }

    /// SIGTERM: no new calls, the current ones end.
    pub fn drain(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGHUP: the files are read anew.
    pub fn read_files_anew(&self) {
        self.signal(Signal::HUP);
    }

    /// How it ended by itself.
    pub fn end(mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a running appliance");
        eventually(Duration::from_secs(10), "the appliance ends", || child.try_wait().ok()?)
    }

    pub fn process(&self) -> u32 {
        self.child.as_ref().expect("a running appliance").id()
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("a running appliance");
        let pid = Pid::from_raw(child.id() as i32).expect("a pid");
        kill_process(pid, signal).expect("our own child");
    }

    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("relais.log")
    }

    fn log_end(&self) -> String {
        let log = fs::read(self.log_path()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// What it said on standard error.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    /// A folder for what a test writes.
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// A figure of GET /metrics; 0 while it is not there.
    pub fn metric(&self, name: &str) -> f64 {
        let (status, text) = self.ask("GET", "/metrics", None);
        assert_eq!(status, 200, "{text}");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).unwrap_or(0.0)
    }

    /// A request to the API with the admin token: status and JSON.
    pub fn api(&self, method: &str, path: &str, body: Option<&str>) -> (u16, Value) {
        let (status, body) = self.ask(method, path, body);
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    fn ask(&self, method: &str, path: &str, body: Option<&str>) -> (u16, String) {
        let token = fs::read_to_string(self.data.join("admin.token")).expect("the admin token");
        let (body, kind) = body.map_or(("", ""), |body| (body, "Content-Type: application/json\r\n"));
        let request = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nHost: relais\r\nConnection: close\r\nAuthorization: Bearer {}\r\n{kind}\
             Content-Length: {}\r\n\r\n{body}",
            token.trim(),
            body.len()
        );
        let mut stream = TcpStream::connect(self.web).expect("the web port");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, body.to_owned())
    }

    /// A GET with the admin token and a further header line: status and body as it is; 0 and nothing where the connection
    /// was closed without an answer.
    pub fn fetch(&self, path: &str, header: &str) -> (u16, Vec<u8>) {
        let token = fs::read_to_string(self.data.join("admin.token")).expect("the admin token");
        let request = format!(
            "GET /api/v1{path} HTTP/1.1\r\nHost: relais\r\nConnection: close\r\nAuthorization: Bearer {}\r\n{header}\r\n",
            token.trim()
        );
        let mut stream = TcpStream::connect(self.web).expect("the web port");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let Some(head) = answer.windows(4).position(|end| end == b"\r\n\r\n") else { return (0, Vec::new()) };
        let line = String::from_utf8_lossy(&answer[..head]).into_owned();
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, answer.split_off(head + 4))
    }

    /// Where the file of a recording is.
    pub fn recording(&self, id: &str) -> PathBuf {
        let name = format!("{id}.flac");
        let days = fs::read_dir(self.data.join("recordings")).expect("a folder of recordings");
        let found = days.flatten().map(|day| day.path().join(&name)).find(|path| path.is_file());
        found.unwrap_or_else(|| panic!("no file {name}"))
    }

    /// The figures for Prometheus.
    pub fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(self.web).expect("the web port");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        let token = fs::read_to_string(self.data.join("admin.token")).expect("the admin token");
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: relais\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
            token.trim()
        );
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// The rows of GET /calls, /agents or /queues.
    pub fn list(&self, what: &str) -> Vec<Value> {
        let (status, body) = self.api("GET", &format!("/{what}"), None);
        assert_eq!(status, 200, "{body}");
        body[what].as_array().expect("a list").clone()
    }

    /// The running call of a caller.
    pub fn call_from(&self, caller: &str) -> Option<Value> {
        self.list("calls").into_iter().find(|call| call["from"].as_str().is_some_and(|from| from.contains(caller)))
    }

    pub fn agent(&self, id: &str) -> Value {
        self.list("agents").into_iter().find(|agent| agent["id"] == id).expect("a configured agent")
    }

    /// Waits until an agent has a state.
    pub fn await_agent(&self, id: &str, state: &str) {
        let mut last = Value::Null;
        let end = std::time::Instant::now() + Duration::from_secs(20);
        while std::time::Instant::now() < end {
            last = self.agent(id);
            if last["state"] == state {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("agent {id} does not become {state}: {last}");
    }

    /// All call records, by `relais cdr`.
    pub fn records(&self) -> Vec<Value> {
        let output =
            Command::new(binary()).args(["cdr", "--json", "--data"]).arg(&self.data).output().expect("relais cdr");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    /// The only record of a caller.
    pub fn record_from(&self, caller: &str) -> Value {
        let found = eventually(Duration::from_secs(5), "a record of the call", || {
            let found: Vec<_> = self.records().into_iter().filter(|record| is_from(record, caller)).collect();
            (!found.is_empty()).then_some(found)
        });
        assert_eq!(found.len(), 1, "one record for the one call of {caller}: {found:?}");
        found.into_iter().next().expect("one")
    }

    /// No call is up, and no agent is on one.
    pub fn await_quiet(&self) {
        eventually(Duration::from_secs(10), "every call is over", || self.list("calls").is_empty().then_some(()));
    }
}

pub fn is_from(record: &Value, caller: &str) -> bool {
    record["from"].as_str().is_some_and(|from| from.contains(caller))
}

impl Drop for Appliance {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- the appliance's log ends\n{}\n----", self.log_end());
        }
        let Some(mut child) = self.child.take() else { return };
        let pid = Pid::from_raw(child.id() as i32);
        // The first SIGTERM drains, the second stops at once.
        for _ in 0..2 {
            if let (Some(pid), Ok(None)) = (pid, child.try_wait()) {
                let _ = kill_process(pid, Signal::TERM);
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        for _ in 0..60 {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The demo's configuration as it may stand in another folder, with its data there.
pub fn demo_anywhere() -> String {
    let demo = std::fs::read_to_string(project().join("deploy/demo/relais.toml")).expect("the demo's configuration");
    demo.replace("\"../../var/demo\"", "\"data\"").replace("\"../../", &format!("\"{}/", project().display()))
}
