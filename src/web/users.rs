//! The people who log in with a password: those of the users' file in the data folder, and those of the configuration.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use argon2::password_hash::{PasswordHash, SaltString};
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use totp_rs::{Builder, Totp};

use super::table::{Table, TableError};
use super::tokens::Role;
use crate::ids::{AgentId, Language};
use crate::record::millis;
use crate::settings::{User, UserRole};
use crate::time::Wall;

/// More people than that do not log in on one machine.
const MOST_USERS: usize = 10_000;
/// NIST SP 800-63B §5.1.1.2: at least eight characters, and long ones are taken whole.
const SHORTEST_PASSWORD: usize = 8;
const LONGEST_PASSWORD: usize = 256;
/// RFC 6238 §5.1 asks for a secret as long as the hash, which is 20 octets for SHA-1.
const TOTP_SECRET: usize = 20;

/// Why the table of users is not changed.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    #[error("'{0}' cannot be a user's name: use 1 to 64 small letters, digits, '.', '_', '-', '@'")]
    BadName(String),
    #[error("the password must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")]
    BadPassword,
    #[error("a user with role agent needs their number; give it as 'agent' (--agent ID)")]
    AgentMissing,
    #[error("only a user with role agent has a number; leave 'agent' (--agent) out with role {0}")]
    AgentNotWanted(&'static str),
    #[error("there is a user '{0}' already; remove it first, or change its password")]
    Known(String),
    #[error("a user is called by 1 to 100 characters without control characters")]
    BadCalled,
    #[error("there is no user '{0}'; 'relais user list' shows them")]
    Unknown(String),
    #[error("user '{0}' stands in the configuration; change them there")]
    Configured(String),
    #[error("there are {MOST_USERS} users already; remove those who have left first")]
    Full,
    #[error(transparent)]
    Table(#[from] TableError),
    #[error("the system gives no random numbers ({0}); no password can be kept")]
    Entropy(getrandom::Error),
    #[error("the password cannot be hashed: {0}")]
    Hash(argon2::password_hash::Error),
    #[error("the second factor cannot be made: {0}")]
    Totp(String),
}

/// A user as the table keeps them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stored {
    pub id: String,
    /// As others read it.
    pub name: String,
    pub role: UserRole,
    #[serde(default)]
    pub agent: Option<AgentId>,
    #[serde(default)]
    pub language: Option<Language>,
    /// PHC string of argon2id (RFC 9106).
    password: String,
    /// They may not log in for now.
    #[serde(default)]
    pub disabled: bool,
    /// The secret of RFC 6238 in hexadecimal, where a second factor is asked for.
    #[serde(default)]
    totp: Option<String>,
    #[serde(with = "millis")]
    pub created_at: Wall,
}

/// What is asked for when a user is made.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub id: String,
    pub name: Option<String>,
    pub role: UserRole,
    pub agent: Option<AgentId>,
    pub language: Option<Language>,
    pub password: String,
    /// Ask for a code of an authenticator at each log-in.
    pub totp: bool,
}

/// What is to be otherwise of a user; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    pub name: Option<String>,
    pub role: Option<UserRole>,
    /// `Some(None)`: no number any more.
    pub agent: Option<Option<AgentId>>,
    pub language: Option<Option<Language>>,
    pub disabled: Option<bool>,
}

/// Somebody whose password was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub id: String,
    pub name: String,
    pub role: Role,
    pub agent: Option<AgentId>,
    pub language: Option<Language>,
    /// Changes with the password, the role and the number, and says nothing about them.
    pub key: String,
}

/// What becomes of a log-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogIn {
    Welcome(Person),
    /// Name and password are right; the code of the authenticator is missing.
    CodeNeeded,
    /// Which of them was wrong is not told.
    Refused,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Entries {
    users: Vec<Stored>,
}

type Known = BTreeMap<String, Stored>;

/// The people who may log in. Several processes may change the file.
#[derive(Debug)]
pub struct Users {
    table: Table,
    known: ArcSwap<Known>,
    configured: ArcSwap<Vec<User>>,
    /// The latest step of each user's authenticator that was taken: a code is good once (RFC 6238 §5.2).
    steps: Mutex<BTreeMap<String, u64>>,
    /// What an unknown name is compared with, so that it takes as long as a known one.
    nobody: String,
}

