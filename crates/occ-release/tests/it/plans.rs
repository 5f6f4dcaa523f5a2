//! Plans, and what must not be wrong with them.

use occ_oci::Platform;
use occ_release::{
    BaseDecision, Measure, Objection, PlannedTag, ReleasePlan, Source, build_plans, lint, look,
};

use crate::scene::{Scene, VARIANTS};

fn measured(scene: &Scene, plan: &ReleasePlan) -> Vec<Objection> {
    let measure = Measure {
        variants: VARIANTS.to_vec(),
        platforms: &Platform::ALL,
        standings: &[],
        newest: None,
        now: scene.hands.now.get(),
    };
    lint(plan, &measure)
}

#[tokio::test]
async fn a_plan_is_data_that_is_read_again() {
    let scene = Scene::new();
    let (plan, builds, objections) = scene.plan(&scene.wish("")).await;
    assert_eq!(objections, []);
    let text = serde_json::to_string_pretty(&plan).expect("it is written");
    assert_eq!(serde_json::from_str::<ReleasePlan>(&text).expect("it is read"), plan);
    assert!(plan.is_made_of(&builds));
    assert_eq!(plan.images.len(), 8);
    assert!(matches!(&plan.base.decision, BaseDecision::Build { why } if why.contains("has none")));
    // The same wish a second later makes other images of the same base.
    scene.later();
    let (later, builds, _) = scene.plan(&scene.wish("")).await;
    assert!(!plan.is_made_of(&builds) && !plan.makes_the_same(&later));
    assert_eq!(plan.base, later.base);
}

#[tokio::test]
async fn every_kind_of_bad_plan_is_refused() {
    let scene = Scene::new();
    let (good, _, _) = scene.plan(&scene.wish("")).await;
    let tag = |name: &str, of: &str, moves| PlannedTag {
        tag: name.parse().expect("a tag"),
        of: of.to_owned(),
        moves,
    };
    let bad = |change: &dyn Fn(&mut ReleasePlan)| {
        let mut plan = good.clone();
        change(&mut plan);
        measured(&scene, &plan)
    };
    let is = |objections: Vec<Objection>, wanted: &str| {
        let said: Vec<_> = objections.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|it| it.contains(wanted)), "{wanted}: {said:?}");
    };
    is(
        bad(&|plan| plan.images.retain(|image| image.variant != "omos")),
        "the variant omos is missing",
    );
    is(
        bad(&|plan| {
            plan.images
                .retain(|it| (it.variant.as_str(), it.platform) != ("base", Platform::LinuxArm64));
        }),
        "base is not made for linux/arm64",
    );
    is(bad(&|plan| plan.tags.insert(0, tag("newest", "base", true))), "newest would move before");
    is(
        bad(&|plan| plan.tags.insert(0, tag("v0.0.1", "nothing", false))),
        "nothing, which is not made",
    );
    is(
        bad(&|plan| {
            let first = plan.tags[0].clone();
            plan.tags.insert(0, first);
        }),
        "is given to two",
    );
    is(
        bad(&|plan| {
            let first = plan.places[0].clone();
            plan.places.push(first);
        }),
        "is named twice",
    );
    is(
        bad(&|plan| plan.channel = "v0.0.1".parse().expect("a version")),
        "v0.0.1 is released with opencode",
    );
    is(
        bad(&|plan| plan.created = "2030-01-01T00:00:00Z".parse().expect("a time")),
        "the clock is wrong",
    );
    assert_eq!(measured(&scene, &good), []);
}

#[tokio::test]
async fn a_version_that_is_there_is_refused_and_so_is_a_clock_that_is_behind() {
    let scene = Scene::new();
    let first = scene.release("").await;
    let (_, _, objections) = scene.plan(&scene.wish("")).await;
    let taken = objections.iter().filter(|it| matches!(it, Objection::Taken { .. })).count();
    // The commit is the same too: two names of each variant, at both places. That of occ stays where it is.
    assert_eq!(taken, 2 * 4 * 2, "{objections:?}");
    scene.later();
    let (plan, _, objections) = scene.plan(&scene.wish("b")).await;
    assert_eq!(objections, []);
    let measure = Measure {
        variants: VARIANTS.to_vec(),
        platforms: &Platform::ALL,
        standings: &[],
        newest: Some((first.channel, plan.created + jiff::SignedDuration::from_hours(1))),
        now: plan.created,
    };
    assert!(matches!(lint(&plan, &measure).as_slice(), [Objection::Clock { .. }]));
    let then = plan.created + jiff::SignedDuration::from_mins(1);
    let later = plan.created + jiff::SignedDuration::from_hours(1);
    let measure = Measure { newest: Some((first.channel, then)), now: later, ..measure };
    let created = plan.created;
    let earlier = [Objection::Earlier { of: first.channel, then, created }];
    assert_eq!(lint(&plan, &measure), earlier, "the clock is right, and the plan older");
}

#[tokio::test]
async fn a_lock_without_a_file_for_one_architecture_makes_no_plan() {
    let mut scene = Scene::new();
    for tool in scene.lock.tools.values_mut() {
        let arm = Some(occ_image::Architecture::Arm64);
        tool.packages.retain(|pin| pin.architecture != arm || !pin.name.contains("opencode"));
    }
    let source = Source { recipe: &scene.recipe, lock: &scene.lock };
    let error = build_plans(&scene.wish(""), &source).expect_err("arm64 has no opencode");
    assert!(error.to_string().contains("opencode"), "{error}");
}

#[tokio::test]
async fn a_registry_that_does_not_answer_is_no_empty_one() {
    for (number, status) in [(0, 503), (1, 429)] {
        let scene = Scene::small();
        let wish = scene.wish("");
        let looked = || look(&wish, "base-0123", &scene.places, scene.trust());
        looked().await.expect("both are empty");
        let harm = occ_testkit::Harm::status(status);
        scene.registries[number].fault(occ_testkit::Fault::on("GET", "/tags/list", harm));
        looked().await.expect_err("it does not answer");
    }
}
