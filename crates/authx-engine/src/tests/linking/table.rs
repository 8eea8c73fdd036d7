//! Decisions over roles, relations and attributes together, row by row.

use serde_json::{Value as Json, json};

use super::Store;
use crate::{Decision, PolicyErrors, Settings};

/// Whether `policies` over `tuples` allow what `body` asks.
fn allows(store: &Store, policies: &str, tuples: &[&str], body: &Json) -> bool {
    store.ask(policies, tuples, body).unwrap().decision == Decision::Allow
}

const VIEWERS: &str = "@id(\"v\") permit(principal, action, resource) when { principal in resource.rel.viewer };";
const CORE: &str = "permit(principal in Group::\"core\", action, resource);";
const HR: &str = "permit(principal, action, resource in Folder::\"hr\");";

#[test]
fn a_relation_grants() {
    let store = Store::default();
    for (tuples, allowed) in [
        (vec![], false),
        (vec!["document:plan#viewer@employee:bob"], true),
        (vec!["document:plan#viewer@employee:ann"], false),
        (vec!["document:other#viewer@employee:bob"], false),
        (vec!["document:plan#viewer@employee:*"], true),
        (vec!["document:plan#editor@employee:bob"], true),
        (vec!["document:plan#viewer@group:core#member", "group:core#member@employee:bob"], true),
        (vec!["document:plan#parent@folder:hr", "folder:hr#viewer@employee:bob"], true),
        (vec!["document:plan#viewer@employee:bob until 1000"], false),
        (vec!["document:plan#viewer@employee:bob until 1001"], true),
    ] {
        assert_eq!(allows(&store, VIEWERS, &tuples, &json!({})), allowed, "{tuples:?}");
    }
}

#[test]
fn membership_and_containment_are_tuples() {
    let store = Store::default();
    for (policies, tuples, allowed) in [
        (CORE, vec![], false),
        (CORE, vec!["group:core#member@employee:bob"], true),
        (CORE, vec!["group:core#member@group:sub#member", "group:sub#member@employee:bob"], true),
        (CORE, vec!["group:core#member@employee:*"], true),
        (HR, vec!["document:plan#parent@folder:hr"], true),
        (HR, vec!["document:plan#parent@folder:a", "folder:a#parent@folder:hr"], true),
        (HR, vec!["document:plan#parent@folder:a", "folder:hr#parent@folder:a"], false),
    ] {
        assert_eq!(allows(&store, policies, &tuples, &json!({})), allowed, "{policies} {tuples:?}");
    }
}

#[test]
fn what_cannot_be_told_is_no_allow() {
    let office = ["document:plan#viewer@employee:bob if in_office"];
    let forbid = "permit(principal, action, resource); @id(\"f\") forbid(principal, action, resource) when { principal in resource.rel.viewer };";
    let unless = "permit(principal, action, resource); @id(\"f\") forbid(principal, action, resource) unless { principal in resource.rel.viewer };";
    for policy_errors in [PolicyErrors::Deny, PolicyErrors::Cedar] {
        let settings = Settings { policy_errors, ..Settings::default() };
        let store = Store { settings, ..Store::default() };
        for (policies, context, decision) in [
            (VIEWERS, json!({}), Decision::Deny),
            (VIEWERS, json!({"ip": "10.1.1.1"}), Decision::Allow),
            (VIEWERS, json!({"ip": "11.1.1.1"}), Decision::Deny),
            (forbid, json!({}), Decision::Deny),
            (forbid, json!({"ip": "11.1.1.1"}), Decision::Allow),
            (unless, json!({}), Decision::Deny),
            (unless, json!({"ip": "10.1.1.1"}), Decision::Allow),
        ] {
            let answer = store.ask(policies, &office, &json!({"context": context})).unwrap();
            assert_eq!(answer.decision, decision, "{policies} {context}");
            let missing: &[&str] = if context == json!({}) { &["ip"] } else { &[] };
            assert_eq!(answer.missing_context, missing, "{policies} {context}");
            assert_eq!(answer.policy_errors.len(), missing.len(), "{policies} {context}");
        }
    }
}
