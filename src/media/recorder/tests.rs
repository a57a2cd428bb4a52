//! Files as they come out, read by another decoder.

use std::f64::consts::TAU;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant as Clock;

use super::take::Take;
use super::*;
use crate::audio::{Encoder, sample_rate_hz};
use crate::vault::Keyring;

const TERMS: RecordTerms = RecordTerms { both: true, longest: Duration::from_secs(60), silence: None };

fn id(number: u128) -> RecordingId {
    RecordingId::new(1_764_328_000_000, number)
}

/// 20 ms frames of a tone, encoded.
struct Talker {
    codec: Codec,
    encoder: Encoder,
    hz: f64,
    sample: usize,
}

impl Talker {
    fn new(codec: Codec, hz: f64) -> Talker {
        Talker { codec, encoder: Encoder::new(codec), hz, sample: 0 }
    }

    fn frame(&mut self) -> [u8; 160] {
        let rate = f64::from(sample_rate_hz(self.codec));
        let pcm: Vec<i16> = (0..sample_rate_hz(self.codec) as usize / 50)
            .map(|n| (8000.0 * (TAU * self.hz * (self.sample + n) as f64 / rate).sin()) as i16)
            .collect();
        self.sample += pcm.len();
        let mut frame = [0; 160];
        self.encoder.encode(&pcm, &mut frame);
        frame
    }
}

fn chunk(side: Side, codec: Codec, timestamp: u32, at: u32, audio: [u8; 160]) -> Chunk {
    Chunk { serial: 0, side, codec, timestamp, at, octets: 160, audio }
}

fn begin(folder: &Path, number: u128, terms: RecordTerms, codec: Codec) -> Take {
    Take::begin(folder, None, id(number), terms, codec, Clock::now()).unwrap()
}

/// Rate, channels and interleaved samples.
fn read(path: &Path) -> (u32, usize, Vec<i16>) {
    use symphonia::core::codecs::audio::AudioDecoderOptions;
    use symphonia::core::formats::TrackType;
    use symphonia::core::io::MediaSourceStream;
    let file = fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let stream = MediaSourceStream::new(Box::new(file), Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(&Default::default(), stream, Default::default(), Default::default())
        .expect("a sound file");
    let track = format.default_track(TrackType::Audio).expect("a track");
    let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio()).expect("sound").clone();
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(&parameters, &AudioDecoderOptions::default())
        .expect("a decoder");
    let mut samples: Vec<i16> = Vec::new();
    while let Ok(Some(packet)) = format.next_packet() {
        let mut some: Vec<i16> = Vec::new();
        decoder.decode(&packet).expect("a sound packet").copy_to_vec_interleaved(&mut some);
        samples.extend(some);
    }
    let channels = parameters.channels.as_ref().map_or(0, |channels| channels.count());
    (parameters.sample_rate.expect("a rate"), channels, samples)
}

/// The level of one frequency, as a share of a full sine of amplitude 8000.
fn share(samples: &[i16], hz: f64, rate: f64) -> f64 {
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let angle = TAU * hz * n as f64 / rate;
        real += f64::from(*sample) * angle.cos();
        imaginary += f64::from(*sample) * angle.sin();
    }
    2.0 * (real * real + imaginary * imaginary).sqrt() / samples.len() as f64 / 8000.0
}

fn channel(samples: &[i16], number: usize) -> Vec<i16> {
    samples.iter().skip(number).step_by(2).copied().collect()
}

#[test]
fn the_far_end_is_left_and_what_it_is_sent_is_right_in_every_codec() {
    let folder = tempfile::tempdir().unwrap();
    for (number, codec) in [Codec::Pcmu, Codec::Pcma, Codec::G722].into_iter().enumerate() {
        let mut take = begin(folder.path(), number as u128, TERMS, codec);
        let (mut caller, mut agent) = (Talker::new(codec, 440.0), Talker::new(codec, 1000.0));
        for n in 0..250u32 {
            take.put(&chunk(Side::Far, codec, 77_000 + 160 * n, 160 * n, caller.frame()));
            take.put(&chunk(Side::Near, codec, 5 + 160 * n, 160 * n, agent.frame()));
            take.advance(u64::from(160 * n), &mut |_| {});
        }
        let RecordingEvent::Ended(recorded) = take.end(folder.path(), 40_000) else { panic!("not ended well") };
        assert_eq!(recorded.duration, Duration::from_secs(5));
        assert!(recorded.voiced > Duration::from_millis(4_900), "{recorded:?}");
        let path = folder.path().join(relative(id(number as u128), Form::Plain));
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.permissions().mode() & 0o777, metadata.len()), (0o600, recorded.octets));
        let (rate, channels, samples) = read(&path);
        assert_eq!((rate, channels), (sample_rate_hz(codec), 2));
        assert_eq!(samples.len(), 2 * 5 * rate as usize);
        let rate = f64::from(rate);
        let (left, right) = (channel(&samples, 0), channel(&samples, 1));
        assert!(share(&left, 440.0, rate) > 0.9 && share(&left, 1000.0, rate) < 0.02, "{codec:?}");
        assert!(share(&right, 1000.0, rate) > 0.9 && share(&right, 440.0, rate) < 0.02, "{codec:?}");
    }
    assert_eq!(fs::read_dir(under_way(folder.path())).unwrap().count(), 0);
}

