//! Writes that depend on what is there, and changes of parts of entities.

use serde_json::{Value, json};

use crate::store;
use crate::support::{Client, Launch};

const MODEL: &str = "model\n  schema 1.1\ntype user\ntype group\n  relations\n    define member: [user]\ntype document\n  relations\n    define owner: [user]\n    define viewer: [user, group#member]\n";

/// A store with a model, four tuples of which one has expired, and an entity.
fn world(client: &Client, alias: &str) -> String {
    let store = store(client, alias, &json!({}));
    client.post(&format!("{store}/apply"), &json!({"model": MODEL})).expect(200);
    let write = json!({
        "tuples": {"write": [
            "document:a#owner@user:ann", "document:a#viewer@user:bob", "document:a#viewer@group:eng#member",
            {"object": "document:b", "relation": "owner", "subject": "user:bob", "expires_at": "2020-01-01T00:00:00Z"},
        ]},
        "entities": {"upsert": [{"uid": "User:ann", "attrs": {"level": 1}, "parents": [], "tags": {}}]},
    });
    client.post(&format!("{store}/write"), &write).expect(200);
    store
}

#[test]
fn a_write_is_made_when_its_preconditions_hold() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = world(&client, "conditions");
    let tag = client.get(&format!("{store}/entities/User/ann")).header("etag").unwrap().to_owned();
    // What is looked for, and whether it is there.
    let rows = [
        (json!({"object": "document:a"}), true),
        (json!({"object": "document:none"}), false),
        (json!({"object": "document:a", "relation": "owner"}), true),
        (json!({"object": "document:a", "relation": "editor"}), false),
        (json!({"object": "document:a", "subject": "user:bob"}), true),
        (json!({"object": "document:a", "relation": "owner", "subject": "user:bob"}), false),
        (json!({"object": "document:a", "relation": "viewer", "subject": "group:eng#member"}), true),
        (json!({"object": "document:a", "relation": "viewer", "subject": "group:eng"}), false),
        (json!({"subject": "user:ann"}), true),
        (json!({"subject": "user:ann", "relation": "viewer"}), false),
        (json!({"subject": "group:eng#member"}), true),
        (json!({"subject": "group:eng"}), false),
        (json!({"subject": "user:nobody"}), false),
        // It has expired, so it is not there.
        (json!({"object": "document:b"}), false),
        (json!({"entity": "User:ann"}), true),
        (json!({"entity": "User:bob"}), false),
        (json!({"entity": "User:ann", "etag": tag}), true),
        (json!({"entity": "User:ann", "etag": tag.trim_matches('"')}), true),
        (json!({"entity": "User:ann", "etag": "\"other\""}), false),
    ];
    let marker = json!({"upsert": [{"uid": "User:marker", "attrs": {}, "parents": [], "tags": {}}]});
    for (wanted, there) in rows {
        for (name, holds) in [("exists", there), ("absent", !there)] {
            let body = json!({"entities": marker, "preconditions": [{name: wanted}]});
            let reply = client.post(&format!("{store}/write"), &body);
            if holds {
                assert_eq!(reply.status, 200, "{name} {wanted}: {}", reply.text());
                client.post(&format!("{store}/write"), &json!({"entities": {"delete": ["User:marker"]}})).expect(200);
                continue;
            }
            reply.expect_problem(412, "precondition_failed");
            let failed = reply.value()["errors"][0].clone();
            assert_eq!(
                (&failed["pointer"], &failed["code"]),
                (&json!("/preconditions/0"), &json!("precondition_failed"))
            );
            let read = client.get(&format!("{store}/entities/User/marker")).status;
            assert_eq!(read, 404, "{name} {wanted}: nothing is written");
        }
    }
    // Each that fails is told; those of one write see what was there before it.
    let body = json!({
        "tuples": {"delete": ["document:a#owner@user:ann"]},
        "preconditions": [{"exists": {"object": "document:a", "relation": "owner"}}, {"absent": {"entity": "User:ann"}}, {"exists": {"entity": "User:bob"}}],
    });
    let failed = client.post(&format!("{store}/write"), &body);
    failed.expect_problem(412, "precondition_failed");
    let pointers: Vec<Value> =
        failed.value()["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
    assert_eq!(pointers, ["/preconditions/1", "/preconditions/2"]);
    for malformed in [
        json!([{"exists": {}}]),
        json!([{"exists": {"relation": "owner"}}]),
        json!([{"exists": {"entity": "User:ann", "object": "document:a"}}]),
        json!([{"exists": {"object": "document:a", "etag": "x"}}]),
        json!([{"exists": {"object": "document:"}}]),
        json!([{"exists": {"object": "document:a"}, "absent": {"object": "document:a"}}]),
        json!([{"exists": {"objekt": "document:a"}}]),
        json!([{"is": {"object": "document:a"}}]),
    ] {
        let reply = client.post(&format!("{store}/write"), &json!({"entities": marker, "preconditions": malformed}));
        assert_eq!(reply.status, 400, "{malformed}: {}", reply.text());
    }
    let many: Vec<Value> = (0..101).map(|_| json!({"exists": {"object": "document:a"}})).collect();
    client.post(&format!("{store}/write"), &json!({"preconditions": many})).expect_problem(422, "limit_exceeded");
}

