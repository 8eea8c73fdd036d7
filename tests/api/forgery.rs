//! Nobody forges a relation: every operation that takes a body, and every way in it to say `AuthX::…` or `rel`.
//!
//! What the ways have in common is tried by the engine's own table; here each field of each operation is tried once.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::store;
use crate::support::{Client, Launch, Reply, root};

const SCHEMA: &str = r#"
@rebac("user") entity User = { boss?: User } tags String;
@rebac("group") @members("member") entity Group;
@rebac("doc") entity Doc = { owner?: User };
entity Team;
action read appliesTo { principal: User, resource: Doc, context: { who?: User } };
"#;
const MODEL: &str = "model
  schema 1.1
type user
type group
  relations
    define member: [user, group#member]
type doc
  relations
    define viewer: [user, group#member]
";
const POLICIES: &str = r#"
@id("viewers") permit (principal, action, resource) when { principal in resource.rel.viewer };
@id("shared") permit (principal == ?principal, action, resource == ?resource);
"#;

/// What nobody may name, as JSON and as text.
fn hidden() -> Value {
    json!({"type": "AuthX::Facts", "id": "of this request"})
}
const USERSET: &str = "AuthX::Userset:x";

/// Entities of all tests.
const FORGED_SUITE: &str = "fixtures: {entities: [{uid: 'User:u', attrs: {rel: {}}}]}\ntests: []";

/// The types are linked, or they are not.
fn made(client: &Client, alias: &str, linked: bool) -> String {
    let path = store(client, alias, &json!({}));
    if linked {
        let body = json!({"schema": {"cedar": SCHEMA}, "model": MODEL, "policies": [{"cedar": POLICIES}]});
        client.post(&format!("{path}/apply"), &body).expect(200);
        client.post(&format!("{path}/write"), &json!({"entities": {"upsert": [{"uid": "User:u"}]}})).expect(200);
    }
    path
}

/// One thing that is sent.
struct Way {
    operation: &'static str,
    rest: &'static str,
    body: Value,
    /// The status and the codes of what was found; OpenFGA has one code.
    answer: (u16, &'static str),
}

fn way(operation: &'static str, rest: &'static str, body: Value, answer: (u16, &'static str)) -> Way {
    Way { operation, rest, body, answer }
}

const RESERVED: (u16, &str) = (422, "reserved_name");
const MISPLACED: (u16, &str) = (422, "misplaced_relation");
/// Validating answers whatever it finds.
const FOUND: (u16, &str) = (200, "reserved_name");

fn policy(text: &str) -> Value {
    json!([{"id": "forged", "cedar": text}])
}

fn forged_json() -> Value {
    json!({"effect": "permit", "principal": {"op": "==", "entity": {"type": "AuthX::Userset", "id": "x"}},
        "action": {"op": "All"}, "resource": {"op": "All"}, "conditions": []})
}

/// Every operation of a release takes the same parts.
fn of_releases() -> Vec<Way> {
    let mut ways = Vec::new();
    for (operation, rest, reserved, misplaced) in [
        ("apply", "/apply", RESERVED, MISPLACED),
        ("apply", "/apply?dry_run=true", RESERVED, MISPLACED),
        ("createRelease", "/releases", RESERVED, MISPLACED),
        ("validate", "/validate", FOUND, (200, "misplaced_relation")),
    ] {
        let with = |more: &str| json!({"schema": {"cedar": format!("{SCHEMA}{more}")}});
        for (body, answer) in [
            (json!({"policies": policy("permit (principal == AuthX::Userset::\"x\", action, resource);")}), reserved),
            (json!({"policies": policy("permit (principal, action == AuthX::Action::\"x\", resource);")}), reserved),
            (
                json!({"policies": policy("permit (principal, action, resource) when { principal is AuthX::Userset };")}),
                reserved,
            ),
            (json!({"policies": policy("permit (principal, action, resource) when { resource has rel };")}), misplaced),
            (
                json!({"policies": policy("permit (principal in ?principal, action, resource is AuthX::Userset);")}),
                reserved,
            ),
            (
                json!({"policies": [{"cedar": "permit (principal, action, resource in AuthX::Userset::\"x\");", "file": "x.cedar"}]}),
                reserved,
            ),
            (json!({"policies": [{"id": "forged", "json": forged_json()}]}), reserved),
            (with("namespace AuthX { entity Userset; }"), reserved),
            (with("entity Extra = { rel: String };"), reserved),
            (with("type Extra = { rel: String };"), reserved),
            (with("action extra appliesTo { principal: User, resource: Doc, context: { rel: String } };"), reserved),
            (with("entity Extra = { set: AuthX::Userset };"), (reserved.0, "schema_invalid")),
            (json!({"model": format!("{MODEL}type AuthX::Userset\n")}), (reserved.0, "model_syntax")),
        ] {
            ways.push(way(operation, rest, body, answer));
        }
    }
    ways
}

fn of_parts() -> Vec<Way> {
    let schema_json = json!({"AuthX": {"entityTypes": {"Userset": {}}, "actions": {}},
        "": {"entityTypes": {"User": {"annotations": {"rebac": "user"}}}, "actions": {}}});
    let attribute_json = json!({"": {"entityTypes": {"User": {"annotations": {"rebac": "user"},
        "shape": {"type": "Record", "attributes": {"rel": {"type": "String"}}}}}, "actions": {}}});
    vec![
        way(
            "putPolicy",
            "/policies/forged",
            json!({"cedar": "permit (principal, action in [AuthX::Action::\"x\"], resource);"}),
            RESERVED,
        ),
        way("putPolicy", "/policies/forged", json!({"json": forged_json()}), RESERVED),
        way(
            "putPolicy",
            "/policies/forged",
            json!({"cedar": "permit (principal, action, resource) when { context.rel };"}),
            MISPLACED,
        ),
        way(
            "putSchema",
            "/schema",
            json!({"cedar": format!("{SCHEMA}entity Extra tags {{ rel: String }};")}),
            RESERVED,
        ),
        way("putSchema", "/schema", json!({"json": schema_json}), RESERVED),
        way("putSchema", "/schema", json!({"json": attribute_json}), RESERVED),
        way("putModel", "/model", json!({"dsl": format!("{MODEL}type AuthX::Userset\n")}), (422, "model_syntax")),
        way("putLink", "/links/l", json!({"template": "shared", "principal": USERSET, "resource": "Doc:d"}), RESERVED),
        way(
            "putLink",
            "/links/l",
            json!({"template": "shared", "principal": "User:u", "resource": {"__entity": hidden()}}),
            RESERVED,
        ),
    ]
}

fn of_data() -> Vec<Way> {
    let linked_parent = (422, "linked_parent");
    let upsert = |entity: Value| json!({"entities": {"upsert": [entity]}});
    let mut ways = Vec::new();
    // What one entity may say is the same whether it is stored or sent along.
    for (entity, answer) in [
        (json!({"uid": USERSET}), RESERVED),
        (json!({"uid": {"__entity": hidden()}, "attrs": {"principal in resource.rel.viewer": true}}), RESERVED),
        (json!({"uid": "AuthX::Action:x"}), RESERVED),
        (json!({"uid": "User:u", "attrs": {"rel": {}}}), RESERVED),
        (json!({"uid": "User:u", "attrs": {"boss": hidden()}}), RESERVED),
        (json!({"uid": "User:u", "attrs": {"boss": {"__entity": "AuthX::Facts::\"\\n\""}}}), RESERVED),
        (json!({"uid": "User:u", "tags": {"t": {"__entity": hidden()}}}), RESERVED),
        (json!({"uid": "Team:t", "parents": [USERSET]}), RESERVED),
        (json!({"uid": "User:u", "parents": ["Group:g"]}), linked_parent),
    ] {
        ways.push(way("write", "/write", upsert(entity.clone()), answer));
        ways.push(way("import", "/import", json!({"entity": entity}), answer));
        ways.push(way("check", "/check", asked("entities", json!([entity])), answer));
    }
    ways.extend(of_patches());
    ways.extend(of_trials());
    for (field, value) in [
        ("principal", json!(USERSET)),
        ("principal", json!({"type": "AuthX::Userset", "id": "x", "properties": {}})),
        ("action", json!("AuthX::Action::\"read\"")),
        ("resource", hidden()),
        ("context", json!({"rel": 1})),
        ("context", json!({"who": hidden()})),
        ("context", json!({"x": [{"__entity": hidden()}]})),
        ("context", json!({"x": {"rel": 1}})),
    ] {
        ways.push(way("check", "/check", asked(field, value), RESERVED));
    }
    // Tuples name objects of the model, which has none of these.
    for (tuple, code) in [
        (json!("AuthX::Userset:x#viewer@user:eve"), "invalid_tuple"),
        (json!("doc:d#viewer@AuthX::Userset:x"), "invalid_tuple"),
        (json!({"object": "doc:d", "relation": "rel", "subject": "user:eve"}), "invalid_tuple"),
        (json!({"object": "doc:d", "relation": "AuthX::viewer", "subject": "user:eve"}), "malformed_tuple"),
    ] {
        let status = if code == "invalid_tuple" { 422 } else { 400 };
        ways.push(way("write", "/write", json!({"tuples": {"write": [tuple]}}), (status, code)));
        ways.push(way("import", "/import", json!({"tuple": tuple}), (status, code)));
        ways.push(way("check", "/check", asked("tuples", json!([tuple])), (400, code)));
        let question = json!({"object": "doc:d", "relation": "viewer", "subject": "user:eve", "tuples": [tuple]});
        ways.push(way("checkRelation", "/relations/check", question, (400, code)));
    }
    ways.extend([
        way(
            "write",
            "/write",
            json!({"tuples": {"delete": ["AuthX::Userset:x#viewer@user:eve"]}}),
            (409, "tuple_missing"),
        ),
        way(
            "checkRelation",
            "/relations/check",
            json!({"object": USERSET, "relation": "viewer", "subject": "user:eve"}),
            (400, "unknown_type"),
        ),
        way(
            "checkRelation",
            "/relations/check",
            json!({"object": "doc:d", "relation": "rel", "subject": "user:eve"}),
            (400, "unknown_relation"),
        ),
        way(
            "checkRelation",
            "/relations/check",
            json!({"object": "doc:d", "relation": "viewer", "subject": USERSET}),
            (400, "unknown_type"),
        ),
        way(
            "expandRelation",
            "/relations/expand",
            json!({"object": USERSET, "relation": "viewer"}),
            (400, "unknown_type"),
        ),
        way(
            "expandRelation",
            "/relations/expand",
            json!({"object": "doc:d", "relation": "rel"}),
            (400, "unknown_relation"),
        ),
        way(
            "import",
            "/import",
            json!({"link": {"id": "l", "template": "shared", "principal": USERSET, "resource": "Doc:d"}}),
            RESERVED,
        ),
        // A filter finds what is stored, and nothing of that name is.
        way("deleteEntities", "/entities/delete-by-filter", json!({"type": "AuthX::Facts"}), (200, "")),
        way("deleteTuples", "/tuples/delete-by-filter", json!({"object": USERSET}), (200, "")),
        way("readTuples", "/tuples/read", json!({"object": USERSET}), (200, "")),
    ]);
    let more: Vec<Way> = ways.iter().filter(|way| way.operation == "check").flat_map(of_a_check).collect();
    ways.extend(more);
    ways
}

/// Policies and data that are tried and not kept.
fn of_trials() -> Vec<Way> {
    vec![
        way(
            "replay",
            "/replay",
            json!({"sources": {"policies": [{"id": "x", "cedar": "permit (principal, action in [AuthX::Action::\"x\"], resource);"}]}}),
            RESERVED,
        ),
        way("runTests", "/tests/run", json!({"suites": [{"file": "x", "text": FORGED_SUITE}]}), FOUND),
    ]
}

/// What a check may say, a check of a batch may, the defaults of one, and a question why.
fn of_a_check(Way { body, answer, .. }: &Way) -> [Way; 3] {
    let fine = json!({"principal": "User:eve", "action": "read", "resource": "Doc:d"});
    let batch = |body| way("checkBatch", "/check/batch", body, *answer);
    [
        batch(json!({"checks": [body, fine]})),
        batch(json!({"defaults": body, "checks": [{}]})),
        way("explain", "/explain", body.clone(), *answer),
    ]
}

/// What a patch may make of an entity is what an entity may say.
fn of_patches() -> Vec<Way> {
    let patches = [
        (json!({"uid": "User:u", "set": {"rel": {}}}), RESERVED),
        (json!({"uid": "User:u", "set": {"boss": hidden()}}), RESERVED),
        (json!({"uid": "User:u", "set": {"boss": {"__entity": hidden()}}}), RESERVED),
        (json!({"uid": "User:u", "set_tags": {"t": {"__entity": hidden()}}}), RESERVED),
        (json!({"uid": "User:u", "add_parents": [USERSET]}), RESERVED),
        (json!({"uid": "User:u", "add_parents": ["Group:g"]}), (422, "linked_parent")),
        // There is none to change.
        (json!({"uid": USERSET, "set": {}}), (422, "entity_missing")),
        (json!({"uid": hidden(), "set": {"principal in resource.rel.viewer": true}}), (422, "entity_missing")),
    ];
    patches.map(|(patch, answer)| way("write", "/write", json!({"entities": {"patch": [patch]}}), answer)).into()
}

/// A question with one field of its own.
fn asked(field: &str, value: Value) -> Value {
    let mut body = json!({"principal": "User:eve", "action": "read", "resource": "Doc:d"});
    body[field] = value;
    body
}

/// Operations with a body that has no place for the name of an entity, a type or an attribute.
const NOWHERE: [(&str, &str); 8] = [
    ("createStore", "a name, which is any text, an alias and settings"),
    ("updateStore", "the same"),
    ("createKey", "a name, scopes and stores"),
    ("updateKey", "the same and when it ends"),
    ("rotateKey", "how long the old secret still works"),
    ("createTenant", "a name"),
    ("updateTenant", "a name and limits"),
    ("eraseDecisions", "ids of decisions, or whom they are about, which is only compared"),
];

fn of_openfga() -> Vec<Way> {
    let key = |object: &str, relation: &str, user: &str| json!({"object": object, "relation": relation, "user": user});
    let invalid = (400, "validation_error");
    let fine = || key("doc:d", "viewer", "user:eve");
    let mut ways = Vec::new();
    for forged in [key(USERSET, "viewer", "user:eve"), key("doc:d", "rel", "user:eve"), key("doc:d", "viewer", USERSET)]
    {
        ways.push(way("/check", "/check", json!({"tuple_key": forged}), invalid));
        ways.push(way(
            "/check",
            "/check",
            json!({"tuple_key": fine(), "contextual_tuples": {"tuple_keys": [forged]}}),
            (400, "invalid_tuple"),
        ));
        ways.push(way("/write", "/write", json!({"writes": {"tuple_keys": [forged]}}), invalid));
        // In a batch each check has its own error.
        let batch = json!({"checks": [{"tuple_key": forged, "correlation_id": "c"}]});
        ways.push(way("/batch-check", "/batch-check", batch, (200, "input_error")));
    }
    // A stream tells the number of a code.
    for (path, [ty, relation, user]) in [
        ("/list-objects", ["type_not_found", "relation_not_found", "validation_error"]),
        ("/streamed-list-objects", ["2021", "2022", "2000"]),
    ] {
        let list = |ty: &str, relation: &str, user: &str| json!({"type": ty, "relation": relation, "user": user});
        ways.push(way(path, path, list("AuthX::Userset", "viewer", "user:eve"), (400, ty)));
        ways.push(way(path, path, list("doc", "rel", "user:eve"), (400, relation)));
        ways.push(way(path, path, list("doc", "viewer", USERSET), (400, user)));
    }
    let users = |ty: &str, relation: &str, filter: &str| json!({"object": {"type": ty, "id": "d"}, "relation": relation, "user_filters": [{"type": filter}]});
    let assertions = |key: Value| json!({"assertions": [{"tuple_key": key, "expectation": true}]});
    let model = |name: &str| json!({"schema_version": "1.1", "type_definitions": [{"type": name}]});
    ways.extend([
        way("/list-users", "/list-users", users("AuthX::Userset", "viewer", "user"), (400, "type_not_found")),
        way("/list-users", "/list-users", users("doc", "rel", "user"), (400, "relation_not_found")),
        way("/list-users", "/list-users", users("doc", "viewer", "AuthX::Userset"), (400, "type_not_found")),
        way("/expand", "/expand", json!({"tuple_key": {"object": USERSET, "relation": "viewer"}}), invalid),
        way("/expand", "/expand", json!({"tuple_key": {"object": "doc:d", "relation": "rel"}}), invalid),
        // What is not stored is not found.
        way("/read", "/read", json!({"tuple_key": key(USERSET, "viewer", "user:eve")}), (200, "")),
        way(
            "/authorization-models",
            "/authorization-models",
            model("AuthX::Userset"),
            (400, "invalid_authorization_model"),
        ),
        way("/assertions/{model}", "/assertions/{model}", assertions(key(USERSET, "viewer", "user:eve")), invalid),
        way("/assertions/{model}", "/assertions/{model}", assertions(key("doc:d", "rel", "user:eve")), invalid),
    ]);
    ways
}

/// The status, and the codes of what was found.
fn outcome(reply: &Reply) -> (u16, BTreeSet<String>) {
    let body = reply.value();
    // Of a batch, what became of its first check.
    let first = &body["results"][0]["error"];
    let (status, body) = match first["status"].as_u64().and_then(|status| u16::try_from(status).ok()) {
        Some(status) => (status, first.clone()),
        None => (reply.status, body),
    };
    let lists = [&body["errors"], &body["problems"], &body["suites"][0]["problems"]];
    let found = lists.into_iter().filter_map(Value::as_array).flatten().map(|item| &item["code"]);
    let mut codes: BTreeSet<String> = found.filter_map(Value::as_str).map(str::to_owned).collect();
    if codes.is_empty() {
        codes.extend(body["code"].as_str().map(str::to_owned));
    }
    codes.extend(body["error"]["code"].as_u64().map(|number| number.to_string()));
    let results = body["result"].as_object().into_iter().flatten();
    codes.extend(results.filter_map(|(_, one)| one["error"].as_object()?.keys().next().cloned()));
    (status, codes)
}

fn try_ways(client: &Client, prefix: &str, ways: Vec<Way>, model: &str) -> BTreeSet<&'static str> {
    let mut tried = BTreeSet::new();
    for Way { operation, rest, body, answer: (status, code) } in ways {
        let method = if operation.starts_with("put") || operation.starts_with("/assertions") { "PUT" } else { "POST" };
        let reply = client.json(method, &format!("{prefix}{}", rest.replace("{model}", model)), &body);
        let (found, codes) = outcome(&reply);
        let wanted = code.is_empty() || codes.contains(code);
        assert!(
            found == status && wanted,
            "{operation} {body}\nwanted {status} {code}\n{found} {codes:?} {}",
            reply.text()
        );
        tried.insert(operation);
    }
    tried
}

#[test]
fn no_operation_takes_what_is_reserved() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = made(&client, "forgery", true);
    let before = client.get(&path).expect(200);
    let mut tried = BTreeSet::new();
    for ways in [of_releases(), of_parts(), of_data()] {
        tried.extend(try_ways(&client, &path, ways, ""));
    }
    tried.extend(NOWHERE.map(|(operation, _)| operation));
    assert_eq!(tried, with_body().iter().map(String::as_str).collect());
    assert_eq!(client.get(&path).expect(200)["revision"], before["revision"], "nothing was written");
}

#[test]
fn no_operation_of_openfgas_takes_what_is_reserved() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = made(&client, "forgery", true);
    let id = client.get(&path).expect(200)["id"].as_str().unwrap().to_owned();
    let model = client.get(&format!("{path}/model")).expect(200)["id"].as_str().unwrap().to_owned();
    let tried = try_ways(&client, &format!("/stores/{id}"), of_openfga(), &model);
    let routes = std::fs::read_to_string(root().join("src/api/routes.rs")).unwrap();
    let of_store = routes.lines().filter(|line| line.contains("post()") || line.contains("put()"));
    let of_store = of_store.filter_map(|line| line.split_once(".service(fga(\"")?.1.split_once('"'));
    let known: BTreeSet<&str> = of_store.map(|(path, _)| path).collect();
    // Making a store takes a name alone.
    assert_eq!(tried, known);
}

/// The operations of openapi.yaml that take a body.
fn with_body() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("openapi.yaml")).unwrap();
    let document: Value = serde_yaml_ng::from_str(&text).unwrap();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let found = operations.filter(|operation| operation.get("requestBody").is_some());
    found.map(|operation| operation["operationId"].as_str().unwrap().to_owned()).collect()
}

