//! What a person sees while a run goes on: a bar on a terminal, one plain line every few seconds elsewhere.
//!
//! All of it goes to standard error. A monitor also watches for Ctrl-C: the first asks the run to stop after its step
//! (or the next piece of what follows the last one), a second ends the process at once.

use crate::run::{Monitor, Stage};
use crate::terminal::significant;
use dictlearn::learner::Record;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Time between two plain lines.
const INTERVAL: Duration = Duration::from_secs(5);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether Ctrl-C was pressed since the first [`Watcher`] was made.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Prints a line to standard error; that nobody reads it (`2>&1 | head`) is no error.
pub fn say_aside(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Shows steps and hears Ctrl-C.
pub struct Watcher {
    view: View,
}

enum View {
    Nothing,
    Lines { steps: usize, last: Instant },
    Bar(ProgressBar),
}

impl Watcher {
    /// A watcher that shows nothing when `quiet`; installs the handler of Ctrl-C.
    pub fn new(quiet: bool) -> Self {
        // A second handler in one process is refused: the first one is still in place then.
        let _ = ctrlc::set_handler(|| {
            if INTERRUPTED.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        });
        let view = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => View::Nothing,
            (false, false) => View::Lines { steps: 0, last: Instant::now() },
            (false, true) => View::Bar(bar()),
        };
        Self { view }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{prefix:>5} [{bar:30}] {pos}/{len} {msg} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn line(record: &Record) -> String {
    format!("objective {}, {:.1} nonzeros a sample", significant(record.objective), record.nonzeros)
}

impl Monitor for Watcher {
    fn stage(&mut self, stage: Stage, steps: usize) {
        match &mut self.view {
            View::Nothing => {}
            View::Lines { steps: total, .. } => *total = steps,
            View::Bar(bar) => {
                // What is drawn in between belongs to the new stage already.
                bar.set_prefix(stage.name());
                bar.set_message("");
                bar.set_length(steps as u64);
                bar.reset();
            }
        }
    }

    fn step(&mut self, stage: Stage, record: &Record) -> ControlFlow<()> {
        match &mut self.view {
            View::Nothing => {}
            View::Lines { steps, last } => {
                if last.elapsed() >= INTERVAL {
                    say_aside(&format!("{} {}/{steps}: {}", stage.name(), record.iteration, line(record)));
                    *last = Instant::now();
                }
            }
            View::Bar(bar) => {
                bar.set_position(record.iteration as u64);
                bar.set_message(line(record));
            }
        }
        self.piece()
    }

    fn piece(&mut self) -> ControlFlow<()> {
        if interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let View::Bar(bar) = &self.view {
            bar.finish_and_clear();
        }
    }
}
