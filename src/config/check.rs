//! What only shows when the parts are laid side by side: names, doubles, and what must not be open to the world.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::address::{has_ip_address, is_loopback};
use super::centre::Draft;
use super::people::QueueDraft;
use crate::dialplan::reader::At;
use crate::dialplan::{Names, Plans};
use crate::findings::{Findings, suggest};
use crate::ids::{AgentId, Language, QueueId, Skill};
use crate::ivr::unsayable;
use crate::prompts::Index;
use crate::settings::{Agent, Listen, Transport};
use crate::spoken::Table;

/// A password of the demo: `demo-` and the agent's id.
fn is_demo_password(id: &str, password: &str) -> bool {
    password.strip_prefix("demo-") == Some(id)
}

/// The names that plans may use. Says where a folder of prompts is not there.
pub(super) fn names(draft: &Draft, spoken: BTreeMap<Language, Table>, findings: &mut Findings<'_>) -> Names {
    let settings = &draft.settings;
    if !settings.prompts.is_dir() {
        let message = format!("prompts: there is no folder '{}'", settings.prompts.display());
        findings.error(
            draft.prompts.span.clone(),
            message,
            "name the folder that holds en/, fr/ and music/".to_owned(),
        );
    }
    Names {
        default_language: Some(settings.language.clone()),
        queues: settings.queues.iter().map(|queue| queue.id.clone()).collect(),
        calendars: draft.calendars.iter().map(|draft| (draft.id.value.clone(), draft.calendar.clone())).collect(),
        agents: settings.agents.iter().map(|agent| agent.id.clone()).collect(),
        members: members(&settings.agents),
        ring_timeouts: settings.queues.iter().map(|queue| (queue.id.clone(), queue.ring_timeout)).collect(),
        skills: settings.agents.iter().flat_map(|agent| agent.skills.keys().cloned()).collect(),
        services: settings.services.iter().map(|service| (service.id.clone(), service.any_url)).collect(),
        numbering: settings.numbering.clone(),
        time_zone: settings.time_zone.clone(),
        // Read with them at hand.
        bots: Default::default(),
        lists: draft.lists.iter().map(|draft| (draft.id.value.clone(), draft.list.clone())).collect(),
        allowed: allowed(draft),
        experts: settings.experts.iter().map(|expert| (expert.id.clone(), expert.address.clone())).collect(),
        // What is wrong with the sound files is told where they are read: by `relais check` and at the start.
        prompts: Index::scan(std::slice::from_ref(&settings.prompts), &settings.languages).0.names(),
        spoken,
    }
}

fn members(agents: &[Agent]) -> BTreeMap<QueueId, BTreeMap<AgentId, BTreeMap<Skill, u8>>> {
    let mut members: BTreeMap<QueueId, BTreeMap<_, _>> = BTreeMap::new();
    for agent in agents {
        for queue in &agent.queues {
            members.entry(queue.clone()).or_default().insert(agent.id.clone(), agent.skills.clone());
        }
    }
    members
}

/// How the numbers begin that plans may dial, each once.
fn allowed(draft: &Draft) -> Vec<String> {
    let trunks = draft.settings.trunks.iter().filter(|trunk| !trunk.servers.is_empty());
    let prefixes: BTreeSet<&String> = trunks.flat_map(|trunk| &trunk.allow).collect();
    prefixes.into_iter().cloned().collect()
}

