//! Schedules with a clock that tests set.

use std::{collections::HashMap, sync::Arc, time::Duration};

use mangrove_domain::{
    ports::{Calendar as _, Entropy, ScheduledInstant},
    problem::{Code, Problem},
    run::RunStatus,
    source::Origin,
    time::Timestamp,
    workflow::{Misfire, Overlap},
};
use mangrove_testkit::fakes::{PeriodicCalendar, SeededEntropy};

use super::*;

/// A moment that many seconds after one at which every schedule of these tests is due.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_824_000_000 + seconds * 1_000)
}

fn schedule(name: &str, pattern: &str) -> Schedule {
    schedule_of(&PeriodicCalendar::default(), name, pattern)
}

fn schedule_of(calendar: &PeriodicCalendar, name: &str, pattern: &str) -> Schedule {
    Schedule {
        workflow: format!("id of {name}").into(),
        name: name.to_owned(),
        file: format!("workflows/{name}.yaml"),
        origin: Origin::Local,
        pattern: pattern.to_owned(),
        recurrence: calendar.recurrence(pattern, None).expect("a period"),
        overlap: Overlap::Skip,
        misfire: Misfire::Skip,
        jitter: Duration::ZERO,
    }
}

fn scheduler(limits: Limits, all: Vec<Schedule>, now: Timestamp) -> Scheduler {
    let mut scheduler = Scheduler::new(limits, Arc::new(SeededEntropy::new(7)));
    replace(&mut scheduler, all, now);
    scheduler
}

fn replace(scheduler: &mut Scheduler, all: Vec<Schedule>, now: Timestamp) -> Vec<SchedulerChange> {
    scheduler.replace(all, |_| None, &HashMap::new(), now)
}

/// What starts now: the names, and the seconds of their instants.
fn fires(scheduler: &mut Scheduler, now: i64) -> Vec<(String, i64)> {
    scheduler.advance(at(now)).iter().map(named).collect()
}

fn named(fire: &Fire) -> (String, i64) {
    (fire.name.clone(), (fire.due.as_millis() - at(0).as_millis()) / 1_000)
}

fn end(scheduler: &mut Scheduler, fire: &Fire) {
    scheduler.ended(fire.number, FireOutcome::Ran(RunStatus::Succeeded));
}

/// Starts and ends everything that is due.
fn run_all(scheduler: &mut Scheduler, now: i64) -> Vec<(String, i64)> {
    let fires = scheduler.advance(at(now));
    for fire in &fires {
        end(scheduler, fire);
    }
    fires.iter().map(named).collect()
}

fn of(name: &str, instants: &[i64]) -> Vec<(String, i64)> {
    instants.iter().map(|instant| (name.to_owned(), *instant)).collect()
}

fn view_of<'v>(view: &'v SchedulerView, name: &str) -> &'v ScheduledView {
    view.schedules.iter().find(|schedule| schedule.name == name).expect("a schedule")
}

#[test]
fn runs_start_at_their_times_and_not_before() {
    let mut scheduler =
        scheduler(Limits::default(), vec![schedule("a", "every 60s"), schedule("b", "every 90s")], at(1));
    assert_eq!(scheduler.next_due(), Some(at(60)));
    assert_eq!(run_all(&mut scheduler, 59), []);
    assert_eq!(run_all(&mut scheduler, 60), of("a", &[60]));
    assert_eq!(run_all(&mut scheduler, 60), [], "once");
    assert_eq!(scheduler.next_due(), Some(at(90)));
    assert_eq!(run_all(&mut scheduler, 90), of("b", &[90]));
    assert_eq!(run_all(&mut scheduler, 120), of("a", &[120]));
    let mut both = run_all(&mut scheduler, 180);
    both.sort_unstable();
    assert_eq!(both, [of("a", &[180]), of("b", &[180])].concat());
}

