//! What an expression comes to whatever is asked, as far as its text and its policy's head tell.
//!
//! A part without variables is given to Cedar's own evaluator. Around such parts this knows what `&&`, `||`, `!`, `if`
//! and a few comparisons make of operands that are known, and of operands that are the same. It says nothing that a
//! request could show to be wrong: that is held by tests on random policies and requests.

use std::cell::OnceCell;

use crate::cedar::{
    BinaryOp, Context, Eid, Entities, EntityType, EntityUID, EntityUIDEntry, Evaluator, Expr, ExprKind,
    FromNormalizedStr as _, Literal, Name, PatternElem, Request, SlotEnv, UnaryOp, Value, ValueKind, Var, extensions,
};
use crate::condition::{alternatives, conjuncts, each_child};
use crate::scope::{ActionSide, Scope, Side, Target};

/// Operands of one chain that are compared with one another.
const MAX_COMPARED: usize = 32;

/// What is known of an expression.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// If it comes to a value, then to this one.
    pub(super) value: Option<Value>,
    pub(super) fails: Fails,
}

/// Whether evaluating ends in an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fails {
    Never,
    Perhaps,
    Always,
}

impl Told {
    const NOTHING: Self = Self { value: None, fails: Fails::Perhaps };
    const FAILURE: Self = Self { value: None, fails: Fails::Always };
    /// Some value, without an error.
    const SOUND: Self = Self { value: None, fails: Fails::Never };

    fn bool(value: bool, fails: Fails) -> Self {
        Self { value: Some(Value::from(value)), fails }
    }

    /// The only truth value that it can come to.
    pub(super) fn truth(&self) -> Option<bool> {
        match self.value.as_ref()?.value_kind() {
            ValueKind::Lit(Literal::Bool(truth)) => Some(*truth),
            ValueKind::Lit(_) | ValueKind::Set(_) | ValueKind::Record(_) | ValueKind::ExtensionValue(_) => None,
        }
    }
}

/// Folds the expressions of one policy.
pub(super) struct Fold<'a> {
    scope: &'a Scope,
    nothing: OnceCell<Entities>,
}

impl<'a> Fold<'a> {
    pub(super) fn new(scope: &'a Scope) -> Self {
        Self { scope, nothing: OnceCell::new() }
    }

    /// What an operand of `&&`, `||`, `!` or the whole condition comes to: a truth value or an error.
    pub(super) fn truth(&self, expr: &Expr) -> Told {
        let told = self.fold(expr);
        match &told.value {
            Some(_) if told.truth().is_none() => Told::FAILURE,
            None if told.fails == Fails::Never && !gives_bool(expr) => Told::NOTHING,
            Some(_) | None => told,
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "of every other expression only closed ones are told")]
    fn fold(&self, expr: &Expr) -> Told {
        match expr.expr_kind() {
            ExprKind::Lit(literal) => Told { value: Some(Value::from(literal.clone())), fails: Fails::Never },
            ExprKind::Var(var) => Told { value: self.known(*var).map(Value::from), fails: Fails::Never },
            ExprKind::And { .. } => self.chain(&conjuncts(expr), true),
            ExprKind::Or { .. } => self.chain(&alternatives(expr), false),
            ExprKind::UnaryApp { op: UnaryOp::Not, arg } => {
                let told = self.truth(arg);
                Told { value: told.truth().map(|truth| Value::from(!truth)), fails: told.fails }
            }
            ExprKind::If { test_expr, then_expr, else_expr } => self.choice(test_expr, then_expr, else_expr),
            _ if is_closed(expr) => self.evaluate(expr),
            ExprKind::BinaryApp { op, arg1, arg2 } => self.binary(*op, arg1, arg2),
            ExprKind::Is { expr, entity_type } => self.is(expr, entity_type),
            ExprKind::HasAttr { expr, .. } if is_root(expr) => Told::SOUND,
            ExprKind::Like { pattern, .. }
                if !pattern.is_empty() && pattern.iter().all(|part| *part == PatternElem::Wildcard) =>
            {
                Told::bool(true, Fails::Perhaps)
            }
            _ => Told::NOTHING,
        }
    }

