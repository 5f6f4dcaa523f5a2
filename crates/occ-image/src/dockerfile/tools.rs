//! The commands that fetch a tool: what they leave in its folder below [`OUT`] goes into the image.

use occ_oci::{Algorithm, Digest};

use super::UnwritableText;
use super::words::shell;
use crate::lock::PackagePin;
use crate::plan::ToolPlan;
use crate::recipe::Source;

/// Where tools are put together, each in a folder of its own.
pub(super) const OUT: &str = "/out";

/// Where trees of packages of npm are, in `/usr/local`.
const TREES: &str = "lib/opencode-cloud";

/// Nothing that comes with a package is run, and nothing is written down beside it.
const NPM: &str = "--ignore-scripts --no-save --no-package-lock --no-audit --no-fund \
    --no-update-notifier --loglevel=error";

/// But for this one: without it, its commands are stand-ins that do nothing.
const WITH_SCRIPT: [&str; 1] = ["@ast-grep/cli"];

/// Returns the Debian packages that fetching a tool takes.
pub(super) fn clients(plan: &ToolPlan) -> Vec<&'static str> {
    match &plan.tool.source {
        Source::Npm { .. } => vec!["npm"],
        Source::Pypi { .. } => vec!["python3-pip"],
        Source::Crates { .. } => vec!["cargo", "gcc", "libc6-dev", "make", "pkg-config"],
        Source::Url { .. } => {
            let unpacks = match plan.address().map(|(url, _)| Format::of(&url)) {
                Some(Format::Tar) => vec!["bzip2", "xz-utils", "zstd"],
                Some(Format::Zip) => vec!["python3"],
                Some(Format::Plain) | None => vec![],
            };
            [vec!["curl"], unpacks].concat()
        }
    }
}

/// Returns the commands that fetch a tool.
pub(super) fn fetch(plan: &ToolPlan) -> Result<Vec<String>, UnwritableText> {
    let unpacked = format!("/tmp/{}", plan.tool.name);
    let mut commands = match (&plan.tool.source, plan.packages.first()) {
        (Source::Npm { .. }, Some(own)) if !plan.tool.commands.is_empty() => npm_tree(plan, own)?,
        (Source::Npm { .. }, Some(own)) => npm_file(own, &unpacked)?,
        (Source::Pypi { .. }, Some(own)) => wheel(own, &unpacked)?,
        (Source::Crates { .. }, Some(own)) => {
            let install = "cargo install --quiet --locked";
            let (version, name) = (shell(&own.version)?, shell(&own.name)?);
            vec![format!("{install} --root={unpacked} --version={version} {name}")]
        }
        _ => match plan.address() {
            Some((url, digest)) => address(&url, digest, &unpacked)?,
            None => Vec::new(),
        },
    };
    commands.extend(place(plan, &unpacked)?);
    // Archives remember owners and modes of the machines they were made on.
    let out = format!("{OUT}/{}", plan.tool.name);
    commands.push(format!("chown -R root:root {out}"));
    commands.push(format!("chmod -R u=rwX,go=rX {out}"));
    Ok(commands)
}

/// A package with all it needs, where the workshop puts it too: settings name paths in it.
fn npm_tree(plan: &ToolPlan, own: &PackagePin) -> Result<Vec<String>, UnwritableText> {
    let name = &plan.tool.name;
    let (tree, bin) = (format!("{TREES}/{name}"), format!("{OUT}/{name}/usr/local/bin"));
    // Not where NPM_CONFIG_PREFIX of the finished image leads: that is on a volume.
    let prefix = format!("{OUT}/{name}/usr/local/{tree}");
    let mut commands = vec![
        format!("mkdir -p {prefix} {bin}"),
        format!("npm install --prefix={prefix} {NPM} {}", shell(&own.spec())?),
    ];
    for pin in plan.packages.iter().filter(|pin| WITH_SCRIPT.contains(&pin.name.as_str())) {
        commands.push(format!("npm rebuild --prefix={prefix} {}", shell(&pin.name)?));
    }
    for command in &plan.tool.commands {
        let target = shell(&format!("../{tree}/node_modules/.bin/{command}"))?;
        commands.push(format!("ln -s {target} {}", shell(&format!("{bin}/{command}"))?));
    }
    Ok(commands)
}

