//! `[[speech]]`: engines of speech recognition, in order of preference.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::resolve;
use super::people::check_id;
use crate::dialplan::reader::{At, Table};
use crate::findings::{Findings, suggest};
use crate::ids::Language;
use crate::settings::{Speech, SpeechChild, SpeechEngine, SpeechPlace, SpeechRemote, SpeechScheme};

const STREAMS: i64 = 2;
/// The largest model that is fetched for nothing more (Korean) takes 505 MB with one stream.
const MEMORY_MB: i64 = 2_000;
const NICE: i64 = 5;
const ANSWER_WITHIN_MS: i64 = 3_000;
/// As vosk-server's own.
const VOSK_SERVER_PORT: u16 = 2_700;

const ENGINES: [SpeechEngine; 3] = [SpeechEngine::Vosk, SpeechEngine::Whisper, SpeechEngine::VoskServer];

pub(super) struct SpeechDraft {
    pub speech: Speech,
    pub id: At<String>,
    /// What of it is not installed here.
    pub missing: Option<String>,
}

pub(super) fn read(mut table: Table<'_>, folder: &Path, findings: &mut Findings<'_>) -> Option<SpeechDraft> {
    let id = table.required_text("id", findings);
    table.what = id.as_ref().map_or("speech".to_owned(), |id| format!("speech '{}'", id.value));
    if let Some((id, Err(fault))) = id.as_ref().map(|id| (id, check_id(&id.value))) {
        findings.error(id.span.clone(), fault, None);
    }
    let engine = read_engine(&mut table, findings);
    let languages = read_languages(&mut table, findings);
    let streams = table.integer("streams", 1..=1_000, findings).map_or(STREAMS, |streams| streams.value);
    let within = table.integer("answer_within_ms", 500..=30_000, findings);
    let place = read_place(&mut table, engine, folder, findings);
    table.finish(findings);
    let (id, engine, place) = (id?, engine?, place?);
    let speech = Speech {
        id: id.value.clone(),
        engine,
        languages,
        streams: usize::try_from(streams).unwrap_or(1),
        place,
        answer_within: Duration::from_millis(within.map_or(ANSWER_WITHIN_MS, |within| within.value).unsigned_abs()),
    };
    let missing = missing(&speech);
    Some(SpeechDraft { speech, id, missing })
}

