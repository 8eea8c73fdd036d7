//! Recorded decisions, made again as of their own time and told as tests.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use crate::store;
use crate::support::{Client, Launch};

const MODEL: &str = "model\n  schema 1.1\ntype user\ntype group\n  relations\n    define member: [user, group#member]\ntype folder\n  relations\n    define parent: [folder]\n    define viewer: [user, group#member] or viewer from parent\ntype document\n  relations\n    define parent: [folder]\n    define blocked: [user]\n    define owner: [user]\n    define viewer: ([user, user:*, group#member, user with late] or owner or viewer from parent) but not blocked\ncondition late(hour: int, begin: int) {\n  hour >= begin\n}\n";
const SCHEMA: &str = "@rebac(\"user\") entity User { level: Long, team?: Team };\nentity Team in [Team];\n@rebac(\"group\") @members(\"member\") entity Group;\n@rebac(\"folder\") @parents(\"parent\") entity Folder;\n@rebac(\"document\") @parents(\"parent\") entity Document { open?: Bool, secret: Long, lead?: User } tags String;\naction read, edit appliesTo { principal: User, resource: Document, context: { mfa?: Bool, hour?: Long } };";

/// Ten releases, one after the other, each with a policy of its own.
fn policies(release: u64) -> String {
    format!(
        r#"
@id("viewers") permit (principal, action == Action::"read", resource) when {{ principal in resource.rel.viewer }};
@id("admins-{release}") permit (principal in Group::"g{}", action, resource);
@id("filed") permit (principal, action == Action::"read", resource in Folder::"f0") when {{ resource has open && resource.open }};
@id("leads") permit (principal, action, resource) when {{ resource has lead && resource.lead == principal && principal.level > {} }};
@id("teams") permit (principal, action == Action::"edit", resource) when {{ principal has team && principal.team in Team::"all" && resource.hasTag("kind") }};
@id("shared") permit (principal == ?principal, action, resource == ?resource);
@id("secret") forbid (principal, action, resource) when {{ resource.secret > principal.level }};
@id("mfa") forbid (principal, action == Action::"edit", resource) unless {{ context has mfa && context.mfa }};
"#,
        release % 3,
        release % 4
    )
}

fn sources(release: u64) -> Value {
    json!({"schema": {"cedar": SCHEMA}, "model": MODEL, "policies": [{"file": "a.cedar", "cedar": policies(release)}]})
}

/// A generator of numbers that are the same in every run.
struct Rolls(u64);

impl Rolls {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    fn user(&mut self) -> Value {
        let uid = format!("User:u{}", self.below(8));
        let mut attrs = json!({"level": self.below(5)});
        if self.below(2) == 0 {
            attrs["team"] = json!({"type": "Team", "id": format!("t{}", self.below(3))});
        }
        json!({"uid": uid, "attrs": attrs})
    }

    fn document(&mut self) -> Value {
        let mut attrs = json!({"secret": self.below(4)});
        if self.below(2) == 0 {
            attrs["open"] = json!(self.below(2) == 0);
        }
        if self.below(2) == 0 {
            attrs["lead"] = json!({"type": "User", "id": format!("u{}", self.below(8))});
        }
        let tags = if self.below(2) == 0 { json!({"kind": "x"}) } else { json!({}) };
        json!({"uid": format!("Document:d{}", self.below(6)), "attrs": attrs, "tags": tags})
    }

    fn tuple(&mut self) -> Value {
        let (user, group, other) = (self.below(8), self.below(4), self.below(4));
        let (folder, document) = (self.below(3), self.below(6));
        match self.below(10) {
            0 => json!(format!("group:g{group}#member@user:u{user}")),
            1 => json!(format!("group:g{group}#member@group:g{}#member", (group + 1 + other % 3) % 4)),
            2 => json!(format!("folder:f{}#parent@folder:f{}", other % 2 + 1, other % 2)),
            3 => json!(format!("folder:f{folder}#viewer@group:g{group}#member")),
            4 => json!(format!("document:d{document}#parent@folder:f{folder}")),
            5 => json!(format!("document:d{document}#blocked@user:u{user}")),
            6 => json!(format!("document:d{document}#owner@user:u{user}")),
            7 => json!(format!("document:d{document}#viewer@user:*")),
            8 => {
                let condition = json!({"name": "late", "context": {"begin": (user * 5 + document * 3) % 24}});
                let (object, subject) = (format!("document:d{document}"), format!("user:u{user}"));
                json!({"object": object, "relation": "viewer", "subject": subject, "condition": condition})
            }
            _ => json!(format!("document:d{document}#viewer@group:g{group}#member")),
        }
    }

