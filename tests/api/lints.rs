//! Lints: the same findings of files and of the server, at the levels that were asked for.

use serde_json::{Value, json};

use crate::command_line::authx;
use crate::support::Launch;
use crate::{DEMO, store};

const POLICIES: &str =
    "permit (principal, action, resource);\n@id(\"b\") permit (principal, action, resource) when { 1 == 2 };\n";

fn codes(problems: &Value) -> Vec<(String, String)> {
    let text = |problem: &Value, key: &str| problem[key].as_str().unwrap_or_default().to_owned();
    problems.as_array().unwrap().iter().map(|problem| (text(problem, "code"), text(problem, "severity"))).collect()
}

fn warnings(names: &[&str]) -> Vec<(String, String)> {
    names.iter().map(|name| ((*name).to_owned(), "warning".to_owned())).collect()
}

#[test]
fn the_shipped_stores_have_no_findings() {
    let output = authx(None, &["validate", "--deny-warnings"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn validating_and_applying_tell_findings() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = store(&client, "linted", &json!({}));
    let body = json!({"policies": [{"file": "p.cedar", "cedar": POLICIES}]});
    let report = client.post(&format!("{store}/validate"), &body).expect(200);
    let found = ["missing_id", "permit_all", "always_false"];
    assert_eq!((&report["valid"], codes(&report["problems"])), (&json!(true), warnings(&found)), "{report}");
    let applied = client.post(&format!("{store}/apply"), &body).expect(200);
    assert_eq!(codes(&applied["problems"]).into_iter().map(|(code, _)| code).collect::<Vec<_>>(), found);

    // A policy that is put alone is looked at alone.
    let put = client.put(&format!("{store}/policies/c"), &json!({"cedar": "permit (principal, action, resource);"}));
    assert_eq!(codes(&put.expect(200)["problems"])[0].0, "permit_all");

    // Levels, and names that are none.
    let levels = |lints: Value| {
        let mut body = body.clone();
        body["lints"] = lints;
        client.post(&format!("{store}/validate"), &body)
    };
    let report = levels(json!({"missing_id": "off", "permit_all": "deny"})).expect(200);
    let errors = [("permit_all".to_owned(), "error".to_owned()), ("always_false".to_owned(), "warning".to_owned())];
    assert_eq!((&report["valid"], codes(&report["problems"])), (&json!(false), errors.to_vec()), "{report}");
    let refused = levels(json!({"always_fasle": "off"}));
    refused.expect_problem(400, "invalid_input");
    assert!(refused.text().contains("did you mean `always_false`?"), "{}", refused.text());
    levels(json!({"always_false": "loud"})).expect_problem(400, "malformed_request");
}

#[test]
fn the_command_line_has_levels() {
    let server = Launch::dev().start();
    store(&server.anyone(), "linted", &json!({}));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("linted");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("p.cedar"), POLICIES).unwrap();
    let path = path.to_str().unwrap();
    for online in [&[][..], &["--online", "--store", "linted"]] {
        let run = |more: &[&str]| {
            let arguments = [&["validate", path, "-o", "json"], online, more].concat();
            let output = authx(Some(&server), &arguments);
            let results: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            (output.status.code(), results)
        };
        let (code, results) = run(&[]);
        let found = ["missing_id", "permit_all", "always_false"];
        assert_eq!((code, codes(&results[0]["problems"])), (Some(0), warnings(&found)), "{results}");
        let off = ["--lint", "missing_id=off", "--lint", "permit_all=off,confusable=off"];
        assert_eq!(codes(&run(&off).1[0]["problems"]), warnings(&["always_false"]));
        assert_eq!(run(&["--lint", "always_false=deny"]).0, Some(3));
        assert_eq!(run(&["--deny-warnings"]).0, Some(3));
        assert_eq!(run(&["--lint", "always_fasle=deny"]).0, Some(64));
        assert_eq!(run(&["--lint", "always_false"]).0, Some(64));
    }
}

#[test]
fn the_demo_store_is_applied_without_findings() {
    let server = Launch::dev().start();
    let report = server.anyone().post(&format!("{DEMO}/validate"), &json!({})).expect(200);
    assert_eq!(report, json!({"valid": true, "problems": []}));
}
