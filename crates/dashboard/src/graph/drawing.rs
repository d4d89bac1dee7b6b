//! The drawing itself, as SVG.

use askama::{Template, filters::HtmlSafe};
use mangrove_documents::human;

use super::{
    Graph, Job, Step, Wait,
    groups::{self, Group},
    place::{self, Gaps, Line, Member, Place, Placed},
    text,
};
use crate::parts::badge::Tone;

/// With more jobs than this, alike ones are drawn as one box.
const MOST_SINGLE_JOBS: usize = 24;

/// With more boxes than this, nothing is drawn.
const MOST_BOXES: usize = 120;

/// Sizes in pixels.
const NARROWEST: i64 = 128;
const WIDEST: i64 = 250;
const BOX_HEIGHT: i64 = 44;
const BESIDE_TEXT: i64 = 40;
const PADDING: i64 = 10;
const HEADER: i64 = 32;
const BETWEEN_JOBS: Gaps = Gaps { across: 44, down: 16 };
const BETWEEN_STEPS: Gaps = Gaps { across: 28, down: 8 };

/// A drawing of a graph.
#[derive(Debug, Template)]
#[template(path = "graph.html")]
pub(crate) struct Drawing {
    /// What the drawing is of.
    title: String,
    /// The same as a sentence, for those who do not see it.
    description: String,
    width: i64,
    height: i64,
    /// Lines between jobs, below everything else.
    outer_lines: Vec<Curve>,
    frames: Vec<Shape>,
    /// Lines between steps.
    inner_lines: Vec<Curve>,
    boxes: Vec<Shape>,
}

/// A box: a step, a job, or several.
#[derive(Debug, Clone)]
struct Shape {
    x: i64,
    y: i64,
    width: i64,
    height: i64,
    link: String,
    /// How good its status is; `None` if it is not about a run.
    tone: Option<Tone>,
    /// One line, shortened to what there is room for.
    label: String,
    detail: String,
    /// Everything, for the mouse and for screen readers.
    full: String,
}

#[derive(Debug, Clone)]
struct Curve {
    path: String,
    is_conditional: bool,
}

impl HtmlSafe for Drawing {}

impl Drawing {
    /// `None` if there is too much to be drawn.
    pub(crate) fn new(title: &str, graph: &Graph) -> Option<Self> {
        let with_steps = !graph.has_many_steps();
        let groups = if graph.jobs.len() <= MOST_SINGLE_JOBS { groups::single(graph) } else { groups::alike(graph) };
        if groups.len() > MOST_BOXES {
            return None;
        }
        let boxes: Vec<Contents> = groups.iter().map(|group| Contents::of(graph, group, with_steps)).collect();
        let members: Vec<Member> = boxes.iter().zip(&groups).map(|(contents, group)| contents.member(group)).collect();
        let placed = place::place(&members, BETWEEN_JOBS);
        let outer = |target: usize, source: usize| is_conditional(&groups[target].waits_for, source);
        let (mut drawn, outer_lines) = (Drawn::default(), curves(&placed, Place::default(), outer));
        for (contents, at) in boxes.into_iter().zip(&placed.places) {
            contents.draw(*at, &mut drawn);
        }
        let Drawn { frames, lines: inner_lines, boxes } = drawn;
        let (job_count, step_count) = (counted(graph.jobs.len(), "job"), counted(graph.steps(), "step"));
        Some(Self {
            title: title.to_owned(),
            description: format!("{job_count}, {step_count}, from left to right. The list says the same in words."),
            width: placed.width + 2,
            height: placed.height + 2,
            outer_lines,
            frames,
            inner_lines,
            boxes,
        })
    }
}

/// What is drawn of all jobs.
#[derive(Default)]
struct Drawn {
    frames: Vec<Shape>,
    lines: Vec<Curve>,
    boxes: Vec<Shape>,
}

/// What stands in one box of the outer drawing.
enum Contents {
    /// One box.
    Plain(Shape),
    /// A job with its steps.
    Job { frame: Shape, steps: Vec<Shape>, placed: Placed, conditional: Vec<(usize, usize)> },
}

impl Contents {
    fn of(graph: &Graph, group: &Group, with_steps: bool) -> Self {
        match group.jobs.as_slice() {
            [only] if with_steps && !graph.jobs[*only].steps.is_empty() => Self::job(&graph.jobs[*only]),
            [only] => Self::Plain(collapsed(&graph.jobs[*only])),
            several => Self::Plain(together(graph, several)),
        }
    }

