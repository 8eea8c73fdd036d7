//! Whether a model makes sense: as strict as an OpenFGA server, and as its language tools where they are stricter
//! without refusing what a server takes; the rest of what those refuse is a warning here.
//!
//! The expressions of conditions are not looked at.

mod expressible;
mod names;
mod reachable;
mod references;

use std::collections::{HashMap, HashSet};

use super::model::{Model, RelationDefinition, RestrictionKind, Source, TypeDefinition, TypeRestriction};
use super::place::placed;
use crate::problem::Problem;

/// How many types a model has at most, unless [`Rules`] say otherwise.
pub const MAX_TYPES: usize = 100;

/// More findings than this help nobody.
const MAX_PROBLEMS: usize = 100;

/// What an operator can choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    pub max_types: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self { max_types: MAX_TYPES }
    }
}

/// Everything that is wrong with `model`; it may be used when none of it is an error.
#[must_use]
pub fn validate(model: &Model) -> Vec<Problem> {
    validate_with(model, Rules::default())
}

/// As [`validate`], with the limits of `rules`.
#[must_use]
pub fn validate_with(model: &Model, rules: Rules) -> Vec<Problem> {
    let mut problems = names::check(model, rules);
    // What follows looks names up and walks from relation to relation: only in a model where that is sound.
    if !problems.iter().any(Problem::is_error) {
        let index = Index::new(model);
        references::check(model, &index, &mut problems);
        if !problems.iter().any(Problem::is_error) {
            reachable::check(model, &index, &mut problems);
        }
        expressible::check(model, &mut problems);
    }
    problems.sort_by_key(|problem| !problem.is_error());
    problems.truncate(MAX_PROBLEMS);
    problems
}

/// Types and relations by name.
struct Index<'a> {
    types: HashMap<&'a str, TypeEntry<'a>>,
}

struct TypeEntry<'a> {
    /// The number of the type's first relation, counted through the whole model.
    first: usize,
    relations: HashMap<&'a str, RelationEntry<'a>>,
}

struct RelationEntry<'a> {
    /// Its place in the type.
    place: usize,
    definition: &'a RelationDefinition,
    /// The types that it takes, if they are defined, each once: a hostile model asks for them again and again.
    types: HashSet<&'a str>,
    /// A restriction that keeps it from standing after `from`.
    unfit: Option<&'a TypeRestriction>,
}

impl<'a> RelationEntry<'a> {
    fn new(place: usize, definition: &'a RelationDefinition, known: &HashSet<&str>) -> Self {
        let restrictions = &definition.restrictions;
        let types = restrictions.iter().map(|restriction| restriction.type_name.as_str());
        let types = types.filter(|name| known.contains(name)).collect();
        let unfit = restrictions.iter().find(|restriction| restriction.kind != RestrictionKind::Object);
        Self { place, definition, types, unfit }
    }
}

impl<'a> Index<'a> {
    fn new(model: &'a Model) -> Self {
        let known = model.types.iter().map(|definition| definition.name.as_str()).collect();
        let mut first = 0;
        let mut types = HashMap::new();
        for definition in &model.types {
            let relations = definition.relations.iter().enumerate();
            let relations = relations.map(|(i, r)| (r.name.as_str(), RelationEntry::new(i, r, &known))).collect();
            types.insert(definition.name.as_str(), TypeEntry { first, relations });
            first += definition.relations.len();
        }
        Self { types }
    }

    fn has_type(&self, name: &str) -> bool {
        self.types.contains_key(name)
    }

    fn relation(&self, type_name: &str, name: &str) -> Option<&RelationEntry<'a>> {
        self.types.get(type_name)?.relations.get(name)
    }

    /// The relation's number, counted through the whole model.
    fn number(&self, type_name: &str, name: &str) -> Option<usize> {
        let entry = self.types.get(type_name)?;
        entry.relations.get(name).map(|relation| entry.first + relation.place)
    }
}

/// A problem of a type.
fn of_type(definition: &TypeDefinition, problem: Problem) -> Problem {
    placed(problem, &definition.source, &definition.name)
}

/// A problem of a relation: its file is the type's unless an extension brought it.
fn of_relation(definition: &TypeDefinition, relation: &RelationDefinition, problem: Problem) -> Problem {
    placed(problem, &source_of(definition, relation), &relation.name)
}

fn source_of(definition: &TypeDefinition, relation: &RelationDefinition) -> Source {
    let mut source = relation.source.clone();
    if source.module.is_none() && source.file.is_none() {
        source.module.clone_from(&definition.source.module);
        source.file.clone_from(&definition.source.file);
    }
    source
}
