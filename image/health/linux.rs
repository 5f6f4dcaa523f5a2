//! What the kernel does for us, and how it starts us. The only file with `unsafe` in it.

use core::arch::{asm, global_asm};
use core::ffi::CStr;

#[cfg(target_arch = "x86_64")]
mod number {
    pub(super) const READ: usize = 0;
    pub(super) const WRITE: usize = 1;
    pub(super) const CLOSE: usize = 3;
    pub(super) const SOCKET: usize = 41;
    pub(super) const CONNECT: usize = 42;
    pub(super) const SENDTO: usize = 44;
    pub(super) const GETSOCKOPT: usize = 55;
    pub(super) const CLOCK_GETTIME: usize = 228;
    pub(super) const EXIT_GROUP: usize = 231;
    pub(super) const OPENAT: usize = 257;
    pub(super) const PPOLL: usize = 271;
}

#[cfg(target_arch = "aarch64")]
mod number {
    pub(super) const READ: usize = 63;
    pub(super) const WRITE: usize = 64;
    pub(super) const CLOSE: usize = 57;
    pub(super) const SOCKET: usize = 198;
    pub(super) const CONNECT: usize = 203;
    pub(super) const SENDTO: usize = 206;
    pub(super) const GETSOCKOPT: usize = 209;
    pub(super) const CLOCK_GETTIME: usize = 113;
    pub(super) const EXIT_GROUP: usize = 94;
    pub(super) const OPENAT: usize = 56;
    pub(super) const PPOLL: usize = 73;
}

const EINTR: isize = -4;
const EAGAIN: isize = -11;
const ECONNREFUSED: isize = -111;
const EINPROGRESS: isize = -115;

// The stack holds the number of words, the words, a zero, the variables, a zero (System V ABI, "Process
// Initialization").
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {begin}",
    begin = sym begin,
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "mov x0, sp",
    "bl {begin}",
    begin = sym begin,
);

unsafe extern "C" fn begin(stack: *const usize) -> ! {
    // SAFETY: the kernel has put the number of words at the top of the stack, and the words behind it.
    let arguments = unsafe { Arguments { count: *stack, words: stack.add(1).cast() } };
    exit(crate::run(arguments))
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    exit(70) // EX_SOFTWARE
}

fn exit(code: i32) -> ! {
    loop {
        call(number::EXIT_GROUP, [code as usize, 0, 0, 0, 0, 0]);
    }
}

/// Asks the kernel; what is less than zero is an error's number.
#[cfg(target_arch = "x86_64")]
fn call(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let answer;
    // SAFETY: whoever calls passes pointers to memory that lasts and is as long as it says.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    answer
}

/// Asks the kernel; what is less than zero is an error's number.
#[cfg(target_arch = "aarch64")]
fn call(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let answer;
    // SAFETY: whoever calls passes pointers to memory that lasts and is as long as it says.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number, inlateout("x0") a as isize => answer,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack),
        );
    }
    answer
}

/// Words and variables that the program was started with.
pub(crate) struct Arguments {
    count: usize,
    words: *const *const core::ffi::c_char,
}

impl Arguments {
    /// Returns the words, each with the zero at its end.
    pub(crate) fn words(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.count).filter_map(|place| self.at(place))
    }

    /// Returns what follows `name=` among the variables, if it is not empty.
    pub(crate) fn variable(&self, name: &[u8]) -> Option<&[u8]> {
        let mut variables = (self.count + 1..).map_while(|place| self.at(place));
        let value = variables.find_map(|variable| variable.strip_prefix(name))?;
        value.split_last().map(|(_zero, value)| value).filter(|value| !value.is_empty())
    }

    fn at(&self, place: usize) -> Option<&[u8]> {
        // SAFETY: nobody asks beyond the zero that ends words or variables, and what is there before it are
        // texts that end with a zero and last as long as the program.
        unsafe {
            let text = *self.words.add(place);
            (!text.is_null()).then(|| CStr::from_ptr(text).to_bytes_with_nul())
        }
    }
}

