//! Changes as server-sent events: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
//!
//! The body makes the next events when the last ones were taken, so a slow reader holds up nobody and one that goes
//! away leaves nothing behind.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use super::ChangeReply;
use super::feed::Feed;
use crate::api::error::ApiError;
use crate::api::places::Place;
use crate::storage::records::TupleChange;

/// After this time without a change a comment tells that the stream is alive, and shows whether its reader is.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) fn answer(
    mut response: HttpResponseBuilder,
    feed: Feed,
    request: HttpRequest,
    follower: Place,
) -> HttpResponse {
    let stream = Stream { feed, request, _follower: follower };
    response
        .content_type("text/event-stream")
        .insert_header(("Cache-Control", "no-store"))
        .body(Events { next: Some(Box::pin(stream.next())) })
}

struct Stream {
    feed: Feed,
    request: HttpRequest,
    _follower: Place,
}

/// What is sent next, and what goes on behind it.
type Next = Option<(String, Option<Stream>)>;

impl Stream {
    /// Waits for what is to be sent; nothing when the server ends.
    async fn next(mut self) -> Next {
        loop {
            let rows = match self.feed.allowed(&self.request).await {
                Ok(()) => self.feed.read().await,
                Err(error) => Err(error),
            };
            match rows {
                Err(error) => return Some((failure(&error), None)),
                Ok(rows) if rows.is_empty() => match tokio::time::timeout(KEEP_ALIVE, self.feed.arrival()).await {
                    Ok(true) => {}
                    Ok(false) => return None,
                    Err(_) => return Some((":\n\n".to_owned(), Some(self))),
                },
                Ok(rows) => {
                    let event = |row: &TupleChange| {
                        let id = self.feed.token_of((row.revision, row.ordinal));
                        let data = serde_json::to_string(&ChangeReply::from(row)).unwrap_or_default();
                        format!("event: change\nid: {id}\ndata: {data}\n\n")
                    };
                    let events: Vec<String> = rows.iter().map(event).collect();
                    return Some((events.concat(), Some(self)));
                }
            }
        }
    }
}

fn failure(error: &ApiError) -> String {
    let problem = serde_json::to_string(&error.body(None)).unwrap_or_default();
    format!("event: error\ndata: {problem}\n\n")
}

struct Events {
    next: Option<Pin<Box<dyn Future<Output = Next>>>>,
}

impl MessageBody for Events {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        let Poll::Ready(made) = next.as_mut().poll(context) else { return Poll::Pending };
        self.next = None;
        let Some((text, rest)) = made else { return Poll::Ready(None) };
        if let Some(rest) = rest {
            self.next = Some(Box::pin(rest.next()));
        }
        Poll::Ready(Some(Ok(Bytes::from(text))))
    }
}
