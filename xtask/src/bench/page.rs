//! The page with the figures.

use super::figure::Figure;
use super::machine::Machine;

/// How the figures were taken; the same words whatever they are.
pub(super) const METHOD: &str = "\
## Method

- The program is the release build (`cargo build --release -p occ`); the sandbox is made for the
  occasion, with every setting at its default, and removed afterwards.
- Commands that touch nothing, and `occ start` on a running sandbox, are timed by
  [hyperfine](https://github.com/sharkdp/hyperfine) without a shell, after ten runs of warm-up.
- What is seen *beside* something is measured in turns with it (A B A B …), the first turn of both
  left out, so that a busy moment of the machine meets both. `occ status` stands beside one HTTP
  request to opencode's health endpoint on a new connection. A cold start with `occ start` stands
  beside `docker start` of the same stopped container until the health endpoint and then the first
  endpoint that needs a working instance answer; `occ start` does more in its time: it also waits
  for the event stream and proves that requests without the password are refused.
- Ten sandboxes are measured when their servers have come to rest.
- A restart stops the sandbox and starts it; it stands beside the start alone.
- The downtime of an update is the longest time without an answer of the health endpoint, asked every
  25 ms while the update goes on, until also an endpoint that needs a working instance answers. It
  stands beside a cold start as above. The two images differ in a label.
- The snapshot is the step of `occ update` that copies the data for the way back, while the sandbox
  works, and waits until they are on the disk; it has 100 files of 10 MB of noise to copy. It stands
  beside `cp -a` of the same files inside the sandbox, which does not wait for the disk.
- A figure is the median; in brackets the quartiles. *Counts* is the difference of the medians, the
  part that is `occ`'s own; *used* is its share of the budget.

Measured with `just bench`. No test depends on these figures.
";

/// Returns the page.
pub(super) fn render(
    title: &str,
    method: &str,
    date: &str,
    machine: &Machine,
    figures: &[Figure],
) -> String {
    let Machine { processor, processors, memory_gib, kernel, engine, occ, opencode, load } =
        machine;
    format!(
        "# {title}\n\n\
         {date}: occ {occ}, opencode {opencode}, Docker Engine {engine}, Linux {kernel}, \
         {processors} × {processor}, {memory_gib} GiB of memory; load average {load} when it began.\n\n{}\n{method}",
        table(figures)
    )
}

/// Returns the table alone.
pub(super) fn table(figures: &[Figure]) -> String {
    let mut table = String::from(
        "| what | measured | beside | counts | budget | used |\n|---|---|---|---|---|---|\n",
    );
    for Figure { what, measured, beside, ours, budget, share } in figures {
        let used = share.map_or_else(String::new, |share| format!("{:.0} %", share * 100.0));
        table.push_str(&format!(
            "| {what} | {measured} | {beside} | {ours} | {budget} | {used} |\n"
        ));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_day_the_machine_and_a_row_for_each_figure() {
        let machine = Machine {
            processor: "Fast One".to_owned(),
            processors: 2,
            memory_gib: 16,
            kernel: "6.1".to_owned(),
            engine: "29.0".to_owned(),
            occ: "0.1.0".to_owned(),
            opencode: "1.2.3".to_owned(),
            load: "0.25".to_owned(),
        };
        let figures = [Figure::size("binary", 30_000_000, 15)];
        let page = render("Benchmarks", METHOD, "2026-01-31", &machine, &figures);
        for part in [
            "2026-01-31: occ 0.1.0, opencode 1.2.3, Docker Engine 29.0, Linux 6.1, 2 × Fast One",
            "load average 0.25 when it began",
            "| binary | 30.0 MB |  | 30.0 MB | 15 MB | 200 % |\n",
            "## Method",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
    }
}
