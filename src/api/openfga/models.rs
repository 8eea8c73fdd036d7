//! Authorization models: every one that was ever written stays.

use actix_web::{HttpResponse, web};
use authx_engine::Json;
use authx_engine::relation::{Model, ModelSource, ModelSyntax, model_from_json, model_to_http_json, parse};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::model;
use super::error::{Fga, FgaError};
use super::wire::{bad_token, page_size};
use crate::api::Services;
use crate::api::extract::{AdminStore, Body, Query, ReadStore};
use crate::ids::ModelId;
use crate::pap::{ApplyRequest, Once, PapError, Proposal};
use crate::storage::records::ModelRecord;

/// Bytes of a model, as OpenFGA has it.
const MAX_BYTES: usize = 256 * 1_024;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct WriteBody {
    #[serde(alias = "schemaVersion")]
    schema_version: Option<String>,
    #[serde(alias = "typeDefinitions")]
    type_definitions: Option<Vec<Json>>,
    conditions: Option<Json>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ListQuery {
    page_size: Option<i64>,
    continuation_token: Option<String>,
}

pub async fn write(
    services: web::Data<Services>,
    access: Fga<AdminStore>,
    body: Fga<Body<WriteBody>>,
) -> Result<HttpResponse, FgaError> {
    let body = body.0.0;
    let types = body.type_definitions.unwrap_or_default();
    if types.is_empty() {
        return Err(FgaError::invalid(
            "invalid WriteAuthorizationModelRequest.TypeDefinitions: value must contain at least 1 item(s)",
        ));
    }
    let text = json!({
        "schema_version": body.schema_version.unwrap_or_default(),
        "type_definitions": types,
        "conditions": body.conditions.unwrap_or_default(),
    })
    .to_string();
    if text.len() > MAX_BYTES {
        let text = format!("model exceeds size limit: {} bytes vs {MAX_BYTES} bytes", text.len());
        return Err(FgaError::new(super::error::FgaCode::ExceededEntityLimit, text));
    }
    let apply = ApplyRequest {
        proposal: Proposal::Model(ModelSource { syntax: ModelSyntax::Json, file: None, text }),
        if_release: None,
        allow_nonconforming: true,
        dry_run: false,
        activate: true,
    };
    let access = access.0.0;
    let applied = services.releases.apply(&access.store, &access.caller.author(), apply, &Once::never()).await?;
    let id = applied.release.model().map(|model| model.id().to_owned()).unwrap_or_default();
    Ok(HttpResponse::Created()
        .insert_header(("Openfga-Authorization-Model-Id", id.as_str()))
        .json(json!({"authorization_model_id": id})))
}

fn shown(id: &str, model: &Model) -> Value {
    let mut json = model_to_http_json(model);
    if let Some(object) = json.as_object_mut() {
        object.insert("id".to_owned(), json!(id));
    }
    json
}

pub async fn read(
    services: web::Data<Services>,
    access: Fga<ReadStore>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, FgaError> {
    let model = model(&services, &access.0.0.store, &path.1).await?;
    Ok(HttpResponse::Ok()
        .insert_header(("Openfga-Authorization-Model-Id", model.id()))
        .json(json!({"authorization_model": shown(model.id(), model.model())})))
}

/// Newest first.
pub async fn list(
    services: web::Data<Services>,
    access: Fga<ReadStore>,
    query: Fga<Query<ListQuery>>,
) -> Result<HttpResponse, FgaError> {
    let scope = access.0.0.store.scope();
    let query = query.0.0;
    let size = page_size(query.page_size)?;
    let bound = [scope.tenant().as_str(), "openfga-models", scope.store().as_str()];
    let tokens = services.replica.tokens();
    let before = match query.continuation_token.as_deref().filter(|token| !token.is_empty()) {
        None => None,
        Some(token) => {
            let last = tokens.read_cursor(&bound, token).ok_or_else(bad_token)?;
            Some(ModelId::parse(&last).map_err(|_| bad_token())?)
        }
    };
    let rows = services.storage.models.list(scope, before.as_ref(), size + 1).await;
    let mut rows = rows.map_err(PapError::from)?;
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let last = rows.last().map(|row| row.id);
    let token = last.filter(|_| more).map(|last| tokens.cursor(&bound, last.as_str())).unwrap_or_default();
    // Reading a model takes a while, and a page may have a hundred.
    let shown = web::block(move || rows.iter().filter_map(told).collect::<Vec<Value>>()).await.unwrap_or_default();
    Ok(HttpResponse::Ok().json(json!({"authorization_models": shown, "continuation_token": token})))
}

/// A stored model; it was read before, so it reads again.
fn told(row: &ModelRecord) -> Option<Value> {
    let model = match row.syntax.as_str() {
        "json" => model_from_json(&serde_json::from_str(&row.text).ok()?).ok()?,
        _ => parse(&row.text, None).ok()?,
    };
    Some(shown(row.id.as_str(), &model))
}
