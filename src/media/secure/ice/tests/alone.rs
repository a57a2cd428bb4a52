//! One full side, and a far end that says what the test has it say.

use super::super::super::stun::{Asking, Class, ROLE_CONFLICT, Role, Transaction};
use super::super::checklist::{PAIRS, State};
use super::super::flight::CHECKS;
use super::*;

const FAR: &str = "198.51.100.2:5000";
const WORSE: &str = "198.51.100.3:5000";
const ELSEWHERE: &str = "203.0.113.9:9";

/// A side with its far end's words.
struct Scene {
    side: Side,
    now: Instant,
    number: u8,
}

/// A check of ours as the far end reads it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sent {
    at_ms: u128,
    to: SocketAddr,
    transaction: Transaction,
    nominates: bool,
    role: (Role, u64),
}

/// A check of the far end's.
#[derive(Clone, Copy)]
struct Says {
    role: Role,
    tie_breaker: u64,
    nominates: bool,
}

const PLAIN: Says = Says { role: Role::Controlling, tie_breaker: 5, nominates: false };
const NOMINATES: Says = Says { nominates: true, ..PLAIN };
const OBEYS: Says = Says { role: Role::Controlled, ..PLAIN };

impl Scene {
    fn new(controlling: bool, far: &[(&str, u32)]) -> Scene {
        Scene::by(checks(controlling, 9, far))
    }

    fn by(checks: IceChecks) -> Scene {
        let ice = Ice { local: credentials("ours", 1), remote: credentials("them", 1), checks: Some(checks) };
        Scene { side: Side::new(ice, at(0)), now: at(0), number: 0 }
    }

    fn full(&self) -> &Full {
        full(&self.side)
    }

    fn state(&self, place: &str) -> Option<State> {
        self.full().list.get(address(place)).map(|pair| pair.state)
    }

    /// What it sends until then, looked at every 10 ms.
    fn until(&mut self, ms: u64) -> Vec<Sent> {
        let mut sent = Vec::new();
        while self.now < at(ms) {
            self.now = self.now + Duration::from_millis(10);
            sent.extend(self.poll());
        }
        sent
    }

    fn poll(&mut self) -> Vec<Sent> {
        self.side.pass(self.now);
        let mut sent = Vec::new();
        while let Some((to, check)) = self.side.poll_check(self.now) {
            let message = Message::read(check.octets()).expect("a message");
            assert_eq!((message.class, message.username), (Class::Request, &b"them1:ours1"[..]));
            assert!(message.is_authentic(check.octets(), credentials("them", 1).password.as_bytes()));
            assert_eq!(message.priority, Some(1_862_270_975));
            let (transaction, nominates, role) = (message.transaction, message.nominates, message.role.unwrap());
            sent.push(Sent { at_ms: self.now.since(at(0)).as_millis(), to, transaction, nominates, role });
        }
        sent
    }

    /// The far end asks from there; gives its answer.
    fn asks(&mut self, from: &str, says: Says) -> Option<(Class, Option<u16>, Option<SocketAddr>)> {
        self.number = self.number.wrapping_add(1);
        let (names, password) = (["ours1", "them1"], credentials("ours", 1).password);
        let check = Check::new(&Asking {
            transaction: &[self.number; 12],
            names,
            priority: 1_862_270_975,
            role: says.role,
            tie_breaker: says.tie_breaker,
            nominates: says.nominates,
            password: &password,
        });
        let Heard::Answer(answer) = self.side.hear(check.octets(), address(from), self.now) else { return None };
        let read = Message::read(answer.octets()).expect("a message");
        assert!(read.is_authentic(answer.octets(), password.as_bytes()));
        assert_eq!(read.transaction, [self.number; 12]);
        Some((read.class, read.error, read.mapped))
    }

    fn answers_with(&mut self, from: SocketAddr, answer: &Answer) -> bool {
        matches!(self.side.hear(answer.octets(), from, self.now), Heard::Taken)
    }

    fn answers(&mut self, sent: &Sent) -> bool {
        let password = credentials("them", 1).password;
        let answer = Answer::success(&sent.transaction, address("192.0.2.1:4000"), password.as_bytes());
        self.answers_with(sent.to, &answer)
    }

    fn refuses(&mut self, sent: &Sent, error: u16) -> bool {
        let password = credentials("them", 1).password;
        self.answers_with(sent.to, &Answer::error(&sent.transaction, error, None, password.as_bytes()))
    }
}

fn first_to(sent: &[Sent], place: &str) -> Sent {
    *sent.iter().find(|sent| sent.to == address(place)).expect("a check to there")
}

