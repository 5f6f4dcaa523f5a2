//! What the grammar of a recipe cannot say: names that must exist, fields that need or exclude each other.

use std::collections::{BTreeMap, BTreeSet};

use occ_oci::Digest;
use toml::Spanned;

use super::arch::{Architecture, PerArchitecture};
use super::tool::{self, Source, Tool};
use super::{FileContent, FileRecipe, ReadFile, Recipe, Written, WrittenFile};
use crate::document::{DocumentError, place};

/// The version of the grammar.
const VERSION: u32 = 1;

struct Place<'a> {
    file: &'a str,
    text: &'a str,
}

impl Place<'_> {
    fn error(&self, at: usize, message: impl Into<String>) -> DocumentError {
        place(self.file, self.text, at, message.into())
    }

    /// A mistake in a part that keeps no place of its own: the first time its text stands there.
    fn error_at(&self, word: &str, message: impl Into<String>) -> DocumentError {
        let quoted = format!("\"{word}\"");
        self.error(self.text.find(&quoted).unwrap_or_default(), message)
    }
}

pub(super) fn validate(
    file: &str,
    text: &str,
    written: Written,
    read: ReadFile<'_>,
) -> Result<Recipe, DocumentError> {
    let at = Place { file, text };
    if *written.version.get_ref() != VERSION {
        let message = format!("this is version {VERSION} of the grammar");
        return Err(at.error(written.version.span().start, message));
    }
    check_base(&at, &written)?;
    let mut tools = BTreeMap::new();
    for (name, tool) in written.tool {
        check_word(&at, tool.span().start, "tool", &name)?;
        tools.insert(name.clone(), check_tool(&at, name, tool)?);
    }
    let features = check_sets(&at, "feature", written.feature, "tool", &tools)?;
    let variants = check_sets(&at, "variant", written.variant, "feature", &features)?;
    let files = check_files(&at, written.file, &tools, read)?;
    Ok(Recipe { base: written.base, system: written.system, files, tools, features, variants })
}

fn check_base(at: &Place<'_>, written: &Written) -> Result<(), DocumentError> {
    let mut names = BTreeSet::new();
    let mut packages = BTreeSet::new();
    for group in &written.base.group {
        if !names.insert(&group.name) || !is_word(&group.name) {
            let message = format!("{:?} is not a name, or there are two groups of it", group.name);
            return Err(at.error_at(&group.name, message));
        }
        for package in &group.packages {
            if !packages.insert(package) || !is_package(package) {
                let message = format!("{package:?} is no Debian package, or is there twice");
                return Err(at.error_at(package, message));
            }
        }
    }
    for word in [&written.system.lang, &written.system.timezone, &written.base.suite] {
        if word.is_empty() || word.chars().any(|c| c.is_whitespace() || c == '\'') {
            return Err(at.error_at(word, format!("{word:?} cannot be")));
        }
    }
    let shell = &written.system.shell;
    if is_absolute(shell) {
        return Ok(());
    }
    Err(at.error_at(shell, format!("{shell:?} is not an absolute path")))
}

/// SPEC: Debian Policy 5.6.1, names of packages.
fn is_package(name: &str) -> bool {
    name.len() > 1
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c))
}

/// Names of layers and variants become parts of file names and tags.
fn is_word(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(plain) && name.chars().all(|c| plain(c) || c == '-')
}

fn check_word(at: &Place<'_>, place: usize, what: &str, name: &str) -> Result<(), DocumentError> {
    if is_word(name) {
        return Ok(());
    }
    let message = format!("{name:?} is not a name of a {what}: small letters, digits and hyphens");
    Err(at.error(place, message))
}

fn check_path(at: &Place<'_>, place: usize, path: &str) -> Result<(), DocumentError> {
    if is_absolute(path) {
        return Ok(());
    }
    Err(at.error(place, format!("{path:?} is not an absolute path")))
}

fn is_absolute(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|rest| {
        rest.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
    })
}

fn check_files(
    at: &Place<'_>,
    written: Vec<Spanned<WrittenFile>>,
    tools: &BTreeMap<String, Tool>,
    read: ReadFile<'_>,
) -> Result<Vec<FileRecipe>, DocumentError> {
    let mut files: Vec<FileRecipe> = Vec::new();
    for file in written {
        let place = file.span().start;
        let WrittenFile { path, source, link, executable, users, tool } = file.into_inner();
        check_path(at, place, &path)?;
        if files.iter().any(|other| other.path == path) {
            return Err(at.error(place, format!("{path} is there twice")));
        }
        let content = match (source, link) {
            (Some(source), None) => {
                let bytes = read(source.get_ref()).map_err(|error| {
                    at.error(
                        source.span().start,
                        format!("cannot read {}: {error}", source.get_ref()),
                    )
                })?;
                FileContent::Bytes { bytes, executable }
            }
            (None, Some(link)) => FileContent::Link(link.into_inner()),
            _ => return Err(at.error(place, "a file needs either a source or a link")),
        };
        if let Some(tool) = tool.as_ref().filter(|tool| !tools.contains_key(tool.get_ref())) {
            let message = format!("there is no tool {:?}", tool.get_ref());
            return Err(at.error(tool.span().start, message));
        }
        let tool = tool.map(Spanned::into_inner);
        files.push(FileRecipe { path, content, users, tool });
    }
    Ok(files)
}

