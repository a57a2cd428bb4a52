//! What is taken out before anything is written down.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Happening, Start};
use crate::bridge::MediaEvent;
use crate::engine::Input;
use crate::sdp::hide_keys;
use crate::security::Secret;
use crate::settings::Settings;
use crate::sip::auth::disguise;
use crate::sip::message::Message;
use crate::views::ApiRequest;

/// In the place of every password.
const STAND_IN: &str = "not recorded";

/// The passwords that the engine goes by now.
#[derive(Default)]
pub(super) struct Secrets {
    realm: String,
    passwords: HashMap<String, String>,
    /// Those that pages were lent.
    lent: HashMap<String, String>,
}

impl Secrets {
    /// What may be written down of this. Reloads change the passwords that the next ones are judged by.
    pub(super) fn remove(&mut self, happening: Happening) -> Happening {
        match happening {
            Happening::Start(start) => {
                // The engine keeps the realm that it began with.
                self.realm.clone_from(&start.settings.sip.domain);
                let settings = self.take_out(&start.settings);
                Happening::Start(Box::new(Start { settings, ..*start }))
            }
            Happening::Input(Input::Reload { settings, plans }) => {
                Happening::Input(Input::Reload { settings: self.take_out(&settings), plans })
            }
            Happening::Input(Input::Media(MediaEvent::Identity { fingerprint, .. })) => {
                Happening::Input(Input::Media(MediaEvent::Identity { fingerprint, secret: Secret([0; 32]) }))
            }
            Happening::Input(Input::Sip { flow, mut message }) => {
                let body = match &mut *message {
                    Message::Request(request) => {
                        let password = |user: &str| self.lent.get(user).or_else(|| self.passwords.get(user));
                        disguise(request, &self.realm, STAND_IN, |user| password(user).map(String::as_str));
                        &mut request.body
                    }
                    Message::Response(response) => &mut response.body,
                };
                if let Some(hidden) = hide_keys(body) {
                    *body = hidden;
                }
                Happening::Input(Input::Sip { flow, message })
            }
            Happening::Input(Input::Api { id, request: ApiRequest::LendPhone(mut loan) }) => {
                let own = std::mem::replace(&mut loan.password, STAND_IN.to_owned());
                self.lent.insert(loan.user.clone(), own);
                Happening::Input(Input::Api { id, request: ApiRequest::LendPhone(loan) })
            }
            Happening::Input(Input::Api { id, request: ApiRequest::TakePhoneBack { user } }) => {
                self.lent.remove(&user);
                Happening::Input(Input::Api { id, request: ApiRequest::TakePhoneBack { user } })
            }
            other => other,
        }
    }

    fn take_out(&mut self, settings: &Settings) -> Arc<Settings> {
        let mut settings = settings.clone();
        self.passwords.clear();
        for agent in &mut settings.agents {
            // Who has no password cannot register, in the replay as well.
            if let Some(password) = &mut agent.password {
                let own = std::mem::replace(password, STAND_IN.to_owned());
                self.passwords.insert(agent.id.to_string(), own);
            }
        }
        for credentials in settings.trunks.iter_mut().filter_map(|trunk| trunk.register.as_mut()) {
            STAND_IN.clone_into(&mut credentials.password);
        }
        for service in &mut settings.services {
            // Only the shell that asks sends them.
            service.headers.clear();
        }
        Arc::new(settings)
    }
}
