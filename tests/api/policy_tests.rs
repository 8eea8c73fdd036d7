//! `POST /tests/run`, and `authx test` on tests of policies.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

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
        ("tests: [{cases: []}]", "the test asks nothing"),
        (
            "fixtures: {tuple_files: [../../etc/passwd]}\ntests: []",
            "the suite names a file, and what it holds was not sent",
        ),
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
    let with_files = "fixtures: {tuple_files: [t], entities_files: [e]}\ntests: []";
    let with =
        |file: &Value| run(&json!({"suites": [{"file": "a", "text": with_files, "files": [file, {"name": "e"}]}]}));
    let half = json!({"name": "t", "tuples": ["document:a"]});
    assert!(with(&half).expect(400).to_string().contains("/suites/0/files/0/tuples/0"));
    for (file, refused) in [
        (json!({"name": "t", "tuples": ["document:a#owner@user:x"]}), "relation `owner` is not defined"),
        (json!({"name": "t", "entities": [{"uid": "Document:a", "attrs": {"rel": {}}}]}), "rel"),
    ] {
        let told = with(&file).expect(200);
        assert!(told["suites"][0]["problems"].to_string().contains(refused), "{told}");
    }
    // What asks nothing does not pass.
    let nothing = with(&json!({"name": "t"})).expect(200);
    assert_eq!((&nothing["passed"], &nothing["suites"][0]["problems"]), (&json!(false), &json!([])));
}

/// A small body that says little often is not let grow.
#[test]
fn what_suites_multiply_is_bounded() {
    let server = Launch::dev().start();
    let (client, path) = (server.anyone(), released(&server));
    let run = |body: &Value| client.post(&format!("{path}/tests/run"), body);
    let told = |body: &Value| run(body).expect(200)["suites"][0]["problems"].to_string();
    // A file that is named again and again: each time its rows are laid.
    let rows: Vec<String> = (0..20_000).map(|at| format!("document:d{at}#viewer@user:ann")).collect();
    let again = format!("fixtures: {{tuple_files: [{}]}}\ntests: []", vec!["f"; 10_000].join(","));
    let body = json!({"suites": [{"file": "a", "text": again, "files": [{"name": "f", "tuples": rows}]}]});
    assert!(told(&body).contains("more than 64 MiB"));
    // Questions that the filter leaves out count.
    let users: Vec<String> = (0..30).map(|at| format!("'User:u{at}'")).collect();
    let users = users.join(",");
    let many = format!("tests: [{{principals: [{users}], actions: [read, a, b], resources: [{users}], expect: deny}}]");
    let suites = vec![suite(&many); 4];
    let asked = |suites: &[Value]| json!({"suites": suites, "filter": "zzz"});
    run(&asked(&suites)).expect_problem(422, "limit_exceeded");
    assert_eq!(run(&asked(&suites[..3])).expect(200)["passed"], json!(false));
    // What is wrong is told so often, and so much of it.
    let long = "x".repeat(20_000);
    let wrong = format!("tests: [{}]", vec![format!("{{{long}: 1}}"); 200].join(","));
    let problems = run(&json!({"suites": [suite(&wrong)]})).expect(200)["suites"][0]["problems"].clone();
    let problems = problems.as_array().unwrap();
    assert!(problems.len() == 100 && problems.iter().all(|problem| problem.to_string().len() < 2_000));
    // Names of files are repeated with every row.
    let long_name = json!({"suites": [{"file": "f".repeat(2_000), "text": "tests: []"}]});
    run(&long_name).expect_problem(400, "malformed_request");
    let files = json!({"policies": [{"file": "f".repeat(2_000), "cedar": "permit(principal,action,resource);"}]});
    client.post(&format!("{path}/validate"), &files).expect_problem(400, "malformed_request");
    // A long line of policies is cut once, and there are not so many of them.
    let line = json!({"policies": [{"file": "f", "cedar": ";".repeat(200_001)}]});
    client.post(&format!("{path}/validate"), &line).expect_problem(422, "limit_exceeded");
}

