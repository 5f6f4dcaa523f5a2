//! Running other people's programs: their lines as news, their end as a result, no orphans.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::BuildError;

/// Lines that are kept for an error.
const TAIL: usize = 15;
/// How often a running program is looked at.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a program may clean up after it was asked to stop.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for the last lines of a program that ended.
const LAST_LINES: Duration = Duration::from_secs(2);
/// With less than this left, bytes, a disk counts as full.
const FULL: u64 = 1 << 20;

/// A program about to run.
pub(crate) struct Program<'a> {
    command: Command,
    name: PathBuf,
    package: &'static str,
    cancel: &'a AtomicBool,
    disks: Vec<PathBuf>,
}

impl<'a> Program<'a> {
    /// Prepares a program that Debian has in `package`.
    pub(crate) fn new(name: &Path, package: &'static str, cancel: &'a AtomicBool) -> Self {
        let mut command = Command::new(name);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env("LC_ALL", "C.UTF-8")
            // A group of its own, so that its children are stopped with it, by us and after cleaning up.
            .process_group(0);
        Self { command, name: name.to_owned(), package, cancel, disks: Vec::new() }
    }

    /// Sets arguments, environment and folder.
    pub(crate) fn with(mut self, set: impl FnOnce(&mut Command)) -> Self {
        set(&mut self.command);
        self
    }

    /// Names a folder it writes to: when it fails and the disk there was full, that is the reason.
    pub(crate) fn writes_to(mut self, folder: &Path) -> Self {
        self.disks.push(folder.to_owned());
        self
    }

    /// Runs to the end and returns what it wrote to standard output.
    pub(crate) fn output(self) -> Result<String, BuildError> {
        let mut output = String::new();
        self.run(|stream, line| {
            if stream == Stream::Out {
                output.push_str(line);
                output.push('\n');
            }
        })?;
        Ok(output)
    }

    /// Runs to the end and hands every line to `each`.
    pub(crate) fn run(mut self, mut each: impl FnMut(Stream, &str)) -> Result<(), BuildError> {
        let mut child = self.command.spawn().map_err(|error| self.not_started(error))?;
        let (send, lines) = channel();
        // Both threads end with the pipes. They are not waited for, because a stray child that made itself
        // a daemon could keep the pipes open for ever.
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let also = send.clone();
        thread::spawn(move || forward(out, Stream::Out, &also));
        thread::spawn(move || forward(err, Stream::Err, &send));
        let ended =
            self.watch(&mut child, &lines, &mut each).map_err(BuildError::at(&self.name))?;
        if self.cancel.load(Ordering::Relaxed) {
            return Err(BuildError::Cancelled);
        }
        if ended.status.success() {
            return Ok(());
        }
        if let Some(path) = ended.full {
            return Err(BuildError::StorageFull { path });
        }
        Err(BuildError::ProgramFailed {
            name: self.name.display().to_string(),
            status: ended.status.to_string(),
            tail: ended.tail.into(),
        })
    }

    fn not_started(&self, error: io::Error) -> BuildError {
        if error.kind() == io::ErrorKind::NotFound {
            let name = self.name.display().to_string();
            return BuildError::MissingProgram { name, package: self.package };
        }
        BuildError::at(&self.name)(error)
    }

    /// Follows a running program to its end, or brings the end about.
    fn watch(
        &self,
        child: &mut Child,
        lines: &Receiver<(Stream, String)>,
        each: &mut impl FnMut(Stream, &str),
    ) -> io::Result<Ended> {
        let mut tail = VecDeque::new();
        let mut full = None;
        let mut asked_at: Option<Instant> = None;
        let mut over: Option<(ExitStatus, Instant)> = None;
        loop {
            let news = lines.recv_timeout(PAUSE);
            let silent = matches!(news, Err(RecvTimeoutError::Disconnected));
            if let Ok((stream, line)) = news {
                each(stream, &line);
                if tail.len() == TAIL {
                    tail.pop_front();
                }
                tail.push_back(line);
            }
            match over {
                Some((status, at)) if silent || at.elapsed() > LAST_LINES => {
                    return Ok(Ended { status, tail, full });
                }
                Some(_) => continue,
                None if silent => thread::sleep(PAUSE),
                None => {}
            }
            // Looked at before it can clean up: afterwards there is room again.
            full = full.or_else(|| self.disks.iter().find(|disk| is_full(disk)).cloned());
            match asked_at {
                None if self.cancel.load(Ordering::Relaxed) => {
                    signal(child, Signal::TERM);
                    asked_at = Some(Instant::now());
                }
                Some(at) if at.elapsed() > PATIENCE => signal(child, Signal::KILL),
                _ => {}
            }
            if let Some(status) = child.try_wait()? {
                // Whatever it left behind has no one to report to.
                signal(child, Signal::KILL);
                over = Some((status, Instant::now()));
            }
        }
    }
}

/// How a program ended.
struct Ended {
    status: ExitStatus,
    tail: VecDeque<String>,
    full: Option<PathBuf>,
}

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

fn forward(pipe: Option<impl Read>, stream: Stream, lines: &Sender<(Stream, String)>) {
    let Some(pipe) = pipe else { return };
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    // A broken pipe here is the program's end, which the other side reports.
    while reader.read_until(b'\n', &mut line).is_ok_and(|taken| taken > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if !text.is_empty() && lines.send((stream, text)).is_err() {
            return;
        }
        line.clear();
    }
}

fn signal(child: &Child, signal: Signal) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It fails only when nobody is left in the group, which is what is wanted.
        kill_process_group(group, signal).ok();
    }
}

fn is_full(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < FULL)
}
