//! Random worlds: entities, policies and requests that meet one another often.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

/// A small, seeded source of randomness (splitmix64), so that a failure names its seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.roll() % n as u64) as usize
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

pub(crate) const SCHEMA: &str = r#"
    entity User, Group, Folder, Doc;
    namespace App { entity Bot; }
    action "any";
    action "look" in ["any"];
    action "edit" in ["any"];
    action "read" in ["look"] appliesTo { principal: [User], resource: [Doc] };
    action "list" in ["look"] appliesTo { principal: [User], resource: [Doc] };
    action "write" in ["edit"] appliesTo { principal: [User], resource: [Doc] };
    action "share" in ["edit", "look"] appliesTo { principal: [User], resource: [Doc] };
"#;

pub(crate) const ACTIONS: [(&str, &[&str]); 7] = [
    ("any", &[]),
    ("look", &["any"]),
    ("edit", &["any"]),
    ("read", &["look"]),
    ("list", &["look"]),
    ("write", &["edit"]),
    ("share", &["edit", "look"]),
];

const USERS: [&str; 6] =
    ["User::\"u0\"", "User::\"u1\"", "User::\"u2\"", "User::\"u3\"", "App::Bot::\"b0\"", "User::\"ghost\""];
const GROUPS: [&str; 5] = ["Group::\"g0\"", "Group::\"g1\"", "Group::\"g2\"", "Group::\"g3\"", "Group::\"none\""];
const FOLDERS: [&str; 5] = ["Folder::\"f0\"", "Folder::\"f1\"", "Folder::\"f2\"", "Folder::\"f3\"", "Folder::\"none\""];
const DOCS: [&str; 6] =
    ["Doc::\"d0\"", "Doc::\"d1\"", "Doc::\"d2\"", "Doc::\"d3\"", "Doc::\"ghost\"", "Folder::\"f1\""];

fn uid(text: &str) -> Json {
    let (ty, id) = text.split_once("::\"").unwrap();
    json!({"type": ty, "id": id.trim_end_matches('"')})
}

fn reference(text: &str) -> Json {
    json!({"__entity": uid(text)})
}

