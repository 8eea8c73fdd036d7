//! `authx import`: the tuples of files, written in chunks, several at a time.
//!
//! A chunk is all or nothing. What was written stays when the import ends early, and it is told where to go on.

mod all;
mod chunks;
mod send;
mod summary;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use serde_json::json;
use tokio::task::JoinSet;

use crate::cli::client::Client;
use crate::cli::progress::{Progress, count};
use crate::cli::tuples::read::Format;
use crate::cli::{Exit, Output, ServerArgs, fail, note, print_as};
use chunks::{Chunk, ChunkError, Place};
use send::{Refusal, Sender, Written};

/// Chunks in flight: the next is there when the server has stored one. A fifth faster than one at a time.
const IN_FLIGHT: usize = 3;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files of tuples; `-` is standard input
    #[arg(default_value = "-", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How they are written down; else the end of a file's name tells, and standard input is text
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// What a tuple does that is there already as it is
    #[arg(long, value_enum, default_value_t)]
    on_existing: OnExisting,
    /// Leave out and count rows that are no tuple, or that the store refuses, instead of ending there
    #[arg(long)]
    skip_invalid: bool,
    /// Begin at this row of the first file
    #[arg(long, value_name = "N", default_value_t = 1)]
    from_row: u64,
    /// The file has entities, tuples and links, as `authx export` writes them; each takes the place of what is there
    #[arg(long, conflicts_with_all = ["format", "on_existing", "skip_invalid", "from_row"])]
    all: bool,
    /// With --all: go on with the import of this name
    #[arg(long, value_name = "ID", requires = "all")]
    id: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum OnExisting {
    #[default]
    Ignore,
    Error,
}

pub(crate) async fn run(args: Args) -> Exit {
    import(args).await.unwrap_or_else(|exit| exit)
}

async fn import(args: Args) -> Result<Exit, Exit> {
    let client = Client::new(&args.server)?;
    let path = client.store_path().await?;
    if args.all {
        return Ok(all::run(&client, &path, &args).await);
    }
    let sender = Arc::new(Sender { client, path, args });
    let mut import = Import::new(&sender.args);
    let stopped = import.run(&sender).await;
    Ok(import.tell(&sender.args, stopped))
}

/// Why an import ends before its files do.
enum Stopped {
    /// What is wrong, a line each.
    Rows(Vec<String>),
    Failed(Exit, String),
    ByUser,
}

struct Import {
    written: Written,
    /// Where each chunk begins that is not known to be written, by its number.
    open: BTreeMap<u64, Place>,
    /// Where the chunks that were read end.
    end: Place,
    progress: Progress,
}

impl Import {
    fn new(args: &Args) -> Self {
        let end = Place { file: 0, row: args.from_row };
        Self { written: Written::default(), open: BTreeMap::new(), end, progress: Progress::start() }
    }

    /// Writes until the files end or something else ends it; what is on the way then is waited for.
    async fn run(&mut self, sender: &Arc<Sender>) -> Option<Stopped> {
        // Tuples that are there must be those of before the import: chunks that are repeated would find their own.
        let in_flight = if sender.args.on_existing == OnExisting::Error { 1 } else { IN_FLIGHT };
        let mut chunks = chunks::read(&sender.args);
        let mut running = JoinSet::new();
        let (mut stopped, mut ended, mut number) = (None, false, 0);
        while !(running.is_empty() && (ended || stopped.is_some())) {
            let reads = !ended && stopped.is_none() && running.len() < in_flight;
            tokio::select! {
                chunk = chunks.recv(), if reads => match chunk {
                    None => ended = true,
                    Some(Err(ChunkError::File(message))) => stopped = Some(Stopped::Failed(Exit::Error, message)),
                    Some(Ok(chunk)) => {
                        self.open.insert(number, chunk.from);
                        self.end = chunk.until;
                        if chunk.invalid.is_empty() || sender.args.skip_invalid {
                            let sender = Arc::clone(sender);
                            running.spawn(async move { (number, sender.send(chunk).await) });
                        } else {
                            stopped = Some(Stopped::Rows(chunk.invalid));
                        }
                        number += 1;
                    }
                },
                Some(sent) = running.join_next() => match sent {
                    Ok((number, Ok(written))) => {
                        self.open.remove(&number);
                        self.written.add(&written);
                        self.progress.show(&count(self.written.tuples(), "tuple"), self.written.tuples());
                    }
                    Ok((_, Err(Refusal::Rows(rows)))) => stopped = Some(Stopped::Rows(rows)),
                    Ok((_, Err(Refusal::Failed(exit, message)))) => stopped = Some(Stopped::Failed(exit, message)),
                    Err(error) => stopped = Some(Stopped::Failed(Exit::Error, error.to_string())),
                },
                _ = tokio::signal::ctrl_c() => {
                    // The second time nothing is waited for.
                    if stopped.replace(Stopped::ByUser).is_some() {
                        return stopped;
                    }
                }
            }
        }
        stopped
    }

    fn tell(self, args: &Args, stopped: Option<Stopped>) -> Exit {
        self.progress.clear();
        let Written { existing, skipped, revision, .. } = self.written;
        let seconds = self.progress.seconds();
        let Some(stopped) = stopped else {
            let result = json!({"imported": self.written.tuples(), "existing": existing, "skipped": skipped,
                "seconds": seconds, "revision": revision});
            print_as(args.output, &result, &summary::summary(&self.written, seconds));
            return Exit::Done;
        };
        let exit = match stopped {
            Stopped::Rows(rows) => {
                for row in rows {
                    note(&format!("error: {row}"));
                }
                Exit::Error
            }
            Stopped::Failed(exit, message) => fail(exit, &message),
            Stopped::ByUser => Exit::Error,
        };
        let from = self.open.into_values().next().unwrap_or(self.end);
        let left = args.files.get(from.file..).unwrap_or_default().iter();
        let files: Vec<String> = left.map(|file| file.display().to_string()).collect();
        note(&format!(
            "stopped · {} in · go on with: authx import {} --from-row {}",
            count(self.written.tuples(), "tuple"),
            files.join(" "),
            from.row
        ));
        exit
    }
}
