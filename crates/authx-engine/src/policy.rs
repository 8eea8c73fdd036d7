//! One compiled policy, template or link.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use smol_str::SmolStr;

use crate::access::{AccessPaths, MAX_POINTS};
use crate::cedar::{Effect, Expr, ExprKind, Literal};
use crate::condition::{self, MAX_PREPARED_DEPTH};
use crate::json::MAX_DEPTH;
use crate::linking::{Fact, Ins, Linked, Linking, Refused, check_head, compile_facts};
use crate::parse::Parsed;
use crate::problem::{Problem, Span};
use crate::release::Check;
use crate::scan::{PolicySource, TextLimits};
use crate::scope::{ActionSide, Scope};
use crate::stack::on_large_stack;

/// The name of a policy, a template or a link in its store.
pub type PolicyId = SmolStr;

/// What the evaluator needs of a policy; a template and its links share one.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) forbids: bool,
    /// Absent when the policy has no condition, or `when { true }`.
    pub(crate) condition: Option<Expr>,
    pub(crate) access: AccessPaths,
    /// What the condition asks of the relation graph.
    pub(crate) facts: Vec<Fact>,
    /// The text of the `@advice` annotation.
    pub(crate) advice: Option<SmolStr>,
    pub(crate) digest: u64,
}

/// A policy or template of a release, or a link bound to one.
#[derive(Debug)]
pub struct Policy {
    pub(crate) id: PolicyId,
    // Apart, because a decision that found the policy by its scope does not read it.
    pub(crate) scope: Arc<Scope>,
    pub(crate) body: Arc<Body>,
    pub(crate) source: Arc<PolicySource>,
    /// Whether its head lists several groups of actions, of which an action may be in more than one.
    pub(crate) several_actions: bool,
    /// Whether Cedar's validator says that no request can match it.
    pub(crate) impossible: bool,
}

impl Policy {
    pub(crate) fn new(id: PolicyId, scope: Arc<Scope>, body: Arc<Body>, source: Arc<PolicySource>) -> Self {
        let several_actions = matches!(&scope.action, ActionSide::In(groups) if groups.len() > 1);
        Self { id, scope, body, source, several_actions, impossible: false }
    }

    /// The same policy where the author's file now has it.
    pub(crate) fn moved_to(self: &Arc<Self>, source: &PolicySource) -> Arc<Self> {
        if *self.source == *source {
            return Arc::clone(self);
        }
        let (scope, body) = (Arc::clone(&self.scope), Arc::clone(&self.body));
        let moved = Self::new(self.id.clone(), scope, body, Arc::new(source.clone()));
        Arc::new(Self { impossible: self.impossible, ..moved })
    }

    /// The same policy with a body that is equal to its own.
    pub(crate) fn with_body(&self, body: &Arc<Body>) -> Self {
        let same = Self::new(self.id.clone(), Arc::clone(&self.scope), Arc::clone(body), Arc::clone(&self.source));
        Self { impossible: self.impossible, ..same }
    }

    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The author's text and its place; a link has its template's.
    #[must_use]
    pub fn source(&self) -> &PolicySource {
        &self.source
    }

    /// Whether it has slots, so that only its links decide.
    #[must_use]
    pub fn is_template(&self) -> bool {
        self.scope.has_slot()
    }

    /// Whether it forbids; else it permits.
    #[must_use]
    pub fn forbids(&self) -> bool {
        self.body.forbids
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || (self.id == other.id && self.source == other.source)
    }
}

impl Eq for Policy {}

