//! Policies that another one makes superfluous: an equal twin, or one with a wider head and no more conditions.
//!
//! No policy is compared with all others. Heads are numbered, and a policy asks only for heads that contain its own;
//! below a head, policies stand under the rarest of their conditions, and only those are looked at whose rarest
//! condition the policy has as well.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use crate::cedar::{EntityUID, Expr, ExprKind, Literal};
use crate::condition::conjuncts;
use crate::map::Table;
use crate::policy::{Body, Policy};
use crate::release::Release;
use crate::schema::Schema;
use crate::scope::{ActionSide, Scope, Side, Target};

/// Policies that are compared with one policy at most.
const MAX_COMPARED: usize = 64;

/// Conditions of two policies that are compared with one another at most.
const MAX_PAIRS: usize = 10_000;

/// A policy and the one that makes it superfluous.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shadowed<'r> {
    pub(super) policy: &'r Arc<Policy>,
    pub(super) by: &'r Arc<Policy>,
    /// Each makes the other superfluous: the later one is told.
    pub(super) twins: bool,
}

/// Every policy that another one covers, each once. Templates are left out: what they say depends on their links.
pub(super) fn shadowed(release: &Release) -> Vec<Shadowed<'_>> {
    let policies: Vec<&Arc<Policy>> = release.policies().filter(|policy| !policy.is_template()).collect();
    let mut conditions = Conditions::default();
    let entries: Vec<Entry<'_>> =
        policies.iter().map(|policy| Entry { policy, conditions: conditions.of(&policy.body) }).collect();
    let mut index = Index { schema: release.schema(), sides: Table::default(), heads: Table::default() };
    for (number, entry) in entries.iter().enumerate() {
        index.insert(number, entry, conditions.rarest(entry.conditions));
    }
    let mut found = Vec::new();
    for entry in &entries {
        let wider = index.wider(entry, &conditions).into_iter().filter_map(|number| entries.get(number));
        let covering = wider.filter(|other| covers(other, entry, &conditions, release.schema()));
        // The first that covers it; twins cover each other, so only an earlier one counts.
        let chosen = covering
            .map(|other| other.policy)
            .map(|by| (by, index.covers_back(by, entry, &conditions)))
            .filter(|(by, twins)| !twins || comes_before(by, entry.policy))
            .min_by(|(a, _), (b, _)| order(a).cmp(&order(b)));
        found.extend(chosen.map(|(by, twins)| Shadowed { policy: entry.policy, by, twins }));
    }
    found
}

#[derive(Clone, Copy)]
struct Entry<'r> {
    policy: &'r Arc<Policy>,
    /// The number of its list of conditions.
    conditions: usize,
}

/// The conditions of all bodies, cut at `&&`, each list once.
#[derive(Default)]
struct Conditions<'r> {
    lists: Vec<Vec<(u64, &'r Expr)>>,
    by_body: Table<*const Body, usize>,
    /// How many policies have a condition.
    uses: Table<u64, usize>,
}

impl<'r> Conditions<'r> {
    fn of(&mut self, body: &'r Arc<Body>) -> usize {
        let key = Arc::as_ptr(body);
        let number = if let Some(known) = self.by_body.get(&key) {
            *known
        } else {
            let parts = body.condition.as_ref().map(conjuncts).unwrap_or_default();
            let said = parts.into_iter().filter(|part| !is_true(part));
            self.lists.push(said.map(|part| (digest(part), part)).collect());
            self.by_body.insert(key, self.lists.len() - 1);
            self.lists.len() - 1
        };
        for (digest, _) in self.lists.get(number).into_iter().flatten() {
            *self.uses.entry(*digest).or_insert(0) += 1;
        }
        number
    }

