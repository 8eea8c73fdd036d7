//! OpenFGA's errors: `{"code": name, "message": text}`, with a status that follows from the code's number.

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError};
use authx_engine::Problem;
use authx_engine::relation::{GraphError, TupleKey, TupleProblem};
use serde_json::json;
use std::future::Future;
use std::pin::Pin;

use crate::api::error::{ApiError, Code};
use crate::pap::PapError;

/// The codes of OpenFGA that can occur here, with their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FgaCode {
    BearerTokenMissing,
    Unauthenticated,
    Forbidden,
    ValidationError,
    AuthorizationModelNotFound,
    ResolutionTooComplex,
    InvalidWriteInput,
    DuplicateTuples,
    InvalidContinuationToken,
    WriteFailed,
    LatestModelNotFound,
    TypeNotFound,
    RelationNotFound,
    InvalidTuple,
    TokenMismatch,
    ExceededEntityLimit,
    InvalidAuthorizationModel,
    InvalidStartTime,
    Throttled,
    RateLimitExceeded,
    Internal,
    Unavailable,
    UndefinedEndpoint,
    StoreNotFound,
    Aborted,
}

impl FgaCode {
    /// Number and name, as in OpenFGA's API definition.
    #[must_use]
    pub fn row(self) -> (u16, &'static str) {
        match self {
            Self::BearerTokenMissing => (1010, "bearer_token_missing"),
            Self::Unauthenticated => (1500, "unauthenticated"),
            Self::Forbidden => (1600, "forbidden"),
            Self::ValidationError => (2000, "validation_error"),
            Self::AuthorizationModelNotFound => (2001, "authorization_model_not_found"),
            Self::ResolutionTooComplex => (2002, "authorization_model_resolution_too_complex"),
            Self::InvalidWriteInput => (2003, "invalid_write_input"),
            Self::DuplicateTuples => (2004, "cannot_allow_duplicate_tuples_in_one_request"),
            Self::InvalidContinuationToken => (2007, "invalid_continuation_token"),
            Self::WriteFailed => (2017, "write_failed_due_to_invalid_input"),
            Self::LatestModelNotFound => (2020, "latest_authorization_model_not_found"),
            Self::TypeNotFound => (2021, "type_not_found"),
            Self::RelationNotFound => (2022, "relation_not_found"),
            Self::InvalidTuple => (2027, "invalid_tuple"),
            Self::TokenMismatch => (2052, "query_string_type_continuation_token_mismatch"),
            Self::ExceededEntityLimit => (2053, "exceeded_entity_limit"),
            Self::InvalidAuthorizationModel => (2056, "invalid_authorization_model"),
            Self::InvalidStartTime => (2059, "invalid_start_time"),
            Self::Throttled => (3500, "throttled_timeout_error"),
            Self::RateLimitExceeded => (8, "rate_limit_exceeded"),
            Self::Internal => (4000, "internal_error"),
            Self::Unavailable => (4004, "deadline_exceeded"),
            Self::UndefinedEndpoint => (5000, "undefined_endpoint"),
            Self::StoreNotFound => (5002, "store_id_not_found"),
            Self::Aborted => (10, "Aborted"),
        }
    }

    /// The status that OpenFGA gives to a code's range of numbers.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self.row().0 {
            8 => StatusCode::TOO_MANY_REQUESTS,
            10 => StatusCode::CONFLICT,
            1000..=1999 => StatusCode::UNAUTHORIZED,
            2000..=3499 => StatusCode::BAD_REQUEST,
            3500..=3999 => StatusCode::UNPROCESSABLE_ENTITY,
            5000.. => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// An answer that is no success.
#[derive(Debug, Clone)]
pub struct FgaError {
    pub code: FgaCode,
    pub message: String,
}

impl FgaError {
    #[must_use]
    pub fn new(code: FgaCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(FgaCode::ValidationError, message)
    }

    /// As a unary call's body.
    #[must_use]
    pub fn body(&self) -> serde_json::Value {
        json!({"code": self.code.row().1, "message": self.message})
    }

    /// As a stream's line.
    #[must_use]
    pub fn line(&self) -> serde_json::Value {
        json!({"error": {"code": self.code.row().0, "message": self.message, "details": []}})
    }
}

impl std::fmt::Display for FgaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.row().1, self.message)
    }
}

impl ResponseError for FgaError {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(self.body())
    }
}

