//! The whole file: tables to drafts, with the command line's word over it.

use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use super::Overrides;
use super::address::{LOOPBACK, check_ports, is_host_name, parse_listen};
use super::calendar::{self, CalendarDraft};
use super::customers;
use super::files::resolve;
use super::lists::{self, ListDraft};
use super::people::{self, AgentDraft, ExpertDraft, QueueDraft};
use super::recordings;
use super::services::{self, ServiceDraft};
use super::speech::{self, SpeechDraft};
use super::tls;
use super::trunk::{self, TrunkDraft};
use super::users::{self, UserDraft};
use super::web;
use crate::dialplan::reader::{At, Table};
use crate::findings::{Finding, Findings};
use crate::ids::Language;
use crate::settings::{IceSide, Listen, Rtp, Settings, Sip, Transport};
use crate::tls::{Https, Tls};
use crate::vault::Keyring;

/// Settings as read, and the places of what is checked against other parts.
pub(super) struct Draft {
    pub settings: Settings,
    pub prompts: At<()>,
    pub plan_files: Vec<At<String>>,
    pub bot_files: Vec<At<String>>,
    pub trunks: Vec<TrunkDraft>,
    pub agents: Vec<AgentDraft>,
    pub queues: Vec<QueueDraft>,
    pub experts: Vec<ExpertDraft>,
    pub users: Vec<UserDraft>,
    pub calendars: Vec<CalendarDraft>,
    pub services: Vec<ServiceDraft>,
    pub speech: Vec<SpeechDraft>,
    pub keys: Option<Keyring>,
    pub tls: Tls,
    pub https: Option<Https>,
    pub lists: Vec<ListDraft>,
    /// What is said where a supervisor comes.
    pub announcement: Option<At<String>>,
    /// What was found in files that the configuration names.
    pub file_findings: Vec<Finding>,
    pub places: Places,
}

/// Where the addresses of this machine stand; at the beginning of the file what the command line says.
#[derive(Default)]
pub(super) struct Places {
    /// One for each listener.
    pub listen: Vec<Range<usize>>,
    pub public_address: Range<usize>,
    /// `None`: it is that of the first listener.
    pub rtp: Option<Range<usize>>,
}

pub(super) fn read(mut table: Table<'_>, folder: &Path, overrides: &Overrides, findings: &mut Findings<'_>) -> Draft {
    let data = table.text("data", findings).map_or_else(|| "data".to_owned(), |data| data.value);
    let prompts = table.text("prompts", findings).unwrap_or(At { value: "prompts".to_owned(), span: 0..0 });
    // Off where nothing is said: a change is often more than one file, and half of it may pass every check.
    let watch = table.flag("watch", findings).is_some_and(|watch| watch.value);
    let languages = read_languages(&mut table, findings);
    let language = languages.first().cloned().unwrap_or_else(|| Language::from("en"));
    let plan_files = match table.texts("plans", findings) {
        Some(texts) => texts.value,
        None => vec![At { value: "plans/*.toml".to_owned(), span: 0..0 }],
    };
    let bot_files = table.texts("bots", findings).map(|texts| texts.value).unwrap_or_default();
    let sentence_encoder = table.text("sentence_encoder", findings);
    let pause_reasons = read_words("pause_reasons", "pause reason", &mut table, findings);
    let dispositions = read_words("dispositions", "disposition", &mut table, findings);
    let mut places = Places::default();
    let (sip, tls) = read_sip(table.table("sip", findings), folder, overrides, &mut places, findings);
    let first_address = sip.listen.first().map_or(LOOPBACK, |listen| listen.address.ip());
    let rtp = read_rtp(table.table("rtp", findings), first_address, overrides, &mut places, findings);
    let (web, https) = web::read(table.table("web", findings), folder, overrides, findings);
    let trunks: Vec<_> =
        table.tables("trunk", findings).into_iter().filter_map(|trunk| trunk::read(trunk, findings)).collect();
    let agents: Vec<_> = table
        .tables("agent", findings)
        .into_iter()
        .filter_map(|agent| people::read_agent(agent, &language, findings))
        .collect();
    let queues: Vec<_> =
        table.tables("queue", findings).into_iter().filter_map(|queue| people::read_queue(queue, findings)).collect();
    let experts: Vec<_> = table
        .tables("expert", findings)
        .into_iter()
        .filter_map(|expert| people::read_expert(expert, findings))
        .collect();
    let users: Vec<_> =
        table.tables("user", findings).into_iter().filter_map(|user| users::read(user, findings)).collect();
    let calendars: Vec<_> = table
        .tables("calendar", findings)
        .into_iter()
        .filter_map(|calendar| calendar::read(calendar, findings))
        .collect();
    let time_zone = calendar::read_centre_zone(&mut table, &calendars, findings);
    let numbering = lists::read_numbering(table.table("numbering", findings), findings);
    let mut file_findings = Vec::new();
    let lists: Vec<_> = table
        .tables("list", findings)
        .into_iter()
        .filter_map(|list| lists::read(list, folder, &numbering, findings, &mut file_findings))
        .collect();
    let customers = table
        .table("customers", findings)
        .and_then(|customers| customers::check(customers, folder, &numbering, findings, &mut file_findings));
    let services: Vec<_> = table
        .tables("service", findings)
        .into_iter()
        .filter_map(|service| services::read(service, folder, findings))
        .collect();
    let speech: Vec<_> = table
        .tables("speech", findings)
        .into_iter()
        .filter_map(|speech| speech::read(speech, folder, findings))
        .collect();
    let (recordings, keys) = recordings::read(table.table("recordings", findings), folder, findings);
    let notice = table.table("supervision", findings);
    let notice = notice.map(|notice| people::read_supervision(notice, "supervision".to_owned(), findings));
    let (supervision, announcement) = notice.unwrap_or_default();
    table.finish(findings);
    let settings = Settings {
        supervision,
        sip,
        rtp,
        web,
        data: overrides.data.clone().unwrap_or_else(|| resolve(folder, &data)),
        prompts: resolve(folder, &prompts.value),
        sentence_encoder: sentence_encoder.map(|encoder| resolve(folder, &encoder.value)),
        watch,
        language,
        languages,
        pause_reasons,
        dispositions,
        trunks: trunks.iter().map(|draft| draft.trunk.clone()).collect(),
        agents: agents.iter().flat_map(|draft| draft.agents.iter().cloned()).collect(),
        queues: queues.iter().map(|draft| draft.queue.clone()).collect(),
        experts: experts.iter().map(|draft| draft.expert.clone()).collect(),
        time_zone,
        numbering,
        services: services.iter().map(|draft| draft.service.clone()).collect(),
        speech: speech.iter().map(|draft| draft.speech.clone()).collect(),
        customers,
        recordings,
    };
    let prompts = prompts.map(|_| ());
    Draft {
        settings,
        prompts,
        plan_files,
        bot_files,
        trunks,
        agents,
        queues,
        experts,
        users,
        calendars,
        services,
        speech,
        keys,
        tls,
        https,
        lists,
        announcement,
        file_findings,
        places,
    }
}

