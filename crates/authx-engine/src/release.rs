//! A release: schema, policies and templates, compiled and validated together, immutable.
//!
//! A release made from another shares every policy whose text did not change, so that a change of one policy among
//! 100,000 parses, validates and files that policy alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use smol_str::SmolStr;

use crate::bodies::Bodies;
use crate::cedar::{PolicySet, Template};
use crate::data::DataRules;
use crate::index::ScopeIndex;
use crate::linking::{Linked, Linking};
use crate::model_change::explain;
use crate::parse::{Parsed, parse_all};
use crate::policy::{Policy, PolicyId, compile};
use crate::problem::{Problem, Span};
use crate::relation::RelationModel;
use crate::scan::{PolicySource, TextLimits};
use crate::schema::{Found, Schema, SchemaSource, Verdict};
use crate::stack::{COMPILE_STACK_BYTES, compiler_failed, on_large_stack};

/// Below this many policies one thread compiles them all.
const POLICIES_A_THREAD: usize = 200;

/// How a release is compiled.
#[derive(Debug, Clone, Copy)]
pub struct CompileOptions {
    pub validation: Check,
    pub limits: TextLimits,
    /// Threads for a large set.
    pub threads: usize,
}

/// Whether policies are checked against the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Cedar's strict validation; an error refuses the release.
    Strict,
    /// None.
    Off,
    /// None, because they were checked when the release was made.
    Done,
}

impl Default for CompileOptions {
    fn default() -> Self {
        Self { validation: Check::Strict, limits: TextLimits::default(), threads: 2 }
    }
}

/// A release and the warnings that its author should see.
#[derive(Debug)]
pub struct Compiled {
    pub release: Release,
    pub warnings: Vec<Problem>,
}

/// An immutable set of schema, policies and templates.
#[derive(Debug, Clone)]
pub struct Release {
    id: SmolStr,
    frame: Frame,
    policies: OrdMap<PolicyId, Arc<Policy>>,
    bodies: Bodies,
    /// The static policies; templates decide nothing by themselves.
    pub(crate) index: ScopeIndex,
    validated: bool,
}

/// What policies are compiled and validated against.
#[derive(Debug, Clone, Default)]
struct Frame {
    schema: Option<Arc<Schema>>,
    model: Option<Arc<RelationModel>>,
    linked: Option<Arc<Linked>>,
}

impl Frame {
    fn linking(&self) -> Option<&Linking> {
        self.linked.as_ref().map(|linked| &linked.linking)
    }

    /// The schema that policies are validated against.
    fn effective(&self) -> Option<&Schema> {
        self.linked.as_ref().map(|linked| &linked.effective).or(self.schema.as_deref())
    }

    /// Whether a policy that stands in this frame stands in the other.
    fn same(&self, other: &Self) -> bool {
        fn shared<T>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> bool {
            a.map(Arc::as_ptr) == b.map(Arc::as_ptr)
        }
        shared(self.schema.as_ref(), other.schema.as_ref()) && shared(self.linked.as_ref(), other.linked.as_ref())
    }
}

/// What a release is made of, as its author wrote it.
#[derive(Debug, Clone, Default)]
pub struct Sources<'a> {
    pub schema: Option<SchemaSource>,
    pub model: Option<Arc<RelationModel>>,
    pub policies: &'a [PolicySource],
}

/// Policies of two releases, by id.
#[derive(Default)]
pub(crate) struct PolicyPairs<'a> {
    pub(crate) added: Vec<PolicyId>,
    pub(crate) removed: Vec<PolicyId>,
    pub(crate) both: Vec<(&'a Arc<Policy>, &'a Arc<Policy>)>,
}

type FrameOutcome = Result<(Frame, Vec<Problem>), Vec<Problem>>;
type Outcome = Result<Arc<Policy>, Vec<Problem>>;