#[test]
fn what_happens_is_told_once_and_in_its_order() {
    let limits = Limits { running: 1, ..Limits::default() };
    let mut scheduler = scheduler(limits, vec![schedule("a", "every 60s"), schedule("b", "every 60s")], at(1));
    scheduler.take_happenings();
    let told = |scheduler: &mut Scheduler| -> Vec<(String, What)> {
        scheduler.take_happenings().into_iter().map(|it| (it.name, it.what)).collect()
    };
    let fires = scheduler.advance(at(60));
    let (first, other) = if fires[0].name == "a" { ("a", "b") } else { ("b", "a") };
    assert_eq!(told(&mut scheduler), [(other.to_owned(), What::Queued), (first.to_owned(), What::Fired)]);
    assert_eq!(told(&mut scheduler), [], "once");
    scheduler.advance(at(120));
    let mut left_out = told(&mut scheduler);
    left_out.sort_by(|one, two| one.0.cmp(&two.0));
    let reason = |name: &str| if name == first { LeftOutReason::Runs } else { LeftOutReason::Waits };
    assert_eq!(left_out, ["a", "b"].map(|name| (name.to_owned(), What::LeftOut(reason(name)))));
    scheduler.started(fires[0].number, "the run");
    end(&mut scheduler, &fires[0]);
    let ended = What::Ended(Some("the run".to_owned()), FireOutcome::Ran(RunStatus::Succeeded));
    assert_eq!(told(&mut scheduler), [(first.to_owned(), ended)]);
    scheduler.advance(at(121));
    assert_eq!(told(&mut scheduler), [(other.to_owned(), What::Fired)]);
}

#[test]
fn a_fire_says_what_to_run() {
    let mut scheduler = scheduler(Limits::default(), vec![schedule("a", "every 60s")], at(1));
    let [fire] = &scheduler.advance(at(60))[..] else { panic!("one") };
    assert_eq!((&*fire.workflow, &*fire.name, fire.due, fire.makes_up), ("id of a", "a", at(60), false));
}

#[test]
fn a_little_late_is_not_missed_and_of_several_the_latest_counts() {
    let mut scheduler = scheduler(Limits::default(), vec![schedule("a", "every 1s")], at(0));
    assert_eq!(run_all(&mut scheduler, 1), of("a", &[1]));
    assert_eq!(run_all(&mut scheduler, 5), of("a", &[5]), "2 to 4 went by while the machine was busy");
    let view = scheduler.view(at(5));
    let left_out = view_of(&view, "a").left_out.expect("it is told");
    assert_eq!((left_out.due, left_out.reason, left_out.count), (at(4), LeftOutReason::Missed, 1));
    assert_eq!(run_all(&mut scheduler, 6), of("a", &[6]));
}

#[test]
fn fault_33_what_runs_keeps_the_next_one_out() {
    let mut scheduler = scheduler(Limits::default(), vec![schedule("a", "every 60s")], at(1));
    let first = scheduler.advance(at(60));
    assert_eq!(fires(&mut scheduler, 120), []);
    assert_eq!(fires(&mut scheduler, 180), []);
    let left_out = view_of(&scheduler.view(at(180)), "a").left_out.expect("it is told");
    assert_eq!((left_out.due, left_out.reason, left_out.count), (at(180), LeftOutReason::Runs, 2));
    end(&mut scheduler, &first[0]);
    assert_eq!(fires(&mut scheduler, 181), [], "what was left out does not come back");
    assert_eq!(fires(&mut scheduler, 240), of("a", &[240]));
}

#[test]
fn fault_33_what_waits_keeps_the_next_one_out_too() {
    let limits = Limits { running: 1, waiting_of_one: 4 };
    let mut scheduler = scheduler(limits, vec![schedule("a", "every 3600s"), schedule("b", "every 60s")], at(-30));
    let first = scheduler.advance(at(0));
    assert_eq!(first.iter().map(named).collect::<Vec<_>>(), of("a", &[0]), "it has the only place");
    for minute in 1..10 {
        assert_eq!(scheduler.advance(at(minute * 60)), []);
        let view = scheduler.view(at(minute * 60));
        assert_eq!(view.queue.waiting, [("b".to_owned(), at(0))], "it waits, and is not queued again");
        let left_out = view_of(&view, "b").left_out.map(|left_out| (left_out.due, left_out.reason));
        assert_eq!(left_out, Some((at(minute * 60), LeftOutReason::Waits)));
    }
    end(&mut scheduler, &first[0]);
    assert!(scheduler.next_due().is_some_and(|due| due <= at(540)), "what waits starts now");
    assert_eq!(run_all(&mut scheduler, 541), of("b", &[0]));
    assert_eq!(run_all(&mut scheduler, 600), of("b", &[600]));
}

