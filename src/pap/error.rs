//! Why a change was not made.

use authx_engine::relation::TupleKey;
use authx_engine::{InputProblem, Nonconforming, Problem};

use crate::decisions::EraseError;
use crate::ids::KeyId;
use crate::pap::once::Answer;
use crate::replica::LoadError;
use crate::storage::{KeyError, StorageError, StoreError, WriteError};

/// Nothing of a refused change is stored.
#[derive(Debug, thiserror::Error)]
pub enum PapError {
    /// Policies, schema or templates do not compile or validate.
    #[error("the release is invalid")]
    InvalidRelease { problems: Vec<Problem> },
    /// Entities are malformed or do not conform.
    #[error("the data is invalid")]
    InvalidData { problems: Vec<InputProblem> },
    /// A link does not fit its template or the schema.
    #[error("{}", problem.message)]
    InvalidLink { problem: Problem },
    /// Stored data does not conform to the new release.
    #[error("stored data does not conform to the release: {} entities, {} tuples", found.entities, found.tuples)]
    Nonconforming { found: Nonconforming },
    /// A template that has links is missing from the new release, or no longer fits them.
    #[error("links of the store do not fit the new release")]
    BrokenLinks { problems: Vec<Problem> },
    /// The caller named a release that is not the active one.
    #[error("the active release is {}, not `{expected}`", actual.as_deref().unwrap_or("none"))]
    NotThatRelease { expected: String, actual: Option<String> },
    /// What a write was to be made upon is not so.
    #[error("{} of the write's preconditions {} not hold", problems.len(), if problems.len() == 1 { "does" } else { "do" })]
    PreconditionFailed { problems: Vec<InputProblem> },
    /// The caller's name for this request is that of another one.
    #[error("another request was made with this idempotency key")]
    KeyReused,
    /// The request was made before, and answered so.
    #[error("the request was made before")]
    Answered(Answer),
    /// The request was made before, and its answer had a secret.
    #[error("the request was made before: {made}")]
    NotRepeated { made: String },
    /// The release moved on while this change was prepared, again and again.
    #[error("the store's release changed while this change was prepared")]
    Contended,
    #[error("there is no {what} `{name}`")]
    NotFound { what: &'static str, name: String },
    /// `at` says which of the tuples to put are there, the first hundred of them; `key` is that of the first.
    #[error("the tuple `{key}` is there already")]
    TupleExists { key: TupleKey, at: Vec<usize> },
    /// A tuple that may be left out when it is there already, but is there with another condition or expiry.
    #[error("the tuple `{key}` is there already with another condition or expiry")]
    TupleDiffers { key: TupleKey, at: Vec<usize> },
    #[error("there is no tuple `{key}`")]
    TupleMissing { key: TupleKey },
    #[error("the alias `{alias}` is taken")]
    AliasTaken { alias: String },
    #[error("the key `{id}` was revoked or has expired")]
    KeyEnded { id: KeyId },
    /// Nobody could administer the installation any more.
    #[error("`{id}` is the last platform key that can be used; make another one first")]
    LastPlatformKey { id: KeyId },
    #[error("{message}")]
    LimitExceeded { message: String },
    #[error("too many writes wait for this store")]
    Busy,
    #[error("storage failed")]
    Storage(#[source] StorageError),
    /// A write beside this one in its transaction failed: whether this one was made is unknown.
    #[error("the write was not confirmed")]
    OutcomeUnknown,
    #[error("stored data could not be read")]
    Load(#[from] LoadError),
    /// The decision log was left as it is, or half of what was asked for is done.
    #[error(transparent)]
    Erase(#[from] EraseError),
    #[error("the operating system has no randomness")]
    Random(#[from] getrandom::Error),
    /// A part of the process did not finish its work.
    #[error("the work was interrupted")]
    Interrupted,
}

impl From<StorageError> for PapError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<StoreError> for PapError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::AliasTaken { alias } => Self::AliasTaken { alias: alias.to_string() },
            StoreError::Storage(error) => Self::Storage(error),
        }
    }
}

impl PapError {
    /// Why a key was not changed.
    pub(crate) fn of_key(id: KeyId, error: KeyError) -> Self {
        match error {
            KeyError::Ended => Self::KeyEnded { id },
            KeyError::LastPlatformKey => Self::LastPlatformKey { id },
            KeyError::Storage(error) => Self::Storage(error),
        }
    }
}

impl From<WriteError> for PapError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Storage(error) => Self::Storage(error),
            // The writer of a store is alone, so its own view of the store was wrong.
            WriteError::Stale { .. } | WriteError::UnknownRelease { .. } => Self::Interrupted,
        }
    }
}
