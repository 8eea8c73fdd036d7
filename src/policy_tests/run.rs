//! Runs a suite: each test on data of its own, each question for itself.

use std::cell::LazyCell;
use std::sync::Arc;
use std::thread;

use authx_engine::{
    COMPILE_STACK_BYTES, Conditions, Coverage, Data, Explanation, Limits, Problem, Release, Settings, Snapshot, decide,
    explain,
};

use super::compare::differences;
use super::world::{Laid, lay};
use super::{Case, CaseResult, Fixtures, Suite, TestResult};
use crate::yaml::fields::short;

/// Questions of one run that did not come out as expected and are explained.
pub const MAX_EXPLAINED: usize = 100;

/// Reasons that are told why a test asks nothing.
const MAX_REFUSALS: usize = 10;

/// What suites run on, and how.
#[derive(Debug, Clone)]
pub struct Ground {
    /// A release, and the store's own data for suites that ask for it.
    pub base: Snapshot,
    /// Only tests or questions whose names contain this.
    pub filter: String,
    /// For suites that give no time.
    pub now: i64,
    pub limits: Limits,
}

/// A suite whose data is laid.
pub struct Prepared {
    suite: Suite,
    ground: Ground,
    /// Of the tests that are run, with where each is in the suite.
    worlds: Vec<(usize, Result<Snapshot, Vec<Problem>>)>,
    /// The questions: of which world, and where in its test.
    questions: Vec<(usize, usize)>,
    positions: Positions,
}

impl Prepared {
    /// Lays the data of each test that the filter leaves.
    ///
    /// # Errors
    /// When the data that is common to all of them is refused.
    pub fn new(suite: Suite, ground: Ground) -> Result<Self, Vec<Problem>> {
        let common = laid(&begun(&suite, &ground, suite.fixtures.data), &suite.fixtures);
        let common = common.map_err(|mut problems| {
            problems.truncate(MAX_REFUSALS);
            problems
        })?;
        let (mut worlds, mut questions) = (Vec::new(), Vec::new());
        let own = LazyCell::new(|| laid(&begun(&suite, &ground, true), &suite.fixtures));
        for (at, test) in suite.tests.iter().enumerate() {
            let whole = test.name.contains(&ground.filter);
            let left = test.cases.iter().enumerate();
            let left: Vec<usize> = left
                .filter(|(_, case)| whole || case.title().contains(&ground.filter))
                .map(|(question, _)| question)
                .collect();
            if left.is_empty() && !whole {
                continue;
            }
            let own = (test.fixtures.data && !suite.fixtures.data).then(|| LazyCell::force(&own).clone());
            let world = own.unwrap_or_else(|| Ok(common.clone())).and_then(|base| laid(&base, &test.fixtures));
            if world.is_ok() {
                questions.extend(left.into_iter().map(|question| (worlds.len(), question)));
            }
            worlds.push((at, world));
        }
        drop(own);
        let positions = Positions::of(ground.base.release());
        Ok(Self { suite, ground, worlds, questions, positions })
    }

