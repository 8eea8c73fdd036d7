//! What differs between two texts, line by line, as people read it.

/// Lines around a change that are shown with it.
const AROUND: usize = 3;

/// Pairs of lines that are compared at most; beyond it what lies between the first and the last difference is replaced.
const PAIRS: usize = 4_000_000;

/// Where a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Both,
    Old,
    New,
}

/// Every change with its place and the lines around it: Equal texts give
/// nothing.
pub(crate) fn changes(old: &str, new: &str) -> String {
    let mut text = String::new();
    for hunk in hunks(&marked(old, new)) {
        text.push_str(&format!("@@ -{} +{} @@\n", hunk.old, hunk.new));
        for (mark, line) in hunk.lines {
            let sign = match mark {
                Mark::Both => ' ',
                Mark::Old => '-',
                Mark::New => '+',
            };
            let line = crate::cli::report::printable(line);
            text.push_str(format!("{sign}{line}").trim_end_matches(' '));
            text.push('\n');
        }
    }
    text
}

/// Changes that are shown together, and the lines that they begin at, from 1.
struct Hunk<'a> {
    old: usize,
    new: usize,
    lines: Vec<(Mark, &'a str)>,
}

fn hunks<'a>(marked: &[(Mark, &'a str)]) -> Vec<Hunk<'a>> {
    let mut hunks: Vec<Hunk<'a>> = Vec::new();
    // The place behind the last line that was shown.
    let mut shown = 0;
    let (mut old, mut new) = (0, 0);
    let mut places = Vec::with_capacity(marked.len());
    for (mark, _) in marked {
        old += usize::from(*mark != Mark::New);
        new += usize::from(*mark != Mark::Old);
        places.push((old, new));
    }
    for (at, (mark, _)) in marked.iter().enumerate() {
        if *mark == Mark::Both {
            continue;
        }
        let from = at.saturating_sub(AROUND).max(shown);
        let until = (at + 1 + AROUND).min(marked.len());
        let lines = marked.get(from..until).unwrap_or_default();
        if let Some(hunk) = hunks.last_mut().filter(|_| from == shown && shown > 0) {
            hunk.lines.extend_from_slice(lines);
        } else {
            let (old, new) = from.checked_sub(1).and_then(|before| places.get(before)).copied().unwrap_or_default();
            hunks.push(Hunk { old: old + 1, new: new + 1, lines: lines.to_vec() });
        }
        shown = until;
    }
    hunks
}

/// The lines of both, in order.
fn marked<'a>(old: &'a str, new: &'a str) -> Vec<(Mark, &'a str)> {
    let (old, new) = (lines(old), lines(new));
    let before = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let rest = old.len().min(new.len()) - before;
    let behind = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(old, new)| old == new).count();
    let middle = |lines: &[&'a str]| lines.get(before..lines.len() - behind).unwrap_or_default().to_vec();
    let both = |lines: &[&'a str]| lines.iter().map(|line| (Mark::Both, *line)).collect::<Vec<_>>();
    let mut marked = both(old.get(..before).unwrap_or_default());
    marked.extend(between(&middle(&old), &middle(&new)));
    marked.extend(both(old.get(old.len() - behind..).unwrap_or_default()));
    marked
}

/// The lines of a text. A last line without its end is another than one with it.
fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.split_inclusive('\n').map(|line| line.strip_suffix('\n').unwrap_or(line)).collect();
    if !text.is_empty() && !text.ends_with('\n') {
        lines.push("\\ no end of line");
    }
    lines
}

