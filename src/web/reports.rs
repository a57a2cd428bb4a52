//! Figures of the past, by interval: what is asked for, and where it comes from.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::civil;
use jiff::tz::TimeZone;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Context;
use super::access::PREFIX;
use super::refusal::{Refusal, quoted, suggestion};
use super::routes::on_disk;
use crate::report::{self, By, Heading, Interval, Report, ReportError, Terms};
use crate::time::Wall;

/// Reports that are made at once; the next one is told to come again.
pub const AT_ONCE: usize = 2;
/// Reading takes no longer; the client is told before the answer is given up.
pub const LONGEST: Duration = Duration::from_secs(12);

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportFailure {
    #[error(transparent)]
    Query(#[from] ReportError),
    #[error("reading the records took longer than {} s; ask for fewer days", LONGEST.as_secs())]
    TooSlow,
    #[error("{0}")]
    Store(String),
}

/// Where figures of the past come from. `report` waits for the disk.
pub trait Archives: Send + Sync {
    fn report(&self, query: report::Query) -> Result<Report, ReportFailure>;
    /// The centre's: when its days begin.
    fn time_zone(&self) -> TimeZone;
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The first moment: RFC 3339, or a date or a date and time of day where the centre is. Today's midnight where it is
    /// not given.
    from: Option<String>,
    /// The first moment that is no longer part of it; now where it is not given. A date is its midnight, so a day is
    /// from=2026-11-25&to=2026-11-26.
    to: Option<String>,
    /// What each row is for: `queue` (the default), `agent`, `skill`, `number` (as it was dialled), `all`.
    by: Option<String>,
    /// `15`, `30` or `60` minutes, or `day` (the default).
    interval: Option<String>,
    /// Only this queue.
    queue: Option<String>,
    /// Only this agent.
    agent: Option<String>,
    /// Only this skill.
    skill: Option<String>,
    /// Only this dialled number.
    number: Option<String>,
    /// The target of the service level in seconds; each queue's own where it is not given.
    within: Option<f64>,
    /// Who gives up sooner than so many seconds is counted apart; 5 where it is not given.
    short: Option<f64>,
    /// `json` (the default) or `csv`; the header `Accept: text/csv` asks for CSV as well.
    format: Option<String>,
    /// The names above the columns of a CSV: `name` (as in JSON, the default), `en`, `fr`.
    heading: Option<String>,
}

/// The figures of the centre by interval: offered, handled, abandoned, service level and many more, as rows and as totals of
/// the whole time. `figures` in the answer gives each one's unit, its English and French name and its formula; what is
/// not known is null. A call counts in the interval in which it came in, once it has ended; the time of agents is split
/// over the intervals. An interval in which nothing happened has no row.
#[utoipa::path(get, path = "/reports", params(Wanted), responses(
    (status = 200, description = "`{from, to, interval, by, rows, totals, figures}`, or CSV", content_type = "application/json"),
    (status = 400, description = "A parameter that is not understood", body = super::refusal::ErrorBody),
    (status = 404, description = "No such queue, agent or skill", body = super::refusal::ErrorBody),
    (status = 422, description = "Too much for one report", body = super::refusal::ErrorBody),
    (status = 429, description = "Other reports are being made", body = super::refusal::ErrorBody)))]
pub(super) async fn reports(
    State(context): State<Arc<Context>>,
    headers: HeaderMap,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(wanted) = wanted.map_err(|error| bad("bad_query", error.body_text()))?;
    let csv = match &wanted.format {
        Some(format) => one_of("format", format, &["json", "csv"])? == 1,
        None => headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/csv")),
    };
    let headings = [Heading::Names, Heading::English, Heading::French];
    let heading = match &wanted.heading {
        Some(heading) => headings[one_of("heading", heading, &["name", "en", "fr"])?],
        None => Heading::Names,
    };
    let query = wanted.query(context.archives.time_zone(), Wall::now())?;
    let Ok(permit) = context.reports.clone().try_acquire_owned() else {
        return Err(Refusal::crowded("other reports are being made; try again in a second"));
    };
    let asked = query.clone();
    let made = on_disk(context.clone(), move |context| {
        let _permit = permit;
        context.archives.report(asked)
    });
    let report = made.await?.map_err(refusal)?;
    if report.lines.is_empty() {
        known(&context, &query)?;
    }
    Ok(if csv {
        ([(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present")], report.csv(heading)).into_response()
    } else {
        Json(report.json()).into_response()
    })
}

fn bad(code: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, code, message)
}

fn refusal(failure: ReportFailure) -> Refusal {
    match failure {
        ReportFailure::Query(error @ (ReportError::Backwards { .. } | ReportError::Time(_))) => {
            bad("bad_time", error.to_string())
        }
        ReportFailure::Query(error) => {
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "report_too_large", error.to_string())
        }
        ReportFailure::TooSlow => {
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "report_too_large", failure.to_string())
        }
        ReportFailure::Store(error) => {
            tracing::error!("the records cannot be read: {error}");
            Refusal::unavailable("store_busy", "the records cannot be read now; try again in a second")
        }
    }
}

