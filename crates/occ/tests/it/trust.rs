//! Signed, attested, verified, believed: the whole way on the command line, without an engine.

use std::fs;

use occ_testkit::{Bench, FakeRegistry, Fault, Harm, Keyless, Referring, Registry, Who};
use serde_json::Value;

use crate::material::{REPOSITORY, image};
use crate::places::bench_without_image as bench;

const IDENTITY: &str =
    "https://github.com/acme/sandbox/.github/workflows/release.yml@refs/tags/v<semver>";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// A bench with an image in a registry, pushed out of a layout.
pub(crate) struct Desk {
    pub(crate) bench: Bench,
    pub(crate) name: String,
    pub(crate) layout: String,
}

impl Desk {
    pub(crate) fn at(host: &str) -> Self {
        let bench = bench();
        let layout = bench.folder().join("layout");
        image(&["lower", "the upper one"]).write_layout(&layout, "base");
        let layout = layout.display().to_string();
        let name = format!("{host}/{REPOSITORY}:v1.2.3");
        bench.run(["image", "push", "base", &name, "--layout", &layout]).success();
        Self { bench, name, layout }
    }

    /// Makes a key, and returns where it and its public half are.
    pub(crate) fn key(&self, name: &str) -> (String, String) {
        let path = self.bench.folder().join(name).display().to_string();
        self.bench.run(["trust", "key", &path]).success().prints(&path);
        (path.clone(), format!("{path}.pub"))
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.bench.folder().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    pub(crate) fn sign(&self, more: &[&str]) -> Value {
        let words = [&["sign", &self.name, "--json"], more].concat();
        self.bench.run(words).success().data()
    }

    fn verdict(&self, code: i32, more: &[&str]) -> Value {
        let words = [&["image", "verify", &self.name, "--json"], more].concat();
        self.bench.run(words).code(code).data()
    }
}

#[test]
fn sig_001_what_a_key_has_signed_is_verified_with_its_public_half_and_no_other() {
    let registry = Registry::start();
    let desk = Desk::at(&registry.host());
    let ((key, public), (_, other)) = (desk.key("one.key"), desk.key("other.key"));
    assert_eq!(desk.verdict(3, &["--key", &public])["result"]["verdict"], "unsigned");
    let signed = desk.sign(&["--key", &key, "--seq", "7", "--annotation", "made=well"]);
    assert_eq!((&signed["version"], &signed["seq"]), (&"1.2.3".into(), &7.into()));
    // The list and the one platform.
    assert_eq!(signed["attached"].as_array().map(Vec::len), Some(2));

    let verified = desk.verdict(0, &["--key", &public]);
    let proof = &verified["result"];
    assert_eq!(proof["verdict"], "verified", "{verified}");
    assert_eq!(proof["annotations"]["made"], "well");
    assert_eq!(proof["annotations"]["ref"], desk.name.trim_end_matches(":v1.2.3"));
    assert_eq!(desk.verdict(3, &["--key", &other])["result"]["verdict"], "wrong-identity");
    desk.bench
        .run(["image", "verify", &desk.name, "--key", &public])
        .success()
        .prints("Verdict:     verified")
        .prints("Signed for:  seq=7")
        .prints("Not proved:  where it was built and from what")
        .prints("Trust root:  built in");
    desk.bench
        .run(["image", "verify", &desk.name])
        .code(3)
        .prints("Verdict:     wrong-identity")
        .prints("whom nobody named");
}

#[test]
fn sig_002_a_keyless_signature_is_verified_by_name_and_trust_root() {
    let registry = FakeRegistry::start(Referring::Unknown);
    let desk = Desk::at(&registry.host());
    for version in ["1", "2"] {
        let keyless = Keyless::start();
        let who = Who::workflow("acme/sandbox", "release.yml", "refs/tags/v1.2.3");
        let token = desk.write("token", &keyless.token(&who));
        let root = desk.write("root.json", &keyless.trusted_root().to_string());
        let url = keyless.url();
        let stamps = format!("{url}/api/v1/timestamp");
        let services = [
            "--identity-token",
            &token,
            "--fulcio-url",
            &url,
            "--rekor-url",
            &url,
            "--rekor-version",
            version,
            "--timestamp-url",
            &stamps,
        ];
        desk.sign(&services);
        let by = ["--identity", IDENTITY, "--issuer", ISSUER];
        let by_root = [&by[..], &["--trusted-root", &root]].concat();
        let proof = &desk.verdict(0, &by_root)["result"];
        assert_eq!(proof["signer"]["issuer"], ISSUER, "{proof}");
        assert_eq!(proof["trustRoot"]["source"], "file", "{proof}");
        assert!(proof["times"].as_array().is_some_and(|times| !times.is_empty()), "{proof}");
        // The public instance has never heard of it.
        assert_eq!(desk.verdict(3, &by)["result"]["verdict"], "invalid");
        let stranger = IDENTITY.replace("acme", "acme-evil");
        let stranger =
            ["--identity", &stranger, "--issuer", ISSUER, "--trusted-root", root.as_str()];
        assert_eq!(desk.verdict(3, &stranger)["result"]["verdict"], "wrong-identity");
        desk.bench.run(["trust", "root", "--import", &root]).success().prints("stored");
        assert_eq!(desk.verdict(0, &by)["result"]["trustRoot"]["source"], "stored");
        desk.bench.run(["trust", "root", "--built-in"]).success().prints("built in");
    }
}

#[test]
fn sig_006_sig_007_provenance_and_bill_of_materials_are_stated_of_what_was_built_here() {
    let registry = FakeRegistry::start(Referring::Api);
    let desk = Desk::at(&registry.host());
    let (key, public) = desk.key("one.key");
    desk.sign(&["--key", &key]);
    let attest = |more: &[&str]| {
        desk.bench.run([&["attest", &desk.name, "--key", &key, "--json"], more].concat())
    };
    let stated = attest(&["--provenance", "--layout", &desk.layout]).success().data();
    assert!(stated["dependencies"].as_u64().is_some_and(|count| count > 100), "{stated}");
    assert_eq!(stated["builder"], "https://github.com/prizz/opencode-cloud/local/unverified");
    let bill = desk.write("bill.json", r#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#);
    attest(&["--sbom", &bill]).success();
    let proof = &desk.verdict(0, &["--key", &public])["result"];
    let predicates = proof["predicates"].as_array().unwrap();
    assert_eq!(predicates.len(), 3, "{predicates:?}");
    desk.bench
        .run(["image", "verify", &desk.name, "--key", &public])
        .success()
        .prints("SLSA level:  1");

    let other = desk.bench.folder().join("elsewhere");
    image(&["something else"]).write_layout(&other, "base");
    let other = other.display().to_string();
    let refused = attest(&["--provenance", "--layout", &other]).code(3);
    refused.says("this machine did not build");
    let no_bill = desk.write("no-bill.json", "{}");
    attest(&["--sbom", &no_bill]).code(3).says("no CycloneDX document");
    desk.bench.run(["attest", &desk.name, "--key", &key]).code(2);
}

#[test]
fn attack_08_a_mirror_is_another_name_where_it_is_named_with_the_first_and_signatures_go_along() {
    let (first, second) = (Registry::start(), Registry::start());
    let desk = Desk::at(&first.host());
    let (key, public) = desk.key("one.key");
    desk.sign(&["--key", &key, "--legacy-sig"]);
    let mirror = format!("{}/{REPOSITORY}:v1.2.3", second.host());
    let copied = desk.bench.run(["image", "copy", &desk.name, &mirror, "--json"]).success().data();
    assert!(copied["referrers"].as_u64().is_some_and(|count| count >= 3), "{copied}");
    let verify = |names: &[&str], code: i32| {
        let words = [&["image", "verify", "--json", "--key", &public], names].concat();
        desk.bench.run(words).code(code).data()
    };
    assert_eq!(verify(&[&mirror], 3)["result"]["verdict"], "invalid");
    assert_eq!(verify(&[&desk.name, &mirror], 0)["result"]["verdict"], "verified");
}

#[test]
fn attack_05_who_cannot_say_did_not_say_no_and_what_was_seen_is_remembered_until_it_is_forgotten() {
    let registry = FakeRegistry::start(Referring::Unknown);
    let desk = Desk::at(&registry.host());
    let (key, public) = desk.key("one.key");
    desk.sign(&["--key", &key]);
    desk.verdict(0, &["--key", &public]);
    let repository = desk.name.trim_end_matches(":v1.2.3").to_owned();
    let seen = desk.bench.run(["trust", "show", "--json"]).success().data();
    assert_eq!(seen["seen"][0]["repository"], repository);
    registry.fault(Fault::on("GET", "/manifests/sha256-", Harm::status(403)).times(100));
    assert_eq!(desk.verdict(6, &["--key", &public])["result"]["verdict"], "unknown");
    desk.bench.run(["trust", "forget", &repository]).success().says("forgotten: ");
    desk.bench.run(["trust", "forget", &repository]).success().says("nothing was known of ");
    desk.bench.run(["trust", "pin", &repository]).success().says("expected from now on");
    let seen = desk.bench.run(["trust", "show"]).success();
    seen.prints(&format!("{repository}: to be signed"));
}

#[test]
fn a_key_that_is_there_is_never_written_over_and_nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::at(&FakeRegistry::start(Referring::Api).host());
    let (key, _) = desk.key("one.key");
    let before = fs::read(&key).unwrap();
    desk.bench.run(["trust", "key", &key]).code(1).says("cannot write");
    assert_eq!(fs::read(&key).unwrap(), before);
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_cannot_be_signed_with_or_believed_is_said_before_anything_is_done() {
    let registry = FakeRegistry::start(Referring::Api);
    let mut desk = Desk::at(&registry.host());
    let name = desk.name.clone();
    let sent = registry.asked("PUT", "");
    let run = |words: &[&str], code: i32, says: &str| {
        desk.bench.run(words).code(code).says(says);
    };
    run(&["sign", &name], 2, "nothing says who signs");
    run(&["sign", &name, "--key", "/nonexistent"], 4, "cannot read the key /nonexistent");
    let garbage = desk.write("garbage", "no key");
    run(&["sign", &name, "--key", &garbage], 4, "error: ");
    run(&["sign", &name, "--identity-token", &garbage], 4, "no identity token");
    run(&["sign", "prizz/x:1", "--key", &garbage], 2, "names no registry");
    run(&["sign", &name, "--annotation", "x"], 2, "NAME=VALUE is expected");
    run(&["image", "verify", &name, "--key", &garbage], 4, "cannot read the key");
    run(&["image", "verify", &name, "--trusted-root", &garbage], 4, "no trust root");
    run(&["image", "verify", &name, "--policy", &garbage], 4, "is invalid");
    run(&["image", "verify", &name, "--identity", "a"], 2, "--issuer");
    let pattern = ["image", "verify", &name, "--identity", "^https://x.*", "--issuer", ISSUER];
    run(&pattern, 2, "is not an exact name");
    run(&["trust", "root", "--import", &garbage], 4, "no trust root");
    run(&["trust", "pin", "prizz/x"], 2, "names no registry");
    desk.bench.run(["sign", &name, "--key", &garbage, "--dry-run"]).success();
    assert_eq!(registry.asked("PUT", ""), sent, "something was sent");

    let policy = desk.bench.config_file().with_file_name("trust-policy.json");
    fs::create_dir_all(policy.parent().unwrap()).unwrap();
    fs::write(&policy, "{ \"keyz\": [] }").unwrap();
    desk.bench.run(["trust", "show"]).code(4).says("trust-policy.json is invalid");
    fs::remove_file(&policy).unwrap();
    desk.bench.set("OCC_IMAGE_VERIFICATION", "perhaps");
    desk.bench.run(["trust", "show"]).code(4).says("OCC_IMAGE_VERIFICATION");
}

#[test]
fn a_token_is_shown_nowhere() {
    let registry = FakeRegistry::start(Referring::Api);
    let desk = Desk::at(&registry.host());
    let keyless = Keyless::start();
    let who = Who::workflow("acme/sandbox", "release.yml", "refs/tags/v1.2.3");
    let secret = keyless.token(&who);
    let token = desk.write("token", &secret);
    let flags = ["--identity-token", &token, "--fulcio-url", "http://127.0.0.1:1", "--verbose"];
    let failed = desk.bench.run([&["sign", &desk.name], &flags[..]].concat()).code(6);
    assert!(!format!("{}{}", failed.stdout, failed.stderr).contains(&secret[..20]), "it is shown");
}

#[test]
fn attack_18_a_newer_trust_root_is_fetched_when_that_is_said_and_an_unreachable_one_changes_nothing()
 {
    let registry = FakeRegistry::start(Referring::Api);
    let desk = Desk::at(&registry.host());
    let keyless = Keyless::start();
    let first = keyless.offer_root(&keyless.trusted_root(), 1, "2099-01-01T00:00:00Z");
    let first = desk.write("first.json", &String::from_utf8(first).unwrap());
    let from = |url: &str| {
        let words = ["trust", "root", "--refresh", "--tuf-url", url, "--tuf-root", &first];
        desk.bench.run(words)
    };
    from(&format!("{}/updates", keyless.url())).success().prints("stored");
    let before = desk.bench.run(["trust", "root"]).success().stdout;
    from("http://127.0.0.1:1").code(6).says("as good as before");
    assert_eq!(desk.bench.run(["trust", "root"]).success().stdout, before);
    desk.bench.run(["trust", "root", "--refresh", "--tuf-url", "http://x"]).code(2);
}
