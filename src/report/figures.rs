//! Every figure: its names, its unit, its formula and how it is computed, in one table.

use std::fmt::Write;

use super::sums::Sums;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Count,
    /// Milliseconds.
    Time,
    /// From 0 to 1.
    Share,
}

impl Unit {
    pub fn name(self) -> &'static str {
        match self {
            Unit::Count => "count",
            Unit::Time => "ms",
            Unit::Share => "share",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A count, or whole milliseconds.
    Whole(u64),
    /// Rounded to four decimals.
    Share(f64),
}

#[derive(Debug)]
pub struct Figure {
    pub name: &'static str,
    pub unit: Unit,
    pub english: &'static str,
    pub french: &'static str,
    pub formula: &'static str,
    compute: fn(&Sums) -> Option<f64>,
}

impl Figure {
    /// `None` where it is not known: it would be a share or a mean of nothing, or nothing of it is recorded.
    pub fn value(&self, sums: &Sums) -> Option<Value> {
        let value = (self.compute)(sums)?;
        Some(match self.unit {
            Unit::Count | Unit::Time => Value::Whole(value.round() as u64),
            Unit::Share => Value::Share((value * 1e4).round() / 1e4),
        })
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

macro_rules! figures {
    ($($name:ident $unit:ident $english:literal $french:literal $formula:literal $compute:expr;)*) => {
        /// In the order in which reports show them.
        pub const FIGURES: &[Figure] = &[$(Figure {
            name: stringify!($name),
            unit: Unit::$unit,
            english: $english,
            french: $french,
            formula: $formula,
            compute: $compute,
        },)*];
    };
}

figures! {
    offered Count "offered" "présentés"
        "calls that came in (by queue and skill: entries into the queue); each ends as exactly one of handled, abandoned, abandoned_short, deterred, overflowed, callbacks, voicemail, self_service, failed"
        |s| Some(s.offered as f64);
    handled Count "handled" "traités" "calls that an agent, or somebody outside, talked to" |s| Some(s.handled as f64);
    abandoned Count "abandoned" "abandonnés" "calls that the caller ended before anybody answered, short ones apart" |s| Some(s.abandoned as f64);
    abandoned_short Count "abandoned within the short time" "abandons courts"
        "calls that the caller ended before anybody answered, in less than 'short' seconds (5 where it is not given)"
        |s| Some(s.abandoned_short as f64);
    deterred Count "deterred" "dissuadés" "calls that were told why not, and ended" |s| Some(s.deterred as f64);
    overflowed Count "overflowed" "débordés" "calls sent elsewhere; by queue and skill: left the queue unanswered for something else, also because it was full" |s| Some(s.overflowed as f64);
    callbacks Count "call-backs promised" "rappels promis" "calls that ended with the promise to call back" |s| Some(s.callbacks as f64);
    voicemail Count "voicemail" "messages vocaux" "calls that ended with a message; by queue: only those that never waited in one, the others are overflowed there" |s| Some(s.voicemail as f64);
    self_service Count "self-service" "libre-service" "calls that the plan served to their end; by queue: only those that never waited in one" |s| Some(s.self_service as f64);
    failed Count "failed" "échoués" "calls that the appliance ended for a fault" |s| Some(s.failed as f64);
    callback_attempts Count "call-back attempts" "tentatives de rappel" "calls that we made to call back; not among the offered" |s| Some(s.callback_attempts as f64);
    callbacks_kept Count "call-backs kept" "rappels aboutis" "of those, the ones in which an agent talked with the customer" |s| Some(s.callbacks_kept as f64);
    queued Count "waits" "mises en attente" "entries into a queue, call-backs not counted" |s| Some(s.queued as f64);
    answered Count "waits answered" "décrochés" "waits that ended with an agent's answer" |s| Some(s.answered as f64);
    answered_in_time Count "answered within the target" "décrochés dans le délai"
        "waits answered within T: 'within' seconds where it is given, else the queue's answer_within_s at the time of the call"
        |s| Some(s.answered_in_time as f64);
    lost Count "waits abandoned" "abandons en file" "waits that the caller ended, short ones not counted" |s| Some(s.lost as f64);
    lost_short Count "waits abandoned within the short time" "abandons courts en file" "waits that the caller ended in less than 'short' seconds" |s| Some(s.lost_short as f64);
    service_level Share "service level (SL)" "qualité de service (QS)"
        "answered_in_time / (answered + lost): short abandons do not count"
        |s| ratio(s.answered_in_time, s.answered + s.lost);
    service_level_all_abandoned Share "service level, every abandon counts" "QS, tous les abandons comptent"
        "answered_in_time / (answered + lost + lost_short); Cisco UCCE: negative impact of abandoned calls"
        |s| ratio(s.answered_in_time, s.answered + s.lost + s.lost_short);
    service_level_abandons_ignored Share "service level, abandons within T ignored" "QS, abandons dans le délai ignorés"
        "answered_in_time / (answered + abandons after T); Cisco UCCE: ignore abandoned calls"
        |s| ratio(s.answered_in_time, (s.answered + s.lost + s.lost_short).saturating_sub(s.lost_in_time));
    service_level_abandons_positive Share "service level, abandons within T as answered" "QS, abandons dans le délai comme décrochés"
        "(answered_in_time + abandons within T) / (answered + lost + lost_short); Cisco UCCE: positive impact of abandoned calls"
        |s| ratio(s.answered_in_time + s.lost_in_time, s.answered + s.lost + s.lost_short);
    service_level_answered Share "service level of the answered" "QS des décrochés" "answered_in_time / answered" |s| ratio(s.answered_in_time, s.answered);
    service_level_offered Share "service level of all waits" "QS sur toutes les mises en attente" "answered_in_time / queued" |s| ratio(s.answered_in_time, s.queued);
    abandon_rate Share "abandon rate" "taux d'abandon" "lost / (answered + lost)" |s| ratio(s.lost, s.answered + s.lost);
    asa_ms Time "average speed of answer (ASA)" "durée moyenne d'attente (DMA)" "time waited by the answered / answered" |s| ratio(s.answered_wait_ms, s.answered);
    abandon_wait_ms Time "average wait of the abandoned" "attente moyenne avant abandon" "time waited by those who gave up / (lost + lost_short)" |s| ratio(s.lost_wait_ms, s.lost + s.lost_short);
    longest_wait_ms Time "longest wait" "attente la plus longue" "the longest wait that was answered or abandoned"
        |s| (s.answered + s.lost + s.lost_short > 0).then_some(s.longest_wait_ms as f64);
    aht_ms Time "average handle time (AHT)" "durée moyenne de traitement (DMT)" "(talk + hold + after-call work) / (handled + callbacks_kept)"
        |s| ratio(s.talk_ms + s.hold_ms + s.acw_ms, s.handled + s.callbacks_kept);
    aht_talk_ms Time "average talk time" "durée moyenne de conversation" "talk / (handled + callbacks_kept)" |s| ratio(s.talk_ms, s.handled + s.callbacks_kept);
    aht_hold_ms Time "average hold time" "durée moyenne de mise en garde" "hold / (handled + callbacks_kept)" |s| ratio(s.hold_ms, s.handled + s.callbacks_kept);
    aht_acw_ms Time "average after-call work (ACW)" "durée moyenne de post-appel" "after-call work / (handled + callbacks_kept)" |s| ratio(s.acw_ms, s.handled + s.callbacks_kept);
    occupancy Share "occupancy" "taux d'occupation"
        "(talking_ms + holding_ms + wrap_up_ms) / (those + available_ms + reserved_ms + ringing_ms); 0.60 to 0.80 is healthy"
        |s| ratio(s.handling_ms(), s.at_work_ms());
    staffed_ms Time "staffed time" "temps de présence" "time of agents who were logged in" |s| Some(s.staffed_ms() as f64);
    available_ms Time "available time" "temps disponible" "time of agents in the state available; of a queue: of all who serve it" |s| Some(s.available_ms as f64);
    reserved_ms Time "reserved time" "temps réservé" "time of agents in the state reserved" |s| Some(s.reserved_ms as f64);
    ringing_ms Time "ringing time" "temps de sonnerie" "time of agents in the state ringing" |s| Some(s.ringing_ms as f64);
    talking_ms Time "talking time" "temps de conversation" "time of agents in the state talking" |s| Some(s.talking_ms as f64);
    holding_ms Time "holding time" "temps de mise en garde" "time of agents in the state holding" |s| Some(s.holding_ms as f64);
    wrap_up_ms Time "wrap-up time" "temps de post-appel" "time of agents in the state wrap_up" |s| Some(s.wrap_up_ms as f64);
    paused_ms Time "paused time" "temps de pause" "time of agents in the state paused; of a queue: of all who serve it" |s| Some(s.paused_ms as f64);
    not_responding_ms Time "time not responding" "temps en non-réponse" "time of agents in the state not_responding; of a queue: of all who serve it" |s| Some(s.not_responding_ms as f64);
    offers Count "offers to agents" "propositions aux agents" "times an agent was reserved for a contact" |s| Some(s.offers as f64);
    unanswered Count "offers not answered" "propositions sans réponse" "offers that the agent let ring, declined or hung up on" |s| Some(s.unanswered as f64);
    unreachable Count "offers that reached no phone" "postes injoignables" "offers whose phone was busy or could not be reached" |s| Some(s.unreachable as f64);
    non_response Share "non-response" "taux de non-réponse" "unanswered / offers" |s| ratio(s.unanswered, s.offers);
    transfers Count "transfers" "transferts" "transfers by agents" |s| Some(s.transfers as f64);
    consultations Count "consultations" "consultations" "experts, colleagues and numbers that agents asked during calls" |s| Some(s.consultations as f64);
    fcr Share "first-contact resolution (FCR)" "résolution au premier contact" "survey answers named fcr at the top of their range / all of them; null without one" |s| ratio(s.fcr_resolved, s.fcr_answers);
    fcr_agents Share "first-contact resolution as agents say" "résolution au premier contact selon les agents" "calls whose agent said that they settled the matter / all of which an agent said whether they did; null without one" |s| ratio(s.judged_resolved, s.judged);
    csat Share "satisfaction (CSAT)" "satisfaction (CSAT)" "survey scores named csat in the upper quarter of their range (4 and 5 of 1 to 5) / all of them; null without one" |s| ratio(s.csat_satisfied, s.csat_scores);
    csat_mean Share "mean satisfaction" "satisfaction moyenne" "mean of (score - lowest) / (highest - lowest) of the csat scores" |s| ratio(s.csat_points, s.csat_scores * 1_000);
    csat_scores Count "satisfaction scores" "notes de satisfaction" "survey scores named csat" |s| Some(s.csat_scores as f64);
    ces_mean Share "mean effort score (CES)" "effort client moyen (CES)" "mean of (score - lowest) / (highest - lowest) of the survey scores named ces" |s| ratio(s.ces_points, s.ces_scores * 1_000);
    bot_conversations Count "conversations with a bot" "conversations avec un bot" "conversations that callers had with bots" |s| Some(s.bot_conversations as f64);
    bot_containment Share "containment" "taux de résolution par le bot" "conversations that ended with what the caller wanted, or in which the caller hung up after an answer / bot_conversations" |s| ratio(s.bot_served, s.bot_conversations);
    bot_misses Count "not understood by bots" "incompréhensions du bot" "what callers said or typed and bots did not understand" |s| Some(s.bot_misses as f64);
    bot_to_person Count "handed over by bots" "transmis par le bot" "conversations after which a person went on" |s| Some(s.bot_to_person as f64);
    bot_after_misses Count "handed over after misses" "transmis après incompréhensions" "of bot_to_person: as many misses in a row as the bot allows" |s| Some(s.bot_after_misses as f64);
    bot_on_request Count "handed over on request" "transmis à la demande" "of bot_to_person: the caller asked for a person, or pressed 0" |s| Some(s.bot_on_request as f64);
    bot_after_anger Count "handed over after anger" "transmis après colère" "of bot_to_person: the caller was angry" |s| Some(s.bot_after_anger as f64);
    bot_after_repetition Count "handed over after a repetition" "transmis après répétition" "of bot_to_person: the caller asked again for what had been answered" |s| Some(s.bot_after_repetition as f64);
    bot_after_silence Count "handed over after silence" "transmis après silence" "of bot_to_person: nobody spoke" |s| Some(s.bot_after_silence as f64);
    bot_without_recogniser Count "handed over without recognition" "transmis faute de reconnaissance" "of bot_to_person: speech recognition was down and the keypad did not lead on" |s| Some(s.bot_without_recogniser as f64);
    bot_too_long Count "handed over after too long" "transmis pour durée excessive" "of bot_to_person: more turns or time than the bot allows" |s| Some(s.bot_too_long as f64);
    bot_by_intent Count "handed over by intent" "transmis selon la demande" "of bot_to_person: what was wanted is a person's business" |s| Some(s.bot_by_intent as f64);
    estimate_error_ms Time "error of the estimated wait" "erreur de l'attente estimée" "mean distance of the wait from the middle of the range estimated at the entry, of answered waits that had one" |s| ratio(s.estimate_error_ms, s.estimated);
    estimate_within Share "waits within the estimated range" "attentes dans la fourchette estimée" "answered waits within the range estimated at the entry / answered waits that had one; the range is made to hold 0.8" |s| ratio(s.estimated_within, s.estimated);
}

/// The page on figures, for people.
pub fn page() -> String {
    let mut page = String::from(
        "# Figures\n\n`GET /api/v1/reports` gives them by interval, `GET /api/v1/queues` and `/metrics` those of today.\n\n\
         A call counts in the interval in which it came in, once it has ended. The time of agents is split over the intervals\n\
         in which it was spent. Times are in milliseconds; shares go from 0 to 1. What is not known is null (an empty field in\n\
         CSV), never 0: a share or a mean of nothing, and what is not recorded.\n\n\
         Cisco UCCE: the three types of service level of Cisco Unified Contact Center Enterprise, which many other systems\n\
         have as well. T is the target of the service level.\n\n\
         | figure | unit | English | French | formula |\n|---|---|---|---|---|\n",
    );
    for figure in FIGURES {
        let Figure { name, unit, english, french, formula, .. } = figure;
        // Writing to a text cannot fail.
        let _ = writeln!(page, "| `{name}` | {} | {english} | {french} | {formula} |", unit.name());
    }
    page
}
