//! Suggestions for names that are nearly right.

/// Names longer than this many characters are compared by their first ones only, so that input cannot buy time.
const COMPARED_CHARACTERS: usize = 256;

/// The candidates that `name` may have meant, nearest first, at most `max` of them; equally near ones in
/// alphabetical order, each once. Case does not count as a difference. A candidate counts as near if it takes few
/// edits (insert, delete, replace, swap two neighbours) for the length of the name: about one in three characters.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>, max: usize) -> Vec<&'a str> {
    let wanted = folded(name);
    let mut near: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let offered = folded(candidate);
            let bound = wanted.len().max(offered.len()).div_ceil(3);
            if wanted.len().abs_diff(offered.len()) > bound {
                return None;
            }
            let distance = distance(&wanted, &offered);
            (distance <= bound).then_some((distance, candidate))
        })
        .collect();
    near.sort_unstable();
    near.dedup();
    near.truncate(max);
    near.into_iter().map(|(_, candidate)| candidate).collect()
}

/// A hint that names the nearest candidates: "did you mean `a` or `b`?"; `None` if none is near.
#[must_use]
pub fn hint<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let quoted: Vec<String> = nearest(name, candidates, 3).iter().map(|near| format!("`{near}`")).collect();
    let (last, first) = quoted.split_last()?;
    if first.is_empty() {
        Some(format!("did you mean {last}?"))
    } else {
        Some(format!("did you mean {} or {last}?", first.join(", ")))
    }
}

fn folded(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).take(COMPARED_CHARACTERS).collect()
}

/// The optimal string alignment distance: edits where no part is edited twice.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before_previous: Vec<usize> = vec![0; right.len() + 1];
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    for (row, left_character) in left.iter().enumerate() {
        let mut current = Vec::with_capacity(right.len() + 1);
        current.push(row + 1);
        for (column, right_character) in right.iter().enumerate() {
            let replaced = previous[column] + usize::from(left_character != right_character);
            let mut best = replaced.min(previous[column + 1] + 1).min(current[column] + 1);
            let swapped =
                row > 0 && column > 0 && *left_character == right[column - 1] && left[row - 1] == *right_character;
            if swapped {
                best = best.min(before_previous[column - 1] + 1);
            }
            current.push(best);
        }
        before_previous = std::mem::replace(&mut previous, current);
    }
    previous[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits_and_swaps() {
        let between = |left: &str, right: &str| distance(&folded(left), &folded(right));
        assert_eq!(between("", "abc"), 3);
        assert_eq!(between("kitten", "sitting"), 3);
        assert_eq!(between("mehtods", "methods"), 1);
        assert_eq!(between("Same", "same"), 0);
    }

    #[test]
    fn offers_near_names_only_and_the_nearest_first() {
        let known = ["dependsOn", "description", "driver", "steps"];
        assert_eq!(nearest("dependOn", known, 3), ["dependsOn"]);
        assert_eq!(nearest("step", known, 3), ["steps"]);
        assert!(nearest("concurrency", known, 3).is_empty());
        assert_eq!(nearest("aab", ["aac", "aaa", "aab"], 2), ["aab", "aaa"]);
    }

    #[test]
    fn says_what_may_have_been_meant() {
        assert_eq!(hint("aab", ["aac", "aaa"]), Some("did you mean `aaa` or `aac`?".to_owned()));
        assert_eq!(hint("stesp", ["steps"]), Some("did you mean `steps`?".to_owned()));
        assert_eq!(hint("zzz", ["steps"]), None);
    }
}
