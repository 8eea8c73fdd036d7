//! `POST /v1/stores/{store}/import`: a store's data, a JSON object a line, written in parts while it comes.

mod parts;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::{HttpResponse, rt, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc::{Sender, channel};
use utoipa::{IntoParams, ToSchema};

use self::parts::{Lines, Part, read};
use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody};
use crate::api::extract::{Query, ReadStore, WriteStore};
use crate::api::lines::{self, line};
use crate::api::places::Place;
use crate::api::v1::write::CommitReply;
use crate::pap::{Committed, Imported, PapError, import_asked};
use crate::replica::OpenStore;

/// How often an import tells how far it has come.
const TELL_EVERY: Duration = Duration::from_secs(1);
const MAX_ID_BYTES: usize = 255;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// A name for this import, so that it can be gone on with: lines that were written under it are not written again. It
    /// is remembered for 24 hours after the last of them.
    id: Option<String>,
    /// The line that the body begins with, counted from 1. Lines before it must have been written under the same `id`.
    #[serde(default = "first")]
    from_line: u64,
}

fn first() -> u64 {
    1
}

/// A line of an import, or of an export. One of them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferLine {
    /// Takes the place of what is stored of the entity.
    #[serde(default)]
    #[schema(value_type = Option<crate::api::v1::check::EntityBody>)]
    entity: Option<authx_engine::EntityInput>,
    /// Takes the place of a tuple with the same object, relation and subject.
    #[serde(default)]
    tuple: Option<crate::api::v1::tuples::TupleBody>,
    #[serde(default)]
    link: Option<crate::api::v1::links::LinkLine>,
    /// Stands at the end of an export: what it holds. An import that holds something else was cut.
    #[serde(default)]
    end: Option<TransferCounts>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransferCounts {
    pub entities: u64,
    pub tuples: u64,
    pub links: u64,
}

/// How far an import has come, or how it ended. A line of the answer is one of them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImportReply {
    Progress(ImportProgress),
    End(ImportEnd),
    /// What was told as progress stays; the part with the error was not written.
    Error(ProblemBody),
}

/// What was written, of this request and of those before it under the same id.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct ImportProgress {
    /// Lines of the whole import that were read and, where there is something to write, written.
    pub lines: u64,
    pub entities: u64,
    pub tuples: u64,
    pub links: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ImportEnd {
    #[serde(flatten)]
    progress: ImportProgress,
    #[serde(flatten)]
    commit: CommitReply,
}

impl From<Imported> for ImportProgress {
    fn from(imported: Imported) -> Self {
        let Imported { lines, entities, tuples, links } = imported;
        Self { lines, entities, tuples, links }
    }
}

/// Writes entities, tuples and links, a JSON object a line. Each takes the place of what is there. The answer tells the
/// progress, a JSON object a line; what is wrong in the first part is a plain error.
#[utoipa::path(post, path = "/v1/stores/{store}/import", operation_id = "import", tag = "data", params(("store" = String, Path, description = "id or alias"), ImportQuery),
    request_body(content = TransferLine, content_type = "application/x-ndjson"),
    responses((status = 200, body = ImportReply, content_type = "application/x-ndjson"), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn import(
    services: web::Data<Services>,
    access: WriteStore,
    query: Query<ImportQuery>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let place = services.transfer(*access.0.tenant.tenant())?;
    let ImportQuery { id, from_line } = query.0;
    let (store, actor) = (Arc::clone(&access.0.store), access.0.caller.actor().to_owned());
    let done = match &id {
        Some(id) => imported(&services, &store, id).await?.unwrap_or_default(),
        None => Imported::default(),
    };
    if !(1..=done.lines + 1).contains(&from_line) {
        let detail = format!("the body begins at line {from_line}, and {} lines were written under the id", done.lines);
        return Err(ApiError::new(Code::MalformedRequest, detail));
    }
    let source = Lines::new(payload, from_line);
    let mut work = Work { services, store, actor, id, done, source, last: None, _place: place };
    let (lines, body) = channel(4);
    let ended = work.step().await?;
    rt::spawn(async move { work.finish(ended, &lines).await });
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").body(lines::Lines(body)))
}

/// How far an import has come.
#[utoipa::path(get, path = "/v1/stores/{store}/import", operation_id = "readImport", tag = "data",
    params(("store" = String, Path, description = "id or alias"), ("id" = String, Query, description = "the import's name")),
    responses((status = 200, body = ImportProgress), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn progress(
    services: web::Data<Services>,
    access: ReadStore,
    query: Query<ImportQuery>,
) -> Result<HttpResponse, ApiError> {
    let id = query.0.id.ok_or_else(|| ApiError::new(Code::MalformedRequest, "missing query parameter `id`"))?;
    let found = imported(&services, &access.0.store, &id).await?;
    let found = found.ok_or_else(|| ApiError::not_found("import", &id))?;
    Ok(HttpResponse::Ok().json(ImportProgress::from(found)))
}

async fn imported(services: &Services, store: &OpenStore, id: &str) -> Result<Option<Imported>, ApiError> {
    if !(1..=MAX_ID_BYTES).contains(&id.len()) {
        return Err(ApiError::new(Code::MalformedRequest, format!("`id` is 1 to {MAX_ID_BYTES} bytes")));
    }
    let asked = import_asked(store.scope(), id);
    let found = services.storage.answers.find(&asked.owner, &asked.key).await.map_err(PapError::from)?;
    Ok(found.and_then(|found| serde_json::from_slice(&found.body).ok()))
}

/// An import in work.
struct Work {
    services: web::Data<Services>,
    store: Arc<OpenStore>,
    actor: String,
    id: Option<String>,
    done: Imported,
    source: Lines,
    last: Option<Committed>,
    _place: Place,
}

impl Work {
    /// Writes the next part; whether it was the last.
    async fn step(&mut self) -> Result<bool, ApiError> {
        let Some(text) = self.source.next().await? else { return Ok(true) };
        let (done, asked) = (self.done, self.id.as_ref().map(|id| import_asked(self.store.scope(), id)));
        let Part { write, places, imported } =
            self.services.pdp.turns().take(move || read(&text, done, asked)).await??;
        if !write.is_empty() {
            let written = self.services.writers.write(&self.store, &self.actor, write).await;
            self.last = Some(written.map_err(|error| places.told(ApiError::from(error)))?);
        }
        self.done = imported;
        Ok(false)
    }

    /// Writes what is left, and tells how far it has come: to whoever has gone nothing, and then it ends.
    async fn finish(&mut self, ended: bool, lines: &Sender<web::Bytes>) {
        let (mut told, mut step) = (Instant::now(), Ok::<bool, ApiError>(ended));
        let end = loop {
            match step {
                Ok(true) => break ImportReply::End(self.end()),
                Ok(false) if told.elapsed() < TELL_EVERY && !lines.is_closed() => {}
                Ok(false) => {
                    told = Instant::now();
                    if lines.send(line(&json!(ImportReply::Progress(self.done.into())))).await.is_err() {
                        return;
                    }
                }
                Err(error) => break ImportReply::Error(error.body(None)),
            }
            step = self.step().await;
        };
        let _ = lines.send(line(&json!(end))).await;
    }

    fn end(&self) -> ImportEnd {
        let current = self.store.current();
        let commit = self.last.clone().unwrap_or_else(|| Committed::nothing(&current));
        ImportEnd { progress: self.done.into(), commit: CommitReply::from(&commit) }
    }
}
