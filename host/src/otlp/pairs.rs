//! Lists such as `OTEL_RESOURCE_ATTRIBUTES` has them.

/// Of `a=b,c=d%20e`. What is wrong with it is told by place alone: it may be a secret.
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let parts = text.split(',').map(str::trim).enumerate().filter(|(_, part)| !part.is_empty());
    let pair = |(at, part): (usize, &str)| {
        let pair = part.split_once('=').and_then(|(name, value)| {
            let name = name.trim();
            (!name.is_empty()).then_some(())?;
            Some((name.to_owned(), decode(value.trim())?))
        });
        pair.ok_or_else(|| {
            format!("part {} is not NAME=VALUE, where % begins two hexadecimal digits", at + 1)
        })
    };
    parts.map(pair).collect()
}

fn decode(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        let digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(digits)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(pairs(""), Ok(vec![]));
        assert_eq!(
            pairs("authorization=Basic%20YTpi==, x-scope = t%C3%A9am ,empty="),
            Ok(vec![pair("authorization", "Basic YTpi=="), pair("x-scope", "téam"), pair("empty", "")])
        );
    }

    #[test]
    fn what_is_wrong_is_not_repeated() {
        for wrong in ["secret", "=secret", "a=secret%2", "a=secret%zz", "a=secret%+1", "a=secret%ff"] {
            let error = pairs(&format!("b=c,{wrong}")).expect_err(wrong);
            assert!(error.contains("part 2") && !error.contains("secret"), "{error}");
        }
    }
}
