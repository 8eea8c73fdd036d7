//! `POST /tests/run`, and `authx test` on tests of policies.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::store;
use crate::support::{Launch, root};

const SUITE: &str = "
principals: {ann: User:ann}
fixtures: {tuples: ['document:a#viewer@user:ann']}
tests:
  - name: what is shared
    cases:
      - {principal: ann, action: read, resource: 'Document:a', expect: allow, policies: viewers-read}
      - {principal: ann, action: read, resource: 'Document:b', expect: allow}
";
const OWN: &str = "
tests:
  - fixtures: {data: true}
    cases:
      - {principal: 'User:ann', action: read, resource: 'Document:c', expect: allow}
";

fn suite(text: &str) -> Value {
    json!({"file": "a_test.yaml", "text": text})
}

fn released(server: &crate::support::Server) -> String {
    let client = server.anyone();
    let path = store(&client, "shared", &json!({}));
    let schema = "@rebac(\"user\") entity User; @rebac(\"document\") entity Document { open: Bool };\naction read appliesTo { principal: User, resource: Document };";
    let model = "model\n  schema 1.1\ntype user\ntype document\n  relations\n    define viewer: [user]\n";
    let policies = "@id(\"viewers-read\") permit (principal, action == Action::\"read\", resource) when { principal in resource.rel.viewer };\n@id(\"open\") permit (principal, action, resource) when { resource has open && resource.open };";
    let body =
        json!({"schema": {"cedar": schema}, "model": model, "policies": [{"file": "a.cedar", "cedar": policies}]});
    client.post(&format!("{path}/apply"), &body).expect(200);
    client.post(&format!("{path}/write"), &json!({"tuples": {"write": ["document:c#viewer@user:ann"]}})).expect(200);
    path
}

#[test]
fn suites_are_run_on_a_stores_release() {
    let server = Launch::dev().start();
    let (client, path) = (server.anyone(), released(&server));
    let run = |body: &Value| client.post(&format!("{path}/tests/run"), body).expect(200);
    let told = run(&json!({"suites": [suite(SUITE), suite(OWN)], "coverage": true}));
    let first = &told["suites"][0];
    assert_eq!(
        (&told["passed"], &first["passed"], &told["suites"][1]["passed"]),
        (&json!(false), &json!(false), &json!(true))
    );
    let assertions = &first["tests"][0]["assertions"];
    assert_eq!(assertions[0], json!({"line": 7, "question": "ann read Document:a", "passed": true}));
    assert_eq!(assertions[1]["differences"], json!(["expected allow, got deny"]));
    let missing = json!({"tuples": {"write": ["document:b#viewer@user:ann"]}});
    assert_eq!(assertions[1]["explanation"]["near_misses"][0]["write"], missing, "{assertions}");
    let coverage = &told["coverage"];
    assert_eq!((&coverage[1]["policy"], &coverage[1]["applied"]), (&json!("viewers-read"), &json!(true)));
    assert_eq!(coverage[0]["conjuncts"][0]["was_true"], json!(false));
    // Nothing is recorded, nothing is changed.
    assert_eq!(told["revision"], client.get(&path).expect(200)["revision"]);
    let decisions = client.get("/v1/decisions?page_size=1000").expect(200);
    assert!(!decisions.to_string().contains("Document:a"), "{decisions}");
    assert_eq!(run(&json!({"suites": [suite(SUITE)], "filter": "Document:a"}))["passed"], json!(true));
    // A draft may be tried before it is active.
    let draft = json!({"policies": [{"id": "all", "cedar": "permit (principal, action, resource);"}]});
    let draft = client.post(&format!("{path}/releases"), &draft).expect(201)["id"].clone();
    let of_draft = run(&json!({"suites": [suite(SUITE)], "release": draft}));
    assert_eq!(of_draft["release"], draft);
    let first = &of_draft["suites"][0]["tests"][0]["assertions"];
    assert_eq!(first[0]["differences"], json!(["expected by `viewers-read`, got by `all`"]));
    assert_eq!(first[1]["passed"], json!(true));
}

