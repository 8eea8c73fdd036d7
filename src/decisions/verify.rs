//! Proof that chains were not altered, from their files alone.

use std::path::Path;

use serde::Serialize;

use super::chain::{Line, Link, hash_of};
use super::journal::{HEAD, head_bound};
use super::segment::{self, Opening, Step};
use super::summary::Summary;
use crate::ids::TenantId;
use crate::tokens::Tokens;

/// What was found in a data directory's log.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub tenants: Vec<TenantReport>,
}

/// What was found in one tenant's chain.
#[derive(Debug, Default, Serialize)]
pub struct TenantReport {
    pub tenant: String,
    pub segments: usize,
    pub records: u64,
    /// Records of decisions.
    pub decisions: u64,
    /// Records of changes of what is administered, and of refused credentials.
    pub changes: u64,
    pub security: u64,
    /// Decisions that were answered and not recorded, as gaps tell.
    pub lost: u64,
    /// Records whose content was erased.
    pub erased: u64,
    /// A last line that was not written to its end: the process was stopped.
    pub torn: Option<Finding>,
    pub problems: Vec<Finding>,
}

/// Something at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub file: String,
    pub line: Option<u64>,
    pub message: String,
}

impl Report {
    /// Whether every chain is whole.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.tenants.iter().all(|tenant| tenant.problems.is_empty())
    }
}

/// Verifies every chain in a folder; `tokens` are the installation's, which sealed the heads.
///
/// # Errors
/// When files cannot be read.
pub fn verify(dir: &Path, tokens: &Tokens) -> std::io::Result<Report> {
    let mut report = Report::default();
    for tenant in segment::tenants(dir)? {
        report.tenants.push(Chain::new(&dir.join(tenant.as_str()), tenant).verify(tokens)?);
    }
    Ok(report)
}

/// Verifies one tenant's chain while it is written to.
///
/// # Errors
/// When files cannot be read.
pub fn verify_live(dir: &Path, tenant: TenantId, tokens: &Tokens) -> std::io::Result<TenantReport> {
    let first = || match segment::list(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        numbers => numbers.map(|numbers| numbers.first().copied()),
    };
    loop {
        let began = first()?;
        if began.is_none() {
            return Ok(TenantReport { tenant: tenant.to_string(), ..TenantReport::default() });
        }
        let verified = Chain::new(dir, tenant).verify(tokens);
        // Segments that are too old may have been deleted meanwhile.
        if first()? == began {
            return verified.map(|mut report| {
                // It is being written.
                report.torn = None;
                report
            });
        }
    }
}

struct Chain<'a> {
    dir: &'a Path,
    tenant: TenantId,
    report: TenantReport,
    /// Where it stands, once something was read.
    link: Option<Link>,
    /// Segments up to this one were deleted because of their age or size.
    dropped: u64,
    /// What the head claims, and whether the walk came by it.
    head: Option<Link>,
    met: Option<bool>,
}

impl<'a> Chain<'a> {
    fn new(dir: &'a Path, tenant: TenantId) -> Self {
        let report = TenantReport { tenant: tenant.to_string(), ..TenantReport::default() };
        Self { dir, tenant, report, link: None, dropped: 0, head: None, met: None }
    }

    fn problem(&mut self, file: &str, line: Option<u64>, message: String) {
        self.report.problems.push(Finding { file: file.to_owned(), line, message });
    }

    fn verify(mut self, tokens: &Tokens) -> std::io::Result<TenantReport> {
        // The head first: what is written meanwhile is behind it.
        let sealed = self.read_head(tokens)?;
        let numbers = segment::list(self.dir)?;
        if !sealed && !numbers.is_empty() {
            self.problem(HEAD, None, "the head of the chain is missing".to_owned());
        }
        let mut expected = None;
        for number in &numbers {
            if let Some(expected) = expected.filter(|expected| expected != number) {
                self.problem(&name(expected), None, "this segment is missing".to_owned());
                self.link = None;
            }
            if *number == 1 {
                self.link = Some(Link::START);
            }
            self.segment(*number, numbers.last() == Some(number))?;
            expected = Some(number + 1);
        }
        self.report.segments = numbers.len();
        if let Some(first) = numbers.first().filter(|first| self.dropped + 1 < **first) {
            let message =
                format!("segments {} to {} are missing, and the chain does not say why", self.dropped + 1, first - 1);
            self.problem(&name(*first), None, message);
        }
        self.judge_head();
        Ok(self.report)
    }

