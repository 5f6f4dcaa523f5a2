//! `occ` at a terminal: what it shows, what is typed.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::running::DEADLINE;

const BEAT: Duration = Duration::from_millis(5);

/// A program at a terminal of 100 columns and 30 rows; dropped, it is killed.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    keyboard: File,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Starts a command with a terminal as its input, output and controlling terminal.
    pub(crate) fn start(command: &Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("a terminal of ours");
        unlockpt(&master).expect("an open terminal");
        let name = ptsname(&master, Vec::new()).expect("a terminal's name");
        let size = Winsize { ws_row: 30, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).expect("a size");
        let end = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
        let end = File::from(end.expect("the terminal's other end"));
        let other = || Stdio::from(end.try_clone().expect("a file"));

        // setsid(1) makes it the controlling terminal, so that Ctrl-C is what it is for a person.
        let mut session = Command::new("setsid");
        session.arg("--ctty").arg("--wait").arg(command.get_program()).args(command.get_args());
        session.env_clear();
        session.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        session.env("TERM", "xterm");
        if let Some(folder) = command.get_current_dir() {
            session.current_dir(folder);
        }
        session.stdin(other()).stdout(other()).stderr(other());
        let child = session.spawn().expect("setsid of util-linux");
        drop(session);
        drop(end);

        let keyboard = File::from(master);
        let mut screen = keyboard.try_clone().expect("a file");
        let shown = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&shown);
        thread::spawn(move || {
            let mut piece = [0_u8; 4096];
            // The last program to leave a terminal ends it with an error, not with an end of file.
            while let Ok(count @ 1..) = screen.read(&mut piece) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&piece[..count]);
            }
        });
        Self { child, keyboard, shown }
    }

    /// Returns everything shown so far, with the terminal's own control characters.
    pub fn shown(&self) -> String {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// Waits until this text is shown; panics after a minute.
    #[track_caller]
    pub fn until(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.shown().contains(text) {
            assert!(Instant::now() < deadline, "{text:?} is not shown:\n{}", self.shown());
            thread::sleep(BEAT);
        }
    }

    /// Types; `\r` is the enter key, `\u{3}` is Ctrl-C, `\u{4}` the end of input.
    pub fn enter(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("a terminal to type at");
    }

    /// Waits for the end and returns the exit code with everything shown.
    #[track_caller]
    pub fn finish(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be asked") {
                // What was written last may still be on its way.
                thread::sleep(Duration::from_millis(50));
                return (status.code(), self.shown());
            }
            assert!(Instant::now() < deadline, "no end at the terminal:\n{}", self.shown());
            thread::sleep(BEAT);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}
