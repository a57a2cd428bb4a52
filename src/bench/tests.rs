//! The bench on files of a folder of its own, with reloads that read them as the server does.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use tempfile::TempDir;

use super::activate::Actor;
use super::files::{Change, FileKind};
use super::*;
use crate::config::Loaded;
use crate::store::AuditOutcome;
use crate::views::{ReloadAttempt, ReloadBy, ReloadView};

const FRONT: &str = "name = 'front'\nnumbers = ['600']\n\n[[level]]\nname = 'hello'\n[[level.rule]]\nmodule = 'announce'\n\
                     in = { prompt = 'greeting' }\n\n[[level]]\nname = 'ask'\n[[level.rule]]\nmodule = 'menu'\n\
                     in = { prompt = 'menu', choices = { 1 = 'again', 2 = 'end' }, default = 'end' }\n\
                     out = { choice = 'wish' }\n\n[[level]]\nname = 'back'\n[[level.rule]]\nwhen = \"wish == 'again'\"\n\
                     module = 'jump'\nin = { level = 'ask' }\n\n[[level]]\nname = 'bye'\n[[level.rule]]\nmodule = 'hangup'\n\n\
                     [[test]]\nname = 'silence ends it'\ncall = { from = '+33155501', to = '600' }\n\
                     expect = { outcome = 'self_service' }\n";
const OTHER: &str = "name = 'other'\nnumbers = ['601']\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'hangup'\n";

/// A small centre in a folder.
struct Centre {
    folder: TempDir,
    bench: Bench,
    /// The next reload gets no answer.
    stuck: Arc<AtomicBool>,
    reloads: Arc<Mutex<Vec<bool>>>,
}

impl Centre {
    fn new() -> Centre {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("plans")).unwrap();
        let prompts = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts");
        let text = format!(
            "data = 'data'\nprompts = '{}'\n[[trunk]]\nid = 'line'\naddresses = ['127.0.0.0/8']\ncodecs = ['pcmu']\n",
            prompts.display()
        );
        let config = folder.path().join("relais.toml");
        fs::write(&config, text).unwrap();
        fs::write(folder.path().join("plans/front.toml"), FRONT).unwrap();
        fs::write(folder.path().join("plans/other.toml"), OTHER).unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let (stuck, reloads) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let bench = Bench::reloading(&config, &data, stuck.clone(), reloads.clone());
        Centre { folder, bench, stuck, reloads }
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).unwrap()
    }

    /// A change of a file as it is now.
    fn change(&self, file: &str, text: &str) -> Change {
        let etag = self.bench.open(file).ok().map(|opened| opened.etag);
        Change { file: file.to_owned(), text: Some(text.to_owned()), etag }
    }

    fn activate(&self, changes: Vec<Change>) -> Result<super::activate::Activated, BenchError> {
        self.bench.activate(changes, ada(), Some("for the winter".to_owned()))
    }
}

fn load(config: &Path) -> Result<Loaded, Vec<Finding>> {
    crate::config::load(config, &Overrides::default())
}

impl Bench {
    /// A bench whose reloads read the files, and tell nobody.
    pub(crate) fn of_files(config: &Path, data: &Path) -> Bench {
        Bench::reloading(config, data, Arc::default(), Arc::default())
    }

    fn reloading(config: &Path, data: &Path, stuck: Arc<AtomicBool>, reloads: Arc<Mutex<Vec<bool>>>) -> Bench {
        let live = Arc::new(ArcSwap::from_pointee(load(config).unwrap().for_comparison()));
        let reload = reload(config.to_owned(), live.clone(), stuck, reloads);
        let overrides = Overrides::default();
        Bench { config: config.to_owned(), overrides, data: data.to_owned(), live, reload, writing: Mutex::default() }
    }
}