    fn job(job: &Job) -> Self {
        let width = job.steps.iter().map(|step| width_for(&step.name, &step_detail(step))).max().unwrap_or(NARROWEST);
        let steps: Vec<Shape> = job.steps.iter().map(|step| step_shape(step, width)).collect();
        let waits = |step: &Step| step.waits_for.iter().map(|wait| wait.on).collect();
        let members: Vec<Member> =
            job.steps.iter().map(|step| Member { width, height: BOX_HEIGHT, waits_for: waits(step) }).collect();
        let placed = place::place(&members, BETWEEN_STEPS);
        let conditional = job.steps.iter().enumerate().flat_map(|(index, step)| {
            step.waits_for.iter().filter(|wait| wait.is_conditional).map(move |wait| (index, wait.on))
        });
        let detail = timed_status(&job.status, job.duration_ms);
        let width = (placed.width + 2 * PADDING).max(width_for(&job.name, "").min(WIDEST));
        let frame = Shape {
            width,
            height: placed.height + HEADER + PADDING,
            full: full("job", &job.name, &detail),
            label: text::fitting(&job.name, width - BESIDE_TEXT),
            detail,
            link: job.link.clone(),
            tone: tone(&job.status),
            ..Shape::nowhere()
        };
        Self::Job { frame, steps, conditional: conditional.collect(), placed }
    }

    fn member(&self, group: &Group) -> Member {
        let shape = match self {
            Contents::Plain(shape) | Contents::Job { frame: shape, .. } => shape,
        };
        let waits_for = group.waits_for.iter().map(|wait| wait.on).collect();
        Member { width: shape.width, height: shape.height, waits_for }
    }

    fn draw(self, at: Place, drawn: &mut Drawn) {
        match self {
            Contents::Plain(shape) => drawn.boxes.push(shape.at(at)),
            Contents::Job { frame, steps, placed, conditional } => {
                drawn.frames.push(frame.at(at));
                let inside = Place { x: at.x + PADDING, y: at.y + HEADER };
                drawn.lines.extend(curves(&placed, inside, |target, source| conditional.contains(&(target, source))));
                for (step, place) in steps.into_iter().zip(&placed.places) {
                    drawn.boxes.push(step.at(Place { x: inside.x + place.x, y: inside.y + place.y }));
                }
            }
        }
    }
}

impl Shape {
    const fn nowhere() -> Self {
        Self {
            x: 0,
            y: 0,
            width: 0,
            height: BOX_HEIGHT,
            link: String::new(),
            tone: None,
            label: String::new(),
            detail: String::new(),
            full: String::new(),
        }
    }

    /// The same there; a pixel is left for the line around it.
    fn at(self, at: Place) -> Self {
        Self { x: at.x + 1, y: at.y + 1, ..self }
    }
}

fn step_shape(step: &Step, width: i64) -> Shape {
    let detail = step_detail(step);
    let full_detail = if step.status.is_empty() { step.task.clone() } else { format!("{detail}, {}", step.task) };
    Shape {
        width,
        full: full("step", &step.name, &full_detail),
        label: text::fitting(&step.name, width - BESIDE_TEXT),
        detail: text::fitting(&detail, width - BESIDE_TEXT),
        link: step.link.clone(),
        tone: tone(&step.status),
        ..Shape::nowhere()
    }
}

fn step_detail(step: &Step) -> String {
    if step.status.is_empty() { step.task.clone() } else { timed_status(&step.status, step.duration_ms) }
}

/// A job without its steps.
fn collapsed(job: &Job) -> Shape {
    let counts = groups::counts(job.steps.iter().map(|step| step.status.as_str()));
    let steps = counted(job.steps.len(), "step");
    let detail = if counts.is_empty() { steps } else { format!("{steps}: {counts}") };
    let width = width_for(&job.name, &detail);
    Shape {
        width,
        full: full("job", &job.name, &detail),
        label: text::fitting(&job.name, width - BESIDE_TEXT),
        detail: text::fitting(&detail, width - BESIDE_TEXT),
        link: job.link.clone(),
        tone: tone(&job.status),
        ..Shape::nowhere()
    }
}

/// Several jobs in one box.
fn together(graph: &Graph, jobs: &[usize]) -> Shape {
    let statuses = || jobs.iter().map(|job| graph.jobs[*job].status.as_str());
    let first = jobs.first().map(|job| &graph.jobs[*job]);
    let name = first.map(|job| job.name.as_str()).unwrap_or_default();
    let label = format!("{name} and {} more", jobs.len() - 1);
    let counts = groups::counts(statuses());
    let detail = if counts.is_empty() { counted(jobs.len(), "job") } else { counts };
    let width = width_for(&label, &detail);
    Shape {
        width,
        full: full("jobs", &label, &detail),
        label: text::fitting(&label, width - BESIDE_TEXT),
        detail: text::fitting(&detail, width - BESIDE_TEXT),
        link: first.map(|job| job.link.clone()).unwrap_or_default(),
        tone: tone(groups::worst(statuses())),
        ..Shape::nowhere()
    }
}

