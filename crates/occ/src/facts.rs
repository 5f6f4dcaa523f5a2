//! Facts about an image, from what was observed, what recipe and lock say, and who signed it. Pure.

use occ_image::guest;
use occ_oci::{Pinned, Reference, Repository};
use occ_opencode::{Operation, ServerLine};
use occ_policy::{Fact, Facts, Origin, Value};
use occ_trust::{CYCLONE_DX, PROVENANCE, Proof, Verdict, slsa_level};

use crate::identity::Identity;
use crate::own_image::{Fit, OwnImage};

/// What was found out about who signed an image.
#[derive(Debug, Clone)]
pub(crate) enum Signed {
    /// Nobody was asked, for this reason.
    NotAsked(&'static str),
    /// Registries were asked.
    Asked(Box<Verdict>),
    /// They could not be asked.
    Failed(String),
}

/// Everything that facts are made of.
pub(crate) struct Sources<'a> {
    /// What was observed.
    pub(crate) identity: &'a Identity,
    /// What recipe and lock say, where the image calls itself ours.
    pub(crate) own: Option<&'a OwnImage>,
    /// Full names by digest under which registries have it.
    pub(crate) places: &'a [Pinned],
    /// Who signed it.
    pub(crate) signed: &'a Signed,
    /// Whether it is run by its id, whatever its name is.
    pub(crate) by_id: bool,
    /// Whether the record of a sandbox says that it was built on this machine.
    pub(crate) built_here: bool,
}

/// Returns the facts.
pub(crate) fn facts(sources: &Sources<'_>) -> Facts {
    let mut facts = Facts::default();
    image(&mut facts, sources);
    contents(&mut facts, sources.identity);
    credentials(&mut facts, sources.identity);
    labels(&mut facts, sources.identity);
    if let Some(own) = sources.own {
        planned(&mut facts, sources, own);
    } else {
        foreign(&mut facts);
    }
    signatures(&mut facts, sources.signed);
    facts
}

fn list(texts: &[String]) -> Value {
    Value::List(texts.iter().map(|text| line(text)).collect())
}

/// Facts are texts of one line with something in it.
fn line(text: &str) -> String {
    if text.trim().is_empty() { format!("{text:?}") } else { crate::identity::plain(text) }
}

fn text(text: &str) -> Value {
    Value::Text(line(text))
}

fn image(facts: &mut Facts, sources: &Sources<'_>) {
    let identity = sources.identity;
    let mut see = |name: &str, value: Value| {
        facts.learn(name, value, Origin::Observation);
    };
    see("image.name", text(&identity.name));
    see("image.tags", list(&identity.tags));
    see("image.id", text(&identity.id));
    see("image.size", Value::Number(identity.size));
    see("image.platform", text(&identity.platform));
    let named = identity.name.contains("@sha256:") || identity.name == identity.id;
    let pinned = named || sources.by_id;
    see("image.pinned", Value::Bool(pinned));
    see("image.registries", Value::List(registries(sources.places)));
    match &identity.created {
        Some(created) => see("image.created", text(created)),
        None => facts.miss("image.created", "its configuration has no time"),
    }
    let known = identity.manifest_digests().map(str::to_owned);
    match known.chain(sources.places.iter().map(|place| place.digest.to_string())).next() {
        Some(digest) => {
            facts.learn("image.digest", text(&digest), Origin::Observation);
        }
        None => {
            facts.miss("image.digest", "no registry has given it one; its id names the same bytes");
        }
    }
}

