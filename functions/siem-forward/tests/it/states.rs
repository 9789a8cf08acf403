//! How a destination does: when it is tried again, when it is given up, and who is told.

use crate::world::{EPP, World};
use belfry_domain::account::{Role, Status};
use belfry_domain::id::DestinationId;
use belfry_domain::language::Language;
use belfry_domain::policy::Action;
use belfry_domain::siem::progress::{Health, Progress};
use belfry_domain::telemetry::event::Severity;
use belfry_runtime::siem::Trouble;
use belfry_testkit::{Reception, siem::trouble};
use jiff::{SignedDuration, Timestamp};

fn wishes(seconds: i64) -> Trouble {
    Trouble { wish: Some(SignedDuration::from_secs(seconds)), ..trouble("busy", false) }
}

/// Lets the next delivery fail, at the time at which it is due.
async fn fail(world: &World, id: DestinationId, with: Trouble) -> Progress {
    if let Health::Retrying { next_at, .. } = world.progress(id).await.health {
        world.base.clock.set(next_at.max(world.base.now()));
    }
    world.receiver.next(Reception::TakeOnly(0, with));
    assert_eq!(world.ring(id).await["siem.troubles"], 1.0);
    world.check(id).await
}

fn retrying(progress: &Progress) -> (u32, Timestamp) {
    let Health::Retrying { attempts, next_at, .. } = progress.health else {
        panic!("{:?}", progress.health)
    };
    (attempts, next_at)
}

async fn failing() -> (World, DestinationId) {
    let world = World::new().await;
    let id = world.create_for_products().await;
    world.log(EPP, 2, Severity::Low).await;
    (world, id)
}

#[tokio::test]
async fn the_pause_is_a_random_part_of_one_that_doubles_up_to_a_quarter_of_an_hour() {
    let (world, id) = failing().await;
    let (mut short, mut long) = (0, 0);
    for attempt in 0..40 {
        let progress = fail(&world, id, trouble("timeout", false)).await;
        let (attempts, next_at) = retrying(&progress);
        assert_eq!(attempts, attempt + 1);
        let most = (5_000_i64 << attempt.min(20)).min(15 * 60 * 1_000);
        let pause = next_at.duration_since(world.base.now()).as_millis();
        assert!((0..i128::from(most)).contains(&pause), "{attempt}: {pause} of {most}");
        short += u32::from(pause < i128::from(most) / 2);
        long += u32::from(pause > i128::from(most) / 2);
    }
    assert!(short > 5 && long > 5, "{short} short ones, {long} long ones");
}

#[tokio::test]
async fn it_is_not_tried_before_its_time() {
    let (world, id) = failing().await;
    let (_, next_at) = retrying(&fail(&world, id, wishes(60)).await);
    assert_eq!(next_at, world.base.now() + SignedDuration::from_secs(60));
    world.base.wait(59);
    world.ring(id).await;
    assert!(world.receiver.arrived().is_empty());
    world.base.wait(1);
    world.ring(id).await;
    assert_eq!(world.receiver.arrived().len(), 2);
    let progress = world.check_all(id).await;
    assert_eq!(progress.health, Health::Healthy);
    // What went wrong can still be looked up.
    assert_eq!(progress.last_error.unwrap().code, "busy");
}

#[tokio::test]
async fn a_receiver_may_ask_for_an_hour_of_peace() {
    let (world, id) = failing().await;
    let (_, next_at) = retrying(&fail(&world, id, wishes(1_000_000)).await);
    assert_eq!(next_at, world.base.now() + SignedDuration::from_hours(1));
}

#[tokio::test]
async fn other_settings_are_tried_at_once() {
    let (world, id) = failing().await;
    fail(&world, id, wishes(3_600)).await;
    world.change(id, |settings| settings.min_severity = Severity::Low).await;
    world.ring(id).await;
    assert_eq!(world.receiver.arrived().len(), 2);
    world.check_all(id).await;
}

