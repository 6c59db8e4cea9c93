//! What several calls took together, and what each request had of one call. Pure.

use gristmill_core::model::Usage;

/// Changes each count of one or two usages.
fn each(one: Usage, other: Usage, count: impl Fn(Option<u64>, Option<u64>) -> Option<u64>) -> Usage {
    // Destructured in full, so that a new count does not compile until it is handled.
    let Usage {
        input_tokens,
        cache_read_input_tokens,
        cache_write_input_tokens,
        output_tokens,
        reasoning_tokens,
        cost_nano_usd,
    } = one;
    Usage {
        input_tokens: count(input_tokens, other.input_tokens),
        cache_read_input_tokens: count(cache_read_input_tokens, other.cache_read_input_tokens),
        cache_write_input_tokens: count(cache_write_input_tokens, other.cache_write_input_tokens),
        output_tokens: count(output_tokens, other.output_tokens),
        reasoning_tokens: count(reasoning_tokens, other.reasoning_tokens),
        cost_nano_usd: count(cost_nano_usd, other.cost_nano_usd),
    }
}

/// What two calls took. A count is not known if one of the two is not.
pub(crate) fn sum(one: Usage, other: Usage) -> Usage {
    each(one, other, |one, other| Some(one?.saturating_add(other?)))
}

/// What each of several requests had of one call, in proportion to their weights. The shares add up to the whole.
pub(crate) fn shares(whole: Usage, weights: &[u64]) -> Vec<Usage> {
    let all: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let (count, mut before) = (weights.len() as u128, 0_u128);
    let mut shares = Vec::with_capacity(weights.len());
    for (index, weight) in (0_u128..).zip(weights) {
        let behind = before + u128::from(*weight);
        // Weights of nothing: all are the same.
        let (from, to, of) = if all == 0 { (index, index + 1, count) } else { (before, behind, all) };
        // The part up to here without the part up to there: so nothing is lost in rounding.
        let part = |whole: u64, upto: u128| u64::try_from(u128::from(whole) * upto / of).unwrap_or(u64::MAX);
        shares.push(each(whole, whole, |whole, _| whole.map(|whole| part(whole, to) - part(whole, from))));
        before = behind;
    }
    shares
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(input: Option<u64>, cost: Option<u64>) -> Usage {
        Usage { input_tokens: input, cost_nano_usd: cost, ..Usage::default() }
    }

    #[test]
    fn a_count_that_one_call_does_not_tell_is_not_known() {
        assert_eq!(sum(of(Some(1), Some(2)), of(Some(3), None)), of(Some(4), None));
    }

    #[test]
    fn a_call_is_shared_by_weight() {
        let shares = shares(of(Some(100), None), &[1, 3]);
        assert_eq!(shares, [of(Some(25), None), of(Some(75), None)]);
        let even: Vec<_> =
            super::shares(of(Some(4), None), &[0, 0]).into_iter().map(|share| share.input_tokens).collect();
        assert_eq!(even, [Some(2), Some(2)]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_added(
            whole in any::<u64>(),
            weights in prop::collection::vec(0..1_u64 << 40, 1..50),
        ) {
            let total: u128 = shares(of(Some(whole), Some(whole)), &weights)
                .iter()
                .map(|share| u128::from(share.input_tokens.unwrap()))
                .sum();
            prop_assert_eq!(total, u128::from(whole));
        }
    }
}
