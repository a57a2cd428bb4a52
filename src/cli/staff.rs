//! `relais staff`: how many agents a service level needs, by Erlang C and Erlang A.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::demand::{Count, Demand, Patience, parse_demand, parse_patience, parse_target, parse_time, read_counts};
use super::progress::Progress;
use super::{BAD_USAGE, FAILED, plain};
use crate::staffing::{MOST_AGENTS, Performance, Target, Traffic};

/// Say how many agents a service level needs
///
/// For each interval: the smallest number of agents that answers the wanted share of the offered calls in time, and
/// what else these agents bring about.
///
/// Erlang C takes it that nobody gives up: it is cautious, and needs more agents than there are erlangs. Erlang A needs
/// to know the patience of callers (--patience), and says how many give up. Both take calls that come at random, handle
/// times that vary exponentially, and agents who can all take every call.
#[derive(Debug, Args)]
#[command(after_help = "\
erlangs    calls × AHT / interval: so many agents would be busy if nobody ever waited
SL         service level: answered within the time of --sl, of all offered; who gives up is not in time
waits      share of the calls that find no agent free
ASA        average speed of answer: mean wait of those who are answered
abandoned  share of the calls whose caller gives up
occupancy  handling time of available time; 60-80 % is healthy

Examples:
  relais staff --calls 300/h --aht 240s --sl 80/20
  relais staff --calls 300/h --aht 240s --sl 80/20 --patience 90s
  relais staff --calls monday.csv --interval 30m --aht 4m --sl 80/20 --patience 90s --csv

A file has a line for each interval, and the count in the column 'calls':
  interval,calls
  08:00,62
  08:30,118

The numbers are of agents who are there and take calls: add breaks, meetings, training and absence.")]
pub struct StaffArgs {
    /// Calls in a time (300/h, 150/30m), or a CSV file with a count for each interval
    #[arg(long, value_name = "CALLS/TIME|FILE.csv", value_parser = parse_demand)]
    pub calls: Demand,
    /// Mean handle time: talk, hold and wrap-up
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub aht: Duration,
    /// Service level that is wanted: percent of the offered calls / seconds
    #[arg(long, value_name = "PERCENT/SECONDS", value_parser = parse_target, default_value = "80/20")]
    pub sl: Target,
    /// Mean time after which a waiting caller gives up; adds Erlang A. None: nobody does
    #[arg(long, value_name = "TIME|none", value_parser = parse_patience, default_value = "none")]
    pub patience: Patience,
    /// Length of an interval
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "30m")]
    pub interval: Duration,
    /// Print CSV: shares from 0 to 1, times in seconds
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// One interval.
#[derive(Debug, Serialize)]
struct Row {
    interval: String,
    calls: f64,
    load_erlangs: f64,
    erlang_c: Staffed,
    /// Only where the patience is known.
    erlang_a: Option<Staffed>,
}

#[derive(Debug, Serialize)]
struct Staffed {
    agents: u32,
    #[serde(flatten)]
    performance: Performance,
}

pub fn run(args: &StaffArgs) -> ExitCode {
    let counts = match &args.calls {
        Demand::Rate(rate) => {
            let calls = rate.per_second() * args.interval.as_secs_f64();
            Ok(vec![Count { interval: "every".to_owned(), calls }])
        }
        Demand::File(path) => read_counts(path),
    };
    let counts = match counts {
        Ok(counts) => counts,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(BAD_USAGE);
        }
    };
    let mut progress = Progress::new("staffing");
    let rows = counts.iter().enumerate().map(|(nth, count)| {
        progress.tell(nth as f64 / counts.len() as f64);
        row(count, args)
    });
    let rows: Result<Vec<Row>, String> = rows.collect();
    drop(progress);
    match rows {
        Ok(rows) => {
            // Whoever reads may have gone.
            let _ = print(&rows, args, &mut io::stdout().lock());
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(FAILED)
        }
    }
}

