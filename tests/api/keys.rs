//! Keys: who one is, changed, rotated, revoked, expired, and when it was used last.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::command_line::authx;
use crate::relations::MODEL;
use crate::store;
use crate::support::{Client, Launch, Server};

fn make(client: &Client, body: &Value) -> (String, String) {
    let made = client.post("/v1/keys", body).expect(201);
    (made["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
}

fn rotate(client: &Client, id: &str, body: &Value) -> (String, String) {
    let made = client.post(&format!("/v1/keys/{id}/rotate"), body).expect(201);
    (made["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
}

#[test]
fn everybody_learns_who_they_are() {
    let dev = Launch::dev().start();
    let me = dev.anyone().get("/v1/whoami").expect(200);
    assert_eq!((&me["kind"], &me["key"], &me["tenant"]["name"]), (&json!("dev"), &Value::Null, &json!("dev")));

    let server = Launch::normal().start();
    let tenant = server.keys()["tenant"].as_str().unwrap().to_owned();
    let in_default = json!({"id": tenant, "name": "default"});
    let platform = server.platform();
    let me = platform.get("/v1/whoami").expect(200);
    let shown = (&me["kind"], &me["key"]["name"], &me["tenant"], &me["scopes"]);
    assert_eq!(shown, (&json!("platform"), &json!("platform"), &Value::Null, &json!(["admin"])));
    let there = platform.header("authx-tenant", &tenant).get("/v1/whoami").expect(200);
    assert_eq!((&there["kind"], &there["tenant"]), (&json!("platform"), &in_default));

    let admin = server.admin();
    let path = store(&admin, "plans", &json!({}));
    let plans = admin.get(&path).expect(200)["id"].clone();
    let body = json!({"name": "app", "scopes": ["read", "check"], "stores": ["plans"], "expires_in_seconds": 600});
    let (id, secret) = make(&admin, &body);
    let me = server.with_key(&secret).get("/v1/whoami").expect(200);
    let key = admin.get(&format!("/v1/keys/{id}")).expect(200);
    assert!(me["expires_at"].is_string());
    let wanted = json!({"kind": "tenant", "key": {"id": id, "name": "app"}, "tenant": in_default,
        "scopes": ["read", "check"], "stores": [plans], "expires_at": key["expires_at"]});
    assert_eq!(me, wanted);
}

#[test]
fn a_key_is_changed_and_the_next_request_knows() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let (one, two) = (store(&admin, "first", &json!({})), store(&admin, "second", &json!({})));
    let (id, secret) = make(&admin, &json!({"name": "app", "scopes": ["check"], "stores": ["first"]}));
    let path = format!("/v1/keys/{id}");
    let app = server.with_key(&secret);
    let ask = json!({"principal": "User:a", "action": "read", "resource": "Doc:b"});
    app.post(&format!("{one}/check"), &ask).expect(200);
    app.get(&one).expect_problem(403, "forbidden");
    let change = |body: Value| admin.json("PATCH", &path, &body);

    assert_eq!(change(json!({"scopes": ["read"]})).expect(200)["scopes"], json!(["read"]));
    app.get(&one).expect(200);
    app.post(&format!("{one}/check"), &ask).expect_problem(403, "forbidden");
    app.get(&two).expect_problem(404, "not_found");
    assert_eq!(change(json!({"stores": null})).expect(200)["stores"], Value::Null);
    app.get(&two).expect(200);
    change(json!({"stores": ["second"]})).expect(200);
    app.get(&one).expect_problem(404, "not_found");
    let named = change(json!({"name": "renamed"})).expect(200);
    assert_eq!((&named["name"], &named["scopes"]), (&json!("renamed"), &json!(["read"])));
    assert!(named["last_used_at"].is_string());
    assert!(change(json!({"expires_in_seconds": 60})).expect(200)["expires_at"].is_string());
    assert_eq!(change(json!({"expires_in_seconds": null})).expect(200)["expires_at"], Value::Null);
    assert_eq!(change(json!({})).expect(200), admin.get(&path).expect(200));

    for (body, status, code) in [
        (json!({"scopes": []}), 400, "invalid_input"),
        (json!({"scopes": ["all"]}), 400, "invalid_input"),
        (json!({"scopes": null, "name": ""}), 400, "invalid_input"),
        (json!({"stores": ["ghost"]}), 404, "not_found"),
        (json!({"stores": "second"}), 400, "malformed_request"),
        (json!({"expires_in_seconds": -1}), 400, "malformed_request"),
    ] {
        change(body).expect_problem(status, code);
    }
    // An end of now is an end; a key that has ended is not brought back.
    change(json!({"expires_in_seconds": 0})).expect(200);
    app.get(&two).expect_problem(401, "unauthenticated");
    change(json!({"expires_in_seconds": null})).expect_problem(409, "key_ended");
    admin.post(&format!("{path}/rotate"), &json!({})).expect_problem(409, "key_ended");
    admin.delete(&path).expect(204);
    admin.delete(&path).expect_problem(404, "not_found");
    change(json!({"name": "back"})).expect_problem(409, "key_ended");
}

#[test]
fn a_key_of_one_store_administers_no_keys() {
    let server = Launch::normal().start();
    let admin = server.admin();
    store(&admin, "first", &json!({}));
    let (id, secret) = make(&admin, &json!({"name": "limited", "scopes": ["admin"], "stores": ["first"]}));
    let limited = server.with_key(&secret);
    let path = format!("/v1/keys/{id}");
    limited.json("PATCH", &path, &json!({"stores": null})).expect_problem(403, "forbidden");
    limited.post(&format!("{path}/rotate"), &json!({})).expect_problem(403, "forbidden");
    limited.get(&path).expect_problem(403, "forbidden");
    limited.delete(&path).expect_problem(403, "forbidden");
}

/// Asks as often as it can with a key that must be good all the time.
fn always_good(client: &Client, ends: &AtomicBool) -> usize {
    let mut asked = 0;
    while !ends.load(Ordering::Relaxed) {
        client.get("/v1/stores").expect(200);
        asked += 1;
    }
    asked
}

#[test]
fn a_rotation_loses_no_request() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let body = json!({"name": "app", "scopes": ["read"], "stores": [], "expires_in_seconds": 3_000});
    let (id, secret) = make(&admin, &body);
    let (old, ends) = (server.with_key(&secret), AtomicBool::new(false));
    let asked: usize = std::thread::scope(|scope| {
        let first: Vec<_> = (0..4).map(|_| scope.spawn(|| always_good(&old, &ends))).collect();
        let (mut current, mut successors) = (id.clone(), Vec::new());
        for _ in 0..8 {
            let (next, secret) = rotate(&admin, &current, &json!({"overlap_seconds": 600}));
            assert_ne!(next, current);
            let client = server.with_key(&secret);
            let ends = &ends;
            successors.push(scope.spawn(move || always_good(&client, ends)));
            current = next;
        }
        std::thread::sleep(Duration::from_millis(200));
        ends.store(true, Ordering::Relaxed);
        first.into_iter().chain(successors).map(|thread| thread.join().unwrap()).sum()
    });
    assert!(asked >= 12, "{asked}");
    let keys = admin.get("/v1/keys").expect(200)["keys"].as_array().unwrap().clone();
    let rotated: Vec<&Value> = keys.iter().filter(|key| key["name"] == "app").collect();
    assert_eq!(rotated.len(), 9);
    // The same rights; the end of the first one is not moved, and the others end earlier.
    assert!(rotated.iter().all(|key| key["scopes"] == json!(["read"]) && key["stores"] == json!([])));
    let limit = later(&server, 900);
    let newest = rotated.iter().filter(|key| key["expires_at"].as_str() > Some(limit.as_str())).count();
    assert_eq!(newest, 1, "{rotated:?}");
}

/// The end of a key that is made now, as it is told.
fn later(server: &Server, seconds: u32) -> String {
    let body = json!({"name": "clock", "scopes": ["read"], "expires_in_seconds": seconds});
    let made = server.admin().post("/v1/keys", &body).expect(201);
    made["key"]["expires_at"].as_str().unwrap().to_owned()
}

#[test]
fn a_rotation_ends_the_old_key_when_it_says() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let (id, secret) = make(&admin, &json!({"name": "app", "scopes": ["read"]}));
    let old = server.with_key(&secret);
    // An hour, when nothing is said.
    let (second, next) = rotate(&admin, &id, &json!({}));
    let end = admin.get(&format!("/v1/keys/{id}")).expect(200)["expires_at"].as_str().unwrap().to_owned();
    assert!(end > later(&server, 3_000) && end < later(&server, 4_200));
    old.get("/v1/stores").expect(200);
    let new = server.with_key(&next);
    new.get("/v1/stores").expect(200);
    assert_eq!(admin.get(&format!("/v1/keys/{second}")).expect(200)["expires_at"], Value::Null);
    let (third, last) = rotate(&admin, &second, &json!({"overlap_seconds": 1}));
    std::thread::sleep(Duration::from_millis(1_200));
    new.get("/v1/stores").expect_problem(401, "unauthenticated");
    let last = server.with_key(&last);
    last.get("/v1/stores").expect(200);
    let (_, newest) = rotate(&admin, &third, &json!({"overlap_seconds": 0}));
    last.get("/v1/stores").expect_problem(401, "unauthenticated");
    server.with_key(&newest).get("/v1/stores").expect(200);
    admin.post(&format!("/v1/keys/{second}/rotate"), &json!({})).expect_problem(409, "key_ended");
    for body in [json!({"overlap_seconds": -1}), json!({"overlap_seconds": "1"})] {
        admin.post(&format!("/v1/keys/{id}/rotate"), &body).expect_problem(400, "malformed_request");
    }
}

#[test]
fn two_rotations_at_once_make_two_successors_or_one() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let (id, _) = make(&admin, &json!({"name": "app", "scopes": ["read"]}));
    let path = format!("/v1/keys/{id}/rotate");
    let outcomes: Vec<u16> = std::thread::scope(|scope| {
        let call = || admin.post(&path, &json!({"overlap_seconds": 0})).status;
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(call)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    // The old key is ended by the first, so that the others find it ended.
    assert_eq!(outcomes.iter().filter(|status| **status == 201).count(), 1, "{outcomes:?}");
    assert!(outcomes.iter().all(|status| [201, 409].contains(status)), "{outcomes:?}");
}

#[test]
fn revoking_ends_what_runs_and_what_comes() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let path = store(&admin, "plans", &json!({}));
    admin.post(&format!("{path}/apply"), &json!({"model": MODEL})).expect(200);
    let (id, secret) = make(&admin, &json!({"name": "app", "scopes": ["read"]}));
    let client = server.with_key(&secret);
    let revoked = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Half of them wait for a change, half ask again and again.
        let waiting: Vec<_> =
            (0..16).map(|_| scope.spawn(|| client.get(&format!("{path}/changes?wait=20")).outcome())).collect();
        let asking: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let knew = revoked.load(Ordering::SeqCst);
                        let (status, _) = client.get("/v1/stores").outcome();
                        assert!(status == 401 || (status == 200 && !knew), "{status}, revoked before: {knew}");
                        if status == 401 {
                            break;
                        }
                    }
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(500));
        admin.delete(&format!("/v1/keys/{id}")).expect(204);
        revoked.store(true, Ordering::SeqCst);
        for thread in asking {
            thread.join().unwrap();
        }
        let secret = json!({"tuples": {"write": ["document:plan#owner@user:ann"]}});
        admin.post(&format!("{path}/write"), &secret).expect(200);
        for thread in waiting {
            assert_eq!(thread.join().unwrap(), (401, "unauthenticated".to_owned()));
        }
    });
}

