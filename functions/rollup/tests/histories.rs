//! Random histories: crashes, lost answers, duplicates, rival writers, lost order. 2,000 of them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a failed test says so by a panic"
)]

mod world;

use belfry_domain::telemetry::part::Part;
use belfry_testkit::{Moment, Turnstile, Verdict};
use jiff::SignedDuration;
use rollup::{WriteError, Writer};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::task::JoinHandle;
use world::{PRODUCTS, World};

type Call = JoinHandle<Result<(), WriteError>>;

/// A process that writes: at most one call at a time, a cache that lives until it dies.
struct Process {
    writer: Arc<Writer>,
    /// The parts it was given, by position, and the call.
    busy: Option<(Vec<usize>, Call)>,
}

struct History {
    world: World,
    turnstile: Arc<Turnstile>,
    processes: Vec<Process>,
    /// Positions in `world.queued` that were reported as written.
    done: BTreeSet<usize>,
    born: usize,
}

impl History {
    fn new(seed: u64) -> Self {
        let turnstile = Arc::new(Turnstile::both_sides());
        let mut history = Self {
            world: World::new(seed),
            turnstile,
            processes: Vec::new(),
            done: BTreeSet::new(),
            born: 0,
        };
        let rivals = 1 + history.world.chance.below(3);
        for _ in 0..rivals {
            let process = history.cold();
            history.processes.push(process);
        }
        history
    }

    fn cold(&mut self) -> Process {
        self.born += 1;
        let name = format!("writer {}", self.born);
        let client = self.world.table.shared(&name, self.turnstile.clone());
        Process { writer: Arc::new(self.world.writer(client.table())), busy: None }
    }

    /// Some parts of one stream: mostly the next ones in order, sometimes any, sometimes again.
    fn delivery(&self) -> Vec<usize> {
        let chance = &self.world.chance;
        let streams = self.world.streams();
        if streams.is_empty() {
            return Vec::new();
        }
        let stream = streams[chance.below(streams.len())];
        let again = self.world.one_in(6);
        let mut positions: Vec<usize> = (0..self.world.queued.len())
            .filter(|i| self.world.queued[*i].stream == stream)
            .filter(|i| again || !self.done.contains(i))
            .collect();
        if self.world.one_in(6) {
            for i in (1..positions.len()).rev() {
                positions.swap(i, chance.below(i + 1));
            }
        }
        positions.truncate(1 + chance.below(4));
        if self.world.one_in(8)
            && let Some(first) = positions.first().copied()
        {
            positions.push(first);
        }
        positions
    }

    fn start(&mut self, process: usize) {
        let positions = self.delivery();
        if positions.is_empty() {
            return;
        }
        let parts: Vec<Part> = positions.iter().map(|i| self.world.queued[*i].clone()).collect();
        let writer = self.processes[process].writer.clone();
        let stream = parts[0].stream;
        let task = tokio::spawn(async move { writer.write(stream, parts).await.map(drop) });
        self.processes[process].busy = Some((positions, task));
    }

    /// Takes note of calls that ended.
    async fn collect(&mut self) {
        for process in &mut self.processes {
            if process.busy.as_ref().is_some_and(|(_, task)| task.is_finished()) {
                let (positions, task) = process.busy.take().unwrap();
                if task.await.unwrap().is_ok() {
                    self.done.extend(positions);
                }
            }
        }
    }

    fn kill(&mut self, process: usize) {
        if let Some((_, task)) = self.processes[process].busy.take() {
            task.abort();
        }
        self.processes[process] = self.cold();
    }

    async fn step(&mut self) {
        let process = self.world.chance.below(self.processes.len());
        match self.world.chance.below(40) {
            0 | 1 => {
                let product = PRODUCTS[self.world.chance.below(3)];
                let events = 1 + self.world.chance.below(8);
                self.world.post(product, events);
            }
            2 => {
                let hours = i64::try_from(self.world.chance.below(40)).unwrap();
                self.world.clock.advance(SignedDuration::from_hours(hours));
            }
            3 => self.kill(process),
            4..=8 if self.processes[process].busy.is_none() => self.start(process),
            _ => {
                let held = self.turnstile.settle().await;
                if !held.is_empty() {
                    let held = &held[self.world.chance.below(held.len())];
                    let fails = if held.moment == Moment::Before { 25 } else { 40 };
                    let verdict =
                        if self.world.one_in(fails) { Verdict::Fail } else { Verdict::Proceed };
                    self.turnstile.release(held.ticket, verdict);
                }
            }
        }
        self.collect().await;
    }

    /// Lets everything end, delivers what is not done, and judges.
    async fn finish(mut self) -> Result<(), String> {
        self.turnstile.open();
        for process in &mut self.processes {
            if let Some((_, task)) = process.busy.take() {
                task.await.unwrap().ok();
            }
        }
        // An old process with its cache goes first, then a cold one repeats everything.
        let old = self.processes[0].writer.clone();
        for stream in self.world.streams() {
            let left: Vec<Part> = (0..self.world.queued.len())
                .filter(|i| !self.done.contains(i) && self.world.queued[*i].stream == stream)
                .map(|i| self.world.queued[i].clone())
                .collect();
            old.write(stream, left).await.map_err(|e| e.to_string())?;
            let cold = self.world.writer(self.world.table.table());
            let all = self.world.parts_of(stream);
            cold.write(stream, all).await.map_err(|e| e.to_string())?;
        }
        self.world.judge().await
    }
}

fn histories(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let outcome = runtime.block_on(async {
            let mut history = History::new(seed);
            for product in PRODUCTS {
                history.world.post(product, 6);
            }
            for _ in 0..250 {
                history.step().await;
            }
            history.finish().await
        });
        assert_eq!(outcome, Ok(()), "history {seed}");
    }
}

#[test]
fn histories_0_to_499() {
    histories(0..500);
}

#[test]
fn histories_500_to_999() {
    histories(500..1_000);
}

#[test]
fn histories_1000_to_1499() {
    histories(1_000..1_500);
}

#[test]
fn histories_1500_to_1999() {
    histories(1_500..2_000);
}
