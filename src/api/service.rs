//! What a platform asks of the process: alive, ready, metrics, its own documents.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_swagger_ui::SwaggerUi;

use crate::api::Services;
use crate::api::openapi;

/// `{"status":"ok"}`, or why not.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// The process runs.
#[utoipa::path(get, path = "/livez", operation_id = "livez", tag = "service", security(()), responses((status = 200, body = Health)))]
pub async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok", reason: None })
}

/// As OpenFGA tells it.
#[utoipa::path(get, path = "/healthz", operation_id = "healthz", tag = "service", security(()), responses((status = 200, description = "`{\"status\":\"SERVING\"}`")))]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"status": "SERVING"}))
}

/// The process can answer and write.
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "service", security(()), responses((status = 200, body = Health), (status = 503, body = Health)))]
pub async fn readyz(services: web::Data<Services>) -> HttpResponse {
    match services.storage.ping().await {
        Ok(()) => HttpResponse::Ok().json(Health { status: "ok", reason: None }),
        Err(_) => HttpResponse::ServiceUnavailable()
            .json(Health { status: "unavailable", reason: Some("storage does not answer") }),
    }
}

/// Prometheus text.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "service", security(()), responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn metrics(services: web::Data<Services>) -> HttpResponse {
    metrics::gauge!("authx_stores").set(count(services.replica.len()));
    let (mut entities, mut policies) = (0, 0);
    for store in services.replica.all() {
        let current = store.peek();
        entities += current.snapshot.data().entity_count();
        policies += current.snapshot.release().map_or(0, |release| release.policy_count());
    }
    metrics::gauge!("authx_entities").set(count(entities));
    metrics::gauge!("authx_policies").set(count(policies));
    services.metrics.run_upkeep();
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(services.metrics.render())
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
fn count(n: usize) -> f64 {
    n as f64
}

/// This API as OpenAPI 3.1.
#[utoipa::path(get, path = "/openapi.yaml", operation_id = "openapi", tag = "service", security(()), responses((status = 200, body = String, content_type = "application/yaml")))]
pub async fn openapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/yaml").body(openapi::document())
}

/// The documentation as pages, from the binary alone.
#[must_use]
pub fn docs() -> SwaggerUi {
    SwaggerUi::new("/docs/{_:.*}").url("/docs/openapi.json", openapi::api())
}
