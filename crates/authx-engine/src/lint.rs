//! Lints: what is valid and still looks like a mistake. A lint changes no decision.
//!
//! Every lint has a name, under which docs/lints.md explains it, and a level. `@allow("name")` on a policy, or on what a
//! schema declares, switches it off there. What only the whole release shows is looked for in the whole release; what a
//! policy shows by itself, in the policies that are asked for.

mod conditions;
mod declarations;
mod fold;
mod policies;
mod shadowed;
#[cfg(test)]
mod tests;
mod unused;
mod usage;

use smol_str::SmolStr;

use crate::cedar::fuzzy_search_limited;
use crate::policy::PolicyId;
use crate::problem::{Problem, Severity};
use crate::release::Release;
use crate::stack::on_large_stack;

/// The annotation that switches lints off.
const ALLOW: &str = "allow";

/// Findings of one lint that are told one by one.
const MAX_TOLD: usize = 100;

/// Something that is valid and looks like a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lint {
    /// A part of a condition that is never false.
    AlwaysTrue,
    /// A part of a condition that is never true, or a policy that no request can match.
    AlwaysFalse,
    /// A part of a condition that fails whenever it is reached.
    AlwaysError,
    /// A part of a condition that stands there twice.
    DuplicateCondition,
    /// A permit that permits nothing that another one does not.
    ShadowedPermit,
    /// A forbid that forbids nothing that another one does not.
    ShadowedForbid,
    /// A permit without any limit.
    PermitAll,
    /// A forbid without any limit.
    ForbidAll,
    /// What the schema declares and no policy uses.
    UnusedSchema,
    /// A relation of the model that no policy asks for.
    UnusedRelation,
    /// An action that no permit can match.
    UnpermittedAction,
    /// Characters that look like others, or that reorder text.
    Confusable,
    /// A policy whose id is a hash of its text.
    MissingId,
    /// `@allow` names no lint.
    UnknownLint,
}

/// What is made of a lint's findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Off,
    Warn,
    /// As an error.
    Deny,
}

impl Level {
    /// `off`, `warn` or `deny`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Deny => "deny",
        }
    }

    /// Reads `off`, `warn` or `deny`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "off" => Some(Self::Off),
            "warn" => Some(Self::Warn),
            "deny" => Some(Self::Deny),
            _ => None,
        }
    }
}

impl Lint {
    pub const ALL: [Self; 14] = [
        Self::AlwaysTrue,
        Self::AlwaysFalse,
        Self::AlwaysError,
        Self::DuplicateCondition,
        Self::ShadowedPermit,
        Self::ShadowedForbid,
        Self::PermitAll,
        Self::ForbidAll,
        Self::UnusedSchema,
        Self::UnusedRelation,
        Self::UnpermittedAction,
        Self::Confusable,
        Self::MissingId,
        Self::UnknownLint,
    ];

    /// The name, which is also the code of its findings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AlwaysTrue => "always_true",
            Self::AlwaysFalse => "always_false",
            Self::AlwaysError => "always_error",
            Self::DuplicateCondition => "duplicate_condition",
            Self::ShadowedPermit => "shadowed_permit",
            Self::ShadowedForbid => "shadowed_forbid",
            Self::PermitAll => "permit_all",
            Self::ForbidAll => "forbid_all",
            Self::UnusedSchema => "unused_schema",
            Self::UnusedRelation => "unused_relation",
            Self::UnpermittedAction => "unpermitted_action",
            Self::Confusable => "confusable",
            Self::MissingId => "missing_id",
            Self::UnknownLint => "unknown_lint",
        }
    }

    /// The lint of a name.
    ///
    /// # Errors
    /// When there is none.
    pub fn parse(name: &str) -> Result<Self, UnknownLint> {
        let found = Self::ALL.into_iter().find(|lint| lint.name() == name);
        found.ok_or_else(|| {
            let close = fuzzy_search_limited(name, &Self::ALL.map(Self::name), Some(4.min(name.chars().count() / 2)));
            UnknownLint { name: name.to_owned(), close }
        })
    }
}

/// A name that no lint has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownLint {
    pub name: String,
    /// The name that was probably meant.
    pub close: Option<String>,
}

impl UnknownLint {
    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> String {
        match &self.close {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("there are: {}", Lint::ALL.map(Lint::name).join(", ")),
        }
    }
}

