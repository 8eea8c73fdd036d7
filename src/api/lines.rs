//! A body of one JSON object a line, sent as it is made.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use tokio::sync::mpsc::Receiver;

/// Sends what a channel brings until it is closed.
pub struct Lines(pub Receiver<Bytes>);

impl MessageBody for Lines {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        loop {
            match ready!(self.0.poll_recv(context)) {
                // An empty chunk would be the end of the body.
                Some(lines) if lines.is_empty() => {}
                lines => return Poll::Ready(lines.map(Ok)),
            }
        }
    }
}

/// A value as a line.
#[must_use]
pub fn line(value: &serde_json::Value) -> Bytes {
    Bytes::from(format!("{value}\n"))
}
