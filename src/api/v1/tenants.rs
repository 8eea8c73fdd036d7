//! Tenants: the operator's.

use std::num::NonZeroU32;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody};
use crate::api::extract::{Authenticated, Query, RawBody, parse};
use crate::api::listing::{LastLine, Listing};
use crate::api::once::{IdempotencyHeader, IdempotencyKey, json, no_content, respond, response};
use crate::api::paging::PageQuery;
use crate::api::v1::keys::{CreatedKey, created};
use crate::api::v1::patch::Patch;
use crate::api::v1::stores::name;
use crate::decisions::{LogSettingsChange, Mask, Mode};
use crate::ids::TenantId;
use crate::limits::{LimitsChange, TenantLimits};
use crate::pap::{Answer, NewTenant, Once, PapError, TenantUpdate, TenantView};

/// Masks of one tenant, each of which costs every decision.
const MAX_MASKS: usize = 100;

#[derive(Debug, Deserialize, ToSchema)]
pub struct CreateTenantBody {
    name: String,
}

/// A change of a tenant; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UpdateTenantBody {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    limits: LimitsBody,
    #[serde(default)]
    decisions: LogSettingsBody,
}

/// Limits to change, `null` to the default; an unknown one is refused, because a limit that is misspelt must not be lost.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsBody {
    /// Stores of the tenant, deleted ones not counted.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    stores: Patch<u32>,
    /// 1 at least.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    requests_per_second: Patch<NonZeroU32>,
    /// Requests that may come at once after a pause, 1 at least; as many as in a second when nothing is said.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    burst: Patch<NonZeroU32>,
    /// Requests in work at once, 1 at least.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    concurrency: Patch<NonZeroU32>,
    /// Of one store.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    entities: Patch<u32>,
    /// Of one store.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    tuples: Patch<u32>,
    /// Of one store.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    policies: Patch<u32>,
    /// Of the names, ids and values of the entities, tuples and links of one store.
    #[serde(default)]
    #[schema(value_type = Option<u64>)]
    bytes: Patch<u64>,
}

/// How the tenant's decisions are recorded; `null` is as configured. It counts from the next decision on.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogSettingsBody {
    /// `async`, `sync` or `off`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    mode: Patch<Mode>,
    /// Of a million allows, how many are recorded; every deny is.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    allows_per_million: Patch<u32>,
    /// Paths into a request whose values are not recorded, beside those of the configuration; 100 at most.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    masks: Patch<Vec<String>>,
}

impl LogSettingsBody {
    fn parse(self) -> Result<LogSettingsChange, ApiError> {
        let invalid = |detail: String| ApiError::new(Code::InvalidInput, detail);
        let masks = |texts: Vec<String>| {
            if texts.len() > MAX_MASKS {
                return Err(invalid(format!("a tenant has at most {MAX_MASKS} masks, not {}", texts.len())));
            }
            texts.iter().map(|text| Mask::parse(text).map_err(|error| invalid(error.to_string()))).collect()
        };
        Ok(LogSettingsChange {
            mode: self.mode.into(),
            allows_per_million: self.allows_per_million.into(),
            masks: self.masks.read(masks)?,
        })
    }
}

/// How the tenant's decisions are recorded.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogSettingsReply {
    /// `async`, `sync` or `off`.
    #[schema(value_type = String)]
    mode: Mode,
    allows_per_million: u32,
    /// The tenant's own; those of the configuration hold, too.
    #[schema(value_type = Vec<String>)]
    masks: Vec<Mask>,
}

impl From<LimitsBody> for LimitsChange {
    fn from(body: LimitsBody) -> Self {
        Self {
            stores: body.stores.into(),
            requests_per_second: body.requests_per_second.into(),
            burst: body.burst.into(),
            concurrency: body.concurrency.into(),
            entities: body.entities.into(),
            tuples: body.tuples.into(),
            policies: body.policies.into(),
            bytes: body.bytes.into(),
        }
    }
}

