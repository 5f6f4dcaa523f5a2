//! A variable of the sandbox's environment: which names there can be, and which values are better secret.

/// Why a variable cannot be set; the value is never repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// There is no `=`.
    #[error("a variable is written NAME=VALUE")]
    Form,
    /// The name is none.
    #[error("a variable's name has letters, digits and _, and does not begin with a digit: {0:?}")]
    Name(String),
    /// The name has a meaning already.
    #[error("this variable belongs to the sandbox itself: {0}")]
    Reserved(String),
    /// No process can have that value.
    #[error("a variable's value has no zero byte: {0}")]
    Value(String),
}

/// Variables that decide how the sandbox itself works, or who gets in.
const RESERVED: [&str; 9] = [
    "BASH_ENV",
    "ENV",
    "HOME",
    "LOGNAME",
    "OPENCODE_SERVER_PASSWORD",
    "OPENCODE_SERVER_USERNAME",
    "PATH",
    "SHELL",
    "USER",
];

/// Checks a variable's name.
///
/// # Errors
/// When it is none, or one of the sandbox's own.
pub fn check_name(name: &str) -> Result<(), VariableError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(plain)
    {
        return Err(VariableError::Name(name.to_owned()));
    }
    if RESERVED.contains(&name) || name.starts_with("LD_") {
        return Err(VariableError::Reserved(name.to_owned()));
    }
    Ok(())
}

/// Reads `NAME=VALUE`.
///
/// # Errors
/// When there is no `=`, or a variable cannot be called so or have that value.
pub fn parse_variable(text: &str) -> Result<(String, String), VariableError> {
    let (name, value) = text.split_once('=').ok_or(VariableError::Form)?;
    check_name(name)?;
    if value.contains('\0') {
        return Err(VariableError::Value(name.to_owned()));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// Words in the names of variables that hold credentials.
const NAMES: [&str; 8] =
    ["APIKEY", "API_KEY", "CREDENTIAL", "PASSWD", "PASSWORD", "PRIVATE_KEY", "SECRET", "TOKEN"];

/// Beginnings of credentials that their givers mark.
const PREFIXES: [&str; 12] = [
    "AIza",
    "AKIA",
    "ASIA",
    "eyJ",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "sk-",
    "xoxb-",
    "xoxp-",
];

/// Returns whether a variable seems to hold a credential, which everybody who may ask the engine would see.
pub fn looks_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let named = NAMES.iter().any(|word| name.contains(word))
        || name.ends_with("_KEY")
        || name.ends_with("_KEY_ID");
    let marked = value.len() >= 16 && PREFIXES.iter().any(|prefix| value.starts_with(prefix));
    let key = value.contains("-----BEGIN ") && value.contains("PRIVATE KEY");
    !value.is_empty() && (named || marked || key || has_password(value))
}

/// Returns whether an address has a password in it.
pub(crate) fn has_password(address: &str) -> bool {
    let Some((_, rest)) = address.split_once("://") else { return false };
    let place = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    place.contains('@')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pw_010_a_variable_is_a_name_and_a_value() {
        assert_eq!(parse_variable("A_1=x=y"), Ok(("A_1".into(), "x=y".into())));
        assert_eq!(parse_variable("_a="), Ok(("_a".into(), String::new())));
        assert_eq!(parse_variable("A"), Err(VariableError::Form));
        for name in ["", "1A", "A-B", "A B", "Ä"] {
            let parsed = parse_variable(&format!("{name}=x"));
            assert_eq!(parsed, Err(VariableError::Name(name.into())));
        }
    }

    #[test]
    fn names_of_the_sandbox_itself_are_refused() {
        for name in
            ["OPENCODE_SERVER_PASSWORD", "OPENCODE_SERVER_USERNAME", "PATH", "HOME", "LD_PRELOAD"]
        {
            assert_eq!(check_name(name), Err(VariableError::Reserved(name.into())));
        }
        assert_eq!(check_name("OPENCODE_PERMISSION"), Ok(()));
    }

    #[test]
    fn no_refusal_repeats_the_value() {
        for text in ["PATH=hunter2", "A-B=hunter2", "hunter2", "A=hunter2\0"] {
            let error = parse_variable(text).expect_err(text);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn what_looks_like_a_credential_is_noticed() {
        for (name, value) in [
            ("GITHUB_TOKEN", "x"),
            ("anthropic_api_key", "x"),
            ("AWS_ACCESS_KEY_ID", "x"),
            ("X", "sk-0123456789abcdef"),
            ("X", "ghp_0123456789abcdef"),
            ("X", "-----BEGIN OPENSSH PRIVATE KEY-----"),
            ("DATABASE", "postgres://ann:pw@db/x"),
        ] {
            assert!(looks_secret(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("EDITOR", "vim"),
            ("MONKEY", "x"),
            ("GITHUB_TOKEN", ""),
            ("X", "http://proxy:3128"),
            ("X", "sk-1"),
        ] {
            assert!(!looks_secret(name, value), "{name}={value}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_what_was_written(name in "[A-Z_][A-Z0-9_]{3,8}x", value in "[^\\x00]{0,20}") {
            prop_assert_eq!(parse_variable(&format!("{name}={value}")), Ok((name, value)));
        }
    }
}
