//! Files that programs keep logins in, known by their place and believed only when there is a login in them.

use serde_json::Value;

use super::made_up::literal;
use super::names::is_secret_name;
use super::sight::Sight;

/// Returns what of the login may be shown; nothing where there is no login.
type Look = fn(&str) -> Option<String>;

/// Ends of paths, the kind of login, and what finds one.
const FILES: [(&str, &str, Look); 20] = [
    (".netrc", "netrc", netrc),
    (".git-credentials", "git-login", addresses),
    ("git/credentials", "git-login", addresses),
    (".docker/config.json", "registry-login", registries),
    (".dockercfg", "registry-login", registries),
    ("containers/auth.json", "registry-login", registries),
    (".npmrc", "npm-login", npmrc),
    ("etc/npmrc", "npm-login", npmrc),
    (".pypirc", "pypi-login", |text| in_section(text, &["password"])),
    ("pip.conf", "pypi-login", addresses),
    ("opencode/auth.json", "opencode-login", providers),
    (".codex/auth.json", "codex-login", in_json),
    (".claude/.credentials.json", "claude-login", in_json),
    ("gcloud/application_default_credentials.json", "google-login", in_json),
    (".aws/credentials", "aws-login", |text| {
        in_section(text, &["aws_secret_access_key", "aws_session_token"])
    }),
    (".cargo/credentials", "cargo-login", |text| in_section(text, &["token"])),
    (".cargo/credentials.toml", "cargo-login", |text| in_section(text, &["token"])),
    (".kube/config", "kubernetes-login", kubernetes),
    (".pgpass", "postgresql-login", pgpass),
    ("etc/shadow", "password-hash", shadow),
];

/// Ends of names of `.env` files that are templates of others.
const TEMPLATES: [&str; 5] = [".example", ".sample", ".template", ".dist", ".defaults"];

/// Returns the login in a file, if it is one of these and has one.
pub(super) fn look(path: &str, text: &str) -> Option<Sight> {
    let name = path.rsplit('/').next().unwrap_or(path);
    if name == ".env" || name.starts_with(".env.") {
        let template = TEMPLATES.iter().any(|end| name.ends_with(end));
        return (!template)
            .then(|| variables(text))
            .flatten()
            .map(|it| Sight::new("variables", &it));
    }
    let is_here = |end: &str| {
        path.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('/'))
    };
    let (_, kind, look) = FILES.iter().find(|(end, ..)| is_here(end))?;
    look(text).map(|hint| Sight::new(kind, &hint))
}

/// `KEY=value`, maybe after `export`.
fn variables(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let line = line.trim();
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        let name = name.trim();
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        (is_name && is_secret_name(name) && literal(value).is_some()).then(|| name.to_owned())
    })
}

/// `machine HOST login NAME password WORD`, over as many lines as one likes.
fn netrc(text: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    let mut host = "default".to_owned();
    while let Some(word) = words.next() {
        match word {
            "machine" => words.next().unwrap_or_default().clone_into(&mut host),
            "password" if words.next().and_then(literal).is_some() => return Some(host),
            _ => {}
        }
    }
    None
}

/// Addresses with a name and a password, or with a token alone.
fn addresses(text: &str) -> Option<String> {
    text.split_whitespace().find_map(|word| {
        let authority = word.split_once("://")?.1.split('/').next()?;
        let (user, host) = authority.rsplit_once('@')?;
        let secret = user.split_once(':').map_or(user, |(_, password)| password);
        literal(secret).map(|_| host.to_owned())
    })
}

/// Docker's form: `auths`, or in the oldest files the same without it.
fn registries(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    let auths = value.get("auths").unwrap_or(&value).as_object()?;
    auths.iter().find_map(|(host, login)| {
        let fields = ["auth", "password", "identitytoken", "registrytoken"];
        has_text(login, &fields).then(|| host.clone())
    })
}

/// opencode's `auth.json`: for every provider a key, or the tokens of a login.
fn providers(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    value.as_object()?.iter().find_map(|(provider, login)| {
        has_text(login, &["key", "access", "refresh", "token"]).then(|| provider.clone())
    })
}

