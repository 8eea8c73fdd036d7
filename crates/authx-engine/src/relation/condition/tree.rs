//! A checked expression: names are resolved, functions chosen, patterns compiled.

use smol_str::SmolStr;

use super::ast::{BinaryOp, Literal};
use super::function::Function;
use super::pattern::Pattern;
use super::time::{Duration, Timestamp};

#[derive(Debug, Clone)]
pub(super) enum Node {
    Literal(Literal),
    /// Of `duration("…")`, read when the condition was compiled.
    Duration(Duration),
    /// Of `timestamp("…")`, read when the condition was compiled.
    Timestamp(Timestamp),
    /// By its place in the declaration.
    Parameter(usize),
    /// A variable of a macro, by how many macros surround the one that it belongs to.
    Local(usize),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Binary(BinaryOp, Box<[Node; 2]>),
    Conditional(Box<[Node; 3]>),
    Select(Box<Node>, SmolStr),
    Has(Box<Node>, SmolStr),
    Index(Box<[Node; 2]>),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Call(Function, Vec<Node>),
    /// `matches` with a pattern that the expression spells out.
    Matches(Box<Node>, Pattern),
    Macro(Macro, Box<MacroParts>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Macro {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

#[derive(Debug, Clone)]
pub(super) struct MacroParts {
    pub(super) range: Node,
    /// Which items count, for `map` with three arguments.
    pub(super) filter: Option<Node>,
    pub(super) body: Node,
}
