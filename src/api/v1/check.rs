//! `POST /v1/stores/{store}/check`.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};
use authx_engine::{AccessRequest, ActionUid, Decision, EntityInput, EntityUid, Evaluation, JsonObject};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody};
use crate::api::extract::{Body, CheckStore};
use crate::api::v1::explain::explained;
use crate::api::v1::relations::contextual;
use crate::api::v1::tuples::TupleBody;
use crate::ids::Revision;
use crate::keys::Permission;
use crate::pdp::{Consistency, Decided};

/// May this principal do this action on this resource?
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a check")]
pub struct CheckBody {
    /// `User:alice`, `User::"alice"` or `{"type":"User","id":"alice"}`.
    #[schema(value_type = String, example = "User:alice")]
    pub(super) principal: EntityUid,
    /// `read`, `Action::"read"` or `{"type":"Action","id":"read"}`.
    #[schema(value_type = String, example = "read")]
    pub(super) action: ActionUid,
    #[schema(value_type = String, example = "Document:roadmap")]
    pub(super) resource: EntityUid,
    /// Cedar's JSON; null keys count as absent.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
    pub(super) context: JsonObject,
    /// Entities that hold for this request only.
    #[serde(default)]
    #[schema(value_type = Vec<EntityBody>)]
    pub(super) entities: Vec<EntityInput>,
    #[serde(default)]
    pub(super) consistency: Option<ConsistencyBody>,
    /// Another release of the store to decide by.
    #[serde(default)]
    pub(super) release: Option<String>,
    /// Tuples that hold for this request only, at most 100: `document:roadmap#viewer@user:alice`, or an object as in
    /// `write`.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub(super) tuples: Vec<TupleBody>,
    /// Tells why, as `explain` does; needs the scope `explain`.
    #[serde(default)]
    pub(super) explain: Option<bool>,
}

/// An entity in Cedar's JSON.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntityBody {
    #[schema(example = "Document:roadmap")]
    uid: String,
    attrs: std::collections::HashMap<String, serde_json::Value>,
    parents: Vec<String>,
    tags: std::collections::HashMap<String, serde_json::Value>,
}

/// How fresh the answer must be.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ConsistencyBody {
    mode: ConsistencyMode,
    /// For `at_least_as_fresh`: a `consistency_token` of this store.
    #[serde(default)]
    token: Option<String>,
    /// For `at_revision`.
    #[serde(default)]
    revision: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsistencyMode {
    MinimizeLatency,
    AtLeastAsFresh,
    /// As the store was at `revision`, asked at the time of its commit.
    AtRevision,
    FullyConsistent,
}

/// The decision with its reasons.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckReply<'a> {
    pub(super) decision: DecisionWord,
    #[schema(example = "01JD7QA1B0C9D8E7F6G5H4J3K2")]
    pub(super) decision_id: &'a str,
    #[schema(value_type = Vec<String>)]
    pub(super) determining_policies: &'a [authx_engine::PolicyId],
    pub(super) policy_errors: Vec<PolicyErrorBody<'a>>,
    #[schema(value_type = Vec<String>)]
    pub(super) advice: Vec<&'a str>,
    /// Parameters that conditions of tuples lacked, where that left a relation untold.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) missing_context: &'a [String],
    pub(super) warnings: &'a [String],
    pub(super) revision: u64,
    pub(super) release: Option<&'a str>,
    pub(super) consistency_token: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DecisionWord {
    Allow,
    Deny,
}

/// A policy that could not be evaluated.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyErrorBody<'a> {
    policy: &'a str,
    message: &'a str,
}

impl ConsistencyBody {
    pub(super) fn parse(self) -> Result<Consistency, ApiError> {
        match (self.mode, self.token) {
            (ConsistencyMode::AtRevision, _) => match self.revision {
                Some(revision) => Ok(Consistency::AtRevision(Revision(revision))),
                None => Err(ApiError::new(Code::MalformedRequest, "`at_revision` needs a `revision`")),
            },
            (ConsistencyMode::MinimizeLatency, _) => Ok(Consistency::MinimizeLatency),
            (ConsistencyMode::FullyConsistent, _) => Ok(Consistency::FullyConsistent),
            (ConsistencyMode::AtLeastAsFresh, Some(token)) => Ok(Consistency::AtLeastAsFresh(token)),
            (ConsistencyMode::AtLeastAsFresh, None) => {
                Err(ApiError::new(Code::MalformedRequest, "`at_least_as_fresh` needs a `token`"))
            }
        }
    }
}

impl CheckBody {
    pub(super) fn parse(self) -> Result<(AccessRequest, Consistency, Option<String>), ApiError> {
        if self.explain == Some(true) {
            return Err(ApiError::new(Code::Unsupported, "`explain` is for a check that is asked alone"));
        }
        let consistency = self.consistency.map_or(Ok(Consistency::MinimizeLatency), ConsistencyBody::parse)?;
        let request = AccessRequest {
            context: self.context,
            entities: self.entities,
            tuples: contextual(self.tuples)?,
            ..AccessRequest::new(self.principal, self.action.0, self.resource)
        };
        Ok((request, consistency, self.release))
    }
}

/// Decides one request. A deny is 200.
#[utoipa::path(
    post, path = "/v1/stores/{store}/check", operation_id = "check", tag = "decisions",
    params(("store" = String, Path, description = "id or alias")), request_body = CheckBody,
    responses((status = 200, body = CheckReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody))
)]
pub async fn check(
    services: web::Data<Services>,
    access: CheckStore,
    mut body: Body<CheckBody>,
) -> Result<HttpResponse, ApiError> {
    if body.0.explain.take() == Some(true) {
        access.0.caller.tenant(Permission::Explain)?;
        return explained(&services, &access.0, body.0).await;
    }
    let (request, consistency, release) = body.0.parse()?;
    let (store, caller) = (&access.0.store, access.0.caller.grant());
    let decided = if consistency == Consistency::MinimizeLatency && release.is_none() {
        services.pdp.check(store, caller, request).await?
    } else {
        services.pdp.check_on(store, caller, request, &consistency, release.as_deref()).await?
    };
    Ok(reply(&decided))
}

fn reply(decided: &Decided) -> HttpResponse {
    let mut buffer = [0; ulid::ULID_LEN];
    match serde_json::to_vec(&told(decided, decided.decision_id.array_to_str(&mut buffer))) {
        Ok(body) => HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(body),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

/// A decision as it is told; its id is given as text.
pub(super) fn told<'a>(decided: &'a Decided, decision_id: &'a str) -> CheckReply<'a> {
    let Decided { evaluation, decision_id: _, token } = decided;
    let Evaluation {
        decision,
        determining_policies,
        policy_errors,
        advice,
        missing_context,
        warnings,
        revision,
        release,
    } = evaluation;
    CheckReply {
        decision: match decision {
            Decision::Allow => DecisionWord::Allow,
            Decision::Deny => DecisionWord::Deny,
        },
        decision_id,
        determining_policies,
        policy_errors: policy_errors
            .iter()
            .map(|e| PolicyErrorBody { policy: &e.policy, message: &e.message })
            .collect(),
        advice: advice.iter().map(AsRef::as_ref).collect(),
        missing_context,
        warnings,
        revision: *revision,
        release: release.as_deref(),
        consistency_token: token,
    }
}
