//! An RTP endpoint that says a tone and writes down what it hears, and when.

use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::eventually;
use super::sound;

/// 20 ms at 8 kHz.
pub const FRAME: usize = 160;
const PERIOD: Duration = Duration::from_millis(20);

/// An RTP packet of PCMU (RFC 3551) that came in.
#[derive(Clone, Debug)]
pub struct Packet {
    pub at: Instant,
    pub from: SocketAddr,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub payload: Vec<u8>,
}

#[derive(Default)]
struct State {
    tone_hz: Option<u32>,
    /// Payloads that are sent before the tone goes on.
    speech: VecDeque<Vec<u8>>,
    /// Keys to be pressed, by their event codes; and when each went out.
    keys: VecDeque<u8>,
    pressed: Vec<Instant>,
    remote: Option<SocketAddr>,
    received: Vec<Packet>,
    sent: Vec<(Instant, Vec<u8>)>,
}

pub struct Endpoint {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    pub fn open() -> Endpoint {
        let port = super::appliance::free_port();
        let socket = UdpSocket::bind(("127.0.0.1", port)).expect("a free port");
        let (state, stop) = (Arc::new(Mutex::new(State::default())), Arc::new(AtomicBool::new(false)));
        let (shared, stopped) = (state.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            // What is measured is the appliance's punctuality, not ours; without the right to it we go on as we are.
            let _ = rustix::process::nice(-15);
            run(&socket, &shared, &stopped);
        });
        Endpoint { address: ([127, 0, 0, 1], port).into(), state, stop, thread: Some(thread) }
    }

    /// From now on a tone is sent, to wherever packets come from.
    pub fn say(&self, tone_hz: u32) {
        self.state().tone_hz = Some(tone_hz);
    }

    /// Where the far end wants it, before anything has come from there.
    pub fn towards(&self, remote: SocketAddr) {
        self.state().remote = Some(remote);
    }

    /// Says this once, 20 ms after 20 ms. Silence follows where there is no tone.
    pub fn speak(&self, samples: &[i16]) {
        let frames = samples.chunks(FRAME).map(|frame| {
            let mut payload: Vec<u8> = frame.iter().map(|&sample| sound::encode(sample)).collect();
            payload.resize(FRAME, 0xff);
            payload
        });
        self.state().speech.extend(frames);
    }

    /// Whether all that was to be said has been sent.
    pub fn has_spoken(&self) -> bool {
        self.state().speech.is_empty()
    }

    /// Presses a key by RFC 4733, payload type 101.
    pub fn press(&self, key: char) {
        let code = "0123456789*#".find(key).expect("a key of a telephone");
        self.state().keys.push_back(code as u8);
    }

    /// When the last key was pressed that has been.
    pub fn last_key(&self) -> Option<Instant> {
        self.state().pressed.last().copied()
    }

    /// Whether all keys have gone out.
    pub fn has_pressed(&self) -> bool {
        self.state().keys.is_empty()
    }

    /// What came since `since`, as it came.
    pub fn received(&self, since: Instant) -> Vec<Packet> {
        self.state().received.iter().filter(|packet| packet.at >= since).cloned().collect()
    }

    /// The payloads sent since `since`, with their times.
    pub fn sent(&self, since: Instant) -> Vec<(Instant, Vec<u8>)> {
        self.state().sent.iter().filter(|(at, _)| *at >= since).cloned().collect()
    }

    /// The last `length` of what was heard, as linear audio in the order of sequence numbers.
    pub fn heard(&self, length: Duration) -> Vec<i16> {
        let since = Instant::now().checked_sub(length).expect("a clock that runs longer");
        linear(&self.received(since))
    }

    /// Waits until a tone is heard.
    pub fn await_tone(&self, hz: u32) {
        eventually(Duration::from_secs(20), &format!("a tone of {hz} Hz at {}", self.address), || {
            let heard = self.heard(Duration::from_millis(300));
            (heard.len() >= 10 * FRAME && sound::tone_level(&heard, hz) > -28.0).then_some(())
        });
    }

    /// Waits until anything comes.
    pub fn await_audio(&self) {
        eventually(Duration::from_secs(10), "the first RTP packet", || {
            (!self.state().received.is_empty()).then_some(())
        });
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Audio in the order of the sequence numbers, repeats left out.
pub fn linear(packets: &[Packet]) -> Vec<i16> {
    let Some(first) = packets.first() else { return Vec::new() };
    let mut ordered: Vec<_> = packets.iter().filter(|packet| packet.ssrc == first.ssrc).collect();
    ordered.sort_by_key(|packet| packet.sequence.wrapping_sub(first.sequence) as i16);
    ordered.dedup_by_key(|packet| packet.sequence);
    ordered.iter().flat_map(|packet| packet.payload.iter().map(|&octet| sound::decode(octet))).collect()
}

fn run(socket: &UdpSocket, state: &Mutex<State>, stop: &AtomicBool) {
    let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut sequence, mut phase, ssrc) = (1u16, 0usize, socket.local_addr().map_or(1, |at| u32::from(at.port())));
    let mut next = Instant::now() + PERIOD;
    let mut buffer = [0; 2048];
    let mut pressed: Option<(u8, u32, u16)> = None;
    while !stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        if now >= next {
            next += PERIOD;
            let (tone, remote, speech) = {
                let mut state = lock();
                let speech = state.remote.and_then(|_| state.speech.pop_front());
                (state.tone_hz, state.remote, speech)
            };
            if let Some(remote) = remote {
                if pressed.is_none() {
                    pressed = lock().keys.pop_front().map(|code| (code, phase as u32, 0));
                }
                if let Some((code, timestamp, count)) = pressed {
                    let (event, next) = key_packet(code, timestamp, count, sequence, ssrc);
                    if count == 0 {
                        lock().pressed.push(Instant::now());
                    }
                    let _ = socket.send_to(&event, remote);
                    sequence = sequence.wrapping_add(1);
                    phase += FRAME;
                    pressed = next.map(|count| (code, timestamp, count));
                    continue;
                }
            }
            let payload = speech.or_else(|| tone.map(|hz| sound::tone(hz, phase, FRAME)));
            if let (Some(payload), Some(remote)) = (payload, remote) {
                let packet = packet(sequence, phase as u32, ssrc, &payload);
                let at = Instant::now();
                if socket.send_to(&packet, remote).is_ok() {
                    lock().sent.push((at, payload));
                }
                sequence = sequence.wrapping_add(1);
                phase += FRAME;
            }
            continue;
        }
        let wait = (next - now).max(Duration::from_micros(100));
        let _ = socket.set_read_timeout(Some(wait));
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let at = Instant::now();
            if let Some(packet) = parse(&buffer[..length], at, from) {
                let mut state = lock();
                // A second call comes from another port.
                state.remote = Some(from);
                state.received.push(packet);
            }
        }
    }
}

