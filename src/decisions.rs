//! The decision log: every decision, in files that tell when they were altered (docs/decision-log.md, ADR 0011).

mod chain;
mod content;
mod counter;
mod index;
mod journal;
mod log;
mod mask;
mod query;
mod segment;
mod summary;
mod verify;
mod worker;

pub use content::{Asked, Record, Told};
pub use journal::{Prepared, Retention};
pub use log::{Backlog, DecisionLog, LogError, LogOptions, Mode, WhenFull};
pub use mask::{BadMask, Mask};
pub use query::{Filter, Found, Position, find, get};
pub use verify::{Finding, Report, TenantReport, verify};

#[cfg(test)]
mod tests;
