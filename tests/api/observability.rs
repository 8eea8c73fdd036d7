//! What an operator sees: metrics, readiness, and lines that tell which request they are of.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::DEMO;
use crate::support::{Client, Launch, Server, root};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// The names of the metrics of a table in docs/operations.md, with their labels.
fn documented() -> Vec<(String, Vec<String>)> {
    let text = std::fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let section = text.split("\n## Metrics\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let name = |cell: &str| {
        let (name, labels) = cell.split_once('{').unwrap_or((cell, ""));
        let labels = labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty());
        (name.to_owned(), labels.map(str::to_owned).collect())
    };
    cells.map(name).collect()
}

fn metrics(client: &Client) -> String {
    client.get("/metrics").text()
}

/// The value of a metric, as it is written.
fn value(client: &Client, name: &str) -> String {
    let text = metrics(client);
    let line = text.lines().find(|line| line.split([' ', '{']).next() == Some(name));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).rsplit(' ').next().unwrap().to_owned()
}

/// Waits until something is so.
#[track_caller]
fn until(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn every_metric_is_in_the_table_and_every_row_is_a_metric() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let ask = json!({"principal": "User:alice", "action": "read", "resource": "Document:roadmap"});
    client.post(&format!("{DEMO}/check"), &ask).expect(200);
    client.get("/nowhere/at/all").expect_problem(404, "not_found");
    client.send("BREW", "/nowhere", &[], b"");
    let text = metrics(&client);
    let kinds: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let table = documented();
    for name in &kinds {
        assert!(table.iter().any(|(known, _)| known == name), "docs/operations.md does not have {name}");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is not described");
    }
    for (name, labels) in &table {
        assert!(kinds.contains(&name.as_str()), "/metrics does not have {name}");
        let lines =
            text.lines().filter(|line| line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name}_")));
        for line in lines.filter(|line| line.contains('{')) {
            let sets = line.split_once('{').unwrap().1.rsplit_once('}').unwrap().0;
            let mut found: Vec<&str> = sets.split("\",").filter_map(|set| set.split('=').next()).collect();
            found.retain(|label| *label != "le");
            assert_eq!(found, labels.iter().map(String::as_str).collect::<Vec<_>>(), "{line}");
        }
    }
    for line in [
        r#"authx_http_request_seconds_count{method="POST",route="/v1/stores/{store}/check",status="2xx"} 1"#,
        r#"authx_http_request_seconds_count{method="GET",route="unmatched",status="4xx"} 1"#,
        r#"authx_http_request_seconds_count{method="other",route="unmatched",status="4xx"} 1"#,
        r#"authx_limited_requests_total{limit="rate"} 0"#,
        "authx_stores 1",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} in {text}");
    }
    assert!(
        value(&client, "process_resident_memory_bytes").parse::<f64>().unwrap() > 1e6
            && value(&client, "authx_tuples") != "0"
    );
    // Names of stores are no labels, and neither are paths.
    assert!(!text.contains("documents") && !text.contains("nowhere"), "{text}");
}

/// The stores that have a series of their own, with their bytes, and the bytes of the others.
fn store_bytes(client: &Client) -> (Vec<(String, u64)>, u64) {
    let text = metrics(client);
    let lines = text.lines().filter_map(|line| line.strip_prefix("authx_store_bytes{store=\"")?.split_once("\"} "));
    let mut told: Vec<_> = lines.map(|(store, bytes)| (store.to_owned(), bytes.parse().unwrap())).collect();
    let (name, others) = told.pop().unwrap();
    assert_eq!(name, "other");
    (told, others)
}

