//! REFER in a dialog (RFC 3515): the peer asks us to put the call through to somebody else. How it goes is told by NOTIFY
//! in the same dialog, as a fragment of a response (RFC 3420), unless the peer asks for silence (RFC 4488).

use serde::{Deserialize, Serialize};

use super::Event;
use super::context::{Context, Purpose, ServerUse};
use super::session::{Session, Stage};
use crate::sip::message::{Headers, Method, NameAddr, Request, StatusCode, Uri, reason_phrase};
use crate::sip::transaction::TransactionId;
use crate::sip::{Destination, Flow};
use crate::time::Instant;

/// RFC 3515 §2.4.4: how long we are willing to tell of it.
const SUBSCRIPTION_S: u32 = 180;

/// What a REFER asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Referral {
    pub to: Uri,
    /// The dialog whose place the new call is to take: an attended transfer.
    pub replaces: Option<Replaces>,
    /// RFC 3892, as it came.
    pub referred_by: Option<String>,
}

/// RFC 3891: a dialog, as its other end would name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaces {
    pub call_id: String,
    pub to_tag: String,
    pub from_tag: String,
    /// Only while it is not answered.
    pub early_only: bool,
}

impl Replaces {
    /// `call-id;to-tag=…;from-tag=…`
    pub fn parse(value: &str) -> Option<Replaces> {
        let mut parts = value.split(';').map(str::trim);
        let call_id = parts.next().filter(|id| !id.is_empty())?.to_owned();
        let (mut to_tag, mut from_tag, mut early_only) = (None, None, false);
        for part in parts {
            match part.split_once('=') {
                Some((name, tag)) if name.trim().eq_ignore_ascii_case("to-tag") => to_tag = Some(tag.trim()),
                Some((name, tag)) if name.trim().eq_ignore_ascii_case("from-tag") => from_tag = Some(tag.trim()),
                None if part.eq_ignore_ascii_case("early-only") => early_only = true,
                _ => {}
            }
        }
        Some(Replaces { call_id, to_tag: to_tag?.to_owned(), from_tag: from_tag?.to_owned(), early_only })
    }
}

/// A REFER that has been told to the engine.
#[derive(Serialize, Deserialize)]
pub(super) struct Referred {
    /// Until it is taken or refused.
    transaction: Option<(TransactionId, Request, Flow)>,
    /// The CSeq of the REFER, by which its subscription is known (§2.4.6).
    number: u32,
    silent: bool,
}

impl Session {
    pub fn on_refer(&mut self, cx: &mut Context, request: Request, flow: Flow, now: Instant) {
        let id = cx.transactions.serve(&request, Destination::Flow(flow), ServerUse::Other, now);
        let status = match (referral(&request.headers), &self.stage) {
            _ if self.over || !matches!(self.stage, Stage::Up) => 481,
            // One at a time: the phone is told that the first is under way.
            _ if self.referred.is_some() => 491,
            (Ok(referral), _) => {
                let silent =
                    request.headers.get("Refer-Sub").is_some_and(|value| value.trim().eq_ignore_ascii_case("false"));
                let number = request.core.cseq.number;
                self.referred = Some(Box::new(Referred { transaction: Some((id, request, flow)), number, silent }));
                return cx.tell(Event::Referred { session: self.id, referral: Box::new(referral) });
            }
            (Err(status), _) => status,
        };
        self.respond_plain(cx, &request, id, StatusCode::from(status), now);
    }

    /// 202, and the first NOTIFY: it is being tried.
    pub fn take_referral(&mut self, cx: &mut Context, now: Instant) {
        let Some(referred) = &mut self.referred else { return };
        let silent = referred.silent;
        let Some((id, request, flow)) = referred.transaction.take() else { return };
        let mut response = self.dialog_response(cx, &request, flow, StatusCode::from(202));
        if silent {
            response.headers.push("Refer-Sub", "false");
        }
        cx.respond(id, response, now);
        self.notify(cx, 100, now);
    }

    /// Refuses it, or tells how it went: a final status ends the subscription.
    pub fn tell_of_referral(&mut self, cx: &mut Context, status: u16, now: Instant) {
        let waiting = self.referred.as_mut().and_then(|referred| referred.transaction.take());
        if let Some((id, request, _)) = waiting {
            self.referred = None;
            return self.respond_plain(cx, &request, id, StatusCode::from(status.clamp(400, 699)), now);
        }
        self.notify(cx, status, now);
        if status >= 200 {
            self.referred = None;
        }
    }

