//! What is to be forgotten is taken out of the log of a server that runs and decides meanwhile.

use serde_json::{Value, json};

use crate::store;
use crate::support::{Client, Launch, Reply};

fn erase(client: &Client, body: &Value) -> Reply {
    client.post("/v1/audit/erase", body)
}

/// Asks for a decision and tells its id.
fn decide(client: &Client, path: &str, principal: &str) -> String {
    let ask = json!({"principal": principal, "action": "read", "resource": "Doc:d", "context": {"of": principal}});
    client.post(&format!("{path}/check"), &ask).expect(200)["decision_id"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_erased_while_decisions_are_made_is_gone_and_each_is_counted_once() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("authx.toml");
    std::fs::write(&config, "[decisions]\nsegment_bytes = 8000\n").unwrap();
    let data = dir.path().join("data");
    let mut server = Launch::normal().arg("--config").arg(&config).start_in(&data);
    let admin = server.admin().header("x-request-id", "forget-7");
    let path = store(&admin, "one", &json!({}));
    let one = decide(&admin, &path, "User:carol");
    let erased = |body: Value| erase(&admin, &body).expect(200)["erased"].as_u64().unwrap();
    let (mut forgotten, mut kept, mut count) = (Vec::new(), Vec::new(), 0);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let client = server.admin();
            let both = |_| (decide(&client, &path, "User:canary-mallory"), decide(&client, &path, "User:bob"));
            (0..200).map(both).unzip()
        });
        while !asking.is_finished() {
            count += erased(json!({"principal": "User:canary-mallory"}));
            let report = admin.post("/v1/audit/verify", &json!({})).expect(200);
            assert_eq!(report["whole"], true, "{report}");
        }
        (forgotten, kept) = asking.join().unwrap();
    });
    count += erased(json!({"principal": "User::\"canary-mallory\""}));
    assert_eq!((count, erased(json!({"principal": "User:canary-mallory"}))), (200, 0));
    assert_eq!([erased(json!({"ids": [one, one]})), erased(json!({"ids": [one]}))], [1, 0]);
    for file in crate::decisions::files(&data) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("canary-mallory"), "{}", file.display());
    }
    for id in forgotten.iter().chain([&one]) {
        admin.get(&format!("/v1/decisions/{id}")).expect_problem(404, "not_found");
    }
    for id in &kept {
        admin.get(&format!("/v1/decisions/{id}")).expect(200);
    }
    let changes = admin.get("/v1/decisions?kind=change&action=log.erase&page_size=1000").expect(200);
    let changes = changes["decisions"].as_array().unwrap();
    let told: u64 = changes.iter().map(|change| change["details"]["records"].as_u64().unwrap()).sum();
    assert_eq!(told, 201);
    let tenant = server.keys()["tenant"].as_str().unwrap().to_owned();
    for change in changes {
        assert_eq!((&change["name"], &change["request_id"]), (&json!("admin"), &json!("forget-7")), "{change}");
        assert_eq!(change["resource"], json!(format!("tenant:{tenant}")));
    }
    assert!(server.terminate(std::time::Duration::from_secs(20)).unwrap().success());
    let (code, report) = crate::decisions::verify(&data);
    assert_eq!(code, 0, "{report}");
    let chains = report["tenants"].as_array().unwrap();
    let chain = chains.iter().find(|chain| chain["tenant"] == json!(tenant)).unwrap();
    let counts = ["decisions", "erased", "lost"].map(|what| chain[what].as_u64().unwrap());
    assert_eq!(counts, [200, 201, 0], "{report}");
}

#[test]
fn who_may_erase_and_what_is_asked() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let path = store(&admin, "one", &json!({}));
    let key = |scopes: &[&str], stores: Value| {
        let body = json!({"name": "k", "scopes": scopes, "stores": stores});
        server.with_key(admin.post("/v1/keys", &body).expect(201)["secret"].as_str().unwrap())
    };
    let all = json!({"principal": "User:ann"});
    for client in [key(&["read", "write", "check"], Value::Null), key(&["admin"], json!(["one"]))] {
        erase(&client, &all).expect_problem(403, "forbidden");
    }
    for (body, code) in [
        (json!({}), "invalid_input"),
        (json!({"ids": ["01JD0000000000000000000000"], "principal": "User:ann"}), "invalid_input"),
        (json!({"ids": ["01JD0000000000000000000000", "mine"]}), "invalid_input"),
        (json!({"ids": "01JD0000000000000000000000"}), "malformed_request"),
        (json!("User:ann"), "malformed_request"),
    ] {
        erase(&admin, &body).expect_problem(400, code);
    }
    assert_eq!(erase(&admin, &json!({"ids": []})).expect(200), json!({"erased": 0}));
    // A request with a key is answered as the first time, whatever there is by now.
    let keyed = |body: &Value| {
        admin.send("POST", "/v1/audit/erase", &[("Idempotency-Key", "forget")], body.to_string().as_bytes())
    };
    decide(&admin, &path, "User:ann");
    assert_eq!(keyed(&all).expect(200), json!({"erased": 1}));
    let later = decide(&admin, &path, "User:ann");
    let again = keyed(&all);
    assert_eq!((again.header("idempotency-replayed"), again.expect(200)), (Some("true"), json!({"erased": 1})));
    admin.get(&format!("/v1/decisions/{later}")).expect(200);
}

#[test]
fn nothing_is_taken_out_of_a_log_that_was_altered() {
    let dir = tempfile::tempdir().unwrap();
    let server = Launch::normal().start_in(dir.path());
    let admin = server.admin();
    let path = store(&admin, "one", &json!({}));
    let id = decide(&admin, &path, "User:ann");
    admin.post("/v1/audit/verify", &json!({})).expect(200);
    let folder = dir.path().join("decisions").join(server.keys()["tenant"].as_str().unwrap());
    let file = folder.join("00000001.ndjson");
    let altered = std::fs::read_to_string(&file).unwrap().replacen("store.create", "store.delete", 1);
    std::fs::write(&file, altered).unwrap();
    erase(&admin, &json!({"principal": "User:ann"})).expect_problem(409, "log_altered");
    admin.get(&format!("/v1/decisions/{id}")).expect(200);
}
