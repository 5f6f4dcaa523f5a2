//! Looking, judging and remembering in one go, for whoever wants to run or to check an image.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use occ_registry::Client;
use rustix::fs::{FlockOperation, flock};

use crate::admission::Admission;
use crate::asked::Asked;
use crate::discover::discover;
use crate::evidence::Evidence;
use crate::expectation::{Expectations, Forgotten};
use crate::judge::{Case, judge};
use crate::policy::{Mode, Policy};
use crate::root::TrustRoot;
use crate::verdict::Verdict;

/// Whom we believe, by what root, and where what was seen is remembered.
#[derive(Debug, Clone)]
pub struct Notary {
    /// Whom we believe.
    pub policy: Policy,
    /// Who may vouch for names.
    pub root: TrustRoot,
    /// The file of what was seen.
    pub memory: PathBuf,
}

/// What came of an examination.
#[derive(Debug)]
pub struct Examined {
    /// The decision and what it rests on.
    pub admission: Admission,
    /// What was remembered could not be read, so nothing is known to have been signed before.
    pub forgotten: Option<Forgotten>,
}

impl Notary {
    /// Looks for signatures in all places that hold the image, judges, and remembers what was seen signed.
    ///
    /// Several processes may do so at the same time.
    ///
    /// # Errors
    /// When what was seen cannot be written down: what is forgotten could be denied later.
    pub async fn examine(
        &self,
        asked: &Asked,
        places: &[Client],
        now: Timestamp,
    ) -> io::Result<Examined> {
        let evidence = match self.policy.mode {
            Mode::Off => Evidence::none(asked.manifest.digest().clone()),
            Mode::Warn | Mode::Enforce => discover(places, &asked.manifest).await,
        };
        let (known, forgotten) = Expectations::load(&self.memory);
        let mut names = std::iter::once(&asked.repository).chain(&asked.mirrors);
        let expectation = names.find_map(|name| known.of(name));
        let (policy, root) = (&self.policy, &self.root);
        let case = Case { policy, root, expectation, evidence: &evidence, asked, now };
        let admission = judge(&case);
        if let Some(Verdict::Verified(proof)) = &admission.verdict
            && admission.is_admitted()
        {
            let names = || std::iter::once(&asked.repository).chain(&asked.mirrors);
            if !names().all(|name| known.knows(name, proof, now)) {
                change(&self.memory, |known| {
                    names().for_each(|name| known.remember(name, proof, now));
                })?;
            }
        }
        Ok(Examined { admission, forgotten })
    }

    /// Changes what is remembered.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn change<T>(&self, change_it: impl FnOnce(&mut Expectations) -> T) -> io::Result<T> {
        change(&self.memory, change_it)
    }
}

/// Changes what is remembered while nobody else does.
fn change<T>(path: &Path, change: impl FnOnce(&mut Expectations) -> T) -> io::Result<T> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let lock = File::create(path.with_extension("lock"))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    let (mut known, _) = Expectations::load(path);
    let done = change(&mut known);
    known.save(path)?;
    Ok(done)
}