/// What is sent beside a name, as other decision points take it, and what only looks like a name.
#[test]
fn what_cannot_reach_a_policy_changes_nothing() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = made(&client, "forgery", true);
    let forged = json!({"rel": {"viewer": "User:eve"}, "boss": hidden()});
    for (field, value) in [
        ("principal", json!({"type": "User", "id": "eve", "properties": forged})),
        ("resource", json!({"type": "Doc", "id": "d", "properties": forged})),
        ("properties", forged.clone()),
        ("rel", forged.clone()),
        ("principal", json!({"type": "User", "id": "AuthX::Userset::\"x\""})),
        ("resource", json!({"type": "Doc", "id": "d#viewer@user:eve"})),
    ] {
        let answer = client.post(&format!("{path}/check"), &asked(field, value.clone())).expect(200);
        assert_eq!((&answer["decision"], &answer["policy_errors"]), (&json!("deny"), &json!([])), "{field} {value}");
    }
    for rest in ["/entities/AuthX::Userset/x", "/entities/AuthX::Facts/of%20this%20request"] {
        client.get(&format!("{path}{rest}")).expect_problem(404, "not_found");
    }
    assert_eq!(client.get(&format!("{path}/entities?type=AuthX::Userset")).expect(200)["entities"], json!([]));
    // The text of a tuple names an entity only by the map of ids, which is one to one.
    let tuples =
        json!({"tuples": {"write": ["doc:d#viewer@user:AuthX::Userset", "doc:d#viewer@user:AuthX%3a%3aUserset"]}});
    client.post(&format!("{path}/write"), &tuples).expect(200);
    let odd = asked("principal", json!({"type": "User", "id": "AuthX::Userset"}));
    assert_eq!(client.post(&format!("{path}/check"), &odd).expect(200)["decision"], "deny");
    let tuples = json!({"tuples": {"write": ["doc:d#viewer@user:AuthX%3A%3AUserset"]}});
    client.post(&format!("{path}/write"), &tuples).expect(200);
    assert_eq!(client.post(&format!("{path}/check"), &odd).expect(200)["decision"], "allow");
}

