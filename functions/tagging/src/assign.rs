//! Assigns a tag's value to all that a filter lets pass, or takes it away from them.

use crate::App;
use crate::walk::{Failed, Ran, page};
use belfry_domain::account::User;
use belfry_domain::application::Application;
use belfry_domain::audit::Entry;
use belfry_domain::id::{TagId, TenantId};
use belfry_domain::policy;
use belfry_domain::tag::catalogue::{Catalogue, Tagged};
use belfry_domain::tag::marks::{Mark, Marks};
use belfry_domain::tag::work::{Among, Assignment, Stage};

impl App {
    /// Goes on with the assignment of a tag from where it is to its end. Does nothing when it has ended,
    /// or another worker has it.
    ///
    /// # Errors
    /// [`Failed`]; what is done stays done.
    pub async fn assign(&self, tenant: TenantId, tag: TagId) -> Result<Ran, Failed> {
        let mut all = Ran::default();
        let Some(before) = self.table.assignment(tenant, tag).await? else { return Ok(all) };
        if before.stage != Stage::Running {
            return Ok(all);
        }
        let Some(mut assignment) = self.kept(&before, before.changed(self.clock.now())).await?
        else {
            return Ok(all);
        };
        while assignment.stage == Stage::Running {
            let now = self.clock.now();
            let by = self.table.user(tenant, assignment.by.user).await?;
            let company = self.table.tenant(tenant).await?;
            let grant = by
                .zip(company)
                .and_then(|(user, tenant)| policy::assign(&assignment, &user, &tenant));
            let there = self.table.tag(tenant, tag).await?.and_then(|tag| {
                tag.values.iter().find(|value| value.number == assignment.value).cloned()
            });
            let (Some(grant), Some(value)) = (grant, there) else {
                let ended = assignment.changed(now).ended(Stage::Stopped, now);
                self.kept(&assignment, ended).await?;
                return Ok(all);
            };
            let said = if assignment.assign { "assigned" } else { "taken_away" };
            let entry = Entry::about("tag", &tag).set(said, value.text.as_str());
            let (by, after) = ((&grant, &entry), assignment.walk.after.as_deref());
            let (mark, assign) = (assignment.mark(), assignment.assign);
            let walked = match &assignment.among {
                Among::Users(filter) => {
                    let marks = |tags: &Catalogue, user: &User| {
                        let wanted = user.is_there() && filter.lets_pass(user);
                        marked(tags, user, wanted, (mark, assign))
                    };
                    page::<User>(self, tenant, by, after, marks).await?
                }
                Among::Applications(filter) => {
                    let marks = |tags: &Catalogue, one: &Application| {
                        marked(tags, one, filter.lets_pass(one), (mark, assign))
                    };
                    page::<Application>(self, tenant, by, after, marks).await?
                }
            };
            all.done += walked.ran.done;
            all.changed += walked.ran.changed;
            let ran = (walked.ran.done, walked.ran.changed);
            let next = assignment.walked(ran, walked.after, self.clock.now());
            match self.kept(&assignment, next).await? {
                Some(next) => assignment = next,
                // Another worker has it.
                None => return Ok(all),
            }
        }
        Ok(all)
    }

    async fn kept(
        &self,
        before: &Assignment,
        next: Assignment,
    ) -> Result<Option<Assignment>, Failed> {
        let kept = self.table.advance_assignment(before, &next, self.entropy.as_ref()).await?;
        Ok(kept.then_some(next))
    }
}

/// What a member shall have: as it is, when it is not among the wanted; nothing of a value that is gone
/// by then.
fn marked<T: Tagged>(
    tags: &Catalogue,
    member: &T,
    wanted: bool,
    (mark, assign): (Mark, bool),
) -> Marks {
    if wanted {
        tags.marks(&member.marked(member.marks().with(mark, assign)))
    } else {
        member.marks().clone()
    }
}
