//! The steps of the wizard, one after another; what a flag has answered is no step.

use std::net::SocketAddr;

use occ_sandbox::PortState;
use serde_json::{Value, json};

use super::answers::Answers;
use super::{Before, password, source};
use crate::config::{Config, find, parse_address};
use crate::context::Context;
use crate::failure::Failure;
use crate::host;

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Source,
    Password,
    Port,
    Address,
}

impl Step {
    fn title(self) -> &'static str {
        match self {
            Self::Source => "where the image comes from",
            Self::Password => "the password",
            Self::Port => "the port",
            Self::Address => "who may connect",
        }
    }
}

/// Returns the steps that are left; the quick way leaves port and address as they are.
fn left(answers: &Answers, quick: bool) -> Vec<Step> {
    [
        (Step::Source, answers.image_source.is_none()),
        (Step::Password, answers.password.is_none()),
        (Step::Port, answers.port.is_none() && !quick),
        (Step::Address, answers.bind_address.is_none() && !quick),
    ]
    .into_iter()
    .filter_map(|(step, open)| open.then_some(step))
    .collect()
}

/// Asks what is left to ask.
pub(super) async fn ask(
    answers: &mut Answers,
    quick: bool,
    before: &Before,
    context: &Context,
) -> Result<(), Failure> {
    let steps = left(answers, quick);
    let config = before.layers.config();
    for (index, step) in steps.iter().enumerate() {
        let place = format!("Step {} of {}: {}", index + 1, steps.len(), step.title());
        context.terminal.say("");
        context.terminal.say(&context.terminal.paint("1", &place));
        match step {
            Step::Source => {
                answers.image_source = Some(json!(source::ask(&config, context).await?));
            }
            Step::Password => {
                answers.password = Some(password::ask(before.password, context).await?);
            }
            Step::Port => answers.port = Some(port(&config, before.running, context).await?),
            Step::Address => answers.bind_address = Some(address(before, context).await?),
        }
    }
    Ok(())
}

/// Asks for the port; one that is taken is said, and taken all the same when it is named again.
async fn port(config: &Config, running: bool, context: &Context) -> Result<Value, Failure> {
    let key = find("port").expect("in the table");
    let mut offered = config.port;
    let mut insisted = running.then_some(config.port);
    loop {
        let question = format!("Port on this host, 1 to 65535 [{offered}]:");
        let typed = context.terminal.line(&question, &context.cancel).await?;
        let value = if typed.is_empty() { Ok(json!(offered)) } else { key.parse(&typed) };
        let value = match value {
            Ok(value) => value,
            Err(why) => {
                context.terminal.warn(&why);
                continue;
            }
        };
        let number = value.as_u64().and_then(|port| u16::try_from(port).ok()).expect("checked");
        if number < 1024 {
            context.terminal.warn("ports below 1024 need privileges on most hosts");
        }
        match host::port(SocketAddr::new(config.bind, number)) {
            PortState::Taken { by, next_free } if insisted != Some(number) => {
                let by = by.map_or_else(String::new, |(name, pid)| format!(" by {name} ({pid})"));
                context
                    .terminal
                    .warn(&format!("port {number} is taken{by}; name it again to keep it"));
                insisted = Some(number);
                offered = next_free.unwrap_or(offered);
            }
            _ => return Ok(value),
        }
    }
}

const ADDRESSES: [&str; 3] = [
    "localhost: this machine only (recommended)",
    "0.0.0.0: every machine that reaches this one; the password is the only door, sent unencrypted",
    "Another address of this machine",
];

/// Asks who may connect.
async fn address(before: &Before, context: &Context) -> Result<Value, Failure> {
    let terminal = &context.terminal;
    let current = before.layers.config().bind;
    let default =
        if current.is_loopback() { 0 } else { 1 + usize::from(!current.is_unspecified()) };
    match terminal.choose("Which address?", &ADDRESSES, default, &context.cancel).await? {
        0 => return Ok(json!("127.0.0.1")),
        1 => return Ok(json!("0.0.0.0")),
        _ => {}
    }
    loop {
        let typed = terminal.line(&format!("Address [{current}]:"), &context.cancel).await?;
        let typed = if typed.is_empty() { current.to_string() } else { typed };
        if parse_address(&typed).is_some() {
            return Ok(json!(typed));
        }
        terminal.warn(&format!("this is no IP address: {typed}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Answers {
        Answers { image_source: None, password: None, port: None, bind_address: None }
    }

    #[test]
    fn pw_014_wiz_001_the_quick_way_has_two_steps_and_the_source_is_one_of_them() {
        assert_eq!(left(&open(), true), [Step::Source, Step::Password]);
        let all = [Step::Source, Step::Password, Step::Port, Step::Address];
        assert_eq!(left(&open(), false), all);
    }

    #[test]
    fn what_a_flag_answers_is_not_asked() {
        let answers =
            Answers { image_source: Some(json!("build")), port: Some(json!(1)), ..open() };
        assert_eq!(left(&answers, false), [Step::Password, Step::Address]);
    }
}
