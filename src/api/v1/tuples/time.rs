//! Times as clients write them: RFC 3339.

use authx_engine::InputProblem;

use crate::ids::Timestamp;

/// Reads `2030-01-31T12:00:00Z`, with a fraction of a second and an offset from UTC where there are any. What is finer
/// than a millisecond is cut off; a leap second is the second after it.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let (date, rest) = bytes.split_first_chunk::<10>()?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *date else { return None };
    let (clock, rest) = rest.split_first_chunk::<9>()?;
    let [b'T' | b't' | b' ', h1, h2, b':', n1, n2, b':', s1, s2] = *clock else { return None };
    let (year, month, day) = (number(&[y1, y2, y3, y4])?, number(&[m1, m2])?, number(&[d1, d2])?);
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[n1, n2])?, number(&[s1, s2])?);
    let valid = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !valid || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (millis, zone) = fraction(rest)?;
    let seconds = (days_since_1970(year, month, day) * 24 + hour) * 3600 + minute * 60 + second - offset(zone)?;
    Some(Timestamp::from_millis(seconds * 1000 + millis))
}

/// What is wrong with a time that cannot be read.
pub(crate) fn problem(pointer: &str, text: &str) -> InputProblem {
    let message = format!("`{text}` is no time: write `2030-01-31T12:00:00Z`");
    InputProblem { pointer: pointer.to_owned(), code: "malformed_time", message }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
}

/// Milliseconds, and what stands behind the fraction.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some(rest) = rest.strip_prefix(b".") else { return Some((0, rest)) };
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, zone) = rest.split_at_checked(count)?;
    let padded: Vec<u8> = digits.iter().copied().chain([b'0', b'0']).take(3).collect();
    if digits.is_empty() { None } else { Some((number(&padded)?, zone)) }
}

/// Seconds ahead of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    match *zone {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2])?);
            let seconds = hours * 3600 + minutes * 60;
            (hours < 24 && minutes < 60).then_some(if sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    /// Of the years before 1970, the year 0 first.
    const BEFORE: i64 = 719_528;
    let past = year - 1; // whole years since the year 1
    let leaps = past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400) + 1; // the year 0 was one
    let months: i64 = (1..month).map(|earlier| days_of(year, earlier)).sum();
    year * 365 + leaps + months + day - 1 - BEFORE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_back() {
        for millis in [
            0,
            -1,
            951_782_400_000,
            1_709_251_199_123,
            4_107_542_400_000,
            253_402_300_799_999,
            -62_135_596_800_000,
            -62_167_219_200_000,
            -62_162_035_200_000,
        ] {
            let time = Timestamp::from_millis(millis);
            assert_eq!(parse(&time.to_string()), Some(time), "{time}");
        }
    }

    #[test]
    fn offsets_and_fractions_count() {
        let read = |text: &str| parse(text).map(Timestamp::as_millis);
        assert_eq!(read("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(read("1969-12-31t22:30:00.5-01:30"), Some(500));
        assert_eq!(read("1970-01-01 00:00:00.1239z"), Some(123));
        assert_eq!(read("2016-12-31T23:59:60Z"), read("2017-01-01T00:00:00Z"));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "soon",
            "2030-01-01",
            "2030-01-01T00:00:00",
            "2030-13-01T00:00:00Z",
            "2030-02-29T00:00:00Z",
            "2030-01-01T24:00:00Z",
            "2030-01-01T00:00:00.Z",
            "2030-01-01T00:00:00+0100",
            "2030-01-01T00:00:00+24:00",
            "2030-01-01T00:00:00Z ",
            "+030-01-01T00:00:00Z",
            "２030-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
