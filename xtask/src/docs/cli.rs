//! The page of commands: the long help of each, as the program prints it.

use clap::Command;

/// Width of a line of help, whatever terminal this runs in.
const WIDTH: usize = 90;

/// Returns the page.
pub(super) fn render(command: Command) -> String {
    let mut command = without_environment(command).term_width(WIDTH);
    command.build();
    let mut page = String::from(
        "# Commands\n\nThe first heading has the options that every command takes. Results go to \
         stdout, everything else to stderr; `--json` on a command that answers something wraps \
         the answer as `{\"schema\": …, \"version\": 1, \"data\": …}`.\n",
    );
    section(&mut page, &mut command);
    page
}

/// Help shows the values that variables have at the moment; a page must not.
fn without_environment(command: Command) -> Command {
    command.mut_args(|argument| argument.hide_env_values(true)).mut_subcommands(without_environment)
}

fn section(page: &mut String, command: &mut Command) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    page.push_str(&format!("\n## {name}\n\n```text\n{}\n```\n", lines.join("\n")));
    for inner in command.get_subcommands_mut().filter(|inner| inner.get_name() != "help") {
        section(page, inner);
    }
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    #[test]
    fn every_command_has_a_section_and_its_options_are_in_it() {
        let page = render(occ::command());
        for heading in ["occ", "occ start", "occ config", "occ config set", "occ version"] {
            assert!(page.contains(&format!("\n## {heading}\n")), "{heading}");
        }
        let start = page.split("\n## occ start\n").nth(1).expect("its section");
        let start = start.split("\n## ").next().expect("ends somewhere");
        assert!(start.contains("--dry-run"), "{start}");
        assert!(!page.contains("\n## occ help\n"));
    }

    #[test]
    fn lines_of_help_have_one_width() {
        let page = render(occ::command());
        let inside = page.split("```").skip(1).step_by(2).flat_map(str::lines);
        let longest = inside.map(|line| line.chars().count()).max();
        assert!(longest.is_some_and(|longest| longest <= WIDTH), "{longest:?}");
    }

    #[test]
    fn the_value_of_a_variable_is_not_shown() {
        // PATH is set wherever tests run.
        let argument = || Arg::new("x").long("x").env("PATH");
        let inner = Command::new("inner").arg(argument());
        let page = render(Command::new("outer").arg(argument()).subcommand(inner));
        assert_eq!(page.matches("[env: PATH]").count(), 2, "{page}");
    }
}
