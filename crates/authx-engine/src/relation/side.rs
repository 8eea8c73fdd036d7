//! What few tuples have: a condition, an expiry. Kept apart, so that the others cost nothing.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::edge::{Edge, Node};
use crate::map::SharedMap;
use smol_str::SmolStr;

/// A number of a condition's context, or a time.
const NUMBER: usize = 8;

/// The condition and expiry of one tuple.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Side {
    pub(crate) condition: Option<(SmolStr, Map<String, Value>)>,
    /// Milliseconds since 1970.
    pub(crate) expires_at: Option<i64>,
}

impl Side {
    /// Whether the tuple has expired by a time.
    pub(crate) fn expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// The bytes of names and values.
    pub(crate) fn bytes(&self) -> usize {
        let condition = self.condition.as_ref().map_or(0, |(name, context)| name.len() + of_object(context));
        condition + self.expires_at.map_or(0, |_| NUMBER)
    }
}

fn of_object(object: &Map<String, Value>) -> usize {
    object.iter().map(|(name, value)| name.len() + of_value(value)).sum()
}

fn of_value(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => NUMBER,
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(of_value).sum(),
        Value::Object(object) => of_object(object),
    }
}

/// Side entries by object and forward edge.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sides {
    entries: SharedMap<(Node, Edge), Arc<Side>>,
    /// Those that expire, the first to do so first.
    ending: imbl::OrdSet<(i64, Node, Edge)>,
}

impl Sides {
    pub(crate) fn get(&self, object: Node, edge: Edge) -> Option<&Side> {
        self.entries.get(&(object, edge.bare())).map(AsRef::as_ref)
    }

    pub(crate) fn set(&mut self, object: Node, edge: Edge, side: Option<Side>) {
        let edge = edge.bare();
        let end = |side: &Side| side.expires_at.map(|end| (end, object, edge));
        let after = side.as_ref().and_then(end);
        let before = match side {
            Some(side) => self.entries.insert((object, edge), Arc::new(side)),
            None => self.entries.remove(&(object, edge)),
        };
        if let Some(before) = before.as_deref().and_then(end) {
            self.ending.remove(&before);
        }
        self.ending.extend(after);
    }

    /// Object and edge of those that have expired by a time, the first first.
    pub(crate) fn expired(&self, by: i64) -> impl Iterator<Item = (Node, Edge)> + '_ {
        self.ending.iter().take_while(move |(end, ..)| *end <= by).map(|(_, object, edge)| (*object, *edge))
    }
}
