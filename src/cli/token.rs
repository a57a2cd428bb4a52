//! `relais token create --role ROLE`: makes a token in a data folder, also while the server runs.

use std::path::Path;
use std::process::ExitCode;

use super::{FAILED, TokenCreateArgs};
use crate::ids::AgentId;
use crate::time::Wall;
use crate::web::tokens::{NewToken, Role, TokenError, Tokens};

pub fn run(args: &TokenCreateArgs) -> ExitCode {
    match create(&args.data, args.role, args.agent.as_deref().map(AgentId::from), args.name.clone()) {
        Ok(token) => {
            println!("{token}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(FAILED)
        }
    }
}

/// Makes a token and gives it back; it is shown to the operator once and kept nowhere. `agent` is needed for the role
/// agent and refused for others. A running server knows the token within a second.
pub fn create(data: &Path, role: Role, agent: Option<AgentId>, name: Option<String>) -> Result<String, TokenError> {
    let now = Wall::now();
    let created = Tokens::open(data, now)?.create(NewToken { role, agent, name }, now)?;
    Ok(created.token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_made_by_hand_opens_the_server_that_runs_on_the_same_folder() {
        let folder = tempfile::tempdir().unwrap();
        let token = create(folder.path(), Role::Agent, Some(AgentId::from("201")), Some("desk".into())).unwrap();
        let server = Tokens::open(folder.path(), Wall::now()).unwrap();
        assert_eq!(server.identify(&token).unwrap().agent, Some(AgentId::from("201")));
        assert!(create(folder.path(), Role::Agent, None, None).is_err());
    }
}
