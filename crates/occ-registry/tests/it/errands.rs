//! Requests to services beside the registries.

use occ_registry::{Errand, Reason, Registries, Secret, Verb};
use occ_testkit::{FakeRegistry, Fault, Harm, Referring};

use crate::{settings, told};

fn errand(url: &str) -> Errand {
    let bearer = Some(Secret::new("a-bearer"));
    let verb = Verb::Post("application/json", "a-body".into());
    Errand { url: Secret::new(url), verb, accept: "application/json", bearer, limit: 100 }
}

#[tokio::test]
async fn an_errand_is_sent_once_with_its_token_and_its_answer_has_a_limit() {
    let service = FakeRegistry::start(Referring::Api);
    let way = Registries::new(settings().0);
    let answers = |body: &[u8]| Harm::Answers { status: 201, headers: vec![], body: body.to_vec() };
    service.fault(Fault::on("POST", "/x", answers(b"yes")));
    service.fault(Fault::on("POST", "/long", answers(&[b'y'; 101])));
    let answer = way.errand(&errand(&service.url("/x"))).await.expect("an answer");
    assert_eq!(&answer[..], b"yes");
    let sent = &service.requests()[0];
    assert_eq!(sent.header("authorization"), Some("Bearer a-bearer"));
    assert_eq!(sent.body, b"a-body");
    let error = way.errand(&errand(&service.url("/long"))).await.expect_err("too long");
    assert!(matches!(error.reason, Reason::TooLarge { .. }), "{error:?}");
    assert_eq!(service.requests().len(), 2);
}

#[tokio::test]
async fn attack_21_an_errand_goes_nowhere_else_and_its_refusal_repeats_nothing() {
    let service = FakeRegistry::start(Referring::Api);
    let elsewhere = FakeRegistry::start(Referring::Api);
    let way = Registries::new(settings().0);
    service.fault(Fault::on("POST", "/away", Harm::redirect(&elsewhere.url("/x"))));
    let body = b"a-bearer a-body".to_vec();
    service.fault(Fault::on("POST", "/no", Harm::Answers { status: 400, headers: vec![], body }));
    service.fault(Fault::on("POST", "/later", Harm::status(503)));
    for place in ["/away", "/no", "/later?secret=yes"] {
        let errand = errand(&service.url(place));
        let error = way.errand(&errand).await.expect_err(place);
        let told = format!("{} {errand:?}", told(&error));
        for secret in ["a-bearer", "a-body", "secret"] {
            assert!(!told.contains(secret), "{place}: {told}");
        }
    }
    assert_eq!(service.requests().len(), 3, "each once");
    assert!(elsewhere.requests().is_empty());
    let error = way.errand(&errand("http://logs.example/x")).await.expect_err("not encrypted");
    assert!(matches!(error.reason, Reason::Downgrade { .. }), "{error:?}");
    way.errand(&errand("ftp://logs.example/x")).await.expect_err("another protocol");
}

#[tokio::test]
async fn what_may_be_asked_twice_is_asked_again_after_a_while_and_no_refusal_is() {
    let service = FakeRegistry::start(Referring::Api);
    let (settings, waits) = settings();
    let way = Registries::new(settings);
    let answers = Harm::Answers { status: 200, headers: vec![], body: b"yes".to_vec() };
    service.fault(Fault::on("PATCH", "/x", Harm::busy(9)).times(1));
    service.fault(Fault::on("PATCH", "/x", Harm::status(502)).times(1));
    service.fault(Fault::on("PATCH", "/x", answers));
    service.fault(Fault::on("PATCH", "/no", Harm::status(403)));
    let patch = |place: &str| {
        let verb = Verb::Patch("application/json", "a-body".into());
        Errand { verb, ..errand(&service.url(place)) }
    };
    let answer = way.errand_again(&patch("/x")).await.expect("an answer");
    assert_eq!(&answer[..], b"yes");
    let waited = waits.seconds();
    assert!(matches!(waited[..], [9..=11, 2]), "{waited:?}");
    assert!(service.requests().iter().all(|request| request.body == b"a-body"));
    let error = way.errand_again(&patch("/no")).await.expect_err("refused");
    assert!(matches!(error.reason, Reason::Denied { .. }), "{error:?}");
    assert_eq!(service.requests().len(), 4);
}
