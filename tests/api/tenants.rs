//! Tenants and stores: changed, deleted, restored as they were, and deleted for good.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::relations::MODEL;
use crate::store;
use crate::support::{Client, Launch, Server};

/// A tenant with a store `plans` that has a release, entities and tuples.
struct Tenant {
    id: String,
    admin: Client,
    path: String,
}

fn tenant(server: &Server, name: &str) -> Tenant {
    let made = server.platform().post("/v1/tenants", &json!({"name": name})).expect(201);
    let admin = server.with_key(made["admin_key"]["secret"].as_str().unwrap());
    let path = filled(&admin, "plans");
    Tenant { id: format!("/v1/tenants/{}", made["id"].as_str().unwrap()), admin, path }
}

/// A store of that alias; its path is by its id.
fn filled(admin: &Client, alias: &str) -> String {
    let path = store(admin, alias, &json!({"validation": "off"}));
    let policy = json!({"id": "one", "cedar": "permit (principal == User::\"ann\", action, resource);"});
    admin.post(&format!("{path}/apply"), &json!({"model": MODEL, "policies": [policy]})).expect(200);
    let data = json!({"entities": {"upsert": [{"uid": "User:ann", "attrs": {"level": 7}}]},
        "tuples": {"write": ["document:plan#owner@user:ann"]}});
    admin.post(&format!("{path}/write"), &data).expect(200);
    format!("/v1/stores/{}", admin.get(&path).expect(200)["id"].as_str().unwrap())
}

/// Everything that tells whether a store is as it was; its row says when it was changed, so that is left out.
fn readable(client: &Client, path: &str) -> Vec<Value> {
    let mut row = client.get(path).expect(200);
    row.as_object_mut().unwrap().remove("updated_at");
    let ask = json!({"principal": "User:ann", "action": "read", "resource": "Doc:a"});
    let mut decision = client.post(&format!("{path}/check"), &ask).expect(200);
    decision.as_object_mut().unwrap().remove("decision_id");
    assert_eq!(decision["decision"], "allow");
    let lists = ["/entities", "/policies", "/releases", "/changes", "/model"];
    let mut all: Vec<Value> = lists.iter().map(|rest| client.get(&format!("{path}{rest}")).expect(200)).collect();
    all.push(client.post(&format!("{path}/tuples/read"), &json!({})).expect(200));
    all.extend([row, decision]);
    all
}

