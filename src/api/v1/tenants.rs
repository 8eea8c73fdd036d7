//! Tenants: the operator's.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Services;
use crate::api::error::{ApiError, ProblemBody};
use crate::api::extract::{Authenticated, Body, Query};
use crate::api::paging::PageQuery;
use crate::api::v1::keys::{CreatedKey, created};
use crate::api::v1::stores::name;
use crate::ids::TenantId;
use crate::storage::records::TenantRecord;

#[derive(Debug, Deserialize, ToSchema)]
pub struct CreateTenantBody {
    name: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TenantReply {
    id: String,
    name: String,
    created_at: String,
}

/// A tenant and its first key; the secret is shown once.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedTenant {
    id: String,
    name: String,
    created_at: String,
    admin_key: CreatedKey,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TenantList {
    tenants: Vec<TenantReply>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

fn shown(tenant: &TenantRecord) -> TenantReply {
    TenantReply { id: tenant.id.to_string(), name: tenant.name.clone(), created_at: tenant.created_at.to_string() }
}

/// Makes a tenant and an `admin` key of it. Needs a platform key.
#[utoipa::path(post, path = "/v1/tenants", operation_id = "createTenant", tag = "tenants", request_body = CreateTenantBody,
    responses((status = 201, body = CreatedTenant), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn create(
    services: web::Data<Services>,
    caller: Authenticated,
    body: Body<CreateTenantBody>,
) -> Result<HttpResponse, ApiError> {
    caller.0.platform()?;
    let new = services.administration.create_tenant(name(body.0.name)?).await?;
    let TenantReply { id, name, created_at } = shown(&new.tenant);
    Ok(HttpResponse::Created().json(CreatedTenant { id, name, created_at, admin_key: created(new.admin_key) }))
}

/// Every tenant, by id. Needs a platform key.
#[utoipa::path(get, path = "/v1/tenants", operation_id = "listTenants", tag = "tenants", params(PageQuery),
    responses((status = 200, body = TenantList), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn list(
    services: web::Data<Services>,
    caller: Authenticated,
    query: Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    caller.0.platform()?;
    let page = query.0.open(&services, None, &["tenants"])?;
    let after = page.after.as_deref().and_then(|id| TenantId::parse(id).ok());
    let mut rows = services.administration.tenants(after.as_ref(), page.limit()).await?;
    let next_page_token = page.close(&services, &mut rows, |tenant| tenant.id.to_string());
    Ok(HttpResponse::Ok().json(TenantList { tenants: rows.iter().map(shown).collect(), next_page_token }))
}
