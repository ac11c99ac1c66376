//! The table of endpoints as an OpenAPI 3.1 document: paths from the rows, schemas from the types.

use hyper::body::Bytes;
use schemars::Schema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::answer::{Body, lines};
use super::endpoint::{Access, Endpoint, Given, schema};
use super::query::{Kind, Parameter, SPAN};

/// JSON.
pub(super) fn document(endpoints: &[Endpoint]) -> Bytes {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    let mut schemas = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in endpoints {
        let of_path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        let method = endpoint.method.as_str().to_lowercase();
        of_path[method] = operation(endpoint, &mut schemas);
    }
    let fault = schema::<Body<'_>>(&mut schemas);
    debug_assert!(fault.as_object().is_some());
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "howdah",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What runs, and orders while it runs. Times are RFC 3339 in UTC, spans are seconds. A path answers methods that it does not take with 405 and the header Allow.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "The token of `token_file` commands and looks, that of `reader_token_file` looks." },
                "browser": { "type": "http", "scheme": "basic", "description": "For looking alone: user `howdah`, the token as the password." },
            },
        },
    });
    lines(&document).into()
}

fn operation(endpoint: &Endpoint, schemas: &mut SchemaGenerator) -> Value {
    let names = endpoint.names().map(|name| {
        let example = match name {
            "pool" => "hive",
            "server" => "hs2-1.example.com:10000",
            other => other,
        };
        let schema = json!({ "type": "string" });
        json!({ "name": name, "in": "path", "required": true, "schema": schema, "example": example })
    });
    let parameters: Vec<Value> = names.chain(endpoint.query.iter().map(parameter)).collect();
    let mut shown = json!({
        "operationId": identifier(endpoint),
        "summary": endpoint.summary,
        "parameters": parameters,
        "responses": answers(endpoint, schemas),
        "security": security(endpoint.access),
    });
    if !endpoint.description.is_empty() {
        shown["description"] = endpoint.description.into();
    }
    if let Some(taken) = &endpoint.body {
        let example: Value = serde_json::from_str(taken.example).unwrap_or_default();
        let schema = (taken.schema)(schemas);
        shown["requestBody"] = json!({
            "required": is_needed(&schema, schemas),
            "content": { "application/json": { "schema": schema, "example": example } },
        });
    }
    shown
}

/// For generated clients, like `post_pools_servers_drain`.
fn identifier(endpoint: &Endpoint) -> String {
    let path = endpoint.path.trim_start_matches("/api/v1").split('/');
    let words = path.filter(|word| !word.is_empty() && !word.starts_with('{'));
    let words: Vec<String> = words.map(|word| word.replace(['.', '-'], "_")).collect();
    let method = endpoint.method.as_str().to_lowercase();
    match words.is_empty() {
        true => format!("{method}_page"),
        false => format!("{method}_{}", words.join("_")),
    }
}

/// Whether an object without keys would be refused.
fn is_needed(schema: &Schema, schemas: &SchemaGenerator) -> bool {
    let name = schema.get("$ref").and_then(Value::as_str);
    let name = name.and_then(|path| path.rsplit('/').next());
    let meant = name.and_then(|name| schemas.definitions().get(name));
    let meant = meant.or(Some(schema.as_value()));
    meant.is_some_and(|meant| meant.get("required").is_some())
}

/// Without a readers' token everybody may look.
fn security(access: Access) -> Value {
    match access {
        Access::Anybody => json!([]),
        Access::Look => json!([{}, { "token": [] }, { "browser": [] }]),
        Access::Command(_) => json!([{ "token": [] }]),
    }
}

fn answers(endpoint: &Endpoint, schemas: &mut SchemaGenerator) -> Value {
    let content = match endpoint.answer {
        Given::Json(schema) => json!({ "application/json": { "schema": schema(schemas) } }),
        Given::Text(kind) => json!({ (kind): { "schema": { "type": "string" } } }),
    };
    let mut all = json!({ "200": { "description": "Done.", "content": content } });
    for status in statuses(endpoint) {
        all[status.to_string()] = json!({
            "description": meaning(status),
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Fault" } } },
        });
    }
    all
}

/// Those of faults.
fn statuses(endpoint: &Endpoint) -> Vec<u16> {
    let named = endpoint.names().next().is_some();
    let follows = [
        (
            400,
            named || !endpoint.query.is_empty() || matches!(endpoint.access, Access::Command(_)),
        ),
        (401, endpoint.access != Access::Anybody),
        (404, named),
    ];
    let follows = follows.iter().filter(|(_, does)| *does);
    let follows = follows.map(|(status, _)| *status);
    follows.chain(endpoint.faults.iter().copied()).collect()
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request makes no sense; the sentence says why.",
        401 => "No token, a wrong one, or not one that suffices.",
        404 => "Nothing of that name is there.",
        422 => "Understood, and impossible; with the faults where there are several.",
        503 => "Not now; with the reasons where there are some.",
        _ => "See the sentence.",
    }
}

fn parameter(known: &Parameter) -> Value {
    let schema = match known.kind {
        Kind::Text => json!({ "type": "string", "minLength": 1 }),
        Kind::Count(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Span => json!({ "type": "string", "pattern": SPAN }),
        Kind::Address => {
            json!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] })
        }
        Kind::Network => {
            let forms = json!([{ "format": "ipv4" }, { "format": "ipv6" }, { "pattern": V4 }, { "pattern": V6 }]);
            json!({ "type": "string", "anyOf": forms })
        }
        Kind::Word(words) => json!({ "type": "string", "enum": words }),
    };
    json!({
        "name": known.name,
        "in": "query",
        "required": known.is_required,
        "description": known.about,
        "schema": schema,
        "example": known.example,
    })
}

/// Networks with the length of their prefix.
const V4: &str = r"^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])/(3[0-2]|[12]?[0-9])$";
const V6: &str = r"^([0-9a-f]{1,4}:){1,7}:/(12[0-8]|1[01][0-9]|[1-9]?[0-9])$";