fn read_languages(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Vec<Language> {
    let Some(texts) = table.texts("languages", findings) else { return vec![Language::from("en")] };
    if texts.value.is_empty() {
        findings.error(texts.span, "languages is empty; name at least one, as [\"en\"]", None);
    }
    let mut languages: Vec<Language> = Vec::new();
    for text in texts.value {
        // BCP 47 (RFC 5646), as far as names of folders need it.
        let fine = (2..=16).contains(&text.value.len())
            && text.value.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let language = Language::from(text.value.as_str());
        if !fine {
            findings.error(
                text.span,
                format!("'{}' is no language", text.value),
                "write \"en\" or \"pt-BR\"".to_owned(),
            );
        } else if languages.contains(&language) {
            findings.error(text.span, format!("language '{}' stands twice", text.value), None);
        } else {
            languages.push(language);
        }
    }
    languages
}

/// Words that agents choose from.
fn read_words(key: &'static str, what: &str, table: &mut Table<'_>, findings: &mut Findings<'_>) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for text in table.texts(key, findings).map(|texts| texts.value).unwrap_or_default() {
        if text.value.trim().is_empty() || text.value.len() > 64 {
            findings.error(text.span, format!("a {what} is empty or longer than 64 characters"), None);
        } else if words.contains(&text.value) {
            findings.error(text.span, format!("{what} '{}' stands twice", text.value), None);
        } else {
            words.push(text.value);
        }
    }
    words
}

