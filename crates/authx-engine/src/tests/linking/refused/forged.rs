//! Every way to say `AuthX::…` or `rel`: what is refused with which code, and what means nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::super::{MODEL, SCHEMA, Store, request};
use crate::relation::{ModelSource, ModelSyntax, RelationModel, TupleKey};
use crate::{
    DecideError, EntityInput, Limits, LinkInput, Problem, Release, SchemaSource, SchemaSyntax, Settings, Sources,
    Validation, check_link, decide, policy_text, read_entity, split_policies,
};

const RESERVED: &str = "reserved_name";
const MISPLACED: &str = "misplaced_relation";
/// Taken, because it is neither the attribute nor the namespace.
const NOTHING: &str = "";

/// What somebody sends.
enum Said {
    /// The condition of a policy.
    Condition(&'static str),
    /// A whole policy or template.
    Policy(&'static str),
    PolicyJson(Json),
    /// The slots of a link to [`TEMPLATE`].
    Link(Json),
    /// What is written below the schema of these tests.
    Schema(&'static str),
    /// What is laid over that schema's JSON: by namespace.
    SchemaJson(Json),
    /// What is written below the types of the model.
    Model(&'static str),
    /// An entity to store.
    Entity(Json),
    /// What a request says beside the usual.
    Ask(Json),
    Tuple(&'static str),
}
use Said::{Ask, Condition, Entity, Link, Model, Policy, PolicyJson, Schema, SchemaJson, Tuple};

const TEMPLATE: &str = "@id(\"t\") permit(principal == ?principal, action, resource in ?resource);";

fn store(validation: Validation) -> Store {
    Store { settings: Settings { validation, ..Settings::default() }, ..Store::default() }
}

/// The codes that come of it; none when it is taken.
fn codes(said: &Said, validation: Validation) -> BTreeSet<String> {
    let store = store(validation);
    let of = |problems: Vec<Problem>| problems.into_iter().map(|problem| problem.code.into_owned()).collect();
    let compiled = |policies: &str| store.compile(policies).err().map(of).unwrap_or_default();
    match said {
        Condition(text) => compiled(&format!("permit(principal, action, resource) when {{ {text} }};")),
        Policy(text) => compiled(text),
        PolicyJson(json) => compiled(&policy_text(json.clone()).unwrap()),
        Link(slots) => {
            let (mut input, release) = (slots.clone(), store.compile(TEMPLATE).unwrap());
            input["template"] = json!("t");
            let link: LinkInput = serde_json::from_value(input).unwrap();
            let refused = check_link(&release, "l", &link, validation == Validation::Strict).err();
            of(refused.into_iter().collect())
        }
        Schema(text) => schema(SchemaSyntax::Cedar, format!("{SCHEMA}\n{text}")).err().map(of).unwrap_or_default(),
        SchemaJson(more) => {
            let (base, _) = cedar_policy::SchemaFragment::from_cedarschema_str(SCHEMA).unwrap();
            let mut json = base.to_json_value().unwrap();
            merge(&mut json, more);
            schema(SchemaSyntax::Json, json.to_string()).err().map(of).unwrap_or_default()
        }
        Model(text) => {
            let store = Store {
                model: Box::leak(
                    MODEL.replace("condition in_office(", &format!("{text}condition in_office(")).into_boxed_str(),
                ),
                ..store
            };
            store.compile(TEMPLATE).err().map(of).unwrap_or_default()
        }
        Entity(json) => {
            let input: EntityInput = serde_json::from_value(json.clone()).unwrap();
            let release = store.compile(TEMPLATE).unwrap();
            let mut rules = release.data_rules();
            if validation == Validation::Off {
                rules.schema = None;
            }
            let problems = read_entity(&input, rules, "").err().unwrap_or_default();
            problems.into_iter().map(|problem| problem.code.to_owned()).collect()
        }
        Ask(body) => {
            match decide(&store.snapshot(store.compile(TEMPLATE).unwrap(), &[]), &request(body), &Limits::default()) {
                Ok(_) => BTreeSet::new(),
                Err(DecideError::InvalidInput { problems }) => {
                    problems.into_iter().map(|p| p.code.to_owned()).collect()
                }
                Err(other) => panic!("{other}"),
            }
        }
        Tuple(text) => {
            let release = store.compile(TEMPLATE).unwrap();
            let Ok(key) = TupleKey::parse(text) else { return BTreeSet::from(["malformed_tuple".to_owned()]) };
            let tuple = crate::relation::Tuple { key, condition: None, expires_at: None };
            let refused = release.model().unwrap().check_tuple(&tuple).err();
            refused.map(|_| "invalid_tuple".to_owned()).into_iter().collect()
        }
    }
}

fn schema(syntax: SchemaSyntax, text: String) -> Result<Release, Vec<Problem>> {
    let source = ModelSource { syntax: ModelSyntax::Dsl, file: None, text: MODEL.to_owned() };
    let model = Some(Arc::new(RelationModel::read("m", source)?.0));
    let policies = split_policies(None, TEMPLATE);
    let sources = Sources { schema: Some(SchemaSource { syntax, file: None, text }), model, policies: &policies };
    Ok(Release::compile("r", sources, &crate::CompileOptions::default(), None)?.release)
}

fn merge(into: &mut Json, more: &Json) {
    let Json::Object(more) = more else { return *into = more.clone() };
    if into.is_null() {
        *into = json!({});
    }
    for (key, value) in more {
        merge(&mut into[key], value);
    }
}

/// A value at a place where any value may stand.
fn attribute(value: Json) -> Said {
    Entity(json!({"uid": "Team:t", "attrs": {"x": value}}))
}

/// As [`attribute`], in the context.
fn context(value: Json) -> Said {
    Ask(json!({"context": {"x": value}}))
}

fn facts() -> Json {
    json!({"type": "AuthX::Facts", "id": "of this request"})
}

#[rustfmt::skip]
fn ways() -> Vec<(Said, &'static str)> {
    let literal = |side: &str, uid: &str| {
        let mut policy = json!({"effect": "permit", "principal": {"op": "All"}, "action": {"op": "All"}, "resource": {"op": "All"}, "conditions": []});
        policy[side] = json!({"op": "==", "entity": {"type": uid, "id": "x"}});
        PolicyJson(policy)
    };
    let when = |body: Json| PolicyJson(json!({"effect": "permit", "principal": {"op": "All"}, "action": {"op": "All"}, "resource": {"op": "All"}, "conditions": [{"kind": "when", "body": body}]}));
    let var = |name: &str| json!({"Var": name});
    vec![
        // Conditions.
        (Condition("principal == AuthX::Userset::\"x\""), RESERVED),
        (Condition("AuthX::Facts::\"of this request\".x"), RESERVED),
        (Condition("AuthX::Facts::\"of this request\" has x"), RESERVED),
        (Condition("AuthX::Facts::\"of this request\"[\"principal in resource.rel.viewer\"]"), RESERVED),
        (Condition("principal in AuthX::Userset::\"x\""), RESERVED),
        (Condition("principal in [Group::\"g\", AuthX::Userset::\"x\"]"), RESERVED),
        (Condition("[AuthX::Userset::\"x\"].contains(principal)"), RESERVED),
        (Condition("{a: AuthX::Userset::\"x\"}.a == principal"), RESERVED),
        (Condition("(if true then AuthX::Userset::\"x\" else AuthX::Userset::\"y\") == principal"), RESERVED),
        (Condition("AuthX::Userset::\"x\" in resource.rel.viewer"), RESERVED),
        (Condition("principal in AuthX::Userset::\"x\".rel.viewer"), RESERVED),
        (Condition("principal in [AuthX::Userset::\"x\".rel.viewer]"), RESERVED),
        (Condition("principal in (if AuthX::A::\"x\" == principal then resource.rel.viewer else resource.rel.editor)"), RESERVED),
        (Condition("AuthX::Userset::\"x\".getTag(\"t\") == principal"), RESERVED),
        (Condition("principal.hasTag(\"t\") && AuthX::A::\"x\".hasTag(\"t\")"), RESERVED),
        (Condition("principal is AuthX::Userset"), RESERVED),
        (Condition("principal is AuthX"), RESERVED),
        (Condition("principal == AuthX::\"x\""), RESERVED),
        (Condition("principal is AuthX::Deep::Userset"), RESERVED),
        (Condition("principal is User in AuthX::Userset::\"x\""), RESERVED),
        (Condition("action == AuthX::Action::\"x\""), RESERVED),
        (Condition("action in [AuthX::Action::\"x\"]"), RESERVED),
        (Condition("principal == resource.rel.viewer"), MISPLACED),
        (Condition("resource has rel"), MISPLACED),
        (Condition("resource has owner.rel"), MISPLACED),
        (Condition("resource[\"rel\"] == principal"), MISPLACED),
        (Condition("context.rel == 1"), MISPLACED),
        (Condition("{rel: principal}.rel == principal"), MISPLACED),
        (Condition("{\"rel\": 1} == {\"rel\": 1}"), MISPLACED),
        (Condition("principal in resource.rel"), MISPLACED),
        (Condition("principal in resource.rel.rel.viewer"), MISPLACED),
        (Condition("resource.getTag(\"rel\") == principal"), NOTHING), // a tag is no attribute
        (Condition("principal == User::\"AuthX::Userset\""), NOTHING), // an id is any text
        (Condition("\"AuthX::Userset::x\" like \"AuthX::*\""), NOTHING),
        // Heads.
        (Policy("permit(principal == AuthX::Userset::\"x\", action, resource);"), RESERVED),
        (Policy("permit(principal in AuthX::Userset::\"x\", action, resource);"), RESERVED),
        (Policy("permit(principal is AuthX::Userset, action, resource);"), RESERVED),
        (Policy("permit(principal is AuthX::Userset in Group::\"g\", action, resource);"), RESERVED),
        (Policy("permit(principal is User in AuthX::Userset::\"x\", action, resource);"), RESERVED),
        (Policy("permit(principal, action == AuthX::Action::\"x\", resource);"), RESERVED),
        (Policy("permit(principal, action in AuthX::Action::\"x\", resource);"), RESERVED),
        (Policy("permit(principal, action in [Action::\"read\", AuthX::Action::\"x\"], resource);"), RESERVED),
        (Policy("permit(principal, action, resource == AuthX::Userset::\"x\");"), RESERVED),
        (Policy("permit(principal, action, resource in AuthX::Userset::\"x\");"), RESERVED),
        (Policy("permit(principal, action, resource is AuthX::Userset);"), RESERVED),
        (Policy("permit(principal, action, resource is Document in AuthX::Userset::\"x\");"), RESERVED),
        (Policy("forbid(principal == ?principal, action, resource in AuthX::Userset::\"x\");"), RESERVED),
        (Policy("forbid(principal is AuthX::Userset in ?principal, action, resource);"), RESERVED),
        (Policy("forbid(principal == ?principal, action, resource) when { resource is AuthX::Userset };"), RESERVED),
        (Policy("@advice(\"AuthX::Userset, rel\") permit(principal, action, resource);"), NOTHING),
        (Policy("@id(\"rel\") permit(principal, action, resource);"), NOTHING),
        (Policy("@id(\"AuthX::x\") permit(principal, action, resource);"), "invalid_policy_id"),
        // Cedar's JSON.
        (literal("principal", "AuthX::Userset"), RESERVED),
        (literal("action", "AuthX::Action"), RESERVED),
        (literal("resource", "AuthX::Userset"), RESERVED),
        (when(json!({"==": {"left": var("principal"), "right": {"Value": {"__entity": {"type": "AuthX::Userset", "id": "x"}}}}})), RESERVED),
        (when(json!({"is": {"left": var("principal"), "entity_type": "AuthX::Userset"}})), RESERVED),
        (when(json!({"has": {"left": var("resource"), "attr": "rel"}})), MISPLACED),
        (when(json!({"==": {"left": {"Record": {"rel": var("principal")}}, "right": {"Record": {}}}})), MISPLACED),
        // Links.
        (Link(json!({"principal": "AuthX::Userset:x", "resource": "Document:d"})), RESERVED),
        (Link(json!({"principal": "User:u", "resource": "AuthX::Facts::\"of this request\""})), RESERVED),
        (Link(json!({"principal": {"__entity": facts()}, "resource": "Document:d"})), RESERVED),
        (Link(json!({"principal": "User:AuthX::Userset", "resource": "Document:rel"})), NOTHING),
        // Schemas.
        (Schema("namespace AuthX { entity Userset; }"), RESERVED),
        (Schema("namespace AuthX { type T = Long; }"), RESERVED),
        (Schema("namespace AuthX { action a; }"), RESERVED),
        (Schema("namespace AuthX::Deep { entity E; }"), RESERVED),
        (Schema("entity AuthX;"), RESERVED),
        (Schema("entity Userset;"), RESERVED), // Cedar would take it for `AuthX::Userset`
        (Schema("type Userset = Long;"), RESERVED),
        (Schema("entity E = { rel: Long };"), RESERVED),
        (Schema("entity E = { \"rel\"?: Long };"), RESERVED),
        (Schema("entity E = { a: Set<{ b: { rel: String } }> };"), RESERVED),
        (Schema("entity E tags { rel: String };"), RESERVED),
        (Schema("type T = { rel: Long };"), RESERVED),
        (Schema("namespace N { entity E = { rel: Long }; }"), RESERVED),
        (Schema("action a appliesTo { principal: User, resource: Document, context: { rel: Long } };"), RESERVED),
        (Schema("entity E = { a: AuthX::Userset };"), "schema_invalid"), // there is no such type
        (Schema("entity E in [AuthX::Userset];"), "schema_invalid"),
        (Schema("entity E tags AuthX::Userset;"), "schema_invalid"),
        (Schema("type T = Set<AuthX::Userset>;"), "schema_invalid"),
        (Schema("action a appliesTo { principal: AuthX::Userset, resource: Document };"), "schema_invalid"),
        (Schema("action a in [AuthX::Action::\"b\"];"), "schema_invalid"),
        (Schema("@rebac(\"employee\") entity AuthX::User;"), "schema_invalid"),
        (Schema("entity rel; action \"rel\"; namespace N { entity AuthX; }"), NOTHING), // no attribute, no namespace
        (SchemaJson(json!({"AuthX": {"entityTypes": {"Userset": {}}, "actions": {}}})), RESERVED),
        (SchemaJson(json!({"AuthX::Deep": {"entityTypes": {}, "actions": {}}})), RESERVED),
        (SchemaJson(json!({"": {"entityTypes": {"E": {"shape": {"type": "Record", "attributes": {"rel": {"type": "Long"}}}}}}})), RESERVED),
        (SchemaJson(json!({"": {"entityTypes": {"E": {"tags": {"type": "Record", "attributes": {"rel": {"type": "Long"}}}}}}})), RESERVED),
        (SchemaJson(json!({"": {"commonTypes": {"T": {"type": "Set", "element": {"type": "Record", "attributes": {"rel": {"type": "Long"}}}}}}})), RESERVED),
        (SchemaJson(json!({"": {"actions": {"a": {"appliesTo": {"principalTypes": ["User"], "resourceTypes": ["User"], "context": {"type": "Record", "attributes": {"rel": {"type": "Long"}}}}}}}})), RESERVED),
        (SchemaJson(json!({"": {"entityTypes": {"E": {"shape": {"type": "Record", "attributes": {"a": {"type": "Entity", "name": "AuthX::Userset"}}}}}}})), "schema_invalid"),
        (SchemaJson(json!({"": {"entityTypes": {"E": {"memberOfTypes": ["AuthX::Userset"]}}}})), "schema_invalid"),
        // The model has its own names: none of them is an entity type or an attribute.
        (Model("type AuthX\n  relations\n    define rel: [employee]\n"), NOTHING),
        (Model("type rel\n"), NOTHING),
        (Model("type AuthX::Userset\n"), "model_syntax"),
        // Entities to store.
        (Entity(json!({"uid": "AuthX::Userset:x"})), RESERVED),
        (Entity(json!({"uid": {"type": "AuthX::Userset", "id": "x"}})), RESERVED),
        (Entity(json!({"uid": {"__entity": facts()}})), RESERVED),
        (Entity(json!({"uid": "AuthX:x"})), RESERVED),
        (Entity(json!({"uid": "User::\"u\"", "attrs": {"level": 1}, "parents": ["AuthX::Userset:x"]})), RESERVED),
        (Entity(json!({"uid": "Team:t", "parents": [facts()]})), RESERVED),
        (Entity(json!({"uid": "Team:t", "attrs": {"rel": {}}})), RESERVED),
        (Entity(json!({"uid": "Document:d", "attrs": {"rel": {"viewer": {"__entity": {"type": "User", "id": "eve"}}}}})), RESERVED),
        (Entity(json!({"uid": "Team:t", "tags": {"x": {"__entity": facts()}}})), RESERVED),
        (Entity(json!({"uid": "Team:t", "tags": {"x": {"rel": 1}}})), RESERVED),
        (attribute(json!({"__entity": facts()})), RESERVED),
        (attribute(json!({"__entity": "AuthX::Userset:x"})), RESERVED),
        (attribute(json!({"__entity": "AuthX::Userset::\"x\""})), RESERVED),
        (attribute(json!({"__entity": " AuthX :: Userset::\"\\n\""})), RESERVED), // as Cedar's parser reads it
        (attribute(json!({"__entity": {"__entity": facts()}})), RESERVED),
        (attribute(facts()), RESERVED), // the form of a declared entity
        (attribute(json!({"type": "AuthX", "id": "x"})), RESERVED),
        (attribute(json!({"type": "AuthX::Userset"})), NOTHING), // a record, which lacks an id
        (attribute(json!([[{"__entity": facts()}]])), RESERVED),
        (attribute(json!({"a": {"b": {"__entity": facts()}}})), RESERVED),
        (attribute(json!({"a": [{"rel": null}]})), RESERVED),
        // Requests.
        (Ask(json!({"principal": "AuthX::Userset:x"})), RESERVED),
        (Ask(json!({"principal": "AuthX:x"})), RESERVED),
        (Ask(json!({"action": "AuthX::Action:read"})), RESERVED),
        (Ask(json!({"action": "AuthX::Action::\"read\""})), RESERVED),
        (Ask(json!({"action": "AuthX::Userset::\"x\""})), RESERVED),
        (Ask(json!({"action": "AuthX::Userset:x"})), NOTHING), // the name of an action
        (Ask(json!({"resource": "AuthX::Facts::\"of this request\""})), RESERVED),
        (Ask(json!({"context": {"rel": 1}})), RESERVED),
        (context(json!({"rel": 1})), RESERVED),
        (context(json!([{"__entity": facts()}])), RESERVED),
        (context(json!({"__entity": "AuthX::Userset:x"})), RESERVED),
        (context(json!({"__entity": "//\nAuthX::Userset::\"\\n\""})), RESERVED),
        (context(facts()), RESERVED),
        (context(json!("AuthX::Userset::\"x\"")), NOTHING), // a text
        (Ask(json!({"entities": [{"uid": "AuthX::Userset:x"}]})), RESERVED),
        (Ask(json!({"entities": [{"uid": {"__entity": facts()}, "attrs": {"principal in resource.rel.viewer": true}}]})), RESERVED),
        (Ask(json!({"entities": [{"uid": "AuthX::Action:read"}]})), RESERVED),
        (Ask(json!({"entities": [{"uid": "Document:plan", "attrs": {"rel": {"viewer": {"__entity": {"type": "User", "id": "bob"}}}}}]})), RESERVED),
        (Ask(json!({"entities": [{"uid": "Document:plan", "attrs": {"owner": facts()}}]})), RESERVED),
        (Ask(json!({"entities": [{"uid": "User:bob", "attrs": {"level": 1}, "parents": ["AuthX::Userset:x"]}]})), RESERVED),
        (Ask(json!({"entities": [{"uid": "Document:plan", "tags": {"x": {"__entity": facts()}}}]})), RESERVED),
        (Ask(json!({"entities": [{"uid": "User:bob", "attrs": {"level": 1}, "parents": ["Group:core"]}]})), "linked_parent"),
        (Entity(json!({"uid": "User:bob", "attrs": {"level": 1}, "parents": ["Group:core"]})), "linked_parent"),
        // Tuples speak of objects; what their text names is an entity only by its linked type and the map of ids.
        (Tuple("AuthX::Userset:x#viewer@employee:bob"), "invalid_tuple"),
        (Tuple("document:plan#viewer@AuthX::Userset:x"), "invalid_tuple"),
        (Tuple("document:plan#rel@employee:bob"), "invalid_tuple"),
        (Tuple("document:plan#viewer@group:core#rel"), "invalid_tuple"),
        (Tuple("document:AuthX%3A%3AUserset#viewer@employee:bob"), NOTHING), // `Document::"AuthX::Userset"`
    ]
}

#[test]
fn what_is_reserved_is_refused_everywhere() {
    for (number, (said, code)) in ways().into_iter().enumerate() {
        for validation in [Validation::Strict, Validation::Off] {
            let found = codes(&said, validation);
            let at = format!("way {number}, {validation:?}, found {found:?}: {}", told(&said));
            // In strict validation the schema has its say of the same, too.
            let (strict, taken) = (validation == Validation::Strict, code == NOTHING);
            let only_schema = || found.iter().all(|code| SCHEMA_SAYS.contains(&code.as_str()));
            match (taken, strict) {
                (true, true) => assert!(only_schema(), "{at}"),
                (true, false) => assert!(found.is_empty(), "{at}"),
                (false, true) => assert!(found.contains(code), "{at}"),
                (false, false) => assert_eq!(found, BTreeSet::from([code.to_owned()]), "{at}"),
            }
        }
    }
}

const SCHEMA_SAYS: [&str; 3] = ["policy_invalid", "policy_warning", "undeclared_attribute"];

fn told(said: &Said) -> String {
    match said {
        Condition(text) | Policy(text) | Schema(text) | Model(text) | Tuple(text) => (*text).to_owned(),
        PolicyJson(json) | Link(json) | SchemaJson(json) | Entity(json) | Ask(json) => json.to_string(),
    }
}
