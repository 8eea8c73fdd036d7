//! API keys of the caller's tenant, and with `?platform=true` the operator's.
//!
//! Only a key that is limited by nothing administers keys, so none can be given more than its maker has.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody};
use crate::api::extract::{Authenticated, Query, RawBody, parse};
use crate::api::listing::{LastLine, Listing};
use crate::api::once::{IdempotencyHeader, IdempotencyKey, json, no_content, respond};
use crate::api::paging::PageQuery;
use crate::api::v1::patch::Patch;
use crate::api::v1::stores::name;
use crate::ids::{KeyId, StoreId, TenantId, Timestamp};
use crate::keys::{KeySpec, NewKey, Permission};
use crate::pap::{Answer, Once};
use crate::scope::TenantScope;
use crate::storage::records::{KeyChange, KeyRecord};

/// Seconds for which a key that is rotated goes on, when nothing is said.
const OVERLAP_SECONDS: u32 = 3_600;

/// Whose keys are meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct KeysQuery {
    /// `true`: the platform's keys, for a platform key. Absent: those of the caller's tenant.
    #[serde(default)]
    platform: bool,
}

/// Whose keys, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListKeysQuery {
    /// `true`: the platform's keys, for a platform key. Absent: those of the caller's tenant.
    #[serde(default)]
    platform: bool,
    /// 1 to 1,000; 100 when absent.
    page_size: Option<u32>,
    /// From the page before.
    page_token: Option<String>,
}

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CreateKeyBody {
    name: String,
    /// Of `admin`, `write`, `read`, `check`, `explain`; for a platform key `admin` alone.
    scopes: Vec<String>,
    /// Ids or aliases; every store when absent.
    #[serde(default)]
    stores: Option<Vec<String>>,
    /// Seconds from now; never when absent.
    #[serde(default)]
    expires_in_seconds: Option<u32>,
}

/// A change of a key; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UpdateKeyBody {
    #[serde(default)]
    name: Option<String>,
    /// Of `admin`, `write`, `read`, `check`, `explain`.
    #[serde(default)]
    scopes: Option<Vec<String>>,
    /// Ids or aliases; `null` is every store.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    stores: Patch<Vec<String>>,
    /// Seconds from now; `null` is never.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    expires_in_seconds: Patch<u32>,
}

/// How a key is rotated.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RotateKeyBody {
    /// Seconds for which the old key goes on beside the new one; 3,600 when absent, 0 ends it at once.
    #[serde(default)]
    overlap_seconds: Option<u32>,
}

/// A key without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyReply {
    id: String,
    name: String,
    /// How the secret begins.
    prefix: String,
    scopes: Vec<String>,
    stores: Option<Vec<String>>,
    created_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    /// Of this process to the second; of the one before it, if it did not end well, a minute may be missing.
    last_used_at: Option<String>,
}