#[test]
fn checks_are_paced_and_sent_again_at_growing_intervals() {
    let places: Vec<String> = (1..=20).map(|last| format!("198.51.100.{last}:5000")).collect();
    let far: Vec<(&str, u32)> =
        places.iter().zip((1..=20).rev()).map(|(place, priority)| (place.as_str(), priority)).collect();
    let mut scene = Scene::new(true, &far);
    let mut sent = scene.poll();
    sent.extend(scene.until(990));
    let firsts: Vec<u128> = sent.iter().map(|sent| sent.at_ms).collect();
    assert_eq!(firsts, (0..20).map(|number| 50 * number).collect::<Vec<u128>>(), "RFC 8445 §6.1.4.1, best first");
    assert!(sent.iter().zip(&places).all(|(sent, place)| sent.to == address(place)));
    // 20 pairs of 50 ms are 1 s: longer than the usual first wait (§14.3).
    let mut of_first: Vec<u128> = vec![0];
    scene.side.pass(scene.now);
    let again = scene.until(14_000);
    of_first.extend(again.iter().filter(|again| again.transaction == sent[0].transaction).map(|again| again.at_ms));
    assert_eq!(of_first, [0, 1_000, 3_000, 7_000]);
}

#[test]
fn who_never_answers_is_asked_seven_times_and_given_up() {
    let mut scene = Scene::new(true, &[(FAR, 10)]);
    // Its checks come, so that it is not taken to be gone; from elsewhere, and our answers to those are not heard.
    let mut sent = scene.poll();
    for second in 1..=60 {
        scene.asks(ELSEWHERE, OBEYS);
        sent.extend(scene.until(second * 1_000));
    }
    let times: Vec<u128> = sent.iter().filter(|sent| sent.to == address(FAR)).map(|sent| sent.at_ms).collect();
    assert_eq!(times, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500], "RFC 8489 §6.2.1");
    assert_eq!(scene.state(FAR), Some(State::Failed));
    assert!(scene.full().flight.len() <= CHECKS);
    assert!(scene.full().flight.find(&sent[0].transaction).is_none());
}

#[test]
fn a_check_of_the_far_end_is_answered_and_brings_one_of_ours_before_all_others() {
    let mut scene = Scene::new(false, &[(FAR, 10), (WORSE, 5)]);
    scene.poll();
    let answer = scene.asks(ELSEWHERE, PLAIN);
    assert_eq!(answer, Some((Class::Success, None, Some(address(ELSEWHERE)))));
    let next = scene.until(50);
    assert_eq!(next.iter().map(|sent| sent.to).collect::<Vec<_>>(), [address(ELSEWHERE)]);
    assert_eq!(scene.full().destination(), None, "nothing is sent to where nothing of ours has arrived");
    assert!(scene.side.knows(address(ELSEWHERE)) && !scene.side.knows(address(FAR)));
    assert!(scene.answers(&next[0]));
    assert_eq!(scene.full().destination(), Some(address(ELSEWHERE)));
    assert_eq!(scene.state(ELSEWHERE), Some(State::Succeeded));
}

#[test]
fn one_that_controls_nominates_the_best_once() {
    let mut scene = Scene::new(true, &[(FAR, 2_000), (WORSE, 1_000)]);
    let mut sent = scene.poll();
    sent.extend(scene.until(60));
    assert!(sent.iter().all(|sent| !sent.nominates && sent.role.0 == Role::Controlling), "regular nomination");
    assert!(scene.answers(&first_to(&sent, WORSE)));
    assert_eq!(scene.full().destination(), Some(address(WORSE)), "it is used meanwhile");
    assert!(scene.until(300).is_empty(), "something better may still come");
    assert!(scene.answers(&first_to(&sent, FAR)));
    let nominations = scene.until(400);
    assert_eq!(nominations.len(), 1);
    assert_eq!((nominations[0].to, nominations[0].nominates), (address(FAR), true));
    assert!(scene.full().selected.is_none());
    assert!(scene.answers(&nominations[0]));
    assert_eq!(scene.full().selected, Some(address(FAR)));
    assert!(scene.until(3_000).is_empty());
}

#[test]
fn something_better_is_waited_for_only_so_long() {
    let mut scene = Scene::new(true, &[(FAR, 2_000), (WORSE, 1_000)]);
    let mut sent = scene.poll();
    sent.extend(scene.until(60));
    scene.answers(&first_to(&sent, WORSE));
    let later = scene.until(1_000);
    let nomination = later.iter().find(|sent| sent.nominates).expect("a nomination");
    assert_eq!((nomination.to, nomination.at_ms), (address(WORSE), 560));
    scene.answers(nomination);
    assert!(scene.until(3_500).is_empty(), "the search is over (RFC 8445 §8.1.2)");
}

