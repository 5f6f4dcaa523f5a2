//! Who we are for a certificate authority: a token that somebody gave us, or that a CI gives its jobs.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use occ_registry::{Errand, Registries, Secret, Verb};
use serde_json::{Map, Value};

use super::SignError;

/// Whom the token is for.
const AUDIENCE: &str = "sigstore";
/// Largest answer of a giver of tokens that is read, in bytes.
const LIMIT: usize = 256 * 1024;

/// A token that says who we are (`OpenID` Connect). It is believed by whoever gets it, so it is a secret.
#[derive(Clone)]
pub struct IdentityToken {
    secret: Secret,
    claims: Map<String, Value>,
}

impl IdentityToken {
    /// Reads a token. What it says is taken as it is: the authority verifies it, not we.
    ///
    /// # Errors
    /// [`SignError::Token`].
    pub fn new(secret: &Secret) -> Result<Self, SignError> {
        let secret = Secret::new(secret.expose().trim());
        let parts: Vec<_> = secret.expose().split('.').collect();
        let [_, claims, _] = parts[..] else { return Err(SignError::Token) };
        let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('='));
        let claims = claims.map_err(|_| SignError::Token)?;
        let claims = serde_json::from_slice(&claims).map_err(|_| SignError::Token)?;
        Ok(Self { secret, claims })
    }

    /// Returns what is signed to prove that one has the key: the email address, or else the subject.
    pub(super) fn proof(&self) -> Result<&str, SignError> {
        self.claim("email").or_else(|| self.claim("sub")).ok_or(SignError::Token)
    }

    /// Returns something that the token says.
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.secret
    }
}

impl fmt::Debug for IdentityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityToken(***)")
    }
}

/// The giver of tokens of a CI: GitHub's, which Gitea and Forgejo speak too.
#[derive(Debug, Clone)]
pub struct Ambient {
    url: Secret,
    bearer: Secret,
}

impl Ambient {
    /// Takes the values of `ACTIONS_ID_TOKEN_REQUEST_URL` and `ACTIONS_ID_TOKEN_REQUEST_TOKEN`; none when
    /// one is missing: then this is no such job, or it lacks the permission `id-token: write`.
    pub fn of(url: Option<&str>, token: Option<&str>) -> Option<Self> {
        let filled = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(Secret::new);
        Some(Self { url: filled(url)?, bearer: filled(token)? })
    }

    /// Asks for a token.
    ///
    /// # Errors
    /// [`SignError::Service`], [`SignError::Token`].
    pub async fn token(&self, way: &Registries) -> Result<IdentityToken, SignError> {
        let url = self.url.expose();
        let sign = if url.contains('?') { '&' } else { '?' };
        let errand = Errand {
            url: Secret::new(format!("{url}{sign}audience={AUDIENCE}")),
            verb: Verb::Get,
            accept: "application/json",
            bearer: Some(self.bearer.clone()),
            limit: LIMIT,
        };
        let answer = way.errand(&errand).await?;
        let answer: Value = serde_json::from_slice(&answer).map_err(|_| SignError::Token)?;
        IdentityToken::new(&Secret::new(answer["value"].as_str().ok_or(SignError::Token)?))
    }
}
