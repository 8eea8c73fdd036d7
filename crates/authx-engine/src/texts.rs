//! A release's policies as the texts that made them: the inverse of cutting files into policies.

use std::collections::BTreeMap;

use crate::policy::Policy;
use crate::scan::{PolicySource, split_policies};

/// A text of one or more policies. Read again, it gives the same policies with the same ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyText {
    /// The id that the author gave beside the text, which then is of one policy.
    pub id: Option<String>,
    /// A whole file, as far as a release has it; several texts of one name where they cannot be joined.
    pub file: Option<String>,
    pub text: String,
}

/// The texts of policies: files by name, then policies without one, then those with an id beside their text.
#[must_use]
pub fn policy_texts<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> Vec<PolicyText> {
    let mut files: BTreeMap<&str, Vec<&PolicySource>> = BTreeMap::new();
    let (mut unfiled, mut named) = (Vec::new(), Vec::new());
    for source in policies.into_iter().map(Policy::source) {
        match (&source.id, &source.file) {
            (Some(_), _) => named.push(source),
            (None, Some(file)) => files.entry(file).or_default().push(source),
            (None, None) => unfiled.push(source),
        }
    }
    let mut texts = Vec::new();
    for (file, mut sources) in files {
        sources.sort_by_key(|source| (source.line, source.column));
        texts.extend(joined(&sources).into_iter().map(|text| PolicyText {
            id: None,
            file: Some(file.to_owned()),
            text,
        }));
    }
    texts.extend(joined(&unfiled).into_iter().map(|text| PolicyText { id: None, file: None, text }));
    texts.extend(named.into_iter().map(|source| PolicyText {
        id: source.id.clone(),
        file: source.file.clone(),
        text: source.text.clone(),
    }));
    texts
}

/// The texts as few as they can be, so that each comes apart into the same policies. A comment without the end of its
/// line would swallow what follows, and one below the last policy of a file would go to the next.
fn joined(sources: &[&PolicySource]) -> Vec<String> {
    let (mut order, mut ends): (Vec<&PolicySource>, _) = (Vec::with_capacity(sources.len()), Vec::new());
    for source in sources {
        // What nothing can follow goes to the end, where it was before something behind it was deleted.
        while let Some(last) = order.pop_if(|last| !comes_apart(&[*last, *source])) {
            ends.push(last);
        }
        order.push(*source);
    }
    order.extend(ends);
    let mut texts: Vec<String> = Vec::new();
    let mut last: Option<&PolicySource> = None;
    for source in order {
        let fits = last.is_some_and(|last| comes_apart(&[last, source]));
        match texts.last_mut().filter(|_| fits) {
            Some(text) => text.push_str(&source.text),
            None => texts.push(source.text.clone()),
        }
        last = Some(source);
    }
    texts
}

fn comes_apart(sources: &[&PolicySource]) -> bool {
    let whole: String = sources.iter().map(|source| source.text.as_str()).collect();
    split_policies(None, &whole).iter().map(|piece| &piece.text).eq(sources.iter().map(|source| &source.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_joined_where_they_come_apart() {
        let p = "permit(principal,action,resource);";
        for (texts, expected) in [
            (&[][..], &[][..]),
            (&["P\n", "P"], &["P\nP"]),
            (&["P", "P"], &["PP"]),
            (&["P // c", "P"], &["PP // c"]),
            (&["P // c", "P // d"], &["P // d", "P // c"]),
            (&["P // c\r", "P"], &["P // c\rP"]),
            (&["P\n// end\n", "P\n"], &["P\nP\n// end\n"]),
            (&["// head\nP\n", "\n//x\nP\n", "P // y\n"], &["// head\nP\n\n//x\nP\nP // y\n"]),
        ] {
            let own = |texts: &[&str]| texts.iter().map(|text| text.replace('P', p)).collect::<Vec<_>>();
            let sources: Vec<_> = own(texts).into_iter().map(|text| PolicySource::single(None, text)).collect();
            assert_eq!(joined(&sources.iter().collect::<Vec<_>>()), own(expected), "{texts:?}");
        }
    }
}
