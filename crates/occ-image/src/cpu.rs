//! What the processor can do, as far as it decides which binary runs.

use std::fmt;

use occ_oci::Platform;
use serde::Deserialize;

/// Which build of a binary a processor runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cpu {
    /// The ordinary one.
    Modern,
    /// One without AVX2, for older x86-64: the ordinary one dies there with an illegal instruction.
    Baseline,
}

impl Cpu {
    /// Reads the text of `/proc/cpuinfo`.
    ///
    /// What cannot be found out counts as old: the build for old processors runs everywhere.
    pub fn from_cpuinfo(platform: Platform, cpuinfo: &str) -> Self {
        if platform != Platform::LinuxAmd64 {
            return Self::Modern;
        }
        let has_avx2 = |flags: &str| flags.split_whitespace().any(|flag| flag == "avx2");
        let mut processors = cpuinfo
            .lines()
            .filter_map(|line| line.split_once(':'))
            .filter(|(key, _)| key.trim() == "flags")
            .map(|(_, flags)| has_avx2(flags))
            .peekable();
        // Threads move between processors, so every one must be able.
        let all = processors.peek().is_some() && processors.all(|has| has);
        if all { Self::Modern } else { Self::Baseline }
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Modern => "modern",
            Self::Baseline => "baseline",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "processor\t: 0\nflags\t\t: fpu sse4_2 avx\n";
    const NEW: &str = "processor\t: 0\nflags\t\t: fpu avx avx2 bmi2\n";

    #[test]
    fn a_processor_with_avx2_is_modern_and_one_without_is_not() {
        assert_eq!(Cpu::from_cpuinfo(Platform::LinuxAmd64, NEW), Cpu::Modern);
        assert_eq!(Cpu::from_cpuinfo(Platform::LinuxAmd64, OLD), Cpu::Baseline);
    }

    #[test]
    fn one_old_processor_among_new_ones_decides() {
        let mixed = format!("{NEW}\n{OLD}");
        assert_eq!(Cpu::from_cpuinfo(Platform::LinuxAmd64, &mixed), Cpu::Baseline);
    }

    #[test]
    fn what_is_unknown_counts_as_old_and_arm_has_one_build_only() {
        assert_eq!(Cpu::from_cpuinfo(Platform::LinuxAmd64, ""), Cpu::Baseline);
        assert_eq!(Cpu::from_cpuinfo(Platform::LinuxAmd64, "model name : avx2"), Cpu::Baseline);
        assert_eq!(Cpu::from_cpuinfo(Platform::LinuxArm64, "Features : fp asimd"), Cpu::Modern);
    }
}
