//! `[customers]`: a CSV file of known callers and what each is worth to the company.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::files::resolve;
use super::lists::{MOST_TOLD, passed_over};
use crate::caller::{CallerNumber, Numbering};
use crate::dialplan::reader::Table;
use crate::findings::{Finding, Findings, Severity, suggest};

const MOST_CUSTOMERS: usize = 500_000;
const LARGEST_FILE: u64 = 128 << 20;
/// A longer text of the file is cut: it is a group or a name, to be compared and shown.
const LONGEST_TEXT: usize = 100;
const COLUMNS: [&str; 5] = ["number", "value", "segment", "name", "language"];

/// What the file says of one caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Customer {
    pub value: i64,
    pub segment: Box<str>,
    pub name: Box<str>,
    pub language: Box<str>,
}

/// The customers by their numbers in one form.
#[derive(Clone, Debug, Default)]
pub struct Customers {
    by_number: HashMap<Box<str>, Customer>,
}

impl Customers {
    /// Reads the file. Rows that cannot be taken are passed over and told; an error is what makes the whole unreadable.
    pub fn read(path: &Path, numbering: &Numbering) -> (Customers, Vec<Finding>) {
        let mut found = Vec::new();
        match read(path, numbering, &mut found) {
            Ok(customers) => (customers, found),
            Err(message) => {
                let hint = "the first line names the columns: number,value,segment,name,language".to_owned();
                let file = path.display().to_string();
                found.push(Finding { file, line: 1, column: 1, severity: Severity::Error, message, hint: Some(hint) });
                (Customers::default(), found)
            }
        }
    }

    pub fn get(&self, number: &str) -> Option<&Customer> {
        self.by_number.get(number)
    }

    pub fn len(&self) -> usize {
        self.by_number.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }
}

/// Checks the file; the shell that answers questions about callers reads it again.
pub(super) fn check(
    mut table: Table<'_>,
    folder: &Path,
    numbering: &Numbering,
    findings: &mut Findings<'_>,
    in_files: &mut Vec<Finding>,
) -> Option<PathBuf> {
    let file = table.required_text("file", findings);
    table.finish(findings);
    let path = resolve(folder, &file?.value);
    in_files.extend(Customers::read(&path, numbering).1);
    Some(path)
}

/// Where each known column stands.
struct Columns([Option<usize>; COLUMNS.len()]);

impl Columns {
    fn of(header: &csv::StringRecord) -> Result<Columns, String> {
        let mut places = [None; COLUMNS.len()];
        for (at, name) in header.iter().enumerate() {
            let name = name.trim().to_ascii_lowercase();
            match COLUMNS.iter().position(|known| *known == name).and_then(|known| places.get_mut(known)) {
                Some(place @ None) => *place = Some(at),
                Some(_) => return Err(format!("column '{name}' stands twice")),
                None => {
                    let hint = suggest(&name, COLUMNS).map(|hint| format!("; {hint}")).unwrap_or_default();
                    return Err(format!("there is no column '{name:.40}'{hint}"));
                }
            }
        }
        match places.first() {
            Some(Some(_)) => Ok(Columns(places)),
            _ => Err("the column 'number' is missing".to_owned()),
        }
    }

    fn get<'r>(&self, record: &'r csv::StringRecord, column: usize) -> &'r str {
        let place = self.0.get(column).copied().flatten();
        place.and_then(|place| record.get(place)).unwrap_or_default().trim()
    }
}

fn read(path: &Path, numbering: &Numbering, found: &mut Vec<Finding>) -> Result<Customers, String> {
    let file = File::open(path).map_err(|error| format!("the customers' file cannot be read: {error}"))?;
    let size = file.metadata().map_err(|error| format!("the customers' file cannot be read: {error}"))?.len();
    if size > LARGEST_FILE {
        return Err(format!("the customers' file is {size} bytes long; at most {LARGEST_FILE} are read"));
    }
    let mut input = BufReader::new(file.take(LARGEST_FILE));
    let delimiter = delimiter(&mut input).map_err(|error| format!("the customers' file cannot be read: {error}"))?;
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(input);
    let header = reader.headers().map_err(|error| format!("the customers' file: {error}"))?.clone();
    let columns = Columns::of(&header)?;
    let mut customers = Customers::default();
    let mut told = Told { path: path.display().to_string(), count: 0, found };
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) if error.is_io_error() => return Err(format!("the customers' file: {error}")),
            Err(error) => {
                let line = error.position().map_or(1, csv::Position::line);
                told.tell(line, "is no UTF-8 text; it is passed over");
                continue;
            }
        };
        let line = record.position().map_or(1, csv::Position::line);
        match customer(&record, &columns, numbering) {
            Ok((number, customer)) => {
                if customers.by_number.insert(number, customer).is_some() {
                    told.tell(line, "has a number that stands further up too; this one counts");
                }
            }
            Err(fault) => told.tell(line, fault),
        }
        if customers.len() > MOST_CUSTOMERS {
            return Err(format!("the customers' file has more than {MOST_CUSTOMERS} customers"));
        }
    }
    told.sum_up();
    Ok(customers)
}