#[test]
fn of_many_who_write_on_one_condition_one_does() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = world(&client, "claims");
    let claims: Vec<u16> = std::thread::scope(|scope| {
        let claim = |n: usize| {
            let (client, path) = (server.anyone(), format!("{store}/write"));
            let tuple = format!("document:claimed#owner@user:u{n}");
            let body =
                json!({"tuples": {"write": [tuple]}, "preconditions": [{"absent": {"object": "document:claimed"}}]});
            scope.spawn(move || client.post(&path, &body).status)
        };
        let threads: Vec<_> = (0..20).map(claim).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let count = |status| claims.iter().filter(|claim| **claim == status).count();
    assert_eq!((count(200), count(412)), (1, 19));
}

#[test]
fn a_patch_changes_what_it_names_and_keeps_the_rest() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = store(&client, "patches", &json!({}));
    let read = || client.get(&format!("{store}/entities/User/ann"));
    let begin = json!({"uid": "User:ann", "attrs": {"level": 1, "name": "Ann", "boss": {"__entity": {"type": "User", "id": "bob"}}},
        "parents": ["Group:a", "Group:b"], "tags": {"t": 1, "u": 2}});
    let rows = [
        (json!({}), json!({})),
        (json!({"set": {"level": 2}}), json!({"attrs": {"level": 2}})),
        (json!({"set": {"new": {"deep": [1, 2]}}}), json!({"attrs": {"new": {"deep": [1, 2]}}})),
        (json!({"unset": ["name", "none"]}), json!({"attrs": {"name": null}})),
        (json!({"set": {"name": "B"}, "unset": ["name"]}), json!({"attrs": {"name": "B"}})),
        (json!({"set_tags": {"t": 3}, "unset_tags": ["u"]}), json!({"tags": {"t": 3, "u": null}})),
        (json!({"add_parents": ["Group:c", "Group:a", "Group:c"]}), json!({"parents": ["a", "b", "c"]})),
        (json!({"remove_parents": ["Group:a", "Group:none"]}), json!({"parents": ["b"]})),
        (json!({"add_parents": ["Group:a"], "remove_parents": ["Group:a"]}), json!({"parents": ["b", "a"]})),
    ];
    for (patch, changes) in rows {
        client.post(&format!("{store}/write"), &json!({"entities": {"upsert": [begin]}})).expect(200);
        let (before, tag) = (read().value(), read().header("etag").unwrap().to_owned());
        let mut body = patch.clone();
        body["uid"] = json!("User:ann");
        client.post(&format!("{store}/write"), &json!({"entities": {"patch": [body]}})).expect(200);
        let mut want = before.clone();
        for part in ["attrs", "tags"] {
            for (name, value) in changes[part].as_object().into_iter().flatten() {
                if value.is_null() {
                    want[part].as_object_mut().unwrap().remove(name);
                } else {
                    want[part][name] = value.clone();
                }
            }
        }
        if let Some(parents) = changes["parents"].as_array() {
            want["parents"] = parents.iter().map(|id| json!({"type": "Group", "id": id})).collect();
        }
        let after = read();
        assert_eq!(after.value(), want, "{patch}");
        assert_eq!(after.header("etag").unwrap() == tag, want == before, "{patch}");
    }
    let refused = [
        (json!({"uid": "User:nobody", "set": {"a": 1}}), 422, "invalid_data"),
        (json!({"uid": "User:ann", "add_parents": ["User:ann"]}), 422, "invalid_data"),
        (json!({"uid": "User:ann", "sett": {}}), 400, "malformed_request"),
        (json!({"set": {}}), 400, "malformed_request"),
    ];
    for (patch, status, code) in refused {
        let reply = client.post(&format!("{store}/write"), &json!({"entities": {"patch": [patch]}}));
        assert_eq!(reply.outcome(), (status, code.to_owned()), "{patch}: {}", reply.text());
    }
    // One entity is written once.
    let twice = json!({"entities": {"upsert": [begin], "patch": [{"uid": "User:ann", "unset": ["name"]}]}});
    client.post(&format!("{store}/write"), &twice).expect_problem(422, "invalid_data");
    let gone = json!({"entities": {"delete": ["User:ann"], "patch": [{"uid": "User:ann", "unset": ["name"]}]}});
    client.post(&format!("{store}/write"), &gone).expect_problem(422, "invalid_data");
}

#[test]
fn a_patch_is_held_to_the_schema() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = store(&client, "typed", &json!({}));
    let schema = json!({"schema": {"cedar": "entity User = { level: Long, name?: String };"}});
    client.post(&format!("{store}/apply"), &schema).expect(200);
    let ann = json!({"uid": "User:ann", "attrs": {"level": 1}, "parents": [], "tags": {}});
    client.post(&format!("{store}/write"), &json!({"entities": {"upsert": [ann]}})).expect(200);
    let patched = |patch: Value| client.post(&format!("{store}/write"), &json!({"entities": {"patch": [patch]}}));
    assert_eq!(patched(json!({"uid": "User:ann", "set": {"name": "Ann"}})).status, 200);
    for patch in [json!({"set": {"level": "x"}}), json!({"unset": ["level"]}), json!({"set": {"other": 1}})] {
        let mut body = patch.clone();
        body["uid"] = json!("User:ann");
        let reply = patched(body);
        reply.expect_problem(422, "invalid_data");
        let pointer = reply.value()["errors"][0]["pointer"].as_str().unwrap().to_owned();
        assert!(pointer.starts_with("/entities/patch/0"), "{patch}: {pointer}");
    }
    let kept = client.get(&format!("{store}/entities/User/ann")).value();
    assert_eq!(kept["attrs"], json!({"level": 1, "name": "Ann"}));
}
