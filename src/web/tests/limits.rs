//! Bounds on connections and time, and the end of the server.

use super::*;

#[tokio::test]
async fn a_port_in_use_is_named_with_the_remedy() {
    let taken = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = taken.local_addr().unwrap();
    let message = bind(address).await.unwrap_err().to_string();
    assert!(message.contains(&address.to_string()) && message.contains("--web ADDR:PORT"), "{message}");
    let message = bind("192.0.2.1:0".parse().unwrap()).await.unwrap_err().to_string();
    assert!(message.contains("192.0.2.1:0") && message.contains("one of this machine's"), "{message}");
}

#[tokio::test]
async fn a_connection_over_the_bound_is_told_and_the_next_one_after_it_served() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let server = Server::with(Engine::Obliging, limits).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first.write_all(b"GET /healthz HTTP/1.1\r\nHost: relais\r\n\r\n").await.unwrap();
    let mut start = [0; 12];
    timeout(PATIENCE, first.read_exact(&mut start)).await.unwrap().unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    let mut second = TcpStream::connect(server.address).await.unwrap();
    let mut bytes = Vec::new();
    timeout(PATIENCE, second.read_to_end(&mut bytes)).await.unwrap().unwrap();
    let answer = Answer::parse(&bytes);
    assert_eq!((answer.status, answer.refusal().0.as_str()), (503, "too_many_connections"));
    drop(first);
    let served = async {
        loop {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: relais\r\nConnection: close\r\n\r\n").await.unwrap();
            let mut bytes = Vec::new();
            if stream.read_to_end(&mut bytes).await.is_ok() && bytes.starts_with(b"HTTP/1.1 200") {
                break;
            }
        }
    };
    timeout(PATIENCE, served).await.expect("a place comes free");
}

#[tokio::test]
async fn slow_and_idle_connections_are_closed() {
    let limits = Limits { head: Duration::from_millis(100), ..Limits::default() };
    let server = Server::with(Engine::Obliging, limits).await;
    for said in ["", "GET /healthz HT", "GET /healthz HTTP/1.1\r\nHost: relais\r\n\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let end = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
        assert!(end.is_ok(), "a connection that said {said:?} is still open");
    }
}

#[tokio::test]
async fn a_running_request_ends_before_the_server_does() {
    let limits = Limits { engine: Duration::from_millis(300), ..Limits::default() };
    let server = Server::with(Engine::Silent, limits).await;
    let admin = server.token(Role::Admin);
    let request = format!(
        "DELETE /api/v1/agents/201/state HTTP/1.1\r\nHost: relais\r\nConnection: close\r\nAuthorization: Bearer {admin}\r\n\r\n"
    );
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let asked = server.asked.clone();
    while asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let address = server.address;
    let read = async {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        Answer::parse(&bytes).status
    };
    let (status, ()) = tokio::join!(read, server.stop());
    assert_eq!(status, 504);
    assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
}

#[tokio::test]
async fn rubbish_is_no_harm() {
    let server = Server::start().await;
    for rubbish in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "\u{16}\u{3}\u{1}",
        "GET / HTTP/9.9\r\n\r\n",
        "BREW /metrics HTTP/1.1\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(rubbish.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut bytes = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("an end");
        assert!(bytes.is_empty() || bytes.starts_with(b"HTTP/1."), "{rubbish:?}");
    }
    assert_eq!(server.get("/healthz", None).await.status, 200);
}

#[tokio::test]
async fn a_client_that_asks_and_does_not_read_loses_its_place() {
    let limits = Limits { connections: 1, head: Duration::from_millis(500), ..Limits::default() };
    let server = Server::with(Engine::Obliging, limits).await;
    let mut call = sample::call(1);
    call.from = "x".repeat(1_000_000);
    for id in 1..=40 {
        call.call_id = crate::ids::CallId(id);
        server.views.publish(Change::Call(Box::new(call.clone())), sample::at());
    }
    let admin = server.token(Role::Admin);
    let request = format!("GET /api/v1/calls HTTP/1.1\r\nHost: relais\r\nAuthorization: Bearer {admin}\r\n\r\n");
    let mut deaf = TcpStream::connect(server.address).await.unwrap();
    deaf.write_all(request.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    timeout(PATIENCE, deaf.read_exact(&mut start)).await.unwrap().unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    let served = async {
        loop {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: relais\r\nConnection: close\r\n\r\n").await;
            let mut bytes = Vec::new();
            if stream.read_to_end(&mut bytes).await.is_ok() && bytes.starts_with(b"HTTP/1.1 200") {
                break;
            }
        }
    };
    timeout(PATIENCE, served).await.expect("the place comes free");
}