#[test]
fn fault_33_a_slow_workflow_delays_no_other() {
    for overlap in [Overlap::Skip, Overlap::Queue, Overlap::Allow] {
        let slow = Schedule { overlap, ..schedule("slow", "every 60s") };
        let limits = Limits { running: 4, waiting_of_one: 4 };
        let mut scheduler = scheduler(limits, vec![slow, schedule("quick", "every 60s")], at(1));
        for minute in 1..60 {
            // What is slow never ends.
            let started = scheduler.advance(at(minute * 60));
            let quick: Vec<&Fire> = started.iter().filter(|fire| fire.name == "quick").collect();
            assert_eq!(quick.len(), 1, "{overlap:?}, minute {minute}");
            end(&mut scheduler, quick[0]);
        }
        let view = scheduler.view(at(3_600));
        let slow = view_of(&view, "slow");
        let expected = match overlap {
            Overlap::Skip => (1, 0),
            Overlap::Queue => (1, 1),
            Overlap::Allow => (2, 4),
        };
        assert_eq!((slow.running.len(), slow.waiting), expected, "{overlap:?}: bounded");
    }
}

#[test]
fn queued_runs_follow_each_other() {
    let queued = Schedule { overlap: Overlap::Queue, ..schedule("a", "every 60s") };
    let mut scheduler = scheduler(Limits::default(), vec![queued], at(1));
    let first = scheduler.advance(at(60));
    assert_eq!(fires(&mut scheduler, 120), []);
    assert_eq!(fires(&mut scheduler, 180), [], "one waits already");
    let view = scheduler.view(at(180));
    assert_eq!(view.queue.waiting, [("a".to_owned(), at(120))]);
    assert_eq!(view_of(&view, "a").left_out.map(|left_out| left_out.reason), Some(LeftOutReason::Waits));
    assert!(scheduler.next_due() > Some(at(180)), "nothing to do before the next one is due");
    end(&mut scheduler, &first[0]);
    assert!(scheduler.next_due() <= Some(at(180)), "it can start now");
    assert_eq!(fires(&mut scheduler, 185), of("a", &[120]));
}

#[test]
fn fault_30_and_48_an_outcome_is_what_it_is_and_the_schedule_stays() {
    let mut scheduler = scheduler(Limits::default(), vec![schedule("a", "every 60s")], at(1));
    let refused = Problem::error(Code::UNKNOWN_NAME, "a", "unknown workflow `a`");
    let outcomes = [
        FireOutcome::Ran(RunStatus::Failed),
        FireOutcome::Ran(RunStatus::Blocked),
        FireOutcome::Refused(refused),
        FireOutcome::Elsewhere,
    ];
    for (minute, outcome) in (1..).zip(outcomes) {
        let fire = scheduler.advance(at(minute * 60)).remove(0);
        scheduler.started(fire.number, "run 1");
        let running = view_of(&scheduler.view(at(minute * 60)), "a").running.clone();
        assert_eq!(running, [(Some("run 1".to_owned()), at(minute * 60))]);
        scheduler.ended(fire.number, outcome.clone());
        scheduler.ended(fire.number, FireOutcome::Ran(RunStatus::Succeeded));
        let view = scheduler.view(at(minute * 60));
        let shown = view_of(&view, "a");
        assert_eq!(shown.last, Some(Last { due: at(minute * 60), run: Some("run 1".to_owned()), outcome }));
        assert_eq!((shown.running.len(), shown.next), (0, Some(at(minute * 60 + 60))));
    }
}

