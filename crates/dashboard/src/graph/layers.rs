//! Which column each member of a graph stands in, and in which order from above, so that few lines cross.

/// Something that stands in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// This member.
    Member(usize),
    /// The line from this member to a column further on.
    Line(usize),
}

/// A place in a column, with the places of the neighbouring columns that it is joined to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) what: What,
    /// In the column before.
    pub(super) before: Vec<usize>,
    /// In the column after.
    pub(super) after: Vec<usize>,
}

/// A graph in columns. A member stands in a later column than everything that it waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layers {
    /// All places; those of the members first, in their order.
    pub(super) slots: Vec<Slot>,
    /// The places in each column, from above.
    pub(super) columns: Vec<Vec<usize>>,
}

/// How often the order of the columns is gone over.
const SWEEPS: usize = 8;

impl Layers {
    /// The columns of members that wait for others, by their indices. What waits in a circle gets a place all the same.
    pub(super) fn new(waits_for: &[Vec<usize>]) -> Self {
        let column_of = columns(waits_for);
        let slot = |what| Slot { what, before: Vec::new(), after: Vec::new() };
        let mut layers = Self {
            slots: (0..waits_for.len()).map(|member| slot(What::Member(member))).collect(),
            columns: vec![Vec::new(); column_of.iter().max().map_or(0, |last| last + 1)],
        };
        for (member, column) in column_of.iter().enumerate() {
            layers.columns[*column].push(member);
        }
        // All lines from one member to columns further on share their way.
        let mut ways: Vec<Vec<usize>> = vec![Vec::new(); waits_for.len()];
        for (member, waits_for) in waits_for.iter().enumerate() {
            for on in waits_for.iter().copied().filter(|on| column_of[*on] < column_of[member]) {
                let length = column_of[member] - column_of[on] - 1;
                while ways[on].len() < length {
                    let (last, column) = (ways[on].last().copied().unwrap_or(on), column_of[on] + 1 + ways[on].len());
                    let next = layers.slots.len();
                    layers.slots.push(slot(What::Line(on)));
                    layers.columns[column].push(next);
                    layers.join(last, next);
                    ways[on].push(next);
                }
                let last = length.checked_sub(1).map_or(on, |last| ways[on][last]);
                layers.join(last, member);
            }
        }
        layers.order();
        layers
    }

    fn join(&mut self, from: usize, to: usize) {
        if !self.slots[from].after.contains(&to) {
            self.slots[from].after.push(to);
            self.slots[to].before.push(from);
        }
    }

    /// Orders each column by the middle of the neighbours in the column before, then in the one after, again and again, and
    /// keeps the order with the fewest crossings.
    fn order(&mut self) {
        let mut best = (self.crossings(), self.columns.clone());
        for sweep in 0..SWEEPS {
            if best.0 == 0 {
                break;
            }
            let is_forwards = sweep % 2 == 0;
            let count = self.columns.len();
            for step in 1..count {
                let (column, neighbour) = if is_forwards { (step, step - 1) } else { (count - 1 - step, count - step) };
                let positions = self.positions(neighbour);
                let mut keyed: Vec<(usize, usize)> = Vec::with_capacity(self.columns[column].len());
                for (position, slot) in self.columns[column].iter().enumerate() {
                    let slot_of = &self.slots[*slot];
                    let joined = if is_forwards { &slot_of.before } else { &slot_of.after };
                    let sum: usize = joined.iter().map(|other| positions[*other]).sum();
                    // A place without neighbours stays where it is. Thousandths, so that middles can be compared.
                    let middle = (sum * 1_000).checked_div(joined.len()).unwrap_or(position * 1_000);
                    keyed.push((middle, *slot));
                }
                keyed.sort_by_key(|(middle, _)| *middle);
                self.columns[column] = keyed.into_iter().map(|(_, slot)| slot).collect();
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.columns.clone());
            }
        }
        self.columns = best.1;
    }

    /// The place from above of each slot of a column, by slot.
    fn positions(&self, column: usize) -> Vec<usize> {
        let mut positions = vec![0; self.slots.len()];
        for (position, slot) in self.columns[column].iter().enumerate() {
            positions[*slot] = position;
        }
        positions
    }

    /// How many pairs of lines cross.
    pub(super) fn crossings(&self) -> usize {
        let mut count = 0;
        for column in 1..self.columns.len() {
            let positions = self.positions(column);
            let mut seen: Vec<usize> = Vec::new();
            for slot in &self.columns[column - 1] {
                let ends = self.slots[*slot].after.iter().map(|end| positions[*end]);
                let ends: Vec<usize> = ends.collect();
                count += ends.iter().map(|end| seen.iter().filter(|other| *other > end).count()).sum::<usize>();
                seen.extend(ends);
            }
        }
        count
    }
}

/// The column of each member: one after the last of those that it waits for.
fn columns(waits_for: &[Vec<usize>]) -> Vec<usize> {
    let mut columns: Vec<Option<usize>> = vec![None; waits_for.len()];
    loop {
        let mut is_done = true;
        let mut has_moved = false;
        for (member, on) in waits_for.iter().enumerate() {
            if columns[member].is_some() {
                continue;
            }
            let known: Option<Vec<usize>> = on.iter().map(|on| columns[*on]).collect();
            match known {
                Some(known) => {
                    columns[member] = Some(known.into_iter().max().map_or(0, |last| last + 1));
                    has_moved = true;
                }
                None => is_done = false,
            }
        }
        if is_done {
            return columns.into_iter().map(Option::unwrap_or_default).collect();
        }
        if !has_moved && let Some(first) = columns.iter().position(Option::is_none) {
            // A circle: it begins somewhere.
            let known = waits_for[first].iter().filter_map(|on| columns[*on]).max();
            columns[first] = Some(known.map_or(0, |last| last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns_of(waits_for: &[&[usize]]) -> Vec<usize> {
        columns(&waits_for.iter().map(|on| on.to_vec()).collect::<Vec<_>>())
    }

    #[test]
    fn a_member_stands_after_the_longest_way_to_it() {
        assert_eq!(columns_of(&[&[], &[0], &[1], &[0, 2], &[]]), [0, 1, 2, 3, 0]);
        assert_eq!(columns_of(&[&[1], &[2], &[]]), [2, 1, 0], "in whatever order they are written");
        assert_eq!(columns_of(&[]), [0_usize; 0]);
    }

    #[test]
    fn circles_have_an_end() {
        assert_eq!(columns_of(&[&[0]]), [0]);
        let three = columns_of(&[&[2], &[0], &[1]]);
        assert_eq!(three, [0, 1, 2]);
    }

    #[test]
    fn lines_that_can_be_told_apart_do_not_cross() {
        // Two pairs, written crosswise.
        let layers = Layers::new(&[vec![], vec![], vec![1], vec![0]]);
        assert_eq!(layers.crossings(), 0);
        assert_eq!(layers.columns[1], [3, 2]);
        // All to all must cross.
        let layers = Layers::new(&[vec![], vec![], vec![0, 1], vec![0, 1]]);
        assert_eq!(layers.crossings(), 1);
    }

    #[test]
    fn a_line_over_several_columns_has_a_place_in_each() {
        let layers = Layers::new(&[vec![], vec![0], vec![1], vec![0, 2], vec![0, 2]]);
        let lines = layers.slots.iter().filter(|slot| slot.what == What::Line(0)).count();
        assert_eq!(lines, 2, "both lines from the first member share their way");
        for slot in &layers.slots {
            if let What::Line(_) = slot.what {
                assert!(!slot.before.is_empty() && !slot.after.is_empty(), "{layers:?}");
            }
        }
    }
}
