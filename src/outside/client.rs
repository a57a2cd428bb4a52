//! The services of the configuration, each with its HTTP client, its secrets and its bounds.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Url};
use tokio::sync::Semaphore;

use super::cache::Cache;
use super::sign::Secret;
use crate::ids::ServiceId;
use crate::ivr::{HttpRequest, LookUpResult};
use crate::settings::Service;

/// Idle connections are kept so long, so that the next call need not connect.
const IDLE: Duration = Duration::from_secs(60);
const MOST_IDLE: usize = 16;
/// A service that cannot be connected to in this time is not there; a call's own time limit may be shorter.
const CONNECT: Duration = Duration::from_secs(5);

/// What a service answered that knows, or knows not.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub result: LookUpResult,
    pub status: u16,
    pub json: Arc<serde_json::Value>,
}

pub(super) struct Connected {
    pub settings: Service,
    pub client: Client,
    pub secret: Option<Secret>,
    /// One permit for each look-up under way.
    pub permits: Arc<Semaphore>,
    pub cache: Mutex<Cache<HttpRequest, Kept>>,
    /// Of the secrets and certificates as they were read.
    files: Files,
}

/// Contents of the files that a service names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Files {
    token: Option<String>,
    secret: Option<String>,
    authorities: Option<String>,
}

impl Files {
    fn read(service: &Service) -> std::io::Result<Files> {
        let read = |path: &Option<std::path::PathBuf>| path.as_deref().map(read_trimmed).transpose();
        Ok(Files {
            token: read(&service.token_file)?,
            secret: read(&service.secret_file)?,
            authorities: read(&service.ca_file)?,
        })
    }
}

fn read_trimmed(path: &Path) -> std::io::Result<String> {
    std::fs::read_to_string(path).map(|text| text.trim().to_owned())
}

/// Which cryptography TLS uses here. Later calls do nothing, also where another part of the program was first.
pub fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Every service by its id.
#[derive(Default)]
pub(super) struct Services(HashMap<ServiceId, Arc<Connected>>);

impl Services {
    /// A service that is as it was `before` keeps its connections, its cache and its look-ups under way. One that cannot
    /// be set up anew stays as it was; without a former state it is not there, and the log says why.
    pub fn new(settings: &[Service], before: Option<&Services>) -> Services {
        let mut services = HashMap::new();
        for service in settings {
            let former = before.and_then(|before| before.0.get(&service.id)).cloned();
            match connect(service, former.as_ref()) {
                Ok(connected) => {
                    services.insert(service.id.clone(), connected);
                }
                Err(fault) => {
                    tracing::error!(service = %service.id, "cannot be used as it is configured: {fault}");
                    services.extend(former.map(|former| (service.id.clone(), former)));
                }
            }
        }
        Services(services)
    }

    pub fn get(&self, id: &ServiceId) -> Option<Arc<Connected>> {
        self.0.get(id).cloned()
    }
}

fn connect(service: &Service, former: Option<&Arc<Connected>>) -> Result<Arc<Connected>, String> {
    let files = Files::read(service).map_err(|error| format!("one of its files cannot be read: {error}"))?;
    if let Some(former) = former.filter(|former| former.settings == *service && former.files == files) {
        return Ok(former.clone());
    }
    Ok(Arc::new(Connected {
        client: client(service, &files)?,
        secret: files.secret.as_deref().map(Secret::read).transpose()?,
        permits: Arc::new(Semaphore::new(service.max_concurrent)),
        cache: Mutex::new(Cache::new(service.cache_entries)),
        settings: service.clone(),
        files,
    }))
}

/// No redirects: an address that a service sends us to is none that the operator named. No proxy of the environment.
fn client(service: &Service, files: &Files) -> Result<Client, String> {
    install_crypto();
    let mut headers = HeaderMap::new();
    for (name, value) in &service.headers {
        let name = HeaderName::try_from(name).map_err(|_| format!("header '{name}' cannot be sent"))?;
        let value =
            HeaderValue::from_str(value).map_err(|_| format!("header {name} has a value that cannot be sent"))?;
        headers.insert(name, value);
    }
    if let Some(token) = &files.token {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| "the token has characters that cannot be sent".to_owned())?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    let mut builder = Client::builder()
        .user_agent(concat!("Relais/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MOST_IDLE);
    if let Some(authorities) = &files.authorities {
        let certificates = Certificate::from_pem_bundle(authorities.as_bytes())
            .map_err(|error| format!("ca_file holds no certificates: {error}"))?;
        if certificates.is_empty() {
            return Err("ca_file holds no certificates in PEM".to_owned());
        }
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| error.to_string())
}

impl Connected {
    /// Where a request goes; `Err` where a plan names what the service does not allow.
    pub fn url(&self, request: &HttpRequest) -> Result<Url, String> {
        let url = &request.url;
        let whole = match (self.settings.any_url, url.is_empty() || url.starts_with(['/', '?'])) {
            (true, false) => url.clone(),
            (false, true) => format!("{}{url}", self.settings.base_url),
            (true, true) => return Err("the service takes whole URLs only".to_owned()),
            (false, false) => return Err("the service takes no whole URL".to_owned()),
        };
        let parsed = Url::parse(&whole).map_err(|error| format!("the URL cannot be read: {error}"))?;
        if matches!(parsed.scheme(), "http" | "https") { Ok(parsed) } else { Err("neither http nor https".to_owned()) }
    }

    pub fn kept(&self, request: &HttpRequest) -> Option<Kept> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(request, Instant::now())
    }

    pub fn keep(&self, request: HttpRequest, kept: Kept, time: Duration) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.put(request, kept, time, Instant::now());
    }
}

/// The headers of a request, beside those of its service.
pub(super) fn headers(request: &HttpRequest) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let name = HeaderName::try_from(name).map_err(|_| format!("header '{name}' cannot be sent"))?;
        let value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| format!("header {name} has a value that cannot be sent"))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

/// An error in words for the log and the trace, without the URL: that may hold a caller's number.
pub(super) fn describe(error: reqwest::Error) -> String {
    use std::error::Error;
    let error = error.without_url();
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    words
}
