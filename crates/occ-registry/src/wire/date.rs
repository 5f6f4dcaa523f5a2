//! Dates of HTTP in the form that everybody has to write (RFC 9110, 5.6.7, `IMF-fixdate`).

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads a date such as `Sun, 06 Nov 1994 08:49:37 GMT`, as seconds from 1 March of the year 0 on.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let (_day, rest) = text.trim().split_once(", ")?;
    let words: Vec<&str> = rest.split(' ').collect();
    let [day, month, year, time, "GMT"] = words[..] else { return None };
    let [hour, minute, second] = time.split(':').collect::<Vec<_>>()[..] else { return None };
    let number = |text: &str, below: u64| text.parse::<u64>().ok().filter(|n| *n < below);
    let month = MONTHS.iter().position(|name| *name == month)? as u64;
    // Years begin in March, so that the day that comes and goes is the last.
    let (year, month) = match number(year, 10_000)? {
        year if month < 2 => (year.checked_sub(1)?, month + 10),
        year => (year, month - 2),
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5;
    let days = days + number(day, 32)?.checked_sub(1)?;
    let hours = days * 24 + number(hour, 24)?;
    Some((hours * 60 + number(minute, 60)?) * 60 + number(second, 61)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_apart_what_the_calendar_says() {
        let apart = |one: &str, other: &str| Some(seconds(other)? - seconds(one)?);
        let (one, other) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:07 GMT");
        assert_eq!(apart(one, other), Some(30));
        let leap = ("Wed, 28 Feb 2024 23:59:59 GMT", "Fri, 01 Mar 2024 00:00:00 GMT");
        assert_eq!(apart(leap.0, leap.1), Some(86_401));
        let year = ("Thu, 31 Dec 2026 23:59:50 GMT", "Fri, 01 Jan 2027 00:00:00 GMT");
        assert_eq!(apart(year.0, year.1), Some(10));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "x",
            "Sun, 06 Nov 1994",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Xyz 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
