//! What policies show by themselves, and which of them another one covers.
//!
//! The compiled form tells whether there is anything to say. Only then is the text parsed again, for its places and its
//! annotations: among many thousand policies few have findings.

use std::sync::Arc;

use smol_str::SmolStr;

use super::conditions::{Finding, findings, outcome};
use super::shadowed::{Shadowed, shadowed};
use super::{ALLOW, Findings, Lint, names};
use crate::cedar::{Expr, ExprKind, UnaryOp, confusable_string_checks};
use crate::condition::conjuncts;
use crate::linking::span_of;
use crate::parse::{ANY_TEXT, Parsed, parse_all};
use crate::policy::Policy;
use crate::problem::{Problem, Related, Span, first_label};
use crate::release::Release;
use crate::schema::found_message;
use crate::scope::{ActionSide, Side};

/// How much of a part of a condition a message repeats.
const SHOWN: usize = 80;

pub(super) fn check<'r>(policies: impl Iterator<Item = &'r Arc<Policy>>, found: &mut Findings<'_>) {
    for policy in policies {
        let unnamed = has_hashed_id(policy);
        let everything = is_everything(policy);
        let suspect = !policy.source.text.is_ascii()
            || policy.impossible
            || admits_no_action(policy)
            || everything
            || policy.source.text.contains("@allow")
            || decided(policy);
        if suspect || (unnamed && !found.is_full(Lint::MissingId)) {
            if let Some(parsed) = parsed(policy) {
                let reread = Reread { policy, allow: allow(&parsed), parsed };
                reread.check(unnamed, everything, found);
            }
        } else if unnamed {
            found.take(Lint::MissingId, None, || Problem::warning("", ""));
        }
    }
}

pub(super) fn check_shadowed(release: &Release, found: &mut Findings<'_>) {
    if !found.wants(Lint::ShadowedPermit) && !found.wants(Lint::ShadowedForbid) {
        return;
    }
    // Beside a policy without any limit all others say nothing: that one is told.
    let limited = |shadowed: &Shadowed<'_>| !is_everything(shadowed.by);
    for Shadowed { policy, by, twins } in shadowed(release).into_iter().filter(limited) {
        let (lint, does) =
            if policy.forbids() { (Lint::ShadowedForbid, "forbids") } else { (Lint::ShadowedPermit, "permits") };
        let switched = policy.source.text.contains("@allow");
        let allow = if switched { parsed(policy).and_then(|parsed| allow(&parsed)) } else { None };
        found.take(lint, allow.as_ref(), || {
            let message = if twins {
                format!("this policy says the same as `{}`", by.id)
            } else {
                format!("`{}` {does} all that this policy {does}", by.id)
            };
            let place = by.source.origin().place(by.source.whole());
            let related = Related {
                message: format!("`{}` is here", by.id),
                file: place.file,
                line: Some(place.line),
                column: Some(place.column),
            };
            let hint = "delete this policy, or make the other one narrower; without it every decision stays the same";
            let whole = policy.source.whole();
            let problem = Problem::warning(lint.name(), message).with_policy(policy.id.as_str());
            problem.at(&policy.source.origin(), whole).with_hint(hint).with_related(related)
        });
    }
}

/// Whether the compiled form shows that a part of the condition is decided; `when { true }` is not in it.
fn decided(policy: &Policy) -> bool {
    match &policy.body.condition {
        Some(condition) => !findings(condition, &policy.scope).is_empty(),
        None => policy.source.text.contains("when") || policy.source.text.contains("unless"),
    }
}

fn has_hashed_id(policy: &Policy) -> bool {
    policy.source.id.is_none()
        && policy.id.starts_with("policy-")
        && crate::policy::hash_id(&policy.source.text) == policy.id
}

fn admits_no_action(policy: &Policy) -> bool {
    matches!(&policy.scope.action, ActionSide::In(groups) if groups.is_empty())
}

/// Whether it matches every request.
fn is_everything(policy: &Policy) -> bool {
    let scope = &policy.scope;
    policy.body.condition.is_none()
        && matches!((&scope.principal, &scope.action, &scope.resource), (Side::Any, ActionSide::Any, Side::Any))
}

/// The text that was compiled, parsed again.
fn parsed(policy: &Policy) -> Option<Parsed> {
    parse_all(&[&policy.source], &ANY_TEXT).pop()?.ok()
}

fn allow(parsed: &Parsed) -> Option<SmolStr> {
    let mut annotations = parsed.template.annotations();
    let (_, found) = annotations.find(|(key, _)| AsRef::<str>::as_ref(*key) == ALLOW)?;
    Some(found.val.clone())
}

/// A policy whose text was parsed again.
struct Reread<'r> {
    policy: &'r Policy,
    parsed: Parsed,
    allow: Option<SmolStr>,
}

