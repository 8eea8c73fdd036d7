//! Reading entities.

pub mod delete;

use std::sync::Arc;

use actix_web::http::header::ETAG;
use actix_web::{HttpResponse, web};
use authx_engine::{EntityUid, entity_json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody};
use crate::api::extract::{Query, ReadStore, StoreAccess};
use crate::api::listing::{LastLine, Listing};
use crate::api::paging::{AtQuery, PageQuery};
use crate::api::v1::check::EntityBody;
use crate::ids::Revision;
use crate::pap::{PapError, entity_tag};
use crate::pdp::CheckError;
use crate::replica::entity_row;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EntityQuery {
    /// Only entities of this type.
    #[serde(default)]
    r#type: Option<String>,
    page_size: Option<u32>,
    page_token: Option<String>,
    /// As they were at this revision; as they are now when absent.
    at_revision: Option<u64>,
}

/// A page of entities.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntityList {
    #[schema(value_type = Vec<EntityBody>)]
    entities: Vec<serde_json::Value>,
    revision: u64,
    release: Option<String>,
    consistency_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// Stored entities, by type and id.
#[utoipa::path(get, path = "/v1/stores/{store}/entities", operation_id = "listEntities", tag = "data", params(("store" = String, Path, description = "id or alias"), EntityQuery),
    responses((status = 200, content((EntityList = "application/json"), (LastLine = "application/x-ndjson"))), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn list(
    services: web::Data<Services>,
    access: ReadStore,
    query: Query<EntityQuery>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let EntityQuery { r#type, page_size, page_token, at_revision } = query.0;
    let (tenant, first) = (*access.0.tenant.tenant(), PageQuery::new(page_size, page_token));
    let at = at_revision.map(Revision);
    let page = async move |services: &Services, paging| page(services, &access.0, r#type.as_deref(), at, &paging).await;
    listing.list(services, tenant, "entities", first, page).await
}

async fn page(
    services: &Services,
    access: &StoreAccess,
    type_name: Option<&str>,
    at: Option<Revision>,
    paging: &PageQuery,
) -> Result<EntityList, ApiError> {
    let scope = access.store.scope();
    let of_revision = at.map(|revision| revision.to_string());
    let bound = ["entities", scope.store().as_str(), type_name.unwrap_or("")];
    let bound: Vec<&str> = bound.into_iter().chain(of_revision.as_deref()).collect();
    let page = paging.open(services, Some(&access.tenant), &bound)?;
    let after: Option<(String, String)> = page.after.as_deref().and_then(|key| serde_json::from_str(key).ok());
    let after = after.as_ref().map(|(ty, id)| (ty.as_str(), id.as_str()));
    let data = &services.storage.data;
    let rows = match at {
        None => data.entities(scope, type_name, after, page.limit()).await,
        Some(revision) => data.entities_at(scope, revision, type_name, after, page.limit()).await,
    };
    let mut rows = rows.map_err(PapError::from)?;
    let next_page_token = page.close(services, &mut rows, |row| serde_json::json!([row.type_name, row.id]).to_string());
    let shown = |row: &crate::storage::records::EntityRecord| {
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
        let parents: Vec<(String, String)> = serde_json::from_str(&row.parents).unwrap_or_default();
        let parents: Vec<_> = parents.into_iter().map(|(ty, id)| serde_json::json!({"type": ty, "id": id})).collect();
        serde_json::json!({"uid": {"type": row.type_name, "id": row.id}, "attrs": value(&row.attrs), "parents": parents, "tags": value(&row.tags)})
    };
    let head = services.pdp.head(&access.store, at).await?;
    Ok(EntityList {
        entities: rows.iter().map(shown).collect(),
        revision: head.revision.0,
        release: head.release,
        consistency_token: head.token,
        next_page_token,
    })
}

/// One stored entity, as it was written. Its `ETag` changes when the entity does; a write takes it in `preconditions`.
#[utoipa::path(get, path = "/v1/stores/{store}/entities/{type}/{id}", operation_id = "readEntity", tag = "data",
    params(("store" = String, Path, description = "id or alias"), ("type" = String, Path), ("id" = String, Path, description = "percent-encoded; may hold slashes"), AtQuery),
    responses((status = 200, body = EntityBody), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn read(
    services: web::Data<Services>,
    access: ReadStore,
    path: web::Path<(String, String, String)>,
    query: Query<AtQuery>,
) -> Result<HttpResponse, ApiError> {
    let (_, type_name, id) = path.into_inner();
    let uid = EntityUid::new(&type_name, id.as_str())
        .map_err(|error| ApiError::new(Code::MalformedRequest, error.to_string()))?;
    let store = &access.0.store;
    let row = match query.0.at_revision.map(Revision) {
        None => store.current().snapshot.data().entity(&uid).cloned(),
        Some(revision) => {
            let row = services.storage.data.entity_at(store.scope(), revision, &uid.type_name(), uid.id()).await;
            let row = row.map_err(PapError::from)?;
            services.pdp.head(store, Some(revision)).await?;
            row.map(|row| entity_row(&row).map(Arc::new)).transpose().map_err(CheckError::from)?
        }
    };
    let row = row.ok_or_else(|| ApiError::not_found("entity", &uid.to_string()))?;
    Ok(HttpResponse::Ok().insert_header((ETAG, format!("\"{}\"", entity_tag(&row)))).json(entity_json(&row)))
}
