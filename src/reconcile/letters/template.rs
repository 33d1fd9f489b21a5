//! The words of a letter: two templates, tried with an example when the configuration is read.
//!
//! What comes from the directory is one line without control characters wherever it stands, so that nobody can write a
//! header or a second paragraph by changing their name. The password is no value of the template: a mark stands for it until
//! everything else is rendered, so that no filter, error or copy of the template engine ever sees it.

use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::model::LetterKind;

/// Stands for the password while rendering. Private-use characters are cleaned out of everything else.
const MARK: &str = "\u{E0F0}password\u{E0F1}";
/// Longest value and longest subject, in characters.
const LONGEST_VALUE: usize = 256;
const LONGEST_SUBJECT: usize = 200;
/// Largest body, in bytes.
const LARGEST: usize = 64 << 10;

/// What a letter can speak of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Words {
    /// The person's name.
    pub person: String,
    /// Their name in the application.
    pub login: String,
    /// The application.
    pub target: String,
    /// When access ends, on the person's wall clock; for letters that warn.
    pub closes: Option<String>,
}

/// The words of one kind of letter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Template {
    kind: LetterKind,
    subject: String,
    body: String,
}

/// A letter with its words.
#[derive(Debug)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// The text, password included.
    pub body: SecretString,
}

impl Template {
    /// Templates for subject and body, after a trial.
    ///
    /// # Errors
    /// What is wrong with which of them: "subject" or "body".
    pub fn new(
        kind: LetterKind,
        subject: &str,
        body: &str,
    ) -> Result<Self, (&'static str, String)> {
        let template = Self {
            kind,
            subject: subject.to_owned(),
            body: body.to_owned(),
        };
        let words = Words {
            person: "Ada Lovelace".to_owned(),
            login: "ada".to_owned(),
            target: "crm".to_owned(),
            closes: template
                .speaks_of_a_time()
                .then(|| "Mon 2026-03-02 18:00 Europe/Berlin".to_owned()),
        };
        let subject = template.line(&words).map_err(|why| ("subject", why))?;
        if subject.is_empty() {
            return Err(("subject", "the subject is empty".to_owned()));
        }
        let body = template.text(&words).map_err(|why| ("body", why))?;
        if template.has_password() && !body.contains(MARK) {
            return Err((
                "body",
                "the password is not in it; write {{ password }} where it shall stand".to_owned(),
            ));
        }
        Ok(template)
    }

    /// The words of a kind of letter when none are written in the configuration.
    #[must_use]
    pub fn standard(kind: LetterKind) -> (&'static str, &'static str) {
        match kind {
            LetterKind::Welcome => (
                "Your account for {{ target }}",
                "Hello {{ person }},\n\nan account for {{ target }} was made for you.\n\n  login     {{ login }}\n  password  {{ password }}\n\nPlease log in soon and choose a password of your own.\n",
            ),
            LetterKind::Reset => (
                "Your new password for {{ target }}",
                "Hello {{ person }},\n\nyour account for {{ target }} is open again, with a new password.\n\n  login     {{ login }}\n  password  {{ password }}\n\nPlease choose a password of your own.\n",
            ),
            LetterKind::ClosingSoon => (
                "Your access to {{ target }} ends at {{ closes }}",
                "Hello {{ person }},\n\nyour access to {{ target }} as {{ login }} ends at {{ closes }}. Please save your work before.\n",
            ),
        }
    }

    fn has_password(&self) -> bool {
        match self.kind {
            LetterKind::Welcome | LetterKind::Reset => true,
            LetterKind::ClosingSoon => false,
        }
    }

    fn speaks_of_a_time(&self) -> bool {
        !self.has_password()
    }

    /// The letter.
    ///
    /// # Errors
    /// What a template could not do with these words; never the password.
    pub fn render(
        &self,
        words: &Words,
        password: Option<&SecretString>,
    ) -> Result<Rendered, String> {
        let subject = self.line(words)?;
        let text = self.text(words)?;
        let filling = password.map_or("", |password| password.expose_secret());
        if self.has_password() && filling.is_empty() {
            return Err("there is no password to tell".to_owned());
        }
        let marks = text.matches(MARK).count();
        let mut body = Zeroizing::new(String::with_capacity(text.len() + marks * filling.len()));
        for (n, part) in text.split(MARK).enumerate() {
            if n > 0 {
                body.push_str(filling);
            }
            body.push_str(part);
        }
        Ok(Rendered {
            subject,
            body: SecretString::from(body.as_str()),
        })
    }

    /// The subject: one line, and no password in it.
    fn line(&self, words: &Words) -> Result<String, String> {
        let line = self.fill(&self.subject, words, None)?;
        let line: String = line
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .take(LONGEST_SUBJECT)
            .collect();
        Ok(line)
    }

