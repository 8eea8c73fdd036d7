//! A relation model made ready for questions: numbers for names, and who depends on whom.

mod compile;
mod paths;

use std::collections::BTreeSet;

use smol_str::SmolStr;

use super::condition::CompiledCondition;
use super::model::Model;
use super::tuple::Tuple;
use crate::map::Table;

/// The number of a type of the model.
pub(crate) type TypeId = u16;
/// The number of a relation of one type of the model.
pub(crate) type RelationId = u16;
/// The number of a condition of the model.
pub(crate) type ConditionId = u16;

/// A model's text as its author gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSource {
    pub syntax: ModelSyntax,
    pub file: Option<String>,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelSyntax {
    /// OpenFGA's modelling language.
    Dsl,
    /// OpenFGA's JSON.
    Json,
}

/// An immutable relation model, validated and compiled.
#[derive(Debug)]
pub struct RelationModel {
    id: SmolStr,
    source: ModelSource,
    pub(crate) model: Model,
    pub(crate) types: Vec<TypeRules>,
    pub(crate) type_ids: Table<SmolStr, TypeId>,
    pub(crate) relations: Vec<RelationRules>,
    pub(crate) conditions: Vec<CompiledCondition>,
    condition_ids: Table<SmolStr, ConditionId>,
}

#[derive(Debug)]
pub(crate) struct TypeRules {
    pub(crate) relations: Table<SmolStr, RelationId>,
}

#[derive(Debug)]
pub(crate) struct RelationRules {
    pub(crate) type_id: TypeId,
    pub(crate) name: SmolStr,
    pub(crate) rule: Rule,
    /// In order, so that one is found among thousands.
    pub(crate) restrictions: Vec<Restriction>,
    /// The usersets among the restrictions, each once whatever its conditions.
    pub(crate) usersets: Vec<(RelationId, TypeId)>,
    /// Where a subject of this relation must come from: one operand of an intersection, the base of an exclusion.
    pub(crate) sources: Vec<Source>,
    /// Where a subject of this relation may be named: every operand of an intersection, because what comes from one may
    /// be everyone and is named by another.
    pub(crate) ways: Vec<Source>,
    /// Whether a tuple of its own is a source, and a certain one.
    pub(crate) this: Option<bool>,
    /// Where a subject of this relation leads: the relations that have it among their sources.
    pub(crate) leads: Vec<Lead>,
    /// Only tuples with plain objects and wildcards: no question about it asks another.
    pub(crate) leaf: bool,
    /// Its only way back to itself is by one of its own tuples, and all else are leaves: it is walked as a closure, so
    /// that its depth is not counted and a cycle in it is no cycle.
    pub(crate) recursive: bool,
}

/// A rewrite in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rule {
    This,
    Computed(RelationId),
    From(From),
    Union(Vec<Rule>),
    Intersection(Vec<Rule>),
    Difference(Box<Rule>, Box<Rule>),
}

/// `computed from tupleset`, by the type of the object that the tupleset names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct From {
    pub(crate) tupleset: RelationId,
    pub(crate) computed: SmolStr,
    pub(crate) targets: Vec<(TypeId, RelationId)>,
}

impl From {
    pub(crate) fn target(&self, type_id: TypeId) -> Option<RelationId> {
        self.targets.iter().find(|(of, _)| *of == type_id).map(|(_, relation)| *relation)
    }
}

impl RelationRules {
    /// Whether such a subject may stand in a tuple, with whatever condition.
    pub(crate) fn allows(&self, type_id: TypeId, kind: Kind) -> bool {
        let from = self.restrictions.partition_point(|r| (r.type_id, r.kind) < (type_id, kind));
        self.restrictions.get(from).is_some_and(|r| r.type_id == type_id && r.kind == kind)
    }

    /// Whether such a subject may stand in a tuple with this condition, or with none.
    pub(crate) fn admits(&self, type_id: TypeId, kind: Kind, condition: Option<ConditionId>) -> bool {
        self.restrictions.binary_search(&Restriction { type_id, kind, condition }).is_ok()
    }
}

/// What may stand as the subject of a tuple.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Restriction {
    pub(crate) type_id: TypeId,
    pub(crate) kind: Kind,
    pub(crate) condition: Option<ConditionId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Object,
    Wildcard,
    Userset(RelationId),
}

/// One way to a subject of a relation. `certain`: the subject has the relation; else it must be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) way: Way,
    pub(crate) certain: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    This,
    Computed(RelationId),
    From(From),
}

/// One step on from a relation that a subject has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lead {
    pub(crate) to: RelationId,
    pub(crate) step: Step,
    pub(crate) certain: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The same object.
    Computed,
    /// The objects that name this one by the tupleset.
    From { tupleset: RelationId },
    /// The objects whose tuples name this userset.
    Userset,
}

/// Why a tuple does not fit a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TupleProblem {
    #[error("type `{0}` is not in the model")]
    UnknownType(String),
    #[error("relation `{relation}` is not defined on type `{type_name}`")]
    UnknownRelation { type_name: String, relation: String },
    #[error("`{subject}` is not an allowed subject of `{type_name}#{relation}`")]
    NotAllowed { subject: String, type_name: String, relation: String },
    #[error("`{subject}` must carry {expected} as a subject of `{type_name}#{relation}`")]
    Condition { subject: String, type_name: String, relation: String, expected: String },
    #[error("condition `{0}` is not in the model")]
    UnknownCondition(String),
    #[error("the context of condition `{condition}`: {problem}")]
    Context { condition: String, problem: String },
    #[error("`*` is no object's id")]
    WildcardObject,
    #[error("the tuple says what holds of itself")]
    Implicit,
}

