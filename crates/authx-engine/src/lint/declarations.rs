//! Where a schema declares what it declares, and which lints its annotations switch off there.

use smol_str::SmolStr;

use super::ALLOW;
use crate::cedar::{
    Annotations, EntityType, EntityTypeKind, EntityUID, Loc, NamespaceDefinition, SchemaFragment, TypeExpression,
    TypeVariant, extensions,
};
use crate::linking::declared_name;
use crate::problem::{Origin, Problem, Span};
use crate::schema::{Schema, SchemaSyntax};

/// The schema as its author wrote it.
pub(super) struct Declarations<'s> {
    schema: &'s Schema,
    fragment: Option<SchemaFragment>,
}

/// One declaration.
#[derive(Debug, Clone, Default)]
pub(super) struct Declared {
    span: Option<Span>,
    /// What `@allow` says.
    pub(super) allow: Option<SmolStr>,
}

impl<'s> Declarations<'s> {
    pub(super) fn new(schema: &'s Schema) -> Self {
        let text = &schema.source().text;
        let fragment = match schema.source().syntax {
            SchemaSyntax::Cedar => SchemaFragment::from_cedarschema_str(text, extensions()).ok().map(|(read, _)| read),
            SchemaSyntax::Json => SchemaFragment::from_json_str(text).ok(),
        };
        Self { schema, fragment }
    }

    pub(super) fn place(&self, problem: Problem, declared: &Declared) -> Problem {
        let source = self.schema.source();
        let origin = Origin { file: source.file.as_deref(), line: 1, column: 1, text: &source.text };
        problem.at(&origin, declared.span.unwrap_or(Span { offset: 0, length: 0 }))
    }

    pub(super) fn entity_type(&self, ty: &EntityType) -> Declared {
        let name = ty.to_string();
        self.find(|namespace, fragment| {
            let mut types = fragment.entity_types.iter();
            let (written, found) = types.find(|(written, _)| declared_name(namespace, written.as_ref()) == name)?;
            Some(self.named(found.loc.as_ref(), written.as_ref(), &found.annotations))
        })
    }

    /// An attribute of a type: where it is written, or else the type.
    pub(super) fn attribute(&self, ty: &EntityType, attribute: &str) -> Declared {
        let name = ty.to_string();
        let own = self.find(|namespace, fragment| {
            let mut types = fragment.entity_types.iter();
            let (_, found) = types.find(|(written, _)| declared_name(namespace, written.as_ref()) == name)?;
            let EntityTypeKind::Standard(standard) = &found.kind else { return None };
            self.in_record(&standard.shape.0, attribute)
        });
        if own.span.is_some() { own } else { Declared { allow: own.allow, ..self.entity_type(ty) } }
    }

    /// A key of the context: where some action or common type has it.
    pub(super) fn context_key(&self, key: &str) -> Declared {
        self.find(|_, fragment| {
            let mut applied = fragment.actions.values().filter_map(|action| action.applies_to.as_ref());
            applied.find_map(|applied| self.in_record(&applied.context.0, key))
        })
    }

    pub(super) fn action(&self, action: &EntityUID) -> Declared {
        let (id, ty): (&str, String) = (action.eid().as_ref(), action.entity_type().to_string());
        self.find(|namespace, fragment| {
            let (written, found) = fragment.actions.iter().find(|(written, _)| written.as_str() == id)?;
            (declared_name(namespace, "Action") == ty)
                .then(|| self.named(found.loc.as_ref(), written, &found.annotations))
        })
    }

    pub(super) fn common_type(&self, name: &str) -> Declared {
        self.find(|namespace, fragment| {
            let mut types = fragment.common_types.iter();
            let (written, found) = types.find(|(written, _)| declared_name(namespace, &written.to_string()) == name)?;
            Some(self.named(found.loc.as_ref(), &written.to_string(), &found.annotations))
        })
    }

