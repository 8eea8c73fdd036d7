//! From rows to snapshots.

use std::sync::Arc;

use authx_engine::relation::{
    KeyParts, ModelSource, ModelSyntax, RelationModel, TooManyNames, TupleCondition, TuplesBuilder,
};
use authx_engine::{
    Change, Check, CompileOptions, Data, DataRules, EntityInput, EntityRow, EntityUid, JsonObject, LinkInput, PolicyId,
    PolicySource, Problem, Release, SchemaSource, SchemaSyntax, Settings, Snapshot, Sources, read_entity,
};

use crate::ids::{ModelId, ReleaseId, Revision, Timestamp};
use crate::replica::{Current, OpenStore, published};
use crate::scope::StoreScope;
use crate::storage::records::{
    EntityKey, EntityRecord, LinkRecord, LoadChunk, PolicyRecord, ReleaseRecord, StateRecord, TupleFilter, TupleRecord,
};
use crate::storage::{Storage, StorageError};
use crate::tokens::Tokens;

/// Why a store could not be brought into memory.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("storage failed")]
    Storage(#[from] StorageError),
    #[error("release `{id}` does not compile: {}", problems.first().map_or("", |p| p.message.as_str()))]
    Release { id: String, problems: Vec<Problem> },
    #[error("{what} cannot be read: {detail}")]
    Row { what: String, detail: String },
    #[error("the compiler did not finish")]
    Interrupted,
}

/// Loads one store; `None` when it is not open.
///
/// # Errors
/// When storage fails or holds what this version cannot read.
pub async fn load_store(storage: &Storage, scope: StoreScope, tokens: &Tokens) -> Result<Option<OpenStore>, LoadError> {
    let mut data = Data::default();
    let mut tuples = TuplesBuilder::default();
    let mut unreadable = None;
    let record = storage
        .data
        .load(&scope, &mut |chunk| {
            if let Err(error) = add_chunk(&mut data, &mut tuples, chunk) {
                unreadable.get_or_insert(error);
            }
            Ok(())
        })
        .await?;
    if let Some(error) = unreadable {
        return Err(error);
    }
    let Some(record) = record else { return Ok(None) };
    let settings = settings(&record.settings)?;
    let active = match &record.active_release {
        Some(id) => load_release(storage, &scope, id).await?,
        None => None,
    };
    let newest = match &record.latest_release {
        Some(id) if record.latest_release == record.active_release => active.clone().filter(|r| r.id() == id.as_str()),
        Some(id) => load_release(storage, &scope, id).await?,
        None => None,
    };
    let tuples = tuples.finish().map_err(too_many)?;
    let snapshot = Snapshot::new(active, Arc::new(data), settings, record.revision.0).with_tuples(tuples);
    Ok(Some(OpenStore::new(scope, record, snapshot, newest, tokens)))
}

/// Rows of history that are read at once.
const HISTORY_PAGE: u32 = 10_000;

/// A revision that is to be loaded: its release and settings, and what it has beside them.
#[derive(Debug)]
pub struct Past {
    pub revision: Revision,
    pub state: StateRecord,
    pub epoch: String,
    /// Entities, links and tuples, at most.
    pub limit: usize,
}

