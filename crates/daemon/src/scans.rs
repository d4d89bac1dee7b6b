//! Which looks and which work are under way, and what is to begin next.
//!
//! One look at a time; what follows from it is carried out beside the next looks, so that a build which waits for a
//! network keeps no edit waiting. A source is worked on once at a time: what a later look wants to do with one that is
//! being worked on waits for the end of that, and then for another look.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use mangrove_app::scan::{Choice, RetryMode, ScanRequest};
use mangrove_domain::{
    plan::{Action, Plan},
    source::SourceId,
};
use tokio::sync::oneshot;

use crate::event::{ScanAnswer, ScanOptions};

/// Looks and work.
#[derive(Default)]
pub(crate) struct Scans {
    next: Option<Wish>,
    is_looking: bool,
    /// The sources that are being worked on, and the number of the work.
    in_progress: BTreeMap<SourceId, u64>,
    /// The pieces of work that go on.
    works: BTreeSet<u64>,
    last_number: u64,
    /// Sources that were being worked on when a look found something to do for them.
    found_busy: BTreeSet<SourceId>,
}

/// A look that is wanted.
#[derive(Default)]
struct Wish {
    /// Every failed build is tried, not only those that are due.
    tries_all: bool,
    options: ScanOptions,
    waiting: Vec<oneshot::Sender<ScanAnswer>>,
    /// The files that changed, if a look at what follows from them is enough.
    edits: Option<BTreeSet<PathBuf>>,
}

/// A look that may begin.
pub(crate) struct Look {
    pub(crate) request: ScanRequest,
    /// The files that changed, if a look at what follows from them is enough.
    pub(crate) edits: Option<BTreeSet<PathBuf>>,
    /// Who waits for what comes of it.
    pub(crate) waiting: Vec<oneshot::Sender<ScanAnswer>>,
}

impl Scans {
    /// Wants another look, after the one that may be under way: that one may have seen too little.
    pub(crate) fn want(&mut self) {
        self.wish();
    }

    /// The same, but a look at what follows from changes of these files is enough.
    pub(crate) fn want_edits(&mut self, paths: &BTreeSet<PathBuf>) {
        match &mut self.next {
            None => self.next = Some(Wish { edits: Some(paths.clone()), ..Wish::default() }),
            Some(Wish { edits: Some(edits), .. }) => edits.extend(paths.iter().cloned()),
            Some(Wish { edits: None, .. }) => {}
        }
    }

    /// The next look, which is one at everything.
    fn wish(&mut self) -> &mut Wish {
        let wish = self.next.get_or_insert_default();
        wish.edits = None;
        wish
    }

    /// The same, and every failed build is tried.
    pub(crate) fn want_all_tried(&mut self) {
        self.wish().tries_all = true;
    }

    /// A scan that somebody asked for and waits for.
    pub(crate) fn ask(&mut self, options: ScanOptions, waiting: oneshot::Sender<ScanAnswer>) {
        let wish = self.wish();
        wish.tries_all = true;
        wish.options.rehash |= options.rehash;
        wish.options.allow_mass_removal |= options.allow_mass_removal;
        wish.waiting.push(waiting);
    }

    /// The next look, if one may begin.
    pub(crate) fn begin(&mut self, usual: ScanRequest) -> Option<Look> {
        if self.is_looking {
            return None;
        }
        let Wish { tries_all, options, waiting, edits } = self.next.take()?;
        // Who asks for a scan wants to see what it does.
        let believes_removals = !waiting.is_empty();
        self.is_looking = true;
        let retry = if tries_all { RetryMode::All } else { RetryMode::Due };
        let ScanOptions { rehash, allow_mass_removal } = options;
        let request = ScanRequest { retry, rehash, allow_mass_removal, believes_removals, ..usual };
        Some(Look { request, edits, waiting })
    }

    /// A look ended without a plan.
    pub(crate) fn look_failed(&mut self) {
        self.is_looking = false;
    }

    /// A look ended with this plan. Gives the sources for which something is done now, and a number for this work.
    pub(crate) fn looked(&mut self, plan: &Plan) -> (u64, Choice) {
        self.is_looking = false;
        let mut choice = Choice::default();
        for step in plan.steps.iter().filter(|step| is_work(&step.action)) {
            if self.in_progress.contains_key(&step.source) {
                self.found_busy.insert(step.source.clone());
                continue;
            }
            choice.sources.insert(step.source.clone());
            if step.action.is_attempt() {
                choice.retried.insert(step.source.clone());
            }
        }
        self.last_number += 1;
        let number = self.last_number;
        self.in_progress.extend(choice.sources.iter().cloned().map(|source| (source, number)));
        self.works.insert(number);
        (number, choice)
    }

    /// These sources have other rows now: what was being done for them is done, whatever else the same work is about.
    pub(crate) fn published(&mut self, sources: &[SourceId]) {
        for source in sources {
            self.in_progress.remove(source);
        }
        self.look_at_busy_again();
    }

    /// The work of this number ended.
    pub(crate) fn ended(&mut self, number: u64) {
        self.works.remove(&number);
        self.in_progress.retain(|_, of| *of != number);
        self.look_at_busy_again();
    }

    /// Wants another look if something was found to do for a source that is not being worked on any more.
    fn look_at_busy_again(&mut self) {
        let found = self.found_busy.len();
        let in_progress = &self.in_progress;
        self.found_busy.retain(|source| in_progress.contains_key(source));
        if self.found_busy.len() < found {
            self.want();
        }
    }

