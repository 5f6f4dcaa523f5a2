//! The one place that reads the clock.

use std::time::Duration;

use jiff::{SignedDuration, Span, Timestamp};

/// Returns now, RFC 3339, UTC, in whole seconds.
pub(crate) fn now() -> String {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// Returns seconds since 1970 UTC as RFC 3339; none where they are no moment.
pub(crate) fn of_seconds(seconds: i64) -> Option<String> {
    Timestamp::from_second(seconds).ok().map(|moment| moment.to_string())
}

/// Returns now.
pub(crate) fn moment() -> Timestamp {
    Timestamp::now()
}

/// Returns a moment in RFC 3339 as nanoseconds since 1970 UTC, none where it is none.
pub(crate) fn nanos(moment: &str) -> Option<i128> {
    moment.parse::<Timestamp>().ok().map(Timestamp::as_nanosecond)
}

/// Returns the time since a moment in RFC 3339, or none when it is none or lies ahead.
pub(crate) fn since(moment: &str) -> Option<Duration> {
    let moment: Timestamp = moment.parse().ok()?;
    Duration::try_from(Timestamp::now().duration_since(moment)).ok()
}

/// Returns how far our clock is ahead of a date in an HTTP head (RFC 9110 5.6.7), seconds; none where it is
/// no such date.
pub(crate) fn ahead_of(date: &str) -> Option<i64> {
    let theirs = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    Some(Timestamp::now().as_second() - theirs.as_second())
}

/// Reads a moment: `10m`, `2h30m`, `3d`, or RFC 3339; returns seconds since 1970 UTC.
pub(crate) fn parse_since(text: &str) -> Result<i64, String> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment.as_second());
    }
    let ago = duration(text).ok_or_else(|| {
        format!(
            "{text:?} is neither a time ago such as 10m, nor a time such as 2026-01-31T12:00:00Z"
        )
    })?;
    let moment = Timestamp::now().checked_sub(ago).map_err(|error| error.to_string())?;
    Ok(moment.as_second())
}

/// Reads a time that is not zero: `90s`, `10m`, `2h30m`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let time = duration(text).and_then(|time| Duration::try_from(time).ok());
    let time = time.filter(|time| !time.is_zero());
    time.ok_or_else(|| format!("{text:?} is no time such as 90s, 10m or 2h30m"))
}

/// Checks a moment in RFC 3339 and returns it as images write it: UTC, whole seconds.
pub(crate) fn parse(text: &str) -> Result<String, String> {
    let moment: Timestamp =
        text.parse().map_err(|_| format!("{text:?} is no time such as 2026-01-31T12:00:00Z"))?;
    Ok(Timestamp::from_second(moment.as_second()).unwrap_or(moment).to_string())
}

fn duration(text: &str) -> Option<SignedDuration> {
    let span: Span = text.parse().ok()?;
    let hours = i64::from(span.get_days()) * 24;
    let days = SignedDuration::from_hours(hours);
    let rest = span.days(0).to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
    let total = days + rest;
    (total > SignedDuration::ZERO).then_some(total)
}

/// Returns a duration as a person says it: `3 d 4 h`, `12 min`, `7 s`.
pub(crate) fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_spoken_in_two_units_at_most() {
        let spoken: Vec<String> =
            [7, 61, 3700, 90_061].map(|s| spoken(Duration::from_secs(s))).into();
        assert_eq!(spoken, ["7 s", "1 min", "1 h 1 min", "1 d 1 h"]);
    }

    #[test]
    fn a_time_ago_and_a_moment_are_both_understood() {
        assert_eq!(parse_since("1970-01-01T00:01:00Z"), Ok(60));
        let ten_minutes = Timestamp::now().as_second() - parse_since("10m").expect("valid");
        assert!((600..=601).contains(&ten_minutes), "{ten_minutes}");
        let days = Timestamp::now().as_second() - parse_since("2d").expect("valid");
        assert!((172_800..=172_801).contains(&days), "{days}");
        for text in ["bogus", "", "-5m", "10"] {
            assert!(parse_since(text).is_err(), "{text:?} was accepted");
        }
    }
}
