//! What holds for every answer: its request's id, its form, its status.

use serde_json::json;

use crate::DEMO;
use crate::support::Launch;

#[test]
fn the_requests_id_comes_back() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let named = client.header("x-request-id", "trace-42");
    let paths = [
        "/livez",
        "/readyz",
        "/metrics",
        "/openapi.yaml",
        DEMO,
        "/v1/stores/ghost",
        "/nowhere",
        "/v1/stores?page_size=0",
    ];
    for path in paths {
        let reply = named.get(path);
        assert_eq!(reply.header("x-request-id"), Some("trace-42"), "{path}");
        if reply.status >= 400 {
            assert_eq!(reply.value()["request_id"], "trace-42", "{path}");
        }
        let (one, other) = (client.get(path), client.get(path));
        assert!(one.header("x-request-id").is_some_and(|id| id.len() >= 16), "{path}");
        assert_ne!(one.header("x-request-id"), other.header("x-request-id"), "{path}");
    }
    let refused = [
        named.delete(&format!("{DEMO}/check")),
        named.send("POST", &format!("{DEMO}/check"), &[], b"{"),
        named.send("POST", &format!("{DEMO}/check"), &[], " ".repeat((1 << 20) + 1).as_bytes()),
    ];
    for reply in refused {
        assert_eq!(reply.header("x-request-id"), Some("trace-42"), "{}", reply.text());
        assert_eq!(reply.value()["request_id"], "trace-42", "{}", reply.text());
    }
    // An id that could forge a line of a log is replaced.
    for odd in ["two words", "", &"x".repeat(200)] {
        let reply = client.header("x-request-id", odd).get("/livez");
        assert!(reply.header("x-request-id").is_some_and(|id| id != odd && !id.is_empty()), "{odd}");
    }
}

#[test]
fn an_error_is_a_problem() {
    let server = Launch::dev().start();
    let client = server.anyone();
    for reply in [
        client.get("/nowhere"),
        client.get("/v1/stores/ghost"),
        client.delete("/livez"),
        client.post("/v1/stores", &json!({})),
    ] {
        let problem = reply.value();
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        assert_eq!(problem["status"], reply.status);
        assert!(problem["type"].as_str().unwrap().ends_with(problem["code"].as_str().unwrap()));
        assert!(problem["title"].is_string() && problem["request_id"].is_string());
    }
}

#[test]
fn a_wrong_method_names_the_right_ones() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let cases = [
        ("GET", format!("{DEMO}/check"), "POST"),
        ("DELETE", format!("{DEMO}/entities"), "GET"),
        ("POST", format!("{DEMO}/policies/x"), "GET, PUT, DELETE"),
        ("PUT", DEMO.to_owned(), "GET, PATCH, DELETE"),
        ("DELETE", "/v1/stores".to_owned(), "GET, POST"),
        ("BREW", "/livez".to_owned(), "GET"),
    ];
    for (method, path, allow) in cases {
        let reply = client.send(method, &path, &[], b"");
        reply.expect_problem(405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some(allow), "{path}");
    }
}

#[test]
fn a_path_that_leads_nowhere_is_absent() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let paths = [
        "/",
        "/v1",
        "/v2/stores",
        "/v1/stores/",
        "/v1/storesx",
        &format!("{DEMO}/nothing"),
        &format!("{DEMO}/check/more"),
        "/%00",
        "/%ff",
        "//",
        "/v1/stores/%2e%2e",
        "/v1/stores/a%2Fb",
    ];
    for path in paths {
        client.get(path).expect_problem(404, "not_found");
    }
}

#[test]
fn the_servers_own_pages_need_no_key() {
    let server = Launch::normal().start();
    let client = server.anyone();
    assert_eq!(client.get("/livez").expect(200)["status"], "ok");
    assert_eq!(client.get("/readyz").expect(200)["status"], "ready");
    assert!(client.get("/docs/").text().contains("swagger"));
    assert!(client.get("/metrics").text().contains("authx_http_request_seconds"));
    assert!(client.get("/openapi.yaml").text().starts_with("openapi: 3.1"));
}
