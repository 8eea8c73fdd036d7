//! `POST /v1/stores/{store}/tests/run`: tests of policies on a store's release.

use actix_web::{HttpResponse, web};
use authx_engine::{ConjunctCoverage, EntityInput, PolicyCoverage};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Services;
use crate::api::error::{ApiError, ErrorItem, ProblemBody};
use crate::api::extract::{Body, ExplainStore};
use crate::api::v1::check::EntityBody;
use crate::api::v1::explain::{ExplanationBody, PlaceBody};
use crate::api::v1::releases::file_name;
use crate::api::v1::tuples::{TupleBody, parse_all};
use crate::keys::Permission;
use crate::pdp::{SuiteRun, SuiteSent, TestsAsked, TestsRun};
use crate::policy_tests::{CaseResult, DataRows, TestResult};

/// Suites to run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunTestsBody {
    suites: Vec<SuiteBody>,
    /// Another release of the store than the active one, such as a draft.
    #[serde(default)]
    release: Option<String>,
    /// Only tests, or questions, whose names contain this.
    #[serde(default)]
    filter: String,
    /// Tell which conjuncts of which policies no test made true or no test made false.
    #[serde(default)]
    coverage: bool,
}

/// The text of a `*_test.yaml`, or of the tests of Cedar's command line.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuiteBody {
    #[schema(example = "sharing_test.yaml")]
    file: String,
    text: String,
    /// What the files hold that the suite names.
    #[serde(default)]
    files: Vec<DataFileBody>,
}

/// What a file of entities or tuples holds.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DataFileBody {
    /// As the suite names it.
    #[schema(example = "people.csv")]
    name: String,
    #[serde(default)]
    #[schema(value_type = Vec<EntityBody>)]
    entities: Vec<EntityInput>,
    #[serde(default)]
    tuples: Vec<TupleBody>,
}

/// What came of the suites.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunTestsReply {
    /// Something was asked, and all is as expected.
    passed: bool,
    suites: Vec<SuiteReply>,
    /// Policies and templates by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<Vec<PolicyCoverageBody>>,
    revision: u64,
    release: Option<String>,
    consistency_token: String,
}

/// The tests of a suite, or why none was run.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuiteReply {
    file: String,
    passed: bool,
    tests: Vec<TestReply>,
    problems: Vec<ErrorItem>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TestReply {
    name: String,
    description: Option<String>,
    line: u32,
    passed: bool,
    /// Why nothing was asked.
    errors: Vec<String>,
    assertions: Vec<AssertionReply>,
}

/// One question.
#[derive(Debug, Serialize, ToSchema)]
pub struct AssertionReply {
    line: u32,
    #[schema(example = "alice read roadmap")]
    question: String,
    passed: bool,
    /// What is not as expected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<ExplanationBody>,
}

/// What tests tried of one policy.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PolicyCoverageBody {
    pub(crate) policy: String,
    pub(crate) place: PlaceBody,
    /// Whether it applied to some question, and whether there was one that it did not apply to.
    pub(crate) applied: bool,
    pub(crate) not_applied: bool,
    pub(crate) conjuncts: Vec<ConjunctCoverageBody>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ConjunctCoverageBody {
    pub(crate) text: String,
    pub(crate) place: PlaceBody,
    pub(crate) was_true: bool,
    pub(crate) was_false: bool,
}

/// What rows take as text.
fn bytes_of(rows: &impl Serialize) -> usize {
    serde_json::to_string(rows).map_or(usize::MAX, |text| text.len())
}

impl SuiteBody {
    fn parse(self, pointer: &str) -> Result<SuiteSent, ApiError> {
        let Self { file, text, files } = self;
        let data = |(at, DataFileBody { name, entities, tuples }): (usize, DataFileBody)| {
            let pointer = format!("{pointer}/files/{at}");
            file_name(Some(&name))?;
            let bytes = bytes_of(&entities).saturating_add(bytes_of(&tuples));
            let tuples = parse_all(tuples, &format!("{pointer}/tuples"), TupleBody::parse)?;
            let tuples = tuples.into_iter().map(|tuple| (None, tuple)).collect();
            Ok((name, DataRows { entities, tuples, bytes }))
        };
        file_name(Some(&file))?;
        let files = files.into_iter().enumerate().map(data).collect::<Result<_, ApiError>>()?;
        Ok(SuiteSent { file, text, files })
    }
}

