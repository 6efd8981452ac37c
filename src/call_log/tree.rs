//! The Merkle tree of RFC 9162 (sections 2.1.1 to 2.1.3), SHA-256: growing it, and proving that a leaf is in it. Pure:
//! what a leaf says and where trees are kept is not known here.
//!
//! A tree that only grows needs not its leaves but its [`Frontier`]: the roots of the perfect trees that it consists
//! of, one for each bit of its size. A proof needs the roots of a few ranges of leaves, which are all that
//! [`inclusion`] names: whoever goes through the leaves once, in order, can work them out on the way.

use std::ops::Range;

use openssl::sha::Sha256;

/// A hash of the tree.
pub type Hash = [u8; 32];

/// The hash of a leaf that holds `data`.
#[must_use]
pub fn leaf(data: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(&[0]);
    hash.update(data);
    hash.finish()
}

/// The hash of the node above two others.
fn node(left: &Hash, right: &Hash) -> Hash {
    let mut hash = Sha256::new();
    hash.update(&[1]);
    hash.update(left);
    hash.update(right);
    hash.finish()
}

/// A tree that grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// The roots of the perfect trees, from the largest.
    roots: Vec<Hash>,
}

impl Frontier {
    /// The tree of `size` leaves whose [`Frontier::bytes`] these are; none if they cannot be.
    #[must_use]
    pub fn read(size: u64, bytes: &[u8]) -> Option<Self> {
        let (roots, rest) = bytes.as_chunks();
        let trees = usize::try_from(size.count_ones()).ok()?;
        (rest.is_empty() && roots.len() == trees).then(|| Self { size, roots: roots.to_vec() })
    }

    /// The roots of the perfect trees, from the largest, one after the other.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.roots.concat()
    }

    /// How many leaves it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The perfect trees that it consists of, in the order of their leaves: the first leaf of each, how many leaves it has
    /// as a power of two, and its root.
    pub fn trees(&self) -> impl Iterator<Item = (u64, u32, Hash)> {
        let levels = (0..u64::BITS).rev().filter(|level| self.size >> level & 1 == 1);
        levels.zip(&self.roots).scan(0, |first, (level, root)| {
            let tree = (*first, level, *root);
            *first += 1 << level;
            Some(tree)
        })
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.merge(0, leaf);
    }

    /// Adds the 2^`level` leaves of the perfect tree with this root. Returns whether such a tree can stand here: its
    /// first leaf's index must be a multiple of its size.
    #[must_use]
    pub fn push_tree(&mut self, level: u32, root: Hash) -> bool {
        let fits = 1_u64.checked_shl(level).is_some_and(|leaves| {
            self.size.is_multiple_of(leaves) && self.size.checked_add(leaves).is_some()
        });
        if fits {
            self.merge(level, root);
        }
        fits
    }

    fn merge(&mut self, level: u32, root: Hash) {
        let mut root = root;
        // Each bit that is carried joins two trees of one size.
        for _ in 0..(self.size >> level).trailing_ones() {
            if let Some(left) = self.roots.pop() {
                root = node(&left, &root);
            }
        }
        self.roots.push(root);
        self.size += 1 << level;
    }

    /// The root of the whole tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.roots
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node(&left, &right))
            .unwrap_or_else(|| openssl::sha::sha256(b""))
    }
}

/// The largest perfect trees that some leaves of a log make, wherever they stand.
#[derive(Debug, Default)]
pub struct Trees(Vec<(u64, u32, Hash)>);

impl Trees {
    /// Adds the leaf at `index`, which is behind those before.
    pub fn push(&mut self, index: u64, leaf: Hash) {
        let (mut level, mut root) = (0, leaf);
        let mut first = index;
        while let Some((before, _, left)) = self.0.pop_if(|(before, size, _)| {
            *size == level && before.is_multiple_of(2 << level) && *before + (1 << level) == first
        }) {
            root = node(&left, &root);
            (first, level) = (before, level + 1);
        }
        self.0.push((first, level, root));
    }

    /// The trees, in the order of their leaves: the first leaf of each, how many leaves it has as a power of two, and its
    /// root.
    #[must_use]
    pub fn into_vec(self) -> Vec<(u64, u32, Hash)> {
        self.0
    }
}

/// The ranges of leaves whose roots prove that the leaf at `index` is in the tree of `size` leaves, in the order of the
/// proof; none if it is not.
#[must_use]
pub fn inclusion(index: u64, size: u64) -> Option<Vec<Range<u64>>> {
    if index >= size {
        return None;
    }
    let mut ranges = Vec::new();
    let mut around = 0..size;
    while around.end - around.start > 1 {
        let middle = around.start + split(around.end - around.start);
        if index < middle {
            ranges.push(middle..around.end);
            around.end = middle;
        } else {
            ranges.push(around.start..middle);
            around.start = middle;
        }
    }
    ranges.reverse();
    Some(ranges)
}

/// The largest power of two below `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The root of the tree of `size` leaves in which `proof` puts `leaf` at `index`; none if no proof has this form.
/// RFC 9162, section 2.1.3.2.
#[must_use]
pub fn root_from_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash]) -> Option<Hash> {
    let ranges = inclusion(index, size)?;
    if ranges.len() != proof.len() {
        return None;
    }
    Some(ranges.iter().zip(proof).fold(leaf, |root, (range, beside)| {
        if range.start > index { node(&root, beside) } else { node(beside, &root) }
    }))
}