/// Whether `id` may name a policy: `[A-Za-z0-9._-]{1,128}`.
#[must_use]
pub fn is_policy_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Compiles a policy that was parsed.
pub(crate) fn compile(
    source: &PolicySource,
    parsed: &Parsed,
    limits: &TextLimits,
    linked: Option<&Linked>,
    validation: Check,
) -> Result<Policy, Vec<Problem>> {
    let (origin, base, parsed) = (source.origin(), parsed.base, parsed.template.as_ref());
    let named = source.id.as_deref();
    let annotation = |key: &str| {
        let value = parsed.annotations().find(|(name, _)| AsRef::<str>::as_ref(name) == key).map(|(_, value)| value);
        value.map(|value| SmolStr::new(value.as_ref()))
    };
    let id = match named {
        Some(id) => SmolStr::new(id),
        None => match annotation("id") {
            Some(id) if is_policy_id(&id) => id,
            Some(id) => return Err(vec![invalid_id(&id).at(&origin, source.whole())]),
            None => hash_id(&source.text),
        },
    };
    let fail = |code, message: String| {
        vec![Problem::error(code, message).with_policy(id.as_str()).at(&origin, source.whole())]
    };
    let refused = |refused: Refused| {
        let span = refused.span.map(|span| Span { offset: span.offset.saturating_sub(base), ..span });
        let problem = Problem::error(refused.code, refused.message).with_policy(id.as_str());
        let problem = problem.at(&origin, span.unwrap_or(source.whole()));
        vec![match refused.hint {
            Some(hint) => problem.with_hint(hint),
            None => problem,
        }]
    };
    let scope = Scope::of(parsed);
    // A release that was made before is not refused for what would be refused of a new one.
    let ins = linked.filter(|_| validation != Check::Done);
    let ins = ins.map(|linked| Ins::new(linked, validation == Check::Strict, &scope));
    if linked.is_some() {
        check_head(parsed).map_err(refused)?;
    }
    if let Some(ins) = &ins {
        ins.check_scope(Some(parsed)).map_err(refused)?;
    }
    let linking = linked.map(|linked| &linked.linking);
    let (mut prepared, mut access, mut facts) = (None, AccessPaths::default(), Vec::new());
    if let Some(expr) = parsed.non_scope_constraints() {
        if condition::depth(expr) > limits.depth {
            return Err(fail(
                "expression_too_deep",
                format!("the condition is nested more than {} deep", limits.depth),
            ));
        }
        let compiled = linking.map(|linking| compile_facts(expr, linking)).transpose().map_err(refused)?;
        if let Some(ins) = &ins {
            ins.check_condition(expr).map_err(refused)?;
        }
        let expr = condition::prepare(compiled.as_ref().map_or(expr, |compiled| &compiled.condition));
        facts = compiled.map(|compiled| compiled.facts).unwrap_or_default();
        if condition::depth(&expr) > MAX_PREPARED_DEPTH {
            let message =
                format!("the condition is nested more than {MAX_PREPARED_DEPTH} deep, chains of && and || apart");
            return Err(fail("expression_too_deep", message));
        }
        access = AccessPaths::of(&expr, linking.map(Linking::hidden)).map_err(|_| {
            fail("expression_too_complex", format!("the condition can reach entities by more than {MAX_POINTS} paths"))
        })?;
        prepared = Some(expr).filter(|expr| !matches!(expr.expr_kind(), ExprKind::Lit(Literal::Bool(true))));
    }
    let (forbids, advice) = (parsed.effect() == Effect::Forbid, annotation("advice"));
    let digest = Body::digest(forbids, prepared.as_ref(), advice.as_deref());
    let body = Body { forbids, condition: prepared, access, facts, advice, digest };
    Ok(Policy::new(id, Arc::new(scope), Arc::new(body), Arc::new(source.clone())))
}

pub(crate) fn invalid_id(id: &str) -> Problem {
    Problem::error("invalid_policy_id", format!("`{id}` is no policy id"))
        .with_hint("ids are 1 to 128 characters of A-Z a-z 0-9 . _ -")
}

/// The id of a policy that the author did not name: a hash of its text, so it stays while the text stays.
pub(crate) fn hash_id(text: &str) -> SmolStr {
    let digest = Sha256::digest(text.trim().as_bytes());
    let first = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    SmolStr::new(format!("policy-{first:016x}"))
}

/// A policy's Cedar JSON as Cedar text.
///
/// # Errors
/// When the JSON is no policy.
pub fn policy_text(json: serde_json::Value) -> Result<String, String> {
    on_large_stack(move || {
        let slots = json.to_string().contains("\"slot\"");
        let text = if slots {
            cedar_policy::Template::from_json(None, json).map(|template| template.to_cedar())
        } else {
            cedar_policy::Policy::from_json(None, json).map(|policy| policy.to_cedar().unwrap_or_default())
        };
        text.map_err(|error| Failed(error.to_string()))
    })
    .map_err(|failed| failed.0)
}

/// A policy's text as Cedar JSON.
///
/// # Errors
/// When the text is no policy.
pub fn policy_json(text: &str) -> Result<serde_json::Value, String> {
    on_large_stack(|| {
        let policy = cedar_policy::Policy::parse(None, text).map(|policy| policy.to_json());
        let json = match policy {
            Ok(json) => json.map_err(|error| error.to_string()),
            Err(_) => cedar_policy::Template::parse(None, text)
                .map_err(|error| error.to_string())
                .and_then(|template| template.to_json().map_err(|error| error.to_string())),
        };
        // What goes back to a small stack must be shallow: a value is printed and dropped by recursion.
        match json {
            Ok(json) if nesting(&json) > MAX_DEPTH => {
                Err(Failed(format!("the JSON form is nested more than {MAX_DEPTH} deep")))
            }
            json => json.map_err(Failed),
        }
    })
    .map_err(|failed| failed.0)
}

/// How deep a JSON value is nested, found without recursion.
fn nesting(json: &serde_json::Value) -> usize {
    let (mut deepest, mut open) = (0, vec![(json, 1)]);
    while let Some((value, depth)) = open.pop() {
        deepest = deepest.max(depth);
        match value {
            serde_json::Value::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            serde_json::Value::Object(fields) => open.extend(fields.values().map(|field| (field, depth + 1))),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_) => {}
        }
    }
    deepest
}

/// Why a form could not be made from another.
struct Failed(String);

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self(problem.message)
    }
}
