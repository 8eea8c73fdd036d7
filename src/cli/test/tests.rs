//! Whole store files, run as the command runs them.

use std::collections::BTreeMap;
use std::fs;

use clap::Parser;
use tempfile::TempDir;

use super::report::{Outcome, TestReport};
use super::*;

const MODEL: &str = "\
model
  schema 1.1

type user

type group
  relations
    define member: [user]

type document
  relations
    define owner: [user]
    define viewer: [user, user:*, group#member, user with early] or owner

condition early(hour: int) {
  hour < 12
}
";
const JSON: &str = r#"{"schema_version": "1.1", "type_definitions": [{"type": "user"}, {"type": "group", "relations": {"member": {"this": {}}}, "metadata": {"relations": {"member": {"directly_related_user_types": [{"type": "user"}]}}}}, {"type": "document", "relations": {"viewer": {"this": {}}, "owner": {"this": {}}}, "metadata": {"relations": {"viewer": {"directly_related_user_types": [{"type": "user"}]}, "owner": {"directly_related_user_types": [{"type": "user"}]}}}}]}"#;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: Args,
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// The report of `x.fga.yaml` among other files.
fn report(text: &str, files: &[(&str, &str)], external: bool) -> FileReport {
    let folder = folder(files);
    let below = folder.path().join("tests");
    fs::create_dir_all(&below).unwrap();
    let external = external.then_some("--allow-external-files");
    let args = Command::try_parse_from(["test"].into_iter().chain(external)).unwrap().args;
    let file = TestFile {
        kind: TestKind::Store,
        name: "x.fga.yaml".to_owned(),
        path: below.join("x.fga.yaml"),
        text: Ok(text.to_owned()),
    };
    run_file(file, &args, &mut Stores::default())
}

/// What a file says when it runs: the tests as a tree; or why it does not.
fn said(text: &str, files: &[(&str, &str)]) -> String {
    told(&report(text, files, false))
}

fn told(report: &FileReport) -> String {
    let Err(refusal) = &report.tests else { return tree(std::slice::from_ref(report), false) };
    let place = |problem: &authx_engine::Problem| {
        let place = problem.line.map(|line| format!(":{line}:{}", problem.column.unwrap_or_default()));
        format!("{}{} {}\n", problem.file.as_deref().unwrap_or("-"), place.unwrap_or_default(), problem.message)
    };
    let kind = match refusal {
        Refusal::Unreadable(_) => "unreadable",
        Refusal::Invalid(_) => "invalid",
    };
    format!("{kind}: {}", refusal.problems().iter().map(place).collect::<String>())
}

/// A store file with the model in it; `rest` is below.
fn store(rest: &str) -> String {
    let indented: Vec<String> = MODEL.lines().map(|line| format!("  {line}")).collect();
    format!("name: x\nmodel: |\n{}\n{rest}", indented.join("\n"))
}

const ANN_VIEWS: &str = "tests:\n  - name: t\n    check:\n      - {user: user:ann, object: document:1, assertions: {viewer: true, owner: false}}\n";
const PASSED: &str = "✓ x.fga.yaml\n  ✓ t (2)\n";

#[test]
fn models_come_from_every_form() {
    let tuples = "tuples:\n  - {user: user:ann, relation: viewer, object: document:1}\n";
    assert_eq!(said(&store(&format!("{tuples}{ANN_VIEWS}")), &[]), PASSED);
    let core = "module core\n\ntype user\n\ntype group\n  relations\n    define member: [user]\n";
    let docs = "module docs\n\ntype document\n  relations\n    define owner: [user]\n    define viewer: [user]\n";
    for (path, files) in [
        ("m.fga", &[("tests/m.fga", MODEL)][..]),
        ("./m.json", &[("tests/m.json", JSON)]),
        (
            "m/fga.mod",
            &[
                ("tests/m/fga.mod", "schema: '1.2'\ncontents: [core.fga, docs.fga]\n"),
                ("tests/m/core.fga", core),
                ("tests/m/docs.fga", docs),
            ],
        ),
    ] {
        assert_eq!(said(&format!("model_file: {path}\n{tuples}{ANN_VIEWS}"), files), PASSED, "{path}");
    }
}

#[test]
fn tuples_come_from_every_form() {
    for (name, text) in [
        ("t.yaml", "- {user: user:ann, relation: viewer, object: document:1}\n"),
        ("t.json", r#"[{"user": "user:ann", "relation": "viewer", "object": "document:1"}]"#),
        ("t.jsonl", r#"{"user": "user:ann", "relation": "viewer", "object": "document:1"}"#),
        ("t.csv", "user_type,user_id,user_relation,relation,object_type,object_id\nuser,ann,,viewer,document,1\n"),
    ] {
        let files = [(&*format!("tests/{name}"), text)];
        assert_eq!(said(&store(&format!("tuple_file: {name}\n{ANN_VIEWS}")), &files), PASSED, "{name}");
        assert_eq!(said(&store(&format!("tuple_files: [{name}, ./{name}]\n{ANN_VIEWS}")), &files), PASSED, "{name}");
        assert_eq!(said(&store(&format!("{ANN_VIEWS}    tuple_file: {name}\n")), &files), PASSED, "{name}");
    }
}

#[test]
fn files_outside_are_named_only_when_allowed() {
    let files = [("t.yaml", "- {user: user:ann, relation: viewer, object: document:1}\n"), ("m.fga", MODEL)];
    let text = store(&format!("tuple_file: ../t.yaml\n{ANN_VIEWS}"));
    let line = text.lines().count() - 4;
    assert_eq!(
        said(&text, &files),
        format!("unreadable: x.fga.yaml:{line}:13 `../t.yaml` leads out of the folder of the file\n")
    );
    assert_eq!(told(&report(&text, &files, true)), PASSED);
    let model = format!("model_file: a/../../m.fga\n{ANN_VIEWS}");
    assert_eq!(
        said(&model, &files),
        "unreadable: x.fga.yaml:1:13 `a/../../m.fga` leads out of the folder of the file\n"
    );
    assert_eq!(
        said(&format!("model_file: /m.fga\n{ANN_VIEWS}"), &files),
        "unreadable: x.fga.yaml:1:13 `/m.fga` leads out of the folder of the file\n"
    );
    let inside = store(&format!("tuple_file: a/../t.yaml\n{ANN_VIEWS}"));
    let files = [("tests/a/x", ""), ("tests/t.yaml", files[0].1)];
    assert_eq!(said(&inside, &files), PASSED);
}

#[test]
fn each_test_has_tuples_of_its_own() {
    let text = store(
        "tuples:\n  - {user: user:ann, relation: owner, object: document:1}\ntests:\n  \
         - name: with\n    tuples:\n      - {user: user:bob, relation: viewer, object: document:1}\n      \
         - {user: user:ann, relation: owner, object: document:1}\n    \
         check:\n      - {users: [user:ann, user:bob], object: document:1, assertions: {viewer: true}}\n  \
         - name: without\n    check:\n      - {user: user:ann, object: document:1, assertions: {viewer: true}}\n      \
         - {user: user:bob, object: document:1, assertions: {viewer: false}}\n",
    );
    assert_eq!(said(&text, &[]), "✓ x.fga.yaml\n  ✓ with (2)\n  ✓ without (2)\n");
}

#[test]
fn what_fails_is_told_with_its_reason() {
    let tuples = "tuples:\n  - {user: group:eng#member, relation: viewer, object: document:1}\n  - {user: user:ann, relation: member, object: group:eng}\n  - {user: user:cy, relation: viewer, object: document:2, condition: {name: early}}\ntests:\n  - name: t\n";
    // The line of the first assertion in flow style: below the model, the tuples, and `check:`.
    let line = MODEL.lines().count() + 2 + 8;
    for (test, expected) in [
        (
            "check:\n      - {user: user:ann, object: document:1, assertions: {viewer: false}}",
            "check user:ann viewer document:1  expected false, got true\n        document:1#viewer@group:eng#member\n        group:eng#member@user:ann",
        ),
        (
            "check:\n      - {user: user:bob, object: document:1, assertions: {viewer: true}}",
            "check user:bob viewer document:1  expected true, got false",
        ),
        (
            "check:\n      - {user: user:cy, object: document:2, assertions: {viewer: false}}",
            "check user:cy viewer document:2  no answer: condition `early` of tuple `document:2#viewer@user:cy` misses context parameters: hour",
        ),
        (
            "check:\n      - {user: user:cy, object: document:2, assertions: {veiwer: false}}",
            "check user:cy veiwer document:2  no answer: relation `veiwer` is not defined on type `document`",
        ),
        (
            "check:\n      - {user: usr:cy, object: document:2, assertions: {viewer: false}}",
            "check usr:cy viewer document:2  no answer: type `usr` is not in the model",
        ),
        (
            "list_objects:\n      - {user: user:ann, type: document, assertions: {viewer: [document:2]}}",
            "list_objects user:ann viewer document  missing document:2; extra document:1",
        ),
        (
            "list_objects:\n      - {user: user:cy, type: document, assertions: {viewer: []}}",
            "list_objects user:cy viewer document  no answer: condition `early` of tuple `document:2#viewer@user:cy` misses context parameters: hour",
        ),
        (
            "list_objects:\n      - {user: user:cy, type: document, assertions: {veiwer: []}}",
            "list_objects user:cy veiwer document  no answer: relation `veiwer` is not defined on type `document`",
        ),
        (
            "list_users:\n      - {object: document:1, user_filter: [{type: user}], assertions: {viewer: {users: [user:bob]}}}",
            "list_users document:1 viewer user  missing user:bob; extra user:ann",
        ),
        (
            "list_users:\n      - {object: document:2, user_filter: [{type: user}], assertions: {viewer: {users: [user:cy]}}}",
            "list_users document:2 viewer user  no answer: condition `early` of tuple `document:2#viewer@user:cy` misses context parameters: hour",
        ),
    ] {
        let text = store(&format!("{tuples}    {test}\n"));
        assert_eq!(said(&text, &[]), format!("✗ x.fga.yaml\n  ✗ t\n    ✗ x.fga.yaml:{line}  {expected}\n"), "{test}");
    }
}

#[test]
fn what_holds_passes() {
    let text = store(
        "tuples:\n  - {user: group:eng#member, relation: viewer, object: document:1}\n  - {user: user:ann, relation: member, object: group:eng}\n  \
         - {user: user:cy, relation: viewer, object: document:2, condition: {name: early}}\n  - {user: 'user:*', relation: viewer, object: document:3}\n\
         tests:\n  - name: t\n    check:\n      - {user: user:cy, object: document:2, context: {hour: 9}, assertions: {viewer: true, owner: false}}\n      \
         - {user: user:cy, object: document:2, context: {hour: 13}, assertions: {viewer: false}}\n    \
         list_objects:\n      - {user: user:ann, type: document, assertions: {viewer: [document:3, document:1], owner: []}}\n      \
         - {user: user:cy, type: document, context: {hour: 9}, assertions: {viewer: [document:2, document:3]}}\n    \
         list_users:\n      - {object: document:1, user_filter: [{type: user}], assertions: {viewer: {users: [user:ann]}}}\n      \
         - {object: document:1, user_filter: [{type: group, relation: member}], assertions: {viewer: {users: [group:eng#member]}}}\n      \
         - {object: document:3, user_filter: [{type: user}], assertions: {viewer: {users: ['user:*']}}}\n",
    );
    assert_eq!(said(&text, &[]), "✓ x.fga.yaml\n  ✓ t (9)\n");
}

#[test]
fn tuples_that_the_model_refuses_fail_their_test() {
    let text = store(
        "tests:\n  - name: bad\n    tuples:\n      - {user: group:eng, relation: viewer, object: document:1}\n      \
         - {user: user:a, relation: owner, object: document:1, condition: {name: early}}\n      \
         - {user: user:b, relation: viewer, object: document:1}\n      \
         - {user: user:b, relation: viewer, object: document:1, condition: {name: early}}\n    \
         check:\n      - {user: user:b, object: document:1, assertions: {viewer: true}}\n  \
         - name: good\n    check:\n      - {user: user:a, object: document:1, assertions: {viewer: false}}\n",
    );
    let report = report(&text, &[], false);
    let Ok(tests) = &report.tests else { panic!("{report:?}") };
    let first = MODEL.lines().count() + 6;
    assert_eq!(
        tests[0].refused,
        [
            format!(
                "tuple `document:1#viewer@group:eng` of x.fga.yaml:{first}: `group:eng` is not an allowed subject of `document#viewer`"
            ),
            format!(
                "tuple `document:1#owner@user:a` of x.fga.yaml:{}: `user:a` must carry no condition as a subject of `document#owner`",
                first + 1
            ),
            format!(
                "tuple `document:1#viewer@user:b` of x.fga.yaml:{} is another one in x.fga.yaml:{}",
                first + 3,
                first + 2
            ),
        ]
    );
    let summary = |test: &TestReport| (test.answers.len(), test.answers.iter().all(|a| a.outcome == Outcome::Passed));
    assert_eq!((summary(&tests[0]), summary(&tests[1])), ((0, true), (1, true)));
    assert_eq!(ended(&[report], Counts { refused: 1, tests: 2, ..Counts::default() }, ""), Exit::Failed);
}

#[test]
fn problems_of_models_are_where_they_stand() {
    let wrong = store("tests: []\n").replace("[user, user:*", "[usr, user:*");
    let line = MODEL.lines().position(|line| line.contains("viewer")).unwrap() + 3;
    assert!(said(&wrong, &[]).starts_with(&format!("invalid: x.fga.yaml:{line}:14 ")), "{}", said(&wrong, &[]));
    // Text that is not a block has lines of its own.
    assert!(said("model: \"model\\n  schema 1.1\\ntype a b\"\n", &[]).starts_with("invalid: x.fga.yaml (model):3:8 "));
    for (text, files, expected) in [
        ("model_file: m.fga\n", &[("tests/m.fga", "model\n  schema 2\n")][..], "invalid: "),
        ("model_file: nothing.fga\n", &[], "unreadable: x.fga.yaml:1:13 there is no file"),
        ("model_file: m.txt\n", &[("tests/m.txt", "")], "unreadable: x.fga.yaml:1:13 `"),
        ("model_file: m.fga\ntuple_file: no.csv\n", &[("tests/m.fga", MODEL)], "unreadable: x.fga.yaml:2:13 "),
        (
            "model_file: m.fga\ntuple_file: t.csv\n",
            &[("tests/m.fga", MODEL), ("tests/t.csv", "a,b\n1,2\n")],
            "unreadable: x.fga.yaml:2:13 ",
        ),
        (
            "model_file: m.fga\ntests: [{check: [{user: user:a, object: d:1, assertion: {v: true}}]}]\n",
            &[("tests/m.fga", MODEL)],
            "unreadable: x.fga.yaml:2:",
        ),
    ] {
        assert!(said(text, files).starts_with(expected), "{text}: {}", said(text, files));
    }
}

#[test]
fn the_worst_decides_the_exit() {
    let file = |tests| FileReport { name: "x".to_owned(), texts: BTreeMap::new(), warnings: Vec::new(), tests };
    let (good, unreadable, invalid) = (
        || file(Ok(Vec::new())),
        || file(Err(Refusal::Unreadable(Vec::new()))),
        || file(Err(Refusal::Invalid(Vec::new()))),
    );
    let asked = Counts { tests: 1, checks: 1, ..Counts::default() };
    let (passed, failed) = (Counts { passed: 1, ..asked }, Counts { failed: 1, ..asked });
    for (reports, counts, filter, expected) in [
        (vec![good()], passed, "", Exit::Done),
        (vec![good()], failed, "", Exit::Failed),
        (vec![good(), invalid()], failed, "", Exit::Invalid),
        (vec![invalid(), unreadable()], failed, "", Exit::Error),
        // What asks nothing does not pass.
        (vec![good()], Counts::default(), "", Exit::Error),
        (vec![good()], Counts { tests: 1, ..Counts::default() }, "", Exit::Error),
        (vec![good()], Counts::default(), "x", Exit::Error),
    ] {
        assert_eq!(ended(&reports, counts, filter), expected);
    }
}
