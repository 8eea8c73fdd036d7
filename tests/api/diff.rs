//! What differs, and the way back: told by the server and by the command line from files.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::command_line::authx;
use crate::store;
use crate::support::{Client, Launch, Server};

fn run(server: &Server, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = authx(Some(server), arguments);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn write(folder: &Path, files: &[(&str, String)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

const SCHEMA: &str = "entity User; entity Doc; action read appliesTo { principal: User, resource: Doc };\n";
const MODEL: &str = "model\n  schema 1.1\ntype user\n";

fn permit(id: &str, condition: &str) -> String {
    format!("@id(\"{id}\")\npermit (principal, action, resource) when {{ {condition} }};\n")
}

/// Releases that follow on each other, each as files: what differs in every way.
fn steps() -> Vec<[(&'static str, String); 3]> {
    let of = |policies: String, schema: String, model: String| {
        [("policies/shop/a.cedar", policies), ("schemas/shop.cedarschema", schema), ("schemas/shop.fga", model)]
    };
    let (a, b) = (permit("a", "1 == 1"), permit("b", "2 == 2"));
    let template = "@id(\"t\")\nforbid (principal == ?principal, action, resource);\n";
    vec![
        of(format!("{a}{b}"), SCHEMA.to_owned(), MODEL.to_owned()),
        of(format!("{a}// why\n{b}"), SCHEMA.to_owned(), MODEL.to_owned()),
        of(format!("{a}{}", permit("b", "2 == 3")), format!("// types\n{SCHEMA}"), MODEL.to_owned()),
        of(format!("{a}@advice(\"x\")\n{b}{template}"), SCHEMA.to_owned(), format!("# types\n{MODEL}")),
        of(
            format!("{b}{}", template.replace("==", "in")),
            format!("{SCHEMA}entity More;\n"),
            format!("{MODEL}type doc\n"),
        ),
    ]
}

const KINDS: [&str; 10] = [
    "schema_changed",
    "schema_changed_only_in_text",
    "model_changed",
    "model_changed_only_in_text",
    "added",
    "removed",
    "changed",
    "changed_only_in_text",
    "changed_annotations",
    "moved",
];

fn kinds(diff: &Value) -> Vec<Value> {
    KINDS.iter().map(|kind| diff[*kind].clone()).collect()
}

fn releases(client: &Client, server: &Server, folder: &Path) -> Vec<String> {
    store(client, "shop", &json!({}));
    let apply = |files: &[(&str, String)]| {
        write(folder, files);
        let (code, out, err) = run(server, &["apply", &folder.display().to_string(), "--store", "shop", "-o", "json"]);
        assert_eq!(code, Some(0), "{err}");
        serde_json::from_str::<Value>(&out).unwrap()["release"].as_str().unwrap().to_owned()
    };
    steps().iter().map(|files| apply(files)).collect()
}

#[test]
fn files_and_server_tell_the_same_difference() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let folder = tempfile::tempdir().unwrap();
    let made = releases(&client, &server, folder.path());
    let path = folder.path().display().to_string();
    let active = made.last().unwrap();
    let mut seen = std::collections::BTreeSet::<&str>::new();
    for (old_files, old) in steps().iter().zip(&made) {
        for (new_files, new) in steps().iter().zip(&made) {
            let told = client.get(&format!("/v1/stores/shop/releases/{new}/diff?against={old}")).expect(200);
            let diff = |sides: &[&str]| {
                let (code, out, err) = run(&server, &[&["diff", "--store", "shop", "-o", "json"], sides].concat());
                assert_eq!(code, Some(0), "{err}");
                kinds(&serde_json::from_str(&out).unwrap())
            };
            assert_eq!(diff(&[&format!("release:{old}"), &format!("release:{new}")]), kinds(&told));
            write(folder.path(), new_files);
            if old == active {
                let (_, out, err) = run(&server, &["apply", &path, "--store", "shop", "--dry-run", "-o", "json"]);
                let dry: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{err}"));
                assert_eq!((diff(&[&path]), kinds(&dry["diff"])), (kinds(&told), kinds(&told)));
                assert_eq!(diff(&["server", &path]), kinds(&told));
            }
            let older = tempfile::tempdir().unwrap();
            write(older.path(), old_files);
            assert_eq!(diff(&[&older.path().display().to_string(), &path]), kinds(&told));
            seen.extend(KINDS.iter().filter(|kind| told[**kind] != json!([]) && told[**kind] != json!(false)));
        }
    }
    // Nothing moves to another file here; every other kind was there.
    assert_eq!(seen.len(), KINDS.len() - 1, "{seen:?}");
}

#[test]
fn a_difference_is_told_with_its_lines() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let folder = tempfile::tempdir().unwrap();
    let made = releases(&client, &server, folder.path());
    let between = |from: usize, to: usize, more: &[&str]| {
        let sides = [format!("release:{}", made[from]), format!("release:{}", made[to])];
        run(&server, &[&["diff", "--store", "shop", &sides[0], &sides[1]], more].concat())
    };
    let (code, out, _) = between(0, 2, &[]);
    let expected = "~ schema (text only)\n    @@ -1 +1,2 @@\n    +// types\n     entity User; entity Doc; action read appliesTo { \
        principal: User, resource: Doc };\n~ permit b (meaning)   policies/shop/a.cedar\n    @@ -1,2 +1,2 @@\n     @id(\"b\")\n    \
        -permit (principal, action, resource) when { 2 == 2 };\n    +permit (principal, action, resource) when { 2 == 3 };\n";
    assert_eq!((code, out.as_str()), (Some(0), expected));
    for (from, to, expected) in [
        (0, 0, "no difference\n"),
        (0, 1, "~ permit b (text only)   policies/shop/a.cedar\n"),
        (
            1,
            3,
            "~ relation model (text only)\n+ forbid template t   policies/shop/a.cedar\n~ permit b (annotations)   policies/shop/a.cedar\n",
        ),
        (
            3,
            4,
            "~ schema (meaning)\n~ relation model (meaning)\n- permit a   policies/shop/a.cedar\n~ permit b (annotations)   policies/shop/a.cedar\n~ forbid template t (meaning)   policies/shop/a.cedar\n",
        ),
    ] {
        let (code, out, _) = between(from, to, &["--brief", "--exit-code"]);
        assert_eq!((code, out.as_str()), (Some(if from == to { 0 } else { 2 }), expected));
    }
    // A file that cannot be read ends it, and is shown as it is named here.
    fs::write(folder.path().join("policies/shop/a.cedar"), "permit (;").unwrap();
    let (code, _, err) = run(&server, &["diff", "--store", "shop", &folder.path().display().to_string()]);
    assert!(
        code == Some(3) && err.contains(&format!("{}:1:", folder.path().join("policies/shop/a.cedar").display())),
        "{err}"
    );
    assert_eq!(run(&server, &["diff", "a", "b", "c"]).0, Some(64));
    assert_eq!(run(&server, &["diff", "--store", "shop", "release:01JD0000000000000000000000"]).0, Some(1));
}

#[test]
fn a_rollback_goes_one_further_back_each_time() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let folder = tempfile::tempdir().unwrap();
    let made = releases(&client, &server, folder.path());
    let active = || client.get("/v1/stores/shop").expect(200)["release"].as_str().unwrap().to_owned();
    let rollback = |more: &[&str]| run(&server, &[&["rollback", "shop"], more].concat());
    let (code, out, _) = rollback(&["--dry-run"]);
    assert!(code == Some(0) && out.contains("+ a\n") && out.contains("would be active again"), "{out}");
    assert_eq!(active(), made[4]);
    let (code, out, _) = rollback(&[]);
    assert!(
        code == Some(0)
            && out.starts_with(
                "~ schema (meaning)\n~ relation model (meaning)\n+ a\n~ b (annotations)\n~ t (meaning)\nactive again"
            ),
        "{out}"
    );
    assert_eq!(active(), made[3]);
    rollback(&[]);
    assert_eq!(active(), made[2]);
    // A named one, forward: the way back is by what was active then.
    rollback(&["--to", &made[4]]);
    assert_eq!(active(), made[4]);
    rollback(&[]);
    assert_eq!(active(), made[2]);
    // What is applied now follows on what is active.
    write(folder.path(), &steps()[4]);
    assert_eq!(run(&server, &["apply", &folder.path().display().to_string(), "--store", "shop"]).0, Some(0));
    for expected in [2, 1, 0] {
        assert_eq!(rollback(&[]).0, Some(0));
        assert_eq!(active(), made[expected]);
    }
    let (code, _, err) = rollback(&[]);
    assert!(code == Some(1) && err.contains("no release was active before"), "{err}");
    assert_eq!(rollback(&["--to", "01JD0000000000000000000000"]).0, Some(1));
    assert_eq!(active(), made[0]);
}
