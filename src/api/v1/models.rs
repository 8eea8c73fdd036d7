//! The relation model of the active release.

use actix_web::{HttpRequest, HttpResponse, web};
use authx_engine::Json;
use authx_engine::relation::{ModelSource, ModelSyntax, RelationModel, model_to_json, print};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody};
use crate::api::extract::{AdminStore, Query, RawBody, ReadStore, parse};
use crate::api::once::{IdempotencyHeader, IdempotencyKey};
use crate::api::v1::policies::{DryRunQuery, change};
use crate::api::v1::releases::dsl;
use crate::pap::Proposal;

/// A relation model, in OpenFGA's language or in its JSON.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PutModelBody {
    #[serde(default)]
    dsl: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    json: Option<Json>,
}

/// The active release's relation model.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelReply {
    id: String,
    /// As its author wrote it; printed when that was JSON.
    dsl: String,
    #[schema(value_type = Object)]
    json: serde_json::Value,
    revision: u64,
    release: Option<String>,
    consistency_token: String,
}

impl PutModelBody {
    fn parse(self) -> Result<ModelSource, ApiError> {
        match (self.dsl, self.json) {
            (Some(text), None) => Ok(dsl(text)),
            (None, Some(json)) => Ok(ModelSource { syntax: ModelSyntax::Json, file: None, text: json.0.to_string() }),
            (Some(_), Some(_)) | (None, None) => {
                Err(ApiError::new(Code::MalformedRequest, "a model has either `dsl` or `json`"))
            }
        }
    }
}

/// A model's text as its author wrote it; printed when that was JSON.
pub(super) fn text_of(model: &RelationModel) -> String {
    let source = model.source();
    match source.syntax {
        ModelSyntax::Dsl => source.text.clone(),
        ModelSyntax::Json => print(model.model()),
    }
}

/// The active release's relation model, as text and as JSON.
#[utoipa::path(get, path = "/v1/stores/{store}/model", operation_id = "readModel", tag = "policies", params(("store" = String, Path, description = "id or alias")),
    responses((status = 200, body = ModelReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn read(access: ReadStore) -> Result<HttpResponse, ApiError> {
    let current = access.0.store.current();
    let model = current.snapshot.release().and_then(|release| release.model());
    let model = model.ok_or_else(|| ApiError::new(Code::NotFound, "the store has no relation model"))?;
    Ok(HttpResponse::Ok().json(ModelReply {
        id: model.id().to_owned(),
        dsl: text_of(model),
        json: model_to_json(model.model()),
        revision: current.revision().0,
        release: current.release_id().map(str::to_owned),
        consistency_token: current.token.clone(),
    }))
}

/// Replaces the relation model, in a new release.
#[utoipa::path(put, path = "/v1/stores/{store}/model", operation_id = "putModel", tag = "policies", params(("store" = String, Path, description = "id or alias"), DryRunQuery, IdempotencyHeader), request_body = PutModelBody,
    responses((status = 200, body = super::releases::ApplyReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn put(
    services: web::Data<Services>,
    access: AdminStore,
    request: HttpRequest,
    query: Query<DryRunQuery>,
    key: IdempotencyKey,
    raw: RawBody,
) -> Result<HttpResponse, ApiError> {
    let model = parse::<PutModelBody>(&raw.0)?.parse()?;
    let proposal = Proposal::Parts { schema: None, model: Some(model), policies: None };
    let asked = key.of_store(access.0.store.scope(), &raw.0);
    change(&services, &access, &request, proposal, query.0.dry_run, asked).await
}
