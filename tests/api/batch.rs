//! Many checks in one request: each is answered as it is alone, in random worlds, and what is wrong with one is its own.

use serde_json::{Map, Value, json};

use crate::support::{Client, Launch};

const WORLDS: u64 = 12;
/// As many as one request takes.
const ITEMS: usize = 50;

/// A linear congruential generator (Knuth, MMIX).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }

    pub(crate) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

fn model(random: &mut Random) -> String {
    let first = ["r0", "[user] or r0", "[user with c] or r0", "r0 but not blocked", "member from parent or r0"];
    let second = ["r1 but not blocked", "r1 and r0", "[user, doc#r2] or r1", "[user, user:* with c] but not blocked"];
    let (first, second) = (random.pick(&first), random.pick(&second));
    format!(
        "model
  schema 1.1
type user
type group
  relations
    define member: [user, group#member, user with c]
type doc
  relations
    define parent: [group]
    define blocked: [user, group#member]
    define r0: [user, user:*, group#member, user with c]
    define r1: {first}
    define r2: {second}
condition c(x: int) {{
  x < 10
}}
"
    )
}

fn object(random: &mut Random, type_name: &str) -> String {
    format!("{type_name}:{}", random.pick(&["1", "2", "3"]))
}

/// A tuple that the model allows.
fn tuple(random: &mut Random) -> Value {
    let of_group = random.below(3) == 0;
    let object = object(random, if of_group { "group" } else { "doc" });
    let relation = if of_group { "member" } else { random.pick(&["parent", "blocked", "r0", "r0", "r0"]) };
    let group = format!("group:{}", random.pick(&["1", "2", "3"]));
    let user = match (relation, random.below(4)) {
        ("parent", _) => group,
        ("r0", 0) => "user:*".to_owned(),
        (_, 1) if !object.starts_with("group") => format!("{group}#member"),
        _ => format!("user:{}", random.pick(&["1", "2", "3"])),
    };
    let mut tuple = json!({"user": user, "relation": relation, "object": object});
    if user.starts_with("user:") && user != "user:*" && relation != "blocked" && random.below(4) == 0 {
        let context = if random.below(2) == 0 { json!({"x": random.below(20)}) } else { json!({}) };
        tuple["condition"] = json!({"name": "c", "context": context});
    }
    tuple
}

fn tuples(random: &mut Random, count: usize) -> Vec<Value> {
    let mut keys = Vec::new();
    let mut tuples: Vec<Value> = (0..count).map(|_| tuple(random)).collect();
    tuples.retain(|tuple| {
        let key = ["user", "relation", "object"].map(|field| tuple[field].to_string());
        let new = !keys.contains(&key);
        keys.push(key);
        new
    });
    tuples
}

/// A check; one in six is wrong in some way.
fn item(random: &mut Random) -> Value {
    let users = ["user:1", "user:1", "user:2", "user:3", "user:*", "group:1#member", "user:stranger"];
    let user = random.pick(&users);
    let relation = random.pick(&["r0", "r0", "r1", "r2", "blocked"]);
    let mut key = json!({"user": user, "relation": relation, "object": object(random, "doc")});
    let mut item = Map::new();
    match random.below(3) {
        0 => drop(item.insert("context".into(), json!({"x": random.below(20)}))),
        1 => drop(item.insert("context".into(), json!({"x": 1}))),
        _ => {}
    }
    if random.below(3) == 0 {
        let count = random.below(4);
        item.insert("contextual_tuples".into(), json!({"tuple_keys": tuples(random, count)}));
    }
    match random.below(36) {
        0 => key["relation"] = json!("none"),
        1 => key["object"] = json!("none:1"),
        2 => key["user"] = json!("nobody"),
        3 => key["user"] = json!("group:1#none"),
        4 => drop(item.insert("context".into(), json!({"x": "many"}))),
        5 => {
            let refused = json!({"user": "doc:1", "relation": "r0", "object": "doc:1"});
            item.insert("contextual_tuples".into(), json!({"tuple_keys": [refused]}));
        }
        _ => {}
    }
    item.insert("tuple_key".into(), key);
    Value::Object(item)
}

/// What a single check says, as a batch words it.
fn alone(client: &Client, path: &str, item: &Value) -> Value {
    let reply = client.post(&format!("{path}/check"), item);
    let body = reply.value();
    match reply.status {
        200 => json!({"allowed": body["allowed"]}),
        400 => json!({"error": {"input_error": body["code"], "message": body["message"]}}),
        _ => panic!("{item}: {}", reply.text()),
    }
}

fn together<'a>(client: &Client, path: &str, items: impl Iterator<Item = (usize, &'a Value)>) -> Value {
    let checks: Vec<Value> = items
        .map(|(at, item)| {
            let mut item = item.clone();
            item["correlation_id"] = json!(format!("item-{at}"));
            item
        })
        .collect();
    client.post(&format!("{path}/batch-check"), &json!({"checks": checks})).expect(200)["result"].take()
}

/// The same question of the native API; contextual tuples are told differently there.
fn native(client: &Client, path: &str, item: &Value) -> Option<bool> {
    let (key, context) = (&item["tuple_key"], &item["context"]);
    let context = if context.is_null() { json!({}) } else { context.clone() };
    let body =
        json!({"subject": key["user"], "relation": key["relation"], "object": key["object"], "context": context});
    let reply = client.post(&format!("/v1{path}/relations/check"), &body);
    assert!([200, 400, 422].contains(&reply.status), "{body}: {}", reply.text());
    (reply.status == 200).then(|| reply.value()["allowed"].as_bool().unwrap())
}

#[test]
fn a_batch_answers_as_single_checks_do() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let (mut asked, mut allowed, mut failed) = (0, 0, 0);
    for seed in 0..WORLDS {
        let mut random = Random(seed);
        let made = client.post("/stores", &json!({"name": format!("world {seed}")})).expect(201);
        let path = format!("/stores/{}", made["id"].as_str().unwrap());
        client.post(&format!("/v1{path}/apply"), &json!({"model": model(&mut random)})).expect(200);
        let stored = tuples(&mut random, 25);
        client.post(&format!("{path}/write"), &json!({"writes": {"tuple_keys": stored}})).expect(200);
        let items: Vec<Value> = (0..ITEMS).map(|_| item(&mut random)).collect();
        let forward = together(&client, &path, items.iter().enumerate());
        let backward = together(&client, &path, items.iter().enumerate().rev());
        assert_eq!(forward.as_object().unwrap().len(), ITEMS);
        assert_eq!(forward, backward, "world {seed}");
        for (at, item) in items.iter().enumerate() {
            let expected = alone(&client, &path, item);
            assert_eq!(forward[format!("item-{at}")], expected, "world {seed}: {item}");
            if item["contextual_tuples"].is_null() {
                assert_eq!(native(&client, &path, item), expected["allowed"].as_bool(), "world {seed}: {item}");
            }
            asked += 1;
            allowed += usize::from(expected["allowed"] == true);
            failed += usize::from(expected["allowed"].is_null());
        }
    }
    println!("{WORLDS} worlds, {} batches, {asked} items, {allowed} allowed, {failed} failed", 2 * WORLDS);
    assert!(allowed * 4 >= asked && failed * 20 >= asked, "{asked} items, {allowed} allowed, {failed} failed");
}

/// Each result may name every policy of the store: what is answered is bounded, and what is not decided is no allow.
#[test]
fn results_are_bounded_in_bytes() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = crate::store(&client, "wordy", &json!({}));
    let policy = |at: usize| format!("@id(\"{}{at:03}\") permit (principal, action, resource);", "p".repeat(125));
    let policies: String = (0..400).map(policy).collect::<Vec<_>>().concat();
    client.post(&format!("{path}/apply"), &json!({"policies": [{"file": "a.cedar", "cedar": policies}]})).expect(200);
    let check = json!({"principal": "User:u", "action": "read", "resource": "Doc:d"});
    let told = client.post(&format!("{path}/check/batch"), &json!({"checks": vec![check; 400]})).expect(200);
    let results = told["results"].as_array().unwrap();
    let made = results.iter().take_while(|result| result["decision"] == json!("allow")).count();
    assert!((300..350).contains(&made) && results.len() == 400, "{made}");
    assert!(results[made..].iter().all(|result| result["error"]["code"] == json!("limit_exceeded")));
    assert!(results[made..].iter().all(|result| result.get("decision").is_none()));
}
