//! Tells when files below some paths change.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::{Receiver, channel};

/// Editors write a file in several steps: what comes within this time is one change.
const SETTLES: Duration = Duration::from_millis(100);

/// Follows paths as long as it lives.
pub(crate) struct Watch {
    _watcher: RecommendedWatcher,
    changes: Receiver<()>,
}

impl Watch {
    /// Begins to follow folders, and the folders of files: an editor puts a new file in the place of the old one.
    ///
    /// # Errors
    /// When a path is not there, or the system follows no more.
    pub(crate) fn new(paths: &[PathBuf]) -> Result<Self, String> {
        let (tell, changes) = channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let counts = event.is_ok_and(|event| !matches!(event.kind, EventKind::Access(_)));
            if counts {
                // One that waits already stands for this one too.
                let _ = tell.try_send(());
            }
        })
        .map_err(|error| error.to_string())?;
        for path in paths {
            let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let followed = watcher.watch(folder, RecursiveMode::Recursive);
            followed.map_err(|error| format!("cannot follow `{}`: {error}", folder.display()))?;
        }
        Ok(Self { _watcher: watcher, changes })
    }

    /// Waits for the next change, and until it has settled.
    pub(crate) async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        while let Ok(Some(())) = tokio::time::timeout(SETTLES, self.changes.recv()).await {}
    }
}
