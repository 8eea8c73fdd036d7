//! Answers to changes that were not made.

use authx_engine::{InputProblem, Problem};

use super::{ApiError, Code, ErrorItem, chain, internal};
use crate::decisions::EraseError;
use crate::pap::PapError;

impl From<PapError> for ApiError {
    fn from(error: PapError) -> Self {
        let detail = error.to_string();
        match error {
            PapError::InvalidRelease { problems } => {
                Self::with(Code::InvalidRelease, count(&problems), problems.iter().map(ErrorItem::from))
            }
            PapError::InvalidData { problems } => {
                let over_limit = problems.iter().all(InputProblem::is_limit);
                let code = if over_limit { Code::LimitExceeded } else { Code::InvalidData };
                let detail = problems.first().map(ToString::to_string).unwrap_or_default();
                Self::with(code, detail, problems.iter().map(ErrorItem::from))
            }
            PapError::InvalidLink { problem } => Self::with(Code::InvalidLink, detail, [ErrorItem::from(&problem)]),
            PapError::Nonconforming { found } => {
                Self::with(Code::DataNonconforming, detail, found.first.iter().map(ErrorItem::from))
            }
            PapError::BrokenLinks { problems } => {
                Self::with(Code::TemplateHasLinks, detail, problems.iter().map(ErrorItem::from))
            }
            PapError::NotThatRelease { .. } => Self::new(Code::PreconditionFailed, detail),
            PapError::PreconditionFailed { problems } => {
                Self::with(Code::PreconditionFailed, detail, problems.iter().map(ErrorItem::from))
            }
            PapError::KeyReused => Self::new(Code::IdempotencyKeyReused, detail),
            // Who sends requests again is answered by `once`.
            PapError::Answered(_) => internal(&detail),
            PapError::NotRepeated { .. } => Self::new(Code::SecretNotRepeated, detail),
            PapError::Contended => Self::new(Code::Contended, detail),
            PapError::NotFound { what, name } => Self::not_found(what, &name),
            PapError::AliasTaken { .. } => Self::new(Code::AliasTaken, detail),
            PapError::TupleExists { at, .. } => {
                Self::with(Code::TupleExists, detail, conflicts(&at, "the tuple is there already"))
            }
            PapError::TupleDiffers { at, .. } => {
                let message = "the tuple is there already with another condition or expiry";
                Self::with(Code::TupleExists, detail, conflicts(&at, message))
            }
            PapError::TupleMissing { .. } => Self::new(Code::TupleMissing, detail),
            PapError::KeyEnded { .. } => Self::new(Code::KeyEnded, detail),
            PapError::LastPlatformKey { .. } => Self::new(Code::LastPlatformKey, detail),
            PapError::LimitExceeded { .. } => Self::new(Code::LimitExceeded, detail),
            PapError::Busy => Self::new(Code::TooManyWrites, detail),
            PapError::OutcomeUnknown => Self::new(Code::StorageUnavailable, detail),
            PapError::Storage(cause) => {
                tracing::error!(error = %chain(&cause), "storage failed");
                Self::new(Code::StorageUnavailable, "")
            }
            PapError::Erase(EraseError::Altered) => Self::new(Code::LogAltered, detail),
            PapError::Erase(cause @ (EraseError::Io(_) | EraseError::Log(_) | EraseError::Stopped)) => {
                tracing::error!(error = %chain(&cause), "the decision log cannot be rewritten");
                Self::new(Code::StorageUnavailable, "the decision log cannot be rewritten; some of it may be")
            }
            PapError::Load(cause) => internal(&chain(&cause)),
            PapError::Random(cause) => internal(&cause),
            PapError::Interrupted => internal(&"the work was interrupted"),
        }
    }
}

/// The tuples of a write that stand against what is stored.
fn conflicts(at: &[usize], message: &str) -> Vec<ErrorItem> {
    let item = |index: &usize| ErrorItem {
        pointer: Some(format!("/tuples/write/{index}")),
        code: "tuple_exists".to_owned(),
        message: message.to_owned(),
        ..ErrorItem::default()
    };
    at.iter().map(item).collect()
}

fn count(problems: &[Problem]) -> String {
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    format!("{errors} {}", if errors == 1 { "error" } else { "errors" })
}
