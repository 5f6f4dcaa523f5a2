//! The voice of what goes wrong with registries.

use occ_registry::{Error, Exhausted, Reason, ResolveError};
use occ_sandbox::pull::PullError;
use occ_trust::{Admission, Decision, Refusal, Verdict};

use super::{Failure, engine_hints};
use crate::exit::Exit;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        hints(Self::of(exit(&error.reason), &error), &error)
    }
}

impl From<Exhausted> for Failure {
    fn from(error: Exhausted) -> Self {
        let exit = error.attempts.last().map_or(Exit::Network, |last| exit(&last.error.reason));
        let mut failure = Self::new(exit, format!("no registry gave {}", error.what));
        failure.causes = error.attempts.iter().map(ToString::to_string).collect();
        match error.attempts.last() {
            Some(last) => hints(failure, &last.error),
            None => failure,
        }
    }
}

impl From<ResolveError> for Failure {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Exhausted(error) => error.into(),
            ResolveError::Disagreement { .. } => disagreement(Self::of(Exit::Refused, &error)),
        }
    }
}

impl From<PullError> for Failure {
    fn from(error: PullError) -> Self {
        match error {
            PullError::Resolve(error) => (*error).into(),
            PullError::Exhausted(error) => error.into(),
            PullError::Registry(error) => error.into(),
            error => pull_hints(Self::of(pull_exit(&error), &error), &error),
        }
    }
}

/// Returns the exit code of a pull that failed.
pub(super) fn pull_exit(error: &PullError) -> Exit {
    match error {
        PullError::Settings(_) => Exit::Config,
        PullError::Wanted(_) => Exit::Usage,
        error if error.is_alarm() => Exit::Refused,
        PullError::OtherImage { .. }
        | PullError::Layer { .. }
        | PullError::NoImage { .. }
        | PullError::TwoImages { .. }
        | PullError::Refused(_)
        | PullError::NotListed(_)
        | PullError::Foreign(_) => Exit::Refused,
        PullError::Resolve(_) | PullError::Exhausted(_) => Exit::Network,
        PullError::Registry(error) => exit(&error.reason),
        PullError::Engine { .. } => Exit::Engine,
        PullError::Platform { .. }
        | PullError::Engineless(_)
        | PullError::File { .. }
        | PullError::Memory { .. } => Exit::Failed,
    }
}

/// Adds what to do next.
pub(super) fn pull_hints(failure: Failure, error: &PullError) -> Failure {
    match error {
        PullError::Settings(_) => failure.hint("see what is set and by whom: occ config show"),
        PullError::Resolve(_) if error.is_alarm() => disagreement(failure),
        PullError::Engine { source, .. } => engine_hints(failure, source),
        PullError::Refused(admission) => refused(failure, admission),
        PullError::Platform { .. } => {
            failure.hint("build it for this machine: occ image build --load")
        }
        PullError::File { path, .. } => {
            failure.hint(format!("what is fetched lies there on its way: {}", path.display()))
        }
        PullError::Layer { .. } | PullError::OtherImage { .. } => {
            failure.hint("nothing of it was run; whoever published the image should know")
        }
        _ => failure,
    }
}

/// Says what can be done about an image that may not be run.
fn refused(failure: Failure, admission: &Admission) -> Failure {
    let failure = failure.hint(format!("see what was found: occ image verify {}", admission.image));
    let repository = &admission.image.repository;
    match (&admission.decision, &admission.verdict) {
        (Decision::Refused(Refusal::ExpectedSigned { .. } | Refusal::Rollback { .. }), _) => {
            failure
                .hint("nothing of it was fetched; whoever published the image should know")
                .hint(format!("if you know why: occ trust forget {repository}"))
        }
        (_, Some(Verdict::WrongIdentity { .. })) => {
            failure.hint("to believe them, name them in trust-policy.json: docs/guides/trust.md")
        }
        (_, Some(Verdict::Unknown { .. })) => {
            failure.hint("try again later, or ask fewer registries: occ config set registries HOST")
        }
        (_, Some(Verdict::Unsigned)) => {
            failure.hint("build it on this machine: occ config set image_source build")
        }
        _ => failure.hint("nothing of it was fetched; whoever published the image should know"),
    }
}

fn disagreement(failure: Failure) -> Failure {
    failure
        .hint("one of them is behind, or somebody tampers with it; nothing was taken from either")
        .hint("to look at each: occ image tree NAME")
}

/// Returns the exit code of a call that failed.
pub(super) fn exit(reason: &Reason) -> Exit {
    match reason {
        Reason::Bytes(_) | Reason::Manifest(_) | Reason::NotAbout { .. } => Exit::Refused,
        Reason::Keychain(_) | Reason::Certificates { .. } => Exit::Config,
        Reason::Source(_) => Exit::Failed,
        _ => Exit::Network,
    }
}

fn hints(failure: Failure, error: &Error) -> Failure {
    let registry = &error.registry;
    match &error.reason {
        Reason::Unauthorized | Reason::Denied { .. } => failure
            .hint(format!("log in: docker login {registry}"))
            .hint("or set OCC_REGISTRY_HOST with OCC_REGISTRY_USERNAME and OCC_REGISTRY_PASSWORD"),
        Reason::NotFound => failure.hint("see what there is: occ image ls REPOSITORY"),
        Reason::Untrusted { .. } => failure
            .hint("a private authority has to be in the machine's certificates, or in SSL_CERT_FILE")
            .hint(format!(
                "without encryption, where you trust the network: occ config set insecure_registries {registry}"
            )),
        Reason::ForeignRealm { .. } => failure.hint("nothing was sent there"),
        Reason::Connect { .. } | Reason::Silent { .. } | Reason::Proxy { .. } => {
            failure.hint("look at the network: occ doctor")
        }
        _ => failure,
    }
}
