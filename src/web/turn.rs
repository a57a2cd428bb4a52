//! Names and passwords for a TURN server, made of a secret that it shares with us: the name holds when it is over, and the
//! password is the name's MAC. That is what coturn calls `use-auth-secret` (draft-uberti-behave-turn-rest-00 §2.2).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use serde::Serialize;
use utoipa::ToSchema;

use crate::settings;
use crate::time::Wall;

/// An allocation is refreshed with the name that it was made with, so that one has to last for the longest call.
const LASTS: Duration = Duration::from_secs(12 * 3_600);

/// A TURN server with our part of its secret.
pub struct Turn {
    urls: Vec<String>,
    key: Key,
}

/// As `RTCPeerConnection` takes it (W3C WebRTC §4.2.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct IceServer {
    urls: Vec<String>,
    username: String,
    credential: String,
}

impl Turn {
    /// Reads the secret. The error names the file.
    pub fn open(settings: &settings::Turn) -> Result<Turn, String> {
        let path = settings.secret_file.display();
        let text =
            std::fs::read(&settings.secret_file).map_err(|error| format!("web.turn: secret_file {path}: {error}"))?;
        let secret = text.trim_ascii();
        if secret.is_empty() {
            return Err(format!("web.turn: secret_file {path} is empty"));
        }
        Ok(Turn { urls: settings.urls.clone(), key: Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret) })
    }

    /// What `user` may use the server with, from now on for half a day.
    pub(super) fn lend(&self, user: &str, now: Wall) -> IceServer {
        let username = format!("{}:{user}", (now + LASTS).as_second());
        let credential = STANDARD.encode(sign(&self.key, username.as_bytes()).as_ref());
        IceServer { urls: self.urls.clone(), username, credential }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_mac_of_the_name_which_says_when_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let secret_file = folder.path().join("turn.secret");
        std::fs::write(&secret_file, "north\n").unwrap();
        let urls = vec!["turn:turn.example.com:3478".to_owned()];
        let turn = Turn::open(&settings::Turn { urls: urls.clone(), secret_file: secret_file.clone() }).unwrap();
        let now = "2026-03-01T08:00:00Z".parse().unwrap();
        // printf %s 1772395200:201 | openssl dgst -sha1 -hmac north -binary | base64
        let credential = "yGcXslYWN+iJLkfrx04aUaO+pY4=".to_owned();
        assert_eq!(turn.lend("201", now), IceServer { urls, username: "1772395200:201".to_owned(), credential });
        std::fs::write(&secret_file, " \n").unwrap();
        let fault = Turn::open(&settings::Turn { urls: Vec::new(), secret_file }).err().unwrap();
        assert!(fault.ends_with("turn.secret is empty"), "{fault}");
    }
}
