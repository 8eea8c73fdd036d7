//! The changes of tuples: read page by page, waited for, or streamed.

mod feed;
mod stream;

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

use crate::api::error::{ApiError, Code, ProblemBody};
use crate::api::extract::{Query, ReadStore};
use crate::api::middleware::TimeLimit;
use crate::api::v1::tuples::TupleReply;
use crate::api::{Services, admission};
use crate::storage::records::TupleChange;
use feed::Feed;

/// Seconds that a request may ask to wait.
const MAX_WAIT: u64 = 60;
/// The revision up to which changes are gone that a reader from the beginning asked for.
pub const TRIMMED: &str = "AuthX-Trimmed-Through";
/// What is left of a request's time for its answer when nothing came.
const TO_ANSWER: Duration = Duration::from_secs(2);

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ChangesQuery {
    /// Only changes of objects of this type.
    #[serde(default)]
    object_type: Option<String>,
    /// Only changes from this time on, RFC 3339.
    #[serde(default)]
    since: Option<String>,
    /// 1 to 1,000; 100 when absent.
    page_size: Option<u32>,
    /// From the page before, or the id of an event. It is good for as long as the changes behind it are kept.
    page_token: Option<String>,
    /// Seconds to wait for a change when there is none, 0 to 60; the answer comes before the server's time limit for
    /// requests in any case.
    #[serde(default)]
    #[param(maximum = 60)]
    wait: u64,
}

/// Whether a tuple was written or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeOperation {
    Write,
    Delete,
}

/// A tuple as it was written, or as it was before it was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeReply {
    revision: u64,
    operation: ChangeOperation,
    #[serde(flatten)]
    tuple: TupleReply,
    at: String,
}

impl From<&TupleChange> for ChangeReply {
    fn from(row: &TupleChange) -> Self {
        Self {
            revision: row.revision.0,
            operation: if row.written { ChangeOperation::Write } else { ChangeOperation::Delete },
            tuple: TupleReply::from(&row.tuple),
            at: row.at.to_string(),
        }
    }
}

/// A page of changes, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeList {
    changes: Vec<ChangeReply>,
    revision: u64,
    release: Option<String>,
    consistency_token: String,
    /// Always there: what comes later is read from here on.
    next_page_token: String,
}

/// The changes of tuples, oldest first; deletes before writes within a revision.
///
/// With `Accept: text/event-stream` they are sent as they come: `event: change`, whose `id` is a page token and whose
/// `data` is a change. `event: error` with a problem is the last one when the server ends the stream for a reason.
///
/// Changes are kept for `storage.history_days`. Who begins without a token begins at what is kept, and the header
/// `AuthX-Trimmed-Through` names the last revision of which something is missing.
#[utoipa::path(get, path = "/v1/stores/{store}/changes", operation_id = "listChanges", tag = "data",
    params(("store" = String, Path, description = "id or alias"), ChangesQuery, ("Last-Event-ID" = Option<String>, Header, description = "of a stream: the last event that was seen; it wins over `page_token`")),
    responses((status = 200, content((ChangeList = "application/json"), (String = "text/event-stream")), headers(("AuthX-Trimmed-Through" = Option<u64>, description = "changes of this revision and before are gone"))), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn list(
    services: web::Data<Services>,
    access: ReadStore,
    query: Query<ChangesQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let wait = wait(&request, query.0.wait)?;
    let streamed = header(&request, "accept").is_some_and(|accept| accept.contains("text/event-stream"));
    let token = header(&request, "last-event-id").filter(|_| streamed).or(query.0.page_token.as_deref());
    let mut feed = Feed::open(&services, &access.0, &query.0, token).await?;
    let mut response = HttpResponse::Ok();
    if let Some(revision) = feed.trimmed_through() {
        response.insert_header((TRIMMED, revision.to_string()));
    }
    if streamed {
        let follower = services.followers.enter(*access.0.tenant.tenant())?;
        return Ok(stream::answer(response, feed, request, follower));
    }
    let mut rows = feed.read().await?;
    if rows.is_empty() && !wait.is_zero() {
        let _follower = services.followers.enter(*access.0.tenant.tenant())?;
        admission::wait(&request);
        let until = Instant::now() + wait;
        let mut more = true;
        while rows.is_empty() && more {
            more = matches!(tokio::time::timeout_at(until, feed.arrival()).await, Ok(true));
            feed.allowed(&request).await?;
            rows = feed.read().await?;
        }
    }
    let current = access.0.store.current();
    Ok(response.json(ChangeList {
        changes: rows.iter().map(ChangeReply::from).collect(),
        revision: current.revision().0,
        release: current.release_id().map(str::to_owned),
        consistency_token: current.token.clone(),
        next_page_token: feed.token(),
    }))
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// How long a request may wait: as long as it asks, and not so long that the time limit takes its answer.
fn wait(request: &HttpRequest, seconds: u64) -> Result<Duration, ApiError> {
    if seconds > MAX_WAIT {
        let detail = format!("`wait` is 0 to {MAX_WAIT} seconds, not {seconds}");
        return Err(ApiError::new(Code::MalformedRequest, detail));
    }
    let wait = Duration::from_secs(seconds);
    let limit = request.app_data::<web::Data<TimeLimit>>().map(|limit| limit.0.saturating_sub(TO_ANSWER));
    Ok(limit.map_or(wait, |limit| wait.min(limit)))
}
