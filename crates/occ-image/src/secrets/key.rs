//! Private keys as texts: PEM (RFC 7468), the forms of OpenSSH and of `OpenPGP`, and that of `PuTTY`.

use super::made_up::is_made_up;
use super::sight::Sight;

const KIND: &str = "private-key";
const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";
/// Longest label.
const LABEL: usize = 40;
/// Characters of base64 without which there is no key; an Ed25519 key in PKCS #8 has 64.
const SHORTEST: usize = 60;
/// Characters in which as many have come, whatever headers stand before them.
const AHEAD: usize = 2048;
/// How OpenSSH's keys begin, `openssh-key-v1` in base64.
const OPENSSH: &str = "b3BlbnNzaC1rZXktdjE";

/// Returns the private keys in a text, one for each label.
pub(super) fn look(text: &str) -> Vec<Sight> {
    let mut labels: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(BEGIN) {
        rest = &rest[at + BEGIN.len()..];
        let Some((label, after)) = rest.split_once(DASHES) else { break };
        if is_label(label) && !labels.contains(&label) && is_key(label, after) {
            labels.push(label);
        }
    }
    if text.starts_with("PuTTY-User-Key-File-") && text.contains("\nPrivate-Lines: ") {
        labels.push("PuTTY-User-Key-File");
    }
    labels.into_iter().map(|label| Sight::new(KIND, label)).collect()
}

fn is_label(label: &str) -> bool {
    let is_one = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == ' ';
    label.len() <= LABEL
        && label.chars().all(is_one)
        && (label.ends_with("PRIVATE KEY") || label.ends_with("PRIVATE KEY BLOCK"))
}

/// Returns whether a key follows its label. Programs and pages that speak of keys have the label alone.
fn is_key(label: &str, after: &str) -> bool {
    let (encrypted, body) = body(after);
    let begins = match label {
        _ if encrypted || label.starts_with("PGP") => true,
        "OPENSSH PRIVATE KEY" => body.starts_with(OPENSSH),
        // A sequence in DER.
        _ => body.starts_with('M'),
    };
    begins && body.len() >= SHORTEST && !is_made_up(&body)
}

/// Returns whether headers call a body encrypted, and the first characters of it; lines may be broken by `\n` in
/// letters, and be texts of a program, as in JSON or in source.
fn body(after: &str) -> (bool, String) {
    let ahead: String = after.chars().take(AHEAD).collect();
    let ahead = ahead.replace("\\r", "").replace("\\n", "\n");
    let (mut encrypted, mut body) = (false, String::new());
    for line in ahead.lines() {
        let line = line.trim_matches(|c: char| c.is_whitespace() || "\"'`+,\\".contains(c));
        if body.is_empty() && line.contains(": ") {
            encrypted |= line.contains("ENCRYPTED");
            continue;
        }
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
        if !line.chars().all(is_base64) || body.len() >= SHORTEST {
            break;
        }
        body.push_str(line);
    }
    (encrypted, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Characters that are a key's to whoever looks at them, and no key.
    const BODY: &str = "q8ZrT0vLw2KsYd5Hb7NcXe9Jm1Pf4Ug6Ai3Wo/Bk+Rl8Vt0Sn2Zq5Cy7Dx9E";

    fn pem(label: &str, start: &str) -> String {
        format!("-----BEGIN {label}-----\n{start}{BODY}\n{BODY}\n-----END {label}-----\n")
    }

    fn labels(text: &str) -> Vec<String> {
        look(text).into_iter().map(|sight| sight.hint).collect()
    }

    #[test]
    fn private_keys_are_known_in_every_form() {
        for (label, start) in [
            ("PRIVATE KEY", "MIIE"),
            ("RSA PRIVATE KEY", "MIIE"),
            ("EC PRIVATE KEY", "MHcC"),
            ("ENCRYPTED PRIVATE KEY", "MIIF"),
            ("OPENSSH PRIVATE KEY", OPENSSH),
            ("PGP PRIVATE KEY BLOCK", "\nlQOY"),
            ("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A\n\n"),
        ] {
            let text = pem(label, start);
            assert_eq!(labels(&text), [label], "{text}");
            let windows = text.replace('\n', "\r\n");
            assert_eq!(labels(&windows), [label], "{windows}");
            let json = format!("{{ \"key\": \"{}\" }}", text.replace('\n', "\\n"));
            assert_eq!(labels(&json), [label], "{json}");
        }
        let source = format!("x = \"-----BEGIN PRIVATE KEY-----\\n\" +\n  \"MIIE{BODY}\\n\" +\n");
        assert_eq!(labels(&source), ["PRIVATE KEY"]);
        let indented = pem("PRIVATE KEY", "MIIE").replace('\n', "\n    ");
        assert_eq!(labels(&format!("key: |\n    {indented}")), ["PRIVATE KEY"]);
        let putty = "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 1\nAAAA";
        assert_eq!(labels(putty), ["PuTTY-User-Key-File"]);
    }

    #[test]
    fn two_keys_of_one_kind_are_one_finding() {
        let both = pem("PRIVATE KEY", "MIIE") + &pem("PRIVATE KEY", "MIIE");
        assert_eq!(labels(&both), ["PRIVATE KEY"]);
    }

    #[test]
    fn what_is_public_or_speaks_of_keys_is_none() {
        for text in [
            pem("CERTIFICATE", "MIIE"),
            pem("PUBLIC KEY", "MIIE"),
            pem("RSA TESTING KEY", "MIIE"),
            pem("private key", "MIIE"),
            // Not what the label says.
            pem("OPENSSH PRIVATE KEY", "MIIE"),
            pem("PRIVATE KEY", "zzzz"),
            "if line == \"-----BEGIN PRIVATE KEY-----\":\n    return True\n".repeat(9),
            "-----BEGIN PRIVATE KEY-----\nMIIE...\n-----END PRIVATE KEY-----\n".to_owned(),
            "-----BEGIN RSA PRIVATE KEY-----\n[key data]\n-----END RSA PRIVATE KEY-----".to_owned(),
            format!("-----BEGIN PRIVATE KEY-----\nMIIE{}\n", "x".repeat(80)),
            "-----BEGIN PRIVATE KEY".to_owned(),
            "-----BEGIN ".repeat(1000),
        ] {
            assert_eq!(labels(&text), [""; 0], "{text}");
        }
    }
}
