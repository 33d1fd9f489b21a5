//! One policy: when it is open, in whose time zone, and for whom it is.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::calendar::Calendar;
use super::hours::Hours;
use super::layer::Layer;
use super::week::Week;
use super::zones::{Zone, Zones};
use crate::model::{Identity, normalise_dn};
use crate::reconcile::mapping::Selector;

/// The attribute with a person's logon hours unless another is named.
pub const HOURS_ATTRIBUTE: &str = "logonhours";
/// The year whose offsets say what winter and summer time are: the rules in force go on unchanged until then.
const OFFSETS_OF: i16 = 2037;

/// How `logonHours` are understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HoursMode {
    /// As they are, in universal time: on the wall they move with daylight saving time.
    Exact,
    /// As the local hours they were meant to be, entered while this time was in force.
    Local(Season),
}

/// Which of a zone's offsets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Season {
    /// The smaller one.
    Winter,
    /// The larger one.
    Summer,
}

/// What happens to a person whose `logonHours` cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnWrong {
    /// Their account stays as it is.
    Hold,
    /// They have no access.
    Deny,
}

/// Where a policy's times come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Times {
    /// The configuration.
    Week(Week),
    /// Each person's `logonHours`.
    Hours {
        /// The attribute, in lower case.
        attribute: String,
        /// How they are understood.
        mode: HoursMode,
        /// What happens if they cannot be.
        on_wrong: OnWrong,
    },
}

/// Which time zone holds for a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZoneRule {
    /// For everybody for whom no other is known.
    pub default: Zone,
    /// The directory attribute that tells it, in lower case.
    pub attribute: Option<String>,
    /// What the attribute's values mean, keys in lower case; without a table they are names of zones.
    pub sites: Option<BTreeMap<String, Zone>>,
}

impl ZoneRule {
    /// The zone of a person, and what is wrong with what the directory says about it.
    #[must_use]
    pub fn find(&self, identity: &Identity, zones: &Zones) -> (Zone, Option<String>) {
        let value = self
            .attribute
            .as_ref()
            .and_then(|name| identity.attributes.text(name))
            .map(str::trim)
            .filter(|value| !value.is_empty());
        let Some(value) = value else {
            return (self.default.clone(), None);
        };
        let found = match &self.sites {
            Some(sites) => sites.get(&value.to_lowercase()).cloned(),
            None => zones.get(value),
        };
        found.map(|zone| (zone, None)).unwrap_or_else(|| {
            let shown: String = value
                .chars()
                .take(40)
                .flat_map(char::escape_debug)
                .collect();
            let attribute = self.attribute.as_deref().unwrap_or_default();
            let what = if self.sites.is_some() {
                "no site of that name is configured"
            } else {
                "there is no time zone of that name"
            };
            let default = &self.default;
            let notice = format!("{attribute} is \"{shown}\", but {what}; {default} is used");
            (default.clone(), Some(notice))
        })
    }
}

/// People by anchor or DN.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Named {
    anchors: BTreeSet<String>,
    dns: BTreeSet<String>,
}

impl Named {
    /// From anchors and DNs as written.
    pub fn of<'t>(names: impl IntoIterator<Item = &'t str>) -> Self {
        let mut named = Self::default();
        for name in names {
            match normalise_dn(name).filter(|_| name.contains('=')) {
                Some(dn) => named.dns.insert(dn),
                None => named.anchors.insert(anchor_form(name)),
            };
        }
        named
    }

    /// Whether a person is among them.
    #[must_use]
    pub fn contains(&self, identity: &Identity) -> bool {
        self.anchors.contains(identity.anchor.as_str())
            || (!self.dns.is_empty()
                && normalise_dn(&identity.dn).is_some_and(|dn| self.dns.contains(&dn)))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.anchors.len() + self.dns.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Anchors that are UUIDs are held in lower case.
fn anchor_form(text: &str) -> String {
    crate::model::Anchor::new(text).map_or_else(|_why| text.to_owned(), |a| a.as_str().to_owned())
}

/// Who a policy is for, or who is exempt.
#[derive(Debug, Default)]
pub struct Assignment {
    /// Everybody.
    pub everybody: bool,
    /// These, whatever else is written.
    pub people: Named,
    /// Those to whom its clauses apply.
    pub selector: Option<Selector>,
}

impl Assignment {
    /// Whether a person is meant.
    ///
    /// # Errors
    /// Why it cannot be said.
    pub fn means(&self, identity: &Identity) -> Result<bool, String> {
        if self.everybody || self.people.contains(identity) {
            return Ok(true);
        }
        let Some(selector) = &self.selector else {
            return Ok(false);
        };
        let scope = selector.judge(identity);
        scope.error.map_or(Ok(scope.inside), Err)
    }

    /// Whether nobody can be meant.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        !self.everybody && self.people.is_empty() && self.selector.is_none()
    }
}

