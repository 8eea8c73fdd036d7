//! What a change of the relation model broke, in the model's own places.
//!
//! A policy that stood with the active model and falls with a new one is reported where it stands. Here that report gets
//! the other place: where in the new model is what the policy needs, or would be. What the new model no longer has is
//! told by its line in the active one.

use smol_str::SmolStr;

use crate::cedar::{EntityType, FromNormalizedStr as _, Name};
use crate::policy::Policy;
use crate::problem::{Problem, Related};
use crate::relation::{RelationDefinition, RelationModel, place_in};
use crate::release::Release;

/// Places that one problem gets at most.
const MAX_PLACES: usize = 5;

/// Adds to problems of a release the places of the model that they come from, if they come from its change.
pub(crate) fn explain(problems: &mut [Problem], base: &Release, model: Option<&RelationModel>) {
    let (Some(old), Some(new)) = (base.model(), model) else { return };
    if std::ptr::eq(old.as_ref(), new) {
        return;
    }
    let change = ModelChange { base, old, new };
    for problem in problems.iter_mut().filter(|problem| problem.is_error() && problem.related.is_empty()) {
        let mut places = match problem.code.as_ref() {
            "unknown_relation" | "policy_invalid" => change.lost_relations(problem),
            "unsatisfiable_in" => change.changed_links(),
            "invalid_link" => change.lost_types(problem),
            _ => Vec::new(),
        };
        places.truncate(MAX_PLACES);
        problem.related = places;
    }
}

struct ModelChange<'a> {
    base: &'a Release,
    old: &'a RelationModel,
    new: &'a RelationModel,
}

impl ModelChange<'_> {
    /// Relations that the policy asks for, which types had and no longer have.
    fn lost_relations(&self, problem: &Problem) -> Vec<Related> {
        let policy = problem.policy.as_deref().and_then(|id| self.base.policy(id));
        let mut asked: Vec<&SmolStr> = policy.into_iter().flat_map(|policy| relations_of(policy)).collect();
        asked.sort_unstable();
        asked.dedup();
        let types = self.linked_types();
        let lost = asked.into_iter().flat_map(|relation| types.iter().map(move |(ty, _)| (ty, relation)));
        lost.filter(|(ty, relation)| self.old.has_relation(ty, relation) && !self.new.has_relation(ty, relation))
            .map(|(ty, relation)| {
                let before = self.before(ty, Some(relation));
                let message = format!("the new model has no `{ty}#{relation}`{before}");
                place_in(self.new, ty, None, message)
            })
            .collect()
    }

    /// Relations of `@members` and `@parents` that changed, or else any that did.
    fn changed_links(&self) -> Vec<Related> {
        let mut changed: Vec<Related> = Vec::new();
        for (ty, link) in self.linked_types() {
            let named = link.iter().filter(|name| self.is_changed(&ty, name));
            changed.extend(named.map(|name| self.changed(&ty, name)));
        }
        if !changed.is_empty() {
            return changed;
        }
        for definition in &self.new.model().types {
            let ty = &definition.name;
            let relations = definition.relations.iter().map(|relation| &relation.name);
            changed.extend(relations.filter(|name| self.is_changed(ty, name)).map(|name| self.changed(ty, name)));
        }
        changed
    }

    fn changed(&self, ty: &str, relation: &str) -> Related {
        let before = self.before(ty, Some(relation));
        let message = format!("the new model has another `{ty}#{relation}`{before}");
        place_in(self.new, ty, Some(relation), message)
    }

    /// The linked type that the new model does not have.
    fn lost_types(&self, problem: &Problem) -> Vec<Related> {
        let lost = self.linked_types().into_iter().map(|(ty, _)| ty).filter(|ty| !self.new.has_type(ty));
        lost.filter(|ty| problem.message.contains(&format!("`{ty}`")))
            .map(|ty| {
                let before = self.before(&ty, None);
                Related::unplaced(format!("the new model has no type `{ty}`{before}"))
            })
            .collect()
    }

    /// The types of the model that are linked in the active release, each with the relations that its link names.
    fn linked_types(&self) -> Vec<(SmolStr, Vec<&str>)> {
        let declared = self.base.schema().map(|schema| schema.declared.as_slice()).unwrap_or_default();
        let of = |name: &str| {
            let ty = EntityType::from(Name::from_normalized_str(name).ok()?);
            self.base.linking()?.model_type(&ty).cloned()
        };
        declared.iter().filter_map(|link| Some((of(&link.name)?, link.relations().collect()))).collect()
    }

    fn is_changed(&self, ty: &str, relation: &str) -> bool {
        match (definition(self.old, ty, relation), definition(self.new, ty, relation)) {
            (Some(old), Some(new)) => old.rewrite != new.rewrite || old.restrictions != new.restrictions,
            (None, Some(_)) => true,
            (_, None) => false,
        }
    }

    /// Where the active model has it, as the end of a message.
    fn before(&self, ty: &str, relation: Option<&str>) -> String {
        match place_in(self.old, ty, relation, String::new()).line {
            Some(line) => format!("; the active one has it at line {line}"),
            None => "; the active one has it".to_owned(),
        }
    }
}

fn relations_of(policy: &Policy) -> impl Iterator<Item = &SmolStr> {
    policy.body.facts.iter().map(|fact| &fact.relation)
}

fn definition<'m>(model: &'m RelationModel, ty: &str, relation: &str) -> Option<&'m RelationDefinition> {
    let ty = model.model().types.iter().find(|known| known.name == ty)?;
    ty.relations.iter().find(|known| known.name == relation)
}
