//! `authx export`: a store's data, a JSON object a line.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::client::Client;
use crate::cli::{Exit, ServerArgs, fail, note};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to; `-` is standard output
    #[arg(default_value = "-", value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) async fn run(args: Args) -> Exit {
    export(&args).await.unwrap_or_else(|exit| exit)
}

async fn export(args: &Args) -> Result<Exit, Exit> {
    let client = Client::new(&args.server)?;
    let path = client.store_path().await?;
    let of_file = |error: std::io::Error| fail(Exit::Error, &format!("{}: {error}", args.file.display()));
    let unreachable = |message: String| fail(Exit::Unreachable, &message);
    let reply = client.stream(&format!("{path}/export"), None).await.map_err(unreachable)?;
    let mut reply = reply.map_err(|refused| client.refused(&refused))?;
    let mut target = Target::open(&args.file).map_err(of_file)?;
    while let Some(piece) = reply.chunk().await.map_err(|error| unreachable(error.to_string()))? {
        target.write(&piece).map_err(of_file)?;
    }
    Ok(target.finish(&args.file))
}

/// A file takes its name when the export is whole.
struct Target {
    out: Box<dyn Write>,
    staged: Option<PathBuf>,
    /// The bytes behind the last whole line but one.
    last: Vec<u8>,
}

impl Target {
    fn open(path: &Path) -> std::io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self { out: Box::new(std::io::stdout()), staged: None, last: Vec::new() });
        }
        let mut staged = path.as_os_str().to_owned();
        staged.push(".part");
        let staged = PathBuf::from(staged);
        Ok(Self { out: Box::new(File::create(&staged)?), staged: Some(staged), last: Vec::new() })
    }

    fn write(&mut self, piece: &[u8]) -> std::io::Result<()> {
        self.last.extend_from_slice(piece);
        let whole = self.last.strip_suffix(b"\n").unwrap_or(&self.last);
        if let Some(at) = whole.iter().rposition(|byte| *byte == b'\n') {
            self.last.drain(..=at);
        }
        self.out.write_all(piece)
    }

    fn finish(mut self, path: &Path) -> Exit {
        let last: Value = serde_json::from_slice(&self.last).unwrap_or_default();
        let Some(end) = last.get("end") else {
            let detail = last.get("error").and_then(|error| error.get("title")).and_then(Value::as_str);
            return fail(Exit::Error, &format!("the export was cut: {}", detail.unwrap_or("it has no end")));
        };
        let named = self.out.flush().and_then(|()| match &self.staged {
            Some(staged) => std::fs::rename(staged, path),
            None => Ok(()),
        });
        if let Err(error) = named {
            return fail(Exit::Error, &format!("{}: {error}", path.display()));
        }
        let number = |name: &str| end.get(name).and_then(Value::as_u64).unwrap_or_default();
        let (entities, tuples, links) = (number("entities"), number("tuples"), number("links"));
        note(&format!("exported {entities} entities, {tuples} tuples, {links} links"));
        Exit::Done
    }
}
