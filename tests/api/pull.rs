//! Releases as files and back: what is pulled is taken back by `apply` without a change, whatever the release has.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command_line::authx;
use crate::store;
use crate::support::{Client, Launch, Server};

/// The exit code and what was told, in JSON where it was asked for.
fn run(server: &Server, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let output = authx(Some(server), arguments);
    let stdout = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), stdout, said)
}

/// Pulls into a new folder.
fn pulled(server: &Server, store: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, said) = run(server, &["pull", store, &shown(&folder)]);
    assert_eq!(code, Some(0), "{said}");
    folder
}

fn shown(folder: &TempDir) -> String {
    folder.path().display().to_string()
}

/// Applies a folder; whether that made a release, and which is active.
fn applied(server: &Server, folder: &TempDir, store: &str) -> (Value, Value) {
    let (code, reply, said) = run(server, &["apply", &shown(folder), "--store", store, "-o", "json"]);
    assert_eq!(code, Some(0), "{said}");
    (reply["changed"].clone(), reply["release"].clone())
}

fn files_below(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            let below = files_below(&entry.path());
            files.extend(below.into_iter().map(|file| format!("{}/{file}", entry.file_name().display())));
        } else {
            files.push(entry.file_name().display().to_string());
        }
    }
    files.sort();
    files
}

#[test]
fn shipped_stores_come_back_as_they_were() {
    let server = Launch::dev().start();
    let client = server.anyone();
    store(&client, "saas", &json!({}));
    for name in ["saas", "documents"] {
        let source = crate::support::root().join("policies").join(name);
        let applied_first = run(&server, &["apply", &source.display().to_string(), "--store", name]);
        assert_eq!(applied_first.0, Some(0), "{}", applied_first.2);
        let active = client.get(&format!("/v1/stores/{name}")).expect(200)["release"].clone();
        let folder = pulled(&server, name);
        assert_eq!(applied(&server, &folder, name), (json!(false), active.clone()), "{name}");
        for file in files_below(folder.path()) {
            let own = fs::read(crate::support::root().join(&file)).unwrap();
            assert!(own == fs::read(folder.path().join(&file)).unwrap(), "{file}");
        }
        let (code, again, _) = run(&server, &["pull", name, &shown(&folder), "-o", "json"]);
        let changes: Vec<_> = again["files"].as_array().unwrap().iter().map(|file| &file["change"]).collect();
        assert!(code == Some(0) && changes.iter().all(|change| **change == "none"), "{again}");
        // Whatever folder it is called from and by what path, the release is the same.
        let store_folder = folder.path().join("policies").join(name).display().to_string();
        let (code, reply, said) = run(&server, &["apply", &store_folder, "-o", "json", "--store", name]);
        assert_eq!((code, &reply["changed"]), (Some(0), &json!(false)), "{said}");
    }
}

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// A policy's text, with an id of its own or without.
fn policy(dice: &mut Dice, number: usize) -> String {
    let id = match dice.below(3) {
        0 => format!("@id(\"p{number}\")"),
        1 => format!("@advice(\"; // é \\\" {number}\") @id(\"Äid\")").replace("Äid", &format!("q.{number}")),
        _ => String::new(),
    };
    let head = dice.one(&[
        "permit(principal, action, resource)",
        "forbid (\n  principal,\n  action,\n  resource\n)",
        "permit(principal == ?principal, action, resource in ?resource)",
        "permit // why\n (principal is User, action == Action::\"read\", resource)",
    ]);
    format!("{id}\n{head} when {{ context.n == {number} && principal.name != \"zoë; // {number}\" }};")
}

/// What lies between two policies, and what the last one may end with.
fn between(dice: &mut Dice, last: bool) -> &'static str {
    let between = ["\n", "", " ", " // beside; it\n", "\n\n\n// of the next\n", "\n// a\n\n// b ü\n", "\r\n", "\t\n  "];
    let ends = ["", "\n", "\n// the end", "\n\n// the\n// end\n\n", " // beside", "\r\n\r\n"];
    if last { dice.one(&ends) } else { dice.one(&between) }
}

