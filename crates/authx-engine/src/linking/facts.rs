//! Facts: what a condition asks of the relation graph, found in its text and replaced by values.
//!
//! `rel` has one legal shape, `S in T`: T is `path.rel.relation`, a set literal of such, or an `if` of them; S is a
//! path. Each becomes an attribute of one hidden entity that no policy can name. The decision sets the attribute when
//! the fact holds or does not, and leaves it out when the fact failed, so that reaching it is an error in the order of
//! Cedar's own short circuits. Every other mention of `rel` is refused.

use smol_str::SmolStr;

use super::{Linking, is_reserved_type};
use crate::access::Root;
use crate::cedar::{BinaryOp, Expr, ExprKind, Literal, Loc, Var};
use crate::condition::without_position;
use crate::problem::Span;

/// The attribute of linked types that stands for their relations.
pub(crate) const REL: &str = "rel";
/// The namespace that belongs to the engine wherever a schema links types.
pub(crate) const NAMESPACE: &str = "AuthX";
/// The type of that namespace that relations have in the effective schema.
pub(super) const USERSET: &str = "Userset";
/// Facts that one condition may have, each counted once for every way through its `if`s.
const MAX_FACTS: usize = 256;

/// One question to the graph: whether what `subject` leads to has `relation` to what `object` leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    /// Its text, the same wherever the same is asked; the hidden entity's attribute.
    pub(crate) name: SmolStr,
    pub(crate) subject: Path,
    pub(crate) relation: SmolStr,
    pub(crate) object: Path,
}

/// From a root of the request by attributes and tags to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) root: Root,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Attribute(SmolStr),
    Tag(SmolStr),
}

/// Why a mention of `rel` has no meaning, and where it stands.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) span: Option<Span>,
}

/// A condition whose facts are values, and the facts.
pub(crate) struct Compiled {
    pub(crate) condition: Expr,
    pub(crate) facts: Vec<Fact>,
}

/// Replaces the facts of a condition.
///
/// # Errors
/// The first mention of `rel` or of the reserved namespace that is no fact.
pub(crate) fn compile(condition: &Expr, linking: &Linking) -> Result<Compiled, Refused> {
    let mut compiler = Compiler { linking, facts: Vec::new() };
    let condition = compiler.plain(condition)?;
    Ok(Compiled { condition, facts: compiler.facts })
}

/// One of several, as a condition says.
enum Choice<T> {
    One(T),
    If(Expr, Box<Choice<T>>, Box<Choice<T>>),
}

/// The right side of a fact.
enum Target {
    Relation(Choice<Path>, SmolStr),
    Any(Vec<Target>),
    If(Expr, Box<Target>, Box<Target>),
}

struct Compiler<'a> {
    linking: &'a Linking,
    facts: Vec<Fact>,
}

