//! Lists and exports of earlier revisions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::store;
use crate::support::{Client, Launch, Reply};

const MODEL: &str = "model
  schema 1.1
type user
type group
  relations
    define member: [user]
type doc
  relations
    define viewer: [user, user with level, user:*, group#member]
    define editor: [user]
condition level(n: int) {
  n > 3
}
";

/// What can be listed as it was: the path, the array of rows, and a body where it takes one.
const LISTS: [(&str, &str, Option<&str>); 10] = [
    ("/entities", "entities", None),
    ("/entities?type=Doc", "entities", None),
    ("/links", "links", None),
    ("/policies", "policies", None),
    ("/tuples/read", "tuples", Some("{}")),
    ("/tuples/read", "tuples", Some(r#"{"object":"doc:1"}"#)),
    ("/tuples/read", "tuples", Some(r#"{"object":"doc:","relation":"viewer"}"#)),
    ("/tuples/read", "tuples", Some(r#"{"subject":"user:1"}"#)),
    ("/tuples/read", "tuples", Some(r#"{"subject":"user:","object":"doc:"}"#)),
    ("/tuples/read", "tuples", Some(r#"{"object":"doc:2","subject":"user:1","relation":"editor"}"#)),
];

/// Entities that are read one by one.
const ENTITIES: [&str; 3] = ["/entities/Doc/1", "/entities/User/2", "/entities/Doc/a%2Fb"];

/// A list, with parameters in the place where it takes them.
fn list(client: &Client, store: &str, (path, _, body): (&str, &str, Option<&str>), with: &[(&str, Value)]) -> Reply {
    let Some(body) = body else {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let query: Vec<String> = with.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
        let mark = if path.contains('?') { '&' } else { '?' };
        return client.get(&format!("{store}{path}{mark}{}", query.join("&")));
    };
    let mut body: Value = serde_json::from_str(body).unwrap();
    for (name, value) in with {
        body[*name] = value.clone();
    }
    client.post(&format!("{store}{path}"), &body)
}

/// Everything of a store as one revision has it.
#[derive(Debug, PartialEq)]
struct Told {
    lists: Vec<(Vec<Value>, [Value; 3])>,
    entities: Vec<(u16, Option<String>, Value)>,
    export: (String, [String; 2]),
}

/// What an answer tells of its revision.
fn head(answer: &Value) -> [Value; 3] {
    ["revision", "release", "consistency_token"].map(|name| answer[name].clone())
}

fn now(client: &Client, store: &str) -> Told {
    let lists = LISTS.map(|of| {
        let page = list(client, store, of, &[("page_size", json!(1_000))]).expect(200);
        (page[of.1].as_array().unwrap().clone(), head(&page))
    });
    Told { lists: lists.into(), entities: entities(client, store, ""), export: export(client, store, "") }
}

fn entities(client: &Client, store: &str, query: &str) -> Vec<(u16, Option<String>, Value)> {
    let told = |path: &&str| {
        let reply = client.get(&format!("{store}{path}{query}"));
        let etag = reply.header("etag").map(str::to_owned);
        let mut value = reply.value();
        value.as_object_mut().unwrap().remove("request_id");
        (reply.status, etag, value)
    };
    ENTITIES.iter().map(told).collect()
}

fn export(client: &Client, store: &str, query: &str) -> (String, [String; 2]) {
    let reply = client.get(&format!("{store}/export{query}"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.text().lines().last().unwrap().starts_with(r#"{"end":"#), "{}", reply.text());
    (reply.text(), ["authx-revision", "authx-consistency-token"].map(|name| reply.header(name).unwrap().to_owned()))
}

/// The same of an earlier revision: in pages of two, each of which tells its head.
fn then(client: &Client, store: &str, revision: u64) -> Told {
    let lists = LISTS.map(|of| {
        let (mut rows, mut heads) = (Vec::new(), Vec::new());
        let mut with = vec![("at_revision", json!(revision)), ("page_size", json!(2))];
        loop {
            let page = list(client, store, of, &with).expect(200);
            rows.extend(page[of.1].as_array().unwrap().iter().cloned());
            heads.push(head(&page));
            let Some(token) = page.get("next_page_token") else { break };
            with.retain(|(name, _)| *name != "page_token");
            with.push(("page_token", token.clone()));
        }
        heads.dedup();
        assert_eq!(heads.len(), 1, "{heads:?}");
        (rows, heads.remove(0))
    });
    let query = format!("?at_revision={revision}");
    Told { lists: lists.into(), entities: entities(client, store, &query), export: export(client, store, &query) }
}

/// The lists of an earlier revision as lines.
fn lines(client: &Client, store: &str, revision: u64) -> Vec<(Vec<Value>, [Value; 3])> {
    let client = client.header("accept", "application/x-ndjson");
    let told = LISTS.map(|of| {
        let text = list(&client, store, of, &[("at_revision", json!(revision))]).text();
        let mut rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let end = rows.pop().unwrap();
        assert_eq!(end["end"]["rows"], json!(rows.len()), "{end}");
        (rows, head(&end["end"]))
    });
    told.into()
}

/// Small numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// Changes a store in some way.
struct Writer<'a> {
    client: &'a Client,
    store: &'a str,
    dice: Dice,
    entities: BTreeSet<String>,
    links: BTreeSet<String>,
}

impl Writer<'_> {
    fn uid(&mut self) -> String {
        let id = ["1", "2", "3", "a/b", "é"][self.dice.below(5)];
        format!("{}:{id}", ["Doc", "User", "Group"][self.dice.below(3)])
    }

    fn write(&self, body: &Value) {
        self.client.post(&format!("{}/write", self.store), body).expect(200);
    }

    fn step(&mut self) {
        match self.dice.below(7) {
            0 => {
                let (uid, parent, n) = (self.uid(), self.uid(), self.dice.below(100));
                let tags = json!({"t": n});
                let rows = json!([{"uid": uid, "attrs": {"n": n, "deep": {"b": [1, {}]}}, "parents": [format!("In{parent}")], "tags": tags}]);
                self.write(&json!({"entities": {"upsert": rows}}));
                self.entities.insert(uid);
            }
            1 => {
                let uid = self.uid();
                if self.entities.contains(&uid) {
                    let n = self.dice.below(100);
                    self.write(
                        &json!({"entities": {"patch": [{"uid": uid, "set": {"patched": n}, "unset": ["deep"]}]}}),
                    );
                }
            }
            2 => {
                let uid = self.uid();
                self.write(&json!({"entities": {"delete": [uid]}}));
                self.entities.remove(&uid);
            }
            3 => {
                let tuple = self.tuple();
                self.write(&json!({"tuples": {"delete": [tuple], "on_missing": "ignore"}}));
            }
            4 => {
                // One that takes the place of another, in one write.
                let (object, n) = (self.dice.below(3), self.dice.below(9));
                let text = format!("doc:{object}#viewer@user:1");
                let put = json!({"object": format!("doc:{object}"), "relation": "viewer", "subject": "user:1",
                    "condition": {"name": "level", "context": {"n": n}}, "expires_at": "2100-01-01T00:00:00Z"});
                self.write(&json!({"tuples": {"delete": [text], "on_missing": "ignore", "write": [put]}}));
            }
            5 => {
                let tuples: BTreeSet<String> = (0..3).map(|_| self.tuple()).collect();
                let tuples: Vec<&String> = tuples.iter().filter(|tuple| !tuple.ends_with("viewer@user:1")).collect();
                self.write(&json!({"tuples": {"write": tuples, "on_existing": "ignore"}}));
            }
            _ => {
                let id = format!("l{}", self.dice.below(4));
                let path = format!("{}/links/{id}", self.store);
                if self.links.remove(&id) {
                    self.client.delete(&path).expect(204);
                } else {
                    let link = json!({"template": "linked", "principal": self.uid(), "resource": self.uid()});
                    self.client.put(&path, &link).expect(200);
                    self.links.insert(id);
                }
            }
        }
    }

    fn tuple(&mut self) -> String {
        let subject = ["user:1", "user:2", "user:3", "group:1#member", "user:*"][self.dice.below(5)];
        let relation = if subject.starts_with("user:") && !subject.ends_with('*') && self.dice.below(2) == 0 {
            "editor"
        } else {
            "viewer"
        };
        format!("doc:{}#{relation}@{subject}", self.dice.below(3))
    }

    fn apply(&self, n: usize) {
        let more = format!("permit (principal, action, resource) when {{ principal has n{n} }};");
        let policies = json!([
            {"id": "linked", "cedar": "permit (principal == ?principal, action, resource == ?resource);"},
            {"id": format!("p{}", n % 3), "file": "a.cedar", "cedar": more},
            {"id": "z", "cedar": "forbid (principal, action, resource) when { false };"},
        ]);
        let body = json!({"model": MODEL, "policies": policies});
        self.client.post(&format!("{}/apply", self.store), &body).expect(200);
    }
}

#[test]
fn every_revision_is_read_as_it_was() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = store(&client, "past", &json!({}));
    let (entities, links) = (BTreeSet::new(), BTreeSet::new());
    let mut writer = Writer { client: &client, store: &store, dice: Dice(7), entities, links };
    let mut recorded = BTreeMap::new();
    for n in 0..45 {
        if n == 1 {
            // So that every filter finds something.
            writer.write(&json!({"tuples": {"write": ["doc:2#editor@user:1"]}}));
        }
        if n % 9 == 0 {
            writer.apply(n);
        } else {
            writer.step();
        }
        let told = now(&client, &store);
        recorded.insert(told.lists[0].1[0].as_u64().unwrap(), told);
    }
    assert!(recorded.len() > 30, "{}", recorded.len());
    let rows = |told: &Told| told.lists.iter().map(|(rows, _)| rows.len()).collect::<Vec<_>>();
    let most = recorded.values().map(rows).reduce(|a, b| a.iter().zip(b).map(|(a, b)| *a.max(&b)).collect()).unwrap();
    assert!(most.iter().all(|rows| *rows > 0) && most[0] > 4 && most[4] > 4, "{most:?}");
    for (revision, told) in &recorded {
        assert_eq!(then(&client, &store, *revision), *told, "revision {revision}");
        assert_eq!(lines(&client, &store, *revision), told.lists, "revision {revision}");
    }
}

/// Every read that takes a revision, as a status and a code.
fn outcomes(client: &Client, store: &str, revision: &Value) -> Vec<(u16, String)> {
    let lists = LISTS.map(|of| list(client, store, of, &[("at_revision", revision.clone())]).outcome());
    let text = revision.as_str().map_or_else(|| revision.to_string(), str::to_owned);
    let others = ["/export", "/entities/Doc/1"].map(|path| client.get(&format!("{store}{path}?at_revision={text}")));
    lists.into_iter().chain(others.map(|reply| reply.outcome())).collect()
}

#[test]
fn a_revision_that_is_not_there_is_refused_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("authx.toml");
    // A snapshot of so few rows is not made; lists need none.
    std::fs::write(&config, "[limits]\nhistory_rows = 1\n").unwrap();
    let data = dir.path().join("data");
    let mut server = Launch::dev().arg("--config").arg(&config).start_in(&data);
    let client = server.anyone();
    let fresh = store(&client, "fresh", &json!({}));
    let store = store(&client, "past", &json!({}));
    for n in 0..4 {
        let rows = json!([{"uid": "Doc:1", "attrs": {"n": n}}, {"uid": "User:1"}, {"uid": "User:2"}]);
        client.post(&format!("{store}/write"), &json!({"entities": {"upsert": rows}})).expect(200);
    }
    let all = |status: u16, code: &str| vec![(status, code.to_owned()); LISTS.len() + 2];
    for revision in [1, 3, 4] {
        assert_eq!(outcomes(&client, &store, &json!(revision)), all(200, ""), "{revision}");
    }
    for revision in [0, 5, u64::MAX] {
        assert_eq!(outcomes(&client, &store, &json!(revision)), all(404, "not_found"), "{revision}");
    }
    for revision in [json!(-1), json!("x"), json!(1.5), json!("")] {
        assert_eq!(outcomes(&client, &store, &revision), all(400, "malformed_request"), "{revision}");
    }
    // Before its first commit a store has the revision 0 alone.
    assert_eq!(list(&client, &fresh, LISTS[0], &[("at_revision", json!(0))]).expect(200)["entities"], json!([]));
    assert_eq!(list(&client, &fresh, LISTS[0], &[("at_revision", json!(1))]).status, 404);

    // A page token is of one revision.
    let token = |with: &[(&str, Value)]| {
        let with = [with, &[("page_size", json!(1))]].concat();
        list(&client, &store, LISTS[0], &with).expect(200)["next_page_token"].clone()
    };
    let (of_now, of_two) = (token(&[]), token(&[("at_revision", json!(2))]));
    for (token, at, taken) in [
        (&of_two, Some(2), true),
        (&of_two, Some(3), false),
        (&of_two, None, false),
        (&of_now, None, true),
        (&of_now, Some(4), false),
    ] {
        let mut with = vec![("page_token", token.clone())];
        with.extend(at.map(|at| ("at_revision", json!(at))));
        let reply = list(&client, &store, LISTS[0], &with);
        if taken { drop(reply.expect(200)) } else { reply.expect_problem(400, "invalid_page_token") }
    }

    server.kill();
    std::fs::write(&config, "[storage]\nhistory_days = 0\n").unwrap();
    let server = Launch::dev().arg("--config").arg(&config).start_in(&data);
    let client = server.anyone();
    assert_eq!(outcomes(&client, &store, &json!(3)), all(410, "revision_expired"));
    assert_eq!(outcomes(&client, &store, &json!(4)), all(200, ""));
}
