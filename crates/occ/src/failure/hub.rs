//! The voice of what goes wrong with Docker Hub's own interface.

use occ_registry::{Error, Reason};
use occ_release::HubError;

use super::Failure;
use crate::exit::Exit;

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        let failure = Self::of(exit(&error), &error);
        match &error {
            HubError::NoCredentials | HubError::NoPassword => failure
                .hint("log in with a user name and an access token: docker login --username NAME"),
            HubError::Keychain(_) => failure,
            HubError::Login(error) => match error.reason {
                Reason::Unauthorized => failure
                    .hint("the name or the access token is wrong; log in anew: docker login"),
                _ => later(failure, error),
            },
            HubError::Read { repository, source } | HubError::Write { repository, source } => {
                match source.reason {
                    Reason::NotFound => failure
                        .hint("make the repository there first, or name it as NAMESPACE/NAME"),
                    Reason::Unauthorized | Reason::Denied { .. } => failure.hint(format!(
                        "the access token needs the right to write, and its owner that to administer {repository}"
                    )),
                    Reason::Refused { status: 400, .. } => failure
                        .hint("it takes other texts than it says; see what was sent: occ release describe --output -"),
                    _ => later(failure, source),
                }
            }
            HubError::Answer(_) => {
                failure.hint("something else than Docker Hub's interface answers there; name it with --api")
            }
            HubError::NotKept { .. } => {
                failure.hint("leave something out, and try again: occ release describe --push NAMESPACE/NAME")
            }
        }
    }
}

fn exit(error: &HubError) -> Exit {
    match error {
        HubError::NoCredentials | HubError::NoPassword | HubError::Keychain(_) => Exit::Config,
        HubError::Login(error)
        | HubError::Read { source: error, .. }
        | HubError::Write { source: error, .. } => super::registries::exit(&error.reason),
        HubError::Answer(_) => Exit::Network,
        HubError::NotKept { .. } => Exit::Refused,
    }
}

fn later(failure: Failure, error: &Error) -> Failure {
    match &error.reason {
        Reason::Busy { after: Some(after) } => {
            failure.hint(format!("try again in {} s", after.as_secs()))
        }
        Reason::Busy { .. } | Reason::Failing { .. } => failure.hint("try again later"),
        Reason::Connect { .. } | Reason::Silent { .. } | Reason::Proxy { .. } => {
            failure.hint("look at the network: occ doctor")
        }
        _ => failure,
    }
}
