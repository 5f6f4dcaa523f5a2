use std::io;

use occ_image::{DocumentError, FileContent, PerArchitecture, Recipe, Source};

/// A recipe that has one of everything.
pub(crate) const SMALL: &str = r#"
version = 1

[base]
distribution = "debian"
suite = "trixie"

[[base.group]]
name = "system"
packages = ["jq"]

[system]
shell = "/bin/bash"
lang = "C.UTF-8"
timezone = "UTC"

[[file]]
path = "/etc/motd"
source = "guest/motd"

[[file]]
path = "/usr/local/bin/fd"
link = "/usr/bin/fdfind"

[tool.prettier]
source = "npm"
commands = ["prettier"]

[tool.biome]
source = "npm"
package = { amd64 = "@biomejs/cli-linux-x64", arm64 = "@biomejs/cli-linux-arm64" }
files = { "/usr/local/bin/biome" = "biome" }

[tool.uv]
source = "pypi"
files = { "/usr/local/bin/uv" = "uv-{version}.data/scripts/uv" }

[tool.cross]
source = "crates"
version = "0.2.5"
files = { "/usr/local/bin/cross" = "bin/cross" }

[tool.k9s]
source = "url"
version = "0.51.0"
url = "http://files.test/v{version}/k9s_{arch}.tar.gz"
arch = { amd64 = "x86_64", arm64 = "aarch64" }
files = { "/usr/local/bin/k9s" = "k9s" }
sha256.amd64 = "0000000000000000000000000000000000000000000000000000000000000001"
sha256.arm64 = "0000000000000000000000000000000000000000000000000000000000000002"

[feature]
tools = ["prettier", "biome", "uv", "cross"]
extras = ["k9s"]

[variant]
base = ["tools"]
"#;

pub(crate) fn parse(text: &str) -> Result<Recipe, DocumentError> {
    Recipe::parse("sandbox.toml", text, &|source| match source {
        "guest/motd" => Ok(b"hello\n".to_vec()),
        _ => Err(io::ErrorKind::NotFound.into()),
    })
}

fn names(recipe: &Recipe, variant: &str, with: &[&str]) -> Vec<String> {
    let with: Vec<String> = with.iter().map(|name| (*name).to_owned()).collect();
    let tools = recipe.tools_of(variant, &with).unwrap();
    tools.into_iter().map(|tool| tool.name.clone()).collect()
}

#[test]
fn a_recipe_says_what_is_in_every_variant() {
    let recipe = parse(SMALL).unwrap();
    assert_eq!(names(&recipe, "base", &[]), ["prettier", "biome", "uv", "cross"]);
    assert_eq!(names(&recipe, "base", &["extras"])[0], "k9s");
    let motd = FileContent::Bytes { bytes: b"hello\n".to_vec(), executable: false };
    assert_eq!(recipe.files[0].content, motd);
    assert_eq!(recipe.files[1].content, FileContent::Link("/usr/bin/fdfind".to_owned()));
    let Source::Npm { package, .. } = &recipe.tools["biome"].source else { panic!("from npm") };
    assert!(matches!(package, PerArchitecture::Each(_)));
    assert_eq!(recipe.tools["uv"].check, ["uv", "--version"]);
}

#[test]
fn an_unknown_variant_or_feature_is_named_with_what_there_is() {
    let recipe = parse(SMALL).unwrap();
    let error = recipe.tools_of("omos", &[]).unwrap_err();
    assert_eq!(error.to_string(), "the recipe has no variant \"omos\"; it has base");
    let error = recipe.tools_of("base", &["more".to_owned()]).unwrap_err();
    assert_eq!(error.to_string(), "the recipe has no feature \"more\"; it has extras, tools");
}

#[test]
fn the_built_in_recipe_has_four_variants_that_share_their_tools() {
    let recipe = Recipe::embedded().unwrap();
    let variants: Vec<&String> = recipe.variants.keys().collect();
    assert_eq!(variants, ["base", "omos", "omos-with-pi", "with-pi"]);
    let (base, both) = (names(&recipe, "base", &[]), names(&recipe, "omos-with-pi", &[]));
    assert!(both.starts_with(&base), "{both:?} does not begin with {base:?}");
    assert_eq!(both[base.len()..], ["oh-my-opencode-slim", "pi"]);
    assert_eq!(names(&recipe, "omos", &[])[base.len()..], ["oh-my-opencode-slim"]);
    assert_eq!(names(&recipe, "with-pi", &[])[base.len()..], ["pi"]);
}

#[test]
fn no_tool_of_the_built_in_recipe_is_unused() {
    let recipe = Recipe::embedded().unwrap();
    for name in recipe.tools.keys() {
        let used = recipe.features.values().flatten().any(|tool| tool == name);
        assert!(used, "{name} is in no feature");
    }
}

