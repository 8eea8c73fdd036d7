//! How operations end: one table of those that do, from which every answer of theirs says so.

use std::time::{Duration, UNIX_EPOCH};

use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderName, HeaderValue, HttpDate, LINK};

/// An operation that ends.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    pub method: &'static str,
    /// As the URL table has it, such as `/v1/stores/{store}`.
    pub path: &'static str,
    /// Since when it should not be used any more, in seconds since 1970.
    pub since: u64,
    /// When it may be gone.
    pub sunset: u64,
    /// The page that says what to use instead.
    pub page: &'static str,
}

/// Every operation that ends; the API's description has it as `deprecated`.
pub static ENDING: &[Ending] = &[];

/// Tells in an answer that its operation ends, if it does.
pub(crate) fn tell(method: &str, response: &mut ServiceResponse<BoxBody>) {
    if ENDING.is_empty() {
        return;
    }
    let path = response.request().match_pattern().unwrap_or_default();
    // RFC 9745, RFC 8594.
    let names = [HeaderName::from_static("deprecation"), HeaderName::from_static("sunset"), LINK];
    let values = values(ENDING, method, &path).into_iter().flatten();
    for (name, value) in names.into_iter().zip(values) {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().append(name, value);
        }
    }
}

/// What the headers say, in their order.
fn values(table: &[Ending], method: &str, path: &str) -> Option<[String; 3]> {
    let ending = table.iter().find(|ending| ending.method == method && ending.path == path)?;
    let Ending { since, sunset, page, .. } = ending;
    let sunset = HttpDate::from(UNIX_EPOCH + Duration::from_secs(*sunset));
    Some([format!("@{since}"), sunset.to_string(), format!("<{page}>; rel=\"deprecation\"")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_is_told_of_its_operation_alone() {
        let (path, page) = ("/v1/old/{name}", "https://authx.dev/docs/api#evolution");
        let table = [Ending { method: "GET", path, since: 1_688_169_599, sunset: 784_111_777, page }];
        // The dates are the examples of the two RFCs' formats.
        let told = ["@1688169599", "Sun, 06 Nov 1994 08:49:37 GMT", &format!("<{page}>; rel=\"deprecation\"")];
        for (method, path, ends) in [
            ("GET", "/v1/old/{name}", true),
            ("PUT", "/v1/old/{name}", false),
            ("GET", "/v1/old", false),
            ("GET", "", false),
        ] {
            let said = values(&table, method, path);
            assert_eq!(said, ends.then(|| told.map(str::to_owned)), "{method} {path}");
        }
        assert_eq!(values(&[], "GET", "/v1/old/{name}"), None);
    }
}
