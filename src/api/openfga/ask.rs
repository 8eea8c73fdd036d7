//! What every question needs: the store as it is now, the model that it names, and the request's own tuples.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponseBuilder;
use authx_engine::relation::{
    Asking, Bound, GraphError, GraphLimits, RelationModel, Relations, SubjectRef, Tuple, TupleKey,
};
use authx_engine::{JsonObject, MAX_REQUEST_TUPLES};

use super::error::{FgaCode, FgaError, invalid_tuple};
use super::wire::TupleKeyBody;
use crate::api::Services;
use crate::api::extract::StoreAccess;
use crate::decisions::Prepared;
use crate::ids::ModelId;
use crate::keys::Grant;
use crate::pdp::RelationQuestion;
use crate::replica::{Current, OpenStore, load_model};

/// A store at one revision under one model.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) store: Arc<OpenStore>,
    pub(super) model: Arc<RelationModel>,
    caller: Arc<Grant>,
    current: Arc<Current>,
    now: i64,
    limits: GraphLimits,
}

/// A check that was answered, to be recorded before it is told.
pub(super) struct Answered {
    pub(super) question: RelationQuestion,
    pub(super) allowed: bool,
    pub(super) latency: Duration,
}

impl Asked {
    /// The store of the request, or the errors that OpenFGA gives for one that is not there: to it, such a store is
    /// one without models.
    pub(super) async fn open<T>(
        services: &Services,
        access: Result<super::error::Fga<T>, FgaError>,
        store: impl Fn(&T) -> &StoreAccess,
        model_id: Option<&str>,
    ) -> Result<Self, FgaError> {
        let model_id = model_id.filter(|id| !id.is_empty());
        let access = access.map_err(|error| match (error.code, model_id) {
            (FgaCode::StoreNotFound, None) => latest_not_found(),
            (FgaCode::StoreNotFound, Some(id)) => model_not_found(id),
            _ => error,
        })?;
        let access = store(&access.0);
        let (store, caller) = (Arc::clone(&access.store), Arc::clone(access.caller.grant()));
        let current = store.current();
        let model = match model_id {
            None => {
                let active = current.snapshot.release().and_then(|release| release.model());
                Arc::clone(active.ok_or_else(latest_not_found)?)
            }
            Some(id) => model(services, &store, id).await?,
        };
        let (now, limits) = (services.clock.now().as_millis(), services.pdp.graph_limits());
        Ok(Self { store, model, caller, current, now, limits })
    }

    /// What is recorded of an answer before it is told.
    pub(super) fn record(&self, services: &Services, answered: &Answered) -> Option<Prepared> {
        let Answered { question, allowed, latency } = answered;
        services.pdp.relation_record(&self.store, &self.caller, &self.current, question, *allowed, *latency)
    }

    /// Asks with the contextual tuples and the context of a request.
    pub(super) fn ask<T>(
        &self,
        contextual: &[Tuple],
        context: Option<&JsonObject>,
        question: impl FnOnce(&Relations<'_>, &Asking<'_>) -> Result<T, GraphError>,
    ) -> Result<T, FgaError> {
        let snapshot = &self.current.snapshot;
        let active = snapshot.release().and_then(|release| release.model());
        let is_active = active.is_some_and(|active| Arc::ptr_eq(active, &self.model));
        let bound;
        let relations = if let Some(relations) = snapshot.relations().filter(|_| is_active) {
            relations
        } else {
            bound = Bound::new(&self.model, snapshot.tuples());
            Relations::new(&self.model, snapshot.tuples(), &bound)
        };
        let relations = relations.with(contextual).map_err(GraphError::from)?;
        let none = JsonObject::default();
        let asking = Asking { context: &context.unwrap_or(&none).0, now: self.now, limits: self.limits };
        Ok(question(&relations, &asking)?)
    }

    /// Contextual tuples, each of which the model must allow.
    pub(super) fn contextual(&self, bodies: &[TupleKeyBody]) -> Result<Vec<Tuple>, FgaError> {
        if bodies.len() > MAX_REQUEST_TUPLES {
            let text = format!("a request has at most {MAX_REQUEST_TUPLES} contextual tuples, not {}", bodies.len());
            return Err(FgaError::invalid(text));
        }
        let read = |body: &TupleKeyBody| {
            let tuple = body.tuple().map_err(|error| {
                FgaError::new(
                    FgaCode::InvalidTuple,
                    format!("Invalid tuple '{}'. Reason: {}", body.text(), error.message),
                )
            })?;
            let refused = self.model.check_tuple(&tuple).err();
            refused.map_or(Ok(tuple), |problem| Err(invalid_tuple(FgaCode::InvalidTuple, &body.text(), &problem)))
        };
        bodies.iter().map(read).collect()
    }

    /// Whether the model knows what a check names.
    pub(super) fn known(&self, key: &TupleKey) -> Result<(), FgaError> {
        let type_name = &key.object.type_name;
        if !self.model.has_type(type_name) {
            return Err(FgaError::invalid(format!("type '{type_name}' not found")));
        }
        if !self.model.has_relation(type_name, &key.relation) {
            return Err(FgaError::invalid(format!("relation '{type_name}#{}' not found", key.relation)));
        }
        self.known_user(&key.subject)
    }

    pub(super) fn known_user(&self, user: &SubjectRef) -> Result<(), FgaError> {
        let type_name = &user.object.type_name;
        if !self.model.has_type(type_name) {
            return Err(FgaError::invalid(format!("type '{type_name}' not found")));
        }
        match &user.relation {
            Some(relation) if !self.model.has_relation(type_name, relation) => {
                Err(FgaError::invalid(format!("relation '{type_name}#{relation}' not found")))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The headers that tell which store and model answered.
    pub(super) fn headers(&self, response: &mut HttpResponseBuilder) {
        response.insert_header(("Openfga-Store-Id", self.store.scope().store().as_str()));
        response.insert_header(("Openfga-Authorization-Model-Id", self.model.id()));
    }
}

pub(super) fn latest_not_found() -> FgaError {
    FgaError::new(FgaCode::LatestModelNotFound, "No authorization models found for this store")
}

pub(super) fn model_not_found(id: &str) -> FgaError {
    FgaError::new(FgaCode::AuthorizationModelNotFound, format!("Authorization Model '{id}' not found"))
}

/// A model of a store by its id, whether it is active or was written long ago.
pub(super) async fn model(services: &Services, store: &OpenStore, id: &str) -> Result<Arc<RelationModel>, FgaError> {
    let parsed = ModelId::parse(id).map_err(|_| {
        FgaError::invalid(
            "invalid AuthorizationModelId: value does not match regex pattern \"^[ABCDEFGHJKMNPQRSTVWXYZ0-9]{26}$\"",
        )
    })?;
    if let Some(kept) = store.kept_model(id) {
        return Ok(kept);
    }
    let loaded = load_model(&services.storage, store.scope(), &parsed).await.map_err(crate::pap::PapError::from)?;
    let model = loaded.ok_or_else(|| model_not_found(id))?;
    store.keep_model(Arc::clone(&model));
    Ok(model)
}
