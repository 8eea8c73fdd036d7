//! Changes of what is administered, and refused credentials, in the decision log: all are there, nobody else's are, and none
//! holds a secret.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Launch, Server};

/// What a list of changes says, oldest first: who did what on what.
fn changes(client: &Client, query: &str) -> Vec<Value> {
    let listed = client.get(&format!("/v1/decisions?page_size=1000&kind=change{query}")).expect(200);
    listed["decisions"].as_array().unwrap().iter().rev().cloned().collect()
}

fn told(changes: &[Value]) -> Vec<(String, String)> {
    let text = |change: &Value, key: &str| change[key].as_str().unwrap().to_owned();
    changes.iter().map(|change| (text(change, "action"), text(change, "resource"))).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

fn pairs(pairs: &[(&str, String)]) -> Vec<(String, String)> {
    pairs.iter().map(|(action, resource)| ((*action).to_owned(), resource.clone())).collect()
}

#[test]
fn every_change_is_recorded_with_who_made_it() {
    let server = Launch::normal().start();
    let (platform, keys) = (server.platform().header("x-request-id", "req-7"), server.keys());
    let made = platform.post("/v1/tenants", &json!({"name": "acme"})).expect(201);
    let (tenant, first) = (text(&made, "id").to_owned(), text(&made["admin_key"], "id").to_owned());
    let admin = server.with_key(text(&made["admin_key"], "secret"));
    let limits = json!({"limits": {"stores": 7}});
    platform.json("PATCH", &format!("/v1/tenants/{tenant}"), &limits).expect(200);

    let ci = admin.post("/v1/keys", &json!({"name": "ci", "scopes": ["check"]})).expect(201);
    let ci_id = text(&ci, "id");
    admin.json("PATCH", &format!("/v1/keys/{ci_id}"), &json!({"scopes": ["check", "read"]})).expect(200);
    let next = admin.post(&format!("/v1/keys/{ci_id}/rotate"), &json!({})).expect(201);
    admin.delete(&format!("/v1/keys/{}", text(&next, "id"))).expect(204);
    admin.delete("/v1/keys/01JD0000000000000000000000").expect_problem(404, "not_found");

    let store = admin.post("/v1/stores", &json!({"name": "s", "alias": "sales"})).expect(201);
    let store = text(&store, "id").to_owned();
    admin.post("/v1/stores", &json!({"name": "t", "alias": "sales"})).expect_problem(409, "alias_taken");
    let path = format!("/v1/stores/{store}");
    let change = json!({"name": "renamed", "settings": {"validation": "off"}});
    admin.json("PATCH", &path, &change).expect(200);
    let policies = |text: &str| json!({"policies": [{"id": "canary-policy", "cedar": text}]});
    let one = admin.post(&format!("{path}/apply"), &policies("permit (principal, action, resource);")).expect(200);
    let two = admin.post(&format!("{path}/apply"), &policies("forbid (principal, action, resource);")).expect(200);
    let (one, two) = (text(&one, "release"), text(&two, "release"));
    admin.post(&format!("{path}/releases/{one}/activate"), &json!({})).expect(200);
    let draft = admin.post(&format!("{path}/releases"), &policies("permit (principal, action, resource) when {true};"));
    let draft = draft.expect(201)["id"].as_str().unwrap().to_owned();
    admin.post(&format!("{path}/write"), &json!({"entities": {"upsert": [{"uid": "User:a"}]}})).expect(200);
    admin.delete(&path).expect(204);
    admin.post(&format!("{path}/restore"), &json!({})).expect(200);
    platform.delete(&format!("/v1/tenants/{tenant}")).expect(204);
    platform.post(&format!("/v1/tenants/{tenant}/restore"), &json!({})).expect(200);

    let all = changes(&admin, "");
    let (of_tenant, of_store) = (format!("tenant:{tenant}"), format!("store:{store}"));
    let expected = [
        ("tenant.create", of_tenant.clone()),
        ("key.create", format!("key:{first}")),
        ("tenant.update", of_tenant.clone()),
        ("key.create", format!("key:{ci_id}")),
        ("key.update", format!("key:{ci_id}")),
        ("key.rotate", format!("key:{ci_id}")),
        ("key.revoke", format!("key:{}", text(&next, "id"))),
        ("store.create", of_store.clone()),
        ("store.update", of_store.clone()),
        ("store.update", of_store.clone()),
        ("release.apply", format!("release:{one}")),
        ("release.apply", format!("release:{two}")),
        ("release.activate", format!("release:{one}")),
        ("release.draft", format!("release:{draft}")),
        ("store.delete", of_store.clone()),
        ("store.restore", of_store.clone()),
        ("tenant.delete", of_tenant.clone()),
        ("tenant.restore", of_tenant.clone()),
    ];
    assert_eq!(told(&all), pairs(&expected));
    let mine = format!("key:{first}");
    for change in &all {
        let by_platform = text(change, "action").starts_with("tenant.") || change["resource"] == json!(mine);
        let who = (change["principal"] == json!(mine), text(change, "name"));
        assert_eq!(who, if by_platform { (false, "platform") } else { (true, "admin") }, "{change}");
        assert_eq!(change["request_id"] == "req-7", by_platform, "{change}");
    }
    assert_eq!(all[2]["details"], json!({"name": null, "limits": {"stores": 7}, "decisions": {}}));
    assert_eq!(all[4]["details"], json!({"scopes": ["check", "read"]}));
    assert_eq!((&all[10]["revision"], &all[10]["store"]), (&json!(2), &json!(store)));

    // They are found as decisions are, and one by its id.
    assert_eq!(told(&changes(&admin, "&action=key.rotate")), pairs(&expected[5..6]));
    assert_eq!(changes(&admin, &format!("&resource=store:{store}")).len(), 5);
    assert_eq!(changes(&admin, &format!("&principal={mine}&store=sales")).len(), 9);
    admin.get(&format!("/v1/decisions/{}", text(&all[4], "id"))).expect(200);
    assert_eq!(admin.get("/v1/decisions").expect(200)["decisions"], json!([]), "they are no decisions");

    // The platform's log has what belongs to no tenant, and the tenants themselves.
    let platforms = changes(&platform, "&platform=true");
    let of_it: Vec<_> = pairs(&expected).into_iter().filter(|(action, _)| action.starts_with("tenant.")).collect();
    let others = told(&platforms).into_iter().filter(|(_, resource)| *resource == of_tenant);
    assert_eq!(others.collect::<Vec<_>>(), of_it);
    let start: Vec<_> = platforms.iter().filter(|change| change["principal"] == "start").collect();
    let start = start.iter().map(|change| text(change, "action")).collect::<Vec<_>>();
    assert_eq!(start, ["tenant.create", "key.create"]);

    let everything = json!([all, platforms]).to_string();
    let secrets = [&ci["secret"], &next["secret"], &made["admin_key"]["secret"], &keys["platform_key"]];
    for secret in secrets {
        assert!(!everything.contains(secret.as_str().unwrap()));
    }
    assert!(!everything.contains("canary") && !everything.contains("permit"));
}

#[test]
fn changes_are_for_administrators_of_the_tenant_and_the_platforms_for_the_operator() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let made = server.platform().post("/v1/tenants", &json!({"name": "other"})).expect(201);
    let stranger = server.with_key(text(&made["admin_key"], "secret"));
    let (one, two) = (crate::store(&admin, "one", &json!({})), crate::store(&admin, "two", &json!({})));
    let key = |scopes: &[&str], stores: Value| {
        let body = json!({"name": "k", "scopes": scopes, "stores": stores});
        server.with_key(text(&admin.post("/v1/keys", &body).expect(201), "secret"))
    };
    let (reader, limited) = (key(&["read"], Value::Null), key(&["admin"], json!(["one"])));
    let id = text(changes(&admin, "&action=store.create").last().unwrap(), "id").to_owned();
    let of_key = text(&changes(&admin, "&action=key.create")[0], "id").to_owned();
    for kind in ["change", "security"] {
        reader.get(&format!("/v1/decisions?kind={kind}")).expect_problem(403, "forbidden");
        admin.get(&format!("/v1/decisions?kind={kind}&platform=true")).expect_problem(403, "forbidden");
        server.platform().get(&format!("/v1/decisions?kind={kind}")).expect_problem(403, "forbidden");
    }
    admin.get("/v1/decisions?kind=other").expect_problem(400, "malformed_request");
    reader.get(&format!("/v1/decisions/{id}")).expect_problem(404, "not_found");
    stranger.get(&format!("/v1/decisions/{id}")).expect_problem(404, "not_found");
    assert!(changes(&stranger, "").iter().all(|change| !change.to_string().contains("store.create")));
    // Who is limited to a store sees what was changed there.
    let seen = told(&changes(&limited, ""));
    assert_eq!(seen.iter().map(|(action, _)| action.as_str()).collect::<Vec<_>>(), ["store.create"]);
    assert_eq!(seen[0].1, format!("store:{}", text(&admin.get(&one).expect(200), "id")));
    limited.get(&format!("/v1/decisions/{id}")).expect_problem(404, "not_found");
    limited.get(&format!("/v1/decisions/{of_key}")).expect_problem(404, "not_found");
    admin.get(&format!("/v1/decisions/{id}")).expect(200);
    admin.get(&two).expect(200);
}

