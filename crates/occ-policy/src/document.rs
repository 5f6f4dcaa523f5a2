//! Reading what people write: JSON with comments, strictly, with the place of every mistake.

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde::Serialize;
use serde_json::Value as Json;
use std::cell::RefCell;

/// The version of the grammar of policies, facts and cases.
pub(crate) const VERSION: u64 = 1;

/// One thing wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong there, and what to write instead where that is known.
    pub what: String,
}

/// A hand-written file says something that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file} is invalid:{}", list(problems))]
pub struct DocumentError {
    /// What it is and its name, such as `the policy policy.json`.
    pub file: String,
    /// Everything that is wrong, in the order of the lines.
    pub problems: Vec<Problem>,
}

impl DocumentError {
    /// Puts together what is wrong with a file.
    pub fn new(file: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| (problem.line, problem.column));
        Self { file: file.to_owned(), problems }
    }
}

impl Problem {
    /// Says what is wrong at byte `at` of a text.
    pub fn at(text: &str, at: usize, what: impl Into<String>) -> Self {
        let before = &text[..at.min(text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Self { line, column, what: what.into() }
    }
}

fn list(problems: &[Problem]) -> String {
    let line = |p: &Problem| format!("\n  line {}, column {}: {}", p.line, p.column, p.what);
    problems.iter().map(line).collect()
}

const STRICT: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: false,
    allow_trailing_commas: true,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_extended_string_escapes: false,
    allow_non_finite_numbers: false,
};

/// Reads a file of one form; `file` is what messages call it.
pub(crate) fn read<T>(
    file: &str,
    text: &str,
    form: impl FnOnce(&mut Fields<'_, '_>) -> Option<T>,
) -> Result<T, DocumentError> {
    let reader = Reader { text, problems: RefCell::default() };
    let read = reader.document(form);
    let problems = reader.problems.into_inner();
    match read {
        Some(read) if problems.is_empty() => Ok(read),
        _ => Err(DocumentError::new(file, problems)),
    }
}

/// One field of a file, with where it stands, in bytes from the beginning.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub at: usize,
    /// What it says. A number too large for JSON's reader reads as null.
    pub value: Json,
    /// Where that stands.
    pub value_at: usize,
}

/// Reads a file that is one object, just as strictly, into its fields in their order; what they may be is for the
/// caller to say, who also finds a name that stands there twice.
///
/// # Errors
/// The first thing that is no JSON with comments.
pub fn fields(file: &str, text: &str) -> Result<Vec<Field>, DocumentError> {
    let reader = Reader { text, problems: RefCell::default() };
    let read = reader.parsed(|value| {
        let Value::Object(object) = value else {
            return reader.expected(value, "an object { }");
        };
        Some(object.properties.iter().map(field).collect())
    });
    read.ok_or_else(|| DocumentError::new(file, reader.problems.into_inner()))
}

fn field(prop: &ObjectProp<'_>) -> Field {
    Field {
        name: prop.name.as_str().to_owned(),
        at: prop.range.start,
        value: plain(&prop.value),
        value_at: prop.value.start(),
    }
}

/// Returns a value without its places.
fn plain(value: &Value<'_>) -> Json {
    match value {
        Value::NullKeyword(_) => Json::Null,
        Value::BooleanLit(literal) => Json::Bool(literal.value),
        Value::StringLit(literal) => Json::String(literal.value.to_string()),
        Value::NumberLit(literal) => serde_json::from_str(literal.value).unwrap_or_default(),
        Value::Array(array) => Json::Array(array.elements.iter().map(plain).collect()),
        Value::Object(object) => {
            let pair = |p: &ObjectProp<'_>| (p.name.as_str().to_owned(), plain(&p.value));
            Json::Object(object.properties.iter().map(pair).collect())
        }
    }
}

/// The text, and what was found wrong with it so far.
pub(crate) struct Reader<'t> {
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
}

