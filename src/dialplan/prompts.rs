//! Checks what a rule has its module say: names of prompts, and values among them.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::computed::expression_of;
use super::inputs::Checker;
use super::nested::Nested;
use super::reader::{type_of, value_of};
use crate::findings::{Findings, suggest};
use crate::ivr::{Kind, SAY_KEYS, Value, amount_of, said_of};
use crate::spoken::{self, Said};

/// More than anybody listens to.
const MOST_ITEMS: usize = 100;

impl Checker<'_> {
    /// One name, one value, or a list of such. Values that are to be worked out go into `nested`.
    pub(super) fn check_prompts(
        &self,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        nested: &mut Vec<Nested>,
        findings: &mut Findings<'_>,
    ) -> Option<Value> {
        let mut one = |at: usize, item: &Spanned<DeValue<'_>>, findings: &mut Findings<'_>| match item.get_ref() {
            DeValue::String(prompt) => {
                self.check_prompt(prompt, item.span(), findings);
                Some(Value::Text(prompt.clone().into_owned()))
            }
            DeValue::Table(entry) => {
                let (fixed, computed) = self.check_said(name, entry, item.span(), findings)?;
                let path = vec![name.to_owned(), at.to_string(), "value".to_owned()];
                nested.extend(computed.map(|computed| Nested { path, computed }));
                Some(fixed)
            }
            other => {
                let message = format!("{name} is {}; it is to be {}", type_of(other), Kind::Prompt.describe());
                findings.error(item.span(), message, None);
                None
            }
        };
        match value.get_ref() {
            DeValue::Array(items) if items.is_empty() || items.len() > MOST_ITEMS => {
                let message = format!("{name} is a list of {}; it has 1 to {MOST_ITEMS} entries", items.len());
                findings.error(value.span(), message, None);
                None
            }
            DeValue::Array(items) => {
                let items = items.iter().enumerate().map(|(at, item)| one(at, item, findings));
                // Every item is looked at, so that all is found at once.
                items.collect::<Vec<_>>().into_iter().collect::<Option<_>>().map(Value::List)
            }
            DeValue::Table(_) => one(0, value, findings).map(|item| Value::List(vec![item])),
            _ => one(0, value, findings),
        }
    }

    /// `{ say = "number", value = 3, of = "minutes" }`: the entry, and its value where that is an expression.
    fn check_said(
        &self,
        name: &str,
        entry: &DeTable<'_>,
        span: Range<usize>,
        findings: &mut Findings<'_>,
    ) -> Option<(Value, Option<super::condition::Computed>)> {
        for key in entry.keys().filter(|key| !SAY_KEYS.contains(&key.get_ref().as_ref())) {
            let hint = suggest(key.get_ref(), SAY_KEYS);
            findings.error(key.span(), format!("{name}: a value has no '{}'", key.get_ref()), hint);
        }
        let kind = self.check_say(name, entry, span.clone(), findings)?;
        self.check_set(name, kind, entry, span.clone(), findings)?;
        let Some(value) = entry.get("value") else {
            let hint = format!("write value = … ({}), or value = {{ cel = \"…\" }}", kind.describe());
            findings.error(span, format!("{name}: what is said has no value"), hint);
            return None;
        };
        let computed = match expression_of(value) {
            Some(text) => Some(self.check_computed("value", None, text, findings)?),
            None => None,
        };
        let mut fixed: Vec<(String, Value)> = Vec::new();
        for (key, item) in entry {
            let expression = key.get_ref() == "value" && computed.is_some();
            fixed
                .extend(value_of(item.get_ref()).filter(|_| !expression).map(|item| (key.get_ref().to_string(), item)));
        }
        let fixed = fixed.into_iter().collect();
        if computed.is_none() {
            let said = said_of(&fixed);
            let fits = |said: &Said| fixed.get("value").and_then(amount_of).is_some_and(|amount| said.fits(amount));
            if !said.as_ref().is_some_and(fits) {
                let message = format!("{name}: this value cannot be said as {}", kind.name());
                findings.error(value.span(), message, format!("it is to be {}", kind.describe()));
                return None;
            }
        }
        Some((Value::Map(fixed), computed))
    }

    fn check_say(
        &self,
        name: &str,
        entry: &DeTable<'_>,
        span: Range<usize>,
        findings: &mut Findings<'_>,
    ) -> Option<spoken::Kind> {
        let known = spoken::Kind::ALL.map(spoken::Kind::name);
        let Some(say) = entry.get("say") else {
            let hint = format!("write say = \"…\", one of {}", known.join(", "));
            findings.error(span, format!("{name}: a value among prompts needs to know how it is said"), hint);
            return None;
        };
        let text = say.get_ref().as_str().unwrap_or_default();
        let kind = spoken::Kind::from_name(text);
        if kind.is_none() {
            findings.error(say.span(), format!("{name}: nothing is said as '{text}'"), suggest(text, known));
        }
        kind
    }

    /// `of` or `currency`, and whether every language that the caller may hear has the rules.
    fn check_set(
        &self,
        name: &str,
        kind: spoken::Kind,
        entry: &DeTable<'_>,
        span: Range<usize>,
        findings: &mut Findings<'_>,
    ) -> Option<()> {
        use spoken::Kind::{Money, Number, Ordinal};
        let takes = match kind {
            Money => Some("currency"),
            Number | Ordinal => Some("of"),
            _ => None,
        };
        for key in ["currency", "of"].into_iter().filter(|key| Some(*key) != takes) {
            if let Some(other) = entry.get(key) {
                findings.error(other.span(), format!("{name}: {} takes no {key}", kind.name()), None);
                return None;
            }
        }
        let given = takes.and_then(|key| entry.get(key));
        if kind == Money && given.is_none() {
            let hint = "write currency = \"EUR\"".to_owned();
            findings.error(span, format!("{name}: money needs a currency"), hint);
            return None;
        }
        let text = given.map(|given| given.get_ref().as_str().unwrap_or_default().to_owned());
        let set = if kind == Money { text.map(|text| text.to_ascii_lowercase()) } else { text };
        let place = given.map_or(span, Spanned::span);
        for language in &self.languages {
            let Some(table) = self.names.spoken.get(language) else {
                let hint = format!("write {language}/spoken.toml in the folder of prompts; SPOKEN.md there says how");
                findings.error(place.clone(), format!("{name}: values cannot be said in language '{language}'"), hint);
                return None;
            };
            let lacks = table.lacks(kind, set.as_deref());
            if !lacks.is_empty() {
                let message = format!("{name}: {language}/spoken.toml lacks {}", lacks.join(" and "));
                let hint = set.as_deref().and_then(|set| suggest(set, table.set_names()));
                findings.error(place.clone(), message, hint);
                return None;
            }
        }
        Some(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use crate::bridge::PlayItem;
    use crate::caller::CallerFacts;
    use crate::dialplan::{Facts, Names, NoQueues, Plans, Run, RunAction, RunInput};
    use crate::findings::Source;
    use crate::ids::{CallId, Language};
    use crate::spoken::{Base, Draft, Set, Table, parse_format, parse_rule};
    use crate::time::{Instant, Now};

    /// A language of three numbers.
    pub fn table() -> Table {
        let set = |rules: &[(&str, &str)]| {
            let rule = |(base, text): &(&str, &str)| (Base::parse(base).unwrap(), parse_rule(text).unwrap());
            Set { rules: rules.iter().map(rule).collect(), ..Set::default() }
        };
        let number = set(&[("0", "none"), ("1", "one"), ("2", "two"), ("3", "many")]);
        let things = set(&[("0", "=number things")]);
        let minutes = set(&[("0", "=number minutes")]);
        let eur = set(&[("0", "coins"), ("100/100", "<number euros")]);
        let sets = [("number", number), ("things", things), ("minutes", minutes), ("eur", eur)];
        let sets = sets.map(|(name, set)| (name.to_owned(), set)).into();
        let formats = ["today", "tomorrow", "this-week", "later"];
        let formats = formats.map(|format| (format.to_owned(), parse_format("then").unwrap())).into();
        Draft { sets, formats, ..Draft::default() }.build().unwrap()
    }

    fn plan(prompt: &str) -> Source {
        let text = format!(
            "numbers = ['1']\n[params]\nplace = 2\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'announce'\n\
             in = {{ prompt = {prompt} }}\n[[level]]\nname = 'b'\n[[level.rule]]\nmodule = 'hangup'\n"
        );
        Source { path: "a.toml".to_owned(), text }
    }

    fn names(spoken: &[&str]) -> Names {
        Names {
            default_language: Some(Language::from("en")),
            prompts: [(Language::from("en"), ["you-are".to_owned(), "welcome".to_owned()].into())].into(),
            spoken: spoken.iter().map(|language| (Language::from(*language), table())).collect::<BTreeMap<_, _>>(),
            ..Names::default()
        }
    }

    /// The names of what the caller hears first.
    fn heard(prompt: &str) -> Vec<String> {
        let name = |item: PlayItem| match item {
            PlayItem::Prompt { name, .. } => name,
            other => panic!("{other:?}"),
        };
        played(prompt).into_iter().map(name).collect()
    }

    fn played(prompt: &str) -> Vec<PlayItem> {
        let plans = Plans::load(vec![plan(prompt)], names(&["en"])).unwrap_or_else(|findings| panic!("{findings:?}"));
        let now = Now { instant: Instant(0), wall: "2026-11-25T11:00:00Z".parse().unwrap() };
        let facts = Facts {
            call_id: CallId(7),
            from: "+33155501".to_owned(),
            to: "1".to_owned(),
            trunk: None,
            headers: BTreeMap::new(),
            language: Language::from("en"),
            caller: CallerFacts::default(),
            earlier_calls_s: Vec::new(),
        };
        let mut run = Run::new(&plans, &plans.find("1", &[]).unwrap(), facts);
        run.handle(&plans, RunInput::Start, &NoQueues, now);
        let mut played = Vec::new();
        while let Some(action) = run.poll_action() {
            if let RunAction::Play { items, .. } = action {
                played.extend(items);
            }
        }
        played
    }

    #[test]
    fn values_are_said_among_prompts() {
        assert_eq!(
            heard("['you-are', { say = 'number', value = 2 }, 'welcome']"),
            ["you-are", "spoken-two", "welcome"]
        );
        assert_eq!(heard("{ say = 'number', of = 'things', value = '1' }"), ["spoken-one", "spoken-things"]);
        assert_eq!(heard("{ say = 'money', currency = 'EUR', value = '2.00' }"), ["spoken-two", "spoken-euros"]);
    }

    #[test]
    fn a_prompt_can_name_its_language() {
        let item = |name: &str, language: &str| PlayItem::Prompt { name: name.to_owned(), language: language.into() };
        assert_eq!(played("['en:you-are', 'welcome']"), [item("you-are", "en"), item("welcome", "en")]);
        for (prompt, word) in [
            ("'fr:welcome'", "there is no prompt 'welcome' in language 'fr'"),
            ("'en:wellcome'", "did you mean 'welcome'?"),
        ] {
            let findings = Plans::load(vec![plan(prompt)], names(&["en"])).unwrap_err();
            assert!(findings.iter().any(|finding| finding.to_string().contains(word)), "{prompt}: {findings:?}");
        }
    }

    #[test]
    fn values_are_worked_out_when_the_rule_runs() {
        let computed = "['you-are', { say = 'number', value = { cel = 'params.place + 1' } }, 'welcome']";
        assert_eq!(heard(computed), ["you-are", "spoken-many", "welcome"]);
    }

    #[test]
    fn a_value_that_cannot_be_said_leaves_the_rest() {
        let number = "['you-are', { say = 'number', value = { cel = 'call.from + \"x\"' } }, 'welcome']";
        assert_eq!(heard(number), ["you-are", "welcome"]);
        let missing = "['you-are', { say = 'number', value = { cel = 'call.headers.nothing' } }, 'welcome']";
        assert_eq!(heard(missing), ["you-are", "welcome"]);
    }

    #[test]
    fn faults_of_values_are_found_at_their_place() {
        for (prompt, column, word) in [
            ("{ say = 'numbr', value = 2 }", 25, "did you mean 'number'?"),
            ("{ value = 2 }", 17, "how it is said"),
            ("{ say = 'number' }", 17, "has no value"),
            ("{ say = 'number', value = 'two' }", 43, "cannot be said as number"),
            ("{ say = 'number', value = 2, as = 'x' }", 46, "has no 'as'"),
            ("{ say = 'number', value = 2, of = 'thing' }", 51, "did you mean 'things'?"),
            ("{ say = 'number', value = 2, currency = 'EUR' }", 57, "takes no currency"),
            ("{ say = 'money', value = 2 }", 17, "needs a currency"),
            ("{ say = 'money', value = 2, currency = 'USD' }", 56, "lacks [rules.usd]"),
            ("{ say = 'date', value = '2026-12-25' }", 17, "lacks date in [formats]"),
            ("['you-are', { say = 'number', value = { cel = 'nothing' } }]", 64, "no rule sets 'nothing'"),
            ("['you-are', 7]", 29, "prompt is a whole number"),
            ("[]", 17, "list of 0"),
        ] {
            let findings = Plans::load(vec![plan(prompt)], names(&["en"])).unwrap_err();
            let found = findings
                .iter()
                .any(|finding| (finding.line, finding.column) == (8, column) && finding.to_string().contains(word));
            assert!(found, "{prompt}: {findings:?}");
        }
    }

    #[test]
    fn a_language_without_words_is_found() {
        let findings = Plans::load(vec![plan("{ say = 'number', value = 2 }")], names(&[])).unwrap_err();
        assert!(findings[0].to_string().contains("values cannot be said in language 'en'"), "{findings:?}");
    }
}