    fn list(&self, number: usize) -> &[(u64, &'r Expr)] {
        self.lists.get(number).map(Vec::as_slice).unwrap_or_default()
    }

    /// The condition that the fewest policies have; 0 where there is none.
    fn rarest(&self, number: usize) -> u64 {
        let uses = |digest: &u64| self.uses.get(digest).copied().unwrap_or_default();
        self.list(number).iter().map(|(digest, _)| *digest).min_by_key(|digest| (uses(digest), *digest)).unwrap_or(0)
    }

    /// Whether whoever meets the conditions of `narrow` meets those of `wide`. A forbid that fails counts as one that
    /// matches, so among forbids the wide one must also fail wherever the narrow one does: its conditions come first.
    fn implies(&self, narrow: usize, wide: usize, forbids: bool) -> bool {
        let (narrow, wide) = (self.list(narrow), self.list(wide));
        if forbids {
            return narrow.starts_with(wide);
        }
        // Of very long lists it is not found out.
        wide.len().saturating_mul(narrow.len()) <= MAX_PAIRS && wide.iter().all(|part| narrow.contains(part))
    }
}

/// Numbered heads, and the policies below each.
struct Index<'r> {
    schema: Option<&'r Schema>,
    sides: Table<Side, u32>,
    /// By effect, principal, resource and one action; then by the rarest condition.
    heads: Table<Head, Table<u64, Vec<usize>>>,
}

type Head = (bool, u32, u32, Doing);

/// One action of a head.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Doing {
    Anything,
    Exactly(EntityUID),
    Within(EntityUID),
}

impl<'r> Index<'r> {
    fn insert(&mut self, number: usize, entry: &Entry<'r>, rarest: u64) {
        let scope = &entry.policy.scope;
        let (principal, resource) = (self.number(&scope.principal), self.number(&scope.resource));
        let doing: Vec<Doing> = match &scope.action {
            ActionSide::Any => vec![Doing::Anything],
            ActionSide::Eq(uid) => vec![Doing::Exactly(uid.clone())],
            ActionSide::In(groups) => groups.iter().cloned().map(Doing::Within).collect(),
        };
        for doing in doing {
            let below = self.heads.entry((entry.policy.forbids(), principal, resource, doing)).or_default();
            below.entry(rarest).or_default().push(number);
        }
    }

    fn number(&mut self, side: &Side) -> u32 {
        let next = u32::try_from(self.sides.len()).unwrap_or(u32::MAX);
        if let Some(known) = self.sides.get(side) {
            return *known;
        }
        self.sides.insert(side.clone(), next);
        next
    }

    /// Policies whose head may contain that of another and whose rarest condition it has; itself among them.
    fn wider(&self, entry: &Entry<'r>, conditions: &Conditions<'r>) -> Vec<usize> {
        let scope = &entry.policy.scope;
        let known = |side: &Side| -> Vec<u32> {
            wider_sides(side).iter().filter_map(|side| self.sides.get(side).copied()).collect()
        };
        let (principals, resources, doings) = (known(&scope.principal), known(&scope.resource), self.doings(scope));
        let mut found = Vec::new();
        for (principal, resource) in principals.iter().flat_map(|p| resources.iter().map(move |r| (*p, *r))) {
            for doing in &doings {
                let head = (entry.policy.forbids(), principal, resource, doing.clone());
                let Some(below) = self.heads.get(&head) else { continue };
                found.push(below);
            }
        }
        let digests: Vec<u64> =
            conditions.list(entry.conditions).iter().map(|(digest, _)| *digest).chain([0]).collect();
        let listed = found.into_iter().flat_map(|below| digests.iter().filter_map(|digest| below.get(digest)));
        listed.flat_map(|numbers| numbers.iter().copied().take(MAX_COMPARED)).collect()
    }

    fn doings(&self, scope: &Scope) -> Vec<Doing> {
        let mut doings = vec![Doing::Anything];
        match &scope.action {
            ActionSide::Any => {}
            ActionSide::Eq(uid) => {
                doings.push(Doing::Exactly(uid.clone()));
                doings.extend(self.within(uid));
            }
            // All of them must be covered, so whoever covers all covers the first.
            ActionSide::In(groups) => doings.extend(groups.first().into_iter().flat_map(|uid| self.within(uid))),
        }
        doings
    }

