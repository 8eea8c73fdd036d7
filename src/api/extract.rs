//! What handlers take as arguments: the caller, its store, a body.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};
use serde::de::DeserializeOwned;

use crate::api::error::{ApiError, Code};
use crate::api::{Services, admission};
use crate::identity::Caller;
use crate::keys::Permission;
use crate::replica::OpenStore;
use crate::scope::TenantScope;

/// The authenticated caller.
pub struct Authenticated(pub Caller);

impl FromRequest for Authenticated {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(authenticate(request).map(Self))
    }
}

fn authenticate(request: &HttpRequest) -> Result<Caller, ApiError> {
    let services = services(request)?;
    let text = |name: &str| request.headers().get(name).map(|value| value.to_str());
    let authorization = match text(AUTHORIZATION.as_str()) {
        None => None,
        // A credential that is no text is a bad one, not an absent one.
        Some(value) => Some(value.map_err(|_| ApiError::new(Code::Unauthenticated, "the credential is not ASCII"))?),
    };
    if authorization.is_none() {
        refuse_web_pages(request)?;
    }
    let tenant = text("AuthX-Tenant").and_then(Result::ok);
    let caller = services.identity.authenticate(authorization, tenant)?;
    admission::admit(request, &caller, &services.limits)?;
    Ok(caller)
}

/// Without a credential (in `--dev`) the only thing between a store and a page in the developer's browser is what the
/// browser says of itself: the page's origin, and the host name that it resolved to this address.
fn refuse_web_pages(request: &HttpRequest) -> Result<(), ApiError> {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let host = text("host").unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let local =
        name == "localhost" || name.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    let foreign = request.headers().contains_key("origin") && text("origin") != Some(&format!("http://{host}"));
    if foreign || !(local || host.is_empty()) {
        return Err(ApiError::new(Code::Unauthenticated, "a request from a web page needs a key"));
    }
    Ok(())
}

fn services(request: &HttpRequest) -> Result<&web::Data<Services>, ApiError> {
    request.app_data::<web::Data<Services>>().ok_or_else(|| ApiError::new(Code::Internal, ""))
}

impl Authenticated {
    /// The caller's tenant, when it may do this there.
    pub fn tenant(&self, permission: Permission) -> Result<&TenantScope, ApiError> {
        Ok(self.0.tenant(permission)?)
    }
}

/// The store that the path names, with the caller's leave to do one thing there.
///
/// A store of another tenant, one that the key does not reach and one that does not exist answer alike.
pub struct StoreAccess {
    pub caller: Caller,
    pub tenant: TenantScope,
    pub store: Arc<OpenStore>,
}

impl StoreAccess {
    fn open(request: &HttpRequest, permission: Permission) -> Result<Self, ApiError> {
        let caller = authenticate(request)?;
        let tenant = caller.tenant(permission)?.clone();
        let name = request.match_info().get("store").unwrap_or_default();
        let found = services(request)?.replica.find(tenant.tenant(), name);
        let store = found.filter(|store| caller.store(&tenant, store.scope().store()).is_some());
        let store = store.ok_or_else(|| ApiError::not_found("store", name))?;
        Ok(Self { caller, tenant, store })
    }
}

/// [`StoreAccess`] for each permission: the handler's signature says what a caller needs.
macro_rules! access {
    ($($(#[$doc:meta])* $name:ident => $permission:ident),* $(,)?) => {$(
        $(#[$doc])*
        pub struct $name(pub StoreAccess);

        impl FromRequest for $name {
            type Error = ApiError;
            type Future = std::future::Ready<Result<Self, ApiError>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                ready(StoreAccess::open(request, Permission::$permission).map(Self))
            }
        }
    )*};
}

access! {
    /// May administer the store.
    AdminStore => Admin,
    /// May write the store's data.
    WriteStore => Write,
    /// May read the store.
    ReadStore => Read,
    /// May ask the store for decisions.
    CheckStore => Check,
    /// May ask the store why.
    ExplainStore => Explain,
}

/// A JSON body, read strictly: no duplicate fields, bounded nesting, errors with their place.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = web::Bytes::from_request(request, payload);
        Box::pin(async move { parse(&received(bytes.await)?).map(Self) })
    }
}

/// A body as it was sent, for a handler that does not read it in its own thread.
pub struct RawBody(pub web::Bytes);

impl FromRequest for RawBody {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = web::Bytes::from_request(request, payload);
        Box::pin(async move { received(bytes.await).map(Self) })
    }
}

fn received(bytes: Result<web::Bytes, actix_web::Error>) -> Result<web::Bytes, ApiError> {
    bytes.map_err(|error| body_error(&error))
}

/// Reads a JSON text.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| ApiError::new(Code::MalformedRequest, error.to_string()))
}

fn body_error(error: &actix_web::Error) -> ApiError {
    let status = error.as_response_error().status_code().as_u16();
    match status {
        413 => ApiError::new(Code::BodyTooLarge, ""),
        _ => ApiError::new(Code::MalformedRequest, "the body could not be read"),
    }
}

/// Query parameters.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let query = web::Query::<T>::from_query(request.query_string());
        ready(
            query
                .map(|query| Self(query.into_inner()))
                .map_err(|error| ApiError::new(Code::MalformedRequest, error.to_string())),
        )
    }
}