fn file(dice: &mut Dice, from: usize) -> String {
    let count = 1 + dice.below(4);
    let mut text = dice.one(&["", "// head\n\n", "\n\n", "// head ; é\r\n"]).to_owned();
    for number in from..from + count {
        text.push_str(&policy(dice, number));
        text.push_str(between(dice, number + 1 == from + count));
    }
    if dice.below(4) == 0 { text.replace('\n', "\r\n").replace("\r\r\n", "\r\n") } else { text }
}

const SCHEMA: &str = "// types\nentity User { name: String };\nentity Doc;\naction read appliesTo { principal: User, resource: Doc, context: { n: Long } };";
const MODEL: &str =
    "# head\nmodel\n  schema 1.1\n\ntype user\n# docs\ntype doc\n  relations\n    define viewer:   [user]";

/// A release of any shape.
fn release(dice: &mut Dice) -> Value {
    let names = ["a.cedar", "B.cedar", "x/y/c.cedar", "über/d.cedar", "policies/s/e.cedar", "/srv/policies/s/f.cedar"];
    let mut policies = Vec::new();
    let count = 1 + dice.below(5);
    for (at, name) in names.iter().enumerate().take(count) {
        let (from, kind) = (at * 10, dice.below(6));
        policies.push(match kind {
            0 => json!({"cedar": file(dice, from)}),
            1 => json!({"id": format!("{}{at}", dice.one(&["Named", ".hidden-", "con.", "a_"])), "cedar": format!("// é\n{}", policy(dice, from))}),
            2 => json!({"id": format!("f{at}"), "file": "filed.cedar", "cedar": policy(dice, from)}),
            3 => json!({"id": format!("j{at}"), "json": {
                "effect": "permit", "principal": {"op": "All"}, "action": {"op": "All"}, "resource": {"op": "All"},
                "conditions": [{"kind": "when", "body": {"==": {"left": {"Value": at}, "right": {"Value": 1}}}}],
            }}),
            _ => json!({"file": name, "cedar": file(dice, from)}),
        });
    }
    let mut body = json!({"policies": policies});
    match dice.below(4) {
        0 => body["schema"] = json!({"cedar": SCHEMA, "file": dice.one(&["schemas/any.cedarschema", "x.cedarschema"])}),
        1 => body["schema"] = json!({"cedar": SCHEMA}),
        2 => body["schema"] = json!({"json": {"": {"entityTypes": {"User": {}, "Doc": {}}, "actions": {}}}}),
        _ => {}
    }
    if dice.below(3) == 0 {
        body["model"] = json!(MODEL);
    }
    body
}

/// Ids and texts of the policies, schema and model.
fn content(client: &Client, path: &str) -> Value {
    let listed = client.get(&format!("{path}/policies?page_size=1000")).expect(200);
    let policies: Vec<Value> =
        listed["policies"].as_array().unwrap().iter().map(|policy| json!([policy["id"], policy["cedar"]])).collect();
    let of = |part: &str, keys: &[&str]| {
        let reply = client.get(&format!("{path}/{part}")).value();
        keys.iter().map(|key| reply[*key].clone()).collect::<Vec<_>>()
    };
    json!({"policies": policies, "schema": of("schema", &["cedar", "json"]), "model": of("model", &["dsl"])})
}

