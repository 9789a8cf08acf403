//! Endpoints in the table: written by the rollup alone, each by a condition; listed by bucket, and
//! the infected ones through the sparse index.

use crate::entity::{self, Entity};
use crate::keys::{self, GSI1, Key};
use crate::table::{Item, StoreError, Table, key_item};
use crate::telemetry::{KEPT_TELEMETRY_DAYS, Written, expiry};
use aws_sdk_dynamodb::types::AttributeValue;
use belfry_domain::id::TenantId;
use belfry_domain::ports::Day;
use belfry_domain::product::Product;
use belfry_domain::telemetry::endpoint::{Endpoint, Present};
use belfry_domain::telemetry::event::Name;
use belfry_domain::telemetry::stream::Stream;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// An endpoint as it is stored: in plain attributes, so that an operator can read them.
#[derive(Debug, Serialize, Deserialize)]
struct EndpointItem {
    /// First sequence of the chunk that wrote it.
    seq: u64,
    state: Endpoint,
    /// In the index only while infected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gsi1pk: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gsi1sk: Option<String>,
    /// A tombstone goes when no event of before the removal can come any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl Entity for EndpointItem {
    const TYPE: &'static str = "endpoint";
}

/// The rollup's side.
impl Table {
    /// States of these endpoints, read strongly, 1 RRU each; those never seen are left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn endpoint_states(
        &self,
        stream: Stream,
        ids: &[&str],
    ) -> Result<HashMap<String, Endpoint>, StoreError> {
        let Stream { tenant, product, .. } = stream;
        let keys: Vec<Key> = ids.iter().map(|id| keys::endpoint(tenant, product, id)).collect();
        let mut found = entity::get_many(self, &keys).await?;
        let mut states = HashMap::with_capacity(ids.len());
        for key in keys {
            if let Some(item) = found.take::<EndpointItem>(&key)? {
                states.insert(key.sk, item.state);
            }
        }
        Ok(states)
    }

    /// Writes the state that chunk `seq` gives an endpoint, unless a later chunk already did.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_endpoint(
        &self,
        stream: Stream,
        id: &str,
        state: &Endpoint,
        seq: u64,
        today: Day,
    ) -> Result<Written, StoreError> {
        let Stream { tenant, product, .. } = stream;
        let infected = state.present.as_ref().is_some_and(Present::infected);
        let item = EndpointItem {
            seq,
            state: state.clone(),
            gsi1pk: infected.then(|| keys::infected_partition(tenant)),
            gsi1sk: infected.then(|| keys::infected_sort(product, id)),
            expires_at: state.present.is_none().then(|| expiry(today, KEPT_TELEMETRY_DAYS)),
        };
        let item = entity::item(&keys::endpoint(tenant, product, id), &item)?;
        self.put_if(item, "attribute_not_exists(pk) OR seq < :seq", Some(seq)).await
    }
}

/// An endpoint as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEndpoint {
    /// Of which product.
    pub product: Product,
    /// The product's id of it.
    pub id: String,
    /// Its state.
    pub present: Present,
}

/// Where a page of endpoints ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointPage {
    /// The endpoints, tombstones left out.
    pub items: Vec<ListedEndpoint>,
    /// The last endpoint that was read, when there is more of this list.
    pub more_after: Option<(Product, String)>,
}

/// The console's side.
impl Table {
    /// One page of the endpoints of a bucket, by id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn endpoints_of_bucket(
        &self,
        tenant: TenantId,
        product: Product,
        bucket: u8,
        after: Option<&str>,
        limit: i32,
    ) -> Result<EndpointPage, StoreError> {
        let pk = keys::endpoint_partition(tenant, product, bucket);
        let start = after.map(|id| key_item(&Key { pk: pk.clone(), sk: id.to_owned() }));
        let answer = self
            .client()
            .query()
            .table_name(self.name())
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(pk))
            .set_exclusive_start_key(start)
            .limit(limit)
            .send()
            .await?;
        let more_after = last_sort_key(answer.last_evaluated_key.as_ref()).map(|id| (product, id));
        let mut items = Vec::new();
        for item in answer.items.unwrap_or_default() {
            let (sk, item) = entity::keyed::<EndpointItem>(item)?;
            if let Some(present) = item.state.present {
                items.push(ListedEndpoint { product, id: sk, present });
            }
        }
        Ok(EndpointPage { items, more_after })
    }

    /// One page of the infected endpoints of a tenant, by product and id, through the sparse index.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn infected_endpoints(
        &self,
        tenant: TenantId,
        after: Option<(Product, &str)>,
        limit: i32,
    ) -> Result<EndpointPage, StoreError> {
        let partition = keys::infected_partition(tenant);
        let start = after.map(|(product, id)| {
            let mut start = key_item(&keys::endpoint(tenant, product, id));
            start.insert("gsi1pk".into(), AttributeValue::S(partition.clone()));
            start.insert("gsi1sk".into(), AttributeValue::S(keys::infected_sort(product, id)));
            start
        });
        let answer = self
            .client()
            .query()
            .table_name(self.name())
            .index_name(GSI1)
            .key_condition_expression("gsi1pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(partition))
            .set_exclusive_start_key(start)
            .limit(limit)
            .send()
            .await?;
        let more = answer.last_evaluated_key.is_some();
        let mut items = Vec::new();
        for item in answer.items.unwrap_or_default() {
            let (sk, item) = entity::keyed::<EndpointItem>(item)?;
            let product =
                item.gsi1sk.as_deref().and_then(|key| key.split('#').next()?.parse().ok());
            let product: Product = product.ok_or_else(|| StoreError::corrupt(&sk, "no product"))?;
            if let Some(present) = item.state.present {
                items.push(ListedEndpoint { product, id: sk, present });
            }
        }
        // Every item of the index is an endpoint that is there, so the last one is the last read.
        let last = items.last().filter(|_| more);
        let more_after = last.map(|last| (last.product, last.id.clone()));
        Ok(EndpointPage { items, more_after })
    }

    /// One endpoint; `None` for an unknown or removed one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn endpoint(
        &self,
        tenant: TenantId,
        product: Product,
        id: &str,
    ) -> Result<Option<Present>, StoreError> {
        if id.is_empty() || id.len() > Name::MOST_BYTES {
            return Ok(None);
        }
        let item = entity::get::<EndpointItem>(self, &keys::endpoint(tenant, product, id)).await?;
        Ok(item.and_then(|item| item.state.present))
    }
}

fn last_sort_key(key: Option<&Item>) -> Option<String> {
    key?.get(keys::SK)?.as_s().ok().cloned()
}
