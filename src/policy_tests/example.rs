//! A decision as a test: with the facts that it read, and no others.
//!
//! What is told is tried: the decision is made again on those facts alone, and each is left out that makes no difference.

use authx_engine::relation::Tuple;
use authx_engine::{
    AccessRequest, DecideError, Decision, EntityInput, EntityUid, Evaluation, Limits, LinkInput, PolicyErrors, Reach,
    Reads, RequestAttributes, Settings, Snapshot, Validation, decide, entity_json, reads,
};
use serde_json::{Map, Value, json};

use super::Sourced;
use super::world::{Laid, lay};
use crate::ids::Timestamp;

/// Facts of a test before some are left out, each part of an entity for itself, and the bytes of its entities: all are
/// laid anew for each that is left out.
const MAX_STEPS: usize = 2_000;
const MAX_BYTES: usize = 1 << 20;

/// How often it is tried once more to leave out what was needed.
const MAX_ROUNDS: usize = 4;

/// Why a decision is no test.
#[derive(Debug, thiserror::Error)]
pub enum NoExample {
    #[error("the request is not decided: {0:?}")]
    Undecided(DecideError),
    #[error("the decision depends on more of the store than fits into a test")]
    TooLarge,
}

/// A file of tests in the making: it asks one question, and expects the answer that a snapshot gives.
pub struct Example {
    trial: Trial,
    facts: Facts,
    /// What is still to be left out in this round, the last first; places are those of the round's beginning.
    steps: Vec<Step>,
    /// How many steps the round has, and how many more rounds there may be.
    round: usize,
    rounds: usize,
    name: String,
}

impl Example {
    /// Finds facts that the answer follows from.
    ///
    /// # Errors
    /// When there is no answer, or it cannot be given on some facts alone.
    pub fn new(snapshot: Snapshot, request: &AccessRequest, limits: Limits, name: String) -> Result<Self, NoExample> {
        let wanted = decide(&snapshot, request, &limits).map_err(NoExample::Undecided)?;
        let trial = Trial { snapshot, limits, wanted };
        for reach in [Reach::Paths, Reach::Around] {
            let Ok(read) = reads(&trial.snapshot, request, &limits, reach) else { continue };
            let Some(facts) = Facts::of(&trial.snapshot, &read, request) else { continue };
            if trial.holds(&facts) {
                let steps = facts.steps();
                return Ok(Self { trial, round: steps.len(), steps, rounds: MAX_ROUNDS, facts, name });
            }
        }
        Err(NoExample::TooLarge)
    }

    /// Leaves out one thing if that makes no difference; the file, when nothing more can be left out.
    pub fn step(&mut self) -> Option<String> {
        if let Some(step) = self.steps.pop() {
            let less = self.facts.without(&step);
            if self.trial.holds(&less) {
                self.facts = less;
            }
            return None;
        }
        // What was needed only beside something else goes in a later round.
        let steps = self.facts.steps();
        if steps.len() < self.round && self.rounds > 0 {
            (self.round, self.steps) = (steps.len(), steps);
            self.rounds -= 1;
            return None;
        }
        let suite = suite(&self.trial.snapshot, &self.facts, &self.trial.wanted, &self.name);
        Some(serde_yaml_ng::to_string(&suite).unwrap_or_default())
    }
}

/// What is stored, and the request.
#[derive(Clone)]
struct Facts {
    entities: Vec<EntityInput>,
    tuples: Vec<Tuple>,
    links: Vec<(String, LinkInput)>,
    request: AccessRequest,
}

impl Facts {
    /// `None` when they are more than a test should have.
    fn of(snapshot: &Snapshot, read: &Reads, request: &AccessRequest) -> Option<Self> {
        let (mut entities, mut bytes) = (Vec::new(), 0);
        for row in read.entities.iter().filter_map(|uid| snapshot.data().entity(uid)) {
            let told = entity_json(row);
            bytes += told.to_string().len();
            if bytes > MAX_BYTES {
                return None;
            }
            entities.extend(serde_json::from_value(told).ok());
        }
        let links =
            read.links.iter().filter_map(|id| Some((id.to_string(), LinkInput::clone(snapshot.data().link(id)?))));
        let facts = Self { entities, tuples: read.tuples.clone(), links: links.collect(), request: request.clone() };
        (facts.steps().len() <= MAX_STEPS).then_some(facts)
    }

