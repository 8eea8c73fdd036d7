//! What was true before a restart is true after it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Launch};
use crate::{DEMO, openfga, store};

/// Everything that a client can read of a server, without ids that are made for one answer.
fn readable(client: &Client) -> Value {
    let mut all = json!({});
    for path in ["/v1/stores", "/v1/keys", "/v1/tenants"] {
        all[path] = client.get(path).expect(200);
    }
    // When a key was used last may be told up to a minute behind after a crash.
    for key in all["/v1/keys"]["keys"].as_array_mut().unwrap() {
        key.as_object_mut().unwrap().remove("last_used_at");
    }
    let stores = all["/v1/stores"]["stores"].as_array().unwrap().clone();
    for store in stores {
        let path = format!("/v1/stores/{}", store["id"].as_str().unwrap());
        for part in ["", "/entities?page_size=1000", "/policies", "/links", "/releases"] {
            all[format!("{path}{part}")] = client.get(&format!("{path}{part}")).expect(200);
        }
        all[format!("{path}/tuples")] = client.post(&format!("{path}/tuples/read"), &json!({})).expect(200);
        all[format!("{path}/schema")] = client.get(&format!("{path}/schema")).value();
        all[format!("{path}/schema")].as_object_mut().unwrap().remove("request_id");
        for user in ["alice", "ann", "bob", "cy", "nobody"] {
            for action in ["read", "write", "share"] {
                for document in ["handbook", "roadmap", "salaries"] {
                    let mut body = json!({"principal": format!("User:{user}"), "action": action, "resource": format!("Document:{document}")});
                    body["context"] = json!({"mfa": true});
                    let mut answer = client.post(&format!("{path}/check"), &body).expect(200);
                    answer.as_object_mut().unwrap().remove("decision_id");
                    all[format!("{path} {body}")] = answer;
                }
            }
        }
    }
    all
}

#[test]
fn a_restart_keeps_everything() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Launch::dev().start_in(dir.path());
    let client = server.anyone();
    let link = json!({"template": "shared-with", "principal": "User:bob", "resource": "Document:roadmap"});
    client.put(&format!("{DEMO}/links/bob-roadmap"), &link).expect(200);
    let cy =
        json!({"tuples": {"write": ["document:salaries#viewer@user:cy"], "delete": ["role:viewer#assignee@user:bob"]}});
    client.post(&format!("{DEMO}/write"), &cy).expect(200);
    let first = client.get(DEMO).expect(200)["release"].as_str().unwrap().to_owned();
    client
        .put(
            &format!("{DEMO}/policies/more"),
            &json!({"cedar": "permit (principal == User::\"cy\", action, resource is Document);"}),
        )
        .expect(200);
    client.delete(&format!("{DEMO}/policies/office-network")).expect(204);
    let other = store(
        &client,
        "other",
        &json!({"validation": "off", "policy_errors": "cedar", "request_attributes": "ignore"}),
    );
    client
        .post(
            &format!("{other}/write"),
            &json!({"entities": {"upsert": [{"uid": "User:x", "tags": {"a": 1}}], "delete": ["User:y"]}}),
        )
        .expect(200);
    client.delete(&store(&client, "gone", &json!({}))).expect(204);
    let made =
        client.post("/v1/keys", &json!({"name": "k", "scopes": ["read", "check"], "stores": ["other"]})).expect(201);
    let page = client.get(&format!("{DEMO}/entities?page_size=5")).expect(200);
    let before = readable(&client);

    for crash in [false, true] {
        if crash {
            server.kill();
        } else {
            let status = server.terminate(Duration::from_secs(12));
            assert!(status.is_some_and(|status| status.success()), "{status:?}");
        }
        server = Launch::dev().start_in(dir.path());
        let client = server.anyone();
        assert_eq!(readable(&client), before);
        // Tokens that were given before are still good.
        let fresh = json!({"principal": "User:bob", "action": "read", "resource": "Document:roadmap", "consistency": {"mode": "at_least_as_fresh", "token": page["consistency_token"]}});
        let answer = client.post(&format!("{DEMO}/check"), &fresh).expect(200);
        assert_eq!((&answer["decision"], &answer["revision"]), (&json!("allow"), &page["revision"]));
        assert!(!answer["warnings"].to_string().contains("restored"));
        let next = page["next_page_token"].as_str().unwrap();
        client.get(&format!("{DEMO}/entities?page_size=5&page_token={next}")).expect(200);
        let keyed = server.with_key(made["secret"].as_str().unwrap());
        keyed.get(&other).expect(200);
        keyed.get(DEMO).expect_problem(404, "not_found");
    }
    let client = server.anyone();
    client.send("POST", &format!("{DEMO}/releases/{first}/activate"), &[], b"").expect(200);
    client.get(&format!("{DEMO}/policies/office-network")).expect(200);
    client.get(&format!("{DEMO}/policies/more")).expect_problem(404, "not_found");
}

