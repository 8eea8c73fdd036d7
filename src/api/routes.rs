//! The whole URL table.

use actix_web::web::{self, PayloadConfig, delete, get, patch, post, put};
use actix_web::{HttpResponse, Resource};

use crate::api::error::{ApiError, Code};
use crate::api::openfga;
use crate::api::service;
use crate::api::v1::{
    audit, batch, changes, check, decisions, entities, explain, export, import, keys, links, models, policies,
    policy_tests, relations, releases, replay, revisions, stores, tenants, tuples, validate, whoami, write,
};

const SMALL: usize = 1 << 20;
const WRITE: usize = 8 << 20;
/// OpenFGA takes half a mebibyte and a little.
const FGA: usize = SMALL;
const APPLY: usize = 64 << 20;

/// Every route of the server. The hot path is first: routes are tried in this order.
#[rustfmt::skip]
pub fn configure(app: &mut web::ServiceConfig) {
    app.service(store("/check", SMALL, "POST").route(post().to(check::check)))
        .service(store("/explain", SMALL, "POST").route(post().to(explain::explain)))
        .service(store("/check/batch", WRITE, "POST").route(post().to(batch::batch)))
        .service(store("/relations/check", SMALL, "POST").route(post().to(relations::check)))
        .service(store("/relations/expand", SMALL, "POST").route(post().to(relations::expand)))
        .service(store("/write", WRITE, "POST").route(post().to(write::write)))
        .service(store("/entities", SMALL, "GET").route(get().to(entities::list)))
        .service(store("/entities/{type}/{id:.*}", SMALL, "GET").route(get().to(entities::read)))
        .service(store("/tuples/read", SMALL, "POST").route(post().to(tuples::read)))
        .service(store("/entities/delete-by-filter", SMALL, "POST").route(post().to(entities::delete::delete)))
        .service(store("/tuples/delete-by-filter", SMALL, "POST").route(post().to(tuples::delete::delete)))
        .service(store("/import", SMALL, "GET, POST").route(get().to(import::progress)).route(post().to(import::import)))
        .service(store("/export", SMALL, "GET").route(get().to(export::export)))
        .service(store("/revisions", SMALL, "GET").route(get().to(revisions::list)))
        .service(store("/changes", SMALL, "GET").route(get().to(changes::list)))
        .service(store("/apply", APPLY, "POST").route(post().to(releases::apply)))
        .service(store("/validate", APPLY, "POST").route(post().to(validate::validate)))
        .service(store("/tests/run", WRITE, "POST").route(post().to(policy_tests::run)))
        .service(store("/replay", APPLY, "POST").route(post().to(replay::replay)))
        .service(store("/releases", APPLY, "GET, POST").route(get().to(releases::list)).route(post().to(releases::draft)))
        .service(store("/releases/{release}", SMALL, "GET").route(get().to(releases::read)))
        .service(store("/releases/{release}/diff", SMALL, "GET").route(get().to(releases::diff)))
        .service(store("/releases/{release}/files", SMALL, "GET").route(get().to(releases::files::read)))
        .service(store("/releases/{release}/activate", SMALL, "POST").route(post().to(releases::activate)))
        .service(store("/policies", SMALL, "GET").route(get().to(policies::list)))
        .service(store("/policies/{policy}", SMALL, "GET, PUT, DELETE").route(get().to(policies::read)).route(put().to(policies::put)).route(delete().to(policies::delete)))
        .service(store("/schema", WRITE, "GET, PUT").route(get().to(policies::read_schema)).route(put().to(policies::put_schema)))
        .service(store("/model", WRITE, "GET, PUT").route(get().to(models::read)).route(put().to(models::put)))
        .service(store("/links", SMALL, "GET").route(get().to(links::list)))
        .service(store("/links/{link}", SMALL, "PUT, DELETE").route(put().to(links::put)).route(delete().to(links::delete)))
        .service(store("", SMALL, "GET, PATCH, DELETE").route(get().to(stores::read)).route(patch().to(stores::update)).route(delete().to(stores::delete)))
        .service(store("/restore", SMALL, "POST").route(post().to(stores::restore)))
        .service(at("/v1/stores", SMALL, "GET, POST").route(get().to(stores::list)).route(post().to(stores::create)))
        .service(at("/v1/decisions", SMALL, "GET").route(get().to(decisions::list)))
        .service(at("/v1/decisions/{decision}/explain", SMALL, "GET").route(get().to(decisions::explain::explain)))
        .service(at("/v1/decisions/{decision}", SMALL, "GET").route(get().to(decisions::read)))
        .service(at("/v1/audit/verify", SMALL, "POST").route(post().to(audit::verify)))
        .service(at("/v1/audit/erase", SMALL, "POST").route(post().to(audit::erase)))
        .service(at("/v1/tenants", SMALL, "GET, POST").route(get().to(tenants::list)).route(post().to(tenants::create)))
        .service(at("/v1/tenants/{tenant}", SMALL, "GET, PATCH, DELETE").route(get().to(tenants::read)).route(patch().to(tenants::update)).route(delete().to(tenants::delete)))
        .service(at("/v1/tenants/{tenant}/restore", SMALL, "POST").route(post().to(tenants::restore)))
        .service(at("/v1/keys", SMALL, "GET, POST").route(get().to(keys::list)).route(post().to(keys::create)))
        .service(at("/v1/keys/{key}", SMALL, "GET, PATCH, DELETE").route(get().to(keys::read)).route(patch().to(keys::update)).route(delete().to(keys::revoke)))
        .service(at("/v1/keys/{key}/rotate", SMALL, "POST").route(post().to(keys::rotate)))
        .service(at("/v1/whoami", SMALL, "GET").route(get().to(whoami::whoami)))
        .service(fga("/check", FGA).route(post().to(openfga::check::check)))
        .service(fga("/batch-check", WRITE).route(post().to(openfga::check::batch)))
        .service(fga("/expand", FGA).route(post().to(openfga::check::expand)))
        .service(fga("/list-objects", FGA).route(post().to(openfga::lists::objects)))
        .service(fga("/streamed-list-objects", FGA).route(post().to(openfga::lists::streamed)))
        .service(fga("/list-users", FGA).route(post().to(openfga::lists::users)))
        .service(fga("/write", WRITE).route(post().to(openfga::tuples::write)))
        .service(fga("/read", FGA).route(post().to(openfga::tuples::read)))
        .service(fga("/changes", FGA).route(get().to(openfga::tuples::changes)))
        .service(fga("/authorization-models", FGA).route(get().to(openfga::models::list)).route(post().to(openfga::models::write)))
        .service(fga("/authorization-models/{model}", FGA).route(get().to(openfga::models::read)))
        .service(fga("/assertions/{model}", FGA).route(get().to(openfga::assertions::read)).route(put().to(openfga::assertions::write)))
        .service(fga("", FGA).route(get().to(openfga::stores::read)).route(delete().to(openfga::stores::delete)))
        .service(web::resource("/stores").app_data(PayloadConfig::new(FGA)).default_service(web::to(openfga::error::undefined)).route(get().to(openfga::stores::list)).route(post().to(openfga::stores::create)))
        .service(web::resource("/stores/{rest:.*}").route(web::to(openfga::error::undefined)))
        .service(at("/healthz", SMALL, "GET").route(get().to(service::healthz)))
        .service(at("/livez", SMALL, "GET").route(get().to(service::livez)))
        .service(at("/readyz", SMALL, "GET").route(get().to(service::readiness::readyz)))
        .service(at("/metrics", SMALL, "GET").route(get().to(service::gauges::metrics)))
        .service(at("/openapi.yaml", SMALL, "GET").route(get().to(service::openapi)))
        .service(web::redirect("/docs", "/docs/"))
        .service(service::docs())
        .default_service(web::to(not_found));
}

/// A path under a store.
fn store(rest: &str, limit: usize, allow: &'static str) -> Resource {
    at(&format!("/v1/stores/{{store}}{rest}"), limit, allow)
}

/// A path under a store in OpenFGA's API.
fn fga(rest: &str, limit: usize) -> Resource {
    let resource = web::resource(format!("/stores/{{store}}{rest}")).app_data(PayloadConfig::new(limit));
    resource.default_service(web::to(openfga::error::undefined))
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
