//! The whole URL table.

use actix_web::web::{self, PayloadConfig, delete, get, post, put};

use crate::api::error::{ApiError, Code};
use crate::api::service;
use crate::api::v1::{check, data, keys, links, policies, releases, stores, tenants};

const SMALL: usize = 1 << 20;
const WRITE: usize = 8 << 20;
const APPLY: usize = 64 << 20;

/// Every route of the server.
pub fn configure(app: &mut web::ServiceConfig) {
    let at = |path: &str, limit: usize| {
        web::resource(path.to_owned()).app_data(PayloadConfig::new(limit)).default_service(web::to(wrong_method))
    };
    let store = "/v1/stores/{store}";
    app
        // The hot path first: routes are tried in this order.
        .service(at(&format!("{store}/check"), SMALL).route(post().to(check::check)))
        .service(at(&format!("{store}/write"), WRITE).route(post().to(data::write)))
        .service(at(&format!("{store}/entities"), SMALL).route(get().to(data::list)))
        .service(at(&format!("{store}/entities/{{type}}/{{id:.*}}"), SMALL).route(get().to(data::read)))
        .service(at(&format!("{store}/apply"), APPLY).route(post().to(releases::apply)))
        .service(at(&format!("{store}/validate"), APPLY).route(post().to(releases::validate)))
        .service(
            at(&format!("{store}/releases"), APPLY).route(get().to(releases::list)).route(post().to(releases::draft)),
        )
        .service(at(&format!("{store}/releases/{{release}}"), SMALL).route(get().to(releases::read)))
        .service(at(&format!("{store}/releases/{{release}}/diff"), SMALL).route(get().to(releases::diff)))
        .service(at(&format!("{store}/releases/{{release}}/activate"), SMALL).route(post().to(releases::activate)))
        .service(at(&format!("{store}/policies"), SMALL).route(get().to(policies::list)))
        .service(
            at(&format!("{store}/policies/{{policy}}"), SMALL)
                .route(get().to(policies::read))
                .route(put().to(policies::put))
                .route(delete().to(policies::delete)),
        )
        .service(
            at(&format!("{store}/schema"), WRITE)
                .route(get().to(policies::read_schema))
                .route(put().to(policies::put_schema)),
        )
        .service(at(&format!("{store}/links"), SMALL).route(get().to(links::list)))
        .service(
            at(&format!("{store}/links/{{link}}"), SMALL).route(put().to(links::put)).route(delete().to(links::delete)),
        )
        .service(at("/v1/stores", SMALL).route(get().to(stores::list)).route(post().to(stores::create)))
        .service(
            at(store, SMALL)
                .route(get().to(stores::read))
                .route(web::patch().to(stores::update))
                .route(delete().to(stores::delete)),
        )
        .service(at("/v1/tenants", SMALL).route(get().to(tenants::list)).route(post().to(tenants::create)))
        .service(at("/v1/keys", SMALL).route(get().to(keys::list)).route(post().to(keys::create)))
        .service(at("/v1/keys/{key}", SMALL).route(delete().to(keys::revoke)))
        .service(at("/livez", SMALL).route(get().to(service::livez)))
        .service(at("/readyz", SMALL).route(get().to(service::readyz)))
        .service(at("/metrics", SMALL).route(get().to(service::metrics)))
        .service(at("/openapi.yaml", SMALL).route(get().to(service::openapi)))
        .service(service::docs())
        .default_service(web::to(not_found));
}

async fn not_found() -> Result<actix_web::HttpResponse, ApiError> {
    Err(ApiError::new(Code::NotFound, "there is nothing at this path"))
}

async fn wrong_method() -> Result<actix_web::HttpResponse, ApiError> {
    Err(ApiError::new(Code::MethodNotAllowed, ""))
}
