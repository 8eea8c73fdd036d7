//! Many who write and many who read one store: who has a token sees the write, and revisions have no gaps.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::store;
use crate::support::Launch;

const PAIRS: usize = 64;
const ROUNDS: usize = 16;

#[test]
fn a_reader_with_the_token_sees_the_write() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = store(&client, "shared", &json!({}));
    let model = "model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define viewer: [user]\n";
    let policy = json!([{"id": "level", "cedar": "permit (principal, action, resource) when { principal.level == resource.level };"}]);
    client.post(&format!("{store}/apply"), &json!({"model": model, "policies": policy})).expect(200);
    let first = client.get(&store).expect(200)["revision"].as_u64().unwrap();
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