pub(super) fn together(draft: &Draft, names: &Names, findings: &mut Findings<'_>) {
    doubles("trunk", draft.trunks.iter().map(|trunk| &trunk.id), findings);
    doubles("queue", draft.queues.iter().map(|queue| &queue.id), findings);
    doubles("calendar", draft.calendars.iter().map(|calendar| &calendar.id), findings);
    doubles("service", draft.services.iter().map(|service| &service.id), findings);
    doubles("speech", draft.speech.iter().map(|speech| &speech.id), findings);
    doubles("list", draft.lists.iter().map(|list| &list.id), findings);
    super::speech::say_what_is_missing(&draft.speech, findings);
    people(draft, findings);
    trunk_addresses(draft, findings);
    trunk_servers(draft, findings);
    queue_members(draft, findings);
    never_staffed(draft, findings);
    music(draft, names, findings);
    announcements(draft, names, findings);
    calendars(draft, findings);
    experts(draft, findings);
    comfort(draft, names, findings);
    languages(draft, findings);
    addresses(draft, findings);
    ports(draft, findings);
    passwords(draft, findings);
    users(draft, findings);
}

fn doubles<'a>(what: &str, ids: impl Iterator<Item = &'a At<String>>, findings: &mut Findings<'_>) {
    let mut seen = BTreeSet::new();
    for id in ids {
        if !seen.insert(id.value.as_str()) {
            findings.error(id.span.clone(), format!("there are two of {what} '{}'", id.value), None);
        }
    }
}

/// Agents and experts are dialled by their ids, so no two people share one.
fn people(draft: &Draft, findings: &mut Findings<'_>) {
    let mut seen: BTreeMap<&str, &'static str> = BTreeMap::new();
    let agents = draft.agents.iter().flat_map(|draft| draft.agents.iter().map(move |agent| (agent.id.as_str(), draft)));
    for (id, place) in agents {
        if seen.insert(id, "agent").is_some() {
            findings.error(place.id.span.clone(), format!("there are two agents '{id}'"), None);
        }
    }
    for expert in &draft.experts {
        if let Some(other) = seen.insert(expert.expert.id.as_str(), "expert") {
            let message = format!("'{}' is the id of an {other} already", expert.id.value);
            findings.error(expert.id.span.clone(), message, "people are dialled by their ids".to_owned());
        }
    }
}

/// An address belongs to one trunk: a call is known by where it comes from.
fn trunk_addresses(draft: &Draft, findings: &mut Findings<'_>) {
    for (index, trunk) in draft.trunks.iter().enumerate() {
        for net in &trunk.addresses {
            let other = draft.trunks.iter().take(index).find(|other| {
                other.addresses.iter().any(|taken| taken.value.contains(&net.value) || net.value.contains(&taken.value))
            });
            if let Some(other) = other {
                let message = format!(
                    "trunk '{}': {} is an address of trunk '{}' too",
                    trunk.id.value, net.value, other.id.value
                );
                findings.error(net.span.clone(), message, "an address belongs to one trunk".to_owned());
            }
        }
    }
}

/// What is sent to ourselves comes back for ever.
fn trunk_servers(draft: &Draft, findings: &mut Findings<'_>) {
    let sip = &draft.settings.sip;
    for trunk in &draft.trunks {
        let ours = trunk.trunk.servers.iter().find(|server| {
            let port = server.port.unwrap_or(server.transport.unwrap_or(Transport::Udp).default_port());
            let address = server.host.parse().ok().map(|ip| SocketAddr::new(ip, port));
            let is_own = |listen: &Listen| {
                let public = sip.public_address.map(|ip| SocketAddr::new(ip, listen.address.port()));
                address.is_some() && (Some(listen.address) == address || public == address)
            };
            sip.listen.iter().any(is_own)
        });
        if let Some(server) = ours {
            let message = format!("trunk '{}': server {} is this centre itself", trunk.id.value, server.host);
            findings.error(trunk.id.span.clone(), message, "name the provider's server".to_owned());
        }
    }
}

