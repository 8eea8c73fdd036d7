//! A policy's scope: whom, which action and what its head admits.

use crate::cedar::{ActionConstraint, EntityReference, EntityType, EntityUID, PrincipalOrResourceConstraint, Template};
use crate::condition::without_position;

/// The head of a policy. A scope cannot err: it holds only `==`, `in` and `is` on literals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) principal: Side,
    pub(crate) action: ActionSide,
    pub(crate) resource: Side,
}

/// What the head says of the principal or of the resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    Any,
    Is(EntityType),
    Eq(Target),
    In(Target),
    IsIn(EntityType, Target),
}

/// What the head says of the action.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum ActionSide {
    Any,
    Eq(EntityUID),
    In(Vec<EntityUID>),
}

/// A literal, or the slot of a template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Literal(EntityUID),
    Slot,
}

impl Scope {
    pub(crate) fn of(template: &Template) -> Self {
        Self {
            principal: Side::of(template.principal_constraint().as_inner()),
            action: ActionSide::of(template.action_constraint()),
            resource: Side::of(template.resource_constraint().as_inner()),
        }
    }

    /// Whether this is the head of a template.
    pub(crate) fn has_slot(&self) -> bool {
        self.principal.has_slot() || self.resource.has_slot()
    }

    /// The types that it names by `is`.
    pub(crate) fn types(&self) -> impl Iterator<Item = &EntityType> {
        [&self.principal, &self.resource].into_iter().filter_map(|side| match side {
            Side::Is(ty) | Side::IsIn(ty, _) => Some(ty),
            Side::Any | Side::Eq(_) | Side::In(_) => None,
        })
    }

    /// The entities and actions that it names.
    pub(crate) fn uids(&self) -> impl Iterator<Item = &EntityUID> {
        let targets = [&self.principal, &self.resource].into_iter().filter_map(|side| match side.target() {
            Some(Target::Literal(uid)) => Some(uid),
            Some(Target::Slot) | None => None,
        });
        targets.chain(match &self.action {
            ActionSide::Any => &[],
            ActionSide::Eq(uid) => std::slice::from_ref(uid),
            ActionSide::In(uids) => uids.as_slice(),
        })
    }

    /// Fills the slots.
    ///
    /// # Errors
    /// Names the slot that lacks a value or the value that has no slot.
    pub(crate) fn bind(&self, principal: Option<&EntityUID>, resource: Option<&EntityUID>) -> Result<Self, String> {
        Ok(Self {
            principal: self.principal.bind("principal", principal)?,
            action: self.action.clone(),
            resource: self.resource.bind("resource", resource)?,
        })
    }
}

impl Side {
    fn of(constraint: &PrincipalOrResourceConstraint) -> Self {
        let target = |reference: &EntityReference| match reference {
            EntityReference::EUID(uid) => Target::Literal(without_position(uid)),
            EntityReference::Slot(_) => Target::Slot,
        };
        match constraint {
            PrincipalOrResourceConstraint::Any => Self::Any,
            PrincipalOrResourceConstraint::Is(ty) => Self::Is(ty.with_loc(None)),
            PrincipalOrResourceConstraint::Eq(reference) => Self::Eq(target(reference)),
            PrincipalOrResourceConstraint::In(reference) => Self::In(target(reference)),
            PrincipalOrResourceConstraint::IsIn(ty, reference) => Self::IsIn(ty.with_loc(None), target(reference)),
        }
    }

    pub(crate) fn target(&self) -> Option<&Target> {
        match self {
            Self::Any | Self::Is(_) => None,
            Self::Eq(target) | Self::In(target) | Self::IsIn(_, target) => Some(target),
        }
    }

    fn has_slot(&self) -> bool {
        self.target() == Some(&Target::Slot)
    }

    fn bind(&self, side: &str, value: Option<&EntityUID>) -> Result<Self, String> {
        match (self.has_slot(), value) {
            (false, None) => Ok(self.clone()),
            (false, Some(_)) => Err(format!("the template has no slot `?{side}`")),
            (true, None) => Err(format!("the template's slot `?{side}` needs a value")),
            (true, Some(uid)) => {
                let target = Target::Literal(uid.clone());
                Ok(match self {
                    Self::Any => Self::Any,
                    Self::Is(ty) => Self::Is(ty.clone()),
                    Self::Eq(_) => Self::Eq(target),
                    Self::In(_) => Self::In(target),
                    Self::IsIn(ty, _) => Self::IsIn(ty.clone(), target),
                })
            }
        }
    }
}

impl ActionSide {
    fn of(constraint: &ActionConstraint) -> Self {
        match constraint {
            ActionConstraint::Any => Self::Any,
            ActionConstraint::Eq(uid) => Self::Eq(without_position(uid)),
            ActionConstraint::In(uids) => Self::In(uids.iter().map(|uid| without_position(uid)).collect()),
        }
    }
}
