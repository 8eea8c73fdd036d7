//! What a platform asks of the process: alive, ready, metrics, its own documents.

pub mod gauges;
pub mod readiness;

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_swagger_ui::SwaggerUi;

use crate::api::openapi;

/// `{"status":"ok"}`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    status: &'static str,
}

/// The process runs.
#[utoipa::path(get, path = "/livez", operation_id = "livez", tag = "service", security(()), responses((status = 200, body = Health)))]
pub async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok" })
}

/// As OpenFGA tells it.
#[utoipa::path(get, path = "/healthz", operation_id = "healthz", tag = "service", security(()), responses((status = 200, description = "`{\"status\":\"SERVING\"}`")))]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"status": "SERVING"}))
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
