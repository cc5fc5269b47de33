//! String masks where characters of a class lead the same way for a while, as in `[0-9a-f]{8}`: what
//! tokens do there is known from their characters, and only those that leave the class are looked at.

use std::ops::Range;
use std::sync::Arc;

use crate::mask::sweep_place::SweepPlace;
use crate::regex::char_blocks::CharBlocks;
use crate::regex::scan::{ScanId, Scanner};
use crate::spelling::{JsonSpelling, needs_escape};
use crate::vocab::Vocabulary;
use crate::vocab::char_kinds::CharKinds;
use crate::vocab::strings::Strings;
use crate::vocab::text_kinds::{DEEP, Exit};
use crate::vocab::token::{MaskWord, clear_bits, set_bits};

/// Where fewer characters lead the same way, a walk passes few subtrees, too.
const FEW_CHARACTERS: u32 = 10;

/// A class, and the states that its characters lead to.
struct ClassRun {
    /// The characters that lead the same way from the first state. The class may have a few more,
    /// which do so only from the others.
    first: CharBlocks,
    class: CharBlocks,
    kinds: CharKinds,
    /// The states after 0, 1, 2... characters.
    states: Vec<ScanId>,
    /// The characters of which a token may hold but a part.
    divisible: CharBlocks,
    /// What may come after 1, 2... characters, as far as that is looked up.
    exits: Vec<Exits>,
}

/// What may come in a state; beyond ASCII maybe some more.
struct Exits {
    /// Characters whose nodes are looked up.
    characters: CharBlocks,
    /// Whether tokens may end inside a character.
    may_begin: bool,
}

/// The tokens after which the string goes on; `None` where no class of characters leads the same
/// way, or too much else may come.
pub(super) fn sweep_class(
    scanner: &Scanner,
    vocabulary: &Vocabulary,
    start: ScanId,
    cap: usize,
) -> Option<Arc<[MaskWord]>> {
    let run = ClassRun::of(scanner, start)?;
    let strings = vocabulary.strings(scanner.spelling);
    let tokens = &strings.tokens;
    let mut words = run.inside(scanner.spelling, vocabulary, cap);
    let inside = Arc::make_mut(&mut words);
    let others = run.class.without(run.first).ascii();
    let others = others.flat_map(|c| tokens.roots(c.into(), c.into()));
    let others: Vec<Range<u32>> = others.map(|&(_, root)| root..tokens.skip(root)).collect();
    for others in &others {
        clear_bits(inside, tokens.items_below(others.start));
    }
    let mut nodes = Vec::new();
    for (level, &state) in run.states.iter().enumerate() {
        nodes.clear();
        if level == 0 {
            run.first_nodes(scanner, strings, &mut nodes);
        } else {
            run.exit_nodes(strings, level, &mut nodes);
            if !others.is_empty() {
                nodes.retain(|node| !others.iter().any(|others| others.contains(node)));
            }
        }
        tokens.walk_below(
            SweepPlace::new(scanner, state),
            nodes.iter().copied(),
            |at, c, below| at.step(scanner, c, below),
            |at, partial| partial.can_step(scanner, at.state),
            |range, _| set_bits(inside, tokens.items(range)),
        );
    }
    Some(words)
}

impl ClassRun {
    fn of(scanner: &Scanner, start: ScanId) -> Option<Self> {
        let is_class = |characters: CharBlocks| {
            let kinds = CharKinds::of_class(characters)?;
            (characters.size() >= FEW_CHARACTERS).then_some(kinds)
        };
        let way = scanner.same_way(start)?;
        let first = way.characters;
        if first.size() < FEW_CHARACTERS {
            return None;
        }
        // The class has no more characters beyond ASCII.
        CharKinds::of_class(first.without(CharBlocks::ASCII))?;
        let next = scanner.same_way(way.to).map(|next| next.characters);
        let next =
            next.filter(|&next| first.is_in(next) && next.without(first).is_in(CharBlocks::ASCII));
        let class = next.unwrap_or(first);
        let (class, kinds) = match is_class(class) {
            Some(kinds) => (class, kinds),
            None => (first, is_class(first)?),
        };
        let mut run = ClassRun {
            first,
            class,
            kinds,
            states: vec![start, way.to],
            divisible: divisible(scanner.spelling),
            exits: Vec::new(),
        };
        while run.extend(scanner)? {}
        Some(run)
    }

