//! A MODEL of EMDECS and of its administrator. EMDECS has no interface, so there is nothing to simulate but what the
//! screens allow: the administrator works through the CSV of a work list, and the model refuses what EMDECS refuses.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::Ledger;

/// One user or employee.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Fields by the mapping's names.
    pub fields: BTreeMap<String, String>,
    /// Licences held.
    pub licences: BTreeSet<String>,
    /// Whether it is enabled.
    pub enabled: bool,
}

/// The users, or the employees.
#[derive(Debug)]
pub struct Emdecs {
    /// The field by which a record is known.
    pub id: &'static str,
    /// What must be there.
    pub required: &'static [&'static str],
    /// What has an effective date, as `…_from`, and perhaps a termination date, as `…_until`.
    pub dated: &'static [(&'static str, &'static [&'static str])],
    /// How many there are of each counted licence.
    pub stock: BTreeMap<String, usize>,
    /// The records.
    pub records: BTreeMap<String, Record>,
    /// The ledger.
    pub ledger: Ledger,
}

/// A task as the CSV has it: task, what to do, account, fields.
pub type Row = (String, String, String, Vec<(String, String)>);

/// The tasks of a CSV list, in their order.
pub fn tasks(csv: &[u8]) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(csv);
    let mut tasks: Vec<Row> = Vec::new();
    for record in reader.records() {
        let record = record.expect("the list is CSV");
        let cell = |n: usize| {
            let cell = record.get(n).unwrap_or("");
            cell.strip_prefix('\'').unwrap_or(cell).to_owned()
        };
        if tasks.last().is_none_or(|(id, ..)| *id != cell(1)) {
            tasks.push((cell(1), cell(2), cell(3), Vec::new()));
        }
        if let Some((_, _, _, fields)) = tasks.last_mut().filter(|_| !cell(4).is_empty()) {
            fields.push((cell(4), cell(6)));
        }
    }
    tasks
}

impl Emdecs {
    /// Nothing but a stock of licences.
    pub fn new(
        id: &'static str,
        required: &'static [&'static str],
        stock: &[(&str, usize)],
    ) -> Self {
        Self {
            id,
            required,
            dated: &[],
            stock: stock
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect(),
            records: BTreeMap::new(),
            ledger: Ledger::default(),
        }
    }

    /// Whether somebody can work with it on a day: it is enabled, and nothing that it needs has ended.
    pub fn works(&self, account: &str, day: &str) -> bool {
        let Some(record) = self.records.get(account) else {
            return false;
        };
        let untils = self.dated.iter().flat_map(|(_, dates)| *dates);
        let mut untils = untils.filter(|name| name.ends_with("_until"));
        record.enabled
            && untils.all(|name| {
                record
                    .fields
                    .get(*name)
                    .is_some_and(|until| day < until.as_str())
            })
    }

    fn free(&self, licence: &str) -> bool {
        let used = self
            .records
            .values()
            .filter(|record| record.licences.contains(licence))
            .count();
        self.stock.get(licence).is_none_or(|stock| used < *stock)
    }

    /// Does what a task says, as far as the screens let it.
    pub fn perform(&mut self, (_, what, account, fields): &Row) -> Result<(), String> {
        let text = format!("{fields:?}");
        match what.as_str() {
            "create" => {
                if self.records.contains_key(account) {
                    return Err(format!("{account} exists"));
                }
                for name in self.required {
                    if !fields
                        .iter()
                        .any(|(field, value)| field == name && !value.is_empty())
                    {
                        return Err(format!("{name} is outlined in red"));
                    }
                }
                self.records.insert(
                    account.clone(),
                    Record {
                        enabled: true,
                        ..Record::default()
                    },
                );
                self.ledger.note("create", account, "");
                self.enter(account, fields)
            }
            "change" | "renew" => {
                let has = |name: &str| {
                    fields
                        .iter()
                        .any(|(field, value)| field == name && !value.is_empty())
                };
                for (_, dates) in self.dated.iter().filter(|(name, _)| has(name)) {
                    if let Some(date) = dates.iter().find(|date| !has(date)) {
                        return Err(format!("{date} is outlined in red"));
                    }
                }
                self.ledger.note("change", account, text);
                self.enter(account, fields)
            }
            "disable" => {
                let record = self.records.get_mut(account).ok_or("no such record")?;
                record.enabled = false;
                // Disabling removes all licences.
                record.licences.clear();
                self.ledger.note("disable", account, "");
                Ok(())
            }
            "enable" => {
                let record = self.records.get_mut(account).ok_or("no such record")?;
                record.enabled = true;
                self.ledger.note("enable", account, "");
                self.enter(account, fields)
            }
            other => Err(format!("{other} is not to be done in EMDECS")),
        }
    }

    fn enter(&mut self, account: &str, fields: &[(String, String)]) -> Result<(), String> {
        for (name, value) in fields {
            if name == "licences" {
                let wanted: BTreeSet<String> = value
                    .split(", ")
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned)
                    .collect();
                let held = self
                    .records
                    .get(account)
                    .map(|r| r.licences.clone())
                    .unwrap_or_default();
                for licence in wanted.difference(&held) {
                    if !self.free(licence) {
                        return Err(format!("no licence {licence} is left"));
                    }
                    self.ledger.note("licence", account, licence.clone());
                }
                self.records
                    .get_mut(account)
                    .ok_or("no such record")?
                    .licences = wanted;
            } else {
                let record = self.records.get_mut(account).ok_or("no such record")?;
                record.fields.insert(name.clone(), value.clone());
            }
        }
        Ok(())
    }

    /// The export of all records, with these columns as pairs of field and title.
    pub fn export(&self, columns: &[(&str, &str)]) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let titles = columns.iter().map(|(_, title)| *title).chain(["Status"]);
        writer.write_record(titles).expect("memory takes it");
        for record in self.records.values() {
            let cells = columns.iter().map(|(field, _)| match *field {
                "licences" => record
                    .licences
                    .iter()
                    .cloned()
                    .collect::<Vec<_>>()
                    .join("; "),
                field => record.fields.get(field).cloned().unwrap_or_default(),
            });
            let status = if record.enabled { "Active" } else { "Inactive" };
            writer
                .write_record(cells.chain([status.to_owned()]))
                .expect("memory takes it");
        }
        String::from_utf8(writer.into_inner().expect("memory takes it")).expect("it is text")
    }
}
