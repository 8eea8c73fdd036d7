//! Numbers: conversions that say when they do not fit, order across types, and their texts.

use std::cmp::Ordering;

const INT_LIMIT: f64 = 9_223_372_036_854_775_808.0;
const UINT_LIMIT: f64 = 18_446_744_073_709_551_616.0;

#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Int(i64),
    Uint(u64),
    Double(f64),
}

impl Number {
    fn whole(self) -> Result<i128, f64> {
        match self {
            Self::Int(n) => Ok(n.into()),
            Self::Uint(n) => Ok(n.into()),
            Self::Double(d) => Err(d),
        }
    }
}

/// `None` when one of them is not a number. Exact: an int is not rounded to a double first.
pub(super) fn compare(left: Number, right: Number) -> Option<Ordering> {
    match (left.whole(), right.whole()) {
        (Ok(a), Ok(b)) => Some(a.cmp(&b)),
        (Err(a), Err(b)) => a.partial_cmp(&b),
        (Ok(a), Err(b)) => compare_to_double(a, b),
        (Err(a), Ok(b)) => compare_to_double(b, a).map(Ordering::reverse),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "what does not fit becomes the smallest or largest, beyond any int"
)]
fn compare_to_double(whole: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    let floor = double.floor() as i128;
    Some(whole.cmp(&floor).then(if double > double.floor() { Ordering::Less } else { Ordering::Equal }))
}

/// Towards zero.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
pub(super) fn double_to_int(double: f64) -> Option<i64> {
    (-INT_LIMIT..INT_LIMIT).contains(&double).then_some(double as i64)
}

/// Towards zero.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
pub(super) fn double_to_uint(double: f64) -> Option<u64> {
    (double > -1.0 && double < UINT_LIMIT).then_some(double as u64)
}

#[expect(clippy::cast_precision_loss, reason = "the nearest double is what the conversion means")]
pub(super) fn int_to_double(int: i64) -> f64 {
    int as f64
}

#[expect(clippy::cast_precision_loss, reason = "the nearest double is what the conversion means")]
pub(super) fn uint_to_double(uint: u64) -> f64 {
    uint as f64
}

/// A whole number of a context: `12`, `-3`, `10.0`, `1e3`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what does not fit becomes the smallest or largest, beyond any int"
)]
pub(super) fn parse_whole(text: &str) -> Option<i128> {
    if let Ok(whole) = text.parse() {
        return Some(whole);
    }
    if let Some((whole, fraction)) = text.split_once('.')
        && !fraction.is_empty()
        && fraction.bytes().all(|b| b == b'0')
    {
        return whole.parse().ok();
    }
    let double = parse_decimal(text)?;
    (double.fract() == 0.0).then_some(double as i128)
}

/// A number of a context: decimal and finite.
pub(super) fn parse_decimal(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let numeric = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    numeric.then(|| text.parse().ok()).flatten().filter(|number: &f64| number.is_finite())
}

/// The shortest text that reads back as the same double, with an exponent when that is far from zero.
pub(super) fn double_text(double: f64) -> String {
    if double.is_nan() {
        return "NaN".to_owned();
    }
    if double.is_infinite() {
        return if double > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{double:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{double}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}
