//! What of the schema and of the relation model the policies of a release use.
//!
//! Where it cannot be told what a policy means, all that it may mean counts as used.

use std::collections::HashSet;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::access::{Node, Root};
use crate::cedar::{AttributeType, EntityType, EntityUID, Expr, ExprKind, Literal, SchemaType, Var};
use crate::condition::each_child;
use crate::linking::{Linking, Path, Step};
use crate::map::Table;
use crate::policy::{Body, Policy};
use crate::release::Release;
use crate::schema::{ActionInfo, Schema};
use crate::scope::{ActionSide, Side, Target};

/// What policies name and reach.
#[derive(Debug, Default)]
pub(super) struct Usage<'r> {
    pub(super) types: HashSet<EntityType>,
    /// Attributes that are read, by the type that has them.
    pub(super) attributes: HashSet<(EntityType, SmolStr)>,
    /// Keys of the context, of whatever action.
    pub(super) context: HashSet<SmolStr>,
    /// Some condition takes the context as a whole.
    pub(super) whole_context: bool,
    /// Actions and groups of actions that a policy names.
    pub(super) named_actions: HashSet<EntityUID>,
    /// Actions that some permit may match.
    pub(super) permitted: HashSet<EntityUID>,
    /// Relations that conditions ask for.
    pub(super) relations: HashSet<SmolStr>,
    /// Heads that permit, and conditions with what their heads leave open: generated sets repeat a few.
    seen: HashSet<(Option<*const Body>, Open<'r>)>,
}

/// The types that a head names, and the actions that it admits.
type Open<'r> = (Option<&'r EntityType>, Option<&'r EntityType>, *const Actions<'r>);

type Actions<'r> = Vec<(&'r EntityUID, &'r ActionInfo)>;

/// Collects what a release uses of its schema.
pub(super) fn usage<'r>(release: &'r Release, schema: &'r Schema) -> Usage<'r> {
    let mut usage = Usage::default();
    let mut admitted: Table<&ActionSide, Arc<Actions<'r>>> = Table::default();
    for policy in release.policies().filter(|policy| !policy.impossible) {
        let side = &policy.scope.action;
        let actions = admitted.entry(side).or_insert_with(|| Arc::new(actions(schema, side)));
        usage.policy(policy, &Arc::clone(actions), schema, release.linking());
    }
    usage.parents(schema);
    usage
}

/// The actions that a head admits.
fn actions<'r>(schema: &'r Schema, side: &ActionSide) -> Actions<'r> {
    let admits = |uid: &EntityUID, info: &ActionInfo| match side {
        ActionSide::Any => true,
        ActionSide::Eq(action) => uid == action,
        ActionSide::In(groups) => groups.iter().any(|group| uid == group || info.ancestors.contains(group)),
    };
    schema.actions.iter().filter(|(uid, info)| admits(uid, info)).collect()
}

/// The type that a side of a head names.
fn named(side: &Side) -> Option<&EntityType> {
    match side {
        Side::Is(ty) | Side::IsIn(ty, _) => Some(ty),
        Side::Eq(Target::Literal(uid)) => Some(uid.entity_type()),
        Side::Eq(Target::Slot) | Side::In(_) | Side::Any => None,
    }
}

