//! `GET /v1/decisions/{decision}/explain`: a past decision, as of its own time.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::recorded;
use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody};
use crate::api::extract::Authenticated;
use crate::api::v1::check::{CheckReply, told};
use crate::api::v1::explain::ExplanationBody;
use crate::decisions::Recorded;
use crate::keys::Permission;
use crate::pdp::Decided;

/// A past decision made again, and why it was made so.
#[derive(Debug, Serialize, ToSchema)]
pub struct PastReply<'a> {
    #[serde(flatten)]
    decision: CheckReply<'a>,
    explanation: ExplanationBody,
    /// The record.
    #[schema(value_type = Object)]
    recorded: &'a Value,
    /// Whether the decision and its determining policies are those of the record.
    agrees: bool,
    /// Parts of the request were masked in the record, so that it could not be asked as it was.
    masked: bool,
}

/// Why a past decision was made: the same question to the release and the revision of then, at its own time.
#[utoipa::path(get, path = "/v1/decisions/{decision}/explain", operation_id = "explainDecision", tag = "decisions", params(("decision" = String, Path)),
    responses((status = 200, body = PastReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn explain(
    services: web::Data<Services>,
    caller: Authenticated,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let tenant = caller.tenant(Permission::Explain)?;
    let content = recorded(&services, &caller, tenant, &path).await?;
    let other = || ApiError::new(Code::Unsupported, "only decisions about policies are explained");
    let recorded = Recorded::read(&content).ok_or_else(other)?;
    let gone = || ApiError::not_found("store", recorded.store.as_str());
    let store = services.replica.find(tenant.tenant(), recorded.store.as_str()).ok_or_else(gone)?;
    let (masked, id) = (recorded.masked, content.get("id").and_then(Value::as_str).unwrap_or_default());
    let (explanation, token) = services.pdp.explain_again(&store, recorded).await?;
    let may = |permission| caller.tenant(permission).is_ok();
    let body = ExplanationBody::new(&explanation, may(Permission::Read), may(Permission::Write));
    let decision_id = ulid::Ulid::from_string(id).unwrap_or_default();
    let decided = Decided { evaluation: explanation.evaluation, decision_id, token };
    let decision = told(&decided, id);
    let told = serde_json::to_value(&decision).unwrap_or_default();
    let same = |name: &str| {
        content.get(name).filter(|value| !is_empty(value)) == told.get(name).filter(|value| !is_empty(value))
    };
    let agrees = same("decision") && same("determining_policies");
    Ok(HttpResponse::Ok().json(PastReply { decision, explanation: body, recorded: &content, agrees, masked }))
}

/// An empty list is not recorded.
fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}
