//! The one mapping from errors to answers: code → status → title → explanation.
//!
//! docs/errors.md is made from the table of codes. Nothing of the cause of a server's fault is told to a client.

mod change;
mod code;
mod relations;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use authx_engine::{DecideError, InputProblem, Problem, Related};
use serde::Serialize;
use utoipa::ToSchema;

use crate::identity::Refused;
use crate::pdp::{CheckError, Interrupted};
use crate::tokens::PageTokenError;

pub use code::Code;

/// One finding among several: about a place in a body (`pointer`) or in an author's file.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct ErrorItem {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// How many characters the finding covers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    pub code: String,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Other places that the finding is about, such as the line of the relation model that a policy needs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<RelatedItem>,
}

/// A second place of a finding, and what is there. Places are of what was sent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RelatedItem {
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Absent when what it speaks of is nowhere, or was sent as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

/// The body of every error: `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProblemBody {
    pub r#type: String,
    pub title: String,
    pub status: u16,
    /// Stable; listed in docs/errors.md.
    pub code: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The request's `X-Request-ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorItem>,
}

/// An answer that is no success.
#[derive(Debug)]
pub struct ApiError {
    pub code: Code,
    pub detail: String,
    pub errors: Vec<ErrorItem>,
    /// The methods that the path takes.
    pub allow: Option<&'static str>,
}

impl ApiError {
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new(), allow: None }
    }

    #[must_use]
    pub fn not_found(what: &str, name: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no {what} `{name}`"))
    }

    fn with(code: Code, detail: impl Into<String>, errors: impl IntoIterator<Item = ErrorItem>) -> Self {
        Self { errors: errors.into_iter().collect(), ..Self::new(code, detail) }
    }

    /// The same of a part of a body, which stands at `place`.
    #[must_use]
    pub fn below(mut self, place: &str) -> Self {
        if self.errors.is_empty() {
            let (_, code, ..) = self.code.row();
            let (code, message) = (code.to_owned(), self.detail.clone());
            self.errors.push(ErrorItem { code, message, ..ErrorItem::default() });
        }
        let first = self.errors.first().and_then(|item| item.pointer.as_deref());
        if first.is_some_and(|pointer| self.detail.starts_with(pointer)) {
            self.detail.insert_str(0, place);
        }
        for item in &mut self.errors {
            item.pointer = Some(format!("{place}{}", item.pointer.as_deref().unwrap_or_default()));
        }
        self
    }

    #[must_use]
    pub fn body(&self, request_id: Option<String>) -> ProblemBody {
        let (status, code, title, _) = self.code.row();
        ProblemBody {
            r#type: format!("https://authx.dev/errors#{code}"),
            title: title.to_owned(),
            status,
            code: code.to_owned(),
            detail: self.detail.clone(),
            request_id,
            errors: self.errors.clone(),
        }
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.row().1, self.detail)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.code.status());
        if let Some(allow) = self.allow {
            response.insert_header(("Allow", allow));
        }
        if self.code == Code::Unauthenticated {
            response.insert_header(("WWW-Authenticate", "Bearer"));
        }
        let later = [
            Code::TooManyWrites,
            Code::TooManyFollowers,
            Code::TooManyBatches,
            Code::TooManyTransfers,
            Code::StorageUnavailable,
            Code::ConsistencyTimeout,
            Code::DecisionNotRecorded,
        ];
        if later.contains(&self.code) {
            response.insert_header(("Retry-After", "1"));
        }
        // The request's id is filled in by the middleware that knows it.
        response.content_type("application/problem+json").json(self.body(None))
    }
}

impl From<&Problem> for ErrorItem {
    fn from(problem: &Problem) -> Self {
        Self {
            pointer: None,
            file: problem.file.clone(),
            line: problem.line,
            column: problem.column,
            length: problem.length,
            policy: problem.policy.clone(),
            code: problem.code.to_string(),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
            related: problem.related.iter().map(RelatedItem::from).collect(),
        }
    }
}

