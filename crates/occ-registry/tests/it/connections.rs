//! On which connection something is asked.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use std::time::Duration;

use occ_oci::{Digest, MediaType};
use occ_registry::Client;

use crate::material::blob;
use crate::{client_with, digest, settings};

/// A registry that has one blob, and writes down on which connection it was asked what.
struct Registry {
    host: String,
    asked: Arc<Mutex<Vec<(usize, String)>>>,
}

/// What it does with a question, given how many came before it on its connection.
#[derive(Clone, Copy)]
enum Does {
    Answers,
    /// It answers, and hangs up without having said so.
    AnswersLast,
    HangsUp,
}

impl Registry {
    fn start(does: fn(&str, usize) -> Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (stream, noted) = (stream.expect("a connection"), Arc::clone(&noted));
                std::thread::spawn(move || {
                    converse(stream, |question, before| {
                        noted.lock().expect("no panic").push((number, question.to_owned()));
                        does(question, before)
                    });
                });
            }
        });
        Self { host, asked }
    }

    fn client(&self) -> Client {
        client_with(settings().0, &self.host, "a/b")
    }

    /// Numbers of connections, one for each question.
    fn connections(&self) -> Vec<usize> {
        self.asked.lock().expect("no panic").iter().map(|(number, _)| *number).collect()
    }
}

/// Answers what is asked on one connection.
fn converse(stream: TcpStream, does: impl Fn(&str, usize) -> Does) {
    let mut answers = stream.try_clone().expect("the same");
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    for before in 0.. {
        let Some(question) = lines.next() else { return };
        // None of the questions has a body.
        lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
        let answer = match question.as_str() {
            line if line.contains(&Digest::sha256(&[7]).to_string()) => {
                "200 OK\r\nContent-Length: 1\r\n\r\n"
            }
            line if line.starts_with("HEAD") => "404 Not Found\r\nContent-Length: 5\r\n\r\n",
            line if line.starts_with("POST") => {
                "202 Accepted\r\nLocation: /v2/a/b/blobs/uploads/1\r\nContent-Length: 0\r\n\r\n"
            }
            _ => "404 Not Found\r\nContent-Length: 5\r\n\r\nnever",
        };
        let does = does(&question, before);
        if matches!(does, Does::HangsUp) {
            return;
        }
        answers.write_all(format!("HTTP/1.1 {answer}").as_bytes()).expect("an answer");
        if matches!(does, Does::AnswersLast) {
            return;
        }
    }
}

async fn ask(client: &Client, times: usize) {
    for number in 0..times {
        assert!(client.has_blob(&Digest::sha256(&[7])).await.expect("an answer"), "{number}");
    }
}

#[tokio::test]
async fn questions_one_after_the_other_go_over_one_connection() {
    let registry = Registry::start(|_, _| Does::Answers);
    let client = registry.client();
    ask(&client, 3).await;
    let none = digest(&Digest::sha256(b"none").to_string());
    let error = client.manifest(&none).await.expect_err("it has none");
    assert!(error.reason.is_not_found(), "{error:?}");
    ask(&client, 1).await;
    assert_eq!(registry.connections(), [0; 5]);
}

#[tokio::test]
async fn questions_at_the_same_time_have_a_connection_each_and_leave_them_to_the_next() {
    let registry = Registry::start(|_, _| Does::Answers);
    let client = registry.client();
    tokio::join!(ask(&client, 1), ask(&client, 1));
    tokio::join!(ask(&client, 2), ask(&client, 2));
    let mut connections = registry.connections();
    connections.sort_unstable();
    connections.dedup();
    assert_eq!(connections, [0, 1]);
}

#[tokio::test]
async fn a_connection_on_which_the_registry_hung_up_is_left() {
    let registry = Registry::start(|_, _| Does::AnswersLast);
    let client = registry.client();
    for _ in 0..3 {
        ask(&client, 1).await;
        // Until the other side's end has come.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(registry.connections(), [0, 1, 2]);
}

#[tokio::test]
async fn a_question_on_which_the_registry_hangs_up_is_asked_on_a_new_connection_at_once() {
    let registry = Registry::start(|_, before| match before {
        0 => Does::Answers,
        _ => Does::HangsUp,
    });
    let (settings, waits) = settings();
    let client = client_with(settings, &registry.host, "a/b");
    ask(&client, 2).await;
    assert_eq!(registry.connections(), [0, 0, 1]);
    assert_eq!(waits.seconds(), [0; 0]);
}

#[tokio::test]
async fn what_changes_something_has_a_connection_of_its_own() {
    let registry = Registry::start(|question, before| match before {
        1.. if !question.starts_with("HEAD") => Does::HangsUp,
        _ => Does::Answers,
    });
    let (mut settings, waits) = settings();
    settings.patience.waits.clear();
    let client = client_with(settings, &registry.host, "a/b");
    ask(&client, 1).await;
    let (blob, bytes) = blob(MediaType::LayerTar, vec![8]);
    // It forgets every upload.
    client.push_blob(&blob, &mut bytes.clone(), None).await.expect_err("nowhere to put it");
    let asked = registry.asked.lock().expect("no panic").clone();
    let (on, questions): (Vec<usize>, Vec<&str>) =
        asked.iter().map(|(number, question)| (*number, &question[..4])).unzip();
    assert_eq!(questions[..3], ["HEAD", "HEAD", "POST"], "{asked:?}");
    assert_eq!(on[..3], [0, 0, 1], "{asked:?}");
    assert_eq!(waits.seconds(), [0; 0]);
}
