//! Where an image comes from, as a document: every statement with its origin, and what is missing. Pure.
//!
//! Equal facts and verdicts give equal documents: nothing of the moment is in one, so that it can be committed
//! and checked.

use occ_policy::{Fact, FactName, Facts, Truth, Value, Verdict};
use serde_json::{Value as Json, json};

/// A document about one image.
pub(crate) struct Provenance<'a> {
    /// What is known.
    pub(crate) facts: &'a Facts,
    /// Where it may be used.
    pub(crate) verdicts: &'a [Verdict],
    /// Which policy says so.
    pub(crate) policy: &'a str,
}

/// A part of the document: a title, and facts by what they are called in it.
type Section = (&'static str, &'static [(&'static str, &'static str)]);

const SECTIONS: [Section; 6] = [
    (
        "Image Identity",
        &[
            ("Name", "image.name"),
            ("Tags", "image.tags"),
            ("Digest", "image.digest"),
            ("Image id", "image.id"),
            ("Size in bytes", "image.size"),
            ("Created", "image.created"),
            ("Platform", "image.platform"),
            ("Asked for by digest", "image.pinned"),
        ],
    ),
    (
        "Build Origin",
        &[
            ("Built", "build.place"),
            ("Builder", "build.builder"),
            ("Registries", "image.registries"),
            ("Signatures", "signature.verdict"),
            ("Signed by", "signature.signer"),
            ("SLSA level", "provenance.level"),
            ("Builder that provenance names", "provenance.builder"),
            ("Signed bill of materials", "sbom.signed"),
        ],
    ),
    (
        "Upstream Source",
        &[
            ("Base", "base.name"),
            ("Digest of the base", "base.digest"),
            ("Revision of the base", "base.revision"),
            ("Source of the base", "base.source"),
            ("Base created", "base.created"),
            ("Source", "source.repository"),
            ("Commit", "source.commit"),
            ("opencode", "opencode.version"),
            ("opencode comes from", "opencode.source"),
            ("Digest of that", "opencode.digest"),
        ],
    ),
    (
        "Build Process",
        &[
            ("Recorded", "build.recorded"),
            ("Build key", "build.key"),
            ("Steps", "build.steps"),
            ("Reproducible", "build.reproducible"),
        ],
    ),
    (
        "Image Contents",
        &[
            ("Entrypoint", "contents.entrypoint"),
            ("Command", "contents.command"),
            ("User", "contents.user"),
            ("Working directory", "contents.folder"),
            ("Exposed ports", "contents.ports"),
            ("Endpoints", "contents.endpoints"),
            ("Environment", "contents.environment"),
            ("Tools", "contents.tools"),
            ("Packages of others", "contents.packages"),
            ("Each pinned by a digest", "contents.locked"),
            ("Credentials inside", "credentials.inside"),
            ("Credentials found", "credentials.found"),
            ("Credentials audited", "credentials.audited"),
            ("Layers", "contents.layers"),
        ],
    ),
    ("Change Log", &[("Changes", "document.changes")]),
];

