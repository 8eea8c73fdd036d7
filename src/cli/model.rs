//! `authx model`: a relation model validated and shown. `authx fmt` lays it out.

use std::path::{Path, PathBuf};

use authx_engine::Problem;
use authx_engine::relation::{Model, RelationModel, model_to_json, print as print_dsl};
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::files::model::{Form, ModelFiles, read_model};
use crate::cli::{Exit, Output, ServerArgs, fail, print, print_as, show_problems};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell everything that is wrong with a model
    Validate(ValidateArgs),
    /// Print a store's model, or a file's in the other syntax
    Show(ShowArgs),
}

#[derive(Debug, clap::Args)]
struct ValidateArgs {
    /// A `.fga` file, a model's `.json`, an `fga.mod`, or a folder with one of them
    #[arg(default_value = ".")]
    path: PathBuf,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// A `.fga` file, a model's `.json`, an `fga.mod`, or a folder with one of them; the store's active model when
    /// absent
    path: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
    /// The language or its JSON; of a file the one that it is not in, of a store the language
    #[arg(short, long, value_enum)]
    output: Option<Syntax>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Syntax {
    Dsl,
    Json,
}

pub(crate) async fn run(args: Args) -> Exit {
    let ended = match args.command {
        Command::Validate(args) => read(&args.path).map(|files| validate(&files, args.output)),
        Command::Show(args) => show(args).await,
    };
    match ended {
        Ok(exit) | Err(exit) => exit,
    }
}

fn read(path: &Path) -> Result<ModelFiles, Exit> {
    read_model(path).map_err(|error| fail(Exit::Error, &error.to_string()))
}

fn validate(files: &ModelFiles, output: Output) -> Exit {
    let (valid, problems): (_, &[Problem]) = match &files.model {
        Ok((model, warnings)) => (Some(model), warnings),
        Err(problems) => (None, problems),
    };
    show_problems(problems, &files.texts);
    let said = valid.map_or("invalid".to_owned(), |model| format!("valid · {}", count(model.model())));
    let value = json!({"model": files.name, "valid": valid.is_some(), "problems": problems});
    print_as(output, &value, &format!("{}: {said}\n", files.name));
    if valid.is_some() { Exit::Done } else { Exit::Invalid }
}

/// Such as `3 types, 1 relation, 0 conditions`.
fn count(model: &Model) -> String {
    let relations = model.types.iter().map(|definition| definition.relations.len()).sum::<usize>();
    let say = |(count, what): (usize, &str)| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    [(model.types.len(), "type"), (relations, "relation"), (model.conditions.len(), "condition")].map(say).join(", ")
}

/// The model, or its problems told.
fn valid(files: &ModelFiles) -> Result<&RelationModel, Exit> {
    match &files.model {
        Ok((model, _)) => Ok(model),
        Err(problems) => {
            show_problems(problems, &files.texts);
            Err(Exit::Invalid)
        }
    }
}

async fn show(args: ShowArgs) -> Result<Exit, Exit> {
    if let Some(path) = &args.path {
        let files = read(path)?;
        let model = valid(&files)?.model();
        let other = if files.form == Form::Json { Syntax::Dsl } else { Syntax::Json };
        return Ok(shown(args.output.unwrap_or(other), &print_dsl(model), &model_to_json(model)));
    }
    let client = Client::new(&args.server)?;
    let path = client.store_path().await?;
    let reply = client.call(reqwest::Method::GET, &format!("{path}/model"), None).await?;
    if reply.status != 200 {
        return Err(client.refused(&reply));
    }
    let dsl = reply.body.get("dsl").and_then(Value::as_str).unwrap_or_default();
    let json = reply.body.get("json").unwrap_or(&Value::Null);
    Ok(shown(args.output.unwrap_or(Syntax::Dsl), dsl, json))
}

fn shown(syntax: Syntax, dsl: &str, json: &Value) -> Exit {
    match syntax {
        Syntax::Dsl => print(&format!("{}\n", dsl.trim_end())),
        Syntax::Json => print(&format!("{json:#}\n")),
    }
}