/// Entities as Cedar's JSON, action entities apart.
pub(crate) fn entities(dice: &mut Dice) -> Vec<Json> {
    let mut out = Vec::new();
    let mut put = |name: &str, attrs: Json, parents: Vec<&str>, tags: Json| {
        let parents: Vec<Json> = parents.into_iter().map(uid).collect();
        out.push(json!({"uid": uid(name), "attrs": attrs, "parents": parents, "tags": tags}));
    };
    // Parents point only to higher numbers, so there is no cycle.
    let above = |dice: &mut Dice, from: &[&'static str], i: usize| -> Vec<&'static str> {
        (i + 1..4).filter(|_| dice.chance(50)).map(|j| from[j]).collect()
    };
    for i in 0..4 {
        let parents = above(dice, &GROUPS, i);
        put(GROUPS[i], json!({"level": dice.below(4)}), parents, json!({}));
        let parents = above(dice, &FOLDERS, i);
        let owner = dice.pick(&USERS);
        put(FOLDERS[i], json!({"owner": reference(owner), "level": dice.below(4)}), parents, json!({"kind": "folder"}));
    }
    for name in USERS.iter().take(5) {
        let mut attrs = json!({"level": dice.below(5), "name": dice.pick(&["ann", "bob", "cy"])});
        if dice.chance(80) {
            attrs["manager"] = reference(dice.pick(&USERS));
        }
        if dice.chance(50) {
            attrs["home"] = json!({"folder": reference(dice.pick(&FOLDERS)), "rooms": [1, 2, dice.below(4)]});
        }
        let parents = (0..4).filter(|_| dice.chance(30)).map(|i| GROUPS[i]).collect();
        let tags = if dice.chance(60) { json!({"t1": "x", "boss": "bob"}) } else { json!({"t2": "y"}) };
        put(name, attrs, parents, tags);
    }
    for name in DOCS.iter().take(4) {
        let mut attrs =
            json!({"level": dice.below(5), "readers": [reference(dice.pick(&USERS)), reference(dice.pick(&USERS))]});
        if dice.chance(80) {
            attrs["owner"] = reference(dice.pick(&USERS));
        }
        if dice.chance(50) {
            attrs["public"] = json!(dice.chance(50));
        }
        attrs["key"] = json!(dice.pick(&["t1", "t2", "boss"]));
        attrs["network"] = json!({"__extn": {"fn": "ip", "arg": dice.pick(&["10.0.0.0/8", "192.168.0.0/16"])}});
        let parents = (0..4).filter(|_| dice.chance(35)).map(|i| FOLDERS[i]).collect();
        put(name, attrs, parents, json!({"t1": "x"}));
    }
    out
}

/// One policy or template, with or without a condition.
pub(crate) fn policy(dice: &mut Dice, template: bool) -> String {
    let mut text = String::new();
    if dice.chance(20) {
        text.push_str("@advice(\"ask for access\")\n");
    }
    text.push_str(if dice.chance(24) { "forbid" } else { "permit" });
    let slots = if template { 1 + dice.below(3) } else { 0 };
    let principal = side(dice, "principal", &USERS, &GROUPS, &["User", "App::Bot", "Group"], slots & 1 > 0);
    let resource = side(dice, "resource", &DOCS, &FOLDERS, &["Doc", "Folder"], slots & 2 > 0);
    let action = match dice.below(6) {
        0 | 1 => "action".to_owned(),
        2 => format!("action == Action::\"{}\"", dice.pick(&["read", "write", "share", "look"])),
        3 => format!("action in Action::\"{}\"", dice.pick(&["any", "look", "edit", "read"])),
        4 => "action in [Action::\"look\", Action::\"edit\"]".to_owned(),
        _ => "action in [Action::\"read\", Action::\"share\", Action::\"read\"]".to_owned(),
    };
    write!(text, "({principal}, {action}, {resource})").unwrap();
    for _ in 0..dice.below(3) {
        let depth = 1 + dice.below(3);
        let condition = boolean(dice, depth);
        write!(text, "\n{} {{ {condition} }}", if dice.chance(75) { "when" } else { "unless" }).unwrap();
    }
    text.push(';');
    text
}

fn side(dice: &mut Dice, name: &str, exact: &[&str], above: &[&str], types: &[&str], slot: bool) -> String {
    let target = |dice: &mut Dice, from: &[&str]| if slot { format!("?{name}") } else { dice.pick(from).to_owned() };
    let kind = if slot { 2 + dice.below(3) } else { dice.below(7) };
    match kind {
        0 | 5 | 6 => name.to_owned(),
        1 => format!("{name} is {}", dice.pick(types)),
        2 => format!("{name} == {}", target(dice, exact)),
        3 if dice.chance(25) => format!("{name} in {}", target(dice, exact)),
        3 => format!("{name} in {}", target(dice, above)),
        _ => format!("{name} is {} in {}", dice.pick(types), target(dice, above)),
    }
}

fn entity(dice: &mut Dice, depth: usize) -> String {
    match dice.below(if depth == 0 { 5 } else { 11 }) {
        0 | 1 => "principal".to_owned(),
        2 | 3 => "resource".to_owned(),
        4 => dice.pick(&USERS).to_owned(),
        5 => format!("{}.manager", entity(dice, depth - 1)),
        6 => format!("{}.owner", entity(dice, depth - 1)),
        7 => "context.who".to_owned(),
        8 => "context.deep.who".to_owned(),
        9 => format!(
            "(if {} then {} else {})",
            boolean(dice, depth - 1),
            entity(dice, depth - 1),
            entity(dice, depth - 1)
        ),
        _ => format!("{{a: {}, b: 1}}.a", entity(dice, depth - 1)),
    }
}

pub(crate) fn boolean(dice: &mut Dice, depth: usize) -> String {
    if depth > 0 && dice.chance(55) {
        let (a, b) = (boolean(dice, depth - 1), boolean(dice, depth - 1));
        return match dice.below(5) {
            0 | 1 => format!("({a} && {b})"),
            2 => format!("({a} || {b})"),
            3 => format!("!({a})"),
            _ => format!("(if {a} then {b} else {})", boolean(dice, depth - 1)),
        };
    }
    let e = entity(dice, depth);
    match dice.below(22) {
        0 | 1 => format!("{e} in {}", dice.pick(&GROUPS)),
        2 => format!("{e} in {}", dice.pick(&FOLDERS)),
        3 => format!("{e} in [{}, {}]", dice.pick(&GROUPS), dice.pick(&FOLDERS)),
        4 => format!("{e} in {}", entity(dice, depth)),
        5 => format!("{e} == {}", entity(dice, depth)),
        6 => format!("{e}.level > {}", dice.below(4)),
        7 => format!("{e} has level && {e}.level >= {}", dice.below(4)),
        8 => format!("{e} has manager.manager.level"),
        9 => format!("{e} has owner"),
        10 => format!("resource.readers.contains({e})"),
        11 => format!("{e}.hasTag(\"t1\")"),
        12 => format!("{e}.hasTag(\"t1\") && {e}.getTag(\"t1\") == \"x\""),
        13 => format!("{e}.getTag(resource.key) == \"bob\""),
        14 => format!("{e} is {}", dice.pick(&["User", "Doc", "App::Bot"])),
        15 => "ip(context.address).isInRange(resource.network)".to_owned(),
        16 => format!("{e}.name like \"{}*\"", dice.pick(&["a", "b"])),
        17 => format!("9223372036854775807 + {e}.level > 0"),
        18 => format!("{e}.home.folder in {}", dice.pick(&FOLDERS)),
        19 => format!("{e}.home.rooms.containsAny([3, 7])"),
        20 => format!("context.n {} {}", dice.pick(&["<", ">", "=="]), dice.below(4)),
        _ => dice
            .pick(&["true", "context.flag", "action in Action::\"edit\"", "resource.public", "1 == \"one\""])
            .to_owned(),
    }
}

/// A request: principal, action, resource as Cedar text, and a context.
pub(crate) fn request(dice: &mut Dice) -> (String, String, String, Json) {
    let mut context = json!({"n": dice.below(4), "deep": {"who": reference(dice.pick(&USERS))}});
    if dice.chance(80) {
        context["who"] = reference(dice.pick(&USERS));
    }
    if dice.chance(80) {
        context["flag"] = json!(dice.chance(60));
    }
    context["address"] = json!(dice.pick(&["10.1.2.3", "192.168.1.1", "8.8.8.8", "no address"]));
    let action = dice.pick(&["read", "read", "list", "write", "share", "look", "unknown"]);
    (dice.pick(&USERS).to_owned(), format!("Action::\"{action}\""), dice.pick(&DOCS).to_owned(), context)
}

/// The values for a template's slots.
pub(crate) fn slot_values(dice: &mut Dice) -> (&'static str, &'static str) {
    let principal = if dice.chance(50) { dice.pick(&USERS) } else { dice.pick(&GROUPS) };
    let resource = if dice.chance(50) { dice.pick(&DOCS) } else { dice.pick(&FOLDERS) };
    (principal, resource)
}
