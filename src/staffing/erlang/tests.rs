//! Against what others published, and against the birth-and-death chain solved step by step.

use super::*;

fn near(got: f64, expected: f64, most: f64, what: &str) {
    assert!((got - expected).abs() <= most, "{what}: {got} is not {expected} ± {most}");
}

/// The worked example of the London consultants Mitan: 360 calls in half an hour, of 4 minutes, 55 agents, 15 s.
#[test]
fn erlang_c_as_in_a_published_example() {
    let traffic = Traffic { rate: 360.0 / 1_800.0, aht: 240.0, patience: None };
    let p = traffic.performance(55, 15.0);
    near(p.wait_probability, 0.239, 0.000_5, "probability of wait");
    near(p.asa_s, 8.2, 0.05, "ASA");
    near(p.occupancy, 0.873, 0.000_5, "occupancy");
}

/// N. Gans, G. Koole and A. Mandelbaum, "Telephone call centers: tutorial, review, and research prospects", 2003, §4.2:
/// 50 agents, 48 calls a minute of one minute, a patience of two.
#[test]
fn both_models_as_in_the_tutorial_of_gans_koole_and_mandelbaum() {
    let patient = Traffic { rate: 48.0 / 60.0, aht: 60.0, patience: None };
    let p = patient.performance(50, 58.1);
    near(p.asa_s, 20.8, 0.05, "Erlang C, mean wait");
    near(p.service_level, 0.9, 0.000_5, "Erlang C, 90th percentile of the wait");
    near(p.occupancy, 0.96, 0.000_5, "Erlang C, occupancy");
    let p = Traffic { patience: Some(120.0), ..patient }.performance(50, 20.0);
    near(p.abandonment, 0.031, 0.000_5, "Erlang A, abandonment");
    near(p.abandonment * 120.0, 3.7, 0.05, "Erlang A, mean wait of all");
    near(p.occupancy, 0.93, 0.000_5, "Erlang A, occupancy");
}

/// The guide of the Python package pyworkforce: 100 calls of 3 minutes in 30, a patience of 5, answered within 20 s; 13
/// agents are the fewest with a service level of 80 %, an abandonment of 5 % and an occupancy of 85 %.
#[test]
fn erlang_a_as_in_the_guide_of_pyworkforce() {
    let traffic = Traffic { rate: 100.0 / 1_800.0, aht: 180.0, patience: Some(300.0) };
    let p = traffic.performance(13, 20.0);
    near(p.service_level, 0.858, 0.000_5, "service level");
    near(p.abandonment, 0.025, 0.000_5, "abandonment");
    near(p.wait_probability, 0.226, 0.000_5, "probability of wait");
    near(p.occupancy, 0.750, 0.000_5, "occupancy");
}

/// The chain of calls in the system: its probabilities from balance, then each arriving call followed to its answer.
struct Chain {
    rate: f64,
    capacity: f64,
    giving_up: f64,
    /// Of so many calls in the system.
    probabilities: Vec<f64>,
    agents: usize,
}