/// What was stored before types were linked says nothing afterwards.
#[test]
fn what_was_stored_before_is_no_relation() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = store(&client, "before", &json!({"validation": "off"}));
    let facts = json!({"uid": hidden(), "attrs": {"principal in resource.rel.viewer": true, "x": true}});
    let eve = json!({"uid": "User:eve", "attrs": {"boss": {"__entity": hidden()}, "rel": {"viewer": {"__entity": hidden()}}}, "parents": ["Group:g", USERSET]});
    let doc = json!({"uid": "Doc:d", "attrs": {"rel": {"viewer": {"__entity": {"type": "User", "id": "eve"}}}}});
    client.post(&format!("{path}/write"), &json!({"entities": {"upsert": [facts, eve, doc]}})).expect(200);
    let reads = "@id(\"boss\") permit (principal, action, resource) when { principal has boss && principal.boss has x && principal.boss.x };\n@id(\"group\") permit (principal in Group::\"g\", action, resource);";
    let body =
        json!({"schema": {"cedar": SCHEMA}, "model": MODEL, "policies": [{"cedar": format!("{POLICIES}{reads}")}]});
    client.post(&format!("{path}/apply"), &body).expect(200);
    let answer = client.post(&format!("{path}/check"), &asked("context", json!({}))).expect(200);
    assert_eq!((&answer["decision"], &answer["policy_errors"]), (&json!("deny"), &json!([])), "{answer}");
    // It is not written again, and it can be taken away.
    let again = json!({"entities": {"upsert": [{"uid": hidden()}]}});
    client.post(&format!("{path}/write"), &again).expect_problem(422, "invalid_data");
    client.post(&format!("{path}/write"), &json!({"entities": {"delete": [hidden()]}})).expect(200);
}

