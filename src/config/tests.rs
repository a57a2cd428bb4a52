//! Configurations as operators write them, in a folder of the test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use tempfile::TempDir;

use super::*;
use crate::demand::Widening;
use crate::findings::Finding;
use crate::ids::{AgentId, Language};
use crate::settings::{CallPreference, Choice, Codec, Cold, IceSide, Transport};

const PLAN: &str = "name = 'front'\nnumbers = ['600']\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'echo'\n\
                    [[level]]\nname = 'b'\n[[level.rule]]\nmodule = 'hangup'\n";

/// A copy of what is shipped, with a folder of prompts.
struct Project {
    folder: TempDir,
}

impl Project {
    fn new() -> Project {
        let folder = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let prompts = folder.path().join("prompts");
        for group in ["en", "fr", "music"] {
            fs::create_dir_all(prompts.join(group)).unwrap();
            let spoken = Path::new(group).join("spoken.toml");
            if group != "music" {
                fs::copy(root.join("prompts").join(&spoken), prompts.join(&spoken)).unwrap();
            }
        }
        // What they sound like does not matter here.
        let catalogue: toml::Table = fs::read_to_string(root.join("prompts/prompts.toml")).unwrap().parse().unwrap();
        for name in catalogue.keys().map(|name| format!("en/{name}")).chain(["music/default".to_owned()]) {
            fs::write(prompts.join(format!("{name}.wav")), "").unwrap();
        }
        for part in ["deploy/demo", "deploy/bench", "dialplans"] {
            copy(&root.join(part), &folder.path().join(part));
        }
        let small = folder.path().join("small");
        fs::create_dir_all(small.join("plans")).unwrap();
        fs::write(small.join("plans/front.toml"), PLAN).unwrap();
        Project { folder }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Loads `text` as the configuration of a small centre with one plan.
    fn load(&self, text: &str) -> Result<Loaded, Vec<Finding>> {
        let path = self.path("small/relais.toml");
        fs::write(&path, format!("prompts = '../prompts'\n{text}")).unwrap();
        load(&path, &Overrides::default())
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &target) } else { fs::copy(&path, &target).map(|_| ()).unwrap() }
    }
}

