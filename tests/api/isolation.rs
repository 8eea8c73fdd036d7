//! What belongs to another tenant looks absent, byte for byte.

use serde_json::json;

use crate::store;
use crate::support::{Client, Launch, Reply};

/// Every operation under a store: method, the path's rest, a body.
const UNDER_A_STORE: [(&str, &str, &str); 42] = [
    ("GET", "", ""),
    ("PATCH", "", r#"{"name":"taken over"}"#),
    ("POST", "/check", r#"{"principal":"User:a","action":"read","resource":"Doc:b"}"#),
    ("POST", "/explain", r#"{"principal":"User:a","action":"read","resource":"Doc:b"}"#),
    ("POST", "/tests/run", r#"{"suites":[{"file":"a_test.yaml","text":"tests: []"}]}"#),
    ("POST", "/replay", r#"{"sources":{"policies":[]}}"#),
    ("POST", "/check/batch", r#"{"checks":[{"principal":"User:a","action":"read","resource":"Doc:b"}]}"#),
    ("POST", "/write", r#"{"entities":{"upsert":[{"uid":"User:intruder"}]}}"#),
    ("GET", "/entities", ""),
    ("GET", "/entities/User/a", ""),
    ("GET", "/entities?at_revision=1", ""),
    ("GET", "/entities/User/a?at_revision=1", ""),
    ("POST", "/apply", r#"{"policies":[]}"#),
    ("POST", "/validate", r#"{"policies":[]}"#),
    ("GET", "/releases", ""),
    ("POST", "/releases", r#"{"policies":[]}"#),
    ("GET", "/releases/RELEASE", ""),
    ("GET", "/releases/RELEASE/diff", ""),
    ("GET", "/releases/RELEASE/files", ""),
    ("POST", "/releases/RELEASE/activate", ""),
    ("GET", "/policies", ""),
    ("GET", "/policies/one", ""),
    ("PUT", "/policies/one", r#"{"cedar":"permit (principal, action, resource);"}"#),
    ("GET", "/schema", ""),
    ("PUT", "/schema", r#"{"cedar":"entity User;"}"#),
    ("GET", "/links", ""),
    ("PUT", "/links/x", r#"{"template":"one"}"#),
    ("GET", "/model", ""),
    ("PUT", "/model", r#"{"dsl":"model\n  schema 1.1\ntype user\n"}"#),
    ("POST", "/tuples/read", "{}"),
    ("POST", "/tuples/delete-by-filter", r#"{"object":"doc:b"}"#),
    ("POST", "/entities/delete-by-filter", r#"{"type":"Doc"}"#),
    ("GET", "/revisions", ""),
    ("POST", "/import?id=one", r#"{"entity":{"uid":"User:intruder"}}"#),
    ("GET", "/import?id=one", ""),
    ("GET", "/export", ""),
    ("GET", "/export?at_revision=1", ""),
    ("GET", "/changes", ""),
    ("POST", "/relations/check", r#"{"subject":"user:a","relation":"r","object":"doc:b"}"#),
    ("POST", "/relations/expand", r#"{"object":"doc:b","relation":"r"}"#),
    ("POST", "/restore", ""),
    ("DELETE", "", ""),
];

/// An answer without its request's id, its date, and the name that was asked for.
fn seen(reply: &Reply, named: &str) -> (u16, Vec<(String, String)>, String) {
    let id = reply.value()["request_id"].as_str().unwrap_or_default().to_owned();
    assert!(!id.is_empty(), "{}", reply.text());
    let body = reply.text().replace(&id, "REQUEST").replace(named, "NAMED");
    let varies = ["x-request-id", "date", "content-length"];
    let headers = reply.headers.iter().filter(|(name, _)| !varies.contains(&name.as_str())).cloned();
    (reply.status, headers.collect(), body)
}

#[test]
fn another_tenants_store_is_as_absent_as_none() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let made = server.platform().post("/v1/tenants", &json!({"name": "other"})).expect(201);
    let stranger = server.with_key(made["admin_key"]["secret"].as_str().unwrap());
    let path = store(&admin, "private", &json!({}));
    let one = json!({"policies": [{"id": "one", "cedar": "permit (principal, action, resource);"}]});
    let release = admin.post(&format!("{path}/apply"), &one).expect(200)["release"].as_str().unwrap().to_owned();
    admin.post(&format!("{path}/write"), &json!({"entities": {"upsert": [{"uid": "User:a"}]}})).expect(200);
    let before = admin.get(&path).expect(200);
    let id = before["id"].as_str().unwrap();
    let absent_id = "01JD0000000000000000000000";
    let call = |client: &Client, store: &str, (method, rest, body): (&str, &str, &str)| {
        let rest = rest.replace("RELEASE", &release);
        let reply = client.send(
            method,
            &format!("/v1/stores/{store}{rest}"),
            &[("content-type", "application/json")],
            body.as_bytes(),
        );
        seen(&reply, store)
    };
    for operation in UNDER_A_STORE {
        let absent = call(&stranger, absent_id, operation);
        assert_eq!(absent.0, 404, "{operation:?}");
        for theirs in [id, "private"] {
            assert_eq!(call(&stranger, theirs, operation), absent, "{operation:?} of {theirs}");
        }
    }
    assert_eq!(admin.get(&path).expect(200), before);
    assert_eq!(stranger.get("/v1/stores").expect(200)["stores"], json!([]));
    let key = admin.post("/v1/keys", &json!({"name": "k", "scopes": ["read"]})).expect(201);
    let key = key["id"].as_str().unwrap();
    for (method, rest, body) in
        [("GET", "", ""), ("PATCH", "", r#"{"name":"mine"}"#), ("POST", "/rotate", "{}"), ("DELETE", "", "")]
    {
        let call = |id: &str| {
            let path = format!("/v1/keys/{id}{rest}");
            seen(&stranger.send(method, &path, &[("content-type", "application/json")], body.as_bytes()), id)
        };
        assert_eq!(call(absent_id).0, 404, "{method}");
        assert_eq!(call(key), call(absent_id), "{method}{rest}");
    }
    assert_eq!(admin.get(&format!("/v1/keys/{key}")).expect(200)["name"], "k");
    // An alias is free in each tenant, and each sees its own.
    let own = store(&stranger, "private", &json!({}));
    assert_ne!(stranger.get(&own).expect(200)["id"], before["id"]);
    stranger.delete(&own).expect(204);
    admin.get(&path).expect(200);
}

#[test]
fn tokens_are_of_one_store_and_one_tenant() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let made = server.platform().post("/v1/tenants", &json!({"name": "other"})).expect(201);
    let stranger = server.with_key(made["admin_key"]["secret"].as_str().unwrap());
    for client in [&admin, &stranger] {
        for alias in ["first", "second"] {
            let path = store(client, alias, &json!({}));
            let upsert: Vec<_> = (0..3).map(|i| json!({"uid": format!("User:{i}")})).collect();
            client.post(&format!("{path}/write"), &json!({"entities": {"upsert": upsert}})).expect(200);
        }
    }
    let listed = admin.get("/v1/stores/first/entities?page_size=1").expect(200);
    let (page, fresh) = (listed["next_page_token"].as_str().unwrap(), listed["consistency_token"].as_str().unwrap());
    let body = json!({"principal": "User:a", "action": "read", "resource": "Doc:b", "consistency": {"mode": "at_least_as_fresh", "token": fresh}});
    admin.get(&format!("/v1/stores/first/entities?page_size=1&page_token={page}")).expect(200);
    admin.post("/v1/stores/first/check", &body).expect(200);
    for (client, alias) in [(&admin, "second"), (&stranger, "first")] {
        let reply = client.get(&format!("/v1/stores/{alias}/entities?page_size=1&page_token={page}"));
        reply.expect_problem(400, "invalid_page_token");
        client.post(&format!("/v1/stores/{alias}/check"), &body).expect_problem(400, "invalid_consistency_token");
    }
}

#[test]
fn nobody_erases_what_is_recorded_of_another_tenant() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let made = server.platform().post("/v1/tenants", &json!({"name": "other"})).expect(201);
    let stranger = server.with_key(made["admin_key"]["secret"].as_str().unwrap());
    let path = store(&admin, "private", &json!({}));
    let ask = json!({"principal": "User:a", "action": "read", "resource": "Doc:b"});
    let decision = admin.post(&format!("{path}/check"), &ask).expect(200)["decision_id"].clone();
    let erase = |client: &Client, body| client.post("/v1/audit/erase", &body).expect(200)["erased"].clone();
    for body in [json!({"ids": [decision]}), json!({"principal": "User:a"})] {
        assert_eq!(erase(&stranger, body), 0);
    }
    let recorded = format!("/v1/decisions/{}", decision.as_str().unwrap());
    admin.get(&recorded).expect(200);
    assert_eq!(erase(&admin, json!({"ids": [decision]})), 1);
    admin.get(&recorded).expect_problem(404, "not_found");
}
