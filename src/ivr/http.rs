//! HTTP requests of plans. They are made of the operator's texts and of values that come from outside: no value can
//! change where a request goes, add a header, or break out of its place in the body.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::inputs::{Inputs, Value};
use crate::ids::ServiceId;

/// Everything but the unreserved characters of RFC 3986 §2.3.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Bounds in bytes, with the values put in.
const LONGEST_URL: usize = 4_096;
const LONGEST_HEADER: usize = 1_024;
const LONGEST_BODY: usize = 32_768;

/// Headers that say how the message is carried: HTTP's own business.
const CARRIAGE: [&str; 7] = ["connection", "content-length", "expect", "host", "te", "transfer-encoding", "upgrade"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Post,
}

/// A request to a service of the configuration, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HttpRequest {
    pub service: ServiceId,
    pub method: Method,
    /// What follows the service's base URL; or a whole URL, where the service allows any.
    pub url: String,
    /// Besides the service's own.
    pub headers: BTreeMap<String, String>,
    /// JSON.
    pub body: Option<String>,
}

/// Why a request cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestFault {
    #[error("the URL needs {{{0}}}, which has no value")]
    NoValue(String),
    #[error("a value would lead out of the URL's path")]
    LeavesPath,
    #[error("the {0} would be longer than {1} bytes")]
    TooLong(&'static str, usize),
    #[error("{0}")]
    Header(String),
    #[error("there is no service '{0}'")]
    NoSuchService(String),
    #[error("the body is no JSON: {0}")]
    Body(String),
}

/// A piece of a template such as `/customers/{call.from}/orders`.
#[derive(Clone, Debug, PartialEq)]
pub enum Part<'t> {
    Text(&'t str),
    /// An expression, and where it begins, in bytes.
    Value(&'t str, usize),
}

/// The pieces of a template, or what is wrong with it and where, in bytes.
pub fn parts(template: &str) -> Result<Vec<Part<'_>>, (usize, String)> {
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(rest) = template.get(at..).filter(|rest| !rest.is_empty()) {
        let text = rest.split(['{', '}']).next().unwrap_or_default();
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        at += text.len();
        let Some(inside) = template.get(at..).and_then(|rest| rest.strip_prefix('{')) else {
            if at < template.len() {
                return Err((at, "'}' has no '{' before it".to_owned()));
            }
            break;
        };
        let Some(end) = inside.find('}') else { return Err((at, "'{' is not closed by '}'".to_owned())) };
        let expression = inside.get(..end).unwrap_or_default();
        parts.push(Part::Value(expression, at + 1));
        at += end + 2;
    }
    Ok(parts)
}

/// Where the values of a template input are kept among the inputs: by the text of each expression.
pub fn values_of(input: &str) -> String {
    format!("{input}.values")
}

/// The template with its values put in, each encoded so that it stays one value (RFC 3986 §2.1).
fn expand(template: &str, values: Option<&Value>) -> Result<String, RequestFault> {
    let mut url = String::new();
    for part in parts(template).map_err(|(_, fault)| RequestFault::NoValue(fault))? {
        match part {
            Part::Text(text) => url.push_str(text),
            Part::Value(expression, _) => {
                let value = match values {
                    Some(Value::Map(values)) => values.get(expression),
                    _ => None,
                };
                let value = value.ok_or_else(|| RequestFault::NoValue(expression.to_owned()))?.to_string();
                if value.len() > LONGEST_URL {
                    return Err(RequestFault::TooLong("URL", LONGEST_URL));
                }
                url.extend(utf8_percent_encode(&value, ENCODED));
            }
        }
        if url.len() > LONGEST_URL {
            return Err(RequestFault::TooLong("URL", LONGEST_URL));
        }
    }
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let is_dots = |segment: &str| {
        // Readers of URLs take %2e for a dot too.
        let plain = percent_decode_str(segment).decode_utf8_lossy();
        plain == "." || plain == ".."
    };
    if path.split('/').any(is_dots) {
        return Err(RequestFault::LeavesPath);
    }
    Ok(url)
}

/// Whether a header may be sent: a token as its name (RFC 9110 §5.6.2), no control characters in its value (§5.5).
pub fn check_header(name: &str, value: &str) -> Result<(), String> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(token) {
        return Err(format!("'{name:.64}' cannot be the name of a header"));
    }
    if CARRIAGE.iter().any(|carriage| name.eq_ignore_ascii_case(carriage)) {
        return Err(format!("header {name} is HTTP's own and cannot be set"));
    }
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Err(format!("header {name} has a control character in its value"));
    }
    if value.len() > LONGEST_HEADER {
        return Err(format!("header {name} would be longer than {LONGEST_HEADER} bytes"));
    }
    Ok(())
}