#[test]
fn the_largest_stores_are_told_and_who_is_gone_is_not() {
    let server = Launch::normal().start();
    let client = server.admin();
    let made = |n: usize| {
        let id = client.post("/v1/stores", &json!({"name": "s"})).expect(201)["id"].as_str().unwrap().to_owned();
        let entity = json!({"uid": format!("U:{}", "x".repeat(n))});
        client.post(&format!("/v1/stores/{id}/write"), &json!({"entities": {"upsert": [entity]}})).expect(200);
        id
    };
    assert_eq!(store_bytes(&client), (vec![], 0));
    // `U` and as many bytes as the id has.
    let stores: Vec<(String, u64)> = (1..=22).map(|n: usize| (made(n), 1 + n as u64)).rev().collect();
    assert_eq!(store_bytes(&client), (stores[..20].to_vec(), 3 + 2));
    client.delete(&format!("/v1/stores/{}", stores[0].0)).expect(204);
    assert_eq!(store_bytes(&client), (stores[1..21].to_vec(), 2));
}

#[test]
fn refusals_and_timeouts_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("authx.toml");
    std::fs::write(&config, "[server]\nrequest_timeout_seconds = 1\n[tenants]\nrequests_per_second = 1\n").unwrap();
    let server = Launch::normal().arg("--config").arg(&config).start_in(&dir.path().join("data"));
    let (admin, anyone) = (server.admin(), server.anyone());
    until("a request is refused", || admin.get("/v1/whoami").status == 429);
    let refused = |text: &str| {
        text.lines()
            .any(|line| line.starts_with(r#"authx_limited_requests_total{limit="rate"} "#) && !line.ends_with(" 0"))
    };
    assert!(refused(&metrics(&anyone)));
    let id = server.keys()["tenant"].as_str().unwrap().to_owned();
    let operator = server.platform().header("authx-tenant", &id);
    let late = operator.raw(
        format!(
            "POST /v1/stores HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-length: 9\r\n\r\n",
            server.keys()["platform_key"].as_str().unwrap()
        )
        .into_bytes(),
    );
    late.unwrap().expect_problem(408, "request_timeout");
    let line = r#"authx_http_request_seconds_count{method="POST",route="timed out",status="4xx"} 1"#;
    assert!(metrics(&anyone).contains(line));
}

/// A server whose log is JSON and whose decision log cannot be read.
fn broken(dir: &Path, format: &str) -> Server {
    let config = dir.join("authx.toml");
    std::fs::write(&config, format!("[log]\nformat = \"{format}\"\n")).unwrap();
    let data = dir.join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("decisions"), "no folder").unwrap();
    Launch::normal().arg("--config").arg(&config).start_in(&data)
}

#[test]
fn lines_tell_which_request_they_are_of() {
    let sent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    for (format, traceparent) in
        [("json", Some(sent.as_str())), ("text", Some(sent.as_str())), ("json", Some("00-nonsense")), ("json", None)]
    {
        let dir = tempfile::tempdir().unwrap();
        let server = broken(dir.path(), format);
        let path = crate::store(&server.admin(), "plans", &json!({"validation": "off"}));
        let mut client = server.admin().header("x-request-id", "say\"this");
        if let Some(traceparent) = traceparent {
            client = client.header("traceparent", traceparent);
        }
        let ask = json!({"principal": "User:a", "action": "read", "resource": "Doc:b"});
        let reply = client.post(&format!("{path}/check"), &ask);
        reply.expect_problem(503, "decision_not_recorded");
        assert_eq!((reply.header("x-request-id"), reply.header("traceparent")), (Some("say\"this"), None));
        until("the fault is logged", || server.log().contains("the decision log cannot be opened"));
        let log = server.log();
        let line = log.lines().find(|line| line.contains("the decision log cannot be opened")).unwrap();
        let trace = if format == "json" {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["request_id"], "say\"this");
            line["trace_id"].as_str().unwrap().to_owned()
        } else {
            assert!(line.contains(" request_id=say\"this "), "{line}");
            line.rsplit("trace_id=").next().unwrap().to_owned()
        };
        assert_eq!(trace.len(), 32, "{line}");
        assert_eq!(trace == TRACE, traceparent == Some(sent.as_str()), "{line}");
    }
}

fn readiness(client: &Client) -> (u16, Value) {
    let reply = client.get("/readyz");
    (reply.status, reply.value())
}

