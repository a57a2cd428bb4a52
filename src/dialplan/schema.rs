//! The form of plan files as a JSON Schema, for editors: made from the tables that modules declare.

use serde_json::{Map, Value as Json, json};

use super::case::{EXPECTATIONS, OUTCOMES};
use super::plan::Plans;
use crate::ivr::{Kind, Module, Names, Need};
use crate::spoken;

/// The schema (draft 7, which editors of TOML know). With the plans of a configuration, names are completed and checked
/// too.
pub fn schema(plans: Option<&Plans>) -> Json {
    let names = plans.map(Plans::names);
    let module_names: Vec<&str> = Module::ALL.iter().map(|module| module.spec().name).collect();
    let modules: Vec<Json> = Module::ALL.iter().map(|module| module_schema(*module, names)).collect();
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Plan",
        "description": "A dialplan of Relais: the levels run in order; of a level the first rule whose condition holds.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "name": { "type": "string", "description": "The plan's name; the file's where it is not given." },
            "numbers": {
                "type": "array",
                "description": "The numbers that reach it: digits, N or X (any digit), Z (1-9), . at the end (one or more digits).",
                "items": { "type": "string", "pattern": r"^[0-9*#+NXZ]+\.?$", "maxLength": 64 },
            },
            "number": {
                "type": "array",
                "description": "Numbers that give inputs of their own.",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["number"],
                    "properties": {
                        "number": { "type": "string", "pattern": r"^[0-9*#+NXZ]+\.?$", "maxLength": 64 },
                        "in": { "type": "object" },
                    },
                },
            },
            "time_zone": { "type": "string", "description": "Whose clock `now` is, as \"Europe/Paris\"." },
            "inputs": declared("What a number or a calling rule gives; seen as inputs.NAME."),
            "outputs": declared("What a calling rule gets: the variables of these names."),
            "variables": declared("Variables that may be used before a rule sets them."),
            "language": named("The language its calls begin in.", names.map(languages)),
            "params": { "type": "object", "description": "Constants; conditions see them as params.NAME." },
            "level": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["name"],
                    "properties": {
                        "name": { "type": "string", "minLength": 1 },
                        "rule": { "type": "array", "items": { "$ref": "#/definitions/rule" } },
                    },
                },
            },
            "test": { "type": "array", "items": { "$ref": "#/definitions/test" } },
        },
        "definitions": {
            "rule": {
                "type": "object",
                "additionalProperties": false,
                "required": ["module"],
                "properties": {
                    "when": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": 2000,
                        "description": "A condition in CEL over call, params, and the variables of earlier rules.",
                    },
                    "module": {
                        "description": "A module, or the name of a plan of one's own.",
                        "anyOf": [{ "type": "string", "enum": module_names }, { "$ref": "#/definitions/own_plan" }],
                    },
                    "in": { "type": "object" },
                    "out": { "type": "object" },
                },
                "allOf": modules,
            },
            "own_plan": match plans {
                Some(plans) => json!({ "type": "string", "enum": texts(plans.iter().map(|plan| &plan.id)) }),
                // A misspelt module has mostly no hyphen.
                None => json!({ "type": "string", "pattern": "-" }),
            },
            "declaration": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "type": { "type": "string", "enum": super::declared::type_names() },
                    "words": { "type": "array", "items": { "type": "string" } },
                    "default": {},
                    "doc": { "type": "string" },
                },
            },
            "said": {
                "type": "object",
                "description": "A value among prompts, and how it is said.",
                "additionalProperties": false,
                "required": ["say", "value"],
                "properties": {
                    "say": { "type": "string", "enum": spoken::Kind::ALL.map(spoken::Kind::name) },
                    "value": {},
                    "of": { "type": "string" },
                    "currency": { "type": "string" },
                },
            },
            "computed": {
                "type": "object",
                "additionalProperties": false,
                "required": ["cel"],
                "properties": { "cel": { "type": "string", "minLength": 1, "maxLength": 2000 } },
            },
            "test": test_schema(),
        },
    })
}

