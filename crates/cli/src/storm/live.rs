use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::phase::Phase;
use crate::console;
use crate::tally::Tally;

/// What is shown on standard error while the storm rages: bars on a terminal, else a line a phase.
#[derive(Debug)]
pub(super) struct Live {
    bars: Option<MultiProgress>,
}

impl Live {
    /// Looks whether anybody watches.
    pub(super) fn new() -> Self {
        Self {
            bars: std::io::stderr().is_terminal().then(MultiProgress::new),
        }
    }

    /// Begins a phase.
    pub(super) fn phase(&self, phase: &Phase) {
        let line = format!("{}: {}", phase.name, phase.what);
        match &self.bars {
            Some(bars) => drop(bars.println(line)),
            None => console::note(format_args!("{line}")),
        }
    }

    /// Begins to show one client's part of a phase.
    pub(super) fn client(&self, name: &'static str, calls: usize) -> Gauge {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new(calls as u64));
            bar.set_style(style());
            bar.set_prefix(name);
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Gauge { name, bar }
    }
}

/// One client's gauge in a phase.
#[derive(Debug)]
pub(super) struct Gauge {
    name: &'static str,
    bar: Option<ProgressBar>,
}

impl Gauge {
    /// Shows how far it has got.
    pub(super) fn show(&self, tally: &Tally) {
        if let Some(bar) = &self.bar {
            bar.set_position(tally.calls());
            bar.set_message(summary(tally));
        }
    }

    /// Shows how it came out.
    pub(super) fn finish(self, tally: &Tally) {
        match self.bar {
            Some(bar) => bar.finish_with_message(summary(tally)),
            None => console::note(format_args!("  {:<10} {}", self.name, summary(tally))),
        }
    }
}

fn summary(tally: &Tally) -> String {
    format!("{} ok, {} failed", tally.ok(), tally.not_ok())
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("  {prefix:<10} [{bar:30}] {pos:>5}/{len} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
