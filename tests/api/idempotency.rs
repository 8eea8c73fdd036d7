//! Requests that are sent again: made once, answered the same.

use serde_json::{Value, json};

use crate::store;
use crate::support::{Client, Launch, Reply};

fn keyed(client: &Client, method: &str, path: &str, key: &str, body: &Value) -> Reply {
    client.send(method, path, &[("Idempotency-Key", key)], body.to_string().as_bytes())
}

fn user(n: usize) -> Value {
    json!({"entities": {"upsert": [{"uid": format!("User:u{n}"), "attrs": {}, "parents": [], "tags": {}}]}})
}

fn revision(client: &Client, store: &str) -> Value {
    client.get(store).expect(200)["revision"].clone()
}

#[test]
fn fifty_equal_requests_are_one_write_and_fifty_equal_answers() {
    let server = Launch::dev().start();
    let store = store(&server.anyone(), "once", &json!({}));
    let replies: Vec<Reply> = std::thread::scope(|scope| {
        let send = |_| {
            let (client, path) = (server.anyone(), format!("{store}/write"));
            scope.spawn(move || keyed(&client, "POST", &path, "k-1", &user(1)))
        };
        let threads: Vec<_> = (0..50).map(send).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(replies.iter().all(|reply| reply.status == 200 && reply.body == replies[0].body));
    let first = replies.iter().filter(|reply| reply.header("idempotency-replayed").is_none()).count();
    assert_eq!((first, revision(&server.anyone(), &store)), (1, json!(1)));
}

#[test]
fn a_key_is_of_one_request_to_one_operation_of_one_store() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Launch::dev().start_in(dir.path());
    let client = server.anyone();
    let (one, other) = (store(&client, "one", &json!({})), store(&client, "other", &json!({})));
    let template = json!({"policies": [{"id": "t", "cedar": "permit (principal == ?principal, action, resource);"}]});
    for store in [&one, &other] {
        client.post(&format!("{store}/apply"), &template).expect(200);
    }
    let write = |client: &Client, store: &str, key: &str, body: &Value| {
        keyed(client, "POST", &format!("{store}/write"), key, body)
    };
    let first = write(&client, &one, "k", &user(1));
    assert_eq!((first.status, first.header("idempotency-replayed")), (200, None));
    let again = write(&client, &one, "k", &user(1));
    assert_eq!((again.body == first.body, again.header("idempotency-replayed")), (true, Some("true")));
    // By the store's id it is the same store.
    let id = client.get(&one).expect(200)["id"].as_str().unwrap().to_owned();
    assert_eq!(write(&client, &format!("/v1/stores/{id}"), "k", &user(1)).body, first.body);
    write(&client, &one, "k", &user(2)).expect_problem(422, "idempotency_key_reused");
    // The other store, another operation and another thing of it know nothing of the key.
    for reply in [
        write(&client, &other, "k", &user(1)),
        keyed(&client, "PUT", &format!("{one}/links/a"), "k", &json!({"template": "t", "principal": "User:u1"})),
        keyed(&client, "PUT", &format!("{one}/links/b"), "k", &json!({"template": "t", "principal": "User:u1"})),
    ] {
        assert_eq!((reply.status, reply.header("idempotency-replayed")), (200, None), "{}", reply.text());
    }
    let before = revision(&client, &one);
    let link = keyed(&client, "PUT", &format!("{one}/links/a"), "k", &json!({"template": "t", "principal": "User:u1"}));
    assert_eq!((link.header("idempotency-replayed"), revision(&client, &one)), (Some("true"), before));
    // A write that was refused was not made: the next one under its key is.
    let refused = json!({"preconditions": [{"exists": {"entity": "User:u7"}}], "entities": user(8)["entities"]});
    write(&client, &one, "later", &refused).expect_problem(412, "precondition_failed");
    client.post(&format!("{one}/write"), &user(7)).expect(200);
    assert_eq!(write(&client, &one, "later", &refused).header("idempotency-replayed"), None);
    assert_eq!(write(&client, &one, "later", &refused).header("idempotency-replayed"), Some("true"));
    // Answers outlive the process, and what was done since.
    server.kill();
    let server = Launch::dev().start_in(dir.path());
    let after = write(&server.anyone(), &one, "k", &user(1));
    assert_eq!((after.body == first.body, after.header("idempotency-replayed")), (true, Some("true")));
    for bad in ["", &"k".repeat(256), "k\u{e9}"] {
        let reply = write(&server.anyone(), &one, bad, &user(1));
        reply.expect_problem(400, "malformed_request");
    }
    let twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")];
    let reply = server.anyone().send("POST", &format!("{one}/write"), &twice, user(1).to_string().as_bytes());
    reply.expect_problem(400, "malformed_request");
}
