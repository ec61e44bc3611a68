use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::command::outrigger;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_storm_ends_in_time_with_its_table() {
    let began = Instant::now();
    let storm = outrigger(&["storm", "--seconds", "5", "--seed", "3"]);
    let ended = timeout(Duration::from_secs(60), storm).await.unwrap();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(began.elapsed() >= Duration::from_secs(5));

    let table: Vec<Vec<&str>> = ended
        .stdout()
        .lines()
        .skip_while(|line| !line.starts_with("phase "))
        .take_while(|line| !line.is_empty())
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect()
        })
        .collect();
    assert_eq!(table[0][..3], ["phase", "client", "calls"]);
    assert_eq!(table.len(), 1 + 2 * 10, "{}", ended.stdout());
    // Every second line lacks the phase's name.
    let rows: Vec<&[&str]> = table[1..]
        .chunks(2)
        .flat_map(|pair| [&pair[0][1..], &pair[1][..]])
        .collect();
    for pair in rows.chunks(2) {
        let [naive, outrigger] = [pair[0], pair[1]];
        assert_eq!((naive[0], outrigger[0]), ("naive", "outrigger"));
        assert_eq!(naive[1], outrigger[1], "not the same calls: {pair:?}");
        assert_eq!(outrigger[4], "0", "a POST was executed again: {pair:?}");
    }
    let quota = table.iter().position(|row| row[0] == "quota").unwrap();
    let kept = &table[quota + 1];
    assert_eq!(
        (kept[2], kept[3]),
        (kept[1], "-"),
        "within its quota: {kept:?}"
    );
    assert_eq!(kept[5], "1.00", "and nothing was sent twice: {kept:?}");
    let dead_peer = table.iter().position(|row| row[0] == "dead peer").unwrap();
    assert_ne!(
        table[dead_peer][4],
        "-",
        "its connection died: {}",
        ended.stdout()
    );
    let outage = rows.chunks(2).rev().nth(1).unwrap();
    let [naive, outrigger] = [0, 1].map(|row: usize| outage[row][5].parse::<f64>().unwrap());
    assert!(
        naive > 1.0 && outrigger < 1.0,
        "sent per call in an outage: {outage:?}"
    );
    for healthy in [&rows[..2], &rows[18..]].concat() {
        let [calls, ok, failed, repeated] = [1, 2, 3, 4].map(|column: usize| healthy[column]);
        assert_eq!((ok, failed, repeated), (calls, "-", "0"), "{healthy:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_storm_cannot_do_yet_it_says() {
    let ended = outrigger(&["storm", "--report", "storm.html"]).await;
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("storm writes no --report yet"),
        "{}",
        ended.stderr
    );
    assert_eq!(outrigger(&["storm", "--seconds", "0"]).await.code, 2);
}