/// What stands in `in` and `out` of a rule with this module.
fn module_schema(module: Module, names: Option<&Names>) -> Json {
    let spec = module.spec();
    let mut inputs = Map::new();
    let mut required = Vec::new();
    for input in spec.inputs {
        let mut form = json!({ "anyOf": [kind_schema(input.kind, names), { "$ref": "#/definitions/computed" }] });
        describe(&mut form, input.doc, input.need);
        inputs.insert(input.name.to_owned(), form);
        if input.need == Need::Required {
            required.push(input.name);
        }
    }
    let outputs: Map<String, Json> = spec
        .outputs
        .iter()
        .map(|output| {
            let form = json!({
                "type": "string",
                "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
                "description": format!("The variable that gets: {}", output.doc),
            });
            (output.name.to_owned(), form)
        })
        .collect();
    // The fields that a look-up takes out of an answer are outputs too.
    let free_outputs = match spec.inputs.iter().any(|input| input.kind == Kind::Fields) {
        true => json!({ "type": "string" }),
        false => json!(false),
    };
    let mut then = json!({
        "properties": {
            "in": {
                "type": "object",
                "description": spec.summary,
                "properties": inputs,
                "additionalProperties": spec.free_inputs,
                "required": required,
            },
            "out": { "type": "object", "properties": outputs, "additionalProperties": free_outputs },
        },
    });
    if let (false, Some(then)) = (required.is_empty(), then.as_object_mut()) {
        then.insert("required".to_owned(), json!(["in"]));
    }
    json!({ "if": { "properties": { "module": { "const": spec.name } }, "required": ["module"] }, "then": then })
}

fn describe(form: &mut Json, doc: &str, need: Need) {
    let Some(form) = form.as_object_mut() else { return };
    form.insert("description".to_owned(), json!(doc));
    let default = match need {
        Need::Required | Need::Optional => return,
        Need::Text(text) => json!(text),
        Need::Integer(integer) => json!(integer),
        Need::Flag(flag) => json!(flag),
    };
    form.insert("default".to_owned(), default);
}

fn kind_schema(kind: Kind, names: Option<&Names>) -> Json {
    let known = |list: fn(&Names) -> Vec<String>| names.map(list);
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Prompt => {
            let one = json!({
                "anyOf": [
                    named("The name of a prompt.", known(prompts)),
                    { "type": "string", "description": "In a language of its own.", "pattern": "^[A-Za-z-]+:" },
                ],
            });
            let item = json!({ "anyOf": [one, { "$ref": "#/definitions/said" }] });
            json!({ "anyOf": [item, { "type": "array", "minItems": 1, "items": item }] })
        }
        Kind::Queue => named("The name of a queue.", known(|names| texts(names.queues.iter()))),
        Kind::Calendar => named("The name of a calendar.", known(|names| texts(names.calendars.keys()))),
        Kind::Level => named("The name of a level of this plan.", None),
        Kind::Language => named("A language.", known(languages)),
        Kind::Target => named(
            "Who is rung, as agent:201.",
            known(|names| names.agents.iter().map(|agent| format!("agent:{agent}")).collect()),
        ),
        Kind::Agent => named("An agent.", known(|names| texts(names.agents.iter()))),
        Kind::Choices => json!({
            "type": "object",
            "minProperties": 1,
            "propertyNames": { "pattern": r"^[0-9*#]{1,8}$" },
            "additionalProperties": { "type": ["string", "integer"] },
        }),
        Kind::Keys => json!({ "type": "string", "pattern": "^[0-9*#]*$" }),
        Kind::Pattern => json!({ "type": "string", "pattern": r"^[0-9*#+NXZ]+\.?$" }),
        Kind::Skills => json!({
            "anyOf": [
                { "type": "array", "items": { "type": "string" } },
                { "type": "object", "additionalProperties": { "type": "integer", "minimum": 1, "maximum": 5 } },
            ],
        }),
        Kind::Widening => json!({
            "type": "array",
            "maxItems": 10,
            "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["after_s", "level"],
                "properties": {
                    "after_s": { "type": "integer", "minimum": 0, "maximum": 86_400 },
                    "level": { "type": "integer", "minimum": 0, "maximum": 5 },
                },
            },
        }),
        Kind::Comforts => json!({
            "type": "array",
            "maxItems": 10,
            "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["after_s"],
                "oneOf": [{ "required": ["prompt"] }, { "required": ["say"] }],
                "properties": {
                    "prompt": {
                        "anyOf": [
                            { "type": "string" },
                            { "type": "array", "minItems": 1, "maxItems": 10, "items": { "type": "string" } },
                        ],
                    },
                    "say": { "enum": ["position", "estimate"] },
                    "after_s": { "type": "integer", "minimum": 0, "maximum": 86_400 },
                    "every_s": { "type": "integer", "minimum": 5, "maximum": 86_400 },
                },
            },
        }),
        Kind::Bot => named("The name of a bot.", known(|names| texts(names.bots.keys()))),
        Kind::Service => named("The name of a service.", known(|names| texts(names.services.keys()))),
        Kind::Template => json!({ "type": "string" }),
        Kind::Values => json!({ "type": "object" }),
        Kind::Fields => json!({
            "type": "object",
            "additionalProperties": {
                "anyOf": [
                    { "type": "string", "minLength": 1 },
                    {
                        "type": "object",
                        "additionalProperties": false,
                        "required": ["path"],
                        "properties": { "path": { "type": "string", "minLength": 1 }, "default": {} },
                    },
                ],
            },
        }),
        Kind::Lists => {
            let one = named("The name of a list of numbers.", known(|names| texts(names.lists.keys())));
            json!({ "anyOf": [one, { "type": "array", "items": one }] })
        }
        Kind::Word(words) => json!({ "type": "string", "enum": words }),
    }
}