impl Release {
    /// Compiles a whole set; `base` lends the policies whose text it shares.
    ///
    /// # Errors
    /// Every problem of the set, warnings included.
    pub fn compile(
        id: &str,
        sources: Sources<'_>,
        options: &CompileOptions,
        base: Option<&Self>,
    ) -> Result<Compiled, Vec<Problem>> {
        let Sources { schema, model, policies } = sources;
        let mut problems = Vec::new();
        let explained = |mut problems: Vec<Problem>, model: Option<&RelationModel>| {
            if let Some(base) = base {
                explain(&mut problems, base, model);
            }
            problems
        };
        let frame = match Self::compile_frame(schema, model.clone(), options, base) {
            Ok((frame, warnings)) => {
                problems.extend(warnings);
                frame
            }
            Err(found) => {
                // Policies are still parsed, so that the author sees their errors too.
                let options = CompileOptions { validation: Check::Off, ..*options };
                let parsed = compile_all(policies, &Frame::default(), &options);
                problems.extend(found);
                problems.extend(parsed.into_iter().filter_map(Result::err).flatten());
                return Err(explained(problems, model.as_deref()));
            }
        };
        let lender = base.filter(|base| base.lends_to(&frame, options.validation));
        let by_text: HashMap<&str, &Arc<Policy>> =
            lender.into_iter().flat_map(|base| base.policies.values()).map(|p| (p.source.text.as_str(), p)).collect();
        let lent = |source: &PolicySource| {
            let found = match &source.id {
                Some(id) => lender?.policies.get(id.as_str()).filter(|p| p.source.text == source.text)?,
                // A policy that got its id from beside its text lends nothing to one that has none there.
                None => by_text.get(source.text.as_str()).filter(|p| p.source.id.is_none())?,
            };
            Some(found.moved_to(source))
        };
        let reused: Vec<Option<Arc<Policy>>> = policies.iter().map(lent).collect();
        let fresh: Vec<&PolicySource> =
            policies.iter().zip(&reused).filter(|(_, reused)| reused.is_none()).map(|(source, _)| source).collect();
        let mut outcomes = compile_all(&fresh, &frame, options).into_iter();
        let mut set: Vec<Arc<Policy>> = Vec::with_capacity(policies.len());
        for reused in reused {
            match reused.map_or_else(|| outcomes.next().unwrap_or_else(|| Err(Vec::new())), Ok) {
                Ok(policy) => set.push(policy),
                Err(found) => problems.extend(found),
            }
        }
        let mut release = match base.filter(|base| set.len() > POLICIES_A_THREAD && base.mostly_holds(&set)) {
            Some(base) => base.retained(&set),
            None => Self {
                id: SmolStr::default(),
                frame: Frame::default(),
                policies: OrdMap::new(),
                bodies: Bodies::default(),
                index: ScopeIndex::default(),
                validated: false,
            },
        };
        release.id = SmolStr::new(id);
        release.validated = options.validation != Check::Off;
        release.frame = frame;
        let mut first: HashMap<PolicyId, &Arc<Policy>> = HashMap::with_capacity(set.len());
        for policy in &set {
            if let Some(other) = first.insert(policy.id.clone(), policy) {
                problems.push(duplicate(policy, other));
                continue;
            }
            release.put(policy);
        }
        finish(release, problems).map_err(|problems| explained(problems, model.as_deref()))
    }

    /// The release that differs from this one by some policies.
    ///
    /// # Errors
    /// Every problem of the changed policies.
    pub fn with_changes(
        &self,
        id: &str,
        put: &[PolicySource],
        removed: &[PolicyId],
        options: &CompileOptions,
    ) -> Result<Compiled, Vec<Problem>> {
        let mut release = Self { id: SmolStr::new(id), ..self.clone() };
        let mut problems = Vec::new();
        if options.validation == Check::Off {
            release.validated = false;
        }
        for id in removed {
            release.take(id);
        }
        for outcome in compile_all(put, &self.frame, options) {
            match outcome {
                Ok(policy) => release.put(&policy),
                Err(found) => problems.extend(found),
            }
        }
        finish(release, problems)
    }

    #[must_use]
    pub fn model(&self) -> Option<&Arc<RelationModel>> {
        self.frame.model.as_ref()
    }

    /// Its name: a ULID that the caller chose.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    #[must_use]
    pub fn schema(&self) -> Option<&Schema> {
        self.frame.schema.as_deref()
    }

    /// The schema that policies are validated against: the author's, with what follows from links to the model.
    #[must_use]
    pub fn effective_schema(&self) -> Option<&Schema> {
        self.frame.effective()
    }

