//! Two sides of ours.

use super::super::super::stun::Role;
use super::network::{Host, Nat, Net};
use super::*;

const A: &str = "192.0.2.1:4000";
const B: &str = "198.51.100.2:5000";
const PUBLIC: &str = "203.0.113.3:6000";
const PRIVATE: &str = "10.0.0.2:4000";
const HOST: u32 = 2_130_706_431;

fn ice(ours: &str, theirs: &str, session: u32, checks: Option<IceChecks>) -> Ice {
    Ice { local: credentials(ours, session), remote: credentials(theirs, session), checks }
}

/// A side by its name, the far end at these places.
fn side(own: &str, controlling: bool, far: &[(&str, u32)]) -> Host {
    let (ours, theirs, seed) = if own == B { ("bbbb", "aaaa", 2) } else { ("aaaa", "bbbb", 1) };
    Host::new(own, ice(ours, theirs, 1, Some(checks(controlling, seed, far))))
}

fn lite(own: &str) -> Host {
    let (ours, theirs) = if own == B { ("bbbb", "aaaa") } else { ("aaaa", "bbbb") };
    Host::new(own, ice(ours, theirs, 1, None))
}

/// The far end is lite.
fn towards_lite(own: &str, controlling: bool, far: &[(&str, u32)]) -> Host {
    let (ours, theirs) = if own == B { ("bbbb", "aaaa") } else { ("aaaa", "bbbb") };
    let checks = IceChecks { lite: true, ..checks(controlling, 1, far) };
    Host::new(own, ice(ours, theirs, 1, Some(checks)))
}

fn both() -> Net {
    Net::new(side(A, true, &[(B, HOST)]), side(B, false, &[(A, HOST)]))
}

fn settle(net: &mut Net) {
    net.until(3_000, Net::is_settled).expect("they find each other");
}

#[test]
fn two_full_sides_find_each_other_at_once_and_then_ask_little() {
    let mut net = both();
    let took = net.until(3_000, Net::is_settled).unwrap();
    assert!(took <= 150, "{took} ms");
    assert_eq!((net.destination(0), net.destination(1)), (Some(address(B)), Some(address(A))));
    assert!(net.hosts.iter().all(|host| host.side.knows(host.side.destination().unwrap())));
    net.hosts.iter_mut().for_each(|host| host.sent = 0);
    net.run(600_000);
    for host in &net.hosts {
        assert!((100..=150).contains(&host.sent), "{} questions in ten minutes", host.sent);
        assert_eq!(host.gone_at, None);
        assert!(full(&host.side).flight.len() <= 1);
    }
}

#[test]
fn losses_are_got_over() {
    for seed in 0..200 {
        let loss = (seed % 5) as u32 * 20;
        let mut net = both().with_loss(loss, seed);
        let took = net.until(30_000, Net::is_settled);
        assert!(took.is_some() && net.hosts.iter().all(|host| host.gone_at.is_none()), "seed {seed}, {loss}/256 lost");
        assert_eq!((net.destination(0), net.destination(1)), (Some(address(B)), Some(address(A))), "seed {seed}");
    }
}

#[test]
fn the_far_end_of_a_nat_that_hides_everything_is_known_by_its_checks() {
    for controlling in [true, false] {
        let hidden = side(PRIVATE, controlling, &[(B, HOST)]).behind(Nat::symmetric(PUBLIC));
        let mut net = Net::new(hidden, side(B, !controlling, &[(PRIVATE, HOST)]));
        settle(&mut net);
        assert_eq!(net.destination(0), Some(address(B)));
        let seen = net.destination(1).unwrap();
        assert_eq!(seen.ip(), address(PUBLIC).ip(), "controlling {controlling}");
        assert_ne!(seen.port(), address(PUBLIC).port());
        net.run(60_000);
        assert!(net.hosts.iter().all(|host| host.gone_at.is_none()));
    }
}

