//! Questions about relations: check, list objects, list users, expand.
//!
//! Every answer is of one model on the tuples of one revision. Truth has three values: a tuple's condition that cannot
//! be evaluated or a bound that is hit makes a branch undetermined, and only a question whose answer hangs on such a
//! branch fails. A branch that leads back to itself has no answer of its own, and what hangs on it is denied.

mod bound;
mod check;
mod closure;
mod direct;
mod expand;
mod list_objects;
mod list_users;
mod walk;

use serde_json::{Map, Value as Json};
use smol_str::SmolStr;

use super::edge::Node;
use super::rules::{RelationId, RelationModel, Rule, TypeId};
use super::tuple::{ObjectRef, SubjectRef, Tuple, TupleKey};
use super::tuples::{TooManyNames, Tuples};
pub use bound::Bound;
use check::{Check, Subject};
pub(crate) use direct::Direct;
pub use expand::{Expansion, Leaf};
pub(crate) use list_objects::Targets;
pub use list_users::{FoundUser, UserFilter};

/// How far a question may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GraphLimits {
    /// Steps from one object to another on the way to an answer.
    pub depth: u32,
    /// Tuples, relations and operands looked at; ten steps of a condition are one.
    pub steps: u64,
    /// Parts of an expansion, and subjects in them.
    pub leaves: u64,
}

impl Default for GraphLimits {
    fn default() -> Self {
        Self { depth: 25, steps: 500_000, leaves: 100_000 }
    }
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    #[error("the answer is more than {limit} steps away")]
    TooDeep { limit: u32 },
    #[error("the question takes more than {limit} steps of work")]
    TooMuchWork { limit: u64 },
    #[error("the expansion has more than {limit} parts and subjects: list the users instead")]
    TooManyLeaves { limit: u64 },
    #[error("condition `{condition}` of tuple `{tuple}` misses context parameters: {}", parameters.join(", "))]
    MissingParameters { condition: String, tuple: String, parameters: Vec<String> },
    #[error("condition `{condition}` of tuple `{tuple}` failed: {problem}")]
    ConditionFailed { condition: String, tuple: String, problem: String },
    #[error("type `{0}` is not in the model")]
    UnknownType(String),
    #[error("relation `{relation}` is not defined on type `{type_name}`")]
    UnknownRelation { type_name: String, relation: String },
    #[error(transparent)]
    TooManyNames(#[from] TooManyNames),
}

impl GraphError {
    /// Whether a bound was hit; a larger one might give an answer.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        match self {
            Self::TooDeep { .. } | Self::TooMuchWork { .. } | Self::TooManyLeaves { .. } | Self::TooManyNames(_) => {
                true
            }
            Self::MissingParameters { .. }
            | Self::ConditionFailed { .. }
            | Self::UnknownType(_)
            | Self::UnknownRelation { .. } => false,
        }
    }
}

/// What holds for one request only.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Parameters of conditions.
    pub context: &'a Map<String, Json>,
    /// Milliseconds since 1970, for tuples that expire.
    pub now: i64,
    pub limits: GraphLimits,
}

/// A model on the tuples of one revision, and of one request.
#[derive(Debug)]
pub struct Relations<'a> {
    model: &'a RelationModel,
    pub(in crate::relation) tuples: std::borrow::Cow<'a, Tuples>,
    bound: std::borrow::Cow<'a, Bound>,
}

/// An answer to a check.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    pub allowed: bool,
    /// The tuples that it follows from, if that was asked and it is allowed.
    pub path: Vec<Tuple>,
}

/// A list, and whether it is all there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    pub items: Vec<T>,
    /// False when the list was cut at the number that was asked for.
    pub complete: bool,
    /// A condition on the way that failed, though nothing in the list hangs on it.
    pub failed: Option<GraphError>,
}

/// How a list ended that was told one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// False when it was told to stop.
    pub complete: bool,
    /// A condition on the way that failed, though nothing in the list hangs on it.
    pub failed: Option<GraphError>,
}

