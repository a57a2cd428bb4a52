//! What was heard, in the form in which it is compared: small letters, words and nothing else.

/// More than a caller says in one breath; what is beyond is not looked at.
pub const LONGEST: usize = 600;

/// Small letters, without punctuation, one space between words. An apostrophe within a word stays, as `'`.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().take(LONGEST).peekable();
    while let Some(c) = characters.next() {
        let within =
            characters.peek().is_some_and(|next| next.is_alphanumeric()) && !out.is_empty() && !out.ends_with(' ');
        match c {
            '\'' | '\u{2019}' | '\u{02bc}' if within => out.push('\''),
            c if c.is_alphanumeric() => out.extend(c.to_lowercase()),
            // A combining mark belongs to its letter.
            '\u{300}'..='\u{36f}' => out.push(c),
            _ if out.ends_with(' ') || out.is_empty() => {}
            _ => out.push(' '),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// The plain text with each number in digits as one `0`: which number it is says nothing of what is wanted.
pub fn without_numbers(plain: &str) -> String {
    let mut out = String::with_capacity(plain.len());
    for word in plain.split(' ') {
        let number = word.chars().any(|c| c.is_ascii_digit()) && !word.chars().any(is_hangul);
        let again = number && (out == "0" || out.ends_with(" 0"));
        if again {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(if number { "0" } else { word });
    }
    out
}

pub fn is_hangul(c: char) -> bool {
    matches!(c, '\u{ac00}'..='\u{d7a3}' | '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}')
}

/// Whether `words` stand in `plain` one behind the other, as whole words; in Korean, whose words take endings, as the
/// beginning of a word.
pub fn has_words(plain: &str, words: &str) -> bool {
    if words.is_empty() {
        return false;
    }
    plain.match_indices(words).any(|(at, found)| {
        let starts = plain.get(..at).is_none_or(|before| before.is_empty() || before.ends_with([' ', '\'']));
        let rest = plain.get(at + found.len()..).unwrap_or_default();
        starts && (rest.is_empty() || rest.starts_with([' ', '\'']) || found.chars().next_back().is_some_and(is_hangul))
    })
}

/// Whether `plain` consists of these phrases and nothing else.
pub fn is_only(plain: &str, phrases: &[String]) -> bool {
    let mut longest: Vec<&String> = phrases.iter().collect();
    longest.sort_by_key(|phrase| std::cmp::Reverse(phrase.len()));
    // A mark stands for what is left of a phrase, so that its neighbours do not become one.
    let taken = longest.into_iter().fold(format!(" {} ", plain.replace(' ', "  ")), |rest, phrase| {
        rest.replace(&format!(" {} ", phrase.replace(' ', "  ")), " | ")
    });
    !plain.is_empty() && taken.split(' ').all(|word| word.is_empty() || word == "|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_punctuation_and_spaces_do_not_matter() {
        assert_eq!(plain("  Where's my ORDER?! "), "where's my order");
        assert_eq!(plain("J\u{2019}ai déménagé, voilà."), "j'ai déménagé voilà");
        assert_eq!(plain("'quoted' words"), "quoted words");
        assert_eq!(plain("세탁기가, 고장!"), "세탁기가 고장");
        assert_eq!(plain("…?!"), "");
        assert_eq!(plain(&"a".repeat(10_000)).len(), LONGEST);
    }

    #[test]
    fn numbers_are_one_mark() {
        assert_eq!(without_numbers("order a47112 please"), "order 0 please");
        assert_eq!(without_numbers("4 7 1 1 2"), "0");
        assert_eq!(without_numbers("no number"), "no number");
    }

    #[test]
    fn what_consists_of_phrases_alone_is_told_from_what_says_more() {
        let phrases = ["hello", "good morning", "um", "good"].map(str::to_owned);
        for text in ["hello", "um hello", "good morning", "hello hello hello um", "good"] {
            assert!(is_only(text, &phrases), "{text}");
        }
        for text in ["", "hello order", "morning", "hello there", "helloum"] {
            assert!(!is_only(text, &phrases), "{text}");
        }
    }

    #[test]
    fn words_are_found_whole() {
        assert!(has_words("let me speak to an agent please", "agent"));
        assert!(!has_words("the agenda", "agent"));
        assert!(has_words("c'est qu'un agent", "agent"));
        assert!(has_words("상담원이랑 얘기할래요", "상담원"));
        assert!(!has_words("wait one momentum", "one moment"));
        assert!(!has_words("anything", ""));
    }
}
