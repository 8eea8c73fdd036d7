//! Gives every part of an expression its type, and refuses what has none.

#![expect(clippy::wildcard_enum_match_arm, reason = "a type that is not taken is refused, whichever it is")]

use smol_str::SmolStr;

use super::ast::{BinaryOp, Expr, ExprKind, Literal};
use super::call::call;
use super::cost::{Fault, Meter};
use super::function::{Function, operators, overloads};
use super::pattern::Pattern;
use super::time::parse_zone;
use super::tree::{Macro, MacroParts, Node};
use super::types::{Kind, Type};
use super::value::Value;
use crate::relation::model::ParameterType;

/// How many patterns an expression may spell out: each takes memory.
const MAX_PATTERNS: usize = 16;

/// After so many the rest is of no use to an author.
const MAX_PROBLEMS: usize = 10;

/// What is wrong, and at which byte of the expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TypeProblem {
    pub(super) at: usize,
    pub(super) message: String,
}

/// The checked expression, which is a bool or known to be one only when it is evaluated.
///
/// # Errors
/// Everything that is wrong, up to a limit.
pub(super) fn check(expr: &Expr, parameters: &[(SmolStr, ParameterType)]) -> Result<Node, Vec<TypeProblem>> {
    let mut checker = Checker { parameters, locals: Vec::new(), patterns: 0, problems: Vec::new() };
    let (node, result) = checker.expr(expr);
    if !result.kind().fits(Kind::Bool) {
        checker.problem(expr.at, format!("the condition must be a bool, found {result}"));
    }
    if checker.problems.is_empty() { Ok(node) } else { Err(checker.problems) }
}

struct Checker<'a> {
    parameters: &'a [(SmolStr, ParameterType)],
    /// The variables of the macros around the place that is checked, the innermost last.
    locals: Vec<(SmolStr, Type)>,
    patterns: usize,
    problems: Vec<TypeProblem>,
}

type Checked = (Node, Type);