impl Chain {
    fn new(traffic: &Traffic, agents: u32) -> Chain {
        let (mu, giving_up) = (1.0 / traffic.aht, traffic.patience.map_or(0.0, f64::recip));
        let agents = agents as usize;
        let mut logarithms = vec![0.0];
        let mut largest: f64 = 0.0;
        while logarithms.len() <= agents || logarithms.last().unwrap() > &(largest - 50.0) {
            let calls = logarithms.len();
            let leaving = calls.min(agents) as f64 * mu + calls.saturating_sub(agents) as f64 * giving_up;
            let next = logarithms.last().unwrap() + (traffic.rate / leaving).ln();
            largest = largest.max(next);
            logarithms.push(next);
        }
        let weights: Vec<f64> = logarithms.iter().map(|logarithm| (logarithm - largest).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let probabilities = weights.iter().map(|weight| weight / sum).collect();
        Chain { rate: traffic.rate, capacity: agents as f64 * mu, giving_up, probabilities, agents }
    }

    fn wait_probability(&self) -> f64 {
        self.probabilities[self.agents..].iter().sum()
    }

    fn abandonment(&self) -> f64 {
        let waiting = self.probabilities.iter().enumerate().skip(self.agents);
        let mean: f64 = waiting.map(|(calls, probability)| (calls - self.agents) as f64 * probability).sum();
        mean * self.giving_up / self.rate
    }

    /// A call with `ahead` others before it moves up when an agent is free or one of them gives up, unless it gives up.
    fn asa(&self) -> f64 {
        let mut sum = 0.0;
        for (ahead, probability) in self.probabilities[self.agents..].iter().enumerate() {
            let (mut time, mut stays) = (0.0, 1.0);
            for before in (0..=ahead).rev() {
                let moving_up = self.capacity + before as f64 * self.giving_up;
                time += 1.0 / (moving_up + self.giving_up);
                stays *= moving_up / (moving_up + self.giving_up);
            }
            sum += probability * stays * time;
        }
        sum / (1.0 - self.abandonment())
    }

    /// The places of the waiting calls as time passes, by uniformisation: at every beat of a Poisson process each call
    /// moves up, gives up, or stays.
    fn service_level(&self, within: f64) -> f64 {
        let mut at = self.probabilities[self.agents..].to_vec();
        let beats = self.capacity + at.len() as f64 * self.giving_up;
        let mut answered_so_far = 1.0 - self.wait_probability();
        let mut expected = 0.0;
        let mut ln_weight = -beats * within;
        let most = beats * within + 12.0 * (beats * within).sqrt() + 50.0;
        for beat in 0..most as usize {
            expected += ln_weight.exp() * answered_so_far;
            ln_weight += (beats * within / (beat + 1) as f64).ln();
            for ahead in 0..at.len() {
                let moving_up = (self.capacity + ahead as f64 * self.giving_up) / beats * at[ahead];
                at[ahead] -= moving_up + self.giving_up / beats * at[ahead];
                match ahead {
                    0 => answered_so_far += moving_up,
                    _ => at[ahead - 1] += moving_up,
                }
            }
        }
        expected
    }
}

#[test]
fn every_figure_is_that_of_the_chain_itself() {
    let mut compared = 0;
    for agents in [1, 2, 5, 25, 120] {
        for rho in [0.3, 0.8, 0.95, 1.0, 1.3, 3.0] {
            for patience in [None, Some(5.0), Some(90.0), Some(240.0), Some(2_000.0)] {
                if patience.is_none() && rho >= 1.0 {
                    continue;
                }
                let traffic = Traffic { rate: rho * f64::from(agents) / 240.0, aht: 240.0, patience };
                let chain = Chain::new(&traffic, agents);
                let asa = chain.asa();
                for within in [0.0, 20.0, 100.0] {
                    let p = traffic.performance(agents, within);
                    let what = |figure| format!("{figure}, {agents} agents, {rho}, {patience:?}, {within} s");
                    near(p.wait_probability, chain.wait_probability(), 1e-10, &what("probability of wait"));
                    near(p.abandonment, chain.abandonment(), 1e-10, &what("abandonment"));
                    near(p.asa_s, asa, 1e-8 * (1.0 + p.asa_s), &what("ASA"));
                    near(p.service_level, chain.service_level(within), 1e-9, &what("service level"));
                    near(p.occupancy, rho * (1.0 - chain.abandonment()), 1e-10, &what("occupancy"));
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(compared, 5 * (3 * 5 + 3 * 4) * 3);
}

#[test]
fn nothing_overflows_from_one_agent_to_five_thousand() {
    for agents in [1, 10, 100, 1_000, 5_000] {
        for rho in [1e-6, 0.1, 0.5, 0.99, 0.999_999, 1.0, 2.0, 20.0] {
            for patience in [Some(1.0), Some(90.0), Some(3_600.0)] {
                let traffic = Traffic { rate: rho * f64::from(agents) / 240.0, aht: 240.0, patience };
                let p = traffic.performance(agents, 20.0);
                for share in [p.wait_probability, p.abandonment, p.service_level, p.occupancy] {
                    assert!((0.0..=1.0 + 1e-12).contains(&share), "{agents} agents, {rho}, {patience:?}: {p:?}");
                }
                assert!(p.asa_s >= 0.0 && p.asa_s < 24.0 * 3_600.0, "{agents} agents, {rho}, {patience:?}: {p:?}");
                // Of those who are offered, capacity is handled at the most.
                assert!(1.0 - p.abandonment <= 1.0 / rho + 1e-9, "{agents} agents, {rho}, {patience:?}: {p:?}");
            }
        }
    }
}

#[test]
fn endless_patience_is_erlang_c() {
    for agents in [5, 500, 5_000] {
        let patient = Traffic { rate: 0.95 * f64::from(agents) / 240.0, aht: 240.0, patience: None };
        let (c, a) =
            (patient.performance(agents, 20.0), Traffic { patience: Some(1e9), ..patient }.performance(agents, 20.0));
        near(a.wait_probability, c.wait_probability, 1e-4, "probability of wait");
        near(a.asa_s, c.asa_s, 1e-3 * c.asa_s, "ASA");
        near(a.service_level, c.service_level, 1e-4, "service level");
    }
}

#[test]
fn the_number_of_agents_is_the_smallest_that_meets_the_target() {
    for rate in [0.001, 0.1, 3.0, 20.0] {
        for patience in [None, Some(90.0)] {
            for share in [0.05, 0.5, 0.8, 0.99] {
                let traffic = Traffic { rate, aht: 240.0, patience };
                let agents = traffic.agents_for(Target { share, within: 20.0 }).unwrap();
                let level = |agents| traffic.performance(agents, 20.0).service_level;
                assert!(level(agents) >= share, "{traffic:?}, {share}: {agents}");
                assert!(agents == 1 || level(agents - 1) < share, "{traffic:?}, {share}: {agents} are too many");
            }
        }
    }
}

#[test]
fn no_calls_need_nobody_and_too_many_have_no_answer() {
    let target = Target { share: 0.8, within: 20.0 };
    let none = Traffic { rate: 0.0, aht: 240.0, patience: Some(90.0) };
    assert_eq!(none.agents_for(target), Some(0));
    assert_eq!(none.performance(0, 20.0).service_level, 1.0);
    let many = Traffic { rate: f64::from(MOST_AGENTS), aht: 1.0, patience: None };
    assert_eq!(many.agents_for(target), None);
    assert_eq!(many.performance(MOST_AGENTS, 20.0).asa_s, f64::INFINITY);
}
