//! Statements over many rows: one round trip for up to [`ROWS`] of them.
//!
//! The text is put together from fixed fragments and a count; values are always bound. Parameters are
//! plain `?` in the order of the text, because SQLite looks numbered ones up in a list, one by one.

use sqlx::AssertSqlSafe;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection};

/// Rows of one statement.
const ROWS: usize = 500;

pub(super) type Bound = Query<'static, Sqlite, SqliteArguments>;

/// `head (row), (row), … tail`.
pub(super) struct Bulk {
    pub(super) head: &'static str,
    pub(super) row: &'static str,
    pub(super) tail: &'static str,
}

impl Bulk {
    /// The statement's text for a number of rows.
    pub(super) fn sql(&self, rows: usize) -> String {
        let mut sql = String::with_capacity(self.head.len() + self.tail.len() + rows * (self.row.len() + 1));
        sql.push_str(self.head);
        for row in 0..rows {
            if row > 0 {
                sql.push(',');
            }
            sql.push_str(self.row);
        }
        sql.push_str(self.tail);
        sql
    }

    fn query(&self, rows: usize) -> Bound {
        // Only the usual sizes are worth a place in the connection's cache of statements.
        sqlx::query(AssertSqlSafe(self.sql(rows))).persistent(rows == 1 || rows == ROWS)
    }

    /// Runs the statement for every item and returns the number of rows it changed.
    pub(super) async fn execute<T>(
        &self,
        connection: &mut SqliteConnection,
        items: &[T],
        head: impl Fn(Bound) -> Bound,
        row: impl Fn(Bound, &T) -> Bound,
        tail: impl Fn(Bound) -> Bound,
    ) -> Result<u64, sqlx::Error> {
        let mut changed = 0;
        for chunk in items.chunks(ROWS) {
            let query = head(self.query(chunk.len()));
            let query = chunk.iter().fold(query, &row);
            changed += tail(query).execute(&mut *connection).await?.rows_affected();
        }
        Ok(changed)
    }
}

/// Binds texts in the order given.
pub(super) fn bind_all<const N: usize>(query: Bound, values: [&str; N]) -> Bound {
    values.into_iter().fold(query, bind_text)
}

fn bind_text(query: Bound, value: &str) -> Bound {
    query.bind(value.to_owned())
}
