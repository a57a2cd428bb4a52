//! Days and times of day as people say them, seen from a day.

use jiff::ToSpan;
use jiff::civil::Date;

use super::tokens::{Number, find_phrase, numbers, phrase_at, tokens};
use crate::callbot::text::is_hangul;
use crate::callbot::words::Words;

/// The day that is meant, as `2026-12-05`; the next such day from `today`.
pub(super) fn date(text: &str, words: &Words, today: Date) -> Option<Date> {
    let tokens = tokens(text);
    let numbers = numbers(&tokens, words);
    in_some_days(&tokens, &numbers, words, today)
        .or_else(|| month_and_day(&tokens, &numbers, words, today))
        .or_else(|| relative(&tokens, words, today))
        .or_else(|| weekday(&tokens, words, today))
        .or_else(|| day_alone(&tokens, &numbers, words, today).filter(|_| !names_month(&tokens, words)))
        .or_else(|| numeric(&numbers, &tokens, today))
}

/// In three days; dans deux semaines; 사흘 뒤 is not known, 삼 일 뒤 is.
fn in_some_days(tokens: &[String], numbers: &[Number], words: &Words, today: Date) -> Option<Date> {
    let dates = &words.dates;
    numbers.iter().find_map(|number| {
        let before = number.start.checked_sub(1).and_then(|at| phrase_at(tokens, at, &dates.before_in)).is_some();
        let after = phrase_at(tokens, number.end, &dates.after_in).is_some();
        if !(before || after || dates.before_in.is_empty() && dates.after_in.is_empty()) {
            return None;
        }
        let days = phrase_at(tokens, number.end, &dates.in_days).map(|_| 1);
        let unit = days.or_else(|| phrase_at(tokens, number.end, &dates.in_weeks).map(|_| 7))?;
        let days = i64::try_from(number.value).ok().filter(|count| *count <= 366)? * unit;
        today.checked_add(days.days()).ok()
    })
}

fn relative(tokens: &[String], words: &Words, today: Date) -> Option<Date> {
    // The day after tomorrow is not tomorrow.
    let days = (0..).zip(&words.dates.days).collect::<Vec<(i64, _)>>();
    let (after, _) = days.into_iter().rev().find(|(_, phrases)| find_phrase(tokens, phrases).is_some())?;
    today.checked_add(after.days()).ok()
}

fn weekday(tokens: &[String], words: &Words, today: Date) -> Option<Date> {
    let wanted = words.dates.weekdays.iter().position(|names| find_phrase(tokens, names).is_some())?;
    let now = i64::from(today.weekday().to_monday_zero_offset());
    let ahead = (i64::try_from(wanted).ok()? - now).rem_euclid(7);
    today.checked_add(if ahead == 0 { 7 } else { ahead }.days()).ok()
}

fn month_and_day(tokens: &[String], numbers: &[Number], words: &Words, today: Date) -> Option<Date> {
    let (month, (at, length)) = (1i8..).zip(&words.dates.months).find_map(|(month, names)| {
        // The month's own name may be a number and a word, as 12월.
        Some((month, find_phrase(tokens, names)?)).filter(|(_, (at, _))| {
            at.checked_sub(1).and_then(|before| tokens.get(before)).is_none_or(|before| before.parse::<u64>().is_err())
                || tokens.get(*at).is_none_or(|token| token.parse::<u64>().is_err())
        })
    })?;
    let outside = numbers.iter().filter(|number| number.end <= at || number.start >= at + length);
    let nearest = outside
        .filter(|number| (1..=31).contains(&number.value))
        .min_by_key(|number| if number.end <= at { at - number.end } else { number.start - (at + length) })?;
    let year = numbers.iter().find(|number| (2020..2100).contains(&number.value)).map(|number| number.value);
    let day = i8::try_from(nearest.value).ok()?;
    match year {
        Some(year) => Date::new(i16::try_from(year).ok()?, month, day).ok(),
        None => next(today, |date| Date::new(date.year(), month, day).ok(), 12),
    }
}

/// A day of a month that has no such day is no day of this month.
fn names_month(tokens: &[String], words: &Words) -> bool {
    words.dates.months.iter().any(|names| find_phrase(tokens, names).is_some())
}

