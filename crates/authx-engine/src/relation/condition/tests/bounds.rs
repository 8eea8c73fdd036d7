//! No expression and no context takes the process down or holds it up.

use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json, json};

use super::{compile, object, outcome};
use crate::relation::condition::syntax::MAX_EXPRESSION;
use crate::relation::condition::{MAX_COST, Outcome};

/// What nothing takes, however busy the machine: a bound on hangs, not on speed.
const HANG: Duration = Duration::from_secs(20);

const PARAMETERS: &str = "x: int, s: string, l: list<string>, m: map<any>, a: any, t: timestamp, d: duration, \
                          ip: ipaddress, b: bool, u: uint, f: double";

fn context() -> Json {
    json!({
        "x": 5, "s": "hello wörld", "l": ["a", "b", "10.0.0.0/8"], "m": {"k": [1, {"n": null}], "s": "v"},
        "a": {"deep": [true, 2.5]}, "t": "2024-02-29T12:00:00Z", "d": "90m", "ip": "10.0.0.1", "b": true, "u": 7, "f": 0.5,
    })
}

#[test]
fn deep_and_long_expressions_are_refused() {
    let deep = 100_000;
    let texts = [
        "(".repeat(deep),
        "[".repeat(deep),
        "{1:".repeat(deep),
        "!".repeat(deep),
        "-".repeat(deep),
        format!("a{}", ".a".repeat(deep)),
        format!("1{}", "+1".repeat(10_000)),
        "true ? ".repeat(deep),
        "size(".repeat(deep),
        format!("x{}", "[0]".repeat(deep)),
        "((((".repeat(MAX_EXPRESSION / 4),
        format!("a{} == 1", ".a".repeat(MAX_EXPRESSION / 2 - 5)),
        format!("1{} == 1", "+1".repeat(MAX_EXPRESSION / 2 - 5)),
        "a?".repeat(MAX_EXPRESSION / 2),
        "true?true:".repeat(MAX_EXPRESSION / 10),
        "l.all(x,".repeat(MAX_EXPRESSION / 8),
        "1==".repeat(MAX_EXPRESSION / 3),
    ];
    for text in texts {
        assert!(compile(&text, PARAMETERS).is_err(), "{}", text.get(..20).unwrap_or(""));
    }
}

#[test]
fn long_chains_and_many_signs_are_fine() {
    let or = vec!["x == 1"; 800].join(" || ");
    assert_eq!(outcome(&or, "x: int", json!({"x": 2})), Outcome::False);
    assert_eq!(outcome(&format!("{}b", "!".repeat(8000)), "b: bool", json!({"b": true})), Outcome::True);
    let nested = format!("{}true{}", "(".repeat(60), ")".repeat(60));
    assert_eq!(outcome(&nested, "", json!({})), Outcome::True);
}

#[test]
fn the_deepest_expression_needs_little_stack() {
    let run = || {
        let nested = format!("{}b{}", "[b || b && !(".repeat(25), ")][0]".repeat(25));
        assert_eq!(outcome(&nested, "b: bool", json!({"b": false})), Outcome::False);
        let sum = format!("1{} == 1", " + 1".repeat(120));
        assert_eq!(outcome(&sum, "", json!({})), Outcome::False);
        let macros = format!("{}b{}", "[1].all(x, ".repeat(60), ")".repeat(60));
        assert_eq!(outcome(&macros, "b: bool", json!({"b": true})), Outcome::True);
    };
    let thread = std::thread::Builder::new().stack_size(512 * 1024).spawn(run).unwrap();
    thread.join().unwrap();
}

fn fails_over_budget(expression: &str, parameters: &str, context: Json) {
    let started = Instant::now();
    let expected = Outcome::Failed(format!("the evaluation takes more than {MAX_COST} steps"));
    assert_eq!(outcome(expression, parameters, context), expected, "{expression}");
    assert!(started.elapsed() < HANG, "{expression}: {:?}", started.elapsed());
}

