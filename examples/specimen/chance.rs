//! Repeatable chance: the same seed gives the same specimens on every machine and with every version of every crate.

/// A splitmix64 generator.
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The generator of one part, so that a change in one document does not move the others.
    pub(crate) fn part(seed: u64, name: &str, index: u64) -> Self {
        // FNV-1a over the part's name.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        // Mixed once: neighbouring parts must not walk through the same numbers a few steps apart.
        Self(Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ hash.wrapping_add(index)).bits())
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A whole number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.bits() % end
    }

    /// A number in `low..high`.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * (self.bits() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// About normally distributed around 0 with standard deviation 1.
    pub(crate) fn normal(&mut self) -> f32 {
        // Twelve uniform numbers have variance 1 together; three of double range are near enough to noise.
        2.0 * ((0..3).map(|_| self.between(0.0, 1.0)).sum::<f32>() - 1.5)
    }

    /// One of them.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// That many decimal digits, the first of them not 0.
    pub(crate) fn digits(&mut self, n: usize) -> String {
        (0..n).map(|i| char::from(b'0' + if i == 0 { 1 + self.below(9) } else { self.below(10) } as u8)).collect()
    }

    /// That many capital letters, without the ones that print like digits.
    pub(crate) fn letters(&mut self, n: usize) -> String {
        (0..n).map(|_| char::from(self.pick(b"ABCDEFGHJKLMNPRTUVWXYZ"))).collect()
    }
}
