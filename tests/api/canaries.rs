//! Secrets that must be nowhere: not in the log, not in a metric, not in an answer, not in a file of the decision log.

use serde_json::{Value, json};

use crate::relations::MODEL;
use crate::support::{Client, Launch, Reply, Server};

/// Each stands for one kind of secret.
const MASKED: &str = "canary-masked-attribute";
const CONTEXT: &str = "canary-context-value";
const ENTITY: &str = "canary-entity-attribute";
const CONDITION: &str = "canary-condition-context";
const HEADER: &str = "canary-header-that-is-no-key";
/// What is told: were it not found, a secret would not be either.
const TOLD: &str = "canary-that-is-told";

const CONFIG: &str = "
[log]
level = \"authx=trace\"
[decisions]
masks = [\"/entities/*/attrs/ssn\", \"/context/password\", \"/tuples\"]
";

/// The model of the others with a condition.
fn model() -> String {
    let model = MODEL.trim_end().replace("define owner: [user]", "define owner: [user, user with secret]");
    format!("{model}\ncondition secret(word: string, known: string) {{\n  word == known\n}}\n")
}

fn provoked(admin: &Client, anyone: &Client, path: &str) -> Vec<(u16, Reply)> {
    let post = |rest: &str, body: &str| admin.send("POST", &format!("{path}{rest}"), &[], body.as_bytes());
    let tuple = |context: &Value| json!({"object": "document:a", "relation": "owner", "subject": "user:ann", "condition": {"name": "secret", "context": context}});
    let ask = json!({"principal": "User:ann", "action": "read", "resource": "Doc:a"});
    vec![
        (400, post("/check", &format!(r#"{{"principal": "User:ann", "context": {{"word": "{CONTEXT}"}} "#))),
        (400, post("/check", &format!(r#"{{"principal": "User:ann", "action": "read", "resource": "Doc:a", "context": ["{CONTEXT}"]}}"#))),
        (400, post("/check", &format!(r#"{{"principal": "User:ann", "action": "read", "resource": "Doc:a", "context": {{"a": 1, "a": "{CONTEXT}"}}}}"#))),
        (400, post("/check", &format!(r#"{{"principal": {{"type": "User"}}, "action": "read", "resource": "Doc:a", "context": {{"a": "{CONTEXT}"}}}}"#))),
        (401, anyone.header("authorization", HEADER).get(path)),
        (401, anyone.header("authorization", &format!("Bearer {HEADER}")).get(path)),
        (401, anyone.header("authorization", &format!("Basic {HEADER}")).post(&format!("{path}/check"), &ask)),
        (401, anyone.header("authorization", &format!("Bearer {HEADER}")).get("/stores")),
        (403, admin.get("/v1/tenants")),
        (404, post("/nothing", &format!(r#"{{"a": "{ENTITY}"}}"#))),
        (404, admin.post("/v1/stores/none/check", &json!({"context": {"a": CONTEXT}}))),
        (405, admin.send("PUT", &format!("{path}/check"), &[], CONTEXT.as_bytes())),
        (409, admin.post("/v1/stores", &json!({"name": "again", "alias": "plans"}))),
        (409, admin.post(&format!("{path}/write"), &json!({"tuples": {"write": [tuple(&json!({"known": CONDITION}))]}}))),
        (409, admin.post(&format!("{path}/write"), &json!({"tuples": {"write": [tuple(&json!({"known": format!("{CONDITION}-2")}))], "on_existing": "ignore"}}))),
        (422, admin.post(&format!("{path}/write"), &json!({"entities": {"upsert": [{"uid": "User:b", "attrs": {"word": ENTITY}, "parents": ["Group:a", "User:b"]}]}}))),
        (400, admin.post(&format!("{path}/relations/check"), &json!({"subject": "user:ann", "relation": "owner", "object": "document:a", "context": {"other": CONTEXT}}))),
    ]
}

/// What is told when the server fails, which is told in its log too.
fn failed(admin: &Client, server: &Server) -> Reply {
    // The platform's comes first.
    let logs = std::fs::read_dir(server.data_dir().join("decisions")).unwrap().map(|entry| entry.unwrap().path());
    let (log, aside) = (logs.max().unwrap(), server.data_dir().join("aside"));
    std::fs::rename(&log, &aside).unwrap();
    std::fs::write(&log, "no folder").unwrap();
    let reply = admin.header("x-request-id", TOLD).get("/v1/decisions");
    std::fs::remove_file(&log).unwrap();
    std::fs::rename(&aside, &log).unwrap();
    assert!(reply.status >= 500, "{}", reply.text());
    reply
}

#[test]
fn no_secret_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("authx.toml");
    std::fs::write(&config, CONFIG).unwrap();
    let mut server = Launch::normal().arg("--config").arg(&config).start_in(&dir.path().join("data"));
    let (admin, anyone, keys) = (server.admin(), server.anyone(), server.keys());
    let path = crate::store(&admin, "plans", &json!({"validation": "off"}));
    let policy =
        json!({"id": "one", "cedar": "permit (principal, action, resource) when { context.word == principal.word };"});
    admin.post(&format!("{path}/apply"), &json!({"model": model(), "policies": [policy]})).expect(200);
    let written = json!({"entities": {"upsert": [{"uid": "User:ann", "attrs": {"word": ENTITY}}]},
        "tuples": {"write": [{"object": "document:a", "relation": "owner", "subject": "user:ann", "condition": {"name": "secret", "context": {"known": CONDITION}}}]}});
    admin.post(&format!("{path}/write"), &written).expect(200);
    let check = json!({"principal": "User:ann", "action": "read", "resource": format!("Doc:{TOLD}"),
        "context": {"word": "known", "password": MASKED},
        "entities": [{"uid": "User:eve", "attrs": {"ssn": MASKED}, "parents": []}]});
    let mut answers = vec![admin.post(&format!("{path}/check"), &check)];
    assert_eq!(answers[0].expect(200)["decision"], "deny");
    for (status, reply) in provoked(&admin, &anyone, &path) {
        assert_eq!(reply.status, status, "{}", reply.text());
        answers.push(reply);
    }
    answers.push(failed(&admin, &server));
    answers.push(anyone.get("/metrics"));
    server.terminate(std::time::Duration::from_secs(30)).unwrap();

    let secrets = [
        keys["admin_key"].as_str().unwrap(),
        keys["platform_key"].as_str().unwrap(),
        MASKED,
        CONTEXT,
        ENTITY,
        CONDITION,
        HEADER,
    ];
    let log = server.log();
    assert!(log.contains(TOLD), "{log}");
    assert!(answers.iter().any(|answer| answer.text().contains(TOLD)));
    for secret in secrets {
        assert!(!log.contains(secret), "the log has {secret}: {log}");
        for answer in &answers {
            let headers: Vec<&str> = answer.headers.iter().map(|(_, value)| value.as_str()).collect();
            let text = format!("{headers:?} {}", answer.text());
            assert!(!text.contains(secret), "an answer has {secret}: {text}");
        }
    }
    let mut files = 0;
    for folder in std::fs::read_dir(server.data_dir().join("decisions")).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let text = String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()).into_owned();
            files += usize::from(text.contains("\"kind\":\"decision\"") && text.contains("***") && text.contains(TOLD));
            for secret in [MASKED, secrets[0], secrets[1], HEADER] {
                assert!(!text.contains(secret), "the decision log has {secret}: {text}");
            }
        }
    }
    assert_eq!(files, 1);
}