/// Spreadsheets of some countries write semicolons.
fn delimiter(input: &mut impl BufRead) -> std::io::Result<u8> {
    let beginning = input.fill_buf()?;
    let line = beginning.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(if line.contains(&b';') && !line.contains(&b',') { b';' } else { b',' })
}

fn customer(
    record: &csv::StringRecord,
    columns: &Columns,
    numbering: &Numbering,
) -> Result<(Box<str>, Customer), &'static str> {
    let CallerNumber::Known(number) = numbering.read(columns.get(record, 0)) else {
        return Err("has no telephone number; it is passed over");
    };
    let value = match columns.get(record, 1) {
        "" => 0,
        text => text.parse().map_err(|_| "has a value that is no whole number; it is passed over")?,
    };
    let text = |column| columns.get(record, column).chars().take(LONGEST_TEXT).collect::<String>().into_boxed_str();
    Ok((number.into_boxed_str(), Customer { value, segment: text(2), name: text(3), language: text(4) }))
}

/// Findings about rows, the first of them only.
struct Told<'f> {
    path: String,
    count: usize,
    found: &'f mut Vec<Finding>,
}

impl Told<'_> {
    fn tell(&mut self, line: u64, fault: &str) {
        self.count += 1;
        if self.count <= MOST_TOLD {
            let line = usize::try_from(line).unwrap_or(1);
            self.found.push(passed_over(&self.path, line, format!("this row {fault}"), None));
        }
    }

    fn sum_up(self) {
        if self.count > MOST_TOLD {
            let message = format!("{} such rows in all", self.count);
            self.found.push(passed_over(&self.path, 1, message, None));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> (Customers, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("customers.csv");
        std::fs::write(&path, content).unwrap();
        let france = Numbering { country_code: "33".to_owned(), ..Numbering::default() };
        let (customers, found) = Customers::read(&path, &france);
        let told = found.iter().map(|finding| {
            assert!(finding.file.ends_with("customers.csv"));
            let severity = if finding.severity == Severity::Error { "error" } else { "warning" };
            format!("{}: {severity}: {}", finding.line, finding.message)
        });
        let told = told.collect();
        (customers, told)
    }

    #[test]
    fn customers_are_found_by_their_number_in_one_form() {
        for file in [
            "number,value,segment,name,language\n0155501234,90,gold,\"Zoé, née \"\"X\"\"\",fr\n",
            "\u{feff}number;value;segment;name;language\r\n+33 1 55 50 12 34;90;gold;\"Zoé, née \"\"X\"\"\";fr\r\n",
            "name,language,number,segment,value\n\"Zoé, née \"\"X\"\"\",fr,0033155501234,gold,90",
        ] {
            let (customers, told) = read(file.as_bytes());
            assert_eq!(told, Vec::<String>::new(), "{file}");
            let expected =
                Customer { value: 90, segment: "gold".into(), name: "Zoé, née \"X\"".into(), language: "fr".into() };
            assert_eq!(customers.get("+33155501234"), Some(&expected), "{file}");
            assert_eq!((customers.len(), customers.get("+33155509999")), (1, None));
        }
    }

    #[test]
    fn a_wrong_row_is_told_and_passed_over() {
        let long = "x".repeat(100_000);
        let mut file =
            format!("number,value,name\n<script>,1,a\n0155501234,much,b\n0155501235,,{long}\n0155501235,7,c\n,2,d\n")
                .into_bytes();
        file.extend(b"0155501236,3,\xff\xfe\n0155501237\n");
        let (customers, told) = read(&file);
        assert_eq!(
            told,
            [
                "2: warning: this row has no telephone number; it is passed over",
                "3: warning: this row has a value that is no whole number; it is passed over",
                "5: warning: this row has a number that stands further up too; this one counts",
                "6: warning: this row has no telephone number; it is passed over",
                "7: warning: this row is no UTF-8 text; it is passed over",
            ]
        );
        assert_eq!(customers.len(), 2);
        assert_eq!(customers.get("+33155501235").map(|customer| customer.value), Some(7));
        assert_eq!(customers.get("+33155501237"), Some(&Customer::default()), "what is not there is empty");
        let many = format!("number\n{}", "nonsense\n".repeat(500));
        assert_eq!(read(many.as_bytes()).1.len(), MOST_TOLD + 1, "the first ones, and how many in all");
    }

    #[test]
    fn a_file_that_is_no_list_of_customers_is_an_error() {
        for (file, expected) in [
            ("", "the column 'number' is missing"),
            ("value,name\n1,a\n", "the column 'number' is missing"),
            ("numbr,value\n1,2\n", "there is no column 'numbr'; did you mean 'number'?"),
            ("number,Number\n1,2\n", "column 'number' stands twice"),
        ] {
            assert_eq!(read(file.as_bytes()).1, [format!("1: error: {expected}")]);
        }
        let (customers, found) = Customers::read(Path::new("/nowhere/customers.csv"), &Numbering::default());
        assert!(customers.is_empty() && found.len() == 1 && found[0].severity == Severity::Error);
    }
}
