//! Template links.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use authx_engine::{EntityUid, LinkInput};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Services;
use crate::api::error::{ApiError, ProblemBody};
use crate::api::extract::{Query, RawBody, ReadStore, StoreAccess, WriteStore, parse};
use crate::api::listing::{LastLine, Listing};
use crate::api::once::{IdempotencyHeader, IdempotencyKey, json, no_content, respond};
use crate::api::paging::{Page, PageQuery, PastPageQuery};
use crate::api::v1::write::CommitReply;
use crate::ids::Revision;
use crate::pap::{Committed, LinkWrite, Once, PapError};
use crate::pdp::{CheckError, Head};
use crate::replica::{LoadError, OpenStore, link_input};

/// The values of a template's slots.
#[derive(Debug, Deserialize, ToSchema)]
pub struct LinkBody {
    #[schema(example = "shared-with")]
    template: String,
    /// For the slot `?principal`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "User:bob")]
    principal: Option<EntityUid>,
    /// For the slot `?resource`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "Document:roadmap")]
    resource: Option<EntityUid>,
}

/// A link.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkReply {
    id: String,
    template: String,
    #[schema(value_type = Option<String>)]
    principal: Option<EntityUid>,
    #[schema(value_type = Option<String>)]
    resource: Option<EntityUid>,
}

/// A page of links.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkList {
    links: Vec<LinkReply>,
    revision: u64,
    release: Option<String>,
    consistency_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// The store's links, by id.
#[utoipa::path(get, path = "/v1/stores/{store}/links", operation_id = "listLinks", tag = "links", params(("store" = String, Path, description = "id or alias"), PastPageQuery),
    responses((status = 200, content((LinkList = "application/json"), (LastLine = "application/x-ndjson"))), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn list(
    services: web::Data<Services>,
    access: ReadStore,
    query: Query<PastPageQuery>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let tenant = *access.0.tenant.tenant();
    let (first, at) = query.0.parts();
    let page = async move |services: &Services, paging| page(services, &access.0, at, &paging).await;
    listing.list(services, tenant, "links", first, page).await
}

async fn page(
    services: &Services,
    access: &StoreAccess,
    at: Option<Revision>,
    paging: &PageQuery,
) -> Result<LinkList, ApiError> {
    let store = &access.store;
    let of_revision = at.map(|revision| revision.to_string());
    let bound: Vec<&str> =
        ["links", store.scope().store().as_str()].into_iter().chain(of_revision.as_deref()).collect();
    let page = paging.open(services, Some(&access.tenant), &bound)?;
    let (mut links, head) = match at {
        None => now(store, &page),
        Some(revision) => past(services, store, revision, &page).await?,
    };
    let next_page_token = page.close(services, &mut links, |link| link.id.clone());
    Ok(LinkList {
        links,
        revision: head.revision.0,
        release: head.release,
        consistency_token: head.token,
        next_page_token,
    })
}

fn now(store: &OpenStore, page: &Page) -> (Vec<LinkReply>, Head) {
    let current = store.current();
    let after = |id: &str| page.after.as_deref().is_none_or(|after| id > after);
    let rows = current.snapshot.data().links().filter(|(id, _)| after(id)).take(page.limit() as usize);
    (rows.map(|(id, link)| shown(id, link)).collect(), Head::from(&*current))
}

async fn past(
    services: &Services,
    store: &OpenStore,
    revision: Revision,
    page: &Page,
) -> Result<(Vec<LinkReply>, Head), ApiError> {
    let rows = services.storage.data.links_at(store.scope(), revision, page.after.as_deref(), page.limit()).await;
    let rows = rows.map_err(PapError::from)?;
    let head = services.pdp.head(store, Some(revision)).await?;
    let links = rows.iter().map(|row| Ok(shown(&row.id, &link_input(row)?))).collect::<Result<_, LoadError>>();
    Ok((links.map_err(CheckError::from)?, head))
}

fn shown(id: &str, link: &LinkInput) -> LinkReply {
    let LinkInput { template, principal, resource } = link.clone();
    LinkReply { id: id.to_owned(), template, principal, resource }
}

/// A link with its id, as it is imported.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkLine {
    id: String,
    template: String,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    principal: Option<EntityUid>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    resource: Option<EntityUid>,
}

impl From<LinkLine> for (String, LinkInput) {
    fn from(line: LinkLine) -> Self {
        let LinkLine { id, template, principal, resource } = line;
        (id, LinkInput { template, principal, resource })
    }
}

/// Links a template, or changes a link.
#[utoipa::path(put, path = "/v1/stores/{store}/links/{link}", operation_id = "putLink", tag = "links",
    params(("store" = String, Path, description = "id or alias"), ("link" = String, Path), IdempotencyHeader), request_body = LinkBody,
    responses((status = 200, body = CommitReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn put(
    services: web::Data<Services>,
    access: WriteStore,
    path: web::Path<(String, String)>,
    key: IdempotencyKey,
    raw: RawBody,
) -> Result<HttpResponse, ApiError> {
    let LinkBody { template, principal, resource } = parse(&raw.0)?;
    let write = LinkWrite { id: path.into_inner().1, link: Some(LinkInput { template, principal, resource }) };
    let store = &access.0.store;
    let once = Once::new(key.of_store(store.scope(), &raw.0), |made| json(StatusCode::OK, &CommitReply::from(made)));
    let made = services.writers.write_once(store, access.0.caller.actor(), write, once.clone()).await;
    respond(&once, made)
}

/// Deletes a link.
#[utoipa::path(delete, path = "/v1/stores/{store}/links/{link}", operation_id = "deleteLink", tag = "links",
    params(("store" = String, Path, description = "id or alias"), ("link" = String, Path), IdempotencyHeader),
    responses((status = 204), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn delete(
    services: web::Data<Services>,
    access: WriteStore,
    path: web::Path<(String, String)>,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let write = LinkWrite { id: path.into_inner().1, link: None };
    let store = &access.0.store;
    let once = Once::new(key.of_store(store.scope(), b""), |_: &Committed| no_content());
    let made = services.writers.write_once(store, access.0.caller.actor(), write, once.clone()).await;
    respond(&once, made)
}
