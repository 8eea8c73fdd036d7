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
    let sides = [
        (Var::Principal, &policy.scope.principal, ends.principal),
        (Var::Resource, &policy.scope.resource, ends.resource),
    ];
    sides.into_iter().find_map(|(var, of, (entity, above))| {
        let part = side(var, of, (entity, above)).filter(|part| !part.holds)?;
        match of {
            Side::In(Target::Literal(target)) => Some(Lacking { text: part.text, entity, target }),
            Side::IsIn(ty, Target::Literal(target)) if entity.entity_type() == ty => {
                Some(Lacking { text: part.text, entity, target })
            }
            Side::Any | Side::Is(_) | Side::Eq(_) | Side::In(_) | Side::IsIn(..) => None,
        }
    })
}

/// The parts of a policy's scope, in their order.
pub(super) fn parts(policy: &Policy, ends: &Ends<'_>) -> Vec<ScopePart> {
    let Scope { principal, action, resource } = policy.scope.as_ref();
    let (uid, above) = &ends.action;
    let sides = [
        side(Var::Principal, principal, ends.principal),
        actions(action, uid, above),
        side(Var::Resource, resource, ends.resource),
    ];
    sides.into_iter().flatten().collect()
}

fn side(var: Var, side: &Side, (uid, above): (&EntityUID, &[Named<'_>])) -> Option<ScopePart> {
    let (text, holds) = match side {
        Side::Any => return None,
        Side::Is(ty) => (format!("{var} is {ty}"), uid.entity_type() == ty),
        Side::Eq(target) => (format!("{var} == {}", shown(var, target)), target.is(uid)),
        Side::In(target) => (format!("{var} in {}", shown(var, target)), target.holds(uid, above)),
        Side::IsIn(ty, target) => {
            (format!("{var} is {ty} in {}", shown(var, target)), uid.entity_type() == ty && target.holds(uid, above))
        }
    };
    Some(ScopePart { text, holds })
}

fn actions(side: &ActionSide, uid: &EntityUID, above: &[Named<'_>]) -> Option<ScopePart> {
    let within = |group: &EntityUID| same(group, uid) || above.contains(&Named::from(group));
    let (text, holds) = match side {
        ActionSide::Any => return None,
        ActionSide::Eq(action) => (format!("action == {action}"), same(action, uid)),
        ActionSide::In(groups) => {
            let listed: Vec<String> = groups.iter().map(ToString::to_string).collect();
            (format!("action in [{}]", listed.join(", ")), groups.iter().any(within))
        }
    };
    Some(ScopePart { text, holds })
}

fn shown(var: Var, target: &Target) -> String {
    match target {
        Target::Literal(uid) => uid.to_string(),
        Target::Slot => format!("?{var}"),
    }
}

impl Target {
    fn is(&self, uid: &EntityUID) -> bool {
        match self {
            Self::Literal(target) => same(target, uid),
            Self::Slot => false,
        }
    }

    fn holds(&self, uid: &EntityUID, above: &[Named<'_>]) -> bool {
        match self {
            Self::Literal(target) => same(target, uid) || above.contains(&Named::from(target)),
            Self::Slot => false,
        }
    }
}
