//! Bearer tokens for programs and people: who may ask what. Only digests are kept on disk; a token is shown once, when
//! it is made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

use super::table::{Table, TableError, write_private};
use crate::ids::AgentId;
use crate::record::millis;
use crate::time::Wall;

/// More would mean that a program makes a token a request.
const MAX_TOKENS: usize = 10_000;
const ADMIN_TOKEN: &str = "admin.token";

/// What a token allows. From the agent on, each role may do all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A web page that asks for call-backs; everybody who opens the page can read its token.
    Callback,
    /// A telephony that tells how experts are, and may do nothing else.
    Presence,
    /// One agent, acting for themselves.
    Agent,
    Supervisor,
    Operator,
    Admin,
}

impl Role {
    pub const ALL: [Role; 6] =
        [Role::Callback, Role::Presence, Role::Agent, Role::Supervisor, Role::Operator, Role::Admin];

    pub fn name(self) -> &'static str {
        match self {
            Role::Callback => "callback",
            Role::Presence => "presence",
            Role::Agent => "agent",
            Role::Supervisor => "supervisor",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = TokenError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Role::ALL
            .into_iter()
            .find(|role| role.name() == name)
            .ok_or_else(|| TokenError::UnknownRole(name.chars().take(40).collect()))
    }
}

/// Who a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub token_id: String,
    pub role: Role,
    /// Set for the role agent, and for no other.
    pub agent: Option<AgentId>,
}

impl Identity {
    fn of(info: &TokenInfo) -> Identity {
        Identity { token_id: info.id.clone(), role: info.role, agent: info.agent.clone() }
    }
}

/// That somebody is logged in with a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Who logged in.
    pub user: String,
    /// Changes with the password: a new one ends all sessions.
    #[serde(default)]
    pub key: String,
    #[serde(with = "millis")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Wall,
}

/// What is known of a token without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenInfo {
    pub id: String,
    pub role: Role,
    /// The agent it acts for; set for the role agent alone.
    #[schema(value_type = Option<String>)]
    pub agent: Option<AgentId>,
    /// What the operator calls it.
    pub name: Option<String>,
    /// Set for the session of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
    #[serde(with = "millis")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Wall,
}

/// A new token. `token` is shown here and never again.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Created {
    pub token: String,
    #[serde(flatten)]
    pub info: TokenInfo,
}

