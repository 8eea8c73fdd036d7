//! Tests of policies: who may do what, asserted on data that a file brings along.
//!
//! A suite is read from text, laid over a release, and run with the engine that the server asks. Files, servers and
//! terminals are not known here. docs/testing.md tells what a suite looks like.

mod cedar;
mod compare;
mod example;
mod matrix;
mod read;
mod references;
mod run;
mod tuples;
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;

use authx_engine::relation::Tuple;
use authx_engine::{
    AccessRequest, EntityInput, EntityUid, Explanation, JsonObject, LinkInput, PolicyErrors, Problem,
    RequestAttributes, Validation,
};

use crate::yaml::Place;
use crate::yaml::fields::short;

pub use example::{Example, NoExample};
pub use read::read;
pub use run::{Ground, MAX_EXPLAINED, Prepared};
pub(crate) use tuples::tuple;
pub use world::{Laid, lay};

/// The code of what is wrong with a file of tests.
pub const CODE: &str = "test_file";

/// The JSON schema of a file of tests.
pub const SCHEMA: &str = include_str!("policy_tests/suite.schema.json");

/// What a file of tests says.
#[derive(Debug)]
pub struct Suite {
    /// Its name, as shown.
    pub file: String,
    /// Where the policies are, if not where the file is.
    pub policies: Option<FileRef>,
    pub settings: SettingsGiven,
    pub fixtures: Fixtures,
    pub tests: Vec<Test>,
}

/// Another file, as it is named in a suite.
#[derive(Debug, Clone)]
pub struct FileRef {
    pub(crate) place: Place,
    pub path: String,
}

/// Settings of a store, as far as a suite gives them.
#[derive(Debug, Clone, Copy, Default)]
pub struct SettingsGiven {
    pub validation: Option<Validation>,
    pub policy_errors: Option<PolicyErrors>,
    pub request_attributes: Option<RequestAttributes>,
}

/// What a suite, or one test, stores before it asks.
#[derive(Debug, Clone, Default)]
pub struct Fixtures {
    /// Whether the store's own data is there too.
    pub data: bool,
    pub entities: Vec<Sourced<EntityInput>>,
    pub tuples: Vec<Sourced<Tuple>>,
    pub links: Vec<Sourced<(String, LinkInput)>>,
    pub files: Vec<DataFile>,
    /// Milliseconds since 1970.
    pub now: Option<i64>,
}

/// A file of entities or tuples.
#[derive(Debug, Clone)]
pub enum DataFile {
    Entities(FileRef),
    Tuples(FileRef),
}

/// What a file of entities or tuples holds.
#[derive(Debug, Clone, Default)]
pub struct DataRows {
    pub entities: Vec<EntityInput>,
    /// Each with its line, if there are lines.
    pub tuples: Vec<(Option<u32>, Tuple)>,
    /// What they take, where that is bounded.
    pub bytes: usize,
}

/// Something, and where it is from.
#[derive(Debug, Clone)]
pub struct Sourced<T> {
    pub what: T,
    pub file: String,
    /// From 1.
    pub line: Option<u32>,
}

/// Some questions on the same data.
#[derive(Debug)]
pub struct Test {
    pub name: String,
    pub description: Option<String>,
    pub line: u32,
    pub fixtures: Fixtures,
    pub cases: Vec<Case>,
}

/// One question, and what must come of it. What many questions have in common is shared.
#[derive(Debug, Clone)]
pub struct Case {
    pub name: Option<String>,
    pub line: u32,
    /// As they are written.
    pub words: [Arc<str>; 3],
    pub principal: EntityUid,
    pub action: EntityUid,
    pub resource: EntityUid,
    pub context: Arc<JsonObject>,
    pub entities: Vec<EntityInput>,
    pub tuples: Vec<Tuple>,
    pub expected: Arc<Expected>,
}

/// What must come of a question.
#[derive(Debug, Clone)]
pub struct Expected {
    pub answer: Wanted,
    pub besides: Besides,
}

/// Which answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Allow,
    Deny,
    /// That there is no decision.
    Error,
}