impl Provenance<'_> {
    /// Returns the document as Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("# Provenance: {}\n\n{}\n", code(&self.name()), STATEMENT);
        text.push_str(&format!("\n**Status**: {}\n", self.status().join(", ")));
        for (title, rows) in SECTIONS {
            if title == "Change Log" {
                text.push_str(&self.policy());
                text.push_str(&self.commands());
            }
            text.push_str(&format!("\n## {title}\n\n"));
            text.extend(rows.iter().map(|(label, name)| row(label, &self.fact(name))));
        }
        text
    }

    /// Returns the document as JSON.
    pub(crate) fn json(&self) -> Json {
        let section = |(title, rows): &Section| {
            let statement = |(label, name): &(&str, &str)| {
                let fact = self.fact(name);
                json!({
                    "label": label,
                    "fact": fact.name,
                    "value": fact.value.to_json(),
                    "from": fact.origin,
                    "note": fact.note,
                    "status": status(&fact),
                })
            };
            json!({ "title": title, "statements": rows.iter().map(statement).collect::<Vec<_>>() })
        };
        json!({
            "image": self.name(),
            "status": self.status(),
            "sections": SECTIONS.iter().map(section).collect::<Vec<_>>(),
            "policy": self.policy,
            "verdicts": self.verdicts,
            "commands": self.verification().map(|(what, command)| json!({ "what": what, "command": command })),
            "facts": self.facts,
        })
    }

    fn fact(&self, name: &str) -> Fact {
        self.facts.get(FactName::parse(name).expect("a name in the code is in the catalogue"))
    }

    fn name(&self) -> String {
        match self.fact("image.name").value {
            Value::Text(name) => name,
            _ => "an image without a name".to_owned(),
        }
    }

    fn status(&self) -> Vec<&'static str> {
        let verified = self.fact("signature.verdict").value == Value::Text("verified".to_owned());
        let reproducible = self.fact("build.reproducible").value == Value::Bool(true);
        vec![
            if verified { "VERIFIED" } else { "NOT VERIFIED" },
            if reproducible { "REPRODUCIBLE" } else { "NOT REPRODUCIBLE" },
        ]
    }

    /// Where it may be used, and why not elsewhere.
    fn policy(&self) -> String {
        let mut text = format!("\n## Policy & Usage Constraints\n\nPolicy: {}\n", self.policy);
        for (word, approved) in [("APPROVED", true), ("PROHIBITED", false)] {
            text.push_str(&format!("\n**{word}**:\n\n"));
            let some = self.verdicts.iter().filter(|verdict| verdict.is_approved() == approved);
            let lines: String = some.map(verdict).collect();
            text.push_str(if lines.is_empty() { "- nowhere\n" } else { &lines });
        }
        let purpose = self.fact("image.purpose");
        if let Value::List(saved) = &purpose.value {
            text.push_str(&format!(
                "\n**What it is there for or saves** ({}):\n\n",
                purpose.origin
            ));
            text.extend(saved.iter().map(|line| format!("- {}\n", escaped(line))));
        }
        text + &self.path_forward()
    }

    /// What would lift the prohibitions, each once.
    fn path_forward(&self) -> String {
        let mut advice: Vec<&String> = Vec::new();
        let given = self.verdicts.iter().flat_map(Verdict::reasons);
        for one in given.filter_map(|ruled| ruled.advice.as_ref()) {
            if !advice.contains(&one) {
                advice.push(one);
            }
        }
        let lines = advice.iter().enumerate();
        let lines: String =
            lines.map(|(index, one)| format!("{}. {}\n", index + 1, escaped(one))).collect();
        if lines.is_empty() { lines } else { format!("\n**Recommended path forward**:\n\n{lines}") }
    }

    fn commands(&self) -> String {
        let commands = self.verification();
        let lines = commands.iter().map(|(what, command)| format!("# {what}\n{command}\n"));
        let lines: Vec<String> = lines.collect();
        format!("\n## Verification Commands\n\n```sh\n{}```\n", lines.join("\n"))
    }

    fn verification(&self) -> [(&'static str, String); 6] {
        let name = quoted(&self.name());
        let known = ["image.id", "image.digest"].map(|name| self.fact(name).value);
        let known = known.into_iter().find(Value::is_known);
        let same = known.map_or_else(|| "DIGEST".to_owned(), |digest| quoted(&digest.to_string()));
        [
            ("Is it there", format!("docker image ls {name}")),
            ("Its digests", format!("docker inspect {name} --format '{{{{.RepoDigests}}}}'")),
            (
                "When it says that it was made",
                format!("docker inspect {name} --format '{{{{.Created}}}}'"),
            ),
            ("Its history", format!("docker history --no-trunc {name}")),
            ("Is it the same image", format!("occ identity {name} --expect {same}")),
            ("Where it may be used", format!("occ policy explain {name}")),
        ]
    }
}

const STATEMENT: &str = "Every statement says who makes it: signed provenance, lock, observation, label, \
     declared by a person, or nobody.";

/// Returns what a fact that is not as one would wish is called.
fn status(fact: &Fact) -> &'static str {
    let reproducible = fact.name.as_str() == "build.reproducible";
    match &fact.value {
        Value::Unknown | Value::Bool(false) if reproducible => "NOT REPRODUCIBLE",
        Value::Unknown => "NOT VERIFIED",
        _ => "known",
    }
}

fn row(label: &str, fact: &Fact) -> String {
    let note = fact.note.as_ref().map_or_else(String::new, |note| format!(": {}", escaped(note)));
    let origin = format!("*({}{note})*", fact.origin);
    match (&fact.value, status(fact)) {
        (Value::Unknown, word) => {
            let missing = fact.note.as_deref().unwrap_or("nobody says anything of it");
            format!("- **{label}**: {word}. Missing: {}\n", escaped(missing))
        }
        (Value::List(lines), _) if lines.is_empty() => format!("- **{label}**: none {origin}\n"),
        (Value::List(lines), _) => {
            let lines: String = lines.iter().map(|line| format!("  - {}\n", code(line))).collect();
            format!("- **{label}** {origin}:\n{lines}")
        }
        (Value::Bool(false), word @ "NOT REPRODUCIBLE") => {
            format!("- **{label}**: {word} {origin}\n")
        }
        (Value::Bool(true), _) => format!("- **{label}**: yes {origin}\n"),
        (Value::Bool(false), _) => format!("- **{label}**: no {origin}\n"),
        (value, _) => format!("- **{label}**: {} {origin}\n", code(&value.to_string())),
    }
}

fn verdict(verdict: &Verdict) -> String {
    let mut text = format!("- **{}** (`{}`)\n", escaped(&verdict.title), verdict.environment);
    if verdict.is_approved() {
        text.extend(verdict.notes.iter().map(|note| format!("  - {}\n", escaped(note))));
    }
    for ruled in verdict.reasons() {
        debug_assert!(ruled.truth != Truth::Yes, "a rule that holds is no reason");
        let because: Vec<String> =
            ruled.because.iter().map(|it| escaped(&it.to_string())).collect();
        text.push_str(&format!("  - {}: {}\n", escaped(&ruled.reason()), because.join("; ")));
    }
    text
}

/// Text of others as a code span, whatever is in it (`CommonMark` 6.1).
fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if longest > 0 { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// Text of others that shows as it is.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if "\\`*_[]<>#|~".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A word of a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests;
