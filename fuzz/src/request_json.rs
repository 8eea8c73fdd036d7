//! The body of a check: read strictly, and decided the same however the same is said.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use authx_engine::relation::{ModelSource, ModelSyntax, RelationModel, Tuples, tuple_of_line};
use authx_engine::{
    AccessRequest, ActionUid, Change, CompileOptions, Data, DataRules, EntityInput, EntityUid, Evaluation, Json,
    JsonObject, Limits, MAX_DEPTH, Release, SchemaSource, SchemaSyntax, Settings, Snapshot, Sources, Validation,
    decide, entity_json, read_entity, split_policies,
};
use serde::Deserialize;
use serde_json::Value;

const SCHEMA: &str = include_str!("../../schemas/documents.cedarschema");
const MODEL: &str = include_str!("../../schemas/documents.fga");
const TUPLES: &str = include_str!("../../policies/documents/documents.tuples");
const ENTITIES: &str = include_str!("../../policies/documents/documents.cedarentities.json");
const POLICIES: [&str; 3] = [
    include_str!("../../policies/documents/guards.cedar"),
    include_str!("../../policies/documents/roles.cedar"),
    include_str!("../../policies/documents/sharing.cedar"),
];

/// What the server reads of a body; fields that it does not know mean nothing to it.
#[derive(Deserialize)]
struct Body {
    principal: EntityUid,
    action: ActionUid,
    resource: EntityUid,
    #[serde(default)]
    context: JsonObject,
    #[serde(default)]
    entities: Vec<EntityInput>,
}

/// The demo store: held to its schema with its entities and tuples, and without all three.
static STORES: LazyLock<(Snapshot, Snapshot)> = LazyLock::new(|| {
    let schema = SchemaSource { syntax: SchemaSyntax::Cedar, file: None, text: SCHEMA.to_owned() };
    let policies: Vec<_> = POLICIES.into_iter().flat_map(|text| split_policies(None, text)).collect();
    let model = ModelSource { syntax: ModelSyntax::Dsl, file: None, text: MODEL.to_owned() };
    let model = Some(Arc::new(RelationModel::read("m", model).unwrap().0));
    let sources = Sources { schema: Some(schema), model, policies: &policies };
    let release = Release::compile("r", sources, &CompileOptions::default(), None).unwrap().release;
    let tuples: Vec<_> = TUPLES.lines().filter_map(tuple_of_line).map(Result::unwrap).collect();
    let tuples = Tuples::default().changed(&[], &tuples).unwrap();
    let mut data = Data::default();
    for input in serde_json::from_str::<Vec<EntityInput>>(ENTITIES).unwrap() {
        data.apply(&Change::PutEntity(Arc::new(read_entity(&input, release.data_rules(), "").unwrap())));
    }
    let release = Some(Arc::new(release));
    let off = Settings { validation: Validation::Off, ..Settings::default() };
    let strict = Snapshot::new(release.clone(), Arc::new(data), Settings::default(), 1);
    (strict.with_tuples(tuples), Snapshot::new(release, Arc::default(), off, 1))
});

pub fn hold(data: &[u8]) -> bool {
    read_strictly(data);
    let Ok(body) = serde_json::from_slice::<Body>(data) else { return false };
    let Body { principal, action: ActionUid(action), resource, context, entities } = body;
    let request = AccessRequest { principal, action, resource, context, entities, tuples: Vec::new(), now: 0 };
    let (strict, off) = &*STORES;
    decided(strict, &request);
    let sent = decided(off, &request);
    entities_are_read_back(&request.entities);
    stored_or_sent(off, &request, sent.as_ref());
    true
}

/// The decision, twice the same.
fn decided(snapshot: &Snapshot, request: &AccessRequest) -> Option<Evaluation> {
    let limits = Limits::default();
    let decided = decide(snapshot, request, &limits);
    assert_eq!(decided, decide(snapshot, request, &limits));
    decided.ok()
}

/// Strict JSON is JSON whose keys are single and that is not deeper than it may be.
fn read_strictly(data: &[u8]) {
    let strict = serde_json::from_slice::<Json>(data);
    let Ok(lax) = serde_json::from_slice::<Value>(data) else { return assert!(strict.is_err()) };
    let (colons, depth) = outside_strings(data);
    assert_eq!(strict.is_ok(), colons == keys(&lax) && depth <= MAX_DEPTH, "{strict:?}");
    if let Ok(Json(value)) = strict {
        assert_eq!(value, lax);
    }
}

/// How many colons there are, one for each key, and how deep the brackets nest.
fn outside_strings(data: &[u8]) -> (usize, usize) {
    let (mut colons, mut depth, mut deepest, mut inside, mut escaped) = (0, 0_usize, 0, false, false);
    for byte in data {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => inside = !inside,
            b':' if !inside => colons += 1,
            b'[' | b'{' if !inside => depth += 1,
            b']' | b'}' if !inside => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    (colons, deepest)
}

fn keys(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields.len() + fields.values().map(keys).sum::<usize>(),
        Value::Array(items) => items.iter().map(keys).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// An entity that may be stored is told as what reads as the same entity.
fn entities_are_read_back(entities: &[EntityInput]) {
    let strict = STORES.0.data_rules();
    for input in entities {
        for rules in [DataRules::default(), strict] {
            let Ok(row) = read_entity(input, rules, "") else { continue };
            let told = entity_json(&row);
            let input: EntityInput = serde_json::from_value(told.clone()).unwrap_or_else(|e| panic!("{e}: {told}"));
            let again = read_entity(&input, rules, "").unwrap_or_else(|problems| panic!("{problems:?}: {told}"));
            assert_eq!(entity_json(&again), told);
        }
    }
}

/// Where nothing is stored, it is the same whether an entity is sent or stored.
fn stored_or_sent(empty: &Snapshot, request: &AccessRequest, sent: Option<&Evaluation>) {
    let rows = request.entities.iter().map(|input| read_entity(input, empty.data_rules(), "").ok().map(Arc::new));
    let Some(rows) = rows.collect::<Option<Vec<_>>>() else { return };
    let names: BTreeSet<&EntityUid> = request.entities.iter().map(|input| &input.uid).collect();
    if names.len() < rows.len() || names.iter().any(|uid| uid.is_action()) {
        return;
    }
    let changes: Vec<Change> = rows.into_iter().map(Change::PutEntity).collect();
    let stored = empty.with_changes(&changes);
    let stored = decided(&stored, &AccessRequest { entities: Vec::new(), ..request.clone() });
    assert_eq!(stored.as_ref(), sent);
}
