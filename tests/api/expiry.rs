//! Tuples that end: they stop to count at their time, and are deleted later.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::relations::{MODEL, allowed, question, texts, with};
use crate::store;
use crate::support::{Client, Launch, Server};

/// A server that deletes tuples this many seconds after their end.
fn server(kept: u64) -> (tempfile::TempDir, Server) {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("authx.toml");
    let text = format!("[storage]\nexpired_tuples_kept_seconds = {kept}\nexpired_tuples_pause_seconds = 1\n");
    std::fs::write(&config, text).unwrap();
    let server = Launch::dev().arg("--config").arg(config).start();
    (dir, server)
}

fn ending(object: &str, subject: &str, end: &str) -> Value {
    json!({"object": object, "relation": "owner", "subject": subject, "expires_at": end})
}

fn stored(client: &Client, path: &str) -> Vec<String> {
    texts(&client.post(&format!("{path}/tuples/read"), &json!({"page_size": 1000})).expect(200))
}

const PAST: &str = "2020-01-01T00:00:00Z";
const FUTURE: &str = "2090-01-01T00:00:00Z";

#[test]
fn expired_tuples_are_deleted_and_the_deletes_are_told() {
    let (_dir, server) = server(0);
    let client = server.anyone();
    let path = store(&client, "ending", &json!({}));
    client.post(&format!("{path}/apply"), &json!({"model": MODEL})).expect(200);
    // More than one step, in two writes; what does not end, or not yet, stays.
    let past = |range: std::ops::Range<u32>| -> Vec<Value> {
        range.map(|i| ending(&format!("document:{i}"), "user:ann", PAST)).collect()
    };
    let mut first = past(0..2_000);
    first.push(json!("document:plan#owner@user:bob"));
    first.push(ending("document:plan", "user:ann", FUTURE));
    for tuples in [first, past(2_000..2_500)] {
        client.post(&format!("{path}/write"), &json!({"tuples": {"write": tuples}})).expect(200);
    }
    assert!(!allowed(&client, &path, &question("user:ann", "owner", "document:7")));
    let begun = Instant::now();
    let stay = ["document:plan#owner@user:ann", "document:plan#owner@user:bob"];
    while stored(&client, &path) != stay {
        assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", stored(&client, &path).first());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(allowed(&client, &path, &question("user:ann", "owner", "document:plan")));
    // Every one of them was written once and deleted once, the deletes in steps of their own.
    let (mut behind, mut written, mut deleted, mut revisions) = (String::new(), 0, Vec::new(), 0);
    loop {
        let page = client.get(&format!("{path}/changes?page_size=1000{behind}")).expect(200);
        let changes = page["changes"].as_array().unwrap();
        if changes.is_empty() {
            break;
        }
        written += changes.iter().filter(|change| change["operation"] == "write").count();
        let ended = changes.iter().filter(|change| change["operation"] == "delete");
        deleted.extend(ended.map(|change| change["object"].as_str().unwrap().to_owned()));
        revisions = page["revision"].as_u64().unwrap();
        behind = format!("&page_token={}", page["next_page_token"].as_str().unwrap());
    }
    deleted.sort_unstable();
    deleted.dedup();
    assert_eq!((written, deleted.len()), (2_502, 2_500));
    // Model, two writes, and at least three steps of a thousand at most; none of them empty.
    assert!((6..20).contains(&revisions), "{revisions}");
    std::thread::sleep(Duration::from_millis(2_500));
    let now = client.post(&format!("{path}/tuples/read"), &json!({})).expect(200)["revision"].as_u64();
    assert_eq!(now, Some(revisions), "nothing is left to delete, so nothing is written");
}

#[test]
fn an_expired_tuple_stays_for_a_while_and_is_in_nobodys_way() {
    // Three hundred years.
    let (_dir, server) = server(10_000_000_000);
    let client = server.anyone();
    let path = store(&client, "ending", &json!({}));
    client.post(&format!("{path}/apply"), &json!({"model": MODEL})).expect(200);
    let write = |tuples: Value| client.post(&format!("{path}/write"), &json!({"tuples": tuples}));
    write(json!({"write": [ending("document:plan", "user:ann", PAST), ending("document:plan", "user:bob", PAST)]}))
        .expect(200);
    std::thread::sleep(Duration::from_millis(2_500));
    let both = ["document:plan#owner@user:ann", "document:plan#owner@user:bob"];
    assert_eq!(stored(&client, &path), both);
    // Granted anew without a revoke, whatever is said about those that exist; one that is the same is left out.
    write(json!({"write": ["document:plan#owner@user:ann"]})).expect(200);
    assert!(allowed(&client, &path, &question("user:ann", "owner", "document:plan")));
    let same = ending("document:plan", "user:bob", PAST);
    assert_eq!(write(json!({"write": [same], "on_existing": "ignore"})).expect(200)["tuples_written"], json!(0));
    let longer = ending("document:plan", "user:bob", FUTURE);
    assert_eq!(write(json!({"write": [longer], "on_existing": "ignore"})).expect(200)["tuples_written"], json!(1));
    assert!(allowed(&client, &path, &question("user:bob", "owner", "document:plan")));
    // Contextual tuples end in the same way.
    let asked = with(
        question("user:cy", "owner", "document:plan"),
        "tuples",
        json!([ending("document:plan", "user:cy", PAST)]),
    );
    assert!(!allowed(&client, &path, &asked));
}
