//! Grammars and schemas written in GBNF, for tools that only read that.
//!
//! Each state of an automaton, an array or an object becomes a rule. Characters of JSON strings are
//! written in one spelling each, and whole numbers without fraction and exponent: what comes out
//! allows no text that is not valid, but fewer spellings. Other numbers between bounds may have any
//! exponent, and take too many rules.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::error::{Error, ErrorKind};
use crate::grammar::syntax::{Expr, ExprId, Syntax};
use crate::grammar::{escape, show_class, show_tokens};
use crate::json::array::state::ArrayId;
use crate::json::kind::Kind;
use crate::json::object::state::ObjectId;
use crate::json::obligation::ObligationId;
use crate::json::obligations::Entry;
use crate::machine::store::Machine;
use crate::machine::whitespace::Whitespace;
use crate::regex::codeset::CodeSet;
use crate::regex::lower;
use crate::regex::node::NodeId;
use crate::regex::scan::ScanId;
use crate::spelling::spell_json;

/// Rules of one grammar.
const MOST: usize = 4_000;

/// What a rule stands for. Where lines are indented, values, arrays and objects are told apart by how many
/// arrays and objects are around them; else that is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum GbnfRule {
    Value(ObligationId, u64),
    /// After the opening bracket, or after an item.
    Array(ArrayId, bool, u64),
    Object(ObjectId, bool, u64),
    /// The rest of a JSON string, with its closing quote.
    String(ScanId),
    /// The rest of a number, or of plain text.
    Raw(ScanId),
}

struct Writer<'a> {
    machine: &'a Machine,
    names: FxHashMap<GbnfRule, String>,
    open: VecDeque<GbnfRule>,
    out: String,
}

/// The texts of a schema in GBNF. Errors: [`ErrorKind::Unsupported`], with what it cannot say.
pub(crate) fn value_to_gbnf(machine: &Machine, obligation: ObligationId) -> Result<String, Error> {
    let mut writer = Writer::new(machine);
    let value = writer.name(GbnfRule::Value(obligation, 0))?;
    let space = writer.space();
    writer.out = format!("root ::= {space}{value}{space}\n");
    writer.finish()
}

/// The texts of a machine's grammar in GBNF. Errors: as [`value_to_gbnf`].
pub(crate) fn syntax_to_gbnf(machine: &Machine, syntax: &Syntax) -> Result<String, Error> {
    let schemas = machine.schemas();
    let mut writer = Writer::new(machine);
    let start = writer.expression(syntax, schemas, syntax.start)?;
    writer.out = format!("root ::= {start}\n");
    for (i, rule) in syntax.rules.iter().enumerate() {
        if let Some(body) = rule.body {
            let body = writer.expression(syntax, schemas, body)?;
            writer.out.push_str(&format!("rule-{i} ::= {body}\n"));
        }
    }
    writer.finish()
}

fn refuse(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("GBNF cannot say {what}"))
}

impl<'a> Writer<'a> {
    fn new(machine: &'a Machine) -> Self {
        Writer {
            machine,
            names: FxHashMap::default(),
            open: VecDeque::new(),
            out: String::new(),
        }
    }

