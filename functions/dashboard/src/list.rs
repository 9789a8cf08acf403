//! `GET /endpoints`: by product, bucket and id; the infected ones through the sparse index.

use crate::App;
use crate::endpoint::EndpointView;
use belfry_api::page::{Page, Query};
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::dashboard::Period;
use belfry_domain::id::TenantId;
use belfry_domain::policy::Action;
use belfry_domain::ports::Day;
use belfry_domain::product::Product;
use belfry_domain::telemetry::endpoint::Present;
use belfry_domain::telemetry::event::{Kind, Name};
use belfry_store::StoreError;
use belfry_store::endpoints::{EndpointPage, ListedEndpoint};
use belfry_store::keys::ENDPOINT_BUCKETS;
use serde::{Deserialize, Deserializer, Serialize};

/// Endpoints looked at for one page: a filter that hits few must not read a million.
const MOST_LOOKED_AT: usize = 5_000;
/// Buckets read at once, while nothing was found for the page.
const MOST_AT_ONCE: usize = 16;

/// Where a page begins. Whoever makes a cursor up may name any endpoint, but no key that the table
/// would refuse.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Position {
    product: Product,
    bucket: u8,
    #[serde(deserialize_with = "endpoint_id")]
    after: Option<String>,
}

fn endpoint_id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Name>::deserialize(from)?.map(|id| id.as_str().to_owned()))
}

#[derive(Debug)]
struct Filter {
    product: Option<Product>,
    kind: Option<Kind>,
    os: Option<String>,
    infected: Option<bool>,
    last_seen: Option<Period>,
    today: Day,
}

impl Filter {
    fn lets_pass(&self, product: Product, present: &Present) -> bool {
        self.product.is_none_or(|wanted| wanted == product)
            && self.kind.is_none_or(|kind| kind == present.kind)
            && self.os.as_deref().is_none_or(|os| os == present.system().0)
            && self.infected.is_none_or(|infected| infected == present.infected())
            && self.last_seen.is_none_or(|period| {
                let (from, to) = period.ages();
                let age = self.today.since(present.contact).max(0);
                from <= age && to.is_none_or(|to| age <= to)
            })
    }
}

pub(crate) async fn endpoints(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let mut query = Query::of(request, "GET /endpoints");
    let filter = Filter {
        product: query.parsed("product"),
        kind: query.named("kind", Kind::named),
        os: query.text("os"),
        infected: query.parsed("infected"),
        last_seen: query.parsed("last_seen"),
        today: Day::of(app.clock.now()),
    };
    let page: Page<Position> = query.page()?;
    actor.may(Action::ReadDashboard)?;
    let mut found = Found { items: Vec::new(), looked_at: 0, limit: page.limit, filter };
    let next = if found.filter.infected == Some(true) {
        infected(app, actor.tenant(), page.from.clone(), &mut found).await?
    } else {
        all(app, actor.tenant(), page.from.clone(), &mut found).await?
    };
    let items = found.items.iter().map(|e| EndpointView::new(e.product, &e.id, &e.present));
    Ok(answer::ok(&page.view(items.collect(), next.as_ref())))
}

struct Found {
    items: Vec<ListedEndpoint>,
    looked_at: usize,
    limit: usize,
    filter: Filter,
}

impl Found {
    fn is_full(&self) -> bool {
        self.items.len() >= self.limit || self.looked_at >= MOST_LOOKED_AT
    }

    /// Takes what passes, until the page is full; returns the endpoint after which it goes on,
    /// when this part of the list is not at its end.
    fn take(&mut self, page: EndpointPage) -> Option<(Product, String)> {
        let mut rest = page.items.into_iter().peekable();
        while let Some(endpoint) = rest.next() {
            self.looked_at += 1;
            let last = (endpoint.product, endpoint.id.clone());
            if self.filter.lets_pass(endpoint.product, &endpoint.present) {
                self.items.push(endpoint);
            }
            if self.is_full() && (rest.peek().is_some() || page.more_after.is_some()) {
                return Some(last);
            }
        }
        page.more_after
    }

    /// How many to read at once: what the page still needs, or a good portion when a filter will
    /// drop most.
    fn portion(&self) -> i32 {
        let filters = self.filter.kind.is_some()
            || self.filter.os.is_some()
            || self.filter.infected == Some(false)
            || self.filter.last_seen.is_some();
        let portion =
            if filters { 200 } else { self.limit.saturating_sub(self.items.len()).max(1) };
        i32::try_from(portion).unwrap_or(200)
    }
}

/// The infected ones, by product and id.
async fn infected(
    app: &App,
    tenant: TenantId,
    from: Option<Position>,
    found: &mut Found,
) -> Result<Option<Position>, StoreError> {
    let mut after = from.and_then(|position| Some((position.product, position.after?)));
    loop {
        let start = after.as_ref().map(|(product, id)| (*product, id.as_str()));
        let page = app.table.infected_endpoints(tenant, start, 200).await?;
        after = found.take(page);
        if after.is_none() || found.is_full() {
            return Ok(after.map(|(product, id)| Position { product, bucket: 0, after: Some(id) }));
        }
    }
}

/// All of them, bucket by bucket; reads several buckets at once as long as they give little.
async fn all(
    app: &App,
    tenant: TenantId,
    from: Option<Position>,
    found: &mut Found,
) -> Result<Option<Position>, StoreError> {
    let products = Product::ALL.into_iter();
    let products = products.filter(|p| found.filter.product.is_none_or(|wanted| wanted == *p));
    let mut ahead = products
        .flat_map(|product| (0..ENDPOINT_BUCKETS).map(move |bucket| (product, bucket)))
        .skip_while(|place| from.as_ref().is_some_and(|at| *place != (at.product, at.bucket)))
        .map(|(product, bucket)| Position { product, bucket, after: None })
        .collect::<std::collections::VecDeque<_>>();
    if let (Some(first), Some(from)) = (ahead.front_mut(), from) {
        *first = from;
    }
    let mut at_once = 1;
    while !ahead.is_empty() {
        let wanted: Vec<Position> = ahead.iter().take(at_once).cloned().collect();
        let portion = found.portion();
        let pages = futures::future::try_join_all(wanted.iter().map(|at| {
            app.table.endpoints_of_bucket(
                tenant,
                at.product,
                at.bucket,
                at.after.as_deref(),
                portion,
            )
        }))
        .await?;
        for page in pages {
            if let Some((_, id)) = found.take(page) {
                // Not at the bucket's end: the list goes on here.
                if let Some(first) = ahead.front_mut() {
                    first.after = Some(id);
                }
                at_once = 0;
                break;
            }
            ahead.pop_front();
            if found.is_full() {
                break;
            }
        }
        if found.is_full() {
            break;
        }
        at_once = (at_once * 2).clamp(1, MOST_AT_ONCE);
    }
    Ok(ahead.pop_front())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_made_up_position_names_an_endpoint_or_none() {
        let read = |after| {
            let position = json!({"product": "EPP", "bucket": 0, "after": after});
            serde_json::from_value::<Position>(position)
        };
        for good in [json!(null), json!("x"), json!("x".repeat(128))] {
            assert_eq!(json!(read(good.clone()).unwrap().after), good);
        }
        for bad in [String::new(), "x".repeat(129)] {
            assert!(read(json!(bad)).is_err(), "the table would refuse this key");
        }
    }
}
