//! Stores.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{Fga, FgaCode, FgaError};
use super::wire::{bad_token, page_size};
use crate::api::Services;
use crate::api::extract::{AdminStore, Authenticated, Body, Query, ReadStore};
use crate::ids::StoreId;
use crate::keys::Permission;
use crate::pap::{NewStore, Once};
use crate::replica::OpenStore;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ListQuery {
    page_size: Option<i64>,
    continuation_token: Option<String>,
    name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CreateBody {
    name: Option<String>,
}

fn shown(store: &OpenStore) -> Value {
    let record = store.record();
    json!({
        "id": record.id,
        "name": record.name,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "deleted_at": null,
    })
}

pub async fn list(
    services: web::Data<Services>,
    caller: Fga<Authenticated>,
    query: Fga<Query<ListQuery>>,
) -> Result<HttpResponse, FgaError> {
    let caller = caller.0;
    let tenant = caller.tenant(Permission::Read).map_err(FgaError::from)?;
    let query = query.0.0;
    let size = page_size(query.page_size)? as usize;
    let name = query.name.filter(|name| !name.is_empty());
    let bound = [tenant.tenant().as_str(), "openfga-stores", name.as_deref().unwrap_or_default()];
    let tokens = services.replica.tokens();
    let mut after = match query.continuation_token.as_deref().filter(|token| !token.is_empty()) {
        None => None,
        Some(token) => {
            let last = tokens.read_cursor(&bound, token).ok_or_else(bad_token)?;
            Some(StoreId::parse(&last).map_err(|_| bad_token())?)
        }
    };
    let reaches = |id: &StoreId| caller.0.store(tenant, id).is_some();
    let mut page = Vec::new();
    // A name is looked for among all stores, a thousand at a time.
    let more = 'search: loop {
        let found = services.replica.list(tenant.tenant(), after.as_ref(), 1_000, &reaches);
        let Some(last) = found.last() else { break false };
        let end = *last.scope().store();
        for store in found {
            if page.len() == size {
                break 'search true;
            }
            after = Some(*store.scope().store());
            if name.as_ref().is_none_or(|name| store.record().name == *name) {
                page.push(shown(&store));
            }
        }
        after = Some(end);
    };
    let token = after.filter(|_| more).map(|last| tokens.cursor(&bound, last.as_str())).unwrap_or_default();
    Ok(HttpResponse::Ok().json(json!({"stores": page, "continuation_token": token})))
}

pub async fn create(
    services: web::Data<Services>,
    caller: Fga<Authenticated>,
    body: Fga<Body<CreateBody>>,
) -> Result<HttpResponse, FgaError> {
    let name = body.0.0.name.unwrap_or_default();
    let allowed = |c: char| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || "._-/^&@".contains(c);
    if !(3..=64).contains(&name.len()) || !name.chars().all(allowed) {
        let text = "invalid CreateStoreRequest.Name: value does not match regex pattern \"^[a-zA-Z0-9\\\\s\\\\.\\\\-\\\\/^_&@]{3,64}$\"";
        return Err(FgaError::invalid(text));
    }
    let tenant = caller.0.tenant(Permission::Admin).map_err(FgaError::from)?;
    if caller.0.0.is_limited() {
        return Err(FgaError::new(FgaCode::Forbidden, "the key is limited to some stores"));
    }
    let settings = authx_engine::Settings::default();
    let new = NewStore { name, alias: None, settings };
    let store = services.stores.create(&caller.0.0.author(), tenant, new, &Once::never()).await?;
    let record = store.record();
    Ok(HttpResponse::Created().json(json!({
        "id": record.id, "name": record.name, "created_at": record.created_at, "updated_at": record.updated_at,
    })))
}

pub async fn read(access: Fga<ReadStore>) -> HttpResponse {
    HttpResponse::Ok().json(shown(&access.0.0.store))
}

pub async fn delete(
    services: web::Data<Services>,
    access: Result<Fga<AdminStore>, FgaError>,
) -> Result<HttpResponse, FgaError> {
    match access {
        Ok(access) => {
            let access = access.0.0;
            services.stores.delete(&access.caller.author(), &access.tenant, &access.store, &Once::never()).await?;
        }
        // What is not there is deleted.
        Err(error) if error.code == FgaCode::StoreNotFound => {}
        Err(error) => return Err(error),
    }
    Ok(HttpResponse::NoContent().finish())
}
