//! Check, batch check, expand.

use std::collections::HashSet;
use std::time::Instant;

use actix_web::{HttpResponse, web};
use authx_engine::JsonObject;
use authx_engine::relation::{Expansion, Leaf};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::ask::{Answered, Asked};
use super::error::{Fga, FgaError};
use super::wire::{Ignored, TupleKeyBody, TupleKeys, object};
use crate::api::Services;
use crate::api::error::ApiError;
use crate::api::extract::{Body, CheckStore, ReadStore};
use crate::pdp::RelationQuestion;

/// Checks of one batch.
const MAX_BATCH: usize = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CheckBody {
    #[serde(alias = "tupleKey")]
    tuple_key: Option<TupleKeyBody>,
    #[serde(alias = "contextualTuples")]
    contextual_tuples: Option<TupleKeys>,
    #[serde(alias = "authorizationModelId")]
    authorization_model_id: Option<String>,
    context: Option<JsonObject>,
    #[serde(alias = "correlationId")]
    correlation_id: Option<String>,
    /// Every answer is of the newest revision that this process has, which is the newest there is.
    #[serde(rename = "consistency")]
    _consistency: Ignored,
}

pub async fn check(
    services: web::Data<Services>,
    access: Result<Fga<CheckStore>, FgaError>,
    body: Fga<Body<CheckBody>>,
) -> Result<HttpResponse, FgaError> {
    let body = body.0.0;
    let asked = Asked::open(&services, access, |access| &access.0, body.authorization_model_id.as_deref()).await?;
    let answered = answered(&asked, body)?;
    let allowed = answered.allowed;
    services.pdp.record(&asked.store, asked.record(&services, &answered)).await.map_err(ApiError::from)?;
    let mut response = HttpResponse::Ok();
    asked.headers(&mut response);
    Ok(response.json(json!({"allowed": allowed, "resolution": ""})))
}

fn answered(asked: &Asked, body: CheckBody) -> Result<Answered, FgaError> {
    let begun = Instant::now();
    let key = body.tuple_key.unwrap_or_default().key()?;
    asked.known(&key)?;
    let tuples = asked.contextual(&TupleKeys::list(body.contextual_tuples))?;
    let allowed = asked.ask(&tuples, body.context.as_ref(), |relations, asking| {
        relations.check(&key, asking, false).map(|checked| checked.allowed)
    })?;
    let context = body.context.unwrap_or_default().0;
    let question = RelationQuestion { key, context, tuples, explain: false };
    Ok(Answered { question, allowed, latency: begun.elapsed() })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct BatchBody {
    checks: Option<Vec<CheckBody>>,
    #[serde(alias = "authorizationModelId")]
    authorization_model_id: Option<String>,
}

pub async fn batch(
    services: web::Data<Services>,
    access: Result<Fga<CheckStore>, FgaError>,
    body: Fga<Body<BatchBody>>,
) -> Result<HttpResponse, FgaError> {
    let body = body.0.0;
    let checks = body.checks.unwrap_or_default();
    let asked = Asked::open(&services, access, |access| &access.0, body.authorization_model_id.as_deref()).await?;
    correlated(&checks)?;
    let mut response = HttpResponse::Ok();
    asked.headers(&mut response);
    let asking = asked.clone();
    let answers = web::block(move || {
        let answers = checks.into_iter().map(|check| {
            let id = check.correlation_id.clone().unwrap_or_default();
            (id, answered(&asking, check))
        });
        answers.collect::<Vec<_>>()
    });
    let answers = answers.await.map_err(|_| FgaError::new(super::error::FgaCode::Internal, "Internal Server Error"))?;
    let (mut result, mut records) = (Map::new(), Vec::with_capacity(answers.len()));
    for (id, answer) in answers {
        let answer = match answer {
            Ok(answered) => {
                let answer = json!({"allowed": answered.allowed});
                records.extend(asked.record(&services, &answered));
                answer
            }
            Err(error) => json!({"error": {"input_error": error.code.row().1, "message": error.message}}),
        };
        result.insert(id, answer);
    }
    services.pdp.record(&asked.store, records).await.map_err(ApiError::from)?;
    Ok(response.json(json!({"result": result})))
}

/// Every check has an id of its own.
fn correlated(checks: &[CheckBody]) -> Result<(), FgaError> {
    if checks.is_empty() {
        return Err(FgaError::invalid("batch check requires at least one check to evaluate, no checks were received"));
    }
    if checks.len() > MAX_BATCH {
        let text = format!("batchCheck received {} checks, the maximum allowed is {MAX_BATCH}", checks.len());
        return Err(FgaError::invalid(text));
    }
    let mut seen = HashSet::with_capacity(checks.len());
    for check in checks {
        let id = check.correlation_id.as_deref().unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !(1..=36).contains(&id.len()) || !id.chars().all(plain) {
            return Err(FgaError::invalid(format!("received an invalid correlation id: '{id}'")));
        }
        if !seen.insert(id) {
            return Err(FgaError::invalid(format!("received duplicate correlation id: {id}")));
        }
    }
    Ok(())
}

pub async fn expand(
    services: web::Data<Services>,
    access: Result<Fga<ReadStore>, FgaError>,
    body: Fga<Body<CheckBody>>,
) -> Result<HttpResponse, FgaError> {
    let body = body.0.0;
    let asked = Asked::open(&services, access, |access| &access.0, body.authorization_model_id.as_deref()).await?;
    let key = body.tuple_key.unwrap_or_default();
    if key.object().is_empty() || key.relation().is_empty() {
        return Err(FgaError::invalid("the 'object' and 'relation' fields are required"));
    }
    let (of, relation) = (object(key.object())?, key.relation().to_owned());
    if !asked.model.has_type(&of.type_name) {
        return Err(FgaError::invalid(format!("type '{}' not found", of.type_name)));
    }
    if !asked.model.has_relation(&of.type_name, &relation) {
        return Err(FgaError::invalid(format!("relation '{}#{relation}' not found", of.type_name)));
    }
    let contextual = asked.contextual(&TupleKeys::list(body.contextual_tuples))?;
    let root = asked.ask(&contextual, None, |relations, asking| relations.expand(&of, &relation, asking))?;
    let mut response = HttpResponse::Ok();
    asked.headers(&mut response);
    Ok(response.json(json!({"tree": {"root": node(&root)}})))
}

fn node(expansion: &Expansion) -> Value {
    let nodes = |all: &[Expansion]| json!({"nodes": all.iter().map(node).collect::<Vec<_>>()});
    let name = &expansion.name;
    match &expansion.leaf {
        Leaf::Users(users) => json!({"name": name, "leaf": {"users": {"users": users}}}),
        Leaf::Computed(userset) => json!({"name": name, "leaf": {"computed": {"userset": userset}}}),
        Leaf::TupleToUserset { tupleset, computed } => {
            let computed: Vec<Value> = computed.iter().map(|userset| json!({"userset": userset})).collect();
            json!({"name": name, "leaf": {"tupleToUserset": {"tupleset": tupleset, "computed": computed}}})
        }
        Leaf::Union(all) => json!({"name": name, "union": nodes(all)}),
        Leaf::Intersection(all) => json!({"name": name, "intersection": nodes(all)}),
        Leaf::Difference(base, subtract) => {
            json!({"name": name, "difference": {"base": node(base), "subtract": node(subtract)}})
        }
    }
}