impl From<ApiError> for FgaError {
    fn from(error: ApiError) -> Self {
        let code = match error.code {
            Code::Unauthenticated => FgaCode::Unauthenticated,
            Code::Forbidden => FgaCode::Forbidden,
            Code::NotFound => FgaCode::StoreNotFound,
            Code::InvalidPageToken | Code::PageTokenExpired => FgaCode::InvalidContinuationToken,
            Code::TooManyWrites | Code::TooManyFollowers | Code::TooManyBatches | Code::TooManyTransfers => {
                FgaCode::Throttled
            }
            Code::RateLimited | Code::TooManyRequests => FgaCode::RateLimitExceeded,
            Code::StorageUnavailable | Code::ConsistencyTimeout | Code::DecisionNotRecorded | Code::RequestTimeout => {
                FgaCode::Unavailable
            }
            Code::NoModel => FgaCode::LatestModelNotFound,
            Code::EvaluationLimitExceeded => FgaCode::ResolutionTooComplex,
            Code::MethodNotAllowed => FgaCode::UndefinedEndpoint,
            Code::Internal => FgaCode::Internal,
            Code::MalformedRequest
            | Code::InvalidInput
            | Code::InvalidConsistencyToken
            | Code::AliasTaken
            | Code::TupleExists
            | Code::TupleMissing
            | Code::TemplateHasLinks
            | Code::Contended
            | Code::KeyEnded
            | Code::LastPlatformKey
            | Code::LogAltered
            | Code::PreconditionFailed
            | Code::RevisionExpired
            | Code::IdempotencyKeyReused
            | Code::SecretNotRepeated
            | Code::BodyTooLarge
            | Code::InvalidRelease
            | Code::InvalidData
            | Code::InvalidLink
            | Code::DataNonconforming
            | Code::LimitExceeded
            | Code::Undetermined
            | Code::Unsupported => FgaCode::ValidationError,
        };
        let message = if code == FgaCode::StoreNotFound {
            "Store ID not found".to_owned()
        } else if code == FgaCode::Internal {
            "Internal Server Error".to_owned()
        } else if error.detail.is_empty() {
            error.body(None).title
        } else {
            error.detail
        };
        Self::new(code, message)
    }
}

fn parts(key: &TupleKey) -> String {
    format!("user: '{}', relation: '{}', object: '{}'", key.subject, key.relation, key.object)
}

/// A problem in one line. Of a model OpenFGA tells the message alone; what the model breaks is told with its places.
fn told(problem: &Problem) -> String {
    let place = |file: Option<&str>, line: Option<u32>, column: Option<u32>| match (file, line) {
        (Some(file), Some(line)) => format!(" ({file}:{line}:{})", column.unwrap_or(1)),
        (None, Some(line)) => format!(" (line {line})"),
        (_, None) => String::new(),
    };
    let own = place(problem.file.as_deref(), problem.line, problem.column);
    let related = problem.related.iter().map(|related| {
        format!(", because {}{}", related.message, place(related.file.as_deref(), related.line, related.column))
    });
    let related: String = related.collect();
    match &problem.policy {
        Some(policy) => format!("policy `{policy}`{own}: {}{related}", problem.message),
        None if problem.file.is_some() || !related.is_empty() => format!("{}{own}{related}", problem.message),
        None => problem.message.clone(),
    }
}

const EXISTED: &str = "tuple to be written already existed or the tuple to be deleted did not exist";

impl From<PapError> for FgaError {
    fn from(error: PapError) -> Self {
        match error {
            PapError::TupleExists { key, .. } => {
                let text = format!("cannot write a tuple which already exists: {}: {EXISTED}", parts(&key));
                Self::new(FgaCode::WriteFailed, text)
            }
            PapError::TupleMissing { key } => {
                let text = format!("cannot delete a tuple which does not exist: {}: {EXISTED}", parts(&key));
                Self::new(FgaCode::WriteFailed, text)
            }
            PapError::TupleDiffers { key, .. } => {
                let text = format!(
                    "attempted to write a tuple which already exists with a different condition: {}",
                    parts(&key)
                );
                Self::new(FgaCode::Aborted, text)
            }
            PapError::InvalidRelease { problems } => {
                let text: Vec<String> = problems.iter().filter(|p| p.is_error()).map(told).collect();
                Self::new(FgaCode::InvalidAuthorizationModel, text.join("; "))
            }
            PapError::Contended => Self::new(FgaCode::Aborted, error.to_string()),
            PapError::InvalidData { .. }
            | PapError::InvalidLink { .. }
            | PapError::Nonconforming { .. }
            | PapError::BrokenLinks { .. }
            | PapError::NotThatRelease { .. }
            | PapError::PreconditionFailed { .. }
            | PapError::KeyReused
            | PapError::Answered(_)
            | PapError::NotRepeated { .. }
            | PapError::KeyEnded { .. }
            | PapError::LastPlatformKey { .. }
            | PapError::NotFound { .. }
            | PapError::AliasTaken { .. }
            | PapError::LimitExceeded { .. }
            | PapError::Busy
            | PapError::Storage(_)
            | PapError::OutcomeUnknown
            | PapError::Erase(_)
            | PapError::Load(_)
            | PapError::Random(_)
            | PapError::Interrupted => Self::from(ApiError::from(error)),
        }
    }
}

