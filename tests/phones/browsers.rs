//! Media with keys. Browsers call, by a peer of our own (`support/browser.rs`): its SIP goes over UDP as a trunk's, since what is offered and not the
//! transport makes a call a browser's. Phones with keys in their descriptions, or a handshake, are baresip.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use super::appliance::Appliance;
use super::baresip::{self, Baresip};
use super::browser::Browser;
use super::eventually;
use super::reload::{change, copy_of_the_demo};
use super::rtp::Endpoint;
use super::sipp::{self, Sipp};
use super::sound::tone_level;

/// One call of a browser's, as far as SIP goes.
struct Page {
    socket: UdpSocket,
    call: String,
    from: String,
    to: String,
    target: String,
    cseq: u32,
    pub dialled: Instant,
}

impl Page {
    /// Calls a number; the answer comes with 200.
    fn dial(appliance: &Appliance, from: &str, number: &str, browser: &Browser) -> Page {
        let socket = UdpSocket::bind("127.0.0.3:0").expect("a free port");
        socket.connect(appliance.sip).expect("loopback");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        let target = format!("sip:{number}@{}", appliance.sip);
        let mut page = Page {
            socket,
            call: format!("page-{from}-{number}"),
            from: format!("<sip:{from}@browser.invalid>;tag={from}"),
            to: format!("<{target}>"),
            target,
            cseq: 0,
            dialled: Instant::now(),
        };
        page.offer(browser, "sendrecv");
        page
    }

    /// An INVITE or a new one, its 200 and the ACK.
    fn offer(&mut self, browser: &Browser, direction: &str) -> String {
        let offer = browser.describe("actpass", direction);
        self.request("INVITE", &offer);
        loop {
            let response = self.receive();
            let status = response.split(' ').nth(1).unwrap_or_default().to_owned();
            match status.as_str() {
                status if status.starts_with('1') => {}
                "200" => {
                    self.to = header(&response, "To").to_owned();
                    let contact = header(&response, "Contact");
                    self.target =
                        contact.trim_start_matches('<').split(['>', ';']).next().unwrap_or(contact).to_owned();
                    self.request("ACK", "");
                    let answer = response.split("\r\n\r\n").nth(1).expect("a body").to_owned();
                    browser.take(&answer);
                    return answer;
                }
                _ => panic!("the call is refused: {response}"),
            }
        }
    }

    fn hang_up(mut self) {
        self.request("BYE", "");
        assert!(self.receive().starts_with("SIP/2.0 200"));
    }

    fn request(&mut self, method: &str, body: &str) {
        if method != "ACK" {
            self.cseq += 1;
        }
        let Page { call, from, to, target, cseq, .. } = self;
        let own = self.socket.local_addr().expect("an address");
        let text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{call}{cseq}{method};rport\r\nMax-Forwards: 70\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: {call}\r\nCSeq: {cseq} {method}\r\nContact: <sip:page@{own}>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.socket.send(text.as_bytes()).expect("loopback takes it");
    }

    fn receive(&self) -> String {
        let mut buffer = [0; 8192];
        let length = self.socket.recv(&mut buffer).expect("an answer in time");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }
}

fn header<'m>(message: &'m str, name: &str) -> &'m str {
    let wanted = format!("{name}: ");
    message.lines().find_map(|line| line.strip_prefix(&wanted)).unwrap_or_default()
}

fn hears(browser: &Browser, hz: u32) -> bool {
    let heard = browser.heard(Duration::from_millis(500));
    heard.len() > 3_000 && tone_level(&heard, hz) > -25.0
}

#[test]
fn a_browser_hears_its_own_voice_at_600() {
    let appliance = Appliance::demo();
    let browser = Browser::open();
    browser.say(440);
    let page = Page::dial(&appliance, "0155501001", "600", &browser);
    eventually(Duration::from_secs(3), "the handshake", || browser.is_connected().then_some(()));
    eventually(Duration::from_secs(10), "the echo", || hears(&browser, 440).then_some(()));
    browser.say(1_000);
    eventually(Duration::from_secs(3), "another tone", || hears(&browser, 1_000).then_some(()));
    let first = browser.first_audio().expect("audio").duration_since(page.dialled);
    println!("INVITE to first audio: {first:?}");
    assert!(first < Duration::from_secs(1), "{first:?}");
    page.hang_up();
    appliance.await_quiet();
    let record = appliance.record_from("0155501001");
    let rtp = &record["legs"][0]["rtp"];
    assert!(rtp["packets_received"].as_u64().is_some_and(|packets| packets > 50), "{record}");
    assert_eq!(rtp["lost"], 0, "{record}");
    assert_eq!(appliance.metric("relais_rtp_not_authentic_total"), 0.0);
}

#[test]
fn a_held_browser_is_silent_and_comes_back() {
    let appliance = Appliance::demo();
    let browser = Browser::open();
    browser.say(440);
    let mut page = Page::dial(&appliance, "0155501002", "600", &browser);
    eventually(Duration::from_secs(10), "the echo", || hears(&browser, 440).then_some(()));
    assert!(page.offer(&browser, "inactive").contains("a=inactive\r\n"));
    eventually(Duration::from_secs(3), "silence", || {
        browser.heard(Duration::from_millis(400)).is_empty().then_some(())
    });
    assert!(page.offer(&browser, "sendrecv").contains("a=sendrecv\r\n"));
    eventually(Duration::from_secs(3), "the echo again", || hears(&browser, 440).then_some(()));
    page.hang_up();
}

