//! What tests tried of the policies of one store.

use serde_json::{Value, json};

use crate::api::v1::explain::PlaceBody;
use crate::api::v1::policy_tests::{ConjunctCoverageBody, PolicyCoverageBody};
use crate::cli::report::printable;

/// The coverage of one store.
#[derive(Debug)]
pub(crate) struct StoreCoverage {
    pub(crate) store: String,
    pub(crate) policies: Vec<PolicyCoverageBody>,
}

/// Something that is true or false of each request: a conjunct, or whether a policy without any applies.
struct Part<'a> {
    policy: &'a PolicyCoverageBody,
    text: Option<&'a str>,
    place: &'a PlaceBody,
    was_true: bool,
    was_false: bool,
}

impl StoreCoverage {
    fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.policies.iter().flat_map(|policy| {
            let PolicyCoverageBody { applied, not_applied, place, conjuncts, .. } = policy;
            let (was_true, was_false) = (*applied, *not_applied);
            let whole = conjuncts.is_empty().then_some(Part { policy, text: None, place, was_true, was_false });
            let each = conjuncts.iter().map(move |conjunct| {
                let ConjunctCoverageBody { text, place, was_true, was_false } = conjunct;
                Part { policy, text: Some(text), place, was_true: *was_true, was_false: *was_false }
            });
            whole.into_iter().chain(each)
        })
    }

    /// How many parts were true and false, and how many there are.
    pub(crate) fn count(&self) -> (usize, usize) {
        let covered = self.parts().filter(|part| part.was_true && part.was_false).count();
        (covered, self.parts().count())
    }

    /// Parts that were true and false, in tenths of a percent of all; a store without any is covered.
    pub(crate) fn permille(&self) -> usize {
        let (covered, all) = self.count();
        (covered * 1_000).checked_div(all).unwrap_or(1_000)
    }

    /// A line for the store, and one for each part that is not covered.
    pub(crate) fn text(&self) -> String {
        let (covered, all) = self.count();
        let permille = self.permille();
        let mut text = format!(
            "coverage of {}: {covered} of {all} conjuncts true and false ({}.{} %)\n",
            printable(&self.store),
            permille / 10,
            permille % 10
        );
        for Part { policy, text: of, place, was_true, was_false } in self.parts() {
            let never = match (was_true, was_false) {
                (true, true) => continue,
                (true, false) => "was never false",
                (false, true) => "was never true",
                (false, false) => "was never reached",
            };
            let of = match of {
                Some(of) => format!("`{}` {never}", of.lines().map(str::trim).collect::<Vec<_>>().join(" ")),
                None if was_true => "applied to every request".to_owned(),
                None => "never applied".to_owned(),
            };
            let file = place.file.as_deref().unwrap_or("policy");
            let line = format!("  {} {file}:{}:{}  {of}", policy.policy, place.line, place.column);
            text.push_str(&format!("{}\n", printable(&line)));
        }
        text
    }

    pub(crate) fn json(&self) -> Value {
        let (covered, all) = self.count();
        json!({
            "store": self.store,
            "covered": covered,
            "conjuncts": all,
            "policies": self.policies,
        })
    }
}
