//! Hashes of values. They are the same on every machine and in every version: states that were built on
//! them outlive both.

/// Hash of a text or of bytes: FNV-1a with 64 bits (Fowler, Noll, Vo), whose weak high bits [`mix`] mends.
/// About 1 ns a byte. Two different values meet with probability 2^-64; it is no defence against who
/// seeks such values.
pub fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    mix(bytes.iter().fold(0xcbf2_9ce4_8422_2325, step))
}

/// A permutation of the 64-bit words in which every bit of the input decides about every bit of the output:
/// the finalizer of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014;
/// constants by Stafford, Mix13).
pub fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_changes() {
        // FNV-1a of the empty text, of "a" and of "foobar" as its authors publish them.
        assert_eq!(hash(b""), mix(0xcbf2_9ce4_8422_2325));
        assert_eq!(hash(b"a"), mix(0xaf63_dc4c_8601_ec8c));
        assert_eq!(hash(b"foobar"), mix(0x8594_4171_f739_67e8));
        // The first output of SplitMix64 with seed 0.
        assert_eq!(mix(0x9e37_79b9_7f4a_7c15), 0xe220_a839_7b1d_cdaf);
        assert_eq!(hash(b"GB"), 13_204_813_469_122_102_659);
    }

    #[test]
    fn a_bit_more_changes_half_of_the_bits() {
        for bit in 0..64 {
            let changed: u32 = (0..1000u64).map(|word| (mix(word) ^ mix(word ^ 1 << bit)).count_ones()).sum();
            assert!((31_000..33_000).contains(&changed), "bit {bit}: {changed}");
        }
    }
}
