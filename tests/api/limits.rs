//! What a tenant may ask a second and at once, and how much its stores may hold.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::relations::MODEL;
use crate::store;
use crate::support::{Client, Launch, Reply, Server};

/// More requests than any limit here lets through while they are sent.
const MANY: usize = 60;

struct Tenant {
    path: String,
    key: String,
    client: Client,
    platform: Client,
}

impl Tenant {
    fn new(server: &Server, name: &str) -> Self {
        let platform = server.platform();
        let made = platform.post("/v1/tenants", &json!({"name": name})).expect(201);
        let key = made["admin_key"]["secret"].as_str().unwrap().to_owned();
        let path = format!("/v1/tenants/{}", made["id"].as_str().unwrap());
        Self { path, client: server.with_key(&key), key, platform }
    }

    fn limit(&self, limits: &Value) -> Value {
        self.platform.json("PATCH", &self.path, &json!({"limits": limits})).expect(200)["limits"].clone()
    }

    /// Asks until it is refused; how often it was let in before.
    fn spend(&self, path: &str) -> (usize, Reply) {
        let refused = (0..MANY).map(|_| self.client.get(path)).enumerate().find(|(_, reply)| reply.status == 429);
        refused.expect("the tenant is refused at some time")
    }

    /// Sends all of a request but its body, which keeps it in work.
    fn begin(&self, server: &Server) -> Held {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let head = format!(
            "POST /v1/stores HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {}\r\ncontent-length: 4\r\n\r\n",
            self.key
        );
        stream.write_all(head.as_bytes()).unwrap();
        Held(stream)
    }

    /// Asks until there is no place left: those that are held may be on their way yet, and one that came while another
    /// request had its place was refused, and is sent again.
    fn refused(&self, server: &Server, ask: &str, held: &mut [Held]) -> Reply {
        for _ in 0..100_000 {
            let reply = self.client.get(ask);
            if reply.status == 429 {
                return reply;
            }
            for one in held.iter_mut().filter(|one| one.is_answered()) {
                *one = self.begin(server);
            }
        }
        panic!("nothing is refused while {} requests are held", held.len());
    }
}

struct Held(TcpStream);

impl Held {
    fn is_answered(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let answered = self.0.peek(&mut [0]).is_ok();
        self.0.set_nonblocking(false).unwrap();
        answered
    }

    fn end(mut self) -> String {
        self.0.write_all(b"null").unwrap();
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        text
    }
}

fn fields(reply: &Reply) -> [Option<&str>; 3] {
    ["ratelimit-policy", "ratelimit", "retry-after"].map(|name| reply.header(name))
}