/// A server with a configuration, on a data directory that stays.
fn configured(lines: &str) -> (tempfile::TempDir, impl Fn() -> Server) {
    let dir = tempfile::tempdir().unwrap();
    let (file, data) = (dir.path().join("authx.toml"), dir.path().join("data"));
    std::fs::write(&file, lines).unwrap();
    (dir, move || Launch::normal().arg("--config").arg(&file).start_in(&data))
}

fn stop(mut server: Server) {
    assert!(server.terminate(Duration::from_secs(20)).unwrap().success());
}

#[test]
fn refused_credentials_are_counted_and_changes_recorded_when_decisions_are_not() {
    let (dir, start) = configured("[decisions]\nmode = \"off\"\n");
    let server = start();
    let admin = server.admin();
    let key = |body: &Value| admin.post("/v1/keys", body).expect(201);
    let revoked = key(&json!({"name": "old", "scopes": ["check"]}));
    admin.delete(&format!("/v1/keys/{}", text(&revoked, "id"))).expect(204);
    let expired = key(&json!({"name": "short", "scopes": ["check"], "expires_in_seconds": 0}));
    let refuse = |server: &Server, secret: &str, times: usize| {
        for _ in 0..times {
            server.with_key(secret).get("/v1/whoami").expect_problem(401, "unauthenticated");
        }
    };
    refuse(&server, "axk_canary-of-nobody", 40);
    refuse(&server, "axk_canary-of-another", 10);
    refuse(&server, text(&revoked, "secret"), 3);
    refuse(&server, text(&expired, "secret"), 2);
    stop(server);
    // What was revoked before a start is told as that, too.
    let server = start();
    refuse(&server, text(&revoked, "secret"), 1);
    stop(server);

    let server = start();
    let listed = |client: &Client, query: &str| {
        let listed = client.get(&format!("/v1/decisions?kind=security{query}")).expect(200);
        let of = |event: &Value| {
            let count = event["count"].as_u64().unwrap();
            (text(event, "reason").to_owned(), text(event, "principal").to_owned(), count)
        };
        let mut found: Vec<_> = listed["decisions"].as_array().unwrap().iter().map(of).collect();
        found.sort();
        found
    };
    let (of_revoked, of_expired) = (format!("key:{}", text(&revoked, "id")), format!("key:{}", text(&expired, "id")));
    let event = |reason: &str, principal: &str, count| (reason.to_owned(), principal.to_owned(), count);
    let own = [event("expired", &of_expired, 2), event("revoked", &of_revoked, 1), event("revoked", &of_revoked, 3)];
    assert_eq!(listed(&server.admin(), ""), own);
    assert_eq!(listed(&server.admin(), &format!("&principal={of_expired}")), own[..1]);
    assert_eq!(listed(&server.platform(), "&platform=true"), [event("unknown", "unknown", 50)]);
    assert_eq!(changes(&server.admin(), "&action=key.revoke").len(), 1);

    let run = |key: &str, arguments: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_authx"))
            .args(["decisions", "list", "--server", &server.url(), "--key", key])
            .args(arguments)
            .output()
            .unwrap();
        (out.status.code().unwrap(), String::from_utf8(out.stdout).unwrap())
    };
    let keys = server.keys();
    let (code, out) = run(text(&keys, "admin_key"), &["--kind", "change", "--action", "key.revoke"]);
    assert!(code == 0 && out.contains(&of_revoked) && out.contains("admin"), "{out}");
    let (code, out) = run(text(&keys, "platform_key"), &["--kind", "security", "--platform"]);
    assert!(code == 0 && out.contains("unknown, 50 times"), "{out}");
    stop(server);
    for file in crate::decisions::files(&dir.path().join("data")) {
        assert!(!String::from_utf8_lossy(&std::fs::read(file).unwrap()).contains("canary"));
    }
    let (code, report) = crate::decisions::verify(&dir.path().join("data"));
    assert_eq!((code, &report["whole"]), (0, &json!(true)), "{report}");
    let count = |what: &str| -> u64 {
        report["tenants"].as_array().unwrap().iter().map(|tenant| tenant[what].as_u64().unwrap()).sum()
    };
    assert_eq!((count("decisions"), count("security")), (0, 4));
}