fn row(count: &Count, args: &StaffArgs) -> Result<Row, String> {
    let rate = count.calls / args.interval.as_secs_f64();
    let patient = Traffic { rate, aht: args.aht.as_secs_f64(), patience: None };
    let load = patient.load();
    let staffed = |traffic: Traffic| {
        let agents = traffic.agents_for(args.sl).ok_or_else(|| {
            let interval = plain(&count.interval);
            format!(
                "interval {interval}: {load:.0} erlangs need more than {MOST_AGENTS} agents, the most that is looked for; \
                 check --calls, --aht and --interval"
            )
        })?;
        Ok::<_, String>(Staffed { agents, performance: traffic.performance(agents, args.sl.within) })
    };
    let impatient = args.patience.0.map(|patience| Traffic { patience: Some(patience.as_secs_f64()), ..patient });
    Ok(Row {
        interval: count.interval.clone(),
        calls: count.calls,
        load_erlangs: load,
        erlang_c: staffed(patient)?,
        erlang_a: impatient.map(staffed).transpose()?,
    })
}

fn print(rows: &[Row], args: &StaffArgs, out: &mut impl Write) -> io::Result<()> {
    match (args.json, args.csv) {
        (true, _) => print_json(rows, args, out),
        (_, true) => print_csv(rows, out),
        _ => print_table(rows, args, out),
    }
}

fn print_json(rows: &[Row], args: &StaffArgs, out: &mut impl Write) -> io::Result<()> {
    let whole = json!({
        "interval_s": args.interval.as_secs_f64(),
        "aht_s": args.aht.as_secs_f64(),
        "patience_s": args.patience.0.map(|patience| patience.as_secs_f64()),
        "target": { "service_level": args.sl.share, "within_s": args.sl.within },
        "intervals": rows,
    });
    writeln!(out, "{whole}")
}

fn print_csv(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    let mut out = csv::Writer::from_writer(out);
    let figures = ["agents", "service_level", "wait_probability", "asa_s", "occupancy", "abandonment"];
    let of = |model: &str| figures.map(|figure| format!("{model}_{figure}")).to_vec();
    let first = ["interval", "calls", "load_erlangs"].map(str::to_owned).to_vec();
    out.write_record([first, of("erlang_c"), of("erlang_a")].concat())?;
    for row in rows {
        let first = vec![row.interval.clone(), row.calls.to_string(), row.load_erlangs.to_string()];
        out.write_record([first, fields(Some(&row.erlang_c)), fields(row.erlang_a.as_ref())].concat())?;
    }
    out.flush()
}

/// In the order of the header; empty where the model was not asked for.
fn fields(staffed: Option<&Staffed>) -> Vec<String> {
    let Some(Staffed { agents, performance: p }) = staffed else { return vec![String::new(); 6] };
    let figures = [p.service_level, p.wait_probability, p.asa_s, p.occupancy, p.abandonment];
    std::iter::once(agents.to_string()).chain(figures.map(|figure| format!("{figure:.6}"))).collect()
}

fn print_table(rows: &[Row], args: &StaffArgs, out: &mut impl Write) -> io::Result<()> {
    let Target { share, within } = args.sl;
    let patience =
        args.patience.0.map(|patience| format!(", patience {} s", patience.as_secs_f64())).unwrap_or_default();
    writeln!(
        out,
        "{} % of the calls answered within {within} s; AHT {} s{patience}; intervals of {} min\n",
        (share * 1_000.0).round() / 10.0,
        args.aht.as_secs_f64(),
        args.interval.as_secs_f64() / 60.0,
    )?;
    let width = rows.iter().map(|row| row.interval.chars().count()).max().unwrap_or(0).max("interval".len());
    let columns = format!("{:>8}{:>9}{:>9}{:>9}{:>11}", "agents", "SL", "waits", "ASA", "occupancy");
    let (title, more) = match args.patience.0 {
        Some(_) => (format!("   {:<46}   Erlang A", "Erlang C"), format!("   {columns}{:>11}", "abandoned")),
        None => ("   Erlang C".to_owned(), String::new()),
    };
    writeln!(out, "{:width$}{:>9}{:>10}{title}", "", "", "")?;
    writeln!(out, "{:width$}{:>9}{:>10}   {columns}{more}", "interval", "calls", "erlangs")?;
    for row in rows {
        let a = row
            .erlang_a
            .as_ref()
            .map(|staffed| format!("   {}{:>11}", cells(staffed), percent(staffed.performance.abandonment)));
        writeln!(
            out,
            "{:width$}{:>9.1}{:>10.2}   {}{}",
            plain(&row.interval),
            row.calls,
            row.load_erlangs,
            cells(&row.erlang_c),
            a.unwrap_or_default()
        )?;
    }
    Ok(())
}

