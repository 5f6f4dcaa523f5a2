//! From what was found to what is decided. Nothing is fetched here and no clock is read; but the crate that
//! verifies asks the system's clock whether a log's time has come.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use occ_oci::{Annotations, Digest};

use crate::admission::{Admission, Admitted, Decision, Ground, Refusal};
use crate::asked::Asked;
use crate::check::{Bench, Checked, Outcome, Says};
use crate::evidence::{Answer, Entry, Evidence};
use crate::expectation::Expectation;
use crate::policy::{Binding, Mode, Policy};
use crate::root::TrustRoot;
use crate::statement::{SIGNATURE, UNDERSTOOD};
use crate::verdict::{
    ANNOTATION_REF, ANNOTATION_VERSION, Attestation, Code, Finding, Proof, Reason, Signer, Verdict,
};

/// How far clocks may be apart.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Everything that a judgement is made of.
#[derive(Debug)]
pub struct Case<'a> {
    /// Whom we believe.
    pub policy: &'a Policy,
    /// Who may vouch for whom.
    pub root: &'a TrustRoot,
    /// What is remembered of the repository.
    pub expectation: Option<&'a Expectation>,
    /// What was found.
    pub evidence: &'a Evidence,
    /// What was asked for.
    pub asked: &'a Asked,
    /// The present moment.
    pub now: Timestamp,
}

/// Judges.
pub fn judge(case: &Case<'_>) -> Admission {
    let image = case.asked.name();
    if case.policy.mode == Mode::Off {
        let admitted = Admitted::unverified_by_choice(image.clone());
        let (findings, asked) = (Vec::new(), Vec::new());
        let decision = Decision::Admitted(admitted);
        return Admission { image, verdict: None, findings, asked, decision };
    }
    let mut sight = Sight::of(case.asked);
    sight.look(case);
    let verdict = sight.verdict(case);
    let decision = decide(case, &verdict);
    let asked = case.evidence.asked.clone();
    Admission { image, verdict: Some(verdict), findings: sight.findings, asked, decision }
}

/// Decides what a verdict is enough for.
fn decide(case: &Case<'_>, verdict: &Verdict) -> Decision {
    let image = case.asked.name();
    match verdict {
        Verdict::Verified(proof) => match rollback(case, proof) {
            Some(refusal) => Decision::Refused(refusal),
            None => Decision::Admitted(Admitted::by(Ground::Verified(proof.clone()), image)),
        },
        Verdict::Unsigned => match (case.expectation, case.policy.mode) {
            (Some(expected), _) => {
                let expected = Box::new(expected.clone());
                Decision::Refused(Refusal::ExpectedSigned { expected })
            }
            (None, Mode::Warn) => Decision::Admitted(Admitted::by(Ground::Unsigned, image)),
            (None, _) => Decision::Refused(Refusal::Verdict),
        },
        _ => Decision::Refused(Refusal::Verdict),
    }
}

/// A name that moves only moves forward. Whoever asks for a version or a digest gets it, however old.
fn rollback(case: &Case<'_>, proof: &Proof) -> Option<Refusal> {
    let expected = case.expectation?;
    let moves = case.asked.tag.is_some() && case.asked.version().is_none();
    if !(moves && expected.is_older(proof)) {
        return None;
    }
    let shown = |seq: Option<u64>, version: Option<&str>| match (version, seq) {
        (Some(version), Some(seq)) => format!("{version} (number {seq})"),
        (Some(version), None) => version.to_owned(),
        (None, Some(seq)) => format!("number {seq}"),
        (None, None) => "without a number".to_owned(),
    };
    let seen = shown(expected.seq, expected.version.as_deref());
    Some(Refusal::Rollback { seen, signed: shown(proof.seq(), proof.version()) })
}

/// What was seen so far.
struct Sight {
    /// SHA-256 of the image's bytes, whatever it is called by.
    image: Digest,
    findings: Vec<Finding>,
    /// Good signatures.
    good: Vec<Good>,
    attestations: Vec<Attestation>,
    strangers: BTreeSet<Signer>,
    rejected: Vec<Reason>,
    missing: Vec<String>,
}