#[test]
fn the_log_of_a_tenant_goes_with_it_and_the_platforms_tells() {
    let (dir, start) = configured("[storage]\ndeleted_kept_days = 0\ndeleted_pause_seconds = 1\n");
    let server = start();
    let (platform, admin) = (server.platform(), server.admin());
    let store = admin.post("/v1/stores", &json!({"name": "s"})).expect(201);
    admin.delete(&format!("/v1/stores/{}", text(&store, "id"))).expect(204);
    let made = platform.post("/v1/tenants", &json!({"name": "short"})).expect(201);
    let tenant = text(&made, "id");
    let log = dir.path().join("data/decisions").join(tenant);
    let stranger = server.with_key(text(&made["admin_key"], "secret"));
    stranger.post("/v1/stores", &json!({"name": "of it"})).expect(201);
    assert_eq!(changes(&stranger, "").len(), 3);
    assert!(log.is_dir());
    platform.delete(&format!("/v1/tenants/{tenant}")).expect(204);
    let purged = || changes(&platform, "&platform=true&action=tenant.purge");
    while purged().is_empty() {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!log.exists());
    assert_eq!(purged()[0]["resource"], json!(format!("tenant:{tenant}")));
    assert_eq!(purged()[0]["principal"], "purge");
    while changes(&admin, "&action=store.purge").is_empty() {
        std::thread::sleep(Duration::from_millis(50));
    }
    stop(server);
    assert_eq!(crate::decisions::verify(&dir.path().join("data")).0, 0);
}