fn ids(list: &Value, of: &str) -> Vec<String> {
    list[of].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_tenant_is_read_and_changed() {
    let server = Launch::normal().start();
    let platform = server.platform();
    let made = tenant(&server, "acme");
    let read = platform.get(&made.id).expect(200);
    assert_eq!((&read["name"], &read["limits"]), (&json!("acme"), &json!({"stores": 100_000})));
    let change = |body: Value| platform.json("PATCH", &made.id, &body);
    let changed = change(json!({"name": "Acme", "limits": {"stores": 2}})).expect(200);
    assert_eq!((&changed["name"], &changed["limits"]), (&json!("Acme"), &json!({"stores": 2})));
    assert_eq!(change(json!({})).expect(200), changed);
    assert_eq!(platform.get(&made.id).expect(200), changed);
    assert_eq!(made.admin.get("/v1/whoami").expect(200)["tenant"]["name"], "Acme");

    // One is there; deleted ones are not counted, but restoring one counts.
    let second = store(&made.admin, "second", &json!({}));
    let third = json!({"name": "third"});
    let refused = made.admin.post("/v1/stores", &third);
    refused.expect_problem(422, "limit_exceeded");
    assert!(refused.text().contains("its limit `stores` is 2"), "{}", refused.text());
    let id = made.admin.get(&second).expect(200)["id"].as_str().unwrap().to_owned();
    made.admin.delete(&second).expect(204);
    made.admin.post("/v1/stores", &third).expect(201);
    let restore = format!("/v1/stores/{id}/restore");
    made.admin.post(&restore, &json!({})).expect_problem(422, "limit_exceeded");
    assert_eq!(change(json!({"limits": {"stores": null}})).expect(200)["limits"], json!({"stores": 100_000}));
    made.admin.post(&restore, &json!({})).expect(200);

    for (body, code) in [
        (json!({"name": ""}), "invalid_input"),
        (json!({"limits": {"store": 1}}), "malformed_request"),
        (json!({"limits": {"stores": -1}}), "malformed_request"),
        (json!({"limits": 5}), "malformed_request"),
    ] {
        change(body).expect_problem(400, code);
    }
    for (method, rest, body) in [("GET", "", ""), ("PATCH", "", "{}"), ("DELETE", "", ""), ("POST", "/restore", "")] {
        let call = |client: &Client, path: &str| client.send(method, &format!("{path}{rest}"), &[], body.as_bytes());
        call(&made.admin, &made.id).expect_problem(403, "forbidden");
        call(&platform, "/v1/tenants/01JD0000000000000000000000").expect_problem(404, "not_found");
        call(&platform, "/v1/tenants/acme").expect_problem(404, "not_found");
    }
}

#[test]
fn of_stores_made_at_once_no_more_are_made_than_may_be() {
    let server = Launch::normal().start();
    let made = tenant(&server, "acme");
    server.platform().json("PATCH", &made.id, &json!({"limits": {"stores": 4}})).expect(200);
    let outcomes: Vec<u16> = std::thread::scope(|scope| {
        let call = || made.admin.post("/v1/stores", &json!({"name": "more"})).status;
        let threads: Vec<_> = (0..12).map(|_| scope.spawn(call)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|status| **status == 201).count(), 3, "{outcomes:?}");
    assert!(outcomes.iter().all(|status| [201, 422].contains(status)), "{outcomes:?}");
}

#[test]
fn a_deleted_tenant_is_gone_at_once_and_comes_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Launch::normal().start_in(dir.path());
    let (made, other) = (tenant(&server, "acme"), tenant(&server, "other"));
    let key = |name: &str| made.admin.post("/v1/keys", &json!({"name": name, "scopes": ["read", "check"]})).expect(201);
    let (kept, revoked) = (key("kept"), key("revoked"));
    made.admin.delete(&format!("/v1/keys/{}", revoked["id"].as_str().unwrap())).expect(204);
    let before = readable(&made.admin, &made.path);
    let gone = filled(&made.admin, "gone");
    made.admin.delete(&gone).expect(204);
    let tenant_id = made.id.rsplit('/').next().unwrap().to_owned();

    server.platform().delete(&made.id).expect(204);
    for restart in [false, true] {
        if restart {
            server.kill();
            server = Launch::normal().start_in(dir.path());
        }
        let platform = server.platform();
        let (admin, app) = (made.admin.at(server.address()), server.with_key(kept["secret"].as_str().unwrap()));
        for client in [&admin, &app] {
            client.get("/v1/whoami").expect_problem(401, "unauthenticated");
            client.get(&made.path).expect_problem(401, "unauthenticated");
        }
        let named = platform.header("authx-tenant", &tenant_id);
        named.get(&made.path).expect_problem(403, "forbidden");
        platform.get(&made.id).expect_problem(404, "not_found");
        platform.delete(&made.id).expect_problem(404, "not_found");
        platform.json("PATCH", &made.id, &json!({"name": "x"})).expect_problem(404, "not_found");
        assert!(!ids(&platform.get("/v1/tenants").expect(200), "tenants").contains(&tenant_id));
        let deleted = platform.get("/v1/tenants?deleted=true").expect(200);
        assert_eq!(ids(&deleted, "tenants"), std::slice::from_ref(&tenant_id));
        assert!(deleted["tenants"][0]["deleted_at"].is_string());
        assert!(platform.get("/metrics").text().contains("authx_stores 1\n"), "the memory is freed");
        let others = other.admin.at(server.address());
        readable(&others, &other.path);
    }
    let platform = server.platform();
    platform.post(&format!("{}/restore", made.id), &json!({})).expect(200);
    platform.post(&format!("{}/restore", made.id), &json!({})).expect_problem(404, "not_found");
    let admin = made.admin.at(server.address());
    assert_eq!(readable(&admin, &made.path), before);
    server.with_key(kept["secret"].as_str().unwrap()).get(&made.path).expect(200);
    server.with_key(revoked["secret"].as_str().unwrap()).get(&made.path).expect_problem(401, "unauthenticated");
    admin.get(&gone).expect_problem(404, "not_found");
    assert_eq!(platform.get("/v1/tenants?deleted=true").expect(200)["tenants"], json!([]));
    // It takes writes again.
    admin.post(&format!("{}/write", made.path), &json!({"entities": {"upsert": [{"uid": "User:new"}]}})).expect(200);
}

#[test]
fn a_deleted_store_comes_back_as_it_was() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let (path, open) = (filled(&admin, "plans"), filled(&admin, "open-one"));
    let id = path.rsplit('/').next().unwrap().to_owned();
    let before = readable(&admin, &path);
    let limited = |stores: Value| {
        let made = admin.post("/v1/keys", &json!({"name": "l", "scopes": ["admin"], "stores": stores})).expect(201);
        server.with_key(made["secret"].as_str().unwrap())
    };
    let (own, other) = (limited(json!(["plans"])), limited(json!(["open-one"])));
    let restore = |client: &Client, path: &str| client.post(&format!("{path}/restore"), &json!({}));
    restore(&admin, &path).expect_problem(404, "not_found");
    admin.delete(&path).expect(204);
    assert_eq!(ids(&admin.get("/v1/stores").expect(200), "stores").len(), 1);
    let deleted = admin.get("/v1/stores?deleted=true").expect(200);
    assert_eq!(ids(&deleted, "stores"), [id]);
    assert_eq!((&deleted["stores"][0]["alias"], &deleted["stores"][0]["revision"]), (&json!("plans"), &json!(2)));
    assert!(deleted["stores"][0]["deleted_at"].is_string());
    assert_eq!(other.get("/v1/stores?deleted=true").expect(200)["stores"], json!([]));

    // An alias names no deleted store; another tenant and a key of another store see none.
    let stranger = tenant(&server, "other").admin;
    let absent = restore(&stranger, "/v1/stores/01JD0000000000000000000000");
    absent.expect_problem(404, "not_found");
    for (client, path) in [(&stranger, path.as_str()), (&other, &path), (&admin, "/v1/stores/plans")] {
        restore(client, path).expect_problem(404, "not_found");
    }
    let another = store(&admin, "plans", &json!({}));
    restore(&admin, &path).expect_problem(409, "alias_taken");
    admin.json("PATCH", &another, &json!({"alias": null})).expect(200);
    let restored = restore(&own, &path).expect(200);
    assert_eq!(restored["alias"], "plans");
    assert_eq!(readable(&admin, &path), before);
    assert_eq!(readable(&own, "/v1/stores/plans"), before);
    admin.post(&format!("{path}/write"), &json!({"entities": {"upsert": [{"uid": "User:new"}]}})).expect(200);
    assert_eq!(admin.get("/v1/stores?deleted=true").expect(200)["stores"], json!([]));
    readable(&admin, &open);
}

