//! The decision log: what was decided and changed in the caller's tenant, and for the operator what changed in no tenant.

use std::path::Path;

pub mod explain;

use actix_web::{HttpResponse, web};
use authx_engine::parse_action;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody};
use crate::api::extract::{Authenticated, Query};
use crate::api::listing::{LastLine, Listing};
use crate::api::paging::PageQuery;
use crate::api::v1::check::DecisionWord;
use crate::decisions::{Filter, Found, FoundRecords, Kind, Position, entity_names, find, get};
use crate::ids::{StoreId, TenantId, Timestamp};
use crate::keys::Permission;
use crate::scope::TenantScope;

/// Which records; what is left out is not asked for.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DecisionsQuery {
    /// Decisions when absent. `change`: of what is administered; `security`: refused credentials; both for administrators.
    #[param(inline)]
    kind: Option<KindWord>,
    /// `true`: the platform's own log, for a platform key: changes of tenants and platform keys, and unknown credentials.
    #[serde(default)]
    platform: bool,
    /// `User:alice` or `User::"alice"`; of a relation check `user:alice`; of a change `key:` and the key's id.
    principal: Option<String>,
    /// `read` or `Action::"read"`; of a relation check the relation; of a change such as `key.revoke`.
    action: Option<String>,
    /// As `principal`; of a change such as `store:` and the store's id.
    resource: Option<String>,
    #[param(inline)]
    decision: Option<DecisionWord>,
    /// The store's id or alias.
    store: Option<String>,
    /// RFC 3339; what is of this moment and later.
    from: Option<String>,
    /// RFC 3339; what is before this moment.
    to: Option<String>,
    /// 1 to 1,000; 100 when absent.
    page_size: Option<u32>,
    /// From the page before.
    page_token: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionList {
    /// The newest first.
    #[schema(value_type = Vec<LogRecord>)]
    decisions: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A decision as it was recorded. What is empty is left out.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionRecord {
    kind: DecisionKind,
    #[schema(example = "01JD7QA1B0C9D8E7F6G5H4J3K2")]
    id: String,
    at: String,
    /// The store's id.
    store: String,
    release: Option<String>,
    revision: u64,
    #[schema(example = "User::\"alice\"")]
    principal: String,
    #[schema(example = "Action::\"read\"")]
    action: String,
    #[schema(example = "Document::\"roadmap\"")]
    resource: String,
    decision: DecisionWord,
    determining_policies: Option<Vec<String>>,
    /// `{"policy", "message"}` each.
    policy_errors: Option<Vec<Value>>,
    warnings: Option<Vec<String>>,
    missing_context: Option<Vec<String>>,
    /// `context`, `entities` and `tuples` that the request brought, with masks.
    request: Option<Value>,
    /// Microseconds of the decision itself.
    latency_us: u64,
    /// `key:` and the id of the key that asked.
    caller: String,
}

/// What a record tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum KindWord {
    Decision,
    Change,
    Security,
}

impl From<KindWord> for Kind {
    fn from(word: KindWord) -> Self {
        match word {
            KindWord::Decision => Self::Decision,
            KindWord::Change => Self::Change,
            KindWord::Security => Self::Security,
        }
    }
}

/// A record; `kind` tells which.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum LogRecord {
    Decision(Box<DecisionRecord>),
    Change(ChangeRecord),
    Security(SecurityRecord),
}

/// A change of what is administered. What is empty is left out.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeRecord {
    #[schema(example = "change")]
    kind: String,
    id: String,
    at: String,
    /// The store's id, of a change of a store.
    store: Option<String>,
    /// `key:` and the id of the key that did it; `start`, `dev` or `purge` for the server itself.
    principal: String,
    /// The key's name at that time.
    name: Option<String>,
    #[schema(example = "key.revoke")]
    action: String,
    #[schema(example = "key:01JD7QA1B0C9D8E7F6G5H4J3K2")]
    resource: String,
    /// The revision of the store that it made.
    revision: Option<u64>,
    /// What was asked for.
    details: Option<Value>,
    request_id: Option<String>,
}

/// Credentials that were refused within a minute.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecurityRecord {
    #[schema(example = "security")]
    kind: String,
    id: String,
    at: String,
    /// `key:` and the id of the key, or `unknown`.
    principal: String,
    #[schema(example = "login")]
    action: String,
    /// `unknown`, `revoked` or `expired`.
    reason: String,
    /// When the minute began.
    since: String,
    count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DecisionKind {
    /// May this principal do this action on this resource?
    Decision,
    /// Has this subject this relation to this object?
    Relation,
}

/// What was decided or changed in the caller's tenant, the newest first. A key that is limited to some stores sees what is of
/// them.
#[utoipa::path(get, path = "/v1/decisions", operation_id = "listDecisions", tag = "decisions", params(DecisionsQuery),
    responses((status = 200, content((DecisionList = "application/json"), (LastLine = "application/x-ndjson"))), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn list(
    services: web::Data<Services>,
    caller: Authenticated,
    query: Query<DecisionsQuery>,
    listing: Listing,
) -> Result<HttpResponse, ApiError> {
    let mut query = query.0;
    let first = PageQuery::new(query.page_size.take(), query.page_token.take());
    let tenant = log_of(&caller, &query)?.map_or_else(TenantId::platform, |tenant| *tenant.tenant());
    let page = async move |services: &Services, paging| page(services, &caller, &query, &paging).await;
    listing.list(services, tenant, "decisions", first, page).await
}

/// Whose log is asked for, when the caller may read it.
fn log_of<'a>(caller: &'a Authenticated, query: &DecisionsQuery) -> Result<Option<&'a TenantScope>, ApiError> {
    let decisions = query.kind.unwrap_or(KindWord::Decision) == KindWord::Decision;
    Ok(match (query.platform, decisions) {
        (true, _) => caller.0.platform().map(|()| None)?,
        (false, true) => Some(caller.tenant(Permission::Read)?),
        // Who has which keys is an administrator's to know.
        (false, false) => Some(caller.tenant(Permission::Admin)?),
    })
}

