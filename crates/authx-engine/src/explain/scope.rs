//! Which parts of a policy's scope hold.

use crate::cedar::{EntityUID, Var};
use crate::error::DecideError;
use crate::evaluate::Question;
use crate::named::{Named, same};
use crate::policy::Policy;
use crate::scope::{ActionSide, Scope, Side, Target};

/// A part of a scope that says something: `principal in Role::"editor"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopePart {
    pub text: String,
    pub holds: bool,
}

/// The ends of a request, each with its ancestors.
pub(super) struct Ends<'a> {
    principal: (&'a EntityUID, &'a [Named<'a>]),
    action: (&'a EntityUID, Vec<Named<'a>>),
    resource: (&'a EntityUID, &'a [Named<'a>]),
}

impl<'a> Ends<'a> {
    pub(super) fn of(question: &'a Question<'a>) -> Result<Self, DecideError> {
        let [principal, resource] = question.ancestors;
        let action = question.roots.action;
        let above = question.view.ancestors(action, question.limits.ancestors)?;
        Ok(Self { principal, action: (action, above), resource })
    }
}

/// A part of a scope that an entity lacks a parent for.
pub(super) struct Lacking<'a> {
    pub(super) text: String,
    pub(super) entity: &'a EntityUID,
    pub(super) target: &'a EntityUID,
}

/// The only part of a scope that does not hold, if a membership would supply it.
pub(super) fn lacking<'a>(policy: &'a Policy, ends: &Ends<'a>) -> Option<Lacking<'a>> {
    let Scope { principal, resource, .. } = policy.scope.as_ref();
    let sides = [(Var::Principal, principal, ends.principal), (Var::Resource, resource, ends.resource)];
    let (var, side, (entity, _)) = sides.into_iter().find(|(_, side, end)| !side.holds(*end))?;
    let target = match side {
        Side::In(Target::Literal(target)) => target,
        Side::IsIn(ty, Target::Literal(target)) if entity.entity_type() == ty => target,
        Side::Any | Side::Is(_) | Side::Eq(_) | Side::In(_) | Side::IsIn(..) => return None,
    };
    Some(Lacking { text: side.text(var)?, entity, target })
}

/// How many parts of a policy's scope do not hold.
pub(super) fn failing(policy: &Policy, ends: &Ends<'_>) -> usize {
    holding(policy, ends).into_iter().filter(|holds| !holds).count()
}

/// The parts of a policy's scope that say anything, in their order.
pub(super) fn parts(policy: &Policy, ends: &Ends<'_>) -> Vec<ScopePart> {
    let Scope { principal, action, resource } = policy.scope.as_ref();
    let texts = [principal.text(Var::Principal), action.text(), resource.text(Var::Resource)];
    let parts = texts.into_iter().zip(holding(policy, ends));
    parts.filter_map(|(text, holds)| Some(ScopePart { text: text?, holds })).collect()
}

/// Whether principal, action and resource are as the scope says.
fn holding(policy: &Policy, ends: &Ends<'_>) -> [bool; 3] {
    let Scope { principal, action, resource } = policy.scope.as_ref();
    [principal.holds(ends.principal), action.holds((ends.action.0, &ends.action.1)), resource.holds(ends.resource)]
}

/// Whether an entity is another, or in it.
fn within((uid, above): (&EntityUID, &[Named<'_>]), target: &EntityUID) -> bool {
    same(target, uid) || above.contains(&Named::from(target))
}

impl Side {
    fn holds(&self, end: (&EntityUID, &[Named<'_>])) -> bool {
        match self {
            Self::Any => true,
            Self::Is(ty) => end.0.entity_type() == ty,
            Self::Eq(target) => target.literal().is_some_and(|target| same(target, end.0)),
            Self::In(target) => target.literal().is_some_and(|target| within(end, target)),
            Self::IsIn(ty, target) => {
                end.0.entity_type() == ty && target.literal().is_some_and(|target| within(end, target))
            }
        }
    }

    fn text(&self, var: Var) -> Option<String> {
        Some(match self {
            Self::Any => return None,
            Self::Is(ty) => format!("{var} is {ty}"),
            Self::Eq(target) => format!("{var} == {}", target.text(var)),
            Self::In(target) => format!("{var} in {}", target.text(var)),
            Self::IsIn(ty, target) => format!("{var} is {ty} in {}", target.text(var)),
        })
    }
}

impl ActionSide {
    fn holds(&self, end: (&EntityUID, &[Named<'_>])) -> bool {
        match self {
            Self::Any => true,
            Self::Eq(action) => same(action, end.0),
            Self::In(groups) => groups.iter().any(|group| within(end, group)),
        }
    }

    fn text(&self) -> Option<String> {
        match self {
            Self::Any => None,
            Self::Eq(action) => Some(format!("action == {action}")),
            Self::In(groups) => {
                let listed: Vec<String> = groups.iter().map(ToString::to_string).collect();
                Some(format!("action in [{}]", listed.join(", ")))
            }
        }
    }
}

impl Target {
    /// A slot is nobody until it is filled.
    fn literal(&self) -> Option<&EntityUID> {
        match self {
            Self::Literal(uid) => Some(uid),
            Self::Slot => None,
        }
    }

    fn text(&self, var: Var) -> String {
        self.literal().map_or_else(|| format!("?{var}"), ToString::to_string)
    }
}
