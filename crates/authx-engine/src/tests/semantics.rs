//! What the store's settings and the schema do to a decision, case by case.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::{
    AccessRequest, Change, Check, CompileOptions, Data, DataRules, DecideError, Decision, EntityInput, Evaluation,
    Limits, PolicyErrors, Release, RequestAttributes, SchemaSource, SchemaSyntax, Settings, Snapshot, Sources,
    Validation, decide, parse_action, read_entity, split_policies,
};

const SCHEMA: &str = r#"
    entity Team;
    entity Level enum ["low", "high"];
    entity User in [Team] = { level?: Long, boss?: User } tags String;
    entity Doc = { owner: User, price?: decimal, rank?: Level };
    action "read" appliesTo { principal: [User], resource: [Doc], context: { mfa: Bool, price?: decimal, from?: ipaddr, inner?: { a: Long } } };
"#;

struct Store {
    schema: &'static str,
    policies: &'static str,
    settings: Settings,
}

impl Store {
    fn new(policies: &'static str) -> Self {
        Self { schema: SCHEMA, policies, settings: Settings::default() }
    }

    fn off(policies: &'static str) -> Self {
        let settings = Settings { validation: Validation::Off, ..Settings::default() };
        Self { settings, ..Self::new(policies) }
    }

    fn snapshot(&self) -> Snapshot {
        let schema = SchemaSource { syntax: SchemaSyntax::Cedar, file: None, text: self.schema.to_owned() };
        let validation = if self.settings.validation == Validation::Strict { Check::Strict } else { Check::Off };
        let options = CompileOptions { validation, ..CompileOptions::default() };
        let release = Release::compile(
            "r",
            Sources { schema: Some(schema), policies: &split_policies(None, self.policies), ..Sources::default() },
            &options,
            None,
        )
        .unwrap()
        .release;
        let mut data = Data::default();
        for entity in [
            json!({"uid": "User:ann", "attrs": {"level": 5}, "parents": ["Team:core"], "tags": {"site": "oslo"}}),
            json!({"uid": "User:bob", "attrs": {}, "parents": []}),
            json!({"uid": "Doc:plan", "attrs": {"owner": {"__entity": {"type": "User", "id": "ann"}}}}),
        ] {
            let input: EntityInput = serde_json::from_value(entity).unwrap();
            data.apply(&Change::PutEntity(Arc::new(read_entity(&input, DataRules::default(), "").unwrap())));
        }
        Snapshot::new(Some(Arc::new(release)), Arc::new(data), self.settings, 7)
    }

    fn ask(&self, body: Json) -> Result<Evaluation, DecideError> {
        let text = |key: &str, default: &str| body.get(key).and_then(Json::as_str).unwrap_or(default).to_owned();
        let uid = |text: &str| crate::EntityUid::parse(text).unwrap();
        let request = AccessRequest {
            context: serde_json::from_value(body.get("context").cloned().unwrap_or_else(|| json!({"mfa": true})))
                .unwrap(),
            entities: serde_json::from_value(body.get("entities").cloned().unwrap_or_else(|| json!([]))).unwrap(),
            ..AccessRequest::new(
                uid(&text("principal", "User:ann")),
                parse_action(&text("action", "read")).unwrap(),
                uid(&text("resource", "Doc:plan")),
            )
        };
        decide(&self.snapshot(), &request, &Limits::default())
    }

    fn allows(&self, body: Json) -> bool {
        self.ask(body).unwrap().decision == Decision::Allow
    }
}

fn codes(answer: Result<Evaluation, DecideError>) -> Vec<(String, &'static str)> {
    match answer {
        Err(DecideError::InvalidInput { problems }) => problems.into_iter().map(|p| (p.pointer, p.code)).collect(),
        other => panic!("{other:?}"),
    }
}

const ALL: &str = "permit(principal, action, resource);";

