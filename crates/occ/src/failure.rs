//! The voice of every failure: what happened, why, what to type next, and the exit code.

mod hub;
mod registries;

use occ_engine::Error as EngineError;
use occ_image::BuildError;
use occ_sandbox::{ApplyError, FolderProblem, ProbeError, Question, Refusal, Topic};
use serde_json::{Value, json};

use self::registries::{pull_exit, pull_hints};
use crate::addressing::Addressing;
use crate::exit::Exit;

/// A failure as a person hears it.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Decides the exit code.
    pub(crate) exit: Exit,
    /// What happened, to which thing.
    pub(crate) message: String,
    /// Why, outermost first.
    pub(crate) causes: Vec<String>,
    /// Last lines of a log, when they tell more.
    pub(crate) log: Vec<String>,
    /// What to do next, one command or sentence each.
    pub(crate) hints: Vec<String>,
}

impl Failure {
    /// Returns a failure without a cause or hints.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: vec![], log: vec![], hints: vec![] }
    }

    /// Returns the failure of a command that was asked to stop.
    pub(crate) fn interrupted() -> Self {
        Self::new(Exit::Interrupted, "interrupted")
    }

    /// Returns a failure of usage.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Returns a failure with the message and the causes of an error.
    pub(crate) fn of(exit: Exit, error: &dyn std::error::Error) -> Self {
        let mut failure = Self::new(exit, error.to_string());
        failure.causes = causes(error);
        failure
    }

    /// Adds what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Makes its commands name what they have to.
    pub(crate) fn addressed(mut self, addressing: &Addressing) -> Self {
        self.message = addressing.typed(&self.message);
        for hint in &mut self.hints {
            *hint = addressing.typed(hint);
        }
        self
    }

    /// Returns the lines for a person.
    pub(crate) fn render(&self) -> String {
        let mut text = format!("error: {}\n", self.message);
        for cause in &self.causes {
            text.push_str(&format!("  because: {cause}\n"));
        }
        if !self.log.is_empty() {
            text.push_str("  its last log lines:\n");
        }
        for line in &self.log {
            text.push_str(&format!("    {line}\n"));
        }
        for hint in &self.hints {
            text.push_str(&format!("hint: {hint}\n"));
        }
        text
    }

    /// Returns the object for a program.
    pub(crate) fn json(&self) -> Value {
        json!({
            "exit_code": self.exit.code(),
            "kind": self.exit.kind(),
            "message": self.message,
            "causes": self.causes,
            "log": self.log,
            "hints": self.hints,
        })
    }
}

fn causes(error: &dyn std::error::Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if causes.last() != Some(&text) {
            causes.push(text);
        }
        next = cause.source();
    }
    causes
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let failure = Self::of(Exit::Engine, &error);
        engine_hints(failure, &error)
    }
}

fn engine_hints(failure: Failure, error: &EngineError) -> Failure {
    match error {
        EngineError::NotInstalled { .. } => {
            failure.hint("install it: sudo apt-get install docker.io, or ./scripts/quickstart")
        }
        EngineError::NotRunning { endpoint, .. } if endpoint.starts_with("ssh://") => {
            failure.hint("no engine answers on that machine; look: occ host test NAME")
        }
        EngineError::NotRunning { .. } => {
            failure.hint("start it: sudo systemctl start docker").hint("then look: occ doctor")
        }
        EngineError::NoPermission { group, .. } => {
            let group = group.as_deref().unwrap_or("docker");
            failure.hint(format!("sudo usermod -aG {group} \"$USER\"; then: newgrp {group}"))
        }
        EngineError::Version { .. } => {
            failure.hint("update the older of the two: the container engine, or occ")
        }
        EngineError::Endpoint { .. } | EngineError::ClientConfig { .. } => {
            failure.hint("see what is chosen and by whom: occ doctor")
        }
        EngineError::NotFound { .. } | EngineError::Conflict { .. } => {
            failure.hint("something else changed it meanwhile; look: occ status")
        }
        EngineError::PortTaken { port, .. } => {
            failure.hint(format!("try: occ start --port {}", port.saturating_add(1)))
        }
        EngineError::Refused { .. } | EngineError::Broken { .. } | EngineError::Local { .. } => {
            failure.hint("look: occ doctor")
        }
    }
}

