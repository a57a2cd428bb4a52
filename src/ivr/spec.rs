//! What a module takes and gives, as tables: for checking the operator's files and for their documentation.

use serde::{Deserialize, Serialize};

use super::comforts::comforts;
use super::inputs::{Value, skills, widenings};
use crate::bridge::Digit;

/// A module, as it is documented and checked.
#[derive(Debug)]
pub struct Spec {
    pub name: &'static str,
    pub summary: &'static str,
    pub inputs: &'static [Input],
    pub outputs: &'static [Output],
    pub ends: Ends,
    /// Inputs of any other name are taken too, of any type (`set`).
    pub free_inputs: bool,
}

#[derive(Debug)]
pub struct Input {
    pub name: &'static str,
    pub kind: Kind,
    pub need: Need,
    pub doc: &'static str,
}

#[derive(Debug)]
pub struct Output {
    pub name: &'static str,
    pub kind: OutputKind,
    pub doc: &'static str,
}

/// The type of an output. What can be told beforehand is checked beforehand: a condition that compares with a word the
/// module never gives is a finding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OutputKind {
    Text,
    Flag,
    Integer,
    /// A number with decimals.
    Double,
    List,
    /// A table of anything.
    Map,
    /// One of these words and no other.
    Word(&'static [&'static str]),
    /// One of the meanings in this input of the rule, or the input `default` where the module has one.
    Choice(&'static str),
    /// Known at run time only.
    Any,
}

impl OutputKind {
    /// In words, for findings and documentation.
    pub fn describe(self) -> String {
        match self {
            OutputKind::Text => "a text".into(),
            OutputKind::Flag => "true or false".into(),
            OutputKind::Integer => "a whole number".into(),
            OutputKind::Double => "a number with decimals".into(),
            OutputKind::List => "a list".into(),
            OutputKind::Map => "a table".into(),
            OutputKind::Word(words) => format!("one of {}", words.join(", ")),
            OutputKind::Choice(_) => "one of the choices".into(),
            OutputKind::Any => "a value of any type".into(),
        }
    }
}

/// Whether the plan goes on after the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// The next level runs.
    Never,
    /// The call is over.
    Always,
    /// The call is over, unless the caller chose something of an `offer`.
    UnlessChosen,
    /// The call is with a person; the next level runs only when nobody answered.
    WhenAnswered,
}