/// What OpenFGA's API tells of a store.
fn readable_by_openfga(client: &Client, path: &str, model: &str) -> Vec<Value> {
    let mut all = vec![client.get("/stores").expect(200)];
    for part in ["", "/authorization-models", &format!("/authorization-models/{model}"), "/changes"] {
        all.push(client.get(&format!("{path}{part}")).expect(200));
    }
    all.push(client.get(&format!("{path}/assertions/{model}")).expect(200));
    let ask = |rest: &str, body: Value| client.post(&format!("{path}{rest}"), &body).expect(200);
    all.push(ask("/read", json!({})));
    for user in ["user:ann", "user:bob", "user:cy", "group:eng#member"] {
        let context = json!({"x": 7});
        all.push(ask("/check", json!({"tuple_key": openfga::key(user, "viewer", "doc:1"), "context": context})));
        all.push(ask("/list-objects", json!({"user": user, "relation": "viewer", "type": "doc", "context": context})));
    }
    all.push(ask("/expand", json!({"tuple_key": {"relation": "viewer", "object": "doc:1"}})));
    all
}

#[test]
fn what_was_written_by_openfgas_api_is_there_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Launch::dev().start_in(dir.path());
    let client = server.anyone();
    let (path, model) = openfga::store(&client);
    let mut limited = openfga::key("user:cy", "viewer", "doc:1");
    limited["condition"] = json!({"name": "small", "context": {}});
    let ann = openfga::key("user:ann", "viewer", "doc:1");
    let keys = [
        ann.clone(),
        openfga::key("group:eng#member", "viewer", "doc:1"),
        openfga::key("user:bob", "member", "group:eng"),
        limited,
    ];
    openfga::write(&client, &path, &keys).expect(200);
    let deletes = json!({"deletes": {"tuple_keys": [ann]}});
    client.post(&format!("{path}/write"), &deletes).expect(200);
    openfga::write(&client, &path, &[openfga::key("user:*", "viewer", "doc:2")]).expect(200);
    let assertions = json!({"assertions": [{"tuple_key": ann, "expectation": false}]});
    assert_eq!(client.put(&format!("{path}/assertions/{model}"), &assertions).status, 204);
    let page = client.get(&format!("{path}/changes?page_size=2")).expect(200);
    let token = page["continuation_token"].as_str().unwrap();
    let rest = client.get(&format!("{path}/changes?continuation_token={token}")).expect(200);
    assert_eq!(rest["changes"].as_array().unwrap().len(), 4);
    let before = readable_by_openfga(&client, &path, &model);
    assert_eq!(before[6]["tuples"].as_array().unwrap().len(), 4);
    for _ in 0..2 {
        server.kill();
        server = Launch::dev().start_in(dir.path());
        let client = server.anyone();
        assert_eq!(readable_by_openfga(&client, &path, &model), before);
        assert_eq!(client.get(&format!("{path}/changes?continuation_token={token}")).expect(200), rest);
    }
    // The place that was kept is one to go on from.
    let end = rest["continuation_token"].as_str().unwrap();
    let client = server.anyone();
    openfga::write(&client, &path, &[ann]).expect(200);
    let more = client.get(&format!("{path}/changes?continuation_token={end}")).expect(200);
    assert_eq!(more["changes"].as_array().unwrap().len(), 1);
    assert_eq!(more["changes"][0]["tuple_key"]["user"], "user:ann");
}

#[test]
fn keys_outlive_a_restart_and_revoked_ones_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Launch::normal().start_in(dir.path());
    let keys = server.keys();
    let made = server.admin().post("/v1/keys", &json!({"name": "k", "scopes": ["read"]})).expect(201);
    server.admin().delete(&format!("/v1/keys/{}", made["id"].as_str().unwrap())).expect(204);
    server.kill();
    server = Launch::normal().start_in(dir.path());
    assert_eq!(server.keys(), keys);
    server.admin().get("/v1/stores").expect(200);
    server.platform().get("/v1/tenants").expect(200);
    server.with_key(made["secret"].as_str().unwrap()).get("/v1/stores").expect_problem(401, "unauthenticated");
}

#[test]
fn a_data_directory_is_of_one_process() {
    let server = Launch::dev().start();
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_authx"))
        .args(["serve", "--dev", "--bind", "127.0.0.1:0", "--data-dir"])
        .arg(server.data_dir())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1), "{}", String::from_utf8_lossy(&second.stderr));
    server.anyone().get("/readyz").expect(200);
}
