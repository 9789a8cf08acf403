//! Random histories: rivals, crashes, lost answers, faults, other settings, replays, logs that are over.
//! After each step the figures add up; at the end nothing is missing.

use crate::world::{EPP, EPP_1, World, ZTNA, ring, sweep};
use belfry_domain::audit::Outcome;
use belfry_domain::id::DestinationId;
use belfry_domain::policy::Action;
use belfry_domain::siem::record::StreamName;
use belfry_domain::telemetry::event::Severity;
use belfry_testkit::siem::trouble;
use belfry_testkit::{Moment, Reception, SeededEntropy, Turnstile, Verdict};
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::task::JoinHandle;

const STREAMS: [StreamName; 3] = [EPP, EPP_1, ZTNA];

struct History {
    world: World,
    chance: SeededEntropy,
    turnstile: Arc<Turnstile>,
    id: DestinationId,
    processes: Vec<Option<JoinHandle<()>>>,
    born: usize,
    /// Selected by all settings that there are here, by stream.
    wanted: BTreeMap<StreamName, BTreeSet<u64>>,
    /// Refused from some time on: whether it arrives depends on when.
    poison: BTreeSet<(StreamName, u64)>,
    /// The first number and the count of each chunk that is there.
    chunks: Vec<(StreamName, u64, u64)>,
    /// Gone with their chunks.
    dropped: BTreeSet<(StreamName, u64)>,
    cursors: BTreeMap<StreamName, u64>,
}

impl History {
    async fn new(seed: u64) -> Self {
        let world = World::new().await;
        let chance = SeededEntropy::new(seed);
        let id = world.create(World::settings()).await;
        let rivals = 1 + chance.below(3);
        Self {
            world,
            chance,
            turnstile: Arc::new(Turnstile::both_sides()),
            id,
            processes: (0..rivals).map(|_| None).collect(),
            born: 0,
            wanted: BTreeMap::new(),
            poison: BTreeSet::new(),
            chunks: Vec::new(),
            dropped: BTreeSet::new(),
            cursors: BTreeMap::new(),
        }
    }

    fn one_in(&self, n: usize) -> bool {
        self.chance.below(n) == 0
    }

    fn any_stream(&self) -> StreamName {
        STREAMS[self.chance.below(3)]
    }

    async fn last(&self, stream: StreamName) -> u64 {
        self.world.ends().await.get(&stream).copied().unwrap_or(0)
    }

    async fn log(&mut self) {
        let (stream, count) = (self.any_stream(), 1 + self.chance.below(6));
        let first = self.last(stream).await + 1;
        let severity = if self.one_in(2) { Severity::Critical } else { Severity::Info };
        self.world.log(stream, count, severity).await;
        let count = count as u64;
        self.chunks.push((stream, first, count));
        // Blocked accesses are of medium severity.
        if severity == Severity::Critical || stream == ZTNA {
            self.wanted.entry(stream).or_default().extend(first..first + count);
        }
    }

    /// A process begins a delivery or a sweep, with a handle of its own.
    fn start(&mut self, process: usize) {
        self.born += 1;
        let name = format!("process {}", self.born);
        let client = self.world.base.db.shared(&name, self.turnstile.clone());
        let app = self.world.app_on(client.table());
        let (tenant, id, sweeps) = (self.world.tenant, self.id, self.one_in(5));
        self.processes[process] = Some(tokio::spawn(async move {
            if sweeps {
                sweep(&app).await;
            } else {
                ring(&app, tenant, id).await;
            }
        }));
    }

    async fn poison(&mut self) {
        let stream = self.any_stream();
        let sequence = self.last(stream).await + 1;
        self.poison.insert((stream, sequence));
        self.world.receiver.refuse(stream, sequence);
    }

    async fn drop_chunk(&mut self) {
        if self.chunks.is_empty() {
            return;
        }
        let at = self.chance.below(self.chunks.len());
        let (stream, first, count) = self.chunks.remove(at);
        self.world.drop_chunk(stream, first).await;
        self.dropped.extend((first..first + count).map(|sequence| (stream, sequence)));
    }