    fn notify(&mut self, cx: &mut Context, status: u16, now: Instant) {
        let up = !self.over && matches!(self.stage, Stage::Up);
        let Some(number) =
            self.referred.as_ref().filter(|referred| up && !referred.silent).map(|referred| referred.number)
        else {
            return;
        };
        let Some(dialog) = &mut self.dialog else { return };
        let mut request = dialog.request(Method::Notify);
        let to = dialog.destination();
        let state = match status {
            100..=199 => format!("active;expires={SUBSCRIPTION_S}"),
            _ => "terminated;reason=noresource".to_owned(),
        };
        request.headers.set("Event", format!("refer;id={number}"));
        request.headers.set("Subscription-State", state);
        request.headers.set("Contact", cx.contact(to, self.local_user()).to_string());
        request.headers.set("Content-Type", "message/sipfrag;version=2.0");
        request.body = format!("SIP/2.0 {status} {}\r\n", reason_phrase(status)).into();
        self.send(cx, request, to, Purpose::Notify, now);
    }
}

/// What the headers of a REFER ask for; `Err` is the status to refuse with. §2.4.2: exactly one Refer-To, else 400.
fn referral(headers: &Headers) -> Result<Referral, u16> {
    let mut targets = headers.get_all("Refer-To");
    let (Some(target), None) = (targets.next(), targets.next()) else { return Err(400) };
    let mut to = target.parse::<NameAddr>().map_err(|_| 400u16)?.uri;
    let mut replaces = None;
    if let Uri::Sip(uri) = &mut to {
        // A URI may name another method; we call.
        if uri.params.get("method").is_some_and(|method| !method.eq_ignore_ascii_case("INVITE")) {
            return Err(488);
        }
        if let Some(embedded) = uri.headers.take() {
            replaces = embedded_replaces(&embedded)?;
        }
    }
    Ok(Referral { to, replaces, referred_by: headers.get("Referred-By").map(str::to_owned) })
}

/// `Replaces=…` among the headers of a URI, where it is escaped (RFC 3261 §19.1.1).
fn embedded_replaces(headers: &str) -> Result<Option<Replaces>, u16> {
    let found = headers.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.eq_ignore_ascii_case("Replaces").then_some(value)
    });
    match found {
        None => Ok(None),
        Some(value) => Replaces::parse(&unescaped(value)).map(Some).ok_or(400),
    }
}

fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let code = bytes.get(at + 1..at + 3).filter(|_| byte == b'%');
        let code =
            code.and_then(|code| std::str::from_utf8(code).ok()).and_then(|code| u8::from_str_radix(code, 16).ok());
        out.push(code.unwrap_or(byte));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refer_to(value: &str) -> Result<Referral, u16> {
        let mut headers = Headers::default();
        headers.push("Refer-To", value);
        referral(&headers)
    }

    #[test]
    fn an_attended_transfer_names_the_dialog_to_be_replaced() {
        let value = "<sip:301@example.com?Replaces=12%4034%3Bto-tag%3Da%3Bfrom-tag%3Db>";
        let replaces = Replaces {
            call_id: "12@34".to_owned(),
            to_tag: "a".to_owned(),
            from_tag: "b".to_owned(),
            early_only: false,
        };
        let found = refer_to(value).unwrap();
        assert_eq!((found.to.to_string().as_str(), found.replaces), ("sip:301@example.com", Some(replaces)));
        assert!(Replaces::parse("x;from-tag=b;to-tag=a;early-only").unwrap().early_only);
    }

    #[test]
    fn what_is_no_referral_is_refused() {
        assert_eq!(refer_to("<sip:301@example.com>").unwrap().replaces, None);
        assert_eq!(refer_to("sip:301@example.com").unwrap().to.to_string(), "sip:301@example.com");
        assert_eq!(refer_to("<sip:301@example.com?Replaces=nonsense>"), Err(400));
        assert_eq!(refer_to("<sip:301@example.com;method=BYE>"), Err(488));
        assert_eq!(refer_to("<"), Err(400));
        assert_eq!(referral(&Headers::default()), Err(400));
        let mut twice = Headers::default();
        twice.push("Refer-To", "<sip:1@a>");
        twice.push("Refer-To", "<sip:2@a>");
        assert_eq!(referral(&twice), Err(400));
        for hostile in ["<sip:1@a?Replaces=%>", "<sip:1@a?Replaces=%zz;to-tag=;from-tag=>", "<sip:1@a?=&=&Replaces>"] {
            let _ = refer_to(hostile);
        }
    }
}