/// What the full side is for: a NAT in front of us that lets nobody in to whom nothing was sent.
#[test]
fn a_strict_nat_in_front_of_us_is_opened_from_inside() {
    let browser = |far| side(A, true, far);
    let mut net = Net::new(browser(&[(PUBLIC, HOST)]), side(B, false, &[(A, HOST)]).behind(Nat::restricted(PUBLIC)));
    settle(&mut net);
    assert_eq!((net.destination(0), net.destination(1)), (Some(address(PUBLIC)), Some(address(A))));
    let mut net = Net::new(browser(&[(PUBLIC, HOST)]), lite(B).behind(Nat::restricted(PUBLIC)));
    assert_eq!(net.until(14_000, Net::is_settled), None, "a lite side waits in vain");
}

#[test]
fn nats_on_both_sides_are_passed_where_they_keep_their_ports() {
    let theirs = "192.0.2.77:4001";
    let a = side(PRIVATE, true, &[(PUBLIC, HOST)]).behind(Nat::restricted(theirs));
    let b = side(B, false, &[(PRIVATE, HOST), (theirs, 1_694_498_815)]).behind(Nat::restricted(PUBLIC));
    let mut net = Net::new(a, b);
    settle(&mut net);
    assert_eq!((net.destination(0), net.destination(1)), (Some(address(PUBLIC)), Some(address(theirs))));
}

#[test]
fn a_full_side_controls_a_lite_one_whoever_offered() {
    for offered in [true, false] {
        let mut net = Net::new(towards_lite(A, offered, &[(B, HOST)]), lite(B));
        settle(&mut net);
        assert_eq!((net.destination(0), net.destination(1)), (Some(address(B)), Some(address(A))));
        net.run(120_000);
        assert!(net.hosts.iter().all(|host| host.gone_at.is_none()), "questions are signs of life to the lite side");
        assert_eq!(full(&net.hosts[0].side).role, Role::Controlling);
    }
}

#[test]
fn a_conflict_of_roles_is_resolved_by_the_tie_breakers() {
    for both in [true, false] {
        for (loss, seed) in [(0, 1), (40, 2), (40, 3)] {
            let hosts = Net::new(side(A, both, &[(B, HOST)]), side(B, both, &[(A, HOST)]));
            let mut net = hosts.with_loss(loss, seed);
            assert!(net.until(20_000, Net::is_settled).is_some(), "both {both}, seed {seed}");
            let roles = [0, 1].map(|host| full(&net.hosts[host].side).role);
            assert_ne!(roles[0], roles[1], "both {both}, seed {seed}");
        }
    }
}

fn restarted(own: &str, far: &[(&str, u32)], session: u32) -> Ice {
    let (ours, theirs) = if own == B { ("bbbb", "aaaa") } else { ("aaaa", "bbbb") };
    // An answer to a restart might say anything of roles: they stay.
    ice(ours, theirs, session, Some(checks(own == B, 7, far)))
}

#[test]
fn a_restart_goes_on_where_it_was_until_there_is_something_new() {
    let mut net = both();
    settle(&mut net);
    net.run(2_000);
    let elsewhere = "198.51.100.9:5999";
    let now = net.now;
    net.hosts[0].side.update(&restarted(A, &[(elsewhere, HOST)], 2), now);
    assert_eq!(net.destination(0), Some(address(B)), "what is heard goes on");
    net.run(300);
    assert_eq!(net.destination(0), Some(address(B)));
    assert!(net.hosts[0].side.knows(address(B)));
    let now = net.now;
    net.hosts[1].side.update(&restarted(B, &[(A, HOST)], 2), now);
    net.hosts[1].address = address(elsewhere);
    settle(&mut net);
    assert_eq!((net.destination(0), net.destination(1)), (Some(address(elsewhere)), Some(address(A))));
    assert_eq!(full(&net.hosts[0].side).role, Role::Controlling, "roles stay");
    assert!(!net.hosts[0].side.knows(address(B)), "what was before is over");
    net.run(60_000);
    assert!(net.hosts.iter().all(|host| host.gone_at.is_none()));
}