#[test]
fn only_the_whole_secret_opens() {
    let server = Launch::normal().start();
    let (_, secret) = make(&server.admin(), &json!({"name": "app", "scopes": ["read"], "expires_in_seconds": 600}));
    let try_with = |text: &str| server.with_key(text).get("/v1/whoami").status;
    assert_eq!(try_with(&secret), 200);
    for at in 0..secret.len() {
        let (before, rest) = secret.split_at(at);
        assert_eq!(try_with(before), 401, "the first {at} characters");
        for other in ["A", "b", "-"].into_iter().filter(|other| !rest.starts_with(other)) {
            assert_eq!(try_with(&format!("{before}{other}{}", &rest[1..])), 401, "character {at}");
        }
        assert_eq!(try_with(&format!("{before}{}", &rest[1..])), 401, "without character {at}");
    }
    assert_eq!(try_with(&format!("{secret}A")), 401);
    assert_eq!(try_with(&secret.to_uppercase()), 401);
    assert_eq!(try_with(&secret), 200);
}

#[test]
fn an_expired_key_answers_as_one_that_never_was() {
    let server = Launch::normal().start();
    let (_, secret) = make(&server.admin(), &json!({"name": "app", "scopes": ["read"], "expires_in_seconds": 0}));
    let seen = |key: &str| {
        let reply = server.with_key(key).header("x-request-id", "same").get("/v1/whoami");
        let mut headers: Vec<_> = reply.headers.iter().filter(|(name, _)| name != "date").cloned().collect();
        headers.sort();
        (reply.status, headers, reply.text())
    };
    assert_eq!(seen(&secret), seen("axk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    assert_eq!(seen(&secret).0, 401);
}

#[test]
fn the_operator_has_keys_of_its_own() {
    let server = Launch::normal().start();
    let platform = server.platform();
    let listed = platform.get("/v1/keys?platform=true").expect(200)["keys"].clone();
    let first = listed[0]["id"].as_str().unwrap().to_owned();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["name"]), (1, &json!("platform")));
    let path = |id: &str, rest: &str| format!("/v1/keys/{id}{rest}?platform=true");

    // The last one stays, whatever is tried.
    platform.delete(&path(&first, "")).expect_problem(409, "last_platform_key");
    let ending = json!({"expires_in_seconds": 0});
    platform.json("PATCH", &path(&first, ""), &ending).expect_problem(409, "last_platform_key");
    platform.get("/v1/tenants").expect(200);

    for body in [
        json!({"name": "x", "scopes": ["read"]}),
        json!({"name": "x", "scopes": ["admin", "read"]}),
        json!({"name": "x", "scopes": ["admin"], "stores": ["plans"]}),
    ] {
        platform.post("/v1/keys?platform=true", &body).expect_problem(400, "invalid_input");
    }
    let made = platform.post("/v1/keys?platform=true", &json!({"name": "second", "scopes": ["admin"]})).expect(201);
    let (id, second) = (made["id"].as_str().unwrap(), server.with_key(made["secret"].as_str().unwrap()));
    second.post("/v1/tenants", &json!({"name": "more"})).expect(201);
    assert_eq!(second.get("/v1/whoami").expect(200)["kind"], "platform");
    let renamed = second.json("PATCH", &path(id, ""), &json!({"name": "operator"})).expect(200);
    assert_eq!(renamed, platform.get(&path(id, "")).expect(200));

    // Of a tenant they look absent, and a tenant's look absent among the platform's.
    let admin = server.admin();
    let own = admin.get("/v1/keys").expect(200)["keys"][0]["id"].as_str().unwrap().to_owned();
    for (method, rest, body) in [("GET", "", ""), ("PATCH", "", "{}"), ("POST", "/rotate", "{}"), ("DELETE", "", "")] {
        let call = |client: &Client, path: String| client.send(method, &path, &[], body.as_bytes());
        call(&admin, path(id, rest)).expect_problem(403, "forbidden");
        call(&admin, format!("/v1/keys/{id}{rest}")).expect_problem(404, "not_found");
        call(&platform, path(&own, rest)).expect_problem(404, "not_found");
    }
    admin.get("/v1/keys?platform=true").expect_problem(403, "forbidden");
    let page = platform.get("/v1/keys?platform=true&page_size=1").expect(200);
    let token = page["next_page_token"].as_str().unwrap();
    platform.get(&format!("/v1/keys?platform=true&page_token={token}")).expect(200);
    admin.get(&format!("/v1/keys?page_token={token}")).expect_problem(400, "invalid_page_token");

    // Now the first one may go, and the one that takes the place of the second is the last.
    platform.delete(&path(&first, "")).expect(204);
    platform.get("/v1/tenants").expect_problem(401, "unauthenticated");
    let rotated = second.post(&path(id, "/rotate"), &json!({"overlap_seconds": 0})).expect(201);
    second.get("/v1/tenants").expect_problem(401, "unauthenticated");
    let third = server.with_key(rotated["secret"].as_str().unwrap());
    third.delete(&path(rotated["id"].as_str().unwrap(), "")).expect_problem(409, "last_platform_key");
}