impl From<ApplyError> for Failure {
    fn from(error: ApplyError) -> Self {
        let error = match error {
            ApplyError::Backup(error) => return (*error).into(),
            other => other,
        };
        let exit = match &error {
            ApplyError::Engine { .. } | ApplyError::NotFrozen(_) => Exit::Engine,
            ApplyError::Pull { .. } => Exit::Network,
            ApplyError::NotTaken(error) => pull_exit(error),
            ApplyError::Build(error) => build_exit(error),
            ApplyError::Probe(_)
            | ApplyError::Secret(_)
            | ApplyError::File(_)
            | ApplyError::Unreadable(_)
            | ApplyError::Backup(_)
            | ApplyError::Randomness(_) => Exit::Failed,
            ApplyError::Exited { .. }
            | ApplyError::NotReady { .. }
            | ApplyError::SessionsMissing { .. }
            | ApplyError::DoorOpen(_) => Exit::Unhealthy,
            ApplyError::Interrupted => Exit::Interrupted,
        };
        let mut failure = Self::of(exit, &error);
        match error {
            // Podman without root under version 1 of control groups, for one.
            ApplyError::NotFrozen(EngineError::Refused { .. }) => {
                failure = failure.hint("this engine may not be able to; stop it first: occ stop");
            }
            ApplyError::Engine { source, .. } | ApplyError::NotFrozen(source) => {
                failure = engine_hints(failure, &source);
            }
            ApplyError::Pull { .. } => {
                failure = failure
                    .hint("build it on this machine: occ start --yes")
                    .hint("or always: occ config set image_source build");
            }
            ApplyError::NotTaken(error) => failure = pull_hints(failure, &error),
            ApplyError::Exited { log, status } => {
                failure.log = log;
                // 137 is what the kernel's own killer leaves; older engines do not say that it was it.
                if status.oom_killed || status.code == 137 {
                    failure = failure.hint(
                        "it may have run out of memory; give it more: occ config set memory 4GiB",
                    );
                }
                failure = failure.hint("look at the machine and the engine: occ doctor");
            }
            ApplyError::NotReady { log, .. } => {
                failure.log = log;
                failure = failure.hint("on a slow machine, wait longer: occ start --timeout 180");
            }
            ApplyError::Build(source) => failure = build_hints(failure, &source),
            ApplyError::File(_) => {
                failure = failure.hint("occ keeps its files in $XDG_DATA_HOME/opencode-cloud (~/.local/share/opencode-cloud)");
            }
            ApplyError::SessionsMissing { .. } => {
                failure = failure.hint("the sandbox is as it was before; look: occ status");
            }
            ApplyError::Unreadable(file) => {
                failure = failure.hint(format!(
                    "it leads back to the sandbox before a change that was cut off; keep a copy before you remove it: {}",
                    file.path.display()
                ));
            }
            ApplyError::Probe(ProbeError::NotCopied { .. } | ProbeError::NoSource { .. }) => {
                failure = failure
                    .hint("make room on the engine's disk: docker system df")
                    .hint("or change without a copy of the data: occ update --no-snapshot");
            }
            ApplyError::Probe(error) => {
                failure = failure.hint("use a volume instead: occ start --workspace volume");
                if let Some(path) = error.path() {
                    let path = path.display();
                    failure =
                        failure.hint(format!("or leave a mount out: occ mount remove {path}"));
                }
            }
            ApplyError::Secret(error) => {
                failure = failure
                    .hint(format!(
                        "say where it is to be had: occ secret set {}=file:PATH",
                        error.name
                    ))
                    .hint("nothing was changed");
            }
            ApplyError::DoorOpen(_) | ApplyError::Randomness(_) => {
                failure = failure.hint("please report this: it must not happen");
            }
            ApplyError::Backup(_) | ApplyError::Interrupted => {}
        }
        failure
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        let failure = Self::of(build_exit(&error), &error);
        build_hints(failure, &error)
    }
}

impl From<occ_image::LayoutError> for Failure {
    fn from(error: occ_image::LayoutError) -> Self {
        use occ_image::LayoutError;
        match &error {
            LayoutError::NotALayout { .. } => {
                Self::of(Exit::Failed, &error).hint("make it: occ image build")
            }
            LayoutError::Unknown { .. } | LayoutError::Platform { .. } => {
                Self::of(Exit::Usage, &error)
            }
            LayoutError::Missing { .. } | LayoutError::Damaged { .. } => {
                Self::of(Exit::Refused, &error).hint("write it again: occ image build")
            }
            LayoutError::Cancelled => Self::interrupted(),
            _ => Self::of(Exit::Failed, &error),
        }
    }
}