#[test]
fn what_may_not_be_asked_is_refused() {
    let server = Launch::dev().start();
    let (client, path) = (server.anyone(), released(&server));
    let run = |body: &Value| client.post(&format!("{path}/tests/run"), body);
    for (text, problem) in [
        ("tests: [{cases: [], principal: x}]", "a test has no field `principal`"),
        ("policies: ../x\ntests: []", "a suite that is sent is run on the store's release: leave `policies` out"),
        ("fixtures: {tuple_files: [../../etc/passwd]}\ntests: []", "a suite that is sent names no files"),
        ("fixtures: {entities: [{uid: 'Document:a', attrs: {opne: true}}]}\ntests: []", "opne"),
        ("- 1", "a test is the number `1`, expected a map"),
    ] {
        let told = run(&json!({"suites": [suite(text)]})).expect(200);
        assert_eq!(told["passed"], json!(false), "{text}");
        let problems = &told["suites"][0]["problems"];
        assert!(problems.to_string().contains(problem), "{problems}");
    }
    let names: Vec<String> = (0..101).map(|at| format!("'User:u{at}'")).collect();
    let names = names.join(",");
    let many = format!("tests: [{{principals: [{names}], actions: read, resources: [{names}], expect: deny}}]");
    run(&json!({"suites": [suite(&many)]})).expect_problem(422, "limit_exceeded");
    run(&json!({"suites": [], "release": "01JD0000000000000000000000"})).expect_problem(404, "not_found");
    run(&json!({"suite": []})).expect_problem(400, "malformed_request");
}

/// The store's own data is told to who may read it.
#[test]
fn own_data_takes_a_key_that_may_read() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let path = store(&admin, "keyed", &json!({}));
    for (scopes, passed) in [(json!(["explain"]), false), (json!(["explain", "read"]), true)] {
        let made = admin.post("/v1/keys", &json!({"name": "k", "scopes": scopes})).expect(201);
        let client = server.with_key(made["secret"].as_str().unwrap());
        let text = "tests: [{fixtures: {data: true}, cases: [{principal: 'U:a', action: r, resource: 'D:a', expect: deny, warnings: release}]}]";
        let told = client.post(&format!("{path}/tests/run"), &json!({"suites": [suite(text)]})).expect(200);
        assert_eq!(told["passed"], json!(passed), "{told}");
    }
}

/// Changes of the shipped policies that nobody should make, each caught by a test: store, file, what is written there,
/// and what is written instead.
const MUTATIONS: [(&str, &str, &str, &str); 14] = [
    (
        "documents",
        "guards.cedar",
        "principal.clearance >= resource.classification",
        "principal.clearance > resource.classification",
    ),
    ("documents", "guards.cedar", "unless { context has mfa && context.mfa }", "unless { context has mfa }"),
    ("documents", "guards.cedar", "resource.classification >= 3", "resource.classification >= 1"),
    ("documents", "roles.cedar", "action in [Action::\"view\", Action::\"change\"]", "action in [Action::\"view\"]"),
    ("documents", "roles.cedar", "when { principal in resource.rel.editor }\n", ""),
    ("documents", "sharing.cedar", "principal == resource.owner", "principal != resource.owner"),
    (
        "documents",
        "sharing.cedar",
        "resource.getTag(\"status\") == \"draft\"",
        "resource.getTag(\"status\") == \"final\"",
    ),
    (
        "documents",
        "sharing.cedar",
        "principal.department == resource.department ||",
        "principal.department != resource.department ||",
    ),
    ("saas", "guards.cedar", "unless { action in Action::\"settle\" }", ""),
    (
        "saas",
        "guards.cedar",
        "resource.members >= resource.plan.maxMembers",
        "resource.members > resource.plan.maxMembers",
    ),
    ("saas", "guards.cedar", "resource in Standing::\"suspended\"", "resource == Organization::\"umbra\""),
    ("saas", "staff.cedar", "context.reason like \"CASE-*\"", "context.reason like \"*\""),
    ("saas", "tokens.cedar", "when { principal.writes }\n", ""),
    (
        "saas",
        "tokens.cedar",
        "when { principal.maker in resource.rel.viewer }",
        "when { principal.maker in resource.rel.viewer || true }",
    ),
];

fn authx_test(root: &Path, store: &str) -> (i32, String) {
    let path = root.join("policies").join(store);
    let output =
        Command::new(env!("CARGO_BIN_EXE_authx")).arg("test").arg(path).args(["--min-coverage", "95"]).output();
    let output = output.unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_tests_of_the_shipped_stores_pass_and_catch_every_mutation() {
    let folder = tempfile::tempdir().unwrap();
    let copied = Command::new("cp")
        .arg("-r")
        .arg(root().join("policies"))
        .arg(root().join("schemas"))
        .arg(folder.path())
        .status();
    assert!(copied.unwrap().success());
    for store in ["documents", "saas"] {
        let (code, told) = authx_test(folder.path(), store);
        assert_eq!(code, 0, "{told}");
    }
    for (store, file, from, to) in MUTATIONS {
        let path = folder.path().join("policies").join(store).join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} does not say `{from}`");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let (code, told) = authx_test(folder.path(), store);
        assert_eq!(code, 4, "`{from}` → `{to}`:\n{told}");
        std::fs::write(&path, text).unwrap();
    }
}