/// The longest common subsequence, by the table of its lengths.
fn between<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(Mark, &'a str)> {
    let width = new.len() + 1;
    let replaced = |marked: &mut Vec<(Mark, &'a str)>, old: &[&'a str], new: &[&'a str]| {
        marked.extend(old.iter().map(|line| (Mark::Old, *line)));
        marked.extend(new.iter().map(|line| (Mark::New, *line)));
    };
    let mut marked = Vec::with_capacity(old.len() + new.len());
    if old.is_empty() || new.is_empty() || old.len().saturating_mul(new.len()) > PAIRS {
        replaced(&mut marked, old, new);
        return marked;
    }
    // In a row: how many lines the rests from here on have in common.
    let mut table = vec![0_u32; (old.len() + 1) * width];
    let length = |table: &[u32], i: usize, j: usize| table.get(i * width + j).copied().unwrap_or_default();
    for (i, old) in old.iter().enumerate().rev() {
        for (j, new) in new.iter().enumerate().rev() {
            let value = if old == new {
                length(&table, i + 1, j + 1) + 1
            } else {
                length(&table, i + 1, j).max(length(&table, i, j + 1))
            };
            if let Some(place) = table.get_mut(i * width + j) {
                *place = value;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    while let Some((before, after)) = old.get(i).zip(new.get(j)) {
        if before == after {
            marked.push((Mark::Both, *before));
            (i, j) = (i + 1, j + 1);
        } else if length(&table, i + 1, j) >= length(&table, i, j + 1) {
            marked.push((Mark::Old, *before));
            i += 1;
        } else {
            marked.push((Mark::New, *after));
            j += 1;
        }
    }
    replaced(&mut marked, old.get(i..).unwrap_or_default(), new.get(j..).unwrap_or_default());
    marked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_shown_with_the_lines_around_them() {
        for (old, new, expected) in [
            ("a\n", "a\n", ""),
            ("", "", ""),
            ("", "a\n", "@@ -1 +1 @@\n+a\n"),
            ("a\n", "", "@@ -1 +1 @@\n-a\n"),
            ("a", "a\n", "@@ -1 +1 @@\n a\n-\\ no end of line\n"),
            ("a\nb\nc\n", "a\nx\nc\n", "@@ -1 +1 @@\n a\n-b\n+x\n c\n"),
            ("1\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\n5\nx\n6\n", "@@ -3 +3 @@\n 3\n 4\n 5\n+x\n 6\n"),
            (
                "a\n1\n2\n3\n4\n5\n6\n7\nb\n",
                "x\n1\n2\n3\n4\n5\n6\n7\ny\n",
                "@@ -1 +1 @@\n-a\n+x\n 1\n 2\n 3\n@@ -6 +6 @@\n 5\n 6\n 7\n-b\n+y\n",
            ),
            ("a\n1\n2\n3\n4\nb\n", "x\n1\n2\n3\n4\ny\n", "@@ -1 +1 @@\n-a\n+x\n 1\n 2\n 3\n 4\n-b\n+y\n"),
            ("a\r\n\n\u{1b}[2J\n", "a\r\n\u{1b}[2J\n", "@@ -1 +1 @@\n a\u{fffd}\n-\n \u{fffd}[2J\n"),
        ] {
            assert_eq!(changes(old, new), expected, "{old:?} {new:?}");
        }
    }

    #[test]
    fn the_marks_give_both_texts_again() {
        let mut state = 7_u64;
        let mut roll = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % bound
        };
        for _ in 0..2_000 {
            let mut text = || {
                let lines = roll(9);
                (0..lines).map(|_| ["a\n", "b\n", "c\n", "\n"][usize::try_from(roll(4)).unwrap()]).collect::<String>()
            };
            let (old, new) = (text(), text());
            let marked = marked(&old, &new);
            let of = |mark| {
                let lines: Vec<&str> = marked.iter().filter(|(m, _)| *m != mark).map(|(_, line)| *line).collect();
                lines.concat()
            };
            let (old_lines, new_lines) = (old.replace('\n', ""), new.replace('\n', ""));
            assert_eq!((of(Mark::New), of(Mark::Old)), (old_lines, new_lines));
            assert_eq!(changes(&old, &new).is_empty(), old == new);
        }
    }

    #[test]
    fn what_is_too_much_to_compare_is_replaced() {
        let text = |line: &str| format!("head\n{}end\n", format!("{line}\n").repeat(3_000));
        let shown = changes(&text("a"), &text("b"));
        assert_eq!((shown.matches("\n-a").count(), shown.matches("\n+b").count()), (3_000, 3_000));
        assert!(shown.starts_with("@@ -1 +1 @@\n head\n-a\n") && shown.ends_with("+b\n end\n"));
    }
}
