//! Tuples from the shell: one granted or revoked, files imported.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::command_line::authx;
use crate::relations::{allowed, modelled, question, texts};
use crate::support::{Client, Server};

/// Runs a command on the store `relations`: its code, what it printed, and what it told.
fn run(server: &Server, arguments: &[&str]) -> (Option<i32>, String, String) {
    told(&authx(Some(server), &[arguments, &["--store", "relations"]].concat()))
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn stored(client: &Client, path: &str) -> Vec<String> {
    let mut all = texts(&client.post(&format!("{path}/tuples/read"), &json!({"page_size": 1000})).expect(200));
    all.sort();
    all
}

#[test]
fn a_tuple_is_granted_and_revoked() {
    let (server, client, path) = modelled();
    let ann = question("user:ann", "viewer", "document:plan");
    let revision = client.get(&path).expect(200)["revision"].as_u64().unwrap();
    let cases: [(&[&str], &str, u64, bool); 4] = [
        (&["grant"], "written", 1, true),
        (&["grant"], "already there", 2, true),
        (&["revoke"], "deleted", 3, false),
        (&["revoke"], "was not there", 4, false),
    ];
    for (command, word, more, allows) in cases {
        let line = [command, &["user:ann", "viewer", "document:plan"]].concat();
        let wanted = (Some(0), format!("{word} · revision {}\n", revision + more), String::new());
        assert_eq!(run(&server, &line), wanted);
        assert_eq!(allowed(&client, &path, &ann), allows);
    }
    let limited = ["grant", "user:ann", "viewer", "document:plan", "--condition", "in_office"];
    let context =
        [limited.as_slice(), &["--context", r#"{"range":"10.0.0.0/8"}"#, "--for", "30d", "-o", "json"]].concat();
    let (code, out, _) = run(&server, &context);
    let reply: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &reply["tuples_written"]), (Some(0), &json!(1)));
    let page = client.post(&format!("{path}/tuples/read"), &json!({})).expect(200);
    let tuple = &page["tuples"][0];
    assert_eq!(tuple["condition"], json!({"name": "in_office", "context": {"range": "10.0.0.0/8"}}));
    assert!(tuple["expires_at"].is_string(), "{tuple}");
    // As it is stored it has a condition: without one it would grant more.
    let (code, _, told) = run(&server, &["grant", "user:ann", "viewer", "document:plan"]);
    assert!(code == Some(1) && told.contains("another condition") && told.contains("revoke it first"), "{told}");
    let (code, _, told) = run(&server, &["grant", "user:ann", "wearer", "document:plan"]);
    assert!(code == Some(1) && told.contains("wearer"), "{told}");
    for wrong in [
        vec!["grant", "ann", "viewer", "document:plan"],
        vec!["grant", "user:ann", "a b", "document:plan"],
        vec!["revoke", "user:ann", "viewer", "plan"],
        vec!["grant", "user:ann", "viewer", "document:plan", "--for", "soon"],
        vec!["grant", "user:ann", "viewer", "document:plan", "--expires-at", "soon"],
        vec!["grant", "user:ann", "viewer", "document:plan", "--context", "{}"],
        vec!["grant", "user:ann", "viewer", "document:plan", "--condition", "in_office", "--context", "[]"],
    ] {
        assert_eq!(run(&server, &wrong).0, Some(64), "{wrong:?}");
    }
    let (code, out, _) = run(&server, &["revoke", "user:ann", "viewer", "document:plan", "-o", "yaml"]);
    assert!(code == Some(0) && out.contains("tuples_deleted: 1"), "{out}");
}

/// The same five tuples in every format.
const FORMATS: [(&str, &str); 5] = [
    (
        "a.tuples",
        "# people\ndocument:a#owner@user:ann\ndocument:a#viewer@group:eng#member\n\ndocument:a#viewer@user:*\ngroup:eng#member@user:bob\nfolder:f#viewer@user:ann\n",
    ),
    (
        "a.csv",
        "user_type,user_id,user_relation,relation,object_type,object_id,condition_name,condition_context\nuser,ann,,owner,document,a,,\ngroup,eng,member,viewer,document,a,,\nuser,*,,viewer,document,a,,\nuser,bob,,member,group,eng,,\nuser,ann,,viewer,folder,f,,\n",
    ),
    (
        "a.json",
        r#"["document:a#owner@user:ann", {"user":"group:eng#member","relation":"viewer","object":"document:a"}, "document:a#viewer@user:*",
            {"subject":"user:bob","relation":"member","object":"group:eng"}, "folder:f#viewer@user:ann"]"#,
    ),
    (
        "a.yaml",
        "- document:a#owner@user:ann\n- document:a#viewer@group:eng#member\n- {user: 'user:*', relation: viewer, object: document:a}\n- group:eng#member@user:bob\n- folder:f#viewer@user:ann\n",
    ),
    (
        "a.ndjson",
        "\"document:a#owner@user:ann\"\n\"document:a#viewer@group:eng#member\"\n{\"user\":\"user:*\",\"relation\":\"viewer\",\"object\":\"document:a\"}\n\"group:eng#member@user:bob\"\n\"folder:f#viewer@user:ann\"\n",
    ),
];

fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn every_format_gives_the_same_tuples() {
    let (server, client, path) = modelled();
    let folder = tempfile::tempdir().unwrap();
    let wanted = [
        "document:a#owner@user:ann",
        "document:a#viewer@group:eng#member",
        "document:a#viewer@user:*",
        "folder:f#viewer@user:ann",
        "group:eng#member@user:bob",
    ];
    for (name, text) in FORMATS {
        let from = file(folder.path(), name, text);
        let (code, out, told) = run(&server, &["import", &from]);
        assert!(code == Some(0) && out.starts_with("imported 5 tuples in "), "{name} {out} {told}");
        assert_eq!(stored(&client, &path), wanted, "{name}");
        let (code, out, _) = run(&server, &["import", &from, "-o", "json"]);
        let again: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &again["imported"], &again["existing"]), (Some(0), &json!(5), &json!(5)), "{name}");
        let (code, _, told) = run(&server, &["import", &from, "--on-existing", "error"]);
        assert!(code == Some(1) && told.contains(&format!("{name}:")) && told.contains("is there already"), "{told}");
        for tuple in wanted {
            client.post(&format!("{path}/write"), &json!({"tuples": {"delete": [tuple]}})).expect(200);
        }
    }
    let files = FORMATS.map(|(name, _)| folder.path().join(name).display().to_string());
    let all: Vec<&str> = std::iter::once("import").chain(files.iter().map(String::as_str)).collect();
    let (code, out, _) = run(&server, &all);
    assert!(code == Some(0) && out.starts_with("imported 25 tuples (20 were there) in "), "{out}");
    assert_eq!(stored(&client, &path), wanted);
}

