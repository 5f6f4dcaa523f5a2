//! The assertions, each with its name and its sentence.

/// What belongs together, and is skipped together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// The container, looked at from inside.
    Inside,
    /// The server as a whole.
    Server,
    /// A session with commands and files.
    Session,
    /// A terminal, as the web page has it.
    Terminal,
    /// A model that answers, fails and hangs.
    Model,
    /// The end and the next beginning.
    Life,
}

impl Group {
    /// Returns the name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inside => "inside",
            Self::Server => "server",
            Self::Session => "session",
            Self::Terminal => "terminal",
            Self::Model => "model",
            Self::Life => "life",
        }
    }
}

macro_rules! checks {
    ($($variant:ident, $group:ident, $name:literal, $sentence:literal;)*) => {
        /// One assertion.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Check {
            $(#[doc = concat!("`", $name, "`: ", $sentence, ".")] $variant,)*
        }

        impl Check {
            /// All of them, in the order of the report.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the name, unique and stable.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Returns what is asserted, as a sentence without its stop.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence),* }
            }

            /// Returns what it belongs to.
            pub const fn group(self) -> Group {
                match self { $(Self::$variant => Group::$group),* }
            }
        }
    };
}

checks! {
    Version, Inside, "version", "the program says the pinned version";
    Binary, Inside, "binary", "the program is the one that the image was built with, byte for byte";
    User, Inside, "user", "commands run as the sandbox's user, who is not root";
    Tools, Inside, "tools", "git, ripgrep and tini are there";
    Init, Inside, "init", "process 1 passes signals on and reaps";
    OneServer, Inside, "one-server", "one server works on the data";
    Ready, Server, "ready", "health, an instance and the event stream answer, in the pinned version";
    Locked, Server, "locked", "no page opens without the password";
    LockedTerminal, Server, "locked-terminal", "no terminal opens without the password";
    Interface, Server, "interface", "the interface describes itself";
    WebPage, Server, "web-page", "the web page is in the program";
    Answers, Server, "answers", "every part of the interface answers with JSON";
    Policy, Server, "policy", "the managed configuration is in force";
    UnknownPath, Server, "unknown-path", "a path that does not exist is told by its content type";
    SessionBegins, Session, "session", "a session begins and is listed";
    Announced, Session, "announced", "the event stream tells of the session";
    Command, Session, "command", "a command runs in the workspace as the sandbox's user";
    ExitCode, Session, "exit-code", "a command that fails is told from one that succeeds";
    Variables, Session, "variables", "a command's variables are left to its shell";
    Secret, Session, "secret", "commands are not given the server's password";
    Git, Session, "git", "a command can use git";
    FileRead, Session, "file-read", "a file that a command wrote is read back as it was written";
    FileList, Session, "file-list", "the file is listed";
    FileSearch, Session, "file-search", "the file is found by its text";
    FileMissing, Session, "file-missing", "a file that does not exist is told from an empty one";
    FileOutside, Session, "file-outside", "a path that leads out of the folder is refused";
    NoAgent, Session, "no-agent", "a command without an agent is refused with 400";
    NoSession, Session, "no-session", "a session that does not exist is answered with 404";
    Busy, Session, "busy", "a session at work refuses a second command with 409";
    Idle, Session, "idle", "the event stream tells that the session is idle again";
    SessionEnds, Session, "session-ends", "a session that was deleted is gone";
    TerminalComputes, Terminal, "terminal", "a terminal starts, computes and ends";
    ModelStarts, Model, "model-starts", "the model that comes with occ can be asked from inside";
    Prompt, Model, "prompt", "a prompt is answered, and tokens are counted";
    ToolCall, Model, "tool", "a tool that the model calls runs, and its file is there";
    ModelFails, Model, "model-fails", "a model's failure is told inside the success";
    Abort, Model, "abort", "a prompt that hangs is aborted";
    Outside, Model, "outside", "a tool that looks outside the project waits for nobody";
    ModelLog, Model, "model-log", "every request to the model has the key, the model's name and streaming";
    Stops, Life, "stops", "it stops within three seconds, by the signal";
    Survives, Life, "survives", "a new start on the same data lists the same sessions";
    Integrity, Life, "integrity", "the database is sound";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_in_the_order_of_their_groups() {
        let names: BTreeSet<&str> = Check::ALL.iter().map(|check| check.name()).collect();
        assert_eq!(names.len(), Check::ALL.len());
        assert!(Check::ALL.iter().map(|check| check.group()).is_sorted());
    }
}
