//! The native API, `/v1`.

pub mod check;
pub mod data;
pub mod keys;
pub mod links;
pub mod policies;
pub mod releases;
pub mod stores;
pub mod tenants;
