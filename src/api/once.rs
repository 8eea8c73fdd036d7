//! `Idempotency-Key`: a request that a client may send again is made once and answered the same.

use std::future::ready;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, ETAG};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use utoipa::IntoParams;

use crate::api::error::{ApiError, Code};
use crate::pap::{Answer, Asked, Once, PapError};
use crate::scope::{StoreScope, TenantScope};

const HEADER: &str = "idempotency-key";
const REPLAYED: &str = "idempotency-replayed";
const MAX_KEY_BYTES: usize = 255;

/// The header, for the description of the API.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described")]
pub struct IdempotencyHeader {
    /// For 24 hours the same request with this key is made once and answered the same.
    #[param(rename = "Idempotency-Key")]
    key: Option<String>,
}

/// What the client calls its request, if it may send it again, and what the operation is known by.
pub struct IdempotencyKey {
    key: Option<String>,
    /// Method and path: a key is one of its operation.
    operation: String,
    /// The store that the path names, by whichever of its names.
    store: String,
    query: String,
}

impl FromRequest for IdempotencyKey {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pattern = request.match_pattern().unwrap_or_default();
        let names = request.match_info().iter().filter(|(name, _)| *name != "store");
        let names: Vec<&str> = names.map(|(_, value)| value).collect();
        let operation = format!("{} {pattern} {}", request.method(), names.join("/"));
        let store = request.match_info().get("store").unwrap_or_default().to_owned();
        let query = request.query_string().to_owned();
        ready(key(request).map(|key| Self { key, operation, store, query }))
    }
}

fn key(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    let mut values = request.headers().get_all(HEADER);
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| (1..=MAX_KEY_BYTES).contains(&text.len()));
    if let (Some(text), None) = (text, values.next()) {
        return Ok(Some(text.to_owned()));
    }
    let detail = format!("`Idempotency-Key` is one header of 1 to {MAX_KEY_BYTES} printable ASCII characters");
    Err(ApiError::new(Code::MalformedRequest, detail))
}

impl IdempotencyKey {
    /// What a request to a store is known by, whichever of its names the path has.
    #[must_use]
    pub fn of_store(&self, store: &StoreScope, body: &[u8]) -> Option<Asked> {
        let key = self.key.as_deref()?;
        let key = hash(&[self.operation.as_bytes(), key.as_bytes()]);
        Some(Asked { owner: store.into(), key, request: self.request(body) })
    }

    /// What a request to a tenant is known by, or to the platform; a store is no more than its name there.
    #[must_use]
    pub fn of_tenant(&self, tenant: Option<&TenantScope>, body: &[u8]) -> Option<Asked> {
        let key = self.key.as_deref()?;
        let key = hash(&[self.operation.as_bytes(), self.store.as_bytes(), key.as_bytes()]);
        Some(Asked { owner: tenant.into(), key, request: self.request(body) })
    }

    fn request(&self, body: &[u8]) -> [u8; 32] {
        if self.query.is_empty() { hash(&[body]) } else { hash(&[self.query.as_bytes(), body]) }
    }
}

/// The hash of parts; each is written with its length.
fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let parts = parts
        .iter()
        .fold(Sha256::new(), |hash, part| hash.chain_update((part.len() as u64).to_be_bytes()).chain_update(part));
    parts.finalize().into()
}

/// An answer with a JSON body.
#[must_use]
pub fn json<T: Serialize>(status: StatusCode, value: &T) -> Answer {
    Answer { status: status.as_u16(), etag: None, body: serde_json::to_vec(value).unwrap_or_default() }
}

/// The answer to what is there no more.
#[must_use]
pub fn no_content() -> Answer {
    Answer { status: StatusCode::NO_CONTENT.as_u16(), etag: None, body: Vec::new() }
}

/// Answers a request: made now, made before, or refused.
pub fn respond<T: 'static>(once: &Once<T>, made: Result<T, PapError>) -> Result<HttpResponse, ApiError> {
    match made {
        Ok(made) => Ok(response(once.answer(&made), false)),
        Err(PapError::Answered(answer)) => Ok(response(answer, true)),
        Err(error) => Err(error.into()),
    }
}

/// An answer as it is sent, for the first time or again.
#[must_use]
pub fn response(answer: Answer, again: bool) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if again {
        response.insert_header((REPLAYED, "true"));
    }
    if let Some(etag) = answer.etag {
        response.insert_header((ETAG, etag));
    }
    if answer.body.is_empty() {
        return response.finish();
    }
    response.insert_header((CONTENT_TYPE, "application/json")).body(answer.body)
}
