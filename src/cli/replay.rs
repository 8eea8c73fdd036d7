//! `authx replay`: recorded decisions made again with other policies, and those that come out otherwise.

use std::path::Path;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::cli::check::choose;
use crate::cli::client::Client;
use crate::cli::files::find;
use crate::cli::progress::{Progress, count, grouped};
use crate::cli::report::printable;
use crate::cli::validate::{body, refused_as_invalid};
use crate::cli::values::{list, number, word};
use crate::cli::{Exit, Output, ServerArgs, fail, print_as};

/// Bytes of a line of the answer.
const MAX_LINE: usize = 64 << 20;

/// Names and examples that the table shows.
const SHOWN: usize = 10;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The policies to try: a root, a `policies` folder or a store's folder; or the id of a release
    #[arg(long, value_name = "DIR|RELEASE")]
    against: String,
    /// Decisions from this time on, such as 2026-11-21T08:30:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Decisions before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The newest decisions, so many at most
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    limit: u32,
    /// On the data of each decision's own time, or on today's
    #[arg(long, value_enum, default_value_t)]
    data: On,
    /// End with 4 when any decision comes out otherwise
    #[arg(long)]
    fail_on_flips: bool,
    #[command(flatten)]
    server: ServerArgs,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum On {
    #[default]
    Then,
    Now,
}

pub(crate) async fn run(args: Args) -> Exit {
    replay(&args).await.unwrap_or_else(|exit| exit)
}

async fn replay(args: &Args) -> Result<Exit, Exit> {
    let client = Client::new(&args.server)?;
    let data = match args.data {
        On::Then => "then",
        On::Now => "now",
    };
    let mut asked = json!({"from": args.since, "to": args.until, "limit": args.limit, "data": data});
    let path = Path::new(&args.against);
    let mut files = None;
    let store = if path.exists() {
        let stores = find(path).map_err(|error| fail(Exit::Error, &error.to_string()))?;
        let name = if stores.len() > 1 { args.server.store.as_deref() } else { None };
        let chosen = choose(stores, name)?;
        put(&mut asked, "sources", body(&chosen));
        let store = client.store_path_of(&chosen.name).await?;
        files = Some(chosen);
        store
    } else {
        put(&mut asked, "release", json!(args.against));
        client.store_path().await?
    };
    let answer = client.stream(&format!("{store}/replay"), Some(&asked)).await;
    let mut response = match answer.map_err(|message| fail(Exit::Unreachable, &message))? {
        Ok(response) => response,
        Err(reply) => {
            if files.is_some_and(|files| refused_as_invalid(&reply, &files)) {
                return Err(Exit::Invalid);
            }
            return Err(client.refused(&reply));
        }
    };
    let report = last_line(&mut response).await?;
    print_as(args.output, &report, &table(&report));
    let (to_allow, to_deny) = changes(report.get("flips"));
    Ok(if args.fail_on_flips && to_allow + to_deny > 0 { Exit::Failed } else { Exit::Done })
}

fn put(asked: &mut Value, name: &str, value: Value) {
    if let Some(asked) = asked.as_object_mut() {
        asked.insert(name.to_owned(), value);
    }
}

/// Shows how far it is, and reads the report.
async fn last_line(response: &mut reqwest::Response) -> Result<Value, Exit> {
    let mut shown = Progress::start();
    let cut = || fail(Exit::Unreachable, "the answer ended before its end");
    let mut unread: Vec<u8> = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| cut())? {
        unread.extend_from_slice(&chunk);
        if unread.len() > MAX_LINE {
            return Err(cut());
        }
        while let Some(at) = unread.iter().position(|byte| *byte == b'\n') {
            let rest = unread.split_off(at + 1);
            let line = std::mem::replace(&mut unread, rest);
            let line: Value = serde_json::from_slice(&line).map_err(|_| cut())?;
            if let Some(progress) = line.get("progress") {
                let records = number(progress, "records");
                shown.show(&count(records, "decision"), records);
            } else if let Some(report) = line.get("end") {
                shown.clear();
                return Ok(report.clone());
            } else {
                shown.clear();
                let error = line.get("error").and_then(|error| error.get("detail")).and_then(Value::as_str);
                return Err(fail(Exit::Error, error.unwrap_or("the replay failed")));
            }
        }
    }
    Err(cut())
}

fn table(report: &Value) -> String {
    let (to_allow, to_deny) = changes(report.get("flips"));
    let mut text = format!(
        "{} made again, {}: {to_deny} to deny, {to_allow} to allow\n",
        count(number(report, "replayed"), "decision"),
        count(to_allow + to_deny, "flip")
    );
    for (name, what) in [
        ("other_reasons", "come out alike by other policies"),
        ("masked", "were not made again: parts of their requests are masked"),
        ("forgotten", "were not made again: what was stored then is not kept any more"),
        ("undecided", "could not be decided"),
    ] {
        let records = number(report, name);
        if records > 0 {
            text.push_str(&format!("{} {what}\n", grouped(records)));
        }
    }
    if report.get("more") == Some(&Value::Bool(true)) {
        text.push_str("there are older ones: --limit takes more\n");
    }
    for (name, what) in [("policies", "by policy"), ("principals", "by principal"), ("actions", "by action")] {
        let named: Vec<&Value> = list(report, name).collect();
        if !named.is_empty() {
            text.push_str(&format!("\n{what}\n"));
        }
        for one in named.iter().take(SHOWN) {
            let (to_allow, to_deny) = changes(Some(one));
            let name = one.get("name").and_then(Value::as_str).unwrap_or("others");
            text.push_str(&format!("  {}  {to_deny} to deny, {to_allow} to allow\n", printable(name)));
        }
        if named.len() > SHOWN {
            text.push_str(&format!("  and {} more\n", named.len() - SHOWN));
        }
    }
    let examples: Vec<&Value> = list(report, "examples").collect();
    if !examples.is_empty() {
        text.push_str("\nthe newest\n");
    }
    for flip in examples.iter().take(SHOWN) {
        let word = |name: &str| word(flip, name);
        let by = |name: &str| {
            let ids: Vec<&str> = list(flip, name).filter_map(Value::as_str).collect();
            if ids.is_empty() { "no policy".to_owned() } else { ids.join(", ") }
        };
        let (was, is) = (word("was"), word("is"));
        let line = format!(
            "  {} {} {} {}: {was} by {}, now {is} by {}",
            word("decision_id"),
            word("principal"),
            word("action"),
            word("resource"),
            by("was_by"),
            by("is_by")
        );
        text.push_str(&format!("{}\n", printable(&line)));
    }
    text
}

/// Flips to allow and to deny.
fn changes(of: Option<&Value>) -> (u64, u64) {
    of.map(|of| (number(of, "to_allow"), number(of, "to_deny"))).unwrap_or_default()
}
