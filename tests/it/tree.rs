//! The Merkle tree, beside the definition of RFC 9162 written down as it stands there, and known trees.

use std::ops::Range;

use proptest::prelude::*;
use waas_comuni::call_log::tree::{Frontier, Hash, inclusion, leaf, root_from_inclusion};

fn hex(hash: &Hash) -> String {
    hash.map(|byte| format!("{byte:02x}")).concat()
}

/// `MTH` of section 2.1.1, from the data of the leaves.
fn naive(data: &[Vec<u8>]) -> Hash {
    let hash = |parts: &[&[u8]]| openssl::sha::sha256(&parts.concat());
    match data {
        [] => hash(&[]),
        [one] => hash(&[&[0], one]),
        _ => {
            let (left, right) = data.split_at(data.len().next_power_of_two() / 2);
            hash(&[&[1], &naive(left), &naive(right)])
        }
    }
}

/// `PATH` of section 2.1.3.1.
fn naive_path(index: usize, data: &[Vec<u8>]) -> Vec<Hash> {
    if data.len() == 1 {
        return Vec::new();
    }
    let (left, right) = data.split_at(data.len().next_power_of_two() / 2);
    let (mut path, beside) = match index.checked_sub(left.len()) {
        None => (naive_path(index, left), naive(right)),
        Some(index) => (naive_path(index, right), naive(left)),
    };
    path.push(beside);
    path
}

fn grown(data: &[Vec<u8>]) -> Frontier {
    let mut frontier = Frontier::default();
    for data in data {
        frontier.push(leaf(data));
    }
    frontier
}

fn roots(ranges: Vec<Range<u64>>, data: &[Vec<u8>]) -> Vec<Hash> {
    let place = |place: u64| usize::try_from(place).unwrap();
    ranges.into_iter().map(|range| grown(&data[place(range.start)..place(range.end)]).root()).collect()
}

fn leaves(most: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..most)
}

/// The trees that the implementations of Certificate Transparency are tested with.
#[test]
fn known_trees_have_their_known_roots() {
    let data: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let expected = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::default();
    assert_eq!(hex(&frontier.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (data, expected) in data.into_iter().zip(expected) {
        frontier.push(leaf(data));
        assert_eq!(hex(&frontier.root()), expected);
    }
}

#[test]
fn what_is_no_tree_or_no_proof_is_refused() {
    assert!(Frontier::read(3, &[0; 32]).is_none());
    assert!(Frontier::read(3, &[0; 65]).is_none());
    assert_eq!(Frontier::read(0, &[]), Some(Frontier::default()));
    assert!(inclusion(3, 3).is_none() && inclusion(0, 0).is_none());
    let mut frontier = Frontier::default();
    frontier.push([0; 32]);
    assert!(!frontier.push_tree(1, [0; 32]) && !frontier.push_tree(64, [0; 32]));
    assert_eq!(frontier.size(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn roots_are_those_of_the_definition(data in leaves(300)) {
        let frontier = grown(&data);
        prop_assert_eq!(frontier.root(), naive(&data));
        prop_assert_eq!(frontier.size(), data.len() as u64);
        prop_assert_eq!(Frontier::read(frontier.size(), &frontier.bytes()), Some(frontier));
    }

    #[test]
    fn whole_trees_stand_for_their_leaves(data in leaves(300), level in 0..6_u32, first in 0..20_usize) {
        let size = 1_usize << level;
        let first = first * size;
        prop_assume!(first + size <= data.len());
        let mut frontier = grown(&data[..first]);
        prop_assert!(frontier.push_tree(level, naive(&data[first..first + size])));
        for rest in &data[first + size..] {
            frontier.push(leaf(rest));
        }
        prop_assert_eq!(frontier, grown(&data));
    }

    #[test]
    fn inclusion_is_proved_as_defined(data in leaves(120), index in any::<prop::sample::Index>(), other in any::<[u8; 32]>()) {
        let (index, size) = (index.index(data.len()), data.len() as u64);
        let root = naive(&data);
        let mut proof = roots(inclusion(index as u64, size).unwrap(), &data);
        prop_assert_eq!(&proof, &naive_path(index, &data));
        let proved = |leaf, index: usize, proof: &[Hash]| root_from_inclusion(leaf, index as u64, size, proof) == Some(root);
        prop_assert!(proved(leaf(&data[index]), index, &proof));
        prop_assert!(!proved(other, index, &proof));
        for another in (0..data.len()).filter(|another| *another != index) {
            prop_assert!(!proved(leaf(&data[index]), another, &proof));
        }
        proof.push(other);
        prop_assert!(!proved(leaf(&data[index]), index, &proof));
    }
}
