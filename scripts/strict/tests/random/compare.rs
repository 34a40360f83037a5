//! Two machines on one image: are their lines equal, and if not, from which instruction on?
//!
//! 1. The first line that differs tells the first of some blocks with the difference.
//! 2. A run with a line behind each block from there on tells the block.
//! 3. Runs that end within the block, at the place of one of its words, tell the instruction: the
//!    last behind whose predecessor all is equal. The saved values tell the registers.

use std::fmt::{self, Display, Formatter};
use std::thread;

use a64::decode;

use super::image::{Cut, Image, Recipe};
use super::layout::BLOCKS;
use super::output::LAST_LINE;
use super::state::{self, CHECKPOINT};

/// A machine: what an image prints on it.
pub(crate) type Machine<'a> = dyn Fn(&[u8]) -> Vec<u8> + Sync + 'a;

/// Two machines, the one that is right and the one that is tested.
pub(crate) struct Pair<'a> {
    /// The reference.
    pub(crate) reference: &'a Machine<'a>,
    /// The one that is tested.
    pub(crate) tested: &'a Machine<'a>,
}

/// The first instruction after which two machines differ.
#[derive(Debug)]
pub(crate) struct Difference {
    recipe: Recipe,
    block: u32,
    address: u64,
    /// The word, and those of the block in front of it.
    words: Vec<u32>,
    /// Name, value on the reference, value on the machine that is tested.
    values: Vec<(String, String, String)>,
    /// The last line of the machine that is tested: the reason if it did not go on.
    last_line: String,
}

/// The lines of both machines.
struct Lines([Vec<String>; 2]);

/// What a run shows that ends at a word of a block.
enum Probe {
    /// The word is not reached on the reference.
    Passed,
    /// Reached, and all saved values are equal.
    Equal,
    /// Reached, with these values that differ.
    Differs(Vec<(String, String, String)>),
}

impl Pair<'_> {
    /// The first difference, if there is one.
    pub(crate) fn difference(&self, recipe: Recipe) -> Option<Difference> {
        let lines = self.lines(&Image::new(recipe));
        let line = lines.first_difference()?;
        let last_line = lines.last();
        let detail = line as u32 * CHECKPOINT;
        let detailed = self.lines(&Image::new(Recipe {
            detail: Some(detail),
            ..recipe
        }));
        let line = detailed.first_difference().unwrap_or(line) - line;
        let block = (detail + line as u32).min(recipe.blocks - 1);
        Some(Difference {
            last_line,
            ..self.within(recipe, block)
        })
    }

    fn lines(&self, image: &Image) -> Lines {
        let text = |machine: &Machine<'_>| {
            let output = String::from_utf8_lossy(&machine(&image.bytes)).into_owned();
            output.lines().map(str::to_owned).collect()
        };
        thread::scope(|scope| {
            let reference = scope.spawn(|| text(self.reference));
            let tested = text(self.tested);
            Lines([reference.join().expect("a run"), tested])
        })
    }

    /// The instruction within a block, by halving: all is equal in front of word `equal`, and not
    /// behind the words in front of `differs`.
    fn within(&self, recipe: Recipe, block: u32) -> Difference {
        let image = Image::new(recipe);
        let (mut equal, mut differs) = (0, image.block(block).len());
        let mut values = match self.probe(recipe, block, differs) {
            Probe::Differs(values) => values,
            Probe::Equal | Probe::Passed => Vec::new(),
        };
        while differs - equal > 1 {
            let middle = equal.midpoint(differs);
            let mut reached = (middle..differs).map(|word| (word, self.probe(recipe, block, word)));
            match reached.find(|(_, probe)| !matches!(probe, Probe::Passed)) {
                Some((word, Probe::Equal)) => equal = word,
                Some((word, Probe::Differs(found))) => (differs, values) = (word, found),
                Some((_, Probe::Passed)) | None => differs = middle,
            }
        }
        Difference {
            recipe,
            block,
            address: image.address(block) + equal as u64 * 4,
            words: image.block(block)[..=equal].to_vec(),
            values,
            last_line: String::new(),
        }
    }

    fn probe(&self, recipe: Recipe, block: u32, word: usize) -> Probe {
        let cut = Some(Cut { block, word });
        let image = Image::new(Recipe { cut, ..recipe });
        let [reference, tested] = self.lines(&image).saved();
        // ELR of the SVC that ends the run is behind it.
        let elr = format!("{:016x}", image.address(block) + word as u64 * 4 + 4);
        if !reference
            .iter()
            .any(|(name, value)| name == "elr" && *value == elr)
        {
            return Probe::Passed;
        }
        if reference == tested {
            return Probe::Equal;
        }
        let pairs = reference.into_iter().zip(tested);
        let values = pairs
            .filter(|((_, left), (_, right))| left != right)
            .map(|((name, left), (_, right))| (name, left, right));
        Probe::Differs(values.collect())
    }
}

impl Lines {
    /// The number of the first line that differs; that there is no last line is a difference, too.
    fn first_difference(&self) -> Option<usize> {
        let Self([reference, tested]) = self;
        assert!(
            reference.iter().any(|line| line == LAST_LINE),
            "the image did not end on the reference: {reference:?}"
        );
        (0..reference.len()).find(|line| reference.get(*line) != tested.get(*line))
    }

    /// The last line of the machine that is tested.
    fn last(&self) -> String {
        let Self([_, tested]) = self;
        tested.last().cloned().unwrap_or_default()
    }

    /// The saved values at the end of a run, with their names; none of a run that did not end.
    fn saved(self) -> [Vec<(String, String)>; 2] {
        self.0.map(|mut lines| {
            if lines.pop().is_none_or(|line| line != LAST_LINE) {
                return Vec::new();
            }
            let lines = lines.split_off(lines.len().saturating_sub(state::LINES));
            let named = lines.into_iter().enumerate();
            named.map(|(at, line)| (state::name(at), line)).collect()
        })
    }
}

impl Display for Difference {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            recipe,
            block,
            address,
            ..
        } = self;
        let Recipe { seed, blocks, .. } = recipe;
        writeln!(
            f,
            "image {seed} of {blocks} blocks, block {block}: {address:#x} differs"
        )?;
        let first = address - 4 * (self.words.len() as u64 - 1);
        debug_assert!(first >= BLOCKS);
        for (at, word) in self.words.iter().enumerate() {
            writeln!(
                f,
                "  {:#x}: {word:08x} {}",
                first + at as u64 * 4,
                decode(*word)
            )?;
        }
        for (name, reference, tested) in &self.values {
            writeln!(f, "  {name}: {reference} on the reference, here {tested}")?;
        }
        writeln!(f, "  its last line: {}", self.last_line)
    }
}
