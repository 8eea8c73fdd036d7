//! Requests that are sent again: made once, answered the same.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::store;
use crate::support::{Client, Launch, Reply, Server, root};

fn keyed(client: &Client, method: &str, path: &str, key: &str, body: &Value) -> Reply {
    client.send(method, path, &[("Idempotency-Key", key)], body.to_string().as_bytes())
}

fn user(n: usize) -> Value {
    json!({"entities": {"upsert": [{"uid": format!("User:u{n}"), "attrs": {}, "parents": [], "tags": {}}]}})
}

fn revision(client: &Client, store: &str) -> Value {
    client.get(store).expect(200)["revision"].clone()
}

#[test]
fn fifty_equal_requests_are_one_write_and_fifty_equal_answers() {
    let server = Launch::dev().start();
    let store = store(&server.anyone(), "once", &json!({}));
    let replies: Vec<Reply> = std::thread::scope(|scope| {
        let send = |_| {
            let (client, path) = (server.anyone(), format!("{store}/write"));
            scope.spawn(move || keyed(&client, "POST", &path, "k-1", &user(1)))
        };
        let threads: Vec<_> = (0..50).map(send).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(replies.iter().all(|reply| reply.status == 200 && reply.body == replies[0].body));
    let first = replies.iter().filter(|reply| reply.header("idempotency-replayed").is_none()).count();
    assert_eq!((first, revision(&server.anyone(), &store)), (1, json!(1)));
}

#[test]
fn a_key_is_of_one_request_to_one_operation_of_one_store() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Launch::dev().start_in(dir.path());
    let client = server.anyone();
    let (one, other) = (store(&client, "one", &json!({})), store(&client, "other", &json!({})));
    let template = json!({"policies": [{"id": "t", "cedar": "permit (principal == ?principal, action, resource);"}]});
    for store in [&one, &other] {
        client.post(&format!("{store}/apply"), &template).expect(200);
    }
    let write = |client: &Client, store: &str, key: &str, body: &Value| {
        keyed(client, "POST", &format!("{store}/write"), key, body)
    };
    let first = write(&client, &one, "k", &user(1));
    assert_eq!((first.status, first.header("idempotency-replayed")), (200, None));
    let again = write(&client, &one, "k", &user(1));
    assert_eq!((again.body == first.body, again.header("idempotency-replayed")), (true, Some("true")));
    // By the store's id it is the same store.
    let id = client.get(&one).expect(200)["id"].as_str().unwrap().to_owned();
    assert_eq!(write(&client, &format!("/v1/stores/{id}"), "k", &user(1)).body, first.body);
    write(&client, &one, "k", &user(2)).expect_problem(422, "idempotency_key_reused");
    // The other store, another operation and another thing of it know nothing of the key.
    for reply in [
        write(&client, &other, "k", &user(1)),
        keyed(&client, "PUT", &format!("{one}/links/a"), "k", &json!({"template": "t", "principal": "User:u1"})),
        keyed(&client, "PUT", &format!("{one}/links/b"), "k", &json!({"template": "t", "principal": "User:u1"})),
    ] {
        assert_eq!((reply.status, reply.header("idempotency-replayed")), (200, None), "{}", reply.text());
    }
    let before = revision(&client, &one);
    let link = keyed(&client, "PUT", &format!("{one}/links/a"), "k", &json!({"template": "t", "principal": "User:u1"}));
    assert_eq!((link.header("idempotency-replayed"), revision(&client, &one)), (Some("true"), before));
    // A write that was refused was not made: the next one under its key is.
    let refused = json!({"preconditions": [{"exists": {"entity": "User:u7"}}], "entities": user(8)["entities"]});
    write(&client, &one, "later", &refused).expect_problem(412, "precondition_failed");
    client.post(&format!("{one}/write"), &user(7)).expect(200);
    assert_eq!(write(&client, &one, "later", &refused).header("idempotency-replayed"), None);
    assert_eq!(write(&client, &one, "later", &refused).header("idempotency-replayed"), Some("true"));
    // Answers outlive the process, and what was done since.
    server.kill();
    let server = Launch::dev().start_in(dir.path());
    let after = write(&server.anyone(), &one, "k", &user(1));
    assert_eq!((after.body == first.body, after.header("idempotency-replayed")), (true, Some("true")));
    for bad in ["", &"k".repeat(256), "k\u{e9}"] {
        let reply = write(&server.anyone(), &one, bad, &user(1));
        reply.expect_problem(400, "malformed_request");
    }
    let twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")];
    let reply = server.anyone().send("POST", &format!("{one}/write"), &twice, user(1).to_string().as_bytes());
    reply.expect_problem(400, "malformed_request");
}

/// Operations that may be asked twice without a key: they change nothing, or have a name of their own for what they do.
const WITHOUT: [&str; 11] = [
    "check",
    "checkBatch",
    "checkRelation",
    "expandRelation",
    "explain",
    "readTuples",
    "replay",
    "runTests",
    "validate",
    "verifyLog",
    "import",
];

/// An operation as it is asked for, its status, and what the id in its answer is called in those behind it.
type Asked = (&'static str, &'static str, &'static str, &'static str, u16, &'static str);

/// Every operation that takes a key. `{name}` is an id of before; an answer of 201 with a secret comes once.
const CHANGES: [Asked; 25] = [
    ("createTenant", "POST", "/v1/tenants", r#"{"name":"t"}"#, 201, "tenant"),
    ("updateTenant", "PATCH", "/v1/tenants/{tenant}", r#"{"name":"u","limits":{"stores":7}}"#, 200, ""),
    ("deleteTenant", "DELETE", "/v1/tenants/{tenant}", "", 204, ""),
    ("restoreTenant", "POST", "/v1/tenants/{tenant}/restore", "", 200, ""),
    ("createKey", "POST", "/v1/keys", r#"{"name":"k","scopes":["check"]}"#, 201, "key"),
    ("updateKey", "PATCH", "/v1/keys/{key}", r#"{"name":"l","expires_in_seconds":900}"#, 200, ""),
    ("rotateKey", "POST", "/v1/keys/{key}/rotate", "{}", 201, "successor"),
    ("revokeKey", "DELETE", "/v1/keys/{successor}", "", 204, ""),
    ("createStore", "POST", "/v1/stores", r#"{"name":"s","alias":"one"}"#, 201, "store"),
    ("updateStore", "PATCH", "/v1/stores/one", r#"{"name":"r","settings":{"validation":"off"}}"#, 200, ""),
    (
        "apply",
        "POST",
        "/v1/stores/one/apply",
        r#"{"policies":[{"id":"t","cedar":"permit (principal == ?principal, action, resource);"}]}"#,
        200,
        "",
    ),
    ("createRelease", "POST", "/v1/stores/one/releases", r#"{"policies":[]}"#, 201, "draft"),
    ("putPolicy", "PUT", "/v1/stores/one/policies/p", r#"{"cedar":"permit (principal, action, resource);"}"#, 200, ""),
    ("deletePolicy", "DELETE", "/v1/stores/one/policies/p", "", 204, ""),
    ("putSchema", "PUT", "/v1/stores/one/schema", r#"{"cedar":"entity User;"}"#, 200, ""),
    (
        "putModel",
        "PUT",
        "/v1/stores/one/model",
        r#"{"dsl":"model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define viewer: [user]\n"}"#,
        200,
        "",
    ),
    (
        "write",
        "POST",
        "/v1/stores/one/write",
        r#"{"tuples":{"write":["doc:a#viewer@user:ann","doc:b#viewer@user:ann"]},"entities":{"upsert":[{"uid":"User:ann"}]}}"#,
        200,
        "",
    ),
    ("deleteEntities", "POST", "/v1/stores/one/entities/delete-by-filter", r#"{"type":"User","limit":1}"#, 200, ""),
    ("deleteTuples", "POST", "/v1/stores/one/tuples/delete-by-filter", r#"{"object":"doc:","limit":1}"#, 200, ""),
    ("putLink", "PUT", "/v1/stores/one/links/l", r#"{"template":"t","principal":"User:ann"}"#, 200, ""),
    ("deleteLink", "DELETE", "/v1/stores/one/links/l", "", 204, ""),
    ("activateRelease", "POST", "/v1/stores/one/releases/{draft}/activate?allow_nonconforming=true", "", 200, ""),
    ("eraseDecisions", "POST", "/v1/audit/erase", r#"{"principal":"User:ann"}"#, 200, ""),
    ("deleteStore", "DELETE", "/v1/stores/one", "", 204, ""),
    ("restoreStore", "POST", "/v1/stores/{store}/restore", "", 200, ""),
];

#[test]
fn whatever_changes_something_takes_a_key() {
    let text = std::fs::read_to_string(root().join("openapi.yaml")).unwrap();
    let document: Value = serde_yaml_ng::from_str(&text).unwrap();
    let (mut taking, mut others) = (BTreeSet::new(), BTreeSet::new());
    for (method, operation) in
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap())
    {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let takes = parameters.into_iter().any(|parameter| parameter["name"] == "Idempotency-Key");
        let id = operation["operationId"].as_str().unwrap().to_owned();
        if takes {
            taking.insert(id);
        } else if method != "get" {
            others.insert(id);
        }
    }
    assert_eq!(taking, CHANGES.iter().map(|(id, ..)| (*id).to_owned()).collect());
    assert_eq!(others, WITHOUT.iter().map(ToString::to_string).collect());
}

/// What changed, as the logs of tenant and platform have it, and as the store's revision tells.
fn changes(server: &Server) -> (usize, Option<u64>) {
    let logs = [(server.admin(), ""), (server.platform(), "&platform=true")].map(|(client, whose)| {
        let page = client.get(&format!("/v1/decisions?kind=change&page_size=1000{whose}")).expect(200);
        page["decisions"].as_array().unwrap().len()
    });
    let store = server.admin().get("/v1/stores/one");
    (logs.iter().sum(), (store.status == 200).then(|| store.value()["revision"].as_u64().unwrap()))
}

#[test]
fn every_change_with_a_key_is_made_once_and_answered_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Launch::normal().start_in(dir.path());
    let mut ids: Vec<(&str, String)> = Vec::new();
    for (id, method, path, body, status, name) in CHANGES {
        let named = |path: &str, (name, id): &(&str, String)| path.replace(&format!("{{{name}}}"), id);
        let path = ids.iter().fold(path.to_owned(), |path, name| named(&path, name));
        let client = |server: &Server| if id.ends_with("Tenant") { server.platform() } else { server.admin() };
        let ask = |client: &Client, body: &str| client.send(method, &path, &[("Idempotency-Key", id)], body.as_bytes());
        let replies: Vec<Reply> = std::thread::scope(|scope| {
            let send = |_| {
                let (client, ask) = (client(&server), &ask);
                scope.spawn(move || ask(&client, body))
            };
            let threads: Vec<_> = (0..8).map(send).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let again = |reply: &&Reply| reply.header("idempotency-replayed").is_some();
        let with_secret = ["createTenant", "createKey", "rotateKey"].contains(&id);
        let (first, rest): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == status && !again(reply));
        assert_eq!((first.len(), rest.len()), (1, 7), "{id}: {}", rest[0].text());
        let once = changes(&server);
        // Answers outlive the process.
        server.kill();
        server = Launch::normal().start_in(dir.path());
        let late = ask(&client(&server), body);
        for reply in rest.into_iter().chain([&late]) {
            if with_secret {
                reply.expect_problem(409, "secret_not_repeated");
                let made = first[0].value()["id"].as_str().unwrap().to_owned();
                assert!(reply.text().contains(&made), "{id}: {}", reply.text());
            } else {
                assert_eq!((reply.status, again(&reply)), (status, true), "{id}: {}", reply.text());
                assert_eq!(reply.text(), first[0].text(), "{id}");
                assert_eq!(reply.header("etag"), first[0].header("etag"), "{id}");
            }
        }
        let other = ask(&client(&server), &format!("{body} "));
        if !body.is_empty() {
            other.expect_problem(422, "idempotency_key_reused");
        }
        assert_eq!(changes(&server), once, "{id}");
        if !name.is_empty() {
            ids.push((name, first[0].value()["id"].as_str().unwrap().to_owned()));
        }
    }
}

#[test]
fn what_had_nothing_to_change_changes_nothing_later() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = store(&client, "once", &json!({"validation": "off"}));
    let release = |id: &str| json!({"policies": [{"id": id, "cedar": "permit (principal, action, resource);"}]});
    let (apply, delete) = (format!("{store}/apply"), format!("{store}/tuples/delete-by-filter"));
    client.post(&apply, &release("a")).expect(200);
    let first = keyed(&client, "POST", &apply, "k", &release("a"));
    assert_eq!(first.expect(200)["changed"], false);
    // A dry run takes no key: it may be followed by what it tried.
    let tried = keyed(&client, "POST", &format!("{apply}?dry_run=true"), "b", &release("b"));
    assert_eq!((tried.expect(200)["changed"].clone(), revision(&client, &store)), (json!(true), json!(1)));
    let nothing = keyed(&client, "POST", &delete, "d", &json!({"object": "doc:"}));
    assert_eq!(nothing.expect(200)["deleted"], 0);
    let same = keyed(&client, "PATCH", &store, "p", &json!({}));
    let active = keyed(&client, "POST", &apply, "b", &release("b")).expect(200)["release"].clone();
    client.send("PATCH", &store, &[], br#"{"name":"other"}"#).expect(200);
    client
        .put(
            &format!("{store}/model"),
            &json!({"dsl": "model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define viewer: [user]\n"}),
        )
        .expect(200);
    client.post(&format!("{store}/write"), &json!({"tuples": {"write": ["doc:a#viewer@user:ann"]}})).expect(200);
    let before = revision(&client, &store);
    for (again, first) in [
        (keyed(&client, "POST", &apply, "k", &release("a")), first),
        (keyed(&client, "POST", &delete, "d", &json!({"object": "doc:"})), nothing),
        (keyed(&client, "PATCH", &store, "p", &json!({})), same),
    ] {
        assert_eq!((again.text(), again.header("idempotency-replayed")), (first.text(), Some("true")));
    }
    let changed = client.get(&store).expect(200);
    assert_eq!((&changed["name"], revision(&client, &store)), (&json!("other"), before));
    assert_ne!(changed["release"], active, "the model made one more");
}

#[test]
fn a_deleted_store_is_told_again_to_who_reached_it_alone() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let path = store(&admin, "gone", &json!({}));
    let id = admin.get(&path).expect(200)["id"].as_str().unwrap().to_owned();
    let other = store(&admin, "other", &json!({}));
    let limited = |stores: Value| {
        let made = admin.post("/v1/keys", &json!({"name": "k", "scopes": ["admin"], "stores": stores})).expect(201);
        server.with_key(made["secret"].as_str().unwrap())
    };
    let (of_it, of_other) = (limited(json!(["gone"])), limited(json!(["other"])));
    let by_id = format!("/v1/stores/{id}");
    assert_eq!(keyed(&of_it, "DELETE", &by_id, "k", &Value::Null).status, 204);
    let again = keyed(&of_it, "DELETE", &by_id, "k", &Value::Null);
    assert_eq!((again.status, again.header("idempotency-replayed")), (204, Some("true")));
    keyed(&of_other, "DELETE", &by_id, "k", &Value::Null).expect_problem(404, "not_found");
    keyed(&of_it, "DELETE", &by_id, "l", &Value::Null).expect_problem(404, "not_found");
    // A store that takes the name is another one, and the request was answered.
    assert_eq!(keyed(&admin, "DELETE", &other, "k", &Value::Null).status, 204);
    store(&admin, "other", &json!({}));
    assert_eq!(keyed(&admin, "DELETE", &other, "k", &Value::Null).header("idempotency-replayed"), Some("true"));
    admin.get(&other).expect(200);
}
