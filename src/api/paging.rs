//! Pages of lists.

use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::Services;
use crate::api::error::{ApiError, Code};
use crate::ids::Revision;
use crate::scope::TenantScope;

const DEFAULT_PAGE: u32 = 100;
const MAX_PAGE: u32 = 1_000;

/// `?page_size=&page_token=`.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// 1 to 1,000; 100 when absent.
    page_size: Option<u32>,
    /// From the page before.
    page_token: Option<String>,
}

/// `?at_revision=`.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AtQuery {
    /// As it was at this revision; as it is now when absent.
    pub at_revision: Option<u64>,
}

/// `?page_size=&page_token=&at_revision=`.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PastPageQuery {
    /// 1 to 1,000; 100 when absent.
    page_size: Option<u32>,
    /// From the page before.
    page_token: Option<String>,
    /// As it was at this revision; as it is now when absent.
    at_revision: Option<u64>,
}

impl PastPageQuery {
    /// The page, and the revision that it is asked of.
    #[must_use]
    pub fn parts(self) -> (PageQuery, Option<Revision>) {
        (PageQuery::new(self.page_size, self.page_token), self.at_revision.map(Revision))
    }
}

/// A page that is asked for: how many rows behind which one.
pub struct Page {
    pub size: u32,
    pub after: Option<String>,
    bound: Vec<String>,
}

impl PageQuery {
    /// The query of a list that has other parameters beside it.
    #[must_use]
    pub fn new(page_size: Option<u32>, page_token: Option<String>) -> Self {
        Self { page_size, page_token }
    }

    /// The same page, as large as one may be.
    #[must_use]
    pub fn large(self) -> Self {
        Self { page_size: Some(MAX_PAGE), ..self }
    }

    /// A large page behind the one that gave this token.
    #[must_use]
    pub fn behind(page_token: String) -> Self {
        Self { page_size: Some(MAX_PAGE), page_token: Some(page_token) }
    }

    /// Reads the query of one list; `bound` is what else the list depends on.
    pub fn open(&self, services: &Services, tenant: Option<&TenantScope>, bound: &[&str]) -> Result<Page, ApiError> {
        let size = self.page_size.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&size) {
            return Err(ApiError::new(Code::MalformedRequest, format!("page_size is 1 to {MAX_PAGE}, not {size}")));
        }
        let tenant = tenant.map_or("platform", |scope| scope.tenant().as_str());
        let bound: Vec<String> = std::iter::once(tenant).chain(bound.iter().copied()).map(str::to_owned).collect();
        let after = match &self.page_token {
            None => None,
            Some(token) => {
                let parts: Vec<&str> = bound.iter().map(String::as_str).collect();
                Some(services.replica.tokens().read_page(&parts, token, services.clock.now())?)
            }
        };
        Ok(Page { size, after, bound })
    }
}

impl Page {
    /// How many rows to ask for: one more tells whether there is a next page.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.size + 1
    }

    /// Cuts the rows to the page and makes the token of the next one.
    pub fn close<T>(&self, services: &Services, rows: &mut Vec<T>, key: impl Fn(&T) -> String) -> Option<String> {
        let size = self.size as usize;
        if rows.len() <= size {
            return None;
        }
        rows.truncate(size);
        Some(self.token(services, &key(rows.last()?)))
    }

    /// The token of a page behind a row.
    pub fn token(&self, services: &Services, last: &str) -> String {
        let parts: Vec<&str> = self.bound.iter().map(String::as_str).collect();
        services.replica.tokens().page(&parts, last, services.clock.now())
    }
}
