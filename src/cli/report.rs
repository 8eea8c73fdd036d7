//! Shows findings about policies, schemas and entities the way rustc would: code, message, place, source line, help.
//!
//! The same problems give the same text on every machine: nothing here asks for the terminal or the environment.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use authx_engine::{Problem, Related, Severity};
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};

/// How many columns a report is wide.
const WIDTH: usize = 100;

/// How many characters of a source line are shown.
const SHOWN: usize = 200;

/// How many characters of a long line are shown before the finding.
const LEAD: usize = 40;

/// Renders every problem in the order given, and a last line that counts them. No problems give no text.
///
/// `texts` maps a file's name, as the problems have it, to its text; of other files only the position is shown.
pub(crate) fn render(problems: &[Problem], texts: &BTreeMap<String, String>, color: bool) -> String {
    let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(WIDTH)
        .with_urls(false)
        .with_break_words(false)
        .with_context_lines(0)
        // The place is written by us: miette counts columns in bytes.
        .without_primary_span_start()
        .without_syntax_highlighting();
    let mut lines: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut report = String::new();
    for problem in problems {
        let mut excerpt = |problem: &Problem| {
            let (file, text) = texts.get_key_value(problem.file.as_deref()?)?;
            let lines = lines.entry(file.as_str()).or_insert_with(|| text.split('\n').collect());
            Excerpt::of(problem, lines)
        };
        let finding = Finding::new(Cow::Borrowed(problem), excerpt(problem));
        let notes = problem.related.iter().map(noted).map(|note| {
            let excerpt = excerpt(&note);
            Finding { is_note: true, ..Finding::new(Cow::Owned(note), excerpt) }
        });
        // Writing to a string does not fail; a report cut short would still be followed by its count.
        let _ = handler.render_report(&mut report, &Finding { notes: notes.collect(), ..finding });
        report.push('\n');
    }
    if let Some(count) = count(problems) {
        report.push_str(&count);
        report.push('\n');
    }
    report
}

/// Such as `2 errors, 1 warning`.
fn count(problems: &[Problem]) -> Option<String> {
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    let parts = [(errors, "error"), (problems.len() - errors, "warning")];
    let say = |(count, what): (usize, &str)| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let parts: Vec<String> = parts.into_iter().filter(|(count, _)| *count > 0).map(say).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Another place of a finding, shown as one of its own.
fn noted(related: &Related) -> Problem {
    let mut note = Problem::warning("", related.message.as_str());
    (note.file, note.line, note.column) = (related.file.clone(), related.line, related.column);
    note
}

/// A problem as miette wants it.
#[derive(Debug)]
struct Finding<'a> {
    problem: Cow<'a, Problem>,
    message: String,
    excerpt: Option<Excerpt>,
    /// Said below the message when there is no source line to show.
    position: Option<Position>,
    notes: Vec<Finding<'a>>,
    /// It stands below another finding, which has the code.
    is_note: bool,
}

impl<'a> Finding<'a> {
    fn new(problem: Cow<'a, Problem>, excerpt: Option<Excerpt>) -> Self {
        let position = if excerpt.is_some() { None } else { Position::of(&problem) };
        let message = printable(&problem.message).into_owned();
        Self { problem, message, excerpt, position, notes: Vec::new(), is_note: false }
    }
}

impl fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Finding<'_> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.position.as_ref().map(|position| position as &(dyn Error + 'static))
    }
}

impl Diagnostic for Finding<'_> {
    fn code(&self) -> Option<Box<dyn fmt::Display + '_>> {
        if self.is_note {
            return None;
        }
        let severity = match self.problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        Some(Box::new(format!("{severity}[{}]", self.problem.code)))
    }

    fn severity(&self) -> Option<miette::Severity> {
        if self.is_note {
            return Some(miette::Severity::Advice);
        }
        Some(match self.problem.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        let hint = self.problem.hint.as_deref()?;
        Some(Box::new(printable(hint)))
    }

    fn related<'r>(&'r self) -> Option<Box<dyn Iterator<Item = &'r dyn Diagnostic> + 'r>> {
        if self.notes.is_empty() {
            return None;
        }
        Some(Box::new(self.notes.iter().map(|note| note as &dyn Diagnostic)))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.as_ref().map(|excerpt| excerpt as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let excerpt = self.excerpt.as_ref()?;
        let policy = self.problem.policy.as_deref().map(|policy| format!("in policy `{}`", printable(policy)));
        Some(Box::new(std::iter::once(LabeledSpan::new(policy, excerpt.offset, excerpt.length))))
    }
}

/// Where a problem is, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Position(String);

impl Position {
    fn of(problem: &Problem) -> Option<Self> {
        let place = match (problem.file.as_deref(), problem.line) {
            (Some(file), Some(line)) => Some(format!("at {file}:{line}:{}", problem.column.unwrap_or(1))),
            (Some(file), None) => Some(format!("in {file}")),
            (None, Some(line)) => Some(format!("at line {line}, column {}", problem.column.unwrap_or(1))),
            (None, None) => None,
        };
        let policy = problem.policy.as_deref().map(|policy| format!("in policy `{policy}`"));
        let parts: Vec<String> = place.into_iter().chain(policy).collect();
        (!parts.is_empty()).then(|| Self(printable(&parts.join(", ")).into_owned()))
    }
}