impl Reader<'_> {
    fn parsed<T>(&self, form: impl FnOnce(&Value<'_>) -> Option<T>) -> Option<T> {
        let parsed = match parse_to_ast(self.text, &CollectOptions::default(), &STRICT) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.blame(error.range().start, lower_first(&error.kind().to_string()));
                return None;
            }
        };
        let Some(value) = &parsed.value else {
            self.blame(0, "the file is empty, and an object { } is expected");
            return None;
        };
        form(value)
    }

    fn document<T>(&self, form: impl FnOnce(&mut Fields<'_, '_>) -> Option<T>) -> Option<T> {
        self.parsed(|value| {
            let mut fields = Fields::of(self, value)?;
            let _schema = fields.take("$schema");
            // Where the grammar is another one, all else would be noise.
            if self.number(fields.need("version")?)? != VERSION {
                let says = format!("this is version {VERSION} of the grammar");
                self.blame(fields.at("version"), says);
                return None;
            }
            let read = form(&mut fields);
            fields.end();
            read
        })
    }

    /// Notes that something at byte `at` is wrong.
    pub(crate) fn blame(&self, at: usize, what: impl Into<String>) {
        self.problems.borrow_mut().push(Problem::at(self.text, at, what));
    }

    /// Notes that a value is not what is expected there.
    pub(crate) fn expected<T>(&self, value: &Value<'_>, what: &str) -> Option<T> {
        self.blame(value.start(), format!("{what} is expected, not {}", shown(value)));
        None
    }

    /// Reads a text of one line that is not empty. Such texts are printed as they are.
    pub(crate) fn text(&self, value: &Value<'_>) -> Option<String> {
        match value {
            Value::StringLit(literal) if is_line(&literal.value) => {
                Some(literal.value.clone().into_owned())
            }
            Value::StringLit(_) => self.expected(value, "a text of one line"),
            other => self.expected(other, "a text"),
        }
    }

    /// Reads a whole number.
    pub(crate) fn number(&self, value: &Value<'_>) -> Option<u64> {
        match value {
            Value::NumberLit(literal) => literal
                .value
                .parse()
                .ok()
                .or_else(|| self.expected(value, "a whole number, at least 0,")),
            other => self.expected(other, "a whole number"),
        }
    }

    /// Reads true or false.
    pub(crate) fn flag(&self, value: &Value<'_>) -> Option<bool> {
        match value {
            Value::BooleanLit(literal) => Some(literal.value),
            other => self.expected(other, "true or false"),
        }
    }

    /// Returns the elements of a list.
    pub(crate) fn elements<'a, 'v>(&self, value: &'a Value<'v>) -> Option<&'a [Value<'v>]> {
        match value {
            Value::Array(array) => Some(&array.elements),
            other => self.expected(other, "a list [ ]"),
        }
    }

    /// Reads a list of texts.
    pub(crate) fn texts(&self, value: &Value<'_>) -> Option<Vec<String>> {
        self.elements(value)?.iter().map(|element| self.text(element)).collect()
    }

    /// Returns the entries of an object whose names are free, with where the names stand.
    pub(crate) fn entries<'a, 'v>(
        &self,
        value: &'a Value<'v>,
    ) -> Option<Vec<(&'a str, usize, &'a Value<'v>)>> {
        let object = self.object(value)?;
        let entry = |prop: &'a ObjectProp<'v>| (prop.name.as_str(), prop.range.start, &prop.value);
        Some(object.properties.iter().map(entry).collect())
    }

    fn object<'a, 'v>(&self, value: &'a Value<'v>) -> Option<&'a Object<'v>> {
        let Value::Object(object) = value else {
            return self.expected(value, "an object { }");
        };
        for (index, prop) in object.properties.iter().enumerate() {
            let name = prop.name.as_str();
            if object.properties[..index].iter().any(|before| before.name.as_str() == name) {
                self.blame(prop.range.start, format!("{name:?} stands here twice"));
            }
        }
        Some(object)
    }
}

fn is_line(text: &str) -> bool {
    !text.trim().is_empty() && !text.chars().any(char::is_control)
}

/// An object whose names are given: each is taken, and what is left over is unknown.
pub(crate) struct Fields<'r, 'a> {
    pub(crate) reader: &'r Reader<'r>,
    start: usize,
    object: &'a Object<'a>,
    known: Vec<&'static str>,
}

impl<'r, 'a> Fields<'r, 'a> {
    /// Begins to read an object.
    pub(crate) fn of(reader: &'r Reader<'r>, value: &'a Value<'a>) -> Option<Self> {
        let object = reader.object(value)?;
        Some(Self { reader, start: value.start(), object, known: Vec::new() })
    }

    /// Returns a field that may be there.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<&'a Value<'a>> {
        self.known.push(name);
        self.object
            .properties
            .iter()
            .find(|prop| prop.name.as_str() == name)
            .map(|prop| &prop.value)
    }

    /// Returns a field that must be there.
    pub(crate) fn need(&mut self, name: &'static str) -> Option<&'a Value<'a>> {
        let found = self.take(name);
        if found.is_none() {
            self.reader.blame(self.start, format!("{name:?} is missing"));
        }
        found
    }

    /// Returns where a field's value stands, or the object.
    pub(crate) fn at(&self, name: &str) -> usize {
        let found = self.object.properties.iter().find(|prop| prop.name.as_str() == name);
        found.map_or(self.start, |prop| prop.value.start())
    }

    /// Returns the first field there is of those named.
    pub(crate) fn first_of(
        &mut self,
        names: &[&'static str],
    ) -> Vec<(&'static str, &'a Value<'a>)> {
        names.iter().filter_map(|name| Some((*name, self.take(name)?))).collect()
    }

    /// Complains about every field that nobody took.
    pub(crate) fn end(self) {
        for prop in &self.object.properties {
            let name = prop.name.as_str();
            if !self.known.contains(&name) {
                let what = match nearest(name, self.known.iter().copied()) {
                    Some(near) => format!("unknown field {name:?}; did you mean {near:?}?"),
                    None => format!("unknown field {name:?}"),
                };
                self.reader.blame(prop.range.start, what);
            }
        }
    }
}

/// Returns the name nearest to a mistyped one, if any is near.
pub(crate) fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let measured = names.into_iter().map(|it| (strsim::damerau_levenshtein(it, name), it));
    measured
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= 3)
        .map(|it| it.1)
}

/// Returns a value as a message shows it.
fn shown(value: &Value<'_>) -> String {
    match value {
        Value::StringLit(literal) => format!("{:?}", literal.value),
        Value::NumberLit(literal) => literal.value.to_owned(),
        Value::BooleanLit(literal) => literal.value.to_string(),
        Value::NullKeyword(_) => "null".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
