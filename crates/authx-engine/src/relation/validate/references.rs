//! What relations and restrictions name must be there and be fit for its use.

use std::collections::HashSet;

use super::{Index, of_relation};
use crate::problem::Problem;
use crate::relation::codes;
use crate::relation::model::{Model, RelationDefinition, RestrictionKind, Rewrite, TypeDefinition};
use crate::relation::place::placed;
use crate::relation::print::restriction_text;

pub(super) fn check(model: &Model, index: &Index<'_>, problems: &mut Vec<Problem>) {
    let conditions: HashSet<&str> = model.conditions.iter().map(|condition| condition.name.as_str()).collect();
    let mut used = HashSet::new();
    for definition in &model.types {
        for relation in &definition.relations {
            let mut found = Vec::new();
            let direct = check_rewrite(&relation.rewrite, definition, index, &mut found);
            check_restrictions(relation, direct, index, &mut found);
            for restriction in &relation.restrictions {
                let Some(condition) = restriction.condition.as_deref() else { continue };
                used.insert(condition);
                if !conditions.contains(condition) {
                    let message = format!("condition `{condition}` is not defined");
                    found.push(Problem::error(codes::UNDEFINED_CONDITION, message));
                }
            }
            problems.extend(found.into_iter().map(|problem| of_relation(definition, relation, problem)));
        }
    }
    for condition in model.conditions.iter().filter(|condition| !used.contains(condition.name.as_str())) {
        let message = format!("condition `{}` is not used", condition.name);
        problems.push(placed(Problem::warning(codes::UNUSED_CONDITION, message), &condition.source, &condition.name));
    }
}

/// Says whether tuples can make the relation directly.
fn check_rewrite(
    rewrite: &Rewrite,
    definition: &TypeDefinition,
    index: &Index<'_>,
    problems: &mut Vec<Problem>,
) -> bool {
    match rewrite {
        Rewrite::This => true,
        Rewrite::Computed(computed) => {
            if index.relation(&definition.name, computed).is_none() {
                problems.push(undefined_relation(&definition.name, computed));
            }
            false
        }
        Rewrite::TupleToUserset { tupleset, computed } => {
            check_tupleset(tupleset, computed, definition, index, problems);
            false
        }
        Rewrite::Union(operands) | Rewrite::Intersection(operands) => {
            if operands.is_empty() {
                problems.push(Problem::error(codes::EMPTY_REWRITE, "a union or intersection has no operands"));
            }
            check_duplicates(operands.iter(), problems);
            operands.iter().fold(false, |direct, operand| check_rewrite(operand, definition, index, problems) | direct)
        }
        Rewrite::Difference(base, subtract) => {
            check_duplicates([&**base, &**subtract].into_iter(), problems);
            let of_base = check_rewrite(base, definition, index, problems);
            check_rewrite(subtract, definition, index, problems) | of_base
        }
    }
}

/// `computed from tupleset`: the tupleset is made by tuples alone, and these name plain objects.
fn check_tupleset(
    tupleset: &str,
    computed: &str,
    definition: &TypeDefinition,
    index: &Index<'_>,
    problems: &mut Vec<Problem>,
) {
    let Some(relation) = index.relation(&definition.name, tupleset) else {
        problems.push(undefined_relation(&definition.name, tupleset));
        return;
    };
    if relation.definition.rewrite != Rewrite::This {
        let message = format!("relation `{tupleset}` stands after `from`, so it must be `[…]` alone");
        problems.push(Problem::error(codes::INVALID_TUPLESET, message));
        return;
    }
    if let Some(restriction) = relation.unfit {
        let message = format!(
            "relation `{tupleset}` stands after `from`, so it takes plain types alone, found `{}`",
            restriction_text(restriction)
        );
        problems.push(Problem::error(codes::INVALID_TUPLESET, message));
    }
    if !relation.types.iter().any(|type_name| index.relation(type_name, computed).is_some()) {
        let message = format!("no type that `{tupleset}` takes has a relation `{computed}`");
        problems.push(Problem::error(codes::UNDEFINED_RELATION, message));
    }
}

fn check_restrictions(relation: &RelationDefinition, direct: bool, index: &Index<'_>, problems: &mut Vec<Problem>) {
    let name = &relation.name;
    if direct && relation.restrictions.is_empty() {
        let message = format!("relation `{name}` takes tuples but does not say of which types");
        problems.push(Problem::error(codes::MISSING_RESTRICTIONS, message));
    }
    if !direct && !relation.restrictions.is_empty() {
        let message = format!("relation `{name}` restricts the types of its tuples but takes none");
        problems.push(Problem::error(codes::UNUSED_RESTRICTIONS, message));
    }
    let mut seen = HashSet::new();
    for restriction in &relation.restrictions {
        let written = restriction_text(restriction);
        if !index.has_type(&restriction.type_name) {
            let message = format!("type `{}` is not defined", restriction.type_name);
            problems.push(Problem::error(codes::UNDEFINED_TYPE, message));
        } else if let RestrictionKind::Userset(userset) = &restriction.kind
            && index.relation(&restriction.type_name, userset).is_none()
        {
            problems.push(undefined_relation(&restriction.type_name, userset));
        }
        if seen.contains(&written) {
            let message = format!("`{written}` stands twice in relation `{name}`");
            problems.push(Problem::error(codes::DUPLICATE_RESTRICTION, message));
        } else {
            seen.insert(written);
        }
    }
}

/// A server takes `viewer or viewer`, so it is only worth a warning.
fn check_duplicates<'a>(operands: impl Iterator<Item = &'a Rewrite>, problems: &mut Vec<Problem>) {
    let mut seen = HashSet::new();
    for operand in operands {
        let key = match operand {
            Rewrite::Computed(computed) => (computed, None),
            Rewrite::TupleToUserset { tupleset, computed } => (computed, Some(tupleset)),
            Rewrite::This | Rewrite::Union(_) | Rewrite::Intersection(_) | Rewrite::Difference(..) => continue,
        };
        if !seen.insert(key) {
            let written = key.1.map_or_else(|| key.0.to_string(), |tupleset| format!("{} from {tupleset}", key.0));
            problems.push(Problem::warning(codes::DUPLICATE_OPERAND, format!("`{written}` stands twice")));
        }
    }
}

fn undefined_relation(type_name: &str, relation: &str) -> Problem {
    Problem::error(codes::UNDEFINED_RELATION, format!("type `{type_name}` has no relation `{relation}`"))
}
