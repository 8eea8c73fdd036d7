//! Questions about relations, answered from the store's model and tuples.

use std::time::{Duration, Instant};

use authx_engine::relation::{
    Asking, Checked, Expansion, GraphError, ObjectRef, RelationModel, Relations, SubjectRef, Tuple, TupleKey,
};
use authx_engine::{InputProblem, tuple_problems};
use serde_json::{Map, Value};

use crate::decisions::{Asked, Prepared, Record, Told};
use crate::keys::Grant;
use crate::pdp::{CheckError, Consistency, Pdp};
use crate::replica::{Current, OpenStore};

/// Whether a subject has a relation to an object.
#[derive(Debug, Clone)]
pub struct RelationQuestion {
    pub key: TupleKey,
    /// Parameters of conditions.
    pub context: Map<String, Value>,
    /// Tuples that hold for this question only.
    pub tuples: Vec<Tuple>,
    /// Tell the tuples that an allow follows from.
    pub explain: bool,
}

/// An answer and what it was made from.
#[derive(Debug)]
pub struct Answer<T> {
    pub value: T,
    pub revision: u64,
    pub release: Option<String>,
    pub token: String,
    pub warnings: Vec<String>,
}

/// Why a question about relations has no answer. Never an allow.
#[derive(Debug, thiserror::Error)]
pub enum RelationError {
    /// The snapshot that was asked for cannot be had.
    #[error(transparent)]
    Snapshot(#[from] CheckError),
    #[error("the store has no relation model")]
    NoModel,
    #[error("the question does not fit the model")]
    Invalid { problems: Vec<InputProblem> },
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl Pdp {
    /// Whether a subject has a relation to an object.
    ///
    /// # Errors
    /// When the question does not fit the model, its answer is undetermined, or the freshness cannot be had.
    pub async fn relations_check(
        &self,
        store: &OpenStore,
        caller: &Grant,
        question: RelationQuestion,
        consistency: &Consistency,
    ) -> Result<Answer<Checked>, RelationError> {
        let (current, warning) = self.current(store, consistency).await?;
        let begun = Instant::now();
        let (model, relations) = active(&current)?;
        let key = &question.key;
        let mut problems = question_problems(model, Some((&key.object, &key.relation)), Some(&key.subject));
        problems.extend(tuple_problems(Some(model), &question.tuples, self.limits.request_tuples));
        refuse(problems)?;
        let now = self.time_of(&current).as_millis();
        let asking = Asking { context: &question.context, now, limits: self.limits.graph };
        let relations = relations.with(&question.tuples).map_err(GraphError::from)?;
        let checked = relations.check(key, &asking, question.explain)?;
        let answer = told(&current, checked, warning);
        let allowed = answer.value.allowed;
        let record = self.relation_record(store, caller, &current, &question, allowed, begun.elapsed());
        self.record(store, record).await?;
        Ok(answer)
    }

    /// What is recorded of an answer to a question about a relation before it is told.
    #[must_use]
    pub fn relation_record(
        &self,
        store: &OpenStore,
        caller: &Grant,
        current: &Current,
        question: &RelationQuestion,
        allowed: bool,
        latency: Duration,
    ) -> Option<Prepared> {
        let RelationQuestion { key, context, tuples, explain: _ } = question;
        self.decisions.prepare(
            store.scope().tenant(),
            &Record {
                id: self.clock.ulid(),
                store: store.scope().store(),
                asked: Asked::Relation { key, context, tuples },
                told: Told::Relation { allowed, revision: current.revision().0, release: current.release_id() },
                latency,
                caller: &caller.actor,
            },
        )
    }

    /// One level of who has a relation to an object.
    ///
    /// # Errors
    /// When the model lacks the type or the relation, or the freshness cannot be had.
    pub async fn relations_expand(
        &self,
        store: &OpenStore,
        object: &ObjectRef,
        relation: &str,
        consistency: &Consistency,
    ) -> Result<Answer<Expansion>, RelationError> {
        let (current, warning) = self.current(store, consistency).await?;
        let (model, relations) = active(&current)?;
        refuse(question_problems(model, Some((object, relation)), None))?;
        let asking =
            Asking { context: &Map::new(), now: self.time_of(&current).as_millis(), limits: self.limits.graph };
        let expansion = relations.expand(object, relation, &asking)?;
        Ok(told(&current, expansion, warning))
    }
}

fn active(current: &Current) -> Result<(&RelationModel, Relations<'_>), RelationError> {
    let snapshot = &current.snapshot;
    let model = snapshot.release().and_then(|release| release.model());
    model.map(AsRef::as_ref).zip(snapshot.relations()).ok_or(RelationError::NoModel)
}

fn told<T>(current: &Current, value: T, warning: Option<String>) -> Answer<T> {
    Answer {
        value,
        revision: current.revision().0,
        release: current.release_id().map(str::to_owned),
        token: current.token.clone(),
        warnings: warning.into_iter().collect(),
    }
}

fn refuse(problems: Vec<InputProblem>) -> Result<(), RelationError> {
    if problems.is_empty() { Ok(()) } else { Err(RelationError::Invalid { problems }) }
}

fn problem(pointer: &str, code: &'static str, message: String) -> InputProblem {
    InputProblem { pointer: pointer.to_owned(), code, message }
}

/// What the model does not know of a question: its object and relation, and its subject.
pub(crate) fn question_problems(
    model: &RelationModel,
    object: Option<(&ObjectRef, &str)>,
    subject: Option<&SubjectRef>,
) -> Vec<InputProblem> {
    let mut problems = object.map(|(object, relation)| object_problems(model, object, relation)).unwrap_or_default();
    problems.extend(subject.and_then(|subject| subject_problem(model, subject)));
    problems
}

fn object_problems(model: &RelationModel, object: &ObjectRef, relation: &str) -> Vec<InputProblem> {
    let type_name = object.type_name.as_str();
    let mut problems = Vec::new();
    if object.is_wildcard() {
        let message = format!("`{object}` is not one object: ask about each");
        problems.push(problem("/object", "wildcard_object", message));
    }
    if !model.has_type(type_name) {
        problems.push(problem("/object", "unknown_type", GraphError::UnknownType(type_name.to_owned()).to_string()));
    } else if !model.has_relation(type_name, relation) {
        problems.push(problem("/relation", "unknown_relation", unknown_relation(type_name, relation)));
    }
    problems
}

fn subject_problem(model: &RelationModel, subject: &SubjectRef) -> Option<InputProblem> {
    let type_name = subject.object.type_name.as_str();
    if !model.has_type(type_name) {
        return Some(problem("/subject", "unknown_type", GraphError::UnknownType(type_name.to_owned()).to_string()));
    }
    let relation = subject.relation.as_deref().filter(|relation| !model.has_relation(type_name, relation))?;
    Some(problem("/subject", "unknown_relation", unknown_relation(type_name, relation)))
}

fn unknown_relation(type_name: &str, relation: &str) -> String {
    GraphError::UnknownRelation { type_name: type_name.to_owned(), relation: relation.to_owned() }.to_string()
}
