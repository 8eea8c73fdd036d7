//! Crashes, stops and the disk: what was acknowledged is there, and nothing is there by half.
//!
//! `AUTHX_KILL_ROUNDS` says how often the server is killed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test ends where something is not as expected"
)]

mod support;

use std::collections::BTreeMap;
use std::hash::BuildHasher as _;
use std::process::Command;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use support::{Client, Launch, Server, in_ci};

const CLIENTS: usize = 6;
/// Entities that one write puts, under one marker.
const BATCH: usize = 3;
const READY_WITHIN: Duration = Duration::from_secs(2);

/// A write that the server said is done.
struct Acknowledged {
    marker: String,
    revision: u64,
}

fn batch(marker: &str) -> Value {
    let entity = |i| json!({"uid": format!("Item:{marker}-{i}"), "attrs": {"marker": marker}});
    json!({"entities": {"upsert": (0..BATCH).map(entity).collect::<Vec<_>>()}})
}

/// Clients that write until the server is gone.
fn load(server: &Server, store: &str) -> Vec<JoinHandle<Vec<Acknowledged>>> {
    let write = |client: Client, path: String, name: usize| {
        let mut done = Vec::new();
        for i in 0.. {
            let marker = format!("{name}-{i}");
            let body = batch(&marker).to_string();
            let Some(reply) = client.try_send("POST", &path, &[], body.as_bytes()) else { break };
            if reply.status != 200 {
                assert!([429, 503].contains(&reply.status), "{}", reply.text());
                continue;
            }
            done.push(Acknowledged { marker, revision: reply.value()["revision"].as_u64().unwrap() });
        }
        done
    };
    let start = |name| {
        let (client, path) = (server.anyone(), format!("{store}/write"));
        std::thread::spawn(move || write(client, path, name))
    };
    (0..CLIENTS).map(start).collect()
}

fn new_store(client: &Client) -> String {
    let made = client.post("/v1/stores", &json!({"name": "load"})).expect(201);
    format!("/v1/stores/{}", made["id"].as_str().unwrap())
}

