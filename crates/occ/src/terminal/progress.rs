//! Progress: bars on a terminal, lines elsewhere, JSON lines for programs.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use occ_engine::Event as Transfer;
use occ_image::Event as Build;
use occ_sandbox::{Event, Step};
use serde_json::json;

use super::people;
use crate::cli::ProgressMode;

/// A line at most this often about the same work.
const PATIENCE: Duration = Duration::from_secs(10);

/// Shows what goes on.
pub(crate) struct Progress {
    mode: ProgressMode,
    verbose: bool,
    state: Mutex<State>,
}

struct State {
    bar: Option<ProgressBar>,
    begun: Instant,
    said: Instant,
    title: String,
}

/// What is to be shown now.
struct Now {
    text: String,
    bytes: Option<(u64, u64)>,
    worth: Worth,
}

/// How much it matters that it is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worth {
    /// It may be passed over when something was said a moment ago.
    More,
    /// It is said.
    News,
    /// It is said, and still stands there when the work is over.
    Lasting,
}

impl Now {
    fn news(text: impl Into<String>) -> Self {
        Self { text: text.into(), bytes: None, worth: Worth::News }
    }

    fn lasting(text: impl Into<String>) -> Self {
        Self { text: text.into(), bytes: None, worth: Worth::Lasting }
    }

    fn more(text: impl Into<String>, bytes: Option<(u64, u64)>) -> Self {
        Self { text: text.into(), bytes, worth: Worth::More }
    }
}

impl Progress {
    pub(super) fn new(mode: ProgressMode, verbose: bool) -> Self {
        let now = Instant::now();
        let state = State { bar: None, begun: now, said: now, title: String::new() };
        Self { mode, verbose, state: Mutex::new(state) }
    }

