//! `GET /v1/decisions/{decision}/explain`: a past decision, as of its own time.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::recorded;
use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody};
use crate::api::extract::{Authenticated, Query};
use crate::api::v1::check::{CheckReply, told};
use crate::api::v1::explain::ExplanationBody;
use crate::decisions::Recorded;
use crate::keys::Permission;
use crate::pdp::{Again, Decided};

/// A past decision made again, and why it was made so.
#[derive(Debug, Serialize, ToSchema)]
pub struct PastReply<'a> {
    #[serde(flatten)]
    decision: CheckReply<'a>,
    explanation: ExplanationBody,
    /// The record, for keys with the scope `read`.
    #[schema(value_type = Object, required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<&'a Value>,
    /// Whether the decision and its determining policies are those of the record.
    agrees: bool,
    /// Parts of the request were masked in the record, so that it could not be asked as it was.
    masked: bool,
    /// With `as_test`: a file of tests that asks the same, with only the facts that the decision read.
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<String>,
}

/// What is told besides.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExplainQuery {
    /// Tell it as a test too; takes the scope `read`.
    #[serde(default)]
    as_test: bool,
}

/// Why a past decision was made: the same question to the release and the revision of then, at its own time.
#[utoipa::path(get, path = "/v1/decisions/{decision}/explain", operation_id = "explainDecision", tag = "decisions", params(("decision" = String, Path), ExplainQuery),
    responses((status = 200, body = PastReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn explain(
    services: web::Data<Services>,
    caller: Authenticated,
    path: web::Path<String>,
    query: Query<ExplainQuery>,
) -> Result<HttpResponse, ApiError> {
    let tenant = caller.tenant(Permission::Explain)?;
    if query.0.as_test {
        // It tells what is stored.
        caller.tenant(Permission::Read)?;
    }
    let content = recorded(&services, &caller, tenant, &path).await?;
    let other = || ApiError::new(Code::Unsupported, "only decisions about policies are explained");
    let recorded = Recorded::read(&content).ok_or_else(other)?;
    let gone = || ApiError::not_found("store", recorded.store.as_str());
    let store = services.replica.find(tenant.tenant(), recorded.store.as_str()).ok_or_else(gone)?;
    let (masked, id) = (recorded.masked, content.get("id").and_then(Value::as_str).unwrap_or_default());
    let again = services.pdp.explain_again(&store, recorded).await?;
    let test = if query.0.as_test {
        let test = services.pdp.as_test(&again, format!("decision {id}")).await?;
        Some(test.map_err(|why| ApiError::new(Code::LimitExceeded, why.to_string()))?)
    } else {
        None
    };
    let Again { explanation, token, .. } = again;
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
    // It tells what its asker sent, and who that was.
    let recorded = may(Permission::Read).then_some(&content);
    Ok(HttpResponse::Ok().json(PastReply { decision, explanation: body, recorded, agrees, masked, test }))
}

/// An empty list is not recorded.
fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}
