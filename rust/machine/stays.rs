//! Which texts lead a configuration back to itself, as their characters show.

use crate::json::texts::TextId;
use crate::machine::config::{Config, State};
use crate::machine::lookahead::Lookahead;
use crate::regex::char_blocks::CharBlocks;
use crate::regex::scan::ScanId;
use crate::spelling::Partial;

impl Lookahead<'_> {
    /// Whether a text of these characters never ends the string or key that is being read.
    pub(crate) fn keeps_inside(self, state: State, characters: CharBlocks) -> bool {
        let is_string = matches!(
            state,
            State::String { .. } | State::Key { .. } | State::OtherKey { .. }
        );
        is_string && characters.misses(json_special())
    }

    /// Where a character began of which some UTF-8 has been read.
    pub(crate) fn before_character(self, mut config: Config) -> Config {
        if let State::String { partial, .. }
        | State::OtherKey { partial, .. }
        | State::Text { partial, .. } = &mut config.state
            && let Partial::Utf8 { .. } = partial
        {
            *partial = Partial::Nothing;
        }
        config
    }

    /// Whether it is inside a string of which nothing is asked, or inside any unknown key.
    pub(crate) fn is_free(self, config: Config) -> bool {
        match config.state {
            State::String { scan, .. } => self.machine.obligations.rules.scanner.is_free(scan),
            State::OtherKey { text, .. } => text == TextId::WHATEVER,
            _ => false,
        }
    }

    /// Whether a text of these characters leads a string back to its state, but for what is begun of a last
    /// character.
    pub(crate) fn stays_in_string(self, scan: ScanId, characters: CharBlocks) -> bool {
        let scanner = &self.machine.obligations.rules.scanner;
        characters.misses(json_special()) && characters.is_in(scanner.stays(scan))
    }

    /// Whether a text of these characters leads back to the configuration, but for what is begun of
    /// a last character, and for the text of an unknown key.
    pub(crate) fn stays(self, config: Config, characters: CharBlocks) -> bool {
        let scanner = &self.machine.obligations.rules.scanner;
        if config.record != TextId::EMPTY {
            return false;
        }
        match config.state {
            State::String {
                scan,
                partial: Partial::Nothing,
            } => self.stays_in_string(scan, characters),
            State::OtherKey {
                partial: Partial::Nothing,
                ..
            } => characters.misses(json_special()),
            // Digits of a number lead to few states, mostly to the same one.
            State::Number(scan) => {
                let stays = |digit: u8| scanner.step(scan, u32::from(digit)) == Some(scan);
                characters.is_in(CharBlocks::around(0x30, 0x39))
                    && self.machine.text_reader().is_delimited(config.stack)
                    && (b'0'..=b'9').all(stays)
            }
            State::Text {
                scan,
                partial: Partial::Nothing,
            } => {
                characters.is_in(scanner.stays(scan))
                    && characters.misses(CharBlocks::beginning(
                        self.machine.text_reader().turns_away(scan, config.stack),
                    ))
            }
            _ => false,
        }
    }
}

/// The characters that are not written as they are inside strings, or end them.
fn json_special() -> CharBlocks {
    let quote = CharBlocks::of(u32::from('"')).or(CharBlocks::of(u32::from('\\')));
    CharBlocks::around(0, 0x1F).or(quote)
}
