//! The guest's own files: what makes a Debian with opencode in it a sandbox.

use crate::environment;
use crate::guest::{
    AGENT_SHELL, ENTRYPOINT, GID, HEALTHCHECK, HOME, MANAGED_CONFIG, OWN_PROGRAMS, PLACEHOLDER,
    PLACES, PROGRAMS, RUNTIME_FOLDER, UID, VERSION_FILE,
};
use crate::key::Encoding;
use crate::plan::ToolPlan;
use crate::recipe::{Architecture, FileContent, FileRecipe, Recipe};
use crate::release::Release;
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
    /// What it is.
    pub content: GuestContent,
    /// Permission bits.
    pub mode: u32,
    /// Owner and group by number.
    pub owner: (u32, u32),
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestContent {
    /// A folder.
    Folder,
    /// A file with these bytes.
    File(Vec<u8>),
    /// A symbolic link with this text.
    Link(String),
}

/// Returns all files and folders of the guest, with those that the recipe names for it or for its tools.
pub(crate) fn entries(
    recipe: &Recipe,
    release: &Release,
    tools: &[ToolPlan],
    architecture: Architecture,
) -> Vec<GuestEntry> {
    let version = &release.version;
    let variables = environment::variables(&recipe.system, tools);
    let mut entries = vec![
        file(ENTRYPOINT, include_str!("../../../image/guest/entrypoint"), 0o755),
        file(HEALTHCHECK, healthcheck(architecture), 0o755),
        file(AGENT_SHELL, include_str!("../../../image/guest/agent-sh"), 0o755),
        file(PLACEHOLDER, include_str!("../../../image/guest/placeholder"), 0o755),
        file(MANAGED_CONFIG, MANAGED, 0o644),
        file("/etc/sudoers.d/opencode", include_str!("../../../image/guest/sudoers"), 0o440),
        file(VERSION_FILE, format!("{version}\n"), 0o644),
        file("/etc/profile.d/opencode-cloud.sh", environment::profile(&variables), 0o644),
        folder(PROGRAMS, (0, 0)),
        folder(RUNTIME_FOLDER, (UID, GID)),
        folder(HOME, (UID, GID)),
    ];
    // An engine gives a new volume the owner of the folder it covers, and makes missing parents root's.
    for place in PLACES {
        entries.extend(parents_at_home(place.path));
        entries.push(folder(place.path, (UID, GID)));
    }
    // `npm ls --global` fails where this is not.
    let npm = format!("{OWN_PROGRAMS}/npm/lib");
    entries.extend(parents_at_home(&npm));
    entries.push(folder(&npm, (UID, GID)));
    let is_there = |tool: &String| tools.iter().any(|plan| plan.tool.name == *tool);
    for file in recipe.files.iter().filter(|file| file.tool.as_ref().is_none_or(is_there)) {
        entries.extend(parents_at_home(&file.path));
        entries.push(of_recipe(file));
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    entries.dedup_by(|a, b| a.path == b.path);
    entries
}

/// Returns the program that asks the server inside; its source is `image/health`.
fn healthcheck(architecture: Architecture) -> &'static [u8] {
    match architecture {
        Architecture::Amd64 => include_bytes!("../../../image/guest/healthcheck.amd64"),
        Architecture::Arm64 => include_bytes!("../../../image/guest/healthcheck.arm64"),
    }
}

fn file(path: &str, bytes: impl AsRef<[u8]>, mode: u32) -> GuestEntry {
    let content = GuestContent::File(bytes.as_ref().to_vec());
    GuestEntry { path: path.to_owned(), content, mode, owner: (0, 0) }
}

fn folder(path: &str, owner: (u32, u32)) -> GuestEntry {
    GuestEntry { path: path.to_owned(), content: GuestContent::Folder, mode: 0o755, owner }
}

/// Folders between the user's home and a path in it, which have to be the user's.
fn parents_at_home(path: &str) -> Vec<GuestEntry> {
    let Some(rest) = path.strip_prefix(HOME) else { return Vec::new() };
    let slashes = rest.match_indices('/').skip(1);
    slashes.map(|(slash, _)| folder(&path[..HOME.len() + slash], (UID, GID))).collect()
}

