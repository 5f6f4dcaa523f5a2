//! Which machine a file of machine code is for, told from its first bytes.

use std::io::{self, Read as _};

use occ_layer::tree::Content;

use crate::recipe::Architecture;

/// What a file's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Machine {
    /// No machine code.
    Any,
    /// Linux, or another system with ELF, on this processor.
    Elf(Architecture),
    /// Another processor or another system.
    Foreign,
}

impl Machine {
    /// Returns the machine of a file.
    pub(super) fn of(content: &Content) -> io::Result<Self> {
        let mut head = Vec::new();
        content.reader().take(HEAD).read_to_end(&mut head)?;
        Ok(Self::of_head(&head))
    }

    /// Returns whether a file for this machine is of use on an architecture.
    pub(super) fn suits(self, architecture: Architecture) -> bool {
        self == Self::Any || self == Self::Elf(architecture)
    }

    fn of_head(head: &[u8]) -> Self {
        match head {
            [0x7f, b'E', b'L', b'F', ..] => elf(head),
            [b'M', b'Z', ..] if is_portable_executable(head) => Self::Foreign,
            // SPEC: Mach-O, mach-o/loader.h; either byte order, 32 and 64 bits.
            [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => {
                Self::Foreign
            }
            // Universal Mach-O and Java classes begin alike; the one goes on with a small number of
            // architectures, the other with a version that is at least 45.
            [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 0..=44, ..] => Self::Foreign,
            _ => Self::Any,
        }
    }
}

/// Bytes that tell: the header of a Windows program follows that of its DOS stub.
const HEAD: u64 = 4096;

/// SPEC: System V ABI, ELF header: class at 4, byte order at 5, machine at 18.
fn elf(head: &[u8]) -> Machine {
    const LITTLE_64: [u8; 2] = [2, 1];
    if head.get(4..6) != Some(&LITTLE_64) {
        return Machine::Foreign;
    }
    match head.get(18..20) {
        Some([62, 0]) => Machine::Elf(Architecture::Amd64),
        Some([183, 0]) => Machine::Elf(Architecture::Arm64),
        _ => Machine::Foreign,
    }
}

/// SPEC: PE Format, "MS-DOS Stub": the offset of the signature stands at 0x3c.
fn is_portable_executable(head: &[u8]) -> bool {
    let signature = || {
        let offset = u32::from_le_bytes(head.get(0x3c..0x40)?.try_into().ok()?);
        head.get(usize::try_from(offset).ok()?..)
    };
    signature().is_some_and(|rest| rest.starts_with(b"PE\0\0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf_head(class: u8, order: u8, machine: [u8; 2]) -> Vec<u8> {
        let mut head = vec![0x7f, b'E', b'L', b'F', class, order];
        head.resize(18, 0);
        head.extend(machine);
        head
    }

    #[test]
    fn elf_files_are_told_apart_by_machine_class_and_byte_order() {
        let of = |class, order, machine| Machine::of_head(&elf_head(class, order, machine));
        assert_eq!(of(2, 1, [62, 0]), Machine::Elf(Architecture::Amd64));
        assert_eq!(of(2, 1, [183, 0]), Machine::Elf(Architecture::Arm64));
        assert_eq!(of(2, 1, [243, 0]), Machine::Foreign);
        assert_eq!(of(1, 1, [62, 0]), Machine::Foreign);
        assert_eq!(of(2, 2, [0, 62]), Machine::Foreign);
        assert_eq!(Machine::of_head(b"\x7fELF"), Machine::Foreign);
    }

    #[test]
    fn programs_for_windows_and_macos_are_foreign_and_lookalikes_are_not() {
        let mut windows = b"MZ".to_vec();
        windows.resize(0x3c, 0);
        windows.extend(0x80_u32.to_le_bytes());
        windows.resize(0x80, 0);
        assert_eq!(Machine::of_head(&windows), Machine::Any);
        windows.extend(b"PE\0\0");
        assert_eq!(Machine::of_head(&windows), Machine::Foreign);
        assert_eq!(Machine::of_head(b"MZ is how this text begins"), Machine::Any);
        assert_eq!(Machine::of_head(&[0xcf, 0xfa, 0xed, 0xfe, 7, 0]), Machine::Foreign);
        assert_eq!(Machine::of_head(&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2]), Machine::Foreign);
        let java_class = [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52];
        assert_eq!(Machine::of_head(&java_class), Machine::Any);
        assert_eq!(Machine::of_head(b"#!/bin/sh\n"), Machine::Any);
        assert_eq!(Machine::of_head(b""), Machine::Any);
    }

    #[test]
    fn a_file_suits_its_own_architecture_and_text_suits_all() {
        assert!(Machine::Any.suits(Architecture::Arm64));
        assert!(Machine::Elf(Architecture::Arm64).suits(Architecture::Arm64));
        assert!(!Machine::Elf(Architecture::Arm64).suits(Architecture::Amd64));
        assert!(!Machine::Foreign.suits(Architecture::Amd64));
    }
}
