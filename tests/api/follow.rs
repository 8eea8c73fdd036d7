//! `serve --policies DIR`: stores that follow files.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, Launch};

const POLICY: &str = "@id(\"read\") permit (principal, action == Action::\"read\", resource);\n";

fn decided(client: &Client) -> Value {
    let question = json!({"principal": "User:a", "action": "read", "resource": "Note:b"});
    client.post("/v1/stores/notes/check", &question).expect(200)["decision"].clone()
}

/// Waits until the server says so, or answers so.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn stores_follow_files_and_what_is_invalid_leaves_the_last_good_release() {
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("policies/notes");
    std::fs::create_dir_all(&notes).unwrap();
    let file = notes.join("notes.cedar");
    std::fs::write(&file, POLICY).unwrap();
    let server = Launch::dev().arg("--policies").arg(folder.path().to_str().unwrap()).start();
    let client = server.anyone();
    // What is there at start is applied before anybody is answered.
    assert_eq!(decided(&client), "allow");
    let releases = || client.get("/v1/stores/notes/releases").expect(200)["releases"].as_array().unwrap().len();
    assert_eq!(releases(), 1);
    until("the first report", || server.log().contains("notes: applied · release"));
    std::fs::write(&file, POLICY.replace("permit", "forbid")).unwrap();
    until("the change", || decided(&client) == "deny");
    std::fs::write(&file, POLICY.replace(");", ")")).unwrap();
    until("the report", || server.log().contains("notes: invalid; the release of before stays active"));
    assert!(server.log().contains("notes.cedar:1"), "{}", server.log());
    assert_eq!((decided(&client), releases()), (json!("deny"), 2));
    // Files are named as `apply` names them.
    let policies = client.get("/v1/stores/notes/policies").expect(200);
    assert_eq!(policies["policies"][0]["file"], "policies/notes/notes.cedar", "{policies}");
    // A file that is put in the place of the old one, as editors do, in a new store besides.
    let more = folder.path().join("policies/more");
    std::fs::create_dir_all(&more).unwrap();
    std::fs::write(more.join("more.cedar"), POLICY).unwrap();
    std::fs::write(notes.join("new"), POLICY).unwrap();
    std::fs::rename(notes.join("new"), &file).unwrap();
    until("the file in its place", || decided(&client) == "allow");
    until("the other store", || client.get("/v1/stores/more").status == 200);
    // Two kinds of layout at once are refused, and nothing changes.
    std::fs::write(folder.path().join("policies/lost.cedar"), POLICY).unwrap();
    until("the refusal", || server.log().contains("the releases of before stay active"));
    assert_eq!(decided(&client), "allow");
}

#[test]
fn without_dev_files_go_to_the_default_tenant() {
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes");
    std::fs::create_dir_all(&notes).unwrap();
    std::fs::write(notes.join("a.cedar"), POLICY).unwrap();
    let server = Launch::normal().arg("--policies").arg(notes.to_str().unwrap()).start();
    assert_eq!(decided(&server.admin()), "allow");
}