fn read_engine(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Option<SpeechEngine> {
    let name = table.required_text("engine", findings)?;
    let engine = ENGINES.into_iter().find(|engine| engine.name() == name.value);
    if engine.is_none() {
        let message = format!("{}: there is no engine '{}'", table.what, name.value);
        findings.error(name.span, message, suggest(&name.value, ENGINES.map(SpeechEngine::name)));
    }
    engine
}

fn read_languages(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Vec<Language> {
    let Some(texts) = table.texts("languages", findings) else {
        table.missing("languages", findings);
        return Vec::new();
    };
    if texts.value.is_empty() {
        let message = format!("{}: languages is empty; name at least one, as [\"en\"]", table.what);
        findings.error(texts.span, message, None);
    }
    texts.value.into_iter().map(|text| Language::from(text.value.as_str())).collect()
}

/// `model` for a worker of ours, `address` for one elsewhere.
fn read_place(
    table: &mut Table<'_>,
    engine: Option<SpeechEngine>,
    folder: &Path,
    findings: &mut Findings<'_>,
) -> Option<SpeechPlace> {
    let child = read_child(table, folder, findings);
    let remote = read_remote(table, engine, folder, findings);
    let is_server = engine == Some(SpeechEngine::VoskServer);
    match (child, remote) {
        (Some(_), Some((_, span))) => {
            let message = format!("{}: model and address exclude each other", table.what);
            let hint = "model is a worker of ours on this machine, address one that runs elsewhere".to_owned();
            findings.error(span, message, hint);
            None
        }
        (Some((model, child)), None) => {
            if is_server {
                let message = format!("{}: vosk-server is never started by us", table.what);
                findings.error(model.span, message, "write address = \"ws://host:2700\"".to_owned());
                return None;
            }
            Some(SpeechPlace::Child(child))
        }
        (None, Some((remote, _))) => Some(SpeechPlace::Remote(remote)),
        (None, None) => {
            if !table.has("address") {
                table.missing(if is_server { "address" } else { "model" }, findings);
            }
            None
        }
    }
}

fn read_child(table: &mut Table<'_>, folder: &Path, findings: &mut Findings<'_>) -> Option<(At<String>, SpeechChild)> {
    let model = table.text("model", findings);
    let program = table.text("program", findings);
    let memory = table.integer("memory_mb", 100..=1_000_000, findings).map_or(MEMORY_MB, |memory| memory.value);
    let nice = table.integer("nice", 0..=19, findings).map_or(NICE, |nice| nice.value);
    let model = model?;
    let child = SpeechChild {
        program: program.map(|program| resolve(folder, &program.value)),
        model: resolve(folder, &model.value),
        memory: memory.unsigned_abs() << 20,
        nice: i32::try_from(nice).unwrap_or(0),
    };
    Some((model, child))
}

fn missing(speech: &Speech) -> Option<String> {
    let SpeechPlace::Child(child) = &speech.place else { return None };
    if !child.model.is_dir() {
        return Some(format!("there is no model at {}", child.model.display()));
    }
    let program = child.program.clone().or_else(|| installed(speech.engine))?;
    (!program.is_file()).then(|| format!("its worker {} is not there", program.display()))
}

/// A centre works without recognition, by keypad: what is not installed is no error, and nothing at all where another
/// engine understands the same.
pub(super) fn say_what_is_missing(drafts: &[SpeechDraft], findings: &mut Findings<'_>) {
    let installed = drafts.iter().filter(|draft| draft.missing.is_none());
    let understood: Vec<&Language> = installed.flat_map(|draft| &draft.speech.languages).collect();
    for draft in drafts {
        let Some(missing) = &draft.missing else { continue };
        let deaf: Vec<&str> =
            draft.speech.languages.iter().filter(|one| !understood.contains(one)).map(Language::as_str).collect();
        if !deaf.is_empty() {
            let message =
                format!("speech '{}': {missing}; until then {} is by keypad only", draft.id.value, deaf.join(", "));
            let hint = "deploy/run fetches and builds what the demo needs, deploy/fetch-model other models".to_owned();
            findings.warning(draft.id.span.clone(), message, hint);
        }
    }
}

/// Beside the server's own program; `None` where this is another program, as a test.
fn installed(engine: SpeechEngine) -> Option<PathBuf> {
    let ours = std::env::current_exe().ok().filter(|path| path.file_name().is_some_and(|name| name == "relais"))?;
    Some(ours.with_file_name(engine.program()?))
}

fn read_remote(
    table: &mut Table<'_>,
    engine: Option<SpeechEngine>,
    folder: &Path,
    findings: &mut Findings<'_>,
) -> Option<(SpeechRemote, std::ops::Range<usize>)> {
    let address = table.text("address", findings);
    let ca_file = read_file(table, "ca_file", folder, findings);
    let token_file = read_file(table, "token_file", folder, findings);
    let address = address?;
    let (scheme, host, port) = match parse_address(&address.value) {
        Ok(parsed) => parsed,
        Err(fault) => {
            let hint = "write \"tls:speech.example.com:7400\", or \"ws://host:2700\" for vosk-server".to_owned();
            findings.error(address.span, format!("{}: address '{}' {fault}", table.what, address.value), hint);
            return None;
        }
    };
    let is_web = matches!(scheme, SpeechScheme::Ws | SpeechScheme::Wss);
    if engine.is_some_and(|engine| (engine == SpeechEngine::VoskServer) != is_web) {
        let message = format!("{}: address '{}' does not go with this engine", table.what, address.value);
        let hint = "ws: and wss: are for vosk-server, tcp: and tls: for the workers of Relais".to_owned();
        findings.error(address.span, message, hint);
        return None;
    }
    if !scheme.is_encrypted() && !is_near(&host) {
        let message = format!("{}: what callers say goes to {host} without encryption", table.what);
        let hint = format!("use {}", if is_web { "wss:" } else { "tls:" });
        findings.warning(address.span.clone(), message, hint);
    }
    Some((SpeechRemote { scheme, host, port, ca_file, token_file }, address.span))
}

/// `tcp:HOST:PORT`, `tls:HOST:PORT`, `ws://HOST[:PORT]`, `wss://HOST[:PORT]`; IPv6 in brackets.
pub(super) fn parse_address(text: &str) -> Result<(SpeechScheme, String, u16), &'static str> {
    let (scheme, rest) = text.split_once(':').ok_or("names no way to it")?;
    let (scheme, rest, default) = match scheme {
        "tcp" => (SpeechScheme::Tcp, rest, None),
        "tls" => (SpeechScheme::Tls, rest, None),
        "ws" => (SpeechScheme::Ws, rest, Some(VOSK_SERVER_PORT)),
        "wss" => (SpeechScheme::Wss, rest, Some(VOSK_SERVER_PORT)),
        _ => return Err("begins with none of tcp:, tls:, ws:, wss:"),
    };
    let rest = rest.strip_prefix("//").unwrap_or(rest).trim_end_matches('/');
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            (host, Some(port.parse().ok().filter(|port| *port != 0).ok_or("has no port from 1 to 65535")?))
        }
        _ => (rest, default),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() || host.contains(['/', '@', '[', ']', ' ']) {
        return Err("has no host");
    }
    Ok((scheme, host.to_owned(), port.ok_or("has no port")?))
}

