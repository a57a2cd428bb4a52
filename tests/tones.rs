//! Who hears whom, by ear: every party of a talk sends a tone of its own through a media worker that has been told what the
//! machine of the talk says, and each ear must hold exactly the tones that it should. Every state is entered, from every
//! other way there is, with all codecs mixed.

use std::collections::BTreeSet;
use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use relais::audio::{Decoder, Encoder, sample_rate_hz};
use relais::bridge::{Latch, MediaCommand, MediaPort, PlayItem, Sources, Stream};
use relais::call::Talk;
use relais::call::talk::{Event, Hears, Leave, Member, State};
use relais::ids::{CallId, Language, LegId, PlayId};
use relais::media::{Deaf, Flow, MediaIo, PromptSource, Recorder, Setup, Worker};
use relais::rtp::Header;
use relais::settings::Codec;
use relais::time::Instant;

/// Each leg's codec and tone. No tone is a multiple of another, of ring-back or of the music.
const PARTIES: [(Codec, f64); 4] =
    [(Codec::Pcma, 500.0), (Codec::G722, 730.0), (Codec::Pcmu, 1_130.0), (Codec::Pcma, 1_610.0)];
const CALLER: LegId = LegId(1);
const AGENT: LegId = LegId(2);
const FIRST: LegId = LegId(3);
const SECOND: LegId = LegId(4);
const MUSIC_HZ: f64 = 310.0;
const RING_BACK_HZ: f64 = 425.0;
/// Of full scale.
const LOUDNESS: f64 = 6_000.0;

/// What was sent to each leg, decoded, of the present stretch.
#[derive(Default)]
struct Ears {
    payloads: Vec<Vec<u8>>,
}

impl MediaIo for Ears {
    type Sockets = ();

    fn open(&mut self, place: u32, _: MediaPort) -> bool {
        self.payloads.resize(self.payloads.len().max(place as usize + 1), Vec::new());
        true
    }

    fn send(&mut self, place: u32, flow: Flow, _: SocketAddr, datagram: &[u8]) -> bool {
        if flow == Flow::Rtp
            && let (Some(packet), Some(ear)) = (Header::parse(datagram), self.payloads.get_mut(place as usize))
        {
            ear.extend_from_slice(packet.payload);
        }
        true
    }

    fn take(&mut self, _: u32) -> Option<()> {
        None
    }

    fn put(&mut self, _: u32, (): ()) -> bool {
        false
    }

    fn close(&mut self, _: u32) {}
}

/// The music is a tone as well.
struct Music;

impl PromptSource for Music {
    fn encoded(&self, _: &str, _: &Language, codec: Codec) -> Option<Bytes> {
        let rate = sample_rate_hz(codec);
        let mut octets = vec![0; 8_000];
        let mut encoder = Encoder::new(codec);
        let pcm: Vec<i16> = (0..rate).map(|at| sample(MUSIC_HZ, f64::from(at) / f64::from(rate))).collect();
        encoder.encode(&pcm, &mut octets);
        Some(octets.into())
    }
}

fn sample(hz: f64, at: f64) -> i16 {
    (LOUDNESS * (TAU * hz * at).sin()) as i16
}

struct Scene {
    worker: Worker<Ears>,
    encoders: Vec<Encoder>,
    now: Instant,
    packets: u32,
    plays: u64,
}

impl Scene {
    fn new() -> Scene {
        let setup = Setup {
            dead_leg: Duration::from_secs(3_600),
            ntp_at_zero: 1 << 40,
            seed: [3; 32],
            prompts: Arc::new(Music),
            listener: Arc::new(Deaf),
            recorder: Recorder::new(None, crossbeam_channel::bounded(64).0.into()),
        };
        let mut worker = Worker::new(Ears::default(), setup, Instant(0));
        for (leg, (codec, _)) in (1..).zip(PARTIES) {
            let port = MediaPort(SocketAddr::from(([127, 0, 0, 1], 20_000 + 2 * leg as u16)));
            worker.command(MediaCommand::Open { leg: LegId(leg), call: CallId(1), port }, Instant(0));
            let stream = Box::new(stream(leg, codec));
            worker.command(MediaCommand::Configure { leg: LegId(leg), stream }, Instant(0));
        }
        worker.settle();
        let encoders = PARTIES.iter().map(|(codec, _)| Encoder::new(*codec)).collect();
        Scene { worker, encoders, now: Instant(0), packets: 0, plays: 0 }
    }

