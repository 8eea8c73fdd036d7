//! Pages joined are the whole list, and a page token is only what the server gave.

use serde_json::{Value, json};

use crate::store;
use crate::support::{Client, Launch, Server};

const COUNT: usize = 23;

/// The lists: path, the array in the answer, and what identifies a row.
const LISTS: [(&str, &str, &str); 8] = [
    ("/v1/stores", "stores", "id"),
    ("/v1/keys", "keys", "id"),
    ("/v1/tenants", "tenants", "id"),
    ("/v1/stores/paged/entities", "entities", "uid"),
    ("/v1/stores/paged/policies", "policies", "id"),
    ("/v1/stores/paged/links", "links", "id"),
    ("/v1/stores/paged/releases", "releases", "id"),
    ("/v1/stores/paged/revisions", "revisions", "revision"),
];

/// A server where every list has at least `COUNT` rows.
fn filled() -> (Server, Client) {
    let server = Launch::normal().start();
    let tenant = server.keys()["tenant"].as_str().unwrap().to_owned();
    let client = server.platform().header("authx-tenant", &tenant);
    let path = store(&client, "paged", &json!({}));
    for i in 0..COUNT {
        client.post("/v1/stores", &json!({"name": format!("store {i}")})).expect(201);
        client.post("/v1/keys", &json!({"name": format!("key {i}"), "scopes": ["check"]})).expect(201);
        client.post("/v1/tenants", &json!({"name": format!("tenant {i}")})).expect(201);
        let id = format!("p{i}");
        let policy = json!({"cedar": "permit (principal == ?principal, action, resource);"});
        client.put(&format!("{path}/policies/{id}"), &policy).expect(200);
        client.put(&format!("{path}/links/l{i}"), &json!({"template": id, "principal": "User:a"})).expect(200);
    }
    let upsert: Vec<Value> = (0..COUNT)
        .flat_map(|i| [json!({"uid": format!("User:{i}")}), json!({"uid": {"type": "Doc", "id": format!("\"{i}/")}})])
        .collect();
    client.post(&format!("{path}/write"), &json!({"entities": {"upsert": upsert}})).expect(200);
    (server, client)
}

fn ids(page: &Value, rows: &str, id: &str) -> Vec<String> {
    page[rows].as_array().unwrap().iter().map(|row| row[id].to_string()).collect()
}

#[test]
fn pages_joined_are_the_list() {
    let (_server, client) = filled();
    for (path, rows, id) in LISTS {
        let whole = client.get(&format!("{path}?page_size=1000")).expect(200);
        assert!(whole.get("next_page_token").is_none(), "{path}");
        let whole = ids(&whole, rows, id);
        assert!(whole.len() >= COUNT, "{path} has {} rows", whole.len());
        for size in [1, 7, whole.len() - 1, whole.len(), whole.len() + 1] {
            let (mut joined, mut token) = (Vec::new(), String::new());
            loop {
                let page = client.get(&format!("{path}?page_size={size}{token}")).expect(200);
                let here = ids(&page, rows, id);
                assert!(here.len() <= size && !here.is_empty(), "{path}");
                joined.extend(here);
                let Some(next) = page["next_page_token"].as_str() else { break };
                token = format!("&page_token={next}");
            }
            assert_eq!(joined, whole, "{path} by {size}");
        }
    }
    let users = client.get("/v1/stores/paged/entities?type=User&page_size=1000").expect(200);
    assert_eq!(users["entities"].as_array().unwrap().len(), COUNT);
}

#[test]
fn an_altered_page_token_is_refused() {
    let (_server, client) = filled();
    let next = |path: &str| {
        client.get(&format!("{path}?page_size=2")).expect(200)["next_page_token"].as_str().unwrap().to_owned()
    };
    let path = "/v1/stores/paged/entities";
    let token = next(path);
    let ask = |path: &str, token: &str| client.get(&format!("{path}?page_size=2&page_token={token}"));
    ask(path, &token).expect(200);
    for at in 0..token.len() {
        let other = if token.as_bytes()[at] == b'A' { 'B' } else { 'A' };
        for altered in [
            format!("{}{other}{}", &token[..at], &token[at + 1..]),
            format!("{}{}", &token[..at], &token[at + 1..]),
            token[..at].to_owned(),
        ] {
            ask(path, &altered).expect_problem(400, "invalid_page_token");
        }
    }
    for odd in [
        format!("{token}A"),
        format!("{token}{token}"),
        "%00".to_owned(),
        "%F0%9F%94%91".to_owned(),
        "A".repeat(20_000),
    ] {
        ask(path, &odd).expect_problem(400, "invalid_page_token");
    }
    // A token is of one list and one query.
    for (other, ..) in LISTS.into_iter().filter(|(other, ..)| *other != path) {
        ask(other, &token).expect_problem(400, "invalid_page_token");
        ask(path, &next(other)).expect_problem(400, "invalid_page_token");
    }
    client.get(&format!("{path}?type=User&page_token={token}")).expect_problem(400, "invalid_page_token");
}

#[test]
fn a_page_has_1_to_1000_rows() {
    let server = Launch::normal().start();
    let tenant = server.keys()["tenant"].as_str().unwrap().to_owned();
    let client = server.platform().header("authx-tenant", &tenant);
    store(&client, "paged", &json!({}));
    for (path, ..) in LISTS {
        for bad in ["0", "1001", "-1", "many", "99999999999999999999", "1.5", ""] {
            client.get(&format!("{path}?page_size={bad}")).expect_problem(400, "malformed_request");
        }
        for good in ["1", "1000"] {
            client.get(&format!("{path}?page_size={good}")).expect(200);
        }
    }
}

#[test]
fn lines_are_the_rows_of_the_pages() {
    let (server, client) = filled();
    let lines = client.header("accept", "application/json;q=0.5, application/x-ndjson");
    for (path, rows, _) in LISTS {
        let whole = client.get(&format!("{path}?page_size=1000")).expect(200);
        let reply = lines.get(&format!("{path}?page_size=2"));
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/x-ndjson")), "{path}");
        let text = reply.text();
        let mut told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let end = told.pop().unwrap()["end"].clone();
        assert_eq!(told.len(), whole[rows].as_array().unwrap().len(), "{path}");
        assert!(
            told.iter().zip(whole[rows].as_array().unwrap()).all(|(a, b)| a["id"] == b["id"] && a["uid"] == b["uid"])
        );
        assert_eq!((&end["rows"], &end["revision"]), (&json!(told.len()), &whole["revision"]), "{path}");
    }
    // More than a page, and a question that is wrong.
    let path = "/v1/stores/paged/write";
    for part in 0..3 {
        let upsert: Vec<Value> = (0..700).map(|i| json!({"uid": format!("Row:{part}-{i}")})).collect();
        client.post(path, &json!({"entities": {"upsert": upsert}})).expect(200);
    }
    let text = lines.get("/v1/stores/paged/entities?type=Row").text();
    assert_eq!(text.lines().count(), 2_101);
    assert!(text.lines().last().unwrap().starts_with(r#"{"end":{"#), "{}", text.lines().last().unwrap());
    let none = lines.get("/v1/stores/paged/entities?type=None").text();
    assert!(none.starts_with(r#"{"end":{"rows":0,"#) && none.lines().count() == 1, "{none}");
    lines.get("/v1/stores/paged/entities?page_token=x").expect_problem(400, "invalid_page_token");
    lines.get("/v1/stores/absent/entities").expect_problem(404, "not_found");
    drop(server);
}
