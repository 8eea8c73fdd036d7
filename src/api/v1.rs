//! The native API, `/v1`.

pub mod audit;
pub mod batch;
pub mod changes;
pub mod check;
pub mod decisions;
pub mod entities;
pub mod explain;
pub mod export;
pub mod import;
pub mod keys;
pub mod links;
pub mod models;
pub mod patch;
pub mod policies;
pub mod policy_tests;
pub mod relations;
pub mod releases;
pub mod replay;
pub mod revisions;
pub mod stores;
pub mod tenants;
pub mod tuples;
pub mod validate;
pub mod whoami;
pub mod write;
