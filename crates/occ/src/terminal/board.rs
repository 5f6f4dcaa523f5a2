//! A result that is shown again and again: drawn in its place on a terminal, told at every change elsewhere.

use std::io::{self, IsTerminal as _};

use serde_json::{Value, json};

use super::Terminal;
use crate::failure::Failure;

/// Moves to the upper left corner.
const HOME: &str = "\u{1b}[H";
/// Erases from the cursor to the end of its line, and to the end of the screen.
const REST_OF_LINE: &str = "\u{1b}[K";
const REST_OF_SCREEN: &str = "\u{1b}[J";
/// Erases the whole screen.
const SCREEN: &str = "\u{1b}[2J";

/// Where a watched result is shown.
pub(crate) struct Board<'a> {
    terminal: &'a Terminal,
    drawn: bool,
    last: Option<Value>,
}

impl<'a> Board<'a> {
    /// Returns an empty board.
    pub(crate) fn new(terminal: &'a Terminal) -> Self {
        let drawn = !terminal.json && io::stdout().is_terminal();
        Self { terminal, drawn, last: None }
    }

    /// Shows a result; `steady` is what of it counts as a change. Returns whether anybody still reads.
    pub(crate) fn show(
        &mut self,
        schema: &str,
        steady: &Value,
        data: &Value,
        text: &str,
    ) -> Result<bool, Failure> {
        let first = self.last.is_none();
        let changed = self.last.as_ref() != Some(steady);
        self.last = Some(steady.clone());
        if self.drawn {
            let clean = if first { SCREEN } else { "" };
            let lines = text.replace('\n', &format!("{REST_OF_LINE}\n"));
            return self.terminal.bytes(format!("{clean}{HOME}{lines}{REST_OF_SCREEN}").as_bytes());
        }
        if !changed {
            return Ok(true);
        }
        if self.terminal.json {
            let line = json!({ "schema": schema, "version": 1, "data": data });
            return self.terminal.bytes(format!("{line}\n").as_bytes());
        }
        let gap = if first { "" } else { "\n" };
        self.terminal.bytes(format!("{gap}{text}").as_bytes())
    }
}
