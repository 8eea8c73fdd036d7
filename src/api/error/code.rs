//! Every code that an answer may carry, in one table.

use actix_web::http::StatusCode;

/// Every code that an answer may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    MalformedRequest,
    InvalidInput,
    InvalidPageToken,
    InvalidConsistencyToken,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    AliasTaken,
    TupleExists,
    TupleMissing,
    TemplateHasLinks,
    Contended,
    KeyEnded,
    LastPlatformKey,
    LogAltered,
    SecretNotRepeated,
    PageTokenExpired,
    RevisionExpired,
    PreconditionFailed,
    BodyTooLarge,
    IdempotencyKeyReused,
    InvalidRelease,
    InvalidData,
    InvalidLink,
    DataNonconforming,
    NoModel,
    LimitExceeded,
    EvaluationLimitExceeded,
    Undetermined,
    Unsupported,
    TooManyWrites,
    TooManyFollowers,
    TooManyBatches,
    TooManyTransfers,
    RateLimited,
    TooManyRequests,
    Internal,
    StorageUnavailable,
    ConsistencyTimeout,
    DecisionNotRecorded,
}

impl Code {
    pub const ALL: [Self; 42] = [
        Self::MalformedRequest,
        Self::InvalidInput,
        Self::InvalidPageToken,
        Self::InvalidConsistencyToken,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::AliasTaken,
        Self::TupleExists,
        Self::TupleMissing,
        Self::TemplateHasLinks,
        Self::Contended,
        Self::KeyEnded,
        Self::LastPlatformKey,
        Self::LogAltered,
        Self::SecretNotRepeated,
        Self::PageTokenExpired,
        Self::RevisionExpired,
        Self::PreconditionFailed,
        Self::BodyTooLarge,
        Self::IdempotencyKeyReused,
        Self::InvalidRelease,
        Self::InvalidData,
        Self::InvalidLink,
        Self::DataNonconforming,
        Self::NoModel,
        Self::LimitExceeded,
        Self::EvaluationLimitExceeded,
        Self::Undetermined,
        Self::Unsupported,
        Self::TooManyWrites,
        Self::TooManyFollowers,
        Self::TooManyBatches,
        Self::TooManyTransfers,
        Self::RateLimited,
        Self::TooManyRequests,
        Self::Internal,
        Self::StorageUnavailable,
        Self::ConsistencyTimeout,
        Self::DecisionNotRecorded,
    ];

