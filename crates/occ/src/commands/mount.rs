//! `occ mount`: folders of this host that sandboxes see.

use std::path::Path;

use clap::Subcommand;
use occ_sandbox::MountWish;
use serde_json::json;

use super::entries;
use crate::config::ConfigFile;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::given;

/// The commands of `occ mount`.
#[derive(Debug, Subcommand)]
pub(crate) enum MountCommand {
    /// Let sandboxes see a folder of this host
    Add {
        /// The folder, its place inside (by itself in the workspace), and whether it may be written to
        #[arg(required = true, value_name = "HOST:CONTAINER[:ro|rw]")]
        mounts: Vec<String>,
    },
    /// Let them see it no more
    Remove {
        /// The folder, or its place inside
        path: String,
    },
    /// Show which folders they see
    List,
}

/// Runs `occ mount`.
pub(crate) fn run(command: &MountCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        MountCommand::Add { mounts } => add(mounts, context),
        MountCommand::Remove { path } => {
            entries::remove("mounts", path, |entry| is(entry, path), context)
        }
        MountCommand::List => list(context),
    }
}

fn add(mounts: &[String], context: &Context) -> Result<Exit, Failure> {
    let file = ConfigFile::read(&context.env.config_file())?;
    let known = super::start::texts(file.values.get("mounts"));
    let mut texts = Vec::new();
    for text in mounts {
        let wish: MountWish = text.parse()?;
        let mount = given::folder(&wish)?;
        let mut others = known.iter().filter_map(|entry| entry.parse::<MountWish>().ok());
        let other = others.find(|other| other.target == wish.target);
        if let Some(other) = other.filter(|other| other.source != wish.source) {
            let message = format!(
                "this place inside is taken by {}: {}",
                other.source.display(),
                wish.target
            );
            return Err(Failure::usage(message)
                .hint(format!("name another, or first: occ mount remove {}", wish.target)));
        }
        for warning in given::warnings(&mount, context) {
            context.terminal.warn(&warning);
        }
        texts.push(wish.to_string());
    }
    entries::set("mounts", &texts, context)
}

/// Returns whether an entry's folder or place inside is this path.
fn is(entry: &str, path: &str) -> bool {
    let Ok(wish) = entry.parse::<MountWish>() else { return entry == path };
    let plain = Path::new(path);
    let same_folder = || match (plain.canonicalize(), wish.source.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    };
    wish.source == plain
        || Path::new(&wish.target) == plain
        || wish.to_string() == path
        || entry == path
        || same_folder()
}

fn list(context: &Context) -> Result<Exit, Failure> {
    let mut data = Vec::new();
    let mut text = String::new();
    for (entry, from) in entries::all("mounts", context)? {
        let Ok(wish) = entry.parse::<MountWish>() else { continue };
        text.push_str(&format!(
            "{} -> {} ({}, {})\n",
            wish.source.display(),
            wish.target,
            wish.access,
            from.word()
        ));
        data.push(json!({
            "source": wish.source, "target": wish.target, "mode": wish.access, "from": from,
        }));
    }
    if data.is_empty() {
        context.terminal.say("No folders are mounted; add one: occ mount add /full/path/to/dir");
    }
    context.terminal.result("occ/mounts", &json!(data), &text)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_found_by_its_folder_and_by_its_place_inside() {
        let entry = "/nonexistent/a:/data:ro";
        for path in ["/nonexistent/a", "/nonexistent/a/", "/data", "/data/", entry] {
            assert!(is(entry, path), "{path}");
        }
        for path in ["/nonexistent", "/nonexistent/b", "/", "data", ""] {
            assert!(!is(entry, path), "{path}");
        }
    }
}