/// The value of a header; what could end it becomes a space.
fn header_value(value: &Value) -> String {
    let text = value.to_string();
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

/// The request that a rule's inputs `service`, `url`, `headers` and, where the method has one, `body` ask for.
pub(super) fn request(inputs: &Inputs, method: Method, body: Option<String>) -> Result<HttpRequest, RequestFault> {
    let url = expand(inputs.text("url").unwrap_or_default(), inputs.get(&values_of("url")))?;
    let mut headers = BTreeMap::new();
    if let Some(Value::Map(given)) = inputs.get("headers") {
        for (name, value) in given {
            let value = header_value(value);
            check_header(name, &value).map_err(RequestFault::Header)?;
            headers.insert(name.clone(), value);
        }
    }
    if body.as_ref().is_some_and(|body| body.len() > LONGEST_BODY) {
        return Err(RequestFault::TooLong("body", LONGEST_BODY));
    }
    let service = ServiceId::from(inputs.text("service").unwrap_or_default());
    Ok(HttpRequest { service, method, url, headers, body })
}

/// A table of values as a JSON object.
pub(super) fn json(values: Option<&Value>) -> Result<String, RequestFault> {
    let empty = Value::Map(BTreeMap::new());
    serde_json::to_string(values.unwrap_or(&empty)).map_err(|error| RequestFault::Body(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::Module;
    use super::*;

    /// Texts that end quotes, lines, tags, statements and paths of those who are careless.
    const HOSTILE: [&str; 12] = [
        "a\"b",
        "a\\b",
        "<script>alert(1)</script>",
        "a\r\nX-Evil: 1",
        "a\n\nb",
        "../../admin",
        "%2e%2e/admin",
        "?admin=1#x",
        "a b&c=d",
        "{call.from}",
        "@evil.example",
        "é\u{0}\u{202e}\u{7f}",
    ];

    fn inputs(url: &str, value: &str) -> Inputs {
        let map = |key: &str| Value::Map(BTreeMap::from([(key.to_owned(), Value::from(value))]));
        Inputs {
            module: Module::Lookup,
            values: BTreeMap::from([
                ("service".to_owned(), Value::from("crm")),
                ("url".to_owned(), Value::from(url)),
                (values_of("url"), map("x")),
                ("headers".to_owned(), map("X-Value")),
                ("body".to_owned(), map("value")),
            ]),
        }
    }

    fn ask(url: &str, value: &str) -> Result<HttpRequest, RequestFault> {
        let inputs = inputs(url, value);
        let body = json(inputs.get("body"))?;
        request(&inputs, Method::Post, Some(body))
    }

    #[test]
    fn a_value_stays_one_value_in_path_query_header_and_body() {
        for value in HOSTILE {
            let request = ask("/customers/{x}/orders?number={x}&all=1", value).unwrap();
            let url = url::Url::parse(&format!("https://crm.example{}", request.url)).unwrap();
            assert_eq!(url.host_str(), Some("crm.example"), "{value:?}");
            let segments: Vec<&str> = url.path_segments().unwrap().collect();
            assert_eq!((segments[0], segments[2], segments.len()), ("customers", "orders", 3), "{value:?}");
            assert_eq!(percent_decode_str(segments[1]).decode_utf8().unwrap(), value);
            let query: Vec<_> = url.query_pairs().into_owned().collect();
            assert_eq!(query, [("number".to_owned(), value.to_owned()), ("all".to_owned(), "1".to_owned())]);
            assert!(url.fragment().is_none());
            let header = &request.headers["X-Value"];
            assert!(!header.contains(['\r', '\n', '\0']), "{header:?}");
            let body: serde_json::Value = serde_json::from_str(request.body.as_deref().unwrap()).unwrap();
            assert_eq!(body, serde_json::json!({ "value": value }));
        }
    }

    #[test]
    fn no_value_leads_out_of_the_path() {
        for (url, value) in [
            ("/customers/{x}/orders", ".."),
            ("/customers/{x}", "."),
            ("/customers/{x}", ".."),
            ("/customers/.{x}", "."),
            ("/customers/{x}{x}", "."),
            ("/customers/%2e{x}?a=1", "."),
        ] {
            assert_eq!(ask(url, value), Err(RequestFault::LeavesPath), "{url} {value}");
        }
        assert!(ask("/files?name={x}", "..").is_ok(), "in a query dots mean nothing");
        assert!(ask("/customers/{x}", "...").is_ok());
    }

    #[test]
    fn what_is_too_long_is_refused_and_not_cut() {
        let long = "9".repeat(65_536);
        assert_eq!(ask("/customers/{x}", &long), Err(RequestFault::TooLong("URL", LONGEST_URL)));
        assert!(matches!(ask("/customers", &long), Err(RequestFault::Header(_))));
        let mut no_header = inputs("/customers", &long);
        no_header.values.remove("headers");
        let body = json(no_header.get("body")).unwrap();
        assert_eq!(request(&no_header, Method::Post, Some(body)), Err(RequestFault::TooLong("body", LONGEST_BODY)));
        let quotes = "\"".repeat(3_000);
        assert_eq!(ask("/customers/{x}", &quotes), Err(RequestFault::TooLong("URL", LONGEST_URL)), "as it is encoded");
    }

    #[test]
    fn a_value_that_is_missing_is_named() {
        assert_eq!(ask("/customers/{y}", "1"), Err(RequestFault::NoValue("y".to_owned())));
    }

    #[test]
    fn templates_are_taken_apart() {
        assert_eq!(
            parts("/a/{call.from}?b={x}"),
            Ok(vec![Part::Text("/a/"), Part::Value("call.from", 4), Part::Text("?b="), Part::Value("x", 18)])
        );
        assert_eq!(parts(""), Ok(vec![]));
        assert_eq!(parts("/a{b"), Err((2, "'{' is not closed by '}'".to_owned())));
        assert_eq!(parts("/a}b"), Err((2, "'}' has no '{' before it".to_owned())));
    }

    #[test]
    fn headers_that_carry_the_message_cannot_be_set() {
        for name in ["Host", "content-length", "Transfer-Encoding", "a b", "", "X:Y", "X\r\nY"] {
            assert!(check_header(name, "1").is_err(), "{name:?}");
        }
        for (name, value, fine) in [("X-Key", "abc", true), ("Accept", "é", true), ("X", "a\nb", false)] {
            assert_eq!(check_header(name, value).is_ok(), fine, "{name} {value:?}");
        }
    }
}
