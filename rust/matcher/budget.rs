//! Ending in time: a token is allowed only if the text can be finished within the budget after it.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use crate::error::{Error, ErrorKind};
use crate::json::texts::TextId;
use crate::machine::{Completer, Config};
use crate::mask::{BoundKind, Completions, Late, Lead, Mask, Visitor};
use crate::matcher::Matcher;
use crate::matcher::plan::{EndPlan, TooLate, soon};
use crate::vocab::token::{MaskWord, TokenId, add_bits, bits_of, clear_bits, has_bit, set_bits};

/// A plan is made once the tokens left exceed the bytes to the end of the text by no more than
/// this.
const MARGIN: usize = 16;

impl Matcher {
    /// The tokens that are left of the budget.
    pub(super) fn left(&self) -> Option<usize> {
        let most = self.max_tokens?;
        Some(most.saturating_sub(self.before.len()))
    }

    /// A plan for the whole text.
    pub(super) fn first_plan(&self, most: usize) -> Result<EndPlan, Error> {
        let Some(tokens) = self.finish(self.now.config) else {
            self.completion()?;
            let message = "the vocabulary cannot spell any valid text";
            return Err(Error::new(ErrorKind::Vocabulary, message));
        };
        if tokens.len() > most {
            let message = format!(
                "the shortest valid text takes {} tokens, more than the budget of {most}",
                tokens.len()
            );
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let tokens = tokens.into();
        Ok(EndPlan { tokens, from: 0 })
    }

    /// The plan for after a token that can be read in these ways; none where none is needed.
    pub(super) fn plan_after(
        &self,
        token: Option<TokenId>,
        leads: impl FnOnce() -> Vec<Lead>,
    ) -> Result<Option<EndPlan>, TooLate> {
        let Some(left) = self.left() else {
            return Ok(None);
        };
        let far = left.saturating_sub(MARGIN) as u64;
        if token.is_some() && self.knows_bound_within(far) {
            return Ok(None);
        }
        let leads = leads();
        let completions = self.completions();
        let is_far = |&kind: &BoundKind| {
            let completer = kind.completer(&completions, u64::MAX);
            let mut leads = leads.iter();
            leads.any(|lead| completer.max_completion_bytes(lead.place) < far)
        };
        if self.speller().is_none() && self.kinds_of_bounds().iter().any(is_far) {
            return Ok(None);
        }
        if let Some(plan) = &self.now.plan
            && token.is_some()
            && plan.next() == token
        {
            let tokens = plan.tokens.clone();
            let from = plan.from + 1;
            return Ok(Some(EndPlan { tokens, from }));
        }
        if !leads.iter().any(|&lead| self.fits_lead(lead, left)) {
            return Err(TooLate);
        }
        let plans = leads.iter().filter_map(|lead| self.finish(lead.place));
        let best = plans.min_by_key(Vec::len);
        let best = best.filter(|tokens| tokens.len() < left);
        Ok(best.map(|tokens| EndPlan {
            tokens: tokens.into(),
            from: 0,
        }))
    }

    /// The kinds of bounds that there are of what comes next.
    pub(super) fn kinds_of_bounds(&self) -> &'static [BoundKind] {
        BoundKind::in_turn(&self.engine.machine, self.now.config)
    }

    /// Whether the mask that came last says that after each of its tokens so few bytes finish the text.
    fn knows_bound_within(&self, most: u64) -> bool {
        let known = self.glance().and_then(|(_, mask)| mask);
        known.is_some_and(|mask| mask.bounds.are_within(most))
    }

    /// Whether a token that leads there may come within the budget. [`Matcher::keep_affordable`]
    /// asks this of all tokens of a mask, group by group.
    fn fits_lead(&self, lead: Lead, left: usize) -> bool {
        let bound = lead.bound().map(|at| self.completion_bytes_from(at));
        bound.is_some_and(|bound| bound < left as u64) || self.fits(lead.place, left)
    }

    /// Whether the text can be finished from a place in fewer tokens than `left`.
    fn fits(&self, place: Config, left: usize) -> bool {
        if self.most_tokens(place) < left as u64 {
            return true;
        }
        if is_compared(place) {
            return false;
        }
        self.most_after_character(place)
            .is_some_and(|most| most < left as u64)
            || self.fewest(place).is_some_and(|fewest| fewest < left)
    }

    /// An upper bound of the tokens that finish the text from a place.
    fn most_tokens(&self, place: Config) -> u64 {
        if self.speller().is_some() {
            return u64::MAX;
        }
        let completions = self.completions();
        let completer = BoundKind::Counted.completer(&completions, u64::MAX);
        completer.max_completion_bytes(place)
    }

    /// The same from inside a character of a free string, known from that string: there are hundreds of such
    /// places for each string.
    fn most_after_character(&self, place: Config) -> Option<u64> {
        let completer = self.engine.machine.completer();
        let (after, bytes) = completer.after_character(place)?;
        // Each byte of the character is a token, if no longer ones spell it.
        Some(self.fewest_sure(after)? + bytes)
    }

