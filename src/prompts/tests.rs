use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::catalogue::Catalogue;
use super::decode::{Pcm, decode, decode_file};
use super::index::{is_language_tag, is_prompt_name};
use super::{Finding, Index, Library, PromptError};
use crate::audio::Decoder;
use crate::ids::Language;
use crate::settings::Codec;

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// 0.4 s of 1 kHz at -12 dBFS (peak), in every format there is.
fn sounds() -> PathBuf {
    repository().join("tests/data/sounds")
}

fn languages(tags: &[&str]) -> Vec<Language> {
    tags.iter().map(|tag| Language::from(*tag)).collect()
}

/// Level in dBFS of one frequency; a full-scale sine is 0.
fn level_of(samples: &[i16], rate_hz: u32, frequency_hz: f64) -> f64 {
    let step = TAU * frequency_hz / f64::from(rate_hz);
    let part = |wave: fn(f64) -> f64| -> f64 {
        samples.iter().enumerate().map(|(i, s)| f64::from(*s) * wave(step * i as f64)).sum()
    };
    let amplitude = 2.0 * part(f64::sin).hypot(part(f64::cos)) / samples.len().max(1) as f64;
    20.0 * (amplitude / 32_768.0).max(1e-6).log10()
}

fn rms_dbfs(samples: &[i16]) -> f64 {
    let sum: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
    20.0 * ((sum / samples.len().max(1) as f64).sqrt() / 32_768.0).max(1e-6).log10()
}

/// A folder with some of the test sounds: `(path below the folder, name of the sound)`.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (path, sound) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::copy(sounds().join(sound), path).expect("a copied sound");
    }
    folder
}

fn messages(findings: &[Finding], root: &Path) -> Vec<String> {
    findings.iter().map(|finding| finding.to_string().replace(&format!("{}/", root.display()), "")).collect()
}

#[test]
fn every_format_becomes_the_same_mono_tone() {
    let mut read = 0;
    for entry in fs::read_dir(sounds()).expect("the test sounds") {
        let path = entry.expect("an entry").path();
        if path.to_string_lossy().contains("opus") {
            continue;
        }
        let Pcm { rate_hz, samples } = decode_file(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let kilohertz: u32 = name.split(['-', 'k']).filter_map(|part| part.parse().ok()).next().expect("a rate");
        assert_eq!(rate_hz / 1000, kilohertz, "{name}");
        // ADPCM and MP3 fill up their last block with silence.
        let seconds = samples.len() as f64 / f64::from(rate_hz);
        assert!((0.39..0.52).contains(&seconds), "{name}: {seconds} s");
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let level = level_of(middle, rate_hz, 1000.0);
        assert!((level + 12.0).abs() < 1.0, "{name}: {level} dBFS");
        assert!((rms_dbfs(middle) + 15.0).abs() < 1.0, "{name}: something else sounds: {}", rms_dbfs(middle));
        read += 1;
    }
    assert_eq!(read, 14);
}

#[test]
fn opus_is_refused_by_its_name() {
    let error = decode_file(&sounds().join("opus-48k-mono.ogg")).expect_err("Opus is not supported");
    assert!(matches!(error, PromptError::Opus), "{error:?}");
    assert!(error.to_string().contains("Opus"));
    assert!(error.hint().contains("FLAC"));
}

#[test]
fn what_is_no_sound_is_an_error() {
    for octets in [&b""[..], b"RIFF", b"not a sound at all, just words", &[0; 5000]] {
        assert!(decode(octets.to_vec(), "wav").is_err());
    }
    assert!(matches!(decode_file(&sounds()), Err(PromptError::NotAFile)));
    assert!(matches!(decode_file(&sounds().join("none.wav")), Err(PromptError::Unreadable(_))));
}

/// A WAV header for 16-bit PCM; `data_octets` is what it claims to hold.
fn wav_header(channels: u16, rate_hz: u32, data_octets: u32) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(b"RIFF");
    header.extend(data_octets.saturating_add(36).to_le_bytes());
    header.extend(b"WAVEfmt ");
    header.extend(16u32.to_le_bytes());
    header.extend(1u16.to_le_bytes());
    header.extend(channels.to_le_bytes());
    header.extend(rate_hz.to_le_bytes());
    header.extend(rate_hz.saturating_mul(u32::from(channels) * 2).to_le_bytes());
    header.extend((channels * 2).to_le_bytes());
    header.extend(16u16.to_le_bytes());
    header.extend(b"data");
    header.extend(data_octets.to_le_bytes());
    header
}