fn has_text(value: &Value, fields: &[&str]) -> bool {
    fields.iter().any(|field| value[*field].as_str().and_then(literal).is_some())
}

/// Any field with the name of a secret.
fn in_json(text: &str) -> Option<String> {
    fn find(value: &Value) -> Option<String> {
        match value {
            Value::Object(fields) => fields.iter().find_map(|(name, value)| match value.as_str() {
                Some(text) => {
                    (is_secret_name(name) && literal(text).is_some()).then(|| name.clone())
                }
                None => find(value),
            }),
            Value::Array(values) => values.iter().find_map(find),
            _ => None,
        }
    }
    find(&serde_json::from_str(text).ok()?)
}

/// `//HOST/:_authToken=WORD`; `_auth` and `_password` are older.
fn npmrc(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        let name = name.trim();
        let field = name.rsplit(':').next()?;
        let is_login = ["_authToken", "_auth", "_password"].contains(&field);
        (is_login && literal(value).is_some()).then(|| name.to_owned())
    })
}

/// `NAME = value` below a `[SECTION]`, as in INI and TOML.
fn in_section(text: &str, names: &[&str]) -> Option<String> {
    let mut section = "";
    text.lines().map(str::trim).find_map(|line| {
        if line.starts_with('[') {
            section = line;
            return None;
        }
        let (name, value) = line.split_once('=')?;
        let is_login = names.contains(&name.trim()) && literal(value).is_some();
        is_login.then(|| format!("{section} {}", name.trim()).trim().to_owned())
    })
}

fn kubernetes(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.trim().trim_start_matches("- ").split_once(':')?;
        let is_login = ["client-key-data", "token", "password"].contains(&name);
        (is_login && literal(value).is_some()).then(|| name.to_owned())
    })
}

/// `HOST:PORT:DATABASE:USER:PASSWORD`
fn pgpass(text: &str) -> Option<String> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields: Vec<&str> = line.splitn(5, ':').collect();
        let [host, _, _, _, password] = fields[..] else { return None };
        literal(password).map(|_| host.to_owned())
    })
}

