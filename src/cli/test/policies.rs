//! Tests of policies in files: which store they are of, its release, and what they try of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use authx_engine::{Conditions, Coverage, Limits, Problem, Snapshot};

use super::load::{Origin, Refusal};
use super::report::coverage::StoreCoverage;
use super::report::{Answered, Outcome, TestReport};
use crate::api::v1::explain::ExplanationBody;
use crate::api::v1::policy_tests::PolicyCoverageBody;
use crate::cli::files::snapshot::{compile, empty, with_data};
use crate::cli::files::{StoreFiles, find};
use crate::policy_tests::{self, CODE, CaseResult, Ground, MAX_EXPLAINED, Prepared, Suite, TestResult};

/// How far above a file of tests the folder of its store may be.
const MAX_ABOVE: usize = 8;

/// How tests are run.
#[derive(Debug, Clone, Copy)]
pub(super) struct How<'a> {
    pub(super) filter: &'a str,
    pub(super) now: i64,
    pub(super) coverage: bool,
    pub(super) threads: usize,
}

/// The stores that tests of one run are of, each compiled once.
#[derive(Default)]
pub(super) struct Stores(BTreeMap<PathBuf, Store>);

/// One store.
struct Store {
    files: StoreFiles,
    empty: Snapshot,
    /// When some test asked for it.
    own: Option<Snapshot>,
    conditions: Option<Conditions>,
    coverage: Coverage,
    /// For explanations.
    room: usize,
    warnings: Vec<Problem>,
}

impl Stores {
    /// Runs a file of tests. `texts` takes the texts that problems speak of.
    ///
    /// # Errors
    /// Why no test was run.
    pub(super) fn run(
        &mut self,
        text: &str,
        origin: Origin<'_>,
        how: How<'_>,
        texts: &mut BTreeMap<String, String>,
    ) -> Result<(Vec<TestReport>, Vec<Problem>), Refusal> {
        let mut suite = policy_tests::read(text, origin.name).map_err(Refusal::Unreadable)?;
        suite.fill(|named| origin.data_file(named)).map_err(Refusal::Unreadable)?;
        let place = place_of(&suite, origin)?;
        let key = std::fs::canonicalize(&place).unwrap_or_else(|_| place.clone());
        let store = match self.0.entry(key) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let files = only_store(&place, origin)?;
                texts.extend(files.texts.clone());
                entry.insert(Store::new(files, how.coverage)?)
            }
        };
        let data = suite.fixtures.data || suite.tests.iter().any(|test| test.fixtures.data);
        if data && store.own.is_none() {
            texts.extend(store.files.texts.clone());
            store.own = Some(with_data(&store.empty, &store.files).map_err(Refusal::Unreadable)?);
        }
        let ground = Ground {
            base: store.own.as_ref().unwrap_or(&store.empty).clone(),
            filter: how.filter.to_owned(),
            now: how.now,
            limits: Limits::default(),
        };
        let prepared = Prepared::new(suite, ground).map_err(Refusal::Unreadable)?;
        let (results, coverage) = prepared.run(store.conditions.as_ref(), how.threads, &mut store.room);
        store.coverage.add(coverage);
        Ok((results.into_iter().map(TestReport::from).collect(), std::mem::take(&mut store.warnings)))
    }

    /// What was tried, by store.
    pub(super) fn coverage(&self) -> Vec<StoreCoverage> {
        let of = |store: &Store| {
            let policies = store.coverage.of(store.conditions.as_ref()?);
            Some(StoreCoverage {
                store: store.files.name.clone(),
                policies: policies.into_iter().map(PolicyCoverageBody::from).collect(),
            })
        };
        self.0.values().filter_map(of).collect()
    }
}

impl Store {
    fn new(files: StoreFiles, coverage: bool) -> Result<Self, Refusal> {
        let (release, warnings) = compile(&files).map_err(Refusal::Invalid)?;
        let conditions = coverage.then(|| Conditions::of(&release)).transpose();
        let conditions = conditions
            .map_err(|_| Refusal::Unreadable(vec![Problem::error(CODE, "the policies cannot be taken apart")]))?;
        let empty = empty(release);
        Ok(Self { files, empty, own: None, conditions, coverage: Coverage::default(), room: MAX_EXPLAINED, warnings })
    }
}

/// The folder of the store that a file of tests is of: the one below `policies` that it stands in, else its own.
fn store_of(folder: &Path) -> PathBuf {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let whole = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let below = |path: &&Path| path.parent().and_then(Path::file_name).is_some_and(|name| name == "policies");
    whole.ancestors().take(MAX_ABOVE).find(below).map_or_else(|| folder.to_owned(), Path::to_owned)
}

/// Where the policies are that a suite is of.
pub(super) fn place_of(suite: &Suite, origin: Origin<'_>) -> Result<PathBuf, Refusal> {
    match &suite.policies {
        Some(file) => origin.place(file).map_err(|problem| Refusal::Unreadable(vec![problem])),
        None => Ok(store_of(origin.folder)),
    }
}

/// The store of a path that holds only one.
pub(super) fn only_store(place: &Path, origin: Origin<'_>) -> Result<StoreFiles, Refusal> {
    let refused = |message: String| {
        let problem = Problem { file: Some(origin.name.to_owned()), ..Problem::error(CODE, message) };
        Refusal::Unreadable(vec![problem.with_hint("the field `policies` says where the policies are")])
    };
    let mut stores = find(place).map_err(|error| refused(error.to_string()))?;
    match (stores.pop(), stores.is_empty()) {
        (Some(store), true) => Ok(store),
        _ => Err(refused(format!("`{}` holds several stores", place.display()))),
    }
}

impl From<TestResult> for TestReport {
    fn from(result: TestResult) -> Self {
        let TestResult { name, description, line, refused, cases } = result;
        Self { name, description, line, refused, answers: cases.into_iter().map(Answered::from).collect() }
    }
}

impl From<CaseResult> for Answered {
    fn from(result: CaseResult) -> Self {
        let CaseResult { name, line, differences, explanation } = result;
        let outcome = if differences.is_empty() {
            Outcome::Passed
        } else {
            let explanation =
                explanation.map(|explanation| serde_json::json!(ExplanationBody::new(&explanation, true, true)));
            Outcome::Decided { differences, explanation }
        };
        Self { line, what: name, list: false, outcome }
    }
}
