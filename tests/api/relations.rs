//! Relations: the model, the tuples, and the questions asked of both.

use serde_json::{Value, json};

use crate::store;
use crate::support::{Client, Launch, Server};

pub(crate) const MODEL: &str = "model
  schema 1.1
type user
type group
  relations
    define member: [user, group#member]
type folder
  relations
    define viewer: [user]
type document
  relations
    define parent: [folder]
    define owner: [user]
    define banned: [user]
    define viewer: [user, user:*, group#member, user with in_office] or owner or viewer from parent
    define reader: viewer but not banned
condition in_office(ip: ipaddress, range: string) {
  ip.in_cidr(range)
}
";

/// A server with a store that has the model, and the store's path.
pub(crate) fn modelled() -> (Server, Client, String) {
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = store(&client, "relations", &json!({}));
    client.post(&format!("{path}/apply"), &json!({"model": MODEL})).expect(200);
    (server, client, path)
}

pub(crate) fn write(client: &Client, path: &str, tuples: &Value) -> Value {
    client.post(&format!("{path}/write"), &json!({"tuples": {"write": tuples}})).expect(200)
}

pub(crate) fn question(subject: &str, relation: &str, object: &str) -> Value {
    json!({"subject": subject, "relation": relation, "object": object})
}

/// A question with one more field.
pub(crate) fn with(mut question: Value, field: &str, value: Value) -> Value {
    question[field] = value;
    question
}

pub(crate) fn allowed(client: &Client, path: &str, question: &Value) -> bool {
    client.post(&format!("{path}/relations/check"), question).expect(200)["allowed"].as_bool().unwrap()
}

pub(crate) fn texts(page: &Value) -> Vec<String> {
    let text = |row: &Value| {
        let part = |name: &str| row[name].as_str().unwrap().to_owned();
        format!("{}#{}@{}", part("object"), part("relation"), part("subject"))
    };
    let rows = page.get("tuples").or_else(|| page.get("changes")).unwrap();
    rows.as_array().unwrap().iter().map(text).collect()
}

/// The pointers and codes of a problem's findings.
pub(crate) fn findings(reply: &Value) -> Vec<(String, String)> {
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    reply["errors"].as_array().unwrap().iter().map(|item| (text(item, "pointer"), text(item, "code"))).collect()
}

pub(crate) fn found(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(pointer, code)| ((*pointer).to_owned(), (*code).to_owned())).collect()
}

#[test]
fn a_relation_follows_from_tuples_and_names_them() {
    let (_server, client, path) = modelled();
    let parts = json!({"object": "group:eng", "relation": "member", "subject": "user:alice"});
    let written = write(&client, &path, &json!(["document:roadmap#viewer@group:eng#member", parts]));
    let asked = with(question("user:alice", "viewer", "document:roadmap"), "explain", json!(true));
    let answer = client.post(&format!("{path}/relations/check"), &asked).expect(200);
    assert_eq!((&answer["allowed"], &answer["warnings"]), (&json!(true), &json!([])));
    let way = json!(["document:roadmap#viewer@group:eng#member", "group:eng#member@user:alice"]);
    assert_eq!(answer["path"], way);
    for part in ["revision", "release", "consistency_token"] {
        assert_eq!(answer[part], written[part], "{part}");
    }
    let denied = with(question("user:bob", "viewer", "document:roadmap"), "explain", json!(true));
    let answer = client.post(&format!("{path}/relations/check"), &denied).expect(200);
    assert_eq!((&answer["allowed"], &answer["path"]), (&json!(false), &json!([])));
    let plain = client.post(&format!("{path}/relations/check"), &question("user:bob", "viewer", "document:roadmap"));
    assert!(plain.expect(200).get("path").is_none());
    // A userset and everyone are subjects too.
    assert!(allowed(&client, &path, &question("group:eng#member", "viewer", "document:roadmap")));
    assert!(!allowed(&client, &path, &question("user:*", "viewer", "document:roadmap")));
    write(&client, &path, &json!(["document:roadmap#viewer@user:*"]));
    assert!(allowed(&client, &path, &question("user:bob", "viewer", "document:roadmap")));
    let fresh = json!({"mode": "at_least_as_fresh", "token": written["consistency_token"]});
    assert!(allowed(&client, &path, &with(question("user:bob", "viewer", "document:roadmap"), "consistency", fresh)));
    let foreign = json!({"mode": "at_least_as_fresh", "token": "AAAA"});
    let asked = with(question("user:bob", "viewer", "document:roadmap"), "consistency", foreign);
    client.post(&format!("{path}/relations/check"), &asked).expect_problem(400, "invalid_consistency_token");
}

#[test]
fn contextual_tuples_hold_for_one_request() {
    let (_server, client, path) = modelled();
    let check = format!("{path}/relations/check");
    let asked = question("user:ann", "reader", "document:plan");
    let parts = json!({"object": "document:plan", "relation": "owner", "subject": "user:ann"});
    assert!(allowed(&client, &path, &with(asked.clone(), "tuples", json!([parts]))));
    let banned = json!([parts, "document:plan#banned@user:ann"]);
    assert!(!allowed(&client, &path, &with(asked.clone(), "tuples", banned)));
    assert!(!allowed(&client, &path, &asked));
    let wrong = json!([
        "document:plan#owner@user:ann",
        "document:plan#owner@group:eng",
        "ghost:x#owner@user:ann",
        "document:plan#owner@user:ann"
    ]);
    let refused = client.post(&check, &with(asked.clone(), "tuples", wrong));
    refused.expect_problem(400, "invalid_input");
    let wanted =
        found(&[("/tuples/1", "invalid_tuple"), ("/tuples/2", "invalid_tuple"), ("/tuples/3", "duplicate_tuple")]);
    assert_eq!(findings(&refused.value()), wanted);
    let many = |count: usize| -> Value { (0..count).map(|i| format!("document:d{i}#owner@user:ann")).collect() };
    assert!(!allowed(&client, &path, &with(asked.clone(), "tuples", many(100))));
    let refused = client.post(&check, &with(asked, "tuples", many(101)));
    refused.expect_problem(422, "limit_exceeded");
    assert!(refused.value()["detail"].as_str().unwrap().contains("100"), "{}", refused.text());
}

#[test]
fn a_condition_takes_its_parameters_from_tuple_and_request() {
    let (_server, client, path) = modelled();
    let office = json!({"name": "in_office", "context": {"range": "10.0.0.0/8"}});
    let tuple = json!({"object": "document:plan", "relation": "viewer", "subject": "user:ann", "condition": office});
    write(&client, &path, &json!([tuple]));
    let asked = question("user:ann", "viewer", "document:plan");
    assert!(allowed(&client, &path, &with(asked.clone(), "context", json!({"ip": "10.1.2.3"}))));
    assert!(!allowed(&client, &path, &with(asked.clone(), "context", json!({"ip": "192.168.1.1"}))));
    let check = format!("{path}/relations/check");
    let refused = client.post(&check, &asked);
    refused.expect_problem(400, "invalid_input");
    assert_eq!(findings(&refused.value()), found(&[("/context", "missing_context")]));
    assert!(refused.value()["detail"].as_str().unwrap().contains("ip"), "{}", refused.text());
    let failing = client.post(&check, &with(asked, "context", json!({"ip": "somewhere"})));
    failing.expect_problem(400, "invalid_input");
    assert_eq!(findings(&failing.value()), found(&[("", "condition_failed")]));
    let listed = client.post(&format!("{path}/tuples/read"), &json!({})).expect(200);
    assert_eq!(listed["tuples"][0]["condition"], office);
}

#[test]
fn a_tuple_counts_until_it_expires() {
    let (_server, client, path) = modelled();
    let tuple = |user: &str, at: &str| json!({"object": "document:plan", "relation": "owner", "subject": user, "expires_at": at});
    let tuples =
        json!([tuple("user:past", "2020-01-01T00:00:00Z"), tuple("user:future", "2090-06-01T02:00:00.5+02:00")]);
    write(&client, &path, &tuples);
    assert!(!allowed(&client, &path, &question("user:past", "viewer", "document:plan")));
    assert!(allowed(&client, &path, &question("user:future", "viewer", "document:plan")));
    let listed = client.post(&format!("{path}/tuples/read"), &json!({"subject": "user:future"})).expect(200);
    assert_eq!(listed["tuples"][0]["expires_at"], "2090-06-01T00:00:00.500Z");
    let all = client.post(&format!("{path}/tuples/read"), &json!({})).expect(200);
    assert_eq!(texts(&all).len(), 2);
    let bad = json!({"tuples": {"write": [tuple("user:x", "tomorrow")]}});
    let refused = client.post(&format!("{path}/write"), &bad);
    refused.expect_problem(400, "invalid_input");
    assert_eq!(findings(&refused.value()), found(&[("/tuples/write/0/expires_at", "malformed_time")]));
    let expanded =
        client.post(&format!("{path}/relations/expand"), &json!({"object": "document:plan", "relation": "owner"}));
    assert_eq!(expanded.expect(200)["tree"]["subjects"], json!(["user:future"]));
}

#[test]
fn expand_shows_one_level() {
    let (_server, client, path) = modelled();
    let tuples = json!([
        "document:plan#viewer@group:eng#member",
        "document:plan#viewer@user:ann",
        "document:plan#parent@folder:all",
        "document:plan#banned@user:cy"
    ]);
    let written = write(&client, &path, &tuples);
    let expand = format!("{path}/relations/expand");
    let tree = client.post(&expand, &json!({"object": "document:plan", "relation": "viewer"})).expect(200);
    let name = "document:plan#viewer";
    let wanted = json!({"name": name, "union": [
        {"name": name, "subjects": ["group:eng#member", "user:ann"]},
        {"name": name, "computed": ["document:plan#owner"]},
        {"name": name, "tupleset": "document:plan#parent", "computed": ["folder:all#viewer"]},
    ]});
    assert_eq!((&tree["tree"], &tree["revision"]), (&wanted, &written["revision"]));
    let tree = client.post(&expand, &json!({"object": "document:plan", "relation": "reader"})).expect(200);
    let name = "document:plan#reader";
    let wanted = json!({"name": name, "difference": {
        "base": {"name": name, "computed": ["document:plan#viewer"]},
        "subtract": {"name": name, "computed": ["document:plan#banned"]},
    }});
    assert_eq!(tree["tree"], wanted);
    let refused = client.post(&expand, &json!({"object": "ghost:x", "relation": "viewer"}));
    refused.expect_problem(400, "invalid_input");
    assert_eq!(findings(&refused.value()), found(&[("/object", "unknown_type")]));
    client.post(&expand, &json!({"object": "document", "relation": ""})).expect_problem(400, "invalid_input");
}

#[test]
fn a_question_must_fit_the_model() {
    let (_server, client, path) = modelled();
    let check = format!("{path}/relations/check");
    let cases = [
        (question("user:a", "viewer", "ghost:x"), &[("/object", "unknown_type")][..]),
        (question("user:a", "wearer", "document:x"), &[("/relation", "unknown_relation")]),
        (question("ghost:a", "viewer", "document:x"), &[("/subject", "unknown_type")]),
        (question("group:a#boss", "viewer", "document:x"), &[("/subject", "unknown_relation")]),
        (question("user:a", "viewer", "document:*"), &[("/object", "wildcard_object")]),
        (
            question("alice", "the viewer", "document"),
            &[("/object", "malformed_tuple"), ("/relation", "malformed_tuple"), ("/subject", "malformed_tuple")],
        ),
    ];
    for (asked, wanted) in cases {
        let refused = client.post(&check, &asked);
        refused.expect_problem(400, "invalid_input");
        assert_eq!(findings(&refused.value()), found(wanted), "{asked}");
    }
    for body in [
        r#"{"subject":"user:a","relation":"viewer"}"#,
        r#"{"subject":"user:a","relation":"viewer","object":"document:x","object":"document:y"}"#,
        r#"{"subject":"user:a","relation":"viewer","object":"document:x","context":{"a":1,"a":2}}"#,
        r#"{"subject":"user:a","relation":"viewer","object":"document:x","tuples":[7]}"#,
    ] {
        client.send("POST", &check, &[], body.as_bytes()).expect_problem(400, "malformed_request");
    }
}

#[test]
fn a_chain_beyond_the_bound_has_no_answer() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = store(&client, "chains", &json!({}));
    let model = "model\n  schema 1.1\ntype user\ntype folder\n  relations\n    define parent: [folder]\n    define banned: [user]\n    define viewer: ([user] or viewer from parent) but not banned\n";
    client.put(&format!("{path}/model"), &json!({"dsl": model})).expect(200);
    let mut chain: Vec<String> = (0..40).map(|i| format!("folder:{i}#parent@folder:{}", i + 1)).collect();
    chain.push("folder:40#viewer@user:ann".to_owned());
    write(&client, &path, &json!(chain));
    assert!(allowed(&client, &path, &question("user:ann", "viewer", "folder:35")));
    let far = client.post(&format!("{path}/relations/check"), &question("user:ann", "viewer", "folder:0"));
    far.expect_problem(422, "evaluation_limit_exceeded");
}

