//! A property list for launchd: launchd.plist(5).

use super::{STOP, Scope, Service};

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
"#;

/// Returns the property list's text.
pub(super) fn render(service: &Service, label: &str) -> String {
    let mut plist = format!("{HEAD}<!-- {} -->\n<plist version=\"1.0\">\n<dict>\n", service.mark());
    let mut pair = |key: &str, value: &str| {
        plist.push_str(&format!("  <key>{key}</key>\n  {value}\n"));
    };
    pair("Label", &string(label));
    let program = service.program.to_string_lossy();
    let words = std::iter::once(program.as_ref()).chain(service.arguments());
    let words: String = words.map(|word| format!("    {}\n", string(word))).collect();
    pair("ProgramArguments", &format!("<array>\n{words}  </array>"));
    let variables: String = service
        .environment
        .iter()
        .map(|(name, value)| format!("    <key>{}</key>\n    {}\n", text(name), string(value)))
        .collect();
    pair("EnvironmentVariables", &format!("<dict>\n{variables}  </dict>"));
    if service.scope == Scope::System {
        // launchd takes names only; a user that is named by number is one to it too.
        pair("UserName", &string(&service.person.uid.to_string()));
    }
    pair("RunAtLoad", "<true/>");
    match service.retries {
        None => pair("KeepAlive", "<false/>"),
        Some(retries) => {
            let failed = "<dict>\n    <key>SuccessfulExit</key>\n    <false/>\n  </dict>";
            pair("KeepAlive", failed);
            pair("ThrottleInterval", &integer(retries.delay.as_secs()));
        }
    }
    pair("ExitTimeOut", &integer(STOP.as_secs()));
    pair("ProcessType", &string("Background"));
    let log = service.log.to_string_lossy();
    pair("StandardOutPath", &string(&log));
    pair("StandardErrorPath", &string(&log));
    plist.push_str("</dict>\n</plist>\n");
    plist
}

fn string(value: &str) -> String {
    format!("<string>{}</string>", text(value))
}

fn integer(value: u64) -> String {
    format!("<integer>{value}</integer>")
}

/// Character data; what XML 1.0 has no way to say becomes a space.
fn text(value: &str) -> String {
    let mut out = String::new();
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::sample::nasty;
    use super::*;

    #[test]
    fn a_property_list_is_as_it_was_agreed() {
        insta::assert_snapshot!("plist-of-a-user", render(&nasty(Scope::User), "org.example.x"));
    }
}