/// Reads the files as the server does, without an engine behind.
fn reload(
    config: PathBuf,
    live: Arc<ArcSwap<Loaded>>,
    stuck: Arc<AtomicBool>,
    reloads: Arc<Mutex<Vec<bool>>>,
) -> Reload {
    Box::new(move || {
        if stuck.swap(false, Ordering::Relaxed) {
            return None;
        }
        let (taken, findings) = match load(&config) {
            Ok(loaded) => {
                live.store(Arc::new(loaded.for_comparison()));
                (true, Vec::new())
            }
            Err(findings) => (false, findings),
        };
        reloads.lock().unwrap().push(taken);
        let generation = 1 + reloads.lock().unwrap().iter().filter(|taken| **taken).count() as u64;
        let last = ReloadAttempt {
            at: Wall::now(),
            by: ReloadBy::Api,
            taken,
            took_ms: 1,
            findings,
            after_restart: Vec::new(),
        };
        Some(ReloadView { generation, running_since: Wall::now(), last: Some(last) })
    })
}

fn ada() -> Actor {
    Actor { who: "ada".to_owned(), role: "operator".to_owned() }
}

fn gone(file: &str) -> Change {
    Change { file: file.to_owned(), text: None, etag: None }
}

#[test]
fn files_are_listed_with_their_plans_findings_and_folders() {
    let centre = Centre::new();
    fs::write(centre.folder.path().join("plans/broken.toml"), "name = 'broken'\n[[level]\n").unwrap();
    let list = centre.bench.list().unwrap();
    let names: Vec<&str> = list.files.iter().map(|file| file.file.as_str()).collect();
    assert_eq!(names, ["plans/broken.toml", "plans/front.toml", "plans/other.toml"]);
    let [broken, front, _] = list.files.as_slice() else { panic!("{list:?}") };
    assert!(!broken.runs && broken.findings.iter().any(|finding| finding.line == 2), "{broken:?}");
    assert_eq!((front.runs, front.plan.as_deref(), front.kind), (true, Some("front"), FileKind::Plan));
    assert_eq!(front.numbers, ["600"]);
    let folders: Vec<(&str, &str)> = list.folders.iter().map(|f| (f.folder.as_str(), f.fits.as_str())).collect();
    assert_eq!(folders, [("plans", "*.toml")]);
    assert_eq!(list.trunks, ["line"]);
}

#[test]
fn a_draft_is_checked_without_touching_the_disk() {
    let centre = Centre::new();
    let wrong = FRONT.replace("'announce'", "'anounce'");
    let checked = centre.bench.check(vec![centre.change("plans/front.toml", &wrong)]).unwrap();
    assert!(!checked.ok);
    let finding = &checked.findings[0];
    assert_eq!((finding.file.as_str(), finding.line), ("plans/front.toml", 7), "{finding:?}");
    let fine =
        centre.bench.check(vec![centre.change("plans/new.toml", &OTHER.replace("other", "new").replace("601", "602"))]);
    assert!(fine.unwrap().ok);
    let doubled = centre.bench.check(vec![centre.change("plans/new.toml", OTHER)]).unwrap();
    assert!(doubled.findings.iter().any(|finding| finding.message.contains("given twice")), "{doubled:?}");
    assert!(centre.bench.check(vec![gone("plans/other.toml")]).unwrap().ok);
    assert_eq!((centre.text("plans/front.toml").as_str(), centre.bench.list().unwrap().files.len()), (FRONT, 2));
}

