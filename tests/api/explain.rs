//! Why: of a request, and of a past decision.

use serde_json::{Value, json};

use crate::store;
use crate::support::{Client, Launch};

const MODEL: &str = "model\n  schema 1.1\ntype user\ntype group\n  relations\n    define member: [user]\ntype doc\n  relations\n    define editor: [user, group#member]\n    define viewer: [user] or editor\n";
const SCHEMA: &str = "@rebac(\"user\") entity User = { level?: Long };\n@rebac(\"doc\") entity Doc in [Folder] = { open?: Bool, floor?: Long, owner?: User };\nentity Folder;\naction read appliesTo { principal: [User], resource: [Doc], context: { hour?: Long } };\n";

/// A store with a policy of each kind of condition.
fn made(client: &Client) -> String {
    let store = store(client, "why", &json!({}));
    let policies = json!([
        {"id": "viewers", "file": "why.cedar", "cedar": "permit (principal, action == Action::\"read\", resource)\nwhen { principal in resource.rel.viewer };"},
        {"id": "levels", "cedar": "permit (principal, action, resource) when { principal has level && resource has floor && principal.level >= resource.floor };"},
        {"id": "owners", "cedar": "permit (principal, action, resource) when { resource has owner } unless { resource.owner != principal };"},
        {"id": "shelf", "cedar": "permit (principal, action, resource in Folder::\"open\");"},
        {"id": "night", "cedar": "forbid (principal, action, resource) when { context has hour && context.hour > 22 };"},
    ]);
    client
        .post(&format!("{store}/apply"), &json!({"model": MODEL, "schema": {"cedar": SCHEMA}, "policies": policies}))
        .expect(200);
    let user = |id: &str, level: i64| json!({"uid": format!("User:{id}"), "attrs": {"level": level}});
    let owner = json!({"__entity": {"type": "User", "id": "ann"}});
    let doc = json!({"uid": "Doc:a", "attrs": {"floor": 5, "owner": owner}});
    let write = json!({"entities": {"upsert": [user("ann", 1), user("bob", 2), doc]},
        "tuples": {"write": ["doc:a#editor@group:staff#member", "group:staff#member@user:cid"]}});
    client.post(&format!("{store}/write"), &write).expect(200);
    store
}

fn ask(user: &str) -> Value {
    json!({"principal": format!("User:{user}"), "action": "read", "resource": "Doc:a"})
}

fn policy<'a>(reply: &'a Value, id: &str) -> &'a Value {
    let policies = reply["explanation"]["policies"].as_array().unwrap();
    policies.iter().find(|policy| policy["policy"] == id).unwrap_or_else(|| panic!("{id}: {reply:#}"))
}

#[test]
fn a_request_is_explained_part_by_part() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = made(&client);
    let explain = |body: &Value| client.post(&format!("{store}/explain"), body).expect(200);
    let denied = explain(&ask("bob"));
    assert_eq!((&denied["decision"], &denied["determining_policies"]), (&json!("deny"), &json!([])));
    let viewers = policy(&denied, "viewers");
    assert_eq!(
        (&viewers["file"], &viewers["line"], &viewers["effect"]),
        (&json!("why.cedar"), &json!(1), &json!("permit"))
    );
    let conjunct = &viewers["conjuncts"][0];
    assert_eq!(
        (&conjunct["text"], &conjunct["line"], &conjunct["column"], &conjunct["outcome"]),
        (&json!("principal in resource.rel.viewer"), &json!(2), &json!(8), &json!("false"))
    );
    let relation = &conjunct["relations"][0];
    assert_eq!((&relation["tuple"], &relation["holds"]), (&json!("doc:a#viewer@user:bob"), &json!(false)));
    let tried: Vec<&Value> = relation["tried"].as_array().unwrap().iter().map(|tried| &tried["what"]).collect();
    for what in ["doc:a#viewer@user:bob", "doc:a#editor", "group:staff#member"] {
        assert!(tried.contains(&&json!(what)), "{what}: {relation:#}");
    }
    let levels = policy(&denied, "levels");
    let outcomes: Vec<&Value> = levels["conjuncts"].as_array().unwrap().iter().map(|one| &one["outcome"]).collect();
    assert_eq!(outcomes, ["true", "true", "false"]);
    let values = &levels["conjuncts"][2]["values"];
    assert_eq!(*values, json!([{"path": "principal.level", "value": "2"}, {"path": "resource.floor", "value": "5"}]));
    let owners = policy(&denied, "owners");
    assert_eq!(owners["conjuncts"][1]["text"], "!(resource.owner != principal)", "{owners:#}");
    assert_eq!(policy(&denied, "shelf")["scope"], json!([{"text": "resource in Folder::\"open\"", "holds": false}]));
    let night = policy(&denied, "night");
    assert_eq!((&night["outcome"], &night["conjuncts"][1]["outcome"]), (&json!("not_matched"), &json!("not_reached")));
    // A grant is told by its tuples.
    let allowed = explain(&ask("cid"));
    assert_eq!((&allowed["decision"], &allowed["explanation"]["near_misses"]), (&json!("allow"), &json!([])));
    let path = &policy(&allowed, "viewers")["conjuncts"][0]["relations"][0]["path"];
    assert_eq!(*path, json!(["doc:a#editor@group:staff#member", "group:staff#member@user:cid"]));
    // A check that asks for it says the same.
    let mut same = ask("bob");
    same["explain"] = json!(true);
    let same = client.post(&format!("{store}/check"), &same).expect(200);
    assert_eq!(same["explanation"], denied["explanation"]);
}