/// What must be so besides the answer.
#[derive(Debug, Clone, Default)]
pub struct Besides {
    /// Exactly these determine it.
    pub policies: Option<Arc<BTreeSet<String>>>,
    pub errors: Errors,
    /// Parts of warnings; each warning has one of them. `None`: warnings do not matter.
    pub warnings: Option<Arc<[String]>>,
}

/// Which policies fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errors {
    These(Arc<BTreeSet<String>>),
    /// So many, whichever.
    Count(u64),
    AtLeastOne,
}

impl Default for Errors {
    fn default() -> Self {
        Self::These(Arc::default())
    }
}

/// What came of one test.
#[derive(Debug)]
pub struct TestResult {
    pub name: String,
    pub description: Option<String>,
    pub line: u32,
    /// Why nothing was asked.
    pub refused: Vec<String>,
    pub cases: Vec<CaseResult>,
}

/// What came of one question.
#[derive(Debug)]
pub struct CaseResult {
    pub name: String,
    pub line: u32,
    /// What is not as expected; nothing when it passed.
    pub differences: Vec<String>,
    /// Why it was decided so, when it did not pass, was decided, and not too many before it did not pass.
    pub explanation: Option<Box<Explanation>>,
}

impl DataFile {
    #[must_use]
    pub fn name(&self) -> &FileRef {
        match self {
            Self::Entities(file) | Self::Tuples(file) => file,
        }
    }
}

impl FileRef {
    /// What is wrong with it, where `file` names it.
    #[must_use]
    pub fn problem(&self, file: &str, message: &str) -> Problem {
        Problem { file: Some(file.to_owned()), ..self.place.problem(CODE, message) }
    }
}

impl<T> Sourced<T> {
    /// `file:line`.
    #[must_use]
    pub fn source(&self) -> String {
        self.line.map_or_else(|| self.file.clone(), |line| format!("{}:{line}", self.file))
    }
}

impl Case {
    /// The question in one line.
    #[must_use]
    pub fn title(&self) -> String {
        let question = self.words.join(" ");
        short(match &self.name {
            Some(name) => format!("{name}: {question}"),
            None => question,
        })
    }

    /// The question at a time.
    #[must_use]
    pub fn request(&self, now: i64) -> AccessRequest {
        let Self { principal, action, resource, context, entities, tuples, .. } = self;
        AccessRequest {
            context: JsonObject::clone(context),
            entities: entities.clone(),
            tuples: tuples.clone(),
            now,
            ..AccessRequest::new(principal.clone(), action.clone(), resource.clone())
        }
    }
}

impl Suite {
    /// How many questions it has, with those that a filter leaves out.
    #[must_use]
    pub fn questions(&self) -> usize {
        self.tests.iter().map(|test| test.cases.len()).sum()
    }

    /// The fixtures of all tests, then those of each.
    pub fn fixtures_mut(&mut self) -> impl Iterator<Item = &mut Fixtures> {
        std::iter::once(&mut self.fixtures).chain(self.tests.iter_mut().map(|test| &mut test.fixtures))
    }

    /// Puts what the files hold that it names into its fixtures, each time that it names one.
    ///
    /// # Errors
    /// What `read` has against them.
    pub fn fill(
        &mut self,
        mut read: impl FnMut(&DataFile) -> Result<DataRows, Vec<Problem>>,
    ) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        for fixtures in self.fixtures_mut() {
            for named in std::mem::take(&mut fixtures.files) {
                let rows = match read(&named) {
                    Ok(rows) => rows,
                    Err(found) => {
                        problems.extend(found);
                        continue;
                    }
                };
                let file = &named.name().path;
                let entity = |what| Sourced { what, file: file.clone(), line: None };
                fixtures.entities.extend(rows.entities.into_iter().map(entity));
                let tuple = |(line, what)| Sourced { what, file: file.clone(), line };
                fixtures.tuples.extend(rows.tuples.into_iter().map(tuple));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

impl TestResult {
    #[must_use]
    pub fn passed(&self) -> bool {
        self.refused.is_empty() && self.cases.iter().all(CaseResult::passed)
    }
}

impl CaseResult {
    #[must_use]
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }
}

#[cfg(test)]
mod tests;
