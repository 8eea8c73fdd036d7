//! Words, marks and line ends of the modelling language; comments are collected aside.
//!
//! Never looks into the expression of a condition: [`super::condition`] reads that from [`Lexer::rest`].

use crate::problem::Span;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword; which of them depends on where it stands.
    Word,
    /// Digits and dots, as in `1.1`.
    Number,
    Mark(char),
    /// One or more line ends, with everything blank or commented out between them.
    LineEnd,
    End,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) offset: usize,
    /// From 1.
    pub(super) line: u32,
    /// Where the token's line begins.
    pub(super) line_start: usize,
    /// Whether blanks stand before it.
    pub(super) spaced: bool,
}

impl Token<'_> {
    pub(super) fn span(&self) -> Span {
        Span { offset: self.offset, length: self.text.len() }
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text == word
    }

    pub(super) fn is_mark(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    offset: usize,
    line: u32,
    line_start: usize,
    /// The comment lines since they were last taken.
    comments: Vec<&'a str>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, offset: 0, line: 1, line_start: 0, comments: Vec::new() }
    }

    pub(super) fn take_comments(&mut self) -> Vec<String> {
        std::mem::take(&mut self.comments).into_iter().map(str::to_owned).collect()
    }

    /// What has not been read yet.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or("")
    }

    /// Passes over `length` bytes that somebody else has read.
    pub(super) fn skip(&mut self, length: usize) {
        let end = (self.offset + length).min(self.text.len());
        for (i, byte) in self.text.as_bytes().get(self.offset..end).unwrap_or_default().iter().enumerate() {
            if *byte == b'\n' {
                self.line = self.line.saturating_add(1);
                self.line_start = self.offset + i + 1;
            }
        }
        self.offset = end;
    }

    pub(super) fn next(&mut self) -> Token<'a> {
        let before = self.offset;
        let at_line_start = self.offset == self.line_start;
        self.skip_blanks();
        let spaced = self.offset > before;
        let rest = self.rest();
        let (offset, line, line_start) = (self.offset, self.line, self.line_start);
        let token = |kind, text| Token { kind, text, offset, line, line_start, spaced };
        let Some(first) = rest.chars().next() else { return token(Kind::End, "") };
        if first == '\n' || (first == '#' && (spaced || at_line_start)) {
            self.skip_line_ends();
            return token(Kind::LineEnd, rest.get(..0).unwrap_or(""));
        }
        let (kind, length) = match first {
            'a'..='z' | 'A'..='Z' | '_' => (Kind::Word, word_length(rest)),
            '0'..='9' => (Kind::Number, rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count()),
            other => (Kind::Mark(other), other.len_utf8()),
        };
        self.offset += length;
        token(kind, rest.get(..length).unwrap_or(""))
    }

    /// The next token, without taking it.
    pub(super) fn peek(&self) -> Token<'a> {
        let Self { text, offset, line, line_start, .. } = *self;
        Self { text, offset, line, line_start, comments: Vec::new() }.next()
    }

    fn skip_blanks(&mut self) {
        self.offset += self.rest().bytes().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | 0x0c)).count();
    }

    /// Passes over line ends, blank lines and comments; keeps the comments that have a line of their own.
    fn skip_line_ends(&mut self) {
        loop {
            let rest = self.rest();
            match rest.bytes().next() {
                Some(b'\n') => self.skip(1),
                Some(b'#') => {
                    let comment = rest.split('\n').next().unwrap_or(rest);
                    let before = self.text.get(self.line_start..self.offset).unwrap_or("");
                    if before.bytes().all(|b| b.is_ascii_whitespace()) {
                        let words = comment.get(1..).unwrap_or("").trim_end();
                        self.comments.push(words.strip_prefix(' ').unwrap_or(words));
                    }
                    self.offset += comment.len();
                }
                Some(b' ' | b'\t' | b'\r' | 0x0c) => self.skip_blanks(),
                Some(_) => {
                    // The blanks before the first word belong to it.
                    self.offset = self.line_start;
                    return;
                }
                None => return,
            }
        }
    }
}

/// Letters, digits, `_` and `-`; also `/` and `.` where a letter or digit follows.
fn word_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_letter = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let mut length = 0;
    while let Some(byte) = bytes.get(length) {
        let joins = matches!(byte, b'/' | b'.') && bytes.get(length + 1).is_some_and(is_letter);
        if !is_letter(byte) && *byte != b'-' && !joins {
            break;
        }
        length += 1;
    }
    length
}
