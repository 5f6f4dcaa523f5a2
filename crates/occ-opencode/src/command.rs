//! Shell commands with an exit code, which opencode's own call does not have.

use std::hash::{BuildHasher as _, RandomState};

use crate::{Client, Error, SessionId};

/// A shell command that ran to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Both output streams as one text.
    pub output: String,
    /// Exit code, as a shell tells it: 128 and the signal's number for what a signal ended.
    pub code: u8,
}

impl Client {
    /// Runs a POSIX shell command in a session and waits for its end; needs no model and no key.
    ///
    /// The server says `completed` for commands that fail too. So the command runs in a shell of its own, and
    /// what started it prints the code on a last line that nobody can guess.
    ///
    /// # Errors
    /// [`Error::NoExitCode`] where the answer does not end with that line, and all of [`Client::shell`].
    pub async fn command(&self, session: &SessionId, command: &str) -> Result<Finished, Error> {
        let mark = format!("exit-{:016x}", RandomState::new().hash_one(command));
        // The server puts what comes from two streams together in any order.
        let wrapped = format!("sh -c {} 2>&1; printf '\\n{mark} %s\\n' \"$?\"", quoted(command));
        let said = self.shell(session, &wrapped).await?;
        finished(&said.output, &mark)
            .ok_or_else(|| Error::NoExitCode { status: said.status, output: said.output.clone() })
    }
}

/// Splits an output into what the command said and the code on the line with the mark.
fn finished(output: &str, mark: &str) -> Option<Finished> {
    let (output, last) = output.rsplit_once(&format!("\n{mark} "))?;
    let code = last.trim_end().parse().ok()?;
    Some(Finished { output: output.to_owned(), code })
}

/// Writes a text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_on_the_last_line_and_the_rest_is_the_commands() {
        let said = finished("a\nb\n\nexit-1 3\n", "exit-1").expect("a code");
        assert_eq!((said.output.as_str(), said.code), ("a\nb\n", 3));
        let said = finished("\nexit-1 0", "exit-1").expect("a code");
        assert_eq!((said.output.as_str(), said.code), ("", 0));
    }

    #[test]
    fn an_output_without_the_line_has_no_code() {
        for output in ["", "done", "\nexit-2 0\n", "\nexit-1 \n", "\nexit-1 256\n", "exit-1 0\n"] {
            assert_eq!(finished(output, "exit-1"), None, "{output:?}");
        }
    }

    #[test]
    fn a_word_keeps_its_quotes() {
        assert_eq!(quoted("it's $x"), r"'it'\''s $x'");
    }
}
