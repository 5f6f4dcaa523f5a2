use std::fs;

use occ_image::{Recipe, recipe_schema};
use serde_json::Value;
use tempfile::TempDir;

use crate::material::RECIPE;
use crate::peers::judge;

const REAL: &str = include_str!("../../../../image/sandbox.toml");

/// Prints `ok`, or where it is wrong, for each of some documents.
const JUDGE: &str = r#"
import json, sys
from jsonschema import Draft202012Validator

schema, documents = (json.load(open(path)) for path in sys.argv[1:])
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
for document in documents:
    error = next(validator.iter_errors(document), None)
    print("/".join(map(str, error.absolute_path)) or "/" if error else "ok")
"#;

fn verdicts(texts: &[String]) -> Vec<String> {
    let documents: Vec<Value> =
        texts.iter().map(|text| toml::from_str(text).expect(text)).collect();
    let folder = TempDir::new().unwrap();
    let (schema, input) = (folder.path().join("schema"), folder.path().join("input"));
    fs::write(&schema, recipe_schema()).unwrap();
    fs::write(&input, Value::from(documents).to_string()).unwrap();
    let printed = judge(JUDGE, &[schema.to_str().unwrap(), input.to_str().unwrap()]);
    printed.lines().map(str::to_owned).collect()
}

fn parses(text: &str) -> bool {
    Recipe::parse("recipe.toml", text, &|_| Ok(Vec::new())).is_ok()
}

/// Replaces a part of the recipe, or adds to its end.
fn with(from: &str, to: &str) -> String {
    let text = RECIPE.replacen(from, to, 1);
    assert_ne!(text, RECIPE, "the recipe has no {from}");
    text
}

fn and(more: &str) -> String {
    format!("{RECIPE}\n{more}\n")
}

#[test]
fn what_the_parser_takes_the_schema_takes() {
    let texts = [
        REAL.to_owned(),
        RECIPE.to_owned(),
        and("[[file]]\npath = \"/a\"\nsource = \"x\"\nexecutable = true\nusers = true"),
        and("[[file]]\npath = \"/a/..b/.c\"\nlink = \"../x\""),
        and(
            "[tool.x]\nsource = \"npm\"\npackage = { amd64 = \"a\" }\nfiles = { \"/x\" = \"x\" }\ncommands = []",
        ),
        and(
            "[tool.x]\nsource = \"crates\"\ncommands = []\nfiles = { \"/x\" = \"x\" }\narch = \"y\"",
        ),
        and("[[file]]\npath = \"/a\"\nlink = \"b\"\ntool = \"uv\""),
        and("[tool.x]\nsource = \"npm\"\ncommands = [\"x\"]\nenvironment.A_1 = \"\""),
        with("sha256 = \"9f86d0", "check = []\ncite = \"x\"\nsha256 = \"9f86d0"),
        with("packages = [\"hello\"]", "packages = [\"g++\", \"libc6.1-dev\"]"),
        with("full = [\"node\", \"python\", \"rust\", \"jets\"]", "0-full = []"),
    ];
    for text in &texts {
        assert!(parses(text), "{text}");
    }
    assert_eq!(verdicts(&texts), vec!["ok"; texts.len()]);
}