#[test]
fn a_nomination_that_is_refused_gives_way_to_the_next_best() {
    let mut scene = Scene::new(true, &[(FAR, 2_000), (WORSE, 1_000)]);
    let mut sent = scene.poll();
    sent.extend(scene.until(60));
    scene.answers(&first_to(&sent, WORSE));
    scene.answers(&first_to(&sent, FAR));
    let first = scene.until(200);
    assert_eq!((first[0].to, first[0].nominates), (address(FAR), true));
    scene.refuses(&first[0], 500);
    assert_eq!(scene.state(FAR), Some(State::Failed));
    let second = scene.until(400);
    assert_eq!((second[0].to, second[0].nominates), (address(WORSE), true));
}

#[test]
fn a_nomination_is_followed_at_once_where_the_pair_works_and_else_when_it_does() {
    let mut scene = Scene::new(false, &[(FAR, 10)]);
    let sent = scene.poll();
    scene.asks(FAR, NOMINATES);
    assert_eq!(scene.full().selected, None, "RFC 8445 §7.3.1.5: not before ours has come through");
    assert!(scene.answers(&sent[0]));
    assert_eq!(scene.full().selected, Some(address(FAR)));

    let mut scene = Scene::new(false, &[(FAR, 10)]);
    let sent = scene.poll();
    scene.answers(&sent[0]);
    assert_eq!(scene.full().selected, None);
    scene.asks(FAR, NOMINATES);
    assert_eq!(scene.full().selected, Some(address(FAR)));
}

/// RFC 5245 §8.1.1.2, as some still do: everything is nominated, and the best is meant. Later the last one is.
#[test]
fn of_many_nominations_the_best_counts_at_first_and_the_last_later() {
    let mut scene = Scene::new(false, &[(FAR, 2_000), (WORSE, 1_000)]);
    let mut sent = scene.poll();
    sent.extend(scene.until(60));
    scene.asks(WORSE, NOMINATES);
    scene.asks(FAR, NOMINATES);
    scene.answers(&first_to(&sent, WORSE));
    assert_eq!(scene.full().selected, Some(address(WORSE)));
    scene.answers(&first_to(&sent, FAR));
    assert_eq!(scene.full().selected, Some(address(FAR)));
    scene.asks(WORSE, NOMINATES);
    assert_eq!(scene.full().selected, Some(address(FAR)));
    scene.until(5_000);
    scene.asks(WORSE, NOMINATES);
    assert_eq!(scene.full().selected, Some(address(WORSE)), "it has changed its mind");
}

#[test]
fn answers_that_are_not_the_far_ends_change_nothing() {
    let mut scene = Scene::new(true, &[(FAR, 10)]);
    let sent = scene.poll()[0];
    let mapped = address("192.0.2.1:4000");
    let password = credentials("them", 1).password;
    let right = Answer::success(&sent.transaction, mapped, password.as_bytes());
    assert!(!scene.answers_with(address(ELSEWHERE), &right), "from elsewhere");
    let wrong = Answer::success(&sent.transaction, mapped, b"another password than theirs");
    assert!(!scene.answers_with(sent.to, &wrong), "by another password");
    let ours = Answer::success(&sent.transaction, mapped, credentials("ours", 1).password.as_bytes());
    assert!(!scene.answers_with(sent.to, &ours), "by our own");
    let unasked = Answer::success(&[77; 12], mapped, password.as_bytes());
    assert!(!scene.answers_with(sent.to, &unasked), "nobody asked");
    let strange = Answer::success(&sent.transaction, address("[2001:db8::1]:4000"), password.as_bytes());
    assert!(!scene.answers_with(sent.to, &strange), "no address that we can have");
    let error = Answer::error(&sent.transaction, ROLE_CONFLICT, None, b"another password than theirs");
    assert!(!scene.answers_with(sent.to, &error), "an error that is nobody's");
    for at in 0..right.octets().len() {
        let mut altered = right.octets().to_vec();
        altered[at] ^= 0x10;
        assert!(matches!(scene.side.hear(&altered, sent.to, scene.now), Heard::Refused), "octet {at}");
    }
    assert_eq!((scene.state(FAR), scene.full().destination()), (Some(State::InProgress), None));
    assert_eq!(scene.full().gone_at(), at(15_000));
    assert!(scene.answers_with(sent.to, &right), "the right one still counts");
    assert!(!scene.answers_with(sent.to, &right), "once");
}

#[test]
fn an_error_ends_the_pair_until_the_far_end_shows_itself_there() {
    let mut scene = Scene::new(true, &[(FAR, 10)]);
    let sent = scene.poll();
    assert!(scene.refuses(&sent[0], 400));
    assert_eq!(scene.state(FAR), Some(State::Failed));
    assert!(scene.until(2_000).is_empty());
    scene.asks(FAR, OBEYS);
    let again = scene.until(2_100);
    assert_eq!((again.len(), again[0].to), (1, address(FAR)));
}

