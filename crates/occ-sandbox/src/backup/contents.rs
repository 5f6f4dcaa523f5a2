//! What may be in a volume's archive: files, folders and links in it.

use std::io::{self, Read};
use std::path::{Component, Path};

use tar::EntryType;

/// Reads an archive to its end and refuses what could reach out of its volume or make a device.
///
/// # Errors
/// `Err(Ok(why))` names what is refused, `Err(Err(error))` is the reader's own or an archive that is none.
pub(super) fn check(archive: impl Read) -> Result<(), Result<String, io::Error>> {
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries().map_err(Err)? {
        let entry = entry.map_err(Err)?;
        let path = entry.path().map_err(Err)?.into_owned();
        let shown = || path.display().to_string();
        if !is_inside(&path) {
            return Err(Ok(format!("a name that leads out of its volume: {}", shown())));
        }
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Directory | EntryType::Symlink | EntryType::Fifo => {}
            EntryType::Link => {
                let target = entry.link_name().map_err(Err)?;
                if !target.is_some_and(|target| is_inside(&target)) {
                    return Err(Ok(format!("a link that leads out of its volume: {}", shown())));
                }
            }
            EntryType::Char | EntryType::Block => return Err(Ok(format!("a device: {}", shown()))),
            other => return Err(Ok(format!("an entry of kind {other:?}: {}", shown()))),
        }
    }
    io::copy(&mut archive.into_inner(), &mut io::sink()).map(drop).map_err(Err)
}

/// Returns whether a path is one of the volume's own: names are relative to it.
fn is_inside(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(path: &str, kind: EntryType, link: &str) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        // Not through the crate's own checks: a forger would not use them either.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(0);
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, io::empty()).expect("in memory");
        builder.into_inner().expect("in memory")
    }

    #[test]
    fn files_folders_and_links_of_the_volume_are_taken() {
        for (path, kind, link) in [
            ("./", EntryType::Directory, ""),
            ("./a", EntryType::Regular, ""),
            ("b", EntryType::Symlink, "/etc/passwd"),
            ("./c", EntryType::Link, "./a"),
        ] {
            assert!(check(archive(path, kind, link).as_slice()).is_ok(), "{path}");
        }
    }

    #[test]
    fn whatever_reaches_out_or_is_a_device_is_refused_by_name() {
        for (path, kind, link) in [
            ("./../../etc/passwd", EntryType::Regular, ""),
            ("/data/a", EntryType::Regular, ""),
            ("./c", EntryType::Link, "../etc/passwd"),
            ("./disk", EntryType::Block, ""),
            ("./mem", EntryType::Char, ""),
        ] {
            let refused = check(archive(path, kind, link).as_slice());
            let Err(Ok(why)) = refused else { panic!("{path}: {refused:?}") };
            assert!(why.ends_with(path), "{why}");
        }
    }
}