fn read_sip(
    table: Option<Table<'_>>,
    folder: &Path,
    overrides: &Overrides,
    places: &mut Places,
    findings: &mut Findings<'_>,
) -> (Sip, Tls) {
    let mut secured = Tls::default();
    let mut sip = Sip {
        listen: Vec::new(),
        domain: "relais.localhost".to_owned(),
        public_address: None,
        session_expires: Duration::from_secs(1_800),
        max_calls: 2_000,
        min_expires: Duration::from_secs(60),
        max_expires: Duration::from_secs(3_600),
    };
    let address = std::net::SocketAddr::new(LOOPBACK, 5060);
    let default = [Transport::Udp, Transport::Tcp].map(|transport| Listen { transport, address }).to_vec();
    let mut listen = None;
    if let Some(mut table) = table {
        listen = read_listen(&mut table, findings);
        if let Some(domain) = table.text("domain", findings) {
            if domain.value.parse::<IpAddr>().is_err() && !is_host_name(&domain.value) {
                let hint = "write the name of this centre, as \"pbx.example.com\"".to_owned();
                findings.error(domain.span, format!("sip: '{}' is no host name", domain.value), hint);
            }
            sip.domain = domain.value;
        }
        sip.public_address = table.text("public_address", findings).and_then(|address| {
            places.public_address = address.span.clone();
            let parsed = address.value.parse().ok();
            if parsed.is_none() {
                findings.error(address.span, format!("sip: '{}' is no IP address", address.value), None);
            }
            parsed
        });
        let mut seconds = |key, low, high, into: &mut Duration, findings: &mut Findings<'_>| {
            let given = table.integer(key, low..=high, findings);
            if let Some(given) = &given {
                *into = Duration::from_secs(given.value.unsigned_abs());
            }
            given.map(|given| given.span)
        };
        seconds("session_expires_s", 90, 86_400, &mut sip.session_expires, findings);
        let lowest = seconds("min_expires_s", 10, 3_600, &mut sip.min_expires, findings);
        let highest = seconds("max_expires_s", 60, 86_400, &mut sip.max_expires, findings);
        if let (true, Some(span)) = (sip.min_expires > sip.max_expires, lowest.or(highest)) {
            findings.error(span, "sip: min_expires_s is above max_expires_s", None);
        }
        if let Some(most) = table.integer("max_calls", 1..=1_000_000, findings) {
            sip.max_calls = usize::try_from(most.value).unwrap_or(sip.max_calls);
        }
        secured = tls::read(table.table("tls", findings), folder, findings);
        table.finish(findings);
    }
    (sip.listen, places.listen) = match (overrides.sip.is_empty(), listen) {
        (false, _) => (overrides.sip.clone(), vec![0..0; overrides.sip.len()]),
        (true, Some(listen)) => listen.into_iter().map(|listen| (listen.value, listen.span)).unzip(),
        (true, None) => (default, vec![0..0; 2]),
    };
    (sip, secured)
}

fn read_listen(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Option<Vec<At<Listen>>> {
    let texts = table.texts("listen", findings)?;
    if texts.value.is_empty() {
        findings.error(texts.span, "sip: listen is empty; write [\"udp:127.0.0.1:5060\"]", None);
    }
    let mut listen: Vec<At<Listen>> = Vec::new();
    for text in texts.value {
        match parse_listen(&text.value) {
            Ok(place) if listen.iter().any(|other| other.value == place) => {
                findings.error(text.span, format!("sip: {} stands twice", text.value), None);
            }
            Ok(place) => listen.push(At { value: place, span: text.span }),
            Err(fault) => findings.error(text.span, format!("sip: listen: {fault}"), None),
        }
    }
    Some(listen)
}

fn read_rtp(
    table: Option<Table<'_>>,
    sip_address: IpAddr,
    overrides: &Overrides,
    places: &mut Places,
    findings: &mut Findings<'_>,
) -> Rtp {
    let mut rtp = Rtp {
        address: sip_address,
        ports: (30_000, 39_999),
        dead_leg: Duration::from_secs(60),
        threads: None,
        ice: IceSide::default(),
    };
    if let Some(mut table) = table {
        if let Some(address) = table.text("address", findings) {
            places.rtp = Some(address.span.clone());
            match address.value.parse() {
                Ok(parsed) => rtp.address = parsed,
                Err(_) => findings.error(address.span, format!("rtp: '{}' is no IP address", address.value), None),
            }
        }
        if let Some((span, ports)) = read_ports(&mut table, findings) {
            match check_ports(ports.0, ports.1) {
                Ok(()) => rtp.ports = ports,
                Err(fault) => findings.error(span, format!("rtp: {fault}"), None),
            }
        }
        if let Some(seconds) = table.integer("dead_leg_s", 5..=86_400, findings) {
            rtp.dead_leg = Duration::from_secs(seconds.value.unsigned_abs());
        }
        rtp.threads =
            table.integer("threads", 1..=256, findings).and_then(|threads| usize::try_from(threads.value).ok());
        rtp.ice = people::one_of("ice", &IceSide::ALL, IceSide::name, &mut table, findings);
        table.finish(findings);
    }
    if let Some((address, low, high)) = overrides.rtp {
        places.rtp = Some(0..0);
        rtp.address = address;
        rtp.ports = (low, high);
    }
    rtp
}

fn read_ports(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Option<(std::ops::Range<usize>, (u16, u16))> {
    let value = table.value("ports")?;
    let numbers: Option<Vec<u16>> = value.get_ref().as_array().and_then(|items| {
        let number = |item: &toml::Spanned<toml::de::DeValue<'_>>| {
            crate::dialplan::reader::integer_of(item.get_ref()).and_then(|number| u16::try_from(number).ok())
        };
        items.iter().map(number).collect()
    });
    match numbers.as_deref() {
        Some(&[low, high]) => Some((value.span(), (low, high))),
        _ => {
            let hint = "write ports = [30000, 39999]".to_owned();
            findings.error(value.span(), "rtp: ports is to be the lowest and the highest port", hint);
            None
        }
    }
}
