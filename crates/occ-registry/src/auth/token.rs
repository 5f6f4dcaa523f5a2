//! A token service: credentials, or none, against a token for one repository.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method};
use serde::Deserialize;

use super::{header, shown};
use crate::address::{Address, escape};
use crate::error::Reason;
use crate::keychain::Credentials;
use crate::patience::Patience;
use crate::secret::Secret;
use crate::wire::{Letter, Load, Wire};

/// Longest answer of a token service, in bytes.
const LIMIT: usize = 1024 * 1024;
/// How we call ourselves where the protocol wants a name.
const CLIENT: &str = "occ";
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A token service.
pub(super) struct Realm<'a> {
    pub(super) to: Address,
    pub(super) service: Option<&'a str>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
}

impl Realm<'_> {
    /// Fetches a token for these scopes.
    pub(super) async fn token(
        &self,
        scopes: &[String],
        credentials: Option<&Credentials>,
        (wire, patience): (&Wire, &Patience),
    ) -> Result<Secret, Reason> {
        let (method, to, authorization, body) = match credentials {
            Some(Credentials::Identity(token)) => {
                (Method::POST, self.to.clone(), None, self.form(scopes, token))
            }
            Some(Credentials::Password { user, password }) => {
                let login = STANDARD.encode(format!("{user}:{}", password.expose()));
                let login = header("Basic", &Secret::new(login)).ok_or(Reason::Unauthorized)?;
                (Method::GET, self.query(scopes), Some(login), Bytes::new())
            }
            Some(Credentials::Registry(_)) | None => {
                (Method::GET, self.query(scopes), None, Bytes::new())
            }
        };
        let mut headers = HeaderMap::from_iter([(ACCEPT, JSON)]);
        if method == Method::POST {
            headers.insert(CONTENT_TYPE, FORM);
        }
        let headers = shown(authorization, headers);
        // A redirect is not followed: it would have to be trusted as the realm was.
        let letter = Letter { method, to: &to, headers, body: Load::Held(body) };
        let mut answer = wire.send(letter, patience).await?;
        if answer.status != 200 {
            return Err(answer.refusal().await);
        }
        answer.is_plain()?;
        let body = answer.body(LIMIT).await?;
        let unusable = Reason::Answer("its token service gives no token");
        // The parser's own words may repeat the token.
        let Ok(Answer { token, access_token }) = serde_json::from_slice(&body) else {
            return Err(unusable);
        };
        let token = if token.is_empty() { access_token } else { token };
        if token.is_empty() { Err(unusable) } else { Ok(Secret::new(token)) }
    }

    fn query(&self, scopes: &[String]) -> Address {
        let mut to = self.to.clone();
        if let Some(service) = self.service {
            to = to.with("service", service);
        }
        scopes.iter().fold(to, |to, scope| to.with("scope", scope))
    }

    fn form(&self, scopes: &[String], token: &Secret) -> Bytes {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", CLIENT),
            ("service", self.service.unwrap_or_default()),
            ("scope", &scopes.join(" ")),
            ("refresh_token", token.expose()),
        ];
        let fields = fields.map(|(name, value)| format!("{name}={}", escape(value)));
        fields.join("&").into()
    }
}
