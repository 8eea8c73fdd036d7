//! Texts that mean harm: nothing panics, nothing takes long.

use std::time::{Duration, Instant};

use super::random::model;
use crate::relation::tests::world::Random;
use crate::relation::{MAX_TEXT, model_from_json, model_to_json, parse, parse_module, print, validate};

/// Reads and judges `text`, which must not take long.
fn survive(text: &str) {
    let mut problems = Vec::new();
    let taken = taken(|| {
        problems = match parse(text, None) {
            Ok(model) => validate(&model),
            Err(problems) => problems,
        };
    });
    assert!(taken < HANG, "{taken:?} for {} bytes, {} problems: {text:.80}", text.len(), problems.len());
    assert!(problems.len() <= 100);
}

/// What nothing takes, however busy the machine: a bound on hangs, not on speed.
const HANG: Duration = Duration::from_secs(20);

fn taken(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

#[test]
fn twenty_thousand_mutations() {
    let mut random = Random(11);
    for round in 0..20_000 {
        let mut bytes = print(&model(&mut random)).into_bytes();
        if round % 4 == 0 {
            bytes.splice(..bytes.iter().position(|b| *b == b'1').unwrap_or(0), *b"module x");
        }
        for _ in 0..=random.below(4) {
            let place = random.below(bytes.len());
            match random.below(5) {
                0 => bytes[place] ^= 1 << random.below(8),
                1 => bytes.truncate(place.max(1)),
                2 => bytes[place] = *random.pick(b"#[](){}<>,:*\n\r\t \"'/\\.-_@1a"),
                3 => {
                    let end = bytes.len().min(place + random.below(40));
                    let again = bytes[place..end].to_vec();
                    bytes.splice(place..place, again);
                }
                _ => {
                    bytes.remove(place);
                    if bytes.is_empty() {
                        bytes.push(b'x');
                    }
                }
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        survive(&text);
        assert!(taken(|| drop(parse_module(&text, "a.fga"))) < HANG);
    }
}

#[test]
fn mutated_json() {
    let mut random = Random(13);
    for _ in 0..5_000 {
        let mut bytes = model_to_json(&model(&mut random)).to_string().into_bytes();
        for _ in 0..=random.below(3) {
            let place = random.below(bytes.len());
            bytes[place] = *random.pick(b"{}[]\",:0ntu");
        }
        let Ok(value) = serde_json::from_slice(&bytes) else { continue };
        if let Ok(model) = model_from_json(&value) {
            let _ = (validate(&model), print(&model));
        }
    }
}

fn filled(head: &str, each: impl Fn(usize) -> String, tail: &str) -> String {
    let mut text = head.to_owned();
    for place in 0.. {
        let more = each(place);
        if text.len() + more.len() + tail.len() > MAX_TEXT {
            break;
        }
        text.push_str(&more);
    }
    text.push_str(tail);
    text
}

#[test]
fn large_texts_take_no_longer_than_they_must() {
    let head = "model\n  schema 1.1\ntype t\n  relations\n    define ";
    let half = |each: &str| each.repeat(MAX_TEXT / 2 / each.len() - 100);
    for text in [
        "(".repeat(MAX_TEXT),
        "#\n".repeat(MAX_TEXT / 2),
        "\n".repeat(MAX_TEXT),
        filled(&format!("{head}a: "), |_| "(".to_owned(), ""),
        filled(&format!("{head}a: [t]"), |_| " or t".to_owned(), "\n"),
        filled(&format!("{head}a: [t"), |_| ",t".to_owned(), "]\n"),
        filled(&format!("{head}a: [t"), |n| format!(",t{n}"), "]\n"),
        // Everything is asked for again and again.
        format!("{head}a: [t{}]\n    define b: a from a{}\n", half(",t"), half(" or b from a")),
        format!("{head}p: [t]\n    define a: [t] or a from p{}\n", half(" or a from p")),
        // A chain from back to front, and one relation that needs all of it.
        filled(&format!("{head}x: [t]"), |n| format!("\n    define a{n}: a{}", n + 1), "\n"),
        filled(&format!("{head}x: [t]"), |n| format!("\n    define a{n}: a{} or a{}", n + 1, n + 2), "\n"),
        all_of_a_chain(),
        // Long names in many messages.
        filled(&format!("{head}x: [t]\ntype {}\n  relations", half("t")), |n| format!("\n define a{n}: b"), "\n"),
        filled("model\n  schema 1.1\n", |n| format!("type t{n}\n"), ""),
        filled("model\n  schema 1.1\ntype t\ncondition c(x: int) {", |_| "{".to_owned(), ""),
        filled("model\n  schema 1.1\ntype t\ncondition c(x: int) {", |_| " \n".to_owned(), "}"),
        filled("model\n  schema 1.1\ntype t\ncondition c(x: int) {", |_| "'a'//\n".to_owned(), "}"),
        filled("model\n  schema 1.1\n", |_| "condition c(x: int) {\n".to_owned(), ""),
    ] {
        survive(&text);
    }
    assert!(parse(&"a".repeat(MAX_TEXT + 1), None).unwrap_err()[0].code == "model_too_large");
}

fn all_of_a_chain() -> String {
    let count = 6_000;
    let mut text = "model\n  schema 1.1\ntype u\ntype t\n  relations\n".to_owned();
    let all: Vec<String> = (0..count).map(|n| format!("a{n}")).collect();
    text.push_str(&format!("    define all: {}\n", all.join(" and ")));
    for n in 0..count {
        text.push_str(&format!("    define a{n}: a{}\n", n + 1));
    }
    text.push_str(&format!("    define a{count}: [u]\n"));
    assert!(text.len() <= MAX_TEXT);
    text
}

#[test]
fn parentheses_nest_so_deep() {
    let nested = |depth: usize| {
        format!("model\n  schema 1.1\ntype t\n  relations\n    define a: {}b{}\n", "(".repeat(depth), ")".repeat(depth))
    };
    assert!(parse(&nested(64), None).is_ok());
    let problems = parse(&nested(65), None).unwrap_err();
    assert_eq!(problems[0].message, "parentheses nest at most 64 deep");
}