impl From<CaseResult> for AssertionReply {
    fn from(result: CaseResult) -> Self {
        let explanation = result.explanation.as_deref().map(|told| ExplanationBody::new(told, true, true));
        let passed = result.passed();
        let CaseResult { name: question, line, differences, .. } = result;
        Self { line, question, passed, differences, explanation }
    }
}

impl From<TestResult> for TestReply {
    fn from(result: TestResult) -> Self {
        let passed = result.passed();
        let TestResult { name, description, line, refused: errors, cases } = result;
        let assertions = cases.into_iter().map(AssertionReply::from).collect();
        Self { name, description, line, passed, errors, assertions }
    }
}

impl From<SuiteRun> for SuiteReply {
    fn from(run: SuiteRun) -> Self {
        let (tests, problems) = match run.tests {
            Ok(tests) => (tests.into_iter().map(TestReply::from).collect(), Vec::new()),
            Err(problems) => (Vec::new(), problems.iter().map(ErrorItem::from).collect()),
        };
        let passed = problems.is_empty() && tests.iter().all(|test: &TestReply| test.passed);
        Self { file: run.file, passed, tests, problems }
    }
}

impl SuiteReply {
    fn asked(&self) -> bool {
        self.tests.iter().any(|test| !test.assertions.is_empty())
    }
}

impl From<PolicyCoverage> for PolicyCoverageBody {
    fn from(coverage: PolicyCoverage) -> Self {
        let PolicyCoverage { policy, place, applied, not_applied, conjuncts, .. } = coverage;
        let conjunct = |conjunct: ConjunctCoverage| {
            let ConjunctCoverage { text, place, was_true, was_false } = conjunct;
            ConjunctCoverageBody { text, place: PlaceBody::from(place), was_true, was_false }
        };
        let conjuncts = conjuncts.into_iter().map(conjunct).collect();
        Self { policy: policy.to_string(), place: PlaceBody::from(place), applied, not_applied, conjuncts }
    }
}

/// Runs tests of policies on the store's release, on data that they bring along: what stands in them, and what the files
/// hold that they name, which are sent beside them. Nothing is recorded. With `data: true`
/// in a suite they begin with the store's own data, which takes the scope `read` too. At most 10,000 questions.
#[utoipa::path(
    post, path = "/v1/stores/{store}/tests/run", operation_id = "runTests", tag = "releases",
    params(("store" = String, Path, description = "id or alias")), request_body = RunTestsBody,
    responses((status = 200, body = RunTestsReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody))
)]
pub async fn run(
    services: web::Data<Services>,
    access: ExplainStore,
    body: Body<RunTestsBody>,
) -> Result<HttpResponse, ApiError> {
    let RunTestsBody { suites, release, filter, coverage } = body.0;
    let sent = suites.into_iter().enumerate().map(|(at, suite)| suite.parse(&format!("/suites/{at}")));
    let asked = TestsAsked {
        suites: sent.collect::<Result<_, ApiError>>()?,
        release,
        filter,
        coverage,
        data: access.0.caller.tenant(Permission::Read).is_ok(),
    };
    let TestsRun { suites, coverage, revision, release, token } =
        services.pdp.run_tests(&access.0.store, asked).await?;
    let suites: Vec<SuiteReply> = suites.into_iter().map(SuiteReply::from).collect();
    let reply = RunTestsReply {
        // Where nothing was asked, nothing passed.
        passed: suites.iter().all(|suite| suite.passed) && suites.iter().any(SuiteReply::asked),
        suites,
        coverage: coverage.map(|policies| policies.into_iter().map(PolicyCoverageBody::from).collect()),
        revision,
        release,
        consistency_token: token,
    };
    Ok(HttpResponse::Ok().json(reply))
}