impl Ends {
    /// In words, for documentation.
    pub fn describe(self) -> &'static str {
        match self {
            Ends::Never => "The next level runs.",
            Ends::Always => "The call is over.",
            Ends::UnlessChosen => "The call is over, unless the caller chose something of an `offer`.",
            Ends::WhenAnswered => {
                "The call is with a person; the next level runs only when nobody answered, and `result` says why."
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Need {
    Required,
    Optional,
    Text(&'static str),
    Integer(i64),
    Flag(bool),
}

/// The type of an input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Text,
    Flag,
    /// Inclusive bounds.
    Integer {
        min: i64,
        max: i64,
    },
    /// The name of a prompt, or a list of names played one after the other, in which values may stand:
    /// `["your-number-is", { say = "digits", value = "4711" }]`. `fr:hello` is a prompt in a language of its own.
    Prompt,
    Queue,
    /// Opening hours of the configuration.
    Calendar,
    /// A bot of the configuration.
    Bot,
    /// A level of the same plan.
    Level,
    Language,
    /// `agent:201`, `tel:+33155501`.
    Target,
    /// A table from keys to what they mean: `{ 1 = "sales", 2 = "support" }`.
    Choices,
    /// The id of an agent: `201`; `agent:201` is the same.
    Agent,
    /// Telephone keys: `*0`.
    Keys,
    /// A number pattern: `NNNN`.
    Pattern,
    /// Skills an agent must have: a list of names, or a table from names to the least level.
    Skills,
    /// How less is asked for as time goes by: `[{ after_s = 30, level = 2 }]`.
    Widening,
    /// What is said to one who waits: `[{ prompt = "please-wait", after_s = 20, every_s = 60 }]`.
    Comforts,
    /// An HTTP service of the configuration.
    Service,
    /// A text with expressions in braces: `/customers/{call.from}`.
    Template,
    /// A table of free names whose values may be `{ cel = "…" }`, at any depth.
    Values,
    /// Values to be taken out of an answer, each by a path: see `Fields`.
    Fields,
    /// A list of numbers of the configuration, or several of them.
    Lists,
    /// One of these words.
    Word(&'static [&'static str]),
}

impl Kind {
    /// One that could stand in a plan, as it is written.
    pub fn sample(self) -> String {
        match self {
            Kind::Text => "\"text\"".into(),
            Kind::Flag => "true".into(),
            Kind::Integer { min, .. } => min.to_string(),
            Kind::Prompt => "\"greeting\"".into(),
            Kind::Queue | Kind::Calendar => "\"support\"".into(),
            Kind::Level => "\"menu\"".into(),
            Kind::Language => "\"fr\"".into(),
            Kind::Target => "\"agent:201\"".into(),
            Kind::Agent => "\"201\"".into(),
            Kind::Choices => "{ 1 = \"sales\", 2 = \"support\" }".into(),
            Kind::Keys => "\"*0\"".into(),
            Kind::Pattern => "\"NNNN\"".into(),
            Kind::Skills => "[\"billing\"]".into(),
            Kind::Widening => "[{ after_s = 30, level = 2 }]".into(),
            Kind::Comforts => "[{ prompt = \"greeting\", after_s = 20, every_s = 60 }]".into(),
            Kind::Bot => "\"service-desk\"".into(),
            Kind::Service => "\"crm\"".into(),
            Kind::Template => "\"/customers/{call.from}\"".into(),
            Kind::Values => "{ number = { cel = \"call.from\" } }".into(),
            Kind::Fields => "{ tier = { path = \"customer.tier\", default = \"none\" } }".into(),
            Kind::Lists => "\"spam\"".into(),
            Kind::Word(words) => format!("{:?}", words.first().unwrap_or(&"")),
        }
    }

    /// In words, for findings and documentation.
    pub fn describe(self) -> String {
        match self {
            Kind::Text => "a text".into(),
            Kind::Flag => "true or false".into(),
            Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Prompt => "the name of a prompt, or a list of names and values to say".into(),
            Kind::Queue => "the name of a queue".into(),
            Kind::Calendar => "the name of a calendar".into(),
            Kind::Level => "the name of a level of this plan".into(),
            Kind::Language => "a language such as \"en\"".into(),
            Kind::Target => "an agent, as \"agent:201\", or a number, as \"tel:+33155501\"".into(),
            Kind::Agent => "the id of an agent, as \"201\"".into(),
            Kind::Choices => "a table of keys, as { 1 = \"sales\", 2 = \"support\" }".into(),
            Kind::Keys => "telephone keys, as \"*0\"".into(),
            Kind::Pattern => "a pattern of digits and N (any digit), as \"NNNN\"".into(),
            Kind::Skills => {
                "a list of skills, as [\"billing\"], or a table with the least level of each, as { billing = 3 }".into()
            }
            Kind::Widening => "a list of steps, as [{ after_s = 30, level = 2 }, { after_s = 60, level = 0 }]".into(),
            Kind::Comforts => {
                "a list of what is said and when, as [{ prompt = \"please-wait\", after_s = 20, every_s = \
                               60 }, { say = \"estimate\", after_s = 45 }]"
                    .into()
            }
            Kind::Bot => "the name of a bot".into(),
            Kind::Service => "the name of a service".into(),
            Kind::Template => "a text with expressions in braces, as \"/customers/{call.from}\"".into(),
            Kind::Values => "a table of values, as { number = { cel = \"call.from\" } }".into(),
            Kind::Fields => "a table of paths, as { tier = { path = \"customer.tier\", default = \"none\" } }".into(),
            Kind::Lists => "the name of a list of numbers, or a list of names".into(),
            Kind::Word(words) => format!("one of {}", words.join(", ")),
        }
    }
}

impl Kind {
    /// Whether a value that was worked out at run time can be taken. Names are looked up by the modules themselves.
    pub fn fits(self, value: &Value) -> bool {
        match (self, value) {
            (Kind::Flag, Value::Flag(_)) => true,
            (Kind::Integer { min, max }, Value::Integer(integer)) => (min..=max).contains(integer),
            (Kind::Prompt | Kind::Lists, Value::List(items)) => items.iter().all(|item| item.as_text().is_some()),
            (Kind::Choices, Value::Map(entries)) => {
                !entries.is_empty() && entries.keys().all(|keys| keys.chars().all(|key| Digit::new(key).is_some()))
            }
            (Kind::Values, Value::Map(_)) => true,
            // What is taken out of an answer, and which list is meant, is said when the plan is written.
            (Kind::Template | Kind::Fields | Kind::Values, _) => false,
            (Kind::Word(words), Value::Text(text)) => words.contains(&text.as_str()),
            (Kind::Skills, value) => skills(value).is_some(),
            (Kind::Widening, value) => widenings(value).is_ok(),
            (Kind::Comforts, value) => comforts(value).is_ok(),
            (Kind::Flag | Kind::Integer { .. } | Kind::Choices, _) => false,
            (_, value) => value.as_text().is_some(),
        }
    }
}

/// Every module there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Module {
    Announce,
    Calendar,
    Callback,
    Callbot,
    Conference,
    Deter,
    Distribute,
    Echo,
    Estimate,
    Gather,
    Hangup,
    Jump,
    Language,
    Lookup,
    Menu,
    Record,
    Screen,
    Set,
    Silence,
    Survey,
    Transfer,
    Voicemail,
    Webhook,
}

impl Module {
    pub const ALL: [Module; 23] = [
        Module::Announce,
        Module::Calendar,
        Module::Callback,
        Module::Callbot,
        Module::Conference,
        Module::Deter,
        Module::Distribute,
        Module::Echo,
        Module::Estimate,
        Module::Gather,
        Module::Hangup,
        Module::Jump,
        Module::Language,
        Module::Lookup,
        Module::Menu,
        Module::Record,
        Module::Screen,
        Module::Set,
        Module::Silence,
        Module::Survey,
        Module::Transfer,
        Module::Voicemail,
        Module::Webhook,
    ];

