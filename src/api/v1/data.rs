//! Writing entities and tuples, reading entities.

use actix_web::{HttpResponse, web};
use authx_engine::{EntityInput, EntityUid, Json, entity_json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody};
use crate::api::extract::{Body, Query, ReadStore, WriteStore};
use crate::api::paging::PageQuery;
use crate::api::v1::check::EntityBody;
use crate::api::v1::tuples::{TupleBody, parse_all};
use crate::pap::{DataWrite, Otherwise, TupleChanges};

/// A write, all or nothing: deletes first.
#[derive(Debug, Deserialize, ToSchema)]
pub struct WriteBody {
    #[serde(default)]
    entities: EntityWrites,
    #[serde(default)]
    tuples: TupleWrites,
    /// Not part of this version.
    #[serde(default)]
    #[schema(ignore)]
    preconditions: Option<Json>,
}

/// Tuples, which the relation model must allow. An unknown field is refused.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TupleWrites {
    #[serde(default)]
    write: Vec<TupleBody>,
    /// By object, relation and subject alone.
    #[serde(default)]
    delete: Vec<TupleBody>,
    /// What a tuple to write does that is there already; it must be there as it is sent.
    #[serde(default)]
    on_existing: OtherwiseWord,
    /// What a tuple to delete does that is not there.
    #[serde(default)]
    on_missing: OtherwiseWord,
}

/// `error` refuses the whole write, `ignore` leaves the tuple out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OtherwiseWord {
    #[default]
    Error,
    Ignore,
}

impl From<OtherwiseWord> for Otherwise {
    fn from(word: OtherwiseWord) -> Self {
        match word {
            OtherwiseWord::Error => Self::Refuse,
            OtherwiseWord::Ignore => Self::Ignore,
        }
    }
}

impl TupleWrites {
    fn parse(self) -> Result<TupleChanges, ApiError> {
        Ok(TupleChanges {
            delete: parse_all(self.delete, "/tuples/delete", TupleBody::parse_key)?,
            put: parse_all(self.write, "/tuples/write", TupleBody::parse)?,
            on_missing: self.on_missing.into(),
            on_existing: self.on_existing.into(),
            model: None,
        })
    }
}

#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct EntityWrites {
    /// Whole entities: each replaces what is stored under its uid.
    #[serde(default)]
    #[schema(value_type = Vec<EntityBody>)]
    upsert: Vec<EntityInput>,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    delete: Vec<EntityUid>,
    #[serde(default)]
    #[schema(ignore)]
    patch: Option<Json>,
}

/// A commit.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommitReply {
    pub revision: u64,
    pub release: Option<String>,
    pub consistency_token: String,
    pub warnings: Vec<String>,
}

/// A commit of data, and how many tuples it changed: those that were left out are not counted.
#[derive(Debug, Serialize, ToSchema)]
pub struct WriteReply {
    #[serde(flatten)]
    commit: CommitReply,
    tuples_written: usize,
    tuples_deleted: usize,
}

impl From<crate::pap::Committed> for CommitReply {
    fn from(committed: crate::pap::Committed) -> Self {
        Self {
            revision: committed.revision.0,
            release: committed.release,
            consistency_token: committed.token,
            warnings: committed.warnings,
        }
    }
}

