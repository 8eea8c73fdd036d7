//! Access paths: what of the entities a condition can reach.
//!
//! Cedar has no iteration and every attribute name is written in the text, so one walk over a condition finds every
//! dereference that any evaluation of it can make. A request then builds only the entities and attributes on these
//! paths; that the answer is the same as with all of them is held by tests (sliced == whole).

use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cedar::{BinaryOp, EntityUID, Expr, ExprKind, Literal, UnaryOp, Var};

/// Where a path begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Root {
    Principal,
    Action,
    Resource,
    Context,
    Literal(Arc<EntityUID>),
}

/// What is asked of the value at one point of a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Node {
    /// The value is dereferenced: if it is an entity, it must be loaded.
    pub(crate) loaded: bool,
    /// The value stands on the left of an `in`: its ancestors must be known.
    pub(crate) ancestors: bool,
    /// Attributes, or keys of a record, that are read or tested.
    pub(crate) attributes: Vec<(SmolStr, Node)>,
    /// Tags are read or tested; the node is that of every tag's value.
    pub(crate) tags: Option<Box<Node>>,
}

/// Every path of one condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AccessPaths {
    pub(crate) roots: Vec<(Root, Node)>,
}

/// A condition has more than [`MAX_POINTS`] distinct paths: nested `if`s double them at each level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyPaths;

/// Bounds the work of the walk; written conditions stay far below.
pub(crate) const MAX_POINTS: usize = 20_000;

/// The entities that an expression may stand for: points in the tree of paths, or the fields of a record literal.
#[derive(Debug, Clone, Default)]
struct Reach {
    points: Vec<Point>,
    fields: BTreeMap<SmolStr, Reach>,
}

/// A root and the steps from it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Point {
    root: Root,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Attribute(SmolStr),
    Tag,
}

impl AccessPaths {
    /// Computes the paths of a condition; `hidden` is the entity that holds the facts of a request.
    ///
    /// # Errors
    /// When there are too many.
    pub(crate) fn of(condition: &Expr, hidden: Option<&EntityUID>) -> Result<Self, TooManyPaths> {
        let mut walk = Walk { paths: Self::default(), points: 0, hidden };
        walk.walk(condition);
        if walk.points > MAX_POINTS { Err(TooManyPaths) } else { Ok(walk.paths) }
    }
}

struct Walk<'a> {
    paths: AccessPaths,
    /// How many points were marked so far.
    points: usize,
    hidden: Option<&'a EntityUID>,
}

