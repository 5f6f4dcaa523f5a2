//! Watching a server that runs: when silence means that it should be started again.
//!
//! Pure: what was seen and when come in, what to do comes out.

use std::time::Duration;

/// How patient the watch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Silences in a row that count as one failure.
    pub misses: usize,
    /// How often the server is started again before the watch gives up.
    pub restarts: usize,
    /// After this long a restart no longer counts.
    pub forgiven_after: Duration,
    /// Pause before the second restart; each further one is twice as long.
    pub pause: Duration,
}

/// What one look at the server gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// It answered as it should.
    Alive,
    /// It need not answer now: it starts, is paused, or somebody works on the sandbox.
    Excused,
    /// It did not answer; why, in one line.
    Silent(String),
}

/// What to do after a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolve {
    /// Look again at the next turn.
    GoOn,
    /// Start it again after a pause; the silences that led here.
    Restart {
        /// How long to wait before.
        after: Duration,
        /// The how-manieth restart this is, of those that still count.
        number: usize,
        /// What was said each time, oldest first.
        answers: Vec<String>,
    },
    /// It was started again often enough.
    GiveUp {
        /// What was said each time, oldest first.
        answers: Vec<String>,
    },
}

/// One watch over one server.
#[derive(Debug, Clone)]
pub struct Watch {
    patience: Patience,
    silences: Vec<String>,
    restarts: Vec<Duration>,
}

impl Watch {
    /// Begins a watch.
    pub fn new(patience: Patience) -> Self {
        Self { patience, silences: Vec::new(), restarts: Vec::new() }
    }

    /// Takes a look into account; `now` is the time since any fixed moment.
    pub fn note(&mut self, sight: Sight, now: Duration) -> Resolve {
        let Sight::Silent(why) = sight else {
            self.silences.clear();
            return Resolve::GoOn;
        };
        self.silences.push(why);
        if self.silences.len() < self.patience.misses {
            return Resolve::GoOn;
        }
        let answers = std::mem::take(&mut self.silences);
        let forgiven_after = self.patience.forgiven_after;
        self.restarts.retain(|moment| now.saturating_sub(*moment) < forgiven_after);
        let before = self.restarts.len();
        if before >= self.patience.restarts {
            return Resolve::GiveUp { answers };
        }
        self.restarts.push(now);
        let doublings = u32::try_from(before.saturating_sub(1)).unwrap_or(u32::MAX);
        let pause = self.patience.pause.saturating_mul(2_u32.saturating_pow(doublings));
        let after = if before == 0 { Duration::ZERO } else { pause };
        Resolve::Restart { after, number: before + 1, answers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        misses: 3,
        restarts: 3,
        forgiven_after: Duration::from_secs(3600),
        pause: Duration::from_secs(10),
    };

    fn silent() -> Sight {
        Sight::Silent("no answer".into())
    }

    /// Lets a watch see silence until it does something.
    fn silence(watch: &mut Watch, now: u64) -> Resolve {
        loop {
            let resolve = watch.note(silent(), Duration::from_secs(now));
            if resolve != Resolve::GoOn {
                return resolve;
            }
        }
    }

    #[test]
    fn only_silence_without_a_break_counts() {
        let mut watch = Watch::new(PATIENCE);
        let now = Duration::ZERO;
        for between in [Sight::Alive, Sight::Excused] {
            assert_eq!(watch.note(silent(), now), Resolve::GoOn);
            assert_eq!(watch.note(silent(), now), Resolve::GoOn);
            assert_eq!(watch.note(between, now), Resolve::GoOn);
        }
        assert_eq!(watch.note(silent(), now), Resolve::GoOn);
        assert_eq!(watch.note(silent(), now), Resolve::GoOn);
        let Resolve::Restart { after, number, answers } = watch.note(silent(), now) else {
            panic!("the third silence in a row is a failure");
        };
        assert_eq!((after, number, answers.len()), (Duration::ZERO, 1, 3));
    }

    #[test]
    fn restarts_are_further_and_further_apart_and_then_it_is_given_up() {
        let mut watch = Watch::new(PATIENCE);
        let pauses: Vec<u64> = (0..3)
            .map(|turn| match silence(&mut watch, turn * 60) {
                Resolve::Restart { after, .. } => after.as_secs(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(pauses, [0, 10, 20]);
        assert!(matches!(silence(&mut watch, 240), Resolve::GiveUp { .. }));
    }

    #[test]
    fn a_restart_long_ago_is_forgiven() {
        let mut watch = Watch::new(PATIENCE);
        for turn in 0..10 {
            let resolve = silence(&mut watch, turn * 3600);
            assert!(matches!(resolve, Resolve::Restart { number: 1, .. }), "{turn}: {resolve:?}");
        }
    }
}
