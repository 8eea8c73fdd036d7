//! OpenFGA's API: its codes, statuses, bodies, headers and pages. Answers are held by OpenFGA's own suites.

use serde_json::{Value, json};

use crate::support::{Client, Launch, Reply};

fn this(types: &Value) -> Value {
    json!({"relations": {"viewer": {"this": {}}}, "metadata": {"relations": {"viewer": {"directly_related_user_types": types}}}})
}

/// `doc#viewer: [user, user:*, group#member, user with small]`, `group#member: [user]`.
fn model() -> Value {
    let mut doc = this(&json!([
        {"type": "user"}, {"type": "user", "wildcard": {}}, {"type": "group", "relation": "member"},
        {"type": "user", "condition": "small"},
    ]));
    doc["type"] = json!("doc");
    let group = json!({"type": "group", "relations": {"member": {"this": {}}},
        "metadata": {"relations": {"member": {"directly_related_user_types": [{"type": "user"}]}}}});
    let small = json!({"name": "small", "expression": "x < 100", "parameters": {"x": {"type_name": "TYPE_NAME_INT"}}});
    json!({"schema_version": "1.1", "type_definitions": [{"type": "user"}, group, doc], "conditions": {"small": small}})
}

pub(crate) fn key(user: &str, relation: &str, object: &str) -> Value {
    json!({"user": user, "relation": relation, "object": object})
}

/// A store with the model; its path and the model's id.
pub(crate) fn store(client: &Client) -> (String, String) {
    let made = client.post("/stores", &json!({"name": "a store"})).expect(201);
    let path = format!("/stores/{}", made["id"].as_str().unwrap());
    let written = client.post(&format!("{path}/authorization-models"), &model()).expect(201);
    (path, written["authorization_model_id"].as_str().unwrap().to_owned())
}

pub(crate) fn write(client: &Client, path: &str, keys: &[Value]) -> Reply {
    client.post(&format!("{path}/write"), &json!({"writes": {"tuple_keys": keys}}))
}