#[test]
fn a_near_miss_becomes_an_allow_when_it_is_written() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let mut seen = std::collections::BTreeSet::new();
    for hour in [None, Some(23)] {
        let fresh = made(&client);
        let mut body = ask("bob");
        hour.inspect(|hour| body["context"] = json!({"hour": hour}));
        let misses = client.post(&format!("{fresh}/explain"), &body).expect(200)["explanation"]["near_misses"].clone();
        client.delete(&fresh).expect(204);
        for miss in misses.as_array().unwrap() {
            let store = made(&client);
            client.post(&format!("{store}/write"), &miss["write"]).expect(200);
            let then = client.post(&format!("{store}/check"), &body).expect(200);
            let want = match hour {
                None => (json!("allow"), json!([miss["policy"]])),
                Some(_) => (json!("deny"), miss["forbids"].clone()),
            };
            assert_eq!((then["decision"].clone(), then["determining_policies"].clone()), want, "{miss:#}");
            seen.insert((hour, miss["policy"].as_str().unwrap().to_owned(), miss["write"].to_string()));
            client.delete(&store).expect(204);
        }
    }
    for seen in &seen {
        println!("{seen:?}");
    }
    for id in ["viewers", "levels", "shelf"] {
        assert!(seen.iter().filter(|(_, policy, _)| policy == id).count() >= 2, "{id}: {seen:?}");
    }
}

#[test]
fn who_may_not_read_or_write_is_told_no_data() {
    let server = Launch::normal().start();
    let admin = server.admin();
    let store = made(&admin);
    let told = |scopes: &[&str]| {
        let made = admin.post("/v1/keys", &json!({"name": "k", "scopes": scopes})).expect(201);
        server.with_key(made["secret"].as_str().unwrap()).post(&format!("{store}/explain"), &ask("bob")).expect(200)
    };
    let parts = |told: &Value| {
        let relation = &policy(told, "viewers")["conjuncts"][0]["relations"][0];
        let values = policy(told, "levels")["conjuncts"][2].get("values").is_some();
        (values, relation.get("tried").is_some(), !told["explanation"]["near_misses"].as_array().unwrap().is_empty())
    };
    for (scopes, recorded) in [(&["check", "explain"][..], false), (&["check", "explain", "read"], true)] {
        let made = admin.post("/v1/keys", &json!({"name": "k", "scopes": scopes})).expect(201);
        let client = server.with_key(made["secret"].as_str().unwrap());
        let decision = client.post(&format!("{store}/check"), &ask("bob")).expect(200)["decision_id"].clone();
        let told = client.get(&format!("/v1/decisions/{}/explain", decision.as_str().unwrap())).expect(200);
        assert_eq!((&told["agrees"], told.get("recorded").is_some()), (&json!(true), recorded), "{scopes:?}");
    }
    for (scopes, want) in [
        (&["explain"][..], (false, false, false)),
        (&["explain", "read"], (true, true, false)),
        // A write repeats what is stored.
        (&["explain", "write"], (false, false, false)),
        (&["explain", "read", "write"], (true, true, true)),
    ] {
        assert_eq!(parts(&told(scopes)), want, "{scopes:?}");
    }
}