#[test]
fn packets_out_of_order_are_put_in_place_and_lost_ones_are_silence() {
    let folder = tempfile::tempdir().unwrap();
    let mut take = begin(folder.path(), 1, RecordTerms { both: false, ..TERMS }, Codec::Pcmu);
    let mut caller = Talker::new(Codec::Pcmu, 440.0);
    let frames: Vec<_> = (0..100).map(|_| caller.frame()).collect();
    // Pairs change places; one in ten is lost.
    for n in 0..100usize {
        let number = n ^ 1;
        if number % 10 != 5 {
            take.put(&chunk(Side::Far, Codec::Pcmu, 160 * number as u32, 160 * n as u32, frames[number]));
        }
        take.advance(160 * n as u64, &mut |_| {});
    }
    take.end(folder.path(), 16_000);
    let (_, channels, samples) = read(&folder.path().join(relative(id(1), Form::Plain)));
    assert_eq!((channels, samples.len()), (1, 16_000));
    // The first that came was the second frame: all stand one frame later, as it came.
    let mut wanted: Vec<i16> = vec![0; 16_000];
    let mut decoder = crate::audio::Decoder::new(Codec::Pcmu);
    for (number, frame) in frames.iter().enumerate().filter(|(number, _)| number % 10 != 5) {
        let mut pcm = [0; 160];
        decoder.decode(frame, &mut pcm);
        let at = 160 * number as i64 - 160;
        for (n, sample) in pcm.iter().enumerate() {
            if let Some(place) = usize::try_from(at + n as i64).ok().and_then(|at| wanted.get_mut(at)) {
                *place = *sample;
            }
        }
    }
    assert_eq!(samples, wanted);
}

#[test]
fn what_was_held_back_and_comes_all_at_once_stands_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let mut take = begin(folder.path(), 1, RecordTerms { both: false, ..TERMS }, Codec::Pcmu);
    let mut caller = Talker::new(Codec::Pcmu, 440.0);
    let mut wanted = Vec::new();
    let mut decoder = crate::audio::Decoder::new(Codec::Pcmu);
    for n in 0..150u32 {
        let frame = caller.frame();
        let mut pcm = [0; 160];
        decoder.decode(&frame, &mut pcm);
        wanted.extend(pcm);
        // From the 50th on 800 ms are held back.
        let at = if (50..90).contains(&n) { 90 } else { n };
        take.put(&chunk(Side::Far, Codec::Pcmu, 160 * n, 160 * at, frame));
        take.advance(u64::from(160 * at), &mut |_| {});
    }
    take.end(folder.path(), 24_000);
    let (_, _, samples) = read(&folder.path().join(relative(id(1), Form::Plain)));
    assert!(samples == wanted, "nothing is moved, and nothing is missing");
}

#[test]
fn the_last_that_came_is_written_whole_though_it_lasts_beyond_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut take = begin(folder.path(), 1, RecordTerms { both: false, ..TERMS }, Codec::Pcmu);
    let mut caller = Talker::new(Codec::Pcmu, 440.0);
    for n in 0..150u32 {
        // The first packet is late by 6 ms, and gives all the others their places.
        let late = if n == 0 { 48 } else { 0 };
        take.put(&chunk(Side::Far, Codec::Pcmu, 160 * n, 160 * n + late, caller.frame()));
        take.advance(u64::from(160 * n), &mut |_| {});
    }
    take.end(folder.path(), 160 * 149);
    let (_, _, samples) = read(&folder.path().join(relative(id(1), Form::Plain)));
    assert_eq!(samples.len(), 48 + 160 * 150);
    assert!(share(&samples[48 + 160 * 149..], 440.0, 8000.0) > 0.9, "the last 20 ms are missing");
}

