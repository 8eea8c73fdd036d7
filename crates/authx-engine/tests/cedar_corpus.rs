//! Cedar's own integration tests, in process: decisions, reasons, errors and validation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

mod suites;

use std::io::Read as _;
use std::sync::Arc;

use authx_engine::{
    AccessRequest, Change, Check, CompileOptions, Data, DataRules, Decision, EntityInput, EntityUid, JsonObject,
    Limits, PolicyErrors, PolicySource, Release, SchemaSource, SchemaSyntax, Settings, Snapshot, Sources, Validation,
    action_as_declared, check_entities, decide, read_entity, split_policies,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    policies: String,
    entities: Vec<EntityInput>,
    schema: String,
    #[serde(rename = "shouldValidate")]
    should_validate: bool,
    requests: Vec<Asked>,
}

#[derive(Deserialize)]
struct Asked {
    description: String,
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    context: JsonObject,
    decision: String,
    reason: Vec<String>,
    errors: Vec<String>,
}

fn cases(text: &str) -> Vec<Case> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn positional(case: &Case) -> Vec<PolicySource> {
    let pieces = split_policies(None, &case.policies);
    pieces.into_iter().enumerate().map(|(i, p)| PolicySource { id: Some(format!("policy{i}")), ..p }).collect()
}

/// (validations, requests) that agreed, and what did not.
fn play(cases: &[Case]) -> (usize, usize, Vec<String>) {
    let (mut validations, mut requests, mut failures) = (0, 0, Vec::new());
    for case in cases {
        let schema = SchemaSource { syntax: SchemaSyntax::Cedar, file: None, text: case.schema.clone() };
        let compile = |validation| {
            let options = CompileOptions { validation, threads: 1, ..CompileOptions::default() };
            Release::compile(
                "01",
                Sources { schema: Some(schema.clone()), policies: &positional(case), ..Sources::default() },
                &options,
                None,
            )
        };
        let strict = compile(Check::Strict);
        if strict.is_ok() == case.should_validate {
            validations += 1;
        } else {
            let found = strict.as_ref().err();
            failures.push(format!("{}: validation, want {}: {found:?}", case.name, case.should_validate));
        }
        let (release, validation) = match strict {
            Ok(compiled) => (compiled.release, Validation::Strict),
            Err(_) => (compile(Check::Off).unwrap().release, Validation::Off),
        };
        let settings = Settings { validation, policy_errors: PolicyErrors::Cedar, ..Settings::default() };
        let rules = if validation == Validation::Strict { release.data_rules() } else { DataRules::default() };
        let mut data = Data::default();
        for input in &case.entities {
            if input.uid.is_action() {
                assert!(action_as_declared(release.schema(), input), "{}: {}", case.name, input.uid);
                continue;
            }
            let row = Arc::new(read_entity(input, rules, "").unwrap_or_else(|e| panic!("{}: {e:?}", case.name)));
            if let Some(schema) = rules.schema() {
                assert_eq!(check_entities(schema, [("", &*row)].into_iter()), [], "{}", case.name);
            }
            data.apply(&Change::PutEntity(row));
        }
        let snapshot = Snapshot::new(Some(Arc::new(release)), Arc::new(data), settings, 1);
        for asked in &case.requests {
            let request = AccessRequest {
                context: asked.context.clone(),
                ..AccessRequest::new(asked.principal.clone(), asked.action.clone(), asked.resource.clone())
            };
            let got = decide(&snapshot, &request, &Limits::default()).map(|e| {
                let decision = if e.decision == Decision::Allow { "allow" } else { "deny" };
                let reasons: Vec<String> = e.determining_policies.iter().map(ToString::to_string).collect();
                let errors: Vec<String> = e.policy_errors.iter().map(|e| e.policy.to_string()).collect();
                (decision.to_owned(), reasons, errors)
            });
            let sorted = |list: &[String]| {
                let mut list = list.to_vec();
                list.sort();
                list
            };
            let want = (asked.decision.clone(), sorted(&asked.reason), sorted(&asked.errors));
            match got {
                Ok(got) if got == want => requests += 1,
                got => failures.push(format!("{} {}: want {want:?}, got {got:?}", case.name, asked.description)),
            }
        }
    }
    (validations, requests, failures)
}

fn agree(file: &str, text: &str, want: (usize, usize)) {
    let cases = cases(text);
    let (validations, requests, failures) = play(&cases);
    println!("{file}: {requests} requests and {validations} validations agree of {} cases", cases.len());
    assert!(
        failures.is_empty(),
        "{} disagree, the first:\n{}",
        failures.len(),
        failures[..failures.len().min(10)].join("\n")
    );
    assert_eq!((validations, requests), want, "{file} is not the whole suite");
}

#[test]
fn handwritten() {
    let Some(dir) = suites::folder("cedar") else { return };
    let text = std::fs::read_to_string(dir.join("handwritten.jsonl")).unwrap();
    agree("handwritten.jsonl", &text, (22, 74));
}

#[test]
fn corpus() {
    let Some(dir) = suites::folder("cedar") else { return };
    let mut text = String::new();
    let file = std::fs::File::open(dir.join("corpus.jsonl.gz")).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    agree("corpus.jsonl.gz", &text, (1973, 15784));
}
