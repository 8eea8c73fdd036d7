//! Questions to earlier revisions.

use serde_json::{Value, json};

use crate::store;
use crate::support::{Client, Launch};

const MODEL: &str = "model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define viewer: [user]\n";
const SCHEMA: &str = "@rebac(\"user\") entity User = { level?: Long };\n@rebac(\"doc\") entity Doc = { open?: Bool };\naction \"read\" appliesTo { principal: [User], resource: [Doc] };\n";

fn policies(with: &str) -> Value {
    json!([
        {"id": "viewers", "cedar": "permit (principal, action, resource) when { principal in resource.rel.viewer };"},
        {"id": "open", "cedar": "permit (principal, action, resource) when { resource has open && resource.open };"},
        {"id": "linked", "cedar": "permit (principal == ?principal, action, resource == ?resource);"},
        {"id": "broken", "cedar": "forbid (principal, action, resource) when { principal has level && principal.level * 4611686018427387904 > 0 };"},
        {"id": "with", "cedar": with},
    ])
}

/// Every user on every document, and what was told of each.
fn answers(client: &Client, store: &str, at: Option<u64>) -> Vec<Value> {
    let mut told = Vec::new();
    for user in ["u0", "u1", "u2"] {
        for doc in ["d0", "d1"] {
            let mut body =
                json!({"principal": format!("User:{user}"), "action": "read", "resource": format!("Doc:{doc}")});
            let mut relation =
                json!({"subject": format!("user:{user}"), "relation": "viewer", "object": format!("doc:{doc}")});
            if let Some(revision) = at {
                body["consistency"] = json!({"mode": "at_revision", "revision": revision});
                relation["consistency"] = body["consistency"].clone();
            }
            let answer = client.post(&format!("{store}/check"), &body).expect(200);
            let names =
                ["decision", "determining_policies", "policy_errors", "revision", "release", "consistency_token"];
            told.push(names.map(|name| answer[name].clone()).into());
            let related = client.post(&format!("{store}/relations/check"), &relation).expect(200);
            told.push(["allowed", "revision", "release"].map(|name| related[name].clone()).into());
        }
    }
    told
}

#[test]
fn an_earlier_revision_answers_as_it_did() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = store(&client, "past", &json!({}));
    let apply = |with: &str| {
        let body = json!({"schema": {"cedar": SCHEMA}, "model": MODEL, "policies": policies(with)});
        client.post(&format!("{store}/apply"), &body).expect(200);
    };
    let write = |body: Value| drop(client.post(&format!("{store}/write"), &body).expect(200));
    let doc = |id: &str, attrs: Value| json!({"entities": {"upsert": [{"uid": format!("Doc:{id}"), "attrs": attrs}]}});
    let never = "permit (principal, action, resource) when { false };";
    let senior = "permit (principal, action, resource) when { principal has level && principal.level > 3 };";
    let link = json!({"template": "linked", "principal": "User:u1", "resource": "Doc:d1"});
    let steps: Vec<Box<dyn Fn()>> = vec![
        Box::new(|| apply(never)),
        Box::new(|| write(json!({"tuples": {"write": ["doc:d0#viewer@user:u0"]}}))),
        Box::new(|| write(doc("d1", json!({"open": true})))),
        Box::new(|| write(json!({"entities": {"upsert": [{"uid": "User:u1", "attrs": {"level": 5}}]}}))),
        Box::new(|| apply(senior)),
        Box::new(|| drop(client.put(&format!("{store}/links/l"), &link).expect(200))),
        Box::new(|| write(doc("d1", json!({"open": false})))),
        // What could not be evaluated forbids, and from here on does not.
        Box::new(|| drop(client.json("PATCH", &store, &json!({"settings": {"policy_errors": "cedar"}})).expect(200))),
        Box::new(|| {
            write(json!({"tuples": {"delete": ["doc:d0#viewer@user:u0"], "write": ["doc:d0#viewer@user:u2"]}}));
        }),
        Box::new(|| write(json!({"entities": {"delete": ["User:u1"]}}))),
        Box::new(|| drop(client.json("PATCH", &store, &json!({"settings": {"policy_errors": "deny"}})).expect(200))),
        Box::new(|| drop(client.delete(&format!("{store}/links/l")))),
        Box::new(|| apply(never)),
        Box::new(|| write(json!({"tuples": {"write": ["doc:d0#viewer@user:u0"]}}))),
    ];
    let mut recorded = Vec::new();
    for step in &steps {
        step();
        recorded.push(answers(&client, &store, None));
    }
    let mut different = recorded.clone();
    different.dedup_by_key(|told| told.iter().map(|answer| answer[0].clone()).collect::<Vec<_>>());
    assert!(different.len() >= 10, "the steps change answers: {}", different.len());
    // In no order, twice: from storage, and from what is kept of it.
    for round in 0..2 {
        for n in 0..steps.len() {
            let at = (n * 5 + round) % steps.len();
            let revision = at as u64 + 1;
            assert_eq!(answers(&client, &store, Some(revision)), recorded[at], "revision {revision}");
        }
    }
    let batch = json!({"checks": [{"principal": "User:u0", "action": "read", "resource": "Doc:d0"}], "consistency": {"mode": "at_revision", "revision": 2}});
    let batch = client.post(&format!("{store}/check/batch"), &batch).expect(200);
    assert_eq!((&batch["results"][0]["decision"], &batch["revision"]), (&json!("allow"), &json!(2)));
    let ask = |consistency: Value| {
        let body = json!({"principal": "User:u0", "action": "read", "resource": "Doc:d0", "consistency": consistency});
        client.post(&format!("{store}/check"), &body)
    };
    for revision in [0, steps.len() as u64 + 1, u64::MAX] {
        ask(json!({"mode": "at_revision", "revision": revision})).expect_problem(404, "not_found");
    }
    for wrong in [
        json!({"mode": "at_revision"}),
        json!({"mode": "at_revision", "revision": -1}),
        json!({"mode": "at_revision", "revision": "2"}),
    ] {
        ask(wrong).expect_problem(400, "malformed_request");
    }
}

