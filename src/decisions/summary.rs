//! What a record's content says of itself, as far as chains, indexes and queries need it.

use serde::Deserialize;

use super::chain::Line;
use super::index::{Entry, Keys, Outcome, key};

/// The parts of any record's content.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Summary {
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) principal: String,
    pub(super) action: String,
    pub(super) resource: String,
    pub(super) store: String,
    pub(super) decision: String,
    /// Of a gap.
    count: u64,
    /// Of a note that segments were deleted.
    pub(super) through: u64,
    /// Of a segment's beginning.
    decisions: u64,
}

impl Summary {
    /// What is erased was a decision, and stays counted as one.
    pub(super) fn of(line: &Line<'_>) -> Self {
        let erased = || Self { kind: "decision".to_owned(), ..Self::default() };
        line.content().map_or_else(erased, Self::read)
    }

    pub(super) fn read(content: &[u8]) -> Self {
        serde_json::from_slice(content).unwrap_or_default()
    }

    pub(super) fn decisions(&self) -> u64 {
        match self.kind.as_str() {
            "segment" => self.decisions,
            "gap" => self.count,
            _ => u64::from(self.is_decision()),
        }
    }

    pub(super) fn is_decision(&self) -> bool {
        matches!(self.kind.as_str(), "decision" | "relation")
    }

    pub(super) fn entry(&self, offset: u64, length: u64) -> Entry {
        let outcome = match (self.kind.as_str(), self.decision.as_str()) {
            ("change", _) => Outcome::Change,
            ("security", _) => Outcome::Security,
            (_, "allow") => Outcome::Allow,
            (_, "deny") => Outcome::Deny,
            _ => Outcome::None,
        };
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let Ok(id) = ulid::Ulid::from_string(&self.id) else { return Entry { offset, length, ..Entry::default() } };
        let keys = Keys {
            principal: key(&self.principal),
            action: key(&self.action),
            resource: key(&self.resource),
            store: key(&self.store),
        };
        Entry { id: id.0, offset, length, outcome, keys }
    }
}