/// Returns the hosts of registries that the image came from or went to.
fn registries(places: &[Pinned]) -> Vec<String> {
    let mut hosts: Vec<String> =
        places.iter().map(|place| place.repository.host().to_string()).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

/// Returns the full names by digest that an engine has for an image. One with a containerd store gives them also to
/// what was built or loaded here: our own local repository is in no registry.
pub(crate) fn places(identity: &Identity) -> Vec<Pinned> {
    let local: Option<Repository> = guest::LOCAL_REPOSITORY.parse().ok();
    let parsed = identity.digests.iter().filter_map(|name| name.parse::<Reference>().ok());
    let pinned = parsed.filter_map(|reference| match reference {
        Reference::Pinned(pinned) => Some(pinned),
        Reference::Tagged(_) => None,
    });
    pinned.filter(|pinned| local.as_ref() != Some(&pinned.repository)).collect()
}

fn contents(facts: &mut Facts, identity: &Identity) {
    let mut see = |name: &str, value: Value| {
        facts.learn(name, value, Origin::Observation);
    };
    see("contents.entrypoint", list(&identity.entrypoint));
    see("contents.command", list(&identity.command));
    see("contents.ports", list(&identity.ports));
    see("contents.environment", list(&identity.environment));
    see("contents.user", text(&identity.user));
    see("contents.folder", text(&identity.folder));
    see("contents.layers", list(&identity.layers));
    if identity.history.is_empty() {
        facts.miss("build.steps", "it has no history");
    } else {
        let steps = identity.history.iter().map(|step| line(&step.done)).collect();
        facts.learn("build.steps", Value::List(steps), Origin::Observation);
    }
}

fn credentials(facts: &mut Facts, identity: &Identity) {
    let found: Vec<String> = identity.places_of_secrets().map(|place| line(&place)).collect();
    let inside = !found.is_empty();
    let note = match identity.layer_search {
        Some(_) => {
            "looked for in environment, labels, command, history and the files of all layers"
        }
        None => {
            "looked for in environment, labels, command and history; files of layers were not searched"
        }
    };
    let fact = facts.learn("credentials.inside", Value::Bool(inside), Origin::Observation);
    fact.note = Some(note.to_owned());
    facts.learn("credentials.found", Value::List(found), Origin::Observation);
    if inside {
        facts.miss("credentials.audited", "there is no audit trail for embedded credentials");
    } else {
        let fact = facts.learn("credentials.audited", Value::Bool(true), Origin::Observation);
        fact.note = Some("none were found".to_owned());
    }
}

/// What the image says of itself.
fn labels(facts: &mut Facts, identity: &Identity) {
    let label = |name: &str| identity.labels.get(name).filter(|value| !value.trim().is_empty());
    for (name, fact) in [
        ("org.opencode-cloud.builder", "build.builder"),
        ("org.opencode-cloud.run-url", "build.place"),
        (guest::LABEL_BUILD_KEY, "build.key"),
        ("org.opencontainers.image.base.name", "base.name"),
        ("org.opencontainers.image.base.digest", "base.digest"),
        ("org.opencontainers.image.source", "source.repository"),
        ("org.opencontainers.image.revision", "source.commit"),
        (guest::LABEL_OPENCODE, "opencode.version"),
    ] {
        if let Some(value) = label(name) {
            facts.learn(fact, text(value), Origin::Label).note = Some(name.to_owned());
        }
    }
    if let Some(key) = label(guest::LABEL_BASE_KEY) {
        let fact = facts.learn("base.digest", text(key), Origin::Label);
        fact.note = Some(guest::LABEL_BASE_KEY.to_owned());
    }
    if let Some(purpose) = label("org.opencontainers.image.description") {
        facts.learn("image.purpose", Value::List(vec![line(purpose)]), Origin::Label);
    }
    if let Some(version) = label("org.opencontainers.image.version") {
        let created = identity.created.as_deref().unwrap_or("some time");
        let change = format!("{}: version {}", line(created), line(version));
        facts.learn("document.changes", Value::List(vec![change]), Origin::Label);
    }
}

/// What recipe and lock say of an image of ours.
fn planned(facts: &mut Facts, sources: &Sources<'_>, own: &OwnImage) {
    reproducible(facts, sources, own);
    if sources.built_here || own.fit == Fit::Proved {
        let fact = facts.learn("build.place", text("on this machine"), Origin::Observation);
        fact.note = Some("its layers are kept here".to_owned());
    }
    if !own.fits() {
        facts.miss("build.recorded", "it was built from another recipe or lock than this occ has");
        for name in ["contents.tools", "contents.packages", "contents.locked", "opencode.digest"] {
            facts.miss(name, "the lock that it was built from is not at hand");
        }
        return;
    }
    let plan = &own.plan;
    let mut say = |name: &str, value: Value, note: Option<String>| {
        facts.learn(name, value, Origin::Lock).note = note;
    };
    let lock = Some(format!("lock {}", own.lock));
    say("build.recorded", Value::Bool(true), lock.clone());
    say(
        "build.key",
        text(&plan.key().to_string()),
        Some("computed from recipe and lock".to_owned()),
    );
    let debian: usize = plan.base.groups.iter().map(|group| group.packages.len()).sum();
    say("base.name", text(&format!("Debian {}, {debian} packages", plan.base.suite)), lock.clone());
    say("base.digest", text(&plan.base.key().to_string()), Some("key of its contents".to_owned()));
    say(
        "base.revision",
        text(&own.lock.to_string()),
        Some("digest of the lock that names each package".to_owned()),
    );
    say("base.source", text("the signed package archive of Debian"), None);
    say(
        "base.created",
        text(&plan.release.created),
        Some("a fixed time, so that equal inputs give equal bytes".to_owned()),
    );
    let tools =
        plan.tools.iter().map(|tool| format!("{} {}", tool.tool.name, tool.version)).collect();
    say("contents.tools", Value::List(tools), lock.clone());
    let packages: usize = plan.tools.iter().map(|tool| tool.packages.len()).sum();
    let count = u64::try_from(debian + packages).unwrap_or(u64::MAX);
    say("contents.packages", Value::Number(count), lock.clone());
    say("contents.locked", Value::Bool(true), lock.clone());
    if !plan.opencode_version().is_empty() {
        say("opencode.version", text(plan.opencode_version()), lock.clone());
    }
    if let Some(pin) = own.opencode() {
        say("opencode.digest", text(&pin.digest.to_string()), Some("of the package".to_owned()));
        say("opencode.source", text(&format!("package {}", pin.name)), lock);
    }
    endpoints(facts, plan.opencode_version());
    if facts_lack(facts, "source.commit") {
        facts.miss("source.commit", "it was built without --revision");
    }
}

/// The requests that its server answers: what every start asks for, and every operation in the form in which a
/// server of its line is asked.
fn endpoints(facts: &mut Facts, opencode: &str) {
    const NAME: &str = "contents.endpoints";
    let line = match ServerLine::of(opencode) {
        Ok(line) => line,
        Err(unknown) => return facts.miss(NAME, unknown.to_string()),
    };
    let contract = [(guest::HEALTH_PATH, "is it alive"), (guest::INSTANCE_PATH, "does it work")];
    let contract = contract.map(|(path, asks)| format!("GET {path} ({asks})"));
    let operations = Operation::ALL.into_iter().map(|operation| {
        let request = operation.request(line);
        format!("{request} ({}: {})", operation.name(), operation.purpose())
    });
    let all = contract.into_iter().chain(operations).collect();
    facts.learn(NAME, Value::List(all), Origin::Lock).note =
        Some(format!("the guest contract, and opencode {line}"));
}

fn facts_lack(facts: &Facts, name: &str) -> bool {
    !facts.iter().any(|fact: &Fact| fact.name.as_str() == name && fact.value.is_known())
}

fn reproducible(facts: &mut Facts, sources: &Sources<'_>, own: &OwnImage) {
    const NAME: &str = "build.reproducible";
    let verified = matches!(sources.signed, Signed::Asked(verdict) if matches!(**verdict, Verdict::Verified(_)));
    match own.fit {
        Fit::Proved => {
            let fact = facts.learn(NAME, Value::Bool(true), Origin::Observation);
            fact.note = Some("this machine made the same layers from recipe and lock".to_owned());
        }
        Fit::Refuted => {
            let fact = facts.learn(NAME, Value::Bool(false), Origin::Observation);
            fact.note = Some("this machine made other layers from recipe and lock".to_owned());
        }
        Fit::Said if verified => {
            let fact = facts.learn(NAME, Value::Bool(true), Origin::Lock);
            fact.note =
                Some("whoever signed it says that it is of this recipe and lock".to_owned());
        }
        Fit::Said => facts.miss(NAME, "build it here to compare: occ image build"),
        Fit::Other => {
            facts.miss(NAME, "it was built from another recipe or lock than this occ has");
        }
    }
}

/// What is missing of an image that is none of ours.
fn foreign(facts: &mut Facts) {
    for (name, missing) in [
        ("build.place", "no record says where it was built"),
        ("build.builder", "no label and no signature names who built it"),
        ("build.recorded", "no Dockerfile, recipe or build script is known"),
        ("build.reproducible", "no recipe is known to build it again"),
        ("base.name", "no label names its base"),
        ("base.digest", "no label names the digest of its base"),
        ("source.repository", "no label names the source"),
        ("source.commit", "no label names the commit"),
        ("opencode.version", "no label names it"),
        ("opencode.digest", "no lock names it"),
        ("contents.endpoints", "it keeps no contract that is known"),
        ("contents.tools", "no lock lists them"),
        ("contents.locked", "there is no lock"),
        ("document.changes", "no label tells of any"),
    ] {
        if facts_lack(facts, name) {
            facts.miss(name, missing);
        }
    }
}

fn signatures(facts: &mut Facts, signed: &Signed) {
    const NAME: &str = "signature.verdict";
    let verdict = match signed {
        Signed::NotAsked(why) => {
            let fact = facts.learn(NAME, text("not-asked"), Origin::Observation);
            fact.note = Some((*why).to_owned());
            return unsigned(facts, why);
        }
        Signed::Failed(why) => {
            facts.miss(NAME, line(why));
            return unsigned(facts, "whether it is signed could not be found out");
        }
        Signed::Asked(verdict) => verdict,
    };
    match &**verdict {
        Verdict::Verified(proof) => proved(facts, proof),
        Verdict::Unknown { missing } => {
            facts.miss(NAME, line(&missing.join("; ")));
            unsigned(facts, "whether it is signed could not be found out");
        }
        other => {
            facts.learn(NAME, text(other.name()), Origin::Observation);
            unsigned(facts, "there is no signature that counts");
        }
    }
}

fn unsigned(facts: &mut Facts, why: &str) {
    for name in ["signature.signer", "provenance.level", "provenance.builder", "sbom.signed"] {
        facts.miss(name, line(why));
    }
}

fn proved(facts: &mut Facts, proof: &Proof) {
    let of = |kind: &str| proof.attestations.iter().find(|one| one.predicate_type == kind);
    facts.learn("signature.verdict", text("verified"), Origin::Signed);
    facts.learn("signature.signer", text(&proof.signer.to_string()), Origin::Signed);
    facts.learn("sbom.signed", Value::Bool(of(CYCLONE_DX).is_some()), Origin::Signed);
    let Some(provenance) = of(PROVENANCE) else {
        for name in ["provenance.level", "provenance.builder"] {
            facts.miss(name, "nobody who is believed stated any");
        }
        return;
    };
    let level = u64::from(slsa_level(provenance));
    facts.learn("provenance.level", Value::Number(level), Origin::Signed);
    if let Some(builder) = provenance.predicate["runDetails"]["builder"]["id"].as_str() {
        facts.learn("provenance.builder", text(builder), Origin::Signed);
        facts.learn("build.builder", text(builder), Origin::Signed);
    }
}

#[cfg(test)]
mod tests;
