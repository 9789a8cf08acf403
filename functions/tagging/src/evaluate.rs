//! Brings every user and application of a tenant to its present rules.

use crate::App;
use crate::walk::{Failed, Ran, page};
use belfry_domain::account::User;
use belfry_domain::application::Application;
use belfry_domain::audit::Entry;
use belfry_domain::id::TenantId;
use belfry_domain::policy;
use belfry_domain::tag::Subject;
use belfry_domain::tag::catalogue::{Catalogue, Tagged};
use belfry_domain::tag::marks::Marks;
use belfry_domain::tag::work::Tagging;

/// How often another one may change the tags while a page is written down.
const LOOKS: usize = 20;

impl App {
    /// Goes on with a tenant's walk from where it is to its end, and with the next one when the rules
    /// changed meanwhile. Does nothing when everybody is as the rules say, or another worker walks.
    ///
    /// # Errors
    /// [`Failed`]; what is done stays done.
    pub async fn evaluate(&self, tenant: TenantId) -> Result<Ran, Failed> {
        let mut all = Ran::default();
        while let Some(mut tagging) = self.lent(tenant).await? {
            let Some(grant) = policy::evaluate(&tagging) else { return Ok(all) };
            while let Some(pass) = &tagging.pass {
                let entry = Entry::about("tagging", &tenant).set("rules", pass.rules);
                let (by, after) = ((&grant, &entry), pass.walk.after.as_deref());
                let walked = match pass.subject {
                    Subject::Users => page::<User>(self, tenant, by, after, present).await?,
                    Subject::Applications => {
                        page::<Application>(self, tenant, by, after, present).await?
                    }
                };
                all.done += walked.ran.done;
                all.changed += walked.ran.changed;
                let ran = (walked.ran.done, walked.ran.changed);
                match self.noted(&tagging, ran, walked.after).await? {
                    Some(next) => tagging = next,
                    // Another worker walks.
                    None => return Ok(all),
                }
            }
        }
        Ok(all)
    }

    /// The tenant's tags, lent to this worker; none when there is nothing to do, or another worker was
    /// faster.
    async fn lent(&self, tenant: TenantId) -> Result<Option<Tagging>, Failed> {
        let now = self.clock.now();
        for _ in 0..LOOKS {
            let before = self.table.tagging(tenant).await?;
            let users = self.table.tenant(tenant).await?.map_or(0, |tenant| tenant.users);
            let total = users.saturating_add(before.applications);
            let Some(lent) = before.lent(total, now) else { return Ok(None) };
            if self.table.advance_tagging(&before, &lent, self.entropy.as_ref()).await? {
                return Ok(Some(lent));
            }
        }
        Err(Failed::Busy)
    }

    /// Writes down how far the walk is; none when it is no longer this worker's. A change of the tags
    /// meanwhile is none of the walk.
    async fn noted(
        &self,
        tagging: &Tagging,
        ran: (u32, u32),
        after: Option<String>,
    ) -> Result<Option<Tagging>, Failed> {
        let mut before = tagging.clone();
        for _ in 0..LOOKS {
            let next = before.walked(ran, after.clone(), self.clock.now());
            if self.table.advance_tagging(&before, &next, self.entropy.as_ref()).await? {
                return Ok(Some(next));
            }
            before = self.table.tagging(tagging.tenant).await?;
            if before.pass != tagging.pass {
                return Ok(None);
            }
        }
        Err(Failed::Busy)
    }
}

/// What a member has by the present rules.
fn present<T: Tagged>(tags: &Catalogue, member: &T) -> Marks {
    tags.marks(member)
}