/// The source line of a finding, or the part of a long one that is around it.
#[derive(Debug)]
struct Excerpt {
    /// `file:line:column`, columns counted in characters.
    place: String,
    /// The number of the line, from 0.
    line: usize,
    /// The line with its end.
    text: String,
    /// In bytes of `text`.
    offset: usize,
    length: usize,
}

impl Excerpt {
    /// Finds the line among those of the file; none when the file has no such line.
    fn of(problem: &Problem, lines: &[&str]) -> Option<Self> {
        let number = usize::try_from(problem.line?).ok()?;
        let line = number.checked_sub(1)?;
        let text: &str = lines.get(line)?;
        let text = text.strip_suffix('\r').unwrap_or(text);
        let column = to_usize(problem.column.unwrap_or(1)).max(1);
        let start = column - 1;
        let skipped = if text.chars().nth(SHOWN).is_some() { start.saturating_sub(LEAD) } else { 0 };
        let mut shown = String::new();
        if skipped > 0 {
            shown.push('…');
        }
        let (mut offset, mut end) = (None, shown.len());
        let until = start.saturating_add(to_usize(problem.length.unwrap_or(1)));
        let mut rest = text.chars().enumerate().skip(skipped);
        for (at, character) in rest.by_ref().take(SHOWN) {
            if at == start {
                offset = Some(shown.len());
            }
            shown.push(visible(character));
            if at < until {
                end = shown.len();
            }
        }
        if rest.next().is_some() {
            shown.push('…');
        }
        // A finding may be at the end of its line, where there is nothing to underline.
        let offset = offset.unwrap_or(shown.len());
        let length = end.saturating_sub(offset);
        shown.push('\n');
        let file = problem.file.as_deref().unwrap_or_default();
        let place = printable(&format!("{file}:{number}:{column}")).into_owned();
        Some(Self { place, line, text: shown, offset, length })
    }
}

