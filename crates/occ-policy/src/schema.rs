//! The grammars of policies, facts and cases for editors and other programs, JSON schema draft 2020-12.
//!
//! What only the whole file tells, such as whether a rule that an environment names is there, they leave to
//! the parsers.

use serde_json::{Map, Value, json};

use crate::catalogue::{CATALOGUE, Kind, Known};
use crate::document::VERSION;
use crate::fact::Origin;

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
const WORD: &str = "^[a-z0-9][a-z0-9-]*$";

/// Returns the JSON schema of a policy.
pub fn policy_schema() -> Value {
    let fields = [
        ("rules", described(named(&json!({ "$ref": "#/$defs/rule" })), "Rules by name.")),
        (
            "environments",
            described(some(named(&environment())), "Uses that an image is put to, by name."),
        ),
    ];
    let mut schema = document("opencode-cloud usage policy", &fields);
    schema["$defs"] = json!({
        "text": text(),
        "condition": condition(),
        "rule": rule(),
    });
    schema
}

/// Returns the JSON schema of a file of facts.
pub fn facts_schema() -> Value {
    let facts = described(facts(), "Facts about one image.");
    let mut schema = document("opencode-cloud facts about an image", &[("facts", facts)]);
    schema["$defs"] = json!({ "text": text() });
    schema
}

/// Returns the JSON schema of a file of cases.
pub fn cases_schema() -> Value {
    let cases = json!({
        "description": "Cases, each judged by itself.",
        "type": "array",
        "minItems": 1,
        "items": case(),
    });
    let mut schema = document("opencode-cloud cases of a usage policy", &[("cases", cases)]);
    schema["$defs"] = json!({ "text": text() });
    schema
}

fn document(title: &str, fields: &[(&str, Value)]) -> Value {
    let mut properties = Map::new();
    properties.insert("$schema".to_owned(), json!({ "description": "Address of this schema." }));
    let version = json!({ "const": VERSION, "description": "Version of this file's grammar." });
    properties.insert("version".to_owned(), version);
    properties.extend(fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())));
    let needed: Vec<&str> =
        std::iter::once("version").chain(fields.iter().map(|field| field.0)).collect();
    json!({
        "$schema": DRAFT,
        "title": title,
        "type": "object",
        "properties": properties,
        "required": needed,
        "additionalProperties": false,
    })
}

fn described(mut schema: Value, text: &str) -> Value {
    schema["description"] = text.into();
    schema
}

fn some(mut schema: Value) -> Value {
    schema["minProperties"] = 1.into();
    schema
}

fn named(inner: &Value) -> Value {
    json!({
        "type": "object",
        "propertyNames": { "pattern": WORD },
        "additionalProperties": inner,
    })
}

/// A text of one line that is not empty.
fn text() -> Value {
    json!({ "type": "string", "pattern": "^(?=.*\\S)[^\\u0000-\\u001f\\u007f-\\u009f]+$" })
}

fn texts() -> Value {
    json!({ "type": "array", "items": { "$ref": "#/$defs/text" } })
}

fn number() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn object(properties: &Value, needed: &[&str]) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "required": needed,
        "additionalProperties": false,
    })
}

fn one_line(text: &str) -> Value {
    json!({ "$ref": "#/$defs/text", "description": text })
}

fn rule() -> Value {
    let when = json!({ "$ref": "#/$defs/condition", "description": "What must hold." });
    let fields = json!({
        "when": when,
        "otherwise": one_line("The reason that is given where it does not hold."),
        "advice": one_line("What can be done about it."),
    });
    object(&fields, &["when", "otherwise"])
}

fn environment() -> Value {
    let word = json!({ "type": "string", "pattern": WORD });
    let unless = json!({
        "$ref": "#/$defs/condition",
        "description": "The note is left out where this is known to hold.",
    });
    let note = object(&json!({ "say": one_line("What it says."), "unless": unless }), &["say"]);
    let fields = json!({
        "title": one_line("What it is, for people."),
        "requires": {
            "description": "Names of the rules that must hold.",
            "type": "array",
            "items": word,
            "uniqueItems": true,
        },
        "notes": {
            "description": "What goes with an approval.",
            "type": "array",
            "items": { "oneOf": [{ "$ref": "#/$defs/text" }, note] },
        },
    });
    object(&fields, &["title", "requires"])
}

