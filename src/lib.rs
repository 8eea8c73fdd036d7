//! AuthX: a standalone, multi-tenant policy decision point. Modules in reading order.

pub mod ids;
pub mod scope;
pub mod clock;
pub mod tokens;
pub mod storage;
pub mod replica;
pub mod pdp;
pub mod pap;
pub mod identity;
pub mod api;
pub mod config;
pub mod telemetry;
pub mod app;
pub mod cli;
