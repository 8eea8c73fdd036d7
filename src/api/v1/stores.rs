//! Stores.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use authx_engine::{PolicyErrors, RequestAttributes, Settings, Validation};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody};
use crate::api::extract::{AdminStore, Authenticated, Query, RawBody, ReadStore, parse};
use crate::api::listing::{LastLine, Listing};
use crate::api::once::{IdempotencyHeader, IdempotencyKey, json, no_content, respond, response};
use crate::api::paging::PageQuery;
use crate::api::v1::patch::Patch;
use crate::ids::{StoreAlias, StoreId};
use crate::keys::Permission;
use crate::pap::{ChangedStore, NewStore, Once, PapError, StoreChange};
use crate::replica::OpenStore;
use crate::storage::records::StoreRecord;

/// The longest name of a tenant, a store or a key, in characters.
pub const MAX_NAME: usize = 256;

/// How a store decides; what is absent has its default.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsBody {
    /// `strict` (default): everything conforms to the schema. `off`: the schema gives action groups only.
    #[serde(default)]
    #[schema(value_type = String, example = "strict")]
    validation: Option<Validation>,
    /// `deny` (default): a forbid that errs denies. `cedar`: a policy that errs is skipped.
    #[serde(default)]
    #[schema(value_type = String, example = "deny")]
    policy_errors: Option<PolicyErrors>,
    /// `override` (default): sent attributes replace stored ones. `ignore`: they count only where nothing is stored.
    #[serde(default)]
    #[schema(value_type = String, example = "override")]
    request_attributes: Option<RequestAttributes>,
}

impl SettingsBody {
    fn over(self, settings: Settings) -> Settings {
        Settings {
            validation: self.validation.unwrap_or(settings.validation),
            policy_errors: self.policy_errors.unwrap_or(settings.policy_errors),
            request_attributes: self.request_attributes.unwrap_or(settings.request_attributes),
        }
    }
}

/// A store to make.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CreateStoreBody {
    /// Free text; need not be unique.
    name: String,
    /// `[a-z][a-z0-9-]{2,62}`, unique in the tenant; paths take it in place of the id.
    #[serde(default)]
    alias: Option<String>,
    #[serde(default)]
    settings: SettingsBody,
}

/// A change of a store; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UpdateStoreBody {
    #[serde(default)]
    name: Option<String>,
    /// `null` takes the alias away.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    alias: Patch<String>,
    #[serde(default)]
    settings: SettingsBody,
}

/// A store.
#[derive(Debug, Serialize, ToSchema)]
pub struct StoreReply {
    id: String,
    name: String,
    alias: Option<String>,
    settings: SettingsBody,
    revision: u64,
    release: Option<String>,
    consistency_token: String,
    entities: usize,
    tuples: usize,
    policies: usize,
    /// Of the names, ids and values of entities, tuples and links, as the limit `bytes` counts them.
    bytes: usize,
    created_at: String,
    updated_at: String,
}

/// A store that is deleted and can still be restored.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletedStore {
    id: String,
    name: String,
    /// What it is called again when it is restored.
    alias: Option<String>,
    revision: u64,
    created_at: String,
    deleted_at: Option<String>,
}

/// One line of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ListedStore {
    Open(StoreReply),
    Deleted(DeletedStore),
}

/// Which stores, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListStoresQuery {
    /// `true`: those that are deleted and can still be restored.
    #[serde(default)]
    deleted: bool,
    /// 1 to 1,000; 100 when absent.
    page_size: Option<u32>,
    /// From the page before.
    page_token: Option<String>,
}

