//! Browsers' connections, without the WebSocket around them.

use super::*;

fn ends() -> (SocketAddr, SocketAddr) {
    (([127, 0, 0, 1], 8080).into(), ([192, 0, 2, 9], 40_000).into())
}

impl Bench {
    fn browser(&self) -> Frames {
        let (local, remote) = ends();
        self.runtime.block_on(async { self.net.web_socket(false, local, remote) }).expect("room")
    }

    fn take(&self, browser: &mut Frames, frame: &str) -> Result<Option<Bytes>, Closed> {
        self.runtime.block_on(browser.take(frame.as_bytes()))
    }

    /// What goes out to a browser.
    fn sent(&self, browser: &mut Frames) -> Option<Bytes> {
        self.runtime.block_on(async { tokio::time::timeout(SOON, browser.next()).await }).expect("a message in time")
    }
}

#[test]
fn a_frame_is_a_message_and_its_answer_goes_back_by_the_same_connection() {
    let bench = bench(Transport::Udp, 16, Limits::default());
    let mut browser = bench.browser();
    assert_eq!(bench.take(&mut browser, &text("REGISTER", 1).replace("Content-Length: 0\r\n", "")), Ok(None));
    let (flow, message) = bench.message();
    assert_eq!((flow.transport, (flow.local, flow.remote)), (Transport::Ws, ends()));
    let answer = answer_to(&message);
    bench.net.send(Transmit { to: Destination::Flow(flow), bytes: answer.clone() });
    assert_eq!(bench.sent(&mut browser), Some(answer));
    assert_eq!(bench.net.figures().connections, 1);
}

#[test]
fn a_closed_connection_is_told_and_nobody_else_gets_what_was_for_it() {
    let bench = bench(Transport::Udp, 16, Limits::default());
    let (mut first, mut second) = (bench.browser(), bench.browser());
    for browser in [&mut first, &mut second] {
        assert_eq!(bench.take(browser, &text("REGISTER", 1)), Ok(None));
    }
    let ((gone, _), (there, _)) = (bench.message(), bench.message());
    assert_eq!(gone.remote, there.remote, "both come by one proxy");
    drop(first);
    assert_eq!(bench.error(), Destination::Flow(gone));
    bench.net.send(Transmit { to: Destination::Flow(gone), bytes: Bytes::from_static(b"late") });
    assert_eq!(bench.error(), Destination::Flow(gone), "a browser cannot be called");
    let to = Destination::Address { transport: Transport::Ws, address: there.remote };
    bench.net.send(Transmit { to, bytes: Bytes::from_static(b"by address") });
    assert_eq!(bench.error(), to);
    bench.net.send(Transmit { to: Destination::Flow(there), bytes: Bytes::from_static(b"by flow") });
    assert_eq!(bench.sent(&mut second), Some(Bytes::from_static(b"by flow")));
}

#[test]
fn keep_alives_are_answered_and_what_is_no_message_is_refused() {
    let bench = bench(Transport::Udp, 16, Limits::default());
    let mut browser = bench.browser();
    assert_eq!(bench.take(&mut browser, "\r\n\r\n"), Ok(Some(Bytes::from_static(b"\r\n"))), "RFC 5626 §3.5.1");
    assert_eq!(bench.take(&mut browser, "\r\n"), Ok(None));
    assert!(browser.due().is_some(), "keep-alives prove nothing");
    let broken = bench.take(&mut browser, &text("OPTIONS", 1).replace("CSeq: 1", "CSeq: x"));
    assert!(broken.is_ok_and(|answer| answer.is_some_and(|answer| answer.starts_with(b"SIP/2.0 400 "))));
    assert_eq!(bench.take(&mut browser, "GET / HTTP/1.1\r\n\r\n"), Err(Closed));
    assert!(browser.due().is_some());
    assert_eq!(bench.take(&mut browser, &text("OPTIONS", 2)), Ok(None));
    assert_eq!(browser.due(), None, "it is known now");
}

#[test]
fn strangers_come_and_go_without_the_engine() {
    let bench = bench(Transport::Udp, 16, Limits::default());
    drop(bench.browser());
    assert!(bench.events.is_empty());
    assert_eq!(bench.net.figures().connections, 0);
}
