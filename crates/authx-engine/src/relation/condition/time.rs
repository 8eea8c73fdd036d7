//! Timestamps and durations: their texts, their arithmetic and the parts of a date. Knows no clock and no table of
//! time zones: a zone is UTC or a fixed offset.

const NANOS: i64 = 1_000_000_000;
const DAY: i64 = 86_400;
/// 0001-01-01T00:00:00Z
const FIRST_SECOND: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z
const LAST_SECOND: i64 = 253_402_300_799;

/// An instant between the years 1 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timestamp {
    /// Since 1970, in UTC.
    seconds: i64,
    /// Below one second, and always towards the future.
    nanos: i64,
}

/// Nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Duration(pub(super) i64);

/// A part of a timestamp; some are also a whole duration in that unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    FullYear,
    Month,
    Date,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

impl Timestamp {
    pub(super) fn from_seconds(seconds: i64) -> Option<Self> {
        (FIRST_SECOND..=LAST_SECOND).contains(&seconds).then_some(Self { seconds, nanos: 0 })
    }

    pub(super) fn seconds(self) -> i64 {
        self.seconds
    }

    /// RFC 3339 with capital letters, as in `2023-10-11T10:00:00.5+02:00`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let year = take_number(&mut rest, 4)?;
        let month = take(&mut rest, "-").and_then(|()| take_number(&mut rest, 2))?;
        let day = take(&mut rest, "-").and_then(|()| take_number(&mut rest, 2))?;
        let hour = take(&mut rest, "T").and_then(|()| take_number(&mut rest, 2))?;
        let minute = take(&mut rest, ":").and_then(|()| take_number(&mut rest, 2))?;
        let second = take(&mut rest, ":").and_then(|()| take_number(&mut rest, 2))?;
        let in_range = (1..=12).contains(&month)
            && (1..=days_of_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        if !in_range {
            return None;
        }
        let mut nanos = 0;
        if take(&mut rest, ".").is_some() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (fraction, after) = rest.split_at_checked(digits)?;
            nanos = fraction_of(fraction, NANOS)?;
            rest = after;
        }
        let offset = if rest == "Z" { 0 } else { parse_clock_offset(rest)? };
        let seconds = days_before(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset;
        Self::from_seconds(seconds).map(|whole| Self { nanos, ..whole })
    }

    pub(super) fn checked_add(self, duration: Duration) -> Option<Self> {
        let nanos = self.nanos + duration.0.rem_euclid(NANOS);
        let seconds = self.seconds + duration.0.div_euclid(NANOS) + nanos / NANOS;
        Self::from_seconds(seconds).map(|whole| Self { nanos: nanos % NANOS, ..whole })
    }

    pub(super) fn checked_sub(self, duration: Duration) -> Option<Self> {
        let whole = Duration(-(duration.0 / NANOS) * NANOS);
        self.checked_add(Duration(-(duration.0 % NANOS)))?.checked_add(whole)
    }

    /// From the other to this one.
    pub(super) fn since(self, other: Self) -> Option<Duration> {
        let seconds = i128::from(self.seconds) - i128::from(other.seconds);
        let nanos = seconds * i128::from(NANOS) + i128::from(self.nanos) - i128::from(other.nanos);
        i64::try_from(nanos).ok().map(Duration)
    }

    /// As the clock of a zone that is `offset` seconds ahead of UTC shows it.
    pub(super) fn part(self, part: Part, offset: i64) -> i64 {
        let local = self.seconds + offset;
        let (days, of_day) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let (year, month, day) = date_of(days);
        match part {
            Part::FullYear => year,
            Part::Month => month - 1,
            Part::Date => day,
            Part::DayOfMonth => day - 1,
            Part::DayOfWeek => (days + 4).rem_euclid(7),
            Part::DayOfYear => days - days_before(year, 1, 1),
            Part::Hours => of_day / 3600,
            Part::Minutes => of_day / 60 % 60,
            Part::Seconds => of_day % 60,
            Part::Milliseconds => self.nanos / 1_000_000,
        }
    }

    /// RFC 3339 in UTC.
    pub(super) fn text(self) -> String {
        let (year, month, day) = date_of(self.seconds.div_euclid(DAY));
        let of_day = self.seconds.rem_euclid(DAY);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        if self.nanos > 0 {
            text.push_str(format!(".{:09}", self.nanos).trim_end_matches('0'));
        }
        text.push('Z');
        text
    }
}