#[test]
fn unknown_action_is_a_deny_with_a_suggestion() {
    let answer = Store::new(ALL).ask(json!({"action": "raed"})).unwrap();
    assert_eq!(answer.decision, Decision::Deny);
    assert_eq!(answer.warnings, ["unknown action `raed`; did you mean `read`?"]);
    assert!(Store::off(ALL).allows(json!({"action": "raed"})));
}

#[test]
fn types_outside_applies_to_are_a_deny_with_a_warning() {
    for (body, warning) in [
        (json!({"principal": "Usr:ann"}), "unknown type `Usr` of the principal; did you mean `User`?"),
        (json!({"resource": "User:bob"}), "action `read` does not apply to a resource of type `User`"),
    ] {
        let answer = Store::new(ALL).ask(body.clone()).unwrap();
        assert_eq!((answer.decision, answer.warnings), (Decision::Deny, vec![warning.to_owned()]));
        assert!(Store::off(ALL).allows(body));
    }
}

#[test]
fn a_store_without_a_release_denies() {
    let snapshot = Snapshot::new(None, Arc::new(Data::default()), Settings::default(), 0);
    let uid = |text: &str| crate::EntityUid::parse(text).unwrap();
    let request = AccessRequest::new(uid("User:a"), parse_action("read").unwrap(), uid("Doc:d"));
    let answer = decide(&snapshot, &request, &Limits::default()).unwrap();
    assert_eq!((answer.decision, answer.warnings.len(), answer.release), (Decision::Deny, 1, None));
}

#[test]
fn context_is_held_to_the_schema() {
    let store = Store::new(ALL);
    let context = |value: Json| store.ask(json!({"context": value}));
    let one = |pointer: &str, code| vec![(pointer.to_owned(), code)];
    assert_eq!(codes(context(json!({}))), one("/context/mfa", "missing_context"));
    assert_eq!(codes(context(json!({"mfa": null}))), one("/context/mfa", "missing_context"));
    assert_eq!(codes(context(json!({"mfa": "yes"}))), one("/context/mfa", "wrong_type"));
    assert_eq!(codes(context(json!({"mfa": true, "from": "nowhere"}))), one("/context/from", "invalid_value"));
    assert_eq!(codes(context(json!({"mfa": true, "price": 1.23456}))), one("/context/price", "invalid_number"));
    assert_eq!(codes(context(json!({"mfa": true, "inner": {"a": 1.5}}))), one("/context/inner/a", "invalid_number"));
    assert_eq!(codes(context(json!({"mfa": true, "inner": {}}))), one("/context/inner", "missing_attribute"));
    let answer = context(json!({"mfa": true, "extra": 1.5, "price": 1.25, "inner": {"a": 1, "b": 2}})).unwrap();
    assert_eq!(answer.decision, Decision::Allow);
    assert_eq!(answer.warnings.len(), 2);
    assert!(
        answer.warnings.iter().any(|w| w.contains("/context/extra"))
            && answer.warnings.iter().any(|w| w.contains("/context/inner/b"))
    );
}

#[test]
fn without_validation_nothing_is_dropped() {
    let store = Store::off("permit(principal, action, resource) when { context.extra == 3 };");
    assert!(store.allows(json!({"context": {"extra": 3}})));
    assert_eq!(codes(store.ask(json!({"context": {"extra": 1.5}}))), [("/context/extra".to_owned(), "invalid_number")]);
}

#[test]
fn a_forbid_that_errs_denies_unless_the_store_is_cedars() {
    let policies = "@id(\"p\") permit(principal, action, resource); @id(\"f\") forbid(principal, action, resource) when { principal.level > 3 };";
    let mut store = Store::off(policies);
    let answer = store.ask(json!({"principal": "User:bob"})).unwrap();
    assert_eq!((answer.decision, answer.determining_policies.as_slice()), (Decision::Deny, ["f".into()].as_slice()));
    assert_eq!(answer.policy_errors.len(), 1);
    store.settings.policy_errors = PolicyErrors::Cedar;
    let answer = store.ask(json!({"principal": "User:bob"})).unwrap();
    assert_eq!((answer.decision, answer.policy_errors.len()), (Decision::Allow, 1));
}

