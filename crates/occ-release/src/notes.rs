//! What people are told of a release: notes with every digest, and a line for the changelog.

use std::fmt::Write as _;

use occ_image::Size;

use crate::diff::ReleaseDiff;
use crate::ports::Smoked;
use crate::receipt::Receipt;

/// Most packages that are named one by one.
const NAMED: usize = 40;

/// Writes the notes of a release (Markdown); `before` is the release that it is compared with.
pub fn notes(receipt: &Receipt, before: Option<&Receipt>) -> String {
    let mut text = format!("# opencode-cloud {}\n\n", receipt.channel);
    if let Some(revision) = &receipt.revision {
        say(&mut text, &format!("Made from commit `{revision}` at {}.\n", receipt.created));
    }
    images(&mut text, receipt);
    smoke(&mut text, receipt);
    if let Some(before) = before {
        changes(&mut text, &ReleaseDiff::new(before, receipt));
    }
    for gap in &receipt.gaps {
        let closed = gap.closed_by.map(|by| format!(", closed by {by}")).unwrap_or_default();
        say(&mut text, &format!("Known gap: `{}` is not there: {}{closed}.", gap.tag, gap.why));
    }
    text
}

fn say(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn images(text: &mut String, receipt: &Receipt) {
    say(text, "## Images\n");
    say(text, "| image | digest | bytes to fetch |");
    say(text, "|---|---|---|");
    for variant in &receipt.variants {
        say(text, &format!("| `{}` | `{}` | |", variant.name, variant.digest));
        for image in &variant.images {
            let (platform, digest, size) = (image.platform, &image.digest, Size(image.size));
            say(text, &format!("| {} for {platform} | `{digest}` | {size} |", variant.name));
        }
    }
    say(text, &format!("| `{}` | `{}` | |\n", receipt.base.name, receipt.base.digest));
    say(text, "Everything is signed, with provenance and a bill of materials, in:\n");
    for place in &receipt.places {
        say(text, &format!("- `{place}`"));
    }
    say(text, "");
}

fn smoke(text: &mut String, receipt: &Receipt) {
    let not_run = receipt.smoke.iter().filter_map(|tried| match &tried.result {
        Smoked::NotHere { why } => Some(format!("{} for {}: {why}", tried.variant, tried.platform)),
        _ => None,
    });
    let not_run: Vec<String> = not_run.collect();
    let ran = receipt.smoke.len() - not_run.len();
    say(
        text,
        &format!("{ran} of {} images were run and did what they must.\n", receipt.smoke.len()),
    );
    for line in not_run {
        say(text, &format!("- **Not run**: {line}"));
    }
}

fn changes(text: &mut String, diff: &ReleaseDiff) {
    say(text, &format!("\n## Since {}\n", diff.from));
    versions(text, "tool", &diff.tools);
    match diff.packages.len() {
        0 => say(text, "The packages of Debian are the same."),
        more if more > NAMED => {
            say(text, &format!("{more} packages of Debian have other versions."));
        }
        _ => versions(text, "package", &diff.packages),
    }
    say(text, "\n| image | layers kept | new | bytes to fetch for an update | size |");
    say(text, "|---|---|---|---|---|");
    for image in &diff.images {
        let fetch: u64 = image.new.iter().map(|(_, size)| size).sum();
        let names: Vec<&str> = image.new.iter().map(|(name, _)| name.as_str()).collect();
        let size = match (image.size_before, image.size_after) {
            (Some(before), Some(after)) => growth(before, after),
            (None, Some(after)) => format!("{} (new)", Size(after)),
            _ => "gone".to_owned(),
        };
        say(
            text,
            &format!(
                "| {} | {} | {} | {} | {size} |",
                image.name,
                image.shared,
                names.join(", "),
                Size(fetch)
            ),
        );
    }
}

fn versions(
    text: &mut String,
    what: &str,
    changed: &std::collections::BTreeMap<String, (Option<String>, Option<String>)>,
) {
    for (name, change) in changed {
        let line = match change {
            (Some(before), Some(after)) => format!("{before} → {after}"),
            (None, Some(after)) => format!("new, {after}"),
            (before, None) => format!("gone, was {}", before.clone().unwrap_or_default()),
        };
        say(text, &format!("- {what} `{name}`: {line}"));
    }
}

fn growth(before: u64, after: u64) -> String {
    let sign = if after < before { '-' } else { '+' };
    format!("{} ({sign}{})", Size(after), Size(after.abs_diff(before)))
}

/// Writes the entry of a changelog (Keep a Changelog).
pub fn changelog(receipt: &Receipt, before: Option<&Receipt>) -> String {
    let day: String = receipt.created.to_string().chars().take(10).collect();
    let mut text = format!("## [{}] - {day}\n\n### Changed\n\n", receipt.channel);
    let diff = before.map(|before| ReleaseDiff::new(before, receipt));
    let mut lines = 0;
    for (name, (before, after)) in diff.iter().flat_map(|diff| &diff.tools) {
        let of = |version: &Option<String>| version.clone().unwrap_or_else(|| "none".to_owned());
        let _ = writeln!(text, "- `{name}` {} → {}", of(before), of(after));
        lines += 1;
    }
    if diff.as_ref().is_some_and(|diff| diff.base_changed) {
        let _ = writeln!(text, "- another base, `{}`", receipt.base.name);
        lines += 1;
    }
    if lines == 0 {
        let _ = writeln!(text, "- built anew");
    }
    text
}