/// Says something to standard error; that nobody hears it is no reason to fail.
pub(crate) fn say(text: &[u8]) {
    call(number::WRITE, [2, text.as_ptr() as usize, text.len(), 0, 0, 0]);
}

/// Overwrites what nobody needs any more.
pub(crate) fn forget(bytes: &mut [u8]) {
    bytes.fill(0);
}

/// A moment of the clock that is never set, in milliseconds.
#[derive(Clone, Copy)]
pub(crate) struct Instant(u64);

#[repr(C)]
struct Time {
    seconds: i64,
    nanoseconds: i64,
}

impl Instant {
    pub(crate) fn in_milliseconds(milliseconds: u64) -> Self {
        Self(Self::now() + milliseconds)
    }

    fn now() -> u64 {
        const MONOTONIC: usize = 1;
        let mut time = Time { seconds: 0, nanoseconds: 0 };
        call(number::CLOCK_GETTIME, [MONOTONIC, &raw mut time as usize, 0, 0, 0, 0]);
        time.seconds as u64 * 1000 + time.nanoseconds as u64 / 1_000_000
    }

    fn left(self) -> Option<Time> {
        let left = self.0.checked_sub(Self::now()).filter(|left| *left > 0)? as i64;
        Some(Time { seconds: left / 1000, nanoseconds: left % 1000 * 1_000_000 })
    }
}

/// Why something was not done.
pub(crate) enum Refusal {
    /// Nobody listens.
    Refused,
    /// The time is over.
    Late,
    /// Anything else.
    Other,
}

/// An open file or connection.
pub(crate) struct Descriptor(usize);

impl Drop for Descriptor {
    fn drop(&mut self) {
        call(number::CLOSE, [self.0, 0, 0, 0, 0, 0]);
    }
}

#[repr(C)]
struct Poll {
    descriptor: i32,
    wanted: i16,
    happened: i16,
}

const READABLE: i16 = 1;
const WRITABLE: i16 = 4;

impl Descriptor {
    /// Opens a file for reading; the path ends with a zero.
    pub(crate) fn open(path: &[u8]) -> Option<Self> {
        const HERE: isize = -100;
        const CLOSE_ON_EXEC: usize = 0o2_000_000;
        CStr::from_bytes_with_nul(path).ok()?;
        let path = path.as_ptr() as usize;
        let opened = call(number::OPENAT, [HERE as usize, path, CLOSE_ON_EXEC, 0, 0, 0]);
        usize::try_from(opened).ok().map(Self)
    }

    /// Reads as much as there is room for; returns how much that is.
    pub(crate) fn read_all(&self, bytes: &mut [u8]) -> usize {
        let mut length = 0;
        while let Some(room) = bytes.get_mut(length..).filter(|room| !room.is_empty()) {
            match self.read(room) {
                EINTR => {}
                read if read > 0 => length += read as usize,
                _ => break,
            }
        }
        length
    }

    fn read(&self, room: &mut [u8]) -> isize {
        call(number::READ, [self.0, room.as_mut_ptr() as usize, room.len(), 0, 0, 0])
    }

    /// Connects to a port of this machine.
    pub(crate) fn connect(port: u16, until: Instant) -> Result<Self, Refusal> {
        const INET: usize = 2;
        const STREAM_NONBLOCK_CLOSE_ON_EXEC: usize = 1 | 0o4_000 | 0o2_000_000;
        let socket = call(number::SOCKET, [INET, STREAM_NONBLOCK_CLOSE_ON_EXEC, 0, 0, 0, 0]);
        let socket = usize::try_from(socket).map(Self).map_err(|_| Refusal::Other)?;
        let [high, low] = port.to_be_bytes();
        let mut address = [0_u8; 16];
        address[..8].copy_from_slice(&[0, 0, high, low, 127, 0, 0, 1]);
        address[..2].copy_from_slice(&(INET as u16).to_ne_bytes());
        let address = [socket.0, address.as_ptr() as usize, address.len(), 0, 0, 0];
        match call(number::CONNECT, address) {
            0 => return Ok(socket),
            ECONNREFUSED => return Err(Refusal::Refused),
            EINPROGRESS | EAGAIN | EINTR => {}
            _ => return Err(Refusal::Other),
        }
        socket.wait(WRITABLE, until)?;
        match socket.error() {
            0 => Ok(socket),
            error if error == -ECONNREFUSED as i32 => Err(Refusal::Refused),
            _ => Err(Refusal::Other),
        }
    }

