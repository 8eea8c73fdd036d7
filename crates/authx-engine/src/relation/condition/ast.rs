//! A parsed expression, before its names and types are known.

use smol_str::SmolStr;

use super::token::SyntaxError;

/// How deep the tree may become by chains such as `a + b + c`.
pub(super) const MAX_DEPTH: usize = 128;

#[derive(Debug)]
pub(super) struct Expr {
    pub(super) kind: ExprKind,
    /// The byte of the text that a message about it points at.
    pub(super) at: usize,
    depth: usize,
}

#[derive(Debug)]
pub(super) enum ExprKind {
    Literal(Literal),
    Name(SmolStr),
    Select(Box<Expr>, SmolStr),
    Index(Box<Expr>, Box<Expr>),
    Call { receiver: Option<Box<Expr>>, name: SmolStr, arguments: Vec<Expr> },
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Conditional(Box<[Expr; 3]>),
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(Box<str>),
    Bytes(Box<[u8]>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BinaryOp {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl BinaryOp {
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

/// # Errors
/// The tree would be too deep.
pub(super) fn node(kind: ExprKind, at: usize) -> Result<Expr, SyntaxError> {
    let deepest = match &kind {
        ExprKind::Literal(_) | ExprKind::Name(_) => 0,
        ExprKind::Select(inner, _) | ExprKind::Not(inner) | ExprKind::Negate(inner) => inner.depth,
        ExprKind::Index(left, right) | ExprKind::Binary(_, left, right) => left.depth.max(right.depth),
        ExprKind::Call { receiver, arguments, .. } => {
            receiver.as_ref().map_or(0, |r| r.depth).max(deepest(arguments.iter()))
        }
        ExprKind::And(items) | ExprKind::Or(items) | ExprKind::List(items) => deepest(items.iter()),
        ExprKind::Conditional(parts) => deepest(parts.iter()),
        ExprKind::Map(entries) => deepest(entries.iter().flat_map(|(key, value)| [key, value])),
    };
    if deepest >= MAX_DEPTH {
        return Err(SyntaxError::new(at, format!("the expression is deeper than {MAX_DEPTH} levels")));
    }
    Ok(Expr { kind, at, depth: deepest + 1 })
}

fn deepest<'a>(items: impl Iterator<Item = &'a Expr>) -> usize {
    items.map(|item| item.depth).max().unwrap_or(0)
}