impl std::fmt::Display for UnknownLint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there is no lint `{}`", self.name)
    }
}

/// The level of every lint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintLevels([Level; Lint::ALL.len()]);

/// Every lint warns.
impl Default for LintLevels {
    fn default() -> Self {
        Self([Level::Warn; Lint::ALL.len()])
    }
}

impl LintLevels {
    pub fn set(&mut self, lint: Lint, level: Level) {
        let place = Lint::ALL.iter().zip(&mut self.0).find(|(known, _)| **known == lint);
        if let Some((_, place)) = place {
            *place = level;
        }
    }

    #[must_use]
    pub fn of(&self, lint: Lint) -> Level {
        Lint::ALL.iter().zip(&self.0).find(|(known, _)| **known == lint).map_or(Level::Warn, |(_, level)| *level)
    }
}

/// What of a release is looked at.
#[derive(Debug, Clone, Copy)]
pub enum Linted<'a> {
    /// All policies, and what only all of them together show.
    Whole,
    /// Some policies, each for itself.
    Policies(&'a [PolicyId]),
}

/// What the lints find in a release, in the order of the author's files.
#[must_use]
pub fn lint(release: &Release, linted: Linted<'_>, levels: &LintLevels) -> Vec<Problem> {
    let mut findings = Findings { levels, problems: Vec::new(), counts: [0; Lint::ALL.len()] };
    // Policies are parsed again where something is found, and conditions are walked.
    let walked = on_large_stack(|| {
        match linted {
            Linted::Whole => {
                policies::check(release.policies(), &mut findings);
                policies::check_shadowed(release, &mut findings);
                unused::check(release, &mut findings);
            }
            Linted::Policies(ids) => {
                policies::check(ids.iter().filter_map(|id| release.policy(id)), &mut findings);
            }
        }
        Ok::<_, Problem>(())
    });
    let Findings { mut problems, counts, .. } = findings;
    problems.sort_by(|a, b| place(a).cmp(&place(b)));
    let more = Lint::ALL.into_iter().zip(counts).filter(|(_, count)| *count > MAX_TOLD);
    problems.extend(more.map(|(lint, count)| levelled(levels.of(lint), rest(lint, count - MAX_TOLD))));
    problems.extend(walked.err());
    problems
}

fn place(problem: &Problem) -> (Option<&str>, Option<u32>, Option<u32>, &str) {
    (problem.file.as_deref(), problem.line, problem.column, &problem.code)
}

fn rest(lint: Lint, count: usize) -> Problem {
    Problem::warning(lint.name(), format!("{count} more findings of this lint are not shown"))
}

fn levelled(level: Level, problem: Problem) -> Problem {
    match level {
        Level::Deny => Problem { severity: Severity::Error, ..problem },
        Level::Warn | Level::Off => problem,
    }
}

/// Collects what is found.
struct Findings<'a> {
    levels: &'a LintLevels,
    problems: Vec<Problem>,
    /// What was found of each lint, also beyond what is told.
    counts: [usize; Lint::ALL.len()],
}

impl Findings<'_> {
    /// Whether anybody wants to know.
    fn wants(&self, lint: Lint) -> bool {
        self.levels.of(lint) != Level::Off
    }

    /// Whether so much was found already that another finding would only be counted.
    fn is_full(&self, lint: Lint) -> bool {
        Lint::ALL.iter().zip(&self.counts).any(|(known, count)| *known == lint && *count >= MAX_TOLD)
    }

    /// Takes one finding, unless its lint is off, here or everywhere.
    fn take(&mut self, lint: Lint, allow: Option<&SmolStr>, problem: impl FnOnce() -> Problem) {
        let level = self.levels.of(lint);
        if level == Level::Off || allow.is_some_and(|allow| names(allow).any(|name| name == lint.name())) {
            return;
        }
        let full = self.is_full(lint);
        if let Some((_, count)) = Lint::ALL.iter().zip(&mut self.counts).find(|(known, _)| **known == lint) {
            *count += 1;
        }
        if !full {
            self.problems.push(levelled(level, problem()));
        }
    }
}

/// The names in an `@allow`, divided by commas or space.
fn names(allow: &str) -> impl Iterator<Item = &str> {
    allow.split(|c: char| c == ',' || c.is_whitespace()).filter(|name| !name.is_empty())
}