    /// Returns why a connection could not be made; zero when it could.
    fn error(&self) -> i32 {
        const SOCKET_LEVEL: usize = 1;
        const ERROR: usize = 4;
        let (mut error, mut length) = (0_i32, 4_u32);
        let to = [&raw mut error as usize, &raw mut length as usize];
        call(number::GETSOCKOPT, [self.0, SOCKET_LEVEL, ERROR, to[0], to[1], 0]);
        error
    }

    /// Sends everything; returns whether that was possible.
    pub(crate) fn send_all(&self, mut bytes: &[u8], until: Instant) -> bool {
        const NO_SIGNAL: usize = 0x4000;
        while !bytes.is_empty() {
            let (begin, length) = (bytes.as_ptr() as usize, bytes.len());
            match call(number::SENDTO, [self.0, begin, length, NO_SIGNAL, 0, 0]) {
                EINTR => {}
                EAGAIN if self.wait(WRITABLE, until).is_ok() => {}
                sent if sent > 0 => bytes = bytes.get(sent as usize..).unwrap_or(&[]),
                _ => return false,
            }
        }
        true
    }

    /// Waits for bytes and returns how many came; zero at the end.
    pub(crate) fn receive(&self, room: &mut [u8], until: Instant) -> Result<usize, Refusal> {
        loop {
            match self.read(room) {
                EINTR => {}
                EAGAIN => self.wait(READABLE, until)?,
                read => return usize::try_from(read).map_err(|_| Refusal::Other),
            }
        }
    }

    fn wait(&self, wanted: i16, until: Instant) -> Result<(), Refusal> {
        loop {
            let left = until.left().ok_or(Refusal::Late)?;
            let mut poll = Poll { descriptor: self.0 as i32, wanted, happened: 0 };
            let (poll, left) = (&raw mut poll as usize, &raw const left as usize);
            match call(number::PPOLL, [poll, 1, left, 0, 0, 0]) {
                EINTR => {}
                0 => return Err(Refusal::Late),
                ready if ready > 0 => return Ok(()),
                _ => return Err(Refusal::Other),
            }
        }
    }
}

/// What the compiler itself calls to copy, fill and compare memory. Each loop has something in it that keeps the
/// compiler from making a call of itself out of it.
mod memory {
    use core::arch::asm;

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
        for place in 0..length {
            // SAFETY: whoever calls promises both places.
            unsafe {
                *to.add(place) = *from.add(place);
                asm!("", options(nostack, preserves_flags));
            }
        }
        to
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
        if to.cast_const() <= from {
            // SAFETY: from the front on, nothing is overwritten that is still to be read.
            return unsafe { memcpy(to, from, length) };
        }
        for place in (0..length).rev() {
            // SAFETY: whoever calls promises both places.
            unsafe {
                *to.add(place) = *from.add(place);
                asm!("", options(nostack, preserves_flags));
            }
        }
        to
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memset(to: *mut u8, byte: i32, length: usize) -> *mut u8 {
        for place in 0..length {
            // SAFETY: whoever calls promises the place.
            unsafe {
                *to.add(place) = byte as u8;
                asm!("", options(nostack, preserves_flags));
            }
        }
        to
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, length: usize) -> i32 {
        for place in 0..length {
            // SAFETY: whoever calls promises both places.
            let (one, other) = unsafe { (*one.add(place), *other.add(place)) };
            if one != other {
                return i32::from(one) - i32::from(other);
            }
        }
        0
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, length: usize) -> i32 {
        // SAFETY: as it was promised to us.
        unsafe { memcmp(one, other, length) }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn strlen(text: *const u8) -> usize {
        let mut length = 0;
        // SAFETY: whoever calls promises a zero.
        while unsafe { *text.add(length) } != 0 {
            length += 1;
        }
        length
    }
}