/// `USER:$METHOD$…`; `*` and `!` are none, and an empty field is no secret.
fn shadow(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (user, rest) = line.split_once(':')?;
        rest.trim_start_matches('!').starts_with('$').then(|| user.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(path: &str, text: &str) -> Option<(&'static str, String)> {
        look(path, text).map(|sight| (sight.kind, sight.hint))
    }

    #[test]
    fn a_login_is_found_in_every_file_that_may_have_one() {
        for (path, text, kind, hint) in [
            ("root/.netrc", "machine a.example\n login x\n password geheim", "netrc", "a.example"),
            (".netrc", "default login x password geheim", "netrc", "default"),
            ("root/.git-credentials", "https://x:geheim@a.example", "git-login", "a.example"),
            ("h/.config/git/credentials", "https://geheim@a.example/x", "git-login", "a.example"),
            (
                "root/.docker/config.json",
                r#"{"auths":{"b.example":{},"a.example":{"auth":"geheim"}}}"#,
                "registry-login",
                "a.example",
            ),
            (".dockercfg", r#"{"a.example":{"auth":"geheim"}}"#, "registry-login", "a.example"),
            (
                "run/containers/auth.json",
                r#"{"auths":{"a.example":{"identitytoken":"geheim"}}}"#,
                "registry-login",
                "a.example",
            ),
            (
                "app/.npmrc",
                "x=1\n//a.example/:_authToken=geheim\n",
                "npm-login",
                "//a.example/:_authToken",
            ),
            ("usr/etc/npmrc", "_auth = \"geheim\"", "npm-login", "_auth"),
            (
                "root/.pypirc",
                "[pypi]\nusername = x\npassword = geheim",
                "pypi-login",
                "[pypi] password",
            ),
            (
                "etc/pip.conf",
                "[global]\nindex-url = https://x:geheim@a.example/simple",
                "pypi-login",
                "a.example",
            ),
            (
                "root/.local/share/opencode/auth.json",
                r#"{"anthropic":{"type":"oauth","refresh":"geheim","access":"","expires":1}}"#,
                "opencode-login",
                "anthropic",
            ),
            (
                "root/.local/share/opencode/auth.json",
                r#"{"openai":{"type":"api","key":"geheim"}}"#,
                "opencode-login",
                "openai",
            ),
            (
                "root/.codex/auth.json",
                r#"{"OPENAI_API_KEY":null,"tokens":{"access_token":"geheim"}}"#,
                "codex-login",
                "access_token",
            ),
            (
                "root/.claude/.credentials.json",
                r#"{"claudeAiOauth":{"accessToken":"geheim"}}"#,
                "claude-login",
                "accessToken",
            ),
            (
                "root/.config/gcloud/application_default_credentials.json",
                r#"{"type":"authorized_user","refresh_token":"geheim"}"#,
                "google-login",
                "refresh_token",
            ),
            (
                "root/.aws/credentials",
                "[default]\naws_access_key_id = x\naws_secret_access_key = geheim",
                "aws-login",
                "[default] aws_secret_access_key",
            ),
            (
                "root/.cargo/credentials.toml",
                "[registry]\ntoken = \"geheim\"",
                "cargo-login",
                "[registry] token",
            ),
            (".cargo/credentials", "[registry]\ntoken='geheim'", "cargo-login", "[registry] token"),
            (
                "root/.kube/config",
                "users:\n- name: x\n  user:\n    token: geheim",
                "kubernetes-login",
                "token",
            ),
            ("root/.pgpass", "# x\na.example:5432:*:x:geheim", "postgresql-login", "a.example"),
            ("etc/shadow", "bin:*:1\nroot:$6$geheim:1", "password-hash", "root"),
            ("app/.env", "A=b\nexport API_KEY='geheim'", "variables", "API_KEY"),
            ("app/.env.production", "DB_PASSWORD=geheim", "variables", "DB_PASSWORD"),
        ] {
            assert_eq!(seen(path, text), Some((kind, hint.to_owned())), "{path}: {text}");
        }
    }

    #[test]
    fn a_file_without_a_login_and_a_login_that_comes_from_elsewhere_are_none() {
        for (path, text) in [
            ("root/.netrc", "machine a.example login x"),
            ("root/.netrc", "machine a.example login x password"),
            ("root/x.netrc", "machine a.example login x password geheim"),
            ("root/.git-credentials", "https://a.example/x"),
            ("root/.docker/config.json", r#"{"auths":{"a.example":{}},"credsStore":"x"}"#),
            ("root/.docker/config.json", "no JSON"),
            ("app/config.json", r#"{"auths":{"a.example":{"auth":"geheim"}}}"#),
            ("app/.npmrc", "//a.example/:_authToken=${NPM_TOKEN}\nregistry=https://a.example/"),
            ("root/.pypirc", "[pypi]\nusername = x\npassword ="),
            ("etc/pip.conf", "[global]\nindex-url = https://a.example/simple"),
            ("x/opencode/auth.json", "{}"),
            ("x/opencode/auth.json", "[1]"),
            ("root/.aws/credentials", "[default]\naws_secret_access_key = <your key>"),
            ("root/.cargo/credentials.toml", "[registry]"),
            ("root/.kube/config", "clusters: []\nusers: []\ntoken: \"\""),
            ("root/.pgpass", "#h:1:d:u:geheim\nh:1:d:u"),
            ("etc/shadow", "root:*:1\nx:!:1\ny::1"),
            ("app/.env", "PORT=3000\nNAME=value\nAPI_KEY=\nTOKEN=$OTHER\nSECRET_FILE=/x"),
            ("app/.env.example", "API_KEY=geheim"),
            ("app/.environment", "API_KEY=geheim"),
        ] {
            assert_eq!(seen(path, text), None, "{path}: {text}");
        }
    }
}
