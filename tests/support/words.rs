//! How much of what was said was heard.

/// Words that are not where they should be (substituted, left out or put in), and how many were said. Capitals and
/// punctuation do not count, and a number may be written in digits.
pub fn word_errors(language: &str, said: &str, heard: &str) -> (usize, usize) {
    let (said, heard) = (words(language, said), words(language, heard));
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (index, word) in said.iter().enumerate() {
        let mut before = std::mem::replace(&mut row[0], index + 1);
        for (at, other) in heard.iter().enumerate() {
            let cost = (before + usize::from(word != other)).min(row[at] + 1).min(row[at + 1] + 1);
            before = std::mem::replace(&mut row[at + 1], cost);
        }
    }
    (row[heard.len()], said.len())
}

fn words(language: &str, text: &str) -> Vec<String> {
    let numbers = match language {
        "fr" => ["un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix"],
        _ => ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"],
    };
    let letters = text.to_lowercase().replace(|c: char| !c.is_alphanumeric() && c != '\'', " ");
    let words = letters.split_whitespace().map(|word| {
        let number = word.parse::<usize>().ok().and_then(|number| numbers.get(number.checked_sub(1)?));
        number.map_or(word, |number| *number).to_owned()
    });
    words.collect()
}

#[test]
fn words_are_counted_by_edit_distance_and_digits_are_words() {
    assert_eq!(word_errors("en", "where is my order", "Where is my order?"), (0, 4));
    assert_eq!(word_errors("en", "where is my order", "where my older"), (2, 4));
    assert_eq!(word_errors("en", "yes", "oh yes yes"), (2, 1));
    assert_eq!(word_errors("fr", "un deux dix", "1, 2, 10."), (0, 3));
    assert_eq!(word_errors("fr", "zéro onze", "0 11"), (2, 2));
}