#[test]
fn jitter_is_drawn_once_for_an_instant_and_ends_before_the_next() {
    let jittery = Schedule { jitter: Duration::from_mins(10), ..schedule("a", "every 60s") };
    let mut scheduler = scheduler(Limits::default(), vec![jittery.clone()], at(1));
    let mut delays = Vec::new();
    for minute in 1..40 {
        let next = scheduler.next_due().expect("it never ends");
        assert!(next >= at(minute * 60) && next < at(minute * 60 + 60), "minute {minute}");
        replace(&mut scheduler, vec![jittery.clone()], at(minute * 60));
        assert_eq!(scheduler.advance(at(minute * 60 - 1)), []);
        assert_eq!(scheduler.next_due(), Some(next), "whatever is read and asked meanwhile");
        delays.push(next.since(at(minute * 60)));
        let fires = scheduler.advance(next);
        assert_eq!(fires.iter().map(named).collect::<Vec<_>>(), of("a", &[minute * 60]));
        end(&mut scheduler, &fires[0]);
    }
    let (least, most) = (delays.iter().min().expect("some"), delays.iter().max().expect("some"));
    assert!(*least < Duration::from_secs(20) && *most > Duration::from_secs(40), "spread: {delays:?}");
}

#[test]
fn what_was_missed_is_left_out_or_made_up_for_once() {
    for misfire in [Misfire::Skip, Misfire::RunOnce] {
        let hourly = Schedule { misfire, ..schedule("a", "every 3600s") };
        let mut scheduler = scheduler(Limits::default(), vec![hourly], at(1));
        assert_eq!(run_all(&mut scheduler, 3_600), of("a", &[3_600]));
        // The machine sleeps for five hours and a half.
        let fires = scheduler.advance(at(6 * 3_600 + 1_800));
        let expected = if misfire == Misfire::Skip { vec![] } else { of("a", &[6 * 3_600]) };
        assert_eq!(fires.iter().map(named).collect::<Vec<_>>(), expected);
        assert!(fires.iter().all(|fire| fire.makes_up));
        for fire in &fires {
            end(&mut scheduler, fire);
        }
        assert_eq!(run_all(&mut scheduler, 7 * 3_600), of("a", &[7 * 3_600]));
        // It sleeps until right after the hour: that one is merely late.
        let fires = scheduler.advance(at(10 * 3_600 + 20));
        assert_eq!(fires.iter().map(named).collect::<Vec<_>>(), of("a", &[36_000]));
        assert!(fires.iter().all(|fire| fire.makes_up == (misfire == Misfire::RunOnce)));
    }
}

#[test]
fn what_was_missed_while_no_daemon_was_there_is_made_up_for_once() {
    let last: HashMap<String, Timestamp> = [("id of a".to_owned(), at(3_600))].into();
    let started = |misfire, last: &HashMap<String, Timestamp>, now: i64| {
        let hourly = Schedule { misfire, ..schedule("a", "every 3600s") };
        let mut scheduler = Scheduler::new(Limits::default(), Arc::new(SeededEntropy::new(7)));
        scheduler.replace(vec![hourly], |_| None, last, at(now));
        let mut all = run_all(&mut scheduler, now);
        all.extend(run_all(&mut scheduler, now + 1));
        all
    };
    let hours = 5 * 3_600 + 1_800;
    assert_eq!(started(Misfire::RunOnce, &last, hours), of("a", &[5 * 3_600]));
    assert_eq!(started(Misfire::Skip, &last, hours), []);
    assert_eq!(started(Misfire::RunOnce, &HashMap::new(), hours), [], "it never ran");
    assert_eq!(started(Misfire::RunOnce, &last, 3_700), [], "nothing was missed");
    assert_eq!(started(Misfire::Skip, &last, 7_220), of("a", &[7_200]), "a start at the very time loses nothing");
    assert_eq!(started(Misfire::Skip, &last, 3_620), [], "and does nothing twice");
}

#[test]
fn a_clock_set_back_fires_nothing_twice() {
    for back in [5, 90, 1_000, 2 * 3_600, 30 * 3_600] {
        let mut scheduler = scheduler(Limits::default(), vec![schedule("a", "every 600s")], at(1));
        let mut fired = Vec::new();
        let mut now = 0;
        while now < 12_000 {
            now += 30;
            fired.extend(run_all(&mut scheduler, now));
        }
        let set_back_to = now - back;
        now = set_back_to;
        while now < 24_000 {
            now += 30;
            fired.extend(run_all(&mut scheduler, now));
        }
        let mut instants: Vec<i64> = fired.into_iter().map(|(_, instant)| instant).collect();
        instants.sort_unstable();
        let distinct = instants.len();
        instants.dedup();
        assert_eq!(instants.len(), distinct, "set back by {back}");
        let every: Vec<i64> = (1..=40).map(|number| number * 600).collect();
        assert!(every.iter().all(|instant| instants.contains(instant)), "set back by {back}: none is lost");
    }
}