/// One packet of a key of 100 ms (RFC 4733 §2.5.1), and the number of the next one: five, and the end three times.
fn key_packet(code: u8, timestamp: u32, count: u16, sequence: u16, ssrc: u32) -> (Vec<u8>, Option<u16>) {
    let end = if count >= 5 { 0x80 } else { 0 };
    let duration = (count.min(4) + 1) * FRAME as u16;
    let [high, low] = duration.to_be_bytes();
    let mut packet = packet(sequence, timestamp, ssrc, &[code, end | 10, high, low]);
    packet[1] = if count == 0 { 0x80 | 101 } else { 101 };
    (packet, (count < 7).then_some(count + 1))
}

/// RFC 3550 §5.1
fn packet(sequence: u16, timestamp: u32, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}

fn parse(bytes: &[u8], at: Instant, from: SocketAddr) -> Option<Packet> {
    let (head, payload) = bytes.split_at_checked(12)?;
    if head[0] != 0x80 || head[1] & 0x7f != 0 {
        return None;
    }
    Some(Packet {
        at,
        from,
        sequence: u16::from_be_bytes([head[2], head[3]]),
        timestamp: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
        ssrc: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
        payload: payload.to_vec(),
    })
}

/// The longest time between two arrivals, less what the talker itself was late; and whether frames are missing.
pub fn worst_gap(packets: &[Packet]) -> Duration {
    packets.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap_or_default()
}

/// How much later than 20 ms the talker sent at worst.
pub fn talkers_fault(sent: &[(Instant, Vec<u8>)]) -> Duration {
    let worst = sent.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap_or_default();
    worst.saturating_sub(PERIOD)
}
