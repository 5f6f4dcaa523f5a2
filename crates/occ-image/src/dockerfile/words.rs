//! Words in a Dockerfile: quoted for the shell behind RUN, or for Docker itself.

use super::UnwritableText;

/// Returns a word as the shell wants it. Docker expands nothing in RUN.
pub(super) fn shell(word: &str) -> Result<String, UnwritableText> {
    on_one_line(word)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@+,%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return Ok(word.to_owned());
    }
    Ok(format!("'{}'", word.replace('\'', r"'\''")))
}

/// Returns a value as ENV and LABEL want it: without variables in it.
pub(super) fn docker(value: &str) -> Result<String, UnwritableText> {
    on_one_line(value)?;
    let escaped = value.replace('\\', r"\\").replace('"', "\\\"").replace('$', r"\$");
    Ok(format!("\"{escaped}\""))
}

/// Returns a text for a comment or a file of lines.
pub(super) fn on_one_line(text: &str) -> Result<&str, UnwritableText> {
    if text.contains(char::is_control) { Err(UnwritableText(text.to_owned())) } else { Ok(text) }
}

/// Returns one instruction of several commands, each of which has to succeed.
pub(super) fn run(commands: &[String]) -> String {
    format!("RUN {}\n", commands.join(" \\\n && "))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_shell_reads_every_word_as_it_was(word in "[^\\p{Cc}]{0,12}|[ '\"$\\\\;&|`*~#-]{0,6}") {
            let script = format!("printf %s {}", shell(&word).unwrap());
            let printed = Command::new("sh").args(["-c", &script]).output().unwrap();
            prop_assert_eq!(String::from_utf8(printed.stdout).unwrap(), word);
        }
    }

    #[test]
    fn what_would_end_a_line_is_refused() {
        for text in ["a\nRUN evil", "a\rb", "\0", "\u{85}"] {
            assert_eq!(shell(text), Err(UnwritableText(text.to_owned())));
            assert_eq!(docker(text), Err(UnwritableText(text.to_owned())));
        }
        assert_eq!(docker(r#"{"*":"$a\"}"#).unwrap(), r#""{\"*\":\"\$a\\\"}""#);
    }
}
