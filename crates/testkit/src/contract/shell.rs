//! What every [`Shell`] must do.

use std::time::Duration;

use mangrove_domain::ports::{Shell, ShellCommand, ShellEnd, ShellStream};

/// Runs every case.
///
/// # Panics
/// If the shell breaks the contract.
pub async fn shell(shell: &dyn Shell) {
    both_streams_and_the_exit_code_come_back(shell).await;
    variables_and_directory_are_given(shell).await;
    lines_are_told_while_it_runs(shell).await;
    what_takes_too_long_is_ended(shell).await;
    what_cannot_be_started_says_why(shell).await;
    no_more_is_kept_than_asked_for(shell).await;
}

fn command(text: &str) -> ShellCommand {
    ShellCommand { text: text.to_owned(), directory: None, variables: Vec::new(), limit: None, kept_bytes: 1 << 20 }
}

async fn run(shell: &dyn Shell, command: ShellCommand) -> (ShellEnd, Vec<(ShellStream, String)>) {
    let mut lines = Vec::new();
    let end = shell.run(command, &mut |stream, line| lines.push((stream, line.to_owned()))).await;
    (end, lines)
}

async fn both_streams_and_the_exit_code_come_back(shell: &dyn Shell) {
    let (end, lines) = run(shell, command("printf 'a\\nb'; echo c >&2; exit 3")).await;
    let expected =
        ShellEnd { exit_code: 3, output: "a\nb".to_owned(), errors: "c\n".to_owned(), ..ShellEnd::default() };
    assert_eq!(end, expected);
    let of = |wanted| lines.iter().filter(|(stream, _)| *stream == wanted).map(|(_, line)| &**line).collect::<Vec<_>>();
    assert_eq!((of(ShellStream::Output), of(ShellStream::Errors)), (vec!["a", "b"], vec!["c"]));
}

async fn variables_and_directory_are_given(shell: &dyn Shell) {
    let variables = vec![("GIVEN".to_owned(), "it's $HOME".to_owned())];
    let command = ShellCommand { directory: Some("/".to_owned()), variables, ..command("pwd; echo \"$GIVEN\"; cat") };
    let (end, _) = run(shell, command).await;
    assert_eq!((end.exit_code, &*end.output), (0, "/\nit's $HOME\n"));
}

async fn lines_are_told_while_it_runs(shell: &dyn Shell) {
    let mut first = None;
    let began = std::time::Instant::now();
    let command = command("echo first; sleep 1; echo second");
    let end = shell.run(command, &mut |_, _| first = first.or(Some(began.elapsed()))).await;
    assert_eq!(end.exit_code, 0);
    let (first, all) = (first.expect("a line"), began.elapsed());
    assert!(first + Duration::from_millis(500) < all, "the first line came after {first:?} of {all:?}");
}

async fn what_takes_too_long_is_ended(shell: &dyn Shell) {
    let command = ShellCommand { limit: Some(Duration::from_millis(300)), ..command("echo begun; sleep 1000") };
    let (end, _) = run(shell, command).await;
    assert_eq!((end.exit_code, end.timed_out, &*end.output), (-1, true, "begun\n"));
}

async fn what_cannot_be_started_says_why(shell: &dyn Shell) {
    let command = ShellCommand { directory: Some("/no/such/directory".to_owned()), ..command("true") };
    let (end, _) = run(shell, command).await;
    assert_eq!((end.exit_code, end.timed_out), (-1, false));
    assert!(end.errors.contains("/no/such/directory"), "{}", end.errors);
}

async fn no_more_is_kept_than_asked_for(shell: &dyn Shell) {
    let command = ShellCommand { kept_bytes: 10, ..command("printf '%s' 0123456789abc; printf xyz >&2") };
    let (end, _) = run(shell, command).await;
    assert_eq!((&*end.output, &*end.errors, end.is_cut), ("0123456789", "xyz", true));
}
