//! Releases: applied whole or not at all, compared, and taken back.

use serde_json::{Value, json};

use crate::support::{Client, Launch};
use crate::{DEMO, store};

const SCHEMA: &str = "entity User { age: Long }; entity Doc; action read appliesTo { principal: User, resource: Doc };";

fn permit(id: &str) -> Value {
    json!({"id": id, "cedar": "permit (principal, action, resource);"})
}

fn active(client: &Client, store: &str) -> (Value, Value) {
    let read = client.get(store).expect(200);
    (read["release"].clone(), read["revision"].clone())
}

fn policy_ids(client: &Client, store: &str) -> Value {
    let listed = client.get(&format!("{store}/policies")).expect(200);
    listed["policies"].as_array().unwrap().iter().map(|policy| policy["id"].clone()).collect()
}

#[test]
fn a_release_is_applied_compared_and_taken_back() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = store(&client, "plans", &json!({}));
    let at = |rest: &str| format!("{store}/{rest}");
    let first = client
        .post(&at("apply"), &json!({"schema": {"cedar": SCHEMA}, "policies": [permit("a"), permit("b")]}))
        .expect(200);
    assert_eq!((&first["changed"], &first["diff"]["added"]), (&json!(true), &json!(["a", "b"])));
    assert_eq!(active(&client, &store), (first["release"].clone(), first["revision"].clone()));

    // A dry run tells the difference and changes nothing.
    let proposal = json!({"policies": [permit("b"), permit("c")]});
    let dry = client.post(&at("apply?dry_run=true"), &proposal).expect(200);
    assert_eq!(
        (&dry["dry_run"], &dry["diff"]["added"], &dry["diff"]["removed"]),
        (&json!(true), &json!(["c"]), &json!(["a"]))
    );
    assert_eq!(active(&client, &store), (first["release"].clone(), first["revision"].clone()));
    assert_eq!(client.get(&at("releases")).expect(200)["releases"].as_array().unwrap().len(), 1);

    // A part left out stays: the schema.
    let second = client.post(&at("apply"), &proposal).expect(200);
    assert_eq!(second["diff"], dry["diff"]);
    assert_eq!(client.get(&at("schema")).expect(200)["cedar"], SCHEMA);
    assert_eq!(policy_ids(&client, &store), json!(["b", "c"]));
    let again = client.post(&at("apply"), &proposal).expect(200);
    assert_eq!(
        (&again["changed"], &again["release"], &again["revision"]),
        (&json!(false), &second["release"], &second["revision"])
    );

    let (old, new) = (first["release"].as_str().unwrap(), second["release"].as_str().unwrap());
    let forth = client.get(&at(&format!("releases/{new}/diff?against={old}"))).expect(200);
    assert_eq!((&forth["added"], &forth["removed"]), (&json!(["c"]), &json!(["a"])));
    let back = client.get(&at(&format!("releases/{old}/diff"))).expect(200);
    assert_eq!((&back["added"], &back["removed"]), (&json!(["a"]), &json!(["c"])));

    let taken_back = client.send("POST", &at(&format!("releases/{old}/activate")), &[], b"").expect(200);
    assert_eq!(taken_back["release"], old);
    assert_eq!(policy_ids(&client, &store), json!(["a", "b"]));
    let releases = client.get(&at("releases")).expect(200);
    let shown: Vec<(Value, Value)> =
        releases["releases"].as_array().unwrap().iter().map(|r| (r["id"].clone(), r["active"].clone())).collect();
    assert_eq!(shown, [(json!(new), json!(false)), (json!(old), json!(true))]);
    client.get(&at("releases/01JD0000000000000000000000")).expect_problem(404, "not_found");
}