#[test]
fn sizes_and_lengths_have_bounds() {
    let mut long = wav_header(1, 8000, 8000 * 2 * 901);
    long.resize(44 + 8000 * 2 * 901, 0);
    assert!(matches!(decode(long, "wav"), Err(PromptError::TooLong)));

    let mut wide = wav_header(9, 8000, 18_000);
    wide.resize(44 + 18_000, 0);
    assert!(matches!(decode(wide, "wav"), Err(PromptError::Channels(9))));

    let folder = tempfile::tempdir().expect("a temporary folder");
    let large = folder.path().join("large.wav");
    fs::File::create(&large).and_then(|file| file.set_len(65 * 1024 * 1024)).expect("a sparse file");
    assert!(matches!(decode_file(&large), Err(PromptError::FileTooLarge)));
}

#[test]
fn a_file_cut_short_plays_as_far_as_it_goes() {
    let mut cut = wav_header(1, 8000, 800_000);
    cut.resize(44 + 1600, 1);
    assert_eq!(decode(cut, "wav").expect("half a sound").samples.len(), 800);
}

/// Damaged copies of every test sound: an error or some sound, never a panic and never more than the bounds allow.
#[test]
fn damaged_files_never_panic() {
    let seed = 20_260_611;
    println!("seed {seed}");
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    for entry in fs::read_dir(sounds()).expect("the test sounds") {
        let path = entry.expect("an entry").path();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_owned();
        let whole = fs::read(&path).expect("a test sound");
        for _ in 0..60 {
            let mut octets = whole.clone();
            for _ in 0..=rng.next_u32() % 8 {
                // Headers are where the harm is: half of the blows go to the first 200 octets.
                let reach = if rng.next_u32().is_multiple_of(2) { octets.len().min(200) } else { octets.len() };
                let at = rng.next_u32() as usize % reach;
                octets[at] = [0, 0xff, 0x7f, 0x80, rng.next_u32() as u8][rng.next_u32() as usize % 5];
            }
            if rng.next_u32().is_multiple_of(4) {
                octets.truncate(rng.next_u32() as usize % octets.len());
            }
            if let Ok(pcm) = decode(octets, &ending) {
                assert!(pcm.samples.len() <= 900 * 48_000);
            }
        }
    }
}

#[test]
fn the_catalogue_tells_where_its_faults_are() {
    let text = "\
[menu]
en = \"Press 1.\"
fr = \"\"
english = \"x\"

[Loud]
en = \"x\"

[[hours]]
en = \"x\"
";
    let mut catalogue = Catalogue::default();
    let mut findings = Vec::new();
    catalogue.parse(Path::new("prompts.toml"), text, &mut findings);
    findings.sort();
    let found: Vec<_> = findings.iter().map(|f| (f.line, f.column, f.message.as_str())).collect();
    assert_eq!(
        found,
        [
            (3, 6, "prompt 'menu': the text in 'fr' is empty or no string"),
            (4, 1, "prompt 'menu': 'english' is not a language tag"),
            (6, 2, "'Loud' is not the name of a prompt"),
            (9, 3, "prompt 'hours' is not a table"),
        ]
    );
    assert!(findings.iter().all(|finding| !finding.hint.is_empty()));
    assert_eq!(catalogue.texts["menu"][&Language::from("en")].line, 2);
}

#[test]
fn a_catalogue_that_is_no_toml_says_where() {
    let mut findings = Vec::new();
    Catalogue::default().parse(Path::new("prompts.toml"), "[menu]\nen = \"é\" x\n", &mut findings);
    assert_eq!((findings[0].line, findings[0].column), (2, 10), "{findings:?}");
}

