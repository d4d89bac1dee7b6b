//! Rules that every kind and every origin shares.

use mangrove_testkit::sources::SAMPLES;

use crate::world::loaders;

/// A kind that is added to the program must be added to this matrix.
#[test]
fn the_samples_are_the_kinds_of_the_program() {
    let layouts = loaders().layouts();
    let told: Vec<_> = layouts
        .iter()
        .map(|layout| (layout.kind.as_str(), layout.directory.to_string(), &*layout.export_names[0], &*layout.type_key))
        .collect();
    let samples: Vec<_> = SAMPLES
        .iter()
        .map(|sample| (sample.kind, format!("{}s", sample.kind), sample.export, sample.type_key))
        .collect();
    assert_eq!(told, samples);
}