    /// Tells the worker what the talk says of every leg, as `Call::wire` does.
    fn wire(&mut self, talk: &Talk) {
        for leg in [CALLER, AGENT, FIRST, SECOND] {
            let (sources, item) = match talk.hears(leg, |_| false) {
                Hears::Voices(sources) => (sources, None),
                Hears::Music => {
                    let item = PlayItem::Prompt { name: "music".to_owned(), language: Language::from("en") };
                    (Sources::new(), Some(item))
                }
                Hears::RingBack => {
                    let (on, off) = (Duration::from_secs(60), Duration::ZERO);
                    (Sources::new(), Some(PlayItem::Tone { frequencies_hz: [RING_BACK_HZ as u16, 0], on, off }))
                }
                Hears::Nothing => (Sources::new(), None),
            };
            self.worker.command(MediaCommand::StopPlay { leg, play: PlayId(self.plays) }, self.now);
            for play in 1..=self.plays {
                self.worker.command(MediaCommand::StopPlay { leg, play: PlayId(play) }, self.now);
            }
            self.worker.command(MediaCommand::Hear { leg, sources }, self.now);
            if let Some(item) = item {
                self.plays += 1;
                let play = PlayId(self.plays);
                self.worker.command(MediaCommand::Play { leg, play, items: vec![item], repeat: true }, self.now);
            }
        }
        self.worker.settle();
    }

    /// All speak for so many packets of 20 ms.
    fn speak(&mut self, packets: u32) {
        for _ in 0..packets {
            for place in 0..PARTIES.len() {
                self.packet(place);
            }
            self.packets += 1;
            let end = self.now + Duration::from_millis(20);
            while let Some(next) = self.worker.next_tick().filter(|next| *next <= end) {
                self.worker.tick(next);
            }
            self.now = end;
        }
    }

    fn packet(&mut self, place: usize) {
        let (codec, hz) = PARTIES[place];
        let rate = f64::from(sample_rate_hz(codec));
        let count = sample_rate_hz(codec) / 50;
        let from = f64::from(self.packets * count);
        let pcm: Vec<i16> = (0..count).map(|at| sample(hz, (from + f64::from(at)) / rate)).collect();
        let mut packet = vec![0; Header::LEN + 160];
        let header = Header {
            marker: false,
            payload_type: payload_type(codec),
            sequence: self.packets as u16,
            timestamp: self.packets * 160,
            ssrc: place as u32,
        };
        header.write(&mut packet);
        self.encoders[place].encode(&pcm, &mut packet[Header::LEN..]);
        self.worker.packet(place as u32, Flow::Rtp, far_end(place as u64 + 1), &mut packet, self.now);
    }

    /// The tones in a leg's ear over the last stretch, by frequency in Hz.
    fn tones(&mut self, leg: LegId) -> BTreeSet<u32> {
        let place = leg.0 as usize - 1;
        let codec = PARTIES[place].0;
        let payload = std::mem::take(&mut self.worker.io.payloads[place]);
        let mut pcm = vec![0i16; payload.len() * sample_rate_hz(codec) as usize / 8_000];
        Decoder::new(codec).decode(&payload, &mut pcm);
        // The filters of the wide codec settle first.
        let pcm = pcm.get(pcm.len() / 4..).unwrap_or_default();
        let known = PARTIES.iter().map(|(_, hz)| *hz).chain([MUSIC_HZ, RING_BACK_HZ]);
        known
            .filter(|hz| level(pcm, *hz, f64::from(sample_rate_hz(codec))) > LOUDNESS / 20.0)
            .map(|hz| hz as u32)
            .collect()
    }
}

/// How loud a tone is in a stretch, by its Fourier coefficient under a Hann window.
fn level(pcm: &[i16], hz: f64, rate: f64) -> f64 {
    let length = pcm.len().max(1) as f64;
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (at, sample) in pcm.iter().enumerate() {
        let window = 1.0 - (TAU * at as f64 / length).cos();
        let angle = TAU * hz * at as f64 / rate;
        real += f64::from(*sample) * window * angle.cos();
        imaginary += f64::from(*sample) * window * angle.sin();
    }
    2.0 * f64::hypot(real, imaginary) / length
}

fn payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Opus => 111,
    }
}

fn far_end(leg: u64) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 9], 40_000 + 2 * leg as u16))
}

fn stream(leg: u64, codec: Codec) -> Stream {
    let remote = far_end(leg);
    Stream {
        remote: Some(remote),
        remote_rtcp: Some(SocketAddr::new(remote.ip(), remote.port() + 1)),
        rtcp_mux: false,
        codec,
        send_payload_type: payload_type(codec),
        receive_payload_type: payload_type(codec),
        send_event_type: Some(101),
        receive_event_type: Some(101),
        ptime: Duration::from_millis(20),
        send: true,
        receive: true,
        latch: Latch::Never,
        security: Default::default(),
    }
}

