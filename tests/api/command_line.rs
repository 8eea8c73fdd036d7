//! The command line gives the same answers from files as the server does.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::DEMO;
use crate::support::{Launch, Server, root};

pub(crate) fn authx(server: Option<&Server>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_authx"));
    command.args(arguments).current_dir(root());
    for name in ["AUTHX_SERVER", "AUTHX_STORE", "AUTHX_KEY"] {
        command.env_remove(name);
    }
    if let Some(server) = server {
        command.env("AUTHX_SERVER", server.url());
    }
    command.output().unwrap()
}

/// What must be the same wherever the answer comes from.
fn reasons(answer: &Value) -> Value {
    json!([
        answer["decision"],
        answer["determining_policies"],
        answer["policy_errors"],
        answer["advice"],
        answer["warnings"]
    ])
}

#[test]
fn files_and_server_decide_alike() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    for principal in ["User:alice", "User:ann", "User:bob", "User:cy", "User:stranger", "Role:admin"] {
        for action in ["read", "write", "share", "raed"] {
            for resource in ["Document:handbook", "Document:roadmap", "Document:salaries"] {
                for context in [json!({}), json!({"mfa": true, "ip": {"__extn": {"fn": "ip", "arg": "192.168.0.1"}}})] {
                    let body =
                        json!({"principal": principal, "action": action, "resource": resource, "context": context});
                    let online = client.post(&format!("{DEMO}/check"), &body).expect(200);
                    let output = authx(
                        None,
                        &[
                            "check",
                            principal,
                            action,
                            resource,
                            "--context",
                            &context.to_string(),
                            "--files",
                            "policies/documents",
                            "-o",
                            "json",
                        ],
                    );
                    let offline: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
                    assert_eq!(
                        reasons(&offline),
                        reasons(&online),
                        "{body} {}",
                        String::from_utf8_lossy(&output.stderr)
                    );
                    let decision = online["decision"].as_str().unwrap();
                    assert_eq!(output.status.code(), Some(if decision == "allow" { 0 } else { 2 }), "{body}");
                    *seen.entry(decision.to_owned()).or_default() += 1;
                }
            }
        }
    }
    // The matrix is of use only when it has both.
    assert!(seen.values().all(|count| *count >= 10) && seen.len() == 2, "{seen:?}");
}

#[test]
fn a_tuple_may_hold_for_one_question() {
    let server = Launch::dev().start();
    let ask = |tuples: &[&str], files: &[&str]| {
        let mut arguments = vec!["check", "User:bob", "read", "Document:roadmap", "-o", "json"];
        arguments.extend(tuples.iter().flat_map(|tuple| ["--tuple", tuple]));
        arguments.extend(files);
        let output = authx(Some(&server), &arguments);
        let reply: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), reply["determining_policies"].clone())
    };
    let group = ["document:roadmap#viewer@group:guests#member", "group:guests#member@user:bob"];
    for files in [&[][..], &["--files", "policies/documents"]] {
        assert_eq!(ask(&[], files), (Some(2), json!([])));
        assert_eq!(ask(&group, files), (Some(0), json!(["viewers-read"])));
        assert_eq!(ask(&group[1..], files).0, Some(2));
        assert_eq!(ask(&["document:roadmap#parent@user:bob"], files).0, Some(1));
        assert_eq!(ask(&["roadmap"], files).0, Some(64));
    }
}

#[test]
fn tuples_in_files_are_held_to_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let check = |tuples: &str, model: bool| {
        for (name, text) in [
            ("x.cedar", "permit(principal, action, resource) when { principal in resource.rel.viewer };"),
            (
                "x.cedarschema",
                "@rebac(\"user\") entity User; @rebac(\"doc\") entity Doc; action read appliesTo { principal: User, resource: Doc };",
            ),
            ("x.fga", "model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define viewer: [user]\n"),
            ("x.tuples", tuples),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        if !model {
            std::fs::remove_file(folder.path().join("x.fga")).unwrap();
            std::fs::remove_file(folder.path().join("x.cedarschema")).unwrap();
            std::fs::write(folder.path().join("x.cedar"), "permit(principal, action, resource);").unwrap();
        }
        let path = folder.path().display().to_string();
        let output = authx(None, &["check", "User:bob", "read", "Doc:a", "--files", &path]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).replace(&format!("{path}/"), ""))
    };
    assert_eq!(check("# none\n", true).0, Some(2));
    assert_eq!(check("doc:a#viewer@user:bob\ndoc:a#viewer@user:bob\n", true).0, Some(0));
    for (tuples, model, wanted) in [
        ("doc:a#viewer@user:bob\n\ndoc:a#owner@user:bob\n", true, ["x.tuples:3", "owner"]),
        ("# head\nbob\n", true, ["x.tuples:2", "`bob` is no tuple"]),
        ("doc:a#viewer@user:bob\n", false, ["x.tuples:1", "no relation model"]),
    ] {
        let (code, said) = check(tuples, model);
        assert!(code == Some(1) && wanted.iter().all(|part| said.contains(part)), "{tuples:?} {said}");
    }
}

#[test]
fn the_command_line_asks_a_server() {
    let server = Launch::dev().start();
    let ask = |arguments: &[&str]| {
        let output = authx(Some(&server), arguments);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, allow) = ask(&["check", "User:alice", "read", "Document:roadmap"]);
    assert!(code == Some(0) && allow.starts_with("allow") && allow.contains("by editors-edit"), "{allow}");
    let (code, deny) = ask(&["check", "User:bob", "read", "Document:roadmap"]);
    assert!(code == Some(2) && deny.starts_with("deny"), "{deny}");
    let (code, same) = ask(&["apply", "policies/documents"]);
    assert!(code == Some(0) && same.contains("nothing to change"), "{same}");
    assert_eq!(ask(&["validate", "policies/documents"]), (Some(0), "documents: valid · 12 policies\n".to_owned()));
    assert_eq!(ask(&["check"]).0, Some(64));
    let nowhere = authx(None, &["check", "User:a", "read", "Doc:b", "--server", "http://127.0.0.1:1", "--store", "x"]);
    assert_eq!(nowhere.status.code(), Some(5));
}