impl From<GraphError> for FgaError {
    fn from(error: GraphError) -> Self {
        match error {
            GraphError::TooDeep { .. } | GraphError::TooMuchWork { .. } => Self::new(
                FgaCode::ResolutionTooComplex,
                "Authorization Model resolution required too many rewrite rules to be resolved. Check your authorization model for infinite recursion or too much nesting",
            ),
            GraphError::TooManyLeaves { .. } => Self::new(FgaCode::ResolutionTooComplex, error.to_string()),
            GraphError::MissingParameters { condition, tuple, parameters } => Self::invalid(format!(
                "failed to evaluate relationship condition: '{condition}' - tuple '{tuple}' is missing context parameters '[{}]'",
                parameters.join(" ")
            )),
            GraphError::ConditionFailed { condition, tuple, problem } => Self::invalid(format!(
                "failed to evaluate relationship condition: '{condition}' - tuple '{tuple}': {problem}"
            )),
            GraphError::UnknownType(name) => Self::new(FgaCode::TypeNotFound, format!("type '{name}' not found")),
            GraphError::UnknownRelation { type_name, relation } => {
                Self::new(FgaCode::RelationNotFound, format!("relation '{type_name}#{relation}' not found"))
            }
            GraphError::TooManyNames(error) => Self::invalid(error.to_string()),
        }
    }
}

/// A tuple that the model refuses, as OpenFGA words it.
#[must_use]
pub fn invalid_tuple(code: FgaCode, tuple: &str, problem: &TupleProblem) -> FgaError {
    FgaError::new(code, format!("Invalid tuple '{tuple}'. Reason: {problem}"))
}

/// An extractor of the native API that refuses in OpenFGA's words.
pub struct Fga<T>(pub T);

impl<T: FromRequest<Error = ApiError> + 'static> FromRequest for Fga<T>
where
    T::Future: 'static,
{
    type Error = FgaError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, FgaError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let credential = request.headers().contains_key("authorization");
        let inner = T::from_request(request, payload);
        Box::pin(async move {
            inner.await.map(Self).map_err(|error| match FgaError::from(error) {
                refused if refused.code == FgaCode::Unauthenticated && !credential => {
                    FgaError::new(FgaCode::BearerTokenMissing, "missing bearer token")
                }
                other => other,
            })
        })
    }
}

/// Whether errors of a path are told in OpenFGA's words.
#[must_use]
pub fn is_path(path: &str) -> bool {
    path.strip_prefix("/stores").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A path that OpenFGA does not have.
pub async fn undefined() -> Result<HttpResponse, FgaError> {
    Err(FgaError::new(FgaCode::UndefinedEndpoint, "Not Found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What no test provokes over HTTP: it takes thousands of writes at once, or a fault.
    #[test]
    fn rare_errors_have_their_codes_and_tell_no_details() {
        for (error, code, status) in [
            (FgaError::from(PapError::Busy), "throttled_timeout_error", 422),
            (FgaError::from(PapError::OutcomeUnknown), "deadline_exceeded", 500),
            (FgaError::from(ApiError::new(Code::StorageUnavailable, "")), "deadline_exceeded", 500),
            (FgaError::from(PapError::Interrupted), "internal_error", 500),
            (FgaError::from(ApiError::new(Code::Internal, "a secret")), "internal_error", 500),
        ] {
            assert_eq!((error.code.row().1, error.status_code().as_u16()), (code, status), "{error}");
            assert!(!error.message.is_empty() && !error.message.contains("secret"), "{error}");
        }
    }
}
