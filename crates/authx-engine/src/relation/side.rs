//! What few tuples have: a condition, an expiry. Kept apart, so that the others cost nothing.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::edge::{Edge, Node};
use smol_str::SmolStr;

/// The condition and expiry of one tuple.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Side {
    pub(crate) condition: Option<(SmolStr, Map<String, Value>)>,
    /// Milliseconds since 1970.
    pub(crate) expires_at: Option<i64>,
}

/// Side entries by object and forward edge.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sides(imbl::HashMap<(Node, Edge), Arc<Side>>);

impl Sides {
    pub(crate) fn get(&self, object: Node, edge: Edge) -> Option<&Side> {
        self.0.get(&(object, edge.bare())).map(AsRef::as_ref)
    }

    pub(crate) fn set(&mut self, object: Node, edge: Edge, side: Option<Side>) {
        match side {
            Some(side) => drop(self.0.insert((object, edge.bare()), Arc::new(side))),
            None => drop(self.0.remove(&(object, edge.bare()))),
        }
    }
}
