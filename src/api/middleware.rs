//! What happens around every request: its id, its time limit, its count.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, ResponseError as _, web};
use metrics::Histogram;

use crate::api::error::{ApiError, Code};
use crate::api::openfga::error::{FgaError, is_path};
use crate::api::{admission, evolution};
use crate::clock::Clock;
use crate::trace::{self, RequestTrace};

/// How long a request may take, body included.
#[derive(Debug, Clone, Copy)]
pub struct TimeLimit(pub Duration);

/// The route of requests that ran into the time limit.
const TIMED_OUT: &str = "timed out";

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives every answer its request's id, ends requests that take too long and counts them by route.
pub async fn track(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let limit = request.app_data::<web::Data<TimeLimit>>().map_or(Duration::from_secs(30), |limit| limit.0);
    let id = request_id(&request);
    let of_openfga = is_path(request.path());
    let method = method(request.method());
    let text = id.to_str().unwrap_or_default().to_owned();
    let traceparent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    let trace = RequestTrace::new(text, traceparent);
    let answered = trace::of(trace, tokio::time::timeout(limit, next.call(request))).await;
    let mut response = match answered {
        Ok(Ok(response)) => response.map_into_boxed_body(),
        Ok(Err(error)) => return Err(error),
        Err(_) => {
            // The request and its route are gone with the work.
            observe(method, TIMED_OUT.to_owned(), "4xx", started);
            return Err(timed_out(&id, of_openfga));
        }
    };
    if let Some(error) = response.response().error().and_then(|error| error.as_error::<ApiError>()) {
        let text = id.to_str().map(str::to_owned).ok();
        let body = serde_json::to_vec(&error.body(text)).unwrap_or_default();
        response = response.map_body(|_, _| BoxBody::new(body));
    }
    response.headers_mut().insert(REQUEST_ID.clone(), id);
    admission::tell(&mut response);
    evolution::tell(method, &mut response);
    count(method, &response, started);
    Ok(response)
}

/// The answer to a request that took too long, which is given without the request itself.
fn timed_out(id: &HeaderValue, of_openfga: bool) -> Error {
    let error = ApiError::new(Code::RequestTimeout, "");
    if of_openfga {
        let mut response = FgaError::from(error).error_response();
        response.headers_mut().insert(REQUEST_ID.clone(), id.clone());
        return InternalError::from_response("", response).into();
    }
    let mut response = HttpResponse::build(error.code.status());
    response.insert_header((REQUEST_ID.clone(), id.clone())).content_type("application/problem+json");
    let response = response.json(error.body(id.to_str().map(str::to_owned).ok()));
    InternalError::from_response("", response).into()
}

/// The client's id when it is a short plain text, else a new one.
fn request_id(request: &ServiceRequest) -> HeaderValue {
    let sent = request.headers().get(&REQUEST_ID);
    let plain =
        |value: &&HeaderValue| (1..=128).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic);
    if let Some(value) = sent.filter(plain) {
        return value.clone();
    }
    let mut buffer = [0; ulid::ULID_LEN];
    let text = Clock.ulid().array_to_str(&mut buffer).to_owned();
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// By route template, never by path: a label's values are as many as the routes.
fn count(method: &'static str, response: &ServiceResponse<BoxBody>, started: Instant) {
    let route = response.request().match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    let class = match response.status().as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    };
    observe(method, route, class, started);
}

/// A caller may send any word as a method: those that no route takes are one.
fn method(method: &Method) -> &'static str {
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().find(|known| *known == method.as_str());
    known.unwrap_or("other")
}

fn observe(method: &'static str, route: String, class: &'static str, started: Instant) {
    thread_local! {
        /// The histograms that this thread has asked the recorder for.
        static KNOWN: RefCell<HashMap<(String, &'static str, &'static str), Histogram>> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|known| {
        let histogram = known.entry((route, method, class)).or_insert_with_key(|(route, method, class)| {
            metrics::histogram!("authx_http_request_seconds", "method" => *method, "route" => route.clone(), "status" => *class)
        });
        histogram.record(started.elapsed().as_secs_f64());
    });
}