#[test]
fn a_log_is_verified_over_http_while_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Launch::normal().start_in(dir.path());
    let (admin, platform) = (server.admin(), server.platform());
    let store = crate::store(&admin, "one", &json!({}));
    let key = |scopes: &[&str], stores: Value| {
        let body = json!({"name": "k", "scopes": scopes, "stores": stores});
        server.with_key(text(&admin.post("/v1/keys", &body).expect(201), "secret"))
    };
    key(&["read", "write"], Value::Null).post("/v1/audit/verify", &json!({})).expect_problem(403, "forbidden");
    key(&["admin"], json!(["one"])).post("/v1/audit/verify", &json!({})).expect_problem(403, "forbidden");
    admin.post("/v1/audit/verify?platform=true", &json!({})).expect_problem(403, "forbidden");
    platform.post("/v1/audit/verify", &json!({})).expect_problem(403, "forbidden");

    let ask = json!({"principal": "User:a", "action": "read", "resource": "Doc:d"});
    let checks = 300;
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            for _ in 0..checks {
                admin.post(&format!("{store}/check"), &ask).expect(200);
            }
        });
        while !asking.is_finished() {
            let reply = admin.post("/v1/audit/verify", &json!({}));
            let report = reply.expect(200);
            assert_eq!((&report["whole"], &report["tenants"][0]["problems"]), (&json!(true), &json!([])), "{report}");
        }
    });
    let report = admin.post("/v1/audit/verify", &json!({})).expect(200);
    let tenant = server.keys()["tenant"].clone();
    let chain = &report["tenants"][0];
    assert_eq!((&chain["tenant"], &chain["decisions"], &chain["lost"]), (&tenant, &json!(checks), &json!(0)));
    let of_platform = platform.post("/v1/audit/verify?platform=true", &json!({})).expect(200);
    assert_eq!((&of_platform["whole"], &of_platform["tenants"][0]["changes"]), (&json!(true), &json!(2)));

    let path = dir.path().join("decisions").join(tenant.as_str().unwrap()).join("00000001.ndjson");
    let altered = std::fs::read_to_string(&path).unwrap().replacen("\"count\"", "\"COUNT\"", 1);
    let altered = altered.replacen("store.create", "store.delete", 1);
    std::fs::write(&path, altered).unwrap();
    let report = admin.post("/v1/audit/verify", &json!({})).expect(200);
    assert_eq!(report["whole"], false, "{report}");
    assert_eq!(report["tenants"][0]["problems"][0]["file"], "00000001.ndjson");
    server.kill();
}

