//! What was measured, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// What a line must hold to be `ok`. The numbers are those of the reference repository and of an optimized program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    FigureAtMost(f64),
    RatioAtMost(f64),
    RatioAtLeast(f64),
}

/// One thing that was measured.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) what: String,
    /// `None` if it was not measured; the note says why.
    pub(crate) figure: Option<f64>,
    pub(crate) unit: &'static str,
    pub(crate) bound: Option<Bound>,
    /// What the figure was divided by, and the quotient.
    pub(crate) ratio: Option<(&'static str, f64)>,
    /// How many runs the figure is the median of.
    pub(crate) runs: usize,
    /// Anything else that the figure cannot be understood without.
    pub(crate) note: Option<String>,
}

impl Line {
    pub(crate) fn new(what: &str, figure: f64, unit: &'static str) -> Self {
        Self { what: what.to_owned(), figure: Some(figure), unit, bound: None, ratio: None, runs: 1, note: None }
    }

    /// One that this machine has not got the means for; neither an error nor ever `ok`.
    pub(crate) fn unmeasured(what: &str, unit: &'static str, why: &str) -> Self {
        Self { figure: None, runs: 0, ..Self::new(what, 0.0, unit) }.noting(why)
    }

    pub(crate) fn at_most(self, figure: f64) -> Self {
        Self { bound: Some(Bound::FigureAtMost(figure)), ..self }
    }

    pub(crate) fn at_most_times(self, ratio: f64) -> Self {
        Self { bound: Some(Bound::RatioAtMost(ratio)), ..self }
    }

    pub(crate) fn at_least_times(self, ratio: f64) -> Self {
        Self { bound: Some(Bound::RatioAtLeast(ratio)), ..self }
    }

    pub(crate) fn against(self, name: &'static str, figure: f64) -> Self {
        Self { ratio: self.figure.map(|own| (name, own / figure)), ..self }
    }

    pub(crate) fn after(self, runs: usize) -> Self {
        Self { runs, ..self }
    }

    pub(crate) fn noting(self, note: &str) -> Self {
        Self { note: Some(note.to_owned()), ..self }
    }

    /// `ok`, `short` or `not measured`; nothing if there is no bound.
    pub(crate) fn verdict(&self) -> Option<&'static str> {
        let Some(figure) = self.figure else { return Some("not measured") };
        let ratio = self.ratio.map_or(f64::NAN, |(_, ratio)| ratio);
        let holds = match self.bound? {
            Bound::FigureAtMost(most) => figure <= most,
            Bound::RatioAtMost(most) => ratio <= most,
            Bound::RatioAtLeast(least) => ratio >= least,
        };
        Some(if holds { "ok" } else { "short" })
    }

    pub(crate) fn cells(&self) -> [String; 6] {
        let unit = if self.unit == "exponent" { String::new() } else { format!(" {}", self.unit) };
        let bound = match self.bound {
            None => String::new(),
            Some(Bound::FigureAtMost(most)) => format!("≤ {most}{unit}"),
            Some(Bound::RatioAtMost(most)) => format!("≤ {most} ×"),
            Some(Bound::RatioAtLeast(least)) => format!("≥ {least} ×"),
        };
        let note = self.note.as_ref().map_or_else(String::new, |note| format!("({note})"));
        let ratio = self.ratio.map_or_else(String::new, |(name, ratio)| format!("{ratio:.2} × {name}"));
        let decimals = if matches!(self.unit, "instructions" | "bytes") { 0 } else { 2 };
        let figure = self.figure.map_or_else(String::new, |figure| format!("{figure:.decimals$}{unit}"));
        [self.what.clone(), bound, figure, ratio, self.verdict().unwrap_or_default().to_owned(), note]
    }

    fn json(&self) -> Value {
        let (kind, bound) = match self.bound {
            None => (None, None),
            Some(Bound::FigureAtMost(most)) => (Some("figureAtMost"), Some(most)),
            Some(Bound::RatioAtMost(most)) => (Some("ratioAtMost"), Some(most)),
            Some(Bound::RatioAtLeast(least)) => (Some("ratioAtLeast"), Some(least)),
        };
        json!({
            "what": self.what,
            "figure": self.figure,
            "unit": self.unit,
            "boundKind": kind,
            "bound": bound,
            "against": self.ratio.map(|(name, _)| name),
            "ratio": self.ratio.map(|(_, ratio)| ratio),
            "runs": self.runs,
            "note": self.note,
            "verdict": self.verdict(),
        })
    }
}

/// All lines, and what they were measured on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) entries: usize,
    pub(crate) extensions: usize,
    /// Processors that the process may use; 0 if unknown.
    pub(crate) processors: usize,
    pub(crate) optimized: bool,
    pub(crate) lines: Vec<Line>,
}

impl Report {
    /// The lines whose bound is missed.
    pub(crate) fn missed(&self) -> Vec<&str> {
        let missed = self.lines.iter().filter(|line| line.verdict() == Some("short"));
        missed.map(|line| line.what.as_str()).collect()
    }

    /// The lines that could not be measured here.
    pub(crate) fn unmeasured(&self) -> Vec<&str> {
        let unmeasured = self.lines.iter().filter(|line| line.figure.is_none());
        unmeasured.map(|line| line.what.as_str()).collect()
    }

    /// The table that a terminal shows.
    pub(crate) fn table(&self) -> String {
        let heading = ["what", "bound", "figure", "ratio", "", ""].map(str::to_owned);
        let rows: Vec<[String; 6]> = std::iter::once(heading).chain(self.lines.iter().map(Line::cells)).collect();
        let mut widths = [0; 6];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let build = if self.optimized { "optimized" } else { "NOT optimized, so no bound means anything" };
        let mut table = format!(
            "{} entries in {} extensions, {} processors, {build}\n\n",
            self.entries, self.extensions, self.processors
        );
        for row in rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths) {
                let _ = write!(line, "{cell:<width$}  ");
            }
            let _ = writeln!(table, "{}", line.trim_end());
        }
        table
    }

    /// The JSON document, with a line end.
    pub(crate) fn json(&self) -> String {
        let document = json!({
            "schema": "mangrove.bench/1",
            "entries": self.entries,
            "extensions": self.extensions,
            "processors": self.processors,
            "optimized": self.optimized,
            "lines": self.lines.iter().map(Line::json).collect::<Vec<_>>(),
        });
        format!("{document:#}\n")
    }
}