impl<'r> Usage<'r> {
    fn policy(
        &mut self,
        policy: &'r Policy,
        actions: &Arc<Actions<'r>>,
        schema: &'r Schema,
        linking: Option<&Linking>,
    ) {
        let scope = &policy.scope;
        let (principal, resource) = (named(&scope.principal), named(&scope.resource));
        for ty in scope.types() {
            self.types.insert(ty.clone());
        }
        for uid in scope.uids() {
            if uid.is_action() {
                self.named_actions.insert(uid.clone());
            } else {
                self.types.insert(uid.entity_type().clone());
            }
        }
        let admits = |side: Option<&EntityType>, types: &[EntityType]| side.is_none_or(|side| types.contains(side));
        let open = (principal, resource, Arc::as_ptr(actions));
        if !policy.forbids() && self.seen.insert((None, open)) {
            let fits = |info: &ActionInfo| admits(principal, &info.principals) && admits(resource, &info.resources);
            self.permitted.extend(actions.iter().filter(|(_, info)| fits(info)).map(|(uid, _)| (*uid).clone()));
        }
        if !self.seen.insert((Some(Arc::as_ptr(&policy.body)), open)) {
            return;
        }
        let of = |side: Option<&EntityType>, asked: fn(&ActionInfo) -> &Vec<EntityType>| -> Vec<SchemaType> {
            let mut types: Vec<EntityType> = match side {
                Some(ty) => vec![ty.clone()],
                None => actions.iter().flat_map(|(_, info)| asked(info).iter().cloned()).collect(),
            };
            types.sort_unstable();
            types.dedup();
            types.into_iter().map(|ty| SchemaType::Entity { ty }).collect()
        };
        let (principals, resources) = (of(principal, |info| &info.principals), of(resource, |info| &info.resources));
        for ty in principals.iter().chain(&resources) {
            self.value(ty);
        }
        let roots = Roots { schema, principals, resources, actions: actions.as_slice() };
        for (root, node) in &policy.body.access.roots {
            self.root(root, node, &roots);
        }
        for fact in &policy.body.facts {
            self.relations.insert(fact.relation.clone());
            self.path(&fact.subject, &roots);
            self.path(&fact.object, &roots);
        }
        if let Some(condition) = &policy.body.condition {
            self.words(condition, linking);
        }
    }

    fn root(&mut self, root: &Root, node: &Node, roots: &Roots<'_>) {
        match root {
            Root::Principal => self.node(&roots.principals, node, roots.schema),
            Root::Resource => self.node(&roots.resources, node, roots.schema),
            Root::Literal(uid) => {
                let ty = SchemaType::Entity { ty: uid.entity_type().clone() };
                self.node(&[ty], node, roots.schema);
            }
            Root::Context => {
                for (name, below) in &node.attributes {
                    self.context.insert(name.clone());
                    self.node(&roots.context(name), below, roots.schema);
                }
            }
            Root::Action => {}
        }
    }

    /// Marks what is asked of values of some types.
    fn node(&mut self, types: &[SchemaType], node: &Node, schema: &Schema) {
        for ty in types {
            self.value(ty);
        }
        for (name, below) in &node.attributes {
            let found: Vec<SchemaType> = types.iter().filter_map(|ty| self.attribute(ty, name, schema)).collect();
            self.node(&found, below, schema);
        }
        if let Some(below) = &node.tags {
            let found: Vec<SchemaType> = types.iter().filter_map(|ty| tags(ty, schema)).collect();
            self.node(&found, below, schema);
        }
    }

    /// The type of an attribute, which counts as read.
    fn attribute(&mut self, of: &SchemaType, name: &SmolStr, schema: &Schema) -> Option<SchemaType> {
        match of {
            SchemaType::Entity { ty } => {
                let found = schema.types.get(ty)?.attributes.get(name)?;
                self.attributes.insert((ty.clone(), name.clone()));
                Some(found.ty.clone())
            }
            SchemaType::Record { attrs, .. } => attrs.get(name).map(AttributeType::schema_type).cloned(),
            SchemaType::Bool
            | SchemaType::Long
            | SchemaType::String
            | SchemaType::Set { .. }
            | SchemaType::EmptySet
            | SchemaType::Extension { .. } => None,
        }
    }

    /// Marks the entity types that are in a value.
    fn value(&mut self, ty: &SchemaType) {
        match ty {
            SchemaType::Entity { ty } => {
                if !self.types.contains(ty) {
                    self.types.insert(ty.clone());
                }
            }
            SchemaType::Set { element_ty } => self.value(element_ty),
            SchemaType::Record { attrs, .. } => attrs.values().for_each(|ty| self.value(ty.schema_type())),
            SchemaType::Bool
            | SchemaType::Long
            | SchemaType::String
            | SchemaType::EmptySet
            | SchemaType::Extension { .. } => {}
        }
    }