#[test]
fn a_browser_that_vanishes_is_noticed_by_its_checks() {
    let appliance = Appliance::demo();
    let browser = Browser::open();
    let _page = Page::dial(&appliance, "0155501003", "600", &browser);
    eventually(Duration::from_secs(5), "the handshake", || browser.is_connected().then_some(()));
    browser.vanish();
    let gone = Instant::now();
    eventually(Duration::from_secs(20), "the end", || appliance.call_from("0155501003").is_none().then_some(()));
    assert!(gone.elapsed() > Duration::from_secs(5), "not before a check or two were missed");
}

/// The demo with the full side of ICE; the folder is its configuration's.
fn full_demo() -> (tempfile::TempDir, Appliance) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = copy_of_the_demo(folder.path());
    change(&config, "[rtp]\n", "[rtp]\nice = \"full\"\n");
    let appliance = Appliance::start(&config);
    (folder, appliance)
}

#[test]
fn the_full_side_checks_a_browser_that_names_no_place_of_its_own() {
    let (_folder, appliance) = full_demo();
    let browser = Browser::open();
    browser.say(440);
    let mut page = Page::dial(&appliance, "0155501004", "600", &browser);
    eventually(Duration::from_secs(3), "the handshake", || browser.is_connected().then_some(()));
    eventually(Duration::from_secs(10), "the echo", || hears(&browser, 440).then_some(()));
    let first = browser.first_audio().expect("audio").duration_since(page.dialled);
    println!("INVITE to first audio: {first:?}");
    assert!(first < Duration::from_secs(1), "{first:?}");
    assert!(page.offer(&browser, "inactive").contains("a=ice-options:ice2\r\n"));
    assert!(!page.offer(&browser, "sendrecv").contains("a=ice-lite"));
    std::thread::sleep(Duration::from_secs(13));
    eventually(Duration::from_secs(3), "the echo after the time of consent", || hears(&browser, 440).then_some(()));
    page.hang_up();
    appliance.await_quiet();
    assert_eq!(appliance.metric("relais_rtp_not_authentic_total"), 0.0);
}

#[test]
fn the_full_side_notices_a_browser_that_vanishes() {
    let (_folder, appliance) = full_demo();
    let browser = Browser::open();
    let _page = Page::dial(&appliance, "0155501005", "600", &browser);
    eventually(Duration::from_secs(5), "the handshake", || browser.is_connected().then_some(()));
    browser.vanish();
    let gone = Instant::now();
    eventually(Duration::from_secs(20), "the end", || appliance.call_from("0155501005").is_none().then_some(()));
    assert!(gone.elapsed() > Duration::from_secs(5), "not before a check or two were missed");
}

#[test]
fn a_softphone_with_keys_in_its_description_talks_to_a_plain_caller() {
    const NAME: &str = "a_softphone_with_keys_in_its_description_talks_to_a_plain_caller";
    if sipp::missing(NAME) || baresip::missing(NAME) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = copy_of_the_demo(folder.path());
    change(
        &config,
        "id = \"201..202\"\nname = \"Agent {id}\"\npassword",
        "id = \"201..202\"\nname = \"Agent {id}\"\nsrtp = \"require\"\npassword",
    );
    let appliance = Appliance::start(&config);
    let softphone = Baresip::protected(&appliance, "202", 770, ("module srtp.so\n", ";mediaenc=srtp-mand"));
    let caller = Endpoint::open();
    caller.say(430);
    let call = Sipp::caller("33155641", "610", Duration::from_secs(7)).media(caller.address).start(&appliance);
    caller.await_tone(770);
    eventually(Duration::from_secs(5), "the caller at the agent", || {
        (tone_level(&softphone.ear(Duration::from_secs(1)), 430) > -25.0).then_some(())
    });
    call.succeeds(Duration::from_secs(15));
    let record = appliance.record_from("33155641");
    assert_eq!((record["outcome"].as_str(), record["agent"].as_str()), (Some("handled"), Some("202")), "{record}");
    assert_eq!(appliance.metric("relais_rtp_not_authentic_total"), 0.0);
}

#[test]
fn a_softphone_that_shakes_hands_hears_its_own_voice() {
    const NAME: &str = "a_softphone_that_shakes_hands_hears_its_own_voice";
    if sipp::missing(NAME) || baresip::missing(NAME) {
        return;
    }
    let appliance = Appliance::demo();
    let softphone = Baresip::protected(&appliance, "201", 770, ("module dtls_srtp.so\n", ";mediaenc=dtls_srtp"));
    softphone.does("dial", &format!("sip:600@{}", appliance.sip));
    eventually(Duration::from_secs(12), "the echo", || {
        (tone_level(&softphone.ear(Duration::from_secs(1)), 770) > -25.0).then_some(())
    });
    softphone.does("hangup", "");
    appliance.await_quiet();
}