/// A page of stores.
#[derive(Debug, Serialize, ToSchema)]
pub struct StoreList {
    stores: Vec<ListedStore>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

impl From<Settings> for SettingsBody {
    fn from(settings: Settings) -> Self {
        Self {
            validation: Some(settings.validation),
            policy_errors: Some(settings.policy_errors),
            request_attributes: Some(settings.request_attributes),
        }
    }
}

fn shown(store: &OpenStore) -> StoreReply {
    let (record, current) = (store.record(), store.current());
    let settings = current.snapshot.settings();
    StoreReply {
        id: record.id.to_string(),
        name: record.name.clone(),
        alias: record.alias.as_ref().map(ToString::to_string),
        settings: SettingsBody::from(settings),
        revision: current.revision().0,
        release: current.release_id().map(str::to_owned),
        consistency_token: current.token.clone(),
        entities: current.snapshot.data().entity_count(),
        tuples: current.snapshot.tuples().len(),
        policies: current.snapshot.release().map_or(0, |release| release.policy_count()),
        bytes: current.snapshot.bytes(),
        created_at: record.created_at.to_string(),
        updated_at: record.updated_at.to_string(),
    }
}

/// A store as a change left it, whatever came behind.
fn shown_changed(changed: &ChangedStore) -> StoreReply {
    let ChangedStore { store, record, committed } = changed;
    let mut reply = shown(store);
    reply.name.clone_from(&record.name);
    reply.alias = record.alias.as_ref().map(ToString::to_string);
    reply.updated_at = record.updated_at.to_string();
    if let Some((settings, committed)) = committed {
        reply.settings = SettingsBody::from(*settings);
        reply.revision = committed.revision.0;
        reply.release.clone_from(&committed.release);
        reply.consistency_token.clone_from(&committed.token);
    }
    reply
}

fn shown_deleted(store: &StoreRecord) -> DeletedStore {
    DeletedStore {
        id: store.id.to_string(),
        name: store.name.clone(),
        alias: store.alias.as_ref().map(ToString::to_string),
        revision: store.revision.0,
        created_at: store.created_at.to_string(),
        deleted_at: store.deleted_at.map(|at| at.to_string()),
    }
}

/// Checks free text that names something.
pub fn name(text: String) -> Result<String, ApiError> {
    if (1..=MAX_NAME).contains(&text.chars().count()) {
        Ok(text)
    } else {
        Err(ApiError::new(Code::InvalidInput, format!("a name has 1 to {MAX_NAME} characters")))
    }
}

fn alias(text: &str) -> Result<StoreAlias, ApiError> {
    StoreAlias::parse(text).map_err(|error| ApiError::new(Code::InvalidInput, error.to_string()))
}

/// Makes an empty store.
#[utoipa::path(post, path = "/v1/stores", operation_id = "createStore", tag = "stores", params(IdempotencyHeader), request_body = CreateStoreBody,
    responses((status = 201, body = StoreReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn create(
    services: web::Data<Services>,
    caller: Authenticated,
    key: IdempotencyKey,
    raw: RawBody,
) -> Result<HttpResponse, ApiError> {
    let body: CreateStoreBody = parse(&raw.0)?;
    let tenant = caller.tenant(Permission::Admin)?;
    if caller.0.is_limited() {
        return Err(ApiError::new(Code::Forbidden, "a key that is limited to some stores makes none"));
    }
    let new = NewStore {
        name: name(body.name)?,
        alias: body.alias.as_deref().map(alias).transpose()?,
        settings: body.settings.over(Settings::default()),
    };
    let asked = key.of_tenant(Some(tenant), &raw.0);
    let once = Once::new(asked, |store: &Arc<OpenStore>| json(StatusCode::CREATED, &shown(store)));
    respond(&once, services.stores.create(&caller.0.author(), tenant, new, &once).await)
}

/// The tenant's stores, or its deleted ones, by id.
#[utoipa::path(get, path = "/v1/stores", operation_id = "listStores", tag = "stores", params(ListStoresQuery),
    responses((status = 200, content((StoreList = "application/json"), (LastLine = "application/x-ndjson"))), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn list(
    services: web::Data<Services>,
    caller: Authenticated,
    query: Query<ListStoresQuery>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let ListStoresQuery { deleted, page_size, page_token } = query.0;
    let (tenant, first) = (*caller.tenant(Permission::Read)?.tenant(), PageQuery::new(page_size, page_token));
    let page = async move |services: &Services, paging| page(services, &caller, deleted, &paging).await;
    listing.list(services, tenant, "stores", first, page).await
}

async fn page(
    services: &Services,
    caller: &Authenticated,
    deleted: bool,
    paging: &PageQuery,
) -> Result<StoreList, ApiError> {
    let tenant = caller.tenant(Permission::Read)?;
    let reaches = |id: &StoreId| caller.0.store(tenant, id).is_some();
    if deleted {
        let page = paging.open(services, Some(tenant), &["deleted-stores"])?;
        let after = page.after.as_deref().and_then(|id| StoreId::parse(id).ok());
        let mut rows = services.stores.deleted(tenant, after.as_ref(), page.limit()).await?;
        let next_page_token = page.close(services, &mut rows, |store| store.id.to_string());
        let seen = rows.iter().filter(|store| reaches(&store.id));
        let stores = seen.map(|store| ListedStore::Deleted(shown_deleted(store))).collect();
        return Ok(StoreList { stores, next_page_token });
    }
    let page = paging.open(services, Some(tenant), &["stores"])?;
    let after = page.after.as_deref().and_then(|id| StoreId::parse(id).ok());
    let mut rows = services.replica.list(tenant.tenant(), after.as_ref(), page.limit() as usize, &reaches);
    let next_page_token = page.close(services, &mut rows, |store| store.scope().store().to_string());
    let stores = rows.iter().map(|store| ListedStore::Open(shown(store))).collect();
    Ok(StoreList { stores, next_page_token })
}

/// One store.
#[utoipa::path(get, path = "/v1/stores/{store}", operation_id = "readStore", tag = "stores", params(("store" = String, Path, description = "id or alias")),
    responses((status = 200, body = StoreReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn read(access: ReadStore) -> HttpResponse {
    HttpResponse::Ok().json(shown(&access.0.store))
}

/// Renames a store, moves its alias, or changes how it decides.
#[utoipa::path(patch, path = "/v1/stores/{store}", operation_id = "updateStore", tag = "stores", params(("store" = String, Path, description = "id or alias"), IdempotencyHeader), request_body = UpdateStoreBody,
    responses((status = 200, body = StoreReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn update(
    services: web::Data<Services>,
    access: AdminStore,
    key: IdempotencyKey,
    raw: RawBody,
) -> Result<HttpResponse, ApiError> {
    let (store, body) = (&access.0.store, parse::<UpdateStoreBody>(&raw.0)?);
    let change = StoreChange {
        name: body.name.map(name).transpose()?,
        alias: body.alias.read(|text| alias(&text))?,
        settings: Some(body.settings.over(store.current().snapshot.settings())),
    };
    let once = Once::new(key.of_store(store.scope(), &raw.0), |changed| json(StatusCode::OK, &shown_changed(changed)));
    respond(&once, services.stores.update(&access.0.tenant, store, &access.0.caller.author(), change, &once).await)
}

/// Deletes a store; it can be restored for a while.
#[utoipa::path(delete, path = "/v1/stores/{store}", operation_id = "deleteStore", tag = "stores", params(("store" = String, Path, description = "id or alias"), IdempotencyHeader),
    responses((status = 204), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn delete(
    services: web::Data<Services>,
    caller: Authenticated,
    path: web::Path<String>,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let tenant = caller.tenant(Permission::Admin)?;
    let reaches = |id: &StoreId| caller.0.store(tenant, id).is_some();
    let once = Once::new(key.of_tenant(Some(tenant), b""), |()| no_content());
    let open = services.replica.find(tenant.tenant(), &path).filter(|store| reaches(store.scope().store()));
    let deleted = match open {
        Some(store) => services.stores.delete(&caller.0.author(), tenant, &store, &once).await,
        // This request may have deleted it. By its alias nobody can tell which store a limited key asks for.
        None if StoreId::parse(&path).map_or(!caller.0.is_limited(), |id| reaches(&id)) => {
            let made = services.writers.not_made(once.asked()).await;
            made.and_then(|()| Err(PapError::NotFound { what: "store", name: path.into_inner() }))
        }
        None => return Err(ApiError::not_found("store", &path)),
    };
    respond(&once, deleted)
}

/// Opens a deleted store as it was.
#[utoipa::path(post, path = "/v1/stores/{store}/restore", operation_id = "restoreStore", tag = "stores", params(("store" = String, Path, description = "id"), IdempotencyHeader),
    responses((status = 200, body = StoreReply), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn restore(
    services: web::Data<Services>,
    caller: Authenticated,
    path: web::Path<String>,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let tenant = caller.tenant(Permission::Admin)?;
    let reached = StoreId::parse(&path).ok().filter(|id| caller.0.store(tenant, id).is_some());
    let id = reached.ok_or_else(|| ApiError::not_found("store", &path))?;
    // What a store holds is known when it is open again, so a repeated restore tells what it holds by then.
    let once = Once::new(key.of_tenant(Some(tenant), b""), |_: &StoreId| no_content());
    let (store, again) = match services.stores.restore(&caller.0.author(), tenant, id, &once).await {
        Ok(store) => (store, false),
        Err(PapError::Answered(_)) => {
            let open = services.replica.find(tenant.tenant(), &path);
            (open.ok_or_else(|| ApiError::not_found("store", &path))?, true)
        }
        Err(error) => return Err(error.into()),
    };
    Ok(response(json(StatusCode::OK, &shown(&store)), again))
}
