//! The password: generated, typed twice, or read from a file. Never an argument: anybody on the machine can
//! see those.

use std::path::PathBuf;

use clap::Args;
use occ_image::guest;
use occ_sandbox::{Password, generate_password};

use crate::context::Context;
use crate::failure::Failure;

/// Ways to name a password on the command line.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct PasswordArgs {
    /// Generate a password
    #[arg(long)]
    generate_password: bool,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// Read the password from a file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// What happens to the password.
#[derive(Debug)]
pub(super) enum Change {
    /// It stays as it is.
    Keep,
    /// A new one is made.
    Generate,
    /// This one is taken.
    Take(Password),
}

const MECHANISM: &str = "24 letters and digits from the system's random source";

impl Change {
    /// Returns the line for the summary; no password is ever in it.
    pub(super) fn summary(&self) -> String {
        match self {
            Self::Keep => "******** (as it is)".to_owned(),
            Self::Generate => format!("******** (generated: {MECHANISM})"),
            Self::Take(_) => "******** (new)".to_owned(),
        }
    }

    /// Returns the new password, if there is to be one.
    pub(super) fn password(self) -> Result<Option<Password>, Failure> {
        Ok(match self {
            Self::Keep => None,
            Self::Generate => Some(generate_password()?),
            Self::Take(password) => Some(password),
        })
    }
}

impl PasswordArgs {
    /// Returns what flags say, if they do.
    pub(super) fn change(&self, context: &Context) -> Result<Option<Change>, Failure> {
        if self.generate_password {
            return Ok(Some(Change::Generate));
        }
        let text = if self.password_stdin {
            context.terminal.input()?
        } else if let Some(path) = &self.password_file {
            std::fs::read_to_string(path).map_err(|error| {
                let failure = Failure::usage(format!("cannot read {}", path.display()));
                Failure { causes: vec![error.to_string()], ..failure }
            })?
        } else {
            return Ok(None);
        };
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        usable(text).map_err(Failure::usage)?;
        Ok(Some(Change::Take(Password::from(text))))
    }
}

/// Says what is wrong with a password, if something is.
fn usable(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("the password is empty");
    }
    if text.chars().any(char::is_control) {
        return Err("the password has a line break or another control character in it");
    }
    Ok(())
}

/// Asks what happens to the password.
pub(super) async fn ask(known: bool, context: &Context) -> Result<Change, Failure> {
    let terminal = &context.terminal;
    let user = guest::USER;
    terminal.say(&format!("Whoever connects needs the user {user} and this password."));
    let generate = format!("Generate one ({MECHANISM})");
    let mut options = vec![generate.as_str(), "Type one"];
    options.extend(known.then_some("Keep the one there is"));
    let default = if known { 2 } else { 0 };
    match terminal.choose("Which password?", &options, default, &context.cancel).await? {
        0 => Ok(Change::Generate),
        1 => Ok(Change::Take(typed(context).await?)),
        _ => Ok(Change::Keep),
    }
}

/// Lets a person type a new password, twice the same.
pub(in crate::commands) async fn typed(context: &Context) -> Result<Password, Failure> {
    let terminal = &context.terminal;
    loop {
        let first = terminal.secret("Password:", &context.cancel).await?;
        if let Err(why) = usable(first.expose()) {
            terminal.warn(why);
            continue;
        }
        let second = terminal.secret("The same again:", &context.cancel).await?;
        if first == second {
            return Ok(first);
        }
        terminal.warn("the two are not the same");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pw_006_any_password_will_do_that_is_one_line_and_not_empty() {
        for text in ["x", "päss wörd", "$`'\""] {
            assert_eq!(usable(text), Ok(()), "{text:?}");
        }
        for text in ["", "a\nb", "\u{1b}"] {
            assert!(usable(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn pw_004_the_summary_never_shows_a_password() {
        let change = Change::Take(Password::from("geheim"));
        assert_eq!(change.summary(), "******** (new)");
        assert!(Change::Generate.summary().contains("24 letters and digits"));
    }
}
