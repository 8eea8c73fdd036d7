//! Relations that nothing can lead to, and relations that are computed from themselves.
//!
//! Both questions are answered for all relations at once, so that no model makes this take long.

use std::collections::VecDeque;

use super::{Index, of_relation};
use crate::problem::Problem;
use crate::relation::codes;
use crate::relation::model::{Model, RelationDefinition, RestrictionKind, Rewrite, TypeDefinition};

/// When a relation has an entrypoint. Numbers are those of [`Index::number`].
enum Entry {
    Always,
    AnyOf(Vec<usize>),
    Or(Vec<Entry>),
    And(Vec<Entry>),
}

pub(super) fn check(model: &Model, index: &Index<'_>, problems: &mut Vec<Problem>) {
    let relations: Vec<(&TypeDefinition, &RelationDefinition)> =
        model.types.iter().flat_map(|t| t.relations.iter().map(move |r| (t, r))).collect();
    let cyclic = in_cycles(&relations, index);
    let entries: Vec<Entry> = relations.iter().map(|(t, r)| entry_of(&r.rewrite, t, r, index)).collect();
    let reached = reached(&entries);
    for (((definition, relation), cyclic), reached) in relations.into_iter().zip(cyclic).zip(reached) {
        let named = format!("relation `{}` of type `{}`", relation.name, definition.name);
        if cyclic {
            let problem = Problem::error(codes::CYCLE, format!("{named} is computed from itself"));
            problems.push(of_relation(definition, relation, problem));
        } else if !reached {
            let problem = Problem::error(codes::NO_ENTRYPOINT, format!("{named} can never hold: no tuple leads to it"));
            problems.push(of_relation(definition, relation, problem));
        }
    }
}

fn entry_of(rewrite: &Rewrite, definition: &TypeDefinition, relation: &RelationDefinition, index: &Index<'_>) -> Entry {
    let all = |operands: &[Rewrite]| operands.iter().map(|o| entry_of(o, definition, relation, index)).collect();
    match rewrite {
        Rewrite::This => {
            let mut usersets = Vec::new();
            for restriction in &relation.restrictions {
                match &restriction.kind {
                    RestrictionKind::Object | RestrictionKind::Wildcard => return Entry::Always,
                    RestrictionKind::Userset(userset) => usersets.extend(index.number(&restriction.type_name, userset)),
                }
            }
            Entry::AnyOf(usersets)
        }
        Rewrite::Computed(computed) => Entry::AnyOf(index.number(&definition.name, computed).into_iter().collect()),
        Rewrite::TupleToUserset { tupleset, computed } => {
            let types = index.relation(&definition.name, tupleset).into_iter().flat_map(|tupleset| &tupleset.types);
            Entry::AnyOf(types.filter_map(|type_name| index.number(type_name, computed)).collect())
        }
        Rewrite::Union(operands) => Entry::Or(all(operands)),
        Rewrite::Intersection(operands) => Entry::And(all(operands)),
        // Nothing to take away is as much a mistake as nothing to take it from.
        Rewrite::Difference(base, subtract) => Entry::And(vec![
            entry_of(base, definition, relation, index),
            entry_of(subtract, definition, relation, index),
        ]),
    }
}

/// The least solution: nothing is reached until something that it needs is.
fn reached(entries: &[Entry]) -> Vec<bool> {
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); entries.len()];
    for (number, entry) in entries.iter().enumerate() {
        for_each_number(entry, &mut |needed| {
            if let Some(list) = dependents.get_mut(needed) {
                list.push(number);
            }
        });
    }
    let mut reached = vec![false; entries.len()];
    let mut waiting = vec![true; entries.len()];
    let mut queue: VecDeque<usize> = (0..entries.len()).collect();
    while let Some(number) = queue.pop_front() {
        set(&mut waiting, number, false);
        if is_set(&reached, number) || !entries.get(number).is_some_and(|entry| holds(entry, &reached)) {
            continue;
        }
        set(&mut reached, number, true);
        for dependent in dependents.get(number).into_iter().flatten() {
            if !is_set(&reached, *dependent) && !is_set(&waiting, *dependent) {
                set(&mut waiting, *dependent, true);
                queue.push_back(*dependent);
            }
        }
    }
    reached
}

fn holds(entry: &Entry, reached: &[bool]) -> bool {
    match entry {
        Entry::Always => true,
        Entry::AnyOf(numbers) => numbers.iter().any(|number| is_set(reached, *number)),
        Entry::Or(entries) => entries.iter().any(|entry| holds(entry, reached)),
        Entry::And(entries) => entries.iter().all(|entry| holds(entry, reached)),
    }
}

fn for_each_number(entry: &Entry, visit: &mut impl FnMut(usize)) {
    match entry {
        Entry::Always => {}
        Entry::AnyOf(numbers) => numbers.iter().for_each(|number| visit(*number)),
        Entry::Or(entries) | Entry::And(entries) => entries.iter().for_each(|entry| for_each_number(entry, visit)),
    }
}

/// Which relations lie on a cycle of computed relations, or on a way from one to another.
fn in_cycles(relations: &[(&TypeDefinition, &RelationDefinition)], index: &Index<'_>) -> Vec<bool> {
    let mut forward: Vec<Vec<usize>> = vec![Vec::new(); relations.len()];
    let mut backward = forward.clone();
    for (number, (definition, relation)) in relations.iter().enumerate() {
        for_each_computed(&relation.rewrite, &mut |computed| {
            let Some(target) = index.number(&definition.name, computed) else { return };
            if let (Some(from), Some(to)) = (forward.get_mut(number), backward.get_mut(target)) {
                from.push(target);
                to.push(number);
            }
        });
    }
    let mut left = vec![true; relations.len()];
    peel(&forward, &backward, &mut left);
    peel(&backward, &forward, &mut left);
    left
}

/// Takes away whatever leads nowhere, again and again.
fn peel(forward: &[Vec<usize>], backward: &[Vec<usize>], left: &mut [bool]) {
    let mut ways: Vec<usize> =
        forward.iter().map(|targets| targets.iter().filter(|target| is_set(left, **target)).count()).collect();
    let mut ends: Vec<usize> = Vec::new();
    ends.extend(ways.iter().enumerate().filter(|(number, ways)| **ways == 0 && is_set(left, *number)).map(|(n, _)| n));
    while let Some(end) = ends.pop() {
        set(left, end, false);
        for source in backward.get(end).into_iter().flatten() {
            let Some(ways) = ways.get_mut(*source) else { continue };
            *ways = ways.saturating_sub(1);
            if *ways == 0 && is_set(left, *source) {
                ends.push(*source);
            }
        }
    }
}

fn for_each_computed(rewrite: &Rewrite, visit: &mut impl FnMut(&str)) {
    match rewrite {
        Rewrite::This | Rewrite::TupleToUserset { .. } => {}
        Rewrite::Computed(computed) => visit(computed),
        Rewrite::Union(operands) | Rewrite::Intersection(operands) => {
            for operand in operands {
                for_each_computed(operand, visit);
            }
        }
        Rewrite::Difference(base, subtract) => {
            for_each_computed(base, visit);
            for_each_computed(subtract, visit);
        }
    }
}

fn is_set(flags: &[bool], place: usize) -> bool {
    flags.get(place).copied().unwrap_or(false)
}

fn set(flags: &mut [bool], place: usize, value: bool) {
    if let Some(flag) = flags.get_mut(place) {
        *flag = value;
    }
}
