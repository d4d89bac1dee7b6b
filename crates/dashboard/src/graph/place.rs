//! Where everything stands, in pixels.

use super::layers::{Layers, What};

/// Something with a size that waits for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) width: i64,
    pub(super) height: i64,
    /// By their indices.
    pub(super) waits_for: Vec<usize>,
}

/// How far apart things are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gaps {
    /// From column to column.
    pub(super) across: i64,
    /// From one thing to the one below.
    pub(super) down: i64,
}

/// The upper left corner of a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) x: i64,
    pub(super) y: i64,
}

/// A line from one column to the next, or straight through a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) from: Place,
    pub(super) to: Place,
    /// The member where it begins.
    pub(super) source: usize,
    /// The member where it ends; `None` if it goes on.
    pub(super) target: Option<usize>,
}

/// A drawing without its contents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Placed {
    /// Of the members, in their order.
    pub(super) places: Vec<Place>,
    pub(super) lines: Vec<Line>,
    pub(super) width: i64,
    pub(super) height: i64,
}

/// The height that a line through a column takes.
const LINE_HEIGHT: i64 = 6;

/// How often places are pulled towards their neighbours.
const SWEEPS: usize = 6;

/// Places members in columns from left to right.
pub(super) fn place(members: &[Member], gaps: Gaps) -> Placed {
    let waits_for: Vec<Vec<usize>> = members.iter().map(|member| member.waits_for.clone()).collect();
    let layers = Layers::new(&waits_for);
    let size = |slot: usize| match layers.slots[slot].what {
        What::Member(member) => (members[member].width, members[member].height),
        What::Line(_) => (0, LINE_HEIGHT),
    };
    let middles = middles(&layers, |slot| size(slot).1, gaps.down);
    let mut placed = Placed { places: vec![Place::default(); members.len()], ..Placed::default() };
    let top = (0..layers.slots.len()).map(|slot| middles[slot] - size(slot).1 / 2).min().unwrap_or(0);
    let mut ends = vec![(Place::default(), Place::default()); layers.slots.len()];
    // Where the column of each slot ends.
    let mut edges = vec![0; layers.slots.len()];
    let mut x = 0;
    for column in &layers.columns {
        let width = column.iter().map(|slot| size(*slot).0).max().unwrap_or(0);
        for slot in column {
            let (own_width, height) = size(*slot);
            let y = middles[*slot] - top;
            let right = if let What::Member(member) = layers.slots[*slot].what {
                placed.places[member] = Place { x, y: y - height / 2 };
                x + own_width
            } else {
                x + width
            };
            ends[*slot] = (Place { x, y }, Place { x: right, y });
            edges[*slot] = x + width;
            placed.height = placed.height.max(y - height / 2 + height);
        }
        placed.width = x + width;
        x += width + gaps.across;
    }
    for (slot, (left, right)) in ends.iter().enumerate() {
        let source = match layers.slots[slot].what {
            What::Member(member) => member,
            What::Line(source) => {
                placed.lines.push(Line { from: *left, to: *right, source, target: None });
                source
            }
        };
        // Beside a wider neighbour it goes straight, so that it passes behind nothing.
        let leaves = Place { x: right.x.max(edges[slot]), y: right.y };
        if leaves.x > right.x && !layers.slots[slot].after.is_empty() {
            placed.lines.push(Line { from: *right, to: leaves, source, target: None });
        }
        for next in &layers.slots[slot].after {
            let target = if let What::Member(member) = layers.slots[*next].what { Some(member) } else { None };
            placed.lines.push(Line { from: leaves, to: ends[*next].0, source, target });
        }
    }
    placed
}

/// The middle of each slot from above: near the middle of its neighbours, without touching the next one.
fn middles(layers: &Layers, height: impl Fn(usize) -> i64, gap: i64) -> Vec<i64> {
    let mut middles = vec![0; layers.slots.len()];
    for column in &layers.columns {
        let whole: i64 = column.iter().map(|slot| height(*slot) + gap).sum::<i64>() - gap;
        let mut y = -whole / 2;
        for slot in column {
            middles[*slot] = y + height(*slot) / 2;
            y += height(*slot) + gap;
        }
    }
    for sweep in 0..SWEEPS {
        let is_forwards = sweep % 2 == 0;
        let mut order: Vec<usize> = (0..layers.columns.len()).collect();
        if !is_forwards {
            order.reverse();
        }
        for column in order.into_iter().skip(1) {
            let column = &layers.columns[column];
            let wanted: Vec<i64> = column
                .iter()
                .map(|slot| {
                    let joined = if is_forwards { &layers.slots[*slot].before } else { &layers.slots[*slot].after };
                    mean(joined.iter().map(|other| middles[*other])).unwrap_or(middles[*slot])
                })
                .collect();
            let apart: Vec<i64> =
                column.windows(2).map(|pair| i64::midpoint(height(pair[0]), height(pair[1])) + gap).collect();
            for (slot, middle) in column.iter().zip(spread(&wanted, &apart)) {
                middles[*slot] = middle;
            }
        }
    }
    middles
}