    /// Whitespace between tokens, with the spaces around its name.
    fn space(&self) -> &'static str {
        match self.machine.whitespace {
            Whitespace::Flexible { .. } => " ws ",
            _ => " ",
        }
    }

    /// A comma or a colon and the whitespace around it.
    fn separator(&self, sign: char) -> String {
        let whitespace = self.machine.whitespace;
        let run = match sign {
            ':' => whitespace.after_colon(),
            _ => whitespace.after_comma(),
        };
        match (whitespace, whitespace.next_due(run).is_some()) {
            (Whitespace::Flexible { .. }, _) => format!("\"{sign}\" ws "),
            (_, false) => format!("\"{sign}\" "),
            (_, true) => format!("\"{sign} \" "),
        }
    }

    /// What comes before an item or a member, in an array or object with so much around it.
    fn before_next(&self, opened: bool, depth: u64) -> String {
        let whitespace = self.machine.whitespace;
        let run = match opened {
            true => whitespace.inside(),
            false => whitespace.after_comma(),
        };
        match (whitespace, opened) {
            (Whitespace::Indented { .. }, _) => {
                let sign = if opened { "" } else { "," };
                let line = whitespace.due(run, depth + 1);
                quoted(&format!("{sign}{}", String::from_utf8_lossy(&line))) + " "
            }
            (_, true) => String::new(),
            (_, false) => self.separator(','),
        }
    }

    /// The bracket that ends an array or object.
    fn closing(&self, bracket: char, opened: bool, depth: u64) -> String {
        let whitespace = self.machine.whitespace;
        let line = match (whitespace, opened) {
            (Whitespace::Indented { .. }, false) => whitespace.due(whitespace.inside(), depth),
            _ => Vec::new(),
        };
        let mut escaped = String::new();
        String::from_utf8_lossy(&line)
            .chars()
            .for_each(|c| escape(c, &mut escaped));
        format!("\"{escaped}{bracket}\"")
    }

    /// How many arrays and objects are around what is inside one, as far as rules are told apart by it.
    fn inside(&self, depth: u64) -> u64 {
        match self.machine.obligations.rules.separators.indent {
            0 => 0,
            _ => depth + 1,
        }
    }

    /// The name of a rule, which is written later if it is new.
    fn name(&mut self, place: GbnfRule) -> Result<String, Error> {
        if let Some(known) = self.names.get(&place) {
            return Ok(known.clone());
        }
        if self.names.len() >= MOST {
            let message = format!("in GBNF this takes more than {MOST} rules");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let sort = match place {
            GbnfRule::Value(..) => "value",
            GbnfRule::Array(..) => "array",
            GbnfRule::Object(..) => "object",
            GbnfRule::String(_) => "string",
            GbnfRule::Raw(_) => "text",
        };
        let name = format!("{sort}-{}", self.names.len());
        self.names.insert(place, name.clone());
        self.open.push_back(place);
        Ok(name)
    }

    fn finish(mut self) -> Result<String, Error> {
        while let Some(place) = self.open.pop_front() {
            let name = self.names[&place].clone();
            let ways = match place {
                GbnfRule::Value(obligation, depth) => self.value(obligation, depth)?,
                GbnfRule::Array(array, opened, depth) => self.array(array, opened, depth)?,
                GbnfRule::Object(object, opened, depth) => self.object(object, opened, depth)?,
                GbnfRule::String(scan) => self.string(scan)?,
                GbnfRule::Raw(scan) => self.raw(scan)?,
            };
            self.out
                .push_str(&format!("{name} ::= {}\n", ways.join(" | ")));
        }
        if let Whitespace::Flexible { run } = self.machine.whitespace
            && self.out.contains(" ws ")
        {
            self.out
                .push_str(&format!("ws ::= [ \\t\\n\\r]{{0,{run}}}\n"));
        }
        Ok(self.out)
    }

    fn value(&mut self, obligation: ObligationId, depth: u64) -> Result<Vec<String>, Error> {
        self.check_asks(obligation)?;
        let obligations = &self.machine.obligations;
        let space = self.space();
        let mut ways = Vec::new();
        for kind in Kind::ALL {
            ways.extend(match obligations.enter(obligation, kind) {
                None => None,
                Some(Entry::Literal) => {
                    let text = String::from_utf8_lossy(self.machine.literals.text(kind));
                    Some(format!("\"{text}\""))
                }
                Some(Entry::Scalar(scan)) if kind == Kind::String => {
                    Some(format!("\"\\\"\" {}", self.name(GbnfRule::String(scan))?))
                }
                Some(Entry::Scalar(scan)) => Some(self.number(scan)?),
                Some(Entry::Array(array)) => Some(format!(
                    "\"[\"{space}{}",
                    self.name(GbnfRule::Array(array, true, depth))?
                )),
                Some(Entry::Object(object)) => Some(format!(
                    "\"{{\"{space}{}",
                    self.name(GbnfRule::Object(object, true, depth))?
                )),
            });
        }
        Ok(ways)
    }

    /// Refuses a value of which something is asked: what follows it depends on the answer.
    fn check_asks(&self, obligation: ObligationId) -> Result<(), Error> {
        match self
            .machine
            .obligations
            .obligation_of(obligation)
            .queries
            .is_empty()
        {
            true => Ok(()),
            false => Err(refuse("that one value decides what others must be")),
        }
    }

    /// Whole numbers come without fraction and exponent.
    fn number(&mut self, scan: ScanId) -> Result<String, Error> {
        let scanner = &self.machine.obligations.rules.scanner;
        let language = scanner.scan(scan).language;
        self.language(
            scanner
                .regexes
                .written_plainly(language)
                .unwrap_or(language),
        )
    }

    fn array(&mut self, array: ArrayId, opened: bool, depth: u64) -> Result<Vec<String>, Error> {
        let obligations = &self.machine.obligations;
        if obligations.is_unique(array) {
            return Err(refuse("that items differ (`uniqueItems`)"));
        }
        let mut ways = Vec::new();
        if obligations.end_array(array).is_some() {
            ways.push(self.closing(']', opened, depth));
        }
        if let Some(item) = obligations.item(array) {
            self.check_asks(item)?;
            let value = self.name(GbnfRule::Value(item, self.inside(depth)))?;
            let next = obligations.after_item(array, &[], None);
            let next = self.name(GbnfRule::Array(next, false, depth))?;
            let before = self.before_next(opened, depth);
            ways.push(format!("{before}{value}{}{next}", self.space()));
        }
        Ok(ways)
    }

    fn object(&mut self, object: ObjectId, opened: bool, depth: u64) -> Result<Vec<String>, Error> {
        let obligations = &self.machine.obligations;
        let allowed_keys = obligations.allowed_keys(object);
        if obligations.shape_of(object).is_scanned() {
            return Err(refuse(
                "which keys follow a pattern, and that none comes twice",
            ));
        }
        if allowed_keys.other() {
            let what = "that no undeclared key comes twice: `additionalProperties` must be false";
            return Err(refuse(what));
        }
        let mut ways = Vec::new();
        if obligations.end_object(object).is_some() {
            ways.push(self.closing('}', opened, depth));
        }
        let table = obligations.key_table(object);
        let keys = table.start().into_iter().flat_map(|all| table.open(all));
        for (key, text) in keys.filter(|&(key, _)| allowed_keys.allows(key)) {
            let member = obligations.member(object, key);
            let obligation = obligations.member_obligation(member);
            self.check_asks(obligation)?;
            let value = self.name(GbnfRule::Value(obligation, self.inside(depth)))?;
            let next = obligations.after_member(member, &[]);
            let next = self.name(GbnfRule::Object(next, false, depth))?;
            let before = self.before_next(opened, depth);
            let spelled: Vec<u8> = text
                .chars()
                .flat_map(|c| spell_json(u32::from(c)))
                .collect();
            let mut quoted = String::new();
            let whole = format!("\"{}\"", String::from_utf8_lossy(&spelled));
            whole.chars().for_each(|c| escape(c, &mut quoted));
            let (space, colon) = (self.space(), self.separator(':'));
            ways.push(format!(
                "{before}\"{quoted}\"{space}{colon}{value}{space}{next}"
            ));
        }
        Ok(ways)
    }

    fn string(&mut self, scan: ScanId) -> Result<Vec<String>, Error> {
        let scanner = &self.machine.obligations.rules.scanner;
        let mut ways = Vec::new();
        if scanner.can_end(scan) {
            ways.push("\"\\\"\"".to_owned());
        }
        let plain = CodeSet::new([(0x22, 0x22), (0x5C, 0x5C), (0, 0x1F)]).complement();
        for (to, set) in self.targets(scan) {
            let next = self.name(GbnfRule::String(to))?;
            let raw = set.intersection(&plain);
            let mut spellings = Vec::new();
            if !raw.is_empty() {
                spellings.push(show_class(&raw));
            }
            let special = set.intersection(&plain.complement());
            for c in special.ranges().iter().flat_map(|&(lo, hi)| lo..=hi) {
                let mut quoted = String::new();
                let spelled = spell_json(c);
                let spelled = String::from_utf8_lossy(&spelled);
                spelled.chars().for_each(|c| escape(c, &mut quoted));
                spellings.push(format!("\"{quoted}\""));
            }
            ways.push(format!("({}) {next}", spellings.join(" | ")));
        }
        Ok(ways)
    }

    fn raw(&mut self, scan: ScanId) -> Result<Vec<String>, Error> {
        let mut ways = Vec::new();
        if self.machine.obligations.rules.scanner.can_end(scan) {
            ways.push("\"\"".to_owned());
        }
        for (to, set) in self.targets(scan) {
            ways.push(format!(
                "{} {}",
                show_class(&set),
                self.name(GbnfRule::Raw(to))?
            ));
        }
        Ok(ways)
    }

    /// The states that a state leads to, each with its characters.
    fn targets(&self, scan: ScanId) -> Vec<(ScanId, CodeSet)> {
        let mut targets: Vec<(ScanId, Vec<(u32, u32)>)> = Vec::new();
        for step in self.machine.obligations.rules.scanner.moves(scan) {
            match targets.iter_mut().find(|(to, _)| *to == step.to) {
                Some((_, ranges)) => ranges.push((step.lo, step.hi)),
                None => targets.push((step.to, vec![(step.lo, step.hi)])),
            }
        }
        let sets = targets.into_iter();
        sets.map(|(to, ranges)| (to, CodeSet::new(ranges)))
            .collect()
    }

    fn expression(
        &mut self,
        syntax: &Syntax,
        schemas: &[ObligationId],
        id: ExprId,
    ) -> Result<String, Error> {
        let scanner = &self.machine.obligations.rules.scanner;
        Ok(match *syntax.expr(id) {
            Expr::Text(ref text) => quoted(text),
            Expr::Class(ref set) => show_class(set),
            Expr::Sequence(ref items) => self.all(syntax, schemas, items, " ")?,
            Expr::Choice(ref items) => self.all(syntax, schemas, items, " | ")?,
            Expr::Repeat { body, min, max } => {
                let body = self.expression(syntax, schemas, body)?;
                let max = max.map_or_else(String::new, |max| max.to_string());
                format!("({body}){{{min},{max}}}")
            }
            Expr::Rule(rule) => format!("rule-{}", rule.0),
            Expr::Json(schema) => self.name(GbnfRule::Value(schemas[schema.index()], 0))?,
            Expr::Token(ref set) => {
                let mut shown = String::new();
                show_tokens(set, &mut shown);
                format!("({shown})")
            }
            Expr::Pattern {
                ref ast, search, ..
            } => {
                let language = match search {
                    true => lower::search(ast, &scanner.regexes)?,
                    false => lower::full(ast, &scanner.regexes)?,
                };
                self.language(language)?
            }
            Expr::Literals {
                schema,
                ref spelled,
            } => {
                let obligations = &self.machine.obligations;
                let schema = obligations.obligation_of(schemas[schema.index()]);
                let allows = |kind| obligations.rules.allows_literal(schema.requirement, kind);
                let allowed = spelled.iter().filter(|(kind, _)| allows(*kind));
                let texts: Vec<String> = allowed.map(|(_, text)| quoted(text)).collect();
                format!("({})", texts.join(" | "))
            }
            Expr::Free { .. } | Expr::Strings { .. } | Expr::And(_) | Expr::Not(_) => {
                return Err(refuse(
                    "free text, strings without quotes, intersections and complements",
                ));
            }
        })
    }

    fn all(
        &mut self,
        syntax: &Syntax,
        schemas: &[ObligationId],
        items: &[ExprId],
        between: &str,
    ) -> Result<String, Error> {
        let items = items
            .iter()
            .map(|&item| self.expression(syntax, schemas, item));
        let items: Vec<String> = items.collect::<Result<_, _>>()?;
        Ok(format!("({})", items.join(between)))
    }

    fn language(&mut self, language: NodeId) -> Result<String, Error> {
        let scanner = &self.machine.obligations.rules.scanner;
        match scanner.start(language, Box::new([])) {
            Some(start) => self.name(GbnfRule::Raw(start)),
            None => Err(refuse("what no text satisfies")),
        }
    }
}

fn quoted(text: &str) -> String {
    let mut escaped = String::new();
    text.chars().for_each(|c| escape(c, &mut escaped));
    format!("\"{escaped}\"")
}
