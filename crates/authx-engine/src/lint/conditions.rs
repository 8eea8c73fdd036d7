//! Parts of conditions that the text alone decides, and parts that say the same twice.

use super::Lint;
use super::fold::{Fails, Fold, Told};
use crate::cedar::{BinaryOp, Expr, ExprKind, UnaryOp};
use crate::condition::{alternatives, conjuncts};
use crate::scope::Scope;

/// Operands of one chain that are compared with one another.
const MAX_COMPARED: usize = 64;

/// One part of a condition, and what is to be said of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finding<'e> {
    pub(super) lint: Lint,
    pub(super) part: &'e Expr,
}

/// What is decided in a condition, from left to right.
pub(super) fn findings<'e>(condition: &'e Expr, scope: &Scope) -> Vec<Finding<'e>> {
    let mut look = Look { fold: Fold::new(scope), found: Vec::new() };
    look.truth(condition);
    look.found
}

/// What a whole condition comes to, for the one sentence about its policy.
pub(super) fn outcome(condition: &Expr, scope: &Scope) -> Told {
    Fold::new(scope).truth(condition)
}

struct Look<'a, 'e> {
    fold: Fold<'a>,
    found: Vec<Finding<'e>>,
}

impl<'e> Look<'_, 'e> {
    /// Looks into an expression that stands where a truth value is asked for.
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other expression is no chain")]
    fn truth(&mut self, expr: &'e Expr) {
        match expr.expr_kind() {
            ExprKind::And { .. } => self.chain(expr, &conjuncts(expr)),
            ExprKind::Or { .. } => self.chain(expr, &alternatives(expr)),
            _ => self.operand(expr),
        }
    }

    fn chain(&mut self, whole: &'e Expr, operands: &[&'e Expr]) {
        let before = self.found.len();
        for operand in operands {
            self.truth(operand);
        }
        self.repeated(operands);
        // The operands contradict each other although none is decided by itself.
        if self.found.len() == before {
            self.report(whole);
        }
    }

    /// An expression that is no chain: decided, or to be looked into.
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other expression has operands that are truth values")]
    fn operand(&mut self, expr: &'e Expr) {
        if self.report(expr) {
            return;
        }
        match expr.expr_kind() {
            ExprKind::UnaryApp { op: UnaryOp::Not, arg } => self.truth(arg),
            // A branch may well be a constant.
            ExprKind::If { test_expr, .. } => self.truth(test_expr),
            _ => {}
        }
    }

    fn report(&mut self, part: &'e Expr) -> bool {
        let told = self.fold.truth(part);
        let lint = match (told.fails, told.truth()) {
            (Fails::Always, _) => Lint::AlwaysError,
            (Fails::Never | Fails::Perhaps, Some(true)) => Lint::AlwaysTrue,
            (Fails::Never | Fails::Perhaps, Some(false)) => Lint::AlwaysFalse,
            (Fails::Never | Fails::Perhaps, None) => return false,
        };
        self.found.push(Finding { lint, part });
        true
    }

    fn repeated(&mut self, operands: &[&'e Expr]) {
        let few = operands.get(..operands.len().min(MAX_COMPARED)).unwrap_or_default();
        for (at, operand) in few.iter().enumerate() {
            let earlier = few.get(..at).unwrap_or_default();
            // What is decided was told already.
            let told = self.found.iter().any(|finding| std::ptr::eq(finding.part, *operand));
            if !told && !asks_for_presence(operand) && earlier.contains(operand) {
                self.found.push(Finding { lint: Lint::DuplicateCondition, part: operand });
            }
        }
    }
}

/// Whether an expression asks whether there is something: each clause that reads an optional attribute may say so.
fn asks_for_presence(expr: &Expr) -> bool {
    matches!(
        expr.expr_kind(),
        ExprKind::HasAttr { .. } | ExprKind::ExtHasAttr { .. } | ExprKind::BinaryApp { op: BinaryOp::HasTag, .. }
    )
}
