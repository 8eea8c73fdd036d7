//! The API over HTTP: the real binary, a real database, real requests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test ends where something is not as expected"
)]

mod support;

#[path = "api/as_test.rs"]
mod as_test;
#[path = "api/audit.rs"]
mod audit;
#[path = "api/authentication.rs"]
mod authentication;
#[path = "api/bad_input.rs"]
mod bad_input;
#[path = "api/batch.rs"]
mod batch;
#[path = "api/canaries.rs"]
mod canaries;
#[path = "api/changes.rs"]
mod changes;
#[path = "api/check_batch.rs"]
mod check_batch;
#[path = "api/command_line.rs"]
mod command_line;
#[path = "api/consistency.rs"]
mod consistency;
#[path = "api/conventions.rs"]
mod conventions;
#[path = "api/decisions.rs"]
mod decisions;
#[path = "api/diff.rs"]
mod diff;
#[path = "api/entities.rs"]
mod entities;
#[path = "api/erasing.rs"]
mod erasing;
#[path = "api/expiry.rs"]
mod expiry;
#[path = "api/explain.rs"]
mod explain;
#[path = "api/fmt.rs"]
mod fmt;
#[path = "api/follow.rs"]
mod follow;
#[path = "api/forgery.rs"]
mod forgery;
#[path = "api/history.rs"]
mod history;
#[path = "api/idempotency.rs"]
mod idempotency;
#[path = "api/import.rs"]
mod import;
#[path = "api/isolation.rs"]
mod isolation;
#[path = "api/keys.rs"]
mod keys;
#[path = "api/limits.rs"]
mod limits;
#[path = "api/lints.rs"]
mod lints;
#[path = "api/log_settings.rs"]
mod log_settings;
#[path = "api/model_change.rs"]
mod model_change;
#[path = "api/observability.rs"]
mod observability;
#[path = "api/openfga.rs"]
mod openfga;
#[path = "api/openfga_refusals.rs"]
mod openfga_refusals;
#[path = "api/operations.rs"]
mod operations;
#[path = "api/paging.rs"]
mod paging;
#[path = "api/past.rs"]
mod past;
#[path = "api/policy_tests.rs"]
mod policy_tests;
#[path = "api/pull.rs"]
mod pull;
#[path = "api/relations.rs"]
mod relations;
#[path = "api/releases.rs"]
mod releases;
#[path = "api/replay.rs"]
mod replay;
#[path = "api/restart.rs"]
mod restart;
#[path = "api/store_files.rs"]
mod store_files;
#[path = "api/tampering.rs"]
mod tampering;
#[path = "api/tenants.rs"]
mod tenants;
#[path = "api/transfer.rs"]
mod transfer;
#[path = "api/trimmed.rs"]
mod trimmed;
#[path = "api/tuples.rs"]
mod tuples;
#[path = "api/write.rs"]
mod write;

/// The demo store, which `--dev` makes.
const DEMO: &str = "/v1/stores/documents";

/// Makes a store and tells its path.
fn store(client: &support::Client, alias: &str, settings: &serde_json::Value) -> String {
    let body = serde_json::json!({"name": alias, "alias": alias, "settings": settings});
    client.post("/v1/stores", &body).expect(201);
    format!("/v1/stores/{alias}")
}