    fn write(&mut self, client: &Client, path: &str) {
        let kind = *self.one(&["write", "write", "delete"]);
        let mut tuple = self.tuple();
        if kind == "delete" {
            tuple.as_object_mut().map(|parts| parts.remove("condition"));
        }
        let upsert = if self.below(2) == 0 { self.user() } else { self.document() };
        let teams = json!({"uid": format!("Team:t{}", self.below(3)), "parents": if self.below(2) == 0 { json!(["Team:all"]) } else { json!([]) }});
        let tuples = json!({kind: [tuple], "on_existing": "ignore", "on_missing": "ignore"});
        let reply =
            client.post(&format!("{path}/write"), &json!({"tuples": tuples, "entities": {"upsert": [upsert, teams]}}));
        // A cycle of folders is no hierarchy that a decision could be made on; it is written all the same.
        reply.expect(200);
        if self.below(4) == 0 {
            let link = json!({"template": "shared", "principal": format!("User:u{}", self.below(8)), "resource": format!("Document:d{}", self.below(6))});
            client.json("PUT", &format!("{path}/links/l{}", self.below(4)), &link).expect(200);
        }
    }

    fn question(&mut self) -> Value {
        let mut context = json!({});
        if self.below(2) == 0 {
            context["mfa"] = json!(self.below(3) > 0);
        }
        if self.below(2) == 0 {
            context["hour"] = json!(self.below(24));
        }
        json!({"principal": format!("User:u{}", self.below(9)), "action": self.one(&["read", "edit"]), "resource": format!("Document:d{}", self.below(7)), "context": context})
    }
}

/// Decisions, then as many writes, and releases among them: `AUTHX_DECISIONS` of them (1,000 is what a release is judged
/// by; a run of all tests has fewer).
#[test]
fn past_decisions_are_explained_as_of_their_time_and_told_as_tests() {
    let count: usize = std::env::var_os("AUTHX_DECISIONS").and_then(|text| text.to_str()?.parse().ok()).unwrap_or(80);
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = store(&client, "past", &json!({}));
    let mut rolls = Rolls(11);
    client.post(&format!("{path}/apply"), &sources(0)).expect(200);
    for _ in 0..60 {
        rolls.write(&client, &path);
    }
    let mut recorded = Vec::new();
    for at in 0..count {
        if at % 5 == 0 {
            rolls.write(&client, &path);
        }
        let told = client.post(&format!("{path}/check"), &rolls.question());
        if told.status == 200 {
            recorded.push(told.value());
        }
    }
    for at in 0..count {
        rolls.write(&client, &path);
        if at % (count / 10).max(1) == 0 {
            client.post(&format!("{path}/apply"), &sources(1 + (at / (count / 10).max(1)) as u64)).expect(200);
        }
    }
    let (mut allowed, mut determined, mut longest) = (0, 0, 0);
    for told in &recorded {
        let id = told["decision_id"].as_str().unwrap();
        let again = client.get(&format!("/v1/decisions/{id}/explain?as_test=true")).expect(200);
        assert_eq!(again["agrees"], json!(true), "{told}\n{again}");
        for part in ["decision", "determining_policies", "policy_errors", "revision", "release"] {
            assert_eq!(again[part], told[part], "{part} of {told}\n{again}");
        }
        let test = again["test"].as_str().unwrap();
        let run = |release: &Value| {
            let body = json!({"suites": [{"file": "past_test.yaml", "text": test}], "release": release});
            client.post(&format!("{path}/tests/run"), &body).expect(200)
        };
        let ran = run(&told["release"]);
        assert_eq!(ran["passed"], json!(true), "{told}\n{test}\n{ran}");
        longest = longest.max(test.lines().count());
        allowed += usize::from(told["decision"] == "allow");
    }
    // Without a policy that determined it, the test fails.
    let mut drafts: BTreeMap<String, Value> = BTreeMap::new();
    for told in recorded.iter().filter(|told| told["determining_policies"] != json!([])) {
        let id = told["decision_id"].as_str().unwrap();
        let test = client.get(&format!("/v1/decisions/{id}/explain?as_test=true")).expect(200)["test"].clone();
        let determining = told["determining_policies"][0].as_str().unwrap();
        // A link goes with its template.
        let removed = if determining.len() == 2 { "shared" } else { determining };
        let draft = drafts.entry(removed.to_owned()).or_insert_with(|| {
            let all = policies(0);
            let left: Vec<&str> = all.lines().filter(|line| !line.contains(&format!("@id(\"{removed}\")"))).collect();
            assert!(left.len() < all.lines().count(), "{removed}");
            let body = json!({"schema": {"cedar": SCHEMA}, "model": MODEL, "policies": [{"file": "a.cedar", "cedar": left.join("\n")}]});
            client.post(&format!("{path}/releases"), &body).expect(201)["id"].clone()
        });
        let body = json!({"suites": [{"file": "past_test.yaml", "text": test}], "release": draft});
        let ran = client.post(&format!("{path}/tests/run"), &body).expect(200);
        assert_eq!(ran["passed"], json!(false), "{removed}\n{test}");
        determined += 1;
    }
    println!(
        "{} decisions, {allowed} allowed; {determined} without their policy; the longest test has {longest} lines",
        recorded.len()
    );
    assert!(allowed * 10 > recorded.len() && allowed < recorded.len(), "{allowed} of {}", recorded.len());
    // The command prints the test, and runs what it printed.
    let id = recorded[0]["decision_id"].as_str().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_authx"))
        .args(["why", id, "--as-test", "--server", &server.url()])
        .output()
        .unwrap();
    let expected = client.get(&format!("/v1/decisions/{id}/explain?as_test=true")).expect(200)["test"].clone();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected.as_str().unwrap());
}
