//! Write, read, changes.

use std::collections::HashSet;
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use authx_engine::relation::{Tuple, TupleKey, is_relation_name};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{latest_not_found, model, model_not_found};
use super::error::{Fga, FgaCode, FgaError, invalid_tuple};
use super::wire::{TupleKeyBody, bad_token, object, page_size, shown_key, shown_time, user};
use crate::api::Services;
use crate::api::extract::{Body, Query, ReadStore, WriteStore};
use crate::api::v1::changes::TRIMMED;
use crate::ids::Revision;
use crate::pap::{DataWrite, Otherwise, PapError, TupleChanges};
use crate::storage::records::{self, SubjectFilter, SubjectRelation, TupleFilter};

/// Tuples of one write, deletes included.
const MAX_TUPLES: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct WriteBody {
    writes: Option<Writes>,
    deletes: Option<Writes>,
    #[serde(alias = "authorizationModelId")]
    authorization_model_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Writes {
    #[serde(alias = "tupleKeys")]
    tuple_keys: Option<Vec<TupleKeyBody>>,
    #[serde(alias = "onDuplicate")]
    on_duplicate: Option<String>,
    #[serde(alias = "onMissing")]
    on_missing: Option<String>,
}

fn otherwise(text: Option<&str>, field: &str) -> Result<Otherwise, FgaError> {
    match text {
        None | Some("" | "error") => Ok(Otherwise::Refuse),
        Some("ignore") => Ok(Otherwise::Ignore),
        Some(other) => Err(FgaError::invalid(format!("invalid {field}: '{other}' is neither 'error' nor 'ignore'"))),
    }
}

pub async fn write(
    services: web::Data<Services>,
    access: Result<Fga<WriteStore>, FgaError>,
    body: Fga<Body<WriteBody>>,
) -> Result<HttpResponse, FgaError> {
    let body = body.0.0;
    let model_id = body.authorization_model_id.filter(|id| !id.is_empty());
    let access = access.map_err(|error| match (error.code, model_id.as_deref()) {
        (FgaCode::StoreNotFound, None) => latest_not_found(),
        (FgaCode::StoreNotFound, Some(id)) => model_not_found(id),
        _ => error,
    })?;
    let access = access.0.0;
    let (writes, deletes) = (body.writes.unwrap_or_default(), body.deletes.unwrap_or_default());
    let on_existing = otherwise(writes.on_duplicate.as_deref(), "on_duplicate")?;
    let on_missing = otherwise(deletes.on_missing.as_deref(), "on_missing")?;
    let (writes, deletes) = (writes.tuple_keys.unwrap_or_default(), deletes.tuple_keys.unwrap_or_default());
    sized(&writes, &deletes)?;
    let rules = if let Some(id) = &model_id {
        model(&services, &access.store, id).await?
    } else {
        let current = access.store.current();
        let active = current.snapshot.release().and_then(|release| release.model());
        Arc::clone(active.ok_or_else(latest_not_found)?)
    };
    let put = writes.iter().map(|body| {
        let tuple = body.tuple()?;
        let refused = rules.check_tuple(&tuple).err();
        refused.map_or(Ok(tuple), |problem| Err(invalid_tuple(FgaCode::ValidationError, &body.text(), &problem)))
    });
    let put = put.collect::<Result<Vec<Tuple>, _>>()?;
    let delete = deletes.iter().map(TupleKeyBody::key).collect::<Result<Vec<TupleKey>, _>>()?;
    let tuples = TupleChanges { delete, put, on_missing, on_existing, model: Some(Arc::clone(&rules)) };
    let write = DataWrite { tuples, ..DataWrite::default() };
    services.writers.write(&access.store, access.caller.actor(), write).await?;
    Ok(HttpResponse::Ok()
        .insert_header(("Openfga-Store-Id", access.store.scope().store().as_str()))
        .insert_header(("Openfga-Authorization-Model-Id", rules.id()))
        .json(json!({})))
}

fn sized(writes: &[TupleKeyBody], deletes: &[TupleKeyBody]) -> Result<(), FgaError> {
    if writes.is_empty() && deletes.is_empty() {
        let text = "Invalid input. Make sure you provide at least one write, or at least one delete";
        return Err(FgaError::new(FgaCode::InvalidWriteInput, text));
    }
    if writes.len() + deletes.len() > MAX_TUPLES {
        let text = format!("The number of write operations exceeds the allowed limit of {MAX_TUPLES}");
        return Err(FgaError::new(FgaCode::ExceededEntityLimit, text));
    }
    let mut seen = HashSet::new();
    for body in deletes.iter().chain(writes) {
        if !seen.insert(body.text()) {
            let (user, relation, object) = (body.user(), body.relation(), body.object());
            let text = format!("duplicate tuple in write: user: '{user}', relation: '{relation}', object: '{object}'");
            return Err(FgaError::new(FgaCode::DuplicateTuples, text));
        }
    }
    Ok(())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ReadBody {
    #[serde(alias = "tupleKey")]
    tuple_key: Option<TupleKeyBody>,
    #[serde(alias = "pageSize")]
    page_size: Option<i64>,
    #[serde(alias = "continuationToken")]
    continuation_token: Option<String>,
}

pub async fn read(
    services: web::Data<Services>,
    access: Fga<ReadStore>,
    body: Fga<Body<ReadBody>>,
) -> Result<HttpResponse, FgaError> {
    let scope = access.0.0.store.scope();
    let body = body.0.0;
    let size = page_size(body.page_size)?;
    let key = body.tuple_key.unwrap_or_default();
    let filter = filter(&key)?;
    let text = key.text();
    let bound = [scope.tenant().as_str(), "openfga-read", scope.store().as_str(), &text];
    let tokens = services.replica.tokens();
    let after = match body.continuation_token.as_deref().filter(|token| !token.is_empty()) {
        None => None,
        Some(token) => {
            let last = tokens.read_cursor(&bound, token).ok_or_else(bad_token)?;
            Some(serde_json::from_str::<StoredKey>(&last).map_err(|_| bad_token())?.into_key())
        }
    };
    let rows = services.storage.data.tuples(scope, &filter, after.as_ref(), size + 1).await;
    let mut rows = rows.map_err(PapError::from)?;
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let last = rows.last().filter(|_| more).map(|row| StoredKey::of(&row.key));
    let token = last.map(|last| tokens.cursor(&bound, &json!(last).to_string())).unwrap_or_default();
    let shown: Vec<Value> =
        rows.iter().map(|row| json!({"key": shown_key(row), "timestamp": shown_time(row.created_at)})).collect();
    Ok(HttpResponse::Ok().json(json!({"tuples": shown, "continuation_token": token})))
}

/// Nothing, an object, or a type of objects and a user.
fn filter(key: &TupleKeyBody) -> Result<TupleFilter, FgaError> {
    let (user_text, relation, object_text) = (key.user(), key.relation(), key.object());
    if user_text.is_empty() && relation.is_empty() && object_text.is_empty() {
        return Ok(TupleFilter::default());
    }
    let (type_name, id) = object_text.split_once(':').unwrap_or((object_text, ""));
    if type_name.is_empty() || (id.is_empty() && user_text.is_empty()) {
        return Err(FgaError::invalid(
            "the 'tuple_key' field was provided but the object type field is required and both the object id and user cannot be empty",
        ));
    }
    if !id.is_empty() {
        object(object_text)?;
    }
    if !relation.is_empty() && !is_relation_name(relation) {
        return Err(FgaError::invalid(format!("invalid 'relation' field format: '{relation}'")));
    }
    let subject = if user_text.is_empty() { None } else { Some(user(user_text)?) };
    let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(TupleFilter {
        object_type: named(type_name),
        object_id: named(id),
        relation: named(relation),
        subject: subject.map(|subject| SubjectFilter {
            subject_type: subject.object.type_name.to_string(),
            subject_id: Some(subject.object.id.to_string()),
            subject_relation: match subject.relation {
                Some(relation) => SubjectRelation::Named(relation.to_string()),
                None => SubjectRelation::Without,
            },
        }),
    })
}

/// A key as a page token holds it.
#[derive(serde::Serialize, Deserialize)]
struct StoredKey(String, String, String, String, String, Option<String>);

impl StoredKey {
    fn of(key: &records::TupleKey) -> Self {
        let key = key.clone();
        Self(key.object_type, key.object_id, key.relation, key.subject_type, key.subject_id, key.subject_relation)
    }

    fn into_key(self) -> records::TupleKey {
        records::TupleKey {
            object_type: self.0,
            object_id: self.1,
            relation: self.2,
            subject_type: self.3,
            subject_id: self.4,
            subject_relation: self.5,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ChangesQuery {
    r#type: Option<String>,
    page_size: Option<i64>,
    continuation_token: Option<String>,
    start_time: Option<String>,
}

pub async fn changes(
    services: web::Data<Services>,
    access: Fga<ReadStore>,
    query: Fga<Query<ChangesQuery>>,
) -> Result<HttpResponse, FgaError> {
    let scope = access.0.0.store.scope();
    let query = query.0.0;
    let size = page_size(query.page_size)?;
    let type_name = query.r#type.filter(|name| !name.is_empty());
    let bound = [scope.tenant().as_str(), "openfga-changes", scope.store().as_str()];
    let tokens = services.replica.tokens();
    let sent = query.continuation_token.filter(|token| !token.is_empty());
    let after = match &sent {
        None => None,
        Some(token) => {
            let last = tokens.read_cursor(&bound, token).ok_or_else(bad_token)?;
            let (of, revision, ordinal): (Option<String>, u64, u32) =
                serde_json::from_str(&last).map_err(|_| bad_token())?;
            if of != type_name {
                let text = "The type in the querystring and the continuation token don't match";
                return Err(FgaError::new(FgaCode::TokenMismatch, text));
            }
            Some((Revision(revision), ordinal))
        }
    };
    let since = match query.start_time.as_deref().filter(|text| !text.is_empty() && after.is_none()) {
        None => None,
        Some(text) => {
            let parsed = crate::ids::Timestamp::parse(text);
            Some(parsed.ok_or_else(|| FgaError::new(FgaCode::InvalidStartTime, "Invalid start time"))?)
        }
    };
    let data = &services.storage.data;
    let rows = data.tuple_changes(scope, type_name.as_deref(), after, since, size).await.map_err(PapError::from)?;
    // Asked behind the reading: what was there then was read.
    let trimmed = data.trimmed_changes(scope, type_name.as_deref()).await.map_err(PapError::from)?;
    let missed = trimmed.filter(|trimmed| trimmed.is_missed(after, since));
    if after.is_some() && missed.is_some() {
        let text = "Invalid continuation token: changes behind it are kept no more, begin without one";
        return Err(FgaError::new(FgaCode::InvalidContinuationToken, text));
    }
    let token = match rows.last() {
        Some(last) => tokens.cursor(&bound, &json!([type_name, last.revision.0, last.ordinal]).to_string()),
        // Nothing new: the same place again.
        None => sent.unwrap_or_default(),
    };
    let shown: Vec<Value> = rows
        .iter()
        .map(|change| {
            let mut key = shown_key(&change.tuple);
            if let Some(object) = key.as_object_mut().filter(|_| !change.written) {
                object.insert("condition".to_owned(), Value::Null);
            }
            let operation = if change.written { "TUPLE_OPERATION_WRITE" } else { "TUPLE_OPERATION_DELETE" };
            json!({"tuple_key": key, "operation": operation, "timestamp": shown_time(change.at)})
        })
        .collect();
    let mut response = HttpResponse::Ok();
    if let Some(missed) = missed {
        response.insert_header((TRIMMED, missed.last.0.to_string()));
    }
    Ok(response.json(json!({"changes": shown, "continuation_token": token})))
}
