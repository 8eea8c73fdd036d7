//! What is wrong with a policy, a schema or an entity, with its place in the author's file.

use std::borrow::Cow;

use serde::Serialize;

/// How bad a [`Problem`] is: an error refuses the release, a warning does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

/// One finding about an author's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub severity: Severity,
    /// Stable, listed in docs/errors.md.
    pub code: Cow<'static, str>,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// From 1, in the file, or in the policy's own text when there is no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// From 1, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// How many characters the finding covers, at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Other places that the finding is about, such as the line of the relation model that a policy needs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
}

/// A second place of a finding, and what is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Related {
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// From 1; absent when what it speaks of is nowhere, or did not come from text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

impl Related {
    /// A note that has no place.
    #[must_use]
    pub(crate) fn unplaced(message: String) -> Self {
        Self { message, ..Self::default() }
    }
}

impl Problem {
    /// An error without a place.
    #[must_use]
    pub fn error(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code: code.into(),
            message: message.into(),
            file: None,
            line: None,
            column: None,
            length: None,
            policy: None,
            hint: None,
            related: Vec::new(),
        }
    }

    /// A warning without a place.
    #[must_use]
    pub fn warning(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub(crate) fn with_related(mut self, related: Related) -> Self {
        self.related.push(related);
        self
    }

    #[must_use]
    pub fn with_policy(mut self, policy: impl Into<String>) -> Self {
        self.policy = Some(policy.into());
        self
    }

    /// Places the finding at `span` of `origin`.
    #[must_use]
    pub(crate) fn at(mut self, origin: &Origin<'_>, span: Span) -> Self {
        let SourcePlace { file, line, column, length } = origin.place(span);
        self.file = file;
        self.line = Some(line);
        self.column = Some(column);
        self.length = Some(length);
        self
    }

    /// Whether the finding refuses a release.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Where a piece of text begins in the author's file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) file: Option<&'a str>,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) text: &'a str,
}

impl Origin<'_> {
    /// Where a range of the text is in the author's file.
    pub(crate) fn place(&self, span: Span) -> SourcePlace {
        let before = self.text.get(..span.offset).unwrap_or(self.text);
        let newlines = before.bytes().filter(|b| *b == b'\n').count();
        let line_start = before.rfind('\n').map_or(0, |n| n + 1);
        let column = before.get(line_start..).map_or(0, |s| s.chars().count());
        let first_column = if newlines == 0 { self.column } else { 1 };
        let covered = self.text.get(span.offset..span.offset + span.length).unwrap_or("");
        let shown = covered.lines().next().unwrap_or("").chars().count().max(1);
        SourcePlace {
            file: self.file.map(str::to_owned),
            line: self.line + to_u32(newlines),
            column: first_column + to_u32(column),
            length: to_u32(shown),
        }
    }
}

/// A place in an author's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourcePlace {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// From 1, in the file, or in the policy's own text when there is no file.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// How many characters of the first line, at least 1.
    pub length: u32,
}

/// A range of bytes in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) offset: usize,
    pub(crate) length: usize,
}

/// The first place that Cedar's own diagnostic points at, if it has one.
pub(crate) fn first_label(diagnostic: &dyn miette::Diagnostic) -> Option<Span> {
    let label = diagnostic.labels()?.next()?;
    Some(Span { offset: label.offset(), length: label.len() })
}

/// The text that it points at.
pub(crate) fn labelled(diagnostic: &dyn miette::Diagnostic) -> Option<String> {
    let label = diagnostic.labels()?.next()?;
    let text = diagnostic.source_code()?.read_span(label.inner(), 0, 0).ok()?;
    Some(String::from_utf8_lossy(text.data()).into_owned())
}

/// Cedar's message, with what its causes add.
pub(crate) fn message_of(diagnostic: &dyn miette::Diagnostic) -> String {
    let mut text = diagnostic.to_string();
    let mut source = std::error::Error::source(diagnostic);
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}

pub(crate) fn to_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