impl From<&Related> for RelatedItem {
    fn from(related: &Related) -> Self {
        let Related { message, file, line, column } = related.clone();
        Self { message, file, line, column }
    }
}

impl From<&InputProblem> for ErrorItem {
    fn from(problem: &InputProblem) -> Self {
        Self {
            pointer: Some(problem.pointer.clone()),
            code: problem.code.to_owned(),
            message: problem.message.clone(),
            ..Self::default()
        }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        let code = match refused {
            Refused::Unauthenticated => Code::Unauthenticated,
            Refused::Lacks(_) | Refused::NotPlatform | Refused::NoTenant => Code::Forbidden,
        };
        Self::new(code, refused.to_string())
    }
}

impl From<PageTokenError> for ApiError {
    fn from(error: PageTokenError) -> Self {
        let code = match error {
            PageTokenError::Invalid => Code::InvalidPageToken,
            PageTokenError::Expired => Code::PageTokenExpired,
        };
        Self::new(code, error.to_string())
    }
}

impl From<CheckError> for ApiError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Decide(DecideError::InvalidInput { problems }) => invalid_input(&problems),
            CheckError::Decide(DecideError::Limit { message }) => Self::new(Code::EvaluationLimitExceeded, message),
            CheckError::Decide(DecideError::Undetermined { message }) => Self::new(Code::Undetermined, message),
            CheckError::Decide(DecideError::Engine { message }) => internal(&message),
            CheckError::ForeignToken => {
                Self::new(Code::InvalidConsistencyToken, "the consistency token is not one of this store")
            }
            CheckError::NotFreshEnough { .. } => Self::new(Code::ConsistencyTimeout, error.to_string()),
            CheckError::UnknownRevision { .. } => Self::new(Code::NotFound, error.to_string()),
            CheckError::RevisionExpired { .. } => Self::new(Code::RevisionExpired, error.to_string()),
            CheckError::UnknownRelease(id) => Self::not_found("release", &id),
            CheckError::TooManyReleases { .. }
            | CheckError::TooManyQuestions { .. }
            | CheckError::HistoryTooLarge { .. } => Self::new(Code::LimitExceeded, error.to_string()),
            CheckError::Load(error) => internal(&error),
            CheckError::LogUnreadable { source } => {
                tracing::error!(error = %source, "the decision log cannot be read");
                Self::new(Code::StorageUnavailable, "the decision log cannot be read")
            }
            CheckError::NotRecorded(error) => Self::new(Code::DecisionNotRecorded, error.to_string()),
        }
    }
}

impl From<Interrupted> for ApiError {
    fn from(error: Interrupted) -> Self {
        internal(&error)
    }
}

/// The request's data does not fit, in one or more places.
#[must_use]
pub fn invalid_input(problems: &[InputProblem]) -> ApiError {
    let code = if problems.iter().any(InputProblem::is_forged) {
        Code::InvalidData
    } else if problems.iter().all(InputProblem::is_limit) {
        Code::LimitExceeded
    } else {
        Code::InvalidInput
    };
    let detail = problems.first().map(ToString::to_string).unwrap_or_default();
    ApiError::with(code, detail, problems.iter().map(ErrorItem::from))
}

/// Logs a fault of the server and tells the client nothing of it.
pub(crate) fn internal(cause: &dyn std::fmt::Display) -> ApiError {
    tracing::error!(error = %cause, "a request failed");
    ApiError::new(Code::Internal, "")
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

/// docs/errors.md.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from(
        "# Errors\n\nEvery error is `application/problem+json`: `{type, title, status, code, detail, request_id, errors}`. `code` is stable.\nThis page is made from `src/api/error.rs`.\n\n| status | code | meaning | what to do |\n|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let (status, name, title, explanation) = code.row();
        text.push_str(&format!("| {status} | <a id=\"{name}\"></a>`{name}` | {title} | {explanation} |\n"));
    }
    text
}