fn queue_members(draft: &Draft, findings: &mut Findings<'_>) {
    let known: BTreeSet<&str> = draft.queues.iter().map(|queue| queue.queue.id.as_str()).collect();
    let mut staffed = BTreeSet::new();
    for agent in &draft.agents {
        let mut own = BTreeSet::new();
        for queue in &agent.queues {
            staffed.insert(queue.value.as_str());
            if !known.contains(queue.value.as_str()) {
                let message = format!("agent '{}': there is no queue '{}'", agent.id.value, queue.value);
                findings.error(queue.span.clone(), message, suggest(&queue.value, known.iter().copied()));
            } else if !own.insert(queue.value.as_str()) {
                let message = format!("agent '{}': queue '{}' stands twice", agent.id.value, queue.value);
                findings.error(queue.span.clone(), message, None);
            }
        }
    }
    too_many_at_once(draft, findings);
    for queue in draft.queues.iter().filter(|queue| !staffed.contains(queue.queue.id.as_str())) {
        let message = format!("queue '{}' has no agents, so nobody answers its callers", queue.id.value);
        findings.warning(queue.id.span.clone(), message, "name it in the queues of an agent".to_owned());
    }
}

/// More agents are to be rung at once than there are.
fn too_many_at_once(draft: &Draft, findings: &mut Findings<'_>) {
    for queue in &draft.queues {
        let agents = &draft.settings.agents;
        let members = agents.iter().filter(|agent| agent.queues.contains(&queue.queue.id)).count();
        let at_once = queue.queue.ring_at_once;
        if members > 0 && at_once > members {
            let ending = if members == 1 { "" } else { "s" };
            let message =
                format!("queue '{}': ring_at_once is {at_once}, and it has {members} agent{ending}", queue.id.value);
            findings.warning(queue.id.span.clone(), message, "give it as many as are to be rung, or fewer".to_owned());
        }
    }
}

fn music(draft: &Draft, names: &Names, findings: &mut Findings<'_>) {
    let Some(there) = names.prompts.get(&draft.settings.language) else { return };
    for queue in &draft.queues {
        if !there.contains(&queue.queue.music) {
            let span = queue.music.as_ref().map_or(queue.id.span.clone(), |music| music.span.clone());
            let message = format!("queue '{}': there is no music '{}'", queue.id.value, queue.queue.music);
            findings.error(span, message, suggest(&queue.queue.music, there.iter().map(String::as_str)));
        }
    }
}

/// Every language has what is said to those who wait.
fn comfort(draft: &Draft, names: &Names, findings: &mut Findings<'_>) {
    for (queue, said) in draft.queues.iter().flat_map(|queue| queue.said.iter().map(move |said| (queue, said))) {
        let what = format!("queue '{}': comfort", queue.id.value);
        let languages = &draft.settings.languages;
        for name in said.value.prompts() {
            prompt(&what, name, said.span.clone(), (languages, names), findings);
        }
        if let Some(fault) = languages.iter().find_map(|language| unsayable(&said.value, language, names)) {
            findings.error(said.span.clone(), format!("{what}: {fault}"), None);
        }
    }
}

/// What is announced where a supervisor comes.
fn announcements(draft: &Draft, names: &Names, findings: &mut Findings<'_>) {
    let of_queue = |queue: &'_ QueueDraft| {
        let what = format!("queue '{}': supervision", queue.id.value);
        queue.announcement.clone().map(|announcement| (what, announcement))
    };
    let centre = draft.announcement.clone().map(|announcement| ("supervision".to_owned(), announcement));
    for (what, announcement) in draft.queues.iter().filter_map(of_queue).chain(centre) {
        let languages = &draft.settings.languages;
        prompt(&what, &announcement.value, announcement.span.clone(), (languages, names), findings);
    }
}

/// Whether every language has a prompt, or the one that it names, as `fr:hello`.
fn prompt(
    what: &str,
    name: &str,
    span: std::ops::Range<usize>,
    (languages, names): (&[Language], &Names),
    findings: &mut Findings<'_>,
) {
    let own = name.split_once(':');
    let prompt = own.map_or(name, |(_, name)| name);
    let own = own.map(|(language, _)| Language::from(language));
    for language in own.as_ref().map_or(languages, std::slice::from_ref) {
        let there = names.prompts.get(language);
        if !there.is_some_and(|there| there.contains(prompt)) {
            let hint = there.and_then(|there| suggest(prompt, there.iter().map(String::as_str)));
            let message = format!("{what}: there is no prompt '{prompt}' in language '{language}'");
            findings.error(span.clone(), message, hint);
        }
    }
}