impl From<occ_image::SavedError> for Failure {
    fn from(error: occ_image::SavedError) -> Self {
        use occ_image::SavedError;
        match error {
            SavedError::Layout(error) => error.into(),
            SavedError::Read(_) => Self::of(Exit::Engine, &error),
            SavedError::Shape(_) | SavedError::OtherLayer { .. } => Self::of(Exit::Refused, &error)
                .hint("what the engine gives is not the image that it names: docker image inspect"),
        }
    }
}

impl From<occ_image::secrets::SearchError> for Failure {
    fn from(error: occ_image::secrets::SearchError) -> Self {
        use occ_image::secrets::SearchError;
        match error {
            SearchError::Saved(error) => error.into(),
            SearchError::Layer { .. } | SearchError::TooMany => Self::of(Exit::Refused, &error)
                .hint("see what the image says of itself, without its layers: occ identity IMAGE"),
        }
    }
}

fn build_exit(error: &BuildError) -> Exit {
    match error {
        BuildError::Cancelled => Exit::Interrupted,
        BuildError::FileMismatch { .. } => Exit::Refused,
        BuildError::NotAvailable { .. } | BuildError::Answer { .. } => Exit::Network,
        BuildError::Plan(_) => Exit::Config,
        _ => Exit::Failed,
    }
}

fn build_hints(failure: Failure, error: &BuildError) -> Failure {
    match error {
        BuildError::MissingProgram { package, .. } => {
            failure.hint(format!("install it: sudo apt-get install {package}"))
        }
        BuildError::ProgramFailed { .. } => failure
            .hint("its own words above name the cause; often the network or a package mirror")
            .hint("then again: occ start"),
        BuildError::FileMismatch { .. } => failure
            .hint("nothing of it was used; the mirror that this machine's package clients are set to may be at fault"),
        BuildError::NotAvailable { .. } => failure
            .hint("archives move on: lock what they have now: occ image lock"),
        BuildError::StorageFull { path } => failure
            .hint(format!("make room there: df -h {}", path.display()))
            .hint("or keep layers elsewhere: set XDG_CACHE_HOME"),
        BuildError::Cancelled => failure,
        _ => failure.hint("look at what building needs: occ doctor"),
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::PortTaken { port, by, next_free } => {
                let by = by.map_or_else(String::new, |(name, pid)| format!(" by {name} ({pid})"));
                let failure = Self::new(Exit::Failed, format!("port {port} is taken{by}"));
                match next_free {
                    Some(free) => failure.hint(format!("try: occ start --port {free}")),
                    None => failure.hint("choose another: occ start --port PORT"),
                }
            }
            Refusal::OtherUser { name, user } => Self::new(
                Exit::Failed,
                format!(
                    "this belongs to the sandbox of another user of this machine ({user}): {name}"
                ),
            )
            .hint("use another name for yours: occ start --instance NAME"),
            Refusal::Foreign { name } => Self::new(
                Exit::Failed,
                format!("a container of that name was made by something else: {name}"),
            )
            .hint(format!("rename it: docker rename {name} {name}-old"))
            .hint("or use another name for the sandbox: occ start --instance NAME"),
            // PU-002 has this text.
            Refusal::NoPrevious => {
                Self::new(Exit::Failed, "No previous image available for rollback")
                    .hint("see what was done: occ history")
            }
            Refusal::PreviousGone { name } => {
                Self::new(Exit::Failed, format!("the container to go back to was removed: {name}"))
                    .hint("see what was done: occ history")
            }
            Refusal::PreviousOwner { was, wished } => Self::new(
                Exit::Failed,
                format!(
                    "the container to go back to runs as user {}:{}, the settings wish {}:{}",
                    was.uid, was.gid, wished.uid, wished.gid
                ),
            )
            .hint("set the workspace that it had: occ config show workspace"),
            Refusal::Folder { path, why } => folder("be the workspace", &path, why),
            Refusal::Mount { path, why } => folder("be mounted", &path, why),
            Refusal::SshAgent { agent, user, why } => ssh_agent(agent, user, why),
        }
    }
}

