//! The decision log over HTTP: every decision is there, nobody else's is, and a kill loses no more than is told.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::DEMO;
use crate::support::{Client, Launch, Server};

fn check(client: &Client, store: &str, principal: &str) -> String {
    let body = json!({"principal": principal, "action": "read", "resource": "Document:roadmap", "context": {"secret": "canary-7", "n": 1}});
    client.post(&format!("{store}/check"), &body).expect(200)["decision_id"].as_str().unwrap().to_owned()
}

/// What `authx audit verify` says of a data directory, and how it ended.
pub(crate) fn verify(dir: &Path) -> (i32, Value) {
    let out = Command::new(env!("CARGO_BIN_EXE_authx"))
        .args(["audit", "verify", "-o", "json", "--data-dir"])
        .arg(dir)
        .output()
        .unwrap();
    (out.status.code().unwrap(), serde_json::from_slice(&out.stdout).unwrap_or_default())
}

/// The files of every log in a data directory.
pub(crate) fn files(data_dir: &Path) -> Vec<PathBuf> {
    let entries = |dir: &Path| std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    entries(&data_dir.join("decisions")).iter().flat_map(|tenant| entries(tenant)).collect()
}

/// What a report says of the one tenant that there is beside the platform.
fn of_tenant(report: &Value) -> &Value {
    let tenants = report["tenants"].as_array().unwrap();
    tenants.iter().find(|tenant| tenant["tenant"] != "0".repeat(26)).unwrap()
}

fn configured(lines: &str) -> (tempfile::TempDir, Launch) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("authx.toml");
    std::fs::write(&file, lines).unwrap();
    let launch = Launch::dev().arg("--config").arg(file);
    (dir, launch)
}

#[test]
fn a_decision_is_found_by_its_id_and_by_what_it_was() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let alice = check(&client, DEMO, "User:alice");
    let bob = check(&client, DEMO, "User:bob");
    let found = client.get(&format!("/v1/decisions/{alice}")).expect(200);
    assert_eq!((&found["id"], &found["principal"]), (&json!(alice), &json!("User::\"alice\"")));
    assert_eq!(found["request"]["context"], json!({"secret": "canary-7", "n": 1}));
    let ids = |query: &str| {
        let listed = client.get(&format!("/v1/decisions?{query}")).expect(200);
        let ids = listed["decisions"].as_array().unwrap().iter().map(|d| d["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids("resource=Document:roadmap"), [&*bob, &*alice], "the newest first");
    for query in ["principal=User:bob", "principal=User::%22bob%22", "principal=User:bob&action=read&store=documents"] {
        assert_eq!(ids(query), std::slice::from_ref(&bob), "{query}");
    }
    let word = found["decision"].as_str().unwrap();
    assert!(ids(&format!("decision={word}")).contains(&alice));
    assert_eq!(ids("to=2020-01-01T00:00:00Z"), Vec::<String>::new());
    assert_eq!(ids("from=2020-01-01T00:00:00Z&page_size=1").len(), 1);
    let first = client.get("/v1/decisions?page_size=1").expect(200);
    let token = first["next_page_token"].as_str().unwrap();
    let second = client.get(&format!("/v1/decisions?page_size=1&page_token={token}")).expect(200);
    assert_ne!(first["decisions"], second["decisions"]);
    client
        .get(&format!("/v1/decisions?page_size=1&decision=deny&page_token={token}"))
        .expect_problem(400, "invalid_page_token");
    for (query, status, code) in [
        ("from=yesterday", 400, "malformed_request"),
        ("decision=maybe", 400, "malformed_request"),
        ("who=alice", 400, "malformed_request"),
        ("store=nowhere", 404, "not_found"),
    ] {
        client.get(&format!("/v1/decisions?{query}")).expect_problem(status, code);
    }
    client.get("/v1/decisions/01JD0000000000000000000000").expect_problem(404, "not_found");
    client.get("/v1/decisions/x").expect_problem(404, "not_found");
}

#[test]
fn relation_checks_are_recorded_by_both_apis() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let native = json!({"subject": "user:bob", "relation": "viewer", "object": "document:roadmap"});
    client.post(&format!("{DEMO}/relations/check"), &native).expect(200);
    let store = client.get(DEMO).expect(200)["id"].as_str().unwrap().to_owned();
    let key = json!({"user": "user:bob", "relation": "viewer", "object": "document:roadmap"});
    client.post(&format!("/stores/{store}/check"), &json!({"tuple_key": key})).expect(200);
    let batch =
        json!({"checks": [{"tuple_key": key, "correlation_id": "1"}, {"tuple_key": key, "correlation_id": "2"}]});
    client.post(&format!("/stores/{store}/batch-check"), &batch).expect(200);
    let found = client.get("/v1/decisions?principal=user:bob&action=viewer&resource=document:roadmap").expect(200);
    let found = found["decisions"].as_array().unwrap();
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|decision| decision["kind"] == "relation"));
}

