//! How a tenant's decisions are recorded: its own settings hold at once, for it alone, and after a restart.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Launch, Server};

const CONFIG: &str = "[decisions]\nmasks = [\"/context/always\"]\n";

struct Tenant {
    id: String,
    client: Client,
}

impl Tenant {
    fn new(server: &Server, name: &str) -> Self {
        let made = server.platform().post("/v1/tenants", &json!({"name": name})).expect(201);
        let client = server.with_key(made["admin_key"]["secret"].as_str().unwrap());
        let store = crate::store(&client, "main", &json!({}));
        client
            .post(
                &format!("{store}/apply"),
                &json!({"policies": [{"cedar": "permit (principal == User::\"a\", action, resource);"}]}),
            )
            .expect(200);
        Self { id: made["id"].as_str().unwrap().to_owned(), client }
    }

    fn set(&self, server: &Server, decisions: &Value) -> Value {
        let body = json!({"decisions": decisions});
        let path = format!("/v1/tenants/{}", self.id);
        server.platform().json("PATCH", &path, &body).expect(200)["decisions"].clone()
    }

    /// What is recorded of a check; nothing when it is not.
    fn checked(&self, principal: &str) -> Option<Value> {
        let ask = json!({"principal": principal, "action": "read", "resource": "Doc:d",
            "context": {"always": "x", "mine": "y", "free": "z"}});
        let told = self.client.post("/v1/stores/main/check", &ask).expect(200);
        let found = self.client.get(&format!("/v1/decisions/{}", told["decision_id"].as_str().unwrap()));
        (found.status == 200).then(|| found.value())
    }

    fn context(&self, principal: &str) -> Value {
        self.checked(principal).unwrap()["request"]["context"].clone()
    }
}

#[test]
fn a_tenants_settings_hold_at_once_and_for_it_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (config, data) = (dir.path().join("authx.toml"), dir.path().join("data"));
    std::fs::write(&config, CONFIG).unwrap();
    let start = || Launch::normal().arg("--config").arg(&config).start_in(&data);
    let mut server = start();
    let (one, other) = (Tenant::new(&server, "one"), Tenant::new(&server, "other"));
    let read = |server: &Server, tenant: &Tenant| {
        server.platform().get(&format!("/v1/tenants/{}", tenant.id)).expect(200)["decisions"].clone()
    };
    let defaults = json!({"mode": "async", "allows_per_million": 1_000_000, "masks": []});
    assert_eq!(read(&server, &one), defaults);
    assert_eq!(one.context("User:a"), json!({"always": "***", "mine": "y", "free": "z"}));

    assert_eq!(one.set(&server, &json!({"mode": "off"}))["mode"], "off");
    assert!(one.checked("User:a").is_none() && one.checked("User:b").is_none());
    assert!(other.checked("User:a").is_some());
    let set = one.set(&server, &json!({"mode": "sync", "allows_per_million": 0, "masks": ["/context/mine"]}));
    assert_eq!(set, json!({"mode": "sync", "allows_per_million": 0, "masks": ["/context/mine"]}));
    assert!(one.checked("User:a").is_none(), "of the allows none is recorded");
    let masked = json!({"always": "***", "mine": "***", "free": "z"});
    assert_eq!(one.context("User:b"), masked);
    assert_eq!(other.context("User:b")["mine"], "y");

    // What is not there is refused, and changes nothing.
    let path = format!("/v1/tenants/{}", one.id);
    let change = |decisions: Value| server.platform().json("PATCH", &path, &json!({"decisions": decisions}));
    change(json!({"mode": "loud"})).expect_problem(400, "malformed_request");
    change(json!({"mod": "off"})).expect_problem(400, "malformed_request");
    change(json!({"masks": ["/principal"]})).expect_problem(400, "invalid_input");
    change(json!({"masks": vec!["/context/a"; 101]})).expect_problem(400, "invalid_input");
    one.client.json("PATCH", &path, &json!({"decisions": {"mode": "off"}})).expect_problem(403, "forbidden");
    assert_eq!(read(&server, &one), set);

    // It is as it was after a kill, and after the tenant came back.
    server.kill();
    server = start();
    let (one, other) = (
        Tenant { client: one.client.at(server.address()), ..one },
        Tenant { client: other.client.at(server.address()), ..other },
    );
    assert!(one.checked("User:a").is_none());
    assert_eq!(one.context("User:b"), masked);
    server.platform().delete(&path).expect(204);
    server.platform().post(&format!("{path}/restore"), &json!({})).expect(200);
    assert_eq!((read(&server, &one), one.context("User:b")), (set, masked));
    assert!(other.checked("User:a").is_some());

    let cleared = one.set(&server, &json!({"mode": null, "allows_per_million": null, "masks": null}));
    assert_eq!(cleared, defaults);
    assert_eq!(one.context("User:a")["mine"], "y");

    // Each change is recorded with what it made of the settings.
    let told = one.client.get("/v1/decisions?kind=change&action=tenant.update").expect(200);
    let told: Vec<&Value> =
        told["decisions"].as_array().unwrap().iter().rev().map(|change| &change["details"]["decisions"]).collect();
    let second = json!({"mode": "sync", "allows_per_million": 0, "masks": ["/context/mine"]});
    assert_eq!(told, [&json!({"mode": "off"}), &second, &json!({})]);
}

#[test]
fn the_command_line_sets_and_unsets() {
    let mut server = Launch::normal().start();
    let tenant = Tenant::new(&server, "one");
    let key = server.keys()["platform_key"].as_str().unwrap().to_owned();
    let update = |arguments: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_authx"))
            .args(["tenants", "update", &tenant.id, "--server", &server.url(), "--key", &key, "-o", "json"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice::<Value>(&out.stdout).unwrap()
    };
    let masks = ["--log-mask", "/context/mine", "--log-mask", "/tuples"];
    let set = update(&[&["--log-mode", "sync", "--log-allows-per-million", "7", "--burst", "3"], &masks[..]].concat());
    let wanted = json!({"mode": "sync", "allows_per_million": 7, "masks": ["/context/mine", "/tuples"]});
    assert_eq!((&set["decisions"], &set["limits"]["burst"]), (&wanted, &json!(3)));
    let unset = update(&["--unset", "masks", "--unset", "burst", "--log-allows-per-million", "8"]);
    assert_eq!(unset["decisions"], json!({"mode": "sync", "allows_per_million": 8, "masks": []}));
    assert_eq!(unset["limits"].get("burst"), None);
    assert!(server.terminate(Duration::from_secs(20)).unwrap().success());
}
