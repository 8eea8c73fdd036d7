//! Lets the requests of a tenant in as its limits allow, and tells it what is left of them.
//!
//! The fields are those of draft-ietf-httpapi-ratelimit-headers-10.

use std::fmt::Write as _;

use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpMessage as _, HttpRequest};

use crate::api::error::{ApiError, Code};
use crate::identity::Caller;
use crate::limits::{Admission, LimitTable, Refusal, Usage};

static POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
static LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// Counts a request for its tenant. What the operator does in a tenant is not the tenant's.
pub fn admit(request: &HttpRequest, caller: &Caller, limits: &LimitTable) -> Result<(), ApiError> {
    let tenant = caller.acts_in().filter(|_| !caller.grant().platform);
    let Some(meter) = tenant.and_then(|tenant| limits.meter(tenant.tenant())) else { return Ok(()) };
    let mut extensions = request.extensions_mut();
    // A request that waits is asked again whether its key is still good: it is counted once.
    if extensions.contains::<Admission>() {
        return Ok(());
    }
    let admission = meter.admit();
    let refusal = admission.refusal;
    extensions.insert(admission);
    refusal.map_or(Ok(()), |refusal| {
        metrics::counter!("authx_limited_requests_total", "limit" => name(refusal)).increment(1);
        Err(refused(refusal))
    })
}

/// As the fields name it, and the metric.
fn name(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Rate { .. } => "rate",
        Refusal::Concurrency { .. } => "concurrency",
    }
}

fn refused(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::Rate { per_second, burst, .. } => {
            let detail =
                format!("the tenant's limit `requests_per_second` is {per_second}, and {burst} at once after a pause");
            ApiError::new(Code::RateLimited, detail)
        }
        Refusal::Concurrency { limit } => {
            let detail = format!("{limit} requests of the tenant are in work, its limit `concurrency`");
            ApiError::new(Code::TooManyRequests, detail)
        }
    }
}

/// Lets others work while this request waits for something to happen.
pub fn wait(request: &HttpRequest) {
    if let Some(admission) = request.extensions_mut().get_mut::<Admission>() {
        admission.give_place_back();
    }
}

/// Tells what is left, on every answer of a tenant that has a limit. The request is then in work no more: who asks again
/// with the answer in hand must not find its own place taken.
pub fn tell<B>(response: &mut ServiceResponse<B>) {
    let told = response.request().extensions_mut().get_mut::<Admission>().map(|admission| {
        let told = fields(admission);
        admission.give_place_back();
        told
    });
    let Some((policy, left, retry_after)) = told else { return };
    let headers = response.headers_mut();
    for (name, value) in [(&POLICY, Some(policy)), (&LEFT, Some(left)), (&RETRY_AFTER, retry_after)] {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name.clone(), value);
        }
    }
}

/// `RateLimit-Policy`, `RateLimit`, and `Retry-After` of a refusal.
fn fields(admission: &Admission) -> (String, String, Option<String>) {
    let (mut policy, mut left) = (String::new(), String::new());
    let of = [("rate", "", admission.rate), ("concurrency", ";qu=\"concurrent-requests\"", admission.concurrency)];
    for (name, unit, usage) in of {
        let Some(Usage { limit, window, left: rest, resets_in }) = usage else { continue };
        let comma = if policy.is_empty() { "" } else { ", " };
        let _ = write!(policy, "{comma}\"{name}\";q={limit}{unit}");
        let _ = write!(left, "{comma}\"{name}\";r={rest}");
        for (text, mark, seconds) in [(&mut policy, 'w', window), (&mut left, 't', resets_in)] {
            if let Some(seconds) = seconds {
                let _ = write!(text, ";{mark}={seconds}");
            }
        }
    }
    let retry_after = admission.refusal.map(|refusal| match refusal {
        Refusal::Rate { retry_after, .. } => retry_after.to_string(),
        Refusal::Concurrency { .. } => "1".to_owned(),
    });
    (policy, left, retry_after)
}
