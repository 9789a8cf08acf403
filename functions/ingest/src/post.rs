//! `POST /telemetry`

use crate::App;
use crate::answer::{BatchView, Listed};
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::credential::{Credential, Scope};
use belfry_domain::failure::FieldError;
use belfry_domain::telemetry::Damaged;
use belfry_domain::telemetry::batch::{self, Cut};
use belfry_domain::telemetry::envelope::Judge;
use belfry_domain::telemetry::event::Name;
use belfry_domain::telemetry::part::{Part, PartId};
use belfry_domain::telemetry::stream::Stream;
use belfry_runtime::authenticate::product;
use belfry_runtime::queue::FifoMessage;
use jiff::Timestamp;
use serde_json_borrow::Value;

const MEDIA_TYPE: &str = "application/cloudevents-batch+json";

pub(crate) async fn telemetry(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let now = app.clock.now();
    let credential = product(&app.table, request, Scope::TelemetryWrite, now).await?;
    check_media_type(request)?;
    let body = batch::inflate(request.body())?;
    let batch_id = batch::batch_id(idempotency_key(request)?, &body)?;
    let parts = batch::cut(&body, credential.partitions)?;
    let judged =
        judge(&credential, now, &batch_id, parts).map_err(|error| Problem::internal(&error))?;
    if judged.accepted == 0 {
        return Err(all_rejected(&judged));
    }
    app.queue.send(&judged.messages).await?;
    tracing::info!(
        tenant.id = %credential.tenant,
        product = %credential.product,
        batch.bytes = body.len(),
        batch.accepted = judged.accepted,
        batch.rejected = judged.rejected,
        batch.parts = judged.messages.len(),
        "batch queued"
    );
    Ok(answer::json(
        202,
        &BatchView {
            batch_id: &batch_id,
            over_seats: credential.over_seats,
            accepted: judged.accepted,
            rejected: judged.rejected,
            errors: &judged.errors.entries,
            errors_omitted: judged.errors.omitted,
            warnings: &judged.warnings.entries,
            warnings_omitted: judged.warnings.omitted,
        },
    ))
}

fn check_media_type(request: &Request) -> Result<(), Problem> {
    let header = request.headers().get("content-type").and_then(|value| value.to_str().ok());
    let media = header.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    if media.eq_ignore_ascii_case(MEDIA_TYPE) {
        Ok(())
    } else {
        Err(Problem::new(415, "unsupported_media_type", format!("Send {MEDIA_TYPE}.")))
    }
}

fn idempotency_key(request: &Request) -> Result<Option<&str>, Problem> {
    let header = request.headers().get("idempotency-key");
    header.map(|value| value.to_str().map_err(|_| batch::BadBatch::BadBatchId.into())).transpose()
}

struct Judged {
    messages: Vec<FifoMessage>,
    accepted: usize,
    rejected: usize,
    errors: Listed,
    warnings: Listed,
}

/// Judges every event by itself and packs what is accepted. A part without an accepted event is
/// not sent; its number stays its own.
fn judge(
    credential: &Credential,
    now: Timestamp,
    batch_id: &str,
    parts: Vec<Cut<'_>>,
) -> Result<Judged, Damaged> {
    let Credential { tenant, product, partitions, .. } = *credential;
    let judge =
        Judge { product, received_at: now, max_event_age_days: credential.max_event_age_days() };
    let mut judged = Judged {
        messages: Vec::with_capacity(parts.len()),
        accepted: 0,
        rejected: 0,
        errors: Listed::default(),
        warnings: Listed::default(),
    };
    for cut in parts {
        let stream = Stream { tenant, product, partition: cut.partition };
        let id = PartId::new(batch_id, cut.number, cut.content);
        let deduplication = id.deduplication(tenant, product);
        let mut part = Part::new(stream, partitions, id, now.as_millisecond());
        for sent in &cut.events {
            let verdict = judge.judge(sent.raw, sent.value.as_ref());
            let id = match sent.value.as_ref().map(|value| value.get("id")) {
                Some(Value::Str(id)) => id.get(..id.floor_char_boundary(Name::MOST_BYTES)),
                _ => None,
            };
            judged.warnings.add(sent.index, id, verdict.warnings);
            if let Some(event) = verdict.event {
                part.push(&event)?;
                judged.accepted += 1;
            } else {
                judged.errors.add(sent.index, id, verdict.errors);
                judged.rejected += 1;
            }
        }
        if !part.events.is_empty() {
            let group = stream.to_string();
            judged.messages.push(FifoMessage { group, deduplication, body: part.message()? });
        }
    }
    Ok(judged)
}

fn all_rejected(judged: &Judged) -> Problem {
    let errors = judged.errors.entries.iter().map(|issue| {
        FieldError::new(format!("/{}{}", issue.index, issue.pointer), issue.code, &issue.detail)
    });
    let detail = format!("All {} events were refused; nothing was taken.", judged.rejected);
    Problem { errors: errors.collect(), ..Problem::new(422, "all_rejected", detail) }
}
