//! Whom this user believes: the policy, the trust root, and what was seen.

use std::fs;
use std::path::Path;

use jsonc_parser::ParseOptions;
use occ_trust::{Identity, Mode, Notary, Policy, TrustRoot};

use crate::env::Environment;

/// Who vouches for workflows on GitHub.
const GITHUB: &str = "https://token.actions.githubusercontent.com";
/// The workflow that releases the prebuilt images.
const RELEASE: &str =
    "https://github.com/prizz/opencode-cloud/.github/workflows/release.yml@refs/tags/v<semver>";

/// Why the notary cannot work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    /// The policy cannot be read.
    #[error("the trust policy {path} is invalid: {why}")]
    Policy { path: String, why: String },
    /// The trust root cannot be used.
    #[error(transparent)]
    Root(#[from] occ_trust::RootError),
}

/// Returns who judges images: the user's own policy and trust root, else those that are built in.
pub(crate) fn notary(env: &Environment, mode: Mode) -> Result<Notary, TrustError> {
    let policy = match read_policy(&env.trust_policy_file())? {
        Some(policy) => Policy { mode, ..policy },
        None => built_in(mode),
    };
    let root = TrustRoot::stored(&env.trust_root_file())?.unwrap_or_else(TrustRoot::embedded);
    Ok(Notary { policy, root, memory: env.seen_signed_file() })
}

/// Reads a policy (JSON with comments), when there is one.
pub(crate) fn read_policy(path: &Path) -> Result<Option<Policy>, TrustError> {
    let wrong = |why: String| TrustError::Policy { path: path.display().to_string(), why };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(error.to_string())),
    };
    jsonc_parser::parse_to_serde_value(&text, &ParseOptions::default())
        .map_err(|error| wrong(error.to_string()))
        .map(Some)
}

/// Believes the workflow that releases the prebuilt images, and nobody else.
fn built_in(mode: Mode) -> Policy {
    let identity = Identity::new(
        GITHUB.parse().expect("a test reads it"),
        RELEASE.parse().expect("a test reads it"),
    );
    Policy { mode, identities: vec![identity], ..Policy::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_policy_names_the_release_workflow_and_nobody_else() {
        let policy = built_in(Mode::Warn);
        let [identity] = policy.identities.as_slice() else { panic!("{policy:?}") };
        assert!(identity.subject.fits(&RELEASE.replace("<semver>", "1.2.3")));
        assert!(!identity.subject.fits(&RELEASE.replace("tags/v<semver>", "heads/main")));
        assert!(policy.keys.is_empty());
    }

    #[test]
    fn a_policy_may_have_comments_and_says_what_is_wrong_with_it() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("policy.json");
        assert!(read_policy(&path).expect("none").is_none());
        fs::write(&path, "{ // mine\n \"keys\": [], }").expect("write");
        assert!(read_policy(&path).expect("read").is_some());
        for wrong in ["{\"key\": []}", "[", "{\"identities\": [{\"issuer\": \"a*\"}]}"] {
            fs::write(&path, wrong).expect("write");
            let error = read_policy(&path).expect_err(wrong).to_string();
            assert!(error.contains("policy.json is invalid: "), "{error}");
        }
    }
}