/// Those of call-backs and of agents' schedules.
fn calendars(draft: &Draft, findings: &mut Findings<'_>) {
    let known = || draft.calendars.iter().map(|draft| draft.id.value.as_str());
    let mut named = |who: String, calendar: &At<String>| {
        if known().all(|known| known != calendar.value) {
            let message = format!("{who}: there is no calendar '{}'", calendar.value);
            findings.error(calendar.span.clone(), message, suggest(&calendar.value, known()));
        }
    };
    for queue in &draft.queues {
        queue.calendars.iter().for_each(|calendar| named(format!("queue '{}': callback", queue.id.value), calendar));
    }
    for agent in &draft.agents {
        agent
            .schedule
            .calendars()
            .for_each(|calendar| named(format!("agent '{}': schedule", agent.id.value), calendar));
    }
}

/// A queue whose agents all have hours that never come.
fn never_staffed(draft: &Draft, findings: &mut Findings<'_>) {
    let ever_opens = |name: &String| {
        let calendar = draft.calendars.iter().find(|calendar| calendar.id.value == *name);
        // One that does not exist is another finding.
        calendar.is_none_or(|calendar| calendar.calendar.ever_opens())
    };
    for queue in &draft.queues {
        let id = &queue.queue.id;
        let mut members = draft.settings.agents.iter().filter(|agent| agent.queues.contains(id)).peekable();
        if members.peek().is_some()
            && members.all(|agent| agent.schedules.get(id).is_some_and(|name| !ever_opens(name)))
        {
            let message =
                format!("queue '{id}' has agents by schedules that never open, so nobody answers its callers");
            let hint =
                "give the calendars of their schedules hours, or the queue an agent without a schedule".to_owned();
            findings.warning(queue.id.span.clone(), message, hint);
        }
    }
}

/// An expert's hours and way are there, and a host name has a trunk that leads to it.
fn experts(draft: &Draft, findings: &mut Findings<'_>) {
    let calendars = || draft.calendars.iter().map(|draft| draft.id.value.as_str());
    let trunks = || draft.trunks.iter().map(|draft| draft.id.value.as_str());
    for expert in &draft.experts {
        let what = format!("expert '{}'", expert.id.value);
        if let Some(calendar) = expert.calendar.as_ref().filter(|at| calendars().all(|known| known != at.value)) {
            let message = format!("{what}: there is no calendar '{}'", calendar.value);
            findings.error(calendar.span.clone(), message, suggest(&calendar.value, calendars()));
        }
        let Some(trunk) = &expert.trunk else {
            if !has_ip_address(&expert.address.value) {
                let message = format!("{what}: address: '{}' is at a host name", expert.address.value);
                let hint = "name the trunk by whose servers it is reached: trunk = \"company\"".to_owned();
                findings.error(expert.address.span.clone(), message, hint);
            }
            continue;
        };
        match draft.trunks.iter().find(|known| known.id.value == trunk.value) {
            None => {
                let message = format!("{what}: there is no trunk '{}'", trunk.value);
                findings.error(trunk.span.clone(), message, suggest(&trunk.value, trunks()));
            }
            Some(known) if known.trunk.servers.is_empty() => {
                let message = format!("{what}: trunk '{}' has no servers to reach anybody by", trunk.value);
                findings.error(trunk.span.clone(), message, "give it servers = [\"pbx.example.com\"]".to_owned());
            }
            Some(_) => {}
        }
    }
}

