//! What bounds leave untold, found without a walk that has bounds.
//!
//! Beyond so many steps from the object that is asked of, nobody knows what tuples would say: each that leads there is
//! given a condition that cannot be evaluated. An answer costs at least what must be looked at for it; where cost and
//! bound are too close to call, the row that asks is no good.

use std::collections::BTreeMap;

use crate::relation::tests::naive::Truth;
use crate::relation::{ConditionDefinition, Model, ObjectRef, ParameterType, Source, Tuple, TupleCondition};

/// A condition whose parameter nobody has.
const BEYOND: &str = "beyond_the_horizon";

/// The model and the tuples of which the far ones cannot be told; `None` when none is far.
pub(super) fn horizon(model: &Model, tuples: &[Tuple], from: &ObjectRef, depth: u32) -> Option<(Model, Vec<Tuple>)> {
    // No way is longer than there are tuples.
    if tuples.len() < depth as usize {
        return None;
    }
    let steps = steps_from(model, tuples, from);
    let is_far = |tuple: &Tuple| steps.get(&tuple.key.subject.object).is_some_and(|steps| *steps >= depth);
    if !tuples.iter().any(is_far) {
        return None;
    }
    let (mut model, mut tuples) = (model.clone(), tuples.to_vec());
    for tuple in tuples.iter_mut().filter(|tuple| is_far(tuple)) {
        tuple.condition = Some(TupleCondition { name: BEYOND.into(), context: serde_json::Map::new() });
    }
    for relation in model.types.iter_mut().flat_map(|ty| &mut ty.relations) {
        let mut beyond = relation.restrictions.clone();
        for restriction in &mut beyond {
            restriction.condition = Some(BEYOND.into());
        }
        relation.restrictions.extend(beyond);
    }
    model.conditions.push(ConditionDefinition {
        name: BEYOND.into(),
        parameters: vec![(BEYOND.into(), ParameterType::Bool)],
        expression: BEYOND.into(),
        source: Source::default(),
        comments: Vec::new(),
    });
    Some((model, tuples))
}

/// A truth that is settled, if its question costs no more than the bound.
pub(super) fn worth(tuples: &[Tuple], object: &ObjectRef, truth: Truth, steps: u64) -> Truth {
    if costs(tuples.len()) <= steps {
        return truth;
    }
    let reached = reached_from(tuples, object);
    // To say no, every tuple must be looked at; to say yes, perhaps only the first.
    let least = if truth == Truth::True { 0 } else { reached };
    if within(least, reached, steps) { truth } else { Truth::Unknown }
}

/// Whether a question that looks at `least` to `most` tuples has an answer.
pub(super) fn within(least: usize, most: usize, steps: u64) -> bool {
    let over = least as u64 > steps;
    assert!(over || costs(most) <= steps, "{least} to {most} tuples are too close to the bound of {steps}");
    !over
}

/// More than so many tuples ever cost.
fn costs(tuples: usize) -> u64 {
    8 * tuples as u64 + 10
}

/// How many steps from an object it is to each that its tuples lead to.
fn steps_from(model: &Model, tuples: &[Tuple], from: &ObjectRef) -> BTreeMap<ObjectRef, u32> {
    let has_relations = |name: &str| model.types.iter().any(|ty| ty.name == name && !ty.relations.is_empty());
    walk(tuples, from, &|tuple| has_relations(&tuple.key.subject.object.type_name))
}

fn reached_from(tuples: &[Tuple], from: &ObjectRef) -> usize {
    let reached = walk(tuples, from, &|_| true);
    tuples.iter().filter(|tuple| reached.contains_key(&tuple.key.object)).count()
}

fn walk(tuples: &[Tuple], from: &ObjectRef, leads: &dyn Fn(&Tuple) -> bool) -> BTreeMap<ObjectRef, u32> {
    let (mut steps, mut open) = (BTreeMap::from([(from.clone(), 0)]), vec![from.clone()]);
    let mut next = 0;
    while let Some(object) = open.get(next).cloned() {
        next += 1;
        for tuple in tuples.iter().filter(|tuple| tuple.key.object == object && leads(tuple)) {
            let subject = &tuple.key.subject.object;
            if !steps.contains_key(subject) {
                steps.insert(subject.clone(), steps[&object] + 1);
                open.push(subject.clone());
            }
        }
    }
    steps
}
