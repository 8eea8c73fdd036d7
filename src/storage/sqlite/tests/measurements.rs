//! What SQLite takes for a million rows. Run by hand: `cargo test --release -- --ignored --nocapture a_million`.

use std::time::{Duration, Instant};

use super::Directory;
use crate::scope::StoreScope;
use crate::storage::Storage;
use crate::storage::conformance::{Dice, Fixture, commit, entity, store_scope, with_store, write};
use crate::storage::records::{LoadChunk, NewTuple, SubjectFilter, SubjectRelation, TupleFilter, TupleKey};
use crate::storage::sqlite::FILE;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
#[expect(clippy::print_stdout, reason = "a measurement")]
async fn a_million_entities_load() {
    let directory = Directory::new().await;
    let storage = directory.open().await;
    let scope = with_store(&storage).await;
    let attrs = r#"{"department":"engineering","level":3,"email":"someone@example.com"}"#;
    let start = Instant::now();
    for chunk in 0..100 {
        let mut change = write(0);
        change.entities_put =
            (0..10_000).map(|n| entity("User", &format!("user-{:07}", chunk * 10_000 + n), attrs)).collect();
        commit(&storage, &scope, change).await;
    }
    println!("100 writes of 10,000 entities: {:?}", start.elapsed());
    for _ in 0..2 {
        let start = Instant::now();
        let mut count = 0;
        let mut sink = |chunk| {
            if let LoadChunk::Entities(chunk) = chunk {
                count += chunk.len();
            }
            Ok(())
        };
        storage.data.load(&store_scope(1, 1), &mut sink).await.unwrap();
        println!("load of {count} entities: {:?}", start.elapsed());
    }
    let mut times = Vec::new();
    for n in 0..500 {
        let mut change = write(0);
        change.entities_put = vec![entity("User", &format!("user-{:07}", n * 1999), "{}")];
        let start = Instant::now();
        commit(&storage, &scope, change).await;
        times.push(start.elapsed());
    }
    times.sort();
    println!("one small commit: median {:?}, p99 {:?}", times[250], times[495]);
    let start = Instant::now();
    let mut open = storage.writes.begin(&scope).await.unwrap().unwrap();
    for n in 0..1000 {
        let mut change = write(open.head().revision.0);
        change.entities_put = vec![entity("User", &format!("user-{n:07}"), "{}")];
        open.write(&change).await.unwrap();
    }
    open.commit().await.unwrap();
    println!("one of 1,000 writes in a group: {:?}", start.elapsed() / 1000);
    let start = Instant::now();
    let page = storage.data.entities(&scope, Some("User"), Some(("User", "user-0500000")), 100);
    assert_eq!(page.await.unwrap().len(), 100);
    println!("a page of 100: {:?}", start.elapsed());
    let size = std::fs::metadata(directory.data_dir().join(FILE)).unwrap().len();
    println!("database: {} MB", size / 1_000_000);
}

fn viewer(n: usize, dice: &mut Dice) -> NewTuple {
    let key = TupleKey {
        object_type: "document".to_owned(),
        object_id: format!("doc-{n:07}"),
        relation: ["viewer", "editor", "owner"][n % 3].to_owned(),
        subject_type: "user".to_owned(),
        subject_id: format!("user-{:05}", dice.below(50_000)),
        subject_relation: None,
    };
    NewTuple { key, condition: None, expires_at: None }
}

#[expect(clippy::print_stdout, reason = "a measurement")]
async fn put_tuples(storage: &Storage, scope: &StoreScope, ids: &[usize], name: &str) {
    let mut dice = Dice::new(3);
    let mut spent = Duration::ZERO;
    let (mut first, mut last) = (Duration::ZERO, Duration::ZERO);
    for chunk in ids.chunks(10_000) {
        let mut change = write(0);
        change.tuples_put = chunk.iter().map(|n| viewer(*n, &mut dice)).collect();
        let start = Instant::now();
        commit(storage, scope, change).await;
        last = start.elapsed();
        spent += last;
        if first.is_zero() {
            first = last;
        }
    }
    let rate = u128::try_from(ids.len() * 1000).unwrap() / spent.as_millis();
    println!("{name}: {} tuples in {spent:?}, {rate}/s; first write {first:?}, last {last:?}", ids.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
#[expect(clippy::print_stdout, reason = "a measurement")]
async fn a_million_tuples() {
    let count: usize = 1_000_000;
    for shuffled in [false, true] {
        let directory = Directory::new().await;
        let storage = directory.open().await;
        let scope = with_store(&storage).await;
        let mut dice = Dice::new(7);
        let mut ids: Vec<usize> = (0..count).collect();
        if shuffled {
            for n in (1..count).rev() {
                ids.swap(n, dice.below(n + 1));
            }
        }
        put_tuples(&storage, &scope, &ids, if shuffled { "in any order" } else { "in order" }).await;
        put_tuples(&storage, &scope, &ids[..100_000], "replaced or new").await;
        for _ in 0..2 {
            let start = Instant::now();
            let mut loaded = 0;
            let mut sink = |chunk| {
                if let LoadChunk::Tuples(chunk) = chunk {
                    loaded += chunk.len();
                }
                Ok(())
            };
            storage.data.load(&scope, &mut sink).await.unwrap();
            println!("load of {loaded} tuples: {:?}", start.elapsed());
        }
        let mut times = Vec::new();
        for n in 0..500 {
            let mut change = write(0);
            change.tuples_put = vec![viewer(n * 1999, &mut dice)];
            let start = Instant::now();
            commit(&storage, &scope, change).await;
            times.push(start.elapsed());
        }
        times.sort();
        println!("one small commit: median {:?}, p99 {:?}", times[250], times[495]);
        let mut open = storage.writes.begin(&scope).await.unwrap().unwrap();
        let start = Instant::now();
        for n in 0..1000 {
            let mut change = write(open.head().revision.0);
            change.tuples_put = vec![viewer(n * 999, &mut dice)];
            open.write(&change).await.unwrap();
        }
        open.commit().await.unwrap();
        println!("one of 1,000 writes in a group: {:?}", start.elapsed() / 1000);
        let subject = SubjectFilter {
            subject_type: "user".to_owned(),
            subject_id: Some("user-00007".to_owned()),
            subject_relation: SubjectRelation::Any,
        };
        let filter = TupleFilter { subject: Some(subject), ..TupleFilter::default() };
        let start = Instant::now();
        let page = storage.data.tuples(&scope, &filter, None, 100).await.unwrap();
        println!("a page of {} by subject: {:?}", page.len(), start.elapsed());
        let size = std::fs::metadata(directory.data_dir().join(FILE)).unwrap().len();
        println!("database: {} MB", size / 1_000_000);
    }
}