fn languages(draft: &Draft, findings: &mut Findings<'_>) {
    let known = &draft.settings.languages;
    for language in draft.agents.iter().filter_map(|agent| agent.language.as_ref()) {
        if !known.iter().any(|known| known.as_str() == language.value) {
            let hint = suggest(&language.value, known.iter().map(Language::as_str));
            let message = format!("language '{}' is not among languages", language.value);
            findings.error(language.span.clone(), message, hint);
        }
    }
}

/// What phones and trunks are told to answer to must be an address that they can reach.
fn addresses(draft: &Draft, findings: &mut Findings<'_>) {
    let (settings, places) = (&draft.settings, &draft.places);
    let public = settings.sip.public_address;
    if let Some(public) = public.filter(|public| public.is_unspecified() || public.is_multicast()) {
        let message = format!("sip: public_address {public} is no address that anybody can answer to");
        let hint = "write the one address by which phones and trunks reach this machine".to_owned();
        findings.error(places.public_address.clone(), message, hint);
    }
    let remedy = "listen on the address by which phones and trunks reach this machine, as udp:192.0.2.10:5060 (127.0.0.1 \
                  where they all run on it), or set public_address of [sip] to that address";
    for (listen, span) in settings.sip.listen.iter().zip(&places.listen) {
        if public.is_none() && listen.address.ip().is_unspecified() {
            let message = format!(
                "sip: {}:{} is every address of this machine, and phones cannot be told to answer to {}",
                listen.transport.name(),
                listen.address,
                listen.address.ip()
            );
            findings.error(span.clone(), message, remedy.to_owned());
        }
    }
    let Some(span) = &places.rtp else { return };
    let rtp = settings.rtp.address;
    if public.is_none() && rtp.is_unspecified() {
        let message =
            format!("rtp: address {rtp} is every address of this machine, and phones cannot send audio to it");
        let hint = "write the address by which phones and trunks reach this machine, or set public_address of [sip]";
        findings.error(span.clone(), message, hint.to_owned());
    } else if public.is_some_and(|public| public.is_ipv4() != rtp.is_ipv4()) {
        let message = format!("rtp: address {rtp} and public_address are not both IPv4 or both IPv6");
        findings.error(span.clone(), message, "give both of one kind".to_owned());
    } else if public.is_none()
        && is_loopback(rtp)
        && let Some(open) = settings.sip.listen.iter().find(|listen| !is_loopback(listen.address.ip()))
    {
        let message = format!("rtp: address {rtp} can be reached from this machine only, {} from others", open.address);
        findings.warning(
            span.clone(),
            message,
            "phones elsewhere would hear nothing; give RTP the same address".to_owned(),
        );
    }
}

/// SIP over UDP inside the range of RTP ports would take a port from it, sooner or later the wrong one.
fn ports(draft: &Draft, findings: &mut Findings<'_>) {
    let (low, high) = draft.settings.rtp.ports;
    for listen in draft.settings.sip.listen.iter().filter(|listen| listen.transport == Transport::Udp) {
        if (low..=high).contains(&listen.address.port()) {
            let message = format!("sip: udp:{} is among the RTP ports {low} to {high}", listen.address);
            findings.error(0..0, message, "choose RTP ports that hold no SIP port".to_owned());
        }
    }
    let taken = |listen: &Listen| listen.transport != Transport::Udp && listen.address == draft.settings.web.listen;
    if draft.settings.web.listen.port() != 0 && draft.settings.sip.listen.iter().any(taken) {
        let message = format!("web: {} is listened on for SIP over TCP or TLS too", draft.settings.web.listen);
        findings.error(0..0, message, "give the web another port".to_owned());
    }
    for (at, listen) in draft.settings.sip.listen.iter().enumerate().filter(|(_, l)| l.transport == Transport::Tls) {
        let span = draft.places.listen.get(at).cloned().unwrap_or(0..0);
        if draft.tls.server.is_none() {
            let message = format!("sip: tls:{} is listened on without a certificate", listen.address);
            findings.error(span.clone(), message, "name certificate and key in [sip.tls]".to_owned());
        }
        if draft.settings.sip.listen.iter().any(|o| o.transport == Transport::Tcp && o.address == listen.address) {
            let message = format!("sip: {} is listened on for TCP and for TLS", listen.address);
            findings.error(span, message, "TLS has a port of its own, in general 5061".to_owned());
        }
    }
}