/// Numbers near the wanted ones, each at least so far from the one before as `apart` says: neighbours that would touch are
/// moved together, by as little as possible.
fn spread(wanted: &[i64], apart: &[i64]) -> Vec<i64> {
    /// Neighbours that touch: where the first wants to be because of all of them (a sum, and of how many).
    struct Block {
        sum: i64,
        count: i64,
    }
    let mut offsets = Vec::with_capacity(wanted.len());
    let mut offset = 0;
    for index in 0..wanted.len() {
        offsets.push(offset);
        offset += apart.get(index).copied().unwrap_or(0);
    }
    let mut blocks: Vec<Block> = Vec::new();
    for (wanted, offset) in wanted.iter().zip(&offsets) {
        let mut last = Block { sum: wanted - offset, count: 1 };
        while let Some(before) = blocks.pop() {
            if before.sum * last.count <= last.sum * before.count {
                blocks.push(before);
                break;
            }
            last = Block { sum: before.sum + last.sum, count: before.count + last.count };
        }
        blocks.push(last);
    }
    let firsts = blocks.iter().flat_map(|block| (0..block.count).map(move |_| block.sum.div_euclid(block.count)));
    firsts.zip(offsets).map(|(first, offset)| first + offset).collect()
}

fn mean(numbers: impl Iterator<Item = i64>) -> Option<i64> {
    let (sum, count) = numbers.fold((0, 0), |(sum, count), number| (sum + number, count + 1));
    i64::checked_div(sum, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(waits_for: &[usize]) -> Member {
        Member { width: 100, height: 40, waits_for: waits_for.to_vec() }
    }

    const GAPS: Gaps = Gaps { across: 50, down: 10 };

    #[test]
    fn a_chain_is_a_straight_line() {
        let placed = place(&[member(&[]), member(&[0]), member(&[1])], GAPS);
        assert_eq!(placed.places, [Place { x: 0, y: 0 }, Place { x: 150, y: 0 }, Place { x: 300, y: 0 }]);
        assert_eq!((placed.width, placed.height), (400, 40));
        let ends: Vec<_> = placed.lines.iter().map(|line| (line.from.x, line.to.x, line.from.y == line.to.y)).collect();
        assert_eq!(ends, [(100, 150, true), (250, 300, true)]);
    }

    #[test]
    fn what_two_join_stands_between_them() {
        let placed = place(&[member(&[]), member(&[]), member(&[0, 1])], GAPS);
        assert_eq!(placed.places, [Place { x: 0, y: 0 }, Place { x: 0, y: 50 }, Place { x: 150, y: 25 }]);
    }

    #[test]
    fn nothing_touches_anything_in_any_graph() {
        let mut state = 7_usize;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for size in [1, 2, 9, 40] {
            for _ in 0..20 {
                let members: Vec<Member> = (0..size)
                    .map(|index| {
                        let on: Vec<usize> = (0..next(4)).filter(|_| index > 0).map(|_| next(index.max(1))).collect();
                        let height = i64::try_from(20 + next(80)).expect("small");
                        Member { width: 100, height, waits_for: on }
                    })
                    .collect();
                let placed = place(&members, GAPS);
                for (one, (at, of)) in placed.places.iter().zip(&members).enumerate() {
                    assert!(at.x >= 0 && at.y >= 0 && at.x + of.width <= placed.width, "{members:?}");
                    assert!(at.y + of.height <= placed.height, "{members:?}: {placed:?}");
                    for (other, other_of) in placed.places.iter().zip(&members).skip(one + 1) {
                        let is_apart = at.x != other.x
                            || at.y + of.height + GAPS.down - 2 <= other.y
                            || other.y + other_of.height + GAPS.down - 2 <= at.y;
                        assert!(is_apart, "{at:?} touches {other:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn neighbours_give_way_by_as_little_as_possible() {
        assert_eq!(spread(&[0, 0], &[10]), [-5, 5]);
        assert_eq!(spread(&[0, 100, 100], &[10, 10]), [0, 95, 105]);
        assert_eq!(spread(&[30, 20, 10], &[10, 10]), [10, 20, 30]);
        assert_eq!(spread(&[], &[]), [0_i64; 0]);
    }
}