/// What is asked for when a token is made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    pub role: Role,
    /// The agent's number; needed for the role agent, refused for others.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub agent: Option<AgentId>,
    /// At most 100 characters.
    #[serde(default)]
    pub name: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("role '{0}' is not known; use callback, presence, agent, supervisor, operator or admin")]
    UnknownRole(String),
    #[error("a token with role agent needs the agent it acts for; name their number as 'agent'")]
    AgentMissing,
    #[error("role {} acts for the whole centre; leave 'agent' out, or ask for role agent", .0.name())]
    AgentNotWanted(Role),
    #[error("'name' and 'agent' may have 1 to 100 characters without control characters")]
    BadName,
    #[error("there are {MAX_TOKENS} tokens already; delete those not in use first")]
    Full,
    #[error(transparent)]
    Table(#[from] TableError),
    #[error("the system gives no random numbers ({0}); no token can be made")]
    Entropy(getrandom::Error),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    info: TokenInfo,
    /// SHA-256 of the whole token, in hexadecimal. A token has 256 random bits, so no slower hash is needed.
    sha256: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Entries {
    tokens: Vec<Entry>,
}

type Known = BTreeMap<String, Entry>;

/// The tokens of one data folder. Several processes may change them.
#[derive(Debug)]
pub struct Tokens {
    folder: PathBuf,
    table: Table,
    known: ArcSwap<Known>,
}

impl Tokens {
    /// Opens the table of `folder`. Where there is none it is made, with one admin token that is written to
    /// `admin.token` (mode 0600).
    pub fn open(folder: &Path, now: Wall) -> Result<Tokens, TokenError> {
        let table = Table::open(folder, "tokens")?;
        let tokens = Tokens { folder: folder.to_owned(), table, known: ArcSwap::default() };
        let lock = tokens.table.lock()?;
        if !tokens.table.exists() {
            let wanted = NewToken { role: Role::Admin, agent: None, name: Some(ADMIN_TOKEN.into()) };
            let (created, entry) = mint(wanted, None, now)?;
            // The token goes first: a crash between the two makes a new one of both at the next start.
            write_private(&tokens.folder.join(ADMIN_TOKEN), format!("{}\n", created.token).as_bytes())?;
            tokens.table.store(&Entries { tokens: vec![entry] })?;
        }
        drop(lock);
        tokens.reload()?;
        Ok(tokens)
    }

    /// Who holds `token`; `None` for a person's session, which is no token. Constant time in the secret part; the id in
    /// it is no secret. May read the file, when another process changed it: not for the engine's thread.
    pub fn identify(&self, token: &str) -> Option<Identity> {
        self.find(token).filter(|info| info.session.is_none()).map(|info| Identity::of(&info))
    }

    /// Who is logged in with the session `token`.
    pub fn session(&self, token: &str, now: Wall) -> Option<(Identity, Session)> {
        let info = self.find(token)?;
        let session = info.session.clone().filter(|session| now < session.expires_at)?;
        Some((Identity::of(&info), session))
    }

    fn find(&self, token: &str) -> Option<TokenInfo> {
        let (_, rest) = token.split_once('-')?;
        let (id, _) = rest.split_once('-')?;
        if !self.known.load().contains_key(id) {
            self.reload_if_changed();
        }
        let known = self.known.load();
        let entry = known.get(id)?;
        let same: bool = digest(token).as_bytes().ct_eq(entry.sha256.as_bytes()).into();
        same.then(|| entry.info.clone())
    }

    /// Whether a token that was good is still there.
    pub fn is_valid(&self, id: &str, now: Wall) -> bool {
        let over = |entry: &Entry| entry.info.session.as_ref().is_some_and(|session| session.expires_at <= now);
        self.known.load().get(id).is_some_and(|entry| !over(entry))
    }

    /// All tokens without their secrets, oldest first.
    pub fn list(&self) -> Vec<TokenInfo> {
        let mut list: Vec<_> = self.known.load().values().map(|entry| entry.info.clone()).collect();
        list.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        list
    }

    /// Makes a token. Waits for the disk.
    pub fn create(&self, wanted: NewToken, now: Wall) -> Result<Created, TokenError> {
        self.add(wanted, None, now)
    }

    /// Logs a person in. Waits for the disk.
    pub fn begin_session(&self, wanted: NewToken, session: Session, now: Wall) -> Result<Created, TokenError> {
        self.add(wanted, Some(session), now)
    }

    fn add(&self, wanted: NewToken, session: Option<Session>, now: Wall) -> Result<Created, TokenError> {
        check(&wanted)?;
        let lock = self.table.lock()?;
        let mut table: Entries = self.table.load()?;
        table.tokens.retain(|entry| entry.info.session.as_ref().is_none_or(|session| now < session.expires_at));
        if table.tokens.len() >= MAX_TOKENS {
            return Err(TokenError::Full);
        }
        let (created, entry) = mint(wanted, session, now)?;
        table.tokens.push(entry);
        self.table.store(&table)?;
        drop(lock);
        self.reload()?;
        Ok(created)
    }

    /// Deletes a token; `false` when there is none of that id. Waits for the disk.
    pub fn delete(&self, id: &str) -> Result<bool, TokenError> {
        let lock = self.table.lock()?;
        let mut table: Entries = self.table.load()?;
        let before = table.tokens.len();
        table.tokens.retain(|entry| entry.info.id != id);
        let found = table.tokens.len() < before;
        if found {
            self.table.store(&table)?;
        }
        drop(lock);
        self.reload()?;
        Ok(found)
    }

    /// Ends every session of a user; gives how many there were. Waits for the disk.
    pub fn end_sessions(&self, user: &str) -> Result<usize, TokenError> {
        let lock = self.table.lock()?;
        let mut table: Entries = self.table.load()?;
        let before = table.tokens.len();
        table.tokens.retain(|entry| entry.info.session.as_ref().is_none_or(|session| session.user != user));
        let ended = before - table.tokens.len();
        if ended > 0 {
            self.table.store(&table)?;
        }
        drop(lock);
        self.reload()?;
        Ok(ended)
    }

    /// Reads the file again, as after SIGHUP.
    pub fn reload(&self) -> Result<(), TokenError> {
        let take = |table: Entries| {
            let known = table.tokens.into_iter().map(|entry| (entry.info.id.clone(), entry)).collect();
            self.known.store(std::sync::Arc::new(known));
        };
        Ok(self.table.read(take)?)
    }

    fn reload_if_changed(&self) {
        if self.table.has_changed()
            && let Err(error) = self.reload()
        {
            tracing::error!("tokens stay as they were: {error}");
        }
    }
}

fn check(wanted: &NewToken) -> Result<(), TokenError> {
    match (wanted.role, &wanted.agent) {
        (Role::Agent, None) => return Err(TokenError::AgentMissing),
        (Role::Agent, Some(_)) | (_, None) => {}
        (role, Some(_)) => return Err(TokenError::AgentNotWanted(role)),
    }
    let names = [wanted.name.as_deref(), wanted.agent.as_ref().map(AgentId::as_str)];
    let fine = |name: &str| (1..=100).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if names.into_iter().flatten().all(fine) { Ok(()) } else { Err(TokenError::BadName) }
}

/// `relais-ID-SECRET`: 8 hexadecimal digits that name the token, 64 that prove it.
fn mint(wanted: NewToken, session: Option<Session>, now: Wall) -> Result<(Created, Entry), TokenError> {
    let mut random = [0; 36];
    getrandom::fill(&mut random).map_err(TokenError::Entropy)?;
    let (id, secret) = random.split_at(4);
    let id = hex::encode(id);
    let token = format!("relais-{id}-{}", hex::encode(secret));
    let NewToken { role, agent, name } = wanted;
    let info = TokenInfo { id, role, agent, name, session, created_at: now };
    let entry = Entry { info: info.clone(), sha256: digest(&token) };
    Ok((Created { token, info }, entry))
}

fn digest(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const TABLE: &str = "tokens.json";

    fn now() -> Wall {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    fn wanted(role: Role, agent: Option<&str>) -> NewToken {
        NewToken { role, agent: agent.map(AgentId::from), name: None }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_first_start_writes_an_admin_token_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let tokens = Tokens::open(&data, now()).unwrap();
        let written = fs::read_to_string(data.join(ADMIN_TOKEN)).unwrap();
        assert_eq!(tokens.identify(written.trim()).unwrap().role, Role::Admin);
        assert_eq!((mode(&data.join(ADMIN_TOKEN)), mode(&data.join(TABLE))), (0o600, 0o600));
        let table = fs::read_to_string(data.join(TABLE)).unwrap();
        assert!(!table.contains(written.trim()), "the table holds a digest, never the token");
    }

    #[test]
    fn a_later_start_keeps_the_tokens_and_leaves_a_deleted_admin_token_file_away() {
        let folder = tempfile::tempdir().unwrap();
        Tokens::open(folder.path(), now()).unwrap();
        let token = fs::read_to_string(folder.path().join(ADMIN_TOKEN)).unwrap();
        fs::remove_file(folder.path().join(ADMIN_TOKEN)).unwrap();
        let tokens = Tokens::open(folder.path(), now()).unwrap();
        assert!(tokens.identify(token.trim()).is_some());
        assert!(!folder.path().join(ADMIN_TOKEN).exists());
    }

    #[test]
    fn a_crash_before_the_table_was_written_heals_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(ADMIN_TOKEN), "relais-00000000-0\n").unwrap();
        fs::write(folder.path().join("admin.new"), "half").unwrap();
        let tokens = Tokens::open(folder.path(), now()).unwrap();
        let token = fs::read_to_string(folder.path().join(ADMIN_TOKEN)).unwrap();
        assert!(tokens.identify(token.trim()).is_some());
        assert_eq!(mode(&folder.path().join(ADMIN_TOKEN)), 0o600);
    }

    #[test]
    fn a_token_is_good_as_a_whole_and_until_it_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(folder.path(), now()).unwrap();
        let created = tokens.create(wanted(Role::Agent, Some("201")), now()).unwrap();
        let who = tokens.identify(&created.token).unwrap();
        assert_eq!((who.role, who.agent), (Role::Agent, Some(AgentId::from("201"))));
        let last = if created.token.ends_with('0') { "1" } else { "0" };
        let altered = format!("{}{last}", &created.token[..created.token.len() - 1]);
        let shortened = &created.token[..created.token.len() - 1];
        for wrong in [altered.as_str(), shortened, "", "-", "--", "relais-", &format!("relais-{}-", created.info.id)] {
            assert_eq!(tokens.identify(wrong), None, "{wrong:?}");
        }
        assert!(tokens.delete(&created.info.id).unwrap());
        assert!(!tokens.delete(&created.info.id).unwrap());
        assert_eq!(tokens.identify(&created.token), None);
    }

    #[test]
    fn a_token_made_by_another_process_is_known_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let server = Tokens::open(folder.path(), now()).unwrap();
        server.table.age();
        let created =
            Tokens::open(folder.path(), now()).unwrap().create(wanted(Role::Supervisor, None), now()).unwrap();
        assert_eq!(server.identify(&created.token).map(|who| who.role), Some(Role::Supervisor));
    }

    #[test]
    fn tokens_made_at_the_same_time_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        Tokens::open(folder.path(), now()).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let tokens = Tokens::open(folder.path(), now()).unwrap();
                    for _ in 0..5 {
                        tokens.create(wanted(Role::Operator, None), now()).unwrap();
                    }
                });
            }
        });
        assert_eq!(Tokens::open(folder.path(), now()).unwrap().list().len(), 21);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(folder.path(), now()).unwrap();
        let refused = |wanted| tokens.create(wanted, now()).unwrap_err().to_string();
        assert!(refused(wanted(Role::Agent, None)).contains("name their number"));
        assert!(refused(wanted(Role::Admin, Some("201"))).contains("leave 'agent' out"));
        assert!(refused(wanted(Role::Agent, Some("2\n1"))).contains("control characters"));
        assert!(refused(NewToken { name: Some("x".repeat(101)), ..wanted(Role::Admin, None) }).contains("1 to 100"));
        assert_eq!(tokens.list().len(), 1);
        assert!(
            "root"
                .parse::<Role>()
                .unwrap_err()
                .to_string()
                .contains("use callback, presence, agent, supervisor, operator or admin")
        );
    }

    #[test]
    fn a_spoilt_table_is_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(TABLE), "{").unwrap();
        let error = Tokens::open(folder.path(), now()).unwrap_err().to_string();
        assert!(error.contains("tokens.json is not a table of tokens") && error.contains("move it away"), "{error}");
    }
}