impl Users {
    /// Opens the users' file of a data folder; where there is none, nobody is in it.
    pub fn open(folder: &Path) -> Result<Users, UserError> {
        let users = Users {
            table: Table::open(folder, "users")?,
            known: ArcSwap::default(),
            configured: ArcSwap::default(),
            steps: Mutex::default(),
            nobody: hash("nobody has this password")?,
        };
        users.reload()?;
        Ok(users)
    }

    /// Takes the users of the configuration, in the place of those it had before.
    pub fn configure(&self, users: Vec<User>) {
        self.configured.store(Arc::new(users));
    }

    /// Adds a user. Gives the address of the second factor where one is asked for: it is shown once. Waits for the disk.
    pub fn add(&self, wanted: NewUser, now: Wall) -> Result<Option<String>, UserError> {
        let id = wanted.id.to_ascii_lowercase();
        if !is_name(&id) {
            return Err(UserError::BadName(wanted.id));
        }
        check_role(wanted.role, wanted.agent.as_ref())?;
        let name = wanted.name.unwrap_or_else(|| id.clone());
        check_called(&name)?;
        let password = checked_hash(&wanted.password)?;
        let secret = wanted.totp.then(new_secret).transpose()?;
        let address = secret.as_ref().map(|secret| address(secret, &id)).transpose()?;
        let stored = Stored {
            name,
            id: id.clone(),
            role: wanted.role,
            agent: wanted.agent,
            language: wanted.language,
            password,
            disabled: false,
            totp: secret,
            created_at: now,
        };
        self.change(|users| match users.iter().any(|user| user.id == id) {
            true => Err(UserError::Known(id)),
            false if users.len() >= MOST_USERS => Err(UserError::Full),
            false => {
                users.push(stored);
                Ok(())
            }
        })?;
        Ok(address)
    }

    /// Removes a user; their sessions are over. Waits for the disk.
    pub fn remove(&self, id: &str) -> Result<(), UserError> {
        self.change(|users| {
            let before = users.len();
            users.retain(|user| user.id != id);
            let configured = self.configured.load().iter().any(|user| user.id == id);
            match users.len() < before {
                true => Ok(()),
                false if configured => Err(UserError::Configured(id.to_owned())),
                false => Err(UserError::Unknown(id.to_owned())),
            }
        })
    }

    /// Gives a user another password; their sessions are over. Waits for the disk.
    pub fn set_password(&self, id: &str, password: &str) -> Result<(), UserError> {
        let hashed = checked_hash(password)?;
        self.change_one(id, |user| {
            user.password = hashed;
            Ok(())
        })
    }

    /// Changes a user. With another role or number, or disabled, their sessions are over. Waits for the disk.
    pub fn alter(&self, id: &str, change: UserChange) -> Result<(), UserError> {
        self.change_one(id, |user| {
            let mut altered = user.clone();
            altered.name = change.name.unwrap_or(altered.name);
            altered.role = change.role.unwrap_or(altered.role);
            altered.agent = change.agent.unwrap_or(altered.agent);
            altered.language = change.language.unwrap_or(altered.language);
            altered.disabled = change.disabled.unwrap_or(altered.disabled);
            check_role(altered.role, altered.agent.as_ref())?;
            check_called(&altered.name)?;
            *user = altered;
            Ok(())
        })
    }

    /// Asks a user for the code of a new authenticator from now on; gives its address, which is shown once. Waits for
    /// the disk.
    pub fn set_second_factor(&self, id: &str) -> Result<String, UserError> {
        let secret = new_secret()?;
        let address = self.change_one(id, |user| {
            let address = address(&secret, id)?;
            user.totp = Some(secret);
            Ok(address)
        })?;
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        Ok(address)
    }

    /// Asks a user for their password alone. Waits for the disk.
    pub fn remove_second_factor(&self, id: &str) -> Result<(), UserError> {
        self.change_one(id, |user| {
            user.totp = None;
            Ok(())
        })
    }