#[test]
fn a_clock_that_was_a_year_ahead_silences_nothing_when_it_is_right_again() {
    const YEAR: i64 = 365 * 86_400;
    for misfire in [Misfire::Skip, Misfire::RunOnce] {
        let hourly = Schedule { misfire, ..schedule("a", "every 3600s") };
        let mut scheduler = scheduler(Limits::default(), vec![hourly], at(1));
        assert_eq!(run_all(&mut scheduler, 3_600), of("a", &[3_600]));
        let ahead = run_all(&mut scheduler, YEAR + 1_800);
        assert_eq!(ahead, if misfire == Misfire::Skip { vec![] } else { of("a", &[YEAR]) });
        assert_eq!(run_all(&mut scheduler, YEAR + 3_600), of("a", &[YEAR + 3_600]));
        assert_eq!(run_all(&mut scheduler, 4_000), [], "it is right again");
        assert_eq!(scheduler.next_due(), Some(at(7_200)));
        assert_eq!(run_all(&mut scheduler, 7_200), of("a", &[7_200]));
        // A year later what was done is done.
        let skipped = run_all(&mut scheduler, YEAR - 3_600 * 3 + 5);
        assert_eq!(skipped, of("a", &[YEAR - 3_600 * 3]));
        let mut later = Vec::new();
        for hour in -2..=3 {
            later.extend(run_all(&mut scheduler, YEAR + hour * 3_600));
        }
        let done: &[i64] = if misfire == Misfire::Skip { &[1] } else { &[0, 1] };
        let expected: Vec<i64> = (-2..=3).filter(|hour| !done.contains(hour)).map(|hour| YEAR + hour * 3_600).collect();
        assert_eq!(later, of("a", &expected));
    }
}

#[test]
fn a_clock_that_goes_back_by_moments_changes_nothing() {
    let calendar = PeriodicCalendar::default();
    let all = (0..1_000).map(|number| schedule_of(&calendar, &format!("w{number}"), "every 3600s")).collect();
    let mut scheduler = scheduler(Limits::default(), all, at(1));
    scheduler.advance(at(10));
    let before = calendar.questions();
    scheduler.advance(Timestamp::from_millis(at(10).as_millis() - 400));
    assert_eq!(calendar.questions(), before, "no schedule is reckoned anew");
}

#[test]
fn files_that_change_leave_the_others_as_they_are() {
    let jittery = |name: &str| Schedule { jitter: Duration::from_mins(30), ..schedule(name, "every 3600s") };
    let mut scheduler = scheduler(Limits::default(), vec![jittery("a"), jittery("b"), jittery("c")], at(1));
    let next = |scheduler: &Scheduler, name: &str| view_of(&scheduler.view(at(2)), name).next;
    let before = (next(&scheduler, "a"), next(&scheduler, "b"));
    let renamed = Schedule { file: "workflows/other.yaml".to_owned(), ..jittery("a") };
    let other = Schedule { jitter: Duration::ZERO, ..schedule("b", "every 60s") };
    let gentler = Schedule { overlap: Overlap::Queue, ..jittery("a") };
    let changes = replace(&mut scheduler, vec![renamed, other.clone(), schedule("d", "every 60s")], at(2));
    let names = |names: &[(&str, &str)]| -> Vec<SchedulerChange> {
        let change = |(what, name): &(&str, &str)| match *what {
            "added" => SchedulerChange::Added((*name).to_owned()),
            "changed" => SchedulerChange::Changed((*name).to_owned()),
            _ => SchedulerChange::Removed((*name).to_owned()),
        };
        names.iter().map(change).collect()
    };
    assert_eq!(changes, names(&[("changed", "b"), ("added", "d"), ("removed", "c")]));
    assert_eq!(next(&scheduler, "a"), before.0, "it is the same schedule in another file");
    assert_eq!(next(&scheduler, "b"), Some(at(60)), "new times");
    assert_eq!(replace(&mut scheduler, vec![gentler, other], at(2)), names(&[("changed", "a"), ("removed", "d")]));
    assert_eq!(next(&scheduler, "a"), before.0, "its times are as before");
    assert_eq!(replace(&mut scheduler, Vec::new(), at(2)).len(), 2);
    assert_eq!((scheduler.next_due(), scheduler.view(at(2)).schedules), (None, Vec::new()));
}

