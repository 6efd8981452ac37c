//! Room on the disk and in memory, and the time to the first answer.

use secrecy::ExposeSecret;

use crate::dataset::Dataset;
use crate::harness::{Figure, figures};
use crate::name;
use crate::pages::CONNECTIONS;
use crate::server::{PROGRAM, Server};
use crate::support::database::Backend;
use crate::wrk::{self, Load};

const MIB: f64 = 1024.0 * 1024.0;

/// Bytes of a flow, indexes aside.
pub fn disk(dataset: &Dataset) {
    let each = |sql: &str| dataset.number(sql) as f64 / dataset.flows as f64;
    let (flows, all, indexes) = match dataset.backend {
        Backend::Sqlite => {
            let of = |which: &str| {
                format!(
                    "SELECT CAST(coalesce(sum(pgsize), 0) AS BIGINT) AS number FROM dbstat JOIN sqlite_schema AS known \
                     ON known.name = dbstat.name WHERE {which}"
                )
            };
            (
                each(&of("known.name = 'flusso'")),
                each(&of("known.type = 'table' AND known.name NOT LIKE 'call_%'")),
                each(&of("known.type = 'index' AND known.tbl_name NOT LIKE 'call_%'")),
            )
        }
        Backend::Postgres => {
            let of = |size: &str, which: &str| {
                format!(
                    "SELECT sum({size}(oid))::bigint AS number FROM pg_class WHERE relkind = 'r' \
                     AND relnamespace = 'public'::regnamespace AND {which}"
                )
            };
            let not_calls = "relname NOT LIKE 'call%'";
            (
                each(&of("pg_table_size", "relname = 'flusso'")),
                each(&of("pg_table_size", not_calls)),
                each(&of("pg_indexes_size", not_calls)),
            )
        }
    };
    let group = format!("Disk, {} flows, {}", dataset.flows, name(dataset.backend));
    figures(
        &group,
        vec![
            Figure::of("table of flows, for each", "bytes", &[flows]).at_most(700.0),
            Figure::of("all tables but the log of calls, for each", "bytes", &[all]),
            Figure::of("their indexes, for each", "bytes", &[indexes]),
        ],
    );
    if let Some(file) = dataset.settings.sqlite_file() {
        let size = std::fs::metadata(file).unwrap().len();
        eprintln!("{}: {:.0} MiB", dataset.settings.url.expose_secret(), size as f64 / MIB);
    }
}

/// Memory of the process, and its start.
pub fn memory(dataset: &Dataset) {
    let starts: Vec<f64> = (0..5)
        .map(|_| Server::start(&dataset.settings, &dataset.feeds).first_answer.as_secs_f64() * 1000.0)
        .collect();
    let server = Server::start(&dataset.settings, &dataset.feeds);
    let idle = server.memory("VmRSS") / MIB;
    for (connections, limit) in [(CONNECTIONS, 10), (CONNECTIONS, 100), (64, 100)] {
        wrk::run(&server.target, &dataset.feeds, Load::of(connections, limit));
    }
    let peak = server.memory("VmHWM") / MIB;
    let group = format!("The process, {} flows, {}", dataset.flows, name(dataset.backend));
    figures(
        &group,
        vec![
            Figure::of("from its start to the first answer", "ms", &starts).at_most(150.0),
            Figure::of("memory when idle", "MiB", &[idle]).at_most(40.0),
            Figure::of("memory at the peak rate, at most", "MiB", &[peak]).at_most(150.0),
            Figure::of("the program", "MiB", &[std::fs::metadata(PROGRAM).unwrap().len() as f64 / MIB])
                .at_most(25.0),
        ],
    );
}