impl Compiler<'_> {
    /// An expression outside of facts.
    fn plain(&mut self, expr: &Expr) -> Result<Expr, Refused> {
        Ok(match expr.expr_kind() {
            ExprKind::Lit(Literal::EntityUID(uid)) if is_reserved_type(uid.entity_type()) => {
                return Err(reserved(expr, &uid.to_string()));
            }
            ExprKind::Lit(_) | ExprKind::Var(_) | ExprKind::Slot(_) | ExprKind::Unknown(_) => expr.clone(),
            ExprKind::If { test_expr, then_expr, else_expr } => {
                Expr::ite(self.plain(test_expr)?, self.plain(then_expr)?, self.plain(else_expr)?)
            }
            ExprKind::And { left, right } => Expr::and(self.plain(left)?, self.plain(right)?),
            ExprKind::Or { left, right } => Expr::or(self.plain(left)?, self.plain(right)?),
            ExprKind::UnaryApp { op, arg } => Expr::unary_app(*op, self.plain(arg)?),
            ExprKind::BinaryApp { op: BinaryOp::In, arg1, arg2 } if asks(arg2) => {
                let subject = self.subject(arg1)?;
                let target = self.target(arg2)?;
                self.fact(&subject, &target)?
            }
            ExprKind::BinaryApp { op, arg1, arg2 } => Expr::binary_app(*op, self.plain(arg1)?, self.plain(arg2)?),
            ExprKind::ExtensionFunctionApp { fn_name, args } => {
                let args: Result<Vec<Expr>, Refused> = args.iter().map(|arg| self.plain(arg)).collect();
                Expr::call_extension_fn(fn_name.clone(), args?)
            }
            ExprKind::GetAttr { attr, .. } | ExprKind::HasAttr { attr, .. } if attr == REL => {
                return Err(misplaced(expr));
            }
            ExprKind::ExtHasAttr { attrs, .. } if attrs.iter().any(|attr| attr == REL) => return Err(misplaced(expr)),
            ExprKind::GetAttr { expr, attr } => Expr::get_attr(self.plain(expr)?, attr.clone()),
            ExprKind::HasAttr { expr, attr } => Expr::has_attr(self.plain(expr)?, attr.clone()),
            ExprKind::ExtHasAttr { expr, attrs } => Expr::extended_has_attr(self.plain(expr)?, attrs.clone()),
            ExprKind::Like { expr, pattern } => Expr::like(self.plain(expr)?, pattern.clone()),
            ExprKind::Is { entity_type, .. } if is_reserved_type(entity_type) => {
                return Err(reserved(expr, &entity_type.to_string()));
            }
            ExprKind::Is { expr, entity_type } => Expr::is_entity_type(self.plain(expr)?, entity_type.clone()),
            ExprKind::Set(items) => {
                let items: Result<Vec<Expr>, Refused> = items.iter().map(|item| self.plain(item)).collect();
                Expr::set(items?)
            }
            ExprKind::Record(fields) if fields.contains_key(REL) => return Err(misplaced(expr)),
            ExprKind::Record(fields) => {
                let mut plain = std::collections::BTreeMap::new();
                for (name, value) in fields.iter() {
                    plain.insert(name.clone(), self.plain(value)?);
                }
                Expr::record_arc(std::sync::Arc::new(plain))
            }
        })
    }

    fn subject(&mut self, expr: &Expr) -> Result<Choice<Path>, Refused> {
        if asks(expr) {
            return Err(misplaced(expr));
        }
        self.path(expr)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what is none of these is one relation, or refused there")]
    fn target(&mut self, expr: &Expr) -> Result<Target, Refused> {
        match expr.expr_kind() {
            ExprKind::If { test_expr, then_expr, else_expr } => {
                let test = self.plain(test_expr)?;
                Ok(Target::If(test, Box::new(self.target(then_expr)?), Box::new(self.target(else_expr)?)))
            }
            ExprKind::Set(items) => {
                let relations: Result<Vec<Target>, Refused> = items.iter().map(|item| self.relation(item)).collect();
                Ok(Target::Any(relations?))
            }
            _ => self.relation(expr),
        }
    }

    /// `path.rel.relation`.
    fn relation(&mut self, expr: &Expr) -> Result<Target, Refused> {
        let ExprKind::GetAttr { expr: rel, attr: relation } = expr.expr_kind() else { return Err(misplaced(expr)) };
        let ExprKind::GetAttr { expr: object, attr } = rel.expr_kind() else { return Err(misplaced(expr)) };
        if attr != REL {
            return Err(misplaced(expr));
        }
        if !self.linking.has_relation(relation) {
            return Err(Refused {
                code: "unknown_relation",
                message: format!("no linked type has the relation `{relation}`"),
                hint: Some(self.linking.relation_meant(relation)),
                span: span_of(expr),
            });
        }
        Ok(Target::Relation(self.path(object)?, relation.clone()))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "every other expression is no path")]
    fn path(&mut self, expr: &Expr) -> Result<Choice<Path>, Refused> {
        let root = |root| Ok(Choice::One(Path { root, steps: Vec::new() }));
        match expr.expr_kind() {
            ExprKind::Var(Var::Principal) => root(Root::Principal),
            ExprKind::Var(Var::Resource) => root(Root::Resource),
            ExprKind::Var(Var::Context) => root(Root::Context),
            ExprKind::Lit(Literal::EntityUID(uid)) if is_reserved_type(uid.entity_type()) => {
                Err(reserved(expr, &uid.to_string()))
            }
            ExprKind::Lit(Literal::EntityUID(uid)) => root(Root::Literal(std::sync::Arc::new(without_position(uid)))),
            ExprKind::GetAttr { attr, .. } if attr == REL => Err(misplaced(expr)),
            ExprKind::GetAttr { expr, attr } => Ok(self.path(expr)?.step(&Step::Attribute(attr.clone()))),
            ExprKind::BinaryApp { op: BinaryOp::GetTag, arg1, arg2 } => match arg2.expr_kind() {
                ExprKind::Lit(Literal::String(tag)) => Ok(self.path(arg1)?.step(&Step::Tag(tag.clone()))),
                _ => Err(no_path(expr)),
            },
            ExprKind::If { test_expr, then_expr, else_expr } => {
                let test = self.plain(test_expr)?;
                Ok(Choice::If(test, Box::new(self.path(then_expr)?), Box::new(self.path(else_expr)?)))
            }
            _ => Err(no_path(expr)),
        }
    }

    /// The value of `subject in target`, with Cedar's errors in Cedar's order.
    fn fact(&mut self, subject: &Choice<Path>, target: &Target) -> Result<Expr, Refused> {
        match (subject, target) {
            (Choice::If(test, a, b), target) => {
                Ok(Expr::ite(test.clone(), self.fact(a, target)?, self.fact(b, target)?))
            }
            (Choice::One(path), Target::If(test, a, b)) => {
                Ok(behind(path, Expr::ite(test.clone(), self.fact(subject, a)?, self.fact(subject, b)?)))
            }
            // All members are evaluated, so one that failed is an error of the whole.
            (Choice::One(path), Target::Any(targets)) => {
                let members: Result<Vec<Expr>, Refused> =
                    targets.iter().map(|target| self.fact(subject, target)).collect();
                let any = Expr::contains(Expr::set(members?), Expr::val(true));
                Ok(if targets.is_empty() { is_entity(path) } else { any })
            }
            (Choice::One(path), Target::Relation(Choice::If(test, a, b), relation)) => {
                let mut of =
                    |choice: &Choice<Path>| self.fact(subject, &Target::Relation(choice.clone(), relation.clone()));
                Ok(behind(path, Expr::ite(test.clone(), of(a)?, of(b)?)))
            }
            (Choice::One(subject), Target::Relation(Choice::One(object), relation)) => {
                self.value(subject, object, relation)
            }
        }
    }

    fn value(&mut self, subject: &Path, object: &Path, relation: &SmolStr) -> Result<Expr, Refused> {
        let name = SmolStr::new(format!("{subject} in {object}.{REL}{}", attribute(relation)));
        if !self.facts.iter().any(|fact| fact.name == name) {
            if self.facts.len() == MAX_FACTS {
                return Err(Refused {
                    code: "expression_too_complex",
                    message: format!("the condition asks for more than {MAX_FACTS} relations"),
                    hint: None,
                    span: None,
                });
            }
            let (subject, object) = (subject.clone(), object.clone());
            self.facts.push(Fact { name: name.clone(), subject, relation: relation.clone(), object });
        }
        let value = Expr::get_attr(Expr::val(self.linking.hidden().clone()), name);
        Ok(behind(subject, behind(object, value)))
    }
}

