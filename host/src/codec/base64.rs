//! Base64 as in RFC 4648: the standard alphabet, padded, nothing else in between.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Of bytes outside of the alphabet.
const NONE: u8 = 0xff;

const SEXTETS: [u8; 256] = {
    let mut sextets = [NONE; 256];
    let mut n = 0;
    while n < 64 {
        sextets[ALPHABET[n] as usize] = n as u8;
        n += 1;
    }
    sextets
};

/// Appends `bytes` as a text.
pub fn encode(bytes: &[u8], into: &mut Vec<u8>) {
    let (groups, rest) = bytes.as_chunks::<3>();
    into.reserve(4 * (groups.len() + 1));
    groups.iter().for_each(|group| into.extend_from_slice(&letters(*group)));
    match *rest {
        [a] => {
            let [first, second, ..] = letters([a, 0, 0]);
            into.extend_from_slice(&[first, second, b'=', b'=']);
        }
        [a, b] => {
            let [first, second, third, _] = letters([a, b, 0]);
            into.extend_from_slice(&[first, second, third, b'=']);
        }
        _ => {}
    }
}

/// Appends what `text` stands for. `None` if it is no base64; something may have been appended then.
pub fn decode(text: &[u8], into: &mut Vec<u8>) -> Option<()> {
    let (groups, rest) = text.as_chunks::<4>();
    if !rest.is_empty() {
        return None;
    }
    let Some((last, groups)) = groups.split_last() else { return Some(()) };
    into.reserve(3 * (groups.len() + 1));
    for group in groups {
        into.extend_from_slice(&bytes(*group)?);
    }
    // A spelling with other bits in the part that is cut off would be a second one for the same bytes.
    match *last {
        [a, b, b'=', b'='] => match bytes([a, b, b'A', b'A'])? {
            [first, 0, 0] => into.push(first),
            _ => return None,
        },
        [a, b, c, b'='] => match bytes([a, b, c, b'A'])? {
            [first, second, 0] => into.extend_from_slice(&[first, second]),
            _ => return None,
        },
        group => into.extend_from_slice(&bytes(group)?),
    }
    Some(())
}

fn letters([a, b, c]: [u8; 3]) -> [u8; 4] {
    let bits = u32::from_be_bytes([0, a, b, c]);
    [18, 12, 6, 0].map(|shift| ALPHABET[(bits >> shift) as usize & 63])
}

fn bytes(letters: [u8; 4]) -> Option<[u8; 3]> {
    let sextets = letters.map(|letter| SEXTETS[usize::from(letter)]);
    if sextets.contains(&NONE) {
        return None;
    }
    let bits = sextets.iter().fold(0, |bits, sextet| bits << 6 | u32::from(*sextet));
    let [_, a, b, c] = bits.to_be_bytes();
    Some([a, b, c])
}