    /// Each way to say a little less.
    fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = (0..self.links.len()).map(Step::Link).collect();
        steps.extend((0..self.tuples.len()).map(Step::Tuple));
        steps.extend((0..self.entities.len()).map(Step::Entity));
        for (at, entity) in self.entities.iter().enumerate() {
            steps.extend(entity.attrs.0.keys().map(|name| Step::Attribute(at, name.clone())));
            steps.extend(entity.tags.0.keys().map(|name| Step::Tag(at, name.clone())));
            steps.extend(entity.parents.iter().map(|parent| Step::Parent(at, parent.clone())));
        }
        steps.extend(self.request.context.0.keys().map(|name| Step::Context(name.clone())));
        steps
    }

    fn without(&self, step: &Step) -> Self {
        let mut facts = self.clone();
        match step {
            Step::Link(at) => drop(facts.links.remove(*at)),
            Step::Tuple(at) => drop(facts.tuples.remove(*at)),
            Step::Entity(at) => drop(facts.entities.remove(*at)),
            Step::Attribute(at, name) => {
                facts.entities.get_mut(*at).and_then(|entity| entity.attrs.0.shift_remove(name));
            }
            Step::Tag(at, name) => {
                facts.entities.get_mut(*at).and_then(|entity| entity.tags.0.shift_remove(name));
            }
            Step::Parent(at, parent) => {
                if let Some(entity) = facts.entities.get_mut(*at) {
                    entity.parents.retain(|other| other != parent);
                }
            }
            Step::Context(name) => drop(facts.request.context.0.shift_remove(name)),
        }
        facts
    }
}

/// Something that may be left out; places are those before anything was.
enum Step {
    Link(usize),
    Tuple(usize),
    Entity(usize),
    Attribute(usize, String),
    Tag(usize, String),
    Parent(usize, EntityUid),
    Context(String),
}

/// Where the decision is made again.
struct Trial {
    snapshot: Snapshot,
    limits: Limits,
    wanted: Evaluation,
}

impl Trial {
    /// Whether the same decision follows, for the same reasons.
    fn holds(&self, facts: &Facts) -> bool {
        let (snapshot, wanted) = (&self.snapshot, &self.wanted);
        let empty = Snapshot::new(snapshot.release().cloned(), std::sync::Arc::default(), snapshot.settings(), 0);
        let (entities, tuples, links) = (sourced(&facts.entities), sourced(&facts.tuples), sourced(&facts.links));
        let laid = lay(&empty, Laid { entities: &entities, tuples: &tuples, links: &links });
        let told = laid.ok().and_then(|laid| decide(&laid, &facts.request, &self.limits).ok());
        told.is_some_and(|told| {
            let failed = |evaluation: &Evaluation| -> Vec<String> {
                evaluation.policy_errors.iter().map(|error| error.policy.to_string()).collect()
            };
            told.decision == wanted.decision
                && told.determining_policies == wanted.determining_policies
                && failed(&told) == failed(wanted)
                && told.warnings == wanted.warnings
        })
    }
}

fn sourced<T: Clone>(all: &[T]) -> Vec<Sourced<T>> {
    all.iter().map(|what| Sourced { what: what.clone(), file: String::new(), line: None }).collect()
}

