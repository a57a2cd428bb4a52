//! What a browser's call costs: browsers of our own (ICE, DTLS, SRTP) call agents of a plain trunk's kind through the whole
//! server, hear themselves back, and hang up.
//!
//! `RELAIS_BIN=target/release/relais cargo bench --bench browsers -- 100 60` has a hundred of them talk for a minute. Printed are
//! the server's processor time for a second of a call, the time from INVITE to the first audio, packets that are missing, and its
//! memory before and after. The browsers and the agents' echo live in this process.

// A measurement asks the clock.
#![allow(clippy::disallowed_methods)]

#[path = "../tests/support/browser.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod browser;

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use browser::Browser;

const SIP: &str = "127.0.0.1:5060";
const AGENTS: &str = "127.0.0.1:6060";
/// Between two calls that begin.
const PACE: Duration = Duration::from_millis(50);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let number = |at: usize, default| words.get(at).and_then(|word| word.parse().ok()).unwrap_or(default);
    let (count, seconds): (usize, u64) = (number(0, 20), number(1, 10) as u64);
    let stop = Arc::new(AtomicBool::new(false));
    let agents = std::thread::spawn({
        let stop = stop.clone();
        move || answer_and_echo(&stop)
    });
    let server = Server::start();
    // One call before the first look, so that what is made once is there.
    drop(Page::dial(0));
    std::thread::sleep(Duration::from_secs(1));
    let before = server.memory_kib();
    let pages: Vec<Page> = (1..=count)
        .map(|number| {
            std::thread::sleep(PACE);
            Page::dial(number)
        })
        .collect();
    std::thread::sleep(Duration::from_secs(1));
    let (cpu, heard, began) = (server.cpu(), heard_by(&pages), Instant::now());
    std::thread::sleep(Duration::from_secs(seconds));
    let (cpu, heard, time) = (server.cpu() - cpu, heard_by(&pages) - heard, began.elapsed());
    let mut waits: Vec<Duration> = pages.iter().filter_map(Page::wait).collect();
    waits.sort();
    let median = waits.get(waits.len() / 2).copied().unwrap_or_default();
    drop(pages);
    // A port rests, and what the handshakes left is let go.
    std::thread::sleep(Duration::from_secs(3));
    let after = server.memory_kib();
    let wanted = time.as_secs_f64() * 50.0 * count as f64;
    println!(
        "{count} browsers, {seconds} s: {:.2} ms of processor time a call-second; INVITE to first audio {:.0} ms in the median, \
         {:.0} ms at worst; {} of them heard anything; {:.2} % of the packets missing; memory {before} KiB before, {after} after",
        cpu.as_secs_f64() * 1000.0 / (time.as_secs_f64() * count as f64),
        median.as_secs_f64() * 1000.0,
        waits.last().copied().unwrap_or_default().as_secs_f64() * 1000.0,
        waits.len(),
        (1.0 - heard as f64 / wanted).max(0.0) * 100.0,
    );
    stop.store(true, Ordering::Relaxed);
    let _ = agents.join();
}

fn heard_by(pages: &[Page]) -> usize {
    pages.iter().map(|page| page.browser.packets()).sum()
}

/// One browser's call.
struct Page {
    browser: Browser,
    socket: UdpSocket,
    dialled: Instant,
    head: String,
}

impl Page {
    fn dial(number: usize) -> Page {
        let browser = Browser::open();
        browser.say(440);
        let socket = UdpSocket::bind("127.0.0.3:0").expect("a free port");
        socket.connect(SIP).expect("loopback");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        let own = socket.local_addr().expect("an address");
        let head = format!(
            "Max-Forwards: 70\r\nFrom: <sip:0155{number:06}@browser.invalid>;tag=b{number}\r\nCall-ID: browser-{number}\r\n\
             Contact: <sip:page@{own}>\r\n"
        );
        let mut page = Page { browser, socket, dialled: Instant::now(), head };
        let whom = format!("sip:71{:03}@{SIP}", number % 500 + 1);
        let offer = page.browser.describe("actpass", "sendrecv");
        page.dialled = Instant::now();
        page.request("INVITE", &whom, &format!("<{whom}>"), 1, &offer);
        let answered = page.answered();
        let (to, contact) = (header(&answered, "To").to_owned(), header(&answered, "Contact").to_owned());
        let target = contact.trim_start_matches('<').split('>').next().unwrap_or_default().to_owned();
        page.request("ACK", &target, &to, 1, "");
        page.browser.take(answered.split("\r\n\r\n").nth(1).expect("a body"));
        page.head = format!("{}\u{0}{target}\u{0}{to}", page.head);
        page
    }

