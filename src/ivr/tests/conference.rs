//! The module `conference`.

use super::*;

fn meeting(bench: &mut Bench) -> Meeting {
    let met = bench.actions().into_iter().find_map(|action| match action {
        Action::Meet(meeting) => Some(*meeting),
        _ => None,
    });
    met.expect("the caller enters")
}

#[test]
fn the_caller_enters_and_leaves_by_a_key() {
    let mut bench = Bench::start(Module::Conference, "room = ' 0017 '\nleave = '#*'");
    let meeting = meeting(&mut bench);
    assert_eq!((meeting.room.as_str(), meeting.most, meeting.leave.len()), ("0017", 32, 2));
    assert_eq!(meeting.music, PlayItem::prompt("music/default", &Language::from("en")));
    assert_eq!((meeting.joined.len(), meeting.left.len()), (2, 2));
    assert!(bench.desk.served);
    bench.press("5");
    assert_eq!(bench.done, None, "a key that does not leave");
    bench.give(Event::Met(MeetOutcome::Left(Digit::new('*').unwrap())));
    assert_eq!((bench.output("result").as_str(), bench.output("key").as_str()), ("left", "*"));
}

#[test]
fn a_greeting_comes_first_and_a_key_ends_it() {
    for key in [false, true] {
        let mut bench = Bench::start(Module::Conference, "room = 'a'\ngreeting = 'ask'\nsignal = false");
        assert_eq!(bench.said(), ["en/ask"]);
        if key {
            bench.press("1")
        } else {
            bench.end_play()
        }
        let meeting = meeting(&mut bench);
        assert!(meeting.joined.is_empty() && meeting.left.is_empty());
    }
}

#[test]
fn words_take_the_place_of_the_tones() {
    let mut bench = Bench::start(Module::Conference, "room = 'a'\njoined = 'ask'\nleft = ['invalid', 'no-input']");
    let meeting = meeting(&mut bench);
    assert_eq!(meeting.joined, [PlayItem::prompt("ask", &Language::from("en"))]);
    assert_eq!(meeting.left.len(), 2);
}

#[test]
fn a_full_room_is_no_service() {
    let mut bench = Bench::start(Module::Conference, "room = 'a'\nmost = 2");
    bench.give(Event::Met(MeetOutcome::Full));
    assert_eq!((bench.output("result").as_str(), bench.desk.served), ("full", false));
}

#[test]
fn the_time_has_an_end() {
    let mut bench = Bench::start(Module::Conference, "room = 'a'\nmax_s = 60");
    bench.actions();
    bench.give(Event::Timeout);
    assert_eq!((bench.output("result").as_str(), bench.actions()), ("timed_out", vec![Action::Part]));
}

#[test]
fn a_room_needs_a_name() {
    for room in [String::new(), " ".to_owned(), "x".repeat(65)] {
        let mut bench = Bench::start(Module::Conference, &format!("room = '{room}'"));
        assert_eq!((bench.output("result").as_str(), bench.actions()), ("no_such_room", vec![]));
    }
}