/// A signature of somebody whom the policy names, for this name.
struct Good {
    signer: Signer,
    times: Vec<Timestamp>,
    annotations: Annotations,
}

impl Sight {
    fn of(asked: &Asked) -> Self {
        Self {
            image: Digest::sha256(asked.manifest.bytes()),
            findings: Vec::new(),
            good: Vec::new(),
            attestations: Vec::new(),
            strangers: BTreeSet::new(),
            rejected: Vec::new(),
            missing: Vec::new(),
        }
    }

    fn look(&mut self, case: &Case<'_>) {
        let (policy, root) = (case.policy, case.root);
        let image = self.image.clone();
        let bench = Bench { root, policy, of: &image };
        if case.evidence.subject != *case.asked.manifest.digest() {
            self.missing.push("what was found is about another image".to_owned());
            return;
        }
        for entry in &case.evidence.entries {
            match bench.look(&entry.content) {
                Outcome::Checked(checked) => self.checked(case, entry, *checked),
                Outcome::Stranger(signer) => self.stranger(entry, signer),
                Outcome::Rejected(reason) => self.reject(entry, reason),
                Outcome::Irrelevant(kind) => {
                    self.find(entry, Reason::new(Code::NotASignature, kind));
                }
                Outcome::Unfetched(why) => {
                    self.missing.push(why.clone());
                    self.find(entry, Reason::new(Code::Unfetched, why));
                }
            }
        }
        self.channels(case.evidence);
    }

    /// Looks at who could not be asked, and at who says what nobody else says.
    fn channels(&mut self, evidence: &Evidence) {
        if evidence.asked.is_empty() {
            self.missing.push("nobody was asked".to_owned());
        }
        let subject = evidence.subject.to_string();
        for asking in &evidence.asked {
            if let Answer::Failed { why } = &asking.answer {
                self.missing.push(why.clone());
                let reason = Reason::new(Code::Unasked, why.clone());
                let (registry, of) = (asking.registry.clone(), subject.clone());
                self.findings.push(Finding { registry, of, reason });
            }
        }
        for (registry, digest) in &evidence.differing {
            let detail = "it is not listed here, and elsewhere it is";
            let reason = Reason::new(Code::RegistriesDiffer, detail);
            let (registry, of) = (registry.to_string(), digest.to_string());
            self.findings.push(Finding { registry, of, reason });
        }
        if evidence.left > 0 {
            let detail = format!("{} more were not looked at", evidence.left);
            self.missing.push(detail.clone());
            let reason = Reason::new(Code::TooMany, detail);
            self.findings.push(Finding { registry: String::new(), of: subject, reason });
        }
    }

    fn find(&mut self, entry: &Entry, reason: Reason) {
        let (registry, of) = (entry.registry.to_string(), entry.digest.to_string());
        self.findings.push(Finding { registry, of, reason });
    }

    fn reject(&mut self, entry: &Entry, reason: Reason) {
        self.rejected.push(reason.clone());
        self.find(entry, reason);
    }

    fn stranger(&mut self, entry: &Entry, signer: Signer) {
        self.find(entry, Reason::new(Code::WrongIdentity, format!("it was signed by {signer}")));
        self.strangers.insert(signer);
    }

    fn checked(&mut self, case: &Case<'_>, entry: &Entry, checked: Checked) {
        let Checked { signer, times, says } = checked;
        if !case.policy.names(&signer) {
            return self.stranger(entry, signer);
        }
        if let Some(late) = times.iter().find(|time| **time > case.now + SKEW) {
            let detail = format!("it was signed at {late}, and the clock here says {}", case.now);
            return self.reject(entry, Reason::new(Code::Future, detail));
        }
        let annotations = match says {
            Says::Named(named) => {
                let mut annotations = named.annotations;
                annotations.insert(ANNOTATION_REF.to_owned(), named.reference);
                annotations
            }
            Says::Statement(statement) if statement.predicate_type == SIGNATURE => {
                match statement.about(&self.image) {
                    Ok(annotations) => annotations,
                    Err(reason) => return self.reject(entry, reason),
                }
            }
            Says::Statement(statement) => {
                let (predicate_type, predicate) = (statement.predicate_type, statement.predicate);
                if !UNDERSTOOD.contains(&predicate_type.as_str()) {
                    let detail = format!("it states {predicate_type}");
                    return self.reject(entry, Reason::new(Code::PredicateType, detail));
                }
                self.attestations.push(Attestation { predicate_type, signer, predicate });
                return;
            }
        };
        match bound(case, &annotations) {
            Ok(()) => self.good.push(Good { signer, times, annotations }),
            Err(reason) => self.reject(entry, reason),
        }
    }

