//! AuthX: a standalone, multi-tenant policy decision point. Modules in reading order: each uses only those above it.

// Names, and whose they are.
pub mod clock;
pub mod ids;
pub mod pace;
pub mod scope;
pub mod tokens;
pub mod trace;
mod yaml;

// Durable truth.
pub mod storage;

// What is kept in memory.
pub mod keys;
pub mod limits;
pub mod replica;

// What was decided.
pub mod decisions;

// Tests of policies.
pub mod policy_tests;

// Use cases that change, and those that answer.
pub mod pap;
pub mod pdp;

// Who is calling, and HTTP.
pub mod api;
pub mod identity;

// The process.
pub mod config;
pub mod telemetry;

pub mod app;

pub mod cli;
