//! Whether entities conform to a schema, and whether what is stored conforms to a release.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::data::EntityInput;
use crate::entity::EntityRow;
use crate::problem::Problem;
use crate::relation::{RelationModel, no_longer_allowed};
use crate::release::Release;
use crate::schema::Schema;
use crate::snapshot::{Snapshot, Validation};
use crate::value::InputProblem;

/// Problems of stored data that are told at once.
const MAX_TOLD: usize = 100;

/// Checks entities that are to be stored: Cedar's own conformance check, each entity for itself.
///
/// Each comes with its pointer in the body that sent it.
#[must_use]
pub fn check_entities<'a>(schema: &Schema, rows: impl Iterator<Item = (&'a str, &'a EntityRow)>) -> Vec<InputProblem> {
    schema.with_conformance(|conforms| {
        let mut problems = Vec::new();
        for (pointer, row) in rows {
            if let Err(message) = conforms(&row.to_cedar()) {
                problems.push(InputProblem { pointer: pointer.to_owned(), code: "entity_nonconforming", message });
            }
        }
        problems
    })
}

/// Stored data that a release would no longer admit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Nonconforming {
    pub entities: usize,
    pub tuples: usize,
    /// Why, for the first hundred.
    pub first: Vec<Problem>,
}

impl Nonconforming {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entities + self.tuples == 0
    }

    fn tell(&mut self, code: &'static str, message: impl FnOnce() -> String) {
        if self.first.len() < MAX_TOLD {
            self.first.push(Problem::error(code, message()));
        }
    }
}

/// Checks what is stored against a release that is to take the place of the active one: entities of types of which its
/// schema says something else, in a store that validates, and tuples that the active model allows, in every store.
/// Expired tuples are not looked at.
#[must_use]
pub fn nonconforming(snapshot: &Snapshot, release: &Release, now: i64) -> Nonconforming {
    let mut found = Nonconforming::default();
    if snapshot.settings().validation == Validation::Strict {
        entities(snapshot, release, &mut found);
    }
    let before = snapshot.release().and_then(|release| release.model());
    let after = release.model();
    if !same(before, after) {
        let (before, after) = (before.map(AsRef::as_ref), after.map(AsRef::as_ref));
        no_longer_allowed(snapshot.tuples(), before, after, now, |tuple, why| {
            found.tuples += 1;
            found.tell("tuple_nonconforming", || match why {
                Some(why) => format!("`{}`: {why}", tuple.key),
                None => format!("`{}`: the release has no relation model", tuple.key),
            });
        });
    }
    found.first.sort_unstable_by(|a, b| (&a.code, &a.message).cmp(&(&b.code, &b.message)));
    found
}

fn entities(snapshot: &Snapshot, release: &Release, found: &mut Nonconforming) {
    let Some(after) = release.schema() else { return };
    let before = snapshot.release().and_then(|release| release.schema());
    if before.is_some_and(|before| std::ptr::eq(before, after)) {
        return;
    }
    after.with_conformance(|conforms| {
        for row in snapshot.data().entities() {
            if before.is_some_and(|before| before.same_type(after, &row.shape.ty)) {
                continue;
            }
            // A type that neither schema declares was stored while nothing was enforced: it does not conform.
            if let Err(message) = conforms(&row.to_cedar()) {
                found.entities += 1;
                found.tell("entity_nonconforming", || message);
            }
        }
    });
}

fn same(a: Option<&Arc<RelationModel>>, b: Option<&Arc<RelationModel>>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (Some(_), None) | (None, Some(_)) => false,
    }
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