#[test]
fn names_and_tags_have_one_shape() {
    assert!(["menu", "position-first", "a_b", &"x".repeat(64)].iter().all(|name| is_prompt_name(name)));
    assert!(["", "Menu", "a/b", "..", "a.b", "é", &"x".repeat(65)].iter().all(|name| !is_prompt_name(name)));
    assert!(["en", "fra", "fr-CA", "es-419"].iter().all(|tag| is_language_tag(tag)));
    assert!(["e", "music", "EN", "fr-ca", "fr-", "fr_CA"].iter().all(|tag| !is_language_tag(tag)));
}

#[test]
fn a_text_without_a_sound_is_found_where_it_stands() {
    let folder = folder(&[("en/menu.wav", "pcm16-8k-mono.wav")]);
    fs::write(folder.path().join("prompts.toml"), "[menu]\nen = \"a\"\nfr = \"b\"\nko = \"c\"\n").expect("a catalogue");
    let (_, findings) = Index::scan(&[folder.path().to_owned()], &languages(&["en", "fr"]));
    let found = messages(&findings, folder.path());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("prompts.toml:3:6: prompt 'menu' has a text in 'fr' but no sound file"), "{found:?}");
}

#[test]
fn a_recording_is_played_instead_of_a_made_file() {
    let folder = folder(&[
        ("en/menu.flac", "flac-16k-mono.flac"),
        ("en/menu.mp3", "mp3-44k-stereo.mp3"),
        ("en/hours.ogg", "vorbis-48k-stereo.ogg"),
        ("en/hours.wav", "pcm16-8k-mono.wav"),
    ]);
    fs::write(folder.path().join("made.tsv"), "# made\nen/menu.flac\tx\ty\n").expect("a manifest");
    let (index, findings) = Index::scan(&[folder.path().to_owned()], &languages(&["en"]));
    let files: Vec<_> = index.files().map(|(_, _, path)| path.strip_prefix(folder.path()).expect("below")).collect();
    assert_eq!(files, [Path::new("en/hours.wav"), Path::new("en/menu.mp3")]);
    let found = messages(&findings, folder.path());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("en/hours.ogg:1:1: prompt 'hours' has a second file"), "{found:?}");
}

#[test]
fn the_later_folder_wins_and_strange_files_are_found() {
    let stock = folder(&[("en/menu.wav", "pcm16-8k-mono.wav"), ("en/only.wav", "pcm16-8k-mono.wav")]);
    let own = folder(&[
        ("en/menu.flac", "flac-16k-mono.flac"),
        ("en/My Menu.wav", "pcm16-8k-mono.wav"),
        ("en/old.opus", "opus-48k-mono.ogg"),
        ("en/.hidden.wav", "pcm16-8k-mono.wav"),
        ("ko/menu.wav", "pcm16-8k-mono.wav"),
        ("music/soft.wav", "pcm16-8k-mono.wav"),
    ]);
    let folders = [stock.path().to_owned(), own.path().to_owned()];
    let (index, findings) = Index::scan(&folders, &languages(&["en", "fr", "en"]));
    let menu = index.files().find(|(name, _, _)| *name == "menu").map(|(_, _, path)| path.to_owned());
    assert_eq!(menu, Some(own.path().join("en/menu.flac")));
    let heard: Vec<_> = index.names().into_iter().collect();
    let names = ["menu", "music/soft", "only"].map(str::to_owned).into();
    assert_eq!(
        heard,
        [
            (Language::from("en"), names),
            (Language::from("fr"), ["menu", "music/soft", "only"].map(str::to_owned).into())
        ]
    );
    let found = messages(&findings, own.path());
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("en/My Menu.wav:1:1: the file's name"), "{found:?}");
    assert!(found[1].starts_with("en/old.opus:1:1: sound files of the kind 'opus' are not read"), "{found:?}");
}

#[test]
fn a_folder_that_is_missing_is_found() {
    let (index, findings) = Index::scan(&[PathBuf::from("/nonexistent/prompts")], &languages(&["en"]));
    assert_eq!(index.files().count(), 0);
    assert!(findings[0].message.contains("cannot be read"), "{findings:?}");
}

