//! Compiling a crate, from the cache alone.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use occ_layer::tree::{Content, Entry, Kind, LayerTree};
use occ_layer::unpack::Format;

use super::cargo::stop_at;
use crate::cache::Cache;
use crate::error::BuildError;
use crate::event::{Event, Part};
use crate::lock::PackagePin;
use crate::plan::ToolPlan;
use crate::program::{Program, Stream};
use crate::recipe::Architecture;
use crate::tools::archive::{self, write_out};
use crate::tools::files;
use crate::workshop::Workshop;

/// What cargo needs to know: crates come from a folder, and from nowhere else.
const CONFIG: &str = "\
[source.crates-io]
replace-with = \"here\"
[source.here]
directory = \"vendor\"
";

/// Lays a tool's programs out; members are paths in the folder that `cargo install` fills.
pub(in crate::tools) fn tree(
    plan: &ToolPlan,
    workshop: &Workshop,
    cache: &Cache<'_>,
    spool: &Path,
) -> Result<LayerTree, BuildError> {
    let Some((own, others)) = plan.packages.split_first() else {
        let (whole, part) = (plan.tool.name.clone(), "crate".to_owned());
        return Err(BuildError::Incomplete { whole, part });
    };
    let compiler = Compiler { plan, workshop, cache, work: spool };
    compiler.can_target()?;
    compiler.lay_ready(own, others)?;
    compiler.install()?;
    files::place(plan, &installed(&spool.join("out"))?, &own.spec())
}

struct Compiler<'a> {
    plan: &'a ToolPlan,
    workshop: &'a Workshop,
    cache: &'a Cache<'a>,
    work: &'a Path,
}

impl Compiler<'_> {
    /// Unpacks all crates where cargo will look for them.
    fn lay_ready(&self, own: &PackagePin, others: &[PackagePin]) -> Result<(), BuildError> {
        let folder = self.work.join("own");
        self.unpack(own, &folder)?;
        stop_at(self.work)?;
        // What the crate's author has set for their own machine.
        match fs::remove_dir_all(folder.join(".cargo")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(BuildError::at(&folder)(error));
            }
            _ => {}
        }
        for pin in others {
            let folder = self.work.join("vendor").join(format!("{}-{}", pin.name, pin.version));
            self.unpack(pin, &folder)?;
            // SPEC: The Cargo Book, "Directory Sources".
            let note = serde_json::json!({ "files": {}, "package": pin.digest.hex() });
            write(&folder.join(".cargo-checksum.json"), &note.to_string())?;
        }
        let folder = self.work.join(".cargo");
        fs::create_dir_all(&folder).map_err(BuildError::at(&folder))?;
        let vendor = self.work.join("vendor");
        fs::create_dir_all(&vendor).map_err(BuildError::at(&vendor))?;
        write(&folder.join("config.toml"), CONFIG)
    }

    fn unpack(&self, pin: &PackagePin, folder: &Path) -> Result<(), BuildError> {
        let file = self.cache.file_path(&pin.digest);
        let tree = archive::open(&file, Format::TarGz, &pin.spec(), self.cache, self.work)?;
        write_out(&archive::without_first_folder(&tree)?, folder)
    }

    fn install(&self) -> Result<(), BuildError> {
        let (observer, _) = self.cache.context();
        let part = Part::Tool(self.plan.tool.name.clone(), self.plan.platform);
        let mut remap = OsString::from("--remap-path-prefix=");
        remap.push(self.work);
        remap.push("=/build");
        self.program(&self.workshop.programs.cargo)
            .with(|command| {
                command.args(["install", "--path", "own", "--locked", "--offline", "--no-track"]);
                command.args(["--root", "out", "--target", self.target()]);
                // Nobody's settings, and nothing of this machine's paths in the programs.
                command.env("CARGO_HOME", self.work.join("home"));
                command.env("CARGO_TARGET_DIR", self.work.join("target"));
                command.env("CARGO_ENCODED_RUSTFLAGS", remap);
                command.env("CARGO_TERM_COLOR", "never");
                if let Some(linker) = self.linker() {
                    command.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", linker);
                    command.env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", linker);
                    command.env("TARGET_CC", linker);
                }
            })
            .run(|stream, line| {
                if stream == Stream::Err {
                    observer(Event::Doing { part: part.clone(), what: line.trim().to_owned() });
                }
            })
    }

    /// Makes sure that the machine can compile for the architecture, before anything is begun.
    fn can_target(&self) -> Result<(), BuildError> {
        let architecture = Architecture::from(self.plan.platform);
        let lacks = |what: String| BuildError::Unsuitable {
            name: format!("{} for {architecture}", self.plan.tool.name),
            reason: format!("to compile it, this machine needs {what}"),
        };
        let target = self.target();
        let rustc = self.workshop.programs.cargo.with_file_name("rustc");
        let answer = self
            .program(&rustc)
            .with(|command| {
                command.args(["--print", "target-libdir", "--target", target]);
            })
            .output()?;
        if !Path::new(answer.trim_end()).is_dir() {
            return Err(lacks(format!("Rust's standard library for {target}")));
        }
        let Some(linker) = self.linker() else { return Ok(()) };
        let asked = self.program(Path::new(linker)).with(|command| {
            command.arg("--version");
        });
        match asked.output() {
            Ok(_) => Ok(()),
            Err(BuildError::MissingProgram { .. }) => Err(lacks(format!("the linker {linker}"))),
            Err(error) => Err(error),
        }
    }

    /// Returns how Rust calls the platform (The rustc book, "Platform Support").
    fn target(&self) -> &'static str {
        match Architecture::from(self.plan.platform) {
            Architecture::Amd64 => "x86_64-unknown-linux-gnu",
            Architecture::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// Returns the linker for another architecture than this machine's, as Debian calls it.
    fn linker(&self) -> Option<&'static str> {
        match Architecture::from(self.plan.platform) {
            Architecture::Amd64 if cfg!(target_arch = "x86_64") => None,
            Architecture::Arm64 if cfg!(target_arch = "aarch64") => None,
            Architecture::Amd64 => Some("x86_64-linux-gnu-gcc"),
            Architecture::Arm64 => Some("aarch64-linux-gnu-gcc"),
        }
    }

    fn program(&self, name: &Path) -> Program<'_> {
        let (_, cancel) = self.cache.context();
        Program::new(name, "cargo", cancel)
            .with(|command| {
                command.current_dir(self.work).envs(self.workshop.environment.iter().cloned());
            })
            .writes_to(self.work)
    }
}

/// Returns the programs that were installed.
fn installed(folder: &Path) -> Result<LayerTree, BuildError> {
    let bin = folder.join("bin");
    let mut tree = LayerTree::new();
    for entry in fs::read_dir(&bin).map_err(BuildError::at(&bin))? {
        let entry = entry.map_err(BuildError::at(&bin))?;
        let path = entry.path();
        let file = File::open(&path).map_err(BuildError::at(&path))?;
        let metadata = file.metadata().map_err(BuildError::at(&path))?;
        let (size, mode) = (metadata.len(), metadata.permissions().mode());
        let content = Content::Slice { file: Arc::new(file), offset: 0, size };
        let name = format!("bin/{}", entry.file_name().to_string_lossy());
        tree.insert(&name, Entry::new(Kind::File(content), mode))?;
    }
    Ok(tree)
}

fn write(path: &Path, text: &str) -> Result<(), BuildError> {
    fs::write(path, text).map_err(BuildError::at(path))
}