/// Writes entities and tuples. The answer comes when the write is durable and visible.
#[utoipa::path(post, path = "/v1/stores/{store}/write", operation_id = "write", tag = "data", params(("store" = String, Path, description = "id or alias")), request_body = WriteBody,
    responses((status = 200, body = WriteReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn write(
    services: web::Data<Services>,
    access: WriteStore,
    body: Body<WriteBody>,
) -> Result<HttpResponse, ApiError> {
    let body = body.0;
    for (field, value) in [("preconditions", &body.preconditions), ("entities.patch", &body.entities.patch)] {
        if value.is_some() {
            return Err(ApiError::new(Code::Unsupported, format!("`{field}` is not part of this version")));
        }
    }
    let tuples = body.tuples.parse()?;
    let write = DataWrite { tuples, delete: body.entities.delete, upsert: body.entities.upsert };
    let committed = services.writers.write(&access.0.store, access.0.caller.actor(), write).await?;
    let (tuples_written, tuples_deleted) = (committed.tuples_written, committed.tuples_deleted);
    Ok(HttpResponse::Ok().json(WriteReply { commit: committed.into(), tuples_written, tuples_deleted }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EntityQuery {
    /// Only entities of this type.
    #[serde(default)]
    r#type: Option<String>,
    page_size: Option<u32>,
    page_token: Option<String>,
}

/// A page of entities.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntityList {
    #[schema(value_type = Vec<EntityBody>)]
    entities: Vec<serde_json::Value>,
    revision: u64,
    release: Option<String>,
    consistency_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// Stored entities, by type and id.
#[utoipa::path(get, path = "/v1/stores/{store}/entities", operation_id = "listEntities", tag = "data", params(("store" = String, Path, description = "id or alias"), EntityQuery),
    responses((status = 200, body = EntityList), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn list(
    services: web::Data<Services>,
    access: ReadStore,
    query: Query<EntityQuery>,
) -> Result<HttpResponse, ApiError> {
    let scope = access.0.store.scope();
    let EntityQuery { r#type, page_size, page_token } = query.0;
    let paging = PageQuery::new(page_size, page_token);
    let page = paging.open(
        &services,
        Some(&access.0.tenant),
        &["entities", scope.store().as_str(), r#type.as_deref().unwrap_or("")],
    )?;
    let after: Option<(String, String)> = page.after.as_deref().and_then(|key| serde_json::from_str(key).ok());
    let after = after.as_ref().map(|(ty, id)| (ty.as_str(), id.as_str()));
    let rows = services.storage.data.entities(scope, r#type.as_deref(), after, page.limit()).await;
    let mut rows = rows.map_err(crate::pap::PapError::from)?;
    let next_page_token =
        page.close(&services, &mut rows, |row| serde_json::json!([row.type_name, row.id]).to_string());
    let shown = |row: &crate::storage::records::EntityRecord| {
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
        let parents: Vec<(String, String)> = serde_json::from_str(&row.parents).unwrap_or_default();
        let parents: Vec<_> = parents.into_iter().map(|(ty, id)| serde_json::json!({"type": ty, "id": id})).collect();
        serde_json::json!({"uid": {"type": row.type_name, "id": row.id}, "attrs": value(&row.attrs), "parents": parents, "tags": value(&row.tags)})
    };
    let current = access.0.store.current();
    Ok(HttpResponse::Ok().json(EntityList {
        entities: rows.iter().map(shown).collect(),
        revision: current.revision().0,
        release: current.release_id().map(str::to_owned),
        consistency_token: current.token.clone(),
        next_page_token,
    }))
}

/// One stored entity, as it was written.
#[utoipa::path(get, path = "/v1/stores/{store}/entities/{type}/{id}", operation_id = "readEntity", tag = "data",
    params(("store" = String, Path, description = "id or alias"), ("type" = String, Path), ("id" = String, Path, description = "percent-encoded; may hold slashes")),
    responses((status = 200, body = EntityBody), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn read(access: ReadStore, path: web::Path<(String, String, String)>) -> Result<HttpResponse, ApiError> {
    let (_, type_name, id) = path.into_inner();
    let uid = EntityUid::new(&type_name, id.as_str())
        .map_err(|error| ApiError::new(Code::MalformedRequest, error.to_string()))?;
    let current = access.0.store.current();
    let row = current.snapshot.data().entity(&uid).ok_or_else(|| ApiError::not_found("entity", &uid.to_string()))?;
    Ok(HttpResponse::Ok().json(entity_json(row)))
}