    /// How many tokens finish the text from a place, and with one more for each byte that leads to it
    /// from elsewhere; `None` if that is not so, or not known.
    fn fewest_sure(&self, place: Config) -> Option<u64> {
        let spells_all = self.speller().is_none() && !is_compared(place);
        spells_all.then(|| self.fewest(place))?.map(|n| n as u64)
    }

    /// An upper bound of the bytes that finish the text. No token is shorter than a byte.
    fn completion_bytes_from(&self, config: Config) -> u64 {
        match self.speller() {
            None => self.engine.machine.completer().max_completion_bytes(config),
            Some(_) => u64::MAX,
        }
    }

    /// Tokens that finish the text from a place.
    fn finish(&self, place: Config) -> Option<Vec<TokenId>> {
        match self.speller() {
            Some(speller) => speller.finish(place),
            None => self.completions().tokens(place),
        }
    }

    /// How many tokens finish the text from a place, as far as they are known.
    pub(super) fn tokens_to_end(&self, place: Config) -> Option<usize> {
        self.finish(place).map(|tokens| tokens.len())
    }

    fn fewest(&self, place: Config) -> Option<usize> {
        match self.speller() {
            Some(speller) => Some(speller.finish(place)?.len()),
            None => self.completions().fewest(place),
        }
    }

    /// How texts end.
    pub(super) fn completions(&self) -> Completions<'_> {
        Completions {
            tree: &self.engine.tree,
            machine: &self.engine.machine,
            vocabulary: self.compiled.vocabulary(),
            limits: self.compiled.limits(),
        }
    }

    /// Drops the tokens after which the text could not be finished in time.
    pub(super) fn keep_affordable(&self, mask: &Mask, bits: &mut [MaskWord], left: usize) {
        if left == 0 {
            bits.fill(MaskWord::NONE);
            return;
        }
        if mask.bounds.are_within(left as u64) || self.bounds_within(mask, left) {
            return;
        }
        let late = mask.late(left as u64, || self.late(mask, left as u64));
        if late.is_alike && late.most < left as u64 {
            return;
        }
        let planned = self.now.plan.as_ref().and_then(EndPlan::next);
        let planned = planned.filter(|&token| has_bit(bits, token));
        // A token may be read by its text and by its id; one of them is enough.
        mask.write_text(bits);
        match late.is_alike && left as u64 > late.base {
            true => {
                let gone = late.groups.iter().filter(|(need, _)| *need >= left as u64);
                gone.for_each(|(_, tokens)| clear_bits(bits, tokens));
            }
            false => {
                self.for_groups(
                    mask,
                    &mut Dropper {
                        matcher: self,
                        left,
                        fits: FxHashMap::default(),
                        last: None,
                        bits,
                    },
                );
            }
        }
        if mask.named().is_some() {
            let sets = self.engine.masks.token_sets();
            for (set, next) in self.engine.machine.stepper().token_moves(self.now.config) {
                if self.fits_lead(self.completions().lead_by_id(next), left) {
                    add_bits(bits, sets.get(set));
                }
            }
        }
        if let Some(token) = planned {
            set_bits(bits, &[token]);
        }
    }

    /// Drops the tokens after which the text could not be finished in time, on a vocabulary that
    /// cannot spell every text: there each token is tried. Without a budget nothing changes.
    pub(super) fn keep_spelled(&self, bits: &mut [MaskWord]) -> Result<(), Error> {
        if self.max_tokens.is_none() {
            return Ok(());
        }
        let tokens: Vec<TokenId> = bits_of(bits).collect();
        for token in tokens {
            if self.after(token)?.is_none() {
                clear_bits(bits, &[token]);
            }
        }
        Ok(())
    }

    /// Whether bounds say that the text can be finished in time after each token of a mask.
    fn bounds_within(&self, mask: &Mask, left: usize) -> bool {
        let completions = self.completions();
        let first = self.first_kind(left);
        let kinds = [first, BoundKind::Counted];
        kinds.into_iter().any(|kind| {
            let completer = kind.completer(&completions, soon(left as u64));
            let bound = || self.max_completion_bytes(mask, completer);
            mask.bounds.get(completer, bound) < left as u64
        })
    }

    /// The kind of bounds to find first of the tokens that come next: what is too rough for the place before
    /// them is too rough for them.
    pub(super) fn first_kind(&self, left: usize) -> BoundKind {
        let first = self.kinds_of_bounds()[0];
        let is_within = || {
            let rough = self.engine.machine.rough_completer();
            rough.max_completion_bytes(self.now.config) < left as u64
        };
        match first == BoundKind::Rough && is_within() {
            true => first,
            false => BoundKind::Counted,
        }
    }

    /// The tokens of a mask after which it takes many of the tokens that are left.
    fn late(&self, mask: &Mask, left: u64) -> Late {
        /// Only so many tokens are kept.
        const MOST: usize = 4096;
        let floor = soon(left);
        let mut collector = Collector {
            matcher: self,
            floor,
            known: FxHashMap::default(),
            met: 0,
            most: 0,
            groups: FxHashMap::default(),
        };
        let is_alike = self.for_groups(mask, &mut collector);
        let mut most = collector.most;
        if mask.named().is_some() {
            let moves = self.engine.machine.stepper().token_moves(self.now.config);
            let leads = moves
                .into_iter()
                .map(|(_, next)| self.completions().lead_by_id(next));
            let needs = leads.map(|lead| self.need(lead.place, floor));
            most = needs.max().unwrap_or(0).max(most);
        }
        let groups = collector.groups.into_iter();
        let mut groups: Vec<(u64, Box<[TokenId]>)> =
            groups.map(|(need, tokens)| (need, tokens.into())).collect();
        groups.sort_unstable_by_key(|&(need, _)| Reverse(need));
        let mut count = 0;
        let kept = groups.iter().take_while(|(_, tokens)| {
            count += tokens.len();
            count <= MOST
        });
        let kept = kept.count();
        let base = groups.get(kept).map_or(floor - 1, |&(need, _)| need);
        groups.truncate(kept);
        let bytes = groups.iter().map(|(_, tokens)| size_of_val(&**tokens) + 24);
        let limits = self.compiled.limits();
        self.engine.masks.make_room(bytes.sum(), limits.cache_bytes);
        Late {
            floor: if is_alike { floor } else { 0 },
            most,
            groups: groups.into(),
            base,
            is_alike,
        }
    }

    /// An upper bound of the tokens that finish the text from a place. It is exact where it is
    /// `floor` or more and the place is not inside an item that is compared; less than that may be
    /// too much.
    fn need(&self, place: Config, floor: u64) -> u64 {
        let most = self.most_tokens(place);
        if most < floor || is_compared(place) {
            return most;
        }
        if let Some(most) = self.most_after_character(place).filter(|&m| m < floor) {
            return most;
        }
        let fewest = self.fewest(place);
        fewest.map_or(most, |fewest| most.min(fewest as u64))
    }

    fn for_groups(&self, mask: &Mask, visitor: &mut impl Visitor) -> bool {
        let at = (self.now.config, mask);
        self.engine
            .masks
            .for_groups(self.completions(), at, visitor)
    }

    /// An upper bound of the tokens that finish the text after any token of a mask.
    fn max_completion_bytes(&self, mask: &Mask, completer: Completer<'_>) -> u64 {
        let (vocabulary, cap) = (
            self.compiled.vocabulary(),
            self.compiled.limits().cache_bytes,
        );
        let (machine, masks) = (&self.engine.machine, &self.engine.masks);
        masks.max_completion_bytes(machine, vocabulary, (self.now.config, mask), completer, cap)
    }
}

