//! The changes of tuples, waited for and streamed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::relations::{MODEL, modelled, texts, write};
use crate::store;
use crate::support::{Client, Launch, Server};

/// Long enough for any machine: a test that waits so long hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// A stream of changes that is read event by event.
struct Stream {
    lines: BufReader<TcpStream>,
    status: String,
}

/// One event: its name, id and data.
#[derive(Debug)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

impl Stream {
    fn open(server: &Server, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut connection = TcpStream::connect(server.address()).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\naccept: text/event-stream\r\n", server.address());
        connection.write_all(format!("{head}{}\r\n", headers.concat()).as_bytes()).unwrap();
        let mut stream = Self { lines: BufReader::new(connection), status: String::new() };
        stream.status = stream.line().unwrap();
        while !stream.line().unwrap().is_empty() {}
        stream
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).unwrap();
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event; none when the stream has ended. The sizes of chunks between the lines are passed over.
    fn next(&mut self) -> Option<Event> {
        let (mut name, mut id) = (String::new(), String::new());
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some(("event", text)) => text.clone_into(&mut name),
                Some(("id", text)) => text.clone_into(&mut id),
                Some(("data", text)) => return Some(Event { name, id, data: serde_json::from_str(text).unwrap() }),
                _ if line == "0" => return None,
                _ => {}
            }
        }
    }
}

fn tuple(n: usize) -> String {
    format!("document:d{n}#owner@user:ann")
}

fn token(page: &Value) -> String {
    page["next_page_token"].as_str().unwrap().to_owned()
}

#[test]
fn a_wait_ends_with_a_change_or_with_a_place_to_go_on_from() {
    let (_server, client, path) = modelled();
    let empty = client.get(&format!("{path}/changes?wait=1")).expect(200);
    assert_eq!(empty["changes"], json!([]));
    let asked = format!("{path}/changes?wait=25&page_token={}", token(&empty));
    let waiting = {
        let (client, asked) = (client.clone(), asked.clone());
        std::thread::spawn(move || client.get(&asked).expect(200))
    };
    // Whether the wait has begun or not, the answer is the same. What is no change of a tuple does not end it.
    std::thread::sleep(Duration::from_millis(200));
    client.post(&format!("{path}/write"), &json!({"entities": {"upsert": [{"uid": "User:new"}]}})).expect(200);
    let written = write(&client, &path, &json!([tuple(1)]));
    let page = waiting.join().unwrap();
    assert_eq!((texts(&page), &page["changes"][0]["revision"]), (vec![tuple(1)], &written["revision"]));
    assert!(page["revision"].as_u64() >= written["revision"].as_u64());
    // What is there is told at once.
    assert_eq!(texts(&client.get(&asked).expect(200)), [tuple(1)]);
    for (query, code) in [
        ("wait=61", "malformed_request"),
        ("wait=-1", "malformed_request"),
        ("wait=1&page_token=AAAA", "invalid_page_token"),
    ] {
        client.get(&format!("{path}/changes?{query}")).expect_problem(400, code);
    }
    let elsewhere = store(&client, "elsewhere", &json!({}));
    client
        .get(&format!("{elsewhere}/changes?wait=1&page_token={}", token(&page)))
        .expect_problem(400, "invalid_page_token");
}

#[test]
fn a_filter_waits_for_what_it_lets_through() {
    let (_server, client, path) = modelled();
    let waiting = {
        let (client, asked) = (client.clone(), format!("{path}/changes?wait=25&object_type=folder"));
        std::thread::spawn(move || client.get(&asked).expect(200))
    };
    std::thread::sleep(Duration::from_millis(200));
    write(&client, &path, &json!([tuple(1)]));
    write(&client, &path, &json!(["folder:f#viewer@user:ann"]));
    assert_eq!(texts(&waiting.join().unwrap()), ["folder:f#viewer@user:ann"]);
}

#[test]
fn who_follows_loses_and_doubles_nothing() {
    const WRITES: usize = 1_000;
    let (server, client, path) = modelled();
    let wanted: Vec<String> = (0..WRITES).map(tuple).collect();
    let polled = {
        let (client, path) = (client.clone(), path.clone());
        std::thread::spawn(move || {
            let (mut seen, mut after) = (Vec::new(), String::new());
            while seen.len() < WRITES {
                let page = client.get(&format!("{path}/changes?wait=10&page_size=7{after}")).expect(200);
                seen.extend(texts(&page));
                after = format!("&page_token={}", token(&page));
            }
            seen
        })
    };
    let writing = {
        let (client, path) = (client.clone(), path.clone());
        std::thread::spawn(move || (0..WRITES).for_each(|n| drop(write(&client, &path, &json!([tuple(n)])))))
    };
    // The stream is cut again and again, and goes on behind the last event that was seen.
    let (mut streamed, mut last) = (Vec::new(), String::new());
    while streamed.len() < WRITES {
        let resumed = [("last-event-id", last.as_str())];
        let headers: &[_] = if last.is_empty() { &[] } else { &resumed };
        let mut stream = Stream::open(&server, &format!("{path}/changes"), headers);
        for _ in 0..37.min(WRITES - streamed.len()) {
            let event = stream.next().unwrap();
            assert_eq!(event.name, "change");
            streamed.extend(texts(&json!({"changes": [event.data]})));
            last = event.id;
        }
    }
    writing.join().unwrap();
    assert_eq!(streamed, wanted);
    assert_eq!(polled.join().unwrap(), wanted);
    // An event's id is a page token, and the other way round.
    write(&client, &path, &json!([tuple(WRITES)]));
    let page = client.get(&format!("{path}/changes?page_token={last}")).expect(200);
    assert_eq!(texts(&page), [tuple(WRITES)]);
    let mut from = Stream::open(&server, &format!("{path}/changes?page_token={last}"), &[]);
    assert_eq!(from.next().unwrap().id, token(&page));
    let foreign = Stream::open(&server, &format!("{path}/changes"), &[("last-event-id", "AAAA")]);
    assert!(foreign.status.contains(" 400 "), "{}", foreign.status);
}