#[test]
fn of_two_that_end_each_other_one_stays() {
    let server = Launch::normal().start();
    let platform = server.platform();
    let made = platform.post("/v1/keys?platform=true", &json!({"name": "second", "scopes": ["admin"]})).expect(201);
    let second = server.with_key(made["secret"].as_str().unwrap());
    let keys = platform.get("/v1/keys?platform=true").expect(200)["keys"].as_array().unwrap().clone();
    let path = |n: usize| format!("/v1/keys/{}?platform=true", keys[n]["id"].as_str().unwrap());
    let outcomes = std::thread::scope(|scope| {
        let one = scope.spawn(|| platform.delete(&path(1)).status);
        let other = scope.spawn(|| second.delete(&path(0)).status);
        [one.join().unwrap(), other.join().unwrap()]
    });
    assert_eq!(outcomes.iter().filter(|status| **status == 204).count(), 1, "{outcomes:?}");
    let good = [&platform, &second].iter().filter(|client| client.get("/v1/tenants").status == 200).count();
    assert_eq!(good, 1);
}

#[test]
fn when_a_key_was_used_last_outlives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Launch::normal().start_in(dir.path());
    let (id, secret) = make(&server.admin(), &json!({"name": "app", "scopes": ["read"]}));
    let used = |server: &Server| server.admin().get(&format!("/v1/keys/{id}")).expect(200)["last_used_at"].clone();
    assert_eq!(used(&server), Value::Null);
    server.with_key("axk_wrong").get("/v1/stores").expect_problem(401, "unauthenticated");
    assert_eq!(used(&server), Value::Null);
    server.with_key(&secret).get("/v1/stores").expect(200);
    let first = used(&server);
    assert!(first.is_string());
    let listed = server.admin().get("/v1/keys").expect(200)["keys"].as_array().unwrap().clone();
    assert_eq!(listed.iter().find(|key| key["id"] == id.as_str()).unwrap()["last_used_at"], first);
    let status = server.terminate(Duration::from_secs(12));
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    server = Launch::normal().start_in(dir.path());
    assert_eq!(used(&server), first);
    // A second later it is told anew; what a change of the key does, it does not undo.
    std::thread::sleep(Duration::from_millis(1_100));
    server.with_key(&secret).get("/v1/stores").expect(200);
    let second = used(&server);
    assert!(second.as_str() > first.as_str());
    server.admin().json("PATCH", &format!("/v1/keys/{id}"), &json!({"name": "same"})).expect(200);
    assert_eq!(used(&server), second);
}

