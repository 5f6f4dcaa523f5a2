//! The config file: JSON with comments, read with positions, edited with comments kept.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstArray, CstInputValue, CstObject, CstRootNode, CstStringLit};
use occ_policy::{DocumentError, Field, Problem, fields};
use serde_json::Value;

use super::key;
use super::legacy::{self, Fate};

/// The file's text and what it says.
#[derive(Debug)]
pub(crate) struct ConfigFile {
    text: String,
    /// Settings the file gives, valid by construction.
    pub(crate) values: BTreeMap<&'static str, Value>,
    /// What in it no longer means anything, one line each.
    pub(crate) notes: Vec<String>,
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
    #[error(transparent)]
    Invalid(DocumentError),
}

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
        let name = format!("the config file {}", path.display());
        let Parsed { values, notes } = parse(&name, &text).map_err(ConfigError::Invalid)?;
        Ok(Self { text, values, notes })
    }

    /// Returns the text as it is.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the text with one setting changed; comments and order stay.
    pub(crate) fn with(&self, name: &'static str, value: &Value) -> String {
        self.with_all(&[(name, value.clone())])
    }

    /// Returns the text with some settings changed; comments and order stay.
    pub(crate) fn with_all(&self, changes: &[(&'static str, Value)]) -> String {
        let root = CstRootNode::parse(&self.text, &ParseOptions::default())
            .expect("the text was parsed before");
        let object = root.object_value_or_set();
        for (name, value) in changes {
            remove(&object, legacy::earlier(name));
            match object.get(name) {
                Some(property) => property.set_value(input(value)),
                None => drop(object.append(name, input(value))),
            }
        }
        ended(root.to_string())
    }

    /// Returns the file with an entry of a list in the place of those it replaces, or at the list's end;
    /// comments and order stay.
    pub(crate) fn with_entry(
        &self,
        name: &'static str,
        entry: &str,
        replaces: impl Fn(&str) -> bool,
    ) -> Self {
        let value = CstInputValue::String(entry.to_owned());
        self.with_list(name, |list| {
            let mut old = strings(list).into_iter().filter(|(text, _)| replaces(text));
            match old.next() {
                Some((_, node)) => drop(node.replace_with(value)),
                None => drop(list.append(value)),
            }
            old.for_each(|(_, node)| node.remove());
        })
    }

    /// Returns the file without some entries of a list; comments and order stay.
    pub(crate) fn without_entries(&self, name: &'static str, is: impl Fn(&str) -> bool) -> Self {
        self.with_list(name, |list| {
            let gone = strings(list).into_iter().filter(|(text, _)| is(text));
            gone.for_each(|(_, node)| node.remove());
        })
    }

    fn with_list(&self, name: &'static str, change: impl FnOnce(&CstArray)) -> Self {
        let root = CstRootNode::parse(&self.text, &ParseOptions::default())
            .expect("the text was parsed before");
        change(&root.object_value_or_set().array_value_or_set(name));
        let text = ended(root.to_string());
        let Parsed { values, notes } =
            parse("", &text).expect("entries are checked before they are written");
        Self { text, values, notes }
    }

    /// Returns the text without one setting, whatever it is called there.
    pub(crate) fn without(&self, name: &str) -> String {
        let root = CstRootNode::parse(&self.text, &ParseOptions::default())
            .expect("the text was parsed before");
        let object = root.object_value_or_set();
        remove(&object, legacy::earlier(name));
        remove(&object, std::iter::once(name));
        ended(root.to_string())
    }
}

fn remove<'a>(object: &CstObject, names: impl Iterator<Item = &'a str>) {
    for property in names.filter_map(|name| object.get(name)) {
        property.remove();
    }
}