fn cells(staffed: &Staffed) -> String {
    let Performance { service_level, wait_probability, asa_s, occupancy, .. } = staffed.performance;
    format!(
        "{:>8}{:>9}{:>9}{:>9}{:>11}",
        staffed.agents,
        percent(service_level),
        percent(wait_probability),
        format!("{asa_s:.1} s"),
        percent(occupancy)
    )
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn printed(line: &str, counts: &[Count]) -> String {
        let line = format!("relais staff {line}");
        let Command::Staff(args) = Cli::try_parse_from(line.split_whitespace()).unwrap().command else { panic!() };
        let rows: Vec<Row> = counts.iter().map(|count| row(count, &args).unwrap()).collect();
        let mut out = Vec::new();
        print(&rows, &args, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn count(interval: &str, calls: f64) -> Count {
        Count { interval: interval.to_owned(), calls }
    }

    #[test]
    fn the_table_has_a_line_an_interval_and_both_models() {
        let text = printed(
            "--calls a.csv --aht 240s --sl 80/20 --patience 90s",
            &[count("08:00", 150.0), count("08:30", 0.0)],
        );
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(&lines[4][..4], ["08:00", "150.0", "20.00", "25"], "{text}");
        assert_eq!(&lines[5][..4], ["08:30", "0.0", "0.00", "0"], "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 150), "{text}");
    }

    #[test]
    fn csv_has_the_columns_of_its_header_whatever_was_asked() {
        for patience in ["", "--patience 90s"] {
            let text = printed(&format!("--calls a.csv --aht 240s --csv {patience}"), &[count("a,\"b", 150.0)]);
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let header = reader.headers().unwrap().clone();
            let record = reader.records().next().unwrap().unwrap();
            assert_eq!((&record[0], record.len()), ("a,\"b", header.len()), "{text}");
            assert_eq!((&header[3], &record[3]), ("erlang_c_agents", "25"));
            assert_eq!(record[9].is_empty(), patience.is_empty(), "{text}");
        }
    }

    #[test]
    fn json_says_what_was_asked_and_what_comes_out() {
        let text = printed("--calls 300/h --aht 4m --sl 80/20 --json", &[count("every", 150.0)]);
        let whole: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(whole["target"]["service_level"], 0.8);
        assert_eq!(whole["intervals"][0]["erlang_c"]["agents"], 25);
        assert!(whole["intervals"][0]["erlang_c"]["service_level"].as_f64().unwrap() > 0.8, "{text}");
        assert!(whole["intervals"][0]["erlang_a"].is_null());
    }

    #[test]
    fn more_than_can_be_looked_for_is_refused_with_a_reason() {
        let line = "relais staff --calls 300/h --aht 240s";
        let Command::Staff(args) = Cli::try_parse_from(line.split_whitespace()).unwrap().command else { panic!() };
        let refusal = row(&count("08:00", 1e9), &args).unwrap_err();
        assert!(refusal.starts_with("interval 08:00: 133333333 erlangs need more than 20000 agents"), "{refusal}");
    }
}
