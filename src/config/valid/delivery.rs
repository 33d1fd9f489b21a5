//! How people are told their passwords, and what: `[delivery]`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{DeliverySpec, Outside, TargetSpec, common};
use crate::config::keys;
use crate::config::raw::{Located, Section};
use crate::config::secret::FORMS;
use crate::deliver::settings::{
    Channel, DeliverySettings, SmtpSecurity, SmtpSettings, WebhookSettings,
};
use crate::model::{LetterKind, Problem};
use crate::reconcile::letters::{LetterRule, LetterRules, Recipient, Template, judge_address};
use crate::target::settings::ConnectorSettings;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

#[derive(Clone, Copy)]
enum Type {
    Smtp,
    Webhook,
}

const TYPES: [(&str, Type); 2] = [("smtp", Type::Smtp), ("webhook", Type::Webhook)];

/// Whether work lists are sent. Without a way to send them that is an error.
pub fn lists(root: &Section<'_>, sections: &[Section<'_>], targets: &[Option<TargetSpec>]) -> bool {
    let mut some = false;
    for (section, target) in sections.iter().zip(targets) {
        let Some(ConnectorSettings::WorkList(list)) = target.as_ref().map(|t| &t.connector) else {
            continue;
        };
        some |= list.send_to.is_some();
        if list.send_to.is_some() && !root.has("delivery") {
            section.error(
                "send-to",
                "nothing says how the list is sent",
                "add [delivery] with `type` \"smtp\" or \"webhook\"",
            );
        }
    }
    some
}

/// Reads `[delivery]`; the outer `None` after errors. `papers` says that work lists or
/// reports are sent as well.
pub fn read(
    root: &Section<'_>,
    targets: &[String],
    papers: bool,
    outside: &dyn Outside,
) -> Option<Option<DeliverySpec>> {
    if !root.has("delivery") {
        return Some(None);
    }
    let section = root.any_table("delivery")?;
    if !section.has("type") {
        section.missing("type", "\"smtp\" or \"webhook\"");
    }
    let kind = section.choice("type", &TYPES)?;
    section.expect(match kind {
        Type::Smtp => &keys::DELIVERY_SMTP,
        Type::Webhook => &keys::DELIVERY_WEBHOOK,
    });
    let channel = match kind {
        Type::Smtp => smtp(&section, outside).map(Channel::Smtp),
        Type::Webhook => webhook(&section, outside).map(Channel::Webhook),
    };
    let give_up_after = section
        .duration("give-up-after", 5 * MINUTE..=30 * DAY)
        .unwrap_or(3 * DAY);
    let rules = rules(&section, targets, outside);
    if rules.by_kind.is_empty() && !papers {
        section.warning(
            "type",
            "no letter is configured, so nothing is ever delivered",
            "add [delivery.welcome] for the passwords of new accounts, or [delivery.reset]",
        );
    }
    if !rules.by_kind.is_empty() && !root.has("secrets") {
        section.error(
            "type",
            "letters carry passwords, and there is no vault to keep them in until they are sent",
            "add [secrets] with a key; `provost secrets init` makes one",
        );
    }
    Some(Some(DeliverySpec {
        settings: DeliverySettings {
            channel: channel?,
            give_up_after,
        },
        letters: Arc::new(rules),
    }))
}

fn smtp(section: &Section<'_>, outside: &dyn Outside) -> Option<SmtpSettings> {
    let plain = section.flag("danger-plain-text", false);
    let securities = [
        ("starttls", SmtpSecurity::StartTls),
        ("tls", SmtpSecurity::Tls),
    ];
    let mut security = section
        .choice("security", &securities)
        .unwrap_or(SmtpSecurity::StartTls);
    if plain {
        security = SmtpSecurity::Plain;
        section.warning(
            "danger-plain-text",
            "everybody on the way to the mail server can read the passwords",
            "use \"starttls\" or \"tls\"",
        );
        if section.has("security") {
            section.error(
                "security",
                "contradicts danger-plain-text",
                "leave out one of them",
            );
        }
    }
    let port = section
        .number("port", 1..=65_535)
        .and_then(|port| u16::try_from(port).ok());
    let port = port.unwrap_or(match security {
        SmtpSecurity::StartTls => 587,
        SmtpSecurity::Tls => 465,
        SmtpSecurity::Plain => 25,
    });
    let host = section.required("host", "the mail server, such as \"mail.example.com\"");
    let login = login(section, plain, outside);
    let from = address(
        section,
        section.required("from", "the sender, such as \"accounts@example.com\""),
    );
    let reply_to = address(section, section.text("reply-to"));
    let name = section.text("from-name").map(|name| name.value);
    let ca_pem = common::certificates(section, outside);
    Some(SmtpSettings {
        host: host?.value,
        port,
        security,
        ca_pem,
        login: login?,
        from: (from?, name),
        reply_to,
        timeout: common::timeout(section, "timeout", Duration::from_secs(30)),
    })
}

