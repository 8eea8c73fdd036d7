//! List objects, streamed list objects, list users.

use actix_web::{HttpResponse, web};
use authx_engine::JsonObject;
use authx_engine::relation::{Ended, GraphError, Listed, SubjectRef, Tuple, UserFilter};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::ask::Asked;
use super::error::{Fga, FgaCode, FgaError};
use super::wire::{TupleKeyBody, TupleKeys, object, user};
use crate::api::Services;
use crate::api::extract::{Body, ReadStore};
use crate::api::lines::{Lines, line};

/// Results of one list that is not streamed.
const MAX_RESULTS: usize = 1_000;
/// Lines that may wait for a slow reader.
const WAITING: usize = 256;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ListObjectsBody {
    r#type: Option<String>,
    relation: Option<String>,
    user: Option<String>,
    #[serde(alias = "contextualTuples")]
    contextual_tuples: Option<TupleKeys>,
    #[serde(alias = "authorizationModelId")]
    authorization_model_id: Option<String>,
    context: Option<JsonObject>,
}

/// A list of objects that is well-formed.
struct ObjectsQuestion {
    asked: Asked,
    type_name: String,
    relation: String,
    user: SubjectRef,
    contextual: Vec<Tuple>,
    context: Option<JsonObject>,
}

impl ObjectsQuestion {
    async fn open(
        services: &Services,
        access: Result<Fga<ReadStore>, FgaError>,
        body: ListObjectsBody,
    ) -> Result<Self, FgaError> {
        let asked = Asked::open(services, access, |access| &access.0, body.authorization_model_id.as_deref()).await?;
        let (type_name, relation) = (body.r#type.unwrap_or_default(), body.relation.unwrap_or_default());
        let contextual = asked.contextual(&TupleKeys::list(body.contextual_tuples))?;
        if !asked.model.has_type(&type_name) {
            return Err(GraphError::UnknownType(type_name).into());
        }
        if !asked.model.has_relation(&type_name, &relation) {
            return Err(GraphError::UnknownRelation { type_name, relation }.into());
        }
        let user = user(&body.user.unwrap_or_default())?;
        asked.known_user(&user)?;
        Ok(Self { asked, type_name, relation, user, contextual, context: body.context })
    }
}

/// OpenFGA's lists fail when any condition on the way fails, unless they are full.
fn told<T>(list: Listed<T>) -> Result<Vec<T>, GraphError> {
    match list.failed.filter(|_| list.complete) {
        Some(error) => Err(error),
        None => Ok(list.items),
    }
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FgaError> + Send + 'static,
) -> Result<T, FgaError> {
    web::block(work).await.unwrap_or_else(|_| Err(FgaError::new(FgaCode::Internal, "Internal Server Error")))
}

pub async fn objects(
    services: web::Data<Services>,
    access: Result<Fga<ReadStore>, FgaError>,
    body: Fga<Body<ListObjectsBody>>,
) -> Result<HttpResponse, FgaError> {
    let q = ObjectsQuestion::open(&services, access, body.0.0).await?;
    let mut response = HttpResponse::Ok();
    q.asked.headers(&mut response);
    let objects = off_thread(move || {
        q.asked.ask(&q.contextual, q.context.as_ref(), |relations, asking| {
            relations.list_objects(&q.type_name, &q.relation, &q.user, asking, MAX_RESULTS).and_then(told)
        })
    });
    let objects: Vec<String> = objects.await?.iter().map(ToString::to_string).collect();
    Ok(response.json(json!({"objects": objects})))
}

pub async fn streamed(
    services: web::Data<Services>,
    access: Result<Fga<ReadStore>, FgaError>,
    body: Fga<Body<ListObjectsBody>>,
) -> Result<HttpResponse, FgaError> {
    let q = match ObjectsQuestion::open(&services, access, body.0.0).await {
        Ok(question) => question,
        // A stream's error has another body than a unary call's.
        Err(error) => return Ok(HttpResponse::build(error.code.status()).json(error.line())),
    };
    let mut response = HttpResponse::Ok();
    q.asked.headers(&mut response);
    let (lines, body) = mpsc::channel(WAITING);
    // Ends by itself when the reader has gone: the channel is closed then.
    drop(web::block(move || {
        let sent = q.asked.ask(&q.contextual, q.context.as_ref(), |relations, asking| {
            let mut send = |object: authx_engine::relation::ObjectRef| {
                lines.blocking_send(line(&json!({"result": {"object": object.to_string()}}))).is_ok()
            };
            relations.each_object(&q.type_name, &q.relation, &q.user, asking, &mut send)
        });
        let error = match sent {
            Ok(Ended { failed, .. }) => failed.map(FgaError::from),
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            let _ = lines.blocking_send(line(&error.line()));
        }
    }));
    Ok(response.content_type("application/json").body(Lines(body)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ListUsersBody {
    object: Option<ObjectBody>,
    relation: Option<String>,
    #[serde(alias = "userFilters")]
    user_filters: Option<Vec<FilterBody>>,
    #[serde(alias = "contextualTuples")]
    contextual_tuples: Option<Vec<TupleKeyBody>>,
    #[serde(alias = "authorizationModelId")]
    authorization_model_id: Option<String>,
    context: Option<JsonObject>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ObjectBody {
    r#type: Option<String>,
    id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FilterBody {
    r#type: Option<String>,
    relation: Option<String>,
}

pub async fn users(
    services: web::Data<Services>,
    access: Result<Fga<ReadStore>, FgaError>,
    body: Fga<Body<ListUsersBody>>,
) -> Result<HttpResponse, FgaError> {
    let body = body.0.0;
    let asked = Asked::open(&services, access, |access| &access.0, body.authorization_model_id.as_deref()).await?;
    let of = body.object.unwrap_or_default();
    let of = object(&format!("{}:{}", of.r#type.unwrap_or_default(), of.id.unwrap_or_default()))?;
    let relation = body.relation.unwrap_or_default();
    let filters = body.user_filters.unwrap_or_default();
    let [filter] = filters.as_slice() else {
        return Err(FgaError::invalid(format!("invalid UserFilters: must have exactly 1 item, not {}", filters.len())));
    };
    let contextual = asked.contextual(&body.contextual_tuples.unwrap_or_default())?;
    let filter = UserFilter {
        type_name: filter.r#type.as_deref().unwrap_or_default().into(),
        relation: filter.relation.as_deref().filter(|relation| !relation.is_empty()).map(Into::into),
    };
    let mut response = HttpResponse::Ok();
    asked.headers(&mut response);
    let users = off_thread(move || {
        asked.ask(&contextual, body.context.as_ref(), |relations, asking| {
            relations.list_users(&of, &relation, &filter, asking, MAX_RESULTS).and_then(told)
        })
    });
    let users: Vec<Value> = users.await?.iter().map(shown).collect();
    Ok(response.json(json!({"users": users})))
}

fn shown(user: &SubjectRef) -> Value {
    let (type_name, id) = (&user.object.type_name, &user.object.id);
    match &user.relation {
        Some(relation) => json!({"userset": {"type": type_name, "id": id, "relation": relation}}),
        None if user.is_wildcard() => json!({"wildcard": {"type": type_name}}),
        None => json!({"object": {"type": type_name, "id": id}}),
    }
}
