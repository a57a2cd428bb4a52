//! When to renew what a far end keeps for us only so long: a registration, a subscription.

use std::time::Duration;

/// A refresh that is not answered (64*T1), and a second one elsewhere, should fit before the end.
const ROOM_TO_FAIL: Duration = Duration::from_secs(40);

/// At four fifths, or so early that a refresh may fail once before the end; of a short one at half.
pub fn refresh_after(granted: Duration) -> Duration {
    let early = (granted * 4 / 5).min(granted.saturating_sub(ROOM_TO_FAIL));
    early.max(granted / 2).max(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_leaves_room_to_fail() {
        let after = |granted| refresh_after(Duration::from_secs(granted)).as_secs_f32();
        assert_eq!([1, 5, 60, 120, 200, 3_600].map(after), [1.0, 2.5, 30.0, 80.0, 160.0, 2_880.0]);
    }
}
