//! `POST /v1/stores/{store}/tuples/delete-by-filter`: as many as one write takes; who asks again goes on.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use authx_engine::relation::TupleKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{filter, key_of};
use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody, invalid_input};
use crate::api::extract::{RawBody, WriteStore, parse};
use crate::api::once::{IdempotencyHeader, IdempotencyKey, json, respond};
use crate::pap::{Committed, DataWrite, Once, Otherwise, PapError, TupleChanges};

const DEFAULT_STEP: u32 = 1_000;
/// What a write takes at most.
const MAX_STEP: u32 = 10_000;

/// Which tuples to delete: those that have everything that is given; something must be. An unknown field is refused.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteTuplesBody {
    /// `document:roadmap`, or `document:` for every object of the type.
    #[serde(default)]
    #[schema(example = "document:roadmap")]
    object: Option<String>,
    #[serde(default)]
    #[schema(example = "viewer")]
    relation: Option<String>,
    /// `user:ann`, `group:eng#member`, or `user:` for every subject of the type.
    #[serde(default)]
    #[schema(example = "user:ann")]
    subject: Option<String>,
    /// The most to delete now, 1 to 10,000; 1,000 when absent.
    #[serde(default)]
    limit: Option<u32>,
}

/// One step of deleting, which is one commit.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeleteTuplesReply {
    deleted: usize,
    /// Nothing that fits is left. Else ask again.
    complete: bool,
    revision: u64,
    release: Option<String>,
    consistency_token: String,
}

/// Deletes tuples by object, relation and subject, in steps that are each all or nothing.
#[utoipa::path(post, path = "/v1/stores/{store}/tuples/delete-by-filter", operation_id = "deleteTuples", tag = "data", params(("store" = String, Path, description = "id or alias"), IdempotencyHeader), request_body = DeleteTuplesBody,
    responses((status = 200, body = DeleteTuplesReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn delete(
    services: web::Data<Services>,
    access: WriteStore,
    key: IdempotencyKey,
    raw: RawBody,
) -> Result<HttpResponse, ApiError> {
    let DeleteTuplesBody { object, relation, subject, limit } = parse(&raw.0)?;
    if object.is_none() && relation.is_none() && subject.is_none() {
        let detail = "name an `object`, a `relation` or a `subject`: without any, every tuple of the store would go";
        return Err(ApiError::new(Code::MalformedRequest, detail));
    }
    let limit = step(limit)?;
    let filter = filter(object.as_deref(), relation.as_deref(), subject.as_deref())
        .map_err(|problems| invalid_input(&problems))?;
    let (store, writers) = (&access.0.store, &services.writers);
    let rows = services.storage.data.tuples(store.scope(), &filter, None, limit + 1).await;
    let rows = rows.map_err(PapError::from)?;
    let complete = rows.len() <= limit as usize;
    let asked = key.of_store(store.scope(), &raw.0);
    let once = Once::new(asked, move |made| json(StatusCode::OK, &DeleteTuplesReply::of(made, complete)));
    let keys: Vec<TupleKey> = rows.iter().take(limit as usize).map(|row| key_of(&row.key)).collect();
    if keys.is_empty() {
        let nothing = Committed::nothing(&store.current());
        return respond(&once, writers.nothing_made(&once, nothing).await);
    }
    // What somebody else deleted meanwhile is gone as it should be.
    let tuples = TupleChanges { delete: keys, on_missing: Otherwise::Ignore, ..TupleChanges::default() };
    let write = DataWrite { tuples, ..DataWrite::default() };
    respond(&once, writers.write_once(store, access.0.caller.actor(), write, once.clone()).await)
}

/// How many rows a step deletes at most.
pub(in crate::api::v1) fn step(limit: Option<u32>) -> Result<u32, ApiError> {
    let limit = limit.unwrap_or(DEFAULT_STEP);
    if !(1..=MAX_STEP).contains(&limit) {
        return Err(ApiError::new(Code::MalformedRequest, format!("`limit` is 1 to {MAX_STEP}, not {limit}")));
    }
    Ok(limit)
}

impl DeleteTuplesReply {
    fn of(made: &Committed, complete: bool) -> Self {
        let Committed { tuples_deleted, revision, release, token, .. } = made.clone();
        Self { deleted: tuples_deleted, complete, revision: revision.0, release, consistency_token: token }
    }
}