#[test]
fn no_name_leads_out_of_the_folders_of_plans() {
    let centre = Centre::new();
    let outside = centre.folder.path().join("secret.toml");
    fs::write(&outside, "x = 1").unwrap();
    let absolute = outside.display().to_string();
    for file in [
        "relais.toml",
        "secret.toml",
        "plans/../secret.toml",
        "../plans/a.toml",
        "plans/../relais.toml",
        "/etc/passwd",
        absolute.as_str(),
        "plans/.hidden.toml",
        "plans/a.txt",
        "plans/a/b.toml",
        "plans/a\0.toml",
        "plans/é.toml",
        "plans/.toml",
        "plans/",
        "",
    ] {
        let opened = centre.bench.open(file);
        assert!(matches!(opened, Err(BenchError::Unknown(_))), "{file:?}: {opened:?}");
        let change = Change { file: file.to_owned(), text: Some("x = 1".to_owned()), etag: None };
        let refused = centre.activate(vec![change]);
        assert!(matches!(refused, Err(BenchError::Invalid(_))), "{file:?}: {refused:?}");
    }
    assert_eq!(fs::read_to_string(outside).unwrap(), "x = 1");
    assert!(centre.reloads.lock().unwrap().is_empty());
}

#[test]
fn links_are_neither_read_nor_written() {
    let centre = Centre::new();
    let target = centre.folder.path().join("elsewhere.toml");
    fs::write(&target, OTHER.replace("601", "603").replace("other", "linked")).unwrap();
    std::os::unix::fs::symlink(&target, centre.folder.path().join("plans/linked.toml")).unwrap();
    let opened = centre.bench.open("plans/linked.toml");
    assert!(matches!(&opened, Err(BenchError::Invalid(message)) if message.contains("link")), "{opened:?}");
    let change = Change { file: "plans/linked.toml".to_owned(), text: Some(OTHER.to_owned()), etag: None };
    assert!(matches!(centre.activate(vec![change]), Err(BenchError::Invalid(_))));
}

#[test]
fn drafts_are_bounded() {
    let centre = Centre::new();
    let many = (0..=files::MOST_CHANGES).map(|n| centre.change(&format!("plans/p{n}.toml"), "x")).collect();
    assert!(matches!(centre.bench.check(many), Err(BenchError::Invalid(_))));
    let large = centre.change("plans/front.toml", &"#".repeat(files::LARGEST + 1));
    assert!(matches!(centre.bench.check(vec![large]), Err(BenchError::Invalid(_))));
    let twice = vec![centre.change("plans/front.toml", FRONT), centre.change("plans/front.toml", OTHER)];
    assert!(matches!(centre.bench.check(twice), Err(BenchError::Invalid(_))));
}

#[test]
fn the_picture_says_where_each_rule_stands_and_leads() {
    use crate::dialplan::picture::Lead;
    let centre = Centre::new();
    let picture = centre.bench.picture("plans/front.toml", Vec::new()).unwrap().unwrap();
    assert_eq!((picture.plan.as_str(), picture.numbers.as_slice()), ("front", &["600".to_owned()][..]));
    let levels: Vec<(&str, usize)> = picture.levels.iter().map(|l| (l.name.as_str(), l.line)).collect();
    assert_eq!(levels, [("hello", 5), ("ask", 11), ("back", 18), ("bye", 25)]);
    let leads: Vec<&[Lead]> = picture.levels.iter().flat_map(|l| &l.rules).map(|rule| rule.leads.as_slice()).collect();
    let to = |level| Lead::Level { level };
    assert_eq!(leads[0], [to(1)]);
    assert_eq!(leads[1], [to(2)]);
    assert_eq!(leads[2], [to(1), to(3)], "it jumps back, and goes on when it has done so often enough");
    assert_eq!(leads[3], [Lead::Over]);
    assert!(picture.levels[2].falls_through && !picture.levels[0].falls_through);
    let jump = &picture.levels[2].rules[0];
    assert_eq!((jump.runs.as_str(), jump.when.as_deref(), jump.line), ("jump", Some("wish == 'again'"), 21));
    assert!(picture.levels.iter().all(|level| level.reached) && !picture.returns);
}

