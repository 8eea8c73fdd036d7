//! Parses an expression of the Common Expression Language. Knows no names and no types.
//!
//! Whatever the text, the parser's stack and that of everything that walks the tree are bounded: nesting by
//! [`MAX_NESTING`], the tree by `MAX_DEPTH`. Chains of `&&` and of `||` are one node each, so that long ones are fine.

#![expect(clippy::wildcard_enum_match_arm, reason = "a token that does not belong is refused, whichever it is")]

use smol_str::SmolStr;

use super::ast::{BinaryOp, Expr, ExprKind, Literal, node};
use super::token::{SyntaxError, Token, tokens};

/// In bytes. OpenFGA itself takes 512.
pub(in crate::relation) const MAX_EXPRESSION: usize = 8 * 1024;

/// How deep brackets, arguments and branches may nest.
const MAX_NESTING: usize = 64;

const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];
/// These are tokens of their own and not even names of fields.
const KEYWORDS: [&str; 4] = ["false", "in", "null", "true"];

/// An operator between two operands and how strongly it binds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Infix {
    Or,
    And,
    Plain(BinaryOp),
}

impl Infix {
    fn of(token: &Token) -> Option<(Self, u8)> {
        use BinaryOp::{
            Add, Divide, Equal, Greater, GreaterOrEqual, In, Less, LessOrEqual, Multiply, NotEqual, Remainder, Subtract,
        };
        let symbol = match token {
            Token::Symbol(symbol) => symbol,
            Token::Name(name) if name == "in" => "in",
            _ => return None,
        };
        Some(match symbol {
            "||" => (Self::Or, 1),
            "&&" => (Self::And, 2),
            "==" => (Self::Plain(Equal), 3),
            "!=" => (Self::Plain(NotEqual), 3),
            "<" => (Self::Plain(Less), 3),
            "<=" => (Self::Plain(LessOrEqual), 3),
            ">" => (Self::Plain(Greater), 3),
            ">=" => (Self::Plain(GreaterOrEqual), 3),
            "in" => (Self::Plain(In), 3),
            "+" => (Self::Plain(Add), 4),
            "-" => (Self::Plain(Subtract), 4),
            "*" => (Self::Plain(Multiply), 5),
            "/" => (Self::Plain(Divide), 5),
            "%" => (Self::Plain(Remainder), 5),
            _ => return None,
        })
    }
}

