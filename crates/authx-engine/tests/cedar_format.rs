//! Laying policies out changes nothing that they say, over Cedar's own tests and over texts with comments everywhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

mod suites;

use std::io::Read as _;

use authx_engine::{FORMAT_WIDTH, format_policies, policy_json, split_policies};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    policies: String,
}

/// The policies of a text as Cedar's JSON.
fn said(text: &str) -> Vec<Result<serde_json::Value, String>> {
    split_policies(None, text).iter().map(|piece| policy_json(&piece.text)).collect()
}

/// Why a text is not laid out as it has to be.
fn wrong(text: &str, width: usize) -> Option<String> {
    let laid = match format_policies(None, text, width) {
        Ok(laid) => laid,
        Err(problems) => return Some(format!("refused: {}", problems[0].message)),
    };
    if said(&laid) != said(text) {
        return Some(format!("says something else:\n{laid}"));
    }
    let again = format_policies(None, &laid, width).unwrap();
    (again != laid).then(|| format!("does not stay:\n{laid}\n{again}"))
}

fn play(file: &str, text: &str, want: usize) {
    let cases: Vec<Case> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut policies = 0;
    for case in &cases {
        policies += split_policies(None, &case.policies).len();
        for width in [40, FORMAT_WIDTH] {
            assert_eq!(wrong(&case.policies, width), None, "{}: {}", case.name, case.policies);
        }
    }
    println!("{file}: {policies} policies of {} cases laid out", cases.len());
    assert_eq!(cases.len(), want, "{file} is not the whole suite");
}

#[test]
fn handwritten() {
    let Some(dir) = suites::folder("cedar") else { return };
    play("handwritten.jsonl", &std::fs::read_to_string(dir.join("handwritten.jsonl")).unwrap(), 22);
}

#[test]
fn corpus() {
    let Some(dir) = suites::folder("cedar") else { return };
    let mut text = String::new();
    let file = std::fs::File::open(dir.join("corpus.jsonl.gz")).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    play("corpus.jsonl.gz", &text, 1973);
}

/// A comment behind any word: it stays, or the policy stays as it is.
#[test]
fn comments_in_odd_places_stay() {
    let words = "@id ( \"a\" ) @advice ( \";//no\" ) permit ( principal in ?principal , action in [ Action::\"a\" , \
        Action::\"b\" ] , resource is Doc in Folder::\"x\" ) when { principal . a [ \"b\" ] && ( 1 + 2 * - 3 < 4 || ! \
        context . c ) } unless { if resource has d then resource . d . contains ( { x : 1 , \"y\" : [ ip ( \"1.1.1.1\" \
        ) ] } ) else principal like \"a*\" } ;";
    let words: Vec<&str> = words.split_whitespace().collect();
    let (mut laid_out, mut left) = (0, 0);
    for at in 0..=words.len() {
        for end in ["\n", "\r\n"] {
            let (before, after) = words.split_at(at);
            let text = format!("{} // c {at}{end}{}", before.join(" "), after.join(" "));
            let comment = format!("// c {at}");
            match format_policies(None, &text, FORMAT_WIDTH) {
                Ok(laid) => {
                    assert!(laid.contains(&comment), "{laid}");
                    assert_eq!(wrong(&text, FORMAT_WIDTH), None, "{text}");
                    laid_out += 1;
                }
                Err(problems) => {
                    assert_eq!(problems[0].code, "cannot_format", "{text} {problems:?}");
                    left += 1;
                }
            }
        }
    }
    println!("{laid_out} texts laid out, {left} left as they are");
    assert!(laid_out > left * 4, "{laid_out} laid out, {left} left");
}
