//! The parts of a release one by one: policies and the schema. Each change makes and activates a release.

use actix_web::http::header::ETAG;
use actix_web::{HttpRequest, HttpResponse, web};
use authx_engine::{Json, Policy, PolicyId, PolicySource, SchemaSyntax};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody, internal};
use crate::api::extract::{AdminStore, Query, RawBody, ReadStore, StoreAccess, parse};
use crate::api::listing::{LastLine, Listing};
use crate::api::once::{IdempotencyHeader, IdempotencyKey, no_content, respond};
use crate::api::paging::{PageQuery, PastPageQuery};
use crate::api::v1::releases::{SchemaBody, cedar_text, expected, once, quoted};
use crate::ids::Revision;
use crate::pap::{Applied, ApplyRequest, Asked, Once, PolicyEdit, Proposal};

/// A policy or template of the active release.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyReply {
    id: String,
    /// `permit` or `forbid`.
    effect: &'static str,
    /// Whether it has slots.
    template: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    /// The author's text.
    cedar: String,
    /// Cedar's JSON form, when one policy is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    json: Option<serde_json::Value>,
}

/// A page of policies.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyList {
    policies: Vec<PolicyReply>,
    revision: u64,
    release: Option<String>,
    consistency_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// One policy or template: Cedar text or Cedar's JSON.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PutPolicyBody {
    #[serde(default)]
    cedar: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    json: Option<Json>,
}

/// The active release's schema, as its author wrote it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SchemaReply {
    #[serde(skip_serializing_if = "Option::is_none")]
    cedar: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    json: Option<serde_json::Value>,
    revision: u64,
    release: Option<String>,
    consistency_token: String,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DryRunQuery {
    #[serde(default)]
    pub(super) dry_run: bool,
}

fn shown(policy: &Policy) -> PolicyReply {
    let source = policy.source();
    PolicyReply {
        id: policy.id().to_owned(),
        effect: if policy.forbids() { "forbid" } else { "permit" },
        template: policy.is_template(),
        file: source.file.clone(),
        line: source.file.as_ref().map(|_| source.line),
        cedar: source.text.clone(),
        json: None,
    }
}

