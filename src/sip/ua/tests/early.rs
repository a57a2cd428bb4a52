//! Before the answer: reliable provisional responses (RFC 3262), UPDATE in early dialogs (RFC 3311), forks.

use super::*;

/// A call whose INVITE is at Bob's.
fn ringing(offer: Option<Bytes>) -> (Pair, SessionId, SessionId) {
    let mut pair = Pair::new();
    let a = pair.invite(ALICE, offer);
    pair.run_for(ms(100));
    let b = pair.incoming(BOB);
    assert_eq!(pair.told(BOB), ["incoming"]);
    pair.ladder();
    (pair, a, b)
}

#[test]
fn early_media_goes_reliably_and_the_200_does_not_answer_again() {
    let (mut pair, _, b) = ringing(Some(sdp("offer")));
    let now = pair.now;
    pair.agents[BOB].progress(b, 183, Some(sdp("early")), now);
    pair.run_for(ms(100));
    assert_eq!(pair.ladder(), ["B->A 183 INVITE early", "A->B PRACK", "B->A 200 PRACK"]);
    let now = pair.now;
    pair.agents[BOB].accept(b, sdp("early"), Headers::default(), now);
    pair.run_for(ms(100));
    assert_eq!(pair.ladder(), ["B->A 200 INVITE", "A->B ACK"]);
    assert_eq!(pair.told(ALICE), ["progress 183 answer(early)", "answered answer(early)"]);
    assert_eq!(pair.told(BOB), ["confirmed"]);
}

#[test]
fn a_200_waits_for_the_prack_of_the_answer() {
    let (mut pair, _, b) = ringing(Some(sdp("offer")));
    pair.drop = Some(|line| is(line, Method::PRack));
    let now = pair.now;
    pair.agents[BOB].progress(b, 183, Some(sdp("early")), now);
    pair.agents[BOB].accept(b, sdp("early"), Headers::default(), now);
    pair.run_for(ms(600));
    let ladder = pair.ladder();
    assert_eq!(ladder, ["B->A 183 INVITE early", "B->A 183 INVITE early"], "repeated at T1");
    pair.drop = None;
    pair.run_for(ms(1_000));
    let ladder = pair.ladder();
    let expected = ["B->A 183 INVITE early", "A->B PRACK", "B->A 200 PRACK", "B->A 200 INVITE", "A->B ACK"];
    assert_eq!(ladder, expected);
    assert_eq!(pair.told(ALICE), ["progress 183 answer(early)", "answered answer(early)"]);
}

#[test]
fn a_reliable_response_never_acknowledged_ends_the_call_with_504() {
    let (mut pair, _, b) = ringing(Some(sdp("offer")));
    pair.drop = Some(|line| is(line, Method::PRack));
    let now = pair.now;
    pair.agents[BOB].progress(b, 183, Some(sdp("early")), now);
    pair.run_for(ms(32_100));
    assert_eq!(pair.told(BOB), ["ended Timeout"]);
    assert_eq!(pair.told(ALICE), ["progress 183 answer(early)", "failed 504"]);
    pair.settle();
    pair.assert_nothing_left();
}

#[test]
fn reliable_responses_go_one_after_the_other() {
    let (mut pair, _, b) = ringing(Some(sdp("offer")));
    let now = pair.now;
    pair.agents[BOB].progress(b, 183, Some(sdp("early")), now);
    pair.agents[BOB].progress(b, 182, Some(sdp("ignored")), now);
    pair.agents[BOB].progress(b, 180, None, now);
    pair.run_for(ms(100));
    assert_eq!(
        pair.ladder(),
        [
            "B->A 183 INVITE early",
            "B->A 180 INVITE",
            "A->B PRACK",
            "B->A 200 PRACK",
            "B->A 182 INVITE",
            "A->B PRACK",
            "B->A 200 PRACK",
        ]
        .map(str::to_owned)
    );
}

#[test]
fn an_offer_in_a_reliable_response_is_answered_in_its_prack() {
    let (mut pair, a, b) = ringing(None);
    let now = pair.now;
    pair.agents[BOB].progress(b, 183, Some(sdp("bob")), now);
    pair.run_for(ms(100));
    assert_eq!(pair.told(ALICE), ["progress 183 offer(bob)"]);
    let now = pair.now;
    pair.agents[ALICE].answer(a, sdp("alice"), now);
    pair.run_for(ms(100));
    assert_eq!(pair.told(BOB), ["reanswered(alice)"]);
    let now = pair.now;
    pair.agents[BOB].accept(b, sdp("bob"), Headers::default(), now);
    pair.run_for(ms(100));
    assert_eq!(pair.told(ALICE), ["answered"]);
    assert_eq!(pair.told(BOB), ["confirmed"]);
    assert_eq!(
        pair.ladder(),
        ["B->A 183 INVITE bob", "A->B PRACK alice", "B->A 200 PRACK", "B->A 200 INVITE", "A->B ACK"]
    );
}

#[test]
fn either_side_changes_early_media_by_update() {
    for side in [ALICE, BOB] {
        let (mut pair, a, b) = ringing(Some(sdp("offer")));
        let now = pair.now;
        pair.agents[BOB].progress(b, 183, Some(sdp("early")), now);
        pair.run_for(ms(100));
        assert_eq!(pair.told(ALICE), ["progress 183 answer(early)"]);
        pair.ladder();
        let (mine, theirs) = if side == ALICE { (a, b) } else { (b, a) };
        let now = pair.now;
        pair.agents[side].offer(mine, sdp("other"), now);
        pair.run_for(ms(50));
        assert_eq!(pair.told(1 - side), ["reoffered offer(other)"]);
        let now = pair.now;
        pair.agents[1 - side].answer(theirs, sdp("fine"), now);
        pair.run_for(ms(50));
        assert_eq!(pair.told(side), ["reanswered(fine)"]);
        assert_eq!(pair.ladder().len(), 2, "UPDATE and its 200");
        let now = pair.now;
        pair.agents[BOB].accept(b, sdp("ignored"), Headers::default(), now);
        pair.run_for(ms(50));
        assert_eq!(pair.told(ALICE), ["answered"], "the first answer is history");
        assert_eq!(pair.ladder(), ["B->A 200 INVITE", "A->B ACK"]);
    }
}

#[test]
fn an_offer_before_there_is_a_dialog_waits_for_the_answer() {
    let (mut pair, a, b) = ringing(Some(sdp("offer")));
    let now = pair.now;
    pair.agents[ALICE].offer(a, sdp("change"), now);
    pair.run_for(ms(100));
    assert_eq!(pair.ladder(), [] as [&str; 0]);
    let now = pair.now;
    pair.agents[BOB].accept(b, sdp("answer"), Headers::default(), now);
    pair.run_for(ms(100));
    assert_eq!(pair.told(BOB), ["confirmed", "reoffered offer(change)"]);
}
