//! Tests of policies, run on a store's release: the questions one after the other, in turns with other work.

use std::collections::BTreeMap;

use authx_engine::{Conditions, Coverage, Limits, PolicyCoverage, PolicyId, Problem, Snapshot};

use crate::pdp::{CheckError, Pdp};
use crate::policy_tests::{CODE, CaseResult, DataRows, Ground, MAX_EXPLAINED, Prepared, Suite, TestResult, read};
use crate::replica::{LoadError, OpenStore};

/// Questions of all suites of one request.
const MAX_QUESTIONS: usize = 10_000;

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
        let work = self.turns.take(move || Work::new(asked, base, limits, now)).await.map_err(lost)??;
        let (suites, coverage) = self.turns.repeat(work, Work::step).await.map_err(lost)??;
        Ok(TestsRun { suites, coverage, revision, release, token: current.token.clone() })
    }
}

/// What is left to do.
struct Work {
    suites: Vec<(String, Result<Prepared, Vec<Problem>>)>,
    /// Of the suite that is asked.
    answers: Vec<CaseResult>,
    /// How many of them were looked at for what is to be explained, and for how many explanations there is room.
    looked_at: usize,
    room: usize,
    done: Vec<SuiteRun>,
    /// Policies that are still to be cut into conjuncts.
    uncut: Vec<PolicyId>,
    base: Snapshot,
    conditions: Option<Conditions>,
    coverage: Coverage,
}

type Done = (Vec<SuiteRun>, Option<Vec<PolicyCoverage>>);

impl Work {
    fn new(asked: TestsAsked, base: Snapshot, limits: Limits, now: i64) -> Result<Self, CheckError> {
        let TestsAsked { suites: sent, filter, coverage, data, .. } = asked;
        let prepared = |SuiteSent { file, text, files }: &SuiteSent| {
            let suite = admitted(read(text, file)?, files, data)?;
            Prepared::new(suite, Ground { base: base.clone(), filter: filter.clone(), now, limits })
        };
        let (mut suites, mut room) = (Vec::new(), MAX_QUESTIONS);
        for sent in sent {
            let suite = prepared(&sent);
            let questions = suite.as_ref().map_or(0, Prepared::len);
            room = room.checked_sub(questions).ok_or(CheckError::TooManyQuestions { limit: MAX_QUESTIONS })?;
            suites.push((sent.file, suite));
        }
        // The last is taken first.
        suites.reverse();
        let ids = base.release().filter(|_| coverage).into_iter().flat_map(|release| release.policies());
        Ok(Self {
            suites,
            answers: Vec::new(),
            looked_at: 0,
            room: MAX_EXPLAINED,
            done: Vec::new(),
            uncut: ids.map(|policy| PolicyId::new(policy.id())).collect(),
            conditions: coverage.then(Conditions::default),
            coverage: Coverage::default(),
            base,
        })
    }

    /// Cuts one policy, asks one question, explains one answer or ends one suite.
    fn step(&mut self) -> Option<Result<Done, CheckError>> {
        if let (Some(conditions), Some(id)) = (&mut self.conditions, self.uncut.pop()) {
            let cut = self.base.release().map_or(Ok(()), |release| conditions.cut(release, &id));
            return cut.err().map(|error| Err(error.into()));
        }
        let Some((_, suite)) = self.suites.last() else {
            let coverage = self.conditions.as_ref().map(|conditions| self.coverage.of(conditions));
            return Some(Ok((std::mem::take(&mut self.done), coverage)));
        };
        let next = suite
            .as_ref()
            .ok()
            .and_then(|prepared| prepared.ask(self.answers.len(), self.conditions.as_ref(), &mut self.coverage));
        if let Some(answer) = next {
            self.answers.push(answer);
        } else if !self.explain() {
            let answers = std::mem::take(&mut self.answers);
            self.looked_at = 0;
            let ended = self.suites.pop();
            self.done.extend(ended.map(|(file, suite)| {
                let tests = suite.map(|prepared| prepared.results(answers));
                SuiteRun { file, tests }
            }));
        }
        None
    }
}

impl Work {
    /// Explains the next answer that is not as expected; false when no more is to be explained.
    fn explain(&mut self) -> bool {
        let (Some((_, Ok(suite))), 1..) = (self.suites.last(), self.room) else { return false };
        let mut rest = self.answers.iter_mut().enumerate().skip(self.looked_at);
        let Some((at, answer)) = rest.find(|(_, answer)| !answer.passed()) else { return false };
        answer.explanation = suite.explain(at);
        (self.looked_at, self.room) = (at + 1, self.room - 1);
        true
    }
}

/// A suite that came over the network: its files came with it, and it asks for no data that its sender may not read.
/// Where it says its policies are does not matter here.
fn admitted(mut suite: Suite, files: &BTreeMap<String, DataRows>, data: bool) -> Result<Suite, Vec<Problem>> {
    let file = suite.file.clone();
    if !data && suite.fixtures_mut().any(|fixtures| fixtures.data) {
        let message = "the suite asks for the store's own data, which takes the scope `read`";
        return Err(vec![Problem { file: Some(file), ..Problem::error(CODE, message) }]);
    }
    suite.fill(|named| {
        let named = named.name();
        let missing = || vec![named.problem(&file, "the suite names a file, and what it holds was not sent")];
        files.get(&named.path).cloned().ok_or_else(missing)
    })?;
    Ok(suite)
}