    /// Every declaration that has an `@allow`.
    pub(super) fn switched(&self) -> Vec<Declared> {
        let definitions = self.fragment.iter().flat_map(|fragment| fragment.0.values());
        let declared = definitions.flat_map(|of| {
            let types =
                of.entity_types.iter().map(|(name, ty)| self.named(ty.loc.as_ref(), name.as_ref(), &ty.annotations));
            let actions = of.actions.iter().map(|(name, ty)| self.named(ty.loc.as_ref(), name, &ty.annotations));
            let common = of.common_types.iter();
            let common = common.map(|(name, ty)| self.named(ty.loc.as_ref(), &name.to_string(), &ty.annotations));
            types.chain(actions).chain(common)
        });
        declared.filter(|declared| declared.allow.is_some()).collect()
    }

    fn find(&self, of: impl Fn(&str, &NamespaceDefinition) -> Option<Declared>) -> Declared {
        let mut namespaces = self.fragment.iter().flat_map(|fragment| &fragment.0);
        let found = namespaces.find_map(|(namespace, definition)| {
            of(&namespace.as_ref().map(ToString::to_string).unwrap_or_default(), definition)
        });
        found.unwrap_or_default()
    }

    /// An attribute that a record has, also one that a common type of any namespace stands for.
    fn in_record(&self, record: &TypeExpression, attribute: &str) -> Option<Declared> {
        let name = match record {
            TypeExpression::Type { ty: TypeVariant::Record(record), .. } => {
                let found = record.attributes.get(attribute)?;
                let span = found.ty.loc().and_then(|ty| self.word_before(ty.start(), attribute));
                return Some(Declared { span, allow: allowed(&found.annotations) });
            }
            TypeExpression::Type { ty: TypeVariant::EntityOrCommon { type_name }, .. }
            | TypeExpression::CommonTypeRef { type_name, .. } => type_name.to_string(),
            TypeExpression::Type { .. } => return None,
        };
        let base = name.rsplit("::").next().unwrap_or(&name);
        let common = self.fragment.iter().flat_map(|fragment| fragment.0.values()).flat_map(|of| &of.common_types);
        // A common type cannot lead to itself, but a step is all that authors take.
        common.filter(|(written, _)| written.to_string() == base).find_map(|(_, found)| match &found.ty {
            TypeExpression::Type { ty: TypeVariant::Record(_), .. } => self.in_record(&found.ty, attribute),
            TypeExpression::Type { .. } | TypeExpression::CommonTypeRef { .. } => None,
        })
    }

    /// A declaration, at its name.
    fn named(&self, loc: Option<&Loc>, name: &str, annotations: &Annotations) -> Declared {
        let within = |loc: &Loc| {
            // What annotations before it say is no name.
            let skipped = annotations.0.values().flatten().filter_map(|found| found.loc.as_ref()).map(Loc::end).max();
            let begin = skipped.unwrap_or_default().max(loc.start());
            let text = self.schema.source().text.get(begin..loc.end())?;
            let at = words(text, name).next()?;
            Some(Span { offset: begin + at, length: name.len() })
        };
        let span =
            loc.and_then(|loc| within(loc).or(Some(Span { offset: loc.start(), length: loc.end() - loc.start() })));
        Declared { span, allow: allowed(annotations) }
    }

    /// The last place of a word before the type of an attribute.
    fn word_before(&self, end: usize, word: &str) -> Option<Span> {
        let text = self.schema.source().text.get(..end)?;
        let offset = words(text, word).last()?;
        Some(Span { offset, length: word.len() })
    }
}

/// Where a text has a word as a whole.
fn words<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = text.get(..*at).and_then(|text| text.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|text| text.chars().next());
        !part(before) && !part(after)
    })
}

fn allowed(annotations: &Annotations) -> Option<SmolStr> {
    let (_, found) = annotations.0.iter().find(|(key, _)| AsRef::<str>::as_ref(*key) == ALLOW)?;
    Some(found.as_ref().map(|found| found.val.clone()).unwrap_or_default())
}
