//! Faults, planted to see that they would show: what the implementation is given in place of the world.

use super::{Counts, Difference, Question, compare};
use crate::relation::condition::{CompiledCondition, MAX_COST, Outcome};
use crate::relation::model::{Model, RelationDefinition, RestrictionKind, Rewrite, TypeRestriction};
use crate::relation::tests::world::{TYPES, World};
use crate::relation::tuple::Tuple;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    ExclusionForgotten,
    IntersectionAsUnion,
    TypeRestrictionsIgnored,
    ConditionsIgnored,
    ExpiryIgnored,
    UsersetRelationIgnored,
    TuplesetOfAnotherRelation,
    ContextualTuplesForgotten,
    /// Only an expansion tells in which order operands stand.
    OperandsReversed,
    /// Only an expansion names what does not count.
    UnmetConditionsDropped,
    /// An item of a batch is asked with what belongs to the one before it.
    BatchAsksWithTheItemBefore,
    /// Items of a batch that ask for the same tuple are asked once, whatever else they bring.
    BatchAsksOnceForEachTuple,
}

/// The world as the implementation gets it.
pub(super) fn seen(world: &World, fault: Option<Fault>) -> (Model, Vec<Tuple>, Vec<Tuple>) {
    let (mut model, mut stored, mut contextual) = (world.model.clone(), world.stored.clone(), world.contextual.clone());
    let all_relations = |model: &mut Model, change: &dyn Fn(&mut RelationDefinition)| {
        model.types.iter_mut().flat_map(|t| &mut t.relations).for_each(change);
    };
    let all_tuples = |change: &dyn Fn(&mut Tuple), stored: &mut Vec<Tuple>, contextual: &mut Vec<Tuple>| {
        stored.iter_mut().chain(contextual).for_each(change);
    };
    match fault {
        None | Some(Fault::BatchAsksWithTheItemBefore | Fault::BatchAsksOnceForEachTuple) => {}
        Some(Fault::ExclusionForgotten) => all_relations(&mut model, &|r| {
            if let Rewrite::Difference(base, _) = &r.rewrite {
                r.rewrite = (**base).clone();
            }
        }),
        Some(Fault::IntersectionAsUnion) => all_relations(&mut model, &|r| {
            if let Rewrite::Intersection(all) = &r.rewrite {
                r.rewrite = Rewrite::Union(all.clone());
            }
        }),
        Some(Fault::TypeRestrictionsIgnored) => all_relations(&mut model, &|r| {
            for type_name in TYPES {
                for kind in [RestrictionKind::Object, RestrictionKind::Wildcard] {
                    r.restrictions.push(TypeRestriction { type_name: type_name.into(), kind, condition: None });
                }
            }
        }),
        Some(Fault::ConditionsIgnored) => {
            all_relations(&mut model, &|r| r.restrictions.iter_mut().for_each(|r| r.condition = None));
            all_tuples(&|t| t.condition = None, &mut stored, &mut contextual);
        }
        Some(Fault::ExpiryIgnored) => all_tuples(&|t| t.expires_at = None, &mut stored, &mut contextual),
        Some(Fault::UsersetRelationIgnored) => {
            let other = |relation: &mut smol_str::SmolStr| *relation = "r0".into();
            all_relations(&mut model, &|r| {
                for restriction in &mut r.restrictions {
                    if let RestrictionKind::Userset(relation) = &mut restriction.kind {
                        other(relation);
                    }
                }
            });
            stored.retain(|t| t.key.subject.relation.as_deref().is_none_or(|r| r == "r0"));
        }
        Some(Fault::TuplesetOfAnotherRelation) => all_relations(&mut model, &|r| {
            if let Rewrite::TupleToUserset { computed, .. } = &mut r.rewrite {
                *computed = if computed == "r0" { "r1".into() } else { "r0".into() };
            }
        }),
        Some(Fault::ContextualTuplesForgotten) => contextual.clear(),
        Some(Fault::OperandsReversed) => all_relations(&mut model, &|r| reverse(&mut r.rewrite)),
        Some(Fault::UnmetConditionsDropped) => {
            // A contextual tuple also hides a stored one, so that only stored ones that nothing hides may go.
            let hidden = |t: &Tuple| world.contextual.iter().any(|c| c.key == t.key);
            stored.retain(|tuple| hidden(tuple) || !is_unmet(tuple, world));
        }
    }
    (model, stored, contextual)
}

fn reverse(rewrite: &mut Rewrite) {
    match rewrite {
        Rewrite::This | Rewrite::Computed(_) | Rewrite::TupleToUserset { .. } => {}
        Rewrite::Union(all) | Rewrite::Intersection(all) => {
            all.reverse();
            all.iter_mut().for_each(reverse);
        }
        Rewrite::Difference(base, subtract) => {
            reverse(base);
            reverse(subtract);
        }
    }
}

fn is_unmet(tuple: &Tuple, world: &World) -> bool {
    let Some(condition) = &tuple.condition else { return false };
    let definition = world.model.conditions.iter().find(|c| c.name == condition.name).unwrap();
    let compiled = CompiledCondition::compile(definition).unwrap();
    compiled.evaluate(&world.context, &condition.context, MAX_COST).outcome == Outcome::False
}

#[test]
fn faults_would_show() {
    const DECISIONS: &[Question] = &[Question::Check, Question::List];
    for (fault, by) in [
        (Fault::ExclusionForgotten, DECISIONS),
        (Fault::IntersectionAsUnion, DECISIONS),
        (Fault::TypeRestrictionsIgnored, DECISIONS),
        (Fault::ConditionsIgnored, DECISIONS),
        (Fault::ExpiryIgnored, DECISIONS),
        (Fault::UsersetRelationIgnored, DECISIONS),
        (Fault::TuplesetOfAnotherRelation, DECISIONS),
        (Fault::ContextualTuplesForgotten, DECISIONS),
        (Fault::OperandsReversed, &[Question::Expand]),
        (Fault::UnmetConditionsDropped, &[Question::Expand]),
        (Fault::BatchAsksWithTheItemBefore, &[Question::Batch]),
        (Fault::BatchAsksOnceForEachTuple, &[Question::Batch]),
    ] {
        let found = |seed| Some((seed, compare(seed, Some(fault), &mut Counts::default()).err()?));
        let all: Vec<(u64, Difference)> = (0..400).filter_map(found).collect();
        let first = all.iter().find(|(_, (question, _))| by.contains(question));
        println!("{fault:?}: {:?}", first.map(|(seed, (question, _))| (seed, question)));
        assert!(first.is_some(), "{fault:?} goes unnoticed");
        // Decisions come first in each world: where they can tell, the others are not what found it.
        let elsewhere = all.iter().find(|(_, (question, _))| by != DECISIONS && !by.contains(question));
        assert!(elsewhere.is_none(), "{fault:?} shows elsewhere: {elsewhere:?}");
    }
}
