//! Folders of this host: links followed, and whose they are.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use occ_sandbox::{FolderMount, MountWish, Owner, check_source, system_folder};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Looks at every folder that is wished for.
pub(super) fn look(
    wishes: &[MountWish],
    context: &Context,
    notes: &mut Vec<String>,
) -> Result<Vec<FolderMount>, Failure> {
    let mut mounts = Vec::new();
    for wish in wishes {
        let mount = folder(wish)?;
        notes.extend(warnings(&mount, context));
        mounts.push(mount);
    }
    Ok(mounts)
}

/// Looks at one folder.
pub(crate) fn folder(wish: &MountWish) -> Result<FolderMount, Failure> {
    let path = wish.source.canonicalize().map_err(|error| missing(&wish.source, &error))?;
    let meta = path.metadata().map_err(|error| missing(&wish.source, &error))?;
    if !meta.is_dir() {
        let message = format!("only folders can be mounted: {}", wish.source.display());
        return Err(Failure::new(Exit::Failed, message).hint(
            "mount the folder it is in, or put it in as a secret: occ secret set NAME=file:PATH",
        ));
    }
    check_source(&path)?;
    let owner = Owner { uid: meta.uid(), gid: meta.gid() };
    Ok(FolderMount { source: path, target: wish.target.clone(), access: wish.access, owner })
}

fn missing(source: &Path, error: &io::Error) -> Failure {
    let source = source.display();
    let mut failure = Failure::new(Exit::Failed, format!("the folder cannot be mounted: {source}"));
    failure.causes.push(error.to_string());
    if error.kind() == io::ErrorKind::NotFound {
        return failure.hint(format!("Did the directory move? Run: occ mount remove {source}"));
    }
    failure.hint(format!("leave it out: occ mount remove {source}"))
}

/// Folders of a home in which keys and passwords are.
const KEYS: [&str; 7] = [".aws", ".azure", ".config/gcloud", ".docker", ".gnupg", ".kube", ".ssh"];

/// Returns what the owner of the sandbox should know about a mount.
pub(crate) fn warnings(mount: &FolderMount, context: &Context) -> Vec<String> {
    let (source, target) = (mount.source.display(), &mount.target);
    let mut warnings = Vec::new();
    if let Some(folder) = system_folder(target) {
        warnings.push(format!("{target} is in {folder}, whose contents the system needs; what the image has there is hidden"));
    }
    let home = context.env.home();
    let home = home.canonicalize().unwrap_or_else(|_| home.to_owned());
    if home.starts_with(&mount.source) {
        warnings.push(format!("{source} holds your whole home, with your keys and the passwords of your sandboxes; mount the project's folder instead"));
    } else if let Some(keys) = KEYS.iter().find(|keys| mount.source.starts_with(home.join(keys))) {
        warnings.push(format!(
            "{source} is in ~/{keys}, where your keys are; the agent will be able to read them"
        ));
    } else if mount.source.starts_with(&context.env.state_dir) {
        warnings.push(format!(
            "{source} is one of occ's own folders, where the passwords of your sandboxes are"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pm_002_a_folder_that_is_gone_is_named_with_the_agreed_words() {
        let wish: MountWish = "/nonexistent/project:/data".parse().expect("a mount");
        let failure = folder(&wish).expect_err("there is none");
        assert_eq!(failure.message, "the folder cannot be mounted: /nonexistent/project");
        assert_eq!(
            failure.hints,
            ["Did the directory move? Run: occ mount remove /nonexistent/project"]
        );
    }

    #[test]
    fn pm_001_links_are_followed_and_a_file_is_no_folder() {
        let dir = tempfile::tempdir().expect("tempdir");
        let real = dir.path().canonicalize().expect("a path").join("real");
        std::fs::create_dir(&real).expect("a folder");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&real, &link).expect("a link");
        let wish: MountWish = format!("{}:/data:ro", link.display()).parse().expect("a mount");
        let mount = folder(&wish).expect("a folder");
        assert_eq!(mount.source, real);
        assert_eq!(mount.target, "/data");

        let file = dir.path().join("file");
        std::fs::write(&file, "").expect("a file");
        let wish: MountWish = format!("{}:/data", file.display()).parse().expect("a mount");
        let failure = folder(&wish).expect_err("a file");
        assert!(
            failure.message.starts_with("only folders can be mounted: "),
            "{}",
            failure.message
        );
    }

    #[test]
    fn a_link_to_the_machine_is_refused_like_the_machine() {
        let dir = tempfile::tempdir().expect("tempdir");
        let link = dir.path().join("innocent");
        std::os::unix::fs::symlink("/proc", &link).expect("a link");
        let wish: MountWish = format!("{}:/data", link.display()).parse().expect("a mount");
        let failure = folder(&wish).expect_err("the machine");
        assert!(failure.message.contains("whole machine"), "{}", failure.message);
    }
}
