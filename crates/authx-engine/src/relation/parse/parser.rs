//! Headers, types and relations, one declaration a line; goes on after a mistake to find the next.

use smol_str::SmolStr;

use super::Fault;
use super::lexer::{Kind, Lexer, Token};
use crate::problem::to_u32;
use crate::relation::model::{ConditionDefinition, RelationDefinition, Source, TypeDefinition};
use crate::relation::place::shown;

/// More findings than this help nobody.
const MAX_FAULTS: usize = 20;

pub(super) struct Parser<'a> {
    pub(super) lexer: Lexer<'a>,
    pub(super) current: Token<'a>,
    text: &'a str,
    faults: Vec<Fault>,
}

/// What stands below the header.
#[derive(Default)]
pub(super) struct Body {
    pub(super) types: Vec<TypeDefinition>,
    /// `extend type`
    pub(super) extensions: Vec<TypeDefinition>,
    pub(super) conditions: Vec<ConditionDefinition>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut lexer = Lexer::new(text);
        let current = lexer.next();
        let mut parser = Self { lexer, current, text, faults: Vec::new() };
        parser.skip_line_ends();
        parser
    }

    pub(super) fn finish(self) -> Vec<Fault> {
        self.faults
    }

    /// `model` and `schema 1.1`.
    pub(super) fn model_header(&mut self) -> Result<(SmolStr, Vec<String>), Fault> {
        let mut comments = self.take_comments();
        if self.current.is_word("module") {
            return Err(self.fault("this is a module: it needs the other files that `fga.mod` lists"));
        }
        self.word("model")?;
        self.line_end()?;
        comments.append(&mut self.take_comments());
        self.word("schema")?;
        let version = self.current;
        if version.kind != Kind::Number || !matches!(version.text, "1.1" | "1.2") {
            return Err(self.expected("the schema version `1.1` or `1.2`"));
        }
        self.advance();
        self.line_end()?;
        Ok((SmolStr::new(version.text), comments))
    }

    /// `module name`.
    pub(super) fn module_header(&mut self) -> Result<(SmolStr, Vec<String>), Fault> {
        let comments = self.take_comments();
        self.word("module")?;
        let name = self.plain_name("a module")?;
        self.line_end()?;
        Ok((name, comments))
    }

    /// Everything below the header.
    pub(super) fn body(&mut self, modular: bool) -> Body {
        let mut body = Body::default();
        while self.current.kind != Kind::End && self.faults.len() < MAX_FAULTS {
            if let Err(fault) = self.declaration(modular, &mut body) {
                self.faults.push(fault);
                self.recover(&["type", "extend", "condition"]);
            }
        }
        body
    }

    fn declaration(&mut self, modular: bool, body: &mut Body) -> Result<(), Fault> {
        if self.current.is_word("condition") {
            body.conditions.push(self.condition()?);
            return Ok(());
        }
        let extends = self.current.is_word("extend");
        if (extends || self.current.is_word("type")) && !body.conditions.is_empty() {
            return Err(self.fault("types stand before conditions"));
        }
        let comments = self.take_comments();
        if extends {
            if !modular {
                return Err(self.fault("`extend` stands only in a module"));
            }
            self.advance();
        }
        if !self.current.is_word("type") {
            return Err(self.expected(if modular {
                "`type`, `extend type` or `condition`"
            } else {
                "`type` or `condition`"
            }));
        }
        self.advance();
        let source = self.source();
        let name = self.name("a type")?;
        self.line_end()?;
        let mut definition = TypeDefinition { name, relations: Vec::new(), source, comments };
        if self.current.is_word("relations") {
            self.relations(&mut definition.relations);
        }
        if extends {
            body.extensions.push(definition);
        } else {
            body.types.push(definition);
        }
        Ok(())
    }

    fn relations(&mut self, relations: &mut Vec<RelationDefinition>) {
        self.advance();
        let opened = self.line_end();
        if opened.is_ok() && !self.current.is_word("define") {
            let fault = self.expected("`define`");
            self.faults.push(fault);
        }
        if let Err(fault) = opened {
            self.faults.push(fault);
            self.recover(&["define", "type", "extend", "condition"]);
        }
        while self.current.is_word("define") && self.faults.len() < MAX_FAULTS {
            match self.relation() {
                Ok(relation) => relations.push(relation),
                Err(fault) => {
                    self.faults.push(fault);
                    self.recover(&["define", "type", "extend", "condition"]);
                }
            }
        }
    }

    fn relation(&mut self) -> Result<RelationDefinition, Fault> {
        let comments = self.take_comments();
        self.advance();
        let source = self.source();
        let name = self.name("a relation")?;
        self.mark(':')?;
        let mut restrictions = Vec::new();
        let rewrite = self.expression(true, 0, &mut restrictions)?;
        self.line_end()?;
        Ok(RelationDefinition { name, rewrite, restrictions, source, comments })
    }

    /// Goes to the next line that begins with one of `words`.
    fn recover(&mut self, words: &[&str]) {
        while self.current.kind != Kind::End {
            let ended = self.current.kind == Kind::LineEnd;
            self.advance();
            if ended && self.current.kind == Kind::Word && words.contains(&self.current.text) {
                break;
            }
        }
    }
}

/// The steps that everything above is made of.
impl<'a> Parser<'a> {
    pub(super) fn advance(&mut self) {
        self.current = self.lexer.next();
    }

    pub(super) fn peek(&self) -> Token<'a> {
        self.lexer.peek()
    }

    pub(super) fn skip_line_ends(&mut self) {
        while self.current.kind == Kind::LineEnd {
            self.advance();
        }
    }

    pub(super) fn take_comments(&mut self) -> Vec<String> {
        self.lexer.take_comments()
    }

    /// Where the current token stands.
    pub(super) fn source(&self) -> Source {
        let before = self.text.get(self.current.line_start..self.current.offset).unwrap_or("");
        let column = to_u32(before.chars().count()).saturating_add(1);
        Source { module: None, file: None, line: self.current.line, column }
    }

    pub(super) fn mark(&mut self, mark: char) -> Result<(), Fault> {
        if !self.current.is_mark(mark) {
            return Err(self.expected(&format!("`{mark}`")));
        }
        self.advance();
        Ok(())
    }

    pub(super) fn word(&mut self, word: &str) -> Result<(), Fault> {
        if !self.current.is_word(word) {
            return Err(self.expected(&format!("`{word}`")));
        }
        self.advance();
        Ok(())
    }

    pub(super) fn line_end(&mut self) -> Result<(), Fault> {
        match self.current.kind {
            Kind::End => Ok(()),
            Kind::LineEnd => {
                self.skip_line_ends();
                Ok(())
            }
            Kind::Word | Kind::Number | Kind::Mark(_) => Err(self.expected("the end of the line")),
        }
    }

    pub(super) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault { span: self.current.span(), message: message.into() }
    }

    pub(super) fn expected(&self, what: &str) -> Fault {
        let found = match self.current.kind {
            Kind::End => "the end of the text".to_owned(),
            Kind::LineEnd => "the end of the line".to_owned(),
            Kind::Mark(mark) => format!("`{}`", mark.escape_debug()),
            Kind::Word | Kind::Number => format!("`{}`", shown(self.current.text)),
        };
        self.fault(format!("expected {what}, found {found}"))
    }
}
