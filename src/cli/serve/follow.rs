//! `--policies DIR`: the files of stores, read at start and whenever they change, and what came of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use authx_engine::Severity;
use tokio::sync::{mpsc, oneshot};

use crate::app::{Active, Feed, Followed, Refused, Sent, StoreSources};
use crate::cli::files::{StoreFiles, find};
use crate::cli::watch::Watch;
use crate::cli::{note, show_problems};

/// Begins to follow a path; the server takes what is sent.
///
/// # Errors
/// When it cannot be followed.
pub(super) fn follow(path: PathBuf) -> Result<Feed, String> {
    // Followed before it is read, so that no change falls between.
    let mut watch = Watch::new(std::slice::from_ref(&path))?;
    let (to, feed) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            if !send(&path, &to).await {
                return;
            }
            watch.changed().await;
        }
    });
    Ok(feed)
}

/// Reads and sends the files once; false when the server has ended.
async fn send(path: &Path, to: &mpsc::Sender<Sent>) -> bool {
    let reading = path.to_owned();
    let read = tokio::task::spawn_blocking(move || find(&reading)).await;
    let stores = match read {
        Ok(Ok(stores)) => stores,
        Ok(Err(error)) => {
            note(&format!("error: {error}; the releases of before stay active"));
            Vec::new()
        }
        Err(_) => Vec::new(),
    };
    let texts: BTreeMap<String, String> = stores.iter().flat_map(texts).collect();
    let (told, outcomes) = oneshot::channel();
    let sent = Sent { stores: stores.iter().map(sources).collect(), told };
    if to.send(sent).await.is_err() {
        return false;
    }
    for Followed { name, outcome } in outcomes.await.unwrap_or_default() {
        tell(&name, outcome, &texts);
    }
    true
}

/// The texts of a store's files by the names that `apply` sends: the same from whatever folder the server was started.
fn texts(files: &StoreFiles) -> Vec<(String, String)> {
    files.texts.iter().map(|(file, text)| (files.sent(file).to_owned(), text.clone())).collect()
}

fn sources(files: &StoreFiles) -> StoreSources {
    let (schema, model, policies) = files.sources();
    StoreSources { name: files.name.clone(), schema, model, policies }
}

fn tell(name: &str, outcome: Result<Active, Refused>, texts: &BTreeMap<String, String>) {
    match outcome {
        Ok(Active { release, changed, policies, mut warnings }) => {
            for warning in &mut warnings {
                warning.severity = Severity::Warning;
            }
            show_problems(&warnings, texts);
            let what = if changed { "applied" } else { "as before" };
            note(&format!("{name}: {what} · release {release} · {policies} policies"));
        }
        Err(Refused::Invalid(problems)) => {
            show_problems(&problems, texts);
            note(&format!("{name}: invalid; the release of before stays active"));
        }
        Err(Refused::Other(message)) => {
            note(&format!("error: {name}: {message}; the release of before stays active"));
        }
    }
}
