//! Text with places to fill in: `<<name>>` stands for a value, and nothing else is special.

/// Why a template cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{template}, line {line}: {problem}")]
pub struct TemplateError {
    /// Name of the template.
    pub template: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: String,
}

/// Puts values where their names stand.
///
/// # Errors
/// [`TemplateError`] for a name without a value.
pub(crate) fn fill(
    template: &str,
    text: &str,
    value: impl Fn(&str) -> Option<String>,
) -> Result<String, TemplateError> {
    let mut filled = String::new();
    for (index, line) in text.lines().enumerate() {
        let mut rest = line;
        while let Some((before, name, after)) = place(rest) {
            let value = value(name).ok_or_else(|| TemplateError {
                template: template.to_owned(),
                line: index + 1,
                problem: format!("nothing is called <<{name}>>"),
            })?;
            filled.push_str(before);
            filled.push_str(&value);
            rest = after;
        }
        filled.push_str(rest);
        filled.push('\n');
    }
    Ok(filled)
}

/// Returns what stands before the first place of a line, its name, and what stands after it.
fn place(line: &str) -> Option<(&str, &str, &str)> {
    let is_name = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    line.match_indices("<<").find_map(|(at, _)| {
        let (name, after) = line[at + 2..].split_once(">>")?;
        is_name(name).then_some((&line[..at], name, after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, TemplateError> {
        fill("page", text, |name| (name == "who").then(|| "<<world>>".to_owned()))
    }

    #[test]
    fn values_stand_where_their_names_stood_and_are_not_filled_in_again() {
        assert_eq!(filled("<<who>>, <<who>>\n").expect("filled"), "<<world>>, <<world>>\n");
        let shell = "cat <<EOF >>x\n<<< \"$a\" >> b\n";
        assert_eq!(filled(shell).expect("nothing to fill in"), shell);
    }

    #[test]
    fn a_name_without_a_value_is_named_with_its_line() {
        let error = filled("a\n<<whom>>\n").expect_err("unknown").to_string();
        assert_eq!(error, "page, line 2: nothing is called <<whom>>");
    }
}
