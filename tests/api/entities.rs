//! Entities: any text is an id, and chains have an end.

use serde_json::{Value, json};

use crate::store;
use crate::support::{Launch, encode};

const IDS: [&str; 22] = [
    "",
    " ",
    "alice",
    "it's \"quoted\"",
    "back\\slash",
    "a/b/c",
    "/",
    "//",
    "..",
    "a/../b",
    "line\nbreak",
    "tab\tand\rreturn",
    "nul\0inside",
    "\u{7f}\u{1b}[31m",
    "é ü 漢字",
    "👩‍👩‍👧 🏳️‍🌈",
    "100%",
    "a%2Fb",
    "a+b",
    "?page_size=0#top",
    "User::\"alice\"",
    "*",
];

#[test]
fn any_text_is_an_id() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = store(&client, "free", &json!({}));
    let policy = json!({"policies": [{"id": "same", "cedar": "permit (principal, action, resource) when { principal.twin == resource };"}]});
    client.post(&format!("{store}/apply"), &policy).expect(200);
    let uid = |ty: &str, id: &str| json!({"type": ty, "id": id});
    for ty in ["User", "App::Ns::User"] {
        let entity = |id: &&str| json!({"uid": uid(ty, id), "attrs": {"twin": {"__entity": uid("Doc", id)}}, "parents": [], "tags": {id.to_string(): id}});
        let upsert: Vec<Value> = IDS.iter().map(entity).collect();
        client.post(&format!("{store}/write"), &json!({"entities": {"upsert": upsert}})).expect(200);
        for (id, written) in IDS.iter().zip(upsert) {
            let read = client.get(&format!("{store}/entities/{}/{}", encode(ty), encode(id)));
            assert_eq!(read.status, 200, "{id:?}: {}", read.text());
            let read = read.value();
            assert_eq!(
                (&read["uid"], &read["attrs"], &read["tags"]),
                (&written["uid"], &written["attrs"], &written["tags"]),
                "{id:?}"
            );
            let asked = |resource: &str| {
                let body = json!({"principal": uid(ty, id), "action": "read", "resource": uid("Doc", resource)});
                client.post(&format!("{store}/check"), &body).expect(200)["decision"].clone()
            };
            assert_eq!((asked(id), asked(&format!("{id}x"))), (json!("allow"), json!("deny")), "{id:?}");
        }
        let deleted: Vec<Value> = IDS.iter().map(|id| uid(ty, id)).collect();
        client.post(&format!("{store}/write"), &json!({"entities": {"delete": deleted}})).expect(200);
    }
    assert_eq!(client.get(&format!("{store}/entities")).expect(200)["entities"], json!([]));
}

#[test]
fn the_three_forms_of_a_reference_are_one_entity() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let roadmap = ["Document:roadmap", "Document::\"roadmap\""].map(Value::from);
    for resource in roadmap.into_iter().chain([json!({"type": "Document", "id": "roadmap"})]) {
        for action in [json!("read"), json!("Action::\"read\""), json!({"type": "Action", "id": "read"})] {
            let body = json!({"principal": "User:alice", "action": action, "resource": resource});
            assert_eq!(client.post("/v1/stores/documents/check", &body).expect(200)["decision"], "allow", "{body}");
        }
    }
}

#[test]
fn a_chain_beyond_the_limit_is_no_decision() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = store(&client, "deep", &json!({}));
    let policy =
        json!({"policies": [{"id": "top", "cedar": "permit (principal in Node::\"1500\", action, resource);"}]});
    client.post(&format!("{store}/apply"), &policy).expect(200);
    // The lower half first: when it is written its ancestors are few.
    for half in [0..750, 750..1_500] {
        let upsert: Vec<Value> =
            half.map(|i| json!({"uid": format!("Node:{i}"), "parents": [format!("Node:{}", i + 1)]})).collect();
        client.post(&format!("{store}/write"), &json!({"entities": {"upsert": upsert}})).expect(200);
    }
    let check = |from: u32| {
        let body = json!({"principal": format!("Node:{from}"), "action": "read", "resource": "Doc:x"});
        client.post(&format!("{store}/check"), &body)
    };
    check(0).expect_problem(422, "evaluation_limit_exceeded");
    assert_eq!(check(600).expect(200)["decision"], "allow");
    let sent: Vec<Value> =
        (0..1_000).map(|i| json!({"uid": format!("Sent:{i}"), "parents": [format!("Sent:{}", i + 1)]})).collect();
    let mut body = json!({"principal": "Sent:0", "action": "read", "resource": "Doc:x", "entities": sent});
    assert_eq!(client.post(&format!("{store}/check"), &body).expect(200)["decision"], "deny");
    body["entities"][999]["parents"] = json!(["Sent:1000", "Node:600"]);
    client.post(&format!("{store}/check"), &body).expect_problem(422, "evaluation_limit_exceeded");
    body["entities"][999]["parents"] = json!(["Sent:0"]);
    client.post(&format!("{store}/check"), &body).expect_problem(422, "evaluation_limit_exceeded");
}
