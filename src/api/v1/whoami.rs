//! Who the caller is, and what it may do.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::Services;
use crate::api::error::{ApiError, ProblemBody};
use crate::api::extract::Authenticated;
use crate::keys::Permission;

/// What a credential is good for.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhoAmI {
    /// `platform`: the operator's key. `tenant`: a tenant's key. `dev`: no key, which `--dev` lets through.
    #[schema(example = "tenant")]
    kind: &'static str,
    /// The key; `null` without one.
    key: Option<CallersKey>,
    /// The tenant that the request acts in; `null` for a platform key that named none.
    tenant: Option<CallersTenant>,
    /// Of `admin`, `write`, `read`, `check`, `explain`.
    scopes: Vec<&'static str>,
    /// Ids; `null` is every store of the tenant.
    stores: Option<Vec<String>>,
    /// `null` is never.
    expires_at: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CallersKey {
    id: String,
    name: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CallersTenant {
    id: String,
    name: String,
}

/// Tells who the caller is. Any good credential may ask.
#[utoipa::path(get, path = "/v1/whoami", operation_id = "whoami", tag = "keys",
    responses((status = 200, body = WhoAmI), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn whoami(services: web::Data<Services>, caller: Authenticated) -> Result<HttpResponse, ApiError> {
    let grant = caller.0.grant();
    let acts_in = caller.0.acts_in().map(|scope| *scope.tenant());
    let key = match &grant.key {
        None => None,
        Some(id) => {
            let of = acts_in.filter(|_| !grant.platform);
            Some(services.administration.key(of.as_ref(), id).await?)
        }
    };
    let tenant = match acts_in {
        None => None,
        Some(id) => Some(services.administration.tenant(&id).await?),
    };
    let kind = match (&grant.key, grant.platform) {
        (None, _) => "dev",
        (Some(_), true) => "platform",
        (Some(_), false) => "tenant",
    };
    Ok(HttpResponse::Ok().json(WhoAmI {
        kind,
        key: key.as_ref().map(|key| CallersKey { id: key.id.to_string(), name: key.name.clone() }),
        tenant: tenant.map(|tenant| CallersTenant { id: tenant.id.to_string(), name: tenant.name }),
        scopes: grant.permissions.iter().copied().map(Permission::name).collect(),
        stores: grant.stores.as_ref().map(|stores| stores.iter().map(ToString::to_string).collect()),
        expires_at: key.and_then(|key| key.expires_at).map(|at| at.to_string()),
    }))
}
