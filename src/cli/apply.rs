//! `authx apply`: the files of a store, made its active release.

use std::path::PathBuf;

use serde_json::Value;

use crate::cli::check::choose;
use crate::cli::client::Client;
use crate::cli::diff::told::lines_of;
use crate::cli::files::find;
use crate::cli::validate::{body, problems_of, refused_as_invalid};
use crate::cli::{Exit, Output, ServerArgs, fail, note, print_as, show_problems};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A root with `policies` and `schemas`, a `policies` folder or a store's folder
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Tell what would change and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Apply although stored data does not conform; recorded
    #[arg(long)]
    allow_nonconforming: bool,
    /// Only if this release is active
    #[arg(long, value_name = "RELEASE")]
    if_release: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(crate) async fn run(args: Args) -> Exit {
    match apply(args).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn apply(args: Args) -> Result<Exit, Exit> {
    if args.path.is_file() {
        return Err(fail(Exit::Usage, "apply replaces all policies of the store: give the folder, not one file of it"));
    }
    let stores = find(&args.path).map_err(|error| error.tell())?;
    // The store that is named on the server is found among the files by the same name, when they hold several.
    let name = if stores.len() > 1 { args.server.store.as_deref() } else { None };
    let files = choose(stores, name)?;
    let client = Client::new(&args.server)?;
    let path = client.store_path_of(&files.name).await?;
    let mut body = body(&files);
    if let Some(map) = body.as_object_mut() {
        map.insert("allow_nonconforming".to_owned(), args.allow_nonconforming.into());
        if let Some(release) = &args.if_release {
            map.insert("if_release".to_owned(), release.clone().into());
        }
    }
    let reply =
        client.call(reqwest::Method::POST, &format!("{path}/apply?dry_run={}", args.dry_run), Some(&body)).await?;
    if refused_as_invalid(&reply, &files) {
        return Err(Exit::Invalid);
    }
    if reply.status != 200 {
        let exit = client.refused(&reply);
        // What stored data and links have against it.
        for problem in problems_of(reply.body.get("errors"), &files) {
            note(&format!("  {}", problem.message));
        }
        return Err(exit);
    }
    let mut warnings = problems_of(reply.body.get("problems"), &files);
    for problem in &mut warnings {
        problem.severity = authx_engine::Severity::Warning;
    }
    show_problems(&warnings, &files.texts);
    print_as(args.output, &reply.body, &table(&reply.body));
    Ok(Exit::Done)
}

fn table(reply: &Value) -> String {
    let flag = |key: &str| reply.get(key).and_then(Value::as_bool).unwrap_or_default();
    let mut text = reply.get("diff").map(lines_of).unwrap_or_default();
    let release = reply.get("release").and_then(Value::as_str).unwrap_or("none");
    let revision = reply.get("revision").and_then(Value::as_u64).unwrap_or_default();
    text.push_str(&match (flag("changed"), flag("dry_run")) {
        (false, _) => format!("nothing to change · release {release} · revision {revision}\n"),
        (true, true) => format!("would be applied · release {release} is still active\n"),
        (true, false) => format!("applied · release {release} · revision {revision}\n"),
    });
    text
}