/// RFC 8445 §7.3.1.1, both ways.
#[test]
fn who_has_the_higher_tie_breaker_controls() {
    for (controlling, theirs, refused, then) in [
        (true, 0, true, Role::Controlling),
        (true, u64::MAX, false, Role::Controlled),
        (false, 0, false, Role::Controlling),
        (false, u64::MAX, true, Role::Controlled),
    ] {
        let role = if controlling { Role::Controlling } else { Role::Controlled };
        let mut scene = Scene::new(controlling, &[(FAR, 10)]);
        let answer = scene.asks(FAR, Says { role, tie_breaker: theirs, nominates: false });
        let (class, error, _) = answer.unwrap();
        assert_eq!((class, error), if refused { (Class::Error, Some(487)) } else { (Class::Success, None) });
        assert_eq!(scene.full().role, then, "{controlling} {theirs}");
    }
}

/// RFC 8445 §7.2.5.1.
#[test]
fn who_is_told_of_a_conflict_takes_the_other_role_and_asks_again() {
    for controlling in [true, false] {
        let mut scene = Scene::new(controlling, &[(FAR, 10)]);
        let sent = scene.poll();
        assert!(scene.refuses(&sent[0], ROLE_CONFLICT));
        let again = scene.until(100);
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].role.0, sent[0].role.0.other());
        assert_ne!(again[0].role.1, sent[0].role.1, "another tie-breaker");
        assert!(scene.answers(&again[0]));
        assert_eq!(scene.full().destination(), Some(address(FAR)));
    }
}

#[test]
fn a_far_end_that_always_sees_a_conflict_is_given_up() {
    let mut scene = Scene::new(true, &[(FAR, 10)]);
    let mut asked = 0;
    for step in 1..=100 {
        for sent in scene.until(step * 100) {
            asked += 1;
            scene.refuses(&sent, ROLE_CONFLICT);
        }
    }
    assert!(asked < 12, "{asked}");
    assert_eq!(scene.state(FAR), Some(State::Failed));
}

#[test]
fn a_lite_far_end_cannot_take_control() {
    let mut scene = Scene::by(IceChecks { lite: true, ..checks(false, 9, &[(FAR, 10)]) });
    let sent = scene.poll();
    assert_eq!(sent[0].role.0, Role::Controlling, "though it offered");
    scene.refuses(&sent[0], ROLE_CONFLICT);
    assert_eq!(scene.full().role, Role::Controlling);
}

#[test]
fn consent_is_asked_for_every_five_seconds_or_so_and_once() {
    let mut scene = Scene::new(false, &[(FAR, 10)]);
    let sent = scene.poll();
    scene.answers(&sent[0]);
    scene.asks(FAR, NOMINATES);
    let mut times = Vec::new();
    for second in 1..=300 {
        for sent in scene.until(second * 1_000) {
            assert!(!sent.nominates && sent.to == address(FAR));
            times.push(sent.at_ms);
            scene.answers(&sent);
        }
    }
    let pauses: Vec<u128> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| (3_990..=6_020).contains(pause)), "{pauses:?}");
    assert!(pauses.iter().any(|pause| *pause < 4_600) && pauses.iter().any(|pause| *pause > 5_400), "{pauses:?}");
    assert!(scene.full().destination().is_some());
}

#[test]
fn a_far_end_that_checks_and_does_not_answer_has_not_agreed() {
    let mut scene = Scene::new(false, &[(FAR, 10)]);
    let sent = scene.poll();
    scene.answers(&sent[0]);
    scene.asks(FAR, NOMINATES);
    for second in 1..=29 {
        scene.until(second * 1_000);
        scene.asks(FAR, PLAIN);
        assert_eq!(scene.full().destination(), Some(address(FAR)), "second {second}");
    }
    scene.until(30_100);
    assert!(scene.full().gone_at() <= scene.now, "RFC 7675 §5.1");
    assert_eq!(scene.full().destination(), None);
    assert!(scene.until(60_000).is_empty(), "it is not asked any more either");
}

#[test]
fn whatever_a_far_end_does_what_is_kept_is_bounded() {
    let mut scene = Scene::new(false, &[(FAR, 10)]);
    for step in 1..5_000u32 {
        let port = 1_000 + (step % 3_000) as u16;
        scene.asks(&format!("203.0.113.{}:{port}", step % 200), if step % 3 == 0 { NOMINATES } else { PLAIN });
        for sent in scene.until(u64::from(step) * 10) {
            match step % 4 {
                0 => scene.answers(&sent),
                1 => scene.refuses(&sent, ROLE_CONFLICT),
                _ => false,
            };
        }
        assert!(scene.full().list.iter().count() <= PAIRS && scene.full().flight.len() <= CHECKS, "step {step}");
    }
}