#[test]
fn deleting_and_restoring_at_once_leaves_memory_as_storage() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Launch::normal().start_in(dir.path());
    let admin = server.admin();
    let path = filled(&admin, "plans");
    std::thread::scope(|scope| {
        for delete in [true, false, true, false] {
            let (admin, path) = (&admin, &path);
            scope.spawn(move || {
                for _ in 0..25 {
                    let restore = || admin.post(&format!("{path}/restore"), &json!({}));
                    let reply = if delete { admin.delete(path) } else { restore() };
                    assert!([200, 204, 404].contains(&reply.status), "{}", reply.text());
                }
            });
        }
    });
    let seen = admin.get(&path).status;
    server.kill();
    server = Launch::normal().start_in(dir.path());
    assert_eq!(server.admin().get(&path).status, seen);
}

#[test]
fn after_the_days_it_is_deleted_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("authx.toml");
    std::fs::write(&config, "[storage]\ndeleted_kept_days = 0\ndeleted_pause_seconds = 1\n").unwrap();
    let server = Launch::normal().arg("--config").arg(&config).start();
    let (made, other) = (tenant(&server, "acme"), tenant(&server, "other"));
    let (admin, platform) = (server.admin(), server.platform());
    let path = filled(&admin, "plans");
    let many: Vec<Value> = (0..2_500).map(|n| json!({"uid": format!("User:{n}")})).collect();
    admin.post(&format!("{path}/write"), &json!({"entities": {"upsert": many}})).expect(200);
    admin.delete(&path).expect(204);
    platform.delete(&made.id).expect(204);
    admin.post(&format!("{path}/restore"), &json!({})).expect_problem(404, "not_found");
    platform.post(&format!("{}/restore", made.id), &json!({})).expect_problem(404, "not_found");
    let begun = Instant::now();
    let left = || {
        let stores = admin.get("/v1/stores?deleted=true").expect(200);
        let tenants = platform.get("/v1/tenants?deleted=true").expect(200);
        ids(&stores, "stores").len() + ids(&tenants, "tenants").len()
    };
    while left() > 0 {
        assert!(begun.elapsed() < Duration::from_mins(1), "{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    readable(&other.admin, &other.path);
    made.admin.get("/v1/whoami").expect_problem(401, "unauthenticated");
}
