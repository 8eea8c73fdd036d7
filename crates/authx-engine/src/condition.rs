//! A policy's condition, made ready for the evaluator.
//!
//! Two changes keep its meaning and its errors. Source positions are dropped: the evaluator would copy one for every
//! value. Chains of `&&` and of `||` become balanced trees: both operators are associative with their short circuits
//! and their errors, and a long chain then needs little stack.

use std::sync::Arc;

use crate::cedar::{EntityUID, Expr, ExprKind, Literal};

/// How deep the evaluator may have to recurse for one condition.
pub(crate) const MAX_PREPARED_DEPTH: usize = 200;

/// The nesting of operators, found without recursion.
pub(crate) fn depth(expr: &Expr) -> usize {
    let mut deepest = 0;
    let mut open = vec![(expr, 1_usize)];
    while let Some((expr, depth)) = open.pop() {
        deepest = deepest.max(depth);
        each_child(expr, |child| open.push((child, depth + 1)));
    }
    deepest
}

/// Calls `visit` with each operand of an expression.
pub(crate) fn each_child<'a>(expr: &'a Expr, mut visit: impl FnMut(&'a Expr)) {
    match expr.expr_kind() {
        ExprKind::Lit(_) | ExprKind::Var(_) | ExprKind::Slot(_) | ExprKind::Unknown(_) => {}
        ExprKind::If { test_expr, then_expr, else_expr } => {
            visit(test_expr);
            visit(then_expr);
            visit(else_expr);
        }
        ExprKind::And { left, right } | ExprKind::Or { left, right } => {
            visit(left);
            visit(right);
        }
        ExprKind::UnaryApp { arg, .. } => visit(arg),
        ExprKind::BinaryApp { arg1, arg2, .. } => {
            visit(arg1);
            visit(arg2);
        }
        ExprKind::ExtensionFunctionApp { args, .. } => args.iter().for_each(visit),
        ExprKind::GetAttr { expr, .. }
        | ExprKind::HasAttr { expr, .. }
        | ExprKind::ExtHasAttr { expr, .. }
        | ExprKind::Like { expr, .. }
        | ExprKind::Is { expr, .. } => visit(expr),
        ExprKind::Set(items) => items.iter().for_each(visit),
        ExprKind::Record(fields) => fields.values().for_each(visit),
    }
}

/// The same condition without positions and with balanced chains.
pub(crate) fn prepare(expr: &Expr) -> Expr {
    match expr.expr_kind() {
        ExprKind::Lit(Literal::EntityUID(uid)) => Expr::val(without_position(uid)),
        ExprKind::Lit(literal) => Expr::val(literal.clone()),
        ExprKind::Var(var) => Expr::var(*var),
        ExprKind::Slot(slot) => Expr::slot(*slot),
        ExprKind::Unknown(unknown) => Expr::unknown(unknown.clone()),
        ExprKind::If { test_expr, then_expr, else_expr } => {
            Expr::ite(prepare(test_expr), prepare(then_expr), prepare(else_expr))
        }
        ExprKind::And { .. } => balanced(&conjuncts(expr), &Expr::and),
        ExprKind::Or { .. } => balanced(&alternatives(expr), &Expr::or),
        ExprKind::UnaryApp { op, arg } => Expr::unary_app(*op, prepare(arg)),
        ExprKind::BinaryApp { op, arg1, arg2 } => Expr::binary_app(*op, prepare(arg1), prepare(arg2)),
        ExprKind::ExtensionFunctionApp { fn_name, args } => {
            Expr::call_extension_fn(fn_name.clone(), args.iter().map(prepare).collect())
        }
        ExprKind::GetAttr { expr, attr } => Expr::get_attr(prepare(expr), attr.clone()),
        ExprKind::HasAttr { expr, attr } => Expr::has_attr(prepare(expr), attr.clone()),
        ExprKind::ExtHasAttr { expr, attrs } => Expr::extended_has_attr(prepare(expr), attrs.clone()),
        ExprKind::Like { expr, pattern } => Expr::like(prepare(expr), pattern.clone()),
        ExprKind::Is { expr, entity_type } => Expr::is_entity_type(prepare(expr), entity_type.with_loc(None)),
        ExprKind::Set(items) => Expr::set(items.iter().map(prepare)),
        ExprKind::Record(fields) => {
            Expr::record_arc(Arc::new(fields.iter().map(|(name, value)| (name.clone(), prepare(value))).collect()))
        }
    }
}

/// The operands of a chain of `&&`, from left to right.
pub(crate) fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    chain(expr, |e| if let ExprKind::And { left, right } = e.expr_kind() { Some((left, right)) } else { None })
}

/// The operands of a chain of `||`, from left to right.
pub(crate) fn alternatives(expr: &Expr) -> Vec<&Expr> {
    chain(expr, |e| if let ExprKind::Or { left, right } = e.expr_kind() { Some((left, right)) } else { None })
}

/// The operands of a chain of one operator, from left to right.
fn chain<'a>(expr: &'a Expr, split: impl Fn(&'a Expr) -> Option<(&'a Arc<Expr>, &'a Arc<Expr>)>) -> Vec<&'a Expr> {
    let mut operands = Vec::new();
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        match split(expr) {
            Some((left, right)) => {
                open.push(right);
                open.push(left);
            }
            None => operands.push(expr),
        }
    }
    operands
}

fn balanced(operands: &[&Expr], join: &dyn Fn(Expr, Expr) -> Expr) -> Expr {
    match operands {
        [] => Expr::val(true),
        [one] => prepare(one),
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            join(balanced(left, join), balanced(right, join))
        }
    }
}

pub(crate) fn without_position(uid: &EntityUID) -> EntityUID {
    EntityUID::from_components(uid.entity_type().with_loc(None), uid.eid().clone(), None)
}