#[test]
fn any_release_comes_back_as_it_was() {
    const RELEASES: usize = 200;
    let server = Launch::dev().start();
    let client = server.anyone();
    let mut policies = 0;
    for number in 0..RELEASES {
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(number as u64 + 1));
        let name = format!("random-{number}");
        let path = store(&client, &name, &json!({"validation": "off"}));
        let body = release(&mut dice);
        client.post(&format!("{path}/apply"), &body).expect(200);
        // Changes of single policies leave files with gaps, and policies that no file has.
        let ids = content(&client, &path)["policies"].clone();
        if dice.below(3) == 0 && ids.as_array().unwrap().len() > 1 {
            client.delete(&format!("{path}/policies/{}", ids[0][0].as_str().unwrap())).expect(204);
        }
        if dice.below(3) == 0 {
            client.put(&format!("{path}/policies/put"), &json!({"cedar": policy(&mut dice, 90)})).expect(200);
        }
        if dice.below(5) == 0 {
            let model = json!({"schema_version": "1.1", "type_definitions": [{"type": "user"}]});
            client.put(&format!("{path}/model"), &json!({"json": model})).expect(200);
        }
        let active = client.get(&path).expect(200)["release"].clone();
        let before = content(&client, &path);
        policies += before["policies"].as_array().unwrap().len();
        let folder = pulled(&server, &name);
        assert_eq!(applied(&server, &folder, &name), (json!(false), active), "{number}: {body:#}");
        // The files hold all of it: a store that never had it has the same from them.
        let copy = format!("copy-{number}");
        let other = store(&client, &copy, &json!({"validation": "off"}));
        assert_eq!(applied(&server, &folder, &copy).0, json!(true));
        assert_eq!(content(&client, &other), before, "{number}: {body:#}");
    }
    println!("{RELEASES} releases of {policies} policies came back");
}

#[test]
fn nothing_is_overwritten_unasked() {
    let server = Launch::dev().start();
    let folder = pulled(&server, "documents");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("policies/documents/roles.cedar"), "permit (principal, action, resource);").unwrap();
    fs::write(at("policies/documents/own.cedar"), "permit (principal, action, resource);").unwrap();
    fs::remove_file(at("schemas/documents.fga")).unwrap();
    fs::write(at("policies/documents/x_test.yaml"), "mine").unwrap();
    let path = shown(&folder);
    let (code, _, said) = run(&server, &["pull", "documents", &path]);
    assert!(
        code == Some(1) && said.contains("roles.cedar` differs") && said.contains("own.cedar` is not in the release"),
        "{said}"
    );
    assert!(!at("schemas/documents.fga").exists(), "something was written");
    let (code, _, said) = run(&server, &["pull", "documents", &path, "--force", "--dry-run"]);
    let expected =
        "- policies/documents/own.cedar\n~ policies/documents/roles.cedar\n+ schemas/documents.fga\nwould be written";
    assert!(code == Some(0) && said.starts_with(expected), "{said}");
    assert!(!at("schemas/documents.fga").exists() && at("policies/documents/own.cedar").exists());
    assert_eq!(run(&server, &["pull", "documents", &path, "--force"]).0, Some(0));
    assert_eq!(applied(&server, &folder, "documents").0, json!(false));
    assert_eq!(fs::read_to_string(at("policies/documents/x_test.yaml")).unwrap(), "mine");
    assert_eq!(run(&server, &["pull", "nothing", &path]).0, Some(1));
}

#[test]
fn a_hostile_store_writes_nowhere_else() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = store(&client, "hostile", &json!({}));
    let outside = tempfile::tempdir().unwrap();
    let escape = format!("{}/escaped.cedar", shown(&outside));
    let names = ["../../../escaped.cedar", &escape, "policies/x/../../../y", "a\u{0}b", "CON", ".git/config", "A", "a"];
    let policies: Vec<Value> = names
        .iter()
        .enumerate()
        .map(|(n, name)| json!({"file": name, "cedar": format!("@id(\"p{n}\") permit (principal, action, resource);")}))
        .collect();
    client.post(&format!("{path}/apply"), &json!({"policies": policies})).expect(200);
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("a/b/c");
    let (code, _, said) = run(&server, &["pull", "hostile", &inner.display().to_string()]);
    assert!(code == Some(0) && said.contains("which is a safe name"), "{said}");
    assert!(files_below(outside.path()).is_empty());
    let files = files_below(folder.path());
    assert!(
        files.len() == names.len() && files.iter().all(|file| file.starts_with("a/b/c/policies/hostile/")),
        "{files:?}"
    );
    let (code, reply, said) =
        run(&server, &["apply", &inner.display().to_string(), "--store", "hostile", "--dry-run", "-o", "json"]);
    let diff = &reply["diff"];
    assert_eq!((code, &diff["added"], &diff["removed"]), (Some(0), &json!([]), &json!([])), "{said}");
    assert_eq!(diff["changed"], diff["moved"], "{diff}");
}