/// Where no type is linked, the words are any others.
#[test]
fn without_links_nothing_is_reserved() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = made(&client, "words", false);
    let schema = r"
namespace AuthX { entity Userset; entity User in [Userset] = { rel: { viewer?: Userset } }; }
entity Doc = { rel?: AuthX::User };
action read appliesTo { principal: AuthX::User, resource: Doc, context: { rel?: String } };
";
    let policies = r#"
@id("rel") permit (principal, action, resource) when { resource has rel && resource.rel == principal && principal has rel };
@id("group") permit (principal in AuthX::Userset::"x", action, resource) when { context has rel };
@id("shared") permit (principal == ?principal, action, resource);
"#;
    let body = json!({"schema": {"cedar": schema}, "model": MODEL, "policies": [{"cedar": policies}]});
    client.post(&format!("{path}/apply"), &body).expect(200);
    let eve = json!({"type": "AuthX::User", "id": "eve"});
    let entities =
        json!([{"uid": eve, "attrs": {"rel": {}}, "parents": [USERSET]}, {"uid": "Doc:d", "attrs": {"rel": eve}}]);
    client.post(&format!("{path}/write"), &json!({"entities": {"upsert": entities}})).expect(200);
    client.get(&format!("{path}/entities/AuthX::User/eve")).expect(200);
    let ask = |principal: &Value, context: Value| {
        let body = json!({"principal": principal, "action": "read", "resource": "Doc:d", "context": context});
        client.post(&format!("{path}/check"), &body).expect(200)["determining_policies"].clone()
    };
    assert_eq!(ask(&eve, json!({})), json!(["rel"]));
    assert_eq!(ask(&eve, json!({"rel": "x"})), json!(["group", "rel"]));
    let link = json!({"template": "shared", "principal": "AuthX::User:bob"});
    client.put(&format!("{path}/links/l"), &link).expect(200);
    assert_eq!(ask(&json!("AuthX::User:bob"), json!({})), json!(["l"]));
}