/// The files of one package.
fn npm_file(own: &PackagePin, unpacked: &str) -> Result<Vec<String>, UnwritableText> {
    // SPEC: npm-pack: the scope becomes a part of the name.
    let name = own.name.trim_start_matches('@').replace('/', "-");
    let path = format!("/tmp/{name}-{}.tgz", own.version);
    let file = shell(&path)?;
    Ok([
        vec![format!("npm pack --silent --pack-destination=/tmp {}", shell(&own.spec())?)],
        verify(&path, &own.digest, unpacked)?,
        vec![
            format!("mkdir {unpacked}"),
            format!("tar --extract --file={file} --directory={unpacked} --strip-components=1"),
        ],
    ]
    .concat())
}

/// The files of a wheel; pip takes the one with this digest, whatever else it would prefer.
fn wheel(own: &PackagePin, unpacked: &str) -> Result<Vec<String>, UnwritableText> {
    let (algorithm, hex) = (own.digest.algorithm().name(), own.digest.hex());
    let line = shell(&format!("{}=={} --hash={algorithm}:{hex}", own.name, own.version))?;
    let pip = "python3 -m pip download --quiet --no-cache-dir --no-deps --only-binary=:all:";
    Ok(vec![
        format!("echo {line} >{unpacked}.txt"),
        format!("{pip} --require-hashes --requirement={unpacked}.txt --dest={unpacked}.whl"),
        format!("python3 -m zipfile --extract {unpacked}.whl/*.whl {unpacked}"),
    ])
}

/// What is at an address.
fn address(url: &str, digest: &Digest, unpacked: &str) -> Result<Vec<String>, UnwritableText> {
    let name = file_name(url);
    let format = Format::of(url);
    let path = match format {
        Format::Plain => format!("{unpacked}/{name}"),
        Format::Tar | Format::Zip => format!("{unpacked}.archive"),
    };
    let file = shell(&path)?;
    let curl = "curl --fail --location --silent --show-error";
    let mut commands =
        vec![format!("mkdir {unpacked}"), format!("{curl} --output {file} {}", shell(url)?)];
    commands.extend(verify(&path, digest, unpacked)?);
    match format {
        Format::Plain => {}
        Format::Tar => commands.push(format!("tar --extract --file={file} --directory={unpacked}")),
        Format::Zip => commands.push(format!("python3 -m zipfile --extract {file} {unpacked}")),
    }
    Ok(commands)
}

/// Compares a file with its digest.
fn verify(path: &str, digest: &Digest, unpacked: &str) -> Result<Vec<String>, UnwritableText> {
    let program = match digest.algorithm() {
        Algorithm::Sha256 => "sha256sum",
        Algorithm::Sha512 => "sha512sum",
    };
    let line = shell(&format!("{}  {path}", digest.hex()))?;
    Ok(vec![
        format!("echo {line} >{unpacked}.sum"),
        format!("{program} --check --strict --quiet {unpacked}.sum"),
    ])
}

/// Puts files where the recipe wants them.
fn place(plan: &ToolPlan, unpacked: &str) -> Result<Vec<String>, UnwritableText> {
    let mut commands = Vec::new();
    for (path, member) in plan.files() {
        let from = shell(&format!("{unpacked}/{member}"))?;
        let to = format!("{OUT}/{}{path}", plan.tool.name);
        // Not every archive remembers what can be executed.
        if matches!(path.rsplit('/').nth(1), Some("bin" | "sbin")) {
            commands.push(format!("install -D --mode=0755 {from} {}", shell(&to)?));
        } else {
            let folder = to.rsplit_once('/').map_or("/", |(folder, _)| folder);
            commands.push(format!("mkdir -p {}", shell(folder)?));
            commands.push(format!("cp -R {from} {}", shell(&to)?));
        }
    }
    Ok(commands)
}

/// How a file at an address is packed, by its name.
#[derive(Clone, Copy)]
enum Format {
    Tar,
    Zip,
    Plain,
}

impl Format {
    fn of(url: &str) -> Self {
        let name = file_name(url).to_ascii_lowercase();
        let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix));
        if ends(&[".zip", ".whl"]) {
            Self::Zip
        } else if name.contains(".tar") || ends(&[".tgz", ".txz", ".tbz2", ".tzst"]) {
            Self::Tar
        } else {
            Self::Plain
        }
    }
}

/// Returns the last part of an address's path (RFC 3986, 3.3).
fn file_name(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}
