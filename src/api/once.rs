//! `Idempotency-Key`: a write that a client may send again is made once and answered the same.

use std::future::ready;

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::api::Services;
use crate::api::error::{ApiError, Code};
use crate::api::extract::StoreAccess;
use crate::pap::{Committed, Once, Write};

const HEADER: &str = "idempotency-key";
const REPLAYED: &str = "idempotency-replayed";
const MAX_KEY_BYTES: usize = 255;

/// What the client calls its request, if it may send it again, and what the operation is known by.
pub struct IdempotencyKey {
    key: Option<String>,
    /// Method and path: a key is one of its operation.
    operation: String,
}

impl FromRequest for IdempotencyKey {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pattern = request.match_pattern().unwrap_or_default();
        // The store is part of the scope, by whichever of its names.
        let names = request.match_info().iter().filter(|(name, _)| *name != "store");
        let names: Vec<&str> = names.map(|(_, value)| value).collect();
        let operation = format!("{} {pattern} {}", request.method(), names.join("/"));
        ready(key(request).map(|key| Self { key, operation }))
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
    /// Makes a write in a store and answers with what `reply` makes of the commit; for a request that was answered before
    /// with that answer.
    ///
    /// # Errors
    /// When the write is refused, or another request had the same key.
    pub(crate) async fn write<T: Serialize + 'static>(
        self,
        services: &Services,
        access: &StoreAccess,
        request: &[u8],
        write: impl Write + 'static,
        reply: fn(&Committed) -> T,
    ) -> Result<HttpResponse, ApiError> {
        let (store, actor) = (&access.store, access.caller.actor());
        let Some(name) = self.key else {
            let committed = services.writers.write(store, actor, write).await?;
            return Ok(HttpResponse::Ok().json(reply(&committed)));
        };
        let once = Once {
            key: hash(&[self.operation.as_bytes(), name.as_bytes()]),
            request: hash(&[request]),
            answer: Box::new(move |committed| serde_json::to_vec(&reply(committed)).unwrap_or_default()),
        };
        let answer = services.writers.write_once(store, actor, write, once).await?;
        let mut response = HttpResponse::Ok();
        response.insert_header((CONTENT_TYPE, "application/json"));
        if answer.repeated {
            response.insert_header((REPLAYED, "true"));
        }
        Ok(response.body(answer.body))
    }
}

/// The hash of parts; each is written with its length.
fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let parts = parts
        .iter()
        .fold(Sha256::new(), |hash, part| hash.chain_update((part.len() as u64).to_be_bytes()).chain_update(part));
    parts.finalize().into()
}
