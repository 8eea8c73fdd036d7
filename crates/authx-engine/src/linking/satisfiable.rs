//! Whether an `in` on a linked type can ever hold. One that no link can satisfy is refused: a forbid on it would never
//! match, and its author would not learn of it.
//!
//! What can be in an entity of a linked type follows from the links, and from the parents that the schema declares for
//! types that are not linked. Where data is held to the schema, it also says what a path leads to. Elsewhere anything
//! may be asked, so only an `in` is refused that nobody could satisfy in any way that the schema speaks of.

use std::collections::{HashMap, HashSet};

use super::facts::{Refused, span_at, span_of};
use super::{Linked, Linking};
use crate::cedar::{
    AttributeType, BinaryOp, EntityReference, EntityType, Expr, ExprKind, Literal, PrincipalOrResourceConstraint,
    SchemaType, Template, Var,
};
use crate::condition::each_child;
use crate::problem::Span;
use crate::schema::{ActionInfo, Schema};
use crate::scope::{ActionSide, Scope, Side, Target};

/// By linked type: the types that may be in it. It is among them itself when it may be in others of its kind.
#[derive(Debug)]
pub(super) struct Below(HashMap<EntityType, HashSet<EntityType>>);

impl Below {
    pub(super) fn new(linking: &Linking, effective: &Schema) -> Self {
        let mut children: HashMap<&EntityType, Vec<&EntityType>> = HashMap::new();
        for (child, info) in &effective.types {
            // Between linked types only tuples count, whatever parents the schema declares.
            let counts = |parent: &&EntityType| {
                !(linking.has(child) && linking.has(parent)) || linking.tells_parents(child, parent)
            };
            for parent in info.parents.iter().filter(counts) {
                children.entry(parent).or_default().push(child);
            }
        }
        let of = |linked: &EntityType| {
            let (mut found, mut open) = (HashSet::new(), vec![linked]);
            while let Some(parent) = open.pop() {
                for child in children.get(parent).into_iter().flatten() {
                    if found.insert((*child).clone()) {
                        open.push(child);
                    }
                }
            }
            found
        };
        Self(linking.types.keys().map(|linked| (linked.clone(), of(linked))).collect())
    }
}

/// The `in`s of one policy.
pub(crate) struct Ins<'a> {
    linked: &'a Linked,
    /// Whether data and requests are held to the schema.
    strict: bool,
    scope: &'a Scope,
}

/// What may stand on the left of an `in`.
enum Left {
    Types(Vec<EntityType>),
    /// Of any type; the schema lets these be asked.
    Any(Vec<EntityType>),
}

impl<'a> Ins<'a> {
    pub(crate) fn new(linked: &'a Linked, strict: bool, scope: &'a Scope) -> Self {
        Self { linked, strict, scope }
    }

    /// Checks the head, whose slots may be bound.
    ///
    /// # Errors
    /// The first `in` that nothing can satisfy.
    pub(crate) fn check_scope(&self, policy: Option<&Template>) -> Result<(), Refused> {
        let sides = [
            (&self.scope.principal, Var::Principal, policy.map(|policy| policy.principal_constraint().as_inner())),
            (&self.scope.resource, Var::Resource, policy.map(|policy| policy.resource_constraint().as_inner())),
        ];
        for (side, var, written) in sides {
            let target = match side {
                Side::In(Target::Literal(uid)) | Side::IsIn(_, Target::Literal(uid)) => uid,
                Side::In(Target::Slot) | Side::IsIn(_, Target::Slot) | Side::Any | Side::Is(_) | Side::Eq(_) => {
                    continue;
                }
            };
            if let Some(left) = self.side(var) {
                self.check(&left, std::slice::from_ref(target.entity_type()), written.and_then(place))?;
            }
        }
        Ok(())
    }

    /// Checks a condition as it is written.
    ///
    /// # Errors
    /// The first `in` that nothing can satisfy.
    pub(crate) fn check_condition(&self, condition: &Expr) -> Result<(), Refused> {
        let mut open = vec![condition];
        while let Some(expr) = open.pop() {
            if let ExprKind::BinaryApp { op: BinaryOp::In, arg1, arg2 } = expr.expr_kind()
                && let Some(right) = self.right(arg2)
                && right.iter().any(|ty| self.linked.linking.has(ty))
                && let Some(left) = self.left(arg1)
            {
                self.check(&left, &right, span_of(expr))?;
            }
            each_child(expr, |child| open.push(child));
        }
        Ok(())
    }

