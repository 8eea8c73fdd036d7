//! Why a request has no decision.

use crate::hierarchy::HierarchyError;
use crate::value::InputProblem;

/// Why there is no answer. Never an allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecideError {
    /// The request's own data is wrong.
    #[error("the request's data is invalid")]
    InvalidInput { problems: Vec<InputProblem> },
    /// A bound was reached before there was an answer.
    #[error("{message}")]
    Limit { message: String },
    /// The relation graph could not tell what the principal, the resource or another entity is in.
    #[error("{message}")]
    Undetermined { message: String },
    /// The evaluator refused what it should accept.
    #[error("the evaluator failed: {message}")]
    Engine { message: String },
}

impl DecideError {
    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::Limit { message: message.into() }
    }
}

impl From<HierarchyError> for DecideError {
    fn from(error: HierarchyError) -> Self {
        let message = error.to_string();
        match error {
            HierarchyError::TooManyAncestors { .. } | HierarchyError::Cycle { .. } => Self::limit(message),
            HierarchyError::Undetermined { reason, .. } if reason.is_bound() => Self::limit(message),
            HierarchyError::Undetermined { .. } => Self::Undetermined { message },
        }
    }
}
