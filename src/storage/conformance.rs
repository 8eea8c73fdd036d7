//! One suite for every database: what storage promises, said in terms of its traits alone.
//!
//! A backend brings a [`Fixture`] and calls `suite!`. Nothing here knows SQL.

pub(crate) mod answers;
pub(crate) mod catalogue;
pub(crate) mod deleted;
pub(crate) mod forgotten;
pub(crate) mod history;
pub(crate) mod keys;
pub(crate) mod models;
pub(crate) mod outbox;
pub(crate) mod releases;
pub(crate) mod tuple_pages;
pub(crate) mod tuples;
pub(crate) mod writes;

use crate::ids::{ReleaseId, Revision, StoreAlias, StoreId, TenantId, Timestamp};
use crate::scope::{StoreScope, TenantScope};
use crate::storage::Storage;
use crate::storage::records::{Beside, NewEntity, NewLink, StoreRecord, TenantRecord, WriteRecord};

/// An empty database of its own for each test, which can be opened again after it was closed.
pub(crate) trait Fixture {
    async fn new() -> Self;
    async fn open(&self) -> Storage;
}

macro_rules! suite {
    ($fixture:ty) => {
        $crate::storage::conformance::suite! { $fixture:
            catalogue { tenants_page, keys_belong, stores_page, aliases_are_unique_while_open,
                another_tenant_sees_nothing }
            keys { keys_change_until_they_end, a_rotated_key_has_a_successor, the_last_platform_key_stays,
                uses_of_keys_only_go_on }
            deleted { tenants_change_and_come_back, stores_come_back, a_purge_is_bounded_and_takes_what_is_old }
            releases { intervals_equal_a_plain_model, schemas_are_kept_by_content,
                files_of_schema_and_model_are_kept, a_rollback_goes_one_further_back,
                other_releases_are_refused }
            history { every_past_revision_reads_as_it_was, ids_are_kept_byte_for_byte,
                load_is_complete_and_chunked,
                a_past_revision_has_its_release_and_settings, pages_fit_together }
            forgotten { history_is_forgotten_up_to_a_time, changes_are_trimmed_from_the_oldest_on,
                a_clock_that_went_back_shows_no_half_of_a_revision }
            tuples { tuples_are_put_replaced_and_deleted, past_tuples_equal_a_replay,
                changes_begin_at_a_time, tuples_belong, a_failed_write_leaves_no_tuple,
                ten_thousand_tuples_are_one_write }
            tuple_pages { every_filter_pages, every_filter_pages_through_the_past, tuple_keys_are_kept_byte_for_byte }
            outbox { an_event_is_stored_with_its_change_alone, events_wait_in_order_until_they_are_forgotten,
                a_purge_tells_what_is_gone }
            models { models_never_change, models_belong, assertions_are_replaced }
            writes { a_failed_write_fails_alone, a_stale_write_changes_nothing,
                a_group_is_one_transaction, dropping_undoes, a_cancelled_write_undoes,
                a_closed_store_takes_no_writes, everything_survives_a_reopen,
                ten_thousand_entities_are_one_write, the_log_has_one_row_per_commit }
            answers { an_answer_is_of_its_write, an_answer_is_stored_with_its_change_alone }
        }
    };
    ($fixture:ty: $($module:ident { $($test:ident),* $(,)? })*) => {
        $($(
            #[tokio::test]
            async fn $test() {
                use $crate::storage::conformance::{$module, Fixture};
                $module::$test(&<$fixture>::new().await).await;
            }
        )*)*
    };
}
pub(crate) use suite;

pub(crate) fn tenant_id(n: u128) -> TenantId {
    TenantId::from_parts(1_000, n)
}

pub(crate) fn store_id(n: u128) -> StoreId {
    StoreId::from_parts(2_000, n)
}

pub(crate) fn release_id(n: u128) -> ReleaseId {
    ReleaseId::from_parts(3_000, n)
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn alias(text: &str) -> StoreAlias {
    StoreAlias::parse(text).unwrap()
}

pub(crate) fn tenant_record(n: u128) -> TenantRecord {
    let (id, name) = (tenant_id(n), format!("tenant {n}"));
    let (limits, decisions) = ("{}".to_owned(), "{}".to_owned());
    TenantRecord { id, name, limits, decisions, created_at: at(1), deleted_at: None }
}

pub(crate) fn store_record(tenant: u128, n: u128) -> StoreRecord {
    StoreRecord {
        id: store_id(n),
        tenant: tenant_id(tenant),
        name: format!("store {n}"),
        alias: None,
        settings: "{}".to_owned(),
        epoch: "e1".to_owned(),
        revision: Revision(0),
        active_release: None,
        latest_release: None,
        created_at: at(2),
        updated_at: at(2),
        deleted_at: None,
    }
}

pub(crate) fn tenant_scope(tenant: u128) -> TenantScope {
    TenantScope::new(tenant_id(tenant))
}

pub(crate) fn store_scope(tenant: u128, store: u128) -> StoreScope {
    StoreScope::new(tenant_id(tenant), store_id(store))
}

/// Tenant 1 with store 1, and its scope.
pub(crate) async fn with_store(storage: &Storage) -> StoreScope {
    storage.tenants.insert(&tenant_record(1), None, Beside::default()).await.unwrap();
    storage.stores.insert(&tenant_scope(1), &store_record(1, 1), Beside::default()).await.unwrap();
    store_scope(1, 1)
}

pub(crate) fn write(expected: u64) -> WriteRecord {
    let summary = format!("write on {expected}");
    WriteRecord::new(Revision(expected), "ann".to_owned(), at(100), summary)
}

/// Commits one write on the current revision, whatever the record expects.
pub(crate) async fn commit(storage: &Storage, scope: &StoreScope, mut write: WriteRecord) -> Revision {
    let mut open = storage.writes.begin(scope).await.unwrap().unwrap();
    write.expected_revision = open.head().revision;
    let revision = open.write(&write).await.unwrap();
    open.commit().await.unwrap();
    revision
}

pub(crate) fn entity(type_name: &str, id: &str, attrs: &str) -> NewEntity {
    NewEntity {
        type_name: type_name.to_owned(),
        id: id.to_owned(),
        attrs: attrs.to_owned(),
        tags: "{}".to_owned(),
        parents: r#"[["Group","eng"]]"#.to_owned(),
    }
}

pub(crate) fn link(id: &str, template: &str) -> NewLink {
    NewLink {
        id: id.to_owned(),
        template: template.to_owned(),
        principal: Some(("User".to_owned(), id.to_owned())),
        resource: None,
    }
}

/// A small generator of numbers, so that a failing sequence fails again.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}