    /// True if nothing is under way, and nothing is to begin.
    pub(crate) fn is_idle(&self) -> bool {
        self.next.is_none() && !self.is_looking && self.works.is_empty()
    }

    /// Nothing is to begin any more. Who waits for it hears that it will not.
    pub(crate) fn abandon(&mut self) {
        self.next = None;
    }

    /// How many sources are being worked on.
    pub(crate) fn in_progress(&self) -> usize {
        self.in_progress.len()
    }
}

const fn is_work(action: &Action) -> bool {
    !matches!(action, Action::Keep | Action::Defer { .. })
}

#[cfg(test)]
mod tests {
    use mangrove_domain::{
        freshness::{Fresh, NotLookedAt},
        plan::Step,
        source::{RelativePath, RootId},
    };

    use super::*;

    fn source(name: &str) -> SourceId {
        SourceId { root: RootId::local(), path: RelativePath::parse(name).expect("a path") }
    }

    fn plan(steps: &[(&str, Action)]) -> Plan {
        let step = |(name, action): &(&str, Action)| Step {
            source: source(name),
            verdict: Fresh::NotLookedAt(NotLookedAt::OutOfScope).into(),
            action: action.clone(),
        };
        Plan { steps: steps.iter().map(step).collect(), withheld: Vec::new(), problems: Vec::new() }
    }

    #[test]
    fn a_source_is_worked_on_once_at_a_time_and_looked_at_again_afterwards() {
        let mut scans = Scans::default();
        scans.want();
        assert!(scans.begin(ScanRequest::default()).is_some());
        scans.want();
        assert!(scans.begin(ScanRequest::default()).is_none(), "one look at a time");
        let (slow, choice) = scans.looked(&plan(&[("a", Action::Build), ("b", Action::Keep)]));
        assert_eq!(choice.sources, BTreeSet::from([source("a")]));

        assert!(scans.begin(ScanRequest::default()).is_some(), "looks go on beside work");
        let (other, choice) = scans.looked(&plan(&[("a", Action::Build), ("b", Action::Build)]));
        assert_eq!(choice.sources, BTreeSet::from([source("b")]), "an edit does not wait for it");
        assert_eq!(scans.in_progress(), 2);
        scans.ended(other);
        assert!(scans.begin(ScanRequest::default()).is_none(), "the slow one goes on");
        scans.ended(slow);

        let request = scans.begin(ScanRequest::default());
        assert!(request.is_some(), "what had to be left out is looked at again");
    }

    #[test]
    fn what_is_done_is_free_although_the_rest_of_the_same_work_goes_on() {
        let mut scans = Scans::default();
        scans.want();
        assert!(scans.begin(ScanRequest::default()).is_some());
        scans.looked(&plan(&[("fast", Action::Build), ("hangs", Action::Build)]));
        scans.want();
        assert!(scans.begin(ScanRequest::default()).is_some());
        let (_, none) = scans.looked(&plan(&[("fast", Action::Build), ("hangs", Action::Build)]));
        assert_eq!(none.sources, BTreeSet::new());
        scans.published(&[source("fast")]);
        assert!(scans.begin(ScanRequest::default()).is_some(), "an edit of it meanwhile is looked at now");
        let (_, again) = scans.looked(&plan(&[("fast", Action::Build), ("hangs", Action::Build)]));
        assert_eq!(again.sources, BTreeSet::from([source("fast")]));
    }

    #[test]
    fn what_is_asked_for_meanwhile_is_one_look() {
        let mut scans = Scans::default();
        let (first, _one) = oneshot::channel();
        let (second, _other) = oneshot::channel();
        scans.want();
        scans.ask(ScanOptions { rehash: true, ..ScanOptions::default() }, first);
        scans.ask(ScanOptions::default(), second);
        let Look { request, waiting, .. } = scans.begin(ScanRequest::default()).expect("a look");
        assert_eq!((request.retry, request.rehash, waiting.len()), (RetryMode::All, true, 2));
        scans.look_failed();
        assert!(scans.is_idle());
    }

    #[test]
    fn timers_try_what_is_due_and_a_start_everything() {
        let mut scans = Scans::default();
        scans.want();
        let Look { request, .. } = scans.begin(ScanRequest::default()).expect("a look");
        assert_eq!(request.retry, RetryMode::Due);
        scans.look_failed();
        scans.want_all_tried();
        let Look { request, .. } = scans.begin(ScanRequest::default()).expect("a look");
        assert_eq!(request.retry, RetryMode::All);
    }

    #[test]
    fn edits_are_enough_as_long_as_nobody_wants_to_look_at_everything() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<BTreeSet<_>>();
        let mut scans = Scans::default();
        let begin = |scans: &mut Scans| {
            let look = scans.begin(ScanRequest::default()).expect("a look");
            scans.look_failed();
            look.edits
        };
        scans.want_edits(&paths(&["/a"]));
        scans.want_edits(&paths(&["/b"]));
        assert_eq!(begin(&mut scans), Some(paths(&["/a", "/b"])));
        scans.want_edits(&paths(&["/a"]));
        scans.want();
        scans.want_edits(&paths(&["/b"]));
        assert_eq!(begin(&mut scans), None);
        let (answer, _answered) = oneshot::channel();
        scans.want_edits(&paths(&["/a"]));
        scans.ask(ScanOptions::default(), answer);
        assert_eq!(begin(&mut scans), None);
    }
}