fn condition() -> Value {
    let one = json!({ "$ref": "#/$defs/condition" });
    let several = json!({ "type": "array", "items": one });
    let mut forms: Vec<Value> =
        [("all", &several), ("any", &several), ("none", &several), ("not", &one)]
            .into_iter()
            .map(|(name, inner)| {
                let mut fields = Map::new();
                fields.insert(name.to_owned(), inner.clone());
                object(&fields.into(), &[name])
            })
            .collect();
    for kind in [Kind::Bool, Kind::Number, Kind::Text, Kind::List] {
        forms.extend(tests(kind).into_iter().map(|(name, value)| test(kind, name, value)));
    }
    json!({ "oneOf": forms })
}

/// Returns the tests that there are of facts of a kind.
fn tests(kind: Kind) -> Vec<(&'static str, Value)> {
    let known = ("known", json!({ "const": true }));
    let text = json!({ "$ref": "#/$defs/text" });
    match kind {
        Kind::Bool => vec![known, ("is", json!({ "type": "boolean" }))],
        Kind::Number => {
            vec![known, ("is", number()), ("atLeast", number()), ("atMost", number())]
        }
        Kind::Text => vec![known, ("is", text), ("in", texts())],
        Kind::List => vec![known, ("contains", text), ("empty", json!({ "type": "boolean" }))],
    }
}

fn test(kind: Kind, name: &str, value: Value) -> Value {
    let facts: Vec<&str> =
        CATALOGUE.iter().filter(|known| known.kind == kind).map(|known| known.name).collect();
    let origins: Vec<&str> = Origin::ALL
        .into_iter()
        .filter(|origin| *origin != Origin::Unknown)
        .map(Origin::word)
        .collect();
    let mut fields = Map::new();
    fields.insert("fact".to_owned(), json!({ "enum": facts }));
    fields.insert(name.to_owned(), value);
    let from = json!({
        "description": "Whose word counts; everybody's when it is left out.",
        "type": "array",
        "minItems": 1,
        "items": { "enum": origins },
    });
    fields.insert("from".to_owned(), from);
    object(&fields.into(), &["fact", name])
}

fn facts() -> Value {
    let property = |known: &Known| (known.name.to_owned(), fact(known));
    let properties: Map<String, Value> = CATALOGUE.iter().map(property).collect();
    object(&properties.into(), &[])
}

fn fact(known: &Known) -> Value {
    let value = match known.kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Number => number(),
        Kind::Text => json!({ "$ref": "#/$defs/text" }),
        Kind::List => texts(),
    };
    let origins: Vec<&str> = Origin::ALL
        .into_iter()
        .filter(|origin| *origin != Origin::Unknown)
        .map(Origin::word)
        .collect();
    let note = one_line("How it is known, or what is missing to know it.");
    let said = json!({ "value": value, "from": { "enum": origins }, "note": note });
    let unknown =
        json!({ "value": { "type": "null" }, "from": { "const": "unknown" }, "note": note });
    let forms = [object(&said, &["value", "from"]), object(&unknown, &["value", "from"])];
    json!({ "description": known.meaning, "oneOf": forms })
}

fn case() -> Value {
    let list = |text: &str| described(texts(), text);
    let approved = json!({ "approved": list("Exactly the notes that go with the approval.") });
    let prohibited = json!({ "prohibited": list("Exactly the rules that stand against it.") });
    let expected = json!({
        "oneOf": [
            { "enum": ["approved", "prohibited"] },
            object(&approved, &["approved"]),
            object(&prohibited, &["prohibited"]),
        ],
    });
    let expect = json!({
        "description": "What is expected, by environment.",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": expected,
    });
    let fields = json!({
        "name": one_line("What the case shows."),
        "facts": described(facts(), "The facts."),
        "file": one_line("A file of facts, relative to this one."),
        "expect": expect,
    });
    let mut schema = object(&fields, &["name", "expect"]);
    schema["oneOf"] = json!([{ "required": ["facts"] }, { "required": ["file"] }]);
    schema
}
