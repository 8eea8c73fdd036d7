//! A condition cut at `&&`: each conjunct a condition of its own, with its text and its place.

use std::sync::Arc;

use crate::access::AccessPaths;
use crate::cedar::{BinaryOp, Expr, ExprKind, Literal, UnaryOp, Var};
use crate::condition::{conjuncts, each_child, prepare};
use crate::error::DecideError;
use crate::linking::{Linking, REL, compile_facts, span_of};
use crate::parse::{ANY_TEXT, parse_all};
use crate::policy::{Body, Policy};
use crate::problem::{Problem, SourcePlace, Span};
use crate::stack::on_large_stack;

/// One conjunct.
pub(crate) struct Conjunct {
    pub(crate) text: String,
    pub(crate) place: SourcePlace,
    /// As a policy whose condition it is.
    pub(crate) policy: Policy,
    /// As it was parsed.
    pub(super) expr: Expr,
    /// The paths in it, and their text.
    pub(super) paths: Vec<(String, Expr)>,
}

/// Cuts a policy's condition.
///
/// # Errors
/// When the text that was compiled does not compile.
pub(crate) fn cut(policy: &Policy, linking: Option<&Linking>) -> Result<Vec<Conjunct>, DecideError> {
    if policy.body.condition.is_none() {
        return Ok(Vec::new());
    }
    let lost = |problem: Problem| DecideError::Engine { message: problem.message };
    on_large_stack(|| {
        let parsed = parse_all(&[&policy.source], &ANY_TEXT).pop();
        let parsed = parsed.unwrap_or_else(|| Err(Vec::new()));
        let parsed = parsed.map_err(|problems| problems.into_iter().next().unwrap_or_else(nothing))?;
        let condition = parsed.template.non_scope_constraints().map(conjuncts).unwrap_or_default();
        let always = |expr: &&Expr| matches!(expr.expr_kind(), ExprKind::Lit(Literal::Bool(true)));
        let said: Vec<&Expr> = condition.into_iter().filter(|expr| !always(expr)).collect();
        let shared = |expr: &Expr| said.iter().filter(|other| other.source_loc() == expr.source_loc()).count() > 1;
        said.iter().map(|expr| conjunct(policy, expr, shared(expr), linking)).collect()
    })
    .map_err(lost)
}

fn nothing() -> Problem {
    Problem::error("compiler_failed", "a policy has no text")
}

/// `shared` when what the author wrote at its place is more than this conjunct.
fn conjunct(policy: &Policy, expr: &Expr, shared: bool, linking: Option<&Linking>) -> Result<Conjunct, Problem> {
    let origin = policy.source.origin();
    let refused = |message: String| Problem::error("compiler_failed", message);
    let compiled = linking.map(|linking| compile_facts(expr, linking)).transpose();
    let compiled = compiled.map_err(|why| refused(why.message))?;
    let condition = prepare(compiled.as_ref().map_or(expr, |compiled| &compiled.condition));
    let hidden = linking.map(Linking::hidden);
    let access = |expr: &Expr| AccessPaths::of(expr, hidden).map_err(|_| refused("too many paths".to_owned()));
    let body = Body {
        forbids: policy.body.forbids,
        access: access(&condition)?,
        condition: Some(condition),
        facts: compiled.map(|compiled| compiled.facts).unwrap_or_default(),
        advice: None,
        digest: 0,
    };
    let mut found = Vec::new();
    paths(expr, &mut found);
    let mut told: Vec<(String, Expr)> = Vec::new();
    for path in found {
        let text = path.to_string();
        if told.iter().all(|(known, _)| *known != text) {
            told.push((text, path.clone()));
        }
    }
    let (text, span) = written(policy, expr);
    Ok(Conjunct {
        text: if shared { expr.to_string() } else { text },
        place: origin.place(span),
        policy: Policy::new(policy.id.clone(), Arc::clone(&policy.scope), Arc::new(body), Arc::clone(&policy.source)),
        expr: expr.clone(),
        paths: told,
    })
}

/// An expression as the author wrote it, and where; a clause of `unless` is told as what it negates.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other expression is a clause")]
fn written(policy: &Policy, expr: &Expr) -> (String, Span) {
    let span = |expr: &Expr| span_of(expr).unwrap_or(policy.source.whole());
    let text = |span: Span| policy.source.text.get(span.offset..span.offset + span.length).unwrap_or_default();
    let whole = span(expr);
    match expr.expr_kind() {
        ExprKind::UnaryApp { op: UnaryOp::Not, arg } if text(whole).starts_with("unless") => {
            let inner = span(arg);
            (format!("!({})", text(inner)), inner)
        }
        _ => (text(whole).to_owned(), whole),
    }
}

/// The longest paths of an expression; what is asked of a relation is told apart from them.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other expression has its paths in its operands")]
fn paths<'a>(expr: &'a Expr, found: &mut Vec<&'a Expr>) {
    match expr.expr_kind() {
        ExprKind::Lit(_) | ExprKind::Var(Var::Context) => {}
        ExprKind::GetAttr { expr: rel, .. } if is_rel(rel) => each_child(rel, |object| paths(object, found)),
        _ if is_path(expr) => found.push(expr),
        _ => each_child(expr, |child| paths(child, found)),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "every other expression reads something else")]
fn is_rel(expr: &Expr) -> bool {
    match expr.expr_kind() {
        ExprKind::GetAttr { attr, .. } => attr == REL,
        _ => false,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "every other expression is no path")]
fn is_path(expr: &Expr) -> bool {
    match expr.expr_kind() {
        ExprKind::Var(_) | ExprKind::Lit(Literal::EntityUID(_)) => true,
        ExprKind::GetAttr { expr, .. } => is_path(expr),
        ExprKind::BinaryApp { op: BinaryOp::GetTag, arg1, arg2 } => {
            is_path(arg1) && matches!(arg2.expr_kind(), ExprKind::Lit(_))
        }
        _ => false,
    }
}
