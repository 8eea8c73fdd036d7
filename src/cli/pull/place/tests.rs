//! Names as servers give them, and what is made of them.

use authx_engine::PolicyText;
use serde_json::json;

use super::*;

fn paths(files: &[Option<&str>], ids: &[&str]) -> Vec<String> {
    let texts = files.iter().map(|file| PolicyText { id: None, file: file.map(str::to_owned), text: String::new() });
    let named = ids.iter().map(|id| PolicyText { id: Some((*id).to_owned()), file: None, text: String::new() });
    let texts = ReleaseTexts { policies: texts.chain(named).collect(), ..ReleaseTexts::default() };
    place(&texts, "s").files.into_iter().map(|(path, _)| path).collect()
}

#[test]
fn names_stay_where_they_can() {
    for (files, expected) in [
        (
            &["policies/docs/a.cedar", "policies/docs/x/b.cedar"][..],
            &["policies/docs/a.cedar", "policies/docs/x/b.cedar"][..],
        ),
        (&["/home/ann/policies/docs/a.cedar"], &["policies/docs/a.cedar"]),
        (&["a.cedar", "x/b.cedar"], &["policies/s/a.cedar", "policies/s/x/b.cedar"]),
        (
            &["policies/a/x.cedar", "policies/b/x.cedar"],
            &["policies/s/policies/a/x.cedar", "policies/s/policies/b/x.cedar"],
        ),
        (&["policies/x.cedar"], &["policies/s/policies/x.cedar"]),
        (&["höhe/über uns.cedar"], &["policies/s/höhe/über uns.cedar"]),
    ] {
        let files: Vec<_> = files.iter().copied().map(Some).collect();
        assert_eq!(paths(&files, &[]), expected);
    }
    let mixed = paths(&[Some("policies/docs/a.cedar"), None], &["p1"]);
    assert_eq!(mixed, ["policies/docs/a.cedar", "policies/docs/policies.cedar", "policies/docs/by-id/p1.cedar"]);
}

#[test]
fn no_name_leaves_the_folder() {
    for (file, expected) in [
        ("../../etc/passwd", "etc/passwd.cedar"),
        ("/etc/cron.d/x.cedar", "etc/cron.d/x.cedar"),
        ("..\\..\\x.cedar", "x.cedar"),
        ("C:\\Windows\\x.cedar", "C_/Windows/x.cedar"),
        ("a/./../b.cedar", "a/b.cedar"),
        ("..", "policies.cedar"),
        ("", "policies.cedar"),
        (".hidden.cedar", "_.hidden.cedar"),
        (".cedar", "_.cedar"),
        (".git/hooks/post-commit", "_.git/hooks/post-commit.cedar"),
        ("nul.cedar", "_nul.cedar"),
        ("COM1/aux", "_COM1/_aux.cedar"),
        ("a\u{0}b\n\u{1b}[2J.cedar", "a_b__[2J.cedar"),
        ("x\u{202e}radec.cedar", "x_radec.cedar"),
        ("ends. /x.cedar", "ends. _/x.cedar"),
        ("-rf.cedar", "_-rf.cedar"),
        ("by-id/x.cedar", "by-id_/x.cedar"),
        ("x.cedarschema", "x.cedarschema.cedar"),
    ] {
        assert_eq!(paths(&[Some(file)], &[]), [format!("policies/s/{expected}")], "{file:?}");
    }
    let deep = paths(&[Some(&format!("{}x.cedar", "d/".repeat(500)))], &[]);
    assert!(deep[0].split('/').count() <= MAX_NESTING, "{deep:?}");
    let long = paths(&[Some(&format!("{}.cedar", "ü".repeat(500)))], &[]);
    assert!(long[0].len() < 200 && long[0].ends_with("ü.cedar"), "{long:?}");
    for store in ["../x", "..", "", "a/b", "con", ".x"] {
        let placed = place(&ReleaseTexts { model: Some("m".to_owned()), ..ReleaseTexts::default() }, store);
        let [(path, _)] = placed.files.as_slice() else { panic!("{placed:?}") };
        let name = path.strip_prefix("schemas/").unwrap().strip_suffix(".fga").unwrap();
        assert!(!name.contains('/') && !name.starts_with('.') && !name.is_empty(), "{path}");
    }
}

#[test]
fn no_two_names_are_one() {
    let files = ["a.cedar", "A.cedar", "a.cedar", "a.cedar/x.cedar", "x/y.cedar", "X"];
    let ids = ["p", "P", ".p", "con", "a.B", "A.b", "-x"];
    let all = paths(&files.map(Some), &ids);
    let lower: BTreeSet<String> = all.iter().map(|path| path.to_lowercase()).collect();
    assert_eq!(lower.len(), all.len(), "{all:?}");
    for path in &all {
        assert!(!lower.iter().any(|other| other.starts_with(&format!("{}/", path.to_lowercase()))), "{all:?}");
    }
    let named: Vec<&str> = all.iter().filter_map(|path| path.strip_prefix("policies/s/by-id/")).collect();
    let expected = ["p.cedar", "%50.cedar", "%2Ep.cedar", "%63on.cedar", "a.B.cedar", "%41.b.cedar", "%2Dx.cedar"];
    assert_eq!(named, expected);
}

#[test]
fn schemas_and_models_go_where_they_are_looked_for() {
    let placed = |schema: Option<&str>, model: Option<&str>, json: bool| {
        let file = schema.map(str::to_owned);
        let schema = if json {
            SchemaText::Json { file, json: json!({"": {}}) }
        } else {
            SchemaText::Cedar { file, text: String::new() }
        };
        let policy = PolicyText { id: None, file: Some("w/policies/docs/a.cedar".to_owned()), text: String::new() };
        let (model, model_file) = (Some(String::new()), model.map(str::to_owned));
        let texts =
            ReleaseTexts { schema: Some(schema), model, model_file, policies: vec![policy], ..ReleaseTexts::default() };
        let files = place(&texts, "s").files;
        files.into_iter().skip(1).map(|(path, _)| path).collect::<Vec<_>>().join(" ")
    };
    let usual = "schemas/docs.cedarschema schemas/docs.fga";
    assert_eq!(placed(None, None, false), usual);
    assert_eq!(placed(Some("w/schemas/docs.cedarschema"), Some("w/schemas/docs.fga"), false), usual);
    assert_eq!(placed(Some("../../x.cedarschema"), Some("/etc/x.fga"), false), usual);
    assert_eq!(placed(Some("w/policies/docs/x.cedar"), Some("w/policies/docs/x.json"), false), usual);
    let inside = placed(Some("w/policies/docs/own.cedarschema"), Some("w/policies/docs/sub/m.fga"), false);
    assert_eq!(inside, "policies/docs/own.cedarschema policies/docs/sub/m.fga");
    assert!(placed(None, None, true).starts_with("schemas/docs.cedarschema.json "));
}