    /// (status, code, title, what it means and what to do).
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "one table")]
    pub fn row(self) -> (u16, &'static str, &'static str, &'static str) {
        match self {
            Self::MalformedRequest => (
                400,
                "malformed_request",
                "The request could not be read",
                "The body is no JSON, lacks a field, has a field of the wrong type, a duplicate key or text that is not UTF-8, or is nested too deep. `detail` says where.",
            ),
            Self::InvalidInput => (
                400,
                "invalid_input",
                "The request's data does not fit",
                "A value in `context` or `entities` has the wrong type, a required context key is missing, or a reference or tuple cannot be read or is not of the relation model; or two checks of a batch have one `id`. `errors` lists every one with its pointer.",
            ),
            Self::InvalidPageToken => (
                400,
                "invalid_page_token",
                "The page token is not valid here",
                "It was made for another list or query, or altered. Ask for the first page again.",
            ),
            Self::InvalidConsistencyToken => (
                400,
                "invalid_consistency_token",
                "The consistency token is not valid here",
                "It is of another store, or altered.",
            ),
            Self::Unauthenticated => (
                401,
                "unauthenticated",
                "No valid credential",
                "Send `Authorization: Bearer axk_…` with a key that is not revoked and not expired.",
            ),
            Self::Forbidden => {
                (403, "forbidden", "The credential may not do this", "`detail` names the scope that the key lacks.")
            }
            Self::NotFound => {
                (404, "not_found", "There is no such thing", "Or it belongs to another tenant, which looks the same.")
            }
            Self::MethodNotAllowed => (
                405,
                "method_not_allowed",
                "The path does not take this method",
                "`Allow` lists the methods that it takes.",
            ),
            Self::RequestTimeout => (
                408,
                "request_timeout",
                "The request took too long",
                "The body did not arrive, or the answer was not ready, within the server's time limit.",
            ),
            Self::AliasTaken => (409, "alias_taken", "The alias is taken", "Another store of the tenant has it."),
            Self::TupleExists => (
                409,
                "tuple_exists",
                "The tuple is there already",
                "Nothing was written. `on_existing: ignore` leaves out tuples that are there already as they are sent.",
            ),
            Self::TupleMissing => (
                409,
                "tuple_missing",
                "There is no such tuple to delete",
                "Nothing was written. `on_missing: ignore` leaves out what is not there.",
            ),
            Self::TemplateHasLinks => (
                409,
                "template_has_links",
                "Links do not fit the release",
                "A template that has links is missing from the new release or no longer fits them. Delete or change the links first.",
            ),
            Self::Contended => (
                409,
                "contended",
                "The store's release kept changing",
                "Others apply releases at the same time. Read the active release and try again.",
            ),
            Self::KeyEnded => (409, "key_ended", "The key has ended", "It was revoked or has expired. Make a new one."),
            Self::LastPlatformKey => (
                409,
                "last_platform_key",
                "The key is the last platform key",
                "Without it nobody could administer the installation. Make another platform key first.",
            ),
            Self::LogAltered => (
                409,
                "log_altered",
                "The decision log was altered",
                "Nothing was taken out of it, so that nothing hides what was done. `POST /v1/audit/verify` tells where.",
            ),
            Self::SecretNotRepeated => (
                409,
                "secret_not_repeated",
                "The request was made before, and its secret is not shown again",
                "`detail` names what was made under this `Idempotency-Key`. Without the secret, rotate or revoke the key.",
            ),
            Self::PageTokenExpired => {
                (410, "page_token_expired", "The page token is too old", "Ask for the first page again.")
            }
            Self::RevisionExpired => (
                410,
                "revision_expired",
                "The revision is too old",
                "What is needed to answer it is kept for `storage.history_days` after the next revision.",
            ),
            Self::PreconditionFailed => (
                412,
                "precondition_failed",
                "What the change was to be made upon has changed",
                "`if_release` or `If-Match` names a release that is not the active one; or `preconditions` of a write do not hold: `errors` lists which. Nothing was written.",
            ),
            Self::BodyTooLarge => (
                413,
                "body_too_large",
                "The body is too large",
                "1 MiB for most operations, 8 MiB for `write` and batches, 64 MiB for `apply` and `validate`.",
            ),
            Self::IdempotencyKeyReused => (
                422,
                "idempotency_key_reused",
                "The idempotency key is that of another request",
                "Within 24 hours the key was sent with another body to the same operation. Make a new key for a new request.",
            ),
            Self::InvalidRelease => (
                422,
                "invalid_release",
                "The policies, the schema or the relation model are invalid",
                "Nothing was applied. `errors` lists every problem with its file, line and column; `related` has other places, such as the line of the relation model that a policy needs.",
            ),
            Self::InvalidData => (
                422,
                "invalid_data",
                "The data does not conform",
                "Nothing was written. `errors` lists every problem with its pointer.",
            ),
            Self::InvalidLink => (
                422,
                "invalid_link",
                "The link is invalid",
                "The template is missing, a slot has no value or an unknown one, one that is reserved or that nothing can be in, or the linked policy does not validate.",
            ),
            Self::DataNonconforming => (
                422,
                "data_nonconforming",
                "Stored data does not conform to the release",
                "Nothing was applied. `errors` lists the first hundred. Change the data first, or say `allow_nonconforming`.",
            ),
            Self::NoModel => (
                422,
                "no_model",
                "The store has no relation model",
                "Only a release with a model answers about relations. Put one with `PUT /model`, or apply one.",
            ),
            Self::LimitExceeded => (
                422,
                "limit_exceeded",
                "A limit is exceeded",
                "Nothing was written. `detail` names the limit; of a tenant's limits also what there is and what would be.",
            ),
            Self::EvaluationLimitExceeded => (
                422,
                "evaluation_limit_exceeded",
                "The decision needs too much work",
                "`detail` names the limit. There is no decision; asking again will not help.",
            ),
            Self::Undetermined => (
                422,
                "undetermined",
                "What the principal or the resource is in cannot be told",
                "`detail` names the entity and the tuple's condition that could not be evaluated. There is no decision.",
            ),
            Self::Unsupported => (422, "unsupported", "This version cannot do this", "`detail` names the field."),
            Self::TooManyWrites => {
                (429, "too_many_writes", "Too many writes wait for this store", "Wait as long as `Retry-After` says.")
            }
            Self::TooManyFollowers => (
                429,
                "too_many_followers",
                "Too many requests of the tenant wait for changes",
                "`limits.followers` bounds long polls and streams. Close some, or ask without `wait`.",
            ),
            Self::TooManyBatches => (
                429,
                "too_many_batches",
                "Too many batches of the tenant are in work",
                "`limits.batches` bounds them. Wait as long as `Retry-After` says, or send fewer and larger ones.",
            ),
            Self::TooManyTransfers => (
                429,
                "too_many_transfers",
                "Too many imports and exports of the tenant are in work",
                "`limits.transfers` bounds them. Wait until one has ended.",
            ),
            Self::RateLimited => (
                429,
                "rate_limited",
                "The tenant asks too often",
                "Its limit `requests_per_second` is used up. Wait as long as `Retry-After` says; `RateLimit` tells what is left.",
            ),
            Self::TooManyRequests => (
                429,
                "too_many_requests",
                "Too many requests of the tenant are in work",
                "Its limit `concurrency` bounds them. Wait for the answers to some, at least as long as `Retry-After` says.",
            ),
            Self::Internal => {
                (500, "internal", "The server failed", "It is logged under the request's id. There is no decision.")
            }
            Self::StorageUnavailable => (
                503,
                "storage_unavailable",
                "The storage does not answer",
                "Whether a write was made is unknown; read before you repeat it.",
            ),
            Self::ConsistencyTimeout => (
                503,
                "consistency_timeout",
                "The wanted revision did not arrive in time",
                "There is no decision. Ask again, or with less freshness.",
            ),
            Self::DecisionNotRecorded => (
                503,
                "decision_not_recorded",
                "The decision could not be recorded",
                "So it is not told. The decision log has no room, or its disk does not take it. Ask again later.",
            ),
        }
    }

    #[must_use]
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}