#[test]
fn another_tenants_decisions_and_those_of_other_stores_are_absent() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let made = server.platform().post("/v1/tenants", &json!({"name": "other"})).expect(201);
    let stranger = server.with_key(made["admin_key"]["secret"].as_str().unwrap());
    let (one, two) = (crate::store(&admin, "one", &json!({})), crate::store(&admin, "two", &json!({})));
    let (in_one, in_two) = (check(&admin, &one, "User:a"), check(&admin, &two, "User:a"));
    let key = |scopes: &[&str], stores: &[&str]| {
        let body = json!({"name": "k", "scopes": scopes, "stores": stores});
        server.with_key(admin.post("/v1/keys", &body).expect(201)["secret"].as_str().unwrap())
    };
    let limited = key(&["read"], &["one"]);
    assert_eq!(admin.get("/v1/decisions").expect(200)["decisions"].as_array().unwrap().len(), 2);
    let listed = limited.get("/v1/decisions").expect(200);
    assert_eq!(listed["decisions"].as_array().unwrap().len(), 1);
    assert_eq!(listed["decisions"][0]["id"], json!(in_one));
    limited.get(&format!("/v1/decisions/{in_one}")).expect(200);
    let absent = |client: &Client, id: &str| {
        let reply = client.get(&format!("/v1/decisions/{id}"));
        reply.expect_problem(404, "not_found");
        let request = reply.value()["request_id"].as_str().unwrap().to_owned();
        reply.text().replace(id, "ID").replace(&request, "REQUEST")
    };
    let none = "01JD0000000000000000000000";
    assert_eq!(absent(&limited, &in_two), absent(&limited, none));
    assert_eq!(absent(&stranger, &in_one), absent(&stranger, none));
    limited.get("/v1/decisions?store=two").expect_problem(404, "not_found");
    assert_eq!(stranger.get("/v1/decisions").expect(200)["decisions"], json!([]));
    key(&["check"], &["one"]).get("/v1/decisions").expect_problem(403, "forbidden");
    server.platform().get("/v1/decisions").expect_problem(403, "forbidden");
}

#[test]
fn masks_keep_values_out_of_the_files() {
    let (_dir, launch) = configured("[decisions]\nmasks = [\"/context/secret\"]\n");
    let server = launch.start();
    let client = server.anyone();
    let id = check(&client, DEMO, "User:alice");
    let found = client.get(&format!("/v1/decisions/{id}")).expect(200);
    assert_eq!(found["request"]["context"], json!({"secret": "***", "n": 1}));
    for file in files(server.data_dir()) {
        assert!(!String::from_utf8_lossy(&std::fs::read(file).unwrap()).contains("canary-7"));
    }
}

/// Checks from several threads until the server stops answering; how many were answered.
fn hammer(server: &Server, from: usize) -> usize {
    let client = server.anyone();
    let body = json!({"principal": "User:alice", "action": "read", "resource": "Document:roadmap"}).to_string();
    let mut answered = 0;
    for _ in 0..from {
        let path = format!("{DEMO}/check");
        let reply = client.try_send("POST", &path, &[("content-type", "application/json")], body.as_bytes());
        match reply {
            Some(reply) if reply.status == 200 => answered += 1,
            Some(_) | None => break,
        }
    }
    answered
}

