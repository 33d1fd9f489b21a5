//! Expressions and templates: compiled once, run over what a call knows. The language is that of mappings (Jinja).
//!
//! What comes from an application or a directory is always a value here and never code.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use minijinja::value::{Serde, Value as Jinja, ValueKind};
use minijinja::{Environment, Expression, UndefinedBehavior};
use secrecy::SecretString;
use serde_json::Value as Json;

use super::filters;

/// Steps that one evaluation may take.
const FUEL: u64 = 2_000_000;
/// How deep an evaluation may nest.
const DEPTH: usize = 64;
/// The longest message kept; it may quote values.
const LONGEST_MESSAGE: usize = 200;

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Chainable);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(DEPTH);
    env.set_debug(false);
    env.remove_global("debug");
    env.remove_global("range");
    filters::add(&mut env);
    env
});

/// What expressions can see.
#[derive(Clone, Default)]
pub struct Scope(BTreeMap<String, Jinja>);

// Some of it is secret, so only names show.
impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Scope {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more name; a name that exists is replaced.
    #[must_use]
    pub fn with(mut self, name: &str, value: Jinja) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// With one more name, from JSON.
    #[must_use]
    pub fn with_json(self, name: &str, value: &Json) -> Self {
        self.with(name, jinja(value))
    }

    /// The text of a name that is a secret.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        self.0.get(name)?.as_str().map(SecretString::from)
    }

    /// Sets a name in place.
    pub fn set(&mut self, name: &str, value: Jinja) {
        self.0.insert(name.to_owned(), value);
    }
}

/// A compiled expression.
pub struct Expr {
    source: String,
    compiled: Expression<'static, 'static>,
}

// The compiled form says nothing to people.
impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expr({:?})", self.source)
    }
}

impl Expr {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What the engine says against its syntax.
    pub fn compile(source: &str) -> Result<Self, minijinja::Error> {
        Ok(Self {
            source: source.to_owned(),
            compiled: ENGINE.compile_expression_owned(source.to_owned())?,
        })
    }

    /// As written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The names it leaves open, such as `settings.tenant` and `item`.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .compiled
            .undeclared_variables(true)
            .into_iter()
            .collect();
        names.sort();
        names
    }

    /// Its value; undefined where something is missing.
    ///
    /// # Errors
    /// A text for people.
    pub fn eval(&self, scope: &Scope) -> Result<Jinja, String> {
        let value = self
            .compiled
            .eval(Jinja::from(scope.0.clone()))
            .map_err(|error| self.failure(&error))?;
        if value.kind() == ValueKind::Invalid {
            return Err(format!("`{}` has no valid result", self.source));
        }
        Ok(value)
    }

    /// Its value as JSON; `None` where something is missing.
    ///
    /// # Errors
    /// A text for people.
    pub fn json(&self, scope: &Scope) -> Result<Option<Json>, String> {
        self.eval(scope).and_then(|value| json(&value))
    }

    /// Whether its result counts as true.
    ///
    /// # Errors
    /// A text for people.
    pub fn holds(&self, scope: &Scope) -> Result<bool, String> {
        self.eval(scope).map(|value| value.is_true())
    }

    /// Its result as text; nothing, missing and empty are `None`.
    ///
    /// # Errors
    /// A text for people.
    pub fn text(&self, scope: &Scope) -> Result<Option<String>, String> {
        Ok(self.json(scope)?.as_ref().and_then(plain))
    }

    /// Its result as a list; one thing is a list of one, nothing an empty one.
    ///
    /// # Errors
    /// A text for people.
    pub fn list(&self, scope: &Scope) -> Result<Vec<Json>, String> {
        Ok(match self.json(scope)? {
            None | Some(Json::Null) => Vec::new(),
            Some(Json::Array(items)) => items,
            Some(one) => vec![one],
        })
    }

    fn failure(&self, error: &minijinja::Error) -> String {
        let what = error
            .detail()
            .map_or_else(|| error.kind().to_string(), str::to_owned);
        let shown = |c: char| if c.is_control() { ' ' } else { c };
        let text = format!("`{}`: {what}", self.source);
        text.chars().take(LONGEST_MESSAGE).map(shown).collect()
    }
}

