//! A conversation by voice from the greeting to a person, over RTP, with the real recogniser.

use std::time::{Duration, Instant};

use super::appliance::Appliance;
use super::audio::{at_level, telephone};
use super::callbots::{await_ready, hears, missing};
use super::calling::{Call, Telephones};
use super::rtp::linear;
use super::voices::{QUICKLY, espeak_in_the_room};
use super::{eventually, support};

/// Longer than the bot takes for anything.
const PATIENCE: Duration = Duration::from_secs(12);
/// Longer than between the parts of what the bot says: it has said all.
const SILENCE: Duration = Duration::from_millis(1_000);
/// Looking for a prompt takes time that the recogniser could do with.
const BETWEEN_LOOKS: Duration = Duration::from_millis(80);
const QUIET: u16 = 300;
const SECOND: usize = 8_000;

/// Waits until one of these prompts begins; which it was.
fn is_told<'p>(call: &Call<'_>, since: Instant, prompts: &[&'p str]) -> &'p str {
    eventually(PATIENCE, &format!("{} hears one of {prompts:?}", call.from), || {
        std::thread::sleep(BETWEEN_LOOKS);
        prompts.iter().find(|prompt| hears(call, since, "ko", prompt).is_some()).copied()
    })
}

/// The same, and until the bot is silent again.
fn is_asked<'p>(call: &Call<'_>, since: Instant, prompts: &[&'p str]) -> &'p str {
    let heard = is_told(call, since, prompts);
    eventually(PATIENCE, &format!("silence after {heard}"), || {
        let lately = linear(&call.endpoint.received(Instant::now() - SILENCE));
        lately.iter().all(|sample| sample.unsigned_abs() < QUIET).then_some(())
    });
    heard
}

/// Says something; when that was.
fn says(call: &Call<'_>, voice: &[i16]) -> Instant {
    let since = Instant::now();
    call.endpoint.speak(&[voice, &[0; 3 * SECOND]].concat());
    since
}

/// Says a wish, and "yes" where the bot asks back whether it was that.
fn wishes(call: &Call<'_>, (wish, yes): (&[i16], &[i16]), confirmation: &str, answer: &str) {
    let since = says(call, wish);
    if is_asked(call, since, &[confirmation, answer]) == confirmation {
        let since = says(call, yes);
        is_asked(call, since, &[answer]);
    }
}

#[test]
fn a_korean_conversation_goes_by_voice_and_keys_from_the_greeting_to_a_person() {
    let name = "a_korean_conversation_goes_by_voice_and_keys_from_the_greeting_to_a_person";
    if missing(name) {
        return;
    }
    let speak = |text| espeak_in_the_room("ko", QUICKLY, text).map(|voice| telephone(&at_level(&voice, -23.0)));
    let spoken: Result<Vec<_>, _> =
        ["영업 시간이 어떻게 돼요", "배송 조회할게요", "네"].into_iter().map(speak).collect();
    let spoken = match spoken {
        Ok(spoken) => spoken,
        Err(missing) => return support::skip(name, &missing),
    };
    let [hours, order, yes] = spoken.as_slice() else { unreachable!() };
    let appliance = Appliance::demo();
    await_ready(&appliance, "vosk", 1);
    let telephones = Telephones::open(appliance.sip);
    let call = telephones.dial("33155691", "603");
    let answered = call.answered();
    is_asked(&call, answered, &["bot-greeting"]);
    // The hours are followed by whether there is anything else.
    wishes(&call, (hours, yes), "bot-confirm-opening-hours", "hours");
    wishes(&call, (order, yes), "bot-confirm-order-state", "bot-ask-order-number");
    let typed = Instant::now();
    "47112#".chars().for_each(|key| call.endpoint.press(key));
    is_asked(&call, typed, &["bot-heard-order-number"]);
    let confirmed = says(&call, yes);
    // Nobody looks orders up here: a person goes on.
    is_told(&call, confirmed, &["bot-looking", "bot-order-unknown"]);
    eventually(PATIENCE, "the caller waits for a person", || {
        let call = appliance.call_from("33155691")?;
        (call["state"].as_str() == Some("queued")).then_some(())
    });
    assert!(call.is_up(), "{:?}", call.stage());
    drop(call);
    appliance.await_quiet();
    let record = appliance.record_from("33155691");
    let said = &record["conversations"][0];
    let turns = said["transcript"].as_array().expect("a transcript");
    let by = |by: &str| turns.iter().filter(|turn| turn["by"].as_str() == Some(by)).count();
    println!("{said}");
    assert_eq!(
        (&said["language"], &said["intent"], &said["slots"]["order_number"]),
        (&"ko".into(), &"order_state".into(), &"47112".into())
    );
    assert!(by("speech") >= 3 && by("keys") == 1, "{said}");
    assert_eq!(said["misses"], serde_json::json!([]), "{said}");
}
