//! Tuples: written, read by filter, and followed as changes.

use serde_json::{Value, json};

use crate::relations::{MODEL, allowed, findings, found, modelled, question, texts, with, write};
use crate::store;
use crate::support::{Client, Launch, encode};

#[test]
fn what_is_there_or_missing_is_refused_or_left_out() {
    let (_server, client, path) = modelled();
    let send = |tuples: Value| client.post(&format!("{path}/write"), &json!({"tuples": tuples}));
    let one = "document:plan#owner@user:ann";
    let two = "document:plan#owner@user:bob";
    send(json!({"write": [one]})).expect(200);
    send(json!({"write": [one, two]})).expect_problem(409, "tuple_exists");
    send(json!({"write": [one], "on_existing": "error"})).expect_problem(409, "tuple_exists");
    assert!(!allowed(&client, &path, &question("user:bob", "owner", "document:plan")));
    send(json!({"write": [one, two], "on_existing": "ignore"})).expect(200);
    assert!(allowed(&client, &path, &question("user:bob", "owner", "document:plan")));
    let other = json!({"object": "document:plan", "relation": "owner", "subject": "user:ann", "expires_at": "2090-01-01T00:00:00Z"});
    send(json!({"write": [other], "on_existing": "ignore"})).expect_problem(409, "tuple_exists");
    send(json!({"delete": ["document:plan#owner@user:cy"]})).expect_problem(409, "tuple_missing");
    send(json!({"delete": ["document:plan#owner@user:cy", one], "on_missing": "ignore"})).expect(200);
    assert!(!allowed(&client, &path, &question("user:ann", "owner", "document:plan")));
    // Deletes come first: a tuple is replaced in one write.
    send(json!({"delete": [two], "write": [{"object": "document:plan", "relation": "owner", "subject": "user:bob", "expires_at": "2020-01-01T00:00:00Z"}]}))
        .expect(200);
    assert!(!allowed(&client, &path, &question("user:bob", "owner", "document:plan")));
    send(json!({"write": [one], "on_existing": "replace"})).expect_problem(400, "malformed_request");
}

