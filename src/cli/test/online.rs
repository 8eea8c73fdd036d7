//! `authx test --online`: tests of policies on a store of a server, which is sent what their files hold.

use std::collections::BTreeMap;

use authx_engine::Problem;
use reqwest::Method;
use serde_json::{Value, json};

use super::load::{Origin, Refusal};
use super::policies::{only_store, place_of};
use super::report::coverage::StoreCoverage;
use super::report::{Answered, FileReport, Outcome, TestReport};
use super::{Args, Ran};
use crate::api::v1::tuples::TupleBody;
use crate::cli::client::Client;
use crate::cli::files::test_file::{TestFile, TestKind};
use crate::cli::validate::problem_of;
use crate::cli::values::{list, number, word};
use crate::cli::{Exit, fail, note};
use crate::policy_tests::{self, DataRows, Suite};

/// What is sent of one file of tests.
struct Sent {
    /// The store of the files that it is of.
    store: String,
    suite: Value,
}

/// Runs the files, those of one store in one request.
pub(super) async fn run(args: &Args, files: Vec<TestFile>) -> Result<Ran, Exit> {
    let (files, models): (Vec<TestFile>, Vec<TestFile>) =
        files.into_iter().partition(|file| file.kind == TestKind::Policies);
    if !models.is_empty() {
        let names: Vec<String> = models.iter().map(|file| format!("`{}`", file.name)).collect();
        let message = format!("tests of models of their own run without a server: {}", names.join(", "));
        if files.is_empty() {
            return Err(fail(Exit::Error, &message));
        }
        note(&format!("note: {message}"));
    }
    let client = Client::new(&args.server)?;
    let mut reports = Vec::with_capacity(files.len());
    let mut stores: BTreeMap<String, (Vec<usize>, Vec<Value>)> = BTreeMap::new();
    for file in files {
        let (report, sent) = prepared(file, args);
        if let Some(Sent { store, suite }) = sent {
            let (places, suites) = stores.entry(store).or_default();
            places.push(reports.len());
            suites.push(suite);
        }
        reports.push(report);
    }
    let mut coverage = Vec::new();
    for (store, (places, suites)) in stores {
        let path = client.store_path_of(&store).await?;
        let body = json!({"suites": suites, "release": args.release, "filter": args.filter,
            "coverage": args.with_coverage()});
        let reply = client.call(Method::POST, &format!("{path}/tests/run"), Some(&body)).await?;
        if reply.status != 200 {
            return Err(client.refused(&reply));
        }
        // Whatever was not answered has not passed.
        let no_answer = || fail(Exit::Error, "the answer is not of these tests; is the server an AuthX?");
        let told: Vec<&Value> = list(&reply.body, "suites").collect();
        if told.len() != places.len() {
            return Err(no_answer());
        }
        for (place, told) in places.into_iter().zip(told) {
            let report = reports.get_mut(place).filter(|report| report.name == word(told, "file"));
            let report: &mut FileReport = report.ok_or_else(no_answer)?;
            report.tests = answered(told).ok_or_else(no_answer)?;
        }
        if args.with_coverage() {
            let policies = reply.body.get("coverage").cloned().map(serde_json::from_value);
            let policies = policies.and_then(Result::ok).ok_or_else(no_answer)?;
            coverage.push(StoreCoverage { store, policies });
        }
    }
    Ok(Ran { reports, coverage })
}

/// The report of a file that is not answered yet, and what is sent; nothing when the file is refused here.
fn prepared(file: TestFile, args: &Args) -> (FileReport, Option<Sent>) {
    let TestFile { name, path, text, .. } = file;
    let (text, mut report) = match FileReport::begun(name, text) {
        Ok(begun) => begun,
        Err(unread) => return (unread, None),
    };
    let name = report.name.clone();
    let origin = Origin::new(&name, &path, args.allow_external_files);
    match sent(&text, origin, args.server.store.as_ref()) {
        Ok(sent) => (report, Some(sent)),
        Err(refusal) => {
            report.tests = Err(refusal);
            (report, None)
        }
    }
}

fn sent(text: &str, origin: Origin<'_>, store: Option<&String>) -> Result<Sent, Refusal> {
    let mut suite = policy_tests::read(text, origin.name).map_err(Refusal::Unreadable)?;
    let files = data(&mut suite, origin).map_err(Refusal::Unreadable)?;
    let store = match store {
        Some(store) => store.clone(),
        None => only_store(&place_of(&suite, origin)?, origin)?.name,
    };
    Ok(Sent { store, suite: json!({"file": origin.name, "text": text, "files": files}) })
}

/// What the files hold that the suite names, each once.
fn data(suite: &mut Suite, origin: Origin<'_>) -> Result<Vec<Value>, Vec<Problem>> {
    let mut files = BTreeMap::new();
    suite.fill(|named| {
        let rows = origin.data_file(named)?;
        files.insert(named.name().path.clone(), rows.clone());
        Ok(rows)
    })?;
    let body = |(name, DataRows { entities, tuples, .. }): (String, DataRows)| {
        let tuples: Vec<TupleBody> = tuples.iter().map(|(_, tuple)| TupleBody::from(tuple)).collect();
        json!({"name": name, "entities": entities, "tuples": tuples})
    };
    Ok(files.into_iter().map(body).collect())
}

/// What a server says of one suite; `None` when that is nothing.
fn answered(told: &Value) -> Option<Result<Vec<TestReport>, Refusal>> {
    let problems: Vec<Problem> = list(told, "problems").map(problem_of).collect();
    if !problems.is_empty() {
        return Some(Err(Refusal::Unreadable(problems)));
    }
    let tests = told.get("tests")?.as_array()?;
    let words = |of: &Value, name: &str| list(of, name).filter_map(Value::as_str).map(str::to_owned).collect();
    let line = |of: &Value| u32::try_from(number(of, "line")).unwrap_or_default();
    let answer = |of: &Value| Answered {
        line: line(of),
        what: word(of, "question").to_owned(),
        list: false,
        outcome: if of.get("passed") == Some(&Value::Bool(true)) {
            Outcome::Passed
        } else {
            Outcome::Decided { differences: words(of, "differences"), explanation: of.get("explanation").cloned() }
        },
    };
    let test = |of: &Value| TestReport {
        name: word(of, "name").to_owned(),
        description: of.get("description").and_then(Value::as_str).map(str::to_owned),
        line: line(of),
        refused: words(of, "errors"),
        answers: list(of, "assertions").map(answer).collect(),
    };
    Some(Ok(tests.iter().map(test).collect()))
}