/// A server with these lines of configuration, and a store with the model.
fn configured(folder: &std::path::Path, lines: &str) -> (Server, Client, String) {
    let config = folder.join("authx.toml");
    std::fs::write(&config, lines).unwrap();
    let server = Launch::dev().arg("--config").arg(config).start();
    let client = server.anyone();
    let path = store(&client, "relations", &json!({}));
    client.post(&format!("{path}/apply"), &json!({"model": MODEL})).expect(200);
    (server, client, path)
}

#[test]
fn followers_end_when_the_server_does() {
    let folder = tempfile::tempdir().unwrap();
    // Were they waited for, the server would not end before the test's patience does.
    let lines = "[server]\nrequest_timeout_seconds = 600\nshutdown_timeout_seconds = 600\n";
    let (mut server, client, path) = configured(folder.path(), lines);
    let mut stream = Stream::open(&server, &format!("{path}/changes"), &[]);
    write(&client, &path, &json!([tuple(1)]));
    assert_eq!(texts(&json!({"changes": [stream.next().unwrap().data]})), [tuple(1)]);
    let asked = format!("{path}/changes?wait=60&object_type=folder");
    let waiting = std::thread::spawn(move || client.get(&asked));
    std::thread::sleep(Duration::from_millis(300));
    let ended = server.terminate(Duration::from_secs(40));
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    assert!(stream.next().is_none());
    assert_eq!(waiting.join().unwrap().expect(200)["changes"], json!([]));
}

#[test]
fn only_so_many_follow() {
    let folder = tempfile::tempdir().unwrap();
    let (server, client, path) = configured(folder.path(), "[limits]\nfollowers = 1\n");
    let asked = format!("{path}/changes");
    let streams = client.header("accept", "text/event-stream");
    let mut first = Stream::open(&server, &asked, &[]);
    let refused = streams.get(&asked);
    refused.expect_problem(429, "too_many_followers");
    assert!(refused.header("retry-after").is_some());
    client.get(&format!("{asked}?wait=1")).expect_problem(429, "too_many_followers");
    client.get(&asked).expect(200);
    write(&client, &path, &json!([tuple(0)]));
    assert_eq!(first.next().unwrap().name, "change");
    drop(first);
    // That the reader is gone shows when something is sent to it.
    let begun = Instant::now();
    for n in 1.. {
        write(&client, &path, &json!([tuple(n)]));
        if Stream::open(&server, &asked, &[]).status.contains(" 200 ") {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the place is not given back");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_wait_ends_when_its_client_goes_away() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "[server]\nrequest_timeout_seconds = 600\n[limits]\nfollowers = 1\n";
    let (server, client, path) = configured(folder.path(), lines);
    let head = format!("GET {path}/changes?wait=60 HTTP/1.1\r\nhost: {}\r\n\r\n", server.address());
    let begun = Instant::now();
    let ask = || client.get(&format!("{path}/changes?wait=1")).status;
    let waits = || {
        let mut gone = TcpStream::connect(server.address()).unwrap();
        gone.write_all(head.as_bytes()).unwrap();
        gone
    };
    let mut waiting = waits();
    while ask() != 429 {
        assert!(begun.elapsed() < PATIENCE, "the wait does not begin");
        waiting = waits();
    }
    drop(waiting);
    // It would wait for a minute; that it ends sooner shows in its place.
    while ask() != 200 {
        assert!(begun.elapsed() < Duration::from_secs(45), "the place is not given back");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_key_or_a_store_that_ends_takes_its_streams_with_it() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let path = store(&admin, "relations", &json!({}));
    admin.post(&format!("{path}/apply"), &json!({"model": MODEL})).expect(200);
    let made = admin.post("/v1/keys", &json!({"name": "k", "scopes": ["read"]})).expect(201);
    let bearer = format!("Bearer {}", made["secret"].as_str().unwrap());
    let mut stream = Stream::open(&server, &format!("{path}/changes"), &[("authorization", &bearer)]);
    write(&admin, &path, &json!([tuple(1)]));
    assert_eq!(stream.next().unwrap().name, "change");
    admin.delete(&format!("/v1/keys/{}", made["id"].as_str().unwrap())).expect(204);
    write(&admin, &path, &json!([tuple(2)]));
    let last = stream.next().unwrap();
    assert_eq!((last.name.as_str(), &last.data["code"]), ("error", &json!("unauthenticated")));
    assert!(stream.next().is_none());

    let key = format!("Bearer {}", server.keys()["admin_key"].as_str().unwrap());
    let asked = format!("{path}/changes?since=2090-01-01T00:00:00Z");
    let mut stream = Stream::open(&server, &asked, &[("authorization", &key)]);
    assert!(stream.status.contains(" 200 "), "{}", stream.status);
    admin.delete(&path).expect(204);
    let last = stream.next().unwrap();
    assert_eq!((last.name.as_str(), &last.data["code"]), ("error", &json!("not_found")));
    // So is a wait.
    let path = store(&admin, "others", &json!({}));
    let waiting = {
        let (admin, asked) = (admin.clone(), format!("{path}/changes?wait=25"));
        std::thread::spawn(move || admin.get(&asked))
    };
    std::thread::sleep(Duration::from_millis(200));
    admin.delete(&path).expect(204);
    waiting.join().unwrap().expect_problem(404, "not_found");
    let refused = Stream::open(&server, &format!("{path}/changes"), &[]);
    assert!(refused.status.contains(" 401 "), "{}", refused.status);
}
