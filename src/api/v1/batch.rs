//! `POST /v1/stores/{store}/check/batch`.

mod body;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use self::body::{Batch, BatchBody, BatchCheck};
use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody, internal};
use crate::api::extract::{CheckStore, RawBody};
use crate::api::pieces::Pieces;
use crate::api::v1::check::{CheckReply, ConsistencyBody, DecisionWord, PolicyErrorBody, told};
use crate::decisions::Record;
use crate::pdp::{Consistency, Decided, Moment, Pdp};

/// Bodies that are read where they arrive: that is done sooner than handing them over.
const READ_IN_PLACE: usize = 16 << 10;

/// The results, in the order of the checks, and what all were decided from.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchReply<'a> {
    results: Vec<BatchResult<'a>>,
    /// Of all results.
    #[schema(value_type = Vec<String>)]
    warnings: Vec<&'a str>,
    revision: u64,
    release: Option<&'a str>,
    consistency_token: &'a str,
}

/// A decision, or why there is none.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum BatchResult<'a> {
    Decision(BatchDecision<'a>),
    Error(BatchError<'a>),
}

/// The decision of one check with its reasons; what it was decided from is told once for all.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchDecision<'a> {
    id: &'a str,
    decision: DecisionWord,
    #[schema(example = "01JD7QA1B0C9D8E7F6G5H4J3K2")]
    decision_id: &'a str,
    #[schema(value_type = Vec<String>)]
    determining_policies: &'a [authx_engine::PolicyId],
    policy_errors: Vec<PolicyErrorBody<'a>>,
    #[schema(value_type = Vec<String>)]
    advice: Vec<&'a str>,
    /// Parameters that conditions of tuples lacked, where that left a relation untold.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    missing_context: &'a [String],
    warnings: &'a [String],
    /// The release that the check named, where it is another than the active one.
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<&'a str>,
}

/// A check without a decision. Pointers of the problem begin with the check's place: `/checks/17`.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchError<'a> {
    id: &'a str,
    error: ProblemBody,
}

/// Decides many requests from one snapshot. What is wrong with one check is told in its place and fails no other.
#[utoipa::path(
    post, path = "/v1/stores/{store}/check/batch", operation_id = "checkBatch", tag = "decisions",
    params(("store" = String, Path, description = "id or alias")), request_body = BatchBody,
    responses((status = 200, body = BatchReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody))
)]
pub async fn batch(services: web::Data<Services>, access: CheckStore, body: RawBody) -> Result<HttpResponse, ApiError> {
    let _place = services.batches.take(*access.0.tenant.tenant()).ok_or_else(|| {
        let detail = format!("{} batches of the tenant are in work, as many as may be", services.batches.limit());
        ApiError::new(Code::TooManyBatches, detail)
    })?;
    let bytes = body.0;
    let Batch { defaults, checks, consistency } = if bytes.len() <= READ_IN_PLACE {
        Batch::read(&bytes)?
    } else {
        services.pdp.turns().take(move || Batch::read(&bytes)).await??
    };
    let consistency = consistency.map_or(Ok(Consistency::MinimizeLatency), ConsistencyBody::parse)?;
    let moment = services.pdp.moment(&access.0.store, access.0.caller.grant(), &consistency).await?;
    let results = Vec::with_capacity(checks.len());
    let work = Work { pdp: services.pdp.clone(), moment, defaults, checks, results };
    let (body, records) = services.pdp.turns().repeat(work, Work::step).await??;
    services.pdp.record(records).await?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(Pieces::new(body)))
}

/// The reply, and what was decided.
type Answered = (Vec<u8>, Vec<Record>);

/// A batch in work.
struct Work {
    pdp: Pdp,
    moment: Moment,
    defaults: BatchCheck,
    checks: Vec<(String, Box<RawValue>)>,
    results: Vec<Result<(Decided, String), ApiError>>,
}

impl Work {
    /// Answers the next check; after the last, writes the reply, which goes out when what was decided is recorded.
    fn step(&mut self) -> Option<Result<Answered, ApiError>> {
        let index = self.results.len();
        let Some((_, text)) = self.checks.get(index) else {
            return Some(self.reply().map(|reply| (reply, self.moment.take_records())));
        };
        let decided = BatchCheck::read(text, &self.defaults).and_then(|check| {
            let (request, _, release) = check.parse()?;
            Ok(self.pdp.check_in(&mut self.moment, request, release.as_deref())?)
        });
        let told = decided.map(|decided| {
            let id = decided.decision_id.to_string();
            (decided, id)
        });
        self.results.push(told.map_err(|error| error.below(&format!("/checks/{index}"))));
        None
    }

    fn reply(&self) -> Result<Vec<u8>, ApiError> {
        let current = self.moment.current();
        let results = self.checks.iter().zip(&self.results).map(|((id, _), result)| match result {
            Ok((decided, decision_id)) => {
                BatchResult::Decision(decision(id, told(decided, decision_id), current.release_id()))
            }
            Err(error) => BatchResult::Error(BatchError { id, error: error.body(None) }),
        });
        let reply = BatchReply {
            results: results.collect(),
            warnings: self.moment.warning.as_deref().into_iter().collect(),
            revision: current.snapshot.revision(),
            release: current.release_id(),
            consistency_token: &current.token,
        };
        serde_json::to_vec(&reply).map_err(|error| internal(&error))
    }
}

fn decision<'a>(id: &'a str, reply: CheckReply<'a>, active: Option<&str>) -> BatchDecision<'a> {
    let CheckReply {
        decision,
        decision_id,
        determining_policies,
        policy_errors,
        advice,
        missing_context,
        warnings,
        revision: _,
        release,
        consistency_token: _,
    } = reply;
    BatchDecision {
        id,
        decision,
        decision_id,
        determining_policies,
        policy_errors,
        advice,
        missing_context,
        warnings,
        release: release.filter(|release| Some(*release) != active),
    }
}
