//! The part of the mapping that is about questions to the relation graph.

use authx_engine::relation::GraphError;

use super::{ApiError, Code, ErrorItem, invalid_input};
use crate::pdp::RelationError;

impl From<RelationError> for ApiError {
    fn from(error: RelationError) -> Self {
        let detail = error.to_string();
        match error {
            RelationError::Snapshot(error) => Self::from(error),
            RelationError::NoModel => Self::new(Code::NoModel, detail),
            RelationError::Invalid { problems } => invalid_input(&problems),
            RelationError::Graph(error) => Self::from(error),
        }
    }
}

impl From<GraphError> for ApiError {
    fn from(error: GraphError) -> Self {
        let message = error.to_string();
        let found = |pointer: Option<&str>, code: &str| {
            let item = ErrorItem {
                pointer: pointer.map(str::to_owned),
                code: code.to_owned(),
                message: message.clone(),
                ..ErrorItem::default()
            };
            Self::with(Code::InvalidInput, message.clone(), [item])
        };
        match error {
            GraphError::TooDeep { .. } | GraphError::TooMuchWork { .. } | GraphError::TooManyLeaves { .. } => {
                Self::new(Code::EvaluationLimitExceeded, message)
            }
            GraphError::MissingParameters { .. } => found(Some("/context"), "missing_context"),
            GraphError::ConditionFailed { .. } => found(None, "condition_failed"),
            GraphError::UnknownType(_) => found(Some("/object"), "unknown_type"),
            GraphError::UnknownRelation { .. } => found(Some("/relation"), "unknown_relation"),
            GraphError::TooManyNames(_) => Self::new(Code::LimitExceeded, message),
        }
    }
}
