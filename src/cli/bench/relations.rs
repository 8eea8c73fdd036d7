//! Relations alone, in process: the document world, and the shapes that hurt others.
//!
//! The document world is that of the measuring bench: groups of users, folders in a tree of depth 3, documents in
//! folders; scale 1 has 9,460 tuples. Its answers are checked over HTTP by `benches/relations.py`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use authx_engine::relation::{
    Asking, Bound, GraphLimits, KeyParts, ModelSource, ModelSyntax, ObjectRef, RelationModel, Relations, SubjectRef,
    TupleKey, Tuples, TuplesBuilder,
};
use serde_json::Map;

const MODEL: &str = "model
  schema 1.1
type user
type group
  relations
    define member: [user]
type folder
  relations
    define parent: [folder]
    define viewer: [user, group#member] or viewer from parent
type document
  relations
    define parent: [folder]
    define owner: [user]
    define editor: [user] or owner
    define viewer: [user, group#member] or editor or viewer from parent
";

/// Rounds over the questions of one row.
const ROUNDS: usize = 20;

pub(super) fn table(scale: usize) -> Result<String, String> {
    let model = model()?;
    let mut out = String::new();
    let begun = (Instant::now(), resident());
    let tuples = collect(|add| world(scale, add))?;
    let (took, grown) = (begun.0.elapsed(), resident().saturating_sub(begun.1));
    let count = u64::try_from(tuples.len()).map_err(|error| error.to_string())?.max(1);
    let micros = u64::try_from(took.as_micros()).map_err(|error| error.to_string())?.max(1);
    let (thousands, bytes) = (count * 1_000 / micros, grown / count);
    let _ = writeln!(
        out,
        "{count} tuples built in {} ms, {thousands} thousand a second; {bytes} bytes each with all indexes and names",
        micros / 1_000
    );
    let users = 400 * scale;
    let asked =
        |n: usize| (format!("user:u{}", n * 7_919 % users), format!("document:d{}", n * 104_729 % (2_400 * scale)));
    let strangers: Vec<_> = (0..2_000).map(asked).collect();
    let editors = (0..2_000).map(|n| n * 104_729 % (2_400 * scale));
    let editors =
        editors.map(|d| (format!("user:u{}", (d * 29 + 5) % users), format!("document:d{d}"))).collect::<Vec<_>>();
    out.push_str(&row("check, documents: strangers", &model, &tuples, "viewer", &strangers)?);
    out.push_str(&row("check, documents: editors", &model, &tuples, "viewer", &editors)?);
    out.push_str(&list(&model, &tuples, "user:u17")?);
    let begun = Instant::now();
    let merged = tuples.merged().ok_or("too many tuples")?;
    let _ = writeln!(out, "packing all of it again: {:.0} ms", begun.elapsed().as_secs_f64() * 1e3);
    drop(merged);

    let chain = collect(|add| {
        (0..24).for_each(|n| add("folder", n, "parent", "folder", n + 1, ""));
        add("folder", 24, "viewer", "user", 1, "");
    })?;
    let deep = [("user:u1".to_owned(), "folder:f0".to_owned())];
    out.push_str(&row("check, 25 folders deep", &model, &chain, "viewer", &deep)?);
    for members in [10, 100_000] {
        let group = collect(|add| {
            (0..members).for_each(|n| add("group", 0, "member", "user", n, ""));
            add("document", 0, "viewer", "group", 0, "member");
        })?;
        let member = [(format!("user:u{}", members / 2), "document:d0".to_owned())];
        out.push_str(&row(&format!("check, a member of a group of {members}"), &model, &group, "viewer", &member)?);
    }
    let groups = collect(|add| {
        (0..10_000).for_each(|n| add("document", 0, "viewer", "group", n, "member"));
        (0..10_000).for_each(|n| add("group", n, "member", "user", n + 1, ""));
        add("group", 10_001, "member", "user", 0, "");
    })?;
    let nobody = [("user:u0".to_owned(), "document:d0".to_owned())];
    out.push_str(&row("check, 10,000 groups of which none holds", &model, &groups, "viewer", &nobody)?);
    let many = collect(|add| {
        (0..1_000_000).for_each(|n| add("document", n, "owner", "user", n % 1_000, ""));
    })?;
    out.push_str(&list(&model, &many, "user:u7")?);
    Ok(out)
}

fn model() -> Result<RelationModel, String> {
    let source = ModelSource { syntax: ModelSyntax::Dsl, file: None, text: MODEL.to_owned() };
    let read = RelationModel::read("bench", source);
    read.map(|(model, _)| model)
        .map_err(|problems| problems.first().map(|problem| problem.message.clone()).unwrap_or_default())
}

type Add<'a> = dyn FnMut(&str, usize, &str, &str, usize, &str) + 'a;

/// Builds tuples of objects whose ids are their type's letter and a number.
fn collect(fill: impl FnOnce(&mut Add<'_>)) -> Result<Tuples, String> {
    let mut builder = TuplesBuilder::default();
    let mut failed = None;
    let (mut object, mut subject) = (String::new(), String::new());
    fill(&mut |object_type, object_number, relation, subject_type, subject_number, subject_relation| {
        object.clear();
        subject.clear();
        let _ = write!(object, "{}{object_number}", object_type.get(..1).unwrap_or_default());
        let _ = write!(subject, "{}{subject_number}", subject_type.get(..1).unwrap_or_default());
        let (object_id, subject_id) = (object.as_str(), subject.as_str());
        let key = KeyParts { object_type, object_id, relation, subject_type, subject_id, subject_relation };
        if let Err(error) = builder.push(key, None, None) {
            failed = Some(error.to_string());
        }
    });
    match failed {
        Some(error) => Err(error),
        None => builder.finish().map_err(|error| error.to_string()),
    }
}

fn world(scale: usize, add: &mut Add<'_>) {
    let (users, groups, folders, documents) = (400 * scale, 40 * scale, 200 * scale, 2_400 * scale);
    for user in 0..users {
        let mut of: Vec<usize> = (0..5).map(|k| (user * 7 + k * 13) % groups).collect();
        of.sort_unstable();
        of.dedup();
        for group in of {
            add("group", group, "member", "user", user, "");
        }
    }
    for folder in 0..folders {
        if folder >= folders / 10 {
            add("folder", folder, "parent", "folder", folder / 10, "");
        }
        if folder % 5 == 0 {
            let mut of: Vec<usize> = (0..2).map(|k| (folder * 3 + k * 11 + 1) % groups).collect();
            of.sort_unstable();
            of.dedup();
            for group in of {
                add("folder", folder, "viewer", "group", group, "member");
            }
        }
    }
    for document in 0..documents {
        add("document", document, "parent", "folder", document % folders, "");
        add("document", document, "owner", "user", (document * 17 + 3) % users, "");
        add("document", document, "editor", "user", (document * 29 + 5) % users, "");
    }
}

fn row(
    what: &str,
    model: &RelationModel,
    tuples: &Tuples,
    relation: &str,
    questions: &[(String, String)],
) -> Result<String, String> {
    let (bound, context) = (Bound::new(model, tuples), Map::new());
    let relations = Relations::new(model, tuples, &bound);
    let asking = Asking { context: &context, now: 0, limits: GraphLimits::default() };
    let read = |(subject, object): &(String, String)| {
        let (object, subject) = (ObjectRef::parse(object).ok()?, SubjectRef::parse(subject).ok()?);
        Some(TupleKey { object, relation: relation.into(), subject })
    };
    let keys: Vec<TupleKey> = questions.iter().filter_map(read).collect();
    let rounds = ROUNDS.max(20_000 / keys.len().max(1));
    let (mut times, mut allowed) = (Vec::with_capacity(rounds * keys.len()), 0);
    for round in 0..=rounds {
        for key in &keys {
            let begun = Instant::now();
            let checked = black_box(relations.check(key, &asking, false)).map_err(|error| error.to_string())?;
            let took = begun.elapsed().as_nanos();
            // The first round warms the caches.
            if round > 0 {
                times.push(took);
                allowed += usize::from(checked.allowed);
            }
        }
    }
    times.sort_unstable();
    let at = |part: usize| times.get((times.len() - 1) * part / 100).copied().unwrap_or_default();
    let share = allowed * 100 / times.len().max(1);
    Ok(format!("{what}: p50 {} ns, p99 {} ns, {share} % allowed\n", at(50), at(99)))
}

fn list(model: &RelationModel, tuples: &Tuples, subject: &str) -> Result<String, String> {
    let (bound, context) = (Bound::new(model, tuples), Map::new());
    let relations = Relations::new(model, tuples, &bound);
    let asking = Asking { context: &context, now: 0, limits: GraphLimits::default() };
    let subject = SubjectRef::parse(subject).map_err(|error| error.to_string())?;
    let (mut best, mut found) = (u128::MAX, 0);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let listed = relations.list_objects("document", "viewer", &subject, &asking, usize::MAX);
        found = black_box(listed).map_err(|error| error.to_string())?.items.len();
        best = best.min(begun.elapsed().as_micros());
    }
    Ok(format!("list of {found} objects among {} tuples: {best} us\n", tuples.len()))
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()));
    pages.unwrap_or(0) * 4_096
}
