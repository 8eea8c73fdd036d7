//! The decision log: every decision, and every change of what is administered, in files that tell when they were altered
//! (docs/decision-log.md, ADR 0011).

mod again;
mod chain;
mod content;
mod counter;
mod erase;
mod event;
mod index;
mod journal;
mod log;
mod mask;
mod outbox;
mod query;
mod segment;
mod settings;
mod summary;
mod verify;
mod worker;

pub use again::Recorded;
pub use content::{Asked, Record, Told};
pub use erase::{BadDecisionId, EraseError, Erasing, Erasure, erase};
pub use event::{Change, Refusals};
pub use journal::{Prepared, Retention};
pub use log::{Backlog, DecisionLog, LogError, LogOptions, Mode, WhenFull};
pub use mask::{BadMask, Mask};
pub use outbox::Outbox;
pub use query::{Filter, Found, FoundRecords, Kind, Position, entity_names, find, get};
pub use settings::{LogSettings, LogSettingsChange, Rules};
pub use verify::{Finding, Report, TenantReport, verify, verify_live};

#[cfg(test)]
mod tests;
