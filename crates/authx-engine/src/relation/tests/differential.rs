//! Every question over random worlds, answered as the reference evaluator answers it.

mod batch;
mod faults;

use std::collections::BTreeSet;

use faults::{Fault, seen};

use super::naive::{Naive, Table, Truth};
use super::world::{NOW, Random, TYPES, object, relation, subject, world};
use crate::relation::tuple::{ObjectRef, SubjectRef, Tuple, TupleKey};
use crate::relation::{
    Asking, Bound, GraphError, GraphLimits, RelationModel, Relations, Tuples, TuplesBuilder, UserFilter,
};

const FREE: GraphLimits = GraphLimits { depth: 10_000, steps: 20_000, leaves: 1_000 };

#[derive(Debug, Default)]
struct Counts {
    worlds: usize,
    checks: usize,
    allowed: usize,
    undetermined: usize,
    lists: usize,
    expands: usize,
    batches: usize,
    /// Questions over the bound on work.
    too_much: usize,
}

/// What an answer was to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Check,
    List,
    Expand,
    Batch,
}

/// The first difference from the reference.
type Difference = (Question, String);

fn tuples_of(random: &mut Random, stored: &[Tuple]) -> Tuples {
    // Part packed, part written since, some taken back, all packed at some moment: what is asked must not depend on it.
    let split = random.below(stored.len() + 1);
    let (packed, later) = stored.split_at(split);
    let mut builder = TuplesBuilder::default();
    for tuple in packed {
        builder.push_tuple(tuple).unwrap();
    }
    let mut tuples = builder.finish().unwrap();
    let stray: Vec<TupleKey> = packed.iter().take(2).map(|tuple| tuple.key.clone()).collect();
    let (soon, late) = later.split_at(random.below(later.len() + 1));
    let changes = [(&stray[..], soon), (&[], late), (&[], &packed[..stray.len()])];
    // Half of them are packed at no moment, so that changes stay on top.
    let moment = random.below(2 * changes.len());
    for (at, (deletes, puts)) in changes.into_iter().enumerate() {
        tuples = tuples.changed(deletes, puts).unwrap();
        if at == moment {
            tuples = tuples.merged().unwrap();
        }
    }
    tuples
}

/// Compares; returns the first difference.
fn compare(seed: u64, fault: Option<Fault>, counts: &mut Counts) -> Result<(), Difference> {
    let mut random = Random(seed);
    let world = world(&mut random);
    let effective: Vec<Tuple> = {
        let stored = world.stored.iter().filter(|t| !world.contextual.iter().any(|c| c.key == t.key));
        stored.chain(&world.contextual).cloned().collect()
    };
    let naive = Naive::new(&world.model, &effective, &world.context, NOW, Truth::Unknown);
    let without = Naive::new(&world.model, &effective, &world.context, NOW, Truth::False);
    let (model, stored, contextual) = seen(&world, fault);
    let model = RelationModel::compile(model).unwrap();
    let tuples = tuples_of(&mut random, &stored);
    let bound = Bound::new(&model, &tuples);
    let relations = Relations::new(&model, &tuples, &bound).with(&contextual).unwrap();
    let asking = Asking { context: &world.context, now: NOW, limits: FREE };
    counts.worlds += 1;
    let subject = subject(&mut random);
    let extra: Vec<ObjectRef> =
        TYPES[1..].iter().flat_map(|t| ["a", "b", "c"].map(|id| ObjectRef::new(t, id))).collect();
    let (table, without) = (naive.table(&subject, &extra), without.table(&subject, &extra));
    let holding: Vec<_> = table.iter().filter(|(_, truth)| **truth == Truth::True).map(|(claim, _)| claim).collect();
    for _ in 0..4 {
        let type_name = *random.pick(&TYPES[1..]);
        let mut claim = (object(&mut random, type_name), relation(&mut random).into());
        // Of those that hold there are few: half of the questions are about them.
        if !holding.is_empty() && random.one_in(2) {
            claim = (*random.pick(&holding)).clone();
        }
        // Undetermined for a condition's sake, when the claim is settled without the tuples whose conditions fail.
        let expected = match table[&claim] {
            Truth::Unknown if without[&claim] != Truth::Unknown => Expected::Error,
            Truth::Unknown => Expected::NotAllowed,
            Truth::True => Expected::Settled(true),
            Truth::False => Expected::Settled(false),
        };
        let key = TupleKey { object: claim.0, relation: claim.1, subject: subject.clone() };
        checked(&relations, &key, &asking, expected, counts).map_err(|text| (Question::Check, text))?;
    }
    let in_list = |text| (Question::List, text);
    listed(&relations, &table, &subject, &mut random, &asking, counts).map_err(in_list)?;
    if random.one_in(4) {
        users(&relations, &naive, &mut random, &asking, counts).map_err(in_list)?;
    }
    expanded(&relations, &naive, &mut random, &asking, counts).map_err(|text| (Question::Expand, text))?;
    if random.one_in(4) {
        counts.batches += 1;
        let batch = batch::Batch { model: &model, tuples: &tuples, contextual: &contextual, asking };
        batch.compare(&subject, &mut random, fault).map_err(|text| (Question::Batch, text))?;
    }
    Ok(())
}

