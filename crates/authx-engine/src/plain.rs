//! Conditions that are plain: told from the rows as they are stored, without building entities for the evaluator.
//!
//! Plain are booleans, numbers, texts, entities, how they compare, what has what and what is in what. Only what surely
//! comes to true or false is told here; what errs, and all else of the language, is left to Cedar's evaluator. That
//! both say the same is held by tests against Cedar's authorizer.

use std::cell::OnceCell;

use smol_str::SmolStr;

use crate::cedar::{BinaryOp, EntityUID, Expr, ExprKind, Literal, UnaryOp, ValueKind, Var};
use crate::entity::EntityRow;
use crate::evaluate::Question;
use crate::facts::Facts;
use crate::named::{Named, same};

/// Members of a set, times ancestors where that is asked, that are looked through; Cedar hashes larger ones.
const FEW: usize = 256;

/// What the conditions of one request's candidates are told from.
pub(crate) struct Plain<'a> {
    question: &'a Question<'a>,
    facts: Option<&'a Facts<'a>>,
    /// Of the principal and the resource, once a condition reads them.
    rows: [OnceCell<Option<&'a EntityRow>>; 2],
}

/// A value that can be compared without an error.
#[derive(Clone, Copy)]
enum Told<'a> {
    Bool(bool),
    Long(i64),
    Text(&'a str),
    Entity(&'a EntityUID),
    /// A set, a record, or of an extension.
    Other(&'a ValueKind),
    Context,
}

/// It is Cedar's evaluator that can say.
struct NotPlain;

impl<'a> Plain<'a> {
    pub(crate) fn new(question: &'a Question<'a>, facts: Option<&'a Facts<'a>>) -> Self {
        Self { question, facts, rows: Default::default() }
    }

    /// Whether a condition holds, if that is told here.
    pub(crate) fn holds(&self, condition: &'a Expr) -> Option<bool> {
        match self.value(condition)? {
            Told::Bool(holds) => Some(holds),
            Told::Long(_) | Told::Text(_) | Told::Entity(_) | Told::Other(_) | Told::Context => None,
        }
    }

    fn value(&self, expr: &'a Expr) -> Option<Told<'a>> {
        match expr.expr_kind() {
            ExprKind::Lit(literal) => Some(told(literal)),
            ExprKind::Var(Var::Principal) => Some(Told::Entity(self.question.roots.principal)),
            ExprKind::Var(Var::Action) => Some(Told::Entity(self.question.roots.action)),
            ExprKind::Var(Var::Resource) => Some(Told::Entity(self.question.roots.resource)),
            ExprKind::Var(Var::Context) => Some(Told::Context),
            ExprKind::If { test_expr, then_expr, else_expr } => {
                self.value(if self.holds(test_expr)? { then_expr } else { else_expr })
            }
            ExprKind::And { left, right } => Some(Told::Bool(self.holds(left)? && self.holds(right)?)),
            ExprKind::Or { left, right } => Some(Told::Bool(self.holds(left)? || self.holds(right)?)),
            ExprKind::UnaryApp { op: UnaryOp::Not, arg } => Some(Told::Bool(!self.holds(arg)?)),
            ExprKind::BinaryApp { op, arg1, arg2 } => self.binary(*op, arg1, arg2).map(Told::Bool),
            ExprKind::GetAttr { expr, attr } => self.attribute(self.value(expr)?, attr).ok()?,
            ExprKind::HasAttr { expr, attr } => {
                Some(Told::Bool(self.attribute(self.value(expr)?, attr).ok()?.is_some()))
            }
            ExprKind::ExtHasAttr { expr, attrs } => {
                let mut at = self.value(expr)?;
                for attr in attrs {
                    let Some(next) = self.attribute(at, attr).ok()? else { return Some(Told::Bool(false)) };
                    at = next;
                }
                Some(Told::Bool(true))
            }
            ExprKind::Is { expr, entity_type } => match self.value(expr)? {
                Told::Entity(uid) => Some(Told::Bool(uid.entity_type() == entity_type)),
                Told::Bool(_) | Told::Long(_) | Told::Text(_) | Told::Other(_) | Told::Context => None,
            },
            ExprKind::Like { expr, pattern } => match self.value(expr)? {
                Told::Text(text) => Some(Told::Bool(pattern.wildcard_match(text))),
                Told::Bool(_) | Told::Long(_) | Told::Entity(_) | Told::Other(_) | Told::Context => None,
            },
            ExprKind::UnaryApp { .. }
            | ExprKind::ExtensionFunctionApp { .. }
            | ExprKind::Set(_)
            | ExprKind::Record(_)
            | ExprKind::Slot(_)
            | ExprKind::Unknown(_) => None,
        }
    }

    fn binary(&self, op: BinaryOp, left: &'a Expr, right: &'a Expr) -> Option<bool> {
        let left = self.value(left)?;
        match (op, left) {
            (BinaryOp::Eq, left) => equal(left, self.value(right)?),
            (BinaryOp::Less, Told::Long(left)) => Some(left < long(self.value(right)?)?),
            (BinaryOp::LessEq, Told::Long(left)) => Some(left <= long(self.value(right)?)?),
            (BinaryOp::In, Told::Entity(uid)) => self.within(uid, right),
            (BinaryOp::Contains, Told::Other(ValueKind::Set(set))) if set.authoritative.len() <= FEW => {
                let wanted = self.value(right)?;
                let mut found = Some(false);
                for member in set.authoritative.iter() {
                    found = Some(found? || equal(of(&member.value), wanted)?);
                }
                found
            }
            _ => None,
        }
    }

    fn within(&self, uid: &EntityUID, right: &'a Expr) -> Option<bool> {
        if let ExprKind::Set(items) = right.expr_kind() {
            let groups: Option<Vec<_>> = items.iter().map(|item| entity(self.value(item)?)).collect();
            return self.is_in(uid, groups?.into_iter());
        }
        match self.value(right)? {
            Told::Entity(group) => self.is_in(uid, std::iter::once(group)),
            Told::Other(ValueKind::Set(set)) if set.authoritative.len() <= FEW => {
                let groups = set.authoritative.iter().map(|member| entity(of(&member.value)));
                // All of them must be entities, whichever it is in.
                let all = groups.clone().all(|group| group.is_some());
                if all { self.is_in(uid, groups.flatten()) } else { None }
            }
            Told::Bool(_) | Told::Long(_) | Told::Text(_) | Told::Other(_) | Told::Context => None,
        }
    }

    /// Whether an entity is one of these or in one of them.
    fn is_in(&self, uid: &EntityUID, mut groups: impl Iterator<Item = &'a EntityUID> + Clone) -> Option<bool> {
        if groups.clone().any(|group| same(group, uid)) {
            return Some(true);
        }
        let (_, ancestors) = self.question.ancestors.iter().find(|(known, _)| same(known, uid))?;
        if ancestors.len().saturating_mul(groups.clone().count()) > FEW {
            return None;
        }
        Some(groups.any(|group| ancestors.contains(&Named::from(group))))
    }

    /// An attribute of an entity, or what is under a key of a record: whether there is one, and its value.
    fn attribute(&self, of_value: Told<'a>, name: &SmolStr) -> Result<Option<Told<'a>>, NotPlain> {
        match of_value {
            Told::Entity(uid) if self.question.view.graph.is_some_and(|graph| same(graph.linking.hidden(), uid)) => {
                let holds = self.facts.and_then(|facts| facts.holds(name));
                holds.map(|holds| Some(Told::Bool(holds))).ok_or(NotPlain)
            }
            Told::Entity(uid) if uid.is_action() => Err(NotPlain),
            Told::Entity(uid) => Ok(self.row(uid).and_then(|row| row.attribute(name)).map(of)),
            Told::Other(ValueKind::Record(record)) => Ok(record.get(name).map(|value| of(&value.value))),
            Told::Context => Ok(self.question.roots.context.get(name).map(|value| of(&value.value))),
            Told::Bool(_) | Told::Long(_) | Told::Text(_) | Told::Other(_) => Err(NotPlain),
        }
    }

    fn row(&self, uid: &EntityUID) -> Option<&'a EntityRow> {
        let find = || self.question.view.row(uid).map(AsRef::as_ref);
        let known = self.question.ancestors.iter().zip(&self.rows).find(|((known, _), _)| same(known, uid));
        known.map_or_else(find, |(_, row)| *row.get_or_init(find))
    }
}

fn told(literal: &Literal) -> Told<'_> {
    match literal {
        Literal::Bool(value) => Told::Bool(*value),
        Literal::Long(value) => Told::Long(*value),
        Literal::String(text) => Told::Text(text),
        Literal::EntityUID(uid) => Told::Entity(uid),
    }
}

fn of(value: &ValueKind) -> Told<'_> {
    match value {
        ValueKind::Lit(literal) => told(literal),
        ValueKind::Set(_) | ValueKind::Record(_) | ValueKind::ExtensionValue(_) => Told::Other(value),
    }
}

/// Values of two kinds are different; what sets, records and extensions come to is not told here.
fn equal(a: Told<'_>, b: Told<'_>) -> Option<bool> {
    match (a, b) {
        (Told::Other(_) | Told::Context, _) | (_, Told::Other(_) | Told::Context) => None,
        (Told::Bool(a), Told::Bool(b)) => Some(a == b),
        (Told::Long(a), Told::Long(b)) => Some(a == b),
        (Told::Text(a), Told::Text(b)) => Some(a == b),
        (Told::Entity(a), Told::Entity(b)) => Some(same(a, b)),
        (Told::Bool(_) | Told::Long(_) | Told::Text(_) | Told::Entity(_), _) => Some(false),
    }
}

fn long(value: Told<'_>) -> Option<i64> {
    match value {
        Told::Long(value) => Some(value),
        Told::Bool(_) | Told::Text(_) | Told::Entity(_) | Told::Other(_) | Told::Context => None,
    }
}

fn entity(value: Told<'_>) -> Option<&EntityUID> {
    match value {
        Told::Entity(uid) => Some(uid),
        Told::Bool(_) | Told::Long(_) | Told::Text(_) | Told::Other(_) | Told::Context => None,
    }
}