/// User and password belong together; the outer `None` after errors.
fn login(
    section: &Section<'_>,
    plain: bool,
    outside: &dyn Outside,
) -> Option<Option<(String, secrecy::SecretString)>> {
    let user = section.text("user");
    if !section.has("user") && !section.has("password") {
        return Some(None);
    }
    if plain {
        section.error(
            "danger-plain-text",
            "a login would be sent in the open",
            "leave out user and password, or use \"starttls\"",
        );
    }
    if user.is_none() && !section.has("user") {
        section.missing("user", "the name to log in with");
    }
    let password = common::secret(section, "password", outside);
    Some(Some((user?.value, password?)))
}

/// An address that the administrator wrote.
pub(super) fn address(section: &Section<'_>, text: Option<Located<String>>) -> Option<String> {
    let text = text?;
    if judge_address(&text.value).is_ok() {
        return Some(text.value);
    }
    let problem = Problem::new(
        Some(text.span),
        &text.field,
        "must be one plain mail address",
    );
    section.findings().error(
        problem.help("write it like \"accounts@example.com\"; the name goes into from-name"),
    );
    None
}

fn webhook(section: &Section<'_>, outside: &dyn Outside) -> Option<WebhookSettings> {
    let plain = section.flag("danger-plain-text", false);
    let url = section
        .required("url", "where letters are posted, https://")
        .and_then(|text| common::http_url(section, &text, plain));
    if plain {
        section.warning(
            "danger-plain-text",
            "everybody on the way to the webhook can read the passwords",
            "use https://",
        );
    }
    let secret = if section.has("secret") {
        Some(common::secret(section, "secret", outside)?)
    } else {
        section.warning(
            "url",
            "letters are not signed",
            format!("a receiver cannot tell ours from others; {FORMS} as `secret`"),
        );
        None
    };
    let ca_pem = common::certificates(section, outside);
    Some(WebhookSettings {
        url: url?,
        secret,
        ca_pem,
        timeout: common::timeout(section, "timeout", Duration::from_secs(30)),
    })
}

fn rules(section: &Section<'_>, targets: &[String], outside: &dyn Outside) -> LetterRules {
    let manager = section.text("manager-attribute");
    let mut rules = LetterRules {
        by_kind: BTreeMap::new(),
        manager: manager.map_or_else(|| "manager".to_owned(), |text| text.value),
    };
    for kind in LetterKind::ALL {
        let keys = match kind {
            LetterKind::Welcome | LetterKind::Reset => &keys::LETTER,
            LetterKind::ClosingSoon => &keys::LETTER_CLOSING,
        };
        if let Some(letter) = section.table(kind.as_str(), keys)
            && let Some(rule) = rule(&letter, kind, targets, outside)
        {
            rules.by_kind.insert(kind, rule);
        }
    }
    rules
}

fn rule(
    letter: &Section<'_>,
    kind: LetterKind,
    targets: &[String],
    outside: &dyn Outside,
) -> Option<LetterRule> {
    let recipients = [
        ("person", Recipient::Person),
        ("manager", Recipient::Manager),
    ];
    let mut attributes: Vec<String> = common::values(letter.texts("attributes"));
    if attributes.is_empty() {
        attributes.push("mail".to_owned());
    }
    let mut only = BTreeSet::new();
    for name in letter.texts("targets") {
        if !targets.contains(&name.value) {
            let problem = Problem::new(Some(name.span), &name.field, "there is no such target");
            letter.findings().error(problem);
        }
        only.insert(name.value);
    }
    let lead = letter.duration("lead", MINUTE..=DAY);
    Some(LetterRule {
        recipient: letter
            .choice("recipient", &recipients)
            .unwrap_or(Recipient::Person),
        attributes,
        template: Arc::new(template(letter, kind, outside)?),
        targets: only,
        lead: jiff::SignedDuration::try_from(lead.unwrap_or(30 * MINUTE)).unwrap_or_default(),
    })
}

fn template(letter: &Section<'_>, kind: LetterKind, outside: &dyn Outside) -> Option<Template> {
    let (subject, body) = Template::standard(kind);
    let subject = letter
        .text("subject")
        .map_or_else(|| subject.to_owned(), |text| text.value);
    let mut at_body = "body";
    let body = if letter.has("body-file") {
        if letter.has("body") {
            letter.error("body", "there is a body-file too", "leave out one of them");
        }
        at_body = "body-file";
        let path = letter.text("body-file")?;
        match outside.text(&outside.resolve(&path.value)) {
            Ok(text) => text,
            Err(why) => {
                letter.error(
                    "body-file",
                    why,
                    "relative paths begin at the folder of this file",
                );
                return None;
            }
        }
    } else {
        // Not `text`: a letter has lines.
        match letter.peek("body") {
            Some(text) => text.value,
            None if letter.has("body") => {
                letter.error(
                    "body",
                    "must be a text",
                    "write it between \"\"\" and \"\"\"",
                );
                return None;
            }
            None => body.to_owned(),
        }
    };
    let made = Template::new(kind, &subject, &body);
    made.map_err(|(key, why)| {
        let key = if key == "body" { at_body } else { key };
        let help = "it can speak of {{ person }}, {{ login }} and {{ target }}, of {{ password }} in the body of welcome and reset, and of {{ closes }} in closing-soon";
        letter.error(key, format!("the template cannot be used: {why}"), help);
    })
    .ok()
}
