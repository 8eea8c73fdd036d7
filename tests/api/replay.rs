//! Recorded decisions made again on another release: what flips is what a check on that release says.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use crate::store;
use crate::support::{Client, Launch};

const MODEL: &str = "model\n  schema 1.1\ntype user\ntype document\n  relations\n    define viewer: [user]\n    define editor: [user]\n";
const SCHEMA: &str = "@rebac(\"user\") entity User { level?: Long }; @rebac(\"document\") entity Document { open?: Bool };\naction read, edit appliesTo { principal: User, resource: Document, context: { mfa?: Bool } };";
const BEFORE: &str = r#"
@id("viewers") permit (principal, action == Action::"read", resource) when { principal in resource.rel.viewer };
@id("editors") permit (principal, action, resource) when { principal in resource.rel.editor };
@id("open") permit (principal, action == Action::"read", resource) when { resource has open && resource.open };
"#;
const AFTER: &str = r#"
@id("viewers") permit (principal, action == Action::"read", resource) when { principal in resource.rel.viewer };
@id("editors-all") permit (principal, action, resource) when { principal in resource.rel.editor };
@id("open") permit (principal, action == Action::"read", resource) when { resource has open && resource.open && principal has level && principal.level > 2 };
@id("high") permit (principal, action == Action::"edit", resource) when { principal has level && principal.level > 3 };
@id("mfa") forbid (principal, action == Action::"edit", resource) unless { context has mfa && context.mfa };
"#;

fn sources(policies: &str) -> Value {
    json!({"schema": {"cedar": SCHEMA}, "model": MODEL, "policies": [{"file": "a.cedar", "cedar": policies}]})
}

/// A generator of numbers that are the same in every run.
struct Rolls(u64);

impl Rolls {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Decisions between changes of data.
fn record(client: &Client, path: &str, decisions: usize) -> Vec<(Value, u64, Value)> {
    let mut rolls = Rolls(7);
    let mut asked = Vec::new();
    for at in 0..decisions {
        let (user, document) = (rolls.below(6), rolls.below(5));
        if at % 7 == 0 {
            let tuple = format!("document:d{document}#{}@user:u{user}", ["viewer", "editor"][usize::from(at % 2 == 0)]);
            let kind = ["write", "delete"][usize::try_from(rolls.below(3) / 2).unwrap()];
            let user = json!({"uid": format!("User:u{user}"), "attrs": {"level": rolls.below(6)}});
            let document = json!({"uid": format!("Document:d{document}"), "attrs": {"open": rolls.below(2) == 0}});
            let tuples = json!({kind: [tuple], "on_existing": "ignore", "on_missing": "ignore"});
            let body = json!({"tuples": tuples, "entities": {"upsert": [user, document]}});
            client.post(&format!("{path}/write"), &body).expect(200);
        }
        let context = [json!({}), json!({"mfa": true})][usize::try_from(rolls.below(2)).unwrap()].clone();
        let action = ["read", "edit"][usize::try_from(rolls.below(2)).unwrap()];
        let question = json!({"principal": format!("User:u{user}"), "action": action, "resource": format!("Document:d{document}"), "context": context});
        let told = client.post(&format!("{path}/check"), &question).expect(200);
        asked.push((question, told["revision"].as_u64().unwrap(), told));
    }
    asked
}

#[test]
fn what_flips_is_what_checks_on_the_release_say() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = store(&client, "replayed", &json!({}));
    client.post(&format!("{path}/apply"), &sources(BEFORE)).expect(200);
    let asked = record(&client, &path, 300);
    let replay = |body: &Value| client.post(&format!("{path}/replay"), body).expect(200);
    let then = replay(&json!({"sources": sources(AFTER)}));
    let now = replay(&json!({"sources": sources(AFTER), "data": "now"}));
    let same = replay(&json!({"sources": sources(BEFORE)}));
    assert_eq!((&same["replayed"], &same["flips"]), (&json!(300), &json!({"to_allow": 0, "to_deny": 0})));
    assert_eq!((&same["other_reasons"], &same["examples"]), (&json!(0), &json!([])));
    // Nothing that was replayed is recorded, and no release was made.
    assert_eq!(client.get(&format!("{path}/releases")).expect(200)["releases"].as_array().unwrap().len(), 1);
    let draft = client.post(&format!("{path}/releases"), &sources(AFTER)).expect(201)["id"].clone();
    for (report, past) in [(&then, true), (&now, false)] {
        let (mut flips, mut reasons) = (BTreeMap::new(), 0);
        for (question, revision, told) in &asked {
            let mut question = question.clone();
            question["release"] = draft.clone();
            if past {
                question["consistency"] = json!({"mode": "at_revision", "revision": revision});
            }
            let again = client.post(&format!("{path}/check"), &question).expect(200);
            let by = |told: &Value| told["determining_policies"].clone();
            if again["decision"] != told["decision"] {
                flips.insert(
                    told["decision_id"].as_str().unwrap().to_owned(),
                    (told["decision"].clone(), by(told), by(&again)),
                );
            } else if by(&again) != by(told) {
                reasons += 1;
            }
        }
        let to_deny = flips.values().filter(|(was, ..)| was == "allow").count();
        assert!(to_deny > 5 && flips.len() > to_deny + 5, "{} of {}", to_deny, flips.len());
        let expected = json!({"to_allow": flips.len() - to_deny, "to_deny": to_deny});
        assert_eq!((&report["flips"], &report["replayed"]), (&expected, &json!(300)));
        assert_eq!(report["other_reasons"], json!(reasons));
        assert_eq!(report["examples"].as_array().unwrap().len(), flips.len().min(100));
        for example in report["examples"].as_array().unwrap() {
            let (was, was_by, is_by) = &flips[example["decision_id"].as_str().unwrap()];
            assert_eq!((&example["was"], &example["was_by"], &example["is_by"]), (was, was_by, is_by), "{example}");
        }
        let sum = |list: &Value| -> u64 {
            let changes = list.as_array().unwrap().iter();
            changes.map(|one| one["to_allow"].as_u64().unwrap() + one["to_deny"].as_u64().unwrap()).sum()
        };
        assert_eq!(sum(&report["principals"]), flips.len() as u64);
        assert_eq!(sum(&report["actions"]), flips.len() as u64);
        let mfa = report["policies"].as_array().unwrap().iter().find(|one| one["name"] == "mfa").unwrap();
        let by_mfa = flips.values().filter(|(.., is_by)| is_by == &json!(["mfa"])).count();
        assert_eq!(mfa["to_deny"], json!(by_mfa));
    }
}

