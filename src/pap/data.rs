//! Writing entities and links.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use authx_engine::{
    Change, EntityInput, EntityPatch, EntityRow, EntityUid, InputProblem, LinkInput, PolicyId, Problem, Release,
    Schema, Snapshot, Validation, action_as_declared, check_entities, check_hierarchy, check_link, read_entity,
};
use serde_json::json;

use crate::ids::{Revision, Timestamp};
use crate::pap::error::PapError;
use crate::pap::preconditions::{self, Precondition};
use crate::pap::tuples::TupleChanges;
use crate::pap::writer::{Planned, Tentative, Write};
use crate::storage::records::{EntityKey, NewEntity, NewLink, WriteRecord};

/// Entities that one write may put or delete.
const MAX_ENTITIES: usize = 10_000;
/// Dangling parents that are named in the warnings.
const MAX_WARNINGS: usize = 100;
/// Ancestors that an entity may have.
pub(crate) const MAX_ANCESTORS: usize = 1_000;

/// Tuples and entities to delete, then those to put or to change, all or nothing, when the preconditions hold before.
#[derive(Debug, Clone, Default)]
pub struct DataWrite {
    pub preconditions: Vec<Precondition>,
    pub tuples: TupleChanges,
    pub delete: Vec<EntityUid>,
    pub upsert: Vec<EntityInput>,
    pub patch: Vec<EntityPatch>,
}

/// A row to put, with its pointer in the body.
type Placed = (String, Arc<EntityRow>);

impl Write for DataWrite {
    fn plan(&self, before: &Tentative, now: Timestamp) -> Result<Planned, PapError> {
        preconditions::check(&self.preconditions, &before.snapshot, now)?;
        let count = self.delete.len() + self.upsert.len() + self.patch.len();
        if count > MAX_ENTITIES {
            return Err(PapError::LimitExceeded {
                message: format!("a write has {count} entities, more than {MAX_ENTITIES}"),
            });
        }
        let rows = self.read(&before.snapshot)?;
        let mut changes: Vec<Change> = self.delete.iter().cloned().map(Change::DeleteEntity).collect();
        changes.extend(rows.iter().map(|(_, row)| Change::PutEntity(Arc::clone(row))));
        let tuples = self.tuples.plan(&before.snapshot, now)?;
        let snapshot = tuples.snapshot.with_changes(&changes);
        check_hierarchies(&snapshot, &rows)?;
        let mut record = blank("write");
        record.summary = json!({"op": "write", "entities_put": rows.len(), "entities_deleted": self.delete.len(),
                "tuples_put": tuples.put.len(), "tuples_deleted": tuples.delete.len()})
        .to_string();
        (record.tuples_delete, record.tuples_put) = (tuples.delete, tuples.put);
        record.entities_delete = self.delete.iter().map(key_of).collect();
        record.entities_put = rows.iter().map(|(_, row)| new_entity(row)).collect();
        let warnings = dangling(&snapshot, &rows);
        Ok(Planned { record, after: Tentative { snapshot, newest: before.newest.clone() }, warnings })
    }
}

impl DataWrite {
    /// The rows to put.
    fn read(&self, snapshot: &Snapshot) -> Result<Vec<Placed>, PapError> {
        let rules = snapshot.data_rules();
        let known_actions = snapshot.release().and_then(|release| release.schema());
        let mut problems: Vec<InputProblem> = Vec::new();
        let mut rows: Vec<Placed> = Vec::with_capacity(self.upsert.len() + self.patch.len());
        let mut seen: HashSet<&EntityUid> = HashSet::with_capacity(self.upsert.len() + self.patch.len());
        for (pointer, uid, input) in self.inputs(snapshot) {
            let Some(input) = input else {
                let message = format!("`{uid}` is not stored, so there is nothing to change: upsert it");
                problems.push(problem(pointer, "entity_missing", message));
                continue;
            };
            if !seen.insert(uid) {
                problems.push(problem(pointer, "duplicate_entity", format!("`{uid}` is written twice")));
            } else if uid.is_action() {
                let forged = rules.forged(&input, &pointer);
                if !forged.is_empty() {
                    problems.extend(forged);
                } else if !action_as_declared(known_actions, &input) {
                    let message = format!("`{uid}` differs from the schema's action");
                    problems.push(problem(pointer, "action_entity", message));
                }
            } else {
                match read_entity(&input, rules, &pointer) {
                    Ok(row) => rows.push((pointer, Arc::new(row))),
                    Err(found) => problems.extend(found),
                }
            }
        }
        if let Some(schema) = rules.schema().filter(|_| problems.is_empty()) {
            problems = conformance(schema, &rows);
        }
        if problems.is_empty() { Ok(rows) } else { Err(PapError::InvalidData { problems }) }
    }