fn width_for(label: &str, detail: &str) -> i64 {
    let text = text::width(label).max(text::width(detail));
    (text + BESIDE_TEXT).clamp(NARROWEST, WIDEST)
}

fn timed_status(status: &str, duration_ms: Option<u64>) -> String {
    match duration_ms {
        Some(_) => format!("{status}, {}", human::elapsed(duration_ms)),
        None => status.to_owned(),
    }
}

fn tone(status: &str) -> Option<Tone> {
    (!status.is_empty()).then(|| Tone::of_status(status))
}

fn counted(number: usize, noun: &str) -> String {
    human::count(number as u64, noun)
}

fn full(what: &str, name: &str, detail: &str) -> String {
    let text = if detail.is_empty() { format!("{what} {name}") } else { format!("{what} {name}: {detail}") };
    text::visible(&text)
}

fn is_conditional(waits: &[Wait], on: usize) -> bool {
    waits.iter().any(|wait| wait.on == on && wait.is_conditional)
}

/// The lines of a drawing that stands here.
fn curves(placed: &Placed, at: Place, is_conditional: impl Fn(usize, usize) -> bool) -> Vec<Curve> {
    let curve = |line: &Line| {
        let (from, to) = (
            Place { x: at.x + line.from.x + 1, y: at.y + line.from.y + 1 },
            Place { x: at.x + line.to.x + 1, y: at.y + line.to.y + 1 },
        );
        let bend = (to.x - from.x) / 2;
        let path = if from.y == to.y {
            format!("M{} {}H{}", from.x, from.y, to.x)
        } else {
            format!("M{} {}C{} {} {} {} {} {}", from.x, from.y, from.x + bend, from.y, to.x - bend, to.y, to.x, to.y)
        };
        let is_conditional = line.target.is_some_and(|target| is_conditional(target, line.source));
        Curve { path, is_conditional }
    };
    placed.lines.iter().map(curve).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, status: &str) -> Step {
        let (task, link) = ("thing.work".to_owned(), "#step".to_owned());
        Step { name: name.to_owned(), task, link, status: status.to_owned(), ..Step::default() }
    }

    fn job(name: &str, waits_for: &[usize], steps: Vec<Step>) -> Job {
        let wait = |on: &usize| Wait { on: *on, is_conditional: false };
        Job { name: name.to_owned(), steps, waits_for: waits_for.iter().map(wait).collect(), ..Job::default() }
    }

    fn drawn(graph: &Graph) -> String {
        Drawing::new("jobs", graph).expect("small enough").render().expect("it is a template")
    }

    #[test]
    fn names_are_text_and_links_lead_to_the_steps() {
        let name = "<script>\"&'\n\u{202e}x";
        let graph = Graph { jobs: vec![job(name, &[], vec![step(name, "failed"), step("b", "")])] };
        let svg = drawn(&graph);
        assert!(!svg.contains("<script"), "{svg}");
        assert!(!svg.contains('\u{202e}'), "{svg}");
        assert!(svg.contains("href=\"#step\""), "{svg}");
        assert!(svg.contains("failed"), "a state is a word and not only a colour: {svg}");
    }

    #[test]
    fn many_steps_and_many_jobs_stay_readable() {
        let many = |count: usize| (0..count).map(|index| step(&format!("s{index}"), "succeeded")).collect();
        let one = drawn(&Graph { jobs: vec![job("all", &[], many(500))] });
        assert!(one.contains("500 steps: 500 succeeded") && !one.contains("s499"), "{one}");
        let mut jobs: Vec<Job> = vec![job("first", &[], many(1))];
        jobs.extend((0..498).map(|index| job(&format!("j{index}"), &[0], many(1))));
        let fan = drawn(&Graph { jobs: jobs.clone() });
        assert!(fan.contains("j0 and 497 more"), "{fan}");
        assert_eq!(fan.matches("<a ").count(), 2);
        // A chain of as many can only be told as a list.
        let chain: Vec<Job> = (0..500_usize).map(|index| job("j", index.checked_sub(1).as_slice(), many(1))).collect();
        assert!(Drawing::new("jobs", &Graph { jobs: chain }).is_none());
    }
}