#[tokio::test]
async fn a_suspended_one_waits_for_other_settings() {
    let (world, id) = failing().await;
    let progress = fail(&world, id, trouble("credential_refused", true)).await;
    assert!(matches!(progress.health, Health::Suspended { .. }));
    assert_eq!(progress.last_error.unwrap().code, "credential_refused");
    let sent = progress.sent;
    for _ in 0..3 {
        world.base.wait(24 * 3_600);
        world.ring(id).await;
        assert_eq!(world.sweep().await["rung"], 0);
    }
    assert_eq!(world.check(id).await.sent, sent);
    // With other settings once, and no more when they are no better.
    world.change(id, |settings| settings.min_severity = Severity::Low).await;
    assert_eq!(world.sweep().await["rung"], 1);
    fail(&world, id, trouble("credential_refused", true)).await;
    assert_eq!(world.sweep().await["rung"], 0);
    world.change(id, |settings| settings.min_severity = Severity::Info).await;
    world.ring(id).await;
    assert_eq!(world.check_all(id).await.health, Health::Healthy);
}

#[tokio::test]
async fn what_was_not_tried_is_no_try_of_the_settings() {
    let (world, id) = failing().await;
    fail(&world, id, trouble("credential_refused", true)).await;
    // The first batch under the new settings has nothing to send.
    world.change(id, |settings| settings.min_severity = Severity::High).await;
    world.ring(id).await;
    assert_eq!(world.check_all(id).await.position(EPP).skipped, 2);
    world.log(EPP, 1, Severity::Critical).await;
    world.ring(id).await;
    assert_eq!(world.firsts(EPP), [3]);
    assert_eq!(world.check_all(id).await.health, Health::Healthy);
}

#[tokio::test]
async fn a_suspended_one_can_be_resumed() {
    let (world, id) = failing().await;
    fail(&world, id, trouble("gone", true)).await;
    let now = world.base.now();
    world.direct(id, Action::ResumeDestination, |progress| progress.resumed(now)).await;
    assert_eq!(world.sweep().await["rung"], 1);
    world.ring(id).await;
    assert_eq!(world.check_all(id).await.health, Health::Healthy);
}

#[tokio::test]
async fn the_pace_is_halved_by_trouble_and_doubled_by_success() {
    let (world, id) = failing().await;
    let mut paces = Vec::new();
    for _ in 0..9 {
        paces.push(fail(&world, id, trouble("timeout", false)).await.pace);
    }
    assert_eq!(paces, [2_048, 1_024, 512, 256, 128, 64, 32, 32, 32]);
    world.base.wait(3_600);
    world.ring(id).await;
    paces.clear();
    for _ in 0..9 {
        world.log(EPP, 1, Severity::Low).await;
        world.ring(id).await;
        paces.push(world.check_all(id).await.pace);
    }
    assert_eq!(paces, [128, 256, 512, 1_024, 2_048, 4_096, 4_096, 4_096, 4_096]);
    assert_eq!(world.receiver.paces().last(), Some(&4_096));
}

/// The subjects that were posted, by receiver, sorted.
async fn told(world: &World) -> Vec<(String, String)> {
    let mut told: Vec<_> =
        world.base.posted().await.into_iter().map(|[to, subject, _]| (to, subject)).collect();
    told.sort();
    told
}