/// A server of another kind, or one that means ill: what it did not answer has not passed, and it moves no terminal.
#[test]
fn an_answer_to_something_else_is_no_pass() {
    let folder = tempfile::tempdir().unwrap();
    let text = "tests: [{cases: [{principal: 'User:x', action: read, resource: 'Project:x', expect: deny}]}]";
    std::fs::write(folder.path().join("a_test.yaml"), text).unwrap();
    let passed = json!({"file": "a_test.yaml", "tests": [{"name": "t", "line": 1, "assertions": [{"line": 1, "question": "q", "passed": true}]}]});
    for (status, answer, coverage, expected) in [
        (200, json!({"suites": [passed], "coverage": []}).to_string(), true, 0),
        (200, json!({"suites": [passed]}).to_string(), false, 0),
        (200, json!({"suites": [passed]}).to_string(), true, 1),
        (200, json!({"suites": []}).to_string(), false, 1),
        (200, json!({"suites": [passed, passed]}).to_string(), false, 1),
        (200, json!({"suites": [{"file": "b_test.yaml", "tests": []}]}).to_string(), false, 1),
        (200, json!({"suites": [{"file": "a_test.yaml", "tests": []}]}).to_string(), false, 1),
        (200, json!({"suites": [{"file": "a_test.yaml"}]}).to_string(), false, 1),
        (200, "{}".to_owned(), false, 1),
        (200, "<html>".to_owned(), false, 1),
        (500, json!({"title": "\u{1b}[2Joh", "detail": "\u{9b}31m"}).to_string(), false, 1),
    ] {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        let reply = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
            answer.len()
        );
        let answering = std::thread::spawn(move || {
            let (mut peer, _) = server.accept().unwrap();
            let mut read = [0; 1 << 14];
            let mut whole = Vec::new();
            // The body of the request ends with it.
            while !whole.ends_with(b"}") {
                let some = peer.read(&mut read).unwrap();
                whole.extend_from_slice(&read[..some]);
            }
            peer.write_all(reply.as_bytes()).unwrap();
        });
        let mut asked = vec!["test", "--online", "--store", "s", "--server", &url];
        asked.extend(coverage.then_some("--coverage"));
        let (code, out, said) = authx(folder.path(), &asked);
        answering.join().unwrap();
        assert_eq!(code, expected, "{answer}: {out}{said}");
        assert!(!(out + &said).contains(['\u{1b}', '\u{9b}']), "{answer}");
    }
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

fn authx(root: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_authx")).args(args).current_dir(root).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn authx_test(root: &Path, store: &str) -> (i32, String) {
    let (code, told, _) = authx(root, &["test", &format!("policies/{store}"), "--min-coverage", "95"]);
    (code, told)
}

/// A root with the two shipped stores.
fn shipped() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut copy = Command::new("cp");
    let copied = copy.arg("-r").arg(root().join("policies")).arg(root().join("schemas")).arg(folder.path()).status();
    assert!(copied.unwrap().success());
    folder
}

const OF_FILES: &str = "
policies: ../../policies/documents
fixtures: {entities_files: [people.json], tuple_files: [shares.csv]}
tests:
  - name: from files
    fixtures: {tuple_files: [more.jsonl]}
    principals: ['User:zoe', 'User:yan']
    actions: [read]
    resources: ['Document:zine', 'Document:zap']
    allow: {'User:zoe': {'Document:zine': read, 'Document:zap': read}}
  - name: refused
    fixtures: {tuple_files: [wrong.csv]}
    cases: [{principal: 'User:zoe', action: read, resource: 'Document:zine', expect: allow}]
";
const FILES: [(&str, &str); 6] = [
    ("files_test.yaml", OF_FILES),
    (
        "people.json",
        r#"[{"uid": {"type": "User", "id": "zoe"}, "attrs": {"department": "press", "clearance": 2}, "parents": []},
            {"uid": {"type": "User", "id": "yan"}, "attrs": {"department": "legal", "clearance": 2}, "parents": []},
            {"uid": {"type": "Document", "id": "zine"}, "attrs": {"owner": {"__entity": {"type": "User", "id": "yan"}},
              "department": "none", "classification": 1, "public": false}, "parents": []},
            {"uid": {"type": "Document", "id": "zap"}, "attrs": {"owner": {"__entity": {"type": "User", "id": "yan"}},
              "department": "none", "classification": 1, "public": false}, "parents": []}]"#,
    ),
    ("shares.csv", "object,relation,subject,expires_at\ndocument:zine,viewer,user:zoe,2124-01-01T00:00:00Z\n"),
    ("more.jsonl", "{\"object\": \"document:zap\", \"relation\": \"viewer\", \"subject\": \"user:zoe\"}\n"),
    ("wrong.csv", "object,relation,subject\ndocument:zine,vewer,user:zoe\n"),
    (
        "cedar_test.json",
        r#"[{"name": "nobody", "request": {"principal": "User::\"zoe\"", "action": "Action::\"read\"",
            "resource": "Document::\"none\"", "context": {}}, "entities": "people.json", "decision": "allow",
            "reason": [], "num_errors": 0}]"#,
    ),
];