fn folder(what: &str, path: &std::path::Path, why: FolderProblem) -> Failure {
    let path = path.display();
    let message = format!("the folder cannot {what}: {path}");
    let volume = match what {
        "be mounted" => format!("leave it out: occ mount remove {path}"),
        _ => "use a volume: occ start --workspace volume".to_owned(),
    };
    let (why, hint) = match why {
        FolderProblem::OwnedByRoot => (
            "it belongs to root, and the sandbox never runs as root",
            format!("give it to a user: sudo chown -R 1000:1000 {path}"),
        ),
        FolderProblem::RootlessEngine => (
            "the container engine runs without root, so that the sandbox's user is another one outside",
            volume,
        ),
        FolderProblem::RemappedUsers => (
            "the container engine maps users (userns-remap), so that the sandbox's user is another one outside",
            volume,
        ),
        FolderProblem::RemoteEngine => {
            ("the container engine runs on another machine and cannot see it", volume)
        }
    };
    let mut failure = Failure::new(Exit::Failed, message).hint(hint);
    failure.causes.push(why.to_owned());
    failure
}

/// Says why an agent would not answer.
fn ssh_agent(agent: u32, user: u32, why: Option<FolderProblem>) -> Failure {
    let why = match why {
        Some(FolderProblem::OwnedByRoot) => {
            "it belongs to root, and the sandbox never runs as root".to_owned()
        }
        Some(FolderProblem::RemoteEngine) => {
            "the container engine runs on another machine".to_owned()
        }
        Some(FolderProblem::RootlessEngine | FolderProblem::RemappedUsers) => {
            "the container engine maps users, so that the sandbox's user is another one outside"
                .to_owned()
        }
        None => format!("it answers user {agent} alone, and the sandbox's user is {user}"),
    };
    let mut failure = Failure::new(Exit::Failed, "the SSH agent cannot be used in the sandbox");
    failure.causes.push(why);
    failure
        .hint("work in a folder of yours, whose owner the sandbox's user becomes: occ start --workspace DIR")
        .hint("or without the agent: occ config set ssh_agent false")
}

/// Returns the failure of a question nobody can be asked.
pub(crate) fn unanswered(question: &Question) -> Failure {
    let (message, hint) = match question.kind() {
        _ if matches!(question, Question::Rebuild { .. }) => (
            "the sandbox runs and would be replaced, and there is no terminal to ask at",
            "to replace it (volumes stay): add --yes, or stop it first: occ stop",
        ),
        Topic::Replace => (
            "the running sandbox must be replaced, and there is no terminal to ask at",
            "to replace it (volumes stay): occ start --yes",
        ),
        Topic::LockAnew => (
            "packages of the image are no longer to be had, and there is no terminal to ask at",
            "to take what the archive has now: occ start --yes",
        ),
        Topic::BuildInstead => (
            "building the image instead was not agreed to, and there is no terminal to ask at",
            "to build: occ start --yes",
        ),
    };
    let mut failure = Failure::usage(message).hint(hint);
    match question {
        Question::GoBack { .. } => {
            "going back was not agreed to, and there is no terminal to ask at"
                .clone_into(&mut failure.message);
            failure.hints = vec!["to go back: occ rollback --yes".to_owned()];
        }
        Question::Reset { .. } => {
            "a reset was not agreed to, and there is no terminal to ask at"
                .clone_into(&mut failure.message);
            failure.hints = vec!["to reset: occ reset --yes".to_owned()];
        }
        Question::Restore { .. } => {
            "replacing what the sandbox holds was not agreed to, and there is no terminal to ask at"
                .clone_into(&mut failure.message);
            failure.hints = vec![
                "to replace it (occ rollback returns to it): occ backup restore FILE --yes"
                    .to_owned(),
                "or restore beside it: occ --instance NAME backup restore FILE".to_owned(),
            ];
        }
        Question::Replace { drift } | Question::Rebuild { drift } => {
            failure.causes = drift.iter().map(ToString::to_string).collect();
        }
        Question::LockAnew { missing } => failure.causes = vec![missing.clone()],
        Question::BuildInstead { because } => failure.causes.clone_from(because),
    }
    failure
}

impl From<occ_sandbox::SecretError> for Failure {
    fn from(error: occ_sandbox::SecretError) -> Self {
        ApplyError::Secret(error).into()
    }
}

impl From<occ_sandbox::MountError> for Failure {
    fn from(error: occ_sandbox::MountError) -> Self {
        use occ_sandbox::MountError;
        let failure = Self::of(Exit::Usage, &error);
        match error {
            MountError::NotAbsolute { path } => {
                let (folder, rest) = match path.strip_prefix("~") {
                    Ok(rest) => ("$HOME", rest),
                    Err(_) => ("$PWD", path.as_path()),
                };
                failure.hint(format!("in a shell: occ mount add \"{folder}/{}\"", rest.display()))
            }
            MountError::Reserved(_) => {
                failure.hint("name a place in the workspace, or one of its own such as /data")
            }
            MountError::Machine(_) => failure.hint("mount the folder that is needed and no more"),
            _ => failure,
        }
    }
}

