//! Linking: which types of the schema are which types of the relation model.
//!
//! A link is written into the schema: `@rebac` or `@rebac("document")` on an entity type, `@members("member")` on one
//! whose members a relation tells, `@parents("parent")` on one whose containers a relation tells. From schema and model
//! follows the effective schema, which policies are validated against. Without a linked type nothing here applies.

mod declared;
mod effective;
mod facts;
mod graph;
mod ids;
mod reserved;
mod satisfiable;
mod subjects;

use std::collections::{BTreeMap, BTreeSet};

use smol_str::SmolStr;

use crate::cedar::{Eid, EntityType, EntityUID, FromNormalizedStr as _, Name};
use crate::map::Table;
use crate::mistakes::close_to;
use crate::problem::Problem;
use crate::relation::{Direct, RelationModel, Targets, TypeId, place_in};
use crate::scan::TextLimits;
use crate::schema::{Schema, SchemaSource, SchemaSyntax};

use declared::BadLink;
pub(crate) use declared::{DeclaredLink, declared_links, declared_name};
pub(crate) use facts::{Fact, Path, REL, Refused, Step, asks, compile as compile_facts, span_of};
pub(crate) use graph::{EntityGraph, GraphFailure};
pub use ids::percent_decoded;
pub(crate) use reserved::{
    CODE as RESERVED, check_head, context_problems, is_reserved_type, uid_problem, uid_reserved,
};
use satisfiable::Below;
pub(crate) use satisfiable::Ins;
use subjects::{container_types, member_types};

/// The links of a schema to a model, and the schema that follows from both.
#[derive(Debug)]
pub(crate) struct Linked {
    pub(crate) linking: Linking,
    pub(crate) effective: Schema,
    below: Below,
}

/// Linked types, by either name.
#[derive(Debug)]
pub(crate) struct Linking {
    types: Table<EntityType, TypeId>,
    /// By type of the model.
    by_model: Vec<Option<LinkedType>>,
    /// The relations that tell members.
    members: Targets,
    /// Relations of linked types, with the types that have them.
    relations: BTreeMap<SmolStr, Vec<SmolStr>>,
    /// By declared name: what the effective schema adds to a type's parents.
    parents: BTreeMap<String, BTreeSet<String>>,
    /// The types of the model that may be subjects.
    subjects: BTreeSet<SmolStr>,
    hidden: EntityUID,
}

/// An entity type that is a type of the model.
#[derive(Debug)]
pub(crate) struct LinkedType {
    ty: EntityType,
    type_id: TypeId,
    model_type: SmolStr,
    /// The relation whose subjects are its containers.
    containers: Option<Direct>,
    /// The relations that its annotations name.
    member_relation: Option<SmolStr>,
    container_relation: Option<SmolStr>,
    /// Whether it may be a member of anything.
    joins: bool,
}

/// What the effective schema adds to one type.
pub(crate) struct Additions<'a> {
    pub(crate) relations: Vec<&'a str>,
    pub(crate) parents: Vec<String>,
}

impl Linked {
    /// Links a schema to a model; `None` when the schema has no linked type.
    ///
    /// # Errors
    /// Every link that has no meaning, and what makes the effective schema impossible.
    pub(crate) fn new(
        schema: &Schema,
        model: Option<&RelationModel>,
        limits: &TextLimits,
    ) -> Result<Option<Self>, Vec<Problem>> {
        if schema.declared.is_empty() {
            return Ok(None);
        }
        let at = |bad: BadLink, model: Option<&RelationModel>| {
            let problem = schema.problem_at(&bad.type_name, bad.annotation, "invalid_link", bad.message);
            let Some(((ty, relation), model)) = bad.relation.zip(model) else { return problem };
            let known = model.has_relation(&ty, &relation);
            let what = if known { format!("`{ty}#{relation}`") } else { format!("type `{ty}`") };
            let message = format!("{what} of the model");
            problem.with_related(place_in(model, &ty, Some(&relation), message))
        };
        let Some(model) = model else {
            let first = schema.declared.first().map(|link| {
                link.bad("rebac", format!("`{}` is linked to a relation model, and the release has none", link.name))
            });
            let hint = "apply the model together with the schema";
            return Err(first.into_iter().map(|first| at(first, None).with_hint(hint)).collect());
        };
        let linking = Linking::new(&schema.declared, model)
            .map_err(|found| found.into_iter().map(|bad| at(bad, Some(model))).collect::<Vec<_>>())?;
        let json = schema.json().unwrap_or_default();
        if let Some((place, reserved)) = declared::reserved_name(&json) {
            return Err(vec![schema.problem_at(&place, None, RESERVED, reserved::message(&reserved))]);
        }
        let text = effective::effective(json, &linking)
            .map_err(|found| {
                let message = format!("`{}`: {}", found.type_name, found.message);
                vec![schema.problem_at(&found.type_name, None, "invalid_link", message)]
            })?
            .to_string();
        let source = SchemaSource { syntax: SchemaSyntax::Json, file: schema.source().file.clone(), text };
        let (effective, _) = Schema::compile(source, limits)?;
        let below = Below::new(&linking, &effective);
        Ok(Some(Self { linking, effective, below }))
    }
}