    fn change_one<T>(
        &self,
        id: &str,
        change: impl FnOnce(&mut Stored) -> Result<T, UserError>,
    ) -> Result<T, UserError> {
        let missing = || match self.configured.load().iter().any(|user| user.id == id) {
            true => UserError::Configured(id.to_owned()),
            false => UserError::Unknown(id.to_owned()),
        };
        self.change(|users| change(users.iter_mut().find(|user| user.id == id).ok_or_else(missing)?))
    }

    /// Those of the users' file, by name.
    pub fn list(&self) -> Vec<Stored> {
        self.reload_if(self.table.has_changed());
        self.known.load().values().cloned().collect()
    }

    /// Those of the configuration whom the users' file says nothing of.
    pub fn configured(&self) -> Vec<User> {
        let known = self.known.load();
        self.configured.load().iter().filter(|user| !known.contains_key(&user.id)).cloned().collect()
    }

    /// Looks at what somebody gave who wants to log in. Takes some hundredths of a second of a core, whoever it is.
    pub fn log_in(&self, id: &str, password: &str, code: Option<&str>, now: Wall) -> LogIn {
        self.reload_if(self.table.has_changed_by_now());
        let id = id.trim().to_ascii_lowercase();
        let known = self.known.load();
        let stored = known.get(&id);
        let hashed = stored.map_or(self.nobody.as_str(), |user| user.password.as_str());
        let hashed_right = is_right(password, hashed);
        let Some(user) = stored else {
            return self.configured_person(&id, Some(password)).map_or(LogIn::Refused, LogIn::Welcome);
        };
        if !hashed_right || user.disabled {
            return LogIn::Refused;
        }
        match (&user.totp, code) {
            (None, _) => LogIn::Welcome(user.person()),
            (Some(_), None) => LogIn::CodeNeeded,
            (Some(secret), Some(code)) if self.take_code(&id, secret, code, now) => LogIn::Welcome(user.person()),
            (Some(_), Some(_)) => LogIn::Refused,
        }
    }

    /// A user as they are now; `None` where there is no such user any more.
    pub fn person(&self, id: &str) -> Option<Person> {
        self.reload_if(self.table.has_changed());
        match self.known.load().get(id) {
            Some(user) => (!user.disabled).then(|| user.person()),
            None => self.configured_person(id, None),
        }
    }

    fn configured_person(&self, id: &str, password: Option<&str>) -> Option<Person> {
        let configured = self.configured.load();
        let user = configured.iter().find(|user| user.id == id)?;
        let same = |given: &str| bool::from(digest(given).as_bytes().ct_eq(digest(&user.password).as_bytes()));
        if !password.is_none_or(same) {
            return None;
        }
        let agent = user.agent.clone();
        Some(Person {
            id: user.id.clone(),
            name: user.name.clone(),
            role: user.role.into(),
            key: key(&user.password, user.role, agent.as_ref()),
            agent,
            language: user.language.clone(),
        })
    }

    fn take_code(&self, id: &str, secret: &str, code: &str, now: Wall) -> bool {
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let Some(step) = totp(secret, id).and_then(|totp| totp.check(&digits, seconds)) else { return false };
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if steps.get(id).is_some_and(|last| step <= *last) {
            return false;
        }
        steps.insert(id.to_owned(), step);
        true
    }

    fn change<T>(&self, change: impl FnOnce(&mut Vec<Stored>) -> Result<T, UserError>) -> Result<T, UserError> {
        let lock = self.table.lock()?;
        let mut entries: Entries = if self.table.exists() { self.table.load()? } else { Entries::default() };
        let changed = change(&mut entries.users)?;
        self.table.store(&entries)?;
        drop(lock);
        self.reload()?;
        Ok(changed)
    }

    fn reload(&self) -> Result<(), UserError> {
        if !self.table.exists() {
            self.known.store(Arc::default());
            return Ok(());
        }
        let take = |entries: Entries| {
            let known = entries.users.into_iter().map(|user| (user.id.clone(), user)).collect();
            self.known.store(Arc::new(known));
        };
        Ok(self.table.read(take)?)
    }

