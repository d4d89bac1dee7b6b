//! Commands of the shell do not outlive the process that runs them, in whatever way that ends.
//!
//! After a signal that cannot be caught nobody is left to end them, and what the system offers for that reaches a command but not what it
//! has started. So a shell of its own reads from a pipe which groups there are. When the pipe ends, it ends those that are left.

use std::{
    collections::BTreeSet,
    io::{self, PipeWriter, Write as _},
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustix::process::Pid;
use tokio::process::Command;

/// They are asked to end, and forced after five seconds (the grace that they have otherwise, too).
const SCRIPT: &str = r#"
groups=' '
while read -r what group; do
  case $what in
    begun) groups="$groups$group " ;;
    ended) groups="${groups%% $group *} ${groups#* $group }" ;;
  esac
done
for group in $groups; do kill -TERM "-$group"; done
for look in 1 2 3 4 5; do
  left=
  for group in $groups; do kill -0 "-$group" && left="$left $group"; done
  groups=$left
  [ -z "$groups" ] && exit
  sleep 1
done
for group in $groups; do kill -KILL "-$group"; done
"#;

/// Who ends commands that are left alone. It is started with the first one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    pipe: Option<PipeWriter>,
    groups: BTreeSet<i32>,
}

/// A group that does not outlive this process as long as this value is there.
#[derive(Debug)]
pub(crate) struct Watched {
    watch: Watch,
    group: i32,
}

impl Watch {
    pub(crate) fn begin(&self, group: Pid) -> Watched {
        let group = group.as_raw_pid();
        self.state().begin(group);
        Watched { watch: self.clone(), group }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watch.state().end(self.group);
    }
}

impl State {
    fn begin(&mut self, group: i32) {
        self.groups.insert(group);
        if self.tell("begun", group).is_ok() {
            return;
        }
        // It was not started yet, or somebody has ended it.
        let outcome = start().and_then(|pipe| {
            self.pipe = Some(pipe);
            self.groups.clone().into_iter().try_for_each(|group| self.tell("begun", group))
        });
        if let Err(error) = outcome {
            tracing::debug!(%error, "nobody ends commands of the shell if this process is killed");
        }
    }

    fn end(&mut self, group: i32) {
        self.groups.remove(&group);
        // If it is gone, the next one is told of what there is then.
        let _ = self.tell("ended", group);
    }

    fn tell(&mut self, what: &str, group: i32) -> io::Result<()> {
        let pipe = self.pipe.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        pipe.write_all(format!("{what} {group}\n").as_bytes())
    }
}

fn start() -> io::Result<PipeWriter> {
    let (reader, writer) = io::pipe()?;
    // A group of its own: what is sent to that of this process does not reach it.
    let mut shell = Command::new("sh");
    shell.args(["-c", SCRIPT]).env_clear().current_dir("/").process_group(0);
    if let Some(path) = std::env::var_os("PATH") {
        shell.env("PATH", path);
    }
    shell.stdin(reader).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    Ok(writer)
}

#[cfg(test)]
mod tests {
    use std::{
        process::Child,
        time::{Duration, Instant},
    };

    use super::*;

    /// A command that has started another one.
    fn command() -> (Child, Pid) {
        use std::os::unix::process::CommandExt as _;
        let child = std::process::Command::new("sh").args(["-c", "sleep 600; true"]).process_group(0).spawn().unwrap();
        let group = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        (child, group)
    }

    fn ends(child: &mut Child) -> bool {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) {
            if child.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    #[tokio::test]
    async fn what_goes_on_ends_with_the_pipe_and_what_has_ended_is_left_alone() {
        let watch = Watch::default();
        let (mut first, mut released, mut last) = (command(), command(), command());
        let first_watched = watch.begin(first.1);
        drop(watch.begin(released.1));
        let last_watched = watch.begin(last.1);
        // As when the process is killed: nothing is told any more.
        watch.state().pipe = None;
        let ended = tokio::task::spawn_blocking(move || (ends(&mut first.0), ends(&mut last.0)));
        assert_eq!(ended.await.unwrap(), (true, true));
        assert!(released.0.try_wait().unwrap().is_none(), "what ended by itself may have left something on purpose");
        drop((first_watched, last_watched));
        rustix::process::kill_process_group(released.1, rustix::process::Signal::KILL).unwrap();
        released.0.wait().unwrap();
    }

    #[tokio::test]
    async fn one_that_was_ended_is_replaced_and_told_of_all() {
        let watch = Watch::default();
        let mut first = command();
        let watched = watch.begin(first.1);
        // As good as dead: nobody reads from this pipe.
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let before = watch.state().pipe.replace(writer);
        let mut second = command();
        let also_watched = watch.begin(second.1);
        watch.state().pipe = None;
        let ended = tokio::task::spawn_blocking(move || (ends(&mut second.0), ends(&mut first.0)));
        assert_eq!(ended.await.unwrap(), (true, true));
        drop((before, watched, also_watched));
    }
}
