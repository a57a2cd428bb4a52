//! Sums, e-mail addresses and telephone numbers as they are said.

use super::pattern::symbols;
use super::tokens::{numbers, phrase_at, tokens};
use crate::callbot::words::Words;

/// RFC 5321 §4.5.3.1: the longest path.
const LONGEST_EMAIL: usize = 254;

/// A sum, as `12.50`: twelve fifty, douze euros cinquante, 12,50. Not asked for, one needs a currency beside it.
pub(super) fn amount(said: &str, words: &Words, asked: bool) -> Option<String> {
    let tokens = tokens(said);
    let numbers = numbers(&tokens, words);
    const CURRENCIES: [&str; 10] =
        ["euro", "euros", "pound", "pounds", "dollar", "dollars", "franc", "francs", "eur", "원"];
    let currency = |at: usize| {
        tokens.get(at).is_some_and(|token| {
            CURRENCIES.iter().any(|name| token == name || (*name == "원" && token.starts_with('원')))
        })
    };
    let whole = numbers
        .iter()
        .position(|number| currency(number.end))
        .or_else(|| (asked && !numbers.is_empty()).then_some(0))?;
    let number = numbers.get(whole)?;
    let behind = number.end + usize::from(currency(number.end));
    let cents = numbers.get(whole + 1).filter(|next| next.start <= behind + 1 && next.value < 100);
    Some(match cents {
        Some(cents) => format!("{}.{:0>2}", number.value, cents.value),
        None => number.value.to_string(),
    })
}

/// A telephone number: its digits, with a plus where one was said.
pub(super) fn phone(said: &str, words: &Words) -> Option<String> {
    let digits: String = symbols(said, words).concat().chars().filter(char::is_ascii_digit).collect();
    let plus = said.contains('+') || tokens(said).iter().any(|token| words.plus.contains(token));
    (6..=15).contains(&digits.len()).then(|| if plus { format!("+{digits}") } else { digits })
}

/// An e-mail address, written or spelt out: "anna dot smith at example dot com".
pub(super) fn email(said: &str, words: &Words) -> Option<String> {
    if let Some(written) = said.split_whitespace().find(|word| word.contains('@')) {
        let address = written.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        return is_email(&address).then_some(address);
    }
    let tokens = tokens(said);
    let numbers = numbers(&tokens, words);
    let marks = [(&words.at, "@"), (&words.underscore, "_"), (&words.dot, "."), (&words.dash, "-")];
    let mut address = String::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let mark = marks.iter().find_map(|(phrases, mark)| Some((phrase_at(&tokens, at, phrases)?, *mark)));
        if let Some((length, mark)) = mark {
            address.push_str(mark);
            at += length;
        } else if let Some(number) = numbers.iter().find(|number| number.start == at) {
            address.push_str(&number.digits);
            at = number.end;
        } else {
            // What comes before the address is no part of it.
            if words.fillers.contains(token) && !address.contains('@') {
                address.clear();
            } else if let Some(letter) = words.letters.get(token) {
                address.push_str(letter);
            } else if !words.fillers.contains(token)
                && (address.contains('@') || !matches!(token.as_str(), "email" | "mail" | "address" | "adresse"))
            {
                address.push_str(token);
            } else if !address.contains('@') {
                address.clear();
            }
            at += 1;
        }
    }
    is_email(&address).then_some(address)
}

fn is_email(address: &str) -> bool {
    let part = |text: &str| {
        !text.is_empty()
            && !text.starts_with(['.', '-'])
            && !text.ends_with(['.', '-'])
            && !text.contains("..")
            && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"._-+".contains(&octet))
    };
    let Some((local, domain)) = address.split_once('@') else { return false };
    address.len() <= LONGEST_EMAIL
        && part(local)
        && part(domain)
        && domain.contains('.')
        && !domain.contains(['_', '+'])
}
