//! The pages that are tables: settings and exit codes.

/// Returns the page of settings; each has a name, a variable, a default and a meaning.
pub(super) fn config(settings: &[[String; 4]]) -> String {
    let mut page = String::from(
        "# Settings\n\n\
         `occ config path` prints where the file is; it is JSON, comments and trailing commas are \
         welcome, and it need not exist. `occ config set NAME VALUE` changes it and keeps its \
         comments. A flag of a command wins over the variable, the variable over the file, the \
         file over the default; `occ config show` says for every setting who gave its value.\n\n\
         An editor that knows JSON schemas checks the file while you type when its first entry is \
         `\"$schema\"` with the address of [config.schema.json](config.schema.json).\n\n\
         | setting | variable | default | meaning |\n|---|---|---|---|\n",
    );
    for [name, variable, default, meaning] in settings {
        page.push_str(&format!(
            "| `{name}` | `{variable}` | `{}` | {} |\n",
            cell(default),
            cell(meaning)
        ));
    }
    page
}

/// Returns the page of facts that a policy can ask for.
pub(super) fn facts(facts: &[[&str; 3]]) -> String {
    let mut page = String::from(
        "# Facts about an image\n\n\
         A policy asks for these and no others; [the guide](../guides/policy.md) says how. A fact has \
         a value, or is not known, and says who gave it.\n\n\
         | fact | value | meaning |\n|---|---|---|\n",
    );
    for [name, kind, meaning] in facts {
        page.push_str(&format!("| `{name}` | {kind} | {} |\n", cell(meaning)));
    }
    page
}

/// Returns the page of exit codes.
pub(super) fn exit_codes(codes: &[(u8, &str)]) -> String {
    let mut page = String::from("# Exit codes\n\n| code | meaning |\n|---|---|\n");
    for (code, meaning) in codes {
        page.push_str(&format!("| {code} | {} |\n", cell(meaning)));
    }
    page.push_str(
        "\n`occ exec` and `occ shell` end with the code of the program that ran inside. With \
         `--json` a failure names its code and kind in `error`.\n",
    );
    page
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The checks of an engine.
pub(super) fn checks(checks: &[[&str; 3]]) -> String {
    let rows = checks
        .iter()
        .map(|[group, name, sentence]| format!("| {group} | `{name}` | {sentence} |\n"));
    let rows: String = rows.collect();
    format!(
        "# Checks of an engine\n\n`occ smoke` runs them in this order; \
         [the guide](../guides/smoke.md) says on what. A check that builds on one that failed is not \
         reached.\n\n| group | check | what is asserted |\n|---|---|---|\n{rows}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_one_row_whatever_its_text() {
        let row = ["a", "OCC_A", "\"x|y\"", "This | that."].map(str::to_owned);
        let page = config(&[row]);
        assert!(page.ends_with("| `a` | `OCC_A` | `\"x\\|y\"` | This \\| that. |\n"), "{page}");
    }

    #[test]
    fn every_exit_code_of_the_program_is_in_the_page() {
        let page = exit_codes(&occ::exit_codes());
        for (code, meaning) in occ::exit_codes() {
            assert!(page.contains(&format!("| {code} | {meaning} |\n")), "{code}");
        }
    }
}
