//! `relais simulate`: the distributor on a virtual clock, beside what theory says or what was recorded.

mod recorded;
mod report;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args};

use super::demand::{Patience, Rate, parse_patience, parse_rate, parse_time, read_counts};
use super::progress::Progress;
use super::{BAD_USAGE, FAILED, Moment, parse_moment, plain, print_findings};
use crate::config::{self, Overrides};
use crate::findings::suggest;
use crate::settings;
use crate::staffing::{self, Calls, MOST_AGENTS, Profile, RandomCalls, Scenario};
use report::Report;

/// A run over a constant rate is cut into so many batches.
const PERIODS: u32 = 30;
const DAY: Duration = Duration::from_secs(86_400);
/// Some hours of one core.
const MOST_CALLS: f64 = 2e9;

/// Run the distributor on a virtual clock and print its figures
///
/// Calls are distributed by the code that distributes live calls, to agents who answer at once. They come at random
/// (--poisson, --calls) to one queue of agents who are all alike, with handle times and patience that vary
/// exponentially. Or they are those of call records (--replay), for other staffing or other rules: they go to the queues
/// and agents of the configuration, each call with what it asked for; with --agents, those of one queue go to so
/// many agents who are alike.
///
/// Beside each figure stand its 99 % interval and what theory says: Erlang A with --patience, Erlang C without. Beside
/// a replay stands what was recorded.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("demand").required(true).args(["calls", "poisson", "replay"]))]
#[command(after_help = "\
The interval is that of batch means: the run is cut into 30 batches (with --calls: into days, at most 30 batches), \
after one of warm-up. More days make it smaller: four times as many halve it. A run that is too short for its batches \
says so. The same seed gives the same callers, whatever the number of agents.

A recording is played 30 times. When a call came, how long it took and when its caller gave up stay as they were. How \
long those who were answered would have waited is drawn from the patience that the recording shows, and the handle \
time of those who were not answered from the others'. All agents are there from the first call to the last: choose \
the hours of one shift by --from and --to. Recorded waits have the ringing of phones in them, simulated ones have not.

service level   answered within the queue's answer_within_s, of all offered
ASA             mean wait of those who are answered
waits           share of the calls that find no agent free
abandoned       share of the calls whose caller gives up
occupancy       handling time of available time
EWT told        of those who find no agent free: who could be told how long it will take
EWT right       of those who were told and answered: whose wait was within that range; 4 of 5 are aimed at
EWT error       mean difference between their wait and the middle of the range

Examples:
  relais simulate --plan deploy/demo --poisson 300/h --aht 240s --agents 25 --patience 90s --days 5
  relais simulate --plan deploy/demo --queue support --calls monday.csv --aht 4m --agents 25 --json
  relais simulate --plan new-rules --replay /var/lib/relais --from 2026-11-23T09:00:00+01:00
  relais simulate --plan deploy/demo --queue sales --replay /var/lib/relais --agents 12 \\
      --from 2026-11-23T09:00:00+01:00 --to 2026-11-23T17:00:00+01:00

A file has a line for each interval of a day, with the expected number of calls in 'calls':
  interval,calls
  08:00,62
  08:30,118")]
pub struct SimulateArgs {
    /// The configuration whose queues and agents are used: a file, or a folder that holds relais.toml
    #[arg(long, value_name = "DIR|FILE")]
    pub plan: PathBuf,
    /// The queue that the calls enter; the first one where it is not given, in a replay without --agents all of them
    #[arg(long, value_name = "ID")]
    pub queue: Option<String>,
    /// A CSV file with the calls of each interval of a day, which is repeated
    #[arg(long, value_name = "FILE.csv")]
    pub calls: Option<PathBuf>,
    /// Calls at one rate, day and night
    #[arg(long, value_name = "CALLS/TIME", value_parser = parse_rate)]
    pub poisson: Option<Rate>,
    /// Recorded calls: a data folder, or a file with lines of relais cdr --json
    #[arg(long, value_name = "DATA", conflicts_with_all = ["aht", "days"])]
    pub replay: Option<PathBuf>,
    /// Of a recording, only the calls that came then or later
    #[arg(long, value_name = "RFC3339", value_parser = parse_moment, conflicts_with_all = ["calls", "poisson"])]
    pub from: Option<Moment>,
    /// Of a recording, only the calls that came before
    #[arg(long, value_name = "RFC3339", value_parser = parse_moment, conflicts_with_all = ["calls", "poisson"])]
    pub to: Option<Moment>,
    /// Length of an interval of --calls
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "30m", conflicts_with_all = ["poisson", "replay"])]
    pub interval: Duration,
    /// Mean handle time: talk, hold and wrap-up
    #[arg(long, value_name = "TIME", value_parser = parse_time, required_unless_present = "replay")]
    pub aht: Option<Duration>,
    /// Number of agents who are alike; in a replay without it the agents of the configuration
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_AGENTS)),
        required_unless_present = "replay")]
    pub agents: Option<u32>,
    /// Mean time after which a waiting caller gives up, or none: nobody does. Without it nobody does, and in a replay
    /// callers are as patient as the recording shows
    #[arg(long, value_name = "TIME|none", value_parser = parse_patience)]
    pub patience: Option<Patience>,
    /// Days that are counted; one of --calls is as long as its intervals
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub days: u32,
    /// Decides all that is random
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &SimulateArgs) -> ExitCode {
    let scenario = match scenario(args) {
        Ok(scenario) => scenario,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(BAD_USAGE);
        }
    };
    let mut progress = Progress::new("simulating");
    let played = staffing::run(&scenario, &mut |done| progress.tell(done));
    drop(progress);
    match played {
        Ok(played) => {
            let report = Report { days: args.days, scenario: &scenario, played: &played };
            let text = if args.json { report.as_json() } else { report.as_text() };
            // Whoever reads may have gone.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("the distributor broke its own rules, with --seed {}: {fault}; please report it", args.seed);
            ExitCode::from(FAILED)
        }
    }
}

