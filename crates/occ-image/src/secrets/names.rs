//! Names that are given to secrets.

/// Parts of names whose values are secrets, in small letters.
const SECRET_PARTS: [&str; 15] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "access_key",
    "accesskey",
    "private_key",
    "privatekey",
    "credential",
    "authorization",
    "cookie",
];

/// Ends of such names.
const SECRET_ENDS: [&str; 4] = ["_key", "-key", "_pass", "_pwd"];

/// Ends of names of places and of keys that everybody may have: what a signature is checked with, or its
/// fingerprint.
const PUBLIC_ENDS: [&str; 8] =
    ["_file", "-file", "_path", "-path", "_dir", "gpg_key", "public_key", "public-key"];

/// Returns whether a variable, field or header of this name holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !PUBLIC_ENDS.iter().any(|end| name.ends_with(end))
        && (SECRET_PARTS.iter().any(|part| name.contains(part))
            || SECRET_ENDS.iter().any(|end| name.ends_with(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_names_of_places_and_of_public_keys() {
        for name in [
            "API_KEY",
            "GITHUB_TOKEN",
            "db-password",
            "_authToken",
            "AWS_SECRET_ACCESS_KEY",
            "MYSQL_PWD",
            "Cookie",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in
            ["PATH", "KEYBOARD", "GPG_KEY", "PUBLIC_KEY", "PASSWORD_FILE", "SSH_KEY_PATH", "MONKEY"]
        {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