    fn check(&self, left: &Left, right: &[EntityType], span: Option<Span>) -> Result<(), Refused> {
        if right.is_empty() || right.iter().any(|right| self.possible(left, right)) {
            return Ok(());
        }
        let what = match left {
            Left::Types(types) => named(types.iter(), "or"),
            Left::Any(_) => "anything".to_owned(),
        };
        let target = named(right.iter(), "or");
        let hint = right.iter().map(|right| self.hint(right)).collect::<Vec<_>>().join("; ");
        Err(Refused {
            code: "unsatisfiable_in",
            message: format!("no link lets {what} be in {target}, so this `in` never holds"),
            hint: Some(hint),
            span,
        })
    }

    fn possible(&self, left: &Left, right: &EntityType) -> bool {
        let linking = &self.linked.linking;
        let Some(below) = self.linked.below.0.get(right) else { return true };
        match left {
            // An entity is in itself. What is not linked has any parents where nothing is held to the schema.
            Left::Types(types) => {
                types.iter().any(|ty| ty == right || below.contains(ty) || (!self.strict && !linking.has(ty)))
            }
            Left::Any(asked) => !below.is_empty() || asked.is_empty() || asked.contains(right),
        }
    }

    fn hint(&self, right: &EntityType) -> String {
        let below = self.linked.below.0.get(right);
        match below.filter(|below| !below.is_empty()) {
            None => format!(
                "in the schema, annotate `{right}` with @members(\"relation\"), or what it contains with @parents(\"relation\")"
            ),
            Some(below) => {
                let mut below: Vec<&EntityType> = below.iter().collect();
                below.sort_unstable();
                format!("by its links only {} can be in `{right}`", named(below.into_iter(), "and"))
            }
        }
    }

    /// The actions that the head admits.
    fn actions(&self) -> impl Iterator<Item = &ActionInfo> {
        let admits = |uid, info: &ActionInfo| match &self.scope.action {
            ActionSide::Any => true,
            ActionSide::Eq(action) => uid == action,
            ActionSide::In(actions) => actions.iter().any(|action| uid == action || info.ancestors.contains(action)),
        };
        let actions = self.linked.effective.actions.iter();
        actions.filter(move |(uid, info)| admits(*uid, info)).map(|(_, info)| info)
    }

    /// What the principal or the resource may be; `None` when the schema lets nothing be asked.
    fn side(&self, var: Var) -> Option<Left> {
        let (side, asked): (&Side, fn(&ActionInfo) -> &Vec<EntityType>) = match var {
            Var::Principal => (&self.scope.principal, |info| &info.principals),
            Var::Resource => (&self.scope.resource, |info| &info.resources),
            Var::Action | Var::Context => return None,
        };
        let known = match side {
            Side::Is(ty) | Side::IsIn(ty, _) => Some(ty),
            Side::Eq(Target::Literal(uid)) => Some(uid.entity_type()),
            Side::Eq(Target::Slot) | Side::In(_) | Side::Any => None,
        };
        let mut types: Vec<EntityType> = self.actions().flat_map(asked).cloned().collect();
        types.sort_unstable();
        types.dedup();
        if !self.strict {
            return Some(known.map_or(Left::Any(types), |known| Left::Types(vec![known.clone()])));
        }
        types.retain(|ty| known.is_none_or(|known| known == ty));
        (!types.is_empty()).then_some(Left::Types(types))
    }

    /// What may stand on the left; `None` when that cannot be told.
    fn left(&self, expr: &Expr) -> Option<Left> {
        if let ExprKind::Var(var) = expr.expr_kind() {
            return self.side(*var);
        }
        let types = self.values(expr)?.into_iter().map(entity).collect::<Option<Vec<_>>>()?;
        (!types.is_empty()).then_some(Left::Types(types))
    }