impl SourceCode for Excerpt {
    /// The line is all there is: what lies around it was left out before.
    fn read_span(
        &self,
        _span: &SourceSpan,
        _lines_before: usize,
        _lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'_> + '_>, MietteError> {
        let whole = SourceSpan::from((0_usize, self.text.len()));
        let text = self.text.as_bytes();
        Ok(Box::new(MietteSpanContents::new_named(self.place.clone(), text, whole, self.line, 0, 1)))
    }
}

/// The text without characters that a terminal would obey.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let obeyed = |character: char| character != '\n' && visible(character) != character;
    if text.contains(obeyed) {
        Cow::Owned(text.chars().map(|c| if c == '\n' { c } else { visible(c) }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The character, or one that stands in for it: control characters and those that reorder text are not shown as such.
fn visible(character: char) -> char {
    let reorders = matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if reorders || (character.is_control() && character != '\t') { '\u{fffd}' } else { character }
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(file: Option<&str>, line: u32, column: u32, length: u32) -> Problem {
        let mut problem = Problem::error("policy_invalid", "attribute `pubic` not found");
        problem.file = file.map(str::to_owned);
        (problem.line, problem.column, problem.length) = (Some(line), Some(column), Some(length));
        problem
    }

    fn texts(text: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("s/x.cedar".to_owned(), text.to_owned())])
    }

    /// The line whose start is `start`, and the one after it.
    fn source_and_marks<'a>(report: &'a str, start: &str) -> (&'a str, &'a str) {
        let mut lines = report.lines().skip_while(|line| !line.starts_with(start));
        (lines.next().unwrap(), lines.next().unwrap())
    }

    /// What the marks of the plain theme stand under, one character a column.
    fn marked(report: &str, start: &str) -> String {
        let (source, marks) = source_and_marks(report, start);
        source.chars().zip(marks.chars()).filter(|(_, mark)| "^|".contains(*mark)).map(|(c, _)| c).collect()
    }

    #[test]
    fn a_finding_has_code_message_place_line_and_help() {
        let found = problem(Some("s/x.cedar"), 2, 8, 14).with_policy("public-read").with_hint("did you mean `public`?");
        let report = render(&[found], &texts("// head\nwhen { resource.pubic };\n"), false);
        assert!(report.starts_with("error[policy_invalid]\n"), "{report}");
        assert!(report.contains("x attribute `pubic` not found\n"), "{report}");
        assert!(report.contains("[s/x.cedar:2:8]\n"), "{report}");
        assert!(report.contains(" 2 | when { resource.pubic };\n"), "{report}");
        assert_eq!(marked(&report, " 2 |"), "resource.pubic");
        assert!(report.contains("in policy `public-read`\n"), "{report}");
        assert!(report.contains("  help: did you mean `public`?\n"), "{report}");
        assert!(report.ends_with("\n\n1 error\n"), "{report}");
        assert!(report.is_ascii(), "{report}");
    }

    #[test]
    fn other_places_stand_below_the_finding() {
        let mut found = problem(Some("s/x.cedar"), 1, 1, 3);
        let note = |file: Option<&str>, line, message: &str| Related {
            message: message.to_owned(),
            file: file.map(str::to_owned),
            line,
            column: line,
        };
        found.related = vec![
            note(Some("s/x.cedar"), Some(2), "type `doc` lost it"),
            note(Some("y.fga"), Some(7), "elsewhere"),
            note(None, None, "nowhere"),
        ];
        let report = render(&[found], &texts("one\ntwo\n"), false);
        for part in ["type `doc` lost it\n", "[s/x.cedar:2:2]\n", " 2 | two\n", "at y.fga:7:7\n", "nowhere\n"] {
            assert!(report.contains(part), "{part} {report}");
        }
        assert_eq!(report.matches("error[").count(), 1, "{report}");
        assert!(!report.contains("warning") && report.ends_with("\n1 error\n"), "{report}");
    }

    #[test]
    fn columns_are_characters() {
        let report = render(&[problem(Some("s/x.cedar"), 1, 9, 5)], &texts("\"höhe\" + pubic"), false);
        assert!(report.contains("[s/x.cedar:1:9]"), "{report}");
        assert_eq!(marked(&report, " 1 |"), " pubi", "{report}");
    }

    #[test]
    fn a_finding_at_the_end_of_a_line_is_shown_there() {
        for text in ["permit(", "permit(\n", "permit(\r\nrest"] {
            let report = render(&[problem(Some("s/x.cedar"), 1, 8, 1)], &texts(text), false);
            let (source, marks) = source_and_marks(&report, " 1 |");
            assert_eq!((source, marks.find('^')), (" 1 | permit(", Some(source.len())), "{report}");
        }
        let empty = render(&[problem(Some("s/x.cedar"), 1, 1, 1)], &texts(""), false);
        assert!(empty.contains("[s/x.cedar:1:1]"), "{empty}");
    }

    #[test]
    fn without_the_text_only_the_position_is_shown() {
        let report = render(&[problem(Some("y.cedar"), 3, 5, 2).with_policy("p")], &texts("one\n"), false);
        assert!(report.contains("at y.cedar:3:5, in policy `p`\n"), "{report}");
        let report = render(&[problem(None, 3, 5, 2)], &BTreeMap::new(), false);
        assert!(report.contains("at line 3, column 5\n"), "{report}");
        // A line that the text does not have, and no position at all.
        let report = render(&[problem(Some("s/x.cedar"), 9, 1, 1)], &texts("one\n"), false);
        assert!(report.contains("at s/x.cedar:9:1\n"), "{report}");
        let report = render(&[Problem::error("no_policies", "nothing there")], &BTreeMap::new(), false);
        assert!(report.contains("x nothing there\n\n1 error\n"), "{report}");
    }

    #[test]
    fn problems_are_counted() {
        let (error, warning) = (Problem::error("a", "m"), Problem::warning("b", "m"));
        let last = |problems: &[Problem]| {
            render(problems, &BTreeMap::new(), false).lines().last().unwrap_or_default().to_owned()
        };
        assert_eq!(last(&[error.clone(), warning.clone(), error.clone()]), "2 errors, 1 warning");
        assert_eq!(last(&[warning.clone(), warning.clone()]), "2 warnings");
        assert_eq!(last(&[error]), "1 error");
        assert_eq!(last(&[]), "");
        assert!(render(&[warning], &BTreeMap::new(), false).starts_with("warning[b]\n"));
    }

    #[test]
    fn long_lines_are_cut_around_the_finding() {
        let text = format!("{}here{}", "a".repeat(5_000), "b".repeat(5_000));
        let report = render(&[problem(Some("s/x.cedar"), 1, 5_001, 4)], &texts(&text), false);
        assert!(report.contains("[s/x.cedar:1:5001]"), "{report}");
        assert_eq!(marked(&report, " 1 |"), "here");
        assert!(report.lines().all(|line| line.chars().count() < SHOWN + 20), "{report}");
    }

    #[test]
    fn a_terminal_is_given_nothing_to_obey() {
        let mut found = problem(Some("s/x.cedar"), 1, 1, 2).with_hint("\u{1b}[2J");
        found.message = "\u{1b}]0;title\u{7}".to_owned();
        let report = render(&[found], &texts("\u{1b}[31mred \u{202e}\n"), false);
        assert!(!report.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{report}");
    }

    #[test]
    fn colour_changes_the_look_alone() {
        let problems = [problem(Some("s/x.cedar"), 1, 1, 3)];
        let coloured = render(&problems, &texts("one"), true);
        assert!(coloured.contains('\u{1b}') && coloured.contains('╭'), "{coloured}");
        assert_eq!(coloured, render(&problems, &texts("one"), true));
        assert!(!render(&problems, &texts("one"), false).contains('\u{1b}'));
    }
}
