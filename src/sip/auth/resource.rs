//! Whether the `uri` of a digest names what the request asks for.

use crate::sip::message::{Host, SipUri, Uri};

/// RFC 7616 §3.4.6: "The authenticating server MUST assure that the resource designated by the 'uri' parameter is the
/// same as the resource specified in the Request-Line". Else an answer that was overheard would open any other number.
///
/// Phones and proxies write one URI in many ways, so what makes no other resource of it is left aside: a default port,
/// the transport and other parameters, headers, a password, `sips` for `sip`. `realm` is the centre's own name, and
/// stands for any of its addresses: a phone that goes by a proxy knows no other. Some (SIPp) name the server alone,
/// whatever they dial; those are let in, for what they overhear of themselves they have given away already.
pub(super) fn is_same_resource(claimed: &str, asked: &Uri, realm: &str) -> bool {
    let Ok(claimed) = claimed.trim().parse::<Uri>() else { return false };
    match (&claimed, asked) {
        (Uri::Sip(claimed), Uri::Sip(asked)) => {
            (claimed.user.is_none() || claimed.user == asked.user) && is_same_host(claimed, asked, realm)
        }
        (Uri::Tel { number: claimed, .. }, Uri::Tel { number: asked, .. }) => digits(claimed).eq(digits(asked)),
        // RFC 3261 §19.1.6: a number may be written either way, and a proxy may turn one into the other.
        (Uri::Sip(sip), Uri::Tel { number, .. }) | (Uri::Tel { number, .. }, Uri::Sip(sip)) => {
            sip.user.as_deref().is_some_and(|user| digits(user).eq(digits(number)))
        }
        (claimed, asked) => claimed == asked,
    }
}

fn is_same_host(claimed: &SipUri, asked: &SipUri, realm: &str) -> bool {
    let is_ours = matches!(&claimed.host, Host::Name(name) if name.eq_ignore_ascii_case(realm));
    is_ours || (claimed.host == asked.host && port(claimed) == port(asked))
}

/// RFC 3261 §19.1.2. `sips` for `sip` moves the port with it.
fn port(uri: &SipUri) -> u16 {
    match uri.port {
        None | Some(5060 | 5061) => 5060,
        Some(port) => port,
    }
}

/// RFC 3966 §4: visual separators mean nothing.
fn digits(number: &str) -> impl Iterator<Item = char> {
    let bare = number.split(';').next().unwrap_or(number);
    bare.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).map(|c| c.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(claimed: &str, asked: &str) -> bool {
        is_same_resource(claimed, &asked.parse().unwrap(), "relais.test")
    }

    #[test]
    fn one_resource_is_known_however_it_is_written() {
        for (claimed, asked) in [
            ("sip:610@192.0.2.1", "sip:610@192.0.2.1"),
            ("sip:610@192.0.2.1:5060", "sip:610@192.0.2.1"),
            ("sip:610@192.0.2.1", "sip:610@192.0.2.1:5060;transport=udp"),
            ("sip:610@Phone.Example.COM;transport=tcp", "sip:610@phone.example.com"),
            ("sips:610@192.0.2.1", "sip:610@192.0.2.1:5061"),
            ("sip:%36%31%30@192.0.2.1", "sip:610@192.0.2.1"),
            (" sip:610@192.0.2.1 ", "sip:610@192.0.2.1"),
            ("sip:610@[2001:DB8::1]", "sip:610@[2001:db8:0:0::1]:5060"),
            ("sip:610@relais.test", "sip:610@192.0.2.1:5080"),
            ("sip:RELAIS.test", "sip:192.0.2.1"),
            ("sip:192.0.2.1", "sip:192.0.2.1;lr"),
            ("sip:192.0.2.1:5060", "sip:610@192.0.2.1"),
            ("tel:+33-1-55-50", "tel:+3315550"),
            ("sip:+3315550@relais.test;user=phone", "tel:+33-1-5550"),
            ("urn:service:sos", "urn:service:sos"),
        ] {
            assert!(same(claimed, asked), "{claimed} for {asked}");
        }
    }

    #[test]
    fn another_resource_is_told_apart() {
        for (claimed, asked) in [
            ("sip:611@192.0.2.1", "sip:610@192.0.2.1"),
            ("sip:192.0.2.2", "sip:610@192.0.2.1"),
            ("sip:610@192.0.2.1", "sip:192.0.2.1"),
            ("sip:610@192.0.2.2", "sip:610@192.0.2.1"),
            ("sip:610@192.0.2.1:5070", "sip:610@192.0.2.1"),
            ("sip:611@relais.test", "sip:610@192.0.2.1"),
            ("sip:Bob@192.0.2.1", "sip:bob@192.0.2.1"),
            ("tel:+33155", "tel:+33156"),
            ("sip:+33155@relais.test", "tel:+33156"),
            ("urn:service:sos", "sip:610@192.0.2.1"),
            ("610", "sip:610@192.0.2.1"),
            ("", "sip:192.0.2.1"),
        ] {
            assert!(!same(claimed, asked), "{claimed} for {asked}");
        }
    }
}
