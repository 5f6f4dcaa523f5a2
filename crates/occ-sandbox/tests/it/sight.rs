//! What a watch takes for silence, asked of a server that misbehaves as opencode can.

use std::time::Duration;

use occ_opencode::Client;
use occ_opencode::fake::{FakeServer, Manner, Script};
use occ_sandbox::{Sight, look_at};

async fn seen(manner: Manner) -> Sight {
    let script = Script::healthy().with(manner);
    let credentials = script.credentials.clone();
    let server = FakeServer::start(script).await.expect("a port");
    let client = Client::new(server.endpoint(), credentials).within(Duration::from_millis(500));
    look_at(&client).await
}

#[tokio::test]
async fn a_server_that_answers_is_alive() {
    assert_eq!(seen(Manner::Healthy).await, Sight::Alive);
}

#[tokio::test]
async fn a_green_health_alone_is_no_sign_of_life() {
    let sight = seen(Manner::BrokenInstance).await;
    let Sight::Silent(why) = sight else { panic!("{sight:?}") };
    assert!(why.contains("/path answered 400"), "{why}");
}

#[tokio::test]
async fn every_other_misbehaviour_is_silence_with_its_reason() {
    for (manner, reason) in [
        (Manner::NeverAnswers, "no answer to"),
        (Manner::HtmlEverywhere, "text/html"),
        (Manner::Unhealthy, "not healthy"),
    ] {
        let sight = seen(manner).await;
        assert!(matches!(&sight, Sight::Silent(why) if why.contains(reason)), "{sight:?}");
    }
}

#[tokio::test]
async fn nobody_listening_is_silence() {
    let server = FakeServer::start(Script::healthy()).await.expect("a port");
    let client = Client::new(server.endpoint(), None);
    drop(server);
    let sight = look_at(&client).await;
    assert!(matches!(&sight, Sight::Silent(why) if why.contains("cannot connect")), "{sight:?}");
}
