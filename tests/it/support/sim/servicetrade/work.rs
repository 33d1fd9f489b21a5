//! Work that belongs to users: jobs, quotes, appointments and the technicians preferred for recurring services.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::data::{Servicetrade, Work};
use crate::support::sim::wire::{Answer, Call};

const KINDS: [(&str, &str); 4] = [
    ("job", "jobs"),
    ("appointment", "appointments"),
    ("quote", "quotes"),
    ("servicerequest", "serviceRequests"),
];

impl Servicetrade {
    pub(super) fn list_work(&self, kind: &str, call: &Call) -> Answer {
        let plural = KINDS
            .iter()
            .find(|(one, _)| *one == kind)
            .map_or("items", |(_, all)| all);
        // Jobs that are over are listed only if a status or a number is named.
        let default = (kind == "job").then_some("scheduled");
        let status = call.query("status").or(default);
        let owner = call.query(self.setting.get("owner-filter"));
        let wanted = |work: &Work| {
            status.is_none_or(|status| status.split(',').any(|one| one == work.status))
                // A filter that is not understood is ignored: everything comes.
                && (kind != "job" || owner.is_none_or(|owner| work.owner.is_some_and(|id| id.to_string() == owner)))
        };
        let all = self.work.get(kind).into_iter().flatten();
        let found = all.filter(|(_, work)| wanted(work));
        let items = found
            .map(|(id, work)| self.work_json(kind, *id, work))
            .collect();
        self.list(plural, items, call)
    }

    pub(super) fn show_work(&self, kind: &str, id: &str) -> Answer {
        let id = id.parse::<i64>().unwrap_or(0);
        let Some(work) = self.work.get(kind).and_then(|all| all.get(&id)) else {
            return self.error(404, "not found");
        };
        let shown = self.work_json(kind, id, work);
        if self.setting.is("shape", "compound") && matches!(kind, "job" | "appointment") {
            return self.data(json!({kind: shown, "users": [], "companies": [], "locations": []}));
        }
        self.data(shown)
    }

    /// Flat: people are objects. Compound: people are ids.
    fn work_json(&self, kind: &str, id: i64, work: &Work) -> Value {
        let person = |id: i64| {
            let user = self.users.get(&id);
            json!({"id": id, "name": user.map_or("", |user| user.text("lastName"))})
        };
        let flat = self.setting.is("shape", "flat");
        let mut shown = json!({"id": id, "status": work.status});
        let owner = self.setting.get("quote-owner");
        match kind {
            "job" if flat => shown["owner"] = work.owner.map_or(Value::Null, person),
            "job" => shown["ownerId"] = json!(work.owner),
            "quote" => shown[owner] = json!(work.owner),
            "appointment" if flat => {
                shown["techs"] = work.techs.iter().map(|id| person(*id)).collect();
            }
            "appointment" => shown["techIds"] = json!(work.techs),
            _service => shown["preferredTechs"] = work.techs.iter().map(|id| person(*id)).collect(),
        }
        shown
    }

    pub(super) fn update_work(&mut self, kind: &str, id: &str, body: &Value) -> Answer {
        let id = id.parse::<i64>().unwrap_or(0);
        let owner_field = match kind {
            "quote" => self.setting.get("quote-owner"),
            _job => "ownerId",
        };
        let techs_field = match kind {
            "appointment" => "techIds",
            _service => "preferredTechIds",
        };
        let owner = body.get(owner_field).and_then(Value::as_i64);
        let techs = body.get(techs_field).and_then(Value::as_array);
        let techs = techs.map(|ids| {
            ids.iter()
                .filter_map(Value::as_i64)
                .collect::<BTreeSet<i64>>()
        });
        let active = |id: &i64| self.users.get(id).is_some_and(super::User::active);
        if !owner.iter().chain(techs.iter().flatten()).all(active) {
            return self.invalid(owner_field, "there is no such active user");
        }
        let Some(work) = self.work.get_mut(kind).and_then(|all| all.get_mut(&id)) else {
            return self.error(404, "not found");
        };
        let subject = format!("{kind} {id}");
        if let Some(owner) = owner.filter(|owner| work.owner != Some(*owner)) {
            let before = work.owner.unwrap_or(0);
            work.owner = Some(owner);
            self.ledger
                .note("reassign", &subject, format!("{before}>{owner}"));
        }
        if let Some(techs) = techs.filter(|techs| work.techs != *techs) {
            let detail = format!("{:?}>{techs:?}", work.techs);
            work.techs = techs;
            self.ledger.note("reassign", &subject, detail);
        }
        let id = id.to_string();
        self.show_work(kind, &id)
    }
}