#[test]
fn a_draft_is_traced_and_tested() {
    let centre = Centre::new();
    let call = trace::Call { to: "600".to_owned(), digits: "1 2".to_owned(), ..trace::Call::default() };
    let told = centre.bench.trace(&call, None, Vec::new()).unwrap();
    let path: Vec<&str> = told.levels.iter().map(|level| level.level.as_str()).collect();
    assert_eq!(path, ["hello", "ask", "back", "ask", "back", "bye"]);
    let draft = vec![centre.change("plans/front.toml", &FRONT.replace("600", "777"))];
    let elsewhere = centre.bench.trace(&call, None, draft.clone());
    assert!(matches!(&elsewhere, Err(BenchError::Unknown(message)) if message.contains("no plan has the number 600")));
    assert!(centre.bench.test(Vec::new()).unwrap().ok);
    let other =
        vec![centre.change("plans/front.toml", &FRONT.replace("outcome = 'self_service'", "outcome = 'handled'"))];
    let tested = centre.bench.test(other).unwrap();
    assert!(!tested.ok);
    assert_eq!(
        (tested.tests[0].file.as_str(), tested.tests[0].misses[0].got.as_str()),
        ("plans/front.toml", "'self_service'")
    );
}

#[test]
fn a_draft_is_compared_with_what_runs() {
    let centre = Centre::new();
    assert!(centre.bench.compare(Vec::new()).unwrap().same);
    let swapped = FRONT.replace("1 = 'again', 2 = 'end'", "1 = 'end', 2 = 'again'");
    let compared = centre.bench.compare(vec![centre.change("plans/front.toml", &swapped)]).unwrap();
    assert!(!compared.same && compared.calls.different > 0, "{compared:?}");
    assert_eq!(compared.files[0].running.as_deref(), Some(FRONT));
    assert!(compared.changes[0].subject.contains("front"), "{compared:?}");
    // What somebody wrote to the disk and nobody took is a difference as well.
    fs::write(centre.folder.path().join("plans/front.toml"), &swapped).unwrap();
    assert!(!centre.bench.compare(Vec::new()).unwrap().same);
    assert_eq!(centre.bench.open("plans/front.toml").unwrap().running.as_deref(), Some(FRONT));
}

#[test]
fn files_are_put_into_use_with_an_entry_of_who_and_why() {
    let centre = Centre::new();
    let next = FRONT.replace("'greeting'", "'hours'");
    let changes = vec![
        centre.change("plans/front.toml", &next),
        centre.change("plans/new.toml", &OTHER.replace("other", "new").replace("601", "602")),
        Change { text: None, ..centre.change("plans/other.toml", "") },
    ];
    let activated = centre.activate(changes).unwrap();
    assert_eq!((activated.generation, activated.files.len()), (2, 3));
    assert_eq!(centre.text("plans/front.toml"), next);
    assert!(!centre.folder.path().join("plans/other.toml").exists());
    assert!(centre.bench.live.load().plans.iter().any(|plan| plan.id.as_str() == "new"));
    let left = fs::read_dir(centre.folder.path().join("plans")).unwrap().count();
    assert_eq!(left, 2, "nothing is left beside the files");
    let history = centre.bench.history(None, 10).unwrap();
    let [entry, found] = history.as_slice() else { panic!("{history:?}") };
    assert_eq!(
        (entry.id, entry.entry.what, entry.entry.outcome),
        (activated.entry, Deed::Activated, AuditOutcome::Done)
    );
    assert_eq!((entry.entry.who.as_str(), entry.entry.note.as_deref()), ("ada", Some("for the winter")));
    assert_eq!((found.entry.what, found.has_version), (Deed::Found, true));
}

#[test]
fn who_has_opened_an_older_text_is_refused() {
    let centre = Centre::new();
    let change = centre.change("plans/front.toml", &FRONT.replace("hello", "welcome"));
    fs::write(centre.folder.path().join("plans/front.toml"), format!("{FRONT}\n# by hand\n")).unwrap();
    let refused = centre.activate(vec![change]);
    assert!(
        matches!(&refused, Err(BenchError::Changed(message)) if message.contains("plans/front.toml")),
        "{refused:?}"
    );
    let there = Change { etag: None, ..centre.change("plans/other.toml", OTHER) };
    assert!(matches!(centre.activate(vec![there]), Err(BenchError::Changed(_))));
    let missing = Change { etag: Some("0".repeat(32)), ..centre.change("plans/new.toml", OTHER) };
    assert!(matches!(centre.activate(vec![missing]), Err(BenchError::Changed(_))));
    assert!(centre.text("plans/front.toml").ends_with("# by hand\n"));
    assert!(centre.bench.history(None, 10).unwrap().is_empty());
}

