//! Files that are put into a container before it starts.

use std::collections::BTreeMap;

use occ_engine::{Engine, Error, GuestFile};
use occ_image::guest;

use crate::password::Password;
use crate::secret::SecretValue;
use crate::spec::{Owner, SandboxSpec};

/// Returns the files for a container of the sandbox, which must exist.
///
/// The password is one of them: the server takes it from the environment only, and the guest's
/// entrypoint puts it there, so that it never stands in what the engine shows of the container.
pub(crate) async fn files<E: Engine>(
    engine: &E,
    container: &str,
    spec: &SandboxSpec,
    password: &Password,
    secrets: &BTreeMap<String, SecretValue>,
) -> Result<Vec<GuestFile>, Error> {
    let owner = spec.owner();
    let mut files = vec![GuestFile {
        path: guest::PASSWORD_FILE.to_owned(),
        bytes: password.expose().as_bytes().to_vec(),
        mode: 0o400,
        owner: (owner.uid, owner.gid),
    }];
    if spec.hosted_models {
        let config = occ_image::managed_config_with_hosted_models();
        files.push(readable(guest::MANAGED_CONFIG, config));
    }
    files.extend(hidden(spec, secrets));
    if let Some(identity) = spec.given.git_identity.there() {
        files.push(readable(guest::GIT_IDENTITY_FILE, identity.config()));
        let system = engine.download(container, GIT_CONFIG).await?;
        let system = String::from_utf8_lossy(&system.unwrap_or_default()).into_owned();
        files.extend(including(&system).map(|text| readable(GIT_CONFIG, text)));
    }
    if let Some(certificates) = spec.given.certificates.there() {
        let system = engine.download(container, guest::SYSTEM_CERTIFICATES).await?;
        let system = String::from_utf8_lossy(&system.unwrap_or_default()).into_owned();
        files.push(readable(guest::CERTIFICATES_FILE, certificates.beside(&system)));
    }
    if owner != Owner::GUEST {
        files.extend(FOLDERS.map(|path| folder(path, owner)));
        for (path, renumber) in ACCOUNT_FILES {
            if let Some(bytes) = engine.download(container, path).await? {
                let text = renumber(&String::from_utf8_lossy(&bytes), owner);
                files.push(readable(path, text));
            }
        }
    }
    Ok(files)
}

/// git's configuration of the whole system: what people set for themselves comes after it and wins.
const GIT_CONFIG: &str = "/etc/gitconfig";

/// Returns git's configuration with the name for commits included first, where it is not yet.
fn including(config: &str) -> Option<String> {
    let file = guest::GIT_IDENTITY_FILE;
    (!config.contains(file)).then(|| format!("[include]\n\tpath = {file}\n{config}"))
}

/// A file that everybody inside may read and root alone may change.
fn readable(path: &str, text: String) -> GuestFile {
    GuestFile { path: path.to_owned(), bytes: text.into_bytes(), mode: 0o644, owner: (0, 0) }
}

/// One file for every variable that only the server is to see, in a folder of the sandbox's user.
fn hidden(spec: &SandboxSpec, secrets: &BTreeMap<String, SecretValue>) -> Vec<GuestFile> {
    let owner = (spec.owner().uid, spec.owner().gid);
    let values = spec.given.hidden(secrets);
    if values.is_empty() {
        return Vec::new();
    }
    let folder = format!("{}/", guest::SECRETS_FOLDER);
    let file = |(name, value): (String, SecretValue)| GuestFile {
        path: format!("{folder}{name}"),
        bytes: value.expose().as_bytes().to_vec(),
        mode: 0o400,
        owner,
    };
    let files: Vec<GuestFile> = values.into_iter().map(file).collect();
    let folder = GuestFile { path: folder, bytes: Vec::new(), mode: 0o700, owner };
    [vec![folder], files].concat()
}

/// Folders of the image's user outside the volumes: another user must be able to write there too.
const FOLDERS: [&str; 7] = [
    "/home/opencode/",
    "/home/opencode/.cache/",
    "/home/opencode/.config/",
    "/home/opencode/.local/",
    "/home/opencode/.local/share/",
    "/home/opencode/.local/state/",
    "/run/opencode-cloud/",
];

fn folder(path: &str, owner: Owner) -> GuestFile {
    let owner = (owner.uid, owner.gid);
    GuestFile { path: path.to_owned(), bytes: Vec::new(), mode: 0o755, owner }
}

type Renumber = fn(&str, Owner) -> String;

const ACCOUNT_FILES: [(&str, Renumber); 2] =
    [("/etc/passwd", renumber_passwd), ("/etc/group", renumber_group)];

/// Gives the guest's user another number in passwd(5), so that it keeps its name, home and sudo.
fn renumber_passwd(text: &str, owner: Owner) -> String {
    renumber(text, guest::USER, |fields| {
        fields[2] = owner.uid.to_string();
        fields[3] = owner.gid.to_string();
    })
}

/// Gives the guest's group another number in group(5).
fn renumber_group(text: &str, owner: Owner) -> String {
    renumber(text, guest::USER, |fields| fields[2] = owner.gid.to_string())
}

fn renumber(text: &str, name: &str, change: impl Fn(&mut Vec<String>)) -> String {
    let lines = text.lines().map(|line| {
        let mut fields: Vec<String> = line.split(':').map(str::to_owned).collect();
        if fields[0] == name && fields.len() >= 4 {
            change(&mut fields);
        }
        fields.join(":") + "\n"
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_on_the_way_to_a_volume_is_given_away() {
        for place in guest::PLACES {
            for parent in std::path::Path::new(place.path).ancestors().skip(1) {
                let parent = format!("{}/", parent.display());
                let ours = parent.starts_with(&format!("{}/", guest::HOME));
                assert!(!ours || FOLDERS.contains(&parent.as_str()), "{parent} is missing");
            }
        }
    }

    #[test]
    fn the_name_for_commits_is_included_once_and_before_everything_else() {
        let config = "[core]\n\tpager = delta\n";
        let with = including(config).expect("it is not there yet");
        assert!(with.starts_with("[include]\n") && with.ends_with(config), "{with}");
        assert_eq!(including(&with), None);
    }

    #[test]
    fn only_the_guests_user_gets_another_number() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\nopencode:x:1000:1000::/home/opencode:/bin/bash\n";
        assert_eq!(
            renumber_passwd(passwd, Owner { uid: 1234, gid: 5678 }),
            "root:x:0:0:root:/root:/bin/bash\nopencode:x:1234:5678::/home/opencode:/bin/bash\n"
        );
        let group = "sudo:x:27:opencode\nopencode:x:1000:\n";
        assert_eq!(
            renumber_group(group, Owner { uid: 1234, gid: 5678 }),
            "sudo:x:27:opencode\nopencode:x:5678:\n"
        );
    }
}