/// What a tenant may have and ask for; what is absent is without a limit.
#[derive(Debug, Serialize, ToSchema)]
pub struct LimitsReply {
    #[serde(skip_serializing_if = "Option::is_none")]
    stores: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requests_per_second: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    burst: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entities: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tuples: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policies: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

impl From<TenantLimits> for LimitsReply {
    fn from(limits: TenantLimits) -> Self {
        Self {
            stores: limits.stores,
            requests_per_second: limits.requests_per_second.map(NonZeroU32::get),
            burst: limits.burst.map(NonZeroU32::get),
            concurrency: limits.concurrency.map(NonZeroU32::get),
            entities: limits.entities,
            tuples: limits.tuples,
            policies: limits.policies,
            bytes: limits.bytes,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TenantReply {
    id: String,
    name: String,
    limits: LimitsReply,
    decisions: LogSettingsReply,
    created_at: String,
    /// Only in the list of deleted tenants.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<String>,
}

/// A tenant and its first key; the secret is shown once.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedTenant {
    id: String,
    name: String,
    limits: LimitsReply,
    decisions: LogSettingsReply,
    created_at: String,
    admin_key: CreatedKey,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TenantList {
    tenants: Vec<TenantReply>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// Which tenants, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListTenantsQuery {
    /// `true`: those that are deleted and can still be restored.
    #[serde(default)]
    deleted: bool,
    /// 1 to 1,000; 100 when absent.
    page_size: Option<u32>,
    /// From the page before.
    page_token: Option<String>,
}

fn shown(view: &TenantView) -> TenantReply {
    let TenantView { tenant, limits, rules, own } = view;
    TenantReply {
        id: tenant.id.to_string(),
        name: tenant.name.clone(),
        limits: (*limits).into(),
        decisions: LogSettingsReply {
            mode: rules.mode,
            allows_per_million: rules.allows_per_million,
            masks: own.masks.clone().unwrap_or_default(),
        },
        created_at: tenant.created_at.to_string(),
        deleted_at: tenant.deleted_at.map(|at| at.to_string()),
    }
}

fn id(text: &str) -> Result<TenantId, ApiError> {
    TenantId::parse(text).map_err(|_| ApiError::not_found("tenant", text))
}

/// Makes a tenant and an `admin` key of it. Needs a platform key.
#[utoipa::path(post, path = "/v1/tenants", operation_id = "createTenant", tag = "tenants", params(IdempotencyHeader), request_body = CreateTenantBody,
    responses((status = 201, body = CreatedTenant), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn create(
    services: web::Data<Services>,
    caller: Authenticated,
    key: IdempotencyKey,
    raw: RawBody,
) -> Result<HttpResponse, ApiError> {
    caller.0.platform()?;
    let body: CreateTenantBody = parse(&raw.0)?;
    let once = Once::new(key.of_tenant(None, &raw.0), |new: &NewTenant| {
        let (tenant, key) = (&new.tenant.id, &new.admin_key.record.id);
        Answer::not_repeated(format!("it made the tenant `{tenant}` with the key `{key}`"))
    });
    let new = services.administration.create_tenant(&caller.0.author(), name(body.name)?, &once).await?;
    let view = services.administration.view(new.tenant)?;
    let TenantReply { id, name, limits, decisions, created_at, .. } = shown(&view);
    let admin_key = created(new.admin_key);
    Ok(HttpResponse::Created().json(CreatedTenant { id, name, limits, decisions, created_at, admin_key }))
}

/// Every tenant, or every deleted one, by id. Needs a platform key.
#[utoipa::path(get, path = "/v1/tenants", operation_id = "listTenants", tag = "tenants", params(ListTenantsQuery),
    responses((status = 200, content((TenantList = "application/json"), (LastLine = "application/x-ndjson"))), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn list(
    services: web::Data<Services>,
    caller: Authenticated,
    query: Query<ListTenantsQuery>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    caller.0.platform()?;
    let ListTenantsQuery { deleted, page_size, page_token } = query.0;
    let first = PageQuery::new(page_size, page_token);
    let page = async move |services: &Services, paging| page(services, deleted, &paging).await;
    listing.list(services, TenantId::platform(), "tenants", first, page).await
}

async fn page(services: &Services, deleted: bool, paging: &PageQuery) -> Result<TenantList, ApiError> {
    let list = if deleted { "deleted-tenants" } else { "tenants" };
    let page = paging.open(services, None, &[list])?;
    let after = page.after.as_deref().and_then(|id| TenantId::parse(id).ok());
    let mut rows = if deleted {
        services.administration.deleted_tenants(after.as_ref(), page.limit()).await?
    } else {
        services.administration.tenants(after.as_ref(), page.limit()).await?
    };
    let next_page_token = page.close(services, &mut rows, |tenant| tenant.id.to_string());
    let view = |tenant| services.administration.view(tenant).map(|view| shown(&view));
    let tenants = rows.into_iter().map(view).collect::<Result<Vec<_>, _>>()?;
    Ok(TenantList { tenants, next_page_token })
}

/// One tenant. Needs a platform key.
#[utoipa::path(get, path = "/v1/tenants/{tenant}", operation_id = "readTenant", tag = "tenants", params(("tenant" = String, Path, description = "id")),
    responses((status = 200, body = TenantReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn read(
    services: web::Data<Services>,
    caller: Authenticated,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    caller.0.platform()?;
    let tenant = services.administration.tenant(&id(&path)?).await?;
    Ok(HttpResponse::Ok().json(shown(&services.administration.view(tenant)?)))
}

/// Renames a tenant, or changes what it may have or how its decisions are recorded. Needs a platform key.
#[utoipa::path(patch, path = "/v1/tenants/{tenant}", operation_id = "updateTenant", tag = "tenants", params(("tenant" = String, Path, description = "id"), IdempotencyHeader), request_body = UpdateTenantBody,
    responses((status = 200, body = TenantReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn update(
    services: web::Data<Services>,
    caller: Authenticated,
    path: web::Path<String>,
    key: IdempotencyKey,
    raw: RawBody,
) -> Result<HttpResponse, ApiError> {
    caller.0.platform()?;
    let UpdateTenantBody { name: new, limits, decisions } = parse(&raw.0)?;
    let update =
        TenantUpdate { name: new.map(name).transpose()?, limits: limits.into(), decisions: decisions.parse()? };
    let once = Once::new(key.of_tenant(None, &raw.0), |view: &TenantView| json(StatusCode::OK, &shown(view)));
    respond(&once, services.administration.update_tenant(&caller.0.author(), id(&path)?, update, &once).await)
}

/// Deletes a tenant: at once no key of it works and none of its stores answers. Needs a platform key.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}", operation_id = "deleteTenant", tag = "tenants", params(("tenant" = String, Path, description = "id"), IdempotencyHeader),
    responses((status = 204), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn delete(
    services: web::Data<Services>,
    caller: Authenticated,
    path: web::Path<String>,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    caller.0.platform()?;
    let once = Once::new(key.of_tenant(None, b""), |()| no_content());
    respond(&once, services.administration.delete_tenant(&caller.0.author(), id(&path)?, &once).await)
}

/// Brings a deleted tenant back as it was, with its stores and keys. Needs a platform key.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/restore", operation_id = "restoreTenant", tag = "tenants", params(("tenant" = String, Path, description = "id"), IdempotencyHeader),
    responses((status = 200, body = TenantReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn restore(
    services: web::Data<Services>,
    caller: Authenticated,
    path: web::Path<String>,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    caller.0.platform()?;
    let id = id(&path)?;
    // As of a store, a repeated restore tells what the tenant is by then.
    let once = Once::new(key.of_tenant(None, b""), |_: &TenantId| no_content());
    let administration = &services.administration;
    let (tenant, again) = match administration.restore_tenant(&caller.0.author(), caller.0.over(id)?, &once).await {
        Ok(tenant) => (tenant, false),
        Err(PapError::Answered(_)) => (administration.tenant(&id).await?, true),
        Err(error) => return Err(error.into()),
    };
    Ok(response(json(StatusCode::OK, &shown(&administration.view(tenant)?)), again))
}