fn scenario(args: &SimulateArgs) -> Result<Scenario, String> {
    let file = if args.plan.is_dir() { args.plan.join("relais.toml") } else { args.plan.clone() };
    let loaded = config::load(&file, &Overrides::default()).map_err(|findings| {
        print_findings(&findings);
        format!("{}: refused; see relais check --config {0}", file.display())
    })?;
    let settings::Settings { queues, agents, .. } = loaded.settings;
    match (&args.replay, args.agents) {
        (Some(data), None) => replay(args, data, queues, agents, &file),
        (Some(data), Some(number)) => {
            let queue = pick(queues, args.queue.as_deref(), &file)?;
            let recording = recorded::recording(args, data, std::slice::from_ref(&queue))?;
            Ok(Scenario::alike(queue, number, Calls::Recorded(recording), args.seed))
        }
        (None, Some(number)) => {
            let queue = pick(queues, args.queue.as_deref(), &file)?;
            let calls = Calls::Random(random_calls(args)?);
            let load = calls.rate() * calls.aht();
            if calls.patience().is_none() && load >= f64::from(number) {
                return Err(format!(
                    "{load:.1} erlangs are more than {number} agents can handle, and nobody gives up: the line would \
                     grow for ever; give --patience, or more --agents"
                ));
            }
            Ok(Scenario::alike(queue, number, calls, args.seed))
        }
        (None, None) => Err("no agents: give --agents 25".to_owned()),
    }
}

/// The agents of the configuration, who have the calls of its queues, or of one of them.
fn replay(
    args: &SimulateArgs,
    data: &Path,
    queues: Vec<settings::Queue>,
    agents: Vec<settings::Agent>,
    file: &Path,
) -> Result<Scenario, String> {
    let queues = match &args.queue {
        Some(id) => vec![pick(queues, Some(id), file)?],
        None => queues,
    };
    let serves = |agent: &settings::Agent| queues.iter().any(|queue| agent.queues.contains(&queue.id));
    let agents: Vec<settings::Agent> = agents.into_iter().filter(serves).collect();
    if agents.is_empty() {
        return Err(format!("{}: no agent serves the calls; give a number of --agents who are alike", file.display()));
    }
    let recording = recorded::recording(args, data, &queues)?;
    let scenario = Scenario { queues, agents, calls: Calls::Recorded(recording), seed: args.seed };
    recorded::check(&scenario)?;
    Ok(scenario)
}

fn pick(queues: Vec<settings::Queue>, wanted: Option<&str>, file: &Path) -> Result<settings::Queue, String> {
    let names: Vec<String> = queues.iter().map(|queue| queue.id.to_string()).collect();
    let found = queues.into_iter().find(|queue| wanted.is_none_or(|id| queue.id.as_str() == id));
    found.ok_or_else(|| match wanted {
        None => format!("{}: has no queue; calls need a [[queue]] to enter", file.display()),
        Some(id) => {
            let hint = suggest(id, names.iter().map(String::as_str)).map(|hint| format!(" ({hint})"));
            format!("{}: there is no queue '{}'{}", file.display(), plain(id), hint.unwrap_or_default())
        }
    })
}

