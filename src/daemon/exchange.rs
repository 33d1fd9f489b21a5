//! Figures about the conversation with applications, taken from the meters of the targets when somebody looks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::config::Config;
use crate::target::http::{Class, Meter};

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OfTarget {
    target: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OfClass {
    target: String,
    outcome: &'static str,
}

/// The meters of all targets that are spoken to by HTTP, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchange {
    meters: Arc<Mutex<BTreeMap<String, Meter>>>,
}

impl Exchange {
    /// Looks at the meters of this configuration from now on.
    pub(super) fn watch(&self, config: &Config) {
        let meters = config.targets.iter().filter_map(|target| {
            let http = target.connector.http()?;
            Some((target.name.clone(), http.meter.clone()))
        });
        *self.lock() = meters.collect();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Meter>> {
        self.meters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Exchange {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let meters = self.lock().clone();
        if meters.is_empty() {
            return Ok(());
        }
        let help = "Requests to the application, by how they ended";
        let seconds = Some(&Unit::Seconds);
        let kind = MetricType::Histogram;
        let mut family = encoder.encode_descriptor("http_request_duration", help, seconds, kind)?;
        for (target, meter) in &meters {
            for one in meter.counted().into_iter().filter(|one| one.count > 0) {
                let labels = OfClass {
                    target: target.clone(),
                    outcome: one.class.as_str(),
                };
                family
                    .encode_family(&labels)?
                    .encode_histogram::<NoLabelSet>(one.seconds, one.count, &one.buckets, None)?;
            }
        }
        let help = "Answers by which the application asked to slow down";
        let mut family =
            encoder.encode_descriptor("http_throttled", help, None, MetricType::Counter)?;
        for (target, meter) in &meters {
            let throttled = meter
                .counted()
                .into_iter()
                .find(|one| one.class == Class::Throttled);
            let count = throttled.map_or(0, |one| one.count);
            let labels = OfTarget {
                target: target.clone(),
            };
            family
                .encode_family(&labels)?
                .encode_counter::<NoLabelSet, u64, f64>(&count, None)?;
        }
        let help = "How long requests waited before they were sent, for our own limits or because the application asked for it";
        let kind = MetricType::Counter;
        let mut family = encoder.encode_descriptor("http_waited", help, seconds, kind)?;
        for (target, meter) in &meters {
            let labels = OfTarget {
                target: target.clone(),
            };
            family
                .encode_family(&labels)?
                .encode_counter::<NoLabelSet, f64, f64>(&meter.waits().1, None)?;
        }
        Ok(())
    }
}
