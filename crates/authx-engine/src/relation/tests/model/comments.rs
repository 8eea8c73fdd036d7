//! Comments survive, and so does the layout.

use super::read;
use crate::relation::print;

const TEXT: &str = "\
# who may what
#  indented
model
  schema 1.1

# people
type user

# papers
#
# of all kinds
type document
  relations
    # wrote it
    define owner: [user]
    define viewer: [user, user:* with open] or owner

# at daytime
condition open(now: timestamp, hours: list<int>) {
  now.getHours() in hours
}
";

#[test]
fn printing_keeps_text_and_comments() {
    assert_eq!(print(&read(TEXT)), TEXT);
}

#[test]
fn comments_anywhere_do_no_harm() {
    let text = "\n  # one\nmodel # two\n  # three\n  schema 1.2 # four\n    # five\ntype user # six\n\n  # seven\n  \
                relations\n  # eight\n    define a: [user] # nine\n      # ten\n";
    let model = read(text);
    assert_eq!(model.comments, ["one", "three"]);
    assert_eq!(model.types[0].comments, ["five"]);
    assert_eq!(model.types[0].relations[0].comments, ["seven", "eight"]);
}

#[test]
fn comments_leave_expressions_alone() {
    let text = "model\n  schema 1.1\ntype user\ncondition c(s: string, n: int) {\n  s == \"a # } // b\" && // cel\n    \
                n < 3 # fga\n}\n";
    assert_eq!(read(text).conditions[0].expression, "s == \"a # } // b\" &&\n    n < 3");
}