#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str) {
    let body = reply.value();
    assert_eq!((reply.status, body["code"].as_str()), (status, Some(code)), "{}", reply.text());
    assert!(!body["message"].as_str().unwrap_or_default().is_empty(), "{body}");
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_code_has_its_status_and_body() {
    let server = Launch::dev().start();
    let c = server.anyone();
    let (path, model_id) = store(&c);
    let at = |rest: &str| format!("{path}{rest}");
    let absent = "01JD0000000000000000000000";
    let doc = key("user:ann", "viewer", "doc:1");
    write(&c, &path, std::slice::from_ref(&doc)).expect(200);
    let writes = |keys: &[Value]| json!({"writes": {"tuple_keys": keys}});
    let check = |key: &Value| json!({"tuple_key": key});
    let many: Vec<Value> = (0..101).map(|n| key(&format!("user:{n}"), "viewer", "doc:1")).collect();
    let chain = {
        let mut types = vec![json!({"type": "user"})];
        let mut relations = json!({"a0": {"this": {}}});
        let mut metadata = json!({"a0": {"directly_related_user_types": [{"type": "user"}]}});
        for n in 1..=27 {
            relations[format!("a{n}")] = json!({"this": {}});
            let from = json!([{"type": "deep", "relation": format!("a{}", n - 1)}]);
            metadata[format!("a{n}")] = json!({"directly_related_user_types": from});
        }
        types.push(json!({"type": "deep", "relations": relations, "metadata": {"relations": metadata}}));
        json!({"schema_version": "1.1", "type_definitions": types})
    };
    let cases: Vec<(&str, String, Value, u16, &str)> = vec![
        ("POST", at("/check"), check(&key("ann", "viewer", "doc:1")), 400, "validation_error"),
        ("POST", at("/check"), check(&key("user:ann", "nope", "doc:1")), 400, "validation_error"),
        ("POST", at("/check"), check(&key("user:ann", "viewer", "nope:1")), 400, "validation_error"),
        ("POST", at("/check"), json!({}), 400, "validation_error"),
        (
            "POST",
            at("/check"),
            json!({"tuple_key": doc, "authorization_model_id": absent}),
            400,
            "authorization_model_not_found",
        ),
        ("POST", at("/check"), json!({"tuple_key": doc, "authorization_model_id": "x"}), 400, "validation_error"),
        ("POST", format!("/stores/{absent}/check"), check(&doc), 400, "latest_authorization_model_not_found"),
        (
            "POST",
            at("/check"),
            json!({"tuple_key": doc, "contextual_tuples": {"tuple_keys": [key("doc:2", "viewer", "doc:1")]}}),
            400,
            "invalid_tuple",
        ),
        ("POST", at("/batch-check"), json!({"checks": []}), 400, "validation_error"),
        (
            "POST",
            at("/batch-check"),
            json!({"checks": [{"tuple_key": doc, "correlation_id": "a b"}]}),
            400,
            "validation_error",
        ),
        (
            "POST",
            at("/list-objects"),
            json!({"type": "nope", "relation": "viewer", "user": "user:ann"}),
            400,
            "type_not_found",
        ),
        (
            "POST",
            at("/list-objects"),
            json!({"type": "doc", "relation": "nope", "user": "user:ann"}),
            400,
            "relation_not_found",
        ),
        (
            "POST",
            at("/list-users"),
            json!({"object": {"type": "doc", "id": "1"}, "relation": "viewer", "user_filters": []}),
            400,
            "validation_error",
        ),
        (
            "POST",
            at("/list-users"),
            json!({"object": {"type": "doc", "id": "1"}, "relation": "nope", "user_filters": [{"type": "user"}]}),
            400,
            "relation_not_found",
        ),
        ("POST", at("/expand"), json!({"tuple_key": {"object": "doc:1"}}), 400, "validation_error"),
        ("POST", at("/write"), json!({}), 400, "invalid_write_input"),
        (
            "POST",
            at("/write"),
            writes(&[doc.clone(), doc.clone()]),
            400,
            "cannot_allow_duplicate_tuples_in_one_request",
        ),
        (
            "POST",
            at("/write"),
            json!({"writes": {"tuple_keys": [doc]}, "deletes": {"tuple_keys": [doc]}}),
            400,
            "cannot_allow_duplicate_tuples_in_one_request",
        ),
        ("POST", at("/write"), writes(&many), 400, "exceeded_entity_limit"),
        ("POST", at("/write"), writes(std::slice::from_ref(&doc)), 400, "write_failed_due_to_invalid_input"),
        (
            "POST",
            at("/write"),
            json!({"deletes": {"tuple_keys": [key("user:bob", "viewer", "doc:1")]}}),
            400,
            "write_failed_due_to_invalid_input",
        ),
        ("POST", at("/write"), writes(&[key("doc:1#viewer", "viewer", "doc:1")]), 400, "validation_error"),
        ("POST", at("/write"), writes(&[key("group:x", "viewer", "doc:2")]), 400, "validation_error"),
        ("POST", at("/write"), writes(&[key("user:a b", "viewer", "doc:2")]), 400, "validation_error"),
        (
            "POST",
            at("/write"),
            writes(&[key(&format!("user:{}", "u".repeat(508)), "viewer", "doc:2")]),
            400,
            "validation_error",
        ),
        (
            "POST",
            at("/write"),
            json!({"writes": {"tuple_keys": [doc], "on_duplicate": "maybe"}}),
            400,
            "validation_error",
        ),
        ("POST", at("/read"), json!({"tuple_key": {"object": "doc:"}}), 400, "validation_error"),
        ("POST", at("/read"), json!({"continuation_token": "x"}), 400, "invalid_continuation_token"),
        ("POST", at("/read"), json!({"page_size": 101}), 400, "validation_error"),
        ("GET", at("/changes?continuation_token=x"), Value::Null, 400, "invalid_continuation_token"),
        ("GET", at("/changes?start_time=yesterday"), Value::Null, 400, "invalid_start_time"),
        (
            "POST",
            at("/authorization-models"),
            json!({"schema_version": "1.1", "type_definitions": []}),
            400,
            "validation_error",
        ),
        (
            "POST",
            at("/authorization-models"),
            json!({"schema_version": "1.1", "type_definitions": [{"type": "a", "relations": {"r": {"computedUserset": {"relation": "q"}}}}]}),
            400,
            "invalid_authorization_model",
        ),
        ("GET", at(&format!("/authorization-models/{absent}")), Value::Null, 400, "authorization_model_not_found"),
        ("GET", format!("/stores/{absent}"), Value::Null, 404, "store_id_not_found"),
        ("GET", at("/nothing/here"), Value::Null, 404, "undefined_endpoint"),
        ("POST", "/stores".to_owned(), json!({"name": "x"}), 400, "validation_error"),
    ];
    let count = cases.len();
    for (method, path, body, status, code) in cases {
        let reply = if body.is_null() { c.send(method, &path, &[], b"") } else { c.json(method, &path, &body) };
        assert_eq!(reply.status, status, "{method} {path} {body}: {}", reply.text());
        refused(&reply, status, code);
    }
    println!("{count} refusals");
    // A tuple that is there with another condition is a conflict, not an error of the client's making.
    let other = json!({"user": "user:ann", "relation": "viewer", "object": "doc:1", "condition": {"name": "small"}});
    let body = json!({"writes": {"tuple_keys": [other], "on_duplicate": "ignore"}});
    refused(&c.post(&at("/write"), &body), 409, "Aborted");
    // A chain of more than 25 steps.
    c.post(&at("/authorization-models"), &chain).expect(201);
    let steps: Vec<Value> = (1..=27).map(|n| key(&format!("deep:1#a{}", n - 1), &format!("a{n}"), "deep:1")).collect();
    write(&c, &path, &steps).expect(200);
    write(&c, &path, &[key("user:ann", "a0", "deep:1")]).expect(200);
    let deep = c.post(&at("/check"), &check(&key("user:ann", "a27", "deep:1")));
    refused(&deep, 400, "authorization_model_resolution_too_complex");
    // The first model is still there, by its id.
    let old = c.post(&at("/check"), &json!({"tuple_key": doc, "authorization_model_id": model_id}));
    assert_eq!(old.expect(200)["allowed"], true);
    // A page of changes goes on for the type that it began with.
    let page = c.get(&at("/changes?page_size=1&type=doc")).expect(200);
    let token = page["continuation_token"].as_str().unwrap();
    let mismatch = c.get(&at(&format!("/changes?type=deep&continuation_token={token}")));
    refused(&mismatch, 400, "query_string_type_continuation_token_mismatch");
}

