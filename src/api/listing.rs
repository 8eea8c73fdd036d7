//! A list as its client wants it: a page as JSON, or every row as a line.
//!
//! Lines are made of the same pages, one after the other, so that no more than one is in memory.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::ACCEPT;
use actix_web::{FromRequest, HttpRequest, HttpResponse, rt, web};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::{Sender, channel};
use utoipa::ToSchema;

use crate::api::Services;
use crate::api::error::{ApiError, ProblemBody, internal};
use crate::api::lines::{self, line};
use crate::api::paging::PageQuery;
use crate::ids::TenantId;

pub(super) const LINES: &str = "application/x-ndjson";

/// How the client wants a list: `Accept: application/x-ndjson` is lines.
pub struct Listing {
    lines: bool,
}

impl FromRequest for Listing {
    type Error = std::convert::Infallible;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let accepted = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
        let mut types = accepted.flat_map(|value| value.split(',')).filter_map(|range| range.split(';').next());
        ready(Ok(Self { lines: types.any(|name| name.trim().eq_ignore_ascii_case(LINES)) }))
    }
}

/// The last line of a list; the ones before it are its rows. A list without it was cut.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LastLine {
    /// The list is whole.
    End(ListEnd),
    /// It ends before its end.
    Error(ProblemBody),
}

/// How many rows there were, and what a page says beside its rows.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListEnd {
    rows: usize,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    beside: Map<String, Value>,
}

impl Listing {
    /// Whether lines are wanted.
    pub(super) fn lines(&self) -> bool {
        self.lines
    }

    /// Answers with one page, or with `rows` of that and all behind it.
    pub async fn list<P: Serialize>(
        self,
        services: web::Data<Services>,
        tenant: TenantId,
        rows: &'static str,
        first: PageQuery,
        page: impl AsyncFn(&Services, PageQuery) -> Result<P, ApiError> + 'static,
    ) -> Result<HttpResponse, ApiError> {
        if !self.lines {
            return Ok(HttpResponse::Ok().json(page(&services, first).await?));
        }
        let place = services.transfer(tenant)?;
        // What is wrong with the question is a plain error.
        let mut piece = Piece::of(&page(&services, first.large()).await?, rows)?;
        let (to, body) = channel(4);
        rt::spawn(async move {
            let _place = place;
            let mut count = 0;
            let last = loop {
                count += piece.rows;
                if to.send(piece.text.into()).await.is_err() {
                    return;
                }
                let Some(token) = piece.next else {
                    break LastLine::End(ListEnd { rows: count, beside: piece.beside });
                };
                let next = page(&services, PageQuery::behind(token)).await.and_then(|page| Piece::of(&page, rows));
                match next {
                    Ok(next) => piece = next,
                    Err(error) => break LastLine::Error(error.body(None)),
                }
            };
            finish(&to, &last).await;
        });
        Ok(HttpResponse::Ok().content_type(LINES).body(lines::Lines(body)))
    }
}

async fn finish(to: &Sender<web::Bytes>, last: &LastLine) {
    // Who does not read any more misses nothing.
    let _ = to.send(line(&json!(last))).await;
}

/// The lines of a page.
struct Piece {
    text: Vec<u8>,
    rows: usize,
    next: Option<String>,
    beside: Map<String, Value>,
}

impl Piece {
    fn of<P: Serialize>(page: &P, rows: &str) -> Result<Self, ApiError> {
        let Ok(Value::Object(mut beside)) = serde_json::to_value(page) else {
            return Err(internal(&"a page of a list is no object"));
        };
        let next = beside.remove("next_page_token").and_then(|token| token.as_str().map(str::to_owned));
        let Some(Value::Array(list)) = beside.remove(rows) else {
            return Err(internal(&"a page of a list has no rows"));
        };
        let text = list.iter().flat_map(line).collect();
        Ok(Self { text, rows: list.len(), next, beside })
    }
}
