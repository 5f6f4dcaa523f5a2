//! Takes secrets out of text that is to be shown to others. Pure.
//!
//! It knows the secrets of this sandbox by their value, and others by where they stand and how they look. It
//! rather takes out too much.

pub(crate) use occ_image::secrets::is_secret_name;
use serde_json::Value;

/// What stands where a secret stood.
pub(crate) const MARK: &str = "[redacted]";

/// How well-known kinds of tokens begin, and how long they are at least.
const SHAPES: [(&str, usize); 14] = [
    ("sk-", 16),
    ("ghp_", 16),
    ("gho_", 16),
    ("ghs_", 16),
    ("ghu_", 16),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("AKIA", 20),
    ("AIza", 30),
    ("npm_", 20),
    ("hf_", 16),
    ("eyJ", 30),
];

/// Words before the credentials of an `Authorization` header.
const SCHEMES: [&str; 2] = ["bearer", "basic"];

/// Knows what must not be shown.
#[derive(Debug, Default)]
pub(crate) struct Redactor {
    known: Vec<String>,
    home: Option<String>,
}

impl Redactor {
    /// Returns a redactor that knows these secrets by value; `home` is shown as `~`.
    pub(crate) fn new(known: impl IntoIterator<Item = String>, home: &str) -> Self {
        // Shorter ones would take words out of ordinary text.
        let mut known: Vec<String> = known.into_iter().filter(|secret| secret.len() >= 6).collect();
        known.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { known, home: (home.len() > 1).then(|| home.to_owned()) }
    }

    /// Returns text without secrets.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.known {
            text = text.replace(secret, MARK);
        }
        if let Some(home) = &self.home {
            text = text.replace(home, "~");
        }
        let steps = [private_keys, user_info, logins, assignments, schemes, shapes];
        steps.into_iter().fold(text, |text, step| step(&text))
    }

    /// Returns a value without secrets, in names' values and in texts.
    pub(crate) fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(list) => list.iter().map(|item| self.value(item)).collect(),
            Value::Object(map) => {
                let pair = |(name, value): (&String, &Value)| {
                    let secret = is_secret_name(name) && value.is_string();
                    let value = if secret { Value::from(MARK) } else { self.value(value) };
                    (name.clone(), value)
                };
                Value::Object(map.iter().map(pair).collect())
            }
            plain => plain.clone(),
        }
    }
}

/// PEM, RFC 7468; a block without an end is one to the end of the text.
fn private_keys(text: &str) -> String {
    const BEGIN: &str = "-----BEGIN ";
    const END: &str = "-----END ";
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(BEGIN) {
        let block = &rest[at..];
        let label = block[BEGIN.len()..].split("-----").next().unwrap_or_default();
        if !label.contains("PRIVATE KEY") {
            out.push_str(&rest[..at + BEGIN.len()]);
            rest = &block[BEGIN.len()..];
            continue;
        }
        out.push_str(&rest[..at]);
        out.push_str(MARK);
        let end = block.find(END).map(|end| end + END.len() + label.len() + 5);
        rest = end.and_then(|end| block.get(end..)).unwrap_or_default();
    }
    out + rest
}

/// The user's part of an address, RFC 3986 3.2.1.
fn user_info(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let start = at + 3;
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let ends = |c: char| c.is_whitespace() || "/?#\"'<>\\,;)".contains(c);
        let authority = rest.find(ends).unwrap_or(rest.len());
        if let Some(at) = rest[..authority].rfind('@') {
            out.push_str(MARK);
            rest = &rest[at..];
        }
    }
    out + rest
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-.".contains(c)
}

/// `name=value`, `"name": "value"`, `Name: value`, `--name value`.
fn assignments(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_name_char) {
        let length = rest[start..].find(|c| !is_name_char(c)).unwrap_or(rest.len() - start);
        let (before, after) = rest.split_at(start + length);
        out.push_str(before);
        rest = after;
        let name = &before[start..];
        if is_secret_name(name)
            && let Some((skip, length)) = value_after(rest, name)
        {
            out.push_str(&rest[..skip]);
            out.push_str(MARK);
            rest = &rest[skip + length..];
        }
    }
    out + rest
}

/// Returns where the value of a name begins in the text after it, and how long it is.
fn value_after(text: &str, name: &str) -> Option<(usize, usize)> {
    let blank = |c: char| c == ' ' || c == '\t';
    let quote = |c: char| "\"'\\".contains(c);
    let closed = text.trim_start_matches(quote);
    let spaced = closed.trim_start_matches(blank);
    let after = match spaced.strip_prefix([':', '=']) {
        Some(after) => after.trim_start_matches('>'),
        None if name.starts_with("--") && closed.len() > spaced.len() => spaced,
        None => return None,
    };
    let value = after.trim_start_matches(blank);
    let bare = value.trim_start_matches('\\');
    let (value, ends): (&str, &dyn Fn(char) -> bool) = match bare.chars().next()? {
        // An escaped quotation ends at the backslash before its closing quote.
        '"' => (&bare[1..], &|c| "\"\\\n".contains(c)),
        '\'' => (&bare[1..], &|c| "'\\\n".contains(c)),
        _ if is_header(name) => (value, &|c| "\"'\\\n\r".contains(c)),
        _ => (value, &|c: char| c.is_whitespace() || ",;&}])\"'\\".contains(c)),
    };
    let mut length = value.find(ends).unwrap_or(value.len());
    if SCHEMES.iter().any(|scheme| value[..length].eq_ignore_ascii_case(scheme)) {
        let word = value[length..].trim_start_matches(blank);
        let start = value.len() - word.len();
        length = start + word.find(ends).unwrap_or(word.len());
    }
    // What was taken out already needs nothing more.
    (length > 0 && !value.starts_with(MARK)).then_some((text.len() - value.len(), length))
}

