//! Runs the tests of a store file: each on tuples of its own, with the engine that the server asks.

use std::collections::{BTreeSet, HashMap};

use authx_engine::relation::{
    Asking, Bound, GraphError, GraphLimits, Listed, ObjectRef, RelationModel, Relations, SubjectRef, Tuple, TupleKey,
    Tuples, UserFilter,
};

use super::load::Loaded;
use super::report::{Answered, Outcome, TestReport};
use super::store_file::{Asked, Question, Test};
use crate::pdp::question_problems;
use crate::policy_tests::Sourced;

/// Runs the tests whose names hold `filter`; `now` is for tuples that expire.
pub(super) fn run(loaded: &Loaded, filter: &str, now: i64) -> Vec<TestReport> {
    let chosen = loaded.tests.iter().filter(|(test, _)| test.name.contains(filter));
    chosen.map(|(test, tuples)| run_test(&loaded.model, test, tuples, now)).collect()
}

fn run_test(model: &RelationModel, test: &Test, tuples: &[Sourced<Tuple>], now: i64) -> TestReport {
    let mut report = TestReport {
        name: test.name.clone(),
        description: test.description.clone(),
        line: test.place.line,
        refused: refused(model, tuples),
        answers: Vec::new(),
    };
    if !report.refused.is_empty() {
        return report;
    }
    let all: Vec<Tuple> = tuples.iter().map(|sourced| sourced.what.clone()).collect();
    let tuples = match Tuples::default().changed(&[], &all) {
        Ok(tuples) => tuples,
        Err(error) => {
            report.refused.push(error.to_string());
            return report;
        }
    };
    let bound = Bound::new(model, &tuples);
    let relations = Relations::new(model, &tuples, &bound);
    let answer = |question: &Question| {
        let asking = Asking { context: &question.context, now, limits: GraphLimits::default() };
        let outcome = ask(model, &relations, &asking, &question.asked).unwrap_or_else(Outcome::Undecided);
        Answered { line: question.place.line, what: what(&question.asked), list: is_list(&question.asked), outcome }
    };
    report.answers = test.questions.iter().map(answer).collect();
    report
}

/// Why the tuples of a test cannot be stored together.
fn refused(model: &RelationModel, tuples: &[Sourced<Tuple>]) -> Vec<String> {
    let mut seen: HashMap<&TupleKey, &Sourced<Tuple>> = HashMap::new();
    let mut refused = Vec::new();
    for sourced in tuples {
        let (tuple, source) = (&sourced.what, sourced.source());
        match seen.insert(&tuple.key, sourced) {
            // Said again it means the same.
            Some(before) if before.what == *tuple => {}
            Some(before) => {
                refused.push(format!("tuple `{}` of {source} is another one in {}", tuple.key, before.source()));
            }
            None => {
                let problem = model.check_tuple(tuple).err();
                refused.extend(problem.map(|problem| format!("tuple `{}` of {source}: {problem}", tuple.key)));
            }
        }
    }
    refused
}

fn ask(
    model: &RelationModel,
    relations: &Relations<'_>,
    asking: &Asking<'_>,
    asked: &Asked,
) -> Result<Outcome, String> {
    match asked {
        Asked::Check { key, expected } => {
            fits(model, Some((&key.object, &key.relation)), Some(&key.subject))?;
            let checked = relations.check(key, asking, true).map_err(|error| error.to_string())?;
            let path = || checked.path.iter().map(|tuple| tuple.key.to_string()).collect();
            let failed = || Outcome::Wrong { expected: *expected, path: path() };
            Ok(if checked.allowed == *expected { Outcome::Passed } else { failed() })
        }
        Asked::Objects { subject, type_name, relation, expected } => {
            fits(model, None, Some(subject))?;
            let found = relations.list_objects(type_name, relation, subject, asking, usize::MAX);
            Ok(compared(expected, &listed(found)?))
        }
        Asked::Users { object, relation, filters, expected } => {
            fits(model, Some((object, relation)), None)?;
            let mut found = BTreeSet::new();
            for filter in filters {
                found.extend(listed(relations.list_users(object, relation, filter, asking, usize::MAX))?);
            }
            Ok(compared(expected, &found))
        }
    }
}

/// Whether the model knows what a question names: of an unknown type nothing holds, which no test should rely on.
fn fits(model: &RelationModel, object: Option<(&ObjectRef, &str)>, subject: Option<&SubjectRef>) -> Result<(), String> {
    match question_problems(model, object, subject).first() {
        Some(problem) => Err(problem.message.clone()),
        None => Ok(()),
    }
}

/// The items as text; a condition that failed on the way fails the list, as in `OpenFGA`.
fn listed<T: ToString>(found: Result<Listed<T>, GraphError>) -> Result<BTreeSet<String>, String> {
    let found = found.map_err(|error| error.to_string())?;
    match found.failed {
        Some(error) => Err(error.to_string()),
        None => Ok(found.items.iter().map(ToString::to_string).collect()),
    }
}

fn compared(expected: &BTreeSet<String>, found: &BTreeSet<String>) -> Outcome {
    let missing: Vec<String> = expected.difference(found).cloned().collect();
    let extra: Vec<String> = found.difference(expected).cloned().collect();
    if missing.is_empty() && extra.is_empty() { Outcome::Passed } else { Outcome::Differs { missing, extra } }
}

/// The question in one line.
fn what(asked: &Asked) -> String {
    match asked {
        Asked::Check { key, .. } => format!("check {} {} {}", key.subject, key.relation, key.object),
        Asked::Objects { subject, type_name, relation, .. } => {
            format!("list_objects {subject} {relation} {type_name}")
        }
        Asked::Users { object, relation, filters, .. } => {
            let filter = |filter: &UserFilter| match &filter.relation {
                Some(relation) => format!("{}#{relation}", filter.type_name),
                None => filter.type_name.to_string(),
            };
            let filters: Vec<String> = filters.iter().map(filter).collect();
            format!("list_users {object} {relation} {}", filters.join(", "))
        }
    }
}

fn is_list(asked: &Asked) -> bool {
    match asked {
        Asked::Check { .. } => false,
        Asked::Objects { .. } | Asked::Users { .. } => true,
    }
}
