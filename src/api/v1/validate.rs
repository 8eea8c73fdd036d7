//! Validating without storing: what is wrong with a release, and what only looks wrong.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use authx_engine::{Level, Lint, LintLevels, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Services;
use crate::api::error::{ApiError, Code, ErrorItem, ProblemBody};
use crate::api::extract::{Body, ReadStore};
use crate::api::v1::releases::{PolicyBody, SchemaBody, parts};

/// A release, whole or in part, as for `apply`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ValidateBody {
    #[serde(default)]
    schema: Option<SchemaBody>,
    #[serde(default)]
    policies: Option<Vec<PolicyBody>>,
    /// The relation model, in OpenFGA's language.
    #[serde(default)]
    model: Option<String>,
    /// The name of the model's file, for the places of its problems.
    #[serde(default)]
    model_file: Option<String>,
    /// By name of a lint, what is made of its findings; a lint that is not named warns.
    #[serde(default)]
    lints: BTreeMap<String, LintLevel>,
}

/// What is made of a lint's findings: nothing, warnings, or errors.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LintLevel {
    Off,
    Warn,
    Deny,
}

/// What validating found; valid means no errors.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValidateReply {
    valid: bool,
    problems: Vec<ValidationProblem>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ValidationProblem {
    /// `error` or `warning`.
    severity: String,
    #[serde(flatten)]
    item: ErrorItem,
}

fn levels(sent: BTreeMap<String, LintLevel>) -> Result<LintLevels, ApiError> {
    let mut levels = LintLevels::default();
    for (name, level) in sent {
        let unknown = |unknown: authx_engine::UnknownLint| {
            let item = ErrorItem {
                pointer: Some("/lints".to_owned()),
                code: "unknown_lint".to_owned(),
                message: unknown.to_string(),
                hint: Some(unknown.hint()),
                ..ErrorItem::default()
            };
            ApiError { errors: vec![item], ..ApiError::new(Code::InvalidInput, unknown.to_string()) }
        };
        let level = match level {
            LintLevel::Off => Level::Off,
            LintLevel::Warn => Level::Warn,
            LintLevel::Deny => Level::Deny,
        };
        levels.set(Lint::parse(&name).map_err(unknown)?, level);
    }
    Ok(levels)
}

/// Validates strictly, whatever the store's setting, and stores nothing.
#[utoipa::path(post, path = "/v1/stores/{store}/validate", operation_id = "validate", tag = "releases", params(("store" = String, Path, description = "id or alias")), request_body = ValidateBody,
    responses((status = 200, body = ValidateReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn validate(
    services: web::Data<Services>,
    access: ReadStore,
    body: Body<ValidateBody>,
) -> Result<HttpResponse, ApiError> {
    let ValidateBody { schema, policies, model, model_file, lints } = body.0;
    let levels = levels(lints)?;
    let proposal = parts(schema, model.map(|text| (text, model_file)), policies)?;
    let report = services.releases.validate(&access.0.store, proposal, levels).await?;
    let shown = |problem: &Problem| ValidationProblem {
        severity: if problem.is_error() { "error".to_owned() } else { "warning".to_owned() },
        item: ErrorItem::from(problem),
    };
    Ok(HttpResponse::Ok()
        .json(ValidateReply { valid: report.valid, problems: report.problems.iter().map(shown).collect() }))
}
