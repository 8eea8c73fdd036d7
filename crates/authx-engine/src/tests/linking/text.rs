//! Random policies that can be written twice: as their author would, and with a plain value for every fact.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

pub(super) use super::super::world::Dice;
use crate::relation::tests::naive::Truth;

/// A policy of one condition.
pub(super) struct Policy {
    id: String,
    head: String,
    condition: Condition,
    unless: bool,
}

enum Condition {
    Plain(String),
    Not(Box<Condition>),
    Both(&'static str, Box<Condition>, Box<Condition>),
    If(Box<Condition>, Box<Condition>, Box<Condition>),
    Fact(Path, Target),
}

/// A path, or one of two.
#[derive(Clone)]
enum Path {
    Steps(&'static str),
    If(&'static str, &'static str, &'static str),
}

#[derive(Clone)]
enum Target {
    One(Path, &'static str),
    Any(Vec<Target>),
    If(&'static str, Box<Target>, Box<Target>),
}

/// A question, without the tuples that it brings.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) principal: String,
    pub(super) resource: String,
    pub(super) context: Json,
}

/// What paths lead to in one request.
pub(super) struct Truths<'a> {
    pub(super) stored: &'a BTreeMap<String, &'a Json>,
    pub(super) asked: &'a Asked,
}

const SUBJECTS: [&str; 8] = [
    "principal",
    "principal",
    "principal.boss",
    "resource.owner",
    "context.who",
    "User::\"a\"",
    "Group::\"b\"",
    "resource.getTag(\"t\")",
];
/// Users have no relations: asking one is a fact that fails.
const OBJECTS: [&str; 8] = [
    "resource",
    "resource",
    "principal.home",
    "context.at",
    "Doc::\"a\"",
    "Group::\"b\"",
    "resource.near",
    "principal",
];
const RELATIONS: [&str; 5] = ["r0", "r1", "r2", "r3", "parent"];
const PLAIN: [&str; 16] = [
    "true",
    "principal in Group::\"a\"",
    "principal in [Group::\"b\", Group::\"c\"]",
    "principal in Club::\"a\"",
    "resource in Group::\"a\"",
    "resource in [Group::\"b\", Doc::\"c\"]",
    "resource.near in Group::\"c\"",
    "principal.boss in principal.home",
    "principal is Guest",
    "resource has flag && resource.flag",
    "context has who",
    "context has p0 && context.p0",
    "resource.owner == principal",
    "principal has boss",
    "context.p1",
    "1 < 2",
];
const TESTS: [&str; 5] = [
    "context has who",
    "resource has flag && resource.flag",
    "principal in Group::\"a\"",
    "principal has boss",
    "context.p1",
];
const HEADS: [&str; 7] = [
    "principal, action, resource",
    "principal, action, resource",
    "principal in Group::\"a\", action, resource",
    "principal is User in Group::\"b\", action, resource",
    "principal, action, resource in Group::\"a\"",
    "principal, action, resource is Doc in Group::\"c\"",
    "principal in Club::\"a\", action, resource",
];
const IDS: [&str; 3] = ["a", "b", "c"];

pub(super) fn policy(dice: &mut Dice) -> Policy {
    let effect = if dice.chance(88) { "permit" } else { "forbid" };
    let number = dice.roll();
    Policy {
        id: format!("p{number:x}"),
        head: format!("{effect}({})", dice.pick(&HEADS)),
        condition: if dice.chance(30) {
            Condition::Plain(dice.pick(&PLAIN).to_owned())
        } else if dice.chance(40) {
            let fact = Condition::Fact(path(dice, &SUBJECTS), target(dice, 2));
            Condition::Both("||", Box::new(condition(dice, 2)), Box::new(fact))
        } else {
            condition(dice, 3)
        },
        unless: dice.chance(20),
    }
}

fn condition(dice: &mut Dice, depth: usize) -> Condition {
    let inner = |dice: &mut Dice| Box::new(condition(dice, depth - 1));
    match dice.below(if depth == 0 { 6 } else { 10 }) {
        0 | 1 => Condition::Plain(dice.pick(&PLAIN).to_owned()),
        2..=5 => Condition::Fact(path(dice, &SUBJECTS), target(dice, 2)),
        6 => Condition::Not(inner(dice)),
        7 => Condition::Both("&&", inner(dice), inner(dice)),
        8 => Condition::Both("||", inner(dice), inner(dice)),
        _ => Condition::If(inner(dice), inner(dice), inner(dice)),
    }
}

fn path(dice: &mut Dice, from: &[&'static str]) -> Path {
    let one = |dice: &mut Dice| from[dice.below(from.len())];
    if dice.chance(10) {
        let test = TESTS[dice.below(TESTS.len())];
        return Path::If(test, one(dice), one(dice));
    }
    Path::Steps(one(dice))
}

fn target(dice: &mut Dice, depth: usize) -> Target {
    let one = |dice: &mut Dice| Target::One(path(dice, &OBJECTS), RELATIONS[dice.below(RELATIONS.len())]);
    match dice.below(if depth == 0 { 1 } else { 8 }) {
        0..=5 => one(dice),
        6 => Target::Any((0..=dice.below(2)).map(|_| one(dice)).collect()),
        _ => {
            let test = TESTS[dice.below(TESTS.len())];
            Target::If(test, Box::new(target(dice, depth - 1)), Box::new(target(dice, depth - 1)))
        }
    }
}

impl Policy {
    /// As its author writes it; `shared` asks every fact of the principal.
    pub(super) fn text(&self, shared: bool) -> String {
        self.written(&self.condition.text(shared))
    }

    /// With the values that `ask` gives for subject, relation and object.
    pub(super) fn plain(&self, truths: &Truths<'_>, ask: &mut dyn FnMut(&str, &str, &str) -> Truth) -> String {
        self.written(&self.condition.plain(truths, ask))
    }

    fn written(&self, condition: &str) -> String {
        let word = if self.unless { "unless" } else { "when" };
        format!("@id(\"{}\") {} {word} {{ {condition} }};\n", self.id, self.head)
    }
}

impl Condition {
    fn text(&self, shared: bool) -> String {
        match self {
            Self::Plain(text) => format!("({text})"),
            Self::Not(inner) => format!("!({})", inner.text(shared)),
            Self::Both(operator, a, b) => format!("({} {operator} {})", a.text(shared), b.text(shared)),
            Self::If(test, a, b) => {
                format!("(if {} then {} else {})", test.text(shared), a.text(shared), b.text(shared))
            }
            Self::Fact(_, target) if shared => format!("(principal in {})", target.text()),
            Self::Fact(subject, target) => format!("({} in {})", subject.text(), target.text()),
        }
    }

    fn plain(&self, truths: &Truths<'_>, ask: &mut dyn FnMut(&str, &str, &str) -> Truth) -> String {
        match self {
            Self::Plain(text) => format!("({text})"),
            Self::Not(inner) => format!("!({})", inner.plain(truths, ask)),
            Self::Both(operator, a, b) => format!("({} {operator} {})", a.plain(truths, ask), b.plain(truths, ask)),
            Self::If(test, a, b) => {
                let (test, a, b) = (test.plain(truths, ask), a.plain(truths, ask), b.plain(truths, ask));
                format!("(if {test} then {a} else {b})")
            }
            Self::Fact(subject, target) => target.plain(subject, truths, ask),
        }
    }
}

impl Path {
    fn text(&self) -> String {
        match self {
            Self::Steps(path) => (*path).to_owned(),
            Self::If(test, a, b) => format!("(if {test} then {a} else {b})"),
        }
    }
}

impl Target {
    fn text(&self) -> String {
        match self {
            Self::One(object, relation) => format!("{}.rel.{relation}", object.text()),
            Self::Any(targets) => format!("[{}]", targets.iter().map(Self::text).collect::<Vec<_>>().join(", ")),
            Self::If(test, a, b) => format!("(if {test} then {} else {})", a.text(), b.text()),
        }
    }

    fn plain(&self, subject: &Path, truths: &Truths<'_>, ask: &mut dyn FnMut(&str, &str, &str) -> Truth) -> String {
        match (subject, self) {
            (Path::If(test, a, b), _) => {
                let (a, b) = (self.plain(&Path::Steps(a), truths, ask), self.plain(&Path::Steps(b), truths, ask));
                format!("(if {test} then {a} else {b})")
            }
            (_, Self::If(test, a, b)) => {
                format!("(if {test} then {} else {})", a.plain(subject, truths, ask), b.plain(subject, truths, ask))
            }
            (_, Self::Any(targets)) => {
                let each: Vec<String> = targets.iter().map(|target| target.plain(subject, truths, ask)).collect();
                format!("[{}].contains(true)", each.join(", "))
            }
            (_, Self::One(Path::If(test, a, b), relation)) => {
                let mut of = |path: &'static str| Self::One(Path::Steps(path), relation).plain(subject, truths, ask);
                let (a, b) = (of(a), of(b));
                format!("(if {test} then {a} else {b})")
            }
            (Path::Steps(subject), Self::One(Path::Steps(object), relation)) => {
                let ends = truths.at(subject).zip(truths.at(object));
                let value = match ends.map(|(subject, object)| ask(&subject, relation, &object)) {
                    Some(Truth::True) => "true",
                    // Of an end that is not there Cedar tells before the value is looked at.
                    Some(Truth::False) | None => "false",
                    Some(Truth::Unknown) => "context.fact_failed",
                };
                format!("(if {subject} == {subject} && {object} == {object} then {value} else {value})")
            }
        }
    }
}

impl Truths<'_> {
    /// The entity that a path leads to.
    fn at(&self, path: &str) -> Option<String> {
        let field = |uid: &str, part: &str, name: &str| Some(text_of(self.stored.get(uid)?.get(part)?.get(name)?));
        let from = |root: &str, rest: &str| match rest.strip_prefix("getTag(\"") {
            Some(tag) => field(root, "tags", tag.trim_end_matches("\")")),
            None => field(root, "attrs", rest),
        };
        match path.split_once('.') {
            Some(("principal", rest)) => from(&self.asked.principal, rest),
            Some(("resource", rest)) => from(&self.asked.resource, rest),
            Some(("context", name)) => self.asked.context.get(name).map(text_of),
            _ => Some(match path {
                "principal" => self.asked.principal.clone(),
                "resource" => self.asked.resource.clone(),
                literal => literal.to_owned(),
            }),
        }
    }
}

fn text_of(value: &Json) -> String {
    let entity = value.get("__entity").unwrap_or(value);
    format!("{}::\"{}\"", entity["type"].as_str().unwrap(), entity["id"].as_str().unwrap())
}

fn value(ty: &str, id: &str) -> Json {
    json!({"__entity": {"type": ty, "id": id}})
}

pub(super) fn uid_of(entity: &Json) -> String {
    text_of(&entity["uid"])
}

/// The parents of a row that stand beside tuples: those of types that are not linked, and all of a guest's.
pub(super) fn stored_parents(row: Option<&Json>) -> Vec<String> {
    let parents = row.and_then(|row| row["parents"].as_array()).into_iter().flatten();
    parents.map(text_of).collect()
}

/// Every entity that may be spoken of.
pub(super) fn universe() -> Vec<String> {
    let types = ["User", "Group", "Doc", "Club", "Guest"];
    let all = types.iter().flat_map(|ty| IDS.map(|id| format!("{ty}::\"{id}\"")));
    all.chain(["User::\"new\"".to_owned()]).collect()
}

pub(super) fn entities(dice: &mut Dice) -> Vec<Json> {
    let mut all = Vec::new();
    for ty in ["User", "Group", "Doc", "Guest"] {
        for id in IDS {
            if dice.chance(25) {
                continue;
            }
            let (mut attrs, mut tags, mut parents) = (json!({}), json!({}), Vec::new());
            let mut set = |dice: &mut Dice, name: &str, value: Json| {
                if dice.chance(70) {
                    attrs[name] = value;
                }
            };
            let (one, other) = (dice.pick(&IDS), dice.pick(&IDS));
            match ty {
                "User" => {
                    set(dice, "boss", value("User", one));
                    set(dice, "home", value("Group", other));
                }
                "Doc" => {
                    set(dice, "owner", value("User", one));
                    set(dice, "near", value("Group", other));
                    let flag = dice.chance(50);
                    set(dice, "flag", json!(flag));
                    if dice.chance(60) {
                        tags["t"] = value("User", one);
                    }
                }
                "Guest" => {
                    parents.push(json!({"type": "Group", "id": one}));
                    parents.push(json!({"type": "Club", "id": other}));
                }
                _ => {}
            }
            if ty == "User" && dice.chance(30) {
                parents.push(json!({"type": "Club", "id": one}));
            }
            all.push(json!({"uid": {"type": ty, "id": id}, "attrs": attrs, "tags": tags, "parents": parents}));
        }
    }
    all
}

pub(super) fn requests(dice: &mut Dice, n: usize) -> Vec<Asked> {
    let one = |dice: &mut Dice, types: &[&str]| format!("{}::\"{}\"", dice.pick(types), dice.pick(&IDS));
    let mut context = json!({});
    // The conditions of tuples read the same context, so the world's part of it is the same for all.
    for name in ["p0", "p1"] {
        if dice.chance(45) {
            context[name] = json!(dice.chance(75));
        }
    }
    (0..n)
        .map(|_| {
            let mut context = context.clone();
            if dice.chance(60) {
                context["who"] = value("User", dice.pick(&IDS));
            }
            if dice.chance(60) {
                context["at"] = value("Doc", dice.pick(&IDS));
            }
            let principal = match dice.below(10) {
                0 => "User::\"new\"".to_owned(),
                1 => one(dice, &["Group", "Guest"]),
                _ => one(dice, &["User"]),
            };
            Asked { principal, resource: one(dice, &["Doc", "Doc", "Doc", "Group"]), context }
        })
        .collect()
}
