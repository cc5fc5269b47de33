//! Single numbers, named one by one: what is taken from a set without cutting it to pieces.

use crate::decimal::Decimal;
use crate::regex::node::{Node, NodeId};
use crate::regex::numeric::divisibility::Divisibility;
use crate::regex::numeric::interval::Interval;
use crate::regex::numeric::number_list;
use crate::regex::numeric::reading::Reading;
use crate::regex::numeric::set::Set;
use crate::regex::pieces::{self, Piece};
use crate::regex::regexes::Regexes;

impl Regexes {
    /// The language of single numbers, given as indices of their values.
    pub(super) fn points(&self, mut values: Vec<u32>) -> NodeId {
        values.sort_unstable();
        values.dedup();
        match values.is_empty() {
            true => NodeId::NEVER,
            false => self.make(Node::Points(values.into())),
        }
    }

    /// The numbers of two languages that name them one by one; `None` if one does not.
    pub(crate) fn unite_points(&self, a: NodeId, b: NodeId) -> Option<NodeId> {
        let mut all = self.points_of(a)?;
        all.extend(self.points_of(b)?);
        Some(self.points(all))
    }

    /// The indices of a language's values, if it names them one by one.
    pub(super) fn points_of(&self, id: NodeId) -> Option<Vec<u32>> {
        let store = &self.numeric().values;
        match self.node(id) {
            Node::Never => Some(Vec::new()),
            Node::Points(values) => Some(values.to_vec()),
            _ => {
                let values = self.set_of(id)?.values()?;
                Some(values.map(|value| store.intern(value.clone())).collect())
            }
        }
    }

    pub(super) fn set_of_points(&self, values: &[u32]) -> Set {
        let value = |&id: &u32| Interval::point(self.value(id));
        Set::values_of(values.iter().map(value).collect())
    }

    pub(in crate::regex) fn value(&self, id: u32) -> &Decimal {
        self.numeric().values.get(id)
    }

    pub(in crate::regex) fn derive_points(&self, values: &[u32]) -> Vec<Piece> {
        let minus = Piece {
            lo: '-' as u32,
            hi: '-' as u32,
            to: self.begun(values, true),
        };
        let unsigned = self.pieces(self.begun(values, false));
        let all = std::iter::once(minus).chain(unsigned.iter().copied());
        pieces::map(&all.collect::<Vec<_>>(), |to| to)
    }

    /// The state before the digits of the numbers of one sign.
    fn begun(&self, values: &[u32], negative: bool) -> NodeId {
        let (near, far): (Vec<&Decimal>, Vec<&Decimal>) = (values.iter())
            .map(|&id| self.value(id))
            .filter(|value| value.is_zero() || value.negative == negative)
            .partition(|value| number_list::is_near(value));
        let mut all = vec![self.number_list(near.into_iter())];
        for value in far {
            let size = match negative {
                true => Interval::point(&value.negated()),
                false => Interval::point(value),
            };
            let digits = self.numeric().digits();
            all.push(self.reading(Reading::start(&Divisibility::default(), &size, digits)));
        }
        self.or(all)
    }
}
