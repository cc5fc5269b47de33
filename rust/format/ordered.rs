//! Pairs of numerals in order.

use crate::format::build::Build;
use crate::regex::node::NodeId;

/// Two numerals of `digits` digits each, the first not greater than the second, with `between`
/// between them. `alphabet` holds the spellings of each digit, as patterns.
///
/// The first digit decides, unless it is the same in both; then the next does. What the first
/// numeral was is not spelled out for each of its values: it shows as texts are read.
pub(super) fn pairs(build: Build, alphabet: &[&str], digits: u32, between: NodeId) -> NodeId {
    let nodes: Vec<NodeId> = alphabet.iter().map(|digit| build.pattern(digit)).collect();
    let mut from = vec![NodeId::NEVER];
    for &node in nodes.iter().rev() {
        from.push(build.or([node, from[from.len() - 1]]));
    }
    from.reverse();
    let pairs = Pairs {
        build,
        digits,
        between,
        nodes: &nodes,
    };
    let last = pairs.at(digits - 1, &from);
    (0..digits - 1).rev().fold(last, |later, place| {
        let same = build.and([pairs.at(place, &nodes), later]);
        build.or([pairs.at(place, &from[1..]), same])
    })
}

struct Pairs<'a> {
    build: Build<'a>,
    digits: u32,
    between: NodeId,
    nodes: &'a [NodeId],
}

impl Pairs<'_> {
    /// The pairs that have, at `place`, some digit in the first numeral and in the second what
    /// `right` holds for it.
    fn at(&self, place: u32, right: &[NodeId]) -> NodeId {
        let build = self.build;
        let any = build.or(self.nodes);
        let times = |count| build.0.repeat_between(any, count, Some(count));
        let (before, after) = (times(place), times(self.digits - 1 - place));
        let ways: Vec<NodeId> = self
            .nodes
            .iter()
            .zip(right)
            .map(|(&left, &right)| build.concat(&[left, after, self.between, before, right, after]))
            .collect();
        build.concat(&[before, build.or(ways)])
    }
}

#[cfg(test)]
mod tests {
    use crate::format::build::Build;
    use crate::format::char_class::DIGIT;
    use crate::regex::regexes::Regexes;

    #[test]
    fn pairs_are_in_order() {
        let regexes = Regexes::new();
        let build = Build(&regexes);
        let pairs = super::pairs(build, &DIGIT, 2, build.text(","));
        for (a, b) in (0..100).flat_map(|a| (0..100).map(move |b| (a, b))) {
            let text = format!("{a:02},{b:02}");
            assert_eq!(regexes.matches(pairs, &text), a <= b, "{text}");
        }
        assert!(!regexes.matches(pairs, "1,2") && !regexes.matches(pairs, "01,002"));
    }
}
