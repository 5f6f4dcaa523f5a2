//! Questions to a person: one line typed, one answer. Ctrl-C, Ctrl-D and Escape end the command.

use std::io::{self, Write as _};

use occ_sandbox::{Cancel, Password};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::{Terminal, people};
use crate::failure::Failure;

const ESCAPE: char = '\u{1b}';

impl Terminal {
    /// Asks a yes-or-no question; anything but a clear yes or no gives the default.
    pub(crate) async fn confirm(
        &self,
        question: &str,
        default: bool,
        cancel: &Cancel,
    ) -> Result<bool, Failure> {
        let choices = if default { "[Y/n]" } else { "[y/N]" };
        let answer = self.line(&format!("{question} {choices}"), cancel).await?;
        Ok(match answer.to_ascii_lowercase().as_str() {
            "y" | "yes" => true,
            "n" | "no" => false,
            _ => default,
        })
    }

    /// Lets a person choose one of several things by its number; returns its place, from 0.
    pub(crate) async fn choose(
        &self,
        question: &str,
        options: &[&str],
        default: usize,
        cancel: &Cancel,
    ) -> Result<usize, Failure> {
        people(&self.typed(question));
        for (index, option) in options.iter().enumerate() {
            people(&format!("  {}. {option}", index + 1));
        }
        loop {
            let answer = self.line(&format!("Choose [{}]:", default + 1), cancel).await?;
            match answer.parse::<usize>() {
                _ if answer.is_empty() => return Ok(default),
                Ok(number) if (1..=options.len()).contains(&number) => return Ok(number - 1),
                _ => people(&format!("A number from 1 to {} is expected", options.len())),
            }
        }
    }

    /// Asks for one line; returns it without spaces around it.
    pub(crate) async fn line(&self, question: &str, cancel: &Cancel) -> Result<String, Failure> {
        prompt(&self.typed(question));
        Ok(typed(cancel).await?.trim().to_owned())
    }

    /// Returns everything on standard input.
    #[expect(clippy::unused_self, reason = "input goes through the terminal only")]
    pub(crate) fn input(&self) -> Result<String, Failure> {
        Ok(io::read_to_string(io::stdin())?)
    }

    /// Asks for one line that is not shown.
    pub(crate) async fn secret(
        &self,
        question: &str,
        cancel: &Cancel,
    ) -> Result<Password, Failure> {
        // First, so that whoever types at once is not seen either.
        let _hidden = Hidden::begin()?;
        prompt(question);
        let line = typed(cancel).await?;
        Ok(Password::from(line.trim_end_matches(['\n', '\r'])))
    }
}

fn prompt(question: &str) {
    let mut err = io::stderr().lock();
    // A broken terminal shows when its answer is read.
    drop(write!(err, "{question} ").and_then(|()| err.flush()));
}

/// Waits for a line on a thread of its own, so that Ctrl-C is heard meanwhile.
async fn typed(cancel: &Cancel) -> Result<String, Failure> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|count| (count, line))
    });
    let (count, line) = tokio::select! {
        biased;
        () = cancel.cancelled() => {
            people("");
            return Err(Failure::interrupted());
        }
        read = read => read.expect("reading does not panic")?,
    };
    if count == 0 || line.trim_end() == ESCAPE.to_string() {
        people("");
        return Err(Failure::interrupted());
    }
    Ok(line)
}

/// A terminal that does not show what is typed; dropped, it does again.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> io::Result<Self> {
        let shown = tcgetattr(io::stdin())?;
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        // The end of the line is still to be seen.
        hidden.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
        Ok(Self(shown))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that has gone has nothing to show.
        let _gone = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
