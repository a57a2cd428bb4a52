//! Caller and agent in talk: each hears the other, whole and in time.

use std::time::{Duration, Instant};

use super::appliance::Appliance;
use super::baresip::{self, Baresip};
use super::eventually;
use super::rtp::{self, Endpoint};
use super::sipp::{self, Sipp};
use super::sound;

const CALLER_HZ: u32 = 430;
const AGENT_HZ: u32 = 770;
/// The bound on the time between two packets.
const GAP: Duration = Duration::from_millis(40);
const TALK: Duration = Duration::from_secs(5);

#[test]
fn each_side_hears_every_frame_of_the_other_in_time() {
    if sipp::missing("each_side_hears_every_frame_of_the_other_in_time") {
        return;
    }
    let appliance = Appliance::demo();
    let (caller, agent) = (Endpoint::open(), Endpoint::open());
    let phone = sipp::phone(&appliance, "201", Sipp::agent("agent_answers", "201").media(agent.address));
    caller.say(CALLER_HZ);
    agent.say(AGENT_HZ);
    let call = Sipp::caller("33155611", "610", TALK + Duration::from_secs(4)).media(caller.address).start(&appliance);
    agent.await_tone(CALLER_HZ);
    caller.await_tone(AGENT_HZ);
    let since = Instant::now();
    std::thread::sleep(TALK);
    hears(&agent, &caller, CALLER_HZ, AGENT_HZ, since, "the agent");
    hears(&caller, &agent, AGENT_HZ, CALLER_HZ, since, "the caller");
    call.succeeds(Duration::from_secs(15));
    phone.succeeds(Duration::from_secs(5));
    let record = appliance.record_from("33155611");
    assert_eq!((record["outcome"].as_str(), record["agent"].as_str()), (Some("handled"), Some("201")), "{record}");
    for leg in record["legs"].as_array().expect("legs") {
        let lost = &leg["rtp"]["lost"];
        assert_eq!(lost.as_u64(), Some(0), "{leg}");
        assert!(leg["rtp"]["packets_received"].as_u64() > Some(200), "{leg}");
    }
}

/// `ear` hears the tone of `mouth` since `since`: every frame once, in order, unaltered, none late, and nothing of itself.
fn hears(ear: &Endpoint, mouth: &Endpoint, hz: u32, own_hz: u32, since: Instant, who: &str) {
    let (heard, said) = (ear.received(since), mouth.sent(since - Duration::from_millis(500)));
    let late = rtp::talkers_fault(&said);
    let gap = rtp::worst_gap(&heard);
    assert!(gap <= GAP + late, "{who}: a gap of {gap:?}, of which the talker was late by {late:?} at worst");
    let wanted = TALK.as_millis() as usize / 20;
    assert!(heard.len() + 3 >= wanted, "{who}: {} frames of {wanted}", heard.len());
    for pair in heard.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1), "{who}: a frame is missing or out of order");
        assert_eq!(pair[1].ssrc, pair[0].ssrc, "{who}: the stream changes in mid-talk");
    }
    // The tone repeats every few frames, so each frame heard is compared with the one said at its place.
    let first = heard.first().expect("frames").payload.as_slice();
    let place = said.iter().position(|(_, payload)| payload == first);
    let place = place.unwrap_or_else(|| panic!("{who}: what is heard was never said"));
    for (number, packet) in heard.iter().enumerate() {
        let Some((_, payload)) = said.get(place + number) else { break };
        assert!(packet.payload == *payload, "{who}: frame {number} is not what was said");
    }
    let sound = rtp::linear(&heard);
    let (other, own) = (sound::tone_level(&sound, hz), sound::tone_level(&sound, own_hz));
    assert!(
        (other + 16.0).abs() < 1.0 && own < -46.0,
        "{who}: {hz} Hz at {other:.1} dB, their own {own_hz} Hz at {own:.1} dB"
    );
}

#[test]
fn an_agent_with_a_softphone_talks_to_the_caller() {
    const NAME: &str = "an_agent_with_a_softphone_talks_to_the_caller";
    if sipp::missing(NAME) || baresip::missing(NAME) {
        return;
    }
    let appliance = Appliance::demo();
    let softphone = Baresip::start(&appliance, "202", AGENT_HZ);
    let caller = Endpoint::open();
    caller.say(CALLER_HZ);
    let call = Sipp::caller("33155612", "610", Duration::from_secs(7)).media(caller.address).start(&appliance);
    caller.await_tone(AGENT_HZ);
    let since = Instant::now();
    std::thread::sleep(Duration::from_secs(3));
    let heard = caller.received(since);
    for pair in heard.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1), "a frame is missing or out of order");
    }
    let level = sound::tone_level(&rtp::linear(&heard), AGENT_HZ);
    assert!(level > -18.0, "the caller hears the agent at {level:.1} dB");
    call.succeeds(Duration::from_secs(15));
    let heard = eventually(Duration::from_secs(5), "the softphone's recording", || {
        Some(softphone.heard()).filter(|heard| heard.len() > 3 * 8000)
    });
    // The first moments of a talk may fall between the answer and the softphone's own start.
    let middle = &heard[heard.len() / 3..heard.len() * 2 / 3];
    let level = sound::tone_level(middle, CALLER_HZ);
    assert!(level > -18.0, "the softphone hears the caller at {level:.1} dB");
    let record = appliance.record_from("33155612");
    assert_eq!((record["outcome"].as_str(), record["agent"].as_str()), (Some("handled"), Some("202")), "{record}");
    appliance.await_agent("202", "wrap_up");
    appliance.await_agent("202", "available");
}