fn reasons(client: &Client) -> Vec<String> {
    let (status, body) = readiness(client);
    let reasons: Vec<String> =
        body["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect();
    let expected = if reasons.is_empty() { (200, "ready") } else { (503, "not_ready") };
    assert_eq!((status, body["status"].as_str().unwrap()), expected);
    reasons
}

#[test]
fn a_decision_log_that_cannot_be_written_is_not_ready_until_it_can() {
    let server = Launch::dev().start();
    let client = server.anyone();
    assert_eq!(readiness(&client), (200, json!({"status": "ready", "reasons": []})));
    let ask = json!({"principal": "User:alice", "action": "read", "resource": "Document:roadmap"});
    client.post(&format!("{DEMO}/check"), &ask).expect(200);
    until("the decision is written", || value(&client, "authx_decision_log_records_total") != "0");
    // Its files cannot be opened in what is no folder.
    let logs = std::fs::read_dir(server.data_dir().join("decisions")).unwrap().map(|entry| entry.unwrap().path());
    // The platform's comes first.
    let tenant = logs.max().unwrap();
    let aside = server.data_dir().join("aside");
    std::fs::rename(&tenant, &aside).unwrap();
    std::fs::write(&tenant, "no folder").unwrap();
    client.post(&format!("{DEMO}/check"), &ask).expect(200);
    until("the log fails", || reasons(&client) == ["decision_log_not_writable"]);
    assert_eq!(value(&client, "authx_decision_log_failing"), "1");
    until("what was not written waits", || value(&client, "authx_decision_log_queue_records") != "0");
    assert!(value(&client, "authx_decision_log_errors_total") != "0");
    std::fs::remove_file(&tenant).unwrap();
    std::fs::rename(&aside, &tenant).unwrap();
    until("the log is written again", || reasons(&client).is_empty());
    until("nothing waits", || value(&client, "authx_decision_log_queue_records") == "0");
}

#[test]
fn a_database_that_takes_no_writes_is_not_ready_until_it_does() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let write = json!({"entities": {"upsert": [{"uid": "Role:new"}]}});
    // Another process holds the database's only place for a writer, for as long as its input is open.
    let script = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\nc.execute('begin immediate')\nprint('held', flush=True)\nsys.stdin.read()\n";
    let mut holder = Command::new("python3")
        .args(["-c", script, server.data_dir().join("authx.db").to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(holder.stdout.take().unwrap()), &mut line).unwrap();
    assert_eq!(line, "held\n");
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| client.post(&format!("{DEMO}/write"), &write));
        until("the write waits", || value(&client, "authx_write_queue_writes") == "1");
        assert_eq!(value(&client, "authx_write_queue_longest"), "1");
        until("it waits for a while", || value(&client, "authx_write_queue_oldest_seconds") != "0");
        assert!(reasons(&client).is_empty());
        writing.join().unwrap().expect_problem(503, "storage_unavailable");
    });
    assert_eq!(reasons(&client), ["storage_not_writable"]);
    drop(holder.stdin.take());
    holder.wait().unwrap();
    until("it takes writes again", || reasons(&client).is_empty());
    client.post(&format!("{DEMO}/write"), &write).expect(200);
    until("nothing waits", || value(&client, "authx_write_queue_writes") == "0");
}

#[test]
fn a_server_that_is_told_to_end_says_so_while_it_still_answers() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("authx.toml");
    std::fs::write(&config, "[server]\ndrain_seconds = 60\n").unwrap();
    let mut server = Launch::dev().arg("--config").arg(&config).start_in(&dir.path().join("data"));
    let client = server.anyone();
    assert!(server.terminate(Duration::from_millis(1)).is_none());
    until("it is not ready", || reasons(&client) == ["draining"]);
    client.get(DEMO).expect(200);
    client.get("/livez").expect(200);
    // A second word ends it at once.
    assert!(server.terminate(Duration::from_secs(30)).unwrap().success());
}
