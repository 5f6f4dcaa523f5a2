//! What a recipe may say about files and variables, and what the guest's start script does with a volume.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use occ_image::Recipe;
use tempfile::TempDir;

const IMAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../image");

/// Reads a small recipe with `more` in it.
fn recipe(more: &str) -> Result<Recipe, String> {
    let text = format!(
        "version = 1\n\
         [base]\ndistribution = \"debian\"\nsuite = \"trixie\"\ngroup = []\n\
         [system]\nshell = \"/bin/sh\"\nlang = \"C\"\ntimezone = \"UTC\"\n\
         [variant]\nbase = []\n\
         [tool.a]\nsource = \"npm\"\ncommands = [\"a\"]\n{more}"
    );
    Recipe::parse("r", &text, &|_| Ok(b"text".to_vec())).map_err(|error| error.to_string())
}

#[test]
fn the_recipe_on_disk_is_the_one_compiled_in() {
    let on_disk = Recipe::load(&Path::new(IMAGE).join("sandbox.toml")).unwrap();
    assert_eq!(on_disk, Recipe::embedded().unwrap());
}

#[test]
fn a_file_is_for_a_tool_that_there_is() {
    let file = |tool: &str| format!("[[file]]\npath = \"/f\"\nsource = \"f\"\ntool = {tool:?}\n");
    let right = recipe(&file("a")).unwrap();
    assert_eq!(right.files[0].tool.as_deref(), Some("a"));
    assert_eq!(recipe(&file("b")).unwrap_err(), "r:18:8: there is no tool \"b\"");
    assert_eq!(recipe(&file("")).unwrap_err(), "r:18:8: there is no tool \"\"");
}

#[test]
fn a_tool_sets_variables_but_never_the_path() {
    let right = recipe("environment.A_1 = \"x y\"\n").unwrap();
    assert_eq!(right.tools["a"].environment["A_1"], "x y");
    for name in ["PATH", "lower", "\"\"", "1A", "\"A-B\"", "\"A B\"", "\"A=B\"", "\"Ä\""] {
        let error = recipe(&format!("environment.{name} = \"x\"\n")).unwrap_err();
        assert!(error.ends_with("is not a variable for a tool"), "{name}: {error}");
    }
}

