//! Bringing packages into the cache.

use std::collections::{BTreeMap, BTreeSet};

use super::REGISTRY;
use super::apt::Apt;
use super::index;
use crate::cache::Cache;
use crate::error::BuildError;
use crate::event::{Event, Observer, Part};
use crate::lock::{DebianGroup, DebianPin};
use crate::recipe::Architecture;
use crate::workshop::Workshop;

/// Fetches what the cache does not have of some groups' packages, and verifies it.
pub(crate) fn fetch(
    suite: &str,
    groups: &[&DebianGroup],
    workshop: &Workshop,
    cache: &Cache<'_>,
) -> Result<(), BuildError> {
    let mut seen = BTreeSet::new();
    let mut missing: BTreeMap<Architecture, Vec<&DebianPin>> = BTreeMap::new();
    for group in groups {
        for pin in &group.packages {
            // Packages for all architectures are in several groups.
            if seen.insert(pin.digest.hex()) && cache.file(&pin.digest, pin.size)?.is_none() {
                missing.entry(group.architecture).or_default().push(pin);
            }
        }
    }
    for (architecture, pins) in missing {
        let apt = Apt::open(suite, architecture, workshop, cache)?;
        make_sure(&apt, &pins)?;
        download(&apt, &pins, cache)?;
    }
    Ok(())
}

/// Makes sure that the archive still has all of it, so that an error can name all that it has not.
fn make_sure(apt: &Apt<'_>, pins: &[&DebianPin]) -> Result<(), BuildError> {
    let mut gone: BTreeMap<&str, &str> =
        pins.iter().map(|pin| (pin.name.as_str(), pin.version.as_str())).collect();
    index::each(&apt.lists(), |package| {
        if gone.get(package.name) == Some(&package.version) {
            gone.remove(package.name);
        }
    })?;
    if gone.is_empty() {
        return Ok(());
    }
    let names: Vec<String> =
        gone.into_iter().map(|(name, version)| format!("{name} {version}")).collect();
    Err(BuildError::NotAvailable { name: names.join(", "), registry: REGISTRY })
}

fn download(apt: &Apt<'_>, pins: &[&DebianPin], cache: &Cache<'_>) -> Result<(), BuildError> {
    let (observer, _) = cache.context();
    let mut progress = Progress::new(pins);
    observer(Event::Begin(PART));
    let done = apt
        .get()
        .with(|command| {
            command
                .current_dir(apt.files())
                .args(["download", "-qq", "-o", "APT::Status-Fd=1"])
                .args(pins.iter().map(|pin| format!("{}={}", pin.name, pin.version)));
        })
        .run(|_, line| progress.read(line, observer));
    // What did come is kept even so: the next try has less to do. What came in part is nobody's lie.
    let mut missing = 0;
    for pin in pins {
        let file = apt.files().join(file_name(pin));
        let name = format!("{} {}", pin.name, pin.version);
        match cache.keep_file(&file, &name, &pin.digest, Some(pin.size)) {
            Ok(_) => {}
            Err(_) if done.is_err() => missing += pin.size,
            Err(error) => return Err(error),
        }
    }
    done.map_err(|error| error.or_full(&apt.files(), missing))?;
    observer(Event::Done(PART));
    Ok(())
}

const PART: Part = Part::Packages(REGISTRY);

/// Returns the name apt gives a package's file.
fn file_name(pin: &DebianPin) -> String {
    let architecture = pin.architecture.map_or("all", Architecture::name);
    format!("{}_{}_{architecture}.deb", pin.name, pin.version.replace(':', "%3a"))
}

/// Reads apt's reports (apt's README.progress-reporting).
struct Progress {
    files: u32,
    bytes: u64,
    told: Option<(u32, u64)>,
}

impl Progress {
    fn new(pins: &[&DebianPin]) -> Self {
        let files = u32::try_from(pins.len()).unwrap_or(u32::MAX);
        Self { files, bytes: pins.iter().map(|pin| pin.size).sum(), told: None }
    }

    /// Reads `dlstatus:FILE:PERCENT:TEXT`; files count from one.
    fn read(&mut self, line: &str, observer: Observer<'_>) {
        let Some(news) = line.strip_prefix("dlstatus:").and_then(|rest| {
            let mut fields = rest.split(':');
            let file: u32 = fields.next()?.parse().ok()?;
            let (whole, part) = fields.next()?.split_once('.')?;
            let percent: u64 = whole.parse().ok()?;
            let hundredths = percent * 100 + part.get(..2)?.parse::<u64>().ok()?;
            Some((file.saturating_sub(1), self.bytes * hundredths.min(10_000) / 10_000))
        }) else {
            return;
        };
        if self.told.replace(news) == Some(news) {
            return;
        }
        let (done, bytes) = news;
        observer(Event::Count { part: PART, done, total: self.files });
        observer(Event::Bytes { part: PART, done: bytes, total: self.bytes });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use occ_oci::Digest;

    use super::*;

    fn pin() -> DebianPin {
        DebianPin {
            name: "git".to_owned(),
            version: "1:2.47.3-0+deb13u1".to_owned(),
            architecture: Some(Architecture::Amd64),
            size: 2000,
            digest: Digest::sha256(b""),
        }
    }

    #[test]
    fn files_are_found_under_the_name_that_apt_gives_them() {
        assert_eq!(file_name(&pin()), "git_1%3a2.47.3-0+deb13u1_amd64.deb");
        let all = DebianPin { architecture: None, version: "1".to_owned(), ..pin() };
        assert_eq!(file_name(&all), "git_1_all.deb");
    }

    #[test]
    fn progress_is_told_once_and_nonsense_is_not() {
        let seen = Mutex::new(Vec::new());
        let (one, other) = (pin(), pin());
        let mut progress = Progress::new(&[&one, &other]);
        for line in [
            "dlstatus:1:0.0000:Retrieving file 1 of 2",
            "dlstatus:1:0.0000:Retrieving file 1 of 2",
            "dlstatus:2:58.0372:Retrieving file 2 of 2 (1s remaining)",
            "dlstatus:2:nan:Retrieving",
            "E: dlstatus:3:100.0000:no",
        ] {
            progress.read(line, &|event| seen.lock().expect("one thread").push(event));
        }
        let count = |done| Event::Count { part: PART, done, total: 2 };
        let bytes = |done| Event::Bytes { part: PART, done, total: 4000 };
        let seen = seen.into_inner().expect("one thread");
        assert_eq!(seen, [count(0), bytes(0), count(1), bytes(2321)]);
    }
}
