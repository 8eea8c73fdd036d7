//! The whole URL table.

use actix_web::web::{self, PayloadConfig, delete, get, patch, post, put};
use actix_web::{HttpResponse, Resource};

use crate::api::error::{ApiError, Code};
use crate::api::service;
use crate::api::v1::{check, data, keys, links, policies, releases, stores, tenants};

const SMALL: usize = 1 << 20;
const WRITE: usize = 8 << 20;
const APPLY: usize = 64 << 20;

/// Every route of the server. The hot path is first: routes are tried in this order.
#[rustfmt::skip]
pub fn configure(app: &mut web::ServiceConfig) {
    app.service(store("/check", SMALL, "POST").route(post().to(check::check)))
        .service(store("/write", WRITE, "POST").route(post().to(data::write)))
        .service(store("/entities", SMALL, "GET").route(get().to(data::list)))
        .service(store("/entities/{type}/{id:.*}", SMALL, "GET").route(get().to(data::read)))
        .service(store("/apply", APPLY, "POST").route(post().to(releases::apply)))
        .service(store("/validate", APPLY, "POST").route(post().to(releases::validate)))
        .service(store("/releases", APPLY, "GET, POST").route(get().to(releases::list)).route(post().to(releases::draft)))
        .service(store("/releases/{release}", SMALL, "GET").route(get().to(releases::read)))
        .service(store("/releases/{release}/diff", SMALL, "GET").route(get().to(releases::diff)))
        .service(store("/releases/{release}/activate", SMALL, "POST").route(post().to(releases::activate)))
        .service(store("/policies", SMALL, "GET").route(get().to(policies::list)))
        .service(store("/policies/{policy}", SMALL, "GET, PUT, DELETE").route(get().to(policies::read)).route(put().to(policies::put)).route(delete().to(policies::delete)))
        .service(store("/schema", WRITE, "GET, PUT").route(get().to(policies::read_schema)).route(put().to(policies::put_schema)))
        .service(store("/links", SMALL, "GET").route(get().to(links::list)))
        .service(store("/links/{link}", SMALL, "PUT, DELETE").route(put().to(links::put)).route(delete().to(links::delete)))
        .service(store("", SMALL, "GET, PATCH, DELETE").route(get().to(stores::read)).route(patch().to(stores::update)).route(delete().to(stores::delete)))
        .service(at("/v1/stores", SMALL, "GET, POST").route(get().to(stores::list)).route(post().to(stores::create)))
        .service(at("/v1/tenants", SMALL, "GET, POST").route(get().to(tenants::list)).route(post().to(tenants::create)))
        .service(at("/v1/keys", SMALL, "GET, POST").route(get().to(keys::list)).route(post().to(keys::create)))
        .service(at("/v1/keys/{key}", SMALL, "DELETE").route(delete().to(keys::revoke)))
        .service(at("/livez", SMALL, "GET").route(get().to(service::livez)))
        .service(at("/readyz", SMALL, "GET").route(get().to(service::readyz)))
        .service(at("/metrics", SMALL, "GET").route(get().to(service::metrics)))
        .service(at("/openapi.yaml", SMALL, "GET").route(get().to(service::openapi)))
        .service(web::redirect("/docs", "/docs/"))
        .service(service::docs())
        .default_service(web::to(not_found));
}

/// A path under a store.
fn store(rest: &str, limit: usize, allow: &'static str) -> Resource {
    at(&format!("/v1/stores/{{store}}{rest}"), limit, allow)
}

/// A path, how many bytes its bodies may have, and its methods, for the answer to any other.
fn at(path: &str, limit: usize, allow: &'static str) -> Resource {
    let wrong = move || async move { wrong_method(allow) };
    web::resource(path).app_data(PayloadConfig::new(limit)).default_service(web::to(wrong))
}

async fn not_found() -> Result<HttpResponse, ApiError> {
    Err(ApiError::new(Code::NotFound, "there is nothing at this path"))
}

fn wrong_method(allow: &'static str) -> Result<HttpResponse, ApiError> {
    Err(ApiError { allow: Some(allow), ..ApiError::new(Code::MethodNotAllowed, format!("the path takes {allow}")) })
}
