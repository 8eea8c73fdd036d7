//! What every question needs: the budget, and whether a tuple counts.

use serde_json::{Map, Value as Json};
use smol_str::SmolStr;

use crate::relation::condition::{MAX_COST, Outcome};
use crate::relation::edge::{Edge, NONE, Node, STAR};
use crate::relation::rules::{Kind, RelationId, RelationModel, RelationRules, TypeId};
use crate::relation::tuples::Tuples;

use super::{Asking, Bound, GraphError, Relations};

/// What is known of a claim (Kleene's three values).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    True,
    False,
    /// It leads back to itself, a condition failed, or a bound was hit.
    Unknown,
}

impl Truth {
    pub(super) fn is_settled(self) -> bool {
        matches!(self, Self::True | Self::False)
    }

    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::True, _) | (_, Self::True) => Self::True,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::False, Self::False) => Self::False,
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::True, Self::True) => Self::True,
        }
    }

    pub(super) fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// Steps of an evaluation that are one step of a question.
const EVALUATION_STEPS: u64 = 10;

/// One question on its way.
pub(super) struct Walk<'a> {
    pub(super) model: &'a RelationModel,
    pub(super) tuples: &'a Tuples,
    pub(super) bound: &'a Bound,
    pub(super) asking: &'a Asking<'a>,
    steps: u64,
    /// Why something is undetermined: the first reason.
    failure: Option<GraphError>,
    exhausted: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(relations: &'a Relations<'a>, asking: &'a Asking<'a>) -> Self {
        let (model, tuples, bound) = (relations.model, &*relations.tuples, &*relations.bound);
        Self { model, tuples, bound, asking, steps: 0, failure: None, exhausted: false }
    }

    /// Counts a step; false when there are none left.
    pub(super) fn step(&mut self) -> bool {
        self.steps += 1;
        if self.steps > self.asking.limits.steps {
            self.exhausted = true;
            self.fail(GraphError::TooMuchWork { limit: self.asking.limits.steps });
        }
        !self.exhausted
    }

    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    pub(super) fn spend(&mut self, steps: u64) {
        self.steps += steps;
    }

    pub(super) fn fail(&mut self, reason: GraphError) -> Truth {
        let bound = matches!(reason, GraphError::TooMuchWork { .. } | GraphError::TooDeep { .. });
        if self.failure.is_none() || bound {
            self.failure = Some(reason);
        }
        Truth::Unknown
    }

    pub(super) fn too_deep(&mut self) -> Truth {
        self.fail(GraphError::TooDeep { limit: self.asking.limits.depth })
    }

    /// Why something is undetermined, if it is more than a cycle.
    pub(super) fn take_failure(&mut self) -> Option<GraphError> {
        self.failure.take()
    }

    pub(super) fn out_of_work(&self) -> GraphError {
        GraphError::TooMuchWork { limit: self.asking.limits.steps }
    }

    pub(super) fn type_of(&self, node: Node) -> Option<TypeId> {
        self.bound.type_of(self.tuples.names.type_of(node))
    }

    /// What a forward edge's subject is to the model, and its type.
    pub(super) fn kind(&self, edge: Edge) -> Option<(TypeId, Kind)> {
        let type_id = self.type_of(edge.node())?;
        let kind = match edge.minor() {
            NONE => Kind::Object,
            STAR => Kind::Wildcard,
            relation => Kind::Userset(self.model.relation_of(type_id, self.tuples.symbols.name(relation))?),
        };
        Some((type_id, kind))
    }

    /// Whether a tuple counts: it is admitted, and its condition holds.
    pub(super) fn counts(
        &mut self,
        rules: &RelationRules,
        object: Node,
        edge: Edge,
        type_id: TypeId,
        kind: Kind,
    ) -> Truth {
        let (name, stored) =
            match admits(self.model, self.tuples, self.asking.now, rules, (object, edge), type_id, kind) {
                Admitted::No => return Truth::False,
                Admitted::Yes => return Truth::True,
                Admitted::If(name, stored) => (name, stored),
            };
        let evaluated =
            self.model.condition(name).map(|compiled| compiled.evaluate(self.asking.context, stored, MAX_COST));
        // A question may come to as many conditions as there are tuples: their work is the question's.
        self.spend(evaluated.as_ref().map_or(0, |evaluated| evaluated.cost) / EVALUATION_STEPS);
        let (condition, tuple) = (name.to_string(), || self.tuples.tuple(object, edge).key.to_string());
        let reason = match evaluated.map(|evaluated| evaluated.outcome) {
            Some(Outcome::True) => return Truth::True,
            Some(Outcome::False) | None => return Truth::False,
            Some(Outcome::Missing(parameters)) => {
                let parameters = parameters.iter().map(ToString::to_string).collect();
                GraphError::MissingParameters { condition, tuple: tuple(), parameters }
            }
            Some(Outcome::Failed(problem)) => GraphError::ConditionFailed { condition, tuple: tuple(), problem },
        };
        self.fail(reason)
    }

    pub(super) fn rules(&self, relation: RelationId) -> Option<&'a RelationRules> {
        self.model.rules(relation)
    }
}

/// Whether a tuple is one that the model of today allows and that has not expired.
pub(super) enum Admitted<'a> {
    No,
    Yes,
    /// If this condition holds, with these parameters stored beside it.
    If(&'a SmolStr, &'a Map<String, Json>),
}

pub(super) fn admits<'a>(
    model: &RelationModel,
    tuples: &'a Tuples,
    now: i64,
    rules: &RelationRules,
    (object, edge): (Node, Edge),
    type_id: TypeId,
    kind: Kind,
) -> Admitted<'a> {
    let side = if edge.has_side() { tuples.side(object, edge) } else { None };
    if edge.has_side() && side.is_none_or(|side| side.expired(now)) {
        return Admitted::No;
    }
    let Some((name, stored)) = side.and_then(|side| side.condition.as_ref()) else {
        return if rules.admits(type_id, kind, None) { Admitted::Yes } else { Admitted::No };
    };
    match model.condition_id(name) {
        Some(id) if rules.admits(type_id, kind, Some(id)) => Admitted::If(name, stored),
        Some(_) | None => Admitted::No,
    }
}