    /// What data is held to by a store that validates.
    #[must_use]
    pub fn data_rules(&self) -> DataRules<'_> {
        DataRules { schema: self.schema(), linking: self.linking() }
    }

    /// How types are linked to the relation model, and what follows; `None` when none is.
    pub(crate) fn linked(&self) -> Option<&Linked> {
        self.frame.linked.as_deref()
    }

    /// How types are linked to the relation model; `None` when none is.
    pub(crate) fn linking(&self) -> Option<&Linking> {
        self.frame.linking()
    }

    #[must_use]
    pub fn policy(&self, id: &str) -> Option<&Arc<Policy>> {
        self.policies.get(id)
    }

    /// Policies and templates, by id.
    #[must_use]
    pub fn policies(&self) -> impl DoubleEndedIterator<Item = &Arc<Policy>> {
        self.policies.values()
    }

    /// Policies and templates whose id is greater than `after`, by id.
    pub fn policies_after<'a>(&'a self, after: Option<&str>) -> impl Iterator<Item = &'a Arc<Policy>> {
        use std::ops::Bound;
        let start = after.map_or(Bound::Unbounded, |id| Bound::Excluded(SmolStr::new(id)));
        self.policies.range((start, Bound::Unbounded)).map(|(_, policy)| policy)
    }

    #[must_use]
    pub fn policy_count(&self) -> usize {
        self.policies.len()
    }

    /// The policies whose texts or places are others in `other`, and those that it has no more.
    #[must_use]
    pub fn rewritten(&self, other: &Self) -> (Vec<Arc<Policy>>, Vec<PolicyId>) {
        let (mut written, mut removed) = (Vec::new(), Vec::new());
        for item in self.policies.diff(&other.policies) {
            match item {
                DiffItem::Add(_, policy) | DiffItem::Update { new: (_, policy), .. } => {
                    written.push(Arc::clone(policy));
                }
                DiffItem::Remove(id, _) => removed.push(id.clone()),
            }
        }
        (written, removed)
    }

    /// The policies that only the other release has, only this one, and pairs of those that are written in another way.
    pub(crate) fn policy_pairs<'a>(&'a self, other: &'a Self) -> PolicyPairs<'a> {
        let mut pairs = PolicyPairs::default();
        for item in self.policies.diff(&other.policies) {
            match item {
                DiffItem::Add(id, _) => pairs.added.push(id.clone()),
                DiffItem::Remove(id, _) => pairs.removed.push(id.clone()),
                DiffItem::Update { old: (_, old), new: (_, new) } => pairs.both.push((old, new)),
            }
        }
        pairs
    }

    fn compile_frame(
        source: Option<SchemaSource>,
        model: Option<Arc<RelationModel>>,
        options: &CompileOptions,
        base: Option<&Self>,
    ) -> FrameOutcome {
        let Some(source) = source else { return Ok((Frame { model, ..Frame::default() }, Vec::new())) };
        let same = base.filter(|base| base.schema().is_some_and(|schema| *schema.source() == source));
        if let Some(base) =
            same.filter(|base| base.frame.model.as_ref().map(Arc::as_ptr) == model.as_ref().map(Arc::as_ptr))
        {
            return Ok((base.frame.clone(), Vec::new()));
        }
        let limits = options.limits;
        let (schema, warnings) = if let Some(schema) = same.and_then(|base| base.frame.schema.clone()) {
            (schema, Vec::new())
        } else {
            let (schema, warnings) = on_large_stack(|| Schema::compile(source, &limits))?;
            (Arc::new(schema), warnings)
        };
        let linked = on_large_stack(|| Linked::new(&schema, model.as_deref(), &limits))?;
        Ok((Frame { schema: Some(schema), model, linked: linked.map(Arc::new) }, warnings))
    }

    /// Whether a policy of this release may stand unchanged in another frame.
    fn lends_to(&self, frame: &Frame, check: Check) -> bool {
        let unlinked = self.frame.linked.is_none() && frame.linked.is_none();
        let validated = self.validated || frame.schema.is_none();
        match check {
            Check::Strict => self.frame.same(frame) && validated,
            Check::Off | Check::Done => unlinked || self.frame.same(frame),
        }
    }

    fn mostly_holds(&self, set: &[Arc<Policy>]) -> bool {
        let held = set.iter().filter(|p| self.policies.get(&p.id).is_some_and(|own| Arc::ptr_eq(own, p))).count();
        held * 2 > set.len().max(self.policies.len())
    }

    /// This release without the policies that are not in `set`.
    fn retained(&self, set: &[Arc<Policy>]) -> Self {
        let keep: HashMap<&str, &Arc<Policy>> = set.iter().map(|p| (p.id.as_str(), p)).collect();
        let mut release = self.clone();
        let stale = self.policies.values().filter(|p| keep.get(p.id.as_str()).is_none_or(|kept| !Arc::ptr_eq(kept, p)));
        let stale: Vec<PolicyId> = stale.map(|p| p.id.clone()).collect();
        for id in &stale {
            release.take(id);
        }
        release
    }

    fn put(&mut self, policy: &Arc<Policy>) {
        if self.policies.get(&policy.id).is_some_and(|own| Arc::ptr_eq(own, policy)) {
            return;
        }
        self.take(&policy.id);
        let policy = self.bodies.add(policy);
        if !policy.is_template() {
            self.index.insert(&policy);
        }
        self.policies.insert(policy.id.clone(), policy);
    }

    fn take(&mut self, id: &str) {
        if let Some(policy) = self.policies.remove(id) {
            self.index.remove(&policy);
            self.bodies.remove(&policy);
        }
    }
}

