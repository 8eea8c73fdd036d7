//! Changes of tuples that are kept no more.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::relations::{MODEL, texts, write};
use crate::store;
use crate::support::{Client, Launch, Reply, Server};

const TRIMMED: &str = "authx-trimmed-through";
/// Long enough for any machine: a test that waits so long hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server on a directory that keeps the past for so long.
fn server(folder: &Path, days: u32) -> (Server, Client) {
    let config = folder.join("authx.toml");
    std::fs::write(&config, format!("[storage]\nhistory_days = {days}\ndeleted_pause_seconds = 1\n")).unwrap();
    let server = Launch::dev().arg("--config").arg(config).start_in(&folder.join("data"));
    let client = server.anyone();
    (server, client)
}

/// Answers of both APIs to the same questions.
struct Feeds<'a> {
    client: &'a Client,
    native: String,
    openfga: String,
}

impl<'a> Feeds<'a> {
    fn of(client: &'a Client, store: &str, id: &str) -> Self {
        Self { client, native: store.to_owned(), openfga: format!("/stores/{id}") }
    }

    fn native(&self, query: &str) -> Reply {
        self.client.get(&format!("{}/changes?{query}", self.native))
    }

    fn openfga(&self, query: &str) -> Reply {
        self.client.get(&format!("{}/changes?{query}", self.openfga))
    }

    /// Tokens of the native API, and of OpenFGA's, behind the first page of a question.
    fn tokens(&self, query: &str, size: u32) -> [String; 2] {
        let query = format!("page_size={size}&{query}");
        let native = self.native(&query.replace("type=", "object_type=")).expect(200)["next_page_token"].clone();
        let openfga = self.openfga(&query).expect(200)["continuation_token"].clone();
        [native, openfga].map(|token| token.as_str().unwrap().to_owned())
    }
}

#[test]
fn changes_are_kept_as_long_as_history() {
    let folder = tempfile::tempdir().unwrap();
    let (first, client) = server(folder.path(), 30);
    let path = store(&client, "trimmed", &json!({}));
    client.post(&format!("{path}/apply"), &json!({"model": MODEL})).expect(200);
    let id = client.get(&path).expect(200)["id"].as_str().unwrap().to_owned();
    let before = Feeds::of(&client, &path, &id);
    let empty = before.tokens("", 100)[0].clone();
    write(&client, &path, &json!(["folder:f#viewer@user:ann"]));
    for n in 0..5 {
        write(&client, &path, &json!([format!("document:d{n}#owner@user:ann")]));
    }
    client.post(&format!("{path}/write"), &json!({"tuples": {"delete": ["document:d0#owner@user:ann"]}})).expect(200);
    let (early, last) = (before.tokens("", 3), before.tokens("", 100));
    let folders = before.tokens("type=folder", 100);
    let head = client.get(&path).expect(200)["revision"].as_u64().unwrap();
    assert_eq!(before.native("").header(TRIMMED), None);
    drop(first);

    // A server that keeps nothing takes all of it away.
    let (second, client) = server(folder.path(), 0);
    let during = Feeds::of(&client, &path, &id);
    let since = Instant::now();
    while during.native("").expect(200)["changes"] != json!([]) {
        assert!(since.elapsed() < PATIENCE, "the changes stay");
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(second);

    let (_third, client) = server(folder.path(), 30);
    let after = Feeds::of(&client, &path, &id);
    // Who has missed something is told so, by every way of asking.
    for token in [&empty, &early[0]] {
        after.native(&format!("page_token={token}")).expect_problem(410, "page_token_expired");
        after.native(&format!("wait=5&page_token={token}")).expect_problem(410, "page_token_expired");
        let stream = client.header("accept", "text/event-stream").header("last-event-id", token);
        stream.get(&format!("{path}/changes")).expect_problem(410, "page_token_expired");
    }
    let refused = after.openfga(&format!("continuation_token={}", early[1]));
    assert_eq!(refused.outcome(), (400, "invalid_continuation_token".to_owned()), "{}", refused.text());
    // Who has read all there was has missed nothing, and so has who wants one type and has read that.
    for (native, openfga) in [
        (format!("page_token={}", last[0]), format!("continuation_token={}", last[1])),
        (
            format!("object_type=folder&page_token={}", folders[0]),
            format!("type=folder&continuation_token={}", folders[1]),
        ),
    ] {
        for reply in [after.native(&native), after.openfga(&openfga)] {
            assert_eq!(reply.expect(200)["changes"], json!([]));
            assert_eq!(reply.header(TRIMMED), None);
        }
    }
    // Who begins, begins at what is kept, and is told what is missing.
    let begin = after.native("");
    assert_eq!(begin.expect(200)["changes"], json!([]));
    for (query, through) in [("", Some(head)), ("type=folder", Some(2)), ("type=group", None)] {
        let native = after.native(&query.replace("type=", "object_type="));
        for reply in [native, after.openfga(query)] {
            let told = reply.header(TRIMMED).map(|revision| revision.parse::<u64>().unwrap());
            assert_eq!((reply.status, told), (200, through), "{query}");
        }
    }
    assert_eq!(after.native("since=2090-01-01T00:00:00Z").header(TRIMMED), None);
    assert_eq!(after.openfga("start_time=2090-01-01T00:00:00Z").header(TRIMMED), None);

    // And goes on from there.
    let token = begin.value()["next_page_token"].as_str().unwrap().to_owned();
    write(&client, &path, &json!(["document:new#owner@user:ann"]));
    for query in [format!("page_token={token}"), format!("page_token={}", last[0]), String::new()] {
        assert_eq!(texts(&after.native(&query).expect(200)), ["document:new#owner@user:ann"], "{query}");
    }
    let page = after.openfga("").expect(200);
    assert_eq!(page["changes"].as_array().unwrap().len(), 1);
    // What is there is there: the changes were of the past alone.
    let tuples = client.post(&format!("{path}/tuples/read"), &json!({})).expect(200);
    assert_eq!(tuples["tuples"].as_array().unwrap().len(), 6);
    let then = |revision: u64| client.post(&format!("{path}/tuples/read"), &json!({"at_revision": revision}));
    then(head - 1).expect_problem(410, "revision_expired");
    let then: Value = then(head).expect(200);
    assert_eq!(then["tuples"].as_array().unwrap().len(), 5);
}
