//! Cuts an expression into tokens. Knows no grammar.

use smol_str::SmolStr;

/// What is wrong with the text, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) at: usize,
    pub(super) message: String,
}

impl SyntaxError {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(SmolStr),
    /// Without its sign: `-9223372036854775808` is a minus and a number that only fits together with it.
    Int(u64),
    Uint(u64),
    Double(f64),
    String(Box<str>),
    Bytes(Box<[u8]>),
    Symbol(&'static str),
    End,
}

impl Token {
    /// How a message names it.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Name(name) => format!("`{name}`"),
            Self::Int(_) | Self::Uint(_) | Self::Double(_) => "a number".to_owned(),
            Self::String(_) => "a string".to_owned(),
            Self::Bytes(_) => "bytes".to_owned(),
            Self::Symbol(symbol) => format!("`{symbol}`"),
            Self::End => "the end of the expression".to_owned(),
        }
    }
}

/// The longer ones first: the first that fits is taken.
const SYMBOLS: [&str; 25] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "[", "]", "{", "}", "(", ")", ".", ",", "-", "!", "?", ":", "+", "*",
    "/", "%", "=",
];

/// All tokens with the byte that each starts at; the last one is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, SyntaxError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut found = Vec::new();
    loop {
        lexer.skip_blank();
        let start = lexer.at;
        let token = lexer.token()?;
        let ended = token == Token::End;
        found.push((token, start));
        if ended {
            return Ok(found);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or("")
    }

    fn skip_blank(&mut self) {
        loop {
            let blank = self.take_while(|c| matches!(c, ' ' | '\t' | '\r' | '\n' | '\u{c}'));
            if self.rest().starts_with("//") {
                self.take_while(|c| c != '\n');
            } else if blank.is_empty() {
                return;
            }
        }
    }

    fn token(&mut self) -> Result<Token, SyntaxError> {
        let rest = self.rest();
        let mut chars = rest.chars();
        let Some(first) = chars.next() else { return Ok(Token::End) };
        let second = chars.next();
        if first.is_ascii_digit() || (first == '.' && second.is_some_and(|c| c.is_ascii_digit())) {
            return self.number();
        }
        if let Some(literal) = StringStart::of(rest) {
            return self.string(literal);
        }
        if first.is_ascii_alphabetic() || first == '_' {
            return Ok(Token::Name(self.take_while(|c| c.is_ascii_alphanumeric() || c == '_').into()));
        }
        if let Some(symbol) = SYMBOLS.iter().find(|s| rest.starts_with(**s)) {
            self.at += symbol.len();
            return Ok(Token::Symbol(symbol));
        }
        Err(SyntaxError::new(self.at, format!("unexpected character `{first}`")))
    }

    fn number(&mut self) -> Result<Token, SyntaxError> {
        let start = self.at;
        let too_large = || SyntaxError::new(start, "the number is out of range");
        let (digits, radix) = if self.rest().starts_with("0x") {
            self.at += 2;
            (self.take_while(|c| c.is_ascii_hexdigit()), 16)
        } else {
            (self.take_while(|c| c.is_ascii_digit()), 10)
        };
        if radix == 10 && self.fraction_and_exponent() {
            let text = self.text.get(start..self.at).unwrap_or("");
            let value: f64 = text.parse().map_err(|_| SyntaxError::new(start, "malformed number"))?;
            return if value.is_finite() { Ok(Token::Double(value)) } else { Err(too_large()) };
        }
        let value = u64::from_str_radix(digits, radix).map_err(|_| too_large())?;
        if self.rest().starts_with(['u', 'U']) {
            self.at += 1;
            return Ok(Token::Uint(value));
        }
        Ok(Token::Int(value))
    }

    /// Whether the number goes on as a double.
    fn fraction_and_exponent(&mut self) -> bool {
        let start = self.at;
        let mut after_point = self.rest().chars();
        if after_point.next() == Some('.') && after_point.next().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            self.take_while(|c| c.is_ascii_digit());
        }
        if self.rest().starts_with(['e', 'E']) {
            let before = self.at;
            self.at += 1;
            if self.rest().starts_with(['+', '-']) {
                self.at += 1;
            }
            if self.take_while(|c| c.is_ascii_digit()).is_empty() {
                self.at = before;
            }
        }
        self.at > start
    }

    fn string(&mut self, literal: StringStart) -> Result<Token, SyntaxError> {
        let start = self.at;
        self.at += literal.length;
        let quotes = literal.quote.to_string().repeat(if literal.triple { 3 } else { 1 });
        let mut unit = Vec::new();
        loop {
            let rest = self.rest();
            if rest.starts_with(&quotes) {
                self.at += quotes.len();
                break;
            }
            let Some(c) = rest.chars().next() else {
                return Err(SyntaxError::new(start, "the string has no end"));
            };
            if !literal.triple && matches!(c, '\n' | '\r') {
                return Err(SyntaxError::new(start, "the string has no end on its line"));
            }
            self.at += c.len_utf8();
            if c == '\\' && !literal.raw {
                self.escape(literal.bytes, &mut unit)?;
            } else {
                push_char(&mut unit, c);
            }
        }
        if literal.bytes {
            return Ok(Token::Bytes(unit.into()));
        }
        let text = String::from_utf8(unit).map_err(|_| SyntaxError::new(start, "the string is not unicode"))?;
        Ok(Token::String(text.into()))
    }

    /// What stands after a backslash.
    fn escape(&mut self, bytes: bool, unit: &mut Vec<u8>) -> Result<(), SyntaxError> {
        let start = self.at - 1;
        let unknown = || SyntaxError::new(start, "unknown escape sequence");
        let c = self.rest().chars().next().ok_or_else(unknown)?;
        let simple = match c {
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            '"' | '\'' | '\\' | '?' | '`' => Some(c),
            _ => None,
        };
        if let Some(simple) = simple {
            self.at += 1;
            push_char(unit, simple);
            return Ok(());
        }
        let (skip, length, radix) = match c {
            'x' | 'X' => (1, 2, 16),
            'u' if !bytes => (1, 4, 16),
            'U' if !bytes => (1, 8, 16),
            '0'..='3' => (0, 3, 8),
            _ => return Err(unknown()),
        };
        self.at += skip;
        let digits = self.rest().get(..length).filter(|d| d.chars().all(|c| c.is_digit(radix))).ok_or_else(unknown)?;
        let code = u32::from_str_radix(digits, radix).map_err(|_| unknown())?;
        self.at += length;
        if bytes {
            unit.push(u8::try_from(code).map_err(|_| unknown())?);
        } else {
            push_char(unit, char::from_u32(code).ok_or_else(unknown)?);
        }
        Ok(())
    }
}

fn push_char(unit: &mut Vec<u8>, c: char) {
    unit.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// The prefix and the quotes that a literal begins with.
#[derive(Clone, Copy)]
struct StringStart {
    bytes: bool,
    raw: bool,
    quote: char,
    triple: bool,
    /// Of all that, in bytes.
    length: usize,
}

impl StringStart {
    fn of(text: &str) -> Option<Self> {
        let after_b = text.strip_prefix(['b', 'B']).unwrap_or(text);
        let after_r = after_b.strip_prefix(['r', 'R']).unwrap_or(after_b);
        let quote = after_r.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let triple = after_r.starts_with(if quote == '"' { "\"\"\"" } else { "'''" });
        let prefix = text.len() - after_r.len();
        Some(Self {
            bytes: after_b.len() < text.len(),
            raw: after_r.len() < after_b.len(),
            quote,
            triple,
            length: prefix + if triple { 3 } else { 1 },
        })
    }
}
