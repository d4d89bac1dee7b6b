//! How much of a file system one walk may look at. What is to be walked is a repository; a mount of `/` is a mistake
//! that must not keep a command busy for minutes.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// The bounds of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many directories are listed.
    pub directories: usize,
    /// How long listing may take.
    pub time: Duration,
}

/// A hundred times what large repositories have; slow network file systems get through it in several scans.
impl Default for Bounds {
    fn default() -> Self {
        Self { directories: 50_000, time: Duration::from_mins(1) }
    }
}

/// What is left of the bounds. Time runs only while something is walked.
#[derive(Clone, Debug)]
pub struct Budget {
    bounds: Bounds,
    listed: usize,
    spent: Duration,
    since: Option<Instant>,
}

/// A bound was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// So many directories were listed.
    Directories(usize),
    /// Listing took so long.
    Time(Duration),
}

impl fmt::Display for Cut {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cut::Directories(directories) => write!(out, "there are more than {directories} directories"),
            Cut::Time(time) => write!(out, "listing directories took longer than {} s", time.as_secs()),
        }
    }
}

impl Budget {
    /// All of it.
    #[must_use]
    pub const fn new(bounds: Bounds) -> Self {
        Self { bounds, listed: 0, spent: Duration::ZERO, since: None }
    }

    /// Lets time run, until [`pause`](Self::pause).
    pub fn resume(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Stops time.
    pub fn pause(&mut self) {
        self.spent += self.since.take().map(|since| since.elapsed()).unwrap_or_default();
    }

    /// Asks for one more directory.
    ///
    /// # Errors
    /// [`Cut`] if there is none left, and from then on.
    pub fn take(&mut self) -> Result<(), Cut> {
        if self.listed >= self.bounds.directories {
            return Err(Cut::Directories(self.bounds.directories));
        }
        if self.spent + self.since.map(|since| since.elapsed()).unwrap_or_default() >= self.bounds.time {
            return Err(Cut::Time(self.bounds.time));
        }
        self.listed += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends_by_its_directories() {
        let mut budget = Budget::new(Bounds { directories: 2, ..Bounds::default() });
        assert_eq!([budget.take(), budget.take()], [Ok(()), Ok(())]);
        assert_eq!(budget.take(), Err(Cut::Directories(2)));
        assert_eq!(budget.take(), Err(Cut::Directories(2)), "and stays ended");
    }

    #[test]
    fn a_budget_ends_by_its_time() {
        let mut budget = Budget::new(Bounds { time: Duration::ZERO, ..Bounds::default() });
        budget.resume();
        assert_eq!(budget.take(), Err(Cut::Time(Duration::ZERO)));
        assert_eq!(Cut::Directories(50_000).to_string(), "there are more than 50000 directories");
    }
}