pub(super) fn parse(text: &str) -> Result<Expr, SyntaxError> {
    if text.len() > MAX_EXPRESSION {
        let message = format!("the expression has {} bytes, at most {MAX_EXPRESSION} are allowed", text.len());
        return Err(SyntaxError::new(0, message));
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, nesting: 0 };
    let expr = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(expr),
        other => Err(SyntaxError::new(parser.at(), format!("expected an operator, found {}", other.describe()))),
    }
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    next: usize,
    nesting: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |(token, _)| token)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(0, |(_, at)| *at)
    }

    fn take_if(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Token::Symbol(s) if *s == symbol);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<(), SyntaxError> {
        if self.take_if(symbol) {
            return Ok(());
        }
        Err(SyntaxError::new(self.at(), format!("expected `{symbol}`, found {}", self.peek().describe())))
    }

    fn expression(&mut self) -> Result<Expr, SyntaxError> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(SyntaxError::new(self.at(), format!("nested deeper than {MAX_NESTING} levels")));
        }
        let condition = self.operators(1)?;
        let at = self.at();
        let expr = if self.take_if("?") {
            let then = self.operators(1)?;
            self.expect(":")?;
            let otherwise = self.expression()?;
            node(ExprKind::Conditional(Box::new([condition, then, otherwise])), at)?
        } else {
            condition
        };
        self.nesting -= 1;
        Ok(expr)
    }

    /// Operators that bind at least as strongly as `weakest`, from left to right.
    fn operators(&mut self, weakest: u8) -> Result<Expr, SyntaxError> {
        let mut left = self.unary()?;
        while let Some((infix, strength)) = Infix::of(self.peek()).filter(|(_, strength)| *strength >= weakest) {
            let at = self.at();
            let kind = match infix {
                Infix::Or => ExprKind::Or(self.chain(left, infix, strength)?),
                Infix::And => ExprKind::And(self.chain(left, infix, strength)?),
                Infix::Plain(op) => {
                    self.next += 1;
                    ExprKind::Binary(op, Box::new(left), Box::new(self.operators(strength + 1)?))
                }
            };
            left = node(kind, at)?;
        }
        Ok(left)
    }

    fn chain(&mut self, first: Expr, infix: Infix, strength: u8) -> Result<Vec<Expr>, SyntaxError> {
        let mut operands = vec![first];
        while Infix::of(self.peek()).is_some_and(|(next, _)| next == infix) {
            self.next += 1;
            operands.push(self.operators(strength + 1)?);
        }
        Ok(operands)
    }

    fn unary(&mut self) -> Result<Expr, SyntaxError> {
        let at = self.at();
        let mut nots = 0_usize;
        while self.take_if("!") {
            nots += 1;
        }
        if nots > 0 {
            let operand = self.member()?;
            return if nots.is_multiple_of(2) {
                // Twice is not nothing: the operand must be a bool all the same.
                node(ExprKind::Not(Box::new(node(ExprKind::Not(Box::new(operand)), at)?)), at)
            } else {
                node(ExprKind::Not(Box::new(operand)), at)
            };
        }
        let mut minuses = 0_usize;
        while self.take_if("-") {
            minuses += 1;
        }
        if minuses == 0 {
            return self.member();
        }
        let signed = match self.peek() {
            Token::Int(_) | Token::Double(_) => {
                minuses -= 1;
                true
            }
            _ => false,
        };
        let operand = if signed { self.member_of_signed(at)? } else { self.member()? };
        if minuses % 2 == 1 { node(ExprKind::Negate(Box::new(operand)), at) } else { Ok(operand) }
    }

    fn member(&mut self) -> Result<Expr, SyntaxError> {
        let primary = self.primary()?;
        self.suffixes(primary)
    }

    /// A negative number and what follows it; the sign is read already.
    fn member_of_signed(&mut self, at: usize) -> Result<Expr, SyntaxError> {
        let literal = match self.peek() {
            Token::Int(magnitude) => 0_i64.checked_sub_unsigned(*magnitude).map(Literal::Int),
            Token::Double(value) => Some(Literal::Double(-value)),
            _ => None,
        };
        let literal = literal.ok_or_else(|| SyntaxError::new(at, "the number is out of range"))?;
        self.next += 1;
        let number = node(ExprKind::Literal(literal), at)?;
        self.suffixes(number)
    }

    fn suffixes(&mut self, mut left: Expr) -> Result<Expr, SyntaxError> {
        loop {
            let at = self.at();
            if self.take_if(".") {
                let name = self.field()?;
                let kind = if self.take_if("(") {
                    let arguments = self.list(")")?;
                    ExprKind::Call { receiver: Some(Box::new(left)), name, arguments }
                } else {
                    ExprKind::Select(Box::new(left), name)
                };
                left = node(kind, at)?;
            } else if self.take_if("[") {
                let index = self.expression()?;
                self.expect("]")?;
                left = node(ExprKind::Index(Box::new(left), Box::new(index)), at)?;
            } else {
                return Ok(left);
            }
        }
    }

    fn field(&mut self) -> Result<SmolStr, SyntaxError> {
        match self.peek() {
            Token::Name(name) if !KEYWORDS.contains(&name.as_str()) => {
                let name = name.clone();
                self.next += 1;
                Ok(name)
            }
            other => Err(SyntaxError::new(self.at(), format!("expected a name, found {}", other.describe()))),
        }
    }

    fn primary(&mut self) -> Result<Expr, SyntaxError> {
        let at = self.at();
        let token = self.peek().clone();
        let literal = match token {
            Token::Name(name) => return self.name(name, at),
            Token::Symbol("(") => {
                self.next += 1;
                let inner = self.expression()?;
                self.expect(")")?;
                return Ok(inner);
            }
            Token::Symbol("[") => {
                self.next += 1;
                let items = self.list("]")?;
                return node(ExprKind::List(items), at);
            }
            Token::Symbol("{") => {
                self.next += 1;
                let entries = self.entries()?;
                return node(ExprKind::Map(entries), at);
            }
            Token::Int(value) => {
                let value = i64::try_from(value).map_err(|_| SyntaxError::new(at, "the number is out of range"))?;
                Literal::Int(value)
            }
            Token::Uint(value) => Literal::Uint(value),
            Token::Double(value) => Literal::Double(value),
            Token::String(value) => Literal::String(value),
            Token::Bytes(value) => Literal::Bytes(value),
            Token::Symbol(_) | Token::End => {
                return Err(SyntaxError::new(at, format!("expected a value, found {}", token.describe())));
            }
        };
        self.next += 1;
        node(ExprKind::Literal(literal), at)
    }

    fn name(&mut self, name: SmolStr, at: usize) -> Result<Expr, SyntaxError> {
        self.next += 1;
        let literal = match name.as_str() {
            "true" => Some(Literal::Bool(true)),
            "false" => Some(Literal::Bool(false)),
            "null" => Some(Literal::Null),
            _ => None,
        };
        if let Some(literal) = literal {
            return node(ExprKind::Literal(literal), at);
        }
        if RESERVED.contains(&name.as_str()) {
            return Err(SyntaxError::new(at, format!("`{name}` is a reserved word")));
        }
        if self.take_if("(") {
            let arguments = self.list(")")?;
            return node(ExprKind::Call { receiver: None, name, arguments }, at);
        }
        node(ExprKind::Name(name), at)
    }

    /// Expressions up to the closing bracket; a list, but not a call, may end with a comma.
    fn list(&mut self, close: &str) -> Result<Vec<Expr>, SyntaxError> {
        let mut items = Vec::new();
        if self.take_if(close) {
            return Ok(items);
        }
        loop {
            items.push(self.expression()?);
            if !self.take_if(",") {
                self.expect(close)?;
                return Ok(items);
            }
            if close == "]" && self.take_if(close) {
                return Ok(items);
            }
        }
    }

    fn entries(&mut self) -> Result<Vec<(Expr, Expr)>, SyntaxError> {
        let mut entries = Vec::new();
        loop {
            if self.take_if("}") {
                return Ok(entries);
            }
            let key = self.expression()?;
            self.expect(":")?;
            entries.push((key, self.expression()?));
            if !self.take_if(",") {
                self.expect("}")?;
                return Ok(entries);
            }
        }
    }
}