impl Linking {
    fn new(declared: &[DeclaredLink], model: &RelationModel) -> Result<Self, Vec<BadLink>> {
        let mut problems = Vec::new();
        let mut linked: Vec<(&DeclaredLink, EntityType, SmolStr)> = Vec::new();
        let mut by_name: Table<SmolStr, EntityType> = Table::default();
        for link in declared {
            match link.resolved(model) {
                Ok((ty, model_type)) => {
                    if let Some(other) = by_name.insert(model_type.clone(), ty.clone()) {
                        let message = format!("`{}` and `{other}` are both linked to `{model_type}`", link.name);
                        problems.push(link.bad("rebac", message));
                    }
                    linked.push((link, ty, model_type));
                }
                Err(bad) => problems.push(bad),
            }
        }
        let mut by_model: Vec<Option<LinkedType>> = model.types().map(|_| None).collect();
        let mut parents: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let (mut members, mut joining) = (Vec::new(), BTreeSet::new());
        let mut relations: BTreeMap<SmolStr, Vec<SmolStr>> = BTreeMap::new();
        for (link, ty, model_type) in &linked {
            let bad = |annotation, relation: &str, message| BadLink {
                relation: Some((model_type.clone(), relation.to_owned())),
                ..link.bad(annotation, message)
            };
            let find = |annotation, relation: &str| {
                let unknown =
                    || format!("`{}`: type `{model_type}` of the model has no relation `{relation}`", link.name);
                model.relation(model_type, relation).ok_or_else(|| bad(annotation, relation, unknown()))
            };
            let mut containers = None;
            let told: Result<(), BadLink> = (|| {
                if let Some(name) = &link.members {
                    let relation = find("members", name)?;
                    let who = member_types(model, relation)
                        .map_err(|why| bad("members", name, format!("@members(\"{name}\"): {why}")))?;
                    for member in who.iter().filter_map(|member| by_name.get(member)) {
                        parents.entry(member.to_string()).or_default().insert(link.name.clone());
                    }
                    joining.extend(who);
                    members.push(relation);
                }
                if let Some(name) = &link.parents {
                    let relation = find("parents", name)?;
                    let what = container_types(model, relation)
                        .map_err(|why| bad("parents", name, format!("@parents(\"{name}\"): {why}")))?;
                    for container in what.iter().filter_map(|container| by_name.get(container)) {
                        parents.entry(link.name.clone()).or_default().insert(container.to_string());
                    }
                    containers = Some(Direct::new(model, relation));
                }
                Ok(())
            })();
            problems.extend(told.err());
            for relation in model.relations_of(model_type) {
                relations.entry(relation.clone()).or_default().push(model_type.clone());
            }
            let type_id = model.type_id(model_type);
            if let Some((type_id, place)) = type_id.and_then(|id| Some((id, by_model.get_mut(usize::from(id))?))) {
                let (ty, model_type) = (ty.clone(), model_type.clone());
                let name = |relation: &Option<String>| relation.as_deref().map(SmolStr::new);
                let (member_relation, container_relation) = (name(&link.members), name(&link.parents));
                *place = Some(LinkedType {
                    ty,
                    type_id,
                    model_type,
                    containers,
                    member_relation,
                    container_relation,
                    joins: false,
                });
            }
        }
        for linked in by_model.iter_mut().flatten() {
            linked.joins = joining.contains(&linked.model_type);
        }
        let types = by_model.iter().flatten().map(|linked| (linked.ty.clone(), linked.type_id)).collect();
        let Ok(hidden) = Name::from_normalized_str("AuthX::Facts") else {
            let message = "the name of facts cannot be read".to_owned();
            return Err(vec![BadLink { type_name: String::new(), annotation: None, message, relation: None }]);
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            types,
            by_model,
            members: Targets::new(model, members),
            relations,
            parents,
            subjects: model.subject_types(),
            hidden: EntityUID::from_components(hidden.into(), Eid::new("of this request"), None),
        })
    }

    /// Whether a type is linked.
    pub(crate) fn has(&self, ty: &EntityType) -> bool {
        self.types.contains_key(ty)
    }

    /// What a linked type is to the model.
    pub(crate) fn linked(&self, ty: &EntityType) -> Option<&LinkedType> {
        self.by_model(*self.types.get(ty)?)
    }

    /// The entity type that a type of the model is.
    fn by_model(&self, type_id: TypeId) -> Option<&LinkedType> {
        self.by_model.get(usize::from(type_id))?.as_ref()
    }

    /// The type of the model that a linked type is.
    pub(crate) fn model_type(&self, ty: &EntityType) -> Option<&SmolStr> {
        self.linked(ty).map(|linked| &linked.model_type)
    }

    /// The relation that tells who is a member of a type's entities.
    pub(crate) fn members_of(&self, ty: &EntityType) -> Option<&SmolStr> {
        self.linked(ty)?.member_relation.as_ref()
    }

    /// The relation that tells what a type's entities are in.
    pub(crate) fn containers_of(&self, ty: &EntityType) -> Option<&SmolStr> {
        self.linked(ty)?.container_relation.as_ref()
    }

    /// Whether tuples may tell that entities of one linked type are in one of another.
    fn tells_parents(&self, child: &EntityType, parent: &EntityType) -> bool {
        self.parents.get(&child.to_string()).is_some_and(|parents| parents.contains(&parent.to_string()))
    }

    /// The entity whose attributes are the facts of a request.
    pub(crate) fn hidden(&self) -> &EntityUID {
        &self.hidden
    }

    fn has_relation(&self, relation: &str) -> bool {
        self.relations.contains_key(relation)
    }

    /// The relations that its annotations name, by type of the model.
    pub(crate) fn annotated(&self) -> impl Iterator<Item = (&SmolStr, &SmolStr)> {
        self.by_model.iter().flatten().flat_map(|linked| {
            let named = linked.member_relation.iter().chain(&linked.container_relation);
            named.map(|relation| (&linked.model_type, relation))
        })
    }

    /// The linked entity types, with the types of the model that they are.
    pub(crate) fn linked_types(&self) -> impl Iterator<Item = (&EntityType, &SmolStr)> {
        self.by_model.iter().flatten().map(|linked| (&linked.ty, &linked.model_type))
    }

    /// The relation that was probably meant, or those that there are.
    fn relation_meant(&self, relation: &str) -> String {
        let known: Vec<String> = self.relations.keys().map(ToString::to_string).collect();
        match close_to(relation, &known) {
            Some(close) => format!("did you mean `{close}`? {}", self.relations_told()),
            None => self.relations_told(),
        }
    }

    fn relations_told(&self) -> String {
        let told = self.relations.iter().map(|(relation, types)| format!("{relation} ({})", types.join(", ")));
        format!("there are: {}", told.collect::<Vec<_>>().join(", "))
    }

    /// What the effective schema adds to a type; nothing to one that is not linked.
    fn additions(&self, name: &str) -> Option<Additions<'_>> {
        let ty = EntityType::from(Name::from_normalized_str(name).ok()?);
        let linked = self.linked(&ty)?;
        let has = |types: &Vec<SmolStr>| types.contains(&linked.model_type);
        let relations = self.relations.iter().filter(|(_, types)| has(types)).map(|(name, _)| name.as_str());
        let mut parents: Vec<String> = self.parents.get(name).into_iter().flatten().cloned().collect();
        if self.subjects.contains(&linked.model_type) {
            parents.push(format!("{}::{}", facts::NAMESPACE, facts::USERSET));
        }
        Some(Additions { relations: relations.collect(), parents })
    }
}