/// A new key; the secret is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedKey {
    id: String,
    secret: String,
    key: KeyReply,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct KeyList {
    keys: Vec<KeyReply>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

fn shown(key: &KeyRecord) -> KeyReply {
    KeyReply {
        id: key.id.to_string(),
        name: key.name.clone(),
        prefix: key.prefix.clone(),
        scopes: key.scopes.clone(),
        stores: key.stores.as_ref().map(|stores| stores.iter().map(ToString::to_string).collect()),
        created_at: key.created_at.to_string(),
        expires_at: key.expires_at.map(|at| at.to_string()),
        revoked_at: key.revoked_at.map(|at| at.to_string()),
        last_used_at: key.last_used_at.map(|at| at.to_string()),
    }
}

/// What is told of a key instead of its secret.
fn made(id: &KeyId) -> Answer {
    Answer::not_repeated(format!("it made the key `{id}`"))
}

/// The one answer that holds a secret.
#[must_use]
pub fn created(key: NewKey) -> CreatedKey {
    CreatedKey { id: key.record.id.to_string(), secret: key.secret, key: shown(&key.record) }
}

/// Makes a key of the caller's tenant, or a platform key.
#[utoipa::path(post, path = "/v1/keys", operation_id = "createKey", tag = "keys", params(KeysQuery, IdempotencyHeader), request_body = CreateKeyBody,
    responses((status = 201, body = CreatedKey), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn create(
    services: web::Data<Services>,
    caller: Authenticated,
    query: Query<KeysQuery>,
    key: IdempotencyKey,
    raw: RawBody,
) -> Result<HttpResponse, ApiError> {
    let owner = owner(&caller, query.0.platform)?;
    let body: CreateKeyBody = parse(&raw.0)?;
    let spec = KeySpec {
        tenant: owner.map(|scope| *scope.tenant()),
        permissions: permissions(owner, &body.scopes)?,
        stores: body.stores.map(|names| stores(&services, owner, &names)).transpose()?,
        expires_at: body.expires_in_seconds.map(|seconds| later(&services, seconds)),
        name: name(body.name)?,
    };
    let once = Once::new(key.of_tenant(owner, &raw.0), |new: &NewKey| made(&new.record.id));
    let new = services.administration.create_key(&caller.0.author(), spec, &once).await?;
    Ok(HttpResponse::Created().json(created(new)))
}

/// The keys of the caller's tenant or of the platform, revoked ones too, by id.
#[utoipa::path(get, path = "/v1/keys", operation_id = "listKeys", tag = "keys", params(ListKeysQuery),
    responses((status = 200, content((KeyList = "application/json"), (LastLine = "application/x-ndjson"))), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn list(
    services: web::Data<Services>,
    caller: Authenticated,
    query: Query<ListKeysQuery>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let ListKeysQuery { platform, page_size, page_token } = query.0;
    let tenant = owner(&caller, platform)?.map_or_else(TenantId::platform, |scope| *scope.tenant());
    let page = async move |services: &Services, paging| page(services, owner(&caller, platform)?, &paging).await;
    listing.list(services, tenant, "keys", PageQuery::new(page_size, page_token), page).await
}

async fn page(services: &Services, owner: Option<&TenantScope>, paging: &PageQuery) -> Result<KeyList, ApiError> {
    let page = paging.open(services, owner, &["keys"])?;
    let after = page.after.as_deref().and_then(|id| KeyId::parse(id).ok());
    let mut rows = services.administration.keys(owner.map(TenantScope::tenant), after.as_ref(), page.limit()).await?;
    let next_page_token = page.close(services, &mut rows, |key| key.id.to_string());
    Ok(KeyList { keys: rows.iter().map(shown).collect(), next_page_token })
}

/// One key, without its secret.
#[utoipa::path(get, path = "/v1/keys/{key}", operation_id = "readKey", tag = "keys", params(("key" = String, Path, description = "the key's id, not its secret"), KeysQuery),
    responses((status = 200, body = KeyReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn read(
    services: web::Data<Services>,
    caller: Authenticated,
    path: web::Path<String>,
    query: Query<KeysQuery>,
) -> Result<HttpResponse, ApiError> {
    let owner = owner(&caller, query.0.platform)?;
    let key = services.administration.key(owner.map(TenantScope::tenant), &id(&path)?).await?;
    Ok(HttpResponse::Ok().json(shown(&key)))
}

/// Changes a key's name, what it may do, or its end; counts from the next request on.
#[utoipa::path(patch, path = "/v1/keys/{key}", operation_id = "updateKey", tag = "keys", params(("key" = String, Path, description = "the key's id, not its secret"), KeysQuery, IdempotencyHeader), request_body = UpdateKeyBody,
    responses((status = 200, body = KeyReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn update(
    services: web::Data<Services>,
    caller: Authenticated,
    path: web::Path<String>,
    query: Query<KeysQuery>,
    key: IdempotencyKey,
    raw: RawBody,
) -> Result<HttpResponse, ApiError> {
    let owner = owner(&caller, query.0.platform)?;
    let id = id(&path)?;
    let body: UpdateKeyBody = parse(&raw.0)?;
    let names = |scopes: Vec<String>| {
        let permissions = permissions(owner, &scopes)?;
        Ok::<_, ApiError>(permissions.into_iter().map(|permission| permission.name().to_owned()).collect())
    };
    let change = KeyChange {
        name: body.name.map(name).transpose()?,
        scopes: body.scopes.map(names).transpose()?,
        stores: body.stores.read(|names| stores(&services, owner, &names))?,
        expires_at: body.expires_in_seconds.read(|seconds| Ok::<_, ApiError>(later(&services, seconds)))?,
    };
    let once = Once::new(key.of_tenant(owner, &raw.0), |key| json(StatusCode::OK, &shown(key)));
    let (author, of) = (caller.0.author(), owner.map(|scope| *scope.tenant()));
    respond(&once, services.administration.update_key(&author, of, id, change, &once).await)
}

/// Makes a key with another secret that may do the same; the old one ends after the overlap.
#[utoipa::path(post, path = "/v1/keys/{key}/rotate", operation_id = "rotateKey", tag = "keys", params(("key" = String, Path, description = "the key's id, not its secret"), KeysQuery, IdempotencyHeader), request_body = RotateKeyBody,
    responses((status = 201, body = CreatedKey), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn rotate(
    services: web::Data<Services>,
    caller: Authenticated,
    path: web::Path<String>,
    query: Query<KeysQuery>,
    key: IdempotencyKey,
    raw: RawBody,
) -> Result<HttpResponse, ApiError> {
    let owner = owner(&caller, query.0.platform)?;
    let body: RotateKeyBody = parse(&raw.0)?;
    let overlap = Duration::from_secs(u64::from(body.overlap_seconds.unwrap_or(OVERLAP_SECONDS)));
    let once = Once::new(key.of_tenant(owner, &raw.0), made);
    let (author, of) = (caller.0.author(), owner.map(|scope| *scope.tenant()));
    let new = services.administration.rotate_key(&author, of, id(&path)?, overlap, &once).await?;
    Ok(HttpResponse::Created().json(created(new)))
}

/// Revokes a key at once.
#[utoipa::path(delete, path = "/v1/keys/{key}", operation_id = "revokeKey", tag = "keys", params(("key" = String, Path, description = "the key's id, not its secret"), KeysQuery, IdempotencyHeader),
    responses((status = 204), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn revoke(
    services: web::Data<Services>,
    caller: Authenticated,
    path: web::Path<String>,
    query: Query<KeysQuery>,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let owner = owner(&caller, query.0.platform)?;
    let once = Once::new(key.of_tenant(owner, b""), |()| no_content());
    let (author, of) = (caller.0.author(), owner.map(|scope| *scope.tenant()));
    respond(&once, services.administration.revoke_key(&author, of, id(&path)?, &once).await)
}

/// Whose keys the caller administers: its tenant's, or with `None` the platform's.
fn owner(caller: &Authenticated, platform: bool) -> Result<Option<&TenantScope>, ApiError> {
    if platform {
        caller.0.platform()?;
        return Ok(None);
    }
    let tenant = caller.tenant(Permission::Admin)?;
    // It could make a key that is not limited.
    if caller.0.is_limited() {
        return Err(ApiError::new(Code::Forbidden, "a key that is limited to some stores administers no keys"));
    }
    Ok(Some(tenant))
}

fn id(text: &str) -> Result<KeyId, ApiError> {
    KeyId::parse(text).map_err(|_| ApiError::not_found("key", text))
}

fn permissions(owner: Option<&TenantScope>, scopes: &[String]) -> Result<Vec<Permission>, ApiError> {
    let permission = |scope: &String| {
        Permission::parse(scope)
            .ok_or_else(|| ApiError::new(Code::InvalidInput, format!("there is no scope `{scope}`")))
    };
    let permissions = scopes.iter().map(permission).collect::<Result<Vec<_>, _>>()?;
    if permissions.is_empty() {
        return Err(ApiError::new(Code::InvalidInput, "a key has at least one scope"));
    }
    if owner.is_none() && permissions != [Permission::Admin] {
        return Err(ApiError::new(Code::InvalidInput, "a platform key has the scope `admin` alone"));
    }
    Ok(permissions)
}

fn stores(services: &Services, owner: Option<&TenantScope>, names: &[String]) -> Result<Vec<StoreId>, ApiError> {
    let limited = || ApiError::new(Code::InvalidInput, "a platform key is not limited to stores");
    let tenant = owner.ok_or_else(limited)?.tenant();
    let store = |name: &String| {
        let found = services.replica.find(tenant, name).map(|store| *store.scope().store());
        found.ok_or_else(|| ApiError::not_found("store", name))
    };
    names.iter().map(store).collect()
}

fn later(services: &Services, seconds: u32) -> Timestamp {
    let now = services.clock.now().as_millis();
    Timestamp::from_millis(now.saturating_add(i64::from(seconds) * 1_000))
}
