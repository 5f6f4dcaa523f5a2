//! Repeated measurements and their middle.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::sandbox::Sandbox;
use crate::Outcome;

/// Durations of one thing done repeatedly, in milliseconds, ascending.
pub(super) struct Samples(Vec<f64>);

impl Samples {
    pub(super) fn new(mut milliseconds: Vec<f64>) -> Self {
        assert!(!milliseconds.is_empty(), "a middle needs a measurement");
        milliseconds.sort_by(f64::total_cmp);
        Self(milliseconds)
    }

    /// Returns how many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the median, which a few disturbed runs do not move.
    pub(super) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len() % 2 == 1 {
            self.0[middle]
        } else {
            f64::midpoint(self.0[middle - 1], self.0[middle])
        }
    }

    /// Returns the bounds between which the middle half lies.
    pub(super) fn quartiles(&self) -> (f64, f64) {
        let last = self.0.len() - 1;
        (self.0[last / 4], self.0[last - last / 4])
    }
}

/// Measures a command line of `occ` with hyperfine, without a shell around it.
pub(super) fn hyperfine(sandbox: &Sandbox, arguments: &[&str], runs: u32) -> Outcome<Samples> {
    let report = sandbox.folder().join("hyperfine.json");
    let occ = sandbox.occ(arguments);
    let mut command = Command::new("hyperfine");
    for (name, value) in occ.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let words: Vec<_> = std::iter::once(occ.get_program()).chain(occ.get_args()).collect();
    let quoted: Vec<_> = words.iter().map(|word| format!("'{}'", word.display())).collect();
    command
        .args(["--shell=none", "--warmup=10", "--style=none"])
        .arg(format!("--runs={runs}"))
        .arg("--export-json")
        .arg(&report)
        .arg(quoted.join(" "));
    let done = command
        .output()
        .map_err(|error| format!("hyperfine: {error}\nhint: apt-get install hyperfine"))?;
    if !done.status.success() {
        return Err(format!("hyperfine: {}", String::from_utf8_lossy(&done.stderr)).into());
    }
    let report: Value = serde_json::from_slice(&std::fs::read(report)?)?;
    let times = report["results"][0]["times"].as_array().ok_or("hyperfine reports no times")?;
    Ok(Samples::new(times.iter().filter_map(Value::as_f64).map(|s| s * 1000.0).collect()))
}

/// Something that is done once, and says how long it took.
type Timed<'a> = &'a dyn Fn() -> Outcome<Duration>;

/// Measures things in turns, so that a disturbance of the machine meets all of them; `prepare` comes
/// before each and is not measured. The first turn is warm-up.
pub(super) fn interleaved<const COUNT: usize>(
    turns: usize,
    prepare: impl Fn() -> Outcome,
    things: [Timed<'_>; COUNT],
) -> Outcome<[Samples; COUNT]> {
    let mut taken = [(); COUNT].map(|()| Vec::new());
    for turn in 0..=turns {
        for (thing, taken) in things.iter().zip(&mut taken) {
            prepare()?;
            let took = thing()?;
            if turn > 0 {
                taken.push(took.as_secs_f64() * 1000.0);
            }
        }
    }
    Ok(taken.map(Samples::new))
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    #[test]
    fn the_median_is_the_middle_of_the_sorted_values() {
        assert!((Samples::new(vec![9.0, 1.0, 2.0]).median() - 2.0).abs() < f64::EPSILON);
        assert!((Samples::new(vec![4.0, 1.0, 2.0, 100.0]).median() - 3.0).abs() < f64::EPSILON);
    }

    #[test]
    fn the_quartiles_leave_out_the_outer_values() {
        let (low, high) = Samples::new((1..=9).map(f64::from).collect()).quartiles();
        assert!((low - 3.0).abs() < f64::EPSILON && (high - 7.0).abs() < f64::EPSILON);
    }

    #[test]
    fn things_are_measured_in_turns_and_the_first_turn_does_not_count() {
        let order = RefCell::new(String::new());
        let ticks = Cell::new(0);
        let thing = |name: char| {
            order.borrow_mut().push(name);
            ticks.set(ticks.get() + 1);
            Ok(Duration::from_millis(ticks.get()))
        };
        let prepare = || {
            order.borrow_mut().push('p');
            Ok(())
        };
        let [a, b] = interleaved(2, prepare, [&|| thing('a'), &|| thing('b')]).expect("measured");
        assert_eq!(*order.borrow(), "papbpapbpapb");
        assert_eq!((a.count(), b.count()), (2, 2));
        assert!((a.median() - 4.0).abs() < f64::EPSILON, "{}", a.median());
    }
}