#[test]
fn a_past_decision_is_explained_as_of_its_own_time() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = made(&client);
    let mut decided = Vec::new();
    for round in 0..12 {
        let user = ["ann", "bob", "cid"][round % 3];
        let mut body = ask(user);
        body["tuples"] = if round % 4 == 1 { json!([format!("doc:a#viewer@user:{user}")]) } else { json!([]) };
        body["context"] = if round % 5 == 4 { json!({"hour": 23}) } else { json!({}) };
        let reply = client.post(&format!("{store}/check"), &body).expect(200);
        decided.push((reply["decision_id"].as_str().unwrap().to_owned(), reply));
        let level = json!({"entities": {"patch": [{"uid": "User:bob", "set": {"level": round}}]}});
        client.post(&format!("{store}/write"), &level).expect(200);
        if round % 3 == 2 {
            let cedar = format!(
                "permit (principal, action, resource) when {{ principal has level && principal.level == {round} }};"
            );
            client.put(&format!("{store}/policies/extra"), &json!({"cedar": cedar})).expect(200);
        }
    }
    let same = ["decision", "determining_policies", "policy_errors", "revision", "release", "decision_id"];
    for (id, then) in &decided {
        let told = client.get(&format!("/v1/decisions/{id}/explain")).expect(200);
        assert_eq!((&told["agrees"], &told["masked"]), (&json!(true), &json!(false)), "{told:#}");
        assert_eq!(same.map(|name| told[name].clone()), same.map(|name| then[name].clone()));
        assert_eq!(told["recorded"]["id"], **id);
    }
    client.get("/v1/decisions/01JD0000000000000000000000/explain").expect_problem(404, "not_found");
    let relation = json!({"subject": "user:cid", "relation": "viewer", "object": "doc:a"});
    client.post(&format!("{store}/relations/check"), &relation).expect(200);
    let list = client.get("/v1/decisions?page_size=1").expect(200);
    let id = list["decisions"][0]["id"].as_str().unwrap();
    client.get(&format!("/v1/decisions/{id}/explain")).expect_problem(422, "unsupported");
}

/// What is told, and what is tried for it, does not grow with what is stored.
#[test]
fn explanations_are_bounded() {
    let server = Launch::dev().start();
    let client = server.anyone();
    let store = crate::store(&client, "vast", &json!({}));
    let schema = "@rebac(\"user\") entity User { words: Set<String> }; @rebac(\"group\") @members(\"member\") entity Group; \
        @rebac(\"doc\") entity Doc; action read appliesTo { principal: User, resource: Doc };";
    let model = "model\n  schema 1.1\ntype user\ntype group\n  relations\n    define member: [user, group#member]\n\
        type doc\n  relations\n    define viewer: [user, group#member]\n";
    let words: Vec<String> = (0..900).map(|at| format!("principal.words.contains(\"w{at}\")")).collect();
    let policies = format!(
        "@id(\"said\") permit (principal, action, resource) when {{ {} }};\n\
         @id(\"viewers\") permit (principal, action, resource) when {{ principal in resource.rel.viewer }};",
        words.join(" || ")
    );
    let body =
        json!({"schema": {"cedar": schema}, "model": model, "policies": [{"file": "a.cedar", "cedar": policies}]});
    client.post(&format!("{store}/apply"), &body).expect(200);
    let heavy: Vec<String> = (0..300).map(|at| format!("group:heavy#member@group:leaf{at}#member")).collect();
    let many: Vec<String> = (0..300)
        .flat_map(|at| [format!("doc:d#viewer@group:g{at}#member"), format!("group:g{at}#member@group:heavy#member")])
        .collect();
    let stored: Vec<String> = (0..5_000).map(|at| format!("{at:0300}")).collect();
    let user = json!({"uid": "User:eve", "attrs": {"words": stored}});
    let tuples = [heavy, many].concat();
    let data = json!({"entities": {"upsert": [user]}, "tuples": {"write": tuples}});
    client.post(&format!("{store}/write"), &data).expect(200);
    let asked = json!({"principal": "User:eve", "action": "read", "resource": "Doc:d"});
    let told = client.post(&format!("{store}/explain"), &asked).expect(200);
    assert_eq!(told["decision"], json!("deny"));
    assert!(told.to_string().len() < 200_000, "{}", told.to_string().len());
    let relation = &policy(&told, "viewers")["conjuncts"][0]["relations"][0];
    assert_eq!((&relation["holds"], &relation["more"]), (&json!(false), &json!(true)), "{relation}");
    assert!((1..=32).contains(&relation["tried"].as_array().unwrap().len()), "{relation}");
    // The words of the user are too many for a write that repeats them.
    let misses = told["explanation"]["near_misses"].as_array().unwrap();
    assert!(misses.iter().all(|miss| miss["policy"] == json!("viewers")) && !misses.is_empty(), "{misses:?}");
    // More facts than a test should have.
    let id = told["decision_id"].as_str();
    let id = id.map_or_else(
        || client.post(&format!("{store}/check"), &asked).expect(200)["decision_id"].clone(),
        |id| json!(id),
    );
    let path = format!("/v1/decisions/{}/explain?as_test=true", id.as_str().unwrap());
    client.get(&path).expect_problem(422, "limit_exceeded");
}
