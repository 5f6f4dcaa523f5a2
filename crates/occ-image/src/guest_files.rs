//! The guest's own files: what makes a Debian with opencode in it a sandbox.

use crate::guest::{
    AGENT_SHELL, ENTRYPOINT, GID, HEALTHCHECK, HOME, MANAGED_CONFIG, PLACEHOLDER, PLACES, PROGRAMS,
    RUNTIME_FOLDER, UID, VERSION_FILE,
};
use crate::key::Encoding;
use occ_layer::tree::{Content, Entry, Kind, LayerTree, TreeError};

/// opencode's managed configuration as it is in the image.
const MANAGED: &str = include_str!("../../../image/guest/opencode.json");

/// Returns opencode's managed configuration for a sandbox whose owner allows opencode's own hosted models;
/// in the image they are off.
#[expect(clippy::missing_panics_doc, reason = "the file is compiled in, and a test reads it")]
pub fn managed_config_with_hosted_models() -> String {
    let mut config: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(MANAGED).expect("a test reads it");
    config.remove("disabled_providers");
    format!("{:#}\n", serde_json::Value::Object(config))
}

/// A file or folder as the plan describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestEntry {
    /// Absolute path inside.
    pub path: String,
    /// Contents; none for a folder.
    pub bytes: Option<Vec<u8>>,
    /// Permission bits.
    pub mode: u32,
    /// Owner and group by number.
    pub owner: (u32, u32),
}

/// Returns all files and folders of the guest.
pub(crate) fn entries(version: &str) -> Vec<GuestEntry> {
    let mut entries = vec![
        file(ENTRYPOINT, include_str!("../../../image/guest/entrypoint"), 0o755),
        file(HEALTHCHECK, include_str!("../../../image/guest/healthcheck"), 0o755),
        file(AGENT_SHELL, include_str!("../../../image/guest/agent-sh"), 0o755),
        file(PLACEHOLDER, include_str!("../../../image/guest/placeholder"), 0o755),
        file(MANAGED_CONFIG, MANAGED, 0o644),
        file("/etc/gitconfig", include_str!("../../../image/guest/gitconfig"), 0o644),
        file("/etc/sudoers.d/opencode", include_str!("../../../image/guest/sudoers"), 0o440),
        file(VERSION_FILE, &format!("{version}\n"), 0o644),
        folder(PROGRAMS, (0, 0)),
        folder(RUNTIME_FOLDER, (UID, GID)),
        folder(HOME, (UID, GID)),
    ];
    // An engine gives a new volume the owner of the folder it covers, and makes missing parents root's.
    for place in PLACES {
        for (slash, _) in place.path.match_indices('/').skip(HOME.matches('/').count() + 1) {
            entries.push(folder(&place.path[..slash], (UID, GID)));
        }
        entries.push(folder(place.path, (UID, GID)));
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    entries.dedup_by(|a, b| a.path == b.path);
    entries
}

fn file(path: &str, text: &str, mode: u32) -> GuestEntry {
    GuestEntry { path: path.to_owned(), bytes: Some(text.into()), mode, owner: (0, 0) }
}

fn folder(path: &str, owner: (u32, u32)) -> GuestEntry {
    GuestEntry { path: path.to_owned(), bytes: None, mode: 0o755, owner }
}

/// Adds entries to an encoding.
pub(crate) fn encode(entries: &[GuestEntry], mut encoding: Encoding) -> Encoding {
    encoding = encoding.number("entries", entries.len() as u64);
    for entry in entries {
        encoding = encoding
            .field("path", &entry.path)
            .number("is-file", u64::from(entry.bytes.is_some()))
            .field("bytes", entry.bytes.as_deref().unwrap_or_default())
            .number("mode", entry.mode.into())
            .number("uid", entry.owner.0.into())
            .number("gid", entry.owner.1.into());
    }
    encoding
}

/// Returns the tree of the guest's layer.
pub(crate) fn tree(entries: &[GuestEntry]) -> Result<LayerTree, TreeError> {
    let mut tree = LayerTree::new();
    for entry in entries {
        let kind = match &entry.bytes {
            Some(bytes) => Kind::File(Content::Bytes(bytes.clone())),
            None => Kind::Folder,
        };
        let made = Entry::new(kind, entry.mode).owned_by(entry.owner.0, entry.owner.1);
        tree.insert(&entry.path, made)?;
    }
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowing_hosted_models_changes_nothing_else_of_the_managed_configuration() {
        let shipped: serde_json::Value = serde_json::from_str(MANAGED).expect("JSON");
        assert_eq!(shipped["disabled_providers"], serde_json::json!(["opencode"]));
        let mut allowed: serde_json::Value =
            serde_json::from_str(&managed_config_with_hosted_models()).expect("JSON");
        assert_eq!(allowed.get("disabled_providers"), None);
        allowed["disabled_providers"] = shipped["disabled_providers"].clone();
        assert_eq!(allowed, shipped);
    }

    use crate::guest::{EXIT_NO_PASSWORD, OPENCODE, PASSWORD_FILE, PORT, WORKSPACE};

    fn text(path: &str) -> String {
        let entries = entries("1.2.3");
        let entry = entries.iter().find(|entry| entry.path == path).expect(path);
        String::from_utf8(entry.bytes.clone().expect(path)).expect(path)
    }

    #[test]
    fn the_scripts_say_the_same_as_the_contract() {
        let entrypoint = text(ENTRYPOINT);
        assert!(entrypoint.contains(&format!("password_file={PASSWORD_FILE}\n")));
        assert!(
            entrypoint.contains(&format!("{OPENCODE} serve --hostname 0.0.0.0 --port {PORT} "))
        );
        assert!(entrypoint.contains(&format!("exit {EXIT_NO_PASSWORD} ")));
        let healthcheck = text(HEALTHCHECK);
        assert!(healthcheck.contains(&format!("password_file={PASSWORD_FILE}\n")));
        for path in [crate::guest::HEALTH_PATH, crate::guest::INSTANCE_PATH] {
            assert!(healthcheck.contains(&format!("http://127.0.0.1:{PORT}{path})")), "{path}");
        }
        assert_eq!(PLACEHOLDER, format!("{PROGRAMS}/placeholder"));
        assert_eq!(ENTRYPOINT, format!("{PROGRAMS}/entrypoint"));
        assert_eq!(text(VERSION_FILE), "1.2.3\n");
    }

    #[test]
    fn every_folder_under_home_belongs_to_the_user() {
        let folders: Vec<String> = entries("1")
            .into_iter()
            .filter(|entry| entry.owner == (UID, GID))
            .map(|entry| entry.path)
            .collect();
        assert_eq!(
            folders,
            [
                "/home/opencode",
                "/home/opencode/.cache",
                "/home/opencode/.cache/opencode",
                "/home/opencode/.config",
                "/home/opencode/.config/opencode",
                "/home/opencode/.local",
                "/home/opencode/.local/share",
                "/home/opencode/.local/share/opencode",
                "/home/opencode/.local/state",
                "/home/opencode/.local/state/opencode",
                WORKSPACE,
                RUNTIME_FOLDER,
            ]
        );
    }
}