#[test]
fn a_replay_is_of_some_decisions_and_tells_its_progress() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = store(&client, "replayed", &json!({}));
    client.post(&format!("{path}/apply"), &sources(BEFORE)).expect(200);
    record(&client, &path, 30);
    let other = store(&client, "other", &json!({}));
    client
        .post(&format!("{other}/check"), &json!({"principal": "User:u1", "action": "read", "resource": "Document:d"}))
        .expect(200);
    let release = client.get(&format!("{path}/releases")).expect(200)["releases"][0]["id"].clone();
    let replay = |body: &Value| client.post(&format!("{path}/replay"), body);
    let some = replay(&json!({"release": release, "limit": 10})).expect(200);
    assert_eq!((&some["replayed"], &some["more"]), (&json!(10), &json!(true)));
    let all = replay(&json!({"release": release, "limit": 30})).expect(200);
    assert_eq!((&all["replayed"], &all["more"]), (&json!(30), &json!(false)));
    assert_eq!(replay(&json!({"release": release, "to": "2020-01-01T00:00:00Z"})).expect(200)["replayed"], json!(0));
    let accept = [("accept", "application/x-ndjson"), ("content-type", "application/json")];
    let body = json!({"release": release}).to_string();
    let lines = client.send("POST", &format!("{path}/replay"), &accept, body.as_bytes());
    let lines: Vec<Value> = lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.first().unwrap()["progress"]["records"], json!(30));
    assert_eq!(lines.last().unwrap()["end"]["replayed"], json!(30));
    replay(&json!({})).expect_problem(400, "malformed_request");
    replay(&json!({"release": release, "sources": {}})).expect_problem(400, "malformed_request");
    replay(&json!({"release": release, "limit": 0})).expect_problem(400, "malformed_request");
    replay(&json!({"release": release, "from": "yesterday"})).expect_problem(400, "malformed_request");
    replay(&json!({"release": "01JD0000000000000000000000"})).expect_problem(404, "not_found");
    replay(&json!({"sources": {"policies": [{"cedar": "permit (principal"}]}})).expect_problem(422, "invalid_release");
}

#[test]
fn the_command_shows_what_flips() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = store(&client, "replayed", &json!({}));
    client.post(&format!("{path}/apply"), &sources(BEFORE)).expect(200);
    client.post(&format!("{path}/write"), &json!({"tuples": {"write": ["document:d#editor@user:u"]}})).expect(200);
    let question = json!({"principal": "User:u", "action": "edit", "resource": "Document:d"});
    let id = client.post(&format!("{path}/check"), &question).expect(200)["decision_id"].as_str().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("a.cedar", AFTER), ("s.cedarschema", SCHEMA), ("m.fga", MODEL)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let authx = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_authx"))
            .args(["replay", "--server", &server.url(), "--store", "replayed", "--against"])
            .arg(folder.path())
            .args(arguments)
            .output()
            .unwrap();
        let texts = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (output.status.code().unwrap(), texts.concat())
    };
    let expected = format!(
        "1 decision made again, 1 flip: 1 to deny, 0 to allow\n\nby policy\n  editors  1 to deny, 0 to allow\n  mfa  1 to deny, 0 to allow\n\nby principal\n  User::\"u\"  1 to deny, 0 to allow\n\nby action\n  Action::\"edit\"  1 to deny, 0 to allow\n\nthe newest\n  {id} User::\"u\" Action::\"edit\" Document::\"d\": allow by editors, now deny by mfa\n"
    );
    assert_eq!(authx(&[]), (0, expected));
    assert_eq!(authx(&["--fail-on-flips"]).0, 4);
    std::fs::write(folder.path().join("a.cedar"), "permit (principal, action, resource)").unwrap();
    let (code, told) = authx(&[]);
    assert!(code == 3 && told.contains("a.cedar:1"), "{code} {told}");
}