fn check_sets<T>(
    at: &Place<'_>,
    what: &str,
    written: BTreeMap<String, Vec<Spanned<String>>>,
    of: &str,
    known: &BTreeMap<String, T>,
) -> Result<BTreeMap<String, Vec<String>>, DocumentError> {
    let mut sets = BTreeMap::new();
    for (name, members) in written {
        let place = members.first().map_or(0, |first| first.span().start);
        check_word(at, place, what, &name)?;
        let mut set = Vec::new();
        for member in members {
            let place = member.span().start;
            let member = member.into_inner();
            if !known.contains_key(&member) {
                return Err(at.error(place, format!("there is no {of} {member:?}")));
            }
            if set.contains(&member) {
                return Err(at.error(place, format!("{member:?} is there twice")));
            }
            set.push(member);
        }
        sets.insert(name, set);
    }
    Ok(sets)
}

fn check_tool(
    at: &Place<'_>,
    name: String,
    written: Spanned<tool::Written>,
) -> Result<Tool, DocumentError> {
    let place = written.span().start;
    let written = written.into_inner();
    let source = check_source(at, &name, place, &written)?;
    for (path, member) in &written.files {
        check_path(at, member.span().start, path)?;
    }
    let is_tree = !written.commands.is_empty();
    if is_tree && !matches!(source, Source::Npm { .. }) {
        return Err(at.error(place, "only a tool from npm has commands; others have files"));
    }
    if is_tree != written.files.is_empty() {
        let message = format!("{name} needs either files or, from npm, commands");
        return Err(at.error(place, message));
    }
    let files: BTreeMap<String, String> =
        written.files.into_iter().map(|(path, member)| (path, member.into_inner())).collect();
    let command = || {
        let first = files.keys().next().and_then(|path| path.rsplit('/').next());
        written.commands.first().map(String::as_str).or(first).unwrap_or_default().to_owned()
    };
    let check = written.check.unwrap_or_else(|| vec![command(), "--version".to_owned()]);
    let environment = check_environment(at, written.environment)?;
    let all = Architecture::Amd64.name().to_owned();
    let arch = written.arch.unwrap_or(PerArchitecture::Each(super::arch::Each {
        amd64: Some(all),
        arm64: Some(Architecture::Arm64.name().to_owned()),
    }));
    Ok(Tool { name, source, files, commands: written.commands, arch, check, environment })
}

/// SPEC: POSIX.1-2024, Base Definitions 8.1: names of capital letters, digits and underscores. `PATH` is no
/// tool's business: what the image brings has to come first.
fn check_environment(
    at: &Place<'_>,
    written: BTreeMap<String, Spanned<String>>,
) -> Result<BTreeMap<String, String>, DocumentError> {
    let capital = |c: char| c.is_ascii_uppercase() || c == '_';
    let mut environment = BTreeMap::new();
    for (name, value) in written {
        let plain =
            name.starts_with(capital) && name.chars().all(|c| capital(c) || c.is_ascii_digit());
        if !plain || name == "PATH" {
            return Err(
                at.error(value.span().start, format!("{name:?} is not a variable for a tool"))
            );
        }
        environment.insert(name, value.into_inner());
    }
    Ok(environment)
}

fn check_source(
    at: &Place<'_>,
    name: &str,
    place: usize,
    written: &tool::Written,
) -> Result<Source, DocumentError> {
    let kind = written.source.get_ref().as_str();
    let version = written.version.as_ref().map(|it| it.get_ref().clone()).unwrap_or_default();
    let package = || match &written.package {
        Some(package) => package.get_ref().clone(),
        None => PerArchitecture::All(name.to_owned()),
    };
    let one_package = || match (package(), &written.package) {
        (PerArchitecture::All(name), _) => Ok(name),
        (PerArchitecture::Each(_), written) => {
            let place = written.as_ref().map_or(place, |it| it.span().start);
            Err(at.error(place, format!("a tool from {kind} has one package")))
        }
    };
    if kind != "url" {
        let url = written.url.as_ref().map(Spanned::span);
        if let Some(place) = url.or(written.sha256.as_ref().map(Spanned::span)) {
            let message = format!("only a tool from url has this, not {kind}");
            return Err(at.error(place.start, message));
        }
    }
    match kind {
        "npm" => Ok(Source::Npm { package: package(), version }),
        "pypi" => Ok(Source::Pypi { package: one_package()?, version }),
        "crates" => Ok(Source::Crates { package: one_package()?, version }),
        "url" => check_url(at, place, written, version),
        _ => Err(at.error(
            written.source.span().start,
            format!("{kind:?} is no source; npm, pypi, crates and url are"),
        )),
    }
}

fn check_url(
    at: &Place<'_>,
    place: usize,
    written: &tool::Written,
    version: String,
) -> Result<Source, DocumentError> {
    let missing = |what: &str| at.error(place, format!("a tool from url needs {what}"));
    if version.is_empty() {
        return Err(missing("a version"));
    }
    let url = written.url.as_ref().ok_or_else(|| missing("a url"))?;
    if !url.get_ref().starts_with("https://") && !url.get_ref().starts_with("http://") {
        return Err(at.error(url.span().start, "an address begins with https:// or http://"));
    }
    let sha256 = written.sha256.as_ref().ok_or_else(|| missing("a sha256"))?;
    let digest = |hex: &String| {
        format!("sha256:{hex}")
            .parse::<Digest>()
            .map_err(|_| at.error_at(hex, format!("{hex:?} is not 64 hexadecimal digits")))
    };
    let sha256 = match sha256.get_ref() {
        PerArchitecture::All(hex) => PerArchitecture::All(digest(hex)?),
        PerArchitecture::Each(each) => PerArchitecture::Each(super::arch::Each {
            amd64: each.amd64.as_ref().map(digest).transpose()?,
            arm64: each.arm64.as_ref().map(digest).transpose()?,
        }),
    };
    Ok(Source::Url { version, url: url.get_ref().clone(), sha256 })
}
