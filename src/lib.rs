//! AuthX: a standalone, multi-tenant policy decision point. Modules in reading order.

pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod identity;
pub mod ids;
pub mod pap;
pub mod pdp;
pub mod replica;
pub mod scope;
pub mod storage;
pub mod telemetry;
pub mod tokens;