fn finish(release: Release, problems: Vec<Problem>) -> Result<Compiled, Vec<Problem>> {
    if problems.iter().any(Problem::is_error) { Err(problems) } else { Ok(Compiled { release, warnings: problems }) }
}

fn duplicate(policy: &Policy, first: &Policy) -> Problem {
    let place = first.source.origin();
    let where_first = match place.file {
        Some(file) => format!("{file}:{}", place.line),
        None => "another policy of this set".to_owned(),
    };
    Problem::error("duplicate_policy_id", format!("the id `{}` is used twice", policy.id))
        .with_policy(policy.id.as_str())
        .at(&policy.source.origin(), policy.source.whole())
        .with_hint(format!("give one of them another `@id`; the first is {where_first}"))
}

/// Compiles in order, on as many threads as are worth it, each with a large stack.
fn compile_all<S: std::borrow::Borrow<PolicySource> + Sync>(
    sources: &[S],
    frame: &Frame,
    options: &CompileOptions,
) -> Vec<Outcome> {
    if sources.is_empty() {
        return Vec::new();
    }
    let threads = options.threads.clamp(1, sources.len().div_ceil(POLICIES_A_THREAD));
    let chunk = sources.len().div_ceil(threads);
    let compile_chunk = |chunk: &[S]| {
        let sources: Vec<&PolicySource> = chunk.iter().map(std::borrow::Borrow::borrow).collect();
        let parsed = parse_all(&sources, &options.limits);
        let each = sources.iter().zip(parsed).map(|(source, parsed)| compile_one(source, parsed?, frame, options));
        each.collect::<Vec<_>>()
    };
    let failed = |chunk: &[S]| chunk.iter().map(|_| Err(vec![compiler_failed()])).collect::<Vec<_>>();
    if threads == 1 {
        return on_large_stack(|| Ok::<_, Problem>(compile_chunk(sources))).unwrap_or_else(|_| failed(sources));
    }
    thread::scope(|scope| {
        let running: Vec<_> = sources
            .chunks(chunk)
            .map(|chunk| {
                thread::Builder::new().stack_size(COMPILE_STACK_BYTES).spawn_scoped(scope, move || compile_chunk(chunk))
            })
            .collect();
        let mut outcomes = Vec::with_capacity(sources.len());
        for (chunk, thread) in sources.chunks(chunk).zip(running) {
            match thread.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(done)) => outcomes.extend(done),
                Ok(Err(_)) | Err(_) => outcomes.extend(failed(chunk)),
            }
        }
        outcomes
    })
}

fn compile_one(source: &PolicySource, parsed: Parsed, frame: &Frame, options: &CompileOptions) -> Outcome {
    let mut policy = compile(source, &parsed, &options.limits, frame.linked.as_deref(), options.validation)?;
    if let (Check::Strict, Some(schema)) = (options.validation, frame.effective()) {
        let validated = validate(&policy, parsed, schema)?;
        policy.impossible = validated.impossible;
    }
    Ok(Arc::new(policy))
}

/// What Cedar's validator says of a policy without errors. What else it warns of is a lint's to tell.
struct Validated {
    /// No request can match it.
    impossible: bool,
}

fn validate(policy: &Policy, parsed: Parsed, schema: &Schema) -> Result<Validated, Vec<Problem>> {
    let mut set = PolicySet::new();
    let added = if policy.is_template() {
        set.add_template(Template::clone(&parsed.template)).map_err(|e| e.to_string())
    } else {
        let linked = Template::try_as_policy(parsed.template).map_err(|e| e.to_string());
        linked.and_then(|linked| set.add(linked).map_err(|e| e.to_string()))
    };
    let origin = policy.source.origin();
    let whole = Span { offset: 0, length: 0 };
    let invalid = |message: String| Problem::error("policy_invalid", message).with_policy(policy.id.as_str());
    if let Err(message) = added {
        return Err(vec![invalid(message).at(&origin, whole)]);
    }
    let Verdict { errors, impossible } = schema.validate(&set);
    if errors.is_empty() {
        return Ok(Validated { impossible });
    }
    let problem = |found: Found| {
        let span = found.span.map_or(whole, |span| Span { offset: span.offset.saturating_sub(parsed.base), ..span });
        let problem = invalid(found.message).at(&origin, span);
        match found.help {
            Some(help) => problem.with_hint(help),
            None => problem,
        }
    };
    Err(errors.into_iter().map(problem).collect())
}
