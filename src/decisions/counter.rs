//! How many decisions were answered: eight bytes in a file for each of a few slots, which survive a kill.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use parking_lot::Mutex;

/// Threads count in slots of their own, so that none waits for another.
const SLOTS: usize = 16;
const BYTES: usize = 8;

#[derive(Debug)]
pub(super) struct Counter {
    file: File,
    slots: [Mutex<u64>; SLOTS],
}

impl Counter {
    /// Opens the file and tells what it counted before. Counting goes on from there.
    pub(super) fn open(path: &Path) -> std::io::Result<(Self, u64)> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        let mut counts = [0; SLOTS];
        for (count, bytes) in counts.iter_mut().zip(std::fs::read(path)?.as_chunks::<BYTES>().0) {
            *count = u64::from_le_bytes(*bytes);
        }
        let total = counts.iter().fold(0_u64, |total, count| total.saturating_add(*count));
        Ok((Self { file, slots: counts.map(Mutex::new) }, total))
    }

    /// Counts `more` decisions.
    pub(super) fn add(&self, more: u64) -> std::io::Result<()> {
        let at = slot();
        let Some(slot) = self.slots.get(at) else { return Ok(()) };
        let mut count = slot.lock();
        *count += more;
        self.file.write_all_at(&count.to_le_bytes(), (at * BYTES) as u64)
    }
}

/// The slot of this thread.
fn slot() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        // Threads that were seen first have a slot for themselves; the order of counting is of no importance.
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SLOTS;
    }
    OWN.with(|own| *own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_counts_and_the_file_has_the_sum() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("count");
        let (counter, before) = Counter::open(&path).unwrap();
        assert_eq!(before, 0);
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| (0..100).for_each(|_| counter.add(1).unwrap()));
            }
        });
        counter.add(7).unwrap();
        assert_eq!(Counter::open(&path).unwrap().1, 2_007);
    }
}
