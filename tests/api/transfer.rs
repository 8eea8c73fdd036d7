//! Imports, exports and deletes by filter.

use serde_json::{Value, json};

use crate::command_line::authx;
use crate::store;
use crate::support::{Client, Launch, Reply};

const MODEL: &str = "model\n  schema 1.1\ntype user\ntype group\n  relations\n    define member: [user]\ntype document\n  relations\n    define viewer: [user, user with office, user:*, group#member]\ncondition office(ip: string) {\n  ip == \"10.0.0.1\"\n}\n";

fn made(client: &Client, alias: &str) -> String {
    let store = store(client, alias, &json!({}));
    let policies = json!([{"id": "t", "cedar": "permit (principal == ?principal, action, resource == ?resource);"}]);
    client.post(&format!("{store}/apply"), &json!({"model": MODEL, "policies": policies})).expect(200);
    store
}

fn import(client: &Client, store: &str, query: &str, lines: &[Value]) -> Reply {
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    let text = text.join("\n");
    client.send("POST", &format!("{store}/import{query}"), &[], text.as_bytes())
}

/// The lines of an answer.
fn lines(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn export(client: &Client, store: &str) -> String {
    let reply = client.get(&format!("{store}/export"));
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/x-ndjson")));
    reply.text()
}

#[test]
fn what_is_exported_is_imported_as_it_was() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let (from, to) = (made(&client, "export-from"), made(&client, "import-to"));
    let odd = ["", "a/b", "line\nbreak", "é 漢字 👩‍👩‍👧", "\"quoted\"", "nul\0"];
    let entity = |id: &&str| {
        json!({"entity": {"uid": {"type": "App::User", "id": id}, "parents": [{"type": "Group", "id": id}], "tags": {"t": 1, id.to_string(): "x"},
            "attrs": {"zeta": [3, 1, 2], "alpha": {"__entity": {"type": "User", "id": id}}, "ip": {"__extn": {"fn": "ip", "arg": "10.0.0.1"}}, "deep": {"b": {}, "a": [[]]}}}})
    };
    let mut sent: Vec<Value> = odd.iter().map(entity).collect();
    sent.extend((0..2_500).map(|n| json!({"entity": {"uid": format!("User:u{n}"), "attrs": {"n": n}}})));
    sent.extend((0..2_500).map(|n| json!({"tuple": format!("document:d{}#viewer@user:u{n}", n % 7)})));
    sent.extend([
        json!({"tuple": "document:all#viewer@user:*"}),
        json!({"tuple": "document:all#viewer@group:eng#member"}),
        json!({"tuple": {"object": "document:x", "relation": "viewer", "subject": "user:a", "condition": {"name": "office", "context": {"ip": "10.0.0.1"}}, "expires_at": "2100-01-01T00:00:00Z"}}),
        json!({"link": {"id": "l1", "template": "t", "principal": "User:u1", "resource": {"type": "Doc", "id": "a\"b"}}}),
    ]);
    let end = lines(&import(&client, &from, "", &sent)).pop().unwrap();
    let counts = json!({"entities": 2_506, "tuples": 2_503, "links": 1});
    for (name, count) in counts.as_object().unwrap() {
        assert_eq!(&end["end"][name], count, "{end}");
    }
    let text = export(&client, &from);
    assert_eq!(text.lines().count(), 2_506 + 2_503 + 1 + 1);
    assert_eq!(serde_json::from_str::<Value>(text.lines().last().unwrap()).unwrap()["end"], counts);
    let reply = client.send("POST", &format!("{to}/import"), &[], text.as_bytes());
    assert!(lines(&reply).pop().unwrap()["end"].is_object(), "{}", reply.text());
    assert!(export(&client, &to) == text, "equal bytes");
    // Once more changes nothing of it.
    let reply = client.send("POST", &format!("{to}/import"), &[], text.as_bytes());
    assert!(lines(&reply).pop().unwrap()["end"].is_object(), "{}", reply.text());
    assert!(export(&client, &to) == text, "equal bytes");
    let shared = json!({"principal": "User:u1", "action": "read", "resource": {"type": "Doc", "id": "a\"b"}});
    assert_eq!(client.post(&format!("{to}/check"), &shared).expect(200)["decision"], "allow");
}

