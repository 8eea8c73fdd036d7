//! Policies and their schema as text, divided by a line `---`: refused at a place, or compiled whatever they hold.

use std::sync::Arc;

use authx_engine::{
    AccessRequest, Check, CompileOptions, EntityUid, Limits, Problem, Release, SchemaSource, SchemaSyntax, Settings,
    Snapshot, Sources, Validation, decide, policy_json, policy_text, split_policies,
};

use super::findings;

pub fn hold(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let (schema, policies) = match text.split_once("\n---\n") {
        Some((schema, policies)) => (Some(schema), policies),
        None => (None, &*text),
    };
    split(policies);
    let schema = schema.map(|text| {
        let syntax = if text.trim_start().starts_with('{') { SchemaSyntax::Json } else { SchemaSyntax::Cedar };
        SchemaSource { syntax, file: Some("schema".to_owned()), text: text.to_owned() }
    });
    let strict = compiled(schema.as_ref(), policies, Check::Strict);
    // What is not valid may still be well-formed.
    let release = strict.or_else(|| compiled(schema.as_ref(), policies, Check::Off));
    let Some(release) = release else { return false };
    forms(&release);
    decides(release);
    true
}

/// The pieces joined are the file, and each stands where it says.
fn split(text: &str) {
    let pieces = split_policies(Some("policies"), text);
    let Some(first) = pieces.first() else { return };
    let joined: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
    assert!(text.ends_with(&joined) && text.len() == joined.len(), "{} of {} bytes", joined.len(), text.len());
    assert_eq!((first.line, first.column), (1, 1));
}

fn compiled(schema: Option<&SchemaSource>, policies: &str, validation: Check) -> Option<Release> {
    let pieces = split_policies(Some("policies"), policies);
    let sources = Sources { schema: schema.cloned(), model: None, policies: &pieces };
    let options = CompileOptions { validation, threads: 1, ..CompileOptions::default() };
    let problems = match Release::compile("r", sources, &options, None) {
        Ok(compiled) => {
            assert_eq!(compiled.release.policy_count(), pieces.len());
            placed(&compiled.warnings, schema, policies);
            return Some(compiled.release);
        }
        Err(problems) => problems,
    };
    assert!(problems.iter().any(Problem::is_error));
    placed(&problems, schema, policies);
    None
}

fn placed(problems: &[Problem], schema: Option<&SchemaSource>, policies: &str) {
    for problem in problems {
        let of_schema = problem.file.as_deref() == Some("schema");
        let text = if of_schema { schema.map_or("", |schema| &schema.text) } else { policies };
        findings::stand_in(std::slice::from_ref(problem), text);
    }
}

/// A policy's JSON becomes text, and what that says is said the same from then on. One is enough: parsing takes long.
fn forms(release: &Release) {
    let Some(policy) = release.policies().next() else { return };
    let Ok(json) = policy_json(&policy.source().text) else { return };
    let text = policy_text(json.clone()).unwrap_or_else(|error| panic!("{error}: {json}"));
    // Without its sugar it may be nested too deep to be told as JSON.
    if let Ok(json) = policy_json(&text) {
        assert_eq!(policy_text(json).as_ref(), Ok(&text));
    }
}

fn decides(release: Release) {
    let uid = |text: &str| EntityUid::parse(text).unwrap();
    let request = AccessRequest::new(uid("User:a"), uid("Action:read"), uid("Document:a"));
    let release = Some(Arc::new(release));
    for validation in [Validation::Strict, Validation::Off] {
        let settings = Settings { validation, ..Settings::default() };
        let snapshot = Snapshot::new(release.clone(), Arc::default(), settings, 1);
        let decided = decide(&snapshot, &request, &Limits::default());
        assert_eq!(decided, decide(&snapshot, &request, &Limits::default()));
    }
}