/// Nothing is there of the one that was asked for: is there such a one?
fn known(context: &Context, query: &report::Query) -> Result<(), Refusal> {
    let Some(only) = &query.only else { return Ok(()) };
    let names: Vec<String> = match query.by {
        By::Queue => context.views.queues().into_iter().map(|queue| queue.id.to_string()).collect(),
        By::Agent => context.views.agents().into_iter().map(|agent| agent.id.to_string()).collect(),
        By::Skill => {
            let agents = context.views.agents();
            agents.iter().flat_map(|agent| agent.skills.keys()).map(ToString::to_string).collect()
        }
        By::Number | By::All => return Ok(()),
    };
    if names.contains(only) {
        return Ok(());
    }
    let (by, hint) = (query.by.name(), suggestion(only, names.iter().map(String::as_str)));
    let list = if query.by == By::Skill { "agent" } else { by };
    let message = format!("there is no {by} '{}'{hint}; GET {PREFIX}/{list}s lists them", quoted(only));
    Err(Refusal::not_found(&format!("unknown_{by}"), message))
}

/// The place of a word in a list.
fn one_of(parameter: &str, word: &str, known: &[&str]) -> Result<usize, Refusal> {
    known.iter().position(|known| *known == word).ok_or_else(|| {
        let hint = suggestion(word, known.iter().copied());
        let message = format!("'{parameter}' is '{}'; it must be one of {}{hint}", quoted(word), known.join(", "));
        bad(&format!("bad_{parameter}"), message)
    })
}

impl Wanted {
    fn query(&self, zone: TimeZone, now: Wall) -> Result<report::Query, Refusal> {
        let today = || now.to_zoned_datetime(zone.clone()).start_of_day().map_or(now, |midnight| midnight.timestamp());
        let from = self.from.as_deref().map_or_else(|| Ok(today()), |text| moment("from", text, &zone))?;
        let until = self.to.as_deref().map_or_else(|| Ok(now), |text| moment("to", text, &zone))?;
        let interval = match &self.interval {
            Some(word) => {
                let names = Interval::ALL.map(Interval::name);
                // As people write them.
                let short = match word.as_str() {
                    "1h" => "60",
                    "1d" => "day",
                    word => word.strip_suffix("min").or_else(|| word.strip_suffix('m')).unwrap_or(word),
                };
                Interval::ALL[one_of("interval", short, &names)?]
            }
            None => Interval::Day,
        };
        let (by, only) = self.lines()?;
        let usual = Terms::default();
        let terms = Terms {
            within_ms: self.within.map(|within| milliseconds("within", within)).transpose()?,
            short_ms: self.short.map_or(Ok(usual.short_ms), |short| milliseconds("short", short))?,
        };
        Ok(report::Query { from, until, interval, by, only, terms, zone })
    }

    /// What the rows are for, and whether there is to be one only.
    fn lines(&self) -> Result<(By, Option<String>), Refusal> {
        let by = match &self.by {
            Some(word) => Some(By::ALL[one_of("by", word, &By::ALL.map(By::name))?]),
            None => None,
        };
        let filters =
            [(By::Queue, &self.queue), (By::Agent, &self.agent), (By::Skill, &self.skill), (By::Number, &self.number)];
        let given: Vec<(By, &String)> =
            filters.into_iter().filter_map(|(of, name)| Some((of, name.as_ref()?))).collect();
        match (by, given.as_slice()) {
            (by, []) => Ok((by.unwrap_or(By::Queue), None)),
            (None, [(of, name)]) => Ok((*of, Some((*name).clone()))),
            (Some(by), [(of, name)]) if by == *of => Ok((by, Some((*name).clone()))),
            (Some(by), [(of, _)]) => {
                let (by, of) = (by.name(), of.name());
                Err(bad(
                    "bad_filter",
                    format!("'{of}' chooses a row of by={of}, and by is '{by}'; leave one of them out"),
                ))
            }
            (_, _) => {
                let names: Vec<&str> = given.iter().map(|(of, _)| of.name()).collect();
                Err(bad("bad_filter", format!("give one of {} and no more", names.join(", "))))
            }
        }
    }
}

fn moment(parameter: &str, text: &str, zone: &TimeZone) -> Result<Wall, Refusal> {
    // In a URL a plus sign that is not encoded is a space.
    let text = text.replace(' ', "+");
    let local = || {
        let time = text.parse::<civil::DateTime>().ok().or_else(|| Some(text.parse::<civil::Date>().ok()?.into()))?;
        Some(time.to_zoned_datetime(zone.clone()).ok()?.timestamp())
    };
    text.parse::<Wall>().ok().or_else(local).ok_or_else(|| {
        let message = format!(
            "'{parameter}' is '{}'; write 2026-11-25, 2026-11-25T10:00 (where the centre is) or 2026-11-25T10:00:00+01:00",
            quoted(&text)
        );
        bad(&format!("bad_{parameter}"), message)
    })
}

fn milliseconds(parameter: &str, seconds: f64) -> Result<u64, Refusal> {
    const DAY: f64 = 86_400.0;
    if (0.0..=DAY).contains(&seconds) {
        return Ok((seconds * 1e3).round() as u64);
    }
    Err(bad(&format!("bad_{parameter}"), format!("'{parameter}' is {seconds}; it must be from 0 to {DAY} seconds")))
}