/// A value that is looked at once a path has led to an entity: what it cannot reach is Cedar's to report first.
fn behind(path: &Path, value: Expr) -> Expr {
    // Every root but the context is an entity.
    let leads = path.steps.is_empty() && path.root != Root::Context;
    if leads { value } else { Expr::or(is_entity(path), value) }
}

/// False if the path leads to an entity, else an error.
fn is_entity(path: &Path) -> Expr {
    Expr::is_in(path.expression(), Expr::set([]))
}

impl<T: Clone> Clone for Choice<T> {
    fn clone(&self) -> Self {
        match self {
            Self::One(one) => Self::One(one.clone()),
            Self::If(test, a, b) => Self::If(test.clone(), a.clone(), b.clone()),
        }
    }
}

impl Choice<Path> {
    fn step(self, step: &Step) -> Self {
        match self {
            Self::One(mut path) => {
                path.steps.push(step.clone());
                Self::One(path)
            }
            Self::If(test, a, b) => Self::If(test, Box::new(a.step(step)), Box::new(b.step(step))),
        }
    }
}

impl Path {
    fn expression(&self) -> Expr {
        let root = match &self.root {
            Root::Principal => Expr::var(Var::Principal),
            Root::Action => Expr::var(Var::Action),
            Root::Resource => Expr::var(Var::Resource),
            Root::Context => Expr::var(Var::Context),
            Root::Literal(uid) => Expr::val(uid.as_ref().clone()),
        };
        self.steps.iter().fold(root, |at, step| match step {
            Step::Attribute(name) => Expr::get_attr(at, name.clone()),
            Step::Tag(name) => Expr::binary_app(BinaryOp::GetTag, at, Expr::val(name.clone())),
        })
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.root {
            Root::Principal => f.write_str("principal")?,
            Root::Action => f.write_str("action")?,
            Root::Resource => f.write_str("resource")?,
            Root::Context => f.write_str("context")?,
            Root::Literal(uid) => write!(f, "{uid}")?,
        }
        self.steps.iter().try_for_each(|step| match step {
            Step::Attribute(name) => f.write_str(&attribute(name)),
            Step::Tag(name) => write!(f, ".getTag(\"{}\")", name.escape_debug()),
        })
    }
}

