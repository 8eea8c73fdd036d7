//! A large body, sent a piece at a time: megabytes that are copied at once would hold up the checks of the same thread.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use tokio::task::yield_now;

/// Bytes that are sent before others have their turn.
const PIECE: usize = 32 << 10;

/// What is left of a body.
pub struct Pieces {
    rest: Bytes,
    /// Others come first.
    pause: bool,
}

impl Pieces {
    #[must_use]
    pub fn new(body: Vec<u8>) -> Self {
        Self { rest: body.into(), pause: false }
    }
}

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.rest.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        self.pause = !self.pause;
        if !self.pause {
            // Not by the waker: what only wakes itself is asked again before the network is.
            let _ = pin!(yield_now()).poll(task);
            return Poll::Pending;
        }
        let length = PIECE.min(self.rest.len());
        Poll::Ready(Some(Ok(self.rest.split_to(length))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn a_body_arrives_whole() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE] {
            let body: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let sent = actix_web::body::to_bytes(Pieces::new(body.clone())).await.unwrap();
            assert!(sent == body, "{length}");
        }
    }
}
