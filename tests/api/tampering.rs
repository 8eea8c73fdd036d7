//! Tokens and keys that were altered, cut, or are of something else: refused, and the server goes on.

use serde_json::{Value, json};

use crate::store;
use crate::support::{Client, Launch, Reply, Server};

/// Asks for a page of a list.
type Ask = Box<dyn Fn(&Client, Option<&str>) -> Reply>;

/// A list: how it is asked with a page token, and where the next token stands.
struct List {
    name: &'static str,
    ask: Ask,
    code: &'static str,
    next: &'static str,
}

fn by_query(name: &'static str) -> List {
    let separator = if name.contains('?') { '&' } else { '?' };
    let ask = move |client: &Client, token: Option<&str>| {
        let token = token.map(|token| format!("&page_token={}", crate::support::encode(token))).unwrap_or_default();
        client.get(&format!("{name}{separator}page_size=1{token}"))
    };
    List { name, ask: Box::new(ask), code: "invalid_page_token", next: "next_page_token" }
}

fn lists() -> Vec<List> {
    let with = |mut body: Value, field: &str, token: Option<&str>| {
        body["page_size"] = json!(1);
        body[field] = json!(token);
        body
    };
    let tuples = move |client: &Client, token: Option<&str>| {
        client.post("/v1/stores/marked/tuples/read", &with(json!({"object": "doc:"}), "page_token", token))
    };
    let mut lists: Vec<List> = [
        "/v1/stores",
        "/v1/keys",
        "/v1/decisions",
        "/v1/stores/marked/entities",
        "/v1/stores/marked/entities?type=User",
        "/v1/stores/marked/policies",
        "/v1/stores/marked/links",
        "/v1/stores/marked/releases",
        "/v1/stores/marked/changes",
    ]
    .map(by_query)
    .into();
    lists.push(List {
        name: "tuples/read",
        ask: Box::new(tuples),
        code: "invalid_page_token",
        next: "next_page_token",
    });
    lists
}

/// A tenant in which every list has two rows.
fn filled(server: &Server, name: &str) -> Client {
    let made = server.platform().post("/v1/tenants", &json!({"name": name})).expect(201);
    let client = server.with_key(made["admin_key"]["secret"].as_str().unwrap());
    let path = store(&client, "marked", &json!({}));
    store(&client, "another", &json!({}));
    client.post("/v1/keys", &json!({"name": "second", "scopes": ["check"]})).expect(201);
    let model = "model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define viewer: [user]\n";
    for n in 0..2 {
        let policy = json!({"cedar": format!("@id(\"p{n}\") permit (principal == ?principal, action, resource);")});
        client.put(&format!("{path}/policies/p{n}"), &policy).expect(200);
        client
            .put(&format!("{path}/links/l{n}"), &json!({"template": format!("p{n}"), "principal": "User:a"}))
            .expect(200);
    }
    client.put(&format!("{path}/model"), &json!({"dsl": model})).expect(200);
    let write = json!({"entities": {"upsert": [{"uid": "User:a"}, {"uid": "User:b"}, {"uid": "Team:c"}]},
        "tuples": {"write": ["doc:a#viewer@user:a", "doc:b#viewer@user:a"]}});
    client.post(&format!("{path}/write"), &write).expect(200);
    for _ in 0..2 {
        let check = json!({"principal": "User:a", "action": "read", "resource": "Doc:d"});
        client.post(&format!("{path}/check"), &check).expect(200);
    }
    client
}

/// A text with one bit of each byte flipped, and cut at each place.
fn altered(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for at in 0..text.len() {
        for bit in [1, 2, 32] {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= bit;
            all.extend(String::from_utf8(bytes).ok());
        }
        all.push(text[..at].to_owned());
        all.push(format!("{}{}", &text[..at], &text[at + 1..]));
    }
    all.push(format!("{text}A"));
    all.push(format!("{text}{text}"));
    all
}

#[test]
fn a_page_token_is_of_one_list_of_one_tenant() {
    let mut server = Launch::normal().start();
    let (mine, theirs) = (filled(&server, "mine"), filled(&server, "theirs"));
    let (lists, mut tried) = (lists(), 0);
    let token = |list: &List, client: &Client| {
        let first = (list.ask)(client, None).expect(200);
        first[list.next].as_str().unwrap_or_else(|| panic!("{}: {first}", list.name)).to_owned()
    };
    let tokens: Vec<(String, String)> = lists.iter().map(|list| (token(list, &mine), token(list, &theirs))).collect();
    for (list, (own, foreign)) in lists.iter().zip(&tokens) {
        (list.ask)(&mine, Some(own)).expect(200);
        let others =
            lists.iter().zip(&tokens).filter(|(other, _)| other.name != list.name).map(|(_, (token, _))| token);
        for wrong in altered(own).iter().chain([foreign]).chain(others) {
            let reply = (list.ask)(&mine, Some(wrong));
            assert_eq!(reply.outcome(), (400, list.code.to_owned()), "{} {wrong}: {}", list.name, reply.text());
            tried += 1;
        }
    }
    assert!(server.is_running());
    println!("{tried} page tokens refused");
}

#[test]
fn a_consistency_token_is_of_one_store() {
    let mut server = Launch::normal().start();
    let (mine, theirs) = (filled(&server, "mine"), filled(&server, "theirs"));
    let ask = |client: &Client, token: &str| {
        let consistency = json!({"mode": "at_least_as_fresh", "token": token});
        let body = json!({"principal": "User:a", "action": "read", "resource": "Doc:d", "consistency": consistency});
        client.post("/v1/stores/marked/check", &body)
    };
    let token = |client: &Client, store: &str| {
        client.get(&format!("/v1/stores/{store}")).expect(200)["consistency_token"].as_str().unwrap().to_owned()
    };
    let own = token(&mine, "marked");
    ask(&mine, &own).expect(200);
    let page =
        mine.get("/v1/stores/marked/entities?page_size=1").expect(200)["next_page_token"].as_str().unwrap().to_owned();
    let all = [altered(&own), vec![token(&theirs, "marked"), token(&mine, "another"), page, "é".to_owned()]].concat();
    for wrong in &all {
        ask(&mine, wrong).expect_problem(400, "invalid_consistency_token");
    }
    assert!(server.is_running());
    println!("{} consistency tokens refused", all.len());
}

#[test]
fn an_altered_key_is_none() {
    let mut server = Launch::normal().start();
    let key = server.keys()["admin_key"].as_str().unwrap().to_owned();
    server.with_key(&key).get("/v1/whoami").expect(200);
    let sendable = |text: &String| text.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    let all: Vec<String> = altered(&key).into_iter().filter(sendable).collect();
    for wrong in &all {
        server.with_key(wrong).get("/v1/whoami").expect_problem(401, "unauthenticated");
        server.with_key(wrong).get("/v1/stores").expect_problem(401, "unauthenticated");
    }
    assert!(server.is_running() && all.len() > 3 * key.len());
    println!("{} keys refused", all.len());
}