/// When some people have access.
#[derive(Debug)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Its times.
    pub times: Times,
    /// Closed days and extra openings.
    pub calendar: Calendar,
    /// In whose time zone.
    pub zone: ZoneRule,
    /// For whom.
    pub people: Assignment,
    /// Whether what is closed stays closed after a read of the directory that failed.
    pub strict: bool,
}

/// What a policy makes of one person.
pub(super) enum Applied {
    /// It is not for them.
    No,
    /// It is, and this is when it is open.
    Yes(Layer),
    /// It is, and sets no bounds for them.
    Unrestricted,
    /// It cannot be said when.
    Unknown(String),
}

impl Policy {
    /// What it makes of one person; what should be told is added to the notices.
    pub(super) fn apply(
        &self,
        index: usize,
        identity: &Identity,
        zones: &Zones,
        notices: &mut Vec<String>,
    ) -> Applied {
        match self.people.means(identity) {
            Ok(true) => {}
            Ok(false) => return Applied::No,
            Err(why) => {
                return Applied::Unknown(format!("who policy {} is for: {why}", self.name));
            }
        }
        let (zone, notice) = self.zone.find(identity, zones);
        notices.extend(notice);
        let Times::Hours {
            attribute,
            mode,
            on_wrong,
        } = &self.times
        else {
            return Applied::Yes(Layer::new(index, zone, None));
        };
        let Some(bytes) = identity.attributes.bytes(attribute) else {
            // Active Directory lets people in at all hours if nothing is set.
            return Applied::Unrestricted;
        };
        let zone = match mode {
            HoursMode::Exact => Zone::utc(),
            HoursMode::Local(_) => zone,
        };
        match (Hours::read(bytes), on_wrong) {
            (Ok(hours), _) => Applied::Yes(Layer::new(index, zone, Some(hours))),
            (Err(why), OnWrong::Hold) => Applied::Unknown(why),
            (Err(why), OnWrong::Deny) => {
                notices.push(format!("{why}; no access until then"));
                Applied::Yes(Layer::never(index, zone))
            }
        }
    }

    /// The weekly windows of a person with these hours, on the wall clock of a zone.
    #[must_use]
    pub fn week(&self, zone: &Zone, hours: Option<Hours>) -> Week {
        match (&self.times, hours) {
            (Times::Week(week), _) => week.clone(),
            (Times::Hours { mode, .. }, Some(hours)) => hours.week(match mode {
                HoursMode::Exact => 0,
                HoursMode::Local(season) => offset(zone, *season),
            }),
            (Times::Hours { .. }, None) => Week::always(),
        }
    }

    /// The directory attributes that it reads, in lower case.
    #[must_use]
    pub fn source_attributes(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        names.extend(self.zone.attribute.clone());
        if let Times::Hours { attribute, .. } = &self.times {
            names.insert(attribute.clone());
        }
        if let Some(selector) = &self.people.selector {
            names.extend(selector.source_attributes().iter().cloned());
        }
        names
    }

    /// The next moments at which it opens (`true`) or closes in a zone, for somebody without hours of their own.
    #[must_use]
    pub fn edges(&self, zone: &Zone, from: Timestamp, count: usize) -> Vec<(Timestamp, bool)> {
        let layer = Layer::new(0, zone.clone(), None);
        let week = self.week(zone, None);
        let now = from.as_second();
        let mut found = Vec::new();
        for days in super::schedule::AHEAD {
            let until = now + days * 86_400;
            found = super::schedule::open(self, &layer, &week, now, until)
                .edges(now, until - 1)
                .take(count)
                .filter_map(|(at, open)| Some((Timestamp::from_second(at).ok()?, open)))
                .collect();
            if found.len() >= count {
                break;
            }
        }
        found
    }
}

/// A zone's offset from universal time in one of its seasons, in minutes.
#[must_use]
pub fn offset(zone: &Zone, season: Season) -> i32 {
    let (winter, summer) = zone.offsets(OFFSETS_OF);
    match season {
        Season::Winter => winter,
        Season::Summer => summer,
    }
}
