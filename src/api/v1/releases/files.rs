//! `GET /v1/stores/{store}/releases/{release}/files`: a release as the texts that it was made of.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};
use authx_engine::{PolicyText, Release, SchemaSyntax, policy_texts};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::Services;
use crate::api::error::{ApiError, ProblemBody, internal};
use crate::api::extract::ReadStore;
use crate::api::pieces::Pieces;
use crate::api::v1::models::text_of;

/// A release's texts, which `apply` takes back as they are: then nothing changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReleaseFiles {
    /// The release that they are of.
    release: String,
    schema: Option<SchemaFile>,
    /// The relation model, in OpenFGA's language; printed when its author wrote JSON.
    model: Option<String>,
    model_file: Option<String>,
    /// The id of the relation model.
    model_id: Option<String>,
    /// Files by name, then policies without one, then those with an id beside their text.
    policies: Vec<PolicyFile>,
}

/// A schema in Cedar's or in its JSON syntax.
#[derive(Debug, Serialize, ToSchema)]
pub struct SchemaFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    cedar: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    json: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

/// The text of one or more policies, or of the one that has this `id`.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    cedar: String,
}

impl ReleaseFiles {
    fn of(release: &Release) -> Self {
        let schema = release.schema().map(|schema| {
            let source = schema.source();
            let (cedar, json) = match source.syntax {
                SchemaSyntax::Cedar => (Some(source.text.clone()), None),
                SchemaSyntax::Json => (None, serde_json::from_str(&source.text).ok()),
            };
            SchemaFile { cedar, json, file: source.file.clone() }
        });
        let policy = |PolicyText { id, file, text }| PolicyFile { id, file, cedar: text };
        let policies = policy_texts(release.policies().map(AsRef::as_ref)).into_iter().map(policy).collect();
        let model = release.model();
        Self {
            release: release.id().to_owned(),
            schema,
            model: model.map(|model| text_of(model)),
            model_file: model.and_then(|model| model.source().file.clone()),
            model_id: model.map(|model| model.id().to_owned()),
            policies,
        }
    }
}

/// A release as the texts that it was made of: files, comments and ids as their authors gave them. `apply` takes this
/// body back, and changes nothing.
#[utoipa::path(get, path = "/v1/stores/{store}/releases/{release}/files", operation_id = "readReleaseFiles", tag = "releases", params(("store" = String, Path, description = "id or alias"), ("release" = String, Path)),
    responses((status = 200, body = ReleaseFiles), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn read(
    services: web::Data<Services>,
    access: ReadStore,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let release = services.pdp.release(&access.0.store, &path.1).await?;
    let written = services.pdp.turns().take(move || serde_json::to_vec(&ReleaseFiles::of(&release))).await?;
    let body = written.map_err(|error| internal(&error.to_string()))?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(Pieces::new(body)))
}
