//! The config file: JSON with comments, read with positions, edited with comments kept.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use jsonc_parser::ast;
use jsonc_parser::common::Ranged as _;
use jsonc_parser::cst::{CstInputValue, CstRootNode};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Value;

use super::key;

/// The file's text and what it says.
#[derive(Debug)]
pub(crate) struct ConfigFile {
    text: String,
    /// Settings the file gives, valid by construction.
    pub(crate) values: BTreeMap<&'static str, Value>,
}

/// Why a config file cannot be used; all problems at once.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// It cannot be read.
    #[error("cannot read the config file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not UTF-8.
    #[error("the config file {} is not UTF-8: byte {at} is not", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Offset of the first bad byte.
        at: usize,
    },
    /// It says something that cannot be.
    #[error("the config file {} is invalid:{}", path.display(), list(problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, in the order of the lines.
        problems: Vec<Problem>,
    },
}

/// One thing wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Problem {
    /// Line, from 1.
    pub(crate) line: usize,
    /// Column in characters, from 1.
    pub(crate) column: usize,
    /// What is wrong, and what to write instead where that is known.
    pub(crate) what: String,
}

fn list(problems: &[Problem]) -> String {
    let line = |p: &Problem| format!("\n  line {}, column {}: {}", p.line, p.column, p.what);
    problems.iter().map(line).collect()
}

const STRICT: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: false,
    allow_trailing_commas: true,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_extended_string_escapes: false,
    allow_non_finite_numbers: false,
};

impl ConfigFile {
    /// Reads the file; a missing one says nothing.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::from(b"{}\n"),
            Err(source) => return Err(ConfigError::Unreadable { path: path.to_owned(), source }),
        };
        let text = String::from_utf8(bytes).map_err(|error| ConfigError::NotUtf8 {
            path: path.to_owned(),
            at: error.utf8_error().valid_up_to(),
        })?;
        let values = parse(&text)
            .map_err(|problems| ConfigError::Invalid { path: path.to_owned(), problems })?;
        Ok(Self { text, values })
    }

    /// Returns the text with one setting changed; comments and order stay.
    pub(crate) fn with(&self, name: &'static str, value: &Value) -> String {
        let root = CstRootNode::parse(&self.text, &STRICT).expect("the text was parsed before");
        let object = root.object_value_or_set();
        match object.get(name) {
            Some(property) => property.set_value(input(value)),
            None => drop(object.append(name, input(value))),
        }
        ended(root.to_string())
    }

    /// Returns the text without one setting.
    pub(crate) fn without(&self, name: &str) -> String {
        let root = CstRootNode::parse(&self.text, &STRICT).expect("the text was parsed before");
        if let Some(property) = root.object_value_or_set().get(name) {
            property.remove();
        }
        ended(root.to_string())
    }
}

fn ended(mut text: String) -> String {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Number(value) => CstInputValue::Number(value.to_string()),
        Value::String(value) => CstInputValue::String(value.clone()),
        Value::Array(list) => CstInputValue::Array(list.iter().map(input).collect()),
        Value::Object(map) => {
            CstInputValue::Object(map.iter().map(|(k, v)| (k.clone(), input(v))).collect())
        }
    }
}

/// Reads a text; returns every problem at once.
fn parse(text: &str) -> Result<BTreeMap<&'static str, Value>, Vec<Problem>> {
    let at = |offset: usize, what: String| {
        let before = &text[..offset.min(text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Problem { line, column, what }
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT)
        .map_err(|error| vec![at(error.range().start, lower_first(&error.kind().to_string()))])?;
    let object = match parsed.value {
        Some(ast::Value::Object(object)) => object,
        Some(other) => return Err(vec![at(other.start(), "an object { } is expected".into())]),
        None => return Err(vec![at(0, "the file is empty; write {} or remove it".into())]),
    };
    let mut values = BTreeMap::new();
    let mut problems = Vec::new();
    for property in object.properties {
        let name = property.name.as_str().to_owned();
        let (start, value_start) = (property.range.start, property.value.start());
        match read(&name, &plain(&property.value)) {
            Ok(Some((key, value))) => match values.insert(key, value) {
                None => {}
                Some(_) => problems.push(at(start, format!("{name:?} stands here twice"))),
            },
            Ok(None) => {}
            Err(Wrong::Name(what)) => problems.push(at(start, what)),
            Err(Wrong::Value(what)) => problems.push(at(value_start, format!("{name}: {what}"))),
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

/// Returns a parsed value without its positions.
fn plain(value: &ast::Value<'_>) -> Value {
    match value {
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::BooleanLit(literal) => Value::Bool(literal.value),
        ast::Value::StringLit(literal) => Value::String(literal.value.to_string()),
        // A number too large for JSON's reader reads as null, which no setting mistakes for a number.
        ast::Value::NumberLit(literal) => serde_json::from_str(literal.value).unwrap_or_default(),
        ast::Value::Array(array) => Value::Array(array.elements.iter().map(plain).collect()),
        ast::Value::Object(object) => {
            let pair = |p: &ast::ObjectProp<'_>| (p.name.as_str().to_owned(), plain(&p.value));
            Value::Object(object.properties.iter().map(pair).collect())
        }
    }
}

enum Wrong {
    Name(String),
    Value(String),
}

fn read(name: &str, value: &Value) -> Result<Option<(&'static str, Value)>, Wrong> {
    match name {
        "$schema" => Ok(None),
        "version" if value == 1 => Ok(None),
        "version" => Err(Wrong::Value(format!("this occ knows version 1, not {value}"))),
        name => {
            let key = key::find(name).ok_or_else(|| Wrong::Name(unknown(name)))?;
            key.check(value).map_err(Wrong::Value)?;
            Ok(Some((key.name, value.clone())))
        }
    }
}

/// Returns the words for a name nobody knows.
pub(crate) fn unknown(name: &str) -> String {
    match key::nearest(name) {
        Some(near) => format!("unknown field {name:?}; did you mean {near:?}?"),
        None => format!("unknown field {name:?}"),
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(text: &str) -> Vec<Problem> {
        parse(text).expect_err("it was accepted")
    }

    #[test]
    fn an_unknown_field_is_named_with_its_line_and_a_suggestion() {
        let found = problems("{\n  // the port\n  \"prot\": 3001\n}");
        assert_eq!(
            found,
            [Problem {
                line: 3,
                column: 3,
                what: r#"unknown field "prot"; did you mean "port"?"#.into()
            }]
        );
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let found = problems("{ \"port\": \"abc\",\n  \"memory\": 12, \"nope_nope\": 1 }");
        let lines: Vec<usize> = found.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [1, 2, 2]);
        assert_eq!(found[0].what, "port: a port from 1 to 65535 is expected, not \"abc\"");
    }

    #[test]
    fn truncated_empty_and_non_object_files_are_explained() {
        for text in ["", "  \n", "[]", "{\"port\": 30", "{\"port\" 3000}", "null"] {
            assert_eq!(problems(text).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn a_change_keeps_comments_and_order() {
        let text = "{\n  // why we moved\n  \"port\": 3001, // old\n  \"cpus\": 1,\n}\n";
        let file = ConfigFile { text: text.into(), values: BTreeMap::new() };
        let changed = file.with("port", &json!(3005));
        assert_eq!(changed, text.replace("3001", "3005"));
        assert!(file.with("memory", &json!("1GiB")).contains("// why we moved"));
        assert!(!file.without("cpus").contains("cpus"));
        assert!(file.without("cpus").contains("// old"));
    }
}
