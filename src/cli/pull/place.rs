//! Where the texts of a release are written: below the folder, under names that every reader of it finds again.
//!
//! The names come from a server that need not mean well. Whatever they are, what comes out has no absolute path, no `..`, no
//! hidden or reserved name, and no two files that are one where letters of either case are the same.

use std::collections::BTreeSet;

use crate::cli::files::{BY_ID, MAX_NESTING, POLICIES, SCHEMAS};
use crate::cli::release::{ReleaseTexts, SchemaText};

/// The file of policies that came without one.
const UNFILED: &str = "policies.cedar";

/// Folders below a store's that are kept; those above them are left out.
const FOLDERS: usize = MAX_NESTING - 4;

/// Bytes of a part of a name.
const PART_BYTES: usize = 120;

/// What is written where.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Placed {
    /// The folder of the store below `policies`.
    pub(super) store: String,
    /// Paths below the folder, by `/`, and their texts.
    pub(super) files: Vec<(String, String)>,
    /// What people should know of the names.
    pub(super) notes: Vec<String>,
}

pub(super) fn place(texts: &ReleaseTexts, store: &str) -> Placed {
    let filed: Vec<(Option<&str>, Vec<String>)> = texts
        .policies
        .iter()
        .filter(|policy| policy.id.is_none())
        .map(|policy| (policy.file.as_deref(), policy.file.as_deref().map(parts).unwrap_or_default()))
        .collect();
    let all: Vec<&[String]> =
        filed.iter().map(|(_, parts)| parts.as_slice()).filter(|parts| !parts.is_empty()).collect();
    let layout = Layout::of(&all, store);
    let mut names = Names::new(&layout);
    let mut placed = Placed { store: layout.store.clone(), ..Placed::default() };
    let unnamed = texts.policies.iter().filter(|policy| policy.id.is_none());
    for (policy, (file, parts)) in unnamed.zip(&filed) {
        let path = names.of_policies(parts);
        if let Some(file) = file.filter(|file| !path.ends_with(&sent(file))) {
            let file = crate::cli::report::printable(file).into_owned();
            placed.notes.push(format!("`{file}` is written as `{path}`, which is a safe name; apply then records it"));
        }
        placed.files.push((path, policy.text.clone()));
    }
    for policy in &texts.policies {
        if let Some(id) = &policy.id {
            placed.files.push((names.by_id(id), policy.text.clone()));
        }
    }
    if let Some(schema) = &texts.schema {
        let (ending, text) = match schema {
            SchemaText::Cedar { text, .. } => (".cedarschema", text.clone()),
            SchemaText::Json { json, .. } => (".cedarschema.json", format!("{json:#}\n")),
        };
        placed.files.push((layout.of_types(schema.file(), ending), text));
    }
    if let Some(model) = &texts.model {
        placed.files.push((layout.of_types(texts.model_file.as_deref(), ".fga"), model.clone()));
    }
    placed
}

/// A name as it is compared: by its parts.
fn sent(file: &str) -> String {
    file.split(['/', '\\']).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

/// The parts of a name, each made safe.
fn parts(name: &str) -> Vec<String> {
    let kept = |part: &&str| !part.is_empty() && *part != "." && *part != "..";
    name.split(['/', '\\']).filter(kept).map(safe).collect()
}

/// One part of a path that is an ordinary name on every system.
fn safe(part: &str) -> String {
    let ordinary = |c: char| if c.is_control() || "<>:\"|?*/\\".contains(c) || is_hidden(c) { '_' } else { c };
    let mut name: String = part.chars().map(ordinary).collect();
    if name.len() > PART_BYTES {
        // The end says what a file holds.
        let from = (name.len() - PART_BYTES..name.len()).find(|at| name.is_char_boundary(*at)).unwrap_or_default();
        name.drain(..from);
    }
    if name.ends_with(['.', ' ']) {
        name.push('_');
    }
    if name.starts_with(['.', ' ', '-', '~']) || is_device(&name) {
        name.insert(0, '_');
    }
    name
}

/// Characters that are not seen or turn what follows around.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Names that Windows keeps for devices, whatever their ending.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_lowercase();
    let numbered =
        |device: &str| stem.strip_prefix(device).is_some_and(|n| n.len() == 1 && n != "0" && n.parse::<u8>().is_ok());
    ["con", "prn", "aux", "nul"].contains(&stem.as_str()) || numbered("com") || numbered("lpt")
}

/// How the names of a release lie.
struct Layout {
    /// The folders that all names begin with, before `policies`.
    above: Vec<String>,
    store: String,
    /// Whether the names have `policies` and the store's folder already.
    rooted: bool,
}

