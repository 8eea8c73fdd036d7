//! What schema and relation model declare and no policy uses, and actions that nobody can be permitted.

use std::cell::Cell;
use std::collections::{BTreeSet, HashSet};

use serde_json::Value as Json;
use smol_str::SmolStr;

use super::declarations::{Declarations, Declared};
use super::usage::{Usage, usage};
use super::{Findings, Lint, names as names_in};
use crate::linking::{Linking, declared_name};
use crate::problem::Problem;
use crate::relation::{Model, RelationModel, RestrictionKind, Rewrite, place_in};
use crate::release::Release;
use crate::schema::Schema;

/// Declarations whose place is looked for.
const MAX_LOOKUPS: usize = 1_000;

/// A relation of a type of the model.
type Relation<'m> = (&'m str, &'m str);

pub(super) fn check(release: &Release, found: &mut Findings<'_>) {
    let wanted = [Lint::UnusedSchema, Lint::UnusedRelation, Lint::UnpermittedAction];
    let Some(schema) = release.schema() else { return };
    // A schema that comes before its policies is no mistake.
    if release.policy_count() == 0 || !wanted.into_iter().any(|lint| found.wants(lint)) {
        return;
    }
    let declarations = Declarations::new(schema);
    unknown_lints(&declarations, found);
    let mut used = usage(release, schema);
    let linked = release.linking().zip(release.model());
    let relations = linked.map(|(linking, model)| relations(linking, model, &mut used)).unwrap_or_default();
    let unused = Unused { schema, declarations, used: &used, lookups: Cell::new(MAX_LOOKUPS) };
    unused.actions(found);
    unused.types(found);
    unused.context(release.model().map(|model| model.model()), found);
    unused.common_types(found);
    if let Some((linking, model)) = linked {
        unused_relations(linking, model, &relations, found);
    }
}

/// Lints that annotations of the schema name and that are none.
fn unknown_lints(declarations: &Declarations<'_>, found: &mut Findings<'_>) {
    for declared in declarations.switched() {
        for name in declared.allow.iter().flat_map(|allow| names_in(allow)) {
            if let Err(unknown) = Lint::parse(name) {
                found.take(Lint::UnknownLint, declared.allow.as_ref(), || {
                    let problem = Problem::warning(Lint::UnknownLint.name(), unknown.to_string());
                    declarations.place(problem, &declared).with_hint(unknown.hint())
                });
            }
        }
    }
}

struct Unused<'r> {
    schema: &'r Schema,
    declarations: Declarations<'r>,
    used: &'r Usage<'r>,
    /// How many declarations may still be looked up: each goes through the schema's text.
    lookups: Cell<usize>,
}