    fn reload_if(&self, changed: bool) {
        if changed && let Err(error) = self.reload() {
            tracing::error!("users stay as they were: {error}");
        }
    }
}

impl Stored {
    /// Whether a code of an authenticator is asked for.
    pub fn has_totp(&self) -> bool {
        self.totp.is_some()
    }

    fn person(&self) -> Person {
        Person {
            id: self.id.clone(),
            name: self.name.clone(),
            role: self.role.into(),
            agent: self.agent.clone(),
            language: self.language.clone(),
            key: key(&self.password, self.role, self.agent.as_ref()),
        }
    }
}

impl From<UserRole> for Role {
    fn from(role: UserRole) -> Role {
        match role {
            UserRole::Agent => Role::Agent,
            UserRole::Supervisor => Role::Supervisor,
            UserRole::Operator => Role::Operator,
            UserRole::Admin => Role::Admin,
        }
    }
}

fn is_name(id: &str) -> bool {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '@');
    (1..=64).contains(&id.len()) && id.chars().all(fine)
}

/// Agents have a number, and nobody else.
fn check_role(role: UserRole, agent: Option<&AgentId>) -> Result<(), UserError> {
    match (role, agent) {
        (UserRole::Agent, None) => Err(UserError::AgentMissing),
        (UserRole::Agent, Some(_)) | (_, None) => Ok(()),
        (role, Some(_)) => Err(UserError::AgentNotWanted(Role::from(role).name())),
    }
}

fn check_called(name: &str) -> Result<(), UserError> {
    let fine = (1..=100).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fine { Ok(()) } else { Err(UserError::BadCalled) }
}

/// What an authenticator is given.
fn address(secret: &str, id: &str) -> Result<String, UserError> {
    let totp = totp(secret, id).ok_or_else(|| UserError::Totp("the secret is spoilt".to_owned()))?;
    totp.to_url().map_err(|error| UserError::Totp(error.to_string()))
}

fn checked_hash(password: &str) -> Result<String, UserError> {
    match (SHORTEST_PASSWORD..=LONGEST_PASSWORD).contains(&password.chars().count()) {
        true => hash(password),
        false => Err(UserError::BadPassword),
    }
}

/// Argon2id with the crate's parameters, which are the second recommendation of RFC 9106 brought down to 19 MiB (OWASP).
fn hash(password: &str) -> Result<String, UserError> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(UserError::Entropy)?;
    let salt = SaltString::encode_b64(&salt).map_err(UserError::Hash)?;
    Ok(Argon2::default().hash_password(password.as_bytes(), &salt).map_err(UserError::Hash)?.to_string())
}

fn is_right(password: &str, hashed: &str) -> bool {
    let right = |hash: PasswordHash<'_>| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
    PasswordHash::new(hashed).is_ok_and(right)
}