#[tokio::test]
async fn every_admin_is_told_once_of_each_step_in_the_own_language() {
    let (world, id) = failing().await;
    let base = &world.base;
    for (email, role) in [
        ("bo@globex.example", Role::SuperAdmin),
        ("cy@globex.example", Role::Admin),
        ("di@globex.example", Role::HelpDesk),
    ] {
        let member = base.member(world.tenant, email, role).await;
        if email.starts_with("cy") {
            base.change(&member, |user| user.status = Status::Deactivated).await;
        }
        if email.starts_with("bo") {
            base.change_person(&member, |person| person.language = Language::Ja).await;
        }
    }
    // Nobody is told of a short failure, nor of its end.
    fail(&world, id, trouble("timeout", false)).await;
    base.wait(3_600);
    world.ring(id).await;
    assert_eq!(told(&world).await, []);
    world.log(EPP, 3, Severity::Low).await;
    // A quarter of an hour, a day; each once, however often it fails.
    let began = base.now();
    let mut mails = Vec::new();
    while base.now() < began + SignedDuration::from_hours(25) {
        fail(&world, id, wishes(10 * 60)).await;
        for [to, subject, body] in base.posted().await {
            mails.push((base.now().duration_since(began).as_mins(), to, subject, body));
        }
    }
    let at: Vec<_> = mails.iter().map(|(minutes, to, ..)| (*minutes, to.as_str())).collect();
    assert_eq!(at.len(), 4, "{at:?}");
    let mut receivers: Vec<_> = at.iter().map(|(_, to)| *to).collect();
    receivers.sort_unstable();
    assert_eq!(
        receivers,
        ["ann@globex.example", "ann@globex.example", "bo@globex.example", "bo@globex.example"]
    );
    assert!((15..30).contains(&at[0].0) && at[0].0 == at[1].0, "{at:?}");
    assert!((1_440..1_460).contains(&at[2].0) && at[2].0 == at[3].0, "{at:?}");
    for (_, to, subject, body) in &mails {
        assert!(subject.contains("Security Operations"), "{subject}");
        assert_eq!(subject.is_ascii(), to.starts_with("ann"), "{to}: {subject}");
        assert!(body.contains('3') && body.contains("It does not work."), "{body}");
    }
    // The age of what waits: three records since the beginning.
    let minutes = mails[0].0.to_string();
    assert!(mails[0].3.contains(&minutes), "{minutes} minutes: {}", mails[0].3);
    base.wait(3_600);
    world.ring(id).await;
    let end = told(&world).await;
    assert_eq!(end.len(), 2, "{end:?}");
    world.log(EPP, 1, Severity::Low).await;
    world.ring(id).await;
    assert_eq!(told(&world).await, []);
}

#[tokio::test]
async fn of_a_suspension_they_are_told_at_once_and_once() {
    let (world, id) = failing().await;
    fail(&world, id, trouble("credential_refused", true)).await;
    let first = told(&world).await;
    assert_eq!(first.len(), 1);
    let now = world.base.now();
    world.direct(id, Action::ResumeDestination, |progress| progress.resumed(now)).await;
    // It is the same failure still: tried by a person, who sees it.
    world.base.wait(1_000);
    fail(&world, id, trouble("timeout", false)).await;
    assert_eq!(told(&world).await, []);
    world.base.wait(3_600);
    world.ring(id).await;
    let end = told(&world).await;
    assert_eq!(end.len(), 1);
    assert_ne!(first, end);
    world.check_all(id).await;
}

#[tokio::test]
async fn a_damaged_admin_does_not_keep_what_was_delivered_from_being_written_down() {
    let (world, id) = failing().await;
    let other = world.base.member(world.tenant, "bo@globex.example", Role::Admin).await;
    world.base.remove(&belfry_store::keys::identity(other.identity)).await;
    fail(&world, id, trouble("gone", true)).await;
    let now = world.base.now();
    world.direct(id, Action::ResumeDestination, |progress| progress.resumed(now)).await;
    world.ring(id).await;
    assert_eq!(world.check_all(id).await.health, Health::Healthy);
    assert_eq!(world.receiver.arrived().len(), 2);
}

#[tokio::test]
async fn a_lost_ring_for_a_mail_loses_no_mail() {
    let (world, id) = failing().await;
    world.base.bell.fail_next(1);
    fail(&world, id, trouble("gone", true)).await;
    assert_eq!(told(&world).await, []);
    assert_eq!(world.base.db.dump_of("O#").len(), 1);
}