impl Layout {
    /// As all names have it, when they have one; else all of them go below the store's name.
    fn of(names: &[&[String]], store: &str) -> Self {
        let other = || Self { above: Vec::new(), store: store_folder(store), rooted: false };
        let Some(first) = names.first() else { return other() };
        let Some(at) = first.iter().position(|part| part == POLICIES) else { return other() };
        let Some(head) = first.get(..at + 2).filter(|head| first.len() > head.len()) else { return other() };
        if !names.iter().all(|name| name.len() > head.len() && name.starts_with(head)) {
            return other();
        }
        let above = first.get(..at).unwrap_or_default().to_vec();
        Self { above, store: head.last().cloned().unwrap_or_default(), rooted: true }
    }

    /// The parts of a name below the store's folder.
    fn below<'a>(&self, parts: &'a [String]) -> &'a [String] {
        if self.rooted { parts.get(self.above.len() + 2..).unwrap_or_default() } else { parts }
    }

    /// The file of a schema or a model: where it was, if that is where it is looked for.
    fn of_types(&self, file: Option<&str>, ending: &str) -> String {
        let usual = format!("{SCHEMAS}/{}{ending}", self.store);
        let Some(file) = file.filter(|file| file.ends_with(ending)) else { return usual };
        let parts = parts(file);
        let Some(below) = parts.strip_prefix(self.above.as_slice()) else { return usual };
        let head = [POLICIES, self.store.as_str()];
        let inside =
            below.len() > 2 && below.len() <= FOLDERS + 3 && below.iter().zip(head).all(|(part, head)| part == head);
        if inside { below.join("/") } else { usual }
    }
}

/// A store's name as a folder.
fn store_folder(store: &str) -> String {
    match safe(store).as_str() {
        "" => "store".to_owned(),
        name => name.to_owned(),
    }
}

/// The names that are given already.
struct Names<'a> {
    layout: &'a Layout,
    /// In lower case, as some file systems see them.
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
}

impl<'a> Names<'a> {
    fn new(layout: &'a Layout) -> Self {
        Self { layout, files: BTreeSet::new(), folders: BTreeSet::new() }
    }

    fn of_policies(&mut self, parts: &[String]) -> String {
        let below = self.layout.below(parts);
        let below = below.get(below.len().saturating_sub(FOLDERS + 1)..).unwrap_or_default();
        let mut below: Vec<String> = below.to_vec();
        let mut file = below.pop().unwrap_or_else(|| UNFILED.to_owned());
        for folder in &mut below {
            // What is in such a folder would be taken for one policy with the file's name.
            if folder.eq_ignore_ascii_case(BY_ID) {
                folder.push('_');
            }
        }
        let stem = file.strip_suffix(".cedar").unwrap_or(&file).to_owned();
        file = format!("{stem}.cedar");
        let flat = [&below[..], &[stem]].concat().join("-");
        below.push(file);
        let whole = below.join("/");
        let others = (2..).map(|number| format!("{flat}-{number}.cedar"));
        self.first_free(std::iter::once(whole).chain(others))
    }

    fn by_id(&mut self, id: &str) -> String {
        let coded = |coded: &dyn Fn(usize, char) -> bool| -> String {
            let one =
                |(at, c): (usize, char)| if coded(at, c) { format!("%{:02X}", u32::from(c)) } else { c.to_string() };
            id.chars().enumerate().map(one).collect()
        };
        let first = is_device(id) || id.starts_with(['.', '-']);
        let plain = coded(&|at, _| at == 0 && first);
        let apart = coded(&|at, c| (at == 0 && first) || c.is_ascii_uppercase());
        self.first_free([plain, apart].into_iter().map(|name| format!("{BY_ID}/{name}.cedar")))
    }

    /// The first path that is neither a file nor a folder of another, nor below a file.
    fn first_free(&mut self, below: impl Iterator<Item = String>) -> String {
        let mut path = String::new();
        for below in below {
            path = format!("{POLICIES}/{}/{below}", self.layout.store);
            let key = path.to_lowercase();
            let folders: Vec<String> =
                key.match_indices('/').filter_map(|(at, _)| key.get(..at)).map(str::to_owned).collect();
            let free = !self.files.contains(&key)
                && !self.folders.contains(&key)
                && !folders.iter().any(|folder| self.files.contains(folder));
            if free {
                self.files.insert(key);
                self.folders.extend(folders);
                break;
            }
        }
        path
    }
}

#[cfg(test)]
mod tests;