#[test]
fn a_schedule_that_was_away_for_a_moment_runs_once() {
    let mut scheduler = scheduler(Limits::default(), vec![schedule("a", "every 60s")], at(1));
    let fire = scheduler.advance(at(60)).remove(0);
    // A branch is switched and switched back while it runs.
    replace(&mut scheduler, Vec::new(), at(61));
    replace(&mut scheduler, vec![schedule("a", "every 60s")], at(62));
    assert_eq!(fires(&mut scheduler, 63), [], "it ran already");
    assert_eq!(fires(&mut scheduler, 120), [], "and it still runs");
    end(&mut scheduler, &fire);
    assert_eq!(run_all(&mut scheduler, 180), of("a", &[180]));
    // Away at the very time, and back.
    replace(&mut scheduler, Vec::new(), at(239));
    replace(&mut scheduler, vec![schedule("a", "every 60s")], at(241));
    assert_eq!(run_all(&mut scheduler, 241), of("a", &[240]));
}

#[test]
fn what_waits_of_a_removed_schedule_does_not_start() {
    let limits = Limits { running: 1, waiting_of_one: 1 };
    let mut scheduler = scheduler(limits, vec![schedule("a", "every 60s"), schedule("b", "every 60s")], at(1));
    let first = scheduler.advance(at(60)).remove(0);
    let left = if first.name == "a" { "a" } else { "b" };
    replace(&mut scheduler, vec![schedule(left, "every 3600s")], at(61));
    end(&mut scheduler, &first);
    assert_eq!(fires(&mut scheduler, 62), []);
}

#[test]
fn fault_48_a_broken_file_keeps_its_last_good_schedule_and_says_so() {
    let mut scheduler = scheduler(Limits::default(), vec![schedule("a", "every 60s")], at(1));
    let broken = |message: &str| Problem::error(Code::MALFORMED_DOCUMENT, "workflows/a.yaml", message);
    let fault = |message: &str| {
        let problem = broken(message);
        move |schedule: &Schedule| (schedule.file == "workflows/a.yaml").then(|| problem.clone())
    };
    let kept = |message: &str| vec![SchedulerChange::Kept { name: "a".to_owned(), problem: broken(message) }];
    assert_eq!(scheduler.replace(Vec::new(), fault("no YAML"), &HashMap::new(), at(2)), kept("no YAML"));
    assert_eq!(scheduler.replace(Vec::new(), fault("no YAML"), &HashMap::new(), at(3)), [], "said once");
    assert_eq!(view_of(&scheduler.view(at(3)), "a").problem, Some(broken("no YAML")));
    assert_eq!(run_all(&mut scheduler, 60), of("a", &[60]));
    assert_eq!(replace(&mut scheduler, vec![schedule("a", "every 60s")], at(61)), []);
    assert_eq!(view_of(&scheduler.view(at(61)), "a").problem, None, "mended");
    assert_eq!(replace(&mut scheduler, Vec::new(), at(62)), [SchedulerChange::Removed("a".to_owned())]);
}

#[test]
fn ten_thousand_schedules_cost_what_is_due() {
    let calendar = PeriodicCalendar::default();
    let many = (0..10_000).map(|number| schedule_of(&calendar, &format!("w{number}"), "every 86400s"));
    let all = many.chain([schedule_of(&calendar, "minute", "every 60s")]).collect();
    let mut scheduler = scheduler(Limits::default(), all, at(1));
    let before = calendar.questions();
    for minute in 1..=60 {
        assert_eq!(scheduler.next_due(), Some(at(minute * 60)));
        assert_eq!(run_all(&mut scheduler, minute * 60), of("minute", &[minute * 60]));
    }
    assert!(calendar.questions() - before <= 60 * 3, "{} questions", calendar.questions() - before);
}

