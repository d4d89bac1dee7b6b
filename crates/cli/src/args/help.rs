//! What `mangrove --help` shows: the commands by what people are about.

use clap::Command;

/// Headings with the commands below them, in the order in which they are shown.
const GROUPS: [(&str, &[&str]); 3] = [
    ("Write extensions", &["init", "scan", "types", "describe", "why", "permissions", "bundle", "extension"]),
    ("Use them", &["model", "workflow", "run", "data", "report", "vault", "serve"]),
    ("Look after the repository", &["doctor", "retry", "catalog", "cache", "runtime", "export", "explain"]),
];

/// The program with its commands listed by groups. Each command keeps its own description.
pub(super) fn grouped(program: Command) -> Command {
    let header = program.get_styles().get_header();
    let literal = program.get_styles().get_literal();
    let width = GROUPS.iter().flat_map(|(_, names)| *names).map(|name| name.len()).max().unwrap_or_default();
    let mut template = String::from("{about-with-newline}\n{usage-heading} {usage}\n");
    for (heading, names) in GROUPS {
        template.push_str(&format!("\n{header}{heading}:{header:#}\n"));
        for name in names {
            let about = program.find_subcommand(name).and_then(Command::get_about).map(ToString::to_string);
            template.push_str(&format!("  {literal}{name:width$}{literal:#}  {}\n", about.unwrap_or_default()));
        }
    }
    template.push_str(&format!("\n{header}Options:{header:#}\n{{options}}"));
    program.help_template(template)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::*;
    use crate::args::Arguments;

    #[test]
    fn every_command_that_is_shown_is_in_one_group() {
        let program = Arguments::command();
        let shown: BTreeSet<&str> =
            program.get_subcommands().filter(|command| !command.is_hide_set()).map(Command::get_name).collect();
        let grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        assert_eq!(grouped.iter().copied().collect::<BTreeSet<&str>>(), shown);
        assert_eq!(grouped.len(), shown.len(), "one is in two groups");
    }
}