#[test]
fn what_has_faults_is_not_written() {
    let centre = Centre::new();
    let refused = centre.activate(vec![centre.change("plans/front.toml", "name = 'x'")]);
    assert!(
        matches!(&refused, Err(BenchError::Findings(findings)) if findings[0].file == "plans/front.toml"),
        "{refused:?}"
    );
    assert_eq!(centre.text("plans/front.toml"), FRONT);
    assert!(centre.reloads.lock().unwrap().is_empty());
}

#[test]
fn a_reload_that_comes_to_nothing_leaves_everything_as_it_was() {
    let centre = Centre::new();
    centre.stuck.store(true, Ordering::Relaxed);
    let changes = vec![
        centre.change("plans/front.toml", &FRONT.replace("hello", "welcome")),
        centre.change("plans/new.toml", &OTHER.replace("other", "new").replace("601", "602")),
    ];
    assert!(matches!(centre.activate(changes), Err(BenchError::Busy(_))));
    assert_eq!(centre.text("plans/front.toml"), FRONT);
    assert!(!centre.folder.path().join("plans/new.toml").exists());
    assert_eq!(centre.bench.history(None, 1).unwrap()[0].entry.outcome, AuditOutcome::Refused);
    assert_eq!(*centre.reloads.lock().unwrap(), [true], "the old files are read again");
}

#[test]
fn an_earlier_version_is_put_back() {
    let centre = Centre::new();
    let next = FRONT.replace("'greeting'", "'hours'");
    let first = centre.activate(vec![centre.change("plans/front.toml", &next)]).unwrap();
    let last = FRONT.replace("hello", "welcome");
    centre
        .activate(vec![
            centre.change("plans/front.toml", &last),
            Change { text: None, ..centre.change("plans/other.toml", "") },
        ])
        .unwrap();
    let version = centre.bench.version(first.entry).unwrap();
    let differing: Vec<&str> = version.differs.iter().map(|change| change.file.as_str()).collect();
    assert_eq!(differing, ["plans/front.toml", "plans/other.toml"]);
    assert_eq!(centre.bench.version_text(first.entry, "plans/front.toml").unwrap(), next);
    let stale = centre.bench.roll_back(first.entry, "0", ada(), None);
    assert!(matches!(stale, Err(BenchError::Changed(_))), "{stale:?}");
    let back = centre.bench.roll_back(first.entry, &version.etag, ada(), None).unwrap();
    assert_eq!((centre.text("plans/front.toml"), centre.text("plans/other.toml")), (next, OTHER.to_owned()));
    let entry = &centre.bench.history(None, 1).unwrap()[0];
    assert_eq!((entry.id, entry.entry.what), (back.entry, Deed::RolledBack));
    assert_eq!(entry.entry.subject, Some(first.entry.to_string()));
    let again = centre.bench.version(first.entry).unwrap();
    assert!(matches!(centre.bench.roll_back(first.entry, &again.etag, ada(), None), Err(BenchError::Invalid(_))));
    assert!(matches!(centre.bench.roll_back(9_999, &again.etag, ada(), None), Err(BenchError::Unknown(_))));
}

