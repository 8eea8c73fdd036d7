//! The API's description, made from the handlers.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::api::service;
use crate::api::v1::{
    audit, batch, changes, check, decisions, entities, explain, export, import, keys, links, models, policies,
    policy_tests, relations, releases, replay, revisions, stores, tenants, tuples, validate, whoami, write,
};

#[derive(OpenApi)]
#[openapi(
    info(title = "AuthX", description = "A policy decision point: may this principal do this action on this resource?", license(name = "Apache-2.0", identifier = "Apache-2.0")),
    paths(
        check::check, explain::explain, batch::batch, relations::check, relations::expand,
        releases::apply, validate::validate, policy_tests::run, replay::replay, releases::draft, releases::list, releases::read, releases::files::read, releases::diff, releases::activate,
        policies::list, policies::read, policies::put, policies::delete, policies::read_schema, policies::put_schema,
        models::read, models::put,
        write::write, entities::list, entities::read, entities::delete::delete, tuples::read, tuples::delete::delete, changes::list, revisions::list, import::import, import::progress, export::export,
        links::list, links::put, links::delete,
        decisions::list, decisions::read, decisions::explain::explain, audit::verify, audit::erase,
        stores::create, stores::list, stores::read, stores::update, stores::delete, stores::restore,
        tenants::create, tenants::list, tenants::read, tenants::update, tenants::delete, tenants::restore,
        keys::create, keys::list, keys::read, keys::update, keys::rotate, keys::revoke, whoami::whoami,
        service::livez, service::healthz, service::readiness::readyz, service::gauges::metrics, service::openapi,
    ),
    security(("key" = [])),
    modifiers(&Key)
)]
struct Document;

struct Key;

impl Modify for Key {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("an API key, `axk_…`")).build();
        document.components.get_or_insert_default().add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

/// The description.
#[must_use]
pub fn api() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// openapi.yaml.
#[must_use]
pub fn document() -> String {
    api().to_yaml().unwrap_or_default()
}
