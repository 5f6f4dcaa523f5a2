//! Who may come in, and the token service.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::State;
use super::http::{Answer, Request, form};

/// Who may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// Everybody.
    Open,
    /// Whoever has this name and password, with every request.
    Basic {
        /// Name.
        user: String,
        /// Password.
        password: String,
    },
    /// Whoever has a token of the token service at `/token`.
    Token {
        /// Name and password that the service wants; none when anybody gets a token.
        login: Option<(String, String)>,
        /// The identity token that it takes in exchange as well.
        identity: Option<String>,
        /// How many requests a token is good for.
        uses: usize,
        /// The service's address, when it is not this registry's own.
        realm: Option<String>,
    },
}

impl Door {
    /// Returns a door whose tokens last, for this name and password.
    pub fn token(user: &str, password: &str) -> Self {
        let login = Some((user.to_owned(), password.to_owned()));
        Self::Token { login, identity: None, uses: usize::MAX, realm: None }
    }
}

/// Tokens that were given out.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    ever: usize,
    /// Scopes and how many requests are left.
    valid: BTreeMap<String, (Vec<String>, usize)>,
}

/// Returns the answer to somebody who may not come in; none when they may.
pub(super) fn refuse(state: &State, request: &Request, needs: &[(String, &str)]) -> Option<Answer> {
    let shown = request.header("authorization").unwrap_or_default();
    match &state.door {
        Door::Open => None,
        Door::Basic { user, password } => {
            let is_right = basic(shown) == Some((user.clone(), password.clone()));
            let challenge = "Basic realm=\"fake\"".to_owned();
            (!is_right).then(|| unauthorized(challenge))
        }
        Door::Token { realm, .. } => {
            let mut memory = state.memory();
            let realm = realm.clone().unwrap_or_else(|| format!("http://{}/token", state.address));
            let token = shown.strip_prefix("Bearer ").unwrap_or_default();
            let known = memory.tokens.valid.get_mut(token).filter(|(_, uses)| *uses > 0);
            let Some((scopes, uses)) = known else {
                return Some(unauthorized(format!("Bearer realm=\"{realm}\",service=\"fake\"")));
            };
            *uses -= 1;
            let allowed = needs.iter().all(|(repository, action)| {
                let begin = format!("repository:{repository}:");
                let actions = scopes.iter().filter_map(|scope| scope.strip_prefix(&begin));
                actions.flat_map(|actions| actions.split(',')).any(|other| other == *action)
            });
            (!allowed).then(|| Answer::refusal(403, "DENIED"))
        }
    }
}

fn unauthorized(challenge: String) -> Answer {
    Answer::refusal(401, "UNAUTHORIZED").with("www-authenticate", challenge)
}

/// Gives a token out.
pub(super) fn token(state: &State, request: &Request) -> Answer {
    let Door::Token { login, identity, uses, .. } = &state.door else {
        return Answer::refusal(404, "NAME_UNKNOWN");
    };
    let fields: Vec<_> = form(&String::from_utf8_lossy(&request.body)).collect();
    let field =
        |name: &str| fields.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
    let (is_right, scopes) = if request.method == "POST" {
        let scopes = field("scope").unwrap_or_default();
        let scopes: Vec<_> = scopes.split(' ').map(str::to_owned).collect();
        (identity.is_some() && field("refresh_token") == *identity, scopes)
    } else {
        let shown = basic(request.header("authorization").unwrap_or_default());
        (login.is_none() || shown == *login, request.query("scope"))
    };
    if !is_right {
        return Answer::refusal(401, "UNAUTHORIZED");
    }
    let mut memory = state.memory();
    memory.tokens.ever += 1;
    let token = format!("token-{}-of-{}", memory.tokens.ever, state.address.port());
    memory.tokens.valid.insert(token.clone(), (scopes, *uses));
    let body = serde_json::json!({ "token": token, "expires_in": 300 });
    Answer::new(200).body("application/json", body.to_string().into_bytes())
}

/// Reads name and password.
fn basic(shown: &str) -> Option<(String, String)> {
    let bytes = STANDARD.decode(shown.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}
