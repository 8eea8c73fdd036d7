//! From SQLite's values to ids and numbers. What does not read is a decoding error, never a default.

use std::str::FromStr;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::ids::{IdError, Revision, Timestamp};
use crate::storage::StorageError;

pub(super) fn text(row: &SqliteRow, column: &'static str) -> Result<String, sqlx::Error> {
    row.try_get(column)
}

pub(super) fn id<T: FromStr<Err = IdError>>(row: &SqliteRow, column: &'static str) -> Result<T, sqlx::Error> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|error| unreadable(column, error))
}

pub(super) fn optional_id<T: FromStr<Err = IdError>>(
    row: &SqliteRow,
    column: &'static str,
) -> Result<Option<T>, sqlx::Error> {
    let text: Option<&str> = row.try_get(column)?;
    text.map(|text| text.parse().map_err(|error| unreadable(column, error))).transpose()
}

pub(super) fn time(row: &SqliteRow, column: &'static str) -> Result<Timestamp, sqlx::Error> {
    row.try_get(column).map(Timestamp::from_millis)
}

pub(super) fn optional_time(row: &SqliteRow, column: &'static str) -> Result<Option<Timestamp>, sqlx::Error> {
    let millis: Option<i64> = row.try_get(column)?;
    Ok(millis.map(Timestamp::from_millis))
}

/// A count or a number that is never negative.
pub(super) fn unsigned<T: TryFrom<i64>>(row: &SqliteRow, column: &'static str) -> Result<T, sqlx::Error>
where
    T::Error: std::error::Error + Send + Sync + 'static,
{
    let number: i64 = row.try_get(column)?;
    T::try_from(number).map_err(|error| unreadable(column, error))
}

pub(super) fn revision(row: &SqliteRow, column: &'static str) -> Result<Revision, sqlx::Error> {
    unsigned(row, column).map(Revision)
}

/// The revision of a live row, from its number.
pub(super) fn created_revision(number: i64) -> Result<Revision, sqlx::Error> {
    let number = u64::try_from(number).map_err(|error| unreadable("created_revision", error))?;
    Ok(Revision(number))
}

pub(super) fn unreadable(column: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(error) }
}

/// A number as SQLite keeps it. The numbers that storage gives out itself always fit.
pub(super) fn signed(number: u64) -> Result<i64, StorageError> {
    i64::try_from(number).map_err(|_| StorageError::Refused { what: format!("{number} is more than 63 bits") })
}

/// A bound of a search: whatever is beyond SQLite's numbers is beyond every row.
pub(super) fn bound(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
