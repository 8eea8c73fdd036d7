//! `fga.mod`: which files make up a model. Reads the list, never the files.

use authx_engine::{Problem, percent_decoded};

use crate::yaml::fields::Fields;
use crate::yaml::{Node, Place, parse};

/// The name that such a file must have.
pub(crate) const NAME: &str = "fga.mod";

/// The only version that has modules.
pub(crate) const SCHEMA: &str = "1.2";

const CODE: &str = "mod_file";

/// How many bytes an `fga.mod` has at most.
const MAX_TEXT: usize = 64 * 1024;

/// One of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// With `/`, below the folder of `fga.mod`.
    pub(crate) path: String,
    /// Where `fga.mod` names it.
    pub(crate) place: Place,
}

/// Reads the text of an `fga.mod`; `file` names it in the problems.
///
/// # Errors
/// Everything that is missing, of the wrong type, or a path that could leave the folder.
pub(crate) fn read(text: &str, file: &str) -> Result<Vec<Listed>, Vec<Problem>> {
    let in_file = |problem: Problem| vec![Problem { file: Some(file.to_owned()), ..problem }];
    if text.len() > MAX_TEXT {
        let message = format!("the text has {} bytes, at most {MAX_TEXT} are allowed", text.len());
        return Err(in_file(Problem::error(CODE, message)));
    }
    let root = parse(text, CODE).map_err(in_file)?;
    let mut fields = Fields::new(CODE, file);
    // Other tools keep fields of their own here.
    let entries = fields.entries(&root, "an `fga.mod`");
    let field = |name: &str| entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node);
    match (field("schema"), field("contents")) {
        (Some(schema), Some(contents)) => {
            check_schema(schema, &mut fields);
            let items = fields.items(Some(contents), "`contents`");
            let listed: Vec<_> = items.iter().filter_map(|item| listed(item, &mut fields)).collect();
            if fields.problems.is_empty() { Ok(listed) } else { Err(fields.problems) }
        }
        (schema, _) if fields.problems.is_empty() => {
            let missing = if schema.is_none() { "schema" } else { "contents" };
            fields.wrong(root.place, format!("`{missing}` is missing: expected `schema: '1.2'` and `contents`"));
            Err(fields.problems)
        }
        _ => Err(fields.problems),
    }
}

fn check_schema(schema: &Node, fields: &mut Fields<'_>) {
    let version = fields.text(schema, "`schema`");
    if let Some(version) = version.filter(|version| *version != SCHEMA) {
        fields.wrong(schema.place, format!("`schema` is `{version}`, modules need `{SCHEMA}`"));
    }
}

fn listed(item: &Node, fields: &mut Fields<'_>) -> Option<Listed> {
    let written = fields.text(item, "an item of `contents`")?;
    match check_path(written) {
        Ok(path) => Some(Listed { path, place: item.place }),
        Err(reason) => {
            fields.wrong(item.place, format!("path `{written}` {reason}"));
            None
        }
    }
}

/// The path with `/`, if it stays in its folder however it is read.
fn check_path(written: &str) -> Result<String, &'static str> {
    // Other readers decode `%2e` and `+`: what they would make of the path must be harmless too.
    let decoded = percent_decoded(written).ok_or("has a `%` that encodes nothing readable")?;
    let path = decoded.replace('\\', "/");
    if path.contains('%') {
        return Err("is encoded twice");
    }
    if path.starts_with('/') || path.get(1..2) == Some(":") {
        return Err("is absolute, expected one below the folder of `fga.mod`");
    }
    if path.split('/').any(|part| part == "..") {
        return Err("leaves the folder of `fga.mod`");
    }
    if path.chars().any(char::is_control) {
        return Err("has a control character");
    }
    // The extension is part of the format, spelled in lower case.
    if path.strip_suffix(".fga").is_none() {
        return Err("does not end with `.fga`");
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let told = |problem: &Problem| {
            let place = problem.line.map(|line| format!("{line}:{} ", problem.column.unwrap())).unwrap_or_default();
            format!("{place}{}", problem.message)
        };
        read(text, "fga.mod").unwrap_err().iter().map(told).collect()
    }

    #[test]
    fn lists_that_read() {
        let text = "schema: '1.2'\ncontents:\n  - core.fga\n  - team\\board.fga\n  - \"a%20b.fga\"\nother: 1\n";
        let found = read(text, "fga.mod").unwrap();
        let found: Vec<_> = found.iter().map(|listed| (listed.path.as_str(), listed.place.line)).collect();
        assert_eq!(found, [("core.fga", 3), ("team/board.fga", 4), ("a b.fga", 5)]);
    }

    #[test]
    fn lists_that_do_not() {
        for (text, expected) in [
            ("", &["1:1 an `fga.mod` is nothing, expected a map"][..]),
            ("- a", &["1:1 an `fga.mod` is a list, expected a map"]),
            ("contents: [a.fga]", &["1:1 `schema` is missing: expected `schema: '1.2'` and `contents`"]),
            ("schema: '1.2'", &["1:1 `contents` is missing: expected `schema: '1.2'` and `contents`"]),
            ("schema: 1.2\ncontents: [a.fga]", &["1:9 `schema` is the number `1.2`, expected a text"]),
            ("schema: true\ncontents: [a.fga]", &["1:9 `schema` is `true`, expected a text"]),
            ("schema: '1.1'\ncontents: [a.fga]", &["1:9 `schema` is `1.1`, modules need `1.2`"]),
            ("schema: '1.2'\ncontents: true", &["2:11 `contents` is `true`, expected a list"]),
            (
                "schema: '1.2'\ncontents: [true, x.txt, 1]",
                &[
                    "2:12 an item of `contents` is `true`, expected a text",
                    "2:18 path `x.txt` does not end with `.fga`",
                    "2:25 an item of `contents` is the number `1`, expected a text",
                ],
            ),
            ("schema: '1.2'\nschema: '1.2'\ncontents: [a.fga]", &["2:1 `schema` is given twice"]),
            (&"#".repeat(100_000), &["the text has 100000 bytes, at most 65536 are allowed"]),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
        assert_eq!(told("schema: '1.2\n").len(), 1);
        assert_eq!(told(&"[".repeat(60_000)).len(), 1);
    }

    #[test]
    fn paths_stay_in_their_folder() {
        for path in [
            "/etc/a.fga",
            "../a.fga",
            "a/../../b.fga",
            "a/..",
            "..\\a.fga",
            "\\a.fga",
            "C:\\a.fga",
            "c:a.fga",
            "%2e%2e/a.fga",
            "..%2fa.fga",
            "%2Fa.fga",
            "%252e%252e/a.fga",
            "..%5ca.fga",
            "a%00.fga",
            "a%zz.fga",
            "a.fga%",
            "a.txt",
            "a.FGA",
            "",
            "a%ff.fga",
        ] {
            let told = told(&format!("schema: '1.2'\ncontents:\n  - '{path}'\n"));
            assert!(told.len() == 1 && told[0].starts_with("3:5 path "), "{path}: {told:?}");
        }
    }
}
