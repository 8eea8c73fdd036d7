//! Random policies, entities and requests that meet one another often.

use serde_json::{Value as Json, json};

pub(super) use super::super::world::Dice;

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
        let condition = self.condition.text(shared);
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
}

fn value(ty: &str, id: &str) -> Json {
    json!({"__entity": {"type": ty, "id": id}})
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