    /// How many questions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.questions.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.questions.is_empty()
    }

    /// Asks one question, and notes what it tries of `conditions`.
    #[must_use]
    pub fn ask(&self, at: usize, conditions: Option<&Conditions>, coverage: &mut Coverage) -> Option<CaseResult> {
        let (case, world, now) = self.question(at)?;
        let limits = &self.ground.limits;
        let request = case.request(now);
        let told = decide(world, &request, limits);
        let differences = differences(&case.expected, &told, |id| self.positions.own(id));
        if let (Some(conditions), Ok(_)) = (conditions, &told) {
            // What was decided can be asked again.
            let _ = coverage.note(conditions, world, &request, limits);
        }
        Some(CaseResult { name: case.title(), line: case.line, differences, explanation: None })
    }

    /// Why a question is decided so; nothing when there is no decision.
    #[must_use]
    pub fn explain(&self, at: usize) -> Option<Box<Explanation>> {
        let (case, world, now) = self.question(at)?;
        explain(world, &case.request(now), &self.ground.limits).ok().map(Box::new)
    }

    /// The question, the data that it is asked on, and when.
    fn question(&self, at: usize) -> Option<(&Case, &Snapshot, i64)> {
        let (world, question) = self.questions.get(at)?;
        let (test, world) = self.worlds.get(*world)?;
        let test = self.suite.tests.get(*test)?;
        let now = test.fixtures.now.or(self.suite.fixtures.now).unwrap_or(self.ground.now);
        Some((test.cases.get(*question)?, world.as_ref().ok()?, now))
    }

    /// What came of the tests, when all questions are answered in their order.
    #[must_use]
    pub fn results(&self, answers: Vec<CaseResult>) -> Vec<TestResult> {
        let begun = self.worlds.iter().filter_map(|(at, world)| {
            let test = self.suite.tests.get(*at)?;
            Some(TestResult {
                name: test.name.clone(),
                description: test.description.clone(),
                line: test.line,
                refused: world.as_ref().err().into_iter().flatten().map(told).take(MAX_REFUSALS).collect(),
                cases: Vec::new(),
            })
        });
        let mut results: Vec<TestResult> = begun.collect();
        for ((world, _), answer) in self.questions.iter().zip(answers) {
            if let Some(result) = results.get_mut(*world) {
                result.cases.push(answer);
            }
        }
        results
    }

    /// Asks all questions on some threads at once. Of those that do not come out as expected, as many as there is room for
    /// are explained.
    #[must_use]
    pub fn run(
        &self,
        conditions: Option<&Conditions>,
        threads: usize,
        room: &mut usize,
    ) -> (Vec<TestResult>, Coverage) {
        let some = |from: usize, to: usize| {
            let mut coverage = Coverage::default();
            let answers = (from..to).filter_map(|at| self.ask(at, conditions, &mut coverage));
            let answers: Vec<CaseResult> = answers.collect();
            (answers, coverage)
        };
        let share = self.len().div_ceil(threads.max(1)).max(1);
        let parts: Vec<(Vec<CaseResult>, Coverage)> = thread::scope(|scope| {
            let begun: Vec<_> = (0..self.len())
                .step_by(share)
                .map(|from| {
                    let (some, to) = (&some, self.len().min(from + share));
                    let thread = thread::Builder::new().stack_size(COMPILE_STACK_BYTES);
                    (from, to, thread.spawn_scoped(scope, move || some(from, to)))
                })
                .collect();
            // Where no thread is to be had, or one is lost, the questions are asked here.
            let ended = begun.into_iter().map(|(from, to, begun)| {
                begun.ok().and_then(|thread| thread.join().ok()).unwrap_or_else(|| some(from, to))
            });
            ended.collect()
        });
        let (mut answers, mut coverage) = (Vec::with_capacity(self.len()), Coverage::default());
        for (some, tried) in parts {
            answers.extend(some);
            coverage.add(tried);
        }
        let unexpected = answers.iter_mut().enumerate().filter(|(_, answer)| !answer.passed());
        for (at, answer) in unexpected.take(*room) {
            answer.explanation = self.explain(at);
            *room -= 1;
        }
        (self.results(answers), coverage)
    }
}

/// The release with the store's own data or without any, under the suite's settings.
fn begun(suite: &Suite, ground: &Ground, data: bool) -> Snapshot {
    let own = ground.base.settings();
    let settings = Settings {
        validation: suite.settings.validation.unwrap_or(own.validation),
        policy_errors: suite.settings.policy_errors.unwrap_or(own.policy_errors),
        request_attributes: suite.settings.request_attributes.unwrap_or(own.request_attributes),
    };
    if data {
        return ground.base.with_settings(settings);
    }
    Snapshot::new(ground.base.release().cloned(), Arc::new(Data::default()), settings, 0)
}

fn laid(base: &Snapshot, fixtures: &Fixtures) -> Result<Snapshot, Vec<Problem>> {
    let Fixtures { entities, tuples, links, .. } = fixtures;
    if entities.is_empty() && tuples.is_empty() && links.is_empty() {
        return Ok(base.clone());
    }
    lay(base, Laid { entities, tuples, links })
}

fn told(problem: &Problem) -> String {
    let file = problem.file.as_deref().unwrap_or_default();
    let line = problem.line.map(|line| format!(":{line}")).unwrap_or_default();
    short(if file.is_empty() { problem.message.clone() } else { format!("{file}{line}: {}", problem.message) })
}

/// Policies by their place among the files: Cedar's tools call the first one `policy0` when it has no id.
struct Positions {
    release: Option<Arc<Release>>,
    ids: Vec<String>,
}

impl Positions {
    fn of(release: Option<&Arc<Release>>) -> Self {
        let mut policies: Vec<_> = release.into_iter().flat_map(|release| release.policies()).collect();
        policies.sort_by_key(|policy| {
            let source = policy.source();
            (&source.file, source.line, source.column)
        });
        Self { ids: policies.into_iter().map(|policy| policy.id().to_owned()).collect(), release: release.cloned() }
    }

    /// The id of the policy that a suite calls so.
    fn own(&self, id: &str) -> String {
        let known = self.release.as_ref().is_some_and(|release| release.policy(id).is_some());
        let at = id.strip_prefix("policy").filter(|_| !known).and_then(|at| at.parse::<usize>().ok());
        at.and_then(|at| self.ids.get(at)).map_or(id, String::as_str).to_owned()
    }
}