#[test]
fn a_store_without_a_model_has_no_relations() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = store(&client, "plain", &json!({}));
    let check = format!("{path}/relations/check");
    client.post(&check, &question("user:a", "viewer", "document:x")).expect_problem(422, "no_model");
    let expand = json!({"object": "document:x", "relation": "viewer"});
    client.post(&format!("{path}/relations/expand"), &expand).expect_problem(422, "no_model");
    client.get(&format!("{path}/model")).expect_problem(404, "not_found");
    let refused = client.post(&format!("{path}/write"), &json!({"tuples": {"write": ["document:x#viewer@user:a"]}}));
    refused.expect_problem(422, "invalid_data");
    assert_eq!(findings(&refused.value()), found(&[("/tuples/write/0", "no_model")]));
    assert_eq!(client.post(&format!("{path}/tuples/read"), &json!({})).expect(200)["tuples"], json!([]));
    assert_eq!(client.get(&format!("{path}/changes")).expect(200)["changes"], json!([]));
}

#[test]
fn a_model_is_put_read_and_told() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = store(&client, "models", &json!({}));
    let model = format!("{path}/model");
    let dry = client.put(&format!("{model}?dry_run=true"), &json!({"dsl": MODEL})).expect(200);
    assert_eq!((&dry["dry_run"], &dry["diff"]["model_changed"]), (&json!(true), &json!(true)));
    client.get(&model).expect_problem(404, "not_found");
    let put = client.put(&model, &json!({"dsl": MODEL})).expect(200);
    let read = client.get(&model).expect(200);
    assert_eq!((&read["dsl"], &read["id"], &read["release"]), (&json!(MODEL), &put["model"], &put["release"]));
    assert_eq!(read["json"]["schema_version"], "1.1");
    // The same again is no change; its JSON is another text of the same model.
    let again = client.put(&model, &json!({"dsl": MODEL})).expect(200);
    assert_eq!((&again["changed"], &again["model"]), (&json!(false), &put["model"]));
    client.put(&model, &json!({"json": read["json"]})).expect(200);
    let printed = client.get(&model).expect(200);
    assert_eq!(printed["json"], read["json"]);
    client.put(&model, &json!({"dsl": printed["dsl"]})).expect(200);
    assert_eq!(client.get(&model).expect(200)["json"], read["json"]);

    let policies = json!({"policies": [{"id": "one", "cedar": "permit (principal, action, resource);"}]});
    let kept = client.post(&format!("{path}/apply"), &policies).expect(200);
    assert_eq!(
        (&kept["diff"]["model_changed"], &kept["model"]),
        (&json!(false), &client.get(&model).expect(200)["id"])
    );
    let release = client.get(&format!("{path}/releases/{}", kept["release"].as_str().unwrap())).expect(200);
    assert_eq!(release["model"], kept["model"]);
    // The other way back, by a release.
    let first = put["release"].as_str().unwrap();
    client.send("POST", &format!("{path}/releases/{first}/activate"), &[], b"").expect(200);
    assert_eq!(client.get(&model).expect(200)["id"], put["model"]);

    let broken = "model\n  schema 1.1\ntype document\n  relations\n    define viewer: [ghost]\n";
    let refused = client.put(&model, &json!({"dsl": broken}));
    refused.expect_problem(422, "invalid_release");
    assert_eq!(refused.value()["errors"][0]["line"], 5, "{}", refused.text());
    client.post(&format!("{path}/apply"), &json!({"model": broken})).expect_problem(422, "invalid_release");
    let report = client.post(&format!("{path}/validate"), &json!({"model": broken})).expect(200);
    assert_eq!((&report["valid"], &report["problems"][0]["line"]), (&json!(false), &json!(5)));
    assert_eq!(client.post(&format!("{path}/validate"), &json!({"model": MODEL})).expect(200)["valid"], true);
    for bad in [json!({}), json!({"dsl": MODEL, "json": {}}), json!({"dsl": 7})] {
        client.put(&model, &bad).expect_problem(400, "malformed_request");
    }
    let stale = client.header("if-match", "\"01JD0000000000000000000000\"");
    stale.put(&model, &json!({"dsl": MODEL})).expect_problem(412, "precondition_failed");
}

