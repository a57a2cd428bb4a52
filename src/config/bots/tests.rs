use crate::callbot::bot::{Act, Then};
use crate::config::{Loaded, Overrides, load};
use crate::findings::Finding;

/// A bot that is right.
const BOT: &str = "name = 'desk'
examples = ['desk/*.toml']
[texts]
greeting = 'hello'
not_understood = 'hello'
still_there = 'hello'
moment = 'hello'
go_ahead = 'hello'
anything_else = 'hello'
goodbye = 'hello'
hand_over = 'hello'
[[slot]]
name = 'number'
kind = 'digits'
least = 4
most = 6
ask = 'hello'
[[intent]]
name = 'order'
key = '1'
[[intent.step]]
ask = 'number'
[[intent.step]]
look_up = { service = 'crm', url = '/orders/{number}', fields = { state = 'order.state' } }
[[intent.step]]
when = { state = ['sent', 'ready'] }
answer = 'hello'
[[intent.step]]
offer = 'hello'
no = 'agent'
[[intent]]
name = 'agent'
[[intent.step]]
hand_over = true
[[test]]
name = 'an order'
say = ['where is it', '/keys 4711#']
expect = { intent = 'order', slots = { number = '4711' } }
";

const EXAMPLES: &str =
    "language = 'en'\n[examples]\norder = ['where is my order']\nagent = ['a person']\nnone = ['hi']\n";

fn loaded(bot: &str, examples: &str) -> Result<Loaded, Vec<Finding>> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("relais.toml", "bots = ['bots/*.toml']\n[[service]]\nid = 'crm'\nbase_url = 'http://127.0.0.1:1'\n");
    write("plans/a.toml", "numbers = ['1']\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'hangup'\n");
    write("prompts/prompts.toml", "[hello]\nen = 'Hello.'\n");
    write("prompts/en/hello.wav", "");
    write("bots/desk.toml", bot);
    write("bots/desk/en.toml", examples);
    load(&folder.path().join("relais.toml"), &Overrides::default())
}

fn findings(bot: &str, examples: &str) -> Vec<Finding> {
    match loaded(bot, examples) {
        Ok(loaded) => loaded.warnings,
        Err(findings) => findings,
    }
}

#[test]
fn a_bot_is_read() {
    let loaded = loaded(BOT, EXAMPLES).unwrap_or_else(|findings| panic!("{findings:#?}"));
    let described = &loaded.bots[0];
    let bot = &described.bot;
    assert_eq!((bot.name.as_str(), bot.misses, bot.languages.len()), ("desk", 2, 1));
    assert_eq!(bot.intents[0].steps.len(), 4);
    let Act::Offer { yes, no, .. } = &bot.intents[0].steps[3].act else { panic!("no offer") };
    assert_eq!((yes, no), (&Then::GoOn, &Then::Intent(1)));
    assert_eq!(bot.examples.values().map(Vec::len).sum::<usize>(), 3);
    assert_eq!(described.cases.len(), 1);
    let few = loaded.warnings.iter().filter(|finding| finding.message.contains("fewer than"));
    assert_eq!(few.count(), 1, "{:?}", loaded.warnings);
}

