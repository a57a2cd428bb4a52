//! Challenges to our requests (RFC 3261 §22.2, §22.3): the request again, with credentials and the next CSeq number.

use super::context::{Context, Purpose};
use super::session::{Session, Stage};
use crate::settings::Credentials;
use crate::sip::auth;
use crate::sip::message::{Headers, Method, Request, Response};
use crate::sip::transaction::TransactionId;
use crate::time::Instant;

/// Challenges answered in a row before the refusal is believed.
pub(super) const MAX_CHALLENGES: u8 = 2;

/// Puts into `request` what the 401 or 407 asks for; false where we cannot.
pub(super) fn authorize(
    cx: &mut Context,
    request: &mut Request,
    response: &Response,
    credentials: Option<&Credentials>,
) -> bool {
    let cnonce = cx.token();
    credentials.is_some_and(|credentials| auth::authorize(request, response, credentials, &cnonce))
}

impl Session {
    /// The CSeq number of the next request in the dialog, taken.
    pub fn next_cseq(&mut self) -> u32 {
        let dialog = match &mut self.stage {
            Stage::Calling(calling) => calling.settled_dialog(),
            _ => self.dialog.as_mut(),
        };
        dialog.map_or(1, |dialog| {
            dialog.local_cseq = dialog.local_cseq.saturating_add(1);
            dialog.local_cseq
        })
    }

    /// Sends the request of `id` again with credentials. §22.2: "a UAC […] MUST increment the CSeq header field value as
    /// it would normally when sending an updated request"; the branch is new.
    pub fn retry_challenged(
        &mut self,
        cx: &mut Context,
        id: TransactionId,
        response: &Response,
        cseq: u32,
        purpose: Purpose,
        now: Instant,
    ) -> Option<TransactionId> {
        if self.challenges >= MAX_CHALLENGES {
            return None;
        }
        let (to, mut request) = cx.sent(id)?;
        request.core.cseq.number = cseq;
        if !authorize(cx, &mut request, response, self.credentials.as_ref()) {
            return None;
        }
        if request.method == Method::Invite {
            self.proof = Headers::default();
            for name in ["Authorization", "Proxy-Authorization"] {
                for value in request.headers.get_all(name) {
                    self.proof.push(name, value);
                }
            }
        }
        self.challenges += 1;
        Some(self.send(cx, request, to, purpose, now))
    }
}