#[test]
fn a_sender_that_starts_anew_goes_on_where_it_is_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut take = begin(folder.path(), 1, RecordTerms { both: false, ..TERMS }, Codec::Pcmu);
    let mut caller = Talker::new(Codec::Pcmu, 440.0);
    for n in 0..150u32 {
        // A second of nothing, and other timestamps after it.
        let restart = if n < 50 { 0 } else { 3_000_000_000 };
        if !(50..100).contains(&n) {
            take.put(&chunk(Side::Far, Codec::Pcmu, restart + 160 * n, 160 * n, caller.frame()));
        }
        take.advance(u64::from(160 * n), &mut |_| {});
    }
    take.end(folder.path(), 24_000);
    let (_, _, samples) = read(&folder.path().join(relative(id(1), Form::Plain)));
    let loud = |range: std::ops::Range<usize>| share(&samples[range], 440.0, 8000.0);
    assert!(loud(0..8000) > 0.9 && loud(16_000..24_000) > 0.9);
    assert!(samples[8000..16_000].iter().all(|sample| *sample == 0));
}

#[test]
fn silence_and_the_longest_time_are_told_once_and_no_more_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let terms = RecordTerms { both: false, longest: Duration::from_secs(10), silence: Some(Duration::from_secs(3)) };
    let mut take = begin(folder.path(), 1, terms, Codec::Pcmu);
    let mut caller = Talker::new(Codec::Pcmu, 440.0);
    let mut told = Vec::new();
    for n in 0..600u32 {
        if n < 100 {
            take.put(&chunk(Side::Far, Codec::Pcmu, 160 * n, 160 * n, caller.frame()));
        }
        take.advance(u64::from(160 * n), &mut |event| told.push((n, event)));
    }
    let told: Vec<_> = told.iter().map(|(n, event)| (n / 10, event.clone())).collect();
    assert_eq!(told, [(25, RecordingEvent::Silence), (50, RecordingEvent::Full)]);
    let RecordingEvent::Ended(recorded) = take.end(folder.path(), 96_000) else { panic!("not ended well") };
    assert_eq!(recorded.duration, Duration::from_secs(10));
    assert_eq!(recorded.voiced, Duration::from_secs(2));
}

#[test]
fn what_a_crash_leaves_is_readable_and_found_by_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut take = begin(folder.path(), 9, RecordTerms { both: false, ..TERMS }, Codec::Pcmu);
    let mut caller = Talker::new(Codec::Pcmu, 440.0);
    for n in 0..500u32 {
        take.put(&chunk(Side::Far, Codec::Pcmu, 160 * n, 160 * n, caller.frame()));
        take.advance(u64::from(160 * n), &mut |_| {});
    }
    // Neither ended nor dropped: what stands in memory is lost, as by kill -9.
    std::mem::forget(take);
    let (events, _told) = bounded(8);
    assert_eq!(Recorder::new(Some(folder.path().to_owned()), events.into()).recover(), [id(9)]);
    let (rate, _, samples) = read(&folder.path().join(relative(id(9), Form::Plain)));
    assert!(samples.len() >= 7 * 8000, "of 10 s, {} samples are left", samples.len());
    assert!(share(&samples, 440.0, f64::from(rate)) > 0.9);
}

#[test]
fn a_recording_by_the_thread_begins_ends_and_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let (events, told) = bounded(64);
    let recorder = Recorder::new(Some(folder.path().to_owned()), events.into());
    let next = || match told.recv_timeout(Duration::from_secs(10)).unwrap() {
        MediaEvent::Recording { recording, event } => (recording, event),
        other => panic!("{other:?}"),
    };
    let tap = recorder.begin(id(1), TERMS, Codec::Pcmu, Instant(0)).unwrap();
    assert_eq!(next(), (id(1), RecordingEvent::Started));
    let mut caller = Talker::new(Codec::Pcmu, 440.0);
    for n in 0..10u32 {
        tap.far(Codec::Pcmu, 160 * n, &caller.frame(), Instant(20_000_000 * u64::from(n)));
    }
    std::thread::sleep(Duration::from_millis(250));
    drop(tap);
    let (recording, RecordingEvent::Ended(recorded)) = next() else { panic!("not ended well") };
    assert!(recording == id(1) && recorded.voiced >= Duration::from_millis(180), "{recorded:?}");
    let path = folder.path().join(relative(id(1), Form::Plain));
    assert!(path.is_file());
    assert_eq!(recorder.counters().active.load(Ordering::Relaxed), 0);
    recorder.discard(id(1));
    recorder.stop();
    assert!(!path.exists());
}

