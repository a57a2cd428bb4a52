use super::*;

const EXAMPLES: [(&str, &[&str]); 3] = [
    (
        "order",
        &[
            "where is my order",
            "when will my parcel arrive",
            "has my order been sent",
            "I am waiting for my delivery",
            "track my parcel please",
            "my order has not arrived",
            "where is the delivery",
        ],
    ),
    (
        "hours",
        &[
            "when are you open",
            "what are your opening hours",
            "are you open on saturday",
            "when do you close",
            "what time do you open",
            "are you closed on sunday",
        ],
    ),
    (
        "",
        &[
            "how are you",
            "nice weather today",
            "tell me a joke",
            "who won the match",
            "sing a song",
            "what is your name",
        ],
    ),
];

fn examples() -> Vec<Example> {
    let intents = EXAMPLES.iter().enumerate();
    let each = |(at, (name, texts)): (usize, &(&str, &[&str]))| {
        let intent = (!name.is_empty()).then_some(at);
        texts.iter().map(move |text| ((*text).to_owned(), intent)).collect::<Vec<_>>()
    };
    intents.flat_map(each).collect()
}

#[test]
fn what_is_like_an_example_is_understood_without_an_encoder() {
    let matcher = Matcher::learn(&examples(), 2, None).unwrap();
    for (text, intent) in [
        ("hello where is my order now", 0),
        ("my parcel has not arrived", 0),
        ("wear is my oder", 0),
        ("are you open on sundays", 1),
    ] {
        let guess = matcher.guess(text, &[], None, Some(0.3)).unwrap();
        assert_eq!(guess.intent, intent, "{text}: {guess:?}");
        assert!(guess.accepted, "{text}: {guess:?}");
    }
}

#[test]
fn a_wish_that_was_misheard_is_found_in_what_it_may_have_been_instead() {
    let matcher = Matcher::learn(&examples(), 2, None).unwrap();
    let misheard = "purple fish window";
    let alone = matcher.guess(misheard, &[], None, None).unwrap();
    let others = ["Purple fish window.", "where is my order", "when is my order"].map(str::to_owned);
    let beside = matcher.guess(misheard, &others, None, None).unwrap();
    assert!(beside.intent == 0 && beside.confidence > alone.confidence, "{alone:?}, {beside:?}");
    assert!(beside.accepted && beside.indirect, "{beside:?}");
    let said = matcher.guess("where is my order now", &others, None, None).unwrap();
    assert!(said.accepted && !said.indirect, "{said:?}");
    let stranger = ["zzz qqq".to_owned(), " … ".to_owned()];
    let (alone, beside) = ("are you open on sundays", matcher.guess("are you open on sundays", &stranger, None, None));
    let alone = matcher.guess(alone, &[], None, None).unwrap();
    assert!(beside.unwrap().confidence < alone.confidence, "what it may be instead speaks against it");
}

#[test]
fn an_example_word_for_word_is_certain() {
    let matcher = Matcher::learn(&examples(), 2, None).unwrap();
    let guess = matcher.guess("When are you OPEN?", &[], None, None).unwrap();
    assert_eq!((guess.intent, guess.confidence, guess.accepted), (1, 1.0, true));
    assert!(!matcher.guess("Tell me a joke!", &[], None, None).unwrap().accepted);
}

#[test]
fn strange_texts_are_not_accepted_and_silence_is_no_guess() {
    let matcher = Matcher::learn(&examples(), 2, None).unwrap();
    assert_eq!(matcher.guess(" …! ", &[], None, None), None);
    for text in ["zzz qqq", "\u{0}\u{1f600}", "一二三"] {
        assert!(!matcher.guess(text, &[], None, None).is_some_and(|guess| guess.accepted), "{text}");
    }
    assert!(Matcher::learn(&[], 2, None).is_none());
}

#[test]
fn two_lessons_of_the_same_examples_are_alike() {
    let (one, other) = (Matcher::learn(&examples(), 2, None), Matcher::learn(&examples(), 2, None));
    for text in ["where is it", "open", "hello there"] {
        let guesses = [&one, &other].map(|matcher| matcher.as_ref().unwrap().guess(text, &[], None, None));
        assert_eq!(guesses[0], guesses[1]);
    }
}

#[test]
fn the_encoder_sees_through_other_words() {
    let Some(encoder) = super::super::tests::encoder() else { return };
    let matcher = Matcher::learn(&examples(), 2, Some(encoder)).unwrap();
    let guess = matcher.guess("did the package ship already", &[], Some(encoder), None).unwrap();
    assert_eq!(guess.intent, 0, "{guess:?}");
}
