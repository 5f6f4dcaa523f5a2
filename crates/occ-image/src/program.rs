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
/// How often when a disk is about to be full: where a program fails for want of room and cleans up, there is
/// room again a moment later.
const SHORT_PAUSE: Duration = Duration::from_millis(2);
/// How long a program may clean up after it was asked to stop.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for the last lines of a program that ended.
const LAST_LINES: Duration = Duration::from_secs(2);
/// With less than this left, bytes, a disk counts as full.
const FULL: u64 = 1 << 20;
/// With less than this left, bytes, a disk may be full at any moment.
const NEARLY_FULL: u64 = 64 << 20;

/// A program about to run.
pub(crate) struct Program<'a> {
    command: Command,
    name: PathBuf,
    package: &'static str,
    cancel: &'a AtomicBool,
    disks: Vec<PathBuf>,
    cannot_write: Option<i32>,
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
        Self {
            command,
            name: name.to_owned(),
            package,
            cancel,
            disks: Vec::new(),
            cannot_write: None,
        }
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

    /// Names the exit code with which it says that it cannot write.
    pub(crate) fn cannot_write_is(mut self, code: i32) -> Self {
        self.cannot_write = Some(code);
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
        let says_so = self.cannot_write.is_some() && self.cannot_write == ended.status.code();
        let full = ended.full.or_else(|| self.disks.first().filter(|_| says_so).cloned());
        if let Some(path) = full {
            return Err(BuildError::StorageFull { path });
        }
        Err(BuildError::ProgramFailed {
            name: self.name.display().to_string(),
            status: ended.status.to_string(),
            tail: ended.tail.into(),
        })
    }

    /// Returns the first folder it writes to whose disk has less room than this, in bytes.
    fn has_less_than(&self, room: u64) -> Option<&PathBuf> {
        self.disks.iter().find(|disk| room_at(disk).is_some_and(|left| left < room))
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
            let pause = if self.has_less_than(NEARLY_FULL).is_some() { SHORT_PAUSE } else { PAUSE };
            let news = lines.recv_timeout(pause);
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
                None if silent => thread::sleep(pause),
                None => {}
            }
            // Looked at before it can clean up: afterwards there is room again.
            full = full.or_else(|| self.has_less_than(FULL).cloned());
            match asked_at {
                None if self.cancel.load(Ordering::Relaxed) => {
                    signal(child, Signal::TERM);
                    asked_at = Some(Instant::now());
                }
                Some(at) if at.elapsed() > PATIENCE => signal(child, Signal::KILL),
                _ => {}
            }
            if let Some(status) = child.try_wait()? {
                // The last thing it did may have filled the disk.
                full = full.or_else(|| self.has_less_than(FULL).cloned());
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

/// Returns the room on the disk of a folder, in bytes.
fn room_at(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

impl BuildError {
    /// Returns the error of a program that had so many bytes still to bring to a folder: where there is no
    /// room for them, that is why it failed.
    pub(crate) fn or_full(self, folder: &Path, missing: u64) -> Self {
        match self {
            Self::ProgramFailed { .. } if room_at(folder).is_some_and(|room| room < missing) => {
                Self::StorageFull { path: folder.to_owned() }
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use occ_testkit::SmallDisk;
    use tempfile::TempDir;

    use super::*;

    fn run(folder: &Path, script: &str) -> BuildError {
        let never = AtomicBool::new(false);
        let program = Program::new(Path::new("sh"), "dash", &never);
        let program = program.with(|command| {
            command.current_dir(folder).args(["-c", script]);
        });
        program.writes_to(folder).cannot_write_is(23).run(|_, _| ()).unwrap_err()
    }

    fn is_full(error: &BuildError, folder: &Path) -> bool {
        matches!(error, BuildError::StorageFull { path } if path == folder)
    }

    #[test]
    fn a_program_that_fails_on_a_full_disk_failed_for_want_of_room() {
        let folder = TempDir::new().unwrap();
        let _disk = SmallDisk::mount(folder.path(), "4m");
        let failed = |script| run(folder.path(), script);
        assert!(matches!(failed("exit 1"), BuildError::ProgramFailed { .. }));
        assert!(is_full(&failed("exit 23"), folder.path()), "it says so itself");
        // It ends at once: nobody could have looked before.
        assert!(is_full(&failed("head -c 9000000 /dev/zero >x"), folder.path()));
    }

    #[test]
    fn a_program_that_failed_with_more_to_come_than_there_is_room_for_failed_for_want_of_it() {
        let folder = TempDir::new().unwrap();
        let _disk = SmallDisk::mount(folder.path(), "4m");
        let failed = || run(folder.path(), "exit 1");
        assert!(is_full(&failed().or_full(folder.path(), 9_000_000), folder.path()));
        let other = failed().or_full(folder.path(), 3_000_000);
        assert!(matches!(other, BuildError::ProgramFailed { .. }), "{other:?}");
        let cancelled = BuildError::Cancelled.or_full(folder.path(), 9_000_000);
        assert!(matches!(cancelled, BuildError::Cancelled), "{cancelled:?}");
    }
}
