//! Whether the process can be sent work, and why not.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::Services;

/// `ready` when there are no reasons.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    #[schema(example = "ready")]
    status: &'static str,
    reasons: Vec<Reason>,
}

/// Why the process should not be sent work.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reason {
    /// `draining`, `storage_unavailable`, `storage_not_writable` or `decision_log_not_writable`.
    #[schema(example = "draining")]
    code: &'static str,
    message: &'static str,
}

/// Whether the process can answer and write, and why not.
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "service", security(()), responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub async fn readyz(services: web::Data<Services>) -> HttpResponse {
    let mut reasons = Vec::new();
    let mut because = |code, message| reasons.push(Reason { code, message });
    if services.draining.is_cancelled() {
        because("draining", "the server was told to end");
    }
    if services.storage.ping().await.is_err() {
        because("storage_unavailable", "the database does not answer");
    } else if !services.writers.can_write().await {
        because("storage_not_writable", "the last write to the database failed, and so did another try");
    }
    if services.decisions.backlog().failing > 0 {
        because(
            "decision_log_not_writable",
            "decisions could not be written to their files; they are kept and tried again",
        );
    }
    if reasons.is_empty() {
        return HttpResponse::Ok().json(Readiness { status: "ready", reasons });
    }
    HttpResponse::ServiceUnavailable().json(Readiness { status: "not_ready", reasons })
}
