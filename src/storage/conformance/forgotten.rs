//! What is no more kept of the past, and what is known of that.

use super::tuples::{change, key, log, past_of, plain, viewer};
use super::{Fixture, at, commit, entity, link, with_store, write};
use crate::ids::{Revision, Timestamp};
use crate::scope::StoreScope;
use crate::storage::Storage;
use crate::storage::records::{TrimmedRecord, TupleChange};

pub(crate) async fn history_is_forgotten_up_to_a_time(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let mut times = Vec::new();
    for n in 0..10 {
        let mut change = write(n);
        change.entities_put =
            vec![entity("User", "a", &format!("{{\"n\":{n}}}")), entity("User", &n.to_string(), "{}")];
        change.entities_delete = vec![("User".to_owned(), (n.saturating_sub(1)).to_string())];
        change.links_put = vec![link("l", &n.to_string())];
        commit(&storage, &scope, change).await;
        times.push(storage.data.state_at(&scope, Revision(n + 1)).await.unwrap().unwrap().at);
    }
    let all = async |revision: u64| {
        let entities = storage.data.entities_at(&scope, Revision(revision), None, None, 99).await.unwrap();
        let links = storage.data.links_at(&scope, Revision(revision), None, 99).await.unwrap();
        (entities, links)
    };
    let mut before = Vec::new();
    for revision in 1..=10 {
        before.push(all(revision).await);
    }
    // Up to the time of revision 6, which is then the first that can be asked.
    let by = times[5];
    let first = times.iter().rposition(|at| *at <= by).unwrap() as u64 + 1;
    let mut deleted = 0;
    loop {
        let step = storage.purge.forget_history(&scope, by, 3).await.unwrap();
        assert!(step <= 3);
        if step == 0 {
            break;
        }
        deleted += step;
    }
    assert!(deleted > 0);
    for (revision, before) in (1..=10).zip(before).filter(|(revision, _)| *revision >= first) {
        assert!(all(revision).await == before, "revision {revision}");
    }
}

/// The marks that follow from what is gone of a log.
fn mark(gone: &[TupleChange], object_type: Option<&str>) -> Option<TrimmedRecord> {
    let gone = || gone.iter().filter(|change| object_type.is_none_or(|name| change.tuple.key.object_type == name));
    let at = gone().map(|change| change.at).max()?;
    gone().next_back().map(|change| TrimmedRecord { last: (change.revision, change.ordinal), at })
}

pub(crate) async fn changes_are_trimmed_from_the_oldest_on(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    let mut past = Vec::new();
    for n in 1..=10_i64 {
        let (new, old) = (n.to_string(), (n - 2).to_string());
        let mut change = change(&[viewer(&old, "ann")], &[plain(viewer(&new, "ann")), plain(viewer("all", "ann"))]);
        if n == 2 || n == 9 {
            change.tuples_put.push(plain(key(("folder", &new), "viewer", ("user", "ann", ""))));
        }
        change.at = at(n * 10);
        let revision = commit(&storage, &scope, change).await;
        past.push(past_of(&storage, &scope, revision.0).await);
    }
    let whole = log(&storage, &scope, 100).await;
    // In the reign of the sixth.
    loop {
        let step = storage.purge.forget_history(&scope, at(69), 3).await.unwrap();
        let left = log(&storage, &scope, 100).await;
        let gone = &whole[..whole.len() - left.len()];
        assert!(step <= 3 && whole.ends_with(&left));
        for object_type in [None, Some("document"), Some("folder"), Some("absent")] {
            let trimmed = storage.data.trimmed_changes(&scope, object_type).await.unwrap();
            assert_eq!(trimmed, mark(gone, object_type), "{object_type:?}");
        }
        if step == 0 {
            assert_eq!(left[0].revision, Revision(7));
            break;
        }
    }
    for (revision, then) in (1..).zip(past) {
        let state = storage.data.state_at(&scope, Revision(revision)).await.unwrap().unwrap();
        assert_eq!(state.forgotten, revision < 6, "{revision}");
        assert!(state.forgotten || past_of(&storage, &scope, revision).await == then, "{revision}");
    }
    let trimmed = storage.data.trimmed_changes(&scope, Some("folder")).await.unwrap().unwrap();
    let (Revision(revision), ordinal) = trimmed.last;
    for (after, since, missed) in [
        (None, None, true),
        (None, Some(20), true),
        (None, Some(21), false),
        (Some((1, 9)), None, true),
        (Some((revision, ordinal)), None, false),
        (Some((3, 0)), Some(0), false),
    ] {
        let place = after.map(|(revision, ordinal)| (Revision(revision), ordinal));
        assert_eq!(trimmed.is_missed(place, since.map(at)), missed, "{after:?} {since:?}");
    }
}

pub(crate) async fn a_clock_that_went_back_shows_no_half_of_a_revision(fixture: &impl Fixture) {
    let storage = fixture.open().await;
    let scope = with_store(&storage).await;
    for time in [10, 20, 90, 30, 40] {
        let mut change = write(0);
        change.entities_put = vec![entity("User", "a", &format!("{{\"n\":{time}}}"))];
        change.at = at(time);
        commit(&storage, &scope, change).await;
    }
    assert_eq!(forget(&storage, &scope, at(35)).await, 3);
    // The second ended at 90, by its time; what it had is gone all the same.
    for revision in 1..=5 {
        let state = storage.data.state_at(&scope, Revision(revision)).await.unwrap().unwrap();
        assert_eq!(state.forgotten, revision < 4, "{revision}");
    }
    assert_eq!(forget(&storage, &scope, at(5)).await, 0);
    assert!(storage.data.state_at(&scope, Revision(3)).await.unwrap().unwrap().forgotten);
}

async fn forget(storage: &Storage, scope: &StoreScope, by: Timestamp) -> u64 {
    storage.purge.forget_history(scope, by, 100).await.unwrap()
}
