//! `relais schema`: the form of the operator's files, so that editors complete and check them.

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{BAD_USAGE, SchemaArgs, SchemaOf, print_findings};
use crate::config::{self, Overrides};
use crate::{dialplan, web};

pub fn run(args: &SchemaArgs) -> ExitCode {
    let plans = match &args.config {
        None => None,
        Some(path) => match config::load(path, &Overrides::default()) {
            Ok(loaded) => Some(loaded.plans),
            Err(findings) => {
                print_findings(&findings);
                return ExitCode::from(BAD_USAGE);
            }
        },
    };
    let plan = || dialplan::schema(plans.as_ref());
    let schema = match args.of {
        Some(SchemaOf::Plan) => plan(),
        Some(SchemaOf::Config) => config::schema(),
        Some(SchemaOf::Bot) => config::bots::bot_schema(),
        Some(SchemaOf::BotExamples) => config::bots::examples_schema(),
        Some(SchemaOf::Api) => serde_json::from_str(web::description()).unwrap_or_default(),
        None => either(plan(), config::schema()),
    };
    // Whoever reads may have gone.
    let _ = writeln!(std::io::stdout(), "{schema:#}");
    ExitCode::SUCCESS
}

/// A schema that takes a file of either kind.
fn either(plan: Value, configuration: Value) -> Value {
    let mut definitions = serde_json::Map::new();
    let mut kinds = Vec::new();
    for (name, mut schema) in [("plan", plan), ("configuration", configuration)] {
        if let Some(own) = schema.as_object_mut().and_then(|schema| schema.remove("definitions"))
            && let Value::Object(own) = own
        {
            definitions.extend(own);
        }
        kinds.push(json!({ "$ref": format!("#/definitions/{name}") }));
        definitions.insert(name.to_owned(), schema);
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A file of Relais: a plan, or the configuration",
        "anyOf": kinds,
        "definitions": definitions,
    })
}