fn of_recipe(file: &FileRecipe) -> GuestEntry {
    let (content, mode) = match &file.content {
        FileContent::Bytes { bytes, executable } => {
            (GuestContent::File(bytes.clone()), if *executable { 0o755 } else { 0o644 })
        }
        FileContent::Link(target) => (GuestContent::Link(target.clone()), 0o777),
    };
    let owner = if file.users { (UID, GID) } else { (0, 0) };
    GuestEntry { path: file.path.clone(), content, mode, owner }
}

/// Adds entries to an encoding.
pub(crate) fn encode(entries: &[GuestEntry], mut encoding: Encoding) -> Encoding {
    encoding = encoding.number("entries", entries.len() as u64);
    for entry in entries {
        let (kind, bytes): (&str, &[u8]) = match &entry.content {
            GuestContent::Folder => ("folder", &[]),
            GuestContent::File(bytes) => ("file", bytes),
            GuestContent::Link(target) => ("link", target.as_bytes()),
        };
        encoding = encoding
            .field("path", &entry.path)
            .field("kind", kind)
            .field("bytes", bytes)
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
        let kind = match &entry.content {
            GuestContent::Folder => Kind::Folder,
            GuestContent::File(bytes) => Kind::File(Content::Bytes(bytes.clone())),
            GuestContent::Link(target) => Kind::Symlink(target.clone()),
        };
        let made = Entry::new(kind, entry.mode).owned_by(entry.owner.0, entry.owner.1);
        tree.insert(&entry.path, made)?;
    }
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use occ_oci::Platform;

    use super::*;
    use crate::guest::{
        EXIT_NO_PASSWORD, OPENCODE, PASSWORD_FILE, PORT, SECRETS_FOLDER, WORKSPACE,
    };

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

    fn all() -> Vec<GuestEntry> {
        of_variant("base")
    }

    fn of_variant(variant: &str) -> Vec<GuestEntry> {
        let release = Release { version: "1.2.3".to_owned(), ..Release::default() };
        let recipe = Recipe::embedded().expect("the recipe");
        let tools: Vec<ToolPlan> = recipe
            .tools_of(variant, &[])
            .expect("the variant")
            .into_iter()
            .map(|tool| ToolPlan {
                platform: Platform::LinuxAmd64,
                tool: tool.clone(),
                version: "1".to_owned(),
                packages: Vec::new(),
            })
            .collect();
        entries(&recipe, &release, &tools, Architecture::Amd64)
    }

    #[test]
    fn a_file_for_a_tool_is_only_where_the_tool_is() {
        let paths = |variant| -> Vec<String> {
            of_variant(variant).into_iter().map(|entry| entry.path).collect()
        };
        let config = "/etc/opencode-cloud/oh-my-opencode-slim.json".to_owned();
        for variant in ["base", "with-pi"] {
            assert!(!paths(variant).contains(&config), "{variant}");
        }
        let mut with = paths("omos");
        with.retain(|path| *path != config);
        assert_eq!(with, paths("base"));
    }

    #[test]
    fn what_the_scripts_and_settings_name_is_there() {
        let entries = of_variant("omos-with-pi");
        let named = |path: &str| entries.iter().any(|entry| entry.path == path);
        let all: String = entries
            .iter()
            .filter_map(|entry| match &entry.content {
                GuestContent::File(bytes) => Some(String::from_utf8_lossy(bytes)),
                _ => None,
            })
            .collect();
        let is_end = |c: char| c.is_whitespace() || "\"')*".contains(c);
        let mut seen = 0;
        for (at, folder) in all.match_indices("/etc/opencode-cloud/") {
            let path = all[at..].split(is_end).next().unwrap_or(folder);
            assert!(named(path) || path.ends_with('/'), "{path}");
            seen += 1;
        }
        assert!(seen >= 4, "{seen}");
    }

    #[test]
    fn opencode_finds_the_plugin_where_its_layer_has_it() {
        let config: serde_json::Value =
            serde_json::from_str(&text_of("omos", "/etc/opencode-cloud/oh-my-opencode-slim.json"))
                .expect("JSON");
        let package =
            "/usr/local/lib/opencode-cloud/oh-my-opencode-slim/node_modules/oh-my-opencode-slim";
        assert_eq!(config["plugin"], serde_json::json!([package]));
        let plugins = text("/etc/opencode-cloud/start.d/plugins");
        let (modules, _) = package.rsplit_once('/').expect("a path");
        assert!(plugins.contains(&format!("brought={modules}/@opencode-ai\n")));
        let recipe = Recipe::embedded().expect("the recipe");
        let variables = &recipe.tools["oh-my-opencode-slim"].environment;
        assert_eq!(variables["OPENCODE_CONFIG"], "/etc/opencode-cloud/oh-my-opencode-slim.json");
    }

    #[test]
    fn what_outlives_the_container_is_where_the_volume_is() {
        let git = all().into_iter().find(|entry| entry.path == "/home/opencode/.gitconfig");
        let Some(GuestContent::Link(target)) = git.map(|entry| entry.content) else {
            panic!("no link for git")
        };
        assert!(format!("{HOME}/{target}").starts_with(OWN_PROGRAMS), "{target}");
        let recipe = Recipe::embedded().expect("the recipe");
        let pi = &recipe.tools["pi"].environment["PI_CODING_AGENT_DIR"];
        assert!(pi.starts_with(OWN_PROGRAMS), "{pi}");
        let state = PLACES.iter().find(|place| place.name == "state").expect("a place for state");
        let history = state.path.replace(HOME, "~");
        assert!(text("/etc/opencode-cloud/zshrc").contains(&format!("HISTFILE={history}/")));
    }

    fn text(path: &str) -> String {
        text_of("base", path)
    }

    fn text_of(variant: &str, path: &str) -> String {
        let entry = of_variant(variant).into_iter().find(|entry| entry.path == path).expect(path);
        let GuestContent::File(bytes) = entry.content else { panic!("{path} is no file") };
        String::from_utf8(bytes).expect(path)
    }

    #[test]
    fn the_scripts_say_the_same_as_the_contract() {
        let entrypoint = text(ENTRYPOINT);
        assert!(entrypoint.contains(&format!("password_file={PASSWORD_FILE}\n")));
        assert!(
            entrypoint.contains(&format!("{OPENCODE} serve --hostname 0.0.0.0 --port {PORT} "))
        );
        assert!(entrypoint.contains(&format!("exit {EXIT_NO_PASSWORD} ")));
        assert_eq!(SECRETS_FOLDER, format!("{RUNTIME_FOLDER}/secrets"));
        assert!(entrypoint.contains("\"${password_file%/*}\"/secrets/*"));
        for architecture in [Architecture::Amd64, Architecture::Arm64] {
            // The same compiler's library lies the texts differently; each of them is there.
            let program = String::from_utf8_lossy(healthcheck(architecture));
            for text in [crate::guest::HEALTH_PATH, crate::guest::INSTANCE_PATH, PASSWORD_FILE] {
                assert!(program.contains(text), "{architecture}: {text}");
            }
        }
        assert_eq!(PLACEHOLDER, format!("{PROGRAMS}/placeholder"));
        assert_eq!(ENTRYPOINT, format!("{PROGRAMS}/entrypoint"));
        assert_eq!(text(VERSION_FILE), "1.2.3\n");
    }

    #[test]
    fn every_folder_under_home_belongs_to_the_user() {
        let folders: Vec<String> = all()
            .into_iter()
            .filter(|entry| entry.content == GuestContent::Folder)
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
                OWN_PROGRAMS,
                "/home/opencode/.programs/npm",
                "/home/opencode/.programs/npm/lib",
                WORKSPACE,
                RUNTIME_FOLDER,
            ]
        );
    }
}
