//! Writing tuples.

use std::collections::HashSet;
use std::sync::Arc;

use authx_engine::relation::{RelationModel, Tuple, TupleCondition, TupleKey};
use authx_engine::{InputProblem, Snapshot};

use crate::ids::Timestamp;
use crate::pap::PapError;
use crate::storage::records;

/// Tuples that one write may put or delete.
pub(crate) const MAX_TUPLES: usize = 10_000;
/// Problems that are told at once.
const MAX_PROBLEMS: usize = 100;

/// What to do with a tuple that is there already, or one to delete that is not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Otherwise {
    /// Nothing is written.
    #[default]
    Refuse,
    /// The tuple is left out.
    Ignore,
    /// The tuple takes the place of what is there; one that is there as it is is left out.
    Replace,
}

/// Tuples to delete, then tuples to put.
#[derive(Debug, Clone, Default)]
pub struct TupleChanges {
    pub delete: Vec<TupleKey>,
    pub put: Vec<Tuple>,
    pub on_missing: Otherwise,
    pub on_existing: Otherwise,
    /// The model that must allow what is put; the active one when absent.
    pub model: Option<Arc<RelationModel>>,
}

/// What is left to do of some changes.
pub(super) struct PlannedTuples {
    pub(super) snapshot: Snapshot,
    pub(super) delete: Vec<records::TupleKey>,
    pub(super) put: Vec<records::NewTuple>,
}

impl TupleChanges {
    fn is_empty(&self) -> bool {
        self.delete.is_empty() && self.put.is_empty()
    }

    /// Checks the changes on a snapshot.
    pub(super) fn plan(&self, before: &Snapshot, now: Timestamp) -> Result<PlannedTuples, PapError> {
        if self.is_empty() {
            return Ok(PlannedTuples { snapshot: before.clone(), delete: Vec::new(), put: Vec::new() });
        }
        let count = self.delete.len() + self.put.len();
        if count > MAX_TUPLES {
            let message = format!("a write has {count} tuples, more than {MAX_TUPLES}");
            return Err(PapError::LimitExceeded { message });
        }
        self.check(before)?;
        let (deleted, delete) = self.to_delete(before)?;
        let put = self.to_put(before, &deleted, now)?;
        let tuples = before.tuples().changed(&delete, &put);
        let tuples = tuples.map_err(|error| PapError::LimitExceeded { message: error.to_string() })?;
        Ok(PlannedTuples {
            snapshot: before.with_tuples(tuples),
            delete: delete.iter().map(key_record).collect(),
            put: put.iter().map(tuple_record).collect(),
        })
    }

    /// Each key once, and only what the model allows.
    fn check(&self, before: &Snapshot) -> Result<(), PapError> {
        let active = before.release().and_then(|release| release.model());
        let model = self.model.as_ref().or(active);
        let mut problems = Vec::new();
        let mut seen = HashSet::with_capacity(self.put.len());
        for (index, tuple) in self.put.iter().enumerate() {
            let refused = match model {
                None => Some(("no_model", "the store has no relation model".to_owned())),
                Some(_) if !seen.insert(&tuple.key) => {
                    Some(("duplicate_tuple", format!("`{}` is written twice", tuple.key)))
                }
                Some(model) => model.check_tuple(tuple).err().map(|problem| ("invalid_tuple", problem.to_string())),
            };
            problems.extend(refused.map(|(code, message)| InputProblem {
                pointer: format!("/tuples/write/{index}"),
                code,
                message,
            }));
        }
        let mut seen = HashSet::with_capacity(self.delete.len());
        for (index, key) in self.delete.iter().enumerate().filter(|(_, key)| !seen.insert(*key)) {
            let message = format!("`{key}` is deleted twice");
            problems.push(InputProblem {
                pointer: format!("/tuples/delete/{index}"),
                code: "duplicate_tuple",
                message,
            });
        }
        problems.truncate(MAX_PROBLEMS);
        if problems.is_empty() { Ok(()) } else { Err(PapError::InvalidData { problems }) }
    }

    fn to_delete(&self, before: &Snapshot) -> Result<(HashSet<&TupleKey>, Vec<TupleKey>), PapError> {
        let mut deleted = HashSet::with_capacity(self.delete.len());
        for key in &self.delete {
            match (before.tuples().get(key), self.on_missing) {
                (Some(_), _) => drop(deleted.insert(key)),
                (None, Otherwise::Ignore | Otherwise::Replace) => {}
                (None, Otherwise::Refuse) => return Err(PapError::TupleMissing { key: key.clone() }),
            }
        }
        let list = self.delete.iter().filter(|key| deleted.contains(key)).cloned().collect();
        Ok((deleted, list))
    }

    fn to_put(&self, before: &Snapshot, deleted: &HashSet<&TupleKey>, now: Timestamp) -> Result<Vec<Tuple>, PapError> {
        let mut put = Vec::with_capacity(self.put.len());
        let mut conflicts = Vec::new();
        for (index, tuple) in self.put.iter().enumerate() {
            let stored = if deleted.contains(&tuple.key) { None } else { before.tuples().get(&tuple.key) };
            match (stored, self.on_existing) {
                (Some(stored), Otherwise::Ignore | Otherwise::Replace) if stored == *tuple => {}
                (None, _) | (Some(_), Otherwise::Replace) => put.push(tuple.clone()),
                // It is only not deleted yet: nobody has to revoke it first.
                (Some(stored), _) if stored.expired(now.as_millis()) => put.push(tuple.clone()),
                (Some(_), Otherwise::Refuse | Otherwise::Ignore) => conflicts.push((index, &tuple.key)),
            }
        }
        let Some(key) = conflicts.first().map(|(_, key)| TupleKey::clone(key)) else { return Ok(put) };
        let at = conflicts.iter().map(|(index, _)| *index).take(MAX_PROBLEMS).collect();
        Err(match self.on_existing {
            Otherwise::Refuse => PapError::TupleExists { key, at },
            Otherwise::Ignore | Otherwise::Replace => PapError::TupleDiffers { key, at },
        })
    }
}

fn key_record(key: &TupleKey) -> records::TupleKey {
    records::TupleKey {
        object_type: key.object.type_name.to_string(),
        object_id: key.object.id.to_string(),
        relation: key.relation.to_string(),
        subject_type: key.subject.object.type_name.to_string(),
        subject_id: key.subject.object.id.to_string(),
        subject_relation: key.subject.relation.as_ref().map(ToString::to_string),
    }
}

fn tuple_record(tuple: &Tuple) -> records::NewTuple {
    let condition = |condition: &TupleCondition| records::TupleCondition {
        name: condition.name.to_string(),
        context: serde_json::Value::Object(condition.context.clone()).to_string(),
    };
    records::NewTuple {
        key: key_record(&tuple.key),
        condition: tuple.condition.as_ref().map(condition),
        expires_at: tuple.expires_at.map(Timestamp::from_millis),
    }
}
