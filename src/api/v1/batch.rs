//! `POST /v1/stores/{store}/check/batch`.

mod body;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use utoipa::ToSchema;

use self::body::{Batch, BatchBody, BatchCheck};
use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody, internal};
use crate::api::extract::{CheckStore, RawBody};
use crate::api::pieces::Pieces;
use crate::api::v1::check::{CheckReply, ConsistencyBody, DecisionWord, PolicyErrorBody, told};
use crate::decisions::Prepared;
use crate::pdp::{Consistency, Moment, Pdp};

/// Bodies that are read where they arrive: that is done sooner than handing them over.
const READ_IN_PLACE: usize = 16 << 10;

/// Bytes of all results; checks behind that are not made. Each result may name every policy of the store.
const MAX_BYTES: usize = 16 << 20;

/// The results, in the order of the checks, and what all were decided from.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchReply<'a> {
    #[schema(value_type = Vec<BatchResult>)]
    results: &'a [Box<RawValue>],
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
    let work = Work { pdp: services.pdp.clone(), moment, defaults, checks: checks.into_iter(), results, bytes: 0 };
    let (body, records) = services.pdp.turns().repeat(work, Work::step).await??;
    services.pdp.record(&access.0.store, records).await?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(Pieces::new(body)))
}

/// The reply, and what was decided.
type Answered = (Vec<u8>, Vec<Prepared>);

/// A batch in work.
struct Work {
    pdp: Pdp,
    moment: Moment,
    defaults: BatchCheck,
    checks: std::vec::IntoIter<(String, Box<RawValue>)>,
    /// Of the checks before, as they are told.
    results: Vec<Box<RawValue>>,
    bytes: usize,
}

impl Work {
    /// Answers the next check; after the last, writes the reply, which goes out when what was decided is recorded.
    fn step(&mut self) -> Option<Result<Answered, ApiError>> {
        let Some((id, text)) = self.checks.next() else {
            return Some(self.reply().map(|reply| (reply, self.moment.take_records())));
        };
        match self.answer(&id, &text) {
            Ok(result) => {
                self.bytes += result.get().len() + 1;
                self.results.push(result);
                None
            }
            Err(error) => Some(Err(internal(&error))),
        }
    }

    fn answer(&mut self, id: &str, text: &RawValue) -> Result<Box<RawValue>, serde_json::Error> {
        let room = || match self.bytes {
            0..MAX_BYTES => Ok(()),
            _ => Err(ApiError::new(
                Code::LimitExceeded,
                format!("the results before have more than {MAX_BYTES} bytes: ask for fewer at once"),
            )),
        };
        let decided = room().and_then(|()| BatchCheck::read(text, &self.defaults)).and_then(|check| {
            let (request, _, release) = check.parse()?;
            Ok(self.pdp.check_in(&mut self.moment, request, release.as_deref())?)
        });
        let decided = decided.map_err(|error| error.below(&format!("/checks/{}", self.results.len())));
        let mut buffer = [0; ulid::ULID_LEN];
        to_raw_value(&match &decided {
            Ok(decided) => {
                let reply = told(decided, decided.decision_id.array_to_str(&mut buffer));
                BatchResult::Decision(decision(id, reply, self.moment.current().release_id()))
            }
            Err(error) => BatchResult::Error(BatchError { id, error: error.body(None) }),
        })
    }

    fn reply(&self) -> Result<Vec<u8>, ApiError> {
        let current = self.moment.current();
        let reply = BatchReply {
            results: &self.results,
            warnings: self.moment.warning.as_deref().into_iter().collect(),
            revision: current.snapshot.revision(),
            release: current.release_id(),
            consistency_token: &current.token,
        };
        let mut text = Vec::with_capacity(self.bytes + 1_024);
        serde_json::to_writer(&mut text, &reply).map_err(|error| internal(&error))?;
        Ok(text)
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
