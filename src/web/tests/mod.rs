//! Requests over real sockets on loopback, against an engine that answers as each test says.

mod callbacks;
mod experts;
mod limits;
mod login;
mod operator;
mod people;
mod phones;
mod plans;
mod recordings;
mod refusals;
mod reports;
mod roles;
pub(super) mod sample;
mod secure;
mod stream;

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::tokens::{NewToken, Role};
use super::*;
use crate::ids::AgentId;
use crate::views::{AgentState, Change};

/// Longer than anything here takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the engine of a test does with a request.
#[derive(Clone)]
enum Engine {
    /// Does it, and publishes the agent's new state.
    Obliging,
    Refusing(ApiError),
    /// Its queue is full.
    Full,
    /// Takes the request and goes away.
    Gone,
    /// Takes the request and says nothing.
    Silent,
}

struct Server {
    address: SocketAddr,
    views: Arc<Views>,
    tokens: Arc<Tokens>,
    users: Arc<Users>,
    ready: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<ApiRequest>>>,
    office: Arc<sample::Office>,
    today: Arc<Today>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start() -> Server {
        Server::with(Engine::Obliging, Limits::default()).await
    }

    async fn with(engine: Engine, limits: Limits) -> Server {
        Server::keeping(100, engine, limits).await
    }

    /// Keeps `events` events for those who come back.
    async fn keeping(events: usize, engine: Engine, limits: Limits) -> Server {
        Server::set_up(events, engine, limits, None).await
    }

    async fn set_up(events: usize, engine: Engine, limits: Limits, keys: Option<Keys>) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Arc::new(Tokens::open(folder.path(), sample::at()).unwrap());
        let users = Arc::new(Users::open(folder.path()).unwrap());
        users.configure(sample::users());
        let views = Arc::new(Views::new(sample::at(), events));
        for agent in ["201", "202"] {
            views.publish(Change::Agent(sample::agent(agent)), sample::at());
        }
        views.publish(Change::Queue(sample::queue("sales")), sample::at());
        views.publish(Change::Expert(Box::new(sample::expert("301"))), sample::at());
        views.publish(Change::Call(Box::new(sample::call(1))), sample::at());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let ready = Arc::new(AtomicBool::new(true));
        let office = Arc::new(sample::Office::default());
        let today = Arc::new(Today::new(sample::zone()));
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared {
            views: views.clone(),
            requests: answer_as(engine, views.clone(), asked.clone()),
            office: office.clone(),
            ready: ready.clone(),
            tokens: tokens.clone(),
            users: users.clone(),
            metrics: PrometheusBuilder::new().build_recorder().handle(),
            archive: Arc::new(sample::Shelf),
            archives: Arc::new(sample::Past),
            bench: sample::bench(folder.path()),
            today: today.clone(),
            phones: Arc::new(sample::Operator { tls: keys.is_some() }),
            origins: vec!["https://desk.example.com".to_owned()],
            turn: None,
            keys,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(serve_within(limits, listener, shared, async { drop(stopped.await) }));
        Server {
            address,
            views,
            tokens,
            users,
            ready,
            asked,
            office,
            today,
            stop: Some(stop),
            task: Some(task),
            _folder: folder,
        }
    }

    fn token(&self, role: Role) -> String {
        self.token_of(role, (role == Role::Agent).then_some("201"))
    }

    fn token_of(&self, role: Role, agent: Option<&str>) -> String {
        let wanted = NewToken { role, agent: agent.map(AgentId::from), name: None };
        self.tokens.create(wanted, sample::at()).unwrap().token
    }

    /// What the engine was asked since the last look.
    fn asked(&self) -> Vec<ApiRequest> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.send("GET", path, token, None).await
    }

    /// Sends a request, with a JSON body where there is one.
    async fn send(&self, method: &str, path: &str, token: Option<&str>, body: Option<&str>) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: relais\r\nConnection: close\r\n");
        if let Some(token) = token {
            head += &format!("Authorization: Bearer {token}\r\n");
        }
        if let Some(body) = body {
            head += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        }
        self.raw(&format!("{head}\r\n{}", body.unwrap_or_default())).await
    }

    /// Writes bytes as they are and reads the answer until the server closes.
    async fn raw(&self, request: &str) -> Answer {
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.unwrap();
            bytes
        };
        Answer::parse(&timeout(PATIENCE, exchange).await.expect("an answer in time"))
    }

    /// Begins the shutdown and waits until the server is down.
    async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        timeout(PATIENCE, self.task.take().unwrap()).await.expect("the server stops").unwrap();
    }
}

fn answer_as(engine: Engine, views: Arc<Views>, asked: Arc<Mutex<Vec<ApiRequest>>>) -> Requests {
    let held = Mutex::new(Vec::new());
    Box::new(move |Asked { request, reply }| {
        asked.lock().unwrap().push(request.clone());
        match &engine {
            Engine::Obliging => {
                let change = match &request {
                    ApiRequest::SetAgentState { agent, state, reason } => Some((agent, *state, reason.clone())),
                    ApiRequest::LogOut { agent } => Some((agent, AgentState::LoggedOut, None)),
                    ApiRequest::HangUp { .. }
                    | ApiRequest::SetPresence { .. }
                    | ApiRequest::Record { .. }
                    | ApiRequest::Steer { .. }
                    | ApiRequest::Answer { .. }
                    | ApiRequest::Supervise { .. }
                    | ApiRequest::ExtendWrapUp { .. }
                    | ApiRequest::Dispose { .. }
                    | ApiRequest::DeleteRecording { .. }
                    | ApiRequest::NoteRecording { .. }
                    | ApiRequest::CallBack { .. }
                    | ApiRequest::CancelCallBack { .. }
                    | ApiRequest::LendPhone(_)
                    | ApiRequest::TakePhoneBack { .. }
                    | ApiRequest::Trace { .. } => None,
                };
                if let Some((agent, state, reason)) = change {
                    let view = crate::views::AgentView { state, reason, ..sample::agent(agent.as_str()) };
                    views.publish(Change::Agent(view), sample::at());
                }
                let _ = reply.send(Ok(Value::Null));
            }
            Engine::Refusing(error) => drop(reply.send(Err(error.clone()))),
            Engine::Full => return Err(Busy),
            Engine::Gone => drop(reply),
            Engine::Silent => held.lock().unwrap().push(reply),
        }
        Ok(())
    })
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Answer {
        let text = String::from_utf8(bytes.to_vec()).expect("a UTF-8 answer");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP answer: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The code and message of a refusal; panics where the body is not one.
    fn refusal(&self) -> (String, String) {
        let body = self.json();
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let text = |name: &str| {
            body["error"][name]
                .as_str()
                .filter(|text| !text.is_empty())
                .unwrap_or_else(|| panic!("{self:?}"))
                .to_owned()
        };
        (text("code"), text("message"))
    }
}