fn key(secret: &str, role: UserRole, agent: Option<&AgentId>) -> String {
    let mut key = digest(&format!("{secret}\n{role:?}\n{}", agent.map_or("", AgentId::as_str)));
    key.truncate(16);
    key
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

fn new_secret() -> Result<String, UserError> {
    let mut secret = [0; TOTP_SECRET];
    getrandom::fill(&mut secret).map_err(UserError::Entropy)?;
    Ok(hex::encode(secret))
}

/// Six digits each 30 s by SHA-1, which every authenticator knows; one step of clocks that differ is forgiven.
fn totp(secret: &str, id: &str) -> Option<Totp> {
    let secret = hex::decode(secret).ok()?;
    Builder::new().with_secret(secret).with_issuer(Some("Relais")).with_account_name(id).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Wall {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    fn wanted(id: &str, role: UserRole, agent: Option<&str>) -> NewUser {
        NewUser {
            id: id.to_owned(),
            name: None,
            role,
            agent: agent.map(AgentId::from),
            language: None,
            password: "correct horse".to_owned(),
            totp: false,
        }
    }

    fn key_of(users: &Users, id: &str) -> String {
        users.person(id).unwrap().key
    }

    #[test]
    fn the_right_password_opens_and_no_other_and_the_file_holds_no_password() {
        let folder = tempfile::tempdir().unwrap();
        let users = Users::open(folder.path()).unwrap();
        users.add(wanted("Ada", UserRole::Agent, Some("201")), now()).unwrap();
        let LogIn::Welcome(ada) = users.log_in("ADA", "correct horse", None, now()) else { panic!("refused") };
        assert_eq!((ada.id.as_str(), ada.role, ada.agent), ("ada", Role::Agent, Some(AgentId::from("201"))));
        for (id, password) in [("ada", "correct hors"), ("ada", ""), ("bob", "correct horse"), ("", "")] {
            assert_eq!(users.log_in(id, password, None, now()), LogIn::Refused, "{id} {password}");
        }
        let file = std::fs::read_to_string(folder.path().join("users.json")).unwrap();
        assert!(file.contains("$argon2id$v=19$m=19456,t=2,p=1$") && !file.contains("correct horse"), "{file}");
    }

    #[test]
    fn users_who_make_no_sense_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let users = Users::open(folder.path()).unwrap();
        let refused = |wanted| users.add(wanted, now()).unwrap_err().to_string();
        assert!(refused(wanted("a b", UserRole::Admin, None)).contains("cannot be a user's name"));
        assert!(refused(wanted("a", UserRole::Agent, None)).contains("--agent ID"));
        assert!(refused(wanted("a", UserRole::Admin, Some("201"))).contains("(--agent) out with role admin"));
        let called = NewUser { name: Some("a\u{7}".to_owned()), ..wanted("a", UserRole::Admin, None) };
        assert!(refused(called).contains("control characters"));
        let short = NewUser { password: "short".to_owned(), ..wanted("a", UserRole::Admin, None) };
        assert!(refused(short).contains("8 to 256"));
        users.add(wanted("a", UserRole::Admin, None), now()).unwrap();
        assert!(refused(wanted("A", UserRole::Admin, None)).contains("already"));
    }

    #[test]
    fn another_process_changes_a_password_and_the_key_of_sessions_changes_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let server = Users::open(folder.path()).unwrap();
        let line = Users::open(folder.path()).unwrap();
        line.add(wanted("ada", UserRole::Admin, None), now()).unwrap();
        server.table.age();
        let before = key_of(&server, "ada");
        line.set_password("ada", "battery staple").unwrap();
        server.table.age();
        assert_ne!(key_of(&server, "ada"), before);
        assert_eq!(server.log_in("ada", "correct horse", None, now()), LogIn::Refused);
        line.remove("ada").unwrap();
        server.table.age();
        assert_eq!(server.person("ada"), None);
        assert!(matches!(line.remove("ada"), Err(UserError::Unknown(_))));
    }

    #[test]
    fn who_was_just_added_by_another_process_logs_in_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let server = Users::open(folder.path()).unwrap();
        let line = Users::open(folder.path()).unwrap();
        assert_eq!(server.log_in("ada", "correct horse", None, now()), LogIn::Refused);
        line.add(wanted("ada", UserRole::Admin, None), now()).unwrap();
        assert!(matches!(server.log_in("ada", "correct horse", None, now()), LogIn::Welcome(_)));
    }

    #[test]
    fn a_user_is_altered_disabled_and_let_in_again() {
        let folder = tempfile::tempdir().unwrap();
        let users = Users::open(folder.path()).unwrap();
        users.add(wanted("ada", UserRole::Agent, Some("201")), now()).unwrap();
        let before = key_of(&users, "ada");
        let no_number = UserChange { role: Some(UserRole::Admin), ..UserChange::default() };
        assert!(matches!(users.alter("ada", no_number), Err(UserError::AgentNotWanted("admin"))));
        let supervisor = UserChange { role: Some(UserRole::Supervisor), agent: Some(None), ..UserChange::default() };
        users.alter("ada", supervisor).unwrap();
        assert_ne!(key_of(&users, "ada"), before, "the sessions of the agent are over");
        let disabled = |disabled| UserChange { disabled: Some(disabled), ..UserChange::default() };
        users.alter("ada", disabled(true)).unwrap();
        assert_eq!(users.person("ada"), None);
        assert_eq!(users.log_in("ada", "correct horse", None, now()), LogIn::Refused);
        users.alter("ada", disabled(false)).unwrap();
        assert!(matches!(users.log_in("ada", "correct horse", None, now()), LogIn::Welcome(_)));
        assert!(matches!(users.alter("bob", disabled(true)), Err(UserError::Unknown(_))));
    }

    #[test]
    fn a_second_factor_is_given_and_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let users = Users::open(folder.path()).unwrap();
        users.add(wanted("ada", UserRole::Admin, None), now()).unwrap();
        let address = users.set_second_factor("ada").unwrap();
        assert_eq!(users.log_in("ada", "correct horse", None, now()), LogIn::CodeNeeded);
        let code = Totp::from_url(&address).unwrap().generate(now().as_second() as u64).to_string();
        assert!(matches!(users.log_in("ada", "correct horse", Some(&code), now()), LogIn::Welcome(_)));
        users.remove_second_factor("ada").unwrap();
        assert!(matches!(users.log_in("ada", "correct horse", None, now()), LogIn::Welcome(_)));
        for nobody in ["bob", "no:name"] {
            assert!(matches!(users.set_second_factor(nobody), Err(UserError::Unknown(_))), "{nobody}");
        }
    }

    #[test]
    fn a_code_of_the_authenticator_is_asked_for_and_good_once() {
        let folder = tempfile::tempdir().unwrap();
        let users = Users::open(folder.path()).unwrap();
        let wanted = NewUser { totp: true, ..wanted("ada", UserRole::Admin, None) };
        let address = users.add(wanted, now()).unwrap().expect("the address of the second factor");
        assert!(address.starts_with("otpauth://totp/Relais:ada?secret="), "{address}");
        assert_eq!(users.log_in("ada", "correct horse", None, now()), LogIn::CodeNeeded);
        assert_eq!(users.log_in("ada", "wrong", None, now()), LogIn::Refused, "the code is not asked for in vain");
        let code = Totp::from_url(&address).unwrap().generate(now().as_second() as u64).to_string();
        let log_in = |code: &str, now| users.log_in("ada", "correct horse", Some(code), now);
        let wrong = if code == "000000" { "000001" } else { "000000" };
        assert_eq!(log_in(wrong, now()), LogIn::Refused);
        let late = now() + jiff::SignedDuration::from_secs(120);
        assert_eq!(log_in(&code, late), LogIn::Refused, "it has had its time");
        assert!(matches!(log_in(&code, now()), LogIn::Welcome(_)));
        assert_eq!(log_in(&code, now()), LogIn::Refused, "it was used");
    }

    #[test]
    fn users_of_the_configuration_log_in_and_the_file_goes_before_them() {
        let folder = tempfile::tempdir().unwrap();
        let users = Users::open(folder.path()).unwrap();
        let configured = |password: &str| User {
            id: "201".to_owned(),
            name: "Agent 201".to_owned(),
            role: UserRole::Agent,
            agent: Some("201".into()),
            language: None,
            password: password.to_owned(),
        };
        users.configure(vec![configured("demo-201")]);
        assert!(matches!(users.log_in("201", "demo-201", None, now()), LogIn::Welcome(_)));
        assert_eq!(users.log_in("201", "demo-202", None, now()), LogIn::Refused);
        users.add(wanted("201", UserRole::Agent, Some("201")), now()).unwrap();
        assert_eq!(users.log_in("201", "demo-201", None, now()), LogIn::Refused);
        assert!(matches!(users.log_in("201", "correct horse", None, now()), LogIn::Welcome(_)));
        users.alter("201", UserChange { disabled: Some(true), ..UserChange::default() }).unwrap();
        assert_eq!(users.person("201"), None, "who is disabled is not let in by the configuration");
        assert!(users.configured().is_empty());
        users.remove("201").unwrap();
        assert!(matches!(users.set_password("201", "battery staple"), Err(UserError::Configured(_))));
    }
}
