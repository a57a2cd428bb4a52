//! What is counted and added up. Every figure is made of these, so figures of longer times come of those of shorter ones.

macro_rules! sums {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Counts, and times in milliseconds.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Sums {
            $($(#[$doc])* pub $name: u64,)*
            /// Of those who were answered or gave up: the only one that is a maximum.
            pub longest_wait_ms: u64,
        }

        impl Sums {
            pub fn add(&mut self, other: &Sums) {
                $(self.$name = self.$name.saturating_add(other.$name);)*
                self.longest_wait_ms = self.longest_wait_ms.max(other.longest_wait_ms);
            }
        }
    };
}

sums! {
    /// Calls, by what became of each; call-backs that we made are not among them.
    offered, handled, abandoned, abandoned_short, deterred, overflowed, callbacks, voicemail, self_service, failed,
    /// Calls that we made to call back, and those that brought customer and agent together.
    callback_attempts, callbacks_kept,
    /// Waits in a queue: each entry counts.
    queued, answered, answered_in_time, answered_wait_ms,
    /// Waits that the caller ended: long ones, short ones, and those of either that were within the target.
    lost, lost_short, lost_in_time, lost_wait_ms,
    /// Answered waits for which a range had been estimated.
    estimated, estimated_within, estimate_error_ms,
    /// Of calls with an agent.
    talk_ms, hold_ms, acw_ms, transfers, consultations,
    /// Scores that callers gave; points are thousandths of the range that was offered.
    csat_scores, csat_satisfied, csat_points, ces_scores, ces_points, fcr_answers, fcr_resolved,
    /// Conversations with bots: all, those that settled it, what was not understood in them, and why people went on.
    bot_conversations, bot_served, bot_misses, bot_to_person, bot_after_misses, bot_on_request, bot_after_anger,
    bot_after_repetition, bot_after_silence, bot_without_recogniser, bot_too_long, bot_by_intent,
    /// Calls of which the agent said whether they settled the matter, and those that did.
    judged, judged_resolved,
    /// Offers to agents, and those that the agent let pass or whose phone could not be reached.
    offers, unanswered, unreachable,
    /// Time of agents, by their state.
    available_ms, reserved_ms, ringing_ms, talking_ms, holding_ms, wrap_up_ms, paused_ms, not_responding_ms,
}

impl Sums {
    /// Time in which an agent was with a contact.
    pub fn handling_ms(&self) -> u64 {
        self.talking_ms + self.holding_ms + self.wrap_up_ms
    }

    /// Time in which an agent took part in the distribution.
    pub fn at_work_ms(&self) -> u64 {
        self.available_ms + self.reserved_ms + self.ringing_ms + self.handling_ms()
    }

    pub fn staffed_ms(&self) -> u64 {
        self.at_work_ms() + self.paused_ms + self.not_responding_ms
    }
}