fn is_near(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// A file that must be there; the shell reads it.
fn read_file(table: &mut Table<'_>, key: &'static str, folder: &Path, findings: &mut Findings<'_>) -> Option<PathBuf> {
    let file = table.text(key, findings)?;
    let path = resolve(folder, &file.value);
    if let Err(error) = std::fs::File::open(&path) {
        let message = format!("{}: {key}: {} cannot be read: {error}", table.what, path.display());
        findings.error(file.span, message, None);
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::reader;
    use crate::findings::{Finding, Severity, Source};

    fn read_text(text: &str) -> (Vec<Speech>, Vec<Finding>) {
        let source = Source { path: "relais.toml".to_owned(), text: text.to_owned() };
        let mut findings = Findings::new(&source);
        let document = reader::parse(&mut findings).unwrap();
        let mut table = Table::new("configuration", document.get_ref(), 0..0);
        let tables = table.tables("speech", &mut findings);
        let folder = Path::new("/nowhere");
        let drafts: Vec<_> = tables.into_iter().filter_map(|table| read(table, folder, &mut findings)).collect();
        say_what_is_missing(&drafts, &mut findings);
        (drafts.into_iter().map(|draft| draft.speech).collect(), findings.into_sorted())
    }

    #[test]
    fn a_worker_of_ours_and_others_elsewhere_are_read() {
        let (speech, findings) = read_text(
            "[[speech]]\nid = 'ko'\nengine = 'vosk'\nlanguages = ['ko']\nmodel = 'models/ko'\nmemory_mb = 900\n\
             [[speech]]\nid = 'far'\nengine = 'whisper'\nlanguages = ['fr', 'en']\naddress = 'tls:speech.example.com:7400'\nstreams = 8\n\
             [[speech]]\nid = 'server'\nengine = 'vosk-server'\nlanguages = ['de']\naddress = 'ws://127.0.0.1'\n",
        );
        let [ours, far, server] = speech.as_slice() else { panic!("{findings:?}") };
        let SpeechPlace::Child(child) = &ours.place else { panic!("no child") };
        assert_eq!((child.model.as_path(), child.memory, child.nice), (Path::new("/nowhere/models/ko"), 900 << 20, 5));
        assert_eq!((ours.streams, far.streams), (2, 8));
        let SpeechPlace::Remote(remote) = &far.place else { panic!("not remote") };
        assert_eq!(
            (remote.scheme, remote.host.as_str(), remote.port),
            (SpeechScheme::Tls, "speech.example.com", 7_400)
        );
        let SpeechPlace::Remote(remote) = &server.place else { panic!("not remote") };
        assert_eq!((remote.scheme, remote.port), (SpeechScheme::Ws, 2_700));
        // A model that is not installed is told, and refuses nothing.
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].severity, Severity::Warning);
        let message = "speech 'ko': there is no model at /nowhere/models/ko; until then ko is by keypad only";
        assert_eq!(findings[0].message, message);
    }

    #[test]
    fn a_better_engine_that_is_not_installed_is_not_missed_where_another_is() {
        let (_, findings) = read_text(
            "[[speech]]\nid = 'vosk-fr'\nengine = 'vosk'\nlanguages = ['fr']\nmodel = 'models/fr'\n\
             [[speech]]\nid = 'far'\nengine = 'whisper'\nlanguages = ['fr']\naddress = 'tcp:127.0.0.1:7400'\n",
        );
        assert!(findings.is_empty(), "{findings:?}");
    }

    #[test]
    fn what_is_wrong_is_named_with_the_remedy() {
        for (rest, expected) in [
            ("engine = 'vsok'\nlanguages = ['ko']\nmodel = 'm'", "no engine 'vsok'"),
            ("engine = 'vosk'\nlanguages = []\nmodel = 'm'", "languages is empty"),
            ("engine = 'vosk'\nlanguages = ['ko']", "model is missing"),
            ("engine = 'vosk-server'\nlanguages = ['ko']", "address is missing"),
            ("engine = 'vosk'\nlanguages = ['ko']\nmodel = 'm'\naddress = 'tls:a:1'", "exclude each other"),
            ("engine = 'vosk'\nlanguages = ['ko']\naddress = 'ws://a:1'", "does not go with this engine"),
            ("engine = 'vosk-server'\nlanguages = ['ko']\naddress = 'tls:a:1'", "does not go with this engine"),
            ("engine = 'vosk'\nlanguages = ['ko']\naddress = 'tcp:a:b:0'", "no port from 1 to 65535"),
            ("engine = 'vosk'\nlanguages = ['ko']\naddress = 'udp:a:1'", "begins with none of"),
            ("engine = 'vosk'\nlanguages = ['ko']\naddress = 'tcp:a:1'", "without encryption"),
            ("engine = 'vosk'\nlanguages = ['ko']\naddress = 'tls:a:1'\ntoken_file = 't'", "cannot be read"),
        ] {
            let (_, findings) = read_text(&format!("[[speech]]\nid = 'a'\n{rest}\n"));
            let found = findings.iter().any(|finding| finding.message.contains(expected));
            assert!(found, "{rest}: {findings:?}");
        }
    }

    #[test]
    fn addresses_are_read_in_every_form() {
        let read = |text| parse_address(text).unwrap();
        assert_eq!(read("tcp:[::1]:7400"), (SpeechScheme::Tcp, "::1".to_owned(), 7_400));
        assert_eq!(read("wss://speech.example.com:443/"), (SpeechScheme::Wss, "speech.example.com".to_owned(), 443));
        assert_eq!(read("ws://[::1]"), (SpeechScheme::Ws, "::1".to_owned(), 2_700));
        assert!(parse_address("tcp:host").is_err());
        assert!(parse_address("tls::7400").is_err());
        assert!(parse_address("speech.example.com").is_err());
    }
}
