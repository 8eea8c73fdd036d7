//! A relation model as its author wrote it: types, relations and conditions of the OpenFGA modelling language.
//!
//! Only the shape: [`super::parse`] and [`super::json`] make one, [`super::validate`] says what is wrong with it.

use smol_str::SmolStr;

/// Types and relations, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Model {
    /// `1.1` or `1.2`.
    pub schema_version: SmolStr,
    pub types: Vec<TypeDefinition>,
    pub conditions: Vec<ConditionDefinition>,
    /// Comment lines before everything else, without their `#`.
    pub comments: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TypeDefinition {
    pub name: SmolStr,
    pub relations: Vec<RelationDefinition>,
    /// Where it comes from; empty for a model in one file.
    pub source: Source,
    pub comments: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationDefinition {
    pub name: SmolStr,
    pub rewrite: Rewrite,
    /// The types that `this` in the rewrite takes; empty when there is none.
    pub restrictions: Vec<TypeRestriction>,
    pub source: Source,
    pub comments: Vec<String>,
}

/// How a relation comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rewrite {
    /// By a tuple.
    This,
    /// Whoever has another relation of the same object.
    Computed(SmolStr),
    /// `computed from tupleset`: whoever has `computed` on an object that `tupleset` of this one names.
    TupleToUserset {
        tupleset: SmolStr,
        computed: SmolStr,
    },
    Union(Vec<Rewrite>),
    Intersection(Vec<Rewrite>),
    /// The first but not the second.
    Difference(Box<Rewrite>, Box<Rewrite>),
}

/// What may stand as the subject of a tuple.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeRestriction {
    pub type_name: SmolStr,
    pub kind: RestrictionKind,
    /// The tuple must carry this condition; `None`: it must carry none.
    pub condition: Option<SmolStr>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestrictionKind {
    /// `user`
    Object,
    /// `user:*`
    Wildcard,
    /// `group#member`
    Userset(SmolStr),
}

/// A condition: a CEL expression over declared parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionDefinition {
    pub name: SmolStr,
    pub parameters: Vec<(SmolStr, ParameterType)>,
    /// The text between the braces, trimmed.
    pub expression: String,
    pub source: Source,
    pub comments: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterType {
    Any,
    Bool,
    String,
    Int,
    Uint,
    Double,
    Duration,
    Timestamp,
    IpAddress,
    List(Box<ParameterType>),
    Map(Box<ParameterType>),
}

/// The module and file of a definition, for models of several files, and where it stands.
#[derive(Debug, Clone, Default)]
pub struct Source {
    pub module: Option<SmolStr>,
    pub file: Option<String>,
    /// From 1; 0 when the definition did not come from text.
    pub line: u32,
    pub column: u32,
}

/// Two definitions are the same wherever they stand.
impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        self.module == other.module && self.file == other.file
    }
}

impl Eq for Source {}