/// The file.
fn suite(snapshot: &Snapshot, facts: &Facts, wanted: &Evaluation, name: &str) -> Value {
    let Facts { entities, tuples, links, request } = facts;
    let mut fixtures = Map::new();
    fixtures.insert("now".to_owned(), json!(Timestamp::from_millis(request.now).to_string()));
    let mut put = |name: &str, list: Vec<Value>| {
        if !list.is_empty() {
            fixtures.insert(name.to_owned(), Value::Array(list));
        }
    };
    put("entities", entities.iter().map(entity).collect());
    put("tuples", tuples.iter().map(tuple).collect());
    put("links", links.iter().map(link).collect());
    let errors: Vec<&str> = wanted.policy_errors.iter().map(|error| error.policy.as_str()).collect();
    let mut case = Map::new();
    let mut say = |name: &str, value: Value| {
        let empty = value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
        if !empty || name == "policies" {
            case.insert(name.to_owned(), value);
        }
    };
    say("principal", json!(request.principal.to_string()));
    say("action", json!(request.action.to_string()));
    say("resource", json!(request.resource.to_string()));
    say("context", Value::Object(request.context.0.clone()));
    say("entities", request.entities.iter().map(entity).collect());
    say("tuples", request.tuples.iter().map(tuple).collect());
    say("expect", json!(if wanted.decision == Decision::Allow { "allow" } else { "deny" }));
    say("policies", json!(wanted.determining_policies));
    say("errors", json!(errors));
    say("warnings", json!(wanted.warnings));
    let mut file = Map::new();
    let settings = settings(snapshot.settings());
    if !settings.is_empty() {
        file.insert("settings".to_owned(), Value::Object(settings));
    }
    file.insert("tests".to_owned(), json!([{"name": name, "fixtures": fixtures, "cases": [case]}]));
    Value::Object(file)
}

/// Those that are not what a store has without being told.
fn settings(settings: Settings) -> Map<String, Value> {
    let mut said = Map::new();
    let Settings { validation, policy_errors, request_attributes } = settings;
    if validation == Validation::Off {
        said.insert("validation".to_owned(), json!("off"));
    }
    if policy_errors == PolicyErrors::Cedar {
        said.insert("policy_errors".to_owned(), json!("cedar"));
    }
    if request_attributes == RequestAttributes::Ignore {
        said.insert("request_attributes".to_owned(), json!("ignore"));
    }
    said
}

fn entity(entity: &EntityInput) -> Value {
    let EntityInput { uid, attrs, parents, tags } = entity;
    let mut said = Map::from_iter([("uid".to_owned(), json!(uid.to_string()))]);
    let parents: Vec<String> = parents.iter().map(ToString::to_string).collect();
    for (name, value, empty) in [
        ("attrs", Value::Object(attrs.0.clone()), attrs.0.is_empty()),
        ("parents", json!(parents), parents.is_empty()),
        ("tags", Value::Object(tags.0.clone()), tags.0.is_empty()),
    ] {
        if !empty {
            said.insert(name.to_owned(), value);
        }
    }
    Value::Object(said)
}

fn tuple(tuple: &Tuple) -> Value {
    let Tuple { key, condition, expires_at } = tuple;
    if condition.is_none() && expires_at.is_none() {
        return json!(key.to_string());
    }
    let mut said = Map::from_iter([
        ("object".to_owned(), json!(key.object.to_string())),
        ("relation".to_owned(), json!(key.relation)),
        ("subject".to_owned(), json!(key.subject.to_string())),
    ]);
    if let Some(condition) = condition {
        said.insert("condition".to_owned(), json!({"name": condition.name, "context": condition.context}));
    }
    if let Some(at) = expires_at {
        said.insert("expires_at".to_owned(), json!(Timestamp::from_millis(*at).to_string()));
    }
    Value::Object(said)
}

fn link((id, link): &(String, LinkInput)) -> Value {
    let mut said = Map::from_iter([("id".to_owned(), json!(id)), ("template".to_owned(), json!(link.template))]);
    for (name, uid) in [("principal", &link.principal), ("resource", &link.resource)] {
        if let Some(uid) = uid {
            said.insert(name.to_owned(), json!(uid.to_string()));
        }
    }
    Value::Object(said)
}
