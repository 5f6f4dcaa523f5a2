//! Folders of a fake container as tar archives.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use super::volumes::in_volume;
use super::world::World;
use crate::change::{FileChange, FileChangeKind};
use crate::engine::GuestFile;
use crate::error::Error;
use crate::mount::Mount;

impl World {
    /// Returns an archive of what is in a folder of a container; `None` when it is not there.
    pub(super) fn pack(&self, container: &str, folder: &str) -> Result<Option<Vec<u8>>, Error> {
        let folder = folder.trim_end_matches('/');
        let all = self.all_files(container)?;
        let inside = all.iter().filter_map(|(at, bytes)| Some((below(folder, at)?, bytes)));
        let files: BTreeMap<_, _> =
            inside.map(|(rest, bytes)| (format!("./{rest}"), bytes)).collect();
        let slashes = files
            .keys()
            .flat_map(|name| name.match_indices('/').map(|(at, _)| name[..at].to_owned()));
        let folders: BTreeSet<_> = slashes.chain([".".to_owned()]).collect();
        if files.is_empty() && !self.has_folder(container, folder)? {
            return Ok(None);
        }
        archive(&files, &folders).map(Some)
    }

    /// Unpacks an archive into a folder of a container.
    pub(super) fn unpack(
        &mut self,
        container: &str,
        path: &str,
        archive: Box<dyn Read + Send>,
    ) -> Result<(), Error> {
        let folder = path.trim_end_matches('/');
        if !self.has_folder(container, folder)? {
            return Err(Error::NotFound { message: format!("{path} in {container}") });
        }
        for file in unpacked(folder, archive)
            .map_err(|source| Error::Local { doing: "read the archive", source })?
        {
            self.put(container, file)?;
        }
        Ok(())
    }

    /// Returns what was put into a container. What its image has is unknown here: nothing of it.
    pub(super) fn changes(&self, container: &str) -> Result<Vec<FileChange>, Error> {
        let found = self.find(container)?;
        let own = found.files.iter().filter(|file| in_volume(&found.spec, &file.path).is_none());
        let kind = FileChangeKind::Added;
        Ok(own.map(|file| FileChange { path: file.path.clone(), kind }).collect())
    }

    /// Returns every file a container sees, by absolute path.
    fn all_files(&self, container: &str) -> Result<BTreeMap<String, &[u8]>, Error> {
        let found = self.find(container)?;
        let own = found.files.iter().filter(|file| in_volume(&found.spec, &file.path).is_none());
        let mut all: BTreeMap<_, _> =
            own.map(|file| (file.path.clone(), file.bytes.as_slice())).collect();
        for mount in &found.spec.mounts {
            let Mount::Volume { name, target, .. } = mount else { continue };
            let files = self.contents.get(name).into_iter().flatten();
            all.extend(files.map(|(path, bytes)| (format!("{target}/{path}"), bytes.as_slice())));
        }
        Ok(all)
    }

    /// A volume has the folders of its files. What folders an image has is unknown here: all.
    fn has_folder(&self, container: &str, folder: &str) -> Result<bool, Error> {
        let found = self.find(container)?;
        let Some((volume, rest)) = in_volume(&found.spec, folder) else { return Ok(true) };
        let mut paths = self.contents.get(&volume).into_iter().flat_map(BTreeMap::keys);
        Ok(rest.is_empty() || paths.any(|path| below(&rest, path).is_some()))
    }
}

/// Returns the rest of a path that lies in a folder.
fn below<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(folder)?.strip_prefix('/')
}

fn archive(
    files: &BTreeMap<String, impl AsRef<[u8]>>,
    folders: &BTreeSet<String>,
) -> Result<Vec<u8>, Error> {
    let mut archive = tar::Builder::new(Vec::new());
    let pack = || {
        for folder in folders {
            let mut header = header(tar::EntryType::Directory, 0o755, 0);
            archive.append_data(&mut header, format!("{folder}/"), io::empty())?;
        }
        for (path, bytes) in files {
            let bytes = bytes.as_ref();
            let mut header = header(tar::EntryType::Regular, 0o644, bytes.len() as u64);
            archive.append_data(&mut header, path, bytes)?;
        }
        archive.into_inner()
    };
    pack().map_err(|source| Error::Local { doing: "pack an archive", source })
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(1000);
    header.set_gid(1000);
    header.set_mtime(0);
    header
}

/// Returns the plain files of an archive with absolute paths.
fn unpacked(folder: &str, archive: Box<dyn Read + Send>) -> io::Result<Vec<GuestFile>> {
    let mut files = Vec::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type() != tar::EntryType::Regular {
            continue;
        }
        let name = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
        let (mode, owner) = (entry.header().mode()?, owner(entry.header())?);
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        files.push(GuestFile { path: format!("{folder}/{name}"), bytes, mode, owner });
    }
    Ok(files)
}

fn owner(header: &tar::Header) -> io::Result<(u32, u32)> {
    let number = |id: u64| u32::try_from(id).map_err(io::Error::other);
    Ok((number(header.uid()?)?, number(header.gid()?)?))
}