    fn text(&self, words: &Words) -> Result<String, String> {
        let mark = self.has_password().then_some(MARK);
        let mut text = self.fill(&self.body, words, mark)?;
        // The template engine drops one line end.
        if self.body.ends_with('\n') {
            text.push('\n');
        }
        if text.len() > LARGEST {
            return Err(format!("the text is larger than {LARGEST} bytes"));
        }
        Ok(text)
    }

    fn fill(&self, source: &str, words: &Words, mark: Option<&str>) -> Result<String, String> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(100_000));
        let clean_words = context! {
            person => clean(&words.person),
            login => clean(&words.login),
            target => clean(&words.target),
        };
        let closes = words.closes.as_deref().map(clean);
        let values = match (mark, closes) {
            (Some(mark), _) => context! { password => mark, ..clean_words },
            (None, Some(closes)) => context! { closes => closes, ..clean_words },
            (None, None) => clean_words,
        };
        environment
            .render_str(source, values)
            .map_err(|error| match error.line() {
                Some(line) => format!("line {line}: {}", reason(&error)),
                None => reason(&error),
            })
    }
}

fn reason(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// One line of what people may read: no control characters, nothing that turns writing around, nothing that can be taken
/// for the mark, and not endlessly long.
fn clean(text: &str) -> String {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}')
            || matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}')
    };
    text.chars()
        .map(|c| if harmful(c) { ' ' } else { c })
        .take(LONGEST_VALUE)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        Words {
            person: "Ann\r\nBcc: all@example.com\u{202E}{{ password }}\u{E0F0}password\u{E0F1}"
                .to_owned(),
            login: "ann".to_owned(),
            target: "crm".to_owned(),
            closes: None,
        }
    }

    #[test]
    fn standard_words_are_sound() {
        for kind in LetterKind::ALL {
            let (subject, body) = Template::standard(kind);
            let template = Template::new(kind, subject, body).unwrap();
            let with_time = Words {
                closes: Some("Mon 2026-03-02 18:00 Europe/Berlin".to_owned()),
                ..words()
            };
            let password = SecretString::from("hunter2");
            let rendered = template.render(&with_time, Some(&password)).unwrap();
            assert!(!rendered.subject.contains("hunter2"));
            let count = rendered.body.expose_secret().matches("hunter2").count();
            assert_eq!(count, usize::from(template.has_password()));
        }
    }

    #[test]
    fn names_add_no_lines_and_reach_no_password() {
        let template = Template::new(
            LetterKind::Welcome,
            "For {{ person }}",
            "Hello {{ person }}\n{{ password }}",
        )
        .unwrap();
        let password = SecretString::from("hunter2");
        let rendered = template.render(&words(), Some(&password)).unwrap();
        assert!(!rendered.subject.contains(['\r', '\n', '\u{202E}']));
        let body = rendered.body.expose_secret();
        assert_eq!(body.lines().count(), 2);
        assert_eq!(body.matches("hunter2").count(), 1);
        assert!(body.ends_with("\nhunter2"));
    }

    #[test]
    fn a_percent_sign_or_mark_in_the_password_is_kept() {
        let template =
            Template::new(LetterKind::Reset, "s", "{{ password }}|{{ password }}").unwrap();
        let password = SecretString::from("{{ x }}%s\\");
        let rendered = template.render(&Words::default(), Some(&password)).unwrap();
        assert_eq!(rendered.body.expose_secret(), "{{ x }}%s\\|{{ x }}%s\\");
        assert!(template.render(&Words::default(), None).is_err());
    }

    #[test]
    fn what_a_letter_cannot_say_is_refused_when_it_is_read() {
        for (kind, subject, body, at) in [
            (LetterKind::Welcome, "s", "no word of it", "body"),
            (
                LetterKind::Welcome,
                "{{ password }}",
                "{{ password }}",
                "subject",
            ),
            (LetterKind::Welcome, "s", "{{ pasword }}", "body"),
            (LetterKind::Welcome, "s", "{{ password", "body"),
            (
                LetterKind::Welcome,
                "s",
                "{{ closes }}{{ password }}",
                "body",
            ),
            (LetterKind::ClosingSoon, "s", "{{ password }}", "body"),
            (LetterKind::Welcome, "{{ '' }}", "{{ password }}", "subject"),
            (
                LetterKind::Welcome,
                "s",
                "{{ password }}{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}",
                "body",
            ),
            (
                LetterKind::Welcome,
                "s",
                "{% include 'x' %}{{ password }}",
                "body",
            ),
            // A filter would change the password: its mark is not found any more.
            (LetterKind::Welcome, "s", "{{ password|upper }}", "body"),
        ] {
            let (found, why) = Template::new(kind, subject, body).unwrap_err();
            assert_eq!(found, at, "{subject} {body}: {why}");
        }
    }
}