/// Returns the texts of a list with where they stand.
fn strings(list: &CstArray) -> Vec<(String, CstStringLit)> {
    let literals = list.elements().into_iter().filter_map(|node| node.as_string_lit());
    literals.filter_map(|literal| Some((literal.decoded_value().ok()?, literal))).collect()
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

/// What a text says.
#[derive(Debug)]
struct Parsed {
    values: BTreeMap<&'static str, Value>,
    notes: Vec<String>,
}

/// Reads a text, which messages call `name`; returns every problem at once.
fn parse(name: &str, text: &str) -> Result<Parsed, DocumentError> {
    let mut values = BTreeMap::new();
    let mut notes = Vec::new();
    let mut problems = Vec::new();
    for Field { name, at, value, value_at } in fields(name, text)? {
        let mut blame = |at, what| problems.push(Problem::at(text, at, what));
        match read(&name, &value) {
            Ok(Said::Setting(key, value)) => {
                if values.insert(key, value).is_some() {
                    blame(at, format!("{name:?} stands here twice"));
                }
            }
            Ok(Said::Nothing) => {}
            Ok(Said::Gone(why)) => {
                let line = Problem::at(text, at, "").line;
                notes.push(format!("line {line}: {name:?} does nothing any more: {why}"));
            }
            Err(Wrong::Name(what)) => blame(at, what),
            Err(Wrong::Value(what)) => blame(value_at, format!("{name}: {what}")),
        }
    }
    if problems.is_empty() {
        Ok(Parsed { values, notes })
    } else {
        Err(DocumentError::new(name, problems))
    }
}

enum Wrong {
    Name(String),
    Value(String),
}

/// What one property says.
enum Said {
    Nothing,
    Setting(&'static str, Value),
    /// A setting of an earlier version, and why there is none now.
    Gone(&'static str),
}

fn read(name: &str, value: &Value) -> Result<Said, Wrong> {
    match name {
        "$schema" => return Ok(Said::Nothing),
        "version" if value == 1 => return Ok(Said::Nothing),
        "version" => {
            return Err(Wrong::Value(format!("this occ knows version 1, not {value}")));
        }
        _ => {}
    }
    if let Some(key) = legacy::lookup(name) {
        key.check(value).map_err(Wrong::Value)?;
        return Ok(Said::Setting(key.name, value.clone()));
    }
    match legacy::fate(name) {
        Some(Fate::Restart) => {
            legacy::restart(value).map(|word| Said::Setting("restart", word)).map_err(Wrong::Value)
        }
        Some(Fate::Gone(why)) => Ok(Said::Gone(why)),
        _ => Err(Wrong::Name(unknown(name))),
    }
}

/// Returns the words for a name nobody knows.
pub(crate) fn unknown(name: &str) -> String {
    match key::nearest(name) {
        Some(near) => format!("unknown field {name:?}; did you mean {near:?}?"),
        None => format!("unknown field {name:?}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(text: &str) -> ConfigFile {
        let Parsed { values, notes } = parse("it", text).expect("valid");
        ConfigFile { text: text.into(), values, notes }
    }

    fn problems(text: &str) -> Vec<Problem> {
        parse("it", text).expect_err("it was accepted").problems
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
    fn a_change_of_one_entry_keeps_the_others_with_their_comments() {
        let text = "{\n  \"container_env\": [\n    // for the tests\n    \"A=1\",\n    \"B=2\", // old\n    \"A=3\",\n  ],\n}\n";
        let before = file(text);
        let is = |name: &'static str| move |entry: &str| entry.split('=').next() == Some(name);
        let changed = before.with_entry("container_env", "A=4", is("A"));
        assert_eq!(changed.values["container_env"], json!(["A=4", "B=2"]));
        assert!(changed.text.contains("// for the tests") && changed.text.contains("// old"));
        let more = changed.with_entry("container_env", "C=\"x\"", is("C"));
        assert_eq!(more.values["container_env"], json!(["A=4", "B=2", "C=\"x\""]));
        let less = more.without_entries("container_env", is("B"));
        assert_eq!(less.values["container_env"], json!(["A=4", "C=\"x\""]));
        assert!(less.text.contains("// for the tests"), "{}", less.text);

        let empty = file("{}\n");
        let first = empty.with_entry("mounts", "/a:/b:ro", |_| false);
        assert_eq!(first.values["mounts"], json!(["/a:/b:ro"]));
    }

    #[test]
    fn a_change_keeps_comments_and_order() {
        let text = "{\n  // why we moved\n  \"port\": 3001, // old\n  \"cpus\": 1,\n}\n";
        let file = file(text);
        let changed = file.with("port", &json!(3005));
        assert_eq!(changed, text.replace("3001", "3005"));
        assert!(file.with("memory", &json!("1GiB")).contains("// why we moved"));
        assert!(!file.without("cpus").contains("cpus"));
        assert!(file.without("cpus").contains("// old"));
    }

    #[test]
    fn cfg_003_a_file_of_an_earlier_version_is_read_and_what_is_gone_is_named() {
        let old = file(
            "{\n  \"version\": 1,\n  \"opencode_web_port\": 3005,\n  \"bind\": \"localhost\",\n  \"auto_restart\": false,\n  \"boot_mode\": \"user\",\n  \"auth_password\": \"x\"\n}\n",
        );
        let expected =
            [("bind_address", json!("localhost")), ("port", json!(3005)), ("restart", json!("no"))];
        assert_eq!(old.values, expected.into());
        assert_eq!(old.notes.len(), 2, "{:?}", old.notes);
        assert!(old.notes[1].starts_with("line 7: \"auth_password\" does nothing any more"));
        let changed = old.with("port", &json!(3006));
        assert!(!changed.contains("opencode_web_port"), "{changed}");
        assert_eq!(file(&changed).values["port"], json!(3006));
        assert!(!old.without("restart").contains("auto_restart"));
    }

    #[test]
    fn cfg_004_an_unknown_name_is_still_refused() {
        assert_eq!(problems("{ \"image_sauce\": \"build\" }").len(), 1);
    }

    #[test]
    fn cfg_001_cfg_003_a_file_without_the_fields_means_their_defaults() {
        let layers = crate::config::Layers::new(&file("{ \"version\": 1 }"), |_| None);
        let layers = layers.expect("valid");
        assert_eq!(layers.get("image_source").0, json!("prebuilt"));
        assert_eq!(layers.get("update_check").0, json!("always"));
    }
}