#[test]
fn a_release_is_applied_only_over_the_one_that_was_seen() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = store(&client, "plans", &json!({}));
    let apply = format!("{store}/apply");
    let ghost = "01JD0000000000000000000000";
    client
        .post(&apply, &json!({"policies": [permit("a")], "if_release": ghost}))
        .expect_problem(412, "precondition_failed");
    let first = client.post(&apply, &json!({"policies": [permit("a")], "if_release": "none"})).expect(200);
    let first = first["release"].as_str().unwrap();
    client
        .post(&apply, &json!({"policies": [permit("b")], "if_release": "none"}))
        .expect_problem(412, "precondition_failed");
    // What is invalid is reported before what conflicts.
    let invalid = json!({"policies": [{"id": "b", "cedar": "nonsense"}], "if_release": "none"});
    client.post(&apply, &invalid).expect_problem(422, "invalid_release");
    let second = client.post(&apply, &json!({"policies": [permit("b")], "if_release": first})).expect(200);
    let second = second["release"].as_str().unwrap();
    // The same with the header, which every read of a policy gives.
    let read = client.get(&format!("{store}/policies/b"));
    assert_eq!(read.header("etag"), Some(format!("\"{second}\"").as_str()));
    let put = |seen: &str| {
        client
            .header("if-match", &format!("\"{seen}\""))
            .put(&format!("{store}/policies/c"), &json!({"cedar": "forbid (principal, action, resource);"}))
    };
    put(first).expect_problem(412, "precondition_failed");
    assert_eq!(policy_ids(&client, &store), json!(["b"]));
    put(second).expect(200);
    let stale = client.header("if-match", &format!("\"{second}\"")).delete(&format!("{store}/policies/c"));
    stale.expect_problem(412, "precondition_failed");
    // And for what is made active: by the header, or in the query; asked once more, the first answer comes again.
    let third = client.get(&store).expect(200)["release"].as_str().unwrap().to_owned();
    let back = format!("{store}/releases/{first}/activate");
    client
        .header("if-match", &format!("\"{second}\""))
        .post(&back, &json!({}))
        .expect_problem(412, "precondition_failed");
    client.post(&format!("{back}?if_release={second}"), &json!({})).expect_problem(412, "precondition_failed");
    assert_eq!(client.get(&store).expect(200)["release"], json!(third));
    let once = client.header("idempotency-key", "back");
    for replayed in [None, Some("true")] {
        let reply = once.post(&format!("{back}?if_release={third}"), &json!({}));
        assert_eq!((reply.status, reply.header("idempotency-replayed")), (200, replayed));
    }
    assert_eq!(client.get(&store).expect(200)["release"], json!(first));
}

#[test]
fn a_draft_decides_only_when_it_is_named() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = store(&client, "plans", &json!({}));
    client.post(&format!("{store}/apply"), &json!({"policies": []})).expect(200);
    let draft = client.post(&format!("{store}/releases"), &json!({"policies": [permit("open")]})).expect(201);
    assert_eq!(draft["active"], false);
    let decide = |release: Option<&Value>| {
        let mut body = json!({"principal": "User:a", "action": "read", "resource": "Doc:b"});
        body["release"] = release.cloned().unwrap_or_default();
        client.post(&format!("{store}/check"), &body).expect(200)
    };
    assert_eq!(decide(None)["decision"], "deny");
    let named = decide(Some(&draft["id"]));
    assert_eq!((&named["decision"], &named["release"]), (&json!("allow"), &draft["id"]));
    client.send("POST", &format!("{store}/releases/{}/activate", draft["id"].as_str().unwrap()), &[], b"").expect(200);
    assert_eq!(decide(None)["decision"], "allow");
}

#[test]
fn a_policy_is_put_as_text_or_as_json() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let path = format!("{DEMO}/policies/late");
    let text = "forbid (principal, action, resource) when { context has ip && context.ip.isLoopback() };";
    assert_eq!(client.put(&path, &json!({"cedar": text})).expect(200)["diff"]["added"], json!(["late"]));
    let read = client.get(&path).expect(200);
    assert_eq!((&read["effect"], &read["template"], &read["cedar"]), (&json!("forbid"), &json!(false), &json!(text)));
    // What is read as JSON can be put as JSON, and is then the same policy.
    client.delete(&path).expect(204);
    client.get(&path).expect_problem(404, "not_found");
    client.put(&path, &json!({"json": read["json"]})).expect(200);
    assert_eq!(client.get(&path).expect(200)["json"], read["json"]);
    let ask = |ip: &str| {
        let context = json!({"ip": {"__extn": {"fn": "ip", "arg": ip}}});
        client.post(&format!("{DEMO}/check"), &json!({"principal": "User:alice", "action": "read", "resource": "Document:roadmap", "context": context})).expect(200)
    };
    assert_eq!(ask("127.0.0.1")["determining_policies"], json!(["late"]));
    assert_eq!(ask("10.0.0.1")["decision"], "allow");
    let before = active(&client, DEMO);
    client.put(&format!("{path}?dry_run=true"), &permit("x")).expect(200);
    assert_eq!(active(&client, DEMO), before);
}

