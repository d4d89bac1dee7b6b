//! Where a type may come from that nothing here has.

use mangrove_domain::{
    advice::{Advice, UserAction},
    problem::Problem,
    pulled,
};

/// How a root is named that was pulled, before the name of its extension.
const PULLED: &str = "pulled:";

/// How many segments the shortest name of an extension has.
const SHORTEST: usize = 2;

/// Of the places that could not be looked into, those in which a type of this name may be: of pulled extensions only those
/// whose name begins its name, and where none does, those of its collective.
#[must_use]
pub fn places_of(name: &str, unobservable: Vec<Problem>) -> Vec<Problem> {
    let name = name.trim_start_matches('@');
    let fits = |is_fitting: &dyn Fn(&str) -> bool, problem: &Problem| {
        problem.subject.strip_prefix(PULLED).is_none_or(|extension| is_fitting(extension.trim_start_matches('@')))
    };
    let begins_it =
        |extension: &str| name.strip_prefix(extension).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let has_its_collective = |extension: &str| extension.split('/').next() == name.split('/').next();
    let is_named = unobservable.iter().any(|problem| problem.subject.starts_with(PULLED) && fits(&begins_it, problem));
    let is_fitting: &dyn Fn(&str) -> bool = if is_named { &begins_it } else { &has_its_collective };
    unobservable.into_iter().filter(|problem| fits(is_fitting, problem)).collect()
}

/// What to do about a type that nothing claims; `unobservable` is where it may be. `None` if nothing is known that helps.
#[must_use]
pub fn advice(name: &str, unobservable: &[Problem]) -> Option<Advice> {
    unobservable.iter().find_map(Problem::remedy).or_else(|| pull(name))
}

/// Types of a collective come with its extensions, which nobody pulls unasked. What the extension is called is a guess: its
/// name begins that of the type.
fn pull(name: &str) -> Option<Advice> {
    if !pulled::is_scoped_name(name) {
        return None;
    }
    let segments: Vec<&str> = name.split('/').collect();
    let of = |count: usize| UserAction::PullExtension { name: segments[..count].join("/"), is_forced: false };
    let advice = Advice::new(of(SHORTEST)).and(" pulls it, if a registry has it");
    // An extension with more segments in its name has types with still more.
    let longest = segments.len() - 1;
    Some(if longest > SHORTEST { advice.and("; if not, try ").and(of(longest)) } else { advice })
}

#[cfg(test)]
mod tests {
    use mangrove_domain::problem::Code;

    use super::*;

    #[test]
    fn only_extensions_that_may_have_a_type_are_named() {
        let away = |subject: &str| Problem::error(Code::ROOT_UNREACHABLE, subject, "it cannot be entered");
        let all = ["pulled:@swamp/aws", "pulled:@swamp/gcp", "pulled:@acme/dns", "mount:../tools", "lockfile"];
        let named = |name: &str| -> Vec<String> {
            places_of(name, all.map(away).into()).into_iter().map(|problem| problem.subject).collect()
        };
        assert_eq!(named("@swamp/aws/ec2/instance"), ["pulled:@swamp/aws", "mount:../tools", "lockfile"]);
        assert_eq!(named("@swamp/awsome/x"), ["pulled:@swamp/aws", "pulled:@swamp/gcp", "mount:../tools", "lockfile"]);
        assert_eq!(named("@other/x"), ["mount:../tools", "lockfile"]);
        assert_eq!(named("acme/dns/zone"), ["pulled:@acme/dns", "mount:../tools", "lockfile"]);
    }

    #[test]
    fn a_pull_is_advised_of_what_may_be_the_name_of_an_extension() {
        let told = |name: &str| advice(name, &[]).map(|advice| advice.to_string());
        let pull = |text: &str| Some(text.to_owned());
        assert_eq!(told("@acme/dns"), pull("a pull of `@acme/dns` pulls it, if a registry has it"));
        assert_eq!(told("@acme/dns/zone"), pull("a pull of `@acme/dns` pulls it, if a registry has it"));
        assert_eq!(
            told("@swamp/aws/ec2/instance"),
            pull("a pull of `@swamp/aws` pulls it, if a registry has it; if not, try a pull of `@swamp/aws/ec2`")
        );
        assert_eq!(told("command/shell"), None);
        assert_eq!(told("@acme"), None);
    }
}
