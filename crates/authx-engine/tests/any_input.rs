//! What must hold of any input, of seeds that are changed at random: the same in every run. `fuzz/` asks more of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, clippy::needless_pass_by_value, reason = "the library of the fuzz targets")]
mod hold;

/// `SplitMix64` (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n.max(1) as u64).unwrap()
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// The words of one of libFuzzer's dictionaries.
fn words(dictionary: &str) -> Vec<Vec<u8>> {
    let quoted = dictionary.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
    quoted.map(unescaped).collect()
}

fn unescaped(word: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), word.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match (byte, if byte == b'\\' { rest.next() } else { None }) {
            (_, Some(b'x')) => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            (_, Some(escaped)) => escaped,
            (plain, None) => plain,
        });
    }
    bytes
}

/// One seed, changed in a few places: bits, words put in or over, pieces left out, doubled or taken from another seed.
fn changed(random: &mut Random, seeds: &[&str], words: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = random.of(seeds).as_bytes().to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = (at + 1 + random.below(16)).min(bytes.len());
        match random.below(6) {
            0 if at < end => bytes[at] ^= 1 << random.below(8),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let piece = bytes[at..end].to_vec();
                let to = random.below(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            3 => {
                let other = random.of(seeds).as_bytes();
                let from = random.below(other.len());
                let to = (from + random.below(64)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            4 => drop(bytes.splice(at..end, random.of(words).iter().copied())),
            _ => drop(bytes.splice(at..at, random.of(words).iter().copied())),
        }
    }
    bytes
}

/// Says which input it was when something does not hold.
fn check(hold: fn(&[u8]), input: &[u8]) {
    let held = std::panic::catch_unwind(|| hold(input));
    assert!(held.is_ok(), "does not hold of b\"{}\"", input.escape_ascii());
}

fn all(hold: fn(&[u8]), seeds: &[&str], dictionary: &str, many: usize) {
    let words = words(dictionary);
    seeds.iter().for_each(|seed| check(hold, seed.as_bytes()));
    let mut random = Random(17);
    for _ in 0..many {
        check(hold, &changed(&mut random, seeds, &words));
    }
}

/// `all` with the seeds and the dictionary of a target.
macro_rules! any {
    ($target:ident, $many:expr, $($seed:literal),+) => {
        #[test]
        fn $target() {
            let seeds = [$(include_str!(concat!("../../../fuzz/seeds/", stringify!($target), "/", $seed))),+];
            let dictionary = include_str!(concat!("../../../fuzz/dictionaries/", stringify!($target), ".dict"));
            all(hold::$target::hold, &seeds, dictionary, $many);
        }
    };
}

any!(model_dsl, 20_000, "documents.fga", "module.fga");
any!(model_json, 20_000, "documents.json");
any!(tuple_text, 20_000, "tuples");
any!(condition, 20_000, "parameters", "times", "texts");
any!(request_json, 20_000, "check.json", "short.json");
// The parser of policies and schemas is slower than all of AuthX's own.
any!(policy_text, 2_000, "strict", "json_schema");

#[test]
fn relations() {
    let mut random = Random(19);
    for _ in 0..5_000 {
        let length = random.below(200);
        let input: Vec<u8> = (0..length).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
        check(hold::relations::hold, &input);
    }
}
