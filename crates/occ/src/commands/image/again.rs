//! `occ image build --verify`: the same images once more, from nothing, elsewhere and otherwise.

use std::fs;
use std::path::Path;
use std::process::Command;

use occ_image::{Layout, Selector, work_folder};

use super::build::{BuildArgs, indexes};
use crate::context::Context;
use crate::env::Environment;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::wiring::host_platform;

/// Builds again in another process and compares the digests of the indexes.
pub(super) fn run(args: &BuildArgs, layout: &Layout, context: &Context) -> Result<Exit, Failure> {
    let elsewhere = work_folder(&context.env.cache_dir)?;
    context.terminal.say("Building again from nothing, with another umask, locale and time zone, one thing at a time");
    build_again(args, elsewhere.path(), context)?;
    let again = Layout::open(&elsewhere.path().join("layout"))?;
    compare(layout, &again, context)
}

fn build_again(args: &BuildArgs, elsewhere: &Path, context: &Context) -> Result<(), Failure> {
    let temporary = elsewhere.join("temporary");
    fs::create_dir(&temporary)?;
    // Whoever unpacks a Debian as another user has to get there.
    open_to_all(elsewhere)?;
    open_to_all(&temporary)?;
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 077; exec \"$0\" \"$@\""])
        .arg(Environment::program_path()?)
        .args(["image", "build", "--jobs", "1", "--quiet", "--progress", "plain"])
        .arg("--output")
        .arg(elsewhere.join("layout"))
        .arg("--compression")
        .arg(args.compression.to_string())
        .args(args.selection.arguments())
        .args(args.release.arguments())
        .env("XDG_CACHE_HOME", elsewhere)
        .env("TMPDIR", &temporary)
        .env("LC_ALL", "POSIX")
        .env("TZ", "Pacific/Kiritimati")
        .stdout(std::process::Stdio::null());
    let status = command.status()?;
    if context.cancel.is_cancelled() {
        return Err(Failure::interrupted());
    }
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(Exit::Failed, format!("the second build did not end well ({status})")))
}

fn open_to_all(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

fn compare(layout: &Layout, again: &Layout, context: &Context) -> Result<Exit, Failure> {
    let first = indexes(layout)?;
    let mut different = Vec::new();
    for (variant, digest) in indexes(again)? {
        let before = first.iter().find(|(name, _)| *name == variant);
        if before.is_none_or(|(_, before)| *before != digest) {
            different.push(variant);
        } else {
            context.terminal.say(&format!("the same bytes twice: {variant} {digest}"));
        }
    }
    if different.is_empty() {
        return Ok(Exit::Done);
    }
    let usual = host_platform()?;
    let mut failure =
        Failure::new(Exit::Refused, format!("not the same bytes twice: {}", different.join(", ")));
    for image in again.images()?.into_iter().filter(|it| different.contains(&it.entry)) {
        let text = match image.config.platform.known() {
            Some(platform) => format!("{}@{platform}", image.entry),
            None => image.entry.clone(),
        };
        let Ok(selector) = text.parse::<Selector>() else { continue };
        let before = layout.image(&selector, usual)?;
        let difference = occ_image::diff(&before, &image, context.cancel.flag())?;
        failure.log.extend(difference.to_string().lines().map(str::to_owned));
    }
    Err(failure)
}