/// How many entities each marker has.
fn stored(client: &Client, store: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let mut token = String::new();
    loop {
        let page = client.get(&format!("{store}/entities?page_size=1000{token}")).expect(200);
        for entity in page["entities"].as_array().unwrap() {
            *counts.entry(entity["attrs"]["marker"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        let Some(next) = page["next_page_token"].as_str() else { return counts };
        token = format!("&page_token={next}");
    }
}

/// What was acknowledged is whole; what was not is whole or absent; no revision is lost or given twice.
fn verify(client: &Client, store: &str, acknowledged: &[Acknowledged]) {
    let counts = stored(client, store);
    let partial: Vec<_> = counts.iter().filter(|(_, count)| **count != BATCH).collect();
    assert!(partial.is_empty(), "written by half: {partial:?}");
    for write in acknowledged {
        assert!(counts.contains_key(&write.marker), "acknowledged and lost: {}", write.marker);
        let read = client.get(&format!("{store}/entities/Item/{}-0", write.marker)).expect(200);
        assert_eq!(read["attrs"]["marker"], write.marker);
    }
    let mut revisions: Vec<u64> = acknowledged.iter().map(|write| write.revision).collect();
    revisions.sort_unstable();
    let known = revisions.len();
    revisions.dedup();
    assert_eq!(revisions.len(), known, "two writes had one revision");
    let revision = client.get(store).expect(200)["revision"].as_u64().unwrap();
    assert!(revision >= revisions.last().copied().unwrap_or_default());
    // Every commit of this store is one batch.
    assert_eq!(revision, counts.len() as u64);
}

fn join(load: Vec<JoinHandle<Vec<Acknowledged>>>) -> Vec<Acknowledged> {
    load.into_iter().flat_map(|client| client.join().unwrap()).collect()
}

/// A number below `bound` that differs from run to run.
fn any_below(bound: u64, round: u32) -> u64 {
    std::hash::RandomState::new().hash_one(round) % bound
}

#[test]
fn acknowledged_writes_survive_kill() {
    let rounds = std::env::var_os("AUTHX_KILL_ROUNDS").map_or(20, |text| text.to_str().unwrap().parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut server = Launch::dev().start_in(dir.path());
    let (mut slowest, mut total) = (Duration::ZERO, 0);
    for round in 0..rounds {
        let store = new_store(&server.anyone());
        let delay = Duration::from_micros(any_below(250_000, round));
        let load = load(&server, &store);
        std::thread::sleep(delay);
        server.kill();
        let acknowledged = join(load);
        server = Launch::dev().start_in(dir.path());
        assert!(server.ready_in < READY_WITHIN, "round {round}: ready after {:?}", server.ready_in);
        slowest = slowest.max(server.ready_in);
        total += acknowledged.len();
        println!("round {round}: killed after {delay:?}, {} writes acknowledged", acknowledged.len());
        verify(&server.anyone(), &store, &acknowledged);
        server.anyone().post(&format!("{store}/write"), &batch("after")).expect(200);
    }
    println!("{rounds} kills, {total} writes acknowledged, none lost; slowest start {slowest:?}");
    assert!(total > 0, "no write was acknowledged before any kill");
}

/// A write with an idempotency key, and its answer if one came.
struct Keyed {
    key: String,
    answer: Option<Vec<u8>>,
}

fn send_keyed(client: &Client, path: &str, key: &str) -> Option<support::Reply> {
    client.try_send("POST", path, &[("Idempotency-Key", key)], batch(key).to_string().as_bytes())
}

#[test]
fn a_repeated_request_is_made_once_whatever_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Launch::dev().start_in(dir.path());
    let store = new_store(&server.anyone());
    let path = format!("{store}/write");
    let (mut keys, mut made_unseen) = (0, 0);
    for round in 0..10 {
        let client = |name: usize| {
            let (client, path) = (server.anyone(), path.clone());
            std::thread::spawn(move || {
                let mut sent = Vec::new();
                for i in 0.. {
                    let key = format!("{round}-{name}-{i}");
                    let reply = send_keyed(&client, &path, &key).filter(|reply| reply.status == 200);
                    let gone = reply.is_none();
                    sent.push(Keyed { key, answer: reply.map(|reply| reply.body) });
                    if gone {
                        break;
                    }
                }
                sent
            })
        };
        let load: Vec<_> = (0..CLIENTS).map(client).collect();
        std::thread::sleep(Duration::from_micros(5_000 + any_below(100_000, round)));
        server.kill();
        let sent: Vec<Keyed> = load.into_iter().flat_map(|client| client.join().unwrap()).collect();
        server = Launch::dev().start_in(dir.path());
        let client = server.anyone();
        for Keyed { key, answer } in &sent {
            let reply = send_keyed(&client, &path, key).unwrap();
            assert_eq!(reply.status, 200, "{key}: {}", reply.text());
            let repeated = reply.header("idempotency-replayed") == Some("true");
            match answer {
                Some(answer) => assert!(repeated && reply.body == *answer, "{key}: {}", reply.text()),
                None => made_unseen += usize::from(repeated),
            }
        }
        keys += sent.len() as u64;
        // Every commit of the store is the one of a key.
        assert_eq!(client.get(&store).expect(200)["revision"], keys, "round {round}");
    }
    println!("{keys} requests, {made_unseen} of them made and not answered before a kill, each made once");
}

/// Everything of a list.
fn all(client: &Client, path: &str, list: &str) -> Vec<Value> {
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{path}?page_size=1000{token}")).expect(200);
        found.extend_from_slice(page[list].as_array().unwrap());
        let Some(next) = page["next_page_token"].as_str() else { return found };
        token = format!("&page_token={next}");
    }
}

/// What is made with idempotency keys, and what it is called where it is listed.
const LISTS: [(&str, &str); 2] = [("/v1/stores", "stores"), ("/v1/keys", "keys")];

fn make(client: &Client, kind: usize, key: &str) -> Option<support::Reply> {
    let body = json!({"name": key, "scopes": ["check"]}).to_string();
    client.try_send("POST", LISTS[kind].0, &[("Idempotency-Key", key)], body.as_bytes())
}

#[test]
fn what_is_administered_is_made_once_whatever_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Launch::dev().start_in(dir.path());
    let count = |server: &Server| LISTS.map(|(path, list)| all(&server.anyone(), path, list).len());
    let before = count(&server);
    let (mut asked, mut unseen) = ([0, 0], 0);
    for round in 0..8 {
        let client = |kind: usize| {
            let client = server.anyone();
            std::thread::spawn(move || {
                let mut sent = Vec::new();
                for i in 0.. {
                    let key = format!("{round}-{i}");
                    let reply = make(&client, kind, &key);
                    let gone = reply.is_none();
                    sent.push((kind, key, reply.map(|reply| reply.expect(201)["id"].as_str().unwrap().to_owned())));
                    if gone {
                        break;
                    }
                }
                sent
            })
        };
        let load = [client(0), client(1)];
        std::thread::sleep(Duration::from_micros(5_000 + any_below(100_000, round)));
        server.kill();
        let sent: Vec<_> = load.into_iter().flat_map(|client| client.join().unwrap()).collect();
        server = Launch::dev().start_in(dir.path());
        for (kind, key, made) in sent {
            let reply = make(&server.anyone(), kind, &key).unwrap();
            // The secret of a key is told once; what it made is told again.
            let told = reply.header("idempotency-replayed").is_some() || reply.status == 409;
            assert!(told || (reply.status == 201 && made.is_none()), "{key}: {}", reply.text());
            assert!(made.as_ref().is_none_or(|id| reply.text().contains(id)), "{key}: {}", reply.text());
            asked[kind] += 1;
            unseen += usize::from(told && made.is_none());
        }
        assert_eq!(count(&server), [before[0] + asked[0], before[1] + asked[1]], "round {round}");
    }
    println!("{asked:?} requests, {unseen} of them made and not answered before a kill, each made once");
}

#[test]
fn an_import_that_was_killed_is_gone_on_with() {
    const LINES: usize = 40_000;
    let dir = tempfile::tempdir().unwrap();
    let mut server = Launch::dev().start_in(dir.path());
    let (whole, cut) = (new_store(&server.anyone()), new_store(&server.anyone()));
    let row = |n: usize| json!({"entity": {"uid": format!("Item:i{n:06}"), "attrs": {"n": n}, "parents": [format!("Item:p{}", n % 9)]}});
    let text: Vec<String> = (0..LINES).map(|n| row(n).to_string()).collect();
    let text = text.join("\n");
    let end = server.anyone().send("POST", &format!("{whole}/import"), &[], text.as_bytes());
    assert!(end.status == 200 && end.text().contains(r#""end""#), "{}", end.text());
    let mut kills = 0;
    for round in 0.. {
        let (client, path, text) = (server.anyone(), format!("{cut}/import?id=one"), text.clone());
        let sending = std::thread::spawn(move || client.try_send("POST", &path, &[], text.as_bytes()));
        // Longer and longer: where the machine is slow, the first kills come before anything is written.
        std::thread::sleep(Duration::from_millis(60 + any_below(120, round) + 10 * u64::from(round)));
        let ended = sending.is_finished();
        server.kill();
        let reply = sending.join().unwrap();
        server = Launch::dev().start_in(dir.path());
        if ended && reply.is_some_and(|reply| reply.text().contains(r#""end""#)) {
            break;
        }
        kills += 1;
        let progress = server.anyone().get(&format!("{cut}/import?id=one"));
        println!("kill {kills}: {}", progress.text().trim());
    }
    let export = |store: &str| server.anyone().get(&format!("{store}/export")).text();
    assert!(export(&whole) == export(&cut), "as if it had not been killed");
    println!("{LINES} lines, {kills} kills");
}

/// Every change of a kind that the log has, by what it changed.
fn recorded(client: &Client, action: &str) -> Vec<String> {
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/v1/decisions?kind=change&action={action}&page_size=1000{token}")).expect(200);
        let changes = page["decisions"].as_array().unwrap();
        found.extend(changes.iter().map(|change| change["resource"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_page_token"].as_str() else { return found };
        token = format!("&page_token={next}");
    }
}

#[test]
fn every_change_is_recorded_once_whatever_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("authx.toml");
    // Small segments, so that a kill may find the record of a change in the one before the last.
    std::fs::write(&config, "[decisions]\nsegment_bytes = 4000\n").unwrap();
    let data = dir.path().join("data");
    let start = || Launch::dev().arg("--config").arg(&config).start_in(&data);
    let mut server = start();
    let mut acknowledged: Vec<String> = Vec::new();
    for round in 0..12 {
        let client = |_| {
            let client = server.anyone();
            std::thread::spawn(move || {
                let mut made = Vec::new();
                while let Some(reply) = client.try_send("POST", "/v1/stores", &[], br#"{"name":"s"}"#) {
                    made.push(format!("store:{}", reply.expect(201)["id"].as_str().unwrap()));
                }
                made
            })
        };
        let load: Vec<_> = (0..3).map(client).collect();
        std::thread::sleep(Duration::from_micros(10_000 + any_below(400_000, round)));
        // A look has the log told at once: some kills come into the middle of that.
        let looking = (round % 2 == 0).then(|| {
            let client = server.anyone();
            std::thread::spawn(move || client.try_send("GET", "/v1/decisions?kind=change", &[], b""))
        });
        std::thread::sleep(Duration::from_micros(any_below(8_000, round)));
        server.kill();
        acknowledged.extend(load.into_iter().flat_map(|client| client.join().unwrap()));
        drop(looking.map(JoinHandle::join));
        server = start();
        let client = server.anyone();
        let mut stores = Vec::new();
        let mut token = String::new();
        loop {
            let page = client.get(&format!("/v1/stores?page_size=1000{token}")).expect(200);
            let ids = page["stores"].as_array().unwrap().iter();
            stores.extend(ids.map(|store| format!("store:{}", store["id"].as_str().unwrap())));
            let Some(next) = page["next_page_token"].as_str() else { break };
            token = format!("&page_token={next}");
        }
        let mut told = recorded(&client, "store.create");
        told.sort_unstable();
        stores.sort_unstable();
        assert_eq!(told, stores, "round {round}: what is there was recorded, once");
        assert!(acknowledged.iter().all(|store| told.binary_search(store).is_ok()), "round {round}");
    }
    server.terminate(Duration::from_secs(20));
    let verified =
        Command::new(env!("CARGO_BIN_EXE_authx")).args(["audit", "verify", "--data-dir"]).arg(&data).status();
    assert!(verified.unwrap().success());
    println!("{} changes acknowledged, each recorded once", acknowledged.len());
}

#[test]
fn a_stop_under_load_finishes_what_it_took() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Launch::dev().start_in(dir.path());
    let store = new_store(&server.anyone());
    let load = load(&server, &store);
    std::thread::sleep(Duration::from_millis(500));
    let begun = Instant::now();
    let status = server.terminate(Duration::from_secs(10));
    assert!(status.is_some(), "still running after 10 s: {}", server.log());
    assert_eq!(status.unwrap().code(), Some(0), "{}", server.log());
    let acknowledged = join(load);
    println!("stopped in {:?}, {} writes acknowledged", begun.elapsed(), acknowledged.len());
    assert!(!acknowledged.is_empty());
    server = Launch::dev().start_in(dir.path());
    verify(&server.anyone(), &store, &acknowledged);
}

/// Whether system calls can be watched; without it a developer goes on, CI does not.
fn can_trace() -> bool {
    let works = Command::new("strace").args(["-qq", "-e", "trace=none", "true"]).status().is_ok_and(|s| s.success());
    assert!(works || !in_ci(), "strace is needed in CI");
    if !works {
        println!("skipped: no strace");
    }
    works
}

/// The lines of a trace from the one that holds `from` to the one behind it that holds `to`.
fn between(lines: &[&str], from: &str, to: &str) -> Vec<String> {
    let begin =
        lines.iter().position(|line| line.contains(from)).unwrap_or_else(|| panic!("`{from}` is not in the trace"));
    let rest = &lines[begin..];
    let end = rest.iter().position(|line| line.contains(to)).unwrap_or_else(|| panic!("`{to}` is not in the trace"));
    rest[..end].iter().map(ToString::to_string).collect()
}

#[test]
fn a_write_is_on_the_disk_before_it_is_acknowledged() {
    if !can_trace() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    let calls = "trace=fdatasync,fsync,recvfrom,read,readv,write,sendto,sendmsg,writev";
    let mut server = Launch::dev()
        .under(["strace", "-D", "-f", "-qq", "-s", "200", "-e", calls, "-o", trace.to_str().unwrap()])
        .start_in(&dir.path().join("data"));
    let client = server.anyone();
    let store = new_store(&client);
    for round in 0..5 {
        let path = format!("{store}/write?round={round}");
        client.post(&path, &batch(&round.to_string())).expect(200);
    }
    client
        .put("/v1/stores/documents/policies/traced", &json!({"cedar": "permit (principal, action, resource);"}))
        .expect(200);
    let status = server.terminate(Duration::from_secs(20));
    assert!(status.is_some_and(|status| status.success()));
    std::thread::sleep(Duration::from_millis(200));
    let text = std::fs::read_to_string(&trace).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let arrivals = (0..5).map(|round| format!("/write?round={round} HTTP")).chain(["/policies/traced HTTP".to_owned()]);
    for arrival in arrivals {
        let during = between(&lines, &arrival, "HTTP/1.1 200");
        let synced = during.iter().any(|line| line.contains("sync") && line.trim_end().ends_with("= 0"));
        assert!(synced, "{arrival} was acknowledged before it was on the disk:\n{}", during.join("\n"));
    }
}