impl<'a> Relations<'a> {
    /// The stored tuples; `bound` must be of this model and these tuples.
    #[must_use]
    pub fn new(model: &'a RelationModel, tuples: &'a Tuples, bound: &'a Bound) -> Self {
        Self { model, tuples: std::borrow::Cow::Borrowed(tuples), bound: std::borrow::Cow::Borrowed(bound) }
    }

    /// These tuples and those of a request, which stand in for stored ones of the same key.
    ///
    /// # Errors
    /// When there are too many names.
    pub fn with(self, contextual: &[Tuple]) -> Result<Self, TooManyNames> {
        if contextual.is_empty() {
            return Ok(self);
        }
        let tuples = self.tuples.changed(&[], contextual)?;
        let bound = Bound::new(self.model, &tuples);
        let (tuples, bound) = (std::borrow::Cow::Owned(tuples), std::borrow::Cow::Owned(bound));
        Ok(Self { model: self.model, tuples, bound })
    }

    pub(crate) fn relation(&self, type_name: &str, relation: &str) -> Result<RelationId, GraphError> {
        let unknown_type = || GraphError::UnknownType(type_name.to_owned());
        self.relation_of(self.model.type_id(type_name).ok_or_else(unknown_type)?, relation)
    }

    /// Whether a subject has a relation to an object. `explain` asks for the tuples that it follows from.
    ///
    /// # Errors
    /// When the model lacks the type or the relation, or the answer is undetermined.
    pub fn check(&self, key: &TupleKey, asking: &Asking<'_>, explain: bool) -> Result<Checked, GraphError> {
        let relation = self.relation(&key.object.type_name, &key.relation)?;
        let subject = Subject::new(self, &key.subject, Some(&key.object));
        let mut check = Check::new(self, asking, subject, explain);
        let allowed = check.run(&key.object, relation)?;
        Ok(Checked { allowed, path: check.path(self) })
    }

    /// The objects of a type to which a subject has a relation, at most `limit`, in no particular order.
    ///
    /// # Errors
    /// When the model lacks the type or the relation, or the answer is undetermined.
    pub fn list_objects(
        &self,
        type_name: &str,
        relation: &str,
        subject: &SubjectRef,
        asking: &Asking<'_>,
        limit: usize,
    ) -> Result<Listed<ObjectRef>, GraphError> {
        let mut items = Vec::new();
        let Ended { complete, failed } = self.each_object(type_name, relation, subject, asking, &mut |object| {
            let room = items.len() < limit;
            if room {
                items.push(object);
            }
            room
        })?;
        Ok(Listed { items, complete, failed })
    }

    /// As [`Self::list_objects`], each as it is found; `found` says whether to go on.
    ///
    /// # Errors
    /// As [`Self::list_objects`], also after objects were found.
    pub fn each_object(
        &self,
        type_name: &str,
        relation: &str,
        subject: &SubjectRef,
        asking: &Asking<'_>,
        found: &mut dyn FnMut(ObjectRef) -> bool,
    ) -> Result<Ended, GraphError> {
        let relation = self.relation(type_name, relation)?;
        let targets = Targets::new(self.model, vec![relation]);
        let mut tell = |node| found(self.tuples.object(node));
        let (mut ended, steps) =
            list_objects::list(self, &targets, Subject::new(self, subject, None), asking, &mut tell)?;
        if ended.complete
            && let Some(own) = list_objects::own_object(self, relation, subject, asking, steps)?
        {
            ended.complete = found(own);
        }
        Ok(ended)
    }

    /// An object as a subject, whether tuples name it or not.
    pub(crate) fn subject(&self, type_id: TypeId, id: &str) -> Subject {
        Subject::plain(self, type_id, id)
    }