/// An attribute as it is written behind what it is read from.
fn attribute(name: &str) -> String {
    let mut letters = name.chars();
    let is_word = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_word { format!(".{name}") } else { format!("[\"{}\"]", name.escape_debug()) }
}

/// Whether an expression reads `rel` somewhere that could make it the right side of a fact.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other expression is none that a relation may stand in")]
pub(crate) fn asks(expr: &Expr) -> bool {
    match expr.expr_kind() {
        ExprKind::GetAttr { expr, attr } => attr == REL || asks(expr),
        ExprKind::Set(items) => items.iter().any(asks),
        ExprKind::If { then_expr, else_expr, .. } => asks(then_expr) || asks(else_expr),
        _ => false,
    }
}

pub(crate) fn span_of(expr: &Expr) -> Option<Span> {
    span_at(expr.source_loc())
}

pub(super) fn span_at(loc: Option<&Loc>) -> Option<Span> {
    loc.map(|loc| Span { offset: loc.span.offset(), length: loc.span.len() })
}

fn reserved(expr: &Expr, what: &str) -> Refused {
    Refused::reserved(what, span_of(expr))
}

impl Refused {
    pub(super) fn reserved(what: &str, span: Option<Span>) -> Self {
        let message = format!("`{what}` is in the namespace `{NAMESPACE}`, which policies cannot name");
        Self { code: super::RESERVED, message, hint: None, span }
    }
}

fn misplaced(expr: &Expr) -> Refused {
    Refused {
        code: "misplaced_relation",
        message: format!("`{REL}` may only stand on the right of `in`, as `path.{REL}.relation`"),
        hint: Some(format!("write `principal in resource.{REL}.viewer`, or `principal in [resource.{REL}.viewer, …]`")),
        span: span_of(expr),
    }
}

fn no_path(expr: &Expr) -> Refused {
    Refused {
        code: "misplaced_relation",
        message: "what is asked of a relation must be a path".to_owned(),
        hint: Some(
            "start at `principal`, `resource`, `context` or an entity, and go on by attributes, `getTag(\"name\")` or `if`"
                .to_owned(),
        ),
        span: span_of(expr),
    }
}