#[test]
fn what_is_erased_is_gone_and_the_log_says_how_much() {
    let dir = tempfile::tempdir().unwrap();
    let start = || Launch::normal().start_in(dir.path());
    let server = start();
    let (admin, tenant) = (server.admin(), text(&server.keys(), "tenant").to_owned());
    let store = crate::store(&admin, "one", &json!({}));
    let check = |principal: &str| {
        let ask = json!({"principal": principal, "action": "read", "resource": "Doc:d", "context": {"of": principal}});
        admin.post(&format!("{store}/check"), &ask).expect(200)["decision_id"].as_str().unwrap().to_owned()
    };
    let (forgotten, kept): (Vec<_>, Vec<_>) = (0..5).map(|_| (check("User:canary-mallory"), check("User:bob"))).unzip();
    let one = check("User:carol");
    let run = |arguments: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_authx"))
            .args(["audit", "erase", "-o", "json", "--tenant", &tenant, "--data-dir"])
            .arg(dir.path())
            .args(arguments)
            .output()
            .unwrap();
        let err = String::from_utf8(out.stderr).unwrap();
        (out.status.code().unwrap(), serde_json::from_slice::<Value>(&out.stdout).unwrap_or_default(), err)
    };
    let (code, _, err) = run(&["--principal", "User:canary-mallory"]);
    assert!(code == 1 && err.contains("stop the server first"), "{err}");
    stop(server);
    assert_eq!(run(&["--principal", "User:canary-mallory"]).1, json!({"erased": 5}));
    assert_eq!(run(&["--id", &one]).1, json!({"erased": 1}));
    assert_eq!(run(&["--id", &one]).0, 1, "it is gone already");
    assert_eq!(run(&["--id", "x"]).0, 64);
    assert_eq!(run(&[]).0, 64);
    for file in crate::decisions::files(dir.path()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("canary-mallory"), "{}", file.display());
    }

    let server = start();
    let admin = server.admin();
    let report = admin.post("/v1/audit/verify", &json!({})).expect(200);
    let chain = &report["tenants"][0];
    let counts = ["decisions", "erased", "lost"].map(|what| chain[what].as_u64().unwrap());
    assert_eq!((&report["whole"], counts), (&json!(true), [5, 6, 0]), "{report}");
    for id in forgotten.iter().chain([&one]) {
        admin.get(&format!("/v1/decisions/{id}")).expect_problem(404, "not_found");
    }
    for id in &kept {
        admin.get(&format!("/v1/decisions/{id}")).expect(200);
    }
    assert_eq!(admin.get("/v1/decisions?principal=User:canary-mallory").expect(200)["decisions"], json!([]));
    let told = changes(&admin, "&action=log.erase");
    let records: Vec<&Value> = told.iter().map(|change| &change["details"]["records"]).collect();
    assert_eq!((records, &told[0]["principal"]), (vec![&json!(5), &json!(1)], &json!("shell")));
    stop(server);
    assert_eq!(crate::decisions::verify(dir.path()).0, 0);
}
