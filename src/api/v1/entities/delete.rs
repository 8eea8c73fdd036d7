//! `POST /v1/stores/{store}/entities/delete-by-filter`: as many as one write takes; who asks again goes on.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use authx_engine::EntityUid;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Services;
use crate::api::error::{ApiError, ProblemBody};
use crate::api::extract::{RawBody, WriteStore, parse};
use crate::api::once::{IdempotencyHeader, IdempotencyKey, json, respond};
use crate::api::v1::tuples::step;
use crate::pap::{Committed, DataWrite, Once, PapError};

/// Which entities to delete. An unknown field is refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteEntitiesBody {
    /// Every entity of this type.
    #[schema(example = "Document")]
    r#type: String,
    /// The most to delete now, 1 to 10,000; 1,000 when absent.
    #[serde(default)]
    limit: Option<u32>,
}

/// One step of deleting, which is one commit.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeleteEntitiesReply {
    deleted: usize,
    /// Nothing of the type is left. Else ask again.
    complete: bool,
    revision: u64,
    release: Option<String>,
    consistency_token: String,
}

/// Deletes entities by type, in steps that are each all or nothing. Tuples and parents that name them stay.
#[utoipa::path(post, path = "/v1/stores/{store}/entities/delete-by-filter", operation_id = "deleteEntities", tag = "data", params(("store" = String, Path, description = "id or alias"), IdempotencyHeader), request_body = DeleteEntitiesBody,
    responses((status = 200, body = DeleteEntitiesReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn delete(
    services: web::Data<Services>,
    access: WriteStore,
    key: IdempotencyKey,
    raw: RawBody,
) -> Result<HttpResponse, ApiError> {
    let DeleteEntitiesBody { r#type, limit } = parse(&raw.0)?;
    let limit = step(limit)?;
    let (store, writers) = (&access.0.store, &services.writers);
    let rows = services.storage.data.entities(store.scope(), Some(&r#type), None, limit + 1).await;
    let rows = rows.map_err(PapError::from)?;
    let complete = rows.len() <= limit as usize;
    let uids = rows.iter().take(limit as usize).map(|row| EntityUid::new(&row.type_name, &*row.id));
    // What is stored has a name.
    let delete: Vec<EntityUid> = uids.filter_map(Result::ok).collect();
    let (asked, deleted) = (key.of_store(store.scope(), &raw.0), delete.len());
    let once = Once::new(asked, move |made| json(StatusCode::OK, &DeleteEntitiesReply::of(made, deleted, complete)));
    if delete.is_empty() {
        let nothing = Committed::nothing(&store.current());
        return respond(&once, writers.nothing_made(&once, nothing).await);
    }
    let write = DataWrite { delete, ..DataWrite::default() };
    respond(&once, writers.write_once(store, access.0.caller.actor(), write, once.clone()).await)
}

impl DeleteEntitiesReply {
    fn of(made: &Committed, deleted: usize, complete: bool) -> Self {
        let Committed { revision, release, token, .. } = made.clone();
        Self { deleted, complete, revision: revision.0, release, consistency_token: token }
    }
}