fn lines(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn loaded(path: &Path) -> Loaded {
    load(path, &Overrides::default()).unwrap_or_else(|findings| panic!("{}", lines(&findings)))
}

#[test]
fn the_demo_is_what_the_contract_says() {
    let project = Project::new();
    let demo = loaded(&project.path("deploy/demo/relais.toml"));
    // Nothing but the engines, none of which is installed beside this copy of it.
    let missing = demo.warnings.iter().filter(|warning| warning.message.ends_with("by keypad only"));
    assert_eq!((missing.count(), demo.warnings.len()), (4, 4), "{}", lines(&demo.warnings));
    let settings = &demo.settings;
    let queue_of = |id: &str| -> Vec<String> {
        let agent = settings.agents.iter().find(|agent| agent.id.as_str() == id).unwrap();
        assert_eq!(agent.password, Some(format!("demo-{id}")));
        agent.queues.iter().map(ToString::to_string).collect()
    };
    assert_eq!(settings.agents.len(), 9);
    for (id, queues) in
        [("201", vec!["sales"]), ("204", vec!["sales", "support"]), ("206", vec!["support"]), ("209", vec![])]
    {
        assert_eq!(queue_of(id), queues, "{id}");
    }
    assert!(settings.queues.iter().all(|queue| queue.wrap_up.as_secs() == 5));
    assert_eq!(settings.pause_reasons, ["break", "lunch", "meeting", "training"]);
    let experts: Vec<&str> = settings.experts.iter().map(|expert| expert.address.as_str()).collect();
    assert_eq!(experts, ["sip:301@127.0.0.1:5090", "sip:302@127.0.0.1:5091"]);
    assert_eq!(settings.language.as_str(), "en");
    let billing = settings.agents.iter().filter(|agent| agent.skills.get("billing") == Some(&5));
    assert_eq!(billing.map(|agent| agent.id.as_str()).collect::<Vec<_>>(), ["203", "204", "205", "206"]);
    assert_eq!(settings.trunks[0].addresses[0].to_string(), "127.0.0.0/8");
    assert_eq!(settings.prompts, project.path("prompts"));
    assert_eq!(settings.data, project.path("var/demo"));
    for number in ["600", "601", "610", "611", "620"] {
        assert!(demo.plans.find(number, &[]).is_some(), "{number}");
    }
    for number in ["201", "301", "999"] {
        assert!(demo.plans.find(number, &[]).is_none(), "{number}");
    }
}

#[test]
fn the_bench_has_its_agents_at_fixed_addresses() {
    let project = Project::new();
    let bench = loaded(&project.path("deploy/bench/relais.toml"));
    assert_eq!(lines(&bench.warnings), "");
    assert_eq!(bench.settings.agents.len(), 502);
    let last = bench.settings.agents.iter().find(|agent| agent.id == AgentId::from("a500")).unwrap();
    assert_eq!((last.contact.as_deref(), &last.password), (Some("sip:a500@127.0.0.1:6060"), &None));
    for number in ["500", "501", "600", "700", "702", "71042"] {
        assert!(bench.plans.find(number, &[]).is_some(), "{number}");
    }
}

#[test]
fn the_company_to_start_from_is_sound() {
    let project = Project::new();
    assert_eq!(lines(&loaded(&project.path("dialplans/relais.toml")).warnings), "");
}

#[test]
fn defaults_are_safe() {
    let project = Project::new();
    let settings = project.load("").unwrap_or_else(|findings| panic!("{}", lines(&findings))).settings;
    assert!(settings.sip.listen.iter().all(|listen| listen.address.ip().is_loopback()));
    assert!(settings.web.listen.ip().is_loopback() && settings.rtp.address.is_loopback());
    assert!(settings.trunks.is_empty() && settings.agents.is_empty());
    assert_eq!(settings.languages, [Language::from("en")]);
}

#[test]
fn the_command_line_overrides_the_file() {
    let project = Project::new();
    let overrides = Overrides {
        sip: vec![parse_listen("udp:127.0.0.1:5999").unwrap()],
        rtp: Some(parse_rtp("127.0.0.2:40000-40099").unwrap()),
        web: Some("127.0.0.1:9000".parse().unwrap()),
        data: Some("/elsewhere".into()),
    };
    let settings = load(&project.path("deploy/demo/relais.toml"), &overrides).unwrap().settings;
    assert_eq!((settings.sip.listen.len(), settings.sip.listen[0].address.port()), (1, 5999));
    assert_eq!((settings.rtp.ports, settings.web.listen.port()), ((40_000, 40_099), 9_000));
    assert_eq!(settings.data, PathBuf::from("/elsewhere"));
}

#[test]
fn a_demo_password_keeps_the_centre_on_loopback() {
    let project = Project::new();
    let demo = project.path("deploy/demo/relais.toml");
    let text = fs::read_to_string(&demo).unwrap();
    let password = text.lines().position(|line| line.starts_with("password")).unwrap() + 1;
    for overrides in [
        Overrides { sip: vec![parse_listen("udp:0.0.0.0:5060").unwrap()], ..Overrides::default() },
        Overrides { sip: vec![parse_listen("tcp:192.0.2.1:5060").unwrap()], ..Overrides::default() },
        Overrides { sip: vec![parse_listen("udp:[::]:5060").unwrap()], ..Overrides::default() },
        Overrides { web: Some("0.0.0.0:8080".parse().unwrap()), ..Overrides::default() },
    ] {
        let findings = load(&demo, &overrides).unwrap_err();
        assert!(lines(&findings).contains("agent '201' has a demo password"), "{}", lines(&findings));
        let found = findings.iter().find(|finding| finding.message.contains("demo password"));
        assert_eq!(found.map(|finding| finding.line), Some(password), "at the password");
    }
    let own = "[sip]\nlisten = ['udp:192.0.2.1:5060']\n[[agent]]\nid = '201'\npassword = 'long and its own'\n";
    assert!(project.load(own).is_ok());
    assert!(project.load(&own.replace("long and its own", "demo-202")).is_ok(), "another's is no demo password");
}

#[test]
fn skills_have_the_highest_level_unless_they_say_another() {
    let project = Project::new();
    let text = "[[agent]]\nid = '1'\npassword = 'p'\nskills = ['billing']\n[[agent]]\nid = '2'\npassword = 'q'\n\
                skills = { billing = 2, french = 5 }\n";
    let settings = project.load(text).unwrap_or_else(|findings| panic!("{}", lines(&findings))).settings;
    let level = |agent: usize, skill: &str| settings.agents[agent].skills.get(skill).copied();
    assert_eq!((level(0, "billing"), level(1, "billing"), level(1, "french")), (Some(5), Some(2), Some(5)));
}

#[test]
fn schedules_are_of_all_queues_or_of_some() {
    let project = Project::new();
    let calendar = "[[calendar]]\nid = 'am'\ntime_zone = 'UTC'\nhours = { mon-fri = '08:00-12:00' }\n";
    let text = format!(
        "{calendar}[[queue]]\nid = 'a'\n[[queue]]\nid = 'b'\n[[agent]]\nid = '1'\npassword = 'p'\nqueues = ['a', 'b']\n\
         schedule = 'am'\n[[agent]]\nid = '2'\npassword = 'q'\nqueues = ['a', 'b']\nschedule = {{ b = 'am' }}\n\
         call_preference = 'queue_order'\n"
    );
    let settings = project.load(&text).unwrap_or_else(|findings| panic!("{}", lines(&findings))).settings;
    let schedules = |n: usize| {
        let agent = &settings.agents[n];
        agent.schedules.iter().map(|(queue, calendar)| format!("{queue} {calendar}")).collect::<Vec<_>>()
    };
    assert_eq!((schedules(0), schedules(1)), (vec!["a am".to_owned(), "b am".to_owned()], vec!["b am".to_owned()]));
    let preferences: Vec<CallPreference> = settings.agents.iter().map(|agent| agent.call_preference).collect();
    assert_eq!(preferences, [CallPreference::GreatestNeed, CallPreference::QueueOrder]);
}

#[test]
fn cold_work_and_the_calling_back_of_who_gave_up_are_read() {
    let project = Project::new();
    let calendar = "[[calendar]]\nid = 'am'\ntime_zone = 'UTC'\nhours = { mon-fri = '08:00-12:00' }\n";
    let text = format!(
        "{calendar}[[queue]]\nid = 'a'\noccupancy_band = [50, 75]\n[queue.callback]\ncold = 'all'\nidle_s = 20\n\
         hold_back_s = 60\n[queue.callback.abandoned]\nafter_s = 30\ncalendar = 'am'\n[[queue]]\nid = 'b'\n"
    );
    let settings = project.load(&text).unwrap_or_else(|findings| panic!("{}", lines(&findings))).settings;
    let (a, b) = (&settings.queues[0], &settings.queues[1]);
    assert_eq!((a.occupancy_band, b.occupancy_band), ((50, 75), (60, 80)));
    let seconds = Duration::from_secs;
    assert_eq!((a.callback.cold, a.callback.idle, a.callback.hold_back), (Cold::All, seconds(20), seconds(60)));
    assert_eq!((b.callback.cold, b.callback.idle, b.callback.hold_back), (Cold::Unplaced, seconds(3), seconds(900)));
    let abandoned = a.callback.abandoned.as_ref().expect("a rule");
    assert_eq!((abandoned.after, abandoned.calendar.as_deref()), (seconds(30), Some("am")));
    assert_eq!(b.callback.abandoned, None, "nobody is rung who has not asked for it");
}

#[test]
fn the_rules_by_which_a_queue_distributes_are_read() {
    let project = Project::new();
    let text = "[[queue]]\nid = 'a'\nchoice = 'least_occupied'\nring_at_once = 3\npriority_step_s = 0\n\
                widen = [{ after_s = 30, level = 2 }, { after_s = 60, level = 0 }]\n[[queue]]\nid = 'b'\n";
    let settings = project.load(text).unwrap_or_else(|findings| panic!("{}", lines(&findings))).settings;
    let step = |after, level| Widening { after: Duration::from_secs(after), level };
    let (a, b) = (&settings.queues[0], &settings.queues[1]);
    assert_eq!((a.choice, a.priority_step), (Choice::LeastOccupied, Some(Duration::ZERO)));
    assert_eq!(a.widen, [step(30, 2), step(60, 0)]);
    assert_eq!((b.choice, b.priority_step, b.widen.len()), (Choice::LongestIdle, None, 0));
    assert_eq!((a.ring_at_once, b.ring_at_once), (3, 1));
}

#[test]
fn a_trunk_is_read_whole() {
    let project = Project::new();
    let text = "[[trunk]]\nid = 'acme'\naddresses = ['192.0.2.1', '198.51.100.7/28']\nservers = ['sip.acme.example', '192.0.2.9:5070;tcp']\n\
                codecs = ['g722', 'PCMA']\nplans = ['front']\noptions_interval_s = 30\nallow = ['+33', '0033']\n\
                [trunk.register]\nuser = 'u'\npassword = 'p'\naor = 'sip:u@acme.example'\n";
    let loaded = project.load(text).unwrap_or_else(|findings| panic!("{}", lines(&findings)));
    let trunk = &loaded.settings.trunks[0];
    assert_eq!(
        trunk.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["192.0.2.1/32", "198.51.100.0/28"]
    );
    assert_eq!(trunk.servers[1].transport, Some(Transport::Tcp));
    assert_eq!(trunk.codecs, [Codec::G722, Codec::Pcma]);
    assert_eq!(trunk.register.as_ref().unwrap().aor, "sip:u@acme.example");
    assert_eq!((trunk.options_interval.as_secs(), trunk.allow.len()), (30, 2));
}

#[test]
fn pages_by_tls_have_a_certificate_and_its_faults_are_named() {
    let project = Project::new();
    let authority = crate::tls::tests::Authority::new();
    let table = |(certificate, key): &(PathBuf, PathBuf)| {
        format!("[web.tls]\ncertificate = '{}'\nkey = '{}'\n", certificate.display(), key.display())
    };
    let good = authority.issue(&["desk.example.com"]);
    let loaded = project.load(&table(&good)).unwrap_or_else(|findings| panic!("{}", lines(&findings)));
    assert!(loaded.settings.web.tls && loaded.https.is_some());
    assert!(loaded.for_comparison().https.is_none(), "a key is nobody's business");
    let plain = project.load("").unwrap_or_else(|findings| panic!("{}", lines(&findings)));
    assert!(!plain.settings.web.tls && plain.https.is_none());
    let other = authority.issue(&["other.example.com"]);
    let old = authority.issue_until(&["old.example.com"], 2_025);
    for (files, says) in [
        ((good.0.clone(), other.1), "web.tls: the key in"),
        (old, "web.tls: the certificate in"),
        ((authority.ca_file().with_file_name("none.pem"), good.1), "cannot be read"),
    ] {
        let findings = project.load(&table(&files)).expect_err(says);
        assert!(lines(&findings).contains(says), "{}", lines(&findings));
        assert_eq!((findings[0].line, findings[0].hint.is_some()), (3, true), "{}", lines(&findings));
    }
}

/// Each fault alone: where it is found (the first line is the folder of prompts), and a word of what is said.
#[test]
fn every_fault_is_found_at_its_place() {
    let project = Project::new();
    let agent = "[[agent]]\nid = '1'\npassword = 'secret'\n";
    let queue = "[[queue]]\nid = 'sales'\n";
    let expert = "[[expert]]\nid = '301'\naddress = 'sip:301@10.0.0.1'\n";
    let cases: Vec<(String, (usize, usize), &str)> = vec![
        ("langages = ['en']".into(), (2, 1), "did you mean 'languages'?"),
        ("languages = []".into(), (2, 13), "languages is empty"),
        ("languages = ['e/n']".into(), (2, 14), "is no language"),
        ("plans = ['none/*.toml']".into(), (2, 10), "no file fits"),
        ("sip = 5".into(), (2, 7), "not a table"),
        ("[sip]\nlisten = ['udp:127.0.0.1']".into(), (3, 11), "no address with a port"),
        ("[sip]\nlisten = ['ws:127.0.0.1:5061']".into(), (3, 11), "no transport that can be listened on"),
        ("[sip]\nlisten = ['tls:127.0.0.1:5061']".into(), (3, 11), "listened on without a certificate"),
        ("[sip.tls]\nkey = 'a.pem'".into(), (3, 7), "named without its certificate"),
        ("[sip.tls]\ncertificate = 'none.pem'\nkey = 'a.pem'".into(), (3, 15), "cannot be read"),
        ("[sip.tls]\nca_file = 'none.pem'".into(), (3, 11), "ca_file: "),
        ("[web.tls]".into(), (2, 1), "names no certificate"),
        ("[web.tls]\ncertificate = 'a.pem'".into(), (3, 15), "web.tls: certificate is named without its key"),
        ("[web.tls]\ncertificate = 'none.pem'\nkey = 'a.pem'".into(), (3, 15), "web.tls: "),
        ("[web.tls]\nca_file = 'none.pem'".into(), (3, 1), "ca_file"),
        ("[web]\norigins = ['desk.example.com']".into(), (3, 12), "is no origin"),
        ("[web.turn]\nurls = []".into(), (2, 1), "urls names no server"),
        ("[web.turn]\nurls = ['turn:a']".into(), (2, 1), "secret_file is missing"),
        ("[web.turn]\nurls = ['stun:a']\nsecret_file = 'none'".into(), (3, 9), "does not begin with turn:"),
        ("[web.turn]\nurls = ['turn::1']\nsecret_file = 'none'".into(), (3, 9), "names no host"),
        ("[web.turn]\nurls = ['turn:a?x=y']\nsecret_file = 'none'".into(), (3, 9), "more behind the ?"),
        ("[web.turn]\nurls = ['turns:a:443?transport=tcp']\nsecret_file = 'none'".into(), (4, 15), "cannot be read"),
        ("[sip]\nlisten = []".into(), (3, 10), "listen is empty"),
        ("[sip]\nlisten = 'udp:127.0.0.1:5060'".into(), (3, 10), "a list of texts"),
        ("[sip]\nlisten = ['udp:127.0.0.1:5060', 'udp:0.0.0.0:5061']".into(), (3, 33), "set public_address of [sip]"),
        ("[sip]\nlisten = ['tcp:[::]:5060']".into(), (3, 11), "phones cannot be told to answer to ::"),
        ("[sip]\npublic_address = '0.0.0.0'".into(), (3, 18), "no address that anybody can answer to"),
        ("[sip]\npublic_address = 'here'".into(), (3, 18), "is no IP address"),
        ("[rtp]\naddress = '0.0.0.0'".into(), (3, 11), "phones cannot send audio to it"),
        ("[sip]\npublic_address = '192.0.2.1'\n[rtp]\naddress = '::1'".into(), (5, 11), "not both IPv4 or both IPv6"),
        ("[sip]\ndomain = 'a b'".into(), (3, 10), "is no host name"),
        ("[sip]\nsession_expires_s = 20".into(), (3, 21), "from 90 to"),
        ("[sip]\nmax_calls = 'many'".into(), (3, 13), "a whole number"),
        ("[sip]\nmin_expires_s = 900\nmax_expires_s = 600".into(), (3, 17), "above max_expires_s"),
        ("[rtp]\nports = [40000, 30000]".into(), (3, 9), "at least four ports"),
        ("[rtp]\nports = [80, 30000]".into(), (3, 9), "begin at 1024"),
        ("[rtp]\nports = 7".into(), (3, 9), "the lowest and the highest"),
        ("[rtp]\nports = [5000, 6000]".into(), (1, 1), "is among the RTP ports"),
        ("[rtp]\naddress = 'here'".into(), (3, 11), "is no IP address"),
        ("[rtp]\nice = 'ful'".into(), (3, 7), "did you mean 'full'?"),
        ("[rtp]\nice = 'off'".into(), (3, 7), "rtp: ice cannot be 'off'"),
        ("[web]\nlisten = '8080'".into(), (3, 10), "is no address with a port"),
        ("[web]\nlisten = '127.0.0.1:5060'".into(), (1, 1), "SIP over TCP or TLS too"),
        (
            "[[trunk]]\nid = 'acme'\naddresses = ['10.0.0.0/8']\ncodecs = []".into(),
            (5, 10),
            "trunk 'acme': codecs is empty; name at least one of pcmu, pcma, g722, opus",
        ),
        ("[[trunk]]\nid = 'a'\naddresses = ['10.0.0.0/8']\ncodecs = ['opux']".into(), (5, 11), "no codec 'opux'"),
        ("[[trunk]]\nid = 'a'\naddresses = ['10.0.0.0/99']".into(), (4, 14), "no address and no network"),
        ("[[trunk]]\nid = 'a'".into(), (2, 1), "neither addresses nor servers"),
        ("[[trunk]]\nid = 'a'\nservers = ['a b']".into(), (4, 12), "neither an address nor a host name"),
        ("[[trunk]]\nid = 'a'\naddresses = ['10.0.0.1']\nplans = ['frnt']".into(), (5, 10), "did you mean 'front'?"),
        ("[[trunk]]\nid = 'a'\naddresses = ['10.0.0.1']\nallow = ['abc']".into(), (5, 10), "no beginning of a number"),
        (
            "[[trunk]]\nid = 'a'\nservers = ['s.example']\n[trunk.register]\nuser = 'u'\naor = 'sip:u@s.example'"
                .into(),
            (5, 1),
            "password is missing",
        ),
        (
            "[[trunk]]\nid = 'a'\naddresses = ['10.0.0.0/8']\n[[trunk]]\nid = 'b'\naddresses = ['10.1.0.0/16']".into(),
            (7, 14),
            "an address of trunk 'a' too",
        ),
        ("[[trunk]]\naddresses = ['10.0.0.0/8']".into(), (2, 1), "id is missing"),
        (format!("{queue}choice = 'longest_ilde'"), (4, 10), "did you mean 'longest_idle'?"),
        (format!("{queue}priority_step_s = -1"), (4, 19), "it goes from 0 to 86400"),
        (format!("{queue}ring_at_once = 0"), (4, 16), "it goes from 1 to 20"),
        (format!("{queue}widen = 5"), (4, 9), "it is to be a list"),
        (
            format!("{queue}widen = [{{ after_s = 5, level = 2 }}, {{ after_s = 4, level = 1 }}]"),
            (4, 9),
            "asks for less",
        ),
        (format!("{queue}{queue}{agent}queues = ['sales']"), (5, 6), "two of queue 'sales'"),
        (format!("{agent}{agent}"), (6, 6), "two agents '1'"),
        (format!("{queue}{agent}queues = ['salse']"), (7, 11), "did you mean 'sales'?"),
        (format!("{queue}ring_timeout_s = 0"), (4, 18), "from 3 to 300"),
        (format!("{queue}ring_timeout = 20"), (4, 1), "did you mean 'ring_timeout_s'?"),
        (format!("{queue}[queue.callback]\ncalendar = 'hours'"), (5, 12), "there is no calendar 'hours'"),
        (format!("{queue}[queue.callback]\nretry = 60"), (5, 1), "did you mean 'retry_s'?"),
        (format!("{queue}[queue.callback]\ncold = 'unplace'"), (5, 8), "did you mean 'unplaced'?"),
        (format!("{queue}[queue.callback.abandoned]\nafter_s = 30"), (4, 1), "no calendar says when"),
        (format!("{queue}[queue.callback.abandoned]\ncalendar = 'am'"), (5, 12), "there is no calendar 'am'"),
        (format!("{queue}[queue.callback]\ncalendar = 'x'\n[queue.callback.abandoned]"), (6, 1), "after_s is missing"),
        (format!("{queue}occupancy_band = [80, 60]"), (4, 18), "two whole percentages"),
        (format!("{queue}{agent}queues = ['sales']\nschedule = 'am'"), (8, 12), "there is no calendar 'am'"),
        (format!("{queue}{agent}queues = ['sales']\nschedule = {{ salse = 'am' }}"), (8, 14), "did you mean 'sales'?"),
        (format!("{queue}{agent}queues = ['sales']\nschedule = 7"), (8, 12), "schedule is a whole number"),
        (format!("{agent}call_preference = 'queue_oder'"), (5, 19), "did you mean 'queue_order'?"),
        (format!("{queue}[queue.callback]\nattempts = 0"), (5, 12), "from 1 to 20"),
        (
            format!("{queue}[queue.supervision]\nannouncement = 'supervision-notise'"),
            (5, 16),
            "queue 'sales': supervision: there is no prompt 'supervision-notise'",
        ),
        (format!("{queue}[queue.supervision]\nbeep_every_s = 4000"), (5, 16), "beep_every_s"),
        ("[supervision]\nbeep_evry_s = 15".into(), (3, 1), "did you mean 'beep_every_s'?"),
        (format!("{queue}comfort = 5"), (4, 11), "it is to be a list"),
        (format!("{queue}comfort = [{{ say = 'estimate' }}]"), (4, 11), "an entry without after_s"),
        (
            format!(
                "{queue}comfort = [{{ say = 'estimate', after_s = 20 }}, {{ prompt = 'please-wiat', after_s = 20 }}]"
            ),
            (4, 48),
            "comfort: there is no prompt 'please-wiat' in language 'en' (did you mean 'please-wait'?)",
        ),
        (format!("{queue}music = 'music/jazz'"), (4, 9), "there is no music 'music/jazz'"),
        ("[[agent]]\nid = '1'".into(), (2, 1), "neither password nor contact"),
        ("[[agent]]\nid = '1'\npassword = ''".into(), (4, 12), "password is empty"),
        ("[[agent]]\nid = '1'\ncontact = '1@here'".into(), (4, 11), "does not begin with sip:"),
        ("[[agent]]\nid = '1..x'\npassword = 'p'".into(), (3, 6), "does not end in numbers"),
        ("[[agent]]\nid = 'a b'\npassword = 'p'".into(), (3, 6), "cannot be an id"),
        (format!("{agent}skills = 'billing'"), (5, 10), "a list of names, or a table of levels"),
        (format!("{agent}skills = [1]"), (5, 10), "a list of names, or a table of levels"),
        (format!("{agent}skills = ['a', 'a']"), (5, 16), "skill 'a' stands twice"),
        (format!("{agent}skills = {{ billing = 6 }}"), (5, 22), "the level of skill 'billing' goes from 1 to 5"),
        (format!("{agent}skills = ['a b']"), (5, 11), "cannot be an id"),
        (format!("{agent}language = 'fr'"), (5, 12), "is not among languages"),
        (format!("{agent}[[expert]]\nid = '1'\naddress = 'sip:1@10.0.0.1'"), (6, 6), "the id of an agent already"),
        ("[[expert]]\nid = '301'\naddress = '301'".into(), (4, 11), "does not begin with sip:"),
        ("[[expert]]\nid = '301'".into(), (2, 1), "address is missing"),
        ("[[expert]]\nid = '301'\naddress = 'sip:301@pbx.test'".into(), (4, 11), "is at a host name"),
        (format!("{expert}trunk = 'company'"), (5, 9), "there is no trunk 'company'"),
        (
            format!("{expert}trunk = 'a'\n[[trunk]]\nid = 'a'\naddresses = ['10.1.0.1']"),
            (5, 9),
            "trunk 'a' has no servers",
        ),
        (format!("{expert}calendar = 'hours'"), (5, 12), "there is no calendar 'hours'"),
        (format!("{expert}competence = ['tax', 'tax']"), (5, 22), "competence 'tax' stands twice"),
        (format!("{expert}competence = ['']"), (5, 15), "from 1 to 100 characters"),
        (format!("{expert}options_interval_s = 41"), (5, 22), "from 0 to 40"),
        (format!("{expert}told_stale_s = 0"), (5, 16), "from 10 to 604800"),
        (format!("{expert}subscribes = true"), (5, 1), "did you mean 'subscribe'?"),
        ("[[calendar]]\nid = 'c'\ntime_zone = 'Europe/Pari'".into(), (4, 13), "no time zone 'Europe/Pari'"),
        (
            "[[calendar]]\nid = 'c'\ntime_zone = 'UTC'\nhours = { monday = '09:00-18:00' }".into(),
            (5, 11),
            "no day of the week",
        ),
        ("[[calendar]]\nid = 'c'\ntime_zone = 'UTC'\nhours = { mon = '9-18' }".into(), (5, 17), "are no hours"),
        ("[[calendar]]\nid = 'c'\ntime_zone = 'UTC'\nclosed = ['25.12.2026']".into(), (5, 11), "is no date"),
        (
            "[[calendar]]\nid = 'c'\ntime_zone = 'UTC'\nholidays = ['de']".into(),
            (5, 13),
            "holidays of 'de' are not known",
        ),
        (
            "[[calendar]]\nid = 'c'\ntime_zone = 'UTC'\nholidays = ['fr']\nworked = ['whit-sunday']".into(),
            (6, 11),
            "did you mean 'whit-monday'?",
        ),
        (
            "[[calendar]]\nid = 'c'\ntime_zone = 'UTC'\n[[calendar.holiday]]\nname = 'x'\ndate = '02-30'".into(),
            (7, 8),
            "'02-30' is no day of a year",
        ),
        (
            "[[calendar]]\nid = 'c'\ntime_zone = 'UTC'\n[[calendar.holiday]]\nname = 'x'\nweekday = 'thu'".into(),
            (5, 1),
            "a holiday needs one day of the year",
        ),
        ("a = 1\na = 2".into(), (3, 1), "duplicate key"),
        ("[sip".into(), (2, 5), ""),
    ];
    for (text, (line, column), word) in cases {
        let findings = project.load(&text).expect_err(&text);
        let found = findings
            .iter()
            .any(|finding| (finding.line, finding.column) == (line, column) && finding.to_string().contains(word));
        assert!(found, "{text}\nwanted {line}:{column} {word}, found\n{}", lines(&findings));
    }
}

#[test]
fn findings_of_all_files_come_at_once() {
    let project = Project::new();
    fs::write(project.path("small/plans/front.toml"), PLAN.replace("echo", "eco")).unwrap();
    let findings = project.load("bogus = 1\n[web]\nlisten = 'x'").unwrap_err();
    let files: Vec<&str> = findings.iter().map(|finding| finding.file.rsplit('/').next().unwrap()).collect();
    assert_eq!(files, ["relais.toml", "relais.toml", "front.toml"], "{}", lines(&findings));
}

#[test]
fn what_is_probably_a_slip_is_a_warning() {
    let project = Project::new();
    let text = "[[queue]]\nid = 'lonely'\n[[queue]]\nid = 'many'\nring_at_once = 2\n\
                [[agent]]\nid = '600'\npassword = '600'\nqueues = ['many']\n";
    let warnings = project.load(text).unwrap_or_else(|findings| panic!("{}", lines(&findings))).warnings;
    let words = ["has no agents", "ring_at_once is 2, and it has 1 agent (", "also a number of plan", "is the id"];
    assert!(words.iter().all(|word| lines(&warnings).contains(word)), "{}", lines(&warnings));
}

#[test]
fn a_queue_that_nobody_is_ever_a_member_of_is_a_warning() {
    let project = Project::new();
    let centre = |hours: &str, second: &str| {
        let text = format!(
            "[[calendar]]\nid = 'never'\ntime_zone = 'UTC'\n{hours}[[queue]]\nid = 'sales'\n[[agent]]\nid = '1'\n\
             password = 'p'\nqueues = ['sales']\nschedule = 'never'\n{second}"
        );
        let loaded = project.load(&text).unwrap_or_else(|findings| panic!("{}", lines(&findings)));
        lines(&loaded.warnings)
    };
    let warned = centre("", "");
    assert!(warned.contains("queue 'sales' has agents by schedules that never open"), "{warned}");
    let open = centre("exceptions = { '2026-12-25' = '09:00-12:00' }\n", "");
    assert!(!open.contains("never open"), "{open}");
    let staffed = centre("", "[[agent]]\nid = '2'\npassword = 'q'\nqueues = ['sales']\n");
    assert!(!staffed.contains("never open"), "{staffed}");
}

#[test]
fn the_side_of_ice_is_lite_where_nothing_else_is_said() {
    let project = Project::new();
    for (text, side) in
        [("", IceSide::Lite), ("[rtp]\nice = 'lite'\n", IceSide::Lite), ("[rtp]\nice = 'full'\n", IceSide::Full)]
    {
        let loaded = project.load(text).unwrap_or_else(|findings| panic!("{}", lines(&findings)));
        assert_eq!(loaded.settings.rtp.ice, side, "{text}");
    }
}

#[test]
fn every_address_may_be_listened_on_where_the_public_one_is_told() {
    let project = Project::new();
    let text = "[sip]\nlisten = ['udp:0.0.0.0:5060']\npublic_address = '192.0.2.10'\n[rtp]\naddress = '0.0.0.0'\n";
    let loaded = project.load(text).unwrap_or_else(|findings| panic!("{}", lines(&findings)));
    assert_eq!(lines(&loaded.warnings), "");
    assert_eq!(loaded.settings.sip.public_address, Some("192.0.2.10".parse().unwrap()));
    let flag = Overrides { sip: vec![parse_listen("udp:0.0.0.0:5060").unwrap()], ..Overrides::default() };
    let findings = load(&project.path("dialplans/relais.toml"), &flag).unwrap_err();
    assert!(lines(&findings).contains("set public_address"), "a flag is checked as well: {}", lines(&findings));
}

#[test]
fn a_configuration_that_is_not_there_is_one_finding() {
    let findings = load(Path::new("/nonexistent/relais.toml"), &Overrides::default()).unwrap_err();
    assert!(findings[0].to_string().starts_with("/nonexistent/relais.toml:1:1: cannot be read"));
}

#[test]
fn names_of_plan_files_may_hold_stars() {
    for (pattern, name, expected) in [
        ("*.toml", "a.toml", true),
        ("*.toml", "a.txt", false),
        ("a*b*c", "a12b34c", true),
        ("a*b*c", "acb", false),
        ("a*a", "a", false),
        ("*", "x", true),
        ("a*", "b", false),
    ] {
        let project = tempfile::tempdir().unwrap();
        fs::write(project.path().join(name), PLAN).unwrap();
        let source = Source { path: String::new(), text: String::new() };
        let mut findings = Findings::new(&source);
        let patterns = [reader::At { value: pattern.to_owned(), span: 0..0 }];
        let sources = files::sources("plans", &patterns, (project.path(), &Drafts::default()), &mut findings);
        assert_eq!(sources.len() == 1, expected, "{pattern} {name}");
    }
}

/// However the file is damaged, reading it neither panics nor points outside of it.
#[test]
fn a_damaged_configuration_is_survived() {
    let project = Project::new();
    let original = fs::read_to_string(project.path("deploy/demo/relais.toml")).unwrap();
    let seed = 0x636f6e66;
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let pieces =
        ["[", "]", "{", "\"", "'", "=", "\n", "..", "[[agent]]", "é", "\0", "{id}", "99999999999999999999", "-1"];
    for round in 0..400 {
        let mut text = original.clone();
        for _ in 0..=rng.next_u32() % 3 {
            let mut at = rng.next_u32() as usize % (text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let piece = pieces[rng.next_u32() as usize % pieces.len()];
            if rng.next_u32() % 2 == 0 { text.insert_str(at, piece) } else { text.truncate(at) }
        }
        let path = project.path("deploy/demo/relais.toml");
        fs::write(&path, &text).unwrap();
        let Err(findings) = load(&path, &Overrides::default()) else { continue };
        for finding in findings.iter().filter(|finding| finding.file == path.display().to_string()) {
            let line = text.split('\n').nth(finding.line - 1);
            let fits = line.is_some_and(|line| (1..=line.chars().count() + 1).contains(&finding.column));
            assert!(fits, "seed {seed:#x} round {round}: {finding}\n{text}");
        }
    }
}

#[test]
fn services_lists_and_customers_are_read() {
    let project = Project::new();
    for (file, text) in [
        ("crm.token", "t0ken\n"),
        ("spam.txt", "# known spammers\n0899*   # a whole range\n\n+33155501234\nnonsense\n"),
        ("customers.csv", "number,value\n0155501234,90\nnobody,1\n"),
    ] {
        fs::write(project.path("small").join(file), text).unwrap();
    }
    let text = "time_zone = 'Europe/Paris'\n[numbering]\ncountry_code = '33'\n[customers]\nfile = 'customers.csv'\n\
                [[list]]\nid = 'spam'\nfile = 'spam.txt'\nnumbers = ['+44*']\n\
                [[service]]\nid = 'crm'\nbase_url = 'https://crm.example.com/api/'\ntoken_file = 'crm.token'\n\
                headers = { X-Tenant = 'acme' }\nmax_concurrent = 7\n[[service]]\nid = 'anywhere'\nany_url = true\n";
    let loaded = project.load(text).unwrap_or_else(|findings| panic!("{}", lines(&findings)));
    let settings = &loaded.settings;
    assert_eq!((settings.time_zone.as_str(), settings.numbering.country_code.as_str()), ("Europe/Paris", "33"));
    assert_eq!(settings.customers, Some(project.path("small/customers.csv")));
    let crm = &settings.services[0];
    assert_eq!((crm.base_url.as_str(), crm.max_concurrent), ("https://crm.example.com/api", 7));
    assert_eq!((crm.token_file.as_deref(), crm.any_url), (Some(project.path("small/crm.token").as_path()), false));
    assert!(settings.services[1].any_url);
    let spam = &loaded.plans.names().lists["spam"];
    assert_eq!(spam.len(), 3);
    assert!(spam.contains("+33899123456") && spam.contains("+33155501234") && spam.contains("+4420"));
    let warnings = lines(&loaded.warnings);
    for expected in ["spam.txt:5:1: warning: 'nonsense' is no number", "customers.csv:3:1: warning: this row has no"] {
        assert!(warnings.contains(expected), "{warnings}");
    }
    let own_zone = project.load("[[calendar]]\nid = 'c'\ntime_zone = 'Asia/Seoul'\nhours = {}\n").unwrap();
    assert_eq!(own_zone.settings.time_zone, "Asia/Seoul", "that of the first calendar");
    assert_eq!(project.load("").unwrap().settings.time_zone, "UTC");
}

#[test]
fn faults_of_services_lists_and_customers_are_found_at_their_places() {
    let project = Project::new();
    fs::write(project.path("small/empty"), " \n").unwrap();
    let service = "[[service]]\nid = 'crm'\n";
    let cases: Vec<(String, (usize, usize), &str)> = vec![
        ("time_zone = 'Europe/Pari'".into(), (2, 13), "no time zone"),
        ("[numbering]\ncountry_code = '+33'".into(), (3, 16), "country_code is '+33'"),
        ("[[list]]\nid = 'spam'".into(), (2, 1), "neither file nor numbers"),
        ("[[list]]\nid = 'spam'\nnumbers = ['abc']".into(), (4, 12), "'abc' is no number"),
        ("[[list]]\nid = 'spam'\nfile = 'none.txt'".into(), (4, 8), "cannot be read"),
        ("[customers]".into(), (2, 1), "file is missing"),
        (service.into(), (2, 1), "base_url is missing"),
        (format!("{service}base_url = 'crm.example.com'"), (4, 12), "is no URL"),
        (format!("{service}base_url = 'ftp://crm.example.com'"), (4, 12), "neither http nor https"),
        (format!("{service}base_url = 'https://u:p@crm.example.com'"), (4, 12), "holds a password"),
        (format!("{service}base_url = 'https://crm.example.com?a=1'"), (4, 12), "has a ? or # part"),
        (format!("{service}any_url = true\nbase_url = 'https://crm.example.com'"), (5, 12), "no meaning"),
        (format!("{service}any_url = true\nheaders = {{ Host = 'x' }}"), (5, 13), "HTTP's own"),
        (format!("{service}any_url = true\nheaders = {{ X = 1 }}"), (5, 17), "not a text"),
        (format!("{service}any_url = true\ntoken_file = 'none'"), (5, 14), "cannot be read"),
        (format!("{service}any_url = true\nsecret_file = 'empty'"), (5, 15), "is empty"),
        (format!("{service}any_url = true\nmax_concurent = 1"), (5, 1), "did you mean 'max_concurrent'?"),
        (format!("{service}any_url = true\n{service}any_url = true"), (6, 6), "two of service 'crm'"),
    ];
    for (text, place, expected) in cases {
        let findings = project.load(&text).err().unwrap_or_default();
        let found = findings.iter().find(|finding| {
            finding.message.contains(expected) || finding.hint.as_deref().is_some_and(|hint| hint.contains(expected))
        });
        let found = found.unwrap_or_else(|| panic!("{text}: {}", lines(&findings)));
        assert_eq!((found.line, found.column), place, "{text}: {found}");
    }
    let open = "[[service]]\nid = 'crm'\nbase_url = 'http://crm.example.com'\ntoken_file = 'plan'\n";
    fs::write(project.path("small/plan"), "t").unwrap();
    let warned = project.load(open).unwrap_or_else(|findings| panic!("{}", lines(&findings)));
    assert!(lines(&warned.warnings).contains("without encryption"));
}

#[test]
fn what_is_said_of_recordings_is_read_and_a_key_that_others_could_have_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let project = Project::new();
    let key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let put = |name: &str, text: &str, mode: u32| {
        let path = project.path(&format!("small/{name}"));
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    put("good.key", &format!("{key}\n"), 0o400);
    put("open.key", &format!("{key}\n"), 0o644);
    put("short.key", &key[2..], 0o600);
    put("empty.key", "# none yet\n", 0o600);
    let text = "[recordings]\nkey_file = 'good.key'\nkeep_days = 365\nkeep_messages_days = 90\n[[queue]]\nid = 'sales'\n\
                keep_recordings_days = 30\n";
    let loaded = project.load(text).unwrap_or_else(|found| panic!("{}", lines(&found)));
    assert_eq!(loaded.keys.map(|keys| keys.ids().count()), Some(1));
    let keep = |kind, queue: Option<&str>, mailbox| {
        loaded.settings.keeps(kind, queue.map(Into::into).as_ref(), mailbox).map(|keep| keep.as_secs() / 86_400)
    };
    use crate::record::RecordingKind::{Call, Voicemail};
    assert_eq!((keep(Call, None, None), keep(Call, Some("sales"), None)), (Some(365), Some(30)));
    assert_eq!((keep(Voicemail, Some("sales"), None), keep(Call, None, Some("sales"))), (Some(90), Some(30)));
    assert_eq!(project.load("").unwrap().settings.shortest_keep(), None);
    for (file, expected) in [
        ("open.key", "can be read by others: its mode is 644"),
        ("short.key", "line 1: a key is 64 hexadecimal digits, and this has 62"),
        ("empty.key", "holds no key"),
        ("none.key", "cannot be read"),
        ("plans", "is no file"),
    ] {
        let found = project.load(&format!("[recordings]\nkey_file = '{file}'\n")).err().unwrap_or_default();
        assert!(lines(&found).contains(expected), "{file}: {}", lines(&found));
        assert_eq!((found[0].line, found[0].column), (3, 12), "{file}");
    }
    for wrong in ["keep_days = 0", "keep_days = 'long'", "keep_month = 3"] {
        assert!(project.load(&format!("[recordings]\n{wrong}\n")).is_err(), "{wrong}");
    }
}
