//! A change of the relation model that breaks a policy is refused, with the place of both.

use serde_json::{Value, json};

use super::command_line::authx;
use crate::store;
use crate::support::{Client, Launch};

const SCHEMA: &str = "@rebac(\"user\") entity User;\n@rebac(\"doc\") entity Doc;\naction read appliesTo { principal: User, resource: Doc };\n";
const POLICIES: &str = "permit (principal, action, resource)\nwhen { principal in resource.rel.owner };\n@id(\"viewers\") permit (principal, action, resource)\nwhen { principal in resource.rel.viewer };\n";
const MODEL: &str = "model
  schema 1.1
type user
type doc
  relations
    define owner: [user]
    define viewer: [user]
";

/// The model without viewers, one line further down.
fn without_viewers() -> String {
    MODEL.replace("type user\n", "type user\ntype team\n").replace("    define viewer: [user]\n", "")
}

fn made(client: &Client) -> String {
    let path = store(client, "change", &json!({}));
    let policies = json!([{"file": "p.cedar", "cedar": POLICIES}]);
    let schema = json!({"cedar": SCHEMA, "file": "s.cedarschema"});
    client.post(&format!("{path}/apply"), &json!({"schema": schema, "model": MODEL, "policies": policies})).expect(200);
    path
}

const SAYS: &str = "the new model has no `doc#viewer`; the active one has it at line 7";

#[track_caller]
fn both_places(problem: &Value, of_model: &Value) {
    let place = json!([problem["code"], problem["policy"], problem["file"], problem["line"], problem["column"]]);
    assert_eq!(place, json!(["unknown_relation", "viewers", "p.cedar", 4, 21]), "{problem}");
    assert_eq!(&problem["related"], of_model, "{problem}");
}

#[test]
fn it_is_told_wherever_a_model_is_changed() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = made(&client);
    let before = client.get(&path).expect(200);
    let placed = json!([{"message": SAYS, "line": 5, "column": 6}]);
    let text = without_viewers();
    let json_model = json!({"schema_version": "1.1", "type_definitions": [{"type": "user"}, {"type": "doc",
        "relations": {"owner": {"this": {}}},
        "metadata": {"relations": {"owner": {"directly_related_user_types": [{"type": "user"}]}}}}]});
    for (method, rest, body, related) in [
        ("POST", "/apply", json!({"model": text}), placed.clone()),
        ("POST", "/apply?dry_run=true", json!({"model": text}), placed.clone()),
        ("POST", "/releases", json!({"model": text}), placed.clone()),
        ("PUT", "/model", json!({"dsl": text}), placed.clone()),
        // What came as JSON has no lines.
        ("PUT", "/model", json!({"json": json_model}), json!([{"message": SAYS}])),
    ] {
        let refused = client.json(method, &format!("{path}{rest}"), &body);
        refused.expect_problem(422, "invalid_release");
        both_places(&refused.value()["errors"][0], &related);
    }
    let report = client.post(&format!("{path}/validate"), &json!({"model": text})).expect(200);
    both_places(&report["problems"][0], &placed);

    let id = before["id"].as_str().unwrap();
    let refused = client.post(&format!("/stores/{id}/authorization-models"), &json_model);
    assert_eq!((refused.status, &refused.value()["code"]), (400, &json!("invalid_authorization_model")));
    let message = refused.value()["message"].as_str().unwrap().to_owned();
    for part in ["policy `viewers` (p.cedar:4:21): ", "relation `viewer`", SAYS] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(client.get(&path).expect(200)["revision"], before["revision"], "nothing was written");
    // Both together are one change.
    let policies = POLICIES.replace("viewer }", "owner }");
    let both = json!({"model": text, "policies": [{"file": "p.cedar", "cedar": policies}]});
    client.post(&format!("{path}/apply"), &both).expect(200);
}

#[test]
fn a_type_that_is_gone_is_told_at_the_schema() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = made(&client);
    let gone = "model\n  schema 1.1\ntype user\n";
    let refused = client.put(&format!("{path}/model"), &json!({"dsl": gone}));
    refused.expect_problem(422, "invalid_release");
    let problem = &refused.value()["errors"][0];
    let place = json!([problem["code"], problem["file"], problem["line"], problem["column"], problem["length"]]);
    assert_eq!(place, json!(["invalid_link", "s.cedarschema", 2, 8, 5]), "{problem}");
    let related = json!([{"message": "the new model has no type `doc`; the active one has it at line 4"}]);
    assert_eq!(problem["related"], related, "{problem}");
}

#[test]
fn the_command_line_shows_both_lines() {
    let server = Launch::dev().start();
    let client = server.anyone();
    made(&client);
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("p.cedar", POLICIES), ("p.cedarschema", SCHEMA), ("p.fga", without_viewers().as_str())] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let path = folder.path().display().to_string();
    let output = authx(Some(&server), &["apply", &path, "--store", "change"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    for part in ["p.cedar:4:21]", "when { principal in resource.rel.viewer };", SAYS, "p.fga:5:6]", "5 | type doc"] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

/// Members of groups are no longer users, but of a type that is not linked: neither a policy nor a link may name a group where a user asks.
#[test]
fn an_in_that_nothing_satisfies_is_refused() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let schema = format!("{SCHEMA}@rebac(\"group\") @members(\"member\") entity Group;\n");
    let model = |members: &str| format!("{MODEL}type robot\ntype group\n  relations\n    define member: [{members}]\n");
    let template = "@id(\"t\") permit (principal in ?principal, action, resource);\n";
    let forbid = "@id(\"f\") forbid (principal in Group::\"g\", action, resource);";
    for validation in ["strict", "off"] {
        let path = store(&client, validation, &json!({"validation": validation}));
        let apply = |model: String, policies: String| {
            let policies = json!([{"file": "p.cedar", "cedar": policies}]);
            let body = json!({"schema": {"cedar": schema}, "model": model, "policies": policies});
            client.post(&format!("{path}/apply"), &body)
        };
        apply(model("user"), format!("{template}{forbid}")).expect(200);
        let refused = client.post(&format!("{path}/apply"), &json!({"model": model("robot")}));
        refused.expect_problem(422, "invalid_release");
        let problem = &refused.value()["errors"][0];
        let told = json!([problem["code"], problem["file"], problem["line"], problem["related"][0]["line"]]);
        let wanted = json!(["unsatisfiable_in", "p.cedar", 2, 11]);
        assert_eq!(told, wanted, "{problem}");

        let put =
            |principal: &str| client.put(&format!("{path}/links/l"), &json!({"template": "t", "principal": principal}));
        put("Doc:d").expect_problem(422, "invalid_link");
        assert_eq!(put("Doc:d").value()["errors"][0]["code"], "unsatisfiable_in");
        put("Group:g").expect(200);
        apply(model("robot"), template.to_owned()).expect_problem(409, "template_has_links");
    }
}