#[test]
fn sent_attributes_override_or_are_ignored() {
    let policies = "permit(principal, action, resource) when { principal has level && principal.level == 9 };";
    let sent = json!({"entities": [{"uid": "User:ann", "attrs": {"level": 9}}]});
    let mut store = Store::new(policies);
    assert!(store.allows(sent.clone()));
    store.settings.request_attributes = RequestAttributes::Ignore;
    assert!(!store.allows(sent));
    assert!(store.allows(json!({"principal": "User:new", "entities": [{"uid": "User:new", "attrs": {"level": 9}}]})));
}

#[test]
fn sent_parents_add_unless_ignored() {
    let policies =
        "permit(principal in Team::\"ops\", action, resource); permit(principal in Team::\"core\", action, resource);";
    let sent = |who: &str| json!({"principal": who, "entities": [{"uid": who, "parents": ["Team:ops"]}]});
    let mut store = Store::new(policies);
    assert!(store.allows(json!({})) && !store.allows(json!({"principal": "User:bob"})));
    assert!(store.allows(sent("User:bob")) && store.allows(sent("User:ann")));
    store.settings.request_attributes = RequestAttributes::Ignore;
    assert!(!store.allows(sent("User:bob")) && store.allows(sent("User:new")));
}

#[test]
fn sent_entities_are_held_to_the_schema() {
    let store = Store::new(ALL);
    let send = |entity: Json| store.ask(json!({"entities": [entity]}));
    assert_eq!(codes(send(json!({"uid": "User:x", "attrs": {"level": "high"}})))[0].1, "wrong_type");
    assert_eq!(codes(send(json!({"uid": "User:x", "parents": ["Doc:plan"]})))[0].1, "wrong_type");
    assert_eq!(codes(send(json!({"uid": "Level:mid"})))[0].1, "unknown_entity");
    assert_eq!(codes(send(json!({"uid": "Action:read", "parents": ["Action:all"]})))[0].1, "action_entity");
    assert_eq!(send(json!({"uid": "User:x", "attrs": {"nick": "x"}})).unwrap().warnings.len(), 1);
    assert_eq!(send(json!({"uid": "Nobody:x"})).unwrap().warnings.len(), 1);
}

#[test]
fn unstored_principals_are_evaluated() {
    assert!(Store::new(ALL).allows(json!({"principal": "User:nobody", "resource": "Doc:none"})));
}

#[test]
fn advice_of_determining_policies_is_returned() {
    let store = Store::new(
        "permit(principal, action, resource); @advice(\"use MFA\") forbid(principal, action, resource) unless { context.mfa }; @advice(\"never\") forbid(principal, action, resource) when { principal has level && principal.level > 100 };",
    );
    assert_eq!(store.ask(json!({"context": {"mfa": false}})).unwrap().advice, ["use MFA"]);
}

#[test]
fn too_many_ancestors_fail_the_request() {
    let mut snapshot = Store::off(ALL).snapshot();
    let chain: Vec<Change> = (0..1_500)
        .map(|i| {
            let input = json!({"uid": format!("Team:{i}"), "parents": [format!("Team:{}", i + 1)]});
            let input: EntityInput = serde_json::from_value(input).unwrap();
            Change::PutEntity(Arc::new(read_entity(&input, DataRules::default(), "").unwrap()))
        })
        .collect();
    snapshot = snapshot.with_changes(&chain);
    let uid = |text: &str| crate::EntityUid::parse(text).unwrap();
    let ask = |who: &str| {
        decide(
            &snapshot,
            &AccessRequest::new(uid(who), parse_action("read").unwrap(), uid("Doc:plan")),
            &Limits::default(),
        )
    };
    assert!(matches!(ask("Team:0"), Err(DecideError::Limit { .. })));
    assert!(ask("Team:600").is_ok());
}