#[test]
fn the_view_shows_what_comes() {
    let mut scheduler =
        scheduler(Limits::default(), vec![schedule("b", "every 60s"), schedule("a", "every 90s")], at(1));
    scheduler.advance(at(60));
    let view = scheduler.view(at(61));
    assert_eq!(view.schedules.iter().map(|schedule| &*schedule.name).collect::<Vec<_>>(), ["a", "b"]);
    let b = view_of(&view, "b");
    let instants: Vec<Timestamp> = b.upcoming.iter().map(|(instant, _)| *instant).collect();
    assert_eq!(instants, [at(120), at(180), at(240), at(300), at(360)]);
    assert_eq!(b.upcoming[0].1, format!("{} UTC", at(120).as_millis()));
    assert_eq!((b.next, b.zone.as_str(), b.pattern.as_str()), (Some(at(120)), "UTC", "every 60s"));
    assert_eq!((b.running.len(), view.queue.running, view.queue.limit), (1, 1, 16));
}

/// Randomness that is not within its bounds.
struct Wild(f64);

impl Entropy for Wild {
    fn fraction(&self) -> f64 {
        self.0
    }

    fn identifier(&self) -> String {
        String::new()
    }
}

#[test]
fn wild_randomness_and_moments_do_no_harm() {
    for fraction in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1.0, 2.0] {
        let mut scheduler = Scheduler::new(Limits { running: 0, waiting_of_one: 0 }, Arc::new(Wild(fraction)));
        let jittery = Schedule { jitter: Duration::MAX, ..schedule("a", "every 60s") };
        replace(&mut scheduler, vec![jittery], at(1));
        let next = scheduler.next_due().expect("it is due");
        assert!(next >= at(60) && next < at(120), "{fraction}");
        for millis in [0, i64::from(u32::MAX), -1_000_000] {
            scheduler.advance(Timestamp::from_millis(millis));
        }
    }
}

/// A daemon that has more to do than it can leaves to others what they have begun: nothing is left out that nobody runs (fault 38).
#[test]
fn what_others_have_waits_no_more() {
    let every_second = |name| Schedule { overlap: Overlap::Allow, ..schedule(name, "every 1s") };
    let limits = Limits { running: 2, waiting_of_one: 2 };
    let mut scheduler = scheduler(limits, vec![every_second("a"), every_second("b")], at(0));
    let first = scheduler.advance(at(1));
    assert_eq!(first.iter().map(named).collect::<Vec<_>>(), [("a".to_owned(), 1), ("b".to_owned(), 1)]);
    for second in [2, 3] {
        assert_eq!(fires(&mut scheduler, second), [], "both places are taken");
    }
    let instant = |name: &str, second| ScheduledInstant { instant: at(second), workflow: format!("id of {name}") };
    let waiting: Vec<ScheduledInstant> = scheduler.waiting().collect();
    assert_eq!(waiting, [instant("a", 2), instant("b", 2), instant("a", 3), instant("b", 3)]);
    let _ = scheduler.take_happenings();
    scheduler.leave_to_others(&[instant("a", 2), instant("a", 1), instant("b", 3)]);
    let told: Vec<(String, Option<Timestamp>, What)> = scheduler
        .take_happenings()
        .into_iter()
        .map(|happening| (happening.name, happening.due, happening.what))
        .collect();
    let elsewhere = |name: &str, second| (name.to_owned(), Some(at(second)), What::Ended(None, FireOutcome::Elsewhere));
    assert_eq!(told, [elsewhere("a", 2), elsewhere("b", 3)], "what goes on is not touched");
    assert_eq!(fires(&mut scheduler, 4), [], "there is room for what comes now");
    end(&mut scheduler, &first[0]);
    end(&mut scheduler, &first[1]);
    let (now, later) = (fires(&mut scheduler, 4), scheduler.waiting().collect::<Vec<_>>());
    assert_eq!(now, [("b".to_owned(), 2), ("a".to_owned(), 3)]);
    assert_eq!(later, [instant("a", 4), instant("b", 4)]);
}