#[test]
fn what_was_changed_by_hand_can_be_gone_back_to() {
    let centre = Centre::new();
    centre.activate(vec![centre.change("plans/front.toml", &FRONT.replace("hello", "welcome"))]).unwrap();
    let by_hand = FRONT.replace("hello", "salut");
    fs::write(centre.folder.path().join("plans/front.toml"), &by_hand).unwrap();
    centre.activate(vec![centre.change("plans/front.toml", FRONT)]).unwrap();
    let history = centre.bench.history(None, 10).unwrap();
    let deeds: Vec<Deed> = history.iter().map(|entry| entry.entry.what).collect();
    assert_eq!(deeds, [Deed::Activated, Deed::Found, Deed::Activated, Deed::Found]);
    assert_eq!(centre.bench.version_text(history[1].id, "plans/front.toml").unwrap(), by_hand);
}

#[test]
fn one_puts_files_into_use_at_a_time() {
    let centre = Centre::new();
    let _other = centre.bench.writing.lock().unwrap();
    let refused = centre.activate(vec![centre.change("plans/front.toml", FRONT)]);
    assert!(matches!(refused, Err(BenchError::Busy(_))));
}

/// A WAV of one channel with a tone in it.
fn tone(rate_hz: u32, milliseconds: u32) -> Vec<u8> {
    let samples = rate_hz * milliseconds / 1_000;
    let mut wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    wav[4..8].copy_from_slice(&(36 + samples * 2).to_le_bytes());
    wav.extend_from_slice(&rate_hz.to_le_bytes());
    wav.extend_from_slice(&(rate_hz * 2).to_le_bytes());
    wav.extend_from_slice(b"\x02\0\x10\0data");
    wav.extend_from_slice(&(samples * 2).to_le_bytes());
    wav.extend((0..samples).flat_map(|n| (if n / 40 % 2 == 0 { 8_000_i16 } else { -8_000 }).to_le_bytes()));
    wav
}

impl Centre {
    /// With prompts of its own: a text in English that a voice made, and one in French without a sound.
    fn with_prompts() -> Centre {
        let centre = Centre::new();
        let prompts = centre.folder.path().join("prompts");
        let theirs = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts");
        for part in ["en", "fr", "music"] {
            fs::create_dir_all(prompts.join(part)).unwrap();
        }
        for file in [
            "en/spoken.toml",
            "fr/spoken.toml",
            "en/greeting.flac",
            "en/menu.flac",
            "en/hours.flac",
            "en/goodbye.flac",
            "en/invalid.flac",
            "en/no-input.flac",
        ] {
            fs::copy(theirs.join(file), prompts.join(file)).unwrap();
        }
        fs::copy(theirs.join("music/default.flac"), prompts.join("music/default.flac")).unwrap();
        fs::write(prompts.join("prompts.toml"), "[menu]\nen = \"Press 1.\"\nfr = \"Tapez 1.\"\n").unwrap();
        fs::write(prompts.join("made.tsv"), "en/menu.flac\tx\n").unwrap();
        let config = centre.folder.path().join("relais.toml");
        let text = fs::read_to_string(&config).unwrap();
        let here = "prompts = 'prompts'\nlanguages = ['en', 'fr']\n[[trunk]]";
        let (before, after) = text.split_once("prompts = ").unwrap();
        let after = after.split_once("[[trunk]]").unwrap().1;
        fs::write(&config, format!("{before}{here}{after}")).unwrap();
        centre.bench.live.store(Arc::new(load(&config).unwrap_or_else(|found| panic!("{found:?}"))));
        centre
    }

    fn menu(&self) -> prompts::PromptView {
        self.bench.prompts().prompts.into_iter().find(|prompt| prompt.name == "menu").unwrap()
    }
}

#[test]
fn prompts_are_listed_with_what_is_missing_in_each_language() {
    use prompts::Heard;
    let centre = Centre::with_prompts();
    let list = centre.bench.prompts();
    assert_eq!(list.languages, ["en", "fr"]);
    let menu = centre.menu();
    assert_eq!(menu.texts["fr"], "Tapez 1.");
    assert_eq!((menu.heard["en"], menu.heard["fr"]), (Heard::Own, Heard::Default));
    assert_eq!((menu.takes.len(), menu.takes[0].recorded), (1, false), "a voice made it");
    let music = list.prompts.iter().find(|prompt| prompt.name == "music/default").unwrap();
    assert_eq!((music.heard["fr"], music.takes[0].recorded), (Heard::Same, true));
}