#[test]
fn work_is_bounded() {
    let items: Vec<u32> = (0..500).collect();
    let list = json!({ "l": items });
    fails_over_budget("l.all(a, l.all(b, a + b >= 0))", "l: list<int>", list.clone());
    fails_over_budget("l.exists(a, l.exists(b, a + b < 0)) || true", "l: list<int>", list.clone());
    fails_over_budget("l.map(a, l).map(b, b.map(c, l)).size() == 1", "l: list<int>", list.clone());
    fails_over_budget("(l + l + l + l + l + l + l + l + l + l + l + l + l + l).size() == 0", "l: list<int>", list);
    let long = json!({"s": "a".repeat(80_000)});
    fails_over_budget("(s + s + s + s).size() == 1", "s: string", long.clone());
    fails_over_budget("s == s && s == s", "s: string", long.clone());
    fails_over_budget("s.matches('(a|aa)+$') && s.matches('^(a|aa)+b')", "s: string", long.clone());
    fails_over_budget("s.contains('b') || s.contains('c') || size(s) == 1", "s: string", long);
    let many: Vec<u32> = (0..20_000).collect();
    fails_over_budget("x == 1 || true", "x: int, l: list<int>", json!({"x": 1, "l": many}));
    let patterns: Vec<String> = (0..100).map(|n| format!("a{n}")).collect();
    fails_over_budget("l.exists(p, 'x'.matches(p))", "l: list<string>", json!({ "l": patterns }));
}

#[test]
fn large_patterns_are_refused() {
    for pattern in ["(\\\\pL{1000}){1000}", "((a{100}){100}){100}", "\\\\pL{200}"] {
        assert!(compile(&format!("s.matches('{pattern}')"), "s: string").is_err(), "{pattern}");
    }
    let many = vec!["s.matches('a')"; 17].join(" || ");
    assert!(compile(&many, "s: string").is_err());
    for pattern in ["^[\\\\w.+-]+@([a-z0-9-]+\\\\.)+[a-z]{2,}$", "\\\\p{L}+", "^(?i)[a-z]{1,63}$"] {
        assert!(compile(&format!("s.matches('{pattern}')"), "s: string").is_ok(), "{pattern}");
    }
}

#[test]
fn values_nested_too_deep_are_not_compared() {
    let mut deep = json!(1);
    for _ in 0..500 {
        deep = json!([deep]);
    }
    let found = outcome("a == a", "a: any", json!({ "a": deep }));
    assert_eq!(found, Outcome::Failed("the values are nested too deep to be compared".to_owned()));
}

/// A small generator of its own: the same texts in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % end.max(1)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from.get(self.below(from.len())).copied().unwrap_or("")
    }
}

const PIECES: [&str; 60] = [
    "x",
    "s",
    "l",
    "m",
    "a",
    "t",
    "d",
    "ip",
    "b",
    "u",
    "f",
    "1",
    "0",
    "-",
    "+",
    "*",
    "/",
    "%",
    "!",
    "&&",
    "||",
    "==",
    "!=",
    "<",
    ">=",
    " in ",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ".",
    ",",
    "?",
    ":",
    "\"",
    "'",
    "\\",
    "true",
    "null",
    "1.5",
    "9223372036854775807",
    "1u",
    "size(",
    ".all(v,",
    ".map(v, ",
    ".exists(v, ",
    "has(",
    ".matches(",
    "'(a+)+$'",
    "timestamp(",
    "duration('1h')",
    ".getHours(",
    "dyn(",
    "string(",
    "b'\\xff'",
    "é",
    "//",
    "ipaddress(",
];

fn mutated(random: &mut Random, seed: &str) -> String {
    let mut text: Vec<char> = seed.chars().collect();
    for _ in 0..=random.below(2) {
        let at = random.below(text.len() + 1);
        match random.below(4) {
            0 => {
                let end = (at + 1 + random.below(4)).min(text.len());
                text.drain(at..end);
            }
            1 => {
                let end = (at + 1 + random.below(12)).min(text.len());
                let copy: Vec<char> = text.get(at..end).unwrap_or_default().to_vec();
                let to = random.below(text.len() + 1);
                text.splice(to..to, copy);
            }
            _ => {
                text.splice(at..at, random.pick(&PIECES).chars());
            }
        }
    }
    text.into_iter().collect()
}

#[test]
fn mutated_expressions_neither_panic_nor_hang() {
    let table: Vec<&str> = include_str!("cases.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(" ;; ").nth(1))
        .collect();
    let context = object(context());
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut compiled = 0;
    for _ in 0..20_000 {
        let seed = if random.below(8) == 0 {
            (0..random.below(12)).map(|_| random.pick(&PIECES)).collect()
        } else {
            random.pick(&table).to_owned()
        };
        let text = mutated(&mut random, &seed);
        let started = Instant::now();
        if let Ok(condition) = compile(&text, PARAMETERS) {
            compiled += 1;
            let first = condition.evaluate(&context, &Map::new(), MAX_COST);
            assert!(first.cost <= MAX_COST, "{text}: {first:?}");
            assert_eq!(first, condition.evaluate(&Map::new(), &context, MAX_COST), "{text}");
        }
        assert!(started.elapsed() < HANG, "{text}: {:?}", started.elapsed());
    }
    assert!(compiled > 1000, "only {compiled} compiled");
}