#[test]
fn the_built_in_recipe_gives_no_variable_to_two_tools() {
    let recipe = Recipe::embedded().unwrap();
    let mut names: Vec<_> =
        recipe.tools.values().flat_map(|tool| tool.environment.keys()).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

/// A home with a configuration folder, and a place where the plugin's packages may be.
struct Volume {
    folder: TempDir,
}

const PACKAGES: &str = "/usr/local/lib/opencode-cloud";

impl Volume {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir_all(folder.path().join("home/.config/opencode")).unwrap();
        Self { folder }
    }

    fn config(&self, path: &str) -> PathBuf {
        self.folder.path().join("home/.config/opencode").join(path)
    }

    fn scope(&self) -> PathBuf {
        self.folder.path().join("tools/oh-my-opencode-slim/node_modules/@opencode-ai")
    }

    fn bring_plugin(&self) {
        for package in ["plugin", "sdk"] {
            fs::create_dir_all(self.scope().join(package)).unwrap();
            fs::write(self.scope().join(package).join("index.js"), package).unwrap();
        }
    }

    fn lose_plugin(&self) {
        fs::remove_dir_all(self.folder.path().join("tools")).unwrap();
    }

    /// Starts a container on it, as far as this script goes.
    fn start(&self) {
        let script = fs::read_to_string(Path::new(IMAGE).join("guest/plugins")).unwrap();
        assert!(script.contains(PACKAGES));
        let tools = self.folder.path().join("tools");
        let script = script.replace(PACKAGES, tools.to_str().unwrap());
        let ran = Command::new("sh")
            .args(["-c", &script])
            .env("HOME", self.folder.path().join("home"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success() && said.is_empty(), "{}: {said}", ran.status);
    }

    /// What is in the configuration folder, by name.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.config("")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Whether opencode would install something: the rule of its version 1, `Npm.install`.
    fn makes_opencode_wait(&self) -> bool {
        let dependencies = |path: &str, at: &str| -> Vec<String> {
            let text = fs::read_to_string(self.config(path)).unwrap_or_else(|_| "{}".to_owned());
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            let found = json.pointer(at).and_then(|it| it.as_object());
            found.map(|it| it.keys().cloned().collect()).unwrap_or_default()
        };
        let locked = dependencies("package-lock.json", "/packages//dependencies");
        let mut wanted = dependencies("package.json", "/dependencies");
        wanted.push("@opencode-ai/plugin".to_owned());
        !self.config("node_modules").exists() || !wanted.iter().all(|name| locked.contains(name))
    }
}

#[test]
fn with_the_plugin_opencode_waits_for_no_package() {
    let volume = Volume::new();
    volume.bring_plugin();
    assert!(volume.makes_opencode_wait());
    for _ in 0..2 {
        volume.start();
        assert!(!volume.makes_opencode_wait());
        let plugin = volume.config("node_modules/@opencode-ai/plugin/index.js");
        assert_eq!(fs::read_to_string(plugin).unwrap(), "plugin");
        let sdk = volume.config("node_modules/@opencode-ai/sdk/index.js");
        assert_eq!(fs::read_to_string(sdk).unwrap(), "sdk");
    }
}

#[test]
fn without_the_plugin_nothing_happens() {
    let volume = Volume::new();
    volume.start();
    assert_eq!(volume.names(), [""; 0]);
}

#[test]
fn a_volume_goes_from_a_variant_with_the_plugin_to_one_without_and_back() {
    let volume = Volume::new();
    volume.bring_plugin();
    volume.start();
    volume.lose_plugin();
    volume.start();
    assert_eq!(volume.names(), [""; 0]);
    volume.bring_plugin();
    volume.start();
    assert!(!volume.makes_opencode_wait());
}

#[test]
fn what_is_somebodys_own_stays() {
    let own = r#"{ "dependencies": { "mine": "1" } }"#;
    let volume = Volume::new();
    volume.bring_plugin();
    fs::write(volume.config("package.json"), own).unwrap();
    volume.start();
    assert_eq!(volume.names(), ["package.json"]);
    assert_eq!(fs::read_to_string(volume.config("package.json")).unwrap(), own);

    // Added after the first start; opencode has installed nothing yet.
    let volume = Volume::new();
    volume.bring_plugin();
    volume.start();
    fs::write(volume.config("package.json"), own).unwrap();
    fs::create_dir(volume.config("node_modules/mine")).unwrap();
    volume.lose_plugin();
    volume.start();
    assert_eq!(volume.names(), ["node_modules", "package.json"]);
    assert!(volume.config("node_modules/mine").exists());
    assert!(volume.makes_opencode_wait());
}

#[test]
fn packages_that_opencode_installed_stay() {
    let volume = Volume::new();
    let real = volume.config("node_modules/@opencode-ai/plugin");
    fs::create_dir_all(&real).unwrap();
    fs::write(volume.config("package-lock.json"), "{}").unwrap();
    volume.start();
    volume.bring_plugin();
    volume.start();
    assert!(real.is_dir() && !real.is_symlink());
    assert_eq!(volume.names(), ["node_modules", "package-lock.json"]);
    // Somebody's own link is not ours to judge while it leads somewhere.
    fs::remove_dir(&real).unwrap();
    symlink(volume.folder.path(), &real).unwrap();
    volume.start();
    assert!(real.is_symlink());
}

/// Runs the entrypoint on files below `folder`, with a program in opencode's place that shows its environment.
fn entrypoint(folder: &Path) -> std::process::Output {
    let script = fs::read_to_string(Path::new(IMAGE).join("guest/entrypoint")).unwrap();
    let (run, programs) = (folder.join("run"), folder.join("programs"));
    assert!(script.contains("/run/opencode-cloud") && script.contains("/usr/bin/opencode"));
    let script = script
        .replace("/run/opencode-cloud", run.to_str().unwrap())
        .replace("/usr/bin/opencode", programs.join("opencode").to_str().unwrap());
    fs::create_dir_all(&programs).unwrap();
    for (name, text) in [
        ("entrypoint", script.as_str()),
        ("opencode", "#!/bin/sh\nenv"),
        ("placeholder", "#!/bin/sh"),
    ] {
        fs::write(programs.join(name), text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(programs.join(name), mode).unwrap();
    }
    Command::new(programs.join("entrypoint"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap()
}

#[test]
fn the_server_has_every_secret_in_its_environment_and_starts_without_any() {
    let folder = TempDir::new().unwrap();
    let run = folder.path().join("run");
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("password"), "open sesame").unwrap();
    let shown = |output: std::process::Output| {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let before = shown(entrypoint(folder.path()));
    assert!(before.contains("OPENCODE_SERVER_PASSWORD=open sesame\n"), "{before}");

    fs::create_dir(run.join("secrets")).unwrap();
    let value = "it's \"quoted\" $HOME `id` \\n = #";
    fs::write(run.join("secrets/TOKEN"), value).unwrap();
    let after = shown(entrypoint(folder.path()));
    assert!(after.contains(&format!("TOKEN={value}\n")), "{after}");
}

#[test]
fn a_secret_that_cannot_be_read_stops_the_start() {
    let folder = TempDir::new().unwrap();
    let secrets = folder.path().join("run/secrets");
    fs::create_dir_all(secrets.join("TOKEN")).unwrap();
    fs::write(folder.path().join("run/password"), "x").unwrap();
    let ended = entrypoint(folder.path());
    assert!(!ended.status.success());
    assert!(String::from_utf8_lossy(&ended.stderr).contains("TOKEN"), "{ended:?}");
}