    /// The types of the entities that may stand on the right; `None` when they cannot be told.
    fn right(&self, expr: &Expr) -> Option<Vec<EntityType>> {
        if let ExprKind::Set(items) = expr.expr_kind() {
            let items = items.iter().map(|item| self.right(item)).collect::<Option<Vec<_>>>()?;
            return Some(items.concat());
        }
        let element = |ty| if let SchemaType::Set { element_ty } = ty { *element_ty } else { ty };
        self.values(expr)?.into_iter().map(|ty| entity(element(ty))).collect()
    }

    /// The types of what an expression may come to, each once; `None` when the schema does not say.
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other expression leads to an entity")]
    fn values(&self, expr: &Expr) -> Option<Vec<SchemaType>> {
        let mut found: Vec<SchemaType> = Vec::new();
        match expr.expr_kind() {
            ExprKind::Lit(Literal::EntityUID(uid)) => found.push(SchemaType::Entity { ty: uid.entity_type().clone() }),
            ExprKind::If { then_expr, else_expr, .. } => {
                found.extend(self.values(then_expr)?);
                found.extend(self.values(else_expr)?);
            }
            _ if !self.strict => return None,
            ExprKind::Var(var) => match self.side(*var)? {
                Left::Types(types) => found.extend(types.into_iter().map(|ty| SchemaType::Entity { ty })),
                Left::Any(_) => return None,
            },
            ExprKind::GetAttr { expr, attr } if matches!(expr.expr_kind(), ExprKind::Var(Var::Context)) => {
                found.extend(self.actions().filter_map(|info| Some(info.context.get(attr)?.ty.clone())));
            }
            ExprKind::GetAttr { expr, attr } => {
                let types = &self.linked.effective.types;
                found.extend(self.values(expr)?.into_iter().filter_map(|of| match of {
                    SchemaType::Entity { ty } => Some(types.get(&ty)?.attributes.get(attr)?.ty.clone()),
                    SchemaType::Record { attrs, .. } => attrs.get(attr).map(AttributeType::schema_type).cloned(),
                    _ => None,
                }));
            }
            ExprKind::BinaryApp { op: BinaryOp::GetTag, arg1, .. } => {
                let types = &self.linked.effective.types;
                let tag = |of| types.get(&entity(of)?)?.tags.clone();
                found.extend(self.values(arg1)?.into_iter().filter_map(tag));
            }
            _ => return None,
        }
        let mut once: Vec<SchemaType> = Vec::new();
        for ty in found {
            if !once.contains(&ty) {
                once.push(ty);
            }
        }
        (!once.is_empty()).then_some(once)
    }
}

fn entity(ty: SchemaType) -> Option<EntityType> {
    if let SchemaType::Entity { ty } = ty { Some(ty) } else { None }
}

/// Where the entity of a head stands.
fn place(constraint: &PrincipalOrResourceConstraint) -> Option<Span> {
    match constraint {
        PrincipalOrResourceConstraint::In(EntityReference::EUID(uid))
        | PrincipalOrResourceConstraint::IsIn(_, EntityReference::EUID(uid))
        | PrincipalOrResourceConstraint::Eq(EntityReference::EUID(uid)) => span_at(uid.loc()),
        PrincipalOrResourceConstraint::In(EntityReference::Slot(_))
        | PrincipalOrResourceConstraint::IsIn(_, EntityReference::Slot(_))
        | PrincipalOrResourceConstraint::Eq(EntityReference::Slot(_))
        | PrincipalOrResourceConstraint::Any
        | PrincipalOrResourceConstraint::Is(_) => None,
    }
}

/// Types as a list, the first few of many.
fn named<'t>(types: impl ExactSizeIterator<Item = &'t EntityType>, join: &str) -> String {
    const SHOWN: usize = 5;
    let more = types.len().saturating_sub(SHOWN);
    let mut names: Vec<String> = Vec::new();
    for ty in types.take(SHOWN).map(|ty| format!("`{ty}`")) {
        if !names.contains(&ty) {
            names.push(ty);
        }
    }
    if more > 0 {
        names.push(format!("{more} more"));
    }
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {join} {last}", rest.join(", ")),
        _ => names.concat(),
    }
}
