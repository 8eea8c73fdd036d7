//! Lays data over a snapshot as a write would: what a store refuses is refused here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use authx_engine::relation::{Tuple, TupleKey};
use authx_engine::{
    Change, EntityInput, EntityRow, Limits, LinkInput, PolicyId, Problem, Snapshot, Validation, check_entities,
    check_hierarchy, check_link, read_entity,
};

use super::Sourced;

/// Data that is to be laid over a snapshot; of two with one name the later counts.
#[derive(Debug, Clone, Copy)]
pub struct Laid<'a> {
    pub entities: &'a [Sourced<EntityInput>],
    pub tuples: &'a [Sourced<Tuple>],
    pub links: &'a [Sourced<(String, LinkInput)>],
}

/// The snapshot with the data in it.
///
/// # Errors
/// Everything that a store would refuse, each with its place.
pub fn lay(base: &Snapshot, data: Laid<'_>) -> Result<Snapshot, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut changes = entities(base, data.entities, &mut problems);
    changes.extend(links(base, data.links, &mut problems));
    let tuples = tuples(base, data.tuples, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let snapshot = base.with_changes(&changes);
    for (change, source) in changes.iter().zip(data.entities) {
        if let Change::PutEntity(row) = change
            && let Err(error) = check_hierarchy(snapshot.data(), row, Limits::default().ancestors)
        {
            return Err(vec![source.problem("invalid_entity", error.to_string())]);
        }
    }
    let tuples = snapshot.tuples().changed(&[], &tuples);
    match tuples {
        Ok(tuples) => Ok(snapshot.with_tuples(tuples)),
        Err(error) => Err(vec![Problem::error("invalid_tuple", error.to_string())]),
    }
}

fn entities(base: &Snapshot, inputs: &[Sourced<EntityInput>], problems: &mut Vec<Problem>) -> Vec<Change> {
    let rules = base.data_rules();
    let mut rows: Vec<(&Sourced<EntityInput>, Arc<EntityRow>)> = Vec::new();
    for input in inputs {
        let refused = if input.what.uid.is_action() {
            // Actions are the schema's, and not stored.
            rules.forged(&input.what, "")
        } else {
            match read_entity(&input.what, rules, "") {
                Ok(row) => {
                    rows.push((input, Arc::new(row)));
                    Vec::new()
                }
                Err(refused) => refused,
            }
        };
        problems.extend(refused.into_iter().map(|problem| held(input, problem.code, problem.to_string())));
    }
    if let Some(schema) = base.enforced_schema() {
        for (input, row) in &rows {
            let refused = check_entities(schema, std::iter::once(("", &**row)));
            problems.extend(refused.into_iter().map(|problem| held(input, problem.code, problem.message)));
        }
    }
    rows.into_iter().map(|(_, row)| Change::PutEntity(row)).collect()
}

/// What is wrong with an entity, and which one it is.
fn held(input: &Sourced<EntityInput>, code: &'static str, message: String) -> Problem {
    let hint =
        format!("this is `{}`: write what the schema declares for its type, or change the schema", input.what.uid);
    input.problem(code, message).with_hint(hint)
}

fn links(base: &Snapshot, inputs: &[Sourced<(String, LinkInput)>], problems: &mut Vec<Problem>) -> Vec<Change> {
    let strict = base.settings().validation == Validation::Strict;
    let mut changes = Vec::new();
    for input in inputs {
        let (id, link) = &input.what;
        let checked = base.release().map(|release| check_link(release, id, link, strict));
        match checked {
            Some(Err(problem)) => problems.push(input.problem(problem.code, problem.message)),
            Some(Ok(())) | None => changes.push(Change::PutLink(PolicyId::new(id), Arc::new(link.clone()))),
        }
    }
    changes
}

fn tuples(base: &Snapshot, inputs: &[Sourced<Tuple>], problems: &mut Vec<Problem>) -> Vec<Tuple> {
    let model = base.release().and_then(|release| release.model());
    let mut by_key: BTreeMap<&TupleKey, &Tuple> = BTreeMap::new();
    for input in inputs {
        let refused = match model {
            None => Some("the store has no relation model: expected `schemas/<store>.fga`".to_owned()),
            Some(model) => model.check_tuple(&input.what).err().map(|problem| problem.to_string()),
        };
        problems.extend(refused.map(|message| input.problem("invalid_tuple", message)));
        by_key.insert(&input.what.key, &input.what);
    }
    by_key.into_values().cloned().collect()
}

impl<T> Sourced<T> {
    /// What is wrong with it, and where it stands.
    fn problem(&self, code: impl Into<Cow<'static, str>>, message: String) -> Problem {
        Problem { file: Some(self.file.clone()), line: self.line, ..Problem::error(code, message) }
    }
}
