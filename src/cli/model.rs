//! `authx model`: a relation model validated, laid out and shown.

mod layout;

use std::path::{Path, PathBuf};

use authx_engine::Problem;
use authx_engine::relation::{
    Model, RelationModel, model_to_json, parse, parse_module, print as print_dsl, print_module,
};
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::files::model::{Form, ModelFiles, read_model};
use crate::cli::report::render;
use crate::cli::{Exit, Output, ServerArgs, color, fail, note, print, print_as};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell everything that is wrong with a model
    Validate(ValidateArgs),
    /// Write a model in its usual layout
    Fmt(FmtArgs),
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
struct FmtArgs {
    /// A `.fga` file, an `fga.mod`, or a folder with one of them
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Change nothing; list the files that differ and exit with 1 when there are any
    #[arg(long)]
    check: bool,
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
        Command::Fmt(args) => read(&args.path).and_then(|files| fmt(&files, args.check)),
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
    if !problems.is_empty() {
        note(render(problems, &files.texts, color()).trim_end());
    }
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
            note(render(problems, &files.texts, color()).trim_end());
            Err(Exit::Invalid)
        }
    }
}

/// Writes every file of the model as the printer does, if that loses nothing.
fn fmt(files: &ModelFiles, check: bool) -> Result<Exit, Exit> {
    if files.form == Form::Json {
        return Err(fail(Exit::Usage, "the JSON of a model has no layout: give a `.fga` file or an `fga.mod`"));
    }
    let mut exit = Exit::Done;
    let mut rewritten = Vec::new();
    for (name, path) in &files.files {
        let text = files.texts.get(name).map(String::as_str).unwrap_or_default();
        let printed = printed(files.form, text, name);
        let printed = printed.map_err(|problems| {
            note(render(&problems, &files.texts, color()).trim_end());
            Exit::Invalid
        })?;
        let lost = layout::lost_comments(text, &printed);
        if !lost.is_empty() {
            let lines: Vec<String> = lost.iter().map(ToString::to_string).collect();
            let message = format!(
                "`{name}` is left as it is: the comments in line {} would be lost; put each on a line of its own, \
                 above what it is about",
                lines.join(", ")
            );
            exit = fail(Exit::Error, &message);
        } else if printed != text {
            rewritten.push((name, path, layout::changed_lines(text, &printed), printed));
        }
    }
    for (name, path, (first, last), printed) in &rewritten {
        if check {
            print(&format!("{name}\n"));
            exit = Exit::Error;
        } else {
            std::fs::write(path, printed)
                .map_err(|error| fail(Exit::Error, &format!("cannot write `{name}`: {error}")))?;
            let lines = if first == last { format!("line {first}") } else { format!("lines {first} to {last}") };
            print(&format!("{name}: {lines} changed\n"));
        }
    }
    if rewritten.is_empty() && exit == Exit::Done {
        note("nothing to change");
    }
    Ok(exit)
}

/// The text of one file as the printer gives it.
fn printed(form: Form, text: &str, name: &str) -> Result<String, Vec<Problem>> {
    match form {
        Form::Modules => parse_module(text, name).map(|module| print_module(&module)),
        Form::Dsl | Form::Json => parse(text, Some(name)).map(|model| print_dsl(&model)),
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