    /// A chain of `&&`, which goes on while operands are true, or of `||`, which goes on while they are false.
    fn chain(&self, operands: &[&Expr], goes_on: bool) -> Told {
        // Whether it surely got this far, and the worst of what it met.
        let (mut reached, mut fails) = (true, Fails::Never);
        for operand in operands {
            let told = self.truth(operand);
            match told.truth() {
                _ if told.fails == Fails::Always => {
                    return if reached { Told::FAILURE } else { Told::bool(!goes_on, Fails::Perhaps) };
                }
                Some(truth) if truth != goes_on => return Told::bool(!goes_on, fails.max(told.fails)),
                Some(_) => {}
                None => reached = false,
            }
            fails = fails.max(told.fails);
        }
        if reached {
            return Told::bool(goes_on, fails);
        }
        let value = contradicts(operands, goes_on).then(|| Value::from(!goes_on));
        Told { value, fails }
    }

    fn choice(&self, test: &Expr, then: &Expr, otherwise: &Expr) -> Told {
        let told = self.truth(test);
        if told.fails == Fails::Always {
            return Told::FAILURE;
        }
        if let Some(truth) = told.truth() {
            let chosen = self.fold(if truth { then } else { otherwise });
            return Told { fails: told.fails.max(chosen.fails), ..chosen };
        }
        let (a, b) = (self.fold(then), self.fold(otherwise));
        let value = match (a.fails, b.fails) {
            (Fails::Always, Fails::Always) => return Told::FAILURE,
            (Fails::Always, _) => b.value,
            (_, Fails::Always) => a.value,
            _ => a.value.filter(|value| b.value.as_ref() == Some(value)),
        };
        let worst = |fails: Fails| if fails == Fails::Always { Fails::Perhaps } else { fails };
        Told { value, fails: told.fails.max(worst(a.fails)).max(worst(b.fails)) }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "of the other operators nothing is told but by evaluating")]
    fn binary(&self, op: BinaryOp, left: &Expr, right: &Expr) -> Told {
        let (a, b) = (self.fold(left), self.fold(right));
        if a.fails == Fails::Always || b.fails == Fails::Always {
            return Told::FAILURE;
        }
        let fails = a.fails.max(b.fails);
        match op {
            BinaryOp::Eq => {
                let equal = match (&a.value, &b.value) {
                    (Some(a), Some(b)) => Some(a == b),
                    _ if left == right => Some(true),
                    _ => self.differ(left, right).then_some(false),
                };
                Told { value: equal.map(Value::from), fails }
            }
            BinaryOp::In => self.within(left, right),
            BinaryOp::Less if left == right => Told::bool(false, Fails::Perhaps),
            BinaryOp::LessEq if left == right => Told::bool(true, Fails::Perhaps),
            BinaryOp::Contains | BinaryOp::ContainsAny if is_empty_set(left) => Told::bool(false, Fails::Perhaps),
            BinaryOp::ContainsAll if is_empty_set(right) => Told::bool(true, Fails::Perhaps),
            _ => Told::NOTHING,
        }
    }

    fn within(&self, left: &Expr, right: &Expr) -> Told {
        let members = if let ExprKind::Set(items) = right.expr_kind() { items.as_slice() } else { &[] };
        let entities = is_entity(right) || (!members.is_empty() && members.iter().all(is_entity));
        let fails = |sound: bool| if sound && is_entity(left) { Fails::Never } else { Fails::Perhaps };
        if is_empty_set(right) {
            return Told::bool(false, fails(true));
        }
        let held = |group: &Expr| group == left || self.head_puts(left, group);
        if held(right) || members.iter().any(held) {
            return Told::bool(true, fails(entities));
        }
        Told { value: None, fails: fails(entities) }
    }

    /// Whether the head says already that one of its variables is in a group.
    fn head_puts(&self, left: &Expr, group: &Expr) -> bool {
        let (ExprKind::Var(var), ExprKind::Lit(Literal::EntityUID(group))) = (left.expr_kind(), group.expr_kind())
        else {
            return false;
        };
        match self.side(*var) {
            Some(
                Side::In(Target::Literal(uid)) | Side::IsIn(_, Target::Literal(uid)) | Side::Eq(Target::Literal(uid)),
            ) => uid == group.as_ref(),
            Some(
                Side::Any | Side::Is(_) | Side::In(Target::Slot) | Side::IsIn(_, Target::Slot) | Side::Eq(Target::Slot),
            ) => false,
            None => {
                matches!(&self.scope.action, ActionSide::In(groups) if *var == Var::Action && groups.as_slice() == [group.as_ref().clone()])
            }
        }
    }

    fn is(&self, expr: &Expr, entity_type: &EntityType) -> Told {
        match self.type_of(expr) {
            Some(known) => Told::bool(known == entity_type, Fails::Never),
            None if is_entity(expr) => Told::SOUND,
            None => Told::NOTHING,
        }
    }

    /// Whether two entities are of types that differ.
    fn differ(&self, left: &Expr, right: &Expr) -> bool {
        self.type_of(left).zip(self.type_of(right)).is_some_and(|(a, b)| a != b)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what other expressions lead to the head does not say")]
    fn type_of<'e>(&'e self, expr: &'e Expr) -> Option<&'e EntityType> {
        match expr.expr_kind() {
            ExprKind::Lit(Literal::EntityUID(uid)) => Some(uid.entity_type()),
            ExprKind::Var(var) => match self.side(*var)? {
                Side::Is(ty) | Side::IsIn(ty, _) => Some(ty),
                Side::Eq(Target::Literal(uid)) => Some(uid.entity_type()),
                Side::Any | Side::In(_) | Side::Eq(Target::Slot) => None,
            },
            _ => None,
        }
    }

    fn side(&self, var: Var) -> Option<&Side> {
        match var {
            Var::Principal => Some(&self.scope.principal),
            Var::Resource => Some(&self.scope.resource),
            Var::Action | Var::Context => None,
        }
    }

    /// The entity that the head says a variable is.
    fn known(&self, var: Var) -> Option<EntityUID> {
        match (self.side(var), &self.scope.action) {
            (Some(Side::Eq(Target::Literal(uid))), _) => Some(uid.clone()),
            (None, ActionSide::Eq(uid)) if var == Var::Action => Some(uid.clone()),
            (Some(_) | None, _) => None,
        }
    }

    /// Asks Cedar's evaluator, which has no entity and a request that the expression cannot see.
    fn evaluate(&self, expr: &Expr) -> Told {
        let Ok(name) = Name::from_normalized_str("Nobody") else { return Told::NOTHING };
        let nobody = EntityUID::from_components(name.into(), Eid::new(""), None);
        let entry = || EntityUIDEntry::known(nobody.clone(), None);
        let request = Request::new_unchecked(entry(), entry(), entry(), Some(Context::empty()));
        let entities = self.nothing.get_or_init(Entities::new);
        match Evaluator::new(request, entities, extensions()).interpret(expr, &SlotEnv::new()) {
            Ok(value) => Told { value: Some(value), fails: Fails::Never },
            Err(_) => Told::FAILURE,
        }
    }
}