/// A run that waits for one of another daemon keeps nobody else from its place.
#[test]
fn what_waits_for_another_daemon_takes_no_place() {
    let queued = Schedule { overlap: Overlap::Queue, ..schedule("a", "every 60s") };
    let limits = Limits { running: 1, waiting_of_one: 1 };
    let mut scheduler = scheduler(limits, vec![queued, schedule("b", "every 60s")], at(0));
    let first = scheduler.advance(at(60));
    assert_eq!(first.iter().map(named).collect::<Vec<_>>(), of("a", &[60]));
    scheduler.ended(first[0].number, FireOutcome::Overlaps);
    assert_eq!(scheduler.next_due(), Some(at(60)), "its place is free");
    let second = scheduler.advance(at(60));
    assert_eq!(second.iter().map(named).collect::<Vec<_>>(), of("b", &[60]));
    end(&mut scheduler, &second[0]);
    assert_eq!(fires(&mut scheduler, 60), [], "not asked for at once");
    assert_eq!(scheduler.next_due(), Some(at(61)));
    let again = scheduler.advance(at(61));
    assert_eq!(again.iter().map(named).collect::<Vec<_>>(), of("a", &[60]), "it is asked for again");
    let fired = scheduler.take_happenings().into_iter().filter(|happening| happening.what == What::Fired);
    assert_eq!(fired.map(|happening| happening.name).collect::<Vec<_>>(), ["a", "b"], "each is told once");
    end(&mut scheduler, &again[0]);
    assert_eq!(scheduler.next_due(), Some(at(120)), "nothing waits");
}

/// Where as many runs go on as may in all daemons, what is due waits, whatever its workflow says of its own runs.
#[test]
fn what_is_beyond_the_shared_bound_waits() {
    for overlap in [Overlap::Skip, Overlap::Queue, Overlap::Allow] {
        let one = Schedule { overlap, ..schedule("a", "every 60s") };
        let mut scheduler = scheduler(Limits::default(), vec![one], at(0));
        let first = scheduler.advance(at(60));
        scheduler.ended(first[0].number, FireOutcome::Full);
        assert_eq!(fires(&mut scheduler, 60), [], "{overlap:?}");
        assert_eq!(scheduler.next_due(), Some(at(60).plus(Duration::from_millis(250))), "{overlap:?}");
        assert_eq!(run_all(&mut scheduler, 61), of("a", &[60]), "{overlap:?}");
        assert_eq!(view_of(&scheduler.view(at(61)), "a").left_out, None, "{overlap:?}");
    }
}

/// Whoever came first gets the first place that is free: nobody waits for ever behind those that come anew.
#[test]
fn the_shared_bound_overtakes_nobody() {
    let all = vec![schedule("a", "every 2s"), schedule("b", "every 2s"), schedule("c", "every 1s")];
    let mut scheduler = scheduler(Limits::default(), all, at(0));
    let c = scheduler.advance(at(1));
    assert_eq!(c.iter().map(named).collect::<Vec<_>>(), of("c", &[1]));
    scheduler.started(c[0].number, "run of c");
    let refused = scheduler.advance(at(2));
    assert_eq!(refused.iter().map(|fire| &*fire.name).collect::<Vec<_>>(), ["a", "b"], "c goes on");
    for fire in &refused {
        scheduler.ended(fire.number, FireOutcome::Full);
    }
    end(&mut scheduler, &c[0]);
    assert_eq!(fires(&mut scheduler, 2), [], "nobody asks at once");
    let first = scheduler.advance(at(3));
    assert_eq!(first.iter().map(named).collect::<Vec<_>>(), of("a", &[2]), "one asks");
    assert_eq!(fires(&mut scheduler, 3), [], "until it has an answer");
    scheduler.started(first[0].number, "run of a");
    assert_eq!(fires(&mut scheduler, 3), [("b".to_owned(), 2), ("c".to_owned(), 3)], "there was room");
}