    /// Adds the state after one more character, if there is one for all of the class; `None` if
    /// what else may come is not at hand.
    fn extend(&mut self, scanner: &Scanner) -> Option<bool> {
        let level = self.states.len() - 1;
        if level == DEEP {
            return Some(false);
        }
        let state = self.states[level];
        let all = characters_of(scanner, state)?;
        let way = scanner.same_way(state);
        let way = way.filter(|way| self.class.is_in(way.characters));
        // Where the class does not go on, no more of it is passed over.
        let characters = match way {
            Some(_) => all.without(self.class),
            None => all,
        };
        let beyond = characters.without(CharBlocks::ASCII);
        let is_listed = characters.misses(CharBlocks::LETTERS)
            && (self.class.is_in(CharBlocks::ASCII) || beyond.is_in(CharBlocks::SPACES));
        is_listed.then(|| {
            self.exits.push(Exits {
                characters,
                may_begin: !all.misses(self.divisible),
            });
            self.states.extend(way.map(|way| way.to));
            way.is_some()
        })
    }

    /// The tokens that stay in the class as far as its states go, a bit for each.
    fn inside(
        &self,
        spelling: JsonSpelling,
        vocabulary: &Vocabulary,
        cap: usize,
    ) -> Arc<[MaskWord]> {
        let kinds = &vocabulary.strings(spelling).kinds;
        let key = (self.kinds.bits().into(), spelling as u64);
        let class = vocabulary.shared_masks().classes.get(key, cap, || {
            let class = kinds.of_class(self.kinds);
            let bytes = size_of_val(&*class);
            (class, bytes)
        });
        let words = class.iter().zip(kinds.short(self.states.len() - 1));
        words
            .map(|(class, short)| MaskWord(class.0 & short.0))
            .collect()
    }

    /// Adds the nodes of the first characters that do not lead like the others.
    fn first_nodes(&self, scanner: &Scanner, strings: &Strings, nodes: &mut Vec<u32>) {
        for step in scanner.moves(self.states[0]) {
            if CharBlocks::around(step.lo, step.hi).is_in(self.first) {
                continue;
            }
            let roots = strings.tokens.roots(step.lo, step.hi).iter();
            let others = roots.filter(|root| !CharBlocks::of(root.0).is_in(self.first));
            nodes.extend(others.map(|root| root.1));
        }
        let may_begin =
            characters_of(scanner, self.states[0]).is_none_or(|all| !all.misses(self.divisible));
        if may_begin {
            nodes.extend(strings.tokens.begun_roots().iter().map(|root| root.1));
        }
    }

    /// Adds the nodes at which texts leave the class after so many characters, and, behind the last
    /// state, those at which they go on in it.
    fn exit_nodes(&self, strings: &Strings, level: usize, nodes: &mut Vec<u32>) {
        let mut add = |exit| nodes.extend(strings.kinds.exits(self.kinds, exit, level));
        let Some(exits) = self.exits.get(level - 1) else {
            return add(Exit::Deep);
        };
        if exits.may_begin {
            add(Exit::Begun);
        }
        exits.characters.ascii().for_each(|c| add(Exit::Ascii(c)));
        let beyond = exits.characters.without(CharBlocks::ASCII);
        if !beyond.misses(CharBlocks::SPACES) {
            add(Exit::Space);
        }
        if !beyond.is_in(CharBlocks::SPACES) {
            add(Exit::Beyond);
        }
    }
}

/// The characters that lead from a state to others, and maybe some more beyond ASCII.
fn characters_of(scanner: &Scanner, state: ScanId) -> Option<CharBlocks> {
    scanner.all_moves_unless_computed(state)?;
    let moves = scanner.moves(state).iter();
    let moves = moves.map(|step| CharBlocks::around(step.lo, step.hi));
    Some(moves.fold(CharBlocks::default(), CharBlocks::or))
}

/// The characters of which a token may hold but a part.
fn divisible(spelling: JsonSpelling) -> CharBlocks {
    match spelling {
        JsonSpelling::Any => CharBlocks::ALL,
        JsonSpelling::Plain => {
            let escaped = (0..128).filter(|&c| needs_escape(c)).map(CharBlocks::of);
            let beyond = CharBlocks::ALL.without(CharBlocks::ASCII);
            escaped.fold(beyond, CharBlocks::or)
        }
    }
}
