//! The description of the API for machines, made from the handlers themselves.

use std::sync::OnceLock;

use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::{
    callbacks, consult, events, experts, login, operator, people, plans, prompts, recordings, records, reports, routes,
    softphone, wrap_up,
};

#[derive(OpenApi)]
#[openapi(
    info(title = "Relais", description = "A contact centre's live state, and what may be done to it."),
    servers((url = "/api/v1")),
    paths(
        routes::healthz,
        routes::readyz,
        routes::metrics_page,
        routes::calls,
        routes::call,
        operator::trace,
        routes::hang_up,
        routes::queues,
        routes::agents,
        experts::experts,
        experts::presence,
        routes::set_agent_state,
        routes::log_out,
        softphone::lend,
        events::open,
        callbacks::callbacks,
        callbacks::call_back,
        callbacks::cancel,
        operator::reload_state,
        operator::reload,
        plans::files,
        plans::file,
        plans::schema,
        plans::check,
        plans::picture,
        plans::traced,
        plans::tests,
        plans::compare,
        plans::activate,
        plans::roll_back,
        plans::version,
        plans::version_file,
        plans::audit,
        prompts::prompts,
        prompts::words,
        prompts::sound,
        prompts::record,
        prompts::remove,
        people::users,
        people::add,
        people::change,
        people::remove,
        people::password,
        people::set_second_factor,
        people::remove_second_factor,
        people::end_sessions,
        login::log_in,
        login::log_out,
        login::session,
        routes::tokens,
        routes::create_token,
        routes::delete_token,
        recordings::record,
        consult::supervise,
        consult::hold,
        consult::resume,
        consult::mute,
        consult::digits,
        consult::answer,
        consult::transfer,
        consult::consult,
        consult::swap,
        consult::complete,
        consult::cancel,
        consult::conference,
        wrap_up::dispose,
        recordings::voicemails,
        recordings::audio,
        recordings::note,
        recordings::delete,
        reports::reports,
        records::records,
        records::contacts,
        records::centre,
    ),
    components(schemas(events::Reset)),
    modifiers(&Access, &Refused),
    security(("bearer" = []), ("session" = [])),
)]
struct Description;

/// How requests show who they are from.
struct Access;

impl Modify for Access {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("bearer", scheme);
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(login::COOKIE)));
        components.add_security_scheme("session", cookie);
    }
}

/// What every request may meet: a body or a query that is none, a token that is not good enough, too much at once.
struct Refused;

impl Modify for Refused {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let body = Content::new(Some(Ref::from_schema_name("ErrorBody")));
        let text = "Refused; `code` tells programs why, and `message` tells people what to do";
        let refused = ResponseBuilder::new().description(text).content("application/json", body).build();
        for path in description.paths.paths.values_mut() {
            let operations = [&mut path.get, &mut path.put, &mut path.post, &mut path.delete, &mut path.patch];
            for operation in operations.into_iter().flatten() {
                operation.responses.responses.entry("4XX".to_owned()).or_insert_with(|| refused.clone().into());
            }
        }
    }
}

/// The OpenAPI document as JSON; written once.
pub fn document() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    // Writing it to memory cannot fail; the test below reads it.
    DOCUMENT.get_or_init(|| Description::openapi().to_json().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::access::{ROUTES, Rule};
    use super::*;
    use crate::bench::prompts::ENDINGS;

    #[test]
    fn it_describes_every_route_and_no_other() {
        let document: serde_json::Value = serde_json::from_str(document()).unwrap();
        let mut described = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let open = operation.get("security").is_some_and(|security| security == &serde_json::json!([{}]));
                described.insert((method.to_uppercase(), path.clone(), open));
            }
        }
        let routes: BTreeSet<_> = ROUTES
            .iter()
            .filter(|route| route.1 != "/openapi.json")
            .map(|route| (route.0.to_owned(), route.1.to_owned(), route.2 == Rule::Open))
            .collect();
        assert_eq!(described, routes);
    }

    #[test]
    fn a_sound_comes_in_no_type_that_is_not_described() {
        let document: serde_json::Value = serde_json::from_str(document()).unwrap();
        let answer = &document["paths"]["/prompts/sound"]["get"]["responses"]["200"];
        let described: BTreeSet<_> = answer["content"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(described, ENDINGS.map(|(_, media_type)| media_type).into());
    }

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let document: serde_json::Value = serde_json::from_str(document()).unwrap();
        let mut seen = BTreeSet::new();
        for operations in document["paths"].as_object().unwrap().values() {
            for operation in operations.as_object().unwrap().values() {
                let name = operation["operationId"].as_str().unwrap();
                assert!(seen.insert(name), "two operations are called {name}");
            }
        }
    }

    #[test]
    fn the_pages_are_typed_by_this_description() {
        let kept = include_str!("app/openapi.json");
        let fresh: serde_json::Value = serde_json::from_str(document()).unwrap();
        assert!(
            serde_json::from_str::<serde_json::Value>(kept).is_ok_and(|kept| kept == fresh),
            "src/web/app/openapi.json is old: relais schema api > src/web/app/openapi.json, then npm run types there"
        );
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references(value: &serde_json::Value, found: &mut Vec<String>) {
            match value {
                serde_json::Value::Object(fields) => {
                    found.extend(fields.get("$ref").and_then(|to| to.as_str()).map(str::to_owned));
                    fields.values().for_each(|value| references(value, found));
                }
                serde_json::Value::Array(values) => values.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let document: serde_json::Value = serde_json::from_str(document()).unwrap();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }
}
