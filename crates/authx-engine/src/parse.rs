//! From an author's text to Cedar's own form of a policy. Runs on a large stack: Cedar's parser recurses.
//!
//! Cedar prepares its lexer for every text anew, which costs more than a short policy itself. So many policies are
//! parsed as one text; whenever that text does not come apart at exactly the seams, each is parsed for itself.

use std::ops::Range;
use std::sync::Arc;

use crate::cedar::{ParseError, PolicyID, Template, parse_policy_or_template, parse_policyset};
use crate::mistakes::syntax_hint;
use crate::policy::invalid_id;
use crate::problem::{Problem, first_label, message_of};
use crate::scan::{PolicySource, TextLimits, check_text};

/// Policies that are parsed as one text.
const TOGETHER: usize = 256;

/// What was accepted when it was compiled is not measured again.
pub(crate) const ANY_TEXT: TextLimits =
    TextLimits { policy_bytes: usize::MAX, schema_bytes: usize::MAX, nesting: usize::MAX, depth: usize::MAX };

/// A policy as Cedar parsed it.
pub(crate) struct Parsed {
    pub(crate) template: Arc<Template>,
    /// Where the policy's text begins in the text that was parsed: positions count from there.
    pub(crate) base: usize,
}

/// Parses policies, in order.
pub(crate) fn parse_all(sources: &[&PolicySource], limits: &TextLimits) -> Vec<Result<Parsed, Vec<Problem>>> {
    let mut parsed = Vec::with_capacity(sources.len());
    for group in sources.chunks(TOGETHER) {
        match parse_together(group, limits) {
            Some(all) => parsed.extend(all.into_iter().map(Ok)),
            None => parsed.extend(group.iter().map(|source| parse_one(source, limits))),
        }
    }
    parsed
}

/// Checks what can be checked without the parser.
fn check(source: &PolicySource, limits: &TextLimits) -> Result<(), Problem> {
    let origin = source.origin();
    check_text(&origin, "policy", limits.policy_bytes, limits.nesting)?;
    match source.id.as_deref().filter(|id| !crate::policy::is_policy_id(id)) {
        Some(id) => Err(invalid_id(id).at(&origin, source.whole())),
        None => Ok(()),
    }
}

/// `None` when anything is wrong with any of them, or might be.
fn parse_together(sources: &[&PolicySource], limits: &TextLimits) -> Option<Vec<Parsed>> {
    if sources.len() < 2 || sources.iter().any(|source| check(source, limits).is_err()) {
        return None;
    }
    let mut text = String::with_capacity(sources.iter().map(|source| source.text.len() + 1).sum());
    let mut places: Vec<Range<usize>> = Vec::with_capacity(sources.len());
    for source in sources {
        let begin = text.len();
        text.push_str(&source.text);
        places.push(begin..text.len());
        // A comment at the end of a text must not swallow the next one.
        text.push('\n');
    }
    let set = parse_policyset(&text).ok()?;
    if set.all_templates().count() != sources.len() {
        return None;
    }
    let piece = |(number, place): (usize, Range<usize>)| {
        let template = set.get_template_arc(&PolicyID::from_string(format!("policy{number}")))?;
        let within = template.loc().is_some_and(|loc| place.start <= loc.start() && loc.end() <= place.end);
        within.then_some(Parsed { template, base: place.start })
    };
    places.into_iter().enumerate().map(piece).collect()
}

fn parse_one(source: &PolicySource, limits: &TextLimits) -> Result<Parsed, Vec<Problem>> {
    check(source, limits)?;
    let origin = source.origin();
    let template = parse_policy_or_template(None, &source.text).map_err(|errors| {
        let place = |d: &dyn miette::Diagnostic| first_label(d).unwrap_or(source.whole());
        let problem = |error: &ParseError| {
            let span = place(error);
            let problem = Problem::error("policy_syntax", message_of(error)).at(&origin, span);
            match syntax_hint(error, &source.text, span) {
                Some(hint) => problem.with_hint(hint),
                None => problem,
            }
        };
        errors.iter().take(20).map(problem).collect::<Vec<_>>()
    })?;
    Ok(Parsed { template: Arc::new(template), base: 0 })
}
