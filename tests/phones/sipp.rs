//! SIPp processes that play the scenarios beside this file.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::appliance::{Appliance, free_port, project};
use super::{eventually, support};

/// Whether SIPp can be run; otherwise says that `test` is skipped.
pub fn missing(test: &str) -> bool {
    let there = Command::new("sipp").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        support::skip(test, "SIPp is not installed (Debian: apt-get install sip-tester)");
    }
    !there
}

/// What one SIPp is to do.
#[derive(Clone)]
pub struct Sipp {
    scenario: &'static str,
    port: u16,
    media: SocketAddr,
    arguments: Vec<String>,
}

impl Sipp {
    /// Plays `scenarios/NAME.xml` on a free port, without media.
    pub fn new(scenario: &'static str) -> Sipp {
        Sipp { scenario, port: free_port(), media: ([127, 0, 0, 1], 9).into(), arguments: Vec::new() }
    }

    /// A caller `from` who dials `to` and hangs up after `talk`.
    pub fn caller(from: &str, to: &str, talk: Duration) -> Sipp {
        Sipp::new("caller").key("caller", from).dial(to).pause(talk).calls(1)
    }

    /// A phone of `agent` for one call.
    pub fn agent(scenario: &'static str, agent: &str) -> Sipp {
        Sipp::new(scenario).key("agent", agent).calls(1)
    }

    pub fn on_port(mut self, port: u16) -> Sipp {
        self.port = port;
        self
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn key(self, name: &str, value: &str) -> Sipp {
        self.with(&["-key", name, value])
    }

    /// Where this side wants its RTP.
    pub fn media(self, address: SocketAddr) -> Sipp {
        Sipp { media: address, ..self }
    }

    pub fn dial(self, number: &str) -> Sipp {
        self.with(&["-s", number])
    }

    pub fn pause(self, pause: Duration) -> Sipp {
        self.with(&["-d", &pause.as_millis().to_string()])
    }

    /// Ends after so many calls; without it, when it is stopped.
    pub fn calls(self, calls: u32) -> Sipp {
        self.with(&["-m", &calls.to_string()])
    }

    /// New calls a second, and at once.
    pub fn rate(self, a_second: u32, at_once: u32) -> Sipp {
        self.with(&["-r", &a_second.to_string(), "-l", &at_once.to_string()])
    }

    /// One TCP connection for all calls.
    pub fn over_tcp(self) -> Sipp {
        self.with(&["-t", "t1"])
    }

    pub fn with(mut self, arguments: &[&str]) -> Sipp {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Starts it against the appliance.
    pub fn start(&self, appliance: &Appliance) -> Running {
        let traces = appliance.scratch().join(format!("{}-{}", self.scenario, self.port));
        let (errors, messages) = (traces.with_extension("errors"), traces.with_extension("messages"));
        let mut command = Command::new("sipp");
        command.arg(appliance.sip.to_string());
        command.args(["-sf"]).arg(project().join(format!("tests/phones/scenarios/{}.xml", self.scenario)));
        command.args(["-i", "127.0.0.1", "-p", &self.port.to_string(), "-nostdin"]);
        command.args(["-key", "rtp_ip", &self.media.ip().to_string()]);
        command.args(["-key", "rtp_port", &self.media.port().to_string()]);
        command.args(["-trace_err", "-error_file"]).arg(&errors);
        command.args(["-trace_shortmsg", "-shortmessage_file"]).arg(&messages);
        command.args(&self.arguments).current_dir(appliance.scratch()).env("TERM", "dumb");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("SIPp");
        Running { child, scenario: self.scenario, errors, messages }
    }
}

/// Registers an agent from `port`, where their phone will then be played. Where somebody waits for an agent this one is
/// reserved at once.
pub fn log_in(appliance: &Appliance, agent: &str, port: u16) {
    let register = Sipp::agent("register", agent).on_port(port);
    let register = register.with(&["-au", agent, "-ap", &format!("demo-{agent}")]);
    register.start(appliance).succeeds(Duration::from_secs(10));
}

/// Registers an agent for whom nobody waits.
pub fn register(appliance: &Appliance, agent: &str, port: u16) {
    log_in(appliance, agent, port);
    appliance.await_agent(agent, "available");
}

/// A registered agent's phone that plays a scenario once.
pub fn phone(appliance: &Appliance, agent: &str, scenario: Sipp) -> Running {
    register(appliance, agent, scenario.port());
    scenario.start(appliance)
}

/// A SIPp that runs; it is stopped when this is dropped.
pub struct Running {
    child: Child,
    scenario: &'static str,
    errors: PathBuf,
    messages: PathBuf,
}

/// One message as SIPp saw it.
#[derive(Clone, Debug)]
pub struct Logged {
    /// Seconds.
    pub at: f64,
    pub received: bool,
    pub call_id: String,
    /// `1 INVITE`
    pub cseq: String,
    /// Start line.
    pub line: String,
}

impl Running {
    /// Waits for its end; every call must have gone as the scenario says.
    pub fn succeeds(mut self, within: Duration) {
        let what = format!("SIPp is done with '{}'", self.scenario);
        let status = eventually(within, &what, || self.child.try_wait().ok()?);
        assert!(
            status.success(),
            "SIPp, scenario '{}': {status}\n{}\n{}",
            self.scenario,
            fs::read_to_string(&self.errors).unwrap_or_default(),
            fs::read_to_string(&self.messages).unwrap_or_default()
        );
    }

    pub fn is_done(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// What was sent and received so far.
    pub fn messages(&self) -> Vec<Logged> {
        let text = fs::read_to_string(&self.messages).unwrap_or_default();
        text.lines().filter_map(Logged::parse).collect()
    }

    /// Whether a message with such a start line came in.
    pub fn received(&self, start: &str) -> Option<Logged> {
        self.messages().into_iter().find(|message| message.received && message.line.starts_with(start))
    }
}

impl Logged {
    /// `date TAB time TAB seconds TAB S or R TAB Call-ID TAB CSeq:… TAB start line`
    fn parse(line: &str) -> Option<Logged> {
        let mut fields = line.split('\t').skip(2);
        Some(Logged {
            at: fields.next()?.parse().ok()?,
            received: fields.next()? == "R",
            call_id: fields.next()?.to_owned(),
            cseq: fields.next()?.trim_start_matches("CSeq:").trim().to_owned(),
            line: fields.next()?.to_owned(),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
