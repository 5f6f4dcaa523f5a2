//! How a registry asks for credentials (RFC 9110, 11.6.1, `WWW-Authenticate`).

use hyper::header::HeaderValue;

/// Most bytes of one challenge.
const LONGEST: usize = 8 * 1024;

/// Why a challenge is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// There is none.
    #[error("it refuses without saying what it wants")]
    Missing,
    /// It cannot be read.
    #[error("its challenge is malformed")]
    Malformed,
    /// It wants neither a password nor a token.
    #[error("it wants neither a password nor a token")]
    Scheme,
    /// It wants a token and does not say from where.
    #[error("it names no token service")]
    NoRealm,
}

/// What a registry wants to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// A name and a password.
    Basic,
    /// A token of the service at `realm`.
    Bearer { realm: String, service: Option<String> },
}

impl Challenge {
    /// Returns the one to answer: a token where there is a choice, because it says less.
    pub(crate) fn choose(values: &[&HeaderValue]) -> Result<Self, ChallengeError> {
        let mut chosen = Err(ChallengeError::Missing);
        for value in values {
            let text = value.to_str().map_err(|_| ChallengeError::Malformed)?;
            match Self::parse(text) {
                Ok(bearer @ Self::Bearer { .. }) => return Ok(bearer),
                Ok(basic) => chosen = Ok(basic),
                Err(error) if chosen.is_err() => chosen = Err(error),
                Err(_) => {}
            }
        }
        chosen
    }

    /// Reads one challenge.
    fn parse(text: &str) -> Result<Self, ChallengeError> {
        if text.len() > LONGEST {
            return Err(ChallengeError::Malformed);
        }
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Ok(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(ChallengeError::Scheme);
        }
        let mut realm = None;
        let mut service = None;
        for (name, value) in fields(rest)? {
            let place = match name.as_str() {
                "realm" => &mut realm,
                "service" => &mut service,
                _ => continue,
            };
            // Two realms are two answers to where the password goes.
            if place.replace(value).is_some() {
                return Err(ChallengeError::Malformed);
            }
        }
        Ok(Self::Bearer { realm: realm.ok_or(ChallengeError::NoRealm)?, service })
    }
}

/// Reads `name="value", name=value`.
fn fields(mut rest: &str) -> Result<Vec<(String, String)>, ChallengeError> {
    let mut fields = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Ok(fields);
        }
        let (name, after) = rest.split_once('=').ok_or(ChallengeError::Malformed)?;
        let is_name = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        let name = name.trim();
        if !is_name(name) {
            return Err(ChallengeError::Malformed);
        }
        let after = after.trim_start();
        let (value, after) = if let Some(quoted) = after.strip_prefix('"') {
            unquote(quoted)?
        } else {
            let end = after.find([',', ' ']).unwrap_or(after.len());
            (after[..end].to_owned(), &after[end..])
        };
        fields.push((name.to_ascii_lowercase(), value));
        rest = after;
    }
}

/// Reads up to the closing quote and returns what follows it.
fn unquote(text: &str) -> Result<(String, &str), ChallengeError> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => value.push(chars.next().ok_or(ChallengeError::Malformed)?.1),
            c => value.push(c),
        }
    }
    Err(ChallengeError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(values: &[&'static str]) -> Result<Challenge, ChallengeError> {
        let values: Vec<_> = values.iter().map(|text| HeaderValue::from_static(text)).collect();
        Challenge::choose(&values.iter().collect::<Vec<_>>())
    }

    fn bearer(realm: &str, service: Option<&str>) -> Challenge {
        Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) }
    }

    #[test]
    fn what_registries_send_is_understood() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull""#;
        let expected = bearer("https://auth.docker.io/token", Some("registry.docker.io"));
        assert_eq!(choose(&[hub]), Ok(expected.clone()));
        assert_eq!(choose(&["Basic realm=\"x\"", hub]), Ok(expected));
        assert_eq!(
            choose(&["bearer realm=http://x/t , service = \"a\\\"b\""]),
            Ok(bearer("http://x/t", Some("a\"b")))
        );
        assert_eq!(choose(&["Basic realm=\"Registry Realm\""]), Ok(Challenge::Basic));
    }

    #[test]
    fn anything_else_is_refused_with_its_reason() {
        assert_eq!(choose(&[]), Err(ChallengeError::Missing));
        assert_eq!(choose(&["Negotiate"]), Err(ChallengeError::Scheme));
        assert_eq!(choose(&["Bearer service=\"x\""]), Err(ChallengeError::NoRealm));
        assert_eq!(choose(&["Bearer realm=\"x"]), Err(ChallengeError::Malformed));
        assert_eq!(choose(&["Bearer realm"]), Err(ChallengeError::Malformed));
        let two = "Bearer realm=\"https://a/\",realm=\"https://b/\"";
        assert_eq!(choose(&[two]), Err(ChallengeError::Malformed));
    }
}
