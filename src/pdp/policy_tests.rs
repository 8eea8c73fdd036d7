//! Tests of policies, run on a store's release: the questions one after the other, in turns with other work.

use std::collections::BTreeMap;

use authx_engine::{Conditions, Coverage, Limits, PolicyCoverage, PolicyId, Problem, Snapshot};

use crate::pdp::{CheckError, Pdp};
use crate::policy_tests::{CODE, CaseResult, DataRows, Ground, MAX_EXPLAINED, Prepared, Suite, TestResult, read};
use crate::replica::{LoadError, OpenStore};

/// Questions of all suites of one request, and tests.
const MAX_QUESTIONS: usize = 10_000;

/// What the suites of one request name of files, counted each time.
const MAX_BYTES: usize = 64 << 20;

/// What a row takes besides what it says, about.
const ROW: usize = 200;

/// A file of tests that is sent, with what the files hold that it names.
#[derive(Debug, Clone)]
pub struct SuiteSent {
    pub file: String,
    pub text: String,
    /// By the names that the suite gives them.
    pub files: BTreeMap<String, DataRows>,
}

/// Suites, and how they are run.
#[derive(Debug, Clone)]
pub struct TestsAsked {
    pub suites: Vec<SuiteSent>,
    /// Another release than the active one.
    pub release: Option<String>,
    /// Only tests or questions whose names contain this.
    pub filter: String,
    /// Whether to tell what was tried.
    pub coverage: bool,
    /// Whether they may ask for the store's own data.
    pub data: bool,
}

/// What came of suites.
#[derive(Debug)]
pub struct TestsRun {
    pub suites: Vec<SuiteRun>,
    /// Of all of them, when it was asked for.
    pub coverage: Option<Vec<PolicyCoverage>>,
    pub revision: u64,
    pub release: Option<String>,
    pub token: String,
}

/// What came of one suite: its tests, or why none was run.
#[derive(Debug)]
pub struct SuiteRun {
    pub file: String,
    pub tests: Result<Vec<TestResult>, Vec<Problem>>,
}

impl Pdp {
    /// Runs suites on the store's release. They bring their own data; nothing is recorded.
    ///
    /// # Errors
    /// When there is no such release, or there are too many questions.
    pub async fn run_tests(&self, store: &OpenStore, asked: TestsAsked) -> Result<TestsRun, CheckError> {
        let current = store.current();
        let base = self.snapshot_under(store, &current, asked.release.as_deref()).await?.into_owned();
        let (limits, now) = (self.limits, self.clock.now().as_millis());
        let release = base.release().map(|release| release.id().to_owned());
        let revision = base.revision();
        let lost = |_| LoadError::Interrupted;
        let work = Work::new(asked, base, limits, now);
        let (suites, coverage) = self.turns.repeat(work, Work::step).await.map_err(lost)??;
        Ok(TestsRun { suites, coverage, revision, release, token: current.token.clone() })
    }
}

/// What is left to do.
struct Work {
    /// The last is taken first.
    sent: Vec<SuiteSent>,
    /// The suite that is asked.
    suite: Option<Asking>,
    done: Vec<SuiteRun>,
    /// Policies that are still to be cut into conjuncts.
    uncut: Vec<PolicyId>,
    ground: Ground,
    /// Whether suites may ask for the store's own data.
    data: bool,
    conditions: Option<Conditions>,
    coverage: Coverage,
    room: Room,
}

/// How much all suites together may still have.
struct Room {
    questions: usize,
    tests: usize,
    /// Of rows of files, counted each time that one is named.
    bytes: usize,
    explanations: usize,
}

/// A suite that is asked.
struct Asking {
    file: String,
    prepared: Result<Prepared, Vec<Problem>>,
    answers: Vec<CaseResult>,
    /// How many of them were looked at for what is to be explained.
    looked_at: usize,
}

type Done = (Vec<SuiteRun>, Option<Vec<PolicyCoverage>>);

impl Work {
    fn new(asked: TestsAsked, base: Snapshot, limits: Limits, now: i64) -> Self {
        let TestsAsked { suites: mut sent, filter, coverage, data, .. } = asked;
        sent.reverse();
        let policies = base.release().filter(|_| coverage).into_iter().flat_map(|release| release.policies());
        let uncut = policies.map(|policy| PolicyId::new(policy.id())).collect();
        Self {
            sent,
            suite: None,
            done: Vec::new(),
            uncut,
            ground: Ground { base, filter, now, limits },
            data,
            conditions: coverage.then(Conditions::default),
            coverage: Coverage::default(),
            room: Room {
                questions: MAX_QUESTIONS,
                tests: MAX_QUESTIONS,
                bytes: MAX_BYTES,
                explanations: MAX_EXPLAINED,
            },
        }
    }