/// The active release's policies and templates, by id.
#[utoipa::path(get, path = "/v1/stores/{store}/policies", operation_id = "listPolicies", tag = "policies", params(("store" = String, Path, description = "id or alias"), PastPageQuery),
    responses((status = 200, content((PolicyList = "application/json"), (LastLine = "application/x-ndjson"))), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn list(
    services: web::Data<Services>,
    access: ReadStore,
    query: Query<PastPageQuery>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let tenant = *access.0.tenant.tenant();
    let (first, at) = query.0.parts();
    let page = async move |services: &Services, paging| page(services, &access.0, at, &paging).await;
    listing.list(services, tenant, "policies", first, page).await
}

async fn page(
    services: &Services,
    access: &StoreAccess,
    at: Option<Revision>,
    paging: &PageQuery,
) -> Result<PolicyList, ApiError> {
    let store = &access.store;
    let of_revision = at.map(|revision| revision.to_string());
    let bound = ["policies", store.scope().store().as_str()].into_iter().chain(of_revision.as_deref());
    let page = paging.open(services, Some(&access.tenant), &bound.collect::<Vec<_>>())?;
    let head = services.pdp.head(store, at).await?;
    let release = match &head.release {
        None => None,
        Some(id) => Some(services.pdp.release(store, id).await?),
    };
    let rows = release.iter().flat_map(|release| release.policies_after(page.after.as_deref()));
    let mut policies: Vec<PolicyReply> = rows.take(page.limit() as usize).map(|policy| shown(policy)).collect();
    let next_page_token = page.close(services, &mut policies, |policy| policy.id.clone());
    Ok(PolicyList {
        policies,
        revision: head.revision.0,
        release: head.release,
        consistency_token: head.token,
        next_page_token,
    })
}

/// One policy, as text and as JSON.
#[utoipa::path(get, path = "/v1/stores/{store}/policies/{policy}", operation_id = "readPolicy", tag = "policies", params(("store" = String, Path, description = "id or alias"), ("policy" = String, Path)),
    responses((status = 200, body = PolicyReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn read(access: ReadStore, path: web::Path<(String, String)>) -> Result<HttpResponse, ApiError> {
    let current = access.0.store.current();
    let policy = current.snapshot.release().and_then(|release| release.policy(&path.1));
    let policy = policy.ok_or_else(|| ApiError::not_found("policy", &path.1))?;
    let mut reply = shown(policy);
    let text = policy.source().text.clone();
    reply.json = web::block(move || authx_engine::policy_json(&text).ok()).await.ok().flatten();
    let mut response = HttpResponse::Ok();
    if let Some(release) = current.release_id() {
        response.insert_header((ETAG, quoted(release)));
    }
    Ok(response.json(reply))
}

/// Puts one policy or template into a new release and activates it.
#[utoipa::path(put, path = "/v1/stores/{store}/policies/{policy}", operation_id = "putPolicy", tag = "policies", params(("store" = String, Path, description = "id or alias"), ("policy" = String, Path), DryRunQuery, IdempotencyHeader), request_body = PutPolicyBody,
    responses((status = 200, body = super::releases::ApplyReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn put(
    services: web::Data<Services>,
    access: AdminStore,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    query: Query<DryRunQuery>,
    key: IdempotencyKey,
    raw: RawBody,
) -> Result<HttpResponse, ApiError> {
    let body: PutPolicyBody = parse(&raw.0)?;
    let text = match (body.cedar, body.json) {
        (Some(text), None) => text,
        (None, Some(json)) => cedar_text(json)?,
        (Some(_), Some(_)) | (None, None) => {
            return Err(ApiError::new(Code::MalformedRequest, "a policy has either `cedar` or `json`"));
        }
    };
    let source = PolicySource::single(Some(path.into_inner().1), text);
    let edit = PolicyEdit { put: vec![source], delete: Vec::new() };
    let asked = key.of_store(access.0.store.scope(), &raw.0);
    change(&services, &access, &request, Proposal::Edit(edit), query.0.dry_run, asked).await
}

/// Takes one policy or template out, in a new release.
#[utoipa::path(delete, path = "/v1/stores/{store}/policies/{policy}", operation_id = "deletePolicy", tag = "policies", params(("store" = String, Path, description = "id or alias"), ("policy" = String, Path), IdempotencyHeader),
    responses((status = 204), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn delete(
    services: web::Data<Services>,
    access: AdminStore,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let (id, store) = (&path.1, &access.0.store);
    let once = Once::new(key.of_store(store.scope(), b""), |_: &Applied| no_content());
    let current = store.current();
    // Behind `current`: who deleted it meanwhile has published that.
    if let Err(error) = services.writers.not_made(once.asked()).await {
        return respond(&once, Err(error));
    }
    if current.snapshot.release().and_then(|release| release.policy(id)).is_none() {
        return Err(ApiError::not_found("policy", id));
    }
    let edit = PolicyEdit { put: Vec::new(), delete: vec![PolicyId::new(id)] };
    let apply = part(&request, Proposal::Edit(edit), false);
    respond(&once, services.releases.apply(store, &access.0.caller.author(), apply, &once).await)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SchemaQuery {
    /// The schema that policies are validated against: the author's, with what follows from links to the relation
    /// model. Always in Cedar's own syntax.
    #[serde(default)]
    effective: bool,
}

/// The active release's schema.
#[utoipa::path(get, path = "/v1/stores/{store}/schema", operation_id = "readSchema", tag = "policies", params(("store" = String, Path, description = "id or alias"), SchemaQuery),
    responses((status = 200, body = SchemaReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn read_schema(access: ReadStore, query: Query<SchemaQuery>) -> Result<HttpResponse, ApiError> {
    let current = access.0.store.current();
    let release = current.snapshot.release();
    let absent = || ApiError::new(Code::NotFound, "the store has no schema");
    let (cedar, json) = if query.0.effective {
        let schema = release.and_then(|release| release.effective_schema()).ok_or_else(absent)?;
        (Some(schema.to_cedar().map_err(|error| internal(&error))?), None)
    } else {
        let source = release.and_then(|release| release.schema()).ok_or_else(absent)?.source();
        match source.syntax {
            SchemaSyntax::Json => (None, serde_json::from_str(&source.text).ok()),
            SchemaSyntax::Cedar => (Some(source.text.clone()), None),
        }
    };
    Ok(HttpResponse::Ok().json(SchemaReply {
        cedar,
        json,
        revision: current.revision().0,
        release: current.release_id().map(str::to_owned),
        consistency_token: current.token.clone(),
    }))
}

/// Replaces the schema, in a new release.
#[utoipa::path(put, path = "/v1/stores/{store}/schema", operation_id = "putSchema", tag = "policies", params(("store" = String, Path, description = "id or alias"), DryRunQuery, IdempotencyHeader), request_body = SchemaBody,
    responses((status = 200, body = super::releases::ApplyReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn put_schema(
    services: web::Data<Services>,
    access: AdminStore,
    request: HttpRequest,
    query: Query<DryRunQuery>,
    key: IdempotencyKey,
    raw: RawBody,
) -> Result<HttpResponse, ApiError> {
    let schema = parse::<SchemaBody>(&raw.0)?.parse()?;
    let proposal = Proposal::Parts { schema: Some(schema), model: None, policies: None };
    let asked = key.of_store(access.0.store.scope(), &raw.0);
    change(&services, &access, &request, proposal, query.0.dry_run, asked).await
}

pub(super) async fn change(
    services: &Services,
    access: &AdminStore,
    request: &HttpRequest,
    proposal: Proposal,
    dry_run: bool,
    asked: Option<Asked>,
) -> Result<HttpResponse, ApiError> {
    let store = &access.0.store;
    let once = once(store, asked, dry_run);
    let apply = part(request, proposal, dry_run);
    respond(&once, services.releases.apply(store, &access.0.caller.author(), apply, &once).await)
}

/// A change of one part of the active release.
fn part(request: &HttpRequest, proposal: Proposal, dry_run: bool) -> ApplyRequest {
    let if_release = expected(request, None);
    ApplyRequest { proposal, if_release, allow_nonconforming: false, dry_run, activate: true }
}