fn random_calls(args: &SimulateArgs) -> Result<RandomCalls, String> {
    let (profile, periods, period) = match (&args.calls, args.poisson) {
        (Some(path), _) => {
            let counts = read_counts(path)?;
            let profile = Profile::new(args.interval.as_secs_f64(), counts.iter().map(|count| count.calls).collect());
            (profile, args.days, args.interval * counts.len() as u32)
        }
        (None, Some(rate)) => {
            (Profile::new(rate.per.as_secs_f64(), vec![rate.calls]), PERIODS, DAY * args.days / PERIODS)
        }
        (None, None) => return Err("no calls: give --poisson 300/h, --calls FILE.csv or --replay DATA".to_owned()),
    };
    let profile = profile.ok_or("no calls: a rate or a file must expect at least one")?;
    let aht = args.aht.ok_or("no handle time: give --aht 240s")?.as_secs_f64();
    let patience = args.patience.and_then(|Patience(mean)| mean).map(|mean| mean.as_secs_f64());
    let calls = profile.rate() * period.as_secs_f64() * f64::from(periods + 1);
    if calls > MOST_CALLS {
        return Err(format!("{calls:.0} calls are too many for one run, at most {MOST_CALLS:.0}; give fewer --days"));
    }
    Ok(RandomCalls { profile, aht, patience, periods, period })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn demo() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/demo")
    }

    fn args(line: &str) -> Result<SimulateArgs, clap::Error> {
        let demo = demo();
        let words = ["relais", "simulate", "--plan"].map(Into::into);
        let line = words.into_iter().chain([demo.into_os_string()]).chain(line.split_whitespace().map(Into::into));
        match Cli::try_parse_from(line)?.command {
            Command::Simulate(args) => Ok(args),
            _ => panic!("not simulate"),
        }
    }

    fn prepared(line: &str) -> Result<Scenario, String> {
        let args = args(line).unwrap();
        scenario(&args)
    }

    #[test]
    fn the_queue_is_the_plans_first_or_the_one_named() {
        let line = "--poisson 300/h --aht 240s --agents 25";
        assert_eq!(prepared(line).unwrap().queues[0].id.as_str(), "sales");
        assert_eq!(prepared(&format!("{line} --queue support")).unwrap().queues[0].id.as_str(), "support");
        let refusal = prepared(&format!("{line} --queue suport")).unwrap_err();
        assert!(refusal.ends_with("there is no queue 'suport' (did you mean 'support'?)"), "{refusal}");
    }

    #[test]
    fn a_rate_or_a_file_is_needed_and_not_both() {
        for line in ["--aht 240s --agents 25", "--poisson 300/h --calls a.csv --aht 240s --agents 25"] {
            assert_eq!(args(line).unwrap_err().exit_code(), i32::from(BAD_USAGE), "{line}");
        }
        for line in ["--agents 0", "--agents 20001", "--agents 5 --days 0"] {
            assert!(args(&format!("--poisson 300/h --aht 240s {line}")).is_err(), "{line}");
        }
    }

    #[test]
    fn what_has_no_end_is_refused() {
        let refusal = prepared("--poisson 300/h --aht 240s --agents 20").unwrap_err();
        assert!(refusal.starts_with("20.0 erlangs are more than 20 agents can handle"), "{refusal}");
        assert!(prepared("--poisson 300/h --aht 240s --agents 20 --patience 90s").is_ok());
        let refusal = prepared("--poisson 9000000/h --aht 1s --agents 5000 --days 100000").unwrap_err();
        assert!(refusal.contains("fewer --days"), "{refusal}");
    }

    #[test]
    fn a_day_of_a_file_is_as_long_as_its_intervals() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("day.csv");
        std::fs::write(&file, "interval,calls\n08:00,62\n08:30,118\n09:00,60\n").unwrap();
        let scenario = prepared(&format!("--calls {} --aht 240s --agents 15 --days 7", file.display())).unwrap();
        let Calls::Random(calls) = scenario.calls else { panic!("not drawn") };
        assert_eq!((calls.periods, calls.period), (7, Duration::from_secs(90 * 60)));
        assert_eq!(calls.profile.rate() * 5_400.0, 240.0);
    }

    #[test]
    fn patience_may_be_none_and_a_replay_has_its_own_handle_times() {
        let line = "--poisson 300/h --aht 240s --agents 25";
        assert_eq!(prepared(&format!("{line} --patience none")).unwrap().calls.patience(), None);
        assert_eq!(prepared(&format!("{line} --patience 90s")).unwrap().calls.patience(), Some(90.0));
        for line in [
            "--poisson 300/h --agents 25",
            "--poisson 300/h --aht 240s",
            "--replay data --aht 240s --agents 25",
            "--replay data --days 3 --agents 25",
            "--poisson 300/h --aht 240s --agents 25 --from 2026-11-23T09:00:00Z",
            "--poisson 300/h --aht 240s --agents 25 --interval 15m",
        ] {
            assert_eq!(args(line).unwrap_err().exit_code(), i32::from(BAD_USAGE), "{line}");
        }
    }
}
