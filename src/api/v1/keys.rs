//! API keys of the caller's tenant.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody};
use crate::api::extract::{Authenticated, Body, Query};
use crate::api::paging::PageQuery;
use crate::api::v1::stores::name;
use crate::ids::{KeyId, Timestamp};
use crate::keys::{KeySpec, NewKey, Permission};
use crate::storage::records::KeyRecord;

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CreateKeyBody {
    name: String,
    /// Of `admin`, `write`, `read`, `check`, `explain`.
    scopes: Vec<String>,
    /// Ids or aliases; every store when absent.
    #[serde(default)]
    stores: Option<Vec<String>>,
    /// Seconds from now; never when absent.
    #[serde(default)]
    expires_in_seconds: Option<u32>,
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
    }
}

/// The one answer that holds a secret.
#[must_use]
pub fn created(key: NewKey) -> CreatedKey {
    CreatedKey { id: key.record.id.to_string(), secret: key.secret, key: shown(&key.record) }
}

/// Makes a key of the caller's tenant.
#[utoipa::path(post, path = "/v1/keys", operation_id = "createKey", tag = "keys", request_body = CreateKeyBody,
    responses((status = 201, body = CreatedKey), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn create(
    services: web::Data<Services>,
    caller: Authenticated,
    body: Body<CreateKeyBody>,
) -> Result<HttpResponse, ApiError> {
    let tenant = unlimited(&caller)?;
    let body = body.0;
    let permission = |scope: &String| {
        Permission::parse(scope)
            .ok_or_else(|| ApiError::new(Code::InvalidInput, format!("there is no scope `{scope}`")))
    };
    let permissions = body.scopes.iter().map(permission).collect::<Result<Vec<_>, _>>()?;
    if permissions.is_empty() {
        return Err(ApiError::new(Code::InvalidInput, "a key has at least one scope"));
    }
    let store = |name: &String| {
        services
            .replica
            .find(tenant.tenant(), name)
            .map(|store| *store.scope().store())
            .ok_or_else(|| ApiError::not_found("store", name))
    };
    let stores = body.stores.map(|names| names.iter().map(store).collect::<Result<Vec<_>, _>>()).transpose()?;
    let now = services.clock.now().as_millis();
    let expires_at =
        body.expires_in_seconds.map(|seconds| Timestamp::from_millis(now.saturating_add(i64::from(seconds) * 1_000)));
    let spec = KeySpec { tenant: Some(*tenant.tenant()), name: name(body.name)?, permissions, stores, expires_at };
    Ok(HttpResponse::Created().json(created(services.administration.create_key(spec).await?)))
}

/// The keys of the caller's tenant, revoked ones too, by id.
#[utoipa::path(get, path = "/v1/keys", operation_id = "listKeys", tag = "keys", params(PageQuery),
    responses((status = 200, body = KeyList), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn list(
    services: web::Data<Services>,
    caller: Authenticated,
    query: Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let tenant = unlimited(&caller)?;
    let page = query.0.open(&services, Some(tenant), &["keys"])?;
    let after = page.after.as_deref().and_then(|id| KeyId::parse(id).ok());
    let mut rows = services.administration.keys(Some(tenant.tenant()), after.as_ref(), page.limit()).await?;
    let next_page_token = page.close(&services, &mut rows, |key| key.id.to_string());
    Ok(HttpResponse::Ok().json(KeyList { keys: rows.iter().map(shown).collect(), next_page_token }))
}

/// Revokes a key at once.
#[utoipa::path(delete, path = "/v1/keys/{key}", operation_id = "revokeKey", tag = "keys", params(("key" = String, Path, description = "the key's id, not its secret")),
    responses((status = 204), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn revoke(
    services: web::Data<Services>,
    caller: Authenticated,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let tenant = unlimited(&caller)?;
    let id = KeyId::parse(&path).map_err(|_| ApiError::not_found("key", &path))?;
    services.administration.revoke_key(Some(tenant.tenant()), &id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A key that is limited to some stores could make one that is not.
fn unlimited(caller: &Authenticated) -> Result<&crate::scope::TenantScope, ApiError> {
    let tenant = caller.tenant(Permission::Admin)?;
    if caller.0.is_limited() {
        return Err(ApiError::new(Code::Forbidden, "a key that is limited to some stores administers no keys"));
    }
    Ok(tenant)
}
