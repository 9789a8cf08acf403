//! A hundred thousand events in each format to a real rsyslog.

use crate::rsyslog::{Line, Rsyslog};
use crate::world::{EPP, EPP_1, World, ZTNA, name};
use crate::{backlog, patience, settings, world};
use belfry_domain::siem::destination::Transport;
use belfry_domain::siem::format::Format;
use belfry_domain::siem::record::StreamName;
use belfry_domain::telemetry::event::Severity;
use belfry_domain::telemetry::part::encode;
use std::collections::BTreeMap;
use std::time::Duration;

const EVENTS: u32 = 100_000;
/// Events of one chunk.
const CHUNK: usize = 1_000;

/// Fills the logs; the ids as they were given, by stream.
pub(crate) async fn fill(world: &World, events: usize) -> BTreeMap<StreamName, Vec<String>> {
    let mut ids = BTreeMap::<_, Vec<_>>::new();
    for chunk in 0..events.div_ceil(CHUNK) {
        let stream = [EPP, EPP_1, EPP, ZTNA][chunk % 4];
        let count = CHUNK.min(events - chunk * CHUNK);
        let logged = (0..count).map(|at| {
            let mut event = world.event(stream, Severity::ALL[at % 5]);
            // Ids as products make them, some of them as nobody should.
            let number = chunk * CHUNK + at;
            event.id = name(match at % 7 {
                0 => format!("{number:032x}"),
                1 => format!("evt:{number}\"]\\"),
                2 => format!("イベント {number}"),
                3 => format!("a=b|c\\d {number}"),
                _ => format!("evt-{number}"),
            });
            ids.entry(stream).or_default().push(event.id.as_str().to_owned());
            encode(&event).unwrap().into_vec()
        });
        let logged = logged.collect();
        world.append(stream, logged).await;
    }
    ids
}

/// Every record is there once, in the order of its stream, with its own id.
fn judge(world: &World, taken: &[Line], ids: &BTreeMap<StreamName, Vec<String>>) {
    let mut read = BTreeMap::<_, Vec<_>>::new();
    for line in taken {
        assert_eq!(line.tenant, world.tenant.to_string());
        let of: &mut Vec<_> = read.entry(line.stream).or_default();
        of.push(line.id.clone());
        assert_eq!(line.sequence, of.len() as u64, "{}", line.stream);
    }
    assert!(read == *ids, "other ids than those that were logged");
}

async fn a_hundred_thousand(format: Format, beginning: &str) {
    let world = world(patience(Duration::from_secs(30))).await;
    let mut rsyslog = Rsyslog::start().await;
    let ca = Some(rsyslog.ca.pem.as_str());
    let mut settings = settings(Transport::SyslogTls, rsyslog.port, ca);
    settings.format = format;
    let id = world.create(settings).await;
    let ids = fill(&world, EVENTS.try_into().unwrap()).await;
    let report = world.ring(id).await;
    assert_eq!(
        report["siem.confirmed"],
        f64::from(EVENTS),
        "{:?}",
        world.progress(id).await.last_error
    );
    assert_eq!((backlog(&world, id).await, &report["siem.abrupt"]), (0, &0.0.into()));
    let taken = rsyslog.taken();
    judge(&world, &taken, &ids);
    for line in &taken {
        assert!(line.message.starts_with(beginning), "{}", line.message);
    }
}

#[tokio::test]
async fn of_cef() {
    a_hundred_thousand(Format::Cef, "CEF:0|Belfry|").await;
}

#[tokio::test]
async fn of_leef() {
    a_hundred_thousand(Format::Leef, "LEEF:2.0|Belfry|").await;
}

#[tokio::test]
async fn of_rfc_5424() {
    a_hundred_thousand(Format::Rfc5424, "{\"").await;
}