    pub fn spec(self) -> &'static Spec {
        match self {
            Module::Announce => &super::announce::SPEC,
            Module::Calendar => &super::calendar::SPEC,
            Module::Callback => &super::callback::SPEC,
            Module::Callbot => &super::callbot::SPEC,
            Module::Conference => &super::conference::SPEC,
            Module::Deter => &super::deter::SPEC,
            Module::Distribute => &super::distribute::SPEC,
            Module::Echo => &super::echo::SPEC,
            Module::Estimate => &super::estimate::SPEC,
            Module::Gather => &super::gather::SPEC,
            Module::Hangup => &super::hangup::SPEC,
            Module::Jump => &super::jump::SPEC,
            Module::Language => &super::language::SPEC,
            Module::Lookup => &super::lookup::SPEC,
            Module::Menu => &super::menu::SPEC,
            Module::Record => &super::record::SPEC,
            Module::Screen => &super::screen::SPEC,
            Module::Set => &super::set::SPEC,
            Module::Silence => &super::silence::SPEC,
            Module::Survey => &super::survey::SPEC,
            Module::Transfer => &super::transfer::SPEC,
            Module::Voicemail => &super::voicemail::SPEC,
            Module::Webhook => &super::webhook::SPEC,
        }
    }

    /// Whether an output holds what the caller typed, which no trace shows.
    pub fn is_private(self, output: &str) -> bool {
        matches!((self, output), (Module::Gather, "digits"))
    }

    pub fn from_name(name: &str) -> Option<Module> {
        Module::ALL.into_iter().find(|module| module.spec().name == name)
    }
}

impl Spec {
    pub fn input(&self, name: &str) -> Option<&'static Input> {
        self.inputs.iter().find(|input| input.name == name)
    }

    pub fn output(&self, name: &str) -> Option<&'static Output> {
        self.outputs.iter().find(|output| output.name == name)
    }
}