impl Reread<'_> {
    fn check(&self, unnamed: bool, everything: bool, found: &mut Findings<'_>) {
        let policy = self.policy;
        let allow = self.allow.as_ref();
        for name in allow.into_iter().flat_map(|allow| names(allow)) {
            if let Err(unknown) = Lint::parse(name) {
                let problem = || self.problem(Lint::UnknownLint, unknown.to_string(), None).with_hint(unknown.hint());
                found.take(Lint::UnknownLint, allow, problem);
            }
        }
        if unnamed {
            found.take(Lint::MissingId, allow, || {
                let message = "the policy has no `@id`, so its id changes whenever its text does";
                self.problem(Lint::MissingId, message.to_owned(), None)
                    .with_hint("begin it with a name that answers and logs can repeat, such as `@id(\"owners-read\")`")
            });
        }
        if everything {
            self.everything(found);
        }
        let condition = self.parsed.template.non_scope_constraints();
        let parts = condition.map(|condition| findings(condition, &policy.scope)).unwrap_or_default();
        // A part that decides the policy is told with it.
        let told = parts.iter().any(|finding| finding.lint == Lint::AlwaysFalse);
        for finding in &parts {
            self.part(*finding, condition, found);
        }
        let nothing = admits_no_action(policy);
        if (policy.impossible || nothing) && !told {
            found.take(Lint::AlwaysFalse, allow, || {
                let message = "no request that the schema admits can match this policy";
                let message =
                    if nothing { "`action in []` is never true, so this policy never matches" } else { message };
                let hint = "compare the types of its head and condition with what the schema says its actions apply to";
                let hint = if nothing { "name the actions that it is about" } else { hint };
                self.problem(Lint::AlwaysFalse, message.to_owned(), None).with_hint(hint)
            });
        }
        if !policy.source.text.is_ascii() {
            self.confusable(found);
        }
    }

    fn everything(&self, found: &mut Findings<'_>) {
        let (lint, message, hint) = if self.policy.forbids() {
            let hint = "no permit counts beside it: say whom, which action and what it forbids, or delete it";
            (Lint::ForbidAll, "this policy forbids everything to everybody", hint)
        } else {
            let hint = "say whom, which action and what it permits, such as `permit (principal, action == Action::\"read\", resource)`";
            (Lint::PermitAll, "this policy permits everything to everybody", hint)
        };
        found.take(lint, self.allow.as_ref(), || self.problem(lint, message.to_owned(), None).with_hint(hint));
    }

    fn part(&self, finding: Finding<'_>, condition: Option<&Expr>, found: &mut Findings<'_>) {
        let Finding { lint, part } = finding;
        found.take(lint, self.allow.as_ref(), || {
            let whole = condition.map(|condition| outcome(condition, &self.policy.scope));
            let never = whole.is_some_and(|told| told.truth() == Some(false));
            let (text, span, negated) = self.written(part);
            let so = if never { ", so this policy never matches" } else { "" };
            let (message, hint) = match (lint, negated) {
                (Lint::AlwaysTrue, true) => (
                    format!("{text} is never true, so it excludes nothing"),
                    "leave the clause out, or write what was meant",
                ),
                (Lint::AlwaysTrue, false) => {
                    (format!("{text} is always true"), "leave it out, or write what was meant: it excludes nothing")
                }
                (Lint::AlwaysFalse, true) => (format!("{text} is always true{so}"), "write what was meant"),
                (Lint::AlwaysFalse, false) if never => {
                    (format!("{text} is always false{so}"), "write what was meant, or delete the policy")
                }
                (Lint::AlwaysFalse, false) => {
                    (format!("{text} is always false"), "leave it out, or write what was meant: it adds nothing")
                }
                (Lint::AlwaysError, _) => {
                    (format!("{text} always fails"), "write what was meant: a permit that fails does not match")
                }
                _ => (format!("{text} stands here twice"), "leave one of them out, or write what was meant"),
            };
            self.problem(lint, message, Some(span)).with_hint(hint)
        });
    }

    /// A part as the author wrote it, where, and whether it is told as what an `unless` negates.
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other expression is a clause")]
    fn written(&self, part: &Expr) -> (String, Span, bool) {
        let span = span_of(part).map(|span| Span { offset: span.offset.saturating_sub(self.parsed.base), ..span });
        let text = |span: Span| self.policy.source.text.get(span.offset..span.offset + span.length).unwrap_or_default();
        let whole = self.policy.source.whole();
        let Some(span) = span else { return (format!("`{part}`"), whole, false) };
        // Clauses are joined by no text of their own.
        if conjuncts(part).len() > 1 && !text(span).contains("&&") {
            return ("the condition as a whole".to_owned(), whole, false);
        }
        match part.expr_kind() {
            ExprKind::UnaryApp { op: UnaryOp::Not, arg } if text(span).starts_with("unless") => {
                let (inner, place, _) = self.written(arg);
                (inner, place, true)
            }
            _ => {
                let line = text(span).split_whitespace().collect::<Vec<_>>().join(" ");
                let shown = match line.char_indices().nth(SHOWN) {
                    Some((end, _)) => format!("`{}…`", line.get(..end).unwrap_or_default()),
                    None => format!("`{line}`"),
                };
                (shown, span, false)
            }
        }
    }

    fn confusable(&self, found: &mut Findings<'_>) {
        for warning in confusable_string_checks(std::iter::once(self.parsed.template.as_ref())) {
            let span = first_label(&warning);
            let span = span.map(|span| Span { offset: span.offset.saturating_sub(self.parsed.base), ..span });
            let hint = "type it again by hand, and compare it with what it should be equal to";
            found.take(Lint::Confusable, self.allow.as_ref(), || {
                self.problem(Lint::Confusable, found_message(&warning), span).with_hint(hint)
            });
        }
    }

    fn problem(&self, lint: Lint, message: String, span: Option<Span>) -> Problem {
        let span = span.unwrap_or(self.policy.source.whole());
        Problem::warning(lint.name(), message)
            .with_policy(self.policy.id.as_str())
            .at(&self.policy.source.origin(), span)
    }
}
