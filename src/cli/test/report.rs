//! What tests said, whatever kind of file they are from, and how it is told: as a tree, as JSON, as XML for CI systems.

pub(super) mod coverage;
pub(super) mod junit;
pub(super) mod tree;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::coverage::StoreCoverage;
use super::load::Refusal;
use super::store_file;
use crate::cli::explanation;
use crate::cli::files::FilesError;

/// One file of tests.
#[derive(Debug)]
pub(super) struct FileReport {
    /// As shown.
    pub(super) name: String,
    /// The texts that problems speak of.
    pub(super) texts: BTreeMap<String, String>,
    pub(super) warnings: Vec<authx_engine::Problem>,
    pub(super) tests: Result<Vec<TestReport>, Refusal>,
}

impl FileReport {
    /// A report that nothing came of yet, with the file's text; or that it cannot be read.
    pub(super) fn begun(name: String, text: Result<String, FilesError>) -> Result<(String, Self), Self> {
        let mut report = Self { name, texts: BTreeMap::new(), warnings: Vec::new(), tests: Ok(Vec::new()) };
        match text {
            Ok(text) => {
                report.texts.insert(report.name.clone(), text.clone());
                Ok((text, report))
            }
            Err(error) => {
                let problem = authx_engine::Problem::error(store_file::CODE, error.to_string());
                report.tests = Err(Refusal::Unreadable(vec![problem]));
                Err(report)
            }
        }
    }
}

/// One test of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TestReport {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) line: u32,
    /// Why nothing was asked.
    pub(super) refused: Vec<String>,
    pub(super) answers: Vec<Answered>,
}

/// One assertion of a test.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) line: u32,
    /// The question in one line.
    pub(super) what: String,
    /// A list, not a check.
    pub(super) list: bool,
    pub(super) outcome: Outcome,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    /// The other answer came; `path`: the tuples that an allow follows from.
    Wrong {
        expected: bool,
        path: Vec<String>,
    },
    /// The list has another content.
    Differs {
        missing: Vec<String>,
        extra: Vec<String>,
    },
    /// There is no answer, and why.
    Undecided(String),
    /// Of a decision: what is not as expected, and why it was decided so.
    Decided {
        differences: Vec<String>,
        explanation: Option<Value>,
    },
}

impl Outcome {
    pub(super) fn passed(&self) -> bool {
        *self == Self::Passed
    }

    /// What was expected and what came, in one line; empty when it passed.
    fn summary(&self) -> String {
        match self {
            Self::Passed => String::new(),
            Self::Wrong { expected, .. } => format!("expected {expected}, got {}", !expected),
            Self::Differs { missing, extra } => {
                let part =
                    |what: &str, items: &[String]| (!items.is_empty()).then(|| format!("{what} {}", items.join(", ")));
                let parts: Vec<String> = part("missing", missing).into_iter().chain(part("extra", extra)).collect();
                parts.join("; ")
            }
            Self::Undecided(reason) => format!("no answer: {reason}"),
            Self::Decided { differences, .. } => differences.join("; "),
        }
    }

    /// What led to the answer: the tuples that a wrong allow follows from, or the explanation of a decision.
    fn because(&self) -> Vec<String> {
        match self {
            Self::Wrong { path, .. } => path.clone(),
            Self::Decided { explanation: Some(explanation), .. } => {
                explanation::text(explanation).lines().map(str::to_owned).collect()
            }
            Self::Passed | Self::Differs { .. } | Self::Undecided(_) | Self::Decided { explanation: None, .. } => {
                Vec::new()
            }
        }
    }
}

impl TestReport {
    pub(super) fn passed(&self) -> bool {
        self.refused.is_empty() && self.answers.iter().all(|answer| answer.outcome.passed())
    }
}

/// How many assertions there were, and how they ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) checks: usize,
    pub(super) lists: usize,
    pub(super) passed: usize,
    pub(super) failed: usize,
    /// Tests that asked nothing because of their tuples.
    pub(super) refused: usize,
    pub(super) tests: usize,
}

impl Counts {
    pub(super) fn of(files: &[FileReport]) -> Self {
        let mut counts = Self::default();
        for test in files.iter().filter_map(|file| file.tests.as_ref().ok()).flatten() {
            counts.tests += 1;
            counts.refused += usize::from(!test.refused.is_empty());
            for answer in &test.answers {
                let kind = if answer.list { &mut counts.lists } else { &mut counts.checks };
                *kind += 1;
                let end = if answer.outcome.passed() { &mut counts.passed } else { &mut counts.failed };
                *end += 1;
            }
        }
        counts
    }

    /// `12 checks, 3 lists: 14 passed, 1 failed`.
    pub(super) fn text(self) -> String {
        let many = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let mut text = many(self.checks, "check");
        if self.lists > 0 {
            text.push_str(&format!(", {}", many(self.lists, "list")));
        }
        text.push_str(&format!(": {} passed", self.passed));
        if self.failed > 0 {
            text.push_str(&format!(", {} failed", self.failed));
        }
        if self.refused > 0 {
            text.push_str(&format!(", {} not run", many(self.refused, "test")));
        }
        text
    }
}

/// The reports as one JSON value, with what the tests tried of policies.
pub(super) fn json(files: &[FileReport], coverage: &[StoreCoverage]) -> Value {
    let answer = |answer: &Answered| {
        let mut value = json!({"line": answer.line, "question": answer.what, "passed": answer.outcome.passed()});
        let more = match &answer.outcome {
            Outcome::Passed => json!({}),
            Outcome::Wrong { expected, path } => json!({"expected": expected, "got": !expected, "path": path}),
            Outcome::Differs { missing, extra } => json!({"missing": missing, "extra": extra}),
            Outcome::Undecided(reason) => json!({"error": reason}),
            Outcome::Decided { differences, explanation } => {
                json!({"differences": differences, "explanation": explanation})
            }
        };
        if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
            value.extend(more);
        }
        value
    };
    let test = |test: &TestReport| {
        json!({
            "name": test.name,
            "description": test.description,
            "line": test.line,
            "passed": test.passed(),
            "errors": test.refused,
            "assertions": test.answers.iter().map(answer).collect::<Vec<_>>(),
        })
    };
    let file = |file: &FileReport| match &file.tests {
        Ok(tests) => json!({"file": file.name, "tests": tests.iter().map(test).collect::<Vec<_>>()}),
        Err(refusal) => json!({"file": file.name, "problems": refusal.problems()}),
    };
    json!({
        "files": files.iter().map(file).collect::<Vec<_>>(),
        "coverage": coverage.iter().map(StoreCoverage::json).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
