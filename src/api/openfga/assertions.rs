//! Assertions: what an author expects of a model, kept beside it.

use actix_web::{HttpResponse, web};
use authx_engine::JsonObject;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::model;
use super::error::{Fga, FgaError};
use super::wire::TupleKeyBody;
use crate::api::Services;
use crate::api::extract::{AdminStore, Body, ReadStore};
use crate::ids::ModelId;
use crate::pap::PapError;

/// Assertions of one model.
const MAX_ASSERTIONS: usize = 100;
/// Contextual tuples of one assertion.
const MAX_CONTEXTUAL: usize = 20;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AssertionsBody {
    assertions: Option<Vec<AssertionBody>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AssertionBody {
    #[serde(alias = "tupleKey")]
    tuple_key: Option<TupleKeyBody>,
    expectation: Option<bool>,
    #[serde(alias = "contextualTuples")]
    contextual_tuples: Option<Vec<TupleKeyBody>>,
    context: Option<JsonObject>,
}

pub async fn write(
    services: web::Data<Services>,
    access: Fga<AdminStore>,
    path: web::Path<(String, String)>,
    body: Fga<Body<AssertionsBody>>,
) -> Result<HttpResponse, FgaError> {
    let store = &access.0.0.store;
    let rules = model(&services, store, &path.1).await?;
    let assertions = body.0.0.assertions.unwrap_or_default();
    if assertions.len() > MAX_ASSERTIONS {
        return Err(FgaError::invalid(format!("a model has at most {MAX_ASSERTIONS} assertions")));
    }
    let mut shown = Vec::with_capacity(assertions.len());
    for assertion in assertions {
        let key = assertion.tuple_key.unwrap_or_default();
        let parsed = key.key()?;
        if !rules.has_relation(&parsed.object.type_name, &parsed.relation) {
            let text = format!("relation '{}#{}' not found", parsed.object.type_name, parsed.relation);
            return Err(FgaError::invalid(text));
        }
        let contextual = assertion.contextual_tuples.unwrap_or_default();
        if contextual.len() > MAX_CONTEXTUAL {
            return Err(FgaError::invalid(format!("an assertion has at most {MAX_CONTEXTUAL} contextual tuples")));
        }
        let contextual: Vec<Value> = contextual.iter().map(key_json).collect();
        shown.push(json!({
            "tuple_key": {"user": key.user(), "relation": key.relation(), "object": key.object()},
            "expectation": assertion.expectation.unwrap_or(false),
            "contextual_tuples": contextual,
            "context": assertion.context,
        }));
    }
    let id = ModelId::parse(rules.id()).map_err(|_| super::ask::model_not_found(rules.id()))?;
    let now = services.clock.now();
    let put = services.storage.models.put_assertions(store.scope(), &id, &Value::Array(shown).to_string(), now).await;
    if !put.map_err(PapError::from)? {
        return Err(super::ask::model_not_found(rules.id()));
    }
    Ok(HttpResponse::NoContent().insert_header(("Openfga-Authorization-Model-Id", rules.id())).finish())
}

fn key_json(key: &TupleKeyBody) -> Value {
    let condition = key.condition.as_ref().map(|c| json!({"name": c.name, "context": c.context}));
    json!({"user": key.user(), "relation": key.relation(), "object": key.object(), "condition": condition})
}

pub async fn read(
    services: web::Data<Services>,
    access: Fga<ReadStore>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, FgaError> {
    let store = &access.0.0.store;
    let rules = model(&services, store, &path.1).await?;
    let id = ModelId::parse(rules.id()).map_err(|_| super::ask::model_not_found(rules.id()))?;
    let stored = services.storage.models.assertions(store.scope(), &id).await.map_err(PapError::from)?;
    let assertions: Value = stored.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_else(|| json!([]));
    Ok(HttpResponse::Ok()
        .insert_header(("Openfga-Authorization-Model-Id", rules.id()))
        .json(json!({"authorization_model_id": rules.id(), "assertions": assertions})))
}
