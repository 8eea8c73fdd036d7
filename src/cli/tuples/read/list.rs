//! Lists of tuples in one JSON or YAML document, which is read as a whole.

use std::fmt;
use std::io::BufRead;

use authx_engine::Json;
use authx_engine::relation::Tuple;
use serde::de::{self, Deserialize, Deserializer};

use super::{ReadError, Row, Rows, tuple};

/// Each item read, so that one that is no tuple leaves the others.
#[derive(Default)]
pub(super) struct List(Vec<Result<Tuple, String>>);

pub(super) fn json(input: impl BufRead) -> Result<List, String> {
    serde_json::from_reader(input).map_err(|error| format!("malformed JSON: {error}"))
}

pub(super) fn yaml(input: impl BufRead) -> Result<List, String> {
    serde_yaml_ng::from_reader(input).map_err(|error| format!("malformed YAML: {error}"))
}

pub(super) fn rows(list: Result<List, String>, file: &str) -> Rows {
    let file = file.to_owned();
    match list {
        Err(reason) => Box::new(std::iter::once(Err(ReadError::File { file, reason }))),
        Ok(list) => Box::new((1..).zip(list.0).map(move |(row, item)| match item {
            Ok(tuple) => Ok(Row { row, tuple }),
            Err(reason) => Err(ReadError::Row { file: file.clone(), row, reason }),
        })),
    }
}

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Items)
    }
}

struct Items;

impl<'de> de::Visitor<'de> for Items {
    type Value = List;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tuples")
    }

    /// A document of comments alone.
    fn visit_none<E: de::Error>(self) -> Result<List, E> {
        Ok(List::default())
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<List, A::Error> {
        let mut list = List::default();
        while let Some(Json(value)) = items.next_element()? {
            list.0.push(tuple(value));
        }
        Ok(list)
    }
}