/// The twelfth; le douze; 12일: of this month or the next.
fn day_alone(tokens: &[String], numbers: &[Number], words: &Words, today: Date) -> Option<Date> {
    let marked = |number: &&Number| {
        let before = number.start.checked_sub(1).and_then(|at| phrase_at(tokens, at, &words.dates.day_marks)).is_some();
        let korean = tokens.get(number.end).is_some_and(|next| next.starts_with('일'));
        let hour = phrase_at(tokens, number.end, &words.clock.hour).is_some();
        (1..=31).contains(&number.value) && !hour && (number.ordinal || before || korean)
    };
    let day = i8::try_from(numbers.iter().find(marked)?.value).ok()?;
    next(today, |date| Date::new(date.year(), date.month(), day).ok(), 1)
}

/// `2026-12-05`, or `5/12` where nothing else is said.
fn numeric(numbers: &[Number], tokens: &[String], today: Date) -> Option<Date> {
    let all = numbers.iter().all(|number| tokens.get(number.start).is_some_and(|token| *token == number.digits));
    let values: Vec<i16> = numbers.iter().filter_map(|number| i16::try_from(number.value).ok()).collect();
    let small = |value: &i16| i8::try_from(*value).ok();
    match values.as_slice() {
        [year @ 2020..2100, month, day] if all => Date::new(*year, small(month)?, small(day)?).ok(),
        [day, month] if all && tokens.len() == 2 => {
            let (day, month) = (small(day)?, small(month)?);
            next(today, |date| Date::new(date.year(), month, day).ok(), 12)
        }
        _ => None,
    }
}

/// The first date that is not before `today`, going on by so many months.
fn next(today: Date, date: impl Fn(Date) -> Option<Date>, months: i64) -> Option<Date> {
    (0..14).find_map(|step| {
        let from = today.first_of_month().checked_add((step * months).months()).ok()?;
        let from = if months == 12 { today.checked_add((step * months).months()).ok()? } else { from };
        date(from).filter(|found| *found >= today)
    })
}

