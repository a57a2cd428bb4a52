//! Header names: their long forms, compact forms, and which of them are comma lists.

use rsip::Header;
use rsip::headers::untyped::{self, UntypedHeader};

/// Every header that rsip has a type for: its variant, its name, the name in lower case, its compact form.
macro_rules! typed_headers {
    ($($variant:ident $name:literal $lower:literal $($compact:literal)?;)*) => {
        /// A header by its name in lower case, long or compact; `given` is the name as it was written.
        fn typed(lower: &[u8], given: &str, value: String) -> Header {
            match lower {
                $($lower $(| $compact)? => Header::$variant(untyped::$variant::new(value)),)*
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
    Accept "Accept" b"accept";
    AcceptEncoding "Accept-Encoding" b"accept-encoding";
    AcceptLanguage "Accept-Language" b"accept-language";
    AlertInfo "Alert-Info" b"alert-info";
    Allow "Allow" b"allow";
    AuthenticationInfo "Authentication-Info" b"authentication-info";
    Authorization "Authorization" b"authorization";
    CSeq "CSeq" b"cseq";
    CallId "Call-ID" b"call-id" b"i";
    CallInfo "Call-Info" b"call-info";
    Contact "Contact" b"contact" b"m";
    ContentDisposition "Content-Disposition" b"content-disposition";
    ContentEncoding "Content-Encoding" b"content-encoding" b"e";
    ContentLanguage "Content-Language" b"content-language";
    ContentLength "Content-Length" b"content-length" b"l";
    ContentType "Content-Type" b"content-type" b"c";
    Date "Date" b"date";
    ErrorInfo "Error-Info" b"error-info";
    Event "Event" b"event" b"o";
    Expires "Expires" b"expires";
    From "From" b"from" b"f";
    InReplyTo "In-Reply-To" b"in-reply-to";
    MaxForwards "Max-Forwards" b"max-forwards";
    MimeVersion "MIME-Version" b"mime-version";
    MinExpires "Min-Expires" b"min-expires";
    Organization "Organization" b"organization";
    Priority "Priority" b"priority";
    ProxyAuthenticate "Proxy-Authenticate" b"proxy-authenticate";
    ProxyAuthorization "Proxy-Authorization" b"proxy-authorization";
    ProxyRequire "Proxy-Require" b"proxy-require";
    RecordRoute "Record-Route" b"record-route";
    ReplyTo "Reply-To" b"reply-to";
    Require "Require" b"require";
    RetryAfter "Retry-After" b"retry-after";
    Route "Route" b"route";
    Server "Server" b"server";
    Subject "Subject" b"subject" b"s";
    SubscriptionState "Subscription-State" b"subscription-state";
    Supported "Supported" b"supported" b"k";
    Timestamp "Timestamp" b"timestamp";
    To "To" b"to" b"t";
    Unsupported "Unsupported" b"unsupported";
    UserAgent "User-Agent" b"user-agent";
    Via "Via" b"via" b"v";
    Warning "Warning" b"warning";
    WwwAuthenticate "WWW-Authenticate" b"www-authenticate";
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

/// A name in lower case, for a `match`; longer names than this are unknown anyway.
struct Lower([u8; 32]);

impl Lower {
    fn of<'a>(name: &str, place: &'a mut Lower) -> &'a [u8] {
        match place.0.get_mut(..name.len()) {
            Some(lower) => {
                lower.copy_from_slice(name.as_bytes());
                lower.make_ascii_lowercase();
                lower
            }
            None => &[],
        }
    }
}

/// A header from the name and the value as they were written.
pub(super) fn header(name: &str, value: String) -> Header {
    typed(Lower::of(name, &mut Lower([0; 32])), name, value)
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
        Some(match Lower::of(name, &mut Lower([0; 32])) {
            b"via" | b"v" => Field::Via,
            b"from" | b"f" => Field::From,
            b"to" | b"t" => Field::To,
            b"call-id" | b"i" => Field::CallId,
            b"cseq" => Field::CSeq,
            b"max-forwards" => Field::MaxForwards,
            b"content-length" | b"l" => Field::ContentLength,
            _ => return None,
        })
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