    fn answered(&self) -> String {
        loop {
            let mut buffer = [0; 8192];
            let length = self.socket.recv(&mut buffer).expect("an answer in time");
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            match message.split(' ').nth(1) {
                Some("200") => return message,
                Some(status) if status.starts_with('1') => {}
                _ => panic!("the call is refused: {message}"),
            }
        }
    }

    fn request(&self, method: &str, target: &str, to: &str, cseq: u32, body: &str) {
        let own = self.socket.local_addr().expect("an address");
        let head = self.head.split('\u{0}').next().unwrap_or_default();
        let text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{}{method};rport\r\n{head}To: {to}\r\n\
             CSeq: {cseq} {method}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            own.port(),
            body.len()
        );
        self.socket.send(text.as_bytes()).expect("loopback takes it");
    }

    /// From the INVITE to the first audio.
    fn wait(&self) -> Option<Duration> {
        Some(self.browser.first_audio()?.duration_since(self.dialled))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let mut parts = self.head.split('\u{0}').skip(1);
        if let (Some(target), Some(to)) = (parts.next(), parts.next()) {
            self.request("BYE", target, to, 2, "");
        }
    }
}

fn header<'m>(message: &'m str, name: &str) -> &'m str {
    let wanted = format!("{name}: ");
    message.lines().find_map(|line| line.strip_prefix(&wanted)).unwrap_or_default()
}

/// All agents: they answer at once and say what they hear.
fn answer_and_echo(stop: &AtomicBool) {
    let sip = UdpSocket::bind(AGENTS).expect("the agents' port");
    let rtp = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let port = rtp.local_addr().map_or(0, |address: SocketAddr| address.port());
    sip.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            rtp.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
            let mut buffer = [0; 2048];
            while !stop.load(Ordering::Relaxed) {
                if let Ok((length, from)) = rtp.recv_from(&mut buffer) {
                    let _ = rtp.send_to(&buffer[..length], from);
                }
            }
        });
        let mut buffer = [0; 8192];
        while !stop.load(Ordering::Relaxed) {
            let Ok((length, from)) = sip.recv_from(&mut buffer) else { continue };
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let method = message.split(' ').next().unwrap_or_default();
            if method == "ACK" || method == "SIP/2.0" {
                continue;
            }
            let body = if method == "INVITE" {
                format!(
                    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
                )
            } else {
                String::new()
            };
            let vias: String =
                message.lines().filter(|line| line.starts_with("Via:")).map(|via| format!("{via}\r\n")).collect();
            let to = header(&message, "To");
            let tag = if to.contains(";tag=") { "" } else { ";tag=agent" };
            let answer = format!(
                "SIP/2.0 200 OK\r\n{vias}From: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:agent@{AGENTS}>\r\n\
                 Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
                header(&message, "From"),
                header(&message, "Call-ID"),
                header(&message, "CSeq"),
                body.len()
            );
            let _ = sip.send_to(answer.as_bytes(), from);
        }
    });
}

struct Server {
    process: Child,
    _data: tempfile::TempDir,
}

impl Server {
    fn start() -> Server {
        let binary = std::env::var("RELAIS_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_relais").to_owned());
        let data = tempfile::tempdir().expect("a folder");
        let process = Command::new(binary)
            .args(["run", "--config", "deploy/bench/relais.toml", "--data"])
            .arg(data.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut process = process.expect("relais");
        let mut line = String::new();
        let out = process.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut line).expect("a line");
        assert!(line.starts_with("ready"), "{line}");
        Server { process, _data: data }
    }

    /// User and system time.
    fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("a process");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
        // A hundred a second on every Linux there is.
        Duration::from_millis(ticks * 10)
    }

    fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