#[test]
fn a_stranger_reaches_no_ear_and_gets_nothing() {
    if sipp::missing("a_stranger_reaches_no_ear_and_gets_nothing") {
        return;
    }
    let appliance = Appliance::demo();
    let (caller, agent) = (Endpoint::open(), Endpoint::open());
    let _phone = sipp::phone(&appliance, "201", Sipp::agent("agent_answers", "201").media(agent.address));
    caller.say(CALLER_HZ);
    agent.say(AGENT_HZ);
    let call = Sipp::caller("33155613", "610", Duration::from_secs(6)).media(caller.address).start(&appliance);
    agent.await_tone(CALLER_HZ);
    caller.await_tone(AGENT_HZ);
    let since = Instant::now();
    let port = caller.received(since - Duration::from_secs(1)).last().expect("audio").from;
    let stranger = std::net::UdpSocket::bind("127.0.0.3:0").expect("a port");
    stranger.set_nonblocking(true).expect("a socket");
    let noise = sound::tone(2270, 0, rtp::FRAME);
    for number in 0..500u16 {
        let mut packet = vec![0x80, 0];
        packet.extend(number.to_be_bytes());
        packet.extend((u32::from(number) * 160).to_be_bytes());
        packet.extend(0xbad_cafe_u32.to_be_bytes());
        packet.extend(&noise);
        stranger.send_to(&packet, port).expect("loopback takes it");
        std::thread::sleep(Duration::from_millis(2));
    }
    let heard = rtp::linear(&agent.received(since));
    let (theirs, callers) = (sound::tone_level(&heard, 2270), sound::tone_level(&heard, CALLER_HZ));
    assert!(
        theirs < -50.0 && callers > -18.0,
        "the agent hears the stranger at {theirs:.1} dB, the caller at {callers:.1} dB"
    );
    assert!(stranger.recv_from(&mut [0; 2048]).is_err(), "something was sent to the stranger");
    call.succeeds(Duration::from_secs(15));
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// Stands between two endpoints as the appliance would, and treats the frames towards the second as `fate` says:
    /// how long each is held, or that it is lost.
    fn relayed(fate: impl Fn(usize) -> Option<Duration> + Send + 'static) -> (Endpoint, Endpoint, Instant) {
        let (caller, agent) = (Endpoint::open(), Endpoint::open());
        caller.say(CALLER_HZ);
        agent.say(AGENT_HZ);
        let sockets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a port"));
        let ends = [caller.address, agent.address];
        let mut silence = vec![0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        silence.extend([0xff; rtp::FRAME]);
        let until = Instant::now() + TALK + Duration::from_secs(2);
        for side in [0, 1] {
            sockets[side].send_to(&silence, ends[side]).expect("loopback takes it");
        }
        let [first, second] = sockets;
        let (to_first, to_second) = (first.try_clone().expect("a socket"), second.try_clone().expect("a socket"));
        let relay = move |from: UdpSocket, to: UdpSocket, end, fate: Box<dyn Fn(usize) -> Option<Duration> + Send>| {
            std::thread::spawn(move || {
                let _ = rustix::process::nice(-15);
                from.set_read_timeout(Some(Duration::from_millis(100))).expect("a socket");
                let (mut buffer, mut number) = ([0; 2048], 0);
                while Instant::now() < until {
                    let Ok(length) = from.recv(&mut buffer) else { continue };
                    number += 1;
                    let Some(hold) = fate(number) else { continue };
                    std::thread::sleep(hold);
                    let _ = to.send_to(&buffer[..length], end);
                }
            })
        };
        relay(first, to_second, ends[1], Box::new(fate));
        relay(second, to_first, ends[0], Box::new(|_| Some(Duration::ZERO)));
        agent.await_tone(CALLER_HZ);
        caller.await_tone(AGENT_HZ);
        let since = Instant::now();
        std::thread::sleep(TALK);
        (caller, agent, since)
    }

    #[test]
    fn the_measure_finds_what_it_should() {
        let judged = |fate: fn(usize) -> Option<Duration>| {
            let (caller, agent, since) = relayed(fate);
            let judge = || {
                hears(&agent, &caller, CALLER_HZ, AGENT_HZ, since, "the agent");
                hears(&caller, &agent, AGENT_HZ, CALLER_HZ, since, "the caller");
            };
            catch_unwind(AssertUnwindSafe(judge))
        };
        judged(|_| Some(Duration::ZERO)).expect("a faithful relay passes");
        judged(|number| (number != 150).then_some(Duration::ZERO)).expect_err("a lost frame is found");
        let late = |number| Some(if number == 150 { Duration::from_millis(70) } else { Duration::ZERO });
        judged(late).expect_err("a gap is found");
    }
}