#[test]
fn a_rate_lets_its_burst_in_and_tells_what_is_left() {
    let server = Launch::normal().start();
    let tenant = Tenant::new(&server, "acme");
    let other = Tenant::new(&server, "other");
    assert_eq!(fields(&tenant.client.get("/v1/whoami")), [None, None, None]);
    for (limits, path, least, first, code) in [
        (
            json!({"requests_per_second": 1}),
            "/v1/whoami",
            1,
            [r#""rate";q=1;w=1"#, r#""rate";r=0;t=1"#],
            "rate_limited",
        ),
        (json!({"burst": 4}), "/v1/whoami", 4, [r#""rate";q=4;w=4"#, r#""rate";r=3;t=1"#], "rate_limited"),
        (json!({"burst": 5}), "/v1/stores/nowhere", 5, [r#""rate";q=5;w=5"#, r#""rate";r=4;t=1"#], "rate_limited"),
        (json!({"burst": 6}), "/stores", 6, [r#""rate";q=6;w=6"#, r#""rate";r=5;t=1"#], "rate_limit_exceeded"),
        (
            json!({"requests_per_second": 2, "burst": 7, "concurrency": 9}),
            "/stores/nowhere",
            7,
            [r#""rate";q=7;w=4, "concurrency";q=9;qu="concurrent-requests""#, r#""rate";r=6;t=1, "concurrency";r=8"#],
            "rate_limit_exceeded",
        ),
    ] {
        tenant.limit(&limits);
        let reply = tenant.client.get(path);
        assert_eq!(fields(&reply), [Some(first[0]), Some(first[1]), None], "{limits}: {}", reply.text());
        let (more, refused) = tenant.spend(path);
        assert!(more + 1 >= least, "{limits}: {more}");
        assert_eq!(refused.outcome(), (429, code.to_owned()));
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert!(refused.header("ratelimit").unwrap().starts_with(r#""rate";r=0;t=1"#), "{limits}");
        assert!(refused.text().contains("requests_per_second"), "{}", refused.text());
        for reply in (0..10).map(|_| other.client.get(path)) {
            assert_ne!(reply.status, 429);
            assert_eq!(fields(&reply), [None, None, None]);
        }
    }
    // The operator is not the tenant, and without a rate nothing is told.
    let id = tenant.path.rsplit('/').next().unwrap();
    let operator = tenant.platform.header("authx-tenant", id);
    assert!((0..MANY).all(|_| fields(&operator.get("/v1/stores")) == [None; 3]));
    let cleared = json!({"requests_per_second": null, "burst": null, "concurrency": null});
    assert_eq!(tenant.limit(&cleared), json!({"stores": 100_000}));
    for reply in (0..MANY).map(|_| tenant.client.get("/v1/whoami")) {
        assert_eq!((reply.status, fields(&reply)), (200, [None; 3]));
    }
}

#[test]
fn who_is_not_known_costs_nobody() {
    let server = Launch::normal().start();
    let tenant = Tenant::new(&server, "acme");
    tenant.limit(&json!({"requests_per_second": 1, "burst": 2}));
    for client in [server.anyone(), server.with_key("axk_wrong"), server.with_key(&tenant.key[..20])] {
        for reply in (0..10).map(|_| client.get("/v1/whoami")) {
            reply.expect_problem(401, "unauthenticated");
            assert_eq!(fields(&reply), [None; 3]);
        }
    }
    assert_eq!(tenant.client.get("/v1/whoami").header("ratelimit"), Some(r#""rate";r=1;t=1"#));
}

#[test]
fn no_more_requests_are_in_work_than_may_be() {
    let server = Launch::normal().start();
    let (tenant, other) = (Tenant::new(&server, "acme"), Tenant::new(&server, "other"));
    let path = store(&tenant.client, "plans", &json!({"validation": "off"}));
    for (limit, openfga) in [(1, false), (2, true)] {
        assert_eq!(tenant.limit(&json!({"concurrency": limit})), json!({"stores": 100_000, "concurrency": limit}));
        let mut held: Vec<Held> = (0..limit).map(|_| tenant.begin(&server)).collect();
        let ask = if openfga { "/stores" } else { "/v1/stores" };
        let refused = tenant.refused(&server, ask, &mut held);
        let code = if openfga { "rate_limit_exceeded" } else { "too_many_requests" };
        assert_eq!(refused.outcome(), (429, code.to_owned()));
        let policy = format!(r#""concurrency";q={limit};qu="concurrent-requests""#);
        assert_eq!(fields(&refused), [Some(policy.as_str()), Some(r#""concurrency";r=0"#), Some("1")]);
        other.client.get(ask).expect(200);
        for one in held {
            let text = one.end();
            assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
        }
        tenant.client.get(ask).expect(200);
    }
    // Who has its answer is not in work.
    assert_eq!(tenant.limit(&json!({"concurrency": 1}))["concurrency"], 1);
    for _ in 0..200 {
        tenant.client.get("/v1/whoami").expect(200);
    }
    // Who waits for changes is not in work: the write is let in, and is what the other waits for.
    tenant.client.put(&format!("{path}/model"), &json!({"dsl": MODEL})).expect(200);
    tenant.limit(&json!({"concurrency": 1}));
    let insist = |ask: &dyn Fn() -> Reply| (0..100_000).map(|_| ask()).find(|reply| reply.status != 429).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| insist(&|| tenant.client.get(&format!("{path}/changes?wait=20"))));
        std::thread::sleep(Duration::from_millis(300));
        let data = json!({"tuples": {"write": ["document:plan#owner@user:ann"]}});
        insist(&|| tenant.client.post(&format!("{path}/write"), &data)).expect(200);
        assert_eq!(waiting.join().unwrap().expect(200)["changes"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn a_limit_may_be_everybodys() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("authx.toml");
    std::fs::write(&config, "[tenants]\nstores = 0\nrequests_per_second = 5\nburst = 9\nentities = 1\n").unwrap();
    let mut server = Launch::normal().arg("--config").arg(&config).start_in(&dir.path().join("data"));
    let all = json!({"requests_per_second": 5, "burst": 9, "entities": 1});
    let tenant = Tenant::new(&server, "acme");
    let (others_rate, own) = (json!({"requests_per_second": 5, "burst": 9, "entities": 1}), json!({"entities": 7}));
    assert_eq!(tenant.platform.get(&tenant.path).expect(200)["limits"], all);
    assert_eq!(
        tenant.limit(&json!({"requests_per_second": 7, "stores": 3})),
        json!({"stores": 3, "requests_per_second": 7, "entities": 1})
    );
    assert_eq!(fields(&tenant.client.get("/v1/whoami"))[0], Some(r#""rate";q=7;w=1"#));
    assert_eq!(fields(&server.admin().get("/v1/whoami"))[0], Some(r#""rate";q=9;w=2"#));
    tenant.limit(&own);
    server.kill();
    // What was set and what is everybody's hold after a start.
    let server = Launch::normal().arg("--config").arg(&config).start_in(&dir.path().join("data"));
    let (tenant, platform) = (tenant.client.at(server.address()), server.platform());
    assert_eq!(fields(&tenant.get("/v1/whoami"))[0], Some(r#""rate";q=7;w=1"#));
    assert_eq!(fields(&server.admin().get("/v1/whoami"))[0], Some(r#""rate";q=9;w=2"#));
    let limits = platform.get("/v1/tenants").expect(200)["tenants"].clone();
    assert!(limits.as_array().unwrap().iter().any(|one| one["limits"] == others_rate), "{limits}");
    assert!(limits.as_array().unwrap().iter().any(|one| one["limits"]["entities"] == 7), "{limits}");
}

#[test]
fn a_limit_that_is_none_is_refused() {
    let server = Launch::normal().start();
    let tenant = Tenant::new(&server, "acme");
    for (name, value) in [
        ("requests_per_second", json!(0)),
        ("burst", json!(0)),
        ("concurrency", json!(0)),
        ("concurrency", json!(-1)),
        ("entities", json!("many")),
        ("tuples", json!(1.5)),
        ("bytes", json!(-1)),
        ("size", json!(1)),
    ] {
        let refused = tenant.platform.json("PATCH", &tenant.path, &json!({"limits": {name: value}}));
        refused.expect_problem(400, "malformed_request");
    }
    assert_eq!(tenant.platform.get(&tenant.path).expect(200)["limits"], json!({"stores": 100_000}));
}

#[test]
fn a_store_holds_no_more_than_it_may() {
    let server = Launch::normal().start();
    let tenant = Tenant::new(&server, "acme");
    let path = store(&tenant.client, "plans", &json!({"validation": "off"}));
    let policy = |id: &str| json!({"id": id, "cedar": "permit (principal, action, resource);"});
    let id = tenant.client.get(&path).expect(200)["id"].as_str().unwrap().to_owned();
    tenant.client.post(&format!("{path}/apply"), &json!({"model": MODEL, "policies": [policy("one")]})).expect(200);
    let entity = |id: &str| json!({"uid": format!("User:{id}")});
    let tuple = |id: &str| json!(format!("document:{id}#owner@user:ann"));
    let openfga = |id: &str| json!({"writes": {"tuple_keys": [{"user": "user:ann", "relation": "owner", "object": format!("document:{id}")}]}});
    assert_eq!(tenant.limit(&json!({"entities": 2, "tuples": 1, "policies": 2}))["tuples"], 1);
    let steps: [Step; 19] = [
        ("POST", "/write", json!({"entities": {"upsert": [entity("a"), entity("b")]}}), 200, ""),
        ("POST", "/write", json!({"entities": {"upsert": [entity("a")]}}), 200, ""),
        (
            "POST",
            "/write",
            json!({"entities": {"upsert": [entity("c")]}}),
            422,
            "2 entities and would have 3; the tenant's limit `entities` is 2",
        ),
        ("POST", "/write", json!({"entities": {"upsert": [entity("c")], "delete": ["User:a"]}}), 200, ""),
        (
            "POST",
            "/write",
            json!({"tuples": {"write": [tuple("a"), tuple("b")]}}),
            422,
            "0 tuples and would have 2; the tenant's limit `tuples` is 1",
        ),
        ("POST", "/write", json!({"tuples": {"write": [tuple("a")]}}), 200, ""),
        ("POST", "fga", openfga("b"), 400, "1 tuples and would have 2; the tenant's limit `tuples` is 1"),
        ("POST", "/write", json!({"tuples": {"write": [tuple("b")], "delete": [tuple("a")]}}), 200, ""),
        ("PUT", "/policies/two", json!({"cedar": "permit (principal, action, resource);"}), 200, ""),
        (
            "PUT",
            "/policies/three",
            json!({"cedar": "permit (principal, action, resource);"}),
            422,
            "2 policies and would have 3; the tenant's limit `policies` is 2",
        ),
        (
            "POST",
            "/apply?dry_run=true",
            json!({"policies": [policy("1"), policy("2"), policy("3")]}),
            422,
            "2 policies and would have 3",
        ),
        (
            "POST",
            "/releases",
            json!({"policies": [policy("1"), policy("2"), policy("3")]}),
            422,
            "2 policies and would have 3",
        ),
        ("limit", "", json!({"entities": 0, "tuples": 0, "policies": 0}), 200, ""),
        ("POST", "/write", json!({"entities": {"upsert": [entity("b")]}}), 200, ""),
        ("POST", "/write", json!({"entities": {"upsert": [entity("d")], "delete": ["User:b"]}}), 200, ""),
        ("POST", "/write", json!({"tuples": {"delete": [tuple("b")]}}), 200, ""),
        ("POST", "/write", json!({"tuples": {"write": [tuple("b")]}}), 422, "`tuples` is 0"),
        ("DELETE", "/policies/two", json!({}), 204, ""),
        ("PUT", "/policies/two", json!({"cedar": "permit (principal, action, resource);"}), 422, "`policies` is 0"),
    ];
    take(&tenant, &path, &id, steps);
}

/// A request to a store, its status, and what its answer says; `limit` sets limits, `fga` writes by OpenFGA's API.
type Step = (&'static str, &'static str, Value, u16, &'static str);

fn take(tenant: &Tenant, path: &str, id: &str, steps: impl IntoIterator<Item = Step>) {
    for (method, rest, body, status, message) in steps {
        if method == "limit" {
            tenant.limit(&body);
            continue;
        }
        let path = if rest == "fga" { format!("/stores/{id}/write") } else { format!("{path}{rest}") };
        let reply = tenant.client.json(method, &path, &body);
        assert_eq!(reply.status, status, "{method} {rest} {body}: {}", reply.text());
        assert!(reply.text().contains(message), "{method} {rest} {body}: {}", reply.text());
        assert!(status != 422 || reply.value()["code"] == "limit_exceeded", "{}", reply.text());
    }
}

#[test]
fn a_store_holds_no_more_bytes_than_it_may() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Launch::normal().start_in(dir.path());
    let tenant = Tenant::new(&server, "acme");
    let path = store(&tenant.client, "plans", &json!({"validation": "off"}));
    let template = json!({"id": "t", "cedar": "permit (principal == ?principal, action, resource);"});
    tenant.client.post(&format!("{path}/apply"), &json!({"model": MODEL, "policies": [template]})).expect(200);
    let id = tenant.client.get(&path).expect(200)["id"].as_str().unwrap().to_owned();
    // `User`, one letter and `name`: nine bytes, and as many as the name has.
    let named = |id: &str, bytes: usize| json!({"entities": {"upsert": [{"uid": format!("User:{id}"), "attrs": {"name": "n".repeat(bytes)}}]}});
    let tuple = json!("document:plan#owner@user:ann");
    let openfga =
        json!({"writes": {"tuple_keys": [{"user": "user:ann", "relation": "owner", "object": "document:map"}]}});
    let link = json!({"template": "t", "principal": "User:a"});
    let steps: [Step; 13] = [
        ("POST", "/write", named("a", 10), 200, ""),
        ("limit", "", json!({"bytes": 60}), 200, ""),
        ("POST", "/write", json!({"tuples": {"write": [tuple]}}), 200, ""),
        (
            "POST",
            "/write",
            named("b", 20),
            422,
            "the store has 43 bytes and would have 72; the tenant's limit `bytes` is 60",
        ),
        ("POST", "/write", named("a", 28), 422, "43 bytes and would have 61"),
        ("POST", "/write", named("a", 27), 200, ""),
        ("PUT", "/links/l", link.clone(), 422, "60 bytes and would have 67"),
        ("POST", "fga", openfga, 400, "60 bytes and would have 83"),
        ("limit", "", json!({"bytes": 67}), 200, ""),
        ("PUT", "/links/l", link, 200, ""),
        ("limit", "", json!({"bytes": 0}), 200, ""),
        ("POST", "/write", named("a", 27), 200, ""),
        ("POST", "/write", named("a", 26), 200, ""),
    ];
    take(&tenant, &path, &id, steps);
    let held = |client: &Client| {
        let store = client.get(&path).expect(200);
        ["entities", "tuples", "policies", "bytes"].map(|what| store[what].as_u64().unwrap())
    };
    assert_eq!(held(&tenant.client), [1, 1, 1, 66]);
    server.kill();
    let server = Launch::normal().start_in(dir.path());
    assert_eq!(held(&tenant.client.at(server.address())), [1, 1, 1, 66]);
}
