//! `GET /v1/stores/{store}/revisions`: the store's commits.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Services;
use crate::api::error::{ApiError, ProblemBody};
use crate::api::extract::{Query, ReadStore, StoreAccess};
use crate::api::listing::{LastLine, Listing};
use crate::api::paging::PageQuery;
use crate::ids::Revision;
use crate::pap::PapError;
use crate::storage::records::RevisionRecord;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RevisionsQuery {
    /// Commits behind this revision only.
    since: Option<u64>,
    /// 1 to 1,000; 100 when absent.
    page_size: Option<u32>,
    page_token: Option<String>,
}

/// A page of commits.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevisionList {
    revisions: Vec<RevisionBody>,
    revision: u64,
    release: Option<String>,
    consistency_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// One commit.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevisionBody {
    revision: u64,
    at: String,
    /// The release that was active behind it.
    release: Option<String>,
    /// Who made it, such as `key:01JD7QA1B0C9D8E7F6G5H4J3K2`.
    actor: String,
    /// What it did: `op` with its counts or names.
    #[schema(value_type = Object)]
    summary: serde_json::Value,
}

/// The store's commits, oldest first. Every one can be named in `at_revision` for as long as the past is kept.
#[utoipa::path(get, path = "/v1/stores/{store}/revisions", operation_id = "listRevisions", tag = "data", params(("store" = String, Path, description = "id or alias"), RevisionsQuery),
    responses((status = 200, content((RevisionList = "application/json"), (LastLine = "application/x-ndjson"))), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn list(
    services: web::Data<Services>,
    access: ReadStore,
    query: Query<RevisionsQuery>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let RevisionsQuery { since, page_size, page_token } = query.0;
    let (tenant, first) = (*access.0.tenant.tenant(), PageQuery::new(page_size, page_token));
    let page = async move |services: &Services, paging| page(services, &access.0, since, &paging).await;
    listing.list(services, tenant, "revisions", first, page).await
}

async fn page(
    services: &Services,
    access: &StoreAccess,
    since: Option<u64>,
    paging: &PageQuery,
) -> Result<RevisionList, ApiError> {
    let store = &access.store;
    let bound = since.map(|since| since.to_string()).unwrap_or_default();
    let page = paging.open(services, Some(&access.tenant), &["revisions", store.scope().store().as_str(), &bound])?;
    let after = page.after.as_deref().and_then(|after| after.parse().ok()).or(since).map(Revision);
    let rows = services.storage.data.revisions(store.scope(), after, page.limit()).await;
    let mut rows = rows.map_err(PapError::from)?;
    let next_page_token = page.close(services, &mut rows, |row| row.revision.to_string());
    let current = store.current();
    Ok(RevisionList {
        revisions: rows.into_iter().map(shown).collect(),
        revision: current.revision().0,
        release: current.release_id().map(str::to_owned),
        consistency_token: current.token.clone(),
        next_page_token,
    })
}

fn shown(record: RevisionRecord) -> RevisionBody {
    RevisionBody {
        revision: record.revision.0,
        at: record.at.to_string(),
        release: record.release.map(|id| id.to_string()),
        actor: record.actor,
        summary: serde_json::from_str(&record.summary).unwrap_or_default(),
    }
}
