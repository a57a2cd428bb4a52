//! Messages and their audio over HTTP.

use super::*;

fn path() -> String {
    format!("/api/v1/recordings/{}", sample::RECORDING)
}

/// The answer's status, head and body as they are: audio is not UTF-8.
async fn fetch(server: &Server, range: Option<&str>) -> (u16, String, Vec<u8>) {
    let token = server.token(Role::Supervisor);
    let range = range.map_or(String::new(), |range| format!("Range: {range}\r\n"));
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: relais\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{range}\r\n",
        path()
    );
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("an answer in time").unwrap();
    let at = bytes.windows(4).position(|end| end == b"\r\n\r\n").expect("an HTTP answer");
    let head = String::from_utf8(bytes[..at].to_vec()).unwrap().to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head, bytes[at + 4..].to_vec())
}

#[tokio::test]
async fn audio_comes_whole_or_in_the_range_asked_for() {
    let server = Server::start().await;
    let all = sample::audio();
    let (status, head, body) = fetch(&server, None).await;
    assert_eq!((status, body), (200, all.clone()));
    assert!(head.contains("content-type: audio/flac") && head.contains("accept-ranges: bytes"), "{head}");
    let (status, head, body) = fetch(&server, Some("bytes=50-99")).await;
    assert_eq!((status, body), (206, all[50..100].to_vec()));
    assert!(head.contains("content-range: bytes 50-99/200") && head.contains("content-length: 50"), "{head}");
    let (status, head, _) = fetch(&server, Some("bytes=200-")).await;
    assert_eq!(status, 416);
    assert!(head.contains("content-range: bytes */200"), "{head}");
}

#[tokio::test]
async fn messages_are_listed_by_mailbox_and_wrong_parameters_are_named() {
    let server = Server::start().await;
    let token = server.token(Role::Operator);
    let list = async |query: &str| server.get(&format!("/api/v1/voicemails{query}"), Some(&token)).await;
    let all = list("").await.json();
    assert_eq!(all["voicemails"][0]["recording_id"], sample::RECORDING.to_string());
    assert_eq!(all["voicemails"][0]["duration_ms"], 5_000);
    assert_eq!(list("?mailbox=sales").await.json()["voicemails"], serde_json::json!([]));
    assert_eq!(list(&format!("?before={}", sample::RECORDING)).await.json()["voicemails"], serde_json::json!([]));
    for wrong in ["?before=now", "?limit=many", "?mailbx=support"] {
        assert_eq!(list(wrong).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_message_is_deleted_by_the_engine_and_an_unknown_one_is_named() {
    let server = Server::start().await;
    let token = server.token(Role::Supervisor);
    assert_eq!(server.send("DELETE", &path(), Some(&token), None).await.status, 204);
    let asked = server.asked();
    assert!(
        matches!(asked.as_slice(), [ApiRequest::DeleteRecording { recording, .. }] if *recording == sample::RECORDING),
        "{asked:?}"
    );
    for wrong in ["00000000000000000000000000000009", "5", "..%2F..%2Fadmin.token", "%00"] {
        for method in ["GET", "DELETE"] {
            let answer = server.send(method, &format!("/api/v1/recordings/{wrong}"), Some(&token), None).await;
            assert_eq!((answer.status, answer.refusal().0.as_str()), (404, "unknown_recording"), "{method} {wrong}");
        }
    }
    assert_eq!(server.asked(), []);
}

#[tokio::test]
async fn who_listens_takes_a_message_from_the_new_ones_and_a_hold_is_asked_of_the_engine() {
    let server = Server::start().await;
    let token = server.token(Role::Supervisor);
    assert_eq!(server.send("HEAD", &path(), Some(&token), None).await.status, 200);
    assert_eq!(server.asked(), [], "nothing was heard");
    assert_eq!(fetch(&server, None).await.0, 200);
    let asked = server.asked();
    assert!(matches!(asked.as_slice(), [ApiRequest::NoteRecording { heard: Some(true), held: None, .. }]), "{asked:?}");
    let patch = async |body: &str| server.send("PATCH", &path(), Some(&token), Some(body)).await;
    assert_eq!(patch(r#"{"held":true}"#).await.status, 200);
    let asked = server.asked();
    assert!(matches!(asked.as_slice(), [ApiRequest::NoteRecording { heard: None, held: Some(true), .. }]), "{asked:?}");
    for wrong in ["{}", r#"{"hold":true}"#, r#"{"held":"yes"}"#] {
        assert!([400, 422].contains(&patch(wrong).await.status), "{wrong}");
    }
    let agent = server.token(Role::Agent);
    assert_eq!(server.send("PATCH", &path(), Some(&agent), Some(r#"{"held":true}"#)).await.status, 403);
    assert_eq!(server.asked(), []);
}
