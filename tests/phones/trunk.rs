//! A trunk that registers and by which plans call out, over real sockets: a provider with two servers of the test's own.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use relais::sip::Destination;
use relais::sip::message::{Headers, Message};
use relais::sip::ua::Event;

use super::appliance::{Appliance, demo_anywhere, project};
use super::eventually;
use super::provider::{Provider, credentials};
use super::rtp::Endpoint;
use super::sipp::{self, Sipp};

/// One server of the provider, on a thread of its own.
struct Server {
    address: SocketAddr,
    provider: Arc<Mutex<Provider>>,
    silent: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    /// Where the RTP of those goes who are called here.
    ear: Arc<Mutex<Option<SocketAddr>>>,
    start: Instant,
    thread: Option<JoinHandle<()>>,
}

fn since(start: Instant) -> relais::time::Instant {
    relais::time::Instant::default() + start.elapsed()
}

impl Server {
    /// Grants registrations for `expires` at most.
    fn start(expires: Duration, seed: u8) -> Server {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(10))).expect("a time-out");
        let address = socket.local_addr().expect("bound");
        let provider = Arc::new(Mutex::new(Provider::new(address, expires, [seed; 32])));
        let (silent, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (start, ear) = (Instant::now(), Arc::new(Mutex::new(None)));
        let thread = {
            let (provider, silent, over, ear) = (provider.clone(), silent.clone(), over.clone(), ear.clone());
            std::thread::spawn(move || serve(&socket, &provider, &silent, &over, &ear, start))
        };
        Server { address, provider, silent, over, ear, start, thread: Some(thread) }
    }

    /// From now on it says and hears nothing, or does again.
    fn be_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }

    /// Whoever is called here answers, and their RTP is that of `ear`.
    fn answer_by(&self, ear: SocketAddr) {
        *self.ear.lock().expect("a provider that does not panic") = Some(ear);
    }

    fn ask<T>(&self, of: impl Fn(&Provider) -> T) -> T {
        of(&self.provider.lock().expect("a provider that does not panic"))
    }

    fn contact(&self) -> Option<String> {
        let now = since(self.start);
        self.ask(|provider| provider.contact(now))
    }
}

fn serve(
    socket: &UdpSocket,
    provider: &Mutex<Provider>,
    silent: &AtomicBool,
    over: &AtomicBool,
    ear: &Mutex<Option<SocketAddr>>,
    start: Instant,
) {
    let mut buffer = [0; 65_535];
    while !over.load(Ordering::Relaxed) {
        let packet = socket.recv_from(&mut buffer);
        let mut provider = provider.lock().expect("a provider that does not panic");
        let (now, silent) = (since(start), silent.load(Ordering::Relaxed));
        provider.ua.handle_timeout(now);
        if let (Ok((length, from)), false) = (packet, silent) {
            let message = Message::parse(&buffer[..length]).expect("a message of the appliance can be read");
            provider.receive(from, message, now);
        }
        while let Some(event) = provider.poll_event(now) {
            let Event::Incoming { session, .. } = event else { continue };
            match *ear.lock().expect("a provider that does not panic") {
                Some(ear) => {
                    provider.ua.progress(session, 180, None, now);
                    provider.ua.accept(session, sdp(ear).into(), Headers::default(), now);
                }
                None => provider.ua.reject(session, 486, None, Headers::default(), now),
            }
        }
        while let Some(transmit) = provider.poll_transmit() {
            let to = match transmit.to {
                Destination::Flow(flow) => flow.remote,
                Destination::Address { address, .. } => address,
            };
            if !silent {
                socket.send_to(&transmit.bytes, to).expect("loopback takes it");
            }
        }
    }
}

fn sdp(ear: SocketAddr) -> String {
    let (ip, port) = (ear.ip(), ear.port());
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    )
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The demo with a trunk that registers at `servers`, in a folder of its own.
fn with_trunk(servers: &[&Server]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let absolute = |path: &str| project().join("deploy/demo").join(path).display().to_string();
    let demo = demo_anywhere().replace("plans/*.toml", &absolute("plans/*.toml"));
    let demo = demo.replace("plans = [", "plans = [\"out.toml\", ");
    let out = "name = \"out\"\nnumbers = [\"700\"]\n[[level]]\nname = \"hello\"\n[[level.rule]]\n\
               module = \"announce\"\nin = { prompt = \"invalid\" }\n\
               [[level]]\nname = \"out\"\n[[level.rule]]\nmodule = \"transfer\"\n\
               in = { to = \"tel:+33155501\" }\n[[level]]\nname = \"end\"\n[[level.rule]]\nmodule = \"hangup\"\n";
    fs::write(folder.path().join("out.toml"), out).expect("a plan");
    let own = credentials();
    let servers: Vec<_> = servers.iter().map(|server| format!("\"{}\"", server.address)).collect();
    let trunk = format!(
        "\n[[trunk]]\nid = \"acme\"\nservers = [{}]\noptions_interval_s = 1\nallow = [\"+33\"]\ncaller_id = \"33155500\"\n\
         register = {{ user = \"{}\", password = \"{}\", aor = \"{}\" }}\n",
        servers.join(", "),
        own.user,
        own.password,
        own.aor
    );
    let path = folder.path().join("relais.toml");
    fs::write(&path, demo + &trunk).expect("a configuration");
    (folder, path)
}

