//! A program under way: what it says so far, signals, its end.

use std::io::{Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::run::Run;

/// How long a program may take unless a test says otherwise: two builds of the image from nothing.
pub(crate) const DEADLINE: Duration = Duration::from_secs(240);
const BEAT: Duration = Duration::from_millis(5);

/// A program under way; dropped, it is killed with everything it started.
#[derive(Debug)]
pub struct Running {
    what: String,
    child: Child,
    begun: Instant,
    stdout: Stream,
    stderr: Stream,
    ended: Option<ExitStatus>,
}

impl Running {
    /// Starts a command with this standard input, in a process group of its own.
    pub fn start(mut command: Command, stdin: &[u8]) -> Self {
        let what = format!("{command:?}");
        let what = what.rsplit_once("occ\" ").map_or(what.as_str(), |(_, rest)| rest).to_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            command.process_group(0).spawn().unwrap_or_else(|error| panic!("{what}: {error}"));
        // A program that does not read its input is its own business.
        drop(child.stdin.take().expect("piped").write_all(stdin));
        let stdout = Stream::read(child.stdout.take().expect("piped"));
        let stderr = Stream::read(child.stderr.take().expect("piped"));
        Self { what, child, begun: Instant::now(), stdout, stderr, ended: None }
    }

    /// Returns the process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns what it has written to standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Waits until either stream has this text; panics when the program ends before, or after a
    /// minute.
    #[track_caller]
    pub fn until(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let ended = self.poll().is_some();
            let (out, err) = (self.stdout.text(), self.stderr.text());
            if out.contains(text) || err.contains(text) {
                return;
            }
            let what = &self.what;
            assert!(!ended, "{text:?} is not said by {what}, which has ended:\n{out}{err}");
            assert!(Instant::now() < deadline, "{text:?} is not said by {what}:\n{out}{err}");
            thread::sleep(BEAT);
        }
    }

    /// Does what Ctrl-C does: interrupts the program and everything it started.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    fn signal(&self, signal: Signal) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // A group that has ended hears nothing, and needs not.
        let _gone = kill_process_group(group.expect("a process has an id"), signal);
    }

    fn poll(&mut self) -> Option<ExitStatus> {
        self.ended = self.ended.or_else(|| self.child.try_wait().expect("a child can be asked"));
        self.ended
    }

    /// Waits for the end.
    #[track_caller]
    #[must_use = "what a program did is to be looked at: success(), code()"]
    pub fn finish(self) -> Run {
        self.finish_within(DEADLINE)
    }

    /// Waits for the end; panics when it does not come in time.
    #[track_caller]
    #[must_use = "what a program did is to be looked at: success(), code()"]
    pub fn finish_within(mut self, limit: Duration) -> Run {
        let deadline = Instant::now() + limit;
        let status = loop {
            if let Some(status) = self.poll() {
                break status;
            }
            if Instant::now() > deadline {
                self.signal(Signal::KILL);
                let (what, said) = (&self.what, self.stderr.text());
                panic!("{what} did not end within {limit:?}:\n{said}");
            }
            thread::sleep(BEAT);
        };
        let took = self.begun.elapsed();
        Run {
            what: self.what.clone(),
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout.whole(),
            stderr: self.stderr.whole(),
            took,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.poll().is_none() {
            self.signal(Signal::KILL);
            drop(self.child.wait());
        }
    }
}

/// One stream of a program, read beside.
#[derive(Debug)]
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Stream {
    fn read(mut from: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut piece = [0_u8; 8192];
            while let Ok(count @ 1..) = from.read(&mut piece) {
                lock(&kept).extend_from_slice(&piece[..count]);
            }
        });
        Self { bytes, reader: Some(reader) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.bytes)).into_owned()
    }

    /// Returns everything; a program that lives on in the background may keep the stream open, so
    /// the wait for its end is short.
    fn whole(&mut self) -> String {
        let deadline = Instant::now() + Duration::from_secs(5);
        while let Some(reader) = &self.reader {
            if reader.is_finished() || Instant::now() > deadline {
                self.reader = None;
            } else {
                thread::sleep(BEAT);
            }
        }
        self.text()
    }
}

fn lock(bytes: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}