#[test]
fn a_tuple_counts_at_an_earlier_revision_as_it_did_then() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = store(&client, "expired", &json!({}));
    client.post(&format!("{store}/apply"), &json!({"model": MODEL})).expect(200);
    let expires_at = authx::ids::Timestamp::from_millis(authx::clock::Clock.now().as_millis() + 2_000).to_string();
    let tuple = json!({"object": "doc:d", "relation": "viewer", "subject": "user:u", "expires_at": expires_at});
    client.post(&format!("{store}/write"), &json!({"tuples": {"write": [tuple]}})).expect(200);
    let ask = |consistency: Value| {
        let body = json!({"subject": "user:u", "relation": "viewer", "object": "doc:d", "consistency": consistency});
        client.post(&format!("{store}/relations/check"), &body).expect(200)["allowed"].clone()
    };
    while ask(json!({"mode": "minimize_latency"})) == true {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    client.post(&format!("{store}/write"), &json!({"entities": {"upsert": [{"uid": "User:x"}]}})).expect(200);
    assert_eq!(ask(json!({"mode": "at_revision", "revision": 2})), true);
}

#[test]
fn what_is_not_kept_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("authx.toml");
    std::fs::write(&config, "[storage]\nhistory_days = 0\ndeleted_pause_seconds = 1\n[limits]\nhistory_rows = 3\n")
        .unwrap();
    let server = Launch::dev().arg("--config").arg(&config).start_in(&dir.path().join("data"));
    let client = server.anyone();
    let store = store(&client, "short", &json!({}));
    let user = |n: u64| json!({"entities": {"upsert": [{"uid": "User:a", "attrs": {"n": n}}]}});
    for n in 0..3 {
        client.post(&format!("{store}/write"), &user(n)).expect(200);
    }
    let ask = |revision: u64| {
        let consistency = json!({"mode": "at_revision", "revision": revision});
        let body = json!({"principal": "User:a", "action": "read", "resource": "Doc:d", "consistency": consistency});
        client.post(&format!("{store}/check"), &body)
    };
    ask(1).expect_problem(410, "revision_expired");
    ask(3).expect(200);
}

#[test]
fn a_store_may_be_too_large_to_be_asked_about_its_past() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("authx.toml");
    std::fs::write(&config, "[limits]\nhistory_rows = 3\n").unwrap();
    let server = Launch::dev().arg("--config").arg(&config).start_in(&dir.path().join("data"));
    let client = server.anyone();
    let store = store(&client, "large", &json!({}));
    for n in 0..5 {
        let body = json!({"entities": {"upsert": [{"uid": format!("User:u{n}")}]}});
        client.post(&format!("{store}/write"), &body).expect(200);
    }
    let ask = |revision: u64| {
        let consistency = json!({"mode": "at_revision", "revision": revision});
        let body = json!({"principal": "User:a", "action": "read", "resource": "Doc:d", "consistency": consistency});
        client.post(&format!("{store}/check"), &body)
    };
    ask(3).expect(200);
    ask(4).expect_problem(422, "limit_exceeded");
}
