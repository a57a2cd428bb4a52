//! Header names: their long forms, compact forms, and which of them are comma lists.

use rsip::Header;
use rsip::headers::untyped::{self, UntypedHeader};

/// Every header that rsip has a type for: its variant, its name, the name in lower case, its compact form.
macro_rules! typed_headers {
    ($($variant:ident $name:literal $lower:literal $($compact:literal)?;)*) => {
        /// A header by its name in lower case, long or compact; `given` is the name as it was written.
        fn typed(lower: &[u8], given: &str, value: String) -> Header {
            match lower {
                $(bytes if bytes == $lower.as_bytes() $(|| bytes == $compact.as_bytes())? => {
                    Header::$variant(untyped::$variant::new(value))
                })*
                _ => Header::Other(long_form(lower).unwrap_or(given).to_owned(), value),
            }
        }

        pub(super) fn name_of(header: &Header) -> &str {
            match header {
                $(Header::$variant(_) => $name,)*
                Header::Other(name, _) => name,
            }
        }

        pub(super) fn value_of(header: &Header) -> &str {
            match header {
                $(Header::$variant(header) => header.value(),)*
                Header::Other(_, value) => value,
            }
        }
    };
}

typed_headers! {
    Accept "Accept" "accept";
    AcceptEncoding "Accept-Encoding" "accept-encoding";
    AcceptLanguage "Accept-Language" "accept-language";
    AlertInfo "Alert-Info" "alert-info";
    Allow "Allow" "allow";
    AuthenticationInfo "Authentication-Info" "authentication-info";
    Authorization "Authorization" "authorization";
    CSeq "CSeq" "cseq";
    CallId "Call-ID" "call-id" "i";
    CallInfo "Call-Info" "call-info";
    Contact "Contact" "contact" "m";
    ContentDisposition "Content-Disposition" "content-disposition";
    ContentEncoding "Content-Encoding" "content-encoding" "e";
    ContentLanguage "Content-Language" "content-language";
    ContentLength "Content-Length" "content-length" "l";
    ContentType "Content-Type" "content-type" "c";
    Date "Date" "date";
    ErrorInfo "Error-Info" "error-info";
    Event "Event" "event" "o";
    Expires "Expires" "expires";
    From "From" "from" "f";
    InReplyTo "In-Reply-To" "in-reply-to";
    MaxForwards "Max-Forwards" "max-forwards";
    MimeVersion "MIME-Version" "mime-version";
    MinExpires "Min-Expires" "min-expires";
    Organization "Organization" "organization";
    Priority "Priority" "priority";
    ProxyAuthenticate "Proxy-Authenticate" "proxy-authenticate";
    ProxyAuthorization "Proxy-Authorization" "proxy-authorization";
    ProxyRequire "Proxy-Require" "proxy-require";
    RecordRoute "Record-Route" "record-route";
    ReplyTo "Reply-To" "reply-to";
    Require "Require" "require";
    RetryAfter "Retry-After" "retry-after";
    Route "Route" "route";
    Server "Server" "server";
    Subject "Subject" "subject" "s";
    SubscriptionState "Subscription-State" "subscription-state";
    Supported "Supported" "supported" "k";
    Timestamp "Timestamp" "timestamp";
    To "To" "to" "t";
    Unsupported "Unsupported" "unsupported";
    UserAgent "User-Agent" "user-agent";
    Via "Via" "via" "v";
    Warning "Warning" "warning";
    WwwAuthenticate "WWW-Authenticate" "www-authenticate";
}

/// Compact forms of headers that later RFCs added.
fn long_form(lower: &[u8]) -> Option<&'static str> {
    Some(match lower {
        b"a" => "Accept-Contact",
        b"b" => "Referred-By",
        b"d" => "Request-Disposition",
        b"j" => "Reject-Contact",
        b"n" => "Identity-Info",
        b"r" => "Refer-To",
        b"u" => "Allow-Events",
        b"x" => "Session-Expires",
        b"y" => "Identity",
        _ => return None,
    })
}

/// Longer than every name that is known.
const LONGEST: usize = 32;

/// A header from the name and the value as they were written.
pub(super) fn header(name: &str, value: String) -> Header {
    let mut lower = [0; LONGEST];
    match lower.get_mut(..name.len()) {
        Some(lower) => {
            lower.copy_from_slice(name.as_bytes());
            lower.make_ascii_lowercase();
            typed(lower, name, value)
        }
        None => Header::Other(name.to_owned(), value),
    }
}

/// What a message carries in its own fields, never among its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Via,
    From,
    To,
    CallId,
    CSeq,
    MaxForwards,
    ContentLength,
}

impl Field {
    pub fn by_name(name: &str) -> Option<Field> {
        const NAMES: [(&str, &str, Field); 7] = [
            ("via", "v", Field::Via),
            ("from", "f", Field::From),
            ("to", "t", Field::To),
            ("call-id", "i", Field::CallId),
            ("cseq", "", Field::CSeq),
            ("max-forwards", "", Field::MaxForwards),
            ("content-length", "l", Field::ContentLength),
        ];
        let same = |known: &str| name.eq_ignore_ascii_case(known);
        NAMES.iter().find(|(long, compact, _)| same(long) || same(compact)).map(|(_, _, field)| *field)
    }

    /// Is `header` one that is written from a field?
    pub fn is_one(header: &Header) -> bool {
        matches!(
            header,
            Header::Via(_)
                | Header::From(_)
                | Header::To(_)
                | Header::CallId(_)
                | Header::CSeq(_)
                | Header::MaxForwards(_)
                | Header::ContentLength(_)
        )
    }
}

/// Headers whose values are addresses or carry parameters: a comma list of them is parted into one entry a value. Lists of
/// plain tokens (Allow, Supported, …) stay on their line; [`super::Headers::tokens`] reads both.
pub(super) fn is_list(header: &Header) -> bool {
    match header {
        Header::Contact(_) | Header::Route(_) | Header::RecordRoute(_) => true,
        Header::AlertInfo(_) | Header::CallInfo(_) | Header::ErrorInfo(_) | Header::Warning(_) => true,
        Header::Other(name, _) => {
            const OTHERS: [&str; 8] = [
                "path",
                "service-route",
                "p-asserted-identity",
                "p-preferred-identity",
                "diversion",
                "history-info",
                "reason",
                "p-associated-uri",
            ];
            OTHERS.iter().any(|known| name.eq_ignore_ascii_case(known))
        }
        _ => false,
    }
}

/// RFC 3261 §7.3.1: two of these cannot be joined, so a second one is an error.
pub(super) fn is_single(header: &Header) -> bool {
    matches!(
        header,
        Header::ContentType(_)
            | Header::ContentDisposition(_)
            | Header::Date(_)
            | Header::Event(_)
            | Header::Expires(_)
            | Header::MinExpires(_)
            | Header::ReplyTo(_)
            | Header::Timestamp(_)
    ) || matches!(header, Header::Other(name, _) if ["refer-to", "session-expires", "replaces"].iter().any(|known| name.eq_ignore_ascii_case(known)))
}
