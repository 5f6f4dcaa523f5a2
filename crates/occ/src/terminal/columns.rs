//! Text in columns.

/// Returns lines whose fields stand below each other; the last one of a line is as long as it is.
pub(crate) fn columns(lines: &[Vec<String>]) -> String {
    let count = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let fields = lines.iter().filter_map(|line| line.get(column));
        fields.map(|field| field.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let line = |fields: &Vec<String>| {
        let padded = fields.iter().zip(&widths).map(|(field, width)| format!("{field:<width$}  "));
        let line: String = padded.collect();
        format!("{}\n", line.trim_end())
    };
    lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_below_each_other_and_nothing_trails() {
        let lines = [["NAME", "STATE"], ["a-long-one", "ä"]];
        let lines = lines.map(|line| line.map(str::to_owned).into());
        assert_eq!(columns(&lines), "NAME        STATE\na-long-one  ä\n");
    }
}