#[test]
fn conditions_tell_what_they_miss() {
    let server = Launch::dev().start();
    let c = server.anyone();
    let (path, _) = store(&c);
    let conditioned = json!({"user": "user:ann", "relation": "viewer", "object": "doc:1", "condition": {"name": "small", "context": {}}});
    write(&c, &path, &[conditioned]).expect(200);
    let ask = |context: Value| {
        let body = json!({"tuple_key": key("user:ann", "viewer", "doc:1"), "context": context});
        c.post(&format!("{path}/check"), &body)
    };
    assert_eq!(ask(json!({"x": 7})).expect(200)["allowed"], true);
    assert_eq!(ask(json!({"x": 700})).expect(200)["allowed"], false);
    let missing = ask(json!({}));
    refused(&missing, 400, "validation_error");
    assert!(missing.text().contains("is missing context parameters '[x]'"), "{}", missing.text());
    refused(&ask(json!({"x": "seven"})), 400, "validation_error");
}

#[test]
fn pages_fit_together_and_tokens_are_the_servers_own() {
    let server = Launch::dev().start();
    let c = server.anyone();
    let (path, _) = store(&c);
    let keys: Vec<Value> = (0..25).map(|n| key(&format!("user:u{n:02}"), "viewer", "doc:1")).collect();
    write(&c, &path, &keys).expect(200);
    let pages = |ask: &dyn Fn(&str) -> Value, list: &str| {
        let (mut token, mut rows) = (String::new(), Vec::new());
        loop {
            let page = ask(&token);
            rows.extend(page[list].as_array().unwrap().iter().cloned());
            token = page["continuation_token"].as_str().unwrap().to_owned();
            if token.is_empty() || page[list].as_array().unwrap().is_empty() {
                return rows;
            }
        }
    };
    let read = |token: &str| {
        let body = json!({"tuple_key": {"object": "doc:1"}, "page_size": 4, "continuation_token": token});
        c.post(&format!("{path}/read"), &body).expect(200)
    };
    let users: Vec<Value> = pages(&read, "tuples").iter().map(|row| row["key"]["user"].clone()).collect();
    assert_eq!(users, keys.iter().map(|key| key["user"].clone()).collect::<Vec<_>>());
    let changes = |token: &str| c.get(&format!("{path}/changes?page_size=7&continuation_token={token}")).expect(200);
    assert_eq!(pages(&changes, "changes").len(), 25);
    for n in 0..5 {
        c.post("/stores", &json!({"name": format!("store {n}")})).expect(201);
    }
    let stores = |token: &str| c.get(&format!("/stores?page_size=2&continuation_token={token}")).expect(200);
    assert_eq!(pages(&stores, "stores").len(), 7);
    assert_eq!(c.get("/stores?name=store%203").expect(200)["stores"].as_array().unwrap().len(), 1);
    for _ in 0..4 {
        c.post(&format!("{path}/authorization-models"), &model()).expect(201);
    }
    let models =
        |token: &str| c.get(&format!("{path}/authorization-models?page_size=2&continuation_token={token}")).expect(200);
    let ids: Vec<String> = pages(&models, "authorization_models").iter().map(|m| m["id"].to_string()).collect();
    assert!(ids.len() == 5 && ids.is_sorted_by(|newer, older| newer > older), "{ids:?}");
}