/// The time of day that is meant, in minutes. An hour from one to seven without more is in the afternoon: nobody asks for
/// a visit at three in the morning.
pub(super) fn time(text: &str, words: &Words, asked: bool) -> Option<u16> {
    let tokens = tokens(text);
    let clock = &words.clock;
    let numbers = numbers(&tokens, words);
    let fixed = [(&clock.noon, 12 * 60), (&clock.midnight, 0)];
    // L'après-midi is not midi.
    let half_days = [find_phrase(&tokens, &clock.afternoon), find_phrase(&tokens, &clock.morning)];
    let alone = |(at, _): (usize, usize)| {
        !half_days.iter().flatten().any(|(from, length)| (*from..from + length).contains(&at))
    };
    if let Some((_, minutes)) = fixed.into_iter().find(|(names, _)| find_phrase(&tokens, names).is_some_and(alone)) {
        return Some(minutes);
    }
    let at = |phrases: &[String], at: usize| phrase_at(&tokens, at, phrases).is_some();
    // Korean writes endings on: 반이요, 시에.
    let starts = |phrases: &[String], at: usize| {
        let mut korean = phrases.iter().filter(|phrase| phrase.chars().all(is_hangul));
        tokens.get(at).is_some_and(|token| korean.any(|phrase| token.starts_with(phrase.as_str())))
    };
    let ends_before = |phrases: &[String], start: usize| {
        (1..=3).any(|length| {
            start.checked_sub(length).is_some_and(|from| phrase_at(&tokens, from, phrases) == Some(length))
        })
    };
    let half_day = |number: &Number| {
        let near =
            |phrases: &[String]| find_phrase(&tokens, phrases).is_some_and(|(at, _)| at.abs_diff(number.end) <= 4);
        if near(&clock.afternoon) { Some(true) } else { near(&clock.morning).then_some(false) }
    };
    let day_or_month = |number: &Number| {
        number.ordinal
            || tokens.get(number.end).is_some_and(|next| next.starts_with('월') || next.starts_with('일'))
            || words.dates.months.iter().any(|names| at(names, number.end))
    };
    let hours = numbers.iter().enumerate().filter(|(_, number)| number.value <= 24 && !day_or_month(number));
    // An hour that is called one; else one that stands where an hour stands; else the only number, where it was asked for.
    let called = |number: &Number| starts(&clock.hour, number.end) || at(&clock.hour, number.end);
    let placed = |number: &Number| {
        ends_before(&clock.before_hour, number.start)
            || ends_before(&clock.half_past, number.start)
            || ends_before(&clock.quarter_past, number.start)
            || ends_before(&clock.quarter_to, number.start)
            || half_day(number).is_some()
    };
    let hours: Vec<(usize, &Number)> = hours.collect();
    let chosen = hours
        .iter()
        .find(|(_, number)| called(number))
        .or_else(|| hours.iter().rev().find(|(_, number)| placed(number)))
        .or_else(|| hours.first().filter(|_| asked))?;
    let (index, hour) = *chosen;
    let behind = if called(hour) { hour.end + 1 } else { hour.end };
    let minutes = if ends_before(&clock.half_past, hour.start)
        || (behind..=behind + 1).any(|end| at(&clock.and_half, end) || starts(&clock.and_half, end))
    {
        30
    } else if ends_before(&clock.quarter_past, hour.start) || at(&clock.and_quarter, behind) {
        15
    } else if ends_before(&clock.quarter_to, hour.start) || at(&clock.less_quarter, behind) {
        -15
    } else {
        let next = numbers.get(index + 1).filter(|next| next.start <= behind + 1 && next.value < 60);
        next.filter(|next| !at(&words.dates.in_days, next.end)).map_or(0, |next| i64::try_from(next.value).unwrap_or(0))
    };
    let value = i64::try_from(hour.value).ok()?;
    let value = match (half_day(hour), value) {
        (Some(true), 1..=11) => value + 12,
        (Some(false), 12) => 0,
        (None, 1..=7) => value + 12,
        _ => value % 24,
    };
    u16::try_from((value * 60 + minutes).rem_euclid(24 * 60)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callbot::words;
    use crate::ids::Language;

    /// A Saturday.
    const TODAY: Date = jiff::civil::date(2026, 11, 28);

    #[test]
    fn days_are_understood() {
        for (language, text, expected) in [
            ("en", "tomorrow morning", Some("2026-11-29")),
            ("en", "the day after tomorrow", Some("2026-11-30")),
            ("en", "on Tuesday please", Some("2026-12-01")),
            ("en", "Saturday", Some("2026-12-05")),
            ("en", "the fifth of December", Some("2026-12-05")),
            ("en", "December 5th at ten", Some("2026-12-05")),
            ("en", "on the twelfth", Some("2026-12-12")),
            ("en", "the thirtieth", Some("2026-11-30")),
            ("en", "in three days", Some("2026-12-01")),
            ("en", "in two weeks", Some("2026-12-12")),
            ("en", "January the second", Some("2027-01-02")),
            ("en", "2026-12-24", Some("2026-12-24")),
            ("en", "sometime", None),
            ("en", "the thirty first of February", None),
            ("fr", "mardi prochain", Some("2026-12-01")),
            ("fr", "le cinq décembre", Some("2026-12-05")),
            ("fr", "après-demain", Some("2026-11-30")),
            ("fr", "le premier janvier à dix heures", Some("2027-01-01")),
            ("fr", "dans trois jours", Some("2026-12-01")),
            ("fr", "le douze à quinze heures", Some("2026-12-12")),
            ("ko", "내일 오전에요", Some("2026-11-29")),
            ("ko", "십이월 오일", Some("2026-12-05")),
            ("ko", "화요일", Some("2026-12-01")),
            ("ko", "십이일 세 시", Some("2026-12-12")),
        ] {
            let words = words::of(&Language::from(language)).unwrap();
            assert_eq!(date(text, words, TODAY).map(|date| date.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn times_of_day_are_understood() {
        for (language, text, expected) in [
            ("en", "at ten", Some("10:00")),
            ("en", "half past two", Some("14:30")),
            ("en", "quarter to nine", Some("08:45")),
            ("en", "three p.m.", Some("15:00")),
            ("en", "nine thirty", Some("09:30")),
            ("en", "15:30", Some("15:30")),
            ("en", "December fifth at ten o'clock", Some("10:00")),
            ("en", "noon", Some("12:00")),
            ("en", "8 in the evening", Some("20:00")),
            ("en", "whenever", None),
            ("fr", "à dix heures", Some("10:00")),
            ("fr", "quatorze heures trente", Some("14:30")),
            ("fr", "15h30", Some("15:30")),
            ("fr", "trois heures et demie de l'après-midi", Some("15:30")),
            ("fr", "neuf heures moins le quart", Some("08:45")),
            ("fr", "midi", Some("12:00")),
            ("fr", "le douze à quinze heures", Some("15:00")),
            ("ko", "오후 세 시 반이요", Some("15:30")),
            ("ko", "오전 열 시", Some("10:00")),
            ("ko", "십이일 세 시", Some("15:00")),
            ("ko", "정오", Some("12:00")),
        ] {
            let words = words::of(&Language::from(language)).unwrap();
            let found = time(text, words, true).map(|minutes| format!("{:02}:{:02}", minutes / 60, minutes % 60));
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        let words = words::of(&Language::from("en")).unwrap();
        assert_eq!(time("order four seven", words, false), None, "a number alone is no time unless one was asked for");
    }
}
