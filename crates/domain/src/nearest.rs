//! Suggestions for names that are nearly right.

use strsim::osa_distance;

/// Names longer than this many characters are compared by their first ones only, so that input cannot buy time.
const COMPARED_CHARACTERS: usize = 256;

/// Up to this length, one edit is near: half of a short word makes another one.
const SHORT: usize = 4;

/// From this length on, a third of a name is rounded down: words of one language share that many letters by chance.
const LONG: usize = 7;

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
            let (length, other) = (wanted.chars().count(), offered.chars().count());
            let longer = length.max(other);
            let bound = match longer {
                0..=SHORT => 1,
                short if short < LONG => short.div_ceil(3),
                long => long / 3,
            };
            if length.abs_diff(other) > bound {
                return None;
            }
            let distance = osa_distance(&wanted, &offered);
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

fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).take(COMPARED_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits_and_swaps() {
        let between = |left: &str, right: &str| osa_distance(&folded(left), &folded(right));
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
        assert!(nearest("nope", ["name"], 3).is_empty(), "two of four letters");
        assert!(nearest("concurrency", known, 3).is_empty());
        assert!(nearest("persona", ["version"], 3).is_empty(), "three of seven letters");
        assert!(nearest("sunoVersion", ["version"], 3).is_empty());
        assert_eq!(nearest("aab", ["aac", "aaa", "aab"], 2), ["aab", "aaa"]);
    }

    #[test]
    fn says_what_may_have_been_meant() {
        assert_eq!(hint("aab", ["aac", "aaa"]), Some("did you mean `aaa` or `aac`?".to_owned()));
        assert_eq!(hint("stesp", ["steps"]), Some("did you mean `steps`?".to_owned()));
        assert_eq!(hint("zzz", ["steps"]), None);
    }
}
