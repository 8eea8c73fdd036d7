//! Stored tuples, read by filter.

pub mod delete;
mod wire;

use actix_web::{HttpResponse, web};
use authx_engine::InputProblem;
use authx_engine::relation::{WILDCARD, is_type_name};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Services;
use crate::api::error::{ApiError, Code, ProblemBody, invalid_input};
use crate::api::extract::{Body, ReadStore, StoreAccess};
use crate::api::listing::{LastLine, Listing};
use crate::api::paging::PageQuery;
use crate::ids::Revision;
use crate::pap::PapError;
use crate::storage::records::{SubjectFilter, SubjectRelation, TupleFilter, TupleKey, TupleRecord};

pub(super) use delete::step;
pub use wire::{ConditionBody, TupleBody, TupleParts, TupleReply};
pub(super) use wire::{MAX_PROBLEMS, key_of, malformed, object, parse_all, relation, subject, time};

/// Which tuples to read: those that have everything that is given.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct ReadTuplesBody {
    /// `document:roadmap`, or `document:` for every object of the type.
    #[serde(default)]
    #[schema(example = "document:roadmap")]
    object: Option<String>,
    #[serde(default)]
    #[schema(example = "viewer")]
    relation: Option<String>,
    /// `user:ann`, `group:eng#member`, or `user:` for every subject of the type.
    #[serde(default)]
    #[schema(example = "user:ann")]
    subject: Option<String>,
    /// 1 to 1,000; 100 when absent.
    #[serde(default)]
    page_size: Option<u32>,
    /// From the page before.
    #[serde(default)]
    page_token: Option<String>,
    /// As they were at this revision; as they are now when absent.
    #[serde(default)]
    at_revision: Option<u64>,
}

/// A tuple as it is stored. One that has expired is stored until it is deleted.
#[derive(Debug, Serialize, ToSchema)]
pub struct StoredTuple {
    #[serde(flatten)]
    tuple: TupleReply,
    created_at: String,
    created_revision: u64,
}

/// A page of tuples.
#[derive(Debug, Serialize, ToSchema)]
pub struct TupleList {
    tuples: Vec<StoredTuple>,
    revision: u64,
    release: Option<String>,
    consistency_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// Stored tuples, by object, relation and subject.
#[utoipa::path(post, path = "/v1/stores/{store}/tuples/read", operation_id = "readTuples", tag = "data", params(("store" = String, Path, description = "id or alias")), request_body = ReadTuplesBody,
    responses((status = 200, content((TupleList = "application/json"), (LastLine = "application/x-ndjson"))), (status = "4XX", body = ProblemBody), (status = "5XX", body = ProblemBody)))]
pub async fn read(
    services: web::Data<Services>,
    access: ReadStore,
    listing: Listing,
    body: Body<ReadTuplesBody>,
) -> Result<HttpResponse, ApiError> {
    let mut wanted = body.0;
    let (tenant, first) =
        (*access.0.tenant.tenant(), PageQuery::new(wanted.page_size.take(), wanted.page_token.take()));
    let page = async move |services: &Services, paging| page(services, &access.0, &wanted, &paging).await;
    listing.list(services, tenant, "tuples", first, page).await
}

async fn page(
    services: &Services,
    access: &StoreAccess,
    wanted: &ReadTuplesBody,
    paging: &PageQuery,
) -> Result<TupleList, ApiError> {
    let store = &access.store;
    let at = wanted.at_revision.map(Revision);
    let of_revision = at.map(|revision| revision.to_string());
    let parts = [&wanted.object, &wanted.relation, &wanted.subject].map(Option::as_deref);
    let [object, relation, subject] = parts;
    let filter = filter(object, relation, subject).map_err(|problems| invalid_input(&problems))?;
    let bound = ["tuples", store.scope().store().as_str()].into_iter().chain(parts.map(Option::unwrap_or_default));
    let bound: Vec<&str> = bound.chain(of_revision.as_deref()).collect();
    let page = paging.open(services, Some(&access.tenant), &bound)?;
    let after = page.after.as_deref().map(read_key).transpose()?;
    let (data, after, limit) = (&services.storage.data, after.as_ref(), page.limit());
    let rows = match at {
        None => data.tuples(store.scope(), &filter, after, limit).await,
        Some(revision) => data.tuples_at(store.scope(), revision, &filter, after, limit).await,
    };
    let mut rows = rows.map_err(PapError::from)?;
    let next_page_token = page.close(services, &mut rows, |row| key_text(&row.key));
    let shown = |row: &TupleRecord| StoredTuple {
        tuple: TupleReply::from(row),
        created_at: row.created_at.to_string(),
        created_revision: row.created_revision.0,
    };
    let head = services.pdp.head(store, at).await?;
    Ok(TupleList {
        tuples: rows.iter().map(shown).collect(),
        revision: head.revision.0,
        release: head.release,
        consistency_token: head.token,
        next_page_token,
    })
}

