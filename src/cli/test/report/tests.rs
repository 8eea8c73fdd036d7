//! The same reports in each form.

use authx_engine::Problem;

use super::junit::junit;
use super::tree::tree;
use super::*;

fn answered(line: u32, what: &str, outcome: Outcome) -> Answered {
    Answered { line, what: what.to_owned(), list: what.starts_with("list"), outcome }
}

fn test(name: &str, refused: &[&str], answers: Vec<Answered>) -> TestReport {
    let refused = refused.iter().map(|&reason| reason.to_owned()).collect();
    TestReport { name: name.to_owned(), description: None, line: 3, refused, answers }
}

fn file(name: &str, tests: Result<Vec<TestReport>, Refusal>) -> FileReport {
    FileReport { name: name.to_owned(), texts: BTreeMap::new(), warnings: Vec::new(), tests }
}

fn some() -> Vec<FileReport> {
    let list = |items: &[&str]| items.iter().map(|&item| item.to_owned()).collect::<Vec<_>>();
    let wrong = Outcome::Wrong { expected: false, path: list(&["d:1#viewer@user:a"]) };
    let differs = Outcome::Differs { missing: list(&["d:1", "d:2"]), extra: list(&["d:3"]) };
    let undecided = Outcome::Undecided("misses `x`".to_owned());
    vec![
        file(
            "a.fga.yaml",
            Ok(vec![
                test("good", &[], vec![answered(5, "check user:a r d:1", Outcome::Passed)]),
                test(
                    "bad <1>",
                    &[],
                    vec![
                        answered(7, "check user:a viewer d:1", wrong),
                        answered(8, "list_objects user:a viewer d", differs),
                        answered(9, "list_users d:1 viewer user", Outcome::Passed),
                        answered(10, "check user:b \"r\" d:1", undecided),
                    ],
                ),
                test("refused", &["tuple `x`: no"], Vec::new()),
                test("empty\u{1b}[2J", &[], Vec::new()),
            ]),
        ),
        file("b.fga.yaml", Err(Refusal::Invalid(vec![Problem::error("model_syntax", "expected `x` & <y>")]))),
        file("c.fga.yaml", Err(Refusal::Unreadable(Vec::new()))),
    ]
}

#[test]
fn the_tree_shows_what_failed() {
    let expected = "\
✗ a.fga.yaml
  ✓ good
  ✗ bad <1> (4)
    ✗ a.fga.yaml:7  check user:a viewer d:1  expected false, got true
        d:1#viewer@user:a
    ✗ a.fga.yaml:8  list_objects user:a viewer d  missing d:1, d:2; extra d:3
    ✗ a.fga.yaml:10  check user:b \"r\" d:1  no answer: misses `x`
  ✗ refused
    ✗ a.fga.yaml:3  tuple `x`: no
  ✓ empty\u{fffd}[2J (asserts nothing)
✗ b.fga.yaml: what is tested is invalid
✗ c.fga.yaml: cannot be read
";
    assert_eq!(tree(&some(), false), expected);
    let plain = tree(&some(), true).replace("\u{1b}[31m", "").replace("\u{1b}[32m", "").replace("\u{1b}[0m", "");
    assert_eq!(plain, expected);
}

#[test]
fn everything_is_counted() {
    assert_eq!(Counts::of(&some()).text(), "3 checks, 2 lists: 2 passed, 3 failed, 1 test not run");
    assert_eq!(Counts::of(&some()).tests, 4);
    let one = file("x", Ok(vec![test("t", &[], vec![answered(1, "check", Outcome::Passed)])]));
    assert_eq!(Counts::of(&[one]).text(), "1 check: 1 passed");
}

#[test]
fn xml_is_escaped_and_counted() {
    let text = junit(&some());
    for expected in [
        "<testsuite name=\"a.fga.yaml\" tests=\"6\" failures=\"3\" errors=\"1\">",
        "<testcase classname=\"good\" name=\"check user:a r d:1\" file=\"a.fga.yaml\"/>",
        "<testcase classname=\"bad &lt;1&gt;\" name=\"check user:b &quot;r&quot; d:1\" file=\"a.fga.yaml\">",
        "<failure message=\"expected false, got true\">a.fga.yaml:7&#10;d:1#viewer@user:a</failure>",
        "<failure message=\"missing d:1, d:2; extra d:3\">a.fga.yaml:8</failure>",
        "<error message=\"the tuples are refused\">tuple `x`: no</error>",
        "<testsuite name=\"b.fga.yaml\" tests=\"1\" failures=\"0\" errors=\"1\">",
        "<error message=\"not run\">b.fga.yaml:1: expected `x` &amp; &lt;y&gt;</error>",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(text.ends_with("  </testsuite>\n</testsuites>\n") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn json_has_the_same() {
    let value = json(&some(), &[])["files"].clone();
    let bad = &value[0]["tests"][1];
    assert_eq!(bad["passed"], false);
    assert_eq!(bad["assertions"][0]["path"][0], "d:1#viewer@user:a");
    assert_eq!(bad["assertions"][1]["missing"], serde_json::json!(["d:1", "d:2"]));
    assert_eq!(bad["assertions"][3]["error"], "misses `x`");
    assert_eq!(value[0]["tests"][2]["errors"][0], "tuple `x`: no");
    assert_eq!(value[1]["problems"][0]["code"], "model_syntax");
}
