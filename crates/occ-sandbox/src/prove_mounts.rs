//! The proof that the sandbox's user can use its mounts as wished, and that files belong to the right one outside.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use occ_engine::{Engine, ImageId, Mount};

use crate::error::{ApplyError, ProbeError};
use crate::files::FileError;
use crate::mount::{Access, FolderMount};
use crate::probe::PATIENCE;
use crate::short_lived::ShortLived;
use crate::spec::{Owner, SandboxSpec};
use crate::world::World;

/// Proves all mounts with one short-lived container.
pub(crate) async fn prove_mounts<E: Engine, S>(
    world: &World<'_, E, S>,
    spec: &SandboxSpec,
    image: ImageId,
    mounts: &[FolderMount],
    owner: Owner,
) -> Result<(), ApplyError> {
    let file = format!(".{}", spec.instance.probe());
    let user = format!("{}:{}", owner.uid, owner.gid);
    let binds = mounts.iter().map(|mount| Mount::Bind {
        source: mount.source.clone(),
        target: mount.target.clone(),
        read_only: mount.access == Access::ReadOnly,
    });
    let (name, isolation) = (spec.instance.probe(), spec.isolation.clone());
    let (script, mounted) = (script(mounts, &file), binds.collect());
    let probe = ShortLived { name, image, user, script, mounts: mounted, isolation };
    let ran = probe.run(world.engine, spec.claim(), PATIENCE, world.cancel).await;
    let seen: Vec<io::Result<Owner>> = mounts.iter().map(|mount| look(mount, &file)).collect();
    // Whatever was proved, the files are ours to remove; one folder can be at two places.
    for mount in mounts {
        drop(std::fs::remove_file(mount.source.join(&file)));
    }
    let said = ran?;
    verdict(mounts, owner, said.code, &said.complaint())?;
    for (mount, seen) in mounts.iter().zip(seen).filter(|(mount, _)| is_writable(mount)) {
        whose(mount, seen, &file)?;
    }
    Ok(())
}

fn is_writable(mount: &FolderMount) -> bool {
    mount.access == Access::ReadWrite
}

/// Returns whose the file is that the probe made.
fn look(mount: &FolderMount, file: &str) -> io::Result<Owner> {
    let meta = std::fs::symlink_metadata(mount.source.join(file))?;
    Ok(Owner { uid: meta.uid(), gid: meta.gid() })
}

/// What the probe ends with when the mount at an index is not as wished: this and the index.
const UNREADABLE: usize = 10;
const UNWRITABLE: usize = 70;
const WRITABLE: usize = 130;
/// As many can be told apart.
const MOST: usize = 60;

/// Returns the probe's script, which uses nothing but a shell.
fn script(mounts: &[FolderMount], file: &str) -> String {
    let mut lines = Vec::new();
    for (index, mount) in mounts.iter().enumerate() {
        let index = index.min(MOST - 1);
        let folder = quoted(&mount.target);
        let (unreadable, unwritable) = (UNREADABLE + index, UNWRITABLE + index);
        lines.push(format!("[ -r {folder} ] && [ -x {folder} ] || exit {unreadable}"));
        lines.push(match mount.access {
            Access::ReadWrite => {
                format!("rm -f {folder}/{file}; (: >{folder}/{file}) || exit {unwritable}")
            }
            Access::ReadOnly => {
                let writable = WRITABLE + index;
                format!("if (: >{folder}/{file}) 2>/dev/null; then exit {writable}; fi")
            }
        });
    }
    lines.join("\n")
}

/// Quotes for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn verdict(mounts: &[FolderMount], owner: Owner, code: i64, said: &str) -> Result<(), ProbeError> {
    if code == 0 {
        return Ok(());
    }
    let code = usize::try_from(code).unwrap_or_default();
    let at = |from: usize| {
        let index = code.checked_sub(from).filter(|index| *index < MOST)?;
        mounts.get(index).map(|mount| mount.source.clone())
    };
    if let Some(path) = at(UNREADABLE) {
        return Err(ProbeError::NotReadable { path, owner });
    }
    if let Some(path) = at(WRITABLE) {
        return Err(ProbeError::NotReadOnly { path });
    }
    let first = || mounts.first().map(|mount| mount.source.clone()).unwrap_or_default();
    let path = at(UNWRITABLE).unwrap_or_else(first);
    Err(ProbeError::NotWritable { path, owner, said: said.to_owned() })
}

