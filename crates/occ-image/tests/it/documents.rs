use occ_image::{BuildPlan, Cpu, Lock, NoPin, Recipe, Target};
use occ_oci::Platform;

#[test]
fn the_embedded_recipe_and_lock_give_a_plan_for_every_machine() {
    let (recipe, lock) = (Recipe::embedded().unwrap(), Lock::embedded().unwrap());
    let machines = [
        (Platform::LinuxAmd64, Cpu::Modern, "opencode-linux-x64"),
        (Platform::LinuxAmd64, Cpu::Baseline, "opencode-linux-x64-baseline"),
        (Platform::LinuxArm64, Cpu::Modern, "opencode-linux-arm64"),
    ];
    for (platform, cpu, package) in machines {
        let plan = BuildPlan::new(&recipe, &lock, Target { platform, cpu }, "1.0.0").unwrap();
        assert_eq!(plan.opencode.package, package);
        assert!(plan.opencode_version().starts_with("1.18."), "{}", plan.opencode_version());
    }
    assert!(recipe.base.packages.iter().any(|name| name == "tini"));
    assert!(recipe.base.packages.iter().any(|name| name == "ripgrep"));
}

#[test]
fn a_machine_without_a_pin_is_named() {
    let lock = Lock { opencode: Vec::new() };
    let target = Target { platform: Platform::LinuxArm64, cpu: Cpu::Modern };
    let error = BuildPlan::new(&Recipe::embedded().unwrap(), &lock, target, "1").unwrap_err();
    assert_eq!(error, NoPin { platform: Platform::LinuxArm64, cpu: Cpu::Modern });
    assert_eq!(
        error.to_string(),
        "the lock has no opencode for linux/arm64 with a modern processor"
    );
}

#[test]
fn a_mistake_in_the_recipe_is_shown_with_its_place() {
    let parse = |text: &str| Recipe::parse("r.toml", text).unwrap_err().to_string();
    let unknown =
        "[base]\nsuite = \"trixie\"\nvariant = \"minbase\"\npackages = []\npakages = []\n";
    let message = parse(unknown);
    assert!(message.starts_with("r.toml:5:1: unknown field `pakages`"), "{message}");
    let message = parse("[base]\nsuite = 13\n");
    assert!(message.starts_with("r.toml:2:9: invalid type"), "{message}");
    let message = parse("[base]\nsuite = \"trixie\"\n");
    assert!(message.contains("missing field"), "{message}");
    let message = parse("[base\n");
    assert!(message.starts_with("r.toml:1:"), "{message}");
}

#[test]
fn a_mistake_in_the_lock_is_shown_with_its_place() {
    let good = include_str!("../../../../image/sandbox.lock");
    let parse = |text: &str| Lock::parse("l.lock", text).unwrap_err().to_string();
    let message = parse(&good.replacen("sha512-", "sha1-", 1));
    assert!(message.starts_with("l.lock:9:13: \"sha1-"), "{message}");
    let message = parse(&good.replacen("sha256:0", "sha256:", 1));
    assert!(message.contains("has 64 digits, not 63"), "{message}");
    let message = parse(&good.replacen("linux/amd64", "plan9/mips", 1));
    assert!(
        message.starts_with("l.lock:5:12: \"plan9/mips\" is not a known platform"),
        "{message}"
    );
}