#[test]
fn wrong_rows_are_told_or_skipped() {
    let (server, client, path) = modelled();
    let folder = tempfile::tempdir().unwrap();
    let text =
        "document:a#owner@user:ann\nnonsense\ndocument:b#owner@user:ann\ndocument:a#owner@user:ann\nalso nonsense\n";
    let from = file(folder.path(), "a.tuples", text);
    let (code, _, told) = run(&server, &["import", &from]);
    assert_eq!(code, Some(1));
    for part in [
        "a.tuples:2: `nonsense` is no tuple",
        "a.tuples:5: ",
        "stopped · 0 tuples in · go on with: authx import ",
        "--from-row 1\n",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(stored(&client, &path), [""; 0]);
    let (code, out, _) = run(&server, &["import", &from, "--skip-invalid"]);
    assert!(code == Some(0) && out.starts_with("imported 3 tuples (1 was there), skipped 2 rows in "), "{out}");
    let (code, out, _) = run(&server, &["import", &from, "--from-row", "6"]);
    assert!(code == Some(0) && out.starts_with("imported 0 tuples in "), "{out}");

    // What only the server can know: types and relations of the model, and what is stored.
    let expiring =
        r#"{"object":"document:b","relation":"owner","subject":"user:ann","expires_at":"2090-01-01T00:00:00Z"}"#;
    let rows =
        ["\"document:c#owner@user:ann\"", "\"ghost:c#owner@user:ann\"", expiring, "\"document:d#owner@user:ann\""];
    let from = file(folder.path(), "b.ndjson", &rows.join("\n"));
    let (code, _, told) = run(&server, &["import", &from]);
    assert!(code == Some(1) && told.contains("b.ndjson:2: ") && told.contains("ghost"), "{told}");
    let (code, out, told) = run(&server, &["import", &from, "--skip-invalid"]);
    assert!(code == Some(0) && out.starts_with("imported 2 tuples, skipped 2 rows in "), "{out} {told}");
    let (code, _, told) = run(&server, &["import", &file(folder.path(), "c.ndjson", expiring)]);
    assert!(code == Some(1) && told.contains("c.ndjson:1: the tuple is there already with another"), "{told}");
    let twice =
        file(folder.path(), "d.ndjson", &format!("\"document:e#owner@user:ann\"\n{}", expiring.replace(":b", ":e")));
    let (code, _, told) = run(&server, &["import", &twice]);
    assert!(code == Some(1) && told.contains("d.ndjson:2: `document:e#owner@user:ann` is in row 1 too with"), "{told}");

    let (code, _, told) = run(&server, &["import", &folder.path().join("none.csv").display().to_string()]);
    assert!(code == Some(1) && told.contains("none.csv: "), "{told}");
    let nowhere = authx(None, &["import", &from, "--server", "http://127.0.0.1:1", "--store", "x"]);
    assert_eq!(nowhere.status.code(), Some(5));
}

fn many(range: std::ops::Range<usize>) -> String {
    range.fold(String::new(), |mut text, n| {
        writeln!(text, "document:d{n}#owner@user:u{}", n % 97).unwrap();
        text
    })
}

#[test]
fn an_import_that_is_stopped_goes_on_where_it_was() {
    let (server, client, path) = modelled();
    let mut import = Command::new(env!("CARGO_BIN_EXE_authx"))
        .args(["import", "-", "--store", "relations", "--server", &server.url()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = import.stdin.take().unwrap();
    input.write_all(many(0..25_000).as_bytes()).unwrap();
    input.flush().unwrap();
    // Two chunks are full; the rest waits for more input, which does not come.
    let last = question(&format!("user:u{}", 19_999 % 97), "owner", "document:d19999");
    let begun = Instant::now();
    while !(allowed(&client, &path, &last) && allowed(&client, &path, &question("user:u0", "owner", "document:d0"))) {
        assert!(begun.elapsed() < Duration::from_mins(1), "the chunks do not arrive");
        std::thread::sleep(Duration::from_millis(10));
    }
    let told_to_end = Command::new("kill").args(["-INT", &import.id().to_string()]).status().unwrap();
    assert!(told_to_end.success());
    let (code, _, told) = told(&import.wait_with_output().unwrap());
    assert_eq!(
        (code, told.as_str()),
        (Some(1), "stopped · 20,000 tuples in · go on with: authx import - --from-row 20001\n")
    );
    drop(input);

    let folder = tempfile::tempdir().unwrap();
    let whole = file(folder.path(), "whole.tuples", &many(0..25_000));
    let (code, out, _) = run(&server, &["import", &whole, "--from-row", "20001"]);
    assert!(code == Some(0) && out.starts_with("imported 5,000 tuples in "), "{out}");
    let (code, out, _) = run(&server, &["import", &whole]);
    assert!(code == Some(0) && out.starts_with("imported 25,000 tuples (25,000 were there) in "), "{out}");
}