#[test]
fn a_schema_is_put_in_both_syntaxes() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = store(&client, "plans", &json!({}));
    let path = format!("{store}/schema");
    client.get(&path).expect_problem(404, "not_found");
    client.put(&path, &json!({"cedar": SCHEMA})).expect(200);
    assert_eq!(client.get(&path).expect(200)["cedar"], SCHEMA);
    let written = json!({"": {"entityTypes": {"User": {}, "Doc": {}}, "actions": {"read": {"appliesTo": {"principalTypes": ["User"], "resourceTypes": ["Doc"]}}}}});
    client.put(&path, &json!({"json": written})).expect(200);
    assert_eq!(client.get(&path).expect(200)["json"], written);
    client.put(&path, &json!({"cedar": SCHEMA, "json": written})).expect_problem(400, "malformed_request");
}

#[test]
fn validating_finds_problems_and_stores_nothing() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let before = client.get(&format!("{DEMO}/releases")).expect(200);
    let validate = |body: Value| client.post(&format!("{DEMO}/validate"), &body).expect(200);
    assert_eq!(validate(json!({}))["valid"], true);
    let text = "permit (principal, action, resource);\n\nforbid (principal, action, resource is Document)\nwhen { resource.colour == \"red\" };";
    let report = validate(json!({"policies": [{"file": "colours.cedar", "cedar": text}]}));
    assert_eq!(report["valid"], false);
    let problem = &report["problems"].as_array().unwrap().iter().find(|p| p["severity"] == "error").unwrap();
    assert_eq!((&problem["file"], &problem["line"]), (&json!("colours.cedar"), &json!(4)), "{problem}");
    assert!(problem["message"].as_str().unwrap().contains("colour"));
    let broken = validate(
        json!({"policies": [{"file": "broken.cedar", "cedar": "permit (principal, action, resource)\nwhen { true "}]}),
    );
    assert_eq!((&broken["valid"], &broken["problems"][0]["file"]), (&json!(false), &json!("broken.cedar")));
    assert_eq!(client.get(&format!("{DEMO}/releases")).expect(200), before);
    // Strictly, whatever the store's setting.
    let off = store(&client, "loose", &json!({"validation": "off"}));
    let body = json!({"schema": {"cedar": SCHEMA}, "policies": [{"id": "a", "cedar": "permit (principal, action, resource) when { principal.wings };"}]});
    assert_eq!(client.post(&format!("{off}/validate"), &body).expect(200)["valid"], false);
    client.post(&format!("{off}/apply"), &body).expect(200);
}