impl Walk<'_> {
    fn node(&mut self, point: &Point) -> &mut Node {
        let roots = &mut self.paths.roots;
        let at = if let Some(at) = roots.iter().position(|(root, _)| *root == point.root) {
            at
        } else {
            roots.push((point.root.clone(), Node::default()));
            roots.len() - 1
        };
        #[expect(clippy::indexing_slicing, reason = "found or pushed above")]
        let mut node = &mut roots[at].1;
        for step in &point.steps {
            node.loaded = true;
            node = match step {
                Step::Attribute(name) => node.attribute(name),
                Step::Tag => node.tags.get_or_insert_default(),
            };
        }
        node
    }

    fn mark(&mut self, reach: &Reach, what: impl Fn(&mut Node)) {
        self.points += reach.points.len();
        if self.points > MAX_POINTS {
            return;
        }
        for point in &reach.points {
            what(self.node(point));
        }
    }

    /// Walks an expression for its effects and tells what it may stand for.
    fn walk(&mut self, expr: &Expr) -> Reach {
        if self.points > MAX_POINTS {
            return Reach::default();
        }
        match expr.expr_kind() {
            // The facts of a request are no entity of a store.
            ExprKind::Lit(Literal::EntityUID(uid)) if self.hidden == Some(uid.as_ref()) => Reach::default(),
            ExprKind::Lit(Literal::EntityUID(uid)) => Reach::point(Root::Literal(Arc::clone(uid))),
            ExprKind::Lit(Literal::Bool(_) | Literal::Long(_) | Literal::String(_))
            | ExprKind::Slot(_)
            | ExprKind::Unknown(_) => Reach::default(),
            ExprKind::Var(var) => Reach::point(match var {
                Var::Principal => Root::Principal,
                Var::Action => Root::Action,
                Var::Resource => Root::Resource,
                Var::Context => Root::Context,
            }),
            ExprKind::If { test_expr, then_expr, else_expr } => {
                self.walk(test_expr);
                let mut reach = self.walk(then_expr);
                reach.join(self.walk(else_expr));
                reach
            }
            ExprKind::And { left, right } | ExprKind::Or { left, right } => {
                self.walk(left);
                self.walk(right);
                Reach::default()
            }
            ExprKind::UnaryApp { op: UnaryOp::Not | UnaryOp::Neg | UnaryOp::IsEmpty, arg } => {
                self.walk(arg);
                Reach::default()
            }
            ExprKind::BinaryApp { op, arg1, arg2 } => self.walk_binary(*op, arg1, arg2),
            ExprKind::ExtensionFunctionApp { args, .. } => {
                args.iter().for_each(|arg| {
                    self.walk(arg);
                });
                Reach::default()
            }
            ExprKind::GetAttr { expr, attr } => {
                let reach = self.walk(expr);
                self.step(&reach, attr)
            }
            ExprKind::HasAttr { expr, attr } => {
                let reach = self.walk(expr);
                self.step(&reach, attr);
                Reach::default()
            }
            ExprKind::ExtHasAttr { expr, attrs } => {
                let mut reach = self.walk(expr);
                for attr in attrs {
                    reach = self.step(&reach, attr);
                }
                Reach::default()
            }
            ExprKind::Like { expr, .. } | ExprKind::Is { expr, .. } => {
                self.walk(expr);
                Reach::default()
            }
            // No operator takes an element out of a set, so its members are walked for their effects only.
            ExprKind::Set(items) => {
                items.iter().for_each(|item| {
                    self.walk(item);
                });
                Reach::default()
            }
            ExprKind::Record(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.clone(), self.walk(value))).collect();
                Reach { points: Vec::new(), fields }
            }
        }
    }

    fn walk_binary(&mut self, op: BinaryOp, arg1: &Expr, arg2: &Expr) -> Reach {
        let left = self.walk(arg1);
        self.walk(arg2);
        match op {
            // Nothing is in an empty set, whatever its ancestors.
            BinaryOp::In if matches!(arg2.expr_kind(), ExprKind::Set(items) if items.is_empty()) => {}
            BinaryOp::In => self.mark(&left, |node| node.ancestors = true),
            BinaryOp::GetTag | BinaryOp::HasTag => {
                let reach = left.extended(&Step::Tag);
                self.mark(&reach, |_| {});
                return reach;
            }
            BinaryOp::Eq
            | BinaryOp::Less
            | BinaryOp::LessEq
            | BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Contains
            | BinaryOp::ContainsAll
            | BinaryOp::ContainsAny => {}
        }
        Reach::default()
    }

    /// The attribute `name` of what `reach` stands for.
    fn step(&mut self, reach: &Reach, name: &SmolStr) -> Reach {
        let mut next = reach.extended(&Step::Attribute(name.clone()));
        self.mark(&next, |_| {});
        if let Some(field) = reach.fields.get(name) {
            next.join(field.clone());
        }
        next
    }
}

impl Node {
    fn attribute(&mut self, name: &SmolStr) -> &mut Node {
        let at = if let Some(at) = self.attributes.iter().position(|(n, _)| n == name) {
            at
        } else {
            self.attributes.push((name.clone(), Node::default()));
            self.attributes.len() - 1
        };
        #[expect(clippy::indexing_slicing, reason = "found or pushed above")]
        &mut self.attributes[at].1
    }
}

impl Reach {
    fn point(root: Root) -> Self {
        Self { points: vec![Point { root, steps: Vec::new() }], fields: BTreeMap::new() }
    }

    fn join(&mut self, other: Self) {
        for point in other.points {
            if !self.points.contains(&point) {
                self.points.push(point);
            }
        }
        for (name, reach) in other.fields {
            self.fields.entry(name).or_default().join(reach);
        }
    }

    fn extended(&self, step: &Step) -> Self {
        let points = self.points.iter().map(|point| {
            let mut point = point.clone();
            point.steps.push(step.clone());
            point
        });
        Self { points: points.collect(), fields: BTreeMap::new() }
    }
}
