//! Many who write and many who read one store: who has a token sees the write, and revisions have no gaps.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Executor};

use crate::store;
use crate::support::{Client, Launch, Server};

const PAIRS: usize = 64;
const ROUNDS: usize = 16;
/// Of writes that wait for a transaction that another holds.
const HELD: usize = 1_000;

/// A store of users and documents with levels, read by who has the document's.
fn levels(server: &Server, alias: &str) -> (String, u64) {
    let client = server.anyone();
    let store = store(&client, alias, &json!({}));
    let model = "model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define viewer: [user]\n";
    let policy = json!([{"id": "level", "cedar": "permit (principal, action, resource) when { principal.level == resource.level };"}]);
    client.post(&format!("{store}/apply"), &json!({"model": model, "policies": policy})).expect(200);
    let first = client.get(&store).expect(200)["revision"].as_u64().unwrap();
    (store, first)
}

#[test]
fn a_reader_with_the_token_sees_the_write() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let (store, first) = levels(&server, "shared");
    let revisions: Vec<u64> = std::thread::scope(|scope| {
        let pair = |n: usize| {
            let (to, tokens) = std::sync::mpsc::channel::<(usize, Value)>();
            let (writer, reader, store) = (server.anyone(), server.anyone(), store.clone());
            let path = store.clone();
            scope.spawn(move || {
                for (round, token) in tokens {
                    let consistency = json!({"mode": "at_least_as_fresh", "token": token});
                    let body = json!({"principal": format!("User:u{n}"), "action": "read", "resource": format!("Doc:d{n}"), "consistency": consistency});
                    let told = reader.post(&format!("{path}/check"), &body).expect(200);
                    assert_eq!(told["decision"], "allow", "{n} {round}");
                    let body = json!({"subject": format!("user:u{n}"), "relation": "viewer", "object": format!("doc:r{round}"), "consistency": consistency});
                    assert_eq!(reader.post(&format!("{path}/relations/check"), &body).expect(200)["allowed"], true, "{n} {round}");
                }
            });
            scope.spawn(move || {
                let mut revisions = Vec::new();
                for round in 0..ROUNDS {
                    // Each round the levels are equal, and no two rounds have one level.
                    let entity = |uid: String| json!({"uid": uid, "attrs": {"level": n * ROUNDS + round}});
                    let body = json!({"entities": {"upsert": [entity(format!("User:u{n}")), entity(format!("Doc:d{n}"))]},
                        "tuples": {"write": [format!("doc:r{round}#viewer@user:u{n}")]}});
                    let reply = writer.post(&format!("{store}/write"), &body).expect(200);
                    revisions.push(reply["revision"].as_u64().unwrap());
                    to.send((round, reply["consistency_token"].clone())).unwrap();
                }
                revisions
            })
        };
        let writers: Vec<_> = (0..PAIRS).map(pair).collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    let given: BTreeSet<u64> = revisions.iter().copied().collect();
    let writes = (PAIRS * ROUNDS) as u64;
    assert_eq!(given, (first + 1..=first + writes).collect(), "no gaps, none twice");
    // An earlier revision is what its own write left, whatever came after it.
    for n in [0, 17, 40] {
        let earlier = client.post(
            &format!("{store}/check"),
            &json!({"principal": format!("User:u{n}"), "action": "read", "resource": format!("Doc:d{n}"),
            "consistency": {"mode": "at_revision", "revision": revisions[n * ROUNDS + 3]}}),
        );
        assert_eq!(earlier.expect(200)["decision"], "allow", "{n}");
    }
    println!("{PAIRS} writers, {PAIRS} readers, {writes} writes, each seen by its reader");
}

/// What is told of a round's document, and at which revision.
fn told(client: &Client, store: &str, round: usize, consistency: &Value) -> (u64, Value) {
    let body = json!({"principal": "User:u", "action": "read", "resource": "Doc:d", "consistency": consistency});
    let check = client.post(&format!("{store}/check"), &body).expect(200);
    let body = json!({"subject": "user:u", "relation": "viewer", "object": format!("doc:r{round}"), "consistency": consistency});
    let relation = client.post(&format!("{store}/relations/check"), &body).expect(200);
    let revision = check["revision"].as_u64().unwrap();
    assert_eq!(relation["revision"], revision);
    (revision, json!([check["decision"], check["determining_policies"], check["release"], relation["allowed"]]))
}

#[test]
fn a_held_transaction_leaves_no_gap_and_changes_nothing_before_it() {
    let server = Launch::dev().start();
    let (store, mut head) = levels(&server, "held");
    let client = server.anyone();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let database = SqliteConnectOptions::new().filename(server.data_dir().join("authx.db"));
    let mut holder: SqliteConnection = runtime.block_on(database.connect()).unwrap();
    let mut hold = |sql: &'static str| {
        runtime.block_on(holder.execute(sql)).unwrap();
    };
    let latest = json!({"mode": "minimize_latency"});
    let mut recorded = vec![(head, told(&client, &store, 0, &latest).1)];
    for round in 1..=HELD {
        // The levels are equal in every second round.
        let entity = |uid: &str, level: usize| json!({"uid": uid, "attrs": {"level": level}});
        let entities = [entity("User:u", round), entity("Doc:d", round / 2 * 2)];
        let bodies = [
            json!({"entities": {"upsert": entities}}),
            json!({"tuples": {"write": [format!("doc:r{round}#viewer@user:u")]}}),
        ];
        hold("BEGIN IMMEDIATE");
        let mut made = std::thread::scope(|scope| {
            let (server, store) = (&server, &store);
            let write = |body| move || server.anyone().post(&format!("{store}/write"), body).expect(200);
            let writers = bodies.each_ref().map(|body| scope.spawn(write(body)));
            // Who reads waits for nobody, and sees nothing of what is held.
            assert_eq!(told(&client, store, round - 1, &latest), *recorded.last().unwrap(), "{round}");
            hold("COMMIT");
            writers.map(|writer| writer.join().unwrap()["revision"].as_u64().unwrap())
        });
        made.sort_unstable();
        assert_eq!(made, [head + 1, head + 2], "{round}");
        head += 2;
        recorded.push(told(&client, &store, round, &latest));
        assert_eq!(recorded[round].1[0], if round % 2 == 0 { "allow" } else { "deny" });
        assert_eq!((recorded[round].0, &recorded[round].1[3]), (head, &json!(true)));
    }
    for (round, then) in recorded.iter().enumerate() {
        let at = json!({"mode": "at_revision", "revision": then.0});
        assert_eq!(told(&client, &store, round, &at), *then, "{round}");
        assert_eq!(told(&client, &store, round + 1, &at).1[3], false, "{round}");
    }
    println!("{HELD} rounds of a held transaction, {} revisions, each as it was", recorded.len());
}