#[test]
fn the_last_of_two_lines_counts() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = made(&client, "twice");
    let tuple = |context: Value| json!({"tuple": {"object": "document:x", "relation": "viewer", "subject": "user:a", "condition": {"name": "office", "context": context}}});
    let entity = |n: u32| json!({"entity": {"uid": "User:a", "attrs": {"n": n}}});
    for round in 0..2 {
        let sent = [entity(1), tuple(json!({})), entity(2 + round), tuple(json!({"ip": round.to_string()}))];
        lines(&import(&client, &store, "", &sent));
        assert_eq!(client.get(&format!("{store}/entities/User/a")).expect(200)["attrs"]["n"], 2 + round);
        let stored = client.post(&format!("{store}/tuples/read"), &json!({})).expect(200);
        assert_eq!(stored["tuples"][0]["condition"]["context"]["ip"], round.to_string());
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = made(&client, "wrong");
    let fine = r#"{"entity":{"uid":"User:fine"}}"#;
    let rows = [
        ("{", 400, "malformed_request", 2),
        ("[]", 400, "malformed_request", 2),
        ("{}", 400, "malformed_request", 2),
        (r#"{"entity":{"uid":"User:a"},"tuple":"document:a#viewer@user:b"}"#, 400, "malformed_request", 2),
        (r#"{"entiti":{}}"#, 400, "malformed_request", 2),
        (r#"{"entity":{"uid":"User"}}"#, 400, "malformed_request", 2),
        (r#"{"entity":{"uid":"User:a","attrs":{"x":1.5}}}"#, 422, "invalid_data", 2),
        (r#"{"tuple":"document:a"}"#, 400, "invalid_input", 2),
        (r#"{"tuple":"document:a#editor@user:b"}"#, 422, "invalid_data", 2),
        (r#"{"tuple":"folder:a#viewer@user:b"}"#, 422, "invalid_data", 2),
        (r#"{"link":{"id":"l","template":"none"}}"#, 422, "invalid_link", 0),
        (r#"{"end":{"entities":2,"tuples":0,"links":0}}"#, 400, "malformed_request", 2),
    ];
    for (line, status, code, at) in rows {
        let reply =
            client.send("POST", &format!("{store}/import"), &[], format!("{fine}\n{line}\n{fine}\n").as_bytes());
        assert_eq!(reply.outcome(), (status, code.to_owned()), "{line}: {}", reply.text());
        if at > 0 {
            assert_eq!(reply.value()["errors"][0]["line"], at, "{line}: {}", reply.text());
            assert!(reply.value()["detail"].as_str().unwrap().starts_with("line 2"), "{}", reply.text());
        }
        client.get(&format!("{store}/entities/User/fine")).expect_problem(404, "not_found");
    }
    let long = format!("{{\"entity\":{{\"uid\":\"User:{}\"}}}}", "x".repeat(1 << 20));
    let reply = client.send("POST", &format!("{store}/import"), &[], long.as_bytes());
    reply.expect_problem(413, "body_too_large");
    // What was written before the part with the error stays, and is told.
    let mut sent: Vec<Value> = (0..12_000).map(|n| json!({"entity": {"uid": format!("User:u{n}")}})).collect();
    sent[11_000] = json!({"tuple": "folder:a#viewer@user:b"});
    let reply = import(&client, &store, "?id=late", &sent);
    let error = &lines(&reply).pop().unwrap()["error"];
    assert_eq!((&error["code"], &error["errors"][0]["line"]), (&json!("invalid_data"), &json!(11_001)));
    let progress = client.get(&format!("{store}/import?id=late")).expect(200);
    assert_eq!((&progress["lines"], &progress["entities"]), (&json!(10_000), &json!(10_000)));
    sent[11_000] = json!({"tuple": "document:a#viewer@user:b"});
    // It is gone on with: by the whole body, or by the rest of it.
    for (query, from) in [("?id=late&from_line=10001", 10_000), ("?id=late", 0)] {
        let end = lines(&import(&client, &store, query, &sent[from..])).pop().unwrap();
        let end = &end["end"];
        let counts = ["lines", "entities", "tuples", "links"].map(|name| end[name].as_u64().unwrap());
        assert_eq!(counts, [12_000, 11_999, 1, 0], "{end}");
    }
    for (query, status) in
        [("?id=late&from_line=12002", 400), ("?from_line=2", 400), ("?id=", 400), ("?from_line=0", 400)]
    {
        assert_eq!(import(&client, &store, query, &sent[..1]).status, status, "{query}");
    }
    client.get(&format!("{store}/import?id=none")).expect_problem(404, "not_found");
    client.get(&format!("{store}/import")).expect_problem(400, "malformed_request");
}

#[test]
fn tuples_are_deleted_by_filter_in_steps() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = made(&client, "deletes");
    let tuples: Vec<Value> =
        (0..250).map(|n| json!({"tuple": format!("document:d{}#viewer@user:u{n}", n % 2)})).collect();
    lines(&import(&client, &store, "", &tuples));
    let step = |body: Value| client.post(&format!("{store}/tuples/delete-by-filter"), &body);
    let mut told = Vec::new();
    loop {
        let reply = step(json!({"object": "document:d0", "limit": 50})).expect(200);
        told.push((reply["deleted"].as_u64().unwrap(), reply["complete"].as_bool().unwrap()));
        if reply["complete"] == true {
            break;
        }
    }
    assert_eq!(told, [(50, false), (50, false), (25, true)]);
    let left = |body: Value| {
        client.post(&format!("{store}/tuples/read"), &body).expect(200)["tuples"].as_array().unwrap().len()
    };
    assert_eq!((left(json!({"object": "document:d0"})), left(json!({"page_size": 1000}))), (0, 125));
    let one = step(json!({"relation": "viewer", "subject": "user:u1"})).expect(200);
    assert_eq!((&one["deleted"], &one["complete"]), (&json!(1), &json!(true)));
    let before = client.get(&store).expect(200)["revision"].clone();
    let none = step(json!({"object": "document:none"})).expect(200);
    assert_eq!((&none["deleted"], &none["revision"]), (&json!(0), &before), "nothing is no commit");
    for (body, code) in [
        (json!({}), "malformed_request"),
        (json!({"limit": 5}), "malformed_request"),
        (json!({"object": "document:d1", "limit": 0}), "malformed_request"),
        (json!({"object": "document:d1", "limit": 10_001}), "malformed_request"),
        (json!({"object": "document"}), "invalid_input"),
        (json!({"objekt": "document:d1"}), "malformed_request"),
    ] {
        let reply = step(body.clone());
        assert_eq!(reply.outcome(), (400, code.to_owned()), "{body}: {}", reply.text());
    }
}

#[test]
fn the_command_line_moves_a_store() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let (from, to) = (made(&client, "move-from"), made(&client, "move-to"));
    let entities = (0..7_000).map(|n| json!({"entity": {"uid": format!("User:u{n}"), "attrs": {"n": n}}}));
    let tuples = (0..7_000).map(|n| json!({"tuple": format!("document:d{}#viewer@user:u{n}", n % 7)}));
    lines(&import(&client, &from, "", &entities.chain(tuples).collect::<Vec<_>>()));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("data.ndjson");
    let file = file.to_str().unwrap();
    let run = |arguments: &[&str]| {
        let output = authx(Some(&server), arguments);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, _, told) = run(&["export", file, "--store", "move-from"]);
    assert_eq!((code, told.trim()), (Some(0), "exported 7000 entities, 7000 tuples, 0 links"));
    let (code, out, told) = run(&["import", "--all", file, "--store", "move-to", "-o", "json"]);
    assert_eq!(code, Some(0), "{told}");
    let result: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(["entities", "tuples", "links"].map(|name| result[name].as_u64().unwrap()), [7_000, 7_000, 0]);
    assert!(export(&client, &from) == export(&client, &to));
    assert_eq!(run(&["export", "--store", "move-to"]).1, export(&client, &to));
    // It stops where something is wrong, and says how to go on.
    let text = std::fs::read_to_string(file).unwrap();
    let broken =
        text.replace("document:d3#", "folder:d3#").replace("\"object\":\"document:d3\"", "\"object\":\"folder:d3\"");
    std::fs::write(file, &broken).unwrap();
    let other = made(&client, "move-other");
    let (code, _, told) = run(&["import", "--all", file, "--store", "move-other", "--id", "mine"]);
    assert!(code == Some(1) && told.contains("line 10001: ") && told.contains("--id mine"), "{told}");
    assert_eq!(client.get(&format!("{other}/import?id=mine")).expect(200)["lines"], 10_000);
    std::fs::write(file, &text).unwrap();
    let (code, out, told) = run(&["import", "--all", file, "--store", "move-other", "--id", "mine"]);
    assert!(code == Some(0) && out.contains("7000 entities, 7,000 tuples, 0 links"), "{out}{told}");
    assert!(export(&client, &from) == export(&client, &other));
    for wrong in
        [vec!["import", "--all", file, "--from-row", "3"], vec!["import", file, "--id", "x"], vec!["export", "a", "b"]]
    {
        assert_eq!(run(&wrong).0, Some(64), "{wrong:?}");
    }
}

#[test]
fn entities_are_deleted_by_type_in_steps() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = made(&client, "deletes");
    let entities: Vec<Value> = (0..120)
        .map(|n| json!({"entity": {"uid": {"type": (["User", "Doc"][n % 2]), "id": format!("{n} ::\"")}}}))
        .collect();
    lines(&import(&client, &store, "", &entities));
    let step = |body: Value| client.post(&format!("{store}/entities/delete-by-filter"), &body);
    let told: Vec<Value> = (0..3).map(|_| step(json!({"type": "Doc", "limit": 25})).expect(200)).collect();
    let told: Vec<(u64, bool)> =
        told.iter().map(|reply| (reply["deleted"].as_u64().unwrap(), reply["complete"].as_bool().unwrap())).collect();
    assert_eq!(told, [(25, false), (25, false), (10, true)]);
    let left = client.get(&format!("{store}/entities?page_size=1000")).expect(200);
    let left: Vec<&Value> = left["entities"].as_array().unwrap().iter().map(|row| &row["uid"]["type"]).collect();
    assert!(left.len() == 60 && left.iter().all(|ty| **ty == "User"));
    let before = client.get(&store).expect(200)["revision"].clone();
    let none = step(json!({"type": "Doc"})).expect(200);
    assert_eq!((&none["deleted"], &none["revision"]), (&json!(0), &before), "nothing is no commit");
    for body in [json!({}), json!({"type": "User", "limit": 0}), json!({"type": "User", "kind": 1})] {
        assert_eq!(step(body).outcome(), (400, "malformed_request".to_owned()));
    }
    // What was done is told commit by commit.
    let since = before.as_u64().unwrap() - 3;
    let commits = client.get(&format!("{store}/revisions?since={since}")).expect(200);
    let deleted =
        |commit: &Value| (commit["revision"].as_u64().unwrap(), commit["summary"]["entities_deleted"].clone());
    let told: Vec<_> = commits["revisions"].as_array().unwrap().iter().map(deleted).collect();
    assert_eq!(told, [(since + 1, json!(25)), (since + 2, json!(25)), (since + 3, json!(10))]);
}
