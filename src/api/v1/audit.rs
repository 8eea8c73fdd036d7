//! Proof over HTTP that the decision log of the caller's tenant was not altered, and what is to be forgotten taken out of it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody};
use crate::api::extract::{Authenticated, Query, RawBody, parse};
use crate::api::once::{IdempotencyHeader, IdempotencyKey, json, respond};
use crate::decisions::{Erasure, Finding, TenantReport, verify_live};
use crate::ids::TenantId;
use crate::keys::Permission;
use crate::pap::Once;

/// Whose log is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct VerifyQuery {
    /// `true`: the platform's own log, for a platform key. Absent: that of the caller's tenant.
    #[serde(default)]
    platform: bool,
}

/// What was found, as `authx audit verify -o json` prints it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditReport {
    /// Nothing was altered.
    whole: bool,
    /// One, the log that was asked for.
    tenants: Vec<ChainReport>,
}

/// What was found in one log.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChainReport {
    tenant: String,
    segments: usize,
    records: u64,
    decisions: u64,
    changes: u64,
    security: u64,
    /// Decisions that were answered and not recorded, as the log tells.
    lost: u64,
    /// Decisions whose content was taken out.
    erased: u64,
    problems: Vec<ChainFinding>,
}

/// Something at a place.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChainFinding {
    file: String,
    line: Option<u64>,
    message: String,
}

impl From<TenantReport> for ChainReport {
    fn from(report: TenantReport) -> Self {
        let finding = |Finding { file, line, message }| ChainFinding { file, line, message };
        Self {
            tenant: report.tenant,
            segments: report.segments,
            records: report.records,
            decisions: report.decisions,
            changes: report.changes,
            security: report.security,
            lost: report.lost,
            erased: report.erased,
            problems: report.problems.into_iter().map(finding).collect(),
        }
    }
}

/// Verifies every record of a log, as it is now, by one request of a tenant at a time. It reads all of its files: where they
/// are so large that this takes longer than a request may, `authx audit verify` has no such limit.
#[utoipa::path(post, path = "/v1/audit/verify", operation_id = "verifyLog", tag = "decisions", params(VerifyQuery),
    responses((status = 200, body = AuditReport), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn verify(
    services: web::Data<Services>,
    caller: Authenticated,
    query: Query<VerifyQuery>,
) -> Result<HttpResponse, ApiError> {
    let log = log(&caller, query.0.platform)?;
    let busy = || ApiError::new(Code::TooManyRequests, "the log is being verified for another request");
    let place = services.verifications.take(log).ok_or_else(busy)?;
    services.outbox.drain().await;
    services.decisions.flush(&log).await;
    let (dir, tokens) = (services.decisions.dir(&log), services.replica.tokens().clone());
    let work = move || {
        // Held by the work: it goes on when its client is gone.
        let _place = place;
        verify_live(&dir, log, &tokens)
    };
    let unreadable = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "the decision log cannot be verified");
        ApiError::new(Code::StorageUnavailable, "the decision log cannot be read")
    };
    let verified = web::block(work).await.map_err(|error| unreadable(&error))?;
    let report = verified.map_err(|error| unreadable(&error))?;
    let whole = report.problems.is_empty();
    Ok(HttpResponse::Ok().json(AuditReport { whole, tenants: vec![report.into()] }))
}

/// Which decisions are to be forgotten: some, or all of one principal.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EraseBody {
    /// The ids of decisions. Those that the log does not have are not told.
    #[serde(default)]
    ids: Option<Vec<String>>,
    /// Whom they are about, as in a check.
    #[serde(default)]
    #[schema(example = "User:alice")]
    principal: Option<String>,
}

/// How many decisions were taken out.
#[derive(Debug, Serialize, ToSchema)]
pub struct Erased {
    erased: u64,
}

impl EraseBody {
    fn parse(self) -> Result<Erasure, ApiError> {
        let invalid = |detail: String| ApiError::new(Code::InvalidInput, detail);
        match (self.ids, self.principal) {
            (Some(ids), None) => Erasure::of_ids(&ids).map_err(|error| invalid(error.to_string())),
            (None, Some(principal)) => Ok(Erasure::of_principal(&principal)),
            (None, None) | (Some(_), Some(_)) => Err(invalid("expected either `ids` or `principal`".to_owned())),
        }
    }
}

/// Takes the content of decisions out of the log, for good; the chain still verifies. What was recorded before the request is
/// gone with its answer. A request that takes too long goes on: sent again with its key, it is answered when it is done.
#[utoipa::path(post, path = "/v1/audit/erase", operation_id = "eraseDecisions", tag = "decisions", params(IdempotencyHeader), request_body = EraseBody,
    responses((status = 200, body = Erased), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn erase(
    services: web::Data<Services>,
    caller: Authenticated,
    key: IdempotencyKey,
    raw: RawBody,
) -> Result<HttpResponse, ApiError> {
    log(&caller, false)?;
    let tenant = caller.tenant(Permission::Admin)?;
    let which = parse::<EraseBody>(&raw.0)?.parse()?;
    let asked = key.of_tenant(Some(tenant), &raw.0);
    let once = Once::new(asked, |erased: &u64| json(StatusCode::OK, &Erased { erased: *erased }));
    respond(&once, services.administration.erase(&caller.0.author(), tenant, which, &once).await)
}

/// The log that the caller may verify.
fn log(caller: &Authenticated, platform: bool) -> Result<TenantId, ApiError> {
    if platform {
        caller.0.platform()?;
        return Ok(TenantId::platform());
    }
    let tenant = caller.tenant(Permission::Admin)?;
    if caller.0.is_limited() {
        return Err(ApiError::new(Code::Forbidden, "the log is of all stores, and the key is limited to some"));
    }
    Ok(*tenant.tenant())
}
