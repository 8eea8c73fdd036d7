//! Layouts, and what is refused.

use tempfile::TempDir;

use super::*;

const ROOT: [(&str, &str); 6] = [
    ("policies/b/one.cedar", "permit(principal, action, resource);"),
    (
        "policies/a/sub/two.cedar",
        "// head\npermit(principal, action, resource);\nforbid(principal, action, resource);\n",
    ),
    ("policies/a/a.cedarentities.json", r#"[{"uid":{"type":"User","id":"ann"},"attrs":{},"parents":["Role:x"]}]"#),
    ("policies/a/a_test.yaml", "not read"),
    ("schemas/a.cedarschema", "entity User;"),
    ("schemas/b.cedarschema.json", "{}"),
];

pub(super) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// `name: schema, file:line of each policy` for each store.
fn found(files: &[(&str, &str)], path: &str) -> String {
    let folder = folder(files);
    let stores = match find_from(Path::new(path), folder.path()) {
        Ok(stores) => stores,
        Err(error) => return error.to_string(),
    };
    let show = |store: &StoreFiles| {
        let schema = store.schema.as_ref().and_then(|schema| schema.file.clone()).unwrap_or_default();
        let place = |policy: &PolicySource| format!(" {}:{}", policy.file.as_deref().unwrap_or(""), policy.line);
        format!("{}: [{schema}]{}", store.name, store.policies.iter().map(place).collect::<String>())
    };
    stores.iter().map(show).collect::<Vec<_>>().join("\n")
}

const STORE_A: &str = "a: [schemas/a.cedarschema] policies/a/sub/two.cedar:1 policies/a/sub/two.cedar:3";
const STORE_B: &str = "b: [schemas/b.cedarschema.json] policies/b/one.cedar:1";

#[test]
fn every_way_to_name_a_store_finds_its_schema() {
    let both = format!("{STORE_A}\n{STORE_B}");
    assert_eq!(found(&ROOT, "."), both);
    assert_eq!(found(&ROOT, "policies"), both);
    assert_eq!(found(&ROOT, "policies/a"), STORE_A);
    assert_eq!(found(&ROOT, "policies/b/"), STORE_B);
    assert_eq!(found(&ROOT, "policies/b/one.cedar"), STORE_B);
    assert_eq!(found(&ROOT, "policies/a/sub/two.cedar"), STORE_A);
}

#[test]
fn texts_and_entities_are_read() {
    let folder = folder(&ROOT);
    let stores = find_from(Path::new("policies/a"), folder.path()).unwrap();
    assert_eq!(stores[0].entities.len(), 1);
    let names: Vec<&str> = stores[0].texts.keys().map(String::as_str).collect();
    assert_eq!(names, ["policies/a/a.cedarentities.json", "policies/a/sub/two.cedar", "schemas/a.cedarschema"]);
}

#[test]
fn files_outside_the_current_folder_are_shown_as_given() {
    let (folder, elsewhere) = (folder(&ROOT), tempfile::tempdir().unwrap());
    let stores = find_from(&folder.path().join("policies/b"), elsewhere.path()).unwrap();
    let expected = folder.path().join("policies/b/one.cedar").display().to_string();
    assert_eq!(stores[0].policies[0].file.as_deref(), Some(expected.as_str()));
}

#[test]
fn a_schema_may_stand_in_the_folder() {
    let files = [("x.cedar", "permit(principal, action, resource);"), ("any.cedarschema", "entity User;")];
    assert_eq!(found(&files, "x.cedar"), "x: [any.cedarschema] x.cedar:1");
    assert!(found(&files, ".").ends_with(": [any.cedarschema] x.cedar:1"));
}

#[test]
fn a_policies_folder_may_be_one_store() {
    let files = [("policies/x.cedar", "permit(principal, action, resource);"), ("schemas/docs.cedarschema", "")];
    assert_eq!(found(&files, "."), "docs: [schemas/docs.cedarschema] policies/x.cedar:1");
    assert_eq!(found(&files, "policies/x.cedar"), "x: [schemas/docs.cedarschema] policies/x.cedar:1");
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let mut files = ROOT.to_vec();
    files.push(("policies/stray.cedar", "permit(principal, action, resource);"));
    assert!(found(&files, ".").starts_with("`policies` holds both"));
    let mut files = ROOT.to_vec();
    files.push(("policies/a/own.cedarschema", ""));
    let expected = "store `a` has more than one schema: `policies/a/own.cedarschema` and `schemas/a.cedarschema`";
    assert_eq!(found(&files, "."), expected);
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(found(&ROOT, "nowhere"), "there is no file or folder `nowhere`");
    assert!(found(&ROOT, "schemas/a.cedarschema").starts_with("`schemas/a.cedarschema` is no policy file"));
    assert!(found(&[("notes/a.txt", "")], "notes").starts_with("no policies found in `notes`"));
    assert!(found(&[("policies/a/x.cedar", "// none")], ".").starts_with("no policies found in `policies/a`"));
    // A tree of other things is not taken for a store.
    assert!(found(&[("src/deep/x.cedar", "permit(principal, action, resource);")], "src").starts_with("no policies"));
}

#[test]
fn malformed_files_are_refused() {
    let entities =
        [("s/x.cedar", "permit(principal, action, resource);"), ("s/x.cedarentities.json", "[\n {\"uid\": 3}]")];
    let said = found(&entities, "s");
    assert!(said.starts_with("s/x.cedarentities.json:2:"), "{said}");
    assert!(said.contains("malformed entities") && !said.contains(" at line "), "{said}");
    let folder = folder(&[]);
    fs::write(folder.path().join("x.cedar"), b"//\n\xff").unwrap();
    let error = find_from(Path::new("x.cedar"), folder.path()).unwrap_err();
    assert!(matches!(error, FilesError::NotUtf8 { line: 2, .. }), "{error}");
    File::create(folder.path().join("y.cedar")).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
    let error = find_from(Path::new("y.cedar"), folder.path()).unwrap_err();
    assert_eq!(error.to_string(), "`y.cedar` is larger than 64 MiB");
}

#[test]
fn tuples_are_read_with_their_lines() {
    let mut files = ROOT.to_vec();
    files.push(("policies/a/a.tuples", "# who is in\n\ngroup:eng#member@user:ann\n"));
    let read = |folder: &TempDir| find_from(Path::new("policies/a"), folder.path());
    let stores = read(&folder(&files)).unwrap();
    let [(file, row)] = stores[0].tuples.as_slice() else { panic!("{:?}", stores[0].tuples) };
    assert_eq!((file.as_str(), row.row), ("policies/a/a.tuples", 3));
    assert_eq!(row.tuple.key.to_string(), "group:eng#member@user:ann");
    files.push(("policies/a/b.tuples", "group:eng#member@user:ann\nann\n"));
    let said = read(&folder(&files)).unwrap_err().to_string();
    assert_eq!(said, "policies/a/b.tuples:2: `ann` is no tuple: write `type:id#relation@subject`");
}

#[test]
fn a_byte_order_mark_is_no_text() {
    assert_eq!(found(&[("x.cedar", "\u{feff}permit(principal, action, resource);")], "x.cedar"), "x: [] x.cedar:1");
}

#[test]
fn a_file_may_name_its_policy() {
    let one = "permit(principal, action, resource);";
    let ids = |name: &str| {
        let folder = folder(&[(&format!("policies/a/by-id/{name}"), one), ("policies/a/x.cedar", one)]);
        let stores = find_from(Path::new("."), folder.path()).map_err(|error| error.to_string())?;
        Ok::<_, String>(stores[0].policies.iter().map(|policy| policy.id.clone()).collect::<Vec<_>>())
    };
    assert_eq!(ids("mfa.1.cedar"), Ok(vec![Some("mfa.1".to_owned()), None]));
    assert_eq!(ids("%2Ehidden%41.cedar"), Ok(vec![Some(".hiddenA".to_owned()), None]));
    for name in ["no id.cedar", "%zz.cedar", "%00.cedar"] {
        assert!(ids(name).unwrap_err().starts_with(&format!("`policies/a/by-id/{name}` names no policy")), "{name}");
    }
}

#[test]
fn a_server_is_told_the_same_names_from_everywhere() {
    let mut files = ROOT.to_vec();
    files.push(("flat/y.cedar", "permit(principal, action, resource);"));
    let folder = folder(&files);
    let sent = |here: &str, path: &str| {
        let stores = find_from(Path::new(path), &folder.path().join(here)).unwrap();
        let store = stores.last().unwrap();
        let names = |policy: &PolicySource| store.sent(policy.file.as_deref().unwrap()).to_owned();
        for shown in store.texts.keys() {
            assert_eq!(store.shown(store.sent(shown)), shown);
        }
        let schema = store.schema.as_ref().map(|schema| store.sent(schema.file.as_deref().unwrap()).to_owned());
        (names(store.policies.last().unwrap()), schema)
    };
    let b = ("policies/b/one.cedar".to_owned(), Some("schemas/b.cedarschema.json".to_owned()));
    for (here, path) in [
        ("", "."),
        ("", "policies"),
        ("", "policies/b"),
        ("", "policies/b/one.cedar"),
        ("policies", "b"),
        ("policies/b", "."),
        ("schemas", "../policies/b"),
        ("policies/a/sub", "../../../"),
    ] {
        assert_eq!(sent(here, path), b, "{here} {path}");
    }
    assert_eq!(sent("", "policies/a/sub/two.cedar").0, "policies/a/sub/two.cedar");
    assert_eq!((sent("", "flat").0, sent("flat", "y.cedar").0), ("y.cedar".to_owned(), "y.cedar".to_owned()));
}