/// What a check may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Settled(bool),
    Error,
    /// A cycle has a part in it: a denial or an error.
    NotAllowed,
}

impl Expected {
    fn admits(self, got: Result<bool, ()>) -> bool {
        match self {
            Self::Settled(allowed) => got == Ok(allowed),
            Self::Error => got.is_err(),
            Self::NotAllowed => got != Ok(true),
        }
    }
}

fn checked(
    relations: &Relations<'_>,
    key: &TupleKey,
    asking: &Asking<'_>,
    expected: Expected,
    counts: &mut Counts,
) -> Result<(), String> {
    counts.checks += 1;
    counts.allowed += usize::from(expected == Expected::Settled(true));
    counts.undetermined += usize::from(expected == Expected::Error);
    let got = relations.check(key, asking, false);
    if let Err(GraphError::TooMuchWork { .. }) = got {
        counts.too_much += 1;
        return Ok(());
    }
    if !expected.admits(got.as_ref().map(|checked| checked.allowed).map_err(|_| ())) {
        return Err(format!("{key}: got {got:?}, expected {expected:?}"));
    }
    if let Ok(explained) = relations.check(key, asking, true) {
        let missing = explained.path.iter().any(|tuple| relations.tuples.get(&tuple.key).is_none());
        if !expected.admits(Ok(explained.allowed)) || missing {
            return Err(format!("{key}: another answer with its path: {explained:?}"));
        }
    }
    // With tight bounds an answer is the right one or none.
    for limits in [GraphLimits { depth: 2, ..FREE }, GraphLimits { steps: 6, ..FREE }] {
        if let Ok(checked) = relations.check(key, &Asking { limits, ..*asking }, false)
            && !expected.admits(Ok(checked.allowed))
        {
            return Err(format!("{key}: got {checked:?} under {limits:?}, expected {expected:?}"));
        }
    }
    Ok(())
}

fn listed(
    relations: &Relations<'_>,
    table: &Table,
    subject: &SubjectRef,
    random: &mut Random,
    asking: &Asking<'_>,
    counts: &mut Counts,
) -> Result<(), String> {
    counts.lists += 1;
    let (type_name, relation) = (*random.pick(&TYPES[1..]), relation(random));
    let rows =
        || table.iter().filter(|((object, of), _)| object.type_name == type_name && of == relation && object.id != "*");
    let expected: BTreeSet<&ObjectRef> = rows().filter(|(_, t)| **t == Truth::True).map(|((o, _), _)| o).collect();
    let undetermined = rows().any(|(_, truth)| *truth == Truth::Unknown);
    match relations.list_objects(type_name, relation, subject, asking, usize::MAX) {
        Ok(list) => {
            let got: BTreeSet<&ObjectRef> = list.items.iter().filter(|object| object.id != "*").collect();
            if got != expected || got.len() > list.items.len() || !list.complete {
                return Err(format!(
                    "objects of {type_name}#{relation} for {subject}: got {got:?}, expected {expected:?}"
                ));
            }
            Ok(())
        }
        Err(GraphError::TooMuchWork { .. }) => {
            counts.too_much += 1;
            Ok(())
        }
        Err(_) if undetermined => Ok(()),
        Err(error) => Err(format!("objects of {type_name}#{relation} for {subject}: {error}")),
    }
}

