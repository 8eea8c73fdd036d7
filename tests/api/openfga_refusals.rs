//! OpenFGA's API refuses: what a key may not, what takes too long, and what would be too large.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Launch};

const MODEL: &str = "model
  schema 1.1
type user
type doc
  relations
    define viewer: [user]
";

/// A store with the model, and its path in OpenFGA's API.
fn store(client: &Client) -> String {
    let made = client.post("/stores", &json!({"name": "a store"})).expect(201);
    let path = format!("/stores/{}", made["id"].as_str().unwrap());
    client.post(&format!("/v1{path}/apply"), &json!({"model": MODEL})).expect(200);
    path
}

#[test]
fn a_key_without_the_scope_is_forbidden() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let path = store(&admin);
    let key = json!({"user": "user:ann", "relation": "viewer", "object": "doc:1"});
    let check = json!({"tuple_key": key});
    let write = json!({"writes": {"tuple_keys": [key]}});
    for (scope, rest, body) in [("check", "write", &write), ("check", "expand", &check), ("write", "check", &check)] {
        let made = admin.post("/v1/keys", &json!({"name": scope, "scopes": [scope]})).expect(201);
        let reply = server.with_key(made["secret"].as_str().unwrap()).post(&format!("{path}/{rest}"), body);
        assert_eq!(reply.outcome(), (401, "forbidden".to_owned()), "{rest} with {scope}: {}", reply.text());
        assert_eq!(reply.value().as_object().unwrap().len(), 2);
    }
}

/// The status and the body of an answer to a request whose body never comes.
fn stalled(server: &crate::support::Server, path: &str) -> (String, Value) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 10\r\n\r\n{{");
    stream.write_all(head.as_bytes()).unwrap();
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let read = stream.read(&mut buffer).unwrap_or(0);
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
        if let Some(body) = body {
            return (text.split(' ').nth(1).unwrap().to_owned(), body);
        }
        assert!(read > 0, "{text}");
    }
}

#[test]
fn a_request_that_takes_too_long_is_told_in_the_words_of_its_api() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("authx.toml");
    std::fs::write(&config, "[server]\nrequest_timeout_seconds = 1\n").unwrap();
    let server = Launch::dev().arg("--config").arg(&config).start();
    let path = store(&server.anyone());
    let (status, body) = stalled(&server, &format!("{path}/check"));
    assert_eq!((status.as_str(), &body["code"]), ("500", &json!("deadline_exceeded")), "{body}");
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    let (status, body) = stalled(&server, &format!("/v1{path}/check"));
    assert_eq!((status.as_str(), &body["code"]), ("408", &json!("request_timeout")), "{body}");
}

#[test]
fn an_expansion_that_is_too_large_is_refused() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = store(&client);
    for chunk in 0..10 {
        let tuple = |n| json!({"object": "doc:1", "relation": "viewer", "subject": format!("user:{n}")});
        let tuples: Vec<Value> = (chunk * 10_000..(chunk + 1) * 10_000).map(tuple).collect();
        client.post(&format!("/v1{path}/write"), &json!({"tuples": {"write": tuples}})).expect(200);
    }
    let body = json!({"tuple_key": {"object": "doc:1", "relation": "viewer"}});
    let refused = client.post(&format!("{path}/expand"), &body);
    assert_eq!(refused.outcome(), (400, "authorization_model_resolution_too_complex".to_owned()));
    assert!(refused.text().contains("100000 parts and subjects"), "{}", refused.text());
    let body = json!({"object": "doc:1", "relation": "viewer"});
    let refused = client.post(&format!("/v1{path}/relations/expand"), &body);
    refused.expect_problem(422, "evaluation_limit_exceeded");
    assert!(refused.text().contains("100000 parts and subjects"), "{}", refused.text());
}