#[test]
fn every_fault_is_found_at_its_place() {
    for (wrong, right, place, word) in [
        ("ask = 'nubmer'", "ask = 'number'", (22, 7), "did you mean 'number'?"),
        ("service = 'cmr'", "service = 'crm'", (24, 23), "did you mean 'crm'?"),
        ("url = '/orders/{nubmer}'", "url = '/orders/{number}'", (24, 36), "did you mean 'number'?"),
        (
            "when = { stat = ['sent', 'ready'] }",
            "when = { state = ['sent', 'ready'] }",
            (26, 10),
            "did you mean 'state'?",
        ),
        ("kind = 'digit'", "kind = 'digits'", (14, 8), "did you mean 'digits'?"),
        ("least = 8", "least = 4", (14, 8), "least is more than most"),
        ("no = 'agnet'", "no = 'agent'", (30, 6), "did you mean 'agent'?"),
        ("key = '0'", "key = '1'", (20, 7), "0 always leads to a person"),
        ("goodbye = 'helo'", "goodbye = 'hello'", (10, 11), "did you mean 'hello'?"),
        ("hand_over = false", "hand_over = true", (34, 13), "does nothing"),
        ("'/keys 47x#'", "'/keys 4711#'", (37, 23), "is no key of a telephone"),
        ("intent = 'oder'", "intent = 'order'", (38, 21), "did you mean 'order'?"),
        (
            "name = 'None'\n[[intent.step]]\nask",
            "name = 'order'\nkey = '1'\n[[intent.step]]\nask",
            (19, 8),
            "cannot be the name",
        ),
        ("mises = 3\nexamples", "examples", (2, 1), "did you mean 'misses'?"),
    ] {
        let text = BOT.replace(right, wrong);
        assert_ne!(text, BOT, "{right}");
        let found = findings(&text, EXAMPLES);
        let fits = |finding: &Finding| {
            finding.file.ends_with("desk.toml")
                && (finding.line, finding.column) == place
                && finding.to_string().contains(word)
        };
        assert!(found.iter().any(fits), "{wrong}\n{found:#?}");
    }
}

#[test]
fn examples_are_checked_too() {
    for (wrong, place, word) in [
        ("language = 'en'\n[examples]\noder = ['a']\n", (3, 1), "did you mean 'order'?"),
        ("language = 'en'\n[examples]\norder = ['same']\nagent = ['Same!']\n", (3, 10), "stands for"),
        ("language = 'en'\n[examples]\norder = ['...']\n", (3, 10), "has 1 to"),
        ("language = 'en'\n[examples]\norder = ['same']\n[listen_for]\nagent = ['Same!']\n", (5, 10), "stands for"),
        ("language = 'en'\n[listen_for]\noder = ['a']\n", (3, 1), "did you mean 'order'?"),
        (
            "language = 'en'\n[listen_for]\norder = ['a sentence of so much more than forty letters']\n",
            (3, 10),
            "1 to 40",
        ),
        ("[examples]\n", (1, 1), "language is missing"),
        ("language = 'en'\n[words]\nangre = ['x']\n", (3, 1), "did you mean 'anger'?"),
    ] {
        let found = findings(BOT, wrong);
        let fits = |finding: &Finding| (finding.line, finding.column) == place && finding.to_string().contains(word);
        assert!(found.iter().any(fits), "{wrong}\n{found:#?}");
    }
}

#[test]
fn what_is_listened_for_is_an_example_too() {
    let own = "[listen_for]\norder = ['My order?', 'where is my parcel']\nagent = ['Agent']\n";
    let loaded = loaded(BOT, &format!("{EXAMPLES}{own}")).expect("no error");
    let bot = &loaded.bots[0].bot;
    let english = crate::ids::Language::from("en");
    let listen_for = &bot.listen_for[&english];
    let intent = |name: &str| bot.intents.iter().position(|intent| intent.name == name);
    let of = |text: &str, intent| (text.to_owned(), intent);
    let (order, agent) = (intent("order"), intent("agent"));
    assert_eq!(listen_for.phrases, [of("agent", agent), of("my order", order), of("where is my parcel", order)]);
    assert_eq!(listen_for.also, [of("a person", agent), of("hi", None), of("where is my order", order)]);
    let examples: Vec<&str> = bot.examples[&english].iter().map(|(text, _)| text.as_str()).collect();
    assert!(examples.contains(&"My order?") && examples.contains(&"Agent"), "{examples:?}");
    assert_eq!(bot.without_examples().listen_for, bot.listen_for);
}

/// Reads a bot that has every kind of table.
pub(super) fn read_every_table() {
    let bot = BOT.replace("[texts]", "[thresholds]\n[times]\n[texts]");
    let examples = format!("{EXAMPLES}[words]\nanger = ['damn']\n");
    assert!(loaded(&bot, &examples).is_ok());
}