impl Unused<'_> {
    /// Tells of a declaration, unless so many were told or looked up that this one goes without.
    fn tell(
        &self,
        lint: Lint,
        declared: impl FnOnce() -> Declared,
        message: String,
        hint: &str,
        found: &mut Findings<'_>,
    ) {
        let Some(left) = self.lookups.get().checked_sub(1).filter(|_| found.wants(lint)) else { return };
        self.lookups.set(left);
        let declared = declared();
        found.take(lint, declared.allow.as_ref(), || {
            self.declarations.place(Problem::warning(lint.name(), message), &declared).with_hint(hint)
        });
    }

    fn types(&self, found: &mut Findings<'_>) {
        let mut types: Vec<_> = self.schema.types.iter().collect();
        types.sort_unstable_by_key(|(ty, _)| *ty);
        for (ty, info) in types {
            if !self.used.types.contains(ty) {
                let message = format!("no policy names or reaches the entity type `{ty}`");
                let hint = "delete it, write the policy that it is for, or annotate it with @allow(\"unused_schema\")";
                self.tell(Lint::UnusedSchema, || self.declarations.entity_type(ty), message, hint, found);
                continue;
            }
            for name in info.attributes.keys() {
                if !self.used.attributes.contains(&(ty.clone(), name.clone())) {
                    let message = format!("no policy reads the attribute `{name}` of `{ty}`");
                    let hint = "delete it, or annotate it with @allow(\"unused_schema\") when others read it";
                    self.tell(Lint::UnusedSchema, || self.declarations.attribute(ty, name), message, hint, found);
                }
            }
        }
    }

    fn actions(&self, found: &mut Findings<'_>) {
        let mut actions: Vec<_> = self.schema.actions.iter().collect();
        actions.sort_unstable_by_key(|(uid, _)| *uid);
        for (uid, info) in actions {
            let declared = || self.declarations.action(uid);
            let applies = !info.principals.is_empty() && !info.resources.is_empty();
            if applies && !self.used.permitted.contains(uid) {
                let message = format!("no permit can match the action `{uid}`, so it is always denied");
                let hint = "write a permit for it or for a group that it is in, or delete it";
                self.tell(Lint::UnpermittedAction, declared, message, hint, found);
            }
            if !applies && !self.used.named_actions.contains(uid) {
                let message = format!("no policy names the group of actions `{uid}`");
                self.tell(Lint::UnusedSchema, declared, message, "delete it, or write a policy for it", found);
            }
        }
    }

    /// Keys of contexts; conditions of the relation model read them as well.
    fn context(&self, model: Option<&Model>, found: &mut Findings<'_>) {
        if self.used.whole_context {
            return;
        }
        let parameters = model.into_iter().flat_map(|model| &model.conditions).flat_map(|of| &of.parameters);
        let parameters: HashSet<&SmolStr> = parameters.map(|(name, _)| name).collect();
        let keys: BTreeSet<&SmolStr> = self.schema.actions.values().flat_map(|info| info.context.keys()).collect();
        for key in keys {
            if !self.used.context.contains(key) && !parameters.contains(key) {
                let message = format!("no policy reads `context.{key}`");
                let hint = "delete it, or annotate it with @allow(\"unused_schema\") when others read it";
                self.tell(Lint::UnusedSchema, || self.declarations.context_key(key), message, hint, found);
            }
        }
    }

    /// Common types that no entity type and no action leads to.
    fn common_types(&self, found: &mut Findings<'_>) {
        let schema = self.schema.json().unwrap_or_default();
        let namespaces = || schema.as_object().into_iter().flatten();
        let part = |definition: &'_ Json, part: &str| definition.get(part).cloned().unwrap_or_default();
        let mut named = BTreeSet::new();
        for (_, definition) in namespaces() {
            names(&part(definition, "entityTypes"), &mut named);
            names(&part(definition, "actions"), &mut named);
        }
        let common: Vec<(String, String, Json)> = namespaces()
            .flat_map(|(namespace, definition)| {
                let types = definition.get("commonTypes").and_then(Json::as_object).into_iter().flatten();
                types.map(|(name, ty)| (name.clone(), declared_name(namespace, name), ty.clone()))
            })
            .collect();
        // Each round follows names one step further, so there are no more rounds than types.
        for _ in 0..common.len() {
            let before = named.len();
            for (_, _, ty) in common.iter().filter(|(name, ..)| named.contains(name)).cloned().collect::<Vec<_>>() {
                names(&ty, &mut named);
            }
            if named.len() == before {
                break;
            }
        }
        for (_, declared, _) in common.iter().filter(|(name, ..)| !named.contains(name)) {
            let message = format!("no entity type and no action uses the type `{declared}`");
            let place = || self.declarations.common_type(declared);
            self.tell(Lint::UnusedSchema, place, message, "delete it, or use it where it was meant", found);
        }
    }
}

