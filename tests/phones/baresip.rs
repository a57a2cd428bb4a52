//! baresip as an agent's softphone: it registers, answers by itself, says the sound of a file, and writes down what it
//! hears.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::appliance::{Appliance, free_port};
use super::{sound, support};

/// Where distributions put its modules.
const MODULES: &[&str] = &["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"];

fn modules() -> Option<&'static Path> {
    let here = |folder: &&&str| Path::new(folder).join("sndfile.so").is_file();
    MODULES.iter().find(here).map(|folder| Path::new(*folder))
}

/// Whether baresip can be run; otherwise says that `test` is skipped.
pub fn missing(test: &str) -> bool {
    let there = Command::new("baresip").arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there || modules().is_none() {
        support::skip(test, "baresip is not installed (Debian: apt-get install baresip-core)");
        return true;
    }
    false
}

pub struct Baresip {
    child: Child,
    folder: PathBuf,
    /// Where it takes commands.
    control: u16,
}

impl Baresip {
    /// Registers `agent`, answers every call, and says a tone of `tone_hz` for half a minute.
    pub fn start(appliance: &Appliance, agent: &str, tone_hz: u32) -> Baresip {
        Baresip::by(appliance, &appliance.sip.to_string(), "", agent, tone_hz, ("", ""))
    }

    /// The same by TLS: the appliance has to be vouched for by those in `ca_file`.
    pub fn by_tls(appliance: &Appliance, ca_file: &Path, agent: &str, tone_hz: u32) -> Baresip {
        let server = format!("{};transport=tls", appliance.tls.expect("an appliance with TLS"));
        Baresip::by(appliance, &server, &format!("sip_cafile {}\n", ca_file.display()), agent, tone_hz, ("", ""))
    }

    /// With modules and parameters of its account for the protection of its media.
    pub fn protected(appliance: &Appliance, agent: &str, tone_hz: u32, media: (&str, &str)) -> Baresip {
        Baresip::by(appliance, &appliance.sip.to_string(), "", agent, tone_hz, media)
    }

    fn by(
        appliance: &Appliance,
        server: &str,
        more: &str,
        agent: &str,
        tone_hz: u32,
        (modules_more, account_more): (&str, &str),
    ) -> Baresip {
        let folder = appliance.scratch().join(format!("baresip-{agent}"));
        fs::create_dir(&folder).expect("a folder");
        let says = folder.join("says.wav");
        let tone: Vec<_> = sound::tone(tone_hz, 0, 30 * 8000).into_iter().map(sound::decode).collect();
        sound::write_wav(&says, &tone);
        let (rtp, control) = (free_port(), free_port());
        let config = format!(
            "net_interface 127.0.0.1\npoll_method epoll\nsip_listen 127.0.0.1:{}\nrtp_ports {rtp}-{}\ncall_max_calls 1\n\
             audio_source aufile,{}\naudio_player aubridge,nowhere\naudio_alert aubridge,alert\naudio_txmode thread\n\
             ausrc_srate 8000\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1\n\
             module_path {}\nmodule g711.so\nmodule aufile.so\nmodule aubridge.so\nmodule sndfile.so\n{modules_more}\
             module_app account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:{control}\n\
             snd_path {}\n{more}",
            free_port(),
            rtp + 1,
            says.display(),
            modules().expect("installed").display(),
            folder.display()
        );
        let account = format!(
            "<sip:{agent}@{server}>;auth_user={agent};auth_pass=demo-{agent};answermode=auto;regint=60;\
             audio_codecs=pcmu/8000;ptime=20{account_more}\n"
        );
        for (name, text) in [("config", config.as_str()), ("accounts", &account), ("contacts", "")] {
            fs::write(folder.join(name), text).expect("a file");
        }
        let log = File::create(folder.join("log")).expect("a file");
        let mut command = Command::new("baresip");
        command.arg("-f").arg(&folder).current_dir(&folder).stdin(Stdio::null());
        let errors = log.try_clone().expect("a file");
        let child = command.stdout(log).stderr(errors).spawn().expect("baresip");
        let phone = Baresip { child, folder, control };
        appliance.await_agent(agent, "available");
        phone
    }

    /// What its user would do: `sndcode` with keys, `transfer` to an address, `hangup`.
    pub fn does(&self, command: &str, parameters: &str) {
        let json = format!(r#"{{"command":"{command}","params":"{parameters}","token":"t"}}"#);
        let mut control = TcpStream::connect(("127.0.0.1", self.control)).expect("baresip takes commands");
        control.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        control.write_all(format!("{}:{json},", json.len()).as_bytes()).expect("a command");
        let (mut answer, mut some) = (Vec::new(), [0; 4096]);
        // Events of its calls come by the same way.
        while !String::from_utf8_lossy(&answer).contains("\"response\"") {
            let length = control.read(&mut some).expect("an answer to the command");
            assert!(length > 0, "baresip has closed the connection: {}", String::from_utf8_lossy(&answer));
            answer.extend(&some[..length]);
        }
    }

    /// The last `length` of what was heard so far.
    pub fn ear(&self, length: Duration) -> Vec<i16> {
        let heard = self.heard();
        let samples = length.as_millis() as usize * 8;
        heard[heard.len().saturating_sub(samples)..].to_vec()
    }

    /// All that was heard, once the call is over.
    pub fn heard(&self) -> Vec<i16> {
        let files = fs::read_dir(&self.folder).expect("its folder").filter_map(|entry| Some(entry.ok()?.path()));
        let recording = files.into_iter().find(|path| path.to_string_lossy().ends_with("-dec.wav"));
        recording.map(|path| sound::read_wav(&path)).unwrap_or_default()
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- baresip\n{}\n----", fs::read_to_string(self.folder.join("log")).unwrap_or_default());
        }
        if let (Some(pid), Ok(None)) = (Pid::from_raw(self.child.id() as i32), self.child.try_wait()) {
            let _ = kill_process(pid, Signal::TERM);
            for _ in 0..40 {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