/// Whether two operands are each the negation of the other, or one path is to equal two literals, so that a chain
/// cannot go on to its end.
fn contradicts(operands: &[&Expr], all_true: bool) -> bool {
    let few = operands.get(..operands.len().min(MAX_COMPARED)).unwrap_or_default();
    let negated =
        |a: &Expr, b: &Expr| matches!(a.expr_kind(), ExprKind::UnaryApp { op: UnaryOp::Not, arg } if arg.as_ref() == b);
    let differ = |a: &Expr, b: &Expr| {
        equality(a).zip(equality(b)).is_some_and(|((path, value), (other, wanted))| path == other && value != wanted)
    };
    few.iter().enumerate().any(|(at, a)| {
        let rest = few.get(at + 1..).unwrap_or_default();
        rest.iter().any(|b| negated(a, b) || negated(b, a) || (all_true && differ(a, b)))
    })
}

/// `path == literal`, either way round.
fn equality(expr: &Expr) -> Option<(&Expr, &Literal)> {
    let ExprKind::BinaryApp { op: BinaryOp::Eq, arg1, arg2 } = expr.expr_kind() else { return None };
    match (arg1.expr_kind(), arg2.expr_kind()) {
        (ExprKind::Lit(_), ExprKind::Lit(_)) => None,
        (_, ExprKind::Lit(literal)) => Some((arg1, literal)),
        (ExprKind::Lit(literal), _) => Some((arg2, literal)),
        _ => None,
    }
}

