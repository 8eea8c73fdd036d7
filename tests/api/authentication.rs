//! Who may do what: every operation of openapi.yaml with every kind of credential.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::store;
use crate::support::{Client, Launch, Server, root};

/// What a caller needs for an operation.
#[derive(Clone, Copy, PartialEq)]
enum Needs {
    Nothing,
    /// Any good credential.
    Anything,
    Scope(&'static str),
    /// A platform key.
    Operator,
}
use Needs::{Anything, Nothing, Operator, Scope};

/// An operation as it is called: its id, method, path and body. What destroys something stands last.
type Operation = (&'static str, &'static str, &'static str, &'static str, Needs);

const OPERATIONS: [Operation; 65] = [
    ("livez", "GET", "/livez", "", Nothing),
    ("healthz", "GET", "/healthz", "", Nothing),
    ("readyz", "GET", "/readyz", "", Nothing),
    ("metrics", "GET", "/metrics", "", Nothing),
    ("openapi", "GET", "/openapi.yaml", "", Nothing),
    (
        "check",
        "POST",
        "/v1/stores/target/check",
        r#"{"principal":"User:a","action":"read","resource":"Doc:b"}"#,
        Scope("check"),
    ),
    (
        "checkBatch",
        "POST",
        "/v1/stores/target/check/batch",
        r#"{"checks":[{"principal":"User:a","action":"read","resource":"Doc:b"}]}"#,
        Scope("check"),
    ),
    ("listEntities", "GET", "/v1/stores/target/entities", "", Scope("read")),
    ("readEntity", "GET", "/v1/stores/target/entities/User/a", "", Scope("read")),
    ("validate", "POST", "/v1/stores/target/validate", "{}", Scope("read")),
    ("listReleases", "GET", "/v1/stores/target/releases", "", Scope("read")),
    ("readRelease", "GET", "/v1/stores/target/releases/{release}", "", Scope("read")),
    ("readReleaseFiles", "GET", "/v1/stores/target/releases/{release}/files", "", Scope("read")),
    ("diffReleases", "GET", "/v1/stores/target/releases/{release}/diff", "", Scope("read")),
    ("listPolicies", "GET", "/v1/stores/target/policies", "", Scope("read")),
    ("readPolicy", "GET", "/v1/stores/target/policies/one", "", Scope("read")),
    ("readSchema", "GET", "/v1/stores/target/schema", "", Scope("read")),
    ("readModel", "GET", "/v1/stores/target/model", "", Scope("read")),
    ("readTuples", "POST", "/v1/stores/target/tuples/read", "{}", Scope("read")),
    ("export", "GET", "/v1/stores/target/export", "", Scope("read")),
    ("listChanges", "GET", "/v1/stores/target/changes", "", Scope("read")),
    (
        "expandRelation",
        "POST",
        "/v1/stores/target/relations/expand",
        r#"{"object":"doc:a","relation":"viewer"}"#,
        Scope("read"),
    ),
    (
        "checkRelation",
        "POST",
        "/v1/stores/target/relations/check",
        r#"{"subject":"user:a","relation":"viewer","object":"doc:a"}"#,
        Scope("check"),
    ),
    (
        "explain",
        "POST",
        "/v1/stores/target/explain",
        r#"{"principal":"User:a","action":"read","resource":"Doc:a"}"#,
        Scope("explain"),
    ),
    (
        "runTests",
        "POST",
        "/v1/stores/target/tests/run",
        r#"{"suites":[{"file":"a_test.yaml","text":"tests: []"}]}"#,
        Scope("explain"),
    ),
    ("replay", "POST", "/v1/stores/target/replay", r#"{"sources":{"policies":[]}}"#, Scope("admin")),
    ("explainDecision", "GET", "/v1/decisions/{decision}/explain", "", Scope("explain")),
    ("listDecisions", "GET", "/v1/decisions", "", Scope("read")),
    ("verifyLog", "POST", "/v1/audit/verify", "", Scope("admin")),
    ("eraseDecisions", "POST", "/v1/audit/erase", r#"{"ids":["01JD0000000000000000000000"]}"#, Scope("admin")),
    ("readDecision", "GET", "/v1/decisions/{decision}", "", Scope("read")),
    ("listLinks", "GET", "/v1/stores/target/links", "", Scope("read")),
    ("listStores", "GET", "/v1/stores", "", Scope("read")),
    ("readStore", "GET", "/v1/stores/target", "", Scope("read")),
    ("import", "POST", "/v1/stores/target/import?id=one", r#"{"entity":{"uid":"User:b"}}"#, Scope("write")),
    ("readImport", "GET", "/v1/stores/target/import?id=one", "", Scope("read")),
    ("deleteEntities", "POST", "/v1/stores/target/entities/delete-by-filter", r#"{"type":"None"}"#, Scope("write")),
    ("listRevisions", "GET", "/v1/stores/target/revisions", "", Scope("read")),
    ("deleteTuples", "POST", "/v1/stores/target/tuples/delete-by-filter", r#"{"object":"doc:none"}"#, Scope("write")),
    ("write", "POST", "/v1/stores/target/write", r#"{"entities":{"upsert":[{"uid":"User:a"}]}}"#, Scope("write")),
    (
        "putLink",
        "PUT",
        "/v1/stores/target/links/linked",
        r#"{"template":"shared","principal":"User:a"}"#,
        Scope("write"),
    ),
    ("deleteLink", "DELETE", "/v1/stores/target/links/linked", "", Scope("write")),
    (
        "putSchema",
        "PUT",
        "/v1/stores/target/schema",
        r#"{"cedar":"entity User; entity Doc; action read appliesTo { principal: User, resource: Doc };"}"#,
        Scope("admin"),
    ),
    (
        "putModel",
        "PUT",
        "/v1/stores/target/model",
        r#"{"dsl":"model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define viewer: [user]\n"}"#,
        Scope("admin"),
    ),
    (
        "putPolicy",
        "PUT",
        "/v1/stores/target/policies/two",
        r#"{"cedar":"permit (principal, action, resource);"}"#,
        Scope("admin"),
    ),
    ("deletePolicy", "DELETE", "/v1/stores/target/policies/two", "", Scope("admin")),
    ("createRelease", "POST", "/v1/stores/target/releases", "{}", Scope("admin")),
    ("apply", "POST", "/v1/stores/target/apply", "{}", Scope("admin")),
    ("activateRelease", "POST", "/v1/stores/target/releases/{release}/activate", "", Scope("admin")),
    ("createStore", "POST", "/v1/stores", r#"{"name":"x"}"#, Scope("admin")),
    ("updateStore", "PATCH", "/v1/stores/target", r#"{"name":"y"}"#, Scope("admin")),
    ("createKey", "POST", "/v1/keys", r#"{"name":"x","scopes":["check"]}"#, Scope("admin")),
    ("listKeys", "GET", "/v1/keys", "", Scope("admin")),
    ("whoami", "GET", "/v1/whoami", "", Anything),
    ("readKey", "GET", "/v1/keys/{key}", "", Scope("admin")),
    ("updateKey", "PATCH", "/v1/keys/{key}", r#"{"name":"renamed"}"#, Scope("admin")),
    ("rotateKey", "POST", "/v1/keys/{key}/rotate", "{}", Scope("admin")),
    ("createTenant", "POST", "/v1/tenants", r#"{"name":"x"}"#, Operator),
    ("listTenants", "GET", "/v1/tenants", "", Operator),
    ("readTenant", "GET", "/v1/tenants/{tenant}", "", Operator),
    ("updateTenant", "PATCH", "/v1/tenants/{tenant}", r#"{"name":"y"}"#, Operator),
    ("deleteTenant", "DELETE", "/v1/tenants/{tenant}", "", Operator),
    ("restoreTenant", "POST", "/v1/tenants/{tenant}/restore", "", Operator),
    ("restoreStore", "POST", "/v1/stores/{deleted}/restore", "", Scope("admin")),
    ("revokeKey", "DELETE", "/v1/keys/{key}", "", Scope("admin")),
];
/// Alone, because nothing can be asked of the store after it.
const LAST: Operation = ("deleteStore", "DELETE", "/v1/stores/target", "", Scope("admin"));

/// The operations that the API's description has: id, method and path.
fn described() -> BTreeSet<(String, String, String)> {
    let text = std::fs::read_to_string(root().join("openapi.yaml")).unwrap();
    let document: Value = serde_yaml_ng::from_str(&text).unwrap();
    let operations = document["paths"].as_object().unwrap().iter().flat_map(|(path, methods)| {
        let of = |(method, operation): (&String, &Value)| {
            (operation["operationId"].as_str().unwrap().to_owned(), method.to_uppercase(), path.clone())
        };
        methods.as_object().unwrap().iter().map(of).collect::<Vec<_>>()
    });
    operations.collect()
}

fn every_operation() -> impl Iterator<Item = Operation> {
    OPERATIONS.into_iter().chain([LAST])
}

#[test]
fn every_operation_that_is_described_is_in_the_table() {
    let ids: BTreeSet<String> = every_operation().map(|(id, ..)| id.to_owned()).collect();
    let described_ids: BTreeSet<String> = described().into_iter().map(|(id, ..)| id).collect();
    assert_eq!(ids, described_ids);
    for (id, method, path, ..) in every_operation() {
        let segments = |path: &str| path.split('/').count();
        let same = |(known, verb, template): &(String, String, String)| {
            known == id && verb == method && segments(template) == segments(path)
        };
        assert!(described().iter().any(same), "{id} is not {method} {path}");
    }
}

fn key(admin: &Client, body: &Value) -> Value {
    admin.post("/v1/keys", body).expect(201)
}

fn secret(created: &Value) -> &str {
    created["secret"].as_str().unwrap()
}

/// A server with the store `target`, which has one policy, one template and a schema.
fn prepared() -> (Server, String, String) {
    let server = Launch::normal().start();
    let admin = server.admin();
    let path = store(&admin, "target", &json!({"validation": "off"}));
    let model = "model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define viewer: [user]\n";
    let release = json!({"schema": {"cedar": "entity User; entity Doc;"}, "model": model, "policies": [
        {"id": "one", "cedar": "forbid (principal, action, resource) when { false };"},
        {"id": "shared", "cedar": "permit (principal == ?principal, action, resource);"},
    ]});
    let release = admin.post(&format!("{path}/apply"), &release).expect(200)["release"].as_str().unwrap().to_owned();
    admin.post(&format!("{path}/write"), &json!({"entities": {"upsert": [{"uid": "User:a"}]}})).expect(200);
    let spare = key(&admin, &json!({"name": "spare", "scopes": ["check"]}))["id"].as_str().unwrap().to_owned();
    (server, release, spare)
}

#[test]
fn every_operation_asks_for_its_scope() {
    let (server, release, spare) = prepared();
    let admin = server.admin();
    let other = server.platform().post("/v1/tenants", &json!({"name": "spare"})).expect(201);
    let deleted = admin.post("/v1/stores", &json!({"name": "deleted"})).expect(201);
    let (other, deleted) = (other["id"].as_str().unwrap(), deleted["id"].as_str().unwrap());
    admin.delete(&format!("/v1/stores/{deleted}")).expect(204);
    let ask = json!({"principal": "User:a", "action": "read", "resource": "Doc:b"});
    let decided = admin.post("/v1/stores/target/check", &ask).expect(200);
    let decision = decided["decision_id"].as_str().unwrap();
    let scoped: Vec<(&str, Client)> = ["admin", "write", "read", "check", "explain"]
        .into_iter()
        .map(|scope| {
            let made = key(&admin, &json!({"name": scope, "scopes": [scope]}));
            (scope, server.with_key(secret(&made)))
        })
        .collect();
    let platform = server.platform();
    let tenant = server.keys()["tenant"].as_str().unwrap().to_owned();
    let in_tenant = platform.header("authx-tenant", &tenant);
    let bare =
        Client::new(server.address(), None).header("authorization", server.keys()["admin_key"].as_str().unwrap());
    let wrong = server.with_key("axk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let empty = server.anyone().header("authorization", "");
    let basic = server.anyone().header("authorization", "Basic YWRtaW46YWRtaW4=");

    for (id, method, path, body, needs) in every_operation() {
        let path = path.replace("{release}", &release).replace("{key}", &spare);
        let path = path.replace("{tenant}", other).replace("{deleted}", deleted).replace("{decision}", decision);
        let call =
            |client: &Client| client.send(method, &path, &[("content-type", "application/json")], body.as_bytes());
        let open = needs == Nothing;
        for (who, client) in
            [("nobody", &server.anyone()), ("a wrong key", &wrong), ("an empty one", &empty), ("a password", &basic)]
        {
            let reply = call(client);
            if open {
                assert_eq!(reply.status, 200, "{id} for {who}");
            } else {
                assert_eq!(reply.outcome(), (401, "unauthenticated".to_owned()), "{id} for {who}");
                assert!(reply.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")), "{id}");
            }
        }
        // Those who may not come first: the others change things.
        let may = |scope: &str| match needs {
            Nothing | Anything => true,
            Operator => false,
            Scope(wanted) => scope == wanted || scope == "admin",
        };
        for (scope, client) in scoped.iter().filter(|(scope, _)| !may(scope)) {
            assert_eq!(call(client).outcome(), (403, "forbidden".to_owned()), "{id} with {scope}");
        }
        if matches!(needs, Scope(_)) {
            assert_eq!(
                call(&platform).outcome(),
                (403, "forbidden".to_owned()),
                "{id} with a platform key and no tenant"
            );
            let ghost = platform.header("authx-tenant", "01JD0000000000000000000000");
            assert_eq!(call(&ghost).outcome(), (403, "forbidden".to_owned()), "{id} in a tenant that does not exist");
        }
        let allowed = scoped.iter().filter(|(scope, _)| may(scope)).map(|(scope, client)| (*scope, client));
        let mut allowed: Vec<(&str, &Client)> = allowed.collect();
        allowed.push(("a platform key in its tenant", &in_tenant));
        match needs {
            Operator | Anything => allowed.push(("a platform key", &platform)),
            Nothing | Scope(_) => allowed.push(("a key without the word Bearer", &bare)),
        }
        let mut done = false;
        for (who, client) in allowed {
            let reply = call(client);
            assert!(![401, 403].contains(&reply.status) && reply.status < 500, "{id} with {who}: {}", reply.text());
            done |= reply.status < 300;
        }
        assert!(done, "{id} was never done");
    }
}

#[test]
fn a_first_start_leaves_two_keys_for_its_owner_alone() {
    let server = Launch::normal().start();
    let path = server.data_dir().join("keys.json");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let keys = server.keys();
    let secrets = ["platform_key", "admin_key"].map(|name| keys[name].as_str().unwrap().to_owned());
    assert!(secrets.iter().all(|secret| secret.starts_with("axk_") && secret.len() > 40));
    assert_ne!(secrets[0], secrets[1]);
    server.admin().get("/v1/stores").expect(200);
    server.platform().get("/v1/tenants").expect(200);
    server.admin().get("/v1/tenants").expect_problem(403, "forbidden");
    assert!(!secrets.iter().any(|secret| server.log().contains(secret.as_str())));
    // A key's hash is kept, never the key.
    let files = std::fs::read_dir(server.data_dir()).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|file| *file != path && file.is_file()).chain(crate::decisions::files(server.data_dir()));
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        for secret in &secrets {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{}", file.display());
        }
    }
    let listed = server.admin().get("/v1/keys").text();
    assert!(!secrets.iter().any(|secret| listed.contains(secret.as_str())));
}

#[test]
fn a_revoked_key_ends_at_once() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let made = key(&admin, &json!({"name": "short", "scopes": ["read"]}));
    let client = server.with_key(secret(&made));
    client.get("/v1/stores").expect(200);
    let path = format!("/v1/keys/{}", made["id"].as_str().unwrap());
    admin.delete(&path).expect(204);
    client.get("/v1/stores").expect_problem(401, "unauthenticated");
    let listed = admin.get("/v1/keys").expect(200);
    let revoked = listed["keys"].as_array().unwrap().iter().find(|key| key["id"] == made["id"]).unwrap();
    assert!(revoked["revoked_at"].is_string());
    admin.delete("/v1/keys/01JD0000000000000000000000").expect_problem(404, "not_found");
}

#[test]
fn a_key_expires() {
    let server = Launch::normal().start();
    let made = key(&server.admin(), &json!({"name": "short", "scopes": ["read"], "expires_in_seconds": 2}));
    assert!(made["key"]["expires_at"].is_string());
    let client = server.with_key(secret(&made));
    client.get("/v1/stores").expect(200);
    std::thread::sleep(Duration::from_millis(2_200));
    client.get("/v1/stores").expect_problem(401, "unauthenticated");
    let never = key(&server.admin(), &json!({"name": "none", "scopes": ["read"], "expires_in_seconds": 0}));
    server.with_key(secret(&never)).get("/v1/stores").expect_problem(401, "unauthenticated");
}

#[test]
fn a_key_of_one_store_sees_no_other() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let (own, other) = (store(&admin, "own-store", &json!({})), store(&admin, "other-store", &json!({})));
    let made = key(&admin, &json!({"name": "limited", "scopes": ["admin"], "stores": ["own-store"]}));
    let client = server.with_key(secret(&made));
    let ask = json!({"principal": "User:a", "action": "read", "resource": "Doc:b"});
    client.get(&own).expect(200);
    assert_eq!(client.post(&format!("{own}/check"), &ask).expect(200)["decision"], "deny");
    client.get(&other).expect_problem(404, "not_found");
    client.post(&format!("{other}/check"), &ask).expect_problem(404, "not_found");
    client.delete(&other).expect_problem(404, "not_found");
    let listed = client.get("/v1/stores").expect(200);
    let aliases: Vec<&Value> = listed["stores"].as_array().unwrap().iter().map(|store| &store["alias"]).collect();
    assert_eq!(aliases, ["own-store"]);
    // It could otherwise give itself what it lacks.
    client.post("/v1/stores", &json!({"name": "more"})).expect_problem(403, "forbidden");
    client.post("/v1/keys", &json!({"name": "more", "scopes": ["admin"]})).expect_problem(403, "forbidden");
    client.get("/v1/keys").expect_problem(403, "forbidden");
    admin
        .post("/v1/keys", &json!({"name": "x", "scopes": ["read"], "stores": ["ghost"]}))
        .expect_problem(404, "not_found");
}

#[test]
fn without_keys_a_web_page_is_nobody() {
    let server = Launch::dev().start();
    let client = server.anyone();
    client.get("/v1/stores").expect(200);
    client.header("origin", "https://elsewhere.example").get("/v1/stores").expect_problem(401, "unauthenticated");
    client.header("origin", "null").get("/v1/stores").expect_problem(401, "unauthenticated");
    client.header("origin", &server.url()).get("/v1/stores").expect(200);
    let rebound =
        client.raw(b"GET /v1/stores HTTP/1.1\r\nhost: elsewhere.example\r\nconnection: close\r\n\r\n".to_vec());
    rebound.unwrap().expect_problem(401, "unauthenticated");
}
