//! One row of the table.

use super::timing::Samples;

const MEGABYTE: u64 = 1_000_000;

/// Something measured, and what it may cost.
pub(super) struct Figure {
    /// What was measured.
    pub(super) what: &'static str,
    /// The figure, with its spread where there is one.
    pub(super) measured: String,
    /// What it is seen beside: a cost that is not ours, with its figure.
    pub(super) beside: String,
    /// What counts against the budget.
    pub(super) ours: String,
    /// The budget; empty where there is none.
    pub(super) budget: String,
    /// Share of the budget that is used; 1 is all of it.
    pub(super) share: Option<f64>,
}

impl Figure {
    /// Returns the row of a duration; its budget, in milliseconds, is for what comes on top of
    /// `beside`.
    pub(super) fn time(
        what: &'static str,
        measured: &Samples,
        beside: Option<(&str, &Samples)>,
        budget: f64,
    ) -> Self {
        let not_ours = beside.map_or(0.0, |(_, samples)| samples.median());
        let ours = measured.median() - not_ours;
        Self {
            what,
            measured: spread(measured),
            beside: beside
                .map_or_else(String::new, |(name, samples)| format!("{name}: {}", spread(samples))),
            ours: milliseconds(ours),
            budget: format!("{budget:.0} ms"),
            share: Some(ours / budget),
        }
    }

    /// Returns the row of a duration that has no budget.
    pub(super) fn beside(what: &'static str, measured: &Samples, beside: (&str, &Samples)) -> Self {
        let row = Self::time(what, measured, Some(beside), 1.0);
        Self { budget: String::new(), share: None, ..row }
    }

    /// Returns the row of a duration that may be as long as another one.
    pub(super) fn ratio(what: &'static str, measured: &Samples, beside: (&str, &Samples)) -> Self {
        let share = measured.median() / beside.1.median();
        Self {
            ours: format!("{share:.2} times"),
            budget: "1.0 times".to_owned(),
            share: Some(share),
            ..Self::time(what, measured, Some(beside), 1.0)
        }
    }

    /// Returns the row of a number of bytes that may be as large as another one.
    pub(super) fn share(what: &'static str, bytes: u64, (name, other): (&str, u64)) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "an image is far smaller than 2^53 bytes")]
        let share = bytes as f64 / other as f64;
        Self {
            what,
            measured: format!("{bytes} bytes"),
            beside: format!("{name}: {other} bytes"),
            ours: format!("{share:.2} times"),
            budget: "1.0 times".to_owned(),
            share: Some(share),
        }
    }

    /// Returns the row of a size in bytes; its budget is in MB.
    pub(super) fn size(what: &'static str, bytes: u64, budget: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a program is far smaller than 2^53 bytes")]
        let megabytes = bytes as f64 / MEGABYTE as f64;
        #[expect(clippy::cast_precision_loss, reason = "a budget is a small number")]
        let share = megabytes / budget as f64;
        let measured = format!("{megabytes:.1} MB");
        Self {
            what,
            ours: measured.clone(),
            measured,
            beside: String::new(),
            budget: format!("{budget} MB"),
            share: Some(share),
        }
    }
}

/// Returns the median with what lies around it.
pub(super) fn spread(samples: &Samples) -> String {
    let (low, high) = samples.quartiles();
    format!(
        "{} ({} to {}, {} runs)",
        milliseconds(samples.median()),
        bare(low),
        bare(high),
        samples.count()
    )
}

fn milliseconds(value: f64) -> String {
    format!("{} ms", bare(value))
}

/// A tenth of a millisecond matters to a short command only.
fn bare(value: f64) -> String {
    if value.abs() < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_on_top_counts_against_the_budget() {
        let measured = Samples::new(vec![2900.0, 3000.0, 3300.0]);
        let own = Samples::new(vec![2700.0, 2800.0, 2850.0]);
        let figure = Figure::time("start", &measured, Some(("own", &own)), 400.0);
        assert_eq!(figure.measured, "3000 ms (2900 to 3300, 3 runs)");
        assert_eq!(figure.beside, "own: 2800 ms (2700 to 2850, 3 runs)");
        assert_eq!((figure.ours.as_str(), figure.budget.as_str()), ("200 ms", "400 ms"));
        assert!((figure.share.expect("a budget") - 0.5).abs() < 1e-9);
        let free = Figure::beside("copy", &measured, ("cp", &own));
        assert_eq!((free.ours.as_str(), free.budget.as_str(), free.share), ("200 ms", "", None));
    }

    #[test]
    fn what_may_be_as_much_as_something_else_is_told_in_times_of_it() {
        let [ours, theirs] = [vec![300.0], vec![200.0]].map(Samples::new);
        let figure = Figure::ratio("pull", &ours, ("docker", &theirs));
        assert_eq!((figure.ours.as_str(), figure.budget.as_str()), ("1.50 times", "1.0 times"));
        assert!((figure.share.expect("a budget") - 1.5).abs() < 1e-9);
        let figure = Figure::share("bytes", 50, ("layer", 100));
        assert_eq!(
            (figure.ours.as_str(), figure.beside.as_str()),
            ("0.50 times", "layer: 100 bytes")
        );
    }

    #[test]
    fn a_size_is_told_in_megabytes() {
        let figure = Figure::size("binary", 6 * MEGABYTE, 15);
        assert_eq!((figure.ours.as_str(), figure.budget.as_str()), ("6.0 MB", "15 MB"));
        assert!((figure.share.expect("a budget") - 0.4).abs() < 1e-9);
    }
}
