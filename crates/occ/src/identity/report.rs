//! An identity as a person reads it.

use std::fmt::Write as _;

use occ_image::secrets::LayerSearch;

use super::{Identity, Outcome};

/// Returns the lines of an identity.
pub(crate) fn text(identity: &Identity) -> String {
    let mut lines = vec![("Name", identity.name.clone())];
    lines.extend(identity.tags.iter().map(|tag| ("Tag", tag.clone())));
    lines.extend(identity.digests.iter().map(|digest| ("Digest", digest.clone())));
    lines.extend([
        ("Image id", identity.id.clone()),
        ("Size", format!("{} bytes", identity.size)),
        ("Created", identity.created.clone().unwrap_or_else(|| "not said".to_owned())),
        ("Platform", identity.platform.clone()),
    ]);
    lines.extend(identity.author.iter().map(|author| ("Author", author.clone())));
    let base = identity.base.as_ref().map_or_else(
        || "not said".to_owned(),
        |base| {
            let parts = [base.name.as_deref(), base.digest.as_deref()];
            format!(
                "{} (label {})",
                parts.into_iter().flatten().collect::<Vec<_>>().join(" "),
                base.from
            )
        },
    );
    lines.extend([
        ("Base", base),
        ("Entrypoint", words(&identity.entrypoint)),
        ("Command", words(&identity.command)),
        ("User", identity.user.clone()),
        ("Folder", identity.folder.clone()),
        ("Ports", words(&identity.ports)),
    ]);
    lines.extend(identity.volumes.iter().map(|volume| ("Volume", volume.clone())));
    lines.extend(identity.environment.iter().map(|variable| ("Variable", variable.clone())));
    lines.extend(identity.labels.iter().map(|(name, value)| ("Label", format!("{name}={value}"))));
    lines.extend(identity.layers.iter().map(|layer| ("Layer", layer.clone())));
    lines.extend(identity.history.iter().map(|step| {
        let created = step.created.as_deref().unwrap_or("some time");
        ("History", format!("{created}, {} bytes: {}", step.size, step.done))
    }));
    let found = &identity.credentials;
    lines.extend(found.iter().map(|found| ("Credential", format!("in the {found}"))));
    let in_layers = identity.layer_search.iter().flat_map(|search| &search.found);
    lines.extend(in_layers.map(|found| ("Credential", format!("in {found}"))));
    lines.push(("Searched", searched(identity.layer_search.as_ref())));
    if let Some(sandbox) = &identity.sandbox {
        lines.push(("Sandbox", format!("{} ({})", sandbox.container, sandbox.state)));
        lines.extend(sandbox.checks.iter().map(|check| {
            let word = match check.outcome {
                Outcome::Same => "ok",
                Outcome::Differs => "DIFFERS",
                Outcome::Unknown => "not known",
            };
            ("Check", format!("{}: {word}: {}", check.name, check.seen))
        }));
    }
    let line =
        |(name, value): &(&str, String)| format!("{:<13}{}\n", format!("{name}:"), plain(value));
    lines.iter().map(line).collect()
}

/// Returns where secrets were looked for, and where not.
fn searched(layers: Option<&LayerSearch>) -> String {
    let said = "environment, labels, command, health check and history";
    let Some(LayerSearch { layers, files, larger, samples, found, more }) = layers else {
        return format!("{said}; not the files of the layers (--search-layers)");
    };
    let mut searched = format!("{said}; {files} files in {layers} layers");
    if *larger > 0 {
        write!(searched, ", not {larger} larger than 1 MiB").expect("a text takes texts");
    }
    if *samples > 0 {
        let left_out =
            ", leaving out what looks like a secret in tests and documentation of packages";
        write!(searched, "{left_out} ({samples} files)").expect("a text takes texts");
    }
    if *more > 0 {
        let (more, listed) = (more, found.len());
        write!(searched, "; {more} more secrets than the {listed} listed")
            .expect("a text takes texts");
    }
    searched
}

fn words(words: &[String]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(" ") }
}

/// Returns a text of others as one line that moves no cursor.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = c.is_control();
            let (escape, letter) = (escaped.then(|| c.escape_default()), (!escaped).then_some(c));
            escape.into_iter().flatten().chain(letter)
        })
        .collect()
}
