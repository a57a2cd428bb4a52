//! A disk without room and a database that somebody else holds: calls go on, their records wait, and in the end each is
//! there once.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

use super::appliance::{Appliance, Setup, project};
use super::sipp::{self, Sipp};
use super::{eventually, support};

/// Calls at one go.
const CALLS: u32 = 30;

/// Callers who hear something and hang up, one after the other and some at once; each is to have a record.
fn calls(appliance: &Appliance, prefix: &str) {
    let callers = Sipp::new("caller").key("caller", prefix).dial("601").pause(Duration::from_millis(400));
    callers.calls(CALLS).rate(20, 20).start(appliance).succeeds(Duration::from_secs(30));
    appliance.await_quiet();
}

/// Each of `calls` calls has its record, once.
fn each_once(appliance: &Appliance, calls: u32) {
    let records = appliance.records();
    let ids: BTreeSet<_> = records.iter().map(|record| record["call_id"].as_str().expect("an id")).collect();
    assert_eq!((records.len(), ids.len()), (calls as usize, calls as usize));
    for record in &records {
        assert_eq!(record["ended_by"], "caller", "{record}");
    }
}

fn moved(appliance: &Appliance) {
    // The figures are told every second.
    std::thread::sleep(Duration::from_millis(1_500));
    eventually(Duration::from_secs(20), "every record is in the database", || {
        (appliance.metric("relais_records_waiting") == 0.0).then_some(())
    });
}

fn demo() -> PathBuf {
    project().join("deploy/demo/relais.toml")
}

/// A file system of its own, of `megabytes`; unmounted when dropped.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn new(test: &str, megabytes: u32) -> Option<SmallDisk> {
        let folder = tempfile::tempdir().expect("a folder");
        let size = format!("size={megabytes}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        match mount {
            Ok(mounted) if mounted.status.success() => Some(SmallDisk { folder }),
            refused => {
                let why = refused.map_or_else(
                    |error| error.to_string(),
                    |output| String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                );
                support::skip(test, &format!("a tmpfs cannot be mounted here: {why}"));
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Not a byte is left.
    fn fill(&self) {
        let mut file =
            File::options().create(true).append(true).open(self.ballast()).expect("a file on the small disk");
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.ballast()).expect("the ballast");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_stops_no_call_and_loses_no_record() {
    const TEST: &str = "a_full_disk_stops_no_call_and_loses_no_record";
    if sipp::missing(TEST) {
        return;
    }
    let Some(disk) = SmallDisk::new(TEST, 80) else { return };
    let mut appliance = Setup::new(&demo()).data(&disk.path().join("data")).start();
    calls(&appliance, "3315571");
    moved(&appliance);
    disk.fill();
    // As much as the database can take without a new page may still go there.
    for round in 0..20 {
        calls(&appliance, &format!("331557{round}"));
        if appliance.metric("relais_records_database_down") > 0.0 {
            break;
        }
        assert!(round < 19, "the database takes records on a full disk");
    }
    let before = appliance.metric("relais_records_waiting");
    assert!(before > 0.0, "nothing waits");
    calls(&appliance, "3315572");
    assert!(appliance.metric("relais_records_waiting") > before, "records wait in the spool");
    assert_eq!(appliance.metric("relais_records_memory_bytes"), 0.0, "the spool was allocated before");
    let told = appliance.records().len() as u32;
    assert_eq!(told % CALLS, 0, "`relais cdr` shows what the database has not got: {told}");

    // The same again, with the process killed meanwhile.
    appliance.kill();
    disk.make_room();
    appliance.restart();
    each_once(&appliance, told);
    disk.fill();
    calls(&appliance, "3315573");
    disk.make_room();
    moved(&appliance);
    each_once(&appliance, told + CALLS);
    assert_eq!(appliance.metric("relais_records_lost_total"), 0.0);
}

/// Somebody has taken the spool's room away: what neither it nor the database takes waits in memory.
#[test]
fn without_a_spool_records_wait_in_memory() {
    const TEST: &str = "without_a_spool_records_wait_in_memory";
    if sipp::missing(TEST) {
        return;
    }
    let Some(disk) = SmallDisk::new(TEST, 80) else { return };
    let appliance = Setup::new(&demo()).data(&disk.path().join("data")).start();
    calls(&appliance, "3315571");
    moved(&appliance);
    for segment in fs::read_dir(disk.path().join("data/spool")).expect("the spool") {
        let segment = File::options().write(true).open(segment.expect("a segment").path()).expect("a segment");
        segment.set_len(0).expect("a shorter segment");
    }
    disk.fill();
    let mut made = 1;
    while appliance.metric("relais_records_memory_bytes") == 0.0 {
        calls(&appliance, &format!("33155{made}"));
        made += 1;
        assert!(made < 20, "neither the disk nor memory fills up");
    }
    calls(&appliance, "3315574");
    made += 1;
    assert!(appliance.metric("relais_records_waiting") >= f64::from(CALLS), "records wait");
    disk.make_room();
    moved(&appliance);
    each_once(&appliance, made * CALLS);
    assert_eq!(appliance.metric("relais_records_memory_bytes"), 0.0);
    assert_eq!(appliance.metric("relais_records_lost_total"), 0.0);
}

/// Another program that keeps the database to itself.
struct Lock {
    runtime: tokio::runtime::Runtime,
    connection: SqliteConnection,
}

impl Lock {
    fn take(data: &Path) -> Lock {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let options = SqliteConnectOptions::new().filename(data.join("relais.db")).busy_timeout(Duration::from_secs(5));
        let connection = runtime.block_on(async {
            let mut connection = options.connect().await.expect("the database");
            sqlx::query("BEGIN EXCLUSIVE").execute(&mut connection).await.expect("the lock");
            connection
        });
        Lock { runtime, connection }
    }

    fn release(mut self) {
        self.runtime.block_on(sqlx::query("ROLLBACK").execute(&mut self.connection)).expect("the lock's end");
    }
}

#[test]
fn a_locked_database_stops_no_call_and_loses_no_record() {
    if sipp::missing("a_locked_database_stops_no_call_and_loses_no_record") {
        return;
    }
    let mut appliance = Appliance::demo();
    calls(&appliance, "3315581");
    moved(&appliance);
    let lock = Lock::take(&appliance.data);
    calls(&appliance, "3315582");
    eventually(Duration::from_secs(10), "the failure is shown", || {
        (appliance.metric("relais_records_database_down") == 1.0).then_some(())
    });
    assert!(appliance.metric("relais_records_waiting") >= f64::from(CALLS), "records wait");
    each_once(&appliance, 2 * CALLS);
    lock.release();
    moved(&appliance);
    assert_eq!(appliance.metric("relais_records_database_down"), 0.0);
    each_once(&appliance, 2 * CALLS);

    let lock = Lock::take(&appliance.data);
    calls(&appliance, "3315583");
    appliance.kill();
    lock.release();
    appliance.restart();
    each_once(&appliance, 3 * CALLS);
}