/// Passwords that everybody knows are for a machine that nobody else reaches.
fn passwords(draft: &Draft, findings: &mut Findings<'_>) {
    let settings = &draft.settings;
    let sip = settings.sip.listen.iter().map(|listen| listen.address);
    let open = sip.chain([settings.web.listen]).find(|address| !is_loopback(address.ip()));
    for draft in &draft.agents {
        let Some(place) = &draft.password else { continue };
        let own = |test: &dyn Fn(&str, &str) -> bool| {
            draft.agents.iter().find(|agent| test(agent.id.as_str(), agent.password.as_deref().unwrap_or_default()))
        };
        if let (Some(agent), Some(open)) = (own(&is_demo_password), open) {
            let message = format!("agent '{}' has a demo password, and {open} can be reached from outside", agent.id);
            let hint = "give every agent a password of their own, or listen on 127.0.0.1 only".to_owned();
            findings.error(place.span.clone(), message, hint);
        } else if let Some(agent) = own(&|id, password| password == id) {
            let message = format!("the password of agent '{}' is the id", agent.id);
            findings.warning(place.span.clone(), message, "anybody can guess it; choose another".to_owned());
        }
    }
}

/// Those who log in are each somebody else, agents are there, and what everybody knows opens nothing from outside.
fn users(draft: &Draft, findings: &mut Findings<'_>) {
    let settings = &draft.settings;
    let web = settings.web.listen;
    let mut seen = BTreeSet::new();
    for draft in &draft.users {
        for user in &draft.users {
            if !seen.insert(user.id.as_str()) {
                findings.error(draft.id.span.clone(), format!("there are two of user '{}'", user.id), None);
            }
            let missing = user.agent.as_ref().filter(|own| settings.agents.iter().all(|agent| agent.id != **own));
            if let Some(agent) = missing {
                let hint = suggest(agent.as_str(), settings.agents.iter().map(|agent| agent.id.as_str()));
                findings.error(draft.id.span.clone(), format!("user '{}': there is no agent '{agent}'", user.id), hint);
            }
        }
        let demo = draft.users.iter().find(|user| is_demo_password(&user.id, &user.password));
        if let Some(user) = demo.filter(|_| !is_loopback(web.ip())) {
            let message = format!("user '{}' has a demo password, and {web} can be reached from outside", user.id);
            let hint = "take the user out and make them with 'relais user add', or listen on 127.0.0.1 only".to_owned();
            findings.error(draft.password.span.clone(), message, hint);
        }
    }
}

/// Trunks offer plans by name, and a number that a person is dialled by is no plan's.
pub(super) fn against_plans(draft: &Draft, plans: &Plans, findings: &mut Findings<'_>) {
    for trunk in &draft.trunks {
        for plan in &trunk.plans {
            if !plans.iter().any(|known| known.id.as_str() == plan.value) {
                let hint = suggest(&plan.value, plans.iter().map(|known| known.id.as_str()));
                let message = format!("trunk '{}': there is no plan '{}'", trunk.id.value, plan.value);
                findings.error(plan.span.clone(), message, hint);
            }
        }
    }
    let agents = draft.agents.iter().flat_map(|draft| draft.agents.iter().map(move |a| (a.id.as_str(), &draft.id)));
    let experts = draft.experts.iter().map(|draft| (draft.expert.id.as_str(), &draft.id));
    for (id, place) in agents.chain(experts) {
        if let Some(plan) = plans.find(id, &[]) {
            let message = format!("'{id}' is also a number of plan '{plan}'");
            findings.warning(place.span.clone(), message, "from outside it reaches the plan".to_owned());
        }
    }
}