/// JSON as a value for expressions.
#[must_use]
pub fn jinja(value: &Json) -> Jinja {
    Jinja::from(Serde(value))
}

/// A scalar as text; `None` for nothing, for an empty text and for what is no scalar.
#[must_use]
pub fn plain(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => (!text.is_empty()).then(|| text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(flag) => Some(flag.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

fn json(value: &Jinja) -> Result<Option<Json>, String> {
    if value.is_undefined() {
        return Ok(None);
    }
    serde_json::to_value(value)
        .map(Some)
        .map_err(|_| "the result is no plain value".to_owned())
}

/// A text with `{{ … }}` in it, or a fixed value.
#[derive(Debug)]
pub enum Template {
    /// The same for every call.
    Fixed(Json),
    /// One expression: it keeps its type.
    Typed(Expr),
    /// Text with expressions in it.
    Mixed(Vec<Piece>),
}

/// A part of a text.
#[derive(Debug)]
pub enum Piece {
    /// As written.
    Text(String),
    /// What an expression gives, as text.
    Expr(Expr),
}

impl Template {
    /// The value; `None` where something in it is missing.
    ///
    /// # Errors
    /// A text for people.
    pub fn value(&self, scope: &Scope) -> Result<Option<Json>, String> {
        match self {
            Self::Fixed(value) => Ok(Some(value.clone())),
            Self::Typed(expr) => expr.json(scope),
            Self::Mixed(pieces) => Ok(join(pieces, scope)?.map(Json::String)),
        }
    }

    /// The value as text; nothing, missing and empty are `None`.
    ///
    /// # Errors
    /// A text for people; also for a list or an object.
    pub fn text(&self, scope: &Scope) -> Result<Option<String>, String> {
        match self.value(scope)? {
            Some(Json::Array(_) | Json::Object(_)) => {
                Err("a list or an object stands where one text is needed".to_owned())
            }
            Some(value) => Ok(plain(&value)),
            None => Ok(None),
        }
    }

    /// The expressions in it.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        let (one, several) = match self {
            Self::Fixed(_) => (None, &[] as &[Piece]),
            Self::Typed(expr) => (Some(expr), &[] as &[Piece]),
            Self::Mixed(pieces) => (None, pieces.as_slice()),
        };
        one.into_iter()
            .chain(several.iter().filter_map(Piece::expr))
    }
}

impl Piece {
    /// The expression, if it is one.
    #[must_use]
    pub fn expr(&self) -> Option<&Expr> {
        match self {
            Self::Expr(expr) => Some(expr),
            Self::Text(_) => None,
        }
    }
}

/// Joins pieces to text; `None` where one is missing.
///
/// # Errors
/// A text for people.
pub fn join(pieces: &[Piece], scope: &Scope) -> Result<Option<String>, String> {
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Expr(expr) => match expr.json(scope)? {
                Some(Json::String(text)) => out.push_str(&text),
                Some(value) => match plain(&value) {
                    Some(text) => out.push_str(&text),
                    None => return Ok(None),
                },
                None => return Ok(None),
            },
        }
    }
    Ok(Some(out))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn results_keep_their_type_and_what_is_missing_is_missing() {
        let scope = Scope::new().with_json(
            "answer",
            &json!({"a": {"b": [1, 2]}, "n": 2_700_000_000_000_001_i64, "t": "x"}),
        );
        let run = |source: &str| Expr::compile(source).unwrap().json(&scope);
        assert_eq!(run("answer.a.b"), Ok(Some(json!([1, 2]))));
        assert_eq!(run("answer.n"), Ok(Some(json!(2_700_000_000_000_001_i64))));
        assert_eq!(run("answer.no.such.thing"), Ok(None));
        assert_eq!(run("answer.no == 'x'"), Ok(Some(json!(false))));
        assert_eq!(run("answer.no or answer.t"), Ok(Some(json!("x"))));
        assert_eq!(run("answer.no is defined"), Ok(Some(json!(false))));
        assert_eq!(run("none"), Ok(Some(json!(null))));
        assert_eq!(
            Expr::compile("answer.t").unwrap().list(&scope),
            Ok(vec![json!("x")])
        );
        assert!(run("answer.t | int").is_err());
    }
}
