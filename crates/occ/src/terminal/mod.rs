//! The one place that prints: results to standard output, everything for people to standard error.

mod ask;
mod board;
mod columns;
mod progress;

use std::io::{self, IsTerminal as _, Write as _};

use serde_json::{Value, json};

pub(crate) use self::board::Board;
pub(crate) use self::columns::columns;
pub(crate) use self::progress::Progress;
use crate::addressing::Addressing;
use crate::cli::{Global, ProgressMode, When};
use crate::exit::Exit;
use crate::failure::Failure;

/// How much is said to people; results are not concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Talk {
    Nothing,
    Normal,
    More,
}

/// The way to people and programs.
#[derive(Debug, Clone)]
pub(crate) struct Terminal {
    json: bool,
    talk: Talk,
    color: bool,
    progress: ProgressMode,
    addressing: Addressing,
}

impl Terminal {
    /// Decides once what is shown and how.
    pub(crate) fn new(global: &Global, no_color: bool) -> Self {
        let people = io::stderr().is_terminal();
        let progress = match global.progress {
            _ if global.quiet => ProgressMode::None,
            ProgressMode::Auto if people => ProgressMode::Bar,
            ProgressMode::Auto => ProgressMode::Plain,
            chosen => chosen,
        };
        let color = match global.color {
            When::Always => true,
            When::Never => false,
            When::Auto => people && !no_color,
        };
        let talk = match (global.quiet, global.verbose) {
            (true, _) => Talk::Nothing,
            (false, false) => Talk::Normal,
            (false, true) => Talk::More,
        };
        Self { json: global.json, talk, color, progress, addressing: Addressing::default() }
    }

    /// Returns whether results are wanted as JSON.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// Returns whether only results are wanted.
    pub(crate) fn quiet(&self) -> bool {
        self.talk == Talk::Nothing
    }

    /// Returns whether a person can be asked: both sides must be there.
    pub(crate) fn can_ask(&self) -> bool {
        !self.quiet() && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Prints a result: the JSON form in its envelope, or the text, as wanted.
    pub(crate) fn result(&self, schema: &str, data: &Value, text: &str) -> Result<(), Failure> {
        if self.json {
            self.envelope(&json!({ "schema": schema, "version": 1, "data": data }))
        } else {
            self.print(text)
        }
    }

    fn envelope(&self, value: &Value) -> Result<(), Failure> {
        self.print(&format!("{value:#}\n"))
    }

    /// Prints text as it is; nobody reading any more is no failure.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes()).map(drop)
    }

    /// Prints bytes as they are; returns whether anybody still reads.
    #[expect(clippy::unused_self, reason = "printing goes through the terminal only")]
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<bool, Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => {
                let failure = Failure::of(Exit::Failed, &error);
                Err(Failure { message: "cannot write the result".to_owned(), ..failure })
            }
        }
    }

    /// Tells a person something.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet() {
            people(&self.addressing.typed(text));
        }
    }

    /// Warns a person.
    pub(crate) fn warn(&self, text: &str) {
        self.say(&format!("{}: {text}", self.paint("33", "warning")));
    }

    /// Has the commands that people are told to type speak of a sandbox from now on.
    pub(crate) fn speak_of(&mut self, addressing: Addressing) {
        self.addressing = addressing;
    }

    /// Returns a text whose commands can be typed as they stand.
    pub(crate) fn typed(&self, text: &str) -> String {
        self.addressing.typed(text)
    }

    /// Reports a failure and returns its exit code.
    pub(crate) fn failure(&self, failure: Failure) -> Exit {
        let failure = failure.addressed(&self.addressing);
        if self.json {
            let error = json!({ "schema": "occ/error", "version": 1, "error": failure.json() });
            // The failure to report is the one that counts.
            drop(self.envelope(&error));
        }
        let text = failure.render();
        let text = match text.strip_prefix("error") {
            Some(rest) => format!("{}{rest}", self.paint("31", "error")),
            None => text,
        };
        people(text.trim_end());
        failure.exit
    }

    /// Returns a way to show progress.
    pub(crate) fn progress(&self) -> Progress {
        Progress::new(self.progress, self.talk == Talk::More)
    }

    /// Paints a word, where colours are wanted.
    pub(crate) fn paint(&self, code: &str, word: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{word}\u{1b}[0m") } else { word.to_owned() }
    }
}

/// Writes one line to standard error; that nobody reads it is no reason to fail.
pub(super) fn people(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}