#[test]
fn what_prompts_and_values_say_is_read_in_the_centres_languages_alone() {
    let centre = Centre::with_prompts();
    let folder = centre.folder.path().join("prompts/fr");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("spoken.toml"), "[words]\nvingt = \"vingt\"\n").unwrap();
    let french = centre.bench.words("fr").words;
    assert_eq!((french["menu"].as_str(), french["spoken-vingt"].as_str()), ("Tapez 1.", "vingt"));
    assert_eq!(centre.bench.words("en").words["menu"], "Press 1.");
    for other in ["ko", "../prompts/fr", ""] {
        assert!(centre.bench.words(other).words.is_empty(), "{other}");
    }
}

#[test]
fn a_recording_takes_the_place_of_a_voice_until_it_is_removed() {
    let centre = Centre::with_prompts();
    let made = centre.bench.sound("menu", Some("en")).unwrap();
    centre.bench.record("menu", Some("en"), tone(48_000, 900), &ada()).unwrap();
    let sound = centre.bench.sound("menu", Some("en")).unwrap();
    assert_eq!(
        (sound.media_type, sound.octets.len()),
        ("audio/wav", 44 + 900 * 32),
        "one channel of 16 bits at 16 kHz"
    );
    assert!(centre.menu().takes[0].recorded);
    centre.bench.record("menu", Some("fr"), tone(8_000, 500), &ada()).unwrap();
    assert_eq!(centre.menu().heard["fr"], prompts::Heard::Own);
    centre.bench.unrecord("menu", Some("en"), &ada()).unwrap();
    assert_eq!(centre.bench.sound("menu", Some("en")).unwrap().octets, made.octets);
    assert!(matches!(centre.bench.unrecord("menu", Some("en"), &ada()), Err(BenchError::Changed(_))));
    let subjects: Vec<_> = centre.bench.history(None, 9).unwrap().into_iter().map(|kept| kept.entry.subject).collect();
    assert_eq!(subjects, ["en/menu", "fr/menu", "en/menu"].map(|subject| Some(subject.to_owned())));
}

#[test]
fn what_is_no_prompt_is_not_taken() {
    let centre = Centre::with_prompts();
    let refused = |name: &str, language: Option<&str>, octets: Vec<u8>| {
        let answer = centre.bench.record(name, language, octets, &ada());
        assert!(matches!(answer, Err(BenchError::Invalid(_))), "{name} {language:?}: {answer:?}");
    };
    refused("menu", Some("en"), b"no sound at all".to_vec());
    refused("menu", Some("en"), Vec::new());
    refused("menu", Some("en"), tone(8_000, 100));
    refused("menu", Some("de"), tone(8_000, 500));
    refused("menu", None, tone(8_000, 500));
    for name in ["../menu", "en/menu", "Menu", "", "a b", "/etc/passwd", &"m".repeat(65)] {
        refused(name, Some("en"), tone(8_000, 500));
    }
    for name in ["music/../../menu", "nowhere/menu", "../prompts/menu", "/etc/menu", "music/"] {
        refused(name, None, tone(8_000, 500));
    }
    assert!(matches!(centre.bench.sound("../relais", Some("en")), Err(BenchError::Unknown(_))));
    // Somebody put a recording of another kind there by hand.
    fs::copy(centre.folder.path().join("prompts/en/hours.flac"), centre.folder.path().join("prompts/en/bye.flac"))
        .unwrap();
    let taken = centre.bench.record("bye", Some("en"), tone(8_000, 500), &ada());
    assert!(matches!(&taken, Err(BenchError::Changed(message)) if message.contains("bye.flac")), "{taken:?}");
}