    /// Shows one piece of news.
    pub(crate) fn show(&self, event: &Event) {
        if self.mode == ProgressMode::None {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Event::Begin { step, .. } = event {
            state.begun = Instant::now();
            state.title = title(step);
        }
        let now = self.now(event, &state);
        match self.mode {
            ProgressMode::Bar => draw(&mut state, &now),
            ProgressMode::Json => {
                let (done, total) = now.bytes.unzip();
                people(&json!({ "progress": now.text, "done": done, "total": total }).to_string());
            }
            _ => line(&mut state, &now),
        }
    }

    /// Takes the bar away, so that what follows stands on clean lines.
    pub(crate) fn clear(&self) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn now(&self, event: &Event, state: &State) -> Now {
        match event {
            Event::Begin { step, number, of } => {
                let text = format!("[{number}/{of}] {}", title(step));
                let long = matches!(
                    step,
                    Step::Pull { .. }
                        | Step::Build { .. }
                        | Step::CopyForTrial { .. }
                        | Step::CopyAhead { .. }
                        | Step::PutBack { .. }
                );
                let worth = if long || self.verbose { Worth::News } else { Worth::More };
                Now { text, bytes: None, worth }
            }
            Event::Transfer(transfer) => transfer_now(transfer),
            Event::Build(build) => build_now(build),
            Event::Pulling { name } => Now::news(pulling(name)),
            Event::Verified { said } => Now::lasting(said.clone()),
            Event::Unverified { said } => Now::lasting(format!("warning: {said}")),
            Event::PullFailed { name, why } => Now::lasting(format!("not pulled: {name}: {why}")),
            Event::Fetched { done, total } => Now::more("Pulling the image", Some((*done, *total))),
            Event::Waiting { for_what, .. } => {
                Now::more(format!("{}: waiting for {for_what}", state.title), None)
            }
            Event::OldNotReady { why } => {
                Now::lasting(format!("the sandbox before is back and does not answer: {why}"))
            }
            Event::LeftForLater { why } => {
                Now::lasting(format!("what is left over is ended by the next occ command: {why}"))
            }
            Event::Copied { what, done, total } => Now::more(what.clone(), Some((*done, *total))),
            Event::Undo { what } => Now::lasting(format!("taking back: {what}")),
        }
    }
}

/// Returns what is being pulled and from where, by its full name.
fn pulling(name: &str) -> String {
    let registry = name.split('/').next().unwrap_or(name);
    match name.rsplit_once(':') {
        Some((_, tag)) if !tag.contains('/') => {
            format!("Pulling prebuilt image v{tag} from {registry}...")
        }
        _ => format!("Pulling prebuilt image {name}..."),
    }
}

fn title(step: &Step) -> String {
    match step {
        Step::Pull { .. } => "Pulling the image".to_owned(),
        Step::Build { .. } => "Building the image on this machine".to_owned(),
        Step::AwaitReady { .. } => "Starting opencode".to_owned(),
        Step::AwaitTrial { .. } => "Trying the new image".to_owned(),
        other => other.to_string(),
    }
}

fn transfer_now(transfer: &Transfer) -> Now {
    match transfer {
        Transfer::Sent { bytes, total } => {
            Now::more("Loading the image into the engine", Some((*bytes, *total)))
        }
        Transfer::Unpacking => Now::news("The engine unpacks the image"),
    }
}

fn build_now(build: &Build) -> Now {
    match build {
        Build::WaitingForOtherBuild => Now::news("Waiting for another build on this machine"),
        Build::Reused(part) => Now::more(format!("  {part}: there already"), None),
        Build::Damaged(part) => Now::lasting(format!("  {part}: damaged, made again")),
        Build::DamagedFile(digest) => {
            Now::lasting(format!("  a kept file was damaged and is fetched again: {digest}"))
        }
        Build::Lacking { tool, package, architecture } => Now::lasting(format!(
            "  {tool}: left out for {architecture}, because the registry does not have it: {package}"
        )),
        Build::Begin(part) => Now::news(format!("  {part}: being made")),
        Build::Doing { part, what } => Now::more(format!("  {part}: {what}"), None),
        Build::Count { part, done, total } => {
            Now::more(format!("  {part}: {done} of {total}"), None)
        }
        Build::Bytes { part, done, total } => {
            Now::more(format!("  {part}: written"), Some((*done, *total)))
        }
        Build::Done(part) => Now::lasting(format!("  {part}: done")),
    }
}

fn draw(state: &mut State, now: &Now) {
    let bar = state.bar.get_or_insert_with(|| {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    });
    let style = match now.bytes {
        Some((_, total)) if total > 0 => {
            "{spinner} {msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} ({elapsed}, {eta} left)"
        }
        _ => "{spinner} {msg} ({elapsed})",
    };
    bar.set_style(ProgressStyle::with_template(style).expect("the templates are valid"));
    if let Some((done, total)) = now.bytes {
        bar.set_length(total);
        bar.set_position(done);
    }
    if now.worth == Worth::Lasting {
        bar.println(&now.text);
    } else {
        bar.set_message(now.text.trim().to_owned());
    }
}

fn line(state: &mut State, now: &Now) {
    let quiet_for = state.said.elapsed().min(state.begun.elapsed());
    if now.worth == Worth::More && quiet_for < PATIENCE {
        return;
    }
    state.said = Instant::now();
    let seconds = state.begun.elapsed().as_secs();
    let bytes = now.bytes.map_or_else(String::new, |(done, total)| {
        format!(" {} of {} MiB", done >> 20, total >> 20)
    });
    people(&format!("{}{bytes}{}", now.text, pace(seconds, now.bytes)));
}

/// Returns how long it has taken, and where bytes move how fast they do and what is left.
fn pace(seconds: u64, bytes: Option<(u64, u64)>) -> String {
    match (seconds, bytes) {
        (0, _) => String::new(),
        (_, Some((done, total))) if done > 0 && done < total => {
            let rate = (done / seconds).max(1);
            let left = (total - done).div_ceil(rate);
            let tenths = (rate * 10) >> 20;
            format!(" ({seconds} s, {}.{} MiB/s, {left} s left)", tenths / 10, tenths % 10)
        }
        _ => format!(" ({seconds} s)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_move_have_a_rate_and_an_end() {
        let said = pace(10, Some((100 << 20, 400 << 20)));
        assert_eq!(said, " (10 s, 10.0 MiB/s, 30 s left)");
        assert_eq!(pace(0, Some((1, 2))), "");
        assert_eq!(pace(3, None), " (3 s)");
        assert_eq!(pace(3, Some((2, 2))), " (3 s)");
    }

    #[test]
    fn acq_012_what_is_pulled_and_from_where_is_said() {
        let name = "ghcr.io/prizz/opencode-cloud-sandbox:1.0.12";
        assert_eq!(pulling(name), "Pulling prebuilt image v1.0.12 from ghcr.io...");
        let name = "localhost:5000/prizz/opencode-cloud-sandbox";
        assert_eq!(pulling(name), format!("Pulling prebuilt image {name}..."));
    }
}
