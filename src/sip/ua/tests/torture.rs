//! The messages of RFC 4475 and RFC 5118 through the whole user agent: the verdict of each, and a call beside them that
//! none of them touches. Skipped where the messages are not at hand.

use std::path::Path;

use super::*;

/// Final statuses that each of the letters of `machine_ok` allows.
fn allows(machine_ok: &str, finals: &[u16]) -> bool {
    machine_ok.split(',').any(|word| match word {
        "S" => finals.is_empty(),
        "A" => !finals.is_empty() && finals.iter().all(|status| *status != 400 && !(500..600).contains(status)),
        "L" => !finals.is_empty() && finals.iter().all(|status| !(500..600).contains(status)),
        number => number.parse().is_ok_and(|number: u16| finals.contains(&number)),
    })
}

/// What the user agent answers in the end; the engine behind it knows nobody.
fn finals(agent: &mut UserAgent, flow: Flow, bytes: &[u8], now: Instant) -> Vec<u16> {
    let mut finals = Vec::new();
    let mut note = |bytes: &Bytes| {
        let status =
            bytes.get(8..11).and_then(|code| std::str::from_utf8(code).ok()).and_then(|code| code.parse().ok());
        finals.extend(status.filter(|status: &u16| bytes.starts_with(b"SIP/2.0 ") && *status >= 200));
    };
    match Message::parse(bytes) {
        Ok(message) => agent.handle_message(flow, message, now),
        Err(error) => {
            if let Some(refusal) = error.refusal() {
                note(&refusal);
            }
        }
    }
    while let Some(event) = agent.poll_event() {
        match event {
            Event::Incoming { session, .. } => agent.reject(session, 404, None, Headers::default(), now),
            Event::Request { ticket, request, .. } => {
                let response = request.response(crate::sip::message::StatusCode::NotFound, None);
                agent.respond(ticket, response, now);
            }
            _ => {}
        }
    }
    while let Some(sent) = agent.poll_transmit() {
        note(&sent.bytes);
    }
    finals
}

#[test]
fn torture_messages_get_their_verdict_and_touch_no_call() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/sip-torture");
    let Ok(manifest) = std::fs::read_to_string(folder.join("manifest.tsv")) else {
        println!("skipped: {} is not there", folder.display());
        return;
    };
    let (mut pair, a, _) = Pair::established();
    let flow = Flow { transport: Transport::Udp, local: address(BOB), remote: address(ALICE), connection: None };
    let mut faults = Vec::new();
    let mut judged = 0;
    for line in manifest.lines().skip(1) {
        let (Some(file), Some(machine_ok)) = (line.split('\t').next(), line.split('\t').next_back()) else { continue };
        let Ok(bytes) = std::fs::read(folder.join(file)) else { continue };
        let now = pair.now;
        let finals = finals(&mut pair.agents[BOB], flow, &bytes, now);
        judged += 1;
        if !allows(machine_ok.trim(), &finals) {
            faults.push(format!("{file}: {finals:?}, not {machine_ok}"));
        }
        pair.run_for(Duration::from_secs(40));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    assert!(judged > 40, "{judged} messages judged");
    pair.events = Default::default();
    let now = pair.now;
    pair.agents[ALICE].hang_up(a, Headers::default(), now);
    pair.settle();
    assert_eq!(pair.told(BOB), ["ended Bye { q850: None }"]);
    pair.assert_nothing_left();
}
