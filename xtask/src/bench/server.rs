//! opencode's server, asked with nothing of ours in between.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::Outcome;

/// How impatiently is asked: how often, and how long one request may take.
struct Pace {
    every: Duration,
    patience: Duration,
}

/// A request that comes while opencode starts is never answered, so the next does not wait for it.
const HEALTH: Pace = Pace { every: Duration::from_millis(25), patience: Duration::from_secs(1) };
/// The first answer is work, and every request is more of it.
const INSTANCE: Pace = Pace { every: Duration::from_secs(2), patience: Duration::from_secs(10) };

/// A silence of which it is worth knowing what comes after it.
const NOTICED: Duration = Duration::from_millis(200);

/// One server and who asks it.
#[derive(Clone)]
pub(super) struct Server {
    address: SocketAddr,
    credentials: String,
}

impl Server {
    /// Returns the server on a port of this machine.
    pub(super) fn new(port: u16, user: &str, password: &str) -> Self {
        let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
        Self { address: (Ipv4Addr::LOCALHOST, port).into(), credentials }
    }

    /// Returns how long one question to the health endpoint takes, with its connection.
    pub(super) fn time_round_trip(&self) -> Outcome<Duration> {
        let begun = Instant::now();
        self.ask("/global/health", Duration::from_secs(10))?;
        Ok(begun.elapsed())
    }

    /// Waits until health and then an endpoint that needs a working instance answer.
    pub(super) fn wait(&self, deadline: Instant) -> Outcome {
        self.first_answer("/global/health", &HEALTH, deadline)?;
        self.first_answer("/path", &INSTANCE, deadline)
    }

    /// Returns the longest time in which the server could not be used while something happens to it.
    pub(super) fn longest_silence(
        &self,
        during: impl FnOnce() -> Outcome,
        most: Duration,
    ) -> Outcome<Duration> {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let watch = scope.spawn(|| self.watch(&over, Instant::now() + most));
            let done = during();
            over.store(true, Ordering::Relaxed);
            let longest = watch.join().map_err(|_| "watching panicked")?;
            done.and(longest.map_err(Into::into))
        })
    }

    fn watch(&self, over: &AtomicBool, deadline: Instant) -> Result<Duration, String> {
        let (mut longest, mut last) = (Duration::ZERO, Instant::now());
        while !over.load(Ordering::Relaxed) {
            let wait = |path, pace: &Pace| {
                self.first_answer(path, pace, deadline).map_err(|error| error.to_string())
            };
            wait("/global/health", &HEALTH)?;
            if last.elapsed() > NOTICED {
                // It may be a new server, whose health says little.
                wait("/path", &INSTANCE)?;
            }
            longest = longest.max(last.elapsed());
            last = Instant::now();
            thread::sleep(HEALTH.every);
        }
        Ok(longest)
    }

    fn first_answer(&self, path: &'static str, pace: &Pace, deadline: Instant) -> Outcome {
        let (answered, answers) = channel();
        loop {
            self.ask_beside(path, pace.patience, answered.clone());
            match answers.recv_timeout(pace.every) {
                Ok(()) => return Ok(()),
                Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
                Err(_) => return Err(format!("no answer from {path}").into()),
            }
        }
    }

    fn ask_beside(&self, path: &'static str, patience: Duration, answered: Sender<()>) {
        let server = self.clone();
        thread::spawn(move || {
            if server.ask(path, patience).is_ok() {
                // Another request may have been quicker; then nobody listens any more.
                let _late = answered.send(());
            }
        });
    }

    /// Asks once, on a connection of its own.
    fn ask(&self, path: &str, patience: Duration) -> io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&self.address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {}\r\nConnection: close\r\n\r\n",
            self.address, self.credentials
        );
        stream.write_all(request.as_bytes())?;
        let head = read_answer(stream)?;
        // Unknown paths are answered too, with a web page.
        if head.starts_with("http/1.1 200") && head.contains("content-type: application/json") {
            Ok(())
        } else {
            Err(io::Error::other(head.lines().next().unwrap_or("nothing").to_owned()))
        }
    }
}

/// Reads an answer and returns its head in lower case.
///
/// The length that is announced ends it: opencode keeps a connection open for seconds after the first
/// answer of an instance, even when it is told to close it.
fn read_answer(stream: impl io::Read) -> io::Result<String> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse().ok()).unwrap_or(u64::MAX);
    reader.take(length).read_to_end(&mut Vec::new())?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const JSON: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}";

    /// Answers each connection in turn with the next text; an empty one is never answered.
    fn serving(answers: &[&'static str]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let answers = answers.to_vec();
        thread::spawn(move || {
            let mut silent = Vec::new();
            for (answer, stream) in answers.iter().zip(listener.incoming()) {
                let mut stream = stream.expect("a connection");
                let mut request = [0; 1024];
                assert!(stream.read(&mut request).expect("a request") > 0);
                if answer.is_empty() {
                    silent.push(stream);
                } else {
                    stream.write_all(answer.as_bytes()).expect("written");
                }
            }
            thread::sleep(Duration::from_secs(5));
        });
        Server::new(port, "opencode", "secret")
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[test]
    fn a_request_that_is_never_answered_does_not_hold_up_the_next() {
        assert!(serving(&["", "", JSON, JSON]).wait(soon()).is_ok());
    }

    #[test]
    fn a_web_page_or_a_refusal_is_no_answer() {
        let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>";
        let refusal = "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n\r\n{}";
        assert!(serving(&[page]).time_round_trip().is_err());
        assert!(serving(&[refusal]).time_round_trip().is_err());
        assert!(serving(&[page, refusal, JSON, JSON]).wait(soon()).is_ok());
    }

    #[test]
    fn an_answer_ends_with_its_length_though_the_connection_stays_open() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = Server::new(port, "opencode", "secret");
        let asking = thread::spawn(move || server.time_round_trip().map_err(|e| e.to_string()));
        let (mut stream, _) = listener.accept().expect("a connection");
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n";
        stream.write_all(format!("{head}{{}}").as_bytes()).expect("written");
        assert!(asking.join().expect("no panic").is_ok());
    }

    #[test]
    fn the_longest_silence_lasts_until_a_working_instance_answers() {
        let pause = || {
            thread::sleep(Duration::from_millis(100));
            Ok(())
        };
        let answering = serving(&[JSON; 64]);
        let short = answering.longest_silence(pause, Duration::from_secs(5)).expect("answers");
        assert!(short > Duration::ZERO, "{short:?}");
        let refusal = "HTTP/1.1 503 Busy\r\n\r\n";
        let silent = serving(&[refusal; 64]);
        let error = silent.longest_silence(pause, Duration::from_millis(60)).expect_err("silent");
        assert_eq!(error.to_string(), "no answer from /global/health");
    }

    #[test]
    fn waiting_ends_at_the_deadline() {
        let deadline = Instant::now() + Duration::from_millis(60);
        let error = serving(&[""; 64]).wait(deadline).expect_err("nobody answers");
        assert_eq!(error.to_string(), "no answer from /global/health");
    }
}