async fn page(
    services: &Services,
    caller: &Authenticated,
    query: &DecisionsQuery,
    paging: &PageQuery,
) -> Result<DecisionList, ApiError> {
    let tenant = log_of(caller, query)?;
    let filter = filter(services, tenant, caller, query)?;
    let bound = format!("{filter:?}");
    let page = paging.open(services, tenant, &["decisions", &bound])?;
    let behind = page.after.as_deref().and_then(Position::parse);
    let limit = page.limit() as usize;
    if filter.kind != Some(Kind::Decision) {
        services.outbox.drain().await;
    }
    let found = reading(services, tenant, move |dir| find(dir, &filter, behind, limit)).await?;
    let FoundRecords { mut records, cut } = found;
    let place = |found: &Found| found.position.to_string();
    let next_page_token = match records.last().filter(|_| cut) {
        Some(last) => Some(page.token(services, &place(last))),
        None => page.close(services, &mut records, place),
    };
    let decisions = records.into_iter().map(|found| found.content).collect();
    Ok(DecisionList { decisions, next_page_token })
}

/// One decision or change by its id.
#[utoipa::path(get, path = "/v1/decisions/{decision}", operation_id = "readDecision", tag = "decisions", params(("decision" = String, Path, description = "the `decision_id` of an answer, or the id of a change")),
    responses((status = 200, body = LogRecord), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn read(
    services: web::Data<Services>,
    caller: Authenticated,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let tenant = caller.tenant(Permission::Read)?;
    Ok(HttpResponse::Ok().json(recorded(&services, &caller, tenant, &path).await?))
}

/// What is recorded under an id, if the caller's key reaches it.
async fn recorded(
    services: &Services,
    caller: &Authenticated,
    tenant: &TenantScope,
    id: &str,
) -> Result<Value, ApiError> {
    let absent = || ApiError::not_found("decision", id);
    let id = ulid::Ulid::from_string(id).map_err(|_| absent())?;
    let found = reading(services, Some(tenant), move |dir| get(dir, id)).await?;
    let reaches = |found: &Found| {
        let text = |key: &str| found.content.get(key).and_then(Value::as_str);
        let store = text("store").and_then(|id| StoreId::parse(id).ok());
        let reached = store.map_or(!caller.0.is_limited(), |store| caller.0.store(tenant, &store).is_some());
        reached && (text("decision").is_some() || caller.tenant(Permission::Admin).is_ok())
    };
    Ok(found.filter(reaches).ok_or_else(absent)?.content)
}

/// Reads the files of a tenant or of the platform, which then have everything that was decided and changed until now, off
/// the threads that answer.
async fn reading<T: Send + 'static>(
    services: &Services,
    tenant: Option<&TenantScope>,
    read: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
) -> Result<T, ApiError> {
    let log = tenant.map_or_else(TenantId::platform, |tenant| *tenant.tenant());
    services.decisions.flush(&log).await;
    let dir = services.decisions.dir(&log);
    let unreadable = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "the decision log cannot be read");
        ApiError::new(Code::StorageUnavailable, "the decision log cannot be read")
    };
    let read = web::block(move || read(&dir)).await.map_err(|error| unreadable(&error))?;
    read.map_err(|error| unreadable(&error))
}

fn filter(
    services: &Services,
    tenant: Option<&TenantScope>,
    caller: &Authenticated,
    query: &DecisionsQuery,
) -> Result<Filter, ApiError> {
    // Recorded are Cedar's names, and those of tuples.
    let entity = |text: &String| entity_names(text);
    let action = |text: &String| {
        let parsed = parse_action(text).ok().map(|uid| uid.to_string());
        std::iter::once(text.clone()).chain(parsed.filter(|name| name != text)).collect()
    };
    let reached = || caller.0.stores().map(|stores| stores.iter().map(ToString::to_string).collect());
    let stores = match &query.store {
        None => reached(),
        Some(name) => {
            let tenant = tenant.ok_or_else(|| ApiError::not_found("store", name))?;
            Some(vec![store(services, tenant, caller, name)?.to_string()])
        }
    };
    Ok(Filter {
        id: None,
        // The platform decides nothing.
        kind: query.kind.map(Kind::from).or(tenant.map(|_| Kind::Decision)),
        principal: query.principal.as_ref().map(entity),
        action: query.action.as_ref().map(action),
        resource: query.resource.as_ref().map(entity),
        stores,
        allowed: query.decision.map(|decision| decision == DecisionWord::Allow),
        from: time("from", query.from.as_deref())?,
        to: time("to", query.to.as_deref())?,
    })
}

/// A time that was sent, in milliseconds since 1970.
pub(super) fn time(name: &str, text: Option<&str>) -> Result<Option<u64>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let bad = || ApiError::new(Code::MalformedRequest, format!("`{name}` is no time such as 2026-01-31T09:30:00Z"));
    let at = Timestamp::parse(text).ok_or_else(bad)?;
    Ok(Some(u64::try_from(at.as_millis()).unwrap_or(0)))
}

/// A store by id or alias; by id also one that was deleted, whose decisions stay.
fn store(services: &Services, tenant: &TenantScope, caller: &Authenticated, name: &str) -> Result<StoreId, ApiError> {
    let open = services.replica.find(tenant.tenant(), name).map(|store| *store.scope().store());
    let id = open.or_else(|| StoreId::parse(name).ok());
    id.filter(|id| caller.0.store(tenant, id).is_some()).ok_or_else(|| ApiError::not_found("store", name))
}