/// The same tests, on files and on a server that was given the files: the same is told.
#[test]
fn files_and_a_server_tell_the_same() {
    let folder = shipped();
    let root = folder.path();
    let below = root.join("policies/documents/more");
    std::fs::create_dir(&below).unwrap();
    for (name, text) in FILES {
        let text = text.replace("../../policies/documents", "..");
        std::fs::write(below.join(name), text).unwrap();
    }
    let server = Launch::dev().start();
    let client = server.anyone();
    client.post("/v1/stores", &json!({"name": "saas", "alias": "saas"})).expect(201);
    let online = |more: &[&str]| {
        let address = format!("--server={}", server.url());
        authx(root, &[more, &[address.as_str()]].concat())
    };
    for store in ["documents", "saas"] {
        let path = format!("policies/{store}");
        assert_eq!(online(&["apply", &path]).0, 0);
        let text = |ending: &str| std::fs::read_to_string(root.join(format!("{path}/{store}.{ending}"))).unwrap();
        let entities: Value = serde_json::from_str(&text("cedarentities.json")).unwrap();
        let data = json!({"entities": {"upsert": entities}});
        client.post(&format!("/v1/stores/{store}/write"), &data).expect(200);
        assert_eq!(online(&["import", "--store", store, &format!("{path}/{store}.tuples")]).0, 0);
        for more in [&["--coverage"][..], &["--filter", "read"], &["--min-coverage", "100"]] {
            let asked = [&["test", &path, "-o", "json", "--allow-external-files"], more].concat();
            let (code, here, _) = authx(root, &asked);
            let (of_server, there, said) = online(&[&asked[..], &["--online"]].concat());
            let json = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
            let (here, there) = (json(&here), json(&there));
            assert!(here["files"][0].is_object() && there.is_object(), "{said}");
            assert_eq!(of_server, code, "{asked:?} {said}");
            assert!(there == here, "{asked:?} {said}");
        }
    }
    // Both at once, each on its store.
    let (code, told, said) = online(&["test", "policies/documents/documents_test.yaml", "policies/saas", "--online"]);
    assert_eq!(code, 0, "{told}{said}");
    // A draft is named.
    let draft = json!({"policies": [{"id": "all", "cedar": "permit (principal, action, resource);"}]});
    let draft = client.post("/v1/stores/saas/releases", &draft).expect(201)["id"].as_str().unwrap().to_owned();
    let text = "tests: [{cases: [{principal: 'User:x', action: read, resource: 'Project:x', expect: deny}]}]";
    std::fs::write(root.join("policies/saas/draft_test.yaml"), text).unwrap();
    for (release, expected) in [(None, 0), (Some(draft.as_str()), 4), (Some("none"), 1)] {
        let release: Vec<&str> = release.into_iter().flat_map(|id| ["--release", id]).collect();
        let asked = ["test", "policies/saas/draft_test.yaml", "--online"];
        let (code, told, said) = online(&[&asked[..], &release].concat());
        assert_eq!(code, expected, "{told}{said}");
    }
    // Models of their own are not a store's.
    std::fs::write(root.join("policies/saas/x.fga.yaml"), "tests: []").unwrap();
    let (code, _, said) = online(&["test", "policies/saas", "--online"]);
    assert!(code == 0 && said.contains("tests of models of their own run without a server"), "{said}");
    let (code, _, said) = online(&["test", "policies/saas/x.fga.yaml", "--online"]);
    assert!(code == 1 && said.contains("tests of models of their own run without a server"), "{said}");
    let (code, _, said) = online(&["test", "policies/saas", "--online", "--store", "none"]);
    assert!(code == 1 && said.contains("none"), "{said}");
}

#[test]
fn the_tests_of_the_shipped_stores_pass_and_catch_every_mutation() {
    let folder = shipped();
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
