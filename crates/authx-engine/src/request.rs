//! A request for a decision, and the bounds on the work that it may cause.

use crate::data::EntityInput;
use crate::json::JsonObject;
use crate::relation::{GraphLimits, Tuple};
use crate::uid::EntityUid;

/// May this principal do this action on this resource, now?
#[derive(Debug, Clone, PartialEq)]
pub struct AccessRequest {
    pub principal: EntityUid,
    pub action: EntityUid,
    pub resource: EntityUid,
    /// As it was sent; the schema says how it is read.
    pub context: JsonObject,
    /// Entities that hold for this request only.
    pub entities: Vec<EntityInput>,
    /// Tuples that hold for this request only.
    pub tuples: Vec<Tuple>,
    /// Milliseconds since 1970: the only clock that a decision knows.
    pub now: i64,
}

impl AccessRequest {
    /// A request without context or entities of its own.
    #[must_use]
    pub fn new(principal: EntityUid, action: EntityUid, resource: EntityUid) -> Self {
        Self {
            principal,
            action,
            resource,
            context: JsonObject::default(),
            entities: Vec::new(),
            tuples: Vec::new(),
            now: 0,
        }
    }
}

/// Tuples that a request may bring for itself, unless a limit says otherwise.
pub const MAX_REQUEST_TUPLES: usize = 100;

/// Bounds on one decision; beyond one the request fails, it is never answered from a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Ancestors of one entity.
    pub ancestors: usize,
    /// Entities that a request may send.
    pub request_entities: usize,
    /// Tuples that a request may send.
    pub request_tuples: usize,
    /// Entities that the candidate policies may reach.
    pub reached_entities: usize,
    /// How far one question to the relation graph may go.
    pub graph: GraphLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ancestors: 1_000,
            request_entities: 1_000,
            request_tuples: MAX_REQUEST_TUPLES,
            reached_entities: 10_000,
            graph: GraphLimits::default(),
        }
    }
}
