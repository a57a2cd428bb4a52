//! `[[trunk]]`: a way to the outside.

use std::time::Duration;

use ipnet::IpNet;

use super::address::{check_sip_uri, parse_server};
use super::people::read_srtp;
use crate::dialplan::reader::{At, Table};
use crate::findings::{Findings, suggest};
use crate::ids::{PlanId, TrunkId};
use crate::settings::{Codec, Credentials, Trunk};

/// A trunk and the places of what is checked later against other parts.
pub(super) struct TrunkDraft {
    pub trunk: Trunk,
    pub id: At<String>,
    pub addresses: Vec<At<IpNet>>,
    pub plans: Vec<At<String>>,
}

pub(super) fn read(mut table: Table<'_>, findings: &mut Findings<'_>) -> Option<TrunkDraft> {
    let id = table.required_text("id", findings);
    table.what = id.as_ref().map_or("trunk".to_owned(), |id| format!("trunk '{}'", id.value));
    let addresses = read_addresses(&mut table, findings);
    let mut servers = Vec::new();
    for text in table.texts("servers", findings).map(|texts| texts.value).unwrap_or_default() {
        match parse_server(&text.value) {
            Ok(server) => servers.push(server),
            Err(fault) => findings.error(text.span, format!("{}: {fault}", table.what), None),
        }
    }
    if addresses.is_empty() && servers.is_empty() && !table.has("addresses") && !table.has("servers") {
        let hint =
            "write addresses = [\"192.0.2.0/28\"] for who calls in, servers = [\"sip.example.com\"] for calling out";
        let message = format!("{} has neither addresses nor servers", table.what);
        findings.error(table.span.clone(), message, hint.to_owned());
    }
    let register =
        table.table("register", findings).and_then(|register| read_register(register, &table.what, findings));
    if register.is_some() && servers.is_empty() {
        findings.error(
            table.span.clone(),
            format!("{} registers, but has no servers to register at", table.what),
            None,
        );
    }
    let codecs = read_codecs(&mut table, findings).unwrap_or_else(|| vec![Codec::Pcma, Codec::Pcmu, Codec::G722]);
    let plans = table.texts("plans", findings).map(|texts| texts.value).unwrap_or_default();
    let interval = table.integer("options_interval_s", 0..=86_400, findings).map(|seconds| seconds.value);
    // Watching is safe and wanted wherever there is somebody to watch.
    let interval = interval.unwrap_or(if servers.is_empty() { 0 } else { 60 });
    let allow = read_allow(&mut table, findings);
    let caller_id = read_caller_id(&mut table, findings);
    let srtp = read_srtp(&mut table, findings);
    table.finish(findings);
    let id = id?;
    let trunk = Trunk {
        id: TrunkId::from(id.value.as_str()),
        addresses: addresses.iter().map(|address| address.value).collect(),
        servers,
        register,
        codecs,
        plans: plans.iter().map(|plan| PlanId::from(plan.value.as_str())).collect(),
        options_interval: Duration::from_secs(interval.unsigned_abs()),
        allow,
        caller_id,
        srtp,
    };
    Some(TrunkDraft { trunk, id, addresses, plans })
}

fn read_addresses(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Vec<At<IpNet>> {
    let mut addresses = Vec::new();
    for text in table.texts("addresses", findings).map(|texts| texts.value).unwrap_or_default() {
        let net = match text.value.parse::<std::net::IpAddr>() {
            Ok(address) => Some(IpNet::from(address)),
            Err(_) => text.value.parse::<IpNet>().ok(),
        };
        match net {
            Some(net) => addresses.push(At { value: net.trunc(), span: text.span }),
            None => {
                let message = format!("{}: '{}' is no address and no network", table.what, text.value);
                findings.error(text.span, message, "write 192.0.2.1 or 192.0.2.0/28".to_owned());
            }
        }
    }
    addresses
}

fn read_register(mut table: Table<'_>, trunk: &str, findings: &mut Findings<'_>) -> Option<Credentials> {
    table.what = format!("{trunk}: register");
    let user = table.required_text("user", findings);
    let password = table.required_text("password", findings);
    let aor = table.required_text("aor", findings);
    if let Some(Err(fault)) = aor.as_ref().map(|aor| check_sip_uri(&aor.value)) {
        let span = aor.as_ref().map_or(table.span.clone(), |aor| aor.span.clone());
        findings.error(span, format!("{}: aor: {fault}", table.what), None);
    }
    table.finish(findings);
    Some(Credentials { user: user?.value, password: password?.value, aor: aor?.value })
}

/// `codecs`, or `None` where it is not there.
pub(super) fn read_codecs(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Option<Vec<Codec>> {
    const NAMES: [(&str, Codec); 4] =
        [("pcmu", Codec::Pcmu), ("pcma", Codec::Pcma), ("g722", Codec::G722), ("opus", Codec::Opus)];
    let texts = table.texts("codecs", findings)?;
    if texts.value.is_empty() {
        let message = format!("{}: codecs is empty; name at least one of pcmu, pcma, g722, opus", table.what);
        findings.error(texts.span, message, None);
    }
    let mut codecs = Vec::new();
    for text in texts.value {
        match NAMES.iter().find(|(name, _)| text.value.eq_ignore_ascii_case(name)) {
            Some((_, codec)) if codecs.contains(codec) => {
                findings.error(text.span, format!("{}: codec '{}' stands twice", table.what, text.value), None);
            }
            Some((_, codec)) => codecs.push(*codec),
            None => {
                let hint = suggest(&text.value, NAMES.iter().map(|(name, _)| *name));
                findings.error(text.span, format!("{}: there is no codec '{}'", table.what, text.value), hint);
            }
        }
    }
    Some(codecs)
}

fn read_caller_id(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Option<String> {
    let text = table.text("caller_id", findings)?;
    let fine = |c: char| c.is_ascii_alphanumeric() || "+-_.".contains(c);
    if text.value.is_empty() || text.value.len() > 32 || !text.value.chars().all(fine) {
        let message = format!("{}: caller_id: '{}' is no number that can be shown", table.what, text.value);
        findings.error(text.span, message, "write it as the provider wants it, as \"+33155500\"".to_owned());
        return None;
    }
    Some(text.value)
}

fn read_allow(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Vec<String> {
    let mut allow = Vec::new();
    let texts = table.texts("allow", findings);
    for text in texts.map(|texts| texts.value).unwrap_or_default() {
        let digits = text.value.strip_prefix('+').unwrap_or(&text.value);
        if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
            let message = format!("{}: allow: '{}' is no beginning of a number", table.what, text.value);
            findings.error(text.span, message, "write \"+33\" or \"0033\"".to_owned());
        } else {
            allow.push(text.value);
        }
    }
    allow
}