    fn verdict(&mut self, case: &Case<'_>) -> Verdict {
        let seq = |good: &Good| good.annotations.get("seq").and_then(|seq| seq.parse::<u64>().ok());
        let attestations = std::mem::take(&mut self.attestations);
        if let Some(good) = self.good.drain(..).max_by_key(|good| (seq(good), good.times.len())) {
            let kinds = attestations.iter().map(|stated| stated.predicate_type.as_str());
            let kinds: BTreeSet<_> = kinds.chain([SIGNATURE]).collect();
            let Good { signer, times, annotations } = good;
            return Verdict::Verified(Box::new(Proof {
                signer,
                predicates: kinds.into_iter().map(str::to_owned).collect(),
                times,
                trust_root: case.root.version().clone(),
                subject: case.asked.manifest.digest().clone(),
                annotations,
                attestations,
            }));
        }
        if !self.missing.is_empty() {
            return Verdict::Unknown { missing: std::mem::take(&mut self.missing) };
        }
        if !self.strangers.is_empty() {
            let found = std::mem::take(&mut self.strangers).into_iter().collect();
            return Verdict::WrongIdentity { found };
        }
        if let Some(reason) = self.rejected.first() {
            return Verdict::Invalid { reason: reason.clone() };
        }
        if let Some(stated) = attestations.first() {
            let detail = format!("there is only a statement of {}", stated.predicate_type);
            return Verdict::Invalid { reason: Reason::new(Code::PredicateType, detail) };
        }
        Verdict::Unsigned
    }
}

/// Compares what was signed about the name with what was asked.
fn bound(case: &Case<'_>, annotations: &Annotations) -> Result<(), Reason> {
    let asked = case.asked;
    match annotations.get(ANNOTATION_REF) {
        Some(reference) => {
            let (repository, tag) = split(reference);
            if !asked.is_called(&full(repository)) {
                let detail = format!("it was signed for {repository}");
                return Err(Reason::new(Code::OtherRepository, detail));
            }
            let wanted = asked.version().and(asked.tag.as_ref());
            if let (Some(tag), Some(wanted)) = (tag, wanted)
                && tag != wanted.as_str()
            {
                let detail = format!("it was signed for the tag {tag}");
                return Err(Reason::new(Code::OtherVersion, detail));
            }
        }
        None if case.policy.binding == Binding::Required => {
            let detail = "which repository it is for was not signed";
            return Err(Reason::new(Code::Unbound, detail));
        }
        None => {}
    }
    let signed = annotations.get(ANNOTATION_VERSION);
    match (asked.version(), signed) {
        (Some(wanted), Some(signed)) if signed.strip_prefix('v').unwrap_or(signed) != wanted => {
            Err(Reason::new(Code::OtherVersion, format!("it was signed for version {signed}")))
        }
        _ => Ok(()),
    }
}

/// Parts a signed name into repository and tag; a digest behind it is compared elsewhere.
fn split(reference: &str) -> (&str, Option<&str>) {
    let name = reference.split_once('@').map_or(reference, |(name, _)| name);
    match name.rfind(':').filter(|colon| !name[*colon..].contains('/')) {
        Some(colon) => (&name[..colon], Some(&name[colon + 1..])),
        None => (name, None),
    }
}

/// Returns a repository's full name; what is none stays as it is, and is nobody's.
fn full(repository: &str) -> String {
    let parsed = repository.parse::<occ_oci::Repository>();
    parsed.map_or_else(|_| repository.to_owned(), |repository| repository.to_string())
}