#[test]
fn keys_are_asked_for_and_a_stranger_sees_nothing() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let (path, model_id) = store(&admin);
    write(&admin, &path, &[key("user:ann", "viewer", "doc:1")]).expect(200);
    refused(&server.anyone().get(&path), 401, "bearer_token_missing");
    refused(&server.with_key("axk_wrong").get(&path), 401, "unauthenticated");
    let made = server.platform().post("/v1/tenants", &json!({"name": "other"})).expect(201);
    let stranger = server.with_key(made["admin_key"]["secret"].as_str().unwrap());
    let absent = "/stores/01JD0000000000000000000000";
    let check = json!({"tuple_key": key("user:ann", "viewer", "doc:1")});
    let posts = [
        ("/check", check.clone()),
        ("/batch-check", json!({"checks": [{"tuple_key": check["tuple_key"], "correlation_id": "a"}]})),
        ("/expand", check.clone()),
        ("/list-objects", json!({"type": "doc", "relation": "viewer", "user": "user:ann"})),
        ("/streamed-list-objects", json!({"type": "doc", "relation": "viewer", "user": "user:ann"})),
        (
            "/list-users",
            json!({"object": {"type": "doc", "id": "1"}, "relation": "viewer", "user_filters": [{"type": "user"}]}),
        ),
        ("/write", json!({"writes": {"tuple_keys": [key("user:eve", "viewer", "doc:1")]}})),
        ("/read", json!({})),
        ("/authorization-models", model()),
    ];
    for (rest, body) in &posts {
        let (theirs, none) =
            (stranger.post(&format!("{path}{rest}"), body), stranger.post(&format!("{absent}{rest}"), body));
        assert!(theirs.status >= 400, "{rest}: {}", theirs.text());
        assert_eq!((theirs.status, theirs.text()), (none.status, none.text()), "{rest}");
    }
    for rest in [
        "",
        "/changes",
        "/authorization-models",
        &format!("/authorization-models/{model_id}"),
        &format!("/assertions/{model_id}"),
    ] {
        let (theirs, none) = (stranger.get(&format!("{path}{rest}")), stranger.get(&format!("{absent}{rest}")));
        assert_eq!((theirs.status, theirs.text()), (404, none.text()), "{rest}");
    }
    stranger.delete(&path).expect(204);
    assert!(stranger.get("/stores").expect(200)["stores"].as_array().unwrap().is_empty());
    assert_eq!(admin.post(&format!("{path}/check"), &check).expect(200)["allowed"], true);
    let reply = admin.post(&format!("{path}/check"), &check);
    let header = |name: &str| reply.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
    assert_eq!(header("openfga-authorization-model-id"), Some(model_id));
    assert_eq!(header("openfga-store-id"), path.strip_prefix("/stores/").map(str::to_owned));
    assert!(header("x-request-id").is_some());
}

#[test]
fn odd_names_are_answered_exactly_or_refused() {
    let server = Launch::dev().start();
    let c = server.anyone();
    let (path, _) = store(&c);
    let odd = [
        "a@b",
        "a:b:c",
        "a/b",
        "ü",
        "日本",
        "a%2Ab",
        "'; DROP TABLE tuples; --",
        "\"quoted\"",
        "a|b,c.d",
        "Ann",
        "ann",
    ];
    let odd: Vec<String> = odd.iter().map(|id| id.replace(' ', "_")).chain(["u".repeat(507)]).collect();
    for id in &odd {
        write(&c, &path, &[key(&format!("user:{id}"), "viewer", "doc:odd")]).expect(200);
    }
    let ask = |id: &str| {
        let body = json!({"tuple_key": key(&format!("user:{id}"), "viewer", "doc:odd")});
        c.post(&format!("{path}/check"), &body).expect(200)["allowed"].as_bool().unwrap()
    };
    for id in &odd {
        assert!(ask(id), "{id}");
    }
    assert!(!ask("ANN") && !ask("a") && !ask("u"));
    let listed = c.post(
        &format!("{path}/list-users"),
        &json!({"object": {"type": "doc", "id": "odd"}, "relation": "viewer", "user_filters": [{"type": "user"}]}),
    );
    assert_eq!(listed.expect(200)["users"].as_array().unwrap().len(), odd.len());
    for id in ["", "a b", "a\tb", "a\u{0}b", "a\u{1f}b", "a#b#c", "*x y"] {
        refused(&write(&c, &path, &[key(&format!("user:{id}"), "viewer", "doc:odd")]), 400, "validation_error");
    }
}