#[test]
fn the_path_from_before_a_restart_is_asked_for_consent_until_another_is_found() {
    let mut net = both();
    settle(&mut net);
    let now = net.now;
    // The far end never hears of it, and goes on as it was.
    net.hosts[0].side.update(&restarted(A, &[("198.51.100.9:5999", HOST)], 2), now);
    net.run(120_000);
    assert_eq!((net.hosts[0].gone_at, net.hosts[1].gone_at), (None, None));
    assert_eq!(net.destination(0), Some(address(B)));
}

#[test]
fn a_path_that_dies_is_seen_in_time() {
    let mut net = both();
    settle(&mut net);
    net.run(20_000);
    net.mute = [false, true];
    let died = net.now;
    net.run(40_000);
    let gone = net.hosts[0].gone_at.expect("it is noticed").since(died);
    assert!((6_000..=12_100).contains(&gone.as_millis()), "{gone:?}");
    assert_eq!(net.destination(0), None, "nothing is sent to it any more");
    // The other one hears nothing either once that is so: it goes as well.
    assert!(net.hosts[1].gone_at.is_some());
}

#[test]
fn a_lite_far_end_that_dies_is_seen_by_its_missing_answers() {
    let mut net = Net::new(towards_lite(A, true, &[(B, HOST)]), lite(B));
    settle(&mut net);
    net.run(20_000);
    let asked = full(&net.hosts[0].side).agreed_at.unwrap();
    net.mute = [false, true];
    net.run(40_000);
    let gone = net.hosts[0].gone_at.expect("it is noticed").since(asked);
    assert!((30_000..=30_100).contains(&gone.as_millis()), "{gone:?}");
}

#[test]
fn nobody_there_is_noticed_after_fifteen_seconds() {
    let mut net = both();
    net.mute = [true, true];
    net.run(20_000);
    for host in &net.hosts {
        assert!((15_000..=15_100).contains(&host.gone_at.unwrap().since(at(0)).as_millis()));
        assert!(host.sent < 10, "{} checks", host.sent);
    }
}

#[test]
fn a_far_end_that_moves_is_followed_by_who_controls() {
    let mut net = both();
    settle(&mut net);
    net.run(7_000);
    let moved = "198.51.100.66:7777";
    net.hosts[1].address = address(moved);
    let took = net.until(20_000, |net| net.destination(0) == Some(address(moved)));
    assert!(took.is_some_and(|took| took <= 12_000), "{took:?}");
    net.run(60_000);
    assert!(net.hosts.iter().all(|host| host.gone_at.is_none()));
}

/// Whatever is lost and whoever controls, both end at the same pair, and what they keep is bounded.
#[test]
fn any_run_ends_with_one_pair_or_with_nobody() {
    for seed in 0..300u64 {
        let own = |last: u64| format!("198.51.100.{}:5000", 10 + last);
        let places: Vec<String> = (0..seed % 7).map(own).collect();
        let mut far: Vec<(&str, u32)> = places.iter().map(|place| (place.as_str(), HOST - 1_000)).collect();
        far.insert(far.len() / 2, (B, HOST - 2_000 * (seed % 2) as u32));
        let (first, second) = (seed % 3 != 0, seed % 4 == 0);
        let mut a = side(A, first, &far);
        if seed % 5 == 0 {
            a = a.behind(Nat::symmetric(PUBLIC));
        }
        let mut net = Net::new(a, side(B, second, &[(A, HOST)])).with_loss((seed % 8) as u32 * 10, seed);
        let took = net.until(40_000, Net::is_settled);
        assert!(took.is_some(), "seed {seed}");
        net.run(2_000);
        let (to_b, to_a) = (net.destination(0).unwrap(), net.destination(1).unwrap());
        assert_eq!(to_b, address(B), "seed {seed}");
        assert!(to_a == address(A) || to_a.ip() == address(PUBLIC).ip(), "seed {seed}: {to_a}");
        let roles = [0, 1].map(|host| full(&net.hosts[host].side).role);
        assert_ne!(roles[0], roles[1], "seed {seed}");
    }
}
