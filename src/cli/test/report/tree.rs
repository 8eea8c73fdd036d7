//! The reports for people: files, tests, and every assertion that failed.

use super::{Answered, FileReport, Refusal, TestReport};
use crate::cli::report::printable;

const GREEN: &str = "32";
const RED: &str = "31";

/// The tree; nothing that a file says can move a terminal.
pub(crate) fn tree(files: &[FileReport], color: bool) -> String {
    let mark = |passed: bool| {
        let (sign, code) = if passed { ("✓", GREEN) } else { ("✗", RED) };
        if color { format!("\u{1b}[{code}m{sign}\u{1b}[0m") } else { sign.to_owned() }
    };
    let mut text = String::new();
    for file in files {
        match &file.tests {
            Ok(tests) => {
                text.push_str(&format!("{} {}\n", mark(tests.iter().all(TestReport::passed)), printable(&file.name)));
                for test in tests {
                    text.push_str(&format!("  {} {}\n", mark(test.passed()), line(&title(test))));
                    text.push_str(&faults(file, test, &mark(false)));
                }
            }
            Err(refusal) => {
                let why = match refusal {
                    Refusal::Unreadable(_) => "cannot be read",
                    Refusal::Invalid(_) => "what is tested is invalid",
                };
                text.push_str(&format!("{} {}: {why}\n", mark(false), printable(&file.name)));
            }
        }
    }
    text
}

/// The test's name, its description, and how many assertions it has.
fn title(test: &TestReport) -> String {
    let description = test.description.as_ref().map(|text| format!(": {}", text.trim())).unwrap_or_default();
    match test.answers.len() {
        0 if test.refused.is_empty() => format!("{}{description} (asserts nothing)", test.name),
        0 | 1 => format!("{}{description}", test.name),
        many => format!("{}{description} ({many})", test.name),
    }
}

fn faults(file: &FileReport, test: &TestReport, cross: &str) -> String {
    let at = |number: u32| format!("{}:{number}", file.name);
    let mut shown = String::new();
    for reason in &test.refused {
        shown.push_str(&format!("    {cross} {}\n", line(&format!("{}  {reason}", at(test.line)))));
    }
    for Answered { line: number, what, outcome, .. } in &test.answers {
        if outcome.passed() {
            continue;
        }
        shown.push_str(&format!("    {cross} {}\n", line(&format!("{}  {what}  {}", at(*number), outcome.summary()))));
        for because in outcome.because() {
            shown.push_str(format!("        {}", line(&because)).trim_end());
            shown.push('\n');
        }
    }
    shown
}

/// The text in one line.
fn line(text: &str) -> String {
    printable(&text.replace('\n', " ")).into_owned()
}
