//! The body of a request: bytes that are held, or bytes that are fed to it while it is sent.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Frame, SizeHint};
use tokio::sync::mpsc;

/// How many pieces wait between who reads them and who sends them.
const WAITING: usize = 2;

/// What a request carries. It may have to be sent twice: a registry can want to know first who asks.
#[derive(Clone)]
pub(crate) enum Load {
    /// All of it is here.
    Held(Bytes),
    /// It is read while it is sent.
    Fed(Feed),
}

/// Bytes that somebody else reads, for as often as they are wanted from the first one on.
#[derive(Clone)]
pub(crate) struct Feed {
    length: u64,
    wishes: mpsc::UnboundedSender<mpsc::Sender<Bytes>>,
}

/// Where a reader hears that its bytes are wanted, and where to put them.
pub(crate) type Wishes = mpsc::UnboundedReceiver<mpsc::Sender<Bytes>>;

impl Load {
    /// Returns a load without a byte.
    pub(crate) const fn none() -> Self {
        Self::Held(Bytes::new())
    }

    /// Returns a load of `length` bytes, and where its reader hears that they are wanted.
    pub(crate) fn fed(length: u64) -> (Self, Wishes) {
        let (wishes, heard) = mpsc::unbounded_channel();
        (Self::Fed(Feed { length, wishes }), heard)
    }

    /// Returns the length in bytes.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.len() as u64,
            Self::Fed(feed) => feed.length,
        }
    }

    /// Returns a body for one request.
    pub(super) fn body(&self) -> Body {
        match self {
            Self::Held(bytes) => Body::Held(Full::new(bytes.clone())),
            Self::Fed(Feed { length, wishes }) => {
                let (sender, pieces) = mpsc::channel(WAITING);
                // Where nobody reads any more, nobody waits for the request either.
                drop(wishes.send(sender));
                Body::Fed { pieces, left: *length }
            }
        }
    }
}

/// The body of one request.
pub(super) enum Body {
    Held(Full<Bytes>),
    Fed { pieces: mpsc::Receiver<Bytes>, left: u64 },
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Held(full) => Pin::new(full).poll_frame(context),
            Self::Fed { left: 0, .. } => Poll::Ready(None),
            Self::Fed { pieces, left } => match pieces.poll_recv(context) {
                Poll::Ready(Some(bytes)) => {
                    *left = left.saturating_sub(bytes.len() as u64);
                    Poll::Ready(Some(Ok(Frame::data(bytes))))
                }
                // Whoever read has given up; the answer that came meanwhile can still be read.
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Held(full) => full.is_end_stream(),
            Self::Fed { left, .. } => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Held(full) => full.size_hint(),
            Self::Fed { left, .. } => SizeHint::with_exact(*left),
        }
    }
}
