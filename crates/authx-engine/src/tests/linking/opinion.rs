//! A second opinion on a decision: Cedar's own authorizer, given a plain value where a policy asks a relation and plain
//! parents where tuples tell them. The values are the reference evaluator's. Nothing of linking, facts, hierarchy, graph
//! or combination is used here.

mod bounds;
mod hierarchy;
mod reference;
mod rewrite;

use std::collections::BTreeMap;
use std::str::FromStr as _;

use cedar_policy::{Authorizer, Context, Effect, PolicyId, PolicySet};
use serde_json::{Map, Value as Json};

use self::hierarchy::Hierarchy;
use self::reference::Reference;
pub(super) use self::rewrite::{Binding, Policies};
use self::rewrite::{FAILED, Scene, plain};
use crate::relation::tests::naive::Truth;
use crate::relation::{Model, Tuple, TupleKey};
use crate::{
    AccessRequest, Decision, EntityInput, EntityUid, Evaluation, Limits, PolicyErrors, RequestAttributes, Settings,
};

/// Which types of the schema are types of the model, said by hand.
pub(super) struct Links {
    /// A type of the schema, and the type of the model that it is.
    pub(super) types: Vec<(&'static str, &'static str)>,
    /// A type of the model, and the relation that tells its members.
    pub(super) members: Vec<(&'static str, &'static str)>,
    /// A type of the model, and the relation that tells its containers.
    pub(super) parents: Vec<(&'static str, &'static str)>,
}

/// A store and a request.
pub(super) struct Told<'a> {
    pub(super) links: &'a Links,
    /// The author's schema, where requests are held to it.
    pub(super) schema: Option<&'a cedar_policy::Schema>,
    pub(super) model: &'a Model,
    /// Stored and sent, each key once.
    pub(super) tuples: &'a [Tuple],
    pub(super) entities: &'a [EntityInput],
    pub(super) policies: &'a Policies,
    pub(super) settings: Settings,
    pub(super) request: &'a AccessRequest,
    pub(super) limits: Limits,
    /// What becomes of a question that leads back to itself, which the reference leaves open.
    pub(super) cycle: &'a dyn Fn(&TupleKey) -> Truth,
}

/// A decision, and the policies that explain it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) decision: Decision,
    pub(super) determining: Vec<String>,
    pub(super) errors: Vec<String>,
}

/// What the second opinion is.
#[derive(Debug)]
pub(super) struct Opinion {
    /// `None` when the request has no answer: what an entity is in cannot be told.
    pub(super) answer: Option<Answer>,
    /// Whether an error came of a fact that cannot be told.
    pub(super) failed: bool,
    /// Parents as tuples tell them are a cycle, which Cedar does not take; the answer is one with the cycle cut.
    pub(super) cyclic: bool,
}

impl Answer {
    pub(super) fn of(evaluation: &Evaluation) -> Self {
        Self {
            decision: evaluation.decision,
            determining: evaluation.determining_policies.iter().map(ToString::to_string).collect(),
            errors: evaluation.policy_errors.iter().map(|error| error.policy.to_string()).collect(),
        }
    }
}

type Rows = BTreeMap<EntityUid, EntityInput>;

pub(super) fn opinion(told: &Told<'_>) -> Opinion {
    let decided = |answer, failed, cyclic| Opinion { answer, failed, cyclic };
    if told.schema.is_some_and(|schema| !conforms(told.request, schema)) {
        let answer = Answer { decision: Decision::Deny, determining: Vec::new(), errors: Vec::new() };
        return decided(Some(answer), false, false);
    }
    let rows = rows(told);
    let mut context = told.request.context.0.clone();
    context.retain(|_, value| !value.is_null());
    let scene = Scene { request: told.request, context: &context, rows: &rows };
    let mut reference = Reference::new(told);
    let mut asked = Vec::new();
    let set = told.policies.plain(&mut |condition| {
        plain(condition, &scene, &mut |subject, relation, object| reference.fact(subject, relation, object), &mut asked)
    });
    asked.extend([told.request.principal.clone(), told.request.resource.clone()]);
    let hierarchy = Hierarchy::new(told, &rows, &context, &mut reference);
    let Some((entities, cyclic)) = hierarchy.entities(&rows, &asked, told.limits.ancestors) else {
        return decided(None, false, false);
    };
    let context = Context::from_json_value(Json::Object(context), None).unwrap();
    let AccessRequest { principal, action, resource, .. } = told.request;
    let request = cedar_policy::Request::new(cedar(principal), cedar(action), cedar(resource), context, None).unwrap();
    let response = Authorizer::new().is_authorized(&request, &set, &entities);
    let (answer, failed) = combined(told, &set, &response);
    decided(Some(answer), failed, cyclic)
}

/// What Cedar answers, with what the engine promises beyond it: which forbids that err count as matched.
fn combined(told: &Told<'_>, set: &PolicySet, response: &cedar_policy::Response) -> (Answer, bool) {
    let (mut failed, mut matching, mut errors) = (false, Vec::new(), Vec::new());
    for error in response.diagnostics().errors() {
        let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
        let of_fact = error.to_string().contains(FAILED);
        failed |= of_fact;
        let id = error.policy_id().to_string();
        let forbids = set.policy(&PolicyId::new(&id)).unwrap().effect() == Effect::Forbid;
        if forbids && (of_fact || told.settings.policy_errors == PolicyErrors::Deny) {
            matching.push(id.clone());
        }
        errors.push(id);
    }
    let allow = response.decision() == cedar_policy::Decision::Allow;
    let mut determining: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
    if allow && !matching.is_empty() {
        determining.clear();
    }
    let decision = if allow && matching.is_empty() { Decision::Allow } else { Decision::Deny };
    determining.extend(matching);
    determining.sort();
    errors.sort();
    (Answer { decision, determining, errors }, failed)
}

/// Whether the author's schema lets the action be asked of these types.
fn conforms(request: &AccessRequest, schema: &cedar_policy::Schema) -> bool {
    let (principal, action, resource) = (cedar(&request.principal), cedar(&request.action), cedar(&request.resource));
    cedar_policy::Request::new(principal, action, resource, Context::empty(), Some(schema)).is_ok()
}

/// The stored entities with those of the request laid over them.
fn rows(told: &Told<'_>) -> Rows {
    let mut rows: Rows = told.entities.iter().map(|entity| (entity.uid.clone(), entity.clone())).collect();
    for sent in &told.request.entities {
        let Some(stored) = rows.get_mut(&sent.uid) else {
            rows.insert(sent.uid.clone(), sent.clone());
            continue;
        };
        match told.settings.request_attributes {
            RequestAttributes::Override => {
                over(&mut stored.attrs.0, &sent.attrs.0, true);
                over(&mut stored.tags.0, &sent.tags.0, true);
                stored.parents.extend(sent.parents.iter().cloned());
            }
            RequestAttributes::Ignore => {
                over(&mut stored.attrs.0, &sent.attrs.0, false);
                over(&mut stored.tags.0, &sent.tags.0, false);
            }
        }
    }
    rows
}

fn over(stored: &mut Map<String, Json>, sent: &Map<String, Json>, replace: bool) {
    for (name, value) in sent.iter().filter(|(_, value)| !value.is_null()) {
        if replace || !stored.contains_key(name) {
            stored.insert(name.clone(), value.clone());
        }
    }
}

fn cedar(uid: &EntityUid) -> cedar_policy::EntityUid {
    cedar_policy::EntityUid::from_str(&uid.to_string()).unwrap()
}