/// Whether an expression gives a truth value when it gives anything.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other expression gives something else, or anything")]
fn gives_bool(expr: &Expr) -> bool {
    match expr.expr_kind() {
        ExprKind::And { .. }
        | ExprKind::Or { .. }
        | ExprKind::HasAttr { .. }
        | ExprKind::ExtHasAttr { .. }
        | ExprKind::Is { .. }
        | ExprKind::Like { .. }
        | ExprKind::UnaryApp { op: UnaryOp::Not | UnaryOp::IsEmpty, .. } => true,
        ExprKind::BinaryApp { op, .. } => match op {
            BinaryOp::Eq
            | BinaryOp::Less
            | BinaryOp::LessEq
            | BinaryOp::In
            | BinaryOp::Contains
            | BinaryOp::ContainsAll
            | BinaryOp::ContainsAny
            | BinaryOp::HasTag => true,
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::GetTag => false,
        },
        ExprKind::If { then_expr, else_expr, .. } => gives_bool(then_expr) && gives_bool(else_expr),
        _ => false,
    }
}

/// Whether an expression is an entity for certain.
fn is_entity(expr: &Expr) -> bool {
    matches!(
        expr.expr_kind(),
        ExprKind::Var(Var::Principal | Var::Action | Var::Resource) | ExprKind::Lit(Literal::EntityUID(_))
    )
}

/// Whether any attribute may be asked of an expression without an error.
fn is_root(expr: &Expr) -> bool {
    is_entity(expr) || matches!(expr.expr_kind(), ExprKind::Var(Var::Context))
}

fn is_empty_set(expr: &Expr) -> bool {
    matches!(expr.expr_kind(), ExprKind::Set(items) if items.is_empty())
}

/// Whether an expression reads nothing: no variable, and of no entity anything but which it is.
fn is_closed(expr: &Expr) -> bool {
    let (mut names_entity, mut looks_into) = (false, false);
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        match expr.expr_kind() {
            ExprKind::Var(_) | ExprKind::Slot(_) | ExprKind::Unknown(_) => return false,
            ExprKind::Lit(Literal::EntityUID(_)) => names_entity = true,
            ExprKind::GetAttr { .. }
            | ExprKind::HasAttr { .. }
            | ExprKind::ExtHasAttr { .. }
            | ExprKind::BinaryApp { op: BinaryOp::In | BinaryOp::GetTag | BinaryOp::HasTag, .. } => looks_into = true,
            ExprKind::Lit(Literal::Bool(_) | Literal::Long(_) | Literal::String(_))
            | ExprKind::If { .. }
            | ExprKind::And { .. }
            | ExprKind::Or { .. }
            | ExprKind::UnaryApp { .. }
            | ExprKind::BinaryApp { .. }
            | ExprKind::ExtensionFunctionApp { .. }
            | ExprKind::Like { .. }
            | ExprKind::Is { .. }
            | ExprKind::Set(_)
            | ExprKind::Record(_) => {}
        }
        each_child(expr, |child| open.push(child));
    }
    !(names_entity && looks_into)
}
