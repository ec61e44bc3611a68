use std::time::Duration;

/// The query of a path, as it stands there: nothing is decoded.
pub(super) struct Query<'a>(pub(super) &'a str);

/// A word that is missing, or that says nothing where it stands.
pub(super) struct Unknown;

impl<'a> Query<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    pub(super) fn number(&self, name: &str, default: usize) -> Result<usize, Unknown> {
        self.get(name).map_or(Ok(default), number)
    }

    pub(super) fn duration(&self, name: &str, default: Duration) -> Result<Duration, Unknown> {
        self.get(name).map_or(Ok(default), duration)
    }
}

pub(super) fn number(text: &str) -> Result<usize, Unknown> {
    text.parse().map_err(|_| Unknown)
}

/// Reads `250us`, `100ms`, `2s`, `1m`.
pub(super) fn duration(text: &str) -> Result<Duration, Unknown> {
    let unit = text.find(|c: char| !c.is_ascii_digit()).ok_or(Unknown)?;
    let (count, unit) = text.split_at(unit);
    let count: u64 = count.parse().map_err(|_| Unknown)?;
    Ok(match unit {
        "us" => Duration::from_micros(count),
        "ms" => Duration::from_millis(count),
        "s" => Duration::from_secs(count),
        "m" => Duration::from_secs(count.saturating_mul(60)),
        _ => return Err(Unknown),
    })
}
