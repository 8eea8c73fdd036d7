//! The decision log: what was decided in the caller's tenant.

use std::path::Path;

use actix_web::{HttpResponse, web};
use authx_engine::{EntityUid, parse_action};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody};
use crate::api::extract::{Authenticated, Query};
use crate::api::paging::PageQuery;
use crate::api::v1::check::DecisionWord;
use crate::decisions::{Filter, Found, Position, find, get};
use crate::ids::{StoreId, Timestamp};
use crate::keys::Permission;
use crate::scope::TenantScope;

/// Which decisions; what is left out is not asked for.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DecisionsQuery {
    /// `User:alice` or `User::"alice"`; of a relation check `user:alice`.
    principal: Option<String>,
    /// `read` or `Action::"read"`; of a relation check the relation.
    action: Option<String>,
    resource: Option<String>,
    #[param(inline)]
    decision: Option<DecisionWord>,
    /// The store's id or alias.
    store: Option<String>,
    /// RFC 3339; decisions of this moment and later.
    from: Option<String>,
    /// RFC 3339; decisions before this moment.
    to: Option<String>,
    /// 1 to 1,000; 100 when absent.
    page_size: Option<u32>,
    /// From the page before.
    page_token: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionList {
    /// The newest first.
    #[schema(value_type = Vec<DecisionRecord>)]
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DecisionKind {
    /// May this principal do this action on this resource?
    Decision,
    /// Has this subject this relation to this object?
    Relation,
}

/// The decisions of the caller's tenant, the newest first. A key that is limited to some stores sees theirs.
#[utoipa::path(get, path = "/v1/decisions", operation_id = "listDecisions", tag = "decisions", params(DecisionsQuery),
    responses((status = 200, body = DecisionList), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn list(
    services: web::Data<Services>,
    caller: Authenticated,
    query: Query<DecisionsQuery>,
) -> Result<HttpResponse, ApiError> {
    let tenant = caller.tenant(Permission::Read)?;
    let query = query.0;
    let filter = filter(&services, tenant, &caller, &query)?;
    let bound = format!("{filter:?}");
    let page = PageQuery::new(query.page_size, query.page_token);
    let page = page.open(&services, Some(tenant), &["decisions", &bound])?;
    let behind = page.after.as_deref().and_then(Position::parse);
    let limit = page.limit() as usize;
    let mut found = reading(&services, tenant, move |dir| find(dir, &filter, behind, limit)).await?;
    let next_page_token = page.close(&services, &mut found, |found| found.position.to_string());
    let decisions = found.into_iter().map(|found| found.content).collect();
    Ok(HttpResponse::Ok().json(DecisionList { decisions, next_page_token }))
}

/// One decision by its id.
#[utoipa::path(get, path = "/v1/decisions/{decision}", operation_id = "readDecision", tag = "decisions", params(("decision" = String, Path, description = "the `decision_id` of an answer")),
    responses((status = 200, body = DecisionRecord), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn read(
    services: web::Data<Services>,
    caller: Authenticated,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let tenant = caller.tenant(Permission::Read)?;
    let absent = || ApiError::not_found("decision", &path);
    let id = ulid::Ulid::from_string(&path).map_err(|_| absent())?;
    let found = reading(&services, tenant, move |dir| get(dir, id)).await?;
    let reaches = |found: &Found| {
        let store = found.content.get("store").and_then(Value::as_str).and_then(|id| StoreId::parse(id).ok());
        store.is_some_and(|store| caller.0.store(tenant, &store).is_some())
    };
    let found = found.filter(reaches).ok_or_else(absent)?;
    Ok(HttpResponse::Ok().json(found.content))
}

/// Reads the tenant's files, which then have everything that was decided until now, off the threads that answer.
async fn reading<T: Send + 'static>(
    services: &Services,
    tenant: &TenantScope,
    read: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
) -> Result<T, ApiError> {
    services.decisions.flush(tenant.tenant()).await;
    let dir = services.decisions.dir(tenant.tenant());
    let unreadable = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "the decision log cannot be read");
        ApiError::new(Code::StorageUnavailable, "the decision log cannot be read")
    };
    let read = web::block(move || read(&dir)).await.map_err(|error| unreadable(&error))?;
    read.map_err(|error| unreadable(&error))
}

fn filter(
    services: &Services,
    tenant: &TenantScope,
    caller: &Authenticated,
    query: &DecisionsQuery,
) -> Result<Filter, ApiError> {
    // Recorded are Cedar's names, and those of tuples.
    let entity = |text: &String| names(text, EntityUid::parse(text).ok());
    let action = |text: &String| names(text, parse_action(text).ok());
    let reached = || caller.0.stores().map(|stores| stores.iter().map(ToString::to_string).collect());
    let stores = match &query.store {
        None => reached(),
        Some(name) => Some(vec![store(services, tenant, caller, name)?.to_string()]),
    };
    let time = |name: &str, text: &Option<String>| {
        let Some(text) = text else { return Ok(None) };
        let bad = || ApiError::new(Code::MalformedRequest, format!("`{name}` is no time such as 2026-01-31T09:30:00Z"));
        let at = Timestamp::parse(text).ok_or_else(bad)?;
        Ok::<_, ApiError>(Some(u64::try_from(at.as_millis()).unwrap_or(0)))
    };
    Ok(Filter {
        id: None,
        principal: query.principal.as_ref().map(entity),
        action: query.action.as_ref().map(action),
        resource: query.resource.as_ref().map(entity),
        stores,
        allowed: query.decision.map(|decision| decision == DecisionWord::Allow),
        from: time("from", &query.from)?,
        to: time("to", &query.to)?,
    })
}

fn names(text: &str, parsed: Option<EntityUid>) -> Vec<String> {
    let mut names = vec![text.to_owned()];
    names.extend(parsed.map(|uid| uid.to_string()).filter(|name| name != text));
    names
}

/// A store by id or alias; by id also one that was deleted, whose decisions stay.
fn store(services: &Services, tenant: &TenantScope, caller: &Authenticated, name: &str) -> Result<StoreId, ApiError> {
    let open = services.replica.find(tenant.tenant(), name).map(|store| *store.scope().store());
    let id = open.or_else(|| StoreId::parse(name).ok());
    id.filter(|id| caller.0.store(tenant, id).is_some()).ok_or_else(|| ApiError::not_found("store", name))
}