fn tone(leg: LegId) -> u32 {
    PARTIES[leg.0 as usize - 1].1 as u32
}

/// Who must hear what, worked out by hand for each state; `others` were brought in before.
fn truth(state: State, others: &[LegId], asked: Option<LegId>, agent: bool) -> Vec<(LegId, BTreeSet<u32>)> {
    let apart = matches!(state, State::Calling | State::Briefing | State::Private | State::Held);
    let mut together: Vec<LegId> = vec![CALLER];
    together.extend((agent && !apart).then_some(AGENT));
    together.extend(others);
    let alone = if matches!(state, State::Handing | State::Warming) { RING_BACK_HZ } else { MUSIC_HZ } as u32;
    let mut ears: Vec<(LegId, BTreeSet<u32>)> = together
        .iter()
        .map(|leg| {
            let voices: BTreeSet<u32> = together.iter().filter(|other| *other != leg).map(|leg| tone(*leg)).collect();
            (*leg, if voices.is_empty() { [alone].into() } else { voices })
        })
        .collect();
    match (state, asked) {
        (State::Calling | State::Briefing, _) => ears.push((AGENT, [RING_BACK_HZ as u32].into())),
        (State::Held, _) => ears.push((AGENT, [].into())),
        (State::Private, Some(asked)) => {
            ears.push((AGENT, [tone(asked)].into()));
            ears.push((asked, [tone(AGENT)].into()));
        }
        (State::Swapped, Some(asked)) => ears.push((asked, [MUSIC_HZ as u32].into())),
        _ => {}
    }
    for leg in [CALLER, AGENT, FIRST, SECOND] {
        if ears.iter().all(|(known, _)| *known != leg) {
            ears.push((leg, BTreeSet::new()));
        }
    }
    ears
}

/// After each event of a way through the states every ear is listened to.
fn walk(way: &[Event]) -> BTreeSet<State> {
    let agent = Member { leg: AGENT, agent: true };
    let mut talk = Talk::new(CALLER, agent);
    let mut scene = Scene::new();
    let mut states = BTreeSet::new();
    scene.wire(&talk);
    scene.speak(20);
    for event in [None].into_iter().chain(way.iter().map(Some)) {
        if let Some(event) = event {
            talk.on(*event).unwrap_or_else(|refused| panic!("{event:?}: {refused}"));
            scene.wire(&talk);
            // What was under way when the wiring changed is not judged.
            scene.speak(15);
        }
        scene.worker.io.payloads.iter_mut().for_each(Vec::clear);
        scene.speak(25);
        let asked = talk.asked();
        let others: Vec<LegId> =
            [FIRST, SECOND].into_iter().filter(|leg| talk.has(*leg) && Some(*leg) != asked).collect();
        for (leg, expected) in truth(talk.state(), &others, asked, talk.has(AGENT)) {
            let heard = scene.tones(leg);
            assert_eq!(heard, expected, "leg {leg} after {event:?} of {way:?}, in {:?}", talk.state());
        }
        states.insert(talk.state());
    }
    states
}

#[test]
fn every_ear_holds_exactly_the_tones_that_it_should_in_every_state() {
    let first = Event::Answered(Member { leg: FIRST, agent: false });
    let second = Event::Answered(Member { leg: SECOND, agent: false });
    let left = |leg| Event::Left(leg, Leave::HungUp);
    use Event::{Briefed, Cancel, Complete, Consult, Failed, Hold, Join, Resume, Swap, Transfer};
    let listens = Event::Listens(Member { leg: FIRST, agent: false });
    let ways: [&[Event]; 11] = [
        &[Hold, Resume, Consult, first, Swap, Swap, Cancel],
        &[Consult, Failed, Consult, first, Complete],
        &[Consult, Complete, first],
        &[Transfer, first],
        &[Consult, first, Join, Consult, second, Swap, Swap, Join, left(AGENT), left(FIRST)],
        &[Consult, first, Join, Hold, Resume, Transfer, second],
        &[Consult, first, Join, Consult, second, left(SECOND), left(FIRST)],
        &[Consult, first, left(AGENT)],
        &[Consult, listens, Briefed, Swap, Cancel, Consult, listens, left(FIRST)],
        &[Consult, listens, Complete, Briefed],
        &[Hold, Consult, first, Swap, left(FIRST), Consult, second, Join],
    ];
    let seen: BTreeSet<State> = ways.iter().flat_map(|way| walk(way)).collect();
    let all = [
        State::Talk,
        State::Conference,
        State::Held,
        State::Calling,
        State::Briefing,
        State::Private,
        State::Swapped,
        State::Handing,
        State::Warming,
        State::Handed,
    ];
    assert_eq!(seen, all.into(), "every state is listened to");
}