impl Duration {
    /// A signed sequence of numbers with units: `1h30m`, `1.5s`, `-2ms`; `0` needs no unit.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix(['+', '-']) {
            Some(unsigned) => (text.starts_with('-'), unsigned),
            None => (false, text),
        };
        if unsigned == "0" {
            return Some(Self(0));
        }
        if unsigned.is_empty() {
            return None;
        }
        let mut total = 0_i128;
        let mut rest = unsigned;
        while !rest.is_empty() {
            total = total.checked_add(take_quantity(&mut rest)?)?;
        }
        i64::try_from(if negative { -total } else { total }).ok().map(Self)
    }

    pub(super) fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    pub(super) fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The whole duration in one unit, towards zero; `None` for parts that only a date has.
    pub(super) fn part(self, part: Part) -> Option<i64> {
        match part {
            Part::Hours => Some(self.0 / (3600 * NANOS)),
            Part::Minutes => Some(self.0 / (60 * NANOS)),
            Part::Seconds => Some(self.0 / NANOS),
            Part::Milliseconds => Some(self.0 / 1_000_000),
            Part::FullYear | Part::Month | Part::Date | Part::DayOfMonth | Part::DayOfWeek | Part::DayOfYear => None,
        }
    }

    /// In seconds.
    pub(super) fn text(self) -> String {
        let (whole, nanos) = (self.0.unsigned_abs() / 1_000_000_000, self.0.unsigned_abs() % 1_000_000_000);
        let mut text = format!("{}{whole}", if self.0 < 0 { "-" } else { "" });
        if nanos > 0 {
            text.push_str(format!(".{nanos:09}").trim_end_matches('0'));
        }
        text.push('s');
        text
    }
}

/// How many seconds a zone is ahead of UTC: `UTC`, or an offset such as `+02:00`.
pub(super) fn parse_zone(text: &str) -> Option<i64> {
    if matches!(text, "" | "UTC" | "Etc/UTC" | "GMT" | "Etc/GMT") {
        return Some(0);
    }
    let signed = if text.starts_with(['+', '-']) { text.to_owned() } else { format!("+{text}") };
    parse_clock_offset(&signed)
}

fn parse_clock_offset(text: &str) -> Option<i64> {
    let mut rest = text.strip_prefix(['+', '-'])?;
    let hours = take_number(&mut rest, 2)?;
    let minutes = take(&mut rest, ":").and_then(|()| take_number(&mut rest, 2))?;
    if !rest.is_empty() || hours >= 24 || minutes >= 60 {
        return None;
    }
    let seconds = hours * 3600 + minutes * 60;
    Some(if text.starts_with('-') { -seconds } else { seconds })
}

fn take(rest: &mut &str, wanted: &str) -> Option<()> {
    *rest = rest.strip_prefix(wanted)?;
    Some(())
}

fn take_number(rest: &mut &str, digits: usize) -> Option<i64> {
    let (number, after) = rest.split_at_checked(digits)?;
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    *rest = after;
    number.parse().ok()
}

fn take_quantity(rest: &mut &str) -> Option<i128> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, mut after) = rest.split_at_checked(digits(rest))?;
    let mut fraction = "";
    if take(&mut after, ".").is_some() {
        (fraction, after) = after.split_at_checked(digits(after))?;
    }
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
    let (unit, after) = after.split_at_checked(unit_end)?;
    let unit = match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => NANOS,
        "m" => 60 * NANOS,
        "h" => 3600 * NANOS,
        _ => return None,
    };
    *rest = after;
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction = if fraction.is_empty() { 0 } else { fraction_of(fraction, unit)? };
    i128::from(whole).checked_mul(unit.into())?.checked_add(fraction.into())
}

/// The digits after a point as a part of `unit`. More than 15 of them change nothing that can be told apart.
fn fraction_of(digits: &str, unit: i64) -> Option<i64> {
    let digits = digits.get(..digits.len().min(15))?;
    let scale = 10_i128.checked_pow(u32::try_from(digits.len()).ok()?)?;
    let value: i128 = digits.parse().ok()?;
    i64::try_from(value * i128::from(unit) / scale).ok()
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years are counted from March, so that a leap day is the
/// last day of its year.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let months_since_march = (month + 9) % 12;
    let day_of_year = (153 * months_since_march + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

/// The reverse of [`days_before`].
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_since_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * months_since_march + 2) / 5 + 1;
    let month = (months_since_march + 2) % 12 + 1;
    (400 * era + year_of_era + i64::from(month <= 2), month, day)
}