#[test]
fn what_the_parser_refuses_for_its_form_the_schema_refuses() {
    let hex = "0".repeat(64);
    let url = |rest: &str| {
        and(&format!("[tool.x]\nsource = \"url\"\nfiles = {{ \"/x\" = \"x\" }}\n{rest}"))
    };
    let texts = [
        with("version = 1", "version = 2"),
        with("version = 1", "version = \"1\""),
        with("version = 1", "color = 1\nversion = 1"),
        with("version = 1\n", ""),
        with("distribution = \"debian\"", "distribution = \"ubuntu\""),
        with("distribution = \"debian\"\n", ""),
        with("suite = \"trixie\"", "suite = \"\""),
        with("suite = \"trixie\"", "suite = \"trixie main\""),
        with("suite = \"trixie\"", "suite = 13"),
        with("exclude = [", "excludes = ["),
        with("exclude = [\"/usr/share/man/*\"]", "exclude = \"/usr/share/man/*\""),
        with("name = \"system\"", "name = \"System\""),
        with("name = \"system\"", "name = \"\""),
        with("name = \"system\"\n", ""),
        with("packages = [\"hello\"]", "packages = [\"Hello\"]"),
        with("packages = [\"hello\"]", "packages = [\"h\"]"),
        with("packages = [\"hello\"]", "packages = [\"hello\", \"hello\"]"),
        with("packages = [\"hello\"]", "package = [\"hello\"]"),
        with("shell = \"/bin/bash\"", "shell = \"bash\""),
        with("shell = \"/bin/bash\"", "shell = \"/bin/\""),
        with("shell = \"/bin/bash\"", "shell = \"/bin/../bash\""),
        with("lang = \"C.UTF-8\"", "lang = \"it's\""),
        with("timezone = \"UTC\"\n", ""),
        with("[system]", "[system]\nkeyboard = \"de\""),
        and("[[file]]\npath = \"/a\""),
        and("[[file]]\npath = \"/a\"\nlink = \"b\"\nsource = \"c\""),
        and("[[file]]\npath = \"a\"\nlink = \"b\""),
        and("[[file]]\npath = \"//a\"\nlink = \"b\""),
        and("[[file]]\npath = \"/\"\nlink = \"b\""),
        and("[[file]]\npath = \"/a\"\nlink = \"b\"\nmode = 493"),
        and("[[file]]\nlink = \"b\""),
        and("[[file]]\npath = \"/a\"\nlink = \"b\"\ntool = \"UV\""),
        and("[tool.x]\nsource = \"npm\"\ncommands = [\"x\"]\nenvironment.a = \"\""),
        and("[tool.x]\nsource = \"npm\"\ncommands = [\"x\"]\nenvironment.PATH = \"\""),
        and("[tool.x]\nsource = \"npm\"\ncommands = [\"x\"]\nenvironment.A = 1"),
        and("[tool.X]\nsource = \"npm\"\ncommands = [\"x\"]"),
        and("[tool.x]\nsource = \"brew\"\nfiles = { \"/x\" = \"x\" }"),
        and("[tool.x]\nfiles = { \"/x\" = \"x\" }"),
        and("[tool.x]\nsource = \"npm\""),
        and("[tool.x]\nsource = \"npm\"\ncommands = [\"x\"]\nfiles = { \"/x\" = \"x\" }"),
        and("[tool.x]\nsource = \"npm\"\ncommands = \"x\""),
        and("[tool.x]\nsource = \"npm\"\ncommands = []"),
        and(
            "[tool.x]\nsource = \"npm\"\npackage = { amd64 = \"a\", s390x = \"b\" }\nfiles = { \"/x\" = \"x\" }",
        ),
        and("[tool.x]\nsource = \"npm\"\nfiles = { \"x\" = \"x\" }"),
        and("[tool.x]\nsource = \"npm\"\nfiles = {}"),
        and("[tool.x]\nsource = \"npm\"\ncommands = [\"x\"]\nurl = \"https://a.test\""),
        and(&format!("[tool.x]\nsource = \"npm\"\ncommands = [\"x\"]\nsha256 = \"{hex}\"")),
        and("[tool.x]\nsource = \"npm\"\ncommands = [\"x\"]\nchecks = []"),
        and("[tool.x]\nsource = \"pypi\"\ncommands = [\"x\"]\nfiles = { \"/x\" = \"x\" }"),
        and("[tool.x]\nsource = \"pypi\"\npackage = { amd64 = \"a\" }\nfiles = { \"/x\" = \"x\" }"),
        and("[tool.x]\nsource = \"pypi\""),
        and("[tool.x]\nsource = \"crates\"\nurl = \"https://a.test\"\nfiles = { \"/x\" = \"x\" }"),
        url(&format!("url = \"https://a.test\"\nsha256 = \"{hex}\"")),
        url(&format!("version = \"\"\nurl = \"https://a.test\"\nsha256 = \"{hex}\"")),
        url(&format!("version = \"1\"\nsha256 = \"{hex}\"")),
        url("version = \"1\"\nurl = \"https://a.test\""),
        url(&format!("version = \"1\"\nurl = \"ftp://a.test\"\nsha256 = \"{hex}\"")),
        url("version = \"1\"\nurl = \"https://a.test\"\nsha256 = \"00\""),
        url(&format!(
            "version = \"1\"\nurl = \"https://a.test\"\nsha256.amd64 = \"{}G\"",
            &hex[1..]
        )),
        url(&format!("version = \"1\"\nurl = \"https://a.test\"\nsha256.mips = \"{hex}\"")),
        with("node = [\"prettier\"]", "node = [\"prettier\", \"prettier\"]"),
        with("node = [\"prettier\"]", "node = \"prettier\""),
        with("base = [\"node\", \"python\"]", "Base = [\"node\", \"python\"]"),
        with("[variant]", "[variants]"),
    ];
    for text in &texts {
        assert!(!parses(text), "the parser takes it: {text}");
    }
    for (verdict, text) in verdicts(&texts).iter().zip(&texts) {
        assert_ne!(verdict, "ok", "the schema takes it: {text}");
    }
}

#[test]
fn what_only_the_whole_recipe_tells_is_left_to_the_parser() {
    let texts = [
        with("node = [\"prettier\"]", "node = [\"nobody\"]"),
        with("base = [\"node\", \"python\"]", "base = [\"nothing\"]"),
        with("packages = [\"tree\"]", "packages = [\"hello\"]"),
        and("[[file]]\npath = \"/a\"\nlink = \"b\"\ntool = \"nobody\""),
        with("name = \"extra\"", "name = \"system\""),
    ];
    for text in &texts {
        assert!(!parses(text), "the parser takes it: {text}");
    }
    assert_eq!(verdicts(&texts), vec!["ok"; texts.len()]);
}

#[test]
fn everything_in_the_schema_is_explained() {
    fn unexplained(value: &Value, path: &str, found: &mut Vec<String>) {
        for (name, property) in value["properties"].as_object().into_iter().flatten() {
            let refers = property.get("$ref").is_some() || property.get("minItems").is_some();
            let refines = ["minProperties", "maxItems", "minLength", "const", "enum"];
            let refines = refines.iter().any(|it| property.get(it).is_some());
            if property.get("description").is_none() && !refers && !refines {
                found.push(format!("{path}/{name}"));
            }
        }
        for (name, inner) in value.as_object().into_iter().flatten() {
            unexplained(inner, &format!("{path}/{name}"), found);
        }
        for inner in value.as_array().into_iter().flatten() {
            unexplained(inner, path, found);
        }
    }
    let schema: Value = serde_json::from_str(recipe_schema()).unwrap();
    let mut found = Vec::new();
    unexplained(&schema, "", &mut found);
    assert_eq!(found, ["/$defs/each/oneOf/amd64", "/$defs/each/oneOf/arm64"]);
}