/// Loads a store as it was at a revision; `None` when it has more rows than it may.
///
/// # Errors
/// When storage fails or holds what this version cannot read.
pub async fn load_at(
    storage: &Storage,
    scope: &StoreScope,
    past: Past,
    tokens: &Tokens,
) -> Result<Option<Current>, LoadError> {
    let Past { revision, state, epoch, limit } = past;
    let (mut data, mut tuples, mut rows) = (Data::default(), TuplesBuilder::default(), 0);
    let mut add = |chunk: LoadChunk| {
        rows += chunk.len();
        add_chunk(&mut data, &mut tuples, chunk).map(|()| rows <= limit)
    };
    let mut after = None;
    loop {
        let key = after.as_ref().map(|(ty, id): &EntityKey| (ty.as_str(), id.as_str()));
        let page = storage.data.entities_at(scope, revision, None, key, HISTORY_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some((last.type_name.clone(), last.id.clone()));
        if !add(LoadChunk::Entities(page))? {
            return Ok(None);
        }
    }
    let mut after: Option<String> = None;
    loop {
        let page = storage.data.links_at(scope, revision, after.as_deref(), HISTORY_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        if !add(LoadChunk::Links(page))? {
            return Ok(None);
        }
    }
    let mut after = None;
    loop {
        let page =
            storage.data.tuples_at(scope, revision, &TupleFilter::default(), after.as_ref(), HISTORY_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        if !add(LoadChunk::Tuples(page))? {
            return Ok(None);
        }
    }
    let release = match &state.release {
        Some(id) => load_release(storage, scope, id).await?,
        None => None,
    };
    let snapshot = Snapshot::new(release, Arc::new(data), settings(&state.settings)?, revision.0);
    let snapshot = snapshot.with_tuples(tuples.finish().map_err(too_many)?);
    Ok(Some(Current { as_of: Some(state.at), ..published(scope, &epoch, snapshot, tokens) }))
}

fn settings(text: &str) -> Result<Settings, LoadError> {
    let unreadable = |error: serde_json::Error| LoadError::Row {
        what: "the store's settings".to_owned(),
        detail: error.to_string(),
    };
    serde_json::from_str(text).map_err(unreadable)
}

fn too_many(error: TooManyNames) -> LoadError {
    LoadError::Row { what: "the tuples".to_owned(), detail: error.to_string() }
}

/// Loads and compiles one release of a store; it was validated when it was made.
///
/// # Errors
/// When storage fails or the release no longer compiles.
pub async fn load_release(
    storage: &Storage,
    scope: &StoreScope,
    id: &ReleaseId,
) -> Result<Option<Arc<Release>>, LoadError> {
    let Some(record) = storage.releases.get(scope, id).await? else { return Ok(None) };
    let policies = storage.releases.all_policies(scope, record.number).await?;
    let model = match &record.model {
        Some(id) => read_model(storage, scope, id, record.model_file.clone()).await?,
        None => None,
    };
    let compiled = tokio::task::spawn_blocking(move || compile(&record, model, policies)).await;
    Ok(Some(Arc::new(compiled.map_err(|_| LoadError::Interrupted)??)))
}

/// Loads and compiles one relation model of a store; it was validated when it was made.
///
/// # Errors
/// When storage fails or the model no longer compiles.
pub async fn load_model(
    storage: &Storage,
    scope: &StoreScope,
    id: &ModelId,
) -> Result<Option<Arc<RelationModel>>, LoadError> {
    read_model(storage, scope, id, None).await
}

async fn read_model(
    storage: &Storage,
    scope: &StoreScope,
    id: &ModelId,
    file: Option<String>,
) -> Result<Option<Arc<RelationModel>>, LoadError> {
    let Some(record) = storage.models.get(scope, id).await? else { return Ok(None) };
    let syntax = if record.syntax == "json" { ModelSyntax::Json } else { ModelSyntax::Dsl };
    let id = record.id.to_string();
    let source = ModelSource { syntax, file, text: record.text };
    let read = tokio::task::spawn_blocking(move || {
        RelationModel::read(&id, source).map_err(|problems| LoadError::Release { id, problems })
    });
    Ok(Some(Arc::new(read.await.map_err(|_| LoadError::Interrupted)??.0)))
}

fn compile(
    record: &ReleaseRecord,
    model: Option<Arc<RelationModel>>,
    policies: Vec<PolicyRecord>,
) -> Result<Release, LoadError> {
    let schema = record.schema.as_ref().map(|schema| SchemaSource {
        syntax: if schema.syntax == "json" { SchemaSyntax::Json } else { SchemaSyntax::Cedar },
        file: record.schema_file.clone(),
        text: schema.text.clone(),
    });
    let policies: Vec<PolicySource> = policies.into_iter().map(source_of).collect();
    let sources = Sources { schema, model, policies: &policies };
    let options = CompileOptions { validation: Check::Done, ..CompileOptions::default() };
    let compiled = Release::compile(record.id.as_str(), sources, &options, None)
        .map_err(|problems| LoadError::Release { id: record.id.to_string(), problems })?;
    Ok(compiled.release)
}

fn source_of(record: PolicyRecord) -> PolicySource {
    PolicySource {
        id: record.named.then_some(record.id),
        file: record.file,
        line: record.line,
        column: record.column,
        text: record.text,
    }
}

fn add_chunk(data: &mut Data, tuples: &mut TuplesBuilder, chunk: LoadChunk) -> Result<(), LoadError> {
    match chunk {
        LoadChunk::Entities(rows) => rows.into_iter().try_for_each(|row| {
            data.apply(&Change::PutEntity(Arc::new(entity_row(&row)?)));
            Ok(())
        }),
        LoadChunk::Links(rows) => rows.into_iter().try_for_each(|row| {
            let id = PolicyId::new(&row.id);
            data.apply(&Change::PutLink(id, Arc::new(link_input(&row)?)));
            Ok(())
        }),
        LoadChunk::Tuples(rows) => rows.into_iter().try_for_each(|row| add_tuple(tuples, &row)),
    }
}

fn add_tuple(tuples: &mut TuplesBuilder, row: &TupleRecord) -> Result<(), LoadError> {
    let key = &row.key;
    let unreadable = |detail: String| LoadError::Row {
        what: format!("tuple `{}:{}#{}`", key.object_type, key.object_id, key.relation),
        detail,
    };
    let condition = match &row.condition {
        None => None,
        Some(condition) => Some(TupleCondition {
            name: condition.name.as_str().into(),
            context: serde_json::from_str(&condition.context).map_err(|error| unreadable(error.to_string()))?,
        }),
    };
    let parts = KeyParts {
        object_type: &key.object_type,
        object_id: &key.object_id,
        relation: &key.relation,
        subject_type: &key.subject_type,
        subject_id: &key.subject_id,
        subject_relation: key.subject_relation.as_deref().unwrap_or(""),
    };
    let expires_at = row.expires_at.map(Timestamp::as_millis);
    tuples.push(parts, condition, expires_at).map_err(|error| unreadable(error.to_string()))
}

/// An entity, from its row.
///
/// # Errors
/// When the row holds what this version cannot read.
pub fn entity_row(row: &EntityRecord) -> Result<EntityRow, LoadError> {
    read_entity(&entity_input(row)?, DataRules::default(), "")
        .map_err(|problems| unreadable(row, &problems.first().map(ToString::to_string).unwrap_or_default()))
}

/// An entity's row as it was written.
pub(crate) fn entity_input(row: &EntityRecord) -> Result<EntityInput, LoadError> {
    let object =
        |text: &str| serde_json::from_str::<JsonObject>(text).map_err(|error| unreadable(row, &error.to_string()));
    let parents: Vec<EntityKey> =
        serde_json::from_str(&row.parents).map_err(|error| unreadable(row, &error.to_string()))?;
    let parents = parents.into_iter().map(|(ty, id)| EntityUid::new(&ty, id)).collect::<Result<Vec<_>, _>>();
    Ok(EntityInput {
        uid: EntityUid::new(&row.type_name, row.id.as_str()).map_err(|error| unreadable(row, &error.to_string()))?,
        attrs: object(&row.attrs)?,
        parents: parents.map_err(|error| unreadable(row, &error.to_string()))?,
        tags: object(&row.tags)?,
    })
}

fn unreadable(row: &EntityRecord, detail: &str) -> LoadError {
    LoadError::Row { what: format!("entity `{}::{:?}`", row.type_name, row.id), detail: detail.to_owned() }
}

/// A link, from its row.
///
/// # Errors
/// When the row holds what this version cannot read.
pub fn link_input(row: &LinkRecord) -> Result<LinkInput, LoadError> {
    let uid = |key: &Option<EntityKey>| key.as_ref().map(|(ty, id)| EntityUid::new(ty, id.as_str())).transpose();
    let fail = |error: authx_engine::EntityUidError| LoadError::Row {
        what: format!("link `{}`", row.id),
        detail: error.to_string(),
    };
    Ok(LinkInput {
        template: row.template.clone(),
        principal: uid(&row.principal).map_err(fail)?,
        resource: uid(&row.resource).map_err(fail)?,
    })
}