/// The last parts of all names of types in a piece of Cedar's JSON form of a schema.
fn names(piece: &Json, found: &mut BTreeSet<String>) {
    let mut open = vec![piece];
    while let Some(piece) = open.pop() {
        match piece {
            Json::Object(fields) => {
                for (key, field) in fields {
                    match field.as_str().filter(|_| key == "type" || key == "name") {
                        Some(name) => {
                            found.insert(name.rsplit("::").next().unwrap_or(name).to_owned());
                        }
                        None => open.push(field),
                    }
                }
            }
            Json::Array(items) => open.extend(items),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
}

/// The relations that policies and links ask for, and what these are made of; the entity types on the way are used.
fn relations<'m>(linking: &'m Linking, model: &'m RelationModel, used: &mut Usage<'_>) -> HashSet<Relation<'m>> {
    let types = &model.model().types;
    let has = |ty: &str, relation: &str| {
        let ty = types.iter().find(|known| known.name == ty)?;
        let relation = ty.relations.iter().find(|known| known.name == relation)?;
        Some((ty, relation))
    };
    let asked = linking.linked_types().flat_map(|(_, ty)| used.relations.iter().map(move |relation| (ty, relation)));
    let mut open: Vec<(SmolStr, SmolStr)> =
        asked.chain(linking.annotated()).map(|(ty, relation)| (ty.clone(), relation.clone())).collect();
    let (mut met, mut subjects) = (HashSet::new(), HashSet::new());
    while let Some((ty, relation)) = open.pop() {
        let Some((ty, relation)) = has(&ty, &relation) else { continue };
        if !met.insert((ty.name.as_str(), relation.name.as_str())) {
            continue;
        }
        for restriction in &relation.restrictions {
            subjects.insert(&restriction.type_name);
            if let RestrictionKind::Userset(userset) = &restriction.kind {
                open.push((restriction.type_name.clone(), userset.clone()));
            }
        }
        for (tupleset, computed) in steps(&relation.rewrite) {
            match tupleset {
                None => open.push((ty.name.clone(), computed.clone())),
                Some(tupleset) => {
                    open.push((ty.name.clone(), tupleset.clone()));
                    let through = has(&ty.name, tupleset).into_iter().flat_map(|(_, through)| &through.restrictions);
                    open.extend(through.map(|restriction| (restriction.type_name.clone(), computed.clone())));
                }
            }
        }
    }
    let reached = linking.linked_types().filter(|(_, ty)| subjects.contains(ty)).map(|(ty, _)| ty.clone());
    used.types.extend(reached);
    met
}

/// Every relation that a rewrite names, with the one that leads to its object.
fn steps(rewrite: &Rewrite) -> Vec<(Option<&SmolStr>, &SmolStr)> {
    let (mut found, mut open) = (Vec::new(), vec![rewrite]);
    while let Some(rewrite) = open.pop() {
        match rewrite {
            Rewrite::This => {}
            Rewrite::Computed(relation) => found.push((None, relation)),
            Rewrite::TupleToUserset { tupleset, computed } => found.push((Some(tupleset), computed)),
            Rewrite::Union(operands) | Rewrite::Intersection(operands) => open.extend(operands),
            Rewrite::Difference(base, subtracted) => open.extend([base.as_ref(), subtracted.as_ref()]),
        }
    }
    found
}

fn unused_relations(linking: &Linking, model: &RelationModel, used: &HashSet<Relation<'_>>, found: &mut Findings<'_>) {
    let linked: HashSet<&SmolStr> = linking.linked_types().map(|(_, ty)| ty).collect();
    for ty in model.model().types.iter().filter(|ty| linked.contains(&ty.name)) {
        for relation in ty.relations.iter().filter(|of| !used.contains(&(ty.name.as_str(), of.name.as_str()))) {
            found.take(Lint::UnusedRelation, None, || {
                let message = format!(
                    "no policy asks for `{}#{}`, and no relation that one asks for needs it",
                    ty.name, relation.name
                );
                let place = place_in(model, &ty.name, Some(&relation.name), message);
                let mut problem = Problem::warning(Lint::UnusedRelation.name(), place.message);
                (problem.file, problem.line, problem.column) = (place.file, place.line, place.column);
                problem.length = u32::try_from(relation.name.chars().count()).ok();
                problem.with_hint("delete it, or switch this lint off when other programs ask for relations directly")
            });
        }
    }
}