#[test]
fn wrong_tuples_refuse_the_whole_write() {
    let (_server, client, path) = modelled();
    let send = |body: Value| client.post(&format!("{path}/write"), &body);
    let conditioned = json!({"object": "document:plan", "relation": "viewer", "subject": "user:ann", "condition": {"name": "in_office", "context": {"range": 7}}});
    let wrong = json!({"tuples": {"write": ["document:plan#owner@user:ann", "ghost:x#owner@user:ann", "document:plan#wearer@user:ann",
        "document:plan#owner@group:eng", "document:plan#owner@user:ann", conditioned]}, "entities": {"upsert": [{"uid": "User:new"}]}});
    let refused = send(wrong);
    refused.expect_problem(422, "invalid_data");
    let wanted = [
        (1, "invalid_tuple"),
        (2, "invalid_tuple"),
        (3, "invalid_tuple"),
        (4, "duplicate_tuple"),
        (5, "invalid_tuple"),
    ];
    let wanted: Vec<_> =
        wanted.iter().map(|(index, code)| (format!("/tuples/write/{index}"), (*code).to_owned())).collect();
    assert_eq!(findings(&refused.value()), wanted);
    assert_eq!(client.post(&format!("{path}/tuples/read"), &json!({})).expect(200)["tuples"], json!([]));
    client.get(&format!("{path}/entities/User/new")).expect_problem(404, "not_found");

    let unreadable = json!({"tuples": {"write": ["document:plan#owner@user:ann", "nonsense", {"object": "plan", "relation": "owner", "subject": "user:ann"}]}});
    let refused = send(unreadable);
    refused.expect_problem(400, "invalid_input");
    let wanted = found(&[("/tuples/write/1", "malformed_tuple"), ("/tuples/write/2/object", "malformed_tuple")]);
    assert_eq!(findings(&refused.value()), wanted);
    let refused = send(json!({"tuples": {"delete": [conditioned]}}));
    refused.expect_problem(400, "invalid_input");
    // A misspelt limit must not be lost, nor a key that is there twice.
    for tuple in [
        r#"{"object":"document:x","relation":"owner","subject":"user:a","expire_at":"2020-01-01T00:00:00Z"}"#,
        r#"{"object":"document:x","relation":"owner","subject":"user:a","subject":"user:b"}"#,
        r#"{"object":"document:x","relation":"owner","subject":"user:a","condition":{"name":"c","context":{"a":1,"a":2}}}"#,
        r#"{"object":"document:x","relation":"owner"}"#,
        "7",
        "null",
    ] {
        let body = format!(r#"{{"tuples":{{"write":[{tuple}]}}}}"#);
        client.send("POST", &format!("{path}/write"), &[], body.as_bytes()).expect_problem(400, "malformed_request");
    }
    let many: Vec<String> = (0..10_001).map(|i| format!("document:d{i}#owner@user:a")).collect();
    send(json!({"tuples": {"write": many}})).expect_problem(422, "limit_exceeded");
}

/// Tuples for the filters, in the order of their keys.
const STORED: [&str; 7] = [
    "document:a#owner@user:ann",
    "document:a#viewer@group:eng#member",
    "document:a#viewer@user:*",
    "document:a#viewer@user:bob",
    "document:b#owner@user:ann",
    "folder:a#viewer@user:ann",
    "group:eng#member@user:bob",
];

#[test]
fn tuples_are_read_by_any_filter() {
    let (_server, client, path) = modelled();
    let written = write(&client, &path, &json!(STORED));
    let read = format!("{path}/tuples/read");
    let cases: [(Value, &[usize]); 13] = [
        (json!({}), &[0, 1, 2, 3, 4, 5, 6]),
        (json!({"object": "document:a"}), &[0, 1, 2, 3]),
        (json!({"object": "document:"}), &[0, 1, 2, 3, 4]),
        (json!({"relation": "viewer"}), &[1, 2, 3, 5]),
        (json!({"subject": "user:ann"}), &[0, 4, 5]),
        (json!({"subject": "user:"}), &[0, 2, 3, 4, 5, 6]),
        (json!({"subject": "user:*"}), &[2]),
        (json!({"subject": "group:eng#member"}), &[1]),
        (json!({"subject": "group:eng"}), &[]),
        (json!({"subject": "group:"}), &[1]),
        (json!({"object": "document:", "relation": "owner", "subject": "user:ann"}), &[0, 4]),
        (json!({"object": "document:a", "relation": "viewer", "subject": "user:"}), &[2, 3]),
        (json!({"object": "ghost:", "relation": "viewer"}), &[]),
    ];
    for (filter, wanted) in cases {
        let page = client.post(&read, &filter).expect(200);
        let mut wanted: Vec<&str> = wanted.iter().map(|index| STORED[*index]).collect();
        let mut here = texts(&page);
        here.sort();
        wanted.sort_unstable();
        assert_eq!(here, wanted, "{filter}");
        assert!(page.get("next_page_token").is_none());
        // Page by page it is the same.
        let (mut joined, mut asked) = (Vec::new(), with(filter.clone(), "page_size", json!(2)));
        loop {
            let page = client.post(&read, &asked).expect(200);
            joined.extend(texts(&page));
            let Some(next) = page.get("next_page_token") else { break };
            asked["page_token"] = next.clone();
        }
        joined.sort();
        assert_eq!(joined, wanted, "{filter} by pages");
    }
    let page = client.post(&read, &json!({"page_size": 1})).expect(200);
    assert_eq!(page["tuples"][0]["created_revision"], written["revision"]);
    assert!(page["tuples"][0]["created_at"].as_str().unwrap().ends_with('Z'));
    let token = &page["next_page_token"];
    for other in [json!({"relation": "viewer"}), json!({"object": "document:"}), json!({"subject": "user:ann"})] {
        client.post(&read, &with(other, "page_token", token.clone())).expect_problem(400, "invalid_page_token");
    }
    for bad in [
        json!({"object": "document"}),
        json!({"object": "document:*"}),
        json!({"object": ":"}),
        json!({"relation": ""}),
        json!({"relation": "a b"}),
        json!({"subject": "user"}),
        json!({"subject": "user:*#member"}),
        json!({"subject": ""}),
    ] {
        let refused = client.post(&read, &bad);
        refused.expect_problem(400, "invalid_input");
        assert_eq!(findings(&refused.value()).len(), 1, "{bad}");
    }
    for bad in [json!({"page_size": 0}), json!({"page_size": 1001}), json!({"object": 7})] {
        client.post(&read, &bad).expect_problem(400, "malformed_request");
    }
}

/// Every change behind a token, and the token at the end.
fn follow(client: &Client, path: &str, query: &str, after: &str) -> (Vec<String>, String) {
    let after = if after.is_empty() { String::new() } else { format!("&page_token={after}") };
    let (mut seen, mut token) = (Vec::new(), after);
    loop {
        let page = client.get(&format!("{path}/changes?page_size=2{query}{token}")).expect(200);
        let operations = page["changes"].as_array().unwrap().iter();
        let here: Vec<String> = operations
            .zip(texts(&page))
            .map(|(change, text)| format!("{} {text}", change["operation"].as_str().unwrap()))
            .collect();
        let next = page["next_page_token"].as_str().unwrap().to_owned();
        if here.is_empty() {
            return (seen, next);
        }
        seen.extend(here);
        token = format!("&page_token={next}");
    }
}

#[test]
fn changes_are_followed_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Launch::dev().start_in(dir.path());
    let client = server.anyone();
    let path = store(&client, "relations", &json!({}));
    // A place before the first change is one to go on from too.
    let start = client.get(&format!("{path}/changes")).expect(200)["next_page_token"].as_str().unwrap().to_owned();
    client.put(&format!("{path}/model"), &json!({"dsl": MODEL})).expect(200);
    let first = write(
        &client,
        &path,
        &json!(["document:a#owner@user:ann", "folder:a#viewer@user:ann", "document:b#owner@user:bob"]),
    );
    let both = json!({"tuples": {"delete": ["document:a#owner@user:ann"], "write": ["document:a#owner@user:cy"]}});
    client.post(&format!("{path}/write"), &both).expect(200);
    let all = [
        "write document:a#owner@user:ann",
        "write folder:a#viewer@user:ann",
        "write document:b#owner@user:bob",
        "delete document:a#owner@user:ann",
        "write document:a#owner@user:cy",
    ];
    let (mut seen, end) = follow(&client, &path, "", "");
    seen[..3].sort();
    let mut wanted = all.to_vec();
    wanted[..3].sort_unstable();
    assert_eq!(seen, wanted);
    let page = client.get(&format!("{path}/changes?page_size=1")).expect(200);
    assert_eq!(page["changes"][0]["revision"], first["revision"]);
    let since = page["changes"][0]["at"].as_str().unwrap().to_owned();
    assert_eq!(follow(&client, &path, "", &start).0.len(), all.len());
    assert_eq!(follow(&client, &path, "&object_type=folder", "").0, ["write folder:a#viewer@user:ann"]);
    assert_eq!(follow(&client, &path, &format!("&since={}", encode(&since)), "").0.len(), all.len());
    assert_eq!(follow(&client, &path, "&since=2090-01-01T00:00:00Z", "").0.len(), 0);
    for (query, code) in [
        ("since=yesterday", "invalid_input"),
        ("object_type=", "invalid_input"),
        ("object_type=a%20b", "invalid_input"),
        ("page_size=0", "malformed_request"),
        ("page_token=AAAA", "invalid_page_token"),
    ] {
        client.get(&format!("{path}/changes?{query}")).expect_problem(400, code);
    }
    let other = format!("{path}/changes?object_type=folder&page_token={end}");
    client.get(&other).expect_problem(400, "invalid_page_token");
    let elsewhere = store(&client, "elsewhere", &json!({}));
    client.get(&format!("{elsewhere}/changes?page_token={end}")).expect_problem(400, "invalid_page_token");

    let model = client.get(&format!("{path}/model")).expect(200);
    let tuples = client.post(&format!("{path}/tuples/read"), &json!({})).expect(200);
    server.kill();
    server = Launch::dev().start_in(dir.path());
    let client = server.anyone();
    assert_eq!(client.get(&format!("{path}/model")).expect(200), model);
    assert_eq!(client.post(&format!("{path}/tuples/read"), &json!({})).expect(200), tuples);
    assert!(allowed(&client, &path, &question("user:cy", "viewer", "document:a")));
    assert!(!allowed(&client, &path, &question("user:ann", "viewer", "document:a")));
    write(&client, &path, &json!(["document:c#owner@user:dan"]));
    let query = format!("&page_token={end}");
    let page = client.get(&format!("{path}/changes?page_size=2{query}")).expect(200);
    assert_eq!(texts(&page), ["document:c#owner@user:dan"]);
}
