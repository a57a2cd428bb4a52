//! `[[user]]`: people of the configuration who log in to the web pages.

use super::people::expand;
use crate::dialplan::reader::{At, Table};
use crate::findings::{Findings, suggest};
use crate::ids::{AgentId, Language};
use crate::settings::{User, UserRole};

/// One `[[user]]`, which may stand for many, and the places of what is checked later.
pub(super) struct UserDraft {
    pub users: Vec<User>,
    pub id: At<String>,
    pub password: At<String>,
}

pub(super) fn read(mut table: Table<'_>, findings: &mut Findings<'_>) -> Option<UserDraft> {
    let id = table.required_text("id", findings);
    table.what = id.as_ref().map_or("user".to_owned(), |id| format!("user '{}'", id.value));
    let name = table.text("name", findings);
    let role = read_role(&mut table, findings);
    let agent = table.text("agent", findings);
    let language = table.text("language", findings);
    let password = table.required_text("password", findings);
    if let Some((agent, role)) = agent.as_ref().zip(role).filter(|(_, role)| *role != UserRole::Agent) {
        let message = format!("{}: role {} has no agent", table.what, role.name());
        findings.error(agent.span.clone(), message, "leave agent out, or give role agent".to_owned());
    }
    table.finish(findings);
    let (id, role, password) = (id?, role?, password?);
    let ids = match expand(&id.value) {
        Ok(ids) => ids,
        Err(fault) => {
            findings.error(id.span, fault, "write \"ada\", or \"201..209\" for a range".to_owned());
            return None;
        }
    };
    let spell = |text: &str, id: &str| text.replace("{id}", id);
    let users = ids.iter().map(|id| User {
        // As names are compared when somebody logs in.
        id: id.to_ascii_lowercase(),
        name: name.as_ref().map_or_else(|| id.clone(), |name| spell(&name.value, id)),
        role,
        agent: (role == UserRole::Agent)
            .then(|| AgentId::from(agent.as_ref().map_or_else(|| id.clone(), |agent| spell(&agent.value, id)))),
        language: language.as_ref().map(|language| Language::from(language.value.as_str())),
        password: spell(&password.value, id),
    });
    Some(UserDraft { users: users.collect(), id, password })
}

fn read_role(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Option<UserRole> {
    let given = table.required_text("role", findings)?;
    let known = UserRole::ALL.into_iter().find(|role| role.name() == given.value);
    if known.is_none() {
        let names = UserRole::ALL.map(UserRole::name);
        let hint = suggest(&given.value, names).unwrap_or_else(|| format!("it is one of {}", names.join(", ")));
        findings.error(given.span, format!("{}: role cannot be '{}'", table.what, given.value), hint);
    }
    known
}
