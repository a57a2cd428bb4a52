//! The operator's files to checked settings and plans: everything that is wrong is found at once, each finding with
//! its file, line, column and a hint.

mod address;
pub mod bots;
mod calendar;
mod centre;
mod check;
mod customers;
mod files;
mod listed;
mod lists;
mod people;
mod recordings;
mod schema;
mod services;
mod speech;
mod spoken;
mod tls;
mod trunk;
mod users;
mod watch;
mod web;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::dialplan::Plans;
use crate::dialplan::reader::{self, Table};
use crate::findings::{Finding, Findings, Severity, Source, has_errors};
use crate::settings::{Listen, Settings, User};
use crate::tls::{Https, Tls};
use crate::vault::Keyring;

pub use address::{parse_listen, parse_rtp};
pub use customers::{Customer, Customers};
pub use files::Drafts;
pub use listed::{Kind, Listed};
pub use schema::schema;
pub use spoken::read_all as read_spoken;
pub use watch::Fingerprint;

/// What the command line says over the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// Instead of the file's listeners, where any are given.
    pub sip: Vec<Listen>,
    /// Address, lowest and highest port.
    pub rtp: Option<(IpAddr, u16, u16)>,
    pub web: Option<SocketAddr>,
    pub data: Option<PathBuf>,
}

/// A configuration that passed every check.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub settings: Settings,
    pub plans: Plans,
    pub bots: Vec<bots::Described>,
    /// Who may log in to the web pages.
    pub users: Vec<User>,
    /// What recordings are sealed by. No part of the settings, which are written down.
    pub keys: Option<Keyring>,
    /// What SIP over TLS proves itself by. No part of the settings either.
    pub tls: Tls,
    /// What pages and the API prove themselves by; `None` where they speak HTTP.
    pub https: Option<Https>,
    /// The configuration file; the plan files are `plans.sources()`.
    pub source: Source,
    /// What works but is probably not meant so.
    pub warnings: Vec<Finding>,
}

impl Loaded {
    /// The same without what is nobody's business: passwords of people, keys of recordings and of TLS.
    #[must_use]
    pub fn for_comparison(&self) -> Loaded {
        Loaded { users: Vec::new(), keys: None, tls: Tls::default(), https: None, ..self.clone() }
    }

    /// The files of plans, bots and examples, as read.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        let bots = self.bots.iter().flat_map(|described| [&described.source].into_iter().chain(&described.examples));
        self.plans.sources().iter().chain(bots)
    }
}

/// Reads the configuration, its plans and the names of its prompts. Relative paths in it start at its own folder.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Loaded, Vec<Finding>> {
    load_with(path, overrides, &Drafts::default())
}

/// The same with drafts in the place of some files; nothing is written.
pub fn load_with(path: &Path, overrides: &Overrides, drafts: &Drafts) -> Result<Loaded, Vec<Finding>> {
    let source = files::read(path).map_err(|message| vec![about_file(path, message)])?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut findings = Findings::new(&source);
    let Some(document) = reader::parse(&mut findings) else {
        return Err(findings.into_sorted());
    };
    let table = Table::new("configuration", document.get_ref(), 0..0);
    let draft = centre::read(table, &folder, overrides, &mut findings);
    let plan_sources = files::sources("plans", &draft.plan_files, (&folder, drafts), &mut findings);
    let (tables, mut spoken_findings) = spoken::read_all(&draft.settings.prompts, &draft.settings.languages);
    let mut names = check::names(&draft, tables, &mut findings);
    check::together(&draft, &names, &mut findings);
    let mut bot_findings = Vec::new();
    let bots = bots::read_all(&draft.bot_files, (&folder, drafts), &names, &mut findings, &mut bot_findings);
    names.bots =
        bots.iter().map(|described| (described.bot.name.clone(), Arc::new(described.bot.without_examples()))).collect();
    let plans = Plans::load(plan_sources, names);
    if let Ok(plans) = &plans {
        check::against_plans(&draft, plans, &mut findings);
    }
    let mut found = findings.into_sorted();
    found.append(&mut spoken_findings);
    found.append(&mut bot_findings);
    found.extend(draft.file_findings.iter().cloned());
    let plans = match plans {
        Ok(plans) => {
            found.extend(plans.warnings().iter().cloned());
            Some(plans)
        }
        Err(faults) => {
            found.extend(faults);
            None
        }
    };
    match plans {
        Some(plans) if !has_errors(&found) => {
            let users = draft.users.into_iter().flat_map(|draft| draft.users).collect();
            let (settings, keys, tls, https) = (draft.settings, draft.keys, draft.tls, draft.https);
            Ok(Loaded { settings, plans, bots, users, keys, tls, https, source, warnings: found })
        }
        _ => Err(found),
    }
}

fn about_file(path: &Path, message: String) -> Finding {
    Finding { file: path.display().to_string(), line: 1, column: 1, severity: Severity::Error, message, hint: None }
}
