//! How time and memory of scans grow with the repository.

use std::{path::Path, time::Duration};

use anyhow::Result;

use super::report::Line;
use super::{Options, as_number, cold_scan, expect_warm, exponent, mebibytes, median, process::Program, repository};

/// The exponents of both scans over the size (1 is linear), and the memory of the two largest repositories, which should
/// be the same.
pub(super) fn measure(program: &Path, options: &Options) -> Result<Vec<Line>> {
    let (mut cold_curve, mut warm_curve, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for entries in options.growth {
        let part = options.sized(*entries);
        let repository = repository(&part)?;
        let mangrove = Program::new(program, repository.path());
        let size = as_number(part.entries);
        let cold = cold_scan(&mangrove, &part)?;
        cold_curve.push((size, cold.wall.as_secs_f64()));
        warm_curve.push((size, warm_scan(&mangrove, &part)?.as_secs_f64()));
        memory.push((part.entries, mebibytes(cold.memory.bytes), cold.memory.kind));
    }
    let mut lines = Vec::new();
    if options.growth.len() > 1 {
        let line = |what, curve: &[(f64, f64)]| Line::new(what, exponent(curve), "exponent").at_most(1.05);
        lines.push(line("growth of the cold scan", &cold_curve).after(1));
        lines.push(line("growth of the warm scan", &warm_curve).after(options.runs));
    }
    if let [.., (fewer, less, _), (more, most, kind)] = memory[..] {
        let line = |entries: usize, mebibytes: f64| {
            Line::new(&format!("cold scan, peak memory, {entries} entries"), mebibytes, "MiB")
                .at_most(400.0)
                .noting(kind)
        };
        lines.extend([line(fewer, less), line(more, most)]);
        lines.push(
            Line::new("growth of peak memory", most, "MiB")
                .against("half as many entries", less)
                .at_most_times(1.1)
                .noting(&format!("{more} entries over {fewer}")),
        );
    }
    Ok(lines)
}

fn warm_scan(mangrove: &Program, options: &Options) -> Result<Duration> {
    mangrove.timed(&["scan"])?;
    expect_warm(mangrove)?;
    let mut times = (0..options.runs).map(|_| mangrove.timed(&["scan"])).collect::<Result<Vec<_>>>()?;
    Ok(median(&mut times))
}