impl Checker<'_> {
    fn problem(&mut self, at: usize, message: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(TypeProblem { at, message: message.into() });
        }
    }

    /// Stands for what could not be typed, so that its problem is reported once.
    fn unknown(&mut self, at: usize, message: impl Into<String>) -> Checked {
        self.problem(at, message);
        (Node::Literal(Literal::Null), Type::Dyn)
    }

    fn expr(&mut self, expr: &Expr) -> Checked {
        match &expr.kind {
            ExprKind::Literal(literal) => (Node::Literal(literal.clone()), type_of(literal)),
            ExprKind::Name(name) => self.name(name, expr.at),
            ExprKind::Select(inner, field) => {
                let (node, kind) = self.field_of(inner, expr.at);
                (Node::Select(Box::new(node), field.clone()), kind)
            }
            ExprKind::Index(inner, index) => self.index(inner, index, expr.at),
            ExprKind::Call { receiver, name, arguments } => self.call(receiver.as_deref(), name, arguments, expr.at),
            ExprKind::Not(inner) => (Node::Not(Box::new(self.bool(inner, "`!`"))), Type::Bool),
            ExprKind::Negate(inner) => self.negate(inner, expr.at),
            ExprKind::Binary(op, left, right) => self.binary(*op, left, right, expr.at),
            ExprKind::And(items) => (Node::And(items.iter().map(|item| self.bool(item, "`&&`")).collect()), Type::Bool),
            ExprKind::Or(items) => (Node::Or(items.iter().map(|item| self.bool(item, "`||`")).collect()), Type::Bool),
            ExprKind::Conditional(parts) => self.conditional(parts, expr.at),
            ExprKind::List(items) => {
                let (nodes, types): (Vec<_>, Vec<_>) = items.iter().map(|item| self.expr(item)).unzip();
                (Node::List(nodes), Type::list(Type::of_all(types)))
            }
            ExprKind::Map(entries) => self.map(entries),
        }
    }

    fn name(&mut self, name: &SmolStr, at: usize) -> Checked {
        let local = self.locals.iter().enumerate().rev().find(|(_, (local, _))| local == name);
        if let Some((index, (_, kind))) = local {
            return (Node::Local(index), kind.clone());
        }
        match self.parameters.iter().enumerate().find(|(_, (parameter, _))| parameter == name) {
            Some((index, (_, kind))) => (Node::Parameter(index), Type::of_parameter(kind)),
            None => self.unknown(at, format!("undeclared name `{name}`")),
        }
    }

    /// What has a field, and the type of its fields.
    fn field_of(&mut self, inner: &Expr, at: usize) -> Checked {
        let (node, kind) = self.expr(inner);
        match kind {
            Type::Dyn => (node, Type::Dyn),
            Type::Map(key, value) if key.kind().fits(Kind::String) => (node, *value),
            other => self.unknown(at, format!("{other} has no fields")),
        }
    }

    fn index(&mut self, inner: &Expr, index: &Expr, at: usize) -> Checked {
        let (inner, kind) = self.expr(inner);
        let (index, index_type) = self.expr(index);
        let node = Node::Index(Box::new([inner, index]));
        match kind {
            Type::Dyn => (node, Type::Dyn),
            Type::List(item) if index_type.kind().fits(Kind::Int) => (node, *item),
            Type::Map(key, value) if key.join(&index_type).is_some() => (node, *value),
            other => self.unknown(at, format!("{other} cannot be indexed by {index_type}")),
        }
    }

    fn bool(&mut self, expr: &Expr, by: &str) -> Node {
        let (node, kind) = self.expr(expr);
        if !kind.kind().fits(Kind::Bool) {
            self.problem(expr.at, format!("{by} takes a bool, found {kind}"));
        }
        node
    }

    fn negate(&mut self, inner: &Expr, at: usize) -> Checked {
        let (node, kind) = self.expr(inner);
        match kind {
            Type::Int | Type::Double | Type::Dyn => (Node::Negate(Box::new(node)), kind),
            other => self.unknown(at, format!("`-` takes an int or a double, found {other}")),
        }
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr, at: usize) -> Checked {
        let (left, left_type) = self.expr(left);
        let (right, right_type) = self.expr(right);
        let result = match op {
            BinaryOp::Equal | BinaryOp::NotEqual => left_type.join(&right_type).map(|_| Type::Bool),
            BinaryOp::In => match &right_type {
                Type::Dyn => Some(Type::Bool),
                Type::List(item) | Type::Map(item, _) => item.join(&left_type).map(|_| Type::Bool),
                _ => None,
            },
            BinaryOp::Add if left_type.kind() == Kind::List && right_type.kind() == Kind::List => {
                left_type.join(&right_type)
            }
            BinaryOp::Add
            | BinaryOp::Subtract
            | BinaryOp::Multiply
            | BinaryOp::Divide
            | BinaryOp::Remainder
            | BinaryOp::Less
            | BinaryOp::LessOrEqual
            | BinaryOp::Greater
            | BinaryOp::GreaterOrEqual => {
                let (left, right) = (left_type.kind(), right_type.kind());
                let fitting = operators(op).iter().filter(|(a, b, _)| left.fits(*a) && right.fits(*b));
                common(fitting.map(|(_, _, gives)| *gives))
            }
        };
        match result {
            Some(result) => (Node::Binary(op, Box::new([left, right])), result),
            None => self.unknown(at, format!("`{}` does not take {left_type} and {right_type}", op.symbol())),
        }
    }

    fn conditional(&mut self, [condition, then, otherwise]: &[Expr; 3], at: usize) -> Checked {
        let condition = self.bool(condition, "`?`");
        let (then, then_type) = self.expr(then);
        let (otherwise, otherwise_type) = self.expr(otherwise);
        match then_type.join(&otherwise_type) {
            Some(result) => (Node::Conditional(Box::new([condition, then, otherwise])), result),
            None => {
                self.unknown(at, format!("both branches must have one type, found {then_type} and {otherwise_type}"))
            }
        }
    }

    fn map(&mut self, entries: &[(Expr, Expr)]) -> Checked {
        let mut nodes = Vec::with_capacity(entries.len());
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for (key, value) in entries {
            let at = key.at;
            let ((key, key_type), (value, value_type)) = (self.expr(key), self.expr(value));
            if !matches!(key_type, Type::Dyn | Type::Bool | Type::Int | Type::Uint | Type::String) {
                self.problem(at, format!("{key_type} cannot be a key"));
            }
            nodes.push((key, value));
            keys.push(key_type);
            values.push(value_type);
        }
        (Node::Map(nodes), Type::map(Type::of_all(keys), Type::of_all(values)))
    }

    fn call(&mut self, receiver: Option<&Expr>, name: &SmolStr, arguments: &[Expr], at: usize) -> Checked {
        if receiver.is_none() && name == "has" {
            return self.has(arguments, at);
        }
        if let Some(range) = receiver
            && let Some(kind) = macro_of(name, arguments.len())
        {
            return self.expand(kind, range, name, arguments, at);
        }
        let Some(known) = overloads(name, receiver.is_some()) else {
            return self.unknown(at, format!("unknown function `{name}`"));
        };
        let (mut nodes, types): (Vec<_>, Vec<_>) =
            receiver.into_iter().chain(arguments).map(|argument| self.expr(argument)).unzip();
        let fits = |takes: &[Kind]| {
            takes.len() == types.len() && takes.iter().zip(&types).all(|(wanted, found)| found.kind().fits(*wanted))
        };
        let fitting = || known.iter().filter(|overload| fits(overload.takes));
        let (Some(chosen), Some(gives)) = (fitting().next(), common(fitting().map(|overload| overload.gives))) else {
            let found: Vec<String> = types.iter().map(ToString::to_string).collect();
            return self.unknown(at, format!("`{name}` does not take ({})", found.join(", ")));
        };
        let function = chosen.function;
        let last = arguments.last().map(|argument| &argument.kind);
        match (function, last) {
            (Function::Matches, Some(ExprKind::Literal(Literal::String(pattern)))) => {
                let text = (nodes.len() == 2).then(|| nodes.swap_remove(0));
                return self.matches(text, pattern, at);
            }
            (Function::Part(_), Some(ExprKind::Literal(Literal::String(zone)))) if parse_zone(zone).is_none() => {
                self.problem(
                    at,
                    format!("unknown time zone `{zone}`: only `UTC` and offsets such as `+02:00` are known"),
                );
            }
            _ => {}
        }
        match (function.converts(), nodes.as_slice()) {
            (true, [Node::Literal(literal)]) => match fold(function, literal) {
                Ok(Some(folded)) => (folded, gives),
                Ok(None) => (Node::Call(function, nodes), gives),
                Err(reason) => self.unknown(at, reason),
            },
            _ => (Node::Call(function, nodes), gives),
        }
    }

    fn matches(&mut self, text: Option<Node>, pattern: &str, at: usize) -> Checked {
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            return self.unknown(at, format!("more than {MAX_PATTERNS} patterns"));
        }
        match (text, Pattern::compile(pattern)) {
            (Some(text), Ok(pattern)) => (Node::Matches(Box::new(text), pattern), Type::Bool),
            (_, Err(reason)) => self.unknown(at, reason),
            (None, Ok(_)) => self.unknown(at, "`matches` takes a string and a pattern"),
        }
    }

    fn has(&mut self, arguments: &[Expr], at: usize) -> Checked {
        match arguments {
            [Expr { kind: ExprKind::Select(inner, field), at, .. }] => {
                let (node, _) = self.field_of(inner, *at);
                (Node::Has(Box::new(node), field.clone()), Type::Bool)
            }
            _ => self.unknown(at, "`has` takes a field, as in `has(a.b)`"),
        }
    }

    fn expand(&mut self, kind: Macro, range: &Expr, name: &str, arguments: &[Expr], at: usize) -> Checked {
        let (variable, filter, body) = match arguments {
            [variable, body] => (variable, None, body),
            [variable, filter, body] => (variable, Some(filter), body),
            _ => return self.unknown(at, format!("`{name}` takes a variable and an expression")),
        };
        let ExprKind::Name(variable) = &variable.kind else {
            return self.unknown(variable.at, format!("the first argument of `{name}` must be a name"));
        };
        let (range_node, range_type) = self.expr(range);
        let item = match range_type {
            Type::Dyn => Type::Dyn,
            Type::List(item) => *item,
            Type::Map(key, _) => *key,
            other => return self.unknown(at, format!("`{name}` takes a list or a map, found {other}")),
        };
        self.locals.push((variable.clone(), item.clone()));
        let filter = filter.map(|filter| self.bool(filter, "the filter of `map`"));
        let (body, result) = match kind {
            Macro::All | Macro::Exists | Macro::ExistsOne => (self.bool(body, &format!("`{name}`")), Type::Bool),
            Macro::Filter => (self.bool(body, "`filter`"), Type::list(item)),
            Macro::Map => {
                let (body, result) = self.expr(body);
                (body, Type::list(result))
            }
        };
        self.locals.pop();
        (Node::Macro(kind, Box::new(MacroParts { range: range_node, filter, body })), result)
    }
}