    /// Counts a record that follows from the one before; `begins` is the segment of which it is the first. Tells what
    /// else is wrong with it.
    fn record(&mut self, line: &Line<'_>, begins: Option<u64>) -> Option<&'static str> {
        self.report.records += 1;
        let Some(content) = line.content() else {
            self.report.erased += 1;
            return None;
        };
        let summary = Summary::read(content);
        match summary.kind.as_str() {
            "decision" | "relation" => self.report.decisions += 1,
            "change" => self.report.changes += 1,
            "security" => self.report.security += 1,
            "gap" => self.report.lost += summary.decisions(),
            "dropped" => self.dropped = self.dropped.max(summary.through),
            _ => {}
        }
        let number = begins?;
        let begins_here = Opening::read(content).is_some_and(|opening| opening.is(number, &self.tenant));
        (!begins_here).then_some("it is not the first record of this segment")
    }

    fn segment(&mut self, number: u64, last: bool) -> std::io::Result<()> {
        let path = segment::path(self.dir, number);
        let before = self.link;
        let (mut torn, mut bad) = (None, Vec::new());
        let end = segment::walk(&path, before, &mut |at, step, link| {
            match step {
                Step::Good(line) => {
                    let begins = (at.line == 1).then_some(number);
                    bad.extend(self.record(&line, begins).map(|why| (at.line, why)));
                }
                Step::Bad(why) => bad.push((at.line, why)),
                Step::Torn => torn = Some(at.line),
            }
            if let Some((head, link)) = self.head.zip(link).filter(|(head, link)| head.seq == link.seq) {
                self.met = Some(head.hash == link.hash);
            }
        })?;
        self.link = end.or(before);
        for (line, why) in bad {
            self.problem(&name(number), Some(line), format!("the record was altered: {why}"));
        }
        if let Some(line) = torn {
            let message = "the last record was not written to its end";
            let found = Finding { file: name(number), line: Some(line), message: message.to_owned() };
            if last {
                self.report.torn = Some(found);
            } else {
                self.report.problems.push(found);
            }
        }
        Ok(())
    }

    /// Reads what the head claims; `false` when there is none.
    fn read_head(&mut self, tokens: &Tokens) -> std::io::Result<bool> {
        let sealed = match std::fs::read_to_string(self.dir.join(HEAD)) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => String::new(),
            Err(error) => return Err(error),
        };
        let read = tokens.read_cursor(&head_bound(&self.tenant), &sealed);
        let link = read.and_then(|text| {
            let (seq, hash) = text.split_once(':')?;
            Some(Link { seq: seq.parse().ok()?, hash: hash_of(hash)? })
        });
        if link.is_none() {
            self.problem(HEAD, None, "the head of the chain was altered, or is of another installation".to_owned());
        }
        self.head = link;
        Ok(true)
    }

    fn judge_head(&mut self) {
        let Some(head) = self.head.filter(|head| *head != Link::START) else { return };
        let end = self.link.map_or(0, |link| link.seq);
        match self.met {
            Some(true) => {}
            Some(false) => self.problem(HEAD, None, format!("record {} is not the one that was written", head.seq)),
            None if end < head.seq => {
                let message = format!("records {} to {} are missing at the end", end + 1, head.seq);
                self.problem(HEAD, None, message);
            }
            None => self.problem(HEAD, None, format!("record {} is missing", head.seq)),
        }
    }
}

fn name(number: u64) -> String {
    segment::path(Path::new(""), number).display().to_string()
}
