//! Every operation once, as its user calls it.

use serde_json::{Value, json};

use crate::DEMO;
use crate::support::{Client, Launch};

fn ask(client: &Client, store: &str, principal: &str, action: &str, resource: &str) -> Value {
    let body = json!({"principal": principal, "action": action, "resource": resource});
    client.post(&format!("{store}/check"), &body).expect(200)
}

#[test]
fn a_store_is_made_read_changed_and_deleted() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let new = json!({"name": "Plans", "alias": "plans", "settings": {"validation": "off"}});
    let made = client.post("/v1/stores", &new).expect(201);
    let by_id = format!("/v1/stores/{}", made["id"].as_str().unwrap());
    let defaults = json!({"validation": "off", "policy_errors": "deny", "request_attributes": "override"});
    assert_eq!((&made["settings"], &made["revision"], &made["release"]), (&defaults, &json!(0), &Value::Null));
    assert_eq!(client.get(&by_id).expect(200), client.get("/v1/stores/plans").expect(200));
    client.post("/v1/stores", &new).expect_problem(409, "alias_taken");

    let change = json!({"name": "Maps", "alias": "maps", "settings": {"policy_errors": "cedar"}});
    let changed = client.json("PATCH", "/v1/stores/plans", &change).expect(200);
    assert_eq!((&changed["name"], &changed["alias"]), (&json!("Maps"), &json!("maps")));
    assert_eq!(
        (&changed["settings"]["validation"], &changed["settings"]["policy_errors"]),
        (&json!("off"), &json!("cedar"))
    );
    client.get("/v1/stores/plans").expect_problem(404, "not_found");
    client.json("PATCH", "/v1/stores/maps", &json!({"alias": null})).expect(200);
    client.get("/v1/stores/maps").expect_problem(404, "not_found");
    assert_eq!(client.get(&by_id).expect(200)["alias"], Value::Null);

    assert_eq!(client.delete(&by_id).status, 204);
    client.get(&by_id).expect_problem(404, "not_found");
    client.delete(&by_id).expect_problem(404, "not_found");
    client.post("/v1/stores", &new).expect(201);
}

#[test]
fn a_store_without_a_release_denies() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = crate::store(&client, "empty", &json!({}));
    let answer = ask(&client, &store, "User:a", "read", "Doc:b");
    assert_eq!((&answer["decision"], &answer["release"]), (&json!("deny"), &Value::Null));
    assert_ne!(answer["warnings"], json!([]));
}

#[test]
fn entities_are_written_listed_read_and_deleted() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let dan = json!({"uid": {"type": "User", "id": "dan"}, "attrs": {"department": "people", "clearance": 1}, "parents": [], "tags": {}});
    assert_eq!(ask(&client, DEMO, "User:dan", "read", "Document:handbook")["decision"], "deny");
    let written = client.post(&format!("{DEMO}/write"), &json!({"entities": {"upsert": [dan]}})).expect(200);
    let before = client.get(DEMO).expect(200);
    assert_eq!(written["revision"], before["revision"]);
    assert_eq!(client.get(&format!("{DEMO}/entities/User/dan")).expect(200), dan);
    let listed = client.get(&format!("{DEMO}/entities?type=User")).expect(200);
    assert!(listed["entities"].as_array().unwrap().contains(&dan));
    let allowed = ask(&client, DEMO, "User:dan", "read", "Document:handbook");
    assert_eq!(
        (&allowed["decision"], &allowed["determining_policies"]),
        (&json!("allow"), &json!(["colleagues-read"]))
    );
    // Upsert replaces: what is not said again is gone.
    let moved = json!({"uid": "User:dan", "attrs": {"department": "sales", "clearance": 1}});
    client.post(&format!("{DEMO}/write"), &json!({"entities": {"upsert": [moved]}})).expect(200);
    assert_eq!(ask(&client, DEMO, "User:dan", "read", "Document:handbook")["decision"], "deny");
    // Deletes come first, so one write may replace an entity by deleting it.
    let both = json!({"entities": {"delete": ["User:dan"], "upsert": [dan]}});
    client.post(&format!("{DEMO}/write"), &both).expect(200);
    assert_eq!(client.get(&format!("{DEMO}/entities/User/dan")).expect(200), dan);
    client.post(&format!("{DEMO}/write"), &json!({"entities": {"delete": ["User:dan"]}})).expect(200);
    client.get(&format!("{DEMO}/entities/User/dan")).expect_problem(404, "not_found");
}

#[test]
fn a_parent_that_is_not_stored_is_told() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let free = crate::store(&client, "free", &json!({}));
    let dangling = json!({"entities": {"upsert": [{"uid": "User:dan", "parents": ["Role:ghost"]}]}});
    let warned = client.post(&format!("{free}/write"), &dangling).expect(200);
    assert!(warned["warnings"][0].as_str().unwrap().contains("ghost"));
}

