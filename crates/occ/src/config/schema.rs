//! The JSON schema of the config file.

use serde_json::{Map, Value, json};

use super::key::KEYS;

/// Returns the JSON schema (draft 2020-12) of the config file.
pub fn schema() -> Value {
    let mut properties: Map<String, Value> =
        KEYS.iter().map(|key| (key.name.to_owned(), key.schema())).collect();
    properties.insert("$schema".to_owned(), json!({ "type": "string" }));
    properties.insert(
        "version".to_owned(),
        json!({ "const": 1, "description": "Version of this file's form." }),
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "opencode-cloud configuration",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}