fn users(
    relations: &Relations<'_>,
    naive: &Naive<'_>,
    random: &mut Random,
    asking: &Asking<'_>,
    counts: &mut Counts,
) -> Result<(), String> {
    counts.lists += 1;
    let type_name = *random.pick(&TYPES[1..]);
    let (of, relation_name) = (object(random, type_name), relation(random));
    let filter_type = *random.pick(&["user", "user", "group", "doc"]);
    let userset = (filter_type != "user" && random.one_in(2)).then(|| relation(random).into());
    let filter = UserFilter { type_name: filter_type.into(), relation: userset };
    // Who can have it: whoever a tuple names, and the object's own usersets.
    let named = naive.tuples.iter().flat_map(|t| [t.key.subject.object.clone(), t.key.object.clone()]);
    let mut universe: BTreeSet<SubjectRef> = named
        .chain([of.clone()])
        .filter(|object| object.type_name == filter_type && (filter.relation.is_none() || object.id != "*"))
        .map(|object| SubjectRef { object, relation: filter.relation.clone() })
        .collect();
    if filter.relation.is_none() {
        // Objects that hold something only because everyone does are told as everyone.
        universe.retain(|subject| naive.tuples.iter().any(|t| t.key.subject == *subject));
    }
    let got = match relations.list_users(&of, relation_name, &filter, asking, usize::MAX) {
        Ok(list) => list.items.into_iter().collect::<BTreeSet<_>>(),
        Err(_) => return Ok(()),
    };
    for subject in &universe {
        let truth = naive.table(subject, std::slice::from_ref(&of))[&(of.clone(), relation_name.into())];
        let by_everyone = !got.contains(subject) && truth == Truth::True && subject.relation.is_none() && {
            let everyone = SubjectRef { object: ObjectRef::new(filter_type, "*"), relation: None };
            naive.tuples.iter().any(|t| t.key.subject == everyone)
        };
        if got.contains(subject) != (truth == Truth::True) && !by_everyone && truth != Truth::Unknown {
            return Err(format!("users of {of}#{relation_name} as {filter:?}: {subject} is {truth:?}, got {got:?}"));
        }
        if truth == Truth::Unknown && got.contains(subject) {
            return Err(format!("users of {of}#{relation_name}: {subject} is undetermined and listed"));
        }
    }
    match got.difference(&universe).next() {
        Some(stray) => Err(format!("users of {of}#{relation_name} as {filter:?}: {stray} is nobody's subject")),
        None => Ok(()),
    }
}

fn expanded(
    relations: &Relations<'_>,
    naive: &Naive<'_>,
    random: &mut Random,
    asking: &Asking<'_>,
    counts: &mut Counts,
) -> Result<(), String> {
    counts.expands += 1;
    let type_name = *random.pick(&TYPES[1..]);
    let (object, relation) = (object(random, type_name), if random.one_in(8) { "parent" } else { relation(random) });
    let expected = naive.expand(&object, relation);
    for limits in [FREE, GraphLimits { leaves: 4, ..FREE }, GraphLimits { steps: 3, ..FREE }] {
        let got = relations.expand(&object, relation, &Asking { limits, ..*asking });
        let bounded =
            limits != FREE && matches!(got, Err(GraphError::TooManyLeaves { .. } | GraphError::TooMuchWork { .. }));
        if got.as_ref() != Ok(&expected) && !bounded {
            return Err(format!("expansion of {object}#{relation}: got {got:?}, expected {expected:?}"));
        }
    }
    Ok(())
}

#[test]
fn every_question_is_answered_as_by_the_reference() {
    let worlds = std::env::var_os("AUTHX_WORLDS").and_then(|n| n.to_str()?.parse().ok()).unwrap_or(20_000);
    let mut counts = Counts::default();
    for seed in 0..worlds {
        if let Err((question, difference)) = compare(seed, None, &mut counts) {
            panic!("seed {seed}, {question:?}: {difference}");
        }
    }
    println!("{counts:?}");
    assert!(counts.allowed * 4 >= counts.checks, "too few are allowed: {counts:?}");
    assert!(counts.undetermined * 200 >= counts.checks, "too few are undetermined: {counts:?}");
}