#[test]
fn roles_folders_and_shares_are_granted_and_taken_back_by_tuples() {
    let server = Launch::dev().start();
    let client = server.anyone();
    for (tuple, asked, policy) in [
        ("document:roadmap#viewer@user:bob", ["read", "roadmap"], "viewers-read"),
        ("folder:company#viewer@user:bob", ["read", "roadmap"], "viewers-read"),
        ("document:roadmap#viewer@group:sales#member", ["read", "roadmap"], "viewers-read"),
        ("document:roadmap#editor@user:bob", ["write", "roadmap"], "editors-change"),
        ("role:editor#assignee@user:bob", ["write", "roadmap"], "editors-edit"),
        ("role:admin#assignee@group:sales#member", ["share", "roadmap"], "admins-do-all"),
    ] {
        let [action, document] = asked;
        let of_group = json!({"tuples": {"write": ["group:sales#member@user:bob"], "on_existing": "ignore"}});
        client.post(&format!("{DEMO}/write"), &of_group).expect(200);
        let answer = || ask(&client, DEMO, "User:bob", action, &format!("Document:{document}"));
        assert_eq!(answer()["decision"], "deny", "{tuple}");
        client.post(&format!("{DEMO}/write"), &json!({"tuples": {"write": [tuple]}})).expect(200);
        let allowed = answer();
        assert_eq!(allowed["decision"], "allow", "{tuple} {allowed}");
        assert!(allowed["determining_policies"].as_array().unwrap().contains(&json!(policy)), "{tuple} {allowed}");
        client.post(&format!("{DEMO}/write"), &json!({"tuples": {"delete": [tuple]}})).expect(200);
        assert_eq!(answer()["decision"], "deny", "{tuple}");
    }
    // A role, a relation and an attribute: alice is an editor, edits the handbook, and it is unclassified.
    let shares = ask(&client, DEMO, "User:alice", "share", "Document:handbook");
    assert_eq!(shares["determining_policies"], json!(["editors-share"]));
    let edits_salaries = json!({"tuples": {"write": ["document:salaries#editor@user:alice"]}});
    client.post(&format!("{DEMO}/write"), &edits_salaries).expect(200);
    let guarded = ask(&client, DEMO, "User:alice", "write", "Document:salaries");
    assert_eq!(guarded["decision"], "deny");
    assert!(guarded["determining_policies"].as_array().unwrap().contains(&json!("clearance")), "{guarded}");
}

#[test]
fn one_bad_entity_refuses_the_whole_write() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let body = json!({"entities": {"delete": ["User:bob"], "upsert": [{"uid": "Role:new"}, {"uid": "Ghost:x"}, {"uid": "User:y"}]}});
    let refused = client.post(&format!("{DEMO}/write"), &body);
    refused.expect_problem(422, "invalid_data");
    let pointers: Vec<Value> =
        refused.value()["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
    assert!(pointers.iter().any(|p| p.as_str().unwrap().starts_with("/entities/upsert/1")), "{pointers:?}");
    client.get(&format!("{DEMO}/entities/User/bob")).expect(200);
    client.get(&format!("{DEMO}/entities/Role/new")).expect_problem(404, "not_found");
}

#[test]
fn a_request_may_bring_its_own_entities() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let body = json!({"principal": "User:guest", "action": "read", "resource": "Document:handbook", "context": {"mfa": null, "extra": 1},
        "entities": [{"uid": "User:guest", "attrs": {"department": "people", "clearance": 0}}]});
    let answer = client.post(&format!("{DEMO}/check"), &body).expect(200);
    assert_eq!(answer["determining_policies"], json!(["colleagues-read"]));
    assert!(answer["warnings"].to_string().contains("extra"), "{answer}");
    client.get(&format!("{DEMO}/entities/User/guest")).expect_problem(404, "not_found");
    let typo = ask(&client, DEMO, "User:bob", "raed", "Document:roadmap");
    assert!(typo["warnings"][0].as_str().unwrap().contains("did you mean `read`"), "{typo}");
}

#[test]
fn a_link_grants_until_it_is_deleted() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let link = json!({"template": "shared-with", "principal": "User:bob", "resource": "Document:roadmap"});
    assert_eq!(ask(&client, DEMO, "User:bob", "read", "Document:roadmap")["decision"], "deny");
    client.put(&format!("{DEMO}/links/bob-roadmap"), &link).expect(200);
    let answer = ask(&client, DEMO, "User:bob", "read", "Document:roadmap");
    assert_eq!((&answer["decision"], &answer["determining_policies"]), (&json!("allow"), &json!(["bob-roadmap"])));
    assert!(answer["advice"][0].as_str().unwrap().contains("shared with you"));
    let listed = client.get(&format!("{DEMO}/links")).expect(200);
    assert_eq!(
        (&listed["links"][0]["id"], &listed["links"][0]["template"]),
        (&json!("bob-roadmap"), &json!("shared-with"))
    );
    assert_eq!(client.delete(&format!("{DEMO}/links/bob-roadmap")).status, 204);
    assert_eq!(ask(&client, DEMO, "User:bob", "read", "Document:roadmap")["decision"], "deny");
    client.delete(&format!("{DEMO}/links/bob-roadmap")).expect_problem(404, "not_found");
}

#[test]
fn a_read_sees_the_write_that_its_token_tells_of() {
    let server = Launch::dev().start();
    let client = server.anyone();
    for round in 0..50 {
        let resource = format!("Document:d{round}");
        let document = json!({"uid": resource, "attrs": {"owner": {"__entity": {"type": "User", "id": "bob"}}, "department": "x", "classification": 0, "public": false}});
        let written = client.post(&format!("{DEMO}/write"), &json!({"entities": {"upsert": [document]}})).expect(200);
        for consistency in [
            json!({"mode": "at_least_as_fresh", "token": written["consistency_token"]}),
            json!({"mode": "fully_consistent"}),
        ] {
            let body =
                json!({"principal": "User:bob", "action": "read", "resource": resource, "consistency": consistency});
            let answer = client.post(&format!("{DEMO}/check"), &body).expect(200);
            assert_eq!(answer["decision"], "allow");
            assert!(answer["revision"].as_u64() >= written["revision"].as_u64());
        }
    }
}
