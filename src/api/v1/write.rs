//! Writing entities and tuples.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use authx_engine::{EntityInput, EntityPatch, EntityUid, InputProblem, JsonObject};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Services;
use crate::api::error::{ApiError, ProblemBody, invalid_input};
use crate::api::extract::{RawBody, WriteStore, parse};
use crate::api::once::{IdempotencyHeader, IdempotencyKey, json, respond};
use crate::api::v1::check::EntityBody;
use crate::api::v1::tuples::{self, MAX_PROBLEMS, TupleBody, malformed, parse_all};
use crate::pap::{Committed, DataWrite, Once, Otherwise, PatternEnd, Precondition, TupleChanges, TuplePattern, Wanted};

/// A write, all or nothing: deletes first.
#[derive(Debug, Deserialize, ToSchema)]
pub struct WriteBody {
    #[serde(default)]
    entities: EntityWrites,
    #[serde(default)]
    tuples: TupleWrites,
    /// All must hold before the write, else nothing is written: 412.
    #[serde(default)]
    #[schema(max_items = 100)]
    preconditions: Vec<PreconditionBody>,
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
    /// Parts of stored entities; what a patch does not name stays.
    #[serde(default)]
    patch: Vec<EntityPatchBody>,
}

/// Changes of a stored entity. An unknown field is refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EntityPatchBody {
    #[schema(value_type = String, example = "User:alice")]
    uid: EntityUid,
    /// Attributes to add or replace, in Cedar's JSON.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
    set: JsonObject,
    /// Attributes to take away.
    #[serde(default)]
    unset: Vec<String>,
    /// Tags to add or replace.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
    set_tags: JsonObject,
    #[serde(default)]
    unset_tags: Vec<String>,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    add_parents: Vec<EntityUid>,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    remove_parents: Vec<EntityUid>,
}

impl From<EntityPatchBody> for EntityPatch {
    fn from(body: EntityPatchBody) -> Self {
        let EntityPatchBody { uid, set, unset, set_tags, unset_tags, add_parents, remove_parents } = body;
        Self { uid, set, unset, set_tags, unset_tags, add_parents, remove_parents }
    }
}

/// What must be stored, or must not be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PreconditionBody {
    Exists(WantedBody),
    Absent(WantedBody),
}

/// An entity; or any tuple that has everything that is given and has not expired, by its `object`, its `subject` or both.
/// An unknown field is refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedBody {
    #[serde(default)]
    #[schema(value_type = String, required = false, example = "User:alice")]
    entity: Option<EntityUid>,
    /// The entity as it was when it had this `ETag`.
    #[serde(default)]
    etag: Option<String>,
    #[serde(default)]
    #[schema(example = "document:roadmap")]
    object: Option<String>,
    #[serde(default)]
    #[schema(example = "owner")]
    relation: Option<String>,
    #[serde(default)]
    #[schema(example = "user:alice")]
    subject: Option<String>,
}

/// Reads preconditions, or tells what is wrong with each.
fn preconditions(bodies: Vec<PreconditionBody>) -> Result<Vec<Precondition>, ApiError> {
    let (mut read, mut problems) = (Vec::with_capacity(bodies.len()), Vec::new());
    for (index, body) in bodies.into_iter().enumerate() {
        let (name, wanted, precondition): (_, _, fn(Wanted) -> Precondition) = match body {
            PreconditionBody::Exists(wanted) => ("exists", wanted, Precondition::Exists),
            PreconditionBody::Absent(wanted) => ("absent", wanted, Precondition::Absent),
        };
        match wanted.parse(&format!("/preconditions/{index}/{name}")) {
            Ok(wanted) => read.push(precondition(wanted)),
            Err(problem) => problems.push(problem),
        }
    }
    problems.truncate(MAX_PROBLEMS);
    if problems.is_empty() { Ok(read) } else { Err(invalid_input(&problems)) }
}

impl WantedBody {
    fn parse(self, pointer: &str) -> Result<Wanted, InputProblem> {
        let Self { entity, etag, object, relation, subject } = self;
        if let Some(uid) = entity {
            if object.is_some() || relation.is_some() || subject.is_some() {
                return Err(malformed(pointer, &"an entity and a tuple are two preconditions"));
            }
            return Ok(Wanted::Entity { uid, tag: etag.map(|tag| tag.trim_matches('"').to_owned()) });
        }
        if etag.is_some() {
            return Err(malformed(pointer, &"an `etag` is of an `entity`"));
        }
        let object = object.map(|text| tuples::object(&text, &format!("{pointer}/object"))).transpose()?;
        let subject = subject.map(|text| tuples::subject(&text, &format!("{pointer}/subject"))).transpose()?;
        if let Some(name) = &relation {
            tuples::relation(name, &format!("{pointer}/relation"))?;
        }
        let end = match (object, subject) {
            (Some(object), Some(subject)) => PatternEnd::Both(object, subject),
            (Some(object), None) => PatternEnd::Object(object),
            (None, Some(subject)) => PatternEnd::Subject(subject),
            (None, None) => return Err(malformed(pointer, &"name an `entity`, an `object` or a `subject`")),
        };
        Ok(Wanted::Tuples(TuplePattern { end, relation }))
    }
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

impl From<&Committed> for CommitReply {
    fn from(committed: &Committed) -> Self {
        let Committed { revision, release, token, warnings, .. } = committed.clone();
        Self { revision: revision.0, release, consistency_token: token, warnings }
    }
}

impl From<&Committed> for WriteReply {
    fn from(committed: &Committed) -> Self {
        let Committed { tuples_written, tuples_deleted, .. } = *committed;
        Self { commit: committed.into(), tuples_written, tuples_deleted }
    }
}

/// Writes entities and tuples. The answer comes when the write is durable and visible.
#[utoipa::path(post, path = "/v1/stores/{store}/write", operation_id = "write", tag = "data", params(("store" = String, Path, description = "id or alias"), IdempotencyHeader), request_body = WriteBody,
    responses((status = 200, body = WriteReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn write(
    services: web::Data<Services>,
    access: WriteStore,
    key: IdempotencyKey,
    raw: RawBody,
) -> Result<HttpResponse, ApiError> {
    let body: WriteBody = parse(&raw.0)?;
    let write = DataWrite {
        preconditions: preconditions(body.preconditions)?,
        tuples: body.tuples.parse()?,
        delete: body.entities.delete,
        upsert: body.entities.upsert,
        patch: body.entities.patch.into_iter().map(EntityPatch::from).collect(),
    };
    let store = &access.0.store;
    let once = Once::new(key.of_store(store.scope(), &raw.0), |made| json(StatusCode::OK, &WriteReply::from(made)));
    let made = services.writers.write_once(store, access.0.caller.actor(), write, once.clone()).await;
    respond(&once, made)
}
