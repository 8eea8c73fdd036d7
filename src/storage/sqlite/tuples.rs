//! Tuples, read: those of now, and those of a revision.
//!
//! A page begins where the one before ended: behind a key in the order of one index. So that a page costs its
//! own rows, the columns that the filter fixes at the front of the index are left out of that comparison, and
//! those that it fixes further on are kept from the planner (`+column`), which would sort for them.

use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Row};

use super::row;
use crate::ids::{Revision, Timestamp};
use crate::scope::StoreScope;
use crate::storage::StorageError;
use crate::storage::records::{SubjectRelation, TupleCondition, TupleFilter, TupleKey, TupleRecord};

/// The columns of a tuple, as [`record`] reads them.
macro_rules! tuple_columns {
    () => {
        "object_type, object_id, relation, subject_type, subject_id, subject_relation, condition, context, \
         expires_at, created_revision, created_at"
    };
}

pub(super) use tuple_columns;

/// The number of the store that the first two parameters name; no row has that of an unknown store.
macro_rules! of_store {
    () => {
        "store_number = (SELECT number FROM store_numbers WHERE tenant = ?1 AND store = ?2)"
    };
}
pub(super) use of_store;

/// An index of `tuples`, its like of the deleted ones, and the order that both give.
struct Order {
    /// The words of the statement that choose the index.
    index: &'static str,
    ended: &'static str,
    columns: [&'static str; 6],
}

const BY_OBJECT: Order = Order {
    index: "NOT INDEXED", // the table itself is in the order of its key
    ended: "INDEXED BY tuple_changes_ended",
    columns: ["object_type", "object_id", "relation", "subject_type", "subject_id", "subject_relation"],
};

const BY_SUBJECT: Order = Order {
    index: "INDEXED BY tuples_by_subject",
    ended: "INDEXED BY tuple_changes_ended_by_subject",
    columns: ["subject_type", "subject_id", "subject_relation", "relation", "object_type", "object_id"],
};

/// What is asked of each column, and the last key, both in the columns of an order.
struct Page<'a> {
    order: &'static Order,
    wanted: [Option<&'a str>; 6],
    after: Option<[&'a str; 6]>,
}

impl<'a> Page<'a> {
    fn of(filter: &'a TupleFilter, after: Option<&'a TupleKey>) -> Self {
        let object_type = filter.object_type.as_deref();
        let object_id = filter.object_id.as_deref();
        let relation = filter.relation.as_deref();
        let subject = filter.subject.as_ref();
        let subject_type = subject.map(|subject| subject.subject_type.as_str());
        let subject_id = subject.and_then(|subject| subject.subject_id.as_deref());
        let subject_relation = subject.and_then(|subject| match &subject.subject_relation {
            SubjectRelation::Any => None,
            SubjectRelation::Without => Some(""),
            SubjectRelation::Named(name) => Some(name.as_str()),
        });
        if subject.is_some() && object_id.is_none() {
            let wanted = [subject_type, subject_id, subject_relation, relation, object_type, object_id];
            let after = after.map(key_columns).map(|[ot, oi, r, st, si, sr]| [st, si, sr, r, ot, oi]);
            Self { order: &BY_SUBJECT, wanted, after }
        } else {
            let wanted = [object_type, object_id, relation, subject_type, subject_id, subject_relation];
            Self { order: &BY_OBJECT, wanted, after: after.map(key_columns) }
        }
    }

    /// The statement and what is bound behind scope, limit and, of the past, the revision; `None` for the empty page.
    fn statement(&self, past: bool) -> Option<(String, Vec<&'a str>)> {
        let fixed = self.wanted.iter().take_while(|wanted| wanted.is_some()).count();
        let (conditions, bound) = self.conditions(fixed, if past { 5 } else { 4 })?;
        let Order { index, ended, columns } = self.order;
        let select = concat!("SELECT ", tuple_columns!(), " FROM");
        let of_store = of_store!();
        let mut sql = format!("{select} tuples {index} WHERE {of_store}{conditions}");
        if past {
            // Live rows that existed by the revision, and deleted ones that it lies between.
            sql.push_str(&format!(
                " AND created_revision <= ?4 UNION ALL {select} tuple_changes {ended} WHERE {of_store}{conditions} \
                 AND op = 0 AND created_revision <= ?4 AND revision > ?4"
            ));
        }
        let rest = columns.get(fixed..).unwrap_or_default();
        if !rest.is_empty() {
            sql.push_str(&format!(" ORDER BY {}", rest.join(", ")));
        }
        sql.push_str(" LIMIT ?3");
        Some((sql, bound))
    }

    /// What is asked of rows, its parameters numbered from `first` on, when the filter fixes so many columns at the front.
    fn conditions(&self, fixed: usize, first: usize) -> Option<(String, Vec<&'a str>)> {
        let (mut sql, mut bound) = (String::new(), Vec::new());
        for (n, (column, wanted)) in self.order.columns.iter().zip(self.wanted).enumerate() {
            if let Some(wanted) = wanted {
                let kept_back = if n < fixed { "" } else { "+" };
                sql.push_str(&format!(" AND {kept_back}{column} = ?{}", first + bound.len()));
                bound.push(wanted);
            }
        }
        let rest = self.order.columns.get(fixed..).unwrap_or_default();
        if let Some(after) = &self.after {
            let (front, behind) = after.split_at_checked(fixed)?;
            let wanted: Vec<&str> = self.wanted.iter().copied().take(fixed).flatten().collect();
            match front.cmp(wanted.as_slice()) {
                // The whole of what is wanted is still to come.
                std::cmp::Ordering::Less => {}
                // What was last was the only one, or lies behind all that is wanted.
                std::cmp::Ordering::Equal if rest.is_empty() => return None,
                std::cmp::Ordering::Greater => return None,
                std::cmp::Ordering::Equal => {
                    let numbers: Vec<String> =
                        (first + bound.len()..).take(rest.len()).map(|n| format!("?{n}")).collect();
                    sql.push_str(&format!(" AND ({}) > ({})", rest.join(", "), numbers.join(", ")));
                    bound.extend(behind);
                }
            }
        }
        Some((sql, bound))
    }
}

/// The key in the order of its columns; no relation of the subject is the empty text.
pub(super) fn key_columns(key: &TupleKey) -> [&str; 6] {
    [
        &key.object_type,
        &key.object_id,
        &key.relation,
        &key.subject_type,
        &key.subject_id,
        key.subject_relation.as_deref().unwrap_or_default(),
    ]
}

pub(super) async fn page(
    readers: &SqlitePool,
    scope: &StoreScope,
    filter: &TupleFilter,
    after: Option<&TupleKey>,
    limit: u32,
) -> Result<Vec<TupleRecord>, StorageError> {
    rows(readers, scope, None, filter, after, limit).await
}

pub(super) async fn page_at(
    readers: &SqlitePool,
    scope: &StoreScope,
    revision: Revision,
    filter: &TupleFilter,
    after: Option<&TupleKey>,
    limit: u32,
) -> Result<Vec<TupleRecord>, StorageError> {
    rows(readers, scope, Some(revision), filter, after, limit).await
}

async fn rows(
    readers: &SqlitePool,
    scope: &StoreScope,
    at: Option<Revision>,
    filter: &TupleFilter,
    after: Option<&TupleKey>,
    limit: u32,
) -> Result<Vec<TupleRecord>, StorageError> {
    // The empty text stands for no relation, so that as a name it would find what it must not.
    let named = filter.subject.as_ref().map(|subject| &subject.subject_relation);
    if named.is_some_and(|relation| matches!(relation, SubjectRelation::Named(name) if name.is_empty())) {
        return Ok(Vec::new());
    }
    let Some((sql, bound)) = Page::of(filter, after).statement(at.is_some()) else { return Ok(Vec::new()) };
    let query = bind_scope(sqlx::query(AssertSqlSafe(sql)), scope).bind(limit);
    let query = at.into_iter().fold(query, |query, at| query.bind(row::bound(at.0)));
    let query = bound.into_iter().fold(query, Query::bind);
    let tuples = query.try_map(|row| record(&row)).fetch_all(readers).await?;
    Ok(tuples)
}

pub(super) type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

pub(super) fn bind_scope<'q>(query: Bound<'q>, scope: &'q StoreScope) -> Bound<'q> {
    query.bind(scope.tenant().as_str()).bind(scope.store().as_str())
}

// By position, in the order of the macros above.

pub(super) fn record(row: &SqliteRow) -> Result<TupleRecord, sqlx::Error> {
    let subject_relation: String = row.try_get(5)?;
    let expires_at: Option<i64> = row.try_get(8)?;
    Ok(TupleRecord {
        key: TupleKey {
            object_type: row.try_get(0)?,
            object_id: row.try_get(1)?,
            relation: row.try_get(2)?,
            subject_type: row.try_get(3)?,
            subject_id: row.try_get(4)?,
            subject_relation: relation(subject_relation),
        },
        condition: condition(row.try_get(6)?, row.try_get(7)?),
        expires_at: expires_at.map(Timestamp::from_millis),
        created_revision: row::created_revision(row.try_get(9)?)?,
        created_at: Timestamp::from_millis(row.try_get(10)?),
    })
}

pub(super) fn relation(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// The table holds that both are there or none.
pub(super) fn condition(name: Option<String>, context: Option<String>) -> Option<TupleCondition> {
    name.zip(context).map(|(name, context)| TupleCondition { name, context })
}

/// The text of every statement that is put together here, for a look at its plan.
#[cfg(test)]
pub(super) fn statements() -> Vec<String> {
    use crate::storage::records::SubjectFilter;
    let text = |given: bool| given.then(|| "a".to_owned());
    let after = TupleKey {
        object_type: "a".to_owned(),
        object_id: "a".to_owned(),
        relation: "a".to_owned(),
        subject_type: "a".to_owned(),
        subject_id: "a".to_owned(),
        subject_relation: text(true),
    };
    let mut all = Vec::new();
    for shape in 0..64 {
        let given = |bit: u32| shape & (1 << bit) != 0;
        let subject = given(3).then(|| SubjectFilter {
            subject_type: "a".to_owned(),
            subject_id: text(given(4)),
            subject_relation: if given(5) { SubjectRelation::Named("a".to_owned()) } else { SubjectRelation::Any },
        });
        let (object_type, object_id, relation) = (text(given(0)), text(given(1)), text(given(2)));
        let filter = TupleFilter { object_type, object_id, relation, subject };
        for after in [None, Some(&after)] {
            for past in [false, true] {
                all.extend(Page::of(&filter, after).statement(past).map(|(sql, _)| sql));
            }
        }
    }
    all
}