/// A change of the small recipe, where the error points, and what it says.
type Mistake = (&'static str, &'static str, &'static str, &'static str);

const MISTAKES: &[Mistake] = &[
    ("version = 1", "version = 2", "2:11", "this is version 1 of the grammar"),
    ("version = 1", "version = \"1\"", "2:11", "invalid type: string \"1\", expected u32"),
    ("version = 1", "", "1:1", "missing field `version`"),
    ("suite = ", "suit = ", "6:1", "unknown field `suit`"),
    ("\"debian\"", "\"gentoo\"", "5:16", "unknown variant `gentoo`, expected `debian`"),
    ("[\"jq\"]", "[\"jq\", \"jq\"]", "10:13", "\"jq\" is no Debian package, or is there twice"),
    ("[\"jq\"]", "[\"JQ\"]", "10:13", "\"JQ\" is no Debian package, or is there twice"),
    ("[\"jq\"]", "[\"jq\"", "12:1", "missing comma"),
    ("\"/bin/bash\"", "\"bash\"", "13:9", "\"bash\" is not an absolute path"),
    ("\"UTC\"", "\"U TC\"", "15:12", "\"U TC\" cannot be"),
    ("\"/etc/motd\"", "\"/etc/../motd\"", "17:1", "\"/etc/../motd\" is not an absolute path"),
    ("\"guest/motd\"", "\"guest/no\"", "19:10", "cannot read guest/no"),
    ("link = \"/usr/bin/fdfind\"", "", "21:1", "a file needs either a source or a link"),
    ("\"/usr/local/bin/fd\"", "\"/etc/motd\"", "21:1", "/etc/motd is there twice"),
    ("source = \"pypi\"", "source = \"gem\"", "35:10", "\"gem\" is no source"),
    ("source = \"pypi\"", "", "34:1", "missing field `source`"),
    ("commands = [\"prettier\"]", "", "25:1", "prettier needs either files or, from npm, commands"),
    (
        "commands = [\"prettier\"]",
        "commands = [\"a\"]\nfiles = { \"/a\" = \"a\" }",
        "25:1",
        "prettier needs either files or",
    ),
    (
        "files = { \"/usr/local/bin/uv\"",
        "files = { \"usr/local/bin/uv\"",
        "36:32",
        "\"usr/local/bin/uv\" is not an absolute path",
    ),
    (
        "files = { \"/usr/local/bin/uv\" = \"uv-{version}.data/scripts/uv\" }",
        "commands = [\"uv\"]",
        "34:1",
        "only a tool from npm has commands",
    ),
    (
        "source = \"pypi\"",
        "source = \"pypi\"\nurl = \"http://x\"",
        "36:7",
        "only a tool from url has this, not pypi",
    ),
    (
        "source = \"pypi\"",
        "source = \"pypi\"\npackage = { amd64 = \"a\", arm64 = \"b\" }",
        "36:11",
        "a tool from pypi has one package",
    ),
    ("version = \"0.51.0\"", "", "43:1", "a tool from url needs a version"),
    ("\"http://files.test/", "\"ftp://files.test/", "46:7", "an address begins with https://"),
    ("url = \"http", "#url = \"http", "43:1", "a tool from url needs a url"),
    ("0001\"", "001\"", "49:16", "is not 64 hexadecimal digits"),
    ("extras = [\"k9s\"]", "extras = [\"k8s\"]", "54:11", "there is no tool \"k8s\""),
    ("extras = [\"k9s\"]", "extras = [\"k9s\", \"k9s\"]", "54:18", "\"k9s\" is there twice"),
    ("base = [\"tools\"]", "base = [\"tool\"]", "57:9", "there is no feature \"tool\""),
    ("base = [\"tools\"]", "Base = [\"tools\"]", "57:9", "\"Base\" is not a name of a variant"),
    ("[tool.uv]", "[tool.\"u v\"]", "34:1", "\"u v\" is not a name of a tool"),
    ("[variant]", "[variants]", "56:2", "unknown field `variants`"),
];

#[test]
fn every_mistake_is_said_with_file_line_and_column() {
    let mut wrong = Vec::new();
    for (from, to, place, message) in MISTAKES {
        assert!(SMALL.contains(from), "{from} is not in the recipe");
        let said = match parse(&SMALL.replacen(from, to, 1)) {
            Ok(_) => "nothing".to_owned(),
            Err(error) => error.to_string(),
        };
        if !said.starts_with(&format!("sandbox.toml:{place}: ")) || !said.contains(message) {
            wrong.push(format!("{to:?}: expected {place}: {message}\n   got {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
