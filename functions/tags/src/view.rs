//! Tags and applications as clients see them.

use belfry_api::answer;
use belfry_domain::account::{Status, User};
use belfry_domain::application::{Application, AttributeName};
use belfry_domain::dashboard::BlockedAccesses;
use belfry_domain::id::{ApplicationId, TagId, UserId};
use belfry_domain::tag::catalogue::{Catalogue, Shown};
use belfry_domain::tag::marks::Counts;
use belfry_domain::tag::work::{Assignment, Evaluation, Tagging, Walk};
use belfry_domain::tag::{Kind, Subject, Tag};
use belfry_domain::text::{AttributeText, Category};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Serialize)]
pub(crate) struct TagView<'a> {
    id: TagId,
    key: &'a str,
    values: Vec<&'a str>,
    applies_to: Subject,
    kind: Kind,
    rules: Vec<RuleView<'a>>,
    counts: Vec<CountView<'a>>,
    evaluation: EvaluationView,
    created_at: String,
    version: u64,
}

#[derive(Serialize)]
struct RuleView<'a> {
    value: &'a str,
    when: Value,
}

#[derive(Serialize)]
struct CountView<'a> {
    value: &'a str,
    count: i32,
}

/// How far the members are with the tag's rules.
#[derive(Serialize)]
struct EvaluationView {
    state: &'static str,
    #[serde(flatten)]
    progress: Option<ProgressView>,
}

/// How far work in the background is.
#[derive(Serialize)]
struct ProgressView {
    done: u32,
    total: u32,
    changed: u32,
    started_at: String,
}

impl ProgressView {
    fn of(walk: &Walk, started_at: jiff::Timestamp) -> Self {
        let Walk { done, total, changed, .. } = *walk;
        Self { done, total, changed, started_at: answer::time(started_at) }
    }
}

impl<'a> TagView<'a> {
    pub(crate) fn of(tag: &'a Tag, tagging: &Tagging, counts: &Counts) -> Self {
        let rules = tag.values.iter().filter_map(|value| {
            let when = value.rule.as_ref()?.json();
            Some(RuleView { value: value.text.as_str(), when })
        });
        let counts = tag.values.iter().map(|value| CountView {
            value: value.text.as_str(),
            count: counts.of(tag.mark(value)),
        });
        let evaluation = match tagging.evaluation(tag.rules) {
            Evaluation::Done => EvaluationView { state: "done", progress: None },
            Evaluation::Waiting => EvaluationView { state: "waiting", progress: None },
            Evaluation::Running(pass) => EvaluationView {
                state: "running",
                progress: Some(ProgressView::of(&pass.walk, pass.started_at)),
            },
        };
        Self {
            id: tag.id,
            key: tag.key.as_str(),
            values: tag.values.iter().map(|value| value.text.as_str()).collect(),
            applies_to: tag.applies_to,
            kind: tag.kind,
            rules: rules.collect(),
            counts: counts.collect(),
            evaluation,
            created_at: answer::time(tag.created_at),
            version: tag.version,
        }
    }
}

/// A tag with its last assignment by a filter.
#[derive(Serialize)]
pub(crate) struct WholeTagView<'a> {
    #[serde(flatten)]
    pub(crate) tag: TagView<'a>,
    pub(crate) assignment: Option<AssignmentView<'a>>,
}

#[derive(Serialize)]
pub(crate) struct AssignmentView<'a> {
    value: Option<&'a str>,
    assign: bool,
    state: &'static str,
    #[serde(flatten)]
    progress: ProgressView,
    finished_at: Option<String>,
}

impl<'a> AssignmentView<'a> {
    pub(crate) fn of(assignment: &Assignment, tag: &'a Tag) -> Self {
        let value = tag.values.iter().find(|value| value.number == assignment.value);
        Self {
            value: value.map(|value| value.text.as_str()),
            assign: assignment.assign,
            state: assignment.stage.name(),
            progress: ProgressView::of(&assignment.walk, assignment.created_at),
            finished_at: assignment.finished_at.map(answer::time),
        }
    }
}

/// Somebody or something that has a tag.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum MemberView<'a> {
    User { id: UserId, email: &'a str, first_name: &'a str, last_name: &'a str, status: Status },
    Application { id: ApplicationId, name: &'a str, host: &'a str },
}

impl<'a> From<&'a User> for MemberView<'a> {
    fn from(user: &'a User) -> Self {
        Self::User {
            id: user.id,
            email: user.email.as_str(),
            first_name: user.first_name.as_str(),
            last_name: user.last_name.as_str(),
            status: user.status,
        }
    }
}

impl<'a> From<&'a Application> for MemberView<'a> {
    fn from(application: &'a Application) -> Self {
        Self::Application {
            id: application.id,
            name: application.name.as_str(),
            host: application.host.as_str(),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct ApplicationView<'a> {
    id: ApplicationId,
    name: &'a str,
    host: &'a str,
    category: Option<&'a str>,
    attributes: &'a BTreeMap<AttributeName, AttributeText>,
    tags: Vec<Shown<'a>>,
    blocked_accesses: BlockedView,
    created_at: String,
    version: u64,
}

/// Accesses to an application that were blocked, today and in the six days before.
#[derive(Serialize)]
struct BlockedView {
    count: u64,
    error: u64,
}

impl<'a> ApplicationView<'a> {
    pub(crate) fn of(
        application: &'a Application,
        catalogue: &'a Catalogue,
        blocked: &BlockedAccesses,
    ) -> Self {
        let (count, error) = blocked.of(application.name.as_str());
        Self {
            id: application.id,
            name: application.name.as_str(),
            host: application.host.as_str(),
            category: application.category.as_ref().map(Category::as_str),
            attributes: &application.attributes,
            tags: catalogue.shown(&application.tags),
            blocked_accesses: BlockedView { count, error },
            created_at: answer::time(application.created_at),
            version: application.version,
        }
    }
}
