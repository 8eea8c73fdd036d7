//! The reports in the XML of `JUnit`: a suite for each file, a case for each assertion, named by its test and its question.

use std::fmt::Write as _;

use super::{Answered, FileReport, TestReport};

/// The whole document.
pub(crate) fn junit(files: &[FileReport]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for file in files {
        let mut cases = String::new();
        let (mut count, mut failures, mut errors) = (0_usize, 0_usize, 0_usize);
        match &file.tests {
            Err(refusal) => {
                (count, errors) = (1, 1);
                let told = refusal.problems().iter().map(|problem| {
                    let place = problem.file.as_deref().unwrap_or(&file.name);
                    format!("{place}:{}: {}", problem.line.unwrap_or(1), problem.message)
                });
                let told: Vec<String> = told.collect();
                case(&mut cases, &file.name, "", "the file is read", Some(("error", "not run", &told.join("\n"))));
            }
            Ok(tests) => {
                for test in tests {
                    if !test.refused.is_empty() {
                        (count, errors) = (count + 1, errors + 1);
                        let fault = ("error", "the tuples are refused", test.refused.join("\n"));
                        case(&mut cases, &file.name, &test.name, "tuples", Some((fault.0, fault.1, &fault.2)));
                    }
                    for answer in &test.answers {
                        count += 1;
                        failures += usize::from(!answer.outcome.passed());
                        assertion(&mut cases, file, test, answer);
                    }
                }
            }
        }
        let _ = writeln!(
            text,
            "  <testsuite name=\"{}\" tests=\"{count}\" failures=\"{failures}\" errors=\"{errors}\">",
            escaped(&file.name)
        );
        text.push_str(&cases);
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn assertion(cases: &mut String, file: &FileReport, test: &TestReport, answer: &Answered) {
    let Answered { line, what, outcome, .. } = answer;
    if outcome.passed() {
        return case(cases, &file.name, &test.name, what, None);
    }
    let lines: Vec<String> = std::iter::once(format!("{}:{line}", file.name)).chain(outcome.because()).collect();
    case(cases, &file.name, &test.name, what, Some(("failure", &outcome.summary(), &lines.join("\n"))));
}

/// One case, with the element that says how it failed, its message and its text.
fn case(cases: &mut String, file: &str, test: &str, name: &str, fault: Option<(&str, &str, &str)>) {
    let class = if test.is_empty() { file } else { test };
    let open =
        format!("    <testcase classname=\"{}\" name=\"{}\" file=\"{}\"", escaped(class), escaped(name), escaped(file));
    let _ = match fault {
        None => writeln!(cases, "{open}/>"),
        Some((element, message, body)) => writeln!(
            cases,
            "{open}>\n      <{element} message=\"{}\">{}</{element}>\n    </testcase>",
            escaped(message),
            escaped(body)
        ),
    };
}

/// The text as XML 1.0 takes it, in an attribute or between tags; what it takes nowhere becomes a sign for it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(character));
            }
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            character if character.is_control() => out.push('\u{fffd}'),
            character => out.push(character),
        }
    }
    out
}