    async fn step(&mut self) {
        let process = self.chance.below(self.processes.len());
        match self.chance.below(60) {
            0..=3 => self.log().await,
            4 => drop(self.world.access(Outcome::Denied).await),
            5 => self.world.audited("something").await,
            6 => {
                let minutes = i64::try_from(self.chance.below(20)).unwrap();
                self.world.base.clock.advance(SignedDuration::from_mins(minutes));
            }
            7 => {
                let lasting = self.one_in(4);
                let trouble = trouble("timeout", lasting);
                let taken = self.chance.below(12);
                let lost = self.one_in(2);
                self.world.receiver.next(if lost {
                    Reception::LoseAnswer(trouble)
                } else {
                    Reception::TakeOnly(taken, trouble)
                });
            }
            8 if self.one_in(2) => self.poison().await,
            9 if self.one_in(3) => self.drop_chunk().await,
            10 => {
                let (off, low) = (self.one_in(4), self.one_in(2));
                self.world
                    .change(self.id, |settings| {
                        settings.enabled = !off;
                        settings.min_severity = if low { Severity::Info } else { Severity::Medium };
                    })
                    .await;
            }
            11 => {
                let now = self.world.base.now();
                self.world.direct(self.id, Action::ResumeDestination, |p| p.resumed(now)).await;
            }
            12 => {
                let stream = self.any_stream();
                if self.world.progress(self.id).await.position(stream).cursor > 0 {
                    self.world.replay(self.id, stream, 1).await;
                }
            }
            13 => {
                if let Some(task) = self.processes[process].take() {
                    task.abort();
                }
            }
            14..=22 if self.processes[process].is_none() => self.start(process),
            _ => {
                let held = self.turnstile.settle().await;
                if !held.is_empty() {
                    let held = &held[self.chance.below(held.len())];
                    let fails = if held.moment == Moment::Before { 25 } else { 40 };
                    let verdict = if self.one_in(fails) { Verdict::Fail } else { Verdict::Proceed };
                    self.turnstile.release(held.ticket, verdict);
                }
            }
        }
        for process in &mut self.processes {
            if process.as_ref().is_some_and(JoinHandle::is_finished) {
                process.take().unwrap().await.unwrap();
            }
        }
        self.judge_step().await;
    }

    async fn judge_step(&mut self) {
        let progress = self.world.check(self.id).await;
        for (stream, position) in &progress.streams {
            let before = self.cursors.insert(*stream, position.cursor).unwrap_or(0);
            assert!(before <= position.cursor, "{stream} went back");
        }
    }

    /// Lets everything end and heal, delivers what waits, and judges.
    async fn finish(mut self) {
        self.turnstile.open();
        for process in &mut self.processes {
            if let Some(task) = process.take() {
                task.await.unwrap();
            }
        }
        self.world.change(self.id, |settings| settings.enabled = true).await;
        // Until no fault is left that a test has asked for, and nothing waits.
        for _ in 0..200 {
            let now = self.world.base.now();
            self.world.direct(self.id, Action::ResumeDestination, |p| p.resumed(now)).await;
            self.world.sweep().await;
            self.world.ring(self.id).await;
            self.judge_step().await;
            let (ends, progress) = (self.world.ends().await, self.world.progress(self.id).await);
            let waits = |stream, last| progress.position(stream).backlog(last) > 0;
            if progress.replay.is_empty() && !ends.iter().any(|(s, last)| waits(*s, *last)) {
                break;
            }
        }
        let progress = self.world.check_all(self.id).await;
        assert!(progress.replay.is_empty());
        let (mut ids, mut arrived) = (BTreeMap::new(), BTreeSet::new());
        for record in self.world.receiver.arrived() {
            let place = (record.stream, record.sequence);
            arrived.insert(place);
            let id = record.id().into_owned();
            assert_eq!(*ids.entry(place).or_insert(id.clone()), id, "{place:?} has one id");
        }
        let parked: BTreeSet<_> =
            self.world.parked(self.id).await.iter().map(|p| (p.stream, p.sequence)).collect();
        assert!(parked.is_subset(&self.poison), "{parked:?} of {:?}", self.poison);
        for stream in STREAMS {
            let wanted = self.wanted.remove(&stream).unwrap_or_default();
            for sequence in &wanted {
                let place = (stream, *sequence);
                assert!(
                    arrived.contains(&place)
                        || self.poison.contains(&place)
                        || self.dropped.contains(&place),
                    "{place:?} is missing"
                );
            }
            let firsts: Vec<_> = self
                .world
                .firsts(stream)
                .into_iter()
                .filter(|s| wanted.contains(s) && !self.poison.contains(&(stream, *s)))
                .collect();
            assert!(firsts.is_sorted(), "{stream}: {firsts:?}");
            let of = progress.position(stream);
            let gone = self.dropped.iter().filter(|(name, _)| *name == stream).count() as u64;
            assert!(of.expired <= gone, "{stream}: {of:?}, {gone} dropped");
            let refused = parked.iter().filter(|(name, _)| *name == stream).count() as u64;
            assert!(of.refused <= refused, "{stream}: {of:?}, {refused} parked");
            let came = arrived.iter().filter(|(name, _)| *name == stream).count() as u64;
            assert!(of.confirmed <= came, "{stream}: {of:?}, {came} came");
        }
    }
}

fn histories(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut history = History::new(seed).await;
            let told = Told(seed);
            for _ in 0..250 {
                history.step().await;
            }
            history.finish().await;
            std::mem::forget(told);
        });
    }
}

/// Names the history that failed.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        eprintln!("in history {}", self.0);
    }
}

#[test]
fn histories_0_to_23() {
    histories(0..24);
}

#[test]
fn histories_24_to_47() {
    histories(24..48);
}
