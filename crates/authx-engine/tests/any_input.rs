//! What must hold of any input, of seeds that are changed at random: the same in every run. `fuzz/` asks more of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

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

/// Where a text may be cut: anywhere, between words, or behind what ends a line or an item.
fn cuts(text: &[u8], random: &mut Random) -> Vec<usize> {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let how = random.below(5);
    let cut = |at: &usize| match (how, text.get(at.wrapping_sub(1)), text.get(*at)) {
        (_, None, _) | (_, _, None) | (0, ..) => true,
        (1 | 2, Some(before), Some(after)) => word(before) != word(after),
        (_, Some(before), Some(_)) => b"\n,;".contains(before),
    };
    (0..=text.len()).filter(cut).collect()
}

/// One piece of a text, between two of its cuts.
fn piece(text: &[u8], random: &mut Random) -> std::ops::Range<usize> {
    let cuts = cuts(text, random);
    let first = random.below(cuts.len());
    cuts[first]..cuts[(first + 1).min(cuts.len() - 1)]
}

/// One seed, changed in a few places: pieces left out, doubled, or taken from a seed or from the dictionary.
fn changed(random: &mut Random, seeds: &[&str], words: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = random.of(seeds).as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        let place = piece(&bytes, random);
        let other = random.of(seeds).as_bytes();
        let from = piece(other, random);
        let with = match random.below(5) {
            0 => Vec::new(),
            1 => bytes[place.clone()].repeat(2),
            2 => random.of(words).clone(),
            3 => other[from].to_vec(),
            _ => bytes[place.clone()].iter().map(|byte| byte ^ u8::from(random.below(8) == 0)).collect(),
        };
        bytes.splice(place, with);
    }
    bytes
}

/// Says which input it was when something does not hold.
fn check(hold: fn(&[u8]) -> bool, input: &[u8]) -> bool {
    let said = std::panic::catch_unwind(|| hold(input));
    said.unwrap_or_else(|_| panic!("does not hold of b\"{}\"", input.escape_ascii()))
}

/// Most inputs are broken; enough of them must be whole.
fn all(hold: fn(&[u8]) -> bool, seeds: &[&str], dictionary: &str, many: usize) {
    for seed in seeds {
        assert!(check(hold, seed.as_bytes()), "a seed is broken: {seed}");
    }
    let dictionary = words(dictionary);
    let mut random = Random(17);
    let whole = (0..many).filter(|_| check(hold, &changed(&mut random, seeds, &dictionary))).count();
    println!("{whole} of {many} were well-formed");
    assert!(whole * 20 >= many, "only {whole} of {many} were well-formed");
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
any!(policy_text, 300, "strict", "json_schema");

#[test]
fn relations() {
    let mut random = Random(19);
    for _ in 0..5_000 {
        let length = random.below(200);
        let input: Vec<u8> = (0..length).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
        assert!(check(hold::relations::hold, &input));
    }
}