    /// The relations of an object that may be written as tuples and may give another of its relations.
    pub(crate) fn given_by(&self, type_name: &str, relation: &str) -> Vec<SmolStr> {
        let Some(relation) = self.model.relation(type_name, relation) else { return Vec::new() };
        let (mut given, mut seen) = (Vec::new(), vec![relation]);
        let mut next = 0;
        while let Some(relation) = seen.get(next).copied() {
            next += 1;
            let Some(rules) = self.model.rules(relation) else { continue };
            let mut open = vec![&rules.rule];
            while let Some(rule) = open.pop() {
                match rule {
                    Rule::This => given.push(rules.name.clone()),
                    Rule::Computed(other) if !seen.contains(other) => seen.push(*other),
                    Rule::Computed(_) | Rule::From(_) => {}
                    Rule::Union(parts) | Rule::Intersection(parts) => open.extend(parts),
                    Rule::Difference(base, _) => open.push(base),
                }
            }
        }
        given
    }

    /// An object that tuples may name.
    pub(crate) fn node(&self, type_id: TypeId, id: &str) -> Option<Node> {
        self.tuples.names.get(self.bound.symbol(type_id)?, id)
    }

    /// A relation of a type.
    ///
    /// # Errors
    /// When the type has none of this name.
    pub(crate) fn relation_of(&self, type_id: TypeId, relation: &str) -> Result<RelationId, GraphError> {
        self.model.relation_of(type_id, relation).ok_or_else(|| GraphError::UnknownRelation {
            type_name: self.model.type_name(type_id).map(ToString::to_string).unwrap_or_default(),
            relation: relation.to_owned(),
        })
    }

    /// Whether a subject has a relation to an object, which tuples may not name.
    pub(crate) fn holds(
        &self,
        subject: Subject,
        relation: RelationId,
        object: Option<Node>,
        asking: &Asking<'_>,
    ) -> Result<bool, GraphError> {
        Check::new(self, asking, subject, false).run_object(object, relation)
    }

    /// An object that tuples name as a subject.
    pub(crate) fn named(&self, node: Node) -> Subject {
        Subject::object(self, node)
    }

    /// The type of an object, if the model has it.
    pub(crate) fn type_of(&self, node: Node) -> Option<TypeId> {
        self.bound.type_of(self.tuples.names.type_of(node))
    }

    pub(crate) fn id(&self, node: Node) -> &str {
        self.tuples.names.id(node)
    }

    /// The objects to which a subject has one of several relations, each once, as it is found; `found` says whether to
    /// go on.
    pub(crate) fn each_target(
        &self,
        targets: &Targets,
        subject: Subject,
        asking: &Asking<'_>,
        found: &mut dyn FnMut(Node) -> bool,
    ) -> Result<(), GraphError> {
        list_objects::list(self, targets, subject, asking, found).map(|_| ())
    }

    /// The objects that tuples name as subjects of such a relation; `found` says whether to go on.
    pub(crate) fn each_direct_subject(
        &self,
        object: Node,
        relation: &Direct,
        asking: &Asking<'_>,
        found: &mut dyn FnMut(Node) -> bool,
    ) -> Result<(), GraphError> {
        direct::subjects(self, object, relation, asking, found)
    }

    /// The subjects of one kind that have a relation to an object, at most `limit`.
    ///
    /// # Errors
    /// When the model lacks a type or relation, or the answer is undetermined.
    pub fn list_users(
        &self,
        object: &ObjectRef,
        relation: &str,
        filter: &UserFilter,
        asking: &Asking<'_>,
        limit: usize,
    ) -> Result<Listed<FoundUser>, GraphError> {
        let relation = self.relation(&object.type_name, relation)?;
        list_users::list(self, object, relation, filter, asking, limit)
    }

    /// One level of who has a relation to an object: the rewrite with the tuples in it, unevaluated.
    ///
    /// # Errors
    /// When the model lacks the type or the relation, or the expansion is too large.
    pub fn expand(&self, object: &ObjectRef, relation: &str, asking: &Asking<'_>) -> Result<Expansion, GraphError> {
        let relation = self.relation(&object.type_name, relation)?;
        expand::expand(self, object, relation, asking)
    }
}
