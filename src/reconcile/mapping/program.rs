//! Templates and expressions, compiled once and run per identity within limits.

use minijinja::value::{Value as Jinja, ValueKind};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};

use super::convert::{self, account_text, account_value};
use super::facts::LARGEST;
use super::filters;
use super::seen::{Found, Plain, Seen};
use crate::model::Value;

/// Steps that one evaluation may take.
const FUEL: u64 = 20_000;
/// How deep an evaluation may nest.
const DEPTH: usize = 50;
/// The longest error message kept.
const LONGEST_MESSAGE: usize = 400;
/// The variable that carries an expression's result out of the engine. Attribute names have no underscore.
const RESULT: &str = "provost_result";

/// What a program is.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Form {
    /// The same value for everybody.
    Constant(Option<Value>),
    /// A template: its result is text.
    Text,
    /// A template that is one plain name and nothing else.
    Name(Plain),
    /// An expression: its result has a type.
    Typed,
}

/// One compiled template or expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Program {
    /// The field in the mapping file, which is also its name in the engine.
    pub field: String,
    /// As written.
    pub source: String,
    /// What it reads: attributes in lower case, and variables by their name.
    pub inputs: Vec<String>,
    form: Form,
    strict: bool,
}

/// Why a program gave no value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    /// Something it needs is missing.
    Missing,
    /// It cannot be evaluated for this identity.
    Broken(String),
}

/// The engine that all programs of a mapping run in.
///
/// Comparing with something missing is plain: it is equal to nothing, and no list has it.
/// Joining with `~` and ordering with `<` have no such answer, so programs that use them run strictly:
/// what touches something missing is missing as a whole. Writing something missing always is.
#[derive(Debug)]
pub(super) struct Engine {
    plain: Environment<'static>,
    strict: Environment<'static>,
}

/// What has been written so far in one evaluation.
struct Written(usize);

fn environment(undefined: UndefinedBehavior) -> Environment<'static> {
    let mut env = Environment::empty();
    env.set_undefined_behavior(undefined);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(DEPTH);
    env.set_debug(false);
    env.set_formatter(|out, state, value| {
        let Some(text) = filters::text(value)? else {
            return Err(Error::from(ErrorKind::UndefinedError));
        };
        let written = state.get_or_insert_extension(Written(0));
        written.0 = written.0.saturating_add(text.len());
        if written.0 > LARGEST {
            return Err(filters::refuse(format!(
                "the result is larger than {LARGEST} bytes"
            )));
        }
        out.write_str(&text).map_err(Error::from)
    });
    filters::add(&mut env);
    convert::add(&mut env);
    env
}

impl Engine {
    pub fn new() -> Self {
        Self {
            plain: environment(UndefinedBehavior::Lenient),
            strict: environment(UndefinedBehavior::SemiStrict),
        }
    }

