//! `authx pull`: a release of a store as files, which `authx apply` takes back unchanged.

mod place;
mod write;

use std::error::Error as _;
use std::path::PathBuf;

use serde_json::json;

use crate::cli::client::{Client, encode};
use crate::cli::release::{ReleaseTexts, Store};
use crate::cli::{ConnectArgs, Exit, Output, fail, note, print_as};
use place::{Placed, place};
use write::{Deed, Step, WriteError, carry_out, plan, resolved};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store's id or alias
    store: String,
    /// Where to: `policies/<store>` and `schemas` are made in it
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Another release than the active one
    #[arg(long, value_name = "RELEASE")]
    release: Option<String>,
    /// Overwrite files that differ, and delete policies, schemas and models of the store that the release does not have
    #[arg(long)]
    force: bool,
    /// Tell what would be written and write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: ConnectArgs,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(crate) async fn run(args: Args) -> Exit {
    pull(args).await.unwrap_or_else(|exit| exit)
}

async fn pull(args: Args) -> Result<Exit, Exit> {
    let path = format!("/v1/stores/{}", encode(&args.store));
    let client = Client::new(&args.server.of_store(Some(args.store.clone())))?;
    let store = Store::read(&client, path).await?;
    let Some(release) = args.release.or(store.release) else {
        let message = format!("the store `{}` has no active release; name one with --release", args.store);
        return Err(fail(Exit::Error, &message));
    };
    let texts = ReleaseTexts::read(&client, &store.path, &release).await?;
    let placed = place(&texts, &store.name);
    let folder = resolved(&args.dir);
    let steps = plan(&folder, &placed).map_err(|error| refused(&error))?;
    let lost: Vec<&Step> = steps.iter().filter(|step| matches!(step.deed, Deed::Overwrite | Deed::Delete)).collect();
    let may_write = args.force || lost.is_empty();
    if may_write && !args.dry_run {
        carry_out(&folder, &steps).map_err(|error| refused(&error))?;
    }
    if may_write || args.dry_run {
        let files: Vec<_> = steps.iter().map(|step| json!({"path": step.path, "change": word(step.deed)})).collect();
        let value = json!({"store": store.name, "release": texts.release, "dry_run": args.dry_run, "files": files});
        print_as(args.output, &value, &table(&steps, &texts.release, args.dry_run));
    }
    for text in &placed.notes {
        note(&format!("note: {text}"));
    }
    if texts.policies.is_empty() {
        note("note: the release has no policies, so that its files cannot be applied: apply expects one at least");
    }
    if may_write {
        hint(&args.dir, &args.store, &store.name, &placed);
        return Ok(Exit::Done);
    }
    for step in lost {
        let why = if step.deed == Deed::Delete { "is not in the release" } else { "differs" };
        note(&format!("`{}` {why}", args.dir.join(&step.path).display()));
    }
    Err(fail(
        Exit::Error,
        "nothing was written; --force overwrites what differs and deletes what the release does not have",
    ))
}

fn refused(error: &WriteError) -> Exit {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    fail(Exit::Error, &format!("{error}{cause}"))
}

/// How the files come back, where that cannot be guessed.
fn hint(dir: &std::path::Path, asked: &str, name: &str, placed: &Placed) {
    if placed.store != name {
        note(&format!(
            "note: the files are of `{}`; `authx apply {} --store {asked}` takes them back",
            placed.store,
            dir.display()
        ));
    }
}

fn word(deed: Deed) -> &'static str {
    match deed {
        Deed::Same => "none",
        Deed::Write => "written",
        Deed::Overwrite => "overwritten",
        Deed::Delete => "deleted",
    }
}

fn table(steps: &[Step], release: &str, dry_run: bool) -> String {
    let mut text = String::new();
    for step in steps {
        let mark = match step.deed {
            Deed::Same => continue,
            Deed::Write => '+',
            Deed::Overwrite => '~',
            Deed::Delete => '-',
        };
        text.push_str(&format!("{mark} {}\n", step.path));
    }
    let same = steps.iter().all(|step| step.deed == Deed::Same);
    text.push_str(&match (same, dry_run) {
        (true, _) => format!("nothing to change · release {release}\n"),
        (false, true) => format!("would be written · release {release}\n"),
        (false, false) => format!("written · release {release}\n"),
    });
    text
}