/// `curl -u NAME:WORD`; for other programs such a word is a user and a group.
fn logins(text: &str) -> String {
    let (mut is_curl, mut follows) = (false, false);
    let shown = text.split_inclusive(char::is_whitespace).map(|word| {
        let bare = word.trim_matches(|c: char| c.is_whitespace() || "\"'".contains(c));
        let is_login = bare.split_once(':').is_some_and(|(_, word)| !word.is_empty());
        let secret = follows && is_login;
        is_curl = bare == "curl" || is_curl && !["&&", "||", "|", ";"].contains(&bare);
        follows = is_curl && ["-u", "--user", "--proxy-user"].contains(&bare);
        if secret { word.replacen(bare, MARK, 1) } else { word.to_owned() }
    });
    shown.collect()
}

/// Headers whose whole line is the secret.
fn is_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("authorization") || name.ends_with("cookie")
}

/// `Bearer …` and `Basic …` wherever they stand.
fn schemes(text: &str) -> String {
    words(text, |word, before| {
        let before = before.trim_end();
        let after = |scheme: &str| {
            let at = before.len().checked_sub(scheme.len());
            at.and_then(|at| before.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(scheme))
        };
        word.len() >= 8 && SCHEMES.iter().any(|scheme| after(scheme))
    })
}

/// Tokens that are known by how they look.
fn shapes(text: &str) -> String {
    words(text, |word, _| {
        let shaped =
            |(start, length): &(&str, usize)| word.starts_with(start) && word.len() >= *length;
        SHAPES.iter().any(shaped)
    })
}

/// Replaces the words of which `is_secret` says so, given what stands before them.
fn words(text: &str, is_secret: impl Fn(&str, &str) -> bool) -> String {
    let in_word = |c: char| c.is_ascii_alphanumeric() || "_-.+/=".contains(c);
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(in_word) {
        let length = rest[start..].find(|c| !in_word(c)).unwrap_or(rest.len() - start);
        out.push_str(&rest[..start]);
        let word = &rest[start..start + length];
        out.push_str(if is_secret(word, &out) { MARK } else { word });
        rest = &rest[start + length..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redacted(text: &str) -> String {
        Redactor::new(["known-by-value".to_owned()], "/home/ann").text(text)
    }

    #[test]
    fn secrets_are_found_where_they_stand() {
        for text in [
            "the value is known-by-value.",
            "password=planted",
            "OPENCODE_SERVER_PASSWORD=planted next",
            "{\"password\":\"planted\",\"a\":1}",
            "{\"api_key\" : \"planted with spaces\"}",
            "{\\\"token\\\":\\\"planted\\\"}",
            "api-key: planted, more",
            "Authorization: Basic planted==",
            "authorization: Bearer planted",
            "token: Bearer planted",
            "-H 'Authorization: Bearer planted' http://x",
            "GET /event?auth_token=planted&x=1",
            "https://ann:planted@example.com/x",
            "https://planted@example.com/x",
            "occ --password planted start",
            "--token=planted",
            "Cookie: a=planted; b=planted",
            "RUN curl -fsSL -u ann:planted http://x",
            "curl --user 'ann:planted' http://x",
            "curl said Bearer planted-and-long",
            "key sk-planted0123456789abcdef",
            "ghp_planted0123456789abcdef0123",
            "eyJplanted0.eyJplanted0123456789.planted",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nplanted\n-----END OPENSSH PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\nplanted",
        ] {
            let shown = redacted(text);
            let hidden = !shown.contains("planted") && !shown.contains("known-by-value");
            assert!(hidden && shown.contains(MARK), "{text:?} became {shown:?}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "opencode server listening on http://0.0.0.0:4096",
            "password_file: /data/password",
            "{\"port\": 3000, \"key\": \"value\"}",
            "error: the token is missing",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
            "GET /session 200 12ms",
            "curl -fsSL http://x && docker run --user=1000:1000 -u ann x",
            "docker run -u opencode:opencode x",
        ] {
            assert_eq!(redacted(text), text);
        }
        assert_eq!(redacted("/home/ann/project"), "~/project");
    }

    #[test]
    fn what_follows_a_secret_stays() {
        assert_eq!(redacted("token=abc&x=1"), format!("token={MARK}&x=1"));
        assert_eq!(
            redacted("{\"token\":\"abc\",\"x\":1}"),
            format!("{{\"token\":\"{MARK}\",\"x\":1}}")
        );
        assert_eq!(redacted("a://u:p@h/x"), format!("a://{MARK}@h/x"));
    }

    #[test]
    fn values_keep_their_shape_and_lose_their_secrets() {
        let value = json!({
            "env": { "GITHUB_TOKEN": "planted", "PATH": "/bin" },
            "list": ["x", "password=planted"],
            "max_tokens": 4096,
        });
        let shown = Redactor::default().value(&value);
        assert_eq!(shown["env"], json!({ "GITHUB_TOKEN": MARK, "PATH": "/bin" }));
        assert_eq!(shown["max_tokens"], 4096);
        assert!(!shown.to_string().contains("planted"), "{shown}");
    }

    #[test]
    fn redacting_twice_changes_nothing_more() {
        let once = redacted("a://u:p@h password=x Authorization: Bearer planted-token");
        assert_eq!(redacted(&once), once);
    }
}