    /// Cuts one policy, prepares one suite, asks one question, explains one answer or ends one suite.
    fn step(&mut self) -> Option<Result<Done, CheckError>> {
        if let (Some(conditions), Some(id)) = (&mut self.conditions, self.uncut.pop()) {
            let cut = self.ground.base.release().map_or(Ok(()), |release| conditions.cut(release, &id));
            return cut.err().map(|error| Err(error.into()));
        }
        let Some(asking) = &mut self.suite else {
            let Some(sent) = self.sent.pop() else {
                let coverage = self.conditions.as_ref().map(|conditions| self.coverage.of(conditions));
                return Some(Ok((std::mem::take(&mut self.done), coverage)));
            };
            return self.prepare(sent).err().map(Err);
        };
        if !asking.ask(self.conditions.as_ref(), &mut self.coverage) && !asking.explain(&mut self.room.explanations) {
            self.done.extend(self.suite.take().map(Asking::end));
        }
        None
    }

    fn prepare(&mut self, SuiteSent { file, text, files }: SuiteSent) -> Result<(), CheckError> {
        let suite = read(&text, &file).and_then(|suite| admitted(suite, &files, self.data, &mut self.room.bytes));
        if let Ok(suite) = &suite {
            let too_many = || CheckError::TooManyQuestions { limit: MAX_QUESTIONS };
            // Also of what the filter leaves out: it is kept for as long as the suite is asked.
            self.room.questions = self.room.questions.checked_sub(suite.questions()).ok_or_else(too_many)?;
            self.room.tests = self.room.tests.checked_sub(suite.tests.len()).ok_or_else(too_many)?;
        }
        let prepared = suite.and_then(|suite| Prepared::new(suite, self.ground.clone()));
        self.suite = Some(Asking { file, prepared, answers: Vec::new(), looked_at: 0 });
        Ok(())
    }
}

impl Asking {
    /// Asks the next question; false when all are answered.
    fn ask(&mut self, conditions: Option<&Conditions>, coverage: &mut Coverage) -> bool {
        let prepared = self.prepared.as_ref().ok();
        let answer = prepared.and_then(|prepared| prepared.ask(self.answers.len(), conditions, coverage));
        let asked = answer.is_some();
        self.answers.extend(answer);
        asked
    }

    /// Explains the next answer that is not as expected; false when no more is to be explained.
    fn explain(&mut self, room: &mut usize) -> bool {
        let (Ok(prepared), 1..) = (&self.prepared, *room) else { return false };
        let mut rest = self.answers.iter_mut().enumerate().skip(self.looked_at);
        let Some((at, answer)) = rest.find(|(_, answer)| !answer.passed()) else { return false };
        answer.explanation = prepared.explain(at);
        self.looked_at = at + 1;
        *room -= 1;
        true
    }

    fn end(self) -> SuiteRun {
        SuiteRun { file: self.file, tests: self.prepared.map(|prepared| prepared.results(self.answers)) }
    }
}

/// A suite that came over the network: its files came with it, and it asks for no data that its sender may not read.
/// Where it says its policies are does not matter here.
fn admitted(
    mut suite: Suite,
    files: &BTreeMap<String, DataRows>,
    data: bool,
    room: &mut usize,
) -> Result<Suite, Vec<Problem>> {
    let file = suite.file.clone();
    if !data && suite.fixtures_mut().any(|fixtures| fixtures.data) {
        let message = "the suite asks for the store's own data, which takes the scope `read`";
        return Err(vec![Problem { file: Some(file), ..Problem::error(CODE, message) }]);
    }
    suite.fill(|named| {
        let refused = |message: &str| vec![named.name().problem(&file, message)];
        let rows = files.get(&named.name().path);
        let rows = rows.ok_or_else(|| refused("the suite names a file, and what it holds was not sent"))?;
        // Each row is kept with the name of its file.
        let count = rows.entities.len() + rows.tuples.len();
        let left = room.checked_sub(rows.bytes.saturating_add(count * (named.name().path.len() + ROW)));
        *room = left.ok_or_else(|| refused("what the suites name of files is more than 64 MiB, each time counted"))?;
        Ok(rows.clone())
    })?;
    Ok(suite)
}