/// Converts a literal before there is a context, so that a malformed one is refused with its model.
fn fold(function: Function, literal: &Literal) -> Result<Option<Node>, String> {
    match call(function, &[Value::literal(literal)], &mut Meter::new(u64::MAX)) {
        Ok(Value::Duration(span)) => Ok(Some(Node::Duration(span))),
        Ok(Value::Timestamp(time)) => Ok(Some(Node::Timestamp(time))),
        Ok(_) | Err(Fault::OverBudget) => Ok(None),
        Err(Fault::Failed(reason)) => Err(reason),
    }
}

fn type_of(literal: &Literal) -> Type {
    match literal {
        Literal::Null => Type::Null,
        Literal::Bool(_) => Type::Bool,
        Literal::Int(_) => Type::Int,
        Literal::Uint(_) => Type::Uint,
        Literal::Double(_) => Type::Double,
        Literal::String(_) => Type::String,
        Literal::Bytes(_) => Type::Bytes,
    }
}

fn macro_of(name: &str, arguments: usize) -> Option<Macro> {
    match (name, arguments) {
        ("all", 2) => Some(Macro::All),
        ("exists", 2) => Some(Macro::Exists),
        ("exists_one", 2) => Some(Macro::ExistsOne),
        ("filter", 2) => Some(Macro::Filter),
        ("map", 2 | 3) => Some(Macro::Map),
        _ => None,
    }
}

/// The type of the result when several ways of calling fit: the one they share, or anything.
fn common(mut results: impl Iterator<Item = Kind>) -> Option<Type> {
    let first = results.next()?;
    Some(if results.all(|next| next == first) { first.simple() } else { Type::Dyn })
}