#[test]
fn a_release_that_stored_data_does_not_fit_is_refused() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = store(&client, "plans", &json!({}));
    let apply = format!("{store}/apply");
    client.post(&apply, &json!({"schema": {"cedar": SCHEMA}, "policies": [permit("a")]})).expect(200);
    let upsert: Vec<Value> = (0..150).map(|i| json!({"uid": format!("User:{i}"), "attrs": {"age": i}})).collect();
    client.post(&format!("{store}/write"), &json!({"entities": {"upsert": upsert}})).expect(200);
    let before = active(&client, &store);
    let changed = SCHEMA.replace("age: Long", "age: String");
    let mut body = json!({"schema": {"cedar": changed}});
    for path in [apply.clone(), format!("{apply}?dry_run=true")] {
        let refused = client.post(&path, &body);
        refused.expect_problem(422, "data_nonconforming");
        assert!(refused.value()["detail"].as_str().unwrap().contains("150"));
        assert_eq!(refused.value()["errors"].as_array().unwrap().len(), 100);
        assert_eq!(active(&client, &store), before);
    }
    let draft = client.post(&format!("{store}/releases"), &body).expect(201);
    let activate = format!("{store}/releases/{}/activate", draft["id"].as_str().unwrap());
    client.send("POST", &activate, &[], b"").expect_problem(422, "data_nonconforming");
    body["allow_nonconforming"] = json!(true);
    client.post(&apply, &body).expect(200);
    assert_ne!(active(&client, &store), before);
    // A schema that says the same of a type does not look at it again.
    let more = format!("{changed} entity Team;");
    client.post(&apply, &json!({"schema": {"cedar": more}})).expect(200);
}

#[test]
fn a_model_that_stored_tuples_do_not_fit_is_refused() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = store(&client, "tuples", &json!({}));
    let model = |viewer: &str| {
        format!(
            "model\n  schema 1.1\ntype user\ntype document\n  relations\n    define owner: [user]\n    define viewer: [{viewer}]\n"
        )
    };
    let apply = format!("{store}/apply");
    let first = client.post(&apply, &json!({"model": model("user, user:*")})).expect(200);
    let mut write: Vec<Value> = (0..150).map(|i| json!(format!("document:{i}#viewer@user:*"))).collect();
    write.push(json!("document:1#viewer@user:ann"));
    write.push(json!({"object": "document:old", "relation": "viewer", "subject": "user:*", "expires_at": "2020-01-01T00:00:00Z"}));
    client.post(&format!("{store}/write"), &json!({"tuples": {"write": write}})).expect(200);
    let narrow = json!({"model": model("user")});
    for path in [apply.clone(), format!("{apply}?dry_run=true")] {
        let refused = client.post(&path, &narrow);
        refused.expect_problem(422, "data_nonconforming");
        let refused = refused.value();
        assert!(refused["detail"].as_str().unwrap().contains("0 entities, 150 tuples"), "{refused}");
        assert_eq!(refused["errors"].as_array().unwrap().len(), 100);
        assert_eq!(refused["errors"][0]["code"], "tuple_nonconforming");
        assert!(refused["errors"][0]["message"].as_str().unwrap().contains("document:0#viewer@user:*"), "{refused}");
    }
    // A change that lets them be is none of their business.
    client.post(&apply, &json!({"model": model("user, user:*, document")})).expect(200);
    client.post(&apply, &json!({"model": model("user"), "allow_nonconforming": true})).expect(200);
    // From now on they do not count, and no later release is refused for their sake.
    let seen = |subject: &str| {
        let question = json!({"subject": subject, "relation": "viewer", "object": "document:1"});
        client.post(&format!("{store}/relations/check"), &question).expect(200)["allowed"].as_bool().unwrap()
    };
    assert!(!seen("user:bob") && seen("user:ann"));
    let wider = model("user").replace("[user]\n    define viewer", "[user, document]\n    define viewer");
    client.post(&apply, &json!({"model": wider})).expect(200);
    // To go back to a model that allows them is always possible.
    let activate = format!("{store}/releases/{}/activate", first["release"].as_str().unwrap());
    client.send("POST", &activate, &[], b"").expect(200);
    assert!(seen("user:bob"));
}

#[test]
fn many_appliers_at_once_lose_nothing() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = store(&client, "plans", &json!({}));
    client.post(&format!("{store}/apply"), &json!({"policies": []})).expect(200);
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let (client, store) = (client.clone(), store.clone());
            std::thread::spawn(move || {
                for i in 0..10 {
                    let path = format!("{store}/policies/p-{thread}-{i}");
                    loop {
                        let reply = client.put(&path, &json!({"cedar": "permit (principal, action, resource);"}));
                        if reply.status == 200 {
                            break;
                        }
                        reply.expect_problem(409, "contended");
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(client.get(&store).expect(200)["policies"], 40);
}
