//! Relations: a small model and its tuples made from the input, and every question asked in two ways.

mod world;

use std::collections::BTreeSet;

use authx_engine::relation::{
    Asking, Bound, GraphError, GraphLimits, ObjectRef, RelationModel, Relations, SubjectRef, TupleKey, Tuples,
    TuplesBuilder, UserFilter,
};

use world::{IDS, NOW, RELATIONS, TYPES, World};

/// Enough for any world this small, except where its rewrites lead around in circles.
const FREE: GraphLimits = GraphLimits { depth: 10_000, steps: 20_000, leaves: 1_000 };
const TIGHT: [GraphLimits; 2] = [GraphLimits { depth: 2, ..FREE }, GraphLimits { depth: 100, steps: 6, ..FREE }];

/// An answer; `Err` says whether the bound on work was hit.
type Answer = Result<bool, TooMuch>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TooMuch(bool);

pub fn hold(data: &[u8]) -> bool {
    let world = world::world(data);
    let Ok(model) = RelationModel::compile(world.model.clone()) else { return false };
    let mut builder = TuplesBuilder::default();
    world.tuples.iter().for_each(|tuple| builder.push_tuple(tuple).unwrap());
    let packed = builder.finish().unwrap();
    let (half, rest) = world.tuples.split_at(world.tuples.len() / 2);
    let written = Tuples::default().changed(&[], half).unwrap();
    let (bound, bound_half) = (Bound::new(&model, &packed), Bound::new(&model, &written));
    let relations = Relations::new(&model, &packed, &bound);
    let contextual = Relations::new(&model, &written, &bound_half).with(rest).unwrap();
    let asking = Asking { context: &world.context, now: NOW, limits: FREE };
    for subject in &world.subjects {
        for type_name in &TYPES[1..] {
            for relation in RELATIONS {
                let objects = IDS.map(|id| ObjectRef::new(type_name, id));
                let answers = objects.map(|object| {
                    let key = TupleKey { object, relation: relation.into(), subject: subject.clone() };
                    let answer = checked(&relations, &key, &asking);
                    assert_eq!(answer, checked(&contextual, &key, &asking), "{key}: stored and contextual");
                    (key.object, answer)
                });
                objects_are_those_allowed(&relations, &answers, relation, subject, &asking);
            }
        }
    }
    users_are_those_allowed(&relations, &world, &asking);
    true
}

fn answer(relations: &Relations<'_>, key: &TupleKey, asking: &Asking<'_>, explain: bool) -> Answer {
    let too_much = |error: GraphError| TooMuch(matches!(error, GraphError::TooMuchWork { .. }));
    let checked = relations.check(key, asking, explain).map_err(too_much)?;
    assert!(checked.allowed || checked.path.is_empty(), "{key}: a path to nothing: {checked:?}");
    Ok(checked.allowed)
}

/// The answer; with its path it is the same, and within tight bounds the same or none.
fn checked(relations: &Relations<'_>, key: &TupleKey, asking: &Asking<'_>) -> Answer {
    let free = answer(relations, key, asking, false);
    // A path is found in another order, so that the bound on work may be hit in one and not in the other.
    let explained = answer(relations, key, asking, true);
    if free != Err(TooMuch(true)) && explained != Err(TooMuch(true)) {
        assert_eq!(explained, free, "{key}: with its path and without");
    }
    for limits in TIGHT {
        let tight = answer(relations, key, &Asking { limits, ..*asking }, false);
        assert!(tight.is_err() || tight == free || free.is_err(), "{key}: {tight:?} within {limits:?}, else {free:?}");
    }
    free
}

fn objects_are_those_allowed(
    relations: &Relations<'_>,
    answers: &[(ObjectRef, Answer)],
    relation: &str,
    subject: &SubjectRef,
    asking: &Asking<'_>,
) {
    let Some(type_name) = answers.first().map(|(object, _)| object.type_name.as_str()) else { return };
    if answers.iter().any(|(_, answer)| *answer == Err(TooMuch(true))) {
        return;
    }
    let what = format!("{type_name}#{relation} for {subject}");
    match relations.list_objects(type_name, relation, subject, asking, usize::MAX) {
        Ok(list) => {
            let listed: BTreeSet<&ObjectRef> = list.items.iter().collect();
            let allowed = answers.iter().filter(|(_, answer)| *answer == Ok(true)).map(|(object, _)| object);
            assert_eq!(listed, allowed.collect(), "{what}");
            assert_eq!(listed.len(), list.items.len(), "{what}: told twice");
            assert!(list.complete, "{what}");
        }
        Err(GraphError::TooMuchWork { .. }) => {}
        Err(error) => assert!(answers.iter().any(|(_, answer)| answer.is_err()), "{what}: {error}"),
    }
}

/// Whoever is listed is allowed, and whoever a tuple names and is allowed is listed, if need be as everyone.
fn users_are_those_allowed(relations: &Relations<'_>, world: &World, asking: &Asking<'_>) {
    let named: BTreeSet<&SubjectRef> = world.tuples.iter().map(|tuple| &tuple.key.subject).collect();
    for subject in &world.subjects {
        let filter = UserFilter { type_name: subject.object.type_name.clone(), relation: subject.relation.clone() };
        let of_kind = |user: &SubjectRef| user.object.type_name == filter.type_name && user.relation == filter.relation;
        for relation in RELATIONS {
            let object = ObjectRef::new(TYPES[2], IDS[0]);
            let Ok(list) = relations.list_users(&object, relation, &filter, asking, usize::MAX) else { continue };
            let everyone = list.items.iter().any(SubjectRef::is_wildcard);
            let key = |user: &SubjectRef| TupleKey {
                object: object.clone(),
                relation: relation.into(),
                subject: user.clone(),
            };
            for user in &list.items {
                let answer = answer(relations, &key(user), asking, false);
                assert!(matches!(answer, Ok(true) | Err(TooMuch(true))), "{}: listed and {answer:?}", key(user));
            }
            for user in named.iter().filter(|user| of_kind(user) && !everyone && !list.items.contains(user)) {
                let everyone = SubjectRef { object: ObjectRef::new(&filter.type_name, "*"), relation: None };
                let by_everyone = filter.relation.is_none() && named.contains(&everyone);
                let answer = answer(relations, &key(user), asking, false);
                assert!(answer != Ok(true) || by_everyone, "{}: allowed and not listed", key(user));
            }
        }
    }
}