#[test]
fn after_a_stop_every_answer_is_recorded_and_after_a_kill_counted() {
    for (mode, kill) in [("async", false), ("async", true), ("sync", true), ("sync", false)] {
        let data = tempfile::tempdir().unwrap();
        let (_dir, launch) = configured(&format!("[decisions]\nmode = \"{mode}\"\n"));
        let mut server = launch.start_in(data.path());
        let answered: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| hammer(&server, 150))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        if kill {
            server.kill();
        } else {
            assert!(server.terminate(Duration::from_secs(20)).unwrap().success());
        }
        let (code, report) = verify(data.path());
        assert_eq!((code, &report["whole"]), (0, &json!(true)), "{mode} {kill}: {report}");
        let count = |report: &Value, what: &str| of_tenant(report)[what].as_u64().unwrap();
        let told = count(&report, "decisions");
        if !kill || mode == "sync" {
            assert_eq!(told, answered as u64, "{mode}: {report}");
        }
        // The next start tells what a kill lost.
        let (_dir, launch) = configured("");
        let mut server = launch.start_in(data.path());
        server.anyone().get("/v1/decisions?page_size=1").expect(200);
        server.terminate(Duration::from_secs(20));
        let (code, report) = verify(data.path());
        assert_eq!(code, 0, "{report}");
        assert_eq!(count(&report, "decisions") + count(&report, "lost"), answered as u64, "{mode} {kill}: {report}");
        assert_eq!(of_tenant(&report)["torn"], Value::Null);
    }
}

#[test]
fn what_was_altered_ends_verification_with_1() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Launch::dev().start_in(data.path());
    let client = server.anyone();
    for _ in 0..5 {
        check(&client, DEMO, "User:alice");
    }
    server.terminate(Duration::from_secs(20));
    let (code, report) = verify(data.path());
    assert_eq!(code, 0);
    let path =
        data.path().join("decisions").join(of_tenant(&report)["tenant"].as_str().unwrap()).join("00000001.ndjson");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, whole.replacen("alice", "mallo", 1)).unwrap();
    let (code, report) = verify(data.path());
    let lines: Vec<&str> = whole.lines().collect();
    let altered = lines.iter().position(|line| line.contains("alice")).unwrap() + 1;
    assert_eq!((code, &of_tenant(&report)["problems"][0]["line"]), (1, &json!(altered)), "{report}");
    let end = lines.len();
    std::fs::write(&path, lines[..end - 2].join("\n") + "\n").unwrap();
    let (code, report) = verify(data.path());
    assert_eq!(code, 1, "{report}");
    let message = format!("records {} to {end} are missing at the end", end - 1);
    assert_eq!(of_tenant(&report)["problems"][0]["message"], message);
    // Half a line at the end is what a kill leaves; cut from a log that was written to its end, it is told.
    std::fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let (code, report) = verify(data.path());
    assert_eq!(code, 1, "{report}");
    assert_eq!(verify(&data.path().join("nowhere")).0, 1);
}

#[test]
fn the_command_line_lists_and_gets() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let id = check(&client, DEMO, "User:alice");
    let run = |arguments: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_authx"))
            .args(arguments)
            .args(["--server", &server.url()])
            .output()
            .unwrap();
        (out.status.code().unwrap(), String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap())
    };
    let (code, out, _) = run(&["decisions", "list", "--principal", "User:alice"]);
    assert!(code == 0 && out.contains(&id) && out.contains("User::\"alice\" Action::\"read\""), "{out}");
    let (code, out, _) = run(&["decisions", "get", &id, "-o", "json"]);
    assert_eq!((code, serde_json::from_str::<Value>(&out).unwrap()["id"].as_str()), (0, Some(id.as_str())));
    let (code, _, err) = run(&["decisions", "get", "01JD0000000000000000000000"]);
    assert!(code == 1 && err.contains("there is no decision"), "{err}");
}
