//! The command line: clap's view of it, and nothing else.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::commands;
use crate::exit::Exit;
use crate::remote::HostName;
use crate::worktree::Choice;

/// A safe, persistent home for the opencode coding agent.
#[derive(Debug, Parser)]
#[command(name = "occ", version, propagate_version = false, max_term_width = 100)]
#[command(after_help = "Start here: occ start\nDocumentation: README.md, or occ man")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Which sandbox; every name has volumes, a port and a password of its own; auto takes the one of the
    /// git worktree here
    #[arg(
        long,
        global = true,
        env = "OCC_INSTANCE",
        default_value = "default",
        value_name = "NAME"
    )]
    pub(crate) instance: Choice,
    /// Which machine, of those that `occ host add` has named; this one without it
    #[arg(long, global = true, env = "OCC_HOST", value_name = "NAME")]
    pub(crate) host: Option<HostName>,
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print results only, no news
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Print more of what is done
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    pub(crate) color: When,
    /// How to show progress
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "HOW")]
    pub(crate) progress: ProgressMode,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How to show progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressMode {
    /// Bars on a terminal, lines elsewhere
    Auto,
    /// Bars
    Bar,
    /// Lines
    Plain,
    /// One JSON object per line
    Json,
    /// Nothing
    None,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Choose the settings that matter most, in a few questions or with flags
    Setup(commands::setup::SetupArgs),
    /// Start the sandbox; get its image first when there is none
    Start(commands::start::StartCommand),
    /// Stop the sandbox; everything in it stays
    Stop(commands::stop::StopArgs),
    /// Stop and start the sandbox
    Restart(commands::restart::RestartArgs),
    /// Change to a newer image; the old sandbox stays until the new one has proved itself
    Update(commands::update::UpdateArgs),
    /// Go back to the sandbox before the last update or reset
    Rollback(commands::rollback::RollbackArgs),
    /// Make the sandbox anew, with its volumes or with empty ones
    Reset(commands::reset::ResetArgs),
    /// Show what was done to the sandbox, and how it ended
    History(commands::history::HistoryArgs),
    /// Show what runs, and whether it is healthy
    ///
    /// Ends with 0 when the sandbox is healthy, 1 when it does not run, 7 when it runs and is not healthy.
    Status(commands::status::StatusArgs),
    /// List all sandboxes
    Ls,
    /// Remove the sandbox; volumes only when that is said
    ///
    /// What would go is listed first. Without --volumes everything that lasts stays, and the next start goes on
    /// with it. Ends with 8 when work would be lost that exists nowhere else: changes that no commit has,
    /// commits that no remote has, stashes, files in no git repository, sessions at work.
    Rm(commands::rm::RmArgs),
    /// Remove what was left behind and no sandbox needs
    Prune(commands::prune::PruneArgs),
    /// Keep the sandbox in one file, and make it again from it
    #[command(subcommand)]
    Backup(commands::backup::BackupCommand),
    /// Show what the sandbox uses: processor, memory, disk, sessions
    Stats(commands::stats::StatsArgs),
    /// Show what the server has written, and what was done to the sandbox
    Logs(commands::logs::LogsArgs),
    /// Run a program in the sandbox
    Exec(commands::exec::ExecArgs),
    /// Open a shell in the sandbox
    Shell,
    /// Show or rotate the password
    Password(commands::password::PasswordArgs),
    /// Read and change settings
    #[command(subcommand)]
    Config(commands::config::ConfigCommand),
    /// Let sandboxes see folders of this host
    #[command(subcommand)]
    Mount(commands::mount::MountCommand),
    /// Give sandboxes variables
    #[command(subcommand)]
    Env(commands::env::EnvCommand),
    /// Give sandboxes secret variables, whose values are kept nowhere
    #[command(subcommand)]
    Secret(commands::secret::SecretCommand),
    /// Build, check and explain images
    #[command(subcommand)]
    Image(commands::image::ImageCommand),
    /// Sign an image in a registry, with all its platforms
    ///
    /// With a certificate for whom a token says you are (Sigstore), or with a key of your own.
    Sign(commands::sign::SignArgs),
    /// State where an image comes from, or what is in it, and sign that
    Attest(commands::attest::AttestArgs),
    /// Show and change whose signatures are believed
    #[command(subcommand)]
    Trust(commands::trust::TrustCommand),
    /// Show which image it is, and whether a sandbox runs what was recorded and locked
    ///
    /// Values of secrets are never shown, and where they are is. Ends with 3 when something is not as it should be:
    /// another image or container than the recorded one, another opencode than the locked one, files that
    /// are not those of the image, other settings, or any difference from what was expected.
    Identity(commands::identity::IdentityArgs),
    /// Write down where an image comes from, each statement with who makes it
    ///
    /// With --check it ends with 3 where a document that was written before says something else.
    Provenance(commands::provenance::ProvenanceArgs),
    /// Say where an image may be used, and why
    #[command(subcommand)]
    Policy(commands::policy::PolicyCommand),
    /// Release images: plan, run, verify, go back; what is told about them, and the workflows that publish them
    #[command(subcommand)]
    Release(commands::release::ReleaseCommand),
    /// Name other machines on which sandboxes may run, and go there
    #[command(subcommand)]
    Host(commands::host::HostCommand),
    /// Examine an image or a sandbox: whether it does what it must be seen to do
    Smoke(commands::smoke::SmokeArgs),
    /// Work on an image or a sandbox for a long time, measure it, and disturb it where that is wished
    Soak(commands::soak::SoakArgs),
    /// Look for what could go wrong here, and say what to do about it
    Doctor(commands::doctor::DoctorArgs),
    /// Write one archive for a bug report, with the secrets taken out
    Diagnose(commands::diagnose::DiagnoseArgs),
    /// Keep the sandbox running with a service that begins with your login or the machine
    Install(commands::install::InstallArgs),
    /// Take the service away; volumes and settings stay
    Uninstall(commands::uninstall::UninstallArgs),
    /// Print completions for a shell
    Completions(commands::completions::CompletionsArgs),
    /// Print the manual page, or write all of them into a folder
    Man(commands::man::ManArgs),
    /// Print the version and what it knows
    Version,
}

/// Returns the whole command line, for documents.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Reads the arguments; prints help, version and usage errors itself.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Cli, ExitCode> {
    Cli::try_parse_from(arguments).map_err(|error| {
        // That nobody reads it is no reason to fail.
        drop(error.print());
        if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
    })
}