#[test]
fn a_prompt_is_heard_in_the_language_asked_for_or_the_default() {
    let folder = folder(&[
        ("en/menu.wav", "pcm16-8k-mono.wav"),
        ("fr/menu.wav", "mulaw-8k-mono.wav"),
        ("en/hours.flac", "flac-16k-mono.flac"),
        ("fr/extra.ogg", "vorbis-48k-stereo.ogg"),
        ("music/soft.m4a", "aac-44k-stereo.m4a"),
        ("en/broken.wav", "opus-48k-mono.ogg"),
    ]);
    let (library, findings) = Library::load(&[folder.path().to_owned()], &languages(&["en", "fr"]));
    assert_eq!(library.len(), 4);
    let found = messages(&findings, folder.path());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("en/broken.wav:1:1: the prompt holds Opus"), "{found:?}");

    let (en, fr, ko) = (Language::from("en"), Language::from("fr"), Language::from("ko"));
    let get = |name: &str, language: &Language| library.encoded(name, language, Codec::Pcmu);
    assert_ne!(get("menu", &en), get("menu", &fr));
    assert_eq!(get("menu", &ko), get("menu", &en));
    assert_eq!(get("hours", &fr), get("hours", &en));
    assert!(get("music/soft", &fr).is_some());
    assert_eq!(get("extra", &en), None, "there is no English and French is not the default");
    assert_eq!(get("broken", &en), None);
    assert_eq!(get("none", &en), None);
}

#[test]
fn every_codec_carries_the_tone_in_whole_blocks() {
    let folder = folder(&[("en/tone.ogg", "vorbis-48k-stereo.ogg")]);
    let (library, findings) = Library::load(&[folder.path().to_owned()], &languages(&["en"]));
    assert_eq!(findings, []);
    for (codec, rate_hz) in [(Codec::Pcmu, 8000), (Codec::Pcma, 8000), (Codec::G722, 16_000)] {
        let encoded = library.encoded("tone", &Language::from("en"), codec).expect("the tone");
        assert_eq!(encoded.codec, codec);
        assert_eq!(encoded.bytes_per_ms, 8);
        assert_eq!(encoded.frames.len() % 160, 0);
        assert!(encoded.duration() >= Duration::from_millis(400) && encoded.duration() <= Duration::from_millis(420));
        let mut samples = vec![0; encoded.frames.len() * 2];
        let written = Decoder::new(codec).decode(&encoded.frames, &mut samples);
        samples.truncate(written);
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let level = level_of(middle, rate_hz, 1000.0);
        assert!((level + 12.0).abs() < 1.0, "{codec:?}: {level} dBFS");
    }
}

/// The loudness of speech moves; that of a tone or of noise does not. Blocks of 20 ms.
fn moves(pcm: &Pcm) -> bool {
    let levels: Vec<f64> = pcm.samples.chunks(pcm.rate_hz as usize / 50).map(rms_dbfs).filter(|l| *l > -45.0).collect();
    let mean = levels.iter().sum::<f64>() / levels.len() as f64;
    levels.iter().map(|level| (level - mean).powi(2)).sum::<f64>() / levels.len() as f64 > 4.0
}

#[test]
fn the_stock_prompts_are_all_there_and_are_speech_at_one_level() {
    let root = repository().join("prompts");
    let (index, findings) = Index::scan(&[root], &languages(&["en", "fr"]));
    assert_eq!(findings, []);
    let names = ["menu", "please-wait", "position-first", "position-number", "spoken-six", "bench", "music/default"];
    for (language, heard) in index.names() {
        for name in names {
            assert!(heard.contains(name), "'{name}' is not there in '{language}'");
        }
    }
    for (name, language, path) in index.files() {
        let pcm = decode_file(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if name == "spoken-pause" {
            assert!(pcm.samples.iter().all(|sample| sample.unsigned_abs() < 10), "{name} in {language:?} is no pause");
            continue;
        }
        let (level, wanted) = (rms_dbfs(&pcm.samples), if language.is_some() { -20.0 } else { -24.0 });
        assert!((level - wanted).abs() < 1.0, "{name} in {language:?}: {level} dBFS");
        assert!(pcm.samples.iter().all(|sample| sample.unsigned_abs() < 27_000), "{name} in {language:?} is too loud");
        let long = pcm.samples.len() > pcm.rate_hz as usize / 2;
        assert!(!long || moves(&pcm), "{name} in {language:?} is no speech");
    }
}