#[test]
fn a_trunk_registers_refreshes_and_watches_its_server() {
    let server = Server::start(Duration::from_secs(2), 1);
    let (_folder, config) = with_trunk(&[&server]);
    let appliance = Appliance::start(&config);
    let contact = eventually(Duration::from_secs(5), "the trunk is registered", || server.contact());
    assert_eq!(contact, format!("sip:33155500@{}", appliance.sip));
    let end = Instant::now() + Duration::from_secs(6);
    while Instant::now() < end {
        assert!(server.contact().is_some(), "the registration lapses");
        std::thread::sleep(Duration::from_millis(20));
    }
    let (challenged, taken, refused, watched) =
        server.ask(|provider| (provider.challenged, provider.taken, provider.refused, provider.watched));
    // Granted for 2 s, refreshed every second.
    assert!((5..=9).contains(&taken), "{taken} registrations in 6 s");
    // Of the last one the answer to the challenge may still be on its way.
    assert!(
        refused == 0 && (challenged == taken || challenged == taken + 1),
        "{challenged} challenges, {refused} refused"
    );
    assert!((5..=9).contains(&watched), "{watched} OPTIONS in 6 s");
}

#[test]
fn a_trunk_goes_to_the_next_server_and_comes_back() {
    let servers = [Server::start(Duration::from_secs(600), 1), Server::start(Duration::from_secs(600), 2)];
    let (_folder, config) = with_trunk(&[&servers[0], &servers[1]]);
    let _appliance = Appliance::start(&config);
    eventually(Duration::from_secs(5), "the first server has us", || servers[0].contact());
    assert_eq!(servers[1].contact(), None, "one server is enough");
    servers[0].be_silent(true);
    // One second to the next OPTIONS, 64*T1 without an answer to it.
    eventually(Duration::from_secs(36), "the second server has us", || servers[1].contact());
    let before = servers[0].ask(|provider| provider.taken);
    servers[0].be_silent(false);
    eventually(Duration::from_secs(36), "the first server has us again", || {
        (servers[0].ask(|provider| provider.taken) > before).then_some(())
    });
    assert_eq!(servers[0].ask(|provider| provider.refused) + servers[1].ask(|provider| provider.refused), 0);
}

/// A caller of 700 is put through to the outside, and both hear each other; the record. The phones answer to whoever
/// sends first: the announcement begins.
fn put_through(appliance: &Appliance, server: &Server, caller: &str, within: Duration) -> serde_json::Value {
    let (ear, far_ear) = (Endpoint::open(), Endpoint::open());
    server.answer_by(far_ear.address);
    ear.say(430);
    far_ear.say(770);
    let call = Sipp::caller(caller, "700", Duration::from_secs(16)).media(ear.address).start(appliance);
    eventually(within, "the number outside talks", || {
        (appliance.call_from(caller)?["state"] == "talking").then_some(())
    });
    ear.await_tone(770);
    far_ear.await_tone(430);
    call.succeeds(Duration::from_secs(30));
    appliance.record_from(caller)
}

#[test]
fn a_plan_puts_a_caller_through_to_a_number_outside_whichever_server_answers() {
    if sipp::missing("a_plan_puts_a_caller_through_to_a_number_outside_whichever_server_answers") {
        return;
    }
    let servers = [Server::start(Duration::from_secs(600), 1), Server::start(Duration::from_secs(600), 2)];
    let (_folder, config) = with_trunk(&[&servers[0], &servers[1]]);
    let appliance = Appliance::start(&config);
    eventually(Duration::from_secs(5), "the first server has us", || servers[0].contact());
    let record = put_through(&appliance, &servers[0], "33155681", Duration::from_secs(10));
    assert_eq!(
        (record["outcome"].as_str(), record["ended_by"].as_str()),
        (Some("handled"), Some("caller")),
        "{record}"
    );
    let far = &record["legs"][1];
    assert_eq!((far["role"].as_str(), far["address"].as_str()), (Some("outside"), Some("+33155501")), "{record}");
    assert!(far["rtp"]["packets_received"].as_u64().is_some_and(|packets| packets > 50), "{record}");
    // Nobody has noticed yet that the first server is gone: after five seconds the second one is asked.
    servers[0].be_silent(true);
    let record = put_through(&appliance, &servers[1], "33155682", Duration::from_secs(14));
    assert_eq!(record["outcome"], "handled", "{record}");
}