    fn path(&mut self, path: &Path, roots: &Roots<'_>) {
        let node = path.steps.iter().rev().fold(Node::default(), |below, step| match step {
            Step::Attribute(name) => Node { attributes: vec![(name.clone(), below)], ..Node::default() },
            Step::Tag(_) => Node { tags: Some(Box::new(below)), ..Node::default() },
        });
        self.root(&path.root, &node, roots);
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "every other expression names nothing itself")]
    /// Marks what a condition names: types, actions, and the context when nothing is taken out of it.
    fn words(&mut self, condition: &Expr, linking: Option<&Linking>) {
        let mut open = vec![condition];
        while let Some(expr) = open.pop() {
            match expr.expr_kind() {
                ExprKind::Lit(Literal::EntityUID(uid))
                    if linking.is_some_and(|linking| linking.hidden() == uid.as_ref()) => {}
                ExprKind::Lit(Literal::EntityUID(uid)) if uid.is_action() => {
                    self.named_actions.insert(uid.as_ref().clone());
                }
                ExprKind::Lit(Literal::EntityUID(uid)) => {
                    self.types.insert(uid.entity_type().clone());
                }
                ExprKind::Is { entity_type, .. } => {
                    self.types.insert(entity_type.clone());
                }
                ExprKind::Var(Var::Context) => self.whole_context = true,
                ExprKind::GetAttr { expr, .. } | ExprKind::HasAttr { expr, .. } | ExprKind::ExtHasAttr { expr, .. }
                    if matches!(expr.expr_kind(), ExprKind::Var(Var::Context)) =>
                {
                    continue;
                }
                _ => {}
            }
            each_child(expr, |child| open.push(child));
        }
    }

    /// Types between two that are used: without them the lower would not be in the upper.
    fn parents(&mut self, schema: &Schema) {
        let mut children: Table<&EntityType, Vec<&EntityType>> = Table::default();
        for (child, info) in &schema.types {
            for parent in &info.parents {
                children.entry(parent).or_default().push(child);
            }
        }
        let above = reached(&self.types, |ty| schema.types.get(ty).into_iter().flat_map(|info| &info.parents));
        let below = reached(&self.types, |ty| children.get(ty).into_iter().flatten().copied());
        let between: Vec<EntityType> = above.intersection(&below).map(|ty| (*ty).clone()).collect();
        self.types.extend(between);
    }
}

/// What steps lead to from any of some types.
fn reached<'t, S: Iterator<Item = &'t EntityType>>(
    from: &HashSet<EntityType>,
    steps: impl Fn(&EntityType) -> S,
) -> HashSet<&'t EntityType> {
    let mut met = HashSet::new();
    let mut open: Vec<&EntityType> = from.iter().flat_map(&steps).collect();
    while let Some(ty) = open.pop() {
        if met.insert(ty) {
            open.extend(steps(ty));
        }
    }
    met
}

/// What the variables of one policy may be.
struct Roots<'r> {
    schema: &'r Schema,
    principals: Vec<SchemaType>,
    resources: Vec<SchemaType>,
    actions: &'r [(&'r EntityUID, &'r ActionInfo)],
}

impl Roots<'_> {
    fn context(&self, name: &SmolStr) -> Vec<SchemaType> {
        let mut types: Vec<SchemaType> = Vec::new();
        for (_, info) in self.actions {
            if let Some(found) = info.context.get(name).filter(|found| !types.contains(&found.ty)) {
                types.push(found.ty.clone());
            }
        }
        types
    }
}

fn tags(of: &SchemaType, schema: &Schema) -> Option<SchemaType> {
    match of {
        SchemaType::Entity { ty } => schema.types.get(ty)?.tags.clone(),
        SchemaType::Bool
        | SchemaType::Long
        | SchemaType::String
        | SchemaType::Set { .. }
        | SchemaType::EmptySet
        | SchemaType::Record { .. }
        | SchemaType::Extension { .. } => None,
    }
}
