//! A model that answers every chat with one sentence, in the form that most providers share.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

pub(crate) const ANSWER: &str = "PONG";

pub(crate) struct MockModel {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
}

impl MockModel {
    /// Listens on a free port of this address until the test ends.
    pub(crate) fn start(host: &str) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::Relaxed);
                answer(stream);
            }
        });
        Self { address, calls }
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Returns what a user would write to use it.
    pub(crate) fn config(&self) -> String {
        serde_json::json!({
            "model": "mock/mock-1",
            "small_model": "mock/mock-1",
            "provider": { "mock": {
                "npm": "@ai-sdk/openai-compatible",
                "name": "Mock",
                "options": { "baseURL": format!("http://{}/v1", self.address), "apiKey": "key" },
                "models": { "mock-1": { "name": "Mock 1", "tool_call": true } },
            } },
        })
        .to_string()
    }
}

fn answer(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).unwrap_or(0) > 2 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    reader.take(length).read_to_end(&mut Vec::new()).unwrap();
    let piece = |delta: serde_json::Value, finish: Option<&str>| {
        let choice = serde_json::json!({ "index": 0, "delta": delta, "finish_reason": finish });
        let chunk = serde_json::json!({
            "id": "1", "object": "chat.completion.chunk", "created": 0, "model": "mock-1",
            "choices": [choice],
        });
        format!("data: {chunk}\n\n")
    };
    let body = [
        piece(serde_json::json!({ "role": "assistant", "content": ANSWER }), None),
        piece(serde_json::json!({}), Some("stop")),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    // The client may have gone away; the test will see what it got.
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .ok();
}