    /// The groups that an action is in, itself among them.
    fn within(&self, action: &EntityUID) -> Vec<Doing> {
        let groups = above(self.schema, action).chain([action]);
        groups.cloned().map(Doing::Within).collect()
    }

    /// Whether the narrower policy also covers the one that covers it.
    fn covers_back(&self, wide: &Arc<Policy>, narrow: &Entry<'r>, conditions: &Conditions<'r>) -> bool {
        let number = conditions.by_body.get(&Arc::as_ptr(&wide.body)).copied().unwrap_or_default();
        contains(&narrow.policy.scope, &wide.scope, self.schema)
            && conditions.implies(number, narrow.conditions, narrow.policy.forbids())
            && keeps_advice(narrow.policy, wide)
    }
}

/// Whether `wide` matches, or fails where that counts, wherever `narrow` does.
fn covers(wide: &Entry<'_>, narrow: &Entry<'_>, conditions: &Conditions<'_>, schema: Option<&Schema>) -> bool {
    !Arc::ptr_eq(wide.policy, narrow.policy)
        && conditions.implies(narrow.conditions, wide.conditions, narrow.policy.forbids())
        && contains(&wide.policy.scope, &narrow.policy.scope, schema)
        && keeps_advice(wide.policy, narrow.policy)
}

/// A policy that has something of its own to say when it matches is there for that.
fn keeps_advice(wide: &Policy, narrow: &Policy) -> bool {
    narrow.body.advice.is_none() || narrow.body.advice == wide.body.advice
}

fn contains(wide: &Scope, narrow: &Scope, schema: Option<&Schema>) -> bool {
    let action = match (&wide.action, &narrow.action) {
        (ActionSide::Any, _) => true,
        (ActionSide::Eq(wide), ActionSide::Eq(narrow)) => wide == narrow,
        (ActionSide::In(groups), ActionSide::Eq(action)) => within(action, groups, schema),
        (ActionSide::In(groups), ActionSide::In(narrow)) => narrow.iter().all(|action| within(action, groups, schema)),
        (ActionSide::Eq(_) | ActionSide::In(_), _) => false,
    };
    action
        && wider_sides(&narrow.principal).contains(&wide.principal)
        && wider_sides(&narrow.resource).contains(&wide.resource)
}

fn within(action: &EntityUID, groups: &[EntityUID], schema: Option<&Schema>) -> bool {
    groups.contains(action) || above(schema, action).any(|above| groups.contains(above))
}

fn above<'s>(schema: Option<&'s Schema>, action: &EntityUID) -> impl Iterator<Item = &'s EntityUID> + use<'s> {
    schema.and_then(|schema| schema.actions.get(action)).into_iter().flat_map(|info| &info.ancestors)
}

/// Every side that surely admits what this one admits, itself among them.
fn wider_sides(side: &Side) -> Vec<Side> {
    let mut sides = vec![Side::Any];
    match side {
        Side::Any => return sides,
        Side::Eq(Target::Literal(uid)) => {
            let (ty, target) = (uid.entity_type().clone(), Target::Literal(uid.clone()));
            sides.extend([Side::Is(ty.clone()), Side::In(target.clone()), Side::IsIn(ty, target)]);
        }
        Side::IsIn(ty, target) => sides.extend([Side::Is(ty.clone()), Side::In(target.clone())]),
        Side::Is(_) | Side::In(_) | Side::Eq(Target::Slot) => {}
    }
    sides.push(side.clone());
    sides
}

fn comes_before(a: &Policy, b: &Policy) -> bool {
    order(a) < order(b)
}

fn order(policy: &Policy) -> (Option<&str>, u32, u32, &str) {
    let source = &policy.source;
    (source.file.as_deref(), source.line, source.column, policy.id.as_str())
}

fn digest(expr: &Expr) -> u64 {
    let mut hasher = DefaultHasher::new();
    expr.hash(&mut hasher);
    hasher.finish().max(1)
}

fn is_true(expr: &Expr) -> bool {
    matches!(expr.expr_kind(), ExprKind::Lit(Literal::Bool(true)))
}
