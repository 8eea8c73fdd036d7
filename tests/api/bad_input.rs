//! No input ends the process, is half applied, or is answered with anything but a problem.

use std::time::Duration;

use serde_json::json;

use crate::support::{Client, Launch, Server};
use crate::{DEMO, store};

/// What is sent, and what must come back.
struct Case {
    what: &'static str,
    method: &'static str,
    path: String,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
}

fn case(
    what: &'static str,
    method: &'static str,
    path: &str,
    body: impl Into<Vec<u8>>,
    status: u16,
    code: &'static str,
) -> Case {
    Case { what, method, path: path.to_owned(), body: body.into(), status, code }
}

/// A check of the demo store with one part replaced.
fn check_with(extra: &str) -> String {
    format!(r#"{{"principal":"User:bob","action":"read","resource":"Document:roadmap",{extra}}}"#)
}

fn apply_policy(text: &str) -> String {
    json!({"policies": [{"id": "hostile", "cedar": text}]}).to_string()
}

fn upsert(entity: &str) -> String {
    format!(r#"{{"entities":{{"upsert":[{entity}]}}}}"#)
}

fn zeros(count: usize) -> String {
    format!("[{}0]", "0,".repeat(count - 1))
}

fn nested(open: &str, close: &str, depth: usize) -> String {
    format!("{}1{}", open.repeat(depth), close.repeat(depth))
}

/// Texts that are no request at all.
fn unreadable() -> Vec<Case> {
    let check = format!("{DEMO}/check");
    let write = format!("{DEMO}/write");
    let malformed = |what, path: &str, body: &[u8]| case(what, "POST", path, body, 400, "malformed_request");
    let deep = 100_000;
    vec![
        malformed("no body", &check, b""),
        malformed("no JSON", &check, b"{"),
        malformed("text behind the JSON", &check, b"{} {}"),
        malformed("an array", &check, b"[]"),
        malformed("a missing field", &check, br#"{"principal":"User:bob","action":"read"}"#),
        malformed("a principal that is a number", &check, br#"{"principal":7,"action":"read","resource":"D:x"}"#),
        malformed("a principal without a type", &check, br#"{"principal":"bob","action":"read","resource":"D:x"}"#),
        malformed(
            "an object of another shape",
            &check,
            br#"{"principal":{"id":"x"},"action":"read","resource":"D:x"}"#,
        ),
        malformed("a context that is a list", &check, check_with(r#""context":[]"#).as_bytes()),
        malformed("entities that are an object", &check, check_with(r#""entities":{}"#).as_bytes()),
        malformed("an unknown mode", &check, check_with(r#""consistency":{"mode":"eventually"}"#).as_bytes()),
        malformed(
            "a mode without its token",
            &check,
            check_with(r#""consistency":{"mode":"at_least_as_fresh"}"#).as_bytes(),
        ),
        malformed("a duplicate field", &check, check_with(r#""action":"write""#).as_bytes()),
        malformed("a duplicate context key", &check, check_with(r#""context":{"mfa":true,"mfa":false}"#).as_bytes()),
        malformed(
            "a duplicate key deep inside",
            &check,
            check_with(r#""context":{"a":[{"b":{"c":1,"c":1}}]}"#).as_bytes(),
        ),
        malformed(
            "a duplicate key of an entity",
            &write,
            upsert(r#"{"uid":"User:x","attrs":{"a":1,"a":2}}"#).as_bytes(),
        ),
        malformed(
            "text that is not UTF-8",
            &check,
            b"{\"principal\":\"User:\xff\xfe\",\"action\":\"read\",\"resource\":\"D:x\"}",
        ),
        malformed("half a surrogate pair", &check, br#"{"principal":"User:\ud800","action":"read","resource":"D:x"}"#),
        malformed(
            "lists nested deep",
            &check,
            check_with(&format!(r#""context":{{"a":{}}}"#, nested("[", "]", deep))).as_bytes(),
        ),
        malformed(
            "objects nested deep",
            &check,
            check_with(&format!(r#""context":{}"#, nested(r#"{"a":"#, "}", deep))).as_bytes(),
        ),
        malformed("only brackets", &check, "[".repeat(deep).as_bytes()),
        malformed(
            "an entity nested deep",
            &write,
            upsert(&format!(r#"{{"uid":"User:x","attrs":{{"a":{}}}}}"#, nested("[", "]", deep))).as_bytes(),
        ),
        malformed("a policy that is a number", &format!("{DEMO}/apply"), br#"{"policies":[7]}"#),
        malformed("a policy without text", &format!("{DEMO}/apply"), br#"{"policies":[{"id":"a"}]}"#),
        malformed(
            "a policy in both forms",
            &format!("{DEMO}/apply"),
            br#"{"policies":[{"id":"a","cedar":"","json":{}}]}"#,
        ),
        malformed("a flag that is no boolean", &format!("{DEMO}/apply?dry_run=maybe"), b"{}"),
        malformed("a store without a name", "/v1/stores", b"{}"),
    ]
}

/// Bodies beyond the limit of their path.
fn too_large() -> Vec<Case> {
    let blank = |bytes: usize| format!("{{{}}}", " ".repeat(bytes));
    let large = |what, path: &str, bytes| case(what, "POST", path, blank(bytes), 413, "body_too_large");
    vec![
        large("a check above 1 MiB", &format!("{DEMO}/check"), 1 << 20),
        large("a store above 1 MiB", "/v1/stores", 1 << 20),
        large("a write above 8 MiB", &format!("{DEMO}/write"), 8 << 20),
        large("an apply above 64 MiB", &format!("{DEMO}/apply"), 64 << 20),
        case(
            "a set of a million in a context",
            "POST",
            &format!("{DEMO}/check"),
            check_with(&format!(r#""context":{{"a":{}}}"#, zeros(1_000_000))),
            413,
            "body_too_large",
        ),
    ]
}

/// Requests that can be read, whose data does not fit. The store `free` has `Folder:product` in `Folder:company`.
#[expect(clippy::too_many_lines, reason = "one table")]
fn ill_fitting(free: &str) -> Vec<Case> {
    let check = format!("{DEMO}/check");
    let (write, free_write) = (format!("{DEMO}/write"), format!("{free}/write"));
    let post = |what, path: &str, body: String, status, code| case(what, "POST", path, body, status, code);
    let chain =
        |uid: &str, parent: &str| format!(r#"{{"uid":"Folder:{uid}","attrs":{{}},"parents":["Folder:{parent}"]}}"#);
    vec![
        post(
            "a context value of the wrong type",
            &check,
            check_with(r#""context":{"mfa":"yes"}"#),
            400,
            "invalid_input",
        ),
        post(
            "an address that is none",
            &check,
            check_with(r#""context":{"ip":{"__extn":{"fn":"ip","arg":"300.0.0.1"}}}"#),
            400,
            "invalid_input",
        ),
        post(
            "an entity sent twice",
            &check,
            check_with(r#""entities":[{"uid":"User:x"},{"uid":"User:x"}]"#),
            400,
            "invalid_input",
        ),
        post(
            "a token of no store",
            &check,
            check_with(r#""consistency":{"mode":"at_least_as_fresh","token":"AAAA"}"#),
            400,
            "invalid_consistency_token",
        ),
        post(
            "a release that does not exist",
            &check,
            check_with(r#""release":"01JD0000000000000000000000""#),
            404,
            "not_found",
        ),
        post(
            "a tuple that the model does not allow",
            &check,
            check_with(r#""tuples":["document:x#parent@user:y"]"#),
            400,
            "invalid_input",
        ),
        post(
            "a large set in a context",
            &format!("{free}/check"),
            check_with(&format!(r#""context":{{"a":{}}}"#, zeros(400_000))),
            422,
            "limit_exceeded",
        ),
        post(
            "a set of a million in an entity",
            &write,
            upsert(&format!(r#"{{"uid":"User:x","attrs":{{"department":{}}}}}"#, zeros(1_000_000))),
            422,
            "invalid_data",
        ),
        post(
            "a set of a million in a free entity",
            &free_write,
            upsert(&format!(r#"{{"uid":"User:x","attrs":{{"a":{}}}}}"#, zeros(1_000_000))),
            422,
            "limit_exceeded",
        ),
        post("an entity of an unknown type", &write, upsert(r#"{"uid":"Ghost:x"}"#), 422, "invalid_data"),
        post("an entity without its attributes", &write, upsert(r#"{"uid":"User:x"}"#), 422, "invalid_data"),
        post(
            "an attribute of the wrong type",
            &write,
            upsert(r#"{"uid":"User:x","attrs":{"department":1,"clearance":1}}"#),
            422,
            "invalid_data",
        ),
        post("an entity written twice", &write, upsert(r#"{"uid":"Role:x"},{"uid":"Role:x"}"#), 422, "invalid_data"),
        post(
            "a parent of a type that may not be one",
            &write,
            upsert(r#"{"uid":"Role:x","parents":["Ghost:bob"]}"#),
            422,
            "invalid_data",
        ),
        post(
            "a parent that a tuple must tell",
            &write,
            upsert(r#"{"uid":"Folder:x","parents":["Folder:company"]}"#),
            422,
            "invalid_data",
        ),
        post("an entity that is its own parent", &free_write, upsert(&chain("x", "x")), 422, "invalid_data"),
        post(
            "a cycle of two",
            &free_write,
            upsert(&format!("{},{}", chain("x", "y"), chain("y", "x"))),
            422,
            "invalid_data",
        ),
        post("a cycle through what is stored", &free_write, upsert(&chain("company", "product")), 422, "invalid_data"),
        post(
            "a chain of 1,500 in one write",
            &free_write,
            upsert(&(0..1_500).map(|i| chain(&i.to_string(), &(i + 1).to_string())).collect::<Vec<_>>().join(",")),
            422,
            "invalid_data",
        ),
        post(
            "more entities than a write has",
            &write,
            upsert(&(0..10_001).map(|i| format!(r#"{{"uid":"Role:{i}"}}"#)).collect::<Vec<_>>().join(",")),
            422,
            "limit_exceeded",
        ),
        post("a name that is empty", "/v1/stores", r#"{"name":""}"#.to_owned(), 400, "invalid_input"),
        post(
            "an alias that is none",
            "/v1/stores",
            r#"{"name":"x","alias":"Not An Alias"}"#.to_owned(),
            400,
            "invalid_input",
        ),
        post(
            "an alias that is taken",
            "/v1/stores",
            r#"{"name":"x","alias":"documents"}"#.to_owned(),
            409,
            "alias_taken",
        ),
        post("a scope that is none", "/v1/keys", r#"{"name":"x","scopes":["root"]}"#.to_owned(), 400, "invalid_input"),
    ]
}

/// Policies and schemas that must be refused, most of them before Cedar's own parser sees them.
fn hostile_releases() -> Vec<Case> {
    let condition = |text: &str| format!("permit (principal, action, resource) when {{ {text} }};");
    let million = format!("[{}]", vec!["1"; 1_000_000].join(","));
    let policies = [
        ("brackets nested deep", condition(&format!("{}true{}", "(".repeat(100_000), ")".repeat(100_000)))),
        ("brackets that never close", "(".repeat(90_000)),
        (
            "a policy of brackets within the size limit",
            condition(&format!("{}true{}", "(".repeat(5_000), ")".repeat(5_000))),
        ),
        ("many negations", condition(&format!("{}true", "!".repeat(90_000)))),
        ("many minus signs", condition(&format!("{}1 == 1", "-".repeat(90_000)))),
        ("a long chain of operators", condition(&vec!["principal has a"; 5_000].join(" && "))),
        ("a long sum", condition(&format!("{} == 1", vec!["1"; 24_000].join("+")))),
        ("a long chain of conditionals", condition(&format!("{}true", "if true then true else ".repeat(4_000)))),
        ("a long path", condition(&format!("principal{}", ".a".repeat(40_000)))),
        ("a set of a million", condition(&format!("{million}.contains(1)"))),
        ("sets nested deep", condition(&format!("{}1{} == 1", "[".repeat(5_000), "]".repeat(5_000)))),
        ("records nested deep", condition(&format!("{}1{} == 1", "{a:".repeat(5_000), "}".repeat(5_000)))),
        ("text that is no policy", "nonsense".to_owned()),
        (
            "two policies under one id",
            "permit(principal,action,resource);\npermit(principal,action,resource);".to_owned(),
        ),
        ("a slot in a condition", condition("principal == ?principal")),
        ("an unknown attribute", condition("principal.wings")),
        ("an unknown type", "permit (principal is Ghost, action, resource);".to_owned()),
    ];
    let schemas = [
        ("a schema that is no schema", "nonsense".to_owned()),
        ("types that are each other", "type A = B; type B = A; entity User { a: A };".to_owned()),
        ("a type that is itself", "type A = Set<A>; entity User { a: A };".to_owned()),
        ("actions that are groups of each other", "entity U; action a in [b] appliesTo { principal: U, resource: U }; action b in [a] appliesTo { principal: U, resource: U };".to_owned()),
        ("a type that nobody declared", "entity User in [Ghost];".to_owned()),
        ("a schema nested deep", format!("entity User {{ a: {}Long{} }};", "Set<".repeat(20_000), ">".repeat(20_000))),
        ("a schema nested deeper", format!("entity User {{ a: {}Long{} }};", "Set<".repeat(200_000), ">".repeat(200_000))),
        ("records in a schema nested deep", format!("entity User {{ a: {}Long{} }};", "{b: ".repeat(20_000), "}".repeat(20_000))),
        ("a schema of 2 MiB", format!("entity User; //{}", " ".repeat(2 << 20))),
    ];
    let apply = |what, body| case(what, "POST", &format!("{DEMO}/apply"), body, 422, "invalid_release");
    let policy = |(what, text): (&'static str, String)| apply(what, apply_policy(&text));
    let schema = |(what, text): (&'static str, String)| {
        apply(what, json!({"schema": {"cedar": text}, "policies": []}).to_string())
    };
    let mut cases: Vec<Case> = policies.into_iter().map(policy).chain(schemas.into_iter().map(schema)).collect();
    let deep = nested(r#"{"!":{"arg":"#, "}}", 10_000).replace('1', r#"{"Value":true}"#);
    let json = format!(
        r#"{{"effect":"permit","principal":{{"op":"All"}},"action":{{"op":"All"}},"resource":{{"op":"All"}},"conditions":[{{"kind":"when","body":{deep}}}]}}"#
    );
    cases.push(case(
        "a policy in JSON nested deep",
        "POST",
        &format!("{DEMO}/apply"),
        format!(r#"{{"policies":[{{"id":"a","json":{json}}}]}}"#),
        400,
        "malformed_request",
    ));
    cases.push(case(
        "a policy in JSON that is none",
        "POST",
        &format!("{DEMO}/apply"),
        r#"{"policies":[{"id":"a","json":{"effect":"maybe"}}]}"#,
        422,
        "invalid_release",
    ));
    cases.push(case(
        "an id that is none",
        "PUT",
        &format!("{DEMO}/policies/a%20b"),
        r#"{"cedar":"permit(principal,action,resource);"}"#,
        422,
        "invalid_release",
    ));
    cases.push(apply("one id twice", json!({"policies": [{"id": "a", "cedar": "permit(principal,action,resource);"}, {"id": "a", "cedar": "forbid(principal,action,resource);"}]}).to_string()));
    cases
}

/// Templates and links that do not fit each other. The demo store has one link, `kept`.
fn misused_templates() -> Vec<Case> {
    let link = |what, body: &str, status, code| case(what, "PUT", &format!("{DEMO}/links/other"), body, status, code);
    let rest = "permit (principal, action, resource is Document) when { principal == resource.owner };";
    vec![
        link(
            "a link to a policy without slots",
            r#"{"template":"owners-do-all","principal":"User:bob","resource":"Document:roadmap"}"#,
            422,
            "invalid_link",
        ),
        link("a slot without a value", r#"{"template":"shared-with","principal":"User:bob"}"#, 422, "invalid_link"),
        link(
            "a value without a slot",
            r#"{"template":"owner-only","principal":"User:bob","resource":"Document:roadmap"}"#,
            422,
            "invalid_link",
        ),
        link(
            "a template that does not exist",
            r#"{"template":"ghost","principal":"User:bob","resource":"Document:roadmap"}"#,
            422,
            "invalid_link",
        ),
        link(
            "a value of an unknown type",
            r#"{"template":"shared-with","principal":"Ghost:x","resource":"Document:roadmap"}"#,
            422,
            "invalid_link",
        ),
        link(
            "a value that is no entity",
            r#"{"template":"shared-with","principal":"bob","resource":"Document:roadmap"}"#,
            400,
            "malformed_request",
        ),
        link("a link without a template", r#"{"principal":"User:bob"}"#, 400, "malformed_request"),
        case(
            "a link under a policy's id",
            "PUT",
            &format!("{DEMO}/links/public-read"),
            r#"{"template":"shared-with","principal":"User:bob","resource":"Document:roadmap"}"#,
            422,
            "invalid_link",
        ),
        case("a link that does not exist", "DELETE", &format!("{DEMO}/links/ghost"), "", 404, "not_found"),
        case(
            "a template with links taken away",
            "DELETE",
            &format!("{DEMO}/policies/shared-with"),
            "",
            409,
            "template_has_links",
        ),
        case(
            "a template with links left out",
            "POST",
            &format!("{DEMO}/apply"),
            json!({"policies": [{"id": "owners", "cedar": rest}]}).to_string(),
            409,
            "template_has_links",
        ),
        case(
            "a template with links made a policy",
            "PUT",
            &format!("{DEMO}/policies/shared-with"),
            json!({"cedar": rest}).to_string(),
            409,
            "template_has_links",
        ),
        case(
            "a template with links that loses a slot",
            "PUT",
            &format!("{DEMO}/policies/shared-with"),
            json!({"cedar": "permit (principal == ?principal, action in Action::\"view\", resource is Document);"})
                .to_string(),
            409,
            "template_has_links",
        ),
    ]
}

/// What must be the same after every refusal.
fn state(client: &Client, free: &str) -> serde_json::Value {
    let mut state = json!({
        "demo": client.get(DEMO).expect(200),
        "free": client.get(free).expect(200),
        "stores": client.get("/v1/stores").expect(200)["stores"].as_array().unwrap().len(),
        "keys": client.get("/v1/keys").expect(200)["keys"].as_array().unwrap().len(),
        "links": client.get(&format!("{DEMO}/links")).expect(200)["links"],
    });
    state["releases"] = client.get(&format!("{DEMO}/releases")).expect(200)["releases"].clone();
    state
}

/// Whether the process lives and answers. One that dies of its stack takes a moment to be gone.
fn alive(server: &mut Server) -> bool {
    let answers = server.anyone().try_send("GET", "/livez", &[], b"").is_some_and(|reply| reply.status == 200);
    answers && server.is_running()
}

/// Whether memory that was freed is given back while ordinary requests go on.
fn settles_below(server: &Server, bytes: u64) -> bool {
    let check = check_with(r#""context":{}"#);
    (0..300).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        server.anyone().send("POST", &format!("{DEMO}/check"), &[], check.as_bytes()).expect(200);
        server.resident_bytes() < bytes
    })
}

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let mut server = Launch::dev().start();
    let client = server.anyone();
    let free = store(&client, "free", &json!({"validation": "off"}));
    let filed = json!({"entities": {"upsert": [{"uid": "Folder:product", "parents": ["Folder:company"]}]}});
    client.post(&format!("{free}/write"), &filed).expect(200);
    let owner_only =
        json!({"cedar": "permit (principal == ?principal, action in Action::\"view\", resource is Document);"});
    client.put(&format!("{DEMO}/policies/owner-only"), &owner_only).expect(200);
    let kept = json!({"template": "shared-with", "principal": "User:cy", "resource": "Document:roadmap"});
    client.put(&format!("{DEMO}/links/kept"), &kept).expect(200);

    let before = state(&client, &free);
    let memory = server.resident_bytes();
    let cases = [unreadable(), too_large(), ill_fitting(&free), hostile_releases(), misused_templates()];
    let mut wrong = Vec::new();
    for Case { what, method, path, body, status, code } in cases.into_iter().flatten() {
        let reply = client.try_send(method, &path, &[("content-type", "application/json")], &body);
        let got = reply.as_ref().map(crate::support::Reply::outcome);
        if got != Some((status, code.to_owned())) {
            let text: String = reply.map(|reply| reply.text().chars().take(300).collect()).unwrap_or_default();
            wrong.push(format!("{what}: expected {status} {code}, got {got:?} {text}"));
        }
        assert!(alive(&mut server), "`{what}` ended the process: {}", server.log());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(state(&client, &free), before);
    client.get("/readyz").expect(200);
    println!("right after: {} MiB more", server.resident_bytes().saturating_sub(memory) >> 20);
    assert!(
        settles_below(&server, memory + (100 << 20)),
        "the process grew by {} MiB",
        (server.resident_bytes() - memory) >> 20
    );
}

#[test]
fn a_chunked_body_has_the_same_limit() {
    let server = Launch::dev().start();
    let client = server.anyone();
    for (path, bytes) in [("check", 1 << 20), ("write", 8 << 20), ("apply", 64 << 20)] {
        let body = " ".repeat(bytes + 1);
        let reply = client.send_chunked("POST", &format!("{DEMO}/{path}"), body.as_bytes());
        reply.expect_problem(413, "body_too_large");
    }
    client.get("/readyz").expect(200);
}

#[test]
fn bytes_that_are_no_request_do_not_end_the_process() {
    let mut server = Launch::dev().start();
    let client = server.anyone();
    for bytes in [
        b"\0\0\0\0\0\0\0\0\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(1 << 20)).into_bytes(),
        format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100_000)).into_bytes(),
        format!("POST {DEMO}/check HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: -1\r\n\r\n").into_bytes(),
        format!("POST {DEMO}/check HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 99999999999999999999\r\n\r\n").into_bytes(),
        format!("POST {DEMO}/check HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{{}}").into_bytes(),
        format!("POST {DEMO}/check HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n").into_bytes(),
    ] {
        if let Some(reply) = client.raw(bytes) {
            assert!((400..500).contains(&reply.status), "{}", reply.text());
        }
    }
    client.get("/readyz").expect(200);
    assert!(server.is_running());
}

#[test]
fn a_field_of_no_meaning_is_skipped_however_deep() {
    let server = Launch::dev().start();
    let client = server.anyone();
    for text in [nested("[", "]", 100_000), nested(r#"{"a":"#, "}", 100_000)] {
        let body = check_with(&format!(r#""ignored":{text}"#));
        let answer = client.send("POST", &format!("{DEMO}/check"), &[], body.as_bytes()).expect(200);
        assert_eq!(answer["decision"], "deny");
    }
}

/// Cedar's parser folds constants, so a long text may be a small policy; all that is done with it must bear its length.
#[test]
fn a_policy_that_was_accepted_can_be_read() {
    let mut server = Launch::dev().start();
    let client = server.anyone();
    let free = store(&client, "free", &json!({"validation": "off"}));
    let repeated =
        [("true", " && "), ("true", " || "), ("1", " + "), ("principal has a", " && "), ("principal has a", " || ")];
    for (part, operator) in repeated {
        for bytes in [10_000, 40_000, 95_000] {
            let condition = vec![part; bytes / (part.len() + operator.len())].join(operator);
            let condition = if operator == " + " { format!("{condition} > 0") } else { condition };
            let body = apply_policy(&format!("permit (principal, action, resource) when {{ {condition} }};"));
            let reply = client.send("POST", &format!("{free}/apply"), &[], body.as_bytes());
            if reply.status == 200 {
                let check = json!({"principal": "User:a", "action": "read", "resource": "Doc:b"});
                client.post(&format!("{free}/check"), &check).expect(200);
                client.get(&format!("{free}/policies")).expect(200);
                let path = format!("{free}/policies/hostile");
                let read = client.try_send("GET", &path, &[], b"");
                assert!(alive(&mut server), "reading {bytes} bytes of `{part}{operator}` ended the process");
                read.unwrap().expect(200);
            } else {
                reply.expect_problem(422, "invalid_release");
            }
        }
    }
    client.get("/readyz").expect(200);
}