impl RelationModel {
    /// Its name: a ULID that the caller chose.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    #[must_use]
    pub fn source(&self) -> &ModelSource {
        &self.source
    }

    /// The model as its author wrote it.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// A condition of the model.
    #[must_use]
    pub fn condition(&self, name: &str) -> Option<&CompiledCondition> {
        self.condition_ids.get(name).and_then(|id| self.conditions.get(usize::from(*id)))
    }

    pub(crate) fn condition_id(&self, name: &str) -> Option<ConditionId> {
        self.condition_ids.get(name).copied()
    }

    pub(crate) fn type_id(&self, name: &str) -> Option<TypeId> {
        self.type_ids.get(name).copied()
    }

    /// Whether the model has a type of this name.
    #[must_use]
    pub fn has_type(&self, name: &str) -> bool {
        self.type_ids.contains_key(name)
    }

    pub(crate) fn type_name(&self, type_id: TypeId) -> Option<&SmolStr> {
        self.model.types.get(usize::from(type_id)).map(|ty| &ty.name)
    }

    /// The names of the types, in the order of their numbers.
    pub(crate) fn types(&self) -> impl Iterator<Item = &SmolStr> {
        self.model.types.iter().map(|definition| &definition.name)
    }

    /// The names of a type's relations.
    pub(crate) fn relations_of(&self, type_name: &str) -> impl Iterator<Item = &SmolStr> {
        let rules = self.type_id(type_name).and_then(|id| self.types.get(usize::from(id)));
        rules.into_iter().flat_map(|rules| rules.relations.keys())
    }

    /// The types whose objects a tuple may name as subjects, each or all.
    pub(crate) fn subject_types(&self) -> BTreeSet<SmolStr> {
        let restrictions = self.relations.iter().flat_map(|rules| &rules.restrictions);
        let plain = restrictions.filter(|restriction| !matches!(restriction.kind, Kind::Userset(_)));
        plain.filter_map(|restriction| self.type_name(restriction.type_id)).cloned().collect()
    }

    /// Whether the type has a relation of this name.
    #[must_use]
    pub fn has_relation(&self, type_name: &str, relation: &str) -> bool {
        self.relation(type_name, relation).is_some()
    }

    pub(crate) fn relation(&self, type_name: &str, relation: &str) -> Option<RelationId> {
        self.relation_of(self.type_id(type_name)?, relation)
    }

    pub(crate) fn relation_of(&self, type_id: TypeId, relation: &str) -> Option<RelationId> {
        self.types.get(usize::from(type_id))?.relations.get(relation).copied()
    }

    pub(crate) fn rules(&self, relation: RelationId) -> Option<&RelationRules> {
        self.relations.get(usize::from(relation))
    }

    /// Whether the model allows a tuple to be written.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_tuple(&self, tuple: &Tuple) -> Result<(), TupleProblem> {
        let key = &tuple.key;
        if key.object.is_wildcard() {
            return Err(TupleProblem::WildcardObject);
        }
        if key.subject.object == key.object && key.subject.relation.as_ref() == Some(&key.relation) {
            return Err(TupleProblem::Implicit);
        }
        let type_name = || key.object.type_name.to_string();
        let relation_name = || key.relation.to_string();
        let type_id = self.type_id(&key.object.type_name).ok_or_else(|| TupleProblem::UnknownType(type_name()))?;
        let unknown = || TupleProblem::UnknownRelation { type_name: type_name(), relation: relation_name() };
        let relation = self.relation_of(type_id, &key.relation).ok_or_else(unknown)?;
        let subject = &key.subject;
        let subject_type = self
            .type_id(&subject.object.type_name)
            .ok_or_else(|| TupleProblem::UnknownType(subject.object.type_name.to_string()))?;
        let kind = match &subject.relation {
            Some(name) => Kind::Userset(self.relation_of(subject_type, name).ok_or_else(|| {
                let (type_name, relation) = (subject.object.type_name.to_string(), name.to_string());
                TupleProblem::UnknownRelation { type_name, relation }
            })?),
            None if subject.is_wildcard() => Kind::Wildcard,
            None => Kind::Object,
        };
        let restrictions = self.rules(relation).map(|rules| rules.restrictions.as_slice()).unwrap_or_default();
        let fitting: Vec<_> = restrictions.iter().filter(|r| r.type_id == subject_type && r.kind == kind).collect();
        if fitting.is_empty() {
            let subject = subject.to_string();
            return Err(TupleProblem::NotAllowed { subject, type_name: type_name(), relation: relation_name() });
        }
        let given = match &tuple.condition {
            None => None,
            Some(condition) => {
                let unknown = || TupleProblem::UnknownCondition(condition.name.to_string());
                Some(self.condition_id(&condition.name).ok_or_else(unknown)?)
            }
        };
        if !fitting.iter().any(|restriction| restriction.condition == given) {
            let name = |id: ConditionId| self.conditions.get(usize::from(id)).map_or("", |condition| condition.name());
            let expected: Vec<String> = fitting
                .iter()
                .map(|restriction| match restriction.condition {
                    Some(id) => format!("condition `{}`", name(id)),
                    None => "no condition".to_owned(),
                })
                .collect();
            return Err(TupleProblem::Condition {
                subject: subject.to_string(),
                type_name: type_name(),
                relation: relation_name(),
                expected: expected.join(" or "),
            });
        }
        if let Some(condition) = &tuple.condition
            && let Some(compiled) = self.condition(&condition.name)
        {
            compiled
                .check_context(&condition.context)
                .map_err(|problem| TupleProblem::Context { condition: condition.name.to_string(), problem })?;
        }
        Ok(())
    }
}