fn filter(
    object: Option<&str>,
    relation: Option<&str>,
    subject: Option<&str>,
) -> Result<TupleFilter, Vec<InputProblem>> {
    let mut problems = Vec::new();
    let mut filter = TupleFilter::default();
    match object.map(filter_object).transpose() {
        Ok(Some((type_name, id))) => (filter.object_type, filter.object_id) = (Some(type_name), id),
        Ok(None) => {}
        Err(problem) => problems.push(problem),
    }
    match relation.map(|relation| wire::relation(relation, "/relation")).transpose() {
        Ok(name) => filter.relation = name.map(str::to_owned),
        Err(problem) => problems.push(problem),
    }
    match subject.map(filter_subject).transpose() {
        Ok(subject) => filter.subject = subject,
        Err(problem) => problems.push(problem),
    }
    if problems.is_empty() { Ok(filter) } else { Err(problems) }
}

/// The type of `document:`.
fn type_alone(text: &str) -> Option<&str> {
    text.strip_suffix(':').filter(|name| is_type_name(name))
}

fn filter_object(text: &str) -> Result<(String, Option<String>), InputProblem> {
    if let Some(name) = type_alone(text) {
        return Ok((name.to_owned(), None));
    }
    let object = wire::object(text, "/object")?;
    if object.is_wildcard() {
        let message = format!("`{text}` is no object: write `{}:` for every object of the type", object.type_name);
        return Err(wire::malformed("/object", &message));
    }
    Ok((object.type_name.to_string(), Some(object.id.to_string())))
}

/// A type alone is every subject of it: objects, usersets and `*`, which alone means itself.
fn filter_subject(text: &str) -> Result<SubjectFilter, InputProblem> {
    if let Some(name) = type_alone(text) {
        let (subject_type, subject_relation) = (name.to_owned(), SubjectRelation::Any);
        return Ok(SubjectFilter { subject_type, subject_id: None, subject_relation });
    }
    let subject = wire::subject(text, "/subject")?;
    let subject_id = if subject.is_wildcard() { WILDCARD.to_owned() } else { subject.object.id.to_string() };
    Ok(SubjectFilter {
        subject_type: subject.object.type_name.to_string(),
        subject_id: Some(subject_id),
        subject_relation: match subject.relation {
            None => SubjectRelation::Without,
            Some(name) => SubjectRelation::Named(name.to_string()),
        },
    })
}

fn key_text(key: &TupleKey) -> String {
    let TupleKey { object_type, object_id, relation, subject_type, subject_id, subject_relation } = key;
    serde_json::json!([object_type, object_id, relation, subject_type, subject_id, subject_relation]).to_string()
}

fn read_key(text: &str) -> Result<TupleKey, ApiError> {
    let parts = serde_json::from_str::<(String, String, String, String, String, Option<String>)>(text);
    let (object_type, object_id, relation, subject_type, subject_id, subject_relation) =
        parts.map_err(|_| foreign_token())?;
    Ok(TupleKey { object_type, object_id, relation, subject_type, subject_id, subject_relation })
}

pub(super) fn foreign_token() -> ApiError {
    ApiError::new(Code::InvalidPageToken, "the page token is not one that this list gave")
}
