use std::fmt::Write;
use std::time::Duration;

use super::recovery::Recovery;
use super::score::Score;
use crate::tally::{Failed, Tally};

/// The titles of the columns.
const TITLES: [&str; 11] = [
    "phase",
    "client",
    "calls",
    "ok",
    "failed",
    "repeated",
    "sent/call",
    "p50",
    "p99",
    "longest",
    "recovered",
];

/// The columns of words; the others hold figures and stand to the right.
const WORDS: [usize; 3] = [0, 1, 4];

type Line = [String; TITLES.len()];

/// What the columns mean.
pub(super) const LEGEND: &str = "\
ok         calls answered 2xx or 3xx, read to the end
failed     the others: by status, by kind of failure, or unfinished when the phase was over
repeated   POSTs that the upstream executed again, by its own log
sent/call  requests that left for each call
p50 … longest  from the call to its answer or failure, pauses included; > where one was unfinished
recovered  from the end of what caused the trouble until calls began that all succeeded; > where they
           did not within the phase";

/// The lines of one phase, one for each client.
pub(super) fn lines(phase: &str, scores: &[Score]) -> Vec<Line> {
    let names = [phase].into_iter().chain(std::iter::repeat(""));
    names
        .zip(scores)
        .map(|(name, score)| line(name, score))
        .collect()
}

/// Renders the lines under their titles.
pub(super) fn render(mut lines: Vec<Line>) -> String {
    lines.insert(0, TITLES.map(str::to_owned));
    let mut widths = [0; TITLES.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut table = String::new();
    for line in &lines {
        let mut text = String::new();
        for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
            let _ = match WORDS.contains(&column) {
                true => write!(text, "{cell:<width$}  "),
                false => write!(text, "{cell:>width$}  "),
            };
        }
        table.push_str(text.trim_end());
        table.push('\n');
    }
    table
}

fn line(phase: &str, score: &Score) -> Line {
    let tally = &score.tally;
    let unfinished = tally
        .failed()
        .iter()
        .any(|(why, _)| *why == Failed::Unfinished);
    [
        phase.to_owned(),
        score.client.to_owned(),
        tally.calls().to_string(),
        tally.ok().to_string(),
        failures(tally),
        score.repeated.to_string(),
        ratio(score.sent, tally.calls()),
        time(tally.times().percentile(50)),
        time(tally.times().percentile(99)),
        format!(
            "{}{}",
            if unfinished { ">" } else { "" },
            time(tally.times().percentile(100))
        ),
        match score.recovery {
            None => "-".to_owned(),
            Some(Recovery::After(pause)) => time(pause),
            Some(Recovery::NotWithin(pause)) => format!(">{}", time(pause)),
        },
    ]
}

fn failures(tally: &Tally) -> String {
    let failed = tally.failed();
    if failed.is_empty() {
        return "-".to_owned();
    }
    let failed: Vec<_> = failed.iter().map(|(why, n)| format!("{n} {why}")).collect();
    failed.join(", ")
}

/// To two decimals, rounded up: what is above 1 shall not read 1.00.
fn ratio(part: u64, whole: u64) -> String {
    let hundredths = (part * 100).div_ceil(whole.max(1));
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// A time in the unit that suits it.
fn time(time: Duration) -> String {
    match time.as_millis() {
        millis @ ..1000 => format!("{millis} ms"),
        millis => format!("{}.{:02} s", millis / 1000, millis % 1000 / 10),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn columns_stand_under_their_titles() {
        let mut tally = Tally::default();
        tally.add(Ok(StatusCode::OK), Duration::from_millis(7));
        tally.add(Ok(StatusCode::BAD_GATEWAY), Duration::from_millis(1234));
        tally.cut_off(Duration::from_secs(2));
        let score = Score {
            client: "naive",
            tally,
            sent: 4,
            repeated: 1,
            recovery: None,
        };
        let other = Score {
            recovery: Some(Recovery::NotWithin(Duration::from_secs(8))),
            ..score.clone()
        };
        let table = render(lines("black hole", &[score, other]));
        assert_eq!(
            table,
            "\
phase       client  calls  ok  failed               repeated  sent/call     p50     p99  longest  recovered
black hole  naive       3   1  1 502, 1 unfinished         1       1.34  1.23 s  2.00 s  >2.00 s          -
            naive       3   1  1 502, 1 unfinished         1       1.34  1.23 s  2.00 s  >2.00 s    >8.00 s
"
        );
    }
}