    /// The entities to put with their pointers: those that are sent, and those that patches leave; `None` when what is
    /// to be changed is not there.
    fn inputs<'a>(
        &'a self,
        snapshot: &'a Snapshot,
    ) -> impl Iterator<Item = (String, &'a EntityUid, Option<Cow<'a, EntityInput>>)> {
        let upserts = self
            .upsert
            .iter()
            .enumerate()
            .map(|(index, input)| (format!("/entities/upsert/{index}"), &input.uid, Some(Cow::Borrowed(input))));
        let deleted: HashSet<&EntityUid> = self.delete.iter().collect();
        let patches = self.patch.iter().enumerate().map(move |(index, patch)| {
            let row = snapshot.data().entity(&patch.uid).filter(|_| !deleted.contains(&patch.uid));
            (format!("/entities/patch/{index}"), &patch.uid, row.map(|row| Cow::Owned(patch.applied(row))))
        });
        upserts.chain(patches)
    }
}

fn conformance(schema: &Schema, rows: &[Placed]) -> Vec<InputProblem> {
    check_entities(schema, rows.iter().map(|(pointer, row)| (pointer.as_str(), &**row)))
}

fn problem(pointer: String, code: &'static str, message: String) -> InputProblem {
    InputProblem { pointer, code, message }
}

fn check_hierarchies(snapshot: &Snapshot, rows: &[Placed]) -> Result<(), PapError> {
    let check = |(pointer, row): &Placed| {
        let error = check_hierarchy(snapshot.data(), row, MAX_ANCESTORS).err()?;
        Some(problem(format!("{pointer}/parents"), "hierarchy", error.to_string()))
    };
    let problems: Vec<InputProblem> = rows.iter().filter_map(check).take(MAX_WARNINGS).collect();
    if problems.is_empty() { Ok(()) } else { Err(PapError::InvalidData { problems }) }
}

/// Parents that are not stored: allowed, and told.
fn dangling(snapshot: &Snapshot, rows: &[Placed]) -> Vec<String> {
    let missing = rows.iter().flat_map(|(_, row)| {
        let uid = row.uid();
        row.parents()
            .filter(|parent| snapshot.data().entity(parent).is_none())
            .map(move |parent| format!("parent `{parent}` of `{uid}` is not stored"))
            .collect::<Vec<_>>()
    });
    missing.take(MAX_WARNINGS).collect()
}

/// A link to put, or to delete when there is no input.
#[derive(Debug, Clone)]
pub struct LinkWrite {
    pub id: String,
    pub link: Option<LinkInput>,
}

impl Write for LinkWrite {
    fn plan(&self, before: &Tentative, _now: Timestamp) -> Result<Planned, PapError> {
        let mut record = blank("link");
        let change = if let Some(link) = &self.link {
            record.summary = json!({"op": "put_link", "link": self.id}).to_string();
            let (row, change) = plan_link(&before.snapshot, &self.id, link)?;
            record.links_put.push(row);
            change
        } else {
            if before.snapshot.data().link(&self.id).is_none() {
                return Err(PapError::NotFound { what: "link", name: self.id.clone() });
            }
            record.summary = json!({"op": "delete_link", "link": self.id}).to_string();
            record.links_delete.push(self.id.clone());
            Change::DeleteLink(PolicyId::new(&self.id))
        };
        let snapshot = before.snapshot.with_changes(&[change]);
        Ok(Planned { record, after: Tentative { snapshot, newest: before.newest.clone() }, warnings: Vec::new() })
    }
}

/// Checks a link that is to be put, and works out its row.
pub(super) fn plan_link(snapshot: &Snapshot, id: &str, link: &LinkInput) -> Result<(NewLink, Change), PapError> {
    let strict = snapshot.settings().validation == Validation::Strict;
    let release: &Release = snapshot.release().ok_or_else(|| PapError::InvalidLink {
        problem: Problem::error("unknown_template", format!("there is no template `{}`", link.template)),
    })?;
    check_link(release, id, link, strict).map_err(|problem| PapError::InvalidLink { problem })?;
    let row = NewLink {
        id: id.to_owned(),
        template: link.template.clone(),
        principal: link.principal.as_ref().map(key_of),
        resource: link.resource.as_ref().map(key_of),
    };
    Ok((row, Change::PutLink(PolicyId::new(id), Arc::new(link.clone()))))
}

/// A record whose revision, actor and time the writer fills in.
pub(crate) fn blank(op: &str) -> WriteRecord {
    WriteRecord::new(Revision(0), String::new(), Timestamp::from_millis(0), json!({"op": op}).to_string())
}

fn key_of(uid: &EntityUid) -> EntityKey {
    (uid.type_name(), uid.id().to_owned())
}

fn new_entity(row: &EntityRow) -> NewEntity {
    let parents: Vec<EntityKey> = row.parents().map(|uid| key_of(&uid)).collect();
    NewEntity {
        type_name: row.type_name(),
        id: row.id().to_owned(),
        attrs: serde_json::Value::Object(row.attributes_json()).to_string(),
        tags: serde_json::Value::Object(row.tags_json()).to_string(),
        parents: json!(parents).to_string(),
    }
}
