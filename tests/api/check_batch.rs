//! Many checks in one request: each is answered as it is alone, all from one snapshot, and what is wrong with one is its
//! own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::DEMO;
use crate::batch::Random;
use crate::support::{Client, Launch};

/// Checks of the random comparison; a batch of it has up to 199.
const ITEMS: usize = 20_000;

const PEOPLE: [&str; 8] =
    ["User:ann", "User:alice", "User:bob", "User:cy", "User:eve", "User:ghost", "Role:admin", "Robot:r2"];
const ACTIONS: [&str; 8] = ["read", "read", "write", "delete", "share", "view", "raed", "Action::\"read\""];
const THINGS: [&str; 6] =
    ["Document:handbook", "Document:roadmap", "Document:salaries", "Document:new", "Folder:people", "Thing:x"];
const TUPLES: [&str; 10] = [
    "document:roadmap#viewer@user:bob",
    "document:roadmap#editor@user:eve",
    "document:salaries#viewer@group:engineering#member",
    "document:new#parent@folder:product",
    "role:editor#assignee@user:bob",
    "group:platform#member@user:eve",
    "folder:company#viewer@user:cy",
    "document:roadmap#owner@user:bob",
    "document:roadmap@user:bob",
    "document:roadmap#viewer@user:bob",
];
/// A key stands twice, which a parsed value would not show.
const DOUBLED: [&str; 2] = [
    r#"{"principal":"User:bob","principal":"User:ann","action":"read","resource":"Document:roadmap"}"#,
    r#"{"principal":"User:bob","action":"read","resource":"Document:roadmap","context":{"mfa":true,"mfa":true}}"#,
];

fn context(random: &mut Random) -> Value {
    let mut context = Map::new();
    for _ in 0..random.below(3) {
        let (key, value) = match random.below(10) {
            0..=3 => ("mfa", json!(true)),
            4 => ("mfa", json!(false)),
            5 => ("mfa", Value::Null),
            6 => ("ip", json!({"__extn": {"fn": "ip", "arg": random.pick(&["10.0.0.7", "192.0.2.1", "nowhere"])}})),
            7 => ("mfa", json!("yes")),
            _ => ("other", json!([1, {"deep": random.below(5)}])),
        };
        context.insert(key.to_owned(), value);
    }
    Value::Object(context)
}

fn entity(random: &mut Random) -> Value {
    let mut entity = match random.below(3) {
        0 => {
            json!({"uid": random.pick(&PEOPLE), "attrs": {"department": random.pick(&["product", "people"]), "clearance": random.below(4)}})
        }
        1 => {
            json!({"uid": random.pick(&THINGS), "attrs": {"owner": {"__entity": {"type": "User", "id": "bob"}}, "department": "product",
            "classification": random.below(4), "public": random.below(2) == 0}})
        }
        _ => json!({"uid": random.pick(&THINGS), "attrs": {"public": true}, "tags": {"status": "draft"}}),
    };
    match random.below(20) {
        0 => entity["parents"] = json!(["Role:admin"]),
        1 => entity["attrs"]["clearance"] = json!("high"),
        2 => drop(entity.as_object_mut().unwrap().remove("uid")),
        3 => entity["attrs"] = json!(7),
        _ => {}
    }
    entity
}

fn some(random: &mut Random, one: impl Fn(&mut Random) -> Value) -> Value {
    (0..random.below(4)).map(|_| one(random)).collect()
}

/// What a check or the defaults may say: each field with the chance of one in `rare`.
fn fields(random: &mut Random, rare: usize, drafts: &[&str]) -> Value {
    let mut fields = Map::new();
    let mut say = |random: &mut Random, name: &str, value: fn(&mut Random) -> Value| {
        if random.below(rare) == 0 {
            fields.insert(name.to_owned(), value(random));
        }
    };
    say(random, "context", context);
    say(random, "entities", |random| some(random, entity));
    say(random, "tuples", |random| some(random, |random| json!(random.pick(&TUPLES))));
    if random.below(8 * rare) == 0 {
        fields.insert("release".to_owned(), json!(random.pick(drafts)));
    }
    Value::Object(fields)
}

fn asked(random: &mut Random, fields: &mut Value, rare: usize) {
    for (name, of) in [("principal", &PEOPLE[..]), ("action", &ACTIONS[..]), ("resource", &THINGS[..])] {
        if random.below(rare) == 0 {
            fields[name] = json!(random.pick(of));
        }
    }
}