#[test]
fn another_tenant_and_a_lesser_key_see_nothing() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let made = server.platform().post("/v1/tenants", &json!({"name": "other"})).expect(201);
    let stranger = server.with_key(made["admin_key"]["secret"].as_str().unwrap());
    for client in [&admin, &stranger] {
        let path = store(client, "shared-name", &json!({}));
        client.put(&format!("{path}/model"), &json!({"dsl": MODEL})).expect(200);
    }
    let path = "/v1/stores/shared-name";
    write(&admin, path, &json!(["document:a#owner@user:ann", "document:b#owner@user:ann"]));
    assert!(allowed(&admin, path, &question("user:ann", "viewer", "document:a")));
    assert!(!allowed(&stranger, path, &question("user:ann", "viewer", "document:a")));
    assert_eq!(stranger.post(&format!("{path}/tuples/read"), &json!({})).expect(200)["tuples"], json!([]));
    assert_eq!(stranger.get(&format!("{path}/changes")).expect(200)["changes"], json!([]));
    let page = admin.post(&format!("{path}/tuples/read"), &json!({"page_size": 1})).expect(200);
    let asked = json!({"page_size": 1, "page_token": page["next_page_token"]});
    admin.post(&format!("{path}/tuples/read"), &asked).expect(200);
    stranger.post(&format!("{path}/tuples/read"), &asked).expect_problem(400, "invalid_page_token");
    let feed = admin.get(&format!("{path}/changes")).expect(200)["next_page_token"].as_str().unwrap().to_owned();
    stranger.get(&format!("{path}/changes?page_token={feed}")).expect_problem(400, "invalid_page_token");

    let id = admin.get(path).expect(200)["id"].as_str().unwrap().to_owned();
    let asked = question("user:ann", "viewer", "document:a").to_string();
    let operations = [
        ("POST", "/relations/check", asked.as_str(), "check"),
        ("POST", "/relations/expand", r#"{"object":"document:a","relation":"owner"}"#, "read"),
        ("POST", "/tuples/read", "{}", "read"),
        ("GET", "/changes", "", "read"),
        ("GET", "/model", "", "read"),
        ("PUT", "/model?dry_run=true", r#"{"dsl":"model\n  schema 1.1\ntype user\n"}"#, "admin"),
        ("POST", "/write", r#"{"tuples":{"write":["document:c#owner@user:ann"]}}"#, "write"),
    ];
    for (method, rest, body, scope) in operations {
        let send = |client: &Client, store: &str| {
            client.send(
                method,
                &format!("/v1/stores/{store}{rest}"),
                &[("content-type", "application/json")],
                body.as_bytes(),
            )
        };
        send(&stranger, &id).expect_problem(404, "not_found");
        for given in ["check", "read", "write", "explain"] {
            let key = admin.post("/v1/keys", &json!({"name": given, "scopes": [given]})).expect(201);
            let reply = send(&server.with_key(key["secret"].as_str().unwrap()), &id);
            if given == scope {
                reply.expect(200);
            } else {
                reply.expect_problem(403, "forbidden");
            }
        }
    }
    // A path names tuples: that takes a scope of its own.
    let explained = with(question("user:ann", "viewer", "document:a"), "explain", json!(true));
    for (scopes, status) in [(json!(["check"]), 403), (json!(["check", "explain"]), 200)] {
        let key = admin.post("/v1/keys", &json!({"name": "k", "scopes": scopes})).expect(201);
        let client = server.with_key(key["secret"].as_str().unwrap());
        client.post(&format!("{path}/relations/check"), &explained).expect(status);
    }
}