#[test]
fn the_shell_gets_a_secret_alone_and_once() {
    let server = Launch::normal().start();
    let key = server.keys()["platform_key"].as_str().unwrap().to_owned();
    let tenant = server.keys()["tenant"].as_str().unwrap().to_owned();
    let run = |arguments: &[&str]| {
        let output = authx(Some(&server), &[arguments, &["--key", &key]].concat());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, secret, note) = run(&["keys", "create", "app", "--scopes", "read,check", "--tenant", &tenant]);
    let secret = secret.strip_suffix('\n').unwrap();
    assert_eq!(code, Some(0));
    assert!(secret.starts_with("axk_") && !secret.contains(char::is_whitespace) && !note.contains(secret), "{note}");
    let me = server.with_key(secret).get("/v1/whoami").expect(200);
    assert_eq!(me["scopes"], json!(["read", "check"]));
    let id = me["key"]["id"].as_str().unwrap();
    for (arguments, wanted) in [
        (vec!["whoami"], "kind          platform"),
        (vec!["keys", "list", "--platform"], "platform"),
        (vec!["keys", "get", id, "--tenant", &tenant], "scopes        read,check"),
        (vec!["keys", "update", id, "--name", "renamed", "--for", "never", "--tenant", &tenant], "renamed"),
        (vec!["keys", "rotate", id, "--overlap", "0", "--tenant", &tenant], "axk_"),
        (vec!["keys", "create", "two", "--scopes", "admin", "--platform", "-o", "yaml"], "secret: axk_"),
        (vec!["tenants", "get", &tenant, "-o", "json"], "\"stores\": 100000"),
        (vec!["tenants", "create", "acme"], "axk_"),
    ] {
        let (code, out, err) = run(&arguments);
        assert_eq!(code, Some(0), "{arguments:?} {err}");
        assert!(out.contains(wanted), "{arguments:?} {out}");
        assert!(!out.contains(secret) && !err.contains("axk_"), "{arguments:?}");
    }
    server.with_key(secret).get("/v1/whoami").expect_problem(401, "unauthenticated");
    for (arguments, code, told) in [
        (vec!["keys", "list"], 1, "AuthX-Tenant"),
        (vec!["keys", "revoke", id, "--tenant", &tenant], 1, "there is no key"),
        (vec!["keys", "create", "x", "--scopes", "read", "--for", "soon"], 64, "`soon` is no lifetime"),
        (vec!["keys", "create", "x"], 64, "--scopes"),
        (vec!["tenants", "delete", "ghost"], 1, "there is no tenant `ghost`"),
    ] {
        let (ended, out, err) = run(&arguments);
        assert_eq!((ended, out.as_str()), (Some(code), ""), "{arguments:?} {err}");
        assert!(err.contains(told), "{arguments:?} {err}");
    }
}
