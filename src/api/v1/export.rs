//! `GET /v1/stores/{store}/export`: a store's data at one revision, a JSON object a line.

use std::sync::Arc;

use actix_web::{HttpResponse, rt, web};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::mpsc::{Sender, channel};

use crate::api::Services;
use crate::api::error::{ApiError, ProblemBody};
use crate::api::extract::{Query, ReadStore};
use crate::api::lines::{self, line};
use crate::api::paging::AtQuery;
use crate::api::places::Place;
use crate::api::v1::import::{TransferCounts, TransferLine};
use crate::api::v1::tuples::TupleReply;
use crate::ids::Revision;
use crate::pap::PapError;
use crate::replica::OpenStore;
use crate::storage::StorageError;
use crate::storage::records::{EntityRecord, LinkRecord, TupleFilter};

/// Rows that are read at once.
const PAGE: u32 = 1_000;

/// Every entity, link and tuple of a store at one revision, in an order of their names, as an import takes them. The last line is `end` with
/// their numbers, or `error`; an export without either was cut.
#[utoipa::path(get, path = "/v1/stores/{store}/export", operation_id = "export", tag = "data", params(("store" = String, Path, description = "id or alias"), AtQuery),
    responses((status = 200, body = TransferLine, content_type = "application/x-ndjson"), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn export(
    services: web::Data<Services>,
    access: ReadStore,
    query: Query<AtQuery>,
) -> Result<HttpResponse, ApiError> {
    let store = Arc::clone(&access.0.store);
    let head = services.pdp.head(&store, query.0.at_revision.map(Revision)).await?;
    let place = services.transfer(*access.0.tenant.tenant())?;
    let (to, body) = channel(4);
    rt::spawn(Export { services, store, revision: head.revision, to, _place: place }.run());
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .insert_header(("AuthX-Revision", head.revision.to_string()))
        .insert_header(("AuthX-Consistency-Token", head.token))
        .body(lines::Lines(body)))
}

/// An export in work.
struct Export {
    services: web::Data<Services>,
    store: Arc<OpenStore>,
    revision: Revision,
    to: Sender<web::Bytes>,
    _place: Place,
}

/// Why an export ends before its end.
enum Ended {
    /// Nobody reads it any more.
    Unread,
    Failed(ApiError),
}

impl From<StorageError> for Ended {
    fn from(error: StorageError) -> Self {
        Self::Failed(PapError::from(error).into())
    }
}

impl Export {
    async fn run(self) {
        let last = match self.send().await {
            Ok(counts) => json!({"end": counts}),
            Err(Ended::Unread) => return,
            Err(Ended::Failed(error)) => json!({"error": error.body(None)}),
        };
        let _ = self.to.send(line(&last)).await;
    }

    async fn send(&self) -> Result<TransferCounts, Ended> {
        let data = &self.services.storage.data;
        let (scope, revision) = (self.store.scope(), self.revision);
        let mut counts = TransferCounts { entities: 0, tuples: 0, links: 0 };
        let mut after: Option<(String, String)> = None;
        loop {
            let key = after.as_ref().map(|(ty, id)| (ty.as_str(), id.as_str()));
            let rows = data.entities_at(scope, revision, None, key, PAGE).await?;
            let Some(last) = rows.last() else { break };
            after = Some((last.type_name.clone(), last.id.clone()));
            counts.entities += rows.len() as u64;
            self.page(rows, |row| EntityLine::try_from(row).map(Line::Entity)).await?;
        }
        let mut after: Option<String> = None;
        loop {
            let rows = data.links_at(scope, revision, after.as_deref(), PAGE).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.id.clone());
            counts.links += rows.len() as u64;
            self.page(rows, |row| Ok(Line::Link(shown(row)))).await?;
        }
        let mut after = None;
        loop {
            let rows = data.tuples_at(scope, revision, &TupleFilter::default(), after.as_ref(), PAGE).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.key.clone());
            counts.tuples += rows.len() as u64;
            self.page(rows, |row| Ok(Line::Tuple(TupleReply::from(row)))).await?;
        }
        // What was deleted meanwhile was not read.
        let whole = self.services.pdp.not_forgotten(&self.store, revision).await;
        whole.map(|()| counts).map_err(|error| Ended::Failed(error.into()))
    }

    /// Writes a page of rows off the threads that answer, and sends it.
    async fn page<T: Send + 'static>(
        &self,
        rows: Vec<T>,
        read: fn(&T) -> Result<Line, serde_json::Error>,
    ) -> Result<(), Ended> {
        let written = self.services.pdp.turns().take(move || {
            let mut text = Vec::new();
            for row in &rows {
                serde_json::to_writer(&mut text, &read(row)?)?;
                text.push(b'\n');
            }
            Ok::<_, serde_json::Error>(text)
        });
        let written = written.await.map_err(|error| Ended::Failed(error.into()))?;
        let text = written.map_err(|error| Ended::Failed(crate::api::error::internal(&error)))?;
        self.to.send(text.into()).await.map_err(|_| Ended::Unread)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Entity(EntityLine),
    Link(serde_json::Value),
    Tuple(TupleReply),
}

/// An entity as it is stored.
#[derive(Serialize)]
struct EntityLine {
    uid: Uid,
    attrs: Box<RawValue>,
    parents: Vec<Uid>,
    tags: Box<RawValue>,
}

#[derive(Serialize)]
struct Uid {
    r#type: String,
    id: String,
}

impl TryFrom<&EntityRecord> for EntityLine {
    type Error = serde_json::Error;

    fn try_from(row: &EntityRecord) -> Result<Self, serde_json::Error> {
        let parents: Vec<(String, String)> = serde_json::from_str(&row.parents)?;
        Ok(Self {
            uid: Uid { r#type: row.type_name.clone(), id: row.id.clone() },
            attrs: RawValue::from_string(row.attrs.clone())?,
            parents: parents.into_iter().map(|(r#type, id)| Uid { r#type, id }).collect(),
            tags: RawValue::from_string(row.tags.clone())?,
        })
    }
}

fn shown(row: &LinkRecord) -> serde_json::Value {
    let LinkRecord { id, template, principal, resource, created_revision: _ } = row;
    let uid = |key: &(String, String)| json!({"type": key.0, "id": key.1});
    let mut link = json!({"id": id, "template": template});
    for (name, key) in [("principal", principal), ("resource", resource)] {
        if let (Some(key), Some(link)) = (key, link.as_object_mut()) {
            link.insert(name.to_owned(), uid(key));
        }
    }
    link
}