#[test]
fn what_cannot_be_opened_fails_by_name_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    // A file stands where the folder should be.
    let blocked = folder.path().join("recordings");
    fs::write(&blocked, "").unwrap();
    let (events, told) = bounded(8);
    let recorder = Recorder::new(Some(blocked), events.into());
    let tap = recorder.begin(id(1), TERMS, Codec::Pcmu, Instant(0)).unwrap();
    let MediaEvent::Recording { event: RecordingEvent::Failed { why, .. }, .. } =
        told.recv_timeout(Duration::from_secs(10)).unwrap()
    else {
        panic!("it did not fail")
    };
    assert!(why.contains("under-way"), "{why}");
    drop(tap);
    recorder.stop();
    let counters = recorder.counters();
    assert_eq!((counters.failed.load(Ordering::Relaxed), counters.active.load(Ordering::Relaxed)), (1, 0));
}

#[test]
fn a_full_ring_drops_and_counts() {
    let (ring, _never_read) = bounded(4);
    let (orders, _never_obeyed) = bounded(4);
    let counters = Arc::<RecorderCounters>::default();
    let (recording, began) = (id(1), Instant(0));
    let tap = Tap { recording, serial: 0, both: true, paused: false, began, ring, orders, counters: counters.clone() };
    for n in 0..5 {
        tap.far(Codec::Pcmu, 160 * n, &[0; 160], Instant(0));
        tap.near(Codec::Pcmu, 160 * n, &[0; 160], Instant(0));
    }
    assert_eq!(counters.dropped.load(Ordering::Relaxed), 6);
}

fn keys() -> Keyring {
    Keyring::parse("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f").unwrap()
}

/// What a sealed file holds, as a file beside it.
fn unsealed(path: &Path, number: u128) -> Result<PathBuf, VaultError> {
    let mut reader = vault::Reader::open(File::open(path).unwrap(), Some(&keys()), id(number))?;
    let plain = path.with_extension("plain.flac");
    std::io::copy(&mut reader, &mut File::create(&plain).unwrap())?;
    Ok(plain)
}

#[test]
fn a_sealed_recording_holds_what_the_same_one_would_in_the_open() {
    let folder = tempfile::tempdir().unwrap();
    let record = |keys: Option<&Keyring>, number| {
        let mut take = Take::begin(folder.path(), keys, id(number), TERMS, Codec::Pcmu, Clock::now()).unwrap();
        let (mut caller, mut agent) = (Talker::new(Codec::Pcmu, 440.0), Talker::new(Codec::Pcmu, 1000.0));
        for n in 0..500u32 {
            take.put(&chunk(Side::Far, Codec::Pcmu, 160 * n, 160 * n, caller.frame()));
            take.put(&chunk(Side::Near, Codec::Pcmu, 160 * n, 160 * n, agent.frame()));
            take.advance(u64::from(160 * n), &mut |_| {});
        }
        let RecordingEvent::Ended(recorded) = take.end(folder.path(), 80_000) else { panic!("not ended well") };
        recorded
    };
    let (plain, sealed) = (record(None, 1), record(Some(&keys()), 2));
    assert_eq!(plain, sealed, "its size is that of the audio");
    let path = folder.path().join(relative(id(2), Form::Sealed));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(find(folder.path(), id(2)), Some((path.clone(), Form::Sealed)));
    let open = fs::read(folder.path().join(relative(id(1), Form::Plain))).unwrap();
    assert!(fs::read(unsealed(&path, 2).unwrap()).unwrap() == open, "octet for octet, the header with its length too");
}

#[test]
fn what_a_crash_leaves_sealed_is_readable_with_the_key_and_waits_for_it_without() {
    let folder = tempfile::tempdir().unwrap();
    let terms = RecordTerms { both: false, ..TERMS };
    let mut take = Take::begin(folder.path(), Some(&keys()), id(9), terms, Codec::Pcmu, Clock::now()).unwrap();
    let mut caller = Talker::new(Codec::Pcmu, 440.0);
    for n in 0..500u32 {
        take.put(&chunk(Side::Far, Codec::Pcmu, 160 * n, 160 * n, caller.frame()));
        take.advance(u64::from(160 * n), &mut |_| {});
    }
    std::mem::forget(take);
    let path = folder.path().join(relative(id(9), Form::Sealed));
    let recover = |vault: Vault| {
        let (events, _told) = bounded(8);
        Recorder::sealing(Some(folder.path().to_owned()), events.into(), vault).recover()
    };
    assert_eq!(recover(Vault::default()), [], "nothing is lost by a start without the key");
    assert!(!path.exists());
    assert_eq!(recover(Vault::new(Some(keys()))), [id(9)]);
    let (rate, _, samples) = read(&unsealed(&path, 9).unwrap());
    assert!(samples.len() >= 7 * 8000, "of 10 s, {} samples are left", samples.len());
    assert!(share(&samples, 440.0, f64::from(rate)) > 0.9);
}
