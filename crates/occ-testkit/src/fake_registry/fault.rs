//! What goes wrong, when, and how.

use std::io;

use super::State;
use super::answer::answer;
use super::http::{Answer, Exchange, Request};

/// Something that happens to the next requests of one kind.
#[derive(Debug, Clone)]
pub struct Fault {
    method: String,
    target: String,
    skip: usize,
    times: usize,
    harm: Harm,
}

impl Fault {
    /// Describes what happens to every request with this method and this text in its target; an empty
    /// method stands for all.
    pub fn on(method: &str, target: &str, harm: Harm) -> Self {
        let (method, target) = (method.to_owned(), target.to_owned());
        Self { method, target, skip: 0, times: usize::MAX, harm }
    }

    /// Lets it happen so many times.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// Lets it happen only after so many such requests.
    #[must_use]
    pub fn after(self, skip: usize) -> Self {
        Self { skip, ..self }
    }
}

/// What happens.
#[derive(Debug, Clone)]
pub enum Harm {
    /// Nothing is done, and this is the answer.
    Answers {
        /// HTTP status.
        status: u16,
        /// Headers.
        headers: Vec<(String, String)>,
        /// Body.
        body: Vec<u8>,
    },
    /// The connection ends without an answer; what was asked for is not done.
    HangsUp,
    /// What was asked for is done, and the connection ends without an answer.
    LosesAnswer,
    /// Of the body only so many bytes arrive; then the connection ends.
    TakesOnly(usize),
    /// There is never an answer.
    Silent,
    /// After half of the body there is silence.
    SilentBody,
    /// After half of the body the connection ends.
    Truncated,
    /// The body never ends.
    Endless,
    /// One bit of the body is another one.
    Flipped,
    /// The body is another one.
    Body(Vec<u8>),
    /// A header has another value, or is not there.
    Header(String, Option<String>),
    /// All is well, and right afterwards something else happens to what the registry holds.
    Then(Change),
}

impl Harm {
    /// Answers with a status and no more.
    pub fn status(status: u16) -> Self {
        Self::Answers { status, headers: Vec::new(), body: Vec::new() }
    }

    /// Answers that it is asked too often, and when to come back, in seconds.
    pub fn busy(seconds: u64) -> Self {
        let headers = vec![("retry-after".to_owned(), seconds.to_string())];
        Self::Answers { status: 429, headers, body: Vec::new() }
    }

    /// Leads to another address.
    pub fn redirect(to: &str) -> Self {
        let headers = vec![("location".to_owned(), to.to_owned())];
        Self::Answers { status: 307, headers, body: Vec::new() }
    }

    /// Answers with a header of another value.
    pub fn header(name: &str, value: &str) -> Self {
        Self::Header(name.to_owned(), Some(value.to_owned()))
    }

    /// Answers without a header.
    pub fn without(name: &str) -> Self {
        Self::Header(name.to_owned(), None)
    }
}

/// A change of what a registry holds.
#[derive(Debug, Clone)]
pub enum Change {
    /// A manifest is put under a tag or digest.
    Put {
        /// Repository.
        repository: String,
        /// Tag or digest.
        name: String,
        /// Media type.
        media_type: String,
        /// Bytes.
        bytes: Vec<u8>,
    },
    /// A blob is there.
    Blob {
        /// Repository.
        repository: String,
        /// Bytes.
        bytes: Vec<u8>,
    },
    /// A tag, manifest or blob is gone.
    Forget {
        /// Repository.
        repository: String,
        /// Tag or digest.
        name: String,
    },
    /// Uploads under way are gone.
    ForgetUploads,
}

/// What is planned.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn plan(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Returns what happens to a request.
    pub(crate) fn due(&mut self, request: &Request) -> Option<Harm> {
        let hits = |fault: &Fault| {
            fault.times > 0
                && (fault.method.is_empty() || fault.method == request.method)
                && request.target.contains(&fault.target)
        };
        for fault in self.0.iter_mut().filter(|fault| hits(fault)) {
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times -= 1;
            return Some(fault.harm.clone());
        }
        None
    }
}

/// Lets harm come to a request.
pub(super) fn suffer(mut exchange: Exchange, state: &State, harm: Harm) -> io::Result<()> {
    match harm {
        Harm::Answers { status, headers, body } => {
            return exchange.write(&Answer { status, headers, body });
        }
        Harm::HangsUp => return Ok(()),
        Harm::Silent => return exchange.keep_silent(),
        Harm::TakesOnly(bytes) => {
            exchange.request.body.truncate(bytes);
            // The piece is as long as what came of it.
            exchange.request.headers.retain(|(name, _)| name != "content-range");
            let _lost = answer(state, &exchange.request);
            return Ok(());
        }
        _ => {}
    }
    let mut answer = answer(state, &exchange.request);
    let half = answer.body.len() / 2;
    match harm {
        Harm::LosesAnswer => Ok(()),
        Harm::Truncated => {
            exchange.head(&answer, Some(answer.body.len()))?;
            exchange.write_body(&answer.body[..half])
        }
        Harm::SilentBody => {
            exchange.head(&answer, Some(answer.body.len()))?;
            exchange.write_body(&answer.body[..half])?;
            exchange.keep_silent()
        }
        Harm::Endless => {
            exchange.head(&answer, None)?;
            let piece = vec![b' '; 64 * 1024];
            // It ends when the other side has enough.
            loop {
                exchange.write_body(&piece)?;
            }
        }
        Harm::Flipped => {
            if let Some(byte) = answer.body.last_mut() {
                *byte ^= 1;
            }
            exchange.write(&answer)
        }
        Harm::Body(body) => exchange.write(&Answer { body, ..answer }),
        Harm::Header(name, value) => {
            answer.headers.retain(|(other, _)| *other != name);
            answer.headers.extend(value.map(|value| (name, value)));
            exchange.write(&answer)
        }
        Harm::Then(change) => {
            state.memory().store.change(change);
            exchange.write(&answer)
        }
        _ => exchange.write(&answer),
    }
}
