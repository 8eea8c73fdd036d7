//! What came of a question beside what was expected.

use std::collections::BTreeSet;

use authx_engine::{DecideError, Decision, Evaluation};

use super::{Errors, Expected, Wanted};
use crate::yaml::fields::short;

/// Lines that are told of one question.
const MAX_LINES: usize = 10;

/// Policies that one line names.
const MAX_NAMED: usize = 10;

/// What differs, a line each; nothing when all is as expected. `own` tells a policy's id from what a suite calls it.
pub(super) fn differences(
    expected: &Expected,
    told: &Result<Evaluation, DecideError>,
    own: impl Fn(&str) -> String,
) -> Vec<String> {
    let mut found = all_differences(expected, told, own);
    let more = found.len().saturating_sub(MAX_LINES);
    if more > 0 {
        found.truncate(MAX_LINES);
        found.push(format!("and {more} more"));
    }
    found.into_iter().map(short).collect()
}

fn all_differences(
    expected: &Expected,
    told: &Result<Evaluation, DecideError>,
    own: impl Fn(&str) -> String,
) -> Vec<String> {
    let Expected { answer: wanted, besides } = expected;
    let evaluation = match told {
        Err(error) => {
            let unexpected = *wanted != Wanted::Error;
            return unexpected.then(|| format!("no decision: {}", reason(error))).into_iter().collect();
        }
        Ok(evaluation) => evaluation,
    };
    let mut found = Vec::new();
    let got = match evaluation.decision {
        Decision::Allow => Wanted::Allow,
        Decision::Deny => Wanted::Deny,
    };
    if *wanted != got {
        found.push(format!("expected {}, got {}", word(*wanted), word(got)));
    }
    if let Some(wanted) = &besides.policies {
        let wanted: BTreeSet<String> = wanted.iter().map(|id| own(id)).collect();
        let got: BTreeSet<String> = evaluation.determining_policies.iter().map(ToString::to_string).collect();
        if wanted != got {
            found.push(format!("expected by {}, got by {}", listed(&wanted), listed(&got)));
        }
    }
    found.extend(errors(&besides.errors, evaluation, own));
    found.extend(besides.warnings.iter().flat_map(|wanted| warnings(wanted, &evaluation.warnings)));
    found
}

fn errors(expected: &Errors, evaluation: &Evaluation, own: impl Fn(&str) -> String) -> Vec<String> {
    let failed = &evaluation.policy_errors;
    match expected {
        Errors::Count(wanted) => {
            let wrong = u64::try_from(failed.len()).is_ok_and(|got| got != *wanted);
            wrong.then(|| format!("expected {wanted} policies to fail, {} failed", failed.len())).into_iter().collect()
        }
        Errors::AtLeastOne => {
            failed.is_empty().then(|| "expected a policy to fail, none failed".to_owned()).into_iter().collect()
        }
        Errors::These(wanted) => {
            let wanted: BTreeSet<String> = wanted.iter().map(|id| own(id)).collect();
            let unexpected = failed.iter().filter(|error| !wanted.contains(error.policy.as_str()));
            let unexpected = unexpected.map(|error| format!("`{}` failed: {}", error.policy, error.message));
            let missing = wanted.iter().filter(|id| failed.iter().all(|error| error.policy != id.as_str()));
            unexpected.chain(missing.map(|id| format!("expected `{id}` to fail, it did not"))).collect()
        }
    }
}

fn warnings(wanted: &[String], got: &[String]) -> Vec<String> {
    let unexpected = got.iter().filter(|text| !wanted.iter().any(|part| text.contains(part)));
    let missing = wanted.iter().filter(|part| !got.iter().any(|text| text.contains(*part)));
    let missing = missing.map(|part| format!("expected a warning with `{part}`"));
    unexpected.map(|text| format!("warning: {text}")).chain(missing).collect()
}

fn word(answer: Wanted) -> &'static str {
    match answer {
        Wanted::Allow => "allow",
        Wanted::Deny => "deny",
        Wanted::Error => "no decision",
    }
}

fn listed(ids: &BTreeSet<String>) -> String {
    let named: Vec<String> = ids.iter().take(MAX_NAMED).map(|id| format!("`{id}`")).collect();
    match ids.len().saturating_sub(MAX_NAMED) {
        0 if named.is_empty() => "no policy".to_owned(),
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

fn reason(error: &DecideError) -> String {
    match error {
        DecideError::InvalidInput { problems } => {
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        }
        DecideError::Limit { message } | DecideError::Undetermined { message } | DecideError::Engine { message } => {
            message.clone()
        }
    }
}
