use super::*;

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[test]
fn pointers_are_right_wherever_the_area_comes_to_lie() {
    let description = PreprocessorDescription {
        input: vec![Column::new("amount", Kind::Float), Column::nullable("country", Kind::Text)],
        output: Vec::new(),
    };
    let base = 0x1_0008;
    let bytes = Area::of(&Ok::<_, String>(description)).relocate(base);
    assert_eq!(bytes[0], 0, "it is the case ok");
    let (columns, length) = ((word(&bytes, 4) - base) as usize, word(&bytes, 8));
    assert_eq!((length, columns % 4), (2, 0));
    let country = columns + Column::SIZE;
    let name = (word(&bytes, country) - base) as usize;
    assert_eq!(&bytes[name..name + word(&bytes, country + 4) as usize], b"country");
    assert_eq!(bytes[country + 8..country + 10], [Kind::Text as u8, 1]);
    assert_eq!(word(&bytes, 16), 0, "no columns out");
}

#[test]
fn an_error_is_a_text_behind_the_widest_alignment() {
    let error = Err::<FeaturesDescription, _>("no".to_owned());
    let bytes = Area::of(&error).relocate(8);
    let (at, length) = ((word(&bytes, 4) - 8) as usize, word(&bytes, 8) as usize);
    assert_eq!((bytes[0], &bytes[at..at + length]), (1, &b"no"[..]));
}
