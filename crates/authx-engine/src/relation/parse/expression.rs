//! The right-hand side of `define`: operands, operators, parentheses and type restrictions.
//!
//! Operators of two kinds need parentheses; `[…]` stands first or not at all.

use smol_str::SmolStr;

use super::Fault;
use super::lexer::Kind;
use super::parser::Parser;
use crate::relation::model::{RestrictionKind, Rewrite, TypeRestriction};
use crate::relation::place::shown;

/// How deep parentheses nest at most.
pub(in crate::relation) const MAX_NESTING: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Or,
    And,
    ButNot,
}

impl Operator {
    fn name(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::ButNot => "but not",
        }
    }
}

impl Parser<'_> {
    /// `operand`, `operand or operand …`, `operand and operand …` or `operand but not operand`.
    pub(super) fn expression(
        &mut self,
        direct: bool,
        depth: usize,
        restrictions: &mut Vec<TypeRestriction>,
    ) -> Result<Rewrite, Fault> {
        let first = self.operand(direct, depth, restrictions)?;
        let Some(operator) = self.operator() else { return Ok(first) };
        self.require_space("before an operator")?;
        let mut operands = vec![first];
        let mut found = Some(operator);
        while let Some(next) = found {
            if next != operator {
                let message = format!("`{}` and `{}` need parentheses to stand together", operator.name(), next.name());
                return Err(self.fault(message));
            }
            if operator == Operator::ButNot && operands.len() == 2 {
                return Err(self.fault("a second `but not` needs parentheses"));
            }
            self.advance();
            if next == Operator::ButNot {
                self.advance();
            }
            self.require_space("after an operator")?;
            operands.push(self.operand(false, depth, restrictions)?);
            found = self.operator();
        }
        Ok(match operator {
            Operator::Or => Rewrite::Union(operands),
            Operator::And => Rewrite::Intersection(operands),
            Operator::ButNot => {
                let mut operands = operands.into_iter().map(Box::new);
                match (operands.next(), operands.next()) {
                    (Some(base), Some(subtract)) => Rewrite::Difference(base, subtract),
                    _ => return Err(self.fault("expected what `but not` takes away")),
                }
            }
        })
    }

    fn operand(
        &mut self,
        direct: bool,
        depth: usize,
        restrictions: &mut Vec<TypeRestriction>,
    ) -> Result<Rewrite, Fault> {
        if self.current.is_mark('(') {
            if depth == MAX_NESTING {
                return Err(self.fault(format!("parentheses nest at most {MAX_NESTING} deep")));
            }
            self.advance();
            let inner = self.expression(direct, depth + 1, restrictions)?;
            self.mark(')')?;
            return Ok(inner);
        }
        if self.current.is_mark('[') {
            if !direct {
                return Err(self.fault("type restrictions stand only at the beginning of a relation"));
            }
            *restrictions = self.restrictions()?;
            return Ok(Rewrite::This);
        }
        if self.at_but_not() {
            return Err(self.fault("expected a relation, found `but not`"));
        }
        let computed = self.name("a relation")?;
        if !self.current.is_word("from") {
            return Ok(Rewrite::Computed(computed));
        }
        self.advance();
        Ok(Rewrite::TupleToUserset { tupleset: self.name("the relation after `from`")?, computed })
    }

    fn operator(&self) -> Option<Operator> {
        if self.current.is_word("or") {
            Some(Operator::Or)
        } else if self.current.is_word("and") {
            Some(Operator::And)
        } else if self.at_but_not() {
            Some(Operator::ButNot)
        } else {
            None
        }
    }

    fn at_but_not(&self) -> bool {
        self.current.is_word("but") && self.peek().is_word("not")
    }

    /// `[user, user:*, group#member, user with condition]`, over several lines if need be.
    fn restrictions(&mut self) -> Result<Vec<TypeRestriction>, Fault> {
        self.mark('[')?;
        let mut restrictions = Vec::new();
        loop {
            self.skip_line_ends();
            restrictions.push(self.restriction()?);
            self.skip_line_ends();
            if !self.current.is_mark(',') {
                break;
            }
            self.advance();
        }
        self.mark(']')?;
        Ok(restrictions)
    }

    fn restriction(&mut self) -> Result<TypeRestriction, Fault> {
        let type_name = self.name("a type")?;
        let kind = if self.current.is_mark(':') {
            self.advance();
            self.mark('*')?;
            RestrictionKind::Wildcard
        } else if self.current.is_mark('#') {
            self.advance();
            RestrictionKind::Userset(self.name("a relation")?)
        } else {
            RestrictionKind::Object
        };
        let condition = if self.current.is_word("with") {
            self.advance();
            Some(self.plain_name("a condition")?)
        } else {
            None
        };
        Ok(TypeRestriction { type_name, kind, condition })
    }

    fn require_space(&self, place: &str) -> Result<(), Fault> {
        if self.current.spaced || self.current.kind == Kind::LineEnd {
            Ok(())
        } else {
            Err(self.fault(format!("expected a blank {place}")))
        }
    }
}

/// Words that cannot name a type or a relation.
const KEYWORDS: &[&str] =
    &["and", "or", "from", "with", "define", "relations", "condition", "in", "true", "false", "null"];

impl Parser<'_> {
    /// The name of a type or a relation.
    pub(super) fn name(&mut self, what: &str) -> Result<SmolStr, Fault> {
        if self.current.kind != Kind::Word || KEYWORDS.contains(&self.current.text) {
            return Err(self.expected(what));
        }
        let name = SmolStr::new(self.current.text);
        self.advance();
        Ok(name)
    }

    /// A name without `/` and `.`, as modules, conditions and parameters have it.
    pub(super) fn plain_name(&mut self, what: &str) -> Result<SmolStr, Fault> {
        if self.current.text.contains(['/', '.']) {
            return Err(
                self.fault(format!("the name of {what} has no `/` and no `.`, found `{}`", shown(self.current.text)))
            );
        }
        self.name(what)
    }
}

/// Whether the language can write `name` for a condition.
pub(in crate::relation) fn is_plain_name(name: &str) -> bool {
    is_name(name) && !name.contains(['/', '.'])
}

/// Whether the language can write `name` for a type or a relation.
pub(in crate::relation) fn is_name(name: &str) -> bool {
    let mut lexer = super::lexer::Lexer::new(name);
    let token = lexer.next();
    token.kind == Kind::Word && token.text == name && !KEYWORDS.contains(&name)
}