/// The user must be the folder's; a folder can hand its group on to what is in it, or not.
fn whose(mount: &FolderMount, seen: io::Result<Owner>, file: &str) -> Result<(), ApplyError> {
    let path = mount.source.clone();
    match seen {
        Ok(found) if found.uid == mount.owner.uid => Ok(()),
        Ok(found) => Err(ProbeError::OtherOwner { path, wished: mount.owner, found }.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(ProbeError::NotSeen { path }.into())
        }
        Err(error) => Err(FileError::wrap("look at", &Path::new(&path).join(file))(error).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn mounts(access: [Access; 2], folder: &Path) -> Vec<FolderMount> {
        let owner = Owner { uid: 1000, gid: 1000 };
        let at = |(name, access): (&str, Access)| {
            let source = folder.join(name);
            let target = source.display().to_string();
            FolderMount { source, target, access, owner }
        };
        ["it's one", "two"].into_iter().zip(access).map(at).collect()
    }

    /// Runs the script on this host, where the places inside are the folders themselves.
    fn run(mounts: &[FolderMount]) -> Result<(), ProbeError> {
        let ran =
            Command::new("sh").args(["-c", &script(mounts, ".probe")]).output().expect("a shell");
        let code = ran.status.code().expect("a code");
        verdict(mounts, Owner::GUEST, i64::from(code), &String::from_utf8_lossy(&ran.stderr))
    }

    #[test]
    fn the_probe_names_the_folder_that_is_not_as_wished() {
        let dir = tempfile::tempdir().expect("tempdir");
        let both = mounts([Access::ReadWrite; 2], dir.path());
        std::fs::create_dir(&both[0].source).expect("a folder");
        let error = run(&both).expect_err("there is one folder only");
        assert!(
            matches!(&error, ProbeError::NotReadable { path, .. } if *path == both[1].source),
            "{error}"
        );
        std::fs::create_dir(&both[1].source).expect("a folder");
        run(&both).expect("both can be used");
        assert!(look(&both[0], ".probe").is_ok() && look(&both[1], ".probe").is_ok());
        std::fs::remove_file(both[1].source.join(".probe")).expect("made");
        assert!(look(&both[1], ".probe").is_err());

        let open = mounts([Access::ReadWrite, Access::ReadOnly], dir.path());
        let error = run(&open).expect_err("the second can be written to");
        assert!(
            matches!(&error, ProbeError::NotReadOnly { path } if *path == both[1].source),
            "{error}"
        );
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_named_with_what_was_said() {
        let dir = tempfile::tempdir().expect("tempdir");
        let both = mounts([Access::ReadWrite; 2], dir.path());
        let code = i64::try_from(UNWRITABLE + 1).expect("small");
        let error = verdict(&both, Owner::GUEST, code, "Permission denied").expect_err("it failed");
        let text = error.to_string();
        assert!(text.contains("two") && text.ends_with("Permission denied"), "{text}");
    }

    #[test]
    fn a_file_of_another_user_or_none_at_all_is_found_out() {
        let dir = tempfile::tempdir().expect("tempdir");
        let mount = &mounts([Access::ReadWrite; 2], dir.path())[0];
        let found = |uid| Ok(Owner { uid, gid: 7 });
        assert!(whose(mount, found(1000), "f").is_ok());
        let other = whose(mount, found(0), "f").expect_err("another");
        assert!(matches!(other, ApplyError::Probe(ProbeError::OtherOwner { .. })), "{other:?}");
        let gone = whose(mount, Err(io::ErrorKind::NotFound.into()), "f").expect_err("none");
        assert!(matches!(gone, ApplyError::Probe(ProbeError::NotSeen { .. })), "{gone:?}");
    }
}
