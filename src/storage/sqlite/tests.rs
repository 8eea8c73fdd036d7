//! The suite on SQLite, and what is SQLite's alone: the directory, migrations, plans, a full disk.

mod measurements;

use std::path::Path;

use sqlx::{Connection, Row};

use super::{FILE, MIGRATIONS, migrate, open, options, pool};
use crate::storage::conformance::{Fixture, commit, entity, suite, with_store, write};
use crate::storage::{Storage, StorageError, WriteError};

struct Directory(tempfile::TempDir);

impl Fixture for Directory {
    async fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> Storage {
        open(&self.data_dir()).await.unwrap()
    }
}

impl Directory {
    fn data_dir(&self) -> std::path::PathBuf {
        self.0.path().join("deep/data")
    }
}

suite!(Directory);

#[tokio::test]
async fn a_directory_has_one_owner() {
    let directory = Directory::new().await;
    let first = directory.open().await;
    let scope = with_store(&first).await;
    for _ in 0..2 {
        let second = open(&directory.data_dir()).await.err().unwrap();
        assert!(matches!(&second, StorageError::Locked { .. }));
        let text = second.to_string();
        assert!(text.contains("deep/data") && text.contains("another process"), "{text}");
    }
    // What can still write keeps the lock.
    let late = first.writes.begin(&scope).await.unwrap().unwrap();
    drop(first);
    assert!(open(&directory.data_dir()).await.is_err());
    drop(late);
    directory.open().await;
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_reads_the_data() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let directory = Directory::new().await;
    let storage = directory.open().await;
    with_store(&storage).await;
    let dir = directory.data_dir();
    assert_eq!(mode(&dir), 0o700);
    for file in std::fs::read_dir(&dir).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[tokio::test]
async fn migrations_go_forward_only() {
    let directory = tempfile::tempdir().unwrap();
    let writer = pool(1).connect_with(options(directory.path().join(FILE)).create_if_missing(true)).await.unwrap();
    let (version, name, _) = MIGRATIONS[0];
    let known = i64::try_from(MIGRATIONS.len()).unwrap();
    let later = (known + 1, "later", "CREATE TABLE later (a)");
    let newer = [MIGRATIONS, &[later]].concat();
    migrate(&writer, &[MIGRATIONS[0]]).await.unwrap();
    migrate(&writer, MIGRATIONS).await.unwrap();
    migrate(&writer, MIGRATIONS).await.unwrap();
    migrate(&writer, &newer).await.unwrap();
    let refused = migrate(&writer, MIGRATIONS).await;
    assert!(
        matches!(refused, Err(StorageError::MigrationNewer { found, known: k }) if (found, k) == (known + 1, known))
    );
    let mut changed = newer.clone();
    changed[0] = (version, name, "CREATE TABLE other (a)");
    let refused = migrate(&writer, &changed).await;
    assert!(matches!(refused, Err(StorageError::MigrationChanged { version: 1 })));
    let broken = [newer, vec![(known + 2, "broken", "CREATE TABLE half (a); CREATE nonsense")]].concat();
    assert!(matches!(migrate(&writer, &broken).await, Err(StorageError::MigrationFailed(_))));
    let half = sqlx::query("SELECT 1 FROM sqlite_schema WHERE name = 'half'");
    assert!(half.fetch_optional(&writer).await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_no_database_is_corrupt() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(FILE), [b'x'; 8192]).unwrap();
    let refused = open(directory.path()).await.err().unwrap();
    assert!(matches!(refused, StorageError::Corrupt { .. }), "{refused:?}");
}

/// A file that may not grow answers as a full disk does.
#[tokio::test]
async fn a_full_disk_loses_the_transaction_and_nothing_else() {
    let directory = Directory::new().await;
    let storage = directory.open().await;
    let scope = with_store(&storage).await;
    storage.close().await;
    let (storage, writer) =
        super::open_with(&directory.data_dir(), |options| options.pragma("max_page_count", "80")).await.unwrap();
    let small = |n: u64| {
        let mut change = write(n);
        change.entities_put = vec![entity("User", &n.to_string(), "{}")];
        change
    };
    let mut big = write(1);
    big.entities_put = (0..20_000).map(|n| entity("User", &n.to_string(), "{}")).collect();
    for _ in 0..3 {
        let mut open = storage.writes.begin(&scope).await.unwrap().unwrap();
        open.write(&small(0)).await.unwrap();
        let full = open.write(&big).await;
        assert!(matches!(full, Err(WriteError::Storage(StorageError::Unavailable(_)))), "{full:?}");
        assert!(open.write(&small(1)).await.is_err());
        assert!(open.commit().await.is_err());
        assert!(storage.data.entities(&scope, None, None, 9).await.unwrap().is_empty());
    }
    commit(&storage, &scope, small(0)).await;
    assert_eq!(storage.data.entities(&scope, None, None, 9).await.unwrap().len(), 1);
    writer.close().await;
    assert!(matches!(storage.writes.begin(&scope).await, Err(StorageError::Unavailable(_))));
}

/// A statement that reads a whole table is fast in every test and slow in every installation.
#[tokio::test]
async fn no_statement_scans_a_table() {
    let directory = Directory::new().await;
    directory.open().await.close().await;
    let options = options(directory.data_dir().join(FILE));
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    for sql in super::write::statements() {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let plan = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
        for step in plan {
            let step: String = step.get("detail");
            let of_the_values = step == "SCAN v" || step.contains("VALUES CLAUSE");
            assert!(!step.starts_with("SCAN") || of_the_values, "{step}\n{sql}");
            // By the whole key: every table has many rows of one tenant and store.
            let by_key = step.contains("id=?") || step.contains("store_number=? AND revision=?");
            assert!(!step.starts_with("SEARCH") || by_key, "{step}\n{sql}");
        }
    }
    // A purge finds what it deletes by the store, and each row of it by its key.
    for sql in super::purge::OF_A_STORE {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let plan = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
        let steps: Vec<String> = plan.iter().map(|step| step.get("detail")).collect();
        assert!(!steps.iter().any(|step| step.starts_with("SCAN")), "{steps:?}\n{sql}");
        let by_key = ["tenant=? AND store=? AND", "store_number=? AND", "store_numbers"];
        assert!(by_key.iter().any(|key| steps[0].contains(key)), "{steps:?}\n{sql}");
    }
    for sql in super::forget::STATEMENTS {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let plan = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
        for step in plan {
            let step: String = step.get("detail");
            // Beside the store: the row's key, or up to where it is deleted.
            let places = ["at<", "deleted_revision<", "revision<", "ordinal=", "type_name=", "id=", "store_numbers"];
            let found = places.iter().any(|place| step.contains(place));
            assert!(found || !(step.starts_with("SCAN") || step.starts_with("SEARCH")), "{step}\n{sql}");
            assert!(!step.contains("TEMP B-TREE"), "{step}\n{sql}");
        }
    }
    // A page of tuples walks an index from where it begins, in the order of the index.
    for sql in super::tuples::statements().into_iter().chain(super::changes::statements()) {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let plan = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
        for step in plan {
            let step: String = step.get("detail");
            assert!(!step.starts_with("SCAN") && !step.contains("TEMP B-TREE"), "{step}\n{sql}");
            if !step.contains(" tuples ") && !step.contains(" tuple_changes_ended") {
                continue;
            }
            let fixed =
                ["subject_type = ?", "object_type = ?"].iter().find(|text| sql.contains(&format!("AND {text}")));
            let searched = fixed.is_none_or(|text| step.contains(&text.replace(' ', "")));
            let from_there = !sql.contains(") > (") || step.contains(")>(") || step.contains(">?");
            assert!(searched && from_there, "{step}\n{sql}");
        }
    }
}
