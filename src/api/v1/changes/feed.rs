//! A place in the changes of one store, from which they are read on.

use std::sync::Arc;

use actix_web::{FromRequest as _, HttpRequest, web};
use authx_engine::relation::is_type_name;

use super::ChangesQuery;
use crate::api::Services;
use crate::api::error::{ApiError, Code, invalid_input};
use crate::api::extract::{ReadStore, StoreAccess};
use crate::api::paging::PageQuery;
use crate::api::v1::tuples::{foreign_token, malformed, time};
use crate::ids::{Revision, Timestamp};
use crate::pap::PapError;
use crate::replica::OpenStore;
use crate::storage::records::TupleChange;

/// Which changes to read, and how far they are read.
pub(super) struct Feed {
    services: web::Data<Services>,
    store: Arc<OpenStore>,
    object_type: Option<String>,
    since: Option<Timestamp>,
    size: u32,
    /// What its tokens are bound to.
    bound: Vec<String>,
    /// The last change that was read.
    after: Option<(Revision, u32)>,
    /// The last one that is gone of those that a reader from the beginning would want.
    gone: Option<(Revision, u32)>,
    /// Every change up to this revision was there to be read.
    seen: Revision,
}

impl Feed {
    pub(super) async fn open(
        services: &web::Data<Services>,
        access: &StoreAccess,
        query: &ChangesQuery,
        token: Option<&str>,
    ) -> Result<Self, ApiError> {
        let ChangesQuery { object_type, since, page_size, .. } = query;
        let store = Arc::clone(&access.store);
        let from = since.as_deref().map(|text| time(text, "/since")).transpose();
        let from = from.map_err(|problem| invalid_input(&[problem]))?;
        if let Some(name) = object_type.as_deref().filter(|name| !is_type_name(name)) {
            let problem = malformed("/object_type", &format!("`{name}` is no type's name"));
            return Err(invalid_input(&[problem]));
        }
        let size = PageQuery::new(*page_size, None).open(services, Some(&access.tenant), &[])?.size;
        let scope = store.scope();
        // The epoch is a part: in a store that was restored the same place would skip what happened since.
        let bound = ["v1/changes", scope.tenant().as_str(), scope.store().as_str(), &store.current().epoch];
        let filter = [object_type, since].map(|part| part.as_deref().unwrap_or_default());
        let bound: Vec<String> = bound.into_iter().chain(filter).map(str::to_owned).collect();
        let (object_type, seen) = (object_type.clone(), Revision(0));
        let services = services.clone();
        let mut feed = Self { services, store, object_type, since: from, size, bound, after: None, gone: None, seen };
        if let Some(token) = token {
            let place = feed.services.replica.tokens().read_cursor(&feed.parts(), token).ok_or_else(foreign_token)?;
            let (revision, ordinal) = serde_json::from_str(&place).map_err(|_| foreign_token())?;
            feed.after = Some((Revision(revision), ordinal));
        }
        // Who goes on from a place has missed nothing, or is told so; who begins, begins at what is kept.
        let missed = feed.missed().await?;
        match feed.after {
            Some(_) if missed.is_some() => return Err(gone()),
            Some(_) => {}
            None => feed.gone = missed,
        }
        Ok(feed)
    }

    /// The revision up to which changes are gone that a reader from the beginning would want.
    pub(super) fn trimmed_through(&self) -> Option<Revision> {
        self.gone.map(|(revision, _)| revision)
    }

    /// The last change that is gone of those that are still to be read.
    async fn missed(&self) -> Result<Option<(Revision, u32)>, ApiError> {
        let data = &self.services.storage.data;
        let trimmed = data.trimmed_changes(self.store.scope(), self.object_type.as_deref()).await;
        let trimmed = trimmed.map_err(PapError::from)?;
        Ok(trimmed.filter(|trimmed| trimmed.is_missed(self.after, self.since)).map(|trimmed| trimmed.last))
    }

    /// The next changes, as many as a page has; they count as read.
    pub(super) async fn read(&mut self) -> Result<Vec<TupleChange>, ApiError> {
        // Taken first: what is committed while storage is read may be missed, and is then waited for in vain.
        self.seen = self.store.current().revision();
        let object_type = self.object_type.as_deref();
        let data = &self.services.storage.data;
        let rows = data.tuple_changes(self.store.scope(), object_type, self.after, self.since, self.size).await;
        let rows = rows.map_err(PapError::from)?;
        // Asked behind the reading: what was there then was read.
        if self.after.is_some() && self.missed().await?.is_some() {
            return Err(gone());
        }
        self.after = rows.last().map(|last| (last.revision, last.ordinal)).or(self.after).or(self.gone);
        Ok(rows)
    }

    /// Waits for a commit behind the last read; false when the server ends.
    pub(super) async fn arrival(&self) -> bool {
        tokio::select! {
            _ = self.store.reached(self.seen.next()) => true,
            () = self.services.followers.closed() => false,
        }
    }

    /// The token of the place behind what was read.
    pub(super) fn token(&self) -> String {
        // The first change has revision 1, so that the place before all of them is 0.
        self.token_of(self.after.unwrap_or((Revision(0), 0)))
    }

    /// The token of the place behind one change.
    pub(super) fn token_of(&self, (revision, ordinal): (Revision, u32)) -> String {
        let place = serde_json::json!([revision.0, ordinal]).to_string();
        self.services.replica.tokens().cursor(&self.parts(), &place)
    }

    /// Whether the request may still read: the key or the store may have ended while it waited.
    pub(super) async fn allowed(&self, request: &HttpRequest) -> Result<(), ApiError> {
        let access = ReadStore::extract(request).await?;
        if access.0.store.scope() == self.store.scope() {
            return Ok(());
        }
        Err(ApiError::new(Code::NotFound, "the store of this request is there no more"))
    }

    fn parts(&self) -> Vec<&str> {
        self.bound.iter().map(String::as_str).collect()
    }
}

fn gone() -> ApiError {
    let detail = "changes behind the page token are gone: they are kept for `storage.history_days`";
    ApiError::new(Code::PageTokenExpired, detail)
}
