//! What to write instead: hints for mistakes that authors make often, where Cedar gives none or one that helps nobody.

mod syntax;
mod types;

pub(crate) use syntax::hint as syntax_hint;
pub(crate) use types::hint as type_hint;

use crate::cedar::fuzzy_search_limited;

/// Names that a hint lists at most.
const MAX_LISTED: usize = 12;

/// A name that is so close to another that it was probably meant.
pub(crate) fn close_to(name: &str, known: &[String]) -> Option<String> {
    let mut known = known.to_vec();
    known.sort_unstable();
    fuzzy_search_limited(name, &known, Some(3.min(name.chars().count() / 2 + 1)))
}

/// Names as a list, in order, the first few of many.
pub(crate) fn listed(names: &[String]) -> String {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let more = names.len().saturating_sub(MAX_LISTED);
    names.truncate(MAX_LISTED);
    let shown: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}
