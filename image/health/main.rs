//! The sandbox's health check: asks the server inside, and says in one sentence what is wrong with it.
//!
//! It is a whole program without a standard library, so that the image needs neither a shell nor curl for it
//! and a check costs next to nothing. `cargo xtask health` compiles it for both architectures; the results lie
//! beside the other files of the guest. Names come from the guest contract, as variables of the compiler.

#![no_std]
#![no_main]

mod finding;
mod linux;
mod request;
mod text;

use finding::Finding;
use linux::{Arguments, Descriptor};
use request::{Answer, Failed, ask};
use text::Text;

/// Longest password and user name, in bytes.
const LONGEST: usize = 1024;
/// How long the server's health is waited for, in milliseconds: opencode never answers what it is asked in its
/// first third of a second, so the second question may be answered where the first was not.
const HEALTH: [u64; 2] = [1000, 1500];
/// How long the first answer of a project is waited for, in milliseconds.
const INSTANCE: [u64; 1] = [2000];

/// What the program was told.
struct Options<'a> {
    port: u16,
    password_file: &'a [u8],
    /// Whether the exit code is the finding's own. Docker knows only 0 and 1, and keeps 2 for itself.
    code: bool,
}

/// Runs the program; `stack` is what the kernel has put there.
pub(crate) fn run(arguments: Arguments) -> i32 {
    let Some(options) = read(&arguments) else {
        linux::say(b"usage: healthcheck [--code] [--port PORT] [--password-file PATH]\n");
        return 64; // EX_USAGE
    };
    let finding = look(&arguments, &options);
    if finding != Finding::Healthy {
        linux::say(finding.sentence());
        linux::say(b"\n");
    }
    match finding {
        Finding::Healthy => 0,
        _ if options.code => finding.code(),
        _ => 1,
    }
}

fn read(arguments: &Arguments) -> Option<Options<'_>> {
    let port = text::number(env!("OCC_PORT").as_bytes())?;
    // It ends with a zero, as the kernel wants paths.
    let password_file = concat!(env!("OCC_PASSWORD_FILE"), "\0").as_bytes();
    let mut options = Options { port, password_file, code: false };
    let mut words = arguments.words();
    words.next();
    while let Some(word) = words.next() {
        match word {
            b"--code\0" => options.code = true,
            b"--port\0" => options.port = text::number(words.next()?.split_last()?.1)?,
            b"--password-file\0" => options.password_file = words.next()?,
            _ => return None,
        }
    }
    Some(options)
}

fn look(arguments: &Arguments, options: &Options<'_>) -> Finding {
    let mut login = Text::<{ LONGEST * 2 + 1 }>::new();
    let user = arguments.variable(b"OPENCODE_SERVER_USERNAME=");
    let user = user.unwrap_or(env!("OCC_USER").as_bytes());
    login.add(&user[..user.len().min(LONGEST)]).add(b":");
    if !add_password(&mut login, arguments, options.password_file) {
        return Finding::NoPassword;
    }
    let health = ask(options.port, env!("OCC_HEALTH_PATH"), login.bytes(), &HEALTH);
    if let Some(finding) = judge_health(&health) {
        return finding;
    }
    // Health stays green when every project is broken, and unknown paths answer with a web page.
    judge_instance(&ask(options.port, env!("OCC_INSTANCE_PATH"), login.bytes(), &INSTANCE))
}

/// Adds the password: the file's, else the environment's. A line break at its end is not part of it.
fn add_password<const N: usize>(login: &mut Text<N>, arguments: &Arguments, file: &[u8]) -> bool {
    let mut bytes = [0; LONGEST + 1];
    let length = match Descriptor::open(file) {
        Some(file) => file.read_all(&mut bytes),
        None => {
            let variable = arguments.variable(b"OPENCODE_SERVER_PASSWORD=").unwrap_or(b"");
            let length = variable.len().min(bytes.len());
            bytes[..length].copy_from_slice(&variable[..length]);
            length
        }
    };
    let password = text::without_line_breaks(&bytes[..length]);
    login.add(password);
    password.len() <= LONGEST
}

fn judge_health(asked: &Result<Answer, Failed>) -> Option<Finding> {
    let answer = match asked {
        Ok(answer) => answer,
        Err(failed) => return Some(of(failed)),
    };
    match answer.status() {
        Some(401 | 403) => Some(Finding::Refused),
        Some(200) if answer.is_json() => {
            (!answer.has(b"\"healthy\":true")).then_some(Finding::Unhealthy)
        }
        Some(500..) => Some(Finding::Unhealthy),
        _ => Some(Finding::Stranger),
    }
}

fn judge_instance(asked: &Result<Answer, Failed>) -> Finding {
    let answer = match asked {
        Ok(answer) => answer,
        Err(failed) => return of(failed),
    };
    match answer.status() {
        Some(200) if answer.is_json() => Finding::Healthy,
        Some(401 | 403) => Finding::Refused,
        Some(400 | 500..) => Finding::BrokenProject,
        _ => Finding::Stranger,
    }
}

fn of(failed: &Failed) -> Finding {
    match failed {
        Failed::NotListening => Finding::NotListening,
        Failed::Silent => Finding::Silent,
        Failed::Broken => Finding::Stranger,
    }
}