/// A check as it stands in a batch; one in ten is broken.
fn item(random: &mut Random, drafts: &[&str]) -> String {
    let mut item = fields(random, 3, drafts);
    asked(random, &mut item, 1);
    match random.below(90) {
        0 => drop(item.as_object_mut().unwrap().remove(random.pick(&["principal", "action", "resource"]))),
        1 => item["principal"] = json!("nobody"),
        2 => item["resource"] = json!(7),
        3 => item["context"] = Value::Null,
        4 => item["tuples"] = json!({"object": "document:roadmap"}),
        5 => item["explain"] = json!(true),
        6 => item["tuples"] = json!(vec![TUPLES[0]; 101]),
        7 | 8 => return random.pick(&DOUBLED).to_owned(),
        _ => {}
    }
    if random.below(40) == 0 {
        return random.pick(&["7", "null", r#""User:bob""#, "{}", "true"]).to_owned();
    }
    item.to_string()
}

/// The check that an item of a batch is: the defaults with its own fields over them.
fn alone(item: &str, defaults: &Value) -> String {
    let own = serde_json::from_str(item).ok().filter(|_| !DOUBLED.contains(&item));
    let Some(Value::Object(own)) = own else { return item.to_owned() };
    // Its own fields keep their order: of two faults, the first in the text is told.
    let mut whole = own;
    if let (Some(Value::Object(shared)), Some(Value::Object(context))) =
        (defaults.get("context"), whole.get_mut("context"))
    {
        let said = std::mem::replace(context, shared.clone());
        context.extend(said);
    }
    for (name, value) in defaults.as_object().unwrap() {
        whole.entry(name.clone()).or_insert_with(|| value.clone());
    }
    Value::Object(whole).to_string()
}

/// Text of an error without the place that a JSON reader tells, which differs with the text around.
fn without_place(text: &Value) -> Value {
    json!(text.as_str().unwrap_or_default().split(" at line ").next())
}

/// A problem as a single check tells it, in the words of a batch.
fn of_item(problem: &Value, place: &str) -> Value {
    let mut problem = problem.clone();
    problem.as_object_mut().unwrap().remove("request_id");
    if problem["errors"].is_null() {
        let (code, message) = (problem["code"].clone(), problem["detail"].clone());
        problem["errors"] = json!([{"pointer": "", "code": code, "message": message}]);
    }
    if problem["errors"][0]["pointer"].as_str().is_some_and(|pointer| pointer.starts_with('/')) {
        problem["detail"] = json!(format!("{place}{}", problem["detail"].as_str().unwrap()));
    }
    for error in problem["errors"].as_array_mut().unwrap() {
        error["pointer"] = json!(format!("{place}{}", error["pointer"].as_str().unwrap()));
    }
    plain(problem)
}

fn plain(mut problem: Value) -> Value {
    problem["detail"] = without_place(&problem["detail"]);
    for error in problem["errors"].as_array_mut().unwrap() {
        error["message"] = without_place(&error["message"]);
    }
    problem
}

/// Asserts that a result is what the single check says, and tells the decision.
fn compare(client: &Client, batch: &Value, at: usize, single: &str) -> String {
    let mut result = batch["results"][at].clone();
    assert_eq!(result.as_object_mut().unwrap().remove("id"), Some(json!(at.to_string())), "{single}");
    // Only a check alone is explained.
    if result["error"]["code"] == "unsupported" {
        assert!(single.contains(r#""explain":true"#) && result["error"]["status"] == 422, "{single}");
        return "unsupported".to_owned();
    }
    let reply = client.send("POST", &format!("{DEMO}/check"), &[], single.as_bytes());
    let mut said = reply.value();
    if reply.status != 200 {
        assert_eq!(plain(result["error"].take()), of_item(&said, &format!("/checks/{at}")), "{single}");
        return said["code"].as_str().unwrap().to_owned();
    }
    let fields = said.as_object_mut().unwrap();
    let release = result.as_object_mut().unwrap().remove("release").unwrap_or_else(|| batch["release"].clone());
    assert_eq!(fields.remove("release"), Some(release), "{single}");
    for shared in ["revision", "consistency_token"] {
        assert_eq!(fields.remove(shared).as_ref(), batch.get(shared), "{single}");
    }
    fields.remove("decision_id").unwrap();
    result.as_object_mut().unwrap().remove("decision_id").unwrap();
    assert_eq!(result, said, "{single}");
    said["decision"].as_str().unwrap().to_owned()
}

#[test]
fn every_item_is_answered_as_the_check_alone() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let draft = json!({"policies": [{"id": "all", "cedar": "permit (principal, action, resource);"}]});
    let draft = client.post(&format!("{DEMO}/releases"), &draft).expect(201)["id"].as_str().unwrap().to_owned();
    let active = client.get(DEMO).expect(200)["release"].as_str().unwrap().to_owned();
    let drafts = [draft.as_str(), &draft, &active, "01JD0000000000000000000000", "none"];
    let mut random = Random(7);
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    let mut left = ITEMS;
    while left > 0 {
        let count = left.min(random.below(200));
        let mut defaults = fields(&mut random, 4, &drafts);
        asked(&mut random, &mut defaults, 3);
        // What cannot be read at all in the defaults is an error of the whole batch.
        if let Some(Value::Array(entities)) = defaults.get_mut("entities") {
            entities.retain(|entity| entity["uid"].is_string() && entity["attrs"].is_object());
        }
        let items: Vec<String> = (0..count).map(|_| item(&mut random, &drafts)).collect();
        let body = format!(r#"{{"defaults":{defaults},"checks":[{}]}}"#, items.join(","));
        let batch = client.send("POST", &format!("{DEMO}/check/batch"), &[], body.as_bytes()).expect(200);
        assert_eq!(batch["results"].as_array().unwrap().len(), count);
        for (at, item) in items.iter().enumerate() {
            *seen.entry(compare(&client, &batch, at, &alone(item, &defaults))).or_default() += 1;
        }
        left -= count;
    }
    println!("{ITEMS} items: {seen:?}");
    for (outcome, least) in [
        ("allow", ITEMS / 20),
        ("deny", ITEMS / 5),
        ("malformed_request", ITEMS / 50),
        ("invalid_input", ITEMS / 20),
        ("not_found", 20),
        ("unsupported", 20),
        ("limit_exceeded", 20),
    ] {
        assert!(seen.get(outcome).is_some_and(|count| *count >= least), "{outcome}: {seen:?}");
    }
}

#[test]
fn results_come_in_order_and_a_bad_item_fails_alone() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let body = json!({
        "defaults": {"principal": "User:ann", "action": "read", "context": {"mfa": true}},
        "checks": [
            {"id": "b", "resource": "Document:salaries"},
            {"id": "a", "resource": "Document:salaries", "context": {"mfa": null}},
            {"resource": "Document:handbook", "context": {"mfa": "yes"}},
            {"id": "no resource"},
            {"id": "fresh", "resource": "Document:handbook", "consistency": {"mode": "fully_consistent"}},
            {"id": 5, "resource": "Document:handbook"},
            {"resource": "Document:handbook", "principal": "User:nobody"},
        ],
    });
    let reply = client.post(&format!("{DEMO}/check/batch"), &body).expect(200);
    let results = reply["results"].as_array().unwrap();
    let ids: Vec<&str> = results.iter().map(|result| result["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["b", "a", "2", "no resource", "fresh", "5", "6"]);
    let said = |at: usize| {
        (&results[at]["decision"], &results[at]["error"]["code"], &results[at]["error"]["errors"][0]["pointer"])
    };
    assert_eq!(said(0), (&json!("allow"), &Value::Null, &Value::Null));
    assert_eq!(said(1), (&json!("deny"), &Value::Null, &Value::Null));
    assert_eq!(said(2), (&Value::Null, &json!("invalid_input"), &json!("/checks/2/context/mfa")));
    assert!(results[2]["error"]["detail"].as_str().unwrap().starts_with("/checks/2/context/mfa: "), "{reply}");
    for at in [3, 4, 5] {
        assert_eq!(said(at), (&Value::Null, &json!("malformed_request"), &json!(format!("/checks/{at}"))));
    }
    assert_eq!(said(6).0, "deny");
    let names: Vec<&str> = reply.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["results", "warnings", "revision", "release", "consistency_token"]);
    assert_eq!(client.post(&format!("{DEMO}/check/batch"), &json!({"checks": []})).expect(200)["results"], json!([]));
}

#[test]
fn what_is_wrong_with_the_batch_refuses_all_of_it() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = format!("{DEMO}/check/batch");
    let foreign = crate::store(&client, "foreign", &json!({}));
    let token = client.get(&foreign).expect(200)["consistency_token"].clone();
    let one = json!({"principal": "User:a", "action": "read", "resource": "Document:b"});
    let many = |count: usize| json!({"checks": vec![&one; count]});
    for (body, status, code) in [
        (json!({}), 400, "malformed_request"),
        (json!({"checks": {}}), 400, "malformed_request"),
        (json!({"checks": [], "defaults": {"principal": 7}}), 400, "malformed_request"),
        (json!({"checks": [], "defaults": {"id": "x"}}), 400, "malformed_request"),
        (json!({"checks": [], "defaults": {"consistency": {"mode": "fully_consistent"}}}), 400, "malformed_request"),
        (json!({"checks": [], "consistency": {"mode": "at_least_as_fresh"}}), 400, "malformed_request"),
        (
            json!({"checks": [], "consistency": {"mode": "at_least_as_fresh", "token": token}}),
            400,
            "invalid_consistency_token",
        ),
        (json!({"checks": [{"id": "x"}, {}, {"id": "x"}]}), 400, "invalid_input"),
        (json!({"checks": [{"id": "1"}, {}]}), 400, "invalid_input"),
        (many(10_001), 422, "limit_exceeded"),
    ] {
        client.post(&path, &body).expect_problem(status, code);
    }
    let refused = client.post(&path, &json!({"checks": [{"id": "x"}, {}, {"id": "x"}]})).value();
    assert_eq!(refused["errors"][0]["pointer"], "/checks/2/id");
    assert!(client.post(&path, &many(10_001)).text().contains("at most 10000 checks, not 10001"));
    assert_eq!(client.post(&path, &many(10_000)).expect(200)["results"].as_array().unwrap().len(), 10_000);
    for broken in [r#"{"checks":[{"id":"#, r#"{"checks":[{]}"#, r#"{"checks":[]}}"#] {
        client.send("POST", &path, &[], broken.as_bytes()).expect_problem(400, "malformed_request");
    }
}

#[test]
fn so_many_releases_are_named_and_no_more() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let made = |n: usize| {
        let draft = json!({"policies": [{"id": format!("p{n}"), "cedar": "permit (principal, action, resource);"}]});
        client.post(&format!("{DEMO}/releases"), &draft).expect(201)["id"].clone()
    };
    let drafts: Vec<Value> = (0..5).map(made).collect();
    let check = |release: &Value| json!({"release": release, "resource": "Document:salaries"});
    let body = json!({"defaults": {"principal": "User:bob", "action": "read"}, "checks": drafts.iter().map(check).collect::<Vec<_>>()});
    let reply = client.post(&format!("{DEMO}/check/batch"), &body).expect(200);
    for (at, draft) in drafts.iter().enumerate().take(4) {
        assert_eq!(reply["results"][at]["release"], *draft);
        assert_eq!(reply["results"][at]["determining_policies"], json!([format!("p{at}")]));
    }
    assert_eq!(reply["results"][4]["error"]["code"], "limit_exceeded");
    assert_eq!(reply["release"], client.get(DEMO).expect(200)["release"]);
}

#[test]
fn a_batch_is_of_one_snapshot() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let body = json!({"defaults": {"principal": "User:bob", "action": "read", "resource": "Document:roadmap"}, "checks": vec![json!({}); 3_000]});
    let (done, mut seen) = (AtomicBool::new(false), Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let tuple = json!(["document:roadmap#viewer@user:bob"]);
            while !done.load(Ordering::Relaxed) {
                client.post(&format!("{DEMO}/write"), &json!({"tuples": {"write": tuple}})).expect(200);
                client.post(&format!("{DEMO}/write"), &json!({"tuples": {"delete": tuple}})).expect(200);
            }
        });
        for _ in 0..20 {
            let reply = client.post(&format!("{DEMO}/check/batch"), &body).expect(200);
            let decisions: Vec<&Value> =
                reply["results"].as_array().unwrap().iter().map(|result| &result["decision"]).collect();
            assert!(decisions.windows(2).all(|pair| pair[0] == pair[1]), "revision {}", reply["revision"]);
            seen.push((reply["revision"].as_u64(), decisions[0].clone()));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(seen.windows(2).all(|pair| pair[0].0 <= pair[1].0), "{seen:?}");
    assert!(seen.first().unwrap().0 < seen.last().unwrap().0, "{seen:?}");
}

#[test]
fn only_so_many_are_in_work() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("authx.toml");
    std::fs::write(&config, "[limits]\nbatches = 1\n").unwrap();
    let server = Launch::dev().arg("--config").arg(config).start();
    let client = server.anyone();
    let path = format!("{DEMO}/check/batch");
    let large = json!({"defaults": {"principal": "User:bob", "action": "read", "resource": "Document:roadmap"}, "checks": vec![json!({}); 10_000]});
    let (done, begun) = (AtomicBool::new(false), Instant::now());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let status = client.post(&path, &large).status;
                assert!(status == 200 || status == 429, "{status}");
            }
        });
        loop {
            let reply = client.post(&path, &json!({"checks": []}));
            if reply.status == 429 {
                reply.expect_problem(429, "too_many_batches");
                assert_eq!(reply.header("retry-after"), Some("1"));
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "a second batch is never refused");
        }
        // What is no batch has its place.
        let check = json!({"principal": "User:bob", "action": "read", "resource": "Document:roadmap"});
        client.post(&format!("{DEMO}/check"), &check).expect(200);
        done.store(true, Ordering::Relaxed);
    });
    client.post(&path, &json!({"checks": []})).expect(200);
}