fn declared(description: &str) -> Json {
    json!({
        "type": "object",
        "description": description,
        "additionalProperties": { "$ref": "#/definitions/declaration" },
    })
}

/// A text that names something; one of these where they are known.
fn named(description: &str, known: Option<Vec<String>>) -> Json {
    match known {
        Some(known) if !known.is_empty() => json!({ "type": "string", "description": description, "enum": known }),
        _ => json!({ "type": "string", "description": description, "minLength": 1 }),
    }
}

fn texts<T: ToString>(items: impl Iterator<Item = T>) -> Vec<String> {
    items.map(|item| item.to_string()).collect()
}

fn languages(names: &Names) -> Vec<String> {
    texts(names.prompts.keys())
}

fn prompts(names: &Names) -> Vec<String> {
    let heard: std::collections::BTreeSet<&String> = names.prompts.values().flatten().collect();
    let in_one =
        names.prompts.iter().flat_map(|(language, there)| there.iter().map(move |name| format!("{language}:{name}")));
    texts(heard.into_iter()).into_iter().chain(in_one).collect()
}

fn test_schema() -> Json {
    let text = json!({ "type": "string" });
    let list = json!({ "type": "array", "items": { "type": "string" } });
    let expectations: Map<String, Json> = EXPECTATIONS
        .iter()
        .map(|what| {
            let form = match *what {
                "heard" | "path" => list.clone(),
                "outcome" => json!({ "type": "string", "enum": OUTCOMES }),
                "status" => json!({ "type": "integer", "minimum": 100, "maximum": 699 }),
                "variables" => json!({ "type": "object" }),
                _ => text.clone(),
            };
            ((*what).to_owned(), form)
        })
        .collect();
    let outcome = json!({ "type": "string", "pattern": "^(answered|full|timed_out|too_long|left:[0-9*#])$" });
    let count = json!({ "type": "integer", "minimum": 0 });
    let standing = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "result": outcome,
            "waiting": count,
            "longest_wait_s": count,
            "agents_available": count,
            "agents_logged_in": count,
            "ewt_s": count,
            "service_level_percent": count,
        },
    });
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "expect"],
        "properties": {
            "name": { "type": "string", "minLength": 1 },
            "call": {
                "type": "object",
                "additionalProperties": false,
                "properties": { "from": text, "to": text, "trunk": text, "language": text },
            },
            "at": { "type": "string", "description": "When, as 2026-11-25T11:00:00+01:00." },
            "digits": {
                "type": "string",
                "pattern": "^[0-9*# ]*$",
                "description": "Keys that are pressed when something asks for them; a space is a pause.",
            },
            "say": list,
            "lookups": {
                "type": "object",
                "description": "What services answer to look-ups: fields, or a word as timed_out.",
            },
            "caller": { "type": "object", "description": "What history says of the caller, as caller.NAME." },
            "queues": {
                "type": "object",
                "description": "What becomes of callers in a queue; an agent answers where nothing is said.",
                "additionalProperties": { "anyOf": [outcome, standing] },
            },
            "headers": { "type": "object", "additionalProperties": { "type": "string" } },
            "transfers": {
                "type": "object",
                "description": "What becomes of a transfer to agent:201; it is answered where nothing is said.",
                "additionalProperties": {
                    "type": "string",
                    "enum": ["answered", "busy", "declined", "no_answer", "unreachable"],
                },
            },
            "expect": { "type": "object", "additionalProperties": false, "properties": expectations },
        },
    })
}