/// Returns the failure of a command that would lose work that exists nowhere else.
pub(crate) fn would_lose(work: &occ_sandbox::Work, command: &str) -> Failure {
    let mut failure =
        Failure::new(Exit::WouldLoseWork, "work that exists nowhere else would be lost");
    failure.causes = work.lines();
    failure
        .hint("push or copy it, or keep everything in a file: occ backup create")
        .hint(format!("to lose it: {command} --discard-work"))
}

impl From<occ_sandbox::BackupError> for Failure {
    fn from(error: occ_sandbox::BackupError) -> Self {
        use occ_sandbox::BackupError;
        let error = match error {
            BackupError::Apply(error) => return error.into(),
            other => other,
        };
        let exit = match &error {
            BackupError::Foreign { .. }
            | BackupError::Damaged { .. }
            | BackupError::Refused { .. } => Exit::Refused,
            _ => Exit::Failed,
        };
        let failure = Self::of(exit, &error);
        match error {
            BackupError::Exists { .. } => {
                failure.hint("choose another name: occ backup create FILE")
            }
            BackupError::NoRoom { .. } => {
                failure.hint("make it elsewhere: occ backup create /OTHER/PLACE/FILE")
            }
            BackupError::Newer { .. } => failure.hint("update occ, and take it then"),
            BackupError::Nothing => failure.hint("see what there is: occ ls"),
            BackupError::NoImage => failure.hint("get one: occ start"),
            BackupError::Restarting => failure.hint("stop it first: occ stop"),
            BackupError::Damaged { .. } | BackupError::Refused { .. } => {
                failure.hint("nothing of it was used; take another one: occ backup list")
            }
            BackupError::Foreign { .. } => {
                failure.hint("see which ones there are: occ backup list")
            }
            BackupError::File { .. } | BackupError::Apply(_) => failure,
        }
    }
}

impl From<occ_sandbox::FileError> for Failure {
    fn from(error: occ_sandbox::FileError) -> Self {
        ApplyError::File(error).into()
    }
}

impl From<crate::config::ConfigError> for Failure {
    fn from(error: crate::config::ConfigError) -> Self {
        let failure = Self::of(Exit::Config, &error);
        match error {
            crate::config::ConfigError::Unreadable { .. } => {
                failure.hint("see where it is expected: occ config path")
            }
            _ => failure.hint("see what may stand in it: occ config schema"),
        }
    }
}

impl From<crate::service::ServiceError> for Failure {
    fn from(error: crate::service::ServiceError) -> Self {
        use crate::service::{Scope, ServiceError};
        let failure = Self::of(Exit::Failed, &error);
        match error {
            ServiceError::Missing { .. } => failure
                .hint("without a service manager: occ start, or in a terminal of its own: occ start --foreground"),
            ServiceError::Path { .. } => failure.hint("install occ into another folder, then: occ install"),
            ServiceError::Run { .. } => failure,
            ServiceError::Refused { scope: Scope::System, .. } => {
                failure.hint("the machine's own services need root; without: occ install")
            }
            ServiceError::Refused { scope: Scope::User, .. } => failure
                .hint("it needs a login of your own (ssh or a console, not su or sudo)")
                .hint("then, if XDG_RUNTIME_DIR is not set: export XDG_RUNTIME_DIR=/run/user/$(id -u)"),
        }
    }
}

impl From<crate::config::EnvironmentError> for Failure {
    fn from(error: crate::config::EnvironmentError) -> Self {
        Self::of(Exit::Config, &error)
    }
}

/// Writing the result failed: nobody reads it, or the disk is full.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::of(Exit::Failed, &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_cannot_freeze_is_told_from_one_that_is_gone() {
        let message = "can not pause containers".to_owned();
        let cannot = ApplyError::NotFrozen(EngineError::Refused { status: 500, message });
        let endpoint = "unix:///run/docker.sock".to_owned();
        let gone = ApplyError::NotFrozen(EngineError::NotRunning { endpoint, source: None });
        let [cannot, gone] = [cannot, gone].map(Failure::from);
        assert_eq!((cannot.exit, gone.exit), (Exit::Engine, Exit::Engine));
        assert!(cannot.hints[0].ends_with("occ stop"), "{:?}", cannot.hints);
        assert!(gone.hints[0].contains("start docker"), "{:?}", gone.hints);
    }
}
