//! The web pages, built from `src/web/app` and kept in the program.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

/// What `npm run build` wrote, with `.br` and `.gz` beside what is worth it.
#[derive(RustEmbed)]
#[folder = "src/web/app/dist"]
struct Built;

/// Addresses that are pages of the application, which shows what belongs there.
const PAGES: &[&str] = &["/", "/login", "/board", "/wall", "/records", "/reports", "/bench", "/prompts", "/users"];
const START: &str = "index.html";
/// Names of files in here change with their content.
const HASHED: &str = "assets/";

/// Only what this program serves is loaded or run, and nothing is asked of others.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
                      connect-src 'self'; media-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'";
const PERMISSIONS: &str = "camera=(), geolocation=(), microphone=(self), payment=(), usb=()";

/// The file or page at `path`; `None` where there is none, and for other methods than GET and HEAD.
pub(super) fn find(method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
    if method != Method::GET && method != Method::HEAD {
        return None;
    }
    let name = if PAGES.contains(&path) { START } else { path.strip_prefix('/')? };
    // What the build notes for itself is nobody's.
    if name.starts_with('.') {
        return None;
    }
    match Built::get(name) {
        Some(file) => Some(serve(name, file, headers)),
        None if name == START => Some(not_built()),
        None => None,
    }
}

fn serve(name: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..16]));
    let asked = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // RFC 9110 §13.1.2: a list, compared weakly.
    let known = asked.split(',').any(|one| one.trim().trim_start_matches("W/") == tag);
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let (coding, content) = coded(name, file, headers);
        let mut response = Body::from(content).into_response();
        if let Some(coding) = coding {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        response
    };
    let caching = if name.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let fixed: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_TYPE, content_type(name)),
        (header::CACHE_CONTROL, caching),
        (header::VARY, "accept-encoding"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The smallest form that the client takes.
fn coded(name: &str, file: EmbeddedFile, headers: &HeaderMap) -> (Option<&'static str>, Cow<'static, [u8]>) {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    for (coding, ending) in [("br", "br"), ("gzip", "gz")] {
        if takes(accepted, coding)
            && let Some(smaller) = Built::get(&format!("{name}.{ending}"))
        {
            return (Some(coding), smaller.data);
        }
    }
    (None, file.data)
}

/// RFC 9110 §12.5.3: `gzip, br;q=0.8`; a weight of 0 refuses.
fn takes(accepted: &str, coding: &str) -> bool {
    accepted.split(',').any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let refused =
            parts.filter_map(|part| part.strip_prefix("q=")).any(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0));
        named && !refused
    })
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("json" | "webmanifest") => "application/json",
        _ => "application/octet-stream",
    }
}

fn not_built() -> Response {
    let text = "The web pages are not in this program.\n\n\
                deploy/run builds and runs everything. By hand, in the folder of Relais:\n\n    \
                (cd src/web/app && npm ci && npm run build) && cargo build --release\n\n\
                The API is there all the same: /api/v1/openapi.json describes it.\n";
    (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coding_is_taken_where_it_is_named_and_not_refused() {
        for (accepted, br) in [
            ("gzip, deflate, br, zstd", true),
            ("BR", true),
            ("br;q=0.5", true),
            ("br;q=0", false),
            ("br; q=0.0", false),
            ("gzip", false),
            ("brotli", false),
            ("", false),
        ] {
            assert_eq!(takes(accepted, "br"), br, "{accepted:?}");
        }
    }

    #[test]
    fn nothing_outside_of_the_built_files_is_served() {
        let headers = HeaderMap::new();
        for path in [
            "/../Cargo.toml",
            "/..%2fCargo.toml",
            "//etc/passwd",
            "/.gitignore",
            "",
            "/assets/",
            "/assets/../../package.json",
        ] {
            assert!(find(&Method::GET, path, &headers).is_none(), "{path:?}");
        }
        assert!(find(&Method::POST, "/", &headers).is_none());
    }

    #[test]
    fn the_start_page_is_there_or_says_how_to_build_it() {
        let response = find(&Method::GET, "/", &HeaderMap::new()).unwrap();
        match response.status() {
            StatusCode::OK => {
                let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
                assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
                assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache");
                let tag = response.headers()[header::ETAG].clone();
                let again = find(&Method::GET, "/", &HeaderMap::from_iter([(header::IF_NONE_MATCH, tag)])).unwrap();
                assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
            }
            status => assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}