    fn env(&self, program: &Program) -> &Environment<'static> {
        if program.strict {
            &self.strict
        } else {
            &self.plain
        }
    }

    fn add(&mut self, program: &Program, template: String) -> Result<(), Error> {
        let env = if program.strict {
            &mut self.strict
        } else {
            &mut self.plain
        };
        env.add_template_owned(program.field.clone(), template)
    }

    /// The value of a text literal as a template spells it.
    pub fn literal(&self, literal: &str) -> Option<String> {
        let value = self
            .plain
            .compile_expression_owned(literal.to_owned())
            .ok()?
            .eval(())
            .ok()?;
        value.as_str().map(str::to_owned)
    }

    /// Compiles a template. The second value is the set of names it leaves open.
    ///
    /// # Errors
    /// When it is not a template.
    pub fn template(
        &mut self,
        field: &str,
        source: &str,
        strict: bool,
    ) -> Result<(Program, Vec<String>), Error> {
        if super::scan::fixed_ends(source).is_none() {
            let program = Program::constant(field, source, account_text(source));
            return Ok((program, Vec::new()));
        }
        let mut program = Program::new(field, source, Form::Text, strict);
        self.add(&program, source.to_owned())?;
        let open = self
            .env(&program)
            .get_template(field)?
            .undeclared_variables(false);
        let open: Vec<String> = open.into_iter().collect();
        if let [name] = open.as_slice()
            && super::scan::only_name(source) == Some(name.as_str())
        {
            program.form = Plain::of(name).map_or(Form::Text, Form::Name);
        }
        Ok((program, open))
    }

    /// Compiles an expression. The second value is the set of names it leaves open.
    ///
    /// # Errors
    /// When it is not an expression.
    pub fn expression(
        &mut self,
        field: &str,
        source: &str,
        strict: bool,
    ) -> Result<(Program, Vec<String>), Error> {
        let expression = self.plain.compile_expression_owned(source.to_owned())?;
        let open = expression.undeclared_variables(false).into_iter().collect();
        let program = Program::new(field, source, Form::Typed, strict);
        // The engine keeps templates only. Accepted as an expression just now, the text cannot end the tag early.
        self.add(&program, format!("{{% set {RESULT} = ({source}) %}}"))?;
        Ok((program, open))
    }

    /// Runs a program. What is a plain name is read without running the engine: most of a mapping is that.
    ///
    /// # Errors
    /// When the value is missing or cannot be made.
    pub fn run(&self, program: &Program, seen: &Seen<'_>) -> Result<Value, Failure> {
        let found = match &program.form {
            Form::Constant(value) => return value.clone().ok_or(Failure::Missing),
            Form::Name(name) => seen.plain(name),
            Form::Text | Form::Typed => Found::Other,
        };
        match found {
            Found::Text(text) => account_text(text).ok_or(Failure::Missing),
            Found::Nothing => Err(Failure::Missing),
            Found::Other => self.evaluate(program, seen.root()),
        }
    }

    /// Runs a program that may name a group besides, this one.
    ///
    /// # Errors
    /// When the value is missing or cannot be made.
    pub fn run_for(
        &self,
        program: &Program,
        seen: &Seen<'_>,
        group: &str,
    ) -> Result<Value, Failure> {
        if program.form == Form::Name(Plain::Group)
            && let Found::Text(name) = Found::text(group)
        {
            return account_text(name).ok_or(Failure::Missing);
        }
        self.run_with(program, seen, "group", Jinja::from(group))
    }

    /// Runs a program with one more variable.
    ///
    /// # Errors
    /// When the value is missing or cannot be made.
    pub fn run_with(
        &self,
        program: &Program,
        seen: &Seen<'_>,
        name: &'static str,
        value: Jinja,
    ) -> Result<Value, Failure> {
        self.evaluate(program, &seen.facts().with(name, value))
    }

    fn evaluate(&self, program: &Program, root: &Jinja) -> Result<Value, Failure> {
        let found = match &program.form {
            Form::Constant(value) => Ok(value.clone()),
            Form::Name(_) | Form::Text => self.text(program, root),
            Form::Typed => self
                .value(program, root)
                .and_then(|value| account_value(&value)),
        };
        found
            .map_err(|error| failure(program, &error))?
            .ok_or(Failure::Missing)
    }

    /// Runs a condition: whether its result counts as true. Something missing counts as false.
    ///
    /// # Errors
    /// When it cannot be evaluated for this identity.
    pub fn holds(&self, program: &Program, seen: &Seen<'_>) -> Result<bool, String> {
        let root = seen.root();
        let found = match &program.form {
            Form::Constant(value) => return Ok(matches!(value, Some(Value::Bool(true)))),
            Form::Name(_) | Form::Text => self.text(program, root).map(|text| text.is_some()),
            Form::Typed => self.value(program, root).map(|value| value.is_true()),
        };
        match found.map_err(|error| failure(program, &error)) {
            Ok(holds) => Ok(holds),
            Err(Failure::Missing) => Ok(false),
            Err(Failure::Broken(why)) => Err(why),
        }
    }

    fn text(&self, program: &Program, root: &Jinja) -> Result<Option<Value>, Error> {
        let text = self
            .env(program)
            .get_template(&program.field)?
            .render(root.clone())?;
        Ok(account_text(&text))
    }

    fn value(&self, program: &Program, root: &Jinja) -> Result<Jinja, Error> {
        let done = self
            .env(program)
            .get_template(&program.field)?
            .render_captured(root.clone())?;
        let value = done.state().lookup(RESULT).unwrap_or(Jinja::UNDEFINED);
        if value.kind() == ValueKind::Invalid {
            return Err(filters::refuse("the result is invalid"));
        }
        Ok(value)
    }
}

impl Program {
    fn new(field: &str, source: &str, form: Form, strict: bool) -> Self {
        Self {
            field: field.to_owned(),
            source: source.to_owned(),
            inputs: Vec::new(),
            form,
            strict,
        }
    }

    /// The same value for everybody.
    pub fn constant(field: &str, source: &str, value: Option<Value>) -> Self {
        Self::new(field, source, Form::Constant(value), false)
    }

    /// The value, if it is the same for everybody.
    pub fn fixed(&self) -> Option<&Value> {
        match &self.form {
            Form::Constant(value) => value.as_ref(),
            Form::Text | Form::Name(_) | Form::Typed => None,
        }
    }
}

fn failure(program: &Program, error: &Error) -> Failure {
    // Arithmetic with something missing; the message names types only, so no value can imitate it.
    let arithmetic =
        |detail: &str| detail.starts_with("tried to use") && detail.contains("undefined");
    if error.kind() == ErrorKind::UndefinedError || error.detail().is_some_and(arithmetic) {
        return Failure::Missing;
    }
    let what = error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned);
    let line = match error.line() {
        Some(line) if program.source.lines().nth(1).is_some() => format!(" line {line}"),
        Some(_) | None => String::new(),
    };
    let inputs = if program.inputs.is_empty() {
        String::new()
    } else {
        format!(" (it uses {})", program.inputs.join(", "))
    };
    let message = format!("{}{line}: {what}{inputs}", program.field);
    Failure::Broken(plain(&message))
}

/// A message without control characters and of bounded length: it may quote values.
pub(super) fn plain(message: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    message.chars().take(LONGEST_MESSAGE).map(shown).collect()
}