/// Collects the tokens after which it takes many more to finish the text.
struct Collector<'a> {
    matcher: &'a Matcher,
    /// Fewer tokens are not many.
    floor: u64,
    known: FxHashMap<Config, u64>,
    /// How many tokens it takes from the place that was met last.
    met: u64,
    most: u64,
    groups: FxHashMap<u64, Vec<TokenId>>,
}

impl Visitor for Collector<'_> {
    fn passes(&mut self, bound: u64) -> bool {
        bound < self.floor
    }

    fn wants(&mut self, at: Config) -> bool {
        let need = self.known.entry(at);
        self.met = *need.or_insert_with(|| self.matcher.need(at, self.floor));
        self.most = self.most.max(self.met);
        self.met >= self.floor
    }

    fn spare(&mut self, at: Config) -> Option<u64> {
        let tokens = self.matcher.fewest_sure(at)?;
        (self.floor - 1).checked_sub(tokens)
    }

    fn take(&mut self, tokens: &[TokenId]) {
        self.groups
            .entry(self.met)
            .or_default()
            .extend_from_slice(tokens);
    }
}

/// Drops the tokens that lead to where the text cannot be finished in time.
struct Dropper<'a> {
    matcher: &'a Matcher,
    left: usize,
    fits: FxHashMap<Config, bool>,
    /// The place that was met last: most are met many times in a row.
    last: Option<(Config, bool)>,
    bits: &'a mut [MaskWord],
}

impl Visitor for Dropper<'_> {
    fn passes(&mut self, bound: u64) -> bool {
        bound < self.left as u64
    }

    fn wants(&mut self, at: Config) -> bool {
        if let Some((last, fits)) = self.last
            && last == at
        {
            return !fits;
        }
        let fits = self.fits.entry(at);
        let fits = *fits.or_insert_with(|| self.matcher.fits(at, self.left));
        self.last = Some((at, fits));
        !fits
    }

    fn spare(&mut self, at: Config) -> Option<u64> {
        let tokens = self.matcher.fewest_sure(at)?;
        (self.left as u64).checked_sub(tokens + 1)
    }

    fn take(&mut self, tokens: &[TokenId]) {
        clear_bits(self.bits, tokens);
    }
}

/// Whether a configuration is inside an item that is compared with others. Then nearly every text
/// has a completion of its own, and only an upper bound of their bytes is cheap to find.
fn is_compared(config: Config) -> bool {
    config.record != TextId::EMPTY
}
