//! Whether stored entities conform to a schema.

use serde_json::Value as Json;

use crate::data::{Data, EntityInput};
use crate::entity::EntityRow;
use crate::schema::Schema;
use crate::value::InputProblem;

/// Checks entities that are to be stored: Cedar's own conformance check, each entity for itself.
///
/// The index of an entity in `rows` is its index in the body that sent it.
#[must_use]
pub fn check_entities<'a>(schema: &Schema, rows: impl Iterator<Item = (usize, &'a EntityRow)>) -> Vec<InputProblem> {
    schema.with_conformance(|conforms| {
        let mut problems = Vec::new();
        for (index, row) in rows {
            if let Err(message) = conforms(&row.to_cedar()) {
                let pointer = format!("/entities/upsert/{index}");
                problems.push(InputProblem { pointer, code: "entity_nonconforming", message });
            }
        }
        problems
    })
}

/// Stored entities that a release would no longer admit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nonconforming {
    pub count: usize,
    /// Why, for the first hundred.
    pub first: Vec<String>,
}

/// Checks what is stored against the schema of a release that is to be applied. Types of which the schema says the
/// same as `before` are not looked at.
#[must_use]
pub fn nonconforming(data: &Data, before: Option<&Schema>, after: &Schema) -> Nonconforming {
    after.with_conformance(|conforms| {
        let mut found = Nonconforming::default();
        for row in data.entities() {
            if before.is_some_and(|before| before.same_type(after, &row.shape.ty)) {
                continue;
            }
            // A type that neither schema declares was stored while nothing was enforced: it does not conform.
            if let Err(message) = conforms(&row.to_cedar()) {
                found.count += 1;
                if found.first.len() < 100 {
                    found.first.push(message);
                }
            }
        }
        found.first.sort_unstable();
        found
    })
}

/// The JSON of an entity as it is written: `{"uid","attrs","parents","tags"}`.
#[must_use]
pub fn entity_json(row: &EntityRow) -> Json {
    serde_json::json!({
        "uid": row.uid(),
        "attrs": Json::Object(row.attributes_json()),
        "parents": row.parents().collect::<Vec<_>>(),
        "tags": Json::Object(row.tags_json()),
    })
}

impl EntityInput {
    /// An entity without attributes, parents and tags.
    #[must_use]
    pub fn bare(uid: crate::uid::EntityUid) -> Self {
        Self {
            uid,
            attrs: crate::json::JsonObject::default(),
            parents: Vec::new(),
            tags: crate::json::JsonObject::default(),
        }
    }
}
