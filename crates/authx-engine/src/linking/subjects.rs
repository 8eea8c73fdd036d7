//! Which relations may tell members or containers, and of what types these are.

use std::collections::BTreeSet;

use smol_str::SmolStr;

use crate::relation::{Kind, RelationId, RelationModel, Restriction, Rule};

/// The types of which a relation has members, with those of the usersets that it names.
pub(super) fn member_types(model: &RelationModel, relation: RelationId) -> Result<BTreeSet<SmolStr>, String> {
    subject_types(model, relation, |restriction| {
        restriction.condition.map(|_| "has a condition, which membership cannot have")
    })
}

/// The types of which a relation has containers.
pub(super) fn container_types(model: &RelationModel, relation: RelationId) -> Result<BTreeSet<SmolStr>, String> {
    subject_types(model, relation, |restriction| {
        (restriction.kind != Kind::Object).then_some("takes usersets or wildcards, which contain nothing")
    })
}

/// The types of a relation's subjects, through what it is computed from and the usersets that it names; `refused` says
/// what is wrong with a restriction.
fn subject_types(
    model: &RelationModel,
    relation: RelationId,
    refused: impl Fn(&Restriction) -> Option<&'static str>,
) -> Result<BTreeSet<SmolStr>, String> {
    let (mut found, mut seen, mut open) = (BTreeSet::new(), BTreeSet::new(), vec![relation]);
    while let Some(relation) = open.pop() {
        if !seen.insert(relation) {
            continue;
        }
        open.extend(direct_or_computed(model, relation)?);
        let Some(rules) = model.rules(relation) else { continue };
        for restriction in &rules.restrictions {
            if let Some(why) = refused(restriction) {
                return Err(format!("relation `{}` {why}", rules.name));
            }
            match restriction.kind {
                Kind::Object | Kind::Wildcard => found.extend(model.type_name(restriction.type_id).cloned()),
                Kind::Userset(of) => open.push(of),
            }
        }
    }
    Ok(found)
}

/// The relations that one is computed from; an error when it comes about in any other way but by its tuples.
fn direct_or_computed(model: &RelationModel, relation: RelationId) -> Result<Vec<RelationId>, String> {
    fn collect(rule: &Rule, into: &mut Vec<RelationId>) -> bool {
        match rule {
            Rule::This => true,
            Rule::Computed(other) => {
                into.push(*other);
                true
            }
            Rule::Union(rules) => rules.iter().all(|rule| collect(rule, into)),
            Rule::From(_) | Rule::Intersection(_) | Rule::Difference(..) => false,
        }
    }
    let Some(rules) = model.rules(relation) else { return Ok(Vec::new()) };
    let mut computed = Vec::new();
    if collect(&rules.rule, &mut computed) {
        return Ok(computed);
    }
    Err(format!("relation `{}` has `from`, `and` or `but not`; it must be direct or computed", rules.name))
}
